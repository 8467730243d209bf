//! Numbers of fixed size, `bool`, `char`: plain data.

use core::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroU8, NonZeroU16, NonZeroU32,
    NonZeroU64, NonZeroU128,
};

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

macro_rules! plain {
    ($($type:ty = $name:literal),* $(,)?) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = size_of::<$type>();

            fn schema(schema: &mut Schema) {
                schema.push($name);
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.pod(self);
                Ok(())
            }

            #[inline]
            fn encode_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.pod_slice_of_message(values);
                Ok(())
            }
        }

        impl<'de> Decode<'de> for $type {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                input.pod()
            }

            #[inline]
            fn decode_vec(count: usize, input: &mut Decoder<'de>) -> Result<Vec<Self>, DecodeError> {
                Ok(input.pod_slice::<Self>(count)?.to_vec())
            }

            #[inline]
            fn decode_array_vec<const N: usize>(
                count: usize,
                input: &mut Decoder<'de>,
            ) -> Result<Vec<[Self; N]>, DecodeError> {
                Ok(input.pod_slice::<[Self; N]>(count)?.to_vec())
            }

            #[inline]
            fn decode_array<const N: usize>(input: &mut Decoder<'de>) -> Result<[Self; N], DecodeError> {
                input.pod()
            }
        }

        owned_message!($type);
    )* };
}

plain! {
    u8 = "u8", u16 = "u16", u32 = "u32", u64 = "u64", u128 = "u128",
    i8 = "i8", i16 = "i16", i32 = "i32", i64 = "i64", i128 = "i128",
    f32 = "f32", f64 = "f64", bool = "bool", char = "char",
    NonZeroU8 = "nonzero u8", NonZeroU16 = "nonzero u16", NonZeroU32 = "nonzero u32", NonZeroU64 = "nonzero u64",
    NonZeroU128 = "nonzero u128",
    NonZeroI8 = "nonzero i8", NonZeroI16 = "nonzero i16", NonZeroI32 = "nonzero i32", NonZeroI64 = "nonzero i64",
    NonZeroI128 = "nonzero i128",
}
