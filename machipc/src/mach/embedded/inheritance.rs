//! A right that a parent hands to one child, which inherits it.
//!
//! It is an introduction, like those between processes: a socket pair, one end of which waits here for whoever speaks at the other, and
//! that end is the child's. It is close-on-exec, and only the child that is meant keeps it open. There is one ticket with it, so that the
//! second child of one `Command` finds that it is too late instead of speaking in the first one's place. Nobody finds the socket by a name.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::EventfdFlags;
use rustix::io::{Errno, FdFlags};
use rustix::net::sockopt;

use super::kernel::Kernel;
use super::link::{Identity, Introduced, NO_IDENTITY, handshake, introduction_pair};
use super::message::Carried;
use super::port::Home;
use super::space::Object;
use super::task::Task;
use crate::mach::{
    BOOTSTRAP_UNKNOWN_SERVICE, KERN_INVALID_ARGUMENT, KERN_INVALID_RIGHT, KERN_RESOURCE_SHORTAGE,
    MACH_PORT_DEAD, inheritance_t, kern_return_t, mach_port_name_t,
};

/// Below this number are the descriptors that `Command` gives to every child.
const STANDARD: i32 = 3;

/// One thread at a time takes what the parent handed: a descriptor that two took would be closed twice.
static TAKING: Mutex<()> = Mutex::new(());

impl Task {
    /// Prepares a right for a child.
    pub(super) fn offer(&'static self, name: mach_port_name_t) -> Result<inheritance_t, kern_return_t> {
        let exhausted = |_| KERN_RESOURCE_SHORTAGE;
        self.start_polling().map_err(exhausted)?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let ticket = rustix::event::eventfd(1, flags).and_then(above_standard).map_err(exhausted)?;
        let (socket, identity) = self.with(|kernel| kernel.introduce_child(name))?;
        let socket = above_standard(socket).map_err(exhausted)?;
        let cookie = sockopt::socket_cookie(&socket).map_err(exhausted)?;
        let mut text = format!("{}.{cookie:x}.", socket.as_raw_fd());
        identity.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        let mut offer = inheritance_t::new(&text);
        (offer.descriptor, offer.ticket) = (socket.into_raw_fd(), ticket.into_raw_fd());
        Ok(offer)
    }

    /// Takes the right that the parent handed with this text.
    pub(super) fn accept_offer(&'static self, text: &[u8]) -> Result<mach_port_name_t, kern_return_t> {
        let (descriptor, cookie, identity) = parse(text).ok_or(KERN_INVALID_ARGUMENT)?;
        self.start_polling().map_err(|_| KERN_RESOURCE_SHORTAGE)?;
        let _one_at_a_time = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let inherited = inherited(descriptor, cookie).ok_or(BOOTSTRAP_UNKNOWN_SERVICE)?;
        // The parent may hold what it handed for longer than this process lives: so the link is over a socket of this process's own.
        let (socket, parents) = introduction_pair().ok_or(KERN_RESOURCE_SHORTAGE)?;
        if handshake::go_elsewhere(&inherited, parents).is_err() {
            return Ok(MACH_PORT_DEAD);
        }
        self.with(|kernel| match kernel.meet(socket, false, Some(identity), None) {
            Carried::Right(right) => kernel.name_send(right.port()).ok_or(KERN_RESOURCE_SHORTAGE),
            // The parent has gone, and the port with it.
            _ => Ok(MACH_PORT_DEAD),
        })
    }
}

impl Kernel {
    /// The end of a socket at which a send right to this port is to be had, and the port's identity.
    fn introduce_child(&mut self, name: mach_port_name_t) -> Result<(OwnedFd, Identity), kern_return_t> {
        let object = self.entry(name).map(|entry| entry.object);
        let Some(Object::Port { port, send: true, .. }) = object else { return Err(KERN_INVALID_RIGHT) };
        if let Home::Link { link, export } = self.port(port).home {
            let socket = self.introduce_to(link, export, false).ok_or(KERN_RESOURCE_SHORTAGE)?;
            return Ok((socket, self.identity_of(port)));
        }
        let (own, childs) = introduction_pair().ok_or(KERN_RESOURCE_SHORTAGE)?;
        let right = self.copy_send(port);
        self.await_hello(own, Some(Introduced { right, onces: 0 })).ok_or(KERN_RESOURCE_SHORTAGE)?;
        Ok((childs, self.identity_of(port)))
    }
}

