//! The driver of a tokio runtime: a task of the runtime's own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};
use tokio::time::{Sleep, sleep_until};

use crate::error::Error;
use crate::mach;
use crate::port::{Deadline, MachError, MessageBuffer, Readiness};

use super::{Driver, thread};

static DRIVERS: Mutex<Option<HashMap<Id, Weak<Driver>>>> = Mutex::new(None);

thread_local! {
    /// The runtime in which this thread was last, and its driver.
    static LAST: RefCell<Option<(Id, Weak<Driver>)>> = const { RefCell::new(None) };
}

/// As many messages are received before the runtime's other tasks have their turn.
const IN_A_ROW: u32 = 64;

/// The driver of the runtime in which the calling thread is; `None` outside of one.
pub(super) fn driver(endpoint: &str) -> Option<Result<Arc<Driver>, Error>> {
    let handle = Handle::try_current().ok()?;
    let id = handle.id();
    let last = LAST.try_with(|last| match &*last.borrow() {
        Some((of, driver)) if *of == id => driver.upgrade(),
        _ => None,
    });
    if let Ok(Some(driver)) = last {
        return Some(Ok(driver));
    }
    // Nothing panics while the lock is held but tokio, before anything is changed.
    let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let drivers = drivers.get_or_insert_default();
    let driver = match drivers.get(&id).and_then(Weak::upgrade) {
        Some(driver) => driver,
        None => match start(&handle) {
            Ok(driver) => {
                drivers.retain(|_, driver| driver.strong_count() > 0);
                drivers.insert(id, Arc::downgrade(&driver));
                driver
            }
            Err(source) => return Some(Err(Error::Mach { endpoint: endpoint.to_owned(), source })),
        },
    };
    let _ = LAST.try_with(|last| last.replace(Some((id, Arc::downgrade(&driver)))));
    Some(Ok(driver))
}

fn start(handle: &Handle) -> Result<Arc<Driver>, MachError> {
    let driver = Arc::new(Driver::new()?);
    let readiness = Readiness::new(&driver.set)?;
    #[allow(deprecated, reason = "its successor wants a promise that the type `Readiness` keeps by itself")]
    let readable = AsyncFd::with_interest(readiness, Interest::READABLE)
        .map_err(|_| MachError::new(mach::KERN_RESOURCE_SHORTAGE, "readiness_open"))?;
    handle.spawn(drive(Driven(driver.clone()), readable));
    Ok(driver)
}

/// A driver that a runtime drives. When the runtime ends, with it the task that has this value, a thread goes on for those who wait on
/// other runtimes or on none.
struct Driven(Arc<Driver>);

impl Drop for Driven {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) > 1 {
            thread::take_over(self.0.clone());
        }
    }
}

async fn drive(driven: Driven, readable: AsyncFd<Readiness>) {
    let driver = &driven.0;
    let mut buffer = MessageBuffer::new();
    let mut sleep: Option<(Instant, Pin<Box<Sleep>>)> = None;
    loop {
        let mut until = None;
        for _ in 0..IN_A_ROW {
            match driver.turn(&mut buffer, Deadline::now()) {
                Ok((true, _)) => {}
                Ok((false, next)) => {
                    until = Some(next);
                    break;
                }
                Err(error) => return thread::lost(&error),
            }
        }
        let is_empty = || !readable.get_ref().is_ready().unwrap_or(false);
        let Some(until) = until.filter(|_| is_empty()) else {
            tokio::task::yield_now().await;
            continue;
        };
        match (until, &sleep) {
            (None, _) => sleep = None,
            (Some(at), Some((set, _))) if *set == at => {}
            (Some(at), _) => sleep = Some((at, Box::pin(sleep_until(at.into())))),
        }
        poll_fn(|cx| {
            if let Some((_, sleep)) = &mut sleep
                && sleep.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(());
            }
            match ready!(readable.poll_read_ready(cx)) {
                Ok(mut ready) => ready.clear_ready(),
                // The runtime is shutting down, and drops this task.
                Err(_) => return Poll::Pending,
            }
            Poll::Ready(())
        })
        .await;
        if sleep.as_ref().is_some_and(|(at, _)| *at <= Instant::now()) {
            sleep = None;
        }
    }
}
