//! Rows of simple messages (see `simple`): one frame that carries many, and many frames that a receiver takes at once. Either way a message
//! costs its copy and its checks; lock, look-ups, credit and trailer are once for all.
//!
//! A row's frame is head, export, count, and then the messages as they lay in the sender's memory, headers included: one copy into the ring and one
//! out of it. Of a header the receiver believes the size, once it lies in private memory, voucher and id; the rest is written anew.

use zerocopy::{FromBytes, IntoBytes};

use super::super::copyout::{trailer_size, write_trailer};
use super::super::kernel::Kernel;
use super::super::memory;
use super::super::message::{Carried, Charge, Message, Sender};
use super::super::near::LINE;
use super::super::port::{Home, Port, PortId};
use super::super::recycle;
use super::super::room::Room;
use super::super::space::Object;
use super::frame::{ASSIGNED, HEAD, MESSAGE_HEAD, ROW, Reader, TO_SEND};
use super::plain::{FRAME_HEAD, halves, parse_head};
use super::simple::Kind;
use super::{Breach, Export, HELD_MAX, Halt, ITEM_COST, Link, place_of};
use crate::mach::{
    MACH_MSG_TYPE_MOVE_SEND, MACH_MSGH_BITS, MACH_PORT_NULL, ROW_ALIGN, mach_msg_header_t, mach_msg_option_t,
    mach_port_name_t,
};

/// Bytes of messages in one row, sent or received: few enough to stay in the fastest cache while they are handled.
pub(in super::super) const ROW_MAX: usize = 16 * 1024;
/// Frames that are taken as one row.
pub(in super::super) const TAKEN_MAX: u32 = 64;

const HEADER: usize = size_of::<mach_msg_header_t>();
/// Bytes of a row's frame before its messages.
const ROW_HEAD: usize = HEAD + 8;

impl Kernel {
    /// Sends as many messages of a row as can go at once. Returns how many bytes they take; 0: nothing has happened.
    pub(in super::super) fn send_row(&mut self, row: &[u8]) -> usize {
        let Some(first) = header_at(row, 0) else { return 0 };
        let Some((port, link)) = self.open_way(first.msgh_remote_port) else { return 0 };
        let Home::Link { export, .. } = port.home else { return 0 };
        let wanted = place_of(ROW_HEAD + ROW_MAX.min(row.len()));
        let room = match link.tx.room(wanted as u32) {
            Ok(room) => wanted.min(room as usize / LINE * LINE).saturating_sub(ROW_HEAD).min(ROW_MAX),
            Err(_) => return 0,
        };
        let (mut end, mut count) = (0, 0);
        while count < port.credits
            && let Some(header) = header_at(row, end)
            && header.msgh_remote_port == first.msgh_remote_port
            && Kind::of(&header) == Some(Kind::OneWay)
            && let Some(next) = next_after(end, header.msgh_size, row.len().min(room))
        {
            (end, count) = (next, count + 1);
        }
        if count > 0 {
            port.credits -= count;
            let words = [(ROW_HEAD - HEAD + end) as u32, u32::from(ROW), export, count];
            let head: [u8; ROW_HEAD] = zerocopy::transmute!(words);
            link.tx.write_two(head, &row[..end]);
            link.tx.end_frame();
            if link.tx.publish() {
                link.ring_bell();
            }
        }
        end
    }

    /// The port and the link to it, where a simple message to this send right could go into the ring at once, and what has arrived does not
    /// change what the name means.
    #[inline]
    pub(super) fn open_way(&mut self, name: mach_port_name_t) -> Option<(&mut Port, &mut Link)> {
        let Object::Port { port, send: true, .. } = self.space.get(name)?.object else { return None };
        let port = self.ports.get_mut(port.0)?;
        let Home::Link { link, .. } = port.home else { return None };
        let blocked = port.is_full()
            || !port.blocked_senders.is_empty()
            || port.escrow.is_some()
            || port.declared.is_some();
        if blocked {
            return None;
        }
        let link = self.links.get_mut(link)?;
        (link.rx.available() == Ok(0) && link.can_take(0)).then_some((port, link))
    }

    /// Takes the messages for `port` that come next out of a ring, as a row: those of a row's frame, or of frames of simple one-way messages that
    /// follow each other. Returns where the last one ends; `None` for anything else, which the other ways deal with.
    pub(super) fn take_row(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
    ) -> Result<Option<usize>, Breach> {
        let Some(state) = self.ports.get_mut(port.0) else { return Ok(None) };
        if state.port_destroyed.is_some() || state.tells {
            // Somebody is told of each message that is received.
            return Ok(None);
        }
        let Some(link) = self.links.get_mut(id) else { return Ok(None) };
        if !link.begins_with(ROW_HEAD)? {
            return Ok(None);
        }
        let most = room.len().min(ROW_MAX).saturating_sub(trailer_size(option));
        let name = state.name.unwrap_or(MACH_PORT_NULL);
        let [front, rest] = link.rx.peek_words();
        let ([len, kind], [export, count]) = (halves(front), halves(rest));
        let taken = if kind == u32::from(ROW) {
            link.take_row_frame([len, export, count], port, name, most, room)?
        } else {
            link.take_message_frames(export, port, name, most, room)?
        };
        let Some((end, count)) = taken else { return Ok(None) };
        let sequence = state.sequence;
        state.sequence = sequence.wrapping_add(count);
        write_trailer(room, end.next_multiple_of(4), option, sequence, &link.peer, state.context);
        self.note_taken(id, export, port, count);
        Ok(Some(end))
    }

