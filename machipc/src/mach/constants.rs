//! The constants of Mach's headers that machipc uses, with their values on every Darwin system.
//!
//! Source: `<mach/message.h>`, `<mach/port.h>`, `<mach/notify.h>`, `<mach/kern_return.h>`, `<mach/mig_errors.h>`,
//! `<servers/bootstrap.h>` of the public SDK.

use super::types::*;

constants! {
    // ---- Port names.

    /// No port.
    pub const MACH_PORT_NULL: mach_port_name_t = 0;
    /// A right whose port died on the way.
    pub const MACH_PORT_DEAD: mach_port_name_t = 0xffff_ffff;

    // ---- Kinds of rights.

    /// `MACH_PORT_RIGHT_SEND`.
    pub const MACH_PORT_RIGHT_SEND: mach_port_right_t = 0;
    /// `MACH_PORT_RIGHT_RECEIVE`.
    pub const MACH_PORT_RIGHT_RECEIVE: mach_port_right_t = 1;
    /// `MACH_PORT_RIGHT_SEND_ONCE`.
    pub const MACH_PORT_RIGHT_SEND_ONCE: mach_port_right_t = 2;
    /// `MACH_PORT_RIGHT_PORT_SET`.
    pub const MACH_PORT_RIGHT_PORT_SET: mach_port_right_t = 3;
    /// `MACH_PORT_RIGHT_DEAD_NAME`.
    pub const MACH_PORT_RIGHT_DEAD_NAME: mach_port_right_t = 4;
    /// `MACH_PORT_RIGHT_LABELH`.
    pub const MACH_PORT_RIGHT_LABELH: mach_port_right_t = 5;
    /// `MACH_PORT_RIGHT_NUMBER`.
    pub const MACH_PORT_RIGHT_NUMBER: mach_port_right_t = 6;

    // ---- Types of names.

    /// `MACH_PORT_TYPE_NONE`.
    pub const MACH_PORT_TYPE_NONE: mach_port_type_t = 0;
    /// `MACH_PORT_TYPE_SEND`.
    pub const MACH_PORT_TYPE_SEND: mach_port_type_t = 1 << 16;
    /// `MACH_PORT_TYPE_RECEIVE`.
    pub const MACH_PORT_TYPE_RECEIVE: mach_port_type_t = 1 << 17;
    /// `MACH_PORT_TYPE_SEND_ONCE`.
    pub const MACH_PORT_TYPE_SEND_ONCE: mach_port_type_t = 1 << 18;
    /// `MACH_PORT_TYPE_PORT_SET`.
    pub const MACH_PORT_TYPE_PORT_SET: mach_port_type_t = 1 << 19;
    /// `MACH_PORT_TYPE_DEAD_NAME`.
    pub const MACH_PORT_TYPE_DEAD_NAME: mach_port_type_t = 1 << 20;
    /// A dead-name request is armed.
    pub const MACH_PORT_TYPE_DNREQUEST: mach_port_type_t = 0x8000_0000;
    /// A send-possible request is armed.
    pub const MACH_PORT_TYPE_SPREQUEST: mach_port_type_t = 0x4000_0000;
    /// A send-possible request is stored, not yet armed.
    pub const MACH_PORT_TYPE_SPREQUEST_DELAYED: mach_port_type_t = 0x2000_0000;

    // ---- Attributes of ports.

    /// Flavor of [`mach_port_limits_t`].
    pub const MACH_PORT_LIMITS_INFO: mach_port_flavor_t = 1;
    /// Flavor of [`mach_port_status_t`].
    pub const MACH_PORT_RECEIVE_STATUS: mach_port_flavor_t = 2;
    /// `MACH_PORT_DNREQUESTS_SIZE`.
    pub const MACH_PORT_DNREQUESTS_SIZE: mach_port_flavor_t = 3;
    /// `MACH_PORT_TEMPOWNER`.
    pub const MACH_PORT_TEMPOWNER: mach_port_flavor_t = 4;
    /// `MACH_PORT_IMPORTANCE_RECEIVER`.
    pub const MACH_PORT_IMPORTANCE_RECEIVER: mach_port_flavor_t = 5;
    /// `MACH_PORT_DENAP_RECEIVER`.
    pub const MACH_PORT_DENAP_RECEIVER: mach_port_flavor_t = 6;
    /// Flavor of [`mach_port_info_ext_t`].
    pub const MACH_PORT_INFO_EXT: mach_port_flavor_t = 7;
    /// `MACH_PORT_LIMITS_INFO_COUNT`.
    pub const MACH_PORT_LIMITS_INFO_COUNT: mach_msg_type_number_t = 1;
    /// `MACH_PORT_RECEIVE_STATUS_COUNT`.
    pub const MACH_PORT_RECEIVE_STATUS_COUNT: mach_msg_type_number_t = 10;
    /// `MACH_PORT_DNREQUESTS_SIZE_COUNT`.
    pub const MACH_PORT_DNREQUESTS_SIZE_COUNT: mach_msg_type_number_t = 1;
    /// `MACH_PORT_INFO_EXT_COUNT`.
    pub const MACH_PORT_INFO_EXT_COUNT: mach_msg_type_number_t = 17;
    /// `MACH_PORT_QLIMIT_ZERO`.
    pub const MACH_PORT_QLIMIT_ZERO: mach_port_msgcount_t = 0;
    /// The limit of a new port.
    pub const MACH_PORT_QLIMIT_BASIC: mach_port_msgcount_t = 5;
    /// `MACH_PORT_QLIMIT_SMALL`.
    pub const MACH_PORT_QLIMIT_SMALL: mach_port_msgcount_t = 16;
    /// The highest limit that can be set.
    pub const MACH_PORT_QLIMIT_LARGE: mach_port_msgcount_t = 1024;
    /// `MACH_PORT_QLIMIT_MIN`.
    pub const MACH_PORT_QLIMIT_MIN: mach_port_msgcount_t = MACH_PORT_QLIMIT_ZERO;
    /// `MACH_PORT_QLIMIT_MAX`.
    pub const MACH_PORT_QLIMIT_MAX: mach_port_msgcount_t = MACH_PORT_QLIMIT_LARGE;
    /// `MACH_PORT_STATUS_FLAG_TEMPOWNER`.
    pub const MACH_PORT_STATUS_FLAG_TEMPOWNER: u32 = 0x01;
    /// `MACH_PORT_STATUS_FLAG_GUARDED`.
    pub const MACH_PORT_STATUS_FLAG_GUARDED: u32 = 0x02;
    /// `MACH_PORT_STATUS_FLAG_STRICT_GUARD`.
    pub const MACH_PORT_STATUS_FLAG_STRICT_GUARD: u32 = 0x04;
    /// `MACH_PORT_STATUS_FLAG_IMP_DONATION`.
    pub const MACH_PORT_STATUS_FLAG_IMP_DONATION: u32 = 0x08;
    /// `MACH_PORT_STATUS_FLAG_REVIVE`.
    pub const MACH_PORT_STATUS_FLAG_REVIVE: u32 = 0x10;
    /// `MACH_PORT_STATUS_FLAG_TASKPTR`.
    pub const MACH_PORT_STATUS_FLAG_TASKPTR: u32 = 0x20;
    /// `MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE`.
    pub const MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE: u32 = 0x40;
    /// `MACH_PORT_STATUS_FLAG_NO_GRANT`.
    pub const MACH_PORT_STATUS_FLAG_NO_GRANT: u32 = 0x80;

    // ---- Options of `mach_port_construct`.

    /// The context guards the receive right.
    pub const MPO_CONTEXT_AS_GUARD: u32 = 0x01;
    /// The queue limit is given.
    pub const MPO_QLIMIT: u32 = 0x02;
    /// `MPO_TEMPOWNER`.
    pub const MPO_TEMPOWNER: u32 = 0x04;
    /// `MPO_IMPORTANCE_RECEIVER`.
    pub const MPO_IMPORTANCE_RECEIVER: u32 = 0x08;
    /// A send right is made too.
    pub const MPO_INSERT_SEND_RIGHT: u32 = 0x10;
    /// The guard is strict.
    pub const MPO_STRICT: u32 = 0x20;
    /// `MPO_DENAP_RECEIVER`.
    pub const MPO_DENAP_RECEIVER: u32 = 0x40;
    /// The receive right cannot be sent; needs a guard.
    pub const MPO_IMMOVABLE_RECEIVE: u32 = 0x80;
    /// `MPO_FILTER_MSG`.
    pub const MPO_FILTER_MSG: u32 = 0x100;
    /// `MPO_TG_BLOCK_TRACKING`.
    pub const MPO_TG_BLOCK_TRACKING: u32 = 0x200;
    /// `MPO_SERVICE_PORT`.
    pub const MPO_SERVICE_PORT: u32 = 0x400;
    /// `MPO_CONNECTION_PORT`.
    pub const MPO_CONNECTION_PORT: u32 = 0x800;
    /// A reply port: only send-once rights can be made from it.
    pub const MPO_REPLY_PORT: u32 = 0x1000;
    /// `MPO_ENFORCE_REPLY_PORT_SEMANTICS`.
    pub const MPO_ENFORCE_REPLY_PORT_SEMANTICS: u32 = 0x2000;
    /// `MPO_PROVISIONAL_REPLY_PORT`.
    pub const MPO_PROVISIONAL_REPLY_PORT: u32 = 0x4000;
    /// `MPO_EXCEPTION_PORT`.
    pub const MPO_EXCEPTION_PORT: u32 = 0x8000;

    // ---- Flags of `mach_port_guard_with_flags`.

    /// `MPG_STRICT`.
    pub const MPG_STRICT: u64 = 1;
    /// `MPG_IMMOVABLE_RECEIVE`.
    pub const MPG_IMMOVABLE_RECEIVE: u64 = 2;

    // ---- `msgh_bits`.

    /// `MACH_MSGH_BITS_ZERO`.
    pub const MACH_MSGH_BITS_ZERO: mach_msg_bits_t = 0;
    /// Disposition of the remote port.
    pub const MACH_MSGH_BITS_REMOTE_MASK: mach_msg_bits_t = 0x0000_001f;
    /// Disposition of the local port.
    pub const MACH_MSGH_BITS_LOCAL_MASK: mach_msg_bits_t = 0x0000_1f00;
    /// Disposition of the voucher.
    pub const MACH_MSGH_BITS_VOUCHER_MASK: mach_msg_bits_t = 0x001f_0000;
    /// `MACH_MSGH_BITS_PORTS_MASK`.
    pub const MACH_MSGH_BITS_PORTS_MASK: mach_msg_bits_t = 0x001f_1f1f;
    /// A body with descriptors follows the header.
    pub const MACH_MSGH_BITS_COMPLEX: mach_msg_bits_t = 0x8000_0000;
    /// The bits that a sender may set.
    pub const MACH_MSGH_BITS_USER: mach_msg_bits_t = 0x801f_1f1f;
    /// May be seen on received messages; mask it out.
    pub const MACH_MSGH_BITS_RAISEIMP: mach_msg_bits_t = 0x2000_0000;

    // ---- Dispositions.

    /// `MACH_MSG_TYPE_PORT_NONE`.
    pub const MACH_MSG_TYPE_PORT_NONE: mach_msg_type_name_t = 0;
    /// `MACH_MSG_TYPE_PORT_NAME`.
    pub const MACH_MSG_TYPE_PORT_NAME: mach_msg_type_name_t = 15;
    /// `MACH_MSG_TYPE_MOVE_RECEIVE`.
    pub const MACH_MSG_TYPE_MOVE_RECEIVE: mach_msg_type_name_t = 16;
    /// `MACH_MSG_TYPE_MOVE_SEND`.
    pub const MACH_MSG_TYPE_MOVE_SEND: mach_msg_type_name_t = 17;
    /// `MACH_MSG_TYPE_MOVE_SEND_ONCE`.
    pub const MACH_MSG_TYPE_MOVE_SEND_ONCE: mach_msg_type_name_t = 18;
    /// `MACH_MSG_TYPE_COPY_SEND`.
    pub const MACH_MSG_TYPE_COPY_SEND: mach_msg_type_name_t = 19;
    /// `MACH_MSG_TYPE_MAKE_SEND`.
    pub const MACH_MSG_TYPE_MAKE_SEND: mach_msg_type_name_t = 20;
    /// `MACH_MSG_TYPE_MAKE_SEND_ONCE`.
    pub const MACH_MSG_TYPE_MAKE_SEND_ONCE: mach_msg_type_name_t = 21;
    /// Received disposition of a receive right.
    pub const MACH_MSG_TYPE_PORT_RECEIVE: mach_msg_type_name_t = MACH_MSG_TYPE_MOVE_RECEIVE;
    /// Received disposition of a send right.
    pub const MACH_MSG_TYPE_PORT_SEND: mach_msg_type_name_t = MACH_MSG_TYPE_MOVE_SEND;
    /// Received disposition of a send-once right.
    pub const MACH_MSG_TYPE_PORT_SEND_ONCE: mach_msg_type_name_t = MACH_MSG_TYPE_MOVE_SEND_ONCE;

    // ---- Descriptors.

    /// `MACH_MSG_PORT_DESCRIPTOR`.
    pub const MACH_MSG_PORT_DESCRIPTOR: u8 = 0;
    /// `MACH_MSG_OOL_DESCRIPTOR`.
    pub const MACH_MSG_OOL_DESCRIPTOR: u8 = 1;
    /// `MACH_MSG_OOL_PORTS_DESCRIPTOR`.
    pub const MACH_MSG_OOL_PORTS_DESCRIPTOR: u8 = 2;
    /// `MACH_MSG_OOL_VOLATILE_DESCRIPTOR`.
    pub const MACH_MSG_OOL_VOLATILE_DESCRIPTOR: u8 = 3;
    /// `MACH_MSG_GUARDED_PORT_DESCRIPTOR`.
    pub const MACH_MSG_GUARDED_PORT_DESCRIPTOR: u8 = 4;
    /// `MACH_MSG_PHYSICAL_COPY`.
    pub const MACH_MSG_PHYSICAL_COPY: u8 = 0;
    /// `MACH_MSG_VIRTUAL_COPY`.
    pub const MACH_MSG_VIRTUAL_COPY: u8 = 1;
    /// `MACH_MSG_GUARD_FLAGS_NONE`.
    pub const MACH_MSG_GUARD_FLAGS_NONE: u16 = 0;
    /// `MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE`.
    pub const MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE: u16 = 1;
    /// `MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND`.
    pub const MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND: u16 = 2;
    /// `MACH_MSG_GUARD_FLAGS_MASK`.
    pub const MACH_MSG_GUARD_FLAGS_MASK: u16 = 3;

    // ---- Limits.

    /// Largest message that can be sent, in bytes (48 MiB - 68). The name is ours: the headers' `MACH_MSG_SIZE_MAX` is the largest number of
    /// the type.
    pub const MACH_MSG_SEND_MAX: mach_msg_size_t = 50_331_580;
    /// Most rights in one message.
    pub const MACH_MSG_PORTS_MAX: u32 = 16_383;
    /// The count at which user references are pinned.
    pub const MACH_PORT_UREFS_MAX: mach_port_urefs_t = 65_535;

    // ---- Options of `mach_msg`.

    /// `MACH_MSG_OPTION_NONE`.
    pub const MACH_MSG_OPTION_NONE: mach_msg_option_t = 0;
    /// `MACH_SEND_MSG`.
    pub const MACH_SEND_MSG: mach_msg_option_t = 0x0000_0001;
    /// `MACH_RCV_MSG`.
    pub const MACH_RCV_MSG: mach_msg_option_t = 0x0000_0002;
    /// A message that is too large stays in the queue.
    pub const MACH_RCV_LARGE: mach_msg_option_t = 0x0000_0004;
    /// And the port's name is told.
    pub const MACH_RCV_LARGE_IDENTITY: mach_msg_option_t = 0x0000_0008;
    /// `MACH_SEND_TIMEOUT`.
    pub const MACH_SEND_TIMEOUT: mach_msg_option_t = 0x0000_0010;
    /// `MACH_SEND_OVERRIDE`.
    pub const MACH_SEND_OVERRIDE: mach_msg_option_t = 0x0000_0020;
    /// Do not restart an interrupted send.
    pub const MACH_SEND_INTERRUPT: mach_msg_option_t = 0x0000_0040;
    /// Arm a stored send-possible request.
    pub const MACH_SEND_NOTIFY: mach_msg_option_t = 0x0000_0080;
    /// `MACH_RCV_TIMEOUT`.
    pub const MACH_RCV_TIMEOUT: mach_msg_option_t = 0x0000_0100;
    /// `MACH_RCV_NOTIFY`.
    pub const MACH_RCV_NOTIFY: mach_msg_option_t = 0x0000_0000;
    /// Do not restart an interrupted receive.
    pub const MACH_RCV_INTERRUPT: mach_msg_option_t = 0x0000_0400;
    /// `MACH_RCV_VOUCHER`.
    pub const MACH_RCV_VOUCHER: mach_msg_option_t = 0x0000_0800;
    /// Guarded descriptors are understood.
    pub const MACH_RCV_GUARDED_DESC: mach_msg_option_t = 0x0000_1000;
    /// `MACH_RCV_SYNC_WAIT`.
    pub const MACH_RCV_SYNC_WAIT: mach_msg_option_t = 0x0000_4000;
    /// `MACH_RCV_SYNC_PEEK`.
    pub const MACH_RCV_SYNC_PEEK: mach_msg_option_t = 0x0000_8000;
    /// `MACH_MSG_STRICT_REPLY`.
    pub const MACH_MSG_STRICT_REPLY: mach_msg_option_t = 0x0000_0200;
    /// `MACH_MSG_TIMEOUT_NONE`.
    pub const MACH_MSG_TIMEOUT_NONE: mach_msg_timeout_t = 0;
    /// `MACH_RCV_TRAILER_NULL`.
    pub const MACH_RCV_TRAILER_NULL: mach_msg_option_t = 0;
    /// `MACH_RCV_TRAILER_SEQNO`.
    pub const MACH_RCV_TRAILER_SEQNO: mach_msg_option_t = 1;
    /// `MACH_RCV_TRAILER_SENDER`.
    pub const MACH_RCV_TRAILER_SENDER: mach_msg_option_t = 2;
    /// `MACH_RCV_TRAILER_AUDIT`.
    pub const MACH_RCV_TRAILER_AUDIT: mach_msg_option_t = 3;
    /// `MACH_RCV_TRAILER_CTX`.
    pub const MACH_RCV_TRAILER_CTX: mach_msg_option_t = 4;
    /// `MACH_RCV_TRAILER_AV`.
    pub const MACH_RCV_TRAILER_AV: mach_msg_option_t = 7;
    /// `MACH_RCV_TRAILER_LABELS`.
    pub const MACH_RCV_TRAILER_LABELS: mach_msg_option_t = 8;
    /// `MACH_RCV_TRAILER_MASK`.
    pub const MACH_RCV_TRAILER_MASK: mach_msg_option_t = 0xf << 24;

    // ---- Notifications.

    /// `MACH_NOTIFY_PORT_DELETED`.
    pub const MACH_NOTIFY_PORT_DELETED: mach_msg_id_t = 65;
    /// `MACH_NOTIFY_SEND_POSSIBLE`.
    pub const MACH_NOTIFY_SEND_POSSIBLE: mach_msg_id_t = 66;
    /// `MACH_NOTIFY_PORT_DESTROYED`.
    pub const MACH_NOTIFY_PORT_DESTROYED: mach_msg_id_t = 69;
    /// `MACH_NOTIFY_NO_SENDERS`.
    pub const MACH_NOTIFY_NO_SENDERS: mach_msg_id_t = 70;
    /// `MACH_NOTIFY_SEND_ONCE`.
    pub const MACH_NOTIFY_SEND_ONCE: mach_msg_id_t = 71;
    /// `MACH_NOTIFY_DEAD_NAME`.
    pub const MACH_NOTIFY_DEAD_NAME: mach_msg_id_t = 72;

    // ---- Codes of the port calls.

    /// `KERN_SUCCESS`.
    pub const KERN_SUCCESS: kern_return_t = 0;
    /// `KERN_INVALID_ADDRESS`.
    pub const KERN_INVALID_ADDRESS: kern_return_t = 1;
    /// `KERN_PROTECTION_FAILURE`.
    pub const KERN_PROTECTION_FAILURE: kern_return_t = 2;
    /// `KERN_NO_SPACE`.
    pub const KERN_NO_SPACE: kern_return_t = 3;
    /// `KERN_INVALID_ARGUMENT`.
    pub const KERN_INVALID_ARGUMENT: kern_return_t = 4;
    /// `KERN_FAILURE`.
    pub const KERN_FAILURE: kern_return_t = 5;
    /// `KERN_RESOURCE_SHORTAGE`.
    pub const KERN_RESOURCE_SHORTAGE: kern_return_t = 6;
    /// `KERN_NOT_RECEIVER`.
    pub const KERN_NOT_RECEIVER: kern_return_t = 7;
    /// `KERN_NO_ACCESS`.
    pub const KERN_NO_ACCESS: kern_return_t = 8;
    /// `KERN_ALREADY_IN_SET`.
    pub const KERN_ALREADY_IN_SET: kern_return_t = 11;
    /// `KERN_NOT_IN_SET`.
    pub const KERN_NOT_IN_SET: kern_return_t = 12;
    /// `KERN_NAME_EXISTS`.
    pub const KERN_NAME_EXISTS: kern_return_t = 13;
    /// `KERN_ABORTED`.
    pub const KERN_ABORTED: kern_return_t = 14;
    /// `KERN_INVALID_NAME`.
    pub const KERN_INVALID_NAME: kern_return_t = 15;
    /// `KERN_INVALID_TASK`.
    pub const KERN_INVALID_TASK: kern_return_t = 16;
    /// `KERN_INVALID_RIGHT`.
    pub const KERN_INVALID_RIGHT: kern_return_t = 17;
    /// `KERN_INVALID_VALUE`.
    pub const KERN_INVALID_VALUE: kern_return_t = 18;
    /// `KERN_UREFS_OVERFLOW`.
    pub const KERN_UREFS_OVERFLOW: kern_return_t = 19;
    /// `KERN_INVALID_CAPABILITY`.
    pub const KERN_INVALID_CAPABILITY: kern_return_t = 20;
    /// `KERN_RIGHT_EXISTS`.
    pub const KERN_RIGHT_EXISTS: kern_return_t = 21;
    /// `KERN_INVALID_HOST`.
    pub const KERN_INVALID_HOST: kern_return_t = 22;
    /// `KERN_NOT_SUPPORTED`.
    pub const KERN_NOT_SUPPORTED: kern_return_t = 46;

    // ---- Codes of a send.

    /// `MACH_MSG_SUCCESS`.
    pub const MACH_MSG_SUCCESS: mach_msg_return_t = 0;
    /// `MACH_SEND_IN_PROGRESS`.
    pub const MACH_SEND_IN_PROGRESS: mach_msg_return_t = 0x1000_0001;
    /// `MACH_SEND_INVALID_DATA`.
    pub const MACH_SEND_INVALID_DATA: mach_msg_return_t = 0x1000_0002;
    /// `MACH_SEND_INVALID_DEST`.
    pub const MACH_SEND_INVALID_DEST: mach_msg_return_t = 0x1000_0003;
    /// `MACH_SEND_TIMED_OUT`.
    pub const MACH_SEND_TIMED_OUT: mach_msg_return_t = 0x1000_0004;
    /// `MACH_SEND_INVALID_VOUCHER`.
    pub const MACH_SEND_INVALID_VOUCHER: mach_msg_return_t = 0x1000_0005;
    /// `MACH_SEND_INTERRUPTED`.
    pub const MACH_SEND_INTERRUPTED: mach_msg_return_t = 0x1000_0007;
    /// `MACH_SEND_MSG_TOO_SMALL`.
    pub const MACH_SEND_MSG_TOO_SMALL: mach_msg_return_t = 0x1000_0008;
    /// `MACH_SEND_INVALID_REPLY`.
    pub const MACH_SEND_INVALID_REPLY: mach_msg_return_t = 0x1000_0009;
    /// `MACH_SEND_INVALID_RIGHT`.
    pub const MACH_SEND_INVALID_RIGHT: mach_msg_return_t = 0x1000_000a;
    /// `MACH_SEND_INVALID_NOTIFY`.
    pub const MACH_SEND_INVALID_NOTIFY: mach_msg_return_t = 0x1000_000b;
    /// `MACH_SEND_INVALID_MEMORY`.
    pub const MACH_SEND_INVALID_MEMORY: mach_msg_return_t = 0x1000_000c;
    /// `MACH_SEND_NO_BUFFER`.
    pub const MACH_SEND_NO_BUFFER: mach_msg_return_t = 0x1000_000d;
    /// `MACH_SEND_TOO_LARGE`.
    pub const MACH_SEND_TOO_LARGE: mach_msg_return_t = 0x1000_000e;
    /// `MACH_SEND_INVALID_TYPE`.
    pub const MACH_SEND_INVALID_TYPE: mach_msg_return_t = 0x1000_000f;
    /// `MACH_SEND_INVALID_HEADER`.
    pub const MACH_SEND_INVALID_HEADER: mach_msg_return_t = 0x1000_0010;
    /// `MACH_SEND_INVALID_TRAILER`.
    pub const MACH_SEND_INVALID_TRAILER: mach_msg_return_t = 0x1000_0011;
    /// `MACH_SEND_INVALID_CONTEXT`.
    pub const MACH_SEND_INVALID_CONTEXT: mach_msg_return_t = 0x1000_0012;
    /// `MACH_SEND_INVALID_OPTIONS`.
    pub const MACH_SEND_INVALID_OPTIONS: mach_msg_return_t = 0x1000_0013;
    /// `MACH_SEND_INVALID_RT_OOL_SIZE`.
    pub const MACH_SEND_INVALID_RT_OOL_SIZE: mach_msg_return_t = 0x1000_0015;
    /// `MACH_SEND_NO_GRANT_DEST`.
    pub const MACH_SEND_NO_GRANT_DEST: mach_msg_return_t = 0x1000_0016;
    /// `MACH_SEND_MSG_FILTERED`.
    pub const MACH_SEND_MSG_FILTERED: mach_msg_return_t = 0x1000_0017;
    /// `MACH_SEND_AUX_TOO_SMALL`.
    pub const MACH_SEND_AUX_TOO_SMALL: mach_msg_return_t = 0x1000_0018;
    /// `MACH_SEND_AUX_TOO_LARGE`.
    pub const MACH_SEND_AUX_TOO_LARGE: mach_msg_return_t = 0x1000_0019;

    // ---- Codes of a receive.

    /// `MACH_RCV_IN_PROGRESS`.
    pub const MACH_RCV_IN_PROGRESS: mach_msg_return_t = 0x1000_4001;
    /// `MACH_RCV_INVALID_NAME`.
    pub const MACH_RCV_INVALID_NAME: mach_msg_return_t = 0x1000_4002;
    /// `MACH_RCV_TIMED_OUT`.
    pub const MACH_RCV_TIMED_OUT: mach_msg_return_t = 0x1000_4003;
    /// `MACH_RCV_TOO_LARGE`.
    pub const MACH_RCV_TOO_LARGE: mach_msg_return_t = 0x1000_4004;
    /// `MACH_RCV_INTERRUPTED`.
    pub const MACH_RCV_INTERRUPTED: mach_msg_return_t = 0x1000_4005;
    /// `MACH_RCV_PORT_CHANGED`.
    pub const MACH_RCV_PORT_CHANGED: mach_msg_return_t = 0x1000_4006;
    /// `MACH_RCV_INVALID_NOTIFY`.
    pub const MACH_RCV_INVALID_NOTIFY: mach_msg_return_t = 0x1000_4007;
    /// `MACH_RCV_INVALID_DATA`.
    pub const MACH_RCV_INVALID_DATA: mach_msg_return_t = 0x1000_4008;
    /// `MACH_RCV_PORT_DIED`.
    pub const MACH_RCV_PORT_DIED: mach_msg_return_t = 0x1000_4009;
    /// `MACH_RCV_IN_SET`.
    pub const MACH_RCV_IN_SET: mach_msg_return_t = 0x1000_400a;
    /// `MACH_RCV_HEADER_ERROR`.
    pub const MACH_RCV_HEADER_ERROR: mach_msg_return_t = 0x1000_400b;
    /// `MACH_RCV_BODY_ERROR`.
    pub const MACH_RCV_BODY_ERROR: mach_msg_return_t = 0x1000_400c;
    /// `MACH_RCV_INVALID_TYPE`.
    pub const MACH_RCV_INVALID_TYPE: mach_msg_return_t = 0x1000_400d;
    /// `MACH_RCV_SCATTER_SMALL`.
    pub const MACH_RCV_SCATTER_SMALL: mach_msg_return_t = 0x1000_400e;
    /// `MACH_RCV_INVALID_TRAILER`.
    pub const MACH_RCV_INVALID_TRAILER: mach_msg_return_t = 0x1000_400f;
    /// `MACH_RCV_IN_PROGRESS_TIMED`.
    pub const MACH_RCV_IN_PROGRESS_TIMED: mach_msg_return_t = 0x1000_4011;
    /// `MACH_RCV_INVALID_REPLY`.
    pub const MACH_RCV_INVALID_REPLY: mach_msg_return_t = 0x1000_4012;
    /// `MACH_RCV_INVALID_ARGUMENTS`.
    pub const MACH_RCV_INVALID_ARGUMENTS: mach_msg_return_t = 0x1000_4013;

    // ---- Bits that may accompany a `mach_msg` code.

    /// All of them: mask them out before comparing.
    pub const MACH_MSG_MASK: mach_msg_return_t = 0x0000_3e00;
    /// No room in the name space.
    pub const MACH_MSG_IPC_SPACE: mach_msg_return_t = 0x0000_2000;
    /// No room in the address space.
    pub const MACH_MSG_VM_SPACE: mach_msg_return_t = 0x0000_1000;
    /// Shortage of memory for names.
    pub const MACH_MSG_IPC_KERNEL: mach_msg_return_t = 0x0000_0800;
    /// Shortage of memory for pages.
    pub const MACH_MSG_VM_KERNEL: mach_msg_return_t = 0x0000_0400;

    // ---- Codes of MIG servers.

    /// `MIG_TYPE_ERROR`.
    pub const MIG_TYPE_ERROR: kern_return_t = -300;
    /// `MIG_REPLY_MISMATCH`.
    pub const MIG_REPLY_MISMATCH: kern_return_t = -301;
    /// `MIG_REMOTE_ERROR`.
    pub const MIG_REMOTE_ERROR: kern_return_t = -302;
    /// `MIG_BAD_ID`.
    pub const MIG_BAD_ID: kern_return_t = -303;
    /// `MIG_BAD_ARGUMENTS`.
    pub const MIG_BAD_ARGUMENTS: kern_return_t = -304;
    /// `MIG_NO_REPLY`.
    pub const MIG_NO_REPLY: kern_return_t = -305;
    /// `MIG_EXCEPTION`.
    pub const MIG_EXCEPTION: kern_return_t = -306;
    /// `MIG_ARRAY_TOO_LARGE`.
    pub const MIG_ARRAY_TOO_LARGE: kern_return_t = -307;
    /// `MIG_SERVER_DIED`.
    pub const MIG_SERVER_DIED: kern_return_t = -308;
    /// `MIG_TRAILER_ERROR`.
    pub const MIG_TRAILER_ERROR: kern_return_t = -309;

    // ---- Bootstrap.

    /// `BOOTSTRAP_SUCCESS`.
    pub const BOOTSTRAP_SUCCESS: kern_return_t = 0;
    /// The name is another's, or the sandbox forbids it.
    pub const BOOTSTRAP_NOT_PRIVILEGED: kern_return_t = 1100;
    /// `BOOTSTRAP_NAME_IN_USE`.
    pub const BOOTSTRAP_NAME_IN_USE: kern_return_t = 1101;
    /// Nobody has the name.
    pub const BOOTSTRAP_UNKNOWN_SERVICE: kern_return_t = 1102;
    /// The name is checked in already.
    pub const BOOTSTRAP_SERVICE_ACTIVE: kern_return_t = 1103;
    /// `BOOTSTRAP_BAD_COUNT`.
    pub const BOOTSTRAP_BAD_COUNT: kern_return_t = 1104;
    /// `BOOTSTRAP_NO_MEMORY`.
    pub const BOOTSTRAP_NO_MEMORY: kern_return_t = 1105;
    /// `BOOTSTRAP_NO_CHILDREN`.
    pub const BOOTSTRAP_NO_CHILDREN: kern_return_t = 1106;
    /// Bytes of a name, its NUL included.
    pub const BOOTSTRAP_MAX_NAME_LEN: usize = 128;

    // ---- `vm_allocate`.

    /// `VM_FLAGS_FIXED`.
    pub const VM_FLAGS_FIXED: i32 = 0;
    /// The system chooses the address.
    pub const VM_FLAGS_ANYWHERE: i32 = 1;
}

/// Composes `msgh_bits` of a remote and a local disposition.
pub const fn MACH_MSGH_BITS(remote: mach_msg_type_name_t, local: mach_msg_type_name_t) -> mach_msg_bits_t {
    remote | (local << 8)
}

/// The remote port's disposition.
pub const fn MACH_MSGH_BITS_REMOTE(bits: mach_msg_bits_t) -> mach_msg_type_name_t {
    bits & MACH_MSGH_BITS_REMOTE_MASK
}

/// The local port's disposition.
pub const fn MACH_MSGH_BITS_LOCAL(bits: mach_msg_bits_t) -> mach_msg_type_name_t {
    (bits & MACH_MSGH_BITS_LOCAL_MASK) >> 8
}

/// The voucher's disposition.
pub const fn MACH_MSGH_BITS_VOUCHER(bits: mach_msg_bits_t) -> mach_msg_type_name_t {
    (bits & MACH_MSGH_BITS_VOUCHER_MASK) >> 16
}

/// The option bits that ask for a trailer with these elements.
pub const fn MACH_RCV_TRAILER_ELEMENTS(elements: mach_msg_option_t) -> mach_msg_option_t {
    (elements & 0xf) << 24
}
