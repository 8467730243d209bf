//! The right to receive from a port: the port's one owner.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::mach;
use crate::message::{
    Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, RightCell, RightKind, Schema,
};

use super::send_right::attach;
use super::{
    Deadline, MachError, MessageBuffer, ReceiveFrom, Received, Row, SendOnceRight, SendRight, Trust,
    received, sys,
};

/// The right to receive messages of type `M` from a port. There is one for each port, and dropping it destroys the port:
/// queued messages are destroyed with all they carry, and every send right becomes a dead name. As a field of a message
/// the right moves to the receiver together with the queued messages.
///
/// Several threads may receive from one port; each message goes to one of them.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight};
/// use machipc::message::{MachMessage, PLAIN_ID};
///
/// let port = ReceiveRight::<String>::new()?;
/// let right = port.make_send()?;
/// let text = String::from("hello");
/// let mut buffer = MessageBuffer::new();
/// Outgoing::message(&mut buffer, &text)?.copy_send(&right).send(Deadline::never())?;
///
/// let received = port.receive(&mut buffer, Deadline::never())?;
/// assert_eq!(received.decode::<String>()?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReceiveRight<M> {
    cell: RightCell,
    guard: u64,
    message: PhantomData<fn(M) -> M>,
}

impl<M> ReceiveRight<M> {
    /// The most messages that a queue limit allows.
    pub const QUEUE_LIMIT_MAX: u32 = mach::MACH_PORT_QLIMIT_MAX;

    /// Makes a port. Its queue holds Mach's default of 5 messages.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE` when the process has no room for another name.
    pub fn new() -> Result<Self, MachError> {
        sys::allocate(mach::MACH_PORT_RIGHT_RECEIVE).map(Self::own)
    }

    /// Makes a port that stays in this process for its life: a guard, known to this value only, keeps other code in the
    /// process from destroying or moving the right by its name, and the right cannot travel in a message.
    ///
    /// # Errors
    /// `KERN_INVALID_VALUE` if `queue_limit` is above [`QUEUE_LIMIT_MAX`](Self::QUEUE_LIMIT_MAX); else as [`new`](Self::new).
    pub fn pinned(queue_limit: u32) -> Result<Self, MachError> {
        let guard = next_guard();
        let options = mach::mach_port_options_t {
            flags: mach::MPO_QLIMIT
                | mach::MPO_CONTEXT_AS_GUARD
                | mach::MPO_STRICT
                | mach::MPO_IMMOVABLE_RECEIVE,
            mpl: mach::mach_port_limits_t { mpl_qlimit: queue_limit },
            ..Default::default()
        };
        sys::construct(&options, guard).map(|name| Self::guarded(name, guard))
    }

    /// Makes a port that was not made so, such as a service's, stay in this process from now on, as
    /// [`pinned`](Self::pinned) does. A service that launchd declares goes back to launchd all the same.
    ///
    /// # Errors
    /// `KERN_INVALID_NAME` or `KERN_INVALID_RIGHT` once the right has moved away; `KERN_INVALID_ARGUMENT` where something else
    /// has guarded it. The right is as it was then.
    pub fn pin(&mut self) -> Result<(), MachError> {
        if self.guard == 0 {
            let guard = next_guard();
            sys::guard(self.name(), guard, mach::MPG_STRICT | mach::MPG_IMMOVABLE_RECEIVE)?;
            self.guard = guard;
        }
        Ok(())
    }

    /// The right's name in this process; `MACH_PORT_NULL` once it has moved away in a message.
    pub fn name(&self) -> u32 {
        self.cell.get()
    }

    /// Takes over a receive right.
    ///
    /// # Safety
    /// The caller owns the right, which has no guard, gives it up, and the port's senders send messages of type `M`.
    pub const unsafe fn from_raw(name: u32) -> Self {
        Self::own(name)
    }

    /// Gives up the value without destroying the port. The right of a [`pinned`](Self::pinned) port is not guarded any
    /// more afterwards.
    #[must_use = "the port leaks unless it is destroyed"]
    pub fn into_raw(mut self) -> u32 {
        self.unguard();
        self.cell.take()
    }

    /// The same right for messages of another type.
    pub fn cast<N>(mut self) -> ReceiveRight<N> {
        let guard = core::mem::take(&mut self.guard);
        ReceiveRight::guarded(self.cell.take(), guard)
    }

