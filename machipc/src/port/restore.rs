//! What becomes of the rights and the memory in a message that was not sent.

use crate::mach;
use crate::message::{Attachment, RightKind};

use super::descriptor::{self, Descriptor};
use super::outgoing::{Field, Rights};
use super::send_right::release;
use super::{MachError, sys};

/// Puts back what a message carries after `mach_msg` failed to send it.
///
/// Mach fails in three ways (mach-semantics §3). Either nothing happened, and the message is as it was built. Or the
/// message came back by a pseudo-receive: every right and region is in it, as received, and a copied right is there in
/// addition to the original. Reading the message tells both. Or the failure came after rights had been consumed.
pub(super) fn failed(message: &[u8], rights: &Rights<'_, '_>, error: MachError) {
    match error.plain() {
        mach::MACH_SEND_INVALID_RIGHT | mach::MACH_SEND_INVALID_MEMORY => {
            let kept = consumed(message, rights, error);
            attachments(message, rights, kept);
        }
        // Policies of the system: the header's rights are consumed, the others were not looked at.
        mach::MACH_SEND_INVALID_OPTIONS | mach::MACH_SEND_NO_GRANT_DEST | mach::MACH_SEND_MSG_FILTERED => {
            attachments(message, rights, 0);
        }
        _ => unsent(message, rights),
    }
}

/// Puts back everything: the message was not sent, or came back.
pub(super) fn unsent(message: &[u8], rights: &Rights<'_, '_>) {
    let word = |offset| descriptor::word(message, offset).unwrap_or(mach::MACH_PORT_NULL);
    let bits = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_bits));
    let remote = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_remote_port));
    let local = word(core::mem::offset_of!(mach::mach_msg_header_t, msgh_local_port));
    field(rights.destination, mach::MACH_MSGH_BITS_REMOTE(bits), remote);
    field(rights.reply, mach::MACH_MSGH_BITS_LOCAL(bits), local);
    attachments(message, rights, 0);
}

/// Puts back a right of the header. A right that was copied or made is ours too if its disposition says that it came back.
fn field(field: Field<'_>, disposition: u32, name: u32) {
    match field {
        Field::None => {}
        Field::Move(_, cell) => cell.set(name),
        Field::Copy(_) | Field::MakeOnce(_) => {
            if descriptor::kind(disposition).is_some() {
                release(name);
            }
        }
    }
}

/// Puts back the attachments from index `kept` on. Those before it are gone, and their cells stay empty.
fn attachments(message: &[u8], rights: &Rights<'_, '_>, kept: usize) {
    for (index, (attachment, found)) in pairs(message, rights).enumerate() {
        match (attachment, found) {
            // The right was made for this message alone, so whether it is there still tells whether it is ours.
            (Attachment::File(_), Descriptor::Port { name, .. })
                if index >= kept || is_held(name, RightKind::Send) =>
            {
                release(name);
            }
            _ if index < kept => {}
            // NULL is what an empty cell was written as; another attachment may have emptied it.
            (Attachment::Right(_, cell), Descriptor::Port { name, .. }) if name != mach::MACH_PORT_NULL => {
                cell.set(name);
            }
            (Attachment::Memory(cell), Descriptor::Memory { address, size }) if size != 0 => {
                cell.set(address, size as usize);
            }
            // The bytes stayed where they are. What lies elsewhere is the copy of them that came back.
            (Attachment::Bytes(bytes), Descriptor::Memory { address, size })
                if size != 0 && address != bytes.as_ptr().addr() =>
            {
                // SAFETY: the region came back with the message, and nothing else knows of it.
                unsafe { sys::vm_deallocate(address, size as usize) };
            }
            _ => {}
        }
    }
}

/// How many attachments were consumed before the one that the system refused. The header's rights were consumed before
/// them.
///
/// The system does not tell which one it was; it can be none but one that this process does not hold, a receive right that
/// may not move, or memory that cannot be read. A name that is gone was consumed or was never there; a receive right or a
/// send-once right that is still there was not consumed, nor was what comes after it. Where this leaves doubt, the last
/// possible one is taken: a reference may leak then, but none is released that somebody else holds.
fn consumed(message: &[u8], rights: &Rights<'_, '_>, error: MachError) -> usize {
    let unreadable = error.plain() == mach::MACH_SEND_INVALID_MEMORY;
    let mut refused = 0;
    for (index, (attachment, found)) in pairs(message, rights).enumerate() {
        match (attachment, found) {
            (Attachment::Right(kind, _), Descriptor::Port { name, .. }) => {
                let held = is_held(name, *kind);
                match kind {
                    RightKind::Receive if held => return if unreadable { refused } else { index },
                    RightKind::SendOnce if held => return refused,
                    _ if !held && !unreadable => refused = index,
                    _ => {}
                }
            }
            (Attachment::Bytes(_) | Attachment::Memory(_), _) if unreadable => refused = index,
            _ => {}
        }
    }
    refused
}

/// Each attachment with its descriptor; last comes the payload, if it is out of line.
fn pairs<'p, 'm>(
    message: &'p [u8],
    rights: &'p Rights<'_, 'm>,
) -> impl Iterator<Item = (&'p Attachment<'m>, Descriptor)> {
    let mut offset = descriptor::FIRST;
    rights.attachments.iter().chain(&rights.payload).map_while(move |attachment| {
        let (found, next) = Descriptor::read(message, offset)?;
        offset = next;
        Some((attachment, found))
    })
}

/// Whether this process holds such a right under the name, or its dead remains.
fn is_held(name: u32, kind: RightKind) -> bool {
    let wanted = match kind {
        RightKind::Send => mach::MACH_PORT_TYPE_SEND | mach::MACH_PORT_TYPE_DEAD_NAME,
        RightKind::SendOnce => mach::MACH_PORT_TYPE_SEND_ONCE | mach::MACH_PORT_TYPE_DEAD_NAME,
        RightKind::Receive => mach::MACH_PORT_TYPE_RECEIVE,
    };
    sys::port_type(name) & wanted != 0
}
