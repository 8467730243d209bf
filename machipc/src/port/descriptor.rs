//! The descriptors of a message, as bytes: the type byte is at offset 11 of every kind, a port is 12 bytes long and
//! everything else 16 (mach-semantics §1).

use zerocopy::FromBytes;

use crate::mach;
use crate::message::RightKind;

/// Where the header ends, and a simple message's bytes begin.
pub(super) const HEADER: usize = size_of::<mach::mach_msg_header_t>();
/// Where a complex message's first descriptor is.
pub(super) const FIRST: usize = HEADER + size_of::<mach::mach_msg_body_t>();
/// The size of a port's descriptor.
pub(super) const PORT: usize = size_of::<mach::mach_msg_port_descriptor_t>();
/// The size of every other descriptor.
pub(super) const OTHER: usize = size_of::<mach::mach_msg_ool_descriptor_t>();

/// One descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    /// A right.
    Port { name: u32, disposition: u8 },
    /// Memory.
    Memory { address: usize, size: u32 },
    /// Memory that its sender calls volatile; it arrives as a snapshot all the same.
    Volatile { address: usize, size: u32 },
    /// An array of rights in memory.
    Ports { address: usize, count: u32, disposition: u8 },
    /// A receive right with a guard.
    Guarded { name: u32 },
    /// A kind that does not exist. The system lets none through.
    Unknown,
}

impl Descriptor {
    /// Reads the descriptor at `offset` and tells where the next one is; `None` where the bytes end first.
    pub(super) fn read(bytes: &[u8], offset: usize) -> Option<(Self, usize)> {
        let at = |field: usize| byte(bytes, offset + field);
        let descriptor = match at(11)? {
            mach::MACH_MSG_PORT_DESCRIPTOR => Self::Port { name: word(bytes, offset)?, disposition: at(10)? },
            mach::MACH_MSG_OOL_DESCRIPTOR => {
                Self::Memory { address: address(bytes, offset)?, size: word(bytes, offset + 12)? }
            }
            mach::MACH_MSG_OOL_VOLATILE_DESCRIPTOR => {
                Self::Volatile { address: address(bytes, offset)?, size: word(bytes, offset + 12)? }
            }
            mach::MACH_MSG_OOL_PORTS_DESCRIPTOR => Self::Ports {
                address: address(bytes, offset)?,
                count: word(bytes, offset + 12)?,
                disposition: at(10)?,
            },
            mach::MACH_MSG_GUARDED_PORT_DESCRIPTOR => Self::Guarded { name: word(bytes, offset + 12)? },
            _ => Self::Unknown,
        };
        let next = offset + descriptor.size();
        (next <= bytes.len()).then_some((descriptor, next))
    }

    /// Marks what the descriptor at `offset` carries as taken, so that it is destroyed no more.
    pub(super) fn clear(self, bytes: &mut [u8], offset: usize) {
        let field = match self {
            Self::Port { .. } => offset..offset + 4,
            Self::Unknown => return,
            _ => offset + 12..offset + 16,
        };
        bytes[field].fill(0);
    }

    const fn size(self) -> usize {
        if matches!(self, Self::Port { .. }) { PORT } else { OTHER }
    }
}

/// The descriptor of a right.
pub(super) fn port(name: u32, disposition: u8) -> [u8; PORT] {
    let mut bytes = [0; PORT];
    bytes[..4].copy_from_slice(&name.to_le_bytes());
    bytes[10] = disposition;
    bytes[11] = mach::MACH_MSG_PORT_DESCRIPTOR;
    bytes
}

/// The descriptor of memory. The receiver gets a snapshot, whose pages the two sides may share until one of them writes; with
/// `deallocate` the pages leave the sender.
pub(super) fn memory(address: usize, size: u32, deallocate: bool) -> [u8; OTHER] {
    let mut bytes = [0; OTHER];
    bytes[..8].copy_from_slice(&(address as u64).to_le_bytes());
    bytes[8] = deallocate.into();
    bytes[9] = mach::MACH_MSG_VIRTUAL_COPY;
    bytes[11] = mach::MACH_MSG_OOL_DESCRIPTOR;
    bytes[12..].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// The disposition under which a right of this kind is moved, and arrives.
pub(super) const fn moved(kind: RightKind) -> u8 {
    let disposition = match kind {
        RightKind::Send => mach::MACH_MSG_TYPE_MOVE_SEND,
        RightKind::SendOnce => mach::MACH_MSG_TYPE_MOVE_SEND_ONCE,
        RightKind::Receive => mach::MACH_MSG_TYPE_MOVE_RECEIVE,
    };
    disposition as u8
}

/// The descriptor of an array of rights, which the system reads and leaves where it is.
pub(super) fn ports(address: usize, count: u32, disposition: u8) -> [u8; OTHER] {
    let mut bytes = memory(address, count, false);
    bytes[10] = disposition;
    bytes[11] = mach::MACH_MSG_OOL_PORTS_DESCRIPTOR;
    bytes
}

/// The kind of right that arrives under this disposition.
pub(super) fn kind(disposition: u32) -> Option<RightKind> {
    match disposition {
        mach::MACH_MSG_TYPE_PORT_SEND => Some(RightKind::Send),
        mach::MACH_MSG_TYPE_PORT_SEND_ONCE => Some(RightKind::SendOnce),
        mach::MACH_MSG_TYPE_PORT_RECEIVE => Some(RightKind::Receive),
        _ => None,
    }
}

/// `N` words at `offset`, read at once; `None` where the bytes end first.
#[inline]
pub(super) fn words<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u32; N]> {
    let bytes = bytes.get(offset..)?.get(..N * size_of::<u32>())?;
    let (words, _) = <[u32; N]>::read_from_prefix(bytes).ok()?;
    Some(words.map(u32::from_le))
}

/// The 32-bit field at `offset`.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|field| u32::from_le_bytes(*field))
}

/// The names in an array of rights.
pub(super) fn names(array: &[u8]) -> impl Iterator<Item = u32> {
    array.chunks_exact(size_of::<u32>()).filter_map(|name| word(name, 0))
}

/// The address at `offset`: 64 bits, whatever the system.
fn address(bytes: &[u8], offset: usize) -> Option<usize> {
    let field = bytes.get(offset..)?.first_chunk().map(|field| u64::from_le_bytes(*field))?;
    usize::try_from(field).ok()
}

fn byte(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}
