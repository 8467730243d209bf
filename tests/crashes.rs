//! Processes that are killed at any instant, in the middle of all kinds of traffic: who survives is told, has received what was
//! acknowledged exactly once and in order, and keeps nothing of the dead.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many rounds there are; each kills two processes. `MACHIPC_TEST_SEED` repeats a run's choices.
#![cfg(target_os = "linux")] // it reads /proc

mod endurance_support;
#[path = "endurance_support/traffic.rs"]
mod traffic;

use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use endurance_support::*;
use machipc::port::{ReceiveRight, bootstrap};
use machipc::{Client, Context, Error, Host};
use traffic::{Kind, Node, Tally, Traffic};

/// Not a test of its own: the processes that are killed.
#[test]
fn victim() {
    let Some(role) = role() else { return };
    abort_on_panic();
    end_with_parent();
    match role[0].as_str() {
        "peer" => peer(&role[1], &role[2], role[3].parse().expect("a seed")),
        "host" => host(&role[1]),
        other => panic!("no role {other}"),
    }
}

/// Serves under a name of its own, sends to the parent's, and to another peer's when told to.
fn peer(name: &str, parents: &str, seed: u64) {
    let service = bootstrap::check_in::<Traffic>(name).expect("the name is free");
    let node = Node::new();
    let to = bootstrap::look_up::<Traffic>(parents).expect("the parent's name");
    let acknowledged = std::fs::File::create(own_directory().join(name)).expect("a file");
    let own = service.make_send().expect("own port").cast();
    let hello = traffic::message(1, Kind::Hello, 0, vec![own]);
    send(&to, &hello).expect("the parent lives");
    acknowledged.write_all_at(&1_u64.to_le_bytes(), 0).expect("a file");
    std::thread::scope(|scope| {
        scope.spawn(|| node.hear_notifications());
        scope.spawn(|| node.serve(&service));
        scope.spawn(|| {
            // Until the parent says who else there is.
            let (other, pid) = node.await_peer();
            let report = traffic_with_other(&node, &service, &other, pid, seed, &acknowledged);
            node.report(pid, report);
        });
        node.send_traffic(&to, 0, 1, seed, |seq| {
            acknowledged.write_all_at(&seq.to_le_bytes(), 0).expect("a file");
        });
    });
}

/// Sends to another peer until that has died. Returns the last message that came from there, if there ever was a connection.
fn traffic_with_other(
    node: &Node,
    service: &ReceiveRight<Traffic>,
    other: &str,
    pid: u32,
    seed: u64,
    acknowledged: &std::fs::File,
) -> Option<u64> {
    let to = bootstrap::look_up::<Traffic>(other).ok()?;
    node.send_traffic(&to, pid, 0, seed + 1, |seq| {
        acknowledged.write_all_at(&seq.to_le_bytes(), 8).expect("a file");
    });
    node.await_dead_names(Some(pid));
    // What it had sent is in the queue; this comes after it.
    node.pass_barrier(service);
    Some(node.last(pid))
}

