//! Two byte rings in memory that both processes map: one each way, each with one writer and one reader. This file is the protocol: who
//! may read and write what when, and how a side that sleeps is woken.
//!
//! The peer may be malicious and can write anything anywhere in this memory at any time. So three rules hold: no reference into the
//! memory is ever made but to atomics; positions that the peer wrote are checked before use and our own are kept privately; data is
//! copied out once and only the copy is looked at.
//!
//! The protocol is generic over the memory, so that `model` runs these very lines under loom, which tries every interleaving and every
//! value that a load may see under the memory model:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p machipc --lib loom
//! ```
//!
//! Whoever changes an ordering here runs that. No thread waits for another but by an ordering in this file, so a fence that is missing
//! shows there as a wake-up that is lost or bytes that are read too early.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

use rustix::thread::futex;

use super::super::barrier;
use super::super::near::LINE;
use super::super::room::Room;
use super::mapping::{self, Mapping};

/// Bytes of one ring of a link.
pub(in super::super) const CAPACITY: u32 = Mapping::CAPACITY;

/// How often a writer publishes before it tells again on which processor it runs.
const PUBLISHED_PER_PROCESSOR: u32 = 64;

/// Most bytes that are claimed, or brought near, ahead: as many cache lines as a processor waits for at a time.
const CLAIMED_MAX: u32 = 16 * LINE as u32;

/// So many bytes ahead are brought near: a small message.
pub(in super::super) const PREFETCHED: u32 = 2 * LINE as u32;

/// Bytes of a ring that a frame of `len` bytes takes: whole cache lines. So a reader that takes one frame leaves those alone in which the writer goes
/// on with the next.
#[inline]
pub(in super::super) const fn place_of(len: usize) -> usize {
    len.next_multiple_of(LINE)
}

/// Where the cache line after a position begins, or at it.
#[inline]
const fn next_line(position: u32) -> u32 {
    position.wrapping_add(LINE as u32 - 1) & !(LINE as u32 - 1)
}

/// What the two sides of a link share, as a handle that keeps it. Direction 0 is written by the side that made the memory.
pub(in super::super) trait Shared: Clone {
    type Word: Word;

    /// Bytes of one ring; a power of two.
    const CAPACITY: u32;

    /// One of a direction's control words.
    fn word(&self, direction: usize, control: Control) -> &Self::Word;

    /// Copies bytes into a ring. `position % CAPACITY + bytes.len()` is at most `CAPACITY`, and the reader does not read there.
    fn copy_in(&self, direction: usize, position: u32, bytes: &[u8]);

    /// Copies bytes out of a ring, within the same bounds. The writer does not write there, unless it breaks the protocol.
    fn copy_out(&self, direction: usize, position: u32, bytes: &mut [u8]);

    /// [`copy_out`](Self::copy_out) of words, into registers. `position` is a multiple of 8.
    fn words<const N: usize>(&self, direction: usize, position: u32) -> [u64; N];

    /// [`copy_out`](Self::copy_out) into a receiver's buffer.
    fn copy_into(&self, direction: usize, position: u32, room: &mut Room, at: usize, len: usize);

    /// Has the bytes from a position on brought near, if the processor can be told so: they are read soon.
    fn prefetch(&self, _direction: usize, _position: u32, _len: u32) {}

    /// Has the bytes from a position on belong to this processor, if it can be told so: they are written soon.
    fn claim(&self, _direction: usize, _position: u32, _len: u32) {}

    /// Tells the reader of this direction on which processor this thread runs.
    fn tell_processor(&self, direction: usize) {
        let word = self.word(direction, Control::Processor);
        let processor = rustix::thread::sched_getcpu() as u32 + 1;
        // The line stays shared while nothing changes.
        if word.load(Ordering::Relaxed) != processor {
            word.store(processor, Ordering::Relaxed);
        }
        let word = self.word(direction, Control::Reachable);
        if word.load(Ordering::Relaxed) == 0 && barrier::has_joined() {
            word.store(1, Ordering::Relaxed);
        }
    }
}

/// A word that both sides access atomically: the standard library's, or loom's.
pub(in super::super) trait Word: Default {
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    fn swap(&self, value: u32, order: Ordering) -> u32;
    /// Wakes a thread of another process that sleeps on the word.
    fn wake(&self);
    /// `fence` for words of this kind.
    fn fence(order: Ordering);
}

