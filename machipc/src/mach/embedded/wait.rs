//! Threads that wait: what for, what came of it, and how they are woken.
//!
//! A [`Parker`] is generic over the word that it sleeps on, so that the tests below run it under loom; `link/ring.rs` says how.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::futex;

use super::message::Message;
use super::port::{Home, PortId, SetId};
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

/// How a wait ended. A message is in place: a box would be an allocation for each that a thread waits for.
#[derive(Debug)]
pub(super) enum Outcome {
    Message(Taken),
    /// The first message does not fit and stays in the queue (`MACH_RCV_LARGE`).
    TooLarge {
        port: PortId,
        size: mach_msg_size_t,
    },
    PortChanged,
    Sent,
    /// There is room for a message with receive rights, and credit for it was taken; those who hold rights to these ports are to stop first.
    Moving(Box<Message>, Option<Home>),
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

/// The thread runs and no wake-up is pending.
const AWAKE: u32 = 0;
/// Somebody has called `wake`.
const NOTIFIED: u32 = 1;
/// Somebody has called `promote`.
const PROMOTED: u32 = 2;
/// The thread sleeps, or is about to, until the word changes.
const ASLEEP: u32 = 3;
/// The thread sleeps in a poll, or is about to.
const POLLING: u32 = 4;
/// The thread sleeps on several words, this one among them, or is about to.
pub(super) const PARKED: u32 = 5;

/// A word that a thread can sleep on: the system's futex, or loom's.
pub(super) trait Futex: Default {
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    fn swap(&self, value: u32, order: Ordering) -> u32;
    /// `compare_exchange`: whether the word was `current` and is `new` now. Acquires where it fails, too.
    fn replace(&self, current: u32, new: u32, order: Ordering) -> bool;
    /// Sleeps while the word is `value`, until `wake`, the time is up, or a signal has come (`INTR`).
    fn wait(&self, value: u32, timeout: Option<Duration>) -> rustix::io::Result<()>;
    fn wake(&self);
}

impl Futex for AtomicU32 {
    fn load(&self, order: Ordering) -> u32 {
        self.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.store(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.swap(value, order)
    }

    fn replace(&self, current: u32, new: u32, order: Ordering) -> bool {
        self.compare_exchange(current, new, order, Ordering::Acquire).is_ok()
    }

    fn wait(&self, value: u32, timeout: Option<Duration>) -> rustix::io::Result<()> {
        // A time that does not fit the kernel's type is as good as none.
        let timeout = timeout.and_then(|timeout| futex::Timespec::try_from(timeout).ok());
        futex::wait(self, futex::Flags::PRIVATE, value, timeout.as_ref())
    }

    fn wake(&self) {
        let _ = futex::wake(self, futex::Flags::PRIVATE, 1);
    }
}

/// One thread's place to sleep. A wake-up that comes before the sleep is not lost. Only the thread itself sleeps here; anybody may wake it.
#[derive(Default)]
pub(super) struct Parker<F: Futex = AtomicU32> {
    /// One of the states above. That one word says both where the thread is and what has come for it, so there is nothing to order.
    state: F,
}

/// What is left to do for a thread that was notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// It polls, and is woken by a bell.
    Bell,
    /// It was promoted and goes its way instead: somebody else has to lead.
    Leader,
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
        parker.reset();
        parker
    }

    /// Wakes the thread; `bell` is what wakes it from a poll. Returns whether it was to lead and will not: somebody else has to.
    pub(super) fn wake(&self, bell: Option<&OwnedFd>) -> bool {
        let needs = self.notify();
        if needs == Needs::Bell
            && let Some(bell) = bell
        {
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
        needs == Needs::Leader
    }
}

impl<F: Futex> Parker<F> {
    pub(super) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// Takes back a notification that was not the one awaited.
    pub(super) fn reset(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// Wakes the thread to lead, unless something it waited for has come, or it polls or has parked and so leads already.
    /// Returns whether it is to lead now that was not.
    pub(super) fn promote(&self) -> bool {
        loop {
            match self.state.load(Ordering::Relaxed) {
                AWAKE if self.state.replace(AWAKE, PROMOTED, Ordering::AcqRel) => return true,
                ASLEEP if self.state.replace(ASLEEP, PROMOTED, Ordering::AcqRel) => {
                    self.state.wake();
                    return true;
                }
                AWAKE | ASLEEP => {}
                _ => return false,
            }
        }
    }

    /// Whether the thread was to lead, which takes that back: it leads now, or somebody else has to.
    pub(super) fn take_promotion(&self) -> bool {
        self.state.replace(PROMOTED, AWAKE, Ordering::AcqRel)
    }

    /// `wake`, but for what that needs besides.
    pub(super) fn notify(&self) -> Needs {
        // Release meets the sleeper's Acquire: it sees what it is woken for.
        match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            ASLEEP | PARKED => {
                self.state.wake();
                Needs::Nothing
            }
            POLLING => Needs::Bell,
            PROMOTED => Needs::Leader,
            _ => Needs::Nothing,
        }
    }

    /// Sleeps until a wake-up, the deadline or a signal.
    pub(super) fn sleep(&self, deadline: Option<Instant>) -> Woken {
        if !self.state.replace(AWAKE, ASLEEP, Ordering::AcqRel) {
            return Woken::Notified;
        }
        let given_up = loop {
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if timeout.is_some_and(|timeout| timeout.is_zero()) {
                break Woken::TimedOut;
            }
            let slept = self.state.wait(ASLEEP, timeout);
            if self.state.load(Ordering::Acquire) != ASLEEP {
                return Woken::Notified;
            }
            // Woken for nothing, or the time is up: the loop's head tells.
            if slept == Err(rustix::io::Errno::INTR) {
                break Woken::Interrupted;
            }
        };
        // A wake-up may come at the last moment.
        if self.state.replace(ASLEEP, AWAKE, Ordering::AcqRel) { given_up } else { Woken::Notified }
    }

    /// Announces a sleep in a poll. Returns false when a wake-up has come already.
    pub(super) fn prepare_poll(&self) -> bool {
        self.state.replace(AWAKE, POLLING, Ordering::AcqRel)
    }

    /// Takes back `prepare_poll`, unless a wake-up has done so.
    pub(super) fn finish_poll(&self) {
        self.state.replace(POLLING, AWAKE, Ordering::AcqRel);
    }

    /// Announces a sleep on several words, of which [`word`](Self::word) is one while it is `PARKED`. Returns false when a wake-up has come already.
    pub(super) fn prepare_park(&self) -> bool {
        self.state.replace(AWAKE, PARKED, Ordering::AcqRel)
    }

    /// Takes back `prepare_park`, unless a wake-up has done so.
    pub(super) fn finish_park(&self) {
        self.state.replace(PARKED, AWAKE, Ordering::AcqRel);
    }

    /// What the thread sleeps on.
    pub(super) fn word(&self) -> &F {
        &self.state
    }
}
