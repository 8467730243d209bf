//! The sending side.

mod asker;
mod async_batch;
mod asynchronous;
mod batch;
mod call;
mod comparing;
mod connection;
mod limit;
mod options;
mod pending;
mod renewable;
mod room;
mod take;
mod when_full;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, SendError};
use crate::host::Core;
use crate::interceptor::{Chain, Interceptor, MessageInfo, Side, Watch};
use crate::logger::{Log, LogLevel, Logger};
use crate::message::{EncodeError, MachMessage, TraceContext};
use crate::port::{
    Deadline, MachError, MessageBuffer, OolBuffer, Outgoing, SendRight, Trust, Unposted, bootstrap,
};
use crate::reply::wire;
use crate::scope::Scope;
use crate::{registry, scratch};

pub(crate) use asker::Asker;
pub use async_batch::AsyncBatch;
pub use asynchronous::AsyncClient;
pub use batch::Batch;
pub use options::{ConnectOptions, Reconnect};
pub use pending::PendingReply;
pub use when_full::WhenFull;

use connection::Connection;
use limit::Limit;
use renewable::Renewable;
use take::Taken;

/// Sends messages of type `M` to one host.
///
/// Clients are cheap to clone and can be used from any thread at once. One thread's one-way messages arrive in the order in
/// which they were sent.
///
/// Everything that waits has a deadline, 30 seconds unless [`with_deadline`](Self::with_deadline) says otherwise: a one-way
/// message waits for room in the host's queue, a call for room and for its answer. A host that dies ends the wait at once.
///
/// While a request is handled, what its handler sends and calls waits no longer than the request's own caller does: the earlier of
/// both deadlines counts, and where that caller's has passed nothing is sent. [`Context::scope`](crate::Context::scope) takes this along to
/// another thread, [`detached`](Self::detached) is without it.
///
/// A client stays with the host that it found. [`ConnectOptions::reconnect`] has it go on with the next one when that host has died.
///
/// The client of an endpoint that `#[machipc::endpoint]` generates wraps this one and has a method for each variant.
///
/// ```no_run
/// use machipc::{Client, Context, Host};
/// use std::time::Duration;
///
/// let host = Host::<String>::builder().name("com.example.echo").bind(|text: String, _: &Context| println!("{text}"))?;
/// let client = Client::<String>::connect_to("com.example.echo")?;
/// client.send("hello".to_owned())?;
/// client.with_deadline(Duration::from_millis(5)).send("quickly".to_owned())?;
/// # Ok::<(), machipc::Error>(())
/// ```
pub struct Client<M: MachMessage + 'static> {
    link: Link<M>,
    endpoint: Arc<str>,
    deadline: Option<Duration>,
    /// Whether a deadline is inherited from the request that is being handled.
    inherits: bool,
    when_full: WhenFull,
    fingerprint: u64,
    log: Option<Log>,
    /// How much memory is shared with a host that is trusted.
    shares: Option<(Trust, usize)>,
    interceptors: Option<Chain>,
}

/// The way to the host.
enum Link<M: MachMessage + 'static> {
    /// The host is in this process: its handler is called.
    Local(Arc<Core<M>>),
    /// The host is behind a port. Shared by the clones, so that cloning makes no system call.
    Port(Arc<Connection>),
    /// The same, and another one when it has died.
    Renewable(Arc<Renewable>),
}

/// Why a request did not leave.
enum Unsent {
    /// The host's queue is full.
    NoRoom,
    Failed(Error),
}

/// How long a client waits that was not told otherwise.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// A request that could never be answered.
const REPLY_NOT_HELD: &str = "the request does not hold the reply that it was given";

