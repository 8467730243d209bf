//! Mach ports in user space, for Linux.
//!
//! A task's whole state is one [`kernel::Kernel`] under one lock. Calls come in here, where pointers are read and written; the methods
//! they call are safe. The kernel's rules are those of `<mach/mach_port.h>` and of XNU's `osfmk/ipc`, as far as a program can see.
//!
//! | file | holds |
//! |---|---|
//! | `task` | the lock, `mach_msg`'s two halves, sleeping |
//! | `kernel` | rights, notifications, destruction |
//! | `names`, `attributes`, `requests`, `sets`, `services` | the calls on names, receive rights, notifications, port sets, bootstrap names |
//! | `space`, `port`, `message`, `request`, `slab` | the state |
//! | `draft`, `copyin`, `queue`, `copyout` | a message's way: read, take rights, queue, give rights |
//! | `simple`, `rows`, `lane`, `room` | the short way of messages that carry nothing but bytes, one by one and many at a time |
//! | `memory`, `reuse`, `pieces`, `loans`, `fileport` | out-of-line memory, used again; sent in pieces; lent; files |
//! | `recycle` | buffers used again |
//! | `bias`, `barrier`, `hash`, `clock` | the lock, barriers, hashing, the machine's time |
//! | `readiness` | descriptors that tell of messages |
//! | `wait`, `poll`, `sleep`, `spin` | threads asleep, the one that polls, how it sleeps, and how long it watches before |
//! | `link`, `bootstrap`, `fork` | other processes, where to find them, and what becomes of children |
//! | `inheritance` | rights that a parent hands to a child |
//! | `name_watch` | threads that wait for a name to appear |

mod activation;
mod attributes;
mod barrier;
mod bias;
mod bootstrap;
mod clock;
mod copyin;
mod copyout;
mod draft;
mod error_string;
mod fileport;
mod fork;
mod hash;
mod inheritance;
mod janitor;
mod kernel;
mod lane;
mod link;
mod loans;
mod members;
mod memory;
mod message;
mod name_watch;
mod names;
mod near;
mod parts;
mod pieces;
mod poll;
mod port;
mod queue;
mod readiness;
mod recycle;
mod request;
mod requests;
mod reuse;
mod room;
mod rows;
mod services;
mod sets;
mod simple;
mod slab;
mod sleep;
mod space;
mod spin;
mod task;
mod turns;
mod wait;
#[cfg(all(test, loom))]
mod wait_model;

use core::ffi::{CStr, c_char, c_int};

use super::constants::*;
use super::types::*;
pub(super) use clock::machine_time;
pub(super) use error_string::mach_error_string;
use kernel::Kernel;
pub(super) use loans::{loan_allocate, loan_allocate_to, loan_allow, loan_offer};
use memory::{MemoryError, Region};
pub(super) use parts::send_parts;
pub(super) use pieces::send_gathered;
pub(super) use rows::{receive_row, send_at_once};
use task::{BOOTSTRAP, TASK_SELF, task};

pub(super) fn mach_task_self() -> mach_port_t {
    TASK_SELF
}

pub(super) fn bootstrap_port() -> mach_port_t {
    BOOTSTRAP
}

/// A process is joined to this one by a link, or is this one.
pub(super) fn process_lives(process: &audit_token_t) -> bool {
    let task = task();
    is_same_process(process, &task.sender.audit) || task.with(|kernel| kernel.links.reach(process))
}

/// Whether both are tokens of one process: its id, and the version of that.
fn is_same_process(one: &audit_token_t, other: &audit_token_t) -> bool {
    (one.val[5], one.val[7]) == (other.val[5], other.val[7])
}

