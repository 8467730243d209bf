//! The short way of `mach_msg`, for messages that carry nothing but bytes and perhaps a loan (see `link::simple`), and a receiver's wait for them.

use std::time::{Duration, Instant};

use super::link::rows::header_of;
use super::link::simple::{Kind, Short};
use super::port::PortId;
use super::room::Room;
use super::spin;
use super::task::{self, Task, awaited};
use super::wait::Awaited;
use crate::mach::{
    MACH_MSG_SEND_MAX, MACH_MSGH_BITS_COMPLEX, MACH_RCV_INTERRUPT, MACH_RCV_TIMEOUT, MACH_SEND_NOTIFY,
    MACH_SEND_TIMEOUT, mach_msg_header_t, mach_msg_option_t, mach_msg_size_t, mach_msg_timeout_t,
    mach_port_name_t,
};

const HEADER: usize = size_of::<mach_msg_header_t>();
/// How often a receiver looks at what has come and is not for it, before the general way goes on.
const LOOKS: u32 = 64;

/// The header of a message, field by field: the caller has just written it so, and a wider load would have to wait until those stores have left
/// the processor's buffer.
///
/// # Safety
/// A header is readable at `message`, which is aligned.
#[inline]
unsafe fn read_header(message: *const mach_msg_header_t) -> mach_msg_header_t {
    let words = message.cast::<u32>();
    // SAFETY: the caller's word: each is one of a header's six words. Volatile, so that they are not read together.
    let word = |index: usize| unsafe { words.wrapping_add(index).read_volatile() };
    header_of(core::array::from_fn(word))
}

/// What came of a receive on the short way.
pub(super) enum Received {
    /// A message is in the buffer, or a row of them; the last one ends here.
    Message(usize),
    /// The general way goes on.
    General(Waited),
}

/// How a thread has waited on the short way.
#[derive(Default)]
pub(super) struct Waited {
    /// For which port: if the name is another's now, it has waited for something that has changed.
    pub(super) port: Option<PortId>,
    /// Until when it waits, if it has slept.
    pub(super) deadline: Option<Option<Instant>>,
}

impl Task {
    /// Sends a message of `size` bytes on the short way. False: nothing has happened.
    ///
    /// # Safety
    /// `message` is readable for `size` bytes.
    #[inline]
    pub(super) unsafe fn send_simple(
        &self,
        message: *const mach_msg_header_t,
        size: usize,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
    ) -> bool {
        let sound = (HEADER..=MACH_MSG_SEND_MAX as usize).contains(&size)
            && size.is_multiple_of(4)
            && message.is_aligned();
        if !sound || option & MACH_SEND_NOTIFY != 0 {
            return false;
        }
        // SAFETY: readable by the caller's word, a header fits, and the address was looked at.
        let header = unsafe { read_header(message) };
        let body = message.wrapping_add(1).cast::<u8>();
        // SAFETY: the rest of the message, by the caller's word; the borrow ends before this function does.
        let body = unsafe { core::slice::from_raw_parts(body, size - HEADER) };
        let waits = option & MACH_SEND_TIMEOUT == 0 || timeout > 0;
        if Kind::of(&header) == Some(Kind::OneWay) && self.send_by_known_lane(&header, body, waits) {
            return true;
        }
        // SAFETY: as above.
        unsafe { self.send_simple_by_kernel(message, body, waits) }
    }

    /// The rest of [`send_simple`](Self::send_simple). It reads the header again, which so need not lie in memory there.
    ///
    /// # Safety
    /// A header is readable at `message`, which is aligned.
    #[inline(never)]
    unsafe fn send_simple_by_kernel(
        &self,
        message: *const mach_msg_header_t,
        body: &[u8],
        waits: bool,
    ) -> bool {
        // SAFETY: the caller's word.
        let header = unsafe { read_header(message) };
        let Some(kind) = Kind::of(&header).or_else(|| Kind::of_complex(&header)) else { return false };
        self.count_call();
        if header.msgh_bits & MACH_MSGH_BITS_COMPLEX != 0 {
            return self.with_lanes(|kernel| kernel.send_lent(kind, &header, body));
        }
        let mut lane = None;
        let sent = self.with_lanes(|kernel| {
            lane = if kind == Kind::OneWay { kernel.lane_to(header.msgh_remote_port) } else { None };
            lane.is_none() && kernel.send_simple(kind, &header, body)
        });
        match lane {
            Some(lane) => self.send_by_lane(lane, &header, body, waits),
            None => sent,
        }
    }

