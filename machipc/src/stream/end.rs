//! How a stream is ended by another than who produces it: by the host that its sink came to, when that shuts down. Which streams a host ends.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use crate::error::Error;
use crate::host::wake;
use crate::message::Schema;
use crate::port::{Deadline, MachError, Notification, Outgoing, ReceiveRight, SendOnceRight, SendRight};
use crate::reply::Decoding;
use crate::scratch;

use super::wire::STOPPED_ID;

/// What a sink shares with the host that it came to: the right to say the last word, and who waits for room.
pub(super) struct End {
    /// Used or dropped once. Who takes it out of its cell says the last word.
    pub(super) right: SendOnceRight<()>,
    /// A host's shutdown ends the stream.
    adopted: AtomicBool,
    /// The endpoint of the host that has ended it.
    stopped: OnceLock<Arc<str>>,
    waiting: Mutex<Waiting>,
    /// Nobody waits at the port any more.
    left: Condvar,
}

/// Who waits for room for an item of an adopted stream.
#[derive(Default)]
struct Waiting {
    /// Where the notification comes. It is used again only when it has come.
    port: Option<Arc<ReceiveRight<()>>>,
    /// A thread waits at the port. A name has one request for a notification, so the others wait for that thread.
    is_led: bool,
    task: Option<Waker>,
}

impl End {
    pub(super) fn new(right: SendOnceRight<()>) -> Self {
        let (adopted, stopped) = (AtomicBool::new(false), OnceLock::new());
        Self { right, adopted, stopped, waiting: Mutex::default(), left: Condvar::new() }
    }

    /// The end of a sink that has come in a message.
    pub(super) fn decoded(right: SendOnceRight<()>) -> Arc<Self> {
        let end = Arc::new(Self::new(right));
        adopt_later(|| Some(end.clone()));
        end
    }

    /// Whether a host's shutdown ends the stream.
    pub(super) fn is_adopted(&self) -> bool {
        self.adopted.load(Ordering::Relaxed)
    }

    /// The producer ends the stream, whatever its host does.
    pub(super) fn disown(&self) {
        self.adopted.store(false, Ordering::Relaxed);
    }

    /// That the host has ended the stream, if so.
    pub(super) fn stopped(&self) -> Option<Error> {
        self.stopped.get().map(|endpoint| Error::StreamStopped { endpoint: endpoint.to_string() })
    }

    /// Waits until it is worth trying to send an item once more: there may be room, the source has gone, or the host has ended the stream.
    /// False: the time is up.
    pub(super) fn wait_for_room(&self, right: &SendRight<()>, deadline: Deadline) -> Result<bool, MachError> {
        let mut waiting = self.waiting();
        if waiting.is_led {
            return Ok(match deadline.remaining() {
                None => {
                    drop(self.left.wait_while(waiting, |waiting| waiting.is_led));
                    true
                }
                Some(rest) => {
                    let waited = self.left.wait_timeout_while(waiting, rest, |waiting| waiting.is_led);
                    !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
                }
            });
        }
        if self.stopped.get().is_some() {
            return Ok(true);
        }
        let port = match &waiting.port {
            Some(port) => port.clone(),
            None => waiting.port.insert(Arc::new(ReceiveRight::pinned(1)?)).clone(),
        };
        waiting.is_led = true;
        drop(waiting);
        let told = self.wait_at(&port, right, deadline);
        let mut waiting = self.waiting();
        waiting.is_led = false;
        if !matches!(told, Ok(Some(Notification::SendPossible { .. }))) {
            // The notification may come yet, to a port that nobody knows.
            waiting.port = None;
        }
        drop(waiting);
        self.left.notify_all();
        told.map(|told| told.is_some())
    }

