//! How a host ends: why, who is still at work, and what is left to do.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::port::{Deadline, MessageBuffer, Parcel, ReceiveRight, Received, SendRight};
use crate::reply::wire::{self, Refusal, Why};

use super::stats::HostStats;

/// Why a host has ended: see [`HostStats::ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// A handler called [`Context::stop`](crate::Context::stop).
    Stopped,
    /// By [`Host::shutdown`](crate::Host::shutdown) or [`Context::shutdown`](crate::Context::shutdown).
    ShutDown,
    /// There were no clients for [so long](crate::HostBuilder::exit_when_idle).
    Idle,
    /// Nothing can be received any more. The log says why.
    Failed,
}

/// The end of a host, as its threads and contexts share it.
pub(crate) struct Ending {
    state: Mutex<State>,
    /// A thread has ended, or a deadline was set.
    changed: Condvar,
    /// As many bytes a message may have that is taken out of the queue.
    largest: usize,
}

#[derive(Default)]
struct State {
    why: Option<Ended>,
    /// Set by a shutdown: what is in hand may take until then. The outer one says that there is a shutdown.
    until: Option<Option<Instant>>,
    /// Threads of the host's that have not ended.
    running: usize,
    /// One-way messages that were in the queue when the shutdown began.
    backlog: VecDeque<Parcel>,
    /// Callers whose requests were in the queue then, and who were told.
    turned_away: u64,
    /// Messages that were left in the queue to the next host.
    left: u64,
    unfinished: u64,
    /// Keeps the name of the port, which is gone, from denoting another, while threads may be about to receive from it.
    _keeper: Option<SendRight<()>>,
}

/// One of the host's threads, while it runs.
pub(super) struct Running<'e>(&'e Ending);

impl Ending {
    pub(crate) fn new(largest: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), largest }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why the host ends. The first reason counts.
    pub(crate) fn because(&self, why: Ended) {
        self.state().why.get_or_insert(why);
    }

    /// Begins a shutdown; false if there is one already.
    pub(crate) fn begin(&self, grace: Duration) -> bool {
        let mut state = self.state();
        if state.until.is_some() {
            return false;
        }
        state.until = Some(Instant::now().checked_add(grace));
        state.why.get_or_insert(Ended::ShutDown);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Whether the host is being shut down, and not just stopped.
    pub(crate) fn is_shutdown(&self) -> bool {
        self.state().until.is_some()
    }

    /// Takes what is in the queue: callers are told, one-way messages are kept for the host's threads. Then the port goes, and with it the
    /// host's name. Of a declared name the queue is the next host's.
    pub(crate) fn close(&self, port: &ReceiveRight<()>) {
        let queued = port.queued().unwrap_or(0);
        if port.returns_to_system() {
            self.state().left += u64::from(queued);
        } else {
            // Senders that wait for room, or go on and on, must not keep the host from ending.
            self.empty(port, queued + ReceiveRight::<()>::QUEUE_LIMIT_MAX);
        }
        let keeper = port.retire();
        self.state()._keeper = keeper;
    }

    fn empty(&self, port: &ReceiveRight<()>, most: u32) {
        let mut buffer = MessageBuffer::new();
        buffer.set_largest(self.largest);
        for _ in 0..most {
            match Parcel::receive(port, &mut buffer, Deadline::now()) {
                Ok(parcel) if parcel.wants_reply() => self.turn_away(parcel),
                // A thread was to be woken.
                Ok(parcel) if parcel.is_notification() => {}
                Ok(parcel) => self.state().backlog.push_back(parcel),
                // Destroyed.
                Err(error) if error.is_too_large() => {}
                Err(_) => break,
            }
        }
    }

    fn turn_away(&self, mut parcel: Parcel) {
        parcel.open().iter().for_each(|request| self.refuse(request));
    }

    fn refuse(&self, request: &Received<'_>) {
        if let Some(right) = request.take_reply() {
            wire::refuse(right, &Refusal::new(Why::Stopping, String::new()));
            self.state().turned_away += 1;
        }
    }

    /// Whether a message that was received before the host began to stop, together with others, is still handled.
    #[cold]
    pub(super) fn takes(&self, received: &Received<'_>) -> bool {
        let mut state = self.state();
        let Some(until) = state.until else { return false };
        if received.wants_reply() {
            drop(state);
            self.refuse(received);
            return false;
        }
        let in_time = until.is_none_or(|until| Instant::now() < until);
        state.left += u64::from(!in_time);
        in_time
    }

    /// The next message that is still to be handled, until the grace is over.
    pub(super) fn next(&self) -> Option<Parcel> {
        let mut state = self.state();
        let in_time = state.until?.is_none_or(|until| Instant::now() < until);
        if in_time { state.backlog.pop_front() } else { None }
    }

    /// Whether there are messages that are still to be handled.
    pub(super) fn has_next(&self) -> bool {
        !self.state().backlog.is_empty()
    }

    /// Until when what is in hand may take: `None` without a shutdown or without an end.
    pub(super) fn until(&self) -> Option<Instant> {
        self.state().until.flatten()
    }

    /// One more thread of the host's. It is to be made before the thread is.
    pub(super) fn run(&self) {
        self.state().running += 1;
    }

    /// The thread that was counted by [`run`](Self::run): it ends when the value is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        Running(self)
    }

    /// The thread that was counted by [`run`](Self::run) could not be made, or has ended.
    pub(super) fn ran(&self) {
        self.state().running -= 1;
        self.changed.notify_all();
    }

    /// Waits until no thread of the host's runs but `own` ones, or the grace is over. Returns how many then run still.
    pub(super) fn wait(&self, own: usize) -> usize {
        let mut state = self.state();
        loop {
            let left = state.running.saturating_sub(own);
            if left == 0 {
                return 0;
            }
            state = match state.until.flatten() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let time = until.saturating_duration_since(Instant::now());
                    if time.is_zero() {
                        return left;
                    }
                    let waited = self.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            }
        }
    }

    /// Counts handlers that were still at work when the grace was over.
    pub(super) fn count_unfinished(&self, handlers: usize) {
        self.state().unfinished += handlers as u64;
    }

    pub(super) fn add_to(&self, stats: &mut HostStats) {
        let state = self.state();
        stats.ended = state.why;
        stats.turned_away = state.turned_away;
        stats.left = state.left + state.backlog.len() as u64;
        stats.unfinished = state.unfinished;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ran();
    }
}
