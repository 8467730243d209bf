//! Rings without room. What a sender was told is sent lies in the ring, or in the socket beside it, and outlives its sender; so a message
//! whose frame does not fit is not sent yet, and its sender waits with it as it does for a full queue.
//!
//! The exceptions wait as finished frames in this process (`Link::waiting`): what cannot be refused (replies, notifications, releases),
//! and what a former owner passes on. A thread that sent a receive right waits until the frames of the move are out.

use std::sync::atomic::Ordering;

use super::super::kernel::Kernel;
use super::super::message::{Item, Message};
use super::super::port::{Home, PortId};
use super::super::wait::{Outcome, WaiterId};
use super::frame::{HEAD, MESSAGE_HEAD};
use super::ring::CAPACITY;
use super::transmit::{IN_RING_MAX, INLINE_MEMORY};
use super::{Link, place_of};

/// Packets with descriptors that may lie in a socket, which has room for four times as many.
const PACKETS_SENT_MAX: usize = 64;

/// At least what an item or right takes in a frame, with the frame that tells of a port's identity.
const ITEM_ROOM: usize = 96;

impl Link {
    /// Whether nothing waits for room that comes first.
    pub(super) fn is_free(&self) -> bool {
        self.waiting.is_empty() && self.stalled.is_empty()
    }
}

impl Link {
    /// Whether the socket takes descriptors. What it cannot take would wait in this process.
    fn socket_has_room(&mut self) -> bool {
        // The bell is asked for before the second look, so that none is missed.
        self.takes_fds() || self.tx.starve().is_err() || self.takes_fds()
    }

    fn takes_fds(&mut self) -> bool {
        let Ok(room) = self.tx.room(CAPACITY) else { return true };
        let read = self.tx.position().wrapping_sub(CAPACITY - room);
        let has_passed = |end: u32| read.wrapping_sub(end) <= u32::MAX / 2;
        while self.fds_sent.front().is_some_and(|&end| has_passed(end)) {
            self.fds_sent.pop_front();
        }
        self.fds_sent.len() < PACKETS_SENT_MAX
    }
}

impl Kernel {
    /// Whether a message to a port can go into the ring that leads there. If not, the port's senders are served once it can.
    pub(in super::super) fn fits_ring(&mut self, port: PortId, message: &Message) -> bool {
        let Home::Link { link, .. } = self.port(port).home else { return true };
        let Some(link) = self.links.get_mut(link).filter(|link| !link.broken) else { return true };
        let room = room_for(message);
        if link.is_free() && link.socket_has_room() {
            // The bell is asked for before the second look, so that none is missed.
            let fits = |link: &mut Link| link.tx.room(room).is_ok_and(|there| there >= room);
            if fits(link) || link.tx.starve().is_err() || fits(link) {
                return true;
            }
        }
        if !link.stalled.contains(&port) {
            link.stalled.push(port);
        }
        self.watch_for_room();
        false
    }

    /// Serves the senders that wait for room in a link's ring.
    pub(super) fn serve_stalled(&mut self, id: u32) {
        let Some(link) = self.links.get_mut(id).filter(|link| link.waiting.is_empty()) else { return };
        for port in core::mem::take(&mut link.stalled) {
            if self.ports.get(port.0).is_some() {
                self.fill_free_slots(port);
            }
        }
    }

    /// Has whoever watches the rings also watch for room in them: a bell that tells of it takes longer.
    pub(super) fn watch_for_room(&self) {
        if let Some(poller) = self.links.poller {
            poller.room_awaited.store(true, Ordering::Relaxed);
        }
    }

    /// Serves those who wait for room, where there is some. Called while somebody watches.
    pub(in super::super) fn look_for_room(&mut self) {
        let mut awaited = false;
        for index in 0..self.links.slots.len() {
            let Some(id) = self.links.id_at(index) else { continue };
            self.flush_link(id);
            let Some(link) = self.links.get_mut(id) else { continue };
            let sending = link.pieces.is_sending();
            awaited |= sending || !link.is_free();
            if sending {
                self.wake_awaiting();
            }
        }
        if let Some(poller) = self.links.poller {
            poller.room_awaited.store(awaited, Ordering::Relaxed);
        }
    }

    /// The link to another process's port.
    pub(in super::super) fn link_of(&self, port: PortId) -> Option<u32> {
        match self.port(port).home {
            Home::Link { link, .. } => Some(link),
            _ => None,
        }
    }

    /// The last of the frames that wait for room on a link; `None` where none does.
    pub(in super::super) fn unwritten(&mut self, link: Option<u32>) -> Option<(u32, u64)> {
        let id = link?;
        let link = self.links.get_mut(id).filter(|link| !link.waiting.is_empty())?;
        Some((id, link.queued))
    }

    /// Whether a frame has left this process, or has nowhere to go.
    pub(in super::super) fn is_written(&mut self, frame: Option<(u32, u64)>) -> bool {
        let Some((link, frame)) = frame else { return true };
        self.links.get_mut(link).is_none_or(|link| link.flushed >= frame)
    }

    /// Has a thread woken when a link moves on: frames have gone out, a holder has stopped, or the link has ended.
    pub(in super::super) fn await_progress(&mut self, waiter: WaiterId) {
        self.links.awaiting.push(waiter);
    }

    pub(super) fn wake_awaiting(&mut self) {
        for waiter in core::mem::take(&mut self.links.awaiting) {
            self.finish(waiter, Outcome::Sent);
        }
    }

    /// Ends a wait for progress.
    pub(in super::super) fn end_wait_for_progress(&mut self, waiter: WaiterId) {
        self.links.awaiting.retain(|&waiting| waiting != waiter);
        self.waiters.remove(waiter.0);
    }
}

/// Bytes of ring that a message's frames take, at most.
fn room_for(message: &Message) -> u32 {
    let item = |item: &Item| match item {
        Item::Ports { carried, .. } => ITEM_ROOM * (1 + carried.len()),
        Item::Memory { region: Some(region), .. } if region.len() <= INLINE_MEMORY => {
            ITEM_ROOM + region.len()
        }
        _ => ITEM_ROOM,
    };
    let items = message.items.iter().map(item).sum::<usize>();
    let head = HEAD + MESSAGE_HEAD + ITEM_ROOM;
    let all = head + items + message.bytes.len();
    // What is more goes beside the ring.
    place_of(if all > IN_RING_MAX { head + items.min(IN_RING_MAX) } else { all }) as u32
}
