//! The seam's calls as this floor uses them: safe where they can be, one return convention, and the only place from
//! which messages are sent and received.

use core::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::mach::{self, kern_return_t, mach_task_self};

use super::MachError;

#[cfg(any(test, feature = "trap-counter"))]
thread_local! {
    /// How many times this thread called `mach_msg`. Each call is one trap into the kernel on Darwin.
    pub(super) static MESSAGE_CALLS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    /// How many other calls of the seam it made that are traps as well.
    pub(super) static OTHER_CALLS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// Counts a call that is not `mach_msg`.
fn count_other() {
    #[cfg(any(test, feature = "trap-counter"))]
    OTHER_CALLS.set(OTHER_CALLS.get() + 1);
}

/// Sends from `send`, receives into `receive`, or both, in one `mach_msg`. `port` is received from. Either slice may be
/// empty; the option bits for sending, receiving and their time-out come from the arguments, the rest from `option`.
///
/// Returns Mach's code as it is: what a failure did to the message is in `send` and differs by code.
///
/// # Safety
/// Each out-of-line descriptor in `send` names memory that this task may read, and that nothing uses any more when the
/// descriptor gives it away. `send` is aligned to 4.
#[inline]
pub(super) unsafe fn message(
    send: &mut [u8],
    receive: &mut [u8],
    port: u32,
    option: i32,
    timeout: Option<u32>,
) -> kern_return_t {
    #[cfg(any(test, feature = "trap-counter"))]
    MESSAGE_CALLS.set(MESSAGE_CALLS.get() + 1);
    let mut option = option;
    if !send.is_empty() {
        option |= mach::MACH_SEND_MSG;
        if timeout.is_some() {
            option |= mach::MACH_SEND_TIMEOUT;
        }
    }
    if !receive.is_empty() {
        option |= mach::MACH_RCV_MSG;
        if timeout.is_some() {
            option |= mach::MACH_RCV_TIMEOUT;
        }
    }
    let timeout = timeout.unwrap_or(mach::MACH_MSG_TIMEOUT_NONE);
    let send_size = send.len() as u32;
    let receive_size = u32::try_from(receive.len()).unwrap_or(u32::MAX);
    if receive.is_empty() {
        let message = send.as_mut_ptr().cast();
        // SAFETY: the buffer is exclusively ours, as long as `send_size` says and aligned; the descriptors are the
        // caller's duty. Nothing is received, so nothing is written past it.
        unsafe {
            mach::mach_msg(message, option, send_size, 0, mach::MACH_PORT_NULL, timeout, mach::MACH_PORT_NULL)
        }
    } else if send.is_empty() {
        let message = receive.as_mut_ptr().cast();
        // SAFETY: the buffer is exclusively ours, writable for `receive_size` bytes and aligned; nothing is sent.
        unsafe { mach::mach_msg(message, option, 0, receive_size, port, timeout, mach::MACH_PORT_NULL) }
    } else {
        let message = send.as_mut_ptr().cast();
        let into = receive.as_mut_ptr().cast();
        // SAFETY: both buffers are exclusively ours, as long as told and aligned; the descriptors are the caller's duty.
        unsafe {
            mach::mach_msg_overwrite(
                message,
                option,
                send_size,
                receive_size,
                port,
                timeout,
                mach::MACH_PORT_NULL,
                into,
                0,
            )
        }
    }
}

/// Receives only: [`message`] without its duties.
pub(super) fn receive(buffer: &mut [u8], port: u32, option: i32, timeout: Option<u32>) -> kern_return_t {
    // SAFETY: nothing is sent.
    unsafe { message(&mut [], buffer, port, option, timeout) }
}

/// Receives a message, and with it those that have come behind it; stores where the last one ends.
pub(super) fn receive_row(
    buffer: &mut [u8],
    port: u32,
    option: i32,
    timeout: Option<u32>,
    end: &mut usize,
) -> kern_return_t {
    #[cfg(any(test, feature = "trap-counter"))]
    MESSAGE_CALLS.set(MESSAGE_CALLS.get() + 1);
    let option = option | if timeout.is_some() { mach::MACH_RCV_TIMEOUT } else { 0 };
    let timeout = timeout.unwrap_or(mach::MACH_MSG_TIMEOUT_NONE);
    let limit = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let mut last = 0;
    // SAFETY: the buffer is exclusively ours, writable for `limit` bytes and aligned; `last` is valid for one write.
    let code = unsafe {
        mach::mach_msg_receive_row(buffer.as_mut_ptr().cast(), option, limit, port, timeout, &mut last)
    };
    *end = last as usize;
    code
}

/// Sends the first message of a row, and what can go at once of those behind it; stores how many bytes were sent.
///
/// # Safety
/// Every message is within the row, which is aligned to 4, and has no descriptors.
pub(super) unsafe fn send_row(row: &mut [u8], timeout: Option<u32>, sent: &mut usize) -> kern_return_t {
    #[cfg(any(test, feature = "trap-counter"))]
    MESSAGE_CALLS.set(MESSAGE_CALLS.get() + 1);
    let option = if timeout.is_some() { mach::MACH_SEND_TIMEOUT } else { 0 };
    let timeout = timeout.unwrap_or(mach::MACH_MSG_TIMEOUT_NONE);
    let mut count = 0;
    let size = row.len() as u32;
    // SAFETY: the row is exclusively ours; the rest is the caller's duty.
    let code = unsafe { mach::mach_msg_send_row(row.as_mut_ptr().cast(), option, size, timeout, &mut count) };
    *sent = count as usize;
    code
}

/// Sends a message without descriptors that lies in parts, if it can go at once. False: nothing has happened.
pub(super) fn send_parts(parts: &[&[u8]]) -> bool {
    let sent = mach::mach_msg_send_parts(parts);
    #[cfg(any(test, feature = "trap-counter"))]
    MESSAGE_CALLS.set(MESSAGE_CALLS.get() + u64::from(sent));
    sent
}

/// Sends a message whose descriptor of memory at `at`, the last one, stands for `parts`, one behind the other.
///
/// # Safety
/// As [`message`], and such a descriptor is there.
pub(super) unsafe fn send_gathered(
    send: &mut [u8],
    at: usize,
    parts: &[&[u8]],
    timeout: Option<u32>,
) -> kern_return_t {
    #[cfg(any(test, feature = "trap-counter"))]
    MESSAGE_CALLS.set(MESSAGE_CALLS.get() + 1);
    let option = if timeout.is_some() { mach::MACH_SEND_TIMEOUT } else { 0 };
    let timeout = timeout.unwrap_or(mach::MACH_MSG_TIMEOUT_NONE);
    let size = send.len() as u32;
    let message = send.as_mut_ptr().cast();
    // SAFETY: the buffer is exclusively ours, as long as `size` says and aligned; the descriptors are the caller's duty.
    unsafe { mach::mach_msg_send_gathered(message, option, size, timeout, at as u32, parts) }
}

/// Turns a return code into a result.
pub(super) fn check(code: kern_return_t, call: &'static str) -> Result<(), MachError> {
    count_other();
    if code == mach::KERN_SUCCESS { Ok(()) } else { Err(MachError::new(code, call)) }
}

/// Makes a port or a port set.
pub(super) fn allocate(right: u32) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `name` is valid for one write.
    let code = unsafe { mach::mach_port_allocate(mach_task_self(), right, &mut name) };
    check(code, "mach_port_allocate").map(|()| name)
}

