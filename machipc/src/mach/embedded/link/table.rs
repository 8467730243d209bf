//! All links of a task: under their ids, and by who is at the other end.

use std::collections::HashMap;

use std::time::Instant;

use super::super::barrier;
use super::super::hash::Keyed;
use super::super::is_same_process;
use super::super::message::Sender;
use super::super::poll::Poller;
use super::super::port::PortId;
use super::super::slab::Slab;
use super::super::wait::WaiterId;
use super::handshake::{self, Nonce};
use super::ring::Watch;
use super::{Handshake, Link, Mark, Owner, Parted};
use crate::mach::audit_token_t;

/// Up to this many links are all looked at; of more only those that are watched.
pub(super) const SCANNED: usize = 16;
/// Ids of links: a generation above, an index below.
const INDEX_BITS: u32 = 16;

/// All links of the task.
pub(in super::super) struct Links {
    /// What polls the links' sockets; made with the first link.
    pub(in super::super) poller: Option<&'static Poller>,
    /// This task's name for itself.
    pub(in super::super) nonce: Nonce,
    pub(in super::super) handshakes: Slab<Handshake>,
    /// Processes that lend to this one, and by which link.
    pub(super) lenders: HashMap<u64, u32, Keyed>,
    /// Ports by their marks: ours that were given away, and others' that we hold rights to. More than one where somebody lies.
    pub(super) marks: HashMap<Mark, Vec<PortId>>,
    /// This process, as others know it.
    pub(super) own: Owner,
    pub(super) slots: Vec<(u32, Option<Box<Link>>)>,
    pub(super) free: Vec<u32>,
    /// Links to be polled, or no longer: whoever polls looks here when it changes.
    pub(in super::super) changed: bool,
    /// Links that are watched, and not silent until a bell.
    pub(super) watched: Vec<u32>,
    /// Links are watched that were not before: whoever sleeps in the poll does not know of them.
    pub(in super::super) added: bool,
    /// Which link is looked at first by a receiver on the short way, and how many messages such have taken.
    pub(super) turn: usize,
    pub(super) taken: u32,
    /// How many messages count for the gap before the next look.
    pub(in super::super) gaps: u32,
    /// Listeners at which somebody waits for whom there is no room, and since when: they are not polled for a moment.
    pub(in super::super) deaf: Vec<(u32, Instant)>,
    /// Threads that wait for a link to move on.
    pub(super) awaiting: Vec<WaiterId>,
    /// Ports whose holders have yet to be told where it is: there was no room for descriptors.
    pub(super) unredirected: Vec<PortId>,
}

impl Links {
    pub(in super::super) fn new() -> Self {
        let (poller, handshakes) = (None, Slab::new());
        let nonce = handshake::own_nonce();
        Self {
            poller,
            nonce,
            handshakes,
            lenders: HashMap::default(),
            marks: HashMap::new(),
            own: (rustix::process::getpid().as_raw_nonzero().get() as u32, nonce),
            slots: Vec::new(),
            free: Vec::new(),
            changed: false,
            watched: Vec::new(),
            added: false,
            turn: 0,
            taken: 0,
            gaps: 0,
            deaf: Vec::new(),
            awaiting: Vec::new(),
            unredirected: Vec::new(),
        }
    }

    fn get(&self, id: u32) -> Option<&Link> {
        let (generation, link) = self.slots.get((id & ((1 << INDEX_BITS) - 1)) as usize)?;
        link.as_deref().filter(|_| *generation == id >> INDEX_BITS)
    }

    pub(in super::super) fn get_mut(&mut self, id: u32) -> Option<&mut Link> {
        let (generation, link) = self.slots.get_mut((id & ((1 << INDEX_BITS) - 1)) as usize)?;
        if *generation != id >> INDEX_BITS {
            return None;
        }
        link.as_deref_mut()
    }

