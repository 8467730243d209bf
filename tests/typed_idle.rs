//! Hosts that end when they have no clients.

mod typed_support;

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use machipc::{
    AsyncClient, Client, ConnectOptions, Context, Ended, Error, Host, HostStats, Reconnect, Reply,
};
use typed_support::process::{Peer, command, role};
use typed_support::{WATCHDOG, unique, until};

const AFTER: Duration = Duration::from_millis(50);
/// The same for a host that the test itself must reach in time.
const LONG_AFTER: Duration = Duration::from_secs(1);

/// A client tells who it is, and gets its number back.
#[machipc::endpoint("com.example.test.idle")]
enum Idle {
    Hello { reply: Reply<u32> },
}

fn handle(Idle::Hello { reply }: Idle, cx: &Context) {
    let _ = reply.send(cx.peer().pid());
}

#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let own = std::process::id();
    let hello = |client: Client<Idle>| assert_eq!(client.call(|reply| Idle::Hello { reply }).unwrap(), own);
    let by_name = || ConnectOptions::new().name(&arguments[0]).wait(WATCHDOG);
    match role.as_str() {
        "client" => {
            let client = Client::<Idle>::connect_with(&by_name().compare(WATCHDOG)).unwrap();
            let clone = client.clone();
            hello(client);
            // Clones are the same client.
            std::mem::forget(clone);
        }
        "not asking" => {
            let client = Client::<Idle>::connect_with(&by_name().compare(None)).unwrap();
            hello(client.clone());
            std::mem::forget(client);
        }
        "asynchronous" => {
            let client = AsyncClient::<Idle>::connect_to_timeout(&arguments[0], WATCHDOG);
            let client = futures::executor::block_on(client).unwrap();
            hello(client.client().clone());
            std::mem::forget(client);
        }
        "come and gone" => return hello(Client::<Idle>::connect_with(&by_name()).unwrap()),
        "child" => {
            let client = Client::<Idle>::from_parent().unwrap();
            hello(client.clone());
            std::mem::forget(client);
        }
        "host" => {
            let host =
                || Host::<Idle>::builder().name(&arguments[0]).exit_when_idle(Duration::from_millis(1));
            while !matches!(host().run(handle), Err(Error::NameTaken { .. })) {}
            return;
        }
        other => panic!("{other}"),
    }
    // Idle, and a client all the same, until it is killed.
    let _ = std::io::stdin().read(&mut [0]);
    thread::park();
}

/// Runs a host on a thread, which tells who has sent each message.
fn host(name: &str, threads: usize, after: Duration) -> (JoinHandle<HostStats>, Receiver<u32>) {
    let builder = Host::<Idle>::builder().name(name).threads(threads).exit_when_idle(after);
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let handle = move |message: Idle, cx: &Context| {
        handle(message, cx);
        let _ = tell.lock().unwrap().send(cx.peer().pid());
    };
    (thread::spawn(move || builder.run(handle).unwrap()), told)
}

fn ended(host: JoinHandle<HostStats>) -> HostStats {
    until("the host ends", || host.is_finished());
    let stats = host.join().unwrap();
    assert_eq!(stats.ended, Some(Ended::Idle));
    stats
}

#[test]
fn without_clients_it_ends() {
    for threads in [1, 3] {
        let begun = Instant::now();
        assert_eq!(ended(host(&unique("nobody"), threads, AFTER).0).handled, 0);
        assert!(begun.elapsed() >= AFTER);
    }
    let spawn = |task| drop(thread::spawn(move || futures::executor::block_on(task)));
    let async_handle = |message: Idle, cx: Context| async move { handle(message, &cx) };
    let builder = Host::<Idle>::builder().name(unique("nobody")).exit_when_idle(AFTER);
    let host = builder.serve_async_on(spawn, async_handle).unwrap();
    assert_eq!(host.wait().ended, Some(Ended::Idle));
}

#[test]
fn its_own_clients_do_not_keep_it() {
    let name = unique("own");
    let host = Host::<Idle>::builder().name(&name).exit_when_idle(LONG_AFTER).bind(handle).unwrap();
    let clients = [
        host.client(),
        Client::connect_to(&name).unwrap(),
        Client::connect_with(
            &ConnectOptions::new().name(&name).reconnect(Reconnect::OnHostDeath { wait: Duration::ZERO }),
        )
        .unwrap(),
        Client::from_right(host.send_right().unwrap()),
    ];
    let right = host.send_right().unwrap();
    assert_eq!(host.wait().ended, Some(Ended::Idle));
    assert!(right.is_dead() && clients.iter().all(Client::is_dead));
}

#[test]
fn it_lives_as_long_as_any_client() {
    machipc::registry::set_lookup_enabled(false);
    thread::scope(|scope| {
        for (role, threads) in [("client", 1), ("client", 2), ("not asking", 1), ("asynchronous", 1)] {
            scope.spawn(move || lives(role, threads));
        }
    });
}

fn lives(role: &str, threads: usize) {
    let name = unique("lives");
    let (host, told) = host(&name, threads, LONG_AFTER);
    let mut peers: Vec<Peer> = (0..2).map(|_| Peer::start(role, &[&name])).collect();
    // Until they are there, messages of this process keep the host: it is no client.
    let own = Client::<Idle>::connect_to_timeout(&name, WATCHDOG).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    until("both have called", || {
        own.call(|reply| Idle::Hello { reply }).unwrap();
        seen.extend(told.try_iter().filter(|&pid| pid != std::process::id()));
        seen.len() == 2
    });
    // One of two goes, and the other keeps the host, although it sends nothing.
    peers.pop().unwrap().kill();
    thread::sleep(2 * LONG_AFTER);
    assert!(!host.is_finished(), "{role}");
    peers.pop().unwrap().kill();
    ended(host);
}

#[test]
fn a_child_keeps_the_host_that_it_was_handed() {
    // On a busy machine it may end before it is handed on.
    let (host, mut command) = loop {
        let host = Host::<Idle>::builder().unnamed().exit_when_idle(AFTER).bind(handle).unwrap();
        let mut command: Command = command("child", &[]);
        if host.hand_to(&mut command).is_ok() {
            break (host, command);
        }
    };
    let mut child: Child = command.stdin(Stdio::piped()).spawn().unwrap();
    drop(command);
    until("the child has called", || host.stats().handled == 1);
    thread::sleep(5 * AFTER);
    assert_eq!(host.stats().ended, None);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(host.wait().ended, Some(Ended::Idle));
}

#[test]
fn nothing_hangs_when_clients_come_as_it_ends() {
    let name = unique("race");
    let mut host = Peer::start("host", &[&name]);
    let options = ConnectOptions::new().name(&name).wait(WATCHDOG);
    let (mut answered, mut refused) = (0, 0);
    let begun = Instant::now();
    while answered < 50 && begun.elapsed() < WATCHDOG {
        // A new client each time, in the time that the host would end by itself.
        thread::sleep(Duration::from_micros(answered % 8 * 300));
        let called = Client::<Idle>::connect_with(&options)
            .map(|client| client.with_deadline(WATCHDOG))
            .and_then(|client| client.call(|reply| Idle::Hello { reply }));
        match called {
            Ok(pid) => {
                assert_eq!(pid, std::process::id());
                answered += 1;
            }
            Err(Error::HostDied { .. } | Error::HostStopping { .. }) => refused += 1,
            Err(error) => panic!("after {answered} answers: {error}"),
        }
    }
    println!("{:?}: {answered} answered, {refused} refused", begun.elapsed());
    assert_eq!(answered, 50);
    host.kill();
}
