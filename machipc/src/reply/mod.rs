//! The right to answer a call, as a value.

mod fate;
mod on_return;
mod slot;
mod view;
pub(crate) mod wire;

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::{Duration, Instant};

use crate::driver::{Driver, Expected, block_on_until};
use crate::message::{
    Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, RightKind, Schema,
};
use crate::port::{OolBuffer, ReceiveRight, ReplyRight, clock};
use crate::stream::Streams;
use crate::{Error, mach};

pub(crate) use fate::{Fate, ReplyEnd, await_reply};
pub(crate) use on_return::Outbox;
pub(crate) use slot::Slot;
pub use view::ReplyView;

/// The right to answer one call with a `T`: the last field of an endpoint's variant that is a request.
///
/// Send the answer now ([`send`](Self::send)), as the handler's last act ([`send_on_return`](Self::send_on_return)), later,
/// or from another thread; or put the reply into a message to another host, which then answers
/// in this one's place. A reply is used once, and the type sees to that: sending consumes it. Dropping it, also by a
/// panic in the handler, tells the caller at once ([`Error::ReplyDropped`]).
///
/// ```no_run
/// use machipc::{Context, Host, Reply};
///
/// #[machipc::endpoint("com.example.squares")]
/// enum Squares {
///     Square { of: u64, reply: Reply<u64> },
/// }
///
/// let host = Host::<Squares>::bind(|message: Squares, _: &Context| match message {
///     Squares::Square { of, reply } => {
///         // The caller waits for the reply, not for the handler: any thread may send it.
///         std::thread::spawn(move || reply.send(of * of));
///     }
/// })?;
/// # Ok::<(), machipc::Error>(())
/// ```
pub struct Reply<T> {
    /// The right that came with the message, or that was made to forward a reply of this process. NULL where there is none.
    right: ReplyRight,
    /// Where the caller waits when it is in this process.
    slot: Option<Arc<Slot<Answer<T>>>>,
    deadline: Option<Instant>,
    /// What only some have.
    extras: Option<Box<Extras>>,
}

#[derive(Default)]
struct Extras {
    /// Tells of the right's death, once somebody has asked for it.
    watch: Option<Expected>,
    /// Where the host's interceptors look what has become of the reply.
    fate: Option<Arc<Fate>>,
}

/// What a caller in this process finds in its slot.
pub(crate) enum Answer<T> {
    /// The answer.
    Value(T),
    /// The reply was dropped.
    Dropped,
    /// The reply has left this process; the answer comes to this port.
    Elsewhere(ReceiveRight<()>),
}

/// What a [`Reply`] can carry: anything that can be a field of a message and owns all it has.
///
/// Implemented for every such type; it is a short name for the bounds. Answers that have a borrowed form are [`ReplyView`]s, too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an answer",
    label = "is neither a message nor made of messages, or cannot go to another thread",
    note = "an answer owns all that it has; for a type of yours, write `#[derive(MachMessage)]`"
)]
pub trait ReplyValue: Encode + for<'de> Decode<'de> + Send + 'static {}

impl<T: Encode + for<'de> Decode<'de> + Send + 'static> ReplyValue for T {}

impl<T> Reply<T> {
    /// Answers the call. Never waits: the caller has kept room for the answer.
    ///
    /// # Errors
    /// [`Error::CallerGone`] when it is known that nobody waits any more. [`Error::Encode`] when the value cannot be put into
    /// bytes; the caller then gets [`Error::Rejected`]. Success means that the answer is on its way, not that it was read.
    pub fn send(self, value: T) -> Result<(), Error>
    where
        T: ReplyValue,
    {
        self.send_by(value, |value| value, wire::answer::<T, T>)
    }

