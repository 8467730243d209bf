//! What becomes of an asynchronous method when its caller, in another process, does not wait for it any more.

mod typed_support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::{ThreadPool, block_on};
use futures::future::join_all;
use machipc::{AsyncClient, Client, Error, Host, Reply, Sink, Source, StreamError};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.cancelled")]
trait Work {
    /// Never ends by itself.
    async fn hold(&self, text: &str);
    /// As `hold`, with streams. The client's end of the second one is in the answer.
    async fn sum(&self, numbers: Source<u64>, log: Sink<u64>) -> u64;
    /// Has a task of its own hold.
    async fn spawn(&self);
    /// Nobody waits for it.
    #[oneway]
    async fn begin(&self);
    /// Answered before it runs.
    async fn watch(&self, out: Sink<u64>);
    /// Ready when it is first polled, or after so many times.
    async fn square(&self, of: u64, pauses: u64) -> u64;
    async fn counts(&self) -> Counts;
}

#[derive(machipc::MachMessage, Clone, Copy, Debug, PartialEq)]
struct Counts {
    /// Methods that have come to where they wait.
    begun: u64,
    /// Those that were dropped there.
    dropped: u64,
}

#[derive(Default)]
struct Tally {
    begun: AtomicU64,
    dropped: AtomicU64,
}

struct Worker {
    tally: Arc<Tally>,
    tasks: ThreadPool,
}

/// Tells of the end of the future that it is in.
struct InHand(Arc<Tally>);

impl InHand {
    fn begin(tally: &Arc<Tally>) -> Self {
        tally.begun.fetch_add(1, Ordering::SeqCst);
        Self(tally.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pause() {
    let mut again = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut again) {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    })
    .await;
}

impl Work for Worker {
    async fn hold(&self, text: &str) {
        let _in_hand = InHand::begin(&self.tally);
        pending::<()>().await;
        unreachable!("{text}");
    }

    async fn sum(&self, numbers: Source<u64>, log: Sink<u64>) -> u64 {
        let _in_hand = InHand::begin(&self.tally);
        pending::<()>().await;
        drop(log);
        numbers.map(Result::unwrap).sum()
    }

    async fn spawn(&self) {
        let in_hand = InHand::begin(&self.tally);
        let (done, result) = oneshot::channel::<()>();
        self.tasks.spawn_ok(async move {
            pending::<()>().await;
            drop((in_hand, done));
        });
        let _ = result.await;
    }

    async fn begin(&self) {
        let _in_hand = InHand::begin(&self.tally);
        pending::<()>().await;
    }

    async fn watch(&self, out: Sink<u64>) {
        let _in_hand = InHand::begin(&self.tally);
        let mut out = out.into_async();
        let mut number = 0;
        while out.send(number).await.is_ok() {
            number += 1;
        }
    }

    async fn square(&self, of: u64, pauses: u64) -> u64 {
        for _ in 0..pauses {
            pause().await;
        }
        of * of
    }

    async fn counts(&self) -> Counts {
        let [begun, dropped] =
            [&self.tally.begun, &self.tally.dropped].map(|count| count.load(Ordering::SeqCst));
        Counts { begun, dropped }
    }
}

fn serve(name: &str) -> Host<WorkMessage<'static>> {
    let tasks = ThreadPool::builder().pool_size(2).create().unwrap();
    let worker = Worker { tally: Arc::default(), tasks: tasks.clone() };
    Host::<WorkMessage>::builder()
        .name(name)
        .serve_async_on(move |task| tasks.spawn_ok(task), WorkServer::new(worker))
        .unwrap()
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    match role.as_str() {
        "host" => drop(serve(&arguments[0]).wait()),
        "caller" => {
            let work = WorkAsyncClient::connect_to(&arguments[0]).unwrap().with_deadline(None);
            let calls = (0..arguments[1].parse().unwrap()).map(|_| work.hold("until it is killed"));
            block_on(join_all(calls));
            unreachable!("nobody answers these calls");
        }
        other => panic!("no role is called {other}"),
    }
}

