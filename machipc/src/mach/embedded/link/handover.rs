//! Bringing those who hold rights to a port to its new owner.
//!
//! When a port moves from F to N, a holder H knows only F. F tells H to stop (`Halt`); H answers behind the last that it sent
//! (`Halted`). Now everything of H's is in the port's queue, which goes to N. F makes a socket pair, sends one end to N ("whoever speaks
//! here gets a right to this port") and the other to H (`Redirect`). H begins a link to N, sends by it from now on, and gives F's right
//! back. N takes up no introduction to a port before all of the port has come, so each sender's order holds. N learns from the system
//! who H is.
//!
//! A thread that sends a receive right waits until all holders have stopped before anything is sent (`halt_holders_of`), and one burst of
//! frames then holds everything: first what goes to the holders, then the port, its introductions and its queue, and last the message with
//! the right. Until that has arrived the port is lost with its owner; from then on nobody needs the owner. A holder that does not answer is
//! not waited for long: F passes its messages on, with F's identity, until it does, and only then brings it over.
//!
//! A right to a port that is elsewhere can also be given away while it is halted. Then this process passes on what comes by it, too, and
//! brings the new holder over as soon as it has been brought over itself.

use std::os::fd::OwnedFd;

use super::super::kernel::{Doomed, Kernel};
use super::super::message::{Message, Right};
use super::super::port::{Home, PortId};
use super::{Breach, Export, Frame, Halt, Identity, Introduced, WAITING_BYTES_MAX, WAITING_FDS_MAX};

/// Holders of one port that are told at once. Their connections all wait at the new owner until the port is there.
const TOLD_AT_ONCE: usize = 512;

impl Kernel {
    // ---- The owner that gives a port away

    /// Whether a message takes receive rights to another process.
    pub(in super::super) fn moves_away(&self, message: &Message) -> bool {
        matches!(self.port(message.destination.port()).home, Home::Link { .. })
            && message.receive_rights().next().is_some()
    }

    /// The ports that go with a message: those whose receive rights it carries, and those in their queues.
    fn ports_moving_with(&self, message: &Message) -> Vec<PortId> {
        let mut ports: Vec<PortId> = message.receive_rights().collect();
        let mut next = 0;
        while let Some(&port) = ports.get(next) {
            next += 1;
            ports.extend(self.port(port).queue.iter().flat_map(Message::receive_rights));
        }
        ports
    }

    /// Has everybody stop who holds rights to ports that go with a message. Returns how many are to be waited for.
    pub(in super::super) fn halt_holders_of(&mut self, message: &Message) -> usize {
        let ports = self.ports_moving_with(message);
        ports.into_iter().map(|port| self.halt_holders(port)).sum()
    }

    fn halt_holders(&mut self, port: PortId) -> usize {
        if self.returns(port) {
            return 0;
        }
        let mut awaited = 0;
        for index in 0..self.port(port).exports.len() {
            let (holder, number) = self.port(port).exports[index];
            self.ask_to_halt(holder, number);
            if let Some(link) = self.links.get_mut(holder)
                && !link.late
                && let Some(export) = link.export(number)
            {
                awaited += usize::from(matches!(export.halt(), Halt::Asked(_)));
            }
        }
        awaited
    }

    fn ask_to_halt(&mut self, holder: u32, number: u32) {
        let Some(link) = self.links.get_mut(holder) else { return };
        let serial = link.halts.wrapping_add(1);
        match link.export(number).map(Export::halt) {
            Some(halt @ Halt::No) => *halt = Halt::Asked(serial),
            _ => return,
        }
        link.halts = serial;
        self.post(holder, Frame::Halt { export: number, serial });
    }

    /// A holder had stopped, or been told where to go, before it knew of the right.
    pub(super) fn halt_again(&mut self, holder: u32, number: u32) {
        let Some(link) = self.links.get_mut(holder) else { return };
        let Some(export) = link.export(number) else { return };
        let (port, told) = (export.port(), *export.halt());
        if !matches!(told, Halt::Halted | Halt::Redirected) {
            return;
        }
        *export.halt() = Halt::No;
        if told == Halt::Redirected && !matches!(self.port(port).home, Home::Link { .. }) {
            // The port has come back meanwhile.
            return self.post(holder, Frame::Resume { export: number });
        }
        self.ask_to_halt(holder, number);
    }