    /// Makes a send right to the port.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE`.
    pub fn make_send(&self) -> Result<SendRight<M>, MachError> {
        sys::insert_right(self.name(), mach::MACH_MSG_TYPE_MAKE_SEND)?;
        Ok(SendRight::new(self.name()))
    }

    /// Makes a send-once right to the port.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE`.
    pub fn make_send_once(&self) -> Result<SendOnceRight<M>, MachError> {
        sys::extract_right(self.name(), mach::MACH_MSG_TYPE_MAKE_SEND_ONCE).map(SendOnceRight::new)
    }

    /// Sets how many messages may wait in the queue before senders wait: 0 to
    /// [`QUEUE_LIMIT_MAX`](Self::QUEUE_LIMIT_MAX). Lowering it loses nothing that is queued (R-121).
    ///
    /// # Errors
    /// `KERN_INVALID_VALUE` above the maximum.
    pub fn set_queue_limit(&self, messages: u32) -> Result<(), MachError> {
        sys::set_queue_limit(self.name(), messages)
    }

    /// How many messages wait in the queue now.
    ///
    /// # Errors
    /// `KERN_INVALID_NAME` or `KERN_INVALID_RIGHT` once the right has moved away.
    pub fn queued(&self) -> Result<u32, MachError> {
        sys::status(self.name()).map(|status| status.mps_msgcount)
    }

    /// How many times a send right to the port was made since it was born or last moved: the `sync` value of
    /// [`notify_no_senders`](Self::notify_no_senders).
    ///
    /// # Errors
    /// As [`queued`](Self::queued).
    pub fn make_send_count(&self) -> Result<u32, MachError> {
        sys::status(self.name()).map(|status| status.mps_mscount)
    }

    /// How many send rights to the port there are: one for each process that holds any, one for each message that carries one, and one for the
    /// port's name, if it has one.
    ///
    /// # Errors
    /// As [`queued`](Self::queued).
    pub fn send_rights(&self) -> Result<u32, MachError> {
        sys::send_rights(self.name())
    }

    /// Whether this process has a send right to the port.
    pub(crate) fn has_send_right(&self) -> bool {
        sys::port_type(self.name()) & mach::MACH_PORT_TYPE_SEND != 0
    }

    /// Asks for a no-senders notification to `notify` when the last send right goes away; an earlier request is replaced
    /// and its right is returned. It comes once.
    ///
    /// With no send right in existence it comes at once if `sync` is at most the make-send count, so `sync` 0 on a fresh
    /// port is immediate and `sync` 1 waits for a first sender to come and go (R-049, R-050).
    ///
    /// # Errors
    /// `KERN_INVALID_RIGHT` or `KERN_INVALID_NAME` once the right has moved away.
    pub fn notify_no_senders<N>(
        &self,
        sync: u32,
        notify: &ReceiveRight<N>,
    ) -> Result<Option<SendOnceRight<()>>, MachError> {
        let disposition = mach::MACH_MSG_TYPE_MAKE_SEND_ONCE;
        sys::request_notification(self.name(), mach::MACH_NOTIFY_NO_SENDERS, sync, notify.name(), disposition)
            .map(SendOnceRight::from_previous)
    }

    /// Withdraws the request for a no-senders notification and returns the right it held, if there was one.
    ///
    /// # Errors
    /// As [`notify_no_senders`](Self::notify_no_senders).
    pub fn cancel_no_senders(&self) -> Result<Option<SendOnceRight<()>>, MachError> {
        let disposition = mach::MACH_MSG_TYPE_MAKE_SEND_ONCE;
        let variant = mach::MACH_NOTIFY_NO_SENDERS;
        sys::request_notification(self.name(), variant, 0, mach::MACH_PORT_NULL, disposition)
            .map(SendOnceRight::from_previous)
    }

    /// Whether the port outlives this right: dropped, it goes back to the service manager that declared its name, with what is in its
    /// queue, and the next one who [checks the name in](super::bootstrap::check_in) gets both (R-194). False also once the right has moved
    /// away.
    pub fn returns_to_system(&self) -> bool {
        sys::status(self.name()).is_ok_and(|status| status.mps_pdrequest != 0)
    }

