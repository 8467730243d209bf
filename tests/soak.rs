//! Very many mixed messages between two processes: afterwards neither holds more names, descriptors, mappings or memory than before.
//!
//! `MACHIPC_TEST_ROUNDS` sets how many messages there are.
#![cfg(target_os = "linux")] // it reads /proc

mod endurance_support;
#[path = "endurance_support/traffic.rs"]
mod traffic;

use endurance_support::*;
use machipc::port::{Deadline, MessageBuffer, OolBuffer, Outgoing, ReceiveRight, SendRight, bootstrap};
use traffic::Traffic;

/// What asks the second process how it is: kind 0.
const STATE: u32 = 0;

/// How often memory is looked at.
const LOOKS: u64 = 20;

/// What a process holds: names, descriptors, mappings, resident bytes.
type Holdings = (u64, u64, u64, u64);

fn held() -> Holdings {
    let count = |list: Vec<String>| list.len() as u64;
    (traffic::holdings().len() as u64, count(descriptors()), count(mappings()), resident(std::process::id()))
}

/// Not a test of its own: the process that receives.
#[test]
fn part() {
    let Some(role) = role() else { return };
    abort_on_panic();
    end_with_parent();
    let port = bootstrap::check_in::<Traffic>(&role[1]).expect("the name is free");
    tell("ready");
    let (mut buffer, mut out) = (MessageBuffer::new(), MessageBuffer::new());
    let mut last = 0;
    loop {
        let received = port.receive(&mut buffer, Deadline::never()).expect("own port");
        let reply = received.take_reply();
        let (seq, kind, _, bytes, rights, ports, memory) = received.decode::<Traffic>().expect("a message");
        assert_eq!(seq, last + 1);
        last = seq;
        assert!(bytes.iter().all(|&byte| byte == seq as u8));
        if let Some(mut memory) = memory {
            let expected = vec![seq as u8; memory.len()];
            assert!(memory.as_mut_slice() == expected, "memory of {seq}");
        }
        for right in rights {
            send(&right, &seq).expect("its owner lives");
        }
        let mut moved = MessageBuffer::new();
        for port in ports {
            for number in 1..=3 {
                let received = port.receive(&mut moved, soon()).expect("a moved queue");
                assert_eq!(received.decode::<u64>().expect("a number"), number);
            }
        }
        drop(received);
        match reply {
            Some(reply) if kind == STATE => {
                let state = held();
                Outgoing::message(&mut out, &state)
                    .expect("numbers")
                    .answer(&reply)
                    .send(soon())
                    .expect("it waits");
            }
            Some(reply) => {
                Outgoing::message(&mut out, &seq)
                    .expect("a number")
                    .answer(&reply)
                    .send(soon())
                    .expect("it waits");
            }
            None => {}
        }
    }
}

struct Sender {
    to: SendRight<Traffic>,
    seq: u64,
    random: Random,
    replies: ReceiveRight<u64>,
    states: ReceiveRight<Holdings>,
    out: MessageBuffer,
    answer: MessageBuffer,
}

impl Sender {
    fn send(&mut self, mut message: Traffic) {
        self.seq += 1;
        message.0 = self.seq;
        let outgoing = Outgoing::message(&mut self.out, &message).expect("it can be encoded");
        outgoing.copy_send(&self.to).send(soon()).expect("the receiver lives");
    }

