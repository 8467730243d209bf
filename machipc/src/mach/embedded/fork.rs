//! A forked child starts with an empty task, as on Mach (R-188 from the other side: what is the parent's stays the parent's).
//!
//! `pthread_atfork` runs around every fork. The kernel's lock is taken before, so that the child gets a whole state; the parent lets go of
//! it; the child closes what it inherited, so that no socket outlives its owner there, and begins anew. Programs that `exec` right away
//! need none of this: all descriptors are close-on-exec.

use std::cell::RefCell;

use super::task::{self, Task};

thread_local! {
    /// The task's locks, from before a fork until after it, in the thread that forks.
    static HELD: RefCell<Option<task::Held>> = const { RefCell::new(None) };
}

/// Has forks looked after from now on; called once a process, with its first task.
pub(super) fn watch() {
    // SAFETY: the handlers are plain functions that live as long as the program. Without memory for them a child is only as badly off
    // as it would be without this call.
    let _ = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
}

extern "C" fn prepare() {
    let held = task::current().map(Task::hold);
    // A thread that is being torn down has lost its local; it lets go at once.
    let _ = HELD.try_with(|cell| *cell.borrow_mut() = held);
}

extern "C" fn parent() {
    let _ = HELD.try_with(|cell| cell.borrow_mut().take());
}

extern "C" fn child() {
    let _ = HELD.try_with(|cell| {
        if let Some(held) = cell.borrow_mut().take() {
            held.abandon();
        }
    });
}
