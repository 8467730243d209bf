//! Many messages between threads of one process: whatever else is done to the port meanwhile, each sender's arrive in order, once.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages there are.

mod endurance_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use endurance_support::*;
use machipc::MachMessage;
use machipc::port::{
    Deadline, MessageBuffer, Outgoing, PortSet, Readiness, ReceiveRight, Received, SendRight, bootstrap,
};

/// One message of a sender; every so many of them carry a right, which simple ones do not.
#[derive(MachMessage)]
struct Step {
    sender: u32,
    number: u64,
    right: Option<SendRight<u64>>,
}

const QUEUE: u32 = 256;

/// A port with a name, so that the process is one that polls.
fn port(name: &str) -> ReceiveRight<Step> {
    let port = bootstrap::check_in::<Step>(&format!("com.example.threads.{name}")).expect("the name is free");
    port.set_queue_limit(QUEUE).expect("own port");
    port
}

fn send_steps(to: &SendRight<Step>, sender: u32, count: u64, with_rights: u64) {
    let other = ReceiveRight::<u64>::new().expect("a port");
    let mut buffer = MessageBuffer::new();
    for number in 0..count {
        let carries = with_rights != 0 && number % with_rights == with_rights - 1;
        let right = carries.then(|| other.make_send().expect("own port"));
        let step = Step { sender, number, right };
        let message = Outgoing::message(&mut buffer, &step).expect("a step");
        message.copy_send(to).send(soon()).expect("the port lives");
    }
}

/// Checks that what came is the next of its sender's, and counts it.
fn count(received: &Received<'_>, next: &mut [u64]) {
    let Step { sender, number, .. } = received.decode::<Step>().expect("a step");
    assert_eq!(number, next[sender as usize], "sender {sender}");
    next[sender as usize] += 1;
}

/// Has threads send to a port while this one receives, and another does `meanwhile` over and over.
fn exchange(name: &str, senders: u32, with_rights: u64, meanwhile: impl Fn(&ReceiveRight<Step>) + Sync) {
    privately(name, || {
        let total = rounds(100_000);
        let port = port(name);
        let rights: Vec<_> = (0..senders).map(|_| port.make_send().expect("own port")).collect();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for (sender, right) in rights.iter().enumerate() {
                scope.spawn(move || send_steps(right, sender as u32, total, with_rights));
            }
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    meanwhile(&port);
                }
            });
            let (mut buffer, mut next) = (MessageBuffer::new(), vec![0; senders as usize]);
            for _ in 0..total * u64::from(senders) {
                count(&port.receive(&mut buffer, soon()).expect("a message"), &mut next);
            }
            over.store(true, Ordering::Relaxed);
            assert_eq!(next, vec![total; senders as usize]);
            assert!(port.receive(&mut buffer, Deadline::now()).is_err_and(|error| error.is_timed_out()));
        });
    });
}

fn rest() {
    thread::sleep(std::time::Duration::from_micros(300));
}

#[test]
fn one_sender() {
    exchange("one_sender", 1, 0, |_| rest());
}

#[test]
fn several_senders() {
    exchange("several_senders", 3, 0, |_| rest());
}

#[test]
fn messages_with_rights_keep_their_place() {
    exchange("messages_with_rights_keep_their_place", 2, 700, |_| rest());
}

#[test]
fn a_queue_is_never_longer_than_its_limit() {
    exchange("a_queue_is_never_longer_than_its_limit", 1, 0, |port| {
        assert!(port.queued().expect("own port") <= QUEUE);
        rest();
    });
}

#[test]
fn limits_change() {
    exchange("limits_change", 1, 0, |port| {
        for limit in [1, 300, 5, QUEUE] {
            port.set_queue_limit(limit).expect("own port");
            rest();
        }
    });
}

#[test]
fn a_port_joins_and_leaves_a_set() {
    let set = std::sync::OnceLock::new();
    exchange("a_port_joins_and_leaves_a_set", 1, 0, |port| {
        let set = set.get_or_init(|| PortSet::new().expect("a set"));
        rest();
        set.insert(port).expect("own port");
        rest();
        set.remove(port).expect("own port");
    });
}

#[test]
fn readiness_is_asked_for() {
    exchange("readiness_is_asked_for", 1, 0, |port| {
        rest();
        let readiness = Readiness::new(port).expect("own port");
        rest();
        drop(readiness);
    });
}

/// A sender is told that the port has died, and not before.
#[test]
fn a_port_dies() {
    privately("a_port_dies", || {
        for round in 0..20 {
            let port = port(&format!("dies.{round}"));
            let right = port.make_send().expect("own port");
            let (mut buffer, mut next) = (MessageBuffer::new(), [0]);
            thread::scope(|scope| {
                let sender = scope.spawn(|| {
                    let mut out = MessageBuffer::new();
                    let mut sent = 0;
                    loop {
                        let step = Step { sender: 0, number: sent, right: None };
                        let message = Outgoing::message(&mut out, &step).expect("a step");
                        match message.copy_send(&right).send(soon()) {
                            Ok(()) => sent += 1,
                            Err(error) => break (sent, error),
                        }
                    }
                });
                for _ in 0..5_000 {
                    count(&port.receive(&mut buffer, soon()).expect("a message"), &mut next);
                }
                drop(port);
                let (sent, error) = sender.join().expect("the sender");
                assert!(sent >= 5_000 && error.is_dead_destination(), "{sent} sent, then: {error}");
                assert!(right.is_dead());
            });
        }
    });
}

/// What was sent before its last send right went comes before the notification that there are no senders.
#[test]
fn no_senders_comes_last() {
    privately("no_senders_comes_last", || {
        let _polls = port("polls");
        for _ in 0..20 {
            let port = ReceiveRight::<Step>::new().expect("a port");
            port.set_queue_limit(QUEUE).expect("own port");
            let told = ReceiveRight::<()>::new().expect("a port");
            let (right, total) = (port.make_send().expect("own port"), 3_000);
            port.notify_no_senders(0, &told).expect("own port");
            thread::scope(|scope| {
                scope.spawn(move || send_steps(&right, 0, total, 0));
                let (mut buffer, mut next) = (MessageBuffer::new(), [0]);
                while next[0] < total {
                    if next[0] % 500 == 499 {
                        let early = told.receive(&mut buffer, Deadline::now());
                        assert!(early.is_err(), "no senders, and {} messages have come", next[0]);
                    }
                    count(&port.receive(&mut buffer, soon()).expect("a message"), &mut next);
                }
                told.receive(&mut buffer, soon()).expect("there are no senders");
            });
        }
    });
}
