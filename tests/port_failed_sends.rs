//! A message that could not be sent gives back everything that it carried.

mod port_support;

use machipc::mach;
use machipc::message::{Encode, MachMessage};
use machipc::port::{
    Deadline, MachError, MessageBuffer, Notification, OolBuffer, Outgoing, ReceiveRight, ReplyRight,
    RightArray, SendOnceRight, SendRight,
};
use port_support::*;

const LARGE: usize = 4 << 20;

/// A port whose queue takes nothing, and a right to it.
fn full<M>() -> (ReceiveRight<M>, SendRight<M>) {
    let port = ReceiveRight::new().unwrap();
    port.set_queue_limit(0).unwrap();
    let right = port.make_send().unwrap();
    (port, right)
}

fn fails<M: MachMessage>(to: &SendRight<M>, message: &M) -> MachError {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, message).unwrap().copy_send(to).send(Deadline::now()).unwrap_err()
}

fn succeeds<M: MachMessage>(to: &SendRight<M>, message: &M) {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, message).unwrap().copy_send(to).send(Deadline::now()).unwrap();
}

#[test]
fn after_a_time_out_rights_of_every_kind_are_back() {
    let _alone = alone();
    type Rights = (SendRight<u32>, SendOnceRight<u32>, ReceiveRight<u32>, Vec<SendRight<u32>>);
    leaves_nothing(0, || {
        let (port, to) = full::<Rights>();
        let other = ReceiveRight::<u32>::new().unwrap();
        let moving = ReceiveRight::<u32>::new().unwrap();
        let queued = moving.make_send().unwrap();
        succeeds(&queued, &41);
        let rights: Vec<_> = (0..30).map(|_| other.make_send().unwrap()).collect();
        let message: Rights = (other.make_send().unwrap(), other.make_send_once().unwrap(), moving, rights);
        let count = send_refs(other.name());

        for _ in 0..3 {
            let error = fails(&to, &message);
            assert!(error.is_timed_out() && !error.is_receive(), "{error}");
            assert_eq!(send_refs(to.name()), 1);
            assert_eq!(send_refs(other.name()), count);
            assert_eq!(message.0.name(), other.name());
            assert_eq!(port_type(message.1.name()), mach::MACH_PORT_TYPE_SEND_ONCE);
            assert_ne!(port_type(message.2.name()) & mach::MACH_PORT_TYPE_RECEIVE, 0);
            assert!(message.3.iter().all(|right| right.name() == other.name()));
            assert_eq!(message.2.queued().unwrap(), 1);
        }
        // The value works as before: it can be sent once there is room.
        port.set_queue_limit(1).unwrap();
        succeeds(&to, &message);
        assert_eq!(message.0.name(), 0);
        assert_eq!(send_refs(other.name()), 0);
        let mut buffer = MessageBuffer::new();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let (_, _, moved, _) = received.decode::<Rights>().unwrap();
        let mut buffer = MessageBuffer::new();
        assert_eq!(moved.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 41);
    });
}

#[test]
fn after_a_time_out_memory_is_back_and_copies_are_gone() {
    let _alone = alone();
    leaves_nothing(LARGE, || {
        let (port, to) = full::<(OolBuffer, OolBuffer)>();
        let mut message = (OolBuffer::new(LARGE).unwrap(), OolBuffer::default());
        message.0.as_mut_slice()[LARGE - 1] = 7;
        assert!(fails(&to, &message).is_timed_out());
        assert_eq!((message.0.len(), message.1.len()), (LARGE, 0));
        assert_eq!(message.0.as_mut_slice()[LARGE - 1], 7);
        message.0.as_mut_slice()[LARGE - 2] = 6; // writable, and ours
        port.set_queue_limit(1).unwrap();
        succeeds(&to, &message);
        assert_eq!(message.0.len(), 0);
        assert!(message.0.as_mut_slice().is_empty());
        let mut buffer = MessageBuffer::new();
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        let (mut memory, _) = received.decode::<(OolBuffer, OolBuffer)>().unwrap();
        assert_eq!(memory.as_mut_slice()[LARGE - 2..], [6, 7]);
    });
    // A payload that goes out of line by itself is copied; the copy that comes back is freed.
    leaves_nothing(LARGE, || {
        let (port, to) = full::<String>();
        let text = "x".repeat(LARGE);
        assert!(fails(&to, &text).is_timed_out());
        port.set_queue_limit(1).unwrap();
        succeeds(&to, &text);
        let mut buffer = MessageBuffer::new();
        assert_eq!(port.receive(&mut buffer, Deadline::now()).unwrap().decode::<String>().unwrap(), text);
    });
}

#[test]
fn a_dead_destination_takes_nothing() {
    let _alone = alone();
    type Things = (SendRight<u32>, ReceiveRight<u32>, OolBuffer);
    leaves_nothing(LARGE, || {
        let (port, to) = full::<Things>();
        drop(port);
        let other = ReceiveRight::<u32>::new().unwrap();
        let mut message =
            (other.make_send().unwrap(), ReceiveRight::new().unwrap(), OolBuffer::new(LARGE).unwrap());
        let names = (message.0.name(), message.1.name());
        let error = fails(&to, &message);
        assert!(error.is_dead_destination(), "{error}");
        assert_eq!((message.0.name(), message.1.name()), names);
        assert_eq!(send_refs(other.name()), 1);
        assert_eq!(message.2.as_mut_slice().len(), LARGE);
    });
}

