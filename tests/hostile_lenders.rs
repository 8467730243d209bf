//! Peers that lend unasked, or what they do not have: nobody borrows from who was not trusted, and only that one's link ends. The peer is spoken by hand, so
//! this is for Linux only.
#![cfg(target_os = "linux")]

mod endurance_support;
mod hostile_support;

use std::os::fd::{AsFd, OwnedFd};

use endurance_support::*;
use hostile_support as link;
use machipc::Trust;
use machipc::port::{MessageBuffer, Notification, Outgoing, ReceiveRight, bootstrap};

/// Kinds of frames.
const REQUEST: u8 = link::PLAIN | link::ASKS;
const OFFER: u8 = 24;
const ACCEPT: u8 = 25;

/// In the options of a loan: it is the reader's own.
const OF_READER: u32 = 1 << 17;
/// In an offer: for no port, but in return.
const IN_RETURN: u32 = u32::MAX;
const BLOCKS: usize = 256;
/// The loan at the beginning of a pool: its length, block and ticket.
const SOUND: [u32; 3] = [100, 0, 1 << 31];

/// Not a test of its own: who asks the peer.
#[test]
fn asker() {
    let Some(role) = role() else { return };
    abort_on_panic();
    let host = bootstrap::look_up::<u64>(&role[0]).expect("it is there");
    if role[1] == "trusts" {
        // SAFETY: the peer writes to no pool.
        let trust = unsafe { Trust::new() };
        host.offer_loans(trust, BLOCKS * 4096).expect("it lives");
    }
    let port = ReceiveRight::<()>::new().expect("a port");
    let (mut sent, mut buffer) = (MessageBuffer::new(), MessageBuffer::new());
    let request = Outgoing::message(&mut sent, &7_u64).expect("a number").copy_send(&host).make_reply(&port);
    let received = request.send_and_receive(&port, &mut buffer, soon()).expect("something");
    tell(&match received.notification() {
        Some(Notification::SendOnce) => "no answer".to_owned(),
        Some(other) => panic!("{other:?}"),
        None => format!("{} bytes", received.out_of_line_size()),
    });
}

/// A host that is spoken by hand.
struct Peer {
    connection: OwnedFd,
    ring: link::Ring,
    asker: Second,
}

impl Peer {
    fn start(trusts: &str) -> Self {
        let name = "lender";
        let directory = std::env::var_os("MACHIPC_BOOTSTRAP_DIR").expect("set by `privately`");
        let path = link::socket_path(directory.as_ref(), name);
        let listener = link::socket();
        let address = rustix::net::SocketAddrUnix::new(&path).expect("a path");
        rustix::net::bind(&listener, &address).expect("the name is free");
        rustix::net::listen(&listener, 4).expect("a listener");
        let asker = Second::start("asker", &format!("{name} {trusts}"));
        let connection = rustix::net::accept(&listener).expect("the asker");
        let (_, memory) = link::receive(&connection).expect("a hello");
        std::fs::remove_file(path).expect("a socket of ours");
        let ring = link::Ring::map(memory.expect("memory for the link"));
        assert!(link::send(&connection, &link::welcome(), &[]));
        Self { connection, ring, asker }
    }

    fn say(&self, frame: &[u8]) {
        self.ring.write_to(1, frame);
        link::send(&self.connection, b"B", &[]);
    }

    fn offer(&self, export: u32) {
        let pool = link::memfd((1 + BLOCKS) * 4096);
        rustix::fs::fcntl_add_seals(&pool, link::seals()).expect("new memory");
        assert!(link::send(&self.connection, b"F\x01", &[pool.as_fd()]));
        self.say(&link::frame(OFFER, 1, &[export, 0]));
    }

    /// Answers with memory of the peer's pool.
    fn lend(&self, reply: u32, loan: [u32; 3]) {
        self.answer(reply, 1, loan);
    }

    /// Answers with a loan, of which the options say more.
    fn answer(&self, reply: u32, options: u32, [len, block, ticket]: [u32; 3]) {
        self.say(&link::message(reply, 1, [0; 4], &[7, options, len, block, ticket], 1, &[1, 0, 0, 0, 0]));
    }

