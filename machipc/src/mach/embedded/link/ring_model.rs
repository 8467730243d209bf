//! The ring under loom: a memory of four bytes each way, in which every interleaving that `explore` bounds, and in it every value that a
//! load may see, is tried. A byte that is read before it is written, or overwritten before it is read, is a race that loom
//! reports; a wake-up that is lost is a deadlock.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use std::sync::atomic::Ordering;

use super::super::room::Room;
use super::super::wait::Futex;
use super::super::wait_model::{self, explore};
use super::ring::{Consumer, Control, PARKED, Producer, Shared, Word, ends};

impl Word for wait_model::Model {
    fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    /// A swap: loom lets the store of one side come between a swap of the other's and the value that the swap found, which no memory model
    /// allows, and then sees wake-ups lost that are not. What is stored here can still be seen late.
    fn store(&self, value: u32, order: Ordering) {
        self.word.swap(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    fn wake(&self) {
        Futex::wake(self);
    }

    fn fence(order: Ordering) {
        loom::sync::atomic::fence(order);
    }
}

/// A link's memory in little.
#[derive(Clone)]
struct Model {
    words: Arc<[[wait_model::Model; 6]; 2]>,
    data: Arc<[[UnsafeCell<u8>; Self::CAPACITY as usize]; 2]>,
}

impl Model {
    fn new() -> Self {
        Self {
            words: Arc::new(Default::default()),
            data: Arc::new(core::array::from_fn(|_| core::array::from_fn(|_| UnsafeCell::new(0)))),
        }
    }

    fn cells(&self, direction: usize, position: u32, len: usize) -> &[UnsafeCell<u8>] {
        let within = (position % Self::CAPACITY) as usize;
        &self.data[direction][within..within + len]
    }
}

impl Shared for Model {
    type Word = wait_model::Model;

    const CAPACITY: u32 = 4;

    fn word(&self, direction: usize, control: Control) -> &wait_model::Model {
        &self.words[direction][control as usize]
    }

    fn copy_in(&self, direction: usize, position: u32, bytes: &[u8]) {
        for (cell, &byte) in self.cells(direction, position, bytes.len()).iter().zip(bytes) {
            // SAFETY: loom ends the test if anybody else accesses the cell meanwhile.
            cell.with_mut(|to| unsafe { *to = byte });
        }
    }

    fn copy_out(&self, direction: usize, position: u32, bytes: &mut [u8]) {
        for (cell, byte) in self.cells(direction, position, bytes.len()).iter().zip(bytes) {
            // SAFETY: as above.
            *byte = cell.with(|from| unsafe { *from });
        }
    }

    fn words<const N: usize>(&self, _: usize, _: u32) -> [u64; N] {
        unreachable!("no frames are read here")
    }

    fn copy_into(&self, direction: usize, position: u32, room: &mut Room, at: usize, len: usize) {
        let mut bytes = vec![0; len];
        self.copy_out(direction, position, &mut bytes);
        room.write(at, &bytes);
    }
}

/// What a side hears on the socket: a bell that was rung before it is listened for is heard.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.heard.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// Writes 1, 2, … in parts of `part` bytes; sleeps while the ring is full, as `Link::flush` does.
fn write(tx: &mut Producer<Model>, count: u8, part: usize, reader: &Bell, writer: &Bell) {
    let bytes: Vec<u8> = (1..=count).collect();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let wanted = rest.len().min(part);
        let mut room = tx.room(wanted as u32).unwrap() as usize;
        if room == 0 && tx.starve().unwrap() {
            room = tx.room(wanted as u32).unwrap() as usize;
        }
        if room == 0 {
            writer.wait();
            continue;
        }
        let (now, later) = rest.split_at(wanted.min(room));
        tx.write(now);
        rest = later;
        if tx.publish() {
            reader.ring();
        }
    }
}

/// Takes what has come, as `Kernel::drain_link` does. Returns how many bytes there were.
fn drain(rx: &mut Consumer<Model>, read: &mut Vec<u8>, writer: &Bell) -> usize {
    let mut bytes = vec![0; rx.available().unwrap() as usize];
    if bytes.is_empty() {
        return 0;
    }
    rx.read(&mut bytes);
    read.extend_from_slice(&bytes);
    if rx.advance() {
        writer.ring();
    }
    bytes.len()
}

/// Reads `count` bytes; sleeps while there are none, as `Task::lead` does.
fn read(rx: &mut Consumer<Model>, count: u8, reader: &Bell, writer: &Bell) {
    let mut bytes = Vec::new();
    while bytes.len() < count.into() {
        if drain(rx, &mut bytes, writer) == 0 && rx.arm() {
            reader.wait();
        }
    }
    assert_eq!(bytes, (1..=count).collect::<Vec<_>>());
}

/// The same; sleeps on the ring's word, as a leader with few links does.
fn read_parked(rx: &mut Consumer<Model>, count: u8, writer: &Bell) {
    let mut bytes = Vec::new();
    while bytes.len() < count.into() {
        if drain(rx, &mut bytes, writer) == 0 {
            if rx.park() {
                // That the word has changed before is as good as to be woken.
                let _ = Futex::wait(rx.watch().word(), PARKED, None);
            }
            rx.disarm();
        }
    }
    assert_eq!(bytes, (1..=count).collect::<Vec<_>>());
}

#[test]
fn loom_a_reader_that_sleeps_on_the_word_is_woken() {
    explore(|| {
        let memory = Model::new();
        let (mut tx, _) = ends(memory.clone(), 0);
        let (_, mut rx) = ends(memory, 1);
        let bells = Arc::new((Bell::default(), Bell::default()));
        let writer = loom::thread::spawn({
            let bells = bells.clone();
            move || write(&mut tx, 2, 1, &bells.0, &bells.1)
        });
        read_parked(&mut rx, 2, &bells.1);
        writer.join().unwrap();
    });
}

/// One side writes and the other reads, and each sleeps when it can do nothing.
fn transfer(count: u8, part: usize) {
    explore(move || {
        let memory = Model::new();
        let (mut tx, _) = ends(memory.clone(), 0);
        let (_, mut rx) = ends(memory, 1);
        let bells = Arc::new((Bell::default(), Bell::default()));
        let writer = loom::thread::spawn({
            let bells = bells.clone();
            move || write(&mut tx, count, part, &bells.0, &bells.1)
        });
        read(&mut rx, count, &bells.0, &bells.1);
        writer.join().unwrap();
    });
}

#[test]
fn loom_a_reader_that_sleeps_is_woken() {
    transfer(2, 1);
}

#[test]
fn loom_a_writer_without_room_is_woken() {
    transfer(5, 4);
}

#[test]
fn loom_bytes_at_the_end_of_the_ring_go_on_at_its_beginning() {
    transfer(6, 3);
}

/// A thread watches without the lock while another that has it reads.
#[test]
fn loom_a_watcher_sees_input() {
    explore(|| {
        let memory = Model::new();
        let (mut tx, _) = ends(memory.clone(), 0);
        let (_, rx) = ends(memory, 1);
        let bells = Arc::new((Bell::default(), Bell::default()));
        let watch = rx.watch();
        let locked = Arc::new(Mutex::new((rx, Vec::new())));
        let writer = loom::thread::spawn({
            let bells = bells.clone();
            move || write(&mut tx, 2, 1, &bells.0, &bells.1)
        });
        let other = loom::thread::spawn({
            let (locked, bells) = (locked.clone(), bells.clone());
            move || {
                let (rx, read) = &mut *locked.lock().unwrap();
                drain(rx, read, &bells.1);
            }
        });
        loop {
            if watch.has_input() {
                let (rx, read) = &mut *locked.lock().unwrap();
                drain(rx, read, &bells.1);
            }
            if locked.lock().unwrap().1.len() == 2 {
                break;
            }
            loom::thread::yield_now();
        }
        writer.join().unwrap();
        other.join().unwrap();
        assert_eq!(locked.lock().unwrap().1, [1, 2]);
    });
}