    /// Gives up on the holders that have not stopped: whoever has not answered is not waited for again until it does.
    pub(in super::super) fn leave_behind_holders_of(&mut self, message: &Message) {
        for port in self.ports_moving_with(message) {
            for (holder, number) in self.port(port).exports.clone() {
                if let Some(link) = self.links.get_mut(holder) {
                    let asked = link.export(number).is_some_and(|e| matches!(e.halt(), Halt::Asked(_)));
                    link.late |= asked;
                }
            }
        }
    }

    /// The ports of a message stay in this process after all.
    pub(in super::super) fn resume_holders_of(&mut self, message: &Message) {
        for port in self.ports_moving_with(message) {
            self.resume_holders(port);
        }
    }

    pub(in super::super) fn resume_holders(&mut self, port: PortId) {
        for (holder, number) in self.port(port).exports.clone() {
            self.resume(holder, number);
        }
    }

    fn resume(&mut self, holder: u32, number: u32) {
        let Some(link) = self.links.get_mut(holder) else { return };
        if let Some(halt @ (Halt::Asked(_) | Halt::Halted)) = link.export(number).map(Export::halt) {
            *halt = Halt::No;
            self.post(holder, Frame::Resume { export: number });
        }
    }

    /// A holder has stopped: everything that it sent has been taken.
    pub(super) fn apply_halted(&mut self, id: u32, export: u32, serial: u32) -> Result<(), Breach> {
        let link = self.links.get_mut(id).ok_or(Breach)?;
        link.late = false;
        // The right may have been given back, and its number used again.
        let Some(export) = link.export(export) else { return Ok(()) };
        let port = export.port();
        match export.halt() {
            halt if *halt == Halt::Asked(serial) => *halt = Halt::Halted,
            _ => return Ok(()),
        }
        self.wake_awaiting();
        self.redirect_holders(port);
        Ok(())
    }

    /// Whether a port comes back here when its new owner dies. Its holders stay with this process then.
    fn returns(&self, port: PortId) -> bool {
        let state = self.port(port);
        let here = |notify| matches!(self.port(notify).home, Home::Space | Home::Transit(_));
        state.escrow.is_some() || state.port_destroyed.is_some_and(here)
    }

    /// Tells those who hold rights to a port of another process where it is: who has stopped at once, others are asked to stop.
    pub(in super::super) fn redirect_holders(&mut self, port: PortId) {
        let state = self.port(port);
        let Home::Link { link: owner, export } = state.home else { return };
        if state.halted || state.escrow.is_some() {
            return;
        }
        self.pass_handshakes_on(port, owner, export);
        let mut told = 0;
        // What came by them before is to go first.
        let passed_on = self.port(port).queue.is_empty();
        for (holder, number) in self.port(port).exports.clone() {
            let same = self.links.is_same_peer(holder, owner);
            let Some(link) = self.links.get_mut(holder) else { continue };
            let (halt, once) = match link.export(number) {
                Some(Export::Send { halt, once, .. }) => (*halt, Some(*once)),
                Some(Export::Once { halt, .. }) => (*halt, None),
                None => continue,
            };
            if same && once.is_some() {
                // The port's owner makes one of its right and the port, or else goes on as before.
                if halt == Halt::Halted {
                    self.resume(holder, number);
                }
                continue;
            }
            match halt {
                Halt::No => self.ask_to_halt(holder, number),
                Halt::Halted if passed_on && told == TOLD_AT_ONCE => return self.redirect_later_on(port),
                Halt::Halted if passed_on => {
                    self.redirect(port, (holder, number), (owner, export), once);
                    told += 1;
                }
                _ => {}
            }
        }
    }