/// Makes a port with options and, where they say so, a guard.
pub(super) fn construct(options: &mach::mach_port_options_t, guard: u64) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `options` is valid for one read, `name` for one write.
    let code = unsafe { mach::mach_port_construct(mach_task_self(), options, guard, &mut name) };
    check(code, "mach_port_construct").map(|()| name)
}

/// Drops a receive right that has a guard.
pub(super) fn destruct(name: u32, guard: u64) -> Result<(), MachError> {
    check(mach::mach_port_destruct(mach_task_self(), name, 0, guard), "mach_port_destruct")
}

/// Puts a guard on a receive right.
pub(super) fn guard(name: u32, guard: u64, flags: u64) -> Result<(), MachError> {
    let code = mach::mach_port_guard_with_flags(mach_task_self(), name, guard, flags);
    check(code, "mach_port_guard_with_flags")
}

/// Takes the guard off a receive right.
pub(super) fn unguard(name: u32, guard: u64) -> Result<(), MachError> {
    check(mach::mach_port_unguard(mach_task_self(), name, guard), "mach_port_unguard")
}

/// Drops one send, send-once or dead-name reference, or a port set.
pub(super) fn deallocate(name: u32) -> Result<(), MachError> {
    check(mach::mach_port_deallocate(mach_task_self(), name), "mach_port_deallocate")
}

