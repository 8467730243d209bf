//! Rights are values: they release exactly what they hold, and move with messages.

mod port_support;

use machipc::mach;
use machipc::message::MachMessage;
use machipc::port::{Deadline, MessageBuffer, Outgoing, ReceiveRight, SendOnceRight, SendRight, bootstrap};
use port_support::*;

type Buffers = (MessageBuffer, MessageBuffer);

fn send<M: MachMessage>(to: &SendRight<M>, message: &M, buffers: &mut Buffers) {
    Outgoing::message(&mut buffers.0, message).unwrap().copy_send(to).send(Deadline::now()).unwrap();
}

#[test]
fn a_clone_adds_one_reference_and_a_drop_releases_one() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let right = port.make_send().unwrap();
    assert_eq!(right.name(), port.name());
    assert_eq!(send_refs(right.name()), 1);
    let clones: Vec<_> = (0..10).map(|_| right.clone()).collect();
    assert_eq!(send_refs(right.name()), 11);
    drop(clones);
    assert_eq!(send_refs(right.name()), 1);
    let name = right.name();
    drop(right);
    assert_eq!(port_type(name), mach::MACH_PORT_TYPE_RECEIVE);
    drop(port);
    assert_eq!(port_type(name), 0);
}

#[test]
fn raw_names_go_out_and_in_without_a_change_of_references() {
    let _alone = alone();
    let port = ReceiveRight::<u32>::new().unwrap();
    let name = port.make_send().unwrap().into_raw();
    assert_eq!(send_refs(name), 1);
    // SAFETY: the reference came out of `into_raw`, and the type is the same.
    let right = unsafe { SendRight::<u32>::from_raw(name) };
    let cast: SendRight<String> = right.cast();
    assert_eq!((cast.name(), send_refs(name)), (name, 1));

    let once = port.make_send_once().unwrap();
    assert_ne!(once.name(), port.name());
    let raw = once.into_raw();
    assert_eq!(port_type(raw), mach::MACH_PORT_TYPE_SEND_ONCE);
    // SAFETY: as above.
    drop(unsafe { SendOnceRight::<u32>::from_raw(raw) });
    assert_eq!(port_type(raw), 0);

    let raw = port.into_raw();
    assert_eq!(port_type(raw), mach::MACH_PORT_TYPE_RECEIVE | mach::MACH_PORT_TYPE_SEND);
    // SAFETY: as above.
    drop(unsafe { ReceiveRight::<u32>::from_raw(raw) });
    assert_eq!(port_type(raw), mach::MACH_PORT_TYPE_DEAD_NAME);
}

#[test]
fn rights_of_a_dead_port_are_dead_values_that_release_what_they_hold() {
    let _alone = alone();
    leaves_nothing(0, || {
        let port = ReceiveRight::<u32>::new().unwrap();
        let (right, once) = (port.make_send().unwrap(), port.make_send_once().unwrap());
        let before = right.clone();
        assert!(!right.is_dead() && !once.is_dead());
        drop(port);
        assert!(right.is_dead() && once.is_dead());
        let after = right.clone();
        assert_eq!(dead_refs(right.name()), 3);
        drop((before, after));
        assert_eq!(dead_refs(right.name()), 1);

        let error = Outgoing::message(&mut MessageBuffer::new(), &1u32)
            .unwrap()
            .copy_send(&right)
            .send(Deadline::never())
            .unwrap_err();
        assert!(error.is_dead_destination(), "{error}");
    });
}

