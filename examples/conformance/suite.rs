//! The suite: the table of rules, and how one is run.
//!
//! Each rule runs in a process of its own. So its names can be counted before and after, it may die or hang without
//! taking another rule along, and what it leaves behind goes with it.

#[macro_use]
pub mod kit;

mod body_copyin;
mod bootstrap;
mod dead_names;
mod fileport;
mod hygiene;
mod insert;
mod names;
mod no_senders;
mod notifications;
mod ool;
mod port_sets;
mod pseudo_receive;
mod queueing;
mod receive;
mod received_rights;
mod refs;
mod replies;
mod send_validation;
pub mod table;
mod transfer;

use kit::{Outcome, Snapshot, Stop, again, say, snapshot};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

pub use table::{CASES, RULES};

/// How long a rule may run before it counts as hung.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// A rule of the table.
pub struct Rule {
    pub number: u32,
    /// The file that holds it.
    pub group: &'static str,
    /// The check's name, which starts with the number.
    pub name: &'static str,
    pub mark: Mark,
    check: fn() -> Outcome,
}

/// A part of a rule that runs in a process of its own where the kernel may kill it.
pub struct Case {
    pub name: &'static str,
    body: fn() -> Outcome,
}

/// Whether every typed messaging layer needs the rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Core,
    Ext,
}

/// What came of a rule.
pub enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Rule {
    pub fn label(&self) -> String {
        format!("R-{:03}", self.number)
    }
}

impl Mark {
    pub fn text(self) -> &'static str {
        match self {
            Mark::Core => "core",
            Mark::Ext => "ext",
        }
    }
}

/// Runs a rule in a child and waits for its verdict, but no longer than `watchdog`.
pub fn run(rule: &Rule, watchdog: Duration) -> Verdict {
    let number = rule.number.to_string();
    let started = again(&["rule", &number])
        .and_then(|mut command: Command| command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn());
    match started {
        Ok(mut child) => {
            let verdict = listen(&mut child, watchdog);
            let _ = child.kill();
            let _ = child.wait();
            verdict
        }
        Err(error) => Verdict::Failed(format!("expected a process to run the rule in, got {error}")),
    }
}

/// Reads the verdict that a rule's process says.
fn listen(child: &mut Child, watchdog: Duration) -> Verdict {
    let Some(output) = child.stdout.take() else {
        return Verdict::Failed("expected a pipe to the rule's process, got none".to_owned());
    };
    let (say, heard) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(line) = line.strip_prefix("@ ") {
                let _ = say.send(line.to_owned());
            }
        }
    });
    match heard.recv_timeout(watchdog) {
        Ok(line) => match line.split_once(' ') {
            Some(("fail", text)) => Verdict::Failed(text.to_owned()),
            Some(("skip", text)) => Verdict::Skipped(text.to_owned()),
            _ => Verdict::Passed,
        },
        Err(RecvTimeoutError::Timeout) => {
            Verdict::Failed(format!("expected an end within {} s, got a rule that hung", watchdog.as_secs()))
        }
        Err(RecvTimeoutError::Disconnected) => match child.wait() {
            Ok(status) => {
                Verdict::Failed(format!("expected a verdict, got a process that ended with {status}"))
            }
            Err(error) => Verdict::Failed(format!("expected a verdict, got {error}")),
        },
    }
}

/// What a process does that was started by another one of the suite. Returns its exit code.
pub fn play(role: &[String]) -> u8 {
    let words: Vec<&str> = role.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["rule", number] => match RULES.iter().find(|rule| rule.number.to_string() == number) {
            Some(rule) => without_leak(rule.check),
            None => Err(Stop::Fail(format!("expected a rule's number, got {number}"))),
        },
        ["case", name] => match CASES.iter().find(|case| case.name == name) {
            Some(case) => (case.body)(),
            None => Err(Stop::Fail(format!("expected a case's name, got {name}"))),
        },
        ["task", service] => return kit::peer_role(service) as u8,
        _ => Err(Stop::Fail(format!("expected a role, got {words:?}"))),
    };
    match outcome {
        Ok(()) => say("ok"),
        // A verdict is one line.
        Err(Stop::Fail(text)) => say(&format!("fail {}", one_line(&text))),
        Err(Stop::Skip(text)) => say(&format!("skip {}", one_line(&text))),
    }
    0
}

/// A text without line ends, and without the commas and spaces that a value printed over several lines has.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("( ", "(").replace("[ ", "[").replace(", )", ")").replace(", ]", "]")
}

/// Runs a check and demands that the task has the names afterwards that it had before.
fn without_leak(check: fn() -> Outcome) -> Outcome {
    // Names that come with first use are made now: the bootstrap port's, and what a thread needs.
    let _ = machipc::mach::bootstrap_port();
    let _ = std::thread::spawn(|| {}).join();
    let before = snapshot()?;
    match std::panic::catch_unwind(check) {
        Ok(outcome) => outcome?,
        Err(_) => return Err(Stop::Fail("expected no panic, got one (see standard error)".to_owned())),
    }
    // A thread or process that has just ended may take its names along a moment later.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let after: Snapshot = snapshot()?;
        let new = after.new_since(&before);
        if new.is_empty() && after.len() == before.len() {
            return Ok(());
        }
        if Instant::now() > deadline {
            fail!(
                "expected as many names as before the rule, {}, got {}; new: {}",
                before.len(),
                after.len(),
                new.join(", ")
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
