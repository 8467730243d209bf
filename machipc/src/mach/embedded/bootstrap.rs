//! The bootstrap directory: names as socket files that other processes can find.
//!
//! A name is a listening socket in a directory that only its user can enter, beside a lock file. The lock is a POSIX record lock: the
//! kernel drops it with the process, and a forked child does not inherit it. Whoever holds the lock owns the name; what a dead owner has
//! left behind is removed by the next one who wants the name.
//!
//! A declared name's socket is a service manager's: it is there while nobody has the name, is handed down to the process that may take it
//! (`activation`), and is never removed here. Its lock file is another, so that nobody takes its socket for what a dead owner left.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::process::Pid;

use super::activation;
use crate::mach::{
    BOOTSTRAP_NO_MEMORY, BOOTSTRAP_NOT_PRIVILEGED, BOOTSTRAP_SERVICE_ACTIVE, BOOTSTRAP_UNKNOWN_SERVICE,
    kern_return_t,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Names of others that are looked at when one is taken.
const SWEPT: usize = 64;
/// Bytes of a name that its file's name shows.
const SHOWN: usize = 48;
/// How the file of a socket ends that does not listen yet.
const UNBORN: &str = "new";
/// Extension of a declared name's lock. It stays when its owner dies.
const DECLARED: &str = "declared";
/// How often, and how long each time, a lock that somebody has for a moment is waited for.
const CONTENDED_MAX: u32 = 1000;
const CONTENDED: Duration = Duration::from_millis(1);
/// How long the end of a dying process's socket is waited for.
const PROBED: Duration = Duration::from_millis(100);
/// How long a place in a full backlog is waited for.
const CONNECTING: Duration = Duration::from_secs(10);
/// The longest path that fits a socket address, with its NUL.
const ADDRESS_MAX: usize = 107;

/// A name that this process owns in the directory. Dropping it gives the name up.
pub(super) struct Claim {
    pub(super) listener: OwnedFd,
    /// The socket's file, and which one it is: a service manager that declares the name now has replaced it. `None` for a declared name.
    socket: Option<(PathBuf, Inode)>,
    lock: PathBuf,
    /// Holds the record lock while it is open.
    _held: OwnedFd,
    owner: Pid,
    /// A descriptor to give up when there is no other for a connection.
    spare: Mutex<Option<OwnedFd>>,
}

/// Device and number of a file.
type Inode = (u64, u64);

fn inode(path: &Path) -> rustix::io::Result<Inode> {
    rustix::fs::lstat(path).map(|stat| (stat.st_dev, stat.st_ino))
}

impl Claim {
    /// Whether a service manager has the name's socket.
    pub(super) fn is_declared(&self) -> bool {
        self.socket.is_none()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if rustix::process::getpid() != self.owner {
            // A forked child closes its copies and leaves the name alone.
            return;
        }
        // While the lock is held nobody else can own these files.
        if let Some((path, bound)) = &self.socket
            && inode(path) == Ok(*bound)
        {
            let _ = std::fs::remove_file(path);
        }
        let _ = std::fs::remove_file(&self.lock);
        own().retain(|lock| *lock != self.lock);
    }
}

/// Lock files of this process's names. They must not be opened again: closing any descriptor of theirs would drop the lock.
static OWN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn own() -> MutexGuard<'static, Vec<PathBuf>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock of the list above, around a fork.
pub(super) struct Held(MutexGuard<'static, Vec<PathBuf>>);

impl Held {
    /// In a forked child: the names are the parent's.
    pub(super) fn abandon(&mut self) {
        self.0.clear();
    }
}

pub(super) fn hold() -> Held {
    Held(own())
}

/// Removes what dead owners have left, a few names at a time.
fn sweep(directory: &Path, own: &[PathBuf]) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let locks = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "lock"));
    for lock in locks.take(SWEPT) {
        if own.contains(&lock) {
            continue;
        }
        if let Ok(Some(held)) = take_lock(&lock) {
            let socket = lock.with_extension("sock");
            if !is_served(directory, &socket, PROBED) {
                let _ = std::fs::remove_file(socket);
            }
            let _ = std::fs::remove_file(lock.with_extension(UNBORN));
            let _ = std::fs::remove_file(&lock);
            drop(held);
        }
    }
}

