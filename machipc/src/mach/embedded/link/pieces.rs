//! Large memory through the ring, in pieces. A transfer is announced with its length (`Frame::Pieces`), its bytes follow as frames of their
//! own, and then comes the message that they belong to, an item of which stands for them. Frames of other threads may lie between the
//! pieces, but on a link there is one transfer at a time; a transfer that is not finished is given up by an announcement of nothing.
//!
//! It is the fastest way for memory that the receiver must not share with its sender: the ring stays in the processors' caches while the bytes go through it,
//! and the receiver takes them into memory that earlier messages have used (`memory`), where a memfd has new pages on both sides. 10 MiB took
//! 8.4 ms as a memfd and take 1.0 ms in pieces.
//!
//! A piece begins with 1 to 64 bytes of padding, the first of which tells how many they are, so that its bytes lie in the ring as they will lie in the
//! receiver's memory: copies between places that differ modulo 64 are slow.
//!
//! The sender has taken credit for the message before the first piece. The receiver's memory is the receiver's own and is taken as it is
//! announced, so no more than `OUTSTANDING_MAX` is under way: the receiver tells what has been freed (`Frame::Taken`). What may not go in pieces now
//! goes as a memfd.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::draft::{Descriptor, Draft};
use super::super::kernel::{Doomed, Kernel};
use super::super::memory::Region;
use super::super::message::{Charge, Item, Sender};
use super::super::near::LINE;
use super::super::port::{Home, PortId};
use super::super::space::Object;
use super::frame::{self, HEAD, MESSAGE_HEAD, PIECE};
use super::ring::RoomWatch;
use super::{Breach, Frame, Link, place_of};
use crate::mach::mach_msg_return_t;

/// Memory of fewer bytes goes as it went before.
pub(in super::super) const LEAST: usize = 32 * 1024;
/// Bytes of a piece, at most: a few of them fill the ring, so that both sides are at work.
const PIECE_MAX: usize = 32 * 1024;
/// Bytes that one lock is held for.
const AT_ONCE: usize = 4 * PIECE_MAX;
/// Bytes that are on their way to a peer or have not been received there.
const OUTSTANDING_MAX: usize = 64 * 1024 * 1024;
/// The receiver tells of what has been freed when it is so much.
const TOLD_MIN: usize = OUTSTANDING_MAX / 64;
/// What a message's frame may need besides its bytes, with the frames that tell of a reply port.
const FINAL_ROOM: usize = 512;
/// A message that is itself longer than this goes as it went before.
pub(in super::super) const MESSAGE_MAX: usize = 8 * 1024;

/// A link's transfers.
#[derive(Default)]
pub(super) struct Pieces {
    /// A thread of ours sends in pieces, and may wait for room to go on.
    sending: bool,
    /// Bytes that were sent, or are being sent, and that the peer has not told to be free.
    outstanding: usize,
    coming: Option<Coming>,
    /// Bytes of transfers that lie here, and of whole ones that the peer takes to lie here.
    held: Arc<AtomicUsize>,
    told: usize,
}

impl Pieces {
    /// Whether a thread may wait for room.
    pub(super) fn is_sending(&self) -> bool {
        self.sending
    }
}

/// A transfer that the peer has begun.
struct Coming {
    /// None: this process had no memory for it. What comes is thrown away, and its message arrives incomplete.
    region: Option<Region>,
    len: usize,
    filled: usize,
    charge: Charge,
}

/// What came in pieces and goes with a message.
pub(super) struct Came {
    pub(super) region: Option<Region>,
    pub(super) charge: Charge,
}

/// Where a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Way {
    port: PortId,
    link: u32,
    export: u32,
    /// It goes to a send-once right, which needs no credit.
    once: bool,
    len: usize,
}

impl Way {
    pub(in super::super) fn port(self) -> PortId {
        self.port
    }
}

/// The bytes to be sent: what is left of them.
pub(in super::super) struct Source<'a> {
    parts: &'a [&'a [u8]],
    at: usize,
    /// How many bytes were sent.
    sent: usize,
}

