//! The short way of a *simple message*, over a link that can take it at once: one that carries nothing but bytes, with or without a
//! send-once right made for its answer, to a send right; or such an answer. The same with one loan besides (see `lending`) goes this way, too.
//!
//! Whatever is not simple, or not possible right now, takes the general way (`copyin`, `transmit`; `apply`, `queue`, `copyout`), which is the
//! one that says what a message means. The short way has the same effects and frames; it only leaves out what a simple message does not
//! need: private copies of its bytes, a `Message`, an entry among those that wait. A 64-byte message took 0.30 µs of each side's processor
//! before and 0.16 µs with it.

use zerocopy::IntoBytes;

use super::super::copyout::{trailer_size, write_trailer};
use super::super::kernel::Kernel;
use super::super::memory;
use super::super::message::Right;
use super::super::poll::Poller;
use super::super::port::{Home, PortId};
use super::super::room::Room;
use super::super::space::Object;
use super::super::spin;
use super::frame::{ASSIGNED, PLAIN, PLAIN_TO_ONCE, TO_ONCE, TO_SEND, WireRight};
use super::lending::{Given, ITEM_WORDS, Lent};
use super::plain::{
    FRAME_HEAD, FRAME_WORDS, Head, LENT_HEAD, LentHead, frame_head, item_size, parse_head, parse_lent_head,
};
use super::ring::{LOOKS_MAX, Producer};
use super::table::SCANNED;
use super::{Breach, Export, FRAMES_AT_ONCE, Halt, Link, place_of};
use crate::mach::{
    MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_MOVE_SEND,
    MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSGH_BITS, MACH_MSGH_BITS_COMPLEX, MACH_MSGH_BITS_USER,
    MACH_PORT_NULL, mach_msg_header_t, mach_msg_option_t, mach_port_name_t,
};

const MESSAGE_HEADER: usize = size_of::<mach_msg_header_t>();
/// So many messages are taken from one link before another has its turn.
const TAKEN_IN_A_ROW: u32 = 16;

/// Who lets a reader wait for long for the rest of a frame is not waited for with so many others, and with twice as many each time: the reader has
/// the lock meanwhile.
const UNAWAITED_MIN: u32 = 16;
const UNAWAITED_MAX: u32 = 1 << 16;

/// What a receiver found on the short way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Short {
    /// A message, which is in the receiver's buffer.
    Taken {
        /// Where the last of several ends.
        end: usize,
    },
    /// Nothing has arrived.
    Nothing,
    /// Something for the general way.
    General,
}

/// What a simple message is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// To a send right that stays with the sender.
    OneWay,
    /// The same, with a send-once right to a port of the sender's.
    Request,
    /// To a send-once right.
    Answer,
}

impl Kind {
    /// What a message with this header is, if it is simple.
    pub(in super::super) fn of(header: &mach_msg_header_t) -> Option<Self> {
        const ONE_WAY: u32 = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
        const REQUEST: u32 = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
        const ANSWER: u32 = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
        match header.msgh_bits & MACH_MSGH_BITS_USER {
            ONE_WAY if header.msgh_local_port == MACH_PORT_NULL => Some(Self::OneWay),
            REQUEST => Some(Self::Request),
            ANSWER if header.msgh_local_port == MACH_PORT_NULL => Some(Self::Answer),
            _ => None,
        }
    }
}

impl Kind {
    /// What a message with this header would be without its descriptors.
    pub(in super::super) fn of_complex(header: &mach_msg_header_t) -> Option<Self> {
        let bits = header.msgh_bits & !MACH_MSGH_BITS_COMPLEX;
        if bits == header.msgh_bits {
            None
        } else {
            Self::of(&mach_msg_header_t { msgh_bits: bits, ..*header })
        }
    }
}

/// What follows a message's header.
pub(in super::super) trait Body: Copy {
    fn len(self) -> usize;
    /// Appends it to a ring with room for it, behind the head of its frame.
    fn write<const N: usize>(self, ring: &mut Producer, head: [u8; N]);
}

impl Body for &[u8] {
    #[inline]
    fn len(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn write<const N: usize>(self, ring: &mut Producer, head: [u8; N]) {
        ring.write_two(head, self);
    }
}

impl Link {
    /// Whether a simple message can go into the ring now.
    pub(super) fn can_take(&mut self, len: usize) -> bool {
        let len = place_of(FRAME_HEAD + len) as u32;
        !self.broken && !self.held && self.is_free() && self.tx.room(len).is_ok_and(|room| room >= len)
    }

    /// Whether a frame begins here, of which at least so many bytes have come.
    #[inline]
    pub(super) fn begins_with(&mut self, len: usize) -> Result<bool, Breach> {
        Ok(self.partial.is_none() && self.rx.holds(len as u32)?)
    }

