//! Memory that a client lends a host that trusts it: what arrives, that it is used again, and what happens when there is none, or a side dies.

mod typed_support;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use machipc::{Client, ConnectOptions, Context, Error, Host, OolBuffer, Reconnect, Reply, Trust};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.loans")]
enum Frames {
    Show {
        number: u64,
        pixels: OolBuffer,
    },
    /// The host keeps it until `Let` comes.
    Keep {
        number: u64,
        pixels: OolBuffer,
    },
    Let,
    /// What is kept, looked at again.
    Look {
        reply: Reply<u64>,
    },
    Two {
        first: OolBuffer,
        second: OolBuffer,
    },
    Echo {
        pixels: OolBuffer,
        reply: Reply<OolBuffer>,
    },
    /// Messages that came, those that were wrong, and how many different addresses their memory had.
    Count {
        reply: Reply<(u64, u64, u64)>,
    },
    /// Sends what it gets on to the host of that name.
    Pass {
        to: String,
        number: u64,
        pixels: OolBuffer,
    },
    Die,
}

const POOL: usize = 8 << 20;

fn trust() -> Trust {
    // SAFETY: all processes of this test are this test.
    unsafe { Trust::new() }
}

fn fill(pixels: &mut OolBuffer, number: u64) {
    for (at, chunk) in pixels.as_mut_slice().chunks_mut(8).enumerate() {
        let word = (number << 32 | at as u64).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

fn is_right(pixels: &mut OolBuffer, number: u64) -> bool {
    let mut chunks = pixels.as_mut_slice().chunks(8).enumerate();
    chunks.all(|(at, chunk)| chunk == &(number << 32 | at as u64).to_le_bytes()[..chunk.len()])
}

/// Not a test of its own: second processes.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (role.as_str(), &words[..]) {
        ("host", [name, trusts]) => host(name, *trusts == "trusts"),
        ("lender", [name]) => {
            let client = connect(name);
            let mut pixels = client.loan(100_000).unwrap();
            fill(&mut pixels, 5);
            client.send(Frames::Keep { number: 5, pixels }).unwrap();
            // What was sent outlives its sender.
        }
        other => panic!("no role {other:?}"),
    }
}

fn host(name: &str, trusts: bool) {
    #[derive(Default)]
    struct Seen {
        count: AtomicU64,
        wrong: AtomicU64,
        addresses: Mutex<HashSet<usize>>,
    }
    let (seen, kept) = (Seen::default(), Mutex::new(Vec::new()));
    let take = |seen: &Seen, pixels: &mut OolBuffer, number| {
        seen.count.fetch_add(1, Ordering::Relaxed);
        seen.wrong.fetch_add(u64::from(!is_right(pixels, number)), Ordering::Relaxed);
        seen.addresses.lock().unwrap().insert(pixels.as_mut_slice().as_ptr().addr());
    };
    let mut builder = Host::<Frames>::builder().name(name);
    if trusts {
        builder = builder.trust(trust());
    }
    let run = builder.run(move |message: Frames, _: &Context| match message {
        Frames::Show { number, mut pixels } => {
            take(&seen, &mut pixels, number);
            // It is this side's until it is dropped.
            pixels.as_mut_slice().fill(0xee);
        }
        Frames::Keep { number, mut pixels } => {
            take(&seen, &mut pixels, number);
            kept.lock().unwrap().push((number, pixels));
        }
        Frames::Let => kept.lock().unwrap().clear(),
        Frames::Look { reply } => {
            let mut kept = kept.lock().unwrap();
            let right =
                kept.iter_mut().filter_map(|(number, pixels)| is_right(pixels, *number).then_some(()));
            let _ = reply.send(right.count() as u64);
        }
        Frames::Two { mut first, mut second } => {
            take(&seen, &mut first, 1);
            take(&seen, &mut second, 2);
        }
        Frames::Echo { mut pixels, reply } => {
            take(&seen, &mut pixels, 3);
            let _ = reply.send(pixels);
        }
        Frames::Count { reply } => {
            let addresses = seen.addresses.lock().unwrap().len() as u64;
            let _ = reply.send((
                seen.count.load(Ordering::Relaxed),
                seen.wrong.load(Ordering::Relaxed),
                addresses,
            ));
        }
        Frames::Pass { to, number, pixels } => {
            let client = connect(&to);
            client.send(Frames::Show { number, pixels }).unwrap();
        }
        Frames::Die => std::process::exit(0),
    });
    run.unwrap();
}

