//! Loans: the kernel moves pages without a copy and without trust, so there are no pools.

use super::super::{
    KERN_FAILURE, KERN_SUCCESS, audit_token_t, kern_return_t, mach_port_name_t, vm_address_t, vm_size_t,
};

#[inline]
pub(in super::super) fn loan_allow(_: mach_port_name_t) -> kern_return_t {
    KERN_SUCCESS
}

#[inline]
pub(in super::super) fn loan_offer(_: mach_port_name_t, _: vm_size_t) -> kern_return_t {
    KERN_SUCCESS
}

/// # Safety
/// None: nothing is written.
#[inline]
pub(in super::super) unsafe fn loan_allocate(
    _: mach_port_name_t,
    _: vm_size_t,
    _: *mut vm_address_t,
) -> kern_return_t {
    KERN_FAILURE
}

/// # Safety
/// None: nothing is written.
#[inline]
pub(in super::super) unsafe fn loan_allocate_to(
    _: &audit_token_t,
    _: vm_size_t,
    _: *mut vm_address_t,
) -> kern_return_t {
    KERN_FAILURE
}
