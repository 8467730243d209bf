//! Endpoints that are traits: the same on the wire as the enum that one would write, and served by an implementation.

mod typed_support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use machipc::{CallError, Context, Error, Host, MachMessage, Source, StreamError, registry};
use typed_support::unique;

/// The short cut is switched for the whole process.
static LOOKUP: Mutex<()> = Mutex::new(());

/// The store holds no more.
#[derive(Debug, Clone, PartialEq, MachMessage)]
pub struct Full {
    limit: u32,
}

mod by_trait {
    use super::Full;
    use machipc::Context;

    /// A store of values by name.
    #[machipc::endpoint("com.example.derive.trait")]
    pub trait Kv: Send + Sync {
        /// Finds a value.
        fn get(&self, key: &str) -> Option<Vec<u8>>;
        fn put(&self, key: &str, value: &[u8]) -> Result<(), Full>;
        fn touch(&self, cx: &Context, key: &str);
        #[oneway]
        fn clear(&self);
        #[oneway]
        #[mach(id = 7)]
        fn load(&self, name: String, #[mach(ool)] data: Vec<u8>, #[mach(since = 2, default)] mode: u32);
        fn who(&self, cx: &Context) -> u32;
    }
}

mod by_enum {
    use super::Full;
    use machipc::Reply;

    #[machipc::endpoint("com.example.derive.enum")]
    pub enum Kv<'a> {
        Get {
            key: &'a str,
            reply: Reply<Option<Vec<u8>>>,
        },
        Put {
            key: &'a str,
            value: &'a [u8],
            reply: Reply<Result<(), Full>>,
        },
        Touch {
            key: &'a str,
            reply: Reply<()>,
        },
        Clear,
        #[mach(id = 7)]
        Load {
            name: String,
            #[mach(ool)]
            data: Vec<u8>,
            #[mach(since = 2)]
            mode: u32,
        },
        Who {
            reply: Reply<u32>,
        },
    }
}

use by_trait::{Kv, KvClient, KvMessage, KvServer};