    /// Answers the call with what the handler goes on using: the answer is written from where it lies, and no value is made of it. A caller in this
    /// process gets one ([`ReplyView::into_owned`]).
    ///
    /// ```no_run
    /// # use std::collections::HashMap;
    /// # use std::sync::Mutex;
    /// # use machipc::{Context, Host, Reply};
    /// #[machipc::endpoint("com.example.pages")]
    /// enum Pages<'a> {
    ///     Read { name: &'a str, reply: Reply<Option<Vec<u8>>> },
    /// }
    ///
    /// let pages = Mutex::new(HashMap::<String, Vec<u8>>::new());
    /// let host = Host::<Pages>::bind(move |message: Pages<'_>, _: &Context| match message {
    ///     Pages::Read { name, reply } => {
    ///         let pages = pages.lock().unwrap();
    ///         let _ = reply.send_view(pages.get(name).map(Vec::as_slice));
    ///     }
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_view(self, view: T::View<'_>) -> Result<(), Error>
    where
        T: ReplyView,
    {
        self.send_by(view, T::into_owned, wire::answer::<T, T::View<'_>>)
    }

    /// `own` makes the value for a caller in this process.
    #[inline]
    fn send_by<V: Encode>(
        mut self,
        value: V,
        own: impl FnOnce(V) -> T,
        answer: fn(ReplyRight, &V) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        if self.extras.is_some() {
            return self.send_watched(value, own, answer);
        }
        self.send_sized(value, own, answer).map(drop)
    }

    /// Returns how many bytes the answer has; 0 where it is not put into bytes.
    fn send_sized<V>(
        &mut self,
        value: V,
        own: impl FnOnce(V) -> T,
        answer: fn(ReplyRight, &V) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        if let Some(right) = self.take_right() {
            return answer(right, &value);
        }
        let Some(slot) = &self.slot else { return Err(Error::CallerGone) };
        // The slot stays here meanwhile: a panic in `own` drops the reply, and the drop tells whoever waits there.
        let filled = slot.fill(Answer::Value(own(value)));
        self.slot = None;
        filled.map(|()| 0).map_err(|_| Error::CallerGone)
    }

    #[cold]
    fn send_watched<V: Encode>(
        &mut self,
        value: V,
        own: impl FnOnce(V) -> T,
        answer: fn(ReplyRight, &V) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let fate = self.extras.take().and_then(|extras| extras.fate);
        let is_failure = value.is_failure();
        let sent = self.send_sized(value, own, answer);
        if let Some(fate) = fate {
            fate.tell_sent(is_failure, &sent);
        }
        sent.map(drop)
    }

    /// Answers the call when the handler returns, or earlier: for a handler that has nothing left to do then. The host sends
    /// such an answer and waits for its next message in one call of the kernel, where [`send`](Self::send) makes it two.
    ///
    /// Until the handler returns the caller may go on waiting: what takes long, or waits for something that the caller does
    /// next, belongs before this or after a `send`. What the handler sends meanwhile overtakes the answer. A handler that
    /// panics afterwards has answered nevertheless. On other threads, in a one-way message's handler, for a caller in this
    /// process, for a second answer, and with rights, files or memory in the value, this is `send`.
    ///
    /// ```no_run
    /// # use machipc::{Context, Host, Reply};
    /// # #[machipc::endpoint("com.example.squares")]
    /// # enum Squares { Square { of: u64, reply: Reply<u64> } }
    /// let host = Host::<Squares>::bind(|message: Squares, _: &Context| match message {
    ///     Squares::Square { of, reply } => drop(reply.send_on_return(of * of)),
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send). That the caller has gone shows only later, and then nobody is told: a handler that must know
    /// uses `send`.
    pub fn send_on_return(self, value: T) -> Result<(), Error>
    where
        T: ReplyValue,
    {
        self.send_by(value, |value| value, on_return::answer::<T, T>)
    }

    /// [`send_view`](Self::send_view), when the handler returns, as [`send_on_return`](Self::send_on_return) says. What is borrowed is copied now,
    /// and need not live until then.
    ///
    /// # Errors
    /// As [`send_on_return`](Self::send_on_return).
    pub fn send_view_on_return(self, view: T::View<'_>) -> Result<(), Error>
    where
        T: ReplyView,
    {
        self.send_by(view, T::into_owned, on_return::answer::<T, T::View<'_>>)
    }

    /// Memory of `len` bytes for the answer, or a part of it: an [`OolBuffer`], which is built in place and moves with the answer. It holds any bytes,
    /// such as were in it before.
    ///
    /// If the host [trusts](crate::HostBuilder::trust) its clients and the caller has [lent](crate::ConnectOptions::trust) memory to it, this lies in
    /// memory that both have mapped, and nothing is copied; it is used again when the caller has dropped it. The first time it is asked
    /// for by a caller's process, when the caller keeps so much of it that there is no room left, and in every other case it is memory of its own
    /// ([`OolBuffer::new`]), with the same meaning. What is made here and sent to somebody else is copied. What the caller has lent with the
    /// request goes back as it came, without a copy.
    ///
    /// ```no_run
    /// # use machipc::{Context, Host, OolBuffer, Reply, Trust};
    /// #[machipc::endpoint("com.example.frames")]
    /// enum Frames {
    ///     Next { width: u32, height: u32, reply: Reply<OolBuffer> },
    /// }
    ///
    /// // SAFETY: whoever can connect to this name is this very program.
    /// let trust = unsafe { Trust::new() };
    /// let host = Host::<Frames>::builder().trust(trust).bind(|message: Frames, _: &Context| match message {
    ///     Frames::Next { width, height, reply } => {
    ///         let Ok(mut pixels) = reply.loan(width as usize * height as usize * 4) else { return };
    ///         pixels.as_mut_slice().fill(0xff);
    ///         let _ = reply.send(pixels);
    ///     }
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mach`] when there is not so much memory.
    pub fn loan(&self, len: usize) -> Result<OolBuffer, Error> {
        let memory = match self.right.name() {
            mach::MACH_PORT_NULL => OolBuffer::new(len),
            _ => OolBuffer::for_answer(&self.right, len),
        };
        memory.map_err(|source| Error::Mach { endpoint: wire::CALLER.to_owned(), source })
    }

    /// Whether it is known that nobody waits for the answer any more: the caller's deadline has passed, or it died. A good
    /// reason to stop working on it.
    pub fn is_cancelled(&self) -> bool {
        if self.right.name() != mach::MACH_PORT_NULL {
            return self.right.is_dead();
        }
        self.slot.as_ref().is_none_or(|slot| slot.is_abandoned())
    }

    /// Waits until nobody waits for the answer any more: because the caller's deadline has passed, it has dropped its future or handle,
    /// its thread has given up or its process has ended. For work that is not worth finishing then.
    ///
    /// Dropping the future loses nothing. Where the process has no room for the port that this takes, the future does not end, and
    /// the log tells.
    ///
    /// ```no_run
    /// # use machipc::{Reply, Sink};
    /// async fn end_with_the_caller(mut reply: Reply<u64>, progress: Sink<u64>) {
    ///     reply.cancelled().await;
    ///     drop(progress);
    /// }
    /// ```
    pub fn cancelled(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_cancelled(cx, Driver::current))
    }

    /// Does `work`, but drops it and returns `None` as soon as [nobody waits](Self::cancelled) for the answer any more. The asynchronous
    /// methods of [traits](macro@crate::endpoint) run in it. Work that is ready when it is first polled costs nothing more.
    ///
    /// ```no_run
    /// # use machipc::Reply;
    /// # async fn work() -> u64 { 0 }
    /// async fn answer(mut reply: Reply<u64>) {
    ///     if let Some(answer) = reply.run_until_cancelled(work()).await {
    ///         let _ = reply.send(answer);
    ///     }
    /// }
    /// ```
    pub async fn run_until_cancelled<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_cancelled(cx, Driver::current).map(|()| None),
        })
        .await
    }

    /// Waits on the calling thread until [nobody waits](Self::cancelled) for the answer any more, for `timeout` at most. Returns whether
    /// it is so.
    pub fn wait_cancelled(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        // A runtime would not see it while its thread waits here.
        self.stop_watching();
        block_on_until(poll_fn(|cx| self.poll_cancelled(cx, Driver::of_process)), deadline).is_some()
    }

    fn poll_cancelled(&mut self, cx: &mut task::Context<'_>, driver: GetDriver) -> Poll<()> {
        if self.right.name() == mach::MACH_PORT_NULL {
            return match &self.slot {
                Some(slot) => slot.poll_abandoned(cx),
                None => Poll::Ready(()),
            };
        }
        loop {
            if self.right.is_dead() {
                self.stop_watching();
                return Poll::Ready(());
            }
            let watch = match &mut self.extras.get_or_insert_default().watch {
                Some(watch) => watch,
                none => match watch_right(&self.right, driver) {
                    Ok(watch) => none.insert(watch),
                    Err(_) if self.right.is_dead() => return Poll::Ready(()),
                    Err(error) => {
                        tracing::warn!(target: "machipc", "it will not be seen that a caller gives up: {error}");
                        return Poll::Pending;
                    }
                },
            };
            ready!(watch.poll(cx));
            // Dead, unless somebody else has asked about the same name.
            self.stop_watching();
        }
    }

    fn stop_watching(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.watch = None;
        }
    }

    /// Until when the caller waits, by this process's clock; `None` when it waits for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A place-holder: whoever encodes it asks for a right to the calling thread's reply port.
    pub(crate) fn wanted(deadline: Option<Instant>) -> Self {
        Self { right: no_right(), slot: None, deadline, extras: None }
    }

    /// A reply to a caller in this process, who waits at `slot`.
    pub(crate) fn local(
        slot: Arc<Slot<Answer<T>>>,
        deadline: Option<Instant>,
        fate: Option<Arc<Fate>>,
    ) -> Self {
        Self { right: no_right(), slot: Some(slot), deadline, extras: Extras::of(fate) }
    }

    fn take_right(&mut self) -> Option<ReplyRight> {
        let right = std::mem::replace(&mut self.right, no_right());
        if right.name() == mach::MACH_PORT_NULL {
            return None;
        }
        // With a right in hand the slot, if any, says "elsewhere" and is done with.
        self.slot = None;
        Some(right)
    }

    /// Lets the caller wait at a port instead of the slot, so that the reply can leave the process.
    fn make_right(&self, slot: &Slot<Answer<T>>) -> Result<(), EncodeError> {
        let failed = |error| EncodeError::new(format!("no port to forward a reply with: {error}"));
        let port = ReceiveRight::<()>::new().map_err(failed)?;
        let right = port.make_send_once().map_err(failed)?;
        // The right goes into the cell before the caller is told, so that it is dropped with this value come what may.
        self.right.cell().set(right.into_raw());
        match slot.fill(Answer::Elsewhere(port)) {
            Ok(()) => Ok(()),
            Err(_) => Err(EncodeError::new("the caller of the forwarded reply has given up")),
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let fate = self.extras.take().and_then(|extras| extras.fate);
        let end = if let Some(right) = self.take_right() {
            if DECODING.get() != Progress::None {
                SALVAGED.set(Some(right));
                return;
            }
            let gone = fate.is_some() && right.is_dead();
            wire::refuse(right, &wire::Refusal::dropped());
            if gone { ReplyEnd::CallerGone } else { ReplyEnd::Dropped }
        } else if let Some(slot) = self.slot.take() {
            // Nothing to do for a caller that has given up, or that waits at the port the reply has left to.
            match slot.fill(Answer::Dropped) {
                Ok(()) => ReplyEnd::Dropped,
                Err(_) if slot.is_abandoned() => ReplyEnd::CallerGone,
                Err(_) => return,
            }
        } else {
            // Its right was sent on in a message, or has answered.
            return;
        };
        if let Some(fate) = fate {
            fate.tell(end);
        }
    }
}

