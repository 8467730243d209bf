//! The end of a stream that items are taken out of.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::mach;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};
use crate::port::{Deadline, ReceiveRight};
use crate::reply::ReplyValue;
use crate::scratch;

use super::upload::Upload;
use super::wire::{self, Came};
use super::{AsyncSource, StreamError, failed};

/// The end of a [stream](crate::stream()) that items are taken out of: an iterator, which waits for each of them. As a field of a
/// message it moves to the receiver, with the items that are on their way.
///
/// Each step gives an item, or, once and last, why there are no more; a stream that [finished](crate::Sink::finish) just ends. A step
/// waits for as long as the sink lives; [`next_timeout`](Self::next_timeout) waits no longer than it is told.
///
/// Dropping the source tells the sink at once: its next [`send`](crate::Sink::send) fails, and one that waits for room waits no longer.
///
/// A source that came to a host ends, too, when that host [shuts down](crate::Host::shutdown): behind the items that are there then, it gives
/// [`StreamError::HostStopping`], and with that its port goes, so that the producer gets [`Error::StreamClosed`].
/// [`through_shutdown`](Self::through_shutdown) keeps it. A source that came from a client in the host's own process, which calls the handler
/// directly, is the handler's alone.
///
/// ```
/// use std::time::Duration;
/// use machipc::StreamError;
///
/// let (sink, mut source) = machipc::stream::<String>()?;
/// sink.send("first".to_owned())?;
/// assert_eq!(source.next(), Some(Ok("first".to_owned())));
/// assert_eq!(source.next_timeout(Duration::from_millis(1)), Some(Err(StreamError::TimedOut)));
/// drop(sink);
/// assert_eq!(source.next(), Some(Err(StreamError::ProducerGone)));
/// assert_eq!(source.next(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Source<T, E = String> {
    /// `None` once the stream has ended.
    port: Option<ReceiveRight<()>>,
    /// Where a host's shutdown ends the stream. It goes after the port.
    upload: Option<Arc<Upload>>,
    /// How many items came.
    received: u64,
    items: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Source<T, E> {
    pub(super) fn from(port: ReceiveRight<()>) -> Self {
        Self { port: Some(port), upload: None, received: 0, items: PhantomData }
    }

    /// The source of a stream that goes on when the host to which it came [shuts down](crate::Host::shutdown): for one that is read
    /// to its end within the shutdown's grace. Without effect on other sources.
    #[must_use]
    pub fn through_shutdown(self) -> Self {
        if let Some(upload) = &self.upload {
            upload.disown();
        }
        self
    }

    /// Changes the window: as many items, 1 to 1024, may have been sent and not been received. What has been sent stays.
    ///
    /// # Errors
    /// [`Error::Mach`] with `KERN_INVALID_VALUE` above 1024.
    pub fn set_window(&self, items: u32) -> Result<(), Error> {
        match &self.port {
            Some(port) => port.set_queue_limit(items.max(1)).map_err(failed),
            None => Ok(()),
        }
    }

    /// Whether the stream has ended, and the end was taken out.
    pub fn is_ended(&self) -> bool {
        self.port.is_none()
    }
}

impl<T: ReplyValue, E: ReplyValue> Source<T, E> {
    /// The next item, waiting for it up to `timeout`: [`StreamError::TimedOut`] then, after which the stream goes on.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<T, StreamError<E>>> {
        self.receive(Deadline::after(timeout))
    }

    /// The source for tasks: what waits for items does not block the thread.
    ///
    /// # Errors
    /// [`Error::Thread`] and [`Error::Mach`] when what waits for items could not be started.
    pub fn into_async(self) -> Result<AsyncSource<T, E>, Error> {
        AsyncSource::new(self)
    }

    /// The port, unless the stream has ended, what ends it, and how many items came.
    pub(super) fn into_parts(mut self) -> (Option<ReceiveRight<()>>, Option<Arc<Upload>>, u64) {
        (self.port.take(), self.upload.take(), self.received)
    }

    fn receive(&mut self, deadline: Deadline) -> Option<Result<T, StreamError<E>>> {
        loop {
            let port = self.port.as_ref()?;
            let came = scratch::with(|scratch| match port.receive(&mut scratch.receive, deadline) {
                Ok(message) => Ok(wire::read(&message, self.received)),
                Err(error) if error.is_timed_out() => Err(StreamError::TimedOut),
                Err(error) => Ok(Came::End(Some(StreamError::Mach(error)))),
            });
            return match came {
                Ok(Came::Item(item)) => {
                    self.received += 1;
                    Some(Ok(item))
                }
                // A producer may send many of these.
                Ok(Came::Nothing) if deadline.has_passed() => Some(Err(StreamError::TimedOut)),
                Ok(Came::Nothing) => continue,
                Ok(Came::End(reason)) => {
                    // Whatever the producer sends after its last word is destroyed with the port.
                    self.port = None;
                    self.upload = None;
                    reason.map(Err)
                }
                Err(error) => Some(Err(error)),
            };
        }
    }
}

impl<T: ReplyValue, E: ReplyValue> Iterator for Source<T, E> {
    type Item = Result<T, StreamError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receive(Deadline::never())
    }
}

impl<T: ReplyValue, E: ReplyValue> FusedIterator for Source<T, E> {}

impl<T, E> Drop for Source<T, E> {
    fn drop(&mut self) {
        if let (Some(port), Some(upload)) = (&self.port, &self.upload)
            && port.name() == mach::MACH_PORT_NULL
        {
            upload.pass_on();
        }
    }
}

impl<T, E> fmt::Debug for Source<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("port", &self.port)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

/// The wire form is how many items came so far, and the receive right.
impl<T: Encode, E: Encode> Encode for Source<T, E> {
    const MIN_SIZE: usize = 12;

    fn schema(schema: &mut Schema) {
        schema.push("Source<");
        schema.part::<T>();
        schema.push(",");
        schema.part::<E>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        let Some(port) = &self.port else {
            return Err(EncodeError::new("the stream has ended: there is nothing to move"));
        };
        out.pod(&self.received);
        port.encode(out)
    }
}

impl<'de, T: Encode, E: Encode> Decode<'de> for Source<T, E> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let received = input.pod::<u64>()?;
        let port = ReceiveRight::decode(input)?;
        let upload = Upload::decoded(&port);
        Ok(Self { port: Some(port), upload, received, items: PhantomData })
    }
}

impl<T: Encode, E: Encode> MachMessage for Source<T, E> {
    type View<'a> = Self;
}
