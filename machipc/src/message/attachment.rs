//! What travels beside the payload: rights, memory and files, as this floor sees them.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::os::fd::{BorrowedFd, OwnedFd};

use super::DecodeError;

/// The kinds of rights that a message can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightKind {
    /// A send right.
    Send,
    /// A send-once right.
    SendOnce,
    /// A receive right.
    Receive,
}

/// Where a right value keeps its name. The sender reads it while it encodes; once the message has left, the floor below
/// empties it, so that the value's drop releases nothing; when a send fails it writes back the name that came back.
/// Zero is "none".
///
/// ```
/// use machipc::message::RightCell;
///
/// let cell = RightCell::new(0x503);
/// assert_eq!(cell.take(), 0x503); // sent
/// assert_eq!(cell.get(), 0);
/// ```
#[derive(Debug, Default)]
pub struct RightCell(AtomicU32);

impl RightCell {
    /// A cell that holds `name`.
    pub const fn new(name: u32) -> Self {
        Self(AtomicU32::new(name))
    }
    /// The name in the cell.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
    /// Puts another name into the cell.
    pub fn set(&self, name: u32) {
        self.0.store(name, Ordering::Relaxed);
    }
    /// Empties the cell and returns what was in it.
    pub fn take(&self) -> u32 {
        // A cell that is dropped is most often empty, and a swap waits for all stores before it.
        if self.get() == 0 { 0 } else { self.0.swap(0, Ordering::Relaxed) }
    }
}

/// As [`RightCell`], for a region of memory: address and length in bytes.
///
/// A cell that holds a region owns it: only this crate fills cells, with memory that it mapped or received, so that what takes a
/// region out of one may use and unmap it.
#[derive(Debug, Default)]
pub struct MemoryCell {
    address: AtomicUsize,
    len: AtomicUsize,
}

impl MemoryCell {
    /// A cell that owns the region of `len` bytes at `address`, which nothing else uses.
    pub(crate) const fn new(address: usize, len: usize) -> Self {
        Self { address: AtomicUsize::new(address), len: AtomicUsize::new(len) }
    }
    /// Address and length in bytes.
    pub fn get(&self) -> (usize, usize) {
        (self.address.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed))
    }
    /// Puts a region, which nothing else uses, into the empty cell.
    pub(crate) fn set(&self, address: usize, len: usize) {
        self.len.store(len, Ordering::Relaxed);
        // Pairs with the swap in `take`: who takes the address sees its length.
        self.address.store(address, Ordering::Release);
    }
    /// Empties the cell and returns the region; address 0 if it was empty. Of several threads one gets the region.
    pub(crate) fn take(&self) -> (usize, usize) {
        match self.address.swap(0, Ordering::Acquire) {
            0 => (0, 0),
            // Nobody else changes the length meanwhile: the cell is empty, and this one alone may fill it again.
            address => {
                let len = self.len.load(Ordering::Relaxed);
                self.len.store(0, Ordering::Relaxed);
                (address, len)
            }
        }
    }
}

/// One thing that travels beside the payload. The floor below turns each into a descriptor, in this order.
#[derive(Debug)]
pub enum Attachment<'m> {
    /// A right that moves with the message.
    Right(RightKind, &'m RightCell),
    /// Rights of one kind that move with the message, as an array out of line.
    Rights(RightKind, &'m [RightCell]),
    /// Bytes that are copied out of line.
    Bytes(&'m [u8]),
    /// Memory that moves with the message.
    Memory(&'m MemoryCell),
    /// An open file; the receiver gets a descriptor of its own.
    File(BorrowedFd<'m>),
}

/// What came beside a payload, owned by whoever implements this and handed out once, in order.
///
/// Each call names the index that the payload gave; anything but the next one in order, or of another kind, is an error.
pub trait AttachmentSource {
    /// How many attachments came with the message.
    fn count(&self) -> u32;
    /// Takes a right: its name, now the caller's to release.
    fn take_right(&self, index: u32, kind: RightKind) -> Result<u32, DecodeError>;
    /// Takes an array of rights: their names, now the caller's to release. A source that knows no arrays has none.
    fn take_rights(&self, index: u32, kind: RightKind) -> Result<Vec<u32>, DecodeError> {
        let _ = kind;
        Err(DecodeError::new(format!("attachment {index} is no array of rights")))
    }
    /// Takes out-of-line memory, in a cell that owns it.
    fn take_memory(&self, index: u32) -> Result<MemoryCell, DecodeError>;
    /// Borrows out-of-line memory, which stays the source's.
    fn bytes(&self, index: u32) -> Result<&[u8], DecodeError>;
    /// Takes an open file.
    fn take_file(&self, index: u32) -> Result<OwnedFd, DecodeError>;
    /// Takes the reply right of the header, send-once or send: its kind and its name, now the caller's to release. `None` where
    /// there is none.
    fn take_reply(&self) -> Option<(RightKind, u32)>;
}