impl Extras {
    #[inline]
    fn of(fate: Option<Arc<Fate>>) -> Option<Box<Self>> {
        fate.map(|fate| Box::new(Self { watch: None, fate: Some(fate) }))
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Reply");
        match &self.slot {
            Some(_) if self.right.name() == mach::MACH_PORT_NULL => text.field("caller", &"this process"),
            _ => text.field("right", &self.right),
        };
        text.field("deadline", &self.deadline).finish()
    }
}

/// The wire form is the instant of the deadline by the machine's clock, and the right in the message's header.
///
/// An instant, since what is left of the time goes on running while the message waits for room and in the queue. All processes of a
/// machine read one clock (`port/clock.rs`). A peer that lies about it harms its own request: one whose time seems to be up is
/// not handled, and one that has for ever lends its handler's calls no more than their own deadlines.
impl<T: ReplyValue> Encode for Reply<T> {
    const MIN_SIZE: usize = 8;

    fn schema(schema: &mut Schema) {
        schema.push("Reply<");
        schema.payload::<T>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.pod(
            &self.deadline.map_or(NO_DEADLINE, |deadline| clock::to_machine(deadline).min(NO_DEADLINE - 1)),
        );
        if self.right.name() == mach::MACH_PORT_NULL {
            match &self.slot {
                None => return out.reply_wanted(),
                Some(slot) => self.make_right(slot)?,
            }
        }
        self.right.encode(out)
    }
}