#[test]
fn a_send_right_moves_with_its_message() {
    let _alone = alone();
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let port = ReceiveRight::<(u32, SendRight<String>)>::new().unwrap();
        let other = ReceiveRight::<String>::new().unwrap();
        let to = port.make_send().unwrap();
        let kept = other.make_send().unwrap();
        let message = (5, kept.clone());
        send(&to, &message, &mut buffers);
        assert_eq!(message.1.name(), 0, "the right has left its value");
        assert_eq!(send_refs(kept.name()), 1, "and the process");
        drop(message);
        assert_eq!(send_refs(kept.name()), 1);

        let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
        let (number, right) = received.decode::<(u32, SendRight<String>)>().unwrap();
        drop(received);
        assert_eq!((number, right.name()), (5, other.name()));
        assert_eq!(send_refs(kept.name()), 2);
        send(&right, &String::from("through"), &mut buffers);
        let received = other.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert_eq!(received.decode::<String>().unwrap(), "through");
    });
}

#[test]
fn many_rights_of_all_kinds_move_in_one_message() {
    let _alone = alone();
    type All = (Vec<SendRight<u32>>, SendOnceRight<u32>, ReceiveRight<u32>);
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let port = ReceiveRight::<All>::new().unwrap();
        let to = port.make_send().unwrap();
        let moving = ReceiveRight::<u32>::new().unwrap();
        // More than there is room for in front of the prefix, so that the payload has to move back.
        let rights: Vec<_> = (0..100).map(|_| moving.make_send().unwrap()).collect();
        let once = moving.make_send_once().unwrap();
        let queued = moving.make_send().unwrap();
        send(&queued, &77, &mut buffers);
        let message: All = (rights, once, moving);
        send(&to, &message, &mut buffers);
        assert!(message.0.iter().all(|right| right.name() == 0));
        assert_eq!((message.1.name(), message.2.name()), (0, 0));
        drop(message);

        let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
        let (rights, once, moved) = received.decode::<All>().unwrap();
        drop(received);
        assert_eq!(rights.len(), 100);
        assert!(rights.iter().all(|right| right.name() == moved.name()));
        assert_eq!(send_refs(moved.name()), 101, "a hundred that came, and one that stayed");
        let received = moved.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 77, "the queue moved along");
        drop(received);
        Outgoing::message(&mut buffers.0, &78u32)
            .unwrap()
            .move_send_once(&once)
            .send(Deadline::now())
            .unwrap();
        assert_eq!(once.name(), 0);
        drop(once);
        let received = moved.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 78);
        drop(received);
        let error = moved.receive(&mut buffers.1, Deadline::now()).unwrap_err();
        assert!(error.is_timed_out(), "a used right answers nothing more: {error}");
    });
}

#[test]
fn a_dead_right_arrives_as_a_dead_value() {
    let _alone = alone();
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let port = ReceiveRight::<SendRight<u32>>::new().unwrap();
        let to = port.make_send().unwrap();
        let gone = ReceiveRight::<u32>::new().unwrap();
        let right = gone.make_send().unwrap();
        drop(gone);
        send(&to, &right, &mut buffers);
        let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
        let right = received.decode::<SendRight<u32>>().unwrap();
        assert_eq!(right.name(), mach::MACH_PORT_DEAD);
        assert!(right.is_dead() && right.clone().is_dead());
        drop(received);
        // It can be sent on, too.
        send(&to, &right, &mut buffers);
        let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert!(received.decode::<SendRight<u32>>().unwrap().is_dead());
    });
}

#[test]
fn a_right_that_was_sent_cannot_be_sent_again() {
    let _alone = alone();
    let mut buffers = Buffers::default();
    let port = ReceiveRight::<SendRight<u32>>::new().unwrap();
    let to = port.make_send().unwrap();
    let right = ReceiveRight::<u32>::new().unwrap().make_send().unwrap();
    send(&to, &right, &mut buffers);
    let error = Outgoing::message(&mut buffers.0, &right).unwrap_err();
    assert!(error.to_string().contains("sent already"), "{error}");
    assert!(right.is_dead());
}

