//! What the message tests share: encoding into a dirty buffer, and types written by hand.

#![allow(dead_code)] // each test binary uses its part

use std::collections::BTreeMap;

use machipc::message::{AlignedBuffer, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

/// Encodes into a buffer that is full of what an earlier message left there.
pub fn encode<T: Encode + ?Sized>(value: &T) -> AlignedBuffer {
    try_encode(value).unwrap_or_else(|error| panic!("{error}"))
}

pub fn try_encode<T: Encode + ?Sized>(value: &T) -> Result<AlignedBuffer, EncodeError> {
    let mut buffer = dirty(256);
    let mut out = Encoder::new(&mut buffer);
    value.encode(&mut out)?;
    out.finish();
    Ok(buffer)
}

/// An empty buffer whose memory is all ones.
pub fn dirty(capacity: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::with_capacity(capacity);
    buffer.set_len(buffer.capacity());
    buffer.as_mut_bytes().fill(0xff);
    buffer.clear();
    buffer
}

/// Bytes at an aligned address, as a receiver has them.
pub fn aligned(bytes: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::with_capacity(bytes.len());
    buffer.set_len(bytes.len());
    buffer.as_mut_bytes().copy_from_slice(bytes);
    buffer
}

pub fn decode<'de, T: Decode<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    let mut input = Decoder::new(bytes, None);
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// Implements the codec as the derive does.
macro_rules! message_struct {
    ($name:ident $(<$lifetime:lifetime>)? { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name $(<$lifetime>)? { $(pub(crate) $field: $type),* }

        impl $(<$lifetime>)? Encode for $name $(<$lifetime>)? {
            const MIN_SIZE: usize = 0 $(+ <$type>::MIN_SIZE)*;

            fn schema(schema: &mut Schema) {
                schema.named::<Self>(stringify!($name), |schema| {
                    schema.push("{");
                    $(
                        schema.push(concat!(stringify!($field), ":"));
                        schema.part::<$type>();
                        schema.push(",");
                    )*
                    schema.push("}");
                });
            }

            fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
                out.nested(|out| {
                    $(self.$field.encode(out)
                        .map_err(|error| error.in_field(concat!(stringify!($name), ".", stringify!($field))))?;)*
                    Ok(())
                })
            }
        }

        impl<'de $(: $lifetime, $lifetime)?> Decode<'de> for $name $(<$lifetime>)? {
            fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
                input.nested(|input| Ok(Self {
                    $($field: <$type>::decode(input)
                        .map_err(|error| error.in_field(concat!(stringify!($name), ".", stringify!($field))))?,)*
                }))
            }
        }
    };
}
#[allow(unused_imports)]
pub(crate) use message_struct;

message_struct! {
    Rich<'a> {
        id: u64,
        kind: u32,
        x: f64,
        flag: bool,
        letter: char,
        name: &'a str,
        samples: &'a [u32],
        point: &'a [f64; 2],
        big: u128,
        owned: Vec<String>,
        pairs: Vec<(u8, Option<u64>)>,
        table: BTreeMap<String, Vec<[u16; 3]>>,
        outcome: Result<(), std::net::SocketAddr>,
        tree: Tree,
    }
}

message_struct! { Tree { label: u16, children: Vec<Tree> } }

impl Tree {
    /// A tree of this many levels.
    pub fn of_depth(levels: u16) -> Self {
        let mut tree = Self { label: 0, children: Vec::new() };
        for label in 1..levels {
            tree = Self { label, children: vec![tree] };
        }
        tree
    }
}

pub const SAMPLES: [u32; 5] = [1, 2, 3, u32::MAX, 0];
pub const POINT: [f64; 2] = [1.5, -2.5];

impl Rich<'_> {
    /// A value with something in every part.
    pub fn example() -> Rich<'static> {
        Rich {
            id: 0x0102_0304_0506_0708,
            kind: 7,
            x: -0.5,
            flag: true,
            letter: 'ß',
            name: "a name, größer",
            samples: &SAMPLES,
            point: &POINT,
            big: u128::MAX / 3,
            owned: vec!["one".into(), String::new(), "three".into()],
            pairs: vec![(1, None), (2, Some(3)), (4, Some(5))],
            table: BTreeMap::from([("a".into(), vec![[1, 2, 3], [4, 5, 6]]), ("b".into(), vec![])]),
            outcome: Err("[::1]:80".parse().unwrap()),
            tree: Tree {
                label: 9,
                children: vec![
                    Tree { label: 10, children: vec![] },
                    Tree { label: 11, children: vec![Tree { label: 12, children: vec![] }] },
                ],
            },
        }
    }
}
