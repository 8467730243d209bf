//! Hosts and clients in one process, each thing both ways: on the short cut and through the port.

mod typed_support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use machipc::port::{Deadline, MessageBuffer, Outgoing};
use machipc::{
    Client, Context, Error, Host, LogLevel, LogRecord, MachMessage, OolBuffer, PeerPolicy, ReceiveRight,
    Reply, SendRight, ThreadPriority,
};
use typed_support::{WATCHDOG, unique, until};

/// The short cut to a host of this process, and the way through its port.
fn both_ways<M: MachMessage>(host: &Host<M>) -> [Client<M>; 2] {
    // Nobody in this binary wants the short cut from `from_right` and `connect_to`.
    machipc::registry::set_lookup_enabled(false);
    let port = Client::from_right(host.send_right().unwrap());
    assert!(host.client().is_local() && !port.is_local());
    [host.client(), port]
}

/// A host that hands on what it gets.
fn collector<T: MachMessage + for<'a> MachMessage<View<'a> = T> + Send>(tag: &str) -> (Host<T>, Receiver<T>) {
    let (sink, received) = mpsc::channel();
    let sink = Mutex::new(sink);
    let host = Host::<T>::builder()
        .name(unique(tag))
        .bind(move |message: T, _: &Context| sink.lock().unwrap().send(message).unwrap())
        .unwrap();
    (host, received)
}

#[test]
fn strings_and_bytes_under_run_time_names() {
    let (host, received) = collector::<String>("strings");
    for client in both_ways(&host) {
        client.send("text".to_owned()).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), "text");
    }
    let (host, received) = collector::<Vec<u8>>("bytes");
    let by_name = Client::<Vec<u8>>::connect_to(host.name()).unwrap();
    for client in both_ways(&host).into_iter().chain([by_name]) {
        client.send(vec![1, 2, 3]).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), [1, 2, 3]);
    }
}

#[test]
fn borrowed_text_is_seen_where_it_was_received() {
    let (sink, received) = mpsc::channel();
    let host = Host::<&str>::builder()
        .unnamed()
        .bind(move |text: &str, _: &Context| sink.send((text.to_owned(), text.as_ptr().addr())).unwrap())
        .unwrap();
    let text = String::from("not copied");
    let [direct, port] = both_ways(&host);
    direct.send(&text).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), ("not copied".to_owned(), text.as_ptr().addr()));
    port.send(&text).unwrap();
    let (same, elsewhere) = received.recv_timeout(WATCHDOG).unwrap();
    assert_eq!(same, "not copied");
    assert_ne!(elsewhere, text.as_ptr().addr());
}

#[test]
fn one_way_messages_keep_their_order() {
    const COUNT: u64 = 20_000;
    let next = Arc::new(AtomicU64::new(0));
    let expected = next.clone();
    let host = Host::<u64>::builder()
        .unnamed()
        .queue_limit(16)
        .bind(move |number: u64, _: &Context| {
            assert_eq!(number, expected.load(Ordering::Relaxed));
            expected.store(number + 1, Ordering::Release);
        })
        .unwrap();
    for client in both_ways(&host) {
        next.store(0, Ordering::Relaxed);
        for number in 0..COUNT {
            client.send(number).unwrap();
        }
        until("all messages were handled", || next.load(Ordering::Acquire) == COUNT);
    }
    assert_eq!((host.stats().panics, host.stats().handled), (0, COUNT));
}

type Square = (u64, Reply<u64>);

const DROPPED: u64 = 0;
const PANICS: u64 = 13;
const FORGOTTEN: u64 = 99;

fn squares() -> Host<Square> {
    Host::<Square>::builder()
        .name(unique("squares"))
        .bind(|(number, reply): Square, _: &Context| match number {
            DROPPED => drop(reply),
            PANICS => panic!("unlucky"),
            FORGOTTEN => std::mem::forget(reply),
            number => reply.send(number * number).unwrap(),
        })
        .unwrap()
}

#[test]
fn calls_are_answered_or_fail_at_once() {
    let host = squares();
    for client in both_ways(&host) {
        for number in 1..PANICS {
            assert_eq!(client.call(|reply| (number, reply)).unwrap(), number * number);
        }
        for number in [DROPPED, PANICS] {
            // Without a deadline: it would hang if nothing came.
            let error = client.with_deadline(None).call(|reply| (number, reply)).unwrap_err();
            assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
        }
        assert_eq!(client.call(|reply| (5, reply)).unwrap(), 25);
    }
    assert_eq!(host.stats().panics, 2);
}

