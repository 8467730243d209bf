//! Rights out of the sender's name space into a message. Phase A of a send checks and takes nothing; phase B takes the header's
//! rights and then the body's, and what it has taken is lost on a later failure (mach-semantics §3).

use super::draft::{Descriptor, Draft};
use super::kernel::Kernel;
use super::memory::Region;
use super::message::{Carried, Item, Message, Right, Sender};
use super::port::{Home, PortId};
use super::request::Kind;
use super::space::Object;
use crate::mach::{
    MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE, MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND, MACH_MSG_TYPE_COPY_SEND,
    MACH_MSG_TYPE_MAKE_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_MOVE_RECEIVE,
    MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSGH_BITS_LOCAL, MACH_MSGH_BITS_REMOTE,
    MACH_MSGH_BITS_VOUCHER, MACH_PORT_DEAD, MACH_PORT_NULL, MACH_PORT_UREFS_MAX, MACH_SEND_INVALID_DEST,
    MACH_SEND_INVALID_HEADER, MACH_SEND_INVALID_MEMORY, MACH_SEND_INVALID_REPLY, MACH_SEND_INVALID_RIGHT,
    MACH_SEND_INVALID_VOUCHER, mach_msg_return_t, mach_port_name_t,
};

/// A right that could not be taken.
pub(super) struct Refused;

/// The received kind of a disposition.
pub(super) fn received(disposition: u32) -> u8 {
    match disposition {
        MACH_MSG_TYPE_MOVE_RECEIVE => 16,
        MACH_MSG_TYPE_MOVE_SEND | MACH_MSG_TYPE_COPY_SEND | MACH_MSG_TYPE_MAKE_SEND => 17,
        MACH_MSG_TYPE_MOVE_SEND_ONCE | MACH_MSG_TYPE_MAKE_SEND_ONCE => 18,
        _ => 0,
    }
}

fn is_header_disposition(disposition: u32) -> bool {
    (MACH_MSG_TYPE_MOVE_SEND..=MACH_MSG_TYPE_MAKE_SEND_ONCE).contains(&disposition)
}

impl Kernel {
    /// Takes everything that a draft names. On a failure of phase A nothing has changed; on one of phase B the header's rights and
    /// what came before the fault are gone.
    pub(super) fn copy_in(&mut self, draft: Draft, sender: Sender) -> Result<Message, mach_msg_return_t> {
        let (remote, local) = (MACH_MSGH_BITS_REMOTE(draft.bits), MACH_MSGH_BITS_LOCAL(draft.bits));
        self.check_header(&draft, remote, local)?;

        let take_reply = |kernel: &mut Self| kernel.take_header_right(draft.local, local);
        // Of one name copied and moved, the copy comes first: the move may take the last reference.
        let (destination, reply) = if remote == MACH_MSG_TYPE_MOVE_SEND && draft.remote == draft.local {
            let reply = take_reply(self);
            (self.take_header_right(draft.remote, remote), reply)
        } else {
            let destination = self.take_header_right(draft.remote, remote);
            (destination, take_reply(self))
        };
        let Carried::Right(destination) = destination else {
            // Checked above: a destination is a live right, or a send-once right whose death nobody has noticed.
            self.release_carried(reply);
            return Err(MACH_SEND_INVALID_DEST);
        };
        let complex = draft.is_complex();
        let voucher = if MACH_MSGH_BITS_VOUCHER(draft.bits) == 0 { draft.voucher } else { MACH_PORT_NULL };
        let mut message = Message {
            destination,
            reply,
            reply_disposition: received(local),
            voucher,
            id: draft.id,
            complex,
            items: Vec::with_capacity(draft.descriptors.len()),
            bytes: draft.bytes,
            sender,
            credit: None,
            incomplete: false,
            _charge: None,
        };
        let to = message.destination.port();
        let mut circular = false;
        for descriptor in draft.descriptors {
            match self.take_item(descriptor, to, &mut circular) {
                Ok(item) => message.items.push(item),
                Err(code) => {
                    self.destroy_message(message);
                    return Err(code);
                }
            }
        }
        if circular {
            // The message can never be received: it is accepted and destroyed.
            self.doomed.push(super::kernel::Doomed::Message(message));
            return Err(0);
        }
        Ok(message)
    }

    fn check_header(&mut self, draft: &Draft, remote: u32, local: u32) -> Result<(), mach_msg_return_t> {
        if !is_header_disposition(remote)
            || (local == 0 && draft.local != MACH_PORT_NULL)
            || (local != 0 && !is_header_disposition(local))
        {
            return Err(MACH_SEND_INVALID_HEADER);
        }
        let voucher = MACH_MSGH_BITS_VOUCHER(draft.bits);
        if voucher != 0 {
            // There are no vouchers, so none but NULL can be valid.
            let kind = voucher == MACH_MSG_TYPE_MOVE_SEND || voucher == MACH_MSG_TYPE_COPY_SEND;
            if !kind || draft.voucher != MACH_PORT_NULL {
                return Err(MACH_SEND_INVALID_VOUCHER);
            }
        }
        let same = draft.remote == draft.local && local != 0;
        let once = |disposition| disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE;
        if !self.can_send_to(draft.remote, remote) || (same && (once(remote) || once(local))) {
            return Err(MACH_SEND_INVALID_DEST);
        }
        if same && remote == MACH_MSG_TYPE_MOVE_SEND && local == MACH_MSG_TYPE_MOVE_SEND {
            let refs = self.space.get(draft.remote).map_or(0, |entry| entry.urefs);
            if refs < 2 {
                return Err(MACH_SEND_INVALID_DEST);
            }
        }
        if local != 0 && !self.can_reply_to(draft.local, local) {
            return Err(MACH_SEND_INVALID_REPLY);
        }
        Ok(())
    }

