//! Rights that come from a peer.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::super::kernel::{Doomed, Kernel};
use super::super::message::{Carried, Right};
use super::super::poll::Key;
use super::super::port::{Home, Port, PortId};
use super::apply::Fds;
use super::frame::{ASSIGNED, WireRight};
use super::{Breach, Export, Frame, Identity, Memory, NO_IDENTITY, RIGHTS_MAX, handshake};

impl Kernel {
    /// Makes a right of what a frame says; its kind must be that of the received disposition.
    pub(super) fn take_wire_right(
        &mut self,
        id: u32,
        right: WireRight,
        disposition: u32,
        fds: &mut Fds,
    ) -> Result<Carried, Breach> {
        let expected = match right {
            WireRight::Null | WireRight::Dead => {
                return match disposition {
                    0 | 16..=18 if right == WireRight::Null => Ok(Carried::Null),
                    16..=18 => Ok(Carried::Dead),
                    _ => Err(Breach),
                };
            }
            WireRight::MineSend { .. }
            | WireRight::YoursSend { .. }
            | WireRight::ThirdSend
            | WireRight::File => 17,
            WireRight::MineOnce { .. } | WireRight::YoursOnce { .. } | WireRight::ThirdOnce => 18,
            WireRight::Moved { .. } => 16,
        };
        if disposition != expected {
            return Err(Breach);
        }
        let right = match right {
            WireRight::MineSend { export, credits } => self.import_send(id, export, credits)?,
            WireRight::MineOnce { export } => self.import_once(id, export)?,
            WireRight::YoursSend { export } => {
                let link = self.links.get_mut(id).ok_or(Breach)?;
                let Some(&mut Export::Send { port, .. }) = link.export(export) else { return Err(Breach) };
                self.copy_send(port)
            }
            WireRight::YoursOnce { export } => self.take_once(id, export)?,
            WireRight::ThirdSend | WireRight::ThirdOnce => {
                let socket = fds.take()?;
                let once = right == WireRight::ThirdOnce;
                let identity = match once {
                    true => None,
                    false => self.links.get_mut(id).and_then(|link| link.thirds.pop_front()),
                };
                return Ok(socket.map_or(Carried::Dead, |socket| self.meet(socket, once, identity, Some(id))));
            }
            WireRight::Moved { export } => self.complete_move(id, export)?,
            WireRight::File => match fds.take()? {
                Some(file) => self.make_file_right(Arc::new(file)),
                None => return Ok(Carried::Dead),
            },
            WireRight::Null | WireRight::Dead => return Err(Breach),
        };
        Ok(Carried::Right(right))
    }

    /// A send right to a port of the peer's. A right that this task holds already coalesces with it.
    pub(in super::super) fn import_send(
        &mut self,
        id: u32,
        export: u32,
        credits: u32,
    ) -> Result<Right, Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        if export & ASSIGNED != 0 {
            // Such ids are this side's to choose.
            return Err(Breach);
        }
        if let Some(&port) = link.imports.get(&export) {
            let state = self.port_mut(port);
            state.imported = state.imported.checked_add(1).ok_or(Breach)?;
            return Ok(self.copy_send(port));
        }
        if link.imports.len() + link.parted.len() >= RIGHTS_MAX {
            return Err(Breach);
        }
        let identity = link.identities.remove(&export);
        if let Some(port) = identity.and_then(|identity| self.known(&identity, Some(id))) {
            // The right came by another way before: one is enough.
            self.post(id, Frame::Release { export, count: 1 });
            return Ok(self.copy_send(port));
        }
        // What was left when the right was given back before the owner sent it once more.
        let parted = self.links.get_mut(id).and_then(|link| link.parted.remove(&export)).unwrap_or_default();
        let right = self.import_new(id, export, credits.saturating_add(parted.credits), identity, Some(id));
        self.port_mut(right.port()).halted = parted.halted;
        Ok(right)
    }

    pub(super) fn import_new(
        &mut self,
        id: u32,
        export: u32,
        credits: u32,
        identity: Option<Identity>,
        by: Option<u32>,
    ) -> Right {
        let mut port = Port::new(Home::Link { link: id, export });
        (port.imported, port.credits, port.send_rights) = (1, credits, 1);
        let port = PortId(self.ports.insert(port));
        if let Some(link) = self.links.get_mut(id) {
            link.imports.insert(export, port);
        }
        if let Some(identity) = identity {
            self.identify_port(port, &identity, by);
        }
        Right::Send(port)
    }

    /// Notes the identity of an export that the peer told otherwise than by a frame.
    pub(in super::super) fn expect_identity(&mut self, id: u32, export: u32, identity: Identity) {
        if let Some(link) = self.links.get_mut(id).filter(|_| identity != NO_IDENTITY) {
            link.identities.insert(export, identity);
        }
    }

    pub(super) fn import_once(&mut self, id: u32, export: u32) -> Result<Right, Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        if export & ASSIGNED != 0 || link.onces.len() >= RIGHTS_MAX || link.onces.contains_key(&export) {
            return Err(Breach);
        }
        let home = Home::Link { link: id, export };
        let port = PortId(self.ports.insert_with(|| Port { send_once_rights: 1, ..Port::new(home) }));
        if let Some(link) = self.links.get_mut(id) {
            link.onces.insert(export, port);
        }
        Ok(Right::SendOnce(port))
    }

    /// Begins a link with the owner of a third process's port, who waits at the other end of `socket`. Nobody is waited for: what is sent
    /// lies in the new link until the owner takes it up. Without memory or descriptors left the right is as good as dead.
    pub(in super::super) fn meet(
        &mut self,
        socket: OwnedFd,
        once: bool,
        identity: Option<Identity>,
        by: Option<u32>,
    ) -> Carried {
        let identity = identity.filter(|identity| *identity != NO_IDENTITY);
        if let Some(port) = identity.and_then(|identity| self.known(&identity, by)) {
            // The owner sees the socket close and keeps its right.
            return Carried::Right(self.copy_send(port));
        }
        let Some(id) = self.begin_link(socket) else { return Carried::Dead };
        if once {
            return self.import_once(id, 0).map_or(Carried::Dead, Carried::Right);
        }
        // The first export of a fresh link has id 0; the owner's credit for one message is this side's to assume (see `welcome`).
        Carried::Right(self.import_new(id, 0, 1, identity, by))
    }

    pub(super) fn begin_link(&mut self, socket: OwnedFd) -> Option<u32> {
        let (memory, ends) = super::create_memory().ok()?;
        handshake::greet(&socket, &self.links.nonce, b"", &memory, false).ok()?;
        let id = self.add_link(socket, Memory::Ours(ends), None)?;
        self.let_pass(id);
        self.watch_link(id);
        Some(id)
    }

    /// Has a link's socket polled.
    pub(in super::super) fn watch_link(&mut self, id: u32) {
        let poller = self.links.poller;
        let registered = match (poller, self.link_socket(id)) {
            (Some(poller), Some(socket)) => poller.register(socket, Key::Link(id)).is_ok(),
            _ => false,
        };
        if !registered {
            self.doomed.push(Doomed::Link(id));
        }
    }
}
