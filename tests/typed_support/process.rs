//! Second processes: the test binary starts itself again, in a role.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::WATCHDOG;

const ROLE: &str = "MACHIPC_TEST_ROLE";

/// A second process. It is killed with this value.
pub struct Peer {
    child: Child,
}

impl Peer {
    /// Starts this binary again to run only the test called `peer`, which asks [`role`] what to do.
    pub fn start(role: &str, arguments: &[&str]) -> Self {
        Self::start_in(role, arguments, &[])
    }

    /// [`start`](Self::start), with these variables in its environment.
    pub fn start_in(role: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(role, arguments);
        let child = command.envs(environment.iter().copied()).spawn().unwrap();
        Self { child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if start.elapsed() > 2 * WATCHDOG {
                self.kill();
                panic!("the other process did not end");
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Waits until it ends by itself, and well.
    pub fn finish(mut self) {
        let status = self.wait();
        assert!(status.success(), "the other process failed: {status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What starts this binary again to run only the test called `peer`.
pub fn command(role: &str, arguments: &[&str]) -> Command {
    let words = [&[role], arguments].concat().join("\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["peer", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command
}

/// In a second process: the role and its arguments. None in the first.
pub fn role() -> Option<(String, Vec<String>)> {
    let words = std::env::var(ROLE).ok()?;
    // The end of standard input is the end of the first process.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let mut words = words.split('\n').map(str::to_owned);
    Some((words.next()?, words.collect()))
}
