//! Giving way to a peer on the same processor, instead of sleeping.
//!
//! To watch for such a peer would only keep it from running. A leader gives its processor away once (`sched_yield`) before it sleeps: the peer finds
//! what was sent, answers, and gives way in turn, and neither has to be put to sleep and woken. That takes half as long.
//!
//! But who gives way has had its turn, for the system: where others want the processor, too, they have it for milliseconds, and a sleeper would
//! have been woken at once. So the time is taken, and where turns take long for more than a small part of the time, or bring nothing, nobody gives
//! way for a while.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds, as all times here.
const MS: u64 = 1_000_000;
/// Others had the processor, or the peer was busy for so long that it does not matter how it is waited for.
const LONG: u64 = MS / 20;
/// A long turn is an accident if so many times as much time has passed without.
const RARE: u64 = 8;
/// Pauses after long turns double from the first to the last of these.
const LONG_PAUSES: (u64, u64) = (2 * MS, 8192 * MS);
/// So many turns in a row may bring nothing. After each more the pause is twice as long, from 1 to 64 ms.
const PATIENCE: u64 = 4;

/// After a good turn so many are taken to be like it, unless they bring nothing: two looks at the clock take a tenth of a good turn.
const UNTIMED: u64 = 7;

/// What came of the turns that were given away. Only leaders write here, of which there is one at a time.
#[derive(Default)]
pub(super) struct Turns {
    /// When the pause ends; 0: there is none.
    until: AtomicU64,
    /// When the last long turn or pause ended.
    since: AtomicU64,
    /// The last pause after a long turn.
    pause: AtomicU64,
    /// Turns in a row that brought nothing.
    nothing: AtomicU64,
    /// So many of the next turns are given away without a look at the clock.
    untimed: AtomicU64,
}

impl Turns {
    /// Gives the processor away, if that is worth a try. Returns whether `look` has found something after that.
    pub(super) fn give_way(&self, look: impl FnOnce() -> bool) -> bool {
        if self.until.load(Ordering::Relaxed) != 0 {
            // This clock costs next to nothing and is a few milliseconds behind.
            if now(ClockId::MonotonicCoarse) < self.until.load(Ordering::Relaxed) {
                return false;
            }
            self.until.store(0, Ordering::Relaxed);
        }
        let untimed = self.untimed.load(Ordering::Relaxed);
        let began = (untimed == 0).then(|| now(ClockId::Monotonic));
        rustix::thread::sched_yield();
        let found = look();
        match began {
            Some(began) => self.learn(found, began, now(ClockId::Monotonic)),
            None if found => self.untimed.store(untimed - 1, Ordering::Relaxed),
            None => {
                self.nothing.store(1, Ordering::Relaxed);
                self.untimed.store(0, Ordering::Relaxed);
            }
        }
        found
    }

    fn learn(&self, found: bool, began: u64, ended: u64) {
        let took = ended.saturating_sub(began);
        if took > LONG {
            if began.saturating_sub(self.since.load(Ordering::Relaxed)) >= RARE * took {
                self.pause.store(0, Ordering::Relaxed);
                self.since.store(ended, Ordering::Relaxed);
            } else {
                let pause = (2 * self.pause.load(Ordering::Relaxed)).clamp(LONG_PAUSES.0, LONG_PAUSES.1);
                self.pause.store(pause, Ordering::Relaxed);
                self.rest(ended + pause);
            }
        } else if found {
            self.nothing.store(0, Ordering::Relaxed);
            self.untimed.store(UNTIMED, Ordering::Relaxed);
        } else {
            let nothing = self.nothing.load(Ordering::Relaxed) + 1;
            self.nothing.store(nothing, Ordering::Relaxed);
            if let Some(more) = nothing.checked_sub(PATIENCE + 1) {
                self.rest(ended + (MS << more.min(6)));
            }
        }
    }

    fn rest(&self, until: u64) {
        self.until.store(until, Ordering::Relaxed);
        self.since.store(until, Ordering::Relaxed);
    }
}

fn now(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1000 * MS + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause that such a turn makes.
    fn pause(turns: &Turns, found: bool, took: u64, passed: u64) -> u64 {
        turns.until.store(0, Ordering::Relaxed);
        let began = turns.since.load(Ordering::Relaxed) + passed;
        turns.learn(found, began, began + took);
        turns.until.load(Ordering::Relaxed).saturating_sub(began + took) / MS
    }

    #[test]
    fn turns_that_bring_nothing_make_pauses() {
        let turns = Turns::default();
        let pauses: Vec<u64> = (0..13).map(|_| pause(&turns, false, 1000, 0)).collect();
        assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(pause(&turns, true, 1000, 0), 0);
        assert_eq!(pause(&turns, false, 1000, 0), 0);
    }

    #[test]
    fn long_turns_make_pauses_unless_they_are_rare() {
        let turns = Turns::default();
        assert_eq!(pause(&turns, true, MS, RARE * MS), 0);
        let pauses: Vec<u64> = (0..14).map(|_| pause(&turns, true, MS, RARE * MS - 1)).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 8192]);
        assert_eq!(pause(&turns, false, MS, RARE * MS), 0);
        assert_eq!(pause(&turns, false, MS, MS), 2);
    }

    #[test]
    fn nobody_gives_way_in_a_pause() {
        let turns = Turns::default();
        turns.rest(now(ClockId::Monotonic) + 1_000_000 * MS);
        assert!(!turns.give_way(|| unreachable!("a pause")));
        turns.rest(1);
        assert!(turns.give_way(|| true));
    }
}
