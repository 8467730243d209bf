//! The socket of a link: packets that carry descriptors, and bells.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// The most descriptors in one packet: the kernel's own limit, `SCM_MAX_FD`.
pub(super) const FDS_MAX: usize = 253;

/// Room for what can come beside a packet's bytes: descriptors and credentials.
const CONTROL_SIZE: usize = rustix::cmsg_space!(ScmRights(FDS_MAX), ScmCredentials(1));

/// Aligned for the headers in it.
#[repr(align(8))]
struct Control([u8; CONTROL_SIZE]);

/// What the system says of a process: its `struct ucred`. That of rustix holds no process id of 0, which is what the system says of a process
/// that is in another pid namespace, so such a value must never come to be (pid_namespaces(7)).
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Credentials {
    /// 0: it cannot be seen from here.
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What a packet brought.
pub(super) struct Packet {
    pub(super) len: usize,
    pub(super) fds: Vec<OwnedFd>,
    /// Who sent it, as the kernel says, on sockets that ask for that.
    pub(super) credentials: Option<Credentials>,
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
    let mut control = Control([0; CONTROL_SIZE]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: a header of zeros names no memory and is a valid one; musl pads it, so that it cannot be written out.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&mut part, 1);
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_SIZE as _;
    let len = loop {
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the header names memory that is ours and as long as it says.
        let len = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &mut header, flags) };
        match usize::try_from(len) {
            Ok(len) => break len,
            Err(_) => match last_error() {
                Errno::INTR => {}
                error => return Err(error),
            },
        }
    };
    // Descriptors are owned from here on, whatever else is wrong with the packet.
    let (fds, credentials) = controls(&header);
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(Errno::MSGSIZE);
    }
    if len == 0 && fds.is_empty() {
        return Ok(None);
    }
    // There is room for all that a packet can have, so it was descriptors that the process had no room for (unix(7)).
    let fds_lost = header.msg_flags & libc::MSG_CTRUNC != 0;
    Ok(Some(Packet { len, fds, credentials, fds_lost }))
}

/// Takes what came beside a packet's bytes.
fn controls(header: &libc::msghdr) -> (Vec<OwnedFd>, Option<Credentials>) {
    let (mut fds, mut credentials) = (Vec::new(), None);
    // SAFETY: the system filled in the header and what it names.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: it points to a whole header in memory that is aligned for it.
        let control = unsafe { *next };
        // SAFETY: the data follows that header.
        let data = unsafe { libc::CMSG_DATA(next) };
        // SAFETY: it only computes.
        let len = control.cmsg_len as usize - unsafe { libc::CMSG_LEN(0) } as usize;
        match (control.cmsg_level, control.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                for index in 0..len / size_of::<RawFd>() {
                    // SAFETY: so many descriptors are there.
                    let place = unsafe { data.cast::<RawFd>().add(index) };
                    // SAFETY: as above; any bytes are a number.
                    let fd = unsafe { place.read_unaligned() };
                    // SAFETY: the system has just made it, for this packet, and nobody else knows of it.
                    fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
                }
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if len >= size_of::<Credentials>() => {
                // SAFETY: as many bytes are there, and any are valid.
                credentials = Some(unsafe { data.cast::<Credentials>().read_unaligned() });
            }
            _ => {}
        }
        // SAFETY: as for the first.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    (fds, credentials)
}

/// Who made the other end of a connection, or listened for it.
pub(super) fn credentials(socket: impl AsFd) -> rustix::io::Result<Credentials> {
    let mut credentials = Credentials { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of::<Credentials>() as libc::socklen_t;
    let place = (&raw mut credentials).cast();
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: there is room for as many bytes as told, and any are valid.
    match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, place, &mut len) } {
        0 => Ok(credentials),
        _ => Err(last_error()),
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
