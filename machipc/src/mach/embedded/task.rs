//! The task: the one kernel of this process, its lock, and the threads that sleep on it.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::barrier;
use super::bias::{BiasedMutex, Guard};
use super::bootstrap;
use super::copyout::{Letter, trailer_size};
use super::draft::Draft;
use super::fork;
use super::kernel::Kernel;
use super::link::handshake;
use super::loans;
use super::memory;
use super::message::{Message, Right, Sender};
use super::poll::Poller;
use super::port::{Home, PortId};
use super::queue::Found;
use super::recycle;
use super::rows::room_for_row;
use super::simple;
use super::space::Object;
use super::wait::{Awaited, Outcome, Parker, Taken, Waiter, WaiterId, Woken};
use crate::mach::{
    MACH_MSG_SUCCESS, MACH_PORT_NULL, MACH_RCV_INTERRUPT, MACH_RCV_INTERRUPTED, MACH_RCV_INVALID_DATA,
    MACH_RCV_INVALID_NAME, MACH_RCV_LARGE, MACH_RCV_LARGE_IDENTITY, MACH_RCV_PORT_CHANGED,
    MACH_RCV_TIMED_OUT, MACH_RCV_TIMEOUT, MACH_RCV_TOO_LARGE, MACH_SEND_INTERRUPT, MACH_SEND_INTERRUPTED,
    MACH_SEND_NO_BUFFER, MACH_SEND_NOTIFY, MACH_SEND_TIMED_OUT, MACH_SEND_TIMEOUT, mach_msg_header_t,
    mach_msg_option_t, mach_msg_return_t, mach_msg_size_t, mach_msg_timeout_t, mach_port_name_t,
};

/// The most messages that a queue holds, whatever its limit.
const QUEUE_MAX: usize = 65_534;

/// How long the holders of rights to a port that moves may take to answer. Whoever takes longer is not waited for, and sends through the
/// port's former owner until it answers.
const HAND_OVER: Duration = Duration::from_secs(1);

/// Name of the task's own port. Its index lies beyond every other name's.
pub(super) const TASK_SELF: mach_port_name_t = 0xffff_0003;

/// Name of the bootstrap port.
pub(super) const BOOTSTRAP: mach_port_name_t = 0xffff_0103;

/// One task: what the process's calls act on.
pub(super) struct Task {
    kernel: BiasedMutex<Kernel>,
    pub(super) sender: Sender,
    poller: OnceLock<&'static Poller>,
    /// Held through a bootstrap call: the directory and the kernel's names change together.
    bootstrap: Mutex<()>,
}

/// The task, or null before the first call and in a forked child.
static TASK: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());

/// This process's task.
pub(super) fn task() -> &'static Task {
    current().unwrap_or_else(begin)
}

/// The task, if there is one yet.
pub(super) fn current() -> Option<&'static Task> {
    // SAFETY: the pointer is null or came from `Box::leak`.
    unsafe { TASK.load(Ordering::Acquire).as_ref() }
}

#[cold]
fn begin() -> &'static Task {
    static FORKS: Once = Once::new();
    FORKS.call_once(fork::watch);
    let kernel = Kernel::new();
    let sender = own_identity(&kernel.links.nonce);
    let task =
        Task { kernel: BiasedMutex::new(kernel), sender, poller: OnceLock::new(), bootstrap: Mutex::new(()) };
    let task = Box::into_raw(Box::new(task));
    match TASK.compare_exchange(core::ptr::null_mut(), task, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: from `Box::into_raw`, and never freed.
        Ok(_) => unsafe { &*task },
        Err(first) => {
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(task) });
            // SAFETY: another thread's task, from `Box::into_raw` and never freed.
            unsafe { &*first }
        }
    }
}

/// The task's locks, around a fork.
pub(super) struct Held {
    task: &'static Task,
    kernel: Guard<'static, Kernel>,
    _bootstrap: MutexGuard<'static, ()>,
    memory: memory::Held,
    loans: loans::Held,
    names: bootstrap::Held,
    buffers: recycle::Held,
}

