//! Descriptors that tell, to whoever polls them, that there is something to receive.
//!
//! Each is an `eventfd` that is readable exactly while something is there. Whatever changes what can be received notes
//! whom it concerns in `unsettled`; before the lock is released each of those is looked at and its descriptor written
//! or read, if that changes anything. So the state and the descriptor cannot disagree, no wake-up can be lost, and a
//! message that comes and goes under one lock costs no system call. It is the one place where the lock is held over
//! system calls: made after it, a write and a read of two threads could change places.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::EventfdFlags;

use super::kernel::Kernel;
use super::port::{PortId, SetId};
use super::slab::Slab;
use super::space::Object;
use crate::mach::{
    KERN_INVALID_ARGUMENT, KERN_INVALID_NAME, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE, kern_return_t,
    mach_port_name_t,
};

type Result<T = ()> = core::result::Result<T, kern_return_t>;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Port(PortId),
    Set(SetId),
    /// The receive right or the set has gone: a receive would tell so, and always will.
    Gone,
}

struct Readiness {
    source: Source,
    event: OwnedFd,
    readable: bool,
}

/// Every open descriptor.
pub(super) struct Readinesses {
    all: Slab<Readiness>,
    by_descriptor: HashMap<RawFd, u32>,
    by_source: HashMap<Source, Vec<u32>>,
    unsettled: Vec<u32>,
}

impl Readinesses {
    pub(super) fn new() -> Self {
        Self {
            all: Slab::new(),
            by_descriptor: HashMap::new(),
            by_source: HashMap::new(),
            unsettled: Vec::new(),
        }
    }

    fn unsettle(&mut self, source: Source) {
        if let Some(watching) = self.by_source.get(&source) {
            self.unsettled.extend(watching);
        }
    }

    fn find(&self, descriptor: RawFd) -> Result<u32> {
        self.by_descriptor.get(&descriptor).copied().ok_or(KERN_INVALID_ARGUMENT)
    }

    /// What `source` stands for can be received from no longer.
    fn lose(&mut self, source: Source) {
        if self.by_source.is_empty() {
            return;
        }
        for id in self.by_source.remove(&source).unwrap_or_default() {
            if let Some(readiness) = self.all.get_mut(id) {
                readiness.source = Source::Gone;
                self.unsettled.push(id);
            }
        }
    }
}

impl Kernel {
    pub(super) fn open_readiness(&mut self, name: mach_port_name_t) -> Result<RawFd> {
        let source = match self.entry(name).ok_or(KERN_INVALID_NAME)?.object {
            Object::Port { port, receive: true, .. } => Source::Port(port),
            Object::Set(set) => Source::Set(set),
            _ => return Err(KERN_INVALID_RIGHT),
        };
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|_| KERN_RESOURCE_SHORTAGE)?;
        let descriptor = event.as_raw_fd();
        let table = &mut self.readiness;
        let id = table.all.insert(Readiness { source, event, readable: false });
        table.by_descriptor.insert(descriptor, id);
        table.by_source.entry(source).or_default().push(id);
        table.unsettled.push(id);
        self.watch_for_readiness();
        Ok(descriptor)
    }

    pub(super) fn is_ready(&mut self, descriptor: RawFd) -> Result<bool> {
        let id = self.readiness.find(descriptor)?;
        Ok(self.readiness.all.get(id).is_some_and(|readiness| self.has_message(readiness.source)))
    }

    pub(super) fn close_readiness(&mut self, descriptor: RawFd) -> Result {
        let id = self.readiness.find(descriptor)?;
        let table = &mut self.readiness;
        table.by_descriptor.remove(&descriptor);
        if let Some(closed) = table.all.remove(id)
            && let Some(watching) = table.by_source.get_mut(&closed.source)
        {
            watching.retain(|&other| other != id);
            if watching.is_empty() {
                table.by_source.remove(&closed.source);
            }
        }
        self.watch_for_readiness();
        Ok(())
    }

    /// Has the janitor stand in sooner while somebody polls a descriptor and so does not lead.
    fn watch_for_readiness(&self) {
        if let Some(poller) = self.links.poller {
            poller.set_polled(self.has_readiness());
        }
    }

    pub(super) fn has_readiness(&self) -> bool {
        !self.readiness.by_descriptor.is_empty()
    }

    pub(super) fn has_unsettled_readiness(&self) -> bool {
        !self.readiness.unsettled.is_empty()
    }

    fn has_message(&self, source: Source) -> bool {
        match source {
            Source::Port(port) => !self.port(port).queue.is_empty(),
            Source::Set(set) => self.sets.get(set.0).is_some_and(|set| set.members.has_messages()),
            Source::Gone => true,
        }
    }

    // ---- What changes

    /// A message has come to a port's queue or has left it.
    pub(super) fn queue_changed(&mut self, id: PortId) {
        if !self.has_readiness() {
            return;
        }
        self.readiness.unsettle(Source::Port(id));
        for index in 0..self.port(id).sets.len() {
            let set = self.port(id).sets[index];
            self.readiness.unsettle(Source::Set(set));
        }
    }

    /// A set has another member, or one less.
    pub(super) fn members_changed(&mut self, id: SetId) {
        self.readiness.unsettle(Source::Set(id));
    }

    /// A port cannot be received from any more: it has died or moved away.
    pub(super) fn receive_right_lost(&mut self, id: PortId) {
        self.readiness.lose(Source::Port(id));
    }

    pub(super) fn set_lost(&mut self, id: SetId) {
        self.readiness.lose(Source::Set(id));
    }

    /// Makes every descriptor say what is. Called before the lock is released.
    pub(super) fn settle_readiness(&mut self) {
        while let Some(id) = self.readiness.unsettled.pop() {
            let Some(readiness) = self.readiness.all.get(id) else { continue };
            let ready = self.has_message(readiness.source);
            let Some(readiness) = self.readiness.all.get_mut(id) else { continue };
            if ready == core::mem::replace(&mut readiness.readable, ready) {
                continue;
            }
            // Neither can fail: the count is 0 before the write and 1 before the read.
            if ready {
                let _ = rustix::io::write(&readiness.event, &1_u64.to_ne_bytes());
            } else {
                let _ = rustix::io::read(&readiness.event, &mut [0; 8]);
            }
        }
    }
}