impl<M: MachMessage + 'static> Client<M> {
    /// Connects to the host of `M`'s own endpoint, and [asks](ConnectOptions::compare) whether it has the same definition.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no host, [`Error::NoName`] for a type without an endpoint name; [`Error::Fingerprint`] when
    /// the host has another definition, [`Error::Denied`] when it does not serve this process.
    pub fn connect() -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new())
    }

    /// Connects to the host of this name. A host in this process, of the same message type, is
    /// [called directly](crate::registry).
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`Error::BadName`] for a name that cannot be one.
    pub fn connect_to(name: &str) -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new().name(name))
    }

    /// [`connect`](Self::connect), waiting up to `timeout` for a host to appear. It sleeps until the system tells of one.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), with [`Error::NotFound`] only once the time is up.
    pub fn connect_timeout(timeout: Duration) -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new().wait(timeout))
    }

    /// [`connect_to`](Self::connect_to), waiting up to `timeout` for a host to appear.
    ///
    /// # Errors
    /// As [`connect_to`](Self::connect_to), with [`Error::NotFound`] only once the time is up.
    pub fn connect_to_timeout(name: &str, timeout: Duration) -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new().name(name).wait(timeout))
    }

    /// Makes a client of a right, for instance one that came in a message. It has no name: errors call it `(unnamed)`.
    pub fn from_right(right: SendRight<M>) -> Self {
        let endpoint = crate::host::UNNAMED.into();
        match registry::find_by_port::<Core<M>>(right.name()) {
            Some(core) => Self::to(Link::Local(core), endpoint),
            None => Self::to(Link::Port(Arc::new(Connection::new(right))), endpoint),
        }
    }

    /// The same client with another deadline for each message and call; `None` has none of its own. What a handler sends and calls
    /// waits no longer than its own caller in any case, unless the client is [`detached`](Self::detached).
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { deadline: deadline.into(), ..self.clone() }
    }

    /// The same client for what is not a part of the request that is being handled: each message and call has this client's own
    /// deadline, and not that of the handler's caller.
    ///
    /// For work that a request only sets going, such as writing down that it came.
    ///
    /// ```no_run
    /// # use machipc::{Client, Context, Host, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// let audit = Client::<u64>::connect_to("com.example.audit")?.detached();
    /// let host = Host::<Squares>::bind(move |message: Squares, _: &Context| match message {
    ///     Squares::Square { of, reply } => {
    ///         // Waits for room as long as it takes, however little time the caller has.
    ///         let _ = audit.with_deadline(None).send(of);
    ///         let _ = reply.send(of * of);
    ///     }
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { inherits: false, ..self.clone() }
    }

    /// The same client, logging what it does to `logger`.
    #[must_use]
    pub fn with_logger(&self, logger: impl Logger) -> Self {
        let log = Log::new(Arc::new(logger), self.endpoint.clone());
        log.line(LogLevel::Debug, format_args!("connected {}", self.link));
        Self { log: Some(log), ..self.clone() }
    }

    /// The same client, with `interceptor` called around each message that it sends, after those that were added before.
    ///
    /// For a call it is over when the answer is there; for the messages of a [batch](Self::batch) when they are put in. Items of streams, and
    /// the question whether both sides have the same definition, are no messages of the client's.
    #[must_use]
    pub fn with_interceptor(&self, interceptor: impl Interceptor) -> Self {
        Self { interceptors: Some(Chain::and(self.interceptors.as_ref(), interceptor)), ..self.clone() }
    }

    /// The same client, sharing memory with its host as [`ConnectOptions::trust`] says: for one that was not connected by options, such as that of a
    /// [parent](Self::from_parent), or of a right that came in a message.
    #[must_use]
    pub fn with_trust(&self, trust: Trust, bytes: usize) -> Self {
        let client = Self { shares: Some((trust, bytes)), ..self.clone() };
        if let Some(connection) = client.link.connection() {
            client.share(&connection);
        }
        client
    }

    /// How long each message and call may wait; `None` is for ever.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The host's name, or `(unnamed)`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether the host is in this process and is called directly.
    pub fn is_local(&self) -> bool {
        matches!(self.link, Link::Local(_))
    }

    /// Whether the host is known to have gone.
    pub fn is_dead(&self) -> bool {
        match &self.link {
            Link::Local(core) => core.is_stopping(),
            Link::Port(connection) => connection.is_dead(),
            Link::Renewable(renewable) => renewable.current().is_dead(),
        }
    }

    /// Sends a message that wants no answer. Returns when the host's queue has it; on the
    /// [short cut](crate::registry), when the handler has returned.
    ///
    /// # Errors
    /// The message comes back with the reason, whole: [`Error::DeadlineExceeded`] when the queue stayed full, or
    /// [`Error::QueueFull`] for a client that [does not wait](Self::when_full); [`Error::HostDied`], [`Error::Encode`]. Success does not
    /// tell that the host understood the message: what a host refuses of one-way messages is in its log and its
    /// [`stats`](crate::Host::stats).
    #[inline]
    pub fn send<'m>(&self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        // First and by reference: a move so soon after the message was made would wait until all that was stored before has reached the cache,
        // the last message's place in the ring included.
        if let (Link::Port(connection), None, false) = (&self.link, &self.interceptors, Scope::is_traced()) {
            return match self.send_through(connection, &message) {
                Ok(_) => Ok(()),
                Err(error) => Err(SendError::new(message, error)),
            };
        }
        if Scope::is_traced() {
            return Scope::of_message().enter(|| self.send_in_scope(message));
        }
        self.send_in_scope(message)
    }

    #[inline(always)]
    fn send_in_scope<'m>(&self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        // Apart and inlined, so that the message reaches the handler without being copied at every step.
        if let (Link::Local(core), None, None, None) =
            (&self.link, &self.log, &self.interceptors, self.inherited())
        {
            return core.call(message).map_err(|refused| SendError::new(refused.0, refused.1));
        }
        if self.interceptors.is_some() {
            return self.send_watched(message);
        }
        self.send_unwatched(message).map(drop)
    }

    #[cold]
    fn send_watched<'m>(&self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        let watch = match self.watch(message.message_id(), false) {
            Ok(watch) => watch,
            Err(error) => return Err(SendError::new(message, error)),
        };
        let entered = watch.as_deref().map(Watch::enter);
        let sent = self.send_unwatched(message);
        drop(entered);
        Watch::finish(watch, sent.as_ref().map(|size| *size).map_err(SendError::error));
        sent.map(drop)
    }

    /// Returns how many bytes were sent, 0 on the short cut; none if the message was discarded for want of room.
    #[inline(always)]
    fn send_unwatched<'m>(&self, message: M::View<'m>) -> Result<Option<usize>, SendError<M::View<'m>>> {
        let sent = match &self.link {
            Link::Local(core) => return self.send_local(core, message).map(|()| Some(0)),
            Link::Port(connection) => self.send_through(connection, &message),
            Link::Renewable(renewable) => self.send_to_living(renewable, &message),
        };
        sent.map_err(|error| SendError::new(message, error))
    }

    fn send_local<'m>(&self, core: &Core<M>, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        let sent = match self.limit() {
            Ok(_) => core.call(message).map_err(|refused| *refused),
            Err(error) => Err((message, error)),
        };
        self.trace_sent(sent.as_ref().map(|_| ()).map_err(|(_, error)| error));
        sent.map_err(|(message, error)| SendError::new(message, error))
    }

    fn send_through(&self, connection: &Connection, message: &M::View<'_>) -> Result<Option<usize>, Error> {
        self.or_dropped(match self.inherited() {
            // Without a look at the clock, which takes longer than the rest.
            None => {
                let room = self.room(self.deadline.map_or(Deadline::never(), Deadline::lasting));
                let allowed = self.deadline.unwrap_or(Duration::MAX);
                self.post(connection, message, room).map_err(|unsent| self.unsent(unsent, allowed))
            }
            Some(_) => self.limit().and_then(|limit| {
                let sent = self.post(connection, message, self.room(limit.fresh()));
                sent.map_err(|unsent| self.unsent(unsent, limit.allowed()))
            }),
        })
    }

    fn send_to_living(&self, renewable: &Renewable, message: &M::View<'_>) -> Result<Option<usize>, Error> {
        self.or_dropped(self.limit().and_then(|limit| {
            self.with_living(renewable, limit.deadline(), |connection| {
                let sent = self.post(connection, message, self.room(limit.deadline()));
                sent.map_err(|unsent| self.unsent(unsent, limit.allowed()))
            })
        }))
    }

    /// What became of a message, for a client that may drop what finds no room: none then.
    fn or_dropped(&self, sent: Result<usize, Error>) -> Result<Option<usize>, Error> {
        self.trace_sent(sent.as_ref().map(drop));
        match sent {
            Err(error) if self.is_dropped(&error) => Ok(None),
            sent => sent.map(Some),
        }
    }

    fn trace_sent(&self, sent: Result<(), &Error>) {
        self.trace(|| match sent {
            Ok(()) => "sent a message".to_owned(),
            Err(error) => format!("a message was not sent: {error}"),
        });
    }

    /// Asks the interceptors, if there are any, whether a message may be sent.
    #[inline]
    fn watch(&self, id: i32, request: bool) -> Result<Option<Box<Watch>>, Error> {
        let Some(chain) = &self.interceptors else { return Ok(None) };
        let message = MessageInfo {
            side: Side::Client,
            endpoint: self.endpoint.clone(),
            id,
            name: M::message_name(id),
            peer: None,
            size: 0,
            reply_size: 0,
            request,
            local: self.is_local(),
            trace: TraceContext::current(),
        };
        chain.begin(message).map(Some).map_err(|denial| Error::Denied {
            endpoint: self.endpoint.to_string(),
            reason: denial.to_string(),
        })
    }

    /// Has a request sent whose answer is waited for here, if it may be.
    fn watched<R>(
        &self,
        id: i32,
        ask: impl FnOnce(Option<&Watch>) -> Result<Taken<R>, Error>,
    ) -> Result<R, Error> {
        let Some(watch) = self.watch(id, true)? else { return ask(None).map(|taken| taken.value) };
        let entered = watch.enter();
        let answer = ask(Some(&watch));
        drop(entered);
        Watch::finish_call(Some(watch), answer.as_ref().map(|taken| taken.is_failure));
        answer.map(|taken| taken.value)
    }

    /// Collects one-way messages to be sent together: see [`Batch`].
    pub fn batch(&self) -> Batch<M> {
        Batch::new(self.clone())
    }

    /// Memory of `len` bytes for a message to this host: a field of type [`OolBuffer`], which is built in place and moves with the message. It holds
    /// any bytes, such as were in it before.
    ///
    /// If the client and the host [trust](ConnectOptions::trust) each other it lies in memory that both have mapped, and nothing is copied: a message
    /// costs the same whatever its size, and the memory is used again when the host has dropped it. When the host keeps so much of it
    /// that there is no room left, and without that trust, it is memory of its own ([`OolBuffer::new`]), with the same meaning.
    ///
    /// ```no_run
    /// # use machipc::OolBuffer;
    /// # #[machipc::endpoint("com.example.frames")]
    /// # enum Frames { Show { pixels: OolBuffer } }
    /// let client = FramesClient::connect()?;
    /// let mut pixels = client.client().loan(1920 * 1080 * 4)?;
    /// pixels.as_mut_slice().fill(0xff);
    /// client.show(pixels)?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mach`] when there is not so much memory.
    pub fn loan(&self, len: usize) -> Result<OolBuffer, Error> {
        let failed = |source| Error::Mach { endpoint: self.endpoint.to_string(), source };
        match &self.link {
            Link::Local(_) => OolBuffer::new(len),
            Link::Port(connection) => OolBuffer::for_receiver(connection.right(), len),
            Link::Renewable(renewable) => OolBuffer::for_receiver(renewable.current().right(), len),
        }
        .map_err(failed)
    }

    /// Offers a host that is trusted to share memory: before it is asked anything, so that it has answered that, too. What it cannot have it goes without.
    fn share(&self, connection: &Connection) {
        if let Some((trust, bytes)) = self.shares {
            let _ = connection.right().offer_loans(trust, bytes);
        }
    }

    /// Makes a client of a right to the host of an endpoint whose name is known.
    pub(crate) fn through(right: SendRight<M>, endpoint: &str) -> Self {
        Self { endpoint: endpoint.into(), ..Self::from_right(right) }
    }

    pub(crate) fn local(core: Arc<Core<M>>) -> Self {
        let endpoint = core.endpoint();
        Self::to(Link::Local(core), endpoint)
    }

    fn to(link: Link<M>, endpoint: Arc<str>) -> Self {
        Self {
            link,
            endpoint,
            deadline: Some(DEFAULT_DEADLINE),
            inherits: true,
            when_full: WhenFull::Wait,
            fingerprint: M::fingerprint(),
            log: None,
            shares: None,
            interceptors: None,
        }
    }

    /// Until when what is sent may wait, for the sake of the request that is being handled.
    #[inline]
    fn inherited(&self) -> Option<Instant> {
        Scope::current().deadline.filter(|_| self.inherits)
    }

    /// Until when what is sent now may wait.
    fn limit(&self) -> Result<Limit, Error> {
        Limit::new(self.deadline, self.inherited()).ok_or_else(|| Error::DeadlineExceeded {
            endpoint: self.endpoint.to_string(),
            after: Duration::ZERO,
        })
    }

    /// Has a message sent that was not sent yet: to the host that there is, and where that turns out to be dead, to the next one.
    fn with_living<R>(
        &self,
        renewable: &Renewable,
        deadline: Deadline,
        mut send: impl FnMut(&Arc<Connection>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        loop {
            let connection = renewable.current();
            match send(&connection) {
                // Nothing has left.
                Err(Error::HostDied { .. }) => renewable.renew(self, &connection, deadline)?,
                result => return result,
            }
        }
    }

    /// Sends a one-way message, waiting for room until `room`. Returns how many bytes it has.
    fn post(&self, connection: &Connection, message: &M::View<'_>, room: Deadline) -> Result<usize, Unsent> {
        let (id, trace) = (message.message_id(), TraceContext::current());
        scratch::with(|scratch| {
            let write = |out: &mut _| message.encode_payload(out);
            Outgoing::post(&mut scratch.send, id, self.fingerprint, trace, connection.right(), room, write)
        })
        .map_err(|unposted| match unposted {
            Unposted::Encode(source) => Unsent::Failed(self.encode_error(source)),
            Unposted::ReplyWanted => {
                let reason = "a request whose reply nobody waits for: make it with `call`";
                Unsent::Failed(self.encode_error(EncodeError::new(reason)))
            }
            Unposted::Mach(error) if error.is_timed_out() => Unsent::NoRoom,
            Unposted::Mach(error) => Unsent::Failed(wire::send_error(&self.endpoint, error, Duration::ZERO)),
        })
    }

    /// In line, as what it calls is: an `Outgoing` is large, and would be moved by each of these functions.
    #[inline(always)]
    fn encode<'m>(
        &self,
        buffer: &'m mut MessageBuffer,
        message: &'m M::View<'_>,
    ) -> Result<Outgoing<'m>, Error> {
        let (id, trace) = (message.message_id(), TraceContext::current());
        Outgoing::encode_traced(buffer, id, self.fingerprint, trace, |out| message.encode_payload(out))
            .map_err(|source| self.encode_error(source))
    }

    #[cold]
    fn encode_error(&self, source: EncodeError) -> Error {
        Error::Encode { endpoint: self.endpoint.to_string(), source }
    }

    fn send_error(&self, error: MachError, limit: Limit) -> Error {
        wire::send_error(&self.endpoint, error, limit.allowed())
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if let Some(log) = self.log.as_ref().filter(|log| log.enabled(LogLevel::Trace)) {
            log.line(LogLevel::Trace, format_args!("{}", text()));
        }
    }
}

