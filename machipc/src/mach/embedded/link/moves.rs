//! Receive rights on their way to another process.
//!
//! A move is announced before the message that carries the right: the port's limit, requests and counts, and the export id under which its
//! former owner keeps a right to it. What was in the queue follows behind that message. The former owner stays between the port and
//! whoever has rights from it: such messages are passed on as credit allows, in order, and so is the death of either side. Once those
//! rights are gone the former owner is out of it.
//!
//! A message that is passed on, or moves with its queue, arrives with the identity of the process that passes it on: only for that process
//! does the receiver's kernel vouch.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::super::kernel::{Doomed, Kernel};
use super::super::message::{Carried, Message, Right};
use super::super::port::{Escrow, Home, Port, PortId};
use super::super::slab::Slab;
use super::apply::Fds;
use super::frame::{self, ASSIGNED, HEAD, MOVE, NO_EXPORT, Reader, TO_MOVED_ONCE, TO_MOVED_QUEUE, WireRight};
use super::{Breach, Export, Frame, Halt, Identity, Incoming, RIGHTS_MAX};
use crate::mach::MACH_PORT_QLIMIT_MAX;

/// Bytes in a move for each send-once right that the former owner keeps. Each may become a message here: what comes to be here is no more
/// than a multiple of what was sent.
const ONCE_PAID: usize = 4;

/// What remains to be done for a message whose ports move.
enum Step {
    Announce(PortId),
    /// A message of that port's queue, whose own ports go first.
    Queued(PortId, Message),
    Forward(PortId, Message),
}

impl Kernel {
    /// Moves the ports whose receive rights a message carries to a link's peer, and what is in their queues, ahead of the message.
    pub(super) fn move_ahead(&mut self, id: u32, message: &Message) {
        let mut steps: Vec<Step> = message.receive_rights().rev().map(Step::Announce).collect();
        // A peer chooses how deep ports are nested.
        while let Some(step) = steps.pop() {
            match step {
                Step::Announce(port) => {
                    let queue = self.announce_move(id, port);
                    steps.extend(queue.into_iter().rev().map(|message| Step::Queued(port, message)));
                }
                Step::Queued(port, message) => {
                    if self.exceeds_link(&message) {
                        self.doomed.push(Doomed::Message(message));
                        continue;
                    }
                    let nested: Vec<PortId> = message.receive_rights().rev().collect();
                    steps.push(Step::Forward(port, message));
                    steps.extend(nested.into_iter().map(Step::Announce));
                }
                Step::Forward(port, message) => self.forward(port, message),
            }
        }
    }

    /// Announces that a port moves to a link's peer. From here on it is a distant port. Returns what was in its queue.
    fn announce_move(&mut self, id: u32, port: PortId) -> VecDeque<Message> {
        let mut fds: Vec<OwnedFd> = Vec::new();
        let state = self.port_mut(port);
        let (no_senders, port_destroyed) = (state.no_senders.take(), state.port_destroyed.take());
        let mut wire = |kernel: &mut Self, notify: Option<PortId>| match notify {
            Some(notify) => kernel.wire_right(id, Right::SendOnce(notify), &mut fds),
            None => WireRight::Null,
        };
        let requests = [wire(self, no_senders), wire(self, port_destroyed)];
        let identity = self.identity_of(port);
        let Some(link) = self.links.get_mut(id) else {
            self.resume_holders(port);
            self.doomed.push(Doomed::Port(port));
            return VecDeque::new();
        };
        link.last_assigned = (link.last_assigned + 1) & !ASSIGNED;
        let export = link.last_assigned | ASSIGNED;
        let held = link.export_of.get(&port).copied().unwrap_or(NO_EXPORT);
        let state = self.port_mut(port);
        let queue = core::mem::take(&mut state.queue);
        let limited = |message: &&Message| matches!(message.destination, Right::Send(_));
        let queued = queue.iter().filter(limited).count() as u32;
        let limit = state.queue_limit;
        let mut body = Vec::with_capacity(64);
        for word in [export, held, limit, queued, state.send_once_rights] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        body.extend_from_slice(&identity);
        for request in requests {
            body.extend_from_slice(&request.encode());
        }
        body.resize(body.len() + ONCE_PAID * state.send_once_rights as usize, 0);
        (state.home, state.imported) = (Home::Link { link: id, export }, 1);
        if let WireRight::MineOnce { export: notify } = requests[1] {
            state.escrow = Some(Escrow { notify, messages: VecDeque::new() });
        }
        // What does not fit behind the queue waits.
        state.credits = limit.saturating_sub(queued);
        let head = frame::head(body.len(), MOVE, fds.len());
        if let Some(link) = self.links.get_mut(id) {
            link.imports.insert(export, port);
            if link.send(&[&head[..], &body].concat(), &[], fds).is_err() {
                self.doomed.push(Doomed::Link(id));
            }
        }
        const { assert!(HEAD == 8) };
        // Held until the message with the receive right has gone: with the last right the port would go, too.
        self.port_mut(port).send_rights += 1;
        self.doomed.push(Doomed::Right(Right::Send(port)));
        self.redirect_holders(port);
        queue
    }

    /// Sends a message out of a moved port's queue after the port.
    fn forward(&mut self, port: PortId, mut message: Message) {
        let Home::Link { link, export } = self.port(port).home else {
            // The link has ended already.
            return self.doomed.push(Doomed::Message(message));
        };
        self.return_credit(&mut message);
        self.keep_copy(port, &message);
        let to = match message.destination {
            Right::SendOnce(_) => TO_MOVED_ONCE,
            _ => TO_MOVED_QUEUE,
        };
        self.write_message(link, export, to, message);
    }

