//! Rows of messages: one by one. The kernel has no call that sends or receives several, and none that gathers memory.

use super::super::{
    MACH_MSG_SUCCESS, MACH_PORT_NULL, MACH_RCV_MSG, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t,
    mach_msg_size_t, mach_msg_timeout_t, mach_port_name_t,
};
use super::mach_msg;

/// None: each message of a row is a trap.
///
/// # Safety
/// As `mach_msg_send_row`.
#[inline]
pub(in super::super) unsafe fn send_at_once(
    _: *const mach_msg_header_t,
    _: mach_msg_size_t,
) -> mach_msg_size_t {
    0
}

/// Never: the memory has to lie in one place.
///
/// # Safety
/// As `mach_msg_send_gathered`.
#[inline]
pub(in super::super) unsafe fn send_gathered(
    _: *const mach_msg_header_t,
    _: mach_msg_option_t,
    _: mach_msg_size_t,
    _: mach_msg_timeout_t,
    _: &[&[u8]],
) -> Option<mach_msg_return_t> {
    None
}

/// Never, as above.
#[inline]
pub(in super::super) fn send_parts(_: &[&[u8]]) -> bool {
    false
}

/// # Safety
/// As `mach_msg_receive_row`.
#[inline]
pub(in super::super) unsafe fn receive_row(
    buffer: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    end: *mut mach_msg_size_t,
) -> mach_msg_return_t {
    // SAFETY: the caller's duties.
    let code =
        unsafe { mach_msg(buffer, option | MACH_RCV_MSG, 0, limit, receive_name, timeout, MACH_PORT_NULL) };
    if code == MACH_MSG_SUCCESS {
        // SAFETY: a message was received, so its header is there.
        let size = unsafe { buffer.read() }.msgh_size;
        // SAFETY: valid for a write by the caller's word.
        unsafe { end.write(size) };
    }
    code
}
