//! Connecting without blocking the thread: what the host says of its definition, hosts that are busy, and hosts that come later.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::pin::pin;
use std::sync::{Mutex, mpsc};
use std::task::{Context as TaskContext, Waker};

use futures::executor::block_on;
use machipc::{ConnectOptions, Context, Error, Host, PeerPolicy, Reconnect, Reply, registry};
use tokio::runtime::Builder;
use typed_support::hosts::Square;
use typed_support::{WATCHDOG, unique};

/// An endpoint, and another one that is not like it.
mod desk {
    #[machipc::endpoint("com.example.test.async.connect")]
    pub enum Desk {
        Ask { number: u64, reply: machipc::Reply<u64> },
    }
}

mod other {
    #[machipc::endpoint("com.example.test.async.connect")]
    pub enum Desk {
        Ask { number: String, reply: machipc::Reply<u64> },
    }
}

use desk::{Desk, DeskAsyncClient, DeskClient};

/// The host of a name, and options with which a client asks it for its definition until it answers.
fn desk() -> (Host<Desk>, ConnectOptions) {
    registry::set_lookup_enabled(false);
    let name = unique("desk");
    let answer = |Desk::Ask { number, reply }: Desk, _: &Context| reply.send(number + 1).unwrap();
    let host = Host::<Desk>::builder().name(&name).bind(answer).unwrap();
    (host, ConnectOptions::new().name(name).compare(WATCHDOG))
}

/// Runs a future on an executor that knows nothing of the library, and in both of tokio's runtimes.
fn everywhere(run: impl AsyncFn()) {
    block_on(run());
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        builder.enable_all().build().unwrap().block_on(run());
    }
}

#[test]
fn a_host_of_another_definition_is_told_as_to_a_client_that_blocks() {
    let (_host, options) = desk();
    let blocking = other::DeskClient::connect_with(&options).unwrap_err();
    let Error::Fingerprint { differences, .. } = &blocking else { panic!("{blocking}") };
    assert!(!differences.is_empty());
    everywhere(async || {
        let error = other::DeskAsyncClient::connect_with(&options).await.unwrap_err();
        assert!(matches!(error, Error::Fingerprint { .. }), "{error}");
        assert_eq!(error.to_string(), blocking.to_string());
    });
}

#[test]
fn a_host_of_the_same_definition_is_connected_to() {
    let (_host, options) = desk();
    everywhere(async || {
        let desk = DeskAsyncClient::connect_with(&options).await.unwrap();
        assert_eq!(desk.ask(4).await.unwrap(), 5);
    });
    let error = block_on(DeskAsyncClient::connect_with(&ConnectOptions::new().name(unique("nobody"))));
    assert!(matches!(error, Err(Error::NotFound { .. })), "{error:?}");
}

#[test]
fn who_is_not_served_is_told() {
    registry::set_lookup_enabled(false);
    let name = unique("denied");
    let host = Host::<Square>::builder().name(&name).peers(PeerPolicy::when(|_| false));
    let host = host.bind(|_: Square, _: &Context| {}).unwrap();
    let options = ConnectOptions::new().name(&name).compare(WATCHDOG);
    let denied = block_on(machipc::AsyncClient::<Square>::connect_with(&options));
    assert!(matches!(denied, Err(Error::Denied { .. })), "{denied:?}");
    assert_eq!(host.stats().denied, 1);
}

/// A host that is busy, and whose queue is full besides, holds up nobody's thread.
#[test]
fn a_busy_host_holds_up_the_future_and_not_the_thread() {
    registry::set_lookup_enabled(false);
    for full in [false, true] {
        let name = unique("busy");
        let (entered, in_handler) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let host = Host::<Desk>::builder().name(&name).queue_limit(1);
        let _host = host
            .bind(move |Desk::Ask { number, reply }: Desk, _: &Context| {
                entered.send(()).unwrap();
                released.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
                reply.send(number + 1).unwrap();
            })
            .unwrap();
        let options = ConnectOptions::new().name(&name).compare(WATCHDOG);
        let client = DeskClient::connect_with(&options).unwrap();
        let start = |number| client.client().start(|reply| Desk::Ask { number, reply }).unwrap();
        let mut calls = vec![start(1)];
        in_handler.recv_timeout(WATCHDOG).unwrap();
        if full {
            calls.push(start(2));
        }
        let mut fits = pin!(DeskAsyncClient::connect_with(&options));
        let mut does_not = pin!(other::DeskAsyncClient::connect_with(&options));
        let mut cx = TaskContext::from_waker(Waker::noop());
        assert!(fits.as_mut().poll(&mut cx).is_pending());
        assert!(does_not.as_mut().poll(&mut cx).is_pending());
        {
            // One that gives up takes nobody's place.
            let mut given_up = pin!(DeskAsyncClient::connect_with(&options));
            assert!(given_up.as_mut().poll(&mut cx).is_pending());
        }
        calls.iter().for_each(|_| release.send(()).unwrap());
        for (call, answer) in calls.into_iter().zip(2..) {
            assert_eq!(call.wait().unwrap(), answer);
        }
        let (fits, error) = block_on(futures::future::join(fits, does_not));
        assert!(matches!(error, Err(Error::Fingerprint { .. })), "{error:?}");
        release.send(()).unwrap();
        assert_eq!(block_on(fits.unwrap().ask(6)).unwrap(), 7);
    }
}

/// A host that does not answer in time is connected to all the same.
#[test]
fn a_host_that_says_nothing_is_connected_to() {
    let name = unique("silent");
    let _port = machipc::port::bootstrap::check_in::<()>(&name).unwrap();
    let options = ConnectOptions::new().name(&name).compare(std::time::Duration::from_millis(20));
    block_on(DeskAsyncClient::connect_with(&options)).unwrap();
}

/// The client's next call waits for the next host, as a blocking client's does, and without its thread.
#[test]
fn the_next_host_is_waited_for() {
    registry::set_lookup_enabled(false);
    let name = unique("next");
    let first = squares_at(&name);
    let options = ConnectOptions::new()
        .name(&name)
        .compare(WATCHDOG)
        .reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let client = block_on(machipc::AsyncClient::<Square>::connect_with(&options)).unwrap();
    let call = |number| client.call(move |reply: Reply<u64>| (number, reply));
    assert_eq!(block_on(call(3)).unwrap(), 9);
    drop(first);
    let mut waiting = pin!(call(4));
    assert!(waiting.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    let second = squares_at(&name);
    assert_eq!(block_on(waiting).unwrap(), 16);
    // One that is another is told of, as when connecting.
    drop(second);
    let _other = Host::<Desk>::builder().name(&name).bind(|_: Desk, _: &Context| {}).unwrap();
    let error = block_on(call(5)).unwrap_err();
    assert!(matches!(error, Error::Fingerprint { .. }), "{error}");
}

fn squares_at(name: &str) -> Host<Square> {
    let answer = |(number, reply): Square, _: &Context| reply.send(number * number).unwrap();
    Host::<Square>::builder().name(name).bind(answer).unwrap()
}