impl<'a> Source<'a> {
    pub(in super::super) fn new(parts: &'a [&'a [u8]]) -> Self {
        let mut source = Self { parts, at: 0, sent: 0 };
        source.settle();
        source
    }

    /// The next bytes, at most a piece.
    fn next(&self) -> Option<&'a [u8]> {
        let rest = &self.parts.first()?[self.at..];
        Some(&rest[..rest.len().min(PIECE_MAX)])
    }

    fn advance(&mut self, count: usize) {
        self.at += count;
        self.sent += count;
        self.settle();
    }

    /// Goes past parts that are used up.
    fn settle(&mut self) {
        while let Some((first, rest)) = self.parts.split_first()
            && self.at == first.len()
        {
            (self.parts, self.at) = (rest, 0);
        }
    }
}

/// How a transfer goes on.
pub(in super::super) enum Progress {
    /// More can be written at once.
    More,
    /// Everything has been written, or the message has been sent.
    Done,
    /// There is no room now. It may be watched for, unless something else has to go first.
    Full(Option<RoomWatch>),
    /// The way is another now. The transfer has been given up.
    Lost,
}

impl Kernel {
    /// Begins a transfer to a port by the name of a send right, or with `once` a send-once right, if that can be done now.
    pub(in super::super) fn begin_pieces(&mut self, name: u32, once: bool, len: usize) -> Option<Way> {
        let entry = self.space.get(name)?;
        let id = match entry.object {
            Object::Port { port, send: true, .. } if !once => port,
            Object::SendOnce(port) if once && entry.request.is_none() => port,
            _ => return None,
        };
        let port = self.ports.get_mut(id.0)?;
        let Home::Link { link: link_id, export } = port.home else { return None };
        let blocked = port.is_full()
            || !port.blocked_senders.is_empty()
            || port.escrow.is_some()
            || port.declared.is_some();
        if port.halted || (blocked && !once) {
            return None;
        }
        let link = self.links.get_mut(link_id)?;
        let announced = HEAD + 8;
        if !link.can_take(announced) || link.pieces.sending || link.pieces.outstanding + len > OUTSTANDING_MAX
        {
            return None;
        }
        if !once {
            port.credits -= 1;
        }
        link.pieces.sending = true;
        link.pieces.outstanding += len;
        self.post(link_id, Frame::Pieces { len: len as u32 });
        Some(Way { port: id, link: link_id, export, once, len })
    }

    /// Writes what there is room for.
    pub(in super::super) fn write_pieces(&mut self, way: Way, source: &mut Source<'_>) -> Progress {
        let Some(link) = self.still_open(way) else { return self.give_up(way) };
        let mut written = 0;
        loop {
            let Some(piece) = source.next() else { return Progress::Done };
            if written >= AT_ONCE {
                return Progress::More;
            }
            let needed = place_of(HEAD + LINE + piece.len()) as u32;
            match link.full_for(needed) {
                Ok(None) => {}
                Ok(Some(full)) => return full,
                Err(Breach) => {
                    self.doomed.push(Doomed::Link(way.link));
                    return self.give_up(way);
                }
            }
            let after_head = link.tx.position().wrapping_add(HEAD as u32 + 1);
            let padding = 1 + (source.sent as u32).wrapping_sub(after_head) as usize % LINE;
            let mut head = [0; HEAD + LINE];
            head[..HEAD].copy_from_slice(&frame::head(padding + piece.len(), PIECE, 0));
            head[HEAD] = padding as u8;
            link.tx.write(&head[..HEAD + padding]);
            link.tx.write(piece);
            link.tx.end_frame();
            if link.tx.publish() {
                link.ring_bell();
            }
            written += piece.len();
            source.advance(piece.len());
        }
    }

