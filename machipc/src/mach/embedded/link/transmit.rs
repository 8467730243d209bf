//! Messages onto a link: rights become ids in the export tables, memory becomes bytes or memfds.

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use zerocopy::IntoBytes;

use super::super::kernel::{Doomed, Kernel};
use super::super::memory::memfd_of;
use super::super::message::{Carried, Item, Message, Right, Sender};
use super::super::port::{Home, PortId};
use super::super::recycle;
use super::frame::{
    self, ASSIGNED, ITEM_BYTES, ITEM_GUARDED, ITEM_LOAN, ITEM_MEMFD, ITEM_PIECES, ITEM_PORT, ITEM_PORTS,
    LOST, MEMORY_MAX, MESSAGE, MESSAGE_HEAD, PLAIN, PLAIN_TO_ONCE, TO_MOVED_ONCE, TO_ONCE, TO_SEND,
    WireRight,
};
use super::plain::{self, FRAME_WORDS};
use super::ring::CAPACITY;
use super::{Export, Frame, Halt, Introduced, NO_IDENTITY, WAITING_BYTES_MAX, WAITING_FDS_MAX, socket};
use crate::mach::MACH_MSG_TYPE_MOVE_SEND_ONCE;

/// Memory up to this size goes through the ring as bytes: cheaper than a memfd, which costs a page fault on each side.
pub(super) const INLINE_MEMORY: usize = 16 * 1024;
/// And not more than this in one message.
const INLINE_TOTAL: usize = 64 * 1024;
/// The longest frame that goes through the ring as it is. The bytes of a longer message go as a memfd, so that a frame fits as a whole
/// into a ring that is half empty.
pub(super) const IN_RING_MAX: usize = CAPACITY as usize / 2;
/// Descriptors of a frame that memory may take; the others are for rights.
const MEMFDS_MAX: usize = socket::FDS_MAX / 2;

impl Kernel {
    /// Sends a message to the port behind `export` of a link's peer. Its rights leave this task.
    pub(in super::super) fn transmit(&mut self, id: u32, export: u32, message: Message) {
        let moved = export & ASSIGNED != 0;
        let to = match message.destination {
            Right::SendOnce(_) if moved => TO_MOVED_ONCE,
            Right::SendOnce(_) => TO_ONCE,
            _ => TO_SEND,
        };
        self.transmit_as(id, export, to, message);
    }

    fn transmit_as(&mut self, id: u32, export: u32, to: u8, message: Message) {
        self.move_ahead(id, &message);
        self.write_message(id, export, to, message);
    }

    /// Writes the frame of a message whose receive rights have been announced.
    pub(super) fn write_message(&mut self, id: u32, export: u32, to: u8, mut message: Message) {
        let mut fds = Vec::new();
        let reply = core::mem::replace(&mut message.reply, Carried::Null);
        let reply = self.wire_carried(id, reply, &mut fds);
        let mut items = Vec::new();
        let mut inline = 0;
        let count = message.items.len();
        for item in core::mem::take(&mut message.items) {
            self.wire_item(id, item, &mut items, &mut inline, &mut fds);
        }
        let kernel = message.sender == Sender::KERNEL;
        let large = MESSAGE_HEAD + items.len() + message.bytes.len() > IN_RING_MAX;
        // Without a descriptor left the bytes go through the ring in pieces.
        let beside = if large && fds.len() < socket::FDS_MAX { memfd_of(&message.bytes).ok() } else { None };
        let beside_len = if beside.is_some() { message.bytes.len() as u32 } else { 0 };
        if let Some(fd) = beside {
            fds.push(fd);
            message.bytes.clear();
        }
        let mut head = recycle::take();
        let is_plain = items.is_empty() && !message.complex && !kernel && beside_len == 0;
        if let Some(plain) = plain_head(export, to, &message, reply).filter(|_| is_plain) {
            head.extend_from_slice(plain.as_bytes());
        } else {
            let body = MESSAGE_HEAD + items.len() + message.bytes.len();
            head.extend_from_slice(&frame::head(body, MESSAGE, fds.len()));
            head.extend_from_slice(&export.to_le_bytes());
            head.extend_from_slice(&[
                to,
                message.reply_disposition,
                u8::from(message.complex),
                u8::from(kernel),
            ]);
            head.extend_from_slice(&message.id.to_le_bytes());
            head.extend_from_slice(&message.voucher.to_le_bytes());
            head.extend_from_slice(&reply.encode());
            head.extend_from_slice(&(items.len() as u32).to_le_bytes());
            head.extend_from_slice(&(count as u32).to_le_bytes());
            head.extend_from_slice(&beside_len.to_le_bytes());
            head.extend_from_slice(&items);
        }
        if let Some(link) = self.links.get_mut(id)
            && link.send(&head, &message.bytes, fds).is_err()
        {
            self.doomed.push(Doomed::Link(id));
        }
        recycle::give(head);
        recycle::give(core::mem::take(&mut message.bytes));
        // The frame speaks for the destination's right; it goes after the frame, so that its release does too.
        match message.destination {
            Right::SendOnce(port) => self.spend_send_once(port),
            right => self.release(right),
        }
    }

