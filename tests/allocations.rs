//! In the steady state nothing is allocated, whether the sides are busy or sleep: a counting allocator stands in both processes.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages and calls there are in a round.

mod endurance_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use endurance_support::*;
use machipc::message::Schema;
use machipc::{Context, Host, MachMessage, Reply};

/// The system's allocator, which counts what it is asked for, by all threads.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on as it is to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the block is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`, and the block is the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

#[machipc::endpoint("com.example.test.allocations")]
enum Desk<'a> {
    Note(Note<'a>),
    Square {
        of: u64,
        reply: Reply<u64>,
    },
    /// The text, so many times.
    Recite {
        times: usize,
        reply: Reply<Vec<u8>>,
    },
    /// How many notes came, whose numbers were in order, and how many allocations there were since this was last asked.
    Tally {
        reply: Reply<(u64, u64)>,
    },
}

#[derive(MachMessage)]
struct Note<'a> {
    number: u64,
    place: [f64; 3],
    text: &'a str,
}

const TEXT: &str = "a text that is borrowed from the receive buffer";
/// Larger answers are sent from where they lie, and a list of such places is made.
const TIMES_MAX: usize = 300;

/// Not a test of its own: the process of the host.
#[test]
fn part() {
    if role().is_none() {
        return;
    }
    abort_on_panic();
    let _host = serve();
    tell("ready");
    wait_for_end_of_input();
}

fn serve() -> Host<Desk<'static>> {
    let (notes, before) = (AtomicU64::new(0), AtomicU64::new(0));
    let song = TEXT.repeat(TIMES_MAX).into_bytes();
    let host = Host::<Desk>::bind(move |message: Desk<'_>, _: &Context| match message {
        Desk::Note(note) => {
            assert_eq!((note.number, note.place, note.text), (notes.load(Ordering::Relaxed), [1.5; 3], TEXT));
            notes.fetch_add(1, Ordering::Relaxed);
        }
        Desk::Square { of, reply } => reply.send(of * of).expect("the caller waits"),
        Desk::Recite { times, reply } => {
            reply.send_view(&song[..times * TEXT.len()]).expect("the caller waits");
        }
        Desk::Tally { reply } => {
            let now = allocations();
            let since = now - before.swap(now, Ordering::Relaxed);
            reply.send((notes.load(Ordering::Relaxed), since)).expect("the caller waits");
        }
    });
    host.expect("a name of this test alone")
}

/// Traffic in so many rounds at most settles: it allocates no more.
///
/// What grows to the size that traffic needs grows with the longest that it has been so far: a queue and its buffers, when a side that was
/// not given a processor falls behind further than ever before. That ends, for a queue has a limit. What allocates for each message, for each
/// sleep or now and then does so in every round.
const ROUNDS: usize = 30;

/// Has rounds of traffic run until one allocates nothing at all, in either process. `round` returns what each has allocated.
fn settles<const N: usize>(what: &str, count: u64, names: [&str; N], mut round: impl FnMut() -> [u64; N]) {
    for number in 1..=ROUNDS {
        let allocations = round();
        for (name, allocations) in names.iter().zip(allocations) {
            println!("{name}: {allocations} allocations for {count} times a {what}, round {number}");
        }
        if allocations.iter().all(|&allocations| allocations == 0) {
            return;
        }
    }
    panic!("{ROUNDS} rounds of {count} times a {what} have all allocated");
}

