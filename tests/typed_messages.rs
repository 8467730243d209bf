//! What messages carry between a client and a host of one process, each thing both ways: on the short cut and through the port.

mod typed_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use machipc::{Client, Context, Error, Host, OolBuffer, ReceiveRight, Reply, SendRight};
use typed_support::hosts::{both_ways, collector};
use typed_support::{WATCHDOG, until};

#[test]
fn strings_and_bytes_under_run_time_names() {
    let (host, received) = collector::<String>("strings");
    for client in both_ways(&host) {
        client.send("text".to_owned()).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), "text");
    }
    let (host, received) = collector::<Vec<u8>>("bytes");
    let by_name = Client::<Vec<u8>>::connect_to(host.name()).unwrap();
    for client in both_ways(&host).into_iter().chain([by_name]) {
        client.send(vec![1, 2, 3]).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), [1, 2, 3]);
    }
}

#[test]
fn borrowed_text_is_seen_where_it_was_received() {
    let (sink, received) = mpsc::channel();
    let host = Host::<&str>::builder()
        .unnamed()
        .bind(move |text: &str, _: &Context| sink.send((text.to_owned(), text.as_ptr().addr())).unwrap())
        .unwrap();
    let text = String::from("not copied");
    let [direct, port] = both_ways(&host);
    direct.send(&text).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), ("not copied".to_owned(), text.as_ptr().addr()));
    port.send(&text).unwrap();
    let (same, elsewhere) = received.recv_timeout(WATCHDOG).unwrap();
    assert_eq!(same, "not copied");
    assert_ne!(elsewhere, text.as_ptr().addr());
}

#[test]
fn one_way_messages_keep_their_order() {
    const COUNT: u64 = 20_000;
    let next = Arc::new(AtomicU64::new(0));
    let expected = next.clone();
    let host = Host::<u64>::builder()
        .unnamed()
        .queue_limit(16)
        .bind(move |number: u64, _: &Context| {
            assert_eq!(number, expected.load(Ordering::Relaxed));
            expected.store(number + 1, Ordering::Release);
        })
        .unwrap();
    for client in both_ways(&host) {
        next.store(0, Ordering::Relaxed);
        for number in 0..COUNT {
            client.send(number).unwrap();
        }
        until("all messages were handled", || next.load(Ordering::Acquire) == COUNT);
    }
    assert_eq!((host.stats().panics, host.stats().handled), (0, COUNT));
}

#[test]
fn large_messages_go_out_of_line_or_grow_the_buffer() {
    let (host, received) = collector::<Vec<u8>>("large");
    for client in both_ways(&host) {
        for size in [0, 1, 4000, 60_000, 65_536, 65_537, 5_000_000] {
            let bytes: Vec<u8> = (0..size).map(|index| (index * 7) as u8).collect();
            client.send(bytes.clone()).unwrap();
            assert!(received.recv_timeout(WATCHDOG).unwrap() == bytes, "{size} bytes");
        }
    }
    // A small receive buffer grows for a message that comes inline.
    let (sink, received) = mpsc::channel();
    let host = Host::<Vec<u8>>::builder()
        .unnamed()
        .receive_buffer_size(4096)
        .bind(move |bytes: Vec<u8>, _: &Context| sink.send(bytes.len()).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    for size in [100, 30_000, 60_000] {
        port.send(vec![0; size]).unwrap();
        assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), size);
    }
}

#[test]
fn a_message_above_the_largest_is_destroyed_and_its_caller_told() {
    let host = Host::<(Vec<u8>, Reply<usize>)>::builder()
        .unnamed()
        .largest_message(8192)
        .bind(|(bytes, reply): (Vec<u8>, Reply<usize>), _: &Context| reply.send(bytes.len()).unwrap())
        .unwrap();
    let [_, port] = both_ways(&host);
    let port = port.with_deadline(None);
    assert_eq!(port.call(|reply| (vec![0; 4000], reply)).unwrap(), 4000);
    assert!(matches!(port.call(|reply| (vec![0; 30_000], reply)), Err(Error::ReplyDropped { .. })));
    // Memory out of line is never copied into the buffer, so it may be larger.
    assert_eq!(port.call(|reply| (vec![0; 100_000], reply)).unwrap(), 100_000);
    assert_eq!((host.stats().too_large, host.stats().handled), (1, 2));
}

#[test]
fn memory_built_in_place_moves() {
    const LEN: usize = 3 << 20;
    let (host, received) = collector::<OolBuffer>("ool");
    for client in both_ways(&host) {
        let mut memory = OolBuffer::new(LEN).unwrap();
        for (index, byte) in memory.as_mut_slice().iter_mut().enumerate() {
            *byte = (index / 3) as u8;
        }
        client.send(memory).unwrap();
        let mut memory = received.recv_timeout(WATCHDOG).unwrap();
        assert_eq!(memory.len(), LEN);
        assert!(memory.as_mut_slice().iter().enumerate().all(|(index, byte)| *byte == (index / 3) as u8));
    }
}

#[test]
fn a_callback_through_a_right_in_a_message() {
    type Watch = (SendRight<u64>, u64);
    let host = Host::<Watch>::builder()
        .unnamed()
        .bind(|(events, count): Watch, _: &Context| {
            let events = Client::from_right(events);
            (0..count).for_each(|event| events.send(event).unwrap());
        })
        .unwrap();
    for client in both_ways(&host) {
        let (listener, events) = collector::<u64>("events");
        client.send((listener.send_right().unwrap(), 1000)).unwrap();
        for expected in 0..1000 {
            assert_eq!(events.recv_timeout(WATCHDOG).unwrap(), expected);
        }
    }
}

#[test]
fn a_failed_send_gives_the_message_back_whole() {
    let full = ReceiveRight::<(SendRight<String>, OolBuffer)>::new().unwrap();
    full.set_queue_limit(0).unwrap();
    let client = Client::from_right(full.make_send().unwrap()).with_deadline(Duration::from_millis(5));
    let (host, received) = collector::<String>("given-back");

    let message = (host.send_right().unwrap(), OolBuffer::copy_from_slice(b"kept").unwrap());
    let failed = client.send(message).unwrap_err();
    assert!(matches!(failed.error(), Error::DeadlineExceeded { .. }), "{failed}");
    let (right, mut memory) = failed.into_message();
    assert_eq!(memory.as_mut_slice(), b"kept");
    Client::from_right(right).send("alive".to_owned()).unwrap();
    assert_eq!(received.recv_timeout(WATCHDOG).unwrap(), "alive");

    drop(full);
    let failed = client.send((host.send_right().unwrap(), memory)).unwrap_err();
    assert!(matches!(failed.error(), Error::HostDied { .. }), "{failed}");
    let (right, mut memory) = failed.into_message();
    assert_eq!(memory.as_mut_slice(), b"kept");
    assert!(!right.is_dead());
}
