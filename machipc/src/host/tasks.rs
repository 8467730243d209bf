//! Handlers that are futures: a task for each message.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use crate::context::{Context, Shared};
use crate::interceptor::Watch;
use crate::logger::LogLevel;
use crate::message::MachMessage;
use crate::port::{MessageBuffer, Parcel, ReceiveRight};

use crate::reply::wire;
use crate::scope::Scope;

use super::complaint::Complaints;
use super::core::{Core, words_of};
use super::ending::Ended;
use super::gate::Gate;
use super::idle::Idle;
use super::serve::{FAILURES, Manner};
use super::throughput::Throughput;

/// What handles the messages of an [asynchronous host](crate::HostBuilder::serve_async_on): a type of yours with an `async fn`.
///
/// The message borrows from memory of its own, which lives as long as the future, so that a `Kv<'_>` can be held across an `await`. Each
/// message is a task; how many are under way at once is [bounded](crate::HostBuilder::tasks).
///
/// A closure that returns a future is one too, where the message owns all it has: it takes message and context by value. (A closure's
/// future cannot borrow from what the closure is called with; a method's can.)
///
/// ```no_run
/// use machipc::{AsyncHandler, Context, Host, Reply};
/// use std::{collections::HashMap, sync::Mutex};
///
/// #[machipc::endpoint("com.example.kv")]
/// enum Kv<'a> {
///     Put { key: &'a str, value: &'a [u8] },
///     Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },
/// }
///
/// #[derive(Default)]
/// struct Store(Mutex<HashMap<String, Vec<u8>>>);
///
/// impl AsyncHandler<Kv<'static>> for Store {
///     async fn handle(&self, message: Kv<'_>, _: &Context) {
///         match message {
///             Kv::Put { key, value } => drop(self.0.lock().unwrap().insert(key.to_owned(), value.to_owned())),
///             Kv::Get { key, reply } => {
///                 let value = self.0.lock().unwrap().get(key).cloned();
///                 let _ = reply.send(value);
///             }
///         }
///     }
/// }
///
/// # fn spawn(task: machipc::Task) {}
/// let host = Host::<Kv>::builder().serve_async_on(spawn, Store::default())?;
/// # Ok::<(), machipc::Error>(())
/// ```
pub trait AsyncHandler<M: MachMessage>: Send + Sync + 'static {
    /// Handles a message. Write it as `async fn`.
    ///
    /// Dropping the future, as an executor does that shuts down, drops what the message holds: whoever waits for a reply is told.
    fn handle<'m>(&self, message: M::View<'m>, context: &'m Context) -> impl Future<Output = ()> + Send;
}

impl<M, F, Handling> AsyncHandler<M> for F
where
    M: for<'a> MachMessage<View<'a> = M> + Send,
    F: Fn(M, Context) -> Handling + Send + Sync + 'static,
    Handling: Future<Output = ()> + Send,
{
    fn handle(&self, message: M, context: &Context) -> impl Future<Output = ()> + Send {
        self(message, context.clone())
    }
}

/// What an asynchronous host gives to the executor, once for each message. It never fails, and may be dropped at any time.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// As many buffers are kept for the next messages.
const KEPT: usize = 64;

/// An asynchronous host, as its threads and tasks share it.
pub(super) struct Tasks<M: MachMessage + 'static, H> {
    core: Arc<Core<M>>,
    handler: H,
    complaints: Mutex<Complaints>,
    buffers: Mutex<Vec<MessageBuffer>>,
    /// What a new buffer is like.
    manner: Manner,
    slots: Arc<Slots>,
}

