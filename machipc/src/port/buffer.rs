//! The memory in which messages are built and received.

use crate::message::AlignedBuffer;

/// Memory in which messages are built or received, one at a time. It grows as needed, and what was allocated is kept for
/// the next message: reuse buffers, and a simple message allocates nothing.
///
/// ```
/// use machipc::port::MessageBuffer;
///
/// let mut buffer = MessageBuffer::with_capacity(64 * 1024);
/// buffer.set_largest(1024 * 1024);
/// assert_eq!(buffer.largest(), 1024 * 1024);
/// ```
#[derive(Clone, Debug)]
pub struct MessageBuffer {
    pub(crate) bytes: AlignedBuffer,
    pub(crate) size: usize,
    inline_limit: usize,
    largest: usize,
}

/// Room for a small message with its trailer; the first receive into a new buffer asks for this much.
const FIRST_SIZE: usize = 4096;

impl MessageBuffer {
    /// A payload of more bytes than this goes out of line, unless [`set_inline_limit`](Self::set_inline_limit) says
    /// otherwise: 64 KiB of data and up to 4 KiB of what comes with them. On Linux out of line begins to be faster a
    /// little above that: 256 KiB take 28 µs in line and 20 µs out of line.
    pub const INLINE_LIMIT: usize = 68 * 1024;

    /// A buffer grows up to this many bytes to receive a message, unless [`set_largest`](Self::set_largest) says
    /// otherwise.
    pub const LARGEST: usize = 1024 * 1024;

    /// An empty buffer; it allocates when it is first used.
    pub const fn new() -> Self {
        Self {
            bytes: AlignedBuffer::new(),
            size: FIRST_SIZE,
            inline_limit: Self::INLINE_LIMIT,
            largest: Self::LARGEST,
        }
    }

    /// A buffer that receives messages of up to `capacity` bytes, header and trailer included, without growing.
    pub fn with_capacity(capacity: usize) -> Self {
        let size = capacity.max(FIRST_SIZE);
        Self {
            bytes: AlignedBuffer::with_capacity(size),
            size,
            inline_limit: Self::INLINE_LIMIT,
            largest: Self::LARGEST.max(size),
        }
    }

    /// Sets the number of payload bytes above which a message's payload goes out of line.
    pub fn set_inline_limit(&mut self, bytes: usize) {
        self.inline_limit = bytes.min(16 * 1024 * 1024);
    }

    /// The number of payload bytes above which a message's payload goes out of line.
    pub fn inline_limit(&self) -> usize {
        self.inline_limit
    }

    /// Sets how large the buffer may grow to receive a message, header and trailer included. A larger message is
    /// destroyed and the receive answers `MACH_RCV_TOO_LARGE`. Memory out of line does not count.
    pub fn set_largest(&mut self, bytes: usize) {
        self.largest = bytes.max(FIRST_SIZE);
        self.size = self.size.min(self.largest);
    }

    /// How large the buffer may grow to receive a message.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// How many bytes of memory it has.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether its memory is no more than a common message needs.
    pub(crate) fn is_small(&self) -> bool {
        self.bytes.capacity() <= 2 * FIRST_SIZE
    }

    /// Takes the memory out, with the message in it, into a buffer of its own. What is left is empty and has the same limits.
    pub(crate) fn split_off(&mut self) -> Self {
        Self { bytes: core::mem::take(&mut self.bytes), ..*self }
    }
}

impl Default for MessageBuffer {
    fn default() -> Self {
        Self::new()
    }
}
