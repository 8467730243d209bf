//! Calls that do not block the thread, within one process: through the short cut and through a port.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::future::Future;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{join_all, poll_immediate};
use machipc::{AsyncClient, Client, Context, Error, Host, PendingReply, Reply, SendRight};
use typed_support::hosts::{DROPPED, FORGOTTEN, PANICS, Square, both_ways, collector, squares};
use typed_support::{WATCHDOG, unique, until};

fn both_ways_async(host: &Host<Square>) -> [AsyncClient<Square>; 2] {
    both_ways(host).map(AsyncClient::from)
}

/// Holds a handler up until something is sent, or the sender dropped.
fn gate() -> (mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>) {
    let (gate, opened) = mpsc::channel();
    (gate, Mutex::new(opened))
}

#[test]
fn futures_and_clients_can_go_to_other_threads() {
    fn send_sync<T: Send + Sync>(_: &T) {}
    fn send<T: Send>(value: T) -> T {
        value
    }
    let host = squares();
    let [client, _] = both_ways_async(&host);
    send_sync(&client);
    let call = send(client.call(|reply| (3, reply)));
    assert_eq!(block_on(call).unwrap(), 9);
    let started = send(block_on(client.start(|reply| (4, reply))).unwrap());
    assert_eq!(std::thread::spawn(move || started.wait()).join().unwrap().unwrap(), 16);
    let texts = AsyncClient::from(collector::<String>("send").0.client());
    drop(send(texts.send("never sent".to_owned())));
}

#[test]
fn calls_are_answered() {
    let host = squares();
    for client in both_ways_async(&host) {
        for number in 1..13 {
            assert_eq!(block_on(client.call(|reply| (number, reply))).unwrap(), number * number);
        }
        for number in [DROPPED, PANICS] {
            let error = block_on(client.call(|reply| (number, reply))).unwrap_err();
            assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
        }
    }
}

#[test]
fn ten_thousand_calls_are_under_way_at_once_on_one_thread() {
    const CALLS: u64 = 10_000;
    let (sink, kept) = mpsc::channel();
    let host = Host::<Square>::builder()
        .unnamed()
        .bind(move |(number, reply): Square, _: &Context| sink.send((number, reply)).unwrap())
        .unwrap();
    // Nobody is answered before everybody has asked.
    let answers = std::thread::spawn(move || {
        let mut replies: Vec<_> = (0..CALLS).map(|_| kept.recv_timeout(WATCHDOG).unwrap()).collect();
        replies.reverse();
        replies.into_iter().for_each(|(number, reply): Square| reply.send(number * number).unwrap());
    });
    let [_, client] = both_ways_async(&host);
    let calls = (0..CALLS).map(|number| client.call(move |reply| (number, reply)));
    let squares = block_on(join_all(calls));
    answers.join().unwrap();
    for (number, square) in (0..CALLS).zip(squares) {
        assert_eq!(square.unwrap(), number * number);
    }
}

#[test]
fn started_calls_go_on_while_the_caller_does_something_else() {
    let host = squares();
    for client in both_ways(&host) {
        let mut pending: Vec<PendingReply<u64>> =
            (1..10).map(|number| client.start(|reply| (number, reply)).unwrap()).collect();
        until("all answers are there", || pending.iter().all(PendingReply::is_ready));
        for (number, pending) in (1..10).zip(&mut pending) {
            assert_eq!(pending.try_take().unwrap().unwrap(), number * number);
            assert!(pending.try_take().is_none() && pending.wait_timeout(WATCHDOG).is_none());
        }
        let mut forgotten = client.start(|reply| (FORGOTTEN, reply)).unwrap();
        assert!(forgotten.try_take().is_none());
        assert!(forgotten.wait_timeout(Duration::from_millis(1)).is_none());
    }
}

#[test]
fn a_deadline_ends_a_call() {
    let host = squares();
    for client in both_ways_async(&host) {
        let hurried = client.with_deadline(Duration::from_millis(30));
        let start = Instant::now();
        let error = block_on(hurried.call(|reply| (FORGOTTEN, reply))).unwrap_err();
        assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
        assert!(start.elapsed() >= Duration::from_millis(30));
        let error = hurried.client().start(|reply| (FORGOTTEN, reply)).unwrap().wait().unwrap_err();
        assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
    }
}

type Ask = Reply<u64>;

/// A host that hands its replies over, and both ways to it.
/// Also when it passes between the making of the port for the answer and the sending of the request.
#[test]
fn a_deadline_is_told_as_one_whenever_it_passes() {
    let host = squares();
    let [_, client] = both_ways_async(&host);
    for micros in (0..2000).map(|step| step % 100) {
        let hurried = client.with_deadline(Duration::from_micros(micros));
        match block_on(hurried.call(|reply| (3, reply))) {
            Ok(square) => assert_eq!(square, 9),
            Err(error) => assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}"),
        }
    }
}

