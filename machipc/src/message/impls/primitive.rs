//! Numbers, `bool`, `char`.

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = size_of::<$type>();

            fn schema(schema: &mut Schema) {
                schema.push(stringify!($type));
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.pod(self);
                Ok(())
            }

            #[inline]
            fn encode_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.pod_slice(values);
                Ok(())
            }
        }

        impl Decode<'_> for $type {
            #[inline]
            fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                input.pod()
            }

            #[inline]
            fn decode_vec(count: usize, input: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError> {
                Ok(input.pod_slice::<Self>(count)?.to_vec())
            }

            #[inline]
            fn decode_array<const N: usize>(input: &mut Decoder<'_>) -> Result<[Self; N], DecodeError> {
                input.pod()
            }
        }

        impl MachMessage for $type {
            type View<'a> = Self;
        }
    )* };
}

plain!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, bool, char);
