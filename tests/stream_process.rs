//! Streams between processes, and what becomes of them when a process dies.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many items go to the slow consumer.

mod typed_support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use machipc::{
    Context, Error, Host, MachMessage, Reply, SendError, SendRight, Sink, Source, StreamError, stream_with,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until, until_or};

#[machipc::endpoint("com.example.test.stream.process")]
enum Feed<'a> {
    /// Sends so many records, and says how they end.
    Records {
        count: u64,
        end: &'a str,
        out: Sink<Record>,
    },
    /// Takes records, and tells how many came as they should.
    Check {
        records: Source<Record>,
        reply: Reply<Checked>,
    },
    /// As `Check`, of all records but the first.
    CheckRest {
        records: Source<Record>,
        reply: Reply<Checked>,
    },
    /// As `CheckRest`, by another host.
    Pass {
        to: SendRight<Feed<'static>>,
        records: Source<Record>,
        reply: Reply<Checked>,
    },
    /// Records from the host, by a receive right that moves.
    Open {
        count: u64,
        reply: Reply<Source<Record>>,
    },
    /// How many items the host's sinks have sent, and what was said to the last that could not.
    Sent {
        reply: Reply<(u64, Option<String>)>,
    },
    Close,
}

#[derive(MachMessage, Debug, Clone, PartialEq)]
struct Record {
    number: u64,
    text: String,
    bytes: Vec<u8>,
}

#[derive(MachMessage, Debug, PartialEq)]
struct Checked {
    right: u64,
    end: String,
}

impl Record {
    fn nth(number: u64) -> Self {
        let bytes = (0..number % 200).map(|index| (number ^ index) as u8).collect();
        Self { number, text: format!("record {number}"), bytes }
    }
}

#[derive(Default)]
struct Sent {
    count: AtomicU64,
    refusal: std::sync::Mutex<Option<String>>,
}

fn produce(count: u64, end: &str, out: Sink<Record>, sent: &Sent) {
    for number in 0..count {
        if let Err(failed) = out.send(Record::nth(number)) {
            *sent.refusal.lock().unwrap() = Some(format!("{:?}", failed.error()));
            return;
        }
        sent.count.fetch_add(1, Ordering::Relaxed);
    }
    match end {
        "finish" => out.finish().unwrap(),
        "fail" => out.fail("out of records".to_owned()).unwrap(),
        "drop" => drop(out),
        other => panic!("unknown end {other}"),
    }
}

fn check(records: Source<Record>) -> Checked {
    let mut right = 0;
    for record in records {
        match record {
            Ok(record) if record == Record::nth(right) => right += 1,
            Ok(record) => return Checked { right, end: format!("{record:?}") },
            Err(error) => return Checked { right, end: format!("{error:?}") },
        }
    }
    Checked { right, end: "finished".to_owned() }
}

fn serve(name: &str) {
    let sent = Arc::new(Sent::default());
    let host =
        Host::<Feed>::builder().name(name).bind(move |message: Feed<'_>, cx: &Context| match message {
            Feed::Records { count, end, out } => {
                let (end, sent) = (end.to_owned(), sent.clone());
                thread::spawn(move || produce(count, &end, out, &sent));
            }
            Feed::Check { records, reply } => drop(thread::spawn(move || reply.send(check(records)))),
            Feed::CheckRest { records, reply } => drop(thread::spawn(move || {
                let (right, end) = check_from(1, records);
                reply.send(Checked { right, end: format!("{end:?}") })
            })),
            Feed::Pass { to, records, reply } => {
                // The first is taken here, the rest where it goes, so that some are on their way then.
                let mut records = records;
                assert_eq!(records.next(), Some(Ok(Record::nth(0))));
                machipc::Client::from_right(to).send(Feed::CheckRest { records, reply }).unwrap();
            }
            Feed::Open { count, reply } => {
                let (sink, source) = machipc::stream().unwrap();
                let sent = sent.clone();
                thread::spawn(move || produce(count, "finish", sink, &sent));
                reply.send(source).unwrap();
            }
            Feed::Sent { reply } => {
                let refusal = sent.refusal.lock().unwrap().clone();
                reply.send((sent.count.load(Ordering::Relaxed), refusal)).unwrap();
            }
            Feed::Close => cx.stop(),
        });
    host.unwrap().wait();
}

