//! Bootstrap names of this task, and the connections that ask for them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::bootstrap::{self, Claim};
use super::janitor;
use super::kernel::{Doomed, Kernel};
use super::link::handshake::{self, ASSUMED_CREDIT, First, Hello, Welcome};
use super::link::{Frame, Handshake, Introduced, Memory, NO_IDENTITY, create_memory};
use super::message::{Carried, Right};
use super::poll::Key;
use super::port::{Home, PortId};
use super::slab::Slab;
use super::space::Object;
use super::task::Task;
use crate::mach::{
    BOOTSTRAP_NO_MEMORY, BOOTSTRAP_NOT_PRIVILEGED, BOOTSTRAP_SERVICE_ACTIVE, BOOTSTRAP_SUCCESS,
    BOOTSTRAP_UNKNOWN_SERVICE, MACH_PORT_RIGHT_RECEIVE, kern_return_t, mach_port_name_t,
};

/// So often an owner is asked again that has answered with a link which is not here: so many times at once, and then after so long each time.
const ASKED_MAX: u32 = 1000;
const ASKED_AT_ONCE: u32 = 8;
const ASKED_AGAIN: Duration = Duration::from_millis(1);

/// How long an owner may take to answer before its name counts as unknown.
const ANSWER: Duration = Duration::from_secs(10);
/// How often to look whether an owner that does not answer is alive.
const ALIVE: Duration = Duration::from_millis(100);
/// Connections that may be silent at the same time; the oldest goes first.
const SILENT_MAX: usize = 256;
/// The same for connections of those who were introduced. A port's former owner introduces all who hold rights to it at once.
const INTRODUCED_MAX: usize = 4096;

/// Connections that are taken from one listener before others have their turn.
const ACCEPTED_AT_ONCE: usize = 16;

type Result<T> = core::result::Result<T, kern_return_t>;

/// A name that this task has checked in or registered. It holds a send right to its port, as launchd does.
struct Service {
    name: Vec<u8>,
    port: PortId,
    claim: Claim,
}

/// The names of this task.
pub(super) struct Services {
    all: Slab<Service>,
    by_name: BTreeMap<Vec<u8>, u32>,
}

impl Services {
    pub(super) fn new() -> Self {
        Self { all: Slab::new(), by_name: BTreeMap::new() }
    }

    fn is_declared(&self, name: &[u8]) -> bool {
        self.by_name
            .get(name)
            .and_then(|&id| self.all.get(id))
            .is_some_and(|service| service.claim.is_declared())
    }

    fn port_of(&self, name: &[u8]) -> Option<PortId> {
        self.by_name.get(name).and_then(|&id| self.all.get(id)).map(|service| service.port)
    }
}

impl Task {
    pub(super) fn check_in(&'static self, name: &[u8]) -> Result<mach_port_name_t> {
        let _one_at_a_time = self.bootstrap_lock();
        if self.with(|kernel| kernel.services.port_of(name).is_some()) {
            return Err(BOOTSTRAP_SERVICE_ACTIVE);
        }
        self.start_polling().map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        let claim = bootstrap::claim(name)?;
        self.with(|kernel| {
            let port_name = kernel.allocate(MACH_PORT_RIGHT_RECEIVE).map_err(|_| BOOTSTRAP_NO_MEMORY)?;
            let port = kernel.receive_right(port_name).map_err(|_| BOOTSTRAP_NO_MEMORY)?;
            // The name's own right is none of the server's making: the make-send count stays 0.
            kernel.add_service(name, port, claim);
            Ok(port_name)
        })
    }

