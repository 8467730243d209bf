//! Two busy processes exchange messages without system calls: `strace` counts those of both, where it is installed and may trace.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages there are.
#![cfg(target_os = "linux")] // strace and /proc

mod endurance_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use endurance_support::*;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, bootstrap};

/// Not a test of its own: the process that receives, and the one that sends.
#[test]
fn part() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let count: u64 = role[2].parse().expect("a count");
    match role[0].as_str() {
        "receiver" => {
            let port = bootstrap::check_in::<u64>(&role[1]).expect("the name is free");
            port.set_queue_limit(1024).expect("own port");
            tell("ready");
            let mut buffer = MessageBuffer::new();
            for expected in 0..=count {
                let received = port.receive(&mut buffer, soon()).expect("a message");
                assert_eq!(received.decode::<u64>().expect("a number"), expected);
            }
            tell("received");
        }
        "sender" => {
            let to = bootstrap::look_up::<u64>(&role[1]).expect("the receiver is there");
            let _own = ReceiveRight::<u64>::new().expect("a port");
            let mut out = MessageBuffer::new();
            for number in 0..=count {
                let message = Outgoing::message(&mut out, &number).expect("a number");
                message.copy_send(&to).send(Deadline::never()).expect("the receiver lives");
            }
            tell("sent");
        }
        other => panic!("no role {other}"),
    }
    wait_for_end_of_input();
}

/// How many system calls the receiver and the sender of so many messages make.
fn run(count: u64) -> [u64; 2] {
    let name = format!("calls.{count}");
    let reports = ["receiver", "sender"].map(|role| own_directory().join(format!("{role}.{count}")));
    let start = |role: &str, report: &PathBuf| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-S", "calls", "-o"]).arg(report);
        Second::start_under(&mut strace, "part", &format!("{role} {name} {count}"))
    };
    let mut receiver = start("receiver", &reports[0]);
    assert_eq!(receiver.told(), "ready");
    let mut sender = start("sender", &reports[1]);
    assert_eq!([receiver.told(), sender.told()], ["received", "sent"]);
    for process in [sender, receiver] {
        assert!(process.finish().success());
    }
    reports.map(|report| total(&report))
}

/// The total of strace's table.
fn total(report: &Path) -> u64 {
    let table = std::fs::read_to_string(report).expect("strace's report");
    let line = table.lines().find(|line| line.ends_with(" total")).expect("a total");
    // Per cent, seconds, microseconds a call, calls, and perhaps errors.
    line.split_whitespace().nth(3).and_then(|calls| calls.parse().ok()).expect("a count of calls")
}

#[test]
fn busy_processes_make_hardly_any_system_call() {
    let able = Command::new("strace").args(["-c", "-o", "/dev/null", "true"]).output();
    if !able.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    privately("busy_processes_make_hardly_any_system_call", || {
        let count = rounds(100_000);
        let idle = run(0);
        let busy = run(count);
        for (index, who) in ["receiver", "sender"].into_iter().enumerate() {
            let calls = busy[index].saturating_sub(idle[index]);
            let each = calls as f64 / count as f64;
            println!("{who}: {calls} system calls for {count} messages, {each:.5} each");
            // A process that is not given a processor sleeps and is woken, so it is not none at all.
            assert!(each < 0.05, "the {who} made {each} system calls a message");
        }
    });
}
