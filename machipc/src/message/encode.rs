//! Values to bytes.

use super::{AlignedBuffer, Attachment, EncodeError, RightCell, Schema};

/// A value that can be a part of a message.
pub trait Encode {
    /// The fewest bytes that an encoded value takes; 0 for values without bytes.
    const MIN_SIZE: usize;

    /// Appends the type's description.
    fn schema(schema: &mut Schema);

    /// Appends the value.
    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError>;
}

/// Where a message's bytes and attachments are gathered.
pub struct Encoder<'m> {
    buffer: &'m mut AlignedBuffer,
    base: usize,
    attachments: Vec<Attachment<'m>>,
    reply: Option<&'m RightCell>,
}

impl<'m> Encoder<'m> {
    /// Appends to `buffer`; alignment counts from its present end, which is aligned to 16.
    pub fn new(buffer: &'m mut AlignedBuffer) -> Self {
        let base = buffer.len();
        Self { buffer, base, attachments: Vec::new(), reply: None }
    }
    /// Zeroes up to the next multiple of `align`.
    pub fn align(&mut self, align: usize) {
        let len = self.buffer.len();
        let padding = (len - self.base).next_multiple_of(align) - (len - self.base);
        self.buffer.set_len(len + padding);
        self.buffer.as_mut_bytes()[len..].fill(0);
    }
    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let len = self.buffer.len();
        self.buffer.set_len(len + bytes.len());
        self.buffer.as_mut_bytes()[len..].copy_from_slice(bytes);
    }
    /// Appends an attachment; writes its index into the payload.
    pub fn attach(&mut self, attachment: Attachment<'m>) {
        self.align(4);
        self.bytes(&(self.attachments.len() as u32).to_le_bytes());
        self.attachments.push(attachment);
    }
    /// Sends this reply right in the header.
    pub fn reply(&mut self, cell: &'m RightCell) {
        self.reply = Some(cell);
    }
    /// The buffer, the attachments, and the reply right.
    pub fn finish(self) -> (&'m mut AlignedBuffer, Vec<Attachment<'m>>, Option<&'m RightCell>) {
        (self.buffer, self.attachments, self.reply)
    }
}
