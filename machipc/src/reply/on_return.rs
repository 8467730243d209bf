//! Answers that leave when their handler returns, together with the receive of the next message.

use std::cell::Cell;

use crate::error::Error;
use crate::message::Encode;
use crate::port::{Deadline, Held, MachError, MessageBuffer, Outgoing, ReceiveRight, ReplyRight, Row};
use crate::scratch;

use super::{ReplyValue, wire};

/// What a host's thread has to send before it waits for the next message: at most one answer.
#[derive(Default)]
pub(crate) struct Outbox {
    buffer: MessageBuffer,
    answer: Option<(ReplyRight, Held)>,
}

thread_local! {
    /// The outbox of the handler that runs on this thread.
    static LENT: Cell<Option<Outbox>> = const { Cell::new(None) };
}

impl Outbox {
    /// Calls a handler, whose answers may stay here. A handler that runs another host on its thread lends the thread to that
    /// one's handlers meanwhile.
    pub(crate) fn lend(&mut self, handle: impl FnOnce()) {
        let outer = LENT.replace(Some(std::mem::take(self)));
        handle();
        *self = LENT.replace(outer).unwrap_or_default();
    }

    /// Sends what there is to send and waits for a message to `port`, in one call; takes those that have come behind it too, where nothing is to
    /// be sent and `several` allows it.
    ///
    /// # Errors
    /// Those of the answer, with nothing received, and where [`MachError::is_receive`] is true those of the receive.
    #[inline]
    pub(crate) fn send_and_receive<'b>(
        &mut self,
        port: &ReceiveRight<()>,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
        several: bool,
    ) -> Result<Row<'b>, MachError> {
        let Some((right, held)) = self.answer.take() else {
            return port.receive_row(buffer, deadline, several);
        };
        let outgoing = Outgoing::resume(&mut self.buffer, held).answer(&right);
        let received = outgoing.send_and_receive_row(port, buffer, deadline);
        scratch::trim(&mut self.buffer);
        received
    }

    /// Sends what there is to send, for a thread that receives no more.
    pub(crate) fn send(&mut self) -> Result<(), MachError> {
        let Some((right, held)) = self.answer.take() else { return Ok(()) };
        Outgoing::resume(&mut self.buffer, held).answer(&right).send(Deadline::never())
    }
}

/// Leaves an answer in the thread's outbox. Where there is none, or it is taken, and where the answer carries rights,
/// files or memory, it is sent at once.
///
/// Returns the answer's size in bytes.
pub(super) fn answer<T: ReplyValue, V: Encode>(right: ReplyRight, value: &V) -> Result<usize, Error> {
    let Some(mut outbox) = LENT.take() else { return wire::answer::<T, V>(right, value) };
    let left = outbox.leave::<T, V>(right, value);
    LENT.set(Some(outbox));
    left
}

impl Outbox {
    fn leave<T: ReplyValue, V: Encode>(&mut self, right: ReplyRight, value: &V) -> Result<usize, Error> {
        if self.answer.is_some() {
            return wire::answer::<T, V>(right, value);
        }
        let outgoing = match wire::encode::<T, V>(&mut self.buffer, value) {
            Ok(outgoing) => outgoing,
            Err(error) => return Err(wire::unencodable(right, error)),
        };
        let size = outgoing.size();
        match outgoing.hold() {
            Ok(held) => self.answer = Some((right, held)),
            Err(outgoing) => wire::send(outgoing, &right)?,
        }
        Ok(size)
    }
}
