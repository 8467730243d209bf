//! Streams: order, back-pressure, every way to end, within a process and between two.

mod typed_support;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use machipc::message::PLAIN_ID;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight};
use machipc::{
    Context, Error, Host, MachMessage, Reply, Sink, Source, StreamError, registry, stream, stream_with,
};
use typed_support::{WATCHDOG, unique};

/// Why a stream ended.
#[derive(MachMessage, Debug, Clone, PartialEq)]
struct Broken {
    at: u64,
}

/// Runs what may block, under the watchdog.
#[track_caller]
fn promptly<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    wait.recv_timeout(WATCHDOG).unwrap_or_else(|_| panic!("it hangs: {what}"))
}

#[test]
fn items_come_in_order_and_then_the_end() {
    let (sink, source) = stream::<String>().unwrap();
    let producer = thread::spawn(move || {
        for number in 0..500 {
            sink.send(number.to_string()).unwrap();
        }
        sink.finish().unwrap();
    });
    for (number, item) in (0..).zip(source) {
        assert_eq!(item.unwrap(), number.to_string());
        assert!(number < 500);
    }
    producer.join().unwrap();
}

#[test]
fn the_window_bounds_what_is_under_way() {
    let (sink, mut source) = stream_with::<u32, String>(3).unwrap();
    for number in 0..3 {
        sink.try_send(number).unwrap();
    }
    let full = sink.try_send(3).unwrap_err();
    assert!(matches!(full.error(), Error::StreamFull { after: Duration::ZERO }), "{full}");
    assert_eq!(full.into_message(), 3);
    let sink = sink.with_deadline(Duration::from_millis(10));
    assert!(matches!(sink.send(3).unwrap_err().error(), Error::StreamFull { .. }));

    assert_eq!(source.next(), Some(Ok(0)));
    sink.try_send(3).unwrap();
    source.set_window(5).unwrap();
    sink.try_send(4).unwrap();
    sink.try_send(5).unwrap();
    assert!(sink.try_send(6).is_err());
    // The last word needs no room.
    sink.finish().unwrap();
    assert_eq!(source.by_ref().collect::<Result<Vec<_>, _>>(), Ok(vec![1, 2, 3, 4, 5]));
    assert!(source.is_ended());
    assert_eq!(source.next(), None);
}

#[test]
fn a_sink_that_waits_goes_on_when_an_item_is_taken() {
    promptly("a sink that waits for room", || {
        let (sink, mut source) = stream_with::<u32, String>(1).unwrap();
        sink.send(0).unwrap();
        let producer = thread::spawn(move || sink.with_deadline(None).send(1).map(drop));
        assert_eq!(source.next(), Some(Ok(0)));
        producer.join().unwrap().unwrap();
        assert_eq!(source.next(), Some(Ok(1)));
        assert_eq!(source.next(), Some(Err(StreamError::ProducerGone)));
    });
}

#[test]
fn every_end_is_told_behind_the_last_item() {
    promptly("the ends of streams", || {
        type End = fn(Sink<u32, Broken>);
        let ends: [(End, Option<StreamError<Broken>>); 4] = [
            (|sink| sink.finish().unwrap(), None),
            (|sink| sink.fail(Broken { at: 7 }).unwrap(), Some(StreamError::Failed(Broken { at: 7 }))),
            (drop, Some(StreamError::ProducerGone)),
            (
                |sink| {
                    let panicked = thread::spawn(move || {
                        let _sink = sink;
                        panic!("on purpose");
                    });
                    assert!(panicked.join().is_err());
                },
                Some(StreamError::ProducerGone),
            ),
        ];
        for (end, expected) in ends {
            let (sink, mut source) = stream_with::<u32, Broken>(4).unwrap();
            for number in 0..4 {
                sink.send(number).unwrap();
            }
            end(sink);
            for number in 0..4 {
                assert_eq!(source.next(), Some(Ok(number)));
            }
            assert_eq!(source.next(), expected.map(Err));
            assert_eq!(source.next(), None);
            assert_eq!(source.next_timeout(Duration::ZERO), None);
        }
    });
}

