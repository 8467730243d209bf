//! Open files: they travel beside the payload.

use std::os::fd::{AsFd, OwnedFd};

use super::owned_message;
use crate::message::{Attachment, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};

/// The receiver gets a descriptor of its own of the same open file; the sender's is closed when the value is dropped.
impl Encode for OwnedFd {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("file");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.attach(Attachment::File(self.as_fd()))
    }
}

impl<'de> Decode<'de> for OwnedFd {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.file()
    }
}

owned_message!(OwnedFd);