    pub(super) fn register(&'static self, name: &[u8], port: mach_port_name_t) -> Result<()> {
        let _one_at_a_time = self.bootstrap_lock();
        let object = self.with(|kernel| {
            if kernel.services.port_of(name).is_some() {
                return Err(BOOTSTRAP_SERVICE_ACTIVE);
            }
            match kernel.entry(port).map(|entry| entry.object) {
                Some(Object::Port { port, send: true, .. }) => Ok(port),
                _ => Err(BOOTSTRAP_NO_MEMORY),
            }
        })?;
        self.start_polling().map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        let claim = bootstrap::claim(name)?;
        self.with(|kernel| match kernel.entry(port).map(|entry| entry.object) {
            Some(Object::Port { port, send: true, .. }) if port == object => {
                kernel.add_service(name, port, claim);
                Ok(())
            }
            _ => Err(BOOTSTRAP_NO_MEMORY),
        })
    }

    pub(super) fn look_up(&'static self, name: &[u8]) -> Result<mach_port_name_t> {
        let own = self.with(|kernel| {
            let port = kernel.services.port_of(name)?;
            let right = kernel.copy_send(port);
            Some(kernel.name_send(right.port()).ok_or(BOOTSTRAP_NO_MEMORY))
        });
        if let Some(own) = own {
            return own;
        }
        self.start_polling().map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        // A link that both sides had may end while the owner answers that the right is on it. And one that another thread of this process is just
        // making may be there for the owner, and not here yet.
        for attempt in 0..ASKED_MAX {
            if let Some(name) = self.ask(name)? {
                return Ok(name);
            }
            if attempt >= ASKED_AT_ONCE {
                std::thread::sleep(ASKED_AGAIN);
            }
        }
        Err(BOOTSTRAP_UNKNOWN_SERVICE)
    }

    /// Asks the owner of a name for a right. `None`: the answer refers to a link that is no more.
    fn ask(&self, name: &[u8]) -> Result<Option<mach_port_name_t>> {
        let socket = bootstrap::connect(name)?;
        if !bootstrap::is_owned(name) {
            // Declared, and nobody runs: the answer may be long in coming.
            return self.with(|kernel| {
                let right = kernel.await_owner(name, socket)?;
                kernel.name_send(right.port()).ok_or(BOOTSTRAP_NO_MEMORY).map(Some)
            });
        }
        let (memory, ends) = create_memory().map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        let nonce = self.with(|kernel| kernel.links.nonce);
        match handshake::greet(&socket, &nonce, name, &memory, false) {
            // An owner that has gone, or has answered already: that it has no room.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(_) => return Err(BOOTSTRAP_NO_MEMORY),
        }
        if !wait_for_answer(&socket, name)? {
            return Ok(None);
        }
        let (welcome, peer, introduction) = match handshake::receive_welcome(&socket) {
            Ok(answer) => answer,
            // There is no room for the right here.
            Err(Errno::MFILE) => return Err(BOOTSTRAP_NO_MEMORY),
            // Nobody vouches for who it is.
            Err(Errno::ACCESS) => return Err(BOOTSTRAP_NOT_PRIVILEGED),
            // The owner has died meanwhile: there may be a service manager behind it.
            Err(_) if !bootstrap::is_owned(name) => return Ok(None),
            Err(_) => return Err(BOOTSTRAP_UNKNOWN_SERVICE),
        };
        // Its packets are the owner's from here on, and bells need no credentials.
        let _ = rustix::net::sockopt::set_socket_passcred(&socket, false);
        if !is_trusted(peer.security.val[0]) {
            return Err(BOOTSTRAP_NOT_PRIVILEGED);
        }
        if welcome.code != BOOTSTRAP_SUCCESS {
            return Err(welcome.code);
        }
        self.with(|kernel| {
            if let Some(introduction) = introduction {
                let carried = kernel.meet(introduction, false, Some(welcome.identity), None);
                return match carried {
                    Carried::Right(right) => {
                        Ok(Some(kernel.name_send(right.port()).ok_or(BOOTSTRAP_NO_MEMORY)?))
                    }
                    _ => Err(BOOTSTRAP_NO_MEMORY),
                };
            }
            let link = match welcome.existing {
                number if number != 0 => match kernel.links.find_number(number, &peer) {
                    Some(link) => link,
                    None => return Ok(None),
                },
                _ => {
                    let link = kernel.add_link(socket, Memory::Ours(ends), Some((peer, welcome.nonce)));
                    let link = link.ok_or(BOOTSTRAP_NO_MEMORY)?;
                    kernel.watch_link(link);
                    link
                }
            };
            if welcome.existing != 0 {
                // First, since a right that joins another is given back at once.
                kernel.post(link, Frame::Imported { export: welcome.export });
            }
            kernel.expect_identity(link, welcome.export, welcome.identity);
            let right = kernel
                .import_send(link, welcome.export, welcome.credits)
                .map_err(|_| BOOTSTRAP_UNKNOWN_SERVICE)?;
            if welcome.declared {
                kernel.outlive_owner(right.port(), name);
            }
            kernel.name_send(right.port()).ok_or(BOOTSTRAP_NO_MEMORY).map(Some)
        })
    }