/// How many references of a send right the process has.
#[cfg(test)]
pub(super) fn refs_of_send(name: u32) -> u32 {
    let mut refs = 0;
    // SAFETY: `refs` is valid for one write.
    let code =
        unsafe { mach::mach_port_get_refs(mach_task_self(), name, mach::MACH_PORT_RIGHT_SEND, &mut refs) };
    if code == mach::KERN_SUCCESS { refs } else { 0 }
}

/// Changes the references of one kind of right.
pub(super) fn mod_refs(name: u32, right: u32, delta: i32) -> Result<(), MachError> {
    check(mach::mach_port_mod_refs(mach_task_self(), name, right, delta), "mach_port_mod_refs")
}

/// The kinds of right that a name denotes, as `MACH_PORT_TYPE_*` bits; none for an unknown name.
pub(super) fn port_type(name: u32) -> u32 {
    count_other();
    let mut bits = 0;
    // SAFETY: `bits` is valid for one write.
    let code = unsafe { mach::mach_port_type(mach_task_self(), name, &mut bits) };
    if code == mach::KERN_SUCCESS { bits } else { mach::MACH_PORT_TYPE_NONE }
}

/// Adds a right to the port under the port's own name.
pub(super) fn insert_right(name: u32, disposition: u32) -> Result<(), MachError> {
    check(mach::mach_port_insert_right(mach_task_self(), name, name, disposition), "mach_port_insert_right")
}

/// Makes a right to the port and returns the right's name.
pub(super) fn extract_right(name: u32, disposition: u32) -> Result<u32, MachError> {
    let (mut right, mut acquired) = (mach::MACH_PORT_NULL, 0);
    // SAFETY: `right` and `acquired` are each valid for one write.
    let code = unsafe {
        mach::mach_port_extract_right(mach_task_self(), name, disposition, &mut right, &mut acquired)
    };
    check(code, "mach_port_extract_right").map(|()| right)
}

/// Asks for a notification; returns the name of the send-once right that an earlier request held, or NULL.
pub(super) fn request_notification(
    name: u32,
    variant: i32,
    sync: u32,
    notify: u32,
    disposition: u32,
) -> Result<u32, MachError> {
    let mut previous = mach::MACH_PORT_NULL;
    // SAFETY: `previous` is valid for one write.
    let code = unsafe {
        mach::mach_port_request_notification(
            mach_task_self(),
            name,
            variant,
            sync,
            notify,
            disposition,
            &mut previous,
        )
    };
    check(code, "mach_port_request_notification").map(|()| previous)
}

/// A port's status.
pub(super) fn status(name: u32) -> Result<mach::mach_port_status_t, MachError> {
    let mut status = mach::mach_port_status_t::default();
    let mut count = mach::MACH_PORT_RECEIVE_STATUS_COUNT;
    let info = (&raw mut status).cast();
    // SAFETY: `status` has room for `count` words and is aligned to 4; `count` is valid for a read and a write.
    let code = unsafe {
        mach::mach_port_get_attributes(
            mach_task_self(),
            name,
            mach::MACH_PORT_RECEIVE_STATUS,
            info,
            &mut count,
        )
    };
    check(code, "mach_port_get_attributes").map(|()| status)
}

/// How many send rights to a port there are.
pub(super) fn send_rights(name: u32) -> Result<u32, MachError> {
    let mut count = 0;
    // SAFETY: `count` is valid for one write.
    let code = unsafe { mach::mach_port_get_srights(mach_task_self(), name, &mut count) };
    check(code, "mach_port_get_srights").map(|()| count)
}

