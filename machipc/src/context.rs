//! What a handler knows about a message beyond the message itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::host::{Ended, Ending, wake};
use crate::logger::{Log, LogLevel};
use crate::message::TraceContext;
use crate::port::{OolBuffer, ReceiveRight, Sender};
use crate::registry;
use crate::scope::Scope;
use crate::stream::Streams;

/// Who sent a message, to which endpoint, and until when an answer is wanted: the second argument of every handler.
///
/// ```no_run
/// # use machipc::{Context, Host};
/// let host = Host::<String>::builder().name("com.example.echo").bind(|text: String, cx: &Context| {
///     println!("{}: process {} of user {} says {text}", cx.endpoint(), cx.peer().pid(), cx.peer().uid());
/// })?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    shared: Arc<Shared>,
    peer: Sender,
    deadline: Option<Instant>,
    trace: Option<TraceContext>,
    local: bool,
}

/// What all contexts of one host share with it.
pub(crate) struct Shared {
    pub(crate) endpoint: Arc<str>,
    pub(crate) log: Log,
    /// Weak, so that a context or client which outlives the host does not keep the port.
    port: Weak<ReceiveRight<()>>,
    stopping: AtomicBool,
    pub(crate) ending: Ending,
    /// Those that a shutdown ends.
    pub(crate) streams: Streams,
    /// Tells those who wait for something else than messages that the host stops.
    stopped: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Context {
    /// The process that sent the message, as the kernel vouches for it. Rights can be handed on, so ask on every message.
    pub fn peer(&self) -> &Sender {
        &self.peer
    }

    /// The endpoint's name; `(unnamed)` for a host without one.
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }

    /// Until when the caller waits for the answer, by this process's clock. `None` for one-way messages, and for callers that
    /// wait for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The trace that the message belongs to, as its sender says, and its step in it. Messages that the handler sends belong to the same
    /// trace.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// Memory of `len` bytes for an answer to the message, or for anything else that is sent to the process it came from: what
    /// [`Reply::loan`](crate::Reply::loan) is where there is a reply in hand, for the methods of an endpoint that is a
    /// [trait](macro@crate::endpoint).
    ///
    /// ```no_run
    /// use machipc::{Context, OolBuffer};
    ///
    /// #[machipc::endpoint("com.example.frames")]
    /// pub trait Frames {
    ///     fn next(&self, width: u32, height: u32, cx: &Context) -> Option<OolBuffer>;
    /// }
    ///
    /// struct Grey;
    ///
    /// impl Frames for Grey {
    ///     fn next(&self, width: u32, height: u32, cx: &Context) -> Option<OolBuffer> {
    ///         let mut pixels = cx.loan(width as usize * height as usize * 4).ok()?;
    ///         pixels.as_mut_slice().fill(0x80);
    ///         Some(pixels)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Mach`] when there is not so much memory.
    pub fn loan(&self, len: usize) -> Result<OolBuffer, Error> {
        let memory = if self.local { OolBuffer::new(len) } else { OolBuffer::for_sender(&self.peer, len) };
        memory.map_err(|source| Error::Mach { endpoint: self.endpoint().to_owned(), source })
    }

    /// Whether the message took the short cut inside this process: the handler runs on the sender's thread.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Does `work` as a part of handling this message: what it sends and calls waits no longer than this message's caller does. So it is
    /// in the handler anyway; this takes it along to another thread. Without a [deadline](Self::deadline), it is without one.
    ///
    /// ```no_run
    /// # use machipc::{Client, Context, Host, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// let other = SquaresClient::connect_to("com.example.other")?;
    /// let host = Host::<Squares>::bind(move |message: Squares, cx: &Context| match message {
    ///     Squares::Square { of, reply } => {
    ///         let (other, cx) = (other.clone(), cx.clone());
    ///         std::thread::spawn(move || {
    ///             // Fails with `Error::DeadlineExceeded` once the caller has given up.
    ///             if let Ok(square) = cx.scope(|| other.square(of)) {
    ///                 let _ = reply.send(square);
    ///             }
    ///         });
    ///     }
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    pub fn scope<R>(&self, work: impl FnOnce() -> R) -> R {
        Scope { deadline: self.deadline, trace: self.trace }.enter(work)
    }

