//! How a client finds its host, and what becomes of it when the host dies.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::driver::{Alarm, Driver, Watched};
use crate::error::Error;
use crate::host::Core;
use crate::message::MachMessage;
use crate::port::{Deadline, Trust, bootstrap};
use crate::registry;

use super::connection::Connection;
use super::renewable::{self, Renewable};
use super::{AsyncClient, Client, Link, look_up_error, own_name};

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
        wait: Duration,
    },
}

/// How to connect: what [`Client::connect`] does by default, and what else it can do. An [`AsyncClient`]
/// takes the same.
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
    /// [`loan`](Client::loan) is received in place. As many bytes again are shared for answers, once the host makes one with
    /// [`Reply::loan`](crate::Reply::loan). [`Trust`] says what is promised. The size is rounded up to a power of two, 1 MiB at least; memory is
    /// taken as it is used. Clients of one process and one host share these pools, of the first one's size.
    pub fn trust(self, trust: Trust, bytes: usize) -> Self {
        Self { shares: Some((trust, bytes)), ..self }
    }

    fn name_for<M: MachMessage>(&self) -> Result<&str, Error> {
        match &self.name {
            Some(name) => Ok(name),
            None => own_name::<M>(),
        }
    }

    /// A client of the host that there is now. It is not asked for its definition yet.
    fn find<M: MachMessage + 'static>(&self, name: &str) -> Result<Client<M>, Error> {
        let mut client = match self.reconnect {
            Reconnect::Never => Client::find(name)?,
            Reconnect::OnHostDeath { wait } => {
                let connection = renewable::look_up::<M>(name)?;
                Client::to(
                    Link::Renewable(Renewable::new(connection, wait, self.compare).into()),
                    name.into(),
                )
            }
        };
        client.shares = self.shares;
        if let Some(connection) = client.link.connection() {
            client.share(&connection);
        }
        Ok(client)
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
        let name = options.name_for::<M>()?;
        let client = bootstrap::waiting(
            name,
            Deadline::after(options.wait),
            || options.find(name),
            |error| matches!(error, Error::NotFound { .. }),
            |error| look_up_error(name, error),
        )?;
        if let (Some(within), Some(connection)) = (options.compare, client.link.connection()) {
            client.compare(&connection, within)?;
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
}

impl<M: MachMessage + 'static> AsyncClient<M> {
    /// [`Client::connect_with`] without blocking the thread: what waits for the host to appear, and for what it says of its definition, is this
    /// future.
    ///
    /// ```no_run
    /// use machipc::{AsyncClient, ConnectOptions, Error, Reconnect};
    /// use std::time::Duration;
    ///
    /// # async fn connect() -> Result<(), Error> {
    /// let options = ConnectOptions::new()
    ///     .name("com.example.echo")
    ///     .wait(Duration::from_secs(5))
    ///     .reconnect(Reconnect::OnHostDeath { wait: Duration::from_secs(5) });
    /// let client = AsyncClient::<String>::connect_with(&options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect_with`].
    pub async fn connect_with(options: &ConnectOptions) -> Result<Self, Error> {
        let name = options.name_for::<M>()?;
        let client = appears(name, Deadline::after(options.wait), || options.find(name)).await.map(Self)?;
        if let (Some(within), Some(connection)) = (options.compare, client.0.link.connection()) {
            client.compare(&connection, within).await?;
        }
        Ok(client)
    }
}

/// What `look` finds, once there is a host of this name or the time is up. No thread is blocked.
pub(super) async fn appears<T>(
    name: &str,
    deadline: Deadline,
    look: impl Fn() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut names: Option<Watched> = None;
    loop {
        match look() {
            Err(Error::NotFound { .. }) if !deadline.has_passed() => {}
            result => return result,
        }
        let Some(names) = &names else {
            // Mostly the name is there, and a watch is not worth its while. It is looked up again once it is watched.
            let failed = |error| Error::from_bootstrap(name.to_owned(), error);
            let watch = bootstrap::Watch::new(name).map_err(failed)?;
            names = Some(Watched::names(&Driver::current(name)?, watch));
            continue;
        };
        let until = deadline.min(names.look_again()).remaining().map(|left| Instant::now() + left);
        let mut alarm = until.map(|until| Alarm::new(names.driver(), until));
        poll_fn(|cx| match names.poll_message(cx) {
            // What the message says does not matter, nor who sent it.
            Poll::Ready(told) => Poll::Ready(told.map(drop)),
            Poll::Pending => match &mut alarm {
                Some(alarm) => alarm.poll(cx).map(Ok),
                None => Poll::Pending,
            },
        })
        .await
        .map_err(|source| Error::Mach { endpoint: name.to_owned(), source })?;
    }
}
