//! Frames from a link into the kernel. Every id, count and length is the peer's word and is checked; a breach ends the link.

use std::os::fd::OwnedFd;

use super::super::kernel::{Doomed, Kernel};
use super::super::loans::Loan;
use super::super::memory::{MemoryError, Region};
use super::super::message::{Carried, Charge, Credit, Item, Message, Right, Sender};
use super::super::port::Home;
use super::super::recycle;
use super::frame::{
    ITEM_BYTES, ITEM_GUARDED, ITEM_LOAN, ITEM_MEMFD, ITEM_PIECES, ITEM_PORT, ITEM_PORTS, LOST, MESSAGE, MOVE,
    PIECE, PLAIN_ASKS, PLAIN_KINDS, PLAIN_LENDS, PLAIN_TO_ONCE, ROW, Reader, TO_MOVED_ONCE, TO_MOVED_QUEUE,
    TO_ONCE, TO_SEND, WireRight,
};
use super::lending::ITEM_WORDS;
use super::{Breach, Export, FD_COST, Frame, HELD_MAX, Halt, ITEM_COST, NO_IDENTITY, Parted, RIGHTS_MAX};
use crate::mach::{
    MACH_MSG_OOL_DESCRIPTOR, MACH_MSG_OOL_VOLATILE_DESCRIPTOR, MACH_MSG_PORTS_MAX, MACH_MSG_SEND_MAX,
    MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_NOTIFY_DEAD_NAME, MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_PORT_DELETED,
    MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_SEND_ONCE, MACH_NOTIFY_SEND_POSSIBLE,
};

/// The descriptors of a frame, taken in order.
pub(super) struct Fds {
    left: std::vec::IntoIter<Option<OwnedFd>>,
    /// One that was taken had found no room in this process.
    lost: bool,
}

impl Fds {
    /// The next descriptor; `None` for one that found no room.
    pub(super) fn take(&mut self) -> Result<Option<OwnedFd>, Breach> {
        let fd = self.left.next().ok_or(Breach)?;
        self.lost |= fd.is_none();
        Ok(fd)
    }

    /// The same with the last one.
    fn take_last(&mut self) -> Result<Option<OwnedFd>, Breach> {
        let fd = self.left.next_back().ok_or(Breach)?;
        self.lost |= fd.is_none();
        Ok(fd)
    }
}

impl Kernel {
    /// Does what a frame says.
    pub(super) fn apply(
        &mut self,
        id: u32,
        kind: u8,
        mut body: Vec<u8>,
        fds: Vec<Option<OwnedFd>>,
    ) -> Result<(), Breach> {
        let mut fds = Fds { left: fds.into_iter(), lost: false };
        if kind == MESSAGE || PLAIN_KINDS.contains(&kind) {
            self.apply_message(id, kind, &body, &mut fds)?;
        } else if kind == ROW {
            self.apply_row(id, &body)?;
            if let Some(link) = self.links.get_mut(id) {
                link.row = core::mem::take(&mut body);
                link.row.clear();
            }
        } else if kind == PIECE {
            self.apply_piece(id, &body)?;
        } else if kind == MOVE {
            self.apply_move(id, &body, &mut fds)?;
        } else {
            match Frame::decode(kind, &body).ok_or(Breach)? {
                Frame::Release { export, count } => self.apply_release(id, export, count)?,
                Frame::ReleaseOnce { export } => self.apply_release_once(id, export)?,
                Frame::Dead { export } => self.apply_dead(id, export)?,
                Frame::Credit { export, count } => self.apply_credit(id, export, count)?,
                Frame::Gone { export } => self.apply_gone(id, export)?,
                Frame::Received { export } => self.apply_received(id, export)?,
                Frame::Pieces { len } => self.apply_pieces(id, len)?,
                Frame::Taken { bytes } => self.apply_taken(id, bytes)?,
                Frame::Offer { export } => {
                    let pool = fds.take()?;
                    self.apply_offer(id, export, pool)?;
                }
                Frame::Accept => self.apply_accept(id)?,
                Frame::Imported { export } => self.apply_imported(id, export)?,
                Frame::Revoke { export, count } => self.apply_revoke(id, export, count)?,
                Frame::Revoked { export, count } => {
                    let link = self.links.get_mut(id).ok_or(Breach)?;
                    if let Some(Export::Send { granted, .. }) = link.export(export) {
                        *granted = granted.checked_sub(count).ok_or(Breach)?;
                    }
                }
                Frame::Identity { export, identity } => {
                    let link = self.links.get_mut(id).ok_or(Breach)?;
                    if identity != NO_IDENTITY {
                        link.identities.insert(export, identity);
                    }
                    if link.identities.len() > RIGHTS_MAX {
                        return Err(Breach);
                    }
                }
                Frame::Third { identity } => {
                    let link = self.links.get_mut(id).ok_or(Breach)?;
                    link.thirds.push_back(identity);
                    if link.thirds.len() > super::socket::FDS_MAX {
                        return Err(Breach);
                    }
                }
                Frame::Introduce { export, once } => {
                    let socket = fds.take()?;
                    let once = if once { None } else { Some(0) };
                    self.apply_introduce(id, export, once, socket)?;
                }
                Frame::Refer { export, once } => {
                    let socket = fds.take()?;
                    self.apply_introduce(id, export, Some(once), socket)?;
                }
                Frame::Bye => self.apply_bye(id),
                Frame::Halt { export, serial } => self.apply_halt(id, export, serial)?,
                Frame::Halted { export, serial } => self.apply_halted(id, export, serial)?,
                Frame::Resume { export } => self.apply_resume(id, export)?,
                Frame::Redirect { export, identity } => {
                    let socket = fds.take()?;
                    self.apply_redirect(id, export, &identity, socket)?;
                }
            }
        }
        recycle::give(body);
        if fds.left.next().is_some() { Err(Breach) } else { Ok(()) }
    }

