//! What the kernel itself tells about rights.

use super::ReceiveRight;

/// What the kernel tells about a right, in a message that [`Received::notification`](super::Received::notification) has
/// found authentic: any process can send messages with the same ids.
///
/// It is the kernel's word, but who asked for it may be another process that has a send-once right to this port, and then it speaks of that
/// process's names. So take it for a reason to look at the right in question.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notification {
    /// A name with a dead-name request was released while the port lives.
    PortDeleted {
        /// The name, which denotes nothing now or something else.
        name: u32,
    },
    /// A queue that was full has room again.
    SendPossible {
        /// The name of the send right.
        name: u32,
    },
    /// A receive right whose owner had asked for it was dropped elsewhere, and here it is, with its queue.
    PortDestroyed(ReceiveRight<()>),
    /// The last send right to a port went away.
    NoSenders {
        /// The port's make-send count then. If the port's count is higher now, senders have come since.
        make_send_count: u32,
    },
    /// A send-once right to the port that received this was destroyed unused.
    SendOnce,
    /// A port died.
    DeadName {
        /// The name that the right to it had and, while anybody holds it, still has. The reference that a dead-name
        /// notification adds to it is released with the message, if [`notify_dead_name`](super::SendRight::notify_dead_name) or another
        /// method of this module's has asked for it.
        name: u32,
    },
}
