//! The bytes of a message, as the page of `machipc::message` states them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use machipc::message::{
    AlignedBuffer, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, MAX_DEPTH, MachMessage,
    PLAIN_ID, Prefix, Schema,
};

mod message_types;
use message_types::{Rich, Tree, decode, dirty, encode, message_struct, try_encode};

/// Bytes, written as numbers with any white space between them.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[track_caller]
fn golden<T: Encode + ?Sized>(value: &T, expected: &str) {
    assert_eq!(encode(value).as_bytes(), hex(expected), "{}", std::any::type_name::<T>());
}

#[test]
fn plain_data() {
    golden(&0x0102_0304u32, "04030201");
    golden(&-2i16, "feff");
    golden(&true, "01");
    golden(&'ß', "df000000");
    golden(&1.5f64, "000000000000f83f");
    golden(&0x0102usize, "0201000000000000");
    golden(&-1isize, "ffffffffffffffff");
    golden(&NonZeroU16::new(3).unwrap(), "0300");
    golden(&(), "");
    golden(&[1u16, 2, 3], "0100 0200 0300");
}

#[test]
fn padding_is_natural_and_zero_also_in_a_buffer_that_was_used() {
    golden(
        &(1u8, 2u16, 3u32, 4u64, 5u8, 6u128),
        "01 00 0200 03000000 0400000000000000 05 00000000000000 00000000000000 00
        06000000000000000000000000000000",
    );
    golden(
        &(1u8, 'a', 2u8, 0.5f64, 3u8, [4u16]),
        "01000000 61000000 02 00000000000000 000000000000e03f 03 00 0400",
    );
    // Nothing but plain data is aligned, and what has no bytes has no padding.
    golden(&(1u8, (2u8, 3u8), "", [0u64; 0], 4u8), "01 02 03 00 00000000 04");
    golden(&(1u8, &[] as &[u64], 2u8), "01 000000 00000000 02");
    // Growing in the middle of a message makes no difference.
    let large: Vec<(u8, u64)> = (0..100).map(|n| (n as u8, 7)).collect();
    let mut fresh = AlignedBuffer::new();
    let mut out = Encoder::new(&mut fresh);
    large.encode(&mut out).unwrap();
    out.finish();
    assert_eq!(fresh.as_bytes(), encode(&large).as_bytes());
}

