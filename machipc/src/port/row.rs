//! Several messages at once: a row that is built and sent, and one that came (`mach::mach_msg_send_row`, `mach::mach_msg_receive_row`).

use zerocopy::IntoBytes;

use crate::mach;
use crate::message::{AlignedBuffer, EncodeError, Encoder, Prefix};

use super::outgoing::{Field, Rights};
use super::received::{LOCAL, sender_behind, size_of_first};
use super::{Deadline, MachError, Received, Sender, restore, sys};

/// Header and padding in front of a message's prefix.
const HEAD: usize = size_of::<mach::mach_msg_header_t>().next_multiple_of(ALIGN);
const ALIGN: usize = mach::ROW_ALIGN as usize;
/// A row of so many bytes is sent: enough to share what sending costs, and little enough for the receiver to begin early.
const FULL: usize = 4096;
/// A larger message goes by itself: there is little to share, and it would be copied once more.
const LARGEST: usize = 2048;
/// Where in a header the destination's name is.
const REMOTE: usize = core::mem::offset_of!(mach::mach_msg_header_t, msgh_remote_port);

/// Messages to one send right that are encoded and have yet to be sent.
#[derive(Debug, Default)]
pub(crate) struct OutgoingRow {
    bytes: AlignedBuffer,
    /// The messages are here: the first one that was not sent, and where the next one goes.
    start: usize,
    end: usize,
    /// The name that they are addressed to.
    to: u32,
}

/// What became of a message that was to go into a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// It is in the row.
    InRow {
        /// How many bytes it has as it travels.
        size: usize,
    },
    /// It has to be sent by itself: it is large, carries more than bytes, or wants an answer.
    Alone,
}

impl OutgoingRow {
    /// Whether no message is there to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether it is time to send.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.end >= FULL
    }

    /// How many messages have not been sent.
    pub(crate) fn len(&self) -> usize {
        let (mut at, mut count) = (self.start, 0);
        while at < self.end {
            at += self.step(at);
            count += 1;
        }
        count
    }

    /// Forgets what has not been sent.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Encodes a message into the row.
    ///
    /// # Errors
    /// Those of `write`. The row is as it was.
    #[inline]
    pub(crate) fn stage<'m>(
        &'m mut self,
        id: i32,
        fingerprint: u64,
        write: impl FnOnce(&mut Encoder<'m>) -> Result<(), EncodeError>,
    ) -> Result<Staged, EncodeError> {
        let Self { bytes, end, to, .. } = self;
        let at = *end;
        bytes.set_len(at + HEAD + Prefix::SIZE);
        let mut encoder = Encoder::new(bytes);
        write(&mut encoder)?;
        let Some((bytes, start)) = encoder.finish_bytes() else { return Ok(Staged::Alone) };
        let content = bytes.len() - at;
        if content > LARGEST {
            return Ok(Staged::Alone);
        }
        let prefix = Prefix::new(bytes.len() - start, fingerprint, 0)?;
        // The size of a message is a multiple of 4.
        let size = content.next_multiple_of(4);
        let next = at + size.next_multiple_of(ALIGN);
        bytes.set_len(next);
        let message = &mut bytes.as_mut_bytes()[at..next];
        let bits = mach::MACH_MSGH_BITS(mach::MACH_MSG_TYPE_COPY_SEND, 0);
        let head: [u32; HEAD / 4] = [bits, size as u32, *to, mach::MACH_PORT_NULL, 0, id as u32, 0, 0];
        message[..HEAD].copy_from_slice(head.as_bytes());
        message[HEAD..HEAD + Prefix::SIZE].copy_from_slice(&prefix.to_bytes());
        message[content..].fill(0);
        *end = next;
        Ok(Staged::InRow { size })
    }

    /// Sends all messages to the port of this right, waiting for room in its queue until the deadline.
    ///
    /// # Errors
    /// As [`Outgoing::send`](super::Outgoing::send). Messages were sent up to one that failed, and the others are here still.
    pub(crate) fn send<M>(&mut self, to: &super::SendRight<M>, deadline: Deadline) -> Result<(), MachError> {
        self.address(to.name());
        let deadline = deadline.aged();
        while !self.is_empty() {
            self.bytes.set_len(self.end);
            let row = &mut self.bytes.as_mut_bytes()[self.start..];
            let mut sent = 0;
            // SAFETY: `stage` has made every message, each within the row, and none has descriptors. The row starts at a multiple of 16 in an
            // aligned buffer.
            let code = unsafe { sys::send_row(row, deadline.milliseconds(), &mut sent) };
            self.start += sent;
            if code != mach::MACH_MSG_SUCCESS {
                let error = MachError::new(code, "mach_msg");
                self.restore(error);
                return Err(error);
            }
        }
        self.clear();
        Ok(())
    }

    /// Makes the first message one that can be sent again, after that has failed.
    fn restore(&mut self, error: MachError) {
        let message = &mut self.bytes.as_mut_bytes()[self.start..];
        let destination = Field::Copy(self.to);
        let rights = Rights { destination, reply: Field::None, attachments: &[], payload: None, names: &[] };
        restore::failed(message, &rights, error);
        let bits = mach::MACH_MSGH_BITS(mach::MACH_MSG_TYPE_COPY_SEND, 0);
        message[..4].copy_from_slice(&bits.to_le_bytes());
        message[REMOTE..REMOTE + 4].copy_from_slice(&self.to.to_le_bytes());
        message[LOCAL..LOCAL + 4].fill(0);
    }

    /// Addresses the messages that are here, and those to come, to this name.
    fn address(&mut self, to: u32) {
        if self.to == to {
            return;
        }
        self.to = to;
        self.bytes.set_len(self.end);
        let mut at = self.start;
        while at < self.end {
            self.bytes.as_mut_bytes()[at + REMOTE..at + REMOTE + 4].copy_from_slice(&to.to_le_bytes());
            at += self.step(at);
        }
    }

    /// How far it is from the message at `at` to the next one.
    fn step(&self, at: usize) -> usize {
        size_of_first(&self.bytes.as_bytes()[at..]).next_multiple_of(ALIGN)
    }
}

