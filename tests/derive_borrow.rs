//! What a message lends: values that lie where the message was received.

mod derive_support;

use std::borrow::Cow;

use derive_support::Sent;
use machipc::MachMessage;
use machipc::message::{Encode, Schema};

#[machipc::pod]
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Debug, PartialEq, MachMessage)]
struct Borrowed<'a> {
    odd: u8,
    text: &'a str,
    bytes: &'a [u8],
    numbers: &'a [u64],
    points: &'a [Point],
    one: &'a Point,
    cow: Cow<'a, str>,
    some: Option<&'a str>,
    nested: Inner<'a>,
    many: Vec<&'a str>,
}

#[derive(Debug, PartialEq, MachMessage)]
struct Inner<'message>(&'message [u32], Choice<'message>);

#[derive(Debug, PartialEq, MachMessage)]
enum Choice<'c> {
    Nothing,
    Text(&'c str),
    Both { left: &'c [u16], right: [&'c str; 2] },
}

#[test]
fn borrowed_fields_lie_in_the_receive_buffer() {
    let (numbers, points) = ([1, 2, 3], [Point { x: 1.0, y: 2.0 }, Point { x: -0.0, y: f64::MAX }]);
    let message = Borrowed {
        odd: 1,
        text: "text",
        bytes: b"bytes",
        numbers: &numbers,
        points: &points,
        one: &points[1],
        cow: Cow::Owned("cow".to_owned()),
        some: Some("some"),
        nested: Inner(&[7; 5], Choice::Both { left: &[1, 2], right: ["l", "r"] }),
        many: vec!["a", "b"],
    };
    let sent = Sent::of(&message);
    let received = sent.receive::<Borrowed<'_>>().unwrap();
    assert_eq!(received, message);

    assert!(sent.lends(received.text));
    assert!(sent.lends(received.bytes));
    assert!(sent.lends(received.numbers));
    assert!(sent.lends(received.points));
    assert!(sent.lends(received.one));
    assert!(matches!(received.cow, Cow::Borrowed(text) if sent.lends(text)));
    assert!(received.some.is_some_and(|text| sent.lends(text)));
    assert!(sent.lends(received.nested.0));
    assert!(matches!(received.nested.1, Choice::Both { left, right: [first, second] }
        if sent.lends(left) && sent.lends(first) && sent.lends(second)));
    assert!(received.many.iter().all(|text| sent.lends(*text)));
    // The measure itself: what was sent does not lie in the buffer.
    assert!(!sent.lends(message.text));
}

#[derive(Debug, PartialEq, MachMessage)]
struct OutOfLine<'a> {
    #[mach(ool)]
    lent: &'a [u8],
    name: String,
    #[mach(ool)]
    points: &'a [Point],
    #[mach(ool)]
    text: &'a str,
    #[mach(ool)]
    cow: Cow<'a, [u64]>,
    #[mach(ool)]
    cow_text: Cow<'a, str>,
    #[mach(ool)]
    owned: Vec<u8>,
    #[mach(ool)]
    owned_points: Vec<Point>,
    #[mach(ool)]
    boxed: Box<[u32]>,
    #[mach(ool)]
    string: String,
    #[mach(ool)]
    boxed_text: Box<str>,
    #[mach(since = 2, ool)]
    later: Vec<u8>,
}

fn out_of_line(points: &[Point]) -> OutOfLine<'_> {
    OutOfLine {
        lent: b"lent",
        name: "inline".to_owned(),
        points,
        text: "text",
        cow: Cow::Owned(vec![u64::MAX; 3]),
        cow_text: Cow::Borrowed("cow"),
        owned: vec![1, 2, 3],
        owned_points: points.to_vec(),
        boxed: [9, 8].into(),
        string: "string".to_owned(),
        boxed_text: "boxed".into(),
        later: vec![4],
    }
}

