//! Buffers for messages' bytes, used again and again by each thread: a message in the steady state allocates none.

use std::cell::RefCell;

/// Buffers that a thread keeps.
const KEPT: usize = 16;
/// A larger buffer goes back to the allocator, so that one large message does not cost memory for good.
const LARGEST: usize = 64 * 1024;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(super) fn take() -> Vec<u8> {
    // A thread that is being torn down has lost its local.
    BUFFERS.try_with(|buffers| buffers.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Keeps a buffer for the next message.
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
        return;
    }
    buffer.clear();
    let _ = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.borrow_mut();
        if buffers.len() < KEPT {
            buffers.push(buffer);
        }
    });
}
