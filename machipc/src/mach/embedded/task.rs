//! The task: the one kernel of this process, its lock, and the threads that sleep on it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::copyout::{Letter, trailer_size};
use super::draft::Draft;
use super::kernel::Kernel;
use super::message::{Message, Right, Sender};
use super::queue::Found;
use super::space::Object;
use super::wait::{Awaited, Outcome, Parker, Taken, Waiter, WaiterId, Woken};
use crate::mach::{
    MACH_MSG_SUCCESS, MACH_PORT_DEAD, MACH_PORT_NULL, MACH_RCV_INTERRUPT, MACH_RCV_INTERRUPTED,
    MACH_RCV_INVALID_DATA, MACH_RCV_INVALID_NAME, MACH_RCV_LARGE, MACH_RCV_LARGE_IDENTITY,
    MACH_RCV_PORT_CHANGED, MACH_RCV_TIMED_OUT, MACH_RCV_TIMEOUT, MACH_RCV_TOO_LARGE, MACH_SEND_INTERRUPT,
    MACH_SEND_INTERRUPTED, MACH_SEND_NO_BUFFER, MACH_SEND_NOTIFY, MACH_SEND_TIMED_OUT, MACH_SEND_TIMEOUT,
    audit_token_t, mach_msg_header_t, mach_msg_option_t, mach_msg_return_t, mach_msg_size_t,
    mach_msg_timeout_t, mach_port_name_t, security_token_t,
};

/// The most messages that a queue holds, whatever its limit.
const QUEUE_MAX: usize = 65_534;

/// Name of the task's own port. Its index lies beyond every other name's.
pub(super) const TASK_SELF: mach_port_name_t = 0xffff_0003;

/// Name of the bootstrap port.
pub(super) const BOOTSTRAP: mach_port_name_t = 0xffff_0103;

/// One task: what the process's calls act on.
pub(super) struct Task {
    kernel: Mutex<Kernel>,
    pub(super) sender: Sender,
}

/// This process's task.
pub(super) fn task() -> &'static Task {
    static TASK: OnceLock<Task> = OnceLock::new();
    TASK.get_or_init(|| Task { kernel: Mutex::new(Kernel::new()), sender: own_identity() })
}

fn own_identity() -> Sender {
    use rustix::process::{getegid, geteuid, getgid, getpid, getuid};
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let audit =
        [uid, uid, gid, getuid().as_raw(), getgid().as_raw(), getpid().as_raw_nonzero().get() as u32, 0, 1];
    Sender { security: security_token_t { val: [uid, gid] }, audit: audit_token_t { val: audit } }
}

