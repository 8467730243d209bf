//! Two byte rings in memory that both processes map: one each way, each with one writer and one reader.
//!
//! The peer may be malicious and can write anything anywhere in this memory at any time. So three rules hold: no reference into the
//! memory is ever made but to atomics; positions that the peer wrote are checked before use and our own are kept privately; data is
//! copied out once and only the copy is looked at.
//!
//! Invariants of [`Memory`]: (1) `base` is a shared mapping of `SIZE` bytes that lives as long as the value; (2) the file behind it is sealed
//! against shrinking, so that no access faults. A peer that races with a copy makes the copied bytes meaningless, not the copy: it is
//! bytes to bytes. Whether Rust's memory model blesses a copy that another process races with is not settled; every implementation of
//! shared-memory transports rests on it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// Bytes of one ring; a power of two.
pub(in super::super) const CAPACITY: u32 = 256 * 1024;

/// Control words, then the two rings.
const CONTROL: usize = 4096;
const SIZE: usize = CONTROL + 2 * CAPACITY as usize;

/// The seals of a link's memory: its size is final. It stays writable.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Offsets of a direction's control words, each on a cache line of its own.
const TAIL: usize = 0;
const HEAD: usize = 128;
const ARMED: usize = 256;
const STARVED: usize = 384;
const DIRECTION: usize = 512;

/// The memory of a link.
struct Memory {
    base: *mut u8,
    /// The file's number: both sides can tell by it which link they speak of.
    number: u64,
}

// SAFETY: the pointer is to a mapping that no thread owns; words in it are atomics, and data is copied under the roles of `Producer` and
// `Consumer`, of which there is one each per direction and process.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: invariant 1; nobody uses the mapping once the value is gone.
        let _ = unsafe { rustix::mm::munmap(self.base.cast(), SIZE) };
    }
}

impl Memory {
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
        Ok(Self { base: base.cast(), number })
    }

    fn word(&self, direction: usize, offset: usize) -> &AtomicU32 {
        let at = self.base.wrapping_add(direction * DIRECTION + offset).cast::<u32>();
        // SAFETY: invariant 1: inside the mapping, aligned; both processes access it atomically, and what a hostile one does instead is
        // what a store to it could do.
        unsafe { AtomicU32::from_ptr(at) }
    }

    fn data(&self, direction: usize, position: u32) -> *mut u8 {
        let at = CONTROL + direction * CAPACITY as usize + (position % CAPACITY) as usize;
        self.base.wrapping_add(at)
    }
}

/// New link memory: the memfd to give to the peer, and this side's ends. This side writes direction 0.
pub(super) fn create() -> rustix::io::Result<(OwnedFd, Producer, Consumer)> {
    let fd = rustix::fs::memfd_create("machipc-link", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, SIZE as u64)?;
    rustix::fs::fcntl_add_seals(&fd, SEALS)?;
    let (producer, consumer) = ends(Memory::map(fd.as_fd())?, 0);
    Ok((fd, producer, consumer))
}

/// Maps link memory that the peer made. This side writes direction 1. Memory without the seals, or of another size, is refused.
pub(super) fn open(fd: &OwnedFd) -> rustix::io::Result<(Producer, Consumer)> {
    let seals = rustix::fs::fcntl_get_seals(fd)?;
    let size = rustix::fs::fstat(fd)?.st_size;
    if !seals.contains(SEALS) || seals.contains(SealFlags::WRITE) || size != SIZE as i64 {
        return Err(rustix::io::Errno::INVAL);
    }
    Ok(ends(Memory::map(fd.as_fd())?, 1))
}

fn ends(memory: Memory, writes: usize) -> (Producer, Consumer) {
    let memory = Arc::new(memory);
    let producer = Producer { memory: memory.clone(), direction: writes, tail: 0, head: 0 };
    let reads = 1 - writes;
    let seen = Arc::new(AtomicU32::new(0));
    (producer, Consumer { memory, direction: reads, head: 0, seen })
}

/// A peer broke the ring's rules: the link is to be closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// The writing end. It lives under the kernel's lock, so there is one writer.
pub(super) struct Producer {
    memory: Arc<Memory>,
    direction: usize,
    /// Where the next byte goes; ours alone.
    tail: u32,
    /// The reader's position when last looked at.
    head: u32,
}

impl Producer {
    /// The number of the link's memory, the same on both sides and of no other link's.
    pub(super) fn memory_number(&self) -> u64 {
        self.memory.number
    }

    /// How many bytes can be written.
    pub(super) fn room(&mut self, wanted: u32) -> Result<u32, Corrupt> {
        let room = CAPACITY - self.tail.wrapping_sub(self.head);
        if room >= wanted {
            return Ok(room);
        }
        // Acquire meets the reader's Release in `advance`: it has finished reading what we overwrite.
        let head = self.memory.word(self.direction, HEAD).load(Ordering::Acquire);
        let used = self.tail.wrapping_sub(head);
        if used > CAPACITY {
            // What is kept stays a position that was checked: the link may be written to until it is closed.
            return Err(Corrupt);
        }
        self.head = head;
        Ok(CAPACITY - used)
    }

