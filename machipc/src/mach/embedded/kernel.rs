//! The kernel's state and the primitives on rights. Everything here runs under the task's lock and makes no system call but to
//! free memory; whoever must be woken is noted in `wakes` and woken after the lock is released.

use std::sync::Arc;

use super::lane::Lanes;
use super::link::{Frame, Links};
use super::message::{Carried, Item, Message, Right};
use super::name_watch::NameWatches;
use super::port::{Home, Port, PortId, PortSet, SetId};
use super::readiness::Readinesses;
use super::request::Kind;
use super::services::Services;
use super::slab::Slab;
use super::space::{Entry, Object, Space};
use super::wait::{Outcome, Parker, Waiter, WaiterId};
use crate::mach::{
    MACH_NOTIFY_DEAD_NAME, MACH_NOTIFY_NO_SENDERS, MACH_NOTIFY_PORT_DELETED, MACH_NOTIFY_PORT_DESTROYED,
    MACH_NOTIFY_SEND_ONCE, MACH_NOTIFY_SEND_POSSIBLE, MACH_PORT_TYPE_SEND, MACH_PORT_TYPE_SEND_ONCE,
    mach_msg_id_t, mach_port_name_t,
};

/// Something to be destroyed. Destruction is a loop over these, never a recursion: a peer chooses the depth.
pub(super) enum Doomed {
    Message(Message),
    Port(PortId),
    Right(Right),
    /// A link whose peer is gone or broke the protocol.
    Link(u32),
    /// A port of another process to which somebody got a right: they are told whose it is.
    Redirect(PortId),
}

/// The list of what is to be destroyed keeps this much room.
const DOOMED_KEPT: usize = 1024;

/// The state of one task.
pub(super) struct Kernel {
    pub(super) space: Space,
    pub(super) ports: Slab<Port>,
    pub(super) sets: Slab<PortSet>,
    pub(super) waiters: Slab<Waiter>,
    pub(super) links: Links,
    pub(super) services: Services,
    pub(super) readiness: Readinesses,
    pub(super) name_watches: NameWatches,
    pub(super) lanes: Lanes,
    pub(super) doomed: Vec<Doomed>,
    pub(super) wakes: Vec<Arc<Parker>>,
}

impl Kernel {
    pub(super) fn new() -> Self {
        Self {
            space: Space::new(),
            ports: Slab::new(),
            sets: Slab::new(),
            waiters: Slab::new(),
            links: Links::new(),
            services: Services::new(),
            readiness: Readinesses::new(),
            name_watches: NameWatches::default(),
            lanes: Lanes::default(),
            doomed: Vec::new(),
            wakes: Vec::new(),
        }
    }

    /// The port of this id. Ids come from entries, messages and tables that count in the port, so the slot exists.
    pub(super) fn port(&self, id: PortId) -> &Port {
        match self.ports.get(id.0) {
            Some(port) => port,
            None => unreachable!("port {id:?} is held and yet gone"),
        }
    }

    pub(super) fn port_mut(&mut self, id: PortId) -> &mut Port {
        match self.ports.get_mut(id.0) {
            Some(port) => port,
            None => unreachable!("port {id:?} is held and yet gone"),
        }
    }

    pub(super) fn set_mut(&mut self, id: SetId) -> &mut PortSet {
        match self.sets.get_mut(id.0) {
            Some(set) => set,
            None => unreachable!("set {id:?} is held and yet gone"),
        }
    }

    // ---- Names

    /// Looks a name up, after turning it into a dead name if its port has died. A receive right is never dead.
    pub(super) fn entry(&mut self, name: mach_port_name_t) -> Option<&mut Entry> {
        self.notice_death(name);
        self.space.get_mut(name)
    }

    /// Turns the name of a dead port into a dead name. The kernel does this lazily: a right that nobody looked at since its port
    /// died is still a right.
    pub(super) fn notice_death(&mut self, name: mach_port_name_t) {
        let Some(entry) = self.space.get(name) else { return };
        let port = match entry.object {
            Object::Port { port, receive: false, send: true } | Object::SendOnce(port) => port,
            _ => return,
        };
        if self.port(port).is_dead() {
            self.bury(name, false);
        }
    }

