//! Connecting: hosts that appear later.

mod typed_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use machipc::message::{Encode, Schema};
use machipc::port::{Deadline, MessageBuffer, Outgoing, bootstrap};
use machipc::{Client, Context, Error, Host, registry};
use typed_support::hosts::Square;
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique};

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let name = arguments[0].as_str();
    match role.as_str() {
        "host" => {
            squares(name).wait();
        }
        "caller" => {
            let client = Client::<Square>::connect_to_timeout(name, WATCHDOG).unwrap();
            assert_eq!(client.call(|reply| (9, reply)).unwrap(), 81);
            client.call(|reply| (0, reply)).unwrap();
        }
        other => panic!("no role is called {other}"),
    }
}

/// Squares numbers until it is asked for that of 0.
fn squares(name: &str) -> Host<Square> {
    let handler = |(number, reply): Square, cx: &Context| {
        reply.send(number * number).unwrap();
        if number == 0 {
            cx.stop();
        }
    };
    Host::<Square>::builder().name(name).bind(handler).unwrap()
}

#[test]
fn a_host_that_starts_later_in_another_process_is_found() {
    let name = unique("later");
    let there = name.clone();
    let waiting = std::thread::spawn(move || Client::<Square>::connect_to_timeout(&there, WATCHDOG).unwrap());
    let _peer = Peer::start("host", &[&name]);
    assert_eq!(waiting.join().unwrap().call(|reply| (7, reply)).unwrap(), 49);
}

/// The two sides meet at every possible moment, and none of them is the wrong one.
#[test]
fn no_appearance_is_missed() {
    registry::set_lookup_enabled(false);
    for round in 0..300 {
        let name = unique("meet");
        let there = name.clone();
        let start = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                start.wait();
                Client::<Square>::connect_to_timeout(&there, WATCHDOG).unwrap()
            });
            start.wait();
            (0..round * 20).for_each(|_| std::hint::spin_loop());
            let host = squares(&name);
            assert_eq!(waiting.join().unwrap().call(|reply| (3, reply)).unwrap(), 9);
            drop(host);
        });
    }
}

#[test]
fn many_wait_for_many_names() {
    let names: Vec<String> = (0..30).map(|_| unique("crowd")).collect();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = names
            .iter()
            .map(|name| {
                scope.spawn(|| {
                    let right = bootstrap::look_up_waiting::<u8>(name, Deadline::after(WATCHDOG));
                    assert!(!right.unwrap().is_dead());
                })
            })
            .collect();
        let ports: Vec<_> = names.iter().rev().map(|name| bootstrap::check_in::<u8>(name).unwrap()).collect();
        waiting.into_iter().for_each(|thread| thread.join().unwrap());
        drop(ports);
    });
}

/// On Linux names are files in a directory, which the first host of a user makes.
#[test]
fn a_host_is_found_in_a_directory_that_was_not_there() {
    let root = std::env::temp_dir().join(unique("directories"));
    for (depth, path) in ["", "a", "b/c/d"].iter().enumerate() {
        let directory = root.join(path).join("names");
        let environment = [("MACHIPC_BOOTSTRAP_DIR", directory.to_str().unwrap())];
        let name = unique("directory");
        let caller = Peer::start_in("caller", &[&name], &environment);
        // Whether it has begun to wait by now does not matter to the outcome; it has a chance to.
        std::thread::sleep(Duration::from_millis(50 * depth as u64));
        let host = Peer::start_in("host", &[&name], &environment);
        caller.finish();
        host.finish();
    }
    let _ = std::fs::remove_dir_all(&root);
}

