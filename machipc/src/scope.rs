//! What the handling of a message hands on to the calls that it makes: until when its caller waits.
//!
//! It belongs to the thread while a handler runs, and to the task while a handler that is a future is polled. A message without a deadline
//! costs a host nothing: its threads have no scope between messages.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Instant;

/// What is handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Until when the answer is waited for that is being worked on.
    pub(crate) deadline: Option<Instant>,
}

thread_local! {
    static CURRENT: Cell<Scope> = const { Cell::new(Scope { deadline: None }) };
}

impl Scope {
    /// The one in which this thread is.
    #[inline]
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Does `work` in this scope.
    #[inline]
    pub(crate) fn enter<R>(self, work: impl FnOnce() -> R) -> R {
        let _former = Former(CURRENT.replace(self));
        work()
    }

    /// Does `work` in no scope.
    #[inline]
    pub(crate) fn leave<R>(work: impl FnOnce() -> R) -> R {
        if Self::current() == Self::default() { work() } else { Self::default().enter(work) }
    }

    /// The future, polled in this scope wherever it is polled.
    pub(crate) async fn follow<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.enter(|| future.as_mut().poll(cx))).await
    }
}

/// Restores the scope, also when the work panics.
struct Former(Scope);

impl Drop for Former {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use std::panic::catch_unwind;
    use std::time::Instant;

    #[test]
    fn scopes_nest_and_end_with_a_panic() {
        let outer = Scope { deadline: Some(Instant::now()) };
        outer.enter(|| {
            let panic = catch_unwind(|| Scope::default().enter(|| std::panic::resume_unwind(Box::new(()))));
            assert!(panic.is_err());
            assert_eq!(Scope::current(), outer);
            Scope::leave(|| assert_eq!(Scope::current(), Scope::default()));
            assert_eq!(Scope::current(), outer);
        });
        assert_eq!(Scope::current(), Scope::default());
    }
}
