//! Endpoints: ids, payloads, and the clients that are made for them.

mod derive_support;
mod typed_support;

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use derive_support::Sent;
use machipc::message::Schema;
use machipc::port::ReceiveRight;
use machipc::{Client, Context, Error, Host, MachMessage, Reply, SendRight, registry};
use typed_support::{unique, until};

#[derive(Debug, Clone, PartialEq, MachMessage)]
struct Put<'a> {
    key: &'a str,
    value: &'a [u8],
}

/// A store.
#[machipc::endpoint("com.example.derive.kv")]
#[derive(Debug)]
enum Kv<'a> {
    /// Stores a value.
    Put(Put<'a>),
    Get {
        key: &'a str,
        reply: Reply<Option<Vec<u8>>>,
    },
    Load {
        name: String,
        #[mach(ool)]
        data: Vec<u8>,
    },
    Move(&'a str, &'a str, Reply<bool>),
    Count(Reply<u64>),
    Clear,
}

#[test]
fn ids_come_from_names_wherever_the_variants_stand() {
    mod moved {
        #[machipc::endpoint("com.example.derive.moved")]
        pub enum Kv {
            Clear,
            Added,
            #[mach(id = 3)]
            Renamed,
            Put(String),
        }
    }
    assert_eq!(Kv::Clear.message_id(), 0x44a5_7fc2);
    assert_eq!(Kv::Put(Put { key: "", value: b"" }).message_id(), 0x4e79_2d8e);
    assert_eq!(moved::Kv::Clear.message_id(), Kv::Clear.message_id());
    assert_eq!(moved::Kv::Put(String::new()).message_id(), 0x4e79_2d8e);
    assert_eq!(moved::Kv::Renamed.message_id(), 3);
    assert_eq!(
        (Kv::ENDPOINT, moved::Kv::ENDPOINT),
        (Some("com.example.derive.kv"), Some("com.example.derive.moved"))
    );
    let _ = moved::Kv::Added;
}

