//! A hint to the system that memory is better had in pages of 2 MiB.
//!
//! Each page costs a visit to the system when it is first written to. In pages of 4 KiB, that takes as long for a list of ids
//! as a fifth of the encoding of its text. And where a large table is read here and there, the processor has to find out where
//! fewer pages lie.
//!
//! # Safety
//!
//! The hint is given for whole pages inside memory that a list holds, and it changes nothing of what is in them.

#![allow(unsafe_code)]

/// Less than two such pages are not worth a hint.
#[cfg(target_os = "linux")]
const MIN_BYTES: usize = 1 << 22;

/// Gives the hint for the room that a list has for more items.
#[cfg(target_os = "linux")]
pub(crate) fn ask_for<T>(list: &mut Vec<T>) {
    const SMALL_PAGE: usize = 1 << 12;
    let room = list.spare_capacity_mut();
    let n_bytes = size_of_val(room);
    if n_bytes < MIN_BYTES {
        return;
    }
    let start = room.as_mut_ptr().cast::<libc::c_void>();
    let n_skipped = start.addr().wrapping_neg() % SMALL_PAGE;
    let n_bytes = (n_bytes - n_skipped) / SMALL_PAGE * SMALL_PAGE;
    // SAFETY: the range lies inside `room`. What the hint comes to, or that it is refused, makes no difference here.
    unsafe {
        libc::madvise(start.wrapping_byte_add(n_skipped), n_bytes, libc::MADV_HUGEPAGE);
    }
}

/// Other systems have no such hint, or need none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_for<T>(_: &mut Vec<T>) {}
