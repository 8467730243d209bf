//! Memory that a host lends its callers with its answers: where both trust each other it is received in place, and nowhere else; it is used again, and
//! outlives whoever dies.

mod typed_support;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Mutex;
use std::thread::spawn;

use futures::executor::{ThreadPool, block_on};
use machipc::port::{Deadline, bootstrap};
use machipc::{
    AsyncClient, Client, ConnectOptions, Context, Error, Host, OolBuffer, Reconnect, Reply, Sink, Task, Trust,
};
use typed_support::process::{Peer, role};
use typed_support::{WATCHDOG, unique, until};

#[machipc::endpoint("com.example.test.lent-answers")]
enum Frames {
    /// Answered before the handler returns.
    Now {
        number: u64,
        len: usize,
        reply: Reply<OolBuffer>,
    },
    /// With the wait for the next message.
    OnReturn {
        number: u64,
        len: usize,
        reply: Reply<OolBuffer>,
    },
    /// By another thread.
    Later {
        number: u64,
        len: usize,
        reply: Reply<OolBuffer>,
    },
    /// By another host.
    Elsewhere {
        host: String,
        number: u64,
        len: usize,
        reply: Reply<OolBuffer>,
    },
    /// What is lent goes to and fro.
    Invert {
        pixels: OolBuffer,
        reply: Reply<(OolBuffer, OolBuffer)>,
    },
    /// The answer is what came.
    Return {
        pixels: OolBuffer,
        reply: Reply<OolBuffer>,
    },
    /// How many different addresses memory for answers had.
    Places {
        reply: Reply<usize>,
    },
    /// How many pools the host has mapped.
    Pools {
        reply: Reply<usize>,
    },
    Die,
}

/// The same as traits, whose methods return the answer.
#[machipc::endpoint("com.example.test.lent-answers.painter")]
trait Painter {
    fn paint(&self, number: u64, len: usize, cx: &Context) -> OolBuffer;
    fn film(&self, pictures: u64, len: usize, out: Sink<OolBuffer>, cx: &Context);
}

#[machipc::endpoint("com.example.test.lent-answers.slow-painter")]
trait SlowPainter {
    async fn paint(&self, number: u64, len: usize, cx: &Context) -> OolBuffer;
}

struct Studio;

impl Painter for Studio {
    fn paint(&self, number: u64, len: usize, cx: &Context) -> OolBuffer {
        filled(cx.loan(len).unwrap(), number)
    }

    fn film(&self, pictures: u64, len: usize, out: Sink<OolBuffer>, cx: &Context) {
        for number in 0..pictures {
            out.send(Painter::paint(self, number, len, cx)).unwrap();
        }
        out.finish().unwrap();
    }
}

impl SlowPainter for Studio {
    async fn paint(&self, number: u64, len: usize, cx: &Context) -> OolBuffer {
        // On another thread.
        let cx = cx.clone();
        spawn(move || filled(cx.loan(len).unwrap(), number)).join().unwrap()
    }
}

type Request = fn(u64, usize, Reply<OolBuffer>) -> Frames;

const POOL: usize = 2 << 20;
/// As many of these as a pool holds.
const LEN: usize = 40_000;
const PLACES: usize = POOL / 40_960;

fn trust() -> Trust {
    // SAFETY: all processes of this test are this test.
    unsafe { Trust::new() }
}

fn filled(mut pixels: OolBuffer, number: u64) -> OolBuffer {
    for (at, chunk) in pixels.as_mut_slice().chunks_mut(8).enumerate() {
        let word = (number << 32 | at as u64).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    pixels
}

fn check(pixels: &mut OolBuffer, number: u64, len: usize) {
    assert_eq!(pixels.len(), len);
    let mut chunks = pixels.as_mut_slice().chunks(8).enumerate();
    assert!(chunks.all(|(at, chunk)| chunk == &(number << 32 | at as u64).to_le_bytes()[..chunk.len()]));
}

/// Where the pools are that this process shares with others.
fn pools() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let pools = maps.lines().filter(|line| line.contains("machipc-loans"));
    pools
        .map(|line| {
            let (start, rest) = line.split_once('-').unwrap();
            let (end, _) = rest.split_once(' ').unwrap();
            let [start, end] = [start, end].map(|end| usize::from_str_radix(end, 16).unwrap());
            start..end
        })
        .collect()
}

