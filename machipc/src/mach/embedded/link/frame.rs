//! What goes over a link, as bytes. Everything a peer wrote is checked here or where it is applied; a breach ends the link.

use super::identity::{Identity, NO_IDENTITY};
use crate::mach::{MACH_MSG_SEND_MAX, mach_msg_header_t};

/// Length, kind and descriptor count.
pub(super) const HEAD: usize = 8;

/// The longest frame: the largest message, with room for what its descriptors add: memory that finds no descriptor, and half as much for rights.
pub(super) const FRAME_MAX: usize = MACH_MSG_SEND_MAX as usize + MEMORY_MAX + MEMORY_MAX / 2;

/// The most bytes of out-of-line memory in a frame itself.
pub(super) const MEMORY_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a message frame before its items.
pub(super) const MESSAGE_HEAD: usize = 40;

/// The same of a plain message's. With [`HEAD`] it is as long as a message's header, so that the rest lies in the ring as it does in the buffers of
/// sender and receiver, as far as cache lines are concerned.
pub(super) const PLAIN_HEAD: usize = size_of::<mach_msg_header_t>() - HEAD;

pub(super) const MESSAGE: u8 = 1;
pub(super) const RELEASE: u8 = 2;
pub(super) const RELEASE_ONCE: u8 = 3;
pub(super) const DEAD: u8 = 4;
pub(super) const CREDIT: u8 = 5;
pub(super) const INTRODUCE: u8 = 6;
pub(super) const REVOKE: u8 = 7;
pub(super) const REVOKED: u8 = 8;
pub(super) const IDENTITY: u8 = 9;
pub(super) const THIRD: u8 = 10;
pub(super) const MOVE: u8 = 11;
pub(super) const GONE: u8 = 12;
pub(super) const HALT: u8 = 13;
pub(super) const HALTED: u8 = 14;
pub(super) const RESUME: u8 = 15;
pub(super) const REDIRECT: u8 = 16;
pub(super) const REFER: u8 = 17;
pub(super) const BYE: u8 = 18;
pub(super) const RECEIVED: u8 = 19;
pub(super) const ROW: u8 = 20;
pub(super) const PIECES: u8 = 21;
pub(super) const PIECE: u8 = 22;
pub(super) const TAKEN: u8 = 23;
pub(super) const OFFER: u8 = 24;
pub(super) const ACCEPT: u8 = 25;
pub(super) const IMPORTED: u8 = 26;
/// A message that is simple, or carries nothing else but one loan, has a shorter head, whose kind is this and some of the bits below it.
pub(super) const PLAIN: u8 = 32;
pub(super) const PLAIN_KINDS: core::ops::RangeInclusive<u8> =
    PLAIN..=PLAIN | PLAIN_TO_ONCE | PLAIN_ASKS | PLAIN_LENDS;
/// It goes to a send-once right.
pub(super) const PLAIN_TO_ONCE: u8 = 1;
/// It has a send-once right for the answer.
pub(super) const PLAIN_ASKS: u8 = 2;
/// It has an item, which is a loan.
pub(super) const PLAIN_LENDS: u8 = 4;

/// Export ids from here on are chosen by the holder: the former owner of a port that has moved.
pub(super) const ASSIGNED: u32 = 1 << 31;
/// Stands for no export id.
pub(super) const NO_EXPORT: u32 = u32::MAX;

/// How a message frame names its destination: by a send right, by a send-once right, by a send-once right that the former owner of a moved
/// port passes on, or as a message that was in the queue when its port moved.
pub(super) const TO_SEND: u8 = 0;
pub(super) const TO_ONCE: u8 = 1;
pub(super) const TO_MOVED_ONCE: u8 = 2;
pub(super) const TO_MOVED_QUEUE: u8 = 3;

pub(super) const ITEM_PORT: u32 = 1;
pub(super) const ITEM_GUARDED: u32 = 2;
pub(super) const ITEM_BYTES: u32 = 3;
pub(super) const ITEM_MEMFD: u32 = 4;
pub(super) const ITEM_PORTS: u32 = 5;
pub(super) const ITEM_PIECES: u32 = 6;
pub(super) const ITEM_LOAN: u32 = 7;

/// In the options of memory: its sender had no descriptor or memory left to send it with.
pub(super) const LOST: u32 = 1 << 16;
/// The same of a loan: it is of the reader's pool, and comes back to it.
pub(super) const OF_READER: u32 = 1 << 17;

