//! Links that are not read on for a moment, because the same port is being told of on another link.
//!
//! When a port moves, those who hold rights to it learn of the new owner one after the other. Whoever was told first may give a right to the
//! new owner's port to somebody who has not been told yet. That right has to join the one that is there, under its name, but only the
//! former owner's word makes the two one (see `identity`). It has asked for silence already, so its word is on its way: what tells of the right
//! that came early, and all behind it on that link, is taken up after that word.
//!
//! A peer that never gives its word must not hold up others' links for long: all pauses that are due to one peer's link take
//! [`PATIENCE`] together, and then it is not waited for any more.

use std::time::{Duration, Instant};

use super::super::kernel::Kernel;
use super::super::port::Home;
use super::frame::{Frame, HEAD, IDENTITY, THIRD};
use super::identity::split;
use super::{Identity, Links, Partial, frame, place_of};

/// How long all links together wait for one.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A link that is not read on.
pub(super) struct Pause {
    /// Since when, or since it was last looked at.
    since: Instant,
    /// The link that it waits for.
    awaited: u32,
}

impl Links {
    pub(super) fn is_paused(&mut self, id: u32) -> bool {
        self.get_mut(id).is_some_and(|link| link.pause.is_some())
    }
}

impl Kernel {
    /// Whether the next frame of a link has to wait. It is put back then.
    pub(super) fn pause(&mut self, id: u32, kind: u8, body: &mut Vec<u8>) -> bool {
        let (IDENTITY | THIRD) = kind else { return false };
        let Some(Frame::Identity { identity, .. } | Frame::Third { identity }) = Frame::decode(kind, body)
        else {
            return false;
        };
        let now = Instant::now();
        let paused = self.links.get_mut(id).and_then(|link| link.pause.take());
        if let Some(pause) = &paused
            && let Some(awaited) = self.links.get_mut(pause.awaited)
        {
            awaited.patience = awaited.patience.saturating_sub(now - pause.since);
        }
        let Some(awaited) = self.about_to_tell(&identity, id) else {
            if paused.is_some() {
                self.links.activate(id);
            }
            return false;
        };
        let Some(link) = self.links.get_mut(id) else { return false };
        let (head, place) = (frame::head(body.len(), kind, 0), place_of(HEAD + body.len()));
        body.resize(place - HEAD, 0);
        link.partial = Some(Partial { head, headed: HEAD, body: core::mem::take(body) });
        link.pause = Some(Pause { since: now, awaited });
        // What stands behind the frame would keep whoever watches from sleeping.
        link.active = false;
        self.links.watched.retain(|&watched| watched != id);
        // Whoever sleeps in the poll looks again soon (see `is_stuck`).
        (self.links.changed, self.links.added) = (true, true);
        true
    }

    /// The link on which it is about to be told who has a port now: a right with its mark is here, and leads elsewhere until then.
    fn about_to_tell(&mut self, identity: &Identity, by: u32) -> Option<u32> {
        let (mark, _) = split(identity)?;
        let ports = self.links.marks.get(&mark)?.clone();
        if self.known(identity, Some(by)).is_some() {
            return None;
        }
        ports.into_iter().find_map(|port| {
            let Home::Link { link, .. } = self.port(port).home else { return None };
            let state = self.port(port);
            // Who took the port over may have given it on: the answer on the new link tells.
            let (halted, brought_over) = (state.halted, !state.owners.is_empty());
            let awaited = self.links.get_mut(link).filter(|_| link != by)?;
            let untold = halted || (awaited.unidentified && brought_over);
            (untold && !awaited.patience.is_zero()).then_some(link)
        })
    }
}
