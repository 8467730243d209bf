//! What the code that the macros generate is written with. Nothing here is for anybody else: all of it may change with any version.
//!
//! Generated code names everything through this module, so that it compiles under any crate name, without a prelude, and
//! among types that are called `Result` or `Option`.

pub use core::clone::Clone;
pub use core::convert::{From, Into};
pub use core::default::Default;
pub use core::marker::{Send, Sync};
pub use core::mem::{offset_of, size_of};
pub use core::ops::Fn;
pub use core::option::Option::{self, None, Some};
pub use core::primitive::{i32, i128, str, u64, usize};
pub use core::result::Result::{self, Err, Ok};
pub use std::fmt;
pub use std::sync::Arc;
pub use std::time::Duration;
pub use std::vec::Vec;

pub use machipc_derive::Endpoint;

pub use crate::message::{
    Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Pod, Schema,
};
pub use crate::{
    AsyncClient, AsyncHandler, CallError, Client, ConnectOptions, Context, Error, Host, HostStats, Reply,
    SendError, SendRight, WhenFull,
};

mod field;
mod out_of_line;
mod padding;
mod plain;
mod stream;

pub use field::{Answer, Field, Part};
pub use out_of_line::{OutOfLine, OutOfLinePart};
pub use padding::assert_no_padding;
pub use plain::{DerivedPod, PlainData, PodField, Zerocopy};
pub use stream::StreamEnd;

/// Writes the tag that says which variant of an enum follows.
#[inline]
pub fn put_tag(out: &mut Encoder<'_>, tag: u32) {
    out.pod(&tag);
}

/// Reads the tag of an enum.
#[inline]
pub fn take_tag(input: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    input.pod()
}

/// Writes an endpoint that is a part of another message: which variant, and behind its length the payload.
pub fn put_endpoint<'m, M: MachMessage>(message: &'m M, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
    out.pod(&message.message_id());
    out.extension(|out| message.encode_payload(out))
}

/// Reads an endpoint that is a part of another message.
pub fn take_endpoint<'de, M>(
    input: &mut Decoder<'de>,
    take: impl FnOnce(i32, &mut Decoder<'de>) -> Result<M, DecodeError>,
) -> Result<M, DecodeError> {
    let id = input.pod::<i32>()?;
    input.extension(|input| take(id, input))
}

/// Describes how plain data lies in memory.
pub fn describe_layout<T>(schema: &mut Schema) {
    schema.push(&format!(" pod {}/{}", size_of::<T>(), align_of::<T>()));
}

/// Describes a discriminant.
pub fn describe_number(schema: &mut Schema, number: i128) {
    schema.push(&number.to_string());
}

/// One error for what a host answers with and for what keeps it from answering.
pub fn flatten<R: Outcome>(answered: Result<R, Error>) -> Result<R::Value, CallError<R::Error>> {
    answered.map_err(CallError::Ipc)?.into_result().map_err(CallError::Host)
}

/// A `Result`, under whatever alias.
pub trait Outcome {
    /// What is right.
    type Value;
    /// What is wrong.
    type Error;

    /// The result as what it is.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> Outcome for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// The `Debug` form of a client that wraps `client`.
pub fn fmt_client(f: &mut fmt::Formatter<'_>, name: &str, client: &dyn fmt::Debug) -> fmt::Result {
    f.debug_tuple(name).field(client).finish()
}

/// In the place of what could not be generated. A program with such a call does not compile.
pub fn never() -> ! {
    unreachable!("the macro has reported an error")
}
