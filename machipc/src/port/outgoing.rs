//! A message that is built and sent.

mod parts;

use core::fmt;
use core::ops::Range;

use crate::mach;
use crate::message::{
    AlignedBuffer, Attachment, EncodeError, Encoded, Encoder, Lent, MachMessage, Prefix, ReplyPort,
    RightCell, RightKind, TraceContext,
};

use super::{
    Deadline, MachError, MessageBuffer, ReceiveFrom, ReceiveRight, Received, ReplyRight, Row, SendOnceRight,
    SendRight,
    descriptor::{self, Descriptor},
    plain::Plain,
    received, restore, sys,
};

/// A message that is ready to be sent: encode a value, say where it goes, send.
///
/// The value stays its owner's until the message has left. The rights and the memory in it are then gone from it, and its
/// drop releases nothing. When the send fails the value is whole again: what was on its way came back, if need be under
/// other names and addresses. So a value that was sent can be dropped, and one that was not can be sent again.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight};
///
/// let (port, callback) = (ReceiveRight::<SendRight<u32>>::new()?, ReceiveRight::<u32>::new()?);
/// port.set_queue_limit(0)?; // every send finds the queue full
///
/// let (to, value) = (port.make_send()?, callback.make_send()?);
/// let mut buffer = MessageBuffer::new();
/// let error = Outgoing::message(&mut buffer, &value)?.copy_send(&to).send(Deadline::now()).unwrap_err();
/// assert!(error.is_timed_out());
/// assert_eq!(value.name(), callback.name()); // the right is back
///
/// port.set_queue_limit(5)?;
/// Outgoing::message(&mut buffer, &value)?.copy_send(&to).send(Deadline::now())?;
/// assert_eq!(value.name(), 0); // the right has moved
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the message is not sent until `send`"]
pub struct Outgoing<'m> {
    bytes: &'m mut AlignedBuffer,
    /// Where the prefix is; the payload follows it, or the trace context and then the payload.
    prefix: usize,
    /// Whether a trace context stands between prefix and payload.
    traced: bool,
    /// Where the message is in the buffer, once it is built.
    message: Range<usize>,
    /// Where the payload ends, inside the message or, out of line, behind it.
    payload_end: usize,
    id: i32,
    attachments: Vec<Attachment<'m>>,
    out_of_line: bool,
    /// Parts of the payload that were not copied. Their places count from the payload's start.
    lent: Box<[Lent<'m>]>,
    destination: Field<'m>,
    reply: Field<'m>,
    reply_wanted: bool,
    /// The destination is a send right that a peer chose: never wait for it.
    impatient: bool,
}

/// Why a message was not [posted](Outgoing::post).
pub(crate) enum Unposted {
    Encode(EncodeError),
    /// It wants an answer, which nobody would wait for.
    ReplyWanted,
    Mach(MachError),
}

/// Where the prefix goes in the buffer, unless there are more descriptors than fit before it. A message without any starts
/// on a cache line then, as it does in the receiver's buffer.
const PREFIX_AT: usize = 224;

/// Bytes in a row that are sent from where they lie. To copy fewer costs less than to keep account of them.
const LEND_FROM: usize = 16 * 1024;

/// As many rights as a message may carry everywhere; one more fits on newer systems (R-086).
const ATTACHMENTS_MAX: usize = mach::MACH_MSG_PORTS_MAX as usize - 1;

impl<'m> Outgoing<'m> {
    /// Encodes a whole message.
    ///
    /// # Errors
    /// When the value cannot be encoded, for instance because it holds a right that was sent already.
    pub fn message<M: MachMessage>(
        buffer: &'m mut MessageBuffer,
        message: &'m M,
    ) -> Result<Self, EncodeError> {
        Self::encode(buffer, message.message_id(), M::fingerprint(), |out| message.encode_payload(out))
    }

