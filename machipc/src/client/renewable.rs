//! A connection that is made anew when its host has died.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::error::Error;
use crate::message::MachMessage;
use crate::port::{Deadline, bootstrap};

use super::connection::Connection;
use super::options::appears;
use super::when_full::Dropped;
use super::{AsyncClient, Client, look_up_error};

/// The connection that clones share, whichever it is now. Reading it takes no lock.
pub(super) struct Renewable {
    current: ArcSwap<Connection>,
    pub(super) dropped: Dropped,
    /// How long to wait for another host.
    wait: Duration,
    /// How long another host is asked for its definition.
    compare: Option<Duration>,
}

impl Renewable {
    pub(super) fn new(connection: Connection, wait: Duration, compare: Option<Duration>) -> Self {
        Self { current: ArcSwap::from_pointee(connection), dropped: Dropped::default(), wait, compare }
    }

    pub(super) fn current(&self) -> Arc<Connection> {
        self.current.load_full()
    }

    /// Finds another host in the place of one that is dead, on behalf of `client`.
    pub(super) fn renew<M: MachMessage>(
        &self,
        client: &Client<M>,
        dead: &Arc<Connection>,
        deadline: Deadline,
    ) -> Result<(), Error> {
        if !self.is_current(dead) {
            // Somebody else has.
            return Ok(());
        }
        // Threads that come here at once each look for themselves, so that none waits for another's deadline; the first one's counts.
        let name = client.endpoint();
        let found = bootstrap::waiting(
            name,
            deadline.min(Deadline::after(self.wait)),
            || look_up::<M>(name),
            |error| matches!(error, Error::NotFound { .. }),
            |error| look_up_error(name, error),
        )?;
        client.share(&found);
        if let Some(within) = self.compare {
            client.compare(&found, within)?;
        }
        self.current.compare_and_swap(dead, Arc::new(found));
        Ok(())
    }

    /// [`renew`](Self::renew) without blocking the thread.
    pub(super) async fn renew_async<M: MachMessage>(
        &self,
        client: &AsyncClient<M>,
        dead: &Arc<Connection>,
        deadline: Deadline,
    ) -> Result<(), Error> {
        if !self.is_current(dead) {
            return Ok(());
        }
        let name = client.client().endpoint();
        let until = deadline.min(Deadline::after(self.wait));
        let found = Arc::new(appears(name, until, || look_up::<M>(name)).await?);
        client.client().share(&found);
        if let Some(within) = self.compare {
            client.compare(&found, within).await?;
        }
        self.current.compare_and_swap(dead, found);
        Ok(())
    }

    fn is_current(&self, connection: &Arc<Connection>) -> bool {
        Arc::ptr_eq(&self.current.load(), connection)
    }
}

/// The host of this name, if one is there that lives.
pub(super) fn look_up<M>(name: &str) -> Result<Connection, Error> {
    match bootstrap::look_up::<M>(name) {
        // The name of a host that is just dying.
        Ok(right) if right.is_dead() => Err(Error::NotFound { endpoint: name.to_owned() }),
        Ok(right) => Ok(Connection::new(right)),
        Err(error) => Err(look_up_error(name, error)),
    }
}
