//! The bootstrap directory: names as socket files that other processes can find.
//!
//! A name is a listening socket in a directory that only its user can enter, beside a lock file. The lock is a POSIX record lock: the
//! kernel drops it with the process, and a forked child does not inherit it. Whoever holds the lock owns the name; what a dead owner has
//! left behind is removed by the next one who wants the name.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Pid;

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
/// The longest path that fits a socket address, with its NUL.
const ADDRESS_MAX: usize = 107;

/// A name that this process owns in the directory. Dropping it gives the name up.
pub(super) struct Claim {
    pub(super) listener: OwnedFd,
    socket: PathBuf,
    lock: PathBuf,
    /// Holds the record lock while it is open.
    _held: OwnedFd,
    owner: Pid,
    /// A descriptor to give up when there is no other for a connection.
    spare: Mutex<Option<OwnedFd>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if rustix::process::getpid() != self.owner {
            // A forked child closes its copies and leaves the name alone.
            return;
        }
        // While the lock is held nobody else can own these files.
        let _ = std::fs::remove_file(&self.socket);
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
            let _ = std::fs::remove_file(lock.with_extension("sock"));
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
    let held = take_lock(&lock)?.ok_or(BOOTSTRAP_NOT_PRIVILEGED)?;
    let listener = listen(&directory, &socket);
    match listener {
        Ok(listener) => {
            own.push(lock.clone());
            let spare = Mutex::new(rustix::io::fcntl_dupfd_cloexec(&listener, 0).ok());
            Ok(Claim { listener, socket, lock, _held: held, owner: rustix::process::getpid(), spare })
        }
        Err(error) => {
            let _ = std::fs::remove_file(&lock);
            Err(code_of(error))
        }
    }
}

/// Connects to the owner of a name.
pub(super) fn connect(name: &[u8]) -> Result<OwnedFd, kern_return_t> {
    let directory = directory(false)?;
    let (path, lock) = paths(&directory, name);
    let socket = socket(SocketFlags::CLOEXEC).map_err(code_of)?;
    // Connecting waits only while the owner's backlog is full.
    loop {
        match with_address(&directory, &path, |address| rustix::net::connect(&socket, address)) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::CONNREFUSED) => {
                // Nobody listens: the owner has died. What it left goes, unless somebody else is just taking the name.
                let own = own();
                if !own.contains(&lock)
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

/// Accepts a connection, if one waits.
pub(super) fn accept(listener: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// Closes a connection for which there is no descriptor: whoever connects learns that at once. False where there is none, or no way.
pub(super) fn turn_away(claim: &Claim) -> bool {
    let mut spare = claim.spare.lock().unwrap_or_else(PoisonError::into_inner);
    let had = spare.take().is_some();
    let turned = had && accept(&claim.listener).is_ok();
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