    /// Encodes what `write` writes as the payload of a message with this id and fingerprint. A payload of more bytes than
    /// the buffer's [inline limit](MessageBuffer::set_inline_limit) goes out of line.
    ///
    /// # Errors
    /// Those of `write`, and when the payload or a memory region has 4 GiB or more, or there are more than 16,382
    /// attachments.
    #[inline]
    pub fn encode(
        buffer: &'m mut MessageBuffer,
        id: i32,
        fingerprint: u64,
        write: impl FnOnce(&mut Encoder<'m>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        Self::encode_traced(buffer, id, fingerprint, None, write)
    }

    /// [`encode`](Self::encode), with the trace that the message belongs to, if any. It takes 32 bytes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    #[inline(always)]
    pub fn encode_traced(
        buffer: &'m mut MessageBuffer,
        id: i32,
        fingerprint: u64,
        trace: Option<TraceContext>,
        write: impl FnOnce(&mut Encoder<'m>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let inline_limit = buffer.inline_limit();
        let mut encoder = Self::begin(buffer, trace);
        write(&mut encoder)?;
        Self::of(encoder, id, fingerprint, trace, inline_limit)
    }

    /// [Encodes](Self::encode_traced) a one-way message and sends it to the port of this send right, which the caller keeps.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`send`](Self::send), and for a message that wants an answer.
    ///
    /// Returns the message's [size](Self::size).
    #[inline(always)]
    pub(crate) fn post<M>(
        buffer: &'m mut MessageBuffer,
        id: i32,
        fingerprint: u64,
        trace: Option<TraceContext>,
        to: &'m SendRight<M>,
        deadline: Deadline,
        write: impl FnOnce(&mut Encoder<'m>) -> Result<(), EncodeError>,
    ) -> Result<usize, Unposted> {
        let inline_limit = buffer.inline_limit();
        let mut encoder = Self::begin(buffer, trace);
        write(&mut encoder).map_err(Unposted::Encode)?;
        let len = encoder.len();
        if len <= inline_limit
            && let Some((bytes, start)) = encoder.finish_bytes()
        {
            let prefix = write_prefix(bytes, start, len, fingerprint, 0, trace).map_err(Unposted::Encode)?;
            let content = prefix..bytes.len();
            return Plain::post(bytes, content, id, to.name(), deadline).map_err(Unposted::Mach);
        }
        let outgoing = Self::of(encoder, id, fingerprint, trace, inline_limit).map_err(Unposted::Encode)?;
        if outgoing.reply_wanted() {
            return Err(Unposted::ReplyWanted);
        }
        let size = outgoing.size();
        outgoing.copy_send(to).send(deadline).map(|()| size).map_err(Unposted::Mach)
    }

    #[inline(always)]
    fn begin(buffer: &'m mut MessageBuffer, trace: Option<TraceContext>) -> Encoder<'m> {
        let inline_limit = buffer.inline_limit();
        buffer.bytes.set_len(PREFIX_AT + front(trace.is_some()));
        Encoder::lending(&mut buffer.bytes, LEND_FROM.min(inline_limit + 1))
    }

    /// The message whose payload has been encoded.
    #[inline]
    fn of(
        encoder: Encoder<'m>,
        id: i32,
        fingerprint: u64,
        trace: Option<TraceContext>,
        inline_limit: usize,
    ) -> Result<Self, EncodeError> {
        let payload_len = encoder.len();
        let Encoded { buffer: bytes, start, attachments, reply, lent } = encoder.finish();
        let out_of_line = payload_len > inline_limit;
        let flags = if out_of_line { Prefix::OUT_OF_LINE } else { 0 };
        let prefix = write_prefix(bytes, start, payload_len, fingerprint, flags, trace)?;
        check_attachments(&attachments)?;
        let (reply, reply_wanted) = match reply {
            ReplyPort::None => (Field::None, false),
            ReplyPort::Wanted => (Field::None, true),
            ReplyPort::Right(kind, cell) => (Field::Move(kind, cell), false),
        };
        Ok(Self {
            payload_end: bytes.len(),
            bytes,
            prefix,
            traced: trace.is_some(),
            message: 0..0,
            id,
            attachments,
            out_of_line,
            lent: lent.into_iter().map(|lent| Lent { at: lent.at - start, ..lent }).collect(),
            destination: Field::None,
            reply,
            reply_wanted,
            impatient: false,
        })
    }

    /// Whether the value wants an answer: a message whose sender gives it no [reply port](Self::make_reply) cannot be sent.
    #[inline]
    pub fn reply_wanted(&self) -> bool {
        self.reply_wanted
    }

    /// The message goes to the port of this send right, which the caller keeps.
    #[inline]
    pub fn copy_send<M>(self, right: &'m SendRight<M>) -> Self {
        Self { destination: Field::Copy(right.name()), impatient: false, ..self }
    }

    /// The message goes to the port of this send-once right and uses the right up. If the send fails, the right is as it
    /// was.
    pub fn move_send_once<M>(self, right: &'m SendOnceRight<M>) -> Self {
        Self { destination: Field::Move(RightKind::SendOnce, right.cell()), impatient: false, ..self }
    }

    /// The message answers the one that this right came with, and uses the right up. If the send fails, the right is as it
    /// was. A reply right that is a send right is a peer's choice, and its queue may be full for ever: then the message is
    /// sent at once or not at all, whatever the deadline.
    #[inline]
    pub fn answer(self, right: &'m ReplyRight) -> Self {
        let impatient = right.kind() == RightKind::Send;
        Self { destination: Field::Move(right.kind(), right.cell()), impatient, ..self }
    }

    /// The answer comes to `port`: a send-once right to it goes in the header.
    ///
    /// When the send fails after that right was made, which is always so after a time-out, the right is destroyed and a
    /// send-once notification comes to `port`: do not use the port for another call before it was taken.
    #[inline]
    pub fn make_reply<M>(self, port: &'m ReceiveRight<M>) -> Self {
        Self { reply: Field::MakeOnce(port.name()), reply_wanted: false, ..self }
    }

    /// Parts the message from its value, to be sent later: it is [resumed](Self::resume) from the buffer that it is in. Gives
    /// back a message with rights, files or memory, which stay the value's until the message leaves.
    pub(crate) fn hold(self) -> Result<Held, Self> {
        let borrows = !self.attachments.is_empty() || !self.lent.is_empty();
        if borrows || self.reply_wanted || !matches!(self.reply, Field::None) {
            return Err(self);
        }
        let Self { prefix, traced, payload_end, id, out_of_line, .. } = self;
        Ok(Held { prefix, traced, payload_end, id, out_of_line })
    }

    /// The message that was held in `buffer`, which was not used since. It has no destination yet.
    pub(crate) fn resume(buffer: &'m mut MessageBuffer, held: Held) -> Self {
        let Held { prefix, traced, payload_end, id, out_of_line } = held;
        Self {
            bytes: &mut buffer.bytes,
            prefix,
            traced,
            message: 0..0,
            payload_end,
            id,
            attachments: Vec::new(),
            out_of_line,
            lent: Box::default(),
            destination: Field::None,
            reply: Field::None,
            reply_wanted: false,
            impatient: false,
        }
    }

    /// Sends the message, waiting for room in the queue until the deadline.
    ///
    /// # Errors
    /// [`is_timed_out`](MachError::is_timed_out), [`is_dead_destination`](MachError::is_dead_destination), and what else
    /// `mach_msg` answers. What the message carried is back in the values that it was encoded from.
    #[inline]
    pub fn send(self, deadline: Deadline) -> Result<(), MachError> {
        let timeout = if self.impatient { Some(0) } else { deadline.milliseconds() };
        self.transmit(&mut [], mach::MACH_PORT_NULL, 0, timeout).map(drop)
    }

    /// How many bytes the message has as it travels, without what is out of line: as many as [`Received::size`] tells.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        let end = if self.out_of_line {
            self.prefix + front(self.traced)
        } else {
            self.payload_end + self.lent_len()
        };
        self.head_len() + (end - self.prefix).next_multiple_of(4)
    }

    /// How many bytes header and descriptors take, to where the prefix begins.
    fn head_len(&self) -> usize {
        if self.attachments.is_empty() && !self.out_of_line {
            return descriptor::HEADER.next_multiple_of(16);
        }
        let attached = self.attachments.iter().map(|attachment| match attachment {
            Attachment::Right(..) | Attachment::File(_) => descriptor::PORT,
            Attachment::Rights(..) | Attachment::Bytes(_) | Attachment::Memory(_) => descriptor::OTHER,
        });
        let payload = if self.out_of_line { descriptor::OTHER } else { 0 };
        (descriptor::FIRST + payload + attached.sum::<usize>()).next_multiple_of(16)
    }

    /// Whether the message carries nothing but bytes, in line, besides the rights in its header.
    fn is_plain(&self) -> bool {
        self.attachments.is_empty() && !self.out_of_line && !self.reply_wanted
    }

    /// Sends the message and then receives one from `from` into `buffer`, in one call: a request and its reply, or a reply
    /// and the next request. Both halves together wait until the deadline.
    ///
    /// # Errors
    /// As [`send`](Self::send), with nothing received; or, where [`MachError::is_receive`] is true, as
    /// [`ReceiveRight::receive`], with the message sent.
    pub fn send_and_receive<'b, P: ReceiveFrom>(
        self,
        from: &P,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<Received<'b>, MachError> {
        self.send_and_receive_raw(from, buffer, deadline)?;
        Ok(Received::parse(buffer))
    }

    /// [`send_and_receive`](Self::send_and_receive), which leaves the message in `buffer`, as the only one of a row.
    pub(crate) fn send_and_receive_row<'b, P: ReceiveFrom>(
        self,
        from: &P,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<Row<'b>, MachError> {
        self.send_and_receive_raw(from, buffer, deadline)?;
        Ok(received::row_of_one(buffer))
    }