    /// A peer gives a send-once right back, which it has not used.
    fn apply_release_once(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        if let Some(&mut Export::Once { port, halt: Halt::Redirected }) = link.export(export) {
            // It has the right from the port's owner now.
            link.remove_export(export);
            self.drop_export(port, id, export);
            self.spend_send_once(port);
            return Ok(());
        }
        let right = self.take_once(id, export)?;
        self.release(right);
        Ok(())
    }

    fn apply_release(&mut self, id: u32, export: u32, count: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(Export::Send { port, given, once, queued, moving, .. }) = link.export(export) else {
            return Err(Breach);
        };
        *given = given.checked_sub(count).ok_or(Breach)?;
        if *given > 0 {
            return Ok(());
        }
        let (port, once, left) = (*port, *once, queued.saturating_sub(*moving));
        link.moved_once -= once;
        link.remove_export(export);
        if link.export_of.get(&port) == Some(&export) {
            link.export_of.remove(&port);
        }
        self.drop_export(port, id, export);
        self.orphan(port, id, export, left);
        for _ in 0..once {
            self.release(Right::SendOnce(port));
        }
        self.release(Right::Send(port));
        self.post(id, Frame::Gone { export });
        Ok(())
    }

    fn apply_gone(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        self.links.get_mut(id).ok_or(Breach)?.parted.remove(&export);
        Ok(())
    }

