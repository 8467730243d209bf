//! The calls on names and rights: `mach_port_*`. Each method is one call, with Mach's return code.

use super::kernel::{Doomed, Kernel};
use super::message::{Carried, Right};
use super::port::{Guard, Home, Port, PortId, PortSet, SetId};
use super::space::{Entry, Object};
use crate::mach::*;

type Result<T = ()> = core::result::Result<T, kern_return_t>;

impl Kernel {
    // ---- Making

    pub(super) fn allocate(&mut self, right: mach_port_right_t) -> Result<mach_port_name_t> {
        let entry = self.allocated(right)?;
        let object = entry.object;
        let name = self.space.insert(entry).map_err(|_| KERN_NO_SPACE);
        self.bind_name(object, name)
    }

    pub(super) fn allocate_name(&mut self, right: mach_port_right_t, name: mach_port_name_t) -> Result {
        if !matches!(right, MACH_PORT_RIGHT_RECEIVE | MACH_PORT_RIGHT_PORT_SET | MACH_PORT_RIGHT_DEAD_NAME) {
            return Err(KERN_INVALID_VALUE);
        }
        match self.space.check_chosen(name) {
            KERN_SUCCESS => {}
            code => return Err(code),
        }
        let entry = self.allocated(right)?;
        let object = entry.object;
        self.space.insert_chosen(name, entry);
        self.bind_name(object, Ok(name)).map(|_| ())
    }

    fn allocated(&mut self, right: mach_port_right_t) -> Result<Entry> {
        if !self.space.has_room(1) {
            return Err(KERN_NO_SPACE);
        }
        match right {
            MACH_PORT_RIGHT_RECEIVE => {
                let port = PortId(self.ports.insert(Port::new(Home::Space)));
                Ok(Entry::new(Object::Port { port, receive: true, send: false }, 0))
            }
            MACH_PORT_RIGHT_PORT_SET => {
                Ok(Entry::new(Object::Set(SetId(self.sets.insert(PortSet::default()))), 0))
            }
            MACH_PORT_RIGHT_DEAD_NAME => Ok(Entry::new(Object::Dead, 1)),
            _ => Err(KERN_INVALID_VALUE),
        }
    }

    fn bind_name(&mut self, object: Object, name: Result<mach_port_name_t>) -> Result<mach_port_name_t> {
        let name = name?;
        match object {
            Object::Port { port, .. } => self.port_mut(port).name = Some(name),
            Object::Set(set) => self.set_mut(set).name = name,
            Object::SendOnce(_) | Object::Dead => {}
        }
        Ok(name)
    }

    pub(super) fn construct(
        &mut self,
        options: &mach_port_options_t,
        context: mach_port_context_t,
    ) -> Result<mach_port_name_t> {
        let has = |flag| options.flags & flag != 0;
        // At most one kind of port.
        let kinds = [
            MPO_SERVICE_PORT,
            MPO_CONNECTION_PORT,
            MPO_REPLY_PORT,
            MPO_PROVISIONAL_REPLY_PORT,
            MPO_EXCEPTION_PORT,
        ];
        if kinds.into_iter().filter(|&kind| has(kind)).count() > 1 {
            return Err(KERN_INVALID_ARGUMENT);
        }
        if has(MPO_QLIMIT) && options.mpl.mpl_qlimit > MACH_PORT_QLIMIT_MAX {
            return Err(KERN_INVALID_VALUE);
        }
        if has(MPO_REPLY_PORT) && has(MPO_INSERT_SEND_RIGHT) {
            return Err(KERN_INVALID_ARGUMENT);
        }
        let name = self.allocate(MACH_PORT_RIGHT_RECEIVE)?;
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        state.context = context;
        if has(MPO_QLIMIT) {
            state.queue_limit = options.mpl.mpl_qlimit;
        }
        state.reply_port = has(MPO_REPLY_PORT);
        if has(MPO_CONTEXT_AS_GUARD) {
            state.guard = Some(Guard { strict: has(MPO_STRICT), immovable: has(MPO_IMMOVABLE_RECEIVE) });
        }
        if has(MPO_INSERT_SEND_RIGHT) {
            let right = self.make_send(port);
            self.name_send(right.port());
        }
        Ok(name)
    }

