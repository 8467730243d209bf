//! Pools between the two sides of a link (see `loans`): one for each direction, offered by who sends. What a side may lend and borrow is a
//! matter of the link, never of a port alone: replies to calls of all processes come to the same ports. A pool is borrowed from
//!
//! - who holds a right to a port of this side's that [allows](Kernel::allow_loans) it: it is one of those who were vouched for;
//! - who has taken this side's pool: that one was vouched for when the pool was [offered](Kernel::offer_loans).
//!
//! So a pool is offered to who is asked for by name, and, in return, to who has offered one. What anybody else offers is closed unseen.
//!
//! A message that carries a loan and otherwise nothing but bytes has a short way of its own, which it shares with simple messages (see `simple`).

use std::os::fd::OwnedFd;

use zerocopy::FromBytes;

use super::super::kernel::Kernel;
use super::super::loans::{Lender, Loan, Pool};
use super::super::memory::Region;
use super::super::port::Home;
use super::super::space::Object;
use super::frame::{ITEM_LOAN, NO_EXPORT, OF_READER};
use super::{Breach, Export, Frame, Link};
use crate::mach::{
    KERN_FAILURE, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE, MACH_MSG_OOL_DESCRIPTOR, MACH_MSG_VIRTUAL_COPY,
    audit_token_t, kern_return_t, mach_port_name_t,
};

/// Words of a message frame's item that is a loan.
pub(super) const ITEM_WORDS: usize = 5;
/// Words behind a message's header that are the count of descriptors and one of memory.
pub(super) const DESCRIPTOR_WORDS: usize = 5;

impl Kernel {
    /// Lets senders to a port lend, and lends to them in return.
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
        let entry = self.space.get(name).ok_or(KERN_INVALID_RIGHT)?.object;
        let Object::Port { port, send: true, .. } = entry else { return Err(KERN_INVALID_RIGHT) };
        let Home::Link { link, export } = self.port(port).home else { return Err(KERN_INVALID_RIGHT) };
        self.offer_pool(link, export, size)
    }

    /// Offers a link's peer a pool, if there is none yet.
    fn offer_pool(&mut self, id: u32, export: u32, size: usize) -> Result<(), kern_return_t> {
        let link = self.links.get_mut(id).ok_or(KERN_INVALID_RIGHT)?;
        if link.lends.is_some() {
            return Ok(());
        }
        let (fd, lender) = Lender::create(size).map_err(|_| KERN_RESOURCE_SHORTAGE)?;
        link.lends = Some(lender);
        self.post_with(id, Frame::Offer { export }, vec![fd]);
        Ok(())
    }

    /// Makes a loan for the peer behind a send or send-once right: its address.
    pub(in super::super) fn allocate_loan(
        &mut self,
        name: mach_port_name_t,
        len: usize,
    ) -> Result<usize, kern_return_t> {
        let id = self.lent_over(name).ok_or(KERN_FAILURE)?;
        self.allocate_on(id, len)
    }

    /// The same for a process that lends to this one.
    pub(in super::super) fn allocate_loan_to(
        &mut self,
        process: &audit_token_t,
        len: usize,
    ) -> Result<usize, kern_return_t> {
        let id = *self.links.lenders.get(&process_of(process)).ok_or(KERN_FAILURE)?;
        self.allocate_on(id, len)
    }

    fn allocate_on(&mut self, id: u32, len: usize) -> Result<usize, kern_return_t> {
        let link = self.links.get_mut(id).ok_or(KERN_FAILURE)?;
        if let (None, Some(pool)) = (&link.lends, &link.borrows) {
            let size = pool.capacity();
            self.offer_pool(id, NO_EXPORT, size)?;
        }
        if !self.lender(id)?.accepted {
            // The answer may have come.
            self.drain_links();
        }
        self.lender(id)?.allocate(len)
    }

    fn lender(&mut self, id: u32) -> Result<&mut Lender, kern_return_t> {
        self.links.get_mut(id).and_then(|link| link.lends.as_mut()).ok_or(KERN_FAILURE)
    }

    /// The link behind a send or send-once right.
    fn lent_over(&mut self, name: mach_port_name_t) -> Option<u32> {
        let port = match self.space.get(name)?.object {
            Object::Port { port, send: true, .. } | Object::SendOnce(port) => port,
            _ => return None,
        };
        match self.port(port).home {
            Home::Link { link, .. } => Some(link),
            _ => None,
        }
    }

    /// The peer offers a pool. Where its loans are not wanted, or there is no room for one, it is not answered, and sends as it did.
    pub(super) fn apply_offer(&mut self, id: u32, export: u32, fd: Option<OwnedFd>) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let is_trusted = link.lends.as_ref().is_some_and(|lender| lender.accepted);
        let port = match export {
            NO_EXPORT => None,
            export => match link.export(export).ok_or(Breach)? {
                Export::Send { port, .. } => Some(*port),
                Export::Once { .. } => return Err(Breach),
            },
        };
        let wanted = is_trusted || port.is_some_and(|port| self.port(port).borrows);
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(fd) = fd.filter(|_| wanted && link.borrows.is_none()) else { return Ok(()) };
        if let Ok(pool) = Pool::open(&fd) {
            link.borrows = Some(pool);
            let process = process_of(&link.peer.audit);
            self.links.lenders.insert(process, id);
            self.post(id, Frame::Accept);
        }
        Ok(())
    }

    /// The peer has mapped the pool that it was offered.
    pub(super) fn apply_accept(&mut self, id: u32) -> Result<(), Breach> {
        self.links.get_mut(id).and_then(|link| link.lends.as_mut()).ok_or(Breach)?.accepted = true;
        Ok(())
    }

    /// Memory that the peer has lent, or sent back.
    pub(super) fn take_loan(&mut self, id: u32, loan: Loan, options: u32) -> Result<Region, Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let pool = link.pool_of(loan, options & OF_READER != 0).ok_or(Breach)?;
        let address = pool.receive(loan).ok_or(Breach)?;
        Ok(Region::borrowed(address, loan.len as usize))
    }

    /// What a region is for a link's peer, if it is a loan of a pool that is shared with it: the loan, and what its item's options say of it. The region
    /// is used up then.
    pub(super) fn lend(&mut self, id: u32, region: Region) -> Result<(Loan, u32), Region> {
        let Some(link) = self.links.get_mut(id) else { return Err(region) };
        let mut region = region;
        for (pool, options) in link.pools() {
            match region.lend_from(pool) {
                Ok(loan) => return Ok((loan, options)),
                Err(other) => region = other,
            }
        }
        Err(region)
    }
}

