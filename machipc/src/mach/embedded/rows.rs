//! Rows of messages, as the seam has them: what goes at once and what has come together (see `link::rows`).

use super::link::rows::ROW_MAX;
use super::task::{Task, task};
use crate::mach::{
    MACH_MSG_SUCCESS, MACH_RCV_MSG, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t, mach_msg_size_t,
    mach_msg_timeout_t, mach_port_name_t,
};

/// Sends what goes at once of a row. Returns how many bytes of it that was.
///
/// # Safety
/// `row` is readable for `size` bytes.
pub(in super::super) unsafe fn send_at_once(
    row: *const mach_msg_header_t,
    size: mach_msg_size_t,
) -> mach_msg_size_t {
    // SAFETY: the caller's word; the borrow ends with this function.
    let row = unsafe { core::slice::from_raw_parts(row.cast::<u8>(), size as usize) };
    task().send_row(row) as mach_msg_size_t
}

/// # Safety
/// As `mach_msg_receive_row`.
pub(in super::super) unsafe fn receive_row(
    buffer: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    limit: mach_msg_size_t,
    name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    end: *mut mach_msg_size_t,
) -> mach_msg_return_t {
    let mut last = 0;
    // SAFETY: the caller's word on `buffer` and `limit`.
    let code =
        unsafe { task().receive(buffer, limit, name, option | MACH_RCV_MSG, timeout, Some(&mut last)) };
    if code == MACH_MSG_SUCCESS {
        // SAFETY: valid for a write by the caller's word.
        unsafe { end.write_unaligned(last as mach_msg_size_t) };
    }
    code
}

impl Task {
    /// Sends what goes at once of a row.
    fn send_row(&self, row: &[u8]) -> usize {
        if let Some(poller) = self.poller() {
            poller.count_call();
        }
        let mut sent = 0;
        while sent < row.len() {
            let part = &row[sent..];
            let count = self.with(|kernel| match kernel.send_row(part) {
                // Credit may have come.
                0 if kernel.drain_links() => kernel.send_row(part),
                count => count,
            });
            if count == 0 {
                break;
            }
            sent += count;
        }
        sent
    }
}

/// How much of a buffer of `limit` bytes a row may need.
pub(super) fn room_for_row(limit: mach_msg_size_t) -> usize {
    (limit as usize).min(ROW_MAX)
}
