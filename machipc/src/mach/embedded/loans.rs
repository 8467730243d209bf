//! Pools of memory that a sender and a receiver share who trust each other: a memfd that both map. In front are words, as many as there are blocks;
//! then come the blocks. Each loan has a ticket, counted from the pool's first one on, which goes with it. Who has the loan last gives it back by
//! storing its ticket to the word that is the ticket's turn; so a loan comes back without a frame.
//!
//! The sender takes ranges one behind the other and begins again at the start when what was there has come back. Loans come back to it in the
//! order in which they were made: one that somebody keeps holds up those behind it, and when there is no room left
//! memory is allocated as if there were no pool.
//!
//! Who has a loan may also send it back to its lender, who has it then as if it had just been made.
//!
//! Only who gives loans back writes the words, and the sender reads them only now and then: the tickets of loans that follow each other are on
//! one cache line, which goes to and fro once for many of them.
//!
//! Invariants of [`Pool`]: (1) `base` is a shared mapping of `size` bytes that lives as long as the value, and the file is sealed against
//! shrinking; (2) `tickets` has the loans that were given to this task's program and have not come back; the value lives in `POOLS` at least as long.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use zerocopy::FromZeros;

use super::memory;
use super::near::{bring_near, claim};
use super::task::task;
use crate::mach::{
    KERN_FAILURE, KERN_NO_SPACE, KERN_SUCCESS, audit_token_t, kern_return_t, mach_port_name_t, vm_address_t,
    vm_size_t,
};

/// Bytes of a block.
const BLOCK: usize = 4096;
/// Bytes of the largest pool.
const SIZE_MAX: usize = 1 << 32;
/// A round is so many bytes, or eight loans. After one it is looked at what has come back, and who has room at the start begins there again: memory that
/// was used a moment ago is in the caches.
const ROUND: usize = 1 << 20;

/// The seals of a pool: its size is final. It stays writable.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// A bit of every ticket, so that none is 0.
const TICKET: u32 = 1 << 31;

/// Pools of this task. Few.
static POOLS: Mutex<Vec<Arc<Pool>>> = Mutex::new(Vec::new());

/// A pool, as one side has mapped it.
#[derive(Debug)]
pub(super) struct Pool {
    base: *mut u8,
    size: usize,
    /// A power of two.
    blocks: usize,
    /// The ticket of the loan that begins at a block, if this task's program has it; 0 else. Each is changed by who has that loan.
    tickets: Box<[AtomicU32]>,
    /// The link has ended: the pool goes when the last loan does.
    closed: AtomicBool,
}

// SAFETY: the pointer is to a mapping that no thread owns; words in it are atomics, and loans are their holders'.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: invariant 1; nobody uses the mapping once the value is gone.
        let _ = unsafe { rustix::mm::munmap(self.base.cast(), self.size) };
    }
}

/// A loan: its first block, its length in bytes and its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loan {
    pub(super) block: u32,
    pub(super) len: u32,
    pub(super) ticket: u32,
}

impl Pool {
    fn map(fd: BorrowedFd<'_>, blocks: usize) -> rustix::io::Result<Arc<Self>> {
        let size = file_size(blocks);
        let tickets = <[AtomicU32]>::new_box_zeroed_with_elems(blocks).map_err(|_| Errno::NOMEM)?;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe {
            rustix::mm::mmap(
                core::ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                fd,
                0,
            )
        }?;
        // SAFETY: mapped just now; the advice changes nothing in this process and keeps the memory from forked children.
        let _ = unsafe { rustix::mm::madvise(base, size, Advice::LinuxDontFork) };
        let closed = AtomicBool::new(false);
        let pool = Arc::new(Self { base: base.cast(), size, blocks, tickets, closed });
        pools().push(pool.clone());
        Ok(pool)
    }

    /// The pool that a peer offers. One without the seals, or of an odd size, is refused.
    pub(super) fn open(fd: &OwnedFd) -> rustix::io::Result<Arc<Self>> {
        let seals = rustix::fs::fcntl_get_seals(fd)?;
        let size = usize::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
        let blocks = (1..).find(|blocks| file_size(1 << blocks) >= size).map_or(0, |blocks| 1 << blocks);
        let whole = seals.contains(SEALS) && !seals.contains(SealFlags::WRITE) && file_size(blocks) == size;
        if !whole || size > 2 * SIZE_MAX {
            return Err(Errno::INVAL);
        }
        Self::map(fd.as_fd(), blocks)
    }

