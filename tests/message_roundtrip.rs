//! Every supported type comes back as it went in, whatever its value, and no shorter payload passes for it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::*;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use machipc::message::{Decode, Encode, MachMessage, Schema};
use proptest::prelude::*;

mod message_types;
use message_types::{Rich, aligned, decode, encode};

/// The value as a message: encoded, decoded, compared; then every shorter payload, which must be an error.
fn round_trip<T>(value: T)
where
    T: Encode + for<'de> Decode<'de> + PartialEq + Debug,
{
    let bytes = encode(&value);
    assert!(bytes.len() >= T::MIN_SIZE, "{} bytes, MIN_SIZE is {}", bytes.len(), T::MIN_SIZE);
    assert_eq!(decode::<T>(bytes.as_bytes()).as_ref(), Ok(&value));
    for len in 0..bytes.len() {
        let short = decode::<T>(&bytes.as_bytes()[..len]);
        assert!(short.is_err(), "{len} of {} bytes gave {short:?}", bytes.len());
    }
}

/// As [`round_trip`], for a type that is a message by itself, and whose elements travel in bulk.
fn all_ways<T>(value: T)
where
    T: MachMessage + for<'de> Decode<'de> + PartialEq + Debug + Clone,
{
    round_trip(vec![value.clone(), value.clone()]);
    round_trip([value.clone(), value.clone(), value.clone()]);
    round_trip(vec![[value.clone(), value.clone()], [value.clone(), value.clone()]]);
    round_trip((1u8, value.clone(), 2u8));
    round_trip(Some(value.clone()));
    let bytes = encode(&value);
    let mut input = machipc::message::Decoder::new(bytes.as_bytes(), None);
    let view = T::decode_payload(value.message_id(), &mut input).unwrap();
    assert_eq!(encode(&view).as_bytes(), bytes.as_bytes());
    assert_eq!(T::fingerprint(), <T::View<'_> as MachMessage>::fingerprint());
    assert_eq!(T::fingerprint(), Schema::of::<T>().fingerprint());
    round_trip(value);
}

macro_rules! each {
    ($($test:ident: $($strategy:expr),* $(,)?;)*) => { $(
        #[test]
        fn $test() {
            let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
            $(
                proptest::test_runner::TestRunner::new(config.clone())
                    .run(&$strategy, |value| { all_ways(value); Ok(()) })
                    .unwrap_or_else(|error| panic!("{error}"));
            )*
        }
    )* };
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn list<S: Strategy>(element: S) -> impl Strategy<Value = Vec<S::Value>> {
    proptest::collection::vec(element, 0..6)
}

fn os_string() -> impl Strategy<Value = OsString> {
    list(any::<u8>()).prop_map(OsString::from_vec)
}

fn v4() -> impl Strategy<Value = SocketAddrV4> {
    any::<(u32, u16)>().prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn v6() -> impl Strategy<Value = SocketAddrV6> {
    any::<(u128, u16, u32, u32)>()
        .prop_map(|(ip, port, flow, scope)| SocketAddrV6::new(ip.into(), port, flow, scope))
}

each! {
    unsigned: any::<u8>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<u128>(), any::<usize>();
    signed: any::<i8>(), any::<i16>(), any::<i32>(), any::<i64>(), any::<i128>(), any::<isize>();
    floats: any::<f32>(), any::<f64>();
    bool_and_char: any::<bool>(), any::<char>();
    nonzero_unsigned:
        any::<u8>().prop_filter_map("0", NonZeroU8::new), any::<u16>().prop_filter_map("0", NonZeroU16::new),
        any::<u32>().prop_filter_map("0", NonZeroU32::new), any::<u64>().prop_filter_map("0", NonZeroU64::new),
        any::<u128>().prop_filter_map("0", NonZeroU128::new), any::<usize>().prop_filter_map("0", NonZeroUsize::new);
    nonzero_signed:
        any::<i8>().prop_filter_map("0", NonZeroI8::new), any::<i16>().prop_filter_map("0", NonZeroI16::new),
        any::<i32>().prop_filter_map("0", NonZeroI32::new), any::<i64>().prop_filter_map("0", NonZeroI64::new),
        any::<i128>().prop_filter_map("0", NonZeroI128::new), any::<isize>().prop_filter_map("0", NonZeroIsize::new);
    wrapping: any::<u16>().prop_map(Wrapping), any::<i64>().prop_map(Wrapping);
    options: any::<Option<u64>>(), any::<Option<Option<bool>>>(), any::<Option<(u8, u32)>>();
    results: any::<Result<u32, u8>>(), text().prop_map(Err::<(), String>), any::<Result<(), ()>>();
    strings: text(), text().prop_map(Box::<str>::from), text().prop_map(Rc::<str>::from), text().prop_map(Arc::<str>::from);
    paths: os_string(), os_string().prop_map(PathBuf::from), os_string().prop_map(|s| Box::<OsStr>::from(s.as_os_str())),
        os_string().prop_map(|s| Arc::<Path>::from(Path::new(&s)));
    vectors: list(any::<u8>()), list(any::<u64>()), list(text()), list(list(any::<u16>())), list(any::<(u8, u128)>()),
        list(any::<bool>()), list(any::<char>()), list(any::<usize>());
    vectors_of_arrays: list(any::<[u16; 3]>()), list(any::<[[u8; 2]; 3]>()), list(any::<[(u8, u32); 2]>()), list(any::<[u32; 0]>());
    vectors_of_nothing: list(Just(())), list(Just([(); 3])), list(Just(((), PhantomData::<u64>)));
    other_sequences: list(any::<u32>()).prop_map(VecDeque::from), list(text()).prop_map(Vec::into_boxed_slice),
        list(any::<u16>()).prop_map(Arc::<[u16]>::from), list(text()).prop_map(Rc::<[String]>::from);
    arrays: any::<[u64; 5]>(), any::<[u8; 17]>(), any::<[Option<u16>; 4]>(), any::<[u128; 0]>(), any::<[[i32; 2]; 2]>();
    boxes: any::<u64>().prop_map(Box::new), text().prop_map(Arc::new), any::<(u8, u16)>().prop_map(Rc::new);
    durations: any::<Duration>();
    addresses: any::<u32>().prop_map(Ipv4Addr::from), any::<u128>().prop_map(Ipv6Addr::from),
        any::<u32>().prop_map(|ip| IpAddr::V4(ip.into())), any::<u128>().prop_map(|ip| IpAddr::V6(ip.into()));
    socket_addresses: v4(), v6(), v4().prop_map(SocketAddr::V4), v6().prop_map(SocketAddr::V6);
    ranges: any::<Range<u32>>(), any::<RangeInclusive<i64>>(), any::<RangeFrom<u8>>(), any::<RangeTo<u64>>(),
        any::<RangeToInclusive<i16>>(), Just::<RangeFull>(..);
    units: Just(()), Just(PhantomData::<String>);
    tuples: any::<(u8,)>(), any::<(u8, u16, u32, u64, u128)>(), any::<(bool, char, Option<u8>, f64, [u8; 3], i128, u8, i64)>();
}

#[test]
fn a_tuple_of_twelve() {
    all_ways((1u8, 2u16, 3u32, 4u64, 5u128, 6i8, 7i16, 8i32, 9i64, 10i128, 'x', "twelve".to_owned()));
}

/// Values whose view is not known to compare with them.
macro_rules! collections {
    ($($test:ident: $($strategy:expr),* $(,)?;)*) => { $(
        #[test]
        fn $test() {
            let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
            $(
                proptest::test_runner::TestRunner::new(config.clone())
                    .run(&$strategy, |value| { round_trip(vec![value.clone()]); round_trip(value); Ok(()) })
                    .unwrap_or_else(|error| panic!("{error}"));
            )*
        }
    )* };
}

type Hasher = BuildHasherDefault<DefaultHasher>;

collections! {
    maps: proptest::collection::btree_map(text(), any::<u64>(), 0..6), proptest::collection::hash_map(any::<u8>(), text(), 0..6),
        proptest::collection::btree_map(any::<u8>(), Just(()), 0..6),
        proptest::collection::hash_map(any::<u8>(), any::<u16>(), 0..6).prop_map(HashMap::<u8, u16, Hasher>::from_iter),
        proptest::collection::btree_map(Just(()), Just(()), 0..2);
    sets: proptest::collection::btree_set(any::<u32>(), 0..6), proptest::collection::hash_set(text(), 0..6),
        proptest::collection::hash_set(any::<u8>(), 0..6).prop_map(HashSet::<u8, Hasher>::from_iter),
        proptest::collection::btree_set(Just(()), 0..2);
    times: any::<(i64, u32)>().prop_filter_map("out of range", |(seconds, nanos)| {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) }?;
        time.checked_add(Duration::from_nanos(u64::from(nanos) % 1_000_000_000))
    });
}

#[test]
fn times_at_the_edges() {
    let nano = Duration::from_nanos(1);
    for time in [
        UNIX_EPOCH,
        UNIX_EPOCH - nano,
        UNIX_EPOCH + nano,
        UNIX_EPOCH - Duration::from_secs(1),
        SystemTime::now(),
    ] {
        round_trip(time);
    }
    // A nanosecond before 1970 is second -1 and all its nanoseconds but one.
    let bytes = encode(&(UNIX_EPOCH - nano));
    assert_eq!(bytes.as_bytes(), [[0xff; 8].as_slice(), &999_999_999u32.to_le_bytes()].concat());
    // The first and the last second that this system has.
    for seconds in [i64::MIN, i64::MAX] {
        let bytes = aligned(&[seconds.to_le_bytes().as_slice(), &0u32.to_le_bytes()].concat());
        if let Ok(time) = decode::<SystemTime>(bytes.as_bytes()) {
            round_trip(time);
        }
    }
}

#[test]
fn every_bit_of_a_float() {
    for bits in [
        0,
        1,
        1 << 63,
        f64::NAN.to_bits(),
        0x7ff0_0000_0000_0001,
        0xfff8_0000_dead_beef,
        f64::INFINITY.to_bits(),
    ] {
        let bytes = encode(&f64::from_bits(bits));
        assert_eq!(decode::<f64>(bytes.as_bytes()).unwrap().to_bits(), bits);
    }
    for bits in [0x7f80_0001u32, 0xffc0_beef] {
        let bytes = encode(&vec![f32::from_bits(bits)]);
        assert_eq!(decode::<Vec<f32>>(bytes.as_bytes()).unwrap()[0].to_bits(), bits);
    }
}

#[test]
fn what_borrows_points_into_the_message() {
    fn inside<T: ?Sized>(bytes: &[u8], part: &T) -> bool {
        let (all, start) = (bytes.as_ptr_range(), std::ptr::from_ref(part).cast::<u8>());
        all.start <= start && start.wrapping_add(size_of_val(part)) <= all.end
    }

    let bytes = encode(&Rich::example());
    let rich: Rich<'_> = decode(bytes.as_bytes()).unwrap();
    assert_eq!(rich, Rich::example());
    let bytes = bytes.as_bytes();
    assert!(inside(bytes, rich.name) && inside(bytes, rich.samples) && inside(bytes, rich.point));
    assert!(!inside(bytes, rich.owned[0].as_str()));

    let bytes = encode(&("text", [1u64, 2, 3].as_slice(), Path::new("/a"), OsStr::new("b"), &7u128));
    let (text, numbers, path, os, pod): (Cow<'_, str>, Cow<'_, [u64]>, Cow<'_, Path>, &OsStr, &u128) =
        decode(bytes.as_bytes()).unwrap();
    assert!(matches!((&text, &numbers, &path), (Cow::Borrowed(_), Cow::Borrowed(_), Cow::Borrowed(_))));
    let bytes = bytes.as_bytes();
    assert!(inside(bytes, &*text) && inside(bytes, &*numbers) && inside(bytes, &*path) && inside(bytes, os));
    assert!(inside(bytes, pod) && *pod == 7);

    let bytes = encode(&vec!["a", "b"]);
    let texts: Vec<&str> = decode(bytes.as_bytes()).unwrap();
    assert!(texts.iter().all(|text| inside(bytes.as_bytes(), *text)));
}

#[test]
fn types_that_are_one_on_the_wire_read_each_other() {
    let map = HashMap::from([(3u8, "c".to_owned()), (1, "a".to_owned()), (2, "b".to_owned())]);
    let bytes = encode(&map);
    assert_eq!(
        decode::<BTreeMap<u8, &str>>(bytes.as_bytes()).unwrap(),
        BTreeMap::from([(1, "a"), (2, "b"), (3, "c")])
    );
    let bytes = encode(&VecDeque::from([1u16, 2, 3]));
    assert_eq!(decode::<&[u16]>(bytes.as_bytes()).unwrap(), [1, 2, 3]);
    let mut ring = VecDeque::from([0u64, 1, 2, 3]);
    ring.rotate_left(2);
    ring.push_front(9);
    assert_eq!(encode(&ring).as_bytes(), encode(&Vec::from_iter(ring.iter().copied())).as_bytes());
    let bytes = encode(&BTreeSet::from([5u8, 4]));
    assert_eq!(decode::<HashSet<u8>>(bytes.as_bytes()).unwrap(), HashSet::from([4, 5]));
    let bytes = encode(&["a", "b"]);
    assert_eq!(decode::<[String; 2]>(bytes.as_bytes()).unwrap(), ["a", "b"]);
    assert_eq!(<Box<[u8]>>::fingerprint(), <&[u8]>::fingerprint());
    assert_eq!(HashMap::<u8, String>::fingerprint(), BTreeMap::<u8, Cow<'_, str>>::fingerprint_of());
}

/// `BTreeMap<u8, Cow<str>>` borrows, so it is a part of a message and not one by itself.
trait FingerprintOf {
    fn fingerprint_of() -> u64;
}

impl FingerprintOf for BTreeMap<u8, Cow<'_, str>> {
    fn fingerprint_of() -> u64 {
        Schema::fingerprint_of::<Self>()
    }
}