    fn wire_item(
        &mut self,
        id: u32,
        item: Item,
        out: &mut Vec<u8>,
        inline: &mut usize,
        fds: &mut Vec<OwnedFd>,
    ) {
        let words = |out: &mut Vec<u8>, words: &[u32]| {
            words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        };
        match item {
            Item::Port { carried, disposition } => {
                words(out, &[ITEM_PORT, u32::from(disposition)]);
                out.extend_from_slice(&self.wire_carried(id, carried, fds).encode());
            }
            Item::Guarded { carried, flags } => {
                words(out, &[ITEM_GUARDED, u32::from(flags)]);
                out.extend_from_slice(&self.wire_carried(id, carried, fds).encode());
            }
            Item::Ports { carried, disposition } => {
                words(out, &[ITEM_PORTS, u32::from(disposition), carried.len() as u32]);
                for carried in carried {
                    out.extend_from_slice(&self.wire_carried(id, carried, fds).encode());
                }
            }
            Item::Pieces { len, kind, copy } => {
                words(out, &[ITEM_PIECES, u32::from(kind) | u32::from(copy) << 8, len]);
            }
            Item::Memory { region, kind, copy } => {
                let options = u32::from(kind) | u32::from(copy) << 8;
                let region = match region.map(|region| self.lend(id, region)) {
                    Some(Ok((loan, more))) => {
                        return words(out, &[ITEM_LOAN, options | more, loan.len, loan.block, loan.ticket]);
                    }
                    Some(Err(region)) => Some(region),
                    None => None,
                };
                let len = region.as_ref().map_or(0, |region| region.len());
                let large = is_large(len, *inline);
                let region = match region {
                    Some(region) if large && fds.len() < MEMFDS_MAX => match region.into_memfd() {
                        Ok(fd) => {
                            fds.push(fd);
                            return words(out, &[ITEM_MEMFD, options, len as u32]);
                        }
                        // Without a descriptor left the bytes go through the ring.
                        Err(Some(region)) if *inline + len <= MEMORY_MAX => Some(region),
                        Err(_) => return words(out, &[ITEM_BYTES, options | LOST, 0]),
                    },
                    region => region,
                };
                let bytes = region.as_ref().map_or(&[][..], |region| region.as_slice());
                words(out, &[ITEM_BYTES, options, bytes.len() as u32]);
                out.extend_from_slice(bytes);
                out.resize(out.len().next_multiple_of(4), 0);
                *inline += bytes.len();
            }
        }
    }

    /// Whether a message to a link's peer takes more descriptors or memory than a frame can have, or more waits for the peer than may.
    pub(in super::super) fn exceeds_link(&mut self, message: &Message) -> bool {
        let Home::Link { link: to, .. } = self.port(message.destination.port()).home else { return false };
        if let Some(link) = self.links.get_mut(to)
            && (link.waiting_bytes > WAITING_BYTES_MAX || link.waiting_fds > WAITING_FDS_MAX)
        {
            return true;
        }
        let needs = |carried: &Carried| match carried {
            Carried::Right(right) => match self.port(right.port()).home {
                Home::Link { link, .. } => link != to,
                home => home == Home::Kernel,
            },
            Carried::Null | Carried::Dead => false,
        };
        let mut count = usize::from(needs(&message.reply));
        let (mut memfds, mut inline) = (0, 0);
        for item in &message.items {
            count += match item {
                Item::Port { carried, .. } | Item::Guarded { carried, .. } => usize::from(needs(carried)),
                Item::Ports { carried, .. } => carried.iter().filter(|carried| needs(carried)).count(),
                Item::Memory { region: Some(region), .. } => {
                    if is_large(region.len(), inline) && count + memfds < MEMFDS_MAX {
                        memfds += 1;
                    } else {
                        inline += region.len();
                    }
                    0
                }
                Item::Memory { region: None, .. } | Item::Pieces { .. } => 0,
            };
        }
        count > socket::FDS_MAX - MEMFDS_MAX || inline > MEMORY_MAX
    }

