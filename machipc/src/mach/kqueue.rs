//! What the Apple backend uses of `<sys/event.h>`. It stands here so that every system makes the tables of it that are
//! compared with Apple's headers.

/// `struct kevent64_s`: a filter to add to a queue, or an event that came of one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct kevent64_s {
    /// What the event is about: here the name of a port or port set.
    pub ident: u64,
    /// One of the `EVFILT_*` constants.
    pub filter: i16,
    /// `EV_*` bits.
    pub flags: u16,
    /// Bits of the filter's own.
    pub fflags: u32,
    /// The filter's own result: here the name of the port that has a message.
    pub data: i64,
    /// The caller's, returned as it is.
    pub udata: u64,
    /// The filter's own arguments and results.
    pub ext: [u64; 2],
}

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct timespec {
    /// Whole seconds.
    pub tv_sec: i64,
    /// The rest, in nanoseconds.
    pub tv_nsec: i64,
}

structs! {
    kevent64_s: 48, 8 { ident @ 0, filter @ 8, flags @ 10, fflags @ 12, data @ 16, udata @ 24, ext @ 32 }
    timespec: 16, 8 { tv_sec @ 0, tv_nsec @ 8 }
}

constants! {
    /// A message waits on a port or on a member of a port set.
    pub const EVFILT_MACHPORT: i16 = -8;
    /// Add the filter to the queue.
    pub const EV_ADD: u16 = 0x1;
}