    /// Takes a send-once right back from the peer.
    pub(super) fn take_once(&mut self, id: u32, export: u32) -> Result<Right, Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        match link.export(export).ok_or(Breach)? {
            // Who was told to use it elsewhere has it no more.
            Export::Once { halt: Halt::Redirected, .. } => Err(Breach),
            Export::Once { port, .. } => {
                let port = *port;
                link.remove_export(export);
                self.drop_export(port, id, export);
                Ok(Right::SendOnce(port))
            }
            Export::Send { port, once, .. } => {
                *once = once.checked_sub(1).ok_or(Breach)?;
                let port = *port;
                link.moved_once -= 1;
                Ok(Right::SendOnce(port))
            }
        }
    }

    pub(super) fn apply_dead(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        if let Some(port) = link.imports.remove(&export) {
            self.settle_halted(port);
            let count = self.port(port).imported;
            self.post(id, Frame::Release { export, count });
            if !self.return_to_name(port) {
                self.kill_port(port);
            }
            return Ok(());
        }
        // A send-once right; one that has just been used is not found.
        if let Some(port) = link.onces.remove(&export) {
            self.settle_halted(port);
            self.post(id, Frame::ReleaseOnce { export });
            self.kill_port(port);
        }
        Ok(())
    }

    /// The peer has a right now that came beside the link. What it was told of the right before meant nothing to it, so it is told again: of
    /// the port's death, ahead of all that follows from what the peer sends by the right; to stop, when it seemed to have stopped.
    fn apply_imported(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(&mut Export::Send { port, .. }) = link.export(export) else { return Err(Breach) };
        let welcomed = match link.welcomed.get_mut(&export) {
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    link.welcomed.remove(&export);
                }
                true
            }
            None => false,
        };
        if matches!(self.port(port).home, Home::Dead) {
            self.post(id, Frame::Dead { export });
        } else if welcomed {
            self.halt_again(id, export);
        }
        Ok(())
    }

    fn apply_credit(&mut self, id: u32, export: u32, count: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(&port) = link.imports.get(&export) else {
            // The right has been given back meanwhile, but may be on its way here again.
            if let Some(Parted { credits, .. }) = link.parted.get_mut(&export) {
                *credits = credits.saturating_add(count);
            }
            return Ok(());
        };
        let state = self.port_mut(port);
        state.credits = state.credits.saturating_add(count);
        if let Some(escrow) = &mut state.escrow {
            escrow.messages.drain(..escrow.messages.len().min(count as usize));
        }
        self.fill_free_slots(port);
        Ok(())
    }

    /// Gives unused credit back. What was used before the peer asked is on its way already.
    fn apply_revoke(&mut self, id: u32, export: u32, count: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let credits = match link.imports.get(&export) {
            Some(&port) => &mut self.port_mut(port).credits,
            None => match link.parted.get_mut(&export) {
                Some(parted) => &mut parted.credits,
                None => return Ok(()),
            },
        };
        let count = count.min(*credits);
        *credits -= count;
        self.post(id, Frame::Revoked { export, count });
        Ok(())
    }

    fn apply_message(&mut self, id: u32, kind: u8, body: &[u8], fds: &mut Fds) -> Result<(), Breach> {
        let mut reader = Reader::new(body);
        let head =
            if kind == MESSAGE { Head::read(&mut reader) } else { Head::read_plain(kind, &mut reader) };
        let head = head.ok_or(Breach)?;
        let item_bytes = reader.take(head.items_len as usize).ok_or(Breach)?;
        let bytes = reader.rest();
        let len = bytes.len().max(head.beside as usize);
        let large = len + 24 > MACH_MSG_SEND_MAX as usize || (head.beside > 0 && !bytes.is_empty());
        if large || !len.is_multiple_of(4) || head.complex > 1 || head.kernel > 1 {
            return Err(Breach);
        }
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let cost = body.len()
            + head.beside as usize
            + fds.left.len() * FD_COST
            + head.item_count as usize * ITEM_COST;
        let charge = Charge::take(&link.held_here, cost, HELD_MAX).ok_or(Breach)?;
        let mut private = recycle::take();
        private.extend_from_slice(bytes);
        let mut incomplete = false;
        if head.beside > 0 {
            match fds.take_last()?.map(|fd| Region::from_memfd(fd, len)) {
                Some(Ok(region)) => private.extend_from_slice(region.as_slice()),
                Some(Err(MemoryError::Unsealed | MemoryError::Unreadable)) => return Err(Breach),
                None | Some(Err(MemoryError::Exhausted)) => {
                    // Without the descriptor count that stands first nothing else makes sense: the rights come, the rest is zero.
                    private.extend_from_slice(&head.item_count.to_le_bytes());
                    private.resize(len, 0);
                    incomplete = true;
                }
            }
        }
        let (destination, credit) = self.take_destination(id, head.export, head.to)?;
        let sender = self.links.get_mut(id).ok_or(Breach)?.peer;
        let mut message = Message {
            destination,
            reply: Carried::Null,
            reply_disposition: head.reply_disposition,
            voucher: head.voucher,
            id: head.id,
            complex: head.complex == 1,
            items: Vec::new(),
            bytes: private,
            sender,
            credit,
            incomplete,
            _charge: Some(charge),
        };
        let filled = self.fill(id, &mut message, &head, item_bytes, fds);
        if filled.is_err() {
            if let Right::SendOnce(port) = message.destination {
                // Whoever waits for it is to hear that nothing comes: one more right, which is not used.
                self.port_mut(port).send_once_rights += 1;
                self.release(Right::SendOnce(port));
            }
            self.destroy_message(message);
            return Err(Breach);
        }
        message.incomplete |= fds.lost;
        self.arrive(head.to, message);
        Ok(())
    }

    /// Delivers a message that a frame has brought.
    pub(super) fn arrive(&mut self, to: u8, message: Message) {
        let port = message.destination.port();
        // A message for a port that has moved on may not fit the next link; it is lost then, as its sender can no longer be refused.
        if self.settle_receive_rights(port, &message) || self.exceeds_link(&message) {
            self.doomed.push(Doomed::Message(message));
        } else if to == TO_MOVED_QUEUE || to == TO_MOVED_ONCE {
            self.deliver_moved(port, message);
        } else {
            self.deliver(port, message);
        }
    }

    fn fill(
        &mut self,
        id: u32,
        message: &mut Message,
        head: &Head,
        items: &[u8],
        fds: &mut Fds,
    ) -> Result<(), Breach> {
        if head.kernel == 1 {
            // A peer's kernel may notify a send-once right that we gave it, and nothing else may look like a kernel.
            let known = matches!(
                message.id,
                MACH_NOTIFY_PORT_DELETED
                    | MACH_NOTIFY_SEND_POSSIBLE
                    | MACH_NOTIFY_PORT_DESTROYED
                    | MACH_NOTIFY_NO_SENDERS
                    | MACH_NOTIFY_SEND_ONCE
                    | MACH_NOTIFY_DEAD_NAME
            );
            let once = matches!(message.destination, Right::SendOnce(_));
            if !known || !once {
                return Err(Breach);
            }
            message.sender = Sender::KERNEL;
        }
        if head.reply_disposition == 16 {
            // A reply right is for sending; a receive right there would escape the search for cycles.
            return Err(Breach);
        }
        message.reply = self.take_wire_right(id, head.reply, u32::from(head.reply_disposition), fds)?;
        let mut reader = Reader::new(items);
        // Body, then at least 12 bytes a descriptor: what the copy-out writes over.
        let mut descriptors = 4_usize;
        let mut ports = 0_usize;
        for _ in 0..head.item_count {
            let (item, rights, size) = self.take_wire_item(id, &mut reader, fds)?;
            message.items.push(item);
            descriptors += size;
            ports += rights;
            if ports > MACH_MSG_PORTS_MAX as usize {
                return Err(Breach);
            }
        }
        let fits = descriptors <= message.bytes.len();
        let counted =
            message.bytes.first_chunk::<4>().map(|count| u32::from_le_bytes(*count)) == Some(head.item_count);
        let shape = if message.complex { fits && counted } else { head.item_count == 0 };
        if shape && reader.rest().is_empty() { Ok(()) } else { Err(Breach) }
    }

    /// The right that a message is addressed to, and whose credit it uses.
    pub(super) fn take_destination(
        &mut self,
        id: u32,
        export: u32,
        to: u8,
    ) -> Result<(Right, Option<Credit>), Breach> {
        if to == TO_ONCE || to == TO_MOVED_ONCE {
            return Ok((self.take_once(id, export)?, None));
        }
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(Export::Send { port, granted, queued, moving, halt, .. }) = link.export(export) else {
            return Err(Breach);
        };
        let port = *port;
        if matches!(halt, Halt::Halted | Halt::Redirected) {
            // It has said that nothing more comes.
            return Err(Breach);
        }
        match to {
            TO_SEND => {
                *granted = granted.checked_sub(1).ok_or(Breach)?;
                *queued += 1;
            }
            // Counted as queued when the move was announced.
            TO_MOVED_QUEUE => *moving = moving.checked_sub(1).ok_or(Breach)?,
            _ => return Err(Breach),
        }
        Ok((self.copy_send(port), Some(Credit::Of { link: id, export })))
    }

    fn take_wire_item(
        &mut self,
        id: u32,
        reader: &mut Reader<'_>,
        fds: &mut Fds,
    ) -> Result<(Item, usize, usize), Breach> {
        let (tag, option) = (reader.word().ok_or(Breach)?, reader.word().ok_or(Breach)?);
        match tag {
            ITEM_PORT => {
                let right = reader.right().ok_or(Breach)?;
                let carried = self.take_wire_right(id, right, option, fds)?;
                Ok((Item::Port { carried, disposition: option as u8 }, 1, 12))
            }
            ITEM_GUARDED => {
                let right = reader.right().ok_or(Breach)?;
                let carried = self.take_wire_right(id, right, 16, fds)?;
                Ok((Item::Guarded { carried, flags: option as u16 & 1 }, 1, 16))
            }
            ITEM_PORTS => {
                let count = reader.word().ok_or(Breach)? as usize;
                if count > MACH_MSG_PORTS_MAX as usize {
                    return Err(Breach);
                }
                let mut carried = Vec::new();
                for _ in 0..count {
                    let right = reader.right().ok_or(Breach);
                    match right.and_then(|right| self.take_wire_right(id, right, option, fds)) {
                        Ok(right) => carried.push(right),
                        Err(breach) => {
                            self.destroy_items(vec![Item::Ports { carried, disposition: 0 }]);
                            return Err(breach);
                        }
                    }
                }
                Ok((Item::Ports { carried, disposition: option as u8 }, count, 16))
            }
            ITEM_BYTES | ITEM_MEMFD | ITEM_PIECES | ITEM_LOAN => {
                let len = reader.word().ok_or(Breach)? as usize;
                let (kind, copy) = (option as u8, (option >> 8) as u8);
                if (kind != MACH_MSG_OOL_DESCRIPTOR && kind != MACH_MSG_OOL_VOLATILE_DESCRIPTOR) || copy > 1 {
                    return Err(Breach);
                }
                let region = match tag {
                    ITEM_BYTES if option & LOST != 0 => Err(MemoryError::Exhausted),
                    ITEM_LOAN => {
                        let (block, ticket) = (reader.word().ok_or(Breach)?, reader.word().ok_or(Breach)?);
                        Ok(self.take_loan(id, Loan { block, len: len as u32, ticket }, option)?)
                    }
                    ITEM_PIECES => {
                        let came = self.links.get_mut(id).ok_or(Breach)?.pieces.take(len)?;
                        came.region.map(|region| region.charged(came.charge)).ok_or(MemoryError::Exhausted)
                    }
                    ITEM_MEMFD => match fds.take()? {
                        Some(fd) => Region::from_memfd(fd, len),
                        None => Err(MemoryError::Exhausted),
                    },
                    _ => {
                        let bytes = reader.take(len.next_multiple_of(4)).ok_or(Breach)?;
                        if len == 0 {
                            return Ok((Item::Memory { region: None, kind, copy }, 0, 16));
                        }
                        Region::copy_of(&bytes[..len])
                    }
                };
                let region = match region {
                    Ok(region) => Some(region),
                    // One side has no memory or descriptor left: the message arrives without it, and says so.
                    Err(MemoryError::Exhausted) => {
                        fds.lost = true;
                        None
                    }
                    Err(MemoryError::Unreadable | MemoryError::Unsealed) => return Err(Breach),
                };
                Ok((Item::Memory { region, kind, copy }, 0, 16))
            }
            _ => Err(Breach),
        }
    }
}

