//! Services by name.

use core::ffi::CStr;

use std::time::Duration;

use crate::mach;

use super::{Deadline, MachError, MessageBuffer, ReceiveRight, SendRight, received, sys};

/// Why a service could not be taken, registered or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The name cannot be a service's name.
    #[error("{name:?} cannot be a service name: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system refused.
    #[error("service {name:?}: {source}")]
    Mach {
        /// The service's name.
        name: String,
        /// The system's answer.
        source: MachError,
    },
}

impl BootstrapError {
    /// The system's answer, if the name came that far.
    pub fn mach(&self) -> Option<MachError> {
        match self {
            Self::Mach { source, .. } => Some(*source),
            Self::InvalidName { .. } => None,
        }
    }
}

/// Takes a service name and returns the service's receive right. The name is free again when the right is destroyed or the
/// process ends, unless launchd or the socket activation of systemd declares the service.
///
/// ```
/// use machipc::port::bootstrap;
///
/// let name = format!("com.example.doc.{}", std::process::id());
/// let port = bootstrap::check_in::<String>(&name)?;
/// assert!(!bootstrap::look_up::<String>(&name)?.is_dead());
/// assert!(bootstrap::check_in::<String>(&name).unwrap_err().mach().unwrap().is_name_taken());
/// assert!(bootstrap::check_in::<String>("").is_err());
/// # drop(port);
/// # Ok::<(), bootstrap::BootstrapError>(())
/// ```
///
/// # Errors
/// `BOOTSTRAP_SERVICE_ACTIVE` if this process has the name already, `BOOTSTRAP_NOT_PRIVILEGED` if another process has it or
/// the sandbox forbids it (R-191).
pub fn check_in<M>(name: &str) -> Result<ReceiveRight<M>, BootstrapError> {
    with_name(name, sys::check_in).map(ReceiveRight::own)
}

/// Gives a send right a service name, under which others find it. The caller keeps the right.
///
/// # Errors
/// `BOOTSTRAP_SERVICE_ACTIVE` or `BOOTSTRAP_NAME_IN_USE` if the name is in use here, `BOOTSTRAP_NOT_PRIVILEGED` if it is
/// another process's (R-192); `BOOTSTRAP_NO_MEMORY` for a dead right.
pub fn register<M>(name: &str, right: &SendRight<M>) -> Result<(), BootstrapError> {
    with_name(name, |service| sys::register(service, right.name()))
}

/// Finds a service by its name.
///
/// # Errors
/// `BOOTSTRAP_UNKNOWN_SERVICE` if there is none (R-191).
pub fn look_up<M>(name: &str) -> Result<SendRight<M>, BootstrapError> {
    with_name(name, sys::look_up).map(SendRight::new)
}

/// Finds a service by its name, waiting for it to appear.
///
/// ```
/// use machipc::port::{Deadline, bootstrap};
/// use std::time::Duration;
///
/// let name = format!("com.example.doc.later.{}", std::process::id());
/// let later = name.clone();
/// let service = std::thread::spawn(move || bootstrap::check_in::<String>(&later));
/// let right = bootstrap::look_up_waiting::<String>(&name, Deadline::after(Duration::from_secs(60)))?;
/// let port = service.join().unwrap()?;
/// assert_eq!(right.name(), port.name());
/// # Ok::<(), bootstrap::BootstrapError>(())
/// ```
///
/// # Errors
/// As [`look_up`], with `BOOTSTRAP_UNKNOWN_SERVICE` once the deadline has passed.
pub fn look_up_waiting<M>(name: &str, deadline: Deadline) -> Result<SendRight<M>, BootstrapError> {
    let unknown = |error: &BootstrapError| error.mach().is_some_and(|error| error.is_unknown_service());
    waiting(name, deadline, || look_up(name), unknown, |error| error)
}

/// Calls `look` until it finds something, fails for another reason than that the name is `unknown`, or the deadline has
/// passed; in between it waits for the name to appear. `failed` makes its error of what the wait may fail with.
pub(crate) fn waiting<T, E>(
    name: &str,
    deadline: Deadline,
    mut look: impl FnMut() -> Result<T, E>,
    unknown: impl Fn(&E) -> bool,
    failed: impl Fn(BootstrapError) -> E,
) -> Result<T, E> {
    loop {
        // Mostly it is there, and then a watch is not worth its while.
        match look() {
            Err(error) if unknown(&error) && !deadline.has_passed() => {}
            result => return result,
        }
        let watch = Watch::new(name).map_err(&failed)?;
        match look() {
            Err(error) if unknown(&error) => watch.wait(name, deadline).map_err(&failed)?,
            result => return result,
        }
    }
}

/// What is told when a service may have appeared.
#[derive(Debug)]
pub(crate) struct Watch(mach::bootstrap_watch_t);

impl Watch {
    pub(crate) fn new(name: &str) -> Result<Self, BootstrapError> {
        with_name(name, sys::watch).map(Self)
    }

    /// Waits until the name is worth looking up, or the deadline has passed.
    fn wait(&self, name: &str, deadline: Deadline) -> Result<(), BootstrapError> {
        let look_again = self.look_again();
        // What the message says does not matter, nor who sent it.
        match received::receive(self.0.port, &mut MessageBuffer::new(), deadline.min(look_again)) {
            Err(source) if !source.is_timed_out() => Err(BootstrapError::Mach { name: name.into(), source }),
            _ => Ok(()),
        }
    }

    /// Until when to wait at most before the name is worth looking up again.
    pub(crate) fn look_again(&self) -> Deadline {
        match self.0.look_again {
            mach::MACH_MSG_TIMEOUT_NONE => Deadline::never(),
            milliseconds => Deadline::after(Duration::from_millis(milliseconds.into())),
        }
    }

    /// The port at which it is told. It is destroyed with this value, so it is [left](ReceiveRight::leave) before.
    pub(crate) fn port(&self) -> ReceiveRight<()> {
        ReceiveRight::own(self.0.port)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        mach::bootstrap_unwatch(&self.0);
    }
}

/// Checks a name, since what the system does with a bad one differs (R-195), and calls with it.
fn with_name<T>(name: &str, call: impl FnOnce(&CStr) -> Result<T, MachError>) -> Result<T, BootstrapError> {
    const ROOM: usize = mach::BOOTSTRAP_MAX_NAME_LEN;
    let invalid = |reason| BootstrapError::InvalidName { name: name.into(), reason };
    if name.is_empty() {
        return Err(invalid("it is empty"));
    }
    let mut buffer = [0; ROOM];
    let Some(room) = buffer[..ROOM - 1].get_mut(..name.len()) else {
        return Err(invalid("it has more than 127 bytes"));
    };
    room.copy_from_slice(name.as_bytes());
    match CStr::from_bytes_with_nul(&buffer[..=name.len()]) {
        Ok(service) => call(service).map_err(|source| BootstrapError::Mach { name: name.into(), source }),
        Err(_) => Err(invalid("it contains a NUL")),
    }
}
