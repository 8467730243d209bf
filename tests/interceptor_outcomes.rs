//! What interceptors are told of replies and of sizes, on both sides.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::{ThreadPool, block_on};
use machipc::message::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Schema};
use machipc::{
    AsyncClient, AsyncHandler, Client, Context, Error, Host, HostBuilder, Interceptor, MessageInfo,
    OolBuffer, Outcome, Reply, SendRight, WhenFull,
};
use typed_support::hosts::both_ways;
use typed_support::{WATCHDOG, until};

#[machipc::endpoint("com.example.test.interceptor.outcomes")]
enum Desk<'a> {
    Note {
        text: &'a str,
    },
    Load {
        bytes: OolBuffer,
        to: SendRight<u8>,
    },
    Ask {
        number: u64,
        reply: Reply<u64>,
    },
    /// Answered when the handler returns.
    Last {
        reply: Reply<String>,
    },
    Try {
        well: bool,
        reply: Reply<Result<u64, String>>,
    },
    Drop {
        reply: Reply<u64>,
    },
    /// Answered by another thread, after the handler has returned.
    Later {
        reply: Reply<u64>,
    },
    /// The handler waits until the caller has gone, and then answers.
    Late {
        reply: Reply<u64>,
    },
    /// The handler waits until the caller has gone, and then drops the reply.
    Lost {
        reply: Reply<u64>,
    },
    /// An answer that cannot be put into bytes.
    Bad {
        reply: Reply<Unwritable>,
    },
    Panic {
        reply: Reply<u64>,
    },
}

#[derive(Debug, PartialEq)]
struct Unwritable;

impl Encode for Unwritable {
    const MIN_SIZE: usize = 1;

    fn schema(schema: &mut Schema) {
        schema.named::<Self>("Unwritable", |schema| schema.part::<u8>());
    }

    fn encode<'m>(&'m self, _: &mut Encoder<'m>) -> Result<(), EncodeError> {
        Err(EncodeError::new("as the test wants it"))
    }
}

impl<'de> Decode<'de> for Unwritable {
    fn decode(input: &mut Decoder<'de>) -> Result<Self, DecodeError> {
        u8::decode(input).map(|_| Self)
    }
}

#[derive(Clone, Default)]
struct Desks {
    kept: Arc<Mutex<Vec<Reply<u64>>>>,
}

impl Desks {
    fn handle(&self, message: Desk<'_>) {
        match message {
            Desk::Note { .. } | Desk::Load { .. } => {}
            Desk::Ask { number, reply } => reply.send(number + 1).unwrap(),
            Desk::Last { reply } => reply.send_on_return("last".to_owned()).unwrap(),
            Desk::Try { well, reply } => reply.send(if well { Ok(1) } else { Err("no".to_owned()) }).unwrap(),
            Desk::Drop { reply } => drop(reply),
            Desk::Later { reply } => self.kept.lock().unwrap().push(reply),
            Desk::Late { mut reply } => {
                assert!(reply.wait_cancelled(WATCHDOG));
                assert!(matches!(reply.send(1), Err(Error::CallerGone)));
            }
            Desk::Lost { mut reply } => assert!(reply.wait_cancelled(WATCHDOG)),
            Desk::Bad { reply } => assert!(matches!(reply.send(Unwritable), Err(Error::Encode { .. }))),
            Desk::Panic { .. } => std::panic::resume_unwind(Box::new("as the test wants it")),
        }
    }
}

impl AsyncHandler<Desk<'static>> for Desks {
    async fn handle(&self, message: Desk<'_>, _: &Context) {
        self.handle(message);
    }
}

/// What an interceptor is told after each message.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<Told>>>);

#[derive(Debug, Clone, PartialEq)]
struct Told {
    what: &'static str,
    outcome: String,
    size: usize,
    reply_size: usize,
}

impl Interceptor for Diary {
    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, _: Duration) {
        self.0.lock().unwrap().push(Told {
            what: message.name().unwrap_or("?"),
            outcome: outcome.to_string(),
            size: message.size(),
            reply_size: message.reply_size(),
        });
    }
}

