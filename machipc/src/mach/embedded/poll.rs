//! Who moves data between links and queues: one of the threads that wait, and where none waits, a janitor.
//!
//! At any time at most one thread *leads*: it polls the links, takes what comes into the queues and wakes whom that concerns. The others
//! that wait are asleep on their parkers; when the leader has what it waited for, it hands the lead to one of them. So a message goes from
//! the ring to the thread that waits for it without another thread in between. The janitor leads when no thread waits: deaths are noticed,
//! connections accepted and rings emptied while the program does something else. It sleeps for good while a leader sleeps.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec};
use rustix::thread::futex;

use super::kernel::Kernel;
use super::link::{RoomWatch, Watch};
use super::sleep::{Slept, Until};
use super::spin::Spin;
use super::task::Task;
use super::turns::Turns;
use super::wait::{Parker, Woken};
use crate::mach::{WAIT_ADAPTIVELY, WAIT_ASLEEP, WAIT_POLLING};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Bell,
    Link(u32),
    Listener(u32),
    Handshake(u32),
    /// Directories of names that somebody waits for.
    Names,
}

impl Key {
    fn encode(self) -> u64 {
        let (kind, id) = match self {
            Key::Bell => (0, 0),
            Key::Link(id) => (1, id),
            Key::Listener(id) => (2, id),
            Key::Handshake(id) => (3, id),
            Key::Names => (4, 0),
        };
        kind << 32 | u64::from(id)
    }

    fn decode(data: u64) -> Self {
        let id = data as u32;
        match data >> 32 {
            1 => Key::Link(id),
            2 => Key::Listener(id),
            3 => Key::Handshake(id),
            4 => Key::Names,
            _ => Key::Bell,
        }
    }
}

/// Every so many waits a full spin is tried, whatever came of the last ones.
const SPIN_PROBE: u64 = 64;
/// How many times the janitor finds input before it looks at the sockets too.
const DRAINS_PER_POLL: u32 = 128;
/// How many looks at the rings pass between two at the clock.
const ROUNDS_PER_CLOCK: u32 = 32;

/// The most events that one look tells; the next look tells others.
const EVENTS_AT_ONCE: usize = 64;

/// How threads wait, as [`set_waiting`](crate::mach::set_waiting) has it.
pub(super) static WAITING: AtomicU32 = AtomicU32::new(WAIT_ADAPTIVELY);

/// What a thread does before it sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It watches the rings.
    Watch,
    /// It lets a peer on its processor run.
    Yield,
    Sleep,
}

/// What one look at the sockets tells.
pub(super) struct Events {
    places: [epoll::Event; EVENTS_AT_ONCE],
    count: usize,
}

impl Events {
    fn iter(&self) -> impl Iterator<Item = Key> + '_ {
        self.places[..self.count].iter().map(|event| Key::decode(event.data.u64()))
    }
}

/// What polls the sockets of links, listeners and handshakes.
pub(super) struct Poller {
    epoll: OwnedFd,
    bell: OwnedFd,
    leading: AtomicBool,
    /// Counts how often the lead was taken, for the janitor.
    leads: AtomicU64,
    /// The leader sleeps: what comes is not left lying.
    pub(super) deep: AtomicBool,
    /// What a leader that sleeps on words until it is notified sleeps on, besides its own: changed to wake it.
    pub(super) gong: AtomicU32,
    /// The words of links that it sleeps on.
    pub(super) words: Mutex<Vec<Watch>>,
    /// The janitor hears the sockets all the time, so that leaders can sleep on words.
    pub(super) stands: AtomicBool,
    /// The system cannot have a thread sleep on several words.
    pub(super) no_words: AtomicBool,
    /// Somebody sleeps in the poll, or has armed the links to do so.
    pub(super) asleep: AtomicBool,
    /// The janitor has the lead and is to give it up.
    pub(super) wanted: AtomicBool,
    pub(super) janitor_leads: AtomicBool,
    pub(super) janitor: Mutex<Option<std::thread::Thread>>,
    watches: Mutex<Vec<Watch>>,
    /// Somebody wants to change `watches`.
    changing: AtomicBool,
    /// Counts what a thread may wait for that comes by no ring: messages from this process, ports that die or move, new links.
    pub(super) noticed: AtomicU32,
    /// The leader sleeps on that word. Changes under the kernel's lock, but for a wake-up too many.
    pub(super) on_notice: AtomicBool,
    /// Threads that sleep while another leads.
    followers: AtomicU32,
    /// Counts calls of `mach_msg`, about: the janitor sees whether the program is active.
    calls: AtomicU32,
    drains: AtomicU32,
    pub(super) spin: Spin,
    turns: Turns,
    /// The janitor sleeps until it is woken.
    pub(super) janitor_rests: AtomicBool,
    several_cpus: bool,
    /// A sender waits for room in a ring.
    pub(super) room_awaited: AtomicBool,
    /// There are descriptors that somebody polls for messages (see `readiness`).
    pub(super) polled: AtomicBool,
}