#[test]
fn the_fingerprint_knows_names_and_types_and_not_the_order() {
    macro_rules! fingerprint {
        ($($variants:tt)*) => {{
            #[allow(dead_code, reason = "only its schema is asked for")]
            mod variation {
                #[allow(unused_imports, reason = "not all have a reply")]
                use machipc::Reply;
                #[machipc::endpoint("com.example.derive.variation")]
                pub enum Kv { $($variants)* }
            }
            variation::Kv::fingerprint()
        }};
    }
    let first = fingerprint! { Put(String), Get { key: String, reply: Reply<u32> } };
    assert_eq!(first, fingerprint! { Get { key: String, reply: Reply<u32> }, Put(String) });
    assert_eq!(
        first,
        fingerprint! { Put(String), #[mach(since = 2)] Clear, Get { key: String, reply: Reply<u32> } }
    );
    assert_eq!(
        first,
        fingerprint! { Put(String), Get { key: String, #[mach(since = 2)] max: u32, reply: Reply<u32> } }
    );
    for other in [
        fingerprint! { Put(String), Get { key: String, reply: Reply<u64> } },
        fingerprint! { Put(String), Get { name: String, reply: Reply<u32> } },
        fingerprint! { Put(Vec<u8>), Get { key: String, reply: Reply<u32> } },
        fingerprint! { Set(String), Get { key: String, reply: Reply<u32> } },
        fingerprint! { #[mach(id = 5)] Put(String), Get { key: String, reply: Reply<u32> } },
        fingerprint! { Put(String), Get { key: String, reply: Reply<u32> }, Clear },
        fingerprint! { Put(String), Get { key: String } },
    ] {
        assert_ne!(first, other);
    }
    assert_eq!(fingerprint! { #[mach(id = 5)] Put(String) }, fingerprint! { #[mach(id = 5)] Set(String) });
}

#[test]
fn the_id_says_which_variant_the_payload_is() {
    let sent = Sent::of(&Kv::Put(Put { key: "k", value: b"v" }));
    assert_eq!(sent.payload.as_bytes(), [1, 0, 0, 0, b'k', 0, 0, 0, 1, 0, 0, 0, b'v'], "no tag");
    let Ok(Kv::Put(put)) = sent.receive::<Kv<'_>>() else { panic!("the variant that was sent") };
    assert_eq!(put, Put { key: "k", value: b"v" });
    assert!(sent.lends(put.key));

    let load = Kv::Load { name: "n".to_owned(), data: vec![7; 100_000] };
    let sent = Sent::of(&load);
    assert!(
        matches!(sent.receive::<Kv<'_>>(), Ok(Kv::Load { name, data }) if name == "n" && data == [7; 100_000])
    );
    assert!(matches!(Sent::of(&Kv::Clear).receive::<Kv<'_>>(), Ok(Kv::Clear)));
}

#[test]
fn other_ids_and_other_payloads_are_errors() {
    let sent = Sent::of(&Kv::Put(Put { key: "k", value: b"v" }));
    for id in [0, 64, machipc::message::PLAIN_ID, i32::MIN, i32::MAX, 0x4e79_2d8f] {
        let error = Sent::raw(id, sent.payload.as_bytes()).receive::<Kv<'_>>().unwrap_err();
        assert!(error.is_unknown_variant(), "{error}");
        assert!(error.to_string().ends_with(&format!("no variant has id {id:#x}")), "{error}");
    }
    for len in 0..sent.payload.len() {
        let cut = Sent::raw(sent.id, &sent.payload.as_bytes()[..len]);
        let error = cut.receive::<Kv<'_>>().unwrap_err();
        assert!(error.to_string().contains("Kv::Put.0: Put."), "{error}");
    }
    // A request without a reply right is no request.
    let error = Sent::raw(Kv::COUNT, &[0; 8]).receive::<Kv<'_>>().unwrap_err();
    assert!(error.to_string().contains("Kv::Count.0: "), "{error}");
}

impl Kv<'_> {
    /// FNV-1a of `Count`, by hand.
    const COUNT: i32 = {
        let (name, mut hash, mut index) = (b"Count", 0x811c_9dc5_u32, 0);
        while index < name.len() {
            hash = (hash ^ name[index] as u32).wrapping_mul(0x0100_0193);
            index += 1;
        }
        (hash & 0x3fff_ffff | 0x4000_0000) as i32
    };
}

#[test]
fn what_a_variant_carries_may_gain_fields() {
    mod old {
        #[derive(Debug, machipc::MachMessage)]
        pub struct Entry {
            pub key: String,
        }
        #[machipc::endpoint("com.example.derive.evolving")]
        #[derive(Debug)]
        pub enum Log {
            Add(Entry),
            Tag { tag: u8, entry: Entry },
        }
    }
    mod new {
        #[derive(Debug, machipc::MachMessage)]
        pub struct Entry {
            pub key: String,
            #[mach(since = 2, default = "seven")]
            pub level: u32,
        }
        fn seven() -> u32 {
            7
        }
        #[machipc::endpoint("com.example.derive.evolving")]
        #[derive(Debug)]
        pub enum Log {
            Add(Entry),
            Tag { tag: u8, entry: Entry },
        }
    }
    assert_eq!(old::Log::fingerprint(), new::Log::fingerprint());
    let entry = || old::Entry { key: "k".to_owned() };
    for message in [old::Log::Add(entry()), old::Log::Tag { tag: 1, entry: entry() }] {
        let sent = Sent::of(&message);
        let (new::Log::Add(read) | new::Log::Tag { entry: read, tag: 1 }) =
            sent.receive::<new::Log>().unwrap()
        else {
            panic!("the tag that was sent")
        };
        assert_eq!((read.key.as_str(), read.level), ("k", 7));
    }
    let entry = || new::Entry { key: "k".to_owned(), level: 9 };
    for message in [new::Log::Add(entry()), new::Log::Tag { tag: 1, entry: entry() }] {
        let sent = Sent::of(&message);
        let (old::Log::Add(read) | old::Log::Tag { entry: read, tag: 1 }) =
            sent.receive::<old::Log>().unwrap()
        else {
            panic!("the tag that was sent")
        };
        assert_eq!(read.key, "k");
    }
}

#[test]
fn an_endpoint_can_be_a_part_of_a_message() {
    #[machipc::endpoint("com.example.derive.command")]
    #[derive(Debug, PartialEq)]
    enum Command<'a> {
        Say(&'a str),
        Add {
            a: u32,
            #[mach(since = 2)]
            b: u32,
        },
        Stop,
    }
    #[derive(Debug, PartialEq, MachMessage)]
    struct Script<'a> {
        commands: Vec<Command<'a>>,
        last: u8,
    }
    let script = Script {
        commands: vec![Command::Say("a"), Command::Add { a: 1, b: 2 }, Command::Stop, Command::Say("b")],
        last: 3,
    };
    assert_eq!(Sent::of(&script).receive::<Script<'_>>().unwrap(), script);
}

/// Handles all of [`Kv`].
fn serve(name: &str) -> Host<Kv<'static>> {
    let store = Mutex::new(std::collections::BTreeMap::<String, Vec<u8>>::new());
    let handler = move |message: Kv<'_>, _: &Context| {
        let mut store = store.lock().unwrap();
        match message {
            Kv::Put(Put { key, value }) => drop(store.insert(key.to_owned(), value.to_owned())),
            Kv::Get { key, reply } => reply.send(store.get(key).cloned()).unwrap(),
            Kv::Load { name, data } => drop(store.insert(name, data)),
            Kv::Move(from, to, reply) => {
                let value = store.remove(from);
                let moved = value.map(|value| store.insert(to.to_owned(), value)).is_some();
                reply.send(moved).unwrap();
            }
            Kv::Count(reply) => reply.send(store.len() as u64).unwrap(),
            Kv::Clear => store.clear(),
        }
    };
    Host::builder().name(name).bind(handler).expect("the name is free")
}

/// The whole of a client, directly and through a port.
#[test]
fn a_client_has_a_method_for_each_variant() {
    for direct in [true, false] {
        registry::set_lookup_enabled(direct);
        let name = unique("derive-kv");
        assert!(matches!(KvClient::connect_to(&name), Err(Error::NotFound { .. })));
        let host = serve(&name);
        let kv = KvClient::connect_to(&name).unwrap();
        assert_eq!(kv.client().is_local(), direct);

        let key = String::from("a");
        kv.put(Put { key: &key, value: b"1" }).unwrap();
        assert_eq!(kv.get(&key).unwrap(), Some(b"1".to_vec()));
        assert!(kv.r#move("a", "b").unwrap());
        assert!(!kv.r#move("a", "b").unwrap());
        kv.load("big".to_owned(), vec![3; 1 << 20]).unwrap();
        assert_eq!(kv.get("big").unwrap().map(|value| value.len()), Some(1 << 20));
        assert_eq!(kv.count().unwrap(), 2);
        kv.clear().unwrap();

        let patient = kv.clone().with_deadline(None);
        assert_eq!(patient.client().deadline(), None);
        assert_eq!(
            kv.with_deadline(Duration::from_secs(5)).client().deadline(),
            Some(Duration::from_secs(5))
        );
        let same = KvClient::from_client(Client::connect_to(&name).unwrap());
        let count = std::thread::spawn(move || same.count()).join().unwrap();
        assert_eq!(count.unwrap(), 0);
        assert!(format!("{kv:?}").starts_with("KvClient("));

        drop(host);
        assert!(patient.count().is_err());
    }
    registry::set_lookup_enabled(true);
}

/// A client made from the endpoint's own name.
#[test]
fn a_client_knows_its_endpoint() {
    mod own {
        use machipc::Reply;

        // The name has to be a literal, and no other run may have taken it: so only the failure is looked at.
        #[machipc::endpoint("com.example.derive.nobody-serves-this", client = Nobody)]
        pub enum Own {
            Ask(Reply<()>),
        }
    }
    for error in
        [own::Nobody::connect().unwrap_err(), own::Nobody::connect_timeout(Duration::ZERO).unwrap_err()]
    {
        assert!(
            matches!(&error, Error::NotFound { endpoint } if endpoint == own::Own::ENDPOINT.unwrap()),
            "{error}"
        );
    }
}

#[machipc::endpoint("com.example.derive.generic")]
#[derive(Debug)]
enum Queue<'a, T: Ord + Debug, const N: usize> {
    Push(T),
    PushAll { name: &'a str, items: [T; N] },
    Pop(Reply<Option<T>>),
}

#[test]
fn endpoints_may_be_generic() {
    let name = unique("derive-generic");
    let items = Mutex::new(Vec::new());
    let host: Host<Queue<'static, String, 2>> = Host::builder()
        .name(&name)
        .bind(move |message: Queue<'_, String, 2>, _: &Context| {
            let mut kept = items.lock().unwrap();
            match message {
                Queue::Push(item) => kept.push(item),
                Queue::PushAll { name, items } => kept.extend(items.map(|item| format!("{name} {item}"))),
                Queue::Pop(reply) => {
                    kept.sort();
                    reply.send(kept.pop()).unwrap();
                }
            }
        })
        .unwrap();
    let queue: QueueClient<String, 2> = QueueClient::connect_to(&name).unwrap();
    queue.push("x".to_owned()).unwrap();
    queue.push_all("y", ["1".to_owned(), "2".to_owned()]).unwrap();
    assert_eq!(queue.pop().unwrap().as_deref(), Some("y 2"));
    assert_eq!(queue.pop().unwrap().as_deref(), Some("y 1"));
    assert_eq!(queue.pop().unwrap().as_deref(), Some("x"));
    assert_eq!(queue.pop().unwrap(), None);
    drop(host);
}

/// What a port carries need not be in the message itself.
#[derive(Debug, MachMessage)]
struct Subscribe<M> {
    events: SendRight<M>,
    topic: String,
}

#[machipc::endpoint("com.example.derive.watch")]
#[derive(Debug)]
enum Watch {
    Start(Subscribe<Kv<'static>>),
    Which(Reply<Subscribe<Kv<'static>>>),
    Stop { times: u32 },
}

#[test]
fn rights_travel_in_messages() {
    assert!(Schema::of::<Watch>().text().contains("SendRight"));
    let name = unique("derive-watch");
    let seen = std::sync::Arc::new(AtomicU64::new(0));
    let watching = seen.clone();
    let host = Host::<Watch>::builder()
        .name(&name)
        .bind(move |message: Watch, _: &Context| match message {
            Watch::Start(Subscribe { events, topic }) => {
                assert_eq!(topic, "all");
                let events = KvClient::from_client(Client::from_right(events));
                events.put(Put { key: "event", value: b"" }).unwrap();
            }
            Watch::Which(reply) => drop(reply),
            Watch::Stop { times } => drop(watching.fetch_add(times.into(), Ordering::Relaxed)),
        })
        .unwrap();
    let watch = WatchClient::connect_to(&name).unwrap();
    let port = ReceiveRight::<Kv<'static>>::new().unwrap();
    watch.start(Subscribe { events: port.make_send().unwrap(), topic: "all".to_owned() }).unwrap();
    let mut buffer = machipc::port::MessageBuffer::new();
    let received =
        port.receive(&mut buffer, machipc::port::Deadline::after(Duration::from_secs(60))).unwrap();
    assert!(matches!(received.decode::<Kv<'_>>().unwrap(), Kv::Put(Put { key: "event", value: b"" })));
    assert!(matches!(watch.which(), Err(Error::ReplyDropped { .. })));
    watch.stop(3).unwrap();
    until("the last one-way message is handled", || seen.load(Ordering::Relaxed) == 3);
    drop(host);
}

#[test]
fn variants_may_come_and_go_with_the_configuration() {
    #[machipc::endpoint("com.example.derive.configured")]
    #[derive(Debug)]
    enum Configured {
        Always,
        #[cfg(any())]
        Never(NoSuchType),
        #[cfg(not(any()))]
        Too {
            #[cfg(any())]
            missing: NoSuchType,
            value: u8,
        },
        #[cfg(any())]
        Always,
    }
    let sent = Sent::of(&Configured::Too { value: 7 });
    assert!(matches!(sent.receive::<Configured>(), Ok(Configured::Too { value: 7 })));
    assert!(matches!(Sent::of(&Configured::Always).receive::<Configured>(), Ok(Configured::Always)));
}

/// Methods have the variants' documentation, and are as visible as the enum.
#[test]
fn variants_may_be_named_and_shaped_in_every_way() {
    mod inner {
        use machipc::Reply;

        #[machipc::endpoint("com.example.derive.shapes")]
        #[derive(Debug)]
        pub(super) enum Shapes {
            Empty(),
            Nothing {},
            One(u8),
            Three(u8, u16, u32),
            Asked(u8, Reply<u8>),
            r#Type {
                r#fn: u8,
                reply: Reply<u8>,
            },
            Match(Reply<(u8, String)>),
            #[mach(method = shaped_otherwise)]
            Connect {
                deadline: u8,
                client: u8,
                name: u8,
                reply: u8,
                answer: Reply<u8>,
            },
            Self_,
            #[deprecated]
            Old,
        }
    }
    use inner::{Shapes, ShapesClient};
    let name = unique("derive-shapes");
    let calls = std::sync::Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let _host = Host::<Shapes>::builder()
        .name(&name)
        .bind(move |message: Shapes, _: &Context| {
            counted.fetch_add(1, Ordering::Relaxed);
            match message {
                Shapes::Three(a, b, c) => assert_eq!((a, b, c), (1, 2, 3)),
                Shapes::Asked(value, reply) | Shapes::r#Type { r#fn: value, reply } => {
                    reply.send(value).unwrap()
                }
                Shapes::Match(reply) => reply.send((1, "one".to_owned())).unwrap(),
                Shapes::Connect { deadline, client, name, reply, answer } => {
                    answer.send(deadline + client + name + reply).unwrap();
                }
                Shapes::Empty() | Shapes::Nothing {} | Shapes::One(_) | Shapes::Self_ => {}
                #[allow(deprecated)]
                Shapes::Old => {}
            }
        })
        .unwrap();
    let shapes = ShapesClient::connect_to(&name).unwrap();
    shapes.empty().unwrap();
    shapes.nothing().unwrap();
    shapes.one(1).unwrap();
    shapes.three(1, 2, 3).unwrap();
    assert_eq!(shapes.asked(7).unwrap(), 7);
    assert_eq!(shapes.r#type(8).unwrap(), 8);
    assert_eq!(shapes.r#match().unwrap(), (1, "one".to_owned()));
    assert_eq!(shapes.shaped_otherwise(1, 2, 3, 4).unwrap(), 10);
    shapes.self_().unwrap();
    #[expect(deprecated, reason = "the method of a deprecated variant is deprecated")]
    shapes.old().unwrap();
    until("all ten messages are handled", || calls.load(Ordering::Relaxed) == 10);
}

/// Types and names that come out of other macros.
#[test]
fn endpoints_may_be_made_by_other_macros() {
    macro_rules! service {
        ($endpoint:ident, $name:literal, $client:ident, $($variant:ident($parameter:ty => $answer:ty) = $id:literal),*) => {
            #[machipc::endpoint($name, client = $client)]
            #[derive(Debug)]
            enum $endpoint { $(#[mach(id = $id)] $variant($parameter, Reply<$answer>)),* }
        };
    }
    service!(Mathematics, "com.example.derive.mathematics", Calculator, Square(u64 => u128) = 7, Negate(i32 => Option<i32>) = 8);

    let name = unique("derive-mathematics");
    let _host = Host::<Mathematics>::builder()
        .name(&name)
        .bind(|message: Mathematics, _: &Context| match message {
            Mathematics::Square(value, reply) => reply.send(u128::from(value) * u128::from(value)).unwrap(),
            Mathematics::Negate(value, reply) => reply.send(value.checked_neg()).unwrap(),
        })
        .unwrap();
    let calculator = Calculator::connect_to(&name).unwrap();
    assert_eq!(calculator.square(1 << 40).unwrap(), 1 << 80);
    assert_eq!(calculator.negate(i32::MIN).unwrap(), None);

    fn goes_anywhere<T: Clone + Debug + Send + Sync + 'static>(_: &T) {}
    goes_anywhere(&calculator);
}
