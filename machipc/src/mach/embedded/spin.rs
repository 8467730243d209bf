//! How long a leader watches the rings before it sleeps.
//!
//! About as long as a wake-up takes, which is measured: the janitor is woken now and then, and tells how long that took. Shorter where watching has
//! failed, and where the thread was kept from running meanwhile: then there are more threads than processors, and whoever it waits for may need
//! this one.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a wake-up from another processor is taken to cost before one was seen, and within which bounds what was seen is believed.
const COST: Duration = Duration::from_micros(50);
const COST_MIN: Duration = Duration::from_micros(10);
const COST_MAX: Duration = Duration::from_micros(100);
/// Spins in a row that may fail before they get shorter: a wake-up on each side lies between two that sleep and two that spin. Failures count
/// `FAILED`, near misses `MISSED`.
const PATIENCE: u32 = 16;
const FAILED: u32 = 4;
const MISSED: u32 = 1;
const FAILURES_MAX: u32 = PATIENCE + 8 * FAILED;
/// A wait that takes no longer than so many full spins is a near miss: with wake-ups left out on both sides a spin would have done.
const MISS: u32 = 4;
/// A receiver lets its senders go ahead for so many nanoseconds for each message that counts, of which so many do.
const GAP: u64 = 64;
const GAPS_MAX: u32 = 16;
/// Who is not back at the clock for so long did not run.
const AWAY: Duration = Duration::from_micros(500);

/// How many of so many messages in a row, which waited for their receiver, count for its gap, with a queue of such a limit.
#[inline]
pub(super) fn gaps(streak: u32, limit: u32) -> u32 {
    if streak > 1 { streak.min(limit / 8).min(GAPS_MAX) } else { 0 }
}

/// How long it pays not to look for more. A receiver that keeps looking takes from the sender, with each message, the cache lines that it writes. So in a
/// stream it looks, once it has taken what it knew of, after a moment in which some may come: about as long as it took to send what it has
/// taken, and no longer than makes a small part of the queue limit. For a lone message it looks at once.
pub(super) fn gap(gaps: u32) -> Duration {
    Duration::from_nanos(u64::from(gaps) * GAP)
}

/// What is known about whether spinning pays.
pub(super) struct Spin {
    /// Spins in a row that found nothing, weighted.
    failures: AtomicU32,
    /// The leader has spun in vain just now and need not do so again.
    spun: AtomicBool,
    /// What a wake-up costs, in nanoseconds.
    cost: AtomicU32,
    /// When the janitor was woken, in nanoseconds from `epoch` on; 0: it was not.
    woken: AtomicU64,
    epoch: Instant,
}

impl Spin {
    pub(super) fn new() -> Self {
        Self {
            failures: AtomicU32::new(0),
            spun: AtomicBool::new(false),
            cost: AtomicU32::new(COST.as_nanos() as u32),
            woken: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    /// The longest spin.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_nanos(u64::from(self.cost.load(Ordering::Relaxed)))
    }

    /// How long the next spin may take. With `probe` it is a full one, whatever came of the last ones: the other side may have begun to spin
    /// too, or the machine may have a processor to spare again.
    pub(super) fn budget(&self, probe: bool) -> Duration {
        match self.failures.load(Ordering::Relaxed).checked_sub(PATIENCE) {
            Some(failures) if !probe => self.longest() / 2_u32.pow((failures / FAILED + 1).min(6)),
            _ => self.longest(),
        }
    }

    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// A spin found nothing, and the wait took so long in the end.
    pub(super) fn failed(&self, waited: Duration) {
        let count = if waited > self.longest() * MISS { FAILED } else { MISSED };
        let failures = self.failures.load(Ordering::Relaxed);
        self.failures.store((failures + count).min(FAILURES_MAX), Ordering::Relaxed);
    }

    /// A spin looks at the clock again, after so long. Returns whether it is to end because another thread has had the processor.
    pub(super) fn was_away(&self, between: Duration) -> bool {
        let away = between > AWAY;
        if away {
            self.failures.store(FAILURES_MAX, Ordering::Relaxed);
        }
        away
    }

    /// It would not pay to spin again at once.
    pub(super) fn has_spun(&self) {
        self.spun.store(true, Ordering::Relaxed);
    }

    /// Whether a spin has just ended in vain.
    pub(super) fn take_spun(&self) -> bool {
        self.spun.swap(false, Ordering::Relaxed)
    }

    /// The janitor is woken now.
    pub(super) fn wakes(&self) {
        self.woken.store(self.epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// The janitor has woken.
    pub(super) fn woke(&self) {
        let woken = self.woken.swap(0, Ordering::Relaxed);
        if woken != 0 {
            let now = self.epoch.elapsed().as_nanos() as u64;
            self.learn(Duration::from_nanos(now.saturating_sub(woken)));
        }
    }

    /// A wake-up took so long. What it is taken to cost goes a quarter of the way there: some take long because the machine is busy.
    fn learn(&self, took: Duration) {
        let took = took.clamp(COST_MIN, COST_MAX).as_nanos() as u32;
        let before = self.cost.load(Ordering::Relaxed);
        self.cost.store(before - before / 4 + took / 4, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spins_that_fail_get_shorter_and_one_that_does_not_ends_that() {
        let spin = Spin::new();
        for _ in 0..PATIENCE / FAILED {
            assert_eq!(spin.budget(false), COST);
            spin.failed(Duration::from_secs(1));
        }
        assert_eq!(spin.budget(false), COST / 2);
        assert_eq!(spin.budget(true), COST);
        (0..100).for_each(|_| spin.failed(Duration::from_secs(1)));
        assert_eq!(spin.budget(false), COST / 64);
        spin.succeeded();
        assert_eq!(spin.budget(false), COST);
    }

    #[test]
    fn who_is_kept_from_running_stops_spinning() {
        let spin = Spin::new();
        assert!(!spin.was_away(AWAY));
        assert_eq!(spin.budget(false), COST);
        assert!(spin.was_away(2 * AWAY));
        assert_eq!(spin.budget(false), COST / 64);
    }

    #[test]
    fn the_longest_spin_is_what_wake_ups_cost() {
        let spin = Spin::new();
        (0..50).for_each(|_| spin.learn(Duration::from_micros(20)));
        assert!(
            spin.longest().abs_diff(Duration::from_micros(20)) < Duration::from_micros(1),
            "{spin:?}",
            spin = spin.longest()
        );
        (0..50).for_each(|_| spin.learn(Duration::ZERO));
        assert!(spin.longest().abs_diff(COST_MIN) < Duration::from_micros(1));
        (0..50).for_each(|_| spin.learn(Duration::from_secs(1)));
        assert!(spin.longest().abs_diff(COST_MAX) < Duration::from_micros(1));
    }
}