    /// Accounts for messages that were taken out of a ring for `port`.
    pub(super) fn note_taken(&mut self, id: u32, export: u32, port: PortId, count: u32) {
        let limit = self.port(port).queue_limit;
        let Some(link) = self.links.get_mut(id) else { return };
        link.streak = link.streak.saturating_add(count);
        let (mut due, active) = (false, link.active);
        if let Some(Export::Send { granted, queued, owed, .. }) = link.exports.get_mut(export) {
            *granted -= count;
            // The last one's is given back as that of one message is (see `return_credit`), and with it what is owed.
            *owed += count - 1;
            due = *granted == 0 || *owed + 1 >= limit / 4;
            if due {
                *queued += 1;
            } else {
                *owed += 1;
            }
        }
        if link.rx.advance_rarely() {
            link.ring_bell();
        }
        if !active {
            self.links.activate(id);
        }
        if due {
            self.return_credit_of(id, export, port);
        }
    }

    /// Puts the messages of a row into their port's queue.
    pub(super) fn apply_row(&mut self, id: u32, body: &[u8]) -> Result<(), Breach> {
        let mut reader = Reader::new(body);
        let (export, count) = (reader.word().ok_or(Breach)?, reader.word().ok_or(Breach)?);
        let row = reader.rest();
        if row.len() > ROW_MAX {
            return Err(Breach);
        }
        let (mut at, mut left) = (0, count);
        while at < row.len() {
            let header = header_at(row, at).ok_or(Breach)?;
            let next = next_after(at, header.msgh_size, row.len()).ok_or(Breach)?;
            left = left.checked_sub(1).ok_or(Breach)?;
            let bytes = &row[at + HEADER..at + header.msgh_size as usize];
            self.apply_row_message(id, export, &header, bytes)?;
            at = next;
        }
        if left == 0 && count > 0 { Ok(()) } else { Err(Breach) }
    }

    fn apply_row_message(
        &mut self,
        id: u32,
        export: u32,
        header: &mach_msg_header_t,
        bytes: &[u8],
    ) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let sender: Sender = link.peer;
        let charge = Charge::take(&link.held_here, bytes.len() + ITEM_COST, HELD_MAX).ok_or(Breach)?;
        let (destination, credit) = self.take_destination(id, export, TO_SEND)?;
        let mut private = recycle::take();
        // As much as a frame of such a message takes: the buffer will serve for one, too.
        private.reserve(MESSAGE_HEAD + bytes.len());
        private.extend_from_slice(bytes);
        self.arrive(
            TO_SEND,
            Message {
                destination,
                reply: Carried::Null,
                reply_disposition: 0,
                voucher: header.msgh_voucher_port,
                id: header.msgh_id,
                complex: false,
                items: Vec::new(),
                bytes: private,
                sender,
                credit,
                incomplete: false,
                _charge: Some(charge),
            },
        );
        Ok(())
    }
}

impl Link {
    /// Whether the peer may send so many messages to `port` under this export now.
    pub(super) fn grants(&mut self, export: u32, port: PortId, count: u32) -> bool {
        if export & ASSIGNED != 0 {
            return false;
        }
        match self.exports.get_mut(export) {
            // Who has stopped, and sends all the same, breaks a rule; the general way finds that.
            Some(Export::Send { halt: Halt::Halted | Halt::Redirected, .. }) => false,
            Some(Export::Send { port: held, granted, .. }) => *held == port && *granted >= count,
            _ => false,
        }
    }

    /// Takes the frame with this head, all of it. Returns where its last message ends, and how many there are.
    fn take_row_frame(
        &mut self,
        [len, export, count]: [u32; 3],
        port: PortId,
        name: mach_port_name_t,
        most: usize,
        room: &mut Room,
    ) -> Result<Option<(usize, u32)>, Breach> {
        let len = (len as usize).checked_sub(ROW_HEAD - HEAD).ok_or(Breach)?;
        let fits = count > 0 && len <= most && is_writable(room, len);
        if !fits || !self.grants(export, port, count) || !self.rx.holds(place_of(ROW_HEAD + len) as u32)? {
            return Ok(None);
        }
        self.rx.take_frame(ROW_HEAD, room, 0, len);
        // From here on the peer cannot change it.
        let (mut at, mut end, mut left) = (0, 0, count);
        while at < len {
            let header = room.header(at).ok_or(Breach)?;
            let next = next_after(at, header.msgh_size, len).ok_or(Breach)?;
            left = left.checked_sub(1).ok_or(Breach)?;
            end = at + header.msgh_size as usize;
            write_header(room, at, header.msgh_size, name, header.msgh_voucher_port, header.msgh_id);
            self.rx.count_taken();
            at = next;
        }
        if left == 0 { Ok(Some((end, count))) } else { Err(Breach) }
    }

