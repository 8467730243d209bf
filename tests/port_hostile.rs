//! Messages that this library would not build: whatever is wrong with one, decoding it is an error, and everything that it
//! carried is destroyed.

mod port_support;

use machipc::mach;
use machipc::message::{MachMessage, Prefix, TraceContext};
use machipc::port::{
    Deadline, MessageBuffer, Notification, OolBuffer, Outgoing, ReceiveRight, RightArray, SendOnceRight,
    SendRight,
};
use port_support::*;

const LARGE: usize = 4 << 20;

const SEND: u32 = mach::MACH_MSG_TYPE_MAKE_SEND;
const ONCE: u32 = mach::MACH_MSG_TYPE_MAKE_SEND_ONCE;
const RECEIVE: u32 = mach::MACH_MSG_TYPE_MOVE_RECEIVE;

/// Receives a message as an `M` many times; it must be refused with these words, and leave nothing behind. `make` gets the
/// port to send to and one that the message may carry rights of.
fn refused<M: MachMessage>(words: &str, make: impl Fn(u32, u32) -> ByHand) {
    refused_with::<M>(0, words, make);
}

fn refused_with<M: MachMessage>(region: usize, words: &str, make: impl Fn(u32, u32) -> ByHand) {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    leaves_nothing(region, || {
        let port = ReceiveRight::<M>::new().unwrap();
        let to = port.make_send().unwrap();
        let other = ReceiveRight::<()>::new().unwrap();
        make(to.name(), other.name()).sent();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let Err(error) = received.decode::<M>() else { panic!("accepted") };
        assert!(error.to_string().contains(words), "{error}");
        drop(received);
        assert_eq!(send_refs(other.name()), 0, "a send right stayed");
        // The port is unharmed: a good message comes through.
        let good = ReceiveRight::<u32>::new().unwrap();
        let to = good.make_send().unwrap();
        ByHand::of::<u32>(to.name(), vec![], &8u32.to_le_bytes()).sent();
        assert_eq!(good.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 8);
    });
}

fn memory(bytes: &'static [u8]) -> Hand {
    let copy = mach::MACH_MSG_VIRTUAL_COPY;
    Hand::Memory { address: bytes.as_ptr().addr(), size: bytes.len() as u32, copy, volatile: false }
}

static BYTES: [u8; LARGE] = [1; LARGE];

#[test]
fn a_surplus_right() {
    refused::<u32>("1 attachments", |to, other| {
        ByHand::of::<u32>(to, vec![Hand::Port { name: other, disposition: SEND }], &1u32.to_le_bytes())
    });
    refused::<SendRight<u32>>("2 attachments", |to, other| {
        let right = Hand::Port { name: other, disposition: SEND };
        ByHand::of::<SendRight<u32>>(to, vec![right, right], &0u32.to_le_bytes())
    });
}

#[test]
fn a_right_too_few() {
    refused::<SendRight<u32>>("attachment 0 named", |to, _| {
        ByHand::of::<SendRight<u32>>(to, vec![], &0u32.to_le_bytes())
    });
    refused::<(SendRight<u32>, SendRight<u32>)>("attachment 1 named", |to, other| {
        let right = Hand::Port { name: other, disposition: SEND };
        ByHand::of::<(SendRight<u32>, SendRight<u32>)>(to, vec![right], &[0, 0, 0, 0, 1, 0, 0, 0])
    });
}

#[test]
fn another_disposition() {
    let rights = [(SEND, "send right"), (ONCE, "send-once right")];
    for (disposition, _) in rights {
        let make = |to, name| {
            ByHand::of::<ReceiveRight<u32>>(to, vec![Hand::Port { name, disposition }], &0u32.to_le_bytes())
        };
        refused::<ReceiveRight<u32>>("receive right wanted", make);
    }
    refused::<SendRight<u32>>("is a send-once right, send right wanted", |to, name| {
        ByHand::of::<SendRight<u32>>(to, vec![Hand::Port { name, disposition: ONCE }], &0u32.to_le_bytes())
    });
    refused::<SendOnceRight<u32>>("is a send right, send-once right wanted", |to, name| {
        ByHand::of::<SendOnceRight<u32>>(
            to,
            vec![Hand::Port { name, disposition: SEND }],
            &0u32.to_le_bytes(),
        )
    });
    refused::<SendRight<u32>>("is a receive right, send right wanted", |to, _| {
        let moved = Hand::Port { name: new_port(), disposition: RECEIVE };
        ByHand::of::<SendRight<u32>>(to, vec![moved], &0u32.to_le_bytes())
    });
}