    /// Takes pools that senders [offer](SendRight::offer_loans), from now on: memory out of them is received in place. They are lent to in return, what
    /// [`OolBuffer::for_answer`](super::OolBuffer::for_answer) makes.
    ///
    /// # Errors
    /// `KERN_INVALID_NAME` or `KERN_INVALID_RIGHT` once the right has moved away.
    pub fn allow_loans(&self, _: Trust) -> Result<(), MachError> {
        // SAFETY: whoever made the value vouches for the senders.
        unsafe { sys::loan_allow(self.name()) }
    }

    /// Waits for a message and owns all that it carries. See [`Received`].
    ///
    /// # Errors
    /// [`is_timed_out`](MachError::is_timed_out) when the deadline passed; [`is_too_large`](MachError::is_too_large) when a
    /// message was larger than the buffer may grow, which destroyed the message;
    /// [`is_receiver_gone`](MachError::is_receiver_gone) when the right moved away or was destroyed.
    pub fn receive<'b>(
        &self,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<Received<'b>, MachError> {
        received::receive(self.name(), buffer, deadline)
    }

    /// [`receive`](Self::receive), with the messages that have come behind it where `several` allows it.
    #[inline]
    pub(crate) fn receive_row<'b>(
        &self,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
        several: bool,
    ) -> Result<Row<'b>, MachError> {
        if several {
            return received::receive_row(self.name(), buffer, deadline);
        }
        received::receive_raw(self.name(), buffer, deadline)?;
        Ok(received::row_of_one(buffer))
    }

    /// Destroys the port, but keeps others from getting its name until the value that is returned is dropped: a dead name is
    /// not given away (R-048). For whoever may still hold a message that came to the port, and knows it by its name. `None` when
    /// the port was gone already, or there was no room to keep the name.
    pub(crate) fn retire(&self) -> Option<SendRight<M>> {
        let keeper = self.make_send().ok();
        destroy(self.cell.take(), self.guard);
        keeper
    }

    /// [`retire`](Self::retire) for a port that somebody else destroys: nothing is done with it through this value any more.
    pub(crate) fn leave(&self) -> Option<SendRight<M>> {
        let keeper = self.make_send().ok();
        let _ = self.cell.take();
        keeper
    }

    pub(super) const fn own(name: u32) -> Self {
        Self::guarded(name, 0)
    }

    const fn guarded(name: u32, guard: u64) -> Self {
        Self { cell: RightCell::new(name), guard, message: PhantomData }
    }

    fn unguard(&mut self) {
        let guard = core::mem::take(&mut self.guard);
        if guard != 0 {
            // It can only fail if someone guessed the guard and took it off, which leaves nothing to do.
            let _ = sys::unguard(self.name(), guard);
        }
    }
}

impl<M> Drop for ReceiveRight<M> {
    fn drop(&mut self) {
        destroy(self.cell.take(), self.guard);
    }
}

/// A guard that no other port of this process has.
fn next_guard() -> u64 {
    static GUARDS: AtomicU64 = AtomicU64::new(0x6d61_6368_0000_0001);
    GUARDS.fetch_add(1, Ordering::Relaxed)
}

/// Destroys a port by its receive right; send rights that the process holds under the name become dead names.
pub(super) fn destroy(name: u32, guard: u64) {
    if name == mach::MACH_PORT_NULL || name == mach::MACH_PORT_DEAD {
        return;
    }
    // Either fails only for a right that this process does not hold, and then there is nothing to destroy.
    let _ = if guard == 0 {
        sys::mod_refs(name, mach::MACH_PORT_RIGHT_RECEIVE, -1)
    } else {
        sys::destruct(name, guard)
    };
}

impl<M> ReceiveFrom for ReceiveRight<M> {
    fn name(&self) -> u32 {
        self.cell.get()
    }
}

impl<M> fmt::Debug for ReceiveRight<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiveRight({:#x})", self.name())
    }
}

impl<M: MachMessage> Encode for ReceiveRight<M> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("ReceiveRight<");
        schema.payload::<M>();
        schema.push(">");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        if self.guard != 0 {
            return Err(EncodeError::new("the receive right is pinned to this process"));
        }
        attach(out, RightKind::Receive, &self.cell)
    }
}

impl<'de, M: MachMessage> Decode<'de> for ReceiveRight<M> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.right(RightKind::Receive).map(Self::own)
    }
}

impl<M: MachMessage> MachMessage for ReceiveRight<M> {
    type View<'a> = Self;
}
