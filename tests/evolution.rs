//! Old clients with new hosts, and new clients with old hosts: for each change that is allowed what comes of it, and for each that is not
//! what the user is told. All go through ports.

mod typed_support;

use std::sync::{Arc, Mutex};

use machipc::{Client, ConnectOptions, Context, Error, Host, LogRecord, MachMessage, registry};
use typed_support::{WATCHDOG, unique, until};

/// Makes the two versions of an endpoint.
macro_rules! versions {
    ({ $($old:tt)* } { $($new:tt)* }) => {
        #[allow(dead_code, unused_imports, reason = "the versions have the same, and some are only compared")]
        mod old {
            use machipc::{MachMessage, Reply};
            $($old)*
        }
        #[allow(dead_code, unused_imports, reason = "the versions have the same, and some are only compared")]
        mod new {
            use machipc::{MachMessage, Reply};
            $($new)*
        }
    };
}

/// A host of either version, and a client of the other, which connects without an error.
macro_rules! meet {
    ($host:ident, $client:ident, $handler:expr) => {{
        registry::set_lookup_enabled(false);
        let name = unique("evolution");
        let host = Host::<$host::E>::builder().name(&name).bind($handler).unwrap();
        let client = $client::EClient::connect_to(&name).expect("an allowed change");
        (host, client)
    }};
}

// ---- What is allowed

#[test]
fn a_message_is_added() {
    versions! {
        { #[machipc::endpoint("x")] pub enum E { Get(Reply<u32>) } }
        {
            #[machipc::endpoint("x")] pub enum E {
                #[mach(since = 2)] Set(u32, Reply<u32>),
                Get(Reply<u32>),
                #[mach(since = 2)] Clear,
            }
        }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Get(reply) => reply.send(7).unwrap(),
        new::E::Set(..) | new::E::Clear => unreachable!("the old client has no such message"),
    });
    assert_eq!(client.get().unwrap(), 7);

    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    registry::set_lookup_enabled(false);
    let name = unique("evolution");
    let host = Host::<old::E>::builder()
        .name(&name)
        .logger(move |record: &LogRecord<'_>| sink.lock().unwrap().push(record.text().to_string()))
        .bind(|message: old::E, _: &Context| match message {
            old::E::Get(reply) => reply.send(7).unwrap(),
        })
        .unwrap();
    let client = new::EClient::connect_to(&name).unwrap();
    let error = client.set(1).unwrap_err();
    assert!(matches!(error, Error::Unsupported { message: Some("Set"), .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "the host of {name:?} has no message `Set`: it is older than this client; do without, or update it"
        )
    );
    // One way: nobody is told but the host.
    client.clear().unwrap();
    assert_eq!(client.get().unwrap(), 7);
    assert_eq!((host.stats().unsupported, host.stats().handled), (2, 1));
    let lines = lines.lock().unwrap();
    let refused =
        lines.iter().filter(|line| line.starts_with("refused message") && line.contains("no variant has id"));
    assert_eq!(refused.count(), 2, "{lines:?}");
}

#[test]
fn a_message_that_came_later_is_removed() {
    versions! {
        { #[machipc::endpoint("x")] pub enum E { Get(Reply<u32>), #[mach(since = 2)] Peek(Reply<u32>) } }
        { #[machipc::endpoint("x")] pub enum E { Get(Reply<u32>) } }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Get(reply) => reply.send(7).unwrap(),
    });
    assert_eq!(client.get().unwrap(), 7);
    assert!(matches!(client.peek(), Err(Error::Unsupported { .. })));
    let (_host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Get(reply) | old::E::Peek(reply) => reply.send(8).unwrap(),
    });
    assert_eq!(client.get().unwrap(), 8);
}

#[test]
fn messages_are_moved_and_pinned_ones_renamed() {
    versions! {
        { #[machipc::endpoint("x")] pub enum E { Get(Reply<u32>), #[mach(id = 5)] Count { of: u8, reply: Reply<u32> }, Clear } }
        { #[machipc::endpoint("x")] pub enum E { Clear, #[mach(id = 5)] Number { of: u8, reply: Reply<u32> }, Get(Reply<u32>) } }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Get(reply) => reply.send(1).unwrap(),
        new::E::Number { of, reply } => reply.send(of.into()).unwrap(),
        new::E::Clear => {}
    });
    client.clear().unwrap();
    assert_eq!((client.get().unwrap(), client.count(9).unwrap()), (1, 9));
    let (_host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Get(reply) => reply.send(2).unwrap(),
        old::E::Count { of, reply } => reply.send(of.into()).unwrap(),
        old::E::Clear => {}
    });
    client.clear().unwrap();
    assert_eq!((client.get().unwrap(), client.number(8).unwrap()), (2, 8));
}

#[test]
fn a_request_gains_fields() {
    versions! {
        { #[machipc::endpoint("x")] pub enum E { Find { key: String, reply: Reply<String> } } }
        {
            #[machipc::endpoint("x")] pub enum E {
                Find {
                    key: String,
                    #[mach(since = 2, default = "ten")] most: u32,
                    #[mach(since = 3)] from: Option<u64>,
                    reply: Reply<String>,
                },
            }
            fn ten() -> u32 { 10 }
        }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Find { key, most, from, reply } => reply.send(format!("{key} {most} {from:?}")).unwrap(),
    });
    assert_eq!(client.find("k".to_owned()).unwrap(), "k 10 None");
    let (_host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Find { key, reply } => reply.send(key).unwrap(),
    });
    assert_eq!(client.find("k".to_owned(), 3, Some(4)).unwrap(), "k");
}

