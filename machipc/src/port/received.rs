//! A message that came, and all that came with it.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::os::fd::OwnedFd;

use crate::mach;
use crate::message::{
    AttachmentSource, DecodeError, Decoder, MachMessage, MemoryCell, Prefix, RightKind, TraceContext,
};

use super::descriptor::{self, Descriptor};
use super::send_right::{kind_name, release};
use super::{
    Deadline, MachError, MessageBuffer, Notification, ReceiveRight, ReplyRight, Sender, deaths,
    receive_right, row::Row, sys,
};

/// A message that was received. It owns everything that came with it: each right, each region of memory, the reply right.
/// What is decoded takes its part out; the rest is destroyed when the value is dropped, memory by its address and size
/// whatever the sender's flags said.
///
/// Everything the sender controls is compared before it is believed: the prefix, the fingerprint, the payload's length, and
/// of each descriptor its kind, its disposition and its place in the order. Memory that arrived is a private snapshot, so
/// nothing changes after it was checked; but for a loan of a sender that was [trusted](super::Trust) not to.
pub struct Received<'b> {
    /// The header and the descriptors, as they arrived. What is taken out is zeroed in place.
    head: RefCell<&'b mut [u8]>,
    /// What follows the descriptors, up to the message's end.
    rest: &'b [u8],
    sender: Sender,
    port: u32,
    id: i32,
    reply: Option<RightKind>,
    /// How many descriptors there are, and how many of them are the payload's attachments.
    descriptors: u32,
    attached: Cell<u32>,
    /// The next descriptor that may be taken: its index and its offset in `head`.
    next: Cell<(u32, usize)>,
}

impl<'b> Received<'b> {
    /// The message's id: which variant of an endpoint it is, or [`PLAIN_ID`](crate::message::PLAIN_ID).
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The name of the port that the message came to; of a port set's members, which one.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Who sent the message.
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// Who sent the message, in place.
    pub(crate) fn sent_by(&self) -> &Sender {
        &self.sender
    }

    /// The size of the message in bytes as it was received, without what is out of line.
    pub fn size(&self) -> usize {
        self.head.borrow().len() + self.rest.len()
    }

    /// How many bytes of memory came out of line.
    pub fn out_of_line_size(&self) -> usize {
        let mut total = 0;
        self.walk(|_, descriptor, _| {
            total += match *descriptor {
                Descriptor::Memory { size, .. } | Descriptor::Volatile { size, .. } => size as usize,
                Descriptor::Ports { count, .. } => count as usize * size_of::<u32>(),
                _ => 0,
            };
        });
        total
    }

    /// Whether the message has the reply right still.
    pub fn wants_reply(&self) -> bool {
        self.reply.is_some() && descriptor::word(&self.head.borrow(), REMOTE) != Some(mach::MACH_PORT_NULL)
    }

    /// Whether the sender asked for an answer and has stopped waiting since: the reply right was dead when it arrived.
    pub fn reply_is_dead(&self) -> bool {
        self.reply.is_some() && descriptor::word(&self.head.borrow(), REMOTE) == Some(mach::MACH_PORT_DEAD)
    }

    /// Takes the reply right, if there is one that was not taken before.
    pub fn take_reply(&self) -> Option<ReplyRight> {
        AttachmentSource::take_reply(self).map(|(kind, name)| ReplyRight::new(kind, name))
    }

