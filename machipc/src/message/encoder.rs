//! Where a message's bytes and attachments are gathered.

use core::fmt;

use zerocopy::IntoBytes;

use super::pod::MAX_ALIGN;
use super::{AlignedBuffer, Attachment, EncodeError, Pod, RightCell, RightKind};

/// The deepest nesting of structs and enums in a message, on both sides.
pub const MAX_DEPTH: u32 = 64;

/// Where a message's bytes and attachments are gathered.
///
/// ```
/// use machipc::message::{AlignedBuffer, Encode, Encoder};
///
/// let mut buffer = AlignedBuffer::new();
/// let mut out = Encoder::new(&mut buffer);
/// (7u8, 9u32, "ab").encode(&mut out).unwrap();
/// let encoded = out.finish();
/// assert!(encoded.attachments.is_empty());
/// assert_eq!(buffer.as_bytes(), [7, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, b'a', b'b']);
/// ```
pub struct Encoder<'m> {
    buffer: &'m mut AlignedBuffer,
    /// Where the next byte goes. Counted from the buffer's start, which is as aligned as the payload's.
    position: usize,
    base: usize,
    depth: u32,
    attachments: Vec<Attachment<'m>>,
    reply: ReplyPort<'m>,
    /// As many bytes of plain data are not copied, and how many were not so far; what they are.
    lend_from: usize,
    lent_len: usize,
    lent: Vec<Lent<'m>>,
}

/// A part of a payload that stays where it is until the message is sent.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'m> {
    /// Where in the buffer the rest of the payload goes on behind it.
    pub at: usize,
    /// Its bytes: a multiple of 16.
    pub bytes: &'m [u8],
}

/// Which reply right a message carries in its header.
#[derive(Clone, Copy, Debug, Default)]
pub enum ReplyPort<'m> {
    /// None.
    #[default]
    None,
    /// The sender waits for an answer: whoever sends the message makes a send-once right.
    Wanted,
    /// This right, send-once or send, which moves with the message.
    Right(RightKind, &'m RightCell),
}

/// What an [`Encoder`] gathered.
#[derive(Debug)]
pub struct Encoded<'m> {
    /// The buffer; the payload, without what is [lent](Self::lent), is its end.
    pub buffer: &'m mut AlignedBuffer,
    /// Where in the buffer the payload starts: a multiple of 16.
    pub start: usize,
    /// What travels beside the payload, in the order of the indices in the payload.
    pub attachments: Vec<Attachment<'m>>,
    /// The reply right of the header.
    pub reply: ReplyPort<'m>,
    /// Parts of the payload that were not copied into the buffer, in their order. There are some only for [`Encoder::lending`].
    pub lent: Vec<Lent<'m>>,
}

impl<'m> Encoder<'m> {
    /// Appends to `buffer`, from the next multiple of 16 on; the bytes up to there are zeroed.
    #[inline]
    pub fn new(buffer: &'m mut AlignedBuffer) -> Self {
        let len = buffer.len();
        let base = len.next_multiple_of(MAX_ALIGN);
        if base != len {
            buffer.set_len(base);
            buffer.as_mut_bytes()[len..].fill(0);
        }
        Self {
            buffer,
            position: base,
            base,
            depth: 0,
            attachments: Vec::new(),
            reply: ReplyPort::None,
            lend_from: usize::MAX,
            lent_len: 0,
            lent: Vec::new(),
        }
    }

    /// The same, but plain data of `lend_from` bytes and more in a row stays where it is, if it lives as long as the message.
    #[inline]
    pub fn lending(buffer: &'m mut AlignedBuffer, lend_from: usize) -> Self {
        Self { lend_from, ..Self::new(buffer) }
    }

    /// How many bytes the payload has so far.
    pub fn len(&self) -> usize {
        self.position - self.base + self.lent_len
    }

    /// Whether the payload has no bytes so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends zeroes up to the next multiple of `align`, a power of two up to 16.
    #[inline]
    pub fn align(&mut self, align: usize) {
        let padding = self.position.wrapping_neg() & (align - 1) & (MAX_ALIGN - 1);
        let Some(window) = self.buffer.all_mut().get_mut(self.position..self.position + MAX_ALIGN) else {
            grow(self.buffer, self.position + MAX_ALIGN);
            return self.align(align);
        };
        window.fill(0);
        self.position += padding;
    }

