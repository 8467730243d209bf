//! Hosts and clients in processes of their own.

#[path = "port_support/mod.rs"]
mod port_support;
mod typed_support;

use std::collections::BTreeSet;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use machipc::{Client, Context, Error, Host, MachMessage, OolBuffer, Reply, SendRight, Sender};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until, until_or};

#[machipc::endpoint("com.example.test.process")]
enum Desk<'a> {
    Note { number: u64, text: &'a str },
    Notes { reply: Reply<Notes> },
    Square { of: u64, reply: Reply<u64> },
    Discard { reply: Reply<u64> },
    Panic { reply: Reply<u64> },
    Keep { begun: SendRight<u64>, reply: Reply<u64> },
    Kept { reply: Reply<Vec<bool>> },
    Who { reply: Reply<Who> },
    Sum { bytes: &'a [u8], reply: Reply<u64> },
    Invert { memory: OolBuffer, reply: Reply<OolBuffer> },
    Read { file: OwnedFd, reply: Reply<String> },
    Watch { events: SendRight<u64>, count: u64 },
    Ask { whom: SendRight<Question>, of: u64, reply: Reply<u64> },
    Census { reply: Reply<Census> },
    Close,
}

#[derive(MachMessage, Debug, PartialEq, Default, Clone)]
struct Notes {
    count: u64,
    wrong: u64,
}

#[derive(MachMessage, Debug, PartialEq)]
struct Who {
    host: u32,
    caller: u32,
    user: u32,
}

/// What a process holds.
#[derive(MachMessage, Debug, PartialEq, Clone)]
struct Census {
    names: u64,
    files: u64,
    /// Bytes mapped to write, where the system tells.
    mapped: u64,
}

type Question = (u64, Reply<u64>);

fn census() -> Census {
    let files = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd")).unwrap().count();
    Census {
        names: port_support::holdings().len() as u64,
        files: files as u64,
        // A sanitizer maps memory of its own.
        mapped: if cfg!(machipc_sanitizer) { 0 } else { port_support::mapped_bytes() as u64 },
    }
}

/// How often one process connects.
const CONNECTIONS: u64 = 1000;

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let name = arguments[0].as_str();
    match role.as_str() {
        "host" => serve(name),
        "other host" => {
            let host = Host::<Question>::builder()
                .name(name)
                .bind(|(number, reply): Question, _: &Context| reply.send(number).unwrap())
                .unwrap();
            host.wait();
        }
        "second host" => {
            let error = Host::<Desk>::builder().name(name).bind(|_, _: &Context| {}).unwrap_err();
            assert!(matches!(error, Error::NameTaken { .. }), "{error}");
        }
        "hit and run" => {
            let desk = DeskClient::connect_to(name).unwrap();
            send_notes(&desk, arguments[1].parse().unwrap());
            // The process is gone before the host has looked.
            std::process::exit(0);
        }
        "caller" => {
            let desk = DeskClient::connect_to(name).unwrap().with_deadline(None);
            let listener = Host::<u64>::builder().unnamed().bind(|_, _: &Context| {}).unwrap();
            let _ = desk.keep(listener.send_right().unwrap());
            unreachable!("nobody answers this call");
        }
        "thrifty" => hold_nothing(name),
        "visitor" => {
            let _desk = DeskClient::from_client(Client::connect_to_timeout(name, WATCHDOG).unwrap());
            // Sends nothing, until it is killed.
            std::thread::park();
        }
        "regular" => {
            for number in 0..CONNECTIONS {
                assert_eq!(DeskClient::connect_to(name).unwrap().square(number).unwrap(), number);
            }
            std::thread::park();
        }
        "notes and squares" => {
            let desk = DeskClient::connect_to(name).unwrap();
            for number in 0..500 {
                assert_eq!(desk.square(number).unwrap(), number * number);
            }
        }
        other => panic!("no role is called {other}"),
    }
}

