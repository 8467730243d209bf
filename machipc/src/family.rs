//! Endpoints between a parent and a child process, which need no name.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::host::Host;
use crate::message::MachMessage;
use crate::port::inheritance::{self, InheritanceError};
use crate::port::{Deadline, MachError, MessageBuffer, Notification, Outgoing, ReceiveRight, SendRight};

/// What a child is handed under an endpoint's key is a right to send to the parent's host; under this, a right to tell the parent of the child's
/// host. No endpoint has a `/` in its name.
const TO_PARENT: &str = "to-parent/";
/// How long a child waits for room in its parent's queue, which has room.
const ROOM: Duration = Duration::from_secs(30);

impl<M: MachMessage + 'static> Host<M> {
    /// Hands this host to the process that `command` will start, which takes it with [`Client::from_parent`]. No other process can, and
    /// nobody can look it up: see [`inheritance`] for what that means. The host may be
    /// [unnamed](crate::HostBuilder::unnamed).
    ///
    /// A child can be handed one host for each endpoint. Hand it anew for each command: a second process of the same `Command` does not
    /// start (`EALREADY`).
    ///
    /// ```no_run
    /// use machipc::{Context, Host, Reply};
    /// use std::process::Command;
    ///
    /// #[machipc::endpoint("com.example.settings")]
    /// enum Settings<'a> {
    ///     Get { key: &'a str, reply: Reply<Option<String>> },
    /// }
    ///
    /// // The parent:
    /// let host = Host::<Settings>::builder().unnamed().bind(|message: Settings<'_>, _: &Context| match message {
    ///     Settings::Get { key, reply } => drop(reply.send(std::env::var(key).ok())),
    /// })?;
    /// let mut command = Command::new("/usr/local/libexec/worker");
    /// host.hand_to(&mut command)?;
    /// let child = command.spawn()?;
    ///
    /// // The child, before it starts threads or programs of its own:
    /// let settings = SettingsClient::from_parent()?;
    /// println!("{:?}", settings.get("LANG")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::HandedAlready`] when the command has a host of this endpoint; [`Error::Mach`] without descriptors or memory.
    pub fn hand_to(&self, command: &mut Command) -> Result<(), Error> {
        inheritance::hand_to(command, key::<M>(), &self.send_right()?).map_err(|error| failed::<M>(error))
    }

    /// Hands this host to the parent of this process, which awaits it with [`Client::from_child`].
    ///
    /// # Errors
    /// [`Error::NotHanded`] when the parent does not await it, or it has been handed before; [`Error::HostDied`] when the parent does not
    /// wait any more.
    pub fn hand_to_parent(&self) -> Result<(), Error> {
        let parent = inheritance::from_parent::<SendRight<M>>(&to_parent::<M>())
            .map_err(|error| failed::<M>(error))?;
        let endpoint = || self.name().to_owned();
        Outgoing::message(&mut MessageBuffer::new(), &self.send_right()?)
            .map_err(|source| Error::Encode { endpoint: endpoint(), source })?
            .copy_send(&parent)
            .send(Deadline::after(ROOM))
            .map_err(|source| match source {
                source if source.is_dead_destination() => Error::HostDied { endpoint: endpoint() },
                source => Error::Mach { endpoint: endpoint(), source },
            })
    }
}

