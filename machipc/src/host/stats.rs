//! What a host has counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ending::Ended;

/// What came to a host's port since it started. Messages that took the short cut inside the process never came to the
/// port and are not counted, but for panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStats {
    /// Messages given to the handler.
    pub handled: u64,
    /// Messages that are no message of this endpoint: wrong bytes, wrong descriptors, surplus or missing rights.
    pub malformed: u64,
    /// Messages of another fingerprint: the peer was built from other types.
    pub foreign: u64,
    /// Messages with an id that the endpoint does not have.
    pub unsupported: u64,
    /// Messages from processes that the peer policy does not admit.
    pub denied: u64,
    /// Messages larger than the largest message allowed, destroyed unread.
    pub too_large: u64,
    /// Requests that were not given to the handler, because nobody waited for the answer any more: the caller had gone, or its deadline
    /// had passed in the queue.
    pub abandoned: u64,
    /// Calls of the handler that panicked.
    pub panics: u64,
    /// Why the host has ended or is about to; `None` while it serves.
    pub ended: Option<Ended>,
    /// Requests that were in the queue when a [shutdown](crate::Host::shutdown) began. Their callers were told
    /// ([`Error::HostStopping`](crate::Error::HostStopping)).
    pub turned_away: u64,
    /// After a shutdown: one-way messages that were in the queue when it began and were not handled within its grace. Of a declared name
    /// all messages that were in the queue: they are the next host's.
    pub left: u64,
    /// Handlers that were still at work when the grace of a shutdown was over.
    pub unfinished: u64,
}

impl HostStats {
    /// All messages that were refused, for whatever reason.
    pub fn refused(&self) -> u64 {
        self.malformed + self.foreign + self.unsupported + self.denied + self.too_large
    }
}

/// The counters behind [`HostStats`]: one set for each thread of a host, so that counting shares no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    handled: AtomicU64,
    malformed: AtomicU64,
    foreign: AtomicU64,
    unsupported: AtomicU64,
    denied: AtomicU64,
    too_large: AtomicU64,
    abandoned: AtomicU64,
    panics: AtomicU64,
}

/// Why a message was not given to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Malformed,
    Foreign,
    Unsupported,
    Denied,
    TooLarge,
}

impl Counters {
    /// Counts a message for the handler; only the set's own thread calls this.
    #[inline]
    pub(crate) fn count_handled(&self) {
        // One writer, so that no atomic addition is needed.
        self.handled.store(self.handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, cause: Cause) {
        let counter = match cause {
            Cause::Malformed => &self.malformed,
            Cause::Foreign => &self.foreign,
            Cause::Unsupported => &self.unsupported,
            Cause::Denied => &self.denied,
            Cause::TooLarge => &self.too_large,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// As [`count_handled`](Self::count_handled), for any task.
    pub(crate) fn count_task(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Adds this set to `stats`.
    pub(crate) fn add_to(&self, stats: &mut HostStats) {
        stats.handled += self.handled();
        stats.malformed += self.malformed.load(Ordering::Relaxed);
        stats.foreign += self.foreign.load(Ordering::Relaxed);
        stats.unsupported += self.unsupported.load(Ordering::Relaxed);
        stats.denied += self.denied.load(Ordering::Relaxed);
        stats.too_large += self.too_large.load(Ordering::Relaxed);
        stats.abandoned += self.abandoned.load(Ordering::Relaxed);
        stats.panics += self.panics.load(Ordering::Relaxed);
    }
}
