//! What becomes of a message for which a host's queue has no room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Error;
use crate::message::MachMessage;
use crate::port::Deadline;

use super::{Client, Link, Unsent};

/// What a client does with a message when the host's queue is full: see [`Client::when_full`].
///
/// It is about what is sent, one-way messages and requests alike; for the answer a call waits in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room until its deadline, and fails with [`Error::DeadlineExceeded`] then.
    #[default]
    Wait,
    /// It fails at once with [`Error::QueueFull`].
    Fail,
    /// It drops the message, which is the newest, and counts it ([`Client::dropped`]). Sending succeeds. The rights, files and memory in the
    /// message are released, as whenever a message is dropped: who holds the other ends is told.
    ///
    /// A request that is dropped has no answer: its call fails with [`Error::QueueFull`], and it is counted too.
    DropNewest,
}

/// How many messages the clients of one connection have dropped.
#[derive(Debug, Default)]
pub(super) struct Dropped(AtomicU64);

impl<M: MachMessage + 'static> Client<M> {
    /// The same client, doing this when the host's queue is full. Clients wait if not told otherwise.
    ///
    /// A queue is full when it holds as many messages as the host [allows](crate::HostBuilder::queue_limit), or when the way there holds as
    /// much as it can. A handler that is called directly, in this process, has no queue.
    ///
    /// ```no_run
    /// # #[machipc::endpoint("com.example.samples")]
    /// # enum Samples { Add { at: u64, value: f64 } }
    /// use machipc::WhenFull;
    ///
    /// let samples = SamplesClient::connect()?.when_full(WhenFull::DropNewest);
    /// for at in 0..1_000_000 {
    ///     // Never waits for whoever draws them.
    ///     samples.add(at, (at as f64).sin())?;
    /// }
    /// println!("{} samples were too many", samples.dropped());
    /// # Ok::<(), machipc::Error>(())
    /// ```
    #[must_use]
    pub fn when_full(&self, when_full: WhenFull) -> Self {
        Self { when_full, ..self.clone() }
    }

    /// How many messages this client and its clones have dropped because the host's queue was full, if [told to](Self::when_full).
    pub fn dropped(&self) -> u64 {
        self.link.dropped().map_or(0, |dropped| dropped.0.load(Ordering::Relaxed))
    }

    /// Until when a message may wait for room that may wait until `deadline` for everything.
    pub(super) fn room(&self, deadline: Deadline) -> Deadline {
        if self.waits_for_room() { deadline } else { Deadline::now() }
    }

    pub(super) fn waits_for_room(&self) -> bool {
        self.when_full == WhenFull::Wait
    }

    /// Why a message did not leave that was allowed so much time.
    pub(super) fn unsent(&self, unsent: Unsent, allowed: Duration) -> Error {
        match unsent {
            Unsent::Failed(error) => error,
            Unsent::NoRoom => self.no_room(allowed),
        }
    }

    /// There was no room for a message.
    #[cold]
    pub(super) fn no_room(&self, allowed: Duration) -> Error {
        let endpoint = self.endpoint.to_string();
        if self.waits_for_room() {
            return Error::DeadlineExceeded { endpoint, after: allowed };
        }
        if self.when_full == WhenFull::DropNewest {
            self.count_dropped(1);
        }
        Error::QueueFull { endpoint }
    }

    pub(super) fn count_dropped(&self, messages: usize) {
        if let Some(dropped) = self.link.dropped() {
            dropped.0.fetch_add(messages as u64, Ordering::Relaxed);
        }
    }

    /// Whether a one-way message that failed so was dropped, and its sender is not to know.
    pub(super) fn is_dropped(&self, error: &Error) -> bool {
        self.when_full == WhenFull::DropNewest && matches!(error, Error::QueueFull { .. })
    }
}

impl<M: MachMessage + 'static> Link<M> {
    fn dropped(&self) -> Option<&Dropped> {
        match self {
            Self::Local(_) => None,
            Self::Port(connection) => Some(&connection.dropped),
            Self::Renewable(renewable) => Some(&renewable.dropped),
        }
    }
}
