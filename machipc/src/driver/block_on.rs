//! Waiting for a future on a thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: Waker = thread_waker();
}

fn thread_waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

/// Calls `use_it` with a waker that unparks the calling thread.
pub(crate) fn with_thread_waker<R>(use_it: impl FnOnce(&Waker) -> R) -> R {
    // A thread that is being torn down has lost its local and makes one for this once.
    let waker = WAKER.try_with(Waker::clone).unwrap_or_else(|_| thread_waker());
    use_it(&waker)
}

/// Waits for a future on the calling thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    with_thread_waker(|waker| {
        let mut cx = Context::from_waker(waker);
        loop {
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                // What unparks the thread for another reason makes it look once too often.
                Poll::Pending => thread::park(),
            }
        }
    })
}

/// Waits for a future on the calling thread until `deadline`.
pub(crate) fn block_on_until<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let Some(deadline) = deadline else { return Some(block_on(future)) };
    let mut future = pin!(future);
    with_thread_waker(|waker| {
        let mut cx = Context::from_waker(waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    })
}
