//! Clients whose host dies and comes back.

mod typed_support;

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use machipc::{
    AsyncClient, Client, ConnectOptions, Context, Error, Host, OolBuffer, Reconnect, Reply, SendRight,
    registry,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.reconnect")]
enum Record {
    Add {
        number: u64,
        reply: Reply<u32>,
    },
    /// It is recorded, and never answered.
    Keep {
        number: u64,
        begun: SendRight<u64>,
        reply: Reply<u32>,
    },
    Note {
        number: u64,
        memory: OolBuffer,
    },
    Numbers {
        reply: Reply<Vec<u64>>,
    },
}

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    assert_eq!(role, "host");
    serve(&arguments[0]).wait();
}

fn serve(name: &str) -> Host<Record> {
    let numbers = Mutex::new(Vec::new());
    let kept = Mutex::new(Vec::new());
    let handler = move |message: Record, _: &Context| match message {
        Record::Add { number, reply } => {
            numbers.lock().unwrap().push(number);
            reply.send(std::process::id()).unwrap();
        }
        Record::Keep { number, begun, reply } => {
            numbers.lock().unwrap().push(number);
            kept.lock().unwrap().push(reply);
            Client::from_right(begun).send(number).unwrap();
        }
        Record::Note { number, mut memory } => {
            assert_eq!(memory.as_mut_slice(), [7; 100_000]);
            numbers.lock().unwrap().push(number);
        }
        Record::Numbers { reply } => reply.send(numbers.lock().unwrap().clone()).unwrap(),
    };
    Host::<Record>::builder().name(name).bind(handler).unwrap()
}

fn options(name: &str) -> ConnectOptions {
    ConnectOptions::new().name(name).wait(WATCHDOG).reconnect(Reconnect::OnHostDeath { wait: WATCHDOG })
}

fn start(tag: &str) -> (Peer, RecordClient, String) {
    let name = unique(tag);
    let peer = Peer::start("host", &[&name]);
    let client = RecordClient::connect_with(&options(&name)).unwrap();
    (peer, client, name)
}

/// Until the death is seen messages may still leave, for a port that nobody reads any more.
fn kill(peer: &mut Peer, client: &Client<Record>) {
    peer.kill();
    until("the death is seen", || client.is_dead());
}

/// The call that sees the death fails, and is in no host's record twice. The next one goes to the new host.
#[test]
fn no_call_that_may_have_run_is_repeated() {
    let (mut peer, client, name) = start("record");
    let (sink, begun) = mpsc::channel();
    let listener = Host::<u64>::builder()
        .unnamed()
        .bind(move |number: u64, _: &Context| sink.send(number).unwrap())
        .unwrap();
    let clone = client.clone();
    for round in 0..3 {
        assert_eq!(client.add(10 * round).unwrap(), peer.pid());
        let right = listener.send_right().unwrap();
        let patient = client.with_deadline(None);
        let kept = std::thread::spawn(move || patient.keep(10 * round + 1, right));
        assert_eq!(begun.recv_timeout(WATCHDOG).unwrap(), 10 * round + 1);
        peer.kill();
        let error = kept.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::HostDied { .. }), "{error}");
        peer = Peer::start("host", &[&name]);
        // Both clones find the new host; the messages wait for it.
        assert_eq!(clone.add(10 * round + 2).unwrap(), peer.pid());
        assert_eq!(client.add(10 * round + 3).unwrap(), peer.pid());
        assert_eq!(client.numbers().unwrap(), [10 * round + 2, 10 * round + 3]);
    }
}

