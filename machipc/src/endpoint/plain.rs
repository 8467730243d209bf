//! Plain data: types with `#[mach(pod)]`, and their fields.

use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

use crate::message::{DecodeError, Decoder, Encode, EncodeError, Encoder, Pod, Schema};

/// A type with `#[mach(pod)]`, whether or not it has what that takes.
pub trait DerivedPod {}

// The error that is wanted is the one about `Pod`, not one about the bounds here.
#[diagnostic::do_not_recommend]
impl<T: DerivedPod + Encode + Zerocopy> Pod for T {}

/// What zerocopy must know of plain data.
pub trait Zerocopy: TryFromBytes + IntoBytes + KnownLayout + Immutable + Sized + 'static {}

impl<T: TryFromBytes + IntoBytes + KnownLayout + Immutable + 'static> Zerocopy for T {}

/// How plain data travels. One trait, so that a type without the derives of zerocopy is told once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "has padding, or lacks a derive of zerocopy",
    note = "write `#[machipc::pod]` instead of `#[derive(MachMessage)]` and `#[mach(pod)]`: it adds `#[derive(TryFromBytes, IntoBytes, KnownLayout, Immutable)]`"
)]
pub trait PlainData: Sized {
    /// Writes a value.
    fn put(value: &Self, out: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Writes values that follow one another.
    fn put_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError>;

    /// Reads a value.
    fn take(input: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// Reads `count` values that follow one another.
    fn take_vec(count: usize, input: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError>;

    /// Reads `N` values that follow one another.
    fn take_array<const N: usize>(input: &mut Decoder<'_>) -> Result<[Self; N], DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<T: Pod> PlainData for T {
    #[inline]
    fn put(value: &Self, out: &mut Encoder<'_>) -> Result<(), EncodeError> {
        out.pod(value);
        Ok(())
    }

    #[inline]
    fn put_slice<'m>(values: &'m [Self], out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.pod_slice_of_message(values);
        Ok(())
    }

    #[inline]
    fn take(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.pod()
    }

    #[inline]
    fn take_vec(count: usize, input: &mut Decoder<'_>) -> Result<Vec<Self>, DecodeError> {
        let borrowed = input.pod_slice::<T>(count)?;
        let mut owned = Vec::with_capacity(count);
        for value in borrowed {
            // They are values: they were borrowed as such. Without `Copy` this is the way to have another.
            let Ok(value) = T::try_read_from_bytes(value.as_bytes()) else {
                return Err(DecodeError::new("bytes that changed while they were read"));
            };
            owned.push(value);
        }
        Ok(owned)
    }

    #[inline]
    fn take_array<const N: usize>(input: &mut Decoder<'_>) -> Result<[Self; N], DecodeError> {
        input.pod()
    }
}

/// A field of plain data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "is not plain data",
    note = "plain data are integers of fixed size, floats, `bool`, `char`, arrays of them, and types with `#[mach(pod)]`"
)]
pub trait PodField {
    /// Describes the field's type.
    fn describe(schema: &mut Schema);
}

#[diagnostic::do_not_recommend]
impl<T: Pod> PodField for T {
    fn describe(schema: &mut Schema) {
        schema.part::<T>();
    }
}
