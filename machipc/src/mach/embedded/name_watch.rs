//! Threads that wait for a bootstrap name to appear.
//!
//! A name appears when its socket file is renamed into the directory of names, and inotify tells that. Where the directory is not there
//! yet, its nearest ancestor is watched for the next part of the path. Each watch is told once, through a send-once right to a port of its
//! own; whoever waits then looks the name up, and where it is still missing watches anew. There is one inotify descriptor for the process,
//! and only while something is watched.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::bootstrap;
use super::kernel::Kernel;
use super::message::Right;
use super::poll::Key;
use super::port::PortId;
use super::task::Task;
use crate::mach::{
    KERN_RESOURCE_SHORTAGE, MACH_MSG_TIMEOUT_NONE, MACH_PORT_RIGHT_RECEIVE, bootstrap_watch_t, kern_return_t,
    mach_msg_timeout_t,
};

/// How often to look, in milliseconds, where the system has no inotify to spare: there are few for each user.
const LOOK_AGAIN: mach_msg_timeout_t = 20;
/// A path that changes all the time is not followed for ever.
const ATTEMPTS: usize = 16;

/// Whoever waits for a name.
struct NameWatch {
    /// Holds a send-once right to it, which is released, and so announced, when the name may be there.
    port: PortId,
    /// What is awaited: this entry of the directory with this watch descriptor.
    directory: i32,
    entry: OsString,
}

/// All that wait for names.
#[derive(Default)]
pub(super) struct NameWatches {
    inotify: Option<OwnedFd>,
    all: Vec<NameWatch>,
}

impl Task {
    /// Watches for a name until it may have appeared.
    pub(super) fn watch_name(&'static self, name: &[u8]) -> Result<bootstrap_watch_t, kern_return_t> {
        let watched = bootstrap::place_of(name);
        let polled = self.start_polling().is_ok();
        self.with(|kernel| {
            let port_name = kernel.allocate(MACH_PORT_RIGHT_RECEIVE).map_err(|_| KERN_RESOURCE_SHORTAGE)?;
            let port = kernel.receive_right(port_name)?;
            let armed = watched.is_some_and(|(directory, file)| {
                polled && kernel.watch_entry(port, &directory, &file).is_ok()
            });
            let look_again = if armed { MACH_MSG_TIMEOUT_NONE } else { LOOK_AGAIN };
            Ok(bootstrap_watch_t { port: port_name, token: 0, look_again })
        })
    }
}

impl Kernel {
    fn watch_entry(&mut self, port: PortId, directory: &Path, file: &OsStr) -> rustix::io::Result<()> {
        let fresh = self.name_watches.inotify.is_none();
        let inotify = match self.name_watches.inotify.take() {
            Some(inotify) => inotify,
            None => inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
        };
        if fresh {
            self.links.poller.ok_or(Errno::NOENT)?.register(&inotify, Key::Names)?;
        }
        let awaited = await_entry(&inotify, directory, file);
        self.name_watches.inotify = Some(inotify);
        let (directory, entry) = awaited.inspect_err(|_| self.name_watches.close_unused())?;
        let Right::SendOnce(port) = self.make_send_once(port) else { return Err(Errno::INVAL) };
        self.name_watches.all.push(NameWatch { port, directory, entry });
        Ok(())
    }

