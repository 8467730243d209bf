//! What a handler sends and calls waits no longer than the handler's own caller.

mod typed_support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use futures::executor::{ThreadPool, block_on};
use machipc::{
    AsyncClient, AsyncHandler, Client, Context, Error, Host, HostBuilder, MachMessage, Reply, registry,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

/// Who is called by a handler.
#[machipc::endpoint("com.example.test.inherit.leaf")]
#[derive(Debug)]
enum Leaf {
    Ask { reply: Reply<()> },
    Note,
}

/// Whose handler calls.
#[machipc::endpoint("com.example.test.inherit.middle")]
trait Middle {
    fn work(&self, cx: &Context, how: How);
    #[oneway]
    fn note(&self, cx: &Context, how: How);
}

#[machipc::endpoint("com.example.test.inherit.middle")]
trait LaterMiddle {
    async fn work(&self, cx: &Context, how: How);
    #[oneway]
    async fn note(&self, cx: &Context, how: How);
}

#[derive(MachMessage, Clone, Copy, Debug, PartialEq)]
enum How {
    Call,
    Start,
    Async,
    /// With a deadline of its own that is earlier.
    Hurried,
    /// With no deadline of its own.
    Unhurried,
    Detached,
    DetachedUnhurried,
    /// On a thread that the handler starts.
    Elsewhere,
    /// The same, in the message's scope.
    Along,
    /// The leaf is sent a one-way message.
    Note,
}

const ALL: [How; 10] = [
    How::Call,
    How::Start,
    How::Async,
    How::Hurried,
    How::Unhurried,
    How::Detached,
    How::DetachedUnhurried,
    How::Elsewhere,
    How::Along,
    How::Note,
];

/// Between the outer caller's deadline and the default.
const OUTER: Duration = Duration::from_secs(20);
const HURRIED: Duration = Duration::from_secs(10);

/// Until when each handler's caller waits.
type Seen = mpsc::Sender<Option<Instant>>;

/// A handler that calls the leaf.
#[derive(Clone)]
struct Caller {
    leaf: Client<Leaf>,
    seen: Seen,
}

/// Ready when it is polled the second time.
async fn a_moment() {
    let mut again = false;
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut again, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// `block_on`, which no executor minds.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn ask(reply: Reply<()>) -> Leaf {
    Leaf::Ask { reply }
}

impl Caller {
    /// The client that `how` is about.
    fn client(&self, how: How) -> Client<Leaf> {
        match how {
            How::Hurried => self.leaf.with_deadline(HURRIED),
            How::Unhurried => self.leaf.with_deadline(None),
            How::Detached => self.leaf.detached(),
            How::DetachedUnhurried => self.leaf.with_deadline(None).detached(),
            _ => self.leaf.clone(),
        }
    }

    fn work(&self, cx: &Context, how: How) {
        self.seen.send(cx.deadline()).unwrap();
        let leaf = self.client(how);
        match how {
            How::Start => leaf.start(ask).unwrap().wait().unwrap(),
            How::Async => wait(AsyncClient::from(leaf).call(ask)).unwrap(),
            How::Elsewhere => std::thread::spawn(move || leaf.call(ask).unwrap()).join().unwrap(),
            How::Along => {
                let cx = cx.clone();
                std::thread::spawn(move || cx.scope(|| leaf.call(ask)).unwrap()).join().unwrap();
            }
            How::Note => leaf.send(Leaf::Note).unwrap(),
            _ => leaf.call(ask).unwrap(),
        }
    }

    async fn work_later(&self, cx: &Context, how: How) {
        self.seen.send(cx.deadline()).unwrap();
        a_moment().await;
        let leaf = AsyncClient::from(self.client(how));
        match how {
            How::Start => leaf.start(ask).await.unwrap().await.unwrap(),
            How::Elsewhere => std::thread::spawn(move || block_on(leaf.call(ask)).unwrap()).join().unwrap(),
            How::Along => {
                let call = cx.scope_future(async move {
                    a_moment().await;
                    leaf.call(ask).await.unwrap();
                });
                std::thread::spawn(move || block_on(call)).join().unwrap();
            }
            How::Note => leaf.send(Leaf::Note).await.unwrap(),
            _ => leaf.call(ask).await.unwrap(),
        }
    }

    fn handle(&self, message: MiddleMessage, cx: &Context) {
        match message {
            MiddleMessage::Work { how, reply } => {
                self.work(cx, how);
                reply.send(()).unwrap();
            }
            MiddleMessage::Note { how } => self.work(cx, how),
        }
    }
}

impl Middle for Caller {
    fn work(&self, cx: &Context, how: How) {
        Self::work(self, cx, how);
    }
    fn note(&self, cx: &Context, how: How) {
        Self::work(self, cx, how);
    }
}

impl LaterMiddle for Caller {
    async fn work(&self, cx: &Context, how: How) {
        self.work_later(cx, how).await;
    }
    async fn note(&self, cx: &Context, how: How) {
        self.work_later(cx, how).await;
    }
}

impl AsyncHandler<MiddleMessage> for Caller {
    async fn handle(&self, message: MiddleMessage, cx: &Context) {
        match message {
            MiddleMessage::Work { how, reply } => {
                self.work_later(cx, how).await;
                reply.send(()).unwrap();
            }
            MiddleMessage::Note { how } => self.work_later(cx, how).await,
        }
    }
}

/// Each client of the middle's, with each way to the leaf.
fn each_way(host: impl Fn(HostBuilder<MiddleMessage>, Caller) -> Host<MiddleMessage>) {
    registry::set_lookup_enabled(false);
    let (tell, told) = mpsc::channel();
    let leaf = Host::<Leaf>::builder()
        .unnamed()
        .bind(move |message: Leaf, cx: &Context| {
            tell.send(cx.deadline()).unwrap();
            if let Leaf::Ask { reply } = message {
                reply.send(()).unwrap();
            }
        })
        .unwrap();
    let through_port = Client::from_right(leaf.send_right().unwrap());
    for leaf in [leaf.client(), through_port] {
        let (seen, seeing) = mpsc::channel();
        let host = host(Host::builder().unnamed(), Caller { leaf: leaf.clone(), seen });
        let port = Client::from_right(host.send_right().unwrap());
        for middle in [host.client(), port] {
            let is_local = (middle.is_local(), leaf.is_local());
            let middle = MiddleClient::from_client(middle.with_deadline(OUTER));
            for how in ALL {
                middle.work(how).unwrap();
                let outer = seeing.recv_timeout(WATCHDOG).unwrap().expect("a request has a deadline");
                let inner = told.recv_timeout(WATCHDOG).unwrap();
                check(how, outer, inner, &format!("{how:?}, short cuts {is_local:?}"));

                // One-way messages have no deadline, and so nothing to hand on.
                middle.note(how).unwrap();
                assert_eq!(seeing.recv_timeout(WATCHDOG).unwrap(), None);
                let inner = told.recv_timeout(WATCHDOG).unwrap();
                let has_none = matches!(how, How::Unhurried | How::DetachedUnhurried | How::Note);
                assert_eq!(inner.is_none(), has_none, "one-way, {how:?}, short cuts {is_local:?}");
            }
        }
    }
}

fn check(how: How, outer: Instant, inner: Option<Instant>, what: &str) {
    // A deadline that went to the port and back may be a moment later.
    const CLOCK: Duration = Duration::from_micros(10);
    match how {
        How::Note | How::DetachedUnhurried => assert_eq!(inner, None, "{what}"),
        How::Hurried => assert!(inner.unwrap() < outer, "{what}"),
        How::Detached | How::Elsewhere => assert!(inner.unwrap() > outer + CLOCK, "{what}"),
        How::Call | How::Start | How::Async | How::Unhurried | How::Along => {
            let inner = inner.unwrap();
            assert!(outer <= inner && inner <= outer + CLOCK, "{what}: {outer:?}, then {inner:?}");
        }
    }
}

fn pool() -> impl Fn(machipc::Task) + Send + Sync {
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    move |task| pool.spawn_ok(task)
}

#[test]
fn by_a_handler() {
    each_way(|builder, caller| {
        builder.bind(move |message: MiddleMessage, cx: &Context| caller.handle(message, cx)).unwrap()
    });
}

#[test]
fn by_a_pool_of_threads() {
    each_way(|builder, caller| {
        let handle = move |message: MiddleMessage, cx: &Context| caller.handle(message, cx);
        builder.threads(3).bind(handle).unwrap()
    });
}

#[test]
fn by_tasks() {
    each_way(|builder, caller| builder.serve_async_on(pool(), caller).unwrap());
}

#[test]
fn by_a_closure_that_makes_tasks_and_calls_before_there_is_one() {
    each_way(|builder, caller| {
        let handle = move |message: MiddleMessage, cx: Context| {
            caller.handle(message, &cx);
            async {}
        };
        builder.serve_async_on(pool(), handle).unwrap()
    });
}

#[test]
fn by_a_trait() {
    each_way(|builder, caller| builder.bind(MiddleServer::new(caller).handler()).unwrap());
}

#[test]
fn by_a_trait_of_tasks() {
    let later = |caller: Caller| {
        Host::<LaterMiddleMessage>::builder()
            .unnamed()
            .serve_async_on(pool(), LaterMiddleServer::new(caller))
            .unwrap()
    };
    registry::set_lookup_enabled(false);
    let (tell, told) = mpsc::channel();
    let leaf = Host::<Leaf>::builder()
        .unnamed()
        .bind(move |message: Leaf, cx: &Context| {
            tell.send(cx.deadline()).unwrap();
            if let Leaf::Ask { reply } = message {
                reply.send(()).unwrap();
            }
        })
        .unwrap();
    let (seen, seeing) = mpsc::channel();
    let host = later(Caller { leaf: leaf.client(), seen });
    let middle = LaterMiddleClient::from_client(host.client().with_deadline(OUTER));
    for how in ALL {
        middle.work(how).unwrap();
        let outer = seeing.recv_timeout(WATCHDOG).unwrap().expect("a request has a deadline");
        check(how, outer, told.recv_timeout(WATCHDOG).unwrap(), &format!("{how:?}"));
    }
}

#[test]
fn nothing_is_sent_once_the_callers_time_is_up() {
    registry::set_lookup_enabled(false);
    let (tell, told) = mpsc::channel();
    let leaf = Host::<Leaf>::builder()
        .unnamed()
        .bind(move |message: Leaf, _: &Context| tell.send(format!("{message:?}")).unwrap())
        .unwrap();
    let port = Client::from_right(leaf.send_right().unwrap());
    for leaf in [leaf.client(), port] {
        let (done, results) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let host = Host::<Reply<()>>::builder()
            .unnamed()
            .bind(move |mut reply: Reply<()>, _: &Context| {
                begin.send(()).unwrap();
                assert!(reply.wait_cancelled(WATCHDOG));
                let until = reply.deadline().unwrap();
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                let awaited = AsyncClient::from(leaf.clone());
                let results = [
                    leaf.call(ask),
                    leaf.start(ask).and_then(|call| call.wait()),
                    block_on(awaited.call(ask)),
                    block_on(awaited.send(Leaf::Note)).map_err(|failed| failed.into_error()),
                    leaf.send(Leaf::Note).map_err(|failed| failed.into_error()),
                ];
                done.send(results).unwrap();
                leaf.detached().send(Leaf::Note).unwrap();
            })
            .unwrap();
        let hurried = Client::from_right(host.send_right().unwrap()).with_deadline(Duration::from_millis(5));
        // Where the machine is busy it may be over before it has begun, and is not handled then.
        while begun.try_recv().is_err() {
            assert!(matches!(hurried.call(|reply| reply), Err(Error::DeadlineExceeded { .. })));
        }
        for result in results.recv_timeout(WATCHDOG).unwrap() {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::DeadlineExceeded { after: Duration::ZERO, .. }), "{error}");
        }
        assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), "Note");
    }
}

