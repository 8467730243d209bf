//! What waits for messages and deadlines on behalf of futures: one thread for all of them, whatever executor they run on.
//!
//! The driver receives from a port set. Three things use it:
//!
//! - [`Expected`]: a port to which exactly one message comes: an answer, or a notification. Ports and buffers are used again.
//! - [`Watched`]: a port to which many messages come. The driver takes one when somebody waits for one, and leaves the others in the
//!   queue, so that the queue's limit goes on to bound what the senders are ahead.
//! - [`Alarm`]: a time at which a waker is woken.
//!
//! A message goes to whoever awaits it as it came, in the memory into which it was received ([`Parcel`]): reading it is not the
//! driver's business. The thread starts with the first use and sleeps while nothing comes and no deadline is near.
//!
//! No lock is held while a waker is woken, and none of the locks is held while another is taken.

mod block_on;
#[cfg(feature = "tokio")]
mod runtime;
mod source;
#[cfg(test)]
mod tests;
mod thread;
mod timers;

use std::collections::HashMap;
use std::fmt;
use std::mem::{replace, take};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use crate::error::Error;
use crate::port::{Deadline, MachError, MessageBuffer, Parcel, PortSet, ReceiveRight, SendRight};

pub(crate) use block_on::{block_on, block_on_until};
pub(crate) use source::{Expected, Watched};
pub(crate) use timers::Alarm;

use source::Source;
use timers::Timers;

/// As many ports and buffers are kept for later use; more are there only while more are in use.
const KEPT: usize = 1024;
/// When so many names of dead ports are kept, the driver is roused to give them back.
const RETIRED: usize = 256;

/// Receives for others. See the [module](self).
pub(crate) struct Driver {
    set: PortSet,
    /// A member of the set: what comes here says that there is an earlier deadline than the one that is waited for.
    bell: ReceiveRight<()>,
    state: Mutex<State>,
}

struct State {
    /// Whom to give what comes to a port.
    sources: HashMap<u32, Arc<Source>>,
    timers: Timers,
    /// Until when the set is waited on, at most; `None` is for ever.
    waits_until: Option<Instant>,
    /// Ports that are members of the set, and to which nobody has a right: the next ones to expect an answer at.
    idle: Vec<Arc<Source>>,
    buffers: Vec<MessageBuffer>,
    /// Names of ports that were destroyed while the driver may have had a message of theirs in hand. Kept until that is over, so that
    /// no other port gets the name meanwhile.
    retired: Vec<SendRight<()>>,
}

impl Driver {
    /// The driver for what is awaited as a future: inside a tokio runtime, with the feature `tokio`, the runtime's, else the process's.
    /// It is started if it is not there.
    ///
    /// # Errors
    /// [`Error::Mach`] when there is no room for its ports, [`Error::Thread`]. They name `endpoint`.
    pub(crate) fn current(endpoint: &str) -> Result<Arc<Self>, Error> {
        #[cfg(feature = "tokio")]
        if let Some(driver) = runtime::driver(endpoint) {
            return driver;
        }
        thread::driver(endpoint)
    }

