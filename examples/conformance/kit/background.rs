//! Calls that block, on threads of their own.

use super::{Outcome, Stop};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread may take to finish once nothing holds it.
const LIMIT: Duration = Duration::from_secs(15);
/// How long a call is watched before it counts as blocked. A slow machine can only hide a fault by it, not make one.
const WATCHED: Duration = Duration::from_millis(80);

/// A call on its own thread.
pub struct Background<T> {
    thread: JoinHandle<()>,
    started: Receiver<()>,
    result: Receiver<T>,
}

/// Starts `call` on a thread, and returns once that thread runs.
pub fn background<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Background<T> {
    let (start, started) = channel();
    let (done, result) = channel();
    let thread = std::thread::spawn(move || {
        let _ = start.send(());
        let _ = done.send(call());
    });
    let background = Background { thread, started, result };
    let _ = background.started.recv_timeout(LIMIT);
    background
}

impl<T> Background<T> {
    /// Waits for the call to return and gives what it gave.
    pub fn finish(self, what: &str) -> Outcome<T> {
        let result = self.result.recv_timeout(LIMIT);
        match result {
            Ok(value) => {
                let _ = self.thread.join();
                Ok(value)
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(Stop::Fail(format!("expected {what} to return, got a call that still blocks")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Stop::Fail(format!("expected {what} to return, got a panic")))
            }
        }
    }

    /// Whether the call has returned, after it was given a moment.
    pub fn returned(&self) -> Option<T> {
        self.result.recv_timeout(WATCHED).ok()
    }

    /// The result if the call has returned already.
    pub fn poll(&self) -> Option<T> {
        self.result.try_recv().ok()
    }
}

/// Demands that a call has not returned.
pub fn still_blocked<T>(call: &Background<T>, what: &str) -> Outcome {
    match call.returned() {
        None => Ok(()),
        Some(_) => Err(Stop::Fail(format!("expected {what} to block, got a call that returned"))),
    }
}

/// Gives threads that were just started time to reach their wait.
pub fn settle(pause: Duration) {
    std::thread::sleep(pause);
}

/// Tries a scene whose threads must be waiting by a certain moment, with ever longer pauses, until it was met.
/// `scene` tells whether it was: `false` means that a thread was late, and the scene is set again.
pub fn retry(what: &str, mut scene: impl FnMut(Duration) -> Outcome<bool>) -> Outcome {
    for attempt in 0..6 {
        if scene(Duration::from_millis(40 << attempt))? {
            return Ok(());
        }
    }
    Err(Stop::Fail(format!("expected {what}, got another outcome in six attempts")))
}