#[derive(Default)]
struct Store {
    values: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Kv for Store {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.values.lock().unwrap().get(key).cloned()
    }
    fn put(&self, key: &str, value: &[u8]) -> Result<(), Full> {
        let mut values = self.values.lock().unwrap();
        if values.len() == 2 {
            return Err(Full { limit: 2 });
        }
        values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
    fn touch(&self, cx: &Context, key: &str) {
        assert!(cx.deadline().is_some());
        self.values.lock().unwrap().entry(key.to_owned()).or_default();
    }
    fn clear(&self) {
        self.values.lock().unwrap().clear();
    }
    fn load(&self, name: String, data: Vec<u8>, mode: u32) {
        self.values.lock().unwrap().insert(format!("{name} {mode}"), data);
    }
    fn who(&self, cx: &Context) -> u32 {
        cx.peer().pid()
    }
}

#[test]
fn a_trait_is_on_the_wire_what_the_enum_of_its_name_is() {
    assert_eq!(KvMessage::fingerprint(), by_enum::Kv::fingerprint());
    assert_eq!(KvMessage::Clear.message_id(), by_enum::Kv::Clear.message_id());
    let load = KvMessage::Load { name: String::new(), data: Vec::new(), mode: 0 };
    assert_eq!(load.message_id(), 7);
    assert_eq!(<KvMessage as MachMessage>::ENDPOINT, Some("com.example.derive.trait"));
}

#[test]
fn an_implementation_is_served_to_clients_of_either_form() {
    let _one_at_a_time = LOOKUP.lock().unwrap();
    let name = unique("trait");
    let host =
        Host::<KvMessage>::builder().name(&name).bind(KvServer::new(Store::default()).handler()).unwrap();
    for local in [true, false] {
        registry::set_lookup_enabled(local);
        let kv = KvClient::connect_to(&name).unwrap();
        assert_eq!(kv.client().is_local(), local);
        assert_eq!(kv.put("a", b"1").unwrap(), Ok(()));
        assert_eq!(kv.get("a").unwrap(), Some(b"1".to_vec()));
        kv.touch("b").unwrap();
        assert_eq!(kv.put("c", b"3").unwrap(), Err(Full { limit: 2 }));
        kv.clear().unwrap();
        kv.load("big".to_owned(), vec![7; 100_000], 3).unwrap();
        assert_eq!(kv.who().unwrap(), std::process::id());
        assert_eq!(kv.get("big 3").unwrap(), Some(vec![7; 100_000]));
        kv.clear().unwrap();
    }
    // Through the port, by the enum's client.
    registry::set_lookup_enabled(false);
    let kv = by_enum::KvClient::connect_to(&name).unwrap();
    assert_eq!(kv.put("a", b"1").unwrap(), Ok(()));
    assert_eq!(kv.get("a").unwrap(), Some(b"1".to_vec()));
    kv.touch("b").unwrap();
    assert_eq!(kv.who().unwrap(), std::process::id());
    drop(host);

    // And the trait's client with a host of the enum.
    let name = unique("enum");
    let host = Host::<by_enum::Kv>::builder()
        .name(&name)
        .bind(|message: by_enum::Kv<'_>, _: &Context| match message {
            by_enum::Kv::Get { key, reply } => drop(reply.send(Some(key.as_bytes().to_vec()))),
            by_enum::Kv::Put { reply, .. } => drop(reply.send(Err(Full { limit: 0 }))),
            _ => {}
        })
        .unwrap();
    let kv = KvClient::connect_to(&name).unwrap();
    assert_eq!(kv.get("x").unwrap(), Some(b"x".to_vec()));
    assert_eq!(kv.put("x", b"").unwrap(), Err(Full { limit: 0 }));
    assert!(matches!(kv.touch("x"), Err(Error::ReplyDropped { .. })));
    drop(host);
    registry::set_lookup_enabled(true);
}

#[test]
fn what_a_method_panics_over_is_not_answered_and_what_it_shares_is_its_owners() {
    #[machipc::endpoint("com.example.derive.shared", client = Caller, server = Teller, message = Told)]
    trait Counter {
        fn next(&self) -> u64;
        fn fail(&self) -> u64;
        #[mach(variant = Finish)]
        fn stop(&self, cx: &Context);
    }

    impl Counter for AtomicU64 {
        fn next(&self) -> u64 {
            self.fetch_add(1, Ordering::Relaxed)
        }
        fn fail(&self) -> u64 {
            panic!("on purpose");
        }
        fn stop(&self, cx: &Context) {
            cx.stop();
        }
    }

    let count = Arc::new(AtomicU64::new(5));
    let teller = Teller::from(count.clone());
    let name = unique("shared");
    let host = Host::<Told>::builder().name(&name).bind(teller.clone().handler()).unwrap();
    let counter = Caller::from_client(host.client());
    assert_eq!(counter.next().unwrap(), 5);
    assert!(matches!(counter.fail(), Err(Error::ReplyDropped { .. })));
    assert_eq!(counter.next().unwrap(), 6);
    assert_eq!(count.load(Ordering::Relaxed), 7);
    assert!(Arc::ptr_eq(teller.implementation(), &count));
    counter.stop().unwrap();
    host.wait();
}

mod flat {
    use super::Full;

    pub mod stored {
        pub type Result<T> = std::result::Result<T, super::Full>;
    }

    #[machipc::endpoint("com.example.derive.flat", flat_errors)]
    pub trait Shelf {
        fn put(&self, key: u32) -> Result<u32, Full>;
        fn take(&self, key: u32) -> stored::Result<()>;
        fn count(&self) -> u32;
        fn list(&self, out: machipc::Sink<u32>) -> Result<(), Full>;
        fn find(&self, out: machipc::Sink<u32>) -> stored::Result<String>;
        fn watch(&self, first: u32, out: machipc::Sink<u32>);
        fn sum(&self, numbers: machipc::Source<u32>) -> Result<u32, Full>;
        fn swap(&self, numbers: machipc::Source<u32>, out: machipc::Sink<u32, Full>);
    }