impl<M: MachMessage + 'static, H: AsyncHandler<M>> Tasks<M, H> {
    pub(super) fn new(core: Arc<Core<M>>, handler: H, manner: Manner, limit: usize) -> Self {
        let slots = Arc::new(Slots { taken: Mutex::new(0), freed: Condvar::new(), limit });
        let stopped = slots.clone();
        core.shared.when_stopping(move || {
            // Whoever looked before the host was stopping waits by now.
            drop(lock(&stopped.taken));
            stopped.freed.notify_all();
        });
        let (complaints, buffers) = (Mutex::new(Complaints::new()), Mutex::new(Vec::new()));
        Self { core, handler, complaints, buffers, manner, slots }
    }

    pub(super) fn slots(&self) -> Arc<Slots> {
        self.slots.clone()
    }

    fn gate(&self, index: usize) -> Option<Gate<'_, M>> {
        let (counters, known) = (self.core.counters.get(index)?, self.core.peers.known(index)?);
        Some(Gate { core: &self.core, counters, complaints: &self.complaints, known })
    }

    /// Receives messages on this thread, the host's `index`-th, and makes a task of each, until the host stops.
    pub(super) fn serve(
        self: &Arc<Self>,
        port: &ReceiveRight<()>,
        index: usize,
        spawn: &(impl Fn(Task) + ?Sized),
    ) {
        let Some(gate) = self.gate(index) else { return };
        let shared = &self.core.shared;
        let mut buffer = self.take_buffer();
        let mut pace = self.manner.pace();
        // The first thread speaks for all.
        let mut throughput = self
            .manner
            .throughput_log
            .filter(|_| index == 0)
            .map(|interval| Throughput::new(interval, false));
        let mut failures = 0;
        while let Some(slot) = self.slots.take(shared) {
            let mut slot = Some(slot);
            while slot.is_some() && !shared.is_stopping() {
                let mut deadline = pace.deadline();
                if let Some(throughput) = &mut throughput {
                    throughput.look(&*self.core, &shared.log);
                    deadline = deadline.min(throughput.deadline());
                }
                if let Some(idle) = &self.core.idle {
                    deadline = deadline.min(idle.deadline());
                }
                match Parcel::receive(port, &mut buffer, deadline) {
                    // A client that connects does not wait for the executor.
                    Ok(mut parcel) if parcel.id() == wire::COMPARE_ID || parcel.is_notification() => {
                        failures = 0;
                        if let Some(received) = parcel.open() {
                            let _ = gate.open(&received);
                        }
                        buffer = parcel.into_buffer();
                    }
                    Ok(parcel) => {
                        failures = 0;
                        self.core.idle.iter().for_each(Idle::message);
                        spawn(Box::pin(self.clone().handle(parcel, index, slot.take())));
                        buffer = self.take_buffer();
                        pace.message();
                    }
                    // The port has gone because the host is shutting down.
                    Err(error) if error.is_receiver_gone() && shared.is_stopping() => break,
                    Err(error) if error.is_timed_out() => {
                        pace.empty();
                        self.core.end_if_idle();
                    }
                    Err(error) if error.is_too_large() => gate.too_large(self.manner.largest_message),
                    Err(error) => {
                        failures += 1;
                        if error.is_receiver_gone() || failures == FAILURES {
                            shared.log.line(LogLevel::Error, format_args!("the host cannot go on: {error}"));
                            shared.stop_because(Ended::Failed);
                        } else {
                            gate.unreceivable(&error);
                        }
                    }
                }
            }
        }
        // First the slot, so that a message whose time is up while it waits for one is counted as left.
        while shared.ending.has_next()
            && let Some(slot) = self.slots.take_until(shared.ending.until())
            && let Some(parcel) = shared.ending.next()
        {
            spawn(Box::pin(self.clone().handle(parcel, index, Some(slot))));
        }
        if let Some(throughput) = &mut throughput {
            throughput.finish(&*self.core, &shared.log);
        }
        gate.sum_up();
        // Another thread of the host may be waiting still.
        shared.stop();
    }

    /// Handles one message. `_slot` is freed when that is over, one way or the other.
    async fn handle(self: Arc<Self>, mut parcel: Parcel, index: usize, _slot: Option<Slot>) {
        let Some(gate) = self.gate(index) else { return };
        // Lives longer than the message, whose lifetime the handler sees it with.
        let mut context = Context::new(self.core.shared.clone(), self.core.own, false);
        {
            let Some(received) = parcel.open() else { return };
            let Some((message, deadline, watch)) = gate.open(&received) else { return };
            gate.counters.count_task();
            let scope = Scope { deadline, trace: received.trace() };
            context.set_message(received.sent_by(), scope.deadline, &scope.trace);
            // As in a host with threads: a panic in the handler ends here. A closure may panic before there is a future.
            let begun = {
                let _entered = watch.as_deref().map(Watch::enter);
                catch_unwind(AssertUnwindSafe(|| scope.enter(|| self.handler.handle(message, &context))))
            };
            let handled = match begun {
                Ok(handling) => {
                    let mut handling = pin!(handling);
                    let polled = poll_fn(|cx| {
                        let _entered = watch.as_deref().map(Watch::enter);
                        match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
                            Ok(poll) => poll.map(Ok),
                            Err(panic) => Poll::Ready(Err(panic)),
                        }
                    });
                    scope.follow(polled).await
                }
                Err(panic) => Err(panic),
            };
            if let Some(watch) = watch {
                watch.handled(handled.is_ok());
            }
            if let Err(panic) = handled {
                gate.counters.count_panic();
                let words = words_of(&*panic);
                self.core.shared.log.line(LogLevel::Error, format_args!("the handler panicked: {words}"));
            }
        }
        let buffer = parcel.into_buffer();
        let mut buffers = lock(&self.buffers);
        if buffers.len() < KEPT && buffer.capacity() <= 2 * self.manner.task_buffer() {
            buffers.push(buffer);
        }
    }

    fn take_buffer(&self) -> MessageBuffer {
        lock(&self.buffers).pop().unwrap_or_else(|| {
            let mut buffer = MessageBuffer::with_capacity(self.manner.task_buffer());
            buffer.set_largest(self.manner.largest_message);
            buffer
        })
    }
}

