//! `Option` and `Result`: a byte that says which, then the value.

use crate::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};

impl<T: Encode> Encode for Option<T> {
    const MIN_SIZE: usize = 1;

    fn schema(schema: &mut Schema) {
        schema.push("?");
        schema.part::<T>();
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        match self {
            None => {
                out.pod(&0u8);
                Ok(())
            }
            Some(value) => {
                out.pod(&1u8);
                value.encode(out)
            }
        }
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Option<T> {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        match input.pod::<u8>()? {
            0 => Ok(None),
            1 => T::decode(input).map(Some),
            tag => Err(bad_tag(tag, "0 (None) nor 1 (Some)")),
        }
    }
}

impl<T: MachMessage> MachMessage for Option<T> {
    type View<'a> = Option<T::View<'a>>;
}

impl<T: Encode, E: Encode> Encode for Result<T, E> {
    const MIN_SIZE: usize = 1;

    fn is_failure(&self) -> bool {
        self.is_err()
    }

    fn schema(schema: &mut Schema) {
        schema.push("Result(");
        schema.part::<T>();
        schema.push(",");
        schema.part::<E>();
        schema.push(")");
    }

    #[inline]
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        match self {
            Ok(value) => {
                out.pod(&0u8);
                value.encode(out)
            }
            Err(error) => {
                out.pod(&1u8);
                error.encode(out)
            }
        }
    }
}

impl<'de, T: Decode<'de>, E: Decode<'de>> Decode<'de> for Result<T, E> {
    #[inline]
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        match input.pod::<u8>()? {
            0 => T::decode(input).map(Ok),
            1 => E::decode(input).map(Err),
            tag => Err(bad_tag(tag, "0 (Ok) nor 1 (Err)")),
        }
    }
}

impl<T: MachMessage, E: MachMessage> MachMessage for Result<T, E> {
    type View<'a> = Result<T::View<'a>, E::View<'a>>;
}

#[cold]
fn bad_tag(tag: u8, allowed: &str) -> DecodeError {
    DecodeError::new(format!("a tag of {tag} is neither {allowed}"))
}
