//! What a Mach call answered, when it was not success.

use core::fmt;

use crate::mach::{self, kern_return_t};

use super::code;

/// A Mach return code that is not success, and the call that gave it.
///
/// It displays the code's name, its value, what it means and, where there is one, the remedy. Compare causes with the
/// predicates, which also see through the bits that some codes carry in addition.
///
/// ```
/// use machipc::port::{Deadline, MessageBuffer, ReceiveRight};
///
/// let port = ReceiveRight::<String>::new()?;
/// let error = port.receive(&mut MessageBuffer::new(), Deadline::now()).unwrap_err();
/// assert!(error.is_timed_out());
/// assert!(error.to_string().contains("MACH_RCV_TIMED_OUT"));
/// # Ok::<(), machipc::port::MachError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MachError {
    code: kern_return_t,
    call: &'static str,
}

impl MachError {
    /// The error that `call` gave by returning `code`.
    pub const fn new(code: kern_return_t, call: &'static str) -> Self {
        Self { code, call }
    }

    /// The return code, as it came.
    pub const fn code(&self) -> kern_return_t {
        self.code
    }

    /// The call that failed, under Mach's name for it.
    pub const fn call(&self) -> &'static str {
        self.call
    }

    /// The name of the code's constant, or `None` for a code that this library does not know.
    pub fn name(&self) -> Option<&'static str> {
        code::describe(self.plain()).map(|(name, _)| name)
    }

    /// Whether a time-out passed: the queue stayed full, or no message came.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.plain(), mach::MACH_SEND_TIMED_OUT | mach::MACH_RCV_TIMED_OUT)
    }

    /// Whether the message could not go because nobody can receive it any more.
    pub fn is_dead_destination(&self) -> bool {
        self.plain() == mach::MACH_SEND_INVALID_DEST
    }

    /// Whether a message was larger than allowed, on its way out or in.
    pub fn is_too_large(&self) -> bool {
        matches!(self.plain(), mach::MACH_SEND_TOO_LARGE | mach::MACH_RCV_TOO_LARGE)
    }

    /// Whether the receive right or port set went away while it was waited on, or was not there to begin with.
    pub fn is_receiver_gone(&self) -> bool {
        matches!(
            self.plain(),
            mach::MACH_RCV_PORT_CHANGED | mach::MACH_RCV_PORT_DIED | mach::MACH_RCV_INVALID_NAME
        )
    }

    /// Whether the message was sent, or only a receive was asked for: the error belongs to the receiving half of a call.
    ///
    /// Where this is false after a combined call, the message did not leave and what it carried is with its owner again.
    pub fn is_receive(&self) -> bool {
        self.code & 0x7fff_c000 == 0x1000_4000
    }

    /// Whether no service has the name that was asked for.
    pub fn is_unknown_service(&self) -> bool {
        self.code == mach::BOOTSTRAP_UNKNOWN_SERVICE
    }

    /// Whether the service name is in use, here or by another process.
    pub fn is_name_taken(&self) -> bool {
        matches!(
            self.code,
            mach::BOOTSTRAP_NAME_IN_USE | mach::BOOTSTRAP_SERVICE_ACTIVE | mach::BOOTSTRAP_NOT_PRIVILEGED
        )
    }

    /// The code without the bits that say which space ran out while the message was given back (R-137).
    pub(crate) fn plain(&self) -> kern_return_t {
        code::plain(self.code)
    }
}

impl fmt::Display for MachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: ", self.call)?;
        match code::describe(self.plain()) {
            Some((name, remedy)) => {
                write!(f, "{name} ({})", Code(self.code))?;
                let words = mach::mach_error_string(self.plain());
                if !words.is_empty() {
                    write!(f, ", {words}")?;
                }
                if !remedy.is_empty() {
                    write!(f, "; {remedy}")?;
                }
                Ok(())
            }
            None => write!(f, "{}, {}", Code(self.code), mach::mach_error_string(self.code)),
        }
    }
}

impl fmt::Debug for MachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MachError({}: {} {})", self.call, self.name().unwrap_or("unknown code"), Code(self.code))
    }
}

impl core::error::Error for MachError {}

/// Small codes are known by their decimal value, the codes of `mach_msg` by their hexadecimal one.
struct Code(kern_return_t);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.unsigned_abs() < 0x1_0000 { write!(f, "{}", self.0) } else { write!(f, "{:#010x}", self.0) }
    }
}
