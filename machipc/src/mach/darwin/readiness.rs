//! Readiness on Apple systems: a `kqueue` with one filter, `EVFILT_MACHPORT` on the port or port set.
//!
//! The filter goes by the state of the port: it is not cleared by being looked at. The queue itself keeps an event until
//! it is asked for, though, and is readable as long as it keeps one, so `readiness_check` asks. When the port's receive
//! right moves away or dies, the queue has one last event.

use core::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use super::foreign;
use crate::mach::{
    KERN_INVALID_ARGUMENT, KERN_INVALID_NAME, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE, KERN_SUCCESS,
    kern_return_t,
    kqueue::{EV_ADD, EVFILT_MACHPORT, kevent64_s, timespec},
    mach_port_name_t,
};

pub(in crate::mach) unsafe fn readiness_open(
    name: mach_port_name_t,
    descriptor: *mut c_int,
) -> kern_return_t {
    // The kernel closes it on exec and does not give it to a forked child.
    let queue = foreign::kqueue();
    if queue < 0 {
        return KERN_RESOURCE_SHORTAGE;
    }
    // SAFETY: the call has just made this descriptor, and nothing else knows it.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    let watch =
        kevent64_s { ident: u64::from(name), filter: EVFILT_MACHPORT, flags: EV_ADD, ..Default::default() };
    // SAFETY: one change to read, and room for no event.
    let added = unsafe {
        foreign::kevent64(queue.as_raw_fd(), &watch, 1, core::ptr::null_mut(), 0, 0, core::ptr::null())
    };
    if added < 0 {
        return match io::Error::last_os_error().kind() {
            io::ErrorKind::NotFound => KERN_INVALID_NAME,
            io::ErrorKind::OutOfMemory => KERN_RESOURCE_SHORTAGE,
            _ => KERN_INVALID_RIGHT,
        };
    }
    // SAFETY: the caller's word.
    unsafe { descriptor.write(queue.into_raw_fd()) };
    KERN_SUCCESS
}

pub(in crate::mach) unsafe fn readiness_check(descriptor: c_int, ready: *mut bool) -> kern_return_t {
    let mut event = kevent64_s::default();
    let at_once = timespec::default();
    let count = loop {
        // SAFETY: no change to read, room for one event, and a time-out to read.
        let count =
            unsafe { foreign::kevent64(descriptor, core::ptr::null(), 0, &mut event, 1, 0, &at_once) };
        if count >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break count;
        }
    };
    if count < 0 {
        return KERN_INVALID_ARGUMENT;
    }
    // SAFETY: the caller's word.
    unsafe { ready.write(count > 0) };
    KERN_SUCCESS
}

pub(in crate::mach) unsafe fn readiness_close(descriptor: c_int) -> kern_return_t {
    // SAFETY: by the caller's word a descriptor of `readiness_open`, which gave it up.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    KERN_SUCCESS
}