    fn send_and_receive_raw<P: ReceiveFrom>(
        mut self,
        from: &P,
        buffer: &mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<(), MachError> {
        let timeout = deadline.milliseconds();
        let may_wait = timeout != Some(0);
        if self.impatient && may_wait {
            // One call has one time-out, and the two halves need different ones.
            self.send(Deadline::now())?;
            return received::receive_raw(from.name(), buffer, deadline);
        }
        let (name, option) = (from.name(), received::OPTIONS);
        if self.is_in_parts() && self.leaves_in_parts() {
            return received::receive_raw(name, buffer, deadline);
        }
        let (Field::Copy(_), Some(time)) = (&self.destination, timeout) else {
            // Only one half waits, or both for ever.
            let code = self.transmit(received::room(buffer), name, option, timeout)?;
            return received::settle(name, buffer, deadline, code);
        };
        if !self.is_plain() {
            // What carries rights or memory is not sent twice.
            self.send(deadline)?;
            return received::receive_raw(name, buffer, deadline.aged());
        }
        // One call has one time-out, which counts for each half in full: with half of the time for each, both keep the deadline. What
        // takes longer goes on in calls of its own.
        let code =
            self.plain().transmit(received::room(buffer), name, option, Some(time / 2), deadline.aged())?;
        received::settle(name, buffer, deadline, code)
    }

    /// Sends, and receives where `receive` has room. `Ok` is the code of a message that was sent: success, or what the
    /// receiving half answered.
    #[inline]
    fn transmit(
        mut self,
        receive: &mut [u8],
        port: u32,
        option: mach::mach_msg_option_t,
        timeout: Option<u32>,
    ) -> Result<mach::mach_msg_return_t, MachError> {
        if self.is_in_parts() && self.leaves_in_parts() {
            let nothing = receive.is_empty();
            return Ok(if nothing {
                mach::MACH_MSG_SUCCESS
            } else {
                sys::receive(receive, port, option, timeout)
            });
        }
        if !self.is_plain() {
            return self.transmit_whole(receive, port, option, timeout);
        }
        self.plain().transmit(receive, port, option, timeout, Deadline::now())
    }

    /// The message, which [is plain](Self::is_plain).
    #[inline]
    fn plain(self) -> Plain<'m, 'm> {
        let content = self.prefix..self.payload_end;
        let Self { bytes, id, destination, reply, .. } = self;
        Plain { bytes, content, id, destination, reply }
    }

    fn transmit_whole(
        mut self,
        receive: &mut [u8],
        port: u32,
        option: mach::mach_msg_option_t,
        timeout: Option<u32>,
    ) -> Result<mach::mach_msg_return_t, MachError> {
        if self.reply_wanted {
            return Err(MachError::new(mach::MACH_SEND_INVALID_REPLY, "mach_msg"));
        }
        if let Err(error) = self.build() {
            let (message, rights) = self.parts();
            restore::unsent(message, &rights);
            return Err(error);
        }
        if !self.lent.is_empty() {
            return self.transmit_gathered(receive, port, option, timeout);
        }
        let (buffer, behind) = self.bytes.as_mut_bytes().split_at_mut(self.message.end);
        // Descriptors name what lies behind the message by its address.
        behind.as_ptr().expose_provenance();
        let message = &mut buffer[self.message.start..];
        // SAFETY: every descriptor of memory was written by `build`. What it gives away came out of a cell that owned it, and
        // what it only names is borrowed for `'m` or lies behind the message in the buffer. The start is a multiple of 16 in
        // an aligned buffer.
        let code = unsafe { sys::message(message, receive, port, option, timeout) };
        let error = MachError::new(code, "mach_msg");
        if code == mach::MACH_MSG_SUCCESS || error.is_receive() {
            return Ok(code);
        }
        let (message, rights) = self.parts();
        restore::failed(message, &rights, error);
        Err(error)
    }

    /// Sends a message that was built and whose payload is gathered from the buffer and what was lent; then receives, where `receive` has room.
    fn transmit_gathered(
        self,
        receive: &mut [u8],
        port: u32,
        option: mach::mach_msg_option_t,
        timeout: Option<u32>,
    ) -> Result<mach::mach_msg_return_t, MachError> {
        let (buffer, behind) = self.bytes.as_mut_bytes().split_at_mut(self.message.end);
        let (mut parts, mut from) = (Vec::with_capacity(2 * self.lent.len() + 1), 0);
        for lent in &self.lent {
            parts.push(&behind[from..lent.at]);
            parts.push(lent.bytes);
            from = lent.at;
        }
        parts.push(&behind[from..self.payload_end - self.message.end]);
        let message = &mut buffer[self.message.start..];
        // The payload's descriptor is the last one.
        let at = descriptors_end(message, self.attachments.len() + 1) - descriptor::OTHER;
        // SAFETY: `build` has written the descriptors: what they give away came out of a cell that owned it, what they name is borrowed for `'m`,
        // and the last one is of memory. The start is a multiple of 16 in an aligned buffer.
        let code = unsafe { sys::send_gathered(message, at, &parts, timeout) };
        if code == mach::MACH_MSG_SUCCESS {
            return Ok(if receive.is_empty() { code } else { sys::receive(receive, port, option, timeout) });
        }
        let error = MachError::new(code, "mach_msg");
        let (message, mut rights) = self.parts();
        // What the descriptor names then was gathered, and is nobody else's.
        rights.payload = Some(Attachment::Bytes(&[]));
        restore::failed(message, &rights, error);
        Err(error)
    }

    /// Writes header, descriptors and padding in front of the prefix. The rights and the memory are out of their cells
    /// from here on.
    fn build(&mut self) -> Result<(), MachError> {
        let count = self.attachments.len() + usize::from(self.out_of_line);
        let names_at = self.make_room();
        let size = self.message.len() as u32;
        let complex = if count == 0 { 0 } else { mach::MACH_MSGH_BITS_COMPLEX };
        let ((remote, to), (local, reply)) = (self.destination.take(), self.reply.take());
        let bits = mach::MACH_MSGH_BITS(remote, local) | complex;

        let (bytes, names) = self.bytes.as_mut_bytes().split_at_mut(names_at);
        let (head, rest) = bytes[self.message.start..].split_at_mut(self.prefix - self.message.start);
        let mut writer = Writer { rest: head, names };
        for word in [bits, size, to, reply, 0, self.id as u32] {
            writer.put(&word.to_le_bytes());
        }
        let mut built = Ok(());
        if count != 0 {
            writer.put(&(count as u32).to_le_bytes());
            for attachment in &self.attachments {
                // After a failure the rest is written all the same, so that restoring has one shape to deal with.
                built = built.and(writer.attachment(attachment));
            }
            if self.out_of_line {
                let payload = self.payload_end - self.prefix;
                writer.put(&snapshot(&rest[front(self.traced)..payload]));
            }
        }
        writer.rest.fill(0);
        built
    }

    /// Makes room for header and descriptors in front of the prefix, which moves back where there is too little,
    /// and for the arrays of names behind everything else. Returns where those go.
    fn make_room(&mut self) -> usize {
        let names = |attachment: &Attachment<'_>| match attachment {
            Attachment::Rights(_, cells) => cells.len(),
            _ => 0,
        };
        let names: usize = self.attachments.iter().map(names).sum();
        let head = self.head_len();
        let more = head.saturating_sub(self.prefix);
        if more != 0 {
            self.bytes.set_len(self.payload_end + more);
            self.bytes.as_mut_bytes().copy_within(self.prefix..self.payload_end, self.prefix + more);
            self.prefix += more;
            self.payload_end += more;
        }
        // The size of a message is a multiple of 4, and so is the place of a name.
        let names_at = self.payload_end.next_multiple_of(4);
        self.bytes.set_len(names_at + names * size_of::<u32>());
        self.bytes.as_mut_bytes()[self.payload_end..names_at].fill(0);
        let end = if self.out_of_line { self.prefix + front(self.traced) } else { names_at };
        self.message = self.prefix - head..end;
        names_at
    }