    fn redirect(
        &mut self,
        port: PortId,
        (holder, number): (u32, u32),
        (owner, export): (u32, u32),
        once: Option<u32>,
    ) {
        let full =
            |link: Option<&mut super::Link>| link.is_some_and(|l| l.waiting_fds >= WAITING_FDS_MAX / 2);
        if full(self.links.get_mut(holder)) || full(self.links.get_mut(owner)) {
            return self.redirect_later_on(port);
        }
        let pair = super::transmit::introduction_pair();
        let Some(link) = self.links.get_mut(holder) else { return };
        let Some(state) = link.export(number) else { return };
        let Some((to_owner, to_holder)) = pair else {
            *state.halt() = Halt::Stays;
            return self.post(holder, Frame::Resume { export: number });
        };
        *state.halt() = Halt::Redirected;
        if let Export::Send { once, .. } = state {
            let taken = core::mem::take(once);
            link.moved_once -= taken;
        }
        let identity = self.identity_of(port);
        self.post_with(holder, Frame::Redirect { export: number, identity }, vec![to_holder]);
        self.introduce_socket(owner, export, once, to_owner);
        if self.port(port).imported == 0 {
            // A send-once right of the owner's, which may use the number again.
            self.links.forget_once(owner, export, port);
        }
        for _ in 0..once.unwrap_or(0) {
            self.spend_send_once(port);
        }
    }

    fn redirect_later_on(&mut self, port: PortId) {
        if !self.links.unredirected.contains(&port) {
            self.links.unredirected.push(port);
        }
    }

    /// Gives a port's owner the socket of somebody who is to get a right: a send right and so many send-once rights, or one send-once right.
    fn introduce_socket(&mut self, owner: u32, export: u32, once: Option<u32>, socket: OwnedFd) {
        let frame = match once {
            None => Frame::Introduce { export, once: true },
            Some(0) => Frame::Introduce { export, once: false },
            Some(once) => Frame::Refer { export, once },
        };
        self.post_with(owner, frame, vec![socket]);
    }

    /// Passes on those who were introduced to a port, and have yet to speak.
    fn pass_handshakes_on(&mut self, port: PortId, owner: u32, export: u32) {
        let waits = |introduced: &Introduced| introduced.right.port() == port;
        let waiting = self.links.handshakes.iter().filter(|(_, h)| h.introduced.as_ref().is_some_and(waits));
        for key in waiting.map(|(key, _)| key).collect::<Vec<_>>() {
            let Some(handshake) = self.links.handshakes.remove(key) else { continue };
            self.forget_socket(&handshake.socket);
            let Some(introduced) = handshake.introduced else { continue };
            self.hand_on(introduced, owner, export, handshake.socket);
        }
    }

    /// Lets the owner of a port give somebody the right that is here for them.
    pub(super) fn hand_on(&mut self, introduced: Introduced, owner: u32, export: u32, socket: OwnedFd) {
        let Introduced { right, onces } = introduced;
        let port = right.port();
        match right {
            Right::SendOnce(_) => {
                self.introduce_socket(owner, export, None, socket);
                self.spend_send_once(port);
            }
            right => {
                self.introduce_socket(owner, export, Some(onces), socket);
                for _ in 0..onces {
                    self.spend_send_once(port);
                }
                // After what comes next: it may be the last, and the frame above has to find the export.
                self.doomed.push(Doomed::Right(right));
            }
        }
    }

    /// Tells holders who had to wait until there was room for descriptors.
    pub(super) fn redirect_the_rest(&mut self) {
        let ports = core::mem::take(&mut self.links.unredirected);
        if ports.is_empty() {
            return;
        }
        for port in ports {
            if self.ports.get(port.0).is_some() {
                self.redirect_holders(port);
            }
        }
        self.wake_awaiting();
    }

    /// Whether all holders that have stopped have been told where to go.
    pub(in super::super) fn has_redirected(&self) -> bool {
        self.links.unredirected.is_empty()
    }

    // ---- A holder

    /// The port behind a right that a peer gave, as long as it is with that peer.
    fn imported(&mut self, id: u32, export: u32) -> Option<PortId> {
        let link = self.links.get_mut(id)?;
        link.imports.get(&export).or_else(|| link.onces.get(&export)).copied()
    }

