//! Pools between the two sides of a link (see `loans`): one for each direction, offered by who sends. A one-way message that carries a loan and
//! otherwise nothing but bytes has a short way of its own, as simple messages do (see `simple`): the same frame and effects as on the general
//! way, with less in between.

use std::os::fd::OwnedFd;

use zerocopy::{FromBytes, IntoBytes};

use super::super::copyout::{trailer_size, write_trailer};
use super::super::kernel::Kernel;
use super::super::loans::{Lender, Loan, Pool};
use super::super::memory::Region;
use super::super::port::{Home, PortId};
use super::super::room::Room;
use super::super::space::Object;
use super::frame::{HEAD, ITEM_LOAN, MESSAGE, MESSAGE_HEAD, TO_SEND};
use super::rows::{ROW_MAX, is_writable};
use super::{Breach, Export, Frame};
use crate::mach::{
    KERN_FAILURE, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE, MACH_MSG_OOL_DESCRIPTOR,
    MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_VIRTUAL_COPY, MACH_MSGH_BITS, MACH_MSGH_BITS_COMPLEX, MACH_PORT_NULL,
    kern_return_t, mach_msg_header_t, mach_msg_option_t, mach_port_name_t,
};

const HEADER: usize = size_of::<mach_msg_header_t>();
/// Bytes of a message frame's item that is a loan.
const ITEM: usize = 20;
/// Bytes of such a message's frame before its own.
const LENT_HEAD: usize = HEAD + MESSAGE_HEAD + ITEM;
/// Where the one descriptor ends, behind the header.
const DESCRIPTOR_END: usize = 4 + 16;
/// The destination's word of a complex message to a send right.
const TO_SEND_COMPLEX: u32 = TO_SEND as u32 | 1 << 16;

impl Kernel {
    /// Lets senders to a port lend.
    pub(in super::super) fn allow_loans(&mut self, name: mach_port_name_t) -> Result<(), kern_return_t> {
        let port = self.receive_right(name)?;
        self.port_mut(port).borrows = true;
        Ok(())
    }

    /// Offers the peer behind a send right a pool for what is lent to it.
    pub(in super::super) fn offer_loans(
        &mut self,
        name: mach_port_name_t,
        size: usize,
    ) -> Result<(), kern_return_t> {
        let (id, export) = self.lent_over(name).ok_or(KERN_INVALID_RIGHT)?;
        let link = self.links.get_mut(id).ok_or(KERN_INVALID_RIGHT)?;
        if link.lends.is_some() {
            return Ok(());
        }
        let (fd, lender) = Lender::create(size).map_err(|_| KERN_RESOURCE_SHORTAGE)?;
        link.lends = Some(lender);
        self.post_with(id, Frame::Offer { export }, vec![fd]);
        Ok(())
    }

    /// Makes a loan for the peer behind a send right: its address.
    pub(in super::super) fn allocate_loan(
        &mut self,
        name: mach_port_name_t,
        len: usize,
    ) -> Result<usize, kern_return_t> {
        let (id, _) = self.lent_over(name).ok_or(KERN_FAILURE)?;
        if !self.lender(id)?.accepted {
            // The answer may have come.
            self.drain_links();
        }
        self.lender(id)?.allocate(len)
    }

    fn lender(&mut self, id: u32) -> Result<&mut Lender, kern_return_t> {
        self.links.get_mut(id).and_then(|link| link.lends.as_mut()).ok_or(KERN_FAILURE)
    }

    /// The link and the export behind a send right.
    fn lent_over(&mut self, name: mach_port_name_t) -> Option<(u32, u32)> {
        let Object::Port { port, send: true, .. } = self.space.get(name)?.object else { return None };
        let Home::Link { link, export } = self.port(port).home else { return None };
        Some((link, export))
    }