/// How many tasks may be under way.
pub(super) struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
    limit: usize,
}

/// One of the tasks that may be under way.
struct Slot(Arc<Slots>);

impl Slots {
    /// Waits for a slot; `None` once the host stops.
    fn take(self: &Arc<Self>, shared: &Shared) -> Option<Slot> {
        let mut taken = lock(&self.taken);
        loop {
            if shared.is_stopping() {
                return None;
            }
            if *taken < self.limit {
                *taken += 1;
                return Some(Slot(self.clone()));
            }
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for a slot, whether or not the host stops; `None` once the time is up.
    fn take_until(self: &Arc<Self>, until: Option<Instant>) -> Option<Slot> {
        let mut taken = self.wait(until, |taken| taken < self.limit)?;
        *taken += 1;
        Some(Slot(self.clone()))
    }

    /// Waits until no task is under way any more. Returns how many are when the time is up.
    pub(super) fn wait_until_free(&self, until: Option<Instant>) -> usize {
        match self.wait(until, |taken| taken == 0) {
            Some(_) => 0,
            None => *lock(&self.taken),
        }
    }

    /// Waits until as many slots are taken as are `few`; `None` once the time is up.
    fn wait(&self, until: Option<Instant>, few: impl Fn(usize) -> bool) -> Option<MutexGuard<'_, usize>> {
        let mut taken = lock(&self.taken);
        while !few(*taken) {
            taken = match until {
                None => self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let time = until.saturating_duration_since(Instant::now());
                    if time.is_zero() {
                        return None;
                    }
                    self.freed.wait_timeout(taken, time).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Some(taken)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *lock(&self.0.taken) -= 1;
        // One that wants a slot, or who waits for the last one to be free.
        self.0.freed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one of these locks is held, so a poisoned one holds a whole value.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
