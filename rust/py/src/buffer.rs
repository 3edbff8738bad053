//! Ids as the memory of an array, which Python reads and writes where it lies.
//!
//! # Safety
//!
//! - Who has a view of the memory, or an array that NumPy has made of it, holds a reference to its [`Buffer`], so the memory
//!   outlives them all. NumPy gives its view back and keeps the reference: nothing may move or be freed for want of views.
//! - The items never move: nothing adds to them, takes from them or hands them on until the buffer is freed, when nothing refers to it.
//! - Items are atomics, which may be written to while they are shared, and no code here reads or writes them once they
//!   are in a buffer.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use bytepair_core::keep_ids;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors::no_memory;

/// Writable memory of a fixed length.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Buffer(Items);

/// Items of two, four or eight bytes.
pub(crate) enum Items {
    Two(Vec<AtomicU16>),
    Four(Vec<AtomicU32>),
    Eight(Vec<AtomicU64>),
}

impl Buffer {
    /// Items as memory that is bytes to Python, for `numpy.frombuffer` and its like.
    pub(crate) fn new(py: Python<'_>, items: Items) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self(items))
    }
}

impl Drop for Buffer {
    /// A long list of ids is kept for the next array.
    fn drop(&mut self) {
        if let Items::Four(items) = &mut self.0 {
            let mut items = std::mem::take(items);
            items.clear();
            // In place, as an atomic is its value.
            keep_ids(items.into_iter().map(AtomicU32::into_inner).collect());
        }
    }
}

#[pymethods]
impl Buffer {
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let (start, n_bytes): (*const c_void, _) = match &slf.get().0 {
            Items::Two(items) => (items.as_ptr().cast(), size_of_val(items.as_slice())),
            Items::Four(items) => (items.as_ptr().cast(), size_of_val(items.as_slice())),
            Items::Eight(items) => (items.as_ptr().cast(), size_of_val(items.as_slice())),
        };
        let n_bytes = isize::try_from(n_bytes).map_err(|_| no_memory("a view"))?;
        // SAFETY: Python gives a view to be filled, or null, which this function refuses. The memory is of this length,
        // lives as long as `slf`, to which the view takes a reference, and may be written to: see above.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast_mut(), n_bytes, 0, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
