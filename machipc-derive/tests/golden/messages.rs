//! Structs of every shape, and an enum.

use std::collections::BTreeMap;

/// What is borrowed stays in the receive buffer.
#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Put<'a> {
    pub key: &'a str,
    pub value: &'a [u8],
    #[mach(since = 2)]
    pub expires: Option<u64>,
    #[mach(since = 3, default = "owner")]
    pub owner: &'a str,
}

fn owner() -> &'static str {
    "nobody"
}

#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Pair(pub u32, pub BTreeMap<String, u8>);

#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Ping;

#[derive(Debug, PartialEq, machipc::MachMessage)]
pub enum Tree {
    Leaf,
    Value(i64),
    #[mach(id = 7)]
    Node {
        left: Box<Tree>,
        right: Box<Tree>,
    },
}

#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Blob<'a> {
    pub name: String,
    #[mach(ool)]
    pub data: &'a [u8],
}