// ---- Three processes

/// What each process of a row serves.
#[machipc::endpoint("com.example.test.inherit.chain")]
enum Chain {
    /// Calls the next process, or where there is none keeps the caller waiting.
    Pass { reply: Reply<()> },
    /// What became of that.
    Outcome { reply: Reply<Option<Outcome>> },
    /// How many `Pass` were begun.
    Begun { reply: Reply<u64> },
}

#[derive(MachMessage, Clone, Debug, PartialEq)]
struct Outcome {
    /// How much time was left when the handler began, in nanoseconds.
    left: u64,
    /// How the call of the next one ended, and how much time it was given.
    failed: Option<(String, u64)>,
    is_cancelled: bool,
}

/// One process of the row.
struct Link {
    next: Option<ChainClient>,
    outcome: Mutex<Option<Outcome>>,
    held: Mutex<Option<Reply<()>>>,
    begun: AtomicU64,
}

impl Link {
    fn begin(&self, cx: &Context) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let left = cx.deadline().expect("a deadline").saturating_duration_since(Instant::now());
        left.as_nanos() as u64
    }

    fn answer(&self, reply: Reply<Option<Outcome>>) {
        let mut outcome = self.outcome.lock().unwrap().clone();
        if let (Some(outcome), Some(held)) = (&mut outcome, &*self.held.lock().unwrap()) {
            outcome.is_cancelled = held.is_cancelled();
        }
        reply.send(outcome).unwrap();
    }

    /// Nothing is answered, whatever came of it.
    fn keep(&self, left: u64, passed: Option<Result<(), Error>>, reply: Reply<()>) {
        let failed = passed.map(|passed| match passed.unwrap_err() {
            Error::DeadlineExceeded { after, .. } => ("DeadlineExceeded".to_owned(), after.as_nanos() as u64),
            other => (other.to_string(), 0),
        });
        *self.held.lock().unwrap() = Some(reply);
        *self.outcome.lock().unwrap() = Some(Outcome { left, failed, is_cancelled: false });
    }
}

