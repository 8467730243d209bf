//! Hosts within one process: their lives, names, policies, logs and settings.

mod typed_support;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use machipc::{Client, Context, Error, Host, LogLevel, LogRecord, PeerPolicy, ThreadPriority};
use typed_support::hosts::{Square, both_ways, squares};
use typed_support::{WATCHDOG, unique, until};

#[test]
fn a_dropped_host_takes_nobody_with_it() {
    let name = unique("dropped");
    let (entered, in_handler) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let host = Host::<Square>::builder()
        .name(&name)
        .bind(move |(number, reply): Square, _: &Context| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            reply.send(number).unwrap();
        })
        .unwrap();
    let [direct, port] = both_ways(&host);
    let port = port.with_deadline(None);

    // One call is in the handler, others wait in the queue.
    let calls: Vec<_> = (0..4)
        .map(|number| {
            let port = port.clone();
            std::thread::spawn(move || port.call(|reply| (number, reply)))
        })
        .collect();
    in_handler.recv_timeout(WATCHDOG).unwrap();
    let dropping = std::thread::spawn(move || drop(host));
    until("the host refuses", || direct.is_dead());
    release.send(()).unwrap();
    dropping.join().unwrap();

    let (answered, died): (Vec<_>, Vec<_>) =
        calls.into_iter().map(|call| call.join().unwrap()).partition(|answer| answer.is_ok());
    assert_eq!((answered.len(), died.len()), (1, 3));
    for error in died {
        assert!(matches!(error, Err(Error::HostDied { .. })), "{error:?}");
    }
    assert!(matches!(direct.call(|reply| (1, reply)), Err(Error::HostDied { .. })));
    assert!(matches!(port.call(|reply| (1, reply)), Err(Error::HostDied { .. })));
    assert!(matches!(Client::<Square>::connect_to(&name), Err(Error::NotFound { .. })));
    // The name is free.
    drop(Host::<Square>::builder().name(&name).bind(|_, _: &Context| {}).unwrap());
}

#[test]
fn a_handler_may_drop_its_own_host() {
    let name = unique("suicide");
    let own: Arc<Mutex<Option<Host<()>>>> = Arc::default();
    let inside = own.clone();
    let host = Host::<()>::builder()
        .name(&name)
        .bind(move |(), _: &Context| drop(inside.lock().unwrap().take()))
        .unwrap();
    let [_, client] = both_ways(&host);
    *own.lock().unwrap() = Some(host);
    client.send(()).unwrap();
    until("the host is gone", || client.is_dead());
    drop(Host::<()>::builder().name(&name).bind(|(), _: &Context| {}).unwrap());
}

#[test]
fn stopping_from_a_handler_ends_wait_and_run() {
    for threads in [1, 3] {
        let stop = |(), cx: &Context| cx.stop();
        let host = Host::<()>::builder().unnamed().threads(threads).bind(stop).unwrap();
        let [_, client] = both_ways(&host);
        client.send(()).unwrap();
        assert!(host.wait().handled >= 1);

        let host = Host::<()>::builder().unnamed().threads(threads).bind(stop).unwrap();
        host.client().send(()).unwrap();
        host.wait();

        let name = unique("run");
        let sender = {
            let name = name.clone();
            std::thread::spawn(move || {
                Client::<()>::connect_to_timeout(&name, WATCHDOG).unwrap().send(()).unwrap();
            })
        };
        Host::<()>::builder().name(&name).threads(threads).run(stop).unwrap();
        sender.join().unwrap();
    }
}

#[test]
fn several_threads_handle_messages_at_once() {
    let meeting = Arc::new(Barrier::new(3));
    let inside = meeting.clone();
    let host = Host::<()>::builder()
        .unnamed()
        .threads(3)
        .bind(move |(), _: &Context| {
            inside.wait();
        })
        .unwrap();
    let [_, client] = both_ways(&host);
    // The first three only return when all three are in the handler, and so on.
    (0..9).for_each(|_| client.send(()).unwrap());
    until("all were handled", || host.stats().handled == 9);
}

#[test]
fn names_that_are_taken_bad_or_missing() {
    let host = squares();
    let bind = |name: &str| Host::<Square>::builder().name(name).bind(|_, _: &Context| {});
    let error = bind(host.name()).unwrap_err();
    assert!(matches!(&error, Error::NameTaken { endpoint, .. } if endpoint == host.name()), "{error}");
    assert!(error.to_string().contains("has a host already"), "{error}");
    assert_eq!(error.mach().map(|error| error.code()), Some(machipc::mach::BOOTSTRAP_SERVICE_ACTIVE));
    for bad in ["", "a\0b", &"x".repeat(128)] {
        assert!(matches!(bind(bad), Err(Error::BadName { .. })), "{bad:?}");
        assert!(matches!(Client::<Square>::connect_to(bad), Err(Error::BadName { .. })), "{bad:?}");
    }
    drop(bind(&format!("{}.{}", host.name(), "y".repeat(126 - host.name().len()))).unwrap());
    assert!(matches!(Host::<Square>::bind(|_, _: &Context| {}), Err(Error::NoName { .. })));
    assert!(matches!(Client::<Square>::connect(), Err(Error::NoName { .. })));
    let missing = unique("missing");
    let error = Client::<Square>::connect_to_timeout(&missing, Duration::from_millis(10)).unwrap_err();
    assert!(matches!(&error, Error::NotFound { endpoint } if *endpoint == missing), "{error}");
    let error = Host::<Square>::builder().unnamed().queue_limit(1025).bind(|_, _: &Context| {}).unwrap_err();
    assert!(matches!(error, Error::Mach { .. }), "{error}");
}

