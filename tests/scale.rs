//! Many processes at one host: what a message costs with one and with all of them connected, what an idle link takes of memory,
//! and that a host with nothing to do does nothing.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many processes there are.
#![cfg(target_os = "linux")] // it reads /proc

mod endurance_support;

use std::time::{Duration, Instant};

use endurance_support::*;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};

/// A number; with a reply right it comes back.
type Number = u64;

/// Not a test of its own: the host and its clients.
#[test]
fn part() {
    let Some(role) = role() else { return };
    abort_on_panic();
    match role[0].as_str() {
        "host" => {
            end_with_parent();
            host(&role[1]);
        }
        "client" => {
            let to = bootstrap::look_up::<Number>(&role[1]).expect("the host is there");
            for number in 0..8 {
                send(&to, &number).expect("the host lives");
            }
            call(&to, &ReceiveRight::new().expect("a port"), 9);
            tell("connected");
            wait_for_end_of_input();
        }
        other => panic!("no role {other}"),
    }
}

fn host(name: &str) {
    let port = bootstrap::check_in::<Number>(name).expect("the name is free");
    port.set_queue_limit(1024).expect("own port");
    tell("ready");
    let (mut buffer, mut out) = (MessageBuffer::new(), MessageBuffer::new());
    loop {
        let received = port.receive(&mut buffer, Deadline::never()).expect("own port");
        if let Some(reply) = received.take_reply() {
            let number = received.decode::<Number>().expect("a number");
            let answer = Outgoing::message(&mut out, &number).expect("a number").answer(&reply);
            answer.send(Deadline::now()).expect("a reply port");
        }
    }
}

fn call(to: &SendRight<Number>, replies: &ReceiveRight<Number>, number: Number) {
    let (mut out, mut answer) = (MessageBuffer::new(), MessageBuffer::new());
    let call = Outgoing::message(&mut out, &number).expect("a number").copy_send(to).make_reply(replies);
    let received = call.send_and_receive(replies, &mut answer, soon()).expect("the host lives");
    assert_eq!(received.decode::<Number>().expect("a number"), number);
}

/// The time of a one-way message and of a call, with whoever else is connected.
fn cost(to: &SendRight<Number>, messages: u64) -> [Duration; 2] {
    let replies = ReceiveRight::new().expect("a port");
    let mut out = MessageBuffer::new();
    let start = Instant::now();
    for number in 0..messages {
        let message = Outgoing::message(&mut out, &number).expect("a number");
        message.copy_send(to).send(soon()).expect("the host lives");
    }
    call(to, &replies, messages); // the last message has been received
    let one_way = start.elapsed() / messages as u32;
    let calls = messages / 20;
    let start = Instant::now();
    for number in 0..calls {
        call(to, &replies, number);
    }
    [one_way, start.elapsed() / calls as u32]
}

fn connect(name: &str, count: u64, watchdog: &Watchdog) -> Vec<Second> {
    let mut clients = Vec::new();
    // A few at a time: the processes take longer to start than to connect.
    while clients.len() < count as usize {
        let more = (count as usize - clients.len()).min(8);
        let mut started: Vec<_> =
            (0..more).map(|_| Second::start("part", &format!("client {name}"))).collect();
        for client in &mut started {
            assert_eq!(client.told(), "connected");
        }
        clients.append(&mut started);
        watchdog.feed();
    }
    clients
}

#[test]
fn many_links_cost_little() {
    privately("many_links_cost_little", || {
        let watchdog = Watchdog::new("scale");
        let (name, count) = ("scale.host", rounds(200));
        let mut host = Second::start("part", &format!("host {name}"));
        assert_eq!(host.told(), "ready");
        let to = bootstrap::look_up::<Number>(name).expect("the host is there");
        let messages = 40_000;
        cost(&to, messages); // everything that comes to be with use
        let alone = cost(&to, messages);
        let before = resident(host.pid());
        let clients = connect(name, count, &watchdog);
        let each = resident(host.pid()).saturating_sub(before) / count;
        let among_all = cost(&to, messages);
        println!("one client: {:?} a one-way message, {:?} a call", alone[0], alone[1]);
        println!("{} clients: {:?} a one-way message, {:?} a call", count + 1, among_all[0], among_all[1]);
        println!("{each} bytes of the host's resident memory for each idle link");
        assert!(each <= 16 * 1024, "an idle link takes {each} bytes");
        // They are all still served.
        let links = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("procfs").count() as u64;
        assert!(links > count, "the host has {links} descriptors for {count} links");
        drop(clients);
        let back = || std::fs::read_dir(format!("/proc/{}/fd", host.pid())).expect("procfs").count() as u64;
        until("the host lets go of the dead", || back() + count <= links);
        call(&to, &ReceiveRight::new().expect("a port"), 1);
        drop(host);
        assert!(bootstrap::look_up::<Number>(name).is_err(), "the name is free");
    });
}

#[test]
fn an_idle_host_uses_no_processor() {
    privately("an_idle_host_uses_no_processor", || {
        let watchdog = Watchdog::new("idle");
        let name = "idle.host";
        let mut host = Second::start("part", &format!("host {name}"));
        assert_eq!(host.told(), "ready");
        let clients = connect(name, 100, &watchdog);
        // What still settles is over once the host has slept for a while without a tick.
        let mut before = ticks(host.pid());
        let settled = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = ticks(host.pid());
            if now == before {
                break;
            }
            assert!(settled.elapsed() < patience(), "the host never comes to rest");
            before = now;
        }
        let (own_before, slept_before) = (ticks(clients[0].pid()), sleeps(host.pid()));
        std::thread::sleep(Duration::from_secs(10));
        let used = ticks(host.pid()) - before;
        let own = ticks(clients[0].pid()) - own_before;
        let woken = sleeps(host.pid()) - slept_before;
        println!(
            "in 10 s idle: the host used {used} ticks and woke {woken} times, a client used {own} ticks"
        );
        assert!(used <= 1, "an idle host used {used} ticks of 10 ms");
        assert!(own <= 1, "an idle client used {own} ticks of 10 ms");
        assert!(woken <= 10, "an idle host woke {woken} times");
        drop(host);
        assert!(bootstrap::look_up::<Number>(name).is_err(), "the name is free");
    });
}
