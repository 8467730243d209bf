//! Memory that travels out of line.

mod port_support;

use machipc::mach;
use machipc::message::PLAIN_ID;
use machipc::port::{Deadline, MessageBuffer, OolBuffer, Outgoing, ReceiveRight};
use port_support::*;

const LARGE: usize = 8 << 20;

#[test]
fn memory_built_in_place_moves() {
    let _alone = alone();
    leaves_nothing(LARGE, || {
        let port = ReceiveRight::<(u64, OolBuffer)>::new().unwrap();
        let to = port.make_send().unwrap();
        let mut memory = OolBuffer::new(LARGE).unwrap();
        assert!(memory.as_mut_slice().chunks(4096).all(|page| page == [0; 4096]));
        for (index, page) in memory.as_mut_slice().chunks_mut(4096).enumerate() {
            page.fill((index % 251) as u8);
        }
        let mut buffer = MessageBuffer::new();
        let message = (9u64, memory);
        Outgoing::message(&mut buffer, &message).unwrap().copy_send(&to).send(Deadline::now()).unwrap();
        assert!(message.1.is_empty());

        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert_eq!(received.out_of_line_size(), LARGE);
        let (number, mut memory) = received.decode::<(u64, OolBuffer)>().unwrap();
        drop(received);
        assert_eq!((number, memory.len()), (9, LARGE));
        let bytes = memory.as_mut_slice();
        for (index, page) in bytes.chunks(4096).enumerate() {
            assert!(page == [(index % 251) as u8; 4096], "page {index}");
        }
    });
}

#[test]
fn a_payload_above_the_inline_limit_goes_out_of_line_by_itself() {
    let _alone = alone();
    let limit = MessageBuffer::INLINE_LIMIT;
    for (len, out_of_line) in [(0, false), (limit - 4, false), (limit - 3, true), (LARGE, true)] {
        leaves_nothing(if out_of_line { len } else { 0 }, || {
            let port = ReceiveRight::<String>::new().unwrap();
            let to = port.make_send().unwrap();
            let text = "é".repeat(len / 2) + if len % 2 == 1 { "!" } else { "" };
            let mut buffer = MessageBuffer::new();
            Outgoing::message(&mut buffer, &text).unwrap().copy_send(&to).send(Deadline::now()).unwrap();
            let mut buffer = MessageBuffer::new();
            let received = port.receive(&mut buffer, Deadline::now()).unwrap();
            assert_eq!(received.out_of_line_size() > 0, out_of_line, "{len} bytes");
            assert_eq!(received.decode::<String>().unwrap(), text);
            // Borrowed, it lies in the memory that came.
            let again = received.decode_with("str", fingerprint::<String>(), |input| {
                let count = input.count(1)?;
                input.bytes(count)
            });
            assert_eq!(again.unwrap(), text.as_bytes());
        });
    }
}

#[test]
fn parts_that_are_sent_from_where_they_lie_keep_their_places() {
    let _alone = alone();
    let bytes: Vec<u8> = (0..20_001_u32).map(|at| ((at * 31) >> 3) as u8).collect();
    let value = (7_u8, bytes, 9_u64, (0..2_500_u64).collect::<Vec<_>>(), "behind".to_owned());
    leaves_nothing(0, || {
        let port = ReceiveRight::<String>::pinned(1).unwrap();
        let to = port.make_send().unwrap();
        let mut buffer = MessageBuffer::new();
        let mut send =
            || Outgoing::message(&mut buffer, &value).unwrap().copy_send(&to).send(Deadline::now());
        send().unwrap();
        assert!(send().unwrap_err().is_timed_out());
        let mut buffer = MessageBuffer::new();
        for _ in 0..2 {
            let received = port.receive(&mut buffer, Deadline::now()).unwrap();
            assert_eq!(received.out_of_line_size(), 0);
            let found = received.decode::<(u8, Vec<u8>, u64, Vec<u64>, String)>().unwrap();
            assert!(found == value);
            if port.queued() == Ok(0) {
                send().unwrap();
            }
        }
        drop(port.receive(&mut buffer, Deadline::now()).unwrap());
    });
}

fn fingerprint<M: machipc::message::MachMessage>() -> u64 {
    M::fingerprint()
}

#[test]
fn the_inline_limit_can_be_set() {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    buffer.set_inline_limit(100);
    let port = ReceiveRight::<(String, OolBuffer)>::new().unwrap();
    let to = port.make_send().unwrap();
    let message = ("y".repeat(200), OolBuffer::copy_from_slice(b"beside it").unwrap());
    Outgoing::message(&mut buffer, &message).unwrap().copy_send(&to).send(Deadline::now()).unwrap();
    let received = port.receive(&mut buffer, Deadline::now()).unwrap();
    assert!(received.size() < 200);
    let (text, mut memory) = received.decode::<(String, OolBuffer)>().unwrap();
    assert_eq!(text, message.0);
    assert_eq!(memory.as_mut_slice(), b"beside it");
}

#[test]
fn bytes_out_of_line_are_borrowed_or_taken() {
    let _alone = alone();
    use machipc::message::Attachment;
    let data = vec![3u8; LARGE];
    let port = ReceiveRight::<()>::new().unwrap();
    let to = port.make_send().unwrap();
    let mut buffer = MessageBuffer::new();
    leaves_nothing(LARGE, || {
        Outgoing::encode(&mut buffer, PLAIN_ID, 1, |out| {
            out.attach(Attachment::Bytes(&data))?;
            out.attach(Attachment::Bytes(&data[..LARGE / 2]))?;
            out.attach(Attachment::Bytes(&[]))
        })
        .unwrap()
        .copy_send(&to)
        .send(Deadline::now())
        .unwrap();
        assert_eq!(data[0], 3, "what is sent as a copy stays");
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let (whole, half, none) = received
            .decode_with("bytes", 1, |input| Ok((input.ool_bytes()?, input.memory()?, input.ool_bytes()?)))
            .unwrap();
        assert_eq!(whole, data);
        assert_eq!(half.get().1, LARGE / 2);
        assert!(none.is_empty());
        let (address, len) = half.get();
        // SAFETY: the memory was taken out of the message, and nothing else uses it.
        unsafe { mach::vm_deallocate(mach::mach_task_self(), address, len) };
    });
}

#[test]
fn what_is_not_taken_is_freed() {
    let _alone = alone();
    leaves_nothing(LARGE, || {
        let port = ReceiveRight::<OolBuffer>::new().unwrap();
        let to = port.make_send().unwrap();
        let mut buffer = MessageBuffer::new();
        for _ in 0..2 {
            let memory = OolBuffer::new(LARGE).unwrap();
            Outgoing::message(&mut buffer, &memory).unwrap().copy_send(&to).send(Deadline::now()).unwrap();
        }
        drop(port.receive(&mut buffer, Deadline::now()).unwrap());
        // The other is destroyed with the port's queue.
    });
}

#[test]
fn empty_memory_travels() {
    let _alone = alone();
    let port = ReceiveRight::<OolBuffer>::new().unwrap();
    let to = port.make_send().unwrap();
    let mut buffer = MessageBuffer::new();
    let memory = OolBuffer::new(0).unwrap();
    Outgoing::message(&mut buffer, &memory).unwrap().copy_send(&to).send(Deadline::now()).unwrap();
    let received = port.receive(&mut buffer, Deadline::now()).unwrap();
    assert!(received.decode::<OolBuffer>().unwrap().is_empty());
}
