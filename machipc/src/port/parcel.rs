//! A message that came, with the memory that it lies in.

use core::fmt;
use core::mem::take;

use crate::mach;

use super::received::{self, ID, LOCAL, REMOTE};
use super::{Deadline, MachError, MessageBuffer, ReceiveFrom, Received, descriptor};

/// A message that came, with the memory that it lies in: it can be kept, and handed to another thread, while the next message
/// is received elsewhere. It owns all that came with the message, and destroys what nobody has taken out.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Outgoing, Parcel, ReceiveRight};
///
/// let port = ReceiveRight::<String>::new()?;
/// let text = String::from("hello");
/// let mut buffer = MessageBuffer::new();
/// Outgoing::message(&mut buffer, &text)?.copy_send(&port.make_send()?).send(Deadline::now())?;
///
/// let mut parcel = Parcel::receive(&port, &mut buffer, Deadline::now())?;
/// assert_eq!(parcel.port(), port.name());
/// let received = parcel.open().expect("nobody has opened it");
/// assert_eq!(received.decode::<String>()?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Parcel {
    buffer: MessageBuffer,
    port: u32,
    opened: bool,
}

impl Parcel {
    /// Waits for a message. It stays in `buffer`'s memory, which the parcel takes: an empty buffer is left behind, with the same
    /// limits.
    ///
    /// # Errors
    /// As [`ReceiveRight::receive`](super::ReceiveRight::receive); then the buffer keeps its memory.
    pub fn receive<P: ReceiveFrom>(
        from: &P,
        buffer: &mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<Self, MachError> {
        received::receive_raw(from.name(), buffer, deadline)?;
        let port = descriptor::word(buffer.bytes.as_bytes(), LOCAL).unwrap_or_default();
        Ok(Self { buffer: buffer.split_off(), port, opened: false })
    }

    /// The name of the port that the message came to; of a port set's members, which one.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// The message's id, as in [`Received::id`].
    pub fn id(&self) -> i32 {
        descriptor::word(self.buffer.bytes.as_bytes(), ID).unwrap_or_default() as i32
    }

    /// Whether it has a right to answer it, and nobody has opened it.
    pub(crate) fn wants_reply(&self) -> bool {
        let reply = descriptor::word(self.buffer.bytes.as_bytes(), REMOTE).unwrap_or_default();
        !self.opened && reply != mach::MACH_PORT_NULL
    }

    /// Whether it calls itself a notification. Whether it is one, [`Received::notification`] tells.
    pub(crate) fn is_notification(&self) -> bool {
        (mach::MACH_NOTIFY_PORT_DELETED..=mach::MACH_NOTIFY_DEAD_NAME).contains(&self.id())
    }

    /// The message. It can be opened once: what the first who did so has not taken out is destroyed.
    pub fn open(&mut self) -> Option<Received<'_>> {
        if self.opened {
            return None;
        }
        self.opened = true;
        Some(Received::parse(&mut self.buffer))
    }

    /// Destroys what is left of the message and gives the memory back, to receive into.
    pub fn into_buffer(mut self) -> MessageBuffer {
        drop(self.open());
        take(&mut self.buffer)
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        drop(self.open());
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").field("port", &self.port).field("opened", &self.opened).finish()
    }
}