/// Asserts that memory lies in a pool, or does not. On Apple systems the kernel moves pages, and there are no pools.
#[track_caller]
fn assert_shared(pixels: &mut OolBuffer, expected: bool) {
    let address = pixels.as_mut_slice().as_ptr().addr();
    if cfg!(target_os = "linux") {
        assert_eq!(pools().iter().any(|pool| pool.contains(&address)), expected, "is it in a pool?");
    }
}

/// Not a test of its own: second processes.
#[test]
fn peer() {
    let Some((role, arguments)) = role() else { return };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (role.as_str(), &words[..]) {
        ("host", [name, trusts]) => serve(name, *trusts == "trusts"),
        ("async host", [name]) => {
            let pool = ThreadPool::new().unwrap();
            let host = Host::<Frames>::builder().name(*name).trust(trust());
            let handler = async |message: Frames, _: Context| handle(message, &Mutex::default());
            host.serve_async_on(move |task: Task| pool.spawn_ok(task), handler).unwrap().wait();
        }
        ("painter", [name]) => {
            let host = Host::<PainterMessage>::builder().name(*name).trust(trust());
            host.run(PainterServer::new(Studio).handler()).unwrap();
        }
        ("slow painter", [name]) => {
            let pool = ThreadPool::new().unwrap();
            let host = Host::<SlowPainterMessage>::builder().name(*name).trust(trust());
            let spawn = move |task: Task| pool.spawn_ok(task);
            host.serve_async_on(spawn, SlowPainterServer::new(Studio)).unwrap().wait();
        }
        ("caller", [name]) => {
            // Dies with answers in hand, and with one on its way.
            let client = connect(name);
            let _held: Vec<_> = (0..10).map(|number| now(&client, number, LEN)).collect();
            let _under_way = client.start(|reply| Frames::Later { number: 0, len: LEN, reply }).unwrap();
            std::process::exit(0);
        }
        other => panic!("no role {other:?}"),
    }
}

fn serve(name: &str, trusts: bool) {
    let places = Mutex::new(HashSet::new());
    let mut builder = Host::<Frames>::builder().name(name);
    if trusts {
        builder = builder.trust(trust());
    }
    builder.run(move |message: Frames, _: &Context| handle(message, &places)).unwrap();
}

fn handle(message: Frames, places: &Mutex<HashSet<usize>>) {
    let made = |number, len, reply: &Reply<_>| {
        let mut pixels = reply.loan(len).unwrap();
        places.lock().unwrap().insert(pixels.as_mut_slice().as_ptr().addr());
        filled(pixels, number)
    };
    let sent = match message {
        Frames::Now { number, len, reply } => {
            let pixels = made(number, len, &reply);
            reply.send(pixels)
        }
        Frames::OnReturn { number, len, reply } => {
            let pixels = made(number, len, &reply);
            reply.send_on_return(pixels)
        }
        Frames::Later { number, len, reply } => {
            spawn(move || {
                let pixels = filled(reply.loan(len).unwrap(), number);
                let _ = reply.send(pixels);
            });
            Ok(())
        }
        Frames::Elsewhere { host, number, len, reply } => {
            // No client of that host's that trusts it.
            Client::<Frames>::connect_to(&host).unwrap().send(Frames::Now { number, len, reply }).unwrap();
            Ok(())
        }
        Frames::Invert { mut pixels, reply } => {
            let mut inverted = reply.loan(pixels.len()).unwrap();
            for (to, from) in inverted.as_mut_slice().iter_mut().zip(pixels.as_mut_slice()) {
                *to = !*from;
            }
            reply.send((inverted, pixels))
        }
        Frames::Return { pixels, reply } => reply.send(pixels),
        Frames::Places { reply } => reply.send(places.lock().unwrap().len()),
        Frames::Pools { reply } => reply.send(pools().len()),
        Frames::Die => std::process::exit(0),
    };
    // The caller may be gone.
    assert!(matches!(sent, Ok(()) | Err(Error::CallerGone)), "{sent:?}");
}

fn options(name: &str) -> ConnectOptions {
    ConnectOptions::new().name(name).wait(WATCHDOG).compare(WATCHDOG)
}

