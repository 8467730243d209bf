//! Arrays: the elements, without a count.

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

impl<T: Encode, const N: usize> Encode for [T; N] {
    const MIN_SIZE: usize = T::MIN_SIZE.saturating_mul(N);

    fn schema(schema: &mut Schema) {
        schema.push("[");
        schema.part::<T>();
        schema.push(&format!(";{N}]"));
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        T::encode_slice(self, out)
    }

    #[inline]
    fn encode_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        T::encode_slice(values.as_flattened(), out)
    }
}

impl<'de, T: Decode<'de>, const N: usize> Decode<'de> for [T; N] {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        T::decode_array(input)
    }

    #[inline]
    fn decode_vec(count: usize, input: &mut Decoder<'de>) -> Result<Vec<Self>, DecodeError> {
        T::decode_array_vec(count, input)
    }
}

impl<T: MachMessage, const N: usize> MachMessage for [T; N] {
    type View<'a> = [T::View<'a>; N];
}