fn keeper() -> (Host<Ask>, mpsc::Receiver<Ask>, [AsyncClient<Ask>; 2]) {
    let (sink, replies) = mpsc::channel();
    let host =
        Host::<Ask>::builder().unnamed().bind(move |reply, _: &Context| sink.send(reply).unwrap()).unwrap();
    let clients = both_ways(&host).map(AsyncClient::from);
    (host, replies, clients)
}

#[test]
fn the_handler_sees_that_the_caller_gives_up() {
    let (_host, replies, clients) = keeper();
    for client in clients {
        // A future that is dropped, a handle that is dropped, and two deadlines: one that is waited for and one that is not.
        let mut call = Box::pin(client.call(|reply| reply));
        assert!(block_on(poll_immediate(call.as_mut())).is_none());
        let mut reply = replies.recv_timeout(WATCHDOG).unwrap();
        assert!(!reply.is_cancelled() && !reply.wait_cancelled(Duration::from_millis(1)));
        drop(call);
        assert!(reply.wait_cancelled(WATCHDOG) && reply.is_cancelled());
        block_on(reply.cancelled());
        assert!(matches!(reply.send(1), Err(Error::CallerGone)));

        let pending = client.client().start(|reply| reply).unwrap();
        let mut reply = replies.recv_timeout(WATCHDOG).unwrap();
        assert!(block_on(poll_immediate(reply.cancelled())).is_none());
        drop(pending);
        block_on(reply.cancelled());

        let hurried = client.with_deadline(Duration::from_millis(200));
        assert!(matches!(block_on(hurried.call(|reply| reply)), Err(Error::DeadlineExceeded { .. })));
        assert!(replies.recv_timeout(WATCHDOG).unwrap().wait_cancelled(WATCHDOG));

        let unwatched = hurried.client().start(|reply| reply).unwrap();
        block_on(replies.recv_timeout(WATCHDOG).unwrap().cancelled());
        assert!(unwatched.is_ready());
        assert!(matches!(unwatched.wait(), Err(Error::DeadlineExceeded { .. })));
    }
}

#[test]
fn a_blocking_call_that_gives_up_is_seen_too() {
    let (_host, replies, clients) = keeper();
    for client in clients {
        let hurried = client.client().with_deadline(Duration::from_millis(200));
        let calling = std::thread::spawn(move || hurried.call(|reply| reply));
        let mut reply = replies.recv_timeout(WATCHDOG).unwrap();
        block_on(reply.cancelled());
        assert!(reply.is_cancelled());
        assert!(matches!(calling.join().unwrap(), Err(Error::DeadlineExceeded { .. })));
    }
}

#[test]
fn a_reply_whose_cancellation_was_watched_can_be_sent() {
    let (_host, replies, clients) = keeper();
    for client in clients {
        for number in 0..100 {
            let pending = client.client().start(|reply| reply).unwrap();
            let mut reply = replies.recv_timeout(WATCHDOG).unwrap();
            assert!(block_on(poll_immediate(reply.cancelled())).is_none());
            reply.send(number).unwrap();
            assert_eq!(pending.wait().unwrap(), number);
        }
    }
}

#[test]
fn a_reply_that_leaves_the_process_is_awaited_where_it_went() {
    let answering = Host::<Square>::builder()
        .unnamed()
        .bind(|(number, reply): Square, _: &Context| match number {
            DROPPED => drop(reply),
            number => reply.send(number * number).unwrap(),
        })
        .unwrap();
    machipc::registry::set_lookup_enabled(false);
    let answering_client = Client::from_right(answering.send_right().unwrap());
    let host = Host::<Square>::builder()
        .unnamed()
        .bind(move |message: Square, _: &Context| answering_client.send(message).unwrap())
        .unwrap();
    for client in both_ways_async(&host) {
        assert_eq!(block_on(client.call(|reply| (5, reply))).unwrap(), 25);
        let error = block_on(client.call(|reply| (DROPPED, reply))).unwrap_err();
        assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
    }
}

#[test]
fn one_way_messages_wait_for_room_and_keep_their_order() {
    const MESSAGES: u64 = 2000;
    let (gate, opened) = gate();
    let (sink, numbers) = mpsc::channel();
    let host = Host::<u64>::builder()
        .unnamed()
        .queue_limit(3)
        .bind(move |number: u64, _: &Context| {
            if number == 0 {
                opened.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            }
            sink.send(number).unwrap();
        })
        .unwrap();
    let [_, client] = both_ways(&host).map(AsyncClient::from);
    let sending = async {
        let messages = (0..MESSAGES).map(|number| client.send(number));
        join_all(messages).await.into_iter().for_each(|sent| sent.unwrap());
    };
    let hurried = async {
        // The queue is full, and the handler waits for the gate.
        let late = client.with_deadline(Duration::from_millis(20)).send(MESSAGES).await.unwrap_err();
        assert!(matches!(late.error(), Error::DeadlineExceeded { .. }), "{late}");
        assert_eq!(late.into_message(), MESSAGES);
        // One that gives up in the middle of the queue holds nobody up.
        assert!(poll_immediate(Box::pin(client.send(MESSAGES + 1))).await.is_none());
        gate.send(()).unwrap();
    };
    block_on(futures::future::join(sending, hurried));
    let received: Vec<u64> = (0..MESSAGES).map(|_| numbers.recv_timeout(WATCHDOG).unwrap()).collect();
    assert!(received.iter().copied().eq(0..MESSAGES));
    assert!(numbers.recv_timeout(Duration::from_millis(1)).is_err());
}

