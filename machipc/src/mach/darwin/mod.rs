//! The kernel's own Mach, on Apple systems: each call of the seam is one call into libSystem.
//!
//! `foreign.rs` declares what `mach2` lacks. A function whose declaration is the seam's own is passed on as it is; the
//! functions below are those that need a cast, or whose arguments cannot make them unsound so that the seam has them
//! safe. `mach_msg` restarts after a signal inside libSystem unless the options ask otherwise, as the seam promises.

mod foreign;
mod inheritance;
mod loans;
mod names;
mod readiness;
mod rows;

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::atomic::Ordering,
};

use super::types::*;

pub(super) use foreign::{
    fileport_makefd, fileport_makeport, mach_port_allocate_name, mach_port_extract_member,
    mach_port_get_context, mach_port_get_refs, mach_port_get_set_status, mach_port_get_srights,
    mach_port_guard_with_flags, mach_port_insert_member, mach_port_move_member, mach_port_names,
    mach_port_set_context, mach_port_set_mscount, mach_port_set_seqno, mach_port_swap_guard, mach_port_type,
    mach_port_unguard, vm_allocate, vm_deallocate,
};
pub(super) use inheritance::{inheritance_accept, inheritance_keep, inheritance_offer, inheritance_withdraw};
pub(super) use loans::{loan_allocate, loan_allocate_to, loan_allow, loan_offer};
pub(super) use mach2::{
    bootstrap::bootstrap_look_up,
    mach_port::{
        mach_port_allocate, mach_port_extract_right, mach_port_get_attributes, mach_port_request_notification,
    },
};
pub(super) use names::{bootstrap_check_in, bootstrap_register, bootstrap_unwatch, bootstrap_watch};
pub(super) use readiness::{readiness_check, readiness_close, readiness_open};
pub(super) use rows::{receive_row, send_at_once, send_gathered, send_parts};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("machipc needs a 64-bit Apple target: messages are laid out as LP64 has them");

#[inline]
pub(super) fn mach_task_self() -> mach_port_t {
    foreign::mach_task_self_.load(Ordering::Relaxed)
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
    // SAFETY: the caller's duties are the kernel's, and both header types are laid out as C has them.
    unsafe {
        mach2::message::mach_msg(
            message.cast(),
            option,
            send_size,
            receive_limit,
            receive_name,
            timeout,
            notify,
        )
    }
}

pub(super) use foreign::mach_msg_overwrite;

#[inline]
pub(super) unsafe fn mach_port_construct(
    task: mach_port_t,
    options: *const mach_port_options_t,
    context: mach_port_context_t,
    name: *mut mach_port_name_t,
) -> kern_return_t {
    // SAFETY: `name` is the caller's duty; the options are laid out as C has them and only read.
    unsafe { mach2::mach_port::mach_port_construct(task, options.cast_mut().cast(), context, name) }
}

#[inline]
pub(super) fn mach_port_destruct(
    task: mach_port_t,
    name: mach_port_name_t,
    srdelta: mach_port_delta_t,
    guard: mach_port_context_t,
) -> kern_return_t {
    // SAFETY: no argument is a pointer.
    unsafe { mach2::mach_port::mach_port_destruct(task, name, srdelta, guard) }
}

#[inline]
pub(super) fn mach_port_destroy(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    // SAFETY: no argument is a pointer.
    unsafe { mach2::mach_port::mach_port_destroy(task, name) }
}

#[inline]
pub(super) fn mach_port_deallocate(task: mach_port_t, name: mach_port_name_t) -> kern_return_t {
    // SAFETY: no argument is a pointer.
    unsafe { mach2::mach_port::mach_port_deallocate(task, name) }
}

#[inline]
pub(super) fn mach_port_insert_right(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_name_t,
    disposition: mach_msg_type_name_t,
) -> kern_return_t {
    // SAFETY: no argument is a pointer.
    unsafe { mach2::mach_port::mach_port_insert_right(task, name, right, disposition) }
}

#[inline]
pub(super) fn mach_port_mod_refs(
    task: mach_port_t,
    name: mach_port_name_t,
    right: mach_port_right_t,
    delta: mach_port_delta_t,
) -> kern_return_t {
    // SAFETY: no argument is a pointer.
    unsafe { mach2::mach_port::mach_port_mod_refs(task, name, right, delta) }
}

