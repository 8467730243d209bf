//! Which trace a message belongs to: W3C Trace Context.

use core::fmt;
use core::str::FromStr;

/// Which distributed trace a message belongs to, and which of its steps sent it: the `traceparent` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/), version 00.
///
/// A message that belongs to no trace carries no such thing, and is not a byte longer for it. The other header of that
/// recommendation, `tracestate`, is not carried.
///
/// It is what the sender says, and any sender may say anything: good to find out what belongs together, and no proof of anything.
///
/// ```
/// use machipc::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace: TraceContext = text.parse()?;
/// assert_eq!(trace.parent_id(), [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), text);
/// # Ok::<(), machipc::TraceParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
}

/// The flags that version 00 knows: sampled, and that the trace's id is random (level 2). Others are not passed on.
const KNOWN_FLAGS: u8 = TraceContext::SAMPLED | TraceContext::RANDOM;

impl TraceContext {
    /// Flag: the caller may have recorded the trace.
    pub const SAMPLED: u8 = 1;
    /// Flag: at least the last seven bytes of the trace's id were chosen at random.
    pub const RANDOM: u8 = 2;
    /// How many bytes it takes behind a message's [prefix](super::Prefix).
    pub const WIRE_SIZE: usize = 32;

    /// A context of these ids; `None` when either is all zeroes, which stands for "none". Flags that version 00 does not know are left out.
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Option<Self> {
        let valid = trace_id != [0; 16] && parent_id != [0; 8];
        valid.then_some(Self { trace_id, parent_id, flags: flags & KNOWN_FLAGS })
    }

    /// The trace.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The step of the trace that sent the message. With a context that is about to be sent, it names that sending.
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// [`SAMPLED`](Self::SAMPLED) and [`RANDOM`](Self::RANDOM), as far as they are set.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the caller may have recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The same trace, with another step in it; `None` when `parent_id` is all zeroes.
    pub fn with_parent(&self, parent_id: [u8; 8]) -> Option<Self> {
        Self::new(self.trace_id, parent_id, self.flags)
    }

    /// The bytes behind a message's prefix: the trace's id, the parent's id, version, flags, and zeroes.
    pub fn to_wire(&self) -> [u8; Self::WIRE_SIZE] {
        let mut wire = [0; Self::WIRE_SIZE];
        wire[..16].copy_from_slice(&self.trace_id);
        wire[16..24].copy_from_slice(&self.parent_id);
        wire[FLAGS] = self.flags;
        wire
    }

    /// Reads what a peer wrote. Ids and versions that are invalid are as good as no trace, as the recommendation has it: the message is
    /// not refused for them. A later version is read as far as it is known.
    pub fn from_wire(wire: &[u8; Self::WIRE_SIZE]) -> Option<Self> {
        if wire[VERSION] == INVALID_VERSION {
            return None;
        }
        Self::new(*wire.first_chunk()?, *wire[16..].first_chunk()?, wire[FLAGS])
    }
}

const VERSION: usize = 24;
const FLAGS: usize = 25;
const INVALID_VERSION: u8 = 0xff;

impl fmt::Display for TraceContext {
    /// The text of a `traceparent` header: 55 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, parent) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.parent_id));
        write!(f, "00-{trace:032x}-{parent:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

/// A text that is no `traceparent`: whoever gets one starts a new trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no traceparent: {0}; it looks like 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case"
)]
pub struct TraceParseError(&'static str);

impl FromStr for TraceContext {
    type Err = TraceParseError;

    /// Reads the text of a `traceparent` header. Of a version after 00 the part is read that version 00 has.
    fn from_str(text: &str) -> Result<Self, TraceParseError> {
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().unwrap_or_default();
            let digits = part.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            match part {
                part if part.len() == length && digits => Ok(part),
                _ => Err(TraceParseError("a part has another length, or is not in hex digits")),
            }
        };
        let [version, trace, parent, flags] = [part(2)?, part(32)?, part(16)?, part(2)?];
        match (version, parts.next()) {
            ("ff", _) => return Err(TraceParseError("version ff is invalid")),
            ("00", Some(_)) => return Err(TraceParseError("version 00 has four parts")),
            _ => {}
        }
        let failed = |_| TraceParseError("a part is no number");
        let trace = u128::from_str_radix(trace, 16).map_err(failed)?;
        let parent = u64::from_str_radix(parent, 16).map_err(failed)?;
        let flags = u8::from_str_radix(flags, 16).map_err(failed)?;
        Self::new(trace.to_be_bytes(), parent.to_be_bytes(), flags)
            .ok_or(TraceParseError("an id of zeroes is invalid"))
    }
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[test]
    fn texts_that_are_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what-the-future-will-be-like";
        let read: TraceContext = later.parse().unwrap();
        assert_eq!(read.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");

        let mut wire = read.to_wire();
        wire[24] = 0xcc;
        assert_eq!(TraceContext::from_wire(&wire), Some(read));
        wire[24] = 0xff;
        assert_eq!(TraceContext::from_wire(&wire), None);
    }

    #[test]
    fn wire_and_back() {
        let trace = TraceContext::new([1; 16], [2; 8], TraceContext::SAMPLED).unwrap();
        let wire = trace.to_wire();
        assert_eq!(
            (&wire[..16], &wire[16..24], &wire[24..]),
            (&[1; 16][..], &[2; 8][..], &[0, 1, 0, 0, 0, 0, 0, 0][..])
        );
        assert_eq!(TraceContext::from_wire(&wire), Some(trace));
        assert_eq!(TraceContext::from_wire(&[0; 32]), None);
        for id in [0..16, 16..24] {
            let mut wire = wire;
            wire[id].fill(0);
            assert_eq!(TraceContext::from_wire(&wire), None);
        }
    }
}
