//! A message inside the embedded kernel: its rights are the kernel's, its bytes a private copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::memory::Region;
use super::port::PortId;
use crate::mach::{audit_token_t, mach_msg_id_t, mach_msg_size_t, security_token_t};

/// A right that no name space holds: in a message, or on its way between a name and a message.
///
/// It counts in its port's right counts. It has no destructor, since releasing it needs the kernel: every path ends in a name
/// space or in `Kernel::release`.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Right {
    Send(PortId),
    SendOnce(PortId),
    Receive(PortId),
}

impl Right {
    pub(super) fn port(&self) -> PortId {
        match *self {
            Right::Send(port) | Right::SendOnce(port) | Right::Receive(port) => port,
        }
    }

    /// The disposition under which a receiver gets it.
    pub(super) fn disposition(&self) -> u8 {
        match self {
            Right::Receive(_) => 16,
            Right::Send(_) => 17,
            Right::SendOnce(_) => 18,
        }
    }
}

/// What a port field of a message carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    Null,
    Dead,
    Right(Right),
}

/// A descriptor of a message.
#[derive(Debug)]
pub(super) enum Item {
    Port {
        carried: Carried,
        disposition: u8,
    },
    Guarded {
        carried: Carried,
        flags: u16,
    },
    /// Memory; the empty region is `None`.
    Memory {
        region: Option<Region>,
        kind: u8,
        copy: u8,
    },
    /// Memory of so many bytes that have gone ahead over the link that the message goes over (see `link::pieces`).
    Pieces {
        len: u32,
        kind: u8,
        copy: u8,
    },
    Ports {
        carried: Vec<Carried>,
        disposition: u8,
    },
}

/// Who sent a message, as its trailer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) security: security_token_t,
    pub(super) audit: audit_token_t,
}

impl Sender {
    /// The kernel itself: what notifications carry (mach-semantics §1, trailers).
    pub(super) const KERNEL: Self =
        Self { security: security_token_t { val: [0, 1] }, audit: audit_token_t { val: [0; 8] } };
}

/// A message in a queue or on its way to one.
#[derive(Debug)]
pub(super) struct Message {
    /// The right that it was addressed to.
    pub(super) destination: Right,
    pub(super) reply: Carried,
    /// The disposition in which the reply right arrives, 0 for none.
    pub(super) reply_disposition: u8,
    /// Opaque: vouchers do not exist here.
    pub(super) voucher: u32,
    pub(super) id: mach_msg_id_t,
    pub(super) complex: bool,
    pub(super) items: Vec<Item>,
    /// Everything behind the header: body, descriptors (as the sender wrote them) and inline data.
    pub(super) bytes: Vec<u8>,
    pub(super) sender: Sender,
    /// What it takes of its port's queue, to be returned when it is taken.
    pub(super) credit: Option<Credit>,
    /// Something that it carried found no room in this process: the receiver is told (`MACH_RCV_BODY_ERROR`).
    pub(super) incomplete: bool,
    /// What the message takes of what its sender may have here; given back with the message.
    pub(super) _charge: Option<Charge>,
}

/// Whose share of a queue a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credit {
    /// That of a link's peer, by an export.
    Of { link: u32, export: u32 },
    /// That of a peer which has given the right back since, or has gone: it counts for the port (see `link::credit`).
    Orphaned,
}

/// Bytes that a peer's message holds in this process, out of what all of that peer's may hold.
#[derive(Debug)]
pub(super) struct Charge {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Charge {
    /// Takes `bytes` more, as long as no more than `limit` are held then.
    pub(super) fn take(held: &Arc<AtomicUsize>, bytes: usize, limit: usize) -> Option<Self> {
        let charge = Self { held: held.clone(), bytes };
        let before = held.fetch_add(bytes, Ordering::Relaxed);
        (before + bytes <= limit).then_some(charge)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Message {
    /// A message of the kernel's own, to be sent with a send-once right.
    pub(super) fn notification(to: PortId, id: mach_msg_id_t, bytes: Vec<u8>) -> Self {
        Self {
            destination: Right::SendOnce(to),
            reply: Carried::Null,
            reply_disposition: 0,
            voucher: 0,
            id,
            complex: false,
            items: Vec::new(),
            bytes,
            sender: Sender::KERNEL,
            credit: None,
            incomplete: false,
            _charge: None,
        }
    }

    /// A copy of a message to a send right that carries nothing but bytes. Its destination does not count in the port.
    pub(super) fn plain_copy(&self) -> Option<Self> {
        let Right::Send(port) = self.destination else { return None };
        if !self.items.is_empty() || self.reply != Carried::Null {
            return None;
        }
        Some(Self {
            destination: Right::Send(port),
            reply: Carried::Null,
            items: Vec::new(),
            bytes: self.bytes.clone(),
            credit: None,
            _charge: None,
            ..*self
        })
    }

    /// The ports whose receive rights the message carries.
    pub(super) fn receive_rights(&self) -> impl DoubleEndedIterator<Item = PortId> + '_ {
        let carried = self.items.iter().flat_map(|item| match item {
            Item::Port { carried, .. } | Item::Guarded { carried, .. } => core::slice::from_ref(carried),
            Item::Ports { carried, .. } => carried,
            Item::Memory { .. } | Item::Pieces { .. } => &[],
        });
        carried.filter_map(|carried| match *carried {
            Carried::Right(Right::Receive(port)) => Some(port),
            _ => None,
        })
    }

    /// Bytes of out-of-line memory.
    pub(super) fn memory(&self) -> usize {
        let region = |item: &Item| match item {
            Item::Memory { region: Some(region), .. } => region.len(),
            _ => 0,
        };
        self.items.iter().map(region).sum()
    }

    /// `msgh_size`: header and bytes.
    pub(super) fn size(&self) -> mach_msg_size_t {
        24 + self.bytes.len() as u32
    }
}