fn serve(name: &str) {
    let notes = Mutex::new(Notes::default());
    let kept = Mutex::new(Vec::new());
    let host = Host::<Desk>::builder().name(name).bind(move |message: Desk<'_>, cx: &Context| {
        assert!(!cx.is_local());
        match message {
            Desk::Note { number, text } => {
                let mut notes = notes.lock().unwrap();
                notes.wrong += u64::from(number != notes.count || text != text_of(number));
                notes.count += 1;
            }
            Desk::Notes { reply } => reply.send(notes.lock().unwrap().clone()).unwrap(),
            // The caller may have given up.
            Desk::Square { of, reply } => drop(reply.send(of * of)),
            Desk::Discard { reply } => drop(reply),
            // A panic without the words on standard error.
            Desk::Panic { reply: _reply } => std::panic::resume_unwind(Box::new("asked to")),
            Desk::Keep { begun, reply } => {
                let mut kept = kept.lock().unwrap();
                kept.push(reply);
                let _ = Client::from_right(begun).send(kept.len() as u64);
            }
            Desk::Kept { reply } => {
                reply.send(kept.lock().unwrap().iter().map(|kept| kept.is_cancelled()).collect()).unwrap();
            }
            Desk::Who { reply } => {
                let (host, caller, user) = (std::process::id(), cx.peer().pid(), cx.peer().uid());
                reply.send(Who { host, caller, user }).unwrap();
            }
            Desk::Sum { bytes, reply } => {
                reply.send(bytes.iter().map(|byte| u64::from(*byte)).sum()).unwrap()
            }
            Desk::Invert { mut memory, reply } => {
                memory.as_mut_slice().iter_mut().for_each(|byte| *byte = !*byte);
                reply.send(memory).unwrap();
            }
            Desk::Read { file, reply } => {
                let (mut file, mut text) = (std::fs::File::from(file), String::new());
                file.rewind().unwrap();
                // What is no text is not answered.
                if file.read_to_string(&mut text).is_ok() {
                    reply.send(text).unwrap();
                }
            }
            Desk::Watch { events, count } => {
                let events = Client::from_right(events);
                (0..count).for_each(|number| events.send(number).unwrap());
            }
            Desk::Ask { whom, of, reply } => Client::from_right(whom).send((of, reply)).unwrap(),
            Desk::Census { reply } => reply.send(census()).unwrap(),
            Desk::Close => cx.stop(),
        }
    });
    host.unwrap().wait();
}

fn start_host(tag: &str) -> (Peer, DeskClient, String) {
    let name = unique(tag);
    let peer = Peer::start("host", &[&name]);
    let client = Client::connect_to_timeout(&name, WATCHDOG).unwrap();
    assert!(!client.is_local());
    (peer, DeskClient::from_client(client), name)
}

/// A host of numbers in this process, and what it gets.
fn listen() -> (Host<u64>, mpsc::Receiver<(u64, u32)>) {
    let (sink, numbers) = mpsc::channel();
    let host = Host::<u64>::builder()
        .unnamed()
        .bind(move |number: u64, cx: &Context| sink.send((number, cx.peer().pid())).unwrap())
        .unwrap();
    (host, numbers)
}

fn send_notes(desk: &DeskClient, count: u64) {
    for number in 0..count {
        desk.note(number, text_of(number)).unwrap();
    }
}

fn text_of(number: u64) -> &'static str {
    const TEXTS: [&str; 3] = ["short", "", "a text that is a good deal longer than the other two of them"];
    TEXTS[(number % 3) as usize]
}

#[test]
fn one_way_messages_arrive_once_and_in_order() {
    let (_peer, desk, _) = start_host("order");
    send_notes(&desk, 5000);
    assert_eq!(desk.notes().unwrap(), Notes { count: 5000, wrong: 0 });
}

#[test]
fn calls_are_answered_by_the_other_process() {
    let (peer, desk, _) = start_host("calls");
    for number in 0..500 {
        assert_eq!(desk.square(number).unwrap(), number * number);
    }
    let who = desk.who().unwrap();
    assert_eq!((who.host, who.caller), (peer.pid(), std::process::id()));
    assert!(matches!(desk.with_deadline(None).discard(), Err(Error::ReplyDropped { .. })));
    assert!(matches!(desk.with_deadline(None).panic(), Err(Error::ReplyDropped { .. })));
    assert_eq!(desk.square(7).unwrap(), 49);
}

