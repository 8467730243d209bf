//! Hooks around messages, on both sides.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::{ThreadPool, block_on};
use machipc::{
    AsyncClient, Client, Context, Counters, Denial, Error, Host, Interceptor, MessageInfo, Outcome,
    Permission, Reply, Side, Spans,
};
use typed_support::hosts::both_ways;
use typed_support::{unique, until};

#[machipc::endpoint("com.example.test.interceptors")]
enum Desk<'a> {
    Note { text: &'a str },
    Ask { number: u64, reply: Reply<u64> },
    Panic { reply: Reply<u64> },
}

fn handle(message: Desk<'_>, _: &Context) {
    match message {
        Desk::Note { text } => assert!(!text.is_empty()),
        Desk::Ask { number, reply } => drop(reply.send(number + 1)),
        Desk::Panic { .. } => panic!("as the test wants it"),
    }
}

/// What an interceptor is told, in words.
#[derive(Clone, Default)]
struct Diary {
    name: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
    denies: Option<&'static str>,
}

impl Diary {
    fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn write(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    fn with(&self, name: &'static str) -> Self {
        Self { name, ..self.clone() }
    }
}

impl Interceptor for Diary {
    fn before(&self, message: &MessageInfo) -> Result<(), Denial> {
        let (name, what) = (self.name, message.name().unwrap_or("?"));
        self.write(format!("{name} before {what}"));
        match self.denies {
            Some(denied) if denied == what => Err(Denial::new(format!("no {what} here"))),
            _ => Ok(()),
        }
    }

    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, _: Duration) {
        let (name, what) = (self.name, message.name().unwrap_or("?"));
        self.write(format!("{name} after {what}: {outcome}"));
    }
}

#[test]
fn a_host_tells_of_every_message() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    #[derive(Clone)]
    struct Facts(Arc<Mutex<Vec<MessageFacts>>>);
    #[derive(Debug, PartialEq)]
    struct MessageFacts {
        name: Option<&'static str>,
        pid: Option<u32>,
        request: bool,
        local: bool,
        sized: bool,
    }
    impl Interceptor for Facts {
        fn after(&self, message: &MessageInfo, _: &Outcome<'_>, _: Duration) {
            assert_eq!((message.side(), message.endpoint()), (Side::Host, "(unnamed)"));
            self.0.lock().unwrap().push(MessageFacts {
                name: message.name(),
                pid: message.peer().map(|peer| peer.pid()),
                request: message.is_request(),
                local: message.is_local(),
                sized: message.size() > 0,
            });
        }
    }
    let host = Host::<Desk>::builder().unnamed().intercept(Facts(seen.clone())).bind(handle).unwrap();
    for client in both_ways(&host) {
        let local = client.is_local();
        client.send(Desk::Note { text: "a text" }).map_err(|error| error.to_string()).unwrap();
        assert_eq!(client.call(|reply| Desk::Ask { number: 4, reply }).unwrap(), 5);
        let error = client.call(|reply| Desk::Panic { reply }).unwrap_err();
        assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
        until("the third message is told of", || seen.lock().unwrap().len() == 3);
        let fact = |name, request| MessageFacts {
            name: Some(name),
            pid: Some(std::process::id()),
            request,
            local,
            sized: !local,
        };
        let told = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(told, [fact("Note", false), fact("Ask", true), fact("Panic", true)]);
    }
}

#[test]
fn interceptors_are_asked_in_order_and_told_in_reverse() {
    let first = Diary::new("first");
    let second = Diary { denies: Some("Note"), ..first.with("second") };
    let third = first.with("third");
    let host = Host::<Desk>::builder().unnamed();
    let host = host.intercept(first.clone()).intercept(second).intercept(third).bind(handle).unwrap();
    for client in both_ways(&host) {
        client.call(|reply| Desk::Ask { number: 1, reply }).unwrap();
        until("all are told", || first.lines.lock().unwrap().len() == 6);
        let wanted = [
            "first before Ask",
            "second before Ask",
            "third before Ask",
            "third after Ask: done",
            "second after Ask: done",
            "first after Ask: done",
        ];
        assert_eq!(first.take(), wanted);

        let _ = client.send(Desk::Note { text: "unwanted" });
        until("those that were asked are told", || first.lines.lock().unwrap().len() == 3);
        let wanted = ["first before Note", "second before Note", "first after Note: refused: no Note here"];
        assert_eq!(first.take(), wanted);
    }
}

