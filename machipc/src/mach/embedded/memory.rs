//! Out-of-line memory: private mappings that travel with messages, and `vm_allocate`.
//!
//! Invariants of [`Region`]: (1) it covers whole pages that this value alone may unmap; (2) the first `len` bytes from
//! `address` are readable and writable; (3) nothing else reads or writes them while the value lives.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::loans::{self, Loan, Pool};
use super::message::Charge;
use super::reuse::{ReusedGuard, reused};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// From this size on `vm_allocate` backs memory with a memfd, so that it can leave for another process without a copy.
/// Below it the descriptor would cost more than the copy.
const SHARED_MIN: usize = 256 * 1024;

/// The seals without which a peer's memory is not mapped: nothing can change or shrink any more.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW);

/// What `statfs` says of memfds of ordinary pages: `TMPFS_MAGIC`.
const TMPFS: u64 = 0x0102_1994;

/// Memory of `vm_allocate` that a memfd backs: length in bytes and the memfd, by address.
static SHARED: Mutex<BTreeMap<usize, (usize, OwnedFd)>> = Mutex::new(BTreeMap::new());

/// Why memory could not be taken or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoryError {
    /// Some byte cannot be read.
    Unreadable,
    /// The system has no memory, mapping or descriptor left.
    Exhausted,
    /// A peer's descriptor is not sealed memory of the size it claimed.
    Unsealed,
}

/// Memory that is on its way: mapped, private, owned.
#[derive(Debug)]
pub(super) struct Region {
    address: usize,
    len: usize,
    /// What it takes of what its sender may have here.
    charge: Option<Charge>,
    /// It is the task's memory still: a message is being made of it, and until the message has it, it stays where it is.
    of_task: bool,
}

impl Drop for Region {
    fn drop(&mut self) {
        if !self.of_task {
            unmap(self.address, self.len);
        }
    }
}

impl Region {
    /// New zeroed memory.
    pub(super) fn zeroed(len: usize) -> Result<Self, MemoryError> {
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                core::ptr::null_mut(),
                page_ceil(len),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let address = mapped.map_err(|_| MemoryError::Exhausted)? as usize;
        Ok(Self { address, len, charge: None, of_task: false })
    }

    /// Memory that holds anything, to be filled: such as was used before, if there is some. What lies behind the last byte is zero.
    pub(super) fn reused(len: usize) -> Result<Self, MemoryError> {
        let size = page_ceil(len);
        let found = reused().take(size);
        let mut region = match found {
            Some(address) => Self { address, len, charge: None, of_task: false },
            None => {
                let region = Self::zeroed(len)?;
                // SAFETY: mapped just now; the advice changes no byte. It spares most of the page faults, where the system follows it.
                let _ = unsafe { rustix::mm::madvise(region.address as *mut _, size, Advice::LinuxHugepage) };
                region
            }
        };
        reused().lend(region.address, size);
        region.slack_mut().fill(0);
        Ok(region)
    }

    /// The same memory, which stays the task's until [`taken`](Self::taken).
    pub(super) fn of_task(self) -> Self {
        let mut region = self;
        region.of_task = true;
        region
    }

    /// The same memory, as that of a message that has been accepted.
    pub(super) fn taken(self) -> Self {
        let mut region = self;
        region.of_task = false;
        region
    }

    /// The same memory, counted until it is given to the task.
    pub(super) fn charged(self, charge: Charge) -> Self {
        let mut region = self;
        region.charge = Some(charge);
        region
    }

    /// A loan, which goes back to its pool with the value.
    pub(super) fn borrowed(address: usize, len: usize) -> Self {
        Self { address, len, charge: None, of_task: false }
    }

    /// Makes a loan of a pool of what is one. The value is used up then.
    pub(super) fn lend_from(self, pool: &Pool) -> Result<Loan, Self> {
        match pool.send(self.address, self.len) {
            Some(loan) => {
                core::mem::forget(self);
                Ok(loan)
            }
            None => Err(self),
        }
    }

