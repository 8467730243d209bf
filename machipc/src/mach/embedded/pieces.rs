//! A message with large memory to another process: the thread that sends it writes the memory into the ring, piece by piece (see
//! `link::pieces`), and waits for room in between.

use std::time::Instant;

use super::draft::{Descriptor, Draft};
use super::link::pieces::{LEAST, MESSAGE_MAX, Progress, Source, Way};
use super::link::simple::Kind;
use super::loans;
use super::memory;
use super::poll::Poller;
use super::recycle;
use super::task::{Task, deadline, task};
use crate::mach::{
    MACH_MSG_SUCCESS, MACH_MSG_TYPE_COPY_SEND, MACH_MSGH_BITS_COMPLEX, MACH_MSGH_BITS_REMOTE,
    MACH_MSGH_BITS_USER, MACH_SEND_INTERRUPT, MACH_SEND_NOTIFY, MACH_SEND_TIMEOUT, mach_msg_header_t,
    mach_msg_option_t, mach_msg_return_t, mach_msg_size_t, mach_msg_timeout_t,
};

/// Sends a message and the memory that it carries alone, if that can go in pieces now. `None`: nothing has happened.
///
/// # Safety
/// `message` is readable for `size` bytes.
pub(in super::super) unsafe fn send_gathered(
    message: *const mach_msg_header_t,
    option: mach_msg_option_t,
    size: mach_msg_size_t,
    timeout: mach_msg_timeout_t,
    parts: &[&[u8]],
) -> Option<mach_msg_return_t> {
    // SAFETY: the caller's word.
    let draft = unsafe { Draft::read(message, size as usize, recycle::take()) }.ok()?;
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if option & MACH_SEND_NOTIFY != 0 || draft.memory_alone() != Some(total) {
        return None;
    }
    let deadline = deadline(option & MACH_SEND_TIMEOUT != 0, timeout);
    task().send_in_pieces(&mut Some(draft), parts, deadline, option & MACH_SEND_INTERRUPT != 0)
}

impl Draft {
    /// The length of the memory that the message carries, if it carries nothing else, is large, and goes from a port to where messages in
    /// pieces can go.
    pub(super) fn memory_alone(&self) -> Option<usize> {
        let [Descriptor::Memory { span, .. }] = self.descriptors[..] else { return None };
        let header = mach_msg_header_t {
            msgh_bits: self.bits & MACH_MSGH_BITS_USER & !MACH_MSGH_BITS_COMPLEX,
            msgh_remote_port: self.remote,
            msgh_local_port: self.local,
            ..Default::default()
        };
        let lent = span.deallocate && loans::is_loan(span.address);
        let fits =
            !lent && span.len >= LEAST && self.bytes.len() <= MESSAGE_MAX && Kind::of(&header).is_some();
        fits.then_some(span.len)
    }

    /// The memory that the message carries alone, where it can be read.
    ///
    /// # Safety
    /// It may be read, and nothing writes to it or unmaps it for `'a`.
    pub(super) unsafe fn readable_memory<'a>(&self) -> Option<&'a [u8]> {
        let [Descriptor::Memory { span, .. }] = self.descriptors[..] else { return None };
        memory::check_readable(span.address, span.len).ok()?;
        // SAFETY: found readable, and the rest is the caller's word.
        Some(unsafe { core::slice::from_raw_parts(span.address as *const u8, span.len) })
    }
}

impl Task {
    /// Sends a message and the memory that it carries alone, whose bytes are `parts`, in pieces. `None`: nothing has happened, and the message is in
    /// `draft` still; it can go another way.
    pub(super) fn send_in_pieces(
        &self,
        draft: &mut Option<Draft>,
        parts: &[&[u8]],
        deadline: Option<Instant>,
        interruptible: bool,
    ) -> Option<mach_msg_return_t> {
        let message = draft.as_ref()?;
        let once = MACH_MSGH_BITS_REMOTE(message.bits) != MACH_MSG_TYPE_COPY_SEND;
        let (name, len) = (message.remote, message.memory_alone()?);
        self.poller()?.count_call();
        let way = self.with(|kernel| {
            // Credit given or asked back, or the port's death, may be on its way.
            kernel.drain_links();
            kernel.begin_pieces(name, once, len)
        })?;
        let mut source = Source::new(parts);
        let mut written = false;
        loop {
            let progress = if written {
                match self.with(|kernel| kernel.finish_pieces(way, draft, self.sender)) {
                    Ok(Progress::Done) => return Some(MACH_MSG_SUCCESS),
                    Ok(progress) => progress,
                    Err(code) => return Some(code),
                }
            } else {
                self.with(|kernel| kernel.write_pieces(way, &mut source))
            };
            match progress {
                Progress::More => {}
                Progress::Done => written = true,
                Progress::Lost => return None,
                Progress::Full(room) => {
                    let watch = |poller: &Poller| room.is_some_and(|room| poller.watch_room(&room));
                    let watched = self.poller().is_some_and(watch);
                    if !watched && !self.sleep_until_room(way, deadline, interruptible) {
                        self.with(|kernel| kernel.give_up(way));
                        return None;
                    }
                }
            }
        }
    }

    /// Sleeps until a transfer can go on, or cannot any more. False: time is up, or a signal has come.
    fn sleep_until_room(&self, way: Way, deadline: Option<Instant>, interruptible: bool) -> bool {
        let mut goes_on = false;
        self.await_progress(way.port(), deadline, interruptible, |kernel| {
            goes_on = kernel.can_go_on(way);
            goes_on
        });
        goes_on
    }
}
