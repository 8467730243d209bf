//! Log lines about bad messages, which a bad peer can send without end.

use std::fmt;
use std::time::{Duration, Instant};

use crate::logger::{Log, LogLevel};

/// As many lines in each window are written; the rest are counted.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Writes about bad messages, but not about each of a flood.
pub(super) struct Complaints {
    since: Instant,
    written: u32,
    unwritten: u64,
}

impl Complaints {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), written: 0, unwritten: 0 }
    }

    pub(super) fn say(&mut self, log: &Log, text: fmt::Arguments<'_>) {
        if self.since.elapsed() >= WINDOW {
            self.sum_up(log);
            *self = Self::new();
        }
        if self.written < LINES {
            self.written += 1;
            log.line(LogLevel::Warn, text);
        } else {
            self.unwritten += 1;
        }
    }

    /// Tells how many lines were not written.
    pub(super) fn sum_up(&mut self, log: &Log) {
        if self.unwritten > 0 {
            log.line(LogLevel::Warn, format_args!("and {} more messages like these", self.unwritten));
            self.unwritten = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logger::LogRecord;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_flood_is_summed_up() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let logger = move |record: &LogRecord<'_>| sink.lock().unwrap().push(record.text().to_string());
        let log = Log::new(Arc::new(logger), "x".into());
        let mut complaints = Complaints::new();
        // Within one window, unless the machine stands still for a second: then a sum comes earlier, and the total is the same.
        for number in 0..10_000 {
            complaints.say(&log, format_args!("bad {number}"));
        }
        complaints.sum_up(&log);
        let lines = lines.lock().unwrap();
        let (sums, written): (Vec<&String>, Vec<&String>) =
            lines.iter().partition(|line| line.starts_with("and "));
        assert!(lines.len() < 1000);
        let unwritten: usize =
            sums.iter().map(|line| line.split(' ').nth(1).unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(written.len() + unwritten, 10_000);
    }
}
