//! files as send rights.

use super::kit::*;
use machipc::mach::*;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// `EINVAL` on every system that the suite runs on.
const EINVAL: i32 = 22;

/// A file that goes with its value.
struct Scratch {
    file: std::fs::File,
    path: std::path::PathBuf,
}

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let path = std::env::temp_dir().join(service_name());
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Scratch { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A result of the standard library as a step of a rule.
fn done<T>(what: &str, result: std::io::Result<T>) -> Outcome<T> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => fail!("expected {what}, got {error}"),
    }
}

pub fn r_199_fileport() -> Outcome {
    let mut scratch = done("a scratch file", Scratch::new())?;
    done("a write", scratch.file.write_all(b"abcdef"))?;
    let (result, right) = makeport(scratch.file.as_raw_fd());
    expect_eq!("fileport_makeport", result, 0);
    expect_eq!("type", kind(right)?, TYPE_SEND);
    expect_eq!("send refs", send_refs(right)?, 1);
    let fd = makefd(right);
    expect!(fd >= 0, "expected a descriptor, got {fd}");
    expect!(fd != scratch.file.as_raw_fd(), "expected a new descriptor, got {fd} again");
    let mut again = owned_file(fd);
    // The same open file, not only the same inode: the position is shared.
    expect_eq!("position", done("a position", again.stream_position())?, 6);
    done("a seek", again.seek(std::io::SeekFrom::Start(2)))?;
    let mut byte = [0];
    done("a read", scratch.file.read_exact(&mut byte))?;
    expect_eq!("byte at the shared position", byte, *b"c");
    expect_eq!("type of the right that was used", kind(right)?, TYPE_SEND);
    expect_eq!("send refs", send_refs(right)?, 1);
    // A program that this one starts inherits none of the descriptors.
    let identity = done("metadata", again.metadata())?;
    let mut peer = Peer::start()?;
    let order = format!("has_file {} {}", identity.dev(), identity.ino());
    expect_eq!("inherited descriptors", peer.ask(&order)?, vec![0, 0]);
    // In another task the right opens the same open file.
    let there = peer.give(right, COPY_SEND)?;
    let fd_there = peer.ask(&format!("makefd {there}"))?[0];
    expect!(fd_there >= 0, "expected a descriptor in another task, got {fd_there}");
    expect_eq!("read in another task", peer.ask(&format!("read_fd {fd_there}"))?, vec![0, i64::from(b'd')]);
    expect_eq!("write in another task", peer.ask(&format!("write_fd {fd_there} XY"))?, vec![0]);
    expect_eq!("position", done("a position", scratch.file.stream_position())?, 6);
    done("a seek", scratch.file.rewind())?;
    let mut text = String::new();
    done("a read", scratch.file.read_to_string(&mut text))?;
    expect_eq!("content", text, "abcdXY");
    release(&[right])?;
    not_a_fileport()?;
    last_right_closes_the_file(&mut peer)?;
    peer.close()
}

fn not_a_fileport() -> Outcome {
    let (p, s) = (port_with_send(1)?, send_only(1)?);
    let once = send_once(p)?;
    for name in [p, s.name, once] {
        let fd = makefd(name);
        let error = std::io::Error::last_os_error().raw_os_error();
        expect_eq!("makefd and errno of another right", (fd, error), (-1, Some(EINVAL)));
    }
    s.release()?;
    release(&[once, p])
}

/// A pipe ends when its last writer closes, so it shows whether a right still holds the file.
fn last_right_closes_the_file(peer: &mut Peer) -> Outcome {
    let (mut reader, writer) = done("a pipe", std::io::pipe())?;
    let (result, right) = makeport(writer.as_raw_fd());
    expect_eq!("fileport_makeport", result, 0);
    drop(writer);
    let end = background(move || reader.read(&mut [0]).map_err(|error| error.to_string()));
    still_blocked(&end, "a read from a pipe with a writer")?;
    let there = peer.give(right, COPY_SEND)?;
    expect_code!(deallocate(right), KERN_SUCCESS);
    still_blocked(&end, "a read from a pipe that another task's right holds open")?;
    expect_code!(peer.ask_code(&format!("deallocate {there}"))?, KERN_SUCCESS);
    expect_eq!("read at the end", end.finish("the read")?, Ok(0));
    Ok(())
}