impl Held {
    /// In a forked child: closes what belongs to the parent. The next call begins a task of the child's own.
    pub(super) fn abandon(mut self) {
        TASK.store(core::ptr::null_mut(), Ordering::Release);
        self.memory.abandon();
        self.loans.abandon();
        self.names.abandon();
        // Destroying messages takes these locks again.
        drop((self.memory, self.loans, self.names, self.buffers));
        let kernel = core::mem::replace(&mut *self.kernel, Kernel::new());
        drop(kernel);
        if let Some(poller) = self.task.poller() {
            poller.close();
        }
    }
}

fn own_identity(nonce: &handshake::Nonce) -> Sender {
    use rustix::process::{getegid, geteuid, getgid, getpid, getuid};
    let pid = getpid().as_raw_nonzero().get() as u32;
    let mut sender = handshake::tokens(pid, geteuid().as_raw(), getegid().as_raw(), nonce);
    (sender.audit.val[3], sender.audit.val[4]) = (getuid().as_raw(), getgid().as_raw());
    sender
}

impl Task {
    /// Takes every lock, so that a forked child finds a whole state.
    pub(super) fn hold(&'static self) -> Held {
        let held = self.bootstrap_lock();
        let mut kernel = self.lock();
        // A forked child has no lanes, and must not take one for open.
        kernel.close_lanes();
        Held {
            task: self,
            kernel,
            _bootstrap: held,
            memory: memory::hold(),
            loans: loans::hold(),
            names: bootstrap::hold(),
            buffers: recycle::hold(),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_, Kernel> {
        // No code under the lock panics on purpose; if some did, other threads can only go on with what is there.
        self.kernel.lock()
    }

    /// Prepares what makes a thread fast that does the same again and again: owning the lock, and leaving out barriers.
    pub(super) fn prepare_barriers(&self) {
        self.kernel.allow_owners();
        barrier::join();
        self.with_lanes(|kernel| kernel.lanes.allow_owners());
    }

    /// What polls the links, once there are any.
    pub(super) fn poller(&self) -> Option<&'static Poller> {
        self.poller.get().copied()
    }

    /// Makes sure that links and listeners are polled from now on.
    pub(super) fn start_polling(&'static self) -> rustix::io::Result<()> {
        let mut kernel = self.lock();
        if kernel.links.poller.is_none() {
            let poller: &'static Poller = Box::leak(Box::new(Poller::new()?));
            kernel.links.poller = Some(poller);
            poller.set_polled(kernel.has_readiness());
            if self.poller.set(poller).is_ok() {
                self.start_janitor(poller);
            }
        }
        Ok(())
    }

    pub(super) fn bootstrap_lock(&self) -> MutexGuard<'_, ()> {
        self.bootstrap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on the kernel, then destroys what is due and wakes who must be woken.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Kernel) -> R) -> R {
        self.with_lanes(|kernel| {
            kernel.close_lanes();
            f(kernel)
        })
    }

    /// [`with`](Self::with), for the short ways, which know of lanes.
    pub(super) fn with_lanes<R>(&self, f: impl FnOnce(&mut Kernel) -> R) -> R {
        let mut kernel = self.lock();
        let result = f(&mut kernel);
        if !kernel.doomed.is_empty() {
            kernel.close_lanes();
            kernel.bury_doomed();
        }
        if kernel.has_unsettled_readiness() {
            kernel.settle_readiness();
        }
        if core::mem::take(&mut kernel.links.changed)
            && let Some(poller) = kernel.links.poller
        {
            kernel.links.renew_watches(poller, kernel.lanes.watches());
            if core::mem::take(&mut kernel.links.added) {
                poller.rouse();
            }
        }
        if let Some(first) = kernel.wakes.pop() {
            // Mostly one: it is moved, so that the list keeps its memory.
            let others =
                if kernel.wakes.is_empty() { Vec::new() } else { core::mem::take(&mut kernel.wakes) };
            drop(kernel);
            let bell = self.poller().map(Poller::bell);
            let mut leaderless = first.wake(bell);
            for parker in others {
                leaderless |= parker.wake(bell);
            }
            if leaderless {
                self.hand_lead_on(None);
            }
        }
        result
    }

    // ---- Sending

    /// The send half of `mach_msg`. A message that is not sent is written back to `message` as the rules of pseudo-receive say.
    ///
    /// # Safety
    /// As `mach_msg`.
    #[inline]
    pub(super) unsafe fn send(
        &self,
        message: *mut mach_msg_header_t,
        size: mach_msg_size_t,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
    ) -> mach_msg_return_t {
        // SAFETY: the caller's word.
        if unsafe { self.send_simple(message, size as usize, option, timeout) } {
            return MACH_MSG_SUCCESS;
        }
        // SAFETY: the caller's word.
        unsafe { self.send_generally(message, size, option, timeout) }
    }

    /// # Safety
    /// As `mach_msg`.
    #[inline(never)]
    unsafe fn send_generally(
        &self,
        message: *mut mach_msg_header_t,
        size: mach_msg_size_t,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
    ) -> mach_msg_return_t {
        // SAFETY: the caller's word.
        let mut draft = match unsafe { Draft::read(message, size as usize, recycle::take()) } {
            Ok(draft) => draft,
            Err(code) => return code,
        };
        let deadline = deadline(option & MACH_SEND_TIMEOUT != 0, timeout);
        let notify = option & MACH_SEND_NOTIFY != 0;
        let interruptible = option & MACH_SEND_INTERRUPT != 0;
        if !notify && draft.memory_alone().is_some() {
            // SAFETY: the caller's word about what descriptors name; the slice is used in this function alone.
            let memory = unsafe { draft.readable_memory() };
            let mut whole = Some(draft);
            if let Some(memory) = memory
                && let Some(code) = self.send_in_pieces(&mut whole, &[memory], deadline, interruptible)
            {
                return code;
            }
            let Some(rest) = whole else { return MACH_MSG_SUCCESS };
            draft = rest;
        }
        // SAFETY: the caller's word about what descriptors name.
        unsafe { draft.copy_memory() };
        match self.with(|kernel| self.start_send(kernel, draft, notify, deadline)) {
            Sent::Code(code) => code,
            Sent::Back(letter, code) => {
                // SAFETY: the letter has the size of the message that came from there, and the caller made the buffer writable.
                unsafe { letter.write(message) };
                code
            }
            Sent::Blocked(waiter, parker) => {
                // SAFETY: the caller's word, as in the arm above.
                unsafe { self.wait_for_room(message, option, deadline, waiter, &parker) }
            }
            Sent::Moving(message, reserved) => {
                self.send_once_still(*message, reserved, deadline, interruptible)
            }
            Sent::Unwritten(port, frame) => {
                self.await_progress(port, deadline, interruptible, |kernel| kernel.is_written(Some(frame)));
                MACH_MSG_SUCCESS
            }
        }
    }

    /// Sends a message with receive rights to another process, once whoever holds rights to these ports has stopped sending.
    fn send_once_still(
        &self,
        message: Message,
        reserved: Option<Home>,
        deadline: Option<Instant>,
        interruptible: bool,
    ) -> mach_msg_return_t {
        let to = message.destination.port();
        let (mut message, mut unwritten) = (Some(message), None);
        // Looks and sends under one lock: whoever came between the two to hold a right would be told where the port is by this process alone.
        let mut go = |kernel: &mut Kernel, late: bool| {
            let goes = |message: &mut Message| {
                late || !kernel.moves_away(message) || kernel.halt_holders_of(message) == 0
            };
            let Some(message) = message.take_if(goes) else { return false };
            let link = kernel.link_of(to);
            if link.is_some() {
                kernel.leave_behind_holders_of(&message);
            }
            kernel.deliver_move(message, reserved);
            unwritten = kernel.unwritten(link);
            true
        };
        self.await_progress(to, Some(Instant::now() + HAND_OVER), false, |kernel| go(kernel, false));
        self.with(|kernel| go(kernel, true));
        self.await_progress(to, deadline, interruptible, |kernel| {
            kernel.is_written(unwritten) && kernel.has_redirected()
        });
        MACH_MSG_SUCCESS
    }

    /// Waits until something is so that depends on what comes and goes on the links. Returns early when time is up or a signal comes.
    pub(super) fn await_progress(
        &self,
        port: PortId,
        deadline: Option<Instant>,
        interruptible: bool,
        mut done: impl FnMut(&mut Kernel) -> bool,
    ) {
        let parker = Parker::current();
        loop {
            let waiter = self.with(|kernel| {
                if done(kernel) {
                    return None;
                }
                let (parker, awaited) = (parker.clone(), Awaited::Room(port));
                let waiter = Waiter { parker, awaited, room: 0, large: false, outcome: None };
                let waiter = WaiterId(kernel.waiters.insert(waiter));
                kernel.await_progress(waiter);
                Some(waiter)
            });
            let Some(waiter) = waiter else { return };
            let woken = self.sleep(&parker, deadline, interruptible);
            self.with(|kernel| kernel.end_wait_for_progress(waiter));
            self.hand_promotion_on(&parker);
            parker.reset();
            if woken != Woken::Notified {
                return;
            }
        }
    }

    fn start_send(&self, kernel: &mut Kernel, draft: Draft, notify: bool, deadline: Option<Instant>) -> Sent {
        let remote = draft.remote;
        if notify {
            kernel.arm_send_possible(remote);
        }
        let message = match kernel.copy_in(draft, self.sender) {
            Ok(message) => message,
            Err(code) => return Sent::Code(code),
        };
        let port = message.destination.port();
        if kernel.exceeds_link(&message) {
            return send_back(kernel, message, 0, MACH_SEND_NO_BUFFER);
        }
        if matches!(message.destination, Right::SendOnce(_)) {
            if kernel.moves_away(&message) {
                return Sent::Moving(Box::new(message), None);
            }
            kernel.deliver(port, message);
            return Sent::Code(MACH_MSG_SUCCESS);
        }
        if kernel.port(port).queue.len() >= QUEUE_MAX {
            return send_back(kernel, message, 0, MACH_SEND_NO_BUFFER);
        }
        if matches!(kernel.port(port).home, Home::Link { .. }) {
            // Credit given or asked back, or the port's death, may be on its way.
            kernel.drain_links();
        }
        if kernel.moves_away(&message) && !kernel.port(port).is_full() {
            let reserved = kernel.reserve(port);
            return Sent::Moving(Box::new(message), reserved);
        }
        let link = kernel.link_of(port);
        match kernel.send_within_limit(port, message) {
            Ok(()) => match kernel.unwritten(link) {
                Some(frame) => Sent::Unwritten(port, frame),
                None => {
                    if link.is_none() {
                        kernel.consider_lane(port, &self.sender);
                    }
                    Sent::Code(MACH_MSG_SUCCESS)
                }
            },
            Err(message) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                send_back(kernel, message, 0, MACH_SEND_TIMED_OUT)
            }
            Err(message) => {
                let parker = Parker::current();
                let waiter = Waiter {
                    parker: parker.clone(),
                    awaited: Awaited::Room(port),
                    room: 0,
                    large: false,
                    outcome: None,
                };
                let waiter = WaiterId(kernel.waiters.insert(waiter));
                kernel.block_sender(port, waiter, message);
                Sent::Blocked(waiter, parker)
            }
        }
    }

    /// # Safety
    /// As `mach_msg`.
    unsafe fn wait_for_room(
        &self,
        message: *mut mach_msg_header_t,
        option: mach_msg_option_t,
        deadline: Option<Instant>,
        waiter: WaiterId,
        parker: &Parker,
    ) -> mach_msg_return_t {
        let code = loop {
            match self.sleep(parker, deadline, option & MACH_SEND_INTERRUPT != 0) {
                // A notification that was meant for an earlier wait says nothing.
                Woken::Notified if self.with(|kernel| kernel.is_waiting(waiter, parker)) => {}
                Woken::Notified => break MACH_MSG_SUCCESS,
                Woken::TimedOut => break MACH_SEND_TIMED_OUT,
                Woken::Interrupted => break MACH_SEND_INTERRUPTED,
            }
        };
        let back = self.with(|kernel| {
            let awaited = kernel.waiters.get(waiter.0).map(|waiter| waiter.awaited);
            let unsent = match awaited {
                Some(Awaited::Room(port))
                    if kernel.waiters.get(waiter.0).is_some_and(|w| w.outcome.is_none()) =>
                {
                    kernel.unblock_sender(port, waiter)
                }
                _ => None,
            };
            let outcome = kernel.waiters.remove(waiter.0).and_then(|waiter| waiter.outcome);
            if let Some(Outcome::Moving(message, reserved)) = outcome {
                return Some(Sent::Moving(message, reserved));
            }
            unsent.map(|unsent| send_back(kernel, unsent, message as usize, code))
        });
        self.hand_promotion_on(parker);
        match back {
            Some(Sent::Moving(message, reserved)) => {
                let interruptible = option & MACH_SEND_INTERRUPT != 0;
                self.send_once_still(*message, reserved, deadline, interruptible)
            }
            Some(Sent::Back(letter, code)) => {
                // SAFETY: the letter has the size of the message that came from there; writable by the caller's word.
                unsafe { letter.write(message) };
                code
            }
            // Room was made before the wait was given up: the message is on its way.
            _ => MACH_MSG_SUCCESS,
        }
    }

    // ---- Receiving

    /// The receive half of `mach_msg`. With `row` it takes the messages that have come together, and stores where the last one ends.
    ///
    /// # Safety
    /// `buffer` is writable for `room` bytes.
    pub(super) unsafe fn receive(
        &self,
        buffer: *mut mach_msg_header_t,
        room: mach_msg_size_t,
        name: mach_port_name_t,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
        row: Option<&mut usize>,
    ) -> mach_msg_return_t {
        // SAFETY: the caller's word.
        let waited = match unsafe { self.receive_simple(buffer, room, name, option, timeout, row.is_some()) }
        {
            simple::Received::Message(end) => {
                if let Some(row) = row {
                    *row = end;
                }
                return MACH_MSG_SUCCESS;
            }
            simple::Received::General(waited) => waited,
        };
        let large = option & MACH_RCV_LARGE != 0;
        let deadline = waited.deadline.unwrap_or_else(|| deadline(option & MACH_RCV_TIMEOUT != 0, timeout));
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.poll_unscanned();
        }
        let started = self.with(|kernel| {
            if let Some(port) = waited.port
                && awaited(kernel, name) != Some(Awaited::Port(port))
            {
                return Received::Code(MACH_RCV_PORT_CHANGED);
            }
            let mut found = take_now(kernel, name, room, option);
            if matches!(found, Received::Code(MACH_RCV_TIMED_OUT)) && kernel.drain_links() {
                found = take_now(kernel, name, room, option);
            }
            start_waiting(kernel, found, name, room, option, deadline)
                .map_message(|taken| kernel.copy_out(taken, option, room, buffer as usize))
        });
        let result = match started {
            Received::Wait(waiter, parker) => {
                let woken = loop {
                    match self.sleep(&parker, deadline, option & MACH_RCV_INTERRUPT != 0) {
                        Woken::Notified if self.with(|kernel| kernel.is_waiting(waiter, &parker)) => {}
                        woken => break woken,
                    }
                };
                let ended = self.with(|kernel| {
                    end_receive(kernel, waiter, woken)
                        .map_message(|taken| kernel.copy_out(taken, option, room, buffer as usize))
                });
                self.hand_promotion_on(&parker);
                ended
            }
            result => result,
        };
        match result {
            Received::Message(letter) => {
                if (room as usize) < size_of::<mach_msg_header_t>() {
                    return MACH_RCV_INVALID_DATA;
                }
                // A row may follow.
                let checked = row.as_ref().map_or(0, |_| room_for_row(room)).max(letter.size());
                if memory::check_writable(buffer as usize, checked).is_err() {
                    // The message is lost and its rights stay here.
                    return MACH_RCV_INVALID_DATA;
                }
                // SAFETY: the letter was made to fit `room`, which the caller made writable.
                unsafe { letter.write(buffer) };
                if let Some(row) = row {
                    *row = letter.header.msgh_size as usize;
                }
                recycle::give(letter.bytes);
                letter.code
            }
            Received::TooLarge { name, size } if large => {
                // SAFETY: only what `room` covers is written.
                unsafe { write_too_large(buffer, room, option, name, size) };
                MACH_RCV_TOO_LARGE
            }
            Received::TooLarge { .. } => MACH_RCV_TOO_LARGE,
            Received::Code(code) => code,
            Received::Wait(..) => MACH_RCV_INTERRUPTED,
        }
    }
}

