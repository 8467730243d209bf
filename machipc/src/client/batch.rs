//! Messages that are sent together.

use std::fmt;

use crate::error::{Error, SendError};
use crate::interceptor::Watch;
use crate::logger::LogLevel;
use crate::message::MachMessage;
use crate::port::{Deadline, MachError, OutgoingRow, Staged};
use crate::scope::Scope;
use crate::scratch;

use super::limit::Limit;
use super::{Client, Link};

/// One-way messages to one host that leave together. What a message costs besides its bytes is shared by all: for many small ones that come in a
/// burst. Made by [`Client::batch`].
///
/// Messages are encoded as they are [put in](Self::send), and leave a few KiB at a time: when so much has come together, with [`flush`](Self::flush),
/// and at the end with [`finish`](Self::finish). Until then the host does not see them, so a batch that is kept open is flushed wherever a message
/// must not wait. A batch that is dropped is flushed, and what then goes wrong is only logged: `finish` says it.
///
/// It is as if each had been sent by [`Client::send`]: in their order, each as one message of the host's queue limit, with the client's deadline for
/// each flush. Messages of more than 2 KiB, those that carry rights, files or memory, and those of a [trace](crate::TraceContext) leave by themselves, behind what was put in before
/// them. On the [short cut](crate::registry) nothing is collected: the handler is called at once. On Apple systems each message is
/// one trap, as it is by itself.
///
/// Whoever flushes and goes on can keep the batch: it reuses its memory.
///
/// ```no_run
/// # #[machipc::endpoint("com.example.samples")]
/// # enum Samples { Add { at: u64, value: f64 } }
/// let client = SamplesClient::connect()?;
/// let mut batch = client.client().batch();
/// for at in 0..1000 {
///     batch.send(Samples::Add { at, value: (at as f64).sin() })?;
/// }
/// batch.finish()?;
/// # Ok::<(), machipc::Error>(())
/// ```
#[must_use = "a batch collects what is put into it"]
pub struct Batch<M: MachMessage + 'static> {
    client: Client<M>,
    row: OutgoingRow,
}

