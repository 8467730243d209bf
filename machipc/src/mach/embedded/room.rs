//! A receiver's buffer, to write into.

use super::link::rows::header_of;
use crate::mach::mach_msg_header_t;

/// Memory of a caller that a message is written into.
///
/// Invariants: (1) `start` is writable for `len` bytes, and nothing else uses them while the value lives; what they hold before is not looked
/// at. (2) The first `copied` bytes have been written.
pub(super) struct Room {
    start: *mut u8,
    len: usize,
    copied: usize,
}

impl Room {
    /// # Safety
    /// The value's first invariant.
    pub(super) unsafe fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len, copied: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn address(&self) -> usize {
        self.start.addr()
    }

    /// Where `len` bytes from `at` on are; they can be written.
    #[inline]
    pub(super) fn place(&mut self, at: usize, len: usize) -> *mut u8 {
        assert!(at <= self.len && len <= self.len - at, "a message is written beyond its buffer");
        self.start.wrapping_add(at)
    }

    /// How many bytes from the buffer's start on have been copied there.
    #[inline]
    pub(super) fn copied(&self) -> usize {
        self.copied
    }

    /// Notes that so many bytes from the buffer's start on are written.
    ///
    /// # Safety
    /// They are.
    #[inline]
    pub(super) unsafe fn has_copied(&mut self, len: usize) {
        self.copied = len;
    }

    /// The header at an offset, if it has been copied there.
    #[inline]
    pub(super) fn header(&self, at: usize) -> Option<mach_msg_header_t> {
        const WORDS: usize = size_of::<mach_msg_header_t>() / 4;
        if at.checked_add(4 * WORDS)? > self.copied {
            return None;
        }
        // SAFETY: inside the buffer, and written: both invariants.
        let words = unsafe { self.start.wrapping_add(at).cast::<[u32; WORDS]>().read_unaligned() };
        Some(header_of(words))
    }

    /// Writes bytes at an offset.
    #[inline]
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let place = self.place(at, bytes.len());
        // SAFETY: writable by the first invariant, and nothing else uses it, so that `bytes` is elsewhere.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    }
}