/// A client that connects asks the host for its definition, but not for longer than a busy host takes to answer.
#[test]
fn a_busy_host_is_connected_to() {
    registry::set_lookup_enabled(false);
    let name = unique("busy");
    let (entered, in_handler) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let host = Host::<Square>::builder()
        .name(&name)
        .bind(move |(number, reply): Square, _: &Context| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            reply.send(number).unwrap();
        })
        .unwrap();
    let connect = || Client::<Square>::connect_to(&name).unwrap();
    let busy = connect();
    let call = std::thread::spawn(move || busy.call(|reply| (1, reply)).unwrap());
    in_handler.recv_timeout(WATCHDOG).unwrap();
    let late = connect();
    // A definition that does not fit is told when the host has time.
    let other = Client::<(String, machipc::Reply<u64>)>::connect_to(&name).unwrap();
    let refused = std::thread::spawn(move || other.call(|reply| (String::new(), reply)).unwrap_err());
    release.send(()).unwrap();
    assert_eq!(call.join().unwrap(), 1);
    let error = refused.join().unwrap();
    assert!(
        error.to_string().contains("`(str,Reply<u64>)` here and `(u64,Reply<u64>)` in the host"),
        "{error}"
    );
    release.send(()).unwrap();
    assert_eq!(late.call(|reply| (2, reply)).unwrap(), 2);
    // Questions are no messages of the endpoint.
    assert_eq!(host.stats().handled, 2);
}

/// A host may say anything of itself.
#[test]
fn what_a_host_says_of_itself_is_made_harmless() {
    type Refusal<'a> = (u32, u64, &'a str, &'a str);
    let long = "x".repeat(3 << 20);
    for schema in ["#0\n#0 = \u{1b}[2J<A;>", "", "#0\n#0 = (u64,", long.as_str()] {
        let name = unique("evil");
        let port = bootstrap::check_in::<()>(&name).unwrap();
        let told = AtomicBool::new(false);
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = MessageBuffer::new();
                while !told.load(Ordering::Relaxed) {
                    let Ok(question) = port.receive(&mut buffer, Deadline::after(Duration::from_millis(5)))
                    else {
                        continue;
                    };
                    let reply = question.take_reply().unwrap();
                    // "Foreign", in the words of this version.
                    let refusal: Refusal<'_> = (1, 7, "an \u{1b}[31mevil type", schema);
                    let fingerprint = Schema::fingerprint_of::<Refusal<'_>>();
                    // Who asked may have given up.
                    let _ = Outgoing::encode(&mut MessageBuffer::new(), 0x2000_0001, fingerprint, |out| {
                        refusal.encode(out)
                    })
                    .unwrap()
                    .answer(&reply)
                    .send(Deadline::after(WATCHDOG));
                }
            });
            // While connecting, or if that took longer than a client waits for, in the first call.
            let connected = Client::<Square>::connect_to(&name);
            let error = connected.and_then(|client| client.call(|reply| (1, reply))).unwrap_err();
            told.store(true, Ordering::Relaxed);
            error
        });
        let Error::Fingerprint { differences, theirs, .. } = &error else { panic!("{error}") };
        assert!(!differences.is_empty() && theirs.schema.len() < 1 << 20);
        let text = error.to_string();
        assert!(text.len() < 2000 && !text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn who_is_not_served_is_told_when_connecting() {
    registry::set_lookup_enabled(false);
    let name = unique("denied");
    let host = Host::<Square>::builder()
        .name(&name)
        .peers(machipc::PeerPolicy::when(|_| false))
        .bind(|_, _: &Context| {})
        .unwrap();
    let options = machipc::ConnectOptions::new().name(&name).compare(WATCHDOG);
    let denied = Client::<Square>::connect_with(&options);
    assert!(matches!(denied, Err(Error::Denied { .. })), "{denied:?}");
    let unasked = Client::<Square>::connect_with(&options.compare(None)).unwrap();
    assert!(matches!(unasked.call(|reply| (1, reply)), Err(Error::Denied { .. })));
    assert_eq!(host.stats().denied, 2);
}

#[test]
fn the_deadline_is_kept() {
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let (name, start) = (unique("nobody"), Instant::now());
        let error = Client::<Square>::connect_to_timeout(&name, timeout).unwrap_err();
        assert!(matches!(&error, Error::NotFound { endpoint } if *endpoint == name), "{error}");
        assert!(start.elapsed() >= timeout);
        let error = bootstrap::look_up_waiting::<u8>(&name, Deadline::after(timeout)).unwrap_err();
        assert!(error.mach().unwrap().is_unknown_service(), "{error}");
    }
    let bad = Client::<Square>::connect_to_timeout("", WATCHDOG);
    assert!(matches!(bad, Err(Error::BadName { .. })), "{bad:?}");
}
