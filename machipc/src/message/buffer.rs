//! A growable byte buffer whose first byte is 64-aligned.

use core::fmt;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// How many bytes a block holds: a cache line.
const BLOCK: usize = 64;

#[repr(C, align(64))]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Block([u8; BLOCK]);

/// A reusable byte buffer, aligned to a cache line, that holds one message. Growing never shrinks it; what was allocated is
/// kept for the next message.
///
/// ```
/// use machipc::message::AlignedBuffer;
///
/// let mut buffer = AlignedBuffer::with_capacity(100);
/// assert!(buffer.is_empty() && buffer.capacity() >= 100);
/// buffer.set_len(3);
/// buffer.as_mut_bytes().copy_from_slice(b"abc");
/// assert_eq!(buffer.as_bytes(), b"abc");
/// assert_eq!(buffer.as_bytes().as_ptr().addr() % 64, 0);
/// ```
#[derive(Default, Clone)]
pub struct AlignedBuffer {
    blocks: Vec<Block>,
    len: usize,
}

impl AlignedBuffer {
    /// An empty buffer that owns no memory.
    pub const fn new() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }

    /// An empty buffer with room for `capacity` bytes, which are zero.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buffer = Self::new();
        buffer.reserve(capacity);
        buffer
    }

    /// How many bytes are in use.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is in use.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes can come into use before the buffer allocates.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// Sets the number of bytes in use. Bytes that come into use hold what an earlier message left there, or zero.
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        if len > self.capacity() {
            self.reserve(len);
        }
        self.len = len;
    }

    /// [`set_len`](Self::set_len) to bytes that the buffer has, which takes no memory and so cannot fail.
    #[inline(always)]
    pub(super) fn set_len_within(&mut self, len: usize) {
        debug_assert!(len <= self.capacity());
        self.len = len;
    }

    /// Uses no byte any more. The memory stays.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes room for `capacity` bytes in all; at least doubles what it has when that is too little.
    pub fn reserve(&mut self, capacity: usize) {
        let blocks = capacity.div_ceil(BLOCK);
        if blocks > self.blocks.len() {
            self.blocks.reserve(blocks - self.blocks.len());
            self.blocks.resize(self.blocks.capacity(), Block::new_zeroed());
        }
    }

    /// Gives memory back beyond `capacity` bytes or what is in use, whichever is more: for after an uncommonly large message.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.blocks.truncate(capacity.max(self.len).div_ceil(BLOCK));
        self.blocks.shrink_to_fit();
    }

    /// The bytes in use.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.blocks.as_bytes()[..self.len]
    }

    /// The bytes in use, to write.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.blocks.as_mut_bytes()[..self.len]
    }

    /// All bytes that the buffer owns, in use or not.
    #[inline(always)]
    pub(super) fn all_mut(&mut self) -> &mut [u8] {
        self.blocks.as_mut_bytes()
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuffer").field("len", &self.len).field("capacity", &self.capacity()).finish()
    }
}