impl Word for AtomicU32 {
    fn load(&self, order: Ordering) -> u32 {
        self.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.store(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.swap(value, order)
    }

    fn wake(&self) {
        let _ = futex::wake(self, futex::Flags::empty(), 1);
    }

    fn fence(order: Ordering) {
        std::sync::atomic::fence(order);
    }
}

/// The control words of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Control {
    /// How many bytes were written, modulo 2^32; the writer's.
    Tail,
    /// How many were read; the reader's.
    Head,
    /// Whether the reader sleeps and how the next bytes wake it: `AWAKE`, `ARMED`, `PARKED` or `PROMISED`.
    Armed,
    /// Not 0: the writer wants a bell when there is room.
    Starved,
    /// On which processor the writer was last seen to run: its number and one, and 0 while that is not known.
    Processor,
    /// Not 0: barriers of the reader's reach the writer (see `barrier`).
    Reachable,
}

/// Values of [`Control::Armed`]: the reader is awake; it sleeps and wants a bell; it is awake and has a barrier executed before it sleeps; it
/// sleeps on this word.
const AWAKE: u32 = 0;
const ARMED: u32 = 1;
const PROMISED: u32 = 2;
pub(in super::super) const PARKED: u32 = 3;

/// So many messages in a row a reader has taken before it makes its promise: as many as save what keeping it may cost.
const PROMISED_AFTER: u32 = 1024;

/// How often a reader looks for the rest of a frame that is being written. A look takes some 50 ns. The longest frame takes its writer less than
/// a quarter of them, and the others are for one that is interrupted.
pub(super) const LOOKS_MAX: u32 = 1024;

/// So much of a long frame is written before it is published.
const WRITTEN_AT_ONCE: usize = 8 * 1024;

/// New link memory: the memfd to give to the peer, and this side's ends.
pub(super) fn create() -> rustix::io::Result<(OwnedFd, Producer, Consumer)> {
    let (fd, memory) = mapping::create()?;
    let (producer, consumer) = ends(memory, 0);
    Ok((fd, producer, consumer))
}

/// Both ends of a ring for threads of this process.
pub(in super::super) fn create_within() -> rustix::io::Result<(Producer, Consumer)> {
    let (_, memory) = mapping::create()?;
    Ok((ends(memory.clone(), 0).0, ends(memory, 1).1))
}

/// This side's ends of link memory that the peer made. Memory without the seals, or of another size, is refused.
pub(super) fn open(fd: &OwnedFd) -> rustix::io::Result<(Producer, Consumer)> {
    Ok(ends(mapping::open(fd)?, 1))
}

pub(super) fn ends<M: Shared>(memory: M, writes: usize) -> (Producer<M>, Consumer<M>) {
    let producer =
        Producer { memory: memory.clone(), direction: writes, tail: 0, head: 0, ahead: 0, published: 0 };
    let reads = 1 - writes;
    let seen = Arc::new(M::Word::default());
    (
        producer,
        Consumer { memory, direction: reads, head: 0, tail: 0, given: 0, taken: 0, promised: false, seen },
    )
}

/// A peer broke the ring's rules: the link is to be closed.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Corrupt;

/// The writing end. It lives under the kernel's lock, so there is one writer.
pub(in super::super) struct Producer<M: Shared = Mapping> {
    memory: M,
    direction: usize,
    /// Where the next byte goes; ours alone.
    tail: u32,
    /// The reader's position when last looked at.
    head: u32,
    /// So far ahead places are claimed at least.
    ahead: u32,
    /// Counts the calls of `publish`.
    published: u32,
}

impl Producer {
    /// The number of the link's memory, the same on both sides and of no other link's.
    pub(super) fn memory_number(&self) -> u64 {
        self.memory.number()
    }
}

impl<M: Shared> Producer<M> {
    /// How many bytes were written, modulo 2^32.
    pub(super) fn position(&self) -> u32 {
        self.tail
    }

    /// How many bytes can be written.
    pub(in super::super) fn room(&mut self, wanted: u32) -> Result<u32, Corrupt> {
        let room = M::CAPACITY - self.tail.wrapping_sub(self.head);
        if room >= wanted {
            return Ok(room);
        }
        // Acquire meets the reader's Release in `advance`: it has finished reading what we overwrite.
        let head = self.memory.word(self.direction, Control::Head).load(Ordering::Acquire);
        let used = self.tail.wrapping_sub(head);
        if used > M::CAPACITY {
            // What is kept stays a position that was checked: the link may be written to until it is closed.
            return Err(Corrupt);
        }
        self.head = head;
        Ok(M::CAPACITY - used)
    }

