//! Where the answer of a call inside one process is left for its caller.
//!
//! A call through the short cut allocates one slot, shared by the caller and the [`Reply`](super::Reply). The reply may outlive the
//! call and move to any thread, so neither side's stack can hold the slot without unsafe code; the allocation is the
//! price of that. Most handlers answer before they return: then nobody parks and nobody is woken.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// The caller runs: it looks at the slot before it parks.
const RUNNING: u8 = 0;
/// The caller is parked, or about to: wake it.
const PARKED: u8 = 1;
/// The content is there; nothing changes any more.
const FILLED: u8 = 2;
/// The caller has given up; nothing changes any more.
const ABANDONED: u8 = 3;

/// One answer, to be filled once and taken once.
pub(crate) struct Slot<C> {
    state: AtomicU8,
    caller: OnceLock<Thread>,
    // Whoever fills the slot locks before `FILLED` is seen and the caller after it, so nobody waits for this lock.
    content: Mutex<Option<C>>,
}

impl<C> Slot<C> {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(RUNNING), caller: OnceLock::new(), content: Mutex::new(None) }
    }

    /// Leaves the content for the caller and wakes it. Gives it back when the caller has given up, or when the slot is filled.
    pub(crate) fn fill(&self, content: C) -> Result<(), C> {
        // There is one filler, so a slot that is not filled here stays so until the exchange below.
        if matches!(self.state.load(Ordering::Acquire), FILLED | ABANDONED) {
            return Err(content);
        }
        *self.content() = Some(content);
        // AcqRel: the content above happens before the caller's Acquire load of FILLED in `take`; and the caller's
        // `caller.set` happens before our reading it where the exchange met PARKED.
        let mut seen = RUNNING;
        loop {
            match self.state.compare_exchange_weak(seen, FILLED, Ordering::AcqRel, Ordering::Acquire) {
                Ok(RUNNING) => return Ok(()),
                Ok(_) => {
                    if let Some(caller) = self.caller.get() {
                        caller.unpark();
                    }
                    return Ok(());
                }
                Err(ABANDONED) => return self.content().take().map_or(Ok(()), Err),
                Err(other) => seen = other,
            }
        }
    }

    /// Waits for the content on the calling thread; `None` once `deadline` has passed, after which the slot stays empty.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> Option<C> {
        if self.state.load(Ordering::Acquire) != FILLED {
            self.caller.get_or_init(thread::current);
            // Release publishes `caller`. It fails only where the content has come meanwhile.
            let _ = self.state.compare_exchange(RUNNING, PARKED, Ordering::Release, Ordering::Relaxed);
            while self.state.load(Ordering::Acquire) != FILLED {
                match deadline {
                    None => thread::park(),
                    Some(deadline) => {
                        let left = deadline.saturating_duration_since(Instant::now());
                        if left.is_zero() && self.abandon() {
                            return None;
                        }
                        thread::park_timeout(left);
                    }
                }
            }
        }
        self.content().take()
    }

    /// Whether the caller has given up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state.load(Ordering::Acquire) == ABANDONED
    }

    /// Gives up; false when the content has come after all.
    fn abandon(&self) -> bool {
        self.state.compare_exchange(PARKED, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Option<C>> {
        // Nothing panics while the lock is held, so a poisoned lock holds a whole value.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[test]
    fn filled_before_anyone_waits() {
        let slot = Slot::new();
        assert_eq!(slot.fill(7), Ok(()));
        assert_eq!(slot.take(None), Some(7));
    }

    #[test]
    fn filled_from_another_thread_wakes_the_caller() {
        for round in 0..1000 {
            let slot = Arc::new(Slot::new());
            let other = slot.clone();
            let thread = std::thread::spawn(move || other.fill(round));
            assert_eq!(slot.take(None), Some(round));
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    }

    #[test]
    fn a_second_filling_changes_nothing() {
        let slot = Slot::new();
        assert_eq!(slot.fill(1), Ok(()));
        assert_eq!(slot.fill(2), Err(2));
        assert_eq!(slot.take(None), Some(1));
    }

    #[test]
    fn a_passed_deadline_gives_the_content_back() {
        let slot = Slot::new();
        assert_eq!(slot.take(Some(Instant::now())), None);
        assert!(slot.is_abandoned());
        assert_eq!(slot.fill(1), Err(1));
    }

    #[test]
    fn giving_up_and_filling_at_once_agree() {
        for _ in 0..1000 {
            let slot = Arc::new(Slot::new());
            let other = slot.clone();
            let thread = std::thread::spawn(move || other.fill("x"));
            let taken = slot.take(Some(Instant::now() + Duration::from_micros(20)));
            match thread.join().unwrap() {
                Ok(()) => assert_eq!(taken, Some("x")),
                Err(_) => assert_eq!(taken, None),
            }
        }
    }
}
