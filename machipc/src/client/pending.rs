//! A call that is under way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use crate::driver::{Alarm, Driver, Expected, Watched, block_on, block_on_until};
use crate::error::{Error, Own};
use crate::interceptor::Watch;
use crate::logger::{Log, LogLevel};
use crate::port::{Parcel, SendOnceRight};
use crate::reply::wire::{self, Answered};
use crate::reply::{Answer, ReplyValue, Slot};

use super::connection::{Connection, DEATH_SHOWS, DeathWatch};
use super::limit::Limit;

/// A call that is under way: the request has been sent, the answer is awaited.
///
/// Made by [`Client::start`](crate::Client::start). It is a future of the answer, for any executor; and in blocking code
/// [`wait`](Self::wait) waits for it. Many calls can be under way on one client and one thread.
///
/// Dropping it cancels the call, and so does the end of the call's deadline, whether or not anybody waits: the handler's
/// [`Reply`](crate::Reply) sees that nobody waits any more.
///
/// ```no_run
/// # use machipc::{Client, Reply};
/// # #[machipc::endpoint("com.example.squares")]
/// # enum Squares { Square { of: u64, reply: Reply<u64> } }
/// let client = Client::<Squares>::connect()?;
/// let nine = client.start(|reply| Squares::Square { of: 3, reply })?;
/// let sixteen = client.start(|reply| Squares::Square { of: 4, reply })?;
/// assert_eq!(nine.wait()? + sixteen.wait()?, 25);
/// # Ok::<(), machipc::Error>(())
/// ```
#[must_use = "dropping it cancels the call"]
pub struct PendingReply<T> {
    state: State<T>,
    call: Call,
}

/// What a call is about.
pub(super) struct Call {
    pub(super) endpoint: Arc<str>,
    pub(super) limit: Limit,
    /// This side's message type.
    pub(super) own: Own,
    pub(super) log: Option<Log>,
    /// Is told what comes of it.
    pub(super) watch: Option<Box<Watch>>,
    /// What waits for the answer.
    pub(super) driver: GetDriver,
}

/// Either of `Driver`'s: as a future waits, or as a thread may.
pub(super) type GetDriver = fn(&str) -> Result<Arc<Driver>, Error>;

enum State<T> {
    /// The answer comes to a port.
    Port(Expected, Arc<Connection>),
    /// The reply right has gone without a word: a host that dies, or one that does not answer?
    Doubt(Doubt),
    /// The handler is in this process and leaves the answer here.
    Local { slot: Arc<Slot<Answer<T>>>, _alarm: Option<Alarm> },
    /// The handler was in this process, but the reply has left it: the answer comes to a port.
    Elsewhere(Watched, Option<Alarm>),
    /// The answer has been given.
    Over,
}

struct Doubt {
    host: Arc<Connection>,
    /// Tells of the host's death.
    watch: Option<(Watched, Option<SendOnceRight<()>>)>,
    until: Instant,
    alarm: Alarm,
}

impl<T> PendingReply<T> {
    pub(super) fn through_port(expected: Expected, connection: Arc<Connection>, call: Call) -> Self {
        Self { state: State::Port(expected, connection), call }
    }
}

impl<T> PendingReply<T> {
    /// A call that was started, or not, with what watches it.
    pub(super) fn watched(started: Result<Self, Error>, watch: Option<Box<Watch>>) -> Result<Self, Error> {
        match started {
            Ok(mut pending) => {
                pending.call.watch = watch;
                Ok(pending)
            }
            Err(error) => {
                Watch::finish(watch, Err(&error));
                Err(error)
            }
        }
    }
}

impl<T: ReplyValue> PendingReply<T> {
    /// The handler has been called, and may have answered.
    pub(super) fn local(slot: Arc<Slot<Answer<T>>>, call: Call) -> Result<Self, Error> {
        let mut _alarm = None;
        if let Some(deadline) = call.limit.at.filter(|_| !slot.is_settled()) {
            match (call.driver)(&call.endpoint) {
                Ok(driver) => _alarm = Some(Alarm::set(&driver, deadline, Waker::from(slot.clone()))),
                Err(error) => {
                    slot.abandon();
                    return Err(error);
                }
            }
        }
        Ok(Self { state: State::Local { slot, _alarm }, call })
    }