#[test]
fn what_a_message_and_an_answer_carry_gains_fields() {
    versions! {
        {
            #[derive(Debug, PartialEq, MachMessage)] pub struct Entry { pub key: String }
            #[derive(Debug, PartialEq, MachMessage)] pub struct Found { pub value: u32 }
            #[machipc::endpoint("x")] pub enum E { Find(Entry, Reply<Found>) }
        }
        {
            #[derive(Debug, PartialEq, MachMessage)] pub struct Entry { pub key: String, #[mach(since = 2)] pub level: u8 }
            #[derive(Debug, PartialEq, MachMessage)] pub struct Found { pub value: u32, #[mach(since = 2)] pub more: bool }
            #[machipc::endpoint("x")] pub enum E { Find(Entry, Reply<Found>) }
        }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Find(entry, reply) => {
            assert_eq!(entry, new::Entry { key: "k".to_owned(), level: 0 });
            reply.send(new::Found { value: 7, more: true }).unwrap();
        }
    });
    assert_eq!(client.find(old::Entry { key: "k".to_owned() }).unwrap(), old::Found { value: 7 });
    let (_host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Find(entry, reply) => {
            assert_eq!(entry, old::Entry { key: "k".to_owned() });
            reply.send(old::Found { value: 8 }).unwrap();
        }
    });
    let found = client.find(new::Entry { key: "k".to_owned(), level: 3 }).unwrap();
    assert_eq!(found, new::Found { value: 8, more: false });
}

#[test]
fn types_inside_gain_what_they_have_already_some_of() {
    versions! {
        {
            #[derive(Debug, PartialEq, MachMessage)] pub struct Item { pub name: String, #[mach(since = 2)] pub count: u8 }
            #[derive(Debug, PartialEq, MachMessage)] pub enum Color { Red, Blue }
            #[machipc::endpoint("x")] pub enum E { Sell { items: Vec<Item>, color: Color, reply: Reply<String> } }
        }
        {
            #[derive(Debug, PartialEq, MachMessage)]
            pub struct Item { pub name: String, #[mach(since = 2)] pub count: u8, #[mach(since = 3, default = "one")] pub price: u32 }
            fn one() -> u32 { 1 }
            #[derive(Debug, PartialEq, MachMessage)] pub enum Color { Red, Blue, #[mach(since = 3)] Green(u8) }
            #[machipc::endpoint("x")] pub enum E { Sell { items: Vec<Item>, color: Color, reply: Reply<String> } }
        }
    }
    let (_host, client) = meet!(new, old, |message: new::E, _: &Context| match message {
        new::E::Sell { items, color, reply } => reply.send(format!("{items:?} {color:?}")).unwrap(),
    });
    let items =
        || vec![old::Item { name: "a".to_owned(), count: 2 }, old::Item { name: "b".to_owned(), count: 3 }];
    assert_eq!(
        client.sell(items(), old::Color::Blue).unwrap(),
        "[Item { name: \"a\", count: 2, price: 1 }, Item { name: \"b\", count: 3, price: 1 }] Blue"
    );
    let (host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Sell { items, color, reply } => reply.send(format!("{items:?} {color:?}")).unwrap(),
    });
    let items = || vec![new::Item { name: "a".to_owned(), count: 2, price: 9 }];
    assert_eq!(client.sell(items(), new::Color::Red).unwrap(), "[Item { name: \"a\", count: 2 }] Red");
    let error = client.sell(items(), new::Color::Green(4)).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("does not know what this message holds"), "{error}");
    assert!(error.to_string().contains("E::Sell.color: Color has no variant 2"), "{error}");
    assert_eq!(host.stats().unsupported, 1);
}

