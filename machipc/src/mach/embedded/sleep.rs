//! How a leader sleeps: in the poll, where it hears all sockets, or on words.
//!
//! With few links it sleeps on the words of their rings, and each peer wakes it there: that takes a third of the time of a packet that is sent,
//! polled for and read. Nothing tells a sleeper of words what the sockets have: descriptors, connections, deaths, room in a ring. So the
//! janitor stands at the poll all the time then, and wakes the leader by its parker if that concerns it.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::io::Errno;
use rustix::thread::futex::{self, WaitFlags};
use rustix::time::{ClockId, Timespec};

use super::janitor;
use super::kernel::Kernel;
use super::link;
use super::poll::Poller;
use super::task::Task;
use super::wait::{self, Parker};

/// With so many links a leader sleeps on words.
const LINKS_MAX: usize = 8;
/// The words of its links, its own, and the gong.
const WORDS_MAX: usize = LINKS_MAX + 2;

/// Where a leader sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bed {
    Poll,
    Words,
}

/// What became of a leader's sleep.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slept {
    /// There may be something to look at.
    Well,
    /// A signal has come.
    Interrupted,
    /// It had been woken or promoted before it slept.
    Awake,
    /// It cannot sleep so.
    Nowhere,
}

/// What ends a leader's sleep besides what comes by links.
#[derive(Clone, Copy)]
pub(super) enum Until<'p> {
    /// Somebody wakes the thread, which is in the kernel's list of those that wait.
    Notified(&'p Parker),
    /// More has been [noticed](Poller::notice) than this. Only on words.
    Noticed(u32),
}

impl Until<'_> {
    /// Announces the sleep. False: it is over already.
    fn begin(self, bed: Bed) -> bool {
        match (self, bed) {
            (Self::Notified(parker), Bed::Poll) => parker.prepare_poll(),
            (Self::Notified(parker), Bed::Words) => parker.prepare_park(),
            (Self::Noticed(_), _) => true,
        }
    }

    fn end(self, bed: Bed) {
        match (self, bed) {
            (Self::Notified(parker), Bed::Poll) => parker.finish_poll(),
            (Self::Notified(parker), Bed::Words) => parker.finish_park(),
            (Self::Noticed(_), _) => {}
        }
    }
}

impl Task {
    /// Sleeps until something has come that a leader or its thread has to look at, or the deadline. Somebody who is to be notified finds what has
    /// come in the queues.
    pub(super) fn sleep_as_leader(
        &self,
        poller: &Poller,
        until: Until<'_>,
        deadline: Option<Instant>,
    ) -> Slept {
        let gong = poller.gong.load(Ordering::SeqCst);
        // Before the links are armed: a link that comes later finds it set.
        poller.asleep.store(true, Ordering::SeqCst);
        let (bed, stuck) = match self.with(|kernel| kernel.make_bed(poller, until)) {
            Ok(made) => made,
            Err(reason) => {
                poller.asleep.store(false, Ordering::SeqCst);
                poller.on_notice.store(false, Ordering::Relaxed);
                return reason;
            }
        };
        let slept = if until.begin(bed) {
            // What the socket could not take is tried again soon; what the ring could not take is announced by a bell.
            let retry = stuck.then(|| Instant::now() + janitor::PERIOD);
            let end = [deadline, retry].into_iter().flatten().min();
            self.sleep_in(bed, poller, until, gong, end)
        } else {
            Slept::Awake
        };
        poller.asleep.store(false, Ordering::SeqCst);
        until.end(bed);
        if bed == Bed::Words {
            self.with_lanes(|kernel| kernel.links.unpark_all());
            poller.on_notice.store(false, Ordering::Relaxed);
            if let Until::Notified(_) = until {
                self.with(Kernel::drain_links);
            }
        }
        if stuck {
            self.with(Kernel::flush_links);
        }
        slept
    }

    /// Sleeps until more was noticed, or something came by a link. Returns whether another look is worth it: not at the deadline, nor where the leader
    /// cannot sleep so.
    pub(super) fn sleep_until_noticed(
        &self,
        poller: &Poller,
        noticed: u32,
        deadline: Option<Instant>,
    ) -> bool {
        if !poller.may_sleep() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return false;
        }
        self.sleep_as_leader(poller, Until::Noticed(noticed), deadline) != Slept::Nowhere
    }

    fn sleep_in(
        &self,
        bed: Bed,
        poller: &Poller,
        until: Until<'_>,
        gong: u32,
        end: Option<Instant>,
    ) -> Slept {
        poller.set_standing(bed == Bed::Words);
        poller.deep.store(true, Ordering::SeqCst);
        let began = Instant::now();
        let (events, slept) = match bed {
            Bed::Poll => match poller.wait(end) {
                Ok(events) => (Some(events), Ok(())),
                Err(error) => (None, Err(error)),
            },
            Bed::Words => (None, poller.sleep_on_words(until, gong, end, began)),
        };
        poller.spin.failed(began.elapsed());
        poller.deep.store(false, Ordering::SeqCst);
        // `deep` has changed before: either this sees that the janitor rests, or the janitor sees that nobody sleeps.
        if poller.janitor_rests.load(Ordering::SeqCst) {
            poller.wake_janitor();
        }
        if let Some(events) = events {
            self.handle(&events);
        }
        if slept == Err(Errno::INTR) { Slept::Interrupted } else { Slept::Well }
    }
}

