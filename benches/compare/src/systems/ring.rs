//! The limit: rings of fixed slots in shared memory, one for each sender, without any of what a system needs besides. It trusts its
//! peer. The receiver reads in place, or copies out first, which is what it takes to distrust.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::futex;

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Place, Work};

pub struct Ring {
    pub waiting: Waiting,
    /// Whether the receiver copies the message before it looks at it.
    pub copies_out: bool,
}

/// How often a side looks before it sleeps, where it does both: about as long as waking another CPU takes.
const LOOKS: u32 = 2000;

impl System for Ring {
    fn name(&self) -> &'static str {
        if self.copies_out { "ring, copied out" } else { "ring" }
    }

    fn waiting(&self) -> Waiting {
        self.waiting
    }

    fn lacks(&self, work: &Work) -> Option<&'static str> {
        if self.waiting != Waiting::Sleeps && work.place != Place::Split {
            return Some("it does not find out whether to spin");
        }
        if self.copies_out && (work.fill == Fill::InPlace || work.len <= 4096) {
            return Some("as without the copy");
        }
        (work.idle > 0).then_some("it looks at every ring")
    }

    fn batches(&self) -> bool {
        true
    }

    fn receive(&self, job: &Job, mut inbox: Inbox) -> Outcome {
        let memory = Memory::create(job, job.work.senders)?;
        inbox.ready()?;
        let mut lanes: Vec<Consumer> =
            (0..job.work.senders).map(|lane| memory.consumer(lane, self)).collect::<Outcome<_>>()?;
        loop {
            let mut any = false;
            for lane in &mut lanes {
                while let Some(message) = lane.look() {
                    any = true;
                    let done = inbox.take(message);
                    lane.done();
                    if done? {
                        return Ok(());
                    }
                }
            }
            if !any {
                wait(self.waiting, &memory.shared().bell, || lanes.iter().any(Consumer::has_message))?;
            }
        }
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        let memory = Memory::open(job, job.work.senders)?;
        let mut lane = memory.producer(job.client, self)?;
        loop {
            match job.work.fill {
                Fill::Copied => {
                    let Some(message) = outbox.next()? else { return Ok(()) };
                    lane.slot()?.copy_from_slice(message);
                }
                Fill::InPlace => {
                    let Some(stamp) = outbox.next_in_place()? else { return Ok(()) };
                    stamp.write_ends(lane.slot()?);
                }
                Fill::Batched => {
                    let Some(message) = outbox.next()? else { return Ok(()) };
                    lane.slot()?.copy_from_slice(message);
                    if !outbox.batch_ends() {
                        lane.fill();
                        continue;
                    }
                }
            }
            lane.publish();
        }
    }

    fn serve(&self, job: &Job, mut desk: Desk) -> Outcome {
        let memory = Memory::create(job, 2)?;
        let mut requests = memory.consumer(REQUESTS, self)?;
        let mut answers = memory.producer(ANSWERS, self)?;
        desk.ready()?;
        loop {
            let request = requests.await_message()?;
            match job.work.fill {
                Fill::InPlace => desk.answer_in_place(request)?.write_ends(answers.slot()?),
                _ => answers.slot()?.copy_from_slice(desk.answer(request)?),
            }
            requests.done();
            answers.publish();
            if desk.answered()? {
                return Ok(());
            }
        }
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        let memory = Memory::open(job, 2)?;
        let mut requests = memory.producer(REQUESTS, self)?;
        let mut answers = memory.consumer(ANSWERS, self)?;
        loop {
            if job.work.fill == Fill::InPlace {
                let Some(stamp) = caller.next_in_place()? else { return Ok(()) };
                stamp.write_ends(requests.slot()?);
            } else {
                let Some(request) = caller.next()? else { return Ok(()) };
                requests.slot()?.copy_from_slice(request);
            }
            requests.publish();
            let result = caller.took(answers.await_message()?);
            answers.done();
            result?;
        }
    }
}

const REQUESTS: usize = 0;
const ANSWERS: usize = 1;

/// What all lanes share: the word on which the receiver sleeps.
#[repr(C, align(128))]
struct Shared {
    bell: Bell,
}

/// Non-zero while somebody sleeps, or is about to.
#[repr(C, align(128))]
struct Bell(AtomicU32);

/// The indices of one ring, each on a cache line that one side writes. They only grow.
#[repr(C, align(128))]
struct Indices {
    /// How many messages were published.
    tail: Line,
    /// How many were taken.
    head: Line,
    /// On which the sender sleeps while the ring is full.
    room: Bell,
    /// On which the receiver of this ring alone sleeps.
    filled: Bell,
}