#[test]
fn what_a_process_sent_before_it_ended_arrives() {
    let (_peer, desk, name) = start_host("hit-and-run");
    Peer::start("hit and run", &[&name, "800"]).finish();
    until("the notes arrive", || desk.notes().unwrap().count == 800);
    assert_eq!(desk.notes().unwrap().wrong, 0);
}

#[test]
fn a_deadline_passes_and_the_host_sees_it() {
    let (_peer, desk, _) = start_host("deadline");
    let (listener, begun) = listen();
    let start = Instant::now();
    let hurried = desk.with_deadline(Duration::from_millis(300));
    let error = hurried.keep(listener.send_right().unwrap()).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(300));
    begun.recv_timeout(WATCHDOG).unwrap();
    until("the host sees that the caller has given up", || desk.kept().unwrap() == [true]);
    assert_eq!(desk.square(3).unwrap(), 9);
}

#[test]
fn a_caller_that_is_killed_is_seen_to_be_gone() {
    let (_peer, desk, name) = start_host("caller");
    let mut caller = Peer::start("caller", &[&name]);
    until("the call is there", || desk.kept().unwrap() == [false]);
    caller.kill();
    until("the host sees that the caller is gone", || desk.kept().unwrap() == [true]);
    assert_eq!(desk.square(3).unwrap(), 9);
}

#[test]
fn a_killed_host_ends_every_call_in_flight() {
    const CALLS: u64 = 40;
    let (mut peer, desk, name) = start_host("killed");
    let (listener, begun) = listen();
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (desk, right) = (desk.with_deadline(None), listener.send_right().unwrap());
            std::thread::spawn(move || desk.keep(right))
        })
        .collect();
    for _ in 0..CALLS {
        begun.recv_timeout(WATCHDOG).unwrap();
    }
    peer.kill();
    for call in calls {
        let answer = call.join().unwrap();
        assert!(matches!(answer, Err(Error::HostDied { .. })), "{answer:?}");
    }
    assert!(matches!(desk.square(1), Err(Error::HostDied { .. })));
    assert!(matches!(desk.note(1, ""), Err(Error::HostDied { .. })));

    // The name is free at once; clients stay with the host they had, and connect again to have the new one.
    assert!(matches!(DeskClient::connect_to(&name), Err(Error::NotFound { .. })));
    let _peer = Peer::start("host", &[&name]);
    let again = Client::<Desk>::connect_to_timeout(&name, WATCHDOG).unwrap();
    assert_eq!(DeskClient::from_client(again).square(4).unwrap(), 16);
    assert!(matches!(desk.square(1), Err(Error::HostDied { .. })));
}

#[test]
fn a_host_that_ends_well_frees_its_name() {
    let (peer, desk, name) = start_host("closed");
    desk.close().unwrap();
    peer.finish();
    assert!(matches!(desk.with_deadline(None).square(1), Err(Error::HostDied { .. })));
    assert!(matches!(DeskClient::connect_to(&name), Err(Error::NotFound { .. })));
    drop(Host::<u8>::builder().name(&name).bind(|_, _: &Context| {}).unwrap());
}

#[test]
fn one_name_has_one_host() {
    let (_peer, desk, name) = start_host("one-name");
    Peer::start("second host", &[&name]).finish();
    let error = Host::<u8>::builder().name(&name).bind(|_, _: &Context| {}).unwrap_err();
    assert!(matches!(&error, Error::NameTaken { endpoint, .. } if *endpoint == name), "{error}");
    // It might as well be a sandbox that refuses it: both are this code.
    let text = error.to_string();
    assert!(text.contains("another process has it") && text.contains("sandbox"), "{text}");
    assert!(
        text.contains("bootstrap_check_in") && text.contains("BOOTSTRAP_NOT_PRIVILEGED (1100)"),
        "{text}"
    );
    assert_eq!(desk.square(2).unwrap(), 4);
}

