//! Pools between the two sides of a link (see `loans`): one for each direction, offered by who sends.

use std::os::fd::OwnedFd;

use super::super::kernel::Kernel;
use super::super::loans::{Lender, Loan, Pool};
use super::super::memory::Region;
use super::super::port::Home;
use super::super::space::Object;
use super::{Breach, Export, Frame};
use crate::mach::{
    KERN_FAILURE, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE, kern_return_t, mach_port_name_t,
};

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
}
