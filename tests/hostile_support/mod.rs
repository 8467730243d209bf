//! The link protocol spoken by hand, right or wrong.

#![allow(dead_code)] // each test binary uses a part

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::mm::{MapFlags, ProtFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

pub const CAPACITY: u32 = 256 * 1024;
const CONTROL: usize = 4096;
pub const SIZE: usize = CONTROL + 2 * CAPACITY as usize;

/// Offsets of a direction's control words.
pub const TAIL: usize = 0;
pub const HEAD: usize = 128;

pub fn seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL
}

/// Pseudo-random numbers that a seed determines.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as u32
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    /// A number such as a protocol's fields have: mostly small, sometimes at an end of the range.
    pub fn field(&mut self) -> u32 {
        match self.below(8) {
            0..=4 => self.below(4),
            5 => (1 << 31) + self.below(4),
            6 => u32::MAX - self.below(3),
            _ => self.next(),
        }
    }
}

/// A link's memory, mapped as its creator has it: direction 0 is written.
pub struct Ring {
    base: *mut u8,
    pub fd: OwnedFd,
}

// SAFETY: the memory is only touched through atomics.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped in `map`; nobody uses it any more.
        let _ = unsafe { rustix::mm::munmap(self.base.cast(), SIZE) };
    }
}

impl Ring {
    pub fn new() -> Self {
        let fd = memfd(SIZE);
        rustix::fs::fcntl_add_seals(&fd, seals()).unwrap();
        Self::map(fd)
    }

    pub fn map(fd: OwnedFd) -> Self {
        let flags = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), SIZE, flags, MapFlags::SHARED, &fd, 0) };
        Self { base: base.unwrap().cast(), fd }
    }

    pub fn word(&self, direction: usize, offset: usize) -> &AtomicU32 {
        let at = self.base.wrapping_add(direction * 512 + offset).cast();
        // SAFETY: inside the mapping, aligned, and accessed atomically by everybody.
        unsafe { AtomicU32::from_ptr(at) }
    }

    /// Any byte of the memory.
    pub fn byte(&self, at: usize) -> &AtomicU8 {
        let at = self.base.wrapping_add(at % SIZE);
        // SAFETY: inside the mapping.
        unsafe { AtomicU8::from_ptr(at) }
    }

    fn data(direction: usize, position: u32) -> usize {
        CONTROL + direction * CAPACITY as usize + (position % CAPACITY) as usize
    }

    /// Appends bytes to direction 0, whether there is room or not.
    pub fn write(&self, bytes: &[u8]) {
        self.write_to(0, bytes);
    }

    /// Appends bytes to a direction: 1 is that of whoever did not create the memory.
    pub fn write_to(&self, direction: usize, bytes: &[u8]) {
        let tail = self.word(direction, TAIL).load(Ordering::Relaxed);
        for (index, byte) in bytes.iter().enumerate() {
            self.byte(Self::data(direction, tail.wrapping_add(index as u32))).store(*byte, Ordering::Relaxed);
        }
        self.word(direction, TAIL).store(tail.wrapping_add(bytes.len() as u32), Ordering::Release);
    }

    /// Everything that has been written to a direction since its beginning; less than its capacity.
    pub fn written(&self, direction: usize) -> Vec<u8> {
        let tail = self.word(direction, TAIL).load(Ordering::Acquire).min(CAPACITY);
        (0..tail).map(|at| self.byte(Self::data(direction, at)).load(Ordering::Relaxed)).collect()
    }
}

pub fn memfd(size: usize) -> OwnedFd {
    let fd = rustix::fs::memfd_create("hostile", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&fd, size as u64).unwrap();
    fd
}

/// The path of the socket of a bootstrap name.
pub fn socket_path(directory: &Path, name: &str) -> std::path::PathBuf {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let shown: String = name.chars().take(48).collect();
    directory.join(format!("{shown}-{hash:016x}.sock"))
}