fn connect(name: &str) -> Client<Frames> {
    let options = options(name).trust(trust(), POOL);
    Client::<Frames>::connect_with(&options).unwrap().with_deadline(WATCHDOG)
}

/// A host and a trusting client.
fn start(role: &str, trusts: bool) -> (Peer, Client<Frames>) {
    let name = unique("answers");
    let arguments = [name.as_str(), if trusts { "trusts" } else { "does not" }];
    let peer = Peer::start(role, if role == "host" { &arguments } else { &arguments[..1] });
    let client = connect(&name);
    if trusts {
        // The first answer goes before the host has lent anything.
        check(&mut now(&client, 0, LEN), 0, LEN);
    }
    (peer, client)
}

fn now(client: &Client<Frames>, number: u64, len: usize) -> OolBuffer {
    client.call(|reply| Frames::Now { number, len, reply }).unwrap()
}

#[test]
fn what_is_built_in_place_is_received_in_place() {
    for role in ["host", "async host"] {
        let (_host, client) = start(role, true);
        for (number, len) in (0..).zip([1, 7, 4096, 4097, 65_536, 100_003, 1 << 20]) {
            let calls: [Request; 3] = [
                |number, len, reply| Frames::Now { number, len, reply },
                |number, len, reply| Frames::OnReturn { number, len, reply },
                |number, len, reply| Frames::Later { number, len, reply },
            ];
            for request in calls {
                let mut pixels = client.call(|reply| request(number, len, reply)).unwrap();
                check(&mut pixels, number, len);
                assert_shared(&mut pixels, true);
                drop(pixels);
                let mut pixels = client.start(|reply| request(number, len, reply)).unwrap().wait().unwrap();
                check(&mut pixels, number, len);
                assert_shared(&mut pixels, true);
            }
        }
        for (len, fits) in [(POOL, true), (POOL + 1, false)] {
            let mut pixels = now(&client, 9, len);
            check(&mut pixels, 9, len);
            assert_shared(&mut pixels, fits);
        }
        check(&mut now(&client, 9, 0), 9, 0);
    }
}

#[test]
fn what_methods_of_traits_return_is_received_in_place() {
    let names = [unique("answers"), unique("answers")];
    let _hosts = [Peer::start("painter", &[&names[0]]), Peer::start("slow painter", &[&names[1]])];
    let [quick, slow] = names.map(|name| options(&name).trust(trust(), POOL));
    let quick = PainterClient::connect_with(&quick).unwrap();
    let slow = SlowPainterClient::connect_with(&slow).unwrap();
    for number in 0..20 {
        for mut pixels in [quick.paint(number, LEN).unwrap(), slow.paint(number, LEN).unwrap()] {
            check(&mut pixels, number, LEN);
            // The first one may go before the host has seen that it may lend.
            if number > 0 {
                assert_shared(&mut pixels, true);
            }
        }
    }
    let film = quick.film(PLACES as u64 / 2, LEN).unwrap();
    for (number, pixels) in (0..).zip(film) {
        let mut pixels = pixels.unwrap();
        check(&mut pixels, number, LEN);
        assert_shared(&mut pixels, true);
    }
}

#[test]
fn futures_of_answers_are_received_in_place() {
    let (_host, client) = start("host", true);
    let client = AsyncClient::from(client);
    block_on(async {
        for number in 0..100 {
            let mut pixels = client.call(|reply| Frames::Now { number, len: LEN, reply }).await.unwrap();
            check(&mut pixels, number, LEN);
            assert_shared(&mut pixels, true);
        }
    });
}

#[test]
fn it_is_copied_unless_both_sides_trust() {
    let (_host, trusting) = start("host", false);
    let (_host, trusted) = start("host", true);
    let name = unique("answers");
    let _other = Peer::start("host", &[&name, "trusts"]);
    let wary = Client::<Frames>::connect_with(&options(&name)).unwrap().with_deadline(WATCHDOG);
    for number in 0..20 {
        for client in [&trusting, &wary] {
            let mut pixels = now(client, number, LEN);
            check(&mut pixels, number, LEN);
            assert_shared(&mut pixels, false);
        }
        // Trust in this host is no other's, though its answers come to the same port.
        let mut pixels = now(&trusted, number, LEN);
        check(&mut pixels, number, LEN);
        assert_shared(&mut pixels, true);
    }
}

