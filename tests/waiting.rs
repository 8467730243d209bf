//! Every way to wait works with every other, between two processes.

mod typed_support;

use std::time::Duration;

use machipc::port::Waiting;
use machipc::{ConnectOptions, Context, Error, Host, Reply};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique};

#[machipc::endpoint("com.example.test.waiting")]
enum Sums {
    Add(u64),
    Total {
        reply: Reply<u64>,
    },
    /// Is answered when the host has nothing else to do, which is never.
    Never {
        reply: Reply<u64>,
    },
}

const WAYS: [Waiting; 3] = [Waiting::Adaptive, Waiting::Sleep, Waiting::Poll];

/// Not a test of its own: the host, in a second process.
#[test]
fn peer() {
    let Some((_, arguments)) = role() else { return };
    let way = WAYS.into_iter().find(|way| way.to_string() == arguments[1]).unwrap();
    way.set();
    assert_eq!(Waiting::current(), way);
    let total = std::sync::atomic::AtomicU64::new(0);
    let kept = std::sync::Mutex::new(Vec::new());
    let host = Host::<Sums>::builder().name(&arguments[0]).queue_limit(16);
    let host = host.bind(move |message: Sums, _: &Context| {
        use std::sync::atomic::Ordering::Relaxed;
        match message {
            Sums::Add(number) => drop(total.fetch_add(number, Relaxed)),
            Sums::Total { reply } => reply.send(total.load(Relaxed)).unwrap(),
            Sums::Never { reply } => kept.lock().unwrap().push(reply),
        }
    });
    let _host = host.unwrap();
    // Until the other process closes it.
    let _ = std::io::stdin().lines().count();
}

#[test]
fn every_way_to_wait_works_with_every_other() {
    for hosts in WAYS {
        let name = unique("waiting");
        let _host = Peer::start("host", &[&name, &hosts.to_string()]);
        let client = SumsClient::connect_with(&ConnectOptions::new().name(&name).wait(WATCHDOG)).unwrap();
        for own in WAYS {
            own.set();
            let before = client.total().unwrap();
            let mut sum = before;
            // More than the queue holds, so that the sender waits, too.
            for number in 0..2000 {
                client.add(number).unwrap();
                sum += number;
                if number % 100 == 0 {
                    assert_eq!(client.total().unwrap(), sum, "{own} here, {hosts} there");
                }
            }
            let impatient = client.with_deadline(Duration::from_millis(20));
            let late = impatient.never().unwrap_err();
            assert!(matches!(late, Error::DeadlineExceeded { .. }), "{late}");
            assert_eq!(client.total().unwrap(), sum);
        }
    }
    Waiting::Adaptive.set();
}
