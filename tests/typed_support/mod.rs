//! What the tests of the typed floor share.

#![allow(dead_code)] // each test binary uses its part

pub mod hosts;
pub mod process;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing that works takes this long.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// An endpoint name that no other test and no other run uses.
pub fn unique(tag: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("com.example.test.{tag}.{}.{count}", std::process::id())
}

/// Waits until `done`, looking again and again; panics with `what` when the watchdog barks.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    until_or(what, || (done(), String::new()));
}

/// [`until`], with words about how it stands.
pub fn until_or(what: &str, mut done: impl FnMut() -> (bool, String)) {
    let start = Instant::now();
    loop {
        let (done, words) = done();
        if done {
            return;
        }
        assert!(start.elapsed() < WATCHDOG, "timed out: {what}; {words}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
