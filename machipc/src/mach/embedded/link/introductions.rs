//! Peers that introduce somebody to a port of this task, and connections on which somebody has yet to say what he wants.

use std::os::fd::OwnedFd;
use std::time::Instant;

use super::super::kernel::Kernel;
use super::super::message::Right;
use super::super::poll::Key;
use super::super::port::Home;
use super::{Breach, Export, FDS_WAITING_MAX, Handshake, Introduced, handshake};

impl Kernel {
    /// A peer introduces somebody to a port of ours: the right waits for whoever speaks at the other end of `socket`.
    /// Without room for the socket the right is given up, as if whoever was to get it had gone.
    pub(super) fn apply_introduce(
        &mut self,
        id: u32,
        export: u32,
        once: Option<u32>,
        socket: Option<OwnedFd>,
    ) -> Result<(), Breach> {
        let introduced = match once {
            None => Introduced { right: self.take_once(id, export)?, onces: 0 },
            Some(onces) => {
                let link = self.links.get_mut(id).ok_or(Breach)?;
                let Some(Export::Send { port, once, .. }) = link.export(export) else { return Err(Breach) };
                *once = once.checked_sub(onces).ok_or(Breach)?;
                let port = *port;
                link.moved_once -= onces;
                Introduced { right: self.copy_send(port), onces }
            }
        };
        let Some(socket) = socket else {
            self.drop_introduced(introduced);
            return Ok(());
        };
        let state = self.port(introduced.right.port());
        if let Home::Link { link, export } = state.home
            && !state.halted
            && state.queue.is_empty()
        {
            // It has moved on, and whoever comes goes where it went.
            self.hand_on(introduced, link, export, socket);
            return Ok(());
        }
        match self.links.get_mut(id).and_then(|link| link.moved.get_mut(&export)) {
            // Not before all of the port is here.
            Some(incoming) if incoming.introduced.len() < FDS_WAITING_MAX => {
                incoming.introduced.push((socket, introduced));
            }
            Some(_) => {
                self.drop_introduced(introduced);
                return Err(Breach);
            }
            None => drop(self.await_hello(socket, Some(introduced))),
        }
        Ok(())
    }

    /// Whoever was introduced will not come.
    pub(in super::super) fn drop_introduced(&mut self, Introduced { right, onces }: Introduced) {
        let port = right.port();
        for _ in 0..onces {
            self.release(Right::SendOnce(port));
        }
        self.release(right);
    }

    /// Gives a peer send-once rights along with a send right, as the former owner of their port.
    pub(in super::super) fn give_onces(&mut self, id: u32, export: u32, onces: u32) {
        if let Some(link) = self.links.get_mut(id)
            && let Some(Export::Send { once, .. }) = link.export(export)
        {
            *once += onces;
            link.moved_once += onces;
        }
    }

    /// Waits for what a new connection has to say. `None`: it is of no use.
    pub(in super::super) fn await_hello(
        &mut self,
        socket: OwnedFd,
        introduced: Option<Introduced>,
    ) -> Option<u32> {
        self.make_room_for_handshake(introduced.is_some());
        let peer = handshake::creator(&socket);
        let usable = peer.is_some();
        let handshake =
            Handshake { socket, introduced, since: Instant::now(), peer: peer.unwrap_or_default() };
        let key = self.links.handshakes.insert(handshake);
        let registered = usable
            && match (self.links.poller, self.links.handshakes.get(key)) {
                (Some(poller), Some(handshake)) => {
                    poller.register(&handshake.socket, Key::Handshake(key)).is_ok()
                }
                _ => false,
            };
        if !registered {
            self.drop_handshake(key);
            return None;
        }
        Some(key)
    }

    /// Gives a connection up, and what it was to get.
    pub(in super::super) fn drop_handshake(&mut self, key: u32) {
        if let Some(handshake) = self.links.handshakes.remove(key) {
            self.forget_socket(&handshake.socket);
            if let Some(introduced) = handshake.introduced {
                self.drop_introduced(introduced);
            }
        }
    }

    /// A socket leaves the poll before it is closed: a peer that passed it to us may keep it open, and its events would never end.
    pub(in super::super) fn forget_socket(&self, socket: &OwnedFd) {
        if let Some(poller) = self.links.poller {
            poller.forget(socket);
        }
    }
}
