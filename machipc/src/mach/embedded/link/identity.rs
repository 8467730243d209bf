//! Which rights are rights to the same port.
//!
//! A right may come by several ways: from its port's owner over their link, from others by introduction. So that it comes under the name
//! that it has already, a port has a *mark*, a random number that is told along with rights to it. Everybody who has had a right knows the
//! mark, so it proves nothing by itself: a peer could hand out a right to its own port under another's mark, and what is sent to that other
//! port by rights that come later would go to the peer.
//!
//! So a right is told with the mark *and the process that owns the port*, and joins a right that is here only if that one leads to this
//! process as the system knows it, or led there before that process itself said who has the port now. Whoever lies about an owner then only
//! makes its own gift be taken for a right that is here already.

use super::super::kernel::Kernel;
use super::super::port::{Home, PortId};
use super::handshake::Nonce;
use super::{Link, Links};

/// What tells a port from every other on the machine.
pub(in super::super) type Mark = [u8; 16];

/// A process: its id, which the system vouches for, and its name for itself.
pub(in super::super) type Owner = (u32, Nonce);

/// A mark and the owner, as bytes.
pub(in super::super) type Identity = [u8; 36];

/// Stands for no identity: a port without one joins with nothing.
pub(in super::super) const NO_IDENTITY: Identity = [0; 36];

/// Processes that are remembered as a port's former owners.
const OWNERS_MAX: usize = 8;

fn join(mark: Mark, (pid, nonce): Owner) -> Identity {
    let mut identity = NO_IDENTITY;
    identity[..16].copy_from_slice(&mark);
    identity[16..20].copy_from_slice(&pid.to_le_bytes());
    identity[20..].copy_from_slice(&nonce);
    identity
}

pub(super) fn split(identity: &Identity) -> Option<(Mark, Owner)> {
    let (mark, rest) = identity.split_first_chunk::<16>()?;
    let (pid, nonce) = rest.split_first_chunk::<4>()?;
    let owner = (u32::from_le_bytes(*pid), nonce.try_into().ok()?);
    (*mark != [0; 16]).then_some((*mark, owner))
}

impl Link {
    fn owner(&self) -> Option<Owner> {
        (!self.unidentified).then_some((self.peer.audit.val[5], self.nonce))
    }
}

impl Links {
    /// The process at the other end of a link. A peer that was introduced may have said who it is only now.
    fn peer_of(&mut self, id: u32) -> Option<Owner> {
        let link = self.get_mut(id)?;
        if link.unidentified {
            // A hang-up that is read here shows again when the socket is polled; a bell does not, so the link is watched.
            let _ = link.read_socket();
            self.activate(id);
        }
        self.get_mut(id)?.owner()
    }
}

impl Kernel {
    /// The mark of a port; made now where it has none. Without randomness it goes without.
    fn mark_of(&mut self, id: PortId) -> Option<Mark> {
        let port = self.port_mut(id);
        if port.mark.is_none() && !port.is_dead() {
            let mut mark = [0; 16];
            if rustix::rand::getrandom(&mut mark[..], rustix::rand::GetRandomFlags::empty()) == Ok(16) {
                port.mark = Some(mark);
                self.links.marks.entry(mark).or_default().push(id);
            }
        }
        self.port(id).mark
    }

    /// The process that has a port, as far as it is known here.
    fn owner_of(&mut self, id: PortId) -> Option<Owner> {
        match self.port(id).home {
            Home::Space | Home::Transit(_) => Some(self.links.own),
            Home::Link { link, .. } => {
                let peer = self.links.peer_of(link);
                let state = self.port(id);
                peer.or(state.owners.last().copied()).or(state.told.map(|(_, owner)| owner))
            }
            Home::Kernel | Home::Dead => None,
        }
    }

    /// What is told along with a right to a port.
    pub(in super::super) fn identity_of(&mut self, id: PortId) -> Identity {
        match (self.mark_of(id), self.owner_of(id)) {
            (Some(mark), Some(owner)) => join(mark, owner),
            _ => NO_IDENTITY,
        }
    }

