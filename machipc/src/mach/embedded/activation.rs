//! Sockets that a service manager has made and hands down: systemd's socket activation, `sd_listen_fds(3)`.
//!
//! The environment says for which process they are (`LISTEN_PID`), how many (`LISTEN_FDS`, from descriptor 3 on) and what they are called
//! (`LISTEN_FDNAMES`). The variables stay as they are. The descriptors stay open, so that a name that was given up can be taken again;
//! from the first check-in on they are close-on-exec.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::OnceLock;

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};
use rustix::process::{Pid, getpid};

use crate::mach::{BOOTSTRAP_NO_MEMORY, BOOTSTRAP_NOT_PRIVILEGED, kern_return_t};

/// The first descriptor that is handed down: `SD_LISTEN_FDS_START`.
const FIRST: RawFd = 3;
/// What a descriptor is called whose unit gives it no name, where there are no names at all.
const NAMELESS: &[u8] = b"unknown";

/// What this process was handed.
struct Handed {
    /// A forked child is not who it was meant for.
    owner: Pid,
    descriptors: Vec<(Vec<u8>, RawFd)>,
}

/// The listening socket of a declared name, if this process was handed one. `file` is where clients look for it.
pub(super) fn listener(name: &[u8], file: &Path) -> Result<Option<OwnedFd>, kern_return_t> {
    static HANDED: OnceLock<Option<Handed>> = OnceLock::new();
    let handed = HANDED.get_or_init(read_environment).as_ref();
    let Some(handed) = handed.filter(|handed| handed.owner == getpid()) else { return Ok(None) };
    let mut called = handed.descriptors.iter().filter(|(called, _)| called == name).peekable();
    if called.peek().is_none() {
        return Ok(None);
    }
    let shown = String::from_utf8_lossy(name);
    for &(_, fd) in called {
        // SAFETY: the descriptor was open when the environment was read, and nothing here closes it. A program that closes it on its own has
        // another one checked here, or none.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        match unfit(fd, file) {
            None => {
                rustix::io::ioctl_fionbio(fd, true).map_err(|_| BOOTSTRAP_NO_MEMORY)?;
                return fcntl_dupfd_cloexec(fd, 0).map(Some).map_err(|_| BOOTSTRAP_NO_MEMORY);
            }
            Some(reason) => tracing::error!(
                service = %shown,
                ?fd,
                "the descriptor that the service manager calls by this name {reason}; the socket unit needs ListenSequentialPacket={}",
                file.display()
            ),
        }
    }
    Err(BOOTSTRAP_NOT_PRIVILEGED)
}

/// Why a descriptor cannot be a name's listening socket.
fn unfit(fd: BorrowedFd<'_>, file: &Path) -> Option<&'static str> {
    if sockopt::socket_domain(fd) != Ok(AddressFamily::UNIX) {
        return Some("is no Unix socket");
    }
    if sockopt::socket_type(fd) != Ok(SocketType::SEQPACKET) {
        return Some("is not of the kind SOCK_SEQPACKET");
    }
    if sockopt::socket_acceptconn(fd) != Ok(true) {
        return Some("does not listen");
    }
    let bound = rustix::net::getsockname(fd).ok().and_then(|address| SocketAddrUnix::try_from(address).ok());
    let bound = bound.and_then(|address| address.path_bytes().map(<[u8]>::to_vec));
    // Directories can have several paths.
    let there = bound.map(|path| std::path::PathBuf::from(std::ffi::OsString::from_vec(path)));
    let there = there.as_deref().and_then(Path::file_name);
    (there.is_none() || there != file.file_name())
        .then_some("is bound to a file that clients do not look for")
}

fn read_environment() -> Option<Handed> {
    let own = getpid();
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<RawFd>().ok());
    if number("LISTEN_PID") != Some(own.as_raw_nonzero().get()) {
        return None;
    }
    let Some(count) = number("LISTEN_FDS").filter(|count| (0..=RawFd::MAX - FIRST).contains(count)) else {
        tracing::error!(
            "LISTEN_PID is this process, and LISTEN_FDS says no number of descriptors: there are no declared names"
        );
        return None;
    };
    let names = std::env::var_os("LISTEN_FDNAMES").map(OsStringExt::into_vec);
    let mut names = names.iter().flat_map(|names| names.split(|&byte| byte == b':'));
    let mut descriptors = Vec::new();
    for fd in FIRST..FIRST + count {
        // SAFETY: the number is only asked about; the system says whether it is open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let name = names.next().unwrap_or(NAMELESS);
        let Ok(flags) = fcntl_getfd(borrowed) else {
            tracing::error!(fd, count, "LISTEN_FDS counts a descriptor that is not open");
            break;
        };
        // Not for programs that this one starts.
        let _ = fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC);
        descriptors.push((name.to_vec(), fd));
    }
    Some(Handed { owner: own, descriptors })
}
