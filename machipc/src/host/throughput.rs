//! The throughput log.

use std::time::{Duration, Instant};

use crate::logger::{Log, LogLevel};
use crate::message::MachMessage;
use crate::port::Deadline;

use super::core::Core;

/// Writes how many messages were handled, once an interval in which there were any.
pub(super) struct Throughput {
    interval: Duration,
    /// Nobody else handles messages, so that while this thread waits there are none.
    alone: bool,
    since: Instant,
    handled: u64,
    /// No message has come since the last line.
    quiet: bool,
}

impl Throughput {
    pub(super) fn new(interval: Duration, alone: bool) -> Self {
        Self { interval, alone, since: Instant::now(), handled: 0, quiet: true }
    }

    /// Writes a line when one is due. Called before every receive.
    pub(super) fn look<M: MachMessage + 'static>(&mut self, core: &Core<M>, log: &Log) {
        let now = Instant::now();
        let handled: u64 = core.counters.iter().map(|counters| counters.handled()).sum();
        let new = handled - self.handled;
        if self.quiet {
            // An interval starts with its first message, not in the silence before it.
            self.since = now;
            self.quiet = new == 0;
            return;
        }
        if now - self.since >= self.interval {
            self.write(log, new, now);
            (self.handled, self.quiet) = (handled, true);
        }
    }

    /// Writes what is left to tell when the host stops.
    pub(super) fn finish<M: MachMessage + 'static>(&mut self, core: &Core<M>, log: &Log) {
        self.look(core, log);
        let handled: u64 = core.counters.iter().map(|counters| counters.handled()).sum();
        if handled > self.handled {
            self.write(log, handled - self.handled, Instant::now());
        }
    }

    fn write(&self, log: &Log, new: u64, now: Instant) {
        let passed = now - self.since;
        let rate = new as f64 / passed.as_secs_f64().max(1e-6);
        log.line(LogLevel::Info, format_args!("{new} messages in {passed:.1?}, {rate:.0} a second"));
    }

    /// When to look again even though no message came. A quiet host sleeps on.
    pub(super) fn deadline(&self) -> Deadline {
        match (self.quiet, self.alone) {
            (true, true) => Deadline::never(),
            (true, false) => Deadline::after(self.interval),
            (false, _) => Deadline::after(self.interval.saturating_sub(self.since.elapsed())),
        }
    }
}
