//! Plain data: types whose bytes in memory are their bytes in a message.

use core::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroU8, NonZeroU16, NonZeroU32,
    NonZeroU64, NonZeroU128,
};

use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

use super::Encode;

/// Plain data: a type without padding, pointers or interior mutability, whose bytes in memory are its bytes in a message.
/// One copy puts it into a message; a receiver borrows it (`&'a T`, `&'a [T]`) from the receive buffer.
///
/// Implemented for integers of fixed size, their `NonZero` forms, floats, `bool`, `char` and arrays of plain data; for a struct of such, write
/// `#[mach(pod)]` beside its `#[derive(MachMessage)]`. Its [`Encode`] writes it with [`Encoder::pod`](super::Encoder::pod). Byte patterns that are not a value (a `bool` of 2) are found when
/// the message is decoded.
///
/// Plain data may be aligned to 16 bytes at most; more is an error at compile time, where the type is used.
///
/// ```
/// use machipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder};
///
/// let points = vec![[1.0f64, 2.0], [3.0, 4.0]];
/// let mut buffer = AlignedBuffer::new();
/// let mut out = Encoder::new(&mut buffer);
/// points.encode(&mut out).unwrap();
/// out.finish();
///
/// let borrowed = <&[[f64; 2]]>::decode(&mut Decoder::new(buffer.as_bytes(), None)).unwrap();
/// assert_eq!(borrowed, &points[..]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    note = "plain data are integers, floats, `bool`, `char`, arrays of them, and structs with `#[mach(pod)]`"
)]
pub trait Pod: Encode + TryFromBytes + IntoBytes + KnownLayout + Immutable + Sized + 'static {}

macro_rules! pod {
    ($($type:ty),*) => { $(impl Pod for $type {})* };
}

pod!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, bool, char);
pod!(NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128);
pod!(NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128);

impl<T: Pod, const N: usize> Pod for [T; N] {}

/// The most that a value can ask for: payloads start on a multiple of it.
pub(super) const MAX_ALIGN: usize = 16;

/// The wire's alignments are Rust's own on every system that machipc runs on.
const _: () = {
    assert!(
        align_of::<u16>() == 2
            && align_of::<u32>() == 4
            && align_of::<u64>() == 8
            && align_of::<u128>() == 16
    );
    assert!(
        align_of::<f32>() == 4 && align_of::<f64>() == 8 && align_of::<char>() == 4 && size_of::<bool>() == 1
    );
};