    /// The message as it is in the buffer now, and whose its parts are.
    fn parts(&self) -> (&[u8], Rights<'_, '_>) {
        let bytes = self.bytes.as_bytes();
        let payload = self.out_of_line.then(|| Attachment::Bytes(&bytes[self.message.end..self.payload_end]));
        let names = &bytes[self.payload_end.next_multiple_of(4)..];
        let Self { destination, reply, attachments, .. } = self;
        let rights = Rights { destination: *destination, reply: *reply, attachments, payload, names };
        (&bytes[self.message.clone()], rights)
    }
}

/// Writes what stands in front of a payload that starts at `start`. Returns where it begins.
#[inline(always)]
fn write_prefix(
    bytes: &mut AlignedBuffer,
    start: usize,
    payload_len: usize,
    fingerprint: u64,
    flags: u8,
    trace: Option<TraceContext>,
) -> Result<usize, EncodeError> {
    let prefix = start - front(trace.is_some());
    let mut flags = flags;
    if let Some(trace) = trace {
        flags |= Prefix::TRACED;
        bytes.as_mut_bytes()[prefix + Prefix::SIZE..start].copy_from_slice(&trace.to_wire());
    }
    let header = Prefix::new(payload_len, fingerprint, flags)?;
    bytes.as_mut_bytes()[prefix..prefix + Prefix::SIZE].copy_from_slice(&header.to_bytes());
    Ok(prefix)
}

