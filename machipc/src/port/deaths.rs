//! Names of rights about whose ports' death this process has asked to be told.
//!
//! A dead-name notification brings a reference of the name, which is to be released by whoever receives it. But the kernel sends it
//! to any send-once right that the asking process names, and that right may be to another process's port: there the name, which the asking
//! process may choose, denotes something else or nothing, and no reference has come. So only what this process has asked for is released,
//! and only as the reference of a dead name.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::mach;

use super::{MachError, sys};

/// So few names are kept without a look whether they still count.
const FEW: usize = 64;

struct Asked {
    names: BTreeSet<u32>,
    /// At so many names those are forgotten that nothing will be told of any more: a port lived longer than the right to it.
    crowded: usize,
}

static ASKED: Mutex<Asked> = Mutex::new(Asked { names: BTreeSet::new(), crowded: FEW });

fn asked() -> MutexGuard<'static, Asked> {
    // Nothing panics while the lock is held.
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for a notification about a name that may be a dead-name notification. Returns the name of the right that an earlier request held.
pub(super) fn ask(name: u32, variant: i32, sync: u32, notify: u32) -> Result<u32, MachError> {
    // Before the request, since another thread may receive the notification at once.
    let new = asked().note(name);
    let made = sys::request_notification(name, variant, sync, notify, mach::MACH_MSG_TYPE_MAKE_SEND_ONCE);
    if made.is_err() && new {
        asked().names.remove(&name);
    }
    made
}

/// Releases the reference that has come with a dead-name notification about this name.
pub(super) fn release(name: u32) {
    if asked().names.remove(&name) {
        // It fails only where the name denotes no dead right, and then no reference of one has come.
        let _ = sys::mod_refs(name, mach::MACH_PORT_RIGHT_DEAD_NAME, -1);
    }
}

impl Asked {
    /// Notes a name; false if it was noted before.
    fn note(&mut self, name: u32) -> bool {
        if self.names.len() >= self.crowded {
            let outstanding = mach::MACH_PORT_TYPE_DNREQUEST
                | mach::MACH_PORT_TYPE_SPREQUEST
                | mach::MACH_PORT_TYPE_SPREQUEST_DELAYED
                | mach::MACH_PORT_TYPE_DEAD_NAME;
            self.names.retain(|name| sys::port_type(*name) & outstanding != 0);
            self.crowded = FEW.max(2 * self.names.len());
        }
        self.names.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::ReceiveRight;

    #[test]
    fn names_that_nothing_is_told_of_are_forgotten() {
        let notify = ReceiveRight::<()>::new().unwrap();
        let ports: Vec<_> = (0..5 * FEW).map(|_| ReceiveRight::<()>::new().unwrap()).collect();
        let kept = ports[0].make_send().unwrap();
        kept.notify_dead_name(&notify).unwrap();
        for port in &ports[1..] {
            // The ports keep the names, but no request.
            let right = port.make_send().unwrap();
            right.notify_dead_name(&notify).unwrap();
            right.cancel_dead_name().unwrap();
        }
        let asked = asked();
        assert!(asked.names.len() < 4 * FEW, "{} names", asked.names.len());
        assert!(asked.names.contains(&kept.name()));
    }
}