impl<'de, T: ReplyValue> Decode<'de> for Reply<T> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let deadline = match input.pod::<u64>()? {
            NO_DEADLINE => None,
            time => clock::from_machine(time),
        };
        DECODED_DEADLINE.set(deadline);
        let right = ReplyRight::decode(input)?;
        Ok(Self { right, slot: None, deadline, extras: Extras::of(fate::of_decoded()) })
    }
}

/// A message that is nothing but a request.
impl<T: ReplyValue> MachMessage for Reply<T> {
    type View<'a> = Self;
}

thread_local! {
    static DECODING: Cell<Progress> = const { Cell::new(Progress::None) };
    static DECODED_DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static SALVAGED: Cell<Option<ReplyRight>> = const { Cell::new(None) };
}

/// What of a message is being decoded on this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    Begun,
    /// There are ends of streams in it.
    Streams,
}

/// A message is being decoded on this thread: the way from a reply in it to the message's [`Context`](crate::Context), and to
/// [`salvaged`]; from ends of streams in it to the host, whose streams these are.
#[derive(Clone, Copy)]
pub(crate) struct Decoding<'h>(&'h Streams);

impl<'h> Decoding<'h> {
    #[inline]
    pub(crate) fn begin(streams: &'h Streams) -> Self {
        DECODING.set(Progress::Begun);
        DECODED_DEADLINE.set(None);
        Self(streams)
    }

