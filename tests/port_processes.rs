//! The port floor between two processes: the test starts itself as the second one.

mod port_support;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::Duration;

use machipc::mach;
use machipc::message::MachMessage;
use machipc::port::{
    Deadline, MessageBuffer, Notification, OolBuffer, Outgoing, ReceiveRight, Received, RightArray,
    SendOnceRight, SendRight, bootstrap,
};
use port_support::*;

const LARGE: usize = 8 << 20;
const SERVICE: &str = "MACHIPC_PORT_TEST_SERVICE";
const PART: &str = "MACHIPC_PORT_TEST_PART";

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn send<M: MachMessage>(to: &SendRight<M>, message: &M) {
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, message).unwrap().copy_send(to).send(soon()).unwrap();
}

fn receive<T, R>(port: &ReceiveRight<T>, read: impl FnOnce(&Received<'_>) -> R) -> R {
    let mut buffer = MessageBuffer::new();
    let received = port.receive(&mut buffer, soon()).unwrap();
    read(&received)
}

/// A service of this process, and the second process, which plays `part` with it. The second process is gone when this is.
struct Second {
    child: Child,
}

impl Second {
    fn start<M>(part: &str) -> (ReceiveRight<M>, Self) {
        let name = format!("com.example.port.{part}.{}", std::process::id());
        let service = bootstrap::check_in::<M>(&name).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["the_second_process", "--exact", "--nocapture"])
            .env(SERVICE, name)
            .env(PART, part)
            .spawn()
            .unwrap();
        (service, Self { child })
    }

    fn ends_well(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test of its own: what the second process runs.
#[test]
fn the_second_process() {
    let Ok(name) = std::env::var(SERVICE) else { return };
    match std::env::var(PART).unwrap().as_str() {
        "everything" => send_everything(&name),
        "calls" => call(&name),
        "death" => hold_a_right(&name),
        "forgery" => forge(&name),
        "foretelling" => tell_of_a_name(&name),
        part => panic!("no part {part}"),
    }
}

type Everything = (SendRight<String>, OolBuffer, OwnedFd, RightArray<SendRight<u32>>, String);

fn send_everything(service: &str) {
    let to = bootstrap::look_up::<Everything>(service).unwrap();
    let callback = ReceiveRight::<String>::new().unwrap();
    let numbers = ReceiveRight::<u32>::new().unwrap();
    let mut memory = OolBuffer::new(LARGE).unwrap();
    for (index, page) in memory.as_mut_slice().chunks_mut(4096).enumerate() {
        page.fill(index as u8);
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let rights: Vec<_> = (0..50).map(|_| numbers.make_send().unwrap()).collect();
    let text = "out of line by itself ".repeat(10_000);
    let message = (callback.make_send().unwrap(), memory, writer.into(), rights.into(), text);
    send(&to, &message);
    assert_eq!(message.1.len(), 0);
    drop(message);
    assert_eq!(receive(&callback, |received| received.decode::<String>().unwrap()), "called back");
    assert_eq!(receive(&numbers, |received| received.decode::<u32>().unwrap()), 50);
    let mut written = String::new();
    reader.read_to_string(&mut written).unwrap();
    assert_eq!(written, "into the pipe");
}

#[test]
fn everything_travels_between_processes() {
    let (service, second) = Second::start::<Everything>("everything");
    let pid = second.child.id();
    let (callback, mut memory, file, rights, text) = receive(&service, |received| {
        assert_eq!(received.sender().pid(), pid);
        assert_ne!(pid, std::process::id());
        received.decode::<Everything>().unwrap()
    });
    assert_eq!(memory.len(), LARGE);
    for (index, page) in memory.as_mut_slice().chunks(4096).enumerate() {
        assert!(page == [index as u8; 4096], "page {index}");
    }
    assert_eq!(text, "out of line by itself ".repeat(10_000));
    send(&callback, &String::from("called back"));
    let rights: Vec<_> = rights.into();
    assert!(rights.iter().all(|right| right.name() == rights[0].name()));
    assert_eq!(send_refs(rights[0].name()), 50);
    send(&rights[49], &50);
    std::fs::File::from(file).write_all(b"into the pipe").unwrap();
    second.ends_well();
}

fn call(service: &str) {
    let to = bootstrap::look_up::<String>(service).unwrap();
    let replies = ReceiveRight::<String>::new().unwrap();
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    for number in 0..100 {
        let text = "abc".repeat(number * 50);
        let received = Outgoing::message(&mut out, &text)
            .unwrap()
            .copy_send(&to)
            .make_reply(&replies)
            .send_and_receive(&replies, &mut incoming, soon())
            .unwrap();
        assert_eq!(received.decode::<String>().unwrap(), text.to_uppercase());
    }
    // This one is dropped unanswered.
    let received = Outgoing::message(&mut out, &"bye".to_owned())
        .unwrap()
        .copy_send(&to)
        .make_reply(&replies)
        .send_and_receive(&replies, &mut incoming, soon())
        .unwrap();
    assert!(matches!(received.notification(), Some(Notification::SendOnce)));
}

#[test]
fn calls_are_answered_between_processes() {
    let (service, second) = Second::start::<String>("calls");
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    loop {
        let received = service.receive(&mut incoming, soon()).unwrap();
        let reply = received.take_reply().unwrap();
        let text = received.decode::<String>().unwrap();
        if text == "bye" {
            assert!(!reply.is_dead());
            break;
        }
        Outgoing::message(&mut out, &text.to_uppercase()).unwrap().answer(&reply).send(soon()).unwrap();
        assert_eq!(reply.name(), 0);
    }
    second.ends_well();
}

type Held = (SendRight<u32>, SendRight<SendRight<u32>>);

fn hold_a_right(service: &str) {
    let to = bootstrap::look_up::<Held>(service).unwrap();
    let mine = ReceiveRight::<u32>::new().unwrap();
    let incoming = ReceiveRight::<SendRight<u32>>::new().unwrap();
    send(&to, &(mine.make_send().unwrap(), incoming.make_send().unwrap()));
    let right = receive(&incoming, |received| received.decode::<SendRight<u32>>().unwrap());
    send(&right, &1);
    std::thread::park_timeout(Duration::from_secs(60)); // until it is killed
}

#[test]
fn a_process_that_is_killed_releases_what_it_held() {
    let (service, mut second) = Second::start::<Held>("death");
    let notify = ReceiveRight::<()>::new().unwrap();
    let lent = ReceiveRight::<u32>::new().unwrap();
    let (theirs, to) = receive(&service, |received| received.decode::<Held>().unwrap());
    theirs.notify_dead_name(&notify).unwrap();
    let right = lent.make_send().unwrap();
    lent.notify_no_senders(1, &notify).unwrap();
    send(&to, &right);
    assert_eq!(receive(&lent, |received| received.decode::<u32>().unwrap()), 1);
    drop(to);
    second.child.kill().unwrap();
    let (mut senders_gone, mut dead) = (false, false);
    while !(senders_gone && dead) {
        receive(&notify, |received| match received.notification() {
            Some(Notification::NoSenders { make_send_count: 1 }) => senders_gone = true,
            Some(Notification::DeadName { name }) => {
                assert_eq!(name, theirs.name());
                dead = true;
            }
            other => panic!("{other:?}"),
        });
    }
    assert!(theirs.is_dead());
    assert_eq!(dead_refs(theirs.name()), 1);
}

fn forge(service: &str) {
    let to = bootstrap::look_up::<u32>(service).unwrap();
    for id in 64..=72 {
        let remote = (mach::MACH_MSG_TYPE_COPY_SEND, to.name());
        let rest = vec![0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        ByHand { remote, id, rest, simple: true, ..ByHand::default() }.sent();
        assert_eq!(ask(&to), id as u32);
    }
}

/// Waits for the service's word that it has seen the last message.
fn ask(to: &SendRight<u32>) -> u32 {
    let replies = ReceiveRight::<u32>::new().unwrap();
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    Outgoing::message(&mut out, &0u32)
        .unwrap()
        .copy_send(to)
        .make_reply(&replies)
        .send_and_receive(&replies, &mut incoming, soon())
        .unwrap()
        .decode::<u32>()
        .unwrap()
}

#[test]
fn another_process_cannot_forge_a_notification() {
    let (service, second) = Second::start::<u32>("forgery");
    let (mut out, mut incoming) = (MessageBuffer::new(), MessageBuffer::new());
    for id in 64..=72 {
        receive(&service, |received| {
            assert_eq!(received.id(), id);
            assert!(received.notification().is_none());
            assert_eq!(received.sender().pid(), second.child.id());
            assert!(received.decode::<u32>().is_err());
        });
        let received = service.receive(&mut incoming, soon()).unwrap();
        let reply = received.take_reply().unwrap();
        Outgoing::message(&mut out, &(id as u32)).unwrap().answer(&reply).send(soon()).unwrap();
    }
    second.ends_well();
}

type Asks = SendRight<Told>;
type Told = (u32, SendOnceRight<()>);

/// Has this process's kernel tell another process of a death, by a name that is this process's affair, and means something else there.
fn tell_of_a_name(service: &str) {
    let to = bootstrap::look_up::<Asks>(service).unwrap();
    let mine = ReceiveRight::<Told>::new().unwrap();
    send(&to, &mine.make_send().unwrap());
    let (name, notify) = receive(&mine, |received| received.decode::<Told>().unwrap());
    let own = mach::mach_task_self();
    assert_eq!(mach::mach_port_allocate_name(own, mach::MACH_PORT_RIGHT_RECEIVE, name), 0);
    assert_eq!(mach::mach_port_insert_right(own, name, name, mach::MACH_MSG_TYPE_MAKE_SEND), 0);
    let mut previous = 0;
    // SAFETY: `previous` is valid for one write.
    let code = unsafe {
        mach::mach_port_request_notification(
            own,
            name,
            mach::MACH_NOTIFY_DEAD_NAME,
            0,
            notify.name(),
            mach::MACH_MSG_TYPE_MOVE_SEND_ONCE,
            &mut previous,
        )
    };
    assert_eq!((code, previous), (0, 0));
    std::mem::forget(notify); // it has moved
    assert_eq!(mach::mach_port_mod_refs(own, name, mach::MACH_PORT_RIGHT_RECEIVE, -1), 0);
}

#[test]
fn a_death_that_another_process_asked_about_costs_no_right_here() {
    let (service, second) = Second::start::<Asks>("foretelling");
    let told = ReceiveRight::<()>::new().unwrap();
    // A name that the other process does not have: all before it are taken.
    let ports: Vec<_> = (0..200).map(|_| ReceiveRight::<u32>::new().unwrap()).collect();
    let victim = ports.last().unwrap().make_send().unwrap();
    let to = receive(&service, |received| received.decode::<Asks>().unwrap());
    send(&to, &(victim.name(), told.make_send_once().unwrap()));
    receive(&told, |received| match received.notification() {
        Some(Notification::DeadName { name }) => assert_eq!(name, victim.name()),
        other => panic!("{other:?}"),
    });
    assert_eq!(send_refs(victim.name()), 1);
    second.ends_well();
}