#[test]
fn another_order() {
    type Two = (SendRight<u32>, SendRight<u32>);
    let two = |to, name, payload: &[u8]| {
        let right = Hand::Port { name, disposition: SEND };
        ByHand::of::<Two>(to, vec![right, right], payload)
    };
    refused::<Two>("attachment 1 named, 0 comes next", |to, other| two(to, other, &[1, 0, 0, 0, 0, 0, 0, 0]));
    refused::<Two>("attachment 0 named, 1 comes next", |to, other| two(to, other, &[0, 0, 0, 0, 0, 0, 0, 0]));
    refused::<Two>("attachment 4294967295 named", |to, other| two(to, other, &[255; 8]));
}

#[test]
fn another_kind() {
    refused_with::<SendRight<u32>>(LARGE, "region of memory, send right wanted", |to, _| {
        ByHand::of::<SendRight<u32>>(to, vec![memory(&BYTES)], &0u32.to_le_bytes())
    });
    refused::<OolBuffer>("send right, memory wanted", |to, name| {
        ByHand::of::<OolBuffer>(to, vec![Hand::Port { name, disposition: SEND }], &0u32.to_le_bytes())
    });
    refused::<std::os::fd::OwnedFd>("is no open file", |to, name| {
        let right = Hand::Port { name, disposition: SEND };
        ByHand::of::<std::os::fd::OwnedFd>(to, vec![right], &0u32.to_le_bytes())
    });
}

#[test]
fn an_array_of_rights() {
    let names = vec![0u32; 2048];
    refused::<SendRight<u32>>("array of send rights, send right wanted", |to, other| {
        let mut names = names.clone();
        names.fill(other);
        names[7] = mach::MACH_PORT_DEAD;
        names[8] = mach::MACH_PORT_NULL;
        let array = Hand::Ports { address: names.as_ptr().addr(), count: 2048, disposition: SEND };
        ByHand::of::<SendRight<u32>>(to, vec![array], &0u32.to_le_bytes()).keeping(names)
    });
    refused::<OolBuffer>("array of receive rights, memory wanted", |to, _| {
        let names: Vec<u32> = (0..100).map(|_| new_port()).collect();
        let array = Hand::Ports { address: names.as_ptr().addr(), count: 100, disposition: RECEIVE };
        ByHand::of::<OolBuffer>(to, vec![array], &0u32.to_le_bytes()).keeping(names)
    });
    refused::<RightArray<SendOnceRight<u32>>>(
        "array of send rights, array of send-once rights wanted",
        |to, other| {
            let names = vec![other; 10];
            let array = Hand::Ports { address: names.as_ptr().addr(), count: 10, disposition: SEND };
            ByHand::of::<RightArray<SendOnceRight<u32>>>(to, vec![array], &0u32.to_le_bytes()).keeping(names)
        },
    );
    refused::<RightArray<SendRight<u32>>>("NULL", |to, other| {
        let names = vec![other, other, mach::MACH_PORT_NULL];
        let array = Hand::Ports { address: names.as_ptr().addr(), count: 3, disposition: SEND };
        ByHand::of::<RightArray<SendRight<u32>>>(to, vec![array], &0u32.to_le_bytes()).keeping(names)
    });
    refused::<RightArray<SendRight<u32>>>("is a send right, array of send rights wanted", |to, name| {
        let right = Hand::Port { name, disposition: SEND };
        ByHand::of::<RightArray<SendRight<u32>>>(to, vec![right], &0u32.to_le_bytes())
    });
    refused::<u32>("1 attachments", |to, _| {
        ByHand::of::<u32>(to, vec![Hand::Ports { address: 0, count: 0, disposition: ONCE }], &[1, 0, 0, 0])
    });
}

#[test]
fn a_guarded_right() {
    refused::<ReceiveRight<u32>>("guarded receive right", |to, _| {
        ByHand::of::<ReceiveRight<u32>>(to, vec![Hand::Guarded { name: new_port() }], &0u32.to_le_bytes())
    });
}