    fn wire_carried(&mut self, id: u32, carried: Carried, fds: &mut Vec<OwnedFd>) -> WireRight {
        match carried {
            Carried::Null => WireRight::Null,
            Carried::Dead => WireRight::Dead,
            Carried::Right(right) => self.wire_right(id, right, fds),
        }
    }

    /// Turns a right into what the peer can make of it. The right is used up.
    pub(super) fn wire_right(&mut self, id: u32, right: Right, fds: &mut Vec<OwnedFd>) -> WireRight {
        let port = right.port();
        let halted = self.port(port).halted;
        match (self.port(port).home, &right) {
            (Home::Link { link, export }, Right::Receive(_)) if link == id && export & ASSIGNED != 0 => {
                WireRight::Moved { export }
            }
            // It could not be announced: the link has ended, and the port with it.
            (_, Right::Receive(_)) => WireRight::Dead,
            (Home::Dead, Right::SendOnce(_)) => {
                self.spend_send_once(port);
                WireRight::Dead
            }
            (Home::Dead, _) => {
                self.release(right);
                WireRight::Dead
            }
            (Home::Link { link, export }, Right::Send(_)) if link == id => {
                // Given back once the frame has gone: destruction runs after this.
                self.doomed.push(Doomed::Right(right));
                WireRight::YoursSend { export }
            }
            (Home::Link { link, export }, Right::SendOnce(_)) if link == id && !halted => {
                self.spend_send_once(port);
                WireRight::YoursOnce { export }
            }
            (Home::Link { link, export }, _) if !halted => self.introduce(id, link, export, right, fds),
            (Home::Kernel, _) => {
                let file = self.port(port).file.as_ref().map(|file| rustix::io::fcntl_dupfd_cloexec(file, 0));
                self.doomed.push(Doomed::Right(right));
                match file {
                    Some(Ok(file)) => {
                        fds.push(file);
                        WireRight::File
                    }
                    // No descriptor left for the peer.
                    _ => WireRight::Dead,
                }
            }
            (_, Right::Send(_)) => {
                self.answer_introductions(id, port);
                self.export_send(id, port)
            }
            (_, Right::SendOnce(_)) => self.export_once(id, port),
        }
    }

    /// Answers those who were introduced to a port and wait, before a peer is given its first right to it over a link: that peer may be one of
    /// them, and knows the two rights for one only once it knows who has answered.
    fn answer_introductions(&mut self, id: u32, port: PortId) {
        if self.links.handshakes.len() == 0
            || self.links.get_mut(id).is_none_or(|link| link.export_of.contains_key(&port))
        {
            return;
        }
        let to_port = |introduced: &Introduced| introduced.right.port() == port;
        let all = self.links.handshakes.iter();
        let waiting: Vec<u32> = all
            .filter(|(_, handshake)| handshake.introduced.as_ref().is_some_and(to_port))
            .map(|(key, _)| key)
            .collect();
        for key in waiting {
            self.handshake_event(key);
        }
    }

    /// Gives the peer one more transfer of a send right to a local port. The right in hand becomes the export's, or is one too many.
    fn export_send(&mut self, id: u32, port: PortId) -> WireRight {
        let granted = self.allowance(port);
        let Some(link) = self.links.get_mut(id) else {
            self.doomed.push(Doomed::Right(Right::Send(port)));
            return WireRight::Dead;
        };
        if let Some(&export) = link.export_of.get(&port)
            && let Some(Export::Send { given, halt, .. }) = link.export(export)
            && *halt != Halt::Redirected
        {
            *given += 1;
            self.release(Right::Send(port));
            // It has its credit already.
            return WireRight::MineSend { export, credits: 0 };
        }
        let export = link.exports.insert(Export::Send {
            port,
            given: 1,
            granted,
            queued: 0,
            owed: 0,
            once: 0,
            moving: 0,
            halt: Halt::No,
        });
        link.export_of.insert(port, export);
        let state = self.port_mut(port);
        state.exports.push((id, export));
        state.is_short |= granted < state.queue_limit;
        self.redirect_later(port);
        let identity = self.identity_of(port);
        if identity != NO_IDENTITY {
            self.post(id, Frame::Identity { export, identity });
        }
        WireRight::MineSend { export, credits: granted }
    }

