//! Rights and memory out of a message into the receiver's name space, and a message's bytes into its buffer.

use super::draft::DESCRIPTORS_AT;
use super::kernel::Kernel;
use super::memory::Region;
use super::message::{Carried, Item, Message, Right, Sender};
use super::port::{Guard, PortId};
use super::room::Room;
use super::wait::Taken;
use crate::mach::{
    MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE, MACH_MSG_GUARDED_PORT_DESCRIPTOR, MACH_MSG_IPC_SPACE,
    MACH_MSG_OOL_PORTS_DESCRIPTOR, MACH_MSG_PORT_DESCRIPTOR, MACH_MSG_SUCCESS, MACH_MSG_VIRTUAL_COPY,
    MACH_MSG_VM_KERNEL, MACH_MSG_VM_SPACE, MACH_MSGH_BITS, MACH_MSGH_BITS_COMPLEX, MACH_PORT_DEAD,
    MACH_PORT_NULL, MACH_RCV_BODY_ERROR, MACH_RCV_GUARDED_DESC, MACH_RCV_HEADER_ERROR, MACH_RCV_TOO_LARGE,
    mach_msg_audit_trailer_t, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t, mach_msg_size_t,
    mach_port_name_t,
};

/// Size of a header in bytes.
const HEADER: usize = size_of::<mach_msg_header_t>();

/// A message that is ready to be written into a user's buffer.
pub(super) struct Letter {
    pub(super) code: mach_msg_return_t,
    pub(super) header: mach_msg_header_t,
    /// Everything behind the header.
    pub(super) bytes: Vec<u8>,
    /// Empty for a message that goes back to its sender.
    pub(super) trailer: Trailer,
}

/// The bytes of a trailer; `len` counts.
#[derive(Clone, Copy)]
pub(super) struct Trailer {
    pub(super) bytes: [u8; 68],
    pub(super) len: usize,
}

impl Trailer {
    pub(super) const NONE: Self = Self { bytes: [0; 68], len: 0 };

    /// The trailer that `option` asks for (mach-semantics §1, trailers).
    pub(super) fn new(option: mach_msg_option_t, sequence: u32, sender: &Sender, context: u64) -> Self {
        let len = trailer_size(option);
        let [one, two] = sender.security.val;
        let [a, b, c, d, e, f, g, h] = sender.audit.val;
        let context = [context as u32, (context >> 32) as u32];
        let words: [u32; 17] =
            [0, len as u32, sequence, one, two, a, b, c, d, e, f, g, h, context[0], context[1], 0, 0];
        let bytes = zerocopy::transmute!(words);
        Self { bytes, len }
    }
}

/// Writes the trailer that `option` asks for into a receiver's buffer, as [`Trailer`] would be written.
#[inline]
pub(super) fn write_trailer(
    room: &mut Room,
    at: usize,
    option: mach_msg_option_t,
    sequence: u32,
    sender: &Sender,
    context: u64,
) {
    const AUDIT: usize = size_of::<mach_msg_audit_trailer_t>();
    if trailer_size(option) != AUDIT {
        let trailer = Trailer::new(option, sequence, sender, context);
        return room.write(at, &trailer.bytes[..trailer.len]);
    }
    // What receivers ask for who want to know the sender, field by field: gathered elsewhere first, it would be read before its parts have
    // reached the cache.
    let (start, security): ([u8; 12], [u8; 8]) =
        (zerocopy::transmute!([0, AUDIT as u32, sequence]), zerocopy::transmute!(sender.security.val));
    let audit: [u8; 32] = zerocopy::transmute!(sender.audit.val);
    room.write(at, &start);
    room.write(at + 12, &security);
    room.write(at + 20, &audit);
}

/// Size of the trailer that `option` asks for.
pub(super) fn trailer_size(option: mach_msg_option_t) -> usize {
    match (option >> 24) & 0xf {
        0 => 8,
        1 => 12,
        2 => 20,
        3 => 52,
        4 => 60,
        _ => 68,
    }
}

impl Letter {
    /// Size in bytes of all that is written.
    pub(super) fn size(&self) -> usize {
        HEADER + self.bytes.len() + self.trailer.len
    }

    /// Writes the message to `buffer`: header, bytes, trailer.
    ///
    /// # Safety
    /// `buffer` is writable for the letter's size.
    pub(super) unsafe fn write(&self, buffer: *mut mach_msg_header_t) {
        // SAFETY: writable by the caller's word.
        unsafe { buffer.write_unaligned(self.header) };
        let body = buffer.wrapping_add(1).cast::<u8>();
        // SAFETY: as above, behind the header; `bytes` is private memory and overlaps no user's buffer.
        unsafe { core::ptr::copy_nonoverlapping(self.bytes.as_ptr(), body, self.bytes.len()) };
        let trailer = body.wrapping_add(self.bytes.len());
        // SAFETY: as above, behind the bytes.
        unsafe { core::ptr::copy_nonoverlapping(self.trailer.bytes.as_ptr(), trailer, self.trailer.len) };
    }
}

