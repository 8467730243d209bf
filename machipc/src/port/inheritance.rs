//! Rights that a parent hands to a child process, without a name that others could find.
//!
//! [`hand_to`] prepares a send right for the process that a [`Command`] will start, and [`from_parent`] takes it there. A child may be
//! handed several, under keys that the two agree on. The typed forms are [`Host::hand_to`](crate::Host::hand_to) and
//! [`Client::from_parent`](crate::Client::from_parent).
//!
//! # Who can get the right
//!
//! The child that was meant, and whoever it hands the right on to. What another program of the same user can do:
//!
//! - On Linux: nothing without tracing the parent or the child (`ptrace`, `pidfd_getfd`), with which it can do anything anyway. The right is behind
//!   a socket pair that has no name. What the child's environment tells is of no use in another process.
//! - On Apple systems the environment tells a name of 128 random bits. Who reads it before the child has asked can look it up, but gets no
//!   answer: the parent answers only a process that the kernel says is its child. It can also hold the child up by filling that
//!   port's queue.
//!
//! The child must take the right before it starts programs of its own, for until then these inherit the way to it.

use std::ffi::{CStr, CString, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::mach;

use super::{MachError, SendRight, sys};

/// The environment variable that tells a child what it was handed: for each right a key, `=` and the system's text, between `;`.
pub const VARIABLE: &str = "MACHIPC_PARENT";

/// Why a right could not be handed, or taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InheritanceError {
    /// The command has been handed another right under this key.
    #[error("the child is handed {key:?} already: hand each key once, and anew for each command")]
    HandedAlready {
        /// The key.
        key: String,
    },
    /// The parent has handed nothing under this key, or it has been taken.
    #[error(
        "the parent handed this process nothing under {key:?}, or it has been taken: start the process with what `hand_to` prepared, and take each right once"
    )]
    NotHanded {
        /// The key.
        key: String,
    },
    /// The system refused.
    #[error("{key:?}: {source}")]
    Mach {
        /// The key.
        key: String,
        /// The system's answer.
        source: MachError,
    },
}

/// Prepares a copy of `right` for the process that `command` will start: the next one only. For another process, even of the same
/// program, a right is handed to another `Command`.
///
/// It adds to the command's environment, so [`Command::env_clear`] afterwards takes it away again. If the command is used a second time, that
/// [`spawn`](Command::spawn) fails with `EALREADY`; the right is also spent by a spawn that fails because there is no such program.
///
/// ```no_run
/// use machipc::port::{ReceiveRight, inheritance};
/// use std::process::Command;
///
/// let port = ReceiveRight::<String>::new()?;
/// let mut command = Command::new("/usr/local/libexec/worker");
/// inheritance::hand_to(&mut command, "log", &port.make_send()?)?;
/// let child = command.spawn()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`InheritanceError::HandedAlready`]; `KERN_INVALID_RIGHT` for a right that is dead, `KERN_RESOURCE_SHORTAGE` without descriptors or memory.
pub fn hand_to<M>(command: &mut Command, key: &str, right: &SendRight<M>) -> Result<(), InheritanceError> {
    let handed = command.get_envs().find_map(|(name, value)| value.filter(|_| name == VARIABLE));
    let mut entries = handed.map(OsString::from).unwrap_or_default();
    let escaped = escape(key);
    if entry(&entries.to_string_lossy(), &escaped).is_some() {
        return Err(InheritanceError::HandedAlready { key: key.to_owned() });
    }
    let offer =
        sys::offer(right.name()).map_err(|source| InheritanceError::Mach { key: key.to_owned(), source })?;
    let offer = Offer(offer);
    if !entries.is_empty() {
        entries.push(";");
    }
    entries.push(format!("{escaped}={}", offer.text()));
    command.env(VARIABLE, entries);
    // SAFETY: between fork and exec the closure makes system calls only, as the seam promises, and allocates nothing. The child
    // never drops it.
    unsafe { command.pre_exec(move || offer.keep()) };
    Ok(())
}

/// Takes the right that this process's parent handed it under `key`. It can be taken once.
///
/// # Errors
/// [`InheritanceError::NotHanded`]; [`InheritanceError::Mach`] with `KERN_RESOURCE_SHORTAGE`.
pub fn from_parent<M>(key: &str) -> Result<SendRight<M>, InheritanceError> {
    let not_handed = || InheritanceError::NotHanded { key: key.to_owned() };
    let entries = std::env::var(VARIABLE).map_err(|_| not_handed())?;
    let text =
        entry(&entries, &escape(key)).and_then(|text| CString::new(text).ok()).ok_or_else(not_handed)?;
    match sys::accept(&text) {
        Ok(name) => Ok(SendRight::new(name)),
        Err(error) if error.is_unknown_service() || error.code() == mach::KERN_INVALID_ARGUMENT => {
            Err(not_handed())
        }
        Err(source) => Err(InheritanceError::Mach { key: key.to_owned(), source }),
    }
}

/// What is prepared for a child, until the command is dropped.
struct Offer(mach::inheritance_t);

impl Offer {
    /// What the forked child does.
    fn keep(&self) -> std::io::Result<()> {
        match mach::inheritance_keep(&self.0) {
            0 => Ok(()),
            error => Err(std::io::Error::from_raw_os_error(error)),
        }
    }

    fn text(&self) -> &str {
        // The seam promises letters and digits.
        CStr::from_bytes_until_nul(&self.0.text).ok().and_then(|text| text.to_str().ok()).unwrap_or_default()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        mach::inheritance_withdraw(&self.0);
    }
}

/// The text under a key.
fn entry<'e>(entries: &'e str, escaped: &str) -> Option<&'e str> {
    entries
        .split(';')
        .filter_map(|entry| entry.split_once('='))
        .find(|(key, _)| *key == escaped)
        .map(|(_, text)| text)
}

/// A key without the characters that stand between keys.
fn escape(key: &str) -> String {
    let mut escaped = String::new();
    for byte in key.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) => escaped.push(byte.into()),
            byte => escaped.push_str(&format!("%{byte:02x}")),
        }
    }
    escaped
}
