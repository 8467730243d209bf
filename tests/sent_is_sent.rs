//! What was sent is not lost with its sender, however full the way to the receiver is; and what has found no room comes back.
#![cfg(target_os = "linux")] // processes are stopped by signals

mod endurance_support;

use std::time::Duration;

use endurance_support::*;
use machipc::mach;
use machipc::port::{Deadline, MachError, MessageBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};
use rustix::process::{Pid, Signal, kill_process};

/// The how manieth message, a right, bytes.
type Parcel = (u64, Vec<SendRight<u64>>, Vec<u8>);

/// Not a test of its own: the other processes.
#[test]
fn other() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role[..] {
        ["receiver", name, limit] => receiver(name, limit.parse().expect("a number")),
        ["sender", name, receiver, len] => sender(name, receiver, len.parse().expect("a number")),
        ["steady", name, count] => steady(name, count.parse().expect("a number")),
        ["flood", own, other, len] => flood(own, other, len.parse().expect("a number")),
        _ => panic!("no role {role:?}"),
    }
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process as i32).expect("a process");
    kill_process(pid, signal).expect("a process of ours");
}

/// Stops a process, and waits until it has.
fn stop(process: u32) {
    signal(process, Signal::STOP);
    until("the process stops", || {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("procfs");
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    });
}

fn set_limit(port: &ReceiveRight<Parcel>, limit: u32) {
    let limit = limit as i32;
    // SAFETY: one word is readable.
    let code = unsafe {
        mach::mach_port_set_attributes(
            mach::mach_task_self(),
            port.name(),
            mach::MACH_PORT_LIMITS_INFO,
            &limit,
            mach::MACH_PORT_LIMITS_INFO_COUNT,
        )
    };
    assert_eq!(code, mach::KERN_SUCCESS);
}

fn parcel(seq: u64, right: &SendRight<u64>, len: usize) -> Parcel {
    (seq, vec![right.clone()], vec![seq as u8; len])
}

/// Inline as a whole, whatever its size.
fn send_inline(to: &SendRight<Parcel>, parcel: &Parcel, deadline: Deadline) -> Result<(), MachError> {
    let mut buffer = MessageBuffer::new();
    buffer.set_inline_limit(usize::MAX);
    Outgoing::message(&mut buffer, parcel).expect("it can be encoded").copy_send(to).send(deadline)
}

/// Has a port; when it is told how many messages have been sent, tells how many have come.
fn receiver(name: &str, limit: u32) {
    let port = bootstrap::check_in::<Parcel>(name).expect("the name is free");
    set_limit(&port, limit);
    tell("ready");
    let mut buffer = MessageBuffer::new();
    let (mut last, mut sent) = (0, None);
    while sent != Some(last) {
        let received = port.receive(&mut buffer, soon()).expect("a parcel");
        let (seq, rights, bytes) = received.decode::<Parcel>().expect("a parcel");
        if seq == 0 {
            sent = bytes.first_chunk().map(|count| u64::from_le_bytes(*count));
            continue;
        }
        assert_eq!(seq, last + 1, "lost, doubled or out of order");
        assert_eq!(rights.len(), 1);
        assert!(bytes.iter().all(|&byte| byte == seq as u8), "bytes of {seq}");
        last = seq;
    }
    assert!(port.receive(&mut buffer, Deadline::now()).is_err(), "more came than was sent");
    tell(&last.to_string());
}

/// Sends until there is no room for some time, and tells how many were sent.
fn sender(name: &str, receiver: &str, len: usize) {
    end_with_parent();
    let to = bootstrap::look_up::<Parcel>(name).expect("the receiver is there");
    let own = ReceiveRight::<u64>::new().expect("a port");
    let right = own.make_send().expect("own port");
    stop(receiver.parse().expect("a process"));
    let mut sent = 0;
    loop {
        let parcel = parcel(sent + 1, &right, len);
        match send_inline(&to, &parcel, Deadline::after(Duration::from_millis(200))) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert_eq!(error.code(), mach::MACH_SEND_TIMED_OUT);
                // It has come back, with its right.
                assert_eq!(parcel.1[0].name(), right.name());
                assert_eq!(parcel.2.len(), len);
                break;
            }
        }
    }
    tell(&sent.to_string());
    wait_for_end_of_input();
}

