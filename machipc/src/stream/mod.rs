//! Streams: many values one after the other, from whoever has the [`Sink`] to whoever has the [`Source`].

mod asynchronous;
mod end;
mod error;
mod sink;
mod source;
mod upload;
mod wire;

use crate::error::Error;
use crate::port::{MachError, ReceiveRight};

pub use asynchronous::{AsyncSink, AsyncSource};
pub(crate) use end::Streams;
pub use error::StreamError;
pub use sink::Sink;
pub use source::Source;

/// How many items a stream's sink may be ahead of its source, unless it is told otherwise.
pub(crate) const WINDOW: u32 = 64;

/// What errors call a stream, which has no name.
const STREAM: &str = "(stream)";

/// Makes a stream. Put one end into a message and keep the other: as a field of type [`Sink<T>`](Sink) the receiver sends to this
/// process, as a [`Source<T>`](Source) it receives from it. The generated client's method for a variant with such a field does this and
/// returns the other end.
///
/// The sink may be 64 items ahead, which [`Source::set_window`] changes. The stream fails with a `String`; see
/// [`stream_with`] for another type of error.
///
/// ```
/// let (sink, source) = machipc::stream::<u32>()?;
/// let producer = std::thread::spawn(move || {
///     for number in 0..1000 {
///         sink.send(number)?;
///     }
///     sink.finish()
/// });
/// let numbers = source.collect::<Result<Vec<u32>, _>>()?;
/// assert_eq!(numbers, (0..1000).collect::<Vec<u32>>());
/// producer.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Mach`] (`KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE`) when the process has no room for another port.
pub fn stream<T>() -> Result<(Sink<T>, Source<T>), Error> {
    stream_with(WINDOW)
}

/// [`stream`], with an error of type `E` and a window: as many items, 1 to 1024, may have been sent and not been received yet.
///
/// ```
/// use machipc::{MachMessage, StreamError};
///
/// #[derive(MachMessage, Debug, PartialEq)]
/// struct Unreadable {
///     line: u64,
/// }
///
/// let (sink, mut source) = machipc::stream_with::<String, Unreadable>(8)?;
/// sink.send("first".to_owned())?;
/// sink.fail(Unreadable { line: 2 })?;
/// assert_eq!(source.next(), Some(Ok("first".to_owned())));
/// assert_eq!(source.next(), Some(Err(StreamError::Failed(Unreadable { line: 2 }))));
/// assert_eq!(source.next(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`stream`]; `KERN_INVALID_VALUE` for a window above 1024.
#[expect(clippy::type_complexity, reason = "two ends and an error are no simpler under a name")]
pub fn stream_with<T, E>(window: u32) -> Result<(Sink<T, E>, Source<T, E>), Error> {
    let pair = || {
        let port = ReceiveRight::<()>::new()?;
        port.set_queue_limit(window.max(1))?;
        Ok((Sink::to(&port)?, Source::from(port)))
    };
    pair().map_err(failed)
}

fn failed(source: MachError) -> Error {
    Error::Mach { endpoint: STREAM.to_owned(), source }
}
