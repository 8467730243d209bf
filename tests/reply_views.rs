//! Answers that are sent from where they lie and read where they were received.

mod typed_support;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use machipc::{
    Client, ConnectOptions, Context, Error, Host, Interceptor, MachMessage, MessageInfo, Outcome, Reconnect,
    Reply, ReplyView, registry,
};
use typed_support::hosts::both_ways;
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique};

/// How a host answers.
const VALUE: u8 = 0;
const VIEW: u8 = 1;
const VALUE_ON_RETURN: u8 = 2;
const VIEW_ON_RETURN: u8 = 3;
const DROPPED: u8 = 4;

#[machipc::endpoint("com.example.test.views")]
enum Library<'a> {
    /// What is kept under a name.
    Read { how: u8, name: &'a str, reply: Reply<Option<Vec<u8>>> },
    /// So many bytes, all alike.
    Fill { how: u8, byte: u8, len: usize, reply: Reply<Vec<u8>> },
    /// Several things at once.
    Find { how: u8, number: u64, reply: Reply<Result<Found, String>> },
    /// A message of the program's own.
    Page { how: u8, number: u32, reply: Reply<Page> },
}

type Found = (PathBuf, OsString, [u64; 2], Vec<f32>);
type FoundView<'a> = (&'a Path, &'a OsStr, &'a [u64; 2], &'a [f32]);

#[machipc::pod]
#[derive(Debug, Clone, PartialEq)]
struct Place {
    row: u32,
    shelf: u32,
}

#[derive(Debug, Clone, PartialEq, MachMessage)]
struct Page {
    number: u32,
    text: String,
    places: Vec<Place>,
}

#[derive(Debug, PartialEq, MachMessage)]
struct PageView<'a> {
    number: u32,
    text: &'a str,
    places: &'a [Place],
}

impl ReplyView for Page {
    type View<'a> = PageView<'a>;

    fn view(&self) -> PageView<'_> {
        PageView { number: self.number, text: &self.text, places: &self.places }
    }

    fn into_owned(view: PageView<'_>) -> Self {
        Self { number: view.number, text: view.text.to_owned(), places: view.places.to_vec() }
    }
}

fn found(number: u64) -> Result<Found, String> {
    match number {
        0 => Err("nothing has the number 0".to_owned()),
        number => Ok((PathBuf::from("/a/path"), OsString::from("a name"), [number; 2], vec![0.5; 7])),
    }
}

fn page(number: u32) -> Page {
    Page { number, text: "words".repeat(number as usize), places: vec![Place { row: number, shelf: 2 }; 3] }
}

/// Sends what is kept, in each way that there is.
fn answer<T: ReplyView + Clone>(reply: Reply<T>, how: u8, kept: &T) -> Result<(), Error> {
    match how {
        VALUE => reply.send(kept.clone()),
        VIEW => reply.send_view(kept.view()),
        VALUE_ON_RETURN => reply.send_on_return(kept.clone()),
        VIEW_ON_RETURN => reply.send_view_on_return(kept.view()),
        _ => {
            drop(reply);
            Ok(())
        }
    }
}

fn serve(name: &str) -> Host<Library<'static>> {
    let kept = BTreeMap::from([("short".to_owned(), b"bytes".to_vec()), ("empty".to_owned(), Vec::new())]);
    let handler = move |message: Library<'_>, _: &Context| {
        let answered = match message {
            Library::Read { how: VIEW, name, reply } => reply.send_view(kept.get(name).map(Vec::as_slice)),
            Library::Read { how, name, reply } => answer(reply, how, &kept.get(name).cloned()),
            Library::Fill { how, byte, len, reply } => answer(reply, how, &vec![byte; len]),
            Library::Find { how, number, reply } => answer(reply, how, &found(number)),
            Library::Page { how, number, reply } => answer(reply, how, &page(number)),
        };
        answered.expect("the caller waits");
    };
    Host::<Library>::builder().name(name).bind(handler).expect("a new name")
}