/// Takes a name for this process.
pub(super) fn claim(name: &[u8]) -> Result<Claim, kern_return_t> {
    let directory = directory(true)?;
    let mut own = own();
    sweep(&directory, &own);
    let (socket, lock) = paths(&directory, name);
    let owner = rustix::process::getpid();
    if let Some(listener) = activation::listener(name, &socket)? {
        let lock = lock.with_extension(DECLARED);
        let held = take_lock(&lock)?.ok_or(BOOTSTRAP_NOT_PRIVILEGED)?;
        own.push(lock.clone());
        let spare = Mutex::new(rustix::io::fcntl_dupfd_cloexec(&listener, 0).ok());
        return Ok(Claim { listener, socket: None, lock, _held: held, owner, spare });
    }
    let held = take_name(&directory, &socket, &lock)?;
    let listening = listen(&directory, &socket).and_then(|listener| Ok((listener, inode(&socket)?)));
    match listening {
        Ok((listener, bound)) => {
            own.push(lock.clone());
            let spare = Mutex::new(rustix::io::fcntl_dupfd_cloexec(&listener, 0).ok());
            Ok(Claim { listener, socket: Some((socket, bound)), lock, _held: held, owner, spare })
        }
        Err(error) => {
            let _ = std::fs::remove_file(&lock);
            Err(code_of(error))
        }
    }
}

/// Takes the lock of a name that no living process has. Who else may have it for a moment: somebody who removes what a dead owner has left,
/// and somebody who is just taking the name and will be heard listening.
fn take_name(directory: &Path, socket: &Path, lock: &Path) -> Result<OwnedFd, kern_return_t> {
    for _ in 0..CONTENDED_MAX {
        let held = take_lock(lock)?;
        // Only of an owner that has lost its lock the socket may be about to close.
        let patience = if held.is_some() { PROBED } else { Duration::ZERO };
        if is_served(directory, socket, patience) {
            if held.is_some() {
                tracing::error!(
                    path = %socket.display(),
                    "the name is declared: its socket is a service manager's, which has not started this process for it. Start it by the \
                     manager; where that has happened, FileDescriptorName= must be the name"
                );
                let _ = std::fs::remove_file(lock);
            }
            return Err(BOOTSTRAP_NOT_PRIVILEGED);
        }
        if let Some(held) = held {
            return Ok(held);
        }
        std::thread::sleep(CONTENDED);
    }
    Err(BOOTSTRAP_NOT_PRIVILEGED)
}

/// Whether somebody listens at a name's socket, and has not ended within `patience`: where a process is dying, the connection ends with it.
fn is_served(directory: &Path, path: &Path, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Ok(probe) = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else { return false };
    match with_address(directory, path, |address| rustix::net::connect(&probe, address)) {
        Ok(()) => {}
        // So many wait already.
        Err(Errno::AGAIN) => return true,
        Err(_) => return false,
    }
    let Ok(patience) = Timespec::try_from(patience) else { return true };
    let mut polled = [PollFd::new(&probe, PollFlags::IN)];
    // An error, or a signal: nothing was heard of its end.
    let _ = poll(&mut polled, Some(&patience));
    !polled[0].revents().contains(PollFlags::HUP)
}

/// Whether a living process has a name. Where none has it and yet somebody listens, a service manager does.
pub(super) fn is_owned(name: &[u8]) -> bool {
    use rustix::process::{Flock, FlockType, fcntl_getlk};
    let Ok(directory) = directory(false) else { return false };
    let (_, lock) = paths(&directory, name);
    let own = own();
    [lock.with_extension(DECLARED), lock].iter().any(|lock| {
        // Not to be opened: that would end in the loss of the lock.
        own.contains(lock) || {
            let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let file = rustix::fs::open(lock, flags, Mode::empty());
            file.is_ok_and(|file| !matches!(fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)), Ok(None)))
        }
    })
}

