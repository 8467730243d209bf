//! Streams, as generated code sees them.

use crate::stream::WINDOW;
use crate::{Error, Sink, Source, stream_with};

/// A field that is an end of a stream.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an end of a stream",
    note = "a field that is called `Sink<…>` or `Source<…>` is taken for machipc's, and the client's method returns its other end"
)]
pub trait StreamEnd: Sized {
    /// The other end.
    type Other;

    /// Makes a stream: this end to be sent, the other to be kept.
    fn pair() -> Result<(Self, Self::Other), Error>;
}

impl<T, E> StreamEnd for Sink<T, E> {
    type Other = Source<T, E>;

    fn pair() -> Result<(Self, Source<T, E>), Error> {
        stream_with(WINDOW)
    }
}

impl<T, E> StreamEnd for Source<T, E> {
    type Other = Sink<T, E>;

    fn pair() -> Result<(Self, Sink<T, E>), Error> {
        stream_with(WINDOW).map(|(sink, source)| (source, sink))
    }
}
