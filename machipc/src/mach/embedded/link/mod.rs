//! Links to other processes: what each side has given the other, and what is on its way.
//!
//! A link is two rings for everything that is ordered, and a socket for descriptors, bells and death. The peer can name nothing but
//! what it was given (`exports`); anything else is a breach that ends the link, and only the link.

mod apply;
mod credit;
mod declared;
mod ending;
mod export;
mod frame;
mod handover;
pub(super) mod handshake;
mod identity;
mod imports;
mod introductions;
mod lending;
mod mapping;
mod moves;
mod pause;
pub(super) mod pieces;
pub(super) mod plain;
mod pressure;
mod reading;
mod ring;
#[cfg(all(test, loom))]
mod ring_model;
pub(super) mod rows;
pub(super) mod simple;
mod socket;
mod table;
mod transmit;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

pub(super) use export::{Export, Halt};
pub(super) use frame::Frame;
pub(super) use identity::{Identity, Mark, NO_IDENTITY, Owner};
pub(super) use ring::{CAPACITY, Consumer, PARKED, Producer, RoomWatch, Watch, create_within, place_of};
pub(super) use table::Links;
pub(super) use transmit::introduction_pair;

use super::hash::Keyed;
use super::kernel::{Doomed, Kernel};
use super::loans::{Lender, Pool};
use super::message::{Right, Sender};
use super::port::PortId;
use super::slab::Slab;
use frame::{ASSIGNED, HEAD};
use handshake::{Nonce, Welcome};
use pause::{PATIENCE, Pause};
use pieces::Pieces;
use table::SCANNED;

/// The most frames that are taken from one link before the others have their turn.
const FRAMES_AT_ONCE: usize = 256;
/// The most rights that one peer may hold of ours, and we of its.
const RIGHTS_MAX: usize = 1 << 17;
/// The most descriptors of a peer that wait for their frame.
const FDS_WAITING_MAX: usize = 1024;
/// The most packets that are read from one socket at a time: more than it holds, so that a peer that keeps sending does not keep us reading.
const PACKETS_AT_ONCE: usize = 1024;
/// Bytes and descriptors that wait for a peer to make room. Beyond them senders are refused, and at twice as many the link ends: what
/// else has to be said cannot wait for a peer that does not read.
const WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;
const WAITING_FDS_MAX: usize = 256;
/// Bytes that the messages of one peer may hold here until they are received; beyond them the link ends. Each item counts a page, which it may
/// take; a descriptor counts more, since there are few descriptors and few mappings.
const HELD_MAX: usize = 1024 * 1024 * 1024;
const ITEM_COST: usize = 4096;
const FD_COST: usize = 64 * 1024;

/// A peer broke the protocol, or the link is gone: the link ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Breach;

impl From<ring::Corrupt> for Breach {
    fn from(_: ring::Corrupt) -> Self {
        Breach
    }
}

/// What is left of a right that was given back.
#[derive(Clone, Copy, Debug, Default)]
struct Parted {
    credits: u32,
    halted: bool,
}

/// A port on its way here.
struct Incoming {
    port: PortId,
    /// Whoever speaks on these gets a right to it once it is here: a send right and so many send-once rights, or one send-once right.
    introduced: Vec<(OwnedFd, Introduced)>,
}

/// A frame that did not fit into the ring yet, with the rest of its place.
struct Waiting {
    bytes: Vec<u8>,
    at: usize,
    fds: Vec<OwnedFd>,
}

/// A frame of which a part has arrived, with the rest of its place. Whatever there is of it has been taken out of the ring, so that a peer that
/// stops in the middle leaves nothing there which would look like input for ever.
struct Partial {
    head: [u8; HEAD],
    /// How much of the head has come.
    headed: usize,
    body: Vec<u8>,
}

/// A whole frame: kind, body, descriptors.
type Arrived = (u8, Vec<u8>, Vec<Option<OwnedFd>>);