/// Sends so many messages, each with a right.
fn steady(name: &str, count: u64) {
    end_with_parent();
    let to = bootstrap::look_up::<Parcel>(name).expect("the receiver is there");
    let own = ReceiveRight::<u64>::new().expect("a port");
    let right = own.make_send().expect("own port");
    (0..count).for_each(|seq| send_inline(&to, &parcel(seq, &right, 400), soon()).expect("room, some time"));
    tell("sent");
    wait_for_end_of_input();
}

/// Sends to another process as much as comes from there.
fn flood(own: &str, other: &str, len: usize) {
    const COUNT: u64 = 150;
    let port = bootstrap::check_in::<Parcel>(own).expect("the name is free");
    set_limit(&port, 64);
    tell("ready");
    let mut to = bootstrap::look_up::<Parcel>(other);
    until("the other one is there", || {
        to = bootstrap::look_up(other);
        to.is_ok()
    });
    let to = to.expect("it is there");
    let target = ReceiveRight::<u64>::new().expect("a port");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=COUNT {
                let right = target.make_send().expect("own port");
                let len = if seq.is_multiple_of(3) { len } else { 100 };
                send_inline(&to, &parcel(seq, &right, len), soon()).expect("the other one receives");
            }
        });
        let mut buffer = MessageBuffer::new();
        for seq in 1..=COUNT {
            let received = port.receive(&mut buffer, soon()).expect("the other one sends");
            assert_eq!(received.decode::<Parcel>().expect("a parcel").0, seq);
        }
    });
    tell("done");
    wait_for_end_of_input();
}

#[test]
fn what_was_sent_outlives_its_sender() {
    privately("what_was_sent_outlives_its_sender", || {
        for len in [100, 60_000, 130_000, 600_000] {
            let name = format!("outlives.{len}");
            let mut receiver = Second::start("other", &format!("receiver {name} 200"));
            assert_eq!(receiver.told(), "ready");
            let mut sender = Second::start("other", &format!("sender {name} {} {len}", receiver.pid()));
            let sent: u64 = sender.told().parse().expect("a number");
            sender.kill();
            signal(receiver.pid(), Signal::CONT);
            let to = bootstrap::look_up::<Parcel>(&name).expect("the receiver is there");
            send(&to, &(0, Vec::new(), sent.to_le_bytes().to_vec())).expect("it lives");
            let received: u64 = receiver.told().parse().expect("a number");
            println!("{sent} messages of {len} bytes were sent, {received} received");
            assert_eq!(received, sent);
            assert!(sent > 0 && sent <= 200);
            assert!(receiver.finish().success());
        }
    });
}

#[test]
fn two_that_flood_each_other_both_get_through() {
    privately("two_that_flood_each_other_both_get_through", || {
        for len in [60_000, 120_000, 400_000] {
            let [a, b] = ["a", "b"].map(|tag| format!("flood.{tag}.{len}"));
            let mut processes = [(&a, &b), (&b, &a)]
                .map(|(own, other)| Second::start("other", &format!("flood {own} {other} {len}")));
            processes.iter_mut().for_each(|one| assert_eq!(one.told(), "ready"));
            processes.iter_mut().for_each(|one| assert_eq!(one.told(), "done"));
            processes.into_iter().for_each(|one| assert!(one.finish().success()));
        }
    });
}

/// A receiver that keeps up finds each message when it looks, and must have given the ring back before it sleeps.
#[test]
fn whoever_waits_for_room_gets_it_from_a_receiver_that_sleeps() {
    privately("whoever_waits_for_room_gets_it_from_a_receiver_that_sleeps", || {
        const COUNT: u64 = 5000;
        let port = bootstrap::check_in::<Parcel>("steady").expect("the name is free");
        set_limit(&port, 1024);
        let mut sender = Second::start("other", &format!("steady steady {COUNT}"));
        let (mut buffer, mut kept) = (MessageBuffer::new(), Vec::new());
        for seq in 0..COUNT {
            let received = port.receive(&mut buffer, soon()).expect("the sender goes on");
            kept.push(received.decode::<Parcel>().expect("a parcel"));
            assert_eq!(kept[kept.len() - 1].0, seq);
        }
        assert_eq!(sender.told(), "sent");
    });
}
