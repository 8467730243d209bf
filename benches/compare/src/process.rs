//! A process of a run, as whoever directs it sees it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Outcome;

/// What a process says before the reason why it ends.
pub const FAILED: &str = "failed:";

/// Another process of this program. It is killed with this value.
pub struct Process {
    child: Child,
    output: ChildStdout,
    /// What has been read and not been asked for.
    text: Vec<u8>,
}

impl Process {
    /// Starts this program again.
    pub fn start(arguments: &[String], directory: &std::path::Path) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env("MACHIPC_BOOTSTRAP_DIR", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("a process without output")?;
        Ok(Self { child, output, text: Vec::new() })
    }

    /// Tells the process something.
    pub fn tell(&mut self, line: &str) -> Outcome {
        let input = self.child.stdin.as_mut().ok_or("the process has been told to end")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Tells the process that there is nothing more, and waits for its end.
    pub fn end(mut self, patience: Duration) -> Outcome {
        drop(self.child.stdin.take());
        let start = Instant::now();
        while start.elapsed() < patience {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.reason(&status.to_string()).into()),
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        }
        Err("a process does not end".into())
    }

    /// A line that has been read already.
    fn line(&mut self) -> Option<String> {
        let end = self.text.iter().position(|&byte| byte == b'\n')?;
        let line = self.text.drain(..=end).collect::<Vec<u8>>();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads what is there.
    fn read(&mut self) -> Outcome {
        let mut buffer = [0; 1024];
        let len = self.output.read(&mut buffer)?;
        if len == 0 {
            let status = self.child.wait()?;
            return Err(self.reason(&format!("a process ended early: {status}")).into());
        }
        self.text.extend_from_slice(&buffer[..len]);
        Ok(())
    }

    /// What the process said why it failed, or `otherwise`.
    fn reason(&mut self, otherwise: &str) -> String {
        let mut rest = std::mem::take(&mut self.text);
        let _ = self.output.read_to_end(&mut rest);
        let text = String::from_utf8_lossy(&rest);
        text.lines().find_map(|line| line.strip_prefix(FAILED)).unwrap_or(otherwise).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until each of these processes has said a line, and gives these lines. One that fails ends the waiting, and so does the
/// end of a process that is only watched.
pub fn lines_of(
    processes: &mut [&mut Process],
    mut watched: Option<&mut Process>,
    patience: Duration,
) -> Outcome<Vec<String>> {
    let deadline = Instant::now() + patience;
    let mut lines: Vec<Option<String>> = processes.iter_mut().map(|process| process.line()).collect();
    loop {
        for line in lines.iter().flatten() {
            if let Some(reason) = line.strip_prefix(FAILED) {
                return Err(reason.trim().into());
            }
        }
        let missing: Vec<usize> = (0..lines.len()).filter(|&index| lines[index].is_none()).collect();
        if missing.is_empty() {
            return Ok(lines.into_iter().flatten().collect());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled: Vec<PollFd<'_>> =
            missing.iter().map(|&index| PollFd::new(&processes[index].output, PollFlags::IN)).collect();
        polled.extend(watched.as_ref().map(|process| PollFd::new(&process.output, PollFlags::IN)));
        if poll(&mut polled, Some(&Timespec::try_from(left)?))? == 0 {
            return Err(format!("{} of {} processes say nothing", missing.len(), processes.len()).into());
        }
        let ready: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        if let (Some(process), true) = (&mut watched, ready.len() > missing.len() && ready[missing.len()]) {
            process.read()?;
            if let Some(line) = process.line() {
                return Err(line.trim_start_matches(FAILED).trim().into());
            }
        }
        for (&index, ready) in missing.iter().zip(ready) {
            if ready {
                processes[index].read()?;
                lines[index] = processes[index].line();
            }
        }
    }
}
