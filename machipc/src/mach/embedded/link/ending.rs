//! How links end: with their peers, or when there is nothing left on them.

use super::super::kernel::{Doomed, Kernel};
use super::super::message::Right;
use super::super::port::PortId;
use super::{Export, Frame, Halt, Introduced, Link};

impl Link {
    /// Whether neither side has given the other anything, as far as this one knows.
    fn is_empty(&self) -> bool {
        self.exports.len() == 0
            && self.assigned.is_empty()
            && self.moved.is_empty()
            && self.imports.is_empty()
            && self.onces.is_empty()
            && self.parted.is_empty()
            && self.waiting.is_empty()
            && self.pause.is_none()
            && !self.unidentified
    }
}

impl Kernel {
    /// The link has come to be by an introduction, and need not outlast what goes over it.
    pub(in super::super) fn let_pass(&mut self, id: u32) {
        if let Some(link) = self.links.get_mut(id) {
            link.passing = true;
        }
    }

    /// Tells the peer of a passing link when there is nothing left on it.
    pub(super) fn part_from(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id).filter(|link| link.passing) else { return };
        let empty = link.is_empty();
        if core::mem::replace(&mut link.said_bye, empty) != empty && empty {
            self.post(id, Frame::Bye);
        }
    }

    /// The peer has nothing of ours. If this side has nothing of the peer's either, nobody will miss the link.
    pub(super) fn apply_bye(&mut self, id: u32) {
        if self.links.get_mut(id).is_some_and(|link| link.passing && link.is_empty()) {
            self.doomed.push(Doomed::Link(id));
        }
    }

    /// The link has ended: what the peer held is released, what we held of it is dead.
    pub(in super::super) fn close_link(&mut self, id: u32) {
        let Some(mut link) = self.links.remove(id) else { return };
        self.forget_socket(&link.socket);
        for pool in link.lends.iter().map(|lender| &lender.pool).chain(&link.borrows) {
            pool.close();
        }
        let imported: Vec<PortId> = link.imports.into_values().chain(link.onces.into_values()).collect();
        // Held meanwhile: the death of one may use up the last right to another.
        for &port in &imported {
            self.port_mut(port).send_once_rights += 1;
        }
        for &port in &imported {
            if !self.revive(port, id, &mut link.exports) && !self.return_to_name(port) {
                self.kill_port(port);
            }
        }
        for port in imported {
            self.spend_send_once(port);
        }
        for incoming in link.moved.into_values() {
            // Its receive right was in a message that never came.
            self.doomed.push(Doomed::Right(Right::Receive(incoming.port)));
            for (_, Introduced { right, onces }) in incoming.introduced {
                let port = right.port();
                self.doomed.push(Doomed::Right(right));
                self.doomed.extend((0..onces).map(|_| Doomed::Right(Right::SendOnce(port))));
            }
        }
        let mut exports = link.exports;
        for (number, export) in exports.drain().into_iter().chain(link.assigned) {
            match export {
                Export::Send { port, once, queued, moving, .. } => {
                    self.drop_export(port, id, number);
                    self.orphan(port, id, number, queued.saturating_sub(moving));
                    for _ in 0..once {
                        self.release(Right::SendOnce(port));
                    }
                    self.release(Right::Send(port));
                }
                Export::Once { port, halt: Halt::Redirected } => {
                    // The right has gone to the port's owner; what is left stood for the peer's word that it let go.
                    self.drop_export(port, id, number);
                    self.spend_send_once(port);
                }
                Export::Once { port, .. } => {
                    self.drop_export(port, id, number);
                    self.release(Right::SendOnce(port));
                }
            }
        }
        self.wake_awaiting();
    }
}
