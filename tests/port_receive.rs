//! Receiving: large messages, deadlines, combined calls, port sets, notifications, service names.

mod port_support;

use std::time::{Duration, Instant};

use machipc::mach;
use machipc::message::MachMessage;
use machipc::port::{
    Deadline, MessageBuffer, Notification, Outgoing, PortSet, ReceiveRight, SendOnceRight, SendRight,
    bootstrap,
};
use port_support::*;

fn send<M: MachMessage>(to: &SendRight<M>, message: &M) {
    let mut buffer = MessageBuffer::new();
    buffer.set_inline_limit(usize::MAX);
    Outgoing::message(&mut buffer, message).unwrap().copy_send(to).send(Deadline::now()).unwrap();
}

fn next(port: &ReceiveRight<()>) -> Notification {
    let mut buffer = MessageBuffer::new();
    let received = port.receive(&mut buffer, Deadline::after(Duration::from_secs(60))).unwrap();
    received.notification().expect("a notification")
}

fn is_empty<M>(port: &ReceiveRight<M>) -> bool {
    let mut buffer = MessageBuffer::new();
    port.receive(&mut buffer, Deadline::now()).is_err_and(|error| error.is_timed_out())
}

#[test]
fn the_buffer_grows_for_a_large_message() {
    let _alone = alone();
    let port = ReceiveRight::<String>::new().unwrap();
    let to = port.make_send().unwrap();
    let mut buffer = MessageBuffer::new();
    for len in [10, 4000, 4096, 5000, 70_000, 900_000, 20] {
        let text = "z".repeat(len);
        send(&to, &text);
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert!(received.size() > len);
        assert_eq!(received.decode::<String>().unwrap(), text);
    }
}

#[test]
fn a_message_larger_than_allowed_is_destroyed_and_the_next_one_comes() {
    let _alone = alone();
    type Message = (String, Vec<SendRight<u32>>);
    leaves_nothing(0, || {
        let port = ReceiveRight::<Message>::new().unwrap();
        let to = port.make_send().unwrap();
        let replies = ReceiveRight::<()>::new().unwrap();
        let other = ReceiveRight::<u32>::new().unwrap();
        let mut out = MessageBuffer::new();
        out.set_inline_limit(usize::MAX);
        let large = ("z".repeat(100_000), vec![other.make_send().unwrap()]);
        Outgoing::message(&mut out, &large)
            .unwrap()
            .copy_send(&to)
            .make_reply(&replies)
            .send(Deadline::now())
            .unwrap();
        drop(large);
        send(&to, &("small".into(), vec![]));

        let mut buffer = MessageBuffer::new();
        buffer.set_largest(50_000);
        let error = port.receive(&mut buffer, Deadline::now()).unwrap_err();
        assert!(error.is_too_large() && error.is_receive(), "{error}");
        assert!(error.to_string().contains("MACH_RCV_TOO_LARGE"), "{error}");
        assert!(matches!(next(&replies), Notification::SendOnce), "the sender learns of it");
        assert_eq!(send_refs(other.name()), 0, "what it carried is released");
        let received = port.receive(&mut buffer, Deadline::now()).unwrap();
        assert_eq!(received.decode::<Message>().unwrap().0, "small");
    });
}

#[test]
fn deadlines_are_kept() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let mut buffer = MessageBuffer::new();
    let start = Instant::now();
    for deadline in [Deadline::now(), Deadline::after(Duration::ZERO), Deadline::at(start)] {
        assert!(port.receive(&mut buffer, deadline).unwrap_err().is_timed_out());
    }
    let wait = Duration::from_micros(30_500);
    let start = Instant::now();
    assert!(port.receive(&mut buffer, Deadline::after(wait)).unwrap_err().is_timed_out());
    assert!(start.elapsed() >= wait);
    // One that lies farther away than the clock or the system can tell.
    send(&port.make_send().unwrap(), &5);
    for deadline in [Deadline::after(Duration::MAX), Deadline::after(Duration::from_secs(1 << 40))] {
        if let Ok(received) = port.receive(&mut buffer, deadline) {
            assert_eq!(received.decode::<u32>().unwrap(), 5);
            send(&port.make_send().unwrap(), &5);
        }
    }
}

