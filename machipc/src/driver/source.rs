//! Ports from which the driver receives.

use std::fmt;
use std::mem::replace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::port::bootstrap::Watch;
use crate::port::{Deadline, MachError, Parcel, ReceiveRight, SendRight};

use super::{Driver, renew, timers, wake};

/// A port, and what has come to it.
pub(super) struct Source {
    port: ReceiveRight<()>,
    /// The port's name, which outlives the port.
    name: u32,
    /// Many messages may come: the port is a member of the driver's set only while one is awaited.
    many: bool,
    /// For a port at which names are told: what ends it.
    names: Option<Watch>,
    /// For the end of a deadline, which may come when the driver is gone.
    driver: Weak<Driver>,
    inbox: Mutex<Inbox>,
}

enum Inbox {
    /// Nobody waits. What comes is destroyed.
    Idle,
    Waiting {
        waker: Option<Waker>,
        deadline: Option<Instant>,
    },
    Arrived(Parcel),
    /// The deadline passed, and the port is gone.
    Expired,
}

impl Inbox {
    /// Takes the message that has arrived.
    fn take(&mut self) -> Option<Parcel> {
        match replace(self, Self::Idle) {
            Self::Arrived(parcel) => Some(parcel),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Source {
    /// A port for one message.
    pub(super) fn one(driver: &Arc<Driver>) -> Result<Arc<Self>, MachError> {
        ReceiveRight::pinned(1).map(|port| Self::new(driver, port, false, None))
    }

    fn new(driver: &Arc<Driver>, port: ReceiveRight<()>, many: bool, names: Option<Watch>) -> Arc<Self> {
        let (name, driver) = (port.name(), Arc::downgrade(driver));
        Arc::new(Self { port, name, many, names, driver, inbox: Mutex::new(Inbox::Idle) })
    }

    /// Has no message come any more. What is returned keeps the port's name.
    pub(super) fn retire(&self) -> Option<SendRight<()>> {
        if self.names.is_some() { self.port.leave() } else { self.port.retire() }
    }

    pub(super) fn port(&self) -> &ReceiveRight<()> {
        &self.port
    }

    pub(super) fn name(&self) -> u32 {
        self.name
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing panics while the lock is held, so a poisoned inbox is a whole one.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a message for whoever waits, and wakes it.
    pub(super) fn deliver(&self, driver: &Driver, parcel: Parcel) {
        let mut inbox = self.inbox();
        let Inbox::Waiting { waker, .. } = &mut *inbox else { return };
        let waker = waker.take();
        *inbox = Inbox::Arrived(parcel);
        if self.many {
            // The next message stays in the queue until somebody asks for it. It fails only if the port has moved away.
            let _ = driver.set.remove(&self.port);
        }
        drop(inbox);
        waker.into_iter().for_each(wake);
    }
}

/// A source as a timer sees it: its time is up.
impl Wake for Source {
    fn wake(self: Arc<Self>) {
        let mut inbox = self.inbox();
        let waker = match &mut *inbox {
            // The timer may be of an earlier use of this port.
            Inbox::Waiting { waker, deadline } if deadline.is_some_and(|at| at <= Instant::now()) => {
                waker.take()
            }
            _ => return,
        };
        *inbox = Inbox::Expired;
        drop(inbox);
        // Whoever holds the right to answer sees it die.
        match self.driver.upgrade() {
            Some(driver) => driver.retire(&self),
            None => drop(self.retire()),
        }
        waker.into_iter().for_each(wake);
    }
}

/// One message that is to come, to a port that is there for it alone.
///
/// Dropping the value before the message has come destroys the port, and so does the end of the deadline: whoever holds the right to
/// send the message sees the right die.
pub(crate) struct Expected {
    driver: Arc<Driver>,
    source: Arc<Source>,
    timer: Option<timers::Key>,
}

impl Expected {
    /// Expects a message until `deadline`. The caller makes one send-once right to the [port](Self::port) and gives it to whoever is to
    /// send the message.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE` when the process has no room for another port.
    pub(crate) fn new(driver: &Arc<Driver>, deadline: Option<Instant>) -> Result<Self, MachError> {
        let source = driver.take_port()?;
        *source.inbox() = Inbox::Waiting { waker: None, deadline };
        let timer = deadline.map(|at| driver.set_alarm(at, Waker::from(source.clone())));
        Ok(Self { driver: driver.clone(), source, timer })
    }

    /// The port to which the message is to come.
    pub(crate) fn port(&self) -> &ReceiveRight<()> {
        &self.source.port
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Whether the deadline has passed, and the port is gone or about to go.
    pub(crate) fn has_expired(&self) -> bool {
        matches!(&*self.source.inbox(), Inbox::Expired)
    }

    /// Whether [`poll`](Self::poll) would be ready.
    pub(crate) fn is_ready(&self) -> bool {
        !matches!(&*self.source.inbox(), Inbox::Waiting { .. })
    }

    /// The message, or `None` once the deadline has passed. Once it was ready, it is not to be polled again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Parcel>> {
        let mut inbox = self.source.inbox();
        match &mut *inbox {
            Inbox::Waiting { waker, .. } => {
                let former = wait(waker, cx);
                drop(inbox);
                drop(former);
                Poll::Pending
            }
            Inbox::Idle | Inbox::Expired => Poll::Ready(None),
            Inbox::Arrived(_) => Poll::Ready(inbox.take()),
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.driver.cancel_alarm(timer);
        }
        let mut inbox = self.source.inbox();
        match &*inbox {
            Inbox::Expired => {}
            Inbox::Waiting { .. } => {
                *inbox = Inbox::Expired;
                drop(inbox);
                self.driver.retire(&self.source);
            }
            Inbox::Idle | Inbox::Arrived(_) => {
                let untaken = inbox.take();
                drop(inbox);
                drop(untaken);
                // The one right to the port has been used.
                self.driver.give_port(self.source.clone());
            }
        }
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expected({:#x})", self.source.name)
    }
}

/// A port to which many messages come. Dropping the value destroys the port.
pub(crate) struct Watched {
    driver: Arc<Driver>,
    source: Arc<Source>,
}

impl Watched {
    /// Takes over a port.
    pub(crate) fn new(driver: &Arc<Driver>, port: ReceiveRight<()>) -> Self {
        Self::of(driver, Source::new(driver, port, true, None))
    }

    /// What tells that a service may have appeared.
    pub(crate) fn names(driver: &Arc<Driver>, watch: Watch) -> Self {
        Self::of(driver, Source::new(driver, watch.port(), true, Some(watch)))
    }

    fn of(driver: &Arc<Driver>, source: Arc<Source>) -> Self {
        driver.state().sources.insert(source.name, source.clone());
        Self { driver: driver.clone(), source }
    }

    /// Until when to wait at most before a name is worth looking up again.
    pub(crate) fn look_again(&self) -> Deadline {
        self.source.names.as_ref().map_or(Deadline::never(), Watch::look_again)
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// The next message. One task at a time waits: the waker of the last one that asked is woken. A task that stops asking loses
    /// nothing: what was taken for it is there for the next one.
    ///
    /// # Errors
    /// As [`ReceiveRight::receive`].
    pub(crate) fn poll_message(&self, cx: &mut Context<'_>) -> Poll<Result<Parcel, MachError>> {
        let mut inbox = self.source.inbox();
        match &mut *inbox {
            Inbox::Waiting { waker, .. } => {
                // What comes now may be in the driver's hands, so that looking here could overtake it.
                let former = wait(waker, cx);
                drop(inbox);
                drop(former);
                Poll::Pending
            }
            Inbox::Arrived(_) => match inbox.take() {
                Some(parcel) => Poll::Ready(Ok(parcel)),
                None => Poll::Pending,
            },
            Inbox::Idle | Inbox::Expired => {
                let mut buffer = self.driver.take_buffer();
                let received = Parcel::receive(&self.source.port, &mut buffer, Deadline::now());
                match received {
                    Err(error) if error.is_timed_out() => {}
                    received => return Poll::Ready(received),
                }
                self.driver.give_buffer(buffer);
                *inbox = Inbox::Waiting { waker: Some(cx.waker().clone()), deadline: None };
                // The driver may deliver as soon as the port is in the set, and waits for the inbox then.
                match self.driver.set.insert(&self.source.port) {
                    Ok(()) => Poll::Pending,
                    Err(error) => {
                        *inbox = Inbox::Idle;
                        Poll::Ready(Err(error))
                    }
                }
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.driver.retire(&self.source);
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({:#x})", self.source.name)
    }
}

/// Keeps the waker of the last one that asked. Returns the one before, to be dropped when no lock is held.
fn wait(waker: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match waker {
        Some(waker) => renew(waker, cx),
        None => waker.replace(cx.waker().clone()),
    }
}
