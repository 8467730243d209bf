//! The suite's vocabulary: Mach calls as safe functions, messages written by offset, threads and second processes, and
//! expectations that report instead of panicking.

#[macro_use]
mod expect;
mod background;
mod declared;
mod file;
mod memory;
mod message;
mod peer;
mod process;
mod snapshot;
mod task;

pub use background::{Background, background, retry, settle, still_blocked};
pub use declared::Declared;
pub use expect::{Outcome, Stop, accepts, code_text, darwin};
pub use file::{borrowed_file, owned_file};
pub use memory::{PAGE_STEP, Region, mapped_state, page_size, pattern as memory_pattern};
pub use message::{
    Buffer, Descriptor, Message, PATIENCE, Received, Trailer, expect_notification, mach_msg_call,
    mach_msg_call_into, quiet, quiet_for, receive, receive_into_a_hole, receive_large, receive_with,
    try_receive,
};
pub use peer::{look_up_until, peer_role};
pub use process::{Peer, again, case, say, service_name};
pub use snapshot::{Snapshot, snapshot, unchanged};
pub use task::*;

pub use machipc::mach::{
    MACH_MSG_TYPE_COPY_SEND as COPY_SEND, MACH_MSG_TYPE_MAKE_SEND as MAKE_SEND,
    MACH_MSG_TYPE_MAKE_SEND_ONCE as MAKE_SEND_ONCE, MACH_MSG_TYPE_MOVE_RECEIVE as MOVE_RECEIVE,
    MACH_MSG_TYPE_MOVE_SEND as MOVE_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE as MOVE_SEND_ONCE,
    MACH_PORT_DEAD as DEAD, MACH_PORT_NULL as NULL, MACH_PORT_RIGHT_DEAD_NAME as DEAD_NAME,
    MACH_PORT_RIGHT_PORT_SET as PORT_SET, MACH_PORT_RIGHT_RECEIVE as RECEIVE, MACH_PORT_RIGHT_SEND as SEND,
    MACH_PORT_RIGHT_SEND_ONCE as SEND_ONCE, MACH_PORT_TYPE_DEAD_NAME as TYPE_DEAD_NAME,
    MACH_PORT_TYPE_PORT_SET as TYPE_PORT_SET, MACH_PORT_TYPE_RECEIVE as TYPE_RECEIVE,
    MACH_PORT_TYPE_SEND as TYPE_SEND, MACH_PORT_TYPE_SEND_ONCE as TYPE_SEND_ONCE,
};
