//! Two busy processes exchange messages and calls without system calls: `strace` tells of each call of both, where it is installed and may
//! trace.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages and calls have to go without.
#![cfg(target_os = "linux")] // strace and /proc

mod endurance_support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use endurance_support::*;
use machipc::port::Waiting;
use machipc::{Context, Host, Reply};

#[machipc::endpoint("com.example.test.calls")]
enum Desk {
    /// A new window begins.
    Mark(u64),
    Note(u64),
    Square {
        of: u64,
        reply: Reply<u64>,
    },
}

/// The traffic is looked at in windows of so many messages or calls. A window in which a thread had to leave its processor to
/// another does not count, nor the next one: who finds its peer gone may sleep, and wakes it then. On a loaded machine that is most windows.
const WINDOW: u64 = 500;
/// So many runs there are at most until enough windows count.
const ATTEMPTS: u32 = 5;
/// Windows before the first that counts: things are made once, and the program is prepared for speed.
const WARM_UP: u64 = 50;

/// Leaves marks in the tracer's report: that a window ends, and, behind what it takes to find out, how often this thread has had to leave its
/// processor as the next one begins.
fn mark(window: u64) {
    assert!(std::fs::metadata(format!("/no/end.{window}.")).is_err());
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("a thread's status");
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    let left = line.expect("a count of switches").trim();
    assert!(std::fs::metadata(format!("/no/begin.{left}.")).is_err());
}

/// Not a test of its own: the process that serves, and the one that sends and calls.
#[test]
fn part() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let waiting = [Waiting::Poll, Waiting::Adaptive].into_iter().find(|way| way.to_string() == role[1]);
    let waiting = waiting.expect("a way to wait");
    waiting.set();
    match role[0].as_str() {
        "host" => {
            let next = AtomicU64::new(0);
            tell("ready");
            let host = Host::<Desk>::builder().run(move |message: Desk, cx: &Context| match message {
                Desk::Mark(u64::MAX) => cx.stop(),
                Desk::Mark(window) => mark(window),
                Desk::Note(number) => assert_eq!(number, next.fetch_add(1, Ordering::Relaxed)),
                Desk::Square { of, reply } => reply.send(of * of).expect("the caller waits"),
            });
            host.expect("a name of this test alone");
        }
        "client" => {
            let windows: u64 = role[2].parse().expect("a count");
            let desk = DeskClient::connect_timeout(patience()).expect("the host is there");
            let mut number = 0;
            let calls = if waiting == Waiting::Poll { windows } else { 0 };
            for window in 0..windows + calls {
                mark(window);
                desk.mark(window).expect("the host lives");
                // Messages first. Who sleeps in a call makes system calls, and the tracer takes long for each.
                if window < windows {
                    for _ in 0..WINDOW {
                        desk.note(number).expect("the host lives");
                        number += 1;
                    }
                } else {
                    for of in 0..WINDOW {
                        assert_eq!(desk.square(of).expect("the host lives"), of * of);
                    }
                }
            }
            mark(windows + calls);
            desk.mark(windows + calls).expect("the host lives");
            desk.mark(u64::MAX).expect("the host lives");
        }
        other => panic!("no role {other}"),
    }
    tell("over");
    wait_for_end_of_input();
}

/// What a thread has done between two marks.
#[derive(Clone, Copy, Default)]
struct Window {
    system_calls: u64,
    /// Whether it had to leave its processor.
    left: bool,
}

/// The windows in the report of the thread that has left marks.
fn windows(reports: &Path, role: &str) -> Vec<Window> {
    let of_role = |name: &str| name.strip_prefix(role).is_some_and(|rest| rest.starts_with('.'));
    let files = std::fs::read_dir(reports).expect("the reports").map(|file| file.expect("a report"));
    let texts = files.filter(|file| file.file_name().to_str().is_some_and(of_role));
    let text = texts
        .map(|file| std::fs::read_to_string(file.path()).expect("a report"))
        .find(|text| text.contains("/no/begin."))
        .expect("marks");
    let (mut windows, mut current, mut before) = (Vec::new(), None, None);
    for line in text.lines() {
        if line.contains("/no/end.") {
            windows.extend(current.take());
        } else if let Some((_, rest)) = line.split_once("/no/begin.") {
            let left: u64 = rest.split('.').next().and_then(|count| count.parse().ok()).expect("a count");
            // Whether the thread left its processor in a window shows at its end.
            if let (Some(before), Some(last)) = (before, windows.last_mut()) {
                let last: &mut Window = last;
                last.left = left != before;
            }
            (current, before) = (Some(Window::default()), Some(left));
        } else if let Some(window) = &mut current {
            window.system_calls += 1;
        }
    }
    windows
}

