//! Until when a call may wait.

use std::time::{Duration, Instant};

/// Until when a call may wait.
///
/// ```
/// use machipc::port::Deadline;
/// use std::time::Duration;
///
/// assert_eq!(Deadline::now().remaining(), Some(Duration::ZERO));
/// assert_eq!(Deadline::never().remaining(), None);
/// assert!(Deadline::after(Duration::from_secs(5)).remaining() > Some(Duration::from_secs(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Never,
    Now,
    At(Instant),
    /// So long from whenever the wait begins.
    Lasting(Duration),
    /// At that instant, until which so long was left a moment ago.
    Fresh(Instant, Duration),
}

impl Deadline {
    /// Waits for as long as it takes.
    pub const fn never() -> Self {
        Self(Kind::Never)
    }

    /// Does not wait at all.
    pub const fn now() -> Self {
        Self(Kind::Now)
    }

    /// Waits until `instant`.
    pub const fn at(instant: Instant) -> Self {
        Self(Kind::At(instant))
    }

    /// Waits for `duration` from now; for ever when the clock cannot express that.
    pub fn after(duration: Duration) -> Self {
        if duration.is_zero() {
            return Self::now();
        }
        Instant::now().checked_add(duration).map_or(Self::never(), Self::at)
    }

    /// Waits for `duration` from whenever the wait begins, for a call that waits at most once: it costs no look at the clock.
    pub(crate) const fn lasting(duration: Duration) -> Self {
        Self(Kind::Lasting(duration))
    }

    /// Waits until `instant`, until which `left` is left now: the first wait costs no look at the clock.
    pub(crate) const fn fresh(instant: Instant, left: Duration) -> Self {
        Self(Kind::Fresh(instant, left))
    }

    /// The same deadline after a wait.
    pub(crate) const fn aged(self) -> Self {
        match self.0 {
            Kind::Fresh(instant, _) => Self::at(instant),
            _ => self,
        }
    }

    /// How long there is still to wait; `None` is for ever.
    pub fn remaining(&self) -> Option<Duration> {
        match self.0 {
            Kind::Never => None,
            Kind::Now => Some(Duration::ZERO),
            Kind::Lasting(duration) | Kind::Fresh(_, duration) => Some(duration),
            Kind::At(instant) => Some(instant.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether nothing is left to wait.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_some_and(|rest| rest.is_zero())
    }

    /// The earlier of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Kind::Now, _) | (_, Kind::Now) => Self::now(),
            (Kind::Never, kind) | (kind, Kind::Never) => Self(kind),
            (Kind::At(a) | Kind::Fresh(a, _), Kind::At(b) | Kind::Fresh(b, _)) => Self::at(a.min(b)),
            (Kind::Lasting(a), Kind::Lasting(b)) => Self::lasting(a.min(b)),
            (Kind::Lasting(duration), at) | (at, Kind::Lasting(duration)) => {
                Self::after(duration).min(Self(at))
            }
        }
    }

    /// The rest in milliseconds for `mach_msg`, rounded up so that a wait is never cut short; `None` is for ever.
    /// What does not fit is cut, and the caller asks again.
    pub(crate) fn milliseconds(&self) -> Option<u32> {
        self.remaining().map(|rest| {
            // In 64 bits: a division of 128, once a message, takes longer than everything else here.
            let milliseconds = rest.as_secs().saturating_mul(1000);
            let milliseconds = milliseconds.saturating_add(rest.subsec_nanos().div_ceil(1_000_000).into());
            u32::try_from(milliseconds).unwrap_or(u32::MAX)
        })
    }
}

impl From<Duration> for Deadline {
    fn from(duration: Duration) -> Self {
        Self::after(duration)
    }
}

impl From<Instant> for Deadline {
    fn from(instant: Instant) -> Self {
        Self::at(instant)
    }
}