/// One end of a link.
pub(super) struct Link {
    socket: OwnedFd,
    tx: Producer,
    rx: Consumer,
    /// Who is at the other end, as this machine's kernel says.
    pub(super) peer: Sender,
    /// The peer's name for itself; meaningful only together with its process id.
    pub(super) nonce: Nonce,
    exports: Slab<Export>,
    /// Exports under ids that the peer chose: ports that it has moved here.
    assigned: HashMap<u32, Export>,
    /// Of these, the ones whose receive right has yet to come.
    moved: HashMap<u32, Incoming>,
    /// The last id chosen for a port that was moved to the peer.
    last_assigned: u32,
    export_of: HashMap<PortId, u32>,
    imports: HashMap<u32, PortId, Keyed>,
    /// Send-once rights to the peer's ports.
    onces: HashMap<u32, PortId, Keyed>,
    /// Send-once rights that the peer kept to ports that it moved here, in all.
    moved_once: u32,
    /// The credit of rights that were given back, until the owner says that the id is gone: it may have sent the right once more
    /// before it saw that, and then takes the credit for granted.
    parted: HashMap<u32, Parted>,
    /// How often an export was given by a welcome beside the link, as long as the peer has not said that it came.
    pub(super) welcomed: HashMap<u32, u32>,
    /// How many times the peer was told to stop sending by some right.
    halts: u32,
    /// The peer has not answered for too long: nobody waits for it until it does.
    late: bool,
    /// Identities of ports whose rights are about to come: by export id, and of third-party rights in order.
    identities: HashMap<u32, Identity>,
    thirds: VecDeque<Identity>,
    waiting: VecDeque<Waiting>,
    pieces: Pieces,
    /// The pool from which this side lends to the peer, and the one from which the peer does.
    lends: Option<Lender>,
    borrows: Option<Arc<Pool>>,
    /// Where frames end whose descriptors went through the socket, as positions in the ring: what the reader has passed it has taken.
    fds_sent: VecDeque<u32>,
    /// Ports whose senders wait for room in the ring.
    stalled: Vec<PortId>,
    /// Frames that went to `waiting`, and of those the ones that have left it.
    queued: u64,
    flushed: u64,
    partial: Option<Partial>,
    /// Its next frame, which is `partial`, waits for what another link is about to tell.
    pause: Option<Pause>,
    /// How much longer other links wait for what this one has to tell.
    patience: Duration,
    /// Memory for the next row that does not go straight to its receiver: a row is larger than the messages for which buffers are recycled.
    row: Vec<u8>,
    /// Descriptors that came ahead of their frames; `None` for one that this process had no room for.
    fds: VecDeque<Option<OwnedFd>>,
    /// Watched by whoever polls; otherwise a bell announces input.
    active: bool,
    /// One-way messages that waited for their receiver, one after the other.
    streak: u32,
    /// So many frames that are not whole are not waited for, and so many were when that last came to be.
    unawaited: u32,
    forfeit: u32,
    /// The peer has yet to say who it is: it was introduced by a third process.
    unidentified: bool,
    /// What the peer said then, until that has been heeded.
    answer: Option<Welcome>,
    /// Frames wait until the peer has been told who this is.
    held: bool,
    /// Bytes and descriptors in `waiting`.
    waiting_bytes: usize,
    waiting_fds: usize,
    /// Bytes that the peer's messages hold here.
    held_here: Arc<AtomicUsize>,
    /// The peer broke the protocol: nothing is read from it any more.
    broken: bool,
    /// The link came to be by an introduction. It ends when neither side has anything of the other's.
    passing: bool,
    /// The peer was told that this side has nothing of it.
    said_bye: bool,
}

impl Link {
    /// What watches this link without the lock.
    fn watch(&self) -> Watch {
        self.rx.watch()
    }

    fn export(&mut self, id: u32) -> Option<&mut Export> {
        if id & ASSIGNED == 0 { self.exports.get_mut(id) } else { self.assigned.get_mut(&id) }
    }

    fn remove_export(&mut self, id: u32) {
        self.welcomed.remove(&id);
        if id & ASSIGNED == 0 {
            self.exports.remove(id);
        } else {
            self.assigned.remove(&id);
        }
    }

    fn ring_bell(&self) {
        // A full socket buffer holds bells already.
        let _ = socket::send(&self.socket, b"B", &[]);
    }

