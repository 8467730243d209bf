//! Any bytes give a value or an error, and memory grows with the bytes and not with what they promise.
//!
//! A binary of its own, because its allocator counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use machipc::message::{AlignedBuffer, Decode, Decoder, Encode, Encoder, Prefix};

mod message_types;
use message_types::{Rich, Tree, decode, encode};

/// Counts each thread's bytes: what is allocated now, the most that was since the last look, and the calls.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(LIVE.get()));
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `work` and says how much memory it had at most beyond what was there before, in bytes, and how often it allocated.
fn memory_of<R>(work: impl FnOnce() -> R) -> (R, usize, usize) {
    let (before, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize, CALLS.get() - calls)
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A number that is likely to be a count, an offset, or far beyond either.
    fn number(&mut self) -> u32 {
        match self.below(4) {
            0 => self.below(8) as u32,
            1 => self.below(300) as u32,
            2 => u32::MAX - self.below(3) as u32,
            _ => self.next() as u32,
        }
    }
}

/// What the types below may take at most in memory for each byte on the wire: the worst is a `BTreeMap<String, Vec<_>>` of one
/// entry, whose 12 bytes make a node with room for 11 entries of 48 bytes.
const FACTOR: usize = 64;
/// An error's text and path, and one element of each type.
const FIXED: usize = 4 * 1024;

/// Decodes and says whether that gave a value, whatever is left behind it. What decodes must encode again.
fn attempt<'a, T: Decode<'a> + Debug>(bytes: &'a [u8]) -> bool {
    let mut input = Decoder::new(bytes, None);
    let (result, peak, _) = memory_of(|| T::decode(&mut input));
    let limit = FIXED + FACTOR * bytes.len();
    assert!(
        peak <= limit,
        "{peak} bytes allocated for {} of {}: {bytes:02x?}",
        bytes.len(),
        std::any::type_name::<T>()
    );
    let left = input.remaining();
    match result.and_then(|value| input.finish().map(|()| value)) {
        Ok(value) => {
            encode(&value);
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("cannot decode the message: "), "{text}");
            text.ends_with(&format!("{left} bytes left behind the last field"))
        }
    }
}

type Everything<'a> = (
    (Vec<u8>, Vec<String>, Vec<&'a str>, Vec<Option<u64>>, Vec<()>, Vec<[u16; 3]>, &'a [u32], VecDeque<i64>),
    (BTreeMap<u8, u8>, BTreeMap<String, Vec<u16>>, HashMap<u16, ()>, BTreeSet<char>, HashSet<bool>),
    (
        Option<Box<u32>>,
        Result<String, bool>,
        Duration,
        SystemTime,
        SocketAddr,
        PathBuf,
        &'a Path,
        std::ops::Range<u8>,
    ),
    Vec<Vec<Vec<Vec<u32>>>>,
    Tree,
    Rich<'a>,
);

fn attempt_all(bytes: &[u8]) -> usize {
    let results = [
        attempt::<Everything<'_>>(bytes),
        attempt::<Rich<'_>>(bytes),
        attempt::<Tree>(bytes),
        attempt::<Vec<Rich<'_>>>(bytes),
        attempt::<Vec<Vec<Vec<Vec<u32>>>>>(bytes),
        attempt::<HashMap<u64, Vec<String>>>(bytes),
        attempt::<BTreeMap<u8, BTreeMap<u8, Option<u32>>>>(bytes),
        attempt::<Vec<(char, bool, Option<&str>)>>(bytes),
        attempt::<(SystemTime, Duration, Option<SocketAddr>)>(bytes),
        attempt::<[Option<Result<u16, Box<str>>>; 4]>(bytes),
        attempt::<Vec<[Option<u8>; 3]>>(bytes),
    ];
    let _ = Prefix::parse(bytes);
    results.iter().filter(|decoded| **decoded).count()
}

#[test]
fn random_bytes() {
    let mut random = Random(0x5eed);
    let mut decoded = 0;
    let mut buffer = AlignedBuffer::with_capacity(512);
    for round in 0..6_000 {
        buffer.set_len(random.below(if round % 2 == 0 { 32 } else { 512 }));
        // Mostly small numbers, so that decoding gets far.
        let density = random.below(5);
        for byte in buffer.as_mut_bytes() {
            *byte = if random.below(5) < density { random.next() as u8 } else { random.below(3) as u8 };
        }
        decoded += attempt_all(buffer.as_bytes());
    }
    assert!(decoded > 100, "only {decoded} values in random bytes: the test reaches nothing");
}