#[test]
fn a_deadline_ends_a_call_and_not_before() {
    let host = squares();
    for client in both_ways(&host) {
        let client = client.with_deadline(Duration::from_millis(20));
        let start = Instant::now();
        let error = client.call(|reply| (FORGOTTEN, reply)).unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(
            matches!(error, Error::DeadlineExceeded { after, .. } if after == Duration::from_millis(20)),
            "{error}"
        );
        // What may still come for the abandoned call is not taken for the answer to another.
        assert_eq!(client.with_deadline(WATCHDOG).call(|reply| (6, reply)).unwrap(), 36);
    }
}

#[test]
fn a_late_answer_is_not_taken_for_another_calls() {
    let (host, held) = collector::<Square>("late");
    let [_, client] = both_ways(&host);
    let hurried = client.with_deadline(Duration::from_millis(5));
    assert!(hurried.call(|reply| (1, reply)).is_err());
    let (_, late) = held.recv_timeout(WATCHDOG).unwrap();
    let answering = std::thread::spawn(move || {
        let (number, reply) = held.recv_timeout(WATCHDOG).unwrap();
        // First the answer to the call that nobody waits for, then the right one.
        let _ = late.send(1000);
        reply.send(number * number).unwrap();
    });
    assert_eq!(client.call(|reply| (7, reply)).unwrap(), 49);
    answering.join().unwrap();
}

#[test]
fn a_reply_is_sent_later_from_another_thread() {
    let (host, held) = collector::<Square>("later");
    let answering = std::thread::spawn(move || {
        for (number, reply) in held {
            assert!(!reply.is_cancelled());
            reply.send(number + 1).unwrap();
        }
    });
    for client in both_ways(&host) {
        for number in 0..100 {
            assert_eq!(client.call(|reply| (number, reply)).unwrap(), number + 1);
        }
    }
    drop(host);
    answering.join().unwrap();
}

#[test]
fn giving_up_is_seen_by_the_handler() {
    let (host, held) = collector::<Square>("given-up");
    for client in both_ways(&host) {
        let client = client.with_deadline(Duration::from_millis(5));
        assert!(matches!(client.call(|reply| (1, reply)), Err(Error::DeadlineExceeded { .. })));
        let (_, reply) = held.recv_timeout(WATCHDOG).unwrap();
        // The handler's clock starts when the message has come, so its deadline is a little later than the caller's.
        until("the deadline has passed", || reply.deadline().unwrap() <= Instant::now());
        until("the reply is cancelled", || reply.is_cancelled());
        assert!(matches!(reply.send(1), Err(Error::CallerGone)));
    }
}

#[test]
fn the_handler_sees_the_deadline() {
    let (sink, received) = mpsc::channel();
    let host = Host::<Square>::builder()
        .unnamed()
        .bind(move |(number, reply): Square, cx: &Context| {
            sink.send((cx.deadline(), reply.deadline())).unwrap();
            reply.send(number).unwrap();
        })
        .unwrap();
    for client in both_ways(&host) {
        let before = Instant::now();
        client.with_deadline(WATCHDOG).call(|reply| (1, reply)).unwrap();
        let (deadline, same) = received.recv().unwrap();
        assert_eq!(deadline, same);
        let deadline = deadline.unwrap();
        assert!(deadline >= before + WATCHDOG / 2 && deadline <= Instant::now() + WATCHDOG);

        client.with_deadline(None).call(|reply| (1, reply)).unwrap();
        assert_eq!(received.recv().unwrap(), (None, None));
    }
}

#[test]
fn a_reply_is_forwarded_to_another_host() {
    let second = squares();
    for onward in both_ways(&second) {
        let first = Host::<Square>::builder()
            .unnamed()
            .bind(move |(number, reply): Square, _: &Context| {
                assert_ne!(number, DROPPED + 1000);
                onward.send((number, reply)).unwrap();
            })
            .unwrap();
        for client in both_ways(&first) {
            for number in 1..PANICS {
                assert_eq!(client.call(|reply| (number, reply)).unwrap(), number * number);
            }
            let error = client.with_deadline(None).call(|reply| (DROPPED, reply)).unwrap_err();
            assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
            let error = client.with_deadline(None).call(|reply| (PANICS, reply)).unwrap_err();
            assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
            let client = client.with_deadline(Duration::from_millis(20));
            let error = client.call(|reply| (FORGOTTEN, reply)).unwrap_err();
            assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
        }
    }
}

#[test]
fn a_forwarded_reply_survives_a_failed_send() {
    let nobody = ReceiveRight::<Square>::new().unwrap();
    let onward = Client::from_right(nobody.make_send().unwrap());
    drop(nobody);
    let host = Host::<Square>::builder()
        .unnamed()
        .bind(move |message: Square, _: &Context| {
            let failed = onward.send(message).unwrap_err();
            assert!(matches!(failed.error(), Error::HostDied { .. }), "{failed}");
            let (number, reply) = failed.into_message();
            reply.send(number + 1).unwrap();
        })
        .unwrap();
    for client in both_ways(&host) {
        assert_eq!(client.call(|reply| (1, reply)).unwrap(), 2);
    }
    assert_eq!(host.stats().panics, 0);
}

