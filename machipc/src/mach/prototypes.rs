//! The C functions behind the seam on Apple systems, stated once: the Apple backend makes its declarations of this
//! list, and every system makes the table of it that is compared with Apple's headers.

use super::layout::Function;

/// Hands the list to the macro `$with`: first the functions that the Apple backend declares itself because `mach2` 0.7
/// lacks them, each `safe` where no argument can make the call unsound; then those of `mach2`, each after its module.
macro_rules! prototypes {
    ($with:ident) => {
        $with! {
            declared {
                // <mach/message.h>
                unsafe fn mach_msg_overwrite(
                    message: *mut mach_msg_header_t,
                    option: mach_msg_option_t,
                    send_size: mach_msg_size_t,
                    receive_limit: mach_msg_size_t,
                    receive_name: mach_port_name_t,
                    timeout: mach_msg_timeout_t,
                    notify: mach_port_name_t,
                    receive_message: *mut mach_msg_header_t,
                    receive_scatter_size: mach_msg_size_t
                ) -> mach_msg_return_t;

                // <mach/mach_port.h>
                safe fn mach_port_allocate_name(
                    task: mach_port_t,
                    right: mach_port_right_t,
                    name: mach_port_name_t
                ) -> kern_return_t;
                unsafe fn mach_port_get_refs(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    right: mach_port_right_t,
                    refs: *mut mach_port_urefs_t
                ) -> kern_return_t;
                unsafe fn mach_port_type(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    ptype: *mut mach_port_type_t
                ) -> kern_return_t;
                unsafe fn mach_port_names(
                    task: mach_port_t,
                    names: *mut *mut mach_port_name_t,
                    names_count: *mut mach_msg_type_number_t,
                    types: *mut *mut mach_port_type_t,
                    types_count: *mut mach_msg_type_number_t
                ) -> kern_return_t;
                safe fn mach_port_insert_member(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    set: mach_port_name_t
                ) -> kern_return_t;
                safe fn mach_port_extract_member(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    set: mach_port_name_t
                ) -> kern_return_t;
                safe fn mach_port_move_member(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    set: mach_port_name_t
                ) -> kern_return_t;
                unsafe fn mach_port_get_set_status(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    members: *mut *mut mach_port_name_t,
                    count: *mut mach_msg_type_number_t
                ) -> kern_return_t;
                safe fn mach_port_set_mscount(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    mscount: mach_port_mscount_t
                ) -> kern_return_t;
                safe fn mach_port_set_seqno(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    seqno: mach_port_seqno_t
                ) -> kern_return_t;
                unsafe fn mach_port_get_context(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    context: *mut mach_port_context_t
                ) -> kern_return_t;
                safe fn mach_port_set_context(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    context: mach_port_context_t
                ) -> kern_return_t;
                safe fn mach_port_guard(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    guard: mach_port_context_t,
                    strict: boolean_t
                ) -> kern_return_t;
                safe fn mach_port_guard_with_flags(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    guard: mach_port_context_t,
                    flags: u64
                ) -> kern_return_t;
                safe fn mach_port_unguard(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    guard: mach_port_context_t
                ) -> kern_return_t;
                safe fn mach_port_swap_guard(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    old_guard: mach_port_context_t,
                    new_guard: mach_port_context_t
                ) -> kern_return_t;
                unsafe fn mach_port_get_srights(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    srights: *mut mach_port_rights_t
                ) -> kern_return_t;
                unsafe fn mach_port_peek(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    trailer_type: u32,
                    seqno: *mut mach_port_seqno_t,
                    size: *mut mach_msg_size_t,
                    id: *mut mach_msg_id_t,
                    trailer: *mut c_char,
                    trailer_size: *mut mach_msg_type_number_t
                ) -> kern_return_t;

                // <mach/vm_map.h>. `mach2` has only the `mach_vm_*` forms, which are the same on LP64.
                unsafe fn vm_allocate(
                    task: mach_port_t,
                    address: *mut vm_address_t,
                    size: vm_size_t,
                    flags: c_int
                ) -> kern_return_t;
                unsafe fn vm_deallocate(task: mach_port_t, address: vm_address_t, size: vm_size_t) -> kern_return_t;

                // <mach/mach_error.h>
                safe fn mach_error_string(code: kern_return_t) -> *mut c_char;

                // <sys/event.h>
                safe fn kqueue() -> c_int;
                unsafe fn kevent64(
                    queue: c_int,
                    changes: *const kevent64_s,
                    change_count: c_int,
                    events: *mut kevent64_s,
                    event_count: c_int,
                    flags: u32,
                    timeout: *const timespec
                ) -> c_int;

                // <time.h>, where the clock is an enumeration.
                safe fn clock_gettime_nsec_np(clock: u32) -> u64;

                // <dlfcn.h>
                unsafe fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;

                // <signal.h>, where the id of a process is a `pid_t`.
                safe fn kill(process: c_int, signal: c_int) -> c_int;

                // <sys/fileport.h>
                unsafe fn fileport_makeport(fd: c_int, port: *mut mach_port_t) -> c_int;
                safe fn fileport_makefd(port: mach_port_t) -> c_int;

                // <notify.h>
                unsafe fn notify_post(name: *const c_char) -> u32;
                unsafe fn notify_register_mach_port(
                    name: *const c_char,
                    notify_port: *mut mach_port_t,
                    flags: c_int,
                    out_token: *mut c_int
                ) -> u32;
                safe fn notify_cancel(token: c_int) -> u32;
            }
            mach2 {
                message fn mach_msg(
                    message: *mut mach_msg_header_t,
                    option: mach_msg_option_t,
                    send_size: mach_msg_size_t,
                    receive_limit: mach_msg_size_t,
                    receive_name: mach_port_name_t,
                    timeout: mach_msg_timeout_t,
                    notify: mach_port_name_t
                ) -> mach_msg_return_t;
                mach_port fn mach_port_allocate(
                    task: mach_port_t,
                    right: mach_port_right_t,
                    name: *mut mach_port_name_t
                ) -> kern_return_t;
                mach_port fn mach_port_construct(
                    task: mach_port_t,
                    options: *mut mach_port_options_t,
                    context: mach_port_context_t,
                    name: *mut mach_port_name_t
                ) -> kern_return_t;
                mach_port fn mach_port_destruct(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    srdelta: mach_port_delta_t,
                    guard: mach_port_context_t
                ) -> kern_return_t;
                mach_port fn mach_port_destroy(task: mach_port_t, name: mach_port_name_t) -> kern_return_t;
                mach_port fn mach_port_deallocate(task: mach_port_t, name: mach_port_name_t) -> kern_return_t;
                mach_port fn mach_port_insert_right(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    right: mach_port_t,
                    disposition: mach_msg_type_name_t
                ) -> kern_return_t;
                mach_port fn mach_port_extract_right(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    disposition: mach_msg_type_name_t,
                    right: *mut mach_port_t,
                    acquired: *mut mach_msg_type_name_t
                ) -> kern_return_t;
                mach_port fn mach_port_mod_refs(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    right: mach_port_right_t,
                    delta: mach_port_delta_t
                ) -> kern_return_t;
                mach_port fn mach_port_request_notification(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    variant: mach_msg_id_t,
                    sync: mach_port_mscount_t,
                    notify: mach_port_t,
                    notify_disposition: mach_msg_type_name_t,
                    previous: *mut mach_port_t
                ) -> kern_return_t;
                mach_port fn mach_port_get_attributes(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    flavor: mach_port_flavor_t,
                    info: *mut i32,
                    count: *mut mach_msg_type_number_t
                ) -> kern_return_t;
                mach_port fn mach_port_set_attributes(
                    task: mach_port_t,
                    name: mach_port_name_t,
                    flavor: mach_port_flavor_t,
                    info: *mut i32,
                    count: mach_msg_type_number_t
                ) -> kern_return_t;
                bootstrap fn bootstrap_check_in(
                    bootstrap: mach_port_t,
                    name: *const c_char,
                    port: *mut mach_port_t
                ) -> kern_return_t;
                bootstrap fn bootstrap_register(
                    bootstrap: mach_port_t,
                    name: *mut c_char,
                    port: mach_port_t
                ) -> kern_return_t;
                bootstrap fn bootstrap_look_up(
                    bootstrap: mach_port_t,
                    name: *const c_char,
                    port: *mut mach_port_t
                ) -> kern_return_t;
                bootstrap fn bootstrap_strerror(code: kern_return_t) -> *const c_char;
            }
        }
    };
}

macro_rules! functions {
    (
        declared { $($safety:tt fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)* }
        mach2 { $($module:ident fn $other:ident($($argument2:ident: $type2:ty),*) -> $result2:ty;)* }
    ) => {
        pub(in crate::mach) const FUNCTIONS: &[Function] = &[
            $(Function {
                name: stringify!($name),
                arguments: &[$(stringify!($type)),*],
                result: stringify!($result),
            },)*
            $(Function {
                name: stringify!($other),
                arguments: &[$(stringify!($type2)),*],
                result: stringify!($result2),
            },)*
        ];
    };
}

prototypes!(functions);