    pub(super) fn insert(&mut self, link: Link) -> Option<u32> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < 1 << INDEX_BITS => {
                self.slots.push((0, None));
                (self.slots.len() - 1) as u32
            }
            None => return None,
        };
        let (generation, slot) = &mut self.slots[index as usize];
        *generation = (*generation + 1) & ((1 << (32 - INDEX_BITS)) - 1);
        *slot = Some(Box::new(link));
        let id = *generation << INDEX_BITS | index;
        self.watched.push(id);
        (self.changed, self.added) = (true, true);
        Some(id)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Box<Link>> {
        self.get_mut(id)?;
        let index = id & ((1 << INDEX_BITS) - 1);
        let link = self.slots[index as usize].1.take();
        self.lenders.retain(|_, lender| *lender != id);
        self.free.push(index);
        self.watched.retain(|&watched| watched != id);
        self.changed = true;
        link
    }

    /// How many links there are.
    pub(in super::super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether some links are not looked at without a bell.
    pub(in super::super) fn has_unscanned(&self) -> bool {
        self.len() > SCANNED
    }

    pub(super) fn id_at(&self, index: usize) -> Option<u32> {
        let (generation, link) = self.slots.get(index)?;
        link.as_ref().map(|_| generation << INDEX_BITS | index as u32)
    }

    /// Ids of all links.
    pub(in super::super) fn ids(&self) -> Vec<u32> {
        let ids = self.slots.iter().enumerate();
        ids.filter_map(|(index, (generation, link))| {
            link.as_ref().map(|_| generation << INDEX_BITS | index as u32)
        })
        .collect()
    }

    /// Tells whoever polls which links it is to watch.
    pub(in super::super) fn renew_watches(&self, poller: &Poller, others: impl Iterator<Item = Watch>) {
        let links = self.watched.iter().filter_map(|&id| self.get(id));
        poller.set_watches(links.map(Link::watch).chain(others));
    }

    /// The link to the process that calls itself `nonce` and that this machine's kernel knows as `peer`.
    pub(in super::super) fn find(&self, nonce: &Nonce, peer: &Sender) -> Option<u32> {
        let pid = |sender: &Sender| sender.audit.val[5];
        self.ids().into_iter().find(|&id| {
            let link = self.slots[(id & ((1 << INDEX_BITS) - 1)) as usize].1.as_deref();
            link.is_some_and(|link| link.nonce == *nonce && pid(&link.peer) == pid(peer))
        })
    }

    /// What both sides of a link call it; 0 is none.
    pub(in super::super) fn number(&mut self, id: u32) -> u64 {
        self.get_mut(id).map_or(0, |link| link.tx.memory_number())
    }

    /// The link that a peer calls by that number. A peer that was introduced may have said who it is only now.
    pub(in super::super) fn find_number(&mut self, number: u64, peer: &Sender) -> Option<u32> {
        let id = self.ids().into_iter().find(|&id| self.number(id) == number)?;
        let link = self.get_mut(id)?;
        if link.unidentified {
            // A hang-up that is read here shows again when the socket is polled; a bell does not, so the link is watched.
            let _ = link.read_socket();
            self.activate(id);
        }
        let link = self.get_mut(id)?;
        (!link.unidentified && link.peer.audit.val[5] == peer.audit.val[5]).then_some(id)
    }

    /// Whether some link leads to the process of this token.
    pub(in super::super) fn reach(&self, process: &audit_token_t) -> bool {
        let links = self.slots.iter().filter_map(|(_, link)| link.as_deref());
        links.filter(|link| !link.unidentified).any(|link| is_same_process(&link.peer.audit, process))
    }

    /// Whether two links lead to the same process.
    pub(super) fn is_same_peer(&self, one: u32, other: u32) -> bool {
        let peer = |id: u32| {
            let link = self.get(id)?;
            (!link.unidentified).then_some((link.nonce, link.peer.audit.val[5]))
        };
        one == other || (peer(one).is_some() && peer(one) == peer(other))
    }

    /// Other links to this link's peer. There is more than one where the two connected at the same time, or were introduced; a death that
    /// is seen on one comes after all messages on the others.
    pub(super) fn links_to_peer_of(&mut self, id: u32) -> Vec<u32> {
        let Some(link) = self.get_mut(id).filter(|link| !link.unidentified) else { return Vec::new() };
        let (nonce, pid) = (link.nonce, link.peer.audit.val[5]);
        let same = |link: &Link| link.nonce == nonce && link.peer.audit.val[5] == pid;
        let mut ids = self.ids();
        ids.retain(|&other| other != id && self.get_mut(other).is_some_and(|link| same(link)));
        ids
    }

    /// A send right of the peer's is given back. Its credit stays until the peer says that the id is gone.
    pub(in super::super) fn forget_import(&mut self, link: u32, export: u32, credits: u32, halted: bool) {
        if let Some(link) = self.get_mut(link) {
            link.imports.remove(&export);
            link.parted.insert(export, Parted { credits, halted });
        }
    }

    /// A send-once right to a port of the peer's has been used or given back.
    pub(in super::super) fn forget_once(&mut self, link: u32, export: u32, port: PortId) {
        if let Some(link) = self.get_mut(link)
            && link.onces.get(&export) == Some(&port)
        {
            link.onces.remove(&export);
        }
    }

    /// Whether frames wait for room that no bell may announce.
    pub(in super::super) fn is_stuck(&self) -> bool {
        self.slots
            .iter()
            .filter_map(|(_, link)| link.as_ref())
            .any(|link| !link.waiting.is_empty() || !link.stalled.is_empty() || link.pause.is_some())
            || !self.unredirected.is_empty()
            || !self.deaf.is_empty()
    }

    /// Makes a link's input visible by its bell again. Returns false when there is some already.
    pub(in super::super) fn arm_all(&mut self) -> bool {
        self.withdraw_promises();
        let mut watched = core::mem::take(&mut self.watched);
        self.changed |= !watched.is_empty();
        watched.retain(|&id| match self.get_mut(id) {
            Some(link) if link.rx.arm() => {
                link.active = false;
                false
            }
            link => link.is_some(),
        });
        self.watched = watched;
        self.watched.is_empty()
    }

    /// Has the writers of all links that are watched wake who sleeps on their words, which `words` holds then. Returns false when there is input
    /// already. The links stay watched, and are to be [unparked](Self::unpark_all): only a leader that sleeps hears of these words.
    pub(in super::super) fn park_all(&mut self, words: &mut Vec<Watch>) -> bool {
        self.withdraw_promises();
        words.clear();
        for index in 0..self.watched.len() {
            let Some(&id) = self.watched.get(index) else { break };
            let Some(link) = self.get_mut(id) else { continue };
            // A receiver that found each message when it looked has not been on the way that gives the ring back.
            if link.rx.owes() && link.rx.advance() {
                link.ring_bell();
            }
            if !link.rx.park() {
                self.unpark_all();
                return false;
            }
            words.push(link.watch());
        }
        true
    }

    /// Takes back `park_all`.
    pub(in super::super) fn unpark_all(&mut self) {
        for index in 0..self.watched.len() {
            if let Some(&id) = self.watched.get(index)
                && let Some(link) = self.get_mut(id)
            {
                link.rx.disarm();
            }
        }
    }

    fn withdraw_promises(&mut self) {
        let mut promised = false;
        for index in 0..self.watched.len() {
            let Some(&id) = self.watched.get(index) else { break };
            promised |= self.get_mut(id).is_some_and(|link| link.rx.withdraw());
        }
        if promised {
            // Under the lock: it takes up to 50 µs, once after a thousand messages or more, and who sleeps has nothing to do.
            barrier::everywhere();
        }
    }

    /// Watches a link of which a frame was taken: the bell for it may have been read along with its descriptors, and with it what would have had the
    /// link watched.
    pub(super) fn keep_watched(&mut self, id: u32) {
        if !self.is_paused(id) {
            self.activate(id);
        }
    }

    /// Watches a link from now on.
    pub(super) fn activate(&mut self, id: u32) {
        let Some(link) = self.get_mut(id) else { return };
        if !core::mem::replace(&mut link.active, true) {
            link.rx.disarm();
            self.watched.push(id);
            (self.changed, self.added) = (true, true);
        }
    }
}