impl Poller {
    pub(super) fn new() -> rustix::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &bell, EventData::new_u64(Key::Bell.encode()), EventFlags::IN)?;
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            epoll,
            bell,
            leading: AtomicBool::new(false),
            leads: AtomicU64::new(0),
            deep: AtomicBool::new(false),
            gong: AtomicU32::new(0),
            words: Mutex::new(Vec::new()),
            stands: AtomicBool::new(false),
            no_words: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            janitor_leads: AtomicBool::new(false),
            janitor: Mutex::new(None),
            watches: Mutex::new(Vec::new()),
            changing: AtomicBool::new(false),
            noticed: AtomicU32::new(0),
            on_notice: AtomicBool::new(false),
            followers: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            drains: AtomicU32::new(0),
            spin: Spin::new(),
            turns: Turns::default(),
            janitor_rests: AtomicBool::new(false),
            several_cpus: cpus > 1,
            room_awaited: AtomicBool::new(false),
            polled: AtomicBool::new(false),
        })
    }

    /// Has a descriptor polled. It leaves the poll when it is closed.
    pub(super) fn register(&self, fd: impl AsFd, key: Key) -> rustix::io::Result<()> {
        let flags = EventFlags::IN | EventFlags::RDHUP;
        epoll::add(&self.epoll, fd, EventData::new_u64(key.encode()), flags)
    }

    /// Has a descriptor polled no longer.
    pub(super) fn forget(&self, fd: impl AsFd) {
        // One that never was polled is not there.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// In a forked child: closes the descriptors. Nobody uses the value again.
    pub(super) fn close(&self) {
        for fd in [&self.epoll, &self.bell] {
            // SAFETY: the value is leaked, so its drop never closes them, and its task is gone.
            unsafe { rustix::io::close(fd.as_raw_fd()) };
        }
    }

    /// The descriptor that wakes the leader.
    pub(super) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    /// Replaces the links that are watched.
    pub(super) fn set_watches(&self, watches: impl Iterator<Item = Watch>) {
        self.changing.store(true, Ordering::Relaxed);
        let mut places = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        // In place: this is done twice for each sleep.
        places.clear();
        places.extend(watches);
        drop(places);
        self.changing.store(false, Ordering::Relaxed);
    }

    /// Something has happened that a thread may wait for and that no ring tells. Called under the kernel's lock.
    pub(super) fn notice(&self) {
        self.noticed.store(self.noticed().wrapping_add(1), Ordering::Release);
        if self.on_notice.load(Ordering::Relaxed) {
            let _ = futex::wake(&self.noticed, futex::Flags::PRIVATE, 1);
        }
    }

    /// How much has been noticed so far.
    pub(super) fn noticed(&self) -> u32 {
        self.noticed.load(Ordering::Acquire)
    }

    /// Counts a call of `mach_msg`. Threads that count at the same time may be counted once.
    pub(super) fn count_call(&self) {
        self.calls.store(self.calls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// What changes while the program sends or receives.
    pub(super) fn activity(&self) -> (u64, u32) {
        (self.leads.load(Ordering::Relaxed), self.calls.load(Ordering::Relaxed))
    }

    /// Watches the rings for as long as that pays. Returns whether there is something to look at: input, or more noticed than `noticed`.
    /// Only the leader calls this.
    pub(super) fn watch(&self, noticed: u32) -> bool {
        match self.way_to_wait() {
            Way::Watch => {}
            Way::Yield => return self.turns.give_way(|| self.has_input() || self.noticed() != noticed),
            Way::Sleep => return false,
        }
        let (mut rounds, mut began, mut last) = (0_u32, None, Duration::ZERO);
        'again: loop {
            let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if watches.iter().any(Watch::has_input) || self.noticed() != noticed {
                    self.spin.succeeded();
                    return true;
                }
                rounds += 1;
                // The clock costs more than a look at the rings, and most waits that are worth it end before it is asked.
                if rounds.is_multiple_of(ROUNDS_PER_CLOCK) {
                    let began = *began.get_or_insert_with(Instant::now);
                    let spent = began.elapsed();
                    // Who polls for ever does so on the general way, which knows the deadline.
                    let budget = self.spin_budget().min(self.spin.longest());
                    if spent >= budget || self.spin.was_away(spent - last) {
                        self.spin.has_spun();
                        return false;
                    }
                    last = spent;
                }
                core::hint::spin_loop();
                if self.changing.load(Ordering::Relaxed) {
                    continue 'again;
                }
            }
        }
    }

    /// Lets a sender on another processor go ahead for so long.
    pub(super) fn let_go_ahead(&self, time: Duration) {
        if self.way_to_wait() == Way::Watch {
            let began = Instant::now();
            while began.elapsed() < time {
                core::hint::spin_loop();
            }
        }
    }

    /// Watches a ring for room for as long as that pays. Returns whether there is some.
    pub(super) fn watch_room(&self, room: &RoomWatch) -> bool {
        if self.way_to_wait() != Way::Watch {
            return false;
        }
        let (mut rounds, mut began) = (0_u32, None);
        while !room.has_room() {
            rounds += 1;
            if rounds.is_multiple_of(ROUNDS_PER_CLOCK) {
                let began = *began.get_or_insert_with(Instant::now);
                if began.elapsed() >= self.spin.longest() {
                    self.spin.has_spun();
                    return false;
                }
            }
            core::hint::spin_loop();
        }
        true
    }

    /// What a thread does before it sleeps. A peer that was last seen on this processor would only be kept from running by one that watches.
    fn way_to_wait(&self) -> Way {
        match WAITING.load(Ordering::Relaxed) {
            WAIT_ASLEEP => return Way::Sleep,
            WAIT_POLLING => return Way::Watch,
            _ => {}
        }
        let own = rustix::thread::sched_getcpu() as u32;
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.iter().for_each(Watch::tell_processor);
        let mut processors = watches.iter().map(Watch::processor);
        if processors.any(|processor| processor.map_or(self.several_cpus, |processor| processor != own)) {
            Way::Watch
        } else if watches.is_empty() {
            Way::Sleep
        } else {
            Way::Yield
        }
    }

    /// How long it pays to watch for what another thread is about to do, which was last seen on a processor: to make room, or to write the rest of a
    /// message. `None`: not at all.
    pub(super) fn spin_for(&self, processor: Option<u32>) -> Option<Duration> {
        let elsewhere = processor
            .map_or(self.several_cpus, |processor| processor != rustix::thread::sched_getcpu() as u32);
        (elsewhere && WAITING.load(Ordering::Relaxed) != WAIT_ASLEEP).then(|| self.spin.longest())
    }

    /// Whether threads sleep at all.
    pub(super) fn may_sleep(&self) -> bool {
        WAITING.load(Ordering::Relaxed) != WAIT_POLLING
    }

    /// Whether threads sleep that another leads for.
    pub(super) fn has_followers(&self) -> bool {
        self.followers.load(Ordering::SeqCst) != 0
    }

    /// There are links to watch that whoever sleeps has not armed. It arms them when it wakes. Called under the kernel's lock.
    pub(super) fn rouse(&self) {
        // One that sleeps on what is noticed: it has looked at that word before it took the lock to arm the links.
        self.notice();
        if self.asleep.load(Ordering::SeqCst) {
            self.gong.fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake(&self.gong, futex::Flags::PRIVATE, 1);
            self.ring();
        }
    }

    /// Notes whether somebody polls descriptors for messages: then threads that do not lead depend on the janitor.
    pub(super) fn set_polled(&self, polled: bool) {
        if self.polled.swap(polled, Ordering::SeqCst) != polled {
            self.wake_janitor();
        }
    }

    /// Whether a leader sleeps.
    pub(super) fn is_asleep(&self) -> bool {
        self.deep.load(Ordering::SeqCst)
    }

    fn has_input(&self) -> bool {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).iter().any(Watch::has_input)
    }

    /// How long the leader spins before it sleeps.
    fn spin_budget(&self) -> Duration {
        if WAITING.load(Ordering::Relaxed) == WAIT_POLLING {
            return Duration::MAX;
        }
        self.spin.budget(self.leads.load(Ordering::Relaxed).is_multiple_of(SPIN_PROBE))
    }

    pub(super) fn try_lead(&self) -> bool {
        let free = self.leading.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if free {
            // Who leads is alone here.
            self.leads.store(self.leads.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        free
    }

    pub(super) fn stop_leading(&self) {
        self.leading.store(false, Ordering::SeqCst);
    }

    pub(super) fn wake_janitor(&self) {
        self.spin.wakes();
        // In the poll, where it stands or has stood until now.
        self.ring();
        if let Some(janitor) = &*self.janitor.lock().unwrap_or_else(PoisonError::into_inner) {
            janitor.unpark();
        }
    }

    fn ring(&self) {
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Waits for events. A signal ends it with `INTR`.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> rustix::io::Result<Events> {
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let keys = self.events(timeout.as_ref())?;
        if keys.iter().any(|key| key == Key::Bell) {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.bell, &mut count);
        }
        Ok(keys)
    }

    /// What events there are. The bell is left to whom it is meant for.
    pub(super) fn look(&self) -> rustix::io::Result<Events> {
        self.events(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    fn events(&self, timeout: Option<&Timespec>) -> rustix::io::Result<Events> {
        let none = epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let mut events = Events { places: [none; EVENTS_AT_ONCE], count: 0 };
        events.count = epoll::wait(&self.epoll, &mut events.places, timeout)?;
        Ok(events)
    }
}

impl Task {
    /// Sleeps until the parker is notified. Signals end it only where `interruptible`.
    pub(super) fn sleep(&self, parker: &Parker, deadline: Option<Instant>, interruptible: bool) -> Woken {
        loop {
            if parker.is_notified() {
                return Woken::Notified;
            }
            let woken = match self.poller() {
                Some(poller) if poller.try_lead() => {
                    let woken = self.lead(poller, parker, deadline);
                    poller.stop_leading();
                    self.hand_lead_on(Some(parker));
                    woken
                }
                Some(poller) => {
                    if poller.janitor_leads.load(Ordering::SeqCst) {
                        poller.wanted.store(true, Ordering::SeqCst);
                        poller.ring();
                    }
                    poller.followers.fetch_add(1, Ordering::SeqCst);
                    // A leader that has stopped since may not have seen this follower.
                    let led = poller.leading.load(Ordering::SeqCst);
                    let woken = if led { parker.sleep(deadline) } else { Woken::Notified };
                    poller.followers.fetch_sub(1, Ordering::SeqCst);
                    if !led && !parker.is_notified() {
                        continue;
                    }
                    woken
                }
                None => parker.sleep(deadline),
            };
            match woken {
                Woken::Notified if parker.take_promotion() => {}
                Woken::Interrupted if !interruptible => {}
                woken => return woken,
            }
        }
    }

    /// Polls until the parker is notified.
    fn lead(&self, poller: &Poller, parker: &Parker, deadline: Option<Instant>) -> Woken {
        loop {
            if self.spin(poller, parker, deadline) {
                return Woken::Notified;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Woken::TimedOut;
            }
            match self.sleep_as_leader(poller, Until::Notified(parker), deadline) {
                Slept::Interrupted => return Woken::Interrupted,
                // `sleep` sees which.
                Slept::Awake => return Woken::Notified,
                Slept::Well | Slept::Nowhere => {}
            }
            if parker.is_notified() {
                return Woken::Notified;
            }
        }
    }

    /// Watches the rings for a while. Returns true once the parker is notified.
    fn spin(&self, poller: &Poller, parker: &Parker, deadline: Option<Instant>) -> bool {
        if poller.spin.take_spun() && WAITING.load(Ordering::Relaxed) != WAIT_POLLING {
            return false;
        }
        let budget = poller.spin_budget();
        let (mut started, mut last) = (Instant::now(), Duration::ZERO);
        let mut rounds = 0_u32;
        loop {
            if parker.is_notified() {
                return true;
            }
            if poller.has_input() {
                self.with(Kernel::drain_links);
                if parker.is_notified() {
                    poller.spin.succeeded();
                    return true;
                }
                (started, last) = (Instant::now(), Duration::ZERO);
                // A peer that keeps sending must not keep a thread that waits for something else.
                if deadline.is_some_and(|deadline| deadline <= started) {
                    return false;
                }
                continue;
            }
            if rounds == 0 {
                match poller.way_to_wait() {
                    Way::Watch => {}
                    Way::Yield if poller.turns.give_way(|| poller.has_input() || parker.is_notified()) => {
                        continue;
                    }
                    Way::Yield | Way::Sleep => return false,
                }
            }
            rounds += 1;
            // The clock costs more than a look at the rings.
            if rounds.is_multiple_of(16) {
                if poller.room_awaited.load(Ordering::Relaxed) {
                    self.with(Kernel::look_for_room);
                }
                let spent = started.elapsed();
                let polls = budget == Duration::MAX;
                if spent >= budget || (!polls && poller.spin.was_away(spent - last)) {
                    return false;
                }
                last = spent;
                if deadline.is_some_and(|deadline| deadline <= started + spent) {
                    return false;
                }
            }
            core::hint::spin_loop();
        }
    }

    /// Takes what has arrived into the queues; now and then also what the sockets have.
    pub(super) fn drain(&self, poller: &Poller) {
        self.with(Kernel::drain_links);
        if poller.drains.fetch_add(1, Ordering::Relaxed) % DRAINS_PER_POLL == DRAINS_PER_POLL - 1
            && let Ok(events) = poller.wait(Some(Instant::now()))
        {
            self.handle(&events);
        }
    }

    /// With many links: hears the bells that have rung, for a call that will not wait.
    pub(super) fn poll_unscanned(&self) {
        let Some(poller) = self.poller() else { return };
        if self.with(|kernel| kernel.links.has_unscanned())
            && let Ok(events) = poller.wait(Some(Instant::now()))
        {
            self.handle(&events);
        }
    }

    pub(super) fn handle(&self, events: &Events) {
        for event in events.iter() {
            match event {
                Key::Bell => {}
                Key::Link(link) => self.with(|kernel| kernel.link_event(link)),
                Key::Listener(listener) => self.accept(listener),
                Key::Handshake(key) => self.with(|kernel| kernel.handshake_event(key)),
                Key::Names => self.with(Kernel::names_event),
            }
        }
    }

    /// Lets another thread that waits take the lead.
    pub(super) fn hand_lead_on(&self, own: Option<&Parker>) {
        let next = self.with(|kernel| {
            let waiting = |waiter: &&super::wait::Waiter| waiter.outcome.is_none();
            let other = |waiter: &&super::wait::Waiter| {
                own.is_none_or(|own| !core::ptr::eq(&raw const *waiter.parker, own))
            };
            let next = kernel.waiters.iter().map(|(_, waiter)| waiter).filter(waiting).find(other);
            next.map(|waiter| waiter.parker.clone())
        });
        if let Some(next) = next {
            let _ = next.promote();
        }
    }

    /// For a thread that no longer waits: if it was promoted at the last moment, when it had given up its wait, somebody else leads instead.
    pub(super) fn hand_promotion_on(&self, parker: &Parker) {
        if parker.take_promotion() {
            self.hand_lead_on(None);
        }
    }
}