    /// The word whose turn a ticket is.
    fn word(&self, ticket: u32) -> &AtomicU32 {
        let index = ticket as usize % self.blocks;
        // SAFETY: invariant 1: the words are in front, as many as blocks; both sides access them atomically.
        unsafe { AtomicU32::from_ptr(self.base.cast::<u32>().wrapping_add(index)) }
    }

    fn address_of(&self, block: usize) -> usize {
        self.base.addr() + words_size(self.blocks) + block * BLOCK
    }

    /// Bytes that can be lent at a time.
    pub(super) fn capacity(&self) -> usize {
        self.blocks * BLOCK
    }

    /// The block where a loan begins that has come. `None`: it is not within the pool.
    pub(super) fn place(&self, loan: Loan) -> Option<usize> {
        let (block, count) = (loan.block as usize, (loan.len as usize).div_ceil(BLOCK));
        let within = count > 0 && block < self.blocks && count <= self.blocks - block;
        (within && loan.ticket & TICKET != 0).then_some(block)
    }

    /// The address of a loan that has come, which is this task's to give back. `None`: it is not within the pool.
    pub(super) fn receive(&self, loan: Loan) -> Option<usize> {
        let block = self.place(loan)?;
        self.tickets[block].store(loan.ticket, Ordering::Relaxed);
        self.base.expose_provenance();
        let address = self.address_of(block);
        bring_near(core::ptr::without_provenance(address));
        bring_near(core::ptr::without_provenance(address + loan.len as usize - 1));
        Some(address)
    }

    /// Whether a loan that this task has begins at an address.
    fn lends(&self, address: usize) -> bool {
        self.block_at(address).is_some_and(|block| self.tickets[block].load(Ordering::Relaxed) != 0)
    }

    /// The loan at an address, which leaves this task with a message.
    pub(super) fn send(&self, address: usize, len: usize) -> Option<Loan> {
        let block = self.block_at(address)?;
        let ticket = self.take_ticket(block)?;
        Some(Loan { block: block as u32, len: len as u32, ticket })
    }

    /// Takes the loan that begins at a block from this task.
    fn take_ticket(&self, block: usize) -> Option<u32> {
        let ticket = self.tickets[block].load(Ordering::Relaxed);
        // Not in one step: nobody else may do this with the same memory, and a locked instruction would wait here until what was just written
        // to the memory has left for it.
        self.tickets[block].store(0, Ordering::Relaxed);
        (ticket != 0).then_some(ticket)
    }

    /// Whether this task's program has loans.
    fn is_lent(&self) -> bool {
        self.tickets.iter().any(|ticket| ticket.load(Ordering::Relaxed) != 0)
    }

    /// The block that begins at an address.
    fn block_at(&self, address: usize) -> Option<usize> {
        let offset = address.checked_sub(self.address_of(0))?;
        (offset.is_multiple_of(BLOCK) && offset / BLOCK < self.blocks).then_some(offset / BLOCK)
    }

    /// The link has ended.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        sweep(&mut pools());
    }
}

/// Blocks of a round of loans that have so many each.
fn round(count: usize) -> usize {
    (ROUND / BLOCK).max(8 * count)
}

fn words_size(blocks: usize) -> usize {
    (blocks * size_of::<u32>()).next_multiple_of(BLOCK)
}

fn file_size(blocks: usize) -> usize {
    words_size(blocks) + blocks * BLOCK
}

/// The side of a pool that makes loans.
pub(super) struct Lender {
    pub(super) pool: Arc<Pool>,
    /// The peer has it mapped.
    pub(super) accepted: bool,
    /// Loans that were made and not seen to have come back, in the order in which they were made: the first block, and the ticket.
    made: VecDeque<(usize, u32)>,
    /// Where the next one goes.
    next: usize,
    /// How many were made.
    count: u32,
    /// Blocks that were lent since the last look at what has come back.
    unlooked: usize,
}

impl Lender {
    /// A new pool of at least `size` bytes, and the file to give to the peer.
    pub(super) fn create(size: usize) -> rustix::io::Result<(OwnedFd, Self)> {
        let blocks = size.clamp(ROUND, SIZE_MAX).div_ceil(BLOCK).next_power_of_two();
        let fd = rustix::fs::memfd_create("machipc-loans", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&fd, file_size(blocks) as u64)?;
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        let pool = Pool::map(fd.as_fd(), blocks)?;
        Ok((fd, Self { pool, accepted: false, made: VecDeque::new(), next: 0, count: 0, unlooked: 0 }))
    }