fn acknowledged_by(name: &str) -> [u64; 2] {
    let bytes = std::fs::read(own_directory().join(name)).unwrap_or_default();
    [0, 8].map(|at| {
        bytes.get(at..at + 8).map_or(0, |word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
    })
}

fn assert_all_came(what: &str, acknowledged: u64, received: u64) {
    // The sender may have died between the end of a send and the note about it.
    assert!(
        received == acknowledged || received == acknowledged + 1,
        "{what}: {acknowledged} messages were acknowledged and {received} received"
    );
}

/// Two peers in traffic with this process and each other: one of them is killed, then the other.
fn round(number: u64, random: &mut Random, tally: &Tally) {
    let own = format!("crash.parent.{number}");
    let names = ["a", "b"].map(|tag| format!("crash.peer.{number}.{tag}"));
    let service = bootstrap::check_in::<Traffic>(&own).expect("the name is free");
    let node = Node::new();
    let seed = random.below(u64::MAX >> 16);
    let mut peers = names.clone().map(|name| Second::start("victim", &format!("peer {name} {own} {seed}")));
    let pids = [peers[0].pid(), peers[1].pid()];
    let early = random.below(6) == 0;
    std::thread::scope(|scope| {
        scope.spawn(|| node.hear_notifications());
        scope.spawn(|| node.serve(&service));
        if early {
            // Before it has done anything, or while it connects.
            std::thread::sleep(Duration::from_micros(random.below(12_000)));
        } else {
            for (index, &pid) in pids.iter().enumerate() {
                let to = node.await_hello(pid).cast::<Traffic>();
                let other = (names[1 - index].clone(), pids[1 - index]);
                let seed = seed + 2 + index as u64;
                let node = &node;
                scope.spawn(move || {
                    node.introduce(&to, other);
                    node.send_traffic(&to, pid, 1, seed, |_| {});
                });
            }
            std::thread::sleep(Duration::from_micros(random.below(30_000)));
        }
        let first = random.below(2) as usize;
        peers[first].kill();
        if early {
            std::thread::sleep(Duration::from_micros(random.below(12_000)));
        } else {
            if let Some(received) = node.await_report(pids[1 - first]) {
                assert_all_came("between the peers", acknowledged_by(&names[first])[1], received);
                tally.reports.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(Duration::from_micros(random.below(8_000)));
        }
        peers[1 - first].kill();
        for (&pid, name) in pids.iter().zip(&names) {
            let [acknowledged, _] = acknowledged_by(name);
            if acknowledged > 0 {
                let port = node.await_hello(pid);
                until("a dead peer's port is dead", || port.is_dead());
            }
            assert!(bootstrap::look_up::<Traffic>(name).is_err(), "{name} is still taken");
        }
        node.await_dead_names(None);
        node.await_no_senders();
        node.pass_barrier(&service);
        for (&pid, name) in pids.iter().zip(&names) {
            let [acknowledged, _] = acknowledged_by(name);
            assert_all_came(name, acknowledged, node.last(pid));
            node.check_moved(pid, acknowledged);
            let _ = std::fs::remove_file(own_directory().join(name));
        }
        node.stop(&service);
    });
    tally.add(&node);
}

#[test]
fn whoever_survives_is_told_and_keeps_nothing() {
    privately("whoever_survives_is_told_and_keeps_nothing", || {
        let rounds = rounds(32);
        let seed = std::env::var("MACHIPC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        println!("seed {seed}");
        abort_on_panic();
        let (mut random, tally, watchdog) = (Random::new(seed), Tally::default(), Watchdog::new("crashes"));
        // The first rounds make what lasts.
        for number in 0..2 {
            round(number, &mut random, &Tally::default());
        }
        let before = (traffic::holdings(), descriptors(), mappings(), bootstrap_files());
        let start = Instant::now();
        for number in 2..2 + rounds {
            round(number, &mut random, &tally);
            watchdog.feed();
        }
        let now = || (traffic::holdings(), descriptors(), mappings(), bootstrap_files());
        let deadline = Instant::now() + Duration::from_secs(20);
        while now() != before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(now(), before, "something of the dead remains");
        println!("{} processes killed in {:.1?}: {tally:?}", rounds * 2, start.elapsed());
        tally.assert_all_happened();
    });
}

/// A host that answers calls and is killed.
fn host(name: &str) {
    let _host = Host::<Vec<u8>>::builder()
        .name(name)
        .bind(|_: Vec<u8>, _: &Context| {})
        .expect("the name is free at once after its owner's death");
    tell("ready");
    wait_for_end_of_input();
}

#[test]
fn clients_of_a_killed_host_are_told_and_find_the_next() {
    privately("clients_of_a_killed_host_are_told_and_find_the_next", || {
        abort_on_panic();
        let watchdog = Watchdog::new("hosts");
        let mut random = Random::new(u64::from(std::process::id()));
        let name = "crash.host";
        for _ in 0..rounds(12) {
            let mut host = Second::start("victim", &format!("host {name}"));
            assert_eq!(host.told(), "ready");
            let clients: Vec<_> =
                (0..3).map(|_| Client::<Vec<u8>>::connect_to(name).expect("the host is there")).collect();
            std::thread::scope(|scope| {
                for (index, client) in clients.iter().enumerate() {
                    scope.spawn(move || {
                        let mut sent = 0_u64;
                        let error = loop {
                            // Inline, and out of line.
                            let len = if sent % 64 == 63 { 100_000 } else { 10 * index };
                            match client.send(vec![1; len]) {
                                Ok(()) => sent += 1,
                                Err(error) => break error.into_error(),
                            }
                        };
                        assert!(matches!(error, Error::HostDied { .. }), "{error}");
                        assert!(client.is_dead());
                    });
                }
                std::thread::sleep(Duration::from_micros(random.below(20_000)));
                host.kill();
            });
            assert!(matches!(Client::<Vec<u8>>::connect_to(name), Err(Error::NotFound { .. })));
            watchdog.feed();
        }
    });
}