#[test]
fn a_sink_sees_at_once_that_nobody_reads() {
    promptly("a sink whose source is gone", || {
        let (sink, source) = stream::<String>().unwrap();
        assert!(!sink.is_closed());
        drop(source);
        assert!(sink.is_closed());
        let refused = sink.send("unread".to_owned()).unwrap_err();
        assert!(matches!(refused.error(), Error::StreamClosed), "{refused}");
        assert_eq!(refused.into_message(), "unread");
        let finished = sink.finish();
        assert!(matches!(finished, Err(Error::StreamClosed)), "{finished:?}");

        // One that waits for room waits no longer, and the next one fails.
        let (sink, source) = stream_with::<u32, Broken>(1).unwrap();
        let sink = sink.with_deadline(None);
        let (begun, begins) = mpsc::channel();
        let producer = thread::spawn(move || {
            sink.send(0).unwrap();
            begun.send(()).unwrap();
            let refused = (1..=2).find_map(|number| sink.send(number).err()).unwrap().into_error();
            (refused, sink.fail(Broken { at: 1 }))
        });
        begins.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        drop(source);
        let (sent, failed) = producer.join().unwrap();
        assert!(
            matches!((&sent, &failed), (Error::StreamClosed, Err(Error::StreamClosed))),
            "{sent} {failed:?}"
        );
    });
}

#[test]
fn both_ends_can_be_items_of_streams() {
    let (sink, source) = stream::<u32>().unwrap();
    let (sinks, mut sent_sinks) = stream::<Sink<u32>>().unwrap();
    let (sources, mut sent_sources) = stream::<Source<u32>>().unwrap();
    sink.send(1).unwrap();
    sinks.send(sink).unwrap();
    let sink = sent_sinks.next().unwrap().unwrap();
    sink.send(2).unwrap();
    sources.send(source).unwrap();
    sink.send(3).unwrap();
    let mut source = sent_sources.next().unwrap().unwrap();
    assert_eq!(source.next(), Some(Ok(1)));
    sinks.send(sink).unwrap();
    let sink = sent_sinks.next().unwrap().unwrap();
    sink.finish().unwrap();
    assert_eq!(source.collect::<Result<Vec<_>, _>>(), Ok(vec![2, 3]));
}

#[test]
fn what_is_no_item_ends_the_stream() {
    /// What peers that were built from other types would make of each other's ends.
    fn forge<Own: MachMessage, Other: for<'a> MachMessage<View<'a> = Other>>(own: Own) -> Other {
        let port = ReceiveRight::<()>::new().unwrap();
        let right = port.make_send().unwrap();
        let mut buffer = MessageBuffer::new();
        Outgoing::encode(&mut buffer, PLAIN_ID, Other::fingerprint(), |out| own.encode_payload(out))
            .unwrap()
            .copy_send(&right)
            .send(Deadline::never())
            .unwrap();
        port.receive(&mut buffer, Deadline::never()).unwrap().decode::<Other>().unwrap()
    }
    let (sink, mut source) = stream::<u32>().unwrap();
    let sink: Sink<String> = forge(sink);
    sink.send("seven".to_owned()).unwrap();
    let ended = source.next().unwrap().unwrap_err();
    assert!(matches!(&ended, StreamError::Malformed(error) if error.fingerprints().is_some()), "{ended}");
    assert_eq!(source.next(), None);
    assert!(sink.is_closed());

    let (sink, mut source) = stream_with::<u32, Broken>(4).unwrap();
    let sink: Sink<u32, u8> = forge(sink);
    sink.fail(1).unwrap();
    assert!(matches!(source.next(), Some(Err(StreamError::Malformed(_)))));
}

/// A store that can be watched.
#[machipc::endpoint("com.example.test.streams")]
enum Feed<'a> {
    Count { name: &'a str, to: u64, out: Sink<u64> },
    CountAnswered { to: u64, out: Sink<u64>, reply: Reply<String> },
    Checked { to: u64, out: Sink<u64, Broken>, reply: Reply<Result<(), Broken>> },
    Sum { numbers: Source<u64>, reply: Reply<u64> },
    Double { numbers: Source<u64>, doubled: Sink<u64> },
    Bare(Sink<u64>),
}

