//! Hosts that shut down: what becomes of what is in hand, of what is in the queue, and of the name.

mod typed_support;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use machipc::{
    Client, ConnectOptions, Context, Ended, Error, Host, HostBuilder, MachMessage, Reconnect, Reply, Sink,
    Source, StreamError, Task,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.work")]
#[derive(Debug)]
enum Work {
    /// Answered when the test says so.
    Ask {
        number: u64,
        reply: Reply<u64>,
    },
    Note(u64),
}

/// What the test has of a host's handler.
struct Inside {
    entered: Receiver<u64>,
    release: Sender<()>,
    notes: Arc<Mutex<Vec<u64>>>,
}

/// A handler that takes as long as the test wants for a request.
fn handler() -> (impl Fn(Work, &Context) + Send + Sync + 'static, Inside) {
    let (tell, entered) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (released, notes) = (Mutex::new(released), Arc::<Mutex<Vec<u64>>>::default());
    let written = notes.clone();
    let handle = move |message: Work, _: &Context| match message {
        Work::Ask { number, reply } => {
            tell.send(number).unwrap();
            released.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            let _ = reply.send(number);
        }
        Work::Note(number) => written.lock().unwrap().push(number),
    };
    (handle, Inside { entered, release, notes })
}

/// A host that works in one way or the other, on one request at a time.
type Bind = fn(HostBuilder<Work>) -> (Host<Work>, Inside);

fn serial(builder: HostBuilder<Work>) -> (Host<Work>, Inside) {
    let (handler, inside) = handler();
    (builder.bind(handler).unwrap(), inside)
}

fn tasks(builder: HostBuilder<Work>) -> (Host<Work>, Inside) {
    let (handler, inside) = handler();
    // Each task has a thread, as the handler blocks.
    let spawn = |task: Task| drop(thread::spawn(move || futures::executor::block_on(task)));
    let handler = Arc::new(handler);
    let handle = move |message: Work, context: Context| {
        let handler = handler.clone();
        async move { handler(message, &context) }
    };
    (builder.tasks(1).serve_async_on(spawn, handle).unwrap(), inside)
}

fn through_the_port(host: &Host<Work>) -> Client<Work> {
    machipc::registry::set_lookup_enabled(false);
    Client::from_right(host.send_right().unwrap()).with_deadline(None)
}

fn ask(client: &Client<Work>, number: u64) -> JoinHandle<Result<u64, Error>> {
    let client = client.clone();
    thread::spawn(move || client.call(|reply| Work::Ask { number, reply }))
}

fn sent(count: u64, client: &Client<Work>) {
    (1..=count).for_each(|number| client.send(Work::Note(number)).unwrap());
}

#[test]
fn callers_in_the_queue_are_told_and_the_rest_is_done() {
    for bind in [serial as Bind, tasks] {
        let name = unique("graceful");
        let (host, inside) = bind(Host::builder().name(&name));
        let client = through_the_port(&host);
        let direct = host.client();
        let in_hand = ask(&client, 7);
        assert_eq!(inside.entered.recv_timeout(WATCHDOG).unwrap(), 7);
        let queued: Vec<_> = (0..5)
            .map(|number| client.start(|reply| Work::Ask { number, reply }))
            .collect::<Result<_, _>>()
            .unwrap();
        sent(10, &client);
        let shutdown = thread::spawn(move || host.shutdown(Duration::MAX));

        // While the handler is in the middle of its work.
        for call in queued {
            let error = call.wait().unwrap_err();
            assert!(matches!(&error, Error::HostStopping { endpoint } if endpoint == "(unnamed)"), "{error}");
        }
        until("the port is gone", || client.is_dead());
        let error = client.call(|reply| Work::Ask { number: 1, reply }).unwrap_err();
        assert!(matches!(error, Error::HostDied { .. }), "{error}");
        if direct.is_local() {
            let error = direct.call(|reply| Work::Ask { number: 1, reply }).unwrap_err();
            assert!(matches!(error, Error::HostStopping { .. }), "{error}");
        }
        // The name is free.
        let (next, _inside) = serial(Host::builder().name(&name));
        assert!(!shutdown.is_finished());
        inside.release.send(()).unwrap();
        assert_eq!(in_hand.join().unwrap().unwrap(), 7);
        let stats = shutdown.join().unwrap();
        assert_eq!(*inside.notes.lock().unwrap(), (1..=10).collect::<Vec<u64>>());
        assert_eq!(
            (stats.handled, stats.turned_away, stats.left, stats.unfinished),
            (11, 5, 0, 0),
            "{stats:?}"
        );
        assert_eq!(stats.ended, Some(Ended::ShutDown));
        assert_eq!(next.stats().ended, None);
    }
}

#[test]
fn what_is_not_done_in_time_is_counted() {
    for bind in [serial as Bind, tasks] {
        let (host, inside) = bind(Host::builder().unnamed());
        let client = through_the_port(&host);
        let in_hand = ask(&client, 1);
        inside.entered.recv_timeout(WATCHDOG).unwrap();
        sent(3, &client);
        let begun = Instant::now();
        let stats = host.shutdown(Duration::from_millis(50));
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert_eq!((stats.unfinished, stats.left), (1, 3), "{stats:?}");
        // The handler goes on, and may answer.
        inside.release.send(()).unwrap();
        assert_eq!(in_hand.join().unwrap().unwrap(), 1);
        assert!(inside.notes.lock().unwrap().is_empty());
    }
}

#[test]
fn several_threads_finish_what_they_have() {
    let (handler, inside) = handler();
    let host = Host::<Work>::builder().unnamed().threads(3).bind(handler).unwrap();
    let client = through_the_port(&host);
    let in_hand: Vec<_> = (0..3).map(|number| ask(&client, number)).collect();
    for _ in 0..3 {
        inside.entered.recv_timeout(WATCHDOG).unwrap();
    }
    sent(100, &client);
    let shutdown = thread::spawn(move || host.shutdown(WATCHDOG));
    until("the port is gone", || client.is_dead());
    (0..3).for_each(|_| inside.release.send(()).unwrap());
    for (number, call) in (0..).zip(in_hand) {
        assert_eq!(call.join().unwrap().unwrap(), number);
    }
    let stats = shutdown.join().unwrap();
    assert_eq!((stats.handled, stats.left, stats.unfinished), (103, 0, 0), "{stats:?}");
    assert_eq!(inside.notes.lock().unwrap().iter().sum::<u64>(), 5050);
}

#[test]
fn a_handler_shuts_its_host_down() {
    for threads in [1, 3] {
        let name = unique("from-inside");
        let own = name.clone();
        let sender = thread::spawn(move || {
            let client = Client::<u64>::connect_to_timeout(&own, WATCHDOG).unwrap();
            (0..5).for_each(|number| client.send(number).unwrap());
        });
        machipc::registry::set_lookup_enabled(false);
        let stats = Host::<u64>::builder()
            .name(&name)
            .threads(threads)
            .run(move |number: u64, cx: &Context| {
                if number == 4 {
                    assert!(threads > 1 || !cx.is_stopping());
                    cx.shutdown(WATCHDOG);
                    assert!(cx.is_stopping());
                }
            })
            .unwrap();
        sender.join().unwrap();
        assert_eq!((stats.handled, stats.ended), (5, Some(Ended::ShutDown)), "{stats:?}");
    }
    let stats = {
        let host = Host::<()>::builder().unnamed().bind(|(), cx: &Context| cx.stop()).unwrap();
        host.client().send(()).unwrap();
        host.wait()
    };
    assert_eq!(stats.ended, Some(Ended::Stopped));
}

#[test]
fn a_host_that_nobody_calls_shuts_down_at_once() {
    let host = Host::<u64>::builder().unnamed().threads(2).bind(|_: u64, _: &Context| {}).unwrap();
    let stats = host.shutdown(Duration::MAX);
    assert_eq!((stats.handled, stats.turned_away, stats.left), (0, 0, 0));
}

type Which = (u64, Reply<u32>);

#[test]
fn peer() {
    let Some((_, arguments)) = role() else { return };
    // A host that gives way to the next one when it is asked to.
    let (tell, told) = mpsc::channel();
    let tell = Arc::new(Mutex::new(tell));
    let mut host = None;
    // The name may not be free yet.
    until("the name is free", || {
        let tell = tell.clone();
        let handler = move |(number, reply): Which, _: &Context| match number {
            0 => {
                reply.send(std::process::id()).unwrap();
                tell.lock().unwrap().send(()).unwrap();
            }
            _ => drop(reply.send_on_return(std::process::id())),
        };
        host = Host::<Which>::builder().name(&arguments[0]).bind(handler).ok();
        host.is_some()
    });
    let host = host.unwrap();
    told.recv_timeout(2 * WATCHDOG).unwrap();
    let stats = host.shutdown(WATCHDOG);
    assert_eq!((stats.left, stats.unfinished), (0, 0), "{stats:?}");
}

#[test]
fn a_service_is_replaced_and_its_clients_notice_nothing() {
    let name = unique("replaced");
    let mut host = Peer::start("host", &[&name]);
    let options =
        ConnectOptions::new().name(&name).wait(WATCHDOG).reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let client = Client::<Which>::connect_with(&options).unwrap().with_deadline(WATCHDOG);
    let (tell, told) = mpsc::channel();
    // Calls all the time. Only one whose request is in the queue in the moment in which the port goes, and not before, fails.
    let caller = {
        let client = client.clone();
        thread::spawn(move || {
            let mut failed = 0;
            while told.try_recv().is_err() {
                match client.call(|reply| (1, reply)) {
                    Ok(_) => {}
                    Err(Error::HostDied { .. }) => failed += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            failed
        })
    };
    for _ in 0..5 {
        assert_eq!(client.call(|reply| (0, reply)).unwrap(), host.pid());
        let mut next = Peer::start("host", &[&name]);
        std::mem::swap(&mut host, &mut next);
        next.finish();
        until("the next one serves", || client.call(|reply| (1, reply)).is_ok_and(|pid| pid == host.pid()));
    }
    tell.send(()).unwrap();
    let failed: u32 = caller.join().unwrap();
    assert!(failed <= 5, "{failed} calls failed");
    host.kill();
}

#[derive(MachMessage, Debug)]
enum Feed {
    Watch { items: Sink<u64> },
}

/// A task that reads a stream is told as a thread is (`tests/stream_process.rs`).
#[test]
fn a_task_that_reads_a_stream_is_told() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let host = Host::<Source<u64>>::builder()
        .unnamed()
        .bind(move |items: Source<u64>, _: &Context| {
            let tell = tell.lock().unwrap().clone();
            let mut items = items.into_async().unwrap();
            thread::spawn(move || {
                futures::executor::block_on(async {
                    let mut last = None;
                    while let Some(item) = items.next().await {
                        if item == Ok(0) {
                            tell.send(None).unwrap();
                        }
                        last = Some(item);
                    }
                    tell.send(last).unwrap();
                });
            });
        })
        .unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = Client::<Source<u64>>::from_right(host.send_right().unwrap());
    let (sink, source) = machipc::stream::<u64>().unwrap();
    client.send(source).unwrap();
    sink.send(0).unwrap();
    assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), None);
    let shutdown = thread::spawn(move || host.shutdown(WATCHDOG));
    assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), Some(Err(StreamError::HostStopping)));
    until("the producer knows", || sink.is_closed());
    shutdown.join().unwrap();
}

#[test]
fn who_feeds_a_stream_sees_the_end_coming() {
    let (done, finished) = mpsc::channel();
    let done = Mutex::new(done);
    let host = Host::<Feed>::builder()
        .unnamed()
        .bind(move |Feed::Watch { items }: Feed, cx: &Context| {
            let (cx, done) = (cx.clone(), done.lock().unwrap().clone());
            let items = items.through_shutdown();
            thread::spawn(move || {
                let mut sent = 0;
                while !cx.is_stopping() && items.send(sent).is_ok() {
                    sent += 1;
                }
                items.fail("the host is shutting down".to_owned()).unwrap();
                done.send(()).unwrap();
            });
        })
        .unwrap();
    let (items, mut source) = machipc::stream::<u64>().unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = Client::from_right(host.send_right().unwrap());
    client.send(Feed::Watch { items }).unwrap();
    assert_eq!(source.next(), Some(Ok(0)));
    let shutdown = thread::spawn(move || host.shutdown(WATCHDOG));
    let last = source.find(Result::is_err);
    assert_eq!(last, Some(Err(StreamError::Failed("the host is shutting down".to_owned()))));
    finished.recv_timeout(WATCHDOG).unwrap();
    shutdown.join().unwrap();
}
