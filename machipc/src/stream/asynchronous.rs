//! The ends of a stream for tasks: what waits does not block the thread.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::driver::{Alarm, Driver, Watched};
use crate::error::{Error, SendError};
use crate::port::ReceiveRight;
use crate::reply::ReplyValue;

use super::upload::Upload;
use super::wire::{self, Came};
use super::{STREAM, Sink, Source, StreamError, failed};

/// A [`Source`] for tasks, on any executor. Made by [`Source::into_async`].
///
/// While a task waits for it, an item that comes is taken out of the window for that task: one more than the window may be sent then.
///
/// ```
/// # async fn read(source: machipc::Source<String>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut source = source.into_async()?;
/// while let Some(item) = source.next().await {
///     println!("{}", item?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct AsyncSource<T, E = String> {
    /// `None` once the stream has ended.
    port: Option<Watched>,
    /// It goes after the port.
    upload: Option<Arc<Upload>>,
    received: u64,
    items: PhantomData<fn() -> (T, E)>,
}

impl<T: ReplyValue, E: ReplyValue> AsyncSource<T, E> {
    pub(super) fn new(source: Source<T, E>) -> Result<Self, Error> {
        let (port, upload, received) = source.into_parts();
        let port = match port {
            Some(port) => Some(Watched::new(&Driver::current(STREAM)?, port)),
            None => None,
        };
        Ok(Self { port, upload, received, items: PhantomData })
    }

    /// The next item; once and last, why there are no more; `None` after that, or when the stream has finished. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Result<T, StreamError<E>>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next) as executors and combinators ask for it: what `Stream::poll_next` is for the traits of that name.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError<E>>>> {
        let Some(port) = &self.port else { return Poll::Ready(None) };
        let came = match ready!(port.poll_message(cx)) {
            Ok(mut parcel) => {
                // It was not opened before.
                let came = parcel.open().map(|message| wire::read(&message, self.received));
                port.driver().give_buffer(parcel.into_buffer());
                came.unwrap_or(Came::End(Some(StreamError::ProducerGone)))
            }
            Err(error) => Came::End(Some(StreamError::Mach(error))),
        };
        Poll::Ready(match came {
            Came::Item(item) => {
                self.received += 1;
                Some(Ok(item))
            }
            Came::Nothing => {
                // A producer may send many of these: others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Came::End(reason) => {
                // Whatever the producer sends after its last word is destroyed with the port.
                self.port = None;
                self.upload = None;
                reason.map(Err)
            }
        })
    }
}

impl<T, E> fmt::Debug for AsyncSource<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSource")
            .field("port", &self.port)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// A [`Sink`] for tasks, on any executor. Made by [`Sink::into_async`].
///
/// ```
/// # async fn write(sink: machipc::Sink<u32>) -> Result<(), machipc::Error> {
/// let mut sink = sink.into_async();
/// for number in 0..1000 {
///     sink.send(number).await?;
/// }
/// sink.into_sink().finish()
/// # }
/// ```
pub struct AsyncSink<T, E = String>(Sink<T, E>);

impl<T, E> AsyncSink<T, E> {
    pub(super) const fn new(sink: Sink<T, E>) -> Self {
        Self(sink)
    }

    /// Sends an item, waiting for room in the window until the sink's [deadline](Sink::with_deadline). Dropping the future before it is
    /// ready drops the item unsent.
    ///
    /// # Errors
    /// As [`Sink::send`]; [`Error::Thread`] and [`Error::Mach`] when what waits could not be started.
    pub async fn send(&mut self, mut item: T) -> Result<(), SendError<T>>
    where
        T: ReplyValue,
    {
        let deadline = self.0.deadline().and_then(|deadline| Instant::now().checked_add(deadline));
        loop {
            item = match self.0.try_send(item) {
                Err(refused) if matches!(refused.error(), Error::StreamFull { .. }) => refused.into_message(),
                done => return done,
            };
            if let Err(error) = self.room(deadline).await {
                return Err(SendError::new(item, error));
            }
        }
    }

    /// The sink for blocking code, to finish it or to put it into a message.
    pub fn into_sink(self) -> Sink<T, E> {
        self.0
    }

    /// Whether it is known that nobody reads the stream any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until it is worth trying again: there is room, or the source has gone.
    async fn room(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        let driver = Driver::current(STREAM)?;
        let port = ReceiveRight::new().map_err(failed)?;
        match self.0.right().notify_send_possible(&port) {
            // A request that was made by a future which was dropped, and of whose end nobody wants to know.
            Ok(replaced) => drop(replaced),
            Err(_) if self.is_closed() => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
        let port = Watched::new(&driver, port);
        let mut alarm = deadline.map(|at| Alarm::new(&driver, at));
        poll_fn(|cx| {
            self.0.end().when_stopped(cx.waker());
            // Whether it tells of room or of death, or the host has ended the stream: trying will show.
            if port.poll_message(cx).is_ready() || self.0.end().stopped().is_some() {
                return Poll::Ready(Ok(()));
            }
            match &mut alarm {
                Some(alarm) => alarm
                    .poll(cx)
                    .map(|()| Err(Error::StreamFull { after: self.0.deadline().unwrap_or(Duration::MAX) })),
                None => Poll::Pending,
            }
        })
        .await
    }
}

impl<T, E> fmt::Debug for AsyncSink<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncSink").field(&self.0).finish()
    }
}
