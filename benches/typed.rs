//! Hosts and clients: within a process, and between two. The same between two ports: `benches/ports.rs`; the difference is what
//! the typed floor costs.

#[path = "support/notes.rs"]
mod notes;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use criterion::Criterion;
use machipc::{Client, Context, Host, Reply, registry};
use notes::{BOUND, Count, Note, note};
use support::{PATIENCE, Server};

#[machipc::endpoint("com.example.bench")]
enum Desk {
    Note {
        number: u64,
    },
    Square {
        of: u64,
        reply: Reply<u64>,
    },
    /// How many notes have come.
    Tally {
        reply: Reply<u64>,
    },
}

/// Counts notes; one that is out of order ends the process, and with it the bench.
fn serve(name: &str) {
    let notes = AtomicU64::new(0);
    let run = Host::<Desk>::builder().name(name).run(move |message, _: &Context| handle(&notes, message));
    run.expect("a name of this bench alone");
}

fn handle(notes: &AtomicU64, message: Desk) {
    match message {
        Desk::Note { number } => {
            let expected = notes.fetch_add(1, Ordering::Relaxed);
            if number != expected {
                eprintln!("note {number} instead of {expected}");
                std::process::exit(1);
            }
        }
        Desk::Square { of, reply } => drop(reply.send(of * of)),
        Desk::Tally { reply } => drop(reply.send(notes.load(Ordering::Relaxed))),
    }
}

fn within_a_process(c: &mut Criterion) {
    let notes = Arc::new(AtomicU64::new(0));
    let counted = notes.clone();
    let host = Host::<Desk>::builder().unnamed().bind(move |message, _: &Context| handle(&counted, message));
    let host = host.expect("a host");
    let desk = DeskClient::from_client(host.client());
    let mut number = 0;
    c.bench_function("one way, called directly", |b| {
        b.iter(|| {
            desk.note(number).expect("the host is here");
            number += 1;
        });
    });
    assert_eq!(notes.load(Ordering::Relaxed), number);
    c.bench_function("call, called directly", |b| {
        b.iter(|| assert_eq!(desk.square(9).expect("an answer"), 81));
    });
}

/// The number of the note that ends a round.
const END: u64 = u64::MAX;

/// To a thread of this process: through a port's queue, and through a channel that holds as many messages.
fn to_a_thread(c: &mut Criterion) {
    // What takes the notes, and at the end of a round tells how many have come; nobody waits for that after an error.
    let taker = || {
        let (tell, told) = mpsc::channel();
        let count = Count::default();
        let take = move |note: Note| match note.number {
            END => drop(tell.send(count.get())),
            _ => drop(count.take(&note)),
        };
        (take, told)
    };
    let mut measure = |name: &str, told: mpsc::Receiver<u64>, send: &dyn Fn(Note)| {
        let sent = Mutex::new(0);
        c.bench_function(name, |b| {
            b.iter_custom(|count| {
                let mut sent = sent.lock().expect("one thread");
                let start = Instant::now();
                (*sent..*sent + count).for_each(|number| send(note(number)));
                *sent += count;
                send(note(END));
                assert_eq!(told.recv(), Ok(*sent));
                start.elapsed()
            });
        });
    };
    registry::set_lookup_enabled(false);
    let (take, told) = taker();
    let name = format!("com.example.bench.queue.{}", std::process::id());
    let host = Host::<Note>::builder().name(&name).bind(move |note: Note, _: &Context| take(note));
    let host = host.expect("a name of this bench alone");
    let client = Client::<Note>::connect_to_timeout(&name, PATIENCE).expect("the host is here");
    registry::set_lookup_enabled(true);
    measure("one way through the queue", told, &|note| client.send(note).expect("the host is here"));
    drop(host);

    let (take, told) = taker();
    let (sender, receiver) = mpsc::sync_channel(BOUND);
    let thread = std::thread::spawn(move || receiver.iter().for_each(take));
    measure("one way through std's sync_channel", told, &|note| sender.send(note).expect("a receiver"));
    drop(sender);
    thread.join().expect("it does not panic");
}

fn between_two(c: &mut Criterion) {
    let server = Server::start();
    let client = Client::connect_to_timeout(&server.name, PATIENCE).expect("the server starts");
    let desk = DeskClient::from_client(client);
    let sent = Mutex::new(0);
    c.bench_function("one way to another process", |b| {
        b.iter_custom(|count| {
            let mut sent = sent.lock().expect("one thread");
            let start = Instant::now();
            for number in *sent..*sent + count {
                desk.note(number).expect("the server lives");
            }
            *sent += count;
            // The answer comes when all notes have come.
            assert_eq!(desk.tally().expect("the server lives"), *sent);
            start.elapsed()
        });
    });
    c.bench_function("call to another process", |b| {
        b.iter(|| assert_eq!(desk.square(12).expect("an answer"), 144));
    });
}

fn main() {
    support::run(serve, |criterion| {
        within_a_process(criterion);
        to_a_thread(criterion);
        between_two(criterion);
    });
}