    // ---- Dropping

    pub(super) fn deallocate(&mut self, name: mach_port_name_t) -> Result {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Ok(());
        }
        match self.entry(name).ok_or(KERN_INVALID_NAME)?.object {
            Object::Port { send: true, .. } => self.mod_send_refs(name, -1),
            Object::Port { send: false, .. } => Err(KERN_INVALID_RIGHT),
            Object::SendOnce(port) => {
                self.free_name(name);
                self.release(Right::SendOnce(port));
                Ok(())
            }
            Object::Set(set) => {
                self.destroy_set(name, set);
                Ok(())
            }
            Object::Dead => {
                self.mod_dead_refs(name, -1);
                Ok(())
            }
        }
    }

    pub(super) fn destroy(&mut self, name: mach_port_name_t) -> Result {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Ok(());
        }
        match self.entry(name).ok_or(KERN_INVALID_NAME)?.object {
            Object::Port { port, receive, send } => {
                if receive && self.port(port).guard.is_some() {
                    return Err(KERN_INVALID_RIGHT);
                }
                self.free_name(name);
                if send {
                    self.release(Right::Send(port));
                }
                if receive {
                    self.doomed.push(Doomed::Port(port));
                }
            }
            Object::SendOnce(port) => {
                self.free_name(name);
                self.release(Right::SendOnce(port));
            }
            Object::Set(set) => self.destroy_set(name, set),
            Object::Dead => self.free_name(name),
        }
        Ok(())
    }

    pub(super) fn destruct(
        &mut self,
        name: mach_port_name_t,
        srdelta: mach_port_delta_t,
        guard: mach_port_context_t,
    ) -> Result {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_NAME);
        }
        let entry = self.entry(name).ok_or(KERN_INVALID_NAME)?;
        let urefs = entry.urefs;
        let Object::Port { port, receive: true, send } = entry.object else { return Err(KERN_INVALID_RIGHT) };
        if self.port(port).guard.is_some() && self.port(port).context != guard {
            return Err(KERN_INVALID_ARGUMENT);
        }
        if srdelta > 0 {
            return Err(KERN_INVALID_VALUE);
        }
        if srdelta < 0 {
            if !send {
                return Err(KERN_INVALID_RIGHT);
            }
            if srdelta.unsigned_abs() > urefs {
                return Err(KERN_INVALID_VALUE);
            }
            self.drop_send_refs(name, srdelta.unsigned_abs());
        }
        self.drop_receive(name, port);
        Ok(())
    }

    fn drop_receive(&mut self, name: mach_port_name_t, port: PortId) {
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
        self.doomed.push(Doomed::Port(port));
    }

    // ---- References

    pub(super) fn mod_refs(
        &mut self,
        name: mach_port_name_t,
        right: mach_port_right_t,
        delta: mach_port_delta_t,
    ) -> Result {
        if right >= MACH_PORT_RIGHT_NUMBER {
            return Err(KERN_INVALID_VALUE);
        }
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            let harmless = right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_SEND_ONCE;
            return if harmless { Ok(()) } else { Err(KERN_INVALID_NAME) };
        }
        let object = self.entry(name).ok_or(KERN_INVALID_NAME)?.object;
        match (right, object) {
            (MACH_PORT_RIGHT_SEND, Object::Port { send: true, .. }) => self.mod_send_refs(name, delta),
            (MACH_PORT_RIGHT_RECEIVE, Object::Port { port, receive: true, .. }) => match delta {
                0 => Ok(()),
                -1 if self.port(port).guard.is_some() => Err(KERN_INVALID_RIGHT),
                -1 => {
                    self.drop_receive(name, port);
                    Ok(())
                }
                _ => Err(KERN_INVALID_VALUE),
            },
            (MACH_PORT_RIGHT_SEND_ONCE, Object::SendOnce(port)) => match delta {
                0 => Ok(()),
                -1 => {
                    self.free_name(name);
                    self.release(Right::SendOnce(port));
                    Ok(())
                }
                _ => Err(KERN_INVALID_VALUE),
            },
            (MACH_PORT_RIGHT_PORT_SET, Object::Set(set)) => match delta {
                0 => Ok(()),
                -1 => {
                    self.destroy_set(name, set);
                    Ok(())
                }
                _ => Err(KERN_INVALID_VALUE),
            },
            (MACH_PORT_RIGHT_DEAD_NAME, Object::Dead) => {
                self.new_count(name, delta)?;
                self.mod_dead_refs(name, delta);
                Ok(())
            }
            _ => Err(KERN_INVALID_RIGHT),
        }
    }

    /// The count that `delta` leads to, pinned at the ceiling (mach-semantics §2).
    fn new_count(&self, name: mach_port_name_t, delta: mach_port_delta_t) -> Result<u32> {
        let urefs = self.space.get(name).map_or(0, |entry| entry.urefs);
        if delta.unsigned_abs() > MACH_PORT_UREFS_MAX {
            return Err(KERN_INVALID_VALUE);
        }
        if delta >= 0 {
            return Ok((urefs + delta.unsigned_abs()).min(MACH_PORT_UREFS_MAX));
        }
        if urefs == MACH_PORT_UREFS_MAX && delta.unsigned_abs() != MACH_PORT_UREFS_MAX {
            return Ok(urefs);
        }
        urefs.checked_sub(delta.unsigned_abs()).ok_or(KERN_INVALID_VALUE)
    }

    fn mod_send_refs(&mut self, name: mach_port_name_t, delta: mach_port_delta_t) -> Result {
        match self.new_count(name, delta)? {
            0 => {
                let all = self.space.get(name).map_or(0, |entry| entry.urefs);
                self.drop_send_refs(name, all);
            }
            count => {
                if let Some(entry) = self.space.get_mut(name) {
                    entry.urefs = count;
                }
            }
        }
        Ok(())
    }

    fn mod_dead_refs(&mut self, name: mach_port_name_t, delta: mach_port_delta_t) {
        match self.new_count(name, delta) {
            Ok(0) => self.free_name(name),
            Ok(count) => {
                if let Some(entry) = self.space.get_mut(name) {
                    entry.urefs = count;
                }
            }
            Err(_) => {}
        }
    }

    pub(super) fn get_refs(
        &mut self,
        name: mach_port_name_t,
        right: mach_port_right_t,
    ) -> Result<mach_port_urefs_t> {
        if right >= MACH_PORT_RIGHT_NUMBER {
            return Err(KERN_INVALID_VALUE);
        }
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            let counted = right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_SEND_ONCE;
            return if counted { Ok(1) } else { Err(KERN_INVALID_NAME) };
        }
        let entry = self.entry(name).ok_or(KERN_INVALID_NAME)?;
        Ok(match (right, entry.object) {
            (MACH_PORT_RIGHT_SEND, Object::Port { send: true, .. }) => entry.urefs,
            (MACH_PORT_RIGHT_RECEIVE, Object::Port { receive: true, .. }) => 1,
            (MACH_PORT_RIGHT_SEND_ONCE, Object::SendOnce(_)) => 1,
            (MACH_PORT_RIGHT_PORT_SET, Object::Set(_)) => 1,
            (MACH_PORT_RIGHT_DEAD_NAME, Object::Dead) => entry.urefs,
            _ => 0,
        })
    }

    pub(super) fn type_of(&mut self, name: mach_port_name_t) -> Result<mach_port_type_t> {
        match name {
            MACH_PORT_NULL => Err(KERN_INVALID_NAME),
            MACH_PORT_DEAD => Ok(MACH_PORT_TYPE_DEAD_NAME),
            _ => Ok(self.entry(name).ok_or(KERN_INVALID_NAME)?.type_bits()),
        }
    }

    pub(super) fn names(&mut self) -> (Vec<mach_port_name_t>, Vec<mach_port_type_t>) {
        let names: Vec<_> = self.space.iter().map(|(name, _)| name).collect();
        let types = names.iter().map(|&name| self.type_of(name).unwrap_or(MACH_PORT_TYPE_NONE)).collect();
        (names, types)
    }

    // ---- Inserting and extracting

    pub(super) fn insert_right(
        &mut self,
        name: mach_port_name_t,
        right: mach_port_name_t,
        disposition: mach_msg_type_name_t,
    ) -> Result {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_VALUE);
        }
        if !(MACH_MSG_TYPE_MOVE_RECEIVE..=MACH_MSG_TYPE_MAKE_SEND_ONCE).contains(&disposition) {
            return Err(KERN_INVALID_VALUE);
        }
        // What is wrong with a name that is free comes before what is wrong with the right.
        match self.space.check_chosen(name) {
            KERN_SUCCESS | KERN_NAME_EXISTS => {}
            code => return Err(code),
        }
        let right = self.take_for_call(right, disposition)?;
        let inserted = self.insert_taken(name, right);
        if let Err((code, right)) = inserted {
            self.release(right);
            return Err(code);
        }
        Ok(())
    }

    /// Takes a right for a call other than a send, with that call's codes.
    pub(super) fn take_for_call(
        &mut self,
        name: mach_port_name_t,
        disposition: mach_msg_type_name_t,
    ) -> Result<Right> {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_CAPABILITY);
        }
        let object = self.entry(name).ok_or(KERN_INVALID_NAME)?.object;
        if object == Object::Dead {
            let copyable = matches!(
                disposition,
                MACH_MSG_TYPE_MOVE_SEND | MACH_MSG_TYPE_COPY_SEND | MACH_MSG_TYPE_MOVE_SEND_ONCE
            );
            // A dead right can be taken, but is no capability; a dead name has no receive right to make one of.
            return Err(if copyable || disposition == MACH_MSG_TYPE_MAKE_SEND {
                KERN_INVALID_CAPABILITY
            } else {
                KERN_INVALID_RIGHT
            });
        }
        // A receive right that is inserted in its own name space goes nowhere: any port will do as its destination.
        let to = match object {
            Object::Port { port, .. } => Some(port),
            _ => None,
        };
        match self.take_right(name, disposition, to) {
            Ok(Carried::Right(right)) => Ok(right),
            Ok(_) => Err(KERN_INVALID_CAPABILITY),
            Err(_) => Err(KERN_INVALID_RIGHT),
        }
    }

    fn insert_taken(
        &mut self,
        name: mach_port_name_t,
        right: Right,
    ) -> core::result::Result<(), (kern_return_t, Right)> {
        let port = right.port();
        if let Some(object) = self.entry(name).map(|entry| entry.object) {
            let same = matches!(object, Object::Port { port: held, .. } if held == port);
            if same && !matches!(right, Right::SendOnce(_)) {
                match right {
                    Right::Receive(port) => self.name_receive(port),
                    right => self.name_send(right.port()),
                };
                return Ok(());
            }
            return Err((KERN_NAME_EXISTS, right));
        }
        if !matches!(right, Right::SendOnce(_)) && self.port(port).name.is_some() {
            return Err((KERN_RIGHT_EXISTS, right));
        }
        match self.space.check_chosen(name) {
            KERN_SUCCESS => {}
            code => return Err((code, right)),
        }
        let (object, urefs) = match right {
            Right::Send(port) => (Object::Port { port, receive: false, send: true }, 1),
            Right::Receive(port) => (Object::Port { port, receive: true, send: false }, 0),
            Right::SendOnce(port) => (Object::SendOnce(port), 1),
        };
        self.space.insert_chosen(name, Entry::new(object, urefs));
        if let Object::Port { receive, .. } = object {
            let state = self.port_mut(port);
            state.name = Some(name);
            if receive {
                state.home = Home::Space;
            }
        }
        Ok(())
    }

    pub(super) fn extract_right(
        &mut self,
        name: mach_port_name_t,
        disposition: mach_msg_type_name_t,
    ) -> Result<(mach_port_name_t, mach_msg_type_name_t)> {
        if !(MACH_MSG_TYPE_MOVE_RECEIVE..=MACH_MSG_TYPE_MAKE_SEND_ONCE).contains(&disposition) {
            return Err(KERN_INVALID_VALUE);
        }
        let right = self.take_for_call(name, disposition)?;
        let received = u32::from(right.disposition());
        let name = match right {
            Right::Send(port) => self.name_send(port),
            Right::SendOnce(port) => self.name_send_once(port),
            Right::Receive(port) => self.name_receive(port),
        };
        Ok((name.ok_or(KERN_NO_SPACE)?, received))
    }
}
