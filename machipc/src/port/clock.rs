//! Instants as other processes of this machine understand them.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::mach;

/// One moment by both clocks. They run alike, so that one moment is enough.
struct Clock {
    instant: Instant,
    /// The machine's time at that instant lies between these two.
    earliest: u64,
    latest: u64,
}

/// The two clocks are close enough when they were read within so many nanoseconds.
const CLOSE: u64 = 1000;
/// So often is tried to read them so close together.
const TRIES: usize = 16;

impl Clock {
    fn of_process() -> &'static Self {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(Self::read)
    }

    fn read() -> Self {
        let once = || {
            let earliest = mach::machine_time();
            let instant = Instant::now();
            Self { instant, earliest, latest: mach::machine_time() }
        };
        let mut closest = once();
        // A thread may lose its processor between two looks.
        for _ in 1..TRIES {
            if closest.width() <= CLOSE {
                break;
            }
            let next = once();
            if next.width() < closest.width() {
                closest = next;
            }
        }
        closest
    }

    fn width(&self) -> u64 {
        self.latest - self.earliest
    }
}

/// An instant of this process by the machine's clock: not before it, and at most a moment after it.
pub(crate) fn to_machine(instant: Instant) -> u64 {
    let clock = Clock::of_process();
    match instant.checked_duration_since(clock.instant) {
        Some(after) => clock.latest.saturating_add(nanoseconds(after)),
        None => clock.latest.saturating_sub(nanoseconds(clock.instant.saturating_duration_since(instant))),
    }
}

/// A time by the machine's clock as an instant of this process: not before it, and at most a moment after it. `None` for a
/// time so far away that instants do not reach it.
pub(crate) fn from_machine(time: u64) -> Option<Instant> {
    let clock = Clock::of_process();
    match time.checked_sub(clock.earliest) {
        Some(after) => clock.instant.checked_add(Duration::from_nanos(after)),
        // What lies before the first instant has passed like any other.
        None => {
            let before = Duration::from_nanos(clock.earliest - time);
            Some(clock.instant.checked_sub(before).unwrap_or(clock.instant))
        }
    }
}

/// In 64 bits, which are enough for some 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::{from_machine, to_machine};
    use std::time::{Duration, Instant};

    #[test]
    fn an_instant_that_goes_through_the_machines_clock_is_not_earlier() {
        let now = Instant::now();
        let other = Duration::from_secs(3600);
        for instant in [now, now + other, now.checked_sub(Duration::from_secs(1)).unwrap_or(now)] {
            let back = from_machine(to_machine(instant)).unwrap();
            assert!(back >= instant);
            println!("{:?} later", back - instant);
        }
        assert_eq!(to_machine(now + other) - to_machine(now), other.as_nanos() as u64);
    }

    #[test]
    fn times_from_the_ends_of_the_clock_are_instants_or_none() {
        assert!(from_machine(0).unwrap() <= Instant::now());
        assert!(from_machine(u64::MAX).is_none_or(|instant| instant > Instant::now()));
        let far = Instant::now().checked_add(Duration::from_secs(u64::MAX / 4));
        assert!(far.is_none_or(|far| to_machine(far) == u64::MAX));
    }
}
