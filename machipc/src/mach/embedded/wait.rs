//! Threads that wait: what for, what came of it, and how they are woken.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::thread::futex;

use super::message::Message;
use super::port::{PortId, SetId};
use crate::mach::mach_msg_size_t;

/// A waiter's index in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaiterId(pub(super) u32);

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A message on this port.
    Port(PortId),
    /// A message on any member of this set.
    Set(SetId),
    /// Room on this port, for the message that lies in its list of blocked senders.
    Room(PortId),
}

/// A message that was taken from a queue for one receiver.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) port: PortId,
    pub(super) sequence: u32,
    pub(super) message: Message,
}

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Message(Box<Taken>),
    /// The first message does not fit and stays in the queue (`MACH_RCV_LARGE`).
    TooLarge {
        port: PortId,
        size: mach_msg_size_t,
    },
    PortChanged,
    Sent,
}

/// A blocked thread.
pub(super) struct Waiter {
    pub(super) parker: Arc<Parker>,
    pub(super) awaited: Awaited,
    /// The receive buffer's size less the trailer's.
    pub(super) room: mach_msg_size_t,
    /// Leave a message that does not fit in the queue.
    pub(super) large: bool,
    pub(super) outcome: Option<Outcome>,
}

const NOTIFIED: u32 = 1;
const PROMOTED: u32 = 2;

const RUNNING: u32 = 0;
const ON_FUTEX: u32 = 1;
const ON_POLL: u32 = 2;

/// One thread's place to sleep. A wake-up that comes before the sleep is not lost.
#[derive(Default)]
pub(super) struct Parker {
    /// `NOTIFIED` once somebody has called `wake`, `PROMOTED` after `promote`.
    notified: AtomicU32,
    /// Where the thread sleeps or is about to.
    sleeping: AtomicU32,
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Notified,
    TimedOut,
    Interrupted,
}

impl Parker {
    /// The calling thread's parker, with no wake-up pending.
    pub(super) fn current() -> Arc<Self> {
        thread_local! {
            static PARKER: RefCell<Option<Arc<Parker>>> = const { RefCell::new(None) };
        }
        let fresh = || Arc::new(Parker::default());
        // A thread that is being torn down has lost its local and gets a parker for this once.
        let parker = PARKER
            .try_with(|cell| cell.borrow_mut().get_or_insert_with(fresh).clone())
            .unwrap_or_else(|_| fresh());
        parker.notified.store(0, Ordering::Relaxed);
        parker
    }

    pub(super) fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire) == NOTIFIED
    }

    /// Takes back a notification that was not the one awaited.
    pub(super) fn reset(&self) {
        self.notified.store(0, Ordering::SeqCst);
    }

    /// Wakes the thread to lead, unless something it waited for has come.
    pub(super) fn promote(&self) {
        if self.notified.compare_exchange(0, PROMOTED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            && self.sleeping.load(Ordering::SeqCst) == ON_FUTEX
        {
            let _ = futex::wake(&self.notified, futex::Flags::PRIVATE, 1);
        }
    }

    /// Whether the thread was woken only to lead.
    pub(super) fn take_promotion(&self) -> bool {
        self.notified.compare_exchange(PROMOTED, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Wakes the thread; `bell` is what wakes it from a poll.
    pub(super) fn wake(&self, bell: Option<&OwnedFd>) {
        // SeqCst, here and in the sleeps: either this side sees where the thread sleeps or the thread sees `notified`.
        if self.notified.swap(NOTIFIED, Ordering::SeqCst) == NOTIFIED {
            return;
        }
        match self.sleeping.load(Ordering::SeqCst) {
            ON_FUTEX => {
                let _ = futex::wake(&self.notified, futex::Flags::PRIVATE, 1);
            }
            ON_POLL => {
                if let Some(bell) = bell {
                    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
                }
            }
            _ => {}
        }
    }

    /// Sleeps until a wake-up, the deadline or a signal.
    pub(super) fn sleep(&self, deadline: Option<Instant>) -> Woken {
        self.sleeping.store(ON_FUTEX, Ordering::SeqCst);
        let woken = loop {
            if self.notified.load(Ordering::SeqCst) != 0 {
                break Woken::Notified;
            }
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if timeout.is_some_and(|timeout| timeout.is_zero()) {
                break Woken::TimedOut;
            }
            // A time that does not fit the kernel's type is as good as none.
            let timeout = timeout.and_then(|timeout| futex::Timespec::try_from(timeout).ok());
            let slept = futex::wait(&self.notified, futex::Flags::PRIVATE, 0, timeout.as_ref());
            // Woken, the value had changed already, or the time is up: the loop's head tells which.
            if slept == Err(rustix::io::Errno::INTR) {
                break Woken::Interrupted;
            }
        };
        self.sleeping.store(RUNNING, Ordering::Relaxed);
        woken
    }

    /// Announces a sleep in a poll. Returns false when a wake-up has come already.
    pub(super) fn prepare_poll(&self) -> bool {
        self.sleeping.store(ON_POLL, Ordering::SeqCst);
        self.notified.load(Ordering::SeqCst) == 0
    }

    /// Takes back `prepare_poll`.
    pub(super) fn finish_poll(&self) {
        self.sleeping.store(RUNNING, Ordering::Relaxed);
    }
}
