//! The way to a host through its port.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::driver::Driver;
use crate::error::Error;
use crate::port::{Deadline, SendRight};

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

/// How long a reply right may be gone before its host's death is to be seen. Systems end a process name by name, and the port's name
/// need not be the first.
pub(super) const DEATH_SHOWS: Duration = Duration::from_millis(100);
/// How long to wait between two looks for the death of a host. A name has one dead-name request, which other holders of the right may
/// have made: so look instead of asking.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(1);

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

    /// Waits a moment for the host to go, after it has destroyed a reply right without a word.
    pub(super) fn dies_soon(&self) -> bool {
        let deadline = Deadline::after(DEATH_SHOWS);
        while !self.is_dead() {
            if deadline.has_passed() {
                return false;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        true
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through port {:#x}", self.right.name())
    }
}