    /// The process's driver, for what may be awaited by a thread: a runtime's would not drive while that thread waits, if the thread is
    /// the runtime's.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub(crate) fn of_process(endpoint: &str) -> Result<Arc<Self>, Error> {
        thread::driver(endpoint)
    }

    fn new() -> Result<Self, MachError> {
        let (set, bell) = (PortSet::new()?, ReceiveRight::pinned(1)?);
        set.insert(&bell)?;
        let state = State {
            sources: HashMap::new(),
            timers: Timers::default(),
            waits_until: None,
            idle: Vec::new(),
            buffers: Vec::new(),
            retired: Vec::new(),
        };
        Ok(Self { set, bell, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives one message, if one comes before `deadline`, hands it over, and wakes whose time is up. Returns whether a message came,
    /// and until when to wait for the next one.
    fn turn(
        &self,
        buffer: &mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<(bool, Option<Instant>), MachError> {
        let parcel = match Parcel::receive(&self.set, buffer, deadline) {
            Ok(parcel) => Some(parcel),
            Err(error) if error.is_timed_out() => None,
            Err(error) if error.is_receiver_gone() => return Err(error),
            Err(error) => {
                tracing::warn!(target: "machipc", "an answer could not be received and was destroyed: {error}");
                None
            }
        };
        let came = parcel.is_some();
        let mut state = self.state();
        let source = parcel.as_ref().and_then(|parcel| state.sources.get(&parcel.port()).cloned());
        let due = state.timers.take_due(Instant::now());
        let retired = take(&mut state.retired);
        // Whoever sets an earlier alarm from now on rouses the driver, whether or not it waits yet.
        state.waits_until = state.timers.earliest();
        let until = state.waits_until;
        if came {
            *buffer = state.buffers.pop().unwrap_or_default();
        }
        drop(state);
        // Only now that the parcel's port has been found may its name denote another.
        drop(retired);
        if let Some((source, parcel)) = source.zip(parcel) {
            source.deliver(self, parcel);
        }
        due.into_iter().for_each(wake);
        Ok((came, until))
    }

    /// Makes whoever waits on the set look at the clock and the state again.
    fn rouse(&self) {
        // A send-once right that is dropped unused makes the kernel send a notification.
        if let Err(error) = self.bell.make_send_once() {
            tracing::warn!(target: "machipc", "a deadline may be seen late: {error}");
        }
    }

    /// Has `waker` woken at `at`.
    fn set_alarm(&self, at: Instant, waker: Waker) -> timers::Key {
        let mut state = self.state();
        let key = state.timers.insert(at, waker);
        let earlier = state.waits_until.is_none_or(|until| at < until);
        if earlier {
            state.waits_until = Some(at);
        }
        drop(state);
        if earlier {
            self.rouse();
        }
        key
    }

    /// Has nobody woken any more.
    fn cancel_alarm(&self, key: timers::Key) {
        let waker = self.state().timers.remove(key);
        // Not under the lock: it may own what comes back here.
        drop(waker);
    }

    /// Memory to receive into.
    fn take_buffer(&self) -> MessageBuffer {
        self.state().buffers.pop().unwrap_or_default()
    }

    /// Takes memory for later use.
    pub(crate) fn give_buffer(&self, buffer: MessageBuffer) {
        let mut state = self.state();
        if state.buffers.len() < KEPT && buffer.is_small() {
            state.buffers.push(buffer);
        }
    }

    /// A port at which one message can be expected.
    fn take_port(self: &Arc<Self>) -> Result<Arc<Source>, MachError> {
        if let Some(source) = self.state().idle.pop() {
            return Ok(source);
        }
        let source = Source::one(self)?;
        self.set.insert(source.port())?;
        self.state().sources.insert(source.name(), source.clone());
        Ok(source)
    }

    /// Takes a port for later use that nobody has a right to.
    fn give_port(&self, source: Arc<Source>) {
        let mut state = self.state();
        if state.idle.len() < KEPT {
            state.idle.push(source);
            return;
        }
        drop(state);
        self.retire(&source);
    }

    /// Destroys a source's port.
    fn retire(&self, source: &Source) {
        let keeper = source.retire();
        let mut state = self.state();
        let removed = state.sources.remove(&source.name());
        state.retired.extend(keeper);
        let many = state.retired.len() == RETIRED;
        drop(state);
        drop(removed);
        if many {
            self.rouse();
        }
    }
}

/// Wakes a task. What an executor does then may drop the task and all it has, and a panic in that must not end the driver.
fn wake(waker: Waker) {
    if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
        tracing::error!(target: "machipc", "a task panicked when it was woken");
    }
}

/// Replaces a waker by the present task's, unless it is that. The one before may be the last that holds its task, whose drop may do
/// anything: drop it when no lock is held.
fn renew(waker: &mut Waker, cx: &Context<'_>) -> Option<Waker> {
    (!waker.will_wake(cx.waker())).then(|| replace(waker, cx.waker().clone()))
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("set", &self.set).finish_non_exhaustive()
    }
}
