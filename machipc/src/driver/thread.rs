//! The driver of a process, and its thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::error::Error;
use crate::port::{Deadline, MachError, MessageBuffer};

use super::Driver;

/// A driver, and the process that it runs in: a forked child inherits the value, but neither the thread nor the ports.
type Running = (u32, Arc<Driver>);

static DRIVER: Mutex<Option<Running>> = Mutex::new(None);

/// The process's driver, which is started if it is not there.
pub(super) fn driver(endpoint: &str) -> Result<Arc<Driver>, Error> {
    let process = std::process::id();
    // Nothing panics while the lock is held, so a poisoned one holds a whole value.
    let mut running = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
    match running.take() {
        Some((owner, driver)) if owner == process => {
            *running = Some((owner, driver.clone()));
            return Ok(driver);
        }
        // The names in it are the parent's. Dropping them would release whatever this process has under the same names.
        inherited => std::mem::forget(inherited),
    }
    let driver = start(endpoint)?;
    *running = Some((process, driver.clone()));
    Ok(driver)
}

fn start(endpoint: &str) -> Result<Arc<Driver>, Error> {
    let failed = |source| Error::Mach { endpoint: endpoint.to_owned(), source };
    let driver = Arc::new(Driver::new().map_err(failed)?);
    let driven = driver.clone();
    spawn(move || drive(&driven))
        .map_err(|error| Error::Thread { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
    Ok(driver)
}

fn spawn(run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name("machipc driver".to_owned()).spawn(run).map(drop)
}

/// Drives for as long as the process lives.
fn drive(driver: &Driver) {
    let mut buffer = MessageBuffer::new();
    let mut until: Option<Instant> = None;
    loop {
        let deadline = until.map_or(Deadline::never(), Deadline::at);
        match driver.turn(&mut buffer, deadline) {
            Ok((_, next)) => until = next,
            Err(error) => return lost(&error),
        }
    }
}

/// Says that a driver is of no use any more.
pub(super) fn lost(error: &MachError) {
    tracing::error!(target: "machipc", "nothing is received for futures any more: {error}");
}

/// Drives in place of a runtime that has ended, for as long as somebody else has the driver.
#[cfg(feature = "tokio")]
pub(super) fn take_over(driver: Arc<Driver>) {
    /// How long the thread may outlive the last one who has the driver.
    const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
    let spawned = spawn(move || {
        let mut buffer = MessageBuffer::new();
        let mut until = None;
        while Arc::strong_count(&driver) > 1 {
            let deadline = until.map_or(Deadline::never(), Deadline::at).min(Deadline::after(LOOK));
            match driver.turn(&mut buffer, deadline) {
                Ok((_, next)) => until = next,
                Err(error) => return lost(&error),
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(target: "machipc", "nobody receives for the futures of a runtime that has ended: {error}");
    }
}
