//! The hosts of this process: how a client finds that no port is needed.
//!
//! A client that connects to a host of its own process, under the same message type, gets the handler itself: sending calls
//! it on the sender's thread with the value as it is, without encoding, queue or system call. The table is looked at when
//! a host starts or stops and when a client connects, never when a message is sent.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One host. A process has few, so that a list will do.
struct Entry {
    /// None for a host without a name.
    name: Option<Arc<str>>,
    /// The name of its port in this process.
    port: u32,
    /// The process that it runs in: a forked child inherits this table, but no host.
    process: u32,
    host: Arc<dyn Any + Send + Sync>,
}

static LOOKUP_ENABLED: AtomicBool = AtomicBool::new(true);
static HOSTS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Switches the short cut off or on for clients that connect from now on, in the whole process. It starts switched on.
///
/// Switched off, a client of a host in its own process sends through the port like any other. Clients that are connected
/// already, and their clones, keep the way they have.
///
/// ```
/// machipc::registry::set_lookup_enabled(false);
/// assert!(!machipc::registry::is_lookup_enabled());
/// # machipc::registry::set_lookup_enabled(true);
/// ```
pub fn set_lookup_enabled(enabled: bool) {
    LOOKUP_ENABLED.store(enabled, Ordering::Relaxed);
}

/// Whether clients that connect now may take the short cut.
pub fn is_lookup_enabled() -> bool {
    LOOKUP_ENABLED.load(Ordering::Relaxed)
}

/// The names that hosts of this process serve, in the order in which they started.
pub fn names() -> Vec<String> {
    let process = std::process::id();
    let hosts = hosts();
    let own = hosts.iter().filter(|entry| entry.process == process);
    own.filter_map(|entry| entry.name.as_deref().map(str::to_owned)).collect()
}

/// Makes a host findable by its port and, if it has one, its name, which check-in has given to nobody else.
pub(crate) fn insert<H: Any + Send + Sync>(name: Option<Arc<str>>, port: u32, host: Arc<H>) {
    hosts().push(Entry { name, port, process: std::process::id(), host });
}

/// Forgets the host with that port.
pub(crate) fn remove(port: u32) {
    let mut hosts = hosts();
    let process = std::process::id();
    let own = |entry: &Entry| entry.process == process && entry.port == port;
    let removed = hosts.iter().position(own).map(|index| hosts.remove(index));
    // Unlocked first: the entry may own a handler, and what the handler owns may come back to this table.
    drop(hosts);
    drop(removed);
}

/// The host of that name, when lookup is enabled and the host is of this kind.
pub(crate) fn find_by_name<H: Any + Send + Sync>(name: &str) -> Option<Arc<H>> {
    find(|entry| entry.name.as_deref() == Some(name))
}

/// The host with that port, when lookup is enabled and the host is of this kind.
pub(crate) fn find_by_port<H: Any + Send + Sync>(port: u32) -> Option<Arc<H>> {
    find(|entry| entry.port == port)
}

fn find<H: Any + Send + Sync>(wanted: impl Fn(&Entry) -> bool) -> Option<Arc<H>> {
    if !is_lookup_enabled() {
        return None;
    }
    let process = std::process::id();
    let host = hosts().iter().find(|entry| entry.process == process && wanted(entry))?.host.clone();
    host.downcast().ok()
}

fn hosts() -> MutexGuard<'static, Vec<Entry>> {
    // Nothing panics while the lock is held, so a poisoned table is a whole one.
    HOSTS.lock().unwrap_or_else(PoisonError::into_inner)
}
