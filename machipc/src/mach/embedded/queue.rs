//! Messages into queues and out of them.

use super::kernel::Kernel;
use super::message::{Message, Right};
use super::port::{BlockedSender, Home, PortId, SetId};
use super::wait::{Outcome, Taken, WaiterId};
use crate::mach::mach_msg_size_t;

/// What a receiver finds without waiting.
pub(super) enum Found {
    Message(Taken),
    TooLarge { port: PortId, size: mach_msg_size_t },
    Nothing,
}

impl Kernel {
    /// Puts a message into its port's queue, whether that is full or not, or hands it to a thread that waits for it. A dead port takes
    /// the message down with it.
    pub(super) fn deliver(&mut self, id: PortId, message: Message) {
        match self.port(id).home {
            Home::Kernel | Home::Dead => self.doomed.push(super::kernel::Doomed::Message(message)),
            Home::Link { link, export } => {
                // A message to a send right that was not sent here: the port has moved on, and it is passed on as there is credit.
                let relayed = matches!(message.destination, Right::Send(_));
                let state = self.port(id);
                if state.halted {
                    self.keep_halted(id, link, message);
                } else if relayed && state.is_full() {
                    self.port_mut(id).queue.push_back(message);
                } else {
                    self.pass_on(id, link, export, message);
                }
            }
            Home::Space | Home::Transit(_) => {
                if let Some(late) = &mut self.port_mut(id).arriving {
                    // What moves along with the port goes first.
                    late.push_back(message);
                } else if let Some(message) = self.hand_over(id, message) {
                    self.port_mut(id).queue.push_back(message);
                    for index in 0..self.port(id).sets.len() {
                        let set = self.port(id).sets[index];
                        self.set_mut(set).members.filled(id);
                    }
                    self.queue_changed(id);
                    self.notice();
                }
            }
        }
    }

    /// Puts a message into the queue of a port that is on its way here, with which it comes.
    pub(super) fn deliver_moved(&mut self, id: PortId, message: Message) {
        let port = self.port_mut(id);
        if port.arriving.is_some() {
            port.queue.push_back(message);
        } else {
            self.deliver(id, message);
        }
    }

    /// Gives a message to a waiting thread: one that waits on the port before one that waits on a set. Returns the message
    /// when nobody takes it.
    fn hand_over(&mut self, id: PortId, message: Message) -> Option<Message> {
        if !self.port(id).queue.is_empty() {
            return Some(message);
        }
        let size = message.size();
        while let Some(waiter) = self.next_receiver(id) {
            let Some(state) = self.waiters.get(waiter.0) else { continue };
            if size > state.room && state.large {
                // It learns of the message, which stays for somebody with more room.
                self.finish(waiter, Outcome::TooLarge { port: id, size });
                continue;
            }
            let taken = self.number(id, message);
            self.finish(waiter, Outcome::Message(taken));
            return None;
        }
        Some(message)
    }

    fn next_receiver(&mut self, id: PortId) -> Option<WaiterId> {
        if let Some(waiter) = self.port_mut(id).receivers.pop_front() {
            return Some(waiter);
        }
        for index in 0..self.port(id).sets.len() {
            let set = self.port(id).sets[index];
            if let Some(waiter) = self.set_mut(set).receivers.pop_front() {
                return Some(waiter);
            }
        }
        None
    }

    /// Takes the first message of a port.
    pub(super) fn take_from_port(&mut self, id: PortId, room: mach_msg_size_t, large: bool) -> Found {
        let Some(first) = self.port(id).queue.front() else { return Found::Nothing };
        let size = first.size();
        if size > room && large {
            return Found::TooLarge { port: id, size };
        }
        match self.port_mut(id).queue.pop_front() {
            Some(message) => {
                let has_messages = !self.port(id).queue.is_empty();
                for index in 0..self.port(id).sets.len() {
                    let set = self.port(id).sets[index];
                    self.set_mut(set).members.taken(id, has_messages);
                }
                self.queue_changed(id);
                self.fill_free_slots(id);
                Found::Message(self.number(id, message))
            }
            None => Found::Nothing,
        }
    }

    /// Takes the first message of the next member that has any, in turn.
    pub(super) fn take_from_set(&mut self, id: SetId, room: mach_msg_size_t, large: bool) -> Found {
        match self.set_mut(id).members.next() {
            Some(port) => self.take_from_port(port, room, large),
            None => Found::Nothing,
        }
    }

    /// Serves threads that wait on a set, after a member with messages has joined it.
    pub(super) fn serve_set(&mut self, id: SetId) {
        while let Some(waiter) = self.set_mut(id).receivers.pop_front() {
            let Some(state) = self.waiters.get(waiter.0) else { continue };
            match self.take_from_set(id, state.room, state.large) {
                Found::Message(taken) => self.finish(waiter, Outcome::Message(taken)),
                Found::TooLarge { port, size } => self.finish(waiter, Outcome::TooLarge { port, size }),
                Found::Nothing => {
                    self.set_mut(id).receivers.push_front(waiter);
                    return;
                }
            }
        }
    }