#[test]
fn a_payload_starts_on_a_multiple_of_16_wherever_the_buffer_is() {
    for before in 0..33 {
        let mut buffer = dirty(64);
        buffer.set_len(before);
        let mut out = Encoder::new(&mut buffer);
        (1u8, 2u128).encode(&mut out).unwrap();
        assert_eq!(out.len(), 32);
        let encoded = out.finish();
        assert_eq!(encoded.start, usize::next_multiple_of(before, 16));
        assert_eq!(&encoded.buffer.as_bytes()[encoded.start..], encode(&(1u8, 2u128)).as_bytes());
        assert!(encoded.buffer.as_bytes()[before..encoded.start].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn sequences_and_choices() {
    golden("ab", "02000000 6162");
    golden(Path::new("/a"), "02000000 2f61");
    golden(&vec![1u8, 2], "02000000 0102");
    golden(&vec![1u64], "01000000 00000000 0100000000000000");
    golden(&vec!["a", "bc"], "02000000 01000000 61 000000 02000000 6263");
    golden(&vec![(), ()], "02000000 00 00");
    golden(&vec![[0u32; 0]; 3], "03000000 00 00 00");
    golden(&BTreeMap::from([(1u8, 2u16), (3, 4)]), "02000000 01 00 0200 03 00 0400");
    golden(&BTreeSet::from([(), ()]), "01000000 00");
    golden(&None::<u32>, "00");
    golden(&Some(7u32), "01 000000 07000000");
    golden(&Ok::<u8, u16>(5), "00 05");
    golden(&Err::<u8, u16>(5), "01 00 0500");
    golden(&Box::new(Some(Box::new(1u8))), "01 01");
}

#[test]
fn the_standard_librarys_own() {
    golden(&Duration::new(1, 2), "0100000000000000 02000000");
    golden(&(UNIX_EPOCH + Duration::new(1, 2)), "0100000000000000 02000000");
    golden(&(UNIX_EPOCH - Duration::new(1, 2)), "feffffffffffffff fec99a3b");
    golden(&(1u8..3), "01 03");
    golden(&(1u8..=3), "01 03");
    golden(&(5u16..), "0500");
    golden(&(..), "");
    golden(&"1.2.3.4".parse::<IpAddr>().unwrap(), "04 01020304");
    golden(
        &"[1::2]:3".parse::<SocketAddr>().unwrap(),
        "06 00010000000000000000000000000002 00 0300 00000000 00000000",
    );
    golden(&"1.2.3.4:5".parse::<SocketAddr>().unwrap(), "04 01020304 00 0500");
}

#[test]
fn structs_are_their_fields() {
    golden(
        &Tree {
            label: 1,
            children: vec![Tree { label: 2, children: vec![] }, Tree { label: 3, children: vec![] }],
        },
        "0100 0000 02000000 0200 0000 00000000 0300 0000 00000000",
    );
}

#[test]
fn the_prefix() {
    let prefix = Prefix::new(0x0102, 0x1112_1314_1516_1718, Prefix::OUT_OF_LINE).unwrap();
    assert_eq!(prefix.to_bytes(), *hex("6d70 01 01 02010000 1817161514131211"));
    assert!(
        prefix.is_out_of_line()
            && prefix.payload_len() == 0x102
            && prefix.fingerprint() == 0x1112_1314_1516_1718
    );
    assert_eq!(Prefix::parse(&prefix.to_bytes()).unwrap(), prefix);

    let error = |bytes: &[u8]| Prefix::parse(bytes).unwrap_err().to_string();
    assert!(error(&prefix.to_bytes()[..15]).contains("16 bytes wanted, 15 left"));
    for (index, byte, part) in
        [(0, 0, "starts with 0x7000, not 0x706d"), (2, 9, "version 9"), (3, 5, "unknown flags 0x05")]
    {
        let mut bytes = prefix.to_bytes();
        bytes[index] = byte;
        assert!(error(&bytes).contains(part), "{}", error(&bytes));
    }
    let error = Prefix::new(1 << 32, 0, 0).unwrap_err().to_string();
    assert!(error.contains("4294967296 bytes, at most 4294967295 fit"), "{error}");
}

/// The count of every collection, at its largest, with nothing behind it and with a little.
#[test]
fn a_count_that_the_message_cannot_hold_is_an_error() {
    fn refuses<T: for<'x> Decode<'x>>() {
        for rest in [0usize, 1, 5, 100] {
            let mut bytes = vec![0xff; 4];
            bytes.resize(4 + rest, 0);
            let bytes = message_types::aligned(&bytes);
            let error =
                decode::<T>(bytes.as_bytes()).err().expect("a count of 4294967295 is too much").to_string();
            assert!(error.contains("4294967295") && error.contains(&format!("{rest}")), "{error}");
        }
    }
    use std::collections::{HashMap, HashSet, VecDeque};
    refuses::<String>();
    refuses::<Box<str>>();
    refuses::<std::path::PathBuf>();
    refuses::<std::ffi::OsString>();
    refuses::<Vec<u8>>();
    refuses::<Vec<u128>>();
    refuses::<Vec<()>>();
    refuses::<Vec<[u64; 0]>>();
    refuses::<Vec<[u8; 1000]>>();
    refuses::<Vec<String>>();
    refuses::<Vec<Tree>>();
    refuses::<VecDeque<u16>>();
    refuses::<Box<[Option<u8>]>>();
    refuses::<std::sync::Arc<[u8]>>();
    refuses::<BTreeMap<u8, u8>>();
    refuses::<BTreeMap<(), ()>>();
    refuses::<HashMap<String, ()>>();
    refuses::<BTreeSet<u8>>();
    refuses::<BTreeSet<()>>();
    refuses::<HashSet<()>>();
    fn refuses_borrowed<'a, T: Decode<'a>>() {
        assert!(decode::<T>(&[0xff; 4]).is_err());
    }
    refuses_borrowed::<&str>();
    refuses_borrowed::<&[u8]>();
    refuses_borrowed::<&[u64]>();
    refuses_borrowed::<std::borrow::Cow<'_, [u64]>>();
}

#[test]
fn bytes_that_are_no_value_are_told_so() {
    #[track_caller]
    fn error<T: for<'x> Decode<'x>>(bytes: &str, expected: &str) {
        let error = decode::<T>(message_types::aligned(&hex(bytes)).as_bytes())
            .err()
            .expect("not a value")
            .to_string();
        assert_eq!(error, format!("cannot decode the message: {expected}"));
    }
    error::<u32>("0102", "4 bytes wanted, 2 left");
    error::<bool>("02", "bytes that are no bool");
    error::<char>("00d80000", "bytes that are no char");
    error::<NonZeroU16>("0000", "bytes that are no core::num::nonzero::NonZero<u16>");
    error::<std::num::NonZeroUsize>("0000000000000000", "0 is no NonZeroUsize");
    error::<Option<u8>>("02", "a tag of 2 is neither 0 (None) nor 1 (Some)");
    error::<Result<u8, u8>>("03", "a tag of 3 is neither 0 (Ok) nor 1 (Err)");
    error::<String>("02000000 61ff", "text that is not UTF-8 from byte 1 on");
    error::<Duration>("0000000000000000 00ca9a3b", "1000000000 nanoseconds are not below a second");
    error::<IpAddr>("05", "an address of version 5, not 4 or 6");
    error::<Vec<()>>("01000000 07", "an element starts with 7, not 0");
    error::<Vec<bool>>("02000000 0105", "bytes that are no bool");
    error::<Vec<Option<u8>>>("02000000 00 09", "element 1: a tag of 9 is neither 0 (None) nor 1 (Some)");
    error::<[Option<u8>; 2]>("00 09", "element 1: a tag of 9 is neither 0 (None) nor 1 (Some)");
    error::<BTreeMap<u8, bool>>("02000000 0100 0101", "element 1: its key came before");
    error::<BTreeMap<u8, bool>>("02000000 0100 0202", "element 1: value: bytes that are no bool");
    error::<std::collections::HashMap<u8, ()>>("02000000 01 01", "element 1: its key came before");
    error::<BTreeSet<u8>>("02000000 01 01", "element 1: it came before");
    error::<std::collections::HashSet<String>>("02000000 00000000 00000000", "element 1: it came before");
    error::<u8>("01 00", "1 bytes left behind the last field");
    error::<(u8, bool)>("01 05", "1: bytes that are no bool");
    error::<Tree>(
        "0100 0000 01000000 0200 0000 0300",
        "Tree.children: element 0: Tree.children: 4 bytes wanted, 2 left",
    );
    error::<Tree>(
        "0100 0000 01000000 02",
        "Tree.children: 1 elements of at least 6 bytes wanted, 1 bytes left",
    );
    error::<std::os::fd::OwnedFd>("00000000", "attachment 0 named, 0 comes next of 0");
}

#[test]
fn a_misaligned_payload_is_an_error_only_where_it_matters() {
    let buffer =
        message_types::aligned(&[[0u8].as_slice(), &hex("01000000 00000000 0200000000000000")].concat());
    let bytes = &buffer.as_bytes()[1..];
    assert_eq!(decode::<(u32, u64)>(bytes).unwrap(), (1, 2));
    let error = decode::<&[u64]>(bytes).unwrap_err().to_string();
    assert!(error.contains("does not start on a multiple of 16 bytes"), "{error}");
}

#[test]
fn nesting_is_bounded_on_both_sides() {
    let limit = MAX_DEPTH as u16;
    let bytes = encode(&Tree::of_depth(limit));
    assert_eq!(decode::<Tree>(bytes.as_bytes()).unwrap(), Tree::of_depth(limit));
    let error = try_encode(&Tree::of_depth(limit + 1)).unwrap_err().to_string();
    assert!(error.ends_with("structs and enums nested deeper than 64 levels"), "{error}");

    // A message of a million levels: label 0, one child, and so on.
    let bomb = message_types::aligned(&hex("0000 0000 01000000").repeat(1_000_000));
    let error = decode::<Tree>(bomb.as_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("structs and enums nested deeper than 64 levels"), "{error}");
    // One level too many is the same as a million.
    let mut bytes = hex("0000 0000 01000000").repeat(limit.into());
    bytes.extend(hex("0000 0000 00000000"));
    assert!(decode::<Tree>(message_types::aligned(&bytes).as_bytes()).is_err());
}

// Two versions of a message: the second has an extension.

message_struct! { Old { a: u8, b: u16 } }

#[derive(Debug, PartialEq, Clone)]
struct New {
    a: u8,
    b: u16,
    /// Since 2.
    c: u32,
    /// Since 3.
    d: String,
}

impl Encode for New {
    const MIN_SIZE: usize = 3;

    fn schema(schema: &mut Schema) {
        schema.extensible::<Self>("Old", |schema| {
            schema.push("{a:");
            schema.part::<u8>();
            schema.push(",b:");
            schema.part::<u16>();
            schema.push(",}");
        });
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.nested(|out| {
            self.a.encode(out)?;
            self.b.encode(out)?;
            out.extension(|out| {
                self.c.encode(out)?;
                self.d.encode(out)
            })
        })
    }
}

impl<'de> Decode<'de> for New {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.nested(|input| {
            let (a, b) = (u8::decode(input)?, u16::decode(input)?);
            let (c, d) = input.extension(|input| Ok((input.since(|| 99)?, input.since(String::new)?)))?;
            Ok(Self { a, b, c, d })
        })
    }
}

#[test]
fn old_and_new_peers_talk() {
    let new = New { a: 1, b: 2, c: 3, d: "x".into() };
    golden(&new, "01 00 0200 09000000 03000000 01000000 78");
    assert_eq!(decode::<New>(encode(&new).as_bytes()).unwrap(), new);
    assert_eq!(decode::<Old>(encode(&new).as_bytes()).unwrap(), Old { a: 1, b: 2 });
    let read = decode::<New>(encode(&Old { a: 1, b: 2 }).as_bytes()).unwrap();
    assert_eq!(read, New { a: 1, b: 2, c: 99, d: String::new() });
    // A sender that knows `c` and not `d`, and one that knows of something behind `d`.
    let between = message_types::aligned(&hex("01 00 0200 04000000 03000000"));
    assert_eq!(decode::<New>(between.as_bytes()).unwrap(), New { a: 1, b: 2, c: 3, d: String::new() });
    let newer = message_types::aligned(&hex("01 00 0200 0c000000 03000000 01000000 78 aabbcc"));
    assert_eq!(decode::<New>(newer.as_bytes()).unwrap(), new);
    // Inside others, too.
    let many = vec![new.clone(), New { d: "longer".into(), ..new.clone() }];
    assert_eq!(decode::<Vec<New>>(encode(&many).as_bytes()).unwrap(), many);

    // An extension ends within the payload, and fields end within the extension.
    for (bytes, part) in [
        ("01 00 0200 0a000000 03000000 01000000 78", "10 bytes wanted, 9 left"),
        ("01 00 0200 08000000 03000000 01000000 78", "1 bytes wanted, 0 left"),
        ("01 00 0200 09000000 03000000 01000000 78 00", "1 bytes left"),
        ("01 00 0200 0900", "4 bytes wanted, 2 left"),
    ] {
        let error = decode::<New>(message_types::aligned(&hex(bytes)).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error =
        decode::<Old>(message_types::aligned(&hex("01 00 0200 0a000000 03000000")).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("8 bytes left behind the last field"), "{error}");
}

#[test]
fn extensions_are_no_part_of_a_whole_messages_fingerprint() {
    assert_eq!(Schema::of::<Old>().text(), "#0\n#0 = Old{a:u8,b:u16,}");
    assert_eq!(Schema::fingerprint_of::<Old>(), Schema::fingerprint_of::<New>());
    // Between other fields it matters whether there is one.
    assert_eq!(Schema::of::<(u8, New)>().text(), "(u8,#0+)\n#0 = Old{a:u8,b:u16,}");
    assert_ne!(Schema::fingerprint_of::<(u8, Old)>(), Schema::fingerprint_of::<(u8, New)>());
}

#[test]
fn schemas() {
    let text = Schema::of::<Tree>().text();
    assert_eq!(text, "#0\n#0 = Tree{label:u16,children:[#self],}");
    let text = Schema::of::<Rich<'_>>().text();
    assert_eq!(
        text,
        "#0\n#0 = Rich{id:u64,kind:u32,x:f64,flag:bool,letter:char,name:str,samples:[u32],point:[f64;2],big:u128,owned:[str],\
         pairs:[(u8,?u64)],table:{str:[[u16;3]]},outcome:Result((),socket),tree:#1,}\n#1 = Tree{label:u16,children:[#self],}"
    );
    // A type is described once, however often it is named.
    let text = Schema::of::<((Tree, Tree), [Tree; 2])>().text();
    assert_eq!(text, "((#0,#0),[#0;2])\n#0 = Tree{label:u16,children:[#self],}");
    for (one, other) in [
        (Schema::fingerprint_of::<(u8, u16)>(), Schema::fingerprint_of::<(u16, u8)>()),
        (Schema::fingerprint_of::<Vec<u8>>(), Schema::fingerprint_of::<String>()),
        (Schema::fingerprint_of::<[u8; 2]>(), Schema::fingerprint_of::<[u8; 3]>()),
        (Schema::fingerprint_of::<Option<u8>>(), Schema::fingerprint_of::<u8>()),
    ] {
        assert_ne!(one, other);
    }
    // Both sides compute it, so it must never change by itself.
    assert_eq!(String::fingerprint(), 0x826e_8319_5d0d_60f0);
    assert_eq!(Schema::fingerprint_of::<Tree>(), 0x9899_cb43_08f5_faf4);
}

message_struct! { Pair { a: u8, b: PairOf<u8> } }

/// Generic by hand: two instances that are one on the wire are described once.
#[derive(Clone, Debug, PartialEq)]
struct PairOf<T>(T, T);

impl<T: Encode> Encode for PairOf<T> {
    const MIN_SIZE: usize = 2 * T::MIN_SIZE;

    fn schema(schema: &mut Schema) {
        schema.named::<Self>("PairOf", |schema| {
            schema.push("(");
            schema.part::<T>();
            schema.push(",");
            schema.part::<T>();
            schema.push(")");
        });
    }

    fn encode<'m>(&'m self, out: &mut Encoder<'m>) -> Result<(), EncodeError> {
        out.nested(|out| self.0.encode(out).and_then(|()| self.1.encode(out)))
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for PairOf<T> {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        input.nested(|input| Ok(Self(T::decode(input)?, T::decode(input)?)))
    }
}

#[test]
fn generic_types_are_told_apart_by_their_arguments() {
    let text = Schema::of::<(PairOf<u8>, PairOf<u16>, PairOf<PairOf<u8>>)>().text();
    assert_eq!(text, "(#0,#1,#2)\n#0 = PairOf(u8,u8)\n#1 = PairOf(u16,u16)\n#2 = PairOf(#0,#0)");
    let (borrowed, owned) =
        (Schema::of::<(PairOf<&str>, PairOf<String>)>(), Schema::of::<[PairOf<String>; 2]>());
    assert_eq!(borrowed.text(), "(#0,#0)\n#0 = PairOf(str,str)");
    assert_eq!(owned.text(), "[#0;2]\n#0 = PairOf(str,str)");
    assert_eq!(Schema::of::<Pair>().text(), "#0\n#0 = Pair{a:u8,b:#1,}\n#1 = PairOf(u8,u8)");
    // Remembered by type, not by name alone.
    assert_ne!(Schema::fingerprint_of::<PairOf<u8>>(), Schema::fingerprint_of::<PairOf<u16>>());
}

#[test]
fn a_plain_message_answers_to_one_id() {
    let bytes = encode(&7u32);
    assert_eq!(u32::decode_payload(PLAIN_ID, &mut Decoder::new(bytes.as_bytes(), None)).unwrap(), 7);
    let error = u32::decode_payload(5, &mut Decoder::new(bytes.as_bytes(), None)).unwrap_err();
    assert!(error.is_unknown_variant() && error.to_string().contains("no variant has id 0x5"), "{error}");
    assert!(error.fingerprints().is_none());
    let error = DecodeError::fingerprint_mismatch("Kv", 1, 2);
    assert_eq!(error.fingerprints(), Some((1, 2)));
    let text = error.to_string();
    assert!(
        text.contains("Kv") && text.contains("0x0000000000000001") && text.contains("0x0000000000000002"),
        "{text}"
    );
}
