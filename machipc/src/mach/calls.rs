//! The calls of the seam: signature, meaning and contract. Each makes one call into the system's backend.

use super::{imp, types::*};

/// The name of this task's own port. Every call that takes a `task` wants this one.
#[inline]
pub fn mach_task_self() -> mach_port_t {
    imp::mach_task_self()
}

/// Sends a message, receives one, or does both in one call.
///
/// `send_size` bytes at `message` are sent when `option` has `MACH_SEND_MSG`; up to `receive_limit` bytes, trailer
/// included, are received into the same buffer when it has `MACH_RCV_MSG`. `timeout` is in milliseconds and counts only
/// with `MACH_SEND_TIMEOUT` or `MACH_RCV_TIMEOUT`, for each half in full. `notify` is ignored. Rules;
/// `<mach/message.h>`.
///
/// # Safety
/// `message` is readable for `send_size` bytes, and writable for `max(send_size, receive_limit)` bytes, and aligned to 4. Each
/// out-of-line descriptor names memory that this task may read and, with `deallocate`, give away.
#[inline]
pub unsafe fn mach_msg(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    send_size: mach_msg_size_t,
    receive_limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    notify: mach_port_name_t,
) -> mach_msg_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_msg(message, option, send_size, receive_limit, receive_name, timeout, notify) }
}

/// [`mach_msg`] with a receive buffer of its own: `receive_message`, or `message` again where that is null.
/// `receive_scatter_size` is ignored.
///
/// # Safety
/// As [`mach_msg`], and `receive_message` is null or writable for `receive_limit` bytes and aligned to 4.
#[inline]
#[expect(clippy::too_many_arguments, reason = "the arguments are Mach's own")]
pub unsafe fn mach_msg_overwrite(
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
    // SAFETY: the caller's duties are the backend's.
    unsafe {
        imp::mach_msg_overwrite(
            message,
            option,
            send_size,
            receive_limit,
            receive_name,
            timeout,
            notify,
            receive_message,
            receive_scatter_size,
        )
    }
}

/// Makes a port, a port set or a dead name, and stores its new name. Rules.
///
/// # Safety
/// `name` is valid for one write.
#[inline]
pub unsafe fn mach_port_allocate(
    task: mach_port_t,
    right: mach_port_right_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_allocate(task, right, name) }
}

/// [`mach_port_allocate`] under a name that the caller chose.
#[inline]
pub fn mach_port_allocate_name(
    task: mach_port_t,
    right: mach_port_right_t,
    name: mach_port_name_t,
) -> kern_return_t {
    imp::mach_port_allocate_name(task, right, name)
}

/// Makes a port with a queue limit, guard and rights chosen at birth. Rules.
///
/// # Safety
/// `options` is valid for one read, `name` for one write.
#[inline]
pub unsafe fn mach_port_construct(
    task: mach_port_t,
    options: *const mach_port_options_t,
    context: mach_port_context_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_construct(task, options, context, name) }
}

/// Drops a receive right and `-srdelta` send references at once. Rules.
#[inline]
pub fn mach_port_destruct(
    task: mach_port_t,
    name: mach_port_name_t,
    srdelta: mach_port_delta_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    imp::mach_port_destruct(task, name, srdelta, guard)
}

/// Drops everything that a name denotes. Rule R-038.
#[inline]
pub fn mach_port_destroy(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    imp::mach_port_destroy(task, name)
}

/// Drops one reference of a send, send-once or dead name, or a port set. Rules.
#[inline]
pub fn mach_port_deallocate(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    imp::mach_port_deallocate(task, name)
}

/// Makes a right to the port `right` and puts it under `name`. Rules.
#[inline]
pub fn mach_port_insert_right(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_name_t,
    disposition: mach_msg_type_name_t,
) -> kern_return_t {
    imp::mach_port_insert_right(task, name, right, disposition)
}

/// Makes a right to the port `name` and gives it to the caller. Rules.
///
/// # Safety
/// `right` and `acquired` are each valid for one write.
#[inline]
pub unsafe fn mach_port_extract_right(
    task: mach_port_t,
    name: mach_port_name_t,
    disposition: mach_msg_type_name_t,
    right: *mut mach_port_name_t,
    acquired: *mut mach_msg_type_name_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_extract_right(task, name, disposition, right, acquired) }
}