fn serve_feed(message: Feed<'_>) {
    let count = |to: u64, out: Sink<u64>| {
        thread::spawn(move || {
            (0..to).try_for_each(|number| out.send(number).map_err(|failed| failed.into_error()))?;
            out.finish()
        });
    };
    match message {
        Feed::Count { name, to, out } => {
            assert_eq!(name, "numbers");
            count(to, out);
        }
        Feed::CountAnswered { to, out, reply } => {
            reply.send(format!("{to} numbers")).unwrap();
            count(to, out);
        }
        Feed::Checked { to, out, reply } if to <= 10 => {
            (0..to).for_each(|number| out.send(number).unwrap());
            out.fail(Broken { at: to }).unwrap();
            reply.send(Ok(())).unwrap();
        }
        Feed::Checked { to, reply, .. } => reply.send(Err(Broken { at: to })).unwrap(),
        Feed::Sum { numbers, reply } => {
            thread::spawn(move || match numbers.sum::<Result<u64, _>>() {
                Ok(sum) => drop(reply.send(sum)),
                Err(_) => drop(reply),
            });
        }
        Feed::Double { numbers, doubled } => {
            thread::spawn(move || {
                for number in numbers {
                    doubled.send(2 * number.unwrap()).unwrap();
                }
                doubled.finish().unwrap();
            });
        }
        Feed::Bare(out) => count(1, out),
    }
}

/// Every way in which a method can have streams.
fn use_feed(feed: &FeedClient) {
    let all = |source: Source<u64>| source.collect::<Result<Vec<_>, _>>();
    let up_to = |to: u64| Ok((0..to).collect::<Vec<_>>());
    assert_eq!(all(feed.count("numbers", 1000).unwrap()), up_to(1000));
    let (words, source) = feed.count_answered(100).unwrap();
    assert_eq!((words.as_str(), all(source)), ("100 numbers", up_to(100)));
    assert_eq!(all(feed.bare().unwrap()), Ok(vec![0]));

    let mut source = feed.checked(3).unwrap().unwrap();
    assert_eq!(source.by_ref().take(3).collect::<Result<Vec<_>, _>>(), Ok(vec![0, 1, 2]));
    assert_eq!(source.next(), Some(Err(StreamError::Failed(Broken { at: 3 }))));
    assert_eq!(feed.checked(11).unwrap().unwrap_err(), Broken { at: 11 });

    let (sum, numbers) = feed.sum().unwrap();
    (1..=1000).for_each(|number| numbers.send(number).unwrap());
    numbers.finish().unwrap();
    assert_eq!(sum.wait().unwrap(), 500_500);
    let (sum, numbers) = feed.sum().unwrap();
    numbers.send(1).unwrap();
    drop(numbers);
    assert!(matches!(sum.wait(), Err(Error::ReplyDropped { .. })));

    let (numbers, doubled) = feed.double().unwrap();
    let producer = thread::spawn(move || {
        (0..1000).for_each(|number| numbers.send(number).unwrap());
        numbers.finish().unwrap();
    });
    assert_eq!(all(doubled), Ok((0..1000).map(|number| 2 * number).collect()));
    producer.join().unwrap();
}

#[test]
fn methods_return_the_other_ends() {
    promptly("streams with a host in this process", || {
        let name = unique("streams");
        let host = Host::<Feed>::builder()
            .name(&name)
            .bind(|message: Feed<'_>, _: &Context| serve_feed(message))
            .unwrap();
        use_feed(&FeedClient::from_client(host.client()));
        registry::set_lookup_enabled(false);
        let feed = FeedClient::connect_to(&name).unwrap();
        assert!(!feed.client().is_local());
        use_feed(&feed);
        registry::set_lookup_enabled(true);
    });
}

#[test]
fn an_endpoint_can_be_generic_over_what_it_streams() {
    #[machipc::endpoint("com.example.test.streams.generic")]
    enum Repeat<T> {
        Back { count: u32, item: T, out: Sink<T> },
        There { items: Source<T, Broken>, reply: Reply<Vec<T>> },
    }
    promptly("a generic stream", || {
        let host = Host::<Repeat<String>>::builder()
            .unnamed()
            .bind(|message: Repeat<String>, _: &Context| match message {
                Repeat::Back { count, item, out } => {
                    (0..count).for_each(|_| out.send(item.clone()).unwrap());
                    out.finish().unwrap();
                }
                Repeat::There { items, reply } => {
                    thread::spawn(move || reply.send(items.collect::<Result<_, _>>().unwrap()));
                }
            })
            .unwrap();
        let client = RepeatClient::from_client(host.client());
        let back = client.back(3, "again".to_owned()).unwrap();
        assert_eq!(back.collect::<Result<Vec<_>, _>>(), Ok(vec!["again".to_owned(); 3]));
        let (all, sink) = client.there().unwrap();
        sink.send("one".to_owned()).unwrap();
        sink.finish().unwrap();
        assert_eq!(all.wait().unwrap(), ["one"]);
    });
}