#[test]
fn a_host_of_another_type_is_named_in_the_error() {
    let name = unique("other-type");
    let _peer = Peer::start("other host", &[&name]);
    // While connecting, and without asking then, in the first call.
    let options = machipc::ConnectOptions::new().name(&name).wait(WATCHDOG).compare(WATCHDOG);
    let late = DeskClient::connect_with(&options.clone().compare(None)).unwrap();
    for error in [DeskClient::connect_with(&options).unwrap_err(), late.square(1).unwrap_err()] {
        let Error::Fingerprint { differences, ours, theirs, .. } = &error else { panic!("{error}") };
        assert!(ours.name.contains("Desk") && theirs.name.contains("Reply<u64>"), "{error}");
        assert_eq!(ours.fingerprint, <Desk as MachMessage>::fingerprint());
        assert_eq!(theirs.fingerprint, <Question as MachMessage>::fingerprint());
        assert_eq!(differences.to_string(), "the message is `Desk` here and `(u64,Reply<u64>)` in the host");
    }
    let right = Client::<Question>::connect_to(&name).unwrap();
    assert_eq!(right.call(|reply| (5, reply)).unwrap(), 5);
}

#[test]
fn large_messages_and_memory_cross() {
    let (_peer, desk, _) = start_host("large");
    for size in [1000, 65_536, 65_537, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|index| (index * 31) as u8).collect();
        let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(desk.sum(&bytes).unwrap(), sum);
    }
    let mut memory = OolBuffer::new(4 << 20).unwrap();
    for (index, byte) in memory.as_mut_slice().iter_mut().enumerate() {
        *byte = (index % 251) as u8;
    }
    let mut inverted = desk.invert(memory).unwrap();
    assert_eq!(inverted.len(), 4 << 20);
    let wrong = inverted.as_mut_slice().iter().enumerate().filter(|(at, byte)| **byte != !((at % 251) as u8));
    assert_eq!(wrong.count(), 0);
}

