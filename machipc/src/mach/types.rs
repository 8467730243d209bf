//! The structs and integer types of `<mach/message.h>`, `<mach/port.h>` and `<mach/notify.h>`, laid out as C has
//! them on LP64 Darwin.
//!
//! They are our own on every system because `mach2` 0.7 lacks some and lays the out-of-line descriptors and the
//! trailers out with 8-byte alignment, where C packs everything inside a message to 4 bytes. Each size, alignment and
//! field offset is asserted at compile time at the foot of this file, and compared with Apple's headers by `.ci/darwin`.

use core::ffi::{c_char, c_int};

integers! {
    /// A name in the task's port name space (`mach_port_name_t`). 32 bits, local to one task.
    pub type mach_port_name_t = u32;
    /// In user space the same as [`mach_port_name_t`].
    pub type mach_port_t = mach_port_name_t;
    /// One of the `MACH_PORT_RIGHT_*` constants.
    pub type mach_port_right_t = u32;
    /// A bit set of `MACH_PORT_TYPE_*`.
    pub type mach_port_type_t = u32;
    /// A count of user references.
    pub type mach_port_urefs_t = u32;
    /// A signed change of a count of user references.
    pub type mach_port_delta_t = i32;
    /// A port's make-send count.
    pub type mach_port_mscount_t = u32;
    /// A count of messages.
    pub type mach_port_msgcount_t = u32;
    /// A sequence number of received messages.
    pub type mach_port_seqno_t = u32;
    /// A count of rights.
    pub type mach_port_rights_t = u32;
    /// Which attributes `mach_port_get_attributes` is asked for.
    pub type mach_port_flavor_t = c_int;
    /// A port's context or guard value.
    pub type mach_port_context_t = u64;
    /// A count of 32-bit words, or of array elements.
    pub type mach_msg_type_number_t = u32;
    /// A disposition: one of `MACH_MSG_TYPE_*`.
    pub type mach_msg_type_name_t = u32;
    /// `msgh_bits`.
    pub type mach_msg_bits_t = u32;
    /// A size in bytes of a message or of a part of it.
    pub type mach_msg_size_t = u32;
    /// `msgh_id`.
    pub type mach_msg_id_t = i32;
    /// Options of `mach_msg`: `MACH_SEND_*` and `MACH_RCV_*` bits.
    pub type mach_msg_option_t = i32;
    /// A time-out in milliseconds.
    pub type mach_msg_timeout_t = u32;
    /// What `mach_msg` returns.
    pub type mach_msg_return_t = kern_return_t;
    /// What the other calls return.
    pub type kern_return_t = c_int;
    /// An address in the task.
    pub type vm_address_t = usize;
    /// A size of memory in bytes.
    pub type vm_size_t = usize;
}

/// A bootstrap name: at most 127 bytes and a NUL.
pub type name_t = [c_char; 128];

/// `mach_msg_header_t`: the first 24 bytes of every message.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_header_t {
    /// Dispositions of the three port fields and the complex bit.
    pub msgh_bits: mach_msg_bits_t,
    /// Size of the message in bytes without the trailer. Ignored on send, filled in on receive.
    pub msgh_size: mach_msg_size_t,
    /// Destination on send, reply port on receive.
    pub msgh_remote_port: mach_port_t,
    /// Reply port on send, the receiving port on receive.
    pub msgh_local_port: mach_port_t,
    /// Voucher name, or opaque data when no voucher disposition is set.
    pub msgh_voucher_port: mach_port_name_t,
    /// The message's id: free for the user.
    pub msgh_id: mach_msg_id_t,
}

/// `mach_msg_body_t`: follows the header of a complex message.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_body_t {
    /// How many descriptors follow.
    pub msgh_descriptor_count: mach_msg_size_t,
}

/// `mach_msg_port_descriptor_t`: one port right, 12 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_port_descriptor_t {
    /// The right's name.
    pub name: mach_port_t,
    /// Zero.
    pub pad1: mach_msg_size_t,
    /// Zero.
    pub pad2: u16,
    /// The right's disposition.
    pub disposition: u8,
    /// [`MACH_MSG_PORT_DESCRIPTOR`](super::MACH_MSG_PORT_DESCRIPTOR).
    pub r#type: u8,
}

