//! Rights, names and messages, one floor above the calls of the seam: what there is without types for hosts and clients.

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};
use support::{PATIENCE, Server};

/// Answered with the number of messages so far; all others are numbered and want no answer.
const TALLY: u64 = u64::MAX;

fn serve(name: &str) {
    let port = bootstrap::check_in::<u64>(name).expect("a name of this bench alone");
    port.set_queue_limit(ReceiveRight::<u64>::QUEUE_LIMIT_MAX).expect("own port");
    let (mut buffer, mut out, mut count) = (MessageBuffer::new(), MessageBuffer::new(), 0u64);
    loop {
        let received = port.receive(&mut buffer, Deadline::never()).expect("a message");
        // Taken first: a message whose type has no reply is not to come with one.
        let reply = received.take_reply();
        let number = received.decode::<u64>().expect("a number");
        match reply {
            Some(reply) => {
                let answer = if number == TALLY { count } else { number * number };
                let answer = Outgoing::message(&mut out, &answer).expect("a number").answer(&reply);
                answer.send(Deadline::never()).expect("the caller waits");
            }
            None => {
                assert_eq!(number, count, "a message out of order");
                count += 1;
            }
        }
    }
}

/// Asks and waits.
fn call(to: &SendRight<u64>, port: &ReceiveRight<u64>, buffers: &mut [MessageBuffer; 2], number: u64) -> u64 {
    let [out, buffer] = buffers;
    let request = Outgoing::message(out, &number).expect("a number").copy_send(to).make_reply(port);
    let received = request.send_and_receive(port, buffer, Deadline::never()).expect("an answer");
    received.decode::<u64>().expect("a number")
}

fn rights(c: &mut Criterion) {
    c.bench_function("make a port and destroy it", |b| {
        b.iter(|| black_box(ReceiveRight::<u64>::new().expect("a port")));
    });
    let port = ReceiveRight::<u64>::new().expect("a port");
    c.bench_function("make a send right and release it", |b| {
        b.iter(|| black_box(port.make_send().expect("own port")));
    });
    c.bench_function("make a send-once right and use it up", |b| {
        let (mut out, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
        b.iter(|| {
            let right = port.make_send_once().expect("own port");
            let message = Outgoing::message(&mut out, &5u64).expect("a number").move_send_once(&right);
            message.send(Deadline::now()).expect("there is room");
            let received = port.receive(&mut buffer, Deadline::now()).expect("it is there");
            assert_eq!(received.decode::<u64>().expect("a number"), 5);
        });
    });
    let right = port.make_send().expect("own port");
    c.bench_function("copy a send right and release it", |b| b.iter(|| black_box(right.clone())));
    c.bench_function("send to oneself and receive", |b| {
        let (mut out, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
        b.iter(|| {
            let message = Outgoing::message(&mut out, &7u64).expect("a number").copy_send(&right);
            message.send(Deadline::now()).expect("there is room");
            let received = port.receive(&mut buffer, Deadline::now()).expect("it is there");
            assert_eq!(received.decode::<u64>().expect("a number"), 7);
        });
    });
}

fn between_two(c: &mut Criterion) {
    let server = Server::start();
    let start = Instant::now();
    let to = loop {
        match bootstrap::look_up::<u64>(&server.name) {
            Ok(right) => break right,
            Err(error) => assert!(start.elapsed() < PATIENCE, "the server does not start: {error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let port = ReceiveRight::<u64>::new().expect("a port");
    let mut buffers = [MessageBuffer::new(), MessageBuffer::new()];
    let mut sent = 0;
    c.bench_function("one way between two ports' processes", |b| {
        b.iter_custom(|count| {
            let start = Instant::now();
            for number in sent..sent + count {
                let message = Outgoing::message(&mut buffers[0], &number).expect("a number").copy_send(&to);
                message.send(Deadline::never()).expect("the server lives");
            }
            sent += count;
            // The answer comes when all messages have come.
            assert_eq!(call(&to, &port, &mut buffers, TALLY), sent);
            start.elapsed()
        });
    });
    c.bench_function("request and answer between two ports' processes", |b| {
        b.iter(|| assert_eq!(call(&to, &port, &mut buffers, 12), 144));
    });
}

fn main() {
    support::run(serve, |criterion| {
        rights(criterion);
        between_two(criterion);
    });
}
