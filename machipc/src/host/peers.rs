//! Which processes a host has heard from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::port::Sender;

/// So many processes are kept without asking which of them have gone.
const FEW: usize = 64;
/// So many processes a thread knows without asking.
const KNOWN: usize = 8;

/// The processes that have sent something, each noted when it was first heard from.
pub(super) struct Peers {
    noted: Mutex<Noted>,
    /// One for each of the host's threads.
    known: Box<[Known]>,
}

struct Noted {
    senders: HashMap<u64, Sender>,
    /// With so many, those that have gone are forgotten.
    most: usize,
}

/// Processes that are noted, by the last bits of their ids: most messages cost a comparison. Written under the lock of [`Noted`], so that
/// none is in here that is not in there.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Known([AtomicU64; KNOWN]);

impl Peers {
    pub(super) fn new(threads: usize) -> Self {
        let noted = Mutex::new(Noted { senders: HashMap::new(), most: FEW });
        Self { noted, known: (0..threads).map(|_| Known::default()).collect() }
    }

    /// What the host's `thread`-th thread knows.
    pub(super) fn known(&self, thread: usize) -> Option<&Known> {
        self.known.get(thread)
    }

    /// Something has come from `sender` to the thread that has `known`.
    #[inline]
    pub(super) fn note(&self, sender: &Sender, known: &Known) {
        let slot = known.slot(sender);
        if slot.load(Ordering::Relaxed) != sender.process() {
            self.note_new(sender, slot);
        }
    }

    #[cold]
    fn note_new(&self, sender: &Sender, slot: &AtomicU64) {
        let mut noted = self.noted();
        if noted.senders.len() >= noted.most && !noted.senders.contains_key(&sender.process()) {
            self.forget_gone(&mut noted);
            noted.most = FEW.max(2 * noted.senders.len());
        }
        noted.senders.entry(sender.process()).or_insert(*sender);
        slot.store(sender.process(), Ordering::Relaxed);
    }

    /// Those that are still there.
    pub(super) fn alive(&self) -> Vec<Sender> {
        let mut noted = self.noted();
        self.forget_gone(&mut noted);
        noted.senders.values().copied().collect()
    }

    fn forget_gone(&self, noted: &mut Noted) {
        noted.senders.retain(|_, sender| sender.is_alive());
        // What was taken for gone may be heard from again.
        for slot in self.known.iter().flat_map(|known| &known.0) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing panics while the lock is held, so a poisoned one holds whole values.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    #[inline]
    fn slot(&self, sender: &Sender) -> &AtomicU64 {
        &self.0[sender.pid() as usize % KNOWN]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mach::{audit_token_t, security_token_t};

    fn process(pid: u32) -> Sender {
        Sender::new(security_token_t::default(), audit_token_t { val: [0, 0, 0, 0, 0, pid, 0, 1] })
    }

    #[test]
    fn those_that_have_gone_take_no_room() {
        let peers = Peers::new(1);
        let known = peers.known(0).unwrap();
        // No links lead to them.
        for pid in 1..10_000 {
            peers.note(&process(pid), known);
            peers.note(&process(pid), known);
        }
        let noted = peers.noted();
        assert!(noted.senders.len() <= FEW, "{}", noted.senders.len());
        assert!(noted.senders.capacity() <= 4 * FEW, "{}", noted.senders.capacity());
        assert_eq!(known.slot(&process(9_999)).load(Ordering::Relaxed), process(9_999).process());
        drop(noted);
        assert_eq!(peers.alive(), []);
        assert_eq!(known.slot(&process(9_999)).load(Ordering::Relaxed), 0);
    }

    #[test]
    fn this_process_is_alive() {
        let (peers, own) = (Peers::new(2), super::super::serve::own_identity().unwrap());
        for thread in [0, 1, 0] {
            peers.note(&own, peers.known(thread).unwrap());
        }
        assert_eq!(peers.alive(), [own]);
    }
}
