//! A message costs one call of `mach_msg` a side, and so does a request with its answer.

use std::time::Duration;

use super::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight, message_calls};

/// How many calls of this thread `body` makes.
fn calls<T>(body: impl FnOnce() -> T) -> (u64, T) {
    let before = message_calls();
    let value = body();
    (message_calls() - before, value)
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

#[test]
fn a_message_is_one_call_a_side() {
    type Message = (u64, String, Vec<SendRight<u32>>);
    let port = ReceiveRight::<Message>::new().unwrap();
    let to = port.make_send().unwrap();
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    for (text, rights) in [("short".to_owned(), 0), ("long".repeat(50_000), 40)] {
        let rights = (0..rights).map(|_| to.clone().cast()).collect();
        let message: Message = (7, text, rights);
        let (sent, result) =
            calls(|| Outgoing::message(&mut out, &message).unwrap().copy_send(&to).send(deadline()));
        result.unwrap();
        let (received, value) =
            calls(|| port.receive(&mut incoming, deadline()).unwrap().decode::<Message>().unwrap());
        assert_eq!((sent, received), (1, 1));
        assert_eq!((&value.1, value.2.len()), (&message.1, message.2.len()));
    }
}

#[test]
fn a_request_and_its_answer_are_one_call_a_side() {
    const ROUNDS: u64 = 10;
    let port = ReceiveRight::<u64>::new().unwrap();
    let to = port.make_send().unwrap();
    std::thread::scope(|scope| {
        let host = scope.spawn(|| {
            let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
            let mut received = port.receive(&mut incoming, deadline()).unwrap();
            let before = message_calls();
            for number in 0..ROUNDS {
                let reply = received.take_reply().unwrap();
                assert_eq!(received.decode::<u64>().unwrap(), number);
                drop(received);
                received = Outgoing::message(&mut out, &number)
                    .unwrap()
                    .answer(&reply)
                    .send_and_receive(&port, &mut incoming, deadline())
                    .unwrap();
            }
            assert_eq!(message_calls() - before, ROUNDS);
        });
        let replies = ReceiveRight::<u64>::new().unwrap();
        let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
        let (asked, ()) = calls(|| {
            for number in 0..ROUNDS {
                let answer = Outgoing::message(&mut out, &number)
                    .unwrap()
                    .copy_send(&to)
                    .make_reply(&replies)
                    .send_and_receive(&replies, &mut incoming, deadline())
                    .unwrap();
                assert_eq!(answer.decode::<u64>().unwrap(), number);
            }
        });
        assert_eq!(asked, ROUNDS);
        // One more, for the host to end with.
        Outgoing::message(&mut out, &0u64).unwrap().copy_send(&to).send(deadline()).unwrap();
        host.join().unwrap();
    });
}
