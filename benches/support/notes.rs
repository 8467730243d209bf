//! Messages of 64 bytes to a thread of the same process, counted there. `benches/compare` has them too.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many messages a bounded channel holds: as many as a port's queue.
pub const BOUND: usize = 1024;

/// 64 bytes by value.
#[machipc::pod]
#[derive(Clone, Copy)]
pub struct Note {
    pub number: u64,
    rest: [u64; 7],
}

pub fn note(number: u64) -> Note {
    Note { number, rest: [!number; 7] }
}

/// Counts the notes that come in order and are whole.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Takes a note, on one thread. Returns the count.
    #[inline]
    pub fn take(&self, note: &Note) -> u64 {
        let next = self.get();
        // One that is out of order stops the count for good.
        let count = next + u64::from(note.number == next && note.rest[6] == !next);
        self.0.store(count, Ordering::Relaxed);
        count
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