#[test]
fn out_of_line_fields_lie_in_what_came_beside_the_payload() {
    let points = [Point { x: 0.5, y: 1.5 }; 2];
    let message = out_of_line(&points);
    let sent = Sent::of(&message);
    assert_eq!(sent.memory.len(), 11, "each field travels by itself");
    let received = sent.receive::<OutOfLine<'_>>().unwrap();
    assert_eq!(received, message);
    assert!(sent.lends_memory(received.lent));
    assert!(sent.lends_memory(received.points));
    assert!(sent.lends_memory(received.text));
    assert!(matches!(received.cow, Cow::Borrowed(items) if sent.lends_memory(items)));
    assert!(matches!(received.cow_text, Cow::Borrowed(text) if sent.lends_memory(text)));
    assert!(!sent.lends_memory(received.owned.as_slice()));
}

#[test]
fn empty_fields_travel_out_of_line_too() {
    let message = OutOfLine {
        lent: &[],
        name: String::new(),
        points: &[],
        text: "",
        cow: Cow::Borrowed(&[]),
        cow_text: Cow::Borrowed(""),
        owned: Vec::new(),
        owned_points: Vec::new(),
        boxed: Box::default(),
        string: String::new(),
        boxed_text: Box::default(),
        later: Vec::new(),
    };
    assert_eq!(Sent::of(&message).receive::<OutOfLine<'_>>().unwrap(), message);
}

#[test]
fn out_of_line_bytes_that_are_no_values_are_errors_that_name_the_field() {
    let points = [Point { x: 0.5, y: 1.5 }];
    let mut sent = Sent::of(&out_of_line(&points));
    sent.memory[1].set_len(15);
    let error = sent.receive::<OutOfLine<'_>>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode the message: OutOfLine.points: 15 bytes out of line, which are no multiple of 16"
    );

    let mut sent = Sent::of(&out_of_line(&points));
    sent.memory[2].as_mut_bytes()[1] = 0xff;
    let error = sent.receive::<OutOfLine<'_>>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode the message: OutOfLine.text: text out of line is not UTF-8 from byte 1 on"
    );

    let mut sent = Sent::of(&out_of_line(&points));
    sent.memory.pop();
    let error = sent.receive::<OutOfLine<'_>>().unwrap_err();
    assert!(error.to_string().contains("OutOfLine.later: attachment 10 named"), "{error}");
}

/// A field that is out of line is another type on the wire, and out-of-line bytes are what `OolBuffer` is.
#[test]
fn out_of_line_is_a_part_of_the_type() {
    #[derive(MachMessage)]
    struct Load {
        _data: Vec<u8>,
    }
    mod out_of_line {
        #[derive(machipc::MachMessage)]
        pub struct Load {
            #[mach(ool)]
            pub _data: Vec<u8>,
        }
    }
    mod in_place {
        #[derive(machipc::MachMessage)]
        pub struct Load {
            pub _data: machipc::OolBuffer,
        }
    }
    assert_ne!(Schema::of::<Load>().text(), Schema::of::<out_of_line::Load>().text());
    assert_eq!(Schema::of::<in_place::Load>().text(), Schema::of::<out_of_line::Load>().text());
}

#[derive(Debug, PartialEq, MachMessage)]
struct Two<'key, 'value: 'key> {
    key: &'key str,
    value: &'value [u8],
}

#[test]
fn several_lifetimes_become_one() {
    let message = Two { key: "k", value: b"v" };
    let sent = Sent::of(&message);
    let received: Two<'_, '_> = sent.receive::<Two<'static, 'static>>().unwrap();
    assert_eq!(received, message);
    assert!(sent.lends(received.key) && sent.lends(received.value));
}

#[derive(Debug, Clone, PartialEq, MachMessage)]
struct Tagged<T> {
    tag: u8,
    value: T,
}

