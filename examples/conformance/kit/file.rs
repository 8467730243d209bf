//! Descriptors that `fileport_makefd` gave, as files.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};

/// A descriptor as a file, which closes it.
pub fn owned_file(fd: RawFd) -> File {
    // SAFETY: the descriptor is new and open, and the caller has no other owner of it.
    unsafe { File::from_raw_fd(fd) }
}

/// A descriptor as a file that is not closed.
pub fn borrowed_file(fd: RawFd) -> ManuallyDrop<File> {
    ManuallyDrop::new(owned_file(fd))
}