#[inline]
pub(super) unsafe fn mach_port_set_attributes(
    task: mach_port_t,
    name: mach_port_name_t,
    flavor: mach_port_flavor_t,
    info: *const i32,
    count: mach_msg_type_number_t,
) -> kern_return_t {
    // SAFETY: `info` is the caller's duty and is only read.
    unsafe { mach2::mach_port::mach_port_set_attributes(task, name, flavor, info.cast_mut(), count) }
}

#[inline]
pub(super) fn mach_port_guard(
    task: mach_port_t,
    name: mach_port_name_t,
    guard: mach_port_context_t,
    strict: i32,
) -> kern_return_t {
    foreign::mach_port_guard(task, name, guard, strict as foreign::boolean_t)
}

/// The trailer is not the caller's: the kernel would write as much of it as its size allows.
#[inline]
#[expect(clippy::too_many_arguments, reason = "the arguments are Mach's own")]
pub(super) unsafe fn mach_port_peek(
    task: mach_port_t,
    name: mach_port_name_t,
    _trailer_type: u32,
    seqno: *mut mach_port_seqno_t,
    size: *mut mach_msg_size_t,
    id: *mut mach_msg_id_t,
    _trailer: *mut i8,
    trailer_size: *mut mach_msg_type_number_t,
) -> kern_return_t {
    let mut trailer = [0 as c_char; size_of::<mach_msg_mac_trailer_t>()];
    // SAFETY: the caller's duty.
    unsafe { trailer_size.write(0) };
    // SAFETY: the caller's duties, but for the trailer, whose buffer is the largest that the call can fill.
    unsafe { foreign::mach_port_peek(task, name, 0, seqno, size, id, trailer.as_mut_ptr(), trailer_size) }
}

#[inline]
pub(super) fn bootstrap_port() -> mach_port_t {
    foreign::bootstrap_port.load(Ordering::Relaxed)
}

/// The bootstrap codes are libxpc's, which has words for them; the kernel's table has all others.
pub(super) fn mach_error_string(code: kern_return_t) -> &'static str {
    let words = if (super::BOOTSTRAP_NOT_PRIVILEGED..=super::BOOTSTRAP_NO_CHILDREN).contains(&code) {
        // SAFETY: the argument is not a pointer.
        unsafe { mach2::bootstrap::bootstrap_strerror(code) }
    } else {
        foreign::mach_error_string(code).cast_const()
    };
    if words.is_null() {
        return "unknown error";
    }
    // SAFETY: both functions return a C string of a constant table, or null.
    let words = unsafe { CStr::from_ptr(words) };
    words.to_str().unwrap_or("unknown error")
}

/// The kernel waits, as it sees fit.
pub(super) fn set_waiting(_way: u32) {}

pub(super) fn waiting() -> u32 {
    super::WAIT_ADAPTIVELY
}

#[inline]
pub(super) fn machine_time() -> u64 {
    /// `CLOCK_UPTIME_RAW` of `<time.h>`.
    const CLOCK_UPTIME_RAW: u32 = 8;
    foreign::clock_gettime_nsec_np(CLOCK_UPTIME_RAW)
}

/// Asks for the path of the process's program, since that call compares the version of the process id. Before macOS 11, which brought the call,
/// a process with that id has to do.
pub(super) fn process_lives(process: &audit_token_t) -> bool {
    /// `proc_pidpath_audittoken` of `<libproc.h>`.
    type PathOfToken = unsafe extern "C" fn(*mut audit_token_t, *mut c_void, u32) -> c_int;
    /// `RTLD_DEFAULT` of `<dlfcn.h>`.
    const RTLD_DEFAULT: usize = (-2_isize).cast_unsigned();
    /// `ESRCH` of `<errno.h>`: there is no such process.
    const ESRCH: i32 = 3;
    /// Where in a token the process id is.
    const PID: usize = 5;
    let handle = core::ptr::without_provenance_mut(RTLD_DEFAULT);
    // SAFETY: the name ends with a zero.
    let call = unsafe { foreign::dlsym(handle, c"proc_pidpath_audittoken".as_ptr()) };
    let found = if call.is_null() {
        foreign::kill(process.val[PID].cast_signed(), 0) == 0
    } else {
        // SAFETY: that is the function's type, by its header.
        let call = unsafe { core::mem::transmute::<*mut c_void, PathOfToken>(call) };
        let mut token = *process;
        // The least that the call takes, `PROC_PIDPATHINFO_SIZE`. A path that is longer is another error.
        let mut path = [0_u8; 1024];
        // SAFETY: both are valid for reads and writes, of as many bytes as told.
        let len = unsafe { call(&mut token, path.as_mut_ptr().cast(), path.len() as u32) };
        len > 0
    };
    found || std::io::Error::last_os_error().raw_os_error() != Some(ESRCH)
}