    /// Appends bytes for which there is room. The reader sees them after `publish`.
    pub(in super::super) fn write(&mut self, bytes: &[u8]) {
        let first = bytes.len().min((M::CAPACITY - self.tail % M::CAPACITY) as usize);
        let (first, second) = bytes.split_at(first);
        self.memory.copy_in(self.direction, self.tail, first);
        if !second.is_empty() {
            self.memory.copy_in(self.direction, self.tail.wrapping_add(first.len() as u32), second);
        }
        self.tail = self.tail.wrapping_add(bytes.len() as u32);
    }

    /// [`write`](Self::write) of two parts. The first is small and of a known size, and by value: inlined, it goes from registers into the ring.
    #[inline(always)]
    pub(in super::super) fn write_two<const N: usize>(&mut self, first: [u8; N], second: &[u8]) {
        let at = self.tail % M::CAPACITY;
        self.claim_behind(place_of(N + second.len()) as u32);
        if at as usize + N + second.len() > M::CAPACITY as usize {
            return self.write_around(first, second);
        }
        self.memory.copy_in(self.direction, at, &first);
        self.memory.copy_in(self.direction, at + N as u32, second);
        self.tail = self.tail.wrapping_add((N + second.len()) as u32);
    }

    /// The same across the ring's end. The head is by value here too: one whose address is given away would be in memory on the other way as well.
    #[cold]
    fn write_around<const N: usize>(&mut self, first: [u8; N], second: &[u8]) {
        self.write(&first);
        self.write(second);
    }

    /// [`write`](Self::write) of a frame's long parts. Where its reader has read everything before it they are published as they are written, so
    /// that it can begin; one that sleeps sleeps on until the frame is there. Where it has not, it would only be in the writer's way.
    pub(in super::super) fn write_parts(&mut self, parts: &[&[u8]]) {
        let published = self.memory.word(self.direction, Control::Tail).load(Ordering::Relaxed);
        let at_once = match self.memory.word(self.direction, Control::Head).load(Ordering::Relaxed) {
            head if head == published => WRITTEN_AT_ONCE,
            _ => usize::MAX,
        };
        for some in parts.iter().flat_map(|part| part.chunks(at_once)) {
            self.write(some);
            if some.len() == at_once {
                self.publish_unheard();
            }
        }
    }

    /// Ends a frame: the next one begins on a cache line of its own. There is room for the frame's whole [place](place_of).
    #[inline]
    pub(in super::super) fn end_frame(&mut self) {
        self.tail = next_line(self.tail);
    }

    /// Makes everything written visible. Wakes a reader that sleeps on its word; returns whether it sleeps otherwise and wants a bell.
    pub(super) fn publish(&mut self) -> bool {
        self.publish_unheard();
        let armed = self.memory.word(self.direction, Control::Armed);
        // With the reader's promise the compiler's order is enough: see `barrier`.
        compiler_fence(Ordering::SeqCst);
        if armed.load(Ordering::Relaxed) == PROMISED {
            return false;
        }
        // The fence orders the store of the tail before the load of `armed`; its partner stands in `Consumer::arm`. One of the two sides sees the
        // other, so no wake-up is lost.
        M::Word::fence(Ordering::SeqCst);
        if !matches!(armed.load(Ordering::Relaxed), ARMED | PARKED) {
            return false;
        }
        match armed.swap(AWAKE, Ordering::Relaxed) {
            ARMED => true,
            PARKED => {
                armed.wake();
                false
            }
            _ => false,
        }
    }

    /// [`publish`](Self::publish) to a reader that never sleeps.
    #[inline]
    pub(in super::super) fn publish_unheard(&mut self) {
        // Release meets the reader's Acquire in `available`.
        self.memory.word(self.direction, Control::Tail).store(self.tail, Ordering::Release);
        self.published = self.published.wrapping_add(1);
        if self.published.is_multiple_of(PUBLISHED_PER_PROCESSOR) {
            self.memory.tell_processor(self.direction);
        }
    }

