//! A table of values under small, reused indices.

/// Unused slots that are no crowd.
const KEPT: usize = 1024;

/// Values of `T`, each under an index that stays the same until the value is removed.
pub(super) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.insert_with(|| value)
    }

    /// [`insert`](Self::insert) of a large value, which is made in its place. To be moved there right after it was made it would be read in other widths
    /// than it was written in, and that waits until it has reached the cache.
    #[inline(always)]
    pub(super) fn insert_with(&mut self, make: impl FnOnce() -> T) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        *slot = Some(make());
        index
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.slots.get_mut(index as usize)?.take()?;
        self.has_freed(index);
        Some(value)
    }

    /// [`remove`](Self::remove) of a value that nobody wants, which is dropped in its place.
    pub(super) fn discard(&mut self, index: u32) {
        if let Some(slot @ Some(_)) = self.slots.get_mut(index as usize) {
            *slot = None;
            self.has_freed(index);
        }
    }

    fn has_freed(&mut self, index: u32) {
        self.free.push(index);
        // Looked at now and then only: a look goes through the whole table.
        if self.free.len().is_multiple_of(KEPT) && self.free.len() > self.slots.len() / 8 * 7 {
            self.trim();
        }
    }

    /// Gives back the room at the end that a crowd has left.
    fn trim(&mut self) {
        let before = self.slots.len();
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        let len = self.slots.len();
        if len <= before / 2 {
            self.slots.shrink_to_fit();
        }
        if len < before {
            self.free.retain(|&index| (index as usize) < len);
        }
    }

    /// Takes every value out.
    pub(super) fn drain(&mut self) -> Vec<(u32, T)> {
        self.free.clear();
        let slots = core::mem::take(&mut self.slots);
        slots
            .into_iter()
            .enumerate()
            .filter_map(|(index, slot)| slot.map(|value| (index as u32, value)))
            .collect()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| slot.as_ref().map(|value| (index as u32, value)))
    }
}
