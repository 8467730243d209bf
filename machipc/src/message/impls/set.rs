//! Sets: a count, then the elements. An element that comes twice is an error.

use core::hash::{BuildHasher, Hash};
use std::collections::{BTreeSet, HashSet};

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

fn describe<T: Encode>(schema: &mut Schema) {
    schema.push("{");
    schema.part::<T>();
    schema.push("}");
}

fn encode_elements<'m, T: Encode + 'm>(
    elements: impl ExactSizeIterator<Item = &'m T>,
    out: &mut Encoder<'m>,
) -> Result<(), EncodeError> {
    out.len_prefix(elements.len())?;
    for (index, element) in elements.enumerate() {
        if T::MIN_SIZE == 0 {
            out.marker();
        }
        element.encode(out).map_err(|error| error.in_element(index))?;
    }
    Ok(())
}

/// Reads the `index`th element and hands it to `insert`, which says whether it is new.
fn decode_element<'de, T: Decode<'de>>(
    index: usize,
    input: &mut Decoder<'de>,
    insert: impl FnOnce(T) -> bool,
) -> Result<(), DecodeError> {
    if T::MIN_SIZE == 0 {
        input.marker()?;
    }
    let element = T::decode(input).map_err(|error| error.in_element(index))?;
    if insert(element) { Ok(()) } else { Err(DecodeError::new("it came before").in_element(index)) }
}

impl<T: Encode> Encode for BTreeSet<T> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        describe::<T>(schema);
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        encode_elements(self.iter(), out)
    }
}

impl<'de, T: Decode<'de> + Ord> Decode<'de> for BTreeSet<T> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let mut set = Self::new();
        for index in 0..input.count(T::MIN_SIZE)? {
            decode_element(index, input, |element| set.insert(element))?;
        }
        Ok(set)
    }
}

impl<T: Ord + for<'x> Decode<'x>> MachMessage for BTreeSet<T> {
    type View<'a> = Self;
}

impl<T: Encode, S> Encode for HashSet<T, S> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        describe::<T>(schema);
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        encode_elements(self.iter(), out)
    }
}

impl<'de, T: Decode<'de> + Eq + Hash, S: BuildHasher + Default> Decode<'de> for HashSet<T, S> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let count = input.count(T::MIN_SIZE)?;
        let mut set = Self::with_capacity_and_hasher(input.room_for::<T>(count), S::default());
        for index in 0..count {
            decode_element(index, input, |element| set.insert(element))?;
        }
        Ok(set)
    }
}

impl<T: Eq + Hash + for<'x> Decode<'x>, S: BuildHasher + Default> MachMessage for HashSet<T, S> {
    type View<'a> = Self;
}
