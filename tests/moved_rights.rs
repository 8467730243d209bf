//! Receive rights that move between processes while others send: no message is lost, doubled or out of order, whoever sends is brought to
//! the new owner, and nobody needs the former ones.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many rounds of random kills there are, `MACHIPC_TEST_SEED` repeats a run's choices.
#![cfg(target_os = "linux")] // processes are told apart by what /proc and the links know of them

mod endurance_support;

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use endurance_support::*;
use machipc::port::{
    Deadline, MessageBuffer, Notification, Outgoing, ReceiveRight, SendOnceRight, SendRight, bootstrap,
};

use rustix::process::{Pid, Signal, kill_process};

/// What senders send: who, and the how manieth it is.
type Item = (u32, u64);
/// A port on its way, and the last number of each sender that was received before, as pairs.
type Estate = (ReceiveRight<Item>, Vec<u64>);
/// A port that has others in its queue.
type Nest = (ReceiveRight<Estate>,);

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
        ["both", name, own, next, count] => sender_and_heir(name, own, next, number(count)),
        ["lender", name, to, count] => lender(name, to, number(count)),
        ["borrower", own, count] => borrower(own, number(count)),
        ["nester", outer, inner, heir] => nester(outer, inner, heir),
        ["once", asker, heir, count] => gives_once_rights(asker, heir, number(count) as usize),
        ["maker", own, taker] => maker(own, taker),
        ["taker", own] => taker(own),
        ["bouncer", own, next, name, seed] => bouncer(own, next, name, number(seed)),
        _ => panic!("no role {role:?}"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process");
    kill_process(pid, signal).expect("a process of ours");
}

/// Ends the process without a farewell, or keeps it.
fn end(how: &str) {
    match how {
        "killed" => signal(std::process::id(), Signal::KILL),
        "exits" => std::process::exit(0),
        "stays" => wait_for_end_of_input(),
        other => panic!("no end {other}"),
    }
}

/// Has a port until all senders have sent something, then gives it to an heir.
fn owner(name: &str, heir: &str, senders: usize, how: &str) {
    let mut port = bootstrap::check_in::<Item>(name).expect("the name is free");
    tell("ready");
    let mut ledger = Ledger::default();
    while ledger.last.len() < senders {
        ledger.receive(&mut port);
    }
    let heir = bootstrap::look_up::<Estate>(heir).expect("the heir is there");
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
    tell(&send_numbers(&port, count, || {}));
    wait_for_end_of_input();
}