impl AsyncHandler<Chain> for Link {
    async fn handle(&self, message: Chain, cx: &Context) {
        match message {
            Chain::Pass { reply } => {
                let left = self.begin(cx);
                a_moment().await;
                let passed = match &self.next {
                    Some(next) => Some(ChainAsyncClient::from(next.clone()).pass().await),
                    None => None,
                };
                self.keep(left, passed, reply);
            }
            Chain::Outcome { reply } => self.answer(reply),
            Chain::Begun { reply } => reply.send(self.begun.load(Ordering::Relaxed)).unwrap(),
        }
    }
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let next = arguments.get(1).map(|name| {
        ChainClient::from_client(Client::connect_to_timeout(name, WATCHDOG).unwrap().with_deadline(None))
    });
    let link = Link { next, outcome: Mutex::default(), held: Mutex::default(), begun: AtomicU64::new(0) };
    let builder = Host::<Chain>::builder().name(&arguments[0]);
    match role.as_str() {
        "threads" => drop(builder.threads(2).run(move |message: Chain, cx: &Context| match message {
            Chain::Pass { reply } => {
                let left = link.begin(cx);
                let passed = link.next.as_ref().map(|next| next.pass());
                link.keep(left, passed, reply);
            }
            Chain::Outcome { reply } => link.answer(reply),
            Chain::Begun { reply } => reply.send(link.begun.load(Ordering::Relaxed)).unwrap(),
        })),
        "tasks" => drop(builder.serve_async_on(pool(), link).unwrap().wait()),
        other => panic!("no role is called {other}"),
    }
}

