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
    /// As [`OutOfLinePart::MIN_SIZE`].
    const MIN_SIZE: usize = 4;

    /// As [`OutOfLinePart::describe`].
    fn describe(schema: &mut Schema);

    /// As [`OutOfLinePart::describe_last`].
    fn describe_last(schema: &mut Schema) {
        Self::describe(schema);
    }

    /// As [`OutOfLinePart::put`].
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError>;

    /// Makes a value of the bytes.
    fn from_bytes(bytes: &'de [u8]) -> Result<Self, DecodeError>;

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

/// A field whose type has parameters and whose bytes travel as out-of-line memory, on its way out.
pub trait OutOfLinePart {
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

    /// Attaches the field called `name`.
    #[inline]
    fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
        out.attach(Attachment::Bytes(Self::bytes(value))).map_err(|error| error.in_field(name))
    }
}

/// What out-of-line memory holds: text, or plain data in a row.
trait Content {
    fn describe(schema: &mut Schema);
    fn bytes(&self) -> &[u8];
}

impl Content for str {
    fn describe(schema: &mut Schema) {
        schema.push("ool str");
    }
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<T: Pod> Content for [T] {
    fn describe(schema: &mut Schema) {
        schema.push("ool");
        // Bytes are what `OolBuffer` is, so that one side may use it.
        if TypeId::of::<T>() != TypeId::of::<u8>() {
            schema.push("[");
            schema.part::<T>();
            schema.push("]");
        }
    }
    fn bytes(&self) -> &[u8] {
        IntoBytes::as_bytes(self)
    }
}

macro_rules! sent {
    ($([$($generics:tt)*] $type:ty, as $content:ty;)*) => { $(
        impl<$($generics)*> OutOfLinePart for $type {
            fn describe(schema: &mut Schema) {
                <$content as Content>::describe(schema);
            }
            #[inline]
            fn bytes(value: &Self) -> &[u8] {
                <$content as Content>::bytes(value)
            }
        }
    )* };
}

sent! {
    [T: Pod] Vec<T>, as [T];
    [T: Pod] Box<[T]>, as [T];
    [T: Pod] &[T], as [T];
    [T: Pod + Clone] Cow<'_, [T]>, as [T];
    [] String, as str;
    [] Box<str>, as str;
    [] &str, as str;
    [] Cow<'_, str>, as str;
}

macro_rules! received {
    ($([$($generics:tt)*] $type:ty, by $from_bytes:expr;)*) => { $(
        // The error that is wanted is the one about `OutOfLine`, not one about the bounds here.
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> OutOfLine<'de> for $type {
            fn describe(schema: &mut Schema) {
                <Self as OutOfLinePart>::describe(schema);
            }
            #[inline]
            fn put<'m>(value: &'m Self, out: &mut Encoder<'m>, name: &'static str) -> Result<(), EncodeError> {
                <Self as OutOfLinePart>::put(value, out, name)
            }
            #[inline]
            fn from_bytes(bytes: &'de [u8]) -> Result<Self, DecodeError> {
                $from_bytes(bytes).map(Into::into)
            }
        }
    )* };
}

received! {
    ['de, T: Pod + Decode<'de>] Vec<T>, by owned_items;
    ['de, T: Pod + Decode<'de>] Box<[T]>, by owned_items::<T>;
    ['de: 'a, 'a, T: Pod] &'a [T], by borrowed_items;
    ['de: 'a, 'a, T: Pod + Clone] Cow<'a, [T]>, by borrowed_items::<T>;
    ['de] String, by text;
    ['de] Box<str>, by text;
    ['de: 'a, 'a] &'a str, by text;
    ['de: 'a, 'a] Cow<'a, str>, by text;
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
