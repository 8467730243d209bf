//! Rows: several messages in one call. Neither call is Mach's own; each means what [`mach_msg`](fn@super::mach_msg) of one message after the
//! other means, and saves what lies between two messages where the system has a way to.
//!
//! A *row* is messages that lie one behind the other, each at a multiple of [`ROW_ALIGN`] bytes from the row's start. `msgh_size` tells each
//! one's length. What lies between a message's end and the next one's start means nothing; it is zero in a row that is sent.

use super::{MACH_MSG_SUCCESS, MACH_PORT_NULL, MACH_SEND_MSG, mach_msg, mach_msg_timeout_t};
use super::{
    imp, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t, mach_msg_size_t, mach_port_name_t,
};

/// What the places of messages in a row are multiples of, in bytes.
pub const ROW_ALIGN: u32 = 16;

/// Sends the first message of a row, and as many of those behind it as can go at once; `size`, a multiple of [`ROW_ALIGN`], is the row's. Stores
/// how many bytes of the row were sent: where the next message begins, or `size`.
///
/// `option` and `timeout` are as in [`mach_msg`](fn@mach_msg), and count for the one message that has to wait, if one has. Messages that can go
/// at once are those to one send right, which they copy, that carry nothing but bytes: on Linux, to another process with room for them, all of them with one
/// lock taken and one publication. Any other message is sent like by `mach_msg`, by itself, and on Darwin each is: there it is one trap a message.
///
/// # Errors
/// Those of `mach_msg` for the message at the offset that is stored. Those before it were sent; it and those behind it were not, and it is as
/// `mach_msg` leaves it.
///
/// # Safety
/// As [`mach_msg`](fn@mach_msg) for each message. `row` is readable and writable for `size` bytes and aligned to 4, and every `msgh_size` in it
/// ends within it. `sent` is valid for one write.
pub unsafe fn mach_msg_send_row(
    row: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    size: mach_msg_size_t,
    timeout: mach_msg_timeout_t,
    sent: *mut mach_msg_size_t,
) -> mach_msg_return_t {
    // SAFETY: the caller's duties are the backend's.
    let mut at = unsafe { imp::send_at_once(row, size) };
    let mut code = MACH_MSG_SUCCESS;
    if at == 0 {
        // SAFETY: a row's first message is there, by the caller's word.
        let len = unsafe { row.read_unaligned() }.msgh_size;
        // SAFETY: the caller's duties, for the row's first message.
        code =
            unsafe { mach_msg(row, option | MACH_SEND_MSG, len, 0, MACH_PORT_NULL, timeout, MACH_PORT_NULL) };
        if code == MACH_MSG_SUCCESS {
            at = len.next_multiple_of(ROW_ALIGN).min(size);
        }
    }
    // SAFETY: valid for a write by the caller's word.
    unsafe { sent.write_unaligned(at) };
    code
}

/// Receives a message as [`mach_msg`](fn@mach_msg) does with `MACH_RCV_MSG`, and with it those that have come behind it, as a row. Stores where
/// the last one ends; its trailer follows, at the next multiple of 4, and is for all of them: they are of one sender.
///
/// Where there is more than one message none of them carries anything but bytes, and all came to the port `receive_name`. On Linux a row is what
/// lies in the ring of a link; on Darwin it is one message.
///
/// # Errors
/// Those of `mach_msg`, with nothing stored.
///
/// # Safety
/// As [`mach_msg`](fn@mach_msg) for a receive: `buffer` is writable for `limit` bytes and aligned to 4. `end` is valid for one write.
pub unsafe fn mach_msg_receive_row(
    buffer: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    end: *mut mach_msg_size_t,
) -> mach_msg_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::receive_row(buffer, option, limit, receive_name, timeout, end) }
}
