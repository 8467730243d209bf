//! The receiving side.

mod builder;
mod complaint;
mod core;
mod ending;
mod gate;
mod idle;
mod pace;
mod peers;
mod policy;
mod serve;
mod stats;
mod tasks;
mod throughput;
#[cfg(test)]
mod traps;

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::logger::LogLevel;
use crate::message::MachMessage;
use crate::port::{MachError, ReceiveRight, SendRight, Sender};
use crate::registry;

pub use builder::HostBuilder;
pub(crate) use core::Core;
pub use ending::Ended;
pub(crate) use ending::Ending;
pub use policy::PeerPolicy;
pub(crate) use serve::wake;
pub use stats::HostStats;
use tasks::Slots;
pub use tasks::{AsyncHandler, Task};

/// What a host or client without a name is called in logs and errors.
pub(crate) const UNNAMED: &str = "(unnamed)";

/// Receives messages of type `M` and calls a handler with each.
///
/// The host owns the endpoint's name while it lives. Dropping it takes the name back, waits for its threads to finish the
/// messages they have in hand, and destroys the port: who waits for an answer to a message that is still queued gets
/// [`Error::HostDied`]. A handler may drop its own host; then nobody waits. [`shutdown`](Self::shutdown) ends it without losing what
/// is queued.
///
/// Whatever a peer sends, the host goes on: a message that is not understood is counted ([`stats`](Self::stats)) and logged,
/// all that came with it is destroyed, and a caller is told what was wrong.
///
/// No lock is held while a handler runs. A client in the same process calls it on its own thread, so a handler can run on
/// several threads at once even in a host with one.
///
/// ```no_run
/// use machipc::{Context, Host, MachMessage, Reply};
///
/// #[machipc::endpoint("com.example.kv")]
/// enum Kv<'a> {
///     Put { key: &'a str, value: &'a [u8] },
///     Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },
/// }
///
/// let map = std::sync::Mutex::new(std::collections::HashMap::new());
/// let host = Host::<Kv>::bind(move |message: Kv<'_>, _: &Context| match message {
///     Kv::Put { key, value } => {
///         map.lock().unwrap().insert(key.to_owned(), value.to_owned());
///     }
///     Kv::Get { key, reply } => {
///         let value = map.lock().unwrap().get(key).cloned();
///         let _ = reply.send_on_return(value);
///     }
/// })?;
/// # Ok::<(), machipc::Error>(())
/// ```
pub struct Host<M: MachMessage + 'static> {
    core: Arc<Core<M>>,
    /// There until the host is dropped; its threads share it.
    port: Option<Arc<ReceiveRight<()>>>,
    threads: Vec<JoinHandle<()>>,
    /// The tasks of an asynchronous host.
    tasks: Option<Arc<Slots>>,
}

