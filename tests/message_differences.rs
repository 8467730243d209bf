//! What differs between two versions of a type, in words.

use machipc::message::Schema;
use proptest::prelude::*;

/// The text of a type's schema.
macro_rules! schema {
    ($($item:tt)*) => {{
        #[allow(dead_code, unused_imports, reason = "only its schema is asked for, and not all have a reply")]
        mod variation {
            use machipc::{MachMessage, Reply, SendRight};
            $($item)*
        }
        Schema::of::<variation::T>()
    }};
}

/// Asserts what is told of the first type here and the second in the host.
macro_rules! differ {
    ({ $($ours:tt)* } { $($theirs:tt)* } $($words:literal)*) => {
        let (ours, theirs) = (schema! { $($ours)* }, schema! { $($theirs)* });
        assert_ne!(ours.fingerprint(), theirs.fingerprint());
        let differences = ours.differences(&theirs.text());
        let words: Vec<&str> = differences.iter().collect();
        assert_eq!(words, [$($words),*] as [&str; _], "\n{}\n{}", ours.text(), theirs.text());
    };
}

#[test]
fn messages_of_an_endpoint() {
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Put(String), Clear } }
        { #[machipc::endpoint("x")] pub enum T { Put(String) } }
        "the host has no message `Clear`"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Put(String) } }
        { #[machipc::endpoint("x")] pub enum T { Put(String), Clear } }
        "this side has no message `Clear`"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Put(String) } }
        { #[machipc::endpoint("x")] pub enum T { Store(String) } }
        "the host has no message `Put`" "this side has no message `Store`"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Put(String) } }
        { #[machipc::endpoint("x")] pub enum T { #[mach(id = 5)] Put(String) } }
        "the host has no message `Put`" "this side has no message with the id 0x5"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { #[mach(id = 5)] Put(String) } }
        { #[machipc::endpoint("x")] pub enum T { #[mach(id = 6)] Put(String) } }
        "the host has no message with the id 0x5" "this side has no message with the id 0x6"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { #[mach(id = 5)] Put(String) } }
        { #[machipc::endpoint("x")] pub enum T { #[mach(id = 5)] Put(u8) } }
        "message with the id 0x5: field 0 is `str` here and `u8` in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Clear } }
        { #[machipc::endpoint("x")] pub enum U { Clear } pub type T = U; }
        "the message is `T` here and `U` in the host"
    }
}

#[test]
fn fields_of_a_message() {
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, max: u8 } } }
        { #[machipc::endpoint("x")] pub enum T { Get { key: u32, max: u8 } } }
        "message `Get`: field `key` is `str` here and `u32` in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String } } }
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, max: u8 } } }
        "message `Get`: this side has no field `max`"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, max: u8 } } }
        { #[machipc::endpoint("x")] pub enum T { Get { max: u8 } } }
        "message `Get`: the host has no field `key`"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, max: u8 } } }
        { #[machipc::endpoint("x")] pub enum T { Get { name: String, max: u8 } } }
        "message `Get`: field 0 is called `key` here and `name` in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, max: u8 } } }
        { #[machipc::endpoint("x")] pub enum T { Get { max: u8, key: String } } }
        "message `Get`: the fields are `key`, `max` here and `max`, `key` in the host, in that order"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Move(u8, String) } }
        { #[machipc::endpoint("x")] pub enum T { Move(u8, Vec<Option<(u8, i16)>>) } }
        "message `Move`: field 1 is `str` here and `[?(u8,i16)]` in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Move(u8, String) } }
        { #[machipc::endpoint("x")] pub enum T { Move(u8) } }
        "message `Move`: there are 2 fields here and 1 in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Move(u8) } }
        { #[machipc::endpoint("x")] pub enum T { Move { to: u8 } } }
        "message `Move` has fields without names here and fields with names in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Move } }
        { #[machipc::endpoint("x")] pub enum T { Move { to: u8 } } }
        "message `Move` has no fields here and fields with names in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Move } }
        { #[machipc::endpoint("x")] pub enum T { Move {} } }
        "message `Move` is written without brackets here and with `{}` in the host"
    }
}

#[test]
fn answers() {
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, reply: Reply<u32> } } }
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, reply: Reply<Option<u32>> } } }
        "message `Get`: the answer is `u32` here and `?u32` in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, reply: Reply<u32> } } }
        { #[machipc::endpoint("x")] pub enum T { Get { key: String } } }
        "message `Get` is answered here and one way in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Count } }
        { #[machipc::endpoint("x")] pub enum T { Count(Reply<u32>) } }
        "message `Count` is one way here and answered in the host"
    }
    differ! {
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, reply: Reply<u32> } } }
        { #[machipc::endpoint("x")] pub enum T { Get { key: String, answer: Reply<u32> } } }
        "message `Get`: the reply is called `reply` here and `answer` in the host"
    }
    // A message that is a tuple with a reply, under a name given at run time.
    differ! {
        { pub type T = (u64, Reply<u64>); }
        { pub type T = (u64, Reply<String>); }
        "the message is `(u64,Reply<u64>)` here and `(u64,Reply<str>)` in the host"
    }
}

