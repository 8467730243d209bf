//! The task's port name space: what each name denotes.

use super::port::{PortId, SetId};
use super::request::Request;
use crate::mach::{
    KERN_INVALID_VALUE, KERN_NAME_EXISTS, KERN_NO_SPACE, MACH_PORT_DEAD, MACH_PORT_TYPE_DEAD_NAME,
    MACH_PORT_TYPE_DNREQUEST, MACH_PORT_TYPE_NONE, MACH_PORT_TYPE_PORT_SET, MACH_PORT_TYPE_RECEIVE,
    MACH_PORT_TYPE_SEND, MACH_PORT_TYPE_SEND_ONCE, MACH_PORT_UREFS_MAX, kern_return_t, mach_port_name_t,
    mach_port_type_t,
};

/// The most names a task can have, of the order of Darwin's.
const MAX_NAMES: usize = 1 << 18;

/// The low bits that every name has set.
const NAME_LOW_BITS: u32 = 3;

/// What a name denotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Rights to one port: a receive right, send rights or both.
    Port { port: PortId, receive: bool, send: bool },
    /// One send-once right.
    SendOnce(PortId),
    /// A port set.
    Set(SetId),
    /// A right whose port has died.
    Dead,
}

/// A used entry of the name space.
pub(super) struct Entry {
    pub(super) object: Object,
    /// References of the send right or of the dead name; 1 for a send-once right.
    pub(super) urefs: u32,
    /// A dead-name or send-possible request.
    pub(super) request: Option<Box<Request>>,
}

impl Entry {
    pub(super) fn new(object: Object, urefs: u32) -> Self {
        Self { object, urefs, request: None }
    }

    /// The bits that `mach_port_type` tells.
    pub(super) fn type_bits(&self) -> mach_port_type_t {
        let object = match self.object {
            Object::Port { receive, send, .. } => {
                (if receive { MACH_PORT_TYPE_RECEIVE } else { MACH_PORT_TYPE_NONE })
                    | (if send { MACH_PORT_TYPE_SEND } else { MACH_PORT_TYPE_NONE })
            }
            Object::SendOnce(_) => MACH_PORT_TYPE_SEND_ONCE,
            Object::Set(_) => MACH_PORT_TYPE_PORT_SET,
            Object::Dead => MACH_PORT_TYPE_DEAD_NAME,
        };
        object | self.request.as_ref().map_or(0, |request| request.type_bits())
    }

    /// Adds a reference, unless the count is pinned at its ceiling.
    pub(super) fn add_ref(&mut self) {
        self.urefs = (self.urefs + 1).min(MACH_PORT_UREFS_MAX);
    }
}

const _: () = assert!(MACH_PORT_TYPE_DNREQUEST == 1 << 31);

#[derive(Default)]
struct Slot {
    generation: u8,
    entry: Option<Entry>,
}

/// Names and what they denote.
pub(super) struct Space {
    slots: Vec<Slot>,
    /// Indices that were free when they were pushed; some may have been taken by name since.
    free: Vec<u32>,
    used: usize,
}

impl Space {
    pub(super) fn new() -> Self {
        // Index 0 is never given out, so that no name is NULL.
        Self { slots: vec![Slot::default()], free: Vec::new(), used: 0 }
    }

    pub(super) fn get(&self, name: mach_port_name_t) -> Option<&Entry> {
        let slot = self.slots.get((name >> 8) as usize)?;
        if slot.generation != name as u8 {
            return None;
        }
        slot.entry.as_ref()
    }

    pub(super) fn get_mut(&mut self, name: mach_port_name_t) -> Option<&mut Entry> {
        let slot = self.slots.get_mut((name >> 8) as usize)?;
        if slot.generation != name as u8 {
            return None;
        }
        slot.entry.as_mut()
    }

    /// Whether there is room for `count` more names.
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.used + count < MAX_NAMES
    }

    /// Puts an entry under a new name; gives it back when the space is full.
    pub(super) fn insert(&mut self, entry: Entry) -> Result<mach_port_name_t, Entry> {
        if !self.has_room(1) {
            return Err(entry);
        }
        let index = loop {
            match self.free.pop() {
                Some(index) if self.slots[index as usize].entry.is_none() => break index,
                Some(_) => {}
                None => {
                    self.slots.push(Slot::default());
                    break (self.slots.len() - 1) as u32;
                }
            }
        };
        let slot = &mut self.slots[index as usize];
        // A new generation each time, so that a stale name is not taken for the new one; both low bits stay set.
        slot.generation = slot.generation.wrapping_add(4) | NAME_LOW_BITS as u8;
        slot.entry = Some(entry);
        self.used += 1;
        Ok((index << 8) | u32::from(slot.generation))
    }

    /// Whether a caller may choose this name for something new: 0, or the code that refuses it.
    pub(super) fn check_chosen(&self, name: mach_port_name_t) -> kern_return_t {
        let index = (name >> 8) as usize;
        if self.slots.get(index).is_some_and(|slot| slot.entry.is_some()) {
            return KERN_NAME_EXISTS;
        }
        if name & NAME_LOW_BITS != NAME_LOW_BITS || name == MACH_PORT_DEAD {
            return KERN_INVALID_VALUE;
        }
        if index == 0 {
            return crate::mach::KERN_FAILURE;
        }
        if index >= MAX_NAMES || !self.has_room(1) {
            return KERN_NO_SPACE;
        }
        0
    }

    /// Puts an entry under a name for which [`check_chosen`](Self::check_chosen) returned 0.
    pub(super) fn insert_chosen(&mut self, name: mach_port_name_t, entry: Entry) {
        let index = (name >> 8) as usize;
        while self.slots.len() <= index {
            self.free.push(self.slots.len() as u32);
            self.slots.push(Slot::default());
        }
        let slot = &mut self.slots[index];
        slot.generation = name as u8;
        slot.entry = Some(entry);
        self.used += 1;
    }

    /// Frees a name and returns what it denoted.
    pub(super) fn remove(&mut self, name: mach_port_name_t) -> Option<Entry> {
        let index = name >> 8;
        let slot = self.slots.get_mut(index as usize)?;
        if slot.generation != name as u8 {
            return None;
        }
        let entry = slot.entry.take()?;
        self.free.push(index);
        self.used -= 1;
        Some(entry)
    }

    /// Every name with its entry.
    pub(super) fn iter(&self) -> impl Iterator<Item = (mach_port_name_t, &Entry)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            slot.entry.as_ref().map(|entry| (((index as u32) << 8) | u32::from(slot.generation), entry))
        })
    }
}