    /// Takes frames of simple one-way messages under this export. Returns where the last message ends, and how many there are.
    fn take_message_frames(
        &mut self,
        export: u32,
        port: PortId,
        name: mach_port_name_t,
        most: usize,
        room: &mut Room,
    ) -> Result<Option<(usize, u32)>, Breach> {
        let (mut at, mut end, mut count) = (0, 0, 0);
        if !self.rx.holds(FRAME_HEAD as u32)? {
            return Ok(None);
        }
        // What has come by now, and not what comes meanwhile: a look at the writer's cache line for each message would hold both sides up.
        while count < TAKEN_MAX && self.rx.known() >= FRAME_HEAD as u32 {
            let head = self.rx.peek_words();
            let Some(head) = parse_head(head) else { break };
            let last = at + HEADER + head.len;
            if head.to != TO_SEND
                || head.reply.is_some()
                || head.export != export
                || last > most
                || !is_writable(room, last)
                || !self.grants(export, port, count + 1)
                || self.rx.known() < place_of(FRAME_HEAD + head.len) as u32
            {
                break;
            }
            self.rx.take_frame(FRAME_HEAD, room, at + HEADER, head.len);
            self.rx.prefetch();
            self.rx.count_taken();
            write_header(room, at, (HEADER + head.len) as u32, name, head.voucher, head.id);
            (at, end, count) = (last.next_multiple_of(ROW_ALIGN as usize), last, count + 1);
        }
        Ok((count > 0).then_some((end, count)))
    }
}

/// Whether a row that ends there can be written, with its trailer, without a look at the memory first.
pub(in super::super) fn is_writable(room: &Room, end: usize) -> bool {
    /// The longest trailer, and what is in front of it.
    const BEHIND: usize = 68 + 3;
    memory::is_known_writable(room.address(), (end + BEHIND).min(room.len()))
}

/// The header of a message that was received.
#[inline]
pub(in super::super) fn write_header(
    room: &mut Room,
    at: usize,
    size: u32,
    name: mach_port_name_t,
    voucher: u32,
    id: i32,
) {
    let header: [u32; HEADER / 4] =
        [MACH_MSGH_BITS(0, MACH_MSG_TYPE_MOVE_SEND), size, MACH_PORT_NULL, name, voucher, id as u32];
    room.write(at, header.as_bytes());
}

/// The header at this place of a row.
#[inline]
pub(in super::super) fn header_at(row: &[u8], at: usize) -> Option<mach_msg_header_t> {
    let (words, _) = <[u32; HEADER / 4]>::read_from_prefix(row.get(at..)?).ok()?;
    Some(header_of(words))
}

#[inline]
pub(in super::super) fn header_of(words: [u32; HEADER / 4]) -> mach_msg_header_t {
    let [bits, size, remote, local, voucher, id] = words;
    mach_msg_header_t {
        msgh_bits: bits,
        msgh_size: size,
        msgh_remote_port: remote,
        msgh_local_port: local,
        msgh_voucher_port: voucher,
        msgh_id: id as i32,
    }
}

/// Where the message after one of `size` bytes at `at` begins, or the row ends. `None`: it is no message, or does not end by `most`.
#[inline]
fn next_after(at: usize, size: u32, most: usize) -> Option<usize> {
    let sound = size as usize >= HEADER && size.is_multiple_of(4) && size as usize <= ROW_MAX;
    let next = (at + size as usize).next_multiple_of(ROW_ALIGN as usize);
    (sound && next <= most).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_row_ends_within_it() {
        assert_eq!(next_after(0, 24, 32), Some(32));
        assert_eq!(next_after(32, 28, 64), Some(64));
        for (at, size, most) in
            [(0, 24, 31), (0, 23, 64), (0, 20, 64), (0, 0, 64), (0, u32::MAX, 64), (32, 36, 64)]
        {
            assert_eq!(next_after(at, size, most), None, "{size} bytes at {at} of {most}");
        }
    }

    #[test]
    fn what_is_shorter_than_a_header_has_none() {
        assert!(header_at(&[0; 23], 0).is_none());
        assert!(header_at(&[0; 48], 32).is_none());
        assert!(header_at(&[0; 48], 24).is_some());
    }
}