    /// Takes the connections that wait at a name's listener.
    pub(super) fn accept(&self, listener: u32) {
        self.with(|kernel| {
            let nonce = kernel.links.nonce;
            let refuse = |socket| handshake::refuse(socket, nonce, BOOTSTRAP_NO_MEMORY);
            for _ in 0..ACCEPTED_AT_ONCE {
                let Some(service) = kernel.services.all.get(listener) else { return };
                let socket = match bootstrap::accept(&service.claim.listener) {
                    Ok(socket) => socket,
                    Err(Errno::INTR | Errno::CONNABORTED) => continue,
                    Err(Errno::AGAIN) => return,
                    Err(Errno::MFILE) if bootstrap::turn_away(&service.claim, refuse) => continue,
                    // It would be there for ever and keep the poll from sleeping.
                    Err(_) => return kernel.deafen(listener),
                };
                // Its hello is mostly there already.
                if let Some(key) = kernel.await_hello(socket, None) {
                    kernel.handshake_event(key);
                }
            }
        });
    }
}

impl Kernel {
    fn add_service(&mut self, name: &[u8], port: PortId, claim: Claim) {
        let right = self.copy_send(port);
        self.port_mut(port).tells |= claim.is_declared();
        let id = self.services.all.insert(Service { name: name.to_vec(), port: right.port(), claim });
        self.services.by_name.insert(name.to_vec(), id);
        if let (Some(poller), Some(service)) = (self.links.poller, self.services.all.get(id)) {
            // Without a place in the poll nobody would be heard: epoll is out of memory, and so are clients that try.
            let _ = poller.register(&service.claim.listener, Key::Listener(id));
        }
    }

    /// A port has died: the names that stood for it are free.
    pub(super) fn services_port_died(&mut self, port: PortId) {
        if self.services.by_name.is_empty() {
            return;
        }
        let of_port = |(id, service): (u32, &Service)| (service.port == port).then_some(id);
        let dead: Vec<u32> = self.services.all.iter().filter_map(of_port).collect();
        for id in dead {
            if let Some(service) = self.services.all.remove(id) {
                self.services.by_name.remove(&service.name);
                self.links.deaf.retain(|&(deaf, _)| deaf != id);
                // A declared name's socket stays open beside this descriptor.
                self.forget_socket(&service.claim.listener);
                self.release(Right::Send(port));
            }
        }
    }

    /// Nobody can be let in: whoever waits at a listener goes on to, and the poll does not tell of it until the next try.
    fn deafen(&mut self, listener: u32) {
        if let Some(service) = self.services.all.get(listener) {
            self.forget_socket(&service.claim.listener);
            self.links.deaf.push((listener, Instant::now()));
            // Whoever sleeps in the poll looks again soon (see `is_stuck`).
            (self.links.changed, self.links.added) = (true, true);
        }
    }