#[test]
fn who_answers_in_anothers_place_lends_nothing() {
    let (_host, client) = start("host", true);
    let name = unique("answers");
    let _other = Peer::start("host", &[&name, "trusts"]);
    drop(Client::<Frames>::connect_with(&options(&name)).unwrap());
    for number in 0..20 {
        let host = name.clone();
        let call = client.call(|reply| Frames::Elsewhere { host, number, len: LEN, reply });
        let mut pixels = call.unwrap();
        check(&mut pixels, number, LEN);
        assert_shared(&mut pixels, false);
    }
    assert_shared(&mut now(&client, 1, LEN), true);
}

#[test]
fn memory_is_used_again() {
    let (_host, client) = start("host", true);
    let mut received = HashSet::new();
    for number in 0..500 {
        let mut pixels = now(&client, number, LEN);
        check(&mut pixels, number, LEN);
        received.insert(pixels.as_mut_slice().as_ptr().addr());
        // It is this side's until it is dropped.
        pixels.as_mut_slice().fill(0xee);
    }
    assert_shared(&mut now(&client, 1, LEN), true);
    let places = client.call(|reply| Frames::Places { reply }).unwrap();
    if cfg!(target_os = "linux") {
        assert!(received.len() <= PLACES && places <= 1 + PLACES, "{} and {places} places", received.len());
    }
}

#[test]
fn a_caller_that_keeps_what_it_gets_is_sent_more() {
    let (_host, client) = start("host", true);
    let len = 500_000;
    let count = 2 * (POOL / len) as u64;
    let mut kept: Vec<OolBuffer> = (0..count).map(|number| now(&client, number, len)).collect();
    assert_shared(&mut kept[1], true);
    assert_shared(kept.last_mut().unwrap(), false);
    for (number, pixels) in (0..).zip(&mut kept) {
        check(pixels, number, len);
    }
    drop(kept);
    // What has come back is lent again.
    let mut pixels = now(&client, 1, POOL);
    check(&mut pixels, 1, POOL);
    assert_shared(&mut pixels, true);
}

#[test]
fn answers_that_nobody_waits_for_come_back() {
    let (_host, client) = start("host", true);
    for number in 0..2 * PLACES as u64 {
        drop(client.start(|reply| Frames::Now { number, len: LEN, reply }).unwrap());
        drop(client.start(|reply| Frames::Later { number, len: LEN, reply }).unwrap());
    }
    until("all are back", || {
        let mut pixels = now(&client, 1, POOL);
        check(&mut pixels, 1, POOL);
        let address = pixels.as_mut_slice().as_ptr().addr();
        cfg!(not(target_os = "linux")) || pools().iter().any(|pool| pool.contains(&address))
    });
}

#[test]
fn both_sides_lend_at_once() {
    let (_host, client) = start("host", true);
    for number in 0..500 {
        let pixels = filled(client.loan(LEN).unwrap(), number);
        let (mut inverted, mut pixels) = client.call(|reply| Frames::Invert { pixels, reply }).unwrap();
        assert_shared(&mut inverted, true);
        assert_shared(&mut pixels, true);
        check(&mut pixels, number, LEN);
        inverted.as_mut_slice().iter_mut().for_each(|byte| *byte = !*byte);
        check(&mut inverted, number, LEN);
    }
}

#[test]
fn what_is_lent_comes_back_as_it_is() {
    let (_host, client) = start("host", true);
    let give = |mut pixels: OolBuffer, number| {
        let address = pixels.as_mut_slice().as_ptr();
        let mut back = client.call(|reply| Frames::Return { pixels, reply }).unwrap();
        check(&mut back, number, LEN);
        if cfg!(target_os = "linux") {
            assert_eq!(back.as_mut_slice().as_ptr(), address);
        }
        back
    };
    // What the client made, and what the host did.
    let mut made = filled(client.loan(LEN).unwrap(), 1);
    let mut came = now(&client, 2, LEN);
    for _ in 0..3 * PLACES {
        (made, came) = (give(made, 1), give(came, 2));
    }
    drop((made, came));
    for number in 0..3 * PLACES as u64 {
        drop(give(filled(client.loan(LEN).unwrap(), number), number));
        drop(give(now(&client, number, LEN), number));
    }
    assert_shared(&mut client.loan(POOL).unwrap(), true);
    assert_shared(&mut now(&client, 1, POOL), true);
    // To others it goes as a copy.
    let (_other, others) = start("host", true);
    let pixels = now(&client, 3, LEN);
    let mut back = others.call(|reply| Frames::Return { pixels, reply }).unwrap();
    check(&mut back, 3, LEN);
    assert_shared(&mut back, false);
}

