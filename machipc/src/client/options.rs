//! How a client finds its host, and what becomes of it when the host dies.

use std::time::{Duration, Instant};

use crate::error::{Error, Own};
use crate::host::Core;
use crate::message::{Encode, MachMessage};
use crate::port::{Deadline, Outgoing, Trust, bootstrap};
use crate::registry;
use crate::reply::Reply;
use crate::reply::wire::{self, Answered, Presence};
use crate::scratch;

use super::connection::Connection;
use super::renewable::{self, Renewable};
use super::{Client, Link, look_up_error, own_name};

/// Whether a client looks for another host when its own has died.
///
/// No call is ever repeated that may have run: whoever waits for an answer when the host dies gets [`Error::HostDied`]. The *next* message
/// finds the port dead before it leaves, and that one goes to the new host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconnect {
    /// It stays with the host it had: each message fails with [`Error::HostDied`].
    #[default]
    Never,
    /// It looks the name up again, once a message is to be sent. Clones share what is found.
    OnHostDeath {
        /// How long such a message waits for a host to appear, within its own deadline; then it fails with [`Error::NotFound`].
        /// An [`AsyncClient`](crate::AsyncClient) does not wait: it finds a host that is there.
        wait: Duration,
    },
}

/// How to connect: what [`Client::connect`] does by default, and what else it can do.
///
/// ```no_run
/// use machipc::{Client, ConnectOptions, Reconnect};
/// use std::time::Duration;
///
/// let options = ConnectOptions::new()
///     .name("com.example.echo")
///     .wait(Duration::from_secs(5))
///     .reconnect(Reconnect::OnHostDeath { wait: Duration::from_secs(5) });
/// let client = Client::<String>::connect_with(&options)?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a client is made by `connect_with`"]
pub struct ConnectOptions {
    name: Option<String>,
    wait: Duration,
    reconnect: Reconnect,
    compare: Option<Duration>,
    shares: Option<(Trust, usize)>,
}

/// How long a client that was not told otherwise waits, while connecting, to be told whether the host has its definition.
const COMPARING: Duration = Duration::from_millis(100);

impl ConnectOptions {
    /// The host of the message type's own endpoint, which is there; it is asked for its definition, and not replaced when it dies.
    pub fn new() -> Self {
        Self {
            name: None,
            wait: Duration::ZERO,
            reconnect: Reconnect::Never,
            compare: Some(COMPARING),
            shares: None,
        }
    }

    /// The host that has this name.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Waits up to so long for a host to appear.
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// What to do when the host dies. A client that may reconnect sends through the port even to a host of its own process.
    pub fn reconnect(self, reconnect: Reconnect) -> Self {
        Self { reconnect, ..self }
    }

    /// For how long to ask the host, while connecting, whether it was built from the same definition; 100 ms by default. `None`
    /// does not ask.
    ///
    /// It costs a round trip, and tells at once and in words what differs ([`Error::Fingerprint`]), or that this process is
    /// not served ([`Error::Denied`]). The host answers between two messages. One that is too busy to answer in time does not keep the
    /// client from being connected: a difference shows in the first call then, as it does without asking. Only one-way
    /// messages tell nobody but the host's log. What is no host of this library finds a message with the id `0x2000_0002`
    /// in its queue.
    pub fn compare(self, within: impl Into<Option<Duration>>) -> Self {
        Self { compare: within.into(), ..self }
    }

    /// Shares `bytes` of memory with the host, if that [trusts](crate::HostBuilder::trust) its clients: what this client makes with
    /// [`loan`](Client::loan) is received in place. [`Trust`] says what is promised. The size is rounded up to a power of two, 1 MiB at least; memory is
    /// taken as it is used. Clients of one process and one host share one pool, of the first one's size.
    pub fn trust(self, trust: Trust, bytes: usize) -> Self {
        Self { shares: Some((trust, bytes)), ..self }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: MachMessage + 'static> Client<M> {
    /// Connects as the options say.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no host, [`Error::NoName`] without a name, [`Error::BadName`] for one that cannot be one;
    /// [`Error::Fingerprint`] and [`Error::Denied`], if the host was [asked](ConnectOptions::compare).
    pub fn connect_with(options: &ConnectOptions) -> Result<Self, Error> {
        let name = match &options.name {
            Some(name) => name.as_str(),
            None => own_name::<M>()?,
        };
        let mut client = match options.reconnect {
            Reconnect::Never => bootstrap::waiting(
                name,
                Deadline::after(options.wait),
                || Self::find(name),
                |error| matches!(error, Error::NotFound { .. }),
                |error| look_up_error(name, error),
            )?,
            Reconnect::OnHostDeath { wait } => {
                let connection = renewable::find::<M>(name, Deadline::after(options.wait))?;
                let renewable = Renewable::new(connection, wait, options.compare);
                Self::to(Link::Renewable(renewable.into()), name.into())
            }
        };
        client.shares = options.shares;
        if let Some(connection) = client.link.connection() {
            // Before it is asked anything, so that it has answered that, too.
            client.share(&connection);
            if let Some(within) = options.compare {
                client.compare(&connection, within)?;
            }
        }
        Ok(client)
    }

    /// The host of this name, if it is there.
    fn find(name: &str) -> Result<Self, Error> {
        if let Some(core) = registry::find_by_name::<Core<M>>(name) {
            return Ok(Self::to(Link::Local(core), name.into()));
        }
        let right = bootstrap::look_up::<M>(name).map_err(|error| look_up_error(name, error))?;
        Ok(Self::to(Link::Port(Connection::new(right).into()), name.into()))
    }

    /// Asks the host whether it has this side's definition. A host that does not answer now is asked nothing.
    pub(super) fn compare(&self, connection: &Connection, within: Duration) -> Result<(), Error> {
        scratch::with(|scratch| {
            let deadline = Instant::now().checked_add(within);
            let port =
                scratch.take_port().map_err(|error| wire::send_error(&self.endpoint, error, within))?;
            let reply = Reply::<Presence>::wanted(deadline);
            let deadline = deadline.map_or(Deadline::never(), Deadline::at);
            let question = Outgoing::encode(&mut scratch.send, wire::COMPARE_ID, self.fingerprint, |out| {
                reply.encode(out)
            })
            .map_err(|source| Error::Encode { endpoint: self.endpoint.to_string(), source })?
            .copy_send(connection.right())
            .make_reply(&port);
            let Ok(answer) = question.send_and_receive(&port, &mut scratch.receive, deadline) else {
                // It is busy, or gone, and the first message will tell. The port goes with the right to it that may be about.
                return Ok(());
            };
            let answered = wire::read::<Presence>(&answer, &self.endpoint, Own::of::<M>());
            drop(answer);
            scratch.keep_port(port);
            match answered {
                Answered::Failed(error @ (Error::Fingerprint { .. } | Error::Denied { .. })) => Err(error),
                Answered::Value(Some(right)) => {
                    connection.keep(right);
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }
}
