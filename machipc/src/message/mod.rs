//! Bytes: the wire format. Values to bytes and back, without an operating system and without unsafe code.

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

pub use attachment::{Attachment, AttachmentSource, MemoryCell, RightCell, RightKind};
pub use buffer::AlignedBuffer;
pub use decode::Decode;
pub use decoder::Decoder;
pub use encode::Encode;
pub use encoder::{Encoded, Encoder, MAX_DEPTH, ReplyPort};
pub use error::{DecodeError, EncodeError};
pub use pod::Pod;
pub use prefix::Prefix;
pub use schema::Schema;

/// The id of every message that is not an endpoint's variant.
pub const PLAIN_ID: i32 = 0x3000_0000;

/// A type that can be sent as a whole message: derive it.
///
/// `Self` may borrow; it stands for the whole family of its lifetimes, of which [`View`](Self::View) is one member.
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

    /// Writes the payload (an endpoint's variant without its tag: the id says which).
    fn encode_payload<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        self.encode(out)
    }

    /// Reads the payload of a message with this id.
    fn decode_payload<'a>(id: i32, input: &mut Decoder<'a>) -> Result<Self::View<'a>, DecodeError> {
        if id == PLAIN_ID { Self::View::decode(input) } else { Err(DecodeError::unknown_variant(id)) }
    }
}
