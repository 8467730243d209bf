//! `uuid::Uuid`: its sixteen bytes, in the order in which they are written.

use ::uuid::Uuid;

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

impl Encode for Uuid {
    const MIN_SIZE: usize = 16;

    fn schema(schema: &mut Schema) {
        schema.push("uuid");
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.bytes(self.as_bytes());
        Ok(())
    }
}

impl<'de> Decode<'de> for Uuid {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.pod().map(Self::from_bytes)
    }
}

owned_message!(Uuid);
