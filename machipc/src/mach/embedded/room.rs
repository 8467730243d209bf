//! A receiver's buffer, to write into.

/// Memory of a caller that a message is written into.
///
/// Invariant: `start` is writable for `len` bytes, and nothing else uses them while the value lives. What they hold before is not looked at.
pub(super) struct Room {
    start: *mut u8,
    len: usize,
}

impl Room {
    /// # Safety
    /// The value's invariant.
    pub(super) unsafe fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
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

    /// Writes bytes at an offset.
    #[inline]
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let place = self.place(at, bytes.len());
        // SAFETY: writable by the invariant, and nothing else uses it, so that `bytes` is elsewhere.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    }
}