#[test]
fn an_open_file_crosses() {
    let (_peer, desk, _) = start_host("file");
    let path = std::env::temp_dir().join(unique("file"));
    let mut file = std::fs::File::options().create_new(true).read(true).write(true).open(&path).unwrap();
    file.write_all(b"seen by another process").unwrap();
    let text = desk.read(file.into()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(text, "seen by another process");
}

#[test]
fn a_callback_comes_from_the_other_process() {
    let (peer, desk, _) = start_host("callback");
    let (listener, numbers) = listen();
    desk.watch(listener.send_right().unwrap(), 3000).unwrap();
    for expected in 0..3000 {
        assert_eq!(numbers.recv_timeout(WATCHDOG).unwrap(), (expected, peer.pid()));
    }
}

#[test]
fn a_reply_comes_home_by_another_way() {
    // The host forwards the question, with the reply, to a host of the asking process.
    let (_peer, desk, _) = start_host("forward");
    let asked = Host::<Question>::builder()
        .unnamed()
        .bind(|(number, reply): Question, _: &Context| match number {
            0 => drop(reply),
            number => reply.send(number + 1).unwrap(),
        })
        .unwrap();
    for number in 1..50 {
        assert_eq!(desk.ask(asked.send_right().unwrap(), number).unwrap(), number + 1);
    }
    let error = desk.with_deadline(None).ask(asked.send_right().unwrap(), 0).unwrap_err();
    assert!(matches!(error, Error::ReplyDropped { .. }), "{error}");
    assert_eq!(asked.stats().handled, 50);
}

#[test]
fn many_processes_call_one_host() {
    let (_peer, desk, name) = start_host("many");
    let callers: Vec<_> = (0..4).map(|_| Peer::start("notes and squares", &[&name])).collect();
    for number in 0..200 {
        assert_eq!(desk.square(number).unwrap(), number * number);
    }
    callers.into_iter().for_each(Peer::finish);
}

/// In a process of its own, since it counts all that the process holds.
#[test]
fn nothing_is_left_behind() {
    let name = unique("leaks");
    let _host = Peer::start("host", &[&name]);
    Peer::start("thrifty", &[&name]).finish();
}

fn hold_nothing(name: &str) {
    const ROUNDS: u64 = 40;
    const BYTES: u64 = 100_000;
    let desk = DeskClient::from_client(Client::connect_to_timeout(name, WATCHDOG).unwrap());
    let (listener, numbers) = listen();
    let round = || {
        send_notes(&desk, 50);
        assert_eq!(desk.square(9).unwrap(), 81);
        assert!(desk.discard().is_err() && desk.panic().is_err());
        let bytes = vec![1; BYTES as usize];
        assert_eq!(desk.sum(&bytes).unwrap(), BYTES);
        let memory = OolBuffer::copy_from_slice(&bytes).unwrap();
        assert_eq!(desk.invert(memory).unwrap().as_mut_slice()[0], !1);
        desk.watch(listener.send_right().unwrap(), 10).unwrap();
        (0..10).for_each(|_| {
            numbers.recv_timeout(WATCHDOG).unwrap();
        });
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(desk.read(file.into()).is_err());
        // Given up or not, as it happens.
        let _ = desk.with_deadline(Duration::from_millis(1)).square(1);
        let again = DeskClient::connect_to(name).unwrap();
        assert_eq!(again.square(2).unwrap(), 4);
    };
    // The first rounds make what lasts: buffers, thread-local ports, the allocator's pools.
    (0..5).for_each(|_| round());
    let before = [census(), desk.census().unwrap()];
    (0..ROUNDS).for_each(|_| round());
    let mut after = before.clone();
    // What was under way when a call was given up takes a moment to be gone.
    until_or("both processes hold what they held", || {
        after = [census(), desk.census().unwrap()];
        let same = |(after, before): (&Census, &Census)| {
            // Less than half of what the rounds would have lost of memory, had each kept a little of it.
            let grown = after.mapped.saturating_sub(before.mapped);
            (after.names, after.files) == (before.names, before.files) && grown < ROUNDS * BYTES / 2
        };
        (after.iter().zip(&before).all(same), format!("before {before:?}, after {after:?}"))
    });
}

#[test]
fn a_host_knows_its_peers_for_as_long_as_they_live() {
    let name = unique("peers");
    let handle = |message: Desk<'_>, _: &Context| {
        if let Desk::Square { of, reply } = message {
            reply.send(of).unwrap();
        }
    };
    let host = Host::<Desk>::builder().name(&name).threads(2).bind(handle).unwrap();
    let wait_for = |pids: &[u32]| {
        let pids: BTreeSet<u32> = pids.iter().copied().collect();
        until_or("the host knows who lives", || {
            let peers = host.peers();
            let known: BTreeSet<u32> = peers.iter().map(Sender::pid).collect();
            assert_eq!(known.len(), peers.len(), "one entry each: {peers:?}");
            (known == pids, format!("{known:?} and not {pids:?}"))
        });
    };
    wait_for(&[]);
    let [mut one, other] = [(), ()].map(|()| Peer::start("visitor", &[&name]));
    wait_for(&[one.pid(), other.pid()]);
    let known = host.peers();
    one.kill();
    wait_for(&[other.pid()]);
    assert!(known.iter().all(|peer| peer.is_alive() == (peer.pid() == other.pid())), "{known:?}");
    assert!(known.iter().all(|peer| peer.uid() == known[0].uid()), "{known:?}");

    let regular = Peer::start("regular", &[&name]);
    until("it has connected as often as it wants", || host.stats().handled == CONNECTIONS);
    wait_for(&[other.pid(), regular.pid()]);
    // This process calls the handler directly, and is a peer once it comes through the port.
    assert_eq!(DeskClient::from_client(host.client()).square(3).unwrap(), 3);
    wait_for(&[other.pid(), regular.pid()]);
    machipc::registry::set_lookup_enabled(false);
    assert_eq!(DeskClient::connect_to(&name).unwrap().square(3).unwrap(), 3);
    wait_for(&[other.pid(), regular.pid(), std::process::id()]);
}
