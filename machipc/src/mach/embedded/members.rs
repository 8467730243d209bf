//! A port set's members, and whose turn it is.

use std::collections::{HashMap, VecDeque};

use super::port::PortId;

/// A set's members. Those with messages stand in a row, so that a receive finds one at once, however many members there are.
#[derive(Default)]
pub(super) struct Members {
    /// Each member, with its place in the row if it has messages.
    all: HashMap<PortId, Option<u64>>,
    /// A place counts only while it is the member's: one that a member has lost stays until it is come across or swept away.
    row: VecDeque<(u64, PortId)>,
    /// How many places count.
    ready: usize,
    places: u64,
}

impl Members {
    pub(super) fn insert(&mut self, port: PortId, has_messages: bool) {
        self.all.insert(port, None);
        if has_messages {
            self.stand(port);
        }
    }

    pub(super) fn remove(&mut self, port: PortId) {
        if let Some(Some(_)) = self.all.remove(&port) {
            self.ready -= 1;
            self.sweep();
        }
    }

    /// A message has come to a member, which stands in the row from now on.
    pub(super) fn filled(&mut self, port: PortId) {
        if let Some(None) = self.all.get(&port) {
            self.stand(port);
        }
    }

    /// A message was taken from a member: if it has more it goes to the row's end.
    pub(super) fn taken(&mut self, port: PortId, has_messages: bool) {
        if let Some(place) = self.all.get_mut(&port)
            && place.take().is_some()
        {
            self.ready -= 1;
        }
        if has_messages {
            self.stand(port);
        }
        self.sweep();
    }

    /// The member with messages whose turn it is.
    pub(super) fn next(&mut self) -> Option<PortId> {
        loop {
            let &(place, port) = self.row.front()?;
            if self.all.get(&port) == Some(&Some(place)) {
                return Some(port);
            }
            self.row.pop_front();
        }
    }

    /// Whether any member has messages.
    pub(super) fn has_messages(&self) -> bool {
        self.ready > 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = PortId> {
        self.all.keys().copied()
    }

    fn stand(&mut self, port: PortId) {
        let Some(place) = self.all.get_mut(&port) else { return };
        self.places += 1;
        *place = Some(self.places);
        self.row.push_back((self.places, port));
        self.ready += 1;
    }

    /// Keeps the row from growing where nobody receives from the set.
    fn sweep(&mut self) {
        if self.row.len() > 2 * self.ready + 16 {
            self.row.retain(|(place, port)| self.all.get(port) == Some(&Some(*place)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_take_turns() {
        let (a, b) = (PortId(1), PortId(2));
        let mut members = Members::default();
        members.insert(a, true);
        members.insert(b, false);
        assert_eq!(members.next(), Some(a));
        members.filled(b);
        members.taken(a, true);
        assert_eq!(members.next(), Some(b));
        members.taken(b, false);
        assert_eq!(members.next(), Some(a));
        members.remove(a);
        assert_eq!(members.next(), None);
        assert!(!members.has_messages());
    }

    #[test]
    fn places_that_count_no_longer_are_swept_away() {
        let mut members = Members::default();
        for round in 0..10_000 {
            let port = PortId(round % 3);
            members.insert(port, true);
            members.remove(port);
            assert!(members.row.len() < 100);
        }
        let member = PortId(7);
        members.insert(member, false);
        for _ in 0..10_000 {
            members.filled(member);
            members.taken(member, false);
            assert!(members.row.len() < 100);
        }
    }
}
