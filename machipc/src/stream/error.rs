//! How a stream ends other than well.

use std::fmt;

use crate::message::DecodeError;
use crate::port::MachError;

/// Why a [`Source`](crate::Source) has no item. `E` is what its sink may [fail](crate::Sink::fail) with.
///
/// All but [`TimedOut`](Self::TimedOut) end the stream: nothing comes after.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError<E = String> {
    /// The producer said that there will be no more, and why: [`Sink::fail`](crate::Sink::fail).
    Failed(E),
    /// The producer went away without a word: the sink was dropped, perhaps by a panic, or its process ended. The items before
    /// are all that it sent.
    ProducerGone,
    /// The producer is a host that [shuts down](crate::Host::shutdown): the items before are all that it sent, and the next host may go on. Or
    /// the reader is, which the source came to: the items before are those that were there then.
    HostStopping,
    /// The time was up before an item came. One may still come.
    TimedOut,
    /// What came is no item of this stream's type, or items are missing. The producer was built from other types, or lies.
    Malformed(DecodeError),
    /// Mach refused to receive.
    Mach(MachError),
}

impl<E: fmt::Debug> fmt::Display for StreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the stream failed: {error:?}"),
            Self::ProducerGone => f.write_str(
                "the stream's producer has gone without finishing: what came before is all that it sent",
            ),
            Self::HostStopping => f.write_str(
                "the stream's host is shutting down: what came before is all that comes, connect again for more",
            ),
            Self::TimedOut => f.write_str("no item came in time: ask again, or allow more"),
            Self::Malformed(error) => write!(f, "the stream is malformed: {error}"),
            Self::Mach(error) => write!(f, "the stream cannot be received: {error}"),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for StreamError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Mach(error) => Some(error),
            _ => None,
        }
    }
}
