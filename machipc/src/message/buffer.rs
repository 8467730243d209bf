//! A growable byte buffer whose first byte is 64-aligned.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

#[repr(C, align(64))]
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Block([u8; 64]);

/// A reusable byte buffer, aligned to a cache line, that holds one message. Growing never shrinks it; what was allocated is
/// kept for the next message.
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
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { blocks: Vec::with_capacity(capacity.div_ceil(64)), len: 0 }
    }
    /// How many bytes are in use.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether no byte is in use.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Sets the number of bytes in use. Bytes that come into use hold what an earlier message left there.
    pub fn set_len(&mut self, len: usize) {
        let blocks = len.div_ceil(64);
        if blocks > self.blocks.len() {
            self.blocks.resize_with(blocks, Block::new_zeroed);
        }
        self.len = len;
    }
    /// The bytes in use.
    pub fn as_bytes(&self) -> &[u8] {
        &self.blocks.as_bytes()[..self.len]
    }
    /// The bytes in use, to write.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.blocks.as_mut_bytes()[..self.len]
    }
}