    /// An end of a stream was decoded. Returns whether that was for a host.
    pub(crate) fn has_streams() -> bool {
        let decoding = DECODING.get() != Progress::None;
        if decoding {
            DECODING.set(Progress::Streams);
        }
        decoding
    }

    /// Returns the deadline of the reply that was decoded, if there was one.
    #[inline]
    pub(crate) fn end(self) -> Option<Instant> {
        if DECODING.replace(Progress::None) == Progress::Streams {
            self.0.adopt_decoded();
        }
        DECODED_DEADLINE.get()
    }
}

/// The right of a reply that was dropped during the last [`Decoding`], because the message around it turned out to be bad:
/// with it the caller can be told what was wrong.
pub(crate) fn salvaged() -> Option<ReplyRight> {
    SALVAGED.take()
}

/// The deadline of a caller that waits for ever.
const NO_DEADLINE: u64 = u64::MAX;

type GetDriver = fn(&str) -> Result<Arc<Driver>, Error>;

fn watch_right(right: &ReplyRight, driver: GetDriver) -> Result<Expected, Error> {
    let failed = |source| Error::Mach { endpoint: wire::CALLER.to_owned(), source };
    let driver = driver(wire::CALLER)?;
    let watch = Expected::new(&driver, None).map_err(failed)?;
    right.notify_dead_name(watch.port()).map_err(failed)?;
    Ok(watch)
}

const fn no_right() -> ReplyRight {
    ReplyRight::new(RightKind::SendOnce, mach::MACH_PORT_NULL)
}
