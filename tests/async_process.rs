//! Calls that do not block, between processes, and what becomes of them when one of the processes is killed.

mod endurance_support;
mod port_support;
mod typed_support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use endurance_support::privately;
use futures::executor::block_on;
use futures::future::join_all;
use machipc::{AsyncClient, Error, Host, PendingReply, Reply};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.async.process")]
enum Desk<'a> {
    Echo {
        text: &'a str,
        reply: Reply<String>,
    },
    /// Answered when `Release` comes.
    Hold {
        number: u64,
        reply: Reply<u64>,
    },
    Held {
        reply: Reply<u64>,
    },
    /// How many of the callers on hold have given up.
    Gone {
        reply: Reply<u64>,
    },
    Release,
    /// Keeps the handler busy for good.
    Block,
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let name = arguments[0].as_str();
    match role.as_str() {
        "host" => serve(name).wait(),
        "caller" => {
            let desk = DeskAsyncClient::connect_to(name).unwrap().with_deadline(None);
            let calls = (0..arguments[1].parse().unwrap()).map(|number| desk.hold(number));
            block_on(join_all(calls));
            unreachable!("nobody answers these calls");
        }
        other => panic!("no role is called {other}"),
    };
}

fn serve(name: &str) -> Host<Desk<'static>> {
    let held = Mutex::new(Vec::new());
    let handle = move |message: Desk<'_>, _: &machipc::Context| {
        let mut held = held.lock().unwrap();
        match message {
            Desk::Echo { text, reply } => reply.send(text.to_owned()).unwrap(),
            Desk::Hold { number, reply } => held.push((number, reply)),
            Desk::Held { reply } => reply.send(held.len() as u64).unwrap(),
            Desk::Gone { reply } => {
                let gone = held.iter().filter(|(_, reply): &&(u64, Reply<u64>)| reply.is_cancelled());
                reply.send(gone.count() as u64).unwrap();
            }
            Desk::Release => {
                // The last first, so that each answer has to find its own call.
                held.drain(..).rev().for_each(|(number, reply)| drop(reply.send(number * 3)));
            }
            Desk::Block => loop {
                std::thread::park();
            },
        }
    };
    Host::<Desk>::builder().name(name).bind(handle).unwrap()
}

fn start_host(tag: &str) -> (Peer, DeskAsyncClient) {
    let name = unique(tag);
    let peer = Peer::start("host", &[&name]);
    let client = block_on(AsyncClient::connect_to_timeout(&name, WATCHDOG)).unwrap();
    (peer, DeskAsyncClient::from_client(client))
}

#[test]
fn each_kind_of_client_talks_to_another_process() {
    let (_peer, desk) = start_host("kinds");
    let text = String::from("borrowed by the future");
    assert_eq!(block_on(desk.echo(&text)).unwrap(), text);
    let blocking = DeskClient::from_client(desk.client().client().clone());
    assert_eq!(blocking.echo(&text).unwrap(), text);
    assert_eq!(block_on(DeskAsyncClient::from(blocking).echo("again")).unwrap(), "again");
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_waits_for_a_host_is_woken_when_it_appears_and_not_before() {
    let name = unique("late");
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(wakes.clone());
    let mut connects = pin!(AsyncClient::<Desk>::connect_to_timeout(&name, WATCHDOG));
    assert!(connects.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // Where the system does not tell of every name, it is looked up now and then.
    std::thread::sleep(Duration::from_millis(100));
    assert!(wakes.0.load(Ordering::SeqCst) == 0 || cfg!(target_vendor = "apple"));
    let _host = Peer::start("host", &[&name]);
    until("the task is woken", || wakes.0.load(Ordering::SeqCst) > 0);
    let desk = DeskAsyncClient::from_client(block_on(connects).unwrap());
    assert_eq!(block_on(desk.echo("late")).unwrap(), "late");
}

#[test]
fn to_wait_for_a_host_has_an_end_and_leaves_nothing() {
    // Names are counted, and other tests leave thousands with the driver.
    privately("to_wait_for_a_host_has_an_end_and_leaves_nothing", || {
        let name = unique("never");
        let wait = |timeout| AsyncClient::<Desk>::connect_to_timeout(&name, timeout);
        let give_up = || {
            let error = block_on(wait(Duration::from_millis(20))).unwrap_err();
            assert!(matches!(error, Error::NotFound { .. }), "{error}");
            let mut dropped = Box::pin(wait(WATCHDOG));
            assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        };
        // What the driver keeps for later.
        give_up();
        let before = port_support::holdings().len();
        (0..20).for_each(|_| give_up());
        // The names of what ended are given back a little later.
        until("no name is left for each wait", || port_support::holdings().len() < before + 20);
    });
}

#[test]
fn futures_of_the_generated_client_can_go_to_other_threads() {
    fn send<'f, T>(
        future: impl Future<Output = T> + Send + 'f,
    ) -> Pin<Box<dyn Future<Output = T> + Send + 'f>> {
        Box::pin(future)
    }
    let (_peer, desk) = start_host("send");
    let echo = send(desk.echo("over there"));
    let answer = std::thread::scope(|scope| scope.spawn(|| block_on(echo)).join().unwrap());
    assert_eq!(answer.unwrap(), "over there");
    block_on(send(desk.release())).unwrap();
}

