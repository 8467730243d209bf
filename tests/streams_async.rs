//! Streams in tasks.

mod typed_support;

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{join, poll_immediate};
use machipc::{AsyncSink, AsyncSource, Context, Error, Host, Sink, Source, StreamError, stream, stream_with};
use typed_support::{WATCHDOG, unique};

#[test]
fn one_thread_feeds_and_reads_a_stream() {
    let (sink, source) = stream_with::<u32, String>(2).unwrap();
    let (mut sink, mut source) = (sink.into_async(), source.into_async().unwrap());
    let (sent, read) = block_on(join(
        async move {
            for number in 0..1000 {
                sink.send(number).await.unwrap();
            }
            sink.into_sink().finish()
        },
        async {
            let mut read = Vec::new();
            while let Some(item) = source.next().await {
                read.push(item.unwrap());
            }
            read
        },
    ));
    sent.unwrap();
    assert_eq!(read, (0..1000).collect::<Vec<_>>());
    assert_eq!(block_on(source.next()), None);
}

#[test]
fn a_future_that_is_dropped_loses_nothing_that_was_sent() {
    let (sink, source) = stream::<u32>().unwrap();
    let mut source = source.into_async().unwrap();
    assert_eq!(block_on(poll_immediate(source.next())), None);
    sink.send(1).unwrap();
    assert_eq!(block_on(source.next()), Some(Ok(1)));

    // Nothing is taken out for a source that nobody has waited for, so that the window stays full.
    let (sink, source) = stream_with::<u32, String>(1).unwrap();
    let mut source = source.into_async().unwrap();
    sink.send(1).unwrap();
    let mut sink = sink.into_async();
    {
        let mut waiting = Box::pin(sink.send(2));
        assert!(block_on(poll_immediate(waiting.as_mut())).is_none());
    }
    assert_eq!(block_on(source.next()), Some(Ok(1)));
    block_on(sink.send(3)).unwrap();
    assert_eq!(block_on(source.next()), Some(Ok(3)));
    sink.into_sink().fail("enough".to_owned()).unwrap();
    assert_eq!(block_on(source.next()), Some(Err(StreamError::Failed("enough".to_owned()))));
    assert_eq!(block_on(source.next()), None);
}

#[test]
fn a_task_that_waits_for_room_is_told_of_the_end() {
    let (sink, source) = stream_with::<u32, String>(1).unwrap();
    let mut sink = sink.with_deadline(Duration::from_millis(20)).into_async();
    block_on(sink.send(1)).unwrap();
    let full = block_on(sink.send(2)).unwrap_err();
    assert!(matches!(full.error(), Error::StreamFull { .. }), "{full}");
    assert_eq!(full.into_message(), 2);

    let mut sink = sink.into_sink().with_deadline(None).into_async();
    let waiting = thread::spawn(move || (block_on(sink.send(3)).unwrap_err().into_error(), sink.is_closed()));
    thread::sleep(Duration::from_millis(20));
    drop(source);
    let (error, closed) = waiting.join().unwrap();
    assert!(matches!(error, Error::StreamClosed) && closed, "{error}");

    let (sink, source) = stream::<u32>().unwrap();
    let mut source = source.into_async().unwrap();
    let waiting = thread::spawn(move || block_on(source.next()));
    thread::sleep(Duration::from_millis(20));
    drop(sink);
    assert_eq!(waiting.join().unwrap(), Some(Err(StreamError::ProducerGone)));
}

#[test]
fn ends_are_send_whatever_the_stream_carries() {
    fn is_send<T: Send>(_: &T) {}
    let (sink, source) = stream::<u32>().unwrap();
    let (mut sink, mut source): (AsyncSink<u32>, AsyncSource<u32>) =
        (sink.into_async(), source.into_async().unwrap());
    is_send(&sink.send(1));
    is_send(&source.next());
    is_send(&(sink, source));
}

#[test]
fn clients_that_do_not_block_get_ends_too() {
    #[machipc::endpoint("com.example.test.streams.async")]
    enum Feed {
        Count { to: u32, out: Sink<u32> },
        Sum { numbers: Source<u32>, reply: machipc::Reply<u32> },
    }
    let name = unique("streams.async");
    let host = Host::<Feed>::builder()
        .name(&name)
        .bind(|message: Feed, _: &Context| {
            thread::spawn(move || match message {
                Feed::Count { to, out } => {
                    (0..to).for_each(|number| out.send(number).unwrap());
                    out.finish().unwrap();
                }
                Feed::Sum { numbers, reply } => {
                    reply.send(numbers.sum::<Result<u32, _>>().unwrap()).unwrap();
                }
            });
        })
        .unwrap();
    block_on(async {
        let feed = FeedAsyncClient::connect_to(&name).unwrap();
        let mut numbers = feed.count(200).await.unwrap().into_async().unwrap();
        for number in 0..200 {
            assert_eq!(numbers.next().await, Some(Ok(number)));
        }
        assert_eq!(numbers.next().await, None);
        let (sum, numbers) = feed.sum().await.unwrap();
        let mut numbers = numbers.into_async();
        for number in 1..=200 {
            numbers.send(number).await.unwrap();
        }
        numbers.into_sink().finish().unwrap();
        assert_eq!(sum.await.unwrap(), 20_100);
    });
    drop(host);
}

#[test]
fn a_task_that_waits_for_room_is_told_that_its_host_shuts_down() {
    #[machipc::endpoint("com.example.test.streams.stopping")]
    enum Feed {
        Count { out: Sink<u32> },
    }
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let host = Host::<Feed>::builder()
        .unnamed()
        .serve_async_on(
            |task| drop(thread::spawn(move || block_on(task))),
            move |Feed::Count { out }: Feed, _: Context| {
                let tell = tell.lock().unwrap().clone();
                async move {
                    let mut out = out.with_deadline(None).into_async();
                    let mut number = 0;
                    let error = loop {
                        match out.send(number).await {
                            Ok(()) => number += 1,
                            Err(failed) => break failed.into_error(),
                        }
                    };
                    tell.send(matches!(error, Error::StreamStopped { .. })).unwrap();
                }
            },
        )
        .unwrap();
    let (out, source) = stream_with(4).unwrap();
    host.client().send(Feed::Count { out }).unwrap();
    // The grace is for the task, which waits for room without end.
    let shutdown = thread::spawn(move || {
        let mut source = source;
        assert_eq!(source.next(), Some(Ok(0)));
        host.shutdown(WATCHDOG);
        source
    });
    assert!(told.recv_timeout(WATCHDOG).unwrap());
    let last = shutdown.join().unwrap().find(Result::is_err);
    assert_eq!(last, Some(Err(StreamError::HostStopping)));
}
