//! Values to bytes.

use super::{EncodeError, Encoder, Schema};

/// A value that can be a part of a message. `#[derive(MachMessage)]` implements it; the types of the standard library that
/// can travel implement it already.
///
/// By hand it is this, for a type that the derive cannot see into:
///
/// ```
/// use machipc::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, Schema};
///
/// /// From 0 to 100.
/// #[derive(Debug, PartialEq)]
/// struct Percent(u8);
///
/// impl Encode for Percent {
///     const MIN_SIZE: usize = 1;
///
///     fn schema(schema: &mut Schema) {
///         schema.named::<Self>("Percent", |schema| schema.part::<u8>());
///     }
///
///     fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
///         self.0.encode(out)
///     }
/// }
///
/// impl<'de> Decode<'de> for Percent {
///     fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
///         match u8::decode(input)? {
///             percent @ 0..=100 => Ok(Self(percent)),
///             other => Err(DecodeError::new(format!("{other} percent, 100 is the most"))),
///         }
///     }
/// }
///
/// impl MachMessage for Percent {
///     type View<'a> = Self;
/// }
///
/// assert_eq!(Percent::decode(&mut Decoder::new(&[40], None)), Ok(Percent(40)));
/// assert!(Percent::decode(&mut Decoder::new(&[101], None)).is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent in a message",
    note = "derive it: `#[derive(MachMessage)]`"
)]
pub trait Encode {
    /// The fewest bytes that an encoded value takes, padding not counted. It is a part of the format: in sequences, elements
    /// whose `MIN_SIZE` is 0 cost a byte each, so it must be 0 exactly where a value may take no bytes.
    ///
    /// It must not ask for the `MIN_SIZE` of a type that may contain this one: an enum's is the size of its tag.
    const MIN_SIZE: usize;

    /// Appends the type's description.
    fn schema(schema: &mut Schema);

    /// Appends the value.
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError>;

    /// Whether the value, as an answer, says that the request has failed: it is an `Err`. What
    /// [interceptors](crate::Outcome::AnsweredErr) are told.
    #[doc(hidden)]
    #[inline]
    fn is_failure(&self) -> bool {
        false
    }

    /// Appends values one after the other, without their count. Plain data does it in one copy; the bytes are the same.
    #[inline]
    fn encode_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError>
    where
        Self: Sized,
    {
        for (index, value) in values.iter().enumerate() {
            value.encode(out).map_err(|error| error.in_element(index))?;
        }
        Ok(())
    }
}