/// How many bytes are in front of the payload, from the prefix on.
const fn front(traced: bool) -> usize {
    Prefix::SIZE + if traced { TraceContext::WIRE_SIZE } else { 0 }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("id", &format_args!("{:#x}", self.id))
            .field("payload", &(self.payload_end - self.prefix - front(self.traced)))
            .field("attachments", &self.attachments.len())
            .finish_non_exhaustive()
    }
}

/// What there is to know of an encoded message besides its bytes. It carries nothing.
#[derive(Debug)]
pub(crate) struct Held {
    prefix: usize,
    traced: bool,
    payload_end: usize,
    id: i32,
    out_of_line: bool,
}

/// A right in the message's header.
#[derive(Clone, Copy)]
pub(super) enum Field<'m> {
    /// No right.
    None,
    /// A send right that is copied.
    Copy(u32),
    /// A right that moves out of its cell.
    Move(RightKind, &'m RightCell),
    /// A receive right to which a send-once right is made.
    MakeOnce(u32),
}

impl Field<'_> {
    /// The disposition and the name to write, out of the cell.
    #[inline]
    pub(super) fn take(&self) -> (u32, u32) {
        match *self {
            Self::None => (mach::MACH_MSG_TYPE_PORT_NONE, mach::MACH_PORT_NULL),
            Self::Copy(name) => (mach::MACH_MSG_TYPE_COPY_SEND, name),
            Self::Move(kind, cell) => (descriptor::moved(kind).into(), cell.take()),
            Self::MakeOnce(name) => (mach::MACH_MSG_TYPE_MAKE_SEND_ONCE, name),
        }
    }
}

