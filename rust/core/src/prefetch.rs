//! A hint to the processor that memory will be read soon.
//!
//! # Safety
//!
//! The hint may be given for any address: it faults on none, and changes nothing but time.

#![allow(unsafe_code)]

/// Starts to bring the cache line at `place` near, without waiting for it.
#[inline(always)]
pub(crate) fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE, which the instruction is a part of, and a prefetch faults on no address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