    /// Has somebody brought over who gets a right to a port of another process, once the frame that gives it is out.
    fn redirect_later(&mut self, port: PortId) {
        if matches!(self.port(port).home, Home::Link { .. }) {
            self.doomed.push(Doomed::Redirect(port));
        }
    }

    pub(super) fn export_once(&mut self, id: u32, port: PortId) -> WireRight {
        let Some(link) = self.links.get_mut(id) else {
            self.doomed.push(Doomed::Right(Right::SendOnce(port)));
            return WireRight::Dead;
        };
        let export = link.exports.insert(Export::Once { port, halt: Halt::No });
        self.port_mut(port).exports.push((id, export));
        self.redirect_later(port);
        WireRight::MineOnce { export }
    }

    /// The first right that goes over a new link: export id and credits for the welcome.
    pub(in super::super) fn export_first(&mut self, id: u32, right: Right) -> Option<(u32, u32)> {
        let wire = match right {
            Right::Send(port) if self.port(port).is_dead() => {
                self.release(right);
                return None;
            }
            Right::Send(port) => self.export_send(id, port),
            Right::SendOnce(port) => self.export_once(id, port),
            Right::Receive(_) => return None,
        };
        match wire {
            WireRight::MineSend { export, credits } => Some((export, credits)),
            WireRight::MineOnce { export } => Some((export, 0)),
            _ => None,
        }
    }

    /// Introduces this link's peer to the owner of a port behind another link.
    fn introduce(
        &mut self,
        id: u32,
        owner: u32,
        export: u32,
        right: Right,
        fds: &mut Vec<OwnedFd>,
    ) -> WireRight {
        let once = matches!(right, Right::SendOnce(_));
        let Some(socket) = self.introduce_to(owner, export, once) else {
            // Without a descriptor there is no way to the owner.
            self.doomed.push(Doomed::Right(right));
            return WireRight::Dead;
        };
        fds.push(socket);
        if !once {
            // An owner that gave none cannot be told from others: an identity of no port joins with nothing.
            let identity = self.identity_of(right.port());
            self.post(id, Frame::Third { identity });
        }
        if once {
            // The owner moves it to whoever it is introduced to.
            self.spend_send_once(right.port());
            WireRight::ThirdOnce
        } else {
            self.doomed.push(Doomed::Right(right));
            WireRight::ThirdSend
        }
    }

    /// Gives the owner of a port one end of a socket and returns the other: whoever speaks there gets the right, over a link of their own.
    /// Nobody is waited for.
    pub(in super::super) fn introduce_to(&mut self, owner: u32, export: u32, once: bool) -> Option<OwnedFd> {
        let (theirs, ours) = introduction_pair()?;
        self.post_with(owner, Frame::Introduce { export, once }, vec![theirs]);
        Some(ours)
    }
}

/// Two ends of a connection for processes that are to be introduced to each other. `None`: there is no descriptor left.
pub(in super::super) fn introduction_pair() -> Option<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).ok()?;
    for end in [&pair.0, &pair.1] {
        // The pair is this process's; who really is at the other end only each packet's sender tells.
        rustix::net::sockopt::set_socket_passcred(end, true).ok()?;
    }
    Some(pair)
}

/// The shorter head of a message without items, if it can have that one.
fn plain_head(export: u32, to: u8, message: &Message, reply: WireRight) -> Option<[u32; FRAME_WORDS]> {
    let kind = match to {
        TO_SEND => PLAIN,
        TO_ONCE => PLAIN | PLAIN_TO_ONCE,
        _ => return None,
    };
    let reply = match (reply, u32::from(message.reply_disposition)) {
        (WireRight::Null, 0) => None,
        (WireRight::MineOnce { export }, MACH_MSG_TYPE_MOVE_SEND_ONCE) => Some(export),
        _ => return None,
    };
    Some(plain::plain_head(kind, export, message.id, message.voucher, reply, message.bytes.len()))
}

/// Whether memory goes beside a frame that has so much of it already.
fn is_large(len: usize, inline: usize) -> bool {
    len > INLINE_MEMORY || inline + len > INLINE_TOTAL
}
