//! Messages without a port: what is encoded is decoded from a buffer of its own.

#![allow(dead_code, reason = "each test file uses a part")]

use std::os::fd::OwnedFd;

use machipc::MachMessage;
use machipc::message::{
    AlignedBuffer, Attachment, AttachmentSource, DecodeError, Decoder, Encoder, MemoryCell, RightKind,
};

/// A message that has left and not yet arrived.
pub struct Sent {
    pub id: i32,
    pub payload: AlignedBuffer,
    /// What went out of line, each at the start of a buffer, as memory arrives on its own pages.
    pub memory: Vec<AlignedBuffer>,
}

impl Sent {
    /// What comes of a value.
    #[track_caller]
    pub fn of<M: MachMessage>(message: &M) -> Self {
        let mut payload = AlignedBuffer::new();
        let mut out = Encoder::new(&mut payload);
        message.encode_payload(&mut out).expect("the message can be sent");
        let memory = out.finish().attachments.iter().map(memory).collect();
        Self { id: message.message_id(), payload, memory }
    }

    /// A message with these bytes and nothing else.
    pub fn raw(id: i32, bytes: &[u8]) -> Self {
        Self { id, payload: buffer(bytes), memory: Vec::new() }
    }

    /// Reads it all.
    pub fn receive<M: MachMessage>(&self) -> Result<M::View<'_>, DecodeError> {
        let mut input = Decoder::new(self.payload.as_bytes(), Some(self));
        let value = M::decode_payload(self.id, &mut input)?;
        input.finish()?;
        Ok(value)
    }

    /// Whether a borrowed value lies in the payload.
    pub fn lends<T: ?Sized>(&self, borrowed: &T) -> bool {
        lies_in(borrowed, self.payload.as_bytes())
    }

    /// Whether a borrowed value lies in what was sent out of line.
    pub fn lends_memory<T: ?Sized>(&self, borrowed: &T) -> bool {
        self.memory.iter().any(|memory| lies_in(borrowed, memory.as_bytes()))
    }
}

impl AttachmentSource for Sent {
    fn count(&self) -> u32 {
        self.memory.len() as u32
    }

    fn take_right(&self, _: u32, _: RightKind) -> Result<u32, DecodeError> {
        Err(DecodeError::new("these tests send no rights"))
    }

    fn take_memory(&self, _: u32) -> Result<MemoryCell, DecodeError> {
        Err(DecodeError::new("these tests give no memory away"))
    }

    fn bytes(&self, index: u32) -> Result<&[u8], DecodeError> {
        Ok(self.memory[index as usize].as_bytes())
    }

    fn take_file(&self, _: u32) -> Result<OwnedFd, DecodeError> {
        Err(DecodeError::new("these tests send no files"))
    }

    fn take_reply(&self) -> Option<(RightKind, u32)> {
        None
    }
}

fn memory(attachment: &Attachment<'_>) -> AlignedBuffer {
    match attachment {
        Attachment::Bytes(bytes) => buffer(bytes),
        other => panic!("these tests send bytes out of line, not {other:?}"),
    }
}

fn buffer(bytes: &[u8]) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::new();
    buffer.set_len(bytes.len());
    buffer.as_mut_bytes().copy_from_slice(bytes);
    buffer
}

fn lies_in<T: ?Sized>(inner: &T, outer: &[u8]) -> bool {
    let start = (&raw const *inner).addr();
    let outer = outer.as_ptr_range();
    outer.start.addr() <= start && start + size_of_val(inner) <= outer.end.addr()
}
