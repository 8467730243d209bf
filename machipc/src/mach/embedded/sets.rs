//! Port sets.

use super::kernel::Kernel;
use super::port::SetId;
use super::space::Object;
use super::wait::Outcome;
use crate::mach::{
    KERN_ALREADY_IN_SET, KERN_INVALID_NAME, KERN_INVALID_RIGHT, KERN_NOT_IN_SET, MACH_PORT_DEAD,
    MACH_PORT_NULL, kern_return_t, mach_port_name_t,
};

type Result<T = ()> = core::result::Result<T, kern_return_t>;

impl Kernel {
    fn set(&mut self, name: mach_port_name_t) -> Result<SetId> {
        if name == MACH_PORT_NULL || name == MACH_PORT_DEAD {
            return Err(KERN_INVALID_RIGHT);
        }
        match self.entry(name).ok_or(KERN_INVALID_NAME)?.object {
            Object::Set(set) => Ok(set),
            Object::Dead => Err(KERN_INVALID_RIGHT),
            _ => Err(KERN_INVALID_RIGHT),
        }
    }

    /// The set goes; its members stay, and threads that wait on it are told.
    pub(super) fn destroy_set(&mut self, name: mach_port_name_t, id: SetId) {
        self.free_name(name);
        self.set_lost(id);
        let Some(set) = self.sets.remove(id.0) else { return };
        for member in set.members.iter() {
            self.port_mut(member).sets.retain(|&held| held != id);
        }
        for waiter in set.receivers {
            self.finish(waiter, Outcome::PortChanged);
        }
    }

    pub(super) fn insert_member(&mut self, name: mach_port_name_t, set: mach_port_name_t) -> Result {
        let port = self.receive_right(name)?;
        let set = self.set(set)?;
        if self.port(port).sets.contains(&set) {
            return Err(KERN_ALREADY_IN_SET);
        }
        self.port_mut(port).sets.push(set);
        let has_messages = !self.port(port).queue.is_empty();
        self.set_mut(set).members.insert(port, has_messages);
        self.serve_set(set);
        self.members_changed(set);
        Ok(())
    }

    pub(super) fn extract_member(&mut self, name: mach_port_name_t, set: mach_port_name_t) -> Result {
        let port = self.receive_right(name)?;
        let set = self.set(set)?;
        if !self.port(port).sets.contains(&set) {
            return Err(KERN_NOT_IN_SET);
        }
        self.port_mut(port).sets.retain(|&held| held != set);
        self.set_mut(set).members.remove(port);
        self.members_changed(set);
        Ok(())
    }

    pub(super) fn move_member(&mut self, name: mach_port_name_t, set: mach_port_name_t) -> Result {
        let port = self.receive_right(name)?;
        if set == MACH_PORT_NULL {
            if self.port(port).sets.is_empty() {
                return Err(KERN_NOT_IN_SET);
            }
            self.leave_sets(port);
            return Ok(());
        }
        let set = self.set(set)?;
        if self.port(port).sets == [set] {
            return Ok(());
        }
        self.leave_sets(port);
        let set = self.set_mut(set).name;
        self.insert_member(name, set)
    }

    pub(super) fn set_status(&mut self, name: mach_port_name_t) -> Result<Vec<mach_port_name_t>> {
        let set = self.set(name)?;
        let members: Vec<_> = self.set_mut(set).members.iter().collect();
        Ok(members.into_iter().filter_map(|member| self.port(member).name).collect())
    }
}
