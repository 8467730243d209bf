//! Mach ports as Rust values: rights that are owned, messages that are built and parsed whole, memory out of line.
//!
//! A right is a value. [`SendRight`], [`SendOnceRight`] and [`ReceiveRight`] own what they name: dropped, they release
//! exactly that; cloned, a send right adds a reference; as fields of a message they move to the receiver, and come back
//! when the send fails. The type that they carry says which messages the port's receiver expects.
//!
//! [`Outgoing`] builds a message and sends it. [`Received`] is a message that came, and owns all that came with it:
//! whatever the receiver does not expect is destroyed, down to the last name and page. [`Readiness`] is for those who
//! wait for messages and for files at once.
//!
//! ```
//! use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight};
//!
//! let port = ReceiveRight::<(u32, String)>::new()?;
//! let right = port.make_send()?;
//! let message = (7, String::from("seven"));
//! Outgoing::message(&mut MessageBuffer::new(), &message)?.copy_send(&right).send(Deadline::never())?;
//!
//! let mut buffer = MessageBuffer::new();
//! let received = port.receive(&mut buffer, Deadline::never())?;
//! assert_eq!(received.sender().pid(), std::process::id());
//! assert_eq!(received.decode::<(u32, String)>()?, message);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bootstrap;
pub(crate) mod clock;
pub mod inheritance;

mod buffer;
mod code;
mod deadline;
mod deaths;
mod descriptor;
mod error;
mod notification;
mod ool;
mod outgoing;
mod parcel;
mod plain;
mod port_set;
mod readiness;
mod receive_right;
mod received;
mod reply_right;
mod restore;
mod right_array;
mod row;
mod send_once_right;
mod send_right;
mod sender;
mod sys;
#[cfg(test)]
mod traps;
mod trust;
mod waiting;

pub use buffer::MessageBuffer;
pub use deadline::Deadline;
pub use error::MachError;
pub use notification::Notification;
pub use ool::OolBuffer;
pub use outgoing::Outgoing;
pub(crate) use outgoing::{Held, Unposted};
pub use parcel::Parcel;
pub use port_set::PortSet;
pub use readiness::Readiness;
pub use receive_right::ReceiveRight;
pub use received::Received;
pub use reply_right::ReplyRight;
pub use right_array::{Right, RightArray};
pub(crate) use row::{OutgoingRow, Row, Staged};
pub use send_once_right::SendOnceRight;
pub use send_right::SendRight;
pub use sender::Sender;
pub use trust::Trust;
pub use waiting::Waiting;

/// What messages can be received from: a [`ReceiveRight`] or a [`PortSet`].
pub trait ReceiveFrom: sealed::Sealed {
    /// Its name in this process.
    fn name(&self) -> u32;
}

mod sealed {
    pub trait Sealed {}
    impl<M> Sealed for super::ReceiveRight<M> {}
    impl Sealed for super::PortSet {}
}

/// How many times this thread called `mach_msg` so far.
#[cfg(any(test, feature = "trap-counter"))]
#[doc(hidden)]
pub fn message_calls() -> u64 {
    sys::MESSAGE_CALLS.get()
}

/// How many other calls this thread made so far that are traps on Darwin.
#[cfg(test)]
pub(crate) fn other_calls() -> u64 {
    sys::OTHER_CALLS.get()
}
