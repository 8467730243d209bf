//! Two processes that have a link already: a right to another port of the owner's is told of beside the link, so that what the link tells of
//! the port may come first. One side is spoken by hand, so this is for Linux only.
#![cfg(target_os = "linux")]

mod endurance_support;
mod hostile_support;

use std::os::fd::{AsFd, OwnedFd};

use endurance_support::*;
use hostile_support as link;
use machipc::port::{MessageBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};

/// Kinds of frames.
const DEAD: u8 = 4;
const RELEASE: u8 = 2;
const HALT: u8 = 13;
const HALTED: u8 = 14;
const REDIRECT: u8 = 16;
const IMPORTED: u8 = 26;

/// Where in a message's frame its id stands.
const MESSAGE_ID: usize = 8 + 4 + 4;

/// Where in a welcome the right stands, its identity, and the number of the link that both sides have already.
const EXPORT: usize = 4 + 4 + 16 + 4;
const IDENTITY: usize = EXPORT + 4 + 4;
const EXISTING: usize = IDENTITY + 36;

/// Not a test of its own: the other processes.
#[test]
fn other() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role[..] {
        ["visitor", name] => {
            let first = bootstrap::look_up::<u64>(name).expect("it is there");
            let second = bootstrap::look_up::<u64>(name).expect("it is there");
            until("the second right is dead", || second.is_dead());
            assert!(!first.is_dead());
            let told = ReceiveRight::<()>::new().expect("a port");
            assert!(second.notify_dead_name(&told).is_err(), "it is known to be dead");
            tell("dead");
        }
        ["owner", name] => {
            let port = bootstrap::check_in::<u64>(name).expect("the name is free");
            tell("ready");
            wait_for_word();
            drop(port);
            tell("dropped");
            // Somebody waits for what comes by the link.
            let idle = ReceiveRight::<()>::new().expect("a port");
            std::thread::spawn(move || idle.receive(&mut MessageBuffer::new(), soon()).map(drop));
            wait_for_end_of_input();
        }
        // Gives its second port to another process.
        ["mover", first, second, heir] => {
            let _first = bootstrap::check_in::<u64>(first).expect("the name is free");
            let port = bootstrap::check_in::<u64>(second).expect("the name is free");
            let heir = bootstrap::look_up::<(ReceiveRight<u64>,)>(heir).expect("it is there");
            tell("ready");
            wait_for_word();
            send_right(&heir, port);
            // What is passed on goes through this process.
            let idle = ReceiveRight::<()>::new().expect("a port");
            std::thread::spawn(move || idle.receive(&mut MessageBuffer::new(), soon()).map(drop));
            wait_for_end_of_input();
        }
        ["heir", name] => {
            let port = bootstrap::check_in::<(ReceiveRight<u64>,)>(name).expect("the name is free");
            tell("ready");
            let mut buffer = MessageBuffer::new();
            let received = port.receive(&mut buffer, soon()).expect("a port");
            let (moved,) = received.decode::<(ReceiveRight<u64>,)>().expect("a port");
            tell("moved");
            let mut buffer = MessageBuffer::new();
            let received = moved.receive(&mut buffer, soon()).expect("a number");
            tell(&received.decode::<u64>().expect("a number").to_string());
            wait_for_end_of_input();
        }
        _ => panic!("no role {role:?}"),
    }
}

fn send_right(heir: &SendRight<(ReceiveRight<u64>,)>, port: ReceiveRight<u64>) {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, &(port,))
        .expect("it can be encoded")
        .copy_send(heir)
        .send(soon())
        .expect("it lives");
}