    fn can_send_to(&mut self, name: mach_port_name_t, disposition: u32) -> bool {
        // A send right must be alive; the death of a send-once right's port is not looked for.
        if disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE {
            self.notice_death(name);
        }
        self.holds(name, disposition)
    }

    fn can_reply_to(&self, name: mach_port_name_t, disposition: u32) -> bool {
        name == MACH_PORT_NULL || name == MACH_PORT_DEAD || self.holds(name, disposition)
    }

    /// Whether a name denotes what a disposition takes. Notices nothing.
    fn holds(&self, name: mach_port_name_t, disposition: u32) -> bool {
        let Some(entry) = self.space.get(name) else { return false };
        match (entry.object, disposition) {
            (Object::Port { send, .. }, MACH_MSG_TYPE_MOVE_SEND | MACH_MSG_TYPE_COPY_SEND) => send,
            (Object::Port { receive: true, port, .. }, MACH_MSG_TYPE_MAKE_SEND) => {
                !self.port(port).reply_port
            }
            (Object::Port { receive, .. }, MACH_MSG_TYPE_MAKE_SEND_ONCE) => receive,
            (Object::SendOnce(_), MACH_MSG_TYPE_MOVE_SEND_ONCE) => true,
            _ => false,
        }
    }

    fn take_header_right(&mut self, name: mach_port_name_t, disposition: u32) -> Carried {
        if disposition == 0 {
            return Carried::Null;
        }
        // The destination of a message is itself no message, so a receive right is never taken here and needs no place to go.
        self.take_right(name, disposition, None).unwrap_or(Carried::Null)
    }

    /// Takes the right that a name and a disposition stand for. `to` is where a receive right is going.
    pub(super) fn take_right(
        &mut self,
        name: mach_port_name_t,
        disposition: u32,
        to: Option<PortId>,
    ) -> Result<Carried, Refused> {
        match name {
            MACH_PORT_NULL => return Ok(Carried::Null),
            MACH_PORT_DEAD => return Ok(Carried::Dead),
            _ => {}
        }
        if disposition != MACH_MSG_TYPE_MOVE_SEND_ONCE {
            self.notice_death(name);
        }
        let entry = self.space.get_mut(name).ok_or(Refused)?;
        match (entry.object, disposition) {
            (Object::Dead, MACH_MSG_TYPE_COPY_SEND) => Ok(Carried::Dead),
            (Object::Dead, MACH_MSG_TYPE_MOVE_SEND | MACH_MSG_TYPE_MOVE_SEND_ONCE) => {
                self.drop_dead_refs(name, 1);
                Ok(Carried::Dead)
            }
            (Object::Port { port, send: true, .. }, MACH_MSG_TYPE_COPY_SEND) => {
                Ok(Carried::Right(self.copy_send(port)))
            }
            (Object::Port { port, send: true, .. }, MACH_MSG_TYPE_MOVE_SEND) => {
                let right = self.copy_send(port);
                if entry_is_movable(self.space.get(name).map_or(0, |entry| entry.urefs)) {
                    self.drop_send_refs(name, 1);
                }
                Ok(Carried::Right(right))
            }
            (Object::SendOnce(port), MACH_MSG_TYPE_MOVE_SEND_ONCE) => {
                self.free_name(name);
                Ok(Carried::Right(Right::SendOnce(port)))
            }
            (Object::Port { port, receive: true, .. }, MACH_MSG_TYPE_MAKE_SEND) => {
                if self.port(port).reply_port {
                    return Err(Refused);
                }
                Ok(Carried::Right(self.make_send(port)))
            }
            (Object::Port { port, receive: true, .. }, MACH_MSG_TYPE_MAKE_SEND_ONCE) => {
                Ok(Carried::Right(self.make_send_once(port)))
            }
            (Object::Port { port, receive: true, .. }, MACH_MSG_TYPE_MOVE_RECEIVE) => match to {
                Some(to) => self.take_receive(name, port, to),
                None => Err(Refused),
            },
            _ => Err(Refused),
        }
    }

