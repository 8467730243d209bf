//! Numbers that are not plain data: those of the machine's width, and `Wrapping`.

use core::num::{NonZeroIsize, NonZeroUsize, Wrapping};

use super::owned_message;
use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

/// Numbers of the machine's width travel with 64 bits.
macro_rules! wide {
    ($($type:ty as $wire:ty = $name:literal, $to_wire:expr, $from_wire:expr;)*) => { $(
        impl Encode for $type {
            const MIN_SIZE: usize = size_of::<$wire>();

            fn schema(schema: &mut Schema) {
                schema.push($name);
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                let wire: $wire = $to_wire(*self);
                out.pod(&wire);
                Ok(())
            }
        }

        impl<'de> Decode<'de> for $type {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                let wire: $wire = input.pod()?;
                $from_wire(wire).ok_or_else(|| DecodeError::new(format!("{wire} is no {}", stringify!($type))))
            }
        }

        owned_message!($type);
    )* };
}

wide! {
    usize as u64 = "usize", |value| value as u64, |wire| usize::try_from(wire).ok();
    isize as i64 = "isize", |value| value as i64, |wire| isize::try_from(wire).ok();
    NonZeroUsize as u64 = "nonzero usize", |value: NonZeroUsize| value.get() as u64,
        |wire| usize::try_from(wire).ok().and_then(NonZeroUsize::new);
    NonZeroIsize as i64 = "nonzero isize", |value: NonZeroIsize| value.get() as i64,
        |wire| isize::try_from(wire).ok().and_then(NonZeroIsize::new);
}

impl<T: Encode> Encode for Wrapping<T> {
    const MIN_SIZE: usize = T::MIN_SIZE;

    fn schema(schema: &mut Schema) {
        schema.part::<T>();
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.0.encode(out)
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Wrapping<T> {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        T::decode(input).map(Wrapping)
    }
}

impl<T: MachMessage> MachMessage for Wrapping<T> {
    type View<'a> = Wrapping<T::View<'a>>;
}