#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    assert_eq!(role, "host");
    serve(&arguments[0]).wait();
}

/// Whichever side has a view, the other gets the same.
fn reads_as_it_was_sent(client: &Client<Library<'static>>) {
    for how in [VALUE, VIEW, VALUE_ON_RETURN, VIEW_ON_RETURN] {
        for (name, bytes) in [("short", Some(&b"bytes"[..])), ("empty", Some(&[])), ("none", None)] {
            let value = client.call(|reply| Library::Read { how, name, reply }).unwrap();
            assert_eq!(value.as_deref(), bytes);
            let look = |seen: Option<&[u8]>| assert_eq!(seen, bytes);
            client.call_view(|reply| Library::Read { how, name, reply }, look).unwrap();
        }
        // In the message, in parts beside it, out of line, and in pieces.
        for len in [0, 1, 4_096, 16_384, 65_536, 70_000, 1 << 20] {
            let byte = len as u8 ^ how;
            let value = client.call(|reply| Library::Fill { how, byte, len, reply }).unwrap();
            assert_eq!(value, vec![byte; len]);
            let look = |bytes: &[u8]| (bytes.len(), bytes.iter().all(|&seen| seen == byte));
            let seen = client.call_view(|reply| Library::Fill { how, byte, len, reply }, look).unwrap();
            assert_eq!(seen, (len, true));
        }
        for number in 0..3 {
            let value = client.call(|reply| Library::Find { how, number, reply }).unwrap();
            assert_eq!(value, found(number));
            let look = |seen: Result<FoundView<'_>, &str>| {
                assert_eq!(seen, value.view());
                Result::<Found, String>::into_owned(seen)
            };
            let seen = client.call_view(|reply| Library::Find { how, number, reply }, look).unwrap();
            assert_eq!(seen, value);
        }
        let value = client.call(|reply| Library::Page { how, number: 4, reply }).unwrap();
        assert_eq!(value, page(4));
        let look = |seen: PageView<'_>| assert_eq!(seen, page(4).view());
        client.call_view(|reply| Library::Page { how, number: 4, reply }, look).unwrap();
    }
}

#[test]
fn a_view_on_either_side_is_what_was_sent() {
    let host = serve(&unique("views"));
    both_ways(&host).iter().for_each(reads_as_it_was_sent);
}

#[test]
fn views_cross_processes() {
    registry::set_lookup_enabled(false);
    let name = unique("views-process");
    let _host = Peer::start("host", &[&name]);
    let options = ConnectOptions::new().name(&name).wait(WATCHDOG);
    reads_as_it_was_sent(&Client::connect_with(&options).unwrap());
}

#[test]
fn whoever_looks_may_call() {
    let host = serve(&unique("views-nested"));
    for client in both_ways(&host) {
        let inner = |byte| {
            let ask = |reply| Library::Fill { how: VIEW, byte, len: 5_000, reply };
            client.call_view(ask, |bytes| bytes.to_vec()).unwrap()
        };
        let ask = |reply| Library::Fill { how: VIEW, byte: 1, len: 5_000, reply };
        let (own, other) = client
            .call_view(ask, |bytes| {
                let other = inner(2);
                // Nobody has written over what is looked at.
                (bytes.to_vec(), other)
            })
            .unwrap();
        assert_eq!((own, other), (vec![1; 5_000], vec![2; 5_000]));
        // Neither has been left in a state that the next call would mind.
        assert_eq!(inner(3), vec![3; 5_000]);
    }
}

#[test]
fn a_panic_of_who_looks_harms_no_later_call() {
    let host = serve(&unique("views-panic"));
    for client in both_ways(&host) {
        let ask = |reply| Library::Fill { how: VIEW, byte: 1, len: 100, reply };
        let look = |_: &[u8]| std::panic::resume_unwind(Box::new("on purpose"));
        let panics =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.call_view::<_, ()>(ask, look)));
        assert!(panics.is_err());
        reads_as_it_was_sent(&client);
    }
}