    /// Waits a moment for the rest of a frame that is being written, the `len` bytes behind its first `front`, and copies them into a receiver's buffer
    /// meanwhile. Returns how many were copied; `None`: it is not whole yet. A writer on this processor would only be kept from going on.
    #[inline]
    fn await_rest(
        &mut self,
        poller: Option<&Poller>,
        front: usize,
        room: &mut Room,
        len: usize,
    ) -> Result<Option<usize>, Breach> {
        let place = place_of(front + len) as u32;
        if self.rx.holds(place)? {
            return Ok(Some(0));
        }
        if poller.and_then(|poller| poller.spin_for(self.rx.writer_processor())).is_none() {
            return Ok(None);
        }
        if let Some(left) = self.unawaited.checked_sub(1) {
            self.unawaited = left;
            return Ok(None);
        }
        let (copied, looks) = self.rx.copy_as_it_comes(front, room, MESSAGE_HEADER, len)?;
        if looks < LOOKS_MAX / 4 {
            self.forfeit /= 2;
        } else {
            self.forfeit = (2 * self.forfeit).clamp(UNAWAITED_MIN, UNAWAITED_MAX);
            self.unawaited = self.forfeit;
        }
        Ok(self.rx.holds(place)?.then_some(copied))
    }

    /// Sends the frame of a simple message, for which there is room. Inlined, so that the head goes from registers into the ring.
    #[inline(always)]
    fn send_simple(&mut self, head: [u32; FRAME_WORDS], loan: Option<[u32; ITEM_WORDS]>, bytes: impl Body) {
        match loan {
            None => {
                let head: [u8; FRAME_HEAD] = zerocopy::transmute!(head);
                bytes.write(&mut self.tx, head);
            }
            Some(item) => {
                let head: [u8; LENT_HEAD] = zerocopy::transmute!(LentHead { head, item });
                bytes.write(&mut self.tx, head);
            }
        }
        self.tx.end_frame();
        if self.tx.publish() {
            self.ring_bell();
        }
    }
}

impl Kernel {
    /// Sends a simple message, whose header and other bytes are these, if it can go at once. False: nothing has happened.
    pub(in super::super) fn send_simple(
        &mut self,
        kind: Kind,
        header: &mach_msg_header_t,
        bytes: impl Body,
    ) -> bool {
        self.send_short(kind, header, None, bytes)
    }

    /// Sends a message that is simple but for a loan, which its bytes begin with, if it can go at once. False: nothing has happened.
    pub(in super::super) fn send_lent(
        &mut self,
        kind: Kind,
        header: &mach_msg_header_t,
        bytes: &[u8],
    ) -> bool {
        Given::of(bytes).is_some_and(|given| self.send_short(kind, header, Some(&given), bytes))
    }

    #[inline(always)]
    fn send_short(
        &mut self,
        kind: Kind,
        header: &mach_msg_header_t,
        given: Option<&Given>,
        bytes: impl Body,
    ) -> bool {
        match kind {
            Kind::OneWay => self.send_to_right(header, given, bytes, None),
            Kind::Request => {
                let entry = self.space.get(header.msgh_local_port).map(|entry| entry.object);
                let Some(Object::Port { port, receive: true, .. }) = entry else { return false };
                self.send_to_right(header, given, bytes, Some(port))
            }
            Kind::Answer => self.send_answer(header, given, bytes),
        }
    }

    #[inline(always)]
    fn send_to_right(
        &mut self,
        header: &mach_msg_header_t,
        given: Option<&Given>,
        bytes: impl Body,
        reply: Option<PortId>,
    ) -> bool {
        let Some((port, link)) = self.open_way(header.msgh_remote_port) else { return false };
        let Home::Link { link: id, export } = port.home else { return false };
        if !link.can_take(item_size(given.is_some()) + bytes.len()) {
            return false;
        }
        let loan = given.and_then(|given| link.lend_given(given));
        if loan.is_none() && given.is_some() {
            return false;
        }
        port.credits -= 1;
        match reply {
            None => link.send_simple(frame_head(PLAIN, export, header, None, loan, bytes.len()), loan, bytes),
            Some(reply) => {
                self.port_mut(reply).send_once_rights += 1;
                let WireRight::MineOnce { export: reply } = self.export_once(id, reply) else { return false };
                let Some(link) = self.links.get_mut(id) else { return false };
                let head = frame_head(PLAIN, export, header, Some(reply), loan, bytes.len());
                link.send_simple(head, loan, bytes);
            }
        }
        true
    }

