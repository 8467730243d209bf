//! Until when a message or a call may wait.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::port::Deadline;

/// Until when one message or one call may wait: room in the queue and the answer share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// `None` is for ever.
    pub(super) at: Option<Instant>,
    /// How long that was from when it was made.
    allowed: Option<Duration>,
}

impl Limit {
    /// `own` from now on, or until `inherited` where that is earlier; `None` when that has passed.
    pub(super) fn new(own: Option<Duration>, inherited: Option<Instant>) -> Option<Self> {
        if own.is_none() && inherited.is_none() {
            return Some(Self { at: None, allowed: None });
        }
        let now = Instant::now();
        let own = Self::own_from(now, own);
        let Some(inherited) = inherited.filter(|inherited| own.at.is_none_or(|own| *inherited < own)) else {
            return Some(own);
        };
        let left = inherited.saturating_duration_since(now);
        (!left.is_zero()).then_some(Self { at: Some(inherited), allowed: Some(left) })
    }

    /// `own` from now on.
    pub(super) fn own(own: Option<Duration>) -> Self {
        Self::own_from(Instant::now(), own)
    }

    fn own_from(now: Instant, own: Option<Duration>) -> Self {
        Self { at: own.and_then(|own| now.checked_add(own)), allowed: own }
    }

    /// The same for a wait that begins now.
    pub(super) fn fresh(&self) -> Deadline {
        match (self.at, self.allowed) {
            (Some(at), Some(left)) => Deadline::fresh(at, left),
            _ => Deadline::never(),
        }
    }

    /// The same for whatever waits.
    pub(super) fn deadline(&self) -> Deadline {
        self.at.map_or(Deadline::never(), Deadline::at)
    }

    /// How long it was.
    pub(super) fn allowed(&self) -> Duration {
        self.allowed.unwrap_or(Duration::MAX)
    }

    pub(super) fn too_late(&self, endpoint: &str) -> Error {
        Error::DeadlineExceeded { endpoint: endpoint.to_owned(), after: self.allowed() }
    }
}