/// Whether every one of the processes had begun when the time was up.
fn a_row_of_three(kind: &str) -> bool {
    const ALLOWED: Duration = Duration::from_millis(300);
    let [b, c] = [unique("chain.b"), unique("chain.c")];
    let _c = Peer::start(kind, &[&c]);
    let _b = Peer::start(kind, &[&b, &c]);
    let connect = |name: &str| ChainClient::from_client(Client::connect_to_timeout(name, WATCHDOG).unwrap());
    let (to_b, to_c) = (connect(&b), connect(&c));
    let start = Instant::now();
    let error = to_b.with_deadline(ALLOWED).pass().unwrap_err();
    let took = start.elapsed();
    assert!(matches!(error, Error::DeadlineExceeded { after: ALLOWED, .. }), "{kind}: {error}");
    assert!(took >= ALLOWED);
    if to_c.begun().unwrap() == 0 {
        return false;
    }
    let outcome = |of: &ChainClient| {
        until("the handler sees that nobody waits", || {
            of.outcome().unwrap().is_some_and(|outcome| outcome.is_cancelled)
        });
        of.outcome().unwrap().unwrap()
    };
    let (b, c) = (outcome(&to_b), outcome(&to_c));
    println!("{kind}: A gave up after {took:?}; B had {} ns left, C had {} ns", b.left, c.left);
    let (failed, given) = b.failed.unwrap();
    assert_eq!(failed, "DeadlineExceeded", "{kind}");
    // Between two processes the clock is right to within this.
    const CLOCK: u64 = 10_000;
    assert!(u128::from(b.left) <= ALLOWED.as_nanos() + u128::from(CLOCK), "{kind}");
    assert!(given <= b.left && c.left <= given + CLOCK, "{kind}: {given}");
    assert_eq!(c.failed, None);
    true
}

#[test]
fn three_processes_share_one_deadline() {
    for kind in ["threads", "tasks"] {
        // Where the machine is busy the time may be up before the last one has begun.
        while !a_row_of_three(kind) {}
    }
}