/// Connects to the owner of a name, or to the service manager that declares it.
pub(super) fn connect(name: &[u8]) -> Result<OwnedFd, kern_return_t> {
    let directory = directory(false)?;
    let (path, lock) = paths(&directory, name);
    let socket = connectable(SocketFlags::CLOEXEC)?;
    // Connecting waits only while the backlog is full.
    let patience = Some(CONNECTING);
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, patience).map_err(code_of)?;
    loop {
        match with_address(&directory, &path, |address| rustix::net::connect(&socket, address)) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::CONNREFUSED) => {
                // Nobody listens: the owner has died. What it left goes, unless somebody else is just taking the name. Without a lock file it
                // was no owner of this kind.
                let own = own();
                if !own.contains(&lock)
                    && lock.exists()
                    && let Ok(Some(held)) = take_lock(&lock)
                {
                    let _ = std::fs::remove_file(&path);
                    let _ = std::fs::remove_file(&lock);
                    drop(held);
                }
                return Err(BOOTSTRAP_UNKNOWN_SERVICE);
            }
            Err(error) => return Err(code_of(error)),
        }
    }
    rustix::io::ioctl_fionbio(&socket, true).map_err(code_of)?;
    Ok(socket)
}

/// `connect` for a name that is declared, without waiting.
pub(super) fn connect_now(name: &[u8]) -> Result<OwnedFd, kern_return_t> {
    let directory = directory(false)?;
    let (path, _) = paths(&directory, name);
    let socket = connectable(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    with_address(&directory, &path, |address| rustix::net::connect(&socket, address)).map_err(code_of)?;
    Ok(socket)
}

/// A socket to connect to an owner. What the system knows of the other end is who listened first: for a declared name a service manager. Who
/// answers each packet tells; an answer may be there as soon as the socket is connected.
fn connectable(flags: SocketFlags) -> Result<OwnedFd, kern_return_t> {
    let socket = socket(flags).map_err(code_of)?;
    sockopt::set_socket_passcred(&socket, true).map_err(code_of)?;
    Ok(socket)
}

/// Accepts a connection, if one waits.
pub(super) fn accept(listener: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// Takes a connection for which there is no descriptor, to be told that and closed. False where there is none, or no way to tell.
pub(super) fn turn_away(claim: &Claim, tell: impl FnOnce(OwnedFd)) -> bool {
    let mut spare = claim.spare.lock().unwrap_or_else(PoisonError::into_inner);
    let had = spare.take().is_some();
    let turned = had && accept(&claim.listener).map(tell).is_ok();
    *spare = rustix::io::fcntl_dupfd_cloexec(&claim.listener, 0).ok();
    turned
}

/// Makes the socket under another name first, so that whoever sees the file can connect.
fn listen(directory: &Path, path: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let unborn = path.with_extension(UNBORN);
    let _ = std::fs::remove_file(&unborn);
    with_address(directory, &unborn, |address| rustix::net::bind(&socket, address))?;
    rustix::net::listen(&socket, BACKLOG)
        .and_then(|()| rustix::fs::rename(&unborn, path))
        .inspect_err(|_| drop(std::fs::remove_file(&unborn)))?;
    Ok(socket)
}

fn socket(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// Runs `f` with the address of a socket file. A directory with a long path is reached through a descriptor.
fn with_address(
    directory: &Path,
    path: &Path,
    f: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    if path.as_os_str().len() <= ADDRESS_MAX {
        return f(&SocketAddrUnix::new(path)?);
    }
    let opened =
        rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&opened);
    let file = path.file_name().unwrap_or_default();
    f(&SocketAddrUnix::new(Path::new("/proc/self/fd").join(number.to_string()).join(file))?)
}

/// Takes the lock of a name. `None`: a living process has it.
fn take_lock(path: &Path) -> Result<Option<OwnedFd>, kern_return_t> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // The file may be removed between opening and locking it; then it is no lock any more.
    for _ in 0..64 {
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(code_of)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
            Err(error) => return Err(code_of(error)),
        }
        let ours = rustix::fs::fstat(&file).map_err(code_of)?;
        if rustix::fs::stat(path)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino))
        {
            return Ok(Some(file));
        }
    }
    Err(BOOTSTRAP_SERVICE_ACTIVE)
}

