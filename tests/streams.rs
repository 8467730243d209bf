//! Streams: order, back-pressure, every way to end, within a process and between two.

mod typed_support;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use machipc::message::PLAIN_ID;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight};
use machipc::{Error, MachMessage, Sink, Source, StreamError, stream, stream_with};
use typed_support::WATCHDOG;

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
        let ends: [(fn(Sink<u32, Broken>), Option<StreamError<Broken>>); 4] = [
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