#[repr(C, align(128))]
struct Line(AtomicU64);

/// The memory that two processes share.
struct Memory {
    start: NonNull<u8>,
    len: usize,
    lanes: usize,
    slots: u64,
    slot: usize,
    /// Bytes of a message.
    message: usize,
    /// Whether all receivers' lanes are one receiver's.
    one_receiver: bool,
}

const HEAD: usize = 4096;

impl Memory {
    fn create(job: &Job, lanes: usize) -> Outcome<Self> {
        let memory = Self::shape(job, lanes);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path(job))?;
        file.set_len(memory.len as u64)?;
        memory.mapped(&file)
    }

    fn open(job: &Job, lanes: usize) -> Outcome<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path(job))?;
        Self::shape(job, lanes).mapped(&file)
    }

    fn shape(job: &Job, lanes: usize) -> Self {
        let message = job.work.len;
        let slots = match message {
            ..=4096 => 1024,
            4097..=1_000_000 => 16,
            _ => 4,
        };
        let slot = if message > 4096 { message.next_multiple_of(4096) } else { message.next_multiple_of(64) };
        let lane = (slots * slot).next_multiple_of(4096) + HEAD;
        let start = NonNull::dangling();
        let one_receiver = job.work.kind == crate::work::Kind::OneWay;
        Self { start, len: HEAD + lanes * lane, lanes, slots: slots as u64, slot, message, one_receiver }
    }

    fn mapped(mut self, file: &std::fs::File) -> Outcome<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address that the system chooses touches no memory of this program.
        let start = unsafe { mmap(std::ptr::null_mut(), self.len, access, MapFlags::SHARED, file, 0) }?;
        self.start = NonNull::new(start.cast()).ok_or("a mapping at address 0")?;
        Ok(self)
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the mapping begins with `HEAD` bytes, is aligned to a page, and lives as long as `self`; a new file is zero, which
        // is a `Shared`, and all is written through atomics.
        unsafe { self.start.cast::<Shared>().as_ref() }
    }

    /// Where a lane begins.
    fn lane(&self, lane: usize) -> Outcome<NonNull<u8>> {
        if lane >= self.lanes {
            return Err(format!("there is no lane {lane}").into());
        }
        let offset = HEAD + lane * ((self.len - HEAD) / self.lanes);
        // SAFETY: within the mapping: `len` is the head and as many lanes of equal size.
        Ok(unsafe { self.start.add(offset) })
    }

    fn view(&self, lane: usize, ring: &Ring) -> Outcome<Lane<'_>> {
        let start = self.lane(lane)?;
        // SAFETY: a lane begins with `HEAD` bytes for its indices, on a multiple of a page; zero is a valid `Indices`, and all is
        // written through atomics.
        let indices = unsafe { start.cast::<Indices>().as_ref() };
        // SAFETY: the slots follow within the lane.
        let slots = unsafe { start.add(HEAD) };
        let bell = if self.one_receiver { &self.shared().bell } else { &indices.filled };
        Ok(Lane { memory: self, indices, slots, bell, waiting: ring.waiting, own: 0, other: 0 })
    }

    fn producer(&self, lane: usize, ring: &Ring) -> Outcome<Producer<'_>> {
        Ok(Producer(self.view(lane, ring)?))
    }

    fn consumer(&self, lane: usize, ring: &Ring) -> Outcome<Consumer<'_>> {
        let copy = ring.copies_out.then(|| vec![0; self.slot]);
        Ok(Consumer { lane: self.view(lane, ring)?, copy })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and its lanes borrow from it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

fn path(job: &Job) -> PathBuf {
    job.directory.join("ring")
}

/// One side of one ring.
struct Lane<'m> {
    memory: &'m Memory,
    indices: &'m Indices,
    slots: NonNull<u8>,
    /// On which the receiver sleeps.
    bell: &'m Bell,
    waiting: Waiting,
    /// This side's index, and what it last saw of the other's.
    own: u64,
    other: u64,
}

impl Lane<'_> {
    /// Where the slot of this side's index begins.
    #[inline]
    fn slot(&self) -> *mut u8 {
        let index = (self.own & (self.memory.slots - 1)) as usize;
        // SAFETY: the index is below the number of slots, which lie in the lane.
        unsafe { self.slots.add(index * self.memory.slot) }.as_ptr()
    }
}