/// Changes the user references of a right by `delta`. Rules.
#[inline]
pub fn mach_port_mod_refs(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    delta: mach_port_delta_t,
) -> kern_return_t {
    imp::mach_port_mod_refs(task, name, right, delta)
}

/// Tells the user references of a right. Rules.
///
/// # Safety
/// `refs` is valid for one write.
#[inline]
pub unsafe fn mach_port_get_refs(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    refs: *mut mach_port_urefs_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_get_refs(task, name, right, refs) }
}

/// Tells what a name denotes. Rule R-010.
///
/// # Safety
/// `ptype` is valid for one write.
#[inline]
pub unsafe fn mach_port_type(
    task: mach_port_t,
    name: mach_port_name_t,
    ptype: *mut mach_port_type_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_type(task, name, ptype) }
}

/// Lists every name of the task with its type, in two arrays that the caller frees with [`vm_deallocate`].
///
/// # Safety
/// Each pointer is valid for one write.
#[inline]
pub unsafe fn mach_port_names(
    task: mach_port_t,
    names: *mut *mut mach_port_name_t,
    names_count: *mut mach_msg_type_number_t,
    types: *mut *mut mach_port_type_t,
    types_count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_names(task, names, names_count, types, types_count) }
}

/// Asks for one notification, to be sent to `notify`. Stores the send-once right of the request it replaces, or NULL.
/// Rules.
///
/// # Safety
/// `previous` is valid for one write.
#[inline]
pub unsafe fn mach_port_request_notification(
    task: mach_port_t,
    name: mach_port_name_t,
    variant: mach_msg_id_t,
    sync: mach_port_mscount_t,
    notify: mach_port_name_t,
    notify_disposition: mach_msg_type_name_t,
    previous: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe {
        imp::mach_port_request_notification(task, name, variant, sync, notify, notify_disposition, previous)
    }
}

/// Reads attributes of a port into `info`, which has room for `count` words; stores how many were written.
///
/// # Safety
/// `info` is valid for `count` words and aligned to 4, `count` for a read and a write.
#[inline]
pub unsafe fn mach_port_get_attributes(
    task: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *mut i32,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_get_attributes(task, name, flavor, info, count) }
}

/// Sets attributes of a port; the queue limit is the one that matters. Rule R-120.
///
/// # Safety
/// `info` is readable for `count` words and aligned to 4.
#[inline]
pub unsafe fn mach_port_set_attributes(
    task: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *const i32,
    count: mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_set_attributes(task, name, flavor, info, count) }
}

/// Puts a receive right into a port set. Rule R-163.
#[inline]
pub fn mach_port_insert_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    imp::mach_port_insert_member(task, name, set)
}

/// Takes a receive right out of a port set. Rule R-165.
#[inline]
pub fn mach_port_extract_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    imp::mach_port_extract_member(task, name, set)
}

/// Puts a receive right into one set only, or with NULL into none. Rules.
#[inline]
pub fn mach_port_move_member(
    task: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    imp::mach_port_move_member(task, name, set)
}

/// Lists the members of a port set, in an array that the caller frees with [`vm_deallocate`].
///
/// # Safety
/// Each pointer is valid for one write.
#[inline]
pub unsafe fn mach_port_get_set_status(
    task: mach_port_t,
    name: mach_port_name_t,
    members: *mut *mut mach_port_name_t,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_get_set_status(task, name, members, count) }
}

/// Sets a port's make-send count.
#[inline]
pub fn mach_port_set_mscount(
    task: mach_port_t,
    name: mach_port_name_t,
    mscount: mach_port_mscount_t,
) -> kern_return_t {
    imp::mach_port_set_mscount(task, name, mscount)
}

/// Sets the sequence number of the next message. Rule R-149.
#[inline]
pub fn mach_port_set_seqno(
    task: mach_port_t,
    name: mach_port_name_t,
    seqno: mach_port_seqno_t,
) -> kern_return_t {
    imp::mach_port_set_seqno(task, name, seqno)
}

/// Reads a port's context; zero where a strict guard hides it. Rule R-043.
///
/// # Safety
/// `context` is valid for one write.
#[inline]
pub unsafe fn mach_port_get_context(
    task: mach_port_t,
    name: mach_port_name_t,
    context: *mut mach_port_context_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_get_context(task, name, context) }
}