impl<M: MachMessage + 'static> Batch<M> {
    pub(super) fn new(client: Client<M>) -> Self {
        let row = scratch::with(|scratch| std::mem::take(&mut scratch.row));
        Self { client, row }
    }

    /// Puts a message in. Sends those that are there, if they are many, and waits for room in the host's queue then.
    ///
    /// # Errors
    /// The message comes back with the reason, and is not in the batch: [`Error::Encode`], which concerns this message alone; or why those before it
    /// did not leave, as [`flush`](Self::flush) says it. They are in the batch still.
    #[inline]
    pub fn send<'m>(&mut self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        if let Link::Local(_) = self.client.link {
            return self.client.send(message);
        }
        if Scope::is_traced() {
            // It is larger than the others, and rare.
            return match self.flush() {
                Ok(()) => self.client.send(message),
                Err(error) => Err(SendError::new(message, error)),
            };
        }
        if self.client.interceptors.is_some() {
            return self.put_watched(message);
        }
        // By reference: a move so soon after the message was made would wait until all that was stored before has reached the cache.
        match self.put(&message) {
            Ok(Staged::InRow { .. }) => Ok(()),
            Ok(Staged::Alone) => self.client.send_unwatched(message).map(drop),
            Err(error) => Err(SendError::new(message, error)),
        }
    }

    #[cold]
    fn put_watched<'m>(&mut self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        let watch = match self.client.watch(message.message_id(), false) {
            Ok(watch) => watch,
            Err(error) => return Err(SendError::new(message, error)),
        };
        let sent = match self.put(&message) {
            Ok(Staged::InRow { size }) => Ok(Some(size)),
            Ok(Staged::Alone) => self.client.send_unwatched(message),
            Err(error) => Err(SendError::new(message, error)),
        };
        Watch::finish(watch, sent.as_ref().map(|size| *size).map_err(SendError::error));
        sent.map(drop)
    }

    /// Puts a message into the row, or makes way for one that goes alone.
    #[inline]
    fn put(&mut self, message: &M::View<'_>) -> Result<Staged, Error> {
        if self.row.is_full() {
            self.flush()?;
        }
        let staged = self.client.stage(&mut self.row, message)?;
        if staged == Staged::Alone {
            self.flush()?;
        }
        Ok(staged)
    }

    /// Sends the messages that are there. Returns when the host's queue has them.
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`] when the queue stayed full, or [`Error::QueueFull`] where the client [does not wait](Client::when_full);
    /// [`Error::HostDied`]. Messages left up to one that did not; that one and those
    /// behind it are [there](Self::pending) still, and the next flush sends them.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.client.flush(&mut self.row, Limit::deadline)
    }

    /// Sends the messages that are there, and ends the batch.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); messages that did not leave are lost then. Whoever wants to try again flushes first.
    pub fn finish(mut self) -> Result<(), Error> {
        let sent = self.flush();
        self.row.clear();
        sent
    }

    /// How many messages were put in and have not left.
    pub fn pending(&self) -> usize {
        self.row.len()
    }
}

impl<M: MachMessage + 'static> Drop for Batch<M> {
    fn drop(&mut self) {
        self.client.end_batch(std::mem::take(&mut self.row), Limit::deadline);
    }
}

/// What both kinds of batch do.
impl<M: MachMessage + 'static> Client<M> {
    /// Encodes a message into a row.
    #[inline]
    pub(super) fn stage(&self, row: &mut OutgoingRow, message: &M::View<'_>) -> Result<Staged, Error> {
        let staged = row.stage(message.message_id(), self.fingerprint, |out| message.encode_payload(out));
        staged.map_err(|source| self.encode_error(source))
    }

    /// Sends a row, waiting for room as long as `wait` makes of the limit.
    pub(super) fn flush(
        &self,
        row: &mut OutgoingRow,
        wait: impl FnOnce(&Limit) -> Deadline,
    ) -> Result<(), Error> {
        if row.is_empty() {
            return Ok(());
        }
        let limit = self.limit()?;
        let deadline = self.room(wait(&limit));
        let failed = |error: MachError| match error {
            error if error.is_timed_out() => self.no_room(limit.allowed()),
            error => self.send_error(error, limit),
        };
        let sent = match &self.link {
            // Nothing was put in.
            Link::Local(_) => Ok(()),
            Link::Port(connection) => row.send(connection.right(), deadline).map_err(failed),
            // What is in the batch has not left.
            Link::Renewable(renewable) => self.with_living(renewable, deadline, |connection| {
                row.send(connection.right(), deadline).map_err(failed)
            }),
        };
        self.flushed(row, sent)
    }

    /// A row was sent, or what is left of it was not.
    pub(super) fn flushed(&self, row: &mut OutgoingRow, sent: Result<(), Error>) -> Result<(), Error> {
        self.trace(|| match &sent {
            Ok(()) => "sent a batch of messages".to_owned(),
            Err(error) => format!("{} messages of a batch were not sent: {error}", row.len()),
        });
        match sent {
            Err(error) if self.is_dropped(&error) => {
                // The first one is counted.
                self.count_dropped(row.len() - 1);
                row.clear();
                Ok(())
            }
            sent => sent,
        }
    }

    /// Sends what is in the row of a batch that is dropped, waiting as long as `wait` makes of the limit. The row's memory is used again.
    pub(super) fn end_batch(&self, mut row: OutgoingRow, wait: impl FnOnce(&Limit) -> Deadline) {
        if let Err(error) = self.flush(&mut row, wait) {
            let count = row.len();
            let text = format_args!("{count} messages of a batch that was dropped were not sent: {error}");
            match &self.log {
                Some(log) => log.line(LogLevel::Warn, text),
                None => tracing::warn!(target: "machipc", endpoint = &*self.endpoint, "{text}"),
            }
            row.clear();
        }
        scratch::with(|scratch| scratch.row = row);
    }
}

impl<M: MachMessage + 'static> fmt::Debug for Batch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({:?}, {} pending)", self.client, self.pending())
    }
}
