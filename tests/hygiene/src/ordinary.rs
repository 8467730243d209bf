//! The usual types, without a prelude and under another crate's name.

use ::std::prelude::v1::derive;
use ::std::string::String;
use ::std::vec::Vec;

/// A message.
#[derive(Debug, PartialEq, ::ipc::MachMessage)]
#[mach(crate = "::ipc")]
pub struct Put<'a> {
    /// A key.
    pub key: &'a str,
    /// A value.
    #[mach(ool)]
    pub value: Vec<u8>,
    /// Added later.
    #[mach(since = 2, default)]
    pub expires: ::std::option::Option<u64>,
}

/// Plain data.
#[derive(Debug, PartialEq, Clone, Copy)]
#[::ipc::pod(crate = ::ipc)]
pub struct Sample {
    /// A number.
    pub number: u64,
    /// Its kind.
    pub kind: [u8; 8],
}

/// An endpoint.
#[::ipc::endpoint("com.example.hygiene", crate = "::ipc")]
#[derive(Debug)]
pub enum Kv<'a> {
    /// One way.
    Put(Put<'a>),
    /// With an answer.
    Get {
        /// A key.
        key: &'a str,
        /// The answer.
        reply: ::ipc::Reply<::std::option::Option<Sample>>,
    },
    /// Nothing more.
    Clear,
    /// An undocumented field.
    Name(String),
}