    /// Prepares for a message as long as the one of `len` bytes that is written now: its place was the reader's, and a store that waits for a cache line
    /// to come back holds up all stores behind it. Right behind it, or further ahead where the writer [claims ahead](Self::claim_ahead).
    #[inline]
    fn claim_behind(&self, len: u32) {
        let place = self.tail.wrapping_add(len.max(self.ahead));
        self.memory.claim(self.direction, place, len.min(CLAIMED_MAX));
    }

    /// Has the writer prepare for messages so many bytes ahead, for a reader that brings nothing near that
    /// is newer: it would take those places back.
    pub(in super::super) fn claim_ahead(&mut self, ahead: u32) {
        self.ahead = ahead;
    }

    /// The processor on which the reader was last seen to run, as it says itself.
    pub(in super::super) fn reader_processor(&self) -> Option<u32> {
        self.memory.word(1 - self.direction, Control::Processor).load(Ordering::Relaxed).checked_sub(1)
    }

    /// Asks the reader for a bell when it has made room. Returns whether there is room already.
    pub(super) fn starve(&mut self) -> Result<bool, Corrupt> {
        self.memory.word(self.direction, Control::Starved).store(1, Ordering::Relaxed);
        // Partner: the fence in `Consumer::advance`.
        M::Word::fence(Ordering::SeqCst);
        Ok(self.room(M::CAPACITY)? > 0)
    }
}

impl<M: Shared> Producer<M> {
    /// A handle to watch for room without the kernel's lock.
    pub(super) fn watch_room(&self, wanted: u32) -> RoomWatch<M> {
        RoomWatch { memory: self.memory.clone(), direction: self.direction, tail: self.tail, wanted }
    }
}

/// Tells whether a ring that was full has room, from outside the kernel's lock.
pub(in super::super) struct RoomWatch<M: Shared = Mapping> {
    memory: M,
    direction: usize,
    tail: u32,
    wanted: u32,
}

impl<M: Shared> RoomWatch<M> {
    /// Whether it is worth a look under the lock, where what the peer wrote is checked.
    pub(in super::super) fn has_room(&self) -> bool {
        let head = self.memory.word(self.direction, Control::Head).load(Ordering::Relaxed);
        self.tail.wrapping_sub(head) <= M::CAPACITY - self.wanted
    }
}

/// The reading end. It lives under the kernel's lock, so there is one reader.
pub(in super::super) struct Consumer<M: Shared = Mapping> {
    memory: M,
    direction: usize,
    /// Where the next byte comes from; ours alone.
    head: u32,
    /// The writer's position when last looked at.
    tail: u32,
    /// The `head` that the writer was last told.
    given: u32,
    /// Messages taken in a row.
    taken: u32,
    /// The writer leaves out its barrier.
    promised: bool,
    /// `head`, for threads that watch without the lock.
    seen: Arc<M::Word>,
}

impl<M: Shared> Consumer<M> {
    /// How many bytes were read, modulo 2^32.
    pub(super) fn position(&self) -> u32 {
        self.head
    }

    /// How many bytes there are.
    pub(super) fn available(&mut self) -> Result<u32, Corrupt> {
        let tail = self.memory.word(self.direction, Control::Tail).load(Ordering::Acquire);
        let used = tail.wrapping_sub(self.head);
        if used > M::CAPACITY {
            return Err(Corrupt);
        }
        self.tail = tail;
        Ok(used)
    }

    /// How many bytes there are as far as is known, without a look at what the writer last told.
    #[inline]
    pub(in super::super) fn known(&self) -> u32 {
        self.tail.wrapping_sub(self.head)
    }

    /// Whether there are at least so many bytes. The writer's cache line is left alone while what it last told suffices.
    pub(in super::super) fn holds(&mut self, count: u32) -> Result<bool, Corrupt> {
        Ok(self.known() >= count || self.available()? >= count)
    }

    /// Copies out as many bytes as `bytes` is long; they are available.
    pub(in super::super) fn read(&mut self, bytes: &mut [u8]) {
        let (first, second) = bytes.split_at_mut(self.before_end(bytes.len()));
        self.memory.copy_out(self.direction, self.head, first);
        if !second.is_empty() {
            self.memory.copy_out(self.direction, self.head.wrapping_add(first.len() as u32), second);
        }
        self.skip(bytes.len() as u32);
    }