impl Kernel {
    /// Has all links wake a leader that is about to sleep. Returns where it sleeps, and whether frames wait that no bell announces.
    ///
    /// # Errors
    /// What comes of the sleep instead: there is something to look at already, or it is not to be had.
    fn make_bed(&mut self, poller: &Poller, until: Until<'_>) -> Result<(Bed, bool), Slept> {
        // Room is announced by a bell, which who sleeps on words hears by way of the janitor: that would take two wake-ups.
        let stuck = self.links.is_stuck();
        let words = self.links.len() <= LINKS_MAX && !stuck && poller.has_words();
        let made = match until {
            _ if words => {
                // Under the lock, like what is noticed.
                poller.on_notice.store(matches!(until, Until::Noticed(_)), Ordering::Relaxed);
                let mut words = poller.words.lock().unwrap_or_else(PoisonError::into_inner);
                self.links.park_all(&mut words).then_some(Bed::Words)
            }
            Until::Notified(_) => self.links.arm_all().then_some(Bed::Poll),
            Until::Noticed(_) => return Err(Slept::Nowhere),
        };
        Ok((made.ok_or(Slept::Well)?, stuck))
    }
}

impl Poller {
    /// Whether leaders can sleep on words.
    fn has_words(&self) -> bool {
        let janitor = || self.janitor.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        !self.no_words.load(Ordering::Relaxed) && (self.stands.load(Ordering::Relaxed) || janitor())
    }

    /// Has the janitor stand at the poll, or no longer.
    fn set_standing(&self, stands: bool) {
        if self.stands.swap(stands, Ordering::SeqCst) != stands {
            self.wake_janitor();
        }
    }

    /// Sleeps on the words of links, and on those of what else ends the sleep, for as long as each is what it was. The fewer words the less that
    /// takes.
    fn sleep_on_words(
        &self,
        until: Until<'_>,
        gong: u32,
        end: Option<Instant>,
        began: Instant,
    ) -> rustix::io::Result<()> {
        // Nobody else wants it: there is one leader.
        let mut links = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = [futex::Wait::new(); WORDS_MAX];
        let own = match until {
            Until::Notified(parker) => {
                words[0] = wait_on(parker.word(), wait::PARKED, WaitFlags::PRIVATE);
                words[1] = wait_on(&self.gong, gong, WaitFlags::PRIVATE);
                2
            }
            // New links are noticed, too.
            Until::Noticed(noticed) => {
                words[0] = wait_on(&self.noticed, noticed, WaitFlags::PRIVATE);
                1
            }
        };
        for (word, link) in words[own..].iter_mut().zip(&*links) {
            // Its sleeper is in another process than who wakes it.
            *word = wait_on(link.word(), link::PARKED, WaitFlags::empty());
        }
        let words = &words[..(own + links.len()).min(WORDS_MAX)];
        // The system wants a time of its clock. One that does not fit its type is as good as none.
        let end = end.and_then(|end| {
            let left = Timespec::try_from(end.saturating_duration_since(began)).ok()?;
            rustix::time::clock_gettime(ClockId::Monotonic).checked_add(left)
        });
        let slept = futex::waitv(words, futex::WaitvFlags::empty(), end.as_ref(), ClockId::Monotonic);
        // What they keep mapped may have ended.
        links.clear();
        match slept {
            Err(Errno::NOSYS | Errno::PERM) => {
                // A system before Linux 5.16, or a filter of system calls.
                self.no_words.store(true, Ordering::Relaxed);
            }
            Err(Errno::INTR) => return Err(Errno::INTR),
            // Woken, the time is up, or a word has changed before the sleep began.
            _ => {}
        }
        Ok(())
    }
}

/// Sleep on a word while it has a value.
fn wait_on(word: &AtomicU32, value: u32, flags: WaitFlags) -> futex::Wait {
    let mut wait = futex::Wait::new();
    wait.val = u64::from(value);
    wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
    wait.flags = flags | WaitFlags::SIZE_U32;
    wait
}