#[test]
fn a_wait_ends_when_the_receive_right_goes() {
    let _alone = alone();
    let port = ReceiveRight::<ReceiveRight<u32>>::new().unwrap();
    let to = port.make_send().unwrap();
    let moving = ReceiveRight::<u32>::new().unwrap();
    let name = moving.name();
    let waiting = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // SAFETY: the right is the other thread's; this one only waits on it, and lets it go.
            let borrowed = unsafe { ReceiveRight::<u32>::from_raw(name) };
            let mut buffer = MessageBuffer::new();
            let error = borrowed.receive(&mut buffer, Deadline::never()).unwrap_err();
            let _ = borrowed.into_raw();
            error
        });
        // Whether the wait has begun or not, moving the right away ends it.
        send(&to, &moving);
        waiter.join().unwrap()
    });
    assert!(waiting.is_receiver_gone(), "{waiting}");
}

#[test]
fn a_request_and_its_answer_are_one_call_each() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let deadline = Deadline::after(Duration::from_secs(60));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut out = MessageBuffer::new();
            let mut buffer = MessageBuffer::new();
            let mut received = port.receive(&mut buffer, deadline).unwrap();
            loop {
                assert!(received.wants_reply());
                let reply = received.take_reply().unwrap();
                let number = received.decode::<u32>().unwrap();
                drop(received);
                let answer = number * 2;
                let outgoing = Outgoing::message(&mut out, &answer).unwrap().answer(&reply);
                if number == 9 {
                    return outgoing.send(deadline).unwrap();
                }
                received = outgoing.send_and_receive(&port, &mut buffer, deadline).unwrap();
            }
        });
        let replies = ReceiveRight::<u32>::new().unwrap();
        let (mut out, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
        for number in 0..10u32 {
            let received = Outgoing::message(&mut out, &number)
                .unwrap()
                .copy_send(&to)
                .make_reply(&replies)
                .send_and_receive(&replies, &mut buffer, deadline)
                .unwrap();
            assert_eq!(received.decode::<u32>().unwrap(), number * 2);
        }
    });
    assert_eq!(send_refs(to.name()), 1);
}

#[test]
fn a_combined_call_whose_answer_does_not_come_has_sent() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let to = port.make_send().unwrap();
    let replies = ReceiveRight::<u32>::new().unwrap();
    let (mut out, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
    let error = Outgoing::message(&mut out, &1u32)
        .unwrap()
        .copy_send(&to)
        .make_reply(&replies)
        .send_and_receive(&replies, &mut buffer, Deadline::after(Duration::from_millis(5)))
        .unwrap_err();
    assert!(error.is_timed_out() && error.is_receive(), "{error}");
    assert_eq!(port.queued().unwrap(), 1);
}

