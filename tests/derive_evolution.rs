//! Old and new peers: what may change without their parting, and what may not.

mod derive_support;

use derive_support::Sent;
use machipc::MachMessage;
use machipc::message::{Decode, Encode, PLAIN_ID, Schema};

/// The same type in three versions.
mod v1 {
    use machipc::MachMessage;

    #[derive(Debug, PartialEq, MachMessage)]
    pub struct Put<'a> {
        pub key: &'a str,
        pub flags: u8,
    }
}

mod v2 {
    use machipc::MachMessage;

    #[derive(Debug, PartialEq, MachMessage)]
    pub struct Put<'a> {
        pub key: &'a str,
        pub flags: u8,
        #[mach(since = 2)]
        pub expires: Option<u64>,
        #[mach(since = 2, default = "nobody")]
        pub owner: &'a str,
    }

    fn nobody() -> &'static str {
        "nobody"
    }
}

mod v3 {
    use machipc::MachMessage;

    #[derive(Debug, PartialEq, MachMessage)]
    pub struct Put<'a> {
        pub key: &'a str,
        pub flags: u8,
        #[mach(since = 2)]
        pub expires: Option<u64>,
        #[mach(since = 2, default = "super::v3::nobody")]
        pub owner: &'a str,
        #[mach(since = 3, default)]
        pub tags: Vec<String>,
        #[mach(since = 4, ool)]
        pub note: Vec<u8>,
    }

    fn nobody() -> &'static str {
        "nobody"
    }
}

/// A message written as `from` is read as `to`.
macro_rules! travels {
    ($from:expr => $type:ty, $to:expr) => {
        assert_eq!(Sent::of(&$from).receive::<$type>().expect("the other version reads it"), $to)
    };
}

#[test]
fn new_peers_read_old_messages_with_defaults() {
    let old = v1::Put { key: "k", flags: 1 };
    travels!(old => v2::Put<'_>, v2::Put { key: "k", flags: 1, expires: None, owner: "nobody" });
    travels!(old => v3::Put<'_>, v3::Put {
        key: "k", flags: 1, expires: None, owner: "nobody", tags: vec![], note: vec![]
    });
    let newer = v2::Put { key: "k", flags: 1, expires: Some(5), owner: "me" };
    travels!(newer => v3::Put<'_>, v3::Put {
        key: "k", flags: 1, expires: Some(5), owner: "me", tags: vec![], note: vec![]
    });
}

