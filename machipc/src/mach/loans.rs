//! Loans: memory that a sender writes and a receiver reads in place, because both trust each other. Not calls of Mach's: where the kernel moves
//! pages there is nothing to trust anybody with, and on Darwin a loan is memory of [`vm_allocate`](fn@vm_allocate).
//!
//! On Linux two processes that are to have it share a *pool* of memory. A loan is a range of it, whose address goes into an out-of-line
//! descriptor with `deallocate`, as that of `vm_allocate`'s memory does. If the message goes to the process that the pool is shared with, nothing
//! is copied: the range appears at an address of the receiver's, and returns to the pool when the receiver deallocates it. Everywhere else it is copied,
//! as any memory is.

use super::{audit_token_t, imp, kern_return_t, mach_port_name_t, vm_address_t, vm_size_t};

/// Lets senders to the port of a receive right share pools with this task, from now on: those that they [offer](loan_offer), and in return one that this
/// task offers to a sender for what it sends back, when it first [allocates](loan_allocate) from it.
///
/// # Errors
/// `KERN_INVALID_NAME` and `KERN_INVALID_RIGHT` where there is no such right.
///
/// # Safety
/// What is received from such a sender lies in memory that its process can write at any time, and so can anything that process has given the
/// pool to; and so does what is lent to it. The caller answers for it that every process that can send to the port keeps to what it is told here: what
/// was sent is not touched until it has been given back, nor what was given back, nor what was not received.
#[inline]
pub unsafe fn loan_allow(name: mach_port_name_t) -> kern_return_t {
    imp::loan_allow(name)
}

/// Offers the task behind a send right a pool of `size` bytes for what is sent to it, if there is none yet. Whether it takes it shows in whether
/// [`loan_allocate`] succeeds. Who takes it may lend in return: what comes from it, to whatever port of this task's, may lie in a pool of its.
///
/// # Errors
/// `KERN_INVALID_RIGHT` where there is no such right, or it leads to no other task; `KERN_RESOURCE_SHORTAGE` where there is no memory or descriptor
/// for the pool.
///
/// # Safety
/// As [`loan_allow`], of the task behind the right.
#[inline]
pub unsafe fn loan_offer(name: mach_port_name_t, size: vm_size_t) -> kern_return_t {
    imp::loan_offer(name, size)
}

/// Takes `size` bytes of the pool that is shared with the task behind a send or send-once right, and stores their address. They hold anything.
/// They go into a message, or back with [`vm_deallocate`](super::vm_deallocate).
///
/// To a task that lends to a port of this task's that [allows](loan_allow) it, a pool of the same size is offered here first.
///
/// # Errors
/// `KERN_FAILURE` where there is no pool, or it will never have so much room; `KERN_NO_SPACE` where it has not so much room now. Nothing tells
/// when it has. `vm_allocate` does it either way.
///
/// # Safety
/// `address` is valid for one write.
#[inline]
pub unsafe fn loan_allocate(
    name: mach_port_name_t,
    size: vm_size_t,
    address: *mut vm_address_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::loan_allocate(name, size, address) }
}

/// [`loan_allocate`] for the task of a process that lends to a port of this task's, for what is sent back to it.
///
/// # Errors
/// As [`loan_allocate`].
///
/// # Safety
/// As [`loan_allocate`].
#[inline]
pub unsafe fn loan_allocate_to(
    process: &audit_token_t,
    size: vm_size_t,
    address: *mut vm_address_t,
) -> kern_return_t {
    // SAFETY: the caller's duties are the backend's.
    unsafe { imp::loan_allocate_to(process, size, address) }
}