/// A frame that carries no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Frame {
    /// The peer gives back `count` transfers of a send right to its port.
    Release { export: u32, count: u32 },
    /// A send-once right was destroyed unused.
    ReleaseOnce { export: u32 },
    /// The port has died. The holder answers with a release.
    Dead { export: u32 },
    /// That many more messages may be sent.
    Credit { export: u32, count: u32 },
    /// That much credit is asked back, as far as it is unused.
    Revoke { export: u32, count: u32 },
    /// That much credit was given back.
    Revoked { export: u32, count: u32 },
    /// The identity of the port whose send right the next message gives for the first time.
    Identity { export: u32, identity: Identity },
    /// The identity of the port of the next third-party right.
    Third { identity: Identity },
    /// Whoever is at the other end of the descriptor gets the right; a send-once right is used up by this.
    Introduce { export: u32, once: bool },
    /// Every transfer of a send right has been given back: the id means nothing any more.
    Gone { export: u32 },
    /// The port is about to move, or has: the holder sends nothing more to it until it is told where to, and says that it has stopped.
    Halt { export: u32, serial: u32 },
    /// Nothing more comes by this right; answers the halt of that number.
    Halted { export: u32, serial: u32 },
    /// The holder may go on as before.
    Resume { export: u32 },
    /// The port's owner waits at the other end of the descriptor, and is the one of this identity; the right goes over to a link between the
    /// two.
    Redirect { export: u32, identity: Identity },
    /// As an introduction to a send right, for a former owner of the port: that many of the sender's send-once rights go with it.
    Refer { export: u32, once: u32 },
    /// The writer has nothing of the peer's and has given it nothing: if that is so on both sides the link may end.
    Bye,
    /// One more message was received, by a port that a declared name stands for.
    Received { export: u32 },
    /// So many bytes of memory follow in pieces, and then the message that they belong to; none: what has been begun is given up.
    Pieces { len: u32 },
    /// So many bytes that came in pieces take no memory of the reader's any more.
    Taken { bytes: u32 },
    /// The descriptor is a pool of memory, for loans to who trusts the senders to that port; without a port, to who has lent the writer one.
    Offer { export: u32 },
    /// The reader's pool has been mapped.
    Accept,
    /// A send right has come otherwise than by the ring, which may have told of the port's death before: then it is told again.
    Imported { export: u32 },
}

impl Frame {
    /// The frame's bytes, and how many of them count.
    pub(super) fn encode(self) -> ([u8; 52], usize) {
        let none = NO_IDENTITY;
        let (kind, fds, export, count, identity) = match self {
            Frame::Release { export, count } => (RELEASE, 0, export, count, none),
            Frame::ReleaseOnce { export } => (RELEASE_ONCE, 0, export, 0, none),
            Frame::Dead { export } => (DEAD, 0, export, 0, none),
            Frame::Credit { export, count } => (CREDIT, 0, export, count, none),
            Frame::Introduce { export, once } => (INTRODUCE, 1, export, u32::from(once), none),
            Frame::Revoke { export, count } => (REVOKE, 0, export, count, none),
            Frame::Revoked { export, count } => (REVOKED, 0, export, count, none),
            Frame::Identity { export, identity } => (IDENTITY, 0, export, 0, identity),
            Frame::Third { identity } => (THIRD, 0, 0, 0, identity),
            Frame::Gone { export } => (GONE, 0, export, 0, none),
            Frame::Halt { export, serial } => (HALT, 0, export, serial, none),
            Frame::Halted { export, serial } => (HALTED, 0, export, serial, none),
            Frame::Resume { export } => (RESUME, 0, export, 0, none),
            Frame::Redirect { export, identity } => (REDIRECT, 1, export, 0, identity),
            Frame::Refer { export, once } => (REFER, 1, export, once, none),
            Frame::Bye => (BYE, 0, 0, 0, none),
            Frame::Received { export } => (RECEIVED, 0, export, 0, none),
            Frame::Pieces { len } => (PIECES, 0, 0, len, none),
            Frame::Taken { bytes } => (TAKEN, 0, 0, bytes, none),
            Frame::Offer { export } => (OFFER, 1, export, 0, none),
            Frame::Accept => (ACCEPT, 0, 0, 0, none),
            Frame::Imported { export } => (IMPORTED, 0, export, 0, none),
        };
        let len = if matches!(kind, IDENTITY | THIRD | REDIRECT) { 44 } else { 8 };
        let mut bytes = [0; 52];
        bytes[..8].copy_from_slice(&head(len, kind, fds));
        bytes[8..12].copy_from_slice(&export.to_le_bytes());
        bytes[12..16].copy_from_slice(&count.to_le_bytes());
        bytes[16..].copy_from_slice(&identity);
        (bytes, HEAD + len)
    }

