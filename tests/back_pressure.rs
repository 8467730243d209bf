//! What becomes of messages for a host whose queue is full: another process that does not receive.

mod typed_support;

use std::time::{Duration, Instant};

use futures::executor::block_on;
use machipc::port::{Deadline, MessageBuffer, Notification, ReceiveRight, bootstrap};
use machipc::{
    AsyncClient, Client, ConnectOptions, Context, Error, Host, Reconnect, Reply, SendRight, WhenFull,
    registry,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique};

#[machipc::endpoint("com.example.test.pressure")]
enum Feed {
    Note { number: u64 },
    Lend { right: SendRight<u64> },
    Ask { reply: Reply<u64> },
}

/// The same messages.
#[machipc::endpoint("com.example.test.pressure.trait")]
trait Sensor {
    #[oneway]
    fn note(&self, number: u64);
    fn ask(&self) -> u64;
}

/// What is beside the queue that nobody receives from.
#[machipc::endpoint("com.example.test.pressure.control")]
enum Control {
    /// Takes all that is in the queue: the numbers of the notes.
    Take { reply: Reply<Vec<u64>> },
}

/// So many messages wait in the queue.
const QUEUE: u64 = 3;

/// What second processes do.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    assert_eq!(role, "deaf");
    let port = bootstrap::check_in::<Feed>(&arguments[0]).unwrap();
    port.set_queue_limit(QUEUE as u32).unwrap();
    Host::<Control>::builder()
        .name(format!("{}.control", arguments[0]))
        .run(move |Control::Take { reply }: Control, _: &Context| {
            let mut buffer = MessageBuffer::new();
            let mut numbers = Vec::new();
            while let Ok(received) = port.receive(&mut buffer, Deadline::now()) {
                if let Ok(Feed::Note { number }) = received.decode::<Feed>() {
                    numbers.push(number);
                }
            }
            reply.send(numbers).unwrap();
        })
        .unwrap();
}

/// Another process with a queue that nobody receives from.
struct Deaf {
    _peer: Peer,
    name: String,
    control: ControlClient,
}

impl Deaf {
    fn start(tag: &str) -> Self {
        let name = unique(tag);
        let peer = Peer::start("deaf", &[&name]);
        let control = Client::connect_to_timeout(&format!("{name}.control"), WATCHDOG).unwrap();
        Self { _peer: peer, name, control: ControlClient::from_client(control) }
    }

    /// A client that stays with the host, and one that may find another.
    fn clients(&self) -> [Client<Feed>; 2] {
        [Reconnect::Never, Reconnect::OnHostDeath { wait: WATCHDOG }].map(|reconnect| {
            let options = ConnectOptions::new().name(&self.name).compare(None).reconnect(reconnect);
            Client::connect_with(&options).unwrap()
        })
    }
}

fn note(number: u64) -> Feed {
    Feed::Note { number }
}

fn is_full<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::QueueFull { .. }))
}

/// A one-way message and each kind of call, by each kind of client.
fn each_call(client: &Client<Feed>) -> Vec<Result<u64, Error>> {
    let ask = |reply: Reply<u64>| Feed::Ask { reply };
    let awaited = AsyncClient::from(client.clone());
    vec![
        client.call(ask),
        client.start(ask).and_then(|call| call.wait()),
        block_on(awaited.call(ask)),
        block_on(async { awaited.start(ask).await?.await }),
        FeedClient::from_client(client.clone()).ask(),
        block_on(FeedAsyncClient::from_client(awaited.clone()).ask()),
    ]
}

fn each_send(client: &Client<Feed>, number: u64) -> Vec<Result<(), Error>> {
    let awaited = AsyncClient::from(client.clone());
    vec![
        client.send(note(number)).map_err(Into::into),
        block_on(awaited.send(note(number))).map_err(Into::into),
        FeedClient::from_client(client.clone()).note(number),
        block_on(FeedAsyncClient::from_client(awaited.clone()).note(number)),
    ]
}

#[test]
fn by_default_it_waits_until_the_deadline() {
    const ALLOWED: Duration = Duration::from_millis(20);
    let deaf = Deaf::start("wait");
    for client in deaf.clients() {
        (0..QUEUE).for_each(|number| client.send(note(number)).unwrap());
        let client = client.with_deadline(ALLOWED);
        let start = Instant::now();
        let results = each_send(&client, 9);
        let results =
            results.into_iter().chain(each_call(&client).into_iter().map(|result| result.map(drop)));
        let results: Vec<_> = results.collect();
        assert!(start.elapsed() >= ALLOWED * results.len() as u32);
        for result in results {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::DeadlineExceeded { after: ALLOWED, .. }), "{error}");
        }
        assert_eq!(client.dropped(), 0);
        assert_eq!(deaf.control.take().unwrap(), [0, 1, 2]);
    }
}

