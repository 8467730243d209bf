//! Messages of many bytes, between two processes: what they hold, their order among others, and what becomes of them when a side stops, dies or is
//! flooded.

mod typed_support;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use machipc::message::{AlignedBuffer, Encode, Encoder};
use machipc::{Client, Context, Error, Host, MachMessage, OolBuffer, Reply, SendRight, registry};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.large")]
enum Store<'a> {
    Put {
        sender: u64,
        number: u64,
        bytes: &'a [u8],
    },
    Mixed(Mixed<'a>),
    Owned {
        number: u64,
        memory: OolBuffer,
    },
    OutOfLine {
        number: u64,
        #[mach(ool)]
        bytes: &'a [u8],
    },
    Pile {
        number: u64,
        memory: Vec<OolBuffer>,
    },
    With {
        bytes: &'a [u8],
        whom: SendRight<u64>,
    },
    Echo {
        bytes: &'a [u8],
        reply: Reply<Vec<u8>>,
    },
    /// Messages that came, and those that were not as they must be.
    Count {
        reply: Reply<(u64, u64)>,
    },
    /// The handler sends so many large messages back, while more come.
    Flood {
        whom: SendRight<Vec<u8>>,
        count: u64,
    },
    Nap {
        milliseconds: u64,
    },
}

#[derive(MachMessage, Debug, PartialEq)]
struct Mixed<'a> {
    first: u8,
    bytes: &'a [u8],
    second: u64,
    numbers: Vec<u64>,
    text: String,
    pairs: HashMap<u32, Vec<u16>>,
    last: u8,
    #[mach(since = 1)]
    late: Vec<u32>,
}

/// Bytes that tell where they are, and of which message.
fn bytes(number: u64, len: usize) -> Vec<u8> {
    // Of a length that is prime, so that no place looks like another one near it.
    const ROW: usize = 8191;
    let row: Vec<u8> = (0..ROW).map(|at| (at * 31 + (at >> 8)) as u8).collect();
    let mut bytes = row.repeat(len.div_ceil(ROW));
    bytes.truncate(len);
    for (row, chunk) in bytes.chunks_mut(ROW).enumerate() {
        chunk[0] = (row as u64 + 7 * number) as u8;
    }
    bytes
}

fn are_right(found: &[u8], number: u64) -> bool {
    found == bytes(number, found.len())
}

fn mixed(number: u64, len: usize) -> (Vec<u8>, Mixed<'static>) {
    let numbers = (0..len as u64 / 8).map(|at| at * number).collect();
    let pairs = [(1, vec![number as u16; len / 2]), (2, Vec::new())].into_iter().collect();
    let text = "äbc".repeat(len / 4);
    let late = vec![number as u32; len / 4 + 1];
    (bytes(number, len), Mixed { first: 1, bytes: &[], second: number, numbers, text, pairs, last: 2, late })
}

/// Not a test of its own: second processes.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (role.as_str(), &words[..]) {
        ("host", [name]) => host(name),
        ("sender", [name]) => {
            let client = Client::<Store>::connect_to_timeout(name, WATCHDOG).unwrap();
            let bytes = bytes(0, 10 << 20);
            for number in 0.. {
                client.send(Store::Put { sender: 7, number, bytes: &bytes }).unwrap();
            }
        }
        other => panic!("no role {other:?}"),
    }
}

fn host(name: &str) {
    let (count, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
    let next = Mutex::new(HashMap::<u64, u64>::new());
    let take = move |right: bool| {
        count.fetch_add(1, Ordering::Relaxed);
        wrong.fetch_add(u64::from(!right), Ordering::Relaxed);
        (count.load(Ordering::Relaxed), wrong.load(Ordering::Relaxed))
    };
    let run = Host::<Store>::builder().name(name).run(move |message: Store<'_>, _: &Context| match message {
        // A sender that is killed has its own bytes.
        Store::Put { sender: 7, .. } => {}
        Store::Put { sender, number, bytes } => {
            let mut next = next.lock().unwrap();
            let expected = next.entry(sender).or_default();
            take(number == *expected && are_right(bytes, number));
            *expected = number + 1;
        }
        Store::Mixed(found) => {
            let (bytes, expected) = mixed(found.second, found.bytes.len());
            take(found == Mixed { bytes: &bytes, ..expected });
        }
        Store::Owned { number, mut memory } => {
            take(are_right(memory.as_mut_slice(), number));
            // It is this side's alone.
            memory.as_mut_slice().fill(0);
        }
        Store::Pile { number, mut memory } => {
            let all =
                memory.iter_mut().zip(number..).all(|(one, number)| are_right(one.as_mut_slice(), number));
            take(all);
        }
        Store::OutOfLine { number, bytes } => _ = take(are_right(bytes, number)),
        Store::With { bytes, whom } => {
            take(are_right(bytes, 1));
            Client::from_right(whom).send(bytes.len() as u64).unwrap();
        }
        Store::Echo { bytes, reply } => drop(reply.send(bytes.to_vec())),
        Store::Count { reply } => {
            let (count, wrong) = take(true);
            let _ = reply.send((count - 1, wrong));
        }
        Store::Flood { whom, count } => {
            let client = Client::from_right(whom).with_deadline(WATCHDOG);
            (0..count).for_each(|number| client.send(bytes(number, 1 << 20)).unwrap());
        }
        Store::Nap { milliseconds } => std::thread::sleep(Duration::from_millis(milliseconds)),
    });
    run.unwrap();
}