    #[inline(always)]
    fn send_answer(&mut self, header: &mach_msg_header_t, given: Option<&Given>, bytes: impl Body) -> bool {
        let name = header.msgh_remote_port;
        let Some(entry) = self.space.get(name) else { return false };
        let Object::SendOnce(port) = entry.object else { return false };
        let state = self.port(port);
        let (Home::Link { link, export }, false) = (state.home, state.halted) else { return false };
        if entry.request.is_some() || export & ASSIGNED != 0 {
            return false;
        }
        let Some(link) = self.links.get_mut(link) else { return false };
        if !link.can_take(item_size(given.is_some()) + bytes.len()) {
            return false;
        }
        let loan = given.and_then(|given| link.lend_given(given));
        if loan.is_none() && given.is_some() {
            return false;
        }
        let head = frame_head(PLAIN | PLAIN_TO_ONCE, export, header, None, loan, bytes.len());
        link.send_simple(head, loan, bytes);
        self.free_name(name);
        self.spend_send_once(port);
        true
    }

    /// Takes the next message for `port` out of a ring into a receiver's buffer, if it is simple. No other message waits for it, and no
    /// other thread. What has arrived before that message is dealt with on the general way.
    pub(in super::super) fn receive_simple(
        &mut self,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
        row: bool,
    ) -> Short {
        // Lanes have their turn before the links as often as after them.
        let lanes_first = (self.links.taken / TAKEN_IN_A_ROW).is_multiple_of(2);
        let mut found =
            if lanes_first { self.receive_from_lane(port, option, room, row) } else { Short::Nothing };
        if found == Short::Nothing {
            found = self.receive_from_links(port, option, room, row);
        }
        if found == Short::Nothing && !lanes_first {
            found = self.receive_from_lane(port, option, room, row);
        }
        if found != Short::Nothing {
            self.links.taken = self.links.taken.wrapping_add(1);
        }
        found
    }

    fn receive_from_links(
        &mut self,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
        row: bool,
    ) -> Short {
        let scanned = self.links.len() <= SCANNED;
        let count = if scanned { self.links.slots.len() } else { self.links.watched.len() };
        for _ in 0..count {
            let turn = self.links.turn % count;
            let id = if scanned { self.links.id_at(turn) } else { self.links.watched.get(turn).copied() };
            let Some(id) = id else {
                self.links.turn = turn + 1;
                continue;
            };
            match self.receive_from(id, port, option, room, row) {
                Short::Nothing => {}
                found => {
                    // The same link a few times: its cache lines are here. Then others, so that one that keeps sending holds none up.
                    self.links.turn =
                        turn + usize::from(self.links.taken.wrapping_add(1).is_multiple_of(TAKEN_IN_A_ROW));
                    return found;
                }
            }
            self.links.turn = turn + 1;
        }
        Short::Nothing
    }

    fn receive_from(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
        row: bool,
    ) -> Short {
        let limit = self.port(port).queue_limit;
        for _ in 0..FRAMES_AT_ONCE {
            let Some(link) = self.links.get_mut(id) else { return Short::Nothing };
            if link.broken {
                return Short::Nothing;
            }
            if row && link.rx.known() == 0 {
                // One look in two at most, in a stream: see `spin::gap`.
                let gaps = spin::gaps(core::mem::take(&mut link.streak), limit);
                if gaps > 0 {
                    self.links.gaps = self.links.gaps.max(gaps);
                    return Short::Nothing;
                }
            }
            match link.rx.holds(1) {
                Ok(false) => return Short::Nothing,
                // Frames that wait for room are tried again by the general way.
                Ok(true) if !link.unidentified && link.is_free() => {}
                _ => return Short::General,
            }
            match if row { self.take_row(id, port, option, room) } else { Ok(None) } {
                Ok(Some(end)) => return Short::Taken { end },
                Ok(None) => {}
                Err(breach) => {
                    self.end_broken(id, breach);
                    return Short::General;
                }
            }
            if let Ok(Some(end)) = self.take_simple(id, port, option, room) {
                return Short::Taken { end };
            }
            if let Ok(Some(end)) = self.take_lent(id, port, option, room) {
                return Short::Taken { end };
            }
            // What else has come may concern any port.
            self.close_lanes();
            let applied = self.apply_next(id);
            if applied {
                self.links.keep_watched(id);
            }
            if !applied || !self.port(port).queue.is_empty() {
                self.tell_taken(id);
                return Short::General;
            }
        }
        Short::General
    }