    /// Listens again to whoever waited for room, after a moment.
    pub(super) fn hear_listeners(&mut self) {
        let Some(poller) = self.links.poller else { return };
        let services = &self.services.all;
        self.links.deaf.retain(|&(listener, since)| {
            let Some(service) = services.get(listener) else { return false };
            let key = Key::Listener(listener);
            since.elapsed() < janitor::PERIOD || poller.register(&service.claim.listener, key).is_err()
        });
    }

    /// Silent connections must not keep others out: the process that has most of them loses its oldest.
    pub(super) fn make_room_for_handshake(&mut self, introduced: bool) {
        let limit = if introduced { INTRODUCED_MAX } else { SILENT_MAX };
        let rivals = |handshake: &Handshake| handshake.introduced.is_some() == introduced;
        while self.links.handshakes.len() >= limit {
            let alike = || self.links.handshakes.iter().filter(|(_, handshake)| rivals(handshake));
            if alike().count() < limit {
                return;
            }
            let mut counts = BTreeMap::<u32, usize>::new();
            for (_, handshake) in alike() {
                *counts.entry(handshake.peer).or_default() += 1;
            }
            let rank = |peer: &u32| counts.get(peer).copied().unwrap_or(0);
            let Some((key, _)) = alike()
                .min_by_key(|(_, handshake)| (std::cmp::Reverse(rank(&handshake.peer)), handshake.since))
            else {
                return;
            };
            // What it has to say may just have come.
            self.handshake_event(key);
            self.drop_handshake(key);
        }
    }

    /// A new connection has something to say.
    pub(super) fn handshake_event(&mut self, key: u32) {
        let Some(handshake) = self.links.handshakes.get(key) else { return };
        match handshake::receive_hello(&handshake.socket) {
            Ok(None) => {}
            Ok(Some(First::Hello(hello))) if is_trusted(hello.peer.security.val[0]) => {
                self.welcome(key, hello);
            }
            Ok(Some(First::Elsewhere(socket))) => self.go_elsewhere(key, socket),
            // Its memory found no descriptor, or nobody vouches for who it is.
            Err(error @ (Errno::MFILE | Errno::ACCESS)) if handshake.introduced.is_none() => {
                if let Some(Handshake { socket, .. }) = self.links.handshakes.remove(key) {
                    self.forget_socket(&socket);
                    let code =
                        if error == Errno::MFILE { BOOTSTRAP_NO_MEMORY } else { BOOTSTRAP_NOT_PRIVILEGED };
                    handshake::refuse(socket, self.links.nonce, code);
                }
            }
            Ok(Some(_)) | Err(_) => self.drop_handshake(key),
        }
    }

    /// Whoever a right waits for says hello on another socket.
    fn go_elsewhere(&mut self, key: u32, socket: OwnedFd) {
        let right = self.links.handshakes.get_mut(key).and_then(|handshake| handshake.introduced.take());
        self.drop_handshake(key);
        if right.is_some() {
            // What it says there is read when the poll tells of it: a chain of such sockets must not be a recursion.
            let _ = self.await_hello(socket, right);
        }
    }