    /// The port here that a right is to which comes with this identity. `by` is the link of whoever says so.
    pub(super) fn known(&mut self, identity: &Identity, by: Option<u32>) -> Option<PortId> {
        let (mark, owner) = split(identity)?;
        let ports = self.links.marks.get(&mark)?.clone();
        ports.into_iter().find(|&port| {
            // Two gifts of the same peer are alike whether or not it lies.
            let alike = by.is_some() && self.port(port).told == Some((by, owner));
            let alike = alike || self.port(port).owners.contains(&owner);
            !self.port(port).is_dead()
                && (alike || self.owner_of(port) == Some(owner) && self.is_vouched(port))
        })
    }

    /// Whether it is the system that says whose a port is.
    fn is_vouched(&mut self, id: PortId) -> bool {
        match self.port(id).home {
            Home::Link { link, .. } => self.links.peer_of(link).is_some(),
            _ => true,
        }
    }

    /// Notes what was told about a port that has just come to be known here.
    pub(super) fn identify_port(&mut self, id: PortId, identity: &Identity, by: Option<u32>) {
        let Some((mark, owner)) = split(identity) else { return };
        let vouched = self.is_vouched(id) && self.owner_of(id) == Some(owner);
        let others = self.links.marks.get(&mark).cloned().unwrap_or_default();
        // One unproven claim a peer and mark: more would only be looked through.
        let claimed = |&other: &PortId| self.port(other).told.is_some_and(|(teller, _)| teller == by);
        if !vouched && others.iter().any(claimed) {
            return;
        }
        self.links.marks.entry(mark).or_default().push(id);
        let port = self.port_mut(id);
        port.mark = Some(mark);
        if vouched {
            port.owners.push(owner);
        } else {
            port.told = Some((by, owner));
        }
    }

    /// A port that has moved here keeps its mark, unless a port that is here has it.
    pub(super) fn keep_mark(&mut self, id: PortId, identity: &Identity, mover: Option<Owner>) {
        let Some((mark, _)) = split(identity) else { return };
        let taken = self.links.marks.get(&mark).cloned().unwrap_or_default();
        let here = |&other: &PortId| !matches!(self.port(other).home, Home::Link { .. });
        if self.port(id).mark.is_none() && !taken.iter().any(here) {
            self.port_mut(id).mark = Some(mark);
            self.links.marks.entry(mark).or_default().push(id);
        }
        if let Some(mover) = mover {
            self.note_owner(id, mover);
        }
    }

    /// A port's owner has said who has it now.
    pub(super) fn note_next_owner(&mut self, id: PortId, identity: &Identity) {
        if let Some((mark, owner)) = split(identity)
            && self.port(id).mark == Some(mark)
        {
            self.note_owner(id, owner);
        }
    }

    fn note_owner(&mut self, id: PortId, owner: Owner) {
        let owners = &mut self.port_mut(id).owners;
        owners.retain(|&known| known != owner);
        if owners.len() >= OWNERS_MAX {
            owners.remove(0);
        }
        owners.push(owner);
    }

    /// The port that is this one's, by the word of a peer that moves it here: rights to it that lead to that peer, and no others.
    pub(super) fn moved_by(&mut self, identity: &Identity, link: u32) -> Option<PortId> {
        let (mark, _) = split(identity)?;
        let mover = self.links.peer_of(link)?;
        let ports = self.links.marks.get(&mark)?.clone();
        ports.into_iter().find(|&port| match self.port(port).home {
            Home::Link { link, .. } => {
                self.links.peer_of(link).or(self.port(port).owners.last().copied()) == Some(mover)
            }
            _ => false,
        })
    }

    /// The process that speaks on a link.
    pub(super) fn speaker(&mut self, link: u32) -> Option<Owner> {
        self.links.peer_of(link)
    }

    /// The port's mark stands for it no longer.
    pub(in super::super) fn forget_mark(&mut self, id: PortId) {
        let port = self.port_mut(id);
        port.owners.clear();
        port.told = None;
        if let Some(mark) = port.mark.take()
            && let Some(ports) = self.links.marks.get_mut(&mark)
        {
            ports.retain(|&port| port != id);
            if ports.is_empty() {
                self.links.marks.remove(&mark);
            }
        }
    }
}
