//! Messages that are sent together, without blocking the thread.

use std::fmt;

use crate::error::{Error, SendError};
use crate::interceptor::Watch;
use crate::message::MachMessage;
use crate::port::{Deadline, OutgoingRow, Staged};
use crate::scope::Scope;
use crate::scratch;

use super::{AsyncClient, Link, Unsent};

/// [`Batch`](super::Batch) for tasks: what waits for room in the host's queue is a future. Made by [`AsyncClient::batch`].
///
/// A future that is dropped gives up: the message that [`send`](Self::send) was given is not in the batch then; those that had not left are there
/// still, and the next flush sends them. A batch that is dropped does not wait: it sends what there is room for, and logs what is lost.
/// [`finish`](Self::finish) waits.
///
/// ```no_run
/// # #[machipc::endpoint("com.example.samples")]
/// # enum Samples { Add { at: u64, value: f64 } }
/// # async fn samples() -> Result<(), Box<dyn std::error::Error>> {
/// let client = SamplesAsyncClient::connect()?;
/// let mut batch = client.client().batch();
/// for at in 0..1000 {
///     batch.send(Samples::Add { at, value: (at as f64).sin() }).await?;
/// }
/// batch.finish().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch collects what is put into it"]
pub struct AsyncBatch<M: MachMessage + 'static> {
    client: AsyncClient<M>,
    row: OutgoingRow,
}

impl<M: MachMessage + 'static> AsyncBatch<M> {
    pub(super) fn new(client: AsyncClient<M>) -> Self {
        Self { client, row: scratch::with(|scratch| std::mem::take(&mut scratch.row)) }
    }

    /// Puts a message in. Sends those that are there, if they are many, and is ready when the host's queue has them.
    ///
    /// # Errors
    /// As [`Batch::send`](super::Batch::send): the message comes back, and is not in the batch.
    pub async fn send<'m>(&mut self, message: M::View<'m>) -> Result<(), SendError<M::View<'m>>> {
        let client = self.client.client();
        if let Link::Local(_) = client.link {
            return client.send(message);
        }
        if Scope::is_traced() {
            // It is larger than the others, and rare.
            return match self.flush().await {
                Ok(()) => self.client.send(message).await,
                Err(error) => Err(SendError::new(message, error)),
            };
        }
        let watch = match client.watch(message.message_id(), false) {
            Ok(watch) => watch,
            Err(error) => return Err(SendError::new(message, error)),
        };
        let sent = self.put(message).await;
        Watch::finish(watch, sent.as_ref().map(|size| *size).map_err(SendError::error));
        sent.map(drop)
    }

    async fn put<'m>(&mut self, message: M::View<'m>) -> Result<Option<usize>, SendError<M::View<'m>>> {
        if self.row.is_full()
            && let Err(error) = self.flush().await
        {
            return Err(SendError::new(message, error));
        }
        match self.client.client().stage(&mut self.row, &message) {
            Ok(Staged::InRow { size }) => Ok(Some(size)),
            Ok(Staged::Alone) => match self.flush().await {
                Ok(()) => self.client.send_unwatched(message).await,
                Err(error) => Err(SendError::new(message, error)),
            },
            Err(error) => Err(SendError::new(message, error)),
        }
    }

    /// Sends the messages that are there. Ready when the host's queue has them.
    ///
    /// # Errors
    /// As [`Batch::flush`](super::Batch::flush): what has not left is [there](Self::pending) still.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if self.row.is_empty() {
            return Ok(());
        }
        let Self { client, row } = self;
        let limit = client.client().limit()?;
        let sent = client.when_there_is_room(limit, |connection| {
            row.send(connection.right(), Deadline::now()).map_err(|error| match error {
                error if error.is_timed_out() => Unsent::NoRoom,
                error => Unsent::Failed(client.client().send_error(error, limit)),
            })
        });
        let sent = sent.await;
        client.client().flushed(row, sent)
    }

    /// Sends the messages that are there, and ends the batch.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); messages that did not leave are lost then. Whoever wants to try again flushes first.
    pub async fn finish(mut self) -> Result<(), Error> {
        let sent = self.flush().await;
        self.row.clear();
        sent
    }

    /// How many messages were put in and have not left.
    pub fn pending(&self) -> usize {
        self.row.len()
    }
}

impl<M: MachMessage + 'static> Drop for AsyncBatch<M> {
    fn drop(&mut self) {
        self.client.client().end_batch(std::mem::take(&mut self.row), |_| Deadline::now());
    }
}

impl<M: MachMessage + 'static> fmt::Debug for AsyncBatch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncBatch({:?}, {} pending)", self.client.client(), self.pending())
    }
}