enum Sent {
    Code(mach_msg_return_t),
    Back(Box<Letter>, mach_msg_return_t),
    Blocked(WaiterId, std::sync::Arc<Parker>),
    /// There is room for a message that takes receive rights to another process, and credit for it was taken.
    Moving(Box<Message>, Option<Home>),
    /// Sent to this port, but for a frame that waits for room.
    Unwritten(PortId, (u32, u64)),
}

fn send_back(kernel: &mut Kernel, message: Message, buffer: usize, code: mach_msg_return_t) -> Sent {
    let (letter, errors) = kernel.copy_out_unsent(message, buffer);
    Sent::Back(Box::new(letter), code | errors)
}

enum Received<M> {
    Message(M),
    TooLarge { name: mach_port_name_t, size: mach_msg_size_t },
    Code(mach_msg_return_t),
    Wait(WaiterId, std::sync::Arc<Parker>),
}

impl<M> Received<M> {
    fn map_message<N>(self, f: impl FnOnce(M) -> N) -> Received<N> {
        match self {
            Received::Message(message) => Received::Message(f(message)),
            Received::TooLarge { name, size } => Received::TooLarge { name, size },
            Received::Code(code) => Received::Code(code),
            Received::Wait(waiter, parker) => Received::Wait(waiter, parker),
        }
    }
}