    /// Makes a loan of `len` bytes: its address.
    pub(super) fn allocate(&mut self, len: usize) -> Result<usize, kern_return_t> {
        let count = len.div_ceil(BLOCK);
        if !self.accepted || count == 0 || count > self.pool.blocks {
            return Err(KERN_FAILURE);
        }
        let mut place = None;
        if self.unlooked < round(count) {
            place = self.place(count);
        }
        if place.is_none() {
            self.take_back();
            place = self.place(count);
        }
        let first = place.ok_or(KERN_NO_SPACE)?;
        let ticket = self.count | TICKET;
        self.count = self.count.wrapping_add(1);
        (self.next, self.unlooked) = (first + count, self.unlooked + count);
        self.made.push_back((first, ticket));
        self.pool.tickets[first].store(ticket, Ordering::Relaxed);
        self.pool.base.expose_provenance();
        if let Some(next) = self.place(count) {
            // Mostly the next loan is as large.
            let start = self.pool.address_of(next);
            claim(core::ptr::without_provenance(start));
            claim(core::ptr::without_provenance(start + len - 1));
        }
        Ok(self.pool.address_of(first))
    }

    /// Whether a loan is the receiver's, as far as is known: it may send it back.
    pub(super) fn is_out(&self, loan: Loan) -> bool {
        let Some(&(_, oldest)) = self.made.front() else { return false };
        let made = self.made.get((loan.ticket.wrapping_sub(oldest) & !TICKET) as usize);
        let block = loan.block as usize;
        made == Some(&(block, loan.ticket))
            && self.pool.word(loan.ticket).load(Ordering::Relaxed) != loan.ticket
            && self.pool.tickets[block].load(Ordering::Relaxed) == 0
    }

    /// Where so many blocks in a row are free, as far as is known.
    fn place(&self, count: usize) -> Option<usize> {
        let Some(&(oldest, _)) = self.made.front() else { return Some(0) };
        if self.next <= oldest {
            return (count <= oldest - self.next).then_some(self.next);
        }
        // What is free is behind the last one, and in front of the oldest.
        let fits_behind = count <= self.pool.blocks - self.next;
        if count <= oldest && (self.next >= round(count) || !fits_behind) {
            return Some(0);
        }
        fits_behind.then_some(self.next)
    }

    /// Looks which loans have come back.
    fn take_back(&mut self) {
        // Acquire meets the Release of who gave it back: what that one has read or written is behind it.
        while let Some(&(_, ticket)) = self.made.front()
            && self.pool.word(ticket).load(Ordering::Acquire) == ticket
        {
            self.made.pop_front();
        }
        self.unlooked = 0;
    }
}

/// Takes a loan back whose holder gives it up. False: the address is in no pool.
pub(super) fn give_back(address: usize) -> bool {
    let mut pools = pools();
    let Some((pool, block)) = pools.iter().find_map(|pool| Some((pool, pool.block_at(address)?))) else {
        return false;
    };
    // Within a loan, or twice: nothing to give back, and nothing to unmap.
    if let Some(ticket) = pool.take_ticket(block) {
        pool.word(ticket).store(ticket, Ordering::Release);
    }
    if pool.closed.load(Ordering::Relaxed) {
        sweep(&mut pools);
    }
    true
}

/// Whether a loan begins there.
pub(super) fn is_loan(address: usize) -> bool {
    address.is_multiple_of(BLOCK) && pools().iter().any(|pool| pool.lends(address))
}

/// Lets go of pools that are not used any more.
fn sweep(pools: &mut Vec<Arc<Pool>>) {
    pools.retain(|pool| !pool.closed.load(Ordering::Relaxed) || pool.is_lent());
}