#[test]
fn a_pinned_port_stays() {
    let _alone = alone();
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let port = ReceiveRight::<ReceiveRight<u32>>::new().unwrap();
        let pinned = ReceiveRight::<u32>::pinned(3).unwrap();
        let error = Outgoing::message(&mut buffers.0, &pinned).unwrap_err();
        assert!(error.to_string().contains("pinned"), "{error}");
        assert_ne!(pinned.name(), 0);
        let to = pinned.make_send().unwrap();
        for number in 0..3 {
            send(&to, &number, &mut buffers);
        }
        let full = Outgoing::message(&mut buffers.0, &3).unwrap().copy_send(&to).send(Deadline::now());
        assert!(full.unwrap_err().is_timed_out());
        drop(port);
        let cast: ReceiveRight<u32> = pinned.cast::<String>().cast();
        let received = cast.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 0);
    });
    let error = ReceiveRight::<u32>::pinned(ReceiveRight::<u32>::QUEUE_LIMIT_MAX + 1).unwrap_err();
    assert_eq!(error.code(), mach::KERN_INVALID_VALUE);
    // Let out, it is like any other port.
    let raw = ReceiveRight::<u32>::pinned(1).unwrap().into_raw();
    // SAFETY: the right came out of `into_raw`, which took its guard off.
    drop(unsafe { ReceiveRight::<u32>::from_raw(raw) });
    assert_eq!(port_type(raw), 0);
}

#[test]
fn a_port_is_pinned_after_its_birth() {
    let _alone = alone();
    let name = format!("com.example.pinned.{}", std::process::id());
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let mut service = bootstrap::check_in::<u32>(&name).unwrap();
        service.pin().unwrap();
        service.pin().unwrap();
        let port = ReceiveRight::<ReceiveRight<u32>>::new().unwrap();
        let error = Outgoing::message(&mut buffers.0, &service).unwrap_err();
        assert!(error.to_string().contains("pinned"), "{error}");
        drop(port);
        send(&service.make_send().unwrap(), &7, &mut buffers);
        let received = service.receive(&mut buffers.1, Deadline::now()).unwrap();
        assert_eq!(received.decode::<u32>().unwrap(), 7);
        drop(received);
        let raw = service.name();
        drop(service);
        assert_eq!(port_type(raw), 0);
        assert!(bootstrap::look_up::<u32>(&name).is_err());
    });
    let mut port = ReceiveRight::<u32>::new().unwrap();
    assert_eq!(mach::mach_port_guard(mach::mach_task_self(), port.name(), 4711, 0), mach::KERN_SUCCESS);
    assert_eq!(port.pin().unwrap_err().code(), mach::KERN_INVALID_ARGUMENT);
    assert_eq!(mach::mach_port_unguard(mach::mach_task_self(), port.name(), 4711), mach::KERN_SUCCESS);
}

#[test]
fn open_files_travel() {
    let _alone = alone();
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;
    leaves_nothing(0, || {
        let mut buffers = Buffers::default();
        let port = ReceiveRight::<(OwnedFd, String)>::new().unwrap();
        let to = port.make_send().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let message = (OwnedFd::from(writer), String::from("a pipe's end"));
        send(&to, &message, &mut buffers);
        drop(message);
        let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
        let (file, _) = received.decode::<(OwnedFd, String)>().unwrap();
        drop(received);
        let mut writer = std::fs::File::from(file);
        writer.write_all(b"through the pipe").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap(); // ends only if no other descriptor is open
        assert_eq!(text, "through the pipe");
    });
}

#[test]
fn the_sender_is_known() {
    let _alone = alone();
    let mut buffers = Buffers::default();
    let port = ReceiveRight::<u32>::new().unwrap();
    send(&port.make_send().unwrap(), &1, &mut buffers);
    let received = port.receive(&mut buffers.1, Deadline::now()).unwrap();
    let sender = received.sender();
    assert_eq!(sender.pid(), std::process::id());
    assert!(!sender.is_kernel());
    assert_eq!(received.port(), port.name());
    assert!(received.notification().is_none());
}
