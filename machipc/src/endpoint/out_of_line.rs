//! Fields that are sent out of line: `#[mach(ool)]`.

use core::any::TypeId;
use std::borrow::Cow;

use zerocopy::IntoBytes;

use crate::message::{Attachment, Decode, DecodeError, Decoder, EncodeError, Encoder, Pod, Schema};

/// A field whose bytes travel as out-of-line memory.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent out of line",
    label = "is neither text nor a sequence of plain data",
    note = "`ool` is for `String`, `&str`, `Cow<str>`, and for `Vec<T>`, `Box<[T]>`, `&[T]`, `Cow<[T]>` where `T` is plain data, such as `u8`"
)]
pub trait OutOfLine<'de>: Sized {
    /// The payload holds the attachment's index.
    const MIN_SIZE: usize = 4;

    /// Describes the field's type.
    fn describe(schema: &mut Schema);

    /// As [`describe`](Self::describe): the payload's end makes no difference to memory outside of it.
    fn describe_last(schema: &mut Schema) {
        Self::describe(schema);
    }

    /// Borrows the bytes.
    fn bytes(value: &Self) -> &[u8];

    /// Makes a value of the bytes.
    fn from_bytes(bytes: &'de [u8]) -> Result<Self, DecodeError>;

    /// Attaches the field called `name`.
    #[inline]
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
        out.attach(Attachment::Bytes(Self::bytes(value))).map_err(|error| error.in_field(name))
    }

    /// Reads the field called `name`.
    #[inline]
    fn take(input: &mut Decoder<'de>, name: &'static str) -> Result<Self, DecodeError> {
        input.ool_bytes().and_then(Self::from_bytes).map_err(|error| error.in_field(name))
    }

    /// Reads the field called `name`, which an older peer does not send.
    #[inline]
    fn take_since(
        input: &mut Decoder<'de>,
        name: &'static str,
        default: impl FnOnce() -> Self,
    ) -> Result<Self, DecodeError> {
        if input.remaining() == 0 { Ok(default()) } else { Self::take(input, name) }
    }
}

macro_rules! items {
    ($([$($generics:tt)*] $type:ty => $from_bytes:expr;)*) => { $(
        // The error that is wanted is the one about `OutOfLine`, not one about the bounds here.
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> OutOfLine<'de> for $type {
            fn describe(schema: &mut Schema) {
                describe_items::<T>(schema);
            }

            #[inline]
            fn bytes(value: &Self) -> &[u8] {
                <[T] as IntoBytes>::as_bytes(value)
            }

            #[inline]
            fn from_bytes(bytes: &'de [u8]) -> Result<Self, DecodeError> {
                $from_bytes(bytes)
            }
        }
    )* };
}

items! {
    ['de, T: Pod + Decode<'de>] Vec<T> => owned_items;
    ['de, T: Pod + Decode<'de>] Box<[T]> => |bytes| owned_items(bytes).map(Vec::into_boxed_slice);
    ['de: 'a, 'a, T: Pod] &'a [T] => borrowed_items;
    ['de: 'a, 'a, T: Pod + Clone] Cow<'a, [T]> => |bytes| borrowed_items(bytes).map(Cow::Borrowed);
}

macro_rules! text {
    ($([$($generics:tt)*] $type:ty;)*) => { $(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> OutOfLine<'de> for $type {
            fn describe(schema: &mut Schema) {
                schema.push("ool str");
            }

            #[inline]
            fn bytes(value: &Self) -> &[u8] {
                str::as_bytes(value)
            }

            #[inline]
            fn from_bytes(bytes: &'de [u8]) -> Result<Self, DecodeError> {
                text(bytes).map(Into::into)
            }
        }
    )* };
}

text! {
    ['de] String;
    ['de] Box<str>;
    ['de: 'a, 'a] &'a str;
    ['de: 'a, 'a] Cow<'a, str>;
}

/// In the schema, out-of-line bytes are what [`OolBuffer`](crate::port::OolBuffer) is, so that one side may use it.
fn describe_items<T: Pod>(schema: &mut Schema) {
    schema.push("ool");
    if TypeId::of::<T>() != TypeId::of::<u8>() {
        schema.push("[");
        schema.part::<T>();
        schema.push("]");
    }
}

fn owned_items<'de, T: Pod + Decode<'de>>(bytes: &'de [u8]) -> Result<Vec<T>, DecodeError> {
    let count = borrowed_items::<T>(bytes)?.len();
    T::decode_vec(count, &mut Decoder::new(bytes, None))
}

fn borrowed_items<T: Pod>(bytes: &[u8]) -> Result<&[T], DecodeError> {
    let size = size_of::<T>().max(1);
    if !bytes.len().is_multiple_of(size) {
        return Err(DecodeError::new(format!(
            "{} bytes out of line, which are no multiple of {size}",
            bytes.len()
        )));
    }
    Decoder::new(bytes, None).pod_slice(bytes.len() / size)
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    core::str::from_utf8(bytes).map_err(|error| {
        DecodeError::new(format!("text out of line is not UTF-8 from byte {} on", error.valid_up_to()))
    })
}
