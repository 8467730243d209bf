//! What there is to do: the cells of the comparison.

use std::fmt;
use std::str::FromStr;

use crate::Outcome;

/// One cell: every system that can do it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub kind: Kind,
    /// Bytes of a message, at least [`LEAST`](crate::message::LEAST). An answer has as many as its request.
    pub len: usize,
    pub fill: Fill,
    pub place: Place,
    /// Processes that send; one receives.
    pub senders: usize,
    /// Further processes that are connected and do nothing.
    pub idle: usize,
    /// For how long a caller sleeps before each call, in microseconds: long enough for everybody to be asleep.
    pub pause: u32,
}

/// The direction of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    OneWay,
    /// One call at a time, each with its answer.
    RoundTrip,
}

/// Who wrote the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// They lie in the sender's memory, and it copies them or lets them be copied.
    Copied,
    /// The sender builds the message where the receiver reads it, and who answers the answer. Only the ends are written, so that the cost of
    /// writing is not what is measured.
    InPlace,
    /// As [`Copied`](Self::Copied), and the sender publishes [`BATCH`] messages at a time.
    Batched,
}

/// How many messages a sender that batches publishes at a time.
pub const BATCH: u64 = 64;

/// Which CPUs the processes run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The receiver has one to itself, the senders share another.
    Split,
    /// All share one.
    Same,
    /// The scheduler decides.
    Free,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Longer than anybody spins.
const PAUSE: u32 = 500;

impl Work {
    /// All cells, in the order of the report.
    pub fn all() -> Vec<Self> {
        let one_way = |len, place| Self {
            kind: Kind::OneWay,
            len,
            fill: Fill::Copied,
            place,
            senders: 1,
            idle: 0,
            pause: 0,
        };
        let round_trip = |len, place| Self { kind: Kind::RoundTrip, ..one_way(len, place) };
        vec![
            one_way(64, Place::Split),
            one_way(64, Place::Same),
            one_way(64, Place::Free),
            Self { fill: Fill::Batched, ..one_way(64, Place::Split) },
            Self { fill: Fill::Batched, ..one_way(64, Place::Same) },
            one_way(KIB, Place::Split),
            one_way(64 * KIB, Place::Split),
            one_way(10 * MIB, Place::Split),
            Self { fill: Fill::InPlace, ..one_way(64 * KIB, Place::Split) },
            Self { fill: Fill::InPlace, ..one_way(10 * MIB, Place::Split) },
            Self { senders: 8, ..one_way(64, Place::Split) },
            Self { senders: 8, ..one_way(64, Place::Free) },
            Self { idle: 99, ..one_way(64, Place::Split) },
            Self { idle: 999, ..one_way(64, Place::Split) },
            round_trip(64, Place::Split),
            round_trip(64, Place::Same),
            round_trip(64, Place::Free),
            Self { pause: PAUSE, ..round_trip(64, Place::Split) },
            Self { pause: PAUSE, ..round_trip(64, Place::Same) },
            round_trip(64 * KIB, Place::Split),
            round_trip(64 * KIB, Place::Same),
            Self { fill: Fill::InPlace, ..round_trip(64 * KIB, Place::Split) },
        ]
    }

    /// All processes on the clients' side.
    pub fn clients(&self) -> usize {
        self.senders + self.idle
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::OneWay => write!(f, "one way")?,
            Kind::RoundTrip => write!(f, "round trip")?,
        }
        match self.len {
            len if len.is_multiple_of(MIB) => write!(f, ", {} MiB", len / MIB)?,
            len if len.is_multiple_of(KIB) => write!(f, ", {} KiB", len / KIB)?,
            len => write!(f, ", {len} B")?,
        }
        match self.fill {
            Fill::Copied => {}
            Fill::InPlace => write!(f, " built in place")?,
            Fill::Batched => write!(f, " in batches of {BATCH}")?,
        }
        match self.place {
            Place::Split => write!(f, ", different CPUs")?,
            Place::Same => write!(f, ", one CPU")?,
            Place::Free => write!(f, ", unpinned")?,
        }
        if self.senders > 1 {
            write!(f, ", {} senders", self.senders)?;
        }
        if self.idle > 0 {
            write!(f, ", {} clients of which one is active", self.clients())?;
        }
        if self.pause > 0 {
            write!(f, ", each after {} \u{b5}s of sleep", self.pause)?;
        }
        Ok(())
    }
}

/// The cell as a word on a command line. [`FromStr`] reads it.
pub struct Word<'w>(pub &'w Work);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Work { kind, len, fill, place, senders, idle, pause } = self.0;
        write!(f, "{kind:?}:{len}:{fill:?}:{place:?}:{senders}:{idle}:{pause}")
    }
}

impl FromStr for Work {
    type Err = Box<dyn std::error::Error>;

    fn from_str(word: &str) -> Outcome<Self> {
        let wrong = || format!("{word:?} is no work");
        let parts: Vec<&str> = word.split(':').collect();
        let [kind, len, fill, place, senders, idle, pause] = parts[..] else { return Err(wrong().into()) };
        Ok(Self {
            kind: match kind {
                "OneWay" => Kind::OneWay,
                "RoundTrip" => Kind::RoundTrip,
                _ => return Err(wrong().into()),
            },
            len: len.parse()?,
            fill: match fill {
                "Copied" => Fill::Copied,
                "InPlace" => Fill::InPlace,
                "Batched" => Fill::Batched,
                _ => return Err(wrong().into()),
            },
            place: match place {
                "Split" => Place::Split,
                "Same" => Place::Same,
                "Free" => Place::Free,
                _ => return Err(wrong().into()),
            },
            senders: senders.parse()?,
            idle: idle.parse()?,
            pause: pause.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_survives_the_command_line() {
        for work in Work::all() {
            assert_eq!(Word(&work).to_string().parse::<Work>().unwrap(), work);
        }
    }
}