#[test]
fn volatile_memory() {
    refused_with::<OolBuffer>(LARGE, "volatile", |to, _| {
        let volatile = Hand::Memory {
            address: BYTES.as_ptr().addr(),
            size: LARGE as u32,
            copy: mach::MACH_MSG_VIRTUAL_COPY,
            volatile: true,
        };
        ByHand::of::<OolBuffer>(to, vec![volatile], &0u32.to_le_bytes())
    });
}

#[test]
fn memory_that_the_sender_marks_to_stay_is_freed_all_the_same() {
    let physical = Hand::Memory {
        address: BYTES.as_ptr().addr(),
        size: LARGE as u32,
        copy: mach::MACH_MSG_PHYSICAL_COPY,
        volatile: false,
    };
    refused_with::<u32>(LARGE, "1 attachments", |to, _| {
        ByHand::of::<u32>(to, vec![physical], &1u32.to_le_bytes())
    });
    // Where memory is wanted it is as good as any.
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    leaves_nothing(LARGE, || {
        let port = ReceiveRight::<OolBuffer>::new().unwrap();
        let to = port.make_send().unwrap();
        ByHand::of::<OolBuffer>(to.name(), vec![physical], &[0; 4]).sent();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let mut memory = received.decode::<OolBuffer>().unwrap();
        assert!(memory.as_mut_slice() == BYTES);
    });
}

#[test]
fn null_and_dead_names() {
    let named = |to, name, disposition| {
        ByHand::of::<SendRight<u32>>(to, vec![Hand::Port { name, disposition }], &0u32.to_le_bytes())
    };
    for name in [mach::MACH_PORT_NULL, mach::MACH_PORT_DEAD] {
        for disposition in [RECEIVE, SEND, ONCE] {
            if (name, disposition) == (mach::MACH_PORT_DEAD, SEND) {
                continue; // a dead right is a right
            }
            refused::<SendRight<u32>>("attachment 0 is", |to, _| named(to, name, disposition));
        }
    }
    for (name, words) in [(mach::MACH_PORT_NULL, "NULL"), (mach::MACH_PORT_DEAD, "DEAD")] {
        refused::<ReceiveRight<u32>>(words, |to, _| {
            let nothing = Hand::Port { name, disposition: RECEIVE };
            ByHand::of::<ReceiveRight<u32>>(to, vec![nothing], &0u32.to_le_bytes())
        });
    }
}

#[test]
fn a_surplus_reply_right() {
    for disposition in [SEND, ONCE] {
        refused::<u32>("takes no reply", |to, other| ByHand {
            local: (disposition, other),
            ..ByHand::of::<u32>(to, vec![], &1u32.to_le_bytes())
        });
    }
    // A reply right that is the receiving port's own: what is released is what came, and the port lives on.
    refused::<u32>("takes no reply", |to, _| ByHand {
        local: (mach::MACH_MSG_TYPE_COPY_SEND, to),
        ..ByHand::of::<u32>(to, vec![], &1u32.to_le_bytes())
    });
    refused::<u32>("takes no reply", |to, _| ByHand {
        local: (mach::MACH_MSG_TYPE_COPY_SEND, mach::MACH_PORT_DEAD),
        ..ByHand::of::<u32>(to, vec![], &1u32.to_le_bytes())
    });
}

#[test]
fn a_dead_reply_right_is_a_dead_value() {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    leaves_nothing(0, || {
        let port = ReceiveRight::<u32>::new().unwrap();
        let to = port.make_send().unwrap();
        ByHand {
            local: (mach::MACH_MSG_TYPE_COPY_SEND, mach::MACH_PORT_DEAD),
            ..ByHand::of::<u32>(to.name(), vec![], &1u32.to_le_bytes())
        }
        .sent();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let reply = received.take_reply().unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 1);
        drop(received);
        assert!(reply.is_dead());
        let mut out = MessageBuffer::new();
        let error = Outgoing::message(&mut out, &2u32).unwrap().answer(&reply).send(Deadline::never());
        assert!(error.unwrap_err().is_dead_destination());
        // None at all.
        ByHand { local: (ONCE, 0), ..ByHand::of::<u32>(to.name(), vec![], &1u32.to_le_bytes()) }.sent();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert!(!received.wants_reply() && received.take_reply().is_none());
        assert_eq!(received.decode::<u32>().unwrap(), 1);
    });
}