    /// Sends the message whose memory has been sent in pieces. `None` in `draft`: it has been used up.
    pub(in super::super) fn finish_pieces(
        &mut self,
        way: Way,
        draft: &mut Option<Draft>,
        sender: Sender,
    ) -> Result<Progress, mach_msg_return_t> {
        let Some(link) = self.still_open(way) else { return Ok(self.give_up(way)) };
        let needed = HEAD + MESSAGE_HEAD + FINAL_ROOM + draft.as_ref().map_or(0, |draft| draft.bytes.len());
        match link.full_for(place_of(needed) as u32) {
            Ok(None) => {}
            Ok(Some(full)) => return Ok(full),
            Err(Breach) => {
                self.doomed.push(Doomed::Link(way.link));
                return Ok(self.give_up(way));
            }
        }
        let Some(draft) = draft.take() else { return Ok(Progress::Done) };
        let memory = draft.descriptors.iter().find_map(|descriptor| match *descriptor {
            Descriptor::Memory { kind, copy, .. } => Some((kind, copy)),
            _ => None,
        });
        let mut message = match self.copy_in(draft, sender) {
            Ok(message) => message,
            Err(code) => {
                self.give_up(way);
                return Err(code);
            }
        };
        if let (Some((kind, copy)), [item]) = (memory, &mut message.items[..]) {
            *item = Item::Pieces { len: way.len as u32, kind, copy };
        }
        if let Some(link) = self.links.get_mut(way.link) {
            link.pieces.sending = false;
        }
        self.transmit(way.link, way.export, message);
        Ok(Progress::Done)
    }

    /// Whether a transfer that has met a full ring has something to do: there is room for a piece, or the way is another now.
    pub(in super::super) fn can_go_on(&mut self, way: Way) -> bool {
        let waits = self
            .still_open(way)
            .is_some_and(|link| link.has_room(place_of(HEAD + LINE + PIECE_MAX) as u32) == Ok(false));
        if waits {
            self.watch_for_room();
        }
        !waits
    }

    /// Gives a transfer up: the receiver throws away what has come.
    pub(in super::super) fn give_up(&mut self, way: Way) -> Progress {
        let same = self.ports.get_mut(way.port.0);
        let home = Home::Link { link: way.link, export: way.export };
        if let Some(port) = same.filter(|port| port.home == home && !way.once) {
            port.credits += 1;
        }
        if let Some(link) = self.links.get_mut(way.link) {
            link.pieces.sending = false;
            link.pieces.outstanding = link.pieces.outstanding.saturating_sub(way.len);
            self.post(way.link, Frame::Pieces { len: 0 });
        }
        Progress::Lost
    }

    /// The link of a transfer, if it still leads where it did when the transfer began, and what is to be said can be said there.
    fn still_open(&mut self, way: Way) -> Option<&mut Link> {
        let port = self.ports.get_mut(way.port.0)?;
        let home = Home::Link { link: way.link, export: way.export };
        if port.home != home || port.halted {
            return None;
        }
        let link = self.links.get_mut(way.link)?;
        (!link.broken && !link.held && link.pieces.sending).then_some(link)
    }

    /// A peer begins a transfer, or with no bytes gives one up.
    pub(super) fn apply_pieces(&mut self, id: u32, len: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let begun = link.pieces.coming.take().is_some();
        if len == 0 {
            return Ok(());
        }
        let len = len as usize;
        if begun || len > OUTSTANDING_MAX {
            return Err(Breach);
        }
        let charge = Charge::take(&link.pieces.held, len, OUTSTANDING_MAX).ok_or(Breach)?;
        link.pieces.coming = Some(Coming { region: Region::reused(len).ok(), len, filled: 0, charge });
        Ok(())
    }