fn pools() -> MutexGuard<'static, Vec<Arc<Pool>>> {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock of the table above, around a fork.
pub(super) struct Held(MutexGuard<'static, Vec<Arc<Pool>>>);

pub(super) fn hold() -> Held {
    Held(pools())
}

impl Held {
    /// In a forked child: this memory did not come along, and its addresses are nobody's.
    pub(super) fn abandon(&mut self) {
        for pool in self.0.drain(..) {
            memory::keep_empty(pool.base.addr(), pool.size);
            core::mem::forget(pool);
        }
    }
}

// ---- The seam's calls

pub(in super::super) fn loan_allow(name: mach_port_name_t) -> kern_return_t {
    match task().with(|kernel| kernel.allow_loans(name)) {
        Ok(()) => KERN_SUCCESS,
        Err(code) => code,
    }
}

pub(in super::super) fn loan_offer(name: mach_port_name_t, size: vm_size_t) -> kern_return_t {
    match task().with(|kernel| kernel.offer_loans(name, size)) {
        Ok(()) => KERN_SUCCESS,
        Err(code) => code,
    }
}

/// # Safety
/// `address` is valid for one write.
pub(in super::super) unsafe fn loan_allocate(
    name: mach_port_name_t,
    size: vm_size_t,
    address: *mut vm_address_t,
) -> kern_return_t {
    match task().with(|kernel| kernel.allocate_loan(name, size)) {
        Ok(loan) => {
            // SAFETY: the caller's word.
            unsafe { address.write_unaligned(loan) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

/// # Safety
/// `address` is valid for one write.
pub(in super::super) unsafe fn loan_allocate_to(
    process: &audit_token_t,
    size: vm_size_t,
    address: *mut vm_address_t,
) -> kern_return_t {
    match task().with(|kernel| kernel.allocate_loan_to(process, size)) {
        Ok(loan) => {
            // SAFETY: the caller's word.
            unsafe { address.write_unaligned(loan) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lender(size: usize) -> Lender {
        let (_, mut lender) = Lender::create(size).unwrap();
        lender.accepted = true;
        lender
    }

    #[test]
    fn loans_do_not_overlap_and_come_back() {
        let mut lender = lender(ROUND);
        let mut held: Vec<(usize, usize)> = Vec::new();
        let mut state = 1_u32;
        for _ in 0..100_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = 1 + (state >> 8) as usize % 200_000;
            match lender.allocate(len) {
                Ok(address) => {
                    let end = address + len.next_multiple_of(BLOCK);
                    assert!(end <= lender.pool.address_of(0) + ROUND);
                    assert!(held.iter().all(|&(from, to)| end <= from || to <= address), "they overlap");
                    held.push((address, end));
                }
                Err(code) => {
                    assert_eq!(code, KERN_NO_SPACE);
                    assert!(!held.is_empty(), "an empty pool has room");
                    let index = state as usize % held.len();
                    assert!(give_back(held.swap_remove(index).0));
                }
            }
        }
        held.into_iter().for_each(|(address, _)| assert!(give_back(address)));
        assert!(lender.allocate(ROUND).is_ok());
        assert_eq!(lender.allocate(1), Err(KERN_NO_SPACE));
        assert_eq!(lender.allocate(ROUND + 1), Err(KERN_FAILURE));
    }

    #[test]
    fn what_is_out_may_be_sent_back() {
        let mut lender = lender(ROUND);
        let lend = |lender: &mut Lender| {
            let address = lender.allocate(5000).unwrap();
            (address, lender.pool.send(address, 5000).unwrap())
        };
        lender.count = TICKET - 1;
        let [(_, given_up), (address, loan), (_, other)] = [(); 3].map(|()| lend(&mut lender));
        lender.pool.word(given_up.ticket).store(given_up.ticket, Ordering::Release);
        assert!(!lender.is_out(given_up) && lender.is_out(loan) && lender.is_out(other));
        assert!(!lender.is_out(Loan { block: loan.block + 1, ..loan }));
        assert!(!lender.is_out(Loan { ticket: other.ticket, ..loan }));
        assert!(!lender.is_out(Loan { ticket: other.ticket + 1, ..loan }));
        lender.take_back();
        assert!(!lender.is_out(given_up) && lender.is_out(loan));
        assert_eq!(lender.pool.receive(loan), Some(address));
        assert!(!lender.is_out(loan), "it is this side's");
        assert!(give_back(address) && !lender.is_out(loan));
        lender.pool.close();
    }

    #[test]
    fn a_pool_outlives_its_link_while_loans_are_out() {
        let mut lender = lender(ROUND);
        let address = lender.allocate(5).unwrap();
        lender.pool.close();
        drop(lender);
        assert!(is_loan(address));
        assert!(give_back(address));
        assert!(!is_loan(address));
    }

    #[test]
    fn what_a_peer_offers_is_looked_at() {
        let (fd, lender) = Lender::create(ROUND).unwrap();
        let pool = Pool::open(&fd).unwrap();
        assert_eq!(pool.blocks, lender.pool.blocks);
        for (block, len) in [(0, 0), (u32::MAX, 1), (255, 4097), (256, 1), (0, 1 << 21)] {
            assert_eq!(pool.receive(Loan { block, len, ticket: TICKET }), None);
        }
        assert_eq!(pool.receive(Loan { block: 0, len: 1, ticket: 0 }), None);
        assert!(pool.receive(Loan { block: 255, len: 4096, ticket: u32::MAX }).is_some());
        let unsealed = rustix::fs::memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&unsealed, file_size(256) as u64).unwrap();
        assert!(Pool::open(&unsealed).is_err());
        rustix::fs::ftruncate(&unsealed, 12345).unwrap();
        rustix::fs::fcntl_add_seals(&unsealed, SEALS).unwrap();
        assert!(Pool::open(&unsealed).is_err());
        lender.pool.close();
        pool.close();
    }
}
