//! When to wake whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{Driver, renew};

/// Which timer: its time, and a number that tells it from others of that time.
pub(super) type Key = (Instant, u64);

/// Wakers by the time at which to wake them.
#[derive(Default)]
pub(super) struct Timers {
    wakers: BTreeMap<Key, Waker>,
    count: u64,
}

impl Timers {
    pub(super) fn insert(&mut self, at: Instant, waker: Waker) -> Key {
        self.count += 1;
        let key = (at, self.count);
        self.wakers.insert(key, waker);
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.wakers.remove(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Waker> {
        self.wakers.get_mut(&key)
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.wakers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out those whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(first) = self.wakers.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.remove());
        }
        due
    }
}

/// A time for which a task waits.
#[derive(Debug)]
pub(crate) struct Alarm {
    driver: Arc<Driver>,
    at: Instant,
    timer: Option<Key>,
}

impl Alarm {
    pub(crate) fn new(driver: &Arc<Driver>, at: Instant) -> Self {
        Self { driver: driver.clone(), at, timer: None }
    }

    /// An alarm that wakes `waker` whether or not it is polled.
    pub(crate) fn set(driver: &Arc<Driver>, at: Instant, waker: Waker) -> Self {
        let timer = Some(driver.set_alarm(at, waker));
        Self { driver: driver.clone(), at, timer }
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Ready once the time has come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at <= Instant::now() {
            return Poll::Ready(());
        }
        if let Some(timer) = self.timer {
            let mut state = self.driver.state();
            if let Some(waker) = state.timers.get_mut(timer) {
                let former = renew(waker, cx);
                drop(state);
                drop(former);
                return Poll::Pending;
            }
        }
        self.timer = Some(self.driver.set_alarm(self.at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.driver.cancel_alarm(timer);
        }
    }
}
