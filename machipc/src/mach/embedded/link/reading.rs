//! What comes by a link: packets of its socket, and whole frames of its ring.

use super::super::recycle;
use super::super::services::is_trusted;
use super::frame::{self, FRAME_MAX, HEAD};
use super::{Arrived, Breach, FDS_WAITING_MAX, Link, PACKETS_AT_ONCE, Partial, handshake, place_of, socket};

impl Link {
    /// Reads what the socket has: bells are forgotten, descriptors kept for their frames. `Ok(false)`: the peer has hung up.
    pub(super) fn read_socket(&mut self) -> Result<bool, Breach> {
        self.read_packets(false)
    }

    /// [`read_socket`](Self::read_socket), up to a bell: mostly there is nothing behind it, and what there is shows in the next poll. It saves a
    /// system call each time that a thread is woken.
    pub(super) fn hear_bell(&mut self) -> Result<bool, Breach> {
        self.read_packets(true)
    }

    fn read_packets(&mut self, up_to_bell: bool) -> Result<bool, Breach> {
        let mut bytes = [0; handshake::PACKET_MAX];
        for _ in 0..PACKETS_AT_ONCE {
            match socket::receive(&self.socket, &mut bytes) {
                Ok(Some(packet)) => {
                    if self.unidentified && bytes[0] == handshake::WELCOME {
                        let peer = handshake::identify(&bytes[..packet.len], packet.credentials);
                        let (peer, welcome) =
                            peer.filter(|(peer, _)| is_trusted(peer.security.val[0])).ok_or(Breach)?;
                        (self.peer, self.nonce) = (peer, welcome.nonce);
                        self.unidentified = false;
                        self.answer = Some(welcome);
                        continue;
                    }
                    // Those that came without room for them are counted all the same: each belongs to its place in a frame.
                    let count = if bytes[0] == b'F' && packet.len == 2 { usize::from(bytes[1]) } else { 0 };
                    let right = count == packet.fds.len() || (packet.fds_lost && count > packet.fds.len());
                    if packet.len == 0 || !right || self.fds.len() + count > FDS_WAITING_MAX {
                        return Err(Breach);
                    }
                    if up_to_bell && count == 0 {
                        return Ok(true);
                    }
                    let all = packet.fds.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
                    self.fds.extend(all.take(count));
                }
                Ok(None) => return Ok(false),
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                // The peer has gone without reading everything. The system says that once, before the packets that it had sent.
                Err(rustix::io::Errno::CONNRESET) => {}
                Err(_) => return Err(Breach),
            }
        }
        // The rest is still there when the socket is next polled.
        Ok(true)
    }

    /// Looks who the peer is before anything of it is taken. False: it has written without having said so, or cannot be trusted.
    pub(super) fn identify(&mut self) -> bool {
        match self.rx.available() {
            Ok(0) => true,
            // Its welcome went before.
            Ok(_) => self.read_socket().is_ok() && !self.unidentified,
            Err(_) => false,
        }
    }

    /// The next whole frame: kind, body, descriptors.
    pub(super) fn next_frame(&mut self) -> Result<Option<Arrived>, Breach> {
        let available = self.rx.available()? as usize;
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None if available == 0 => return Ok(None),
            None => Partial { head: [0; HEAD], headed: 0, body: recycle::take() },
        };
        let count = (HEAD - partial.headed).min(available);
        self.rx.read(&mut partial.head[partial.headed..partial.headed + count]);
        partial.headed += count;
        if partial.headed < HEAD {
            self.partial = Some(partial);
            return Ok(None);
        }
        let (len, kind, fds) = frame::parse_head(partial.head);
        if len > FRAME_MAX || fds > socket::FDS_MAX {
            return Err(Breach);
        }
        if kind == frame::ROW && partial.body.is_empty() {
            recycle::give(core::mem::replace(&mut partial.body, core::mem::take(&mut self.row)));
        }
        // With the rest of the frame's place.
        let all = place_of(HEAD + len) - HEAD;
        let have = partial.body.len();
        let count = (all - have).min(available - count);
        // Memory is taken as bytes arrive, not as the peer announces them.
        partial.body.resize(have + count, 0);
        self.rx.read(&mut partial.body[have..]);
        if partial.body.len() < all {
            self.partial = Some(partial);
            return Ok(None);
        }
        partial.body.truncate(len);
        if self.fds.len() < fds {
            // They were sent before the frame, so they are in the socket.
            self.read_socket()?;
            if self.fds.len() < fds {
                return Err(Breach);
            }
        }
        let fds = self.fds.drain(..fds).collect();
        Ok(Some((kind, partial.body, fds)))
    }
}
