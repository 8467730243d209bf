//! Bytes to values.

use super::{AttachmentSource, DecodeError};

/// A value that can be read out of a message, borrowing from it for `'de`.
pub trait Decode<'de>: Sized {
    /// Reads the value.
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError>;
}

/// A payload that is being read.
pub struct Decoder<'de> {
    payload: &'de [u8],
    position: usize,
    depth: u32,
    attachments: Option<&'de dyn AttachmentSource>,
    next_attachment: u32,
}

impl<'de> Decoder<'de> {
    /// Reads `payload`, whose first byte is 16-aligned, with what came beside it.
    pub fn new(payload: &'de [u8], attachments: Option<&'de dyn AttachmentSource>) -> Self {
        Self { payload, position: 0, depth: 0, attachments, next_attachment: 0 }
    }
    /// Takes the next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'de [u8], DecodeError> {
        let rest = &self.payload[self.position..];
        if count > rest.len() {
            return Err(DecodeError::new(format!("{count} bytes wanted, {} left", rest.len())));
        }
        self.position += count;
        Ok(&rest[..count])
    }
    /// What came beside the payload.
    pub fn attachments(&self) -> Result<&'de dyn AttachmentSource, DecodeError> {
        self.attachments.ok_or_else(|| DecodeError::new("the message carries nothing out of line"))
    }
    /// Reads an attachment's index.
    pub fn attachment_index(&mut self) -> Result<u32, DecodeError> {
        let _ = (self.depth, self.next_attachment);
        Err(DecodeError::new("placeholder"))
    }
}