/// A process, in 64 bits: its id, and the version of that.
pub(super) fn process_of(token: &audit_token_t) -> u64 {
    u64::from(token.val[5]) << 32 | u64::from(token.val[7])
}

/// Memory that a sender gives away with a message, as its descriptor says.
pub(super) struct Given {
    address: usize,
    len: u32,
    copy: u8,
}

impl Given {
    /// What these bytes behind a header give away, if they begin with a descriptor of such memory and no other.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let ([1, low, high, options, len], _) = <[u32; DESCRIPTOR_WORDS]>::read_from_prefix(bytes).ok()?
        else {
            return None;
        };
        let [deallocate, copy, _, kind] = options.to_le_bytes();
        let address = (u64::from(low) | u64::from(high) << 32) as usize;
        let sound = deallocate != 0 && kind == MACH_MSG_OOL_DESCRIPTOR && copy <= 1 && len > 0;
        sound.then_some(Self { address, len, copy })
    }
}

/// A loan that has come as a message's only item.
pub(super) struct Lent {
    loan: Loan,
    copy: u8,
    /// It is of this side's pool.
    comes_back: bool,
}

impl Lent {
    /// Reads a frame's item. `None` for one that is something else.
    pub(super) fn parse([kind, options, len, block, ticket]: [u32; ITEM_WORDS]) -> Option<Self> {
        let [of, copy, ..] = options.to_le_bytes();
        let sound = kind == ITEM_LOAN && of == MACH_MSG_OOL_DESCRIPTOR && copy <= 1;
        let comes_back = options & OF_READER != 0;
        sound.then_some(Self { loan: Loan { block, len, ticket }, copy, comes_back })
    }
}

impl Link {
    /// Makes an item of memory that is a loan for the peer, or of the peer's. `None`: it is none.
    pub(super) fn lend_given(&self, given: &Given) -> Option<[u32; ITEM_WORDS]> {
        let mut pools = self.pools();
        let (loan, options) = pools
            .find_map(|(pool, options)| Some((pool.send(given.address, given.len as usize)?, options)))?;
        let options = u32::from(MACH_MSG_OOL_DESCRIPTOR) | u32::from(given.copy) << 8 | options;
        Some([ITEM_LOAN, options, loan.len, loan.block, loan.ticket])
    }

    /// The pools that are shared with the peer, and what the options of an item say that is a loan of it.
    fn pools(&self) -> impl Iterator<Item = (&Pool, u32)> {
        let lent = self.lends.iter().map(|lender| (&*lender.pool, 0));
        lent.chain(self.borrows.iter().map(|pool| (&**pool, OF_READER)))
    }

    /// The pool of a loan that comes, from the peer or back. `None`: this side lends none, or has not lent this one.
    fn pool_of(&self, loan: Loan, comes_back: bool) -> Option<&Pool> {
        match (comes_back, &self.lends) {
            (false, _) => self.borrows.as_deref(),
            (true, Some(lender)) if lender.is_out(loan) => Some(&lender.pool),
            (true, _) => None,
        }
    }

    /// Whether such a loan can be one.
    pub(super) fn is_sound(&self, lent: &Lent) -> bool {
        self.pool_of(lent.loan, lent.comes_back).is_some_and(|pool| pool.place(lent.loan).is_some())
    }

    /// Takes a loan over. Returns the words behind the message's header. `None`: it cannot be one.
    pub(super) fn borrow(&self, lent: &Lent) -> Option<[u32; DESCRIPTOR_WORDS]> {
        let address = self.pool_of(lent.loan, lent.comes_back)?.receive(lent.loan)? as u64;
        let copy = lent.copy;
        let options = [u8::from(copy == MACH_MSG_VIRTUAL_COPY), copy, 0, MACH_MSG_OOL_DESCRIPTOR];
        Some([1, address as u32, (address >> 32) as u32, u32::from_le_bytes(options), lent.loan.len])
    }
}
