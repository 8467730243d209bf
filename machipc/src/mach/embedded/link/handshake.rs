//! How two processes begin a link: one says what it wants and sends the memory, the other says who it is and what it gives.

use std::os::fd::{AsFd, OwnedFd};

use super::super::message::Sender;
use super::frame::Reader;
use super::identity::{Identity, NO_IDENTITY};
use super::socket::{self, Credentials};
use crate::mach::{MACH_PORT_QLIMIT_BASIC, audit_token_t, kern_return_t, security_token_t};

/// A task's name for itself: random, new with each exec.
pub(in super::super) type Nonce = [u8; 16];

const HELLO: u8 = b'H';
const ELSEWHERE: u8 = b'E';
pub(super) const WELCOME: u8 = b'W';

/// Protocol and version: both sides must say the same.
const VERSION: u32 = 5;

/// Behind the kind of a hello: the peer does not wait. Behind that of a welcome: the name is declared.
const FLAG: u8 = 1;

/// Messages that may be sent to a declared name before anybody has it.
pub(in super::super) const ASSUMED_CREDIT: u32 = MACH_PORT_QLIMIT_BASIC;

/// The longest bootstrap name in bytes.
const NAME_MAX: usize = 127;

/// Size of the buffer that a hello or a welcome fits in.
pub(super) const PACKET_MAX: usize = 256;

/// What the connecting side says.
pub(in super::super) struct Hello {
    pub(in super::super) peer: Sender,
    pub(in super::super) nonce: Nonce,
    /// The bootstrap name that is looked up; empty after an introduction.
    pub(in super::super) name: Vec<u8>,
    pub(in super::super) memory: OwnedFd,
    /// The peer does not wait for the answer: it takes the right for the first export of this new link, with credit for
    /// `ASSUMED_CREDIT` messages.
    pub(in super::super) early: bool,
}

/// What comes first on a connection.
pub(in super::super) enum First {
    Hello(Hello),
    /// The hello comes on this socket: the connection is one that others than the peer may hold too, so that its end would tell nothing.
    Elsewhere(OwnedFd),
}

/// What the accepting side answers.
pub(in super::super) struct Welcome {
    pub(in super::super) nonce: Nonce,
    /// A bootstrap code.
    pub(in super::super) code: kern_return_t,
    /// The number of the link that the two processes have already and that the right goes over; this connection ends. 0: this connection
    /// becomes the link.
    pub(in super::super) existing: u64,
    pub(in super::super) export: u32,
    pub(in super::super) credits: u32,
    pub(in super::super) identity: Identity,
    /// The name is declared: it outlives its owner.
    pub(in super::super) declared: bool,
}

/// A new name for this task.
pub(super) fn own_nonce() -> Nonce {
    let mut nonce = [0; 16];
    // The call fails only where the kernel has no randomness at all; process id and time tell tasks apart then.
    if rustix::rand::getrandom(&mut nonce[..], rustix::rand::GetRandomFlags::empty()) != Ok(16) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        nonce[..8].copy_from_slice(&(now.tv_nsec as u64 ^ (now.tv_sec as u64) << 30).to_le_bytes());
        nonce[8..12].copy_from_slice(&rustix::process::getpid().as_raw_nonzero().get().to_le_bytes());
    }
    nonce
}

/// The tokens of a process: ids, and a version that tells it from an earlier process with its id.
pub(in super::super) fn tokens(pid: u32, uid: u32, gid: u32, nonce: &Nonce) -> Sender {
    let version = u32::from_le_bytes([nonce[0], nonce[1], nonce[2], nonce[3]]) >> 1;
    Sender {
        security: security_token_t { val: [uid, gid] },
        audit: audit_token_t { val: [uid, uid, gid, uid, gid, pid, 0, version] },
    }
}

/// The tokens of whom the kernel vouches for. `None`: a process of a pid namespace that cannot be seen from here: its id of 0 must not pass
/// for that of Mach's kernel.
fn sender_of(credentials: Credentials, nonce: &Nonce) -> Option<Sender> {
    let Credentials { pid, uid, gid } = credentials;
    (pid != 0).then(|| tokens(pid, uid, gid, nonce))
}

/// Sends a hello with the link's memory.
pub(in super::super) fn greet(
    socket: impl AsFd,
    nonce: &Nonce,
    name: &[u8],
    memory: &OwnedFd,
    early: bool,
) -> rustix::io::Result<()> {
    let mut packet = vec![HELLO, if early { FLAG } else { 0 }, 0, 0];
    packet.extend_from_slice(&VERSION.to_le_bytes());
    packet.extend_from_slice(nonce);
    packet.extend_from_slice(name);
    socket::send(socket, &packet, &[memory.as_fd()])
}

/// Tells that the hello comes on another socket, of which this is the peer's end.
pub(in super::super) fn go_elsewhere(socket: impl AsFd, other: OwnedFd) -> rustix::io::Result<()> {
    let mut packet = vec![ELSEWHERE, 0, 0, 0];
    packet.extend_from_slice(&VERSION.to_le_bytes());
    socket::send(socket, &packet, &[other.as_fd()])
}

