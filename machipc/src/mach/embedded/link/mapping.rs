//! The memory of a link: a sealed memfd that both processes map. The protocol of what lies in it is `ring`'s.
//!
//! Invariants of [`Mapping`]: (1) `base` is a shared mapping of `SIZE` bytes that lives as long as one of its handles; (2) the file behind it is
//! sealed against shrinking, so that no access faults. A peer that races with a copy makes the copied bytes meaningless, not the copy: it is
//! bytes to bytes. Whether Rust's memory model blesses a copy that another process races with is not settled; every implementation of
//! shared-memory transports rests on it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::super::near;
use super::super::room::Room;
use super::ring::{Control, Shared};

/// Control words, then the two rings.
const CONTROL: usize = 4096;
const SIZE: usize = CONTROL + 2 * Mapping::CAPACITY as usize;

/// The seals of a link's memory: its size is final. It stays writable.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Bytes between the control words of the two directions.
const DIRECTION: usize = 512;

/// Where a direction's control words lie, each on a cache line of its own and away from its neighbour's.
const fn offset(control: Control) -> usize {
    match control {
        Control::Tail => 0,
        Control::Head => 128,
        Control::Armed => 256,
        // Written rarely; not on the line that the other side writes when it sleeps.
        Control::Processor => 320,
        Control::Reachable => 324,
        Control::Starved => 384,
    }
}

/// The memory of a link in this process: a handle, in which the address is at hand.
#[derive(Clone)]
pub(in super::super) struct Mapping {
    base: *mut u8,
    /// The file's number: both sides can tell by it which link they speak of.
    number: u64,
    /// Keeps the memory.
    _mapped: Arc<Mapped>,
}

// SAFETY: the pointer is to a mapping that no thread owns; words in it are atomics, and data is copied under the roles of `Producer` and
// `Consumer`, of which there is one each per direction and process.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

/// What the last handle unmaps. The address is kept as a number, which any thread may have.
struct Mapped(usize);

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: invariant 1; nobody uses the mapping once the last handle is gone.
        let _ = unsafe { rustix::mm::munmap(core::ptr::with_exposed_provenance_mut(self.0), SIZE) };
    }
}

/// New memory, and the file to give to the peer.
pub(super) fn create() -> rustix::io::Result<(OwnedFd, Mapping)> {
    let fd = rustix::fs::memfd_create("machipc-link", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, SIZE as u64)?;
    rustix::fs::fcntl_add_seals(&fd, SEALS)?;
    let mapping = Mapping::map(fd.as_fd())?;
    Ok((fd, mapping))
}

/// Maps memory that the peer made. Memory without the seals, or of another size, is refused.
pub(super) fn open(fd: &OwnedFd) -> rustix::io::Result<Mapping> {
    let seals = rustix::fs::fcntl_get_seals(fd)?;
    let size = rustix::fs::fstat(fd)?.st_size;
    if !seals.contains(SEALS) || seals.contains(SealFlags::WRITE) || size != SIZE as i64 {
        return Err(rustix::io::Errno::INVAL);
    }
    Mapping::map(fd.as_fd())
}

impl Mapping {
    fn map(fd: BorrowedFd<'_>) -> rustix::io::Result<Self> {
        let number = rustix::fs::fstat(fd)?.st_ino;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe {
            rustix::mm::mmap(
                core::ptr::null_mut(),
                SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                fd,
                0,
            )
        }?;
        // SAFETY: mapped just now; the advice changes nothing in this process and keeps the memory from forked children.
        let _ = unsafe { rustix::mm::madvise(base, SIZE, Advice::LinuxDontFork) };
        let mapped = Arc::new(Mapped(base.expose_provenance()));
        Ok(Self { base: base.cast(), number, _mapped: mapped })
    }

    /// The number of the memory, the same on both sides and of no other link's.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    #[inline]
    fn data(&self, direction: usize, position: u32, len: usize) -> *mut u8 {
        let within = (position % Self::CAPACITY) as usize;
        debug_assert!(direction < 2 && within + len <= Self::CAPACITY as usize);
        self.base.wrapping_add(CONTROL + direction * Self::CAPACITY as usize + within)
    }
}

/// Copies bytes that do not overlap. The system's copy of many bytes is one instruction for all of them where the processor has one, and on some that
/// takes twenty times as long where the two addresses differ modulo 64; its copy of a few is a loop. So many become a few at a time there.
///
/// # Safety
/// As `copy_nonoverlapping`.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    const FEW: usize = 2048;
    let mut at = 0;
    let differ = !(from.addr() ^ to.addr()).is_multiple_of(64);
    while differ && len - at > FEW {
        // SAFETY: a part of what the caller vouches for.
        unsafe { core::ptr::copy_nonoverlapping(from.wrapping_add(at), to.wrapping_add(at), FEW) };
        at += FEW;
    }
    // SAFETY: the rest of what the caller vouches for.
    unsafe { core::ptr::copy_nonoverlapping(from.wrapping_add(at), to.wrapping_add(at), len - at) };
}

impl Shared for Mapping {
    type Word = AtomicU32;

    const CAPACITY: u32 = 256 * 1024;

    #[inline]
    fn word(&self, direction: usize, control: Control) -> &AtomicU32 {
        let at = self.base.wrapping_add(direction * DIRECTION + offset(control)).cast::<u32>();
        // SAFETY: invariant 1: inside the mapping, aligned; both processes access it atomically, and what a hostile one does instead is
        // what a store to it could do.
        unsafe { AtomicU32::from_ptr(at) }
    }

    #[inline]
    fn copy_in(&self, direction: usize, position: u32, bytes: &[u8]) {
        let to = self.data(direction, position, bytes.len());
        // SAFETY: the bytes end at the ring's end at the latest, so the target lies in the mapping (invariant 1).
        unsafe { copy(bytes.as_ptr(), to, bytes.len()) };
    }

    #[inline]
    fn copy_out(&self, direction: usize, position: u32, bytes: &mut [u8]) {
        let from = self.data(direction, position, bytes.len());
        // SAFETY: the bytes end at the ring's end at the latest, so the source lies in the mapping (invariant 1).
        unsafe { copy(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    #[inline]
    fn words<const N: usize>(&self, direction: usize, position: u32) -> [u64; N] {
        let from = self.data(direction, position, 8 * N).cast::<u64>();
        // SAFETY: as in `copy_out`. Volatile, so that the words are not copied to where they are then read in other widths, which has to wait until
        // they have left the processor's buffer of stores.
        core::array::from_fn(|index| unsafe { from.wrapping_add(index).read_volatile() })
    }

    #[inline]
    fn prefetch(&self, direction: usize, position: u32, len: u32) {
        for line in (0..len).step_by(near::LINE) {
            near::bring_near(self.data(direction, position.wrapping_add(line), 1));
        }
    }

    #[inline]
    fn claim(&self, direction: usize, position: u32, len: u32) {
        for line in (0..len).step_by(near::LINE) {
            near::claim(self.data(direction, position.wrapping_add(line), 1));
        }
    }

    #[inline]
    fn copy_into(&self, direction: usize, position: u32, room: &mut Room, at: usize, len: usize) {
        let from = self.data(direction, position, len);
        let place = room.place(at, len);
        // SAFETY: as in `copy_out`; `place` is writable for `len` bytes.
        unsafe { copy(from, place, len) };
        if at == room.copied() {
            // SAFETY: what is in front was written before, by the value's invariant, and these bytes just now.
            unsafe { room.has_copied(at + len) };
        }
    }
}