fn start() -> (Peer, Client<Store<'static>>) {
    let name = unique("large");
    let peer = Peer::start("host", &[&name]);
    (peer, Client::connect_to_timeout(&name, WATCHDOG).unwrap().with_deadline(WATCHDOG))
}

/// How many messages came rightly, since this was asked last.
fn all_right(client: &Client<Store<'static>>, count: u64) {
    assert_eq!(client.call(|reply| Store::Count { reply }).unwrap(), (count, 0));
}

const KIB: usize = 1024;
const SIZES: [usize; 16] = [
    0,
    1,
    31 * KIB,
    64 * KIB,
    68 * KIB - 1,
    68 * KIB,
    68 * KIB + 1,
    100_003,
    128 * KIB,
    256 * KIB,
    256 * KIB + 17,
    1024 * KIB - 1,
    1024 * KIB,
    3_333_333,
    10 * 1024 * KIB,
    20 * 1024 * KIB + 5,
];

#[test]
fn every_size_arrives_as_it_was() {
    let (_host, client) = start();
    let mut number = 0;
    for len in SIZES {
        for offset in [0, 1, 24] {
            let shifted = bytes(number, len + offset);
            let own = bytes(number, len);
            let mut all = vec![0; offset];
            all.extend_from_slice(&own);
            assert_eq!(all.len(), shifted.len());
            client.send(Store::Put { sender: 1, number, bytes: &all[offset..] }).unwrap();
            number += 1;
        }
    }
    all_right(&client, number);
}

#[test]
fn large_parts_keep_their_places_among_small_ones() {
    let (_host, client) = start();
    let sizes = [10, 9_000, 40_001, 200_000, 1_000_003];
    for (number, len) in sizes.into_iter().enumerate() {
        let (bytes, rest) = mixed(number as u64, len);
        client.send(Store::Mixed(Mixed { bytes: &bytes, ..rest })).unwrap();
    }
    all_right(&client, sizes.len() as u64);
}

#[test]
fn a_payload_that_is_lent_has_the_bytes_of_one_that_is_copied() {
    for len in [0, 15, 16, 100, 4_096, 100_000] {
        let (bytes, rest) = mixed(3, len);
        let message = Mixed { bytes: &bytes, ..rest };
        let (mut copied, mut lending) = (AlignedBuffer::new(), AlignedBuffer::new());
        let mut out = Encoder::new(&mut copied);
        message.encode(&mut out).unwrap();
        let len_of_copied = out.len();
        out.finish();
        let mut out = Encoder::lending(&mut lending, 64);
        message.encode(&mut out).unwrap();
        assert_eq!(out.len(), len_of_copied);
        let encoded = out.finish();
        assert_eq!(encoded.lent.is_empty(), len < 64);
        let (lent, buffer) = (encoded.lent, encoded.buffer.as_bytes());
        let (mut whole, mut from) = (Vec::new(), 0);
        for part in lent {
            whole.extend_from_slice(&buffer[from..part.at]);
            whole.extend_from_slice(part.bytes);
            from = part.at;
        }
        whole.extend_from_slice(&buffer[from..]);
        // Maps are encoded in the order of their iteration, which is the same for the same value.
        assert_eq!(whole, copied.as_bytes());
    }
}

#[test]
fn memory_files_and_rights_beside_large_payloads() {
    let (_host, client) = start();
    let told = machipc::ReceiveRight::<u64>::new().unwrap();
    for len in [1_usize, 40_000, 300_000, 2_000_000] {
        client
            .send(Store::Owned { number: 1, memory: OolBuffer::copy_from_slice(&bytes(1, len)).unwrap() })
            .unwrap();
        client.send(Store::OutOfLine { number: 1, bytes: &bytes(1, len) }).unwrap();
        client.send(Store::With { bytes: &bytes(1, len), whom: told.make_send().unwrap() }).unwrap();
    }
    all_right(&client, 12);
    until("every right was used", || told.queued() == Ok(4));
}

#[test]
fn a_message_of_very_many_buffers_comes_whole_or_not_at_all() {
    let (_host, client) = start();
    let pile = |count: u64, len| {
        let buffer = |number| OolBuffer::copy_from_slice(&bytes(number, len)).unwrap();
        client.send(Store::Pile { number: 5, memory: (5..5 + count).map(buffer).collect() })
    };
    // As many descriptors as one packet has are not enough for all; what goes otherwise has an end, too.
    pile(300, 20_000).unwrap();
    pile(140, 1_000_000).unwrap();
    let refused = pile(160, 1_000_000).unwrap_err();
    assert!(refused.to_string().contains("MACH_SEND_NO_BUFFER"), "{refused}");
    all_right(&client, 2);
}

