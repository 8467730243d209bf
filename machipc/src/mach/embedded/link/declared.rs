//! Rights to the ports of declared names, which outlive the names' owners: a service manager has the socket, and connections to it wait
//! there for the next owner. So the link is made and used without an answer, as after an introduction, and made anew when it ends.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use super::super::bootstrap;
use super::super::kernel::{Doomed, Kernel};
use super::super::message::Right;
use super::super::port::{Declared, Home, PortId};
use super::handshake::{self, ASSUMED_CREDIT};
use super::{Breach, Memory};
use crate::mach::{BOOTSTRAP_NO_MEMORY, BOOTSTRAP_SUCCESS, BOOTSTRAP_UNKNOWN_SERVICE, kern_return_t};

/// How often in a row a connection may end without an answer before the right dies.
const UNANSWERED_MAX: u32 = 8;

impl Kernel {
    /// A send right to what a declared name stands for. Nobody has the name now; whoever takes it next finds the connection.
    pub(in super::super) fn await_owner(
        &mut self,
        name: &[u8],
        socket: OwnedFd,
    ) -> Result<Right, kern_return_t> {
        let awaited = |declared: &Declared| declared.name == name && declared.unanswered > 0;
        let known = self.ports.iter().find(|(_, port)| port.declared.as_deref().is_some_and(awaited));
        if let Some((port, _)) = known {
            return Ok(self.copy_send(PortId(port)));
        }
        let link = self.begin_declared(name, socket)?;
        // The first export of a fresh link has id 0 (see `welcome`).
        let right = self.import_new(link, 0, ASSUMED_CREDIT, None, None);
        let declared = Declared { name: name.to_vec(), unreceived: VecDeque::new(), unanswered: 1 };
        self.port_mut(right.port()).declared = Some(Box::new(declared));
        Ok(right)
    }

    /// The right's name is declared, says its owner: messages are kept until they have been received.
    pub(in super::super) fn outlive_owner(&mut self, port: PortId, name: &[u8]) {
        let state = self.port_mut(port);
        if matches!(state.home, Home::Link { .. }) && state.declared.is_none() && state.escrow.is_none() {
            let declared = Declared { name: name.to_vec(), unreceived: VecDeque::new(), unanswered: 0 };
            state.declared = Some(Box::new(declared));
        }
    }

    fn begin_declared(&mut self, name: &[u8], socket: OwnedFd) -> Result<u32, kern_return_t> {
        let (memory, ends) = super::create_memory().map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        // It fails where nothing was declared: an owner has just died and taken its socket along.
        handshake::greet(&socket, &self.links.nonce, name, &memory, true)
            .map_err(|_| BOOTSTRAP_UNKNOWN_SERVICE)?;
        let id = self.add_link(socket, Memory::Ours(ends), None).ok_or(BOOTSTRAP_NO_MEMORY)?;
        self.watch_link(id);
        Ok(id)
    }

    /// The port has died, or its owner: the right goes on to whoever has the declared name next, and so do the messages that were not
    /// received. False: it has no such name, or nobody listens there any more.
    pub(super) fn return_to_name(&mut self, port: PortId) -> bool {
        let Some(mut declared) = self.port_mut(port).declared.take() else { return false };
        if declared.unanswered >= UNANSWERED_MAX {
            return false;
        }
        let Some(link) = bootstrap::connect_now(&declared.name)
            .ok()
            .and_then(|socket| self.begin_declared(&declared.name, socket).ok())
        else {
            return false;
        };
        let unreceived = core::mem::take(&mut declared.unreceived);
        declared.unanswered += 1;
        self.forget_mark(port);
        let state = self.port_mut(port);
        (state.home, state.imported) = (Home::Link { link, export: 0 }, 1);
        (state.credits, state.declared) = (ASSUMED_CREDIT, Some(declared));
        // The owner that stopped it is no more.
        (state.halted, state.halted_bytes) = (false, 0);
        let due = core::mem::take(&mut state.onces_due);
        for message in unreceived.into_iter().flatten().rev() {
            state.send_rights += 1;
            state.queue.push_front(message);
        }
        self.doomed.extend((0..due).map(|_| Doomed::Right(Right::SendOnce(port))));
        if let Some(link) = self.links.get_mut(link) {
            link.imports.insert(0, port);
        }
        self.fill_free_slots(port);
        true
    }

    /// Does what an answer says that was not waited for.
    pub(super) fn heed_answer(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(answer) = link.answer.take() else { return };
        let Some(&port) = link.imports.get(&0) else { return };
        let state = self.port_mut(port);
        let Some(declared) = state.declared.as_mut().filter(|declared| declared.unanswered > 0) else {
            return;
        };
        if answer.code != BOOTSTRAP_SUCCESS {
            if answer.code != BOOTSTRAP_NO_MEMORY {
                // Whoever has the name's socket does not serve the name.
                state.declared = None;
            }
            self.doomed.push(Doomed::Link(id));
            return;
        }
        declared.unanswered = 0;
        state.credits += answer.credits.saturating_sub(ASSUMED_CREDIT);
        self.identify_port(port, &answer.identity, None);
        self.fill_free_slots(port);
    }

    /// The owner has received one more message.
    pub(super) fn apply_received(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        let Some(&port) = link.imports.get(&export) else { return Ok(()) };
        if let Some(declared) = &mut self.port_mut(port).declared {
            declared.unreceived.pop_front();
        }
        Ok(())
    }
}