#[test]
fn a_message_without_a_destination_is_refused() {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    let error = Outgoing::message(&mut buffer, &1u32).unwrap().send(Deadline::now()).unwrap_err();
    assert_eq!(error.code(), mach::MACH_SEND_INVALID_HEADER);
    assert!(error.to_string().contains("needs a destination"), "{error}");
}

#[test]
fn one_right_twice_in_a_message_is_refused_and_kept() {
    let _alone = alone();
    leaves_nothing(LARGE, || {
        let port = ReceiveRight::<u32>::new().unwrap();
        let to = port.make_send().unwrap();
        let (right, mut memory) = (port.make_send().unwrap(), OolBuffer::new(LARGE).unwrap());
        let mut buffer = MessageBuffer::new();
        let error = Outgoing::encode(&mut buffer, 1, 1, |out| {
            memory.encode(out)?;
            right.encode(out)?;
            right.encode(out)
        })
        .unwrap()
        .copy_send(&to)
        .send(Deadline::now())
        .unwrap_err();
        assert_eq!(error.code(), mach::MACH_SEND_INVALID_RIGHT);
        assert_eq!(right.name(), port.name());
        assert_eq!(send_refs(port.name()), 2);
        assert_eq!(memory.as_mut_slice().len(), LARGE);
        assert_eq!(port.queued().unwrap(), 0);
    });
}

#[test]
fn a_name_that_is_no_right_costs_no_reference_that_others_hold() {
    let _alone = alone();
    // The second of three rights is not one. The system has consumed the first when it finds out, and not the third.
    type Three = (SendRight<u32>, SendRight<u32>, SendRight<u32>);
    leaves_nothing(0, || {
        let port = ReceiveRight::<Three>::new().unwrap();
        let to = port.make_send().unwrap();
        let (first, third) = (ReceiveRight::<u32>::new().unwrap(), ReceiveRight::<u32>::new().unwrap());
        let (held_first, held_third) = (first.make_send().unwrap(), third.make_send().unwrap());
        // SAFETY: not a right at all; the test is about what the library makes of the system's refusal.
        let bogus = unsafe { SendRight::<u32>::from_raw(0x00ab_cd03) };
        let message: Three = (held_first.clone(), bogus, held_third.clone());
        let error = fails(&to, &message);
        assert_eq!(error.code(), mach::MACH_SEND_INVALID_RIGHT);
        assert_eq!(message.0.name(), 0, "consumed");
        assert_eq!(message.2.name(), third.name(), "kept");
        assert_eq!((send_refs(first.name()), send_refs(third.name())), (1, 2));
        drop(message);
        assert_eq!((send_refs(first.name()), send_refs(third.name())), (1, 1));
        assert_eq!(send_refs(to.name()), 1);
    });
}

#[test]
fn a_failed_request_tells_its_reply_port_once() {
    let _alone = alone();
    leaves_nothing(0, || {
        let (_port, to) = full::<u32>();
        let replies = ReceiveRight::<u32>::new().unwrap();
        let (mut request, mut reply) = (MessageBuffer::new(), MessageBuffer::new());
        let error = Outgoing::message(&mut request, &1u32)
            .unwrap()
            .copy_send(&to)
            .make_reply(&replies)
            .send_and_receive(&replies, &mut reply, Deadline::now())
            .unwrap_err();
        assert!(error.is_timed_out() && !error.is_receive(), "{error}");
        let received = replies.receive(&mut reply, Deadline::now()).unwrap();
        assert!(matches!(received.notification(), Some(Notification::SendOnce)));
        drop(received);
        assert!(replies.receive(&mut reply, Deadline::now()).unwrap_err().is_timed_out());
        assert_eq!(send_refs(to.name()), 1);
    });
}

#[test]
fn an_answer_that_fails_keeps_the_reply_right() {
    let _alone = alone();
    ends(|| leaves_nothing(0, an_answer_to_a_full_port));
}