/// Receives a hello. `Ok(None)`: it has not come yet; an error: the peer is gone, cannot be seen (`ACCESS`), or does not speak our protocol.
pub(in super::super) fn receive_hello(socket: &OwnedFd) -> rustix::io::Result<Option<First>> {
    let mut bytes = [0; PACKET_MAX];
    let packet = match socket::receive(socket, &mut bytes) {
        Err(rustix::io::Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error),
        Ok(None) => return Err(rustix::io::Errno::PIPE),
        Ok(Some(packet)) => packet,
    };
    let credentials = match packet.credentials {
        Some(credentials) => credentials,
        None => socket::credentials(socket)?,
    };
    if packet.fds_lost {
        return Err(rustix::io::Errno::MFILE);
    }
    let mut fds = packet.fds;
    let bytes = &bytes[..packet.len];
    match (parse_hello(bytes), fds.pop(), fds.is_empty()) {
        (Some((nonce, name)), Some(memory), true) => {
            let peer = sender_of(credentials, &nonce).ok_or(rustix::io::Errno::ACCESS)?;
            let early = bytes[1] == FLAG;
            Ok(Some(First::Hello(Hello { peer, nonce, name: name.to_vec(), memory, early })))
        }
        (None, Some(other), true) if is_elsewhere(bytes) => Ok(Some(First::Elsewhere(other))),
        _ => Err(rustix::io::Errno::PROTO),
    }
}

/// Process id of whoever made a connection, 0 if it cannot be seen. `None`: this is not a connection on which a handshake could happen.
pub(in super::super) fn creator(socket: &OwnedFd) -> Option<u32> {
    use rustix::net::{AddressFamily, SocketType, sockopt};
    // A peer can pass us any descriptor. The kernel vouches for nobody on other kinds of sockets.
    let fit = sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(socket) == Ok(SocketType::SEQPACKET);
    Some(fit.then(|| socket::credentials(socket).ok()).flatten()?.pid)
}

fn is_elsewhere(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.word() == Some(ELSEWHERE.into()) && reader.word() == Some(VERSION) && reader.rest().is_empty()
}

fn parse_hello(bytes: &[u8]) -> Option<(Nonce, &[u8])> {
    let mut reader = Reader::new(bytes);
    let kind = reader.word()?;
    let version = reader.word()?;
    let nonce = reader.take(16)?.try_into().ok()?;
    let name = reader.rest();
    let hello = kind & !u32::from_le_bytes([0, FLAG, 0, 0]) == u32::from(HELLO);
    (hello && version == VERSION && name.len() <= NAME_MAX).then_some((nonce, name))
}

/// Answers a hello. With `introduction` the right is behind that socket, and this connection ends.
pub(in super::super) fn send_welcome(
    socket: impl AsFd,
    welcome: &Welcome,
    introduction: Option<OwnedFd>,
) -> rustix::io::Result<()> {
    let mut packet = vec![WELCOME, if welcome.declared { FLAG } else { 0 }, 0, 0];
    packet.extend_from_slice(&VERSION.to_le_bytes());
    packet.extend_from_slice(&welcome.nonce);
    for word in [welcome.code as u32, welcome.export, welcome.credits] {
        packet.extend_from_slice(&word.to_le_bytes());
    }
    packet.extend_from_slice(&welcome.identity);
    packet.extend_from_slice(&welcome.existing.to_le_bytes());
    let sent = match &introduction {
        Some(introduction) => socket::send(socket, &packet, &[introduction.as_fd()]),
        None => socket::send(socket, &packet, &[]),
    };
    match sent {
        // A peer that was introduced may have sent messages before it went: they lie in the link, and the poll tells that it has gone.
        Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Ok(()),
        sent => sent,
    }
}

/// Tells whoever connected by itself that there is no room for it. What it said so far is taken: left unread it would be an error there.
pub(in super::super) fn refuse(socket: OwnedFd, nonce: Nonce, code: kern_return_t) {
    let _ = socket::receive(&socket, &mut [0; PACKET_MAX]);
    let (existing, export, credits, identity) = (0, 0, 0, NO_IDENTITY);
    let welcome = Welcome { nonce, code, existing, export, credits, identity, declared: false };
    let _ = send_welcome(&socket, &welcome, None);
}

/// Receives the answer to a hello; the socket is readable. Also tells who sent it, and gives the socket of an introduction.
pub(in super::super) fn receive_welcome(
    socket: &OwnedFd,
) -> rustix::io::Result<(Welcome, Sender, Option<OwnedFd>)> {
    let mut bytes = [0; PACKET_MAX];
    let packet = match socket::receive(socket, &mut bytes) {
        // The peer closed it with the hello unread. What it had sent before comes after that error.
        Err(rustix::io::Errno::CONNRESET) => socket::receive(socket, &mut bytes),
        received => received,
    };
    let mut packet = packet?.ok_or(rustix::io::Errno::PIPE)?;
    if packet.fds_lost {
        return Err(rustix::io::Errno::MFILE);
    }
    let welcome = parse_welcome(&bytes[..packet.len]).ok_or(rustix::io::Errno::PROTO)?;
    // Who listened first is not who answers where a service manager declares the name.
    let credentials = packet.credentials.ok_or(rustix::io::Errno::PROTO)?;
    let sender = sender_of(credentials, &welcome.nonce).ok_or(rustix::io::Errno::ACCESS)?;
    Ok((welcome, sender, packet.fds.pop()))
}

fn parse_welcome(bytes: &[u8]) -> Option<Welcome> {
    let mut reader = Reader::new(bytes);
    let kind = reader.word()?;
    let version = reader.word()?;
    let nonce = reader.take(16)?.try_into().ok()?;
    let (code, export, credits) = (reader.word()?, reader.word()?, reader.word()?);
    let identity = reader.take(36)?.try_into().ok()?;
    let existing = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    (kind & 0xff == u32::from(WELCOME) && version == VERSION).then_some(Welcome {
        nonce,
        code: code as kern_return_t,
        existing,
        export,
        credits,
        identity,
        declared: kind >> 8 & 0xff == u32::from(FLAG),
    })
}

/// Who a peer is that was not waited for, and what it answers.
pub(super) fn identify(bytes: &[u8], credentials: Option<Credentials>) -> Option<(Sender, Welcome)> {
    let welcome = parse_welcome(bytes)?;
    Some((sender_of(credentials?, &welcome.nonce)?, welcome))
}