fn connect(name: &str) -> Client<Frames> {
    let options = ConnectOptions::new().name(name).wait(WATCHDOG).compare(WATCHDOG).trust(trust(), POOL);
    Client::<Frames>::connect_with(&options).unwrap().with_deadline(WATCHDOG)
}

fn start(trusts: bool) -> (Peer, Client<Frames>) {
    let name = unique("loans");
    let peer = Peer::start("host", &[&name, if trusts { "trusts" } else { "does not" }]);
    let client = connect(&name);
    (peer, client)
}

fn counted(client: &Client<Frames>) -> (u64, u64, u64) {
    client.call(|reply| Frames::Count { reply }).unwrap()
}

fn show(client: &Client<Frames>, number: u64, len: usize) {
    let mut pixels = client.loan(len).unwrap();
    assert_eq!(pixels.len(), len);
    fill(&mut pixels, number);
    client.send(Frames::Show { number, pixels }).unwrap();
}

#[test]
fn what_is_built_in_place_arrives() {
    for trusts in [true, false] {
        let (_host, client) = start(trusts);
        let sizes = [0, 1, 7, 4096, 4097, 65_536, 100_003, 1 << 20, 3 << 20, POOL, POOL + 1];
        for (number, len) in sizes.into_iter().enumerate() {
            show(&client, number as u64, len);
        }
        let mut pair = [1, 2].map(|number| {
            let mut pixels = client.loan(50_000).unwrap();
            fill(&mut pixels, number);
            pixels
        });
        let [first, second] = &mut pair;
        let (first, second) = (std::mem::take(first), std::mem::take(second));
        client.send(Frames::Two { first, second }).unwrap();
        let (count, wrong, _) = counted(&client);
        assert_eq!((count, wrong), (sizes.len() as u64 + 2, 0), "trusted: {trusts}");
    }
}

#[test]
fn memory_is_used_again() {
    let (_host, client) = start(true);
    for number in 0..5_000 {
        show(&client, number, 40_000);
        if number % 100 == 0 {
            // A host that is behind by more than the pool holds is sent other memory.
            assert_eq!(counted(&client).0, number + 1);
        }
    }
    let (count, wrong, addresses) = counted(&client);
    assert_eq!((count, wrong), (5_000, 0));
    // As many places as there are in a pool: all of it came from there.
    assert!(addresses <= (POOL / 40_960) as u64, "{addresses} places");
}

#[test]
fn a_host_that_keeps_what_it_gets_is_sent_more() {
    let (_host, client) = start(true);
    let count = 2 * POOL as u64 / 500_000;
    for number in 0..count {
        let mut pixels = client.loan(500_000).unwrap();
        fill(&mut pixels, number);
        client.send(Frames::Keep { number, pixels }).unwrap();
    }
    assert_eq!(client.call(|reply| Frames::Look { reply }).unwrap(), count);
    client.send(Frames::Let).unwrap();
    // What has come back is lent again, and nothing else is.
    for number in 0..100 {
        show(&client, number, 500_000);
    }
    let (all, wrong, _) = counted(&client);
    assert_eq!((all, wrong), (count + 100, 0));
}

