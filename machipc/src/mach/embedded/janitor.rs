//! The thread that keeps house where none of the program's does.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::kernel::Kernel;
use super::poll::Poller;
use super::task::Task;

/// How often the janitor looks whether somebody leads.
pub(super) const PERIOD: Duration = Duration::from_millis(5);
/// The same while somebody polls a descriptor for messages instead of waiting in `mach_msg`.
const PERIOD_POLLED: Duration = Duration::from_micros(500);
/// So many periods without activity, and the janitor sleeps until the leader wakes: to wake it each time would cost a system call a message.
const QUIET_PERIODS: u32 = 20;
/// After so many periods with activity the program is prepared for speed.
const BUSY_PERIODS: u32 = 4;

impl Task {
    /// Starts the janitor; called once, with the first link or listener.
    pub(super) fn start_janitor(&'static self, poller: &'static Poller) {
        let started =
            std::thread::Builder::new().name("machipc-janitor".into()).spawn(move || self.keep_house(poller));
        if let Ok(handle) = started {
            *poller.janitor.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.thread().clone());
        }
    }

    fn keep_house(&self, poller: &Poller) {
        let mut before = poller.activity();
        let (mut quiet, mut busy) = (0, 0);
        loop {
            let mut rests = quiet > QUIET_PERIODS && poller.is_asleep();
            if rests {
                poller.janitor_rests.store(true, Ordering::SeqCst);
                // A leader that has woken since may not have seen that.
                rests = poller.is_asleep();
            }
            let polled = poller.polled.load(Ordering::SeqCst);
            let period = if polled { PERIOD_POLLED } else { PERIOD };
            if poller.stands.load(Ordering::SeqCst) {
                if let Ok(events) = poller.wait((!rests).then(|| Instant::now() + period)) {
                    self.handle(&events);
                }
            } else if rests {
                std::thread::park();
            } else {
                std::thread::park_timeout(period);
            }
            poller.spin.woke();
            poller.janitor_rests.store(false, Ordering::SeqCst);
            let active = poller.activity() != before;
            quiet = if active { 0 } else { quiet + 1 };
            busy += u32::from(active && busy < BUSY_PERIODS);
            if active && busy == BUSY_PERIODS {
                // Not before: it may take tens of milliseconds, and most programs are never that busy.
                busy += 1;
                self.prepare_barriers();
            }
            // While a leader sleeps it hears the sockets. A program that sends and receives looks at the rings itself: armed links would
            // only make its peers ring.
            if !poller.is_asleep() {
                if active {
                    self.hear_sockets(poller);
                } else if poller.try_lead() {
                    self.lead_for_all(poller);
                } else {
                    // A leader that polls for ever.
                    self.hear_sockets(poller);
                }
            }
            before = poller.activity();
        }
    }

    /// Does what the sockets tell. Another thread may lead meanwhile.
    fn hear_sockets(&self, poller: &Poller) {
        if let Ok(events) = poller.look() {
            self.handle(&events);
        }
    }

    /// Leads until a thread that waits wants to.
    fn lead_for_all(&self, poller: &Poller) {
        poller.janitor_leads.store(true, Ordering::SeqCst);
        loop {
            // Also hears the sockets now and then, if a peer never stops sending.
            self.drain(poller);
            if self.with(|kernel| kernel.links.is_stuck()) {
                self.with(Kernel::flush_links);
            }
            // A thread that waits takes over: one that began to before the first link came knows of no leader.
            let waiting =
                self.with(|kernel| kernel.waiters.iter().any(|(_, waiter)| waiter.outcome.is_none()));
            if waiting || poller.wanted.swap(false, Ordering::SeqCst) {
                break;
            }
            poller.asleep.store(true, Ordering::SeqCst);
            if !self.with(|kernel| kernel.links.arm_all()) {
                poller.asleep.store(false, Ordering::SeqCst);
                continue;
            }
            // What the rings could not take is tried again soon; otherwise the sleep has no end.
            let retry = self.with(|kernel| kernel.links.is_stuck()).then(|| Instant::now() + PERIOD);
            let before = poller.activity();
            let events = poller.wait(retry);
            poller.asleep.store(false, Ordering::SeqCst);
            match events {
                Ok(events) => self.handle(&events),
                Err(_) => continue,
            }
            if poller.activity() != before {
                // The program has become active.
                break;
            }
        }
        poller.janitor_leads.store(false, Ordering::SeqCst);
        poller.stop_leading();
        self.hand_lead_on(None);
    }
}