/// In a forked child, before it becomes another program: leaves the socket open. Makes system calls only.
pub(super) fn keep(offer: &inheritance_t) -> rustix::io::Result<()> {
    // SAFETY: the offer keeps it open until it is withdrawn.
    let socket = unsafe { BorrowedFd::borrow_raw(offer.descriptor) };
    // SAFETY: as above.
    let ticket = unsafe { BorrowedFd::borrow_raw(offer.ticket) };
    match rustix::io::read(ticket, &mut [0; 8]) {
        Ok(_) => rustix::io::fcntl_setfd(socket, FdFlags::empty()),
        Err(Errno::AGAIN) => Err(Errno::ALREADY),
        Err(error) => Err(error),
    }
}

/// In the parent: forgets an offer. A child that has it keeps it.
pub(super) fn withdraw(offer: &inheritance_t) {
    for descriptor in [offer.descriptor, offer.ticket] {
        // SAFETY: the offer's own, and it is withdrawn once.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}

/// The same file under a number that `Command` does not use for something else in the child.
fn above_standard(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if file.as_raw_fd() >= STANDARD { Ok(file) } else { rustix::io::fcntl_dupfd_cloexec(&file, STANDARD) }
}

/// The socket that the parent left open under this number, if it is still there. The cookie is the system's own number for it.
fn inherited(descriptor: i32, cookie: u64) -> Option<OwnedFd> {
    // SAFETY: it is only asked what it is, and the calls fail if it is nothing. If other code of this process closes it meanwhile, what
    // takes its place is asked.
    let socket = unsafe { BorrowedFd::borrow_raw(descriptor) };
    if sockopt::socket_cookie(socket) != Ok(cookie) {
        return None;
    }
    // SAFETY: no other socket of this machine has or had the cookie, so this is the one that the parent left for whoever knows it; and the
    // lock is held, so that only this thread takes it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC).ok()?;
    handshake::creator(&socket).is_some().then_some(socket)
}

fn parse(text: &[u8]) -> Option<(i32, u64, Identity)> {
    let mut parts = core::str::from_utf8(text).ok()?.split('.');
    let (descriptor, cookie, hex) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || hex.len() != 2 * NO_IDENTITY.len() || !hex.is_ascii() {
        return None;
    }
    let mut identity = NO_IDENTITY;
    for (index, byte) in identity.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).ok()?;
    }
    let descriptor = descriptor.parse().ok().filter(|descriptor| *descriptor >= STANDARD)?;
    Some((descriptor, u64::from_str_radix(cookie, 16).ok()?, identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_none_are_refused() {
        let hex = "a7".repeat(NO_IDENTITY.len());
        let (first, before) = (STANDARD, STANDARD - 1);
        assert_eq!(parse(format!("{first}.a0.{hex}").as_bytes()).map(|(number, ..)| number), Some(first));
        let beginnings = [
            "".to_owned(),
            first.to_string(),
            format!("{first}.a0."),
            format!("{before}.a0"),
            "-1.a0".to_owned(),
            format!("{first}.xyz"),
            format!("{first}.a0.é"),
        ];
        for bad in beginnings {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
            let whole = format!("{bad}.{hex}");
            assert_eq!(parse(whole.as_bytes()), None, "{whole}");
        }
        assert_eq!(parse(format!("{first}.a0.{}g", &hex[1..]).as_bytes()), None);
        assert_eq!(parse(format!("{first}.a0.é{}", &hex[2..]).as_bytes()), None);
        assert_eq!(parse(b"\xff.a0."), None);
    }

    #[test]
    fn other_files_are_left_alone() {
        let file = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        assert!(inherited(file.as_raw_fd(), 7).is_none());
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(inherited(one.as_raw_fd(), sockopt::socket_cookie(&other).unwrap()).is_none());
        assert!(inherited(i32::MAX, 7).is_none());
        // All are still open.
        rustix::io::fcntl_getfd(&file).and(rustix::io::fcntl_getfd(&one)).unwrap();
    }
}
