//! When a host has no clients any more.
//!
//! A client that connects is given a right to a port of the host's that is there for nothing else. When the last of these rights has gone the
//! kernel says so: that is a no-senders notification, to the host's own port, so that it comes to whoever receives from that. The host's
//! own port cannot tell: its name has a right to it for as long as it is taken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::port::{Deadline, MachError, ReceiveRight, SendRight};

/// The least time between two looks for rights of which nothing is told.
const LOOK: Duration = Duration::from_secs(1);

/// The clients of a host, in so far as it matters whether there are any.
pub(super) struct Idle {
    after: Duration,
    /// Clients have rights to it.
    clients: ReceiveRight<()>,
    /// The host's own port, where notifications come.
    port: Weak<ReceiveRight<()>>,
    /// The host's name has a right to the port.
    named: bool,
    state: Mutex<State>,
}

struct State {
    /// When the host ends if nothing comes; `None` while there are clients.
    until: Option<Instant>,
    /// The end of clients will be told.
    asked: bool,
}

impl Idle {
    pub(super) fn new(after: Duration, port: &Arc<ReceiveRight<()>>, named: bool) -> Result<Self, MachError> {
        let state = State { until: Instant::now().checked_add(after), asked: false };
        let (clients, port) = (ReceiveRight::pinned(1)?, Arc::downgrade(port));
        Ok(Self { after, clients, port, named, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when to wait for a message.
    pub(super) fn deadline(&self) -> Deadline {
        self.state().until.map_or(Deadline::never(), Deadline::at)
    }

    /// A message came. Whoever sent it, the host is not idle.
    pub(super) fn message(&self) {
        let mut state = self.state();
        if state.until.is_some() {
            state.until = Instant::now().checked_add(self.after);
        }
    }

    /// What a client that connects keeps for as long as it is one.
    pub(super) fn admit(&self) -> Option<SendRight<()>> {
        let mut state = self.state();
        let right = self.clients.make_send().ok()?;
        if !state.asked {
            state.asked = self.ask(&self.clients);
        }
        // Without a notification the clock goes on, and `is_over` looks whether anybody has a right.
        if state.asked {
            state.until = None;
        }
        Some(right)
    }

    /// Asks to be told when nobody has a right to `port`, at once if nobody has one now.
    fn ask(&self, port: &ReceiveRight<()>) -> bool {
        let Some(own) = self.port.upgrade() else { return false };
        // A request that is replaced leaves a right, whose end is told too, and means nothing.
        port.make_send_count().and_then(|count| port.notify_no_senders(count, &own)).is_ok()
    }

    /// The kernel says that the last one has gone, perhaps before others came.
    pub(super) fn no_senders(&self) {
        let mut state = self.state();
        let port = self.port.upgrade();
        let watched = match &port {
            Some(port) if !self.named => port,
            _ => &self.clients,
        };
        state.asked = watched.send_rights().is_ok_and(|rights| rights > 0) && self.ask(watched);
        if !state.asked {
            state.until = Instant::now().checked_add(self.after);
        }
    }

    /// The time may be up: whether it is, and no other process has a right to the host.
    pub(super) fn is_over(&self) -> bool {
        let mut state = self.state();
        if state.until.is_none_or(|until| Instant::now() < until) {
            return false;
        }
        let Some(port) = self.port.upgrade() else { return true };
        let own = usize::from(port.has_send_right());
        let name = usize::from(self.named);
        // Where nobody has a right to the clients' port there may be some who have one to the host's without having connected.
        let others = port.send_rights().map_or(0, |rights| (rights as usize).saturating_sub(own + name));
        let connected = self.clients.send_rights().unwrap_or(0);
        if others == 0 && connected == 0 {
            return true;
        }
        if !self.named && own == 0 && self.ask(&port) {
            (state.asked, state.until) = (true, None);
        } else {
            // Of a port that has a name the kernel does not tell.
            state.until = Instant::now().checked_add(self.after.max(LOOK));
        }
        false
    }
}