impl Kernel {
    /// Gives a received message to the task: `room` is the whole buffer's size, `buffer` its address.
    pub(super) fn copy_out(
        &mut self,
        taken: Taken,
        option: mach_msg_option_t,
        room: mach_msg_size_t,
        buffer: usize,
    ) -> Letter {
        let Taken { port, sequence, mut message } = taken;
        let size = message.size();
        let local = self.port(port).name.unwrap_or(MACH_PORT_NULL);
        let context = self.port(port).context;
        let mut trailer = Trailer::new(option, sequence, &message.sender, context);
        let local_disposition = message.destination.disposition();
        let complex = if message.complex { MACH_MSGH_BITS_COMPLEX } else { 0 };
        let mut header = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(0, u32::from(local_disposition)) | complex,
            msgh_size: size,
            msgh_remote_port: MACH_PORT_NULL,
            msgh_local_port: local,
            msgh_voucher_port: message.voucher,
            msgh_id: message.id,
        };
        let fits = size as usize + trailer.len <= room as usize;
        let reply_has_room = fits && (!needs_name(&message.reply) || self.space.has_room(1));
        if !reply_has_room {
            // The message is destroyed and a bare header tells of it.
            self.destroy_message(message);
            header.msgh_size = HEADER as u32;
            header.msgh_voucher_port = MACH_PORT_NULL;
            if HEADER + trailer.len > room as usize {
                trailer.len = (room as usize).saturating_sub(HEADER).min(8) & !7;
                trailer.bytes[4..8].copy_from_slice(&(trailer.len as u32).to_le_bytes());
            }
            let code = if fits { MACH_RCV_HEADER_ERROR | MACH_MSG_IPC_SPACE } else { MACH_RCV_TOO_LARGE };
            return Letter { code, header, bytes: Vec::new(), trailer };
        }
        let reply = core::mem::replace(&mut message.reply, Carried::Null);
        let disposition = u32::from(message.reply_disposition);
        header.msgh_remote_port = self.name_carried(reply).unwrap_or(MACH_PORT_NULL);
        header.msgh_bits |= MACH_MSGH_BITS(disposition, 0);
        let errors = self.copy_out_items(&mut message, option & MACH_RCV_GUARDED_DESC != 0, buffer);
        let bytes = core::mem::take(&mut message.bytes);
        match message.destination {
            Right::SendOnce(port) => self.spend_send_once(port),
            right => self.release(right),
        }
        let code = if errors == 0 { MACH_MSG_SUCCESS } else { MACH_RCV_BODY_ERROR | errors };
        Letter { code, header, bytes, trailer }
    }

    /// Gives a message that could not be sent back to its sender, as if it had received it, but with the header as it was
    /// (mach-semantics §3, phase C). Returns the letter and the bits to be or-ed to the send's code.
    pub(super) fn copy_out_unsent(
        &mut self,
        mut message: Message,
        buffer: usize,
    ) -> (Letter, mach_msg_return_t) {
        let remote = u32::from(message.destination.disposition());
        let local = u32::from(message.reply_disposition);
        let complex = if message.complex { MACH_MSGH_BITS_COMPLEX } else { 0 };
        let size = message.size();
        let mut errors = 0;
        let reply = core::mem::replace(&mut message.reply, Carried::Null);
        let destination = core::mem::replace(&mut message.destination, Right::Send(PortId(u32::MAX)));
        let mut name = |kernel: &mut Self, carried| {
            kernel.name_carried(carried).unwrap_or_else(|| {
                errors |= MACH_MSG_IPC_SPACE;
                MACH_PORT_NULL
            })
        };
        let header = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(remote, local) | complex,
            msgh_size: size,
            msgh_remote_port: name(self, Carried::Right(destination)),
            msgh_local_port: name(self, reply),
            msgh_voucher_port: message.voucher,
            msgh_id: message.id,
        };
        errors |= self.copy_out_items(&mut message, true, buffer);
        let bytes = core::mem::take(&mut message.bytes);
        (Letter { code: MACH_MSG_SUCCESS, header, bytes, trailer: Trailer::NONE }, errors)
    }

    /// Puts a right under a name. `None`: the name space is full, and the right has been destroyed.
    fn name_carried(&mut self, carried: Carried) -> Option<mach_port_name_t> {
        let right = match carried {
            Carried::Null => return Some(MACH_PORT_NULL),
            Carried::Dead => return Some(MACH_PORT_DEAD),
            Carried::Right(right) => right,
        };
        if self.port(right.port()).is_dead() {
            match right {
                Right::SendOnce(port) => self.spend_send_once(port),
                right => self.release(right),
            }
            return Some(MACH_PORT_DEAD);
        }
        match right {
            Right::Send(port) => self.name_send(port),
            Right::SendOnce(port) => self.name_send_once(port),
            Right::Receive(port) => self.name_receive(port),
        }
    }

    /// Writes the receiver's names and addresses into the message's descriptors. Returns the bits of what had no room.
    fn copy_out_items(&mut self, message: &mut Message, guarded: bool, buffer: usize) -> mach_msg_return_t {
        let mut errors = if message.incomplete { MACH_MSG_VM_KERNEL } else { 0 };
        let mut at = DESCRIPTORS_AT;
        for item in core::mem::take(&mut message.items) {
            let size = if matches!(item, Item::Port { .. }) { 12 } else { 16 };
            let mut descriptor = [0_u8; 16];
            match item {
                Item::Port { carried, disposition } => {
                    let name = self.name_or_error(carried, &mut errors);
                    descriptor[..4].copy_from_slice(&name.to_le_bytes());
                    descriptor[10] = disposition;
                    descriptor[11] = MACH_MSG_PORT_DESCRIPTOR;
                }
                Item::Guarded { carried, flags } => {
                    descriptor[10] = 16;
                    descriptor[11] = MACH_MSG_GUARDED_PORT_DESCRIPTOR;
                    if !guarded {
                        // The receiver does not understand guards: the right is destroyed.
                        self.release_carried(carried);
                    } else if let Carried::Right(Right::Receive(port)) = carried {
                        let name = self.name_or_error(carried, &mut errors);
                        let state = self.port_mut(port);
                        state.context = buffer as u64;
                        let immovable = flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE != 0;
                        state.guard = Some(Guard { strict: false, immovable });
                        descriptor[..8].copy_from_slice(&state.context.to_le_bytes());
                        descriptor[8..10].copy_from_slice(&flags.to_le_bytes());
                        descriptor[12..].copy_from_slice(&name.to_le_bytes());
                    } else {
                        let name = self.name_or_error(carried, &mut errors);
                        descriptor[12..].copy_from_slice(&name.to_le_bytes());
                    }
                }
                Item::Memory { region, kind, copy } => {
                    let len = region.as_ref().map_or(0, Region::len);
                    let address = region.map_or(0, Region::into_address);
                    write_span(&mut descriptor, address, len as u32);
                    descriptor[8] = u8::from(copy == MACH_MSG_VIRTUAL_COPY);
                    descriptor[9] = copy;
                    descriptor[11] = kind;
                }
                // It goes over a link at once, and arrives as memory.
                Item::Pieces { .. } => {}
                Item::Ports { carried, disposition } => {
                    let names: Vec<u8> = carried
                        .into_iter()
                        .flat_map(|carried| self.name_or_error(carried, &mut errors).to_le_bytes())
                        .collect();
                    let address = match names.len() {
                        0 => 0,
                        _ => Region::copy_of(&names).map_or(0, Region::into_address),
                    };
                    if address == 0 && !names.is_empty() {
                        errors |= MACH_MSG_VM_SPACE | MACH_MSG_VM_KERNEL;
                    }
                    let count = if address == 0 { 0 } else { names.len() / 4 };
                    write_span(&mut descriptor, address, count as u32);
                    descriptor[8] = 1;
                    descriptor[9] = MACH_MSG_VIRTUAL_COPY;
                    descriptor[10] = disposition;
                    descriptor[11] = MACH_MSG_OOL_PORTS_DESCRIPTOR;
                }
            }
            if let Some(place) = message.bytes.get_mut(at..at + size) {
                place.copy_from_slice(&descriptor[..size]);
            }
            at += size;
        }
        errors
    }

    fn name_or_error(&mut self, carried: Carried, errors: &mut mach_msg_return_t) -> mach_port_name_t {
        self.name_carried(carried).unwrap_or_else(|| {
            *errors |= MACH_MSG_IPC_SPACE;
            MACH_PORT_NULL
        })
    }
}

fn needs_name(carried: &Carried) -> bool {
    matches!(carried, Carried::Right(_))
}

fn write_span(descriptor: &mut [u8; 16], address: usize, count: u32) {
    descriptor[..8].copy_from_slice(&(address as u64).to_le_bytes());
    descriptor[12..].copy_from_slice(&count.to_le_bytes());
}