    /// Takes the next frame, if it is a simple message for `port` that fits. Returns where the message ends.
    fn take_simple(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
    ) -> Result<Option<usize>, Breach> {
        let Some(link) = self.links.get_mut(id) else { return Ok(None) };
        if !link.begins_with(FRAME_HEAD)? {
            return Ok(None);
        }
        match parse_head(link.rx.peek_words()) {
            Some(head) => self.take_short(id, port, option, room, head, None),
            None => Ok(None),
        }
    }

    /// The same, if it is a message for `port` that is simple but for a loan.
    fn take_lent(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
    ) -> Result<Option<usize>, Breach> {
        let Some(link) = self.links.get_mut(id) else { return Ok(None) };
        if !link.begins_with(LENT_HEAD)? {
            return Ok(None);
        }
        match parse_lent_head(link.rx.peek_words()) {
            Some((head, lent)) if link.is_sound(&lent) => {
                self.take_short(id, port, option, room, head, Some(&lent))
            }
            _ => Ok(None),
        }
    }

    #[inline(always)]
    fn take_short(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
        head: Head,
        lent: Option<&Lent>,
    ) -> Result<Option<usize>, Breach> {
        let Head { to, export, id: message_id, voucher, reply, len } = head;
        let state = self.port(port);
        let (limit, prompt) = (state.queue_limit, state.port_destroyed.is_some() || state.tells);
        let poller = self.links.poller;
        let Some(link) = self.links.get_mut(id) else { return Ok(None) };
        let front = FRAME_HEAD + item_size(lent.is_some());
        let trailer_len = trailer_size(option);
        let size = MESSAGE_HEADER + len;
        let fits =
            size + trailer_len <= room.len() && memory::is_known_writable(room.address(), size + trailer_len);
        if !fits {
            return Ok(None);
        }
        let Some(copied) = link.await_rest(poller, front, room, len)? else { return Ok(None) };
        let credit_due = match link.exports.get_mut(export) {
            // Who has stopped, and sends all the same, breaks a rule.
            Some(Export::Send { halt: Halt::Halted | Halt::Redirected, .. }) => return Ok(None),
            Some(Export::Send { port: held, granted, queued, owed, .. })
                if to == TO_SEND && *held == port && *granted > 0 =>
            {
                *granted -= 1;
                // What is owed is given back in batches (see `return_credit`).
                let due = *granted == 0 || *owed + 1 >= limit / 4 || prompt;
                if due {
                    *queued += 1;
                } else {
                    *owed += 1;
                }
                due
            }
            Some(Export::Once { port: held, halt: Halt::No }) if to == TO_ONCE && *held == port => {
                let _: Right = self.take_once(id, export)?;
                false
            }
            _ => return Ok(None),
        };
        let (reply, reply_kind) = match reply {
            None => (MACH_PORT_NULL, 0),
            Some(reply) => (self.name_reply(id, reply)?, MACH_MSG_TYPE_MOVE_SEND_ONCE),
        };
        let Some(link) = self.links.get_mut(id) else { return Err(Breach) };
        let descriptor = lent.and_then(|lent| link.borrow(lent));
        link.rx.take_frame(front + copied, room, MESSAGE_HEADER + copied, len - copied);
        link.rx.prefetch();
        link.rx.count_taken();
        if link.rx.advance_rarely() {
            link.ring_bell();
        }
        let Some(state) = self.ports.get_mut(port.0) else { return Ok(None) };
        let sequence = state.sequence;
        state.sequence = sequence.wrapping_add(1);
        let (name, context) = (state.name.unwrap_or(MACH_PORT_NULL), state.context);
        let complex = if descriptor.is_some() { MACH_MSGH_BITS_COMPLEX } else { 0 };
        let header: [u32; MESSAGE_HEADER / 4] = [
            MACH_MSGH_BITS(
                reply_kind,
                if to == TO_SEND { MACH_MSG_TYPE_MOVE_SEND } else { MACH_MSG_TYPE_MOVE_SEND_ONCE },
            ) | complex,
            size as u32,
            reply,
            name,
            voucher,
            message_id as u32,
        ];
        room.write(0, header.as_bytes());
        if let Some(descriptor) = descriptor {
            room.write(MESSAGE_HEADER, descriptor.as_bytes());
        }
        write_trailer(room, size, option, sequence, &link.peer, context);
        if !link.active {
            self.links.activate(id);
        }
        if credit_due {
            self.return_credit_of(id, export, port);
        }
        if to == TO_ONCE {
            self.spend_send_once(port);
        }
        Ok(Some(size))
    }

    /// Names a send-once right that a peer has made for an answer. There is room for a name.
    fn name_reply(&mut self, id: u32, export: u32) -> Result<mach_port_name_t, Breach> {
        let right = self.import_once(id, export)?;
        self.name_send_once(right.port()).ok_or(Breach)
    }
}