/// Runs a call on this task's kernel.
fn on_task<R>(
    of: mach_port_t,
    f: impl FnOnce(&mut Kernel) -> Result<R, kern_return_t>,
) -> Result<R, kern_return_t> {
    if of != TASK_SELF {
        return Err(KERN_INVALID_TASK);
    }
    task().with(|kernel| {
        // What other processes have told, deaths above all, comes before what this call sees.
        if kernel.drain_links() {
            kernel.bury_doomed();
        }
        f(kernel)
    })
}

fn code(result: Result<(), kern_return_t>) -> kern_return_t {
    match result {
        Ok(()) => KERN_SUCCESS,
        Err(code) => code,
    }
}

/// Stores a result where the caller wants it.
///
/// # Safety
/// `place` is valid for one write.
unsafe fn store<R>(result: Result<R, kern_return_t>, place: *mut R) -> kern_return_t {
    match result {
        Ok(value) => {
            // SAFETY: the caller's word.
            unsafe { place.write_unaligned(value) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

#[inline]
pub(super) unsafe fn mach_msg(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    send_size: mach_msg_size_t,
    receive_limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    notify: mach_port_name_t,
) -> mach_msg_return_t {
    let buffer = core::ptr::null_mut();
    // SAFETY: the caller's duties are the same, and without a receive buffer of its own the message's is used.
    unsafe {
        mach_msg_overwrite(
            message,
            option,
            send_size,
            receive_limit,
            receive_name,
            timeout,
            notify,
            buffer,
            0,
        )
    }
}

#[inline]
#[expect(clippy::too_many_arguments, reason = "the arguments are Mach's own")]
pub(super) unsafe fn mach_msg_overwrite(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    send_size: mach_msg_size_t,
    receive_limit: mach_msg_size_t,
    receive_name: mach_port_name_t,
    timeout: mach_msg_timeout_t,
    _notify: mach_port_name_t,
    receive_message: *mut mach_msg_header_t,
    _receive_scatter_size: mach_msg_size_t,
) -> mach_msg_return_t {
    if option & MACH_SEND_MSG != 0 {
        // SAFETY: the caller's word on `message` and `send_size`.
        let code = unsafe { task().send(message, send_size, option, timeout) };
        if code != MACH_MSG_SUCCESS {
            return code;
        }
    }
    if option & MACH_RCV_MSG != 0 {
        let buffer = if receive_message.is_null() { message } else { receive_message };
        // SAFETY: the caller's word on the receive buffer and `receive_limit`.
        return unsafe { task().receive(buffer, receive_limit, receive_name, option, timeout, None) };
    }
    MACH_MSG_SUCCESS
}

pub(super) unsafe fn mach_port_allocate(
    of: mach_port_t,
    right: mach_port_right_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: `name` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.allocate(right)), name) }
}

pub(super) fn mach_port_allocate_name(
    of: mach_port_t,
    right: mach_port_right_t,
    name: mach_port_name_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.allocate_name(right, name)))
}

pub(super) unsafe fn mach_port_construct(
    of: mach_port_t,
    options: *const mach_port_options_t,
    context: mach_port_context_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: `options` is valid for a read by the caller's word.
    let options = unsafe { options.read_unaligned() };
    // SAFETY: `name` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.construct(&options, context)), name) }
}

pub(super) fn mach_port_destruct(
    of: mach_port_t,
    name: mach_port_name_t,
    srdelta: mach_port_delta_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.destruct(name, srdelta, guard)))
}

pub(super) fn mach_port_destroy(of: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    code(on_task(of, |kernel| kernel.destroy(name)))
}

pub(super) fn mach_port_deallocate(of: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    code(on_task(of, |kernel| kernel.deallocate(name)))
}

pub(super) fn mach_port_insert_right(
    of: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_name_t,
    disposition: mach_msg_type_name_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.insert_right(name, right, disposition)))
}

