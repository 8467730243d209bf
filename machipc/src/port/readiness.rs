//! Waiting for messages and for files at once.

use core::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::{MachError, ReceiveFrom, sys};

/// A descriptor that becomes readable when there is something to receive from a port or a port set, for `poll`, `epoll`,
/// `kqueue`, and whatever waits for files with them. Nothing is read from the descriptor itself.
///
/// It becomes readable when a message waits on the port, or on any member of the set, also one that joined later; and
/// when the port dies or moves away or the set is dropped, since a receive then returns an error. It may be readable
/// though there is nothing, and on Darwin it stays so until [`is_ready`](Self::is_ready) is asked. This misses nothing,
/// with level-triggered as well as with edge-triggered polling:
///
/// 1. receive with [`Deadline::now`](super::Deadline::now) until it times out,
/// 2. ask `is_ready`: if it says true, begin again,
/// 3. wait until the descriptor is readable, and begin again.
///
/// It keeps neither the port nor the set alive. Several may watch the same port. A forked child has none of it. On Darwin
/// it is a `kqueue` with `EVFILT_MACHPORT`, on Linux an `eventfd`. There a message that finds a watched port empty costs
/// a system call more, and so does one that leaves it empty; and while any is open, all messages of this process go
/// through their queues, where a waiting thread would have taken them from the sender directly.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, Readiness, ReceiveRight};
///
/// let port = ReceiveRight::<()>::new()?;
/// let readiness = Readiness::new(&port)?;
/// assert!(!readiness.is_ready()?);
///
/// // An unused send-once right leaves a notification.
/// drop(port.make_send_once()?);
/// assert!(readiness.is_ready()?);
/// let mut buffer = MessageBuffer::new();
/// while port.receive(&mut buffer, Deadline::now()).is_ok() {}
/// assert!(!readiness.is_ready()?);
/// # Ok::<(), machipc::port::MachError>(())
/// ```
pub struct Readiness {
    /// Of `readiness_open`, and closed by nothing but `drop`.
    descriptor: RawFd,
    /// The process that opened it: a forked child may have something else under its number.
    process: u32,
}

impl Readiness {
    /// Watches a receive right or a port set.
    ///
    /// # Errors
    /// `KERN_INVALID_NAME` or `KERN_INVALID_RIGHT` once the right has moved away; `KERN_RESOURCE_SHORTAGE` when the
    /// process may open no more files.
    pub fn new(source: &(impl ReceiveFrom + ?Sized)) -> Result<Self, MachError> {
        let descriptor = sys::readiness_open(source.name())?;
        Ok(Self { descriptor, process: std::process::id() })
    }

    /// Whether there is something to receive. After false the descriptor becomes readable when something comes.
    ///
    /// Of several threads that receive each can be told true of one message.
    ///
    /// # Errors
    /// `KERN_INVALID_ARGUMENT` in a forked child.
    pub fn is_ready(&self) -> Result<bool, MachError> {
        // SAFETY: the descriptor is of `readiness_open`.
        unsafe { sys::readiness_check(self.descriptor) }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        if std::process::id() == self.process {
            // SAFETY: of `readiness_open` in this process; whoever borrowed it has given it back.
            unsafe { sys::readiness_close(self.descriptor) };
        }
    }
}

impl AsFd for Readiness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: open until `drop`.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl AsRawFd for Readiness {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readiness({})", self.descriptor)
    }
}