struct Producer<'m>(Lane<'m>);

impl Producer<'_> {
    /// The slot for the next message; waits until there is one.
    #[inline]
    fn slot(&mut self) -> Outcome<&mut [u8]> {
        let lane = &mut self.0;
        if lane.own - lane.other == lane.memory.slots {
            let (head, own, slots) = (&lane.indices.head.0, lane.own, lane.memory.slots);
            wait(lane.waiting, &lane.indices.room, || own - head.load(Ordering::Acquire) < slots)?;
            lane.other = head.load(Ordering::Acquire);
        }
        // SAFETY: a slot holds a message, and is this side's until it is published: the receiver has taken what was in it, which
        // the acquiring load has seen.
        Ok(unsafe { slice::from_raw_parts_mut(lane.slot(), lane.memory.message) })
    }

    /// The slot is filled. The receiver sees it with the next one that is published.
    #[inline]
    fn fill(&mut self) {
        self.0.own += 1;
    }

    #[inline]
    fn publish(&mut self) {
        self.fill();
        let lane = &mut self.0;
        lane.indices.tail.0.store(lane.own, Ordering::Release);
        wake(lane.waiting, lane.bell, || true);
    }
}

struct Consumer<'m> {
    lane: Lane<'m>,
    copy: Option<Vec<u8>>,
}

impl Consumer<'_> {
    fn has_message(&self) -> bool {
        self.lane.indices.tail.0.load(Ordering::Acquire) != self.lane.own
    }

    /// The next message, if there is one. It stays until it is [done](Self::done).
    #[inline]
    fn look(&mut self) -> Option<&[u8]> {
        let lane = &mut self.lane;
        if lane.own == lane.other {
            lane.other = lane.indices.tail.0.load(Ordering::Acquire);
            if lane.own == lane.other {
                return None;
            }
        }
        // SAFETY: the slot was published, which the acquiring load has seen, and is this side's until it is done.
        let message = unsafe { slice::from_raw_parts(lane.slot(), lane.memory.message) };
        Some(match &mut self.copy {
            None => message,
            Some(copy) => {
                copy[..message.len()].copy_from_slice(message);
                &copy[..message.len()]
            }
        })
    }

    #[inline]
    fn await_message(&mut self) -> Outcome<&[u8]> {
        if !self.has_message() {
            wait(self.lane.waiting, self.lane.bell, || self.has_message())?;
        }
        self.look().ok_or_else(|| "no message after all".into())
    }

    #[inline]
    fn done(&mut self) {
        let lane = &mut self.lane;
        lane.own += 1;
        lane.indices.head.0.store(lane.own, Ordering::Release);
        // A sender that waited is worth waking once there is room for many.
        let (own, tail, slots) = (lane.own, &lane.indices.tail.0, lane.memory.slots);
        wake(lane.waiting, &lane.indices.room, || tail.load(Ordering::Relaxed) - own <= slots / 2);
    }
}

/// Waits until `there`.
fn wait(waiting: Waiting, bell: &Bell, there: impl Fn() -> bool) -> Outcome {
    if waiting == Waiting::Polls {
        while !there() {
            std::hint::spin_loop();
        }
        return Ok(());
    }
    if waiting == Waiting::SpinsThenSleeps {
        for _ in 0..LOOKS {
            if there() {
                return Ok(());
            }
            std::hint::spin_loop();
        }
    }
    loop {
        bell.0.store(1, Ordering::Relaxed);
        // Its partner is in `wake`: either the other side sees the bell, or this one what is there.
        fence(Ordering::SeqCst);
        if there() {
            bell.0.store(0, Ordering::Relaxed);
            return Ok(());
        }
        match futex::wait(&bell.0, futex::Flags::empty(), 1, None) {
            Ok(()) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if there() {
            bell.0.store(0, Ordering::Relaxed);
            return Ok(());
        }
    }
}

/// Wakes whoever sleeps, if it is worth it.
#[inline]
fn wake(waiting: Waiting, bell: &Bell, worth: impl Fn() -> bool) {
    if waiting == Waiting::Polls {
        return;
    }
    fence(Ordering::SeqCst);
    if bell.0.load(Ordering::Relaxed) != 0 && worth() && bell.0.swap(0, Ordering::AcqRel) != 0 {
        // It fails for no word that is mapped and aligned.
        let _ = futex::wake(&bell.0, futex::Flags::empty(), 1);
    }
}