    /// Sends a frame, or keeps it until there is room. The order of frames is the order of calls.
    fn send(&mut self, head: &[u8], tail: &[u8], fds: Vec<OwnedFd>) -> Result<(), Breach> {
        let place = place_of(head.len() + tail.len());
        if self.broken {
            return Err(Breach);
        }
        if self.waiting.is_empty()
            && !self.held
            && self.tx.room(place as u32)? >= place as u32
            && self.send_fds(&fds)?
        {
            self.tx.write(head);
            self.tx.write(tail);
            self.tx.end_frame();
            if !fds.is_empty() {
                self.fds_sent.push_back(self.tx.position());
            }
            if self.tx.publish() {
                self.ring_bell();
            }
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(place);
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(tail);
        bytes.resize(place, 0);
        self.waiting_bytes += bytes.len();
        self.waiting_fds += fds.len();
        if self.waiting_bytes > 2 * WAITING_BYTES_MAX || self.waiting_fds > 2 * WAITING_FDS_MAX {
            // The peer does not read, and what cannot be refused grows without end.
            return Err(Breach);
        }
        self.waiting.push_back(Waiting { bytes, at: 0, fds });
        self.queued += 1;
        self.flush()
    }

    /// Moves what waits into the ring, as far as there is room.
    fn flush(&mut self) -> Result<(), Breach> {
        let mut written = false;
        if self.held {
            return Ok(());
        }
        while let Some(mut front) = self.waiting.pop_front() {
            if front.at == 0 && !front.fds.is_empty() {
                if !self.send_fds(&front.fds)? {
                    self.waiting.push_front(front);
                    break;
                }
                self.waiting_fds -= front.fds.len();
                front.fds.clear();
                self.fds_sent.push_back(self.tx.position().wrapping_add(front.bytes.len() as u32));
            }
            let rest = &front.bytes[front.at..];
            let mut room = self.tx.room(rest.len() as u32)? as usize;
            if room == 0 && self.tx.starve()? {
                room = self.tx.room(rest.len() as u32)? as usize;
            }
            let count = rest.len().min(room);
            self.tx.write(&rest[..count]);
            written |= count > 0;
            front.at += count;
            if front.at < front.bytes.len() {
                // Ask for a bell before looking for room once more, so that none is missed.
                let more = count > 0 && self.tx.starve()?;
                self.waiting.push_front(front);
                if !more {
                    break;
                }
            } else {
                self.waiting_bytes -= front.bytes.len();
                self.flushed += 1;
            }
        }
        if written && self.tx.publish() {
            self.ring_bell();
        }
        Ok(())
    }

    /// Sends descriptors ahead of their frame. Returns false when the socket has no room for them now.
    fn send_fds(&self, fds: &[OwnedFd]) -> Result<bool, Breach> {
        // Packets are all or nothing: only a first packet may be refused without loss, so more than one packet's worth never leaves
        // in one frame (see `transmit`).
        if fds.is_empty() {
            return Ok(true);
        }
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| fd.as_fd()).collect();
        match socket::send(&self.socket, &[b'F', borrowed.len() as u8], &borrowed) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::NOBUFS | rustix::io::Errno::TOOMANYREFS) => {
                Ok(false)
            }
            // The peer has gone, and this with it. The poll tells so, and takes what the peer had sent before the link ends.
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Ok(true),
            Err(_) => Err(Breach),
        }
    }
}

/// A connection on which the peer has yet to say what it wants.
pub(super) struct Handshake {
    pub(super) socket: OwnedFd,
    /// What a peer gets that a third process introduced; whoever connected by itself asks for a name.
    pub(super) introduced: Option<Introduced>,
    pub(super) since: Instant,
    /// Process id of whoever made the connection.
    pub(super) peer: u32,
}

/// What whoever was introduced gets.
pub(super) struct Introduced {
    pub(super) right: Right,
    /// Send-once rights that a former owner of the port has.
    pub(super) onces: u32,
}

/// Who made the link's memory.
pub(super) enum Memory {
    /// This side did.
    Ours(Ends),
    /// The peer did and sent it.
    Theirs(OwnedFd),
}

