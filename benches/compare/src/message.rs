//! What is in a message, and how a receiver knows that it is the right one.
//!
//! | bytes | hold |
//! |---|---|
//! | 0 to 8 | the number of the message, counted by its sender |
//! | 8 to 12 | the sender |
//! | 12 to 16 | [`Mark`] |
//! | 8 at each multiple of 4096 | the number again, in messages that are written whole |
//! | the last 8 | the number, inverted |
//! | the others | a pattern, in messages that are written whole |
//!
//! Every message is checked for its length, its sender's order, and both ends. Every 64th that was written whole is compared in
//! all its bytes: the numbers in it tell a new message from an older one in the same memory.

use zerocopy::{FromBytes, IntoBytes};

use crate::Outcome;
use crate::work::{Fill, Work};

/// The least length of a message.
pub const LEAST: usize = 64;
const PAGE: usize = 4096;
/// One message in so many is looked at whole.
const SAMPLE: u64 = 64;

/// What a message is besides one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    None = 0,
    /// The last of a round.
    RoundEnds = 1,
    /// The last of all.
    End = 2,
}

/// The fields of a message.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    pub number: u64,
    pub sender: u32,
    pub mark: Mark,
}

impl Stamp {
    /// Writes both ends of a message.
    #[inline]
    pub fn write_ends(&self, message: &mut [u8]) {
        let len = message.len();
        message[..8].copy_from_slice(&self.number.to_le_bytes());
        message[8..12].copy_from_slice(&self.sender.to_le_bytes());
        message[12..16].copy_from_slice(&(self.mark as u32).to_le_bytes());
        message[len - 8..].copy_from_slice(&(!self.number).to_le_bytes());
    }

    /// Writes all that differs from one message to the next.
    #[inline]
    fn write(&self, message: &mut [u8]) {
        for page in message.chunks_exact_mut(PAGE).skip(1) {
            page[..8].copy_from_slice(&self.number.to_le_bytes());
        }
        self.write_ends(message);
    }

    /// The same stamp, of a message that is as it must be: both ends and the length.
    #[inline(always)]
    fn read(message: &[u8], len: usize) -> Result<Self, String> {
        if message.len() != len || len < LEAST {
            return Err(format!("a message of {} bytes instead of {len}", message.len()));
        }
        let word = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().unwrap_or_default());
        let long = |at: usize| u64::from_le_bytes(message[at..at + 8].try_into().unwrap_or_default());
        let number = long(0);
        if long(len - 8) != !number {
            return Err(format!("message {number} does not end as it begins"));
        }
        let mark = match word(12) {
            0 => Mark::None,
            1 => Mark::RoundEnds,
            2 => Mark::End,
            other => return Err(format!("message {number} has the mark {other}")),
        };
        Ok(Self { number, sender: word(8), mark })
    }
}

/// Memory in which messages are made.
pub struct Body {
    /// Aligned to a page, and so to what the fast ways of copying like.
    memory: Box<[Page]>,
    len: usize,
}

#[derive(Clone, FromBytes, IntoBytes)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

impl Body {
    pub fn new(len: usize) -> Self {
        let pages = len.div_ceil(PAGE);
        let memory =
            (0..pages).map(|page| Page(std::array::from_fn(|at| pattern(page * PAGE + at)))).collect();
        Self { memory, len }
    }

    /// The message with this stamp.
    #[inline]
    pub fn stamped(&mut self, stamp: Stamp) -> &[u8] {
        let message = &mut self.memory.as_mut_bytes()[..self.len];
        stamp.write(message);
        message
    }
}

fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

/// Checks what one receiver gets.
pub struct Checker {
    len: usize,
    fill: Fill,
    /// The number that comes next, of each sender.
    next: Vec<u64>,
    /// What a message is compared with: made once, since the comparison is part of what is measured.
    expected: Body,
}

impl Checker {
    pub fn new(work: &Work) -> Self {
        Self { len: work.len, fill: work.fill, next: vec![0; work.senders], expected: Body::new(work.len) }
    }

    /// The stamp of a message that is as it must be. Inlined, so that it is not returned in memory and waited for.
    #[inline(always)]
    pub fn check(&mut self, message: &[u8]) -> Outcome<Stamp> {
        let stamp = Stamp::read(message, self.len)?;
        let Some(next) = self.next.get_mut(stamp.sender as usize) else {
            return Err(format!("a message of sender {}", stamp.sender).into());
        };
        if stamp.number != *next {
            return Err(
                format!("message {} of sender {} instead of {next}", stamp.number, stamp.sender).into()
            );
        }
        *next += 1;
        if self.fill != Fill::InPlace && stamp.number.is_multiple_of(SAMPLE) {
            self.compare(message, stamp)?;
        }
        Ok(stamp)
    }

    #[cold]
    fn compare(&mut self, message: &[u8], stamp: Stamp) -> Outcome {
        let expected = self.expected.stamped(stamp);
        if message == expected {
            return Ok(());
        }
        let at = message.iter().zip(expected).position(|(is, should)| is != should).unwrap_or_default();
        Err(format!("message {}: byte {at} of {} is wrong", stamp.number, message.len()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::{Kind, Place};

    fn checker(len: usize) -> Checker {
        let work = Work {
            kind: Kind::OneWay,
            len,
            fill: Fill::Copied,
            place: Place::Free,
            senders: 1,
            idle: 0,
            pause: 0,
        };
        Checker::new(&work)
    }

    fn stamp(number: u64) -> Stamp {
        Stamp { number, sender: 0, mark: Mark::None }
    }

    #[test]
    fn what_was_written_is_right() {
        for len in [64, 1024, 4096, 65536, 65536 + 64] {
            let (mut body, mut checker) = (Body::new(len), checker(len));
            for number in 0..200 {
                assert_eq!(checker.check(body.stamped(stamp(number))).unwrap().number, number);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_found() {
        let good = Body::new(65536).stamped(stamp(0)).to_vec();
        for at in [0, 7, 8, 13, 16, 63, 4096, 4103, 30000, 65527, 65535] {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(checker(65536).check(&bad).is_err(), "byte {at}");
        }
        assert!(checker(65536).check(&good[1..]).is_err(), "too short");
        assert!(checker(64).check(Body::new(64).stamped(stamp(1))).is_err(), "one was lost");
    }
}
