//! All that the task's name space shows, to prove that a failed call changed nothing.

use super::{Name, Outcome, get_refs, get_status, names};
use machipc::mach::*;
use std::collections::BTreeMap;

/// Every name with its type, references and, for receive rights, status.
pub struct Snapshot(BTreeMap<Name, Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: mach_port_type_t,
    send_refs: u32,
    dead_refs: u32,
    status: Option<mach_port_status_t>,
}

/// Looks at every name. A death that was not observed is observed by this.
pub fn snapshot() -> Outcome<Snapshot> {
    let mut entries = BTreeMap::new();
    for (name, kind) in names()? {
        let receives = kind & MACH_PORT_TYPE_RECEIVE != 0;
        let entry = Entry {
            kind,
            send_refs: get_refs(name, MACH_PORT_RIGHT_SEND).1,
            dead_refs: get_refs(name, MACH_PORT_RIGHT_DEAD_NAME).1,
            status: receives.then(|| get_status(name).1),
        };
        entries.insert(name, entry);
    }
    Ok(Snapshot(entries))
}

impl Snapshot {
    /// Names that are in this snapshot and not in `earlier`.
    pub fn new_since(&self, earlier: &Snapshot) -> Vec<String> {
        let new = self.0.iter().filter(|(name, _)| !earlier.0.contains_key(name));
        new.map(|(name, entry)| format!("{name:#x} of type {:#x}", entry.kind)).collect()
    }

    /// The snapshot without some names.
    pub fn without(mut self, names: &[Name]) -> Snapshot {
        self.0.retain(|name, _| !names.contains(name));
        self
    }

    /// Demands that `after` shows the same.
    pub fn compare(&self, after: &Snapshot, what: &str) -> Outcome {
        for (name, entry) in &self.0 {
            match after.0.get(name) {
                Some(now) if now == entry => {}
                Some(now) => fail!("expected {what} to leave {name:#x} as {entry:?}, got {now:?}"),
                None => fail!("expected {what} to leave {name:#x} as {entry:?}, got no such name"),
            }
        }
        let new = after.new_since(self);
        expect!(new.is_empty(), "expected {what} to make no names, got {}", new.join(", "));
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Demands that the name space looks as it did.
pub fn unchanged(before: &Snapshot, what: &str) -> Outcome {
    before.compare(&snapshot()?, what)
}
