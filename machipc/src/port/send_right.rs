//! The right to send messages to a port.

use core::fmt;
use core::marker::PhantomData;

use crate::mach;
use crate::message::{
    Attachment, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, RightCell,
    RightKind, Schema,
};

use super::{MachError, ReceiveRight, SendOnceRight, Trust, deaths, sys};

/// The right to send messages of type `M` to a port.
///
/// The value owns one user reference of its name: dropping it releases exactly that one, cloning it adds another. The port
/// may die at any time; the right is then a dead name, sending to it fails, and releasing it works as before. As a field of
/// a message the right moves to the receiver.
///
/// ```
/// use machipc::port::ReceiveRight;
///
/// let port = ReceiveRight::<String>::new()?;
/// let right = port.make_send()?;
/// let another = right.clone();
/// drop(port);
/// assert!(right.is_dead() && another.is_dead());
/// # Ok::<(), machipc::port::MachError>(())
/// ```
pub struct SendRight<M> {
    cell: RightCell,
    message: PhantomData<fn(M) -> M>,
}

impl<M> SendRight<M> {
    /// The right's name in this process: `MACH_PORT_DEAD` for a right that was dead when it arrived, `MACH_PORT_NULL` once
    /// the right has moved away in a message.
    pub fn name(&self) -> u32 {
        self.cell.get()
    }

    /// Whether the port is known to be dead. A right that is alive here may die before it is used.
    pub fn is_dead(&self) -> bool {
        is_dead(self.name())
    }

    /// Takes over one user reference of a send right.
    ///
    /// # Safety
    /// The caller owns a reference of `name`, gives it up, and the port's receiver expects messages of type `M`.
    pub const unsafe fn from_raw(name: u32) -> Self {
        Self::new(name)
    }

    /// Gives up the value without releasing the reference, which is then the caller's to release.
    #[must_use = "the reference leaks unless it is released"]
    pub fn into_raw(self) -> u32 {
        self.cell.take()
    }

    /// The same right for messages of another type. Nothing checks what the receiver expects: it answers messages that it
    /// does not understand with errors.
    pub fn cast<N>(self) -> SendRight<N> {
        SendRight::new(self.cell.take())
    }

    /// Asks for a dead-name notification to `notify` when the port dies; an earlier request is replaced and its right is
    /// returned.
    ///
    /// The notification comes once. If the last reference of the name is released while the port lives, a port-deleted
    /// notification comes in its place (R-065).
    ///
    /// A name has one request, for this or for room, whoever in the process holds the right: an [`AsyncClient`](crate::AsyncClient) of the same
    /// port that waits for room takes the request's place, and when its wait is over a send-once notification comes to `notify`. So
    /// take whatever comes there for a reason to look whether the right [is dead](Self::is_dead), and ask again if not.
    ///
    /// # Errors
    /// `KERN_INVALID_ARGUMENT` if the port is dead already (R-062); a send-once notification then comes to `notify`, as
    /// after every failed request (R-081).
    pub fn notify_dead_name<N>(
        &self,
        notify: &ReceiveRight<N>,
    ) -> Result<Option<SendOnceRight<()>>, MachError> {
        deaths::ask(self.name(), mach::MACH_NOTIFY_DEAD_NAME, 0, notify.name())
            .map(SendOnceRight::from_previous)
    }

    /// Withdraws the request for a dead-name notification and returns the right it held, if there was one.
    ///
    /// # Errors
    /// `KERN_INVALID_ARGUMENT` if the port is dead: the notification has been sent then.
    pub fn cancel_dead_name(&self) -> Result<Option<SendOnceRight<()>>, MachError> {
        let disposition = mach::MACH_MSG_TYPE_MAKE_SEND_ONCE;
        let variant = mach::MACH_NOTIFY_DEAD_NAME;
        sys::request_notification(self.name(), variant, 0, mach::MACH_PORT_NULL, disposition)
            .map(SendOnceRight::from_previous)
    }

