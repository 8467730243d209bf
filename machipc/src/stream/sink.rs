//! The end of a stream that items are put into.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Error, SendError};
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};
use crate::port::{Deadline, MachError, Outgoing, ReceiveRight, SendOnceRight, SendRight};
use crate::reply::ReplyValue;
use crate::scratch;

use super::end::End;
use super::wire::{FAIL_ID, FINISH_ID, ITEM_ID};
use super::{AsyncSink, STREAM, failed};

/// The end of a [stream](crate::stream()) that items are put into. As a field of a message it moves to the receiver, who then sends to
/// whoever has the [`Source`](crate::Source).
///
/// A sink is ahead of its source by as many items as the stream's window holds; then [`send`](Self::send) waits until the source has
/// taken one. It ends in one of three ways, each of which the source sees at once, behind the last item: [`finish`](Self::finish) says
/// that all items were sent, [`fail`](Self::fail) says why there are no more, and dropping it, also by a panic or the end of the process,
/// says that something went wrong.
///
/// Threads may share a sink. Each one's items come in its order.
///
/// A sink that came to a host ends, too, when that host [shuts down](crate::Host::shutdown), whatever its producer does then: the source
/// gets [`StreamError::HostStopping`](crate::StreamError::HostStopping) behind the last item, and the producer
/// [`Error::StreamStopped`], also where it waits for room. [`through_shutdown`](Self::through_shutdown) keeps it. A sink
/// that came from a client in the host's own process, which calls the handler directly, is the handler's alone.
///
/// ```no_run
/// use machipc::{Context, Host, MachMessage, Sink};
///
/// #[derive(MachMessage, Debug)]
/// struct Event {
///     key: String,
/// }
///
/// #[machipc::endpoint("com.example.events")]
/// enum Events<'a> {
///     Watch { prefix: &'a str, events: Sink<Event> },
/// }
///
/// let host = Host::<Events>::bind(|message: Events<'_>, _: &Context| match message {
///     Events::Watch { prefix, events } => {
///         let key = format!("{prefix}/first");
///         // The handler returns at once, and the stream goes on.
///         std::thread::spawn(move || {
///             events.send(Event { key })?;
///             events.finish()
///         });
///     }
/// })?;
///
/// // In another process:
/// for event in EventsClient::connect()?.watch("keys")? {
///     println!("{:?}", event?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sink<T, E = String> {
    right: SendRight<()>,
    /// The last word, which a host's shutdown may say too.
    end: Arc<End>,
    /// How many items were sent.
    sent: AtomicU64,
    deadline: Option<Duration>,
    items: PhantomData<fn(T, E)>,
}

/// How long a sink waits for room that was not told otherwise.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

impl<T, E> Sink<T, E> {
    pub(super) fn to(port: &ReceiveRight<()>) -> Result<Self, MachError> {
        Ok(Self::new(port.make_send()?, Arc::new(End::new(port.make_send_once()?)), 0))
    }

    fn new(right: SendRight<()>, end: Arc<End>, sent: u64) -> Self {
        let deadline = Some(DEFAULT_DEADLINE);
        Self { right, end, sent: AtomicU64::new(sent), deadline, items: PhantomData }
    }

    /// Sends an item, waiting for room in the window until the [deadline](Self::with_deadline), 30 seconds by default.
    ///
    /// # Errors
    /// The item comes back with the reason: [`Error::StreamClosed`] when the source is gone, [`Error::StreamFull`] when there was still
    /// no room then, after which the stream goes on; [`Error::StreamStopped`] when the host shuts down; [`Error::Encode`]. Success means that the item is on its way, not that it was
    /// read: a send that waits for room while the source goes away succeeds, and the next one fails.
    pub fn send(&self, item: T) -> Result<(), SendError<T>>
    where
        T: ReplyValue,
    {
        if self.end.is_adopted() {
            return self.send_unless_stopped(item);
        }
        self.send_by(item, self.deadline.map_or(Deadline::never(), Deadline::lasting), self.deadline)
    }

    /// [`send`](Self::send), for a stream that the host may end while this waits: what waits is not the item, so that it comes back then.
    fn send_unless_stopped(&self, mut item: T) -> Result<(), SendError<T>>
    where
        T: ReplyValue,
    {
        let mut until = None;
        loop {
            item = match self.try_send(item) {
                Err(refused) if matches!(refused.error(), Error::StreamFull { .. }) => refused.into_message(),
                done => return done,
            };
            let until =
                *until.get_or_insert_with(|| self.deadline.map_or(Deadline::never(), Deadline::after));
            match self.end.wait_for_room(&self.right, until) {
                Ok(true) => {}
                Ok(false) => {
                    let after = self.deadline.unwrap_or(Duration::MAX);
                    return Err(SendError::new(item, Error::StreamFull { after }));
                }
                // The request was refused because the source has gone: trying will show.
                Err(_) if self.is_closed() => {}
                Err(error) => return Err(SendError::new(item, failed(error))),
            }
        }
    }

    /// Sends an item if the window has room now.
    ///
    /// # Errors
    /// As [`send`](Self::send), with [`Error::StreamFull`] at once.
    pub fn try_send(&self, item: T) -> Result<(), SendError<T>>
    where
        T: ReplyValue,
    {
        self.send_by(item, Deadline::now(), Some(Duration::ZERO))
    }