/// Sets a port's context. Rules.
#[inline]
pub fn mach_port_set_context(
    task: mach_port_t,
    name: mach_port_name_t,
    context: mach_port_context_t,
) -> kern_return_t {
    imp::mach_port_set_context(task, name, context)
}

/// Guards a receive right. Rules.
#[inline]
pub fn mach_port_guard(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    strict: i32,
) -> kern_return_t {
    imp::mach_port_guard(task, name, guard, strict)
}

/// [`mach_port_guard`] with `MPG_*` flags.
#[inline]
pub fn mach_port_guard_with_flags(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    flags: u64,
) -> kern_return_t {
    imp::mach_port_guard_with_flags(task, name, guard, flags)
}

/// Takes the guard off a receive right. Rule R-043.
#[inline]
pub fn mach_port_unguard(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    imp::mach_port_unguard(task, name, guard)
}

/// Replaces the guard of a receive right.
#[inline]
pub fn mach_port_swap_guard(
    task: mach_port_t,
    name: mach_port_name_t,
    old_guard: mach_port_context_t,
    new_guard: mach_port_context_t,
) -> kern_return_t {
    imp::mach_port_swap_guard(task, name, old_guard, new_guard)
}

/// Tells how many send rights to a port exist: one a name space that holds any, one a message that carries any.
///
/// # Safety
/// `srights` is valid for one write.
#[inline]
pub unsafe fn mach_port_get_srights(
    task: mach_port_t,
    name: mach_port_name_t,
    srights: *mut mach_port_rights_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_get_srights(task, name, srights) }
}

/// Tells sequence number, size and id of the first queued message without taking it. `trailer_type` is ignored and no
/// trailer is written: `trailer_size` is set to 0.
///
/// # Safety
/// Each pointer is valid for one read and one write.
#[inline]
#[expect(clippy::too_many_arguments, reason = "the arguments are Mach's own")]
pub unsafe fn mach_port_peek(
    task: mach_port_t,
    name: mach_port_name_t,
    trailer_type: u32,
    seqno: *mut mach_port_seqno_t,
    size: *mut mach_msg_size_t,
    id: *mut mach_msg_id_t,
    trailer: *mut i8,
    trailer_size: *mut mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::mach_port_peek(task, name, trailer_type, seqno, size, id, trailer, trailer_size) }
}

/// Maps zeroed, private, writable memory. Rule R-183.
///
/// # Safety
/// `address` is valid for one read and one write; with `VM_FLAGS_FIXED` nothing else uses that range.
#[inline]
pub unsafe fn vm_allocate(
    task: mach_port_t,
    address: *mut vm_address_t,
    size: vm_size_t,
    flags: i32,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::vm_allocate(task, address, size, flags) }
}

/// Unmaps every page that the range touches. Rule R-183.
///
/// # Safety
/// Nothing uses these pages any more.
#[inline]
pub unsafe fn vm_deallocate(task: mach_port_t, address: vm_address_t, size: vm_size_t) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::vm_deallocate(task, address, size) }
}

/// Takes a service name and stores its receive right. Rules.
///
/// # Safety
/// `name` points to a C string of at most 127 bytes, `port` is valid for one write.
#[inline]
pub unsafe fn bootstrap_check_in(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::bootstrap_check_in(bootstrap, name, port) }
}

/// Gives a send right a name. Rule R-192. The caller keeps its right.
///
/// # Safety
/// `name` points to a C string of at most 127 bytes.
#[inline]
pub unsafe fn bootstrap_register(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: mach_port_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::bootstrap_register(bootstrap, name, port) }
}

/// Finds a service by name and stores a send right to it. Rules.
///
/// # Safety
/// `name` points to a C string of at most 127 bytes, `port` is valid for one write.
#[inline]
pub unsafe fn bootstrap_look_up(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::bootstrap_look_up(bootstrap, name, port) }
}

