//! The send of a message that carries nothing but bytes, besides the rights in its header: what [`Outgoing`](super::Outgoing) does in general, without what only rights and memory need. Of the 1,150 instructions that a small one-way message took, the general
//! way took some 300 and this takes some 60.

use core::ops::Range;

use zerocopy::IntoBytes;

use crate::mach;
use crate::message::AlignedBuffer;

use super::outgoing::{Field, Rights};
use super::{Deadline, MachError, restore, sys};

/// Header and padding in front of the prefix.
pub(super) const HEAD: usize = size_of::<mach::mach_msg_header_t>().next_multiple_of(16);

/// Writes the head of a message without descriptors that is `size` bytes long, and takes the rights in it out of their cells.
#[inline]
pub(super) fn write_head(
    message: &mut [u8],
    size: usize,
    id: i32,
    destination: &Field<'_>,
    reply: &Field<'_>,
) {
    let ((remote, to), (local, from)) = (destination.take(), reply.take());
    let bits = mach::MACH_MSGH_BITS(remote, local);
    let head: [u32; HEAD / 4] = [bits, size as u32, to, from, 0, id as u32, 0, 0];
    message[..HEAD].copy_from_slice(head.as_bytes());
}

/// A message without descriptors that is to be sent.
pub(super) struct Plain<'p, 'm> {
    pub(super) bytes: &'p mut AlignedBuffer,
    /// Where prefix and payload are, with room for a header in front.
    pub(super) content: Range<usize>,
    pub(super) id: i32,
    pub(super) destination: Field<'m>,
    pub(super) reply: Field<'m>,
}

impl Plain<'_, '_> {
    /// How many bytes the message has as it travels. That is a multiple of 4.
    #[inline]
    pub(super) fn size(&self) -> usize {
        HEAD + self.content.len().next_multiple_of(4)
    }

    /// Sends a one-way message to the port of a send right of this name, which the caller keeps, and waits for room in its queue until the
    /// deadline. All that follows is inlined here.
    pub(super) fn post(
        bytes: &mut AlignedBuffer,
        content: Range<usize>,
        id: i32,
        to: u32,
        deadline: Deadline,
    ) -> Result<usize, MachError> {
        let plain = Plain { bytes, content, id, destination: Field::Copy(to), reply: Field::None };
        let size = plain.size();
        let timeout = deadline.milliseconds();
        plain.transmit(&mut [], mach::MACH_PORT_NULL, 0, timeout, Deadline::now()).map(|_| size)
    }

    /// Sends, and receives where `receive` has room: see `Outgoing::transmit`. A message that finds no room for as long as `timeout` is
    /// sent again until `deadline`, and then nothing is received yet.
    #[inline(always)]
    pub(super) fn transmit(
        self,
        receive: &mut [u8],
        port: u32,
        option: mach::mach_msg_option_t,
        timeout: Option<u32>,
        deadline: Deadline,
    ) -> Result<mach::mach_msg_return_t, MachError> {
        let Self { bytes, content, id, destination, reply } = self;
        // The size of a message is a multiple of 4.
        let end = content.end.next_multiple_of(4);
        bytes.set_len(end);
        let bytes = bytes.as_mut_bytes();
        bytes[content.end..].iter_mut().for_each(|byte| *byte = 0);
        let message = &mut bytes[content.start - HEAD..];
        let size = message.len();
        write_head(message, size, id, &destination, &reply);
        // SAFETY: the message has no descriptors. It starts at a multiple of 16 in an aligned buffer.
        let mut code = unsafe { sys::message(message, receive, port, option, timeout) };
        if code == mach::MACH_MSG_SUCCESS {
            return Ok(code);
        }
        if code == mach::MACH_SEND_TIMED_OUT && !deadline.has_passed() {
            // What came back can be sent as it is.
            // SAFETY: as above; the kernel has written nothing but rights and their dispositions.
            code =
                unsafe { sys::message(message, &mut [], mach::MACH_PORT_NULL, 0, deadline.milliseconds()) };
            if code == mach::MACH_MSG_SUCCESS {
                return Ok(mach::MACH_RCV_TIMED_OUT);
            }
        }
        let error = MachError::new(code, "mach_msg");
        if error.is_receive() {
            return Ok(code);
        }
        let rights = Rights { destination, reply, attachments: &[], payload: None, names: &[] };
        restore::failed(message, &rights, error);
        Err(error)
    }
}
