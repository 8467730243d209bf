//! What the handling of a message hands on to the messages that it sends: until when its caller waits, and which trace it belongs to.
//!
//! It belongs to the thread while a handler runs, and to the task while a handler that is a future is polled. A message without either
//! costs a host nothing: its threads have no scope between messages.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher;
use std::pin::pin;
use std::time::Instant;

use crate::message::TraceContext;

/// What is handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Until when the answer is waited for that is being worked on.
    pub(crate) deadline: Option<Instant>,
    /// The trace that messages sent here belong to.
    pub(crate) trace: Option<TraceContext>,
}

thread_local! {
    static CURRENT: Cell<Scope> = const { Cell::new(Scope { deadline: None, trace: None }) };
}

impl Scope {
    /// The one in which this thread is.
    #[inline]
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Whether what is sent here belongs to a trace.
    #[inline]
    pub(crate) fn is_traced() -> bool {
        Self::current().trace.is_some()
    }

    /// The scope in which one message is sent: the same, with an id of its own in the trace.
    pub(crate) fn of_message() -> Self {
        let current = Self::current();
        Self { trace: current.trace.map(|trace| trace.child()), ..current }
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

impl TraceContext {
    /// A new trace, with ids of chance. `sampled` says whether it is [recorded](Self::is_sampled).
    pub fn start(sampled: bool) -> Self {
        loop {
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&chance());
            trace_id[8..].copy_from_slice(&chance());
            let flags = Self::RANDOM | if sampled { Self::SAMPLED } else { 0 };
            if let Some(trace) = Self::new(trace_id, chance(), flags) {
                return trace;
            }
        }
    }

    /// The trace to which messages belong that are sent here: inside a handler that of the message which it handles, and inside
    /// [`enter`](Self::enter) and [`follow`](Self::follow) theirs.
    pub fn current() -> Option<Self> {
        Scope::current().trace
    }

    /// Has all messages that `work` sends on this thread belong to this trace. Each gets a step of its own in it: its
    /// [`parent_id`](Self::parent_id) is new.
    ///
    /// ```no_run
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: machipc::Reply<u64> } }
    /// use machipc::TraceContext;
    ///
    /// let client = SquaresClient::connect()?;
    /// let trace = TraceContext::start(true);
    /// println!("traceparent: {trace}");
    /// // The host, and the hosts that it asks in turn, see the same trace id: `Context::trace`, `MessageInfo::trace`.
    /// let nine = trace.enter(|| client.square(3))?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    pub fn enter<R>(self, work: impl FnOnce() -> R) -> R {
        Scope { trace: Some(self), ..Scope::current() }.enter(work)
    }

    /// [`enter`](Self::enter) for a future, wherever it is polled.
    pub fn follow<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scope { trace: Some(self), ..Scope::current() }.follow(future)
    }

    /// The same trace, with a new step in it.
    fn child(&self) -> Self {
        loop {
            if let Some(child) = self.with_parent(chance()) {
                return child;
            }
        }
    }
}

/// Eight bytes of chance: the hasher's keys are, and differ each time. A forked child has its parent's, and another number.
fn chance() -> [u8; 8] {
    RandomState::new().hash_one(std::process::id()).to_be_bytes()
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
    use super::{Scope, TraceContext};
    use std::panic::catch_unwind;
    use std::time::Instant;

    #[test]
    fn scopes_nest_and_end_with_a_panic() {
        let outer = Scope { deadline: Some(Instant::now()), trace: Some(TraceContext::start(true)) };
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