pub(super) unsafe fn mach_port_extract_right(
    of: mach_port_t,
    name: mach_port_name_t,
    disposition: mach_msg_type_name_t,
    right: *mut mach_port_name_t,
    acquired: *mut mach_msg_type_name_t,
) -> kern_return_t {
    match on_task(of, |kernel| kernel.extract_right(name, disposition)) {
        Ok((name, received)) => {
            // SAFETY: valid for a write by the caller's word.
            unsafe { right.write_unaligned(name) };
            // SAFETY: valid for a write by the caller's word.
            unsafe { acquired.write_unaligned(received) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

pub(super) fn mach_port_mod_refs(
    of: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    delta: mach_port_delta_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.mod_refs(name, right, delta)))
}

pub(super) unsafe fn mach_port_get_refs(
    of: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    refs: *mut mach_port_urefs_t,
) -> kern_return_t {
    // SAFETY: `refs` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.get_refs(name, right)), refs) }
}

pub(super) unsafe fn mach_port_type(
    of: mach_port_t,
    name: mach_port_name_t,
    ptype: *mut mach_port_type_t,
) -> kern_return_t {
    // SAFETY: `ptype` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.type_of(name)), ptype) }
}

pub(super) unsafe fn mach_port_names(
    of: mach_port_t,
    names: *mut *mut mach_port_name_t,
    names_count: *mut mach_msg_type_number_t,
    types: *mut *mut mach_port_type_t,
    types_count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let (all, kinds) = match on_task(of, |kernel| Ok(kernel.names())) {
        Ok(lists) => lists,
        Err(code) => return code,
    };
    // SAFETY: both are valid for a write by the caller's word.
    match unsafe { store_array(&all, names, names_count) } {
        // SAFETY: both are valid for a write by the caller's word.
        KERN_SUCCESS => unsafe { store_array(&kinds, types, types_count) },
        code => code,
    }
}

/// Gives the caller an array in memory of its own.
///
/// # Safety
/// `array` and `count` are each valid for one write.
unsafe fn store_array(
    words: &[u32],
    array: *mut *mut u32,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let address = match Region::copy_of(&bytes) {
        _ if bytes.is_empty() => 0,
        Ok(region) => region.into_address(),
        Err(_) => return KERN_RESOURCE_SHORTAGE,
    };
    // SAFETY: the caller's word.
    unsafe { array.write_unaligned(address as *mut u32) };
    // SAFETY: the caller's word.
    unsafe { count.write_unaligned(words.len() as u32) };
    KERN_SUCCESS
}

pub(super) unsafe fn mach_port_request_notification(
    of: mach_port_t,
    name: mach_port_name_t,
    variant: mach_msg_id_t,
    sync: mach_port_mscount_t,
    notify: mach_port_name_t,
    notify_disposition: mach_msg_type_name_t,
    previous: *mut mach_port_name_t,
) -> kern_return_t {
    let result =
        on_task(of, |kernel| kernel.request_notification(name, variant, sync, notify, notify_disposition));
    // SAFETY: `previous` is valid for a write by the caller's word.
    unsafe { store(result, previous) }
}

pub(super) unsafe fn mach_port_get_attributes(
    of: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *mut i32,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: `count` is valid for a read by the caller's word.
    let room = unsafe { count.read_unaligned() };
    let words = match on_task(of, |kernel| attributes(kernel, name, flavor, room)) {
        Ok(words) => words,
        Err(code) => return code,
    };
    for (index, word) in words.iter().enumerate() {
        // SAFETY: `attributes` returned no more words than there is room for.
        unsafe { info.wrapping_add(index).write_unaligned(*word as i32) };
    }
    // SAFETY: `count` is valid for a write by the caller's word.
    unsafe { count.write_unaligned(words.len() as u32) };
    KERN_SUCCESS
}

fn attributes(
    kernel: &mut Kernel,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    room: u32,
) -> Result<Vec<u32>, kern_return_t> {
    let enough = |count| if room < count { Err(KERN_FAILURE) } else { Ok(()) };
    let status_words = |status: mach_port_status_t| {
        vec![
            status.mps_pset,
            status.mps_seqno,
            status.mps_mscount,
            status.mps_qlimit,
            status.mps_msgcount,
            status.mps_sorights,
            status.mps_srights,
            status.mps_pdrequest,
            status.mps_nsrequest,
            status.mps_flags,
        ]
    };
    match flavor {
        MACH_PORT_LIMITS_INFO => {
            enough(MACH_PORT_LIMITS_INFO_COUNT)?;
            Ok(vec![kernel.status(name)?.mps_qlimit])
        }
        MACH_PORT_RECEIVE_STATUS => {
            enough(MACH_PORT_RECEIVE_STATUS_COUNT)?;
            Ok(status_words(kernel.status(name)?))
        }
        MACH_PORT_DNREQUESTS_SIZE => {
            enough(MACH_PORT_DNREQUESTS_SIZE_COUNT)?;
            Ok(vec![kernel.request_count(name)?])
        }
        MACH_PORT_INFO_EXT => {
            enough(MACH_PORT_INFO_EXT_COUNT)?;
            let mut words = status_words(kernel.status(name)?);
            words.resize(MACH_PORT_INFO_EXT_COUNT as usize, 0);
            Ok(words)
        }
        _ => Err(KERN_INVALID_ARGUMENT),
    }
}

pub(super) unsafe fn mach_port_set_attributes(
    of: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *const i32,
    count: mach_msg_type_number_t,
) -> kern_return_t {
    if flavor != MACH_PORT_LIMITS_INFO {
        return KERN_INVALID_ARGUMENT;
    }
    if count < MACH_PORT_LIMITS_INFO_COUNT {
        return KERN_FAILURE;
    }
    // SAFETY: readable for `count` words by the caller's word.
    let limit = unsafe { info.read_unaligned() };
    code(on_task(of, |kernel| kernel.set_queue_limit(name, limit as u32)))
}

pub(super) fn mach_port_insert_member(
    of: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.insert_member(name, set)))
}