/// Sends numbers, and notes in a file how many were sent. Tells how it ended.
fn send_numbers(port: &SendRight<Item>, count: u64, mut between: impl FnMut()) -> String {
    let pid = std::process::id();
    let sent = std::fs::File::create(own_directory().join(pid.to_string())).expect("a file");
    for seq in 1..=count {
        if send(port, &(pid, seq)).is_err() {
            assert!(port.is_dead(), "a send failed, and the port lives");
            sent.write_all_at(&1_u64.to_le_bytes(), 8).expect("a file");
            return "dead".into();
        }
        sent.write_all_at(&seq.to_le_bytes(), 0).expect("a file");
        between();
        // Fast at first, so that much is on its way, and not over before the port has moved.
        if seq % 64 == 63 {
            if own_directory().join(STOP).exists() {
                break;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    "done".into()
}

/// A file that has senders stop.
const STOP: &str = "stop";

/// Whether a process has found its port dead, by its own note.
fn found_dead(pid: u32) -> bool {
    std::fs::read(own_directory().join(pid.to_string())).is_ok_and(|bytes| bytes.len() > 8)
}

/// How many messages a process has sent, by its own note.
fn sent_by(pid: u32) -> u64 {
    let bytes = std::fs::read(own_directory().join(pid.to_string())).unwrap_or_default();
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Sends to a port, gets it, and gives it on, while it goes on sending.
fn sender_and_heir(name: &str, own: &str, next: &str, count: u64) {
    let port = bootstrap::look_up::<Item>(name).expect("the name is there");
    let send_name = port.name();
    std::thread::scope(|scope| {
        scope.spawn(|| tell(&send_numbers(&port, count, || {})));
        let service = bootstrap::check_in::<Estate>(own).expect("the name is free");
        let next = bootstrap::look_up::<Estate>(next).expect("the next heir is there");
        tell("ready");
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        assert_eq!(port.name(), send_name, "a receive right joins the send right that is there");
        for _ in 0..100 {
            ledger.receive(&mut port);
        }
        give(&next, (port, ledger.as_words()));
    });
    wait_for_end_of_input();
}

/// Sends numbers, and meanwhile gives its right to somebody else, again and again.
fn lender(name: &str, to: &str, count: u64) {
    end_with_parent();
    let port = bootstrap::look_up::<Item>(name).expect("the name is there");
    let to = bootstrap::look_up::<SendRight<Item>>(to).expect("the borrower is there");
    let mut sent = 0_u64;
    let end = send_numbers(&port, count, || {
        sent += 1;
        if sent % 50 == 1 {
            send(&to, &port.clone()).expect("the borrower lives");
        }
    });
    tell(&end);
    wait_for_end_of_input();
}

/// Sends numbers by a right that it gets from a lender again and again.
fn borrower(own: &str, count: u64) {
    end_with_parent();
    let service = bootstrap::check_in::<SendRight<Item>>(own).expect("the name is free");
    tell("ready");
    let mut buffer = MessageBuffer::new();
    let port = service.receive(&mut buffer, soon()).expect("a right").decode::<SendRight<Item>>();
    let port = port.expect("a right");
    let mut receive_again = |deadline| match service.receive(&mut buffer, deadline) {
        Ok(received) => {
            let again = received.decode::<SendRight<Item>>().expect("a right");
            assert_eq!(again.name(), port.name(), "a right joins the one that is there");
            true
        }
        Err(_) => false,
    };
    let end = send_numbers(&port, count, || while receive_again(Deadline::now()) {});
    tell(&end);
    // The lender may be behind by more than the queue holds.
    while receive_again(Deadline::never()) {}
}

/// Has a port, to which it sends another one, and gives the first to an heir.
fn nester(outer: &str, inner: &str, heir: &str) {
    let outer = bootstrap::check_in::<Estate>(outer).expect("the name is free");
    let mut inner = bootstrap::check_in::<Item>(inner).expect("the name is free");
    tell("ready");
    let mut ledger = Ledger::default();
    while ledger.last.len() < 2 {
        ledger.receive(&mut inner);
    }
    give(&outer.make_send().expect("own port"), (inner, ledger.as_words()));
    let heir = bootstrap::look_up::<Nest>(heir).expect("the heir is there");
    send(&heir, &(outer,)).expect("the heir lives");
    end("killed");
}

/// Gives somebody many rights to a port that are good for one message, and the port to somebody else.
fn gives_once_rights(asker: &str, heir: &str, count: usize) {
    let asker = bootstrap::look_up::<Vec<SendOnceRight<Item>>>(asker).expect("it is there");
    let heir = bootstrap::look_up::<Estate>(heir).expect("it is there");
    let port = ReceiveRight::<Item>::new().expect("a port");
    let rights = (0..count).map(|_| port.make_send_once().expect("own port")).collect();
    send(&asker, &rights).expect("the asker lives");
    give(&heir, (port, Vec::new()));
    end("killed");
}

/// Makes ports, gives a right to whoever asks and then the port to another process.
fn maker(own: &str, taker: &str) {
    end_with_parent();
    let service = bootstrap::check_in::<SendRight<SendRight<Item>>>(own).expect("the name is free");
    tell("ready");
    let taker = bootstrap::look_up::<Estate>(taker).expect("it is there");
    let mut buffer = MessageBuffer::new();
    loop {
        let asked = service.receive(&mut buffer, Deadline::never()).expect("a question");
        let asker = asked.decode::<SendRight<SendRight<Item>>>().expect("a right");
        let port = ReceiveRight::<Item>::new().expect("a port");
        send(&asker, &port.make_send().expect("own port")).expect("the asker lives");
        give(&taker, (port, Vec::new()));
    }
}

/// Gets ports, and gives each up after a message.
fn taker(own: &str) {
    end_with_parent();
    let service = bootstrap::check_in::<Estate>(own).expect("the name is free");
    tell("ready");
    loop {
        let mut buffer = MessageBuffer::new();
        let received = service.receive(&mut buffer, Deadline::never()).expect("own port");
        let (port, _) = received.decode::<Estate>().expect("a port");
        let item = port.receive(&mut MessageBuffer::new(), soon()).expect("a message").decode::<Item>();
        assert_eq!(item.expect("an item"), (1, 1));
    }
}

/// The last word of a name.
fn name_of_round(name: &str) -> &str {
    name.rsplit('.').next().expect("a word")
}

/// Gets a port again and again, receives a little, and gives it to the other one. Whoever has it when it is asked to tells that everything
/// has come that was sent.
fn bouncer(own: &str, next: &str, name: &str, seed: u64) {
    end_with_parent();
    let mut random = Random::new(seed);
    let service = bootstrap::check_in::<Estate>(own).expect("the name is free");
    let mut ledger = Ledger::default();
    let mut port = (!name.is_empty() && seed.is_multiple_of(2))
        .then(|| bootstrap::check_in::<Item>(name).expect("free"));
    tell("ready");
    // The other one begins at the same time.
    let other = loop {
        match bootstrap::look_up::<Estate>(next) {
            Ok(other) => break other,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    loop {
        let mut held = port.take().unwrap_or_else(|| ledger.inherit(&service));
        for _ in 0..random.below(20) {
            ledger.receive_until(&mut held, Deadline::after(Duration::from_millis(5)));
        }
        if ledger.last.contains_key(&0) {
            let senders: Vec<u32> = ledger.last.keys().copied().filter(|&pid| pid != 0).collect();
            let missing = |ledger: &Ledger| senders.iter().any(|pid| ledger.last[pid] < sent_by(*pid));
            while missing(&ledger) {
                ledger.receive(&mut held);
            }
            std::fs::write(own_directory().join(format!("complete.{}", name_of_round(own))), "")
                .expect("a file");
            return wait_for_end_of_input();
        }
        let estate = (held, ledger.as_words());
        if send(&other, &estate).is_err() {
            // The other one has died, and the port stays here.
            port = Some(estate.0);
        }
    }
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
        // What was in the queue comes from whoever gave the port.
        self.direct.clear();
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

/// As `start`, once the process is ready.
fn started(what: &str) -> Second {
    let mut process = start(what);
    assert_eq!(process.told(), "ready");
    process
}

fn start_senders(name: &str, how_many: usize, count: u64) -> Vec<Second> {
    (0..how_many).map(|_| start(&format!("sender {name} {count}"))).collect()
}

const SENT: u64 = 2_000;

/// As `privately`; the names of those who were killed are removed by the next one who takes a name.
fn in_private(test: &str, body: impl FnOnce()) {
    privately(test, || {
        body();
        drop(bootstrap::check_in::<()>("last").expect("free"));
    });
}

#[test]
fn the_former_owner_is_not_needed() {
    in_private("the_former_owner_is_not_needed", || {
        for (round, how) in ["killed", "exits", "stays"].into_iter().enumerate() {
            let service = bootstrap::check_in::<Estate>(&format!("moved.heir.{round}")).expect("free");
            let name = format!("moved.port.{round}");
            let _owner = started(&format!("owner {name} moved.heir.{round} 2 {how}"));
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

#[test]
fn a_port_moves_on_and_on() {
    in_private("a_port_moves_on_and_on", || {
        let service = bootstrap::check_in::<Estate>("chain.end").expect("free");
        let heirs = ["chain.2 chain.end 40 exits", "chain.1 chain.2 80 killed", "chain.0 chain.1 0 killed"];
        let _heirs = heirs.map(|heir| started(&format!("heir {heir}")));
        let _owner = started("owner chain.port chain.0 3 killed");
        let mut senders = start_senders("chain.port", 3, SENT);
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        ledger.receive_all(&mut port, &senders, SENT);
        for sender in &mut senders {
            assert_eq!(sender.told(), "done");
        }
    });
}

/// Each owner gives the port on while its senders are on their way to it, and is gone then.
#[test]
fn a_port_moves_on_before_its_senders_have_come() {
    const OWNERS: usize = 8;
    in_private("a_port_moves_on_before_its_senders_have_come", || {
        let service = bootstrap::check_in::<Estate>("hasty.0").expect("free");
        let _heirs: Vec<Second> =
            (1..OWNERS).map(|n| started(&format!("heir hasty.{n} hasty.{} 0 killed", n - 1))).collect();
        let _owner = started(&format!("owner hasty.port hasty.{} 4 killed", OWNERS - 1));
        let senders = start_senders("hasty.port", 4, SENT);
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        ledger.receive_all(&mut port, &senders, SENT);
    });
}

#[test]
fn a_port_comes_back_to_a_former_owner() {
    in_private("a_port_comes_back_to_a_former_owner", || {
        let service = bootstrap::check_in::<Estate>("back.home").expect("free");
        let _between = started("heir back.between back.home 100 killed");
        let between = bootstrap::look_up::<Estate>("back.between").expect("it is there");
        let _owner = started("owner back.port back.home 2 stays");
        let mut senders = start_senders("back.port", 2, SENT);
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        let own = port.make_send().expect("own port");
        for _ in 0..100 {
            ledger.receive(&mut port);
        }
        give(&between, (port, ledger.as_words()));
        send(&own, &(std::process::id(), 1)).expect("it lives");
        let mut port = ledger.inherit(&service);
        assert_eq!(port.name(), own.name(), "a receive right joins the send right that is there");
        drop(own);
        ledger.receive_all(&mut port, &senders, SENT);
        assert_eq!(ledger.last[&std::process::id()], 1);
        for sender in &mut senders {
            assert_eq!(sender.told(), "done");
        }
    });
}

#[test]
fn a_port_moves_through_one_who_sends_to_it() {
    in_private("a_port_moves_through_one_who_sends_to_it", || {
        let service = bootstrap::check_in::<Estate>("through.end").expect("free");
        let mut owner = start("owner through.port through.heir 2 killed");
        let mut senders = vec![];
        until("the owner's name is there", || bootstrap::look_up::<Item>("through.port").is_ok());
        let heir = started(&format!("both through.port through.heir through.end {SENT}"));
        senders.extend(start_senders("through.port", 1, SENT));
        senders.push(heir);
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        ledger.receive_all(&mut port, &senders, SENT);
        for sender in &mut senders {
            assert_eq!(sender.told(), "done");
        }
        assert_eq!(owner.told(), "ready");
    });
}

#[test]
fn rights_are_lent_while_their_port_moves() {
    in_private("rights_are_lent_while_their_port_moves", || {
        let service = bootstrap::check_in::<Estate>("lent.end").expect("free");
        let _heir = started("heir lent.heir lent.end 300 killed");
        let _owner = started("owner lent.port lent.heir 2 killed");
        let borrower = started(&format!("borrower lent.borrower {SENT}"));
        let lender = start(&format!("lender lent.port lent.borrower {SENT}"));
        let mut senders = vec![lender, borrower];
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        ledger.receive_all(&mut port, &senders, SENT);
        for sender in &mut senders {
            assert_eq!(sender.told(), "done");
        }
    });
}

#[test]
fn whoever_dies_a_port_lives_for_all_or_for_nobody() {
    in_private("whoever_dies_a_port_lives_for_all_or_for_nobody", || {
        let seed = std::env::var("MACHIPC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        println!("seed {seed}");
        let (mut random, watchdog) = (Random::new(seed), Watchdog::new("moves"));
        let (mut lived, mut died) = (0, 0);
        for round in 0..rounds(24) {
            let name = format!("bounced.port.{round}");
            let (one, two) = (format!("bounced.a.{round}"), format!("bounced.b.{round}"));
            let seed = random.below(1 << 40) & !1;
            let mut bouncers = [
                start(&format!("bouncer {one} {two} {name} {seed}")),
                start(&format!("bouncer {two} {one} {name} {}", seed + 1)),
            ];
            bouncers.iter_mut().for_each(|bouncer| assert_eq!(bouncer.told(), "ready"));
            let own = bootstrap::look_up::<Item>(&name).expect("it is there");
            let stop = own_directory().join(STOP);
            let _ = std::fs::remove_file(&stop);
            let mut senders = start_senders(&name, 2, u64::MAX);
            until("all send", || senders.iter().all(|sender| sent_by(sender.pid()) > 0));
            std::thread::sleep(Duration::from_micros(random.below(40_000)));
            let victim = random.below(3) as usize;
            match victim {
                2 => senders.remove(0).kill(),
                bouncer => bouncers[bouncer].kill(),
            }
            // Each sender finds the port dead, or alive: more is received than its queue holds.
            let then: Vec<u64> = senders.iter().map(|sender| sent_by(sender.pid()) + 100).collect();
            until("each sender knows", || {
                let mut known = senders.iter().zip(&then);
                known.all(|(sender, &then)| found_dead(sender.pid()) || sent_by(sender.pid()) >= then)
            });
            std::fs::write(&stop, "").expect("a file");
            let ends: Vec<String> = senders.iter_mut().map(Second::told).collect();
            let lives = ends[0] == "done";
            assert!(ends.iter().all(|end| *end == ends[0]), "round {round}, victim {victim}: {ends:?}");
            if lives {
                send(&own, &(0, 1)).expect("it lives");
                let complete = own_directory().join(format!("complete.{round}"));
                until("all that was sent has come", || complete.exists());
            } else {
                assert!(victim != 2, "a sender's death is not the port's");
                until("the port is dead", || own.is_dead());
            }
            if lives {
                lived += 1;
            } else {
                died += 1;
            }
            watchdog.feed();
        }
        println!("{lived} ports lived, {died} died");
    });
}

#[test]
fn a_link_ends_with_the_rights_that_it_was_made_for() {
    in_private("a_link_ends_with_the_rights_that_it_was_made_for", || {
        let taker = started("taker left.taker");
        let maker = started("maker left.maker left.taker");
        let ask = bootstrap::look_up::<SendRight<SendRight<Item>>>("left.maker").expect("it is there");
        let answers = ReceiveRight::<SendRight<Item>>::new().expect("a port");
        let mut buffer = MessageBuffer::new();
        let mut use_one = || {
            send(&ask, &answers.make_send().expect("own port")).expect("the maker lives");
            let answer = answers.receive(&mut buffer, soon()).expect("an answer");
            let right = answer.decode::<SendRight<Item>>().expect("a right");
            send(&right, &(1, 1)).expect("it lives");
            until("the port dies", || right.is_dead());
        };
        let open = |process: &Second| {
            std::fs::read_dir(format!("/proc/{}/fd", process.pid())).expect("procfs").count()
        };
        let held = || [descriptors().len(), open(&taker), open(&maker)];
        (0..5).for_each(|_| use_one());
        let before = held();
        (0..rounds(60)).for_each(|_| use_one());
        until("the links end", || held().iter().zip(&before).all(|(now, then)| *now <= then + 4));
    });
}

#[test]
fn a_port_in_the_queue_of_another_moves_with_it() {
    in_private("a_port_in_the_queue_of_another_moves_with_it", || {
        let service = bootstrap::check_in::<Nest>("nest.heir").expect("free");
        let _nester = started("nester nest.outer nest.inner nest.heir");
        let mut senders = start_senders("nest.inner", 2, SENT);
        let mut buffer = MessageBuffer::new();
        let nest = service.receive(&mut buffer, soon()).expect("a port").decode::<Nest>();
        let (outer,) = nest.expect("a port");
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&outer);
        ledger.receive_all(&mut port, &senders, SENT);
        senders.iter_mut().for_each(|sender| assert_eq!(sender.told(), "done"));
    });
}

#[test]
fn rights_for_one_message_find_the_new_owner() {
    in_private("rights_for_one_message_find_the_new_owner", || {
        const COUNT: usize = 60;
        let rights = bootstrap::check_in::<Vec<SendOnceRight<Item>>>("once.rights").expect("free");
        let service = bootstrap::check_in::<Estate>("once.heir").expect("free");
        // The heir holds the rights, too: it then speaks to itself.
        let _giver = start(&format!("once once.rights once.heir {COUNT}"));
        let mut buffer = MessageBuffer::new();
        let received = rights.receive(&mut buffer, soon()).expect("rights");
        let mut held = received.decode::<Vec<SendOnceRight<Item>>>().expect("rights");
        drop(received);
        let mut ledger = Ledger::default();
        let port = ledger.inherit(&service);
        let mut out = MessageBuffer::new();
        for seq in 1..=COUNT as u64 / 2 {
            let right = held.pop().expect("a right");
            let item = (std::process::id(), seq);
            let message = Outgoing::message(&mut out, &item).expect("an item");
            message.move_send_once(&right).send(soon()).expect("the port lives");
        }
        drop(held);
        let (mut items, mut unused) = (0, 0);
        while items + unused < COUNT {
            let received = port.receive(&mut buffer, soon()).expect("a message for each right");
            match received.notification() {
                Some(Notification::SendOnce) => unused += 1,
                Some(other) => panic!("{other:?}"),
                None => items += 1,
            }
        }
        assert_eq!((items, unused), (COUNT / 2, COUNT / 2));
    });
}

#[test]
fn a_sender_that_is_stopped_holds_nobody_up() {
    in_private("a_sender_that_is_stopped_holds_nobody_up", || {
        let service = bootstrap::check_in::<Estate>("stopped.heir").expect("free");
        let mut owner = started("owner stopped.port stopped.heir 2 stays");
        let stopped = start_senders("stopped.port", 1, u64::MAX).remove(0);
        until("it sends", || sent_by(stopped.pid()) > 0);
        signal(stopped.pid(), Signal::STOP);
        let other = start_senders("stopped.port", 1, u64::MAX).remove(0);
        let mut ledger = Ledger::default();
        let mut port = ledger.inherit(&service);
        for _ in 0..500 {
            ledger.receive(&mut port);
        }
        assert!(ledger.direct.contains_key(&other.pid()));
        assert!(!ledger.direct.contains_key(&stopped.pid()));
        signal(stopped.pid(), Signal::CONT);
        while !ledger.direct.contains_key(&stopped.pid()) {
            ledger.receive(&mut port);
        }
        // Nobody needs the former owner any more.
        owner.kill();
        for _ in 0..500 {
            ledger.receive(&mut port);
        }
        std::fs::write(own_directory().join(STOP), "").expect("a file");
        let mut senders = [stopped, other];
        let missing = |ledger: &Ledger, senders: &[Second]| {
            senders.iter().any(|sender| ledger.last[&sender.pid()] < sent_by(sender.pid()))
        };
        let ended = std::thread::scope(|scope| {
            let ended = scope.spawn(|| senders.each_mut().map(|sender| sender.told()));
            while !ended.is_finished() {
                ledger.receive_until(&mut port, Deadline::after(Duration::from_millis(1)));
            }
            ended.join().expect("two words")
        });
        assert_eq!(ended, ["done", "done"]);
        while missing(&ledger, &senders) {
            ledger.receive(&mut port);
        }
    });
}