    /// Something has happened in a directory that is watched.
    pub(super) fn names_event(&mut self) {
        let Some(inotify) = self.name_watches.inotify.take() else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&inotify, &mut buffer);
        // An event is at most once in the buffer, and what comes later is polled again: so this ends.
        loop {
            match events.next() {
                Ok(event) => {
                    let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                    let entry = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    let (directory, gone) = (event.wd(), event.events().intersects(GONE));
                    self.announce(|watch| {
                        let there = watch.directory == directory;
                        lost || there && (gone || entry == Some(watch.entry.as_os_str()))
                    });
                    if events.is_buffer_empty() {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.name_watches.inotify = Some(inotify);
        self.name_watches.close_unused();
    }

    /// Tells those who wait for what `has_come` says.
    fn announce(&mut self, has_come: impl Fn(&NameWatch) -> bool) {
        let (told, waiting) =
            core::mem::take(&mut self.name_watches.all).into_iter().partition(|watch| has_come(watch));
        self.name_watches.all = waiting;
        let told: Vec<NameWatch> = told;
        for watch in told {
            self.release(Right::SendOnce(watch.port));
        }
    }

    /// A port has died: nobody waits there any more.
    pub(super) fn name_watch_port_died(&mut self, port: PortId) {
        if self.name_watches.all.is_empty() {
            return;
        }
        self.announce(|watch| watch.port == port);
        self.name_watches.close_unused();
    }
}

impl NameWatches {
    fn close_unused(&mut self) {
        if self.all.is_empty() {
            self.inotify = None;
        }
    }
}

/// The directory itself is no longer what it was.
const GONE: ReadFlags =
    ReadFlags::IGNORED.union(ReadFlags::UNMOUNT).union(ReadFlags::DELETE_SELF).union(ReadFlags::MOVE_SELF);

/// Has the appearance of a file told, or of the first directory that is missing on the way to it.
fn await_entry(inotify: &OwnedFd, directory: &Path, file: &OsStr) -> rustix::io::Result<(i32, OsString)> {
    for _ in 0..ATTEMPTS {
        let (mut watched, mut entry) = (directory, file);
        let found = loop {
            match watch_directory(inotify, watched) {
                Err(Errno::NOENT) => {}
                result => break result?,
            }
            let (Some(parent), Some(name)) = (watched.parent(), watched.file_name()) else {
                return Err(Errno::NOENT);
            };
            (watched, entry) = (parent, name);
        };
        // A directory that was made before its parent was watched has been announced to nobody.
        if watched == directory || rustix::fs::stat(watched.join(entry)).is_err() {
            return Ok((found, entry.to_owned()));
        }
    }
    Err(Errno::AGAIN)
}

fn watch_directory(inotify: &OwnedFd, directory: &Path) -> rustix::io::Result<i32> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    inotify::add_watch(inotify, directory, flags | WatchFlags::ONLYDIR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mach::{self, mach_task_self};
    use std::path::PathBuf;

    /// Directories for one test, gone with the value.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(tag: &str) -> Self {
            let path = std::env::temp_dir().join(format!("machipc-watch-{tag}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// What has come to an inotify: watch descriptors and names.
    fn told(inotify: &OwnedFd) -> Vec<(i32, OsString)> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(inotify, &mut buffer);
        let mut told = Vec::new();
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            told.push((event.wd(), name.unwrap_or_default()));
        }
        told
    }

    #[test]
    fn the_nearest_directory_that_is_there_is_watched() {
        let scratch = Scratch::new("nearest");
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        let directory = scratch.0.join("a/b/c");
        for part in ["a", "b", "c"] {
            let (watched, entry) = await_entry(&inotify, &directory, OsStr::new("x.sock")).unwrap();
            assert_eq!(entry, part);
            let made = directory.ancestors().find(|path| path.file_name() == Some(OsStr::new(part))).unwrap();
            std::fs::create_dir(made).unwrap();
            assert!(told(&inotify).contains(&(watched, entry)));
        }
        let (watched, entry) = await_entry(&inotify, &directory, OsStr::new("x.sock")).unwrap();
        std::fs::write(directory.join("x.new"), "").unwrap();
        std::fs::rename(directory.join("x.new"), directory.join("x.sock")).unwrap();
        assert!(told(&inotify).contains(&(watched, entry)));
    }

    #[test]
    fn no_descriptor_is_left() {
        let files = || std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
        let inotifies = || {
            let is_inotify = |entry: &std::fs::DirEntry| {
                std::fs::read_to_string(entry.path()).is_ok_and(|info| info.contains("inotify "))
            };
            files().filter(is_inotify).count()
        };
        let watch = |_| {
            let mut watch = bootstrap_watch_t::default();
            // SAFETY: a C string, and `watch` is valid for one write.
            let code = unsafe {
                mach::bootstrap_watch(mach::bootstrap_port(), c"com.example.never".as_ptr(), &mut watch)
            };
            assert_eq!((code, watch.look_again), (mach::KERN_SUCCESS, MACH_MSG_TIMEOUT_NONE));
            watch
        };
        let before = inotifies();
        let watches: Vec<_> = (0..100).map(watch).collect();
        // Other tests of this process may watch too, on the same descriptor.
        assert!(inotifies() <= before + 1);
        for watch in watches {
            mach::bootstrap_unwatch(&watch);
            let mut kind = 0;
            // SAFETY: `kind` is valid for one write.
            let code = unsafe { mach::mach_port_type(mach_task_self(), watch.port, &mut kind) };
            assert_eq!(code, mach::KERN_INVALID_NAME);
        }
    }
}