/// This side's ends of the memory that it made.
pub(super) struct Ends(Producer, Consumer);

/// New memory for a link: what the peer gets, and this side's ends.
pub(super) fn create_memory() -> rustix::io::Result<(OwnedFd, Ends)> {
    let (fd, producer, consumer) = ring::create()?;
    Ok((fd, Ends(producer, consumer)))
}

impl Kernel {
    /// Adds a link. `None`: there are too many, or the peer's memory is not what it must be.
    pub(super) fn add_link(
        &mut self,
        socket: OwnedFd,
        memory: Memory,
        peer: Option<(Sender, Nonce)>,
    ) -> Option<u32> {
        let unidentified = peer.is_none();
        let (peer, nonce) = peer.unwrap_or((Sender::KERNEL, [0; 16]));
        let (tx, rx) = match memory {
            Memory::Ours(Ends(tx, rx)) => (tx, rx),
            Memory::Theirs(fd) => ring::open(&fd).ok()?,
        };
        self.links.insert(Link {
            socket,
            tx,
            rx,
            peer,
            nonce,
            exports: Slab::new(),
            assigned: HashMap::new(),
            moved: HashMap::new(),
            last_assigned: 0,
            export_of: HashMap::new(),
            imports: HashMap::default(),
            onces: HashMap::default(),
            moved_once: 0,
            parted: HashMap::new(),
            welcomed: HashMap::new(),
            halts: 0,
            late: false,
            identities: HashMap::new(),
            thirds: VecDeque::new(),
            waiting: VecDeque::new(),
            pieces: Pieces::default(),
            lends: None,
            borrows: None,
            fds_sent: VecDeque::new(),
            stalled: Vec::new(),
            queued: 0,
            flushed: 0,
            partial: None,
            pause: None,
            patience: PATIENCE,
            row: Vec::new(),
            fds: VecDeque::new(),
            active: true,
            streak: 0,
            unawaited: 0,
            forfeit: 0,
            unidentified,
            answer: None,
            held: false,
            waiting_bytes: 0,
            waiting_fds: 0,
            held_here: Arc::default(),
            broken: false,
            passing: false,
            said_bye: false,
        })
    }