fn path(name: &str) -> std::path::PathBuf {
    let directory = std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`");
    link::socket_path(directory.as_ref(), name)
}

/// The numbers behind the export in frames of this kind about it that were written to a direction.
fn numbers(ring: &link::Ring, direction: usize, kind: u8, export: u32) -> Vec<u32> {
    let (bytes, mut at, mut numbers) = (ring.written(direction), 0, Vec::new());
    let word =
        |at: usize| bytes.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().expect("four")));
    while let Some(len) = word(at) {
        if bytes.get(at + 4) == Some(&kind) && word(at + 8) == Some(export) {
            numbers.extend(word(at + 12));
        }
        at += link::place(8 + len as usize);
    }
    numbers
}

/// How often a frame of this kind about this export was written to a direction.
fn count(ring: &link::Ring, direction: usize, kind: u8, export: u32) -> usize {
    numbers(ring, direction, kind, export).len()
}

#[test]
fn a_death_that_comes_before_the_welcome_is_told_again() {
    privately("a_death_that_comes_before_the_welcome_is_told_again", || {
        let name = "by.hand";
        let listener: OwnedFd = link::socket();
        let address = rustix::net::SocketAddrUnix::new(path(name)).expect("a path");
        rustix::net::bind(&listener, &address).expect("the name is free");
        rustix::net::listen(&listener, 4).expect("a listener");
        // Whoever has the lock owns the name, and is waited for.
        let lock = std::fs::File::create(path(name).with_extension("lock")).expect("the name is free");
        let exclusively = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        rustix::fs::fcntl_lock(&lock, exclusively).expect("the name is free");
        let mut visitor = Second::start("other", &format!("visitor {name}"));
        // The first right makes the link.
        let first = rustix::net::accept(&listener).expect("the visitor");
        let (_, memory) = link::receive(&first).expect("a hello");
        let ring = link::Ring::map(memory.expect("the link's memory"));
        assert!(link::send(&first, &link::welcome(), &[]));

        let second = rustix::net::accept(&listener).expect("the visitor");
        let _hello = link::receive(&second).expect("a hello");
        let say = |frames: &[Vec<u8>]| {
            ring.write_to(1, &frames.concat());
            assert!(link::send(&first, b"B", &[]));
        };
        // What is answered behind it tells that it was heard.
        say(&[link::frame(DEAD, 0, &[1, 0]), link::frame(HALT, 0, &[7, 1])]);
        until("the visitor has heard of the death", || count(&ring, 0, HALTED, 7) == 1);
        assert_eq!(count(&ring, 0, RELEASE, 1), 0, "it knows of no such right");
        let mut welcome = link::welcome();
        // Another port than the first.
        welcome[IDENTITY..EXISTING].fill(0);
        welcome[EXPORT..EXPORT + 4].copy_from_slice(&1_u32.to_le_bytes());
        let number = rustix::fs::fstat(ring.fd.as_fd()).expect("memory").st_ino;
        welcome[EXISTING..EXISTING + 8].copy_from_slice(&number.to_le_bytes());
        assert!(link::send(&second, &welcome, &[]));
        until("the visitor says that it has the right", || count(&ring, 0, IMPORTED, 1) == 1);
        say(&[link::frame(DEAD, 0, &[1, 0])]);
        assert_eq!(visitor.told(), "dead");
        until("the dead right is given back", || count(&ring, 0, RELEASE, 1) == 1);
        assert!(visitor.finish().success());
        std::fs::remove_file(path(name)).expect("a socket of ours");
        std::fs::remove_file(path(name).with_extension("lock")).expect("a lock of ours");
    });
}

#[test]
fn an_owner_tells_again_and_only_of_what_it_gave() {
    privately("an_owner_tells_again_and_only_of_what_it_gave", || {
        let name = "an.owner";
        let mut owner = Second::start("other", &format!("owner {name}"));
        assert_eq!(owner.told(), "ready");
        let peer = link::Peer::connect(&path(name), 1, name);
        let (welcome, _) = link::receive(&peer.socket).expect("a welcome");
        let export = u32::from_le_bytes(welcome[EXPORT..EXPORT + 4].try_into().expect("four"));
        let imported = |export| peer.say(&link::frame(IMPORTED, 0, &[export, 0]));
        // Of a port that lives there is nothing to tell.
        imported(export);
        peer.say(&link::frame(HALT, 0, &[export + 7, 1]));
        until("it has heard", || count(&peer.ring, 1, HALTED, export + 7) == 1);
        assert_eq!(count(&peer.ring, 1, DEAD, export), 0);

        owner.say("drop it");
        assert_eq!(owner.told(), "dropped");
        until("it tells of the death", || count(&peer.ring, 1, DEAD, export) == 1);
        imported(export);
        until("it tells again", || count(&peer.ring, 1, DEAD, export) == 2);
        imported(export + 7);
        until("the link ends", || link::receive(&peer.socket).is_none());
        assert!(owner.finish().success());
    });
}

#[test]
fn a_move_that_comes_before_the_welcome_is_told_again() {
    privately("a_move_that_comes_before_the_welcome_is_told_again", || {
        let mut heir = Second::start("other", "heir the.heir");
        assert_eq!(heir.told(), "ready");
        let mut mover = Second::start("other", "mover first second the.heir");
        assert_eq!(mover.told(), "ready");
        let peer = link::Peer::connect(&path("first"), 1, "first");
        let _first = link::receive(&peer.socket).expect("a welcome");
        let again = link::Peer::connect(&path("second"), 1, "second");
        let (welcome, _) = link::receive(&again.socket).expect("a welcome");
        let export = u32::from_le_bytes(welcome[EXPORT..EXPORT + 4].try_into().expect("four"));
        assert_ne!(welcome[EXISTING..EXISTING + 8], [0; 8], "one link is enough");

        // Before this peer has read that, it is asked to stop sending by a right of which it does not know.
        mover.say("move it");
        let halts = || numbers(&peer.ring, 1, HALT, export);
        let halted = |serial| peer.say(&link::frame(HALTED, 0, &[export, serial]));
        until("it is asked to stop", || halts().len() == 1);
        halted(halts()[0]);
        until("it is told where to go", || count(&peer.ring, 1, REDIRECT, export) == 1);
        assert_eq!(heir.told(), "moved");
        // Now it knows, and sends.
        let payload =
            machipc::message::Prefix::new(8, <u64 as machipc::message::MachMessage>::fingerprint(), 0);
        let mut bytes = vec![0; 8];
        bytes.extend_from_slice(&payload.expect("it is short").to_bytes());
        bytes.extend_from_slice(&77_u64.to_le_bytes());
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("four"))).collect();
        let mut message = link::message(export, 0, [0; 4], &[], 0, &words);
        message[MESSAGE_ID..MESSAGE_ID + 4].copy_from_slice(&machipc::message::PLAIN_ID.to_le_bytes());
        peer.say(&[link::frame(IMPORTED, 0, &[export, 0]), message].concat());
        assert_eq!(heir.told(), "77");
        until("it is asked once more", || halts().len() == 2);
        halted(halts()[1]);
        until("it is told once more", || count(&peer.ring, 1, REDIRECT, export) == 2);
        // Once is enough.
        peer.say(&[link::frame(IMPORTED, 0, &[export, 0]), link::frame(HALT, 0, &[export + 7, 1])].concat());
        until("it has heard", || count(&peer.ring, 1, HALTED, export + 7) == 1);
        assert_eq!(halts().len(), 2);
        assert!(heir.finish().success());
        until("the name goes with its port", || {
            bootstrap_files().iter().all(|file| file.starts_with("first"))
        });
        assert!(mover.finish().success());
    });
}