#[test]
fn the_peer_policy_decides_on_every_message() {
    let open = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let admits = open.clone();
    let host = Host::<Square>::builder()
        .unnamed()
        .peers(PeerPolicy::when(move |peer| {
            assert_eq!(peer.pid(), std::process::id());
            admits.load(Ordering::SeqCst)
        }))
        .bind(|(number, reply): Square, _: &Context| reply.send(number).unwrap())
        .unwrap();
    for client in both_ways(&host) {
        open.store(false, Ordering::SeqCst);
        let error = client.call(|reply| (1, reply)).unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
        open.store(true, Ordering::SeqCst);
        assert_eq!(client.call(|reply| (1, reply)).unwrap(), 1);
    }
    assert_eq!(host.stats().denied, 1);
    let nobody = Host::<u8>::builder()
        .unnamed()
        .peers(PeerPolicy::when(|_| panic!("a policy that panics admits nobody")))
        .bind(|_, _: &Context| {})
        .unwrap();
    let [_, client] = both_ways(&nobody);
    client.send(1).unwrap();
    until("it is denied", || nobody.stats().denied == 1);
}

#[test]
fn what_is_logged() {
    let lines: Arc<Mutex<Vec<(LogLevel, String)>>> = Arc::default();
    let logger = |lines: &Arc<Mutex<Vec<(LogLevel, String)>>>| {
        let lines = lines.clone();
        move |record: &LogRecord<'_>| lines.lock().unwrap().push((record.level(), record.to_string()))
    };
    let name = unique("logged");
    let host = Host::<u8>::builder()
        .name(&name)
        .logger(logger(&lines))
        .throughput_log(Duration::from_millis(10))
        .bind(|number: u8, _: &Context| assert_ne!(number, 9, "nine"))
        .unwrap();
    let [_, client] = both_ways(&host);
    let client = client.with_logger(logger(&lines));
    (0..10).for_each(|number| client.send(number).unwrap());
    Client::<String>::from_right(host.send_right().unwrap().cast()).send("wrong".to_owned()).unwrap();
    until("the throughput is told", || {
        let lines = lines.lock().unwrap();
        let told =
            lines.iter().filter(|(level, line)| *level == LogLevel::Info && line.contains(" a second"));
        told.map(|(_, line)| {
            line.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap()
        })
        .sum::<u32>()
            == 10
    });
    until("the wrong message is counted", || host.stats().foreign == 1);
    drop(host);

    let lines = lines.lock().unwrap();
    let has = |level, part: &str| lines.iter().any(|(l, line)| *l == level && line.contains(part));
    assert!(has(LogLevel::Info, &format!("machipc INFO {name}: the host serves u8")), "{lines:?}");
    assert!(has(LogLevel::Info, "has stopped"), "{lines:?}");
    assert!(has(LogLevel::Error, "panicked: assertion"), "{lines:?}");
    assert!(has(LogLevel::Warn, "definition"), "{lines:?}");
    assert!(has(LogLevel::Trace, "from process"), "{lines:?}");
    assert!(has(LogLevel::Trace, "sent a message"), "{lines:?}");
    let per_message = lines.iter().filter(|(level, _)| *level != LogLevel::Trace).count();
    assert!(per_message < 12, "one line a message above trace: {lines:?}");
}

#[test]
fn settings_that_change_the_way_but_not_the_result() {
    let (sink, received) = mpsc::channel();
    let host = Host::<u32>::builder()
        .unnamed()
        .high_performance_above(1)
        .spin_budget(Duration::from_millis(1))
        .thread_priority(ThreadPriority::Utility)
        .peers(PeerPolicy::anyone())
        .bind(move |number: u32, _: &Context| sink.send(number).unwrap())
        .unwrap();
    let [_, client] = both_ways(&host);
    for round in 0..3 {
        for number in 0..1000 {
            client.send(number + round).unwrap();
        }
        for number in 0..1000 {
            assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), number + round);
        }
        // Long enough for the spinning to end.
        std::thread::sleep(Duration::from_millis(5));
    }
}
