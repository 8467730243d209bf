//! Waiting for room in a host's queue without blocking the thread.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::driver::{Driver, Watched};
use crate::error::Error;
use crate::port::{MachError, ReceiveRight, SendOnceRight};

use super::connection::Connection;

/// Who waits for room, in order. The first one waits for the notification that there is room, and tries when it has come; whoever leaves
/// the queue makes the next one first. So a message that leaves the host's queue makes one task try, however many wait.
pub(super) struct Room {
    queue: Mutex<Queue>,
}

struct Queue {
    waiting: VecDeque<(u64, Option<Waker>)>,
    count: u64,
    /// The notification that was asked for and has not come.
    request: Option<Request>,
}

/// A request for a send-possible notification.
struct Request {
    /// Where it comes. Whatever comes here ends the request, also that somebody else has replaced it.
    port: Watched,
    /// Whose request was replaced by this one. Dropped with it: then that one is told.
    _replaced: Option<SendOnceRight<()>>,
}

impl Queue {
    fn index(&self, number: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

impl Room {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::new(Queue { waiting: VecDeque::new(), count: 0, request: None }) }
    }

    /// Whether others wait: whoever comes now queues up behind them.
    pub(super) fn is_awaited(&self) -> bool {
        !self.queue().waiting.is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the lock is held, so a poisoned queue is a whole one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, which is left when the value is dropped.
pub(super) struct Place<'c> {
    connection: &'c Connection,
    number: u64,
}

impl<'c> Place<'c> {
    /// Queues up.
    pub(super) fn last(connection: &'c Connection) -> Self {
        let mut queue = connection.room.queue();
        queue.count += 1;
        let number = queue.count;
        queue.waiting.push_back((number, None));
        Self { connection, number }
    }

    /// Ready when it is this one's turn to try.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.connection.room.queue();
        let Some(index) = queue.index(self.number) else { return Poll::Ready(()) };
        if index == 0 {
            let Some(request) = &queue.request else { return Poll::Ready(()) };
            // Whether it tells of room, of death or of another request: trying will show.
            if request.port.poll_message(cx).is_ready() {
                let over = queue.request.take();
                drop(queue);
                drop(over);
                return Poll::Ready(());
            }
        }
        let former = queue.waiting[index].1.replace(cx.waker().clone());
        drop(queue);
        drop(former);
        Poll::Pending
    }

    /// There was no room: asks to be told, if this one is first. Another's request would take the place of the one that the first one waits
    /// for, and nobody would wait for that other.
    pub(super) fn ask(&self, endpoint: &str) -> Result<(), Error> {
        if self.connection.room.queue().index(self.number) != Some(0) {
            return Ok(());
        }
        let failed = |source: MachError| Error::Mach { endpoint: endpoint.to_owned(), source };
        let driver = Driver::current(endpoint)?;
        let port = ReceiveRight::pinned(1).map_err(failed)?;
        let _replaced = self.connection.right().notify_send_possible(&port).map_err(failed)?;
        let request = Request { port: Watched::new(&driver, port), _replaced };
        let former = self.connection.room.queue().request.replace(request);
        drop(former);
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.connection.room.queue();
        let index = queue.index(self.number);
        let own = index.and_then(|index| queue.waiting.remove(index));
        let next = (index == Some(0)).then(|| queue.waiting.front_mut()?.1.take()).flatten();
        let unwanted = if queue.waiting.is_empty() { queue.request.take() } else { None };
        drop(queue);
        drop((own, unwanted));
        next.into_iter().for_each(Waker::wake);
    }
}