impl Task {
    fn lock(&self) -> MutexGuard<'_, Kernel> {
        // No code under the lock panics on purpose; if some did, other threads can only go on with what is there.
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on the kernel, then destroys what is due and wakes who must be woken.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Kernel) -> R) -> R {
        let mut kernel = self.lock();
        let result = f(&mut kernel);
        kernel.bury_doomed();
        if !kernel.wakes.is_empty() {
            let wakes = core::mem::take(&mut kernel.wakes);
            drop(kernel);
            for parker in wakes {
                parker.wake(None);
            }
        }
        result
    }

    // ---- Sending

    /// The send half of `mach_msg`. A message that is not sent is written back to `message` as the rules of pseudo-receive say.
    ///
    /// # Safety
    /// As `mach_msg`.
    pub(super) unsafe fn send(
        &self,
        message: *mut mach_msg_header_t,
        size: mach_msg_size_t,
        option: mach_msg_option_t,
        timeout: mach_msg_timeout_t,
    ) -> mach_msg_return_t {
        // SAFETY: the caller's word.
        let draft = match unsafe { Draft::read(message, size as usize, Vec::new()) } {
            Ok(draft) => draft,
            Err(code) => return code,
        };
        let deadline = deadline(option & MACH_SEND_TIMEOUT != 0, timeout);
        let notify = option & MACH_SEND_NOTIFY != 0;
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
        if matches!(message.destination, Right::SendOnce(_)) {
            kernel.deliver(port, message);
            return Sent::Code(MACH_MSG_SUCCESS);
        }
        if kernel.port(port).queue.len() >= QUEUE_MAX {
            return send_back(kernel, message, 0, MACH_SEND_NO_BUFFER);
        }
        match kernel.send_within_limit(port, message) {
            Ok(()) => Sent::Code(MACH_MSG_SUCCESS),
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
        let code = match self.sleep(parker, deadline, option & MACH_SEND_INTERRUPT != 0) {
            Woken::Notified => MACH_MSG_SUCCESS,
            Woken::TimedOut => MACH_SEND_TIMED_OUT,
            Woken::Interrupted => MACH_SEND_INTERRUPTED,
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
            kernel.waiters.remove(waiter.0);
            unsent.map(|unsent| send_back(kernel, unsent, message as usize, code))
        });
        match back {
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

    /// The receive half of `mach_msg`.
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
    ) -> mach_msg_return_t {
        let large = option & MACH_RCV_LARGE != 0;
        let deadline = deadline(option & MACH_RCV_TIMEOUT != 0, timeout);
        let started = self.with(|kernel| {
            start_receive(kernel, name, room, option, deadline)
                .map_message(|taken| kernel.copy_out(taken, option, room, buffer as usize))
        });
        let result = match started {
            Received::Wait(waiter, parker) => {
                let woken = self.sleep(&parker, deadline, option & MACH_RCV_INTERRUPT != 0);
                self.with(|kernel| {
                    end_receive(kernel, waiter, woken)
                        .map_message(|taken| kernel.copy_out(taken, option, room, buffer as usize))
                })
            }
            result => result,
        };
        match result {
            Received::Message(letter) => {
                if (room as usize) < size_of::<mach_msg_header_t>() {
                    return MACH_RCV_INVALID_DATA;
                }
                // SAFETY: the letter was made to fit `room`, which the caller made writable.
                unsafe { letter.write(buffer) };
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

    /// Sleeps until the parker is notified. Signals end it only where `interruptible`.
    fn sleep(&self, parker: &Parker, deadline: Option<Instant>, interruptible: bool) -> Woken {
        loop {
            match parker.sleep(deadline) {
                Woken::Interrupted if !interruptible => {}
                woken => return woken,
            }
        }
    }
}

enum Sent {
    Code(mach_msg_return_t),
    Back(Box<Letter>, mach_msg_return_t),
    Blocked(WaiterId, std::sync::Arc<Parker>),
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

/// Takes a message that is there, or puts the thread among those that wait for one.
fn start_receive(
    kernel: &mut Kernel,
    name: mach_port_name_t,
    room: mach_msg_size_t,
    option: mach_msg_option_t,
    deadline: Option<Instant>,
) -> Received<Taken> {
    let large = option & MACH_RCV_LARGE != 0;
    let room = room.saturating_sub(trailer_size(option) as u32);
    if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
        return Received::Code(MACH_RCV_INVALID_NAME);
    }
    let awaited = match kernel.entry(name).map(|entry| entry.object) {
        Some(Object::Port { port, receive: true, .. }) => Awaited::Port(port),
        Some(Object::Set(set)) => Awaited::Set(set),
        _ => return Received::Code(MACH_RCV_INVALID_NAME),
    };
    let found = match awaited {
        Awaited::Set(set) => kernel.take_from_set(set, room, large),
        Awaited::Port(port) | Awaited::Room(port) => kernel.take_from_port(port, room, large),
    };
    match found {
        Found::Message(taken) => return Received::Message(taken),
        Found::TooLarge { port, size } => {
            return Received::TooLarge { name: kernel.port(port).name.unwrap_or(MACH_PORT_NULL), size };
        }
        Found::Nothing => {}
    }
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Received::Code(MACH_RCV_TIMED_OUT);
    }
    let parker = Parker::current();
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
        Some(Outcome::Message(taken)) => Received::Message(*taken),
        Some(Outcome::TooLarge { port, size }) => {
            let name = kernel.ports.get(port.0).and_then(|port| port.name).unwrap_or(MACH_PORT_NULL);
            Received::TooLarge { name, size }
        }
        Some(Outcome::PortChanged | Outcome::Sent) => Received::Code(MACH_RCV_PORT_CHANGED),
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
fn deadline(limited: bool, timeout: mach_msg_timeout_t) -> Option<Instant> {
    limited.then(|| Instant::now() + Duration::from_millis(u64::from(timeout)))
}

impl Task {
    pub(super) fn check_in(&self, name: &[u8]) -> Result<mach_port_name_t, mach_msg_return_t> {
        self.with(|kernel| kernel.check_in(name))
    }
    pub(super) fn register(&self, _name: &[u8], _port: mach_port_name_t) -> Result<(), mach_msg_return_t> {
        Err(1100)
    }
    pub(super) fn look_up(&self, name: &[u8]) -> Result<mach_port_name_t, mach_msg_return_t> {
        self.with(|kernel| kernel.look_up(name))
    }
}