#[test]
fn steady_traffic_allocates_nothing() {
    privately("steady_traffic_allocates_nothing", || {
        let mut host = Second::start("part", "host");
        assert_eq!(host.told(), "ready");
        let desk = DeskClient::connect().expect("the host is ready");
        let count = rounds(100_000);
        let mut sent = 0;
        // The tally itself is a call, so it is in each round's account.
        desk.tally().expect("the host lives");
        settles("message", count, ["client", "host"], || {
            let before = allocations();
            for _ in 0..count {
                desk.note(Note { number: sent, place: [1.5; 3], text: TEXT }).expect("the host lives");
                sent += 1;
            }
            let (notes, its) = desk.tally().expect("the host lives");
            assert_eq!(notes, sent);
            [allocations() - before, its]
        });
        let mut batch = desk.client().batch();
        settles("message of a batch", count, ["client", "host"], || {
            let before = allocations();
            for _ in 0..count {
                let note = Note { number: sent, place: [1.5; 3], text: TEXT };
                batch.send(Desk::Note(note)).expect("the host lives");
                sent += 1;
            }
            batch.flush().expect("the host lives");
            let (notes, its) = desk.tally().expect("the host lives");
            assert_eq!(notes, sent);
            [allocations() - before, its]
        });
        settles("call", count, ["client", "host"], || {
            let before = allocations();
            for of in 0..count {
                assert_eq!(desk.square(of).expect("the host lives"), of * of);
            }
            let (_, its) = desk.tally().expect("the host lives");
            [allocations() - before, its]
        });
        for times in [1, TIMES_MAX] {
            let count = count / times as u64;
            settles("call whose answer is a view", count, ["client", "host"], || {
                let before = allocations();
                for _ in 0..count {
                    let recite = |reply| Desk::Recite { times, reply };
                    let ends =
                        |song: &[u8]| song.starts_with(TEXT.as_bytes()) && song.ends_with(TEXT.as_bytes());
                    let look = |song: &[u8]| (song.len(), ends(song));
                    let seen = desk.client().call_view(recite, look).expect("the host lives");
                    assert_eq!(seen, (times * TEXT.len(), true));
                }
                let (_, its) = desk.tally().expect("the host lives");
                [allocations() - before, its]
            });
        }
        assert!(host.finish().success());
    });
}

#[test]
fn steady_traffic_in_one_process_allocates_nothing() {
    privately("steady_traffic_in_one_process_allocates_nothing", || {
        for direct in [true, false] {
            machipc::registry::set_lookup_enabled(direct);
            let host = serve();
            let desk = DeskClient::connect().expect("the host is ready");
            let count = rounds(100_000);
            let mut sent = 0;
            let mut notes = || {
                let before = allocations();
                for _ in 0..count {
                    desk.note(Note { number: sent, place: [1.5; 3], text: TEXT }).expect("the host lives");
                    sent += 1;
                }
                let (notes, _) = desk.tally().expect("the host lives");
                assert_eq!(notes, sent);
                allocations() - before
            };
            let calls = || {
                let before = allocations();
                for of in 0..count {
                    assert_eq!(desk.square(of).expect("the host lives"), of * of);
                }
                allocations() - before
            };
            if direct {
                settles("direct message", count, ["process"], || [notes()]);
                settles("direct call", count, ["process"], || [calls()]);
            } else {
                settles("queued message", count, ["process"], || [notes()]);
                settles("queued call", count, ["process"], || [calls()]);
            }
            drop(host);
        }
    });
}

#[test]
fn few_types_are_described_once_each() {
    privately("few_types_are_described_once_each", || {
        macro_rules! types {
            ($($type:ty)*) => { [$(Schema::fingerprint_of::<$type> as fn() -> u64),*] };
        }
        let all = types! {
            u8 u16 u32 u64 i8 i16 i32 i64 bool f32 f64 String Vec<u8> Vec<u16> Vec<u32> Vec<u64> Vec<String> (u8,) (u16,) (u32,) (u64,)
            Option<u8> Option<u16> Option<u32> Option<u64> [u8; 2] [u16; 2] [u32; 2]
        };
        for few in all.windows(4) {
            let ask = || few.iter().map(|fingerprint| fingerprint()).fold(0, |all, one| all ^ one);
            let first = ask();
            let before = allocations();
            (0..100).for_each(|_| assert_eq!(ask(), first));
            assert_eq!(allocations() - before, 0);
        }
    });
}
