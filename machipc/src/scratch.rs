//! What a thread keeps from one message to the next: buffers, and a port for answers.

use std::cell::Cell;

use crate::port::{MachError, MessageBuffer, OutgoingRow, ReceiveRight};

/// A thread's buffers and reply port.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) send: MessageBuffer,
    pub(crate) receive: MessageBuffer,
    /// For the next batch; empty.
    pub(crate) row: OutgoingRow,
    /// Where this thread's calls are answered. Only a port that nobody holds a right to is kept.
    port: Option<ReceiveRight<()>>,
}

/// A buffer that has grown past this many bytes is given back to the system after use.
const LARGE: usize = 1024 * 1024;

thread_local! {
    // Boxed, so that taking one and putting it back moves a pointer.
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Calls `use_it` with the thread's scratch. Where the thread is inside another such call already, because encoding or
/// handling a message sends another, it gets a new one, and the one that is put back last is kept.
#[inline]
pub(crate) fn with<R>(use_it: impl FnOnce(&mut Scratch) -> R) -> R {
    // While the thread ends there is nothing to take from any more, and nothing to put back to.
    let kept = KEPT.try_with(Cell::take).ok().flatten();
    let mut scratch = kept.unwrap_or_default();
    let result = use_it(&mut scratch);
    scratch.shrink();
    let _ = KEPT.try_with(|kept| kept.set(Some(scratch)));
    result
}

impl Scratch {
    /// Takes the reply port, or makes one.
    pub(crate) fn take_port(&mut self) -> Result<ReceiveRight<()>, MachError> {
        // One answer at a time comes here, and through a send-once right, for which there is always room.
        self.port.take().map_or_else(|| ReceiveRight::pinned(1), Ok)
    }

    /// Keeps the reply port for the next call. No right to it may be left: what an abandoned call's host sends would be taken
    /// for the next call's answer.
    pub(crate) fn keep_port(&mut self, port: ReceiveRight<()>) {
        self.port = Some(port);
    }

    #[inline]
    fn shrink(&mut self) {
        trim(&mut self.send);
        trim(&mut self.receive);
    }
}

/// Gives a large buffer back to the system.
#[inline]
pub(crate) fn trim(buffer: &mut MessageBuffer) {
    if buffer.bytes.len() > LARGE {
        *buffer = MessageBuffer::new();
    }
}