#[test]
fn types_inside() {
    differ! {
        {
            #[derive(MachMessage)] pub struct Key { text: String, hash: u64 }
            #[machipc::endpoint("x")] pub enum T { Get(Key), Put { keys: Vec<Key> } }
        }
        {
            #[derive(MachMessage)] pub struct Key { text: String, hash: u32 }
            #[machipc::endpoint("x")] pub enum T { Get(Key), Put { keys: Vec<Key> } }
        }
        "`Key`: field `hash` is `u64` here and `u32` in the host"
    }
    differ! {
        {
            #[derive(MachMessage)] pub struct Key(u8);
            #[machipc::endpoint("x")] pub enum T { Get(Key) }
        }
        {
            #[derive(MachMessage)] pub struct Name(u8);
            #[machipc::endpoint("x")] pub enum T { Get(Option<Name>) }
        }
        "message `Get`: field 0 is `Key` here and `?Name` in the host"
    }
    differ! {
        {
            #[derive(MachMessage)] pub enum Shape { Point, Circle(f64) }
            #[derive(MachMessage)] pub struct T { shape: Shape }
        }
        {
            #[derive(MachMessage)] pub enum Shape { Point, Circle(f32), Square(f32) }
            #[derive(MachMessage)] pub struct T { shape: Shape }
        }
        "variant `Circle` of `Shape`: field 0 is `f64` here and `f32` in the host"
        "this side has no variant `Square` of `Shape`"
    }
    differ! {
        { #[derive(MachMessage)] pub enum T { Point, Circle(f64) } }
        { #[derive(MachMessage)] pub enum T { Circle(f64), Point } }
        "variant 0 of `T` is `Point` here and `Circle` in the host"
        "variant 1 of `T` is `Circle` here and `Point` in the host"
    }
    differ! {
        { #[derive(MachMessage)] pub enum T { Point, Circle(f64) } }
        { #[derive(MachMessage)] pub struct T { point: u8 } }
        "`T` is an enum here and a struct in the host"
    }
    differ! {
        { #[derive(MachMessage)] pub struct Key { a: u8 } #[derive(MachMessage)] pub struct T { keys: Vec<Key> } }
        {
            #[derive(MachMessage)] pub struct Key { a: u8, #[mach(since = 2)] b: u8 }
            #[derive(MachMessage)] pub struct T { keys: Vec<Key> }
        }
        "`T`: field `keys`: `Key` has `since` fields in the host and none here, which matters where other fields may follow"
    }
    differ! {
        {
            #[machipc::endpoint("x")] pub enum Events { Set { key: String } }
            #[machipc::endpoint("y")] pub enum T { Watch(SendRight<Events>) }
        }
        {
            #[machipc::endpoint("x")] pub enum Events { Set { key: u8 } }
            #[machipc::endpoint("y")] pub enum T { Watch(SendRight<Events>) }
        }
        "message `Set`: field `key` is `str` here and `u8` in the host"
    }
    differ! {
        { #[derive(MachMessage)] pub struct T { name: String, children: Vec<T> } }
        { #[derive(MachMessage)] pub struct T { name: String, children: Vec<T>, parent: Option<Box<T>> } }
        "`T`: this side has no field `parent`"
    }
}

#[test]
fn plain_data() {
    differ! {
        { #[machipc::pod] pub struct T { a: u32, b: [u8; 4] } }
        { #[machipc::pod] pub struct T { a: u32, b: [u8; 8] } }
        "`T` is 8 bytes aligned to 4 here and 12 bytes aligned to 4 in the host"
        "`T`: field `b` is `[u8;4]` here and `[u8;8]` in the host"
    }
    differ! {
        { #[machipc::pod] #[repr(u8)] pub enum T { A, B = 7 } }
        { #[machipc::pod] #[repr(u8)] pub enum T { A, B = 8 } }
        "variant `B` of `T` is 7 here and 8 in the host"
    }
    differ! {
        { #[machipc::pod] pub struct T { a: u32 } }
        { #[derive(MachMessage)] pub struct T { a: u32 } }
        "`T` is 4 bytes aligned to 4 here and no plain data in the host"
    }
}

#[test]
fn the_same_types_do_not_differ() {
    let ours = schema! { #[machipc::endpoint("x")] pub enum T { Put(String), Get { key: String, reply: Reply<u8> } } };
    let theirs = schema! { #[machipc::endpoint("y")] pub enum T { Get { key: String, reply: Reply<u8> }, Put(Box<str>) } };
    assert!(ours.differences(&theirs.text()).is_empty());
    assert_eq!(ours.differences(&theirs.text()).to_string(), "");
}

#[test]
fn of_many_differences_some_are_told() {
    differ! {
        { #[derive(MachMessage)] pub struct T { a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8 } }
        { #[derive(MachMessage)] pub struct T { a: i8, b: i8, c: i8, d: i8, e: i8, f: i8, g: i8, h: i8 } }
        "`T`: field `a` is `u8` here and `i8` in the host" "`T`: field `b` is `u8` here and `i8` in the host"
        "`T`: field `c` is `u8` here and `i8` in the host" "`T`: field `d` is `u8` here and `i8` in the host"
        "`T`: field `e` is `u8` here and `i8` in the host" "`T`: field `f` is `u8` here and `i8` in the host"
        "`T`: field `g` is `u8` here and `i8` in the host" "`T`: field `h` is `u8` here and `i8` in the host"
    }
    let ours = schema! { #[derive(MachMessage)] pub struct T([u8; 1], [u8; 2], [u8; 3], [u8; 4], [u8; 5], [u8; 6], [u8; 7], [u8; 8], [u8; 9]); };
    let theirs = ours.text().replace("u8", "i8");
    let differences = ours.differences(&theirs);
    assert_eq!(differences.iter().count(), 8);
    assert!(differences.to_string().ends_with("in the host; and more"), "{differences}");
}

fn ours() -> Schema {
    schema! {
        #[derive(MachMessage)] pub enum Shape { Point, Circle(f64), Many(Vec<Shape>) }
        #[machipc::pod] pub struct Color { rgba: [u8; 4] }
        #[machipc::endpoint("x")]
        pub enum T {
            Draw { shape: Shape, color: Color, #[mach(since = 2)] layer: u8 },
            Count(Reply<u64>),
            Clear,
        }
    }
}

/// A peer may say anything about its types.
#[test]
fn hostile_texts_are_bounded() {
    let ours = ours();
    let evil = [
        String::new(),
        "#0".to_owned(),
        "#0\n#0 = T<".to_owned() + &"Draw{".repeat(50_000),
        "#0\n#0 = T<".to_owned() + &"A;".repeat(100_000) + ">",
        "#0\n#0 = T<Draw{".to_owned() + &"shape:#0,".repeat(20_000) + "};>",
        "#99999999999999999999".to_owned(),
        "#self".to_owned(),
        "#".repeat(100_000),
        "\n".repeat(200_000),
        "x".repeat(1 << 20),
        format!("#0\n#0 = {}<>", "T".repeat(200_000)),
        "\u{1b}[31m".to_owned(),
    ];
    for text in evil {
        let differences = ours.differences(&text);
        assert!(!differences.is_empty());
        let words = differences.to_string();
        assert!(words.len() < 8 * 2000, "{} bytes", words.len());
        assert!(!words.contains(char::is_control), "{words:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_compared(text in "(#[0-9]|#self|[A-Za-z]|[-+:;,=?]|[(){}<>]|\\[|\\]|\n#[0-9] = |\\PC){0,120}") {
        let differences = ours().differences(&text);
        prop_assert!(!differences.is_empty());
    }

    #[test]
    fn any_change_is_told(at in 0_usize..200, with in "\\PC?") {
        let ours = ours();
        let mut text = ours.text();
        let mut at = at % text.len();
        while !text.is_char_boundary(at) || !text.is_char_boundary(at + 1) {
            at -= 1;
        }
        text.replace_range(at..at + 1, &with);
        prop_assert_eq!(ours.differences(&text).is_empty(), text == ours.text());
    }
}
