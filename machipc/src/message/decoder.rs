//! A payload that is being read.

use core::fmt;
use std::os::fd::OwnedFd;

use zerocopy::TryFromBytes;

use super::encoder::MAX_DEPTH;
use super::pod::MAX_ALIGN;
use super::{AttachmentSource, Decode, DecodeError, MemoryCell, Pod, RightKind};

/// A payload that is being read. Every method checks what it reads: any bytes give a value or an error.
///
/// ```
/// use machipc::message::{AlignedBuffer, Decode, Decoder};
///
/// let mut buffer = AlignedBuffer::new();
/// buffer.set_len(14);
/// buffer.as_mut_bytes().copy_from_slice(&[7, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, b'a', b'b']);
///
/// let mut input = Decoder::new(buffer.as_bytes(), None);
/// assert_eq!(<(u8, u32, &str)>::decode(&mut input).unwrap(), (7, 9, "ab"));
/// input.finish().unwrap();
/// ```
pub struct Decoder<'de> {
    payload: &'de [u8],
    position: usize,
    depth: u32,
    next_attachment: u32,
    /// An extension was skipped, unread: it may have held the attachments that are not asked for.
    skipped: bool,
    reply_taken: bool,
    /// With it what is zero at first is written as two halves of 16 bytes, and not a third time across both, which `depth` would be read from.
    _whole: [u8; 6],
    /// How much memory was set aside for elements before they were read, in bytes.
    promised: usize,
    attachments: Option<&'de dyn AttachmentSource>,
}

impl<'de> Decoder<'de> {
    /// Reads `payload`, whose first byte is 16-aligned, with what came beside it.
    ///
    /// A payload that is not so aligned is no danger: what would be borrowed from it as wider plain data is an error then.
    #[inline]
    pub fn new(payload: &'de [u8], attachments: Option<&'de dyn AttachmentSource>) -> Self {
        Self {
            payload,
            position: 0,
            depth: 0,
            next_attachment: 0,
            skipped: false,
            reply_taken: false,
            _whole: [0; 6],
            promised: 0,
            attachments,
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.payload.len() - self.position
    }

    /// Skips padding up to the next multiple of `align`, a power of two up to 16.
    #[inline]
    pub fn align(&mut self, align: usize) -> Result<(), DecodeError> {
        let padding = self.position.wrapping_neg() & (align - 1);
        if padding > self.remaining() {
            return Err(short(padding, self.remaining()));
        }
        self.position += padding;
        Ok(())
    }

    /// Takes the next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'de [u8], DecodeError> {
        match self.payload[self.position..].get(..count) {
            Some(bytes) => {
                self.position += count;
                Ok(bytes)
            }
            None => Err(short(count, self.remaining())),
        }
    }

