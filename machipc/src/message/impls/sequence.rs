//! Sequences: a count, then the elements. `Vec`, slices, boxed slices and `VecDeque` are the same on the wire.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Pod, Schema};

/// Appends elements behind their count, each with its marker where it needs one.
#[inline]
fn encode_elements<'m, T: Encode>(values: &'m [T], out: &mut Encoder<'m>) -> Result<(), EncodeError> {
    if T::MIN_SIZE != 0 {
        return T::encode_slice(values, out);
    }
    for (index, value) in values.iter().enumerate() {
        out.marker();
        value.encode(out).map_err(|error| error.in_element(index))?;
    }
    Ok(())
}

#[inline]
fn decode_sequence<'de, T: Decode<'de>>(input: &mut Decoder<'de>) -> Result<Vec<T>, DecodeError> {
    let count = input.count(T::MIN_SIZE)?;
    if T::MIN_SIZE != 0 {
        return T::decode_vec(count, input);
    }
    let mut values = Vec::with_capacity(input.room_for::<T>(count));
    for index in 0..count {
        input.marker()?;
        values.push(T::decode(input).map_err(|error| error.in_element(index))?);
    }
    Ok(values)
}

#[inline]
fn borrow_sequence<'de, T: Pod>(input: &mut Decoder<'de>) -> Result<&'de [T], DecodeError> {
    let count = input.count(T::MIN_SIZE)?;
    if T::MIN_SIZE == 0 {
        for _ in 0..count {
            input.marker()?;
        }
    }
    input.pod_slice(count)
}

impl<T: Encode> Encode for [T] {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("[");
        schema.part::<T>();
        schema.push("]");
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.len_prefix(self.len())?;
        encode_elements(self, out)
    }
}

impl<'de: 'a, 'a, T: Pod> Decode<'de> for &'a [T] {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        borrow_sequence(input)
    }
}

impl<T: Pod> MachMessage for &[T] {
    type View<'a> = &'a [T];
}

/// Borrows from the message.
impl<'de: 'a, 'a, T: Pod + Clone> Decode<'de> for Cow<'a, [T]> {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        borrow_sequence(input).map(Cow::Borrowed)
    }
}

impl<T: Pod + Clone> MachMessage for Cow<'_, [T]> {
    type View<'a> = Cow<'a, [T]>;
}

impl<T: Encode> Encode for Vec<T> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.part::<[T]>();
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.as_slice().encode(out)
    }
}

impl<T: Encode> Encode for VecDeque<T> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.part::<[T]>();
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.len_prefix(self.len())?;
        let (front, back) = self.as_slices();
        encode_elements(front, out)?;
        encode_elements(back, out)
    }
}

macro_rules! from_vec {
    ($($type:ident<$element:tt>),*) => { $(
        impl<'de, T: Decode<'de>> Decode<'de> for $type<$element> {
            #[inline]
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                decode_sequence(input).map(Into::into)
            }
        }

        impl<T: MachMessage> MachMessage for $type<$element> {
            type View<'a> = $type<from_vec!(@view 'a $element)>;
        }
    )* };
    (@view $lifetime:lifetime [T]) => { [T::View<$lifetime>] };
    (@view $lifetime:lifetime T) => { T::View<$lifetime> };
}

from_vec!(Vec<T>, VecDeque<T>, Box<[T]>, Rc<[T]>, Arc<[T]>);
