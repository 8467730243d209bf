//! The right to send one message to a port.

use core::fmt;
use core::marker::PhantomData;

use crate::mach;
use crate::message::{
    Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, RightCell, RightKind, Schema,
};

use super::send_right::{attach, is_dead, release};

/// The right to send one message of type `M` to a port. Sending uses it up; dropping it unused makes a send-once
/// notification arrive at the port, so that whoever waits there learns of it. It never blocks on a full queue. As a field
/// of a message the right moves to the receiver.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Notification, ReceiveRight};
///
/// let port = ReceiveRight::<String>::new()?;
/// drop(port.make_send_once()?);
/// let mut buffer = MessageBuffer::new();
/// let received = port.receive(&mut buffer, Deadline::now())?;
/// assert!(matches!(received.notification(), Some(Notification::SendOnce)));
/// # Ok::<(), machipc::port::MachError>(())
/// ```
pub struct SendOnceRight<M> {
    cell: RightCell,
    message: PhantomData<fn(M) -> M>,
}

impl<M> SendOnceRight<M> {
    /// The right's name in this process: `MACH_PORT_DEAD` for a right that was dead when it arrived, `MACH_PORT_NULL` once
    /// the right was used or has moved away in a message.
    pub fn name(&self) -> u32 {
        self.cell.get()
    }

    /// Whether nobody can receive the message any more, as far as is known.
    pub fn is_dead(&self) -> bool {
        is_dead(self.name())
    }

    /// Takes over a send-once right.
    ///
    /// # Safety
    /// The caller owns the right, gives it up, and the port's receiver expects a message of type `M`.
    pub const unsafe fn from_raw(name: u32) -> Self {
        Self::new(name)
    }

    /// Gives up the value without releasing the right, which is then the caller's to use or release.
    #[must_use = "the right leaks unless it is released"]
    pub fn into_raw(self) -> u32 {
        self.cell.take()
    }

    /// The same right for a message of another type.
    pub fn cast<N>(self) -> SendOnceRight<N> {
        SendOnceRight::new(self.cell.take())
    }

    pub(super) const fn new(name: u32) -> Self {
        Self { cell: RightCell::new(name), message: PhantomData }
    }

    pub(super) const fn cell(&self) -> &RightCell {
        &self.cell
    }
}

impl SendOnceRight<()> {
    /// The right that a request for a notification gave back, if any.
    pub(super) fn from_previous(name: u32) -> Option<Self> {
        (name != mach::MACH_PORT_NULL).then(|| Self::new(name))
    }
}

impl<M> Drop for SendOnceRight<M> {
    fn drop(&mut self) {
        release(self.cell.take());
    }
}

impl<M> fmt::Debug for SendOnceRight<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendOnceRight({:#x})", self.name())
    }
}

impl<M: MachMessage> Encode for SendOnceRight<M> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("SendOnceRight<");
        schema.payload::<M>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        attach(out, RightKind::SendOnce, &self.cell)
    }
}

impl<'de, M: MachMessage> Decode<'de> for SendOnceRight<M> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.right(RightKind::SendOnce).map(Self::new)
    }
}

impl<M: MachMessage> MachMessage for SendOnceRight<M> {
    type View<'a> = Self;
}