    /// Reads the message as an `M`.
    ///
    /// # Errors
    /// When the sender's types are others, the id is none of `M`'s, the bytes are no `M`, or anything came with the message
    /// that `M` does not hold: another kind or number of rights or memory regions, NULL where a right should be, or a reply
    /// right that nothing asks for. What was taken out until then is released, the rest when this value is dropped.
    pub fn decode<M: MachMessage>(&self) -> Result<M::View<'_>, DecodeError> {
        let name = core::any::type_name::<M>();
        self.decode_with(name, M::fingerprint(), |input| M::decode_payload(self.id, input))
    }

    /// Reads the message with `read`, as something called `name` with this fingerprint. The rest is as in
    /// [`decode`](Self::decode).
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and those of `read`.
    pub fn decode_with<'a, T>(
        &'a self,
        name: &str,
        fingerprint: u64,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        self.decode_then(name, fingerprint, read, |value| value)
    }

    /// [`decode_with`](Self::decode_with), which hands the value on instead of returning it: a move right after it was made waits until it has
    /// reached the cache.
    #[inline(always)]
    pub(crate) fn decode_then<'a, T, R>(
        &'a self,
        name: &str,
        fingerprint: u64,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
        then: impl FnOnce(T) -> R,
    ) -> Result<R, DecodeError> {
        let payload = self.payload(name, fingerprint)?;
        let mut input = Decoder::new(payload, Some(self));
        match read(&mut input) {
            Ok(value) => {
                input.finish()?;
                if self.wants_reply() {
                    return Err(DecodeError::new("a reply right came with a message that takes no reply"));
                }
                Ok(then(value))
            }
            Err(error) => Err(error),
        }
    }

    /// What the kernel tells, if this message is the kernel's: its id is a notification's and no process sent it.
    /// The receive right of a port-destroyed notification is handed out once; `None` after that.
    pub fn notification(&self) -> Option<Notification> {
        if !self.sender.is_kernel() {
            return None;
        }
        let value = || descriptor::word(self.rest, NOTIFICATION_VALUE);
        Some(match self.id {
            mach::MACH_NOTIFY_PORT_DELETED => Notification::PortDeleted { name: value()? },
            mach::MACH_NOTIFY_SEND_POSSIBLE => Notification::SendPossible { name: value()? },
            mach::MACH_NOTIFY_PORT_DESTROYED => {
                let name = self.take_right(0, RightKind::Receive).ok()?;
                Notification::PortDestroyed(ReceiveRight::own(name))
            }
            mach::MACH_NOTIFY_NO_SENDERS => Notification::NoSenders { make_send_count: value()? },
            mach::MACH_NOTIFY_SEND_ONCE => Notification::SendOnce,
            mach::MACH_NOTIFY_DEAD_NAME => Notification::DeadName { name: value()? },
            _ => return None,
        })
    }

    /// Takes ownership of the message in `buffer`, which the kernel has put there and nobody has taken before.
    #[inline]
    pub(super) fn parse(buffer: &'b mut MessageBuffer) -> Self {
        let bytes = buffer.bytes.as_mut_bytes();
        let sender = sender_behind(bytes, size_of_first(bytes));
        Self::parse_message(bytes, sender)
    }

    /// Takes ownership of the message at the start of `bytes`, which is `sender`'s.
    #[inline]
    pub(super) fn parse_message(bytes: &'b mut [u8], sender: Sender) -> Self {
        // The kernel keeps its own format; fields that were missing would read as zero, and nothing would be taken out.
        let [bits, _, _, port, _, id] = descriptor::words(bytes, 0).unwrap_or_default();
        let size = size_of_first(bytes);
        let id = id as i32;
        let reply = descriptor::kind(mach::MACH_MSGH_BITS_REMOTE(bits));
        let (mut descriptors, mut end) = (0, descriptor::HEADER);
        if bits & mach::MACH_MSGH_BITS_COMPLEX != 0 {
            end = descriptor::FIRST;
            let count = descriptor::word(bytes, descriptor::HEADER).unwrap_or(0);
            while descriptors < count {
                let Some((_, next)) = Descriptor::read(&bytes[..size], end) else { break };
                descriptors += 1;
                end = next;
            }
        }
        let (head, rest) = bytes.split_at_mut(end.min(size));
        let rest = &rest[..size - head.len()];
        Self {
            head: RefCell::new(head),
            rest,
            sender,
            port,
            id,
            reply,
            descriptors,
            attached: Cell::new(descriptors),
            next: Cell::new((0, descriptor::FIRST)),
        }
    }

    /// The trace that the message says it belongs to. What the sender got wrong there is as good as none.
    #[inline]
    pub fn trace(&self) -> Option<TraceContext> {
        let prefix = Prefix::parse(self.framed()).ok().filter(Prefix::is_traced)?;
        self.read_trace(prefix.front())
    }

    /// The trace that stands between the prefix and `front`.
    #[inline(never)]
    fn read_trace(&self, front: usize) -> Option<TraceContext> {
        TraceContext::from_wire(self.framed().get(Prefix::SIZE..front)?.first_chunk()?)
    }

    /// The message from its prefix on.
    #[inline]
    fn framed(&self) -> &[u8] {
        let head = self.head.borrow().len();
        self.rest.get(head.next_multiple_of(16) - head..).unwrap_or_default()
    }

    /// The payload, once the prefix agrees with what this side expects and with what came.
    #[inline]
    fn payload(&self, name: &str, fingerprint: u64) -> Result<&[u8], DecodeError> {
        // Almost every message is like that.
        if let Ok(prefix) = Prefix::parse(self.framed())
            && prefix.is_plain()
            && prefix.fingerprint() == fingerprint
            && let Some(inline) = self.framed().get(Prefix::SIZE..)
            && let Some(payload) = inline.get(..prefix.payload_len())
            && inline.len() - payload.len() < 4
        {
            return Ok(payload);
        }
        self.other_payload(name, fingerprint)
    }

    /// The payload of any message, or why it has none.
    #[inline(never)]
    fn other_payload(&self, name: &str, fingerprint: u64) -> Result<&[u8], DecodeError> {
        let bytes = self.framed();
        let prefix = Prefix::parse(bytes)?;
        if prefix.fingerprint() != fingerprint {
            return Err(DecodeError::fingerprint_mismatch(name, fingerprint, prefix.fingerprint()));
        }
        let Some(inline) = bytes.get(prefix.front()..) else {
            return Err(DecodeError::new("the message ends inside its trace context"));
        };
        let len = prefix.payload_len();
        if !prefix.is_out_of_line() {
            // A message's size is a multiple of 4, so up to 3 bytes of padding may follow.
            return match inline.get(..len) {
                Some(payload) if inline.len() - len < 4 => Ok(payload),
                _ => Err(DecodeError::new(format!(
                    "the prefix tells of a payload of {len} bytes, {} came",
                    inline.len()
                ))),
            };
        }
        let Some(last) = self.descriptors.checked_sub(1) else {
            return Err(DecodeError::new("the payload should be out of line, and nothing is"));
        };
        let mut payload = None;
        self.walk(|index, descriptor, _| {
            if let (true, Descriptor::Memory { address, size }) = (index == last, *descriptor) {
                payload = Some((address, size as usize));
            }
        });
        match payload {
            Some((address, size)) if size == len && inline.is_empty() && address % 16 == 0 => {
                self.attached.set(last);
                // SAFETY: the region arrived with this message and is this value's until it is dropped. It is not an
                // attachment, so nothing takes it out, and nothing writes to it.
                Ok(unsafe { sys::bytes(address, size) })
            }
            Some((address, size)) => Err(DecodeError::new(format!(
                "the prefix tells of a payload of {len} bytes out of line, {size} came at {address:#x} and {} inline",
                inline.len()
            ))),
            None => {
                Err(DecodeError::new("the payload should be out of line, the last descriptor is no memory"))
            }
        }
    }

    /// Goes to the descriptor with this index, which must not lie before the next one, and hands it to `take`; what that
    /// accepts is this message's no more if `cleared`, and in any case nobody can ask for it again.
    fn take<T>(
        &self,
        index: u32,
        cleared: bool,
        take: impl FnOnce(&Descriptor) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let (mut at, mut offset) = self.next.get();
        if index < at || index >= self.attached.get() {
            return Err(DecodeError::new(format!(
                "attachment {index} named, {at} comes next of {}",
                self.attached.get()
            )));
        }
        let mut head = self.head.borrow_mut();
        loop {
            let Some((descriptor, next)) = Descriptor::read(&head, offset) else {
                return Err(DecodeError::new(format!("attachment {index} is not there")));
            };
            if at == index {
                let value = take(&descriptor)?;
                if cleared {
                    descriptor.clear(&mut head, offset);
                }
                self.next.set((index + 1, next));
                return Ok(value);
            }
            (at, offset) = (at + 1, next);
        }
    }

    fn walk(&self, mut visit: impl FnMut(u32, &Descriptor, usize)) {
        let head = self.head.borrow();
        let mut offset = descriptor::FIRST;
        for index in 0..self.descriptors {
            let Some((descriptor, next)) = Descriptor::read(&head, offset) else { break };
            visit(index, &descriptor, offset);
            offset = next;
        }
    }
}