impl Diary {
    /// What was told of one message.
    fn one(&self) -> Told {
        until("the message is told of", || !self.0.lock().unwrap().is_empty());
        let mut told = self.0.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    }
}

type Bind = fn(HostBuilder<Desk<'static>>, Desks) -> Host<Desk<'static>>;

fn threads(builder: HostBuilder<Desk<'static>>, desks: Desks) -> Host<Desk<'static>> {
    builder.bind(move |message: Desk<'_>, _: &Context| desks.handle(message)).unwrap()
}

fn tasks(builder: HostBuilder<Desk<'static>>, desks: Desks) -> Host<Desk<'static>> {
    let pool = ThreadPool::new().unwrap();
    builder.serve_async_on(move |task| pool.spawn_ok(task), desks).unwrap()
}

/// Each kind of host, each way to it that it has, and what its interceptor writes.
fn everywhere(test: impl Fn(Client<Desk<'static>>, &Desks, &Diary)) {
    for bind in [threads as Bind, tasks] {
        let (desks, diary) = (Desks::default(), Diary::default());
        let host = bind(Host::builder().unnamed().intercept(diary.clone()), desks.clone());
        machipc::registry::set_lookup_enabled(false);
        test(Client::from_right(host.send_right().unwrap()), &desks, &diary);
        if host.client().is_local() {
            test(host.client(), &desks, &diary);
        }
    }
}

#[test]
fn a_host_tells_what_became_of_the_reply() {
    everywhere(|client, desks, diary| {
        let local = client.is_local();
        let told = |what: &'static str, outcome: &str, answered: bool| {
            let told = diary.one();
            assert_eq!((told.what, told.outcome.as_str()), (what, outcome), "{told:?}");
            assert_eq!(told.reply_size > 0, answered && !local, "{told:?}");
        };
        client.send(Desk::Note { text: "a text" }).map_err(|error| error.to_string()).unwrap();
        told("Note", "done", false);
        assert_eq!(client.call(|reply| Desk::Ask { number: 4, reply }).unwrap(), 5);
        told("Ask", "done", true);
        assert_eq!(client.call(|reply| Desk::Last { reply }).unwrap(), "last");
        told("Last", "done", true);
        assert_eq!(client.call(|reply| Desk::Try { well: true, reply }).unwrap(), Ok(1));
        told("Try", "done", true);
        assert_eq!(client.call(|reply| Desk::Try { well: false, reply }).unwrap(), Err("no".to_owned()));
        told("Try", "answered with an error", true);
        assert!(matches!(client.call(|reply| Desk::Drop { reply }), Err(Error::ReplyDropped { .. })));
        told("Drop", "the reply was dropped", false);
        let later = client.start(|reply| Desk::Later { reply }).unwrap();
        told("Later", "the reply was kept for later", false);
        desks.kept.lock().unwrap().pop().unwrap().send(9).unwrap();
        assert_eq!(later.wait().unwrap(), 9);
        assert!(matches!(client.call(|reply| Desk::Panic { reply }), Err(Error::ReplyDropped { .. })));
        told("Panic", "the handler panicked", false);
        if !local {
            assert!(matches!(client.call(|reply| Desk::Bad { reply }), Err(Error::Rejected { .. })));
            told("Bad", "the reply was dropped", false);
            // On the short cut the handler runs before the caller could go.
            let hasty = client.with_deadline(Duration::from_millis(20));
            assert!(hasty.call(|reply| Desk::Late { reply }).is_err());
            told("Late", "the caller had gone", false);
            assert!(hasty.call(|reply| Desk::Lost { reply }).is_err());
            told("Lost", "the caller had gone", false);
        }
    });
}

#[test]
fn a_client_tells_of_errors_that_are_answers() {
    let host = threads(Host::builder().unnamed(), Desks::default());
    for client in both_ways(&host) {
        let diary = Diary::default();
        let client = client.with_interceptor(diary.clone());
        client.call(|reply| Desk::Try { well: false, reply }).unwrap().unwrap_err();
        assert_eq!(diary.one().outcome, "answered with an error");
        client.start(|reply| Desk::Try { well: false, reply }).unwrap().wait().unwrap().unwrap_err();
        assert_eq!(diary.one().outcome, "answered with an error");
        client.start(|reply| Desk::Try { well: true, reply }).unwrap().wait().unwrap().unwrap();
        assert_eq!(diary.one().outcome, "done");
    }
}

/// Ways to send a note, and to ask.
type Notes = [fn(&Client<Desk<'static>>, &str); 4];
type Asks = [fn(&Client<Desk<'static>>) -> u64; 4];

#[test]
fn both_sides_tell_the_same_sizes() {
    let notes: Notes = [
        |client, text| client.send(Desk::Note { text }).map_err(|error| error.into_error()).unwrap(),
        |client, text| {
            let client = AsyncClient::from(client.clone());
            block_on(client.send(Desk::Note { text })).map_err(|error| error.into_error()).unwrap();
        },
        |client, text| {
            let mut batch = client.batch();
            batch.send(Desk::Note { text }).map_err(|error| error.into_error()).unwrap();
            batch.finish().unwrap();
        },
        |client, text| {
            let client = AsyncClient::from(client.clone());
            block_on(async {
                let mut batch = client.batch();
                batch.send(Desk::Note { text }).await.map_err(|error| error.into_error()).unwrap();
                batch.finish().await.unwrap();
            });
        },
    ];
    let asks: Asks = [
        |client| client.call(|reply| Desk::Ask { number: 1, reply }).unwrap(),
        |client| client.start(|reply| Desk::Ask { number: 1, reply }).unwrap().wait().unwrap(),
        |client| {
            let client = AsyncClient::from(client.clone());
            block_on(client.call(|reply| Desk::Ask { number: 1, reply })).unwrap()
        },
        |client| {
            let client = AsyncClient::from(client.clone());
            machipc::TraceContext::start(true)
                .enter(|| block_on(client.call(|reply| Desk::Ask { number: 1, reply })).unwrap())
        },
    ];
    everywhere(|client, _, at_host| {
        let at_client = Diary::default();
        let client = client.with_interceptor(at_client.clone());
        let same = || {
            let (ours, theirs) = (at_client.one(), at_host.one());
            assert_eq!(ours, theirs);
            assert_eq!(ours.size > 0, !client.is_local());
            ours
        };
        // The last one's payload goes out of line.
        for text in ["", "1", "12", "123", "1234", &"x".repeat(1000), &"x".repeat(300_000)] {
            for note in notes {
                note(&client, text);
                let told = same();
                assert!(
                    client.is_local() || told.size >= text.len().min(1000) || text.len() > 1000,
                    "{told:?}"
                );
            }
        }
        for ask in asks {
            assert_eq!(ask(&client), 2);
            let told = same();
            assert_eq!(told.reply_size > 0, !client.is_local(), "{told:?}");
        }
        client.call(|reply| Desk::Last { reply }).unwrap();
        same();
        let port = machipc::port::ReceiveRight::<u8>::new().unwrap();
        let (bytes, to) = (OolBuffer::new(100_000).unwrap(), port.make_send().unwrap());
        client.send(Desk::Load { bytes, to }).map_err(|error| error.into_error()).unwrap();
        let told = same();
        assert!(told.size < 1000, "what is out of line does not count: {told:?}");
    });
}

#[test]
fn a_message_that_is_discarded_is_told_as_that() {
    let (entered, in_handler) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let host = Host::<u64>::builder().unnamed().queue_limit(1);
    let host = host
        .bind(move |_: u64, _: &Context| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
        })
        .unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = Client::from_right(host.send_right().unwrap());
    client.send(0).unwrap();
    in_handler.recv_timeout(WATCHDOG).unwrap();
    client.send(1).unwrap();
    let diary = Diary::default();
    let client = client.when_full(WhenFull::DropNewest).with_interceptor(diary.clone());
    client.send(2).unwrap();
    assert_eq!(diary.one().outcome, "discarded: the host's queue was full");
    block_on(AsyncClient::from(client.clone()).send(3)).unwrap();
    assert_eq!(diary.one().outcome, "discarded: the host's queue was full");
    assert_eq!(client.dropped(), 2);
    (0..2).for_each(|_| release.send(()).unwrap());
}