#[test]
fn a_request_must_hold_its_reply() {
    let host = Host::<Option<Reply<u8>>>::builder().unnamed().bind(|_, _: &Context| {}).unwrap();
    for client in both_ways(&host) {
        let error = client.call(|reply: Reply<u8>| drop_it(reply)).unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
        assert!(error.to_string().contains("does not hold the reply"), "{error}");
    }
    fn drop_it(_: Reply<u8>) -> Option<Reply<u8>> {
        None
    }
}

#[test]
fn large_messages_go_out_of_line_or_grow_the_buffer() {
    let (host, received) = collector::<Vec<u8>>("large");
    for client in both_ways(&host) {
        for size in [0, 1, 4000, 60_000, 65_536, 65_537, 5_000_000] {
            let bytes: Vec<u8> = (0..size).map(|index| (index * 7) as u8).collect();
            client.send(bytes.clone()).unwrap();
            assert!(received.recv_timeout(WATCHDOG).unwrap() == bytes, "{size} bytes");
        }
    }
    // A small receive buffer grows for a message that comes inline.
    let (sink, received) = mpsc::channel();
    let host = Host::<Vec<u8>>::builder()
        .unnamed()
        .receive_buffer_size(4096)
        .bind(move |bytes: Vec<u8>, _: &Context| sink.send(bytes.len()).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    for size in [100, 30_000, 60_000] {
        port.send(vec![0; size]).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), size);
    }
}

#[test]
fn a_message_above_the_largest_is_destroyed_and_its_caller_told() {
    let host = Host::<(Vec<u8>, Reply<usize>)>::builder()
        .unnamed()
        .largest_message(8192)
        .bind(|(bytes, reply): (Vec<u8>, Reply<usize>), _: &Context| reply.send(bytes.len()).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    let port = port.with_deadline(None);
    assert_eq!(port.call(|reply| (vec![0; 4000], reply)).unwrap(), 4000);
    assert!(matches!(port.call(|reply| (vec![0; 30_000], reply)), Err(Error::ReplyDropped { .. })));
    // Memory out of line is never copied into the buffer, so it may be larger.
    assert_eq!(port.call(|reply| (vec![0; 100_000], reply)).unwrap(), 100_000);
    assert_eq!((host.stats().too_large, host.stats().handled), (1, 2));
}

#[test]
fn memory_built_in_place_moves() {
    const LEN: usize = 3 << 20;
    let (host, received) = collector::<OolBuffer>("ool");
    for client in both_ways(&host) {
        let mut memory = OolBuffer::new(LEN).unwrap();
        for (index, byte) in memory.as_mut_slice().iter_mut().enumerate() {
            *byte = (index / 3) as u8;
        }
        client.send(memory).unwrap();
        let mut memory = received.recv_timeout(WATCHDOG).unwrap();
        assert_eq!(memory.len(), LEN);
        assert!(memory.as_mut_slice().iter().enumerate().all(|(index, byte)| *byte == (index / 3) as u8));
    }
}

#[test]
fn a_callback_through_a_right_in_a_message() {
    type Watch = (SendRight<u64>, u64);
    let host = Host::<Watch>::builder()
        .unnamed()
        .bind(|(events, count): Watch, _: &Context| {
            let events = Client::from_right(events);
            (0..count).for_each(|event| events.send(event).unwrap());
        })
        .unwrap();
    for client in both_ways(&host) {
        let (listener, events) = collector::<u64>("events");
        client.send((listener.send_right().unwrap(), 1000)).unwrap();
        for expected in 0..1000 {
            assert_eq!(events.recv_timeout(WATCHDOG).unwrap(), expected);
        }
    }
}

#[test]
fn a_failed_send_gives_the_message_back_whole() {
    let full = ReceiveRight::<(SendRight<String>, OolBuffer)>::new().unwrap();
    full.set_queue_limit(0).unwrap();
    let client = Client::from_right(full.make_send().unwrap()).with_deadline(Duration::from_millis(5));
    let (host, received) = collector::<String>("given-back");

    let message = (host.send_right().unwrap(), OolBuffer::copy_from_slice(b"kept").unwrap());
    let failed = client.send(message).unwrap_err();
    assert!(matches!(failed.error(), Error::DeadlineExceeded { .. }), "{failed}");
    let (right, mut memory) = failed.into_message();
    assert_eq!(memory.as_mut_slice(), b"kept");
    Client::from_right(right).send("alive".to_owned()).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), "alive");

    drop(full);
    let failed = client.send((host.send_right().unwrap(), memory)).unwrap_err();
    assert!(matches!(failed.error(), Error::HostDied { .. }), "{failed}");
    let (right, mut memory) = failed.into_message();
    assert_eq!(memory.as_mut_slice(), b"kept");
    assert!(!right.is_dead());
}

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
    assert!(error.mach().is_some());
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
fn another_message_type_is_refused_with_both_names() {
    let host = squares();
    let right = host.send_right().unwrap();
    let other = Client::<(u32, Reply<u64>)>::from_right(right.clone().cast());
    let error = other.call(|reply| (3, reply)).unwrap_err();
    let Error::Fingerprint { ours, theirs, .. } = &error else { panic!("{error}") };
    assert!(ours.name.contains("u32") && theirs.name.contains("u64"), "{error}");
    assert_eq!(theirs.fingerprint, <Square as MachMessage>::fingerprint());
    assert!(error.to_string().contains(&ours.name) && error.to_string().contains(&theirs.name));

    Client::<String>::from_right(right.cast()).send("one way".to_owned()).unwrap();
    until("it is counted", || host.stats().foreign == 2);
    assert_eq!(host.client().call(|reply| (3, reply)).unwrap(), 9);
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

#[test]
fn one_client_serves_many_threads() {
    let host = squares();
    for client in both_ways(&host) {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let client = client.clone();
                scope.spawn(move || {
                    for number in 0..200 {
                        let number = 1000 + thread * 1000 + number;
                        assert_eq!(client.call(|reply| (number, reply)).unwrap(), number * number);
                    }
                });
            }
        });
    }
}