    /// Says that all items were sent: the source's iterator ends behind the last one. Never waits.
    ///
    /// # Errors
    /// [`Error::StreamClosed`] when it is known that nobody reads the stream any more, [`Error::StreamStopped`]. Success does not tell that the items were read.
    pub fn finish(self) -> Result<(), Error> {
        let sent = self.sent.load(Ordering::Relaxed);
        self.end_with(FINISH_ID, &sent)
    }

    /// Says why there are no more items: the source gets [`StreamError::Failed`](crate::StreamError::Failed) behind the last one. Never
    /// waits.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), and [`Error::Encode`] when the error cannot be put into bytes; then the source gets
    /// [`StreamError::ProducerGone`](crate::StreamError::ProducerGone).
    pub fn fail(self, error: E) -> Result<(), Error>
    where
        E: ReplyValue,
    {
        self.end_with(FAIL_ID, &error)
    }

    /// Whether it is known that nobody reads the stream any more. A good reason to stop producing.
    pub fn is_closed(&self) -> bool {
        self.right.is_dead()
    }

    /// The sink with another deadline for each item that waits for room; `None` waits for as long as the source lives. It is this
    /// process's affair: a sink that moves in a message has the usual one at its new place.
    #[must_use]
    pub fn with_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { deadline: deadline.into(), ..self }
    }

    /// The sink of a stream that goes on when the host to which it came [shuts down](crate::Host::shutdown): for a stream that soon ends
    /// by itself, within the shutdown's grace. Without effect on other sinks.
    ///
    /// ```no_run
    /// # use machipc::{Context, Host, Sink};
    /// #[machipc::endpoint("com.example.lists")]
    /// enum Lists {
    ///     All { lines: Sink<String> },
    /// }
    ///
    /// # let read = || vec![String::new()];
    /// let host = Host::<Lists>::bind(move |Lists::All { lines }: Lists, _: &Context| {
    ///     // In the handler, so that the shutdown waits for it.
    ///     let lines = lines.through_shutdown();
    ///     if read().into_iter().all(|line| lines.send(line).is_ok()) {
    ///         let _ = lines.finish();
    ///     }
    /// })?;
    /// # Ok::<(), machipc::Error>(())
    /// ```
    #[must_use]
    pub fn through_shutdown(self) -> Self {
        self.end.disown();
        self
    }

    /// The sink for tasks: what waits for room does not block the thread.
    pub fn into_async(self) -> AsyncSink<T, E> {
        AsyncSink::new(self)
    }

    /// How long an item may wait for room; `None` is for as long as the source lives.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    pub(super) fn right(&self) -> &SendRight<()> {
        &self.right
    }

    fn send_by(&self, item: T, deadline: Deadline, after: Option<Duration>) -> Result<(), SendError<T>>
    where
        T: ReplyValue,
    {
        if let Some(error) = self.end.stopped() {
            return Err(SendError::new(item, error));
        }
        let sent = scratch::with(|scratch| {
            let fingerprint = Schema::fingerprint_of::<T>();
            Outgoing::encode(&mut scratch.send, ITEM_ID, fingerprint, |out| item.encode(out))
                .map_err(encode_error)?
                .copy_send(&self.right)
                .send(deadline)
                .map_err(|error| send_error(error, after.unwrap_or(Duration::MAX)))
        });
        match sent {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(SendError::new(item, error)),
        }
    }

    /// Sends the last message.
    fn end_with<V: Encode>(self, id: i32, value: &V) -> Result<(), Error> {
        if let Some(error) = self.end.stopped() {
            return Err(error);
        }
        // A message to a send-once right whose port is dead just vanishes (R-129).
        if self.is_closed() {
            return Err(Error::StreamClosed);
        }
        let said = scratch::with(|scratch| {
            Outgoing::encode(&mut scratch.send, id, Schema::fingerprint_of::<V>(), |out| value.encode(out))
                .map_err(encode_error)?
                .move_send_once(&self.end.right)
                // A send-once right never waits for room.
                .send(Deadline::never())
                .map_err(|error| send_error(error, Duration::ZERO))
        });
        // The host may have said the last word meanwhile.
        said.map_err(|error| self.end.stopped().unwrap_or(error))
    }
}

fn encode_error(source: EncodeError) -> Error {
    Error::Encode { endpoint: STREAM.to_owned(), source }
}

fn send_error(error: MachError, after: Duration) -> Error {
    if error.is_timed_out() {
        Error::StreamFull { after }
    } else if error.is_dead_destination() {
        Error::StreamClosed
    } else {
        failed(error)
    }
}

impl<T, E> fmt::Debug for Sink<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("right", &self.right).field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// The wire form is how many items were sent so far, and the two rights.
impl<T: Encode, E: Encode> Encode for Sink<T, E> {
    const MIN_SIZE: usize = 16;

    fn schema(schema: &mut Schema) {
        schema.push("Sink<");
        schema.part::<T>();
        schema.push(",");
        schema.part::<E>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.pod(&self.sent.load(Ordering::Relaxed));
        self.right.encode(out)?;
        self.end.right.encode(out)
    }
}

impl<'de, T: Encode, E: Encode> Decode<'de> for Sink<T, E> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let sent = input.pod::<u64>()?;
        Ok(Self::new(SendRight::decode(input)?, End::decoded(SendOnceRight::decode(input)?), sent))
    }
}

impl<T: Encode, E: Encode> MachMessage for Sink<T, E> {
    type View<'a> = Self;
}