    /// Shows the janitor that the program is active.
    pub(super) fn count_call(&self) {
        if let Some(poller) = self.poller() {
            poller.count_call();
        }
    }

    /// Receives a message on the short way, or with `row` a row of them, and waits a moment for one, where `wait` allows it.
    ///
    /// # Safety
    /// `buffer` is writable for `room` bytes.
    pub(super) unsafe fn receive_simple(
        &self,
        buffer: *mut mach_msg_header_t,
        room: mach_msg_size_t,
        name: mach_port_name_t,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
        row: bool,
    ) -> Received {
        // SAFETY: the caller's word.
        let mut room = unsafe { Room::new(buffer.cast(), room as usize) };
        let Some(poller) = self.poller() else { return Received::General(Waited::default()) };
        let mut first = None;
        let mut gap = Duration::ZERO;
        let mut look = |gap: &mut Duration| {
            self.with_lanes(|kernel| {
                let Some(Awaited::Port(port)) = awaited(kernel, name) else { return Short::General };
                // Readiness tells of what is in queues, so everything has to go there.
                let others =
                    kernel.waiters.len() > 0 || !kernel.port(port).queue.is_empty() || kernel.has_readiness();
                if others || *first.get_or_insert(port) != port {
                    return Short::General;
                }
                let found = kernel.receive_simple(port, option, &mut room, row);
                if found == Short::Nothing {
                    *gap = spin::gap(core::mem::take(&mut kernel.links.gaps).max(kernel.lanes.gaps(port)));
                }
                found
            })
        };
        let mut noticed = poller.noticed();
        poller.count_call();
        let mut found = look(&mut gap);
        let limited = option & MACH_RCV_TIMEOUT != 0;
        let waits = !limited || timeout > 0;
        if found == Short::Nothing && !gap.is_zero() {
            if waits {
                poller.let_go_ahead(gap);
            }
            found = look(&mut gap);
        }
        let mut deadline = None;
        if found == Short::Nothing && waits && poller.try_lead() {
            // A peer that keeps sending something else must not keep this thread from looking at its deadline.
            for _ in 0..LOOKS {
                if found != Short::Nothing {
                    break;
                }
                if !poller.watch(noticed) {
                    // Signals are the general way's.
                    let until = *deadline.get_or_insert_with(|| task::deadline(limited, timeout));
                    if option & MACH_RCV_INTERRUPT != 0 || !self.sleep_until_noticed(poller, noticed, until) {
                        break;
                    }
                }
                noticed = poller.noticed();
                found = look(&mut gap);
            }
            poller.stop_leading();
            if poller.has_followers() {
                self.hand_lead_on(None);
            }
        }
        match found {
            Short::Taken { end } => Received::Message(end),
            Short::General | Short::Nothing => Received::General(Waited { port: first, deadline }),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::task::task;
    use super::*;
    use crate::mach::{MACH_MSG_TYPE_COPY_SEND, MACH_MSGH_BITS, MACH_PORT_NULL, MACH_SEND_MSG};

    /// In a process of its own: other tests are active, too.
    #[test]
    fn who_sends_nothing_but_memory_is_active() {
        const ALONE: &str = "MACHIPC_TEST_ACTIVE";
        if std::env::var_os(ALONE).is_none() {
            let this = "mach::imp::simple::tests::who_sends_nothing_but_memory_is_active";
            let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
            let output = alone.args([this, "--exact"]).env(ALONE, "1").output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            return;
        }
        task().start_polling().unwrap();
        let poller = task().poller().unwrap();
        let calls = || poller.activity().1;
        let header = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
            msgh_size: HEADER as u32,
            msgh_remote_port: MACH_PORT_NULL,
            msgh_local_port: MACH_PORT_NULL,
            msgh_voucher_port: MACH_PORT_NULL,
            msgh_id: 0,
        };
        let before = calls();
        // SAFETY: a header is readable for its size.
        let sent = unsafe { task().send_simple(&raw const header, HEADER, MACH_SEND_MSG, 0) };
        assert!(!sent && calls() != before);
    }
}