/// A message that has not left is sent anew, with all that it carries.
#[test]
fn what_was_not_sent_goes_to_the_next_host() {
    let (mut peer, client, name) = start("anew");
    client.note(1, OolBuffer::copy_from_slice(&[7; 100_000]).unwrap()).unwrap();
    assert_eq!(client.numbers().unwrap(), [1]);
    kill(&mut peer, client.client());
    let later = client.clone();
    let noted = std::thread::spawn(move || {
        later.note(2, OolBuffer::copy_from_slice(&[7; 100_000]).unwrap()).unwrap()
    });
    let _peer = Peer::start("host", &[&name]);
    noted.join().unwrap();
    until("the new host has it", || client.numbers().unwrap() == [2]);
}

#[test]
fn many_threads_find_the_new_host_at_once() {
    let (mut peer, client, name) = start("threads");
    client.add(0).unwrap();
    kill(&mut peer, client.client());
    let calls: Vec<_> = (0..16)
        .map(|number| {
            let client = client.clone();
            std::thread::spawn(move || client.add(number).unwrap())
        })
        .collect();
    let peer = Peer::start("host", &[&name]);
    for call in calls {
        assert_eq!(call.join().unwrap(), peer.pid());
    }
    let mut numbers = client.numbers().unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..16).collect::<Vec<_>>());
}

#[test]
fn the_wait_for_another_host_has_an_end() {
    let name = unique("end");
    registry::set_lookup_enabled(false);
    let host = serve(&name);
    let wait = Duration::from_millis(30);
    let client =
        Client::<Record>::connect_with(&options(&name).reconnect(Reconnect::OnHostDeath { wait })).unwrap();
    assert!(!client.is_local() && !client.is_dead());
    drop(host);
    let start = Instant::now();
    let error = client.call(|reply| Record::Add { number: 1, reply }).unwrap_err();
    assert!(matches!(&error, Error::NotFound { endpoint } if *endpoint == name), "{error}");
    assert!(start.elapsed() >= wait);
    // The message comes back.
    let memory = OolBuffer::copy_from_slice(&[7; 100_000]).unwrap();
    let failed = client.send(Record::Note { number: 2, memory }).unwrap_err();
    assert!(matches!(failed.error(), Error::NotFound { .. }), "{failed}");
    let message = failed.into_message();
    // The deadline of the call is shorter.
    let hurried =
        Client::<Record>::connect_with(&options(&name).wait(Duration::ZERO)).map(|client| client.deadline());
    assert!(matches!(hurried, Err(Error::NotFound { .. })));
    let error = client.with_deadline(Duration::ZERO).call(|reply| Record::Numbers { reply }).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");

    let _host = serve(&name);
    client.send(message).unwrap();
    until("it is handled", || client.call(|reply| Record::Numbers { reply }).unwrap() == [2]);
}

#[test]
fn a_client_stays_with_its_host_unless_told_otherwise() {
    let name = unique("stays");
    let mut peer = Peer::start("host", &[&name]);
    let client = RecordClient::connect_with(&options(&name).reconnect(Reconnect::default())).unwrap();
    client.add(1).unwrap();
    peer.kill();
    let _peer = Peer::start("host", &[&name]);
    RecordClient::connect_with(&options(&name)).unwrap().add(2).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.add(3), Err(Error::HostDied { .. })));
    }
}

#[test]
fn futures_find_the_new_host() {
    let (mut peer, client, name) = start("futures");
    let client = AsyncClient::from(client.client().clone());
    let add = |number| block_on(client.call(|reply| Record::Add { number, reply }));
    assert_eq!(add(1).unwrap(), peer.pid());
    kill(&mut peer, client.client());
    // The next host is waited for as long as the call may take.
    let hasty = AsyncClient::from(client.client().with_deadline(Duration::from_millis(100)));
    let add_hastily = |number| block_on(hasty.call(|reply| Record::Add { number, reply }));
    assert!(matches!(add_hastily(2), Err(Error::NotFound { .. })));
    let peer = Peer::start("host", &[&name]);
    drop(Client::<Record>::connect_to_timeout(&name, WATCHDOG).unwrap());
    assert_eq!(add(3).unwrap(), peer.pid());
}

/// Runs a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