    /// Makes a dead name of the name of a port that has died; `request` adds the reference that goes with a notification.
    fn bury(&mut self, name: mach_port_name_t, request: bool) {
        let Some(entry) = self.space.get_mut(name) else { return };
        let object = core::mem::replace(&mut entry.object, Object::Dead);
        if request {
            entry.add_ref();
        }
        match object {
            Object::Port { port, .. } => {
                self.port_mut(port).name = None;
                self.release(Right::Send(port));
            }
            Object::SendOnce(port) => self.release(Right::SendOnce(port)),
            Object::Set(_) | Object::Dead => {}
        }
    }

    /// Frees a name whose rights have been dealt with; a request on it is answered with port-deleted.
    pub(super) fn free_name(&mut self, name: mach_port_name_t) {
        if let Some(port) = self.space.get(name).and_then(|entry| match entry.object {
            Object::Port { port, .. } => Some(port),
            _ => None,
        }) {
            self.port_mut(port).name = None;
        }
        self.cancel_request(name, true);
        self.space.remove(name);
    }

    /// Takes the request off a name. `deleted` tells its owner that the name has gone.
    pub(super) fn cancel_request(&mut self, name: mach_port_name_t, deleted: bool) -> Option<PortId> {
        let entry = self.space.get_mut(name)?;
        let request = entry.request.take()?;
        if let Object::Port { port, .. } | Object::SendOnce(port) = entry.object {
            self.port_mut(port).requests.retain(|&requested| requested != name);
        }
        if !deleted {
            return Some(request.notify);
        }
        self.notify_name(request.notify, MACH_NOTIFY_PORT_DELETED, name);
        None
    }

    /// Puts a send right into the name space: under the port's name if there is one, else under a new one. `None`: no room; the right
    /// is destroyed.
    pub(super) fn name_send(&mut self, port: PortId) -> Option<mach_port_name_t> {
        if let Some(name) = self.port(port).name
            && let Some(entry) = self.space.get_mut(name)
            && let Object::Port { send, .. } = &mut entry.object
        {
            let had = core::mem::replace(send, true);
            if had {
                entry.add_ref();
                // The name space counts once, however many references it has.
                self.release(Right::Send(port));
            } else {
                entry.urefs = 1;
            }
            return Some(name);
        }
        let object = Object::Port { port, receive: false, send: true };
        match self.space.insert(Entry::new(object, 1)) {
            Ok(name) => {
                self.port_mut(port).name = Some(name);
                Some(name)
            }
            Err(_) => {
                self.release(Right::Send(port));
                None
            }
        }
    }

    /// Puts a send-once right under a name of its own.
    pub(super) fn name_send_once(&mut self, port: PortId) -> Option<mach_port_name_t> {
        match self.space.insert(Entry::new(Object::SendOnce(port), 1)) {
            Ok(name) => Some(name),
            Err(_) => {
                self.release(Right::SendOnce(port));
                None
            }
        }
    }

    /// Puts a receive right into the name space, joining the send rights that are there.
    pub(super) fn name_receive(&mut self, port: PortId) -> Option<mach_port_name_t> {
        if let Some(name) = self.port(port).name
            && let Some(entry) = self.space.get_mut(name)
            && let Object::Port { receive, .. } = &mut entry.object
        {
            *receive = true;
            self.port_mut(port).home = Home::Space;
            return Some(name);
        }
        let object = Object::Port { port, receive: true, send: false };
        match self.space.insert(Entry::new(object, 0)) {
            Ok(name) => {
                let port = self.port_mut(port);
                port.home = Home::Space;
                port.name = Some(name);
                Some(name)
            }
            Err(_) => {
                self.release(Right::Receive(port));
                None
            }
        }
    }