    /// Takes a receive right out of the name space: it loses guard, context, counts, sets and waiting receivers, and keeps queue, limit,
    /// requests and blocked senders (mach-semantics §5).
    fn take_receive(&mut self, name: mach_port_name_t, id: PortId, to: PortId) -> Result<Carried, Refused> {
        let port = self.port_mut(id);
        if port.reply_port || port.guard.is_some_and(|guard| guard.immovable) {
            return Err(Refused);
        }
        (port.sequence, port.make_send_count) = (0, 0);
        (port.context, port.guard) = (0, None);
        port.home = Home::Transit(to);
        self.wake_receivers_changed(id);
        self.leave_sets(id);
        let keeps_name = match self.space.get_mut(name).map(|entry| &mut entry.object) {
            Some(Object::Port { receive, send, .. }) => {
                *receive = false;
                *send
            }
            _ => false,
        };
        if !keeps_name {
            self.free_name(name);
        }
        Ok(Carried::Right(Right::Receive(id)))
    }

    fn take_item(
        &mut self,
        descriptor: Descriptor,
        to: PortId,
        circular: &mut bool,
    ) -> Result<Item, mach_msg_return_t> {
        match descriptor {
            Descriptor::Port { name, disposition } => {
                let carried = self.take_body_right(name, disposition, to, circular)?;
                Ok(Item::Port { carried, disposition: received(u32::from(disposition)) })
            }
            Descriptor::Guarded { name, context, flags } => {
                let entry = self.space.get(name).map(|entry| entry.object);
                if let Some(Object::Port { port, receive: true, .. }) = entry {
                    let port = self.port(port);
                    let matches = match port.guard {
                        Some(_) => {
                            flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND == 0 && port.context == context
                        }
                        None => flags & MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND != 0,
                    };
                    if !matches {
                        return Err(MACH_SEND_INVALID_RIGHT);
                    }
                }
                let carried = self.take_body_right(name, 16, to, circular)?;
                Ok(Item::Guarded { carried, flags: flags & MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE })
            }
            Descriptor::Memory { span, kind, copy, memory } => {
                let region = memory.map_err(|_| MACH_SEND_INVALID_MEMORY)?;
                span.deallocate();
                Ok(Item::Memory { region: region.map(Region::taken), kind, copy })
            }
            Descriptor::Ports { span, disposition, names } => {
                let names = names.map_err(|_| MACH_SEND_INVALID_MEMORY)?;
                // Flagged for deallocation the array goes even when an element is bad.
                span.deallocate();
                let mut carried = Vec::with_capacity(names.len());
                for name in names {
                    match self.take_body_right(name, disposition, to, circular) {
                        Ok(right) => carried.push(right),
                        Err(code) => {
                            self.destroy_items(vec![Item::Ports { carried, disposition }]);
                            return Err(code);
                        }
                    }
                }
                Ok(Item::Ports { carried, disposition: received(u32::from(disposition)) })
            }
        }
    }

    fn take_body_right(
        &mut self,
        name: mach_port_name_t,
        disposition: u8,
        to: PortId,
        circular: &mut bool,
    ) -> Result<Carried, mach_msg_return_t> {
        if name != MACH_PORT_NULL && name != MACH_PORT_DEAD && received(u32::from(disposition)) == 0 {
            return Err(MACH_SEND_INVALID_RIGHT);
        }
        // In a body the death of a send-once right's port is noticed.
        self.notice_death(name);
        let carried = self
            .take_right(name, u32::from(disposition), Some(to))
            .map_err(|Refused| MACH_SEND_INVALID_RIGHT)?;
        if let Carried::Right(Right::Receive(port)) = carried {
            // Once there is a cycle the walk would not end, and need not be made.
            *circular = *circular || self.leads_to(to, port);
        }
        Ok(carried)
    }

    /// Whether a message to `from` can only be received through `port`: `from` is that port, or its receive right lies in a message
    /// that leads there.
    pub(super) fn leads_to(&self, mut from: PortId, port: PortId) -> bool {
        // Each step goes from a port in transit to where it is going; there is no cycle yet, so the walk ends.
        loop {
            if from == port {
                return true;
            }
            match self.port(from).home {
                Home::Transit(to) => from = to,
                _ => return false,
            }
        }
    }

    /// Drops references of a dead name.
    pub(super) fn drop_dead_refs(&mut self, name: mach_port_name_t, count: u32) {
        let Some(entry) = self.space.get_mut(name) else { return };
        if entry.urefs > count {
            entry.urefs -= count;
        } else {
            self.free_name(name);
        }
    }

    /// Arms a stored send-possible request, for a send with `MACH_SEND_NOTIFY` that meets a full queue.
    pub(super) fn arm_send_possible(&mut self, name: mach_port_name_t) {
        let Some(entry) = self.space.get(name) else { return };
        let Object::Port { port, .. } = entry.object else { return };
        if !self.port(port).is_full() {
            return;
        }
        if let Some(request) = self.space.get_mut(name).and_then(|entry| entry.request.as_mut())
            && request.kind == Kind::SendPossibleStored
        {
            request.kind = Kind::SendPossibleArmed;
        }
    }
}

/// A pinned count is not moved from: the reference is copied.
fn entry_is_movable(urefs: u32) -> bool {
    urefs < MACH_PORT_UREFS_MAX
}
