//! Several ports to receive from at once.

use core::fmt;

use crate::mach;

use super::{Deadline, MachError, MessageBuffer, ReceiveFrom, ReceiveRight, Received, received, sys};

/// Several ports to receive from at once. A port may be in several sets and can still be received from directly; taking a
/// port out, moving it away or destroying it does not disturb who waits on the set. Dropping the set leaves its members as
/// they are.
///
/// Messages of all members that have any are taken in turn, and [`Received::port`] tells whose a message is.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, PortSet, ReceiveRight};
///
/// let (a, b) = (ReceiveRight::<String>::new()?, ReceiveRight::<u32>::new()?);
/// let set = PortSet::new()?;
/// set.insert(&a)?;
/// set.insert(&b)?;
/// drop(b.make_send_once()?);
/// let mut buffer = MessageBuffer::new();
/// assert_eq!(set.receive(&mut buffer, Deadline::now())?.port(), b.name());
/// # Ok::<(), machipc::port::MachError>(())
/// ```
pub struct PortSet {
    name: u32,
}

impl PortSet {
    /// Makes a set without members.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE` when the process has no room for another name.
    pub fn new() -> Result<Self, MachError> {
        sys::allocate(mach::MACH_PORT_RIGHT_PORT_SET).map(|name| Self { name })
    }

    /// The set's name in this process.
    pub fn name(&self) -> u32 {
        self.name
    }

    /// Takes over a port set.
    ///
    /// # Safety
    /// The caller owns the set and gives it up.
    pub const unsafe fn from_raw(name: u32) -> Self {
        Self { name }
    }

    /// Gives up the value without destroying the set.
    #[must_use = "the set leaks unless it is destroyed"]
    pub fn into_raw(mut self) -> u32 {
        core::mem::take(&mut self.name)
    }

    /// Adds a port.
    ///
    /// # Errors
    /// `KERN_ALREADY_IN_SET` if it is a member (R-163).
    pub fn insert<M>(&self, port: &ReceiveRight<M>) -> Result<(), MachError> {
        sys::insert_member(port.name(), self.name)
    }

    /// Takes a port out.
    ///
    /// # Errors
    /// `KERN_NOT_IN_SET` if it is not a member (R-165).
    pub fn remove<M>(&self, port: &ReceiveRight<M>) -> Result<(), MachError> {
        sys::extract_member(port.name(), self.name)
    }

    /// Waits for a message to any member. A set without members just waits.
    ///
    /// # Errors
    /// As [`ReceiveRight::receive`].
    pub fn receive<'b>(
        &self,
        buffer: &'b mut MessageBuffer,
        deadline: Deadline,
    ) -> Result<Received<'b>, MachError> {
        received::receive(self.name, buffer, deadline)
    }
}

impl Drop for PortSet {
    fn drop(&mut self) {
        if self.name != mach::MACH_PORT_NULL {
            // It fails only if the set is gone already.
            let _ = sys::mod_refs(self.name, mach::MACH_PORT_RIGHT_PORT_SET, -1);
        }
    }
}

impl ReceiveFrom for PortSet {
    fn name(&self) -> u32 {
        self.name
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortSet({:#x})", self.name)
    }
}