    /// Appends bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let Some(window) = self.buffer.all_mut().get_mut(self.position..self.position + bytes.len()) else {
            grow(self.buffer, self.position + bytes.len());
            return self.bytes(bytes);
        };
        copy(window, bytes);
        self.position += bytes.len();
    }

    /// Appends plain data, aligned to its natural alignment.
    #[inline]
    pub fn pod<T: Pod>(&mut self, value: &T) {
        const { assert!(align_of::<T>() <= MAX_ALIGN, "plain data may be aligned to 16 bytes at most") };
        if size_of::<T>() == 0 {
            return;
        }
        // The window holds the worst padding and the value, so that one check serves both.
        let padding = self.position.wrapping_neg() & (align_of::<T>() - 1);
        let room = align_of::<T>() - 1 + size_of::<T>();
        let Some(window) = self.buffer.all_mut().get_mut(self.position..self.position + room) else {
            grow(self.buffer, self.position + room);
            return self.pod(value);
        };
        if padding != 0 {
            window[..align_of::<T>() - 1].fill(0);
        }
        window[padding..padding + size_of::<T>()].copy_from_slice(value.as_bytes());
        self.position += padding + size_of::<T>();
    }

    /// Appends plain data, one after the other, without a count: one copy. No values are no bytes and no padding.
    #[inline]
    pub fn pod_slice<T: Pod>(&mut self, values: &[T]) {
        const { assert!(align_of::<T>() <= MAX_ALIGN, "plain data may be aligned to 16 bytes at most") };
        let bytes = values.as_bytes();
        if bytes.is_empty() {
            return;
        }
        let padding = self.position.wrapping_neg() & (align_of::<T>() - 1);
        let room = align_of::<T>() - 1 + bytes.len();
        let Some(window) = self.buffer.all_mut().get_mut(self.position..self.position + room) else {
            grow(self.buffer, self.position + room);
            return self.pod_slice(values);
        };
        if align_of::<T>() > 1 {
            window[..align_of::<T>() - 1].fill(0);
        }
        copy(&mut window[padding..padding + bytes.len()], bytes);
        self.position += padding + bytes.len();
    }

    /// [`pod_slice`](Self::pod_slice) of values that live as long as the message: many are not copied where the encoder is [`lending`](Self::lending).
    #[inline]
    pub fn pod_slice_of_message<T: Pod>(&mut self, values: &'m [T]) {
        if size_of_val(values) < self.lend_from {
            return self.pod_slice(values);
        }
        let bytes = values.as_bytes();
        self.lent_len += bytes.len() - bytes.len() % MAX_ALIGN;
        let lent = core::mem::take(&mut self.lent);
        (self.position, self.lent) = lend(self.buffer, self.position, lent, align_of::<T>(), bytes);
    }

    /// Appends a `u32` count. Fails when `len` does not fit.
    #[inline]
    pub fn len_prefix(&mut self, len: usize) -> Result<(), EncodeError> {
        let Ok(count) = u32::try_from(len) else { return Err(too_long(len)) };
        self.pod(&count);
        Ok(())
    }

    /// Appends the zero byte in front of a sequence's element whose type may take no bytes.
    #[inline]
    pub fn marker(&mut self) {
        self.pod(&0u8);
    }

    /// Appends what `body` writes as one more level of nesting; a struct's and an enum's encode does all its work in here.
    /// Fails when the level is deeper than [`MAX_DEPTH`], as the receiver would.
    #[inline]
    pub fn nested(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        body(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Appends what `body` writes as a struct's extension: the fields marked `since`, behind their length in bytes as a `u32`.
    #[inline]
    pub fn extension(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.pod(&0u32);
        let (start, before) = (self.position, self.len());
        body(self)?;
        let len = self.len() - before;
        let Ok(count) = u32::try_from(len) else { return Err(too_long(len)) };
        self.buffer.all_mut()[start - 4..start].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    /// Appends an attachment: its index goes into the payload, as a `u32`.
    // Inline, so that the attachment is made in its place: to be copied there it would be loaded as one while it is stored in parts, and that waits for
    // all stores before, those to memory that was just built among them.
    #[inline]
    pub fn attach(&mut self, attachment: Attachment<'m>) -> Result<(), EncodeError> {
        self.len_prefix(self.attachments.len())?;
        self.attachments.push(attachment);
        Ok(())
    }

    /// Sends this reply right in the message's header. Fails when the message has one already.
    pub fn reply(&mut self, kind: RightKind, cell: &'m RightCell) -> Result<(), EncodeError> {
        self.set_reply(ReplyPort::Right(kind, cell))
    }

    /// Asks whoever sends the message to make a reply right. Fails when the message has one already.
    pub fn reply_wanted(&mut self) -> Result<(), EncodeError> {
        self.set_reply(ReplyPort::Wanted)
    }

    /// Ends the payload: the buffer's length now counts it.
    #[inline]
    pub fn finish(self) -> Encoded<'m> {
        self.buffer.set_len_within(self.position);
        let Self { buffer, base: start, attachments, reply, lent, .. } = self;
        Encoded { buffer, start, attachments, reply, lent }
    }

    /// Ends a payload that is nothing but bytes in the buffer. Returns the buffer, and where in it the payload starts; `None` for any other.
    ///
    /// Reads what it needs where that is: moving the encoder so soon after it was written to would wait until all stores before have reached
    /// the cache.
    #[inline(always)]
    pub(crate) fn finish_bytes(&mut self) -> Option<(&mut AlignedBuffer, usize)> {
        let only_bytes =
            self.attachments.is_empty() && self.lent.is_empty() && matches!(self.reply, ReplyPort::None);
        if !only_bytes {
            return None;
        }
        self.buffer.set_len(self.position);
        Some((self.buffer, self.base))
    }

    fn set_reply(&mut self, reply: ReplyPort<'m>) -> Result<(), EncodeError> {
        if !matches!(self.reply, ReplyPort::None) {
            return Err(EncodeError::new("the message holds two replies, a message has one reply right"));
        }
        self.reply = reply;
        Ok(())
    }
}

impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("len", &self.len())
            .field("attachments", &self.attachments)
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

// What follows is off the way and takes no encoder, so that the compiler can keep one in registers.

/// Leaves bytes where they are, but for the last few. Returns the position behind them, and what is lent.
#[cold]
#[inline(never)]
fn lend<'m>(
    buffer: &mut AlignedBuffer,
    position: usize,
    mut lent: Vec<Lent<'m>>,
    align: usize,
    bytes: &'m [u8],
) -> (usize, Vec<Lent<'m>>) {
    let at = position.next_multiple_of(align.min(MAX_ALIGN));
    // What follows has the place modulo 16 that it would have behind a copy.
    let (bytes, rest) = bytes.split_at(bytes.len() - bytes.len() % MAX_ALIGN);
    buffer.reserve(at + rest.len());
    buffer.all_mut()[position..at].fill(0);
    buffer.all_mut()[at..at + rest.len()].copy_from_slice(rest);
    lent.push(Lent { at, bytes });
    (at + rest.len(), lent)
}

#[cold]
fn too_long(len: usize) -> EncodeError {
    EncodeError::new(format!("a length of {len}, at most {} fits", u32::MAX))
}

#[cold]
fn too_deep() -> EncodeError {
    EncodeError::new(format!("structs and enums nested deeper than {MAX_DEPTH} levels"))
}

/// Makes room.
///
/// Foreign, so that it never unwinds: an encoder that might have to be dropped on the way out is kept in memory, which took as long as the
/// copy of a small struct. What can go wrong here ends the process in any case, as a lack of memory does everywhere.
#[cold]
#[inline(never)]
extern "C" fn grow(buffer: &mut AlignedBuffer, capacity: usize) {
    buffer.reserve(capacity);
}

/// Copies a short text or array without a call, which would cost more than the copy.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<N>() {
            *to = *last;
        }
        true
    }
    match from.len() {
        8..=16 => _ = ends::<8>(to, from),
        17..=32 => _ = ends::<16>(to, from),
        _ => to.copy_from_slice(from),
    }
}