    /// The link's socket.
    pub(super) fn link_socket(&mut self, id: u32) -> Option<BorrowedFd<'_>> {
        self.links.get_mut(id).map(|link| link.socket.as_fd())
    }

    /// Keeps back what is sent to a new peer until it knows who this is.
    pub(super) fn hold_link(&mut self, id: u32) {
        if let Some(link) = self.links.get_mut(id) {
            link.held = true;
        }
    }

    /// Ends `hold_link`.
    pub(super) fn unhold_link(&mut self, id: u32) {
        if let Some(link) = self.links.get_mut(id) {
            link.held = false;
            if link.flush().is_err() {
                self.doomed.push(Doomed::Link(id));
            }
        }
    }

    /// Sends a frame without a message.
    pub(super) fn post(&mut self, id: u32, frame: Frame) {
        self.post_with(id, frame, Vec::new());
    }

    fn post_with(&mut self, id: u32, frame: Frame, fds: Vec<OwnedFd>) {
        let Some(link) = self.links.get_mut(id) else { return };
        let (bytes, len) = frame.encode();
        if link.send(&bytes[..len], &[], fds).is_err() {
            self.doomed.push(Doomed::Link(id));
        }
    }

    /// Takes what has arrived on every watched link. Returns whether there was anything.
    pub(super) fn drain_links(&mut self) -> bool {
        let mut any = false;
        // Few links are all looked at: one that is silent until a bell may have input whose bell nobody has heard yet.
        if self.links.len() <= SCANNED {
            for index in 0..self.links.slots.len() {
                if let Some(id) = self.links.id_at(index) {
                    any |= self.drain_link(id);
                }
            }
            return any;
        }
        for index in 0..self.links.watched.len() {
            // A link that ends meanwhile leaves the list only when the doomed are buried.
            if let Some(&id) = self.links.watched.get(index) {
                any |= self.drain_link(id);
            }
        }
        any
    }

    /// Tries again what the rings or the sockets could not take.
    pub(super) fn flush_links(&mut self) {
        for index in 0..self.links.slots.len() {
            let Some(id) = self.links.id_at(index) else { continue };
            self.flush_link(id);
            if self.links.is_paused(id) {
                self.drain_link(id);
            }
        }
        self.redirect_the_rest();
        self.hear_listeners();
    }

    fn drain_link(&mut self, id: u32) -> bool {
        let Some(link) = self.links.get_mut(id).filter(|link| !link.broken) else { return false };
        let start = link.rx.position();
        for _ in 0..FRAMES_AT_ONCE {
            if !self.apply_next(id) {
                break;
            }
        }
        let Some(link) = self.links.get_mut(id) else { return true };
        let any = link.rx.position() != start || link.broken;
        if any {
            self.links.keep_watched(id);
        }
        let Some(link) = self.links.get_mut(id).filter(|link| !link.broken) else { return any };
        if link.rx.owes() && link.rx.advance() {
            link.ring_bell();
        }
        let sending = link.pieces.is_sending();
        if !link.is_free() {
            self.flush_link(id);
        }
        if sending {
            self.wake_awaiting();
        }
        self.tell_taken(id);
        any
    }

    /// Tries again what a link could not take.
    fn flush_link(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id) else { return };
        let flushed = link.flushed;
        if !link.waiting.is_empty() && link.flush().is_err() {
            self.doomed.push(Doomed::Link(id));
        } else if link.flushed != flushed {
            self.wake_awaiting();
        }
        self.serve_stalled(id);
    }

    /// Does what a link's next frame says. Returns false where there is none, or the link has ended.
    fn apply_next(&mut self, id: u32) -> bool {
        let Some(link) = self.links.get_mut(id).filter(|link| !link.broken) else { return false };
        let known = !link.unidentified || link.identify();
        self.heed_answer(id);
        let Some(link) = self.links.get_mut(id).filter(|link| !link.broken) else { return false };
        if known {
            match link.take_piece() {
                Ok(true) => return true,
                Ok(false) => {}
                Err(breach) => {
                    self.end_broken(id, breach);
                    return false;
                }
            }
        }
        let next = if known { link.next_frame() } else { Err(Breach) };
        let applied = match next {
            Ok(None) => return false,
            Ok(Some((kind, mut body, fds))) => {
                if self.pause(id, kind, &mut body) {
                    return false;
                }
                self.apply(id, kind, body, fds)
            }
            Err(breach) => Err(breach),
        };
        let sound = applied.is_ok();
        if let Err(breach) = applied {
            self.end_broken(id, breach);
        }
        self.part_from(id);
        sound
    }

    /// Ends a link whose peer broke a rule: nothing is read from it any more.
    fn end_broken(&mut self, id: u32, _: Breach) {
        if let Some(link) = self.links.get_mut(id) {
            link.broken = true;
        }
        self.doomed.push(Doomed::Link(id));
    }

    /// The socket of a link has something: bells, descriptors, or the peer's end.
    pub(super) fn link_event(&mut self, id: u32) {
        self.links.activate(id);
        let Some(link) = self.links.get_mut(id) else { return };
        let read = link.hear_bell();
        self.heed_answer(id);
        if read == Ok(true) {
            self.drain_link(id);
            return;
        }
        let mut links = self.links.links_to_peer_of(id);
        links.push(id);
        links.iter().for_each(|&link| self.drain_last(link));
        if read == Ok(false) && links.iter().any(|&link| self.links.is_paused(link)) {
            // Not all that the peer sent has been taken. The socket goes on to tell that it has gone.
            return;
        }
        self.doomed.push(Doomed::Link(id));
    }

    /// Takes what the peer sent before it went. What it goes on to write into the memory does not count: a ring's worth at most.
    fn drain_last(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id) else { return };
        let start = link.rx.position();
        while self.drain_link(id) {
            let Some(link) = self.links.get_mut(id) else { return };
            if link.broken || link.rx.position().wrapping_sub(start) >= ring::CAPACITY {
                break;
            }
        }
    }
}