/// Has so many windows of either kind run, and returns those of the host and of the client.
fn run(waiting: Waiting, count: u64, attempt: u32) -> [Vec<Window>; 2] {
    let reports = own_directory().join(format!("{waiting}.{attempt}"));
    std::fs::create_dir(&reports).expect("a directory of this test");
    let start = |role: &str| {
        // Where it may, the process goes before others: the fewer windows do not count.
        let mut strace = Command::new("nice");
        strace.args(["-n", "-15", "strace", "-f", "-ff", "-qq", "-o"]).arg(reports.join(role));
        Second::start_under(&mut strace, "part", &format!("{role} {waiting} {count}"))
    };
    let mut host = start("host");
    assert_eq!(host.told(), "ready");
    let mut client = start("client");
    assert_eq!([client.told(), host.told()], ["over", "over"]);
    for process in [client, host] {
        assert!(process.finish().success());
    }
    ["host", "client"].map(|role| windows(&reports, role))
}

/// The system calls of host and client in the windows in which both threads kept their processors, and how many such windows there are.
fn count([host, client]: [&[Window]; 2]) -> ([u64; 2], u64) {
    let (mut before, mut calls, mut counted) = (true, [0; 2], 0);
    for (host, client) in host.iter().zip(client).skip(WARM_UP as usize) {
        let left = host.left || client.left;
        if !left && !before {
            counted += 1;
            calls = [calls[0] + host.system_calls, calls[1] + client.system_calls];
        }
        before = left;
    }
    (calls, counted)
}

#[test]
fn busy_processes_make_no_system_call() {
    let able = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !able.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        println!("skipped: two processes are not busy at the same time on one processor");
        return;
    }
    privately("busy_processes_make_no_system_call", || {
        let wanted = rounds(100_000).div_ceil(WINDOW);
        let each = WARM_UP + 2 * wanted;
        let mut counted = [0, 0];
        for attempt in 1..=ATTEMPTS {
            let [host, client] = run(Waiting::Poll, each, attempt);
            let (host, client) = (host.split_at(each as usize), client.split_at(each as usize));
            for (what, windows) in [[host.0, client.0], [host.1, client.1]].into_iter().enumerate() {
                let (calls, count) = count(windows);
                counted[what] += count;
                assert_eq!(calls, [0, 0], "system calls of busy processes, host and client");
            }
            if counted.into_iter().all(|count| count >= wanted) {
                break;
            }
        }
        let [messages, calls] = counted.map(|count| count * WINDOW);
        println!("no system call for {messages} messages, nor for {calls} calls");
        if messages.min(calls) < wanted * WINDOW {
            println!("the processors had too much else to do for {}", wanted * WINDOW);
        }
        // Who waits adaptively sleeps where the peer seems to have gone: on its own processor, or because the machine below this one has taken
        // a processor away, which nothing here tells of.
        let [host, client] = run(Waiting::Adaptive, each, 0);
        let ([of_host, of_client], count) = count([&host, &client]);
        println!("waiting adaptively: {of_host} and {of_client} for {} messages", count * WINDOW);
        for (who, windows) in [("host", &host), ("client", &client)] {
            // All of them: also when it is sent away now and then it does not ask the system for each message.
            let windows = &windows[WARM_UP as usize..];
            let calls: u64 = windows.iter().map(|window| window.system_calls).sum();
            let each = calls as f64 / (windows.len() as u64 * WINDOW) as f64;
            println!("waiting adaptively: the {who} made {each:.4} system calls a message in all");
            assert!(each < 0.05, "the {who} made {each} system calls a message");
        }
    });
}