fn an_answer_to_a_full_port() {
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    // A client gives a send right to a port that is full as its reply port.
    let (trap, _own) = full::<u32>();
    ByHand {
        local: (mach::MACH_MSG_TYPE_MAKE_SEND, trap.name()),
        ..ByHand::of::<u32>(to.name(), vec![], &1u32.to_le_bytes())
    }
    .sent();
    let received = port.receive(&mut incoming, Deadline::now()).unwrap();
    let reply: ReplyRight = received.take_reply().unwrap();
    assert_eq!(received.decode::<u32>().unwrap(), 1);
    drop(received);
    let refs = send_refs(trap.name());
    for _ in 0..2 {
        // This would wait for ever if the answer waited for room.
        let error =
            Outgoing::message(&mut out, &2u32).unwrap().answer(&reply).send(Deadline::never()).unwrap_err();
        assert!(error.is_timed_out(), "{error}");
        assert_eq!(reply.name(), trap.name());
        assert_eq!(send_refs(trap.name()), refs);
    }
    // Nor does the combined call wait for the answer; it goes on to report it.
    let error = Outgoing::message(&mut out, &2u32)
        .unwrap()
        .answer(&reply)
        .send_and_receive(&port, &mut incoming, Deadline::never())
        .unwrap_err();
    assert!(error.is_timed_out() && !error.is_receive(), "{error}");
    trap.set_queue_limit(1).unwrap();
    Outgoing::message(&mut out, &2u32).unwrap().answer(&reply).send(Deadline::never()).unwrap();
    assert_eq!(reply.name(), 0);
    assert_eq!(send_refs(trap.name()), refs - 1);
}

#[test]
fn a_request_that_wants_an_answer_needs_a_reply_port() {
    let _alone = alone();
    let mut buffer = MessageBuffer::new();
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let outgoing = Outgoing::encode(&mut buffer, 1, 1, |out| out.reply_wanted()).unwrap();
    assert!(outgoing.reply_wanted());
    let error = outgoing.copy_send(&to).send(Deadline::now()).unwrap_err();
    assert_eq!(error.code(), mach::MACH_SEND_INVALID_REPLY);
    assert_eq!(port.queued().unwrap(), 0);
}

type Arrays =
    (RightArray<SendRight<u32>>, RightArray<SendOnceRight<u32>>, RightArray<ReceiveRight<u32>>, String);

#[test]
fn after_a_time_out_arrays_of_rights_are_back() {
    let _alone = alone();
    for len in [3, 100_000] {
        leaves_nothing(0, || {
            let (port, to) = full::<Arrays>();
            let other = ReceiveRight::<u32>::new().unwrap();
            let message: Arrays = (
                (0..2000).map(|_| other.make_send().unwrap()).collect::<Vec<_>>().into(),
                vec![other.make_send_once().unwrap()].into(),
                vec![].into(),
                "t".repeat(len),
            );
            assert!(fails(&to, &message).is_timed_out());
            assert_eq!(send_refs(other.name()), 2000);
            port.set_queue_limit(1).unwrap();
            succeeds(&to, &message);
            assert_eq!(send_refs(other.name()), 0);
            drop(message);
            let mut buffer = MessageBuffer::new();
            let received = port.receive(&mut buffer, Deadline::now()).unwrap();
            let (sends, onces, receives, text) = received.decode::<Arrays>().unwrap();
            drop(received);
            assert_eq!((sends.len(), onces.len(), receives.len(), text.len()), (2000, 1, 0, len));
            assert_eq!(send_refs(other.name()), 2000);
            let onces: Vec<_> = onces.into();
            Outgoing::message(&mut buffer, &6u32)
                .unwrap()
                .move_send_once(&onces[0])
                .send(Deadline::now())
                .unwrap();
            assert_eq!(other.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 6);
        });
    }
}

#[test]
fn a_bad_element_costs_what_came_before_it_only() {
    let _alone = alone();
    type Message = (OolBuffer, RightArray<SendRight<u32>>, SendOnceRight<u32>);
    leaves_nothing(LARGE, || {
        let port = ReceiveRight::<Message>::new().unwrap();
        let to = port.make_send().unwrap();
        let others: Vec<_> = (0..3).map(|_| ReceiveRight::<u32>::new().unwrap()).collect();
        let held: Vec<_> = others.iter().map(|other| other.make_send().unwrap()).collect();
        let mut rights: Vec<_> = held.to_vec();
        // SAFETY: not a right at all; the test is about what the library makes of the system's refusal.
        rights.insert(2, unsafe { SendRight::<u32>::from_raw(0x00ab_cd03) });
        let message: Message =
            (OolBuffer::new(LARGE).unwrap(), rights.into(), port.make_send_once().unwrap().cast());
        let once = message.2.name();
        let error = fails(&to, &message);
        assert_eq!(error.code(), mach::MACH_SEND_INVALID_RIGHT);
        assert_eq!(message.0.len(), 0, "consumed");
        assert_eq!(message.2.name(), once, "kept");
        let refs: Vec<_> = held.iter().map(|right| send_refs(right.name())).collect();
        assert_eq!(refs, [1, 1, 2]);
        drop(message);
        assert!(held.iter().all(|right| send_refs(right.name()) == 1));
    });
}

#[test]
fn memory_stays_its_owners_when_the_port_is_dead() {
    let _alone = alone();
    let port = ReceiveRight::<OolBuffer>::new().unwrap();
    let to = port.make_send().unwrap();
    drop(port);
    for len in [5, LARGE] {
        let mut memory = OolBuffer::copy_from_slice(&vec![7; len]).unwrap();
        assert!(fails(&to, &memory).is_dead_destination());
        assert!(memory.as_mut_slice().iter().all(|byte| *byte == 7), "{len} bytes");
    }
}