#[test]
fn prefixes_that_lie() {
    let with = |prefix: Prefix, payload: &'static [u8]| {
        move |to, _: u32| ByHand::with_prefix(to, vec![], prefix, payload)
    };
    let ours = u32::fingerprint();
    let prefix = |len, fingerprint, flags| Prefix::new(len, fingerprint, flags).unwrap();
    refused::<u32>("different definitions", with(prefix(4, ours ^ 1, 0), &[0; 4]));
    for len in [5, 8, 0x7fff_ffff, u32::MAX as usize] {
        refused::<u32>("payload of", with(prefix(len, ours, 0), &[0; 4]));
    }
    refused::<u32>("payload of", with(prefix(0, ours, 0), &[0; 4]));
    refused::<u32>("payload of", with(prefix(4, ours, 0), &[0; 8]));
    refused::<u32>("nothing is", with(prefix(4, ours, Prefix::OUT_OF_LINE), &[]));
    refused::<u32>("unknown flags", with(prefix(4, ours, 0x80), &[0; 4]));
    refused::<u32>("left", |to, _| ByHand { rest: vec![], ..with(prefix(4, ours, 0), &[0; 4])(to, 0) });
    refused::<u32>("not a machipc message", |to, _| ByHand {
        rest: vec![0xaa; 64],
        ..with(prefix(4, ours, 0), &[0; 4])(to, 0)
    });
    refused::<u32>("no variant", |to, _| ByHand { id: 12345, ..with(prefix(4, ours, 0), &[0; 4])(to, 0) });
}

#[test]
fn payloads_out_of_line_that_lie() {
    let prefix = |len| Prefix::new(len, String::fingerprint(), Prefix::OUT_OF_LINE).unwrap();
    refused_with::<String>(LARGE, "payload of", |to, _| {
        ByHand::with_prefix(to, vec![memory(&BYTES)], prefix(LARGE - 1), &[])
    });
    refused_with::<String>(LARGE, "payload of", |to, _| {
        ByHand::with_prefix(to, vec![memory(&BYTES)], prefix(LARGE), &[0; 4])
    });
    refused::<String>("no memory", |to, name| {
        ByHand::with_prefix(to, vec![Hand::Port { name, disposition: SEND }], prefix(4), &[])
    });
    // The payload is the last; what comes before it are attachments, of which there should be none.
    refused_with::<String>(LARGE, "cannot decode", |to, _| {
        ByHand::with_prefix(to, vec![memory(&BYTES), memory(&BYTES)], prefix(LARGE), &[])
    });
}

#[test]
fn complex_messages_without_descriptors() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let mut buffer = MessageBuffer::new();
    let mut message = ByHand::of::<u32>(to.name(), vec![], &6u32.to_le_bytes());
    message.simple = false;
    message.rest.drain(..4); // the count of descriptors takes the place of padding
    message.sent();
    let received = port.receive(&mut buffer, Deadline::now()).unwrap();
    assert_eq!(received.decode::<u32>().unwrap(), 6);
}

#[test]
fn a_notification_from_a_process_is_none() {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    leaves_nothing(0, || {
        let port = ReceiveRight::<u32>::new().unwrap();
        let to = port.make_send().unwrap();
        let victim = ReceiveRight::<u32>::new().unwrap();
        let right = victim.make_send().unwrap();
        for id in 64..=72 {
            // The body of a notification: data representation, and the name of a right that the receiver holds.
            let mut rest = vec![0, 0, 0, 0, 1, 0, 0, 0];
            rest.extend_from_slice(&right.name().to_le_bytes());
            let remote = (mach::MACH_MSG_TYPE_COPY_SEND, to.name());
            ByHand { remote, id, rest, simple: true, ..ByHand::default() }.sent();
            let received = port.receive(&mut buffer, Deadline::now()).unwrap();
            assert_eq!(received.id(), id);
            assert!(received.notification().is_none(), "forged id {id}");
            assert!(!received.sender().is_kernel());
            assert!(received.decode::<u32>().is_err());
            drop(received);
            assert_eq!(send_refs(right.name()), 1, "a forged id {id} costs no reference");
        }
        drop(victim);
        // The real thing, for comparison.
        drop(port.make_send_once().unwrap());
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert!(matches!(received.notification(), Some(Notification::SendOnce)));
        assert!(received.decode::<u32>().is_err());
    });
}

