//! The sending side, without blocking the thread.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::driver::{Alarm, Driver};
use crate::error::{Error, SendError};
use crate::interceptor::{Interceptor, Watch};
use crate::message::MachMessage;
use crate::port::{Deadline, SendRight};
use crate::reply::{Reply, ReplyValue};
use crate::scope::Scope;

use super::AsyncBatch;
use super::asker::Asker;
use super::connection::Connection;
use super::limit::Limit;
use super::room::Place;
use super::{Client, ConnectOptions, Link, PendingReply, Unsent, WhenFull};

/// Sends messages of type `M` to one host, and never blocks the thread: what waits is a future.
///
/// It is a [`Client`], and either can be had of the other. The futures run on any executor. What wakes them is one thread for the
/// whole process, which is started with the first of them; with the feature `tokio`, inside a tokio runtime, it is the runtime, and no
/// thread is added.
///
/// A future that is dropped gives up: what it has not sent is not sent, and a call whose request is under way is cancelled. That is
/// also what a deadline does, 30 seconds unless [`with_deadline`](Self::with_deadline) says otherwise.
///
/// One-way messages arrive in the order in which their futures were first polled, also when they have to wait for room.
///
/// ```no_run
/// # use machipc::{AsyncClient, Reply};
/// # #[machipc::endpoint("com.example.squares")]
/// # enum Squares { Square { of: u64, reply: Reply<u64> } }
/// # async fn squares() -> Result<(), machipc::Error> {
/// let client = AsyncClient::<Squares>::connect()?;
/// let nine = client.call(|reply| Squares::Square { of: 3, reply }).await?;
/// # Ok(())
/// # }
/// ```
pub struct AsyncClient<M: MachMessage + 'static>(pub(super) Client<M>);

