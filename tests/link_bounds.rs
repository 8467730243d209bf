//! How much a peer may take of a process, when it speaks the link protocol by hand.
#![cfg(target_os = "linux")] // the embedded kernel's links

mod endurance_support;
mod hostile_support;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use endurance_support::*;
use hostile_support::{PLAIN, Peer, frame, hello, message, plain, receive};
use machipc::mach;
use machipc::port::{Deadline, MessageBuffer, ReceiveRight, bootstrap};

/// Mach's usual limit, which `check_in` leaves as it is.
const LIMIT: u32 = 5;

/// Not a test of its own: an honest process.
#[test]
fn part() {
    let Some(role) = role() else { return };
    if role[0] == "asker" {
        // Asks whenever it is told to.
        return std::io::stdin().lines().for_each(|_| match bootstrap::look_up::<u64>(&role[1]) {
            Ok(_) => tell("connected"),
            Err(error) => tell(&error.mach().expect("a code").code().to_string()),
        });
    }
    let to = bootstrap::look_up::<u64>(&role[1]).expect("the name is there");
    tell("connected");
    for number in 0..u64::from(2 * LIMIT) {
        send(&to, &number).expect("room, some time");
    }
    tell("sent");
    wait_for_end_of_input();
}

fn path_of(name: &str) -> PathBuf {
    let directory = std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`");
    hostile_support::socket_path(Path::new(&directory), name)
}

/// The credit that the answer to a hello gives.
fn credit(peer: &Peer) -> u32 {
    let (welcome, _) = receive(&peer.socket).expect("an answer");
    u32::from_le_bytes(*welcome[32..].first_chunk().expect("a whole welcome"))
}

/// A message that is no number.
fn junk() -> Vec<u8> {
    message(0, 0, [0; 4], &[], 0, &[0xdead])
}

/// Whether the host ends the link.
fn is_ended(peer: &Peer) -> bool {
    while let Some((packet, _)) = receive(&peer.socket) {
        assert_eq!(packet, b"B", "nothing but bells is expected");
    }
    true
}

/// Takes everything out of a queue: how many messages were numbers, and how many were not.
fn take_until(port: &ReceiveRight<u64>, numbers: u64) -> (u64, u64) {
    let (mut honest, mut junk) = (0, 0);
    let mut buffer = MessageBuffer::new();
    while honest < numbers {
        let received = port.receive(&mut buffer, soon()).expect("the honest process goes on");
        match received.decode::<u64>() {
            Ok(number) => {
                assert_eq!(number, honest, "in order");
                honest += 1;
            }
            Err(_) => junk += 1,
        }
    }
    (honest, junk)
}

#[test]
fn who_comes_again_and_again_fills_no_queue_further() {
    privately("who_comes_again_and_again_fills_no_queue_further", || {
        let port = bootstrap::check_in::<u64>("kept").expect("the name is free");
        let path = path_of("kept");
        let _watchdog = Watchdog::new("queue");
        let before = descriptors().len();
        let mut given = 0;
        for nonce in 0..50 {
            let peer = Peer::connect(&path, nonce, "kept");
            let credit = credit(&peer);
            given += credit;
            (0..credit).for_each(|_| peer.ring.write(&junk()));
            peer.bell();
            if nonce % 2 == 0 {
                // The right is given back and asked for anew, on the same link.
                peer.say(&frame(2, 0, &[0, 1]));
                let again = Peer::connect(&path, nonce, "kept");
                given += self::credit(&again);
            }
            drop(peer);
            // Only when it has ended what it sent is nobody's.
            until("the link ends", || descriptors().len() == before);
        }
        assert_eq!(given, LIMIT, "credit, where nothing is received");

        // Without credit a message ends the link.
        let peer = Peer::connect(&path, 1000, "kept");
        assert_eq!(credit(&peer), 0);
        peer.say(&junk());
        assert!(is_ended(&peer));

        let mut honest = Second::start("part", "honest kept");
        assert_eq!(honest.told(), "connected");
        assert_eq!(take_until(&port, u64::from(2 * LIMIT)), (u64::from(2 * LIMIT), u64::from(LIMIT)));
        assert_eq!(honest.told(), "sent");
        let peer = Peer::connect(&path, 1001, "kept");
        assert_eq!(credit(&peer), LIMIT, "an empty queue is there for whoever comes");
        assert!(honest.finish().success());
    });
}

#[test]
fn who_takes_credit_for_granted_is_turned_away_in_the_end() {
    privately("who_takes_credit_for_granted_is_turned_away_in_the_end", || {
        let port = bootstrap::check_in::<u64>("early").expect("the name is free");
        let path = path_of("early");
        let _watchdog = Watchdog::new("early");
        let mut sent = 0;
        loop {
            let (socket, ring) = (hostile_support::connect(&path), hostile_support::Ring::new());
            let mut early = hello(sent, "early");
            early[1] = 1;
            hostile_support::send(&socket, &early, &[std::os::fd::AsFd::as_fd(&ring.fd)]);
            let Some(_) = receive(&socket) else { break };
            let peer = Peer { socket, ring };
            (0..LIMIT).for_each(|_| peer.ring.write(&junk()));
            peer.bell();
            drop(peer);
            sent += u64::from(LIMIT);
            assert!(sent < 10_000, "nobody stops it");
        }
        let mut honest = Second::start("part", "honest early");
        assert_eq!(honest.told(), "connected");
        assert_eq!(take_until(&port, u64::from(2 * LIMIT)), (u64::from(2 * LIMIT), sent));
        assert!(honest.finish().success());
    });
}

fn set_descriptor_limit(limit: Option<u64>) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: before.maximum }).expect("a lower limit");
    before.current
}

/// What this process has used so far. It takes no descriptor to know.
fn processor_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime)
        .try_into()
        .expect("a time since the start")
}

#[test]
fn who_asks_a_process_without_descriptors_is_told_so_or_waits() {
    privately("who_asks_a_process_without_descriptors_is_told_so_or_waits", || {
        let port = bootstrap::check_in::<u64>("full").expect("the name is free");
        let mut asker = Second::start("part", "asker full");
        let mut other = Second::start("part", "asker full");
        let usual = set_descriptor_limit(Some(descriptors().len() as u64 + 8));
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }
        // None but the one that is kept for this, with which to tell; then one for the connection, and none for its memory.
        for _ in 0..2 {
            for _ in 0..20 {
                asker.say("now");
                assert_eq!(asker.told(), mach::BOOTSTRAP_NO_MEMORY.to_string());
            }
            taken.pop();
        }

        // Not even that one.
        set_descriptor_limit(Some(3));
        other.say("now");
        let (began, before) = (Instant::now(), processor_time());
        std::thread::sleep(Duration::from_millis(300));
        let used = processor_time() - before;
        assert!(used < began.elapsed() / 3, "{used:?} of processor time while nobody could be let in");
        set_descriptor_limit(usual);
        assert_eq!(other.told(), "connected");
        asker.say("now");
        assert_eq!(asker.told(), "connected");
        drop((taken, port));
    });
}

#[test]
fn a_link_that_waits_for_another_keeps_nobody_busy() {
    privately("a_link_that_waits_for_another_keeps_nobody_busy", || {
        let port = bootstrap::check_in::<u64>("paused").expect("the name is free");
        let path = path_of("paused");
        let _watchdog = Watchdog::new("pause");
        let identity = |nonce: u32| [1, 2, 3, 4, std::process::id(), nonce, 0, 0x0707_0707, 0x0707_0707];
        let told = |export: u32, nonce: u32| frame(9, 0, &[&[export, 0], &identity(nonce)[..]].concat());
        // A right to a port of the owner's, in a message that stays in the queue; then the owner asks for silence.
        let owner = Peer::connect(&path, 1, "paused");
        assert_eq!(credit(&owner), LIMIT);
        owner.ring.write(&told(40, 1));
        owner.ring.write(&message(0, 0, [0; 4], &[1, 17, 2, 40, LIMIT], 1, &[1, 0, 0, 0]));
        owner.say(&frame(13, 0, &[40, 1]));
        until("the host is silent", || !owner.ring.written(1).is_empty());
        // Another one tells of the same port, and that it is somebody else's: the owner's word is waited for.
        let other = Peer::connect(&path, 2, "paused");
        assert_eq!(credit(&other), LIMIT);
        other.ring.write(&told(41, 3));
        other.say(&junk());
        until("the link is read", || other.ring.word(0, hostile_support::HEAD).load(Relaxed) > 0);
        let (began, before) = (Instant::now(), processor_time());
        std::thread::sleep(Duration::from_millis(300));
        let used = processor_time() - before;
        assert!(used < began.elapsed() / 3, "{used:?} of processor time for a link that waits");
        // The port stays where it was, and what stood behind comes.
        owner.say(&frame(15, 0, &[40, 0]));
        let mut buffer = MessageBuffer::new();
        for _ in 0..2 {
            assert!(port.receive(&mut buffer, soon()).expect("both messages").decode::<u64>().is_err());
        }
        // A bell is heard as before.
        other.say(&junk());
        port.receive(&mut buffer, soon()).expect("one more");
    });
}

#[test]
fn rights_that_a_move_claims_are_paid_for() {
    privately("rights_that_a_move_claims_are_paid_for", || {
        let port = bootstrap::check_in::<u64>("moved").expect("the name is free");
        let path = path_of("moved");
        let _watchdog = Watchdog::new("move");
        let moved = |once: u32, words: u32| {
            // Export id, the one that is held, limit, messages in the queue, send-once rights, identity, two requests.
            let head = [1 << 31, u32::MAX, LIMIT, 0, once];
            let rest = (0..9 + 6 + words).map(|_| 0);
            frame(11, 0, &head.into_iter().chain(rest).collect::<Vec<u32>>())
        };
        for (once, words) in [(1 << 17, 0), (1, 0), (3, 2), (2, 3), (0, 1)] {
            let peer = Peer::connect(&path, u64::from(once), "moved");
            assert_eq!(credit(&peer), LIMIT);
            peer.say(&moved(once, words));
            assert!(is_ended(&peer), "{once} rights for {words} words");
        }
        // What is paid for is there: one notification for each, once the former owner has gone.
        let peer = Peer::connect(&path, 99, "moved");
        assert_eq!(credit(&peer), LIMIT);
        peer.ring.write(&moved(3, 3));
        let body = [1, 0, 0, 0];
        peer.say(&message(0, 0, [0; 4], &[1, 16, 9, 1 << 31, 0], 1, &body));
        let mut buffer = MessageBuffer::new();
        let received = port.receive(&mut buffer, soon()).expect("the port comes");
        // It carries a port and no number: it is dropped, and the port with it, which ends what the peer had.
        assert!(received.decode::<u64>().is_err());
        peer.say(&frame(3, 0, &[1 << 31, 0]));
        peer.say(&frame(3, 0, &[1 << 31, 0]));
        peer.say(&frame(3, 0, &[1 << 31, 0]));
        let mut honest = Second::start("part", "honest moved");
        assert_eq!(honest.told(), "connected");
        assert_eq!(take_until(&port, u64::from(2 * LIMIT)).0, u64::from(2 * LIMIT));
        assert!(honest.finish().success());
        // A fourth one it never had.
        peer.say(&frame(3, 0, &[1 << 31, 0]));
        assert!(is_ended(&peer));
    });
}

#[test]
fn a_long_message_arrives_in_whatever_parts_it_is_written() {
    privately("a_long_message_arrives_in_whatever_parts_it_is_written", || {
        let port = bootstrap::check_in::<u64>("parts").expect("the name is free");
        let _watchdog = Watchdog::new("parts");
        let peer = Peer::connect(&path_of("parts"), 1, "parts");
        credit(&peer);
        let words: Vec<u32> = (0..16 * 1024).collect();
        let bytes = plain(PLAIN, 0, 0, &[], &words);
        let mut buffer = MessageBuffer::new();
        let size = |buffer: &mut MessageBuffer, deadline| port.receive(buffer, deadline).map(|it| it.size());
        for cut in [1, 8, 23, 24, 25, 8192, 40_000, 65_536, bytes.len() - 1] {
            let (first, second) = bytes.split_at(cut);
            peer.say(first);
            let nothing = size(&mut buffer, Deadline::after(Duration::from_millis(5)));
            assert!(
                nothing.is_err_and(|error| error.is_timed_out()),
                "{cut} of {} bytes are there",
                bytes.len()
            );
            peer.say(second);
            assert_eq!(size(&mut buffer, soon()), Ok(24 + 4 * words.len()));
        }
        // While it is looked at.
        for part in [64, 1000, 8192] {
            std::thread::scope(|scope| {
                scope.spawn(|| bytes.chunks(part).for_each(|bytes| peer.say(bytes)));
                assert_eq!(size(&mut buffer, soon()), Ok(24 + 4 * words.len()));
            });
        }
        peer.say(&junk());
        assert_eq!(size(&mut buffer, soon()), Ok(24 + 4));
    });
}