    /// Notes a message that is passed on, for a port that must come back if its new owner dies.
    pub(in super::super) fn keep_copy(&mut self, port: PortId, message: &Message) {
        let state = self.port_mut(port);
        let copies = match (&mut state.escrow, &mut state.declared) {
            (Some(escrow), _) => &mut escrow.messages,
            (None, Some(declared)) => &mut declared.unreceived,
            (None, None) => return,
        };
        if matches!(message.destination, Right::Send(_)) {
            copies.push_back(message.plain_copy());
        }
    }

    /// A port whose new owner has died comes back to whoever asked for that, with what was not received there. Returns false where
    /// nobody did.
    pub(super) fn revive(&mut self, port: PortId, link: u32, exports: &mut Slab<Export>) -> bool {
        let Some(escrow) = self.port_mut(port).escrow.take() else { return false };
        let Some(Export::Once { port: notify, .. }) = exports.remove(escrow.notify) else { return false };
        self.drop_export(notify, link, escrow.notify);
        let state = self.port_mut(port);
        (state.imported, state.credits) = (0, 0);
        for message in escrow.messages.into_iter().flatten() {
            state.send_rights += 1;
            state.queue.push_back(message);
        }
        state.port_destroyed = Some(notify);
        state.home = Home::Space;
        self.doomed.push(Doomed::Port(port));
        true
    }

    /// A peer moves a port here. Its receive right comes with a message that follows.
    pub(super) fn apply_move(&mut self, id: u32, body: &[u8], fds: &mut Fds) -> Result<(), Breach> {
        let mut reader = Reader::new(body);
        let mut word = || reader.word().ok_or(Breach);
        let (export, held, limit, queued, once) = (word()?, word()?, word()?, word()?, word()?);
        let identity: Identity = reader.take(36).and_then(|bytes| bytes.try_into().ok()).ok_or(Breach)?;
        let requests = [reader.right().ok_or(Breach)?, reader.right().ok_or(Breach)?];
        if reader.rest().len() != ONCE_PAID * once as usize {
            return Err(Breach);
        }
        let link = self.links.get_mut(id).ok_or(Breach)?;
        // The id of a receive right that has yet to come is taken, too, although its former owner may have let go of the port.
        let taken = link.assigned.contains_key(&export)
            || link.moved.contains_key(&export)
            || link.assigned.len().max(link.moved.len()) >= RIGHTS_MAX;
        if export & ASSIGNED == 0
            || taken
            || limit > MACH_PORT_QLIMIT_MAX
            || queued > 65_534
            || once as usize > RIGHTS_MAX
            || (link.moved_once + once) as usize > RIGHTS_MAX
        {
            return Err(Breach);
        }
        let held = link.imports.get(&held).copied();
        let mover = self.speaker(id);
        let port = match held.or_else(|| self.moved_by(&identity, id)) {
            Some(port) => {
                self.bring_home(port);
                port
            }
            None => PortId(self.ports.insert(Port::new(Home::Space))),
        };
        let state = self.port_mut(port);
        state.queue_limit = limit;
        state.arriving = Some(core::mem::take(&mut state.queue));
        state.send_rights += 1;
        state.send_once_rights += once;
        state.exports.push((id, export));
        self.keep_mark(port, &identity, mover);
        let granted = limit.saturating_sub(queued);
        let assigned =
            Export::Send { port, given: 1, granted, queued, owed: 0, once, moving: queued, halt: Halt::No };
        let link = self.links.get_mut(id).ok_or(Breach)?;
        link.moved_once += once;
        link.assigned.insert(export, assigned);
        link.moved.insert(export, Incoming { port, introduced: Vec::new() });
        for (index, request) in requests.into_iter().enumerate() {
            let disposition = if request == WireRight::Null { 0 } else { 18 };
            if let Carried::Right(right) = self.take_wire_right(id, request, disposition, fds)? {
                let state = self.port_mut(port);
                let request = if index == 0 { &mut state.no_senders } else { &mut state.port_destroyed };
                *request = Some(right.port());
            }
        }
        Ok(())
    }

    /// Everything of a port has come: its receive right is here.
    pub(super) fn complete_move(&mut self, id: u32, export: u32) -> Result<Right, Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Incoming { port, introduced } = link.moved.remove(&export).ok_or(Breach)?;
        let late = self.port_mut(port).arriving.take();
        for message in late.into_iter().flatten() {
            self.deliver(port, message);
        }
        // A port that has come home to a former owner.
        self.resume_holders(port);
        for (socket, introduced) in introduced {
            self.await_hello(socket, Some(introduced));
        }
        self.fill_free_slots(port);
        Ok(Right::Receive(port))
    }

    /// A port that this task held rights to becomes its own. The rights that it had of the former owner go back.
    fn bring_home(&mut self, port: PortId) {
        let Home::Link { link, export } = self.port(port).home else { return };
        self.settle_halted(port);
        let state = self.port_mut(port);
        let (count, credits) = (core::mem::take(&mut state.imported), state.credits);
        (state.home, state.credits, state.sequence, state.make_send_count) = (Home::Space, 0, 0, 0);
        (state.escrow, state.declared) = (None, None);
        let halted = core::mem::take(&mut state.halted);
        for _ in 0..core::mem::take(&mut state.onces_due) {
            self.doomed.push(Doomed::Right(Right::SendOnce(port)));
        }
        if count > 0 {
            self.links.forget_import(link, export, credits, halted);
            self.post(link, Frame::Release { export, count });
        }
    }

    /// Notes where the receive rights in a message are going. Returns whether the message can never be received.
    pub(super) fn settle_receive_rights(&mut self, to: PortId, message: &Message) -> bool {
        for port in message.receive_rights() {
            if self.leads_to(to, port) {
                return true;
            }
            self.port_mut(port).home = Home::Transit(to);
        }
        false
    }
}