    /// A copy of `len` bytes at `address`.
    ///
    /// # Safety
    /// What is mapped there may be read, and nobody unmaps it meanwhile.
    pub(super) unsafe fn snapshot(address: usize, len: usize) -> Result<Self, MemoryError> {
        check_readable(address, len)?;
        let region = Self::zeroed(len)?;
        // SAFETY: the source was found readable and the caller keeps it mapped; the target is invariants 1 and 2; a fresh
        // mapping overlaps nothing.
        unsafe { core::ptr::copy_nonoverlapping(address as *const u8, region.address as *mut u8, len) };
        Ok(region)
    }

    /// The pages that `len` bytes at `address` touch, taken from their owner as they are. What lies in them beside these bytes is
    /// zeroed.
    ///
    /// # Safety
    /// The caller gives up these pages, which are mapped readable and writable.
    pub(super) unsafe fn adopt(address: usize, len: usize) -> Self {
        let (start, end) = (page_floor(address), page_ceil(address + len));
        for (from, to) in [(start, address), (address + len, end)] {
            if to > from {
                // SAFETY: the range lies in the pages that the caller gives up.
                unsafe { core::ptr::write_bytes(from as *mut u8, 0, to - from) };
            }
        }
        Self { address, len, charge: None, of_task: false }
    }

    /// A copy of bytes that are in private memory already.
    pub(super) fn copy_of(bytes: &[u8]) -> Result<Self, MemoryError> {
        let mut region = Self::zeroed(bytes.len())?;
        region.as_mut_slice().copy_from_slice(bytes);
        Ok(region)
    }

    /// Maps `len` bytes of a peer's sealed memfd, copy-on-write.
    pub(super) fn from_memfd(fd: OwnedFd, len: usize) -> Result<Self, MemoryError> {
        let seals = rustix::fs::fcntl_get_seals(&fd).map_err(|_| MemoryError::Unsealed)?;
        let size = rustix::fs::fstat(&fd).map_err(|_| MemoryError::Unsealed)?.st_size;
        // Other file systems have seals, too, but pages of other sizes.
        let plain = rustix::fs::fstatfs(&fd).is_ok_and(|stat| stat.f_type as u64 == TMPFS);
        if !plain
            || !seals.contains(SEALS)
            || len == 0
            || u64::try_from(size).is_ok_and(|size| size < len as u64)
        {
            return Err(MemoryError::Unsealed);
        }
        // SAFETY: no address is asked for; the seals keep the file from changing or shrinking below the mapping.
        let mapped = unsafe {
            rustix::mm::mmap(
                core::ptr::null_mut(),
                page_ceil(len),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
                &fd,
                0,
            )
        };
        let address = mapped.map_err(|_| MemoryError::Exhausted)? as usize;
        let mut region = Self { address, len, charge: None, of_task: false };
        let slack = page_ceil(len) - len;
        // A peer may have left something behind the last byte it speaks of; the slack must read as zero.
        if slack > 0 && size as u64 > len as u64 {
            region.slack_mut().fill(0);
        }
        Ok(region)
    }

    /// Turns the memory into a sealed memfd: without a copy where it is one already. Without a descriptor or memory left it comes back; `None`
    /// where it is somebody else's too, and there is no memory for a copy: it is lost.
    pub(super) fn into_memfd(self) -> Result<OwnedFd, Option<Self>> {
        let held = {
            let mut shared = shared();
            match shared.get(&self.address) {
                Some((len, _)) if *len == page_ceil(self.len) => shared.remove(&self.address),
                _ => None,
            }
        };
        let Some((_, fd)) = held else {
            return memfd_of(self.as_slice()).map_err(|_| Some(self));
        };
        // A writable mapping would forbid the seal, so it goes first.
        let len = self.len;
        drop(self);
        let exact = rustix::fs::ftruncate(&fd, len as u64).is_ok();
        if exact && rustix::fs::fcntl_add_seals(&fd, SEALS | SealFlags::SEAL).is_ok() {
            return Ok(fd);
        }
        // Somebody else has it mapped: a copy goes.
        let mut copy = Self::zeroed(len).map_err(|_| None)?;
        read_file(&fd, copy.as_mut_slice());
        memfd_of(copy.as_slice()).map_err(|_| Some(copy))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        // SAFETY: invariants 2 and 3.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.len) }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: invariants 2 and 3.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut u8, self.len) }
    }