/// Asks to be told when a service of this name may have appeared. Not a call of Mach's: systems tell it in ways of their own.
///
/// It stores a port whose receive right the watch owns. Each message that comes there, whatever it holds, means that the name
/// is worth looking up; it may come for no reason. No appearance is missed by who watches first, then looks the name up, and
/// waits for a message only if it was not there; and who does so for each message, with a new watch. The caller receives
/// from the port, and does nothing else with it, until [`bootstrap_unwatch`]. Where the system tells of no or not of all
/// services, `look_again` says after how many milliseconds to look without having been told; else it is
/// `MACH_MSG_TIMEOUT_NONE`.
///
/// On Linux the directory of names is watched by inotify; `look_again` is set only where the user has no inotify to
/// spare. On Apple systems hosts of this library tell by notify(3) that they have checked in, and the name is looked up
/// now and then for the sake of the others. Errors are `KERN_NO_SPACE` and `KERN_RESOURCE_SHORTAGE`.
///
/// # Safety
/// `name` points to a C string of at most 127 bytes, `watch` is valid for one write.
#[inline]
pub unsafe fn bootstrap_watch(
    bootstrap: mach_port_t,
    name: *const core::ffi::c_char,
    watch: *mut bootstrap_watch_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::bootstrap_watch(bootstrap, name, watch) }
}

/// Ends what [`bootstrap_watch`] began; the port is gone afterwards. Called once for each watch.
#[inline]
pub fn bootstrap_unwatch(watch: &bootstrap_watch_t) {
    imp::bootstrap_unwatch(watch);
}

/// The task's bootstrap port: what the `bootstrap_*` calls take first.
#[inline]
pub fn bootstrap_port() -> mach_port_t {
    imp::bootstrap_port()
}

/// Prepares a copy of the send right `port` for one child process, which is yet to be started. Not a call of Mach's: a forked child's
/// name space is empty, and systems hand it something in ways of their own.
///
/// The parent tells the child the offer's text, calls [`inheritance_keep`] in the forked child, and [`inheritance_withdraw`] once
/// it will not fork for this offer any more. The child takes the right with [`inheritance_accept`], once; no other process can.
///
/// On Linux the child inherits one end of a socket pair, which is in no directory and which no other child keeps open; who speaks
/// at the other end is told by the kernel's credentials. On Apple systems the text has a bootstrap name of 128 random bits, which
/// is given up once it was used or `port` has died; the parent answers there only to a process that is its child, the child
/// believes only its parent, and both know by the kernel's audit token.
///
/// Errors: `KERN_INVALID_RIGHT` when `port` is no send right, `KERN_RESOURCE_SHORTAGE`.
///
/// # Safety
/// `offer` is valid for one write.
#[inline]
pub unsafe fn inheritance_offer(port: mach_port_name_t, offer: *mut inheritance_t) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::inheritance_offer(port, offer) }
}

/// In the forked child, before it executes another program: keeps what that program is to inherit. Makes system calls only, so that it
/// may be called after a fork. Returns 0 or an `errno`: `EALREADY` where another child has the offer.
#[inline]
pub fn inheritance_keep(offer: &inheritance_t) -> core::ffi::c_int {
    imp::inheritance_keep(offer)
}

/// In the parent: gives up what [`inheritance_offer`] holds here. A child that was started before has what it has. Called once for each
/// offer.
#[inline]
pub fn inheritance_withdraw(offer: &inheritance_t) {
    imp::inheritance_withdraw(offer);
}

/// In the child: takes the right that the parent handed, and stores it. It is `MACH_PORT_DEAD` where the parent has died.
///
/// Errors: `BOOTSTRAP_UNKNOWN_SERVICE` when nothing was handed with this text, or it has been taken; `KERN_INVALID_ARGUMENT` for a text that
/// is none; `KERN_RESOURCE_SHORTAGE`.
///
/// # Safety
/// `text` points to a C string, `port` is valid for one write.
#[inline]
pub unsafe fn inheritance_accept(
    text: *const core::ffi::c_char,
    port: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::inheritance_accept(text, port) }
}

/// Makes a send right that stands for an open file. Returns 0, or -1 with `errno` set. Rule R-199.
///
/// # Safety
/// `port` is valid for one write.
#[inline]
pub unsafe fn fileport_makeport(fd: core::ffi::c_int, port: *mut mach_port_t) -> core::ffi::c_int {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::fileport_makeport(fd, port) }
}

/// Opens a new close-on-exec descriptor on the file that a fileport stands for; the right is kept. Returns it, or -1
/// with `errno` set. Rule R-199.
#[inline]
pub fn fileport_makefd(port: mach_port_t) -> core::ffi::c_int {
    imp::fileport_makefd(port)
}