impl AttachmentSource for Received<'_> {
    fn count(&self) -> u32 {
        self.attached.get()
    }

    fn take_right(&self, index: u32, kind: RightKind) -> Result<u32, DecodeError> {
        self.take(index, true, |descriptor| match *descriptor {
            Descriptor::Port { name, disposition } if disposition == descriptor::moved(kind) => match name {
                mach::MACH_PORT_NULL => Err(unusable(index, "NULL", kind)),
                mach::MACH_PORT_DEAD if kind == RightKind::Receive => Err(unusable(index, "DEAD", kind)),
                name => Ok(name),
            },
            ref other => Err(mismatch(index, kind_name(kind), other)),
        })
    }

    fn take_rights(&self, index: u32, kind: RightKind) -> Result<Vec<u32>, DecodeError> {
        self.take(index, true, |descriptor| match *descriptor {
            Descriptor::Ports { address, count, disposition } if disposition == descriptor::moved(kind) => {
                let names: Vec<_> = array(address, count).collect();
                if names.contains(&mach::MACH_PORT_NULL) {
                    return Err(unusable(index, "NULL", kind));
                }
                if kind == RightKind::Receive && names.contains(&mach::MACH_PORT_DEAD) {
                    return Err(unusable(index, "DEAD", kind));
                }
                unmap(address, count as usize * size_of::<u32>());
                Ok(names)
            }
            ref other => Err(mismatch(index, array_name(kind), other)),
        })
    }

    fn take_memory(&self, index: u32) -> Result<MemoryCell, DecodeError> {
        self.take(index, true, |descriptor| match *descriptor {
            Descriptor::Memory { size: 0, .. } => Ok(MemoryCell::default()),
            Descriptor::Memory { address, size } => Ok(MemoryCell::new(address, size as usize)),
            ref other => Err(mismatch(index, "memory", other)),
        })
    }

    fn bytes(&self, index: u32) -> Result<&[u8], DecodeError> {
        self.take(index, false, |descriptor| match *descriptor {
            // SAFETY: the region arrived with this message and stays this value's until it is dropped: the index has
            // been passed now, so nothing takes it out, and nothing writes to it.
            Descriptor::Memory { address, size } => Ok(unsafe { sys::bytes(address, size as usize) }),
            ref other => Err(mismatch(index, "memory", other)),
        })
    }

    fn take_file(&self, index: u32) -> Result<OwnedFd, DecodeError> {
        let name = self.take_right(index, RightKind::Send)?;
        let file = sys::makefd(name);
        release(name);
        file.map_err(|error| DecodeError::new(format!("attachment {index} is no open file: {error}")))
    }

    fn take_reply(&self) -> Option<(RightKind, u32)> {
        let kind = self.reply?;
        let mut head = self.head.borrow_mut();
        let name = descriptor::word(&head, REMOTE).filter(|name| *name != mach::MACH_PORT_NULL)?;
        head[REMOTE..REMOTE + 4].fill(0);
        Some((kind, name))
    }
}