    /// Gives whoever said hello the right that it is here for.
    fn welcome(&mut self, key: u32, hello: Hello) {
        let Some(handshake) = self.links.handshakes.remove(key) else { return };
        let socket = handshake.socket;
        self.forget_socket(&socket);
        let mut welcome = Welcome {
            nonce: self.links.nonce,
            code: BOOTSTRAP_SUCCESS,
            existing: 0,
            export: 0,
            credits: 0,
            identity: NO_IDENTITY,
            declared: self.services.is_declared(&hello.name),
        };
        let introduced = handshake.introduced.is_some();
        let Introduced { right, onces } = match handshake.introduced {
            Some(introduced) => introduced,
            None => match self.services.port_of(&hello.name) {
                Some(port) => Introduced { right: self.copy_send(port), onces: 0 },
                None => {
                    welcome.code = BOOTSTRAP_UNKNOWN_SERVICE;
                    let _ = handshake::send_welcome(&socket, &welcome, None);
                    return;
                }
            },
        };
        let port = right.port();
        if (introduced || hello.early) && matches!(right, Right::Send(_)) && !self.may_assume(port) {
            // It sees the connection end.
            return self.drop_introduced(Introduced { right, onces });
        }
        if let Home::Link { link, export } = self.port(port).home
            && !introduced
            && !hello.early
            && !self.port(port).halted
        {
            // A registered right of a third process's: the two get a link of their own.
            welcome.identity = self.identity_of(port);
            let introduction = self.introduce_to(link, export, false);
            self.release(right);
            if introduction.is_none() {
                welcome.code = BOOTSTRAP_NO_MEMORY;
            }
            let _ = handshake::send_welcome(&socket, &welcome, introduction);
            return;
        }
        let existing = self.links.find(&hello.nonce, &hello.peer).filter(|_| !introduced && !hello.early);
        welcome.existing = existing.map_or(0, |link| self.links.number(link));
        let (link, answer_on) = match existing {
            Some(link) => (link, Some(socket)),
            None => {
                let peer = Some((hello.peer, hello.nonce));
                let Some(link) = self.add_link(socket, Memory::Theirs(hello.memory), peer) else {
                    self.release(right);
                    (0..onces).for_each(|_| self.release(Right::SendOnce(port)));
                    return;
                };
                self.watch_link(link);
                self.hold_link(link);
                if introduced {
                    self.let_pass(link);
                }
                (link, None)
            }
        };
        let once = matches!(right, Right::SendOnce(_));
        if !once {
            welcome.identity = self.identity_of(right.port());
        }
        match self.export_first(link, right) {
            Some((export, credits)) => {
                (welcome.export, welcome.credits) = (export, credits);
                if hello.early {
                    welcome.credits = self.grant_assumed(link, export, ASSUMED_CREDIT);
                }
                if answer_on.is_some()
                    && let Some(link) = self.links.get_mut(link)
                {
                    *link.welcomed.entry(export).or_default() += 1;
                }
                self.give_onces(link, export, onces);
            }
            None => {
                welcome.code = BOOTSTRAP_UNKNOWN_SERVICE;
                (0..onces).for_each(|_| self.release(Right::SendOnce(port)));
            }
        }
        let sent = match (&answer_on, self.link_socket(link)) {
            (Some(socket), _) => handshake::send_welcome(socket, &welcome, None),
            (None, Some(socket)) => handshake::send_welcome(socket, &welcome, None),
            (None, None) => return,
        };
        self.unhold_link(link);
        if answer_on.is_none() && (sent.is_err() || welcome.code != BOOTSTRAP_SUCCESS) {
            self.doomed.push(Doomed::Link(link));
        } else if introduced && !once {
            // An introduced peer has taken credit for one message for granted.
            self.credit_introduced(link, welcome.export, welcome.credits);
        }
    }

    fn credit_introduced(&mut self, link: u32, export: u32, credits: u32) {
        match credits {
            0 => self.grant_one(link, export),
            1 => {}
            more => self.post(link, Frame::Credit { export, count: more - 1 }),
        }
    }
}

/// Whether a peer with this effective uid may have a link with us: this user, or the superuser.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Waits for the owner of a name to answer. False: it has died before it took the connection, which a service manager may hold open.
fn wait_for_answer(socket: &std::os::fd::OwnedFd, name: &[u8]) -> Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let deadline = Instant::now() + ANSWER;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left.min(ALIVE)).map_err(|_| BOOTSTRAP_NO_MEMORY)?;
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return Err(BOOTSTRAP_UNKNOWN_SERVICE),
            Ok(0) if !bootstrap::is_owned(name) => return Ok(false),
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(BOOTSTRAP_NO_MEMORY),
        }
    }
}
