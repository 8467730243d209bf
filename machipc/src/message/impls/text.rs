//! Text: its length in bytes, then UTF-8.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

impl Encode for str {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("str");
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.len_prefix(self.len())?;
        out.pod_slice_of_message(self.as_bytes());
        Ok(())
    }
}

impl<'de: 'a, 'a> Decode<'de> for &'a str {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        core::str::from_utf8(input.counted_bytes()?).map_err(not_utf8)
    }
}

impl MachMessage for &str {
    type View<'a> = &'a str;
}

/// Borrows from the message.
impl<'de: 'a, 'a> Decode<'de> for Cow<'a, str> {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        <&str>::decode(input).map(Cow::Borrowed)
    }
}

impl MachMessage for Cow<'_, str> {
    type View<'a> = Cow<'a, str>;
}

impl Encode for String {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.part::<str>();
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.as_str().encode(out)
    }
}

impl<'de> Decode<'de> for String {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        // Copied first: the copy is aligned, and aligned text is checked in half the time.
        let text = input.counted_bytes()?.to_vec();
        Self::from_utf8(text).map_err(|error| not_utf8(error.utf8_error()))
    }
}

owned_message!(String);

macro_rules! owned_text {
    ($($type:ty),*) => { $(
        impl<'de> Decode<'de> for $type {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                <&str>::decode(input).map(Into::into)
            }
        }

        owned_message!($type);
    )* };
}

owned_text!(Box<str>, Rc<str>, Arc<str>);

#[cold]
fn not_utf8(error: core::str::Utf8Error) -> DecodeError {
    DecodeError::new(format!("text that is not UTF-8 from byte {} on", error.valid_up_to()))
}
