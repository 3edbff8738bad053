//! The plain ints of a list, read where they lie.
//!
//! Invariant: while a list is read, nothing runs that could change it. The GIL is held, and reading a plain int runs no code of
//! another's. A Python without a GIL promises nothing, so there nothing is read.

#![allow(unsafe_code)]

use std::ops::Range;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Appends the items of a list that lie in `range`, up to the first that is no plain int of 32 bits. A bool is none.
pub(crate) fn append(list: &Bound<'_, PyList>, range: Range<usize>, ids: &mut Vec<u32>) {
    if cfg!(Py_GIL_DISABLED) {
        return;
    }
    ids.extend((range.start..range.end.min(list.len())).map_while(|index| {
        let index = isize::try_from(index).ok()?;
        // SAFETY: it is below the length of the list, which holds its items.
        let item = unsafe { ffi::PyList_GET_ITEM(list.as_ptr(), index) };
        // SAFETY: the list still holds it.
        if unsafe { ffi::PyLong_CheckExact(item) } == 0 {
            return None;
        }
        let mut overflow = 0;
        // SAFETY: as above, and it is an int, of which this makes -1 where it does not fit, without an exception.
        let int = unsafe { ffi::PyLong_AsLongAndOverflow(item, &mut overflow) };
        u32::try_from(int).ok()
    }));
}