    /// Reads the body of a frame of this kind; `None` where there is no such frame.
    pub(super) fn decode(kind: u8, body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let (export, count) = (reader.word()?, reader.word()?);
        let identity = match kind {
            IDENTITY | THIRD | REDIRECT => reader.take(36)?.try_into().ok()?,
            _ => NO_IDENTITY,
        };
        if !reader.rest().is_empty() {
            return None;
        }
        Some(match kind {
            IDENTITY => Frame::Identity { export, identity },
            THIRD => Frame::Third { identity },
            RELEASE => Frame::Release { export, count },
            RELEASE_ONCE => Frame::ReleaseOnce { export },
            DEAD => Frame::Dead { export },
            CREDIT => Frame::Credit { export, count },
            INTRODUCE => Frame::Introduce { export, once: count != 0 },
            REVOKE => Frame::Revoke { export, count },
            REVOKED => Frame::Revoked { export, count },
            GONE => Frame::Gone { export },
            HALT => Frame::Halt { export, serial: count },
            HALTED => Frame::Halted { export, serial: count },
            RESUME => Frame::Resume { export },
            REDIRECT => Frame::Redirect { export, identity },
            REFER => Frame::Refer { export, once: count },
            BYE => Frame::Bye,
            RECEIVED => Frame::Received { export },
            PIECES => Frame::Pieces { len: count },
            TAKEN => Frame::Taken { bytes: count },
            OFFER => Frame::Offer { export },
            ACCEPT => Frame::Accept,
            IMPORTED => Frame::Imported { export },
            _ => return None,
        })
    }
}

/// A frame's head: length of the body, kind, number of descriptors that go with it.
pub(super) fn head(len: usize, kind: u8, fds: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(len as u32).to_le_bytes());
    head[4] = kind;
    head[6..].copy_from_slice(&(fds as u16).to_le_bytes());
    head
}

/// Length, kind and number of descriptors.
pub(super) fn parse_head(head: [u8; HEAD]) -> (usize, u8, usize) {
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    (len, head[4], usize::from(u16::from_le_bytes([head[6], head[7]])))
}

/// A right inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireRight {
    Null,
    Dead,
    /// A send right to a port of the writer's, under the writer's export id, with credit for that many messages.
    MineSend {
        export: u32,
        credits: u32,
    },
    MineOnce {
        export: u32,
    },
    /// A right to a port of the reader's, under the reader's export id.
    YoursSend {
        export: u32,
    },
    YoursOnce {
        export: u32,
    },
    /// A right to a third process's port: its owner waits at the other end of the next descriptor.
    ThirdSend,
    ThirdOnce,
    /// A fileport: the file is the next descriptor.
    File,
    /// The receive right that a move announced under this id.
    Moved {
        export: u32,
    },
}

impl WireRight {
    pub(super) fn encode(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (index, word) in self.words().into_iter().enumerate() {
            bytes[4 * index..4 * index + 4].copy_from_slice(&u32::to_le_bytes(word));
        }
        bytes
    }

    pub(super) const fn words(self) -> [u32; 3] {
        match self {
            WireRight::Null => [0, 0, 0],
            WireRight::Dead => [1, 0, 0],
            WireRight::MineSend { export, credits } => [2, export, credits],
            WireRight::MineOnce { export } => [3, export, 0],
            WireRight::YoursSend { export } => [4, export, 0],
            WireRight::YoursOnce { export } => [5, export, 0],
            WireRight::ThirdSend => [6, 0, 0],
            WireRight::ThirdOnce => [7, 0, 0],
            WireRight::File => [8, 0, 0],
            WireRight::Moved { export } => [9, export, 0],
        }
    }
}

/// Reads a frame's body. Running out of bytes is `None`.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(super) fn word(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn right(&mut self) -> Option<WireRight> {
        let (tag, export, credits) = (self.word()?, self.word()?, self.word()?);
        Some(match tag {
            0 => WireRight::Null,
            1 => WireRight::Dead,
            2 => WireRight::MineSend { export, credits },
            3 => WireRight::MineOnce { export },
            4 => WireRight::YoursSend { export },
            5 => WireRight::YoursOnce { export },
            6 => WireRight::ThirdSend,
            7 => WireRight::ThirdOnce,
            8 => WireRight::File,
            9 => WireRight::Moved { export },
            _ => return None,
        })
    }
}