/// `mach_msg_ool_descriptor_t`: one region of memory, 16 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_ool_descriptor_t {
    /// Address of the region's first byte.
    pub address: u64,
    /// Non-zero: the pages leave the sender.
    pub deallocate: u8,
    /// `MACH_MSG_PHYSICAL_COPY` or `MACH_MSG_VIRTUAL_COPY`.
    pub copy: u8,
    /// Zero.
    pub pad1: u8,
    /// [`MACH_MSG_OOL_DESCRIPTOR`](super::MACH_MSG_OOL_DESCRIPTOR) or the volatile kind.
    pub r#type: u8,
    /// Size of the region in bytes.
    pub size: mach_msg_size_t,
}

/// `mach_msg_ool_ports_descriptor_t`: an array of port names in memory, 16 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_ool_ports_descriptor_t {
    /// Address of the array's first name.
    pub address: u64,
    /// Non-zero: the array's pages leave the sender.
    pub deallocate: u8,
    /// Copy option, as for memory.
    pub copy: u8,
    /// The disposition of every element.
    pub disposition: u8,
    /// [`MACH_MSG_OOL_PORTS_DESCRIPTOR`](super::MACH_MSG_OOL_PORTS_DESCRIPTOR).
    pub r#type: u8,
    /// How many names.
    pub count: mach_msg_size_t,
}

/// `mach_msg_guarded_port_descriptor_t`: a receive right sent with a guard, 16 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_guarded_port_descriptor_t {
    /// The guard value.
    pub context: mach_port_context_t,
    /// `MACH_MSG_GUARD_FLAGS_*`.
    pub flags: u16,
    /// Always a moved receive right.
    pub disposition: u8,
    /// [`MACH_MSG_GUARDED_PORT_DESCRIPTOR`](super::MACH_MSG_GUARDED_PORT_DESCRIPTOR).
    pub r#type: u8,
    /// The right's name.
    pub name: mach_port_name_t,
}

/// `security_token_t`: the sender's effective user and group ids.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct security_token_t {
    /// Effective uid, effective gid.
    pub val: [u32; 2],
}

/// `audit_token_t`: who sent a message, as the kernel saw it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct audit_token_t {
    /// Audit uid, euid, egid, ruid, rgid, pid, audit session id, pid version.
    pub val: [u32; 8],
}

/// `mach_msg_trailer_t`: what every received message is followed by, 8 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_trailer_t {
    /// The trailer's format: 0.
    pub msgh_trailer_type: u32,
    /// Size of the trailer in bytes, this struct included.
    pub msgh_trailer_size: u32,
}

/// `mach_msg_seqno_trailer_t`, 12 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_seqno_trailer_t {
    /// The common part.
    pub trailer: mach_msg_trailer_t,
    /// The message's sequence number on its port.
    pub msgh_seqno: mach_port_seqno_t,
}

/// `mach_msg_security_trailer_t`, 20 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_security_trailer_t {
    /// The common part and the sequence number.
    pub seqno: mach_msg_seqno_trailer_t,
    /// Who sent it.
    pub msgh_sender: security_token_t,
}

/// `mach_msg_audit_trailer_t`, 52 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_audit_trailer_t {
    /// The smaller trailer.
    pub security: mach_msg_security_trailer_t,
    /// Who sent it, in full.
    pub msgh_audit: audit_token_t,
}

/// `mach_msg_context_trailer_t`, 60 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_context_trailer_t {
    /// The smaller trailer.
    pub audit: mach_msg_audit_trailer_t,
    /// The receiving port's context.
    pub msgh_context: mach_port_context_t,
}

/// `mach_msg_mac_trailer_t`, 68 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_msg_mac_trailer_t {
    /// The smaller trailer.
    pub context: mach_msg_context_trailer_t,
    /// Zero in practice.
    pub msgh_ad: i32,
    /// Zero in practice (`msg_labels_t`).
    pub msgh_labels: u32,
}

