//! Bootstrap names: taking one is announced, and who waits for one is told.
//!
//! launchd tells nobody of new names. So a host posts a notification of notify(3), which is called after the name, when it has taken it.
//! Anybody may post it too, and then a name is looked up for nothing.

use core::ffi::{CStr, c_char};

use super::foreign;
use crate::mach::{
    BOOTSTRAP_MAX_NAME_LEN, BOOTSTRAP_SUCCESS, KERN_SUCCESS, MACH_PORT_NULL, MACH_PORT_RIGHT_RECEIVE,
    mach_task_self, types::*,
};

/// What a notification is called, before the name that it is about.
const PREFIX: &[u8] = b"machipc.checked-in.";
/// How often to look for hosts that post nothing, in milliseconds.
const LOOK_AGAIN: mach_msg_timeout_t = 100;
/// The same where this process gets no notifications.
const LOOK_OFTEN: mach_msg_timeout_t = 20;
/// `NOTIFY_STATUS_OK` of `<notify.h>`.
const STATUS_OK: u32 = 0;
/// The token of a watch that libnotify knows nothing of.
const NO_TOKEN: i32 = -1;

pub(in super::super) unsafe fn bootstrap_check_in(
    bootstrap: mach_port_t,
    name: *const c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    // SAFETY: the caller's duties.
    let code = unsafe { mach2::bootstrap::bootstrap_check_in(bootstrap, name, port) };
    if code == BOOTSTRAP_SUCCESS {
        // SAFETY: a C string by the caller's word.
        announce(unsafe { CStr::from_ptr(name) });
    }
    code
}

pub(in super::super) unsafe fn bootstrap_register(
    bootstrap: mach_port_t,
    name: *const c_char,
    port: mach_port_t,
) -> kern_return_t {
    // SAFETY: the caller's duties; C reads the name and lacks only the word `const`.
    let code = unsafe { mach2::bootstrap::bootstrap_register(bootstrap, name.cast_mut(), port) };
    if code == BOOTSTRAP_SUCCESS {
        // SAFETY: a C string by the caller's word.
        announce(unsafe { CStr::from_ptr(name) });
    }
    code
}

pub(in super::super) unsafe fn bootstrap_watch(
    _bootstrap: mach_port_t,
    name: *const c_char,
    watch: *mut bootstrap_watch_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let notification = notification(unsafe { CStr::from_ptr(name) });
    let (mut port, mut token) = (MACH_PORT_NULL, NO_TOKEN);
    // SAFETY: a C string; `port` and `token` are each valid for one write. Without flags the port is made.
    let status =
        unsafe { foreign::notify_register_mach_port(notification.as_ptr().cast(), &mut port, 0, &mut token) };
    let mut look_again = LOOK_AGAIN;
    if status != STATUS_OK {
        // A sandbox may keep notifyd away. The caller then sleeps on a port to which nothing comes.
        (token, look_again) = (NO_TOKEN, LOOK_OFTEN);
        // SAFETY: `port` is valid for one write.
        let code = unsafe { super::mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &mut port) };
        if code != KERN_SUCCESS {
            return code;
        }
    }
    // SAFETY: valid for one write by the caller's word.
    unsafe { watch.write(bootstrap_watch_t { port, token, look_again }) };
    KERN_SUCCESS
}

pub(in super::super) fn bootstrap_unwatch(watch: &bootstrap_watch_t) {
    if watch.token == NO_TOKEN {
        super::mach_port_mod_refs(mach_task_self(), watch.port, MACH_PORT_RIGHT_RECEIVE, -1);
    } else {
        // libnotify destroys the port that it made.
        foreign::notify_cancel(watch.token);
    }
}

/// Tells whoever waits for the name. That nobody can be told is no reason not to serve.
fn announce(name: &CStr) {
    let notification = notification(name);
    // SAFETY: a C string.
    unsafe { foreign::notify_post(notification.as_ptr().cast()) };
}

/// The notification about a name, as a C string.
fn notification(name: &CStr) -> [u8; PREFIX.len() + BOOTSTRAP_MAX_NAME_LEN] {
    let mut text = [0; PREFIX.len() + BOOTSTRAP_MAX_NAME_LEN];
    // The last byte stays NUL.
    let bytes = PREFIX.iter().chain(name.to_bytes().iter().take(BOOTSTRAP_MAX_NAME_LEN - 1));
    text.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    text
}
