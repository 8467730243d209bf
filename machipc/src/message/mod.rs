//! Bytes: the wire format. Values to bytes and back, without an operating system.
//!
//! [`Encode`] writes a value through an [`Encoder`], [`Decode`] reads it through a [`Decoder`], and [`MachMessage`] is a type
//! that can be a message by itself. `#[derive(MachMessage)]` implements all three. Rights, files and memory are
//! [`Attachment`]s, which travel beside the payload.
//!
//! # The format
//!
//! Version 1. All numbers are little-endian. A payload is preceded by a [`Prefix`] of 16 bytes and starts on a multiple of 16:
//!
//! | offset | size | prefix |
//! |---|---|---|
//! | 0 | 2 | magic: the bytes `m`, `p` |
//! | 2 | 1 | version of the format: 1 |
//! | 3 | 1 | flags: bit 0 says that the payload is in the message's last descriptor; the others are 0 |
//! | 4 | 4 | length of the payload in bytes |
//! | 8 | 8 | fingerprint of the types ([`Schema::fingerprint`]) |
//!
//! The payload is the message's fields in the order of their declaration. *Plain data* is aligned to its natural alignment,
//! counted from the payload's start and 16 at most; the bytes skipped are written as zero and not looked at when read. Nothing
//! else is aligned: a struct starts where the value before it ended. Plain data that has no bytes (`[u32; 0]`) has no padding.
//!
//! | type | bytes | schema |
//! |---|---|---|
//! | `u8` to `u128`, `i8` to `i128`, `f32`, `f64` | plain data: as in memory | `u8`… |
//! | `bool` | plain data: a byte, 0 or 1 | `bool` |
//! | `char` | plain data: its scalar value as `u32` | `char` |
//! | `usize`, `isize` | as `u64`, `i64`; what does not fit the receiver is an error | `usize`, `isize` |
//! | `NonZero` of an integer | as the integer; 0 is an error | `nonzero u8`… |
//! | a struct with `#[mach(pod)]` | plain data: as in memory, aligned as in Rust | `#n` |
//! | `[T; N]`, tuples, `()` | the elements, no count | `[T;N]`, `(T,U)`, `()` |
//! | `Option<T>` | `u8` 0 for `None`, 1 for `Some`; then the value | `?T` |
//! | `Result<T, E>` | `u8` 0 for `Ok`, 1 for `Err`; then the value | `Result(T,E)` |
//! | `String`, `str` | `u32` length in bytes, UTF-8 | `str` |
//! | `PathBuf`, `Path`, `OsString`, `OsStr` | `u32` length in bytes, the bytes | `osstr` |
//! | `Vec<T>`, `[T]`, `VecDeque<T>` | `u32` count, the elements | `[T]` |
//! | `BTreeMap<K, V>`, `HashMap<K, V>` | `u32` count, key and value in turn, in any order; no key twice | `{K:V}` |
//! | `BTreeSet<T>`, `HashSet<T>` | `u32` count, the elements, in any order; none twice | `{T}` |
//! | `&T`, `Box<T>`, `Rc<T>`, `Arc<T>`, `Cow<T>`, `Wrapping<T>` | as `T` | as `T` |
//! | `PhantomData<T>` | none | `()` |
//! | `Duration` | `u64` seconds, `u32` nanoseconds below a second | `duration` |
//! | `SystemTime` | `i64` seconds since 1970, rounded down, `u32` nanoseconds below a second | `systemtime` |
//! | `Range<T>` and its kin | start, then end, those there are; whether an inclusive range is used up is lost | `Range(T)`… |
//! | `Ipv4Addr`, `Ipv6Addr` | 4 or 16 octets | `ipv4`, `ipv6` |
//! | `IpAddr`, `SocketAddr` | `u8` 4 or 6, then the address of that version | `ip`, `socket` |
//! | `SocketAddrV4` | octets, `u16` port | `socketv4` |
//! | `SocketAddrV6` | octets, `u16` port, `u32` flow information, `u32` scope | `socketv6` |
//! | `uuid::Uuid` (feature `uuid`) | 16 bytes, as they are written | `uuid` |
//! | a struct | its fields; then its extension, if it has one | `#n` |
//! | an enum | `u32` tag, then the variant's fields | `#n` |
//! | an endpoint as a message | the variant's fields; the variant is the message's id | `#n` |
//! | an endpoint inside a message | `i32` id of the variant, `u32` length in bytes, its fields | `#n` |
//! | `OwnedFd` | `u32` index of an attachment | `file` |
//! | rights, out-of-line memory, `#[mach(ool)]` fields | `u32` index of an attachment | their own |
//! | `Sink<T>` | `u64` items sent before, a send right, a send-once right | its own |
//! | `Source<T>` | `u64` items received before, a receive right | its own |
//! | `Reply<T>` | none: it is the reply right in the message's header | its own |
//!
//! In a sequence, map or set whose element (key and value together) may take no bytes ([`MIN_SIZE`](Encode::MIN_SIZE) is 0) a zero
//! byte precedes each element, so that a count is always backed by as many bytes.
//!
//! **Attachments.** A payload names its attachments by index, in order: 0, 1, 2, … The message's descriptors have the same order.
//!
//! **Extensions.** The fields of a struct that are marked `#[mach(since = N)]` follow the others as its extension: a `u32` length in
//! bytes, aligned to 4, then the fields. A reader that knows fewer of them skips the rest; a reader that knows more finds the end of the
//! extension and makes the remaining fields by default. They are no part of the fingerprint. Where the payload ends instead
//! of an extension, the extension is empty, and an extension at a payload's end that the reader knows nothing of is skipped: so
//! a struct that is a whole payload may gain its first `since` field at any time. Elsewhere, to have an
//! extension is a part of the type (`+` in the schema). An attachment in a skipped extension is destroyed; the indices
//! behind it go on from the sender's.
//!
//! **Schemas.** The fingerprint is the 64-bit FNV-1a hash of the schema's text: see [`Schema`].
//!
//! # What is checked
//!
//! Decoding is total: any bytes give a value or a [`DecodeError`] that says where and what. Counts are checked against the bytes that
//! are left before anything is allocated for them; memory grows with the input; structs and enums nest at most [`MAX_DEPTH`]
//! levels, also when encoding. Time is linear in the input but for ordered maps and sets, which sort.

