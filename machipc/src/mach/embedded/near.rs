//! What a processor can be told of memory that is soon needed. Hints: they read and change nothing, and an address that is not mapped does no harm.

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Has the cache line at an address, which is read soon, brought near.
#[inline]
pub(super) fn bring_near(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing and cannot fault.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Has the cache line at an address, which is written to soon, belong to this processor: until then another's cache has it, and a store would
/// wait for it, and all stores behind it.
#[inline]
pub(super) fn claim(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which changes nothing and cannot fault; processors that do not know it do nothing. The compiler's own function becomes
    // another hint where it may not count on this one.
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("prfm pstl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