#[test]
fn calls_and_answers_of_every_size() {
    let (_host, client) = start();
    for len in SIZES {
        let sent = bytes(5, len);
        let back = client.call(|reply| Store::Echo { bytes: &sent, reply }).unwrap();
        assert!(back == sent, "{len} bytes");
    }
}

#[test]
fn threads_that_share_a_link() {
    let (_host, client) = start();
    std::thread::scope(|scope| {
        for sender in 1..=4 {
            let client = client.clone();
            scope.spawn(move || {
                for number in 0..30 {
                    // Some are small and go between the pieces of others' large ones.
                    let len = if number % 3 == 0 { 100 } else { 700_000 + sender as usize };
                    client
                        .send(Store::Put { sender: 10 + sender, number, bytes: &bytes(number, len) })
                        .unwrap();
                }
            });
        }
    });
    all_right(&client, 120);
}

#[test]
fn two_processes_that_flood_each_other() {
    let (_host, client) = start();
    let (count, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
    let counts = std::sync::Arc::new((count, wrong));
    let shared = counts.clone();
    let own = Host::<Vec<u8>>::builder().unnamed();
    let own = own.bind(move |found: Vec<u8>, _: &Context| {
        let number = shared.0.fetch_add(1, Ordering::Relaxed);
        shared.1.fetch_add(u64::from(!are_right(&found, number)), Ordering::Relaxed);
    });
    let own = own.unwrap();
    let floods = 40;
    client.send(Store::Flood { whom: own.send_right().unwrap(), count: floods }).unwrap();
    for number in 0..40 {
        client.send(Store::Put { sender: 1, number, bytes: &bytes(number, 1 << 20) }).unwrap();
    }
    all_right(&client, 40);
    until("the flood has come", || counts.0.load(Ordering::Relaxed) == floods);
    assert_eq!(counts.1.load(Ordering::Relaxed), 0);
}

#[test]
fn more_than_may_be_under_way() {
    let (_host, client) = start();
    // While it sleeps the other process takes what comes, as long as that is not too much.
    client.send(Store::Nap { milliseconds: 300 }).unwrap();
    for number in 0..12 {
        client.send(Store::Put { sender: 1, number, bytes: &bytes(number, 10 << 20) }).unwrap();
    }
    all_right(&client, 12);
    // And what has been received may come again.
    for number in 12..20 {
        client.send(Store::Put { sender: 1, number, bytes: &bytes(number, 10 << 20) }).unwrap();
    }
    all_right(&client, 21);
}

fn signal(peer: &Peer, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &peer.pid().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_receiver_that_stops_costs_the_senders_time_and_nothing_else() {
    let (host, client) = start();
    all_right(&client, 0);
    let quick = client.with_deadline(Duration::from_millis(5));
    for round in 0..3 {
        signal(&host, "-STOP");
        let own = bytes(round, 3 << 20);
        // What the ring has no room for goes another way, until there is no room for that either.
        let failed =
            (0..1000).find_map(|_| quick.send(Store::Put { sender: 7, number: round, bytes: &own }).err());
        let failed = failed.expect("a message that is not sent");
        assert!(matches!(failed.error(), Error::DeadlineExceeded { .. }), "{failed}");
        assert!(matches!(failed.into_message(), Store::Put { bytes, .. } if bytes == own));
        signal(&host, "-CONT");
        let back = client.call(|reply| Store::Echo { bytes: &own, reply }).unwrap();
        assert!(back == own);
    }
}

#[test]
fn a_sender_that_is_killed_in_the_middle_hurts_nobody() {
    let (_host, client) = start();
    for round in 0..10 {
        let mut sender = Peer::start("sender", &[client.endpoint()]);
        let own = bytes(round, 1 << 20);
        client.send(Store::Put { sender: 1, number: round, bytes: &own }).unwrap();
        std::thread::sleep(Duration::from_millis(20 + 3 * round));
        sender.kill();
    }
    all_right(&client, 10);
}

#[test]
fn inside_a_process_through_the_port() {
    let found = std::sync::Arc::new(Mutex::new(Vec::new()));
    let keep = found.clone();
    let host = Host::<Vec<u8>>::builder().unnamed();
    let host = host.bind(move |bytes: Vec<u8>, _: &Context| *keep.lock().unwrap() = bytes).unwrap();
    registry::set_lookup_enabled(false);
    let client = Client::from_right(host.send_right().unwrap());
    registry::set_lookup_enabled(true);
    for len in [20 * KIB + 1, 50 * KIB, 68 * KIB + 1, 1 << 20, 5_000_001] {
        let sent = bytes(2, len);
        client.send(sent.clone()).unwrap();
        until("it has come", || found.lock().unwrap().len() == len);
        assert!(*found.lock().unwrap() == sent);
    }
}