    /// The peer offers a pool. Where its loans are not wanted, or there is no room for one, it is not answered, and sends as it did.
    pub(super) fn apply_offer(&mut self, id: u32, export: u32, fd: Option<OwnedFd>) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let port = match link.export(export).ok_or(Breach)? {
            Export::Send { port, .. } => *port,
            Export::Once { .. } => return Err(Breach),
        };
        let wanted = self.port(port).borrows;
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(fd) = fd.filter(|_| wanted && link.borrows.is_none()) else { return Ok(()) };
        if let Ok(pool) = Pool::open(&fd) {
            link.borrows = Some(pool);
            self.post(id, Frame::Accept);
        }
        Ok(())
    }

    /// The peer has mapped the pool that it was offered.
    pub(super) fn apply_accept(&mut self, id: u32) -> Result<(), Breach> {
        self.links.get_mut(id).and_then(|link| link.lends.as_mut()).ok_or(Breach)?.accepted = true;
        Ok(())
    }

    /// Memory that the peer has lent.
    pub(super) fn take_loan(&mut self, id: u32, loan: Loan) -> Result<Region, Breach> {
        let pool = self.links.get_mut(id).and_then(|link| link.borrows.as_ref()).ok_or(Breach)?;
        let address = pool.receive(loan).ok_or(Breach)?;
        Ok(Region::borrowed(address, loan.len as usize))
    }

    /// What a region is for a link's peer, if it is a loan of the pool that is shared with it. The region is used up then.
    pub(super) fn lend(&mut self, id: u32, region: Region) -> Result<Loan, Region> {
        let Some(lender) = self.links.get_mut(id).and_then(|link| link.lends.as_ref()) else {
            return Err(region);
        };
        region.lend_from(&lender.pool)
    }

    /// Sends a one-way message that carries a loan alone, whose header and other bytes are these, if it can go at once. False: nothing has happened.
    pub(in super::super) fn send_lent(&mut self, header: &mach_msg_header_t, bytes: &[u8]) -> bool {
        let Some(([1, low, high, options, len], _)) = <[u32; 5]>::read_from_prefix(bytes).ok() else {
            return false;
        };
        let address = (u64::from(low) | u64::from(high) << 32) as usize;
        let [deallocate, copy, _, kind] = options.to_le_bytes();
        if deallocate == 0 || kind != MACH_MSG_OOL_DESCRIPTOR || copy > 1 || len == 0 {
            return false;
        }
        let Some((port, link)) = self.open_way(header.msgh_remote_port) else { return false };
        let Home::Link { export, .. } = port.home else { return false };
        if !link.can_take(ITEM + bytes.len()) {
            return false;
        }
        let lent = link.lends.as_ref().and_then(|lender| lender.pool.send(address, len as usize));
        let Some(loan) = lent else { return false };
        port.credits -= 1;
        let words: [u32; LENT_HEAD / 4] = [
            (MESSAGE_HEAD + ITEM + bytes.len()) as u32,
            u32::from(MESSAGE),
            export,
            TO_SEND_COMPLEX,
            header.msgh_id as u32,
            header.msgh_voucher_port,
            0,
            0,
            0,
            ITEM as u32,
            1,
            0,
            ITEM_LOAN,
            u32::from(kind) | u32::from(copy) << 8,
            loan.len,
            loan.block,
            loan.ticket,
        ];
        let head: [u8; LENT_HEAD] = zerocopy::transmute!(words);
        link.tx.write_two(&head, bytes);
        if link.tx.publish() {
            link.ring_bell();
        }
        true
    }

    /// Takes the next frame, if it is a one-way message for `port` that carries a loan alone, and fits. Returns where it ends. `None`: the general way
    /// deals with it.
    pub(super) fn take_lent(
        &mut self,
        id: u32,
        port: PortId,
        option: mach_msg_option_t,
        room: &mut Room,
    ) -> Option<usize> {
        let state = self.ports.get_mut(port.0)?;
        let link = self.links.get_mut(id)?;
        let told = state.port_destroyed.is_some() || state.tells;
        if told
            || link.borrows.is_none()
            || link.partial.is_some()
            || link.rx.holds(LENT_HEAD as u32) != Ok(true)
        {
            return None;
        }
        let words: [u32; LENT_HEAD / 4] = zerocopy::transmute!(link.rx.peek_array::<LENT_HEAD>());
        let [
            body,
            frame,
            export,
            to,
            message_id,
            voucher,
            0,
            0,
            0,
            items,
            1,
            0,
            ITEM_LOAN,
            options,
            len,
            block,
            ticket,
        ] = words
        else {
            return None;
        };
        let [kind, copy, ..] = options.to_le_bytes();
        let known = frame == u32::from(MESSAGE) && to == TO_SEND_COMPLEX && items == ITEM as u32;
        if !known || kind != MACH_MSG_OOL_DESCRIPTOR || copy > 1 {
            return None;
        }
        let bytes = (body as usize).checked_sub(MESSAGE_HEAD + ITEM)?;
        let size = HEADER + bytes;
        let fits = size + trailer_size(option) <= room.len().min(ROW_MAX) && is_writable(room, size);
        let whole = bytes >= DESCRIPTOR_END && bytes.is_multiple_of(4);
        if !fits || !whole || link.rx.holds((LENT_HEAD + bytes) as u32) != Ok(true) {
            return None;
        }
        if !link.grants(export, port, 1) {
            return None;
        }
        let address = link.borrows.as_ref()?.receive(Loan { block, len, ticket })? as u64;
        link.rx.skip(LENT_HEAD as u32);
        link.rx.read_into(room, HEADER, bytes);
        link.rx.prefetch();
        link.rx.count_taken();
        let sequence = state.sequence;
        state.sequence = sequence.wrapping_add(1);
        let descriptor = u32::from_le_bytes([u8::from(copy == MACH_MSG_VIRTUAL_COPY), copy, 0, kind]);
        let front: [u32; (HEADER + DESCRIPTOR_END) / 4] = [
            MACH_MSGH_BITS(0, MACH_MSG_TYPE_MOVE_SEND) | MACH_MSGH_BITS_COMPLEX,
            size as u32,
            MACH_PORT_NULL,
            state.name.unwrap_or(MACH_PORT_NULL),
            voucher,
            message_id,
            1,
            address as u32,
            (address >> 32) as u32,
            descriptor,
            len,
        ];
        room.write(0, front.as_bytes());
        write_trailer(room, size, option, sequence, &link.peer, state.context);
        self.note_taken(id, export, port, 1);
        Some(size)
    }
}