impl<M: MachMessage + 'static> Link<M> {
    /// The connection that there is now; none to a host in this process.
    fn connection(&self) -> Option<Arc<Connection>> {
        match self {
            Self::Local(_) => None,
            Self::Port(connection) => Some(connection.clone()),
            Self::Renewable(renewable) => Some(renewable.current()),
        }
    }
}

impl<M: MachMessage + 'static> Clone for Client<M> {
    fn clone(&self) -> Self {
        let link = match &self.link {
            Link::Local(core) => Link::Local(core.clone()),
            Link::Port(connection) => Link::Port(connection.clone()),
            Link::Renewable(renewable) => Link::Renewable(renewable.clone()),
        };
        Self {
            link,
            endpoint: self.endpoint.clone(),
            deadline: self.deadline,
            inherits: self.inherits,
            when_full: self.when_full,
            fingerprint: self.fingerprint,
            log: self.log.clone(),
            shares: self.shares,
            interceptors: self.interceptors.clone(),
        }
    }
}

impl<M: MachMessage + 'static> fmt::Debug for Client<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} {})", self.endpoint, self.link)
    }
}

impl<M: MachMessage + 'static> fmt::Display for Link<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(_) => write!(f, "within this process"),
            Self::Port(connection) => connection.fmt(f),
            Self::Renewable(renewable) => renewable.current().fmt(f),
        }
    }
}

fn own_name<M: MachMessage>() -> Result<&'static str, Error> {
    M::ENDPOINT.ok_or(Error::NoName { message: std::any::type_name::<M>() })
}

fn look_up_error(name: &str, error: bootstrap::BootstrapError) -> Error {
    let endpoint = name.to_owned();
    match error {
        bootstrap::BootstrapError::Mach { source, .. } if source.is_unknown_service() => {
            Error::NotFound { endpoint }
        }
        other => Error::from_bootstrap(endpoint, other),
    }
}
