//! What becomes of a reply, for the interceptors of the host that it came to.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::error::Error;

/// What has become of a reply so far. The reply and the watch of its message share it, and it is made only where there are interceptors.
#[derive(Default)]
pub(crate) struct Fate {
    end: AtomicU8,
    size: AtomicUsize,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyEnd {
    /// Not yet: it is kept, or another host has it.
    #[default]
    Open,
    Sent,
    SentErr,
    /// Dropped unsent, or the value could not be put into bytes.
    Dropped,
    CallerGone,
}

impl Fate {
    pub(crate) fn tell(&self, end: ReplyEnd) {
        // Release: whoever sees the end sees the size.
        self.end.store(end as u8, Ordering::Release);
    }

    /// The answer was sent, or not: with its size in bytes, where it was put into bytes.
    pub(super) fn tell_sent(&self, is_failure: bool, sent: &Result<usize, Error>) {
        self.tell(match sent {
            Ok(size) => {
                self.size.store(*size, Ordering::Relaxed);
                if is_failure { ReplyEnd::SentErr } else { ReplyEnd::Sent }
            }
            Err(Error::CallerGone) => ReplyEnd::CallerGone,
            Err(_) => ReplyEnd::Dropped,
        });
    }

    /// How the reply has ended, and how many bytes the answer has.
    pub(crate) fn read(&self) -> (ReplyEnd, usize) {
        let ends =
            [ReplyEnd::Open, ReplyEnd::Sent, ReplyEnd::SentErr, ReplyEnd::Dropped, ReplyEnd::CallerGone];
        let end = self.end.load(Ordering::Acquire);
        let end = ends.into_iter().find(|known| *known as u8 == end).unwrap_or_default();
        (end, self.size.load(Ordering::Relaxed))
    }
}

thread_local! {
    /// Whether there is something in `AWAITED`: what can be asked for at no cost.
    static IS_AWAITED: Cell<bool> = const { Cell::new(false) };
    /// For the reply in the message that is being decoded on this thread.
    static AWAITED: Cell<Option<Arc<Fate>>> = const { Cell::new(None) };
}

/// The reply that is decoded next on this thread gets `fate`, until this is called with `None`.
pub(crate) fn await_reply(fate: Option<Arc<Fate>>) {
    IS_AWAITED.set(fate.is_some());
    AWAITED.set(fate);
}

/// For a reply that is being decoded.
#[inline]
pub(super) fn of_decoded() -> Option<Arc<Fate>> {
    if IS_AWAITED.get() { AWAITED.take() } else { None }
}
