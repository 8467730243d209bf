//! The send of a message that carries nothing but bytes, to a send right that stays with the sender: what [`Outgoing`](super::Outgoing)
//! does in general, without what only rights and memory need. Of the 1,150 instructions that a small one-way message took, the general
//! way took some 300 and this takes some 60.

use core::ops::Range;

use zerocopy::IntoBytes;

use crate::mach;
use crate::message::AlignedBuffer;

use super::outgoing::{Field, Rights};
use super::{Deadline, MachError, restore, sys};

/// Header and padding in front of the prefix.
const HEAD: usize = size_of::<mach::mach_msg_header_t>().next_multiple_of(16);

/// Sends the message whose prefix and payload are at `content`, with room for a header in front.
pub(super) fn send(
    bytes: &mut AlignedBuffer,
    content: Range<usize>,
    id: i32,
    to: u32,
    deadline: Deadline,
) -> Result<(), MachError> {
    // The size of a message is a multiple of 4.
    let end = content.end.next_multiple_of(4);
    bytes.set_len(end);
    let bytes = bytes.as_mut_bytes();
    bytes[content.end..].iter_mut().for_each(|byte| *byte = 0);
    let message = &mut bytes[content.start - HEAD..];
    let bits = mach::MACH_MSGH_BITS(mach::MACH_MSG_TYPE_COPY_SEND, 0);
    let head: [u32; HEAD / 4] = [bits, message.len() as u32, to, mach::MACH_PORT_NULL, 0, id as u32, 0, 0];
    message[..HEAD].copy_from_slice(head.as_bytes());
    // SAFETY: the message has no descriptors. It starts at a multiple of 16 in an aligned buffer.
    let code = unsafe { sys::message(message, &mut [], mach::MACH_PORT_NULL, 0, deadline.milliseconds()) };
    if code == mach::MACH_MSG_SUCCESS { Ok(()) } else { Err(failed(message, to, code)) }
}

#[cold]
fn failed(message: &[u8], to: u32, code: mach::mach_msg_return_t) -> MachError {
    let error = MachError::new(code, "mach_msg");
    let rights = Rights {
        destination: Field::Copy(to),
        reply: Field::None,
        attachments: &[],
        payload: None,
        names: &[],
    };
    restore::failed(message, &rights, error);
    error
}
