//! Hosts whose handlers are futures.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::executor::{ThreadPool, block_on};
use futures::future::join_all;
use machipc::{AsyncClient, AsyncHandler, Client, Context, Error, Host, Reply, Task};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.async.hosts")]
enum Desk<'a> {
    /// The text is held across an await.
    Echo {
        text: &'a str,
        reply: Reply<String>,
    },
    Note {
        number: u64,
    },
    Notes {
        reply: Reply<Vec<u64>>,
    },
    Hold {
        reply: Reply<u64>,
    },
    Panic {
        reply: Reply<u64>,
    },
    Stop,
}

#[derive(Clone, Default)]
struct Handler(Arc<Seen>);

#[derive(Default)]
struct Seen {
    notes: Mutex<Vec<u64>>,
    under_way: AtomicU64,
    most: AtomicU64,
    cancelled: AtomicU64,
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

impl AsyncHandler<Desk<'static>> for Handler {
    async fn handle(&self, message: Desk<'_>, cx: &Context) {
        let Self(seen) = self;
        let under_way = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(under_way, Ordering::SeqCst);
        match message {
            Desk::Echo { text, reply } => {
                a_moment().await;
                assert!(!cx.is_local() && cx.peer().pid() != 0);
                reply.send(text.to_owned()).unwrap();
            }
            Desk::Note { number } => seen.notes.lock().unwrap().push(number),
            Desk::Notes { reply } => reply.send(seen.notes.lock().unwrap().clone()).unwrap(),
            Desk::Hold { mut reply } => {
                reply.cancelled().await;
                seen.cancelled.fetch_add(1, Ordering::SeqCst);
            }
            Desk::Panic { reply: _reply } => {
                a_moment().await;
                // A panic without the words on standard error.
                std::panic::resume_unwind(Box::new("asked to"))
            }
            Desk::Stop => cx.stop(),
        }
        seen.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn on_a_pool() -> impl Fn(Task) + Send + Sync {
    let pool = ThreadPool::builder().pool_size(2).create().unwrap();
    move |task| pool.spawn_ok(task)
}

fn start() -> (Host<Desk<'static>>, Arc<Seen>, DeskAsyncClient) {
    let handler = Handler::default();
    let name = unique("tasks");
    let host = Host::<Desk>::builder().name(&name).serve_async_on(on_a_pool(), handler.clone()).unwrap();
    let client = DeskAsyncClient::connect_to(&name).unwrap();
    (host, handler.0, client)
}

#[test]
fn messages_are_borrowed_across_awaits() {
    let (host, _, desk) = start();
    let texts: Vec<String> = (0..2000).map(|number| format!("text {number}").repeat(number % 7)).collect();
    let echoes = block_on(join_all(texts.iter().map(|text| desk.echo(text))));
    for (text, echo) in texts.iter().zip(echoes) {
        assert_eq!(&echo.unwrap(), text);
    }
    // Larger than a task's buffer, and larger than any buffer.
    for size in [5_000, 60_000, 1_000_000] {
        let text = "x".repeat(size);
        assert_eq!(block_on(desk.echo(&text)).unwrap(), text);
    }
    assert_eq!(host.stats().handled, 2003);
}

#[test]
fn there_is_no_short_cut_but_a_client() {
    let (host, _, desk) = start();
    assert!(!desk.client().client().is_local() && !host.client().is_local());
    let desk = DeskClient::from_client(host.client());
    assert_eq!(desk.client().endpoint(), host.name());
    assert_eq!(desk.echo("by a thread").unwrap(), "by a thread");
    drop(host);
    assert!(matches!(desk.echo("too late"), Err(Error::HostDied { .. })));
}

#[test]
fn a_task_sees_that_its_caller_gives_up() {
    let (host, handler, desk) = start();
    let hurried = desk.with_deadline(Duration::from_millis(100));
    for result in block_on(join_all((0..50).map(|_| hurried.hold()))) {
        assert!(matches!(result, Err(Error::DeadlineExceeded { .. })));
    }
    // Whose time was up before they began are not begun.
    until("the tasks see it", || handler.cancelled.load(Ordering::SeqCst) + host.stats().abandoned == 50);
    assert!(handler.most.load(Ordering::SeqCst) > 1);
}

#[test]
fn a_panic_ends_one_task() {
    let (host, _, desk) = start();
    let results = block_on(join_all((0..10).map(|_| desk.panic())));
    assert!(results.iter().all(|result| matches!(result, Err(Error::ReplyDropped { .. }))), "{results:?}");
    assert_eq!(block_on(desk.echo("still here")).unwrap(), "still here");
    // Callers are told while the panic unwinds, and it is counted when it has been caught.
    until("each panic is counted", || host.stats().panics == 10);
}

#[test]
fn tasks_start_in_order() {
    let (_host, _, desk) = start();
    // One thread runs the tasks as they are given to it.
    let handler = Handler::default();
    let (sink, tasks) = mpsc::channel::<Task>();
    std::thread::spawn(move || tasks.into_iter().for_each(block_on));
    let name = unique("order");
    let spawn = move |task| sink.send(task).unwrap();
    let _other = Host::<Desk>::builder().name(&name).serve_async_on(spawn, handler).unwrap();
    let ordered = DeskClient::connect_to(&name).unwrap();
    (0..500).for_each(|number| ordered.note(number).unwrap());
    assert!(ordered.notes().unwrap().into_iter().eq(0..500));
    drop(desk);
}

#[test]
fn no_more_tasks_are_under_way_than_allowed() {
    const TASKS: usize = 3;
    let (sink, tasks) = mpsc::channel::<Task>();
    let handler = Handler::default();
    let name = unique("bound");
    let host = Host::<Desk>::builder()
        .name(&name)
        .tasks(TASKS)
        .queue_limit(2)
        .serve_async_on(move |task| sink.send(task).unwrap(), handler)
        .unwrap();
    let desk = DeskClient::connect_to(&name).unwrap();
    // Nobody runs the tasks, so that those allowed and then the queue fill up.
    let first: Vec<Task> = (0..TASKS)
        .map(|number| {
            desk.note(number as u64).unwrap();
            tasks.recv_timeout(WATCHDOG).unwrap()
        })
        .collect();
    (0..2).for_each(|number| desk.note(number).unwrap());
    let error = desk.with_deadline(Duration::from_millis(50)).note(9).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
    assert!(tasks.try_recv().is_err());
    // One that is dropped is over too, and makes room for another.
    first.into_iter().take(2).for_each(drop);
    let next = tasks.recv_timeout(WATCHDOG).unwrap();
    block_on(next);
    // A host that waits for a task to end can stop.
    drop(host);
}

#[test]
fn a_handler_stops_its_host() {
    let (host, _, desk) = start();
    block_on(desk.stop()).unwrap();
    assert!(host.wait().handled >= 1);
}

#[test]
fn a_closure_handles_messages_that_own_what_they_have() {
    let sum = Arc::new(AtomicU64::new(0));
    let total = sum.clone();
    let host = Host::<(u64, Reply<u64>)>::builder()
        .unnamed()
        .serve_async_on(on_a_pool(), move |(number, reply): (u64, Reply<u64>), _: Context| {
            let total = total.clone();
            async move {
                a_moment().await;
                reply.send(total.fetch_add(number, Ordering::SeqCst) + number).unwrap();
            }
        })
        .unwrap();
    let client = AsyncClient::from(host.client());
    let answers = block_on(join_all((1..=100).map(|number| client.call(move |reply| (number, reply)))));
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(sum.load(Ordering::SeqCst), 5050);
}

#[test]
fn a_request_whose_caller_has_gone_is_not_handled() {
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let host = Host::<(u64, Reply<u64>)>::builder()
        .unnamed()
        .bind(move |(number, reply): (u64, Reply<u64>), _: &Context| {
            if number == 0 {
                opened.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            }
            let _ = reply.send(number);
        })
        .unwrap();
    machipc::registry::set_lookup_enabled(false);
    let client = Client::from_right(host.send_right().unwrap());
    let first = client.start(|reply| (0, reply)).unwrap();
    let gone: Vec<_> = (1..10).map(|number| client.start(|reply| (number, reply)).unwrap()).collect();
    drop(gone);
    gate.send(()).unwrap();
    assert_eq!(first.wait().unwrap(), 0);
    assert_eq!(client.call(|reply| (10, reply)).unwrap(), 10);
    let stats = host.stats();
    assert_eq!((stats.handled, stats.abandoned), (2, 9));
}