/// Sets a port's queue limit, in messages.
pub(super) fn set_queue_limit(name: u32, limit: u32) -> Result<(), MachError> {
    let limits = mach::mach_port_limits_t { mpl_qlimit: limit };
    let info = (&raw const limits).cast();
    // SAFETY: `limits` is readable for its one word and aligned to 4.
    let code = unsafe {
        mach::mach_port_set_attributes(
            mach_task_self(),
            name,
            mach::MACH_PORT_LIMITS_INFO,
            info,
            mach::MACH_PORT_LIMITS_INFO_COUNT,
        )
    };
    check(code, "mach_port_set_attributes")
}

/// Puts a receive right into a set.
pub(super) fn insert_member(name: u32, set: u32) -> Result<(), MachError> {
    check(mach::mach_port_insert_member(mach_task_self(), name, set), "mach_port_insert_member")
}

/// Takes a receive right out of a set.
pub(super) fn extract_member(name: u32, set: u32) -> Result<(), MachError> {
    check(mach::mach_port_extract_member(mach_task_self(), name, set), "mach_port_extract_member")
}

/// Opens a descriptor that tells when there is something to receive from a port or port set.
pub(super) fn readiness_open(name: u32) -> Result<i32, MachError> {
    let mut descriptor = -1;
    // SAFETY: `descriptor` is valid for one write.
    let code = unsafe { mach::readiness_open(name, &mut descriptor) };
    check(code, "readiness_open").map(|()| descriptor)
}

/// Whether there is something to receive.
///
/// # Safety
/// `descriptor` is of [`readiness_open`].
pub(super) unsafe fn readiness_check(descriptor: i32) -> Result<bool, MachError> {
    let mut ready = false;
    // SAFETY: `ready` is valid for one write; the rest is the caller's duty.
    let code = unsafe { mach::readiness_check(descriptor, &mut ready) };
    check(code, "readiness_check").map(|()| ready)
}

/// Closes a descriptor.
///
/// # Safety
/// `descriptor` is of [`readiness_open`] in this process, and nothing uses it any more.
pub(super) unsafe fn readiness_close(descriptor: i32) {
    // SAFETY: the caller's duty. It fails only for a descriptor that is none.
    let _ = unsafe { mach::readiness_close(descriptor) };
}

/// Lets senders to a port lend.
///
/// # Safety
/// Those of `mach::loan_allow`.
pub(super) unsafe fn loan_allow(name: u32) -> Result<(), MachError> {
    // SAFETY: the caller's duty.
    check(unsafe { mach::loan_allow(name) }, "loan_allow")
}

/// Offers a pool to the receiver behind a send right.
///
/// # Safety
/// Those of `mach::loan_offer`.
pub(super) unsafe fn loan_offer(name: u32, size: usize) -> Result<(), MachError> {
    // SAFETY: the caller's duty.
    check(unsafe { mach::loan_offer(name, size) }, "loan_offer")
}

/// Takes memory of the pool that is shared with the receiver behind a send or send-once right; returns its address.
pub(super) fn loan_allocate(name: u32, size: usize) -> Result<usize, MachError> {
    let mut address = 0;
    // SAFETY: `address` is valid for one write.
    let code = unsafe { mach::loan_allocate(name, size, &mut address) };
    check(code, "loan_allocate").map(|()| address)
}

/// Takes memory of the pool that is shared with a process that lends to this one; returns its address.
pub(super) fn loan_allocate_to(process: &mach::audit_token_t, size: usize) -> Result<usize, MachError> {
    let mut address = 0;
    // SAFETY: `address` is valid for one write.
    let code = unsafe { mach::loan_allocate_to(process, size, &mut address) };
    check(code, "loan_allocate_to").map(|()| address)
}

/// Maps zeroed memory; returns its address.
pub(super) fn vm_allocate(size: usize) -> Result<usize, MachError> {
    let mut address = 0;
    // SAFETY: `address` is valid for a read and a write; the range is not fixed.
    let code = unsafe { mach::vm_allocate(mach_task_self(), &mut address, size, mach::VM_FLAGS_ANYWHERE) };
    check(code, "vm_allocate").map(|()| address)
}

