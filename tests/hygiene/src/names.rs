//! Names that generated code might take for its own.

#![allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "they are only in the way"
)]

use ::ipc;
use ::std::prelude::v1::derive;

// Types and values that a prelude would have.
pub(crate) struct Result;
pub(crate) struct Option;
pub(crate) struct Vec;
pub(crate) struct Send;
pub(crate) struct Clone;
pub(crate) struct Default;
pub(crate) struct Self_;
pub(crate) const Ok: u8 = 0;
pub(crate) const Err: u8 = 0;
pub(crate) const Some: u8 = 0;
pub(crate) const None: u8 = 0;
pub(crate) struct usize;
pub(crate) struct i32;
pub(crate) struct machipc;
pub(crate) struct core;
pub(crate) struct std;

// Constants in patterns are compared with, not bound.
pub(crate) const key: u8 = 0;
pub(crate) const out: u8 = 0;
pub(crate) const input: u8 = 0;
pub(crate) const schema: u8 = 0;
pub(crate) const tag: u8 = 0;
pub(crate) const id: u8 = 0;
pub(crate) const name: u8 = 0;
pub(crate) const value: u8 = 0;
pub(crate) const f: u8 = 0;

/// Methods of every type.
pub(crate) trait Everything: ::std::marker::Sized {
    fn nested(self) {}
    fn extension(self) {}
    fn push(self) {}
    fn named(self) {}
    fn pod(self) {}
    fn send(self) {}
    fn call(self) {}
    fn put(self) {}
    fn take(self) {}
    fn describe(self) {}
    fn with_deadline(self) {}
    fn clone(self) {}
    fn encode(self) {}
    fn decode(self) {}
    fn map(self) {}
    fn map_err(self) {}
    fn field(self) {}
    fn finish(self) {}
}

impl<T> Everything for T {}

#[derive(ipc::MachMessage)]
#[mach(crate = "ipc")]
pub(crate) struct Lifetimes<'de, 'm, 'v: 'de> {
    pub(crate) de: &'de str,
    pub(crate) m: &'m str,
    pub(crate) v: &'v str,
    pub(crate) out: u8,
    pub(crate) input: u8,
    pub(crate) schema: u8,
    #[mach(since = 1)]
    pub(crate) __out: u8,
    #[mach(since = 1)]
    pub(crate) __input: u8,
}

#[derive(ipc::MachMessage)]
#[mach(crate = "ipc")]
pub(crate) struct r#type<r#fn, M, const N: ::std::primitive::usize> {
    pub(crate) r#struct: r#fn,
    pub(crate) r#match: [M; N],
}

#[derive(ipc::MachMessage)]
#[mach(crate = "ipc")]
pub(crate) enum Variants {
    Ok(u8),
    Err { tag: u8, __tag: u8 },
    Some { id: u8, __id: u8, __schema: u8 },
    None,
    Self_(u8, u8),
    r#Box { r#in: u8 },
}