#[test]
fn a_permission_is_asked_before_the_handler() {
    let permission = Permission::new(|message| match message.name() {
        Some("Ask") => Err(Denial::new("nobody may ask")),
        Some("Panic") => panic!("as the test wants it"),
        _ => Ok(()),
    });
    let host = Host::<Desk>::builder().unnamed().intercept(permission).bind(handle).unwrap();
    for client in both_ways(&host) {
        let error = client.call(|reply| Desk::Ask { number: 1, reply }).unwrap_err();
        assert!(matches!(&error, Error::Denied { reason, .. } if reason == "nobody may ask"), "{error}");
        let error = client.call(|reply| Desk::Panic { reply }).unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "a permission that panics is none: {error}");
        client.send(Desk::Note { text: "a text" }).map_err(|error| error.to_string()).unwrap();
    }
    until("the note is handled", || host.stats().handled == 1);
    assert_eq!((host.stats().denied, host.stats().panics), (4, 0));
}

#[test]
fn what_is_refused_is_told_of() {
    #[derive(machipc::MachMessage)]
    struct Other(u64);
    let diary = Diary::new("host");
    let name = unique("refused");
    let host = Host::<Desk>::builder().name(&name).intercept(diary.clone()).bind(handle).unwrap();
    let right = host.send_right().unwrap();
    let other = Client::<Other>::from_right(right.cast());
    other.send(Other(1)).map_err(|error| error.to_string()).unwrap();
    until("the refusal is told of", || diary.lines.lock().unwrap().len() == 2);
    let lines = diary.take();
    assert!(lines[1].starts_with("host after ?: refused: "), "{lines:?}");
    assert_eq!(host.stats().foreign, 1);
}

#[test]
fn an_asynchronous_host_tells_too() {
    let diary = Diary::new("host");
    let pool = ThreadPool::new().unwrap();
    let host = Host::<String>::builder()
        .unnamed()
        .intercept(diary.clone())
        .serve_async_on(
            move |task| pool.spawn_ok(task),
            |text: String, _: Context| async move { assert_ne!(text, "bad", "as the test wants it") },
        )
        .unwrap();
    let client = host.client();
    for text in ["good", "bad"] {
        client.send(text.to_owned()).unwrap();
        until("it is told of", || diary.lines.lock().unwrap().len() == 2);
        let outcome = if text == "good" { "done" } else { "the handler panicked" };
        assert_eq!(diary.take(), ["host before ?".to_owned(), format!("host after ?: {outcome}")]);
    }
}

#[test]
fn counters_count_by_name() {
    let counters = Arc::new(Counters::default());
    let host = Host::<Desk>::builder().unnamed().intercept(counters.clone()).bind(handle).unwrap();
    for client in both_ways(&host) {
        for number in 0..10 {
            client.call(|reply| Desk::Ask { number, reply }).unwrap();
        }
        let _ = client.call(|reply| Desk::Panic { reply });
    }
    until("all are counted", || {
        let counts = counters.read();
        counts
            .iter()
            .map(|(name, count)| (*name, count.done, count.failed))
            .eq([("Ask", 20, 0), ("Panic", 0, 2)])
    });
    assert!(
        counters.read().iter().all(|(_, count)| count.took.iter().sum::<u64>() == count.done + count.failed)
    );
}

/// What a client with interceptors and one of its calls tell, on both ways.
fn told_by(client: &Client<Desk<'static>>, send: impl Fn(&Client<Desk<'static>>)) -> Vec<String> {
    let diary = Diary::new("client");
    send(&client.with_interceptor(diary.clone()));
    diary.take()
}