pub(super) fn mach_port_extract_member(
    of: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.extract_member(name, set)))
}

pub(super) fn mach_port_move_member(
    of: mach_port_t,
    name: mach_port_name_t,
    set: mach_port_name_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.move_member(name, set)))
}

pub(super) unsafe fn mach_port_get_set_status(
    of: mach_port_t,
    name: mach_port_name_t,
    members: *mut *mut mach_port_name_t,
    count: *mut mach_msg_type_number_t,
) -> kern_return_t {
    match on_task(of, |kernel| kernel.set_status(name)) {
        // SAFETY: both are valid for a write by the caller's word.
        Ok(names) => unsafe { store_array(&names, members, count) },
        Err(code) => code,
    }
}

pub(super) fn mach_port_set_mscount(
    of: mach_port_t,
    name: mach_port_name_t,
    mscount: mach_port_mscount_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.set_make_send_count(name, mscount)))
}

pub(super) fn mach_port_set_seqno(
    of: mach_port_t,
    name: mach_port_name_t,
    seqno: mach_port_seqno_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.set_sequence(name, seqno)))
}

pub(super) unsafe fn mach_port_get_context(
    of: mach_port_t,
    name: mach_port_name_t,
    context: *mut mach_port_context_t,
) -> kern_return_t {
    // SAFETY: `context` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.context(name)), context) }
}

pub(super) fn mach_port_set_context(
    of: mach_port_t,
    name: mach_port_name_t,
    context: mach_port_context_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.set_context(name, context)))
}

pub(super) fn mach_port_guard(
    of: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    strict: i32,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.guard(name, guard, strict != 0, false)))
}

pub(super) fn mach_port_guard_with_flags(
    of: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    flags: u64,
) -> kern_return_t {
    let (strict, immovable) = (flags & MPG_STRICT != 0, flags & MPG_IMMOVABLE_RECEIVE != 0);
    code(on_task(of, |kernel| kernel.guard(name, guard, strict, immovable)))
}

