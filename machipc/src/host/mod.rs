//! The receiving side.

mod builder;
mod complaint;
mod core;
mod gate;
mod pace;
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

use crate::client::Client;
use crate::context::Context;
use crate::error::Error;
use crate::logger::LogLevel;
use crate::message::MachMessage;
use crate::port::{MachError, ReceiveRight, SendRight};
use crate::registry;

pub use builder::HostBuilder;
pub(crate) use core::Core;
pub use policy::PeerPolicy;
pub(crate) use serve::wake;
pub use stats::HostStats;
pub use tasks::{AsyncHandler, Task};

/// What a host or client without a name is called in logs and errors.
pub(crate) const UNNAMED: &str = "(unnamed)";

/// Receives messages of type `M` and calls a handler with each.
///
/// The host owns the endpoint's name while it lives. Dropping it takes the name back, waits for its threads to finish the
/// messages they have in hand, and destroys the port: who waits for an answer to a message that is still queued gets
/// [`Error::HostDied`]. A handler may drop its own host; then nobody waits.
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
            Some(port) => port.make_send().map(SendRight::cast).map_err(failed),
            None => Err(Error::HostDied { endpoint: self.name().to_owned() }),
        }
    }

    /// Waits until a handler calls [`Context::stop`], then ends the host and returns what it has counted.
    pub fn wait(mut self) -> HostStats {
        self.join();
        self.stats()
    }

    /// Waits for all threads but this one to end.
    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            if thread.thread().id() == thread::current().id() {
                continue;
            }
            if thread.join().is_err() {
                self.core.shared.log.line(LogLevel::Error, format_args!("a thread of the host panicked"));
            }
        }
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
