//! The socket of a link: packets that carry descriptors, and bells.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, UCred,
};

/// The most descriptors in one packet: the kernel's own limit, `SCM_MAX_FD`.
pub(super) const FDS_MAX: usize = 253;

/// What a packet brought.
pub(super) struct Packet {
    pub(super) len: usize,
    pub(super) fds: Vec<OwnedFd>,
    /// Who sent it, as the kernel says, on sockets that ask for that.
    pub(super) credentials: Option<UCred>,
    /// There were more descriptors than this process may have.
    pub(super) fds_lost: bool,
}

/// Sends one packet without waiting.
pub(super) fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    loop {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            result => return result.map(|_| ()),
        }
    }
}

/// Receives one packet without waiting. `None`: the peer has hung up.
pub(super) fn receive(socket: impl AsFd, bytes: &mut [u8]) -> rustix::io::Result<Option<Packet>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message = loop {
        match rustix::net::recvmsg(socket.as_fd(), &mut [IoSliceMut::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    // Descriptors are owned from here on, whatever else is wrong with the packet.
    let mut fds = Vec::new();
    let mut credentials = None;
    for control in control.drain() {
        match control {
            RecvAncillaryMessage::ScmRights(received) => fds.extend(received),
            RecvAncillaryMessage::ScmCredentials(sender) => credentials = Some(sender),
            _ => {}
        }
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE);
    }
    if message.bytes == 0 && fds.is_empty() {
        return Ok(None);
    }
    // There is room for all that a packet can have, so it was descriptors that the process had no room for (unix(7)).
    let fds_lost = message.flags.contains(ReturnFlags::CTRUNC);
    Ok(Some(Packet { len: message.bytes, fds, credentials, fds_lost }))
}