impl<M: MachMessage + 'static> Host<M> {
    /// Starts a host of `M`'s own endpoint on a thread of its own. See [`HostBuilder`] for all that can be set.
    ///
    /// # Errors
    /// As [`HostBuilder::bind`].
    pub fn bind<F>(handler: F) -> Result<Self, Error>
    where
        F: for<'a> Fn(M::View<'a>, &Context) + Send + Sync + 'static,
    {
        Self::builder().bind(handler)
    }

    /// The settings of a host that is yet to start.
    pub fn builder() -> HostBuilder<M> {
        HostBuilder::new()
    }

    /// The endpoint's name, or `(unnamed)`.
    pub fn name(&self) -> &str {
        &self.core.shared.endpoint
    }

    /// What the host has counted so far.
    pub fn stats(&self) -> HostStats {
        self.core.stats()
    }

    /// The processes that the host has heard from and that are still there, in no order: one entry each, as the kernel vouched for the
    /// first that came of it, whatever number of clients it has. [Connecting](Client::connect) is enough to be heard from; whom the
    /// [policy](HostBuilder::peers) does not admit is not among them. Nor are clients in this process that call the handler directly; those
    /// that come through the port are one entry, this process.
    ///
    /// Who lives is found out by this call ([`Sender::is_alive`]). To a message it adds a comparison, and those that have gone take no
    /// memory for long.
    ///
    /// ```no_run
    /// # let host = machipc::Host::<String>::builder().name("com.example.echo").bind(|_: String, _| {})?;
    /// for peer in host.peers() {
    ///     println!("process {} of user {}", peer.pid(), peer.uid());
    /// }
    /// # Ok::<(), machipc::Error>(())
    /// ```
    pub fn peers(&self) -> Vec<Sender> {
        self.core.peers.alive()
    }

    /// A client of this host, which calls the handler directly, whether or not
    /// [lookup](crate::registry::set_lookup_enabled) is enabled. An [asynchronous host](HostBuilder::serve_async_on) is reached through
    /// its port; where the process has no room for a right to it, the client finds the host dead.
    pub fn client(&self) -> Client<M> {
        if self.core.is_callable() {
            return Client::local(self.core.clone());
        }
        let right = self.port.as_ref().and_then(|port| port.make_send().ok());
        Client::through(right.map_or_else(SendRight::dead, SendRight::cast), self.name())
    }

    /// A right to send to this host: put it into a message, and whoever receives it can send here.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE` when the process has no room for more rights.
    pub fn send_right(&self) -> Result<SendRight<M>, Error> {
        let failed = |source: MachError| Error::Mach { endpoint: self.name().to_owned(), source };
        match &self.port {
            Some(port) if port.name() != 0 => port.make_send().map(SendRight::cast).map_err(failed),
            _ => Err(Error::HostDied { endpoint: self.name().to_owned() }),
        }
    }

    /// Ends the host without losing anything, and returns what it has counted.
    ///
    /// From now on nothing is taken: a client in this process is refused ([`Error::HostStopping`]). Requests that are in the queue are not
    /// handled: their callers are told at once, with the same error, and may make them again elsewhere. One-way messages that are in
    /// the queue are handled, since their senders think them delivered. Then the port goes and the name is free: another host can take it
    /// while this one finishes, and a client that [reconnects](crate::Reconnect) goes on there. A [declared](crate::port::bootstrap::check_in)
    /// name's queue is left as it is, for the next host.
    ///
    /// What is in hand may go on for `grace`: handlers that run, tasks of an [asynchronous host](HostBuilder::serve_async_on), and the one-way
    /// messages of the queue. Answers are sent as ever. Handlers and what they have started can ask [`Context::is_stopping`]. Streams of which
    /// an end came to the host, a [sink](crate::Sink) or a [source](crate::Source), end at once, behind what was sent, but for those that
    /// are to go on ([`Sink::through_shutdown`](crate::Sink::through_shutdown), [`Source::through_shutdown`](crate::Source::through_shutdown)). What is not done after `grace` is not waited for; it is counted as
    /// [`left`](HostStats::left) and [`unfinished`](HostStats::unfinished), and its threads and tasks go on until the process ends. A
    /// handler that a client in this process has called runs on the client's thread and is not waited for.
    ///
    /// What was sent after the shutdown began fails with [`Error::HostDied`]; a one-way message that comes in the very moment in which the
    /// port goes is lost, as it is when a host dies.
    ///
    /// Dropping the host instead drops what is in the queue and then waits for its threads, however long. A daemon that is told to end by
    /// SIGTERM waits for the signal where it does nothing else, with any crate for signals:
    ///
    /// ```no_run
    /// use machipc::{Context, Host};
    /// use std::time::Duration;
    /// # mod signal_hook { pub mod consts { pub const SIGTERM: i32 = 15; } pub mod iterator { pub struct Signals; impl Signals {
    /// #     pub fn new(_: [i32; 1]) -> std::io::Result<Self> { Ok(Self) } pub fn forever(&mut self) -> std::iter::Once<i32> { std::iter::once(15) } } } }
    /// use signal_hook::{consts::SIGTERM, iterator::Signals};
    ///
    /// // First the signals, so that none comes before somebody waits for it.
    /// let mut signals = Signals::new([SIGTERM])?;
    /// let host = Host::<String>::builder().name("com.example.echo").bind(|text: String, _: &Context| println!("{text}"))?;
    /// signals.forever().next();
    /// let stats = host.shutdown(Duration::from_secs(10));
    /// println!("{} messages handled, {} callers turned away", stats.handled, stats.turned_away);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// With tokio, `tokio::signal::unix::signal(SignalKind::terminate())?.recv().await` takes the place of the iterator, and
    /// `spawn_blocking(move || host.shutdown(grace)).await` that of the call: it blocks its thread.
    pub fn shutdown(self, grace: Duration) -> HostStats {
        self.core.shared.shut_down(grace);
        self.wait()
    }

    /// Waits until a handler calls [`Context::stop`] or [`Context::shutdown`], then ends the host and returns what it has counted.
    pub fn wait(mut self) -> HostStats {
        self.join();
        self.stats()
    }

    /// Waits for all threads but this one to end, and for tasks if there is a shutdown; in a shutdown, for as long as it allows.
    fn join(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        let ending = &self.core.shared.ending;
        let own = |thread: &JoinHandle<()>| thread.thread().id() == thread::current().id();
        let mut unfinished = ending.wait(self.threads.iter().filter(|&thread| own(thread)).count());
        for thread in self.threads.drain(..) {
            // Those that go on are past the grace; the others are at their very end.
            if own(&thread) || (unfinished > 0 && !thread.is_finished()) {
                continue;
            }
            if thread.join().is_err() {
                self.core.shared.log.line(LogLevel::Error, format_args!("a thread of the host panicked"));
            }
        }
        if let Some(tasks) = self.tasks.take_if(|_| ending.is_shutdown()) {
            // Its threads run no handlers.
            unfinished = tasks.wait_until_free(ending.until());
        }
        ending.count_unfinished(unfinished);
    }
}

impl<M: MachMessage + 'static> Drop for Host<M> {
    fn drop(&mut self) {
        let Some(port) = self.port.take() else { return };
        registry::remove(port.name());
        // The port is destroyed when no thread receives from it any more: never under a thread that does.
        self.core.shared.stop();
        self.join();
        drop(port);
        self.core.shared.log.line(LogLevel::Info, format_args!("the host has stopped"));
    }
}

impl<M: MachMessage + 'static> fmt::Debug for Host<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
