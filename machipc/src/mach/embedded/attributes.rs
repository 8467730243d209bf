//! What a receive right tells of its port and lets be set: status, limit, counts, context and guard.

use super::kernel::Kernel;
use super::port::{Guard, PortId};
use super::space::Object;
use crate::mach::*;

type Result<T = ()> = core::result::Result<T, kern_return_t>;

impl Kernel {
    /// The port whose receive right `name` denotes, with the codes of the calls that need one.
    pub(super) fn receive_right(&mut self, name: mach_port_name_t) -> Result<PortId> {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_RIGHT);
        }
        match self.entry(name).ok_or(KERN_INVALID_NAME)?.object {
            Object::Port { port, receive: true, .. } => Ok(port),
            Object::Dead => Err(KERN_INVALID_NAME),
            _ => Err(KERN_INVALID_RIGHT),
        }
    }

    pub(super) fn status(&mut self, name: mach_port_name_t) -> Result<mach_port_status_t> {
        let port = self.receive_right(name)?;
        let state = self.port(port);
        let flag = |set: bool, flag| if set { flag } else { 0 };
        Ok(mach_port_status_t {
            mps_pset: u32::from(!state.sets.is_empty()),
            mps_seqno: state.sequence,
            mps_mscount: state.make_send_count,
            mps_qlimit: state.queue_limit,
            mps_msgcount: state.queue.len() as u32,
            mps_sorights: state.send_once_rights,
            mps_srights: u32::from(state.send_rights > 0),
            // Who has a declared name's socket has such a request in all but name.
            mps_pdrequest: u32::from(state.port_destroyed.is_some() || state.tells),
            mps_nsrequest: u32::from(state.no_senders.is_some()),
            mps_flags: flag(state.guard.is_some(), MACH_PORT_STATUS_FLAG_GUARDED)
                | flag(state.guard.is_some_and(|guard| guard.strict), MACH_PORT_STATUS_FLAG_STRICT_GUARD)
                | flag(
                    state.guard.is_some_and(|guard| guard.immovable),
                    MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE,
                ),
        })
    }

    pub(super) fn set_queue_limit(&mut self, name: mach_port_name_t, limit: u32) -> Result {
        let port = self.receive_right(name)?;
        if limit > MACH_PORT_QLIMIT_MAX {
            return Err(KERN_INVALID_VALUE);
        }
        let raised = limit > self.port(port).queue_limit;
        self.port_mut(port).queue_limit = limit;
        if raised {
            self.fill_free_slots(port);
        }
        self.regrant(port);
        Ok(())
    }

    pub(super) fn request_count(&mut self, name: mach_port_name_t) -> Result<u32> {
        let port = self.receive_right(name)?;
        Ok(self.port(port).requests.len() as u32)
    }

    pub(super) fn set_make_send_count(&mut self, name: mach_port_name_t, count: u32) -> Result {
        let port = self.receive_right(name)?;
        self.port_mut(port).make_send_count = count;
        Ok(())
    }

    pub(super) fn set_sequence(&mut self, name: mach_port_name_t, sequence: u32) -> Result {
        let port = self.receive_right(name)?;
        self.port_mut(port).sequence = sequence;
        Ok(())
    }

    pub(super) fn send_rights(&mut self, name: mach_port_name_t) -> Result<u32> {
        let port = self.receive_right(name)?;
        Ok(self.port(port).send_rights)
    }

    /// Sequence number, size and id of the first queued message.
    pub(super) fn peek(&mut self, name: mach_port_name_t) -> Result<(u32, u32, i32)> {
        let port = self.receive_right(name)?;
        let state = self.port(port);
        let first = state.queue.front().ok_or(KERN_FAILURE)?;
        Ok((state.sequence, first.size(), first.id))
    }

    // ---- Context and guards

    pub(super) fn context(&mut self, name: mach_port_name_t) -> Result<u64> {
        let port = self.receive_right(name)?;
        let state = self.port(port);
        Ok(if state.guard.is_some_and(|guard| guard.strict) { 0 } else { state.context })
    }

    pub(super) fn set_context(&mut self, name: mach_port_name_t, context: u64) -> Result {
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        if state.guard.is_some_and(|guard| guard.strict) {
            return Err(KERN_INVALID_ARGUMENT);
        }
        state.context = context;
        Ok(())
    }

    pub(super) fn guard(
        &mut self,
        name: mach_port_name_t,
        guard: u64,
        strict: bool,
        immovable: bool,
    ) -> Result {
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        if state.guard.is_some() || state.context != 0 {
            return Err(KERN_INVALID_ARGUMENT);
        }
        state.context = guard;
        state.guard = Some(Guard { strict, immovable });
        Ok(())
    }

    pub(super) fn unguard(&mut self, name: mach_port_name_t, guard: u64) -> Result {
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        if state.guard.is_none() || state.context != guard {
            return Err(KERN_INVALID_ARGUMENT);
        }
        (state.context, state.guard) = (0, None);
        Ok(())
    }

    pub(super) fn swap_guard(&mut self, name: mach_port_name_t, old: u64, new: u64) -> Result {
        let port = self.receive_right(name)?;
        let state = self.port_mut(port);
        if state.guard.is_none() || state.context != old {
            return Err(KERN_INVALID_ARGUMENT);
        }
        state.context = new;
        Ok(())
    }
}