/// What a receive name stands for.
pub(super) fn awaited(kernel: &mut Kernel, name: mach_port_name_t) -> Option<Awaited> {
    match kernel.entry(name).map(|entry| entry.object) {
        Some(Object::Port { port, receive: true, .. }) => Some(Awaited::Port(port)),
        Some(Object::Set(set)) => Some(Awaited::Set(set)),
        _ => None,
    }
}

/// Takes a message that is there; `TIMED_OUT` where there is none.
fn take_now(
    kernel: &mut Kernel,
    name: mach_port_name_t,
    room: mach_msg_size_t,
    option: mach_msg_option_t,
) -> Received<Taken> {
    let large = option & MACH_RCV_LARGE != 0;
    let room = room.saturating_sub(trailer_size(option) as u32);
    let found = match awaited(kernel, name) {
        Some(Awaited::Set(set)) => kernel.take_from_set(set, room, large),
        Some(Awaited::Port(port)) => kernel.take_from_port(port, room, large),
        _ => return Received::Code(MACH_RCV_INVALID_NAME),
    };
    match found {
        Found::Message(taken) => Received::Message(taken),
        Found::TooLarge { port, size } => {
            Received::TooLarge { name: kernel.port(port).name.unwrap_or(MACH_PORT_NULL), size }
        }
        Found::Nothing => Received::Code(MACH_RCV_TIMED_OUT),
    }
}