    /// [`scope`](Self::scope) for a future, wherever it is polled. The handlers of asynchronous hosts are such futures already; this is
    /// for tasks of their own that they spawn.
    ///
    /// ```no_run
    /// # use machipc::{Context, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// # fn spawn(task: impl Future<Output = ()> + Send + 'static) {}
    /// fn square_in_a_task(other: SquaresAsyncClient, of: u64, reply: Reply<u64>, cx: &Context) {
    ///     spawn(cx.scope_future(async move {
    ///         if let Ok(square) = other.square(of).await {
    ///             let _ = reply.send(square);
    ///         }
    ///     }));
    /// }
    /// ```
    pub fn scope_future<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scope { deadline: self.deadline, trace: self.trace }.follow(future)
    }

    /// Asks the host to stop: it handles what its threads have in hand, and nothing after it. A
    /// [`run`](crate::HostBuilder::run) returns then, and so does [`Host::wait`](crate::Host::wait), however long that takes. What is in
    /// the queue then is lost, and who waits for an answer gets [`Error::HostDied`](crate::Error::HostDied). To end
    /// without losing anything there is [`shutdown`](Self::shutdown).
    pub fn stop(&self) {
        self.shared.stop_because(Ended::Stopped);
    }

    /// Begins to shut the host down, as [`Host::shutdown`](crate::Host::shutdown) does, and returns at once. A
    /// [`run`](crate::HostBuilder::run) or [`Host::wait`](crate::Host::wait) returns when what is in hand is done, or after `grace`.
    ///
    /// ```no_run
    /// use machipc::{Context, Host};
    /// use std::time::Duration;
    ///
    /// let stats = Host::<String>::builder().name("com.example.echo").run(|text: String, cx: &Context| {
    ///     match text.as_str() {
    ///         "enough" => cx.shutdown(Duration::from_secs(5)),
    ///         text => println!("{text}"),
    ///     }
    /// })?;
    /// println!("{} messages, {} left", stats.handled, stats.left);
    /// # Ok::<(), machipc::Error>(())
    /// ```
    pub fn shutdown(&self, grace: Duration) {
        self.shared.shut_down(grace);
    }

    /// Whether the host has been told to stop or to shut down, or has been dropped. A handler that takes long looks now and then and ends
    /// early; so does what it has started, with a clone of the context.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    pub(crate) fn new(shared: Arc<Shared>, peer: Sender, local: bool) -> Self {
        Self { shared, peer, deadline: None, trace: None, local }
    }

    /// The same context for another message.
    #[inline]
    pub(crate) fn set_message(
        &mut self,
        peer: &Sender,
        deadline: Option<Instant>,
        trace: &Option<TraceContext>,
    ) {
        self.peer = *peer;
        self.deadline = deadline;
        // A copy of it all would have to wait for the one byte that was written last.
        match trace {
            None => self.trace = None,
            trace => self.trace = *trace,
        }
    }

    /// The same sender and host, for a message with this scope.
    pub(crate) fn with_scope(&self, scope: Scope) -> Self {
        Self { deadline: scope.deadline, trace: scope.trace, ..self.clone() }
    }
}

impl Shared {
    /// As many bytes may a message have that the host receives.
    pub(crate) fn new(endpoint: Arc<str>, log: Log, port: Weak<ReceiveRight<()>>, largest: usize) -> Self {
        let (stopping, stopped, ending) = (AtomicBool::new(false), OnceLock::new(), Ending::new(largest));
        Self { endpoint, log, port, stopping, ending, streams: Streams::new(), stopped }
    }

    /// [`stop`](Self::stop), and says why.
    pub(crate) fn stop_because(&self, why: Ended) {
        self.ending.because(why);
        self.stop();
    }

    /// Begins to shut down: nothing more is taken, what waits is dealt with, and the name is free. The first one who asks says how long
    /// what is in hand may take.
    pub(crate) fn shut_down(&self, grace: Duration) {
        if !self.ending.begin(grace) {
            return;
        }
        self.log.line(LogLevel::Info, format_args!("the host is shutting down, within {grace:?}"));
        self.stopping.store(true, Ordering::Release);
        if let Some(port) = self.port.upgrade() {
            registry::remove(port.name());
            // Whoever waits for messages sees the port go.
            self.ending.close(&port);
        }
        self.streams.stop(&self.endpoint);
        if let Some(stopped) = self.stopped.get() {
            stopped();
        }
    }

    /// Says that the host is to stop, and wakes a thread that waits for messages so that it sees it.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(stopped) = self.stopped.get() {
            stopped();
        }
        // Who waits in a shutdown sees the port go.
        let port = self.port.upgrade().filter(|_| !self.ending.is_shutdown());
        let woken = port.map_or(Ok(()), |port| wake(&port));
        if let Err(error) = woken {
            self.log.line(LogLevel::Error, format_args!("a waiting thread is not woken: {error}"));
        }
    }

    /// Has `told` called whenever the host is told to stop. One asks, once.
    pub(crate) fn when_stopping(&self, told: impl Fn() + Send + Sync + 'static) {
        let _ = self.stopped.set(Box::new(told));
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