    /// A piece that did not come whole at once.
    pub(super) fn apply_piece(&mut self, id: u32, bytes: &[u8]) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let padding = padding_of(*bytes.first().ok_or(Breach)?, bytes.len())?;
        let bytes = &bytes[padding..];
        if let Some(place) = link.pieces.place(bytes.len())? {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// The peer has freed memory of transfers.
    pub(super) fn apply_taken(&mut self, id: u32, bytes: u32) -> Result<(), Breach> {
        let pieces = &mut self.links.get_mut(id).ok_or(Breach)?.pieces;
        pieces.outstanding = pieces.outstanding.saturating_sub(bytes as usize);
        Ok(())
    }

    /// Tells a peer how much of what came from it in pieces has been freed, if that is worth a frame.
    pub(super) fn tell_taken(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id) else { return };
        let coming = link.pieces.coming.as_ref().map_or(0, |coming| coming.len);
        let held = link.pieces.held.load(Ordering::Relaxed);
        let freed = (link.pieces.told + coming).saturating_sub(held);
        if freed >= TOLD_MIN || (freed > 0 && held == 0) {
            link.pieces.told -= freed;
            self.post(id, Frame::Taken { bytes: freed as u32 });
        }
    }
}

impl Pieces {
    /// Where the next so many bytes of the transfer go; `None` where they are thrown away.
    fn place(&mut self, len: usize) -> Result<Option<&mut [u8]>, Breach> {
        let coming = self.coming.as_mut().ok_or(Breach)?;
        let from = coming.filled;
        if len > coming.len - from {
            return Err(Breach);
        }
        coming.filled += len;
        Ok(coming.region.as_mut().map(|region| &mut region.as_mut_slice()[from..from + len]))
    }

    /// Takes the transfer for the message that comes behind it, as which it has to be whole and of this length.
    pub(super) fn take(&mut self, len: usize) -> Result<Came, Breach> {
        let coming = self.coming.take().ok_or(Breach)?;
        if coming.len != len || coming.filled != len {
            return Err(Breach);
        }
        self.told += len;
        Ok(Came { region: coming.region, charge: coming.charge })
    }
}

impl Link {
    /// What there is to wait for before so many bytes can be written; `None`: nothing.
    fn full_for(&mut self, wanted: u32) -> Result<Option<Progress>, Breach> {
        if !self.is_free() {
            return Ok(Some(Progress::Full(None)));
        }
        let full = self.tx.room(wanted)? < wanted;
        Ok(full.then(|| Progress::Full(Some(self.tx.watch_room(wanted)))))
    }

    /// Whether so many bytes can be written now, and nothing else waits to be. If not, the peer rings when it has made room.
    fn has_room(&mut self, wanted: u32) -> Result<bool, Breach> {
        if !self.is_free() {
            return Ok(false);
        }
        // The bell is asked for before the second look, so that none is missed.
        Ok(self.tx.room(wanted)? >= wanted || (self.tx.starve()? && self.tx.room(wanted)? >= wanted))
    }

    /// Takes the next frame, if it is a piece and all of it is there, straight into the memory that it is for.
    pub(super) fn take_piece(&mut self) -> Result<bool, Breach> {
        if self.pieces.coming.is_none() || self.partial.is_some() || !self.rx.holds(2 * HEAD as u32)? {
            return Ok(false);
        }
        let [head, first] = self.rx.peek_words();
        let (len, kind, fds) = frame::parse_head(head.to_le_bytes());
        if kind != PIECE
            || fds != 0
            || len > LINE + PIECE_MAX
            || !self.rx.holds(place_of(HEAD + len) as u32)?
        {
            return Ok(false);
        }
        let padding = padding_of(first as u8, len)?;
        self.rx.skip((HEAD + padding) as u32);
        let len = len - padding;
        match self.pieces.place(len)? {
            Some(place) => self.rx.read(place),
            None => self.rx.skip(len as u32),
        }
        self.rx.end_frame();
        if self.rx.advance_rarely() {
            self.ring_bell();
        }
        Ok(true)
    }
}

/// How many bytes of a piece's `len` are padding, as the first of them tells.
fn padding_of(first: u8, len: usize) -> Result<usize, Breach> {
    let padding = usize::from(first);
    if (1..=LINE.min(len)).contains(&padding) { Ok(padding) } else { Err(Breach) }
}