#[test]
fn mutated_and_truncated_messages() {
    let everything = (
        (
            vec![1, 2, 3],
            vec!["a".to_owned(), "longer text".to_owned()],
            vec!["b", ""],
            vec![Some(1), None],
            vec![(), ()],
            vec![[1, 2, 3]],
            message_types::SAMPLES.as_slice(),
            VecDeque::from([-1, 2]),
        ),
        (
            BTreeMap::from([(1, 2), (3, 4)]),
            BTreeMap::from([("k".to_owned(), vec![5, 6])]),
            HashMap::from([(1, ()), (2, ())]),
            BTreeSet::from(['x', 'y']),
            HashSet::from([true]),
        ),
        (
            Some(Box::new(7)),
            Ok("fine".to_owned()),
            Duration::from_millis(1500),
            SystemTime::UNIX_EPOCH,
            "1.2.3.4:5".parse().unwrap(),
            PathBuf::from("/tmp"),
            Path::new("/"),
            3..9,
        ),
        vec![vec![vec![vec![1, 2], vec![]], vec![]], vec![]],
        Tree::of_depth(5),
        Rich::example(),
    );
    let valid = [
        encode::<Everything<'_>>(&everything),
        encode(&Rich::example()),
        encode(&Tree::of_depth(20)),
        encode(&vec![Rich::example(), Rich::example()]),
        encode(&vec![vec![vec![vec![1u32; 10]; 3]; 3]; 3]),
    ];
    let mut random = Random(0xfeed);
    let (mut values, mut errors) = (0, 0);
    for round in 0..8_000 {
        let mut buffer = valid[round % valid.len()].clone();
        for _ in 0..1 + random.below(3) {
            let len = buffer.len();
            match random.below(6) {
                0 => buffer.set_len(random.below(len)),
                1 if len >= 4 => {
                    let at = random.below(len / 4) * 4;
                    let number = random.number();
                    buffer.as_mut_bytes()[at..at + 4].copy_from_slice(&number.to_le_bytes());
                }
                2 if len >= 16 => {
                    let (from, to) = (random.below(len - 8), random.below(len - 8));
                    buffer.as_mut_bytes().copy_within(from..from + 8, to);
                }
                3 => buffer.set_len(len + random.below(40)),
                _ if len != 0 => buffer.as_mut_bytes()[random.below(len)] = random.next() as u8,
                _ => {}
            }
        }
        let decoded = match round % valid.len() {
            0 => attempt::<Everything<'_>>(buffer.as_bytes()),
            1 => attempt::<Rich<'_>>(buffer.as_bytes()),
            2 => attempt::<Tree>(buffer.as_bytes()),
            3 => attempt::<Vec<Rich<'_>>>(buffer.as_bytes()),
            _ => attempt::<Vec<Vec<Vec<Vec<u32>>>>>(buffer.as_bytes()),
        };
        *if decoded { &mut values } else { &mut errors } += 1;
    }
    assert!(values > 500 && errors > 2_000, "{values} values and {errors} errors: one kind is not reached");
}

/// Promises of 2^32-1 elements, and of as many as the rest of the message could hold, at every level of a deep tree.
#[test]
fn promises_cost_nothing() {
    for len in [64 * 1024, 1024 * 1024] {
        for per_level in [8usize, 4096] {
            // Each level says that all that is left are its children, then its first child follows.
            let mut bytes = vec![0; len];
            for at in (0..len - 8).step_by(8) {
                let left = (len - at - 8) / 6;
                bytes[at + 4..at + 8].copy_from_slice(&((left / (per_level / 8)) as u32).to_le_bytes());
            }
            let bytes = message_types::aligned(&bytes);
            let (result, peak, _) = memory_of(|| decode::<Tree>(bytes.as_bytes()).is_err());
            assert!(result);
            assert!(peak <= 4 * len + FIXED, "{peak} bytes of memory for promises in {len} bytes");
        }
        let mut bytes = vec![0xff; 4];
        bytes.resize(len, 0);
        let bytes = message_types::aligned(&bytes);
        let (_, peak, _) = memory_of(|| {
            assert!(decode::<Vec<()>>(bytes.as_bytes()).is_err());
            assert!(decode::<Vec<[u8; 4096]>>(bytes.as_bytes()).is_err());
            assert!(decode::<HashMap<u8, [u64; 64]>>(bytes.as_bytes()).is_err());
            assert!(decode::<String>(bytes.as_bytes()).is_err());
        });
        assert!(peak <= FIXED, "{peak} bytes of memory for a count that cannot be");
    }
}

#[test]
fn messages_are_encoded_and_borrowed_without_allocating() {
    message_types::message_struct! {
        Sample<'a> { id: u64, kind: u32, position: [f64; 3], name: &'a str, values: &'a [u32] }
    }
    use machipc::message::{DecodeError, EncodeError, Schema};

    let sample = Sample { id: 1, kind: 2, position: [1.0, 2.0, 3.0], name: "twelve bytes", values: &[7; 8] };
    let mut buffer = AlignedBuffer::new();
    for round in 0..1_000 {
        let ((), _, calls) = memory_of(|| {
            buffer.clear();
            let mut out = Encoder::new(&mut buffer);
            sample.encode(&mut out).unwrap();
            out.finish();
            let mut input = Decoder::new(buffer.as_bytes(), None);
            assert_eq!(Sample::decode(&mut input).unwrap(), sample);
            input.finish().unwrap();
            Schema::fingerprint_of::<Sample<'_>>();
        });
        // The first message makes the buffer and the fingerprint.
        assert!(calls == 0 || round == 0, "{calls} allocations for message {round}");
    }
}
