//! The names of Mach's return codes, and what to do about each.

use crate::mach::{self, kern_return_t};

/// The code without the bits that may accompany it.
pub(super) fn plain(code: kern_return_t) -> kern_return_t {
    let bare = code & !mach::MACH_MSG_MASK;
    // Only the codes of mach_msg carry such bits, and 0x400 by itself is a code of its own.
    if bare & 0x7fff_8000 == 0x1000_0000 { bare } else { code }
}

macro_rules! codes {
    ($($name:ident: $remedy:literal;)*) => {
        /// A code's name and the remedy, which is empty where there is none.
        pub(super) fn describe(code: kern_return_t) -> Option<(&'static str, &'static str)> {
            match code {
                $(mach::$name => Some((stringify!($name), $remedy)),)*
                _ => None,
            }
        }
    };
}

codes! {
    KERN_INVALID_ADDRESS: "";
    KERN_PROTECTION_FAILURE: "";
    KERN_NO_SPACE: "release port rights or memory that is no longer needed";
    KERN_INVALID_ARGUMENT: "the right is dead already, or the file is of a kind that cannot be sent";
    KERN_FAILURE: "";
    KERN_RESOURCE_SHORTAGE: "release port rights or memory that is no longer needed";
    KERN_NOT_RECEIVER: "";
    KERN_NO_ACCESS: "";
    KERN_ALREADY_IN_SET: "the receive right is a member of that set already";
    KERN_NOT_IN_SET: "the receive right is not a member of that set";
    KERN_NAME_EXISTS: "";
    KERN_ABORTED: "";
    KERN_INVALID_NAME: "the name denotes nothing in this process";
    KERN_INVALID_TASK: "";
    KERN_INVALID_RIGHT: "the name does not have the right that the call needs";
    KERN_INVALID_VALUE: "a value is out of range; a queue limit is at most 1024";
    KERN_UREFS_OVERFLOW: "";
    KERN_INVALID_CAPABILITY: "";
    KERN_RIGHT_EXISTS: "";
    KERN_NOT_SUPPORTED: "";
    MACH_SEND_IN_PROGRESS: "";
    MACH_SEND_INVALID_DATA: "";
    MACH_SEND_INVALID_DEST: "the receiver is gone; connect again";
    MACH_SEND_TIMED_OUT: "the receiver's queue stayed full; wait longer or send less";
    MACH_SEND_INVALID_VOUCHER: "";
    MACH_SEND_INTERRUPTED: "";
    MACH_SEND_MSG_TOO_SMALL: "";
    MACH_SEND_INVALID_REPLY: "the reply right is not valid any more";
    MACH_SEND_INVALID_RIGHT: "a right in the message cannot be sent";
    MACH_SEND_INVALID_NOTIFY: "";
    MACH_SEND_INVALID_MEMORY: "memory in the message cannot be read";
    MACH_SEND_NO_BUFFER: "the system has no memory for the message";
    MACH_SEND_TOO_LARGE: "send the data out of line";
    MACH_SEND_INVALID_TYPE: "";
    MACH_SEND_INVALID_HEADER: "the message needs a destination";
    MACH_SEND_INVALID_TRAILER: "";
    MACH_SEND_INVALID_CONTEXT: "";
    MACH_SEND_INVALID_OPTIONS: "";
    MACH_SEND_INVALID_RT_OOL_SIZE: "";
    MACH_SEND_NO_GRANT_DEST: "";
    MACH_SEND_MSG_FILTERED: "a sandbox policy forbids this message";
    MACH_SEND_AUX_TOO_SMALL: "";
    MACH_SEND_AUX_TOO_LARGE: "";
    MACH_RCV_IN_PROGRESS: "";
    MACH_RCV_INVALID_NAME: "the name is not a receive right or port set of this process";
    MACH_RCV_TIMED_OUT: "no message came in time";
    MACH_RCV_TOO_LARGE: "raise the largest size that the receive buffer may have";
    MACH_RCV_INTERRUPTED: "";
    MACH_RCV_PORT_CHANGED: "the receive right was destroyed or moved while it was waited on";
    MACH_RCV_INVALID_NOTIFY: "";
    MACH_RCV_INVALID_DATA: "";
    MACH_RCV_PORT_DIED: "the receive right was destroyed while it was waited on";
    MACH_RCV_IN_SET: "";
    MACH_RCV_HEADER_ERROR: "the process has no room for more names; release port rights";
    MACH_RCV_BODY_ERROR: "the process has no room for what the message carried; release port rights or memory";
    MACH_RCV_INVALID_TYPE: "";
    MACH_RCV_SCATTER_SMALL: "";
    MACH_RCV_INVALID_TRAILER: "";
    MACH_RCV_IN_PROGRESS_TIMED: "";
    MACH_RCV_INVALID_REPLY: "";
    MACH_RCV_INVALID_ARGUMENTS: "";
    BOOTSTRAP_NOT_PRIVILEGED: "the name belongs to another process, user or pid namespace, or the sandbox forbids it";
    BOOTSTRAP_NAME_IN_USE: "another service has this name; choose another or stop that one";
    BOOTSTRAP_UNKNOWN_SERVICE: "start the service, or check the name";
    BOOTSTRAP_SERVICE_ACTIVE: "this process has taken the name already";
    BOOTSTRAP_BAD_COUNT: "";
    BOOTSTRAP_NO_MEMORY: "the right may be dead, or this process or the service has no descriptor or memory left";
    BOOTSTRAP_NO_CHILDREN: "";
}
