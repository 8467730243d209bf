//! Messages that are sent together, between two processes: their order, what happens when the queue is full or the host dies, and that a host
//! that takes many at once handles each by itself.

mod typed_support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::poll_immediate;
use machipc::port::ReceiveRight;
use machipc::{
    AsyncClient, Client, ConnectOptions, Context, Error, Host, MachMessage, OolBuffer, Reconnect, Reply,
    SendRight, WhenFull, registry,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.batches")]
enum Log<'a> {
    Add(Entry<'a>),
    Large {
        sender: u64,
        number: u64,
        memory: OolBuffer,
    },
    Tell {
        sender: u64,
        number: u64,
        whom: SendRight<u64>,
    },
    /// How many entries of all senders came in their order, and how many did not.
    Count {
        reply: Reply<(u64, u64)>,
    },
    /// The handler waits until there is the [`flag`].
    Hold {
        begun: SendRight<u64>,
    },
    Panic,
    Stop,
}

#[derive(MachMessage, Debug, PartialEq)]
struct Entry<'a> {
    sender: u64,
    number: u64,
    text: &'a str,
}

const TEXT: &str = "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789";

fn entry(sender: u64, number: u64) -> Log<'static> {
    // Of different lengths, so that every place in a ring and a row is met.
    Log::Add(Entry { sender, number, text: &TEXT[..(number % 60) as usize] })
}

/// Not a test of its own: second processes.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (role.as_str(), &words[..]) {
        ("host", [name, limit, threads]) => host(name, limit.parse().unwrap(), threads.parse().unwrap()),
        ("sender", [name, sender, count]) => {
            let client = Client::<Log>::connect_to_timeout(name, WATCHDOG).unwrap();
            let mut batch = client.batch();
            for number in 0..count.parse().unwrap() {
                batch.send(entry(sender.parse().unwrap(), number)).unwrap();
            }
            batch.finish().unwrap();
        }
        other => panic!("no role {other:?}"),
    }
}

fn host(name: &str, limit: u32, threads: usize) {
    static GO_ON: AtomicBool = AtomicBool::new(false);
    // For each sender the next number, how many were handled, and how many of them out of turn.
    let counts = Arc::new(Mutex::new((vec![0_u64; 64], 0_u64, 0_u64)));
    let counted = counts.clone();
    let count = move |sender: u64, number: u64| {
        let (next, handled, wrong) = &mut *counts.lock().unwrap();
        *wrong += u64::from(std::mem::replace(&mut next[sender as usize], number + 1) != number);
        *handled += 1;
    };
    let builder = Host::<Log>::builder().name(name).queue_limit(limit).threads(threads);
    let run = builder.run(move |message: Log<'_>, cx: &Context| match message {
        Log::Add(Entry { sender, number, text }) => {
            assert_eq!(text, &TEXT[..(number % 60) as usize]);
            count(sender, number);
        }
        Log::Large { sender, number, mut memory } => {
            assert!(memory.as_mut_slice().iter().all(|byte| *byte == number as u8));
            count(sender, number);
        }
        Log::Tell { sender, number, whom } => {
            count(sender, number);
            Client::from_right(whom).send(number).unwrap();
        }
        Log::Count { reply } => {
            let (_, handled, wrong) = *counted.lock().unwrap();
            let _ = reply.send((handled, wrong));
        }
        Log::Hold { begun } => {
            Client::from_right(begun).send(1).unwrap();
            while !GO_ON.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
                if std::fs::exists(flag(cx.endpoint())).unwrap() {
                    GO_ON.store(true, Ordering::Relaxed);
                }
            }
        }
        Log::Panic => panic!("on purpose"),
        Log::Stop => cx.stop(),
    });
    run.unwrap();
}

/// While there is this file, the host goes on.
fn flag(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("{name}.go-on"))
}

struct Held(std::path::PathBuf);

impl Held {
    /// Has the host's handler wait.
    fn hold(client: &Client<Log<'static>>) -> Self {
        let begun = ReceiveRight::<u64>::new().unwrap();
        client.send(Log::Hold { begun: begun.make_send().unwrap() }).unwrap();
        until("the handler waits", || begun.queued() == Ok(1));
        Self(flag(client.endpoint()))
    }