#[test]
fn an_answer_outlives_its_host() {
    let (mut host, client) = start("host", true);
    let mut pixels = now(&client, 3, LEN);
    assert_shared(&mut pixels, true);
    let _ = client.send(Frames::Die);
    host.wait();
    until("the death shows", || client.is_dead());
    check(&mut pixels, 3, LEN);
    pixels.as_mut_slice().fill(1);
    assert_shared(&mut pixels, true);
    drop(pixels);
    let dead = client.call(|reply| Frames::Now { number: 1, len: LEN, reply });
    assert!(matches!(dead, Err(Error::HostDied { .. })), "{dead:?}");
}

#[test]
fn the_next_host_lends_as_well() {
    let name = unique("answers");
    let mut host = Peer::start("host", &[&name, "trusts"]);
    let options = options(&name).trust(trust(), POOL).reconnect(Reconnect::OnHostDeath { wait: WATCHDOG });
    let client = Client::<Frames>::connect_with(&options).unwrap().with_deadline(WATCHDOG);
    let asynchronous = AsyncClient::from(client.clone());
    for _ in 0..2 {
        check(&mut now(&client, 0, LEN), 0, LEN);
        assert_shared(&mut now(&client, 1, LEN), true);
        host.kill();
        until("the death shows", || client.is_dead());
        host = Peer::start("host", &[&name, "trusts"]);
        // One of them finds the next host.
        let answer = block_on(asynchronous.call(|reply| Frames::Now { number: 2, len: LEN, reply }));
        check(&mut answer.unwrap(), 2, LEN);
    }
    assert_shared(&mut now(&client, 3, LEN), true);
}

#[test]
fn who_has_a_right_alone_may_trust_as_well() {
    let name = unique("answers");
    let _host = Peer::start("host", &[&name, "trusts"]);
    let right = bootstrap::look_up_waiting::<Frames>(&name, Deadline::after(WATCHDOG)).unwrap();
    let client = Client::from_right(right).with_deadline(WATCHDOG);
    for number in 0..10 {
        assert_shared(&mut now(&client, number, LEN), false);
    }
    let client = client.with_trust(trust(), POOL);
    check(&mut now(&client, 1, LEN), 1, LEN);
    assert_shared(&mut now(&client, 2, LEN), true);
    assert_shared(&mut client.loan(LEN).unwrap(), true);
}

#[test]
fn a_caller_that_dies_leaves_the_host_its_memory() {
    let (_host, client) = start("host", true);
    let pools = || client.call(|reply| Frames::Pools { reply }).unwrap();
    for _ in 0..3 {
        Peer::start("caller", &[client.endpoint()]).finish();
    }
    if cfg!(target_os = "linux") {
        until("the pools of callers that are gone are gone", || pools() == 2);
    }
    let mut pixels = now(&client, 4, POOL);
    check(&mut pixels, 4, POOL);
    assert_shared(&mut pixels, true);
}

#[test]
fn inside_a_process_it_is_the_memory_itself() {
    let host = Host::<Frames>::builder().unnamed().trust(trust());
    let places = std::sync::Arc::new(Mutex::new(HashSet::new()));
    let seen = places.clone();
    let host = host.bind(move |message: Frames, _: &Context| handle(message, &seen)).unwrap();
    let mut pixels = now(&host.client(), 5, LEN);
    check(&mut pixels, 5, LEN);
    assert!(places.lock().unwrap().contains(&pixels.as_mut_slice().as_ptr().addr()));

    let painter = PainterServer::new(Studio).handler();
    let host = Host::<PainterMessage>::builder().unnamed().trust(trust()).bind(painter).unwrap();
    check(&mut PainterClient::from_client(host.client()).paint(6, LEN).unwrap(), 6, LEN);
}