    /// Appends bytes for which there is room. The reader sees them after `publish`.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let first = bytes.len().min((CAPACITY - self.tail % CAPACITY) as usize);
        for part in [&bytes[..first], &bytes[first..]] {
            let to = self.memory.data(self.direction, self.tail);
            // SAFETY: `part` ends at the ring's end at the latest, so the target lies in the mapping (invariant 1).
            unsafe { core::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len()) };
            self.tail = self.tail.wrapping_add(part.len() as u32);
        }
    }

    /// Makes everything written visible. Returns whether the reader sleeps and wants a bell.
    pub(super) fn publish(&self) -> bool {
        // Release meets the reader's Acquire in `available`.
        self.memory.word(self.direction, TAIL).store(self.tail, Ordering::Release);
        // The fence orders this store before the load of `armed`; its partner stands in `Consumer::arm`. One of the two sides sees the
        // other, so no wake-up is lost.
        fence(Ordering::SeqCst);
        let armed = self.memory.word(self.direction, ARMED);
        armed.load(Ordering::Relaxed) != 0 && armed.swap(0, Ordering::Relaxed) != 0
    }

    /// Asks the reader for a bell when it has made room. Returns whether there is room already.
    pub(super) fn starve(&mut self) -> Result<bool, Corrupt> {
        self.memory.word(self.direction, STARVED).store(1, Ordering::Relaxed);
        // Partner: the fence in `Consumer::advance`.
        fence(Ordering::SeqCst);
        Ok(self.room(CAPACITY)? > 0)
    }
}

/// The reading end. It lives under the kernel's lock, so there is one reader.
pub(super) struct Consumer {
    memory: Arc<Memory>,
    direction: usize,
    /// Where the next byte comes from; ours alone.
    head: u32,
    /// `head`, for threads that watch without the lock.
    seen: Arc<AtomicU32>,
}

impl Consumer {
    /// How many bytes were read, modulo 2^32.
    pub(super) fn position(&self) -> u32 {
        self.head
    }

    /// How many bytes there are.
    pub(super) fn available(&self) -> Result<u32, Corrupt> {
        let tail = self.memory.word(self.direction, TAIL).load(Ordering::Acquire);
        let used = tail.wrapping_sub(self.head);
        if used > CAPACITY { Err(Corrupt) } else { Ok(used) }
    }

    /// Copies out as many bytes as `bytes` is long; they are available.
    pub(super) fn read(&mut self, bytes: &mut [u8]) {
        let first = bytes.len().min((CAPACITY - self.head % CAPACITY) as usize);
        let (one, two) = bytes.split_at_mut(first);
        for part in [one, two] {
            let from = self.memory.data(self.direction, self.head);
            // SAFETY: `part` ends at the ring's end at the latest, so the source lies in the mapping (invariant 1).
            unsafe { core::ptr::copy_nonoverlapping(from, part.as_mut_ptr(), part.len()) };
            self.head = self.head.wrapping_add(part.len() as u32);
        }
    }

    /// Gives the bytes read back to the writer. Returns whether the writer waits for room and wants a bell.
    pub(super) fn advance(&self) -> bool {
        self.seen.store(self.head, Ordering::Relaxed);
        self.memory.word(self.direction, HEAD).store(self.head, Ordering::Release);
        // Partner: the fence in `Producer::starve`.
        fence(Ordering::SeqCst);
        let starved = self.memory.word(self.direction, STARVED);
        starved.load(Ordering::Relaxed) != 0 && starved.swap(0, Ordering::Relaxed) != 0
    }

    /// Asks the writer for a bell with its next bytes. Returns false when there are some already.
    pub(super) fn arm(&self) -> bool {
        let armed = self.memory.word(self.direction, ARMED);
        armed.store(1, Ordering::Relaxed);
        // Partner: the fence in `Producer::publish`.
        fence(Ordering::SeqCst);
        if self.memory.word(self.direction, TAIL).load(Ordering::Acquire) == self.head {
            return true;
        }
        armed.store(0, Ordering::Relaxed);
        false
    }

    /// A handle to watch for bytes without the kernel's lock.
    pub(super) fn watch(&self) -> Watch {
        Watch { memory: self.memory.clone(), direction: self.direction, seen: self.seen.clone() }
    }
}

/// Tells whether a link has something to read, from outside the kernel's lock.
pub(in super::super) struct Watch {
    memory: Arc<Memory>,
    direction: usize,
    seen: Arc<AtomicU32>,
}

impl Watch {
    pub(in super::super) fn has_input(&self) -> bool {
        let tail = self.memory.word(self.direction, TAIL).load(Ordering::Acquire);
        tail != self.seen.load(Ordering::Relaxed)
    }
}
