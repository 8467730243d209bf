//! Buffers for messages' bytes, used again and again: a message in the steady state allocates none.
//!
//! Each thread keeps some. One that only sends takes what one that only receives gives, so threads exchange them, a handful at a time, at a
//! place that all share.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that a thread keeps.
const KEPT: usize = 32;
/// So many go to the shared place or come from there at a time.
const EXCHANGED: usize = KEPT / 2;
/// Bytes that the shared place keeps: a long queue of small messages.
const SHARED_BYTES: usize = 1024 * 1024;
/// A larger buffer goes back to the allocator, so that one large message does not cost memory for good.
const LARGEST: usize = 64 * 1024;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The shared place, around a fork: a forked child finds it whole and free.
pub(super) struct Held(#[expect(dead_code, reason = "held, not used")] MutexGuard<'static, Shared>);

pub(super) fn hold() -> Held {
    Held(shared())
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { buffers: Vec::new(), bytes: 0 });

struct Shared {
    buffers: Vec<Vec<u8>>,
    /// Bytes of all of them.
    bytes: usize,
}

/// An empty buffer.
pub(super) fn take() -> Vec<u8> {
    // A thread that is being torn down has lost its local.
    BUFFERS.try_with(|buffers| take_from(&mut buffers.borrow_mut())).ok().flatten().unwrap_or_default()
}

fn take_from(buffers: &mut Vec<Vec<u8>>) -> Option<Vec<u8>> {
    if buffers.is_empty() {
        let mut shared = shared();
        let from = shared.buffers.len().saturating_sub(EXCHANGED);
        buffers.extend(shared.buffers.drain(from..));
        shared.bytes -= buffers.iter().map(Vec::capacity).sum::<usize>();
    }
    buffers.pop()
}

/// Keeps a buffer for the next message.
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
        return;
    }
    buffer.clear();
    let _ = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.borrow_mut();
        if buffers.len() == KEPT {
            share(&mut buffers);
        }
        buffers.push(buffer);
    });
}

fn share(buffers: &mut Vec<Vec<u8>>) {
    let bytes = buffers[KEPT - EXCHANGED..].iter().map(Vec::capacity).sum::<usize>();
    let mut shared = shared();
    if shared.bytes + bytes <= SHARED_BYTES {
        shared.bytes += bytes;
        shared.buffers.extend(buffers.drain(KEPT - EXCHANGED..));
    } else {
        drop(shared);
        buffers.truncate(KEPT - EXCHANGED);
    }
}

fn shared() -> MutexGuard<'static, Shared> {
    // Nothing panics while the lock is held.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}