    /// Takes as many bytes as the `u32` before them says.
    #[inline]
    pub fn counted_bytes(&mut self) -> Result<&'de [u8], DecodeError> {
        let count = self.pod::<u32>()?;
        self.bytes(count as usize)
    }

    /// Reads plain data by value.
    #[inline]
    pub fn pod<T: Pod>(&mut self) -> Result<T, DecodeError> {
        T::try_read_from_bytes(self.pod_bytes::<T>(1)?).map_err(|_| invalid::<T>())
    }

    /// Borrows plain data.
    #[inline]
    pub fn pod_ref<T: Pod>(&mut self) -> Result<&'de T, DecodeError> {
        let bytes = self.pod_bytes::<T>(1)?;
        T::try_ref_from_bytes(bytes).map_err(|_| bad_reference::<T>(bytes))
    }

    /// Borrows `count` values of plain data that follow one another.
    #[inline]
    pub fn pod_slice<T: Pod>(&mut self, count: usize) -> Result<&'de [T], DecodeError> {
        let bytes = self.pod_bytes::<T>(count)?;
        <[T]>::try_ref_from_bytes_with_elems(bytes, count).map_err(|_| bad_reference::<T>(bytes))
    }

    /// Reads the count of a sequence whose elements take at least `min_size` bytes each, and checks that so many can be left.
    /// Elements of `min_size` 0 have a marker of one byte each, see [`marker`](Self::marker).
    #[inline]
    pub fn count(&mut self, min_size: usize) -> Result<usize, DecodeError> {
        let count = self.pod::<u32>()? as usize;
        if count > self.remaining() / min_size.max(1) {
            return Err(too_many(count, min_size, self.remaining()));
        }
        Ok(count)
    }

    /// Reads the zero byte in front of a sequence's element whose type may take no bytes.
    #[inline]
    pub fn marker(&mut self) -> Result<(), DecodeError> {
        match self.pod::<u8>()? {
            0 => Ok(()),
            other => Err(DecodeError::new(format!("an element starts with {other}, not 0"))),
        }
    }

    /// Reads what `body` reads as one more level of nesting; a struct's and an enum's decode does all its work in here. Fails
    /// when the level is deeper than [`MAX_DEPTH`].
    // Always: the value is made where its receiver wants it, rather than returned and moved. Saves 4 ns of 24 for a struct of 88 bytes.
    #[inline(always)]
    pub fn nested<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        self.enter()?;
        // Handed on whole: taken apart and put together again, a large value would be copied.
        let outcome = body(self);
        self.leave();
        outcome
    }

    /// Begins one more level of nesting: [`nested`](Self::nested) for derived code, whose own function is the body. A call of a closure, where
    /// the compiler leaves it one, takes 3 ns for a small struct.
    #[doc(hidden)]
    #[inline]
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        Ok(())
    }

    /// Ends the level. After an error nobody does: the decoder is of no more use.
    #[doc(hidden)]
    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Reads a struct's extension: inside `body`, [`since`](Self::since) reads the fields that the sender wrote. What the sender
    /// wrote beyond them is skipped. A payload that ends here has an empty extension: its sender knew of none.
    ///
    /// After an error inside, the decoder is of no more use, as after any error.
    ///
    /// ```
    /// use machipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder};
    ///
    /// let mut buffer = AlignedBuffer::new();
    /// let mut out = Encoder::new(&mut buffer);
    /// out.extension(|out| { out.pod(&1u8); Ok(()) })?;
    /// out.finish();
    ///
    /// let mut input = Decoder::new(buffer.as_bytes(), None);
    /// let fields = input.extension(|input| Ok((input.since(|| 0u8)?, input.since(|| "by default")?)))?;
    /// assert_eq!(fields, (1, "by default"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn extension<R>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        if self.remaining() == 0 {
            return body(self);
        }
        let len = self.pod::<u32>()? as usize;
        if len > self.remaining() {
            return Err(short(len, self.remaining()));
        }
        let whole = self.payload;
        let end = self.position + len;
        self.payload = &whole[..end];
        let value = body(self)?;
        self.skipped |= self.position < end;
        self.position = end;
        self.payload = whole;
        Ok(value)
    }

    /// Reads a field of an extension, or makes it where the extension ended before it.
    #[inline]
    pub fn since<T: Decode<'de>>(&mut self, default: impl FnOnce() -> T) -> Result<T, DecodeError> {
        if self.remaining() == 0 { Ok(default()) } else { T::decode(self) }
    }

    /// Takes a right of this kind: its name, now the caller's to release.
    pub fn right(&mut self, kind: RightKind) -> Result<u32, DecodeError> {
        let (source, index) = self.attachment()?;
        source.take_right(index, kind)
    }

    /// Takes an array of rights of this kind: their names, now the caller's to release.
    pub fn rights(&mut self, kind: RightKind) -> Result<Vec<u32>, DecodeError> {
        let (source, index) = self.attachment()?;
        source.take_rights(index, kind)
    }

    /// Takes out-of-line memory, in a cell that owns it.
    pub fn memory(&mut self) -> Result<MemoryCell, DecodeError> {
        let (source, index) = self.attachment()?;
        source.take_memory(index)
    }

    /// Borrows the bytes of out-of-line memory.
    pub fn ool_bytes(&mut self) -> Result<&'de [u8], DecodeError> {
        let (source, index) = self.attachment()?;
        source.bytes(index)
    }

    /// Takes an open file.
    pub fn file(&mut self) -> Result<OwnedFd, DecodeError> {
        let (source, index) = self.attachment()?;
        source.take_file(index)
    }

    /// Takes the reply right of the header: its kind and its name, now the caller's to release. Fails when the message has none, or when it
    /// was taken already.
    pub fn take_reply(&mut self) -> Result<(RightKind, u32), DecodeError> {
        if core::mem::replace(&mut self.reply_taken, true) {
            return Err(DecodeError::new("the message holds two replies and has one reply right"));
        }
        self.attachments
            .and_then(|source| source.take_reply())
            .ok_or_else(|| DecodeError::new("a reply right wanted, the message's header has none"))
    }

    /// Ends the payload. Fails when bytes or attachments are left, but for an extension that this side does not know.
    #[inline]
    pub fn finish(self) -> Result<(), DecodeError> {
        let attached = self.attachments.map_or(0, |source| source.count());
        if self.remaining() == 0 && attached == self.next_attachment {
            return Ok(());
        }
        finish_rest(self.payload, self.position, self.skipped, attached, self.next_attachment)
    }

    /// How many elements to make room for before they are read: `count`, as long as the message's promises together do not ask for
    /// several times its length. More room is made as the elements turn out to be there.
    #[inline]
    pub fn room_for<T>(&mut self, count: usize) -> usize {
        let size = size_of::<T>().max(1);
        let room = count.min(self.payload.len().saturating_mul(4).saturating_sub(self.promised) / size);
        self.promised += room * size;
        room
    }

    /// Takes the bytes of `count` values of plain data, and the padding before them. No values are no bytes and no padding.
    #[inline(always)]
    fn pod_bytes<T: Pod>(&mut self, count: usize) -> Result<&'de [u8], DecodeError> {
        const { assert!(align_of::<T>() <= MAX_ALIGN, "plain data may be aligned to 16 bytes at most") };
        let Some(size) = size_of::<T>().checked_mul(count) else {
            return Err(short(usize::MAX, self.remaining()));
        };
        if size == 0 {
            // The start is aligned, which the position need not be.
            return Ok(&self.payload[..0]);
        }
        let start = (self.position + (align_of::<T>() - 1)) & !(align_of::<T>() - 1);
        match self.payload.get(start..).and_then(|rest| rest.get(..size)) {
            Some(bytes) => {
                self.position = start + size;
                Ok(bytes)
            }
            None => Err(short(size, self.payload.len().saturating_sub(start))),
        }
    }

    /// Reads the index of the next attachment. Indices go up by one, so that none is named twice and none is left out; only after an
    /// extension that this side does not know in full, some may be.
    fn attachment(&mut self) -> Result<(&'de dyn AttachmentSource, u32), DecodeError> {
        let index = self.pod::<u32>()?;
        let next = self.next_attachment;
        let in_order = if self.skipped { index >= next } else { index == next };
        match self.attachments {
            Some(source) if in_order && index < source.count() => {
                self.next_attachment = index + 1;
                Ok((source, index))
            }
            source => {
                let count = source.map_or(0, |source| source.count());
                Err(DecodeError::new(format!("attachment {index} named, {next} comes next of {count}")))
            }
        }
    }
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.position)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