    /// A port's owner asks for silence. What was sent before stands in the ring before the answer.
    pub(super) fn apply_halt(&mut self, id: u32, export: u32, serial: u32) -> Result<(), Breach> {
        if let Some(port) = self.imported(id, export) {
            self.port_mut(port).halted = true;
        } else if let Some(parted) = self.links.get_mut(id).and_then(|link| link.parted.get_mut(&export)) {
            // The right may be on its way here again.
            parted.halted = true;
        }
        self.post(id, Frame::Halted { export, serial });
        Ok(())
    }

    pub(super) fn apply_resume(&mut self, id: u32, export: u32) -> Result<(), Breach> {
        if let Some(port) = self.imported(id, export) {
            self.go_on(port);
        } else if let Some(parted) = self.links.get_mut(id).and_then(|link| link.parted.get_mut(&export)) {
            parted.halted = false;
        }
        Ok(())
    }

    /// The port's owner has given it away: the right goes over to whoever is at the other end of the socket.
    pub(super) fn apply_redirect(
        &mut self,
        id: u32,
        export: u32,
        identity: &Identity,
        socket: Option<OwnedFd>,
    ) -> Result<(), Breach> {
        // A right that was given back meanwhile needs no new owner: the socket closes.
        let Some(port) = self.imported(id, export) else { return Ok(()) };
        if !self.port(port).halted {
            return Err(Breach);
        }
        let Some(new) = socket.and_then(|socket| self.begin_link(socket)) else {
            // No memory or descriptor is left for a link: the right is as good as dead.
            return self.apply_dead(id, export);
        };
        self.settle_halted(port);
        self.note_next_owner(port, identity);
        let state = self.port_mut(port);
        (state.home, state.escrow, state.declared) = (Home::Link { link: new, export: 0 }, None, None);
        // Credit for one message is this side's to assume (see `welcome`).
        let (count, credits) = (state.imported, core::mem::replace(&mut state.credits, 1));
        let link = self.links.get_mut(id).ok_or(Breach)?;
        if link.imports.remove(&export).is_some() {
            link.parted.insert(export, super::Parted { credits, halted: true });
            self.port_mut(port).imported = 1;
            self.post(id, Frame::Release { export, count });
            self.links.get_mut(new).ok_or(Breach)?.imports.insert(0, port);
        } else {
            link.onces.remove(&export);
            self.post(id, Frame::ReleaseOnce { export });
            self.links.get_mut(new).ok_or(Breach)?.onces.insert(0, port);
        }
        // Held meanwhile: what goes on may be the last that holds the port.
        self.port_mut(port).send_once_rights += 1;
        self.go_on(port);
        self.redirect_holders(port);
        self.spend_send_once(port);
        Ok(())
    }

    /// Keeps a message that cannot be refused and must not be sent now.
    pub(in super::super) fn keep_halted(&mut self, port: PortId, owner: u32, message: Message) {
        let bytes = message.size() as usize + message.memory();
        let state = self.port_mut(port);
        state.halted_bytes += bytes;
        state.queue.push_back(message);
        // An owner that never says more is one that does not read: senders are refused, and in the end the link goes.
        if let Some(link) = self.links.get_mut(owner) {
            link.waiting_bytes += bytes;
            if link.waiting_bytes > 2 * WAITING_BYTES_MAX {
                self.doomed.push(Doomed::Link(owner));
            }
        }
    }

    /// What was kept waits for the owner no longer.
    pub(super) fn settle_halted(&mut self, port: PortId) {
        let state = self.port_mut(port);
        let bytes = core::mem::take(&mut state.halted_bytes);
        if let Home::Link { link, .. } = state.home
            && let Some(link) = self.links.get_mut(link)
        {
            link.waiting_bytes -= bytes;
        }
    }

    /// Ends a halt.
    fn go_on(&mut self, port: PortId) {
        self.settle_halted(port);
        let state = self.port_mut(port);
        state.halted = false;
        for _ in 0..core::mem::take(&mut state.onces_due) {
            self.doomed.push(Doomed::Right(Right::SendOnce(port)));
        }
        self.fill_free_slots(port);
    }
}
