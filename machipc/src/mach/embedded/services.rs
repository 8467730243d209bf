//! Bootstrap names that this task owns.

use std::collections::BTreeMap;

use super::kernel::Kernel;
use super::message::Right;
use super::port::PortId;
use crate::mach::*;

/// A name that this task has checked in or registered.
struct Service {
    port: PortId,
}

pub(super) struct Services {
    names: BTreeMap<Vec<u8>, Service>,
}

impl Services {
    pub(super) fn new() -> Self {
        Self { names: BTreeMap::new() }
    }
}

impl Kernel {
    pub(super) fn services_port_died(&mut self, id: PortId) {
        let dead: Vec<_> = self
            .services
            .names
            .iter()
            .filter(|(_, service)| service.port == id)
            .map(|(name, _)| name.clone())
            .collect();
        for name in dead {
            self.services.names.remove(&name);
            self.release(Right::Send(id));
        }
    }

    pub(super) fn check_in(&mut self, name: &[u8]) -> Result<mach_port_name_t, kern_return_t> {
        if self.services.names.contains_key(name) {
            return Err(BOOTSTRAP_SERVICE_ACTIVE);
        }
        let port_name = self.allocate(MACH_PORT_RIGHT_RECEIVE)?;
        let port = self.receive_right(port_name)?;
        self.port_mut(port).send_rights += 1;
        self.services.names.insert(name.to_vec(), Service { port });
        Ok(port_name)
    }

    pub(super) fn look_up(&mut self, name: &[u8]) -> Result<mach_port_name_t, kern_return_t> {
        let port = self.services.names.get(name).ok_or(BOOTSTRAP_UNKNOWN_SERVICE)?.port;
        let right = self.copy_send(port);
        self.name_send(right.port()).ok_or(BOOTSTRAP_NO_MEMORY)
    }
}
