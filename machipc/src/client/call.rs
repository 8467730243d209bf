//! Calls: requests, and the wait for their answers.

use std::sync::Arc;

use super::connection::Connection;
use super::limit::Limit;
use super::pending::{Call, GetDriver};
use super::take::{Keep, Look, Take, Taken};
use super::{Client, Link, PendingReply, REPLY_NOT_HELD, Unsent};
use crate::driver::{Driver, Expected};
use crate::error::{Error, Own};
use crate::host::Core;
use crate::interceptor::Watch;
use crate::message::{EncodeError, MachMessage};
use crate::port::{Deadline, MachError, ReceiveRight};
use crate::reply::wire::Answered;
use crate::reply::{Answer, Reply, ReplyValue, ReplyView, Slot};
use crate::scope::Scope;
use crate::scratch;

/// Why a call has no answer.
enum Failed {
    /// The request did not leave.
    Before(Error),
    /// It may have been handled.
    After(Error),
}

impl<M: MachMessage + 'static> Client<M> {
    /// Makes a request and waits for its answer. `request` puts the [`Reply`] that it is given into the message.
    ///
    /// On the [short cut](crate::registry) the handler runs on this thread, and the deadline counts once it has returned.
    ///
    /// ```no_run
    /// # use machipc::{Client, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// let client = Client::<Squares>::connect()?;
    /// let nine = client.call(|reply| Squares::Square { of: 3, reply })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`]; [`Error::QueueFull`] for a client that [does not wait](Self::when_full) for room;
    /// [`Error::HostDied`] and [`Error::ReplyDropped`], at once; what the host refuses the
    /// message with: [`Error::Fingerprint`], [`Error::Unsupported`], [`Error::Denied`], [`Error::Rejected`];
    /// [`Error::Encode`], also when the message does not hold the reply.
    pub fn call<'m, T: ReplyValue>(&self, request: impl FnOnce(Reply<T>) -> M::View<'m>) -> Result<T, Error> {
        self.call_and_take(request, Keep)
    }

    /// Makes a request, waits for its answer, and looks at it where it was received: no value is made of it. See [`ReplyView`] for the
    /// answers that can be looked at.
    ///
    /// `look` runs once, on this thread, when the whole answer has been found well-formed, and may make other calls. What it returns is returned.
    /// Deadlines do not bound it, and [interceptors](crate::Interceptor) count its time. A generated client lends its
    /// `client()` for this. Only blocking calls have it: what a future or a [`PendingReply`] waits for is a value.
    ///
    /// ```no_run
    /// # use machipc::{Client, Reply};
    /// #[machipc::endpoint("com.example.pages")]
    /// enum Pages<'a> {
    ///     Read { name: &'a str, reply: Reply<Option<Vec<u8>>> },
    /// }
    ///
    /// let client = Client::<Pages>::connect()?;
    /// let lines = client.call_view(
    ///     |reply| Pages::Read { name: "notes", reply },
    ///     |page| page.map(|bytes| bytes.iter().filter(|&&byte| byte == b'\n').count()),
    /// )?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_view<'m, T: ReplyView, R>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        look: impl FnOnce(T::View<'_>) -> R,
    ) -> Result<R, Error> {
        self.call_and_take(request, Look(look))
    }

    fn call_and_take<'m, T: ReplyValue, K: Take<T>>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        take: K,
    ) -> Result<K::Taken, Error> {
        let call = || self.limit().and_then(|limit| self.call_within(limit, request, take));
        let answer = if Scope::is_traced() { Scope::of_message().enter(call) } else { call() };
        self.trace(|| match &answer {
            Ok(_) => "a call was answered".to_owned(),
            Err(error) => format!("a call failed: {error}"),
        });
        answer
    }

    fn call_within<'m, T: ReplyValue, K: Take<T>>(
        &self,
        limit: Limit,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        take: K,
    ) -> Result<K::Taken, Error> {
        match &self.link {
            Link::Local(core) => self.call_local(core, request, limit, take),
            Link::Port(connection) => {
                let mut take = Some(take);
                let message = request(Reply::wanted(limit.at));
                self.watched(message.message_id(), |watch| {
                    self.call_port(connection, &message, limit, limit.fresh(), watch, &mut take)
                        .map_err(Failed::into_error)
                })
            }
            Link::Renewable(renewable) => {
                let mut take = Some(take);
                let message = request(Reply::wanted(limit.at));
                self.watched(message.message_id(), |watch| {
                    let answer = self.with_living(renewable, limit.deadline(), |connection| {
                        match self.call_port(connection, &message, limit, limit.deadline(), watch, &mut take)
                        {
                            Ok(answer) => Ok(Ok(answer)),
                            Err(Failed::Before(error)) => Err(error),
                            // It has not run, and the port will be gone in a moment.
                            Err(Failed::After(Error::HostStopping { endpoint })) => {
                                Err(Error::HostDied { endpoint })
                            }
                            Err(Failed::After(error)) => Ok(Err(error)),
                        }
                    });
                    answer.unwrap_or_else(Err)
                })
            }
        }
    }

    /// Makes a request and goes on: what it returns waits for the answer, as a future or on a thread. Waits only for room in the
    /// host's queue; [`AsyncClient::start`](crate::AsyncClient::start) does not block the thread for that either.
    ///
    /// The deadline counts from now and holds for room and answer together. On the [short cut](crate::registry) the handler runs on
    /// this thread.
    ///
    /// ```no_run
    /// # use machipc::{Client, Error, PendingReply, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// let client = Client::<Squares>::connect()?;
    /// let calls = (0..100).map(|of| client.start(|reply| Squares::Square { of, reply }));
    /// let calls = calls.collect::<Result<Vec<PendingReply<u64>>, Error>>()?;
    /// let squares = calls.into_iter().map(PendingReply::wait).collect::<Result<Vec<u64>, Error>>()?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`] when the queue stayed full, [`Error::HostDied`], [`Error::Encode`]; [`Error::Thread`] and
    /// [`Error::Mach`] when what waits for answers could not be started. The other errors of [`call`](Self::call) come with the answer.
    pub fn start<'m, T: ReplyValue>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<PendingReply<T>, Error> {
        if Scope::is_traced() {
            return Scope::of_message().enter(|| self.start_in_scope(request));
        }
        self.start_in_scope(request)
    }

    pub(super) fn start_in_scope<'m, T: ReplyValue>(
        &self,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
    ) -> Result<PendingReply<T>, Error> {
        let limit = self.limit()?;
        let start = |connection: &Arc<Connection>, message: &M::View<'m>, watch: &Option<Box<Watch>>| {
            let driver = connection.driver(&self.endpoint)?;
            let room = self.room(limit.deadline());
            self.start_port(connection, message, limit, room, &driver, watch.as_deref())
                .map_err(|unsent| self.unsent(unsent, limit.allowed()))
        };
        match &self.link {
            Link::Local(core) => self.start_local(core, request, limit, Driver::of_process),
            Link::Port(connection) => {
                let message = request(Reply::wanted(limit.at));
                let watch = self.watch(message.message_id(), true)?;
                PendingReply::watched(start(connection, &message, &watch), watch)
            }
            Link::Renewable(renewable) => {
                let message = request(Reply::wanted(limit.at));
                let watch = self.watch(message.message_id(), true)?;
                let started = self.with_living(renewable, limit.deadline(), |connection| {
                    start(connection, &message, &watch)
                });
                PendingReply::watched(started, watch)
            }
        }
    }

    /// Sends a request, waiting for room until `room`, and expects its answer as long as the limit says.
    pub(super) fn start_port<T>(
        &self,
        connection: &Arc<Connection>,
        message: &M::View<'_>,
        limit: Limit,
        room: Deadline,
        driver: &Arc<Driver>,
        watch: Option<&Watch>,
    ) -> Result<PendingReply<T>, Unsent> {
        scratch::with(|scratch| {
            let outgoing = self.encode(&mut scratch.send, message).map_err(Unsent::Failed)?;
            if !outgoing.reply_wanted() {
                return Err(Unsent::Failed(self.encode_error(EncodeError::new(REPLY_NOT_HELD))));
            }
            if let Some(watch) = watch {
                watch.has_size(outgoing.size());
            }
            let failed = |error: MachError| match error {
                error if error.is_timed_out() => Unsent::NoRoom,
                error => Unsent::Failed(self.send_error(error, limit)),
            };
            let expected = Expected::new(driver, limit.at).map_err(failed)?;
            let sent = outgoing.copy_send(connection.right()).make_reply(expected.port()).send(room);
            sent.map_err(|error| {
                if expected.has_expired() {
                    // The port for the answer has gone with it.
                    let (endpoint, after) = (self.endpoint.to_string(), limit.allowed());
                    return Unsent::Failed(Error::DeadlineExceeded { endpoint, after });
                }
                failed(error)
            })?;
            let call = self.call_until(limit, Driver::of_process);
            Ok(PendingReply::through_port(expected, connection.clone(), call))
        })
    }

    fn start_local<'m, T: ReplyValue>(
        &self,
        core: &Core<M>,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        limit: Limit,
        driver: GetDriver,
    ) -> Result<PendingReply<T>, Error> {
        let slot = Arc::new(Slot::new());
        let watch = self.ask_local(core, &slot, request, limit)?;
        PendingReply::watched(PendingReply::local(slot, self.call_until(limit, driver)), watch)
    }

    pub(super) fn call_until(&self, limit: Limit, driver: GetDriver) -> Call {
        Call {
            endpoint: self.endpoint.clone(),
            limit,
            own: Own::of::<M>(),
            log: self.log.clone(),
            watch: None,
            driver,
        }
    }

    fn call_port<T: ReplyValue, K: Take<T>>(
        &self,
        connection: &Connection,
        message: &M::View<'_>,
        limit: Limit,
        deadline: Deadline,
        watch: Option<&Watch>,
        take: &mut Option<K>,
    ) -> Result<Taken<K::Taken>, Failed> {
        scratch::with(|scratch| {
            let port = scratch.take_port().map_err(|error| Failed::Before(self.send_error(error, limit)))?;
            let outgoing = self.encode(&mut scratch.send, message).map_err(Failed::Before)?;
            if !outgoing.reply_wanted() {
                return Err(Failed::Before(self.encode_error(EncodeError::new(REPLY_NOT_HELD))));
            }
            if let Some(watch) = watch {
                watch.has_size(outgoing.size());
            }
            let outgoing = outgoing.copy_send(connection.right()).make_reply(&port);
            let received = if self.waits_for_room() {
                outgoing.send_and_receive(&port, &mut scratch.receive, deadline)
            } else {
                let sent = outgoing.send(Deadline::now());
                sent.and_then(|()| port.receive(&mut scratch.receive, deadline))
            };
            // On any failure the port is dropped with the rights to it that may be about, and the next call makes another.
            let received = received.map_err(|error| match error {
                error if error.is_receive() => Failed::After(self.send_error(error, limit)),
                error if error.is_timed_out() => Failed::Before(self.no_room(limit.allowed())),
                error => Failed::Before(self.send_error(error, limit)),
            })?;
            if let Some(watch) = watch {
                watch.has_reply_size(received.size());
            }
            let answered = K::take(take, &received, &self.endpoint, Own::of::<M>());
            drop(received);
            // The one right that was made has been used.
            scratch.keep_port(port);
            match answered {
                Answered::Value(value) => Ok(value),
                Answered::Failed(error) => Err(Failed::After(error)),
                Answered::Late => Err(Failed::After(limit.too_late(&self.endpoint))),
                Answered::Lost => Err(Failed::After(self.lost(connection))),
            }
        })
    }

    fn call_local<'m, T: ReplyValue, K: Take<T>>(
        &self,
        core: &Core<M>,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        limit: Limit,
        take: K,
    ) -> Result<K::Taken, Error> {
        let slot = Slot::fresh();
        let watch = self.ask_local(core, &slot, request, limit)?;
        let answer = slot.take(limit.at);
        Slot::keep(slot);
        let answer = match answer {
            Some(Answer::Value(value)) => Ok(take.take_value(value)),
            Some(Answer::Dropped) => Err(Error::ReplyDropped { endpoint: self.endpoint.to_string() }),
            Some(Answer::Elsewhere(port)) => self.receive_forwarded(&port, limit, Some(take)),
            None => Err(limit.too_late(&self.endpoint)),
        };
        Watch::finish_call(watch, answer.as_ref().map(|taken| taken.is_failure));
        answer.map(|taken| taken.value)
    }

    /// Calls the handler with a request whose answer comes to the slot.
    pub(super) fn ask_local<'m, T>(
        &self,
        core: &Core<M>,
        slot: &Arc<Slot<Answer<T>>>,
        request: impl FnOnce(Reply<T>) -> M::View<'m>,
        limit: Limit,
    ) -> Result<Option<Box<Watch>>, Error> {
        let fate = core.fate();
        let message = request(Reply::local(slot.clone(), limit.at, fate.clone()));
        if Arc::strong_count(slot) == 1 {
            return Err(self.encode_error(EncodeError::new(REPLY_NOT_HELD)));
        }
        let watch = self.watch(message.message_id(), true)?;
        let entered = watch.as_deref().map(Watch::enter);
        let asked = core.ask(message, limit.at, fate).map_err(|refused| refused.1);
        drop(entered);
        match asked {
            Ok(()) => Ok(watch),
            Err(error) => {
                Watch::finish(watch, Err(&error));
                Err(error)
            }
        }
    }

    /// Waits for the answer to a call whose reply has left this process.
    fn receive_forwarded<T: ReplyValue, K: Take<T>>(
        &self,
        port: &ReceiveRight<()>,
        limit: Limit,
        mut take: Option<K>,
    ) -> Result<Taken<K::Taken>, Error> {
        scratch::with(|scratch| {
            let received = port
                .receive(&mut scratch.receive, limit.deadline())
                .map_err(|error| self.send_error(error, limit))?;
            match K::take(&mut take, &received, &self.endpoint, Own::of::<M>()) {
                Answered::Value(value) => Ok(value),
                Answered::Failed(error) => Err(error),
                Answered::Late => Err(limit.too_late(&self.endpoint)),
                Answered::Lost => Err(Error::ReplyDropped { endpoint: self.endpoint.to_string() }),
            }
        })
    }

    /// Tells a dead host from one that destroyed the reply right without a word.
    fn lost(&self, connection: &Connection) -> Error {
        let endpoint = self.endpoint.to_string();
        // The reply right may be seen to go before the host's port is.
        if connection.dies_soon() { Error::HostDied { endpoint } } else { Error::ReplyDropped { endpoint } }
    }
}

impl Failed {
    fn into_error(self) -> Error {
        let (Self::Before(error) | Self::After(error)) = self;
        error
    }
}