    /// What has come to the port; `None` when the time is up.
    fn wait_at(
        &self,
        port: &ReceiveRight<()>,
        right: &SendRight<()>,
        deadline: Deadline,
    ) -> Result<Option<Notification>, MachError> {
        // A request that is replaced was made for a port that has gone.
        drop(right.notify_send_possible(port)?);
        scratch::with(|scratch| match port.receive(&mut scratch.receive, deadline) {
            Ok(message) => Ok(Some(message.notification().unwrap_or(Notification::SendOnce))),
            Err(error) if error.is_timed_out() => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Has `waker` woken when the host ends the stream.
    pub(super) fn when_stopped(&self, waker: &Waker) {
        if self.is_adopted() {
            self.waiting().task = Some(waker.clone());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while the lock is held, so a poisoned one holds a whole value.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An end of a stream that a host may end.
pub(super) trait Ends: Send + Sync {
    /// A host's shutdown ends the stream from now on.
    fn adopt(&self);

    /// The host at `endpoint` ends the stream, if it has adopted it.
    fn stop(&self, endpoint: &Arc<str>);
}

impl Ends for End {
    fn adopt(&self) {
        self.adopted.store(true, Ordering::Relaxed);
    }

    /// Both sides are told.
    fn stop(&self, endpoint: &Arc<str>) {
        if !self.is_adopted() || self.stopped.set(endpoint.clone()).is_err() {
            return;
        }
        scratch::with(|scratch| {
            let outgoing =
                Outgoing::encode(&mut scratch.send, STOPPED_ID, Schema::fingerprint_of::<()>(), |_| Ok(()));
            if let Ok(outgoing) = outgoing {
                // It never waits for room. The producer may have said the last word, and the source may have gone.
                let _ = outgoing.move_send_once(&self.right).send(Deadline::never());
            }
        });
        let mut waiting = self.waiting();
        let (port, task) = (waiting.port.clone().filter(|_| waiting.is_led), waiting.task.take());
        drop(waiting);
        if let Some(port) = port {
            // Without room for a right to it the thread waits until its own deadline.
            let _ = wake(&port);
        }
        if let Some(task) = task {
            task.wake();
        }
    }
}

thread_local! {
    /// Ends of streams in the message that is being decoded on this thread.
    static DECODED: RefCell<Vec<Weak<dyn Ends>>> = const { RefCell::new(Vec::new()) };
}

/// Makes an end of a stream that is in a message which is being decoded for a host: the host adopts it when it has the whole message.
pub(super) fn adopt_later<E: Ends + 'static>(make: impl FnOnce() -> Option<Arc<E>>) -> Option<Arc<E>> {
    if !Decoding::has_streams() {
        return None;
    }
    let end = make()?;
    let weak: Weak<E> = Arc::downgrade(&end);
    DECODED.with_borrow_mut(|decoded| decoded.push(weak));
    Some(end)
}

/// The streams of which an end has come to a host.
pub(crate) struct Streams(Mutex<Adopted>);

struct Adopted {
    ends: Vec<Weak<dyn Ends>>,
    /// With so many, those that have ended are forgotten.
    most: usize,
    /// The endpoint of the host, once it has ended them.
    stopped: Option<Arc<str>>,
}

/// So many streams are kept without looking which of them have ended.
const FEW: usize = 16;

impl Streams {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Adopted { ends: Vec::new(), most: FEW, stopped: None }))
    }

    /// Adopts the streams of which ends were in the message that was decoded on this thread.
    #[cold]
    pub(crate) fn adopt_decoded(&self) {
        // Those in a message that was not understood have gone already.
        DECODED.take().iter().filter_map(Weak::upgrade).for_each(|end| self.adopt(&end));
    }

    fn adopt(&self, end: &Arc<dyn Ends>) {
        end.adopt();
        let mut adopted = self.adopted();
        if let Some(endpoint) = adopted.stopped.clone() {
            drop(adopted);
            return end.stop(&endpoint);
        }
        if adopted.ends.len() >= adopted.most {
            adopted.ends.retain(|end| end.strong_count() > 0);
            adopted.most = FEW.max(2 * adopted.ends.len());
        }
        adopted.ends.push(Arc::downgrade(end));
    }

    /// The host at `endpoint` shuts down: ends all, and those that come.
    pub(crate) fn stop(&self, endpoint: &Arc<str>) {
        let mut adopted = self.adopted();
        adopted.stopped = Some(endpoint.clone());
        let ends = std::mem::take(&mut adopted.ends);
        drop(adopted);
        ends.iter().filter_map(Weak::upgrade).for_each(|end| end.stop(endpoint));
    }

    fn adopted(&self) -> MutexGuard<'_, Adopted> {
        // Nothing panics while the lock is held, so a poisoned one holds a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
