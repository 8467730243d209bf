//! A peer that gives out rights to its own port as if they were rights to somebody else's: who gets such a right, and later a right to the
//! other port, has both, and what is sent to the other port goes there. The peer is spoken by hand, so this is for Linux only.
#![cfg(target_os = "linux")]

mod endurance_support;
mod hostile_support;

use std::os::fd::OwnedFd;

use endurance_support::*;
use hostile_support as link;
use machipc::port::{MessageBuffer, bootstrap};

/// Where the identity stands in a welcome, and where in it the owner's process id and name for itself.
const IDENTITY: usize = 4 + 4 + 16 + 12;
const OWNER: usize = IDENTITY + 16;
const END: usize = OWNER + 20;

/// Not a test of its own: the other processes.
#[test]
fn other() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role[..] {
        ["owner", name] => {
            let port = bootstrap::check_in::<u64>(name).expect("the name is free");
            tell("ready");
            let mut buffer = MessageBuffer::new();
            let received = port.receive(&mut buffer, soon()).expect("a message");
            tell(&received.decode::<u64>().expect("a number").to_string());
        }
        ["victim", claimed, real] => {
            let claimed = bootstrap::look_up::<u64>(claimed).expect("it is there");
            let real = bootstrap::look_up::<u64>(real).expect("it is there");
            assert_ne!(claimed.name(), real.name(), "two ports of two processes");
            send(&real, &7).expect("it lives");
            tell("sent");
            wait_for_end_of_input();
        }
        _ => panic!("no role {role:?}"),
    }
}

#[test]
fn a_false_claim_joins_nothing() {
    privately("a_false_claim_joins_nothing", || {
        let directory = std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`");
        let path = |name: &str| link::socket_path(directory.as_ref(), name);
        for lies_about_owner in [true, false] {
            let real = format!("real.{lies_about_owner}");
            let claimed = format!("false.{lies_about_owner}");
            let mut owner = Second::start("other", &format!("owner {real}"));
            assert_eq!(owner.told(), "ready");
            // Anybody who has a right to the port knows its identity.
            let peer = link::Peer::connect(&path(&real), 1, &real);
            let (told, _) = link::receive(&peer.socket).expect("a welcome");

            let listener: OwnedFd = link::socket();
            let address = rustix::net::SocketAddrUnix::new(path(&claimed)).expect("a path");
            rustix::net::bind(&listener, &address).expect("the name is free");
            rustix::net::listen(&listener, 4).expect("a listener");
            let mut victim = Second::start("other", &format!("victim {claimed} {real}"));
            let connection = rustix::net::accept(&listener).expect("the victim");
            let _hello = link::receive(&connection).expect("a hello");
            let mut welcome = link::welcome();
            welcome[IDENTITY..END].copy_from_slice(&told[IDENTITY..END]);
            if !lies_about_owner {
                welcome[OWNER..OWNER + 4].copy_from_slice(&std::process::id().to_le_bytes());
                let nonce: Vec<u8> = welcome[8..24].to_vec();
                welcome[OWNER + 4..END].copy_from_slice(&nonce);
            }
            assert!(link::send(&connection, &welcome, &[]));
            assert_eq!(victim.told(), "sent");
            assert_eq!(owner.told(), "7");
            std::fs::remove_file(path(&claimed)).expect("a socket of ours");
            assert!(victim.finish().success());
        }
    });
}