/// Where what a message carries belongs, if it is not sent.
pub(super) struct Rights<'o, 'm> {
    pub(super) destination: Field<'m>,
    pub(super) reply: Field<'m>,
    pub(super) attachments: &'o [Attachment<'m>],
    /// The payload, if it is out of line.
    pub(super) payload: Option<Attachment<'m>>,
    /// The arrays of names as they were built, one after the other.
    pub(super) names: &'o [u8],
}

/// Writes one part of a message after the other.
struct Writer<'w> {
    /// What is left of the space in front of the prefix.
    rest: &'w mut [u8],
    /// What is left of the space for arrays of names.
    names: &'w mut [u8],
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let (into, rest) = core::mem::take(&mut self.rest).split_at_mut(bytes.len());
        into.copy_from_slice(bytes);
        self.rest = rest;
    }

    fn attachment(&mut self, attachment: &Attachment<'_>) -> Result<(), MachError> {
        let mut result = Ok(());
        match *attachment {
            Attachment::Right(kind, cell) => {
                let name = cell.take();
                if name == mach::MACH_PORT_NULL {
                    // Encoding refuses an empty cell, so it was filled then: the value holds one right twice.
                    result = Err(MachError::new(mach::MACH_SEND_INVALID_RIGHT, "mach_msg"));
                }
                self.put(&descriptor::port(name, descriptor::moved(kind)));
            }
            Attachment::Rights(kind, cells) => {
                let names = core::mem::take(&mut self.names);
                let (array, rest) = names.split_at_mut(cells.len() * size_of::<u32>());
                self.names = rest;
                for (into, cell) in array.chunks_exact_mut(size_of::<u32>()).zip(cells) {
                    let name = cell.take();
                    if name == mach::MACH_PORT_NULL {
                        result = Err(MachError::new(mach::MACH_SEND_INVALID_RIGHT, "mach_msg"));
                    }
                    into.copy_from_slice(&name.to_le_bytes());
                }
                self.put(&descriptor::ports(address(array), cells.len() as u32, descriptor::moved(kind)));
            }
            Attachment::Bytes(bytes) => self.put(&snapshot(bytes)),
            Attachment::Memory(cell) => {
                let (address, len) = cell.take();
                self.put(&descriptor::memory(address, len as u32, true));
            }
            Attachment::File(file) => {
                let name = sys::makeport(file).unwrap_or_else(|error| {
                    result = Err(error);
                    mach::MACH_PORT_NULL
                });
                self.put(&descriptor::port(name, descriptor::moved(RightKind::Send)));
            }
        }
        result
    }
}

