//! What points at a value travels as the value.

use core::marker::PhantomData;
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Pod, Schema};

macro_rules! encode_as_target {
    ($($type:ty),*) => { $(
        impl<T: Encode + ?Sized> Encode for $type {
            const MIN_SIZE: usize = T::MIN_SIZE;

            fn schema(schema: &mut Schema) {
                T::schema(schema);
            }

            #[inline]
            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                T::encode(self, out)
            }
        }
    )* };
}

encode_as_target!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Encode + ToOwned + ?Sized> Encode for Cow<'_, T> {
    const MIN_SIZE: usize = T::MIN_SIZE;

    fn schema(schema: &mut Schema) {
        T::schema(schema);
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        T::encode(self, out)
    }
}

impl<'de: 'a, 'a, T: Pod> Decode<'de> for &'a T {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.pod_ref()
    }
}

impl<T: Pod> MachMessage for &T {
    type View<'a> = &'a T;
}

macro_rules! decode_target {
    ($($type:ident),*) => { $(
        impl<'de, T: Decode<'de>> Decode<'de> for $type<T> {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                T::decode(input).map(Self::new)
            }
        }

        impl<T: MachMessage> MachMessage for $type<T> {
            type View<'a> = $type<T::View<'a>>;
        }
    )* };
}

decode_target!(Box, Rc, Arc);

/// No bytes, and no part of the fingerprint's types.
impl<T: ?Sized> Encode for PhantomData<T> {
    const MIN_SIZE: usize = 0;

    fn schema(schema: &mut Schema) {
        schema.push("()");
    }

    #[inline]
    fn encode<'m>(&'m self, _: &mut Encoder<'m>) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<'de, T: ?Sized> Decode<'de> for PhantomData<T> {
    #[inline]
    fn decode(_: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        Ok(PhantomData)
    }
}

impl<T: ?Sized> MachMessage for PhantomData<T> {
    type View<'a> = Self;
}