/// `mach_port_status_t`, 40 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_port_status_t {
    /// Non-zero when the port is in a set.
    pub mps_pset: mach_port_rights_t,
    /// Next sequence number.
    pub mps_seqno: mach_port_seqno_t,
    /// Make-send count.
    pub mps_mscount: mach_port_mscount_t,
    /// Queue limit in messages.
    pub mps_qlimit: mach_port_msgcount_t,
    /// Messages in the queue.
    pub mps_msgcount: mach_port_msgcount_t,
    /// Send-once rights in existence.
    pub mps_sorights: mach_port_rights_t,
    /// Whether send rights exist.
    pub mps_srights: u32,
    /// Whether a port-destroyed notification is requested.
    pub mps_pdrequest: u32,
    /// Whether a no-senders notification is requested.
    pub mps_nsrequest: u32,
    /// `MACH_PORT_STATUS_FLAG_*`.
    pub mps_flags: u32,
}

/// `mach_port_limits_t`, 4 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_port_limits_t {
    /// Queue limit in messages.
    pub mpl_qlimit: mach_port_msgcount_t,
}

/// `mach_port_info_ext_t`, 68 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_port_info_ext_t {
    /// The port's status.
    pub mpie_status: mach_port_status_t,
    /// Receivers boosted by importance.
    pub mpie_boost_cnt: u32,
    /// Reserved.
    pub reserved: [u32; 6],
}

/// `mach_port_options_t`, 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct mach_port_options_t {
    /// `MPO_*`.
    pub flags: u32,
    /// The queue limit, with `MPO_QLIMIT`.
    pub mpl: mach_port_limits_t,
    /// Zero.
    pub reserved: [u64; 2],
}

/// `NDR_record_t`: data representation, 8 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NDR_record_t {
    /// Zero.
    pub mig_vers: u8,
    /// Zero.
    pub if_vers: u8,
    /// Zero.
    pub reserved1: u8,
    /// Zero.
    pub mig_encoding: u8,
    /// 1: little-endian.
    pub int_rep: u8,
    /// Zero: ASCII.
    pub char_rep: u8,
    /// Zero: IEEE.
    pub float_rep: u8,
    /// Zero.
    pub reserved2: u8,
}

/// The NDR record of this machine.
pub const NDR_record: NDR_record_t = NDR_record_t {
    mig_vers: 0,
    if_vers: 0,
    reserved1: 0,
    mig_encoding: 0,
    int_rep: 1,
    char_rep: 0,
    float_rep: 0,
    reserved2: 0,
};

/// `mig_reply_error_t`, 36 bytes: what a MIG server answers to a request that failed.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct mig_reply_error_t {
    /// The header; its id is the request's + 100.
    pub Head: mach_msg_header_t,
    /// Data representation.
    pub NDR: NDR_record_t,
    /// A `MIG_*` or `KERN_*` code.
    pub RetCode: kern_return_t,
}

/// The body shared by the port-deleted, send-possible, no-senders and dead-name notifications, 36 bytes.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct mach_notification_t {
    /// The header; its id is one of `MACH_NOTIFY_*`.
    pub not_header: mach_msg_header_t,
    /// Data representation.
    pub NDR: NDR_record_t,
    /// A port name, or the make-send count of a no-senders notification.
    pub not_value: u32,
}

/// `mach_port_destroyed_notification_t`, 40 bytes without the trailer.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct mach_port_destroyed_notification_t {
    /// The header; its id is `MACH_NOTIFY_PORT_DESTROYED`.
    pub not_header: mach_msg_header_t,
    /// One descriptor.
    pub not_body: mach_msg_body_t,
    /// The receive right.
    pub not_port: mach_msg_port_descriptor_t,
}

/// What [`bootstrap_watch`](super::bootstrap_watch) stores. Not a type of Mach's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct bootstrap_watch_t {
    /// The port to which a message comes when the name may be there: a receive right that the watch owns.
    pub port: mach_port_name_t,
    /// The system's own.
    pub token: i32,
    /// After how many milliseconds to look without a message, or `MACH_MSG_TIMEOUT_NONE`.
    pub look_again: mach_msg_timeout_t,
}

