//! A message whose bytes lie in several places, sent on the short way.

use super::link::Producer;
use super::link::rows::header_at;
use super::link::simple::{Body, Kind};
use super::task::task;
use crate::mach::{MACH_MSG_SEND_MAX, mach_msg_header_t};

const HEADER: usize = size_of::<mach_msg_header_t>();

/// Sends a message that lies in parts, if it is simple and can go at once.
pub(in super::super) fn send_parts(parts: &[&[u8]]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let (Some(header), Some(first)) = (header_at(first, 0), first.get(HEADER..)) else { return false };
    let Some(kind) = Kind::of(&header) else { return false };
    let body = Parts { first, rest, len: first.len() + rest.iter().map(|part| part.len()).sum::<usize>() };
    let size = HEADER + body.len;
    if size > MACH_MSG_SEND_MAX as usize || !size.is_multiple_of(4) {
        return false;
    }
    let task = task();
    task.count_call();
    task.with_lanes(|kernel| kernel.send_simple(kind, &header, body))
}

/// What follows a message's header.
#[derive(Clone, Copy)]
struct Parts<'p> {
    first: &'p [u8],
    rest: &'p [&'p [u8]],
    len: usize,
}

impl Body for Parts<'_> {
    fn len(self) -> usize {
        self.len
    }

    fn write<const N: usize>(self, ring: &mut Producer, head: [u8; N]) {
        ring.write_two(head, self.first);
        ring.write_parts(self.rest);
    }
}