#[test]
fn calls_nest() {
    let squares = squares();
    for inner in both_ways(&squares) {
        let host = Host::<Square>::builder()
            .unnamed()
            .bind(move |(number, reply): Square, _: &Context| {
                let square = inner.call(|reply| (number, reply)).unwrap();
                reply.send(square + 1).unwrap();
            })
            .unwrap();
        for client in both_ways(&host) {
            assert_eq!(client.call(|reply| (4, reply)).unwrap(), 17);
            // A call made while another's request is put together.
            let sum = client.call(|reply| (client.call(|reply| (2, reply)).unwrap(), reply)).unwrap();
            assert_eq!(sum, 26);
        }
    }
}

#[test]
fn a_reply_may_carry_what_a_message_may() {
    type Open = Reply<(SendRight<String>, OolBuffer, Vec<u8>)>;
    let (listener, received) = collector::<String>("reply-right");
    let right = listener.send_right().unwrap();
    let host = Host::<Open>::builder()
        .unnamed()
        .bind(move |reply: Open, _: &Context| {
            let memory = OolBuffer::copy_from_slice(b"memory").unwrap();
            reply.send((right.clone(), memory, vec![7; 200_000])).unwrap();
        })
        .unwrap();
    for client in both_ways(&host) {
        let (right, mut memory, bytes) = client.call(|reply| reply).unwrap();
        assert_eq!(memory.as_mut_slice(), b"memory");
        assert_eq!(bytes, [7; 200_000]);
        Client::from_right(right).send("hello".to_owned()).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), "hello");
    }
}

#[test]
fn a_bare_receiver_can_stand_in_for_a_host() {
    // What `Client` sends is an ordinary message of the port floor.
    let port = ReceiveRight::<Square>::new().unwrap();
    let client = Client::from_right(port.make_send().unwrap());
    let calling = std::thread::spawn(move || client.call(|reply| (12, reply)));
    let mut buffer = MessageBuffer::new();
    let received = port.receive(&mut buffer, Deadline::after(WATCHDOG)).unwrap();
    let (number, reply) = received.decode::<Square>().unwrap();
    reply.send(number + 30).unwrap();
    assert_eq!(calling.join().unwrap().unwrap(), 42);
}

/// Sends the bytes of a `Square` that ends too early, as a request.
#[test]
fn what_is_malformed_is_answered_with_the_reason() {
    let host = squares();
    let right = host.send_right().unwrap();
    let port = ReceiveRight::<()>::new().unwrap();
    let (mut out, mut answer) = (MessageBuffer::new(), MessageBuffer::new());
    // The whole message is a number and the caller's remaining time: cut before the one, in the other, and with more behind it.
    for len in [0usize, 4, 12, 21] {
        let fingerprint = <Square as MachMessage>::fingerprint();
        let outgoing = Outgoing::encode(&mut out, machipc::message::PLAIN_ID, fingerprint, |out| {
            out.bytes(&vec![0; len]);
            Ok(())
        });
        let outgoing = outgoing.unwrap().copy_send(&right).make_reply(&port);
        let received = outgoing.send_and_receive(&port, &mut answer, Deadline::after(WATCHDOG)).unwrap();
        // Not a send-once notification: the host says something.
        assert_eq!((received.id(), received.notification().is_none()), (0x2000_0001, true), "{len} bytes");
    }
    assert_eq!((host.stats().malformed, host.stats().handled), (4, 0));
}