    fn number(&mut self, id: PortId, mut message: Message) -> Taken {
        self.return_credit(&mut message);
        let port = self.port_mut(id);
        let sequence = port.sequence;
        port.sequence = sequence.wrapping_add(1);
        Taken { port: id, sequence, message }
    }

    /// Sends a message to a send right, within the queue limit. Returns it when the port is full.
    #[expect(clippy::result_large_err, reason = "a full queue is no error worth an allocation")]
    pub(super) fn send_within_limit(&mut self, id: PortId, message: Message) -> Result<(), Message> {
        let port = self.port(id);
        let waits = matches!(port.home, Home::Link { .. }) && !port.blocked_senders.is_empty();
        if (port.is_full() || waits || !self.fits_ring(id, &message)) && !self.port(id).is_dead() {
            return Err(message);
        }
        self.deliver(id, message);
        Ok(())
    }

    /// Sends a message over a link, at the cost of a credit where it is to a send right.
    fn pass_on(&mut self, id: PortId, link: u32, export: u32, mut message: Message) {
        if matches!(message.destination, Right::Send(_)) {
            let port = self.port_mut(id);
            port.credits = port.credits.saturating_sub(1);
        }
        self.return_credit(&mut message);
        self.keep_copy(id, &message);
        self.transmit(link, export, message);
    }

    /// Takes credit for a message that is sent later. Returns where it is good.
    pub(super) fn reserve(&mut self, id: PortId) -> Option<Home> {
        let port = self.port_mut(id);
        port.credits = port.credits.checked_sub(1)?;
        Some(port.home)
    }

    /// Sends a message with receive rights, for which credit was taken, once it has waited for those who hold rights to these ports.
    pub(super) fn deliver_move(&mut self, message: Message, reserved: Option<Home>) {
        let to = message.destination.port();
        let home = self.port(to).home;
        if reserved == Some(home) {
            self.port_mut(to).credits += 1;
        }
        if !matches!(home, Home::Link { .. }) {
            self.resume_holders_of(&message);
        }
        self.deliver(to, message);
    }

    /// Lets a thread wait for room, with its message.
    pub(super) fn block_sender(&mut self, id: PortId, waiter: WaiterId, message: Message) {
        self.port_mut(id).blocked_senders.push_back(BlockedSender { waiter, message });
    }

    /// Gives free slots to blocked senders, first come first served: slots are not raced for. What is free then fires
    /// send-possible requests.
    pub(super) fn fill_free_slots(&mut self, id: PortId) {
        // Held meanwhile: what is sent may carry the last right to the port.
        self.port_mut(id).send_once_rights += 1;
        self.fill_free_slots_of_held(id);
        self.spend_send_once(id);
    }

    fn fill_free_slots_of_held(&mut self, id: PortId) {
        if let Home::Link { link, export } = self.port(id).home {
            // What came for a port that has moved on goes before what this task sends to it.
            let mut passed_on = false;
            while let Some(message) = self.port(id).queue.front() {
                let once = matches!(message.destination, Right::SendOnce(_));
                if self.port(id).halted || (self.port(id).credits == 0 && !once) {
                    break;
                }
                if let Some(message) = self.port_mut(id).queue.pop_front() {
                    self.pass_on(id, link, export, message);
                }
                passed_on = true;
            }
            if passed_on {
                self.redirect_holders(id);
            }
        }
        while !self.port(id).is_full() {
            let Some(blocked) = self.port_mut(id).blocked_senders.pop_front() else {
                self.notify_send_possible(id);
                return;
            };
            if !self.fits_ring(id, &blocked.message) {
                self.port_mut(id).blocked_senders.push_front(blocked);
                return;
            }
            if self.moves_away(&blocked.message) && self.halt_holders_of(&blocked.message) > 0 {
                let reserved = self.reserve(id);
                self.finish(blocked.waiter, Outcome::Moving(Box::new(blocked.message), reserved));
                continue;
            }
            self.finish(blocked.waiter, Outcome::Sent);
            self.deliver(id, blocked.message);
        }
    }

    /// Takes a blocked sender's message back, after a time-out or a signal.
    pub(super) fn unblock_sender(&mut self, id: PortId, waiter: WaiterId) -> Option<Message> {
        let senders = &mut self.port_mut(id).blocked_senders;
        let index = senders.iter().position(|blocked| blocked.waiter == waiter)?;
        senders.remove(index).map(|blocked| blocked.message)
    }
}
