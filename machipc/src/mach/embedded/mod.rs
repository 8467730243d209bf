//! Placeholder until the embedded kernel lands.
use super::types::*;
pub(super) fn mach_task_self() -> mach_port_t {
    let _ = ();
    0
}
pub(super) unsafe fn mach_msg(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    send_size: mach_msg_size_t,
    receive_limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    notify: mach_port_name_t,
) -> mach_msg_return_t {
    let _ = (message, option, send_size, receive_limit, receive_name, timeout, notify);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_msg_overwrite(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    send_size: mach_msg_size_t,
    receive_limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    notify: mach_port_name_t,
    receive_message: *mut mach_msg_header_t,
    receive_scatter_size: mach_msg_size_t,
) -> mach_msg_return_t {
    let _ = (
        message,
        option,
        send_size,
        receive_limit,
        receive_name,
        timeout,
        notify,
        receive_message,
        receive_scatter_size,
    );
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_allocate(
    task: mach_port_t,
    right: mach_port_right_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    let _ = (task, right, name);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_allocate_name(
    task: mach_port_t,
    right: mach_port_right_t,
    name: mach_port_name_t,
) -> kern_return_t {
    let _ = (task, right, name);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_construct(
    task: mach_port_t,
    options: *const mach_port_options_t,
    context: mach_port_context_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    let _ = (task, options, context, name);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_destruct(
    task: mach_port_t,
    name: mach_port_name_t,
    srdelta: mach_port_delta_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    let _ = (task, name, srdelta, guard);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_destroy(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    let _ = (task, name);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_deallocate(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    let _ = (task, name);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_insert_right(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_name_t,
    disposition: mach_msg_type_name_t,
) -> kern_return_t {
    let _ = (task, name, right, disposition);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_extract_right(
    task: mach_port_t,
    name: mach_port_name_t,
    disposition: mach_msg_type_name_t,
    right: *mut mach_port_name_t,
    acquired: *mut mach_msg_type_name_t,
) -> kern_return_t {
    let _ = (task, name, disposition, right, acquired);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_mod_refs(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    delta: mach_port_delta_t,
) -> kern_return_t {
    let _ = (task, name, right, delta);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_get_refs(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    refs: *mut mach_port_urefs_t,
) -> kern_return_t {
    let _ = (task, name, right, refs);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_type(
    task: mach_port_t,
    name: mach_port_name_t,
    ptype: *mut mach_port_type_t,
) -> kern_return_t {
    let _ = (task, name, ptype);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_names(
    task: mach_port_t,
    names: *mut *mut mach_port_name_t,
    names_count: *mut mach_msg_type_number_t,
    types: *mut *mut mach_port_type_t,
    types_count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let _ = (task, names, names_count, types, types_count);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_request_notification(
    task: mach_port_t,
    name: mach_port_name_t,
    variant: mach_msg_id_t,
    sync: mach_port_mscount_t,
    notify: mach_port_name_t,
    notify_disposition: mach_msg_type_name_t,
    previous: *mut mach_port_name_t,
) -> kern_return_t {
    let _ = (task, name, variant, sync, notify, notify_disposition, previous);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_get_attributes(
    task: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *mut i32,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let _ = (task, name, flavor, info, count);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_set_attributes(
    task: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *const i32,
    count: mach_msg_type_number_t,
) -> kern_return_t {
    let _ = (task, name, flavor, info, count);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_insert_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    let _ = (task, name, set);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_extract_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    let _ = (task, name, set);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_move_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    let _ = (task, name, set);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_get_set_status(
    task: mach_port_t,
    name: mach_port_name_t,
    members: *mut *mut mach_port_name_t,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let _ = (task, name, members, count);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_set_mscount(
    task: mach_port_t,
    name: mach_port_name_t,
    mscount: mach_port_mscount_t,
) -> kern_return_t {
    let _ = (task, name, mscount);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_set_seqno(
    task: mach_port_t,
    name: mach_port_name_t,
    seqno: mach_port_seqno_t,
) -> kern_return_t {
    let _ = (task, name, seqno);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_get_context(
    task: mach_port_t,
    name: mach_port_name_t,
    context: *mut mach_port_context_t,
) -> kern_return_t {
    let _ = (task, name, context);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_set_context(
    task: mach_port_t,
    name: mach_port_name_t,
    context: mach_port_context_t,
) -> kern_return_t {
    let _ = (task, name, context);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_guard(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    strict: i32,
) -> kern_return_t {
    let _ = (task, name, guard, strict);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_guard_with_flags(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    flags: u64,
) -> kern_return_t {
    let _ = (task, name, guard, flags);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_unguard(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    let _ = (task, name, guard);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_port_swap_guard(
    task: mach_port_t,
    name: mach_port_name_t,
    old_guard: mach_port_context_t,
    new_guard: mach_port_context_t,
) -> kern_return_t {
    let _ = (task, name, old_guard, new_guard);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_get_srights(
    task: mach_port_t,
    name: mach_port_name_t,
    srights: *mut mach_port_rights_t,
) -> kern_return_t {
    let _ = (task, name, srights);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn mach_port_peek(
    task: mach_port_t,
    name: mach_port_name_t,
    trailer_type: u32,
    seqno: *mut mach_port_seqno_t,
    size: *mut mach_msg_size_t,
    id: *mut mach_msg_id_t,
    trailer: *mut i8,
    trailer_size: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let _ = (task, name, trailer_type, seqno, size, id, trailer, trailer_size);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn vm_allocate(
    task: mach_port_t,
    address: *mut vm_address_t,
    size: vm_size_t,
    flags: i32,
) -> kern_return_t {
    let _ = (task, address, size, flags);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn vm_deallocate(
    task: mach_port_t,
    address: vm_address_t,
    size: vm_size_t,
) -> kern_return_t {
    let _ = (task, address, size);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn bootstrap_check_in(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    let _ = (bootstrap, name, port);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn bootstrap_register(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: mach_port_t,
) -> kern_return_t {
    let _ = (bootstrap, name, port);
    super::KERN_NOT_SUPPORTED
}
pub(super) unsafe fn bootstrap_look_up(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    let _ = (bootstrap, name, port);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn bootstrap_port() -> mach_port_t {
    let _ = ();
    0
}
pub(super) unsafe fn fileport_makeport(fd: core::ffi::c_int, port: *mut mach_port_t) -> core::ffi::c_int {
    let _ = (fd, port);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn fileport_makefd(port: mach_port_t) -> core::ffi::c_int {
    let _ = (port);
    super::KERN_NOT_SUPPORTED
}
pub(super) fn mach_error_string(code: kern_return_t) -> &'static str {
    let _ = (code);
    ""
}