#[test]
fn what_is_no_answer_is_not_looked_at() {
    let host = serve(&unique("views-dropped"));
    for client in both_ways(&host) {
        let look = |_: &[u8]| panic!("there is nothing to look at");
        let ask = |reply| Library::Fill { how: DROPPED, byte: 0, len: 0, reply };
        let error = client.call_view::<_, ()>(ask, look).unwrap_err();
        assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
        let client = client.with_deadline(Duration::ZERO);
        let error = client.call_view::<_, ()>(ask, look).unwrap_err();
        assert!(matches!(error, Error::DeadlineExceeded { .. } | Error::ReplyDropped { .. }), "{error}");
    }
}

#[test]
fn a_client_that_reconnects_looks_at_the_next_hosts_answer() {
    registry::set_lookup_enabled(false);
    let name = unique("views-reconnect");
    let host = serve(&name);
    let options =
        ConnectOptions::new().name(&name).wait(WATCHDOG).reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let client = Client::<Library>::connect_with(&options).unwrap();
    reads_as_it_was_sent(&client);
    drop(host);
    let _host = serve(&name);
    let ask = |reply| Library::Fill { how: VIEW, byte: 1, len: 100, reply };
    assert_eq!(client.call_view(ask, <[u8]>::len).unwrap(), 100);
    reads_as_it_was_sent(&client);
}

/// An answer that cannot be made of its view.
#[derive(Debug, Clone, MachMessage)]
struct Unmade(u8);

impl ReplyView for Unmade {
    type View<'a> = &'a u8;

    fn view(&self) -> &u8 {
        &self.0
    }

    fn into_owned(_: &u8) -> Self {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_view_that_becomes_no_value_leaves_no_caller_waiting() {
    let handler = |(reply,): (Reply<Unmade>,), _: &Context| drop(reply.send_view(&1));
    let host = Host::<(Reply<Unmade>,)>::builder().name(unique("views-unmade")).bind(handler).unwrap();
    // Without a deadline: it would hang if nothing came.
    let error = host.client().with_deadline(None).call(|reply| (reply,)).unwrap_err();
    assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
}

/// Writes down how messages ended, and how large their answers were.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<(String, usize)>>>);

impl Interceptor for Diary {
    fn after(&self, message: &MessageInfo, outcome: &Outcome<'_>, _: Duration) {
        self.0.lock().unwrap().push((format!("{outcome:?}"), message.reply_size()));
    }
}

#[test]
fn interceptors_are_told_the_same_of_values_and_of_views() {
    let (at_host, at_client) = (Diary::default(), Diary::default());
    let host = Host::<Library>::builder()
        .name(unique("views-interceptors"))
        .intercept(at_host.clone())
        .bind(|message: Library<'_>, _: &Context| {
            let Library::Find { how, number, reply } = message else { panic!("another message") };
            answer(reply, how, &found(number)).expect("the caller waits");
        })
        .unwrap();
    for client in both_ways(&host) {
        let client = client.with_interceptor(at_client.clone());
        let mut told = Vec::new();
        for how in [VALUE, VIEW] {
            for number in [1, 0] {
                client.call(|reply| Library::Find { how, number, reply }).unwrap().ok();
                client.call_view(|reply| Library::Find { how, number, reply }, |_| ()).unwrap();
            }
            // The host writes after its answer has gone.
            typed_support::until("the host has told", || at_host.0.lock().unwrap().len() == 4);
            told.push([&at_host, &at_client].map(|diary| std::mem::take(&mut *diary.0.lock().unwrap())));
        }
        assert_eq!(told[0], told[1]);
        for diary in &told[0] {
            let [done, same, failed, still] = &diary[..] else { panic!("{diary:?}") };
            assert!(done == same && failed == still, "{diary:?}");
            assert_eq!((&*done.0, &*failed.0), ("Done", "AnsweredErr"));
            assert_eq!(done.1 > failed.1, !client.is_local(), "sizes are those of messages");
        }
    }
}