#[test]
fn a_bomb_of_rights_within_rights_is_destroyed() {
    let _alone = alone();
    leaves_nothing(0, || {
        // Each port waits in a message in the next one's queue.
        let mut innermost = new_port();
        for _ in 0..2_000 {
            let next = ReceiveRight::<()>::new().unwrap();
            let to = next.make_send().unwrap();
            let moved = Hand::Port { name: innermost, disposition: RECEIVE };
            ByHand::of::<()>(to.name(), vec![moved], &[]).sent();
            drop(to);
            innermost = next.into_raw();
        }
        // SAFETY: the right came out of `into_raw`.
        drop(unsafe { ReceiveRight::<()>::from_raw(innermost) });
    });
}

#[test]
fn arbitrary_bytes_are_refused() {
    let _alone = alone();
    type Everything = (SendRight<u32>, OolBuffer, Vec<SendOnceRight<u32>>, String, Option<ReceiveRight<u32>>);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut buffer = MessageBuffer::new();
    let small: &'static [u8] = &BYTES[..5000];
    leaves_nothing(0, || {
        let port = ReceiveRight::<Everything>::new().unwrap();
        let to = port.make_send().unwrap();
        let other = ReceiveRight::<()>::new().unwrap();
        for _ in 0..400 {
            let descriptors = (0..random() % 5)
                .map(|_| match random() % 6 {
                    0 => Hand::Port { name: other.name(), disposition: SEND },
                    1 => Hand::Port { name: other.name(), disposition: ONCE },
                    2 => Hand::Port { name: new_port(), disposition: RECEIVE },
                    3 => Hand::Port { name: mach::MACH_PORT_NULL, disposition: SEND },
                    _ => memory(small),
                })
                .collect();
            let payload: Vec<u8> =
                (0..random() % 64).map(|_| if random() % 3 == 0 { random() as u8 } else { 0 }).collect();
            let mut message = ByHand::of::<Everything>(to.name(), descriptors, &payload);
            if random() % 4 == 0 {
                let at = random() as usize % message.rest.len();
                message.rest[at] ^= 1 << (random() % 8);
            }
            if random() % 4 == 0 {
                let len = random() as usize % message.rest.len();
                message.rest.truncate(len);
            }
            if random() % 2 == 0 {
                message.local = ([SEND, ONCE][random() as usize % 2], other.name());
            }
            message.sent();
            // It may be an `Everything` by chance; then its parts are dropped as such.
            let _ = port.receive(&mut buffer, Deadline::now()).unwrap().decode::<Everything>();
        }
        assert_eq!(send_refs(other.name()), 0);
    });
}

#[test]
fn a_trace_context_that_is_cut_short() {
    for len in [0, 4, TraceContext::WIRE_SIZE - 4] {
        refused::<u32>("ends inside its trace context", |to, _| {
            let prefix = Prefix::new(4, u32::fingerprint(), Prefix::TRACED).unwrap();
            ByHand::with_prefix(to, vec![], prefix, &vec![1; len])
        });
    }
    refused::<u32>("a payload of 4 bytes, 0 came", |to, _| {
        let prefix = Prefix::new(4, u32::fingerprint(), Prefix::TRACED).unwrap();
        ByHand::with_prefix(to, vec![], prefix, &[1; TraceContext::WIRE_SIZE])
    });
}

#[test]
fn a_trace_context_that_is_invalid_is_none() {
    let _alone = alone();
    let trace = TraceContext::start(true);
    let mut wires = vec![(trace.to_wire(), Some(trace)), ([0; 32], None), ([0xff; 32], None)];
    for zeroes in [0..16, 16..24] {
        let mut wire = trace.to_wire();
        wire[zeroes].fill(0);
        wires.push((wire, None));
    }
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let mut buffer = MessageBuffer::new();
    for (wire, wanted) in wires {
        let prefix = Prefix::new(4, u32::fingerprint(), Prefix::TRACED).unwrap();
        let payload: Vec<u8> = wire.into_iter().chain(7u32.to_le_bytes()).collect();
        ByHand::with_prefix(to.name(), vec![], prefix, &payload).sent();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert_eq!((received.trace(), received.decode::<u32>().unwrap()), (wanted, 7));
    }
}
