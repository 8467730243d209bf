//! Bytes to values.

use super::{DecodeError, Decoder, Encode};

/// A value that can be read out of a message, borrowing from it for `'de`. `#[derive(MachMessage)]` implements it;
/// [`Encode`] shows how to do it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read out of a message",
    note = "derive it: `#[derive(MachMessage)]`; `&T` and `&[T]` can be borrowed from a message when `T` is plain data"
)]
pub trait Decode<'de>: Encode + Sized {
    /// Reads the value.
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError>;

    /// Reads `count` values that follow one another. Plain data does it in one copy.
    ///
    /// `count` was checked against the bytes that are left ([`Decoder::count`]), or is a constant.
    #[inline]
    fn decode_vec(count: usize, input: &mut Decoder<'de>) -> Result<Vec<Self>, DecodeError> {
        let mut values = Vec::with_capacity(input.room_for::<Self>(count));
        for index in 0..count {
            values.push(Self::decode(input).map_err(|error| error.in_element(index))?);
        }
        Ok(values)
    }

    /// Reads `count` arrays that follow one another. Plain data does it in one copy.
    #[inline]
    fn decode_array_vec<const N: usize>(
        count: usize,
        input: &mut Decoder<'de>,
    ) -> Result<Vec<[Self; N]>, DecodeError> {
        let mut values = Vec::with_capacity(input.room_for::<[Self; N]>(count));
        for index in 0..count {
            values.push(Self::decode_array(input).map_err(|error| error.in_element(index))?);
        }
        Ok(values)
    }

    /// Reads `N` values that follow one another. Plain data does it in one copy.
    #[inline]
    fn decode_array<const N: usize>(input: &mut Decoder<'de>) -> Result<[Self; N], DecodeError> {
        let mut error = None;
        let values: [Option<Self>; N] = core::array::from_fn(|index| {
            if error.is_some() {
                return None;
            }
            Self::decode(input).map_err(|reason| error = Some(reason.in_element(index))).ok()
        });
        match error {
            Some(error) => Err(error),
            None => Ok(values
                .map(|value| value.unwrap_or_else(|| unreachable!("without an error all values are read")))),
        }
    }
}