    /// Asks for a send-possible notification to `notify` when the port's queue has room: at once if it has now, else when a
    /// message leaves it (R-068). If the port is dead, or dies first, a dead-name notification comes instead (R-070, R-071).
    ///
    /// A name has one request, for this or for a dead-name notification. An earlier one is replaced and its right is returned.
    ///
    /// # Errors
    /// `KERN_INVALID_ARGUMENT` for a right that has moved away or arrived dead.
    pub fn notify_send_possible<N>(
        &self,
        notify: &ReceiveRight<N>,
    ) -> Result<Option<SendOnceRight<()>>, MachError> {
        deaths::ask(self.name(), mach::MACH_NOTIFY_SEND_POSSIBLE, 1, notify.name())
            .map(SendOnceRight::from_previous)
    }

    /// Shares a pool of `size` bytes with the port's receiver, out of which [`OolBuffer::for_receiver`](super::OolBuffer::for_receiver) takes
    /// memory, if the receiver [allows](ReceiveRight::allow_loans) it. Nothing tells whether it does. One that does may lend in return. `size` is rounded up to a
    /// power of two, 1 MiB at least and 4 GiB at most; memory is taken as it is used. There is one pool between two processes, and a
    /// second offer is without effect. On Apple systems every offer is.
    ///
    /// # Errors
    /// `KERN_INVALID_RIGHT` where the port is this process's, or dead; `KERN_RESOURCE_SHORTAGE`.
    pub fn offer_loans(&self, _: Trust, size: usize) -> Result<(), MachError> {
        // SAFETY: whoever made the value vouches for the receiver.
        unsafe { sys::loan_offer(self.name(), size) }
    }

    /// A right to a port that is dead.
    pub(crate) const fn dead() -> Self {
        Self::new(mach::MACH_PORT_DEAD)
    }

    pub(super) const fn new(name: u32) -> Self {
        Self { cell: RightCell::new(name), message: PhantomData }
    }
}

impl<M> Clone for SendRight<M> {
    /// Adds a user reference. A clone of a dead right is dead, and so is the clone of a name that denotes no send right.
    fn clone(&self) -> Self {
        let name = self.name();
        // The port may die between the two calls' checks, but never come back to life.
        let added = sys::mod_refs(name, mach::MACH_PORT_RIGHT_SEND, 1)
            .or_else(|_| sys::mod_refs(name, mach::MACH_PORT_RIGHT_DEAD_NAME, 1));
        Self::new(if added.is_ok() { name } else { mach::MACH_PORT_DEAD })
    }
}

impl<M> Drop for SendRight<M> {
    fn drop(&mut self) {
        release(self.cell.take());
    }
}

impl<M> fmt::Debug for SendRight<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendRight({:#x})", self.name())
    }
}

impl<M: MachMessage> Encode for SendRight<M> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("SendRight<");
        schema.payload::<M>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        attach(out, RightKind::Send, &self.cell)
    }
}

impl<'de, M: MachMessage> Decode<'de> for SendRight<M> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.right(RightKind::Send).map(Self::new)
    }
}

impl<M: MachMessage> MachMessage for SendRight<M> {
    type View<'a> = Self;
}

/// Attaches a right of any kind to a message.
pub(super) fn attach<'m>(
    out: &mut Encoder<'m>,
    kind: RightKind,
    cell: &'m RightCell,
) -> Result<(), EncodeError> {
    if cell.get() == mach::MACH_PORT_NULL {
        return Err(EncodeError::new(format!("the {} has been sent already", kind_name(kind))));
    }
    out.attach(Attachment::Right(kind, cell))
}

/// Releases one reference of a send, send-once or dead name. NULL and DEAD need no releasing.
pub(super) fn release(name: u32) {
    if name != mach::MACH_PORT_NULL && name != mach::MACH_PORT_DEAD {
        // It fails only for a name that this process does not hold, and then there is nothing to release.
        let _ = sys::deallocate(name);
    }
}

/// Whether a name that held a send or send-once right is known to be dead.
pub(super) fn is_dead(name: u32) -> bool {
    let live = mach::MACH_PORT_TYPE_SEND | mach::MACH_PORT_TYPE_SEND_ONCE;
    name == mach::MACH_PORT_NULL || sys::port_type(name) & live == 0
}

/// What messages call a kind of right.
pub(super) const fn kind_name(kind: RightKind) -> &'static str {
    match kind {
        RightKind::Send => "send right",
        RightKind::SendOnce => "send-once right",
        RightKind::Receive => "receive right",
    }
}