#[test]
fn it_fails_at_once_and_the_message_comes_back() {
    let deaf = Deaf::start("fail");
    for client in deaf.clients() {
        // However long it might wait.
        let client = client.with_deadline(None).when_full(WhenFull::Fail);
        (0..QUEUE).for_each(|number| client.send(note(number)).unwrap());
        assert!(each_send(&client, 9).into_iter().all(is_full));
        assert!(each_call(&client).into_iter().all(is_full));

        let port = ReceiveRight::<u64>::new().unwrap();
        let failed = client.send(Feed::Lend { right: port.make_send().unwrap() }).unwrap_err();
        assert!(matches!(failed.error(), Error::QueueFull { .. }));
        let Feed::Lend { right } = failed.into_message() else { panic!("another message") };
        Client::from_right(right).send(7).unwrap();
        let mut buffer = MessageBuffer::new();
        assert_eq!(port.receive(&mut buffer, Deadline::now()).unwrap().decode::<u64>().unwrap(), 7);

        let mut batch = client.batch();
        batch.send(note(9)).unwrap();
        assert!(is_full(batch.flush()));
        assert_eq!(batch.pending(), 1);
        assert_eq!(deaf.control.take().unwrap(), [0, 1, 2]);
        batch.finish().unwrap();
        assert_eq!(client.dropped(), 0);
        assert_eq!(deaf.control.take().unwrap(), [9]);
    }
}

#[test]
fn it_drops_the_newest_and_counts() {
    let deaf = Deaf::start("drop");
    for client in deaf.clients() {
        let unhurried = client.with_deadline(None);
        let client = unhurried.when_full(WhenFull::DropNewest);
        (0..QUEUE).for_each(|number| client.send(note(number)).unwrap());
        let sent = each_send(&client, 9);
        let mut dropped = sent.len() as u64;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        assert_eq!(client.dropped(), dropped);
        // A call cannot succeed without an answer.
        let calls = each_call(&client);
        dropped += calls.len() as u64;
        assert!(calls.into_iter().all(is_full));
        // Clones count together, whatever they do themselves.
        assert_eq!([client.dropped(), unhurried.dropped(), client.clone().dropped()], [dropped; 3]);

        let mut batch = client.batch();
        (0..4).for_each(|_| batch.send(note(9)).unwrap());
        batch.flush().unwrap();
        assert_eq!((batch.pending(), client.dropped()), (0, dropped + 4));

        // The right in a dropped message is released.
        let port = ReceiveRight::<u64>::new().unwrap();
        let right = port.make_send().unwrap();
        port.notify_no_senders(1, &port).unwrap();
        client.send(Feed::Lend { right }).unwrap();
        let mut buffer = MessageBuffer::new();
        let told = port.receive(&mut buffer, Deadline::after(WATCHDOG)).unwrap();
        assert!(matches!(told.notification(), Some(Notification::NoSenders { .. })), "{told:?}");

        // The oldest are there, and what is sent now arrives.
        assert_eq!(deaf.control.take().unwrap(), [0, 1, 2]);
        client.send(note(3)).unwrap();
        assert_eq!(deaf.control.take().unwrap(), [3]);
        assert_eq!(client.dropped(), dropped + 5);
    }
}

#[test]
fn clients_of_a_trait_choose_too() {
    registry::set_lookup_enabled(false);
    let port = ReceiveRight::<SensorMessage>::new().unwrap();
    port.set_queue_limit(1).unwrap();
    let client = Client::from_right(port.make_send().unwrap());
    let sensor = SensorClient::from_client(client.clone()).when_full(WhenFull::DropNewest);
    sensor.note(1).unwrap();
    sensor.note(2).unwrap();
    assert_eq!(sensor.dropped(), 1);
    assert!(is_full(sensor.ask()));
    let awaited = SensorAsyncClient::from_client(AsyncClient::from(client)).when_full(WhenFull::Fail);
    assert!(is_full(block_on(awaited.note(3))));
    assert!(is_full(block_on(awaited.ask())));
    assert_eq!(awaited.dropped(), 2);
}
