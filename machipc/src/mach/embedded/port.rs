//! A port: its queue, its rights' counts and who waits for it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::link::{Mark, Owner};
use super::members::Members;
use super::message::Message;
use super::wait::WaiterId;
use crate::mach::{MACH_PORT_QLIMIT_BASIC, mach_port_name_t};

/// A port's index in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PortId(pub(super) u32);

/// A port set's index in the kernel's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SetId(pub(super) u32);

/// Where a port's receive right is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In this task's name space, under the port's name.
    Space,
    /// In a message that is addressed to this port.
    Transit(PortId),
    /// In another process, at the far end of a link, under that side's export id.
    Link { link: u32, export: u32 },
    /// With the kernel: a fileport. Messages to it vanish; it lives as long as there are rights to it.
    Kernel,
    /// Nowhere: the port has died. Its slot lives until the last right to it is gone.
    Dead,
}

/// The guard of a receive right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) strict: bool,
    pub(super) immovable: bool,
}

/// What brings a port back that has moved to a process which dies: the port's queue dies with that process, and a port-destroyed request
/// promises that it does not.
pub(super) struct Escrow {
    /// Export id of the request's send-once right on the link.
    pub(super) notify: u32,
    /// Copies of the messages passed on and not yet received there; `None` for one that carries rights or memory, which go down.
    pub(super) messages: VecDeque<Option<Message>>,
}

/// What a right to a declared name's port needs to outlive the name's owner.
pub(super) struct Declared {
    pub(super) name: Vec<u8>,
    /// Copies of the messages sent and not yet received there; `None` for one that carries rights or memory, which go down with an owner.
    pub(super) unreceived: VecDeque<Option<Message>>,
    /// Connections to the name since an owner last answered.
    pub(super) unanswered: u32,
}

/// A sender that waits for room, with its message.
pub(super) struct BlockedSender {
    pub(super) waiter: WaiterId,
    pub(super) message: Message,
}

/// A port.
pub(super) struct Port {
    pub(super) home: Home,
    /// The name under which this task holds a receive right, send rights or both.
    pub(super) name: Option<mach_port_name_t>,
    /// Name spaces that hold send rights, send rights in messages, peers that hold send rights, bootstrap names.
    pub(super) send_rights: u32,
    pub(super) send_once_rights: u32,
    pub(super) make_send_count: u32,
    pub(super) sequence: u32,
    pub(super) context: u64,
    pub(super) guard: Option<Guard>,
    /// Only send-once rights can be made (`MPO_REPLY_PORT`).
    pub(super) reply_port: bool,
    pub(super) queue: VecDeque<Message>,
    pub(super) queue_limit: u32,
    /// Messages in the queue whose senders' rights are no more, and whether somebody has less credit for that.
    pub(super) orphans: u32,
    pub(super) is_short: bool,
    /// Threads blocked in a receive on this port itself.
    pub(super) receivers: VecDeque<WaiterId>,
    pub(super) blocked_senders: VecDeque<BlockedSender>,
    pub(super) sets: Vec<SetId>,
    /// Send-once right of an armed no-senders request.
    pub(super) no_senders: Option<PortId>,
    /// Send-once right of an armed port-destroyed request.
    pub(super) port_destroyed: Option<PortId>,
    /// Names with a dead-name or send-possible request on this port.
    pub(super) requests: Vec<mach_port_name_t>,
    /// Links to which rights to this port were given: link and export id.
    pub(super) exports: Vec<(u32, u32)>,
    /// Messages that may still be sent to a port of the far end before credit comes back.
    pub(super) credits: u32,
    /// Kept for a port that has moved away with a port-destroyed request.
    pub(super) escrow: Option<Escrow>,
    /// Kept for a right to another process's port that a declared name stands for.
    pub(super) declared: Option<Box<Declared>>,
    /// Who sends to it may lend memory.
    pub(super) borrows: bool,
    /// This task has it under a declared name: senders are told of each message that is received.
    pub(super) tells: bool,
    /// What tells the port from all others, once a right to it has crossed a link; processes that own or owned it; who has said, without
    /// proof, whose it is (see `link::identity`).
    pub(super) mark: Option<Mark>,
    pub(super) owners: Vec<Owner>,
    pub(super) told: Option<(Option<u32>, Owner)>,
    /// The file that a fileport stands for.
    pub(super) file: Option<Arc<OwnedFd>>,
    /// Transfers of this right received from the far end and not yet returned.
    pub(super) imported: u32,
    /// The far end's owner is giving the port away: nothing is sent there until it has said where the port goes.
    pub(super) halted: bool,
    /// Send-once rights that were given back meanwhile.
    pub(super) onces_due: u32,
    /// Bytes of messages that wait meanwhile, and count as waiting for the link.
    pub(super) halted_bytes: usize,
    /// The port is coming here: what is sent to it before all of it has come waits, since what is on its way goes first.
    pub(super) arriving: Option<VecDeque<Message>>,
}

impl Port {
    #[inline(always)]
    pub(super) fn new(home: Home) -> Self {
        Self {
            home,
            name: None,
            send_rights: 0,
            send_once_rights: 0,
            make_send_count: 0,
            sequence: 0,
            context: 0,
            guard: None,
            reply_port: false,
            queue: VecDeque::new(),
            queue_limit: MACH_PORT_QLIMIT_BASIC,
            orphans: 0,
            is_short: false,
            receivers: VecDeque::new(),
            blocked_senders: VecDeque::new(),
            sets: Vec::new(),
            no_senders: None,
            port_destroyed: None,
            requests: Vec::new(),
            exports: Vec::new(),
            credits: 0,
            escrow: None,
            declared: None,
            borrows: false,
            tells: false,
            mark: None,
            owners: Vec::new(),
            told: None,
            file: None,
            imported: 0,
            halted: false,
            onces_due: 0,
            halted_bytes: 0,
            arriving: None,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.home == Home::Dead
    }

    /// Whether a message to a send right must wait.
    pub(super) fn is_full(&self) -> bool {
        match self.home {
            Home::Link { .. } => self.halted || self.credits == 0 || !self.queue.is_empty(),
            Home::Kernel | Home::Dead => false,
            Home::Space | Home::Transit(_) => {
                self.queue.len() as u32 >= self.queue_limit || self.arriving.is_some()
            }
        }
    }
}

/// A port set.
#[derive(Default)]
pub(super) struct PortSet {
    pub(super) name: mach_port_name_t,
    pub(super) members: Members,
    /// Threads blocked in a receive on the set.
    pub(super) receivers: VecDeque<WaiterId>,
}