    fn slack_mut(&mut self) -> &mut [u8] {
        let end = page_ceil(self.address + self.len);
        // SAFETY: invariant 1: the whole last page is this value's.
        unsafe {
            core::slice::from_raw_parts_mut(
                (self.address + self.len) as *mut u8,
                end - self.address - self.len,
            )
        }
    }

    /// Gives the memory to the task: address of the first byte. `unmap` frees it from now on.
    pub(super) fn into_address(mut self) -> usize {
        let address = self.address;
        self.charge = None;
        core::mem::forget(self);
        address
    }
}

/// Whether exactly this range is memory of `vm_allocate` that a memfd backs.
pub(super) fn is_shared(address: usize, len: usize) -> bool {
    shared().get(&address).is_some_and(|(size, _)| *size == page_ceil(len))
}

/// `vm_allocate` anywhere: address of `len` zeroed bytes, page-aligned.
pub(super) fn allocate(len: usize) -> Result<usize, MemoryError> {
    if len < SHARED_MIN {
        return Ok(Region::zeroed(len)?.into_address());
    }
    let size = page_ceil(len);
    let Ok(fd) = memfd(size) else {
        return Ok(Region::zeroed(len)?.into_address());
    };
    // SAFETY: no address is asked for, so no existing mapping is touched.
    let mapped = unsafe {
        rustix::mm::mmap(
            core::ptr::null_mut(),
            size,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            &fd,
            0,
        )
    };
    let address = mapped.map_err(|_| MemoryError::Exhausted)? as usize;
    // A forked child must not share memory with its parent, nor keep it from being sealed.
    // SAFETY: the range was mapped just now; the advice changes nothing in this process.
    let _ = unsafe { rustix::mm::madvise(address as *mut _, size, Advice::LinuxDontFork) };
    shared().insert(address, (size, fd));
    Ok(address)
}

/// `vm_allocate` at a fixed address.
///
/// # Safety
/// Nothing uses that range.
pub(super) unsafe fn allocate_fixed(address: usize, len: usize) -> Result<usize, MemoryError> {
    let start = page_floor(address);
    let flags = MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE;
    // SAFETY: the caller says that nothing uses the range, and the flag refuses to replace a mapping.
    let mapped = unsafe {
        rustix::mm::mmap_anonymous(
            start as *mut _,
            page_ceil(address + len) - start,
            ProtFlags::READ | ProtFlags::WRITE,
            flags,
        )
    };
    mapped.map(|mapped| mapped as usize).map_err(|_| MemoryError::Exhausted)
}

/// Unmaps every page that `len` bytes at `address` touch.
pub(super) fn unmap(address: usize, len: usize) {
    if len == 0 {
        return;
    }
    let (start, end) = (page_floor(address), page_ceil(address.saturating_add(len)));
    if loans::give_back(start) || reused().give_back(start, end - start) {
        return;
    }
    shared().retain(|&at, (size, _)| at + *size <= start || at >= end);
    // SAFETY: every caller owns these pages: `Region` by its invariant 1, `vm_deallocate` and moved memory by their callers' word.
    let _ = unsafe { rustix::mm::munmap(start as *mut _, end - start) };
}

/// Whether every byte of the range can be read.
pub(super) fn check_readable(address: usize, len: usize) -> Result<(), MemoryError> {
    if len == 0 {
        return Ok(());
    }
    let Some(end) = address.checked_add(len).filter(|end| *end <= usize::MAX - page_size()) else {
        return Err(MemoryError::Unreadable);
    };
    let start = page_floor(address);
    // SAFETY: populating for reading changes no byte.
    match unsafe { rustix::mm::madvise(start as *mut _, page_ceil(end) - start, Advice::LinuxPopulateRead) } {
        // Kernels before 5.14 do not know the advice; there the caller's word has to do.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(_) => Err(MemoryError::Unreadable),
    }
}