impl Drop for Received<'_> {
    #[inline]
    fn drop(&mut self) {
        // What carries nothing but bytes costs nothing here.
        if self.reply.is_some() || self.descriptors > 0 || self.id == mach::MACH_NOTIFY_DEAD_NAME {
            self.destroy_rest();
        }
    }
}

impl Received<'_> {
    /// Destroys what was not taken out.
    #[inline(never)]
    fn destroy_rest(&mut self) {
        if let Some((_, name)) = AttachmentSource::take_reply(self) {
            release(name);
        }
        if self.id == mach::MACH_NOTIFY_DEAD_NAME && self.sender.is_kernel() {
            deaths::release(descriptor::word(self.rest, NOTIFICATION_VALUE).unwrap_or(mach::MACH_PORT_NULL));
        }
        self.walk(|_, descriptor, _| destroy(descriptor));
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("id", &format_args!("{:#x}", self.id))
            .field("size", &self.size())
            .field("descriptors", &self.descriptors)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

/// Waits for a message on `port`, a receive right or a port set.
pub(super) fn receive<'b>(
    port: u32,
    buffer: &'b mut MessageBuffer,
    deadline: Deadline,
) -> Result<Received<'b>, MachError> {
    receive_raw(port, buffer, deadline)?;
    Ok(Received::parse(buffer))
}

/// Waits for a message on `port` and leaves it in `buffer`, where nobody owns yet what came with it: [`Received::parse`] it
/// once.
pub(super) fn receive_raw(
    port: u32,
    buffer: &mut MessageBuffer,
    deadline: Deadline,
) -> Result<(), MachError> {
    let code = attempt(port, buffer, deadline, true);
    settle(port, buffer, deadline, code)
}