    /// Drops one reference of the send right under `name`, which has one.
    pub(super) fn drop_send_refs(&mut self, name: mach_port_name_t, count: u32) {
        let Some(entry) = self.space.get_mut(name) else { return };
        let Object::Port { port, receive, send: true } = entry.object else { return };
        if entry.urefs > count {
            entry.urefs -= count;
            return;
        }
        entry.urefs = 0;
        if receive {
            entry.object = Object::Port { port, receive: true, send: false };
        } else {
            self.free_name(name);
        }
        self.release(Right::Send(port));
    }

    // ---- Rights

    /// Makes a send right; counts as a make-send.
    pub(super) fn make_send(&mut self, port: PortId) -> Right {
        let state = self.port_mut(port);
        state.make_send_count = state.make_send_count.wrapping_add(1);
        state.send_rights += 1;
        Right::Send(port)
    }

    /// Copies a send right.
    pub(super) fn copy_send(&mut self, port: PortId) -> Right {
        self.port_mut(port).send_rights += 1;
        Right::Send(port)
    }

    pub(super) fn make_send_once(&mut self, port: PortId) -> Right {
        self.port_mut(port).send_once_rights += 1;
        Right::SendOnce(port)
    }

    /// Destroys a right that nothing holds any more. A send-once right that was not used answers with a notification.
    pub(super) fn release(&mut self, right: Right) {
        match right {
            Right::Send(id) => {
                let port = self.port_mut(id);
                port.send_rights -= 1;
                if port.send_rights == 0
                    && !port.is_dead()
                    && let Some(notify) = port.no_senders.take()
                {
                    let count = port.make_send_count;
                    self.notify_name(notify, MACH_NOTIFY_NO_SENDERS, count);
                }
                self.free_port_slot(id);
            }
            Right::SendOnce(id) => match self.port(id).home {
                Home::Link { .. } if self.port(id).halted => self.port_mut(id).onces_due += 1,
                Home::Link { link, export } => {
                    // Its owner sends the notification. The frame goes first: with the last right the export goes too.
                    self.post(link, Frame::ReleaseOnce { export });
                    self.spend_send_once(id);
                }
                Home::Kernel | Home::Dead => self.spend_send_once(id),
                Home::Space | Home::Transit(_) => {
                    self.notify(id, MACH_NOTIFY_SEND_ONCE, Vec::new());
                }
            },
            Right::Receive(id) => self.doomed.push(Doomed::Port(id)),
        }
    }

    /// Counts a send-once right out, without a notification: it was used, or its port is gone.
    pub(super) fn spend_send_once(&mut self, id: PortId) {
        self.port_mut(id).send_once_rights -= 1;
        self.free_port_slot(id);
    }

    /// Frees the slot of a dead or distant port to which no right is left.
    fn free_port_slot(&mut self, id: PortId) {
        let port = self.port(id);
        if port.send_rights > 0 || port.send_once_rights > 0 {
            return;
        }
        match port.home {
            Home::Kernel | Home::Dead => {
                self.forget_mark(id);
                self.ports.discard(id.0);
            }
            // A port that may have to come back is kept, and its export with it.
            Home::Link { .. } if port.escrow.is_some() => {}
            Home::Link { link, export } => {
                let (count, credits, halted) = (port.imported, port.credits, port.halted);
                self.forget_mark(id);
                self.ports.discard(id.0);
                // A send-once right was never counted: it is gone with its use or by a frame of its own.
                if count > 0 {
                    self.links.forget_import(link, export, credits, halted);
                    self.post(link, Frame::Release { export, count });
                } else {
                    self.links.forget_once(link, export, id);
                }
            }
            Home::Space | Home::Transit(_) => {}
        }
    }

    /// Takes an export off a port: the peer holds nothing of it any more, or is gone.
    pub(super) fn drop_export(&mut self, id: PortId, link: u32, export: u32) {
        let port = self.port_mut(id);
        port.exports.retain(|&held| held != (link, export));
    }

    // ---- Notifications

