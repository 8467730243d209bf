//! What the host and the client of the two-terminal example speak. Both are built from this file.

use machipc::{MachMessage, Reply, SendRight};

/// A store of values by name.
#[machipc::endpoint("com.example.kv")]
pub enum Kv<'a> {
    /// Stores a value.
    Put { key: &'a str, value: &'a [u8] },
    /// Finds a value.
    Get { key: &'a str, reply: Reply<Option<Vec<u8>>> },
    /// Tells `changes` about every value stored under a name that begins with `prefix`.
    Watch { prefix: &'a str, changes: SendRight<Change> },
}

/// A value was stored.
#[derive(MachMessage, Debug)]
pub struct Change {
    /// Its name.
    pub key: String,
    /// Its length.
    pub bytes: u64,
}