    /// Waits for the answer on the calling thread.
    ///
    /// With the feature `tokio`, a call that an [`AsyncClient`](crate::AsyncClient) has made inside a runtime is to be awaited: a
    /// thread of the runtime that waits here may keep the runtime from receiving the answer.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub fn wait(self) -> Result<T, Error> {
        block_on(self)
    }

    /// Waits for the answer on the calling thread, for `timeout` at most; `None` when it has not come then. The call goes on.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T, Error>> {
        if matches!(self.state, State::Over) {
            return None;
        }
        block_on_until(self, Instant::now().checked_add(timeout))
    }

    /// Takes the answer if it is there; `None` when it is not, or has been taken already.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub fn try_take(&mut self) -> Option<Result<T, Error>> {
        if matches!(self.state, State::Over) {
            return None;
        }
        match self.poll_answer(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    /// Whether there is something to take: an answer, or the reason why there is none.
    pub fn is_ready(&self) -> bool {
        match &self.state {
            State::Port(expected, _) => expected.is_ready(),
            State::Local { slot, .. } => slot.is_settled(),
            State::Doubt(doubt) => doubt.host.is_dead() || doubt.until <= Instant::now(),
            State::Elsewhere(..) | State::Over => false,
        }
    }

    /// Until when the answer is waited for; `None` is for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.limit.at
    }

    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        let answer = ready!(self.poll_state(cx));
        self.state = State::Over;
        if let Some(log) = self.call.log.as_ref().filter(|log| log.enabled(LogLevel::Trace)) {
            match &answer {
                Ok(_) => log.line(LogLevel::Trace, format_args!("a call was answered")),
                Err(error) => log.line(LogLevel::Trace, format_args!("a call failed: {error}")),
            }
        }
        Watch::finish_call(self.call.watch.take(), answer.as_ref().map(T::is_failure));
        Poll::Ready(answer)
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        loop {
            let next = match &mut self.state {
                State::Port(expected, host) => {
                    let Some(parcel) = ready!(expected.poll(cx)) else {
                        return Poll::Ready(Err(self.call.too_late()));
                    };
                    match self.call.read(parcel, expected.driver()) {
                        Answered::Value(value) => return Poll::Ready(Ok(value)),
                        Answered::Failed(error) => return Poll::Ready(Err(error)),
                        Answered::Late => return Poll::Ready(Err(self.call.too_late())),
                        Answered::Lost => {
                            let until = Instant::now() + DEATH_SHOWS;
                            let alarm = Alarm::new(expected.driver(), until);
                            State::Doubt(Doubt { host: host.clone(), watch: None, until, alarm })
                        }
                    }
                }
                State::Doubt(doubt) => {
                    return Poll::Ready(Err(match ready!(doubt.poll(cx)) {
                        true => Error::HostDied { endpoint: self.call.endpoint.to_string() },
                        false => self.call.reply_dropped(),
                    }));
                }
                State::Local { slot, .. } => match ready!(slot.poll_take(cx)) {
                    Some(Answer::Value(value)) => return Poll::Ready(Ok(value)),
                    Some(Answer::Dropped) => return Poll::Ready(Err(self.call.reply_dropped())),
                    Some(Answer::Elsewhere(port)) => {
                        let driver = match (self.call.driver)(&self.call.endpoint) {
                            Ok(driver) => driver,
                            Err(error) => return Poll::Ready(Err(error)),
                        };
                        let alarm = self.call.limit.at.map(|at| Alarm::new(&driver, at));
                        State::Elsewhere(Watched::new(&driver, port), alarm)
                    }
                    None => return Poll::Ready(Err(self.call.too_late())),
                },
                State::Elsewhere(port, alarm) => {
                    if let Poll::Ready(received) = port.poll_message(cx) {
                        return Poll::Ready(match received {
                            Ok(parcel) => match self.call.read(parcel, port.driver()) {
                                Answered::Value(value) => Ok(value),
                                Answered::Failed(error) => Err(error),
                                Answered::Late => Err(self.call.too_late()),
                                Answered::Lost => Err(self.call.reply_dropped()),
                            },
                            Err(source) => {
                                Err(Error::Mach { endpoint: self.call.endpoint.to_string(), source })
                            }
                        });
                    }
                    match alarm {
                        Some(alarm) => ready!(alarm.poll(cx)),
                        None => return Poll::Pending,
                    }
                    return Poll::Ready(Err(self.call.too_late()));
                }
                State::Over => panic!("a call's answer is asked for again after it was given"),
            };
            self.state = next;
        }
    }
}

impl Doubt {
    /// Whether the host has died, once that is known.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.host.is_dead() {
            if let Some((port, _)) = &self.watch {
                if port.poll_message(cx).is_pending() {
                    return self.alarm.poll(cx).map(|()| self.host.is_dead());
                }
            } else if self.until <= Instant::now() {
                return Poll::Ready(false);
            }
            let driver = self.alarm.driver();
            let Some(DeathWatch { port, replaced }) = self.host.watch_death() else { break };
            self.watch = Some((Watched::new(driver, port), replaced));
        }
        Poll::Ready(self.host.is_dead())
    }
}

impl Call {
    fn read<T: ReplyValue>(&self, mut parcel: Parcel, driver: &Driver) -> Answered<T> {
        let answered = match parcel.open() {
            Some(received) => {
                if let Some(watch) = &self.watch {
                    watch.has_reply_size(received.size());
                }
                wire::read(&received, &self.endpoint, self.own)
            }
            None => Answered::Lost,
        };
        driver.give_buffer(parcel.into_buffer());
        answered
    }

    fn too_late(&self) -> Error {
        self.limit.too_late(&self.endpoint)
    }

    fn reply_dropped(&self) -> Error {
        Error::ReplyDropped { endpoint: self.endpoint.to_string() }
    }
}

impl<T: ReplyValue> Future for PendingReply<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_answer(cx)
    }
}

/// Nothing in it is polled in place.
impl<T> Unpin for PendingReply<T> {}

impl<T> Drop for PendingReply<T> {
    fn drop(&mut self) {
        // A port's right dies with the port.
        if let State::Local { slot, .. } = &self.state {
            slot.abandon();
        }
    }
}

impl<T> fmt::Debug for PendingReply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReply")
            .field("endpoint", &self.call.endpoint)
            .field("deadline", &self.call.limit.at)
            .finish_non_exhaustive()
    }
}