/// A host that shuts down while it has streams.
#[machipc::endpoint("com.example.test.stream.ending")]
enum Ending {
    /// Ten items, and then none for as long as the host runs.
    Quiet {
        out: Sink<u64>,
    },
    /// Items without end.
    Busy {
        out: Sink<u64>,
    },
    /// Ten items, and ten more once the host shuts down.
    Through {
        out: Sink<u64>,
    },
    /// Reads what comes, and tells how many items came and how that ended.
    Upload {
        items: Source<u64>,
        reply: Reply<(u64, String)>,
    },
    /// As `Upload`, through the shutdown.
    UploadThrough {
        items: Source<u64>,
        reply: Reply<(u64, String)>,
    },
    /// Takes a stream and reads none of it.
    Unread {
        items: Source<u64>,
    },
    Shutdown,
}

/// Whoever feeds a stream is told, wherever it is, and only then the process ends.
fn shut_down_with_streams(name: &str) {
    let threads = Mutex::<Vec<thread::JoinHandle<()>>>::default();
    // A host is stopping before it has ended its streams.
    let has_ended_streams = Arc::new(AtomicBool::new(false));
    let host = Host::<Ending>::builder().name(name);
    let stats = host.run(move |message: Ending, context: &Context| {
        let (cx, ended) = (context.clone(), has_ended_streams.clone());
        let stopped = |failed: &SendError<u64>| matches!(failed.error(), Error::StreamStopped { .. });
        let wait = move || until("the host is stopping", || cx.is_stopping());
        let ten = |out: &Sink<u64>| (0..10).for_each(|number| out.send(number).unwrap());
        let thread = match message {
            Ending::Quiet { out } => thread::spawn(move || {
                ten(&out);
                wait();
                until("the stream is stopped", || out.send(10).is_err_and(|failed| stopped(&failed)));
                assert!(matches!(out.finish(), Err(Error::StreamStopped { .. })));
            }),
            Ending::Busy { out } => thread::spawn(move || {
                let out = out.with_deadline(None);
                let send = || {
                    let failed = (0..).find_map(|number| out.send(number).err()).unwrap();
                    assert!(stopped(&failed), "{failed}");
                };
                // Both wait for room then.
                thread::scope(|scope| [(); 2].map(|()| drop(scope.spawn(send))));
            }),
            Ending::Through { out } => thread::spawn(move || {
                let out = out.through_shutdown();
                ten(&out);
                wait();
                ten(&out);
                out.finish().unwrap();
            }),
            Ending::Upload { items, reply } => thread::spawn(move || reply.send(read_all(items)).unwrap()),
            Ending::UploadThrough { items, reply } => {
                let items = items.through_shutdown();
                thread::spawn(move || reply.send(read_all(items)).unwrap())
            }
            Ending::Unread { mut items } => thread::spawn(move || {
                until("the streams have been ended", || ended.load(Ordering::Acquire));
                assert_eq!(
                    items.by_ref().take(100).find(Result::is_err),
                    Some(Err(StreamError::HostStopping))
                );
                assert!(items.is_ended());
            }),
            Ending::Shutdown => {
                context.shutdown(WATCHDOG);
                ended.store(true, Ordering::Release);
                let threads = std::mem::take(&mut *threads.lock().unwrap());
                return threads.into_iter().for_each(|thread| thread.join().unwrap());
            }
        };
        threads.lock().unwrap().push(thread);
    });
    assert_eq!(stats.unwrap().panics, 0);
}

fn read_all(items: Source<u64>) -> (u64, String) {
    let mut came = 0;
    for item in items {
        match item {
            Ok(number) if number == came => came += 1,
            other => return (came, format!("{other:?}")),
        }
    }
    (came, "finished".to_owned())
}

#[test]
fn a_host_that_shuts_down_ends_what_is_sent_to_it() {
    let name = unique("uploads");
    let peer = Peer::start("ending", &[&name]);
    let ending = EndingClient::from_client(machipc::Client::connect_to_timeout(&name, WATCHDOG).unwrap());
    let (quiet, quiet_sink) = ending.upload().unwrap();
    let (busy, busy_sink) = ending.upload().unwrap();
    let (through, through_sink) = ending.upload_through().unwrap();
    let unread = ending.unread().unwrap();
    (0..10).for_each(|number| quiet_sink.send(number).unwrap());
    (0..10).for_each(|number| through_sink.send(number).unwrap());
    let closed = |sink: Sink<u64>| {
        let sink = sink.with_deadline(None);
        let failed = (0..).find_map(|number| sink.send(number).err()).unwrap();
        assert!(matches!(failed.error(), Error::StreamClosed), "{failed}");
    };
    // One is read as it is sent, one waits for room.
    let producers = [busy_sink, unread].map(|sink| thread::spawn(move || closed(sink)));
    ending.shutdown().unwrap();
    // While the host runs still, for the sake of what goes on.
    assert_eq!(quiet.wait().unwrap(), (10, "Err(HostStopping)".to_owned()));
    let (came, end) = busy.wait().unwrap();
    assert_eq!(end, "Err(HostStopping)", "behind {came} items");
    until("the producer knows", || quiet_sink.is_closed());
    assert!(matches!(quiet_sink.finish(), Err(Error::StreamClosed)));
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    (10..20).for_each(|number| through_sink.send(number).unwrap());
    through_sink.finish().unwrap();
    assert_eq!(through.wait().unwrap(), (20, "finished".to_owned()));
    peer.finish();
}

