//! A trace goes with messages from process to process.

#[path = "typed_support/mod.rs"]
mod typed_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::{ThreadPool, block_on};
use machipc::port::{Deadline, MessageBuffer};
use machipc::{
    AsyncClient, Client, Context, Host, Interceptor, MessageInfo, Outcome, Reply, SendRight, Side, Spans,
    TraceContext,
};
use typed_support::hosts::both_ways;
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

/// Answers with the traces of all hosts that were asked, the last one first. An empty text where there was none.
#[machipc::endpoint("com.example.test.traces")]
enum Relay<'a> {
    Ask { padding: &'a [u8], reply: Reply<Vec<String>> },
    Note { text: &'a str, seen: SendRight<String> },
}

fn shown(trace: Option<TraceContext>) -> String {
    trace.map(|trace| trace.to_string()).unwrap_or_default()
}

fn handle(next: Option<&RelayClient>, message: Relay<'_>, cx: &Context) {
    assert_eq!(cx.trace(), TraceContext::current(), "the handler is in its message's trace");
    match message {
        Relay::Ask { padding, reply } => {
            assert!(padding.iter().all(|byte| *byte == 7));
            let mut traces = next.map_or_else(Vec::new, |next| next.ask(&[]).unwrap());
            traces.push(shown(cx.trace()));
            reply.send(traces).unwrap();
        }
        Relay::Note { text, seen } => {
            assert_eq!(text, "a text");
            Client::from_right(seen).send(shown(cx.trace())).unwrap();
        }
    }
}

fn parse(text: &str) -> TraceContext {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn a_trace_goes_through_three_processes() {
    let (near, far) = (unique("near"), unique("far"));
    let last = Peer::start("host", &[&far]);
    let middle = Peer::start("host", &[&near, &far]);
    let client = RelayClient::from_client(Client::connect_to_timeout(&near, WATCHDOG).unwrap());

    assert_eq!(client.ask(&[]).unwrap(), ["", ""], "what belongs to no trace carries none");
    let trace = TraceContext::start(true);
    let traces = trace.enter(|| client.ask(&[])).unwrap();
    let steps: Vec<_> = [trace].into_iter().chain(traces.iter().rev().map(|text| parse(text))).collect();
    assert_eq!(steps.len(), 3);
    for (at, step) in steps.iter().enumerate() {
        assert_eq!((step.trace_id(), step.is_sampled()), (trace.trace_id(), true));
        let others = steps.iter().filter(|other| other.parent_id() == step.parent_id());
        assert_eq!(others.count(), 1, "step {at} has an id of its own");
    }
    assert_eq!(client.ask(&[]).unwrap(), ["", ""], "the trace ends with its scope");
    drop((last, middle));
}

/// Not a test of its own: the second processes enter here.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    assert_eq!(role, "host");
    let next = arguments
        .get(1)
        .map(|name| RelayClient::from_client(Client::connect_to_timeout(name, WATCHDOG).unwrap()));
    let host = Host::<Relay>::builder().name(&arguments[0]);
    host.run(move |message: Relay<'_>, cx: &Context| handle(next.as_ref(), message, cx)).unwrap();
}

#[test]
fn every_way_of_sending_carries_it() {
    let host =
        Host::<Relay>::builder().unnamed().bind(|message: Relay<'_>, cx: &Context| handle(None, message, cx));
    let host = host.unwrap();
    // Small, large enough for memory out of line, and too large to be copied in one piece.
    let paddings = [0, 100, 100_000, 3_000_000].map(|len| vec![7; len]);
    let trace = TraceContext::start(false);
    let check = |traces: Vec<String>| {
        let [text] = &traces[..] else { panic!("one host was asked: {traces:?}") };
        let step = parse(text);
        assert_eq!(step.trace_id(), trace.trace_id());
        assert_ne!(step.parent_id(), trace.parent_id());
    };
    for client in both_ways(&host) {
        for padding in &paddings {
            let request = |reply| Relay::Ask { padding, reply };
            check(trace.enter(|| client.call(request)).unwrap());
            check(trace.enter(|| client.start(request)).unwrap().wait().unwrap());
            let later = AsyncClient::from(client.clone());
            check(block_on(trace.follow(later.call(request))).unwrap());
            assert_eq!(client.call(request).unwrap(), [""]);
        }
        let port = machipc::ReceiveRight::<String>::new().unwrap();
        let note = || Relay::Note { text: "a text", seen: port.make_send().unwrap() };
        let seen = || {
            let mut buffer = MessageBuffer::new();
            let received = port.receive(&mut buffer, Deadline::after(WATCHDOG)).unwrap();
            received.decode::<String>().unwrap()
        };
        trace.enter(|| client.send(note())).map_err(|error| error.to_string()).unwrap();
        check(vec![seen()]);
        let later = AsyncClient::from(client.clone());
        block_on(trace.follow(later.send(note()))).map_err(|error| error.to_string()).unwrap();
        check(vec![seen()]);
        let mut batch = client.batch();
        trace.enter(|| batch.send(note())).map_err(|error| error.to_string()).unwrap();
        batch.finish().unwrap();
        check(vec![seen()]);
        client.send(note()).map_err(|error| error.to_string()).unwrap();
        assert_eq!(seen(), "");
    }
}

#[test]
fn both_sides_of_a_message_have_the_same_step() {
    #[derive(Clone, Default)]
    struct Steps(Arc<Mutex<Vec<Step>>>);
    type Step = (Side, Option<TraceContext>);
    impl Interceptor for Steps {
        fn after(&self, message: &MessageInfo, _: &Outcome<'_>, _: Duration) {
            self.0.lock().unwrap().push((message.side(), message.trace()));
        }
    }
    let steps = Steps::default();
    let host = Host::<Relay>::builder().unnamed().intercept(steps.clone()).intercept(Spans);
    let host = host.bind(|message: Relay<'_>, cx: &Context| handle(None, message, cx)).unwrap();
    for client in both_ways(&host) {
        let client = client.with_interceptor(steps.clone());
        TraceContext::start(true).enter(|| client.call(|reply| Relay::Ask { padding: &[], reply })).unwrap();
        until("both have told", || steps.0.lock().unwrap().len() == 2);
        let mut told = std::mem::take(&mut *steps.0.lock().unwrap());
        told.sort_by_key(|(side, _)| *side == Side::Client);
        let [(Side::Host, Some(host)), (Side::Client, Some(client))] = told[..] else { panic!("{told:?}") };
        assert_eq!(host, client);
    }
}

#[test]
fn a_task_keeps_its_trace_between_polls() {
    let pool = ThreadPool::new().unwrap();
    let host =
        Host::<Relay>::builder().unnamed().serve_async_on(move |task| pool.spawn_ok(task), Later).unwrap();
    struct Later;
    impl machipc::AsyncHandler<Relay<'static>> for Later {
        async fn handle(&self, message: Relay<'_>, cx: &Context) {
            for _ in 0..3 {
                let mut again = false;
                std::future::poll_fn(|task| {
                    assert_eq!(TraceContext::current(), cx.trace());
                    task.waker().wake_by_ref();
                    if std::mem::replace(&mut again, true) {
                        std::task::Poll::Ready(())
                    } else {
                        std::task::Poll::Pending
                    }
                })
                .await;
            }
            handle(None, message, cx);
        }
    }
    let client = host.client();
    let trace = TraceContext::start(true);
    for (trace, wanted) in [(Some(trace), Some(trace.trace_id())), (None, None)] {
        let ask = || client.call(|reply| Relay::Ask { padding: &[], reply }).unwrap();
        let traces = trace.map_or_else(ask, |trace| trace.enter(ask));
        assert_eq!(traces[0].parse().ok().map(|step: TraceContext| step.trace_id()), wanted);
    }
}
