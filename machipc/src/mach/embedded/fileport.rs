//! Fileports: send rights that stand for open files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::kernel::Kernel;
use super::message::Right;
use super::port::{Home, Port, PortId};
use super::space::Object;
use super::task::Task;
use crate::mach::mach_port_name_t;

impl Task {
    /// A new send right that stands for an open file.
    pub(super) fn make_fileport(&self, fd: BorrowedFd<'_>) -> rustix::io::Result<mach_port_name_t> {
        let file = Arc::new(rustix::io::fcntl_dupfd_cloexec(fd, 0)?);
        self.with(|kernel| {
            let right = kernel.make_file_right(file);
            kernel.name_send(right.port()).ok_or(Errno::NOMEM)
        })
    }

    /// A new descriptor on the file that a fileport stands for.
    pub(super) fn open_fileport(&self, name: mach_port_name_t) -> rustix::io::Result<OwnedFd> {
        let file = self.with(|kernel| match kernel.entry(name).map(|entry| entry.object) {
            Some(Object::Port { port, send: true, .. }) => kernel.port(port).file.clone(),
            _ => None,
        });
        // The lowest descriptor above standard input, output and error, as `fileport_makefd` gives it.
        rustix::io::fcntl_dupfd_cloexec(file.ok_or(Errno::INVAL)?.as_fd(), 0)
    }
}

impl Kernel {
    /// A port that the kernel itself receives on, and the first send right to it. It dies with the last.
    pub(super) fn make_file_right(&mut self, file: Arc<OwnedFd>) -> Right {
        let mut port = Port::new(Home::Kernel);
        (port.file, port.send_rights) = (Some(file), 1);
        Right::Send(PortId(self.ports.insert(port)))
    }
}
