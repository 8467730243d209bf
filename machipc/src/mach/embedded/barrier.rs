//! A barrier that one process has all processors execute, so that a writer needs none of its own.
//!
//! A writer that makes bytes visible has to look whether the reader sleeps, and a store and a load that follows are only kept in order by a
//! barrier, which waits until the reader's processor has given the cache line away: 12 ns with nobody there, and 50 and more while the reader
//! looks at the line. So a reader that is busy promises to have a barrier executed everywhere before it sleeps
//! (`membarrier`, `MEMBARRIER_CMD_GLOBAL_EXPEDITED`), and the writer leaves out its own. That costs the reader up to 50 µs where the writer
//! runs at that time; it withdraws the promise with it, and makes it anew after a number of messages.
//!
//! The system only reaches processes that have asked to be reached. A writer that tells that it has, and has not, misses its own wake-ups.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::thread::{MembarrierCommand, membarrier};

/// This process has asked to be reached, and can reach others.
static ABLE: AtomicBool = AtomicBool::new(false);

/// Where the system refuses the barrier that it has promised, this long is waited instead: no processor holds a store back for as long.
const DRAINED: Duration = Duration::from_millis(10);

/// Asks the system to reach this process. With many threads this may take milliseconds.
pub(super) fn join() {
    let able = membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
    ABLE.store(able, Ordering::Relaxed);
}

/// Whether this process has joined.
pub(super) fn has_joined() -> bool {
    ABLE.load(Ordering::Relaxed)
}

/// Has every processor that runs a thread of a process that has joined execute a barrier.
pub(super) fn everywhere() {
    if membarrier(MembarrierCommand::GlobalExpedited).is_err() {
        // A filter of system calls has come in between. No more promises.
        ABLE.store(false, Ordering::Relaxed);
        std::thread::sleep(DRAINED);
    }
}