pub fn socket() -> OwnedFd {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

pub fn pair() -> (OwnedFd, OwnedFd) {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

pub fn connect(path: &Path) -> OwnedFd {
    let socket = socket();
    let address = SocketAddrUnix::new(path).unwrap();
    while let Err(error) = rustix::net::connect(&socket, &address) {
        assert_eq!(error, Errno::INTR, "the host does not answer");
    }
    socket
}

/// Sends a packet without waiting. Whether it was taken.
pub fn send(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags).is_ok()
}

/// Receives a packet, waiting for it: its bytes and the first descriptor. `None` once the peer has hung up.
pub fn receive(socket: &OwnedFd) -> Option<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; 512];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags);
    let count = received.ok()?.bytes;
    let mut fd = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fd = fds.into_iter().next();
        }
    }
    bytes.truncate(count);
    (count > 0).then_some((bytes, fd))
}

/// The link protocol's version.
const VERSION: u8 = 5;

/// A hello: its kind, version, the peer's name for itself, and the name that is looked up.
pub fn hello(nonce: u64, name: &str) -> Vec<u8> {
    let mut packet = vec![b'H', 0, 0, 0, VERSION, 0, 0, 0];
    packet.extend_from_slice(&nonce.to_le_bytes());
    packet.extend_from_slice(&[7; 8]);
    packet.extend_from_slice(name.as_bytes());
    packet
}

/// A welcome that gives export 0 with some credit.
pub fn welcome() -> Vec<u8> {
    let mut packet = vec![b'W', 0, 0, 0, VERSION, 0, 0, 0];
    packet.extend_from_slice(&[9; 16]);
    for word in [0_u32, 0, 100] {
        packet.extend_from_slice(&word.to_le_bytes());
    }
    packet.extend_from_slice(&[3; 36]);
    // No link that the two have already.
    packet.extend_from_slice(&[0; 8]);
    packet
}

/// Bytes of the ring that a frame of so many takes: whole cache lines.
pub fn place(len: usize) -> usize {
    len.next_multiple_of(64)
}

/// A frame in its place: length, kind and number of descriptors, then the words of its body.
pub fn frame(kind: u8, fds: u16, words: &[u32]) -> Vec<u8> {
    let mut bytes = (4 * words.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&[kind, 0]);
    bytes.extend_from_slice(&fds.to_le_bytes());
    words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    bytes.resize(place(bytes.len()), 0);
    bytes
}

/// The kind of a message frame with a short head; together with the bits below it.
pub const PLAIN: u8 = 32;
/// In that kind: it has a send-once right for the answer.
pub const ASKS: u8 = 2;
/// In that kind: it has an item.
pub const LENDS: u8 = 4;
/// Where the export of that right is told in the frame.
pub const REPLY: usize = 20;

/// A message frame with a short head.
pub fn plain(kind: u8, export: u32, reply: u32, item: &[u32], bytes: &[u32]) -> Vec<u8> {
    frame(kind, 0, &[&[export, 77, 0, reply], item, bytes].concat())
}

/// A message frame.
pub fn message(export: u32, to: u8, reply: [u32; 4], items: &[u32], count: u32, bytes: &[u32]) -> Vec<u8> {
    let complex = u32::from(count > 0);
    let mut words = vec![export, u32::from(to) | reply[0] << 8 | complex << 16, 77, 0];
    words.extend_from_slice(&reply[1..]);
    words.extend_from_slice(&[4 * items.len() as u32, count, 0]);
    words.extend_from_slice(items);
    words.extend_from_slice(bytes);
    frame(1, 0, &words)
}

/// A connection as a link, rightly begun.
pub struct Peer {
    pub socket: OwnedFd,
    pub ring: Ring,
}

impl Peer {
    pub fn connect(path: &Path, nonce: u64, name: &str) -> Self {
        let (socket, ring) = (connect(path), Ring::new());
        send(&socket, &hello(nonce, name), &[ring.fd.as_fd()]);
        Self { socket, ring }
    }

    /// Writes frames and wakes whoever sleeps.
    pub fn say(&self, frames: &[u8]) {
        self.ring.write(frames);
        self.bell();
    }

    pub fn bell(&self) {
        send(&self.socket, b"B", &[]);
    }
}
