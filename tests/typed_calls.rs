//! Calls within one process, each thing both ways: on the short cut and through the port.

mod typed_support;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use machipc::port::{Deadline, MessageBuffer, Outgoing};
use machipc::{Client, Context, Error, Host, MachMessage, OolBuffer, ReceiveRight, Reply, SendRight};
use typed_support::hosts::{DROPPED, FORGOTTEN, PANICS, Square, both_ways, collector, squares};
use typed_support::{WATCHDOG, until};

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
    let mut late = None;
    until("the host has a request that is given up after that", || {
        // Where the host only comes to it when the caller has given up already, the handler does not get it.
        assert!(hurried.call(|reply| (1, reply)).is_err());
        late = held.recv_timeout(Duration::from_millis(50)).ok();
        late.is_some()
    });
    let (_, late) = late.unwrap();
    let answering = std::thread::spawn(move || {
        let (number, reply) = held.iter().find(|&(number, _)| number == 7).unwrap();
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
        let client = client.with_deadline(Duration::from_millis(200));
        assert!(matches!(client.call(|reply| (1, reply)), Err(Error::DeadlineExceeded { .. })));
        let (_, reply) = held.recv_timeout(WATCHDOG).unwrap();
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

mod old {
    use machipc::Reply;

    #[machipc::endpoint("com.example.test.grown")]
    pub enum Grown {
        Known { reply: Reply<u8> },
    }
}

mod new {
    use machipc::Reply;

    #[machipc::endpoint("com.example.test.grown")]
    pub enum Grown {
        Known {
            reply: Reply<u8>,
        },
        #[mach(since = 2)]
        Later {
            reply: Reply<u8>,
        },
        #[mach(since = 2)]
        Told {
            number: u32,
        },
    }
}

#[test]
fn an_older_host_says_that_it_does_not_know_the_message() {
    let host = Host::<old::Grown>::builder()
        .unnamed()
        .bind(|old::Grown::Known { reply }, _: &Context| reply.send(1).unwrap())
        .unwrap();
    let client = new::GrownClient::from_client(Client::from_right(host.send_right().unwrap().cast()));
    assert_eq!(client.known().unwrap(), 1);
    let error = client.later().unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    client.told(7).unwrap();
    assert_eq!(client.known().unwrap(), 1);
    assert_eq!((host.stats().unsupported, host.stats().handled), (2, 2));
}