#[test]
fn a_host_that_shuts_down_ends_its_streams() {
    let name = unique("ending");
    let peer = Peer::start("ending", &[&name]);
    let ending = EndingClient::from_client(machipc::Client::connect_to_timeout(&name, WATCHDOG).unwrap());
    let (mut quiet, mut through) = (ending.quiet().unwrap(), ending.through().unwrap());
    for number in 0..10 {
        assert_eq!((quiet.next(), through.next()), (Some(Ok(number)), Some(Ok(number))));
    }
    // Nobody reads it, and its producer waits for room.
    let mut busy = ending.busy().unwrap();
    assert_eq!(busy.next(), Some(Ok(0)));
    let (done, end) = mpsc::channel();
    // What its producer sent between the beginning of the shutdown and the end of the stream comes first.
    thread::spawn(move || done.send(quiet.find(|item| *item != Ok(10))));
    ending.shutdown().unwrap();
    assert_eq!(end.recv_timeout(WATCHDOG).unwrap(), Some(Err(StreamError::HostStopping)));
    // It ends only when all producers know.
    peer.finish();
    let last = busy.by_ref().take(2 * 66).find(Result::is_err);
    assert_eq!((last, busy.next()), (Some(Err(StreamError::HostStopping)), None));
    let rest = through.collect::<Result<Vec<_>, _>>();
    assert_eq!(rest, Ok((0..10).collect()));
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    match role.as_str() {
        "host" => serve(&arguments[0]),
        "ending" => shut_down_with_streams(&arguments[0]),
        "consumer" => {
            let feed = FeedClient::connect_timeout_to(&arguments[0]);
            let mut records = feed.records(u64::MAX, "finish").unwrap();
            for number in 0..10 {
                assert_eq!(records.next(), Some(Ok(Record::nth(number))));
            }
            // Taking nothing more, until it is killed.
            loop {
                thread::park();
            }
        }
        other => panic!("unknown role {other}"),
    }
}

trait Connect {
    fn connect_timeout_to(name: &str) -> Self;
}

impl Connect for FeedClient {
    fn connect_timeout_to(name: &str) -> Self {
        FeedClient::from_client(machipc::Client::connect_to_timeout(name, WATCHDOG).unwrap())
    }
}

fn host(tag: &str) -> (Peer, FeedClient, String) {
    let name = unique(tag);
    let peer = Peer::start("host", &[&name]);
    (peer, FeedClient::connect_timeout_to(&name), name)
}

/// Resident bytes of a process, where the system tells.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[test]
fn a_slow_consumer_gets_all_in_order_and_holds_up_the_producer() {
    const GROWTH: u64 = 16 << 20;
    // A sanitizer takes ten times as long.
    let usual = if cfg!(machipc_sanitizer) { 100_000 } else { 1_000_000 };
    let count = std::env::var("MACHIPC_TEST_ROUNDS").map_or(usual, |text| text.parse().unwrap());
    let (peer, feed, _) = host("slow");
    let held = || [std::process::id(), peer.pid()].map(resident);
    let mut records = feed.records(count, "finish").unwrap();
    let (mut before, mut most) = (held(), held());
    let (mut bytes, mut ahead) = (0, 0);
    for number in 0..count {
        let record = records.next().expect("a record").expect("not the end");
        assert_eq!(record, Record::nth(number));
        bytes += record.bytes.len() + record.text.len();
        // Slow: every now and then it stops until the producer has filled the window and waits.
        if number % (count / 50).max(1) == 0 {
            thread::sleep(Duration::from_millis(5));
            ahead = ahead.max(feed.sent().unwrap().0 - number);
            if number == count / 50 {
                before = held();
            }
            for (most, now) in most.iter_mut().zip(held()) {
                *most = (*most).max(now);
            }
        }
    }
    assert_eq!(records.next(), None);
    // The window, and one that waits for room.
    assert!(ahead <= 66, "the producer was {ahead} items ahead");
    for (before, most) in before.into_iter().zip(most) {
        if let (Some(before), Some(most)) = (before, most) {
            println!("{count} items, {bytes} bytes, {before} bytes resident before, {most} at most");
            // What is freed a sanitizer keeps.
            assert!(
                cfg!(machipc_sanitizer) || most < before + GROWTH,
                "{before} bytes resident before, then {most}"
            );
        }
    }
    feed.close().unwrap();
    peer.finish();
}