#[test]
fn ten_thousand_calls_to_another_process_are_under_way_at_once() {
    const CALLS: u64 = 10_000;
    let (_peer, desk) = start_host("many");
    let calls = (0..CALLS).map(|number| desk.hold(number));
    let release = async {
        while desk.held().await.unwrap() < CALLS {}
        desk.release().await.unwrap();
    };
    let (answers, ()) = block_on(futures::future::join(join_all(calls), release));
    for (number, answer) in (0..CALLS).zip(answers) {
        assert_eq!(answer.unwrap(), number * 3);
    }
}

#[test]
fn a_killed_host_ends_each_of_a_thousand_calls_once() {
    const CALLS: u64 = 1000;
    let (mut peer, desk) = start_host("killed");
    let desk = desk.with_deadline(None);
    // Half of the calls are in the handler's hands, half are in the queue behind one that keeps it busy.
    let start = |number: u64| -> PendingReply<u64> {
        block_on(desk.client().start(move |reply| Desk::Hold { number, reply })).unwrap()
    };
    let mut calls: Vec<_> = (0..CALLS / 2).map(start).collect();
    assert_eq!(block_on(desk.held()).unwrap(), CALLS / 2);
    block_on(desk.block()).unwrap();
    calls.extend((CALLS / 2..CALLS).map(start));
    let (sink, ended) = mpsc::channel();
    let threads = [calls.split_off(calls.len() / 2), calls].map(|calls| {
        let sink = sink.clone();
        std::thread::spawn(move || {
            let calls = calls.into_iter().map(|call| async { sink.send(call.await).unwrap() });
            block_on(join_all(calls));
        })
    });
    drop(sink);
    peer.kill();
    let mut count = 0;
    while let Ok(result) = ended.recv_timeout(WATCHDOG) {
        assert!(matches!(result, Err(Error::HostDied { .. })), "{result:?}");
        count += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(count, CALLS);
    assert!(matches!(block_on(desk.echo("is anybody there?")), Err(Error::HostDied { .. })));
    assert!(matches!(block_on(desk.release()), Err(Error::HostDied { .. })));
}

#[test]
fn the_handler_sees_that_a_killed_caller_is_gone() {
    const CALLS: u64 = 20;
    let name = unique("caller");
    let (sink, replies) = mpsc::channel();
    let _host = Host::<Desk>::builder()
        .name(&name)
        .bind(move |message: Desk<'_>, _: &machipc::Context| {
            if let Desk::Hold { reply, .. } = message {
                sink.send(reply).unwrap();
            }
        })
        .unwrap();
    let mut caller = Peer::start("caller", &[&name, &CALLS.to_string()]);
    let mut replies: Vec<_> = (0..CALLS).map(|_| replies.recv_timeout(WATCHDOG).unwrap()).collect();
    assert!(!replies.iter_mut().any(|reply| reply.wait_cancelled(Duration::ZERO)));
    // Half of them are awaited, half are waited for.
    let mut waited = replies.split_off(replies.len() / 2);
    let waiting = std::thread::spawn(move || waited.iter_mut().all(|reply| reply.wait_cancelled(WATCHDOG)));
    let awaiting = std::thread::spawn(move || {
        block_on(join_all(replies.iter_mut().map(Reply::cancelled)));
        replies.iter().all(Reply::is_cancelled)
    });
    caller.kill();
    assert!(waiting.join().unwrap() && awaiting.join().unwrap());
}

#[test]
fn the_other_process_sees_deadlines_and_dropped_futures() {
    const CALLS: u64 = 30;
    let (_peer, desk) = start_host("gone");
    let start = |number| desk.client().start(move |reply: Reply<u64>| Desk::Hold { number, reply });
    let dropped: Vec<_> = (0..CALLS).map(|number| block_on(start(number)).unwrap()).collect();
    assert_eq!(block_on(desk.held()).unwrap(), CALLS);
    drop(dropped);
    until("the host sees the dropped futures", || block_on(desk.gone()).unwrap() == CALLS);

    let hurried = desk.with_deadline(Duration::from_millis(30));
    let ended = block_on(join_all((0..CALLS).map(|number| hurried.hold(number))));
    assert!(ended.iter().all(|result| matches!(result, Err(Error::DeadlineExceeded { .. }))), "{ended:?}");
    // A request that was not looked at before its deadline is not handled at all.
    until("the host sees the deadlines", || {
        block_on(async { desk.gone().await.unwrap() == desk.held().await.unwrap() })
    });
}