/// Messages that came together, from one sender. What is not taken out is destroyed with the value.
pub(crate) struct Row<'b> {
    /// The messages that were not taken out yet.
    rest: &'b mut [u8],
    sender: Sender,
}

impl<'b> Row<'b> {
    /// Takes ownership of the messages in `bytes`, which the kernel has put there; the last one ends at `end`.
    #[inline]
    pub(super) fn new(bytes: &'b mut [u8], end: usize) -> Self {
        let sender = sender_behind(bytes, end);
        Self { rest: &mut bytes[..end], sender }
    }

    /// The next message.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Received<'b>> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = core::mem::take(&mut self.rest);
        let next = size_of_first(bytes).next_multiple_of(ALIGN).min(bytes.len());
        let (message, rest) = bytes.split_at_mut(next);
        self.rest = rest;
        Some(Received::parse_message(message, self.sender))
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        while self.next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Encode;
    use crate::port::{MessageBuffer, ReceiveRight, SendRight};

    fn stage(row: &mut OutgoingRow, value: &impl Encode) -> Staged {
        row.stage(7, 9, |out| value.encode(out)).unwrap()
    }

    fn receive(port: &ReceiveRight<()>) -> Option<String> {
        let mut buffer = MessageBuffer::new();
        let received = port.receive(&mut buffer, Deadline::now()).ok()?;
        assert_eq!(received.id(), 7);
        Some(received.decode_with("a text", 9, crate::message::Decode::decode).unwrap())
    }

    #[test]
    fn messages_leave_in_their_order_as_far_as_there_is_room() {
        let port = ReceiveRight::<()>::pinned(3).unwrap();
        let to = port.make_send().unwrap();
        let mut row = OutgoingRow::default();
        let texts: Vec<String> = (0..5).map(|length| "abcde"[..length].to_owned()).collect();
        texts.iter().for_each(|text| assert!(matches!(stage(&mut row, text), Staged::InRow { .. })));
        assert_eq!(row.len(), 5);
        assert!(row.send(&to, Deadline::now()).unwrap_err().is_timed_out());
        assert_eq!(row.len(), 2);
        assert_eq!(receive(&port).as_deref(), Some(""));
        // The one that came back goes before what is put in meanwhile.
        stage(&mut row, &"late".to_owned());
        assert!(row.send(&to, Deadline::now()).unwrap_err().is_timed_out());
        for text in &texts[1..4] {
            assert_eq!(receive(&port).as_ref(), Some(text));
        }
        row.send(&to, Deadline::now()).unwrap();
        assert!(row.is_empty());
        assert_eq!((receive(&port).as_deref(), receive(&port).as_deref()), (Some("abcd"), Some("late")));
        assert_eq!(receive(&port), None);
        // No reference of the right is left over or missing.
        assert_eq!(sys::refs_of_send(to.name()), 1);
    }

    #[test]
    fn what_is_more_than_a_few_bytes_goes_alone() {
        let port = ReceiveRight::<()>::new().unwrap();
        let mut row = OutgoingRow::default();
        assert!(matches!(stage(&mut row, &"short".to_owned()), Staged::InRow { .. }));
        assert_eq!(stage(&mut row, &"long".repeat(1000)), Staged::Alone);
        let right: SendRight<u32> = port.make_send().unwrap().cast();
        assert_eq!(stage(&mut row, &right), Staged::Alone);
        assert_eq!(row.len(), 1);
        row.clear();
        assert!(row.is_empty());
    }

    #[test]
    fn a_dead_port_leaves_the_messages_where_they_are() {
        let port = ReceiveRight::<()>::new().unwrap();
        let to = port.make_send().unwrap();
        drop(port);
        let mut row = OutgoingRow::default();
        stage(&mut row, &1_u32);
        assert!(row.send(&to, Deadline::never()).unwrap_err().is_dead_destination());
        let next = ReceiveRight::<()>::new().unwrap();
        row.send(&next.make_send().unwrap(), Deadline::never()).unwrap();
        assert_eq!(next.queued(), Ok(1));
    }
}