/// Where in a message that was built its first `count` descriptors end.
fn descriptors_end(message: &[u8], count: usize) -> usize {
    (0..count)
        .try_fold(descriptor::FIRST, |at, _| Descriptor::read(message, at).map(|(_, next)| next))
        .unwrap_or(0)
}

/// The descriptor of bytes that stay here. Their length was checked.
fn snapshot(bytes: &[u8]) -> [u8; descriptor::OTHER] {
    descriptor::memory(address(bytes), bytes.len() as u32, false)
}

fn address(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { bytes.as_ptr().expose_provenance() }
}

#[inline]
fn check_attachments(attachments: &[Attachment<'_>]) -> Result<(), EncodeError> {
    let mut count = 0;
    for attachment in attachments {
        count += 1;
        let len = match attachment {
            Attachment::Rights(_, cells) => {
                count += cells.len();
                0
            }
            Attachment::Bytes(bytes) => bytes.len(),
            Attachment::Memory(cell) => cell.get().1,
            Attachment::Right(..) | Attachment::File(_) => 0,
        };
        if u32::try_from(len).is_err() {
            return Err(EncodeError::new(format!("{len} bytes out of line, at most {} fit", u32::MAX)));
        }
    }
    if count > ATTACHMENTS_MAX {
        return Err(EncodeError::new(format!("{count} attachments, at most {ATTACHMENTS_MAX} fit")));
    }
    Ok(())
}
