//! In the steady state little is allocated: a counting allocator stands in both processes.
//!
//! While both sides are busy nothing is. A side that sleeps allocates what it waits with, and one that falls behind allocates room
//! for what it has taken off the link and not yet handled; on a loaded machine both happen.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages and calls there are.

mod endurance_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use endurance_support::*;
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

/// Not a test of its own: the process of the host.
#[test]
fn part() {
    if role().is_none() {
        return;
    }
    abort_on_panic();
    let (notes, before) = (AtomicU64::new(0), AtomicU64::new(0));
    let host = Host::<Desk>::bind(move |message: Desk<'_>, _: &Context| match message {
        Desk::Note(note) => {
            assert_eq!((note.number, note.place, note.text), (notes.load(Ordering::Relaxed), [1.5; 3], TEXT));
            notes.fetch_add(1, Ordering::Relaxed);
        }
        Desk::Square { of, reply } => reply.send(of * of).expect("the caller waits"),
        Desk::Tally { reply } => {
            let now = allocations();
            let since = now - before.swap(now, Ordering::Relaxed);
            reply.send((notes.load(Ordering::Relaxed), since)).expect("the caller waits");
        }
    });
    let _host = host.expect("a name of this test alone");
    tell("ready");
    wait_for_end_of_input();
}

/// Prints and judges how much was allocated by the client and by the host.
fn report(what: &str, count: u64, allocations: [u64; 2], limit: f64) {
    for (who, allocations) in ["client", "host"].into_iter().zip(allocations) {
        let each = allocations as f64 / count as f64;
        println!("{who}: {allocations} allocations for {count} times a {what}, {each:.5} each");
        assert!(each < limit, "the {who} allocated {each} times a {what}");
    }
}

#[test]
fn steady_traffic_allocates_little() {
    privately("steady_traffic_allocates_little", || {
        let mut host = Second::start("part", "host");
        assert_eq!(host.told(), "ready");
        let desk = DeskClient::connect().expect("the host is ready");
        let send = |numbers: std::ops::Range<u64>| {
            for number in numbers {
                desk.note(Note { number, place: [1.5; 3], text: TEXT }).expect("the host lives");
            }
        };
        let call = |count: u64| {
            for of in 0..count {
                assert_eq!(desk.square(of).expect("the host lives"), of * of);
            }
        };
        // What is made once, and what grows to the size that this traffic needs.
        let (warm, count) = (20_000, rounds(100_000));
        send(0..warm);
        call(warm / 10);
        assert_eq!(desk.tally().expect("the host lives").0, warm);

        let before = allocations();
        send(warm..warm + count);
        let (notes, its) = desk.tally().expect("the host lives");
        let own = allocations() - before;
        assert_eq!(notes, warm + count);
        report("message", count, [own, its], 1.0);

        let before = allocations();
        call(count);
        let (_, its) = desk.tally().expect("the host lives");
        let own = allocations() - before;
        // Both sides may sleep once in each.
        report("call", count, [own, its], 6.0);
        assert!(host.finish().success());
    });
}