    /// Sends a notification that carries one word, consuming the send-once right `notify`.
    pub(super) fn notify_name(&mut self, notify: PortId, id: mach_msg_id_t, value: u32) {
        // NDR record of a little-endian machine, then the value (mach-semantics §1).
        let mut bytes = vec![0, 0, 0, 0, 1, 0, 0, 0];
        bytes.extend_from_slice(&value.to_le_bytes());
        self.notify(notify, id, bytes);
    }

    /// Sends a simple notification. Queue limits do not apply.
    pub(super) fn notify(&mut self, notify: PortId, id: mach_msg_id_t, bytes: Vec<u8>) {
        if self.port(notify).is_dead() {
            self.spend_send_once(notify);
            return;
        }
        self.deliver(notify, Message::notification(notify, id, bytes));
    }

    /// Tells that a queue has room: armed send-possible requests fire.
    pub(super) fn notify_send_possible(&mut self, id: PortId) {
        if self.port(id).requests.is_empty() {
            return;
        }
        for name in self.port(id).requests.clone() {
            let armed = self
                .space
                .get(name)
                .and_then(|entry| entry.request.as_ref())
                .is_some_and(|request| request.kind == Kind::SendPossibleArmed);
            if armed && let Some(notify) = self.cancel_request(name, false) {
                self.notify_name(notify, MACH_NOTIFY_SEND_POSSIBLE, name);
            }
        }
    }

    // ---- Destruction

    /// Destroys everything that is due. Called before the lock is released.
    pub(super) fn bury_doomed(&mut self) {
        while let Some(doomed) = self.doomed.pop() {
            match doomed {
                Doomed::Port(port) => self.lose_receive_right(port),
                Doomed::Right(right) => self.release(right),
                Doomed::Message(message) => self.destroy_message(message),
                Doomed::Link(link) => self.close_link(link),
                Doomed::Redirect(port) => {
                    if self.ports.get(port.0).is_some() {
                        self.redirect_holders(port);
                    }
                }
            }
        }
        // What one peer once had in it is no reason to keep that much for good.
        if self.doomed.capacity() > DOOMED_KEPT {
            self.doomed = Vec::new();
        }
    }

    /// Drops a receive right that no name space and no message holds any more: the port dies, or goes to whoever asked for it.
    fn lose_receive_right(&mut self, id: PortId) {
        let port = self.port_mut(id);
        if let Some(notify) = port.port_destroyed.take() {
            // A right in a queue that only it leads to could never be received.
            let alive = !self.port(notify).is_dead() && !self.leads_to(notify, id);
            if alive {
                let port = self.port_mut(id);
                (port.sequence, port.make_send_count) = (0, 0);
                (port.context, port.guard) = (0, None);
                port.home = Home::Transit(notify);
                let mut message =
                    Message::notification(notify, MACH_NOTIFY_PORT_DESTROYED, port_descriptor_body());
                message.complex = true;
                message
                    .items
                    .push(Item::Port { carried: Carried::Right(Right::Receive(id)), disposition: 16 });
                self.wake_receivers_changed(id);
                self.leave_sets(id);
                self.deliver(notify, message);
                return;
            }
            self.spend_send_once(notify);
        }
        self.kill_port(id);
    }