    /// One message of some kind.
    fn mixed(&mut self) {
        let next = self.seq + 1;
        let mut message: Traffic =
            (0, 1, 0, vec![next as u8; self.random.below(200) as usize], vec![], vec![], None);
        match self.random.below(1000) {
            0..20 => {
                self.seq += 1;
                message.0 = self.seq;
                let call = Outgoing::message(&mut self.out, &message).expect("it can be encoded");
                let call = call.copy_send(&self.to).make_reply(&self.replies);
                let received =
                    call.send_and_receive(&self.replies, &mut self.answer, soon()).expect("a reply");
                assert_eq!(received.decode::<u64>().expect("a number"), self.seq);
            }
            20..30 => {
                let port = ReceiveRight::<u64>::new().expect("a port");
                message.4.push(port.make_send().expect("own port"));
                self.send(message);
                let received = port.receive(&mut self.answer, soon()).expect("an answer");
                assert_eq!(received.decode::<u64>().expect("a number"), self.seq);
            }
            30..35 => {
                let port = ReceiveRight::<u64>::new().expect("a port");
                let right = port.make_send().expect("own port");
                (1..=3).for_each(|number| send(&right, &number).expect("room"));
                message.5.push(port);
                self.send(message);
            }
            kind @ 35..50 => {
                let len = if kind < 37 {
                    70_000 + self.random.below(100_000)
                } else {
                    1 + self.random.below(9_000)
                };
                let mut memory = OolBuffer::new(len as usize).expect("memory");
                memory.as_mut_slice().fill(next as u8);
                message.6 = Some(memory);
                self.send(message);
            }
            _ => self.send(message),
        }
    }

    /// What the second process holds once it has received everything.
    fn its_state(&mut self) -> Holdings {
        self.seq += 1;
        let message: Traffic = (self.seq, STATE, 0, vec![], vec![], vec![], None);
        let call = Outgoing::message(&mut self.out, &message).expect("it can be encoded");
        let call = call.copy_send(&self.to).make_reply(&self.states);
        let received = call.send_and_receive(&self.states, &mut self.answer, soon()).expect("a reply");
        received.decode::<Holdings>().expect("numbers")
    }
}

#[test]
fn nothing_grows() {
    privately("nothing_grows", || {
        let (watchdog, count) = (Watchdog::new("soak"), rounds(100_000));
        let mut second = Second::start("part", "receiver soak.receiver");
        assert_eq!(second.told(), "ready");
        let mut sender = Sender {
            to: bootstrap::look_up("soak.receiver").expect("the receiver is there"),
            seq: 0,
            random: Random::new(u64::from(std::process::id())),
            replies: ReceiveRight::new().expect("a port"),
            states: ReceiveRight::new().expect("a port"),
            out: MessageBuffer::new(),
            answer: MessageBuffer::new(),
        };
        // Buffers and tables grow to their lasting size, and every page of the rings is touched.
        for _ in 0..20_000 {
            sender.mixed();
        }
        let before = [held(), sender.its_state()];
        let start = std::time::Instant::now();
        let mut resident = [const { Vec::new() }; 2];
        for number in 0..count {
            sender.mixed();
            if number % 1000 == 0 {
                watchdog.feed();
            }
            if number % count.div_ceil(LOOKS) == 0 {
                resident[0].push(held().3);
                resident[1].push(sender.its_state().3);
            }
        }
        let took = start.elapsed();
        let names = |state: &Holdings| (state.0, state.1, state.2);
        // The last moved ports' names go when the other side has told so.
        until("both sides are as they were", || {
            let now = [held(), sender.its_state()];
            [0, 1].iter().all(|&side| names(&now[side]) == names(&before[side]))
        });
        let now = [held(), sender.its_state()];
        println!(
            "{count} messages in {took:.1?}: names, descriptors, mappings, bytes: {before:?} before, {now:?} after"
        );
        for looks in resident {
            // The first half is for tables and the allocator to reach their lasting size. What is lost for good raises the least, too.
            let (early, late) = looks[looks.len() / 2..].split_at(looks.len() / 4);
            let grown =
                late.iter().min().expect("a look").saturating_sub(*early.iter().min().expect("a look"));
            // What is freed a sanitizer keeps.
            assert!(
                cfg!(machipc_sanitizer) || grown <= 1 << 18,
                "resident memory grew by {grown} bytes: {looks:?}"
            );
        }
        drop(second);
        assert!(bootstrap::look_up::<Traffic>("soak.receiver").is_err(), "the name is free");
    });
}