    /// The body of the first frame of a kind that the asker has sent.
    fn frame(&self, kind: u8) -> Option<Vec<u32>> {
        let bytes = self.ring.written(0);
        let mut rest = &bytes[..];
        while let Some((head, behind)) = rest.split_first_chunk::<8>() {
            let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            if head[4] == kind {
                let words = behind[..len].chunks_exact(4);
                return Some(words.map(|word| u32::from_le_bytes(*word.first_chunk().unwrap())).collect());
            }
            rest = &rest[link::place(8 + len)..];
        }
        None
    }

    fn await_frame(&self, kind: u8) -> Vec<u32> {
        let mut frame = None;
        until("the asker sends it", || {
            frame = self.frame(kind);
            frame.is_some()
        });
        frame.unwrap_or_default()
    }

    /// The export id of the right to answer.
    fn await_request(&self) -> u32 {
        self.await_frame(REQUEST)[link::REPLY / 4 - 2]
    }

    /// What comes of an answer, and whether the asker has taken a pool. It ends well in any case.
    fn outcome(mut self) -> (String, bool) {
        let told = self.asker.told();
        let taken = self.frame(ACCEPT).is_some();
        assert!(self.asker.finish().success());
        (told, taken)
    }
}

#[test]
fn nobody_borrows_from_who_was_not_trusted() {
    privately("nobody_borrows_from_who_was_not_trusted", || {
        // Who trusts a peer that has not taken its pool has no word of trust from it.
        for trusts in ["does not", "trusts"] {
            for export in [IN_RETURN, 0] {
                let peer = Peer::start(trusts);
                let reply = peer.await_request();
                // The right to answer is no right to a port that takes loans.
                peer.offer(if export == 0 { reply } else { export });
                peer.lend(reply, SOUND);
                assert_eq!(peer.outcome(), ("no answer".to_owned(), false));
            }
        }
        // Nothing comes back that was not lent.
        for trusts in ["does not", "trusts"] {
            let peer = Peer::start(trusts);
            let reply = peer.await_request();
            peer.say(&link::frame(ACCEPT, 0, &[0, 0])[..if trusts == "trusts" { 16 } else { 0 }]);
            peer.answer(reply, 1 | OF_READER, SOUND);
            assert_eq!(peer.outcome(), ("no answer".to_owned(), false));
        }
        // Its pool is what an answer may come without.
        let peer = Peer::start("does not");
        let reply = peer.await_request();
        peer.offer(IN_RETURN);
        peer.say(&link::message(reply, 1, [0; 4], &[], 0, &[1, 2, 3]));
        assert_eq!(peer.outcome(), ("0 bytes".to_owned(), false));
        // Nor is a pool accepted that was not offered.
        let peer = Peer::start("does not");
        let reply = peer.await_request();
        peer.say(&link::frame(ACCEPT, 0, &[0, 0]));
        peer.say(&link::message(reply, 1, [0; 4], &[], 0, &[1, 2, 3]));
        assert_eq!(peer.outcome(), ("no answer".to_owned(), false));
    });
}

#[test]
fn who_is_trusted_lends_what_it_has() {
    privately("who_is_trusted_lends_what_it_has", || {
        let lends = |loan| {
            let peer = Peer::start("trusts");
            peer.await_frame(OFFER);
            peer.say(&link::frame(ACCEPT, 0, &[0, 0]));
            peer.offer(IN_RETURN);
            peer.lend(peer.await_request(), loan);
            peer.outcome()
        };
        assert_eq!(lends(SOUND), ("100 bytes".to_owned(), true));
        assert_eq!(lends([4096, BLOCKS as u32 - 1, u32::MAX]), ("4096 bytes".to_owned(), true));
        let beyond = [[0, 0, 1 << 31], [1, BLOCKS as u32, 1 << 31], [4097, BLOCKS as u32 - 1, 1 << 31]];
        for loan in beyond.into_iter().chain([[u32::MAX, 0, 1 << 31], [1, u32::MAX, 1 << 31], [1, 0, 1]]) {
            assert_eq!(lends(loan), ("no answer".to_owned(), true));
        }
    });
}