/// Puts the thread among those that wait, where nothing was found and time is left.
fn start_waiting(
    kernel: &mut Kernel,
    found: Received<Taken>,
    name: mach_port_name_t,
    room: mach_msg_size_t,
    option: mach_msg_option_t,
    deadline: Option<Instant>,
) -> Received<Taken> {
    let Received::Code(MACH_RCV_TIMED_OUT) = found else { return found };
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return found;
    }
    let Some(awaited) = awaited(kernel, name) else { return Received::Code(MACH_RCV_INVALID_NAME) };
    let parker = Parker::current();
    let room = room.saturating_sub(trailer_size(option) as u32);
    let large = option & MACH_RCV_LARGE != 0;
    let waiter = Waiter { parker: parker.clone(), awaited, room, large, outcome: None };
    let waiter = WaiterId(kernel.waiters.insert(waiter));
    match awaited {
        Awaited::Set(set) => kernel.set_mut(set).receivers.push_back(waiter),
        Awaited::Port(port) | Awaited::Room(port) => kernel.port_mut(port).receivers.push_back(waiter),
    }
    Received::Wait(waiter, parker)
}

/// Takes what came of a wait; gives the wait up where nothing did.
fn end_receive(kernel: &mut Kernel, id: WaiterId, woken: Woken) -> Received<Taken> {
    let Some(waiter) = kernel.waiters.remove(id.0) else { return Received::Code(MACH_RCV_PORT_CHANGED) };
    match waiter.outcome {
        Some(Outcome::Message(taken)) => Received::Message(taken),
        Some(Outcome::TooLarge { port, size }) => {
            let name = kernel.ports.get(port.0).and_then(|port| port.name).unwrap_or(MACH_PORT_NULL);
            Received::TooLarge { name, size }
        }
        Some(Outcome::PortChanged | Outcome::Sent | Outcome::Moving(..)) => {
            Received::Code(MACH_RCV_PORT_CHANGED)
        }
        None => {
            match waiter.awaited {
                Awaited::Set(set) => kernel.set_mut(set).receivers.retain(|&waiting| waiting != id),
                Awaited::Port(port) | Awaited::Room(port) => {
                    kernel.port_mut(port).receivers.retain(|&waiting| waiting != id);
                }
            }
            Received::Code(match woken {
                Woken::Interrupted => MACH_RCV_INTERRUPTED,
                Woken::TimedOut | Woken::Notified => MACH_RCV_TIMED_OUT,
            })
        }
    }
}

/// Tells the size of a message that stays in its queue, and its port's name where that is asked for.
///
/// # Safety
/// `buffer` is writable for `room` bytes.
unsafe fn write_too_large(
    buffer: *mut mach_msg_header_t,
    room: mach_msg_size_t,
    option: mach_msg_option_t,
    name: mach_port_name_t,
    size: mach_msg_size_t,
) {
    if room >= 8 {
        // SAFETY: offset 4 to 8 lies in `room` bytes.
        unsafe { buffer.cast::<u32>().wrapping_add(1).write_unaligned(size) };
    }
    if room >= 16 && option & MACH_RCV_LARGE_IDENTITY != 0 {
        // SAFETY: offset 12 to 16 lies in `room` bytes.
        unsafe { buffer.cast::<u32>().wrapping_add(3).write_unaligned(name) };
    }
}

/// When a time-out is over; `None` is never.
pub(super) fn deadline(limited: bool, timeout: mach_msg_timeout_t) -> Option<Instant> {
    limited.then(|| Instant::now() + Duration::from_millis(u64::from(timeout)))
}
