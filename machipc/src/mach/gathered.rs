//! Memory that is gathered while it is sent. Not a call of Mach's: a descriptor names one range of memory, and what a message carries may lie in
//! several, of which the largest are nobody's to copy before they are sent.

use std::time::Instant;

use super::{
    KERN_SUCCESS, MACH_MSG_SUCCESS, MACH_PORT_NULL, MACH_SEND_MSG, MACH_SEND_NO_BUFFER, MACH_SEND_TOO_LARGE,
};
use super::{
    VM_FLAGS_ANYWHERE, imp, mach_msg, mach_msg_header_t, mach_msg_ool_descriptor_t, mach_msg_option_t,
    mach_msg_return_t, mach_msg_size_t, mach_msg_timeout_t, mach_task_self, vm_allocate,
};

/// Sends a message whose bytes lie in `parts`, one behind the other, if it can go at once and carries nothing but bytes, besides the rights in its
/// header. False: nothing has happened, and the message is to be put into one place and sent by [`mach_msg`](fn@mach_msg).
///
/// The header is in the first part, and its `msgh_size` is that of all parts. The parts are the caller's before and after, and the rights in the
/// header move with the message. On Linux the parts go into the ring of a link as they are; on Darwin nothing is sent this way.
///
/// ```
/// // What is no message stays where it is.
/// assert!(!machipc::mach::mach_msg_send_parts(&[b"no header", b"and no body"]));
/// ```
pub fn mach_msg_send_parts(parts: &[&[u8]]) -> bool {
    imp::send_parts(parts)
}

/// Sends a message whose last descriptor, at `at` bytes from the message's start, stands for memory that consists of `parts`, one behind the
/// other. It arrives as one range. The descriptor says `MACH_MSG_OOL_DESCRIPTOR`; its address and size are written by this call.
///
/// On Linux the parts go over a link as they are, where the message carries nothing else. Otherwise, and on Darwin, they are copied into new
/// memory first, which moves to the receiver.
///
/// # Errors
/// Those of [`mach_msg`](fn@mach_msg). `MACH_SEND_NO_BUFFER` when there is no memory to gather the parts in and `MACH_SEND_TOO_LARGE` when they
/// have 4 GiB or more: then nothing was looked at, and all rights in the message are the caller's still. Memory that the descriptor names
/// after a failure is the caller's to free.
///
/// # Safety
/// As [`mach_msg`](fn@mach_msg) for a send. `at` is a multiple of 4, and a descriptor of memory ends in the message from there on.
pub unsafe fn mach_msg_send_gathered(
    message: *mut mach_msg_header_t,
    option: mach_msg_option_t,
    size: mach_msg_size_t,
    timeout: mach_msg_timeout_t,
    at: mach_msg_size_t,
    parts: &[&[u8]],
) -> mach_msg_return_t {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let place = message.wrapping_byte_add(at as usize).cast::<mach_msg_ool_descriptor_t>();
    // SAFETY: a descriptor is there, by the caller's word.
    let mut descriptor = unsafe { place.read_unaligned() };
    (descriptor.address, descriptor.size, descriptor.deallocate) = (0, 0, 0);
    // SAFETY: as above; the message is writable.
    unsafe { place.write_unaligned(descriptor) };
    let Ok(len) = u32::try_from(total) else { return MACH_SEND_TOO_LARGE };
    descriptor.size = len;
    // SAFETY: as above.
    unsafe { place.write_unaligned(descriptor) };
    let began = Instant::now();
    // SAFETY: the caller's duties are the backend's.
    if let Some(code) = unsafe { imp::send_gathered(message, option, size, timeout, parts) } {
        if code != MACH_MSG_SUCCESS {
            descriptor.size = 0;
            // SAFETY: as above.
            unsafe { place.write_unaligned(descriptor) };
        }
        return code;
    }
    // It may have waited for room in vain.
    let timeout = timeout.saturating_sub(began.elapsed().as_millis().try_into().unwrap_or(u32::MAX));
    let mut address = 0;
    if total > 0 {
        // SAFETY: `address` is valid for a read and a write; the range is not fixed.
        let code = unsafe { vm_allocate(mach_task_self(), &mut address, total, VM_FLAGS_ANYWHERE) };
        if code != KERN_SUCCESS {
            descriptor.size = 0;
            // SAFETY: as above.
            unsafe { place.write_unaligned(descriptor) };
            return MACH_SEND_NO_BUFFER;
        }
    }
    let mut to = core::ptr::with_exposed_provenance_mut::<u8>(address);
    for part in parts {
        // SAFETY: the range has just been made, as long as all parts are, and overlaps none of them.
        unsafe { core::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len()) };
        to = to.wrapping_add(part.len());
    }
    descriptor.address = address as u64;
    descriptor.deallocate = 1;
    // SAFETY: as above.
    unsafe { place.write_unaligned(descriptor) };
    // SAFETY: the caller's duties; the memory that the descriptor gives away is this call's.
    unsafe { mach_msg(message, option | MACH_SEND_MSG, size, 0, MACH_PORT_NULL, timeout, MACH_PORT_NULL) }
}
