//! Receive rights that move between processes while others send: no message is lost, doubled or out of order, whoever sends is brought to
//! the new owner, and nobody needs the former ones.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many rounds of random kills there are, `MACHIPC_TEST_SEED` repeats a run's choices.
#![cfg(target_os = "linux")] // processes are told apart by what /proc and the links know of them

mod endurance_support;

use std::collections::HashMap;
use std::time::Duration;

use endurance_support::*;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};

/// What senders send: who, and the how manieth it is.
type Item = (u32, u64);
/// A port on its way, and the last number of each sender that was received before, as pairs.
type Estate = (ReceiveRight<Item>, Vec<u64>);

/// Not a test of its own: the other processes.
#[test]
fn other() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role[..] {
        ["owner", name, heir, senders, end] => owner(name, heir, number(senders) as usize, end),
        ["heir", name, next, received, end] => heir(name, next, number(received), end),
        ["sender", name, count] => sender(name, number(count)),
        _ => panic!("no role {role:?}"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// Ends the process without a farewell, or keeps it.
fn end(how: &str) {
    match how {
        "killed" => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .expect("this process"),
        "exits" => std::process::exit(0),
        "stays" => wait_for_end_of_input(),
        other => panic!("no end {other}"),
    }
}

/// Has a port until all senders have sent something, then gives it to an heir.
fn owner(name: &str, heir: &str, senders: usize, how: &str) {
    let mut port = bootstrap::check_in::<Item>(name).expect("the name is free");
    let heir = bootstrap::look_up::<Estate>(heir).expect("the heir is there");
    tell("ready");
    let mut ledger = Ledger::default();
    while ledger.last.len() < senders {
        ledger.receive(&mut port);
    }
    tell("moves");
    give(&heir, (port, ledger.as_words()));
    end(how);
}

fn give(heir: &SendRight<Estate>, estate: Estate) {
    send(heir, &estate).expect("the heir lives");
}

/// Gets a port, receives some messages and gives it to the next.
fn heir(name: &str, next: &str, count: u64, how: &str) {
    let service = bootstrap::check_in::<Estate>(name).expect("the name is free");
    tell("ready");
    let next = bootstrap::look_up::<Estate>(next).expect("the next heir is there");
    let mut ledger = Ledger::default();
    let mut port = ledger.inherit(&service);
    for _ in 0..count {
        ledger.receive(&mut port);
    }
    give(&next, (port, ledger.as_words()));
    end(how);
}

/// Sends numbers until all are sent or the port has died.
fn sender(name: &str, count: u64) {
    end_with_parent();
    let port = bootstrap::look_up::<Item>(name).expect("the name is there");
    let pid = std::process::id();
    for seq in 1..=count {
        if send(&port, &(pid, seq)).is_err() {
            assert!(port.is_dead(), "a send failed, and the port lives");
            tell(&format!("dead {seq}"));
            return wait_for_end_of_input();
        }
        // Fast at first, so that much is on its way, and not over before the port has moved.
        if seq % 64 == 63 {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    tell("done");
    wait_for_end_of_input();
}

/// What has been received of each sender.
#[derive(Default)]
struct Ledger {
    last: HashMap<u32, u64>,
    /// Senders whose messages come from themselves, not by a former owner of the port.
    direct: HashMap<u32, u64>,
    buffer: MessageBuffer,
}

impl Ledger {
    fn as_words(&self) -> Vec<u64> {
        self.last.iter().flat_map(|(&pid, &seq)| [u64::from(pid), seq]).collect()
    }

    fn inherit(&mut self, service: &ReceiveRight<Estate>) -> ReceiveRight<Item> {
        let (port, words) = {
            let received = service.receive(&mut self.buffer, soon()).expect("a port");
            received.decode::<Estate>().expect("an estate")
        };
        self.last = words.chunks_exact(2).map(|pair| (pair[0] as u32, pair[1])).collect();
        port
    }

    fn receive(&mut self, port: &mut ReceiveRight<Item>) {
        assert!(self.receive_until(port, soon()), "a message");
    }

    fn receive_until(&mut self, port: &mut ReceiveRight<Item>, deadline: Deadline) -> bool {
        let Ok(received) = port.receive(&mut self.buffer, deadline) else { return false };
        let by = received.sender().pid();
        let (pid, seq) = received.decode::<Item>().expect("an item");
        let last = self.last.insert(pid, seq).unwrap_or(0);
        assert_eq!(seq, last + 1, "of {pid}, by {by}: lost, doubled or out of order");
        if by == pid {
            *self.direct.entry(pid).or_default() += 1;
        } else {
            assert!(!self.direct.contains_key(&pid), "{pid} sent by itself before, and now by {by}");
        }
        true
    }

    /// Receives until each of the senders has sent `count`.
    fn receive_all(&mut self, port: &mut ReceiveRight<Item>, senders: &[Second], count: u64) {
        let done = |ledger: &Self| senders.iter().all(|s| ledger.last.get(&s.pid()) == Some(&count));
        while !done(self) {
            self.receive(port);
        }
        assert!(!self.receive_until(port, Deadline::now()), "more came than was sent");
        for sender in senders {
            assert!(self.direct.contains_key(&sender.pid()), "{} never came over", sender.pid());
        }
    }
}

fn start(what: &str) -> Second {
    Second::start("other", what)
}

fn start_senders(name: &str, how_many: usize, count: u64) -> Vec<Second> {
    (0..how_many).map(|_| start(&format!("sender {name} {count}"))).collect()
}

const SENT: u64 = 2_000;

#[test]
fn the_former_owner_is_not_needed() {
    privately("the_former_owner_is_not_needed", || {
        for (round, how) in ["killed", "exits", "stays"].into_iter().enumerate() {
            let service = bootstrap::check_in::<Estate>(&format!("moved.heir.{round}")).expect("free");
            let name = format!("moved.port.{round}");
            let mut owner = start(&format!("owner {name} moved.heir.{round} 2 {how}"));
            assert_eq!(owner.told(), "ready");
            let mut senders = start_senders(&name, 2, SENT);
            let mut ledger = Ledger::default();
            let mut port = ledger.inherit(&service);
            ledger.receive_all(&mut port, &senders, SENT);
            for sender in &mut senders {
                assert_eq!(sender.told(), "done");
            }
        }
    });
}