#[test]
fn a_large_answer_arrives_in_a_combined_call() {
    let _alone = alone();
    let port = ReceiveRight::<String>::new().unwrap();
    let to = port.make_send().unwrap();
    let (mut out, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
    out.set_inline_limit(usize::MAX);
    let text = "w".repeat(300_000);
    let received = Outgoing::message(&mut out, &text)
        .unwrap()
        .copy_send(&to)
        .send_and_receive(&port, &mut buffer, Deadline::after(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(received.decode::<String>().unwrap(), text);
}

#[test]
fn a_set_receives_from_its_members() {
    let _alone = alone();
    leaves_nothing(0, || {
        let ports: Vec<_> = (0..4).map(|_| ReceiveRight::<u32>::new().unwrap()).collect();
        let set = PortSet::new().unwrap();
        for port in &ports {
            set.insert(port).unwrap();
        }
        assert_eq!(set.insert(&ports[0]).unwrap_err().code(), mach::KERN_ALREADY_IN_SET);
        set.remove(&ports[3]).unwrap();
        assert_eq!(set.remove(&ports[3]).unwrap_err().code(), mach::KERN_NOT_IN_SET);
        for (number, port) in ports.iter().enumerate() {
            send(&port.make_send().unwrap(), &(number as u32));
        }
        let mut buffer = MessageBuffer::new();
        let mut seen = Vec::new();
        while let Ok(received) = set.receive(&mut buffer, Deadline::now()) {
            let number = received.decode::<u32>().unwrap();
            assert_eq!(received.port(), ports[number as usize].name());
            seen.push(number);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
        let raw = set.into_raw();
        // SAFETY: the name came out of `into_raw`.
        drop(unsafe { PortSet::from_raw(raw) });
        assert_eq!(port_type(raw), 0);
        let received = ports[3].receive(&mut buffer, Deadline::now()).unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 3, "members outlive their set");
    });
}

#[test]
fn no_senders_is_told() {
    let _alone = alone();
    leaves_nothing(0, || {
        let port = ReceiveRight::<u32>::new().unwrap();
        let notify = ReceiveRight::<()>::new().unwrap();
        assert!(port.notify_no_senders(1, &notify).unwrap().is_none());
        assert!(is_empty(&notify), "there was no sender yet");
        let right = port.make_send().unwrap();
        let clone = right.clone();
        drop(right);
        assert!(is_empty(&notify));
        send(&clone, &1);
        drop(clone);
        assert!(is_empty(&notify), "a queued message holds a right");
        let mut buffer = MessageBuffer::new();
        drop(port.receive(&mut buffer, Deadline::now()).unwrap());
        assert!(matches!(next(&notify), Notification::NoSenders { make_send_count: 1 }));
        assert_eq!(port.make_send_count().unwrap(), 1);

        assert!(port.notify_no_senders(0, &notify).unwrap().is_none());
        assert!(matches!(next(&notify), Notification::NoSenders { make_send_count: 1 }), "at once");
        assert!(port.notify_no_senders(5, &notify).unwrap().is_none());
        let previous: SendOnceRight<()> = port.notify_no_senders(5, &notify).unwrap().unwrap();
        drop(previous);
        assert!(matches!(next(&notify), Notification::SendOnce));
        assert!(port.cancel_no_senders().unwrap().is_some());
        assert!(matches!(next(&notify), Notification::SendOnce));
        assert!(port.cancel_no_senders().unwrap().is_none());
    });
}

#[test]
fn a_ports_death_is_told_and_costs_no_reference() {
    let _alone = alone();
    leaves_nothing(0, || {
        let notify = ReceiveRight::<()>::new().unwrap();
        let port = ReceiveRight::<u32>::new().unwrap();
        let right = port.make_send().unwrap();
        assert!(right.notify_dead_name(&notify).unwrap().is_none());
        drop(port);
        let mut buffer = MessageBuffer::new();
        let received = notify.receive(&mut buffer, Deadline::now()).unwrap();
        let name = right.name();
        assert!(
            matches!(received.notification(), Some(Notification::DeadName { name: dead }) if dead == name)
        );
        assert_eq!(dead_refs(name), 2, "the notification brings a reference");
        drop(received);
        assert_eq!(dead_refs(name), 1, "which is released with it");
        // Of a dead port there is nothing more to be told.
        let error = right.notify_dead_name(&notify).unwrap_err();
        assert_eq!(error.code(), mach::KERN_INVALID_ARGUMENT);
        assert!(matches!(next(&notify), Notification::SendOnce));

        // The name of a living port that is let go.
        let port = ReceiveRight::<u32>::new().unwrap();
        let right = port.make_send_once().unwrap().into_raw();
        // SAFETY: a send-once right has all that a request needs; its one reference is given up here.
        let right = unsafe { SendRight::<u32>::from_raw(right) };
        right.notify_dead_name(&notify).unwrap();
        let name = right.name();
        drop(right);
        assert!(matches!(next(&notify), Notification::PortDeleted { name: deleted } if deleted == name));
        assert!(!is_empty(&port));
        let right = port.make_send().unwrap();
        right.notify_dead_name(&notify).unwrap();
        assert!(right.cancel_dead_name().unwrap().is_some());
        assert!(right.cancel_dead_name().unwrap().is_none());
    });
}

#[test]
fn a_receive_right_comes_back_by_notification() {
    let _alone = alone();
    leaves_nothing(0, || {
        let notify = ReceiveRight::<()>::new().unwrap();
        let port = ReceiveRight::<u32>::new().unwrap();
        send(&port.make_send().unwrap(), &4);
        let mut previous = 0;
        // SAFETY: `previous` is valid for one write.
        let code = unsafe {
            mach::mach_port_request_notification(
                mach::mach_task_self(),
                port.name(),
                mach::MACH_NOTIFY_PORT_DESTROYED,
                0,
                notify.name(),
                mach::MACH_MSG_TYPE_MAKE_SEND_ONCE,
                &mut previous,
            )
        };
        assert_eq!((code, previous), (0, 0));
        drop(port);
        let mut buffer = MessageBuffer::new();
        let received = notify.receive(&mut buffer, Deadline::now()).unwrap();
        let Some(Notification::PortDestroyed(port)) = received.notification() else { panic!("{received:?}") };
        assert!(received.notification().is_none(), "there is one right");
        drop(received);
        let mut buffer = MessageBuffer::new();
        let port: ReceiveRight<u32> = port.cast();
        assert_eq!(port.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 4);
    });
}

#[test]
fn service_names_are_checked() {
    let _alone = alone();
    let long = "n".repeat(128);
    for (name, reason) in [("", "empty"), ("a\0b", "NUL"), (long.as_str(), "127 bytes"), ("\0", "NUL")] {
        for error in [
            bootstrap::check_in::<u32>(name).unwrap_err(),
            bootstrap::look_up::<u32>(name).unwrap_err(),
            bootstrap::register(name, &ReceiveRight::<u32>::new().unwrap().make_send().unwrap()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(reason), "{error}");
            assert!(error.mach().is_none());
        }
    }
    let longest = format!("{:x<127}", format!("com.example.port-test.{}.", std::process::id()));
    let service = bootstrap::check_in::<u32>(&longest).unwrap();
    let found = bootstrap::look_up::<u32>(&longest).unwrap();
    send(&found, &9);
    let mut buffer = MessageBuffer::new();
    assert_eq!(service.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 9);
    let taken = bootstrap::check_in::<u32>(&longest).unwrap_err();
    assert!(taken.mach().unwrap().is_name_taken(), "{taken}");
    assert!(taken.to_string().contains(&longest), "{taken}");
    drop(service);
    let gone = bootstrap::look_up::<u32>(&longest).unwrap_err();
    assert!(gone.mach().unwrap().is_unknown_service(), "{gone}");
    assert!(found.is_dead());
}

#[test]
fn a_registered_right_is_found() {
    let _alone = alone();
    let name = format!("com.example.port-registered.{}", std::process::id());
    let port = ReceiveRight::<u32>::new().unwrap();
    let right = port.make_send().unwrap();
    bootstrap::register(&name, &right).unwrap();
    assert_eq!(send_refs(right.name()), 1, "the caller keeps its right");
    send(&bootstrap::look_up::<u32>(&name).unwrap(), &3);
    let mut buffer = MessageBuffer::new();
    assert_eq!(port.receive(&mut buffer, Deadline::now()).unwrap().decode::<u32>().unwrap(), 3);
}

#[test]
fn errors_say_what_and_why() {
    let _alone = alone();
    use machipc::port::MachError;
    let error = MachError::new(mach::MACH_SEND_INVALID_DEST, "mach_msg");
    assert_eq!(error.name(), Some("MACH_SEND_INVALID_DEST"));
    assert_eq!(error.call(), "mach_msg");
    let text = error.to_string();
    assert!(text.contains("0x10000003") && text.contains("connect again"), "{text}");
    // Bits that accompany a code do not hide it.
    let error = MachError::new(mach::MACH_SEND_TIMED_OUT | mach::MACH_MSG_IPC_SPACE, "mach_msg");
    assert!(error.is_timed_out() && error.name() == Some("MACH_SEND_TIMED_OUT"));
    assert_eq!(error.code(), mach::MACH_SEND_TIMED_OUT | mach::MACH_MSG_IPC_SPACE);
    let error = MachError::new(mach::MACH_RCV_BODY_ERROR | mach::MACH_MSG_VM_SPACE, "mach_msg");
    assert!(error.is_receive() && error.name() == Some("MACH_RCV_BODY_ERROR"));
    let error = MachError::new(12_345_678, "elsewhere");
    assert_eq!(error.name(), None);
    assert!(error.to_string().contains("elsewhere failed"), "{error}");
}
