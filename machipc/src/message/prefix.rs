//! The sixteen bytes in front of every payload.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{DecodeError, EncodeError, TraceContext};

/// The sixteen bytes in front of every payload: what it is, how long, and of which types.
///
/// ```
/// use machipc::message::Prefix;
///
/// let prefix = Prefix::new(40, 0x1234, 0).unwrap();
/// let read = Prefix::parse(&prefix.to_bytes()).unwrap();
/// assert_eq!((read.payload_len(), read.fingerprint()), (40, 0x1234));
/// assert!(Prefix::parse(&[0; 16]).is_err());
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Prefix {
    magic: u16,
    version: u8,
    flags: u8,
    payload_len: u32,
    fingerprint: u64,
}

impl Prefix {
    /// How many bytes a prefix takes.
    pub const SIZE: usize = 16;
    /// The first two bytes, `b"mp"`.
    pub const MAGIC: u16 = u16::from_le_bytes(*b"mp");
    /// The version of the format that this crate writes, and the only one that it reads.
    pub const VERSION: u8 = 1;
    /// Flag: the payload is not behind the prefix but in the message's last descriptor, which is out-of-line memory.
    pub const OUT_OF_LINE: u8 = 1;
    /// Flag: a [`TraceContext`] stands between the prefix and what follows it, see [`TraceContext::to_wire`].
    pub const TRACED: u8 = 2;

    /// The prefix of a payload of `payload_len` bytes. `flags` are those below, or 0.
    ///
    /// Fails when the length does not fit 32 bits.
    #[inline]
    pub fn new(payload_len: usize, fingerprint: u64, flags: u8) -> Result<Self, EncodeError> {
        let Ok(payload_len) = u32::try_from(payload_len) else {
            return Err(EncodeError::new(format!(
                "a payload of {payload_len} bytes, at most {} fit",
                u32::MAX
            )));
        };
        Ok(Self { magic: Self::MAGIC, version: Self::VERSION, flags, payload_len, fingerprint })
    }

    /// Reads the prefix at the start of `bytes` and checks magic, version and flags. Whether the payload is as long as it says is the
    /// caller's to check: only the caller knows where the payload is.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        match Self::read_from_prefix(bytes) {
            Ok((prefix, _)) if prefix.is_known() => Ok(prefix),
            _ => Err(Self::error(bytes)),
        }
    }

    /// Whether this side can read what has such a prefix.
    #[inline]
    fn is_known(&self) -> bool {
        self.magic == Self::MAGIC
            && self.version == Self::VERSION
            && self.flags & !(Self::OUT_OF_LINE | Self::TRACED) == 0
    }

    /// What is wrong with the prefix at the start of `bytes`. Apart from `parse`, which so never has a prefix in memory: to write its parts and
    /// read them as one costs a processor 5 ns.
    #[cold]
    fn error(bytes: &[u8]) -> DecodeError {
        let Ok((prefix, _)) = Self::read_from_prefix(bytes) else {
            return DecodeError::new(format!(
                "a prefix of {} bytes wanted, {} left",
                Self::SIZE,
                bytes.len()
            ));
        };
        if prefix.magic != Self::MAGIC {
            return DecodeError::new(format!(
                "not a machipc message: it starts with {:#06x}, not {:#06x}",
                prefix.magic,
                Self::MAGIC
            ));
        }
        if prefix.version != Self::VERSION {
            return DecodeError::new(format!(
                "the message has format version {}, this side knows version {}",
                prefix.version,
                Self::VERSION
            ));
        }
        DecodeError::new(format!("the message has unknown flags {:#04x}", prefix.flags))
    }

    /// The prefix as it is sent.
    #[inline]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        zerocopy::transmute!(*self)
    }

    /// Whether a trace context follows the prefix.
    #[inline]
    pub fn is_traced(&self) -> bool {
        self.flags & Self::TRACED != 0
    }

    /// Whether the payload follows right behind the prefix.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.flags == 0
    }

    /// How many bytes there are before what follows, of the prefix itself and of the trace context.
    #[inline]
    pub fn front(&self) -> usize {
        Self::SIZE + if self.is_traced() { TraceContext::WIRE_SIZE } else { 0 }
    }

    /// How many bytes the payload has.
    #[inline]
    pub fn payload_len(&self) -> usize {
        self.payload_len as usize
    }

    /// The fingerprint of the sender's types.
    #[inline]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether the payload is in the message's last descriptor instead of behind the prefix.
    #[inline]
    pub fn is_out_of_line(&self) -> bool {
        self.flags & Self::OUT_OF_LINE != 0
    }
}

const _: () = assert!(size_of::<Prefix>() == Prefix::SIZE);
