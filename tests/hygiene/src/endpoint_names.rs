//! An endpoint among names that generated code might take for its own. Its client's parameters have the names of the fields, so no
//! constant may be called the same.

#![allow(dead_code, unused_imports, reason = "much of it is only in the way")]

use ::ipc;
use ::std::string::String;

use crate::names::{
    Clone, Default, Err, Everything, None, Ok, Option, Result, Self_, Send, Some, Vec, core, i32, machipc,
    std, usize,
};

#[ipc::endpoint("com.example.hygiene.names", crate = "ipc")]
pub(crate) enum Endpoint<'m, 'de, Error: ::std::cmp::Ord> {
    Ok,
    Err { key: &'m str, value: &'de str, reply: ::ipc::Reply<u8> },
    Some { name: Error, id: u8, tag: u8, out: u8, input: u8, client: u8 },
    None(u8, String, ::ipc::Reply<Error>),
    Result { reply: u8, request: u8, answer: ::ipc::Reply<u8> },
    r#Type,
    Self_,
    Super,
    Gen,
}
