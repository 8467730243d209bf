//! Credit: how many messages a peer may send to a port before one of its own has been received.
//!
//! Every process that holds a right has credit for as many messages as the port's limit, less the *orphans*: messages in the queue of those
//! who held a right and do not any more. So who gives a right back and gets it anew, or connects again and again, gets no further. Mach's limit is for all senders together; here it is
//! for each process, and a queue holds at most the limit for each process that sends (and no peer more than `HELD_MAX` bytes in all).
//! Credit out of a budget that all holders share would keep to the letter of it, and was decided against: of the usual limit of 5, more than
//! five holders would have credit for one message each and could send no second one before the first is received, with a frame and often a
//! wake-up for each; and what idle holders do not use would have to be asked back, which wakes them, when another one sends. What the limit is
//! for holds either way: a sender is slowed to the receiver's pace, and no sender by another one.

use super::super::kernel::Kernel;
use super::super::message::{Credit, Message};
use super::super::port::PortId;
use super::{Export, Frame};

/// Orphans beyond a port's limit, with which those are turned away who do not wait to be given credit.
const ASSUMED_MAX: u32 = 1024;

impl Kernel {
    /// The peer of an introduction has assumed credit for one message, where the port's limit grants none.
    pub(in super::super) fn grant_one(&mut self, id: u32, export: u32) {
        let link = self.links.get_mut(id);
        if let Some(Export::Send { granted, .. }) = link.and_then(|link| link.export(export)) {
            *granted = 1;
        }
    }

    /// The peer of a declared name has assumed so much credit, where the port's limit may grant less.
    pub(in super::super) fn grant_assumed(&mut self, id: u32, export: u32, assumed: u32) -> u32 {
        let link = self.links.get_mut(id);
        match link.and_then(|link| link.export(export)) {
            Some(Export::Send { granted, .. }) => {
                *granted = (*granted).max(assumed);
                *granted
            }
            _ => assumed,
        }
    }

    /// A message that used up a peer's credit has left its queue: the credit goes back, in batches.
    pub(in super::super) fn return_credit(&mut self, message: &mut Message) {
        let port = message.destination.port();
        match message.credit.take() {
            Some(Credit::Of { link, export }) => self.return_credit_of(link, export, port),
            Some(Credit::Orphaned) => {
                let state = self.port_mut(port);
                state.orphans -= 1;
                if state.is_short && state.orphans.is_multiple_of((state.queue_limit / 4).max(1)) {
                    self.grant_the_rest(port);
                }
            }
            None => {}
        }
    }

    /// Messages that one who gets a right may have in the queue.
    pub(super) fn allowance(&self, id: PortId) -> u32 {
        let port = self.port(id);
        port.queue_limit.saturating_sub(port.orphans)
    }

    /// An export is no more: what is left in the queue of its holder's messages, `left` of them, counts for the port from here on.
    pub(super) fn orphan(&mut self, id: PortId, link: u32, export: u32, left: u32) {
        if left == 0 {
            return;
        }
        let port = self.port_mut(id);
        let holder = Some(Credit::Of { link, export });
        let all = port.queue.iter_mut().chain(port.arriving.iter_mut().flatten());
        for message in all.filter(|message| message.credit == holder) {
            message.credit = Some(Credit::Orphaned);
            port.orphans += 1;
        }
    }

    /// There are fewer orphans: those who have less credit for them get more.
    fn grant_the_rest(&mut self, id: PortId) {
        let allowance = self.allowance(id);
        let port = self.port_mut(id);
        port.is_short = port.orphans > 0;
        for (link, export) in port.exports.clone() {
            self.grant_up_to(link, export, allowance);
        }
    }

    fn grant_up_to(&mut self, link_id: u32, export: u32, allowance: u32) {
        let link = self.links.get_mut(link_id);
        let Some(Export::Send { granted, owed, queued, .. }) = link.and_then(|link| link.export(export))
        else {
            return;
        };
        let count = allowance.saturating_sub(*granted + *owed + *queued);
        if count > 0 {
            *granted += count;
            self.post(link_id, Frame::Credit { export, count });
        }
    }

    /// Whether somebody may get a right who takes credit for granted. Orphans are few beyond the limit, unless somebody comes again and again.
    pub(in super::super) fn may_assume(&self, id: PortId) -> bool {
        let port = self.port(id);
        port.orphans < port.queue_limit + ASSUMED_MAX
    }

    pub(super) fn return_credit_of(&mut self, id: u32, export: u32, destination: PortId) {
        let limit = self.port(destination).queue_limit;
        // The former owner keeps copies of what is not received, and credit tells it.
        let prompt = self.port(destination).port_destroyed.is_some();
        if self.port(destination).tells {
            self.post(id, Frame::Received { export });
        }
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(Export::Send { port, granted, queued, owed, .. }) = link.export(export) else {
            return;
        };
        if *port != destination {
            return;
        }
        *queued = queued.saturating_sub(1);
        *owed += 1;
        // A peer without credit waits for it; else credit goes back in batches.
        if *owed >= (limit / 4).max(1) || *granted == 0 || prompt {
            // With a lowered limit the peer has had more than its due, and what is owed is written off.
            let count = (*owed).min(limit.saturating_sub(*granted + *queued));
            *owed = 0;
            if count > 0 {
                *granted += count;
                self.post(id, Frame::Credit { export, count });
            }
        }
    }

    /// The queue limit has changed: peers that hold send rights get more credit, or are asked for what they have not used.
    pub(in super::super) fn regrant(&mut self, id: PortId) {
        let (limit, allowance) = (self.port(id).queue_limit, self.allowance(id));
        self.port_mut(id).is_short |= allowance < limit;
        for (link_id, export) in self.port(id).exports.clone() {
            self.grant_up_to(link_id, export, allowance);
            let Some(link) = self.links.get_mut(link_id) else { continue };
            let Some(Export::Send { granted, queued, owed, .. }) = link.export(export) else {
                continue;
            };
            let out = *granted + *owed + *queued;
            if out > limit && *granted > 0 {
                let count = (out - limit).min(*granted);
                self.post(link_id, Frame::Revoke { export, count });
            }
        }
    }
}