/// Unmaps a region.
///
/// # Safety
/// The region is the caller's, and nothing uses it any more.
pub(super) unsafe fn vm_deallocate(address: usize, size: usize) {
    count_other();
    // SAFETY: the caller's duties are the seam's. A failure would mean that the region was not mapped, and there is
    // nothing left to undo then.
    let _ = unsafe { mach::vm_deallocate(mach_task_self(), address, size) };
}

/// The bytes of a region.
///
/// # Safety
/// The region is mapped and readable, and nobody writes to it or unmaps it for `'a`.
pub(super) unsafe fn bytes<'a>(address: usize, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for the region, which is not empty and so not at address 0.
    unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(address), size) }
}

/// The bytes of a region, to write.
///
/// # Safety
/// The region is mapped and writable, and nobody else uses it for `'a`.
pub(super) unsafe fn bytes_mut<'a>(address: usize, size: usize) -> &'a mut [u8] {
    if size == 0 {
        return &mut [];
    }
    // SAFETY: the caller vouches for the region, which is not empty and so not at address 0.
    unsafe { core::slice::from_raw_parts_mut(core::ptr::with_exposed_provenance_mut(address), size) }
}

/// Takes a service name.
pub(super) fn check_in(service: &CStr) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `service` is a C string whose length the caller has checked; `name` is valid for one write.
    let code = unsafe { mach::bootstrap_check_in(mach::bootstrap_port(), service.as_ptr(), &mut name) };
    check(code, "bootstrap_check_in").map(|()| name)
}

/// Gives a send right a service name.
pub(super) fn register(service: &CStr, name: u32) -> Result<(), MachError> {
    // SAFETY: `service` is a C string whose length the caller has checked.
    let code = unsafe { mach::bootstrap_register(mach::bootstrap_port(), service.as_ptr(), name) };
    check(code, "bootstrap_register")
}

/// Finds a service.
pub(super) fn look_up(service: &CStr) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `service` is a C string whose length the caller has checked; `name` is valid for one write.
    let code = unsafe { mach::bootstrap_look_up(mach::bootstrap_port(), service.as_ptr(), &mut name) };
    check(code, "bootstrap_look_up").map(|()| name)
}

/// Asks to be told when a service may have appeared.
pub(super) fn watch(service: &CStr) -> Result<mach::bootstrap_watch_t, MachError> {
    let mut watch = mach::bootstrap_watch_t::default();
    // SAFETY: `service` is a C string whose length the caller has checked; `watch` is valid for one write.
    let code = unsafe { mach::bootstrap_watch(mach::bootstrap_port(), service.as_ptr(), &mut watch) };
    check(code, "bootstrap_watch").map(|()| watch)
}

/// Prepares a send right for a child.
pub(super) fn offer(name: u32) -> Result<mach::inheritance_t, MachError> {
    let mut offer = mach::inheritance_t::default();
    // SAFETY: `offer` is valid for one write.
    let code = unsafe { mach::inheritance_offer(name, &mut offer) };
    check(code, "inheritance_offer").map(|()| offer)
}

/// Takes the send right that the parent prepared.
pub(super) fn accept(text: &CStr) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `text` is a C string; `name` is valid for one write.
    let code = unsafe { mach::inheritance_accept(text.as_ptr(), &mut name) };
    check(code, "inheritance_accept").map(|()| name)
}

/// Makes a send right that stands for an open file.
pub(super) fn makeport(file: BorrowedFd<'_>) -> Result<u32, MachError> {
    let mut name = mach::MACH_PORT_NULL;
    // SAFETY: `name` is valid for one write.
    let result = unsafe { mach::fileport_makeport(file.as_raw_fd(), &mut name) };
    count_other();
    if result == 0 {
        return Ok(name);
    }
    let code = match std::io::Error::last_os_error().kind() {
        std::io::ErrorKind::InvalidInput => mach::KERN_INVALID_ARGUMENT,
        _ => mach::KERN_RESOURCE_SHORTAGE,
    };
    Err(MachError::new(code, "fileport_makeport"))
}

/// Opens the file that a send right stands for.
pub(super) fn makefd(name: u32) -> std::io::Result<OwnedFd> {
    count_other();
    let fd = mach::fileport_makefd(name);
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