    pub struct Three;

    impl Shelf for Three {
        fn put(&self, key: u32) -> Result<u32, Full> {
            if key > 3 { Err(Full { limit: 3 }) } else { Ok(key) }
        }
        fn take(&self, key: u32) -> stored::Result<()> {
            self.put(key).map(drop)
        }
        fn count(&self) -> u32 {
            3
        }
        fn list(&self, out: machipc::Sink<u32>) -> Result<(), Full> {
            (0..3).for_each(|number| out.send(number).unwrap());
            out.finish().unwrap();
            Ok(())
        }
        fn find(&self, out: machipc::Sink<u32>) -> stored::Result<String> {
            drop(out);
            Ok("nothing".to_owned())
        }
        fn watch(&self, first: u32, out: machipc::Sink<u32>) {
            // More than the window holds: the caller has its end while this runs.
            (first..first + 1000).for_each(|number| out.send(number).unwrap());
            out.finish().unwrap();
        }
        fn sum(&self, numbers: machipc::Source<u32>) -> Result<u32, Full> {
            numbers.sum::<Result<u32, _>>().map_err(|_| Full { limit: 0 })
        }
        fn swap(&self, numbers: machipc::Source<u32>, out: machipc::Sink<u32, Full>) {
            let all = numbers.collect::<Result<Vec<_>, _>>().unwrap();
            all.into_iter().rev().for_each(|number| out.send(number).unwrap());
            out.fail(Full { limit: 1 }).unwrap();
        }
    }
}

#[test]
fn errors_can_be_flat_and_streams_stand_beside_the_answer() {
    use flat::{ShelfClient, ShelfMessage, ShelfServer, Three};

    let name = unique("flat");
    let server = ShelfServer::new(Three);
    let host = Host::<ShelfMessage>::builder().name(&name).bind(server.handler()).unwrap();
    let right = machipc::port::bootstrap::look_up::<ShelfMessage>(&name).unwrap();
    // Through the port: there the methods run on another thread than this one.
    let shelf = {
        let _one_at_a_time = LOOKUP.lock().unwrap();
        registry::set_lookup_enabled(false);
        let shelf = ShelfClient::from_client(machipc::Client::from_right(right));
        registry::set_lookup_enabled(true);
        shelf
    };
    let full = |limit| CallError::<Full>::Host(Full { limit });
    let said = |error: &CallError<Full>| format!("{error:?}");
    assert_eq!(shelf.put(2).unwrap(), 2);
    assert_eq!(said(&shelf.put(4).unwrap_err()), said(&full(3)));
    shelf.take(1).unwrap();
    assert_eq!(said(&shelf.take(4).unwrap_err()), said(&full(3)));
    let count: Result<u32, Error> = shelf.count();
    assert_eq!(count.unwrap(), 3);

    let list: Result<Source<u32>, CallError<Full>> = shelf.list();
    assert_eq!(list.unwrap().collect::<Result<Vec<_>, _>>(), Ok(vec![0, 1, 2]));
    let (words, mut none): (String, Source<u32>) = shelf.find().unwrap();
    assert_eq!((words.as_str(), none.next()), ("nothing", Some(Err(StreamError::ProducerGone))));
    let watched = shelf.watch(7).unwrap().collect::<Result<Vec<_>, _>>();
    assert_eq!(watched, Ok((7..1007).collect()));

    let (sum, numbers) = shelf.sum().unwrap();
    (1..=100).for_each(|number| numbers.send(number).unwrap());
    numbers.finish().unwrap();
    assert_eq!(sum.wait().unwrap().unwrap(), 5050);
    let (swapped, numbers, mut back) = shelf.swap().unwrap();
    (1..=3).for_each(|number| numbers.send(number).unwrap());
    numbers.finish().unwrap();
    assert_eq!(back.by_ref().take(3).collect::<Result<Vec<_>, _>>(), Ok(vec![3, 2, 1]));
    assert_eq!(back.next(), Some(Err(StreamError::Failed(Full { limit: 1 }))));
    swapped.wait().unwrap();

    drop(host);
    assert!(matches!(shelf.put(1), Err(CallError::Ipc(Error::HostDied { .. }))));
    assert!(matches!(shelf.list(), Err(CallError::Ipc(Error::HostDied { .. }))));
    assert!(matches!(shelf.count(), Err(Error::HostDied { .. })));
}