#[test]
fn a_client_tells_of_every_message() {
    let host = Host::<Desk>::builder().unnamed().bind(handle).unwrap();
    for client in both_ways(&host) {
        let sent = told_by(&client, |client| {
            client.send(Desk::Note { text: "a text" }).map_err(|error| error.to_string()).unwrap();
        });
        assert_eq!(sent, ["client before Note", "client after Note: done"]);
        let answered = ["client before Ask", "client after Ask: done"];
        let called = told_by(&client, |client| {
            assert_eq!(client.call(|reply| Desk::Ask { number: 1, reply }).unwrap(), 2);
        });
        assert_eq!(called, answered);
        let started = told_by(&client, |client| {
            assert_eq!(client.start(|reply| Desk::Ask { number: 1, reply }).unwrap().wait().unwrap(), 2);
        });
        assert_eq!(started, answered);
        let awaited = told_by(&client, |client| {
            let client = AsyncClient::from(client.clone());
            assert_eq!(block_on(client.call(|reply| Desk::Ask { number: 1, reply })).unwrap(), 2);
        });
        assert_eq!(awaited, answered);
        let awaited = told_by(&client, |client| {
            let client = AsyncClient::from(client.clone());
            block_on(client.send(Desk::Note { text: "a text" })).map_err(|error| error.to_string()).unwrap();
        });
        assert_eq!(awaited, sent);
        let batched = told_by(&client, |client| {
            let mut batch = client.batch();
            batch.send(Desk::Note { text: "a text" }).map_err(|error| error.to_string()).unwrap();
            batch.finish().unwrap();
        });
        assert_eq!(batched, sent);
        let failed = told_by(&client, |client| {
            client.call(|reply| Desk::Panic { reply }).unwrap_err();
        });
        assert!(failed[1].starts_with("client after Panic: failed: "), "{failed:?}");
    }
}

#[test]
fn a_call_that_is_given_up_is_cancelled() {
    let host = Host::<Desk>::builder().unnamed();
    // Nobody is answered before the end.
    let kept = Mutex::new(Vec::new());
    let host = host
        .bind(move |message: Desk<'_>, _: &Context| {
            if let Desk::Ask { reply, .. } = message {
                kept.lock().unwrap().push(reply);
            }
        })
        .unwrap();
    for client in both_ways(&host) {
        let told = told_by(&client, |client| {
            drop(client.start(|reply| Desk::Ask { number: 1, reply }).unwrap());
        });
        assert_eq!(told, ["client before Ask", "client after Ask: cancelled"]);
    }
}

#[test]
fn a_client_may_deny_itself_a_message() {
    let host = Host::<Desk>::builder().unnamed().bind(handle).unwrap();
    for client in both_ways(&host) {
        let never = client.with_interceptor(Diary { denies: Some("Note"), ..Diary::new("client") });
        let error =
            never.send(Desk::Note { text: "a text" }).map_err(|failed| failed.into_error()).unwrap_err();
        assert!(matches!(&error, Error::Denied { reason, .. } if reason == "no Note here"), "{error}");
        let never = client.with_interceptor(Diary { denies: Some("Ask"), ..Diary::new("client") });
        let denied = |error| assert!(matches!(error, Error::Denied { .. }), "{error}");
        denied(never.call(|reply| Desk::Ask { number: 1, reply }).unwrap_err());
        denied(never.start(|reply| Desk::Ask { number: 1, reply }).map(drop).unwrap_err());
        denied(block_on(AsyncClient::from(never).call(|reply| Desk::Ask { number: 1, reply })).unwrap_err());
    }
    assert_eq!(host.stats().handled, 0);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_enclose_handlers_and_say_how_they_ended() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    // Of this thread: the short cut's, which everything happens on.
    tracing::subscriber::with_default(subscriber, || {
        let host = Host::<Desk>::builder()
            .unnamed()
            .intercept(Spans)
            .bind(|message: Desk<'_>, cx: &Context| {
                tracing::info!("at work");
                handle(message, cx);
            })
            .unwrap();
        let client = host.client().with_interceptor(Spans);
        client.call(|reply| Desk::Ask { number: 1, reply }).unwrap();
        client.call(|reply| Desk::Panic { reply }).unwrap_err();
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = |words: &[&str]| {
        assert!(
            text.lines().any(|line| words.iter().all(|word| line.contains(word))),
            "{words:?} in\n{text}"
        );
    };
    line(&["send{otel.kind=\"client\"", ":handle{otel.kind=\"server\"", "rpc.method=\"Ask\"", "at work"]);
    line(&["handle{", "rpc.method=\"Ask\"", "close", "otel.status_code=\"OK\""]);
    line(&[
        "handle{",
        "rpc.method=\"Panic\"",
        "close",
        "otel.status_code=\"ERROR\"",
        "error.message=the handler panicked",
    ]);
    line(&["send{", "rpc.method=\"Panic\"", "close", "otel.status_code=\"ERROR\""]);
}
