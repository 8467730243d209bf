//! When a host's thread waits for messages, and when it keeps asking for them.

use std::time::{Duration, Instant};

use crate::port::Deadline;

/// How many messages to let pass between two looks at the clock.
const BATCH: u32 = 64;

/// Decides for each receive whether to wait. Above a given rate of messages the thread asks without waiting, for at most
/// the spin budget in a row: the next message is likely to be there before a sleep would have begun.
pub(super) struct Pace {
    /// Messages a second above which it does not wait; `None` to always wait.
    threshold: Option<u32>,
    budget: Duration,
    since: Instant,
    count: u32,
    fast: bool,
    /// When the present row of receives without a message began.
    empty_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(threshold: Option<u32>, budget: Duration) -> Self {
        Self { threshold, budget, since: Instant::now(), count: 0, fast: false, empty_since: None }
    }

    /// Until when the next receive may wait.
    pub(super) fn deadline(&self) -> Deadline {
        if self.fast { Deadline::now() } else { Deadline::never() }
    }

    /// A message came.
    #[inline]
    pub(super) fn message(&mut self) {
        let Some(threshold) = self.threshold else { return };
        self.empty_since = None;
        self.count += 1;
        if self.count == BATCH {
            let now = Instant::now();
            let rate = f64::from(BATCH) / (now - self.since).as_secs_f64();
            self.fast = rate >= f64::from(threshold);
            (self.since, self.count) = (now, 0);
        }
    }

    /// No message was there.
    pub(super) fn empty(&mut self) {
        if !self.fast {
            return;
        }
        let now = Instant::now();
        let since = *self.empty_since.get_or_insert(now);
        if now - since >= self.budget {
            (self.fast, self.empty_since) = (false, None);
            (self.since, self.count) = (now, 0);
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_threshold_it_always_waits() {
        let mut pace = Pace::new(None, Duration::from_secs(1));
        for _ in 0..10 * BATCH {
            pace.message();
        }
        assert_eq!(pace.deadline(), Deadline::never());
    }

    #[test]
    fn above_the_threshold_it_asks_until_the_budget_is_spent() {
        let mut pace = Pace::new(Some(1), Duration::ZERO);
        for _ in 0..BATCH {
            pace.message();
        }
        assert_eq!(pace.deadline(), Deadline::now());
        pace.empty();
        assert_eq!(pace.deadline(), Deadline::never());
    }

    #[test]
    fn below_the_threshold_it_waits() {
        let mut pace = Pace::new(Some(u32::MAX), Duration::from_secs(1));
        for _ in 0..BATCH {
            pace.message();
        }
        assert_eq!(pace.deadline(), Deadline::never());
    }
}
