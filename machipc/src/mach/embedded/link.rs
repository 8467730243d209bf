//! Links to other processes.

use super::kernel::Kernel;
use super::message::Message;
use super::port::PortId;

/// What goes over a link.
pub(super) enum Frame {
    Release { export: u32, count: u32 },
    Dead { export: u32 },
}

pub(super) struct Links;

impl Links {
    pub(super) fn new() -> Self {
        Self
    }
    pub(super) fn forget_import(&mut self, _link: u32, _export: u32) {}
}

impl Kernel {
    pub(super) fn post(&mut self, _link: u32, _frame: Frame) {}
    pub(super) fn transmit(&mut self, _link: u32, _export: u32, _message: Message) {}
    pub(super) fn return_credit(&mut self, _message: &Message) {}
    pub(super) fn regrant(&mut self, _port: PortId) {}
}
