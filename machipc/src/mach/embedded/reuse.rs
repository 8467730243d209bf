//! Memory in which large messages came, used for the next ones: a page that is new to a process costs more than the bytes in it.
//!
//! It is private memory, and whoever gets it again is the same process, which writes over all of it first. A forked child has its own
//! copy, as of all private memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most bytes that are kept for later.
const KEPT_MAX: usize = 32 * 1024 * 1024;

static REUSED: Mutex<Reused> = Mutex::new(Reused { lent: BTreeMap::new(), kept: Vec::new() });

pub(super) type ReusedGuard = MutexGuard<'static, Reused>;

/// Ranges of whole pages, by address and size in bytes.
pub(super) struct Reused {
    /// In use. They come back when exactly they are unmapped.
    lent: BTreeMap<usize, usize>,
    /// For later, the one that came back last at the end. They are mapped, and nobody uses them.
    kept: Vec<(usize, usize)>,
}

pub(super) fn reused() -> ReusedGuard {
    REUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reused {
    /// Memory of this size, which its taker owns from now on.
    pub(super) fn take(&mut self, size: usize) -> Option<usize> {
        let index = self.kept.iter().rposition(|&(_, kept)| kept == size)?;
        Some(self.kept.remove(index).0)
    }

    /// Notes memory that is to be kept when it comes back.
    pub(super) fn lend(&mut self, address: usize, size: usize) {
        self.lent.insert(address, size);
    }

    /// Keeps memory whose owner gives it up, if it was lent as it is. False: it is to be unmapped.
    pub(super) fn give_back(&mut self, address: usize, size: usize) -> bool {
        let overlapping = |lent: &BTreeMap<usize, usize>| {
            let (&at, &len) = lent.range(..address + size).next_back()?;
            (at + len > address).then_some((at, len))
        };
        let mut whole = false;
        while let Some((at, len)) = overlapping(&self.lent) {
            self.lent.remove(&at);
            whole = (at, len) == (address, size);
        }
        if !whole || size > KEPT_MAX {
            return false;
        }
        self.kept.push((address, size));
        while self.kept.iter().map(|&(_, size)| size).sum::<usize>() > KEPT_MAX {
            let (address, size) = self.kept.remove(0);
            // SAFETY: it was kept: mapped, and nobody uses it.
            let _ = unsafe { rustix::mm::munmap(address as *mut _, size) };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::{self, Region};

    #[test]
    fn memory_comes_back_if_it_is_whole() {
        const SIZE: usize = 13 * 4096 * 16;
        let first = Region::reused(SIZE - 5).unwrap().into_address();
        memory::unmap(first, SIZE - 5);
        let mut again = Region::reused(SIZE - 7).unwrap();
        again.as_mut_slice().fill(1);
        let address = again.into_address();
        assert_eq!(address, first);
        memory::unmap(address, SIZE - 7);
        // What lies behind the last byte is zero all the same.
        let third = Region::reused(SIZE - 100).unwrap().into_address();
        assert_eq!(third, first);
        // SAFETY: the page is mapped, and nobody writes to it.
        let slack = unsafe { core::slice::from_raw_parts((third + SIZE - 100) as *const u8, 100) };
        assert_eq!(slack, [0; 100]);
        // In parts it goes for good.
        memory::unmap(third, 4096);
        memory::unmap(third + 4096, SIZE - 4096);
        assert!(memory::check_readable(third, SIZE).is_err());
    }
}