#[cfg(test)]
mod tests {
    use super::{super::*, foreign};

    #[test]
    fn the_task_and_its_bootstrap_port_have_names() {
        for name in [mach_task_self(), bootstrap_port()] {
            let mut kind = 0;
            // SAFETY: `kind` is valid for one write.
            let code = unsafe { mach_port_type(mach_task_self(), name, &mut kind) };
            assert_eq!((code, kind & MACH_PORT_TYPE_SEND), (KERN_SUCCESS, MACH_PORT_TYPE_SEND), "{name:#x}");
        }
    }

    #[test]
    fn codes_of_all_kinds_have_words() {
        for code in
            [KERN_INVALID_NAME, MACH_SEND_TIMED_OUT, MACH_RCV_TOO_LARGE, BOOTSTRAP_UNKNOWN_SERVICE, -1]
        {
            assert!(!mach_error_string(code).is_empty(), "{code:#x}");
        }
    }

    #[test]
    fn a_peek_writes_no_trailer() {
        let options = mach_port_options_t { flags: MPO_INSERT_SEND_RIGHT, ..Default::default() };
        let mut port = MACH_PORT_NULL;
        // SAFETY: `options` is valid for one read, `port` for one write.
        let code = unsafe { mach_port_construct(mach_task_self(), &options, 0, &mut port) };
        assert_eq!(code, KERN_SUCCESS);
        let mut message = mach_msg_header_t {
            msgh_bits: MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
            msgh_remote_port: port,
            msgh_id: 4711,
            ..Default::default()
        };
        // SAFETY: the message is readable for its 24 bytes and has no descriptors.
        let code = unsafe { mach_msg(&mut message, MACH_SEND_MSG, 24, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) };
        assert_eq!(code, MACH_MSG_SUCCESS);

        let (mut seqno, mut size, mut id, mut trailer, mut trailer_size) = (0, 0, 0, 0x55, 68);
        // SAFETY: each pointer is valid for one read and one write.
        let code = unsafe {
            mach_port_peek(
                mach_task_self(),
                port,
                0,
                &mut seqno,
                &mut size,
                &mut id,
                &mut trailer,
                &mut trailer_size,
            )
        };
        assert_eq!((code, size, id, trailer, trailer_size), (KERN_SUCCESS, 24, 4711, 0x55, 0));
        assert_eq!(mach_port_destruct(mach_task_self(), port, -1, 0), KERN_SUCCESS);
    }

    #[test]
    fn memory_comes_and_goes() {
        let mut address = 0;
        // SAFETY: `address` is valid for one read and one write.
        let code = unsafe { vm_allocate(mach_task_self(), &mut address, 100, VM_FLAGS_ANYWHERE) };
        assert_eq!(code, KERN_SUCCESS);
        let page = core::ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the first of the 100 bytes that are ours.
        unsafe { page.write(7) };
        // SAFETY: nothing uses the page after this.
        let code = unsafe { vm_deallocate(mach_task_self(), address, 100) };
        assert_eq!(code, KERN_SUCCESS);
    }

    #[test]
    fn a_file_comes_back_from_its_port() {
        use std::io::{Read, Seek, Write};
        use std::os::fd::{AsRawFd, FromRawFd};
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let mut port = MACH_PORT_NULL;
        // SAFETY: `port` is valid for one write.
        let made = unsafe { foreign::fileport_makeport(writer.as_raw_fd(), &mut port) };
        assert_eq!(made, 0);
        let again = fileport_makefd(port);
        assert!(again >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: the descriptor is new and nobody else's.
        let mut again = unsafe { std::fs::File::from_raw_fd(again) };
        assert!(again.stream_position().is_err(), "it is a pipe");
        again.write_all(b"ab").unwrap();
        writer.write_all(b"c").unwrap();
        drop((again, writer));
        assert_eq!(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
