//! Answers that leave when their handler returns.

mod typed_support;

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use machipc::{Client, Context, Error, Host, MachMessage, ReceiveRight, Reply, SendRight};
use typed_support::hosts::{Square, both_ways, collector};
use typed_support::{WATCHDOG, unique, until};

/// A host whose handler says what it does in `part`.
fn host<M: MachMessage>(part: impl for<'a> Fn(M::View<'a>, &Context) + Send + Sync + 'static) -> Host<M> {
    Host::<M>::builder().name(unique("on-return")).bind(part).unwrap()
}

#[test]
fn calls_are_answered() {
    let host = host::<Square>(|(number, reply), _| reply.send_on_return(number * number).unwrap());
    for client in both_ways(&host) {
        for number in 0..500 {
            assert_eq!(client.call(|reply| (number, reply)).unwrap(), number * number);
        }
    }
    // Several callers, so that mostly the next call is there when an answer leaves.
    let [_, client] = both_ways(&host);
    std::thread::scope(|scope| {
        for from in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for number in from * 1000..from * 1000 + 500 {
                    assert_eq!(client.call(|reply| (number, reply)).unwrap(), number * number);
                }
            });
        }
    });
}

#[test]
fn a_large_answer_is_whole_and_so_is_the_next() {
    let host = host::<(u64, Reply<Vec<u8>>)>(|(size, reply), _| {
        reply.send_on_return((0..size).map(|byte| byte as u8).collect()).unwrap();
    });
    for client in both_ways(&host) {
        for size in [0, 1, 65_000, 66_000, 3 << 20, 7] {
            let bytes = client.call(|reply| (size, reply)).unwrap();
            assert_eq!(bytes.len() as u64, size);
            assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == at as u8));
        }
    }
}

#[test]
fn the_answer_leaves_after_what_the_handler_sends() {
    let (events, told) = collector::<u64>("event");
    let [_, events] = both_ways(&events);
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let host = host::<Square>(move |(number, reply), _| {
        reply.send_on_return(number).unwrap();
        events.send(number).unwrap();
        gate.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
    });
    let [_, client] = both_ways(&host);
    let call = std::thread::spawn(move || client.call(|reply| (7, reply)).unwrap());
    assert_eq!(told.recv_timeout(WATCHDOG).unwrap(), 7);
    assert!(!call.is_finished(), "the handler has not returned");
    open.send(()).unwrap();
    assert_eq!(call.join().unwrap(), 7);
}

#[test]
fn a_second_answer_is_sent_at_once() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let kept = Mutex::new(None::<Reply<u64>>);
    let host = host::<Square>(move |(number, reply), _| match number {
        0 => *kept.lock().unwrap() = Some(reply),
        number => {
            reply.send_on_return(number).unwrap();
            let first = kept.lock().unwrap().take().unwrap();
            first.send_on_return(number + 1).unwrap();
            gate.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
        }
    });
    let [_, client] = both_ways(&host);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.call(|reply| (0, reply)).unwrap());
        until("the first call is there", || host.stats().handled == 1);
        let second = scope.spawn(|| client.call(|reply| (5, reply)).unwrap());
        assert_eq!(first.join().unwrap(), 6);
        open.send(()).unwrap();
        assert_eq!(second.join().unwrap(), 5);
    });
}

#[test]
fn an_answer_is_sent_from_any_thread_and_with_anything_in_it() {
    type Ask = (bool, Reply<(SendRight<u64>, String)>);
    let port = ReceiveRight::<u64>::new().unwrap();
    let right = port.make_send().unwrap();
    let host = host::<Ask>(move |(elsewhere, reply), _| {
        let answer = (right.clone(), "anything".to_owned());
        if elsewhere {
            std::thread::spawn(move || reply.send_on_return(answer).unwrap()).join().unwrap();
        } else {
            reply.send_on_return(answer).unwrap();
        }
    });
    for client in both_ways(&host) {
        for elsewhere in [false, true] {
            let (right, text) = client.call(|reply| (elsewhere, reply)).unwrap();
            assert_eq!((right.name(), text.as_str()), (port.name(), "anything"));
        }
    }
}

#[test]
fn a_handler_that_panics_or_stops_its_host_has_answered() {
    let host = host::<Square>(|(number, reply), cx| {
        reply.send_on_return(number).unwrap();
        match number {
            1 => std::panic::resume_unwind(Box::new("afterwards")),
            2 => cx.stop(),
            _ => {}
        }
    });
    let [_, client] = both_ways(&host);
    for number in 0..3 {
        assert_eq!(client.with_deadline(WATCHDOG).call(|reply| (number, reply)).unwrap(), number);
    }
    assert_eq!(host.wait().panics, 1);
}

#[test]
fn a_caller_that_has_given_up_does_not_keep_the_host_from_the_next() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let host = host::<Square>(move |(number, reply), _| {
        if number == 1 {
            gate.lock().unwrap().recv_timeout(WATCHDOG).unwrap();
            until("the caller has given up", || reply.is_cancelled());
        }
        reply.send_on_return(number).unwrap();
    });
    let [_, client] = both_ways(&host);
    let error = client.with_deadline(Duration::from_millis(5)).call(|reply| (1, reply)).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error}");
    open.send(()).unwrap();
    assert_eq!(client.call(|reply| (2, reply)).unwrap(), 2);
}

#[test]
fn a_value_that_cannot_be_an_answer_is_told_to_both() {
    let (tell, told) = mpsc::channel();
    let host = host::<(u64, Reply<SendRight<u64>>)>(move |(_, reply), _| {
        // SAFETY: no right is given up.
        let sent_already = unsafe { SendRight::from_raw(0) };
        tell.send(reply.send_on_return(sent_already).unwrap_err()).unwrap();
    });
    let [_, client] = both_ways(&host);
    let error = client.call(|reply| (1, reply)).unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    assert!(matches!(told.recv_timeout(WATCHDOG).unwrap(), Error::Encode { .. }));
}

#[test]
fn a_handler_may_run_another_host() {
    let outer = host::<Square>(|(number, reply), _| {
        reply.send_on_return(number).unwrap();
        let name = unique("inner");
        let asks = std::thread::spawn({
            let name = name.clone();
            move || {
                let client = Client::<Square>::connect_to_timeout(&name, WATCHDOG).unwrap();
                assert_eq!(client.call(|reply| (8, reply)).unwrap(), 9);
            }
        });
        Host::<Square>::builder()
            .name(name)
            .run(|(number, reply): Square, cx: &Context| {
                reply.send_on_return(number + 1).unwrap();
                cx.stop();
            })
            .unwrap();
        asks.join().unwrap();
    });
    let [_, client] = both_ways(&outer);
    assert_eq!(client.with_deadline(WATCHDOG).call(|reply| (3, reply)).unwrap(), 3);
}
