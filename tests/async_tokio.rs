//! Calls that do not block, in tokio's runtimes: with the feature `tokio`, where the runtime drives them, and without, where a thread
//! does.

#[allow(dead_code, reason = "a test has a main function of its own")]
#[path = "../examples/async_kv.rs"]
mod example;
#[path = "typed_support/mod.rs"]
mod typed_support;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use machipc::{AsyncClient, Context, Error, Host, Reply};
use tokio::runtime::{Builder, Runtime};
use typed_support::hosts::{FORGOTTEN, Square, both_ways, squares};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique};

/// What second processes do.
#[test]
fn peer() {
    if let Some((_, arguments)) = role() {
        example::serve(&arguments[0]).unwrap();
    }
}

#[test]
fn the_example_works_between_two_processes() {
    let name = unique("example");
    let host = Peer::start("host", &[&name]);
    example::call(&name).unwrap();
    host.finish();
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn through_a_port(host: &Host<Square>) -> AsyncClient<Square> {
    let [_, port] = both_ways(host);
    port.into()
}

async fn many_calls(client: AsyncClient<Square>) {
    let calls = (100..3100).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.call(|reply| (number, reply)).await.map(|square| (number, square)) })
    });
    for answer in join_all(calls).await {
        let (number, square) = answer.unwrap().unwrap();
        assert_eq!(square, number * number);
    }
}

async fn deadlines_pass(client: AsyncClient<Square>) {
    let start = Instant::now();
    let hurried = client.with_deadline(Duration::from_millis(20));
    let calls = (0..20).map(|_| hurried.call(|reply| (FORGOTTEN, reply)));
    for answer in join_all(calls).await {
        assert!(matches!(answer, Err(Error::DeadlineExceeded { .. })));
    }
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn calls_are_answered_in_each_kind_of_runtime() {
    let host = squares();
    for runtime in [current_thread(), multi_thread()] {
        let client = through_a_port(&host);
        runtime.block_on(async {
            many_calls(client.clone()).await;
            deadlines_pass(client).await;
        });
    }
}

#[test]
fn a_future_in_a_select_that_is_not_chosen_is_cancelled() {
    let (sink, replies) = mpsc::channel();
    let host = Host::<Reply<u64>>::builder()
        .unnamed()
        .bind(move |reply, _: &Context| sink.send(reply).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    let client = AsyncClient::from(port);
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            tokio::select! {
                // First the call, which is sent then, however long this thread has not run.
                biased;
                answer = client.call(|reply| reply) => panic!("nobody answers: {answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            let mut reply = replies.recv_timeout(WATCHDOG).unwrap();
            tokio::time::timeout(WATCHDOG, reply.cancelled()).await.unwrap();
            assert!(reply.is_cancelled());
        });
    }
}

/// One client in two runtimes, one of which stands still, and in none.
#[test]
fn no_runtime_waits_for_another() {
    let host = squares();
    let client = through_a_port(&host);
    let (first, second) = (current_thread(), current_thread());
    first.block_on(async { assert_eq!(client.call(|reply| (5, reply)).await.unwrap(), 25) });
    second.block_on(many_calls(client.clone()));
    futures::executor::block_on(async { assert_eq!(client.call(|reply| (6, reply)).await.unwrap(), 36) });
    first.block_on(many_calls(client.clone()));
}

#[test]
fn a_call_outlives_the_runtime_in_which_it_was_made() {
    let (sink, replies) = mpsc::channel();
    let host = Host::<Reply<u64>>::builder()
        .unnamed()
        .bind(move |reply, _: &Context| sink.send(reply).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    let client = AsyncClient::from(port);
    for runtime in [current_thread(), multi_thread()] {
        let pending = runtime.block_on(client.start(|reply| reply)).unwrap();
        drop(runtime);
        replies.recv_timeout(WATCHDOG).unwrap().send(7).unwrap();
        assert_eq!(futures::executor::block_on(pending).unwrap(), 7);
    }
}

#[test]
fn blocking_calls_and_handles_work_on_a_runtime_thread() {
    let host = squares();
    let client = through_a_port(&host);
    current_thread().block_on(async {
        assert_eq!(client.call(|reply| (3, reply)).await.unwrap(), 9);
        let pending = client.client().start(|reply| (4, reply)).unwrap();
        assert_eq!(pending.wait().unwrap(), 16);
        assert_eq!(client.client().call(|reply| (5, reply)).unwrap(), 25);
    });
}

#[test]
fn messages_wait_for_room() {
    const MESSAGES: u64 = 2000;
    let (sink, numbers) = mpsc::channel();
    let host = Host::<u64>::builder()
        .unnamed()
        .queue_limit(2)
        .bind(move |number: u64, _: &Context| sink.send(number).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    let client = AsyncClient::from(port);
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let sent = (0..MESSAGES).map(|number| client.send(number));
            join_all(sent).await.into_iter().for_each(|sent| sent.unwrap());
        });
        let received: Vec<u64> = (0..MESSAGES).map(|_| numbers.recv_timeout(WATCHDOG).unwrap()).collect();
        assert!(received.into_iter().eq(0..MESSAGES));
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_host_serves_in_the_runtime_in_which_it_is_started() {
    use machipc::AsyncHandler;

    #[machipc::endpoint("com.example.test.async.tokio")]
    enum Sleeper<'a> {
        Sleep { milliseconds: u64, word: &'a str, reply: Reply<String> },
    }

    struct Sleeping;

    impl AsyncHandler<Sleeper<'static>> for Sleeping {
        async fn handle(&self, message: Sleeper<'_>, _: &Context) {
            let Sleeper::Sleep { milliseconds, word, reply } = message;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            let _ = reply.send(word.to_uppercase());
        }
    }

    let builder = || Host::<Sleeper>::builder().name(unique("sleeper"));
    let error = builder().serve_async(Sleeping).unwrap_err();
    assert!(matches!(error, Error::Thread { .. }), "{error}");
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let host = builder().serve_async(Sleeping).unwrap();
            let client = SleeperAsyncClient::from_client(host.client().into());
            let calls = (0..100).map(|number| client.sleep(number % 10, "word"));
            for answer in join_all(calls).await {
                assert_eq!(answer.unwrap(), "WORD");
            }
        });
    }
}