pub(super) fn mach_port_unguard(
    of: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.unguard(name, guard)))
}

pub(super) fn mach_port_swap_guard(
    of: mach_port_t,
    name: mach_port_name_t,
    old_guard: mach_port_context_t,
    new_guard: mach_port_context_t,
) -> kern_return_t {
    code(on_task(of, |kernel| kernel.swap_guard(name, old_guard, new_guard)))
}

pub(super) unsafe fn mach_port_get_srights(
    of: mach_port_t,
    name: mach_port_name_t,
    srights: *mut mach_port_rights_t,
) -> kern_return_t {
    // SAFETY: `srights` is valid for a write by the caller's word.
    unsafe { store(on_task(of, |kernel| kernel.send_rights(name)), srights) }
}

#[expect(clippy::too_many_arguments, reason = "the arguments are Mach's own")]
pub(super) unsafe fn mach_port_peek(
    of: mach_port_t,
    name: mach_port_name_t,
    _trailer_type: u32,
    seqno: *mut mach_port_seqno_t,
    size: *mut mach_msg_size_t,
    id: *mut mach_msg_id_t,
    _trailer: *mut i8,
    trailer_size: *mut mach_msg_type_number_t,
) -> kern_return_t {
    match on_task(of, |kernel| kernel.peek(name)) {
        Ok((sequence, bytes, number)) => {
            // SAFETY: valid for a write by the caller's word.
            unsafe { seqno.write_unaligned(sequence) };
            // SAFETY: valid for a write by the caller's word.
            unsafe { size.write_unaligned(bytes) };
            // SAFETY: valid for a write by the caller's word.
            unsafe { id.write_unaligned(number) };
            // SAFETY: valid for a write by the caller's word.
            unsafe { trailer_size.write_unaligned(0) };
            KERN_SUCCESS
        }
        Err(code) => code,
    }
}

pub(super) unsafe fn vm_allocate(
    of: mach_port_t,
    address: *mut vm_address_t,
    size: vm_size_t,
    flags: i32,
) -> kern_return_t {
    if of != TASK_SELF {
        return KERN_INVALID_TASK;
    }
    let result = match size {
        0 => Ok(0),
        size if size > isize::MAX as usize => Err(MemoryError::Exhausted),
        size if flags & VM_FLAGS_ANYWHERE != 0 => memory::allocate(size),
        size => {
            // SAFETY: `address` is valid for a read by the caller's word.
            let fixed = unsafe { address.read_unaligned() };
            // SAFETY: nothing uses the range, by the caller's word.
            unsafe { memory::allocate_fixed(fixed, size) }
        }
    };
    // SAFETY: `address` is valid for a write by the caller's word.
    unsafe { store(result.map_err(|_| KERN_NO_SPACE), address) }
}

pub(super) unsafe fn vm_deallocate(of: mach_port_t, address: vm_address_t, size: vm_size_t) -> kern_return_t {
    if of != TASK_SELF {
        return KERN_INVALID_TASK;
    }
    if address.checked_add(size).is_none() {
        return KERN_INVALID_ARGUMENT;
    }
    memory::unmap(address, size);
    KERN_SUCCESS
}

/// The bytes of a bootstrap name.
///
/// # Safety
/// `name` points to a C string.
unsafe fn name_bytes<'a>(name: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's word.
    unsafe { CStr::from_ptr(name) }.to_bytes()
}

pub(super) unsafe fn bootstrap_check_in(
    _bootstrap: mach_port_t,
    name: *const c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let name = unsafe { name_bytes(name) };
    // SAFETY: `port` is valid for a write by the caller's word.
    unsafe { store(task().check_in(name), port) }
}

pub(super) unsafe fn bootstrap_register(
    _bootstrap: mach_port_t,
    name: *const c_char,
    port: mach_port_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let name = unsafe { name_bytes(name) };
    code(task().register(name, port))
}