mod attachment;
mod buffer;
mod decode;
mod decoder;
mod encode;
mod encoder;
mod error;
mod impls;
mod pod;
mod prefix;
mod schema;
mod trace;

pub use attachment::{Attachment, AttachmentSource, MemoryCell, RightCell, RightKind};
pub use buffer::AlignedBuffer;
pub use decode::Decode;
pub use decoder::Decoder;
pub use encode::Encode;
pub use encoder::{Encoded, Encoder, Lent, MAX_DEPTH, ReplyPort};
pub use error::{DecodeError, EncodeError};
pub use pod::Pod;
pub use prefix::Prefix;
pub use schema::{Differences, Schema};
pub use trace::{TraceContext, TraceParseError};

/// The id of every message that is not an endpoint's variant.
pub const PLAIN_ID: i32 = 0x3000_0000;

/// A type that can be sent as a whole message: derive it.
///
/// `Self` may borrow; it stands for the whole family of its lifetimes, of which [`View`](Self::View) is one member.
///
/// ```
/// use machipc::message::{AlignedBuffer, Decoder, Encoder, MachMessage, PLAIN_ID};
///
/// let mut buffer = AlignedBuffer::new();
/// let mut out = Encoder::new(&mut buffer);
/// let message = ("a key", 7u32);
/// message.encode_payload(&mut out)?;
/// out.finish();
///
/// let mut input = Decoder::new(buffer.as_bytes(), None);
/// let (key, number) = <(&str, u32)>::decode_payload(PLAIN_ID, &mut input)?; // `key` borrows from `buffer`
/// input.finish()?;
/// assert_eq!((key, number), message);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    note = "derive it: `#[derive(MachMessage)]`"
)]
pub trait MachMessage: Encode + Sized {
    /// The same type, borrowing from `'a`: what a receiver gets to see.
    type View<'a>: MachMessage + Decode<'a>;

    /// The name under which an endpoint is found, for `#[machipc::endpoint("…")]` enums.
    const ENDPOINT: Option<&'static str> = None;

    /// The number that identifies names and types of everything inside: both sides must agree on it.
    fn fingerprint() -> u64 {
        Schema::fingerprint_of::<Self>()
    }

    /// The `msgh_id`: which variant of an endpoint this is.
    fn message_id(&self) -> i32 {
        PLAIN_ID
    }

    /// What the messages with this `msgh_id` are called: the name of an endpoint's variant.
    fn message_name(id: i32) -> Option<&'static str> {
        let _ = id;
        None
    }

    /// Writes the payload (an endpoint's variant without its tag: the id says which).
    #[inline]
    fn encode_payload<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.encode(out)
    }

    /// Reads the payload of a message with this id.
    #[inline]
    fn decode_payload<'a>(id: i32, input: &mut Decoder<'a>) -> Result<Self::View<'a>, DecodeError> {
        if id == PLAIN_ID { Self::View::decode(input) } else { Err(DecodeError::unknown_variant(id)) }
    }
}