thread_local! {
    /// The range that this thread last found writable.
    static WRITABLE: core::cell::Cell<(usize, usize)> = const { core::cell::Cell::new((0, 0)) };
}

/// Whether the range lies in the one that was last found writable.
pub(super) fn is_known_writable(address: usize, len: usize) -> bool {
    let (from, to) = WRITABLE.get();
    from <= address && address.checked_add(len).is_some_and(|end| end <= to)
}

/// Whether every byte of the range can be written. The range found so last is remembered: a program receives into the same buffer again and
/// again, and a call a message would cost more than the message.
pub(super) fn check_writable(address: usize, len: usize) -> Result<(), MemoryError> {
    if is_known_writable(address, len) {
        return Ok(());
    }
    let Some(end) = address.checked_add(len).filter(|end| *end <= usize::MAX - page_size()) else {
        return Err(MemoryError::Unreadable);
    };
    let start = page_floor(address);
    let end = page_ceil(end);
    // SAFETY: populating for writing changes no byte.
    match unsafe { rustix::mm::madvise(start as *mut _, end - start, Advice::LinuxPopulateWrite) } {
        // Kernels before 5.14 do not know the advice; there the caller's word has to do.
        Ok(()) | Err(rustix::io::Errno::INVAL) => {
            WRITABLE.set((start, end));
            Ok(())
        }
        Err(_) => Err(MemoryError::Unreadable),
    }
}

/// A sealed memfd that holds these bytes.
pub(super) fn memfd_of(bytes: &[u8]) -> Result<OwnedFd, MemoryError> {
    let fd = memfd(0).map_err(|_| MemoryError::Exhausted)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(&fd, rest) {
            Ok(count) if count > 0 => rest = &rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            _ => return Err(MemoryError::Exhausted),
        }
    }
    rustix::fs::fcntl_add_seals(&fd, SEALS | SealFlags::SEAL).map_err(|_| MemoryError::Exhausted)?;
    Ok(fd)
}

/// Reads a file of our own from its beginning.
fn read_file(fd: &OwnedFd, bytes: &mut [u8]) {
    let mut at = 0;
    while at < bytes.len() {
        match rustix::io::pread(fd, &mut bytes[at..], at as u64) {
            Ok(count) if count > 0 => at += count,
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

fn memfd(size: usize) -> rustix::io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("machipc-memory", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(fd.as_fd(), size as u64)?;
    Ok(fd)
}

/// The lock of the table above, and that of memory that is reused, around a fork.
pub(super) struct Held {
    shared: MutexGuard<'static, BTreeMap<usize, (usize, OwnedFd)>>,
    _reused: ReusedGuard,
}

impl Held {
    /// In a forked child: this memory did not come along.
    pub(super) fn abandon(&mut self) {
        self.shared.iter().for_each(|(&address, (size, _))| keep_empty(address, *size));
        self.shared.clear();
    }
}

/// In a forked child: keeps the range of memory that did not come along from becoming something else. A value of the parent's that names a part of it may
/// be dropped here, and would unmap that.
pub(super) fn keep_empty(address: usize, size: usize) {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
    // SAFETY: the flag refuses to replace a mapping.
    let _ = unsafe { rustix::mm::mmap_anonymous(address as *mut _, size, ProtFlags::empty(), flags) };
}

pub(super) fn hold() -> Held {
    Held { shared: shared(), _reused: reused() }
}

fn shared() -> MutexGuard<'static, BTreeMap<usize, (usize, OwnedFd)>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn page_size() -> usize {
    rustix::param::page_size()
}

fn page_floor(address: usize) -> usize {
    address & !(page_size() - 1)
}

pub(super) fn page_ceil(address: usize) -> usize {
    (address + page_size() - 1) & !(page_size() - 1)
}