pub(super) unsafe fn bootstrap_look_up(
    _bootstrap: mach_port_t,
    name: *const c_char,
    port: *mut mach_port_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let name = unsafe { name_bytes(name) };
    // SAFETY: `port` is valid for a write by the caller's word.
    unsafe { store(task().look_up(name), port) }
}

pub(super) unsafe fn bootstrap_watch(
    _bootstrap: mach_port_t,
    name: *const c_char,
    watch: *mut bootstrap_watch_t,
) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let name = unsafe { name_bytes(name) };
    // SAFETY: `watch` is valid for a write by the caller's word.
    unsafe { store(task().watch_name(name), watch) }
}

pub(super) fn bootstrap_unwatch(watch: &bootstrap_watch_t) {
    // With its port the watch ends.
    let _ = mach_port_destruct(TASK_SELF, watch.port, 0, 0);
}

pub(super) unsafe fn inheritance_offer(port: mach_port_name_t, offer: *mut inheritance_t) -> kern_return_t {
    // SAFETY: `offer` is valid for a write by the caller's word.
    unsafe { store(task().offer(port), offer) }
}

pub(super) fn inheritance_keep(offer: &inheritance_t) -> c_int {
    inheritance::keep(offer).map_or_else(|error| error.raw_os_error(), |()| 0)
}

pub(super) fn inheritance_withdraw(offer: &inheritance_t) {
    inheritance::withdraw(offer);
}

pub(super) unsafe fn inheritance_accept(text: *const c_char, port: *mut mach_port_name_t) -> kern_return_t {
    // SAFETY: a C string by the caller's word.
    let text = unsafe { name_bytes(text) };
    // SAFETY: `port` is valid for a write by the caller's word.
    unsafe { store(task().accept_offer(text), port) }
}

pub(super) unsafe fn fileport_makeport(fd: c_int, port: *mut mach_port_t) -> c_int {
    if fd < 0 {
        return fail(rustix::io::Errno::BADF);
    }
    // SAFETY: the caller owns the descriptor for the length of this call, as of any call that takes one.
    let file = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    match task().make_fileport(file) {
        Ok(name) => {
            // SAFETY: `port` is valid for a write by the caller's word.
            unsafe { port.write_unaligned(name) };
            0
        }
        Err(error) => fail(error),
    }
}

pub(super) fn fileport_makefd(port: mach_port_t) -> c_int {
    use std::os::fd::IntoRawFd;
    match task().open_fileport(port) {
        Ok(fd) => fd.into_raw_fd(),
        Err(error) => fail(error),
    }
}

pub(super) unsafe fn readiness_open(name: mach_port_name_t, descriptor: *mut c_int) -> kern_return_t {
    // SAFETY: `descriptor` is valid for a write by the caller's word.
    unsafe { store(on_task(TASK_SELF, |kernel| kernel.open_readiness(name)), descriptor) }
}

pub(super) unsafe fn readiness_check(descriptor: c_int, ready: *mut bool) -> kern_return_t {
    // SAFETY: `ready` is valid for a write by the caller's word.
    unsafe { store(on_task(TASK_SELF, |kernel| kernel.is_ready(descriptor)), ready) }
}

pub(super) unsafe fn readiness_close(descriptor: c_int) -> kern_return_t {
    code(on_task(TASK_SELF, |kernel| kernel.close_readiness(descriptor)))
}

pub(super) fn set_waiting(way: u32) {
    poll::WAITING.store(way, core::sync::atomic::Ordering::Relaxed);
}

pub(super) fn waiting() -> u32 {
    poll::WAITING.load(core::sync::atomic::Ordering::Relaxed)
}

/// Sets `errno` and returns -1.
fn fail(error: rustix::io::Errno) -> c_int {
    // SAFETY: the call has no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: the C library's promise: the address of this thread's `errno`.
    unsafe { errno.write(error.raw_os_error()) };
    -1
}