impl<M: MachMessage + 'static> Client<M> {
    /// The client of the host that the parent of this process handed it with [`Host::hand_to`]. It can be taken once: clone it.
    ///
    /// Call it early. Until then the programs that this process starts inherit the way to the host as well.
    ///
    /// # Errors
    /// [`Error::NotHanded`] when there is none, or it has been taken.
    pub fn from_parent() -> Result<Self, Error> {
        let right = inheritance::from_parent(key::<M>()).map_err(|error| failed::<M>(error))?;
        Ok(Self::through(right, name::<M>()))
    }

    /// Prepares to await the host that the process which `command` will start hands to this one, with
    /// [`Host::hand_to_parent`].
    ///
    /// ```no_run
    /// # use machipc::{Client, Context, Host, Reply};
    /// # use std::{process::Command, time::Duration};
    /// # #[machipc::endpoint("com.example.worker")]
    /// # enum Worker { Square { of: u64, reply: Reply<u64> } }
    /// // The parent:
    /// let mut command = Command::new("/usr/local/libexec/worker");
    /// let awaited = Client::<Worker>::from_child(&mut command)?;
    /// let child = command.spawn()?;
    /// drop(command);
    /// let worker = WorkerClient::from_client(awaited.wait(Duration::from_secs(10))?);
    /// println!("{}", worker.square(7)?);
    ///
    /// // The child:
    /// let host = Host::<Worker>::builder().unnamed().bind(|message: Worker, _: &Context| match message {
    ///     Worker::Square { of, reply } => drop(reply.send(of * of)),
    /// })?;
    /// host.hand_to_parent()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Host::hand_to`].
    pub fn from_child(command: &mut Command) -> Result<AwaitedClient<M>, Error> {
        let mach = |source: MachError| Error::Mach { endpoint: name::<M>().to_owned(), source };
        let port = ReceiveRight::<SendRight<M>>::new().map_err(mach)?;
        let right = port.make_send().map_err(mach)?;
        inheritance::hand_to(command, &to_parent::<M>(), &right).map_err(|error| failed::<M>(error))?;
        // With this process's own right gone, the child's is the last one.
        drop(right);
        port.notify_no_senders(1, &port).map_err(mach)?;
        Ok(AwaitedClient { port })
    }
}

/// A host that a child process is to hand to this one: see [`Client::from_child`].
pub struct AwaitedClient<M: MachMessage + 'static> {
    port: ReceiveRight<SendRight<M>>,
}

impl<M: MachMessage + 'static> AwaitedClient<M> {
    /// Waits until the child has handed its host over.
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`] after `timeout`; [`Error::HostDied`] when the child has ended without. On Linux that is seen only once the
    /// [`Command`] has been dropped, on Apple systems only if the child had begun to hand it over. [`Error::Decode`] when the child's
    /// definition of the endpoint is another.
    pub fn wait(self, timeout: Duration) -> Result<Client<M>, Error> {
        let endpoint = || name::<M>().to_owned();
        let mut buffer = MessageBuffer::new();
        let received =
            self.port.receive(&mut buffer, Deadline::after(timeout)).map_err(|source| match source {
                source if source.is_timed_out() => {
                    Error::DeadlineExceeded { endpoint: endpoint(), after: timeout }
                }
                source => Error::Mach { endpoint: endpoint(), source },
            })?;
        if let Some(Notification::NoSenders { .. }) = received.notification() {
            return Err(Error::HostDied { endpoint: endpoint() });
        }
        let right = received
            .decode::<SendRight<M>>()
            .map_err(|source| Error::Decode { endpoint: endpoint(), source })?;
        Ok(Client::through(right, name::<M>()))
    }
}

impl<M: MachMessage + 'static> fmt::Debug for AwaitedClient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitedClient({} at {:?})", name::<M>(), self.port)
    }
}

/// Under what a child finds its parent's host.
fn key<M: MachMessage>() -> &'static str {
    M::ENDPOINT.unwrap_or_default()
}

fn to_parent<M: MachMessage>() -> String {
    format!("{TO_PARENT}{}", key::<M>())
}

/// What errors call an endpoint that has no name of its own.
fn name<M: MachMessage>() -> &'static str {
    M::ENDPOINT.unwrap_or(crate::host::UNNAMED)
}

fn failed<M: MachMessage>(error: InheritanceError) -> Error {
    let endpoint = name::<M>().to_owned();
    match error {
        InheritanceError::HandedAlready { .. } => Error::HandedAlready { endpoint },
        InheritanceError::NotHanded { .. } => Error::NotHanded { endpoint },
        InheritanceError::Mach { source, .. } => Error::Mach { endpoint, source },
    }
}