#[test]
fn types_become_others_that_travel_alike() {
    versions! {
        { #[machipc::endpoint("x")] pub enum E { Put { key: String, value: Vec<u8>, reply: Reply<u64> } } }
        { #[machipc::endpoint("x")] pub enum E<'a> { Put { key: &'a str, value: &'a [u8], reply: Reply<Box<u64>> } } }
    }
    let (_host, client) = meet!(new, old, |message: new::E<'_>, _: &Context| match message {
        new::E::Put { key, value, reply } => reply.send(Box::new((key.len() + value.len()) as u64)).unwrap(),
    });
    assert_eq!(client.put("abc".to_owned(), vec![1, 2]).unwrap(), 5);
    let (_host, client) = meet!(old, new, |message: old::E, _: &Context| match message {
        old::E::Put { key, value, reply } => reply.send((key.len() + value.len()) as u64).unwrap(),
    });
    assert_eq!(*client.put("abcd", &[1, 2]).unwrap(), 6);
}

// ---- What is not allowed

/// What the client's user is told when connecting, and the same in the first call when the host was not asked before.
fn refused<C: MachMessage + 'static, H: MachMessage + 'static>(
    call: impl FnOnce(&Client<C>) -> Error,
) -> String {
    registry::set_lookup_enabled(false);
    let name = unique("parted");
    let host =
        Host::<H>::builder().name(&name).bind(|_, _: &Context| unreachable!("it does not fit")).unwrap();
    let options = ConnectOptions::new().name(&name).compare(WATCHDOG);
    let Err(error) = Client::<C>::connect_with(&options) else { panic!("the change is not allowed") };
    let Error::Fingerprint { differences, .. } = &error else { panic!("{error}") };
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "{name:?}: client and host were built from different definitions: {differences} ("
        )),
        "{text}"
    );
    let unasked = Client::<C>::connect_with(&options.compare(None)).unwrap();
    assert_eq!(call(&unasked).to_string(), text);
    until("both were counted", || host.stats().foreign == 2);
    differences.to_string()
}

/// Asserts what an old client of a new host is told, and a new client of an old host. Each version has a request `Get`.
macro_rules! parted {
    ({ $($old:tt)* } { $($new:tt)* } $old_client:literal, $new_client:literal) => {{
        versions! { { $($old)* } { $($new)* } }
        let told = refused::<old::E, new::E>(|client| client.call(|reply| old::E::Get { reply }).unwrap_err());
        assert_eq!(told, $old_client);
        let told = refused::<new::E, old::E>(|client| client.call(|reply| new::E::Get { reply }).unwrap_err());
        assert_eq!(told, $new_client);
    }};
}

#[test]
fn a_message_is_added_or_removed_without_a_word() {
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set(u8) } }
        "this side has no message `Set`", "the host has no message `Set`"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set(u8) } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Put(u8) } }
        "the host has no message `Set`; this side has no message `Put`",
        "the host has no message `Put`; this side has no message `Set`"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, #[mach(id = 5)] Set(u8) } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, #[mach(id = 6)] Set(u8) } }
        "the host has no message with the id 0x5; this side has no message with the id 0x6",
        "the host has no message with the id 0x6; this side has no message with the id 0x5"
    }
}

#[test]
fn fields_change() {
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, value: u8 } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: u32, value: u8 } } }
        "message `Set`: field `key` is `str` here and `u32` in the host",
        "message `Set`: field `key` is `u32` here and `str` in the host"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, value: u8 } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, level: u8, value: u8 } } }
        "message `Set`: this side has no field `level`", "message `Set`: the host has no field `level`"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, value: u8 } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String } } }
        "message `Set`: the host has no field `value`", "message `Set`: this side has no field `value`"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, value: u8 } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { name: String, value: u8 } } }
        "message `Set`: field 0 is called `key` here and `name` in the host",
        "message `Set`: field 0 is called `name` here and `key` in the host"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { key: String, value: u8 } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Set { value: u8, key: String } } }
        "message `Set`: the fields are `key`, `value` here and `value`, `key` in the host, in that order",
        "message `Set`: the fields are `value`, `key` here and `key`, `value` in the host, in that order"
    }
}

#[test]
fn answers_change() {
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> } } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<Option<u16>> } } }
        "message `Get`: the answer is `u8` here and `?u16` in the host",
        "message `Get`: the answer is `?u16` here and `u8` in the host"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Clear } }
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Clear(Reply<()>) } }
        "message `Clear` is one way here and answered in the host",
        "message `Clear` is answered here and one way in the host"
    }
}

#[test]
fn types_inside_change() {
    parted! {
        {
            #[derive(MachMessage)] pub struct Item { name: String }
            #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Sell { items: Vec<Item> } }
        }
        {
            #[derive(MachMessage)] pub struct Item { name: String, #[mach(since = 2)] count: u8 }
            #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Sell { items: Vec<Item> } }
        }
        "message `Sell`: field `items`: `Item` has `since` fields in the host and none here, which matters where other fields may follow",
        "message `Sell`: field `items`: `Item` has `since` fields here and none in the host, which matters where other fields may follow"
    }
    parted! {
        {
            #[derive(MachMessage)] pub enum Color { Red, Blue }
            #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Paint(Color) }
        }
        {
            #[derive(MachMessage)] pub enum Color { Red, Green, Blue }
            #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> }, Paint(Color) }
        }
        "variant 1 of `Color` is `Blue` here and `Green` in the host; this side has no variant `Blue` of `Color`",
        "variant 1 of `Color` is `Green` here and `Blue` in the host; the host has no variant `Blue` of `Color`"
    }
    parted! {
        { #[machipc::endpoint("x")] pub enum E { Get { reply: Reply<u8> } } }
        { #[machipc::endpoint("x")] pub enum F { Get { reply: Reply<u8> } } pub use F as E; }
        "the message is `E` here and `F` in the host", "the message is `F` here and `E` in the host"
    }
}
