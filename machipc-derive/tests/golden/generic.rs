//! Parameters of every kind.

use std::marker::PhantomData;

/// `T` may borrow: `Tagged<&str>` is a message.
#[derive(Debug, PartialEq, machipc::MachMessage)]
pub struct Tagged<'a, T, const N: usize = 2> {
    pub tag: &'a str,
    pub values: [T; N],
}

/// `K` is bounded, so it is owned; `M` is in no message.
#[derive(Debug, PartialEq, machipc::MachMessage)]
pub enum Keyed<K: Ord, M: ?Sized> {
    Keys(std::collections::BTreeSet<K>),
    Nothing(PhantomData<M>),
}
