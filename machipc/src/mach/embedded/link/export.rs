//! Rights that were given to a peer, and whether it may use them.

use super::super::port::PortId;

/// What the peer holds of ours.
pub(in super::super) enum Export {
    Send {
        port: PortId,
        /// Transfers that the peer has not given back.
        given: u32,
        /// Messages that the peer may still send.
        granted: u32,
        /// Messages of the peer's in the queue.
        queued: u32,
        /// Messages taken from the queue, for which credit has not been returned yet.
        owed: u32,
        /// Send-once rights that the peer holds, as the former owner of a moved port.
        once: u32,
        /// Messages of a moved port's queue that have yet to come.
        moving: u32,
        halt: Halt,
    },
    Once {
        port: PortId,
        halt: Halt,
    },
}

impl Export {
    pub(super) fn port(&self) -> PortId {
        match *self {
            Export::Send { port, .. } | Export::Once { port, .. } => port,
        }
    }

    pub(super) fn halt(&mut self) -> &mut Halt {
        match self {
            Export::Send { halt, .. } | Export::Once { halt, .. } => halt,
        }
    }
}

/// Whether the peer may use a right that it holds; not while the port moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Halt {
    No,
    /// The peer was told to stop, by a frame of this number.
    Asked(u32),
    Halted,
    /// The peer was told who has the port now, and is to give the right back.
    Redirected,
    /// There was no descriptor to tell it with: the peer goes on sending through this process.
    Stays,
}