/// What a receiver sees of a message is the same type with the message's lifetime, also behind a parameter.
#[test]
fn parameters_without_bounds_may_borrow() {
    fn received_by<'a, M: MachMessage>(sent: &'a Sent) -> M::View<'a> {
        sent.receive::<M>().unwrap()
    }
    let value = "owned here".to_owned();
    let sent = Sent::of(&Tagged { tag: 1, value: Choice::Text(&value) });
    let received: Tagged<Choice<'_>> = received_by::<Tagged<Choice<'static>>>(&sent);
    assert!(matches!(received.value, Choice::Text(text) if text == value && sent.lends(text)));

    let sent = Sent::of(&Tagged { tag: 1, value: Tagged { tag: 2, value: vec![Choice::Nothing] } });
    let received = received_by::<Tagged<Tagged<Vec<Choice<'static>>>>>(&sent);
    assert_eq!(received.value.value, [Choice::Nothing]);
}

#[machipc::pod]
#[repr(C, packed)]
#[derive(Debug, Clone, Copy, PartialEq)]
struct Packed {
    kind: u8,
    len: u32,
}

#[machipc::pod]
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wrapper(u128);

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    MachMessage,
    machipc::zerocopy::TryFromBytes,
    machipc::zerocopy::IntoBytes,
    machipc::zerocopy::KnownLayout,
    machipc::zerocopy::Immutable,
)]
#[zerocopy(crate = "machipc::zerocopy")]
#[mach(pod)]
#[repr(C)]
struct Pair<T: machipc::zerocopy::Unaligned> {
    first: T,
    second: T,
}

#[machipc::pod]
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(u16)]
enum Level {
    Low = 3,
    High = 0x0102,
}

#[derive(Debug, PartialEq, MachMessage)]
struct Plain<'a> {
    packed: [Packed; 2],
    shift: u8,
    wrapper: &'a Wrapper,
    pairs: Vec<Pair<[u8; 3]>>,
    levels: &'a [Level],
    level: Level,
    arrays: Vec<[Level; 2]>,
}

#[test]
fn plain_data_lies_on_the_wire_as_in_memory() {
    let message = Plain {
        packed: [Packed { kind: 1, len: 2 }, Packed { kind: 3, len: 4 }],
        shift: 9,
        wrapper: &Wrapper(1 << 100),
        pairs: vec![Pair { first: [1, 2, 3], second: [4, 5, 6] }; 3],
        levels: &[Level::Low, Level::High],
        level: Level::High,
        arrays: vec![[Level::Low; 2], [Level::High; 2]],
    };
    let sent = Sent::of(&message);
    assert_eq!(sent.payload.as_bytes()[..11], [1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 9]);
    assert_eq!(sent.receive::<Plain<'_>>().unwrap(), message);
    assert_eq!((Packed::MIN_SIZE, Pair::<u8>::MIN_SIZE, Level::MIN_SIZE), (5, 2, 2));
}

#[test]
fn bytes_that_are_no_plain_value_are_an_error() {
    let error = Sent::raw(machipc::message::PLAIN_ID, &[4, 0]).receive::<Level>().unwrap_err();
    assert!(error.to_string().contains("Level"), "{error}");
    assert_eq!(Sent::raw(machipc::message::PLAIN_ID, &[2, 1]).receive::<Level>().unwrap(), Level::High);
}

#[derive(Debug, PartialEq, MachMessage)]
struct Items<'a, T: machipc::message::Pod + 'a, U = u8> {
    items: &'a [T],
    first: Option<&'a T>,
    #[mach(ool)]
    far: Vec<T>,
    label: U,
}

#[test]
fn parameters_may_be_plain_data_that_is_borrowed() {
    let points = [Point { x: 1.0, y: 2.0 }];
    let message = Items { items: &points, first: points.first(), far: points.to_vec(), label: "label" };
    let sent = Sent::of(&message);
    let received = sent.receive::<Items<'_, Point, &str>>().unwrap();
    assert_eq!(received, message);
    assert!(sent.lends(received.items) && received.first.is_some_and(|first| sent.lends(first)));
    let _: Items<'_, Point> = Items { items: &points, first: None, far: Vec::new(), label: 7 };
}