#[test]
fn two_clients_that_wait_for_room_at_one_port_both_get_it() {
    let (gate, opened) = gate();
    let (sink, numbers) = mpsc::channel();
    let host = Host::<u64>::builder()
        .unnamed()
        .queue_limit(1)
        .bind(move |number: u64, _: &Context| {
            if number == 0 {
                opened.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            }
            sink.send(number).unwrap();
        })
        .unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = || AsyncClient::<u64>::from_right(host.send_right().unwrap());
    let (first, second) = (client(), client());
    block_on(first.send(0)).unwrap();
    let senders = [first, second].map(|client| {
        std::thread::spawn(move || {
            let messages = (1..=500).map(|number| client.send(number));
            block_on(join_all(messages)).into_iter().for_each(|sent| sent.unwrap());
        })
    });
    gate.send(()).unwrap();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let mut received: Vec<u64> = (0..1001).map(|_| numbers.recv_timeout(WATCHDOG).unwrap()).collect();
    received.sort_unstable();
    assert!(received.into_iter().eq((0..1001).map(|number: u64| number.div_ceil(2))));
}

#[test]
fn a_host_that_stops_ends_the_calls_that_wait() {
    let (sink, begun) = mpsc::channel();
    let (gate, opened) = gate();
    let host = Host::<Square>::builder()
        .unnamed()
        .queue_limit(4)
        .bind(move |(_, reply): Square, _: &Context| {
            sink.send(()).unwrap();
            let _ = opened.lock().unwrap().recv_timeout(WATCHDOG);
            drop(reply);
        })
        .unwrap();
    let [_, client] = both_ways_async(&host);
    // One is in the handler's hands, four in the queue, and the others wait for room.
    let calls = (0..20).map(|number| {
        let client = client.clone();
        async move { client.call(|reply| (number, reply)).await }
    });
    let calls: Vec<_> = calls.collect();
    let ended = std::thread::spawn(move || block_on(join_all(calls)));
    begun.recv_timeout(WATCHDOG).unwrap();
    let stopping = std::thread::spawn(move || drop(host));
    drop(gate);
    let ended = ended.join().unwrap();
    stopping.join().unwrap();
    assert_eq!(ended.len(), 20);
    for result in ended {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::HostDied { .. } | Error::ReplyDropped { .. }), "{error}");
    }
    let error = block_on(client.call(|reply| (1, reply))).unwrap_err();
    assert!(matches!(error, Error::HostDied { .. }), "{error}");
}

#[test]
fn a_message_that_carries_a_right_comes_back_whole() {
    let host = Host::<SendRight<u64>>::builder().unnamed().queue_limit(0).bind(|_, _: &Context| {}).unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = AsyncClient::<SendRight<u64>>::from_right(host.send_right().unwrap());
    let (numbers, received) = collector::<u64>("rights");
    let right = numbers.send_right().unwrap();
    let name = right.name();
    let failed = block_on(client.with_deadline(Duration::from_millis(5)).send(right)).unwrap_err();
    let right = failed.into_message();
    assert_eq!(right.name(), name);
    Client::from_right(right).send(7).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), 7);
}

#[test]
fn a_client_of_a_name_is_either_kind() {
    let name = unique("kinds");
    let _host = Host::<Square>::builder()
        .name(&name)
        .bind(|(number, reply): Square, _: &Context| reply.send(number * number).unwrap())
        .unwrap();
    let client = AsyncClient::<Square>::connect_to(&name).unwrap();
    assert_eq!(client.client().endpoint(), name);
    assert_eq!(block_on(client.clone().call(|reply| (6, reply))).unwrap(), 36);
    let nobody = AsyncClient::<Square>::connect_to(&unique("nobody"));
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
}

/// A future that is never polled does nothing.
#[test]
fn nothing_is_sent_before_the_future_is_polled() {
    fn is_future<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
        future
    }
    let (host, numbers) = collector::<u64>("lazy");
    let [_, client] = both_ways(&host).map(AsyncClient::from);
    drop(is_future(client.send(1)));
    block_on(client.send(2)).unwrap();
    assert_eq!(numbers.recv_timeout(WATCHDOG).unwrap(), 2);
}
