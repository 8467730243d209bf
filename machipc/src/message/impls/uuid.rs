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

#[cfg(test)]
mod tests {
    use super::Uuid;
    use crate::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder};

    #[test]
    fn sixteen_bytes_in_writing_order() {
        let uuid = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        let (value, mut buffer) = ((1u8, uuid), AlignedBuffer::new());
        let mut out = Encoder::new(&mut buffer);
        value.encode(&mut out).unwrap();
        out.finish();
        assert_eq!(buffer.as_bytes()[..4], [1, 0x00, 0x11, 0x22]);
        assert_eq!(<(u8, Uuid)>::decode(&mut Decoder::new(buffer.as_bytes(), None)).unwrap(), (1, uuid));
    }
}
