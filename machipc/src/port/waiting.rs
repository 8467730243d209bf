//! How threads wait.

use core::fmt;

use crate::mach;

/// How the threads of this process wait for messages, and for room to send.
///
/// It is for all threads of the process, from their next wait on. It matters on Linux, where the embedded Mach waits; on Apple systems the
/// kernel does, and every value means [`Adaptive`](Self::Adaptive).
///
/// ```
/// use machipc::port::Waiting;
///
/// Waiting::Sleep.set();
/// assert_eq!(Waiting::current(), Waiting::Sleep);
/// Waiting::Adaptive.set(); // the default
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A thread watches for what it waits for before it sleeps: about as long as a wake-up from another processor takes, which is measured (10 to 100 µs), and much
    /// less where that has not paid lately. To a peer on its own processor it gives way once instead, as long as no others have
    /// the processor then.
    #[default]
    Adaptive,
    /// Threads sleep at once. A message that finds its receiver asleep costs three system calls and a wake-up, and a waiting thread no
    /// processor time.
    Sleep,
    /// Threads never sleep while they may watch: the lowest delay, at the price of one whole processor for a process that waits. Of several
    /// waiting threads one watches and the others sleep. Deadlines hold; signals end no wait.
    Poll,
}

impl Waiting {
    /// Sets how this process waits.
    pub fn set(self) {
        mach::set_waiting(match self {
            Self::Adaptive => mach::WAIT_ADAPTIVELY,
            Self::Sleep => mach::WAIT_ASLEEP,
            Self::Poll => mach::WAIT_POLLING,
        });
    }

    /// How this process waits.
    pub fn current() -> Self {
        match mach::waiting() {
            mach::WAIT_ASLEEP => Self::Sleep,
            mach::WAIT_POLLING => Self::Poll,
            _ => Self::Adaptive,
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adaptive => "adaptive",
            Self::Sleep => "sleep",
            Self::Poll => "poll",
        })
    }
}