    /// Takes a frame, the whole [place](place_of) of which is there: the `len` bytes behind its first `front` go into a receiver's buffer.
    #[inline]
    pub(in super::super) fn take_frame(&mut self, front: usize, room: &mut Room, at: usize, len: usize) {
        self.copy_ahead(front, room, at, len);
        self.head = self.head.wrapping_add((front + len) as u32);
        self.end_frame();
    }

    /// Copies `len` bytes that are there, behind the next `front`, into a receiver's buffer. They are not taken.
    #[inline]
    fn copy_ahead(&self, front: usize, room: &mut Room, at: usize, len: usize) {
        let from = self.head.wrapping_add(front as u32);
        let first = len.min((M::CAPACITY - from % M::CAPACITY) as usize);
        self.memory.copy_into(self.direction, from, room, at, first);
        if first < len {
            let next = from.wrapping_add(first as u32);
            self.memory.copy_into(self.direction, next, room, at + first, len - first);
        }
    }

    /// Copies of a frame that is being written what there is of `len` bytes behind its first `front`, and more as it comes, so that both sides are
    /// at work. Nothing is taken. Returns how many bytes were copied, all unless the writer has stopped or takes too long, and after how many looks.
    pub(super) fn copy_as_it_comes(
        &mut self,
        front: usize,
        room: &mut Room,
        at: usize,
        len: usize,
    ) -> Result<(usize, u32), Corrupt> {
        let (mut copied, mut looks) = (0, 0);
        while looks < LOOKS_MAX {
            let there = (self.available()? as usize).saturating_sub(front).min(len);
            if there > copied {
                self.copy_ahead(front + copied, room, at + copied, there - copied);
                copied = there;
            }
            if copied == len {
                break;
            }
            looks += 1;
            core::hint::spin_loop();
        }
        Ok((copied, looks))
    }

    /// Goes past what is left of the place of a frame that was read.
    pub(in super::super) fn end_frame(&mut self) {
        self.head = next_line(self.head);
        self.seen.store(self.head, Ordering::Relaxed);
    }

    /// The first words of a frame, which all lie on its first cache line.
    #[inline]
    pub(in super::super) fn peek_words<const N: usize>(&self) -> [u64; N] {
        const { assert!(8 * N <= LINE) };
        debug_assert!(self.head.is_multiple_of(LINE as u32));
        self.memory.words(self.direction, self.head)
    }

    /// Takes bytes that were looked at.
    pub(in super::super) fn skip(&mut self, count: u32) {
        self.head = self.head.wrapping_add(count);
        self.seen.store(self.head, Ordering::Relaxed);
    }

    /// Has the next bytes brought near while something else is done, if they are known to be there. The writer does not write there any more, so
    /// its cache lines are not torn away from it.
    pub(in super::super) fn prefetch(&self) {
        if self.known() >= PREFETCHED {
            self.memory.prefetch(self.direction, self.head, PREFETCHED);
        }
    }

    /// Has as many bytes as a message of `len` has brought near that lie so far ahead. Only if twice as many are known to be there: then the writer is far off
    /// enough, and no cache line is taken from it that it writes or has [claimed](Producer::claim_ahead).
    #[inline]
    pub(in super::super) fn prefetch_ahead(&self, ahead: u32, len: u32) {
        if self.known() >= 2 * ahead {
            self.memory.prefetch(self.direction, self.head.wrapping_add(ahead), len.min(CLAIMED_MAX));
        }
    }

    /// How many of the next `len` bytes lie before the ring's end.
    fn before_end(&self, len: usize) -> usize {
        len.min((M::CAPACITY - self.head % M::CAPACITY) as usize)
    }

    /// Gives the bytes read back to the writer. Returns whether the writer waits for room and wants a bell.
    pub(in super::super) fn advance(&mut self) -> bool {
        self.given = self.head;
        self.memory.word(self.direction, Control::Head).store(self.head, Ordering::Release);
        // Partner: the fence in `Producer::starve`.
        M::Word::fence(Ordering::SeqCst);
        let starved = self.memory.word(self.direction, Control::Starved);
        starved.load(Ordering::Relaxed) != 0 && starved.swap(0, Ordering::Relaxed) != 0
    }

