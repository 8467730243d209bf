//! An endpoint.

use machipc::Reply;

#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Put<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
}

/// A store of values by name.
#[machipc::endpoint("com.example.golden.kv")]
#[derive(Debug)]
pub enum Kv<'a> {
    /// Stores a value.
    Put(Put<'a>),
    /// Finds a value.
    Get {
        key: &'a str,
        reply: Reply<Option<Vec<u8>>>,
    },
    Load {
        name: String,
        #[mach(ool)]
        data: Vec<u8>,
    },
    Move(u32, &'a str, Reply<bool>),
    #[mach(id = 0x4000_0001)]
    Clear,
}