#[test]
fn every_end_comes_across() {
    let (peer, feed, _) = host("ends");
    let ended = |end: &str| check(feed.records(300, end).unwrap());
    assert_eq!(ended("finish"), Checked { right: 300, end: "finished".to_owned() });
    assert_eq!(ended("fail"), Checked { right: 300, end: "Failed(\"out of records\")".to_owned() });
    assert_eq!(ended("drop"), Checked { right: 300, end: "ProducerGone".to_owned() });

    // A window of one, either way.
    let finished = || Checked { right: 300, end: "finished".to_owned() };
    let (out, records) = stream_with(1).unwrap();
    feed.client().send(Feed::Records { count: 300, end: "finish", out }).unwrap();
    assert_eq!(check(records), finished());
    let (sink, records) = stream_with(1).unwrap();
    let checked = feed.client().start(|reply| Feed::Check { records, reply }).unwrap();
    produce(300, "finish", sink, &Sent::default());
    assert_eq!(checked.wait().unwrap(), finished());
    feed.close().unwrap();
    peer.finish();
}

#[test]
fn a_stream_goes_from_client_to_host_and_on_to_another() {
    let (peer, feed, _) = host("upload");
    let (other_peer, other, other_name) = host("upload.other");
    let upload = |sink: Sink<Record>, end: &'static str| {
        thread::spawn(move || produce(500, end, sink, &Sent::default()));
    };
    for (end, told) in
        [("finish", "finished"), ("fail", "Failed(\"out of records\")"), ("drop", "ProducerGone")]
    {
        let (checked, sink) = feed.check().unwrap();
        upload(sink, end);
        assert_eq!(checked.wait().unwrap(), Checked { right: 500, end: told.to_owned() });
    }
    // By a receive right that moves with what is queued, from here to the host and from there to another.
    assert_eq!(check(feed.open(500).unwrap()), Checked { right: 500, end: "finished".to_owned() });
    let right = machipc::port::bootstrap::look_up::<Feed<'static>>(&other_name).unwrap();
    let (checked, sink) = feed.pass(right).unwrap();
    upload(sink, "finish");
    assert_eq!(checked.wait().unwrap(), Checked { right: 500, end: "None".to_owned() });
    for (peer, feed) in [(peer, feed), (other_peer, other)] {
        feed.close().unwrap();
        peer.finish();
    }
}

#[test]
fn a_producer_that_is_killed_ends_the_stream_behind_what_it_sent() {
    let (mut peer, feed, _) = host("killed");
    let mut records = feed.records(u64::MAX, "finish").unwrap();
    for number in 0..100 {
        assert_eq!(records.next(), Some(Ok(Record::nth(number))));
    }
    peer.kill();
    let (done, end) = mpsc::channel();
    thread::spawn(move || done.send(check_from(100, records)));
    let (right, end) = end.recv_timeout(WATCHDOG).expect("the stream ends");
    assert_eq!(end, Some(StreamError::ProducerGone));
    assert!(right <= 100 + 66, "{right} records of a producer that was held up");
}

/// As [`check`], where some have been taken.
fn check_from(first: u64, mut records: Source<Record>) -> (u64, Option<StreamError>) {
    let mut number = first;
    loop {
        match records.next() {
            Some(Ok(record)) => assert_eq!(record, Record::nth(number)),
            Some(Err(error)) => return (number, Some(error)),
            None => return (number, None),
        }
        number += 1;
    }
}

#[test]
fn a_consumer_that_is_killed_or_goes_stops_the_producer() {
    let (peer, feed, name) = host("unread");
    let mut consumer = Peer::start("consumer", &[&name]);
    // The window is full, and the producer waits.
    until("the producer is held up", || feed.sent().unwrap().0 >= 64);
    consumer.kill();
    until_or("the producer learns of it", || {
        let (_, refusal) = feed.sent().unwrap();
        (refusal.as_deref() == Some("StreamClosed"), format!("{refusal:?}"))
    });

    let (checked, sink) = feed.check().unwrap();
    sink.send(Record::nth(0)).unwrap();
    let mut peer = peer;
    peer.kill();
    until("the sink sees that the host has died", || sink.is_closed());
    assert!(matches!(sink.send(Record::nth(1)).unwrap_err().error(), Error::StreamClosed));
    assert!(matches!(checked.wait(), Err(Error::HostDied { .. })));
}
