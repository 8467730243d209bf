//! Where the answer of a call inside one process is left for its caller.
//!
//! A call through the short cut has one slot, shared by the caller and the [`Reply`](super::Reply). The reply may outlive the
//! call and move to any thread, so neither side's stack can hold the slot without unsafe code; a thread keeps a few slots for its next
//! calls instead. Most handlers answer before they return: then nobody parks and nobody is woken.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::driver::block_on_until;

/// Neither side has done anything.
const EMPTY: u8 = 0;
/// The content is there; nothing changes any more.
const FILLED: u8 = 1;
/// The caller has given up; nothing changes any more.
const ABANDONED: u8 = 2;

/// Slots that a thread keeps, of one type each.
const KEPT: usize = 8;

thread_local! {
    static SLOTS: RefCell<Vec<Arc<dyn Any + Send + Sync>>> = const { RefCell::new(Vec::new()) };
}

/// One answer, to be filled once and taken once.
pub(crate) struct Slot<C> {
    /// Changes only under the lock, and can be read without it.
    state: AtomicU8,
    inside: Mutex<Inside<C>>,
}

struct Inside<C> {
    content: Option<C>,
    /// Who waits for the content.
    caller: Option<Waker>,
    /// Who waits for the caller to give up.
    filler: Option<Waker>,
}

impl<C> Slot<C> {
    pub(crate) fn new() -> Self {
        let inside = Inside { content: None, caller: None, filler: None };
        Self { state: AtomicU8::new(EMPTY), inside: Mutex::new(inside) }
    }

    /// An empty slot: one that the thread has kept, or a new one.
    pub(crate) fn fresh() -> Arc<Self>
    where
        C: Send + 'static,
    {
        let kept = SLOTS.try_with(|slots| {
            let mut slots = slots.borrow_mut();
            let index = slots.iter().position(|slot| slot.is::<Self>())?;
            slots.swap_remove(index).downcast().ok()
        });
        kept.ok().flatten().unwrap_or_else(|| Arc::new(Self::new()))
    }

    /// Keeps a slot for the thread's next call, if nobody else has it any more.
    pub(crate) fn keep(mut slot: Arc<Self>)
    where
        C: Send + 'static,
    {
        let Some(own) = Arc::get_mut(&mut slot) else { return };
        *own = Self::new();
        let _ = SLOTS.try_with(|slots| {
            let mut slots = slots.borrow_mut();
            // A call inside a handler has kept one of the same type, or the thread makes calls of many types.
            if slots.len() < KEPT && !slots.iter().any(|kept| kept.is::<Self>()) {
                slots.push(slot);
            }
        });
    }

    /// Leaves the content for the caller and wakes it. Gives it back when the caller has given up, or when the slot is filled.
    pub(crate) fn fill(&self, content: C) -> Result<(), C> {
        let mut inside = self.inside();
        if self.state() != EMPTY {
            return Err(content);
        }
        inside.content = Some(content);
        // Release: who sees it without the lock finds the content when it takes the lock.
        self.state.store(FILLED, Ordering::Release);
        let (caller, filler) = (inside.caller.take(), inside.filler.take());
        // Wakers are woken and dropped when no lock is held: either may be a task's end.
        drop(inside);
        drop(filler);
        caller.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Waits for the content on the calling thread; `None` once `deadline` has passed, after which the slot stays empty.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> Option<C> {
        if self.state() == FILLED {
            return self.inside().content.take();
        }
        match block_on_until(poll_fn(|cx| self.poll_take(cx)), deadline) {
            Some(content) => content,
            None if self.abandon() => None,
            // It has come after all.
            None => self.inside().content.take(),
        }
    }

    /// The content, or `None` when the caller has given up. It can be taken once.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<C>> {
        let mut inside = self.inside();
        if self.state() != EMPTY {
            return Poll::Ready(inside.content.take());
        }
        let former = inside.caller.replace(cx.waker().clone());
        drop(inside);
        drop(former);
        Poll::Pending
    }

    /// Ready when the caller has given up.
    pub(crate) fn poll_abandoned(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inside = self.inside();
        if self.is_abandoned() {
            return Poll::Ready(());
        }
        let former = inside.filler.replace(cx.waker().clone());
        drop(inside);
        drop(former);
        Poll::Pending
    }

    /// Whether the caller has given up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state() == ABANDONED
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_settled(&self) -> bool {
        self.state() != EMPTY
    }

    /// Gives up; false when the content has come.
    pub(crate) fn abandon(&self) -> bool {
        let mut inside = self.inside();
        if self.state() == FILLED {
            return false;
        }
        self.state.store(ABANDONED, Ordering::Release);
        let (caller, filler) = (inside.caller.take(), inside.filler.take());
        drop(inside);
        caller.into_iter().chain(filler).for_each(Waker::wake);
        true
    }

    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    fn inside(&self) -> MutexGuard<'_, Inside<C>> {
        // Nothing panics while the lock is held, so a poisoned lock holds a whole value.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot as a timer sees it: the caller's time is up.
impl<C: Send + 'static> Wake for Slot<C> {
    fn wake(self: Arc<Self>) {
        self.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::Slot;
    use crate::driver::block_on;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[test]
    fn only_a_slot_that_nobody_else_has_is_used_again() {
        let slot = Slot::<&str>::fresh();
        assert_eq!(slot.fill("x"), Ok(()));
        let (first, other) = (Arc::as_ptr(&slot), slot.clone());
        Slot::keep(slot);
        let slot = Slot::<&str>::fresh();
        assert_ne!(Arc::as_ptr(&slot), first);
        Slot::keep(slot);
        Slot::keep(other);
        let slot = Slot::<&str>::fresh();
        assert_eq!(slot.take(Some(Instant::now())), None);
    }

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

    #[test]
    fn who_fills_sees_the_caller_give_up() {
        let slot = Arc::new(Slot::<u32>::new());
        let other = slot.clone();
        let thread = std::thread::spawn(move || block_on(poll_fn(|cx| other.poll_abandoned(cx))));
        assert!(slot.abandon());
        thread.join().unwrap();
        assert_eq!(slot.fill(1), Err(1));
    }
}