    /// [`advance`](Self::advance), once enough has been read that it pays: at each look the writer's cache line goes back to the writer. One
    /// that waits for room has filled the ring, so the reader gets here before it finds nothing.
    pub(in super::super) fn advance_rarely(&mut self) -> bool {
        self.head.wrapping_sub(self.given) >= M::CAPACITY / 8 && self.advance()
    }

    /// Whether bytes were read that the writer has not been given back.
    pub(super) fn owes(&self) -> bool {
        self.head != self.given
    }

    /// Asks the writer for a bell with its next bytes. Returns false when there are some already.
    pub(super) fn arm(&self) -> bool {
        self.announce(ARMED)
    }

    /// Asks the writer to wake who sleeps on the [word](Watch::word) with its next bytes. Returns false when there are some already.
    pub(super) fn park(&self) -> bool {
        self.announce(PARKED)
    }

    fn announce(&self, sleep: u32) -> bool {
        let armed = self.memory.word(self.direction, Control::Armed);
        armed.store(sleep, Ordering::Relaxed);
        // Partner: the fence in `Producer::publish`. A promise was withdrawn before.
        M::Word::fence(Ordering::SeqCst);
        if self.memory.word(self.direction, Control::Tail).load(Ordering::Acquire) == self.head {
            return true;
        }
        armed.store(AWAKE, Ordering::Relaxed);
        false
    }

    /// Counts a message of a row. After many the writer is promised a barrier, where one reaches it.
    pub(super) fn count_taken(&mut self) {
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(PROMISED_AFTER) && !self.promised {
            let reachable = self.memory.word(self.direction, Control::Reachable).load(Ordering::Relaxed) != 0;
            self.promised = reachable && barrier::has_joined();
            if self.promised {
                self.memory.word(self.direction, Control::Armed).store(PROMISED, Ordering::Relaxed);
            }
        }
    }

    /// Takes the promise back, before the reader sleeps. True: a [barrier](barrier::everywhere) has to follow before `arm`.
    pub(super) fn withdraw(&mut self) -> bool {
        self.taken = 0;
        if self.promised {
            self.memory.word(self.direction, Control::Armed).store(AWAKE, Ordering::Relaxed);
        }
        core::mem::take(&mut self.promised)
    }

    /// Takes back `arm` or `park`: to be woken would tell nothing new.
    pub(super) fn disarm(&self) {
        self.memory.word(self.direction, Control::Armed).store(AWAKE, Ordering::Relaxed);
    }

    /// Tells the writer on which processor this thread runs.
    pub(in super::super) fn tell_processor(&self) {
        self.memory.tell_processor(1 - self.direction);
    }

    /// The processor on which the writer was last seen to run, as it says itself.
    pub(super) fn writer_processor(&self) -> Option<u32> {
        self.memory.word(self.direction, Control::Processor).load(Ordering::Relaxed).checked_sub(1)
    }

    /// A handle to watch for bytes without the kernel's lock.
    pub(in super::super) fn watch(&self) -> Watch<M> {
        Watch { memory: self.memory.clone(), direction: self.direction, seen: self.seen.clone() }
    }
}

/// Tells whether a link has something to read, from outside the kernel's lock.
pub(in super::super) struct Watch<M: Shared = Mapping> {
    memory: M,
    direction: usize,
    seen: Arc<M::Word>,
}

impl<M: Shared> Watch<M> {
    pub(in super::super) fn has_input(&self) -> bool {
        let tail = self.memory.word(self.direction, Control::Tail).load(Ordering::Acquire);
        let seen = self.seen.load(Ordering::Relaxed);
        if tail != seen {
            // On their way while the lock is taken and the port looked up.
            self.memory.prefetch(self.direction, seen, PREFETCHED);
        }
        tail != seen
    }

    /// The word that a reader sleeps on once it has [parked](Consumer::park), while it is `PARKED`.
    pub(in super::super) fn word(&self) -> &M::Word {
        self.memory.word(self.direction, Control::Armed)
    }

    /// The processor on which the peer was last seen to run, as it says itself. Nothing but waiting depends on it.
    pub(in super::super) fn processor(&self) -> Option<u32> {
        self.memory.word(self.direction, Control::Processor).load(Ordering::Relaxed).checked_sub(1)
    }

    /// Tells the peer on which processor this thread runs.
    pub(in super::super) fn tell_processor(&self) {
        self.memory.tell_processor(1 - self.direction);
    }
}