mod later {
    use super::Full;
    use machipc::{Context, Sink};

    #[machipc::endpoint("com.example.derive.later")]
    pub trait Later {
        async fn get(&self, key: &str) -> Option<String>;
        async fn put(&self, key: String, cx: &Context) -> Result<u32, Full>;
        async fn touch(&self);
        async fn watch(&self, prefix: &str, out: Sink<String>);
        fn at_once(&self, of: u64) -> u64;
        #[oneway]
        async fn forget(&self, key: &str);
    }

    pub struct Slow;

    /// Not ready when it is first asked.
    async fn pause() {
        let mut again = true;
        std::future::poll_fn(|cx| {
            if std::mem::take(&mut again) {
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        })
        .await;
    }

    impl Later for Slow {
        async fn get(&self, key: &str) -> Option<String> {
            pause().await;
            (!key.is_empty()).then(|| key.to_owned())
        }
        async fn put(&self, key: String, cx: &Context) -> Result<u32, Full> {
            pause().await;
            if key.is_empty() { Err(Full { limit: 0 }) } else { Ok(cx.peer().pid()) }
        }
        async fn touch(&self) {
            pause().await;
        }
        async fn watch(&self, prefix: &str, out: Sink<String>) {
            for number in 0..3 {
                pause().await;
                out.send(format!("{prefix}{number}")).unwrap();
            }
            out.finish().unwrap();
        }
        fn at_once(&self, of: u64) -> u64 {
            of * of
        }
        async fn forget(&self, _: &str) {}
    }
}

#[test]
fn asynchronous_methods_are_served_by_an_asynchronous_host() {
    use later::{LaterClient, LaterMessage, LaterServer, Slow};

    let (tasks, queue) = std::sync::mpsc::channel::<machipc::Task>();
    let tasks = Mutex::new(tasks);
    let executor = std::thread::spawn(move || {
        // One task after the other will do here.
        for mut task in queue {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            while task.as_mut().poll(&mut cx).is_pending() {}
        }
    });
    let name = unique("later");
    let host = Host::<LaterMessage>::builder()
        .name(&name)
        .serve_async_on(move |task| tasks.lock().unwrap().send(task).unwrap(), LaterServer::new(Slow))
        .unwrap();
    let later = LaterClient::connect_to(&name).unwrap();
    assert_eq!(later.get("a").unwrap(), Some("a".to_owned()));
    assert_eq!(later.get("").unwrap(), None);
    assert_eq!(later.put("k".to_owned()).unwrap(), Ok(std::process::id()));
    assert_eq!(later.put(String::new()).unwrap(), Err(Full { limit: 0 }));
    later.forget("a").unwrap();
    later.touch().unwrap();
    assert_eq!(later.at_once(12).unwrap(), 144);
    let watched = later.watch("key ").unwrap().collect::<Result<Vec<_>, _>>();
    assert_eq!(watched, Ok(vec!["key 0".to_owned(), "key 1".to_owned(), "key 2".to_owned()]));
    drop((later, host));
    executor.join().unwrap();
}