#[test]
fn old_peers_read_new_messages_without_what_they_do_not_know() {
    let newest = v3::Put {
        key: "k",
        flags: 1,
        expires: Some(5),
        owner: "me",
        tags: vec!["a".to_owned()],
        note: b"out of line".to_vec(),
    };
    travels!(newest => v3::Put<'_>, newest);
    travels!(newest => v2::Put<'_>, v2::Put { key: "k", flags: 1, expires: Some(5), owner: "me" });
    travels!(newest => v1::Put<'_>, v1::Put { key: "k", flags: 1 });
}

#[test]
fn fields_that_came_later_are_no_part_of_the_fingerprint() {
    assert_eq!(v1::Put::fingerprint(), v2::Put::fingerprint());
    assert_eq!(v1::Put::fingerprint(), v3::Put::fingerprint());
}

/// Behind an extension other values follow, so there a peer must know that there is one.
#[test]
fn inside_other_messages_the_first_since_field_makes_another_type() {
    #[derive(Debug, PartialEq, MachMessage)]
    struct Many<P> {
        puts: Vec<P>,
        last: u32,
    }
    let fingerprint = |schema: Schema| schema.fingerprint();
    let of_v1 = fingerprint(Schema::of::<Many<v1::Put<'_>>>());
    let of_v2 = fingerprint(Schema::of::<Many<v2::Put<'_>>>());
    assert_ne!(of_v1, of_v2);
    assert_eq!(of_v2, fingerprint(Schema::of::<Many<v3::Put<'_>>>()));

    let put = || v2::Put { key: "k", flags: 1, expires: Some(5), owner: "me" };
    let sent = Sent::of(&Many { puts: vec![put(), put()], last: 7 });
    let read = sent.receive::<Many<v3::Put<'_>>>().unwrap();
    assert_eq!((read.puts.len(), read.last), (2, 7));
    assert_eq!((read.puts[1].expires, read.puts[1].owner), (Some(5), "me"));
    let sent = Sent::of(&read);
    assert_eq!(sent.receive::<Many<v2::Put<'_>>>().unwrap(), Many { puts: vec![put(), put()], last: 7 });
}

#[test]
fn an_extension_that_lies_about_its_length_is_an_error() {
    let sent = Sent::of(&v2::Put { key: "k", flags: 1, expires: Some(5), owner: "me" });
    let bytes = sent.payload.as_bytes().to_vec();
    assert_eq!(
        bytes[8..12],
        (bytes.len() as u32 - 12).to_le_bytes(),
        "the length is where this test expects it"
    );
    for lie in [u32::MAX, bytes.len() as u32] {
        let mut bytes = bytes.clone();
        bytes[8..12].copy_from_slice(&lie.to_le_bytes());
        assert!(Sent::raw(PLAIN_ID, &bytes).receive::<v2::Put<'_>>().is_err(), "{lie}");
    }
    for short in 13..bytes.len() {
        assert!(Sent::raw(PLAIN_ID, &bytes[..short]).receive::<v2::Put<'_>>().is_err(), "{short} bytes");
    }
}

#[test]
fn enums_may_gain_variants_and_their_variants_fields() {
    mod old {
        #[derive(Debug, PartialEq, machipc::MachMessage)]
        pub enum Shape {
            Point,
            Circle {
                radius: f64,
                #[mach(since = 1)]
                filled: bool,
            },
        }
    }
    mod new {
        #[derive(Debug, PartialEq, machipc::MachMessage)]
        pub enum Shape {
            Point,
            Circle {
                radius: f64,
                #[mach(since = 1)]
                filled: bool,
                #[mach(since = 2)]
                color: u32,
            },
            #[mach(since = 2)]
            Square(f64),
        }
    }
    assert_eq!(old::Shape::fingerprint(), new::Shape::fingerprint());
    let old = old::Shape::Circle { radius: 1.5, filled: true };
    let new = new::Shape::Circle { radius: 1.5, filled: true, color: 0 };
    travels!(old => new::Shape, new);
    travels!(new => old::Shape, old);
    travels!(old::Shape::Point => new::Shape, new::Shape::Point);

    let error = Sent::of(&new::Shape::Square(1.0)).receive::<old::Shape>().unwrap_err();
    assert!(error.is_unknown_variant());
    assert_eq!(error.to_string(), "cannot decode the message: Shape has no variant 2");
}

/// A type is its names and types: each of these differs from the first in one of them.
#[test]
fn the_fingerprint_differs_with_every_name_and_type() {
    macro_rules! variations {
        ($($(#[$attribute:meta])* { $($item:tt)* })*) => {
            vec![$({
                #[allow(dead_code, reason = "only its schema is asked for")]
                mod variation {
                    $($item)*
                }
                (stringify!($($item)*), Schema::of::<variation::T>().text())
            }),*]
        };
    }
    let texts = variations! {
        { #[derive(machipc::MachMessage)] pub struct T { a: u32, b: String } }
        { #[derive(machipc::MachMessage)] pub struct T { a: u32, c: String } }
        { #[derive(machipc::MachMessage)] pub struct T { a: i32, b: String } }
        { #[derive(machipc::MachMessage)] pub struct T { b: String, a: u32 } }
        { #[derive(machipc::MachMessage)] pub struct T { a: u32, b: Option<String> } }
        { #[derive(machipc::MachMessage)] pub struct T { a: u32 } }
        { #[derive(machipc::MachMessage)] pub struct T(u32, String); }
        { #[derive(machipc::MachMessage)] pub struct T; }
        { #[derive(machipc::MachMessage)] pub struct T {} }
        { #[derive(machipc::MachMessage)] pub struct U { a: u32, b: String } pub type T = U; }
        { #[derive(machipc::MachMessage)] pub enum T { A, B(u32) } }
        { #[derive(machipc::MachMessage)] pub enum T { B(u32), A } }
        { #[derive(machipc::MachMessage)] pub enum T { A, C(u32) } }
        { #[derive(machipc::MachMessage)] pub enum T { A, B(u64) } }
        { #[derive(machipc::MachMessage)] pub enum T { A, B { x: u32 } } }
        { #[derive(machipc::MachMessage)] pub enum T { A, B { y: u32 } } }
        { #[derive(machipc::MachMessage)] pub enum T { A, #[mach(id = 5)] B(u32) } }
        { #[machipc::pod] pub struct T { a: u32, b: [u8; 4] } }
        { #[machipc::pod] pub struct T { a: u32, b: [u8; 8] } }
        { #[machipc::pod] #[repr(C, packed)] pub struct T { a: u32, b: [u8; 4] } }
        { #[machipc::pod] #[repr(u8)] pub enum T { A, B } }
        { #[machipc::pod] #[repr(u16)] pub enum T { A, B } }
        { #[machipc::pod] #[repr(u8)] pub enum T { A, B = 7 } }
    };
    for (index, (item, text)) in texts.iter().enumerate() {
        for (other_item, other) in &texts[..index] {
            assert_ne!(text, other, "{item}\n{other_item}");
        }
    }
}

#[test]
fn pinned_variants_may_be_renamed_and_moved() {
    mod before {
        #[derive(Debug, PartialEq, machipc::MachMessage)]
        pub enum Shape {
            #[mach(id = 9)]
            Dot,
            #[mach(id = 2)]
            Circle(f64),
        }
    }
    mod after {
        #[derive(Debug, PartialEq, machipc::MachMessage)]
        pub enum Shape {
            #[mach(id = 2)]
            Disc(f64),
            #[mach(id = 9)]
            Point,
        }
    }
    assert_eq!(before::Shape::fingerprint(), after::Shape::fingerprint());
    travels!(before::Shape::Circle(2.0) => after::Shape, after::Shape::Disc(2.0));
    travels!(after::Shape::Point => before::Shape, before::Shape::Dot);
}

/// Types that contain themselves have a description and a least size all the same.
#[test]
fn recursive_types_travel() {
    #[derive(Debug, PartialEq, MachMessage)]
    struct Tree<'a> {
        name: &'a str,
        children: Vec<Tree<'a>>,
        parent: Option<Box<Self>>,
    }
    #[derive(Debug, PartialEq, MachMessage)]
    enum Expression {
        Number(i64),
        Sum(Box<Expression>, Box<Expression>),
        Call(String, Vec<Expression>),
    }
    #[derive(Debug, PartialEq, MachMessage)]
    struct Even(Option<Box<Odd>>);
    #[derive(Debug, PartialEq, MachMessage)]
    struct Odd(Box<Even>);

    let leaf = |name| Tree { name, children: vec![], parent: None };
    let tree = Tree { name: "root", children: vec![leaf("a"), leaf("b")], parent: Some(Box::new(leaf("p"))) };
    travels!(tree => Tree<'_>, tree);

    let number = |value| Box::new(Expression::Number(value));
    let sum = Expression::Sum(
        number(1),
        Box::new(Expression::Call("f".to_owned(), vec![Expression::Sum(number(2), number(3))])),
    );
    travels!(sum => Expression, sum);

    let even = Even(Some(Box::new(Odd(Box::new(Even(None))))));
    travels!(even => Even, even);
    assert_eq!((Even::MIN_SIZE, Odd::MIN_SIZE, Expression::MIN_SIZE), (1, 1, 4));
}

#[test]
fn nesting_has_an_end_on_both_sides() {
    #[derive(Debug, PartialEq, MachMessage)]
    struct Chain(Option<Box<Chain>>);
    let chain = |links: u32| (0..links).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))));
    travels!(chain(20) => Chain, chain(20));

    let mut buffer = machipc::message::AlignedBuffer::new();
    let mut out = machipc::message::Encoder::new(&mut buffer);
    let error = chain(10_000).encode(&mut out).unwrap_err();
    assert!(error.to_string().contains("nested deeper than"), "{error}");

    let error = Sent::raw(PLAIN_ID, &[1; 100_000]).receive::<Chain>().unwrap_err();
    assert!(error.to_string().contains("nested deeper than"), "{error}");
}

#[test]
fn errors_name_the_way_to_the_field() {
    #[derive(Debug, MachMessage)]
    struct Outer {
        _first: u8,
        inner: Vec<Inner>,
    }
    #[derive(Debug, MachMessage)]
    enum Inner {
        Text { text: String },
        Pair(bool, bool),
    }
    let inner = || vec![Inner::Text { text: "t".to_owned() }, Inner::Pair(true, false)];
    let sent = Sent::of(&Outer { _first: 0, inner: inner() });
    let mut bytes = sent.payload.as_bytes().to_vec();
    let last = bytes.len() - 1;
    bytes[last] = 7;
    let error = Sent::raw(PLAIN_ID, &bytes).receive::<Outer>().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot decode the message: Outer.inner: element 1: Inner::Pair.1: "),
        "{error}"
    );
    let error = Sent::raw(PLAIN_ID, &bytes[..last]).receive::<Outer>().unwrap_err().to_string();
    assert!(error.ends_with("Inner::Pair.1: 1 bytes wanted, 0 left"), "{error}");
    let _ = inner().pop().map(|inner| match inner {
        Inner::Text { text } => text.len(),
        Inner::Pair(left, right) => usize::from(left) + usize::from(right),
    });
}

#[test]
fn one_decode_impl_serves_every_lifetime() {
    fn owned<T: for<'any> Decode<'any>>(sent: &Sent) -> T {
        let mut input = machipc::message::Decoder::new(sent.payload.as_bytes(), None);
        T::decode(&mut input).unwrap()
    }
    #[derive(Debug, PartialEq, MachMessage)]
    struct Owned<T> {
        values: Vec<T>,
    }
    let sent = Sent::of(&Owned { values: vec!["a", "b"] });
    assert_eq!(owned::<Owned<String>>(&sent).values, ["a", "b"]);
}