/// The paths of a name's socket and lock. The file's name shows the readable part of the name and ends in a hash of the whole.
fn paths(directory: &Path, name: &[u8]) -> (PathBuf, PathBuf) {
    let readable =
        |&byte: &u8| if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) { byte as char } else { '_' };
    let shown: String = name.iter().take(SHOWN).map(readable).collect();
    // 64-bit FNV-1a. The owner checks the name that a client asks for, so a collision costs a name and nothing else.
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let file = format!("{shown}-{hash:016x}");
    (directory.join(format!("{file}.sock")), directory.join(format!("{file}.lock")))
}

/// Where the file of a name is, or would be: its directory and its name there. `None`: the environment names an impossible directory.
pub(super) fn place_of(name: &[u8]) -> Option<(PathBuf, OsString)> {
    let directory = directory_path()?;
    let file = paths(&directory, name).0.file_name()?.to_owned();
    Some((directory, file))
}

/// Where the user's directory of names is, whether or not it is there.
fn directory_path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = match (variable("MACHIPC_BOOTSTRAP_DIR"), variable("XDG_RUNTIME_DIR")) {
        (Some(directory), _) => PathBuf::from(directory),
        (None, Some(runtime)) => Path::new(&runtime).join("machipc"),
        (None, None) => {
            let uid = rustix::process::geteuid().as_raw();
            std::env::temp_dir().join(OsString::from(format!("machipc-{uid}")))
        }
    };
    (!path.as_os_str().as_bytes().contains(&0)).then_some(path)
}

/// The user's directory of names: `MACHIPC_BOOTSTRAP_DIR`, else `machipc` in `XDG_RUNTIME_DIR`, else one in the temporary directory. It must
/// be a directory of this user's that nobody else can write to.
fn directory(create: bool) -> Result<PathBuf, kern_return_t> {
    let uid = rustix::process::geteuid().as_raw();
    let path = directory_path().ok_or(BOOTSTRAP_NOT_PRIVILEGED)?;
    if create {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        if let Err(error) = builder.recursive(true).create(&path) {
            tracing::error!(path = %path.display(), %error, "cannot make the bootstrap directory");
            return Err(BOOTSTRAP_NOT_PRIVILEGED);
        }
    }
    // Through the path and not a link at its end: a link could be another user's.
    match rustix::fs::lstat(&path) {
        Ok(stat) => {
            let is_directory =
                rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
            if is_directory && stat.st_uid == uid && stat.st_mode & 0o022 == 0 {
                return Ok(path);
            }
            tracing::error!(
                path = %path.display(),
                "the bootstrap directory is not a directory that this user alone can write to: remove it, or set MACHIPC_BOOTSTRAP_DIR"
            );
            Err(BOOTSTRAP_NOT_PRIVILEGED)
        }
        Err(Errno::NOENT) => Err(BOOTSTRAP_UNKNOWN_SERVICE),
        Err(error) => Err(code_of(error)),
    }
}

fn code_of(error: Errno) -> kern_return_t {
    match error {
        Errno::NOENT => BOOTSTRAP_UNKNOWN_SERVICE,
        Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::LOOP => BOOTSTRAP_NOT_PRIVILEGED,
        _ => BOOTSTRAP_NO_MEMORY,
    }
}