impl<M: MachMessage + 'static> AsyncClient<M> {
    /// Connects to the host of `M`'s own endpoint. Looking a name up waits for nobody but the system, and this is no future; whether the
    /// host has the same definition is not asked, and shows in the first call. [`connect_with`](Self::connect_with) asks.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect() -> Result<Self, Error> {
        Client::connect_with(&ConnectOptions::new().compare(None)).map(Self)
    }

    /// Connects to the host of this name. A host in this process, of the same message type, is
    /// [called directly](crate::registry).
    ///
    /// # Errors
    /// As [`Client::connect_to`].
    pub fn connect_to(name: &str) -> Result<Self, Error> {
        Client::connect_with(&ConnectOptions::new().name(name).compare(None)).map(Self)
    }

    /// [`connect_with`](Self::connect_with), waiting up to `timeout` for a host to appear.
    ///
    /// # Errors
    /// As [`Client::connect_timeout`].
    pub async fn connect_timeout(timeout: Duration) -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new().wait(timeout)).await
    }

    /// [`connect_with`](Self::connect_with), waiting up to `timeout` for a host of this name to appear. No thread is blocked, and nothing is
    /// done until the name appears; where the system does not tell of all names (Apple systems), it is also looked up again now and then.
    ///
    /// # Errors
    /// As [`Client::connect_to_timeout`].
    pub async fn connect_to_timeout(name: &str, timeout: Duration) -> Result<Self, Error> {
        Self::connect_with(&ConnectOptions::new().name(name).wait(timeout)).await
    }

    /// Makes a client of a right, for instance one that came in a message.
    pub fn from_right(right: SendRight<M>) -> Self {
        Self(Client::from_right(right))
    }

    /// The client of the host that the parent of this process handed it: see [`Client::from_parent`].
    ///
    /// # Errors
    /// As [`Client::from_parent`].
    pub fn from_parent() -> Result<Self, Error> {
        Client::from_parent().map(Self)
    }

    /// The same client with another deadline for each message and call; `None` has none of its own: see [`Client::with_deadline`].
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Option<Duration>>) -> Self {
        Self(self.0.with_deadline(deadline))
    }

    /// The same client for what is not a part of the request that is being handled: see [`Client::detached`].
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(self.0.detached())
    }

    /// The same client, with `interceptor` called around each message that it sends: see [`Client::with_interceptor`].
    #[must_use]
    pub fn with_interceptor(&self, interceptor: impl Interceptor) -> Self {
        Self(self.0.with_interceptor(interceptor))
    }

    /// The same client, doing this when the host's queue is full: see [`Client::when_full`].
    #[must_use]
    pub fn when_full(&self, when_full: WhenFull) -> Self {
        Self(self.0.when_full(when_full))
    }

    /// How many messages this client and its clones have dropped: see [`Client::dropped`].
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// The same client for blocking code.
    pub fn client(&self) -> &Client<M> {
        &self.0
    }

    /// Sends a message that wants no answer. Ready when the host's queue has it; on the [short cut](crate::registry), when the
    /// handler has returned.
    ///
    /// # Errors
    /// As [`Client::send`]: the message comes back.
    pub async fn send<'m>(&self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        if let Link::Local(_) = &self.0.link {
            return self.0.send(message);
        }
        if Scope::is_traced() {
            return Scope::of_message().follow(self.send_in_scope(message)).await;
        }
        self.send_in_scope(message).await
    }

    async fn send_in_scope<'m>(&self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        let watch = match self.0.watch(message.message_id(), false) {
            Ok(watch) => watch,
            Err(error) => return Err(SendError::new(message, error)),
        };
        let sent = self.send_unwatched(message).await;
        Watch::finish(watch, sent.as_ref().map(|size| *size).map_err(SendError::error));
        sent.map(drop)
    }

    /// Sends a message to a host that has a port. Returns how many bytes were sent; none if the message was discarded for want of room.
    pub(super) async fn send_unwatched<'m>(
        &self,
        message: M::View<'m>,
    ) -> Result<Option<usize>, SendError<M::View<'m>>> {
        let post = |connection: &Arc<_>| self.0.post(connection, &message, Deadline::now());
        let sent = match self.0.limit() {
            Ok(limit) => self.when_there_is_room(limit, post).await,
            Err(error) => Err(error),
        };
        self.0.or_dropped(sent).map_err(|error| SendError::new(message, error))
    }

    /// Collects one-way messages to be sent together: see [`AsyncBatch`].
    pub fn batch(&self) -> AsyncBatch<M> {
        AsyncBatch::new(self.clone())
    }

    /// Makes a request and waits for its answer. `request` puts the [`Reply`] that it is given into the message.
    ///
    /// On the [short cut](crate::registry) the handler runs when the future is first polled, on the thread that polls it.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call<'m, T: ReplyValue>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<T, Error> {
        Asker::new(self).call(request).await
    }

    /// Makes a request. Ready when the host's queue has it; what comes of it is the future of the answer.
    ///
    /// # Errors
    /// As [`Client::start`].
    pub async fn start<'m, T: ReplyValue>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<PendingReply<T>, Error> {
        Asker::new(self).start(request).await
    }

    /// Calls `send` with the way to the host, which has a port, when it is this task's turn and until there is room.
    pub(super) async fn when_there_is_room<R>(
        &self,
        limit: Limit,
        mut send: impl FnMut(&Arc<Connection>) -> Result<R, Unsent>,
    ) -> Result<R, Error> {
        match &self.0.link {
            Link::Local(_) => unreachable!("a handler in this process has no queue"),
            Link::Port(connection) => self.when_it_has_room(connection, limit, &mut send).await,
            Link::Renewable(renewable) => loop {
                let connection = renewable.current();
                match self.when_it_has_room(&connection, limit, &mut send).await {
                    // Nothing has left.
                    Err(Error::HostDied { .. }) => {
                        renewable.renew_async(self, &connection, limit.deadline()).await?;
                    }
                    result => return result,
                }
            },
        }
    }

    pub(super) async fn when_it_has_room<R>(
        &self,
        connection: &Arc<Connection>,
        limit: Limit,
        mut send: impl FnMut(&Arc<Connection>) -> Result<R, Unsent>,
    ) -> Result<R, Error> {
        if !self.0.waits_for_room() {
            // Whoever waits comes first.
            let sent = if connection.room.is_awaited() { Err(Unsent::NoRoom) } else { send(connection) };
            return sent.map_err(|unsent| self.0.unsent(unsent, limit.allowed()));
        }
        let mut place = None;
        if connection.room.is_awaited() {
            place = Some(Place::last(connection));
        }
        let mut alarm = None;
        loop {
            if let Some(place) = &place {
                let alarm = match (&mut alarm, limit.at) {
                    (Some(alarm), _) => Some(alarm),
                    (None, None) => None,
                    (none, Some(deadline)) => {
                        Some(none.insert(Alarm::new(&Driver::current(self.0.endpoint())?, deadline)))
                    }
                };
                wait_for_room(place, alarm).await.map_err(|TooLate| limit.too_late(self.0.endpoint()))?;
            }
            match send(connection) {
                Ok(sent) => return Ok(sent),
                Err(Unsent::Failed(error)) => return Err(error),
                Err(Unsent::NoRoom) => {
                    place.get_or_insert_with(|| Place::last(connection)).ask(self.0.endpoint())?;
                }
            }
        }
    }
}

struct TooLate;

async fn wait_for_room(place: &Place<'_>, mut alarm: Option<&mut Alarm>) -> Result<(), TooLate> {
    poll_fn(|cx| {
        if place.poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match &mut alarm {
            Some(alarm) => alarm.poll(cx).map(|()| Err(TooLate)),
            None => Poll::Pending,
        }
    })
    .await
}

impl<M: MachMessage + 'static> From<Client<M>> for AsyncClient<M> {
    fn from(client: Client<M>) -> Self {
        Self(client)
    }
}

impl<M: MachMessage + 'static> Clone for AsyncClient<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: MachMessage + 'static> fmt::Debug for AsyncClient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncClient").field(&self.0).finish()
    }
}