fn start(tag: &str) -> (Peer, WorkClient, String) {
    let name = unique(tag);
    let peer = Peer::start("host", &[&name]);
    let work = WorkClient::from_client(Client::connect_to_timeout(&name, WATCHDOG).unwrap());
    (peer, work, name)
}

fn comes_to(work: &WorkClient, begun: u64, dropped: u64) {
    let expected = Counts { begun, dropped };
    until("the methods are where they should be", || work.counts().unwrap() == expected);
}

/// Starts a call, and lets it go once its method has come to where it waits.
fn let_go(work: &WorkClient, request: impl FnOnce(Reply<()>) -> WorkMessage<'static>) {
    let before = work.counts().unwrap();
    let call = work.client().with_deadline(None).start(request).unwrap();
    comes_to(work, before.begun + 1, before.dropped);
    drop(call);
}

fn hold(reply: Reply<()>) -> WorkMessage<'static> {
    WorkMessage::Hold { text: "until it is let go", reply }
}

#[test]
fn a_deadline_drops_the_method() {
    let (_peer, work, _) = start("cancelled.deadline");
    let mut allowed = Duration::from_millis(20);
    // Where the machine is busy the time may be up before the method has begun.
    while work.counts().unwrap().begun < 3 {
        let error = work.with_deadline(allowed).hold("until its time is up").unwrap_err();
        assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
        allowed += allowed / 4;
    }
    until("the methods are dropped", || {
        let Counts { begun, dropped } = work.counts().unwrap();
        begun == dropped
    });
}

#[test]
fn a_call_that_is_dropped_drops_the_method() {
    const CALLS: u64 = 20;
    let (_peer, work, _) = start("cancelled.future");
    let client = AsyncClient::from(work.client().clone());
    let calls: Vec<_> = (0..CALLS).map(|_| block_on(client.start(hold)).unwrap()).collect();
    comes_to(&work, CALLS, 0);
    drop(calls);
    comes_to(&work, CALLS, CALLS);
}

#[test]
fn a_caller_that_is_killed_drops_the_method() {
    const CALLS: u64 = 20;
    let (_peer, work, name) = start("cancelled.killed");
    let mut caller = Peer::start("caller", &[&name, &CALLS.to_string()]);
    comes_to(&work, CALLS, 0);
    caller.kill();
    comes_to(&work, CALLS, CALLS);
}

#[test]
fn a_caller_in_the_same_process_drops_the_method() {
    let name = unique("cancelled.same");
    let _host = serve(&name);
    let work = WorkClient::connect_to(&name).unwrap();
    let_go(&work, hold);
    comes_to(&work, 1, 1);
}

#[test]
fn what_a_method_holds_is_dropped_with_it() {
    let (_peer, work, _) = start("cancelled.streams");
    let (call, numbers, mut log) = work.sum().unwrap();
    numbers.send(1).unwrap();
    comes_to(&work, 1, 0);
    drop(call);
    comes_to(&work, 1, 1);
    until("the stream to the method is closed", || numbers.is_closed());
    assert_eq!(log.next(), Some(Err(StreamError::ProducerGone)));
}

#[test]
fn a_task_of_its_own_goes_on_and_so_does_what_nobody_waits_for() {
    let (_peer, work, _) = start("cancelled.spawned");
    let_go(&work, |reply| WorkMessage::Spawn { reply });
    work.begin().unwrap();
    comes_to(&work, 2, 0);
    // A method that is answered before it runs ends with its stream.
    let mut watched = work.watch().unwrap();
    assert_eq!(watched.next(), Some(Ok(0)));
    comes_to(&work, 3, 0);
    drop(watched);
    // That one, and nothing of what was there before.
    comes_to(&work, 3, 1);
    let_go(&work, hold);
    comes_to(&work, 4, 2);
}

#[test]
fn methods_that_take_their_time_are_answered() {
    let (_peer, work, _) = start("cancelled.answered");
    for number in 0..200 {
        assert_eq!(work.square(number, number % 5).unwrap(), number * number);
    }
}