/// Waits for a message on `port`, and takes those that have come behind it too.
#[inline]
pub(super) fn receive_row<'b>(
    port: u32,
    buffer: &'b mut MessageBuffer,
    deadline: Deadline,
) -> Result<Row<'b>, MachError> {
    let mut end = 0;
    let code = sys::receive_row(room(buffer), port, OPTIONS, deadline.milliseconds(), &mut end);
    if code != mach::MACH_MSG_SUCCESS {
        settle(port, buffer, deadline, code)?;
        return Ok(row_of_one(buffer));
    }
    let bytes = buffer.bytes.as_mut_bytes();
    Ok(Row::new(bytes, end.min(bytes.len())))
}

/// Takes ownership of the message in `buffer`, which nobody has taken before, as a row.
pub(super) fn row_of_one(buffer: &mut MessageBuffer) -> Row<'_> {
    let bytes = buffer.bytes.as_mut_bytes();
    let end = size_of_first(bytes).min(bytes.len());
    Row::new(bytes, end)
}

/// The size that the header at the start of `bytes` tells.
#[inline]
pub(super) fn size_of_first(bytes: &[u8]) -> usize {
    let size = descriptor::word(bytes, SIZE).unwrap_or_default() as usize;
    size.clamp(descriptor::HEADER, bytes.len().max(descriptor::HEADER))
}

/// Who sent the message that ends at `end`.
#[inline]
pub(super) fn sender_behind(bytes: &[u8], end: usize) -> Sender {
    let trailer = end.next_multiple_of(4);
    // Read as they were written a moment ago: a load that spans two stores waits for both to reach the cache.
    let security = descriptor::words(bytes, trailer + TRAILER_SECURITY).unwrap_or_default();
    let audit = descriptor::words(bytes, trailer + TRAILER_AUDIT).unwrap_or_default();
    Sender::new(mach::security_token_t { val: security }, mach::audit_token_t { val: audit })
}

/// Makes the best of what a receive into `buffer` answered: waits on, receives again with more room, or leaves the message in the buffer.
pub(super) fn settle(
    port: u32,
    buffer: &mut MessageBuffer,
    deadline: Deadline,
    mut code: mach::mach_msg_return_t,
) -> Result<(), MachError> {
    if code == mach::MACH_MSG_SUCCESS {
        return Ok(());
    }
    let deadline = deadline.aged();
    loop {
        let error = MachError::new(code, "mach_msg");
        match error.plain() {
            mach::MACH_MSG_SUCCESS => return Ok(()),
            mach::MACH_RCV_BODY_ERROR => {
                // Something that the message carried did not fit into this process. The rest did, and is destroyed.
                drop(Received::parse(buffer));
                return Err(error);
            }
            mach::MACH_RCV_TOO_LARGE => {
                if !make_room(buffer) {
                    // Received without room for it, and without asking to keep it, a message is destroyed.
                    code = attempt(port, buffer, Deadline::now(), false);
                    match MachError::new(code, "mach_msg").plain() {
                        mach::MACH_RCV_TOO_LARGE => return Err(error),
                        // Another thread was faster: this is another message, or none.
                        mach::MACH_RCV_TIMED_OUT => {}
                        _ => continue,
                    }
                }
            }
            mach::MACH_RCV_INTERRUPTED => {}
            // A wait is in milliseconds of 32 bits, which a far deadline exceeds.
            mach::MACH_RCV_TIMED_OUT if !deadline.has_passed() => {}
            _ => return Err(error),
        }
        code = attempt(port, buffer, deadline, true);
    }
}

/// The bytes of `buffer` to receive into.
pub(super) fn room(buffer: &mut MessageBuffer) -> &mut [u8] {
    buffer.bytes.set_len(buffer.size);
    buffer.bytes.as_mut_bytes()
}

/// The options of every receive: a message that is too large stays in the queue, and the trailer tells the sender.
pub(super) const OPTIONS: mach::mach_msg_option_t =
    mach::MACH_RCV_LARGE | mach::MACH_RCV_TRAILER_ELEMENTS(mach::MACH_RCV_TRAILER_AUDIT);