/// The fixed part of a message's frame.
struct Head {
    export: u32,
    to: u8,
    reply_disposition: u8,
    complex: u8,
    kernel: u8,
    id: i32,
    voucher: u32,
    reply: WireRight,
    items_len: u32,
    item_count: u32,
    /// Length of the message's bytes where they are in memory of their own, the last descriptor.
    beside: u32,
}

impl Head {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let export = reader.word()?;
        let [to, reply_disposition, complex, kernel] = *reader.take(4)?.first_chunk()?;
        let head = Self {
            export,
            to,
            reply_disposition,
            complex,
            kernel,
            id: reader.word()? as i32,
            voucher: reader.word()?,
            reply: reader.right()?,
            items_len: reader.word()?,
            item_count: reader.word()?,
            beside: reader.word()?,
        };
        Some(head)
    }

    /// Reads the shorter head of a plain message.
    fn read_plain(kind: u8, reader: &mut Reader<'_>) -> Option<Self> {
        let has = |bit| kind & bit != 0;
        let (export, id, voucher, reply) = (reader.word()?, reader.word()?, reader.word()?, reader.word()?);
        let (reply, reply_disposition) = match (has(PLAIN_ASKS), reply) {
            (true, export) => (WireRight::MineOnce { export }, MACH_MSG_TYPE_MOVE_SEND_ONCE as u8),
            (false, 0) => (WireRight::Null, 0),
            _ => return None,
        };
        Some(Self {
            export,
            to: if has(PLAIN_TO_ONCE) { TO_ONCE } else { TO_SEND },
            reply_disposition,
            complex: u8::from(has(PLAIN_LENDS)),
            kernel: 0,
            id: id as i32,
            voucher,
            reply,
            items_len: if has(PLAIN_LENDS) { 4 * ITEM_WORDS as u32 } else { 0 },
            item_count: u32::from(has(PLAIN_LENDS)),
            beside: 0,
        })
    }
}
