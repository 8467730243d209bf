//! The way to a host through its port.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::driver::Driver;
use crate::error::Error;
use crate::port::{Deadline, MessageBuffer, ReceiveRight, SendOnceRight, SendRight};

use super::room::Room;
use super::when_full::Dropped;

/// The right to send to a host, and who waits for room in its queue. Clients that are clones share it.
pub(crate) struct Connection {
    right: SendRight<()>,
    pub(super) room: Room,
    pub(super) dropped: Dropped,
    /// The process's driver, once it was used: asking for it takes a look at the process's id.
    driver: OnceLock<Arc<Driver>>,
    /// What tells the host that it has this client: for as long as it is there.
    presence: OnceLock<SendRight<()>>,
}

/// How long a reply right may be gone before its host's death is to be seen. XNU ends a task name by name, in the order of its table
/// (`ipc_space_terminate` in `osfmk/ipc/ipc_space.c`), and the port's name need not come before the reply right's. Embedded Mach marks the
/// ports of a process that has gone dead before it tells of anything else, so that nobody waits there.
pub(super) const DEATH_SHOWS: Duration = Duration::from_millis(100);

/// Where a notification comes when a host dies.
pub(super) struct DeathWatch {
    pub(super) port: ReceiveRight<()>,
    /// A name has one request. Whose request was replaced by this one is told when it is dropped, and looks again.
    pub(super) replaced: Option<SendOnceRight<()>>,
}

impl Connection {
    pub(super) fn new<M>(right: SendRight<M>) -> Self {
        Self {
            right: right.cast(),
            room: Room::new(),
            dropped: Dropped::default(),
            driver: OnceLock::new(),
            presence: OnceLock::new(),
        }
    }

    /// Keeps what the host has given to be held for as long as it is connected to.
    pub(super) fn keep(&self, presence: SendRight<()>) {
        let _ = self.presence.set(presence);
    }

    pub(super) fn right(&self) -> &SendRight<()> {
        &self.right
    }

    /// The process's driver.
    pub(super) fn driver(&self, endpoint: &str) -> Result<Arc<Driver>, Error> {
        match self.driver.get() {
            Some(driver) => Ok(driver.clone()),
            None => Driver::of_process(endpoint).map(|driver| self.driver.get_or_init(|| driver).clone()),
        }
    }

    /// Whether the host is known to have gone.
    pub(super) fn is_dead(&self) -> bool {
        self.right.is_dead()
    }

    /// Asks to be told of the host's death. Whatever comes is a reason to look whether it [is dead](Self::is_dead), and to ask again if
    /// not. None: it is dead, or this process has no room for a port.
    pub(super) fn watch_death(&self) -> Option<DeathWatch> {
        let port = ReceiveRight::pinned(1).ok()?;
        let replaced = self.right.notify_dead_name(&port).ok()?;
        Some(DeathWatch { port, replaced })
    }

    /// Waits a moment for the host to go, after it has destroyed a reply right without a word.
    pub(super) fn dies_soon(&self) -> bool {
        if self.is_dead() {
            return true;
        }
        let deadline = Deadline::after(DEATH_SHOWS);
        let mut buffer = MessageBuffer::new();
        while let Some(watch) = self.watch_death()
            && watch.port.receive(&mut buffer, deadline).is_ok()
            && !self.is_dead()
        {}
        self.is_dead()
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through port {:#x}", self.right.name())
    }
}