    fn go_on(&self) {
        std::fs::write(&self.0, "").unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn start(limit: u32, threads: usize) -> (Peer, Client<Log<'static>>) {
    let name = unique("batches");
    let peer = Peer::start("host", &[&name, &limit.to_string(), &threads.to_string()]);
    (peer, Client::connect_to_timeout(&name, WATCHDOG).unwrap())
}

fn counted(client: &Client<Log<'static>>) -> (u64, u64) {
    let client = client.with_deadline(WATCHDOG);
    client.call(|reply| Log::Count { reply }).unwrap()
}

#[test]
fn all_arrive_in_their_order() {
    for (limit, threads) in [(1024, 1), (5, 1), (1, 1), (64, 2)] {
        let (mut host, client) = start(limit, threads);
        let mut batch = client.batch();
        let count = 20_000;
        for number in 0..count {
            batch.send(entry(1, number)).unwrap();
            if number % 1000 == 999 {
                batch.flush().unwrap();
                assert_eq!(batch.pending(), 0);
            }
        }
        batch.finish().unwrap();
        until("all were handled", || counted(&client).0 == count);
        if threads == 1 {
            assert_eq!(counted(&client), (count, 0));
        }
        client.send(Log::Stop).unwrap();
        assert!(host.wait().success());
    }
}

#[test]
fn whatever_is_sent_by_itself_keeps_its_place() {
    let (_host, client) = start(1024, 1);
    let told = ReceiveRight::<u64>::new().unwrap();
    let mut batch = client.batch();
    for number in 0..2_000_u64 {
        let message = match number % 100 {
            17 => {
                let mut memory = OolBuffer::new(100_000).unwrap();
                memory.as_mut_slice().fill(number as u8);
                Log::Large { sender: 1, number, memory }
            }
            18 => Log::Large {
                sender: 1,
                number,
                memory: OolBuffer::copy_from_slice(&[number as u8; 100]).unwrap(),
            },
            59 if number < 500 => Log::Tell { sender: 1, number, whom: told.make_send().unwrap() },
            _ => entry(1, number),
        };
        if number % 7 == 3 {
            // One sent singly goes behind what was flushed.
            batch.flush().unwrap();
            client.send(message).unwrap();
        } else {
            batch.send(message).unwrap();
        }
    }
    batch.finish().unwrap();
    assert_eq!(counted(&client), (2_000, 0));
    assert_eq!(told.queued(), Ok(5));
}

#[test]
fn senders_do_not_mix_each_other_up() {
    let (_host, client) = start(128, 1);
    let name = client.endpoint().to_owned();
    let senders: Vec<Peer> =
        (0..4).map(|sender: u64| Peer::start("sender", &[&name, &sender.to_string(), "20000"])).collect();
    // And single messages of another one among them.
    (0..10_000).for_each(|number| client.send(entry(9, number)).unwrap());
    senders.into_iter().for_each(Peer::finish);
    assert_eq!(counted(&client), (90_000, 0));
}

#[test]
fn a_full_queue_keeps_what_is_left_in_the_batch() {
    let (_host, client) = start(10, 1);
    let held = Held::hold(&client);
    let quick = client.with_deadline(Duration::from_millis(20));
    let mut batch = quick.batch();
    (0..25).for_each(|number| batch.send(entry(1, number)).unwrap());
    assert_eq!(batch.pending(), 25);
    assert!(matches!(batch.flush(), Err(Error::DeadlineExceeded { .. })));
    let left = batch.pending();
    assert!((15..25).contains(&left), "{left} are left, the queue holds 10");
    // What is put in now goes behind.
    let mut refused = None;
    for number in 25.. {
        if let Err(failed) = batch.send(entry(1, number)) {
            refused = Some((number, failed));
            break;
        }
    }
    let (number, failed) = refused.unwrap();
    assert!(matches!(failed.error(), Error::DeadlineExceeded { .. }));
    assert!(matches!(failed.into_message(), Log::Add(back) if back.number == number));
    assert_eq!(batch.pending() as u64, number - 25 + left as u64);
    held.go_on();
    until("there is room", || batch.flush().is_ok());
    assert_eq!(batch.pending(), 0);
    batch.finish().unwrap();
    assert_eq!(counted(&client), (number, 0));
}

#[test]
fn a_host_that_dies_is_told_of() {
    let (mut host, client) = start(1024, 1);
    let mut batch = client.batch();
    batch.send(entry(1, 0)).unwrap();
    host.kill();
    until("the death shows", || client.is_dead());
    assert!(matches!(batch.flush(), Err(Error::HostDied { .. })));
    assert_eq!(batch.pending(), 1);
    assert!(matches!(batch.finish(), Err(Error::HostDied { .. })));
}

#[test]
fn a_client_that_reconnects_sends_what_has_not_left_to_the_next_host() {
    let (mut host, client) = start(1024, 1);
    let name = client.endpoint().to_owned();
    let options = ConnectOptions::new().name(&name).reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let renewable = Client::<Log>::connect_with(&options).unwrap();
    let mut batch = renewable.batch();
    batch.send(entry(1, 0)).unwrap();
    host.kill();
    until("the death shows", || client.is_dead());
    let _next = Peer::start("host", &[&name, "1024", "1"]);
    batch.send(entry(1, 1)).unwrap();
    batch.finish().unwrap();
    assert_eq!(counted(&renewable), (2, 0));
}

#[test]
fn what_is_dropped_is_sent() {
    let (_host, client) = start(1024, 1);
    let mut batch = client.batch();
    (0..10).for_each(|number| batch.send(entry(1, number)).unwrap());
    drop(batch);
    assert_eq!(counted(&client), (10, 0));
}

#[test]
fn a_handler_that_panics_loses_its_own_message_alone() {
    let (_host, client) = start(1024, 1);
    let mut batch = client.batch();
    for number in 0..10 {
        batch.send(entry(1, number)).unwrap();
        batch.send(Log::Panic).unwrap();
    }
    batch.finish().unwrap();
    assert_eq!(counted(&client), (10, 0));
}

#[test]
fn a_request_has_no_place_in_a_batch() {
    let (_host, client) = start(1024, 1);
    let mut batch = client.batch();
    batch.send(entry(1, 0)).unwrap();
    let counted = client.with_deadline(WATCHDOG).call(|reply| {
        let refused = batch.send(Log::Count { reply }).unwrap_err();
        assert!(matches!(refused.error(), Error::Encode { .. }), "{refused}");
        refused.into_message()
    });
    // What was put in before it has been sent.
    assert_eq!(counted.unwrap(), (1, 0));
    batch.finish().unwrap();
}

#[test]
fn inside_a_process_the_handler_is_called_at_once() {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let host = Host::<u64>::builder().unnamed();
    let host = host.bind(move |_, _: &Context| _ = counted.fetch_add(1, Ordering::Relaxed)).unwrap();
    let mut batch = host.client().batch();
    batch.send(1).unwrap();
    assert_eq!((count.load(Ordering::Relaxed), batch.pending()), (1, 0));
    batch.finish().unwrap();

    registry::set_lookup_enabled(false);
    let through_the_port = Client::from_right(host.send_right().unwrap());
    registry::set_lookup_enabled(true);
    let mut batch = through_the_port.batch();
    (0..100).for_each(|number| batch.send(number).unwrap());
    batch.finish().unwrap();
    until("all are handled", || count.load(Ordering::Relaxed) == 101);
}

#[test]
fn a_task_waits_for_room_and_all_arrive_in_their_order() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    for (client, count) in [(start(1024, 1), 20_000), (start(3, 1), 2_000)] {
        let (_host, client) = client;
        let mut batch = AsyncClient::from(client.clone()).batch();
        block_on(send(async {
            for number in 0..count {
                match number % 100 {
                    17 => {
                        let memory = OolBuffer::copy_from_slice(&[number as u8; 100]).unwrap();
                        batch.send(Log::Large { sender: 1, number, memory }).await.unwrap();
                    }
                    _ => batch.send(entry(1, number)).await.unwrap(),
                }
            }
            batch.finish().await.unwrap();
        }));
        assert_eq!(counted(&client), (count, 0));
    }
}

#[test]
fn a_task_that_gives_up_has_what_is_left_in_its_batch() {
    let (_host, client) = start(10, 1);
    let held = Held::hold(&client);
    let mut batch = AsyncClient::from(client.clone()).batch();
    (0..25).for_each(|number| block_on(batch.send(entry(1, number))).unwrap());
    assert_eq!(batch.pending(), 25);
    assert!(block_on(poll_immediate(batch.flush())).is_none());
    let left = batch.pending();
    assert!((15..25).contains(&left), "{left} are left, the queue holds 10");
    held.go_on();
    block_on(batch.finish()).unwrap();
    assert_eq!(counted(&client), (25, 0));
}

#[test]
fn a_task_that_drops_its_batch_waits_for_nobody() {
    let (_host, client) = start(10, 1);
    let held = Held::hold(&client);
    let patient = AsyncClient::from(client.with_deadline(None));
    let mut batch = patient.batch();
    (0..25).for_each(|number| block_on(batch.send(entry(1, number))).unwrap());
    drop(batch);
    held.go_on();
    let (handled, wrong) = counted(&client);
    assert!(wrong == 0 && (1..=10).contains(&handled), "{handled} were handled, {wrong} of them out of turn");
}

#[test]
fn what_a_task_drops_for_want_of_room_is_counted() {
    let (_host, client) = start(10, 1);
    let held = Held::hold(&client);
    let dropping = AsyncClient::from(client.when_full(WhenFull::DropNewest));
    let mut batch = dropping.batch();
    (0..25).for_each(|number| block_on(batch.send(entry(1, number))).unwrap());
    block_on(batch.flush()).unwrap();
    assert_eq!(batch.pending(), 0);
    let dropped = dropping.dropped();
    assert!((15..25).contains(&dropped), "{dropped} were dropped, the queue holds 10");
    held.go_on();
    assert_eq!(counted(&client), (25 - dropped, 0));
}

#[test]
fn a_task_is_told_that_its_host_has_died() {
    let (mut host, client) = start(1024, 1);
    let mut batch = AsyncClient::from(client.clone()).batch();
    block_on(batch.send(entry(1, 0))).unwrap();
    host.kill();
    until("the death shows", || client.is_dead());
    assert!(matches!(block_on(batch.flush()), Err(Error::HostDied { .. })));
    assert_eq!(batch.pending(), 1);
    assert!(matches!(block_on(batch.finish()), Err(Error::HostDied { .. })));
}
