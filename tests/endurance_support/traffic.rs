//! Mixed traffic between processes, and what each process checks about it.

#![allow(dead_code)] // each test binary uses a part

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use machipc::mach;
use machipc::port::{Deadline, MessageBuffer, Notification, OolBuffer, Outgoing, ReceiveRight, SendRight};

use crate::endurance_support::{Random, patience, send, soon};

/// Sequence number, kind, a process id, bytes, rights, moved ports, memory.
pub type Traffic = (u64, u32, u32, Vec<u8>, Vec<SendRight<u64>>, Vec<ReceiveRight<u64>>, Option<OolBuffer>);

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// The first message: the sender's port.
    Hello = 1,
    /// Nothing but bytes or memory.
    Plain,
    /// Wants its number back.
    Call,
    /// A right to a port of the process that is told.
    Lend,
    /// A port with three messages in its queue.
    Move,
    /// The name of another peer.
    Peer,
    /// What came from another peer that has died.
    Report,
    /// To oneself: everything before this has been received.
    Barrier,
    Stop,
}

const KINDS: [Kind; 9] = {
    use Kind::*;
    [Hello, Plain, Call, Lend, Move, Peer, Report, Barrier, Stop]
};

pub fn message(seq: u64, kind: Kind, owner: u32, rights: Vec<SendRight<u64>>) -> Traffic {
    (seq, kind as u32, owner, Vec::new(), rights, Vec::new(), None)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A right of another process's, and whose it is; dead-name notifications are asked for.
struct Watched {
    owner: u32,
    right: SendRight<u64>,
}

#[derive(Default)]
struct State {
    last: HashMap<u32, u64>,
    hello: HashMap<u32, SendRight<u64>>,
    peer: Option<(String, u32)>,
    reports: HashMap<u32, Option<u64>>,
    watched: Vec<Watched>,
    dead: HashSet<u32>,
    lent: Vec<ReceiveRight<u64>>,
    no_senders: usize,
    /// Ports that came here: from whom, in which message.
    moved_here: Vec<(u32, u64, ReceiveRight<u64>)>,
    /// Rights of others, to be handed on, and whose they are.
    hand_on: Vec<(SendRight<u64>, u32)>,
    to_report: Option<(u32, Option<u64>)>,
    barriers: u64,
}

impl State {
    /// What has not come yet.
    fn awaited(&self) -> String {
        let alive = self.watched.iter().filter(|one| !self.dead.contains(&one.right.name()));
        let alive: Vec<_> = alive.map(|one| (one.owner, one.right.name(), one.right.is_dead())).collect();
        let mut lent: Vec<_> = self.lent.iter().map(|port| (port.name(), send_rights(port.name()))).collect();
        let count = lent.len();
        lent.retain(|one| one.1 != Some(0));
        format!(
            "not told to be dead: {alive:x?}; told {} of {count} no-senders, which have {lent:x?}",
            self.no_senders
        )
    }
}

/// How many send rights to a port of ours there are.
fn send_rights(name: u32) -> Option<u32> {
    let mut count = 0;
    // SAFETY: `count` is valid for one write.
    let code = unsafe { mach::mach_port_get_srights(mach::mach_task_self(), name, &mut count) };
    (code == mach::KERN_SUCCESS).then_some(count)
}

/// What one process knows of the traffic.
pub struct Node {
    state: Mutex<State>,
    changed: Condvar,
    notify: ReceiveRight<()>,
    pub counts: Counts,
}

#[derive(Default, Debug)]
pub struct Counts {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub answered: AtomicU64,
    pub cut_off: AtomicU64,
    pub regions: AtomicU64,
    pub lent: AtomicU64,
    pub moved_out: AtomicU64,
    pub moved_in: AtomicU64,
    pub dead_names: AtomicU64,
}

/// What happened in all rounds.
#[derive(Default, Debug)]
pub struct Tally {
    pub all: Counts,
    pub reports: AtomicU64,
}

impl Tally {
    pub fn add(&self, node: &Node) {
        for (all, one) in self.all.fields().into_iter().zip(node.counts.fields()) {
            all.1.fetch_add(one.1.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// A test in which something never happened would not have tested it.
    pub fn assert_all_happened(&self) {
        for (name, count) in self.all.fields().into_iter().chain([("reports", &self.reports)]) {
            // Whether a call is cut off is a matter of luck.
            assert!(name == "cut off" || count.load(Ordering::Relaxed) > 0, "no {name}: {self:?}");
        }
    }
}

impl Counts {
    fn fields(&self) -> [(&'static str, &AtomicU64); 9] {
        [
            ("received", &self.received),
            ("sent", &self.sent),
            ("answered", &self.answered),
            ("cut off", &self.cut_off),
            ("regions", &self.regions),
            ("lent", &self.lent),
            ("moved out", &self.moved_out),
            ("moved in", &self.moved_in),
            ("dead names", &self.dead_names),
        ]
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Node {
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            notify: ReceiveRight::new().expect("a port"),
            counts: Counts::default(),
        }
    }

    // ---- Waiting

    /// Waits until `ready` answers.
    fn wait<T>(&self, what: &str, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        let start = Instant::now();
        let mut state = lock(&self.state);
        loop {
            if let Some(ready) = ready(&mut state) {
                return ready;
            }
            let left = patience().checked_sub(start.elapsed());
            let left = left.unwrap_or_else(|| {
                panic!("{}: timed out: {what}; {}", std::process::id(), state.awaited());
            });
            state = self
                .changed
                .wait_timeout(state, left.min(Duration::from_millis(20)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.state));
        self.changed.notify_all();
        result
    }

    pub fn await_hello(&self, pid: u32) -> SendRight<u64> {
        self.wait("a first message", |state| state.hello.get(&pid).cloned())
    }

    pub fn await_peer(&self) -> (String, u32) {
        self.wait("another peer's name", |state| state.peer.take())
    }

    pub fn await_report(&self, from: u32) -> Option<u64> {
        self.wait("a report about the dead peer", |state| state.reports.remove(&from))
    }

    pub fn report(&self, about: u32, received: Option<u64>) {
        self.update(|state| state.to_report = Some((about, received)));
    }

    pub fn last(&self, pid: u32) -> u64 {
        lock(&self.state).last.get(&pid).copied().unwrap_or(0)
    }

    /// Waits until the kernel has told of each right of a process, or of all, that its port is dead.
    pub fn await_dead_names(&self, owner: Option<u32>) {
        let told = self.wait("dead-name notifications", |state| {
            let State { watched, dead, .. } = state;
            let mut of_owner = watched.iter().filter(|one| owner.is_none_or(|owner| one.owner == owner));
            if !of_owner.all(|one| dead.contains(&one.right.name())) {
                return None;
            }
            let of_owner = watched.iter().filter(|one| owner.is_none_or(|owner| one.owner == owner));
            Some(of_owner.map(|one| assert!(one.right.is_dead(), "told that it is dead")).count())
        });
        self.counts.dead_names.fetch_add(told as u64, Ordering::Relaxed);
    }

    /// Waits until the kernel has told of each port that was lent that nobody has a right to it any more. A message in its queue
    /// holds one, so what came is received meanwhile.
    pub fn await_no_senders(&self) {
        let mut buffer = MessageBuffer::new();
        self.wait("no-senders notifications", |state| {
            for port in &state.lent {
                while let Ok(received) = port.receive(&mut buffer, Deadline::now()) {
                    assert_eq!(received.decode::<u64>().expect("a number"), 7, "to a lent port");
                }
            }
            assert!(state.no_senders <= state.lent.len(), "too many no-senders notifications");
            (state.no_senders == state.lent.len()).then_some(())
        });
    }

    // ---- Receiving

    pub fn hear_notifications(&self) {
        let mut buffer = MessageBuffer::new();
        loop {
            let received = self.notify.receive(&mut buffer, Deadline::never()).expect("own port");
            match received.notification() {
                Some(Notification::DeadName { name }) => self.update(|state| {
                    assert!(state.dead.insert(name), "told twice that {name:#x} is dead");
                }),
                Some(Notification::NoSenders { .. }) => self.update(|state| state.no_senders += 1),
                // A request that came too late.
                Some(Notification::SendOnce) => {}
                Some(other) => panic!("{other:?}"),
                None => return assert_eq!(received.sender().pid(), std::process::id()),
            }
        }
    }

    /// Asks for a notification of the port's death, unless it has died already.
    fn watch(&self, owner: u32, right: SendRight<u64>) {
        let mut state = lock(&self.state);
        if !right.is_dead() && right.notify_dead_name(&self.notify).is_ok() {
            state.watched.push(Watched { owner, right });
        }
    }

    /// Receives until it is told to stop.
    pub fn serve(&self, port: &ReceiveRight<Traffic>) {
        let (mut buffer, mut out) = (MessageBuffer::new(), MessageBuffer::new());
        loop {
            let received = port.receive(&mut buffer, Deadline::never()).expect("own port");
            let from = received.sender().pid();
            let reply = received.take_reply();
            let (seq, kind, owner, bytes, rights, ports, memory) =
                received.decode::<Traffic>().expect("a message of this test's");
            let kind = KINDS[kind as usize - 1];
            match kind {
                Kind::Stop => return,
                Kind::Barrier => {
                    self.update(|state| state.barriers += 1);
                    continue;
                }
                _ => add(&self.counts.received),
            }
            let last = self.update(|state| state.last.insert(from, seq)).unwrap_or(0);
            assert_eq!(seq, last + 1, "from {from}: lost, doubled or out of order ({kind:?})");
            assert_eq!(reply.is_some(), kind == Kind::Call);
            if let Some(reply) = reply {
                // Whoever asked may have died.
                let _ = Outgoing::message(&mut out, &seq).expect("a number").answer(&reply).send(soon());
            }
            match kind {
                Kind::Hello => {
                    let right = rights.into_iter().next().expect("a right");
                    self.watch(from, right.clone());
                    self.update(|state| state.hello.insert(from, right));
                    continue;
                }
                Kind::Peer => {
                    let name = String::from_utf8(bytes).expect("a name");
                    self.update(|state| state.peer = Some((name, owner)));
                    continue;
                }
                Kind::Report => {
                    let count = bytes.try_into().ok().map(u64::from_le_bytes);
                    self.update(|state| state.reports.insert(from, count));
                    continue;
                }
                _ => {}
            }
            assert!(bytes.iter().all(|&byte| byte == seq as u8), "bytes of {seq}");
            if let Some(mut memory) = memory {
                add(&self.counts.regions);
                assert!(memory.as_mut_slice().iter().all(|&byte| byte == seq as u8), "memory of {seq}");
            }
            for right in rights {
                let owner = if owner == 0 { from } else { owner };
                // One message to each, for which there is room, unless the owner has died.
                let value = 7_u64;
                let _ = Outgoing::message(&mut out, &value)
                    .expect("a number")
                    .copy_send(&right)
                    .send(Deadline::now());
                if owner == std::process::id() {
                    continue; // it has come home
                }
                // Each second one travels on.
                if seq % 2 == 0 {
                    self.update(|state| state.hand_on.push((right.clone(), owner)));
                }
                self.watch(owner, right);
            }
            for port in ports {
                add(&self.counts.moved_in);
                self.update(|state| state.moved_here.push((from, seq, port)));
            }
        }
    }

    // ---- Sending

    pub fn introduce(&self, to: &SendRight<Traffic>, (name, pid): (String, u32)) {
        let mut hello = message(1, Kind::Peer, pid, Vec::new());
        hello.3 = name.into_bytes();
        // It may have died by now, which the traffic will find out.
        let _ = send(to, &hello);
    }

    /// Sends messages of all kinds until the receiver has died; `sent` are there already.
    pub fn send_traffic(
        &self,
        to: &SendRight<Traffic>,
        pid: u32,
        sent: u64,
        seed: u64,
        mut acknowledged: impl FnMut(u64),
    ) {
        let mut random = Random::new(seed);
        let replies = ReceiveRight::<u64>::new().expect("a port");
        let mut last = sent;
        while self.send_one(to, pid, last + 1, &mut random, &replies) {
            last += 1;
            acknowledged(last);
            add(&self.counts.sent);
        }
    }

    /// Sends one message of some kind. Returns false when the receiver has died.
    pub fn send_one(
        &self,
        to: &SendRight<Traffic>,
        pid: u32,
        seq: u64,
        random: &mut Random,
        replies: &ReceiveRight<u64>,
    ) -> bool {
        let mut one = message(seq, Kind::Plain, 0, Vec::new());
        // Only what goes to the parent of this process is reported.
        let report = if pid == 0 { lock(&self.state).to_report.take() } else { None };
        if let Some((about, received)) = report {
            (one.1, one.2) = (Kind::Report as u32, about);
            one.3 = received.map(|count| count.to_le_bytes().to_vec()).unwrap_or_default();
            return delivered(send(to, &one));
        }
        one.3 = vec![seq as u8; random.below(300) as usize];
        match random.below(64) {
            0..8 => {
                one.1 = Kind::Call as u32;
                return self.call(to, &one, replies);
            }
            8..12 => one.6 = Some(filled(seq, 1 + random.below(8_000))),
            12..14 => one.6 = Some(filled(seq, 60_000 + random.below(240_000))),
            14..18 => {
                let port = ReceiveRight::<u64>::new().expect("a port");
                port.notify_no_senders(1, &self.notify).expect("own port");
                (one.1, one.4) = (Kind::Lend as u32, vec![port.make_send().expect("own port")]);
                self.update(|state| state.lent.push(port));
                add(&self.counts.lent);
            }
            18..20 => {
                let port = ReceiveRight::<u64>::new().expect("a port");
                let right = port.make_send().expect("own port");
                for number in 1..=3 {
                    send(&right, &number).expect("a port with room");
                }
                (one.1, one.5) = (Kind::Move as u32, vec![port]);
                if !delivered(send(to, &one)) {
                    return false;
                }
                add(&self.counts.moved_out);
                for number in 4..=5_u64 {
                    // These follow it, if it lives.
                    let mut out = MessageBuffer::new();
                    let _ = Outgoing::message(&mut out, &number)
                        .expect("a number")
                        .copy_send(&right)
                        .send(Deadline::now());
                }
                self.watch(pid, right);
                return true;
            }
            20..24 => {
                if let Some((right, owner)) = self.update(|state| state.hand_on.pop()) {
                    (one.1, one.2, one.4) = (Kind::Lend as u32, owner, vec![right]);
                }
            }
            _ => {}
        }
        delivered(send(to, &one))
    }

    fn call(&self, to: &SendRight<Traffic>, request: &Traffic, replies: &ReceiveRight<u64>) -> bool {
        let (mut out, mut answer) = (MessageBuffer::new(), MessageBuffer::new());
        let outgoing = Outgoing::message(&mut out, request).expect("it can be encoded");
        let received =
            outgoing.copy_send(to).make_reply(replies).send_and_receive(replies, &mut answer, soon());
        match received {
            Ok(received) if received.notification().is_some() => {
                assert!(matches!(received.notification(), Some(Notification::SendOnce)));
                add(&self.counts.cut_off);
            }
            Ok(received) => {
                assert_eq!(received.decode::<u64>().expect("a number"), request.0, "another call's reply");
                add(&self.counts.answered);
            }
            Err(error) if error.is_dead_destination() => return false,
            Err(error) => panic!("a call: {error}"),
        }
        true
    }

    /// Waits until everything in the queue of the port that `serve` serves has been received.
    pub fn pass_barrier(&self, port: &ReceiveRight<Traffic>) {
        let before = lock(&self.state).barriers;
        let own = port.make_send().expect("own port");
        send(&own, &message(0, Kind::Barrier, 0, Vec::new())).expect("own port");
        self.wait("the end of the queue", |state| (state.barriers > before).then_some(()));
    }

    /// Ends `serve` and `hear_notifications`.
    pub fn stop(&self, port: &ReceiveRight<Traffic>) {
        let own = port.make_send().expect("own port");
        send(&own, &message(0, Kind::Stop, 0, Vec::new())).expect("own port");
        send(&self.notify.make_send().expect("own port"), &()).expect("own port");
    }

    /// At the end: what is in the queues of the ports that `from` moved here.
    pub fn check_moved(&self, from: u32, acknowledged: u64) {
        let state = lock(&self.state);
        let mut buffer = MessageBuffer::new();
        for (_, seq, port) in state.moved_here.iter().filter(|one| one.0 == from) {
            let mut next = 1;
            while let Ok(received) = port.receive(&mut buffer, Deadline::now()) {
                assert_eq!(received.decode::<u64>().expect("a number"), next, "to a moved port");
                next += 1;
            }
            // Three were in its queue, and two followed it if its sender lived. A sender that died in the middle of the move had sent
            // a part of them.
            assert!(next <= 6, "too many messages to a moved port");
            assert!(next > 3 || *seq > acknowledged, "{} of 3 messages moved with a port", next - 1);
        }
    }
}

fn delivered(result: Result<(), machipc::port::MachError>) -> bool {
    match result {
        Ok(()) => true,
        Err(error) if error.is_dead_destination() => false,
        Err(error) => panic!("a send: {error}"),
    }
}

fn filled(seq: u64, len: u64) -> OolBuffer {
    let mut memory = OolBuffer::new(len as usize).expect("memory");
    memory.as_mut_slice().fill(seq as u8);
    memory
}

/// Every name that the process holds: what it denotes, and its references of each kind.
pub fn holdings() -> Vec<(u32, u32, [u32; 5])> {
    let (mut names, mut types) = (core::ptr::null_mut(), core::ptr::null_mut());
    let (mut names_count, mut types_count) = (0, 0);
    let task = mach::mach_task_self();
    // SAFETY: each pointer is valid for one write.
    let code =
        unsafe { mach::mach_port_names(task, &mut names, &mut names_count, &mut types, &mut types_count) };
    assert_eq!(code, mach::KERN_SUCCESS);
    if names_count == 0 {
        return Vec::new();
    }
    // SAFETY: the call made an array of so many names, which is ours until it is freed below.
    let listed = unsafe { core::slice::from_raw_parts(names, names_count as usize) };
    // SAFETY: as above, for the types.
    let kinds = unsafe { core::slice::from_raw_parts(types, types_count as usize) };
    let refs = |name, right| {
        let mut refs = 0;
        // SAFETY: `refs` is valid for one write.
        let code = unsafe { mach::mach_port_get_refs(task, name, right, &mut refs) };
        if code == mach::KERN_SUCCESS { refs } else { 0 }
    };
    let each = listed.iter().zip(kinds);
    let mut held: Vec<_> = each
        .map(|(&name, &bits)| (name, bits, core::array::from_fn(|right| refs(name, right as u32))))
        .collect();
    for (array, count) in [(names, names_count), (types, types_count)] {
        // SAFETY: the array is ours to free and is used no more.
        unsafe { mach::vm_deallocate(task, array as usize, count as usize * 4) };
    }
    held.sort_unstable();
    held
}
