//! Declarations of libSystem's functions and globals that `mach2` 0.7 lacks or has wrong, and a check of those that it
//! has.

use core::{
    ffi::{c_char, c_int, c_void},
    sync::atomic::AtomicU32,
};

use crate::mach::{
    kqueue::{kevent64_s, timespec},
    types::*,
};

pub(super) use mach2::boolean::boolean_t;

// SAFETY: the names and types are those of the headers that are cited.
unsafe extern "C" {
    /// `mach_port_t mach_task_self_` of `<mach/mach_init.h>`. A variable that libSystem writes when a process starts
    /// and again in a forked child, so not the constant that `mach2` declares.
    pub(super) safe static mach_task_self_: AtomicU32;

    /// `mach_port_t bootstrap_port` of `<mach/mach_init.h>`. A variable that libSystem and the program may write.
    pub(super) safe static bootstrap_port: AtomicU32;
}

macro_rules! declare {
    (
        declared { $($safety:tt fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)* }
        mach2 { $($module:ident fn $other:ident($($argument2:ident: $type2:ty),*) -> $result2:ty;)* }
    ) => {
        // SAFETY: the list is compared with Apple's headers, see below.
        unsafe extern "C" {
            $(pub(in crate::mach) $safety fn $name($($argument: $type),*) -> $result;)*
        }

        /// `mach2` declares its functions as the list says, and the list is compared with Apple's headers. The names
        /// of types mean `mach2`'s own here.
        mod mach2_declares {
            use core::ffi::c_char;
            use mach2::{kern_return::*, message::*, port::*, vm_types::*};

            $(const _: unsafe extern "C" fn($($type2),*) -> $result2 = mach2::$module::$other;)*
        }
    };
}

prototypes!(declare);

// The headers that `.ci/darwin` compiles against lack <servers/bootstrap.h>, so its codes are compared with `mach2`'s.
const _: () = {
    use crate::mach::constants as ours;
    use mach2::bootstrap as theirs;
    assert!(ours::BOOTSTRAP_SUCCESS == theirs::BOOTSTRAP_SUCCESS);
    assert!(ours::BOOTSTRAP_NOT_PRIVILEGED == theirs::BOOTSTRAP_NOT_PRIVILEGED);
    assert!(ours::BOOTSTRAP_NAME_IN_USE == theirs::BOOTSTRAP_NAME_IN_USE);
    assert!(ours::BOOTSTRAP_UNKNOWN_SERVICE == theirs::BOOTSTRAP_UNKNOWN_SERVICE);
    assert!(ours::BOOTSTRAP_SERVICE_ACTIVE == theirs::BOOTSTRAP_SERVICE_ACTIVE);
    assert!(ours::BOOTSTRAP_BAD_COUNT == theirs::BOOTSTRAP_BAD_COUNT);
    assert!(ours::BOOTSTRAP_NO_MEMORY == theirs::BOOTSTRAP_NO_MEMORY);
    assert!(ours::BOOTSTRAP_NO_CHILDREN == theirs::BOOTSTRAP_NO_CHILDREN);
    assert!(ours::BOOTSTRAP_MAX_NAME_LEN == theirs::BOOTSTRAP_MAX_NAME_LEN as usize);
    assert!(size_of::<name_t>() == size_of::<theirs::name_t>());
};
