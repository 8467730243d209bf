//! Ranges: their bounds.

use core::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

macro_rules! range {
    ($($type:ident = $name:literal, $bounds:literal, |$range:ident| [$($bound:expr),*], $make:expr;)*) => { $(
        impl<T: Encode> Encode for $type<T> {
            const MIN_SIZE: usize = $bounds * T::MIN_SIZE;

            fn schema(schema: &mut Schema) {
                schema.push($name);
                schema.push("(");
                schema.part::<T>();
                schema.push(")");
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                let $range = self;
                $($bound.encode(out)?;)*
                Ok(())
            }
        }

        impl<'de, T: Decode<'de>> Decode<'de> for $type<T> {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                let make: fn([T; $bounds]) -> Self = $make;
                T::decode_array::<$bounds>(input).map(make)
            }
        }

        impl<T: MachMessage> MachMessage for $type<T> {
            type View<'a> = $type<T::View<'a>>;
        }
    )* };
}

range! {
    Range = "Range", 2, |range| [range.start, range.end], |[start, end]| start..end;
    RangeInclusive = "RangeInclusive", 2, |range| [range.start(), range.end()], |[start, end]| start..=end;
    RangeFrom = "RangeFrom", 1, |range| [range.start], |[start]| start..;
    RangeTo = "RangeTo", 1, |range| [range.end], |[end]| ..end;
    RangeToInclusive = "RangeToInclusive", 1, |range| [range.end], |[end]| ..=end;
}

impl Encode for RangeFull {
    const MIN_SIZE: usize = 0;

    fn schema(schema: &mut Schema) {
        schema.push("RangeFull");
    }

    fn encode<'m>(&'m self, _: &mut Encoder<'m>) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<'de> Decode<'de> for RangeFull {
    fn decode(_: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        Ok(..)
    }
}

impl MachMessage for RangeFull {
    type View<'a> = Self;
}