    /// The port dies: everybody who waits for it, holds it or asked about it is told.
    pub(super) fn kill_port(&mut self, id: PortId) {
        self.wake_receivers_changed(id);
        self.leave_sets(id);
        self.forget_mark(id);
        let port = self.port_mut(id);
        // Held until the end, so that the slot outlives the last right.
        port.send_once_rights += 1;
        port.home = Home::Dead;
        port.guard = None;
        let queue = core::mem::take(&mut port.queue);
        let arriving = port.arriving.take();
        let due = core::mem::take(&mut port.onces_due);
        let senders = core::mem::take(&mut port.blocked_senders);
        let (no_senders, port_destroyed) = (port.no_senders.take(), port.port_destroyed.take());
        let requests = core::mem::take(&mut port.requests);
        let exports = port.exports.clone();
        let late = arriving.into_iter().flatten();
        self.doomed.extend(queue.into_iter().chain(late).map(Doomed::Message));
        self.doomed.extend((0..due).map(|_| Doomed::Right(Right::SendOnce(id))));
        for blocked in senders {
            // The message was accepted and goes down with the port: success.
            self.doomed.push(Doomed::Message(blocked.message));
            self.finish(blocked.waiter, Outcome::Sent);
        }
        for notify in [no_senders, port_destroyed].into_iter().flatten() {
            self.doomed.push(Doomed::Right(Right::SendOnce(notify)));
        }
        for name in requests {
            let Some(request) = self.space.get_mut(name).and_then(|entry| entry.request.take()) else {
                continue;
            };
            self.bury(name, true);
            self.notify_name(request.notify, MACH_NOTIFY_DEAD_NAME, name);
        }
        for (link, export) in exports {
            self.post(link, Frame::Dead { export });
        }
        self.services_port_died(id);
        self.name_watch_port_died(id);
        self.spend_send_once(id);
    }

    /// Releases everything that a message carries, its destination included.
    pub(super) fn destroy_message(&mut self, mut message: Message) {
        self.return_credit(&mut message);
        match message.destination {
            Right::SendOnce(port) => self.spend_send_once(port),
            right => self.release(right),
        }
        self.release_carried(message.reply);
        self.destroy_items(message.items);
    }

    /// Releases everything that descriptors carry. Memory is unmapped by its own drop.
    pub(super) fn destroy_items(&mut self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Port { carried, .. } | Item::Guarded { carried, .. } => self.release_carried(carried),
                Item::Ports { carried, .. } => {
                    carried.into_iter().for_each(|carried| self.release_carried(carried))
                }
                Item::Memory { .. } | Item::Pieces { .. } => {}
            }
        }
    }

    pub(super) fn release_carried(&mut self, carried: Carried) {
        if let Carried::Right(right) = carried {
            self.release(right);
        }
    }

    /// Tells every thread that receives from this port itself that it has gone or moved away.
    pub(super) fn wake_receivers_changed(&mut self, id: PortId) {
        self.receive_right_lost(id);
        self.notice();
        for waiter in core::mem::take(&mut self.port_mut(id).receivers) {
            self.finish(waiter, Outcome::PortChanged);
        }
    }

    /// Takes a port out of every set; threads that wait on the sets keep waiting.
    pub(super) fn leave_sets(&mut self, id: PortId) {
        for set in core::mem::take(&mut self.port_mut(id).sets) {
            self.set_mut(set).members.remove(id);
            self.members_changed(set);
        }
    }

    // ---- Waiters

    /// Whether a wait goes on, for a thread that was woken. It may sleep again then.
    pub(super) fn is_waiting(&mut self, waiter: WaiterId, parker: &Parker) -> bool {
        let waits = self.waiters.get(waiter.0).is_some_and(|waiter| waiter.outcome.is_none());
        if waits {
            parker.reset();
        }
        waits
    }

    /// Has a thread look that watches the rings before it begins to wait for good.
    pub(super) fn notice(&self) {
        if let Some(poller) = self.links.poller {
            poller.notice();
        }
    }

    /// Ends a wait and wakes its thread once the lock is released.
    pub(super) fn finish(&mut self, waiter: WaiterId, outcome: Outcome) {
        if let Some(waiter) = self.waiters.get_mut(waiter.0) {
            waiter.outcome = Some(outcome);
            self.wakes.push(waiter.parker.clone());
        }
    }
}

/// Body and descriptor of a message with one port, as a sender would have written them; the receiver's name is filled in on copy-out.
fn port_descriptor_body() -> Vec<u8> {
    let mut bytes = 1_u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 12]);
    bytes
}

const _: () = assert!(MACH_PORT_TYPE_SEND == 1 << 16 && MACH_PORT_TYPE_SEND_ONCE == 1 << 18);