#[test]
fn loans_that_are_not_sent_come_back() {
    let (_host, client) = start(true);
    for _ in 0..10_000 {
        drop(client.loan(1 << 20).unwrap());
    }
    let held: Vec<OolBuffer> = (0..20).map(|_| client.loan(1 << 20).unwrap()).collect();
    drop(held);
    show(&client, 1, POOL);
    assert_eq!(counted(&client).1, 0);
}

#[test]
fn an_answer_may_be_what_was_lent() {
    let (_host, client) = start(true);
    for len in [100, 100_000, 5_000_000] {
        let mut pixels = client.loan(len).unwrap();
        fill(&mut pixels, 3);
        let mut back = client.call(|reply| Frames::Echo { pixels, reply }).unwrap();
        assert_eq!(back.len(), len);
        assert!(is_right(&mut back, 3));
    }
}

#[test]
fn what_was_lent_can_be_sent_on_and_to_others() {
    let (_host, client) = start(true);
    let (_other, others) = start(true);
    let mut pixels = client.loan(300_000).unwrap();
    fill(&mut pixels, 1);
    client.send(Frames::Pass { to: others.endpoint().to_owned(), number: 1, pixels }).unwrap();
    // Made for one, sent to the other.
    let mut pixels = client.loan(300_000).unwrap();
    fill(&mut pixels, 2);
    others.send(Frames::Show { number: 2, pixels }).unwrap();
    until("both have come", || counted(&others).0 == 2);
    assert_eq!(counted(&others).1, 0);
}

#[test]
fn a_host_that_dies_leaves_the_memory() {
    let (mut host, client) = start(true);
    show(&client, 1, 100_000);
    let mut pixels = client.loan(200_000).unwrap();
    fill(&mut pixels, 2);
    let _ = client.send(Frames::Die);
    host.wait();
    until("the death shows", || client.is_dead());
    let failed = client.send(Frames::Show { number: 2, pixels }).unwrap_err();
    assert!(matches!(failed.error(), Error::HostDied { .. }));
    let Frames::Show { mut pixels, .. } = failed.into_message() else { panic!("another message") };
    assert!(is_right(&mut pixels, 2));
    // And there is memory all the same.
    fill(&mut client.loan(100_000).unwrap(), 3);
}

#[test]
fn a_sender_that_is_gone_leaves_what_it_has_sent() {
    let (_host, client) = start(true);
    for _ in 0..3 {
        Peer::start("lender", &[client.endpoint()]).finish();
    }
    until("they have come", || counted(&client).0 == 3);
    assert_eq!(client.call(|reply| Frames::Look { reply }).unwrap(), 3);
    client.send(Frames::Let).unwrap();
    assert_eq!(counted(&client).1, 0);
}

#[test]
fn the_next_host_is_lent_to_as_well() {
    let (mut host, client) = start(true);
    let name = client.endpoint().to_owned();
    let options = ConnectOptions::new().name(&name).trust(trust(), POOL);
    let options = options.reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let renewable = Client::<Frames>::connect_with(&options).unwrap().with_deadline(WATCHDOG);
    show(&renewable, 1, 100_000);
    host.kill();
    until("the death shows", || client.is_dead());
    let _next = Peer::start("host", &[&name, "trusts"]);
    for number in 0..100 {
        show(&renewable, number, 100_000);
    }
    assert_eq!(counted(&renewable).1, 0);
}

#[test]
fn inside_a_process_it_is_the_memory_itself() {
    let seen = std::sync::Arc::new(AtomicU64::new(0));
    let addresses = seen.clone();
    let host = Host::<OolBuffer>::builder().unnamed().trust(trust());
    let host = host.bind(move |mut pixels: OolBuffer, _: &Context| {
        addresses.store(pixels.as_mut_slice().as_ptr().addr() as u64, Ordering::Relaxed);
    });
    let host = host.unwrap();
    let mut pixels = host.client().loan(100).unwrap();
    let address = pixels.as_mut_slice().as_ptr().addr() as u64;
    host.client().send(pixels).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), address);
}