// What follows is off the way and takes no decoder, so that the compiler can keep one in registers.

#[cold]
#[inline(never)]
fn finish_rest(
    payload: &[u8],
    position: usize,
    mut skipped: bool,
    attached: u32,
    taken: u32,
) -> Result<(), DecodeError> {
    let mut rest = Decoder::new(payload, None);
    rest.position = position;
    if rest.remaining() != 0 {
        if rest.counted_bytes().is_err() || rest.remaining() != 0 {
            let left = payload.len() - position;
            return Err(DecodeError::new(format!("{left} bytes left behind the last field")));
        }
        skipped = true;
    }
    if attached != taken && !skipped {
        return Err(DecodeError::new(format!(
            "{attached} attachments came with the message, its fields hold {taken}"
        )));
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn short(wanted: usize, left: usize) -> DecodeError {
    DecodeError::new(format!("{wanted} bytes wanted, {left} left"))
}

#[cold]
#[inline(never)]
fn too_many(count: usize, min_size: usize, left: usize) -> DecodeError {
    let min_size = min_size.max(1);
    DecodeError::new(format!("{count} elements of at least {min_size} bytes wanted, {left} bytes left"))
}

#[cold]
#[inline(never)]
fn invalid<T>() -> DecodeError {
    DecodeError::new(format!("bytes that are no {}", core::any::type_name::<T>()))
}

#[cold]
#[inline(never)]
fn bad_reference<T>(bytes: &[u8]) -> DecodeError {
    if bytes.as_ptr().addr().is_multiple_of(align_of::<T>()) {
        invalid::<T>()
    } else {
        DecodeError::new("the payload does not start on a multiple of 16 bytes in memory")
    }
}

#[cold]
#[inline(never)]
fn too_deep() -> DecodeError {
    DecodeError::new(format!("structs and enums nested deeper than {MAX_DEPTH} levels"))
}