/// What [`inheritance_offer`](super::inheritance_offer) stores. Not a type of Mach's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct inheritance_t {
    /// What the child must be told, for instance in its environment: a C string of letters, digits, `.` and `-`.
    pub text: [u8; 96],
    /// The system's own: a descriptor that the child inherits, or -1.
    pub descriptor: i32,
    /// The system's own: a descriptor from which the first child takes its right to inherit, or -1.
    pub ticket: i32,
}

impl inheritance_t {
    /// An offer with this text of at most 95 bytes, and without descriptors.
    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; 96];
        bytes[..95].iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self { text: bytes, descriptor: -1, ticket: -1 }
    }
}

impl Default for inheritance_t {
    fn default() -> Self {
        Self::new("")
    }
}

structs! {
    mach_msg_header_t: 24, 4 {
        msgh_bits @ 0, msgh_size @ 4, msgh_remote_port @ 8, msgh_local_port @ 12, msgh_voucher_port @ 16,
        msgh_id @ 20
    }
    mach_msg_body_t: 4, 4 { msgh_descriptor_count @ 0 }
    mach_msg_port_descriptor_t: 12, 4 { name @ 0, pad1 @ 4, pad2 @ 8, disposition @ 10, r#type @ 11 }
    mach_msg_ool_descriptor_t: 16, 4 {
        address @ 0, deallocate @ 8, copy @ 9, pad1 @ 10, r#type @ 11, size @ 12
    }
    mach_msg_ool_ports_descriptor_t: 16, 4 {
        address @ 0, deallocate @ 8, copy @ 9, disposition @ 10, r#type @ 11, count @ 12
    }
    mach_msg_guarded_port_descriptor_t: 16, 4 {
        context @ 0, flags @ 8, disposition @ 10, r#type @ 11, name @ 12
    }
    security_token_t: 8, 4 { val @ 0 }
    audit_token_t: 32, 4 { val @ 0 }
    mach_msg_trailer_t: 8, 4 { msgh_trailer_type @ 0, msgh_trailer_size @ 4 }
    mach_msg_seqno_trailer_t: 12, 4 { trailer @ 0, msgh_seqno @ 8 }
    mach_msg_security_trailer_t: 20, 4 { seqno @ 0, msgh_sender @ 12 }
    mach_msg_audit_trailer_t: 52, 4 { security @ 0, msgh_audit @ 20 }
    mach_msg_context_trailer_t: 60, 4 { audit @ 0, msgh_context @ 52 }
    mach_msg_mac_trailer_t: 68, 4 { context @ 0, msgh_ad @ 60, msgh_labels @ 64 }
    mach_port_status_t: 40, 4 {
        mps_pset @ 0, mps_seqno @ 4, mps_mscount @ 8, mps_qlimit @ 12, mps_msgcount @ 16, mps_sorights @ 20,
        mps_srights @ 24, mps_pdrequest @ 28, mps_nsrequest @ 32, mps_flags @ 36
    }
    mach_port_limits_t: 4, 4 { mpl_qlimit @ 0 }
    mach_port_info_ext_t: 68, 4 { mpie_status @ 0, mpie_boost_cnt @ 40, reserved @ 44 }
    mach_port_options_t: 24, 8 { flags @ 0, mpl @ 4, reserved @ 8 }
    NDR_record_t: 8, 1 {
        mig_vers @ 0, if_vers @ 1, reserved1 @ 2, mig_encoding @ 3, int_rep @ 4, char_rep @ 5, float_rep @ 6,
        reserved2 @ 7
    }
    mig_reply_error_t: 36, 4 { Head @ 0, NDR @ 24, RetCode @ 32 }
    mach_notification_t: 36, 4 { not_header @ 0, NDR @ 24, not_value @ 32 }
    mach_port_destroyed_notification_t: 40, 4 { not_header @ 0, not_body @ 24, not_port @ 28 }
}

/// [`set_waiting`](super::set_waiting): watch for a moment, where that pays, then sleep.
pub const WAIT_ADAPTIVELY: u32 = 0;
/// [`set_waiting`](super::set_waiting): sleep at once.
pub const WAIT_ASLEEP: u32 = 1;
/// [`set_waiting`](super::set_waiting): watch and do not sleep.
pub const WAIT_POLLING: u32 = 2;