fn attempt(port: u32, buffer: &mut MessageBuffer, deadline: Deadline, keep: bool) -> mach::mach_msg_return_t {
    let option = if keep { OPTIONS } else { OPTIONS & !mach::MACH_RCV_LARGE };
    sys::receive(room(buffer), port, option, deadline.milliseconds())
}

/// Grows the buffer for the message whose size the kernel has left in it, if it may grow so far.
fn make_room(buffer: &mut MessageBuffer) -> bool {
    let message = descriptor::word(buffer.bytes.as_bytes(), SIZE).unwrap_or(u32::MAX) as usize;
    let needed = message.next_multiple_of(4).saturating_add(TRAILER_MAX).max(buffer.size + 1);
    if needed > buffer.largest() {
        return false;
    }
    buffer.size = needed.checked_next_power_of_two().unwrap_or(needed).min(buffer.largest());
    true
}

fn destroy(descriptor: &Descriptor) {
    match *descriptor {
        Descriptor::Port { name, disposition } => destroy_right(name, disposition),
        Descriptor::Guarded { name } => receive_right::destroy(name, 0),
        Descriptor::Memory { address, size } | Descriptor::Volatile { address, size } => {
            unmap(address, size as usize);
        }
        Descriptor::Ports { address, count, disposition } => {
            array(address, count).for_each(|name| destroy_right(name, disposition));
            unmap(address, count as usize * size_of::<u32>());
        }
        Descriptor::Unknown => {}
    }
}

/// The names in an array that came with a message.
fn array(address: usize, count: u32) -> impl Iterator<Item = u32> {
    // SAFETY: the array arrived with a message that still holds it, nothing writes to it, and it is read through before it is
    // unmapped: every caller uses up the iterator first.
    let names = unsafe { sys::bytes(address, count as usize * size_of::<u32>()) };
    descriptor::names(names)
}

fn destroy_right(name: u32, disposition: u8) {
    match descriptor::kind(disposition.into()) {
        Some(RightKind::Send | RightKind::SendOnce) => release(name),
        Some(RightKind::Receive) => receive_right::destroy(name, 0),
        None => {}
    }
}

fn unmap(address: usize, size: usize) {
    if size != 0 {
        // SAFETY: the region arrived with a message whose owner is at its end, so nothing uses it any more.
        unsafe { sys::vm_deallocate(address, size) };
    }
}

const fn array_name(kind: RightKind) -> &'static str {
    match kind {
        RightKind::Send => "array of send rights",
        RightKind::SendOnce => "array of send-once rights",
        RightKind::Receive => "array of receive rights",
    }
}

#[cold]
fn unusable(index: u32, name: &str, kind: RightKind) -> DecodeError {
    DecodeError::new(format!("attachment {index} is {name}, a {} wanted", kind_name(kind)))
}

#[cold]
fn mismatch(index: u32, wanted: &str, found: &Descriptor) -> DecodeError {
    let found = match *found {
        Descriptor::Port { disposition, .. } => {
            descriptor::kind(disposition.into()).map_or("right of no known kind", kind_name)
        }
        Descriptor::Memory { .. } => "region of memory",
        Descriptor::Volatile { .. } => "region of volatile memory",
        Descriptor::Ports { disposition, .. } => {
            descriptor::kind(disposition.into()).map_or("array of rights of no known kind", array_name)
        }
        Descriptor::Guarded { .. } => "guarded receive right",
        Descriptor::Unknown => "descriptor of no known kind",
    };
    DecodeError::new(format!("attachment {index} is a {found}, {wanted} wanted"))
}

// Offsets in the header, the notifications' payload and the trailer (mach-semantics §1).
const BITS: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_bits);
const SIZE: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_size);
pub(super) const REMOTE: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_remote_port);
pub(super) const LOCAL: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_local_port);
pub(super) const ID: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_id);
const NOTIFICATION_VALUE: usize =
    core::mem::offset_of!(mach::mach_notification_t, not_value) - descriptor::HEADER;
const TRAILER_SECURITY: usize = core::mem::offset_of!(mach::mach_msg_security_trailer_t, msgh_sender);
// The header and the trailer are read as rows of words.
const _: () = assert!(BITS == 0 && SIZE == 4 && LOCAL == 12 && ID == 20);
const TRAILER_AUDIT: usize = core::mem::offset_of!(mach::mach_msg_audit_trailer_t, msgh_audit);
const TRAILER_MAX: usize = size_of::<mach::mach_msg_mac_trailer_t>();