/// Opens a descriptor that tells when `name`, a receive right or a port set, has something to receive, and stores it.
///
/// The descriptor is for `poll(2)`, `select(2)`, `epoll(7)` and `kqueue(2)` alone; nothing is read from it. It becomes
/// readable when a message waits on the port, or on a member of the set whenever that joined, and when the receive
/// right moves away or dies or the set is destroyed, so that a receive then tells of it. It may be readable without a
/// reason. On Linux it stops being readable once nothing is left to receive; on Darwin, whose `kqueue` notices that only
/// when it is asked, once [`readiness_check`] has said so. So this never sleeps while there is something, on either
/// system and with level-triggered as well as edge-triggered polling:
///
/// 1. receive without waiting until nothing is there,
/// 2. [`readiness_check`]: if it says true, begin again,
/// 3. wait until the descriptor is readable, and begin again.
///
/// The descriptor is close-on-exec, a forked child has none of it, and [`readiness_close`] alone may close it. With no
/// descriptor open messages cost nothing more. `EVFILT_MACHPORT` in `kqueue(2)`; on Linux an `eventfd(2)`.
///
/// # Errors
/// `KERN_INVALID_NAME` for an unknown name, `KERN_INVALID_RIGHT` for one that cannot be received from,
/// `KERN_RESOURCE_SHORTAGE` when the process may open no more files.
///
/// # Safety
/// `descriptor` is valid for one write.
#[inline]
pub unsafe fn readiness_open(name: mach_port_name_t, descriptor: *mut core::ffi::c_int) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::readiness_open(name, descriptor) }
}

/// Stores whether there is something to receive where `descriptor` watches. After false the descriptor becomes readable
/// when something comes, and whatever came before this call would have made it true.
///
/// # Errors
/// `KERN_INVALID_ARGUMENT` for a descriptor that is not of [`readiness_open`], or is a parent process's.
///
/// # Safety
/// `ready` is valid for one write; `descriptor` is of [`readiness_open`].
#[inline]
pub unsafe fn readiness_check(descriptor: core::ffi::c_int, ready: *mut bool) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::readiness_check(descriptor, ready) }
}

/// Closes a descriptor of [`readiness_open`].
///
/// # Errors
/// As [`readiness_check`].
///
/// # Safety
/// `descriptor` is of [`readiness_open`] in this very process, and nothing uses it any more.
#[inline]
pub unsafe fn readiness_close(descriptor: core::ffi::c_int) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::readiness_close(descriptor) }
}

/// Sets how this task's threads wait for messages and for room from now on: [`WAIT_ADAPTIVELY`](super::WAIT_ADAPTIVELY), the default,
/// [`WAIT_ASLEEP`](super::WAIT_ASLEEP) or [`WAIT_POLLING`](super::WAIT_POLLING). Not a call of Mach's: where the kernel does the waiting it is
/// without effect. Other values mean the default.
#[inline]
pub fn set_waiting(way: u32) {
    imp::set_waiting(way);
}

/// How this task's threads wait: what [`set_waiting`] has set, or [`WAIT_ADAPTIVELY`](super::WAIT_ADAPTIVELY).
#[inline]
pub fn waiting() -> u32 {
    imp::waiting()
}

/// The machine's clock in nanoseconds, from some moment on: all processes read the same, and so what one has read means the same moment
/// to another. It is the clock of `std::time::Instant`, and goes on as that does.
///
/// On Apple systems `CLOCK_UPTIME_RAW`, which is `mach_absolute_time` in nanoseconds (`clock_gettime_nsec_np(3)`). On Linux
/// `CLOCK_MONOTONIC`, less what the process's time namespace adds to it (`time_namespaces(7)`).
#[inline]
pub fn machine_time() -> u64 {
    imp::machine_time()
}

/// Whether the process lives whose audit token came with a message: that very process, and not one that has its id by now. Not a call of
/// Mach's.
///
/// On Apple systems the kernel compares process id and version (`proc_pidpath_audittoken` of `<libproc.h>`; before macOS 11 the id alone); where a sandbox keeps it from
/// telling, the answer is true. On Linux a process is known by what joins it with this one: it counts as gone, too, once neither holds a
/// right of the other's and nothing is on its way.
#[inline]
pub fn process_lives(process: &audit_token_t) -> bool {
    imp::process_lives(process)
}

/// What a return code means, in words.
#[inline]
pub fn mach_error_string(code: kern_return_t) -> &'static str {
    imp::mach_error_string(code)
}
