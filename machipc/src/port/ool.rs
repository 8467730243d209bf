//! Memory that travels beside a message instead of inside it.

use core::fmt;
use std::time::{Duration, Instant};

use crate::mach;
use crate::message::{
    Attachment, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MachMessage, MemoryCell, Schema,
};

use super::{MachError, ReplyRight, SendRight, Sender, sys};

/// What a new page costs a sender and a receiver, about.
const PAGE_TAKES: Duration = Duration::from_micros(2);

/// Memory that is built in place and moves with the message that carries it, without being copied: its pages leave this
/// process and appear in the receiver's. What arrives is an `OolBuffer` again, private and writable.
///
/// The bytes are reached through exclusive access only. While a message is under way, the value that holds the memory is
/// merely borrowed, and the send takes the memory out of it: nobody may be looking at it then.
///
/// ```
/// use machipc::port::OolBuffer;
///
/// let mut memory = OolBuffer::new(64 * 1024 * 1024)?;
/// memory.as_mut_slice()[..5].copy_from_slice(b"hello");
/// assert_eq!(memory.len(), 64 * 1024 * 1024);
/// # Ok::<(), machipc::port::MachError>(())
/// ```
#[derive(Default)]
pub struct OolBuffer {
    /// The region, mapped readable and writable, is ours alone.
    cell: MemoryCell,
}

impl OolBuffer {
    /// Maps `len` bytes, all zero.
    ///
    /// # Errors
    /// `KERN_NO_SPACE` or `KERN_RESOURCE_SHORTAGE` when there is not so much memory.
    pub fn new(len: usize) -> Result<Self, MachError> {
        if len == 0 {
            return Ok(Self::default());
        }
        sys::vm_allocate(len).map(|address| Self { cell: MemoryCell::new(address, len) })
    }

    /// Memory for a message to this right's port: out of the pool that is [shared](SendRight::offer_loans) with its receiver, if there is one and it
    /// has room, and else new memory. It holds any bytes, such as were in it before, and all of them are sent. For a pool to have room it
    /// waits as long as new memory would take, a few milliseconds for 10 MiB, at most.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_receiver<M>(to: &SendRight<M>, len: usize) -> Result<Self, MachError> {
        Self::lent(len, || sys::loan_allocate(to.name(), len))
    }

    /// [`for_receiver`](Self::for_receiver), for the answer that this right is for. Its receiver is lent to if that lends to a port of this process's that
    /// [allows](super::ReceiveRight::allow_loans) it, once it has seen so: the first such memory is new memory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use machipc::port::{Deadline, MessageBuffer, OolBuffer, Outgoing, ReceiveRight};
    ///
    /// let (port, replies) = (ReceiveRight::<u64>::new()?, ReceiveRight::<OolBuffer>::new()?);
    /// let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    /// let to = port.make_send()?;
    /// Outgoing::message(&mut out, &4096_u64)?.copy_send(&to).make_reply(&replies).send(Deadline::never())?;
    ///
    /// let request = port.receive(&mut incoming, Deadline::never())?;
    /// let reply = request.take_reply().expect("an answer is wanted");
    /// let mut picture = OolBuffer::for_answer(&reply, request.decode::<u64>()? as usize)?;
    /// picture.as_mut_slice().fill(7);
    /// Outgoing::message(&mut out, &picture)?.answer(&reply).send(Deadline::never())?;
    ///
    /// let mut answer = replies.receive(&mut out, Deadline::never())?.decode::<OolBuffer>()?;
    /// assert_eq!(answer.as_mut_slice(), [7; 4096]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_answer(to: &ReplyRight, len: usize) -> Result<Self, MachError> {
        Self::lent(len, || sys::loan_allocate(to.name(), len))
    }

    /// [`for_answer`](Self::for_answer), for whatever is sent to the process that a message has come from.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// # use machipc::port::{Deadline, MessageBuffer, OolBuffer, Outgoing, ReceiveRight};
    /// # let port = ReceiveRight::<u64>::new()?;
    /// # let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    /// # Outgoing::message(&mut out, &4096_u64)?.copy_send(&port.make_send()?).send(Deadline::never())?;
    /// let subscription = port.receive(&mut incoming, Deadline::never())?;
    /// let picture = OolBuffer::for_sender(&subscription.sender(), 4096)?;
    /// assert_eq!(picture.len(), 4096);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_sender(to: &Sender, len: usize) -> Result<Self, MachError> {
        Self::lent(len, || sys::loan_allocate_to(to.audit(), len))
    }

    fn lent(len: usize, allocate: impl Fn() -> Result<usize, MachError>) -> Result<Self, MachError> {
        if len == 0 {
            return Ok(Self::default());
        }
        let mut began = None;
        loop {
            match allocate() {
                Ok(address) => return Ok(Self { cell: MemoryCell::new(address, len) }),
                Err(error) if error.code() == mach::KERN_NO_SPACE => {
                    let pages = len / 4096;
                    if began.get_or_insert_with(Instant::now).elapsed() > PAGE_TAKES * pages as u32 {
                        return Self::new(len);
                    }
                    std::thread::yield_now();
                }
                Err(_) => return Self::new(len),
            }
        }
    }

    /// Maps memory and copies `bytes` into it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn copy_from_slice(bytes: &[u8]) -> Result<Self, MachError> {
        let mut buffer = Self::new(bytes.len())?;
        buffer.as_mut_slice().copy_from_slice(bytes);
        Ok(buffer)
    }

    /// How many bytes there are; 0 once the memory has moved away in a message.
    pub fn len(&self) -> usize {
        self.cell.get().1
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let (address, len) = self.cell.get();
        // SAFETY: the region is ours alone, and the exclusive borrow keeps it from being sent meanwhile.
        unsafe { sys::bytes_mut(address, len) }
    }

    pub(super) const fn from_cell(cell: MemoryCell) -> Self {
        Self { cell }
    }
}

impl AsMut<[u8]> for OolBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Drop for OolBuffer {
    fn drop(&mut self) {
        // Not taken out, which takes a locked instruction: nobody else has the cell.
        let (address, len) = self.cell.get();
        if len != 0 {
            // SAFETY: the region is ours alone and this is the end of its owner.
            unsafe { sys::vm_deallocate(address, len) };
        }
    }
}

impl fmt::Debug for OolBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OolBuffer({} bytes)", self.len())
    }
}

impl Encode for OolBuffer {
    const MIN_SIZE: usize = 4;

    fn schema(schema: &mut Schema) {
        schema.push("ool");
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.attach(Attachment::Memory(&self.cell))
    }
}

impl<'de> Decode<'de> for OolBuffer {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.memory().map(Self::from_cell)
    }
}

impl MachMessage for OolBuffer {
    type View<'a> = Self;
}
