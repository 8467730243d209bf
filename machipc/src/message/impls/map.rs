//! Maps: a count, then keys and values in turn. A key that comes twice is an error.

use core::hash::{BuildHasher, Hash};
use std::collections::{BTreeMap, HashMap};

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

fn describe<K: Encode, V: Encode>(schema: &mut Schema) {
    schema.push("{");
    schema.part::<K>();
    schema.push(":");
    schema.part::<V>();
    schema.push("}");
}

fn encode_entries<'m, K: Encode + 'm, V: Encode + 'm>(
    entries: impl ExactSizeIterator<Item = (&'m K, &'m V)>,
    out: &mut Encoder<'m>,
) -> Result<(), EncodeError> {
    out.len_prefix(entries.len())?;
    for (index, (key, value)) in entries.enumerate() {
        if K::MIN_SIZE + V::MIN_SIZE == 0 {
            out.marker();
        }
        key.encode(out).and_then(|()| value.encode(out)).map_err(|error| error.in_element(index))?;
    }
    Ok(())
}

/// Reads the `index`th entry and hands it to `insert`, which says whether the key is new.
fn decode_entry<'de, K: Decode<'de>, V: Decode<'de>>(
    index: usize,
    input: &mut Decoder<'de>,
    insert: impl FnOnce(K, V) -> bool,
) -> Result<(), DecodeError> {
    if K::MIN_SIZE + V::MIN_SIZE == 0 {
        input.marker()?;
    }
    let key = K::decode(input).map_err(|error| error.in_field("key").in_element(index))?;
    let value = V::decode(input).map_err(|error| error.in_field("value").in_element(index))?;
    if insert(key, value) { Ok(()) } else { Err(DecodeError::new("its key came before").in_element(index)) }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        describe::<K, V>(schema);
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        encode_entries(self.iter(), out)
    }
}

impl<'de, K: Decode<'de> + Ord, V: Decode<'de>> Decode<'de> for BTreeMap<K, V> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let mut map = Self::new();
        for index in 0..input.count(K::MIN_SIZE + V::MIN_SIZE)? {
            decode_entry(index, input, |key, value| map.insert(key, value).is_none())?;
        }
        Ok(map)
    }
}

impl<K: Encode + Ord + for<'x> Decode<'x>, V: Encode + for<'x> Decode<'x>> MachMessage for BTreeMap<K, V> {
    type View<'a> = Self;
}

impl<K: Encode, V: Encode, S> Encode for HashMap<K, V, S> {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        describe::<K, V>(schema);
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        encode_entries(self.iter(), out)
    }
}

impl<'de, K: Decode<'de> + Eq + Hash, V: Decode<'de>, S: BuildHasher + Default> Decode<'de>
    for HashMap<K, V, S>
{
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        let count = input.count(K::MIN_SIZE + V::MIN_SIZE)?;
        let mut map = Self::with_capacity_and_hasher(input.room_for::<(K, V)>(count), S::default());
        for index in 0..count {
            decode_entry(index, input, |key, value| map.insert(key, value).is_none())?;
        }
        Ok(map)
    }
}

impl<K, V, S> MachMessage for HashMap<K, V, S>
where
    K: Eq + Hash + for<'x> Decode<'x>,
    V: for<'x> Decode<'x>,
    S: BuildHasher + Default,
{
    type View<'a> = Self;
}
