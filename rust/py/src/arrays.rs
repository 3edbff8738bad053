//! Ids as arrays of NumPy, or as the memory of such.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

use crate::buffer::{Buffer, Items};
use crate::errors::no_memory;

/// Lists and arrays of more items than this are made part by part, or without the GIL, so that other threads and Ctrl-C get
/// their turn: some milliseconds.
pub(crate) const LONG_LIST: usize = 1 << 17;

/// The ways to lay out ids in a buffer, by the name NumPy gives them.
#[derive(Clone, Copy)]
pub(crate) enum Dtype {
    U16,
    U32,
    I32,
    I64,
}

impl Dtype {
    pub(crate) fn parse(name: &str, n_ids: usize) -> PyResult<Self> {
        let (dtype, limit) = match name {
            "uint16" => (Self::U16, 1 << 16),
            "uint32" => (Self::U32, 1 << 32),
            "int32" => (Self::I32, 1 << 31),
            "int64" => (Self::I64, 1 << 32),
            other => {
                let message = format!("dtype must be 'uint16', 'uint32', 'int32' or 'int64', not {other:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        if n_ids > limit {
            let message = format!("a vocabulary with ids up to {} does not fit {name}; use 'uint32'", n_ids - 1);
            return Err(PyOverflowError::new_err(message));
        }
        Ok(dtype)
    }

    /// The ids as an array of NumPy.
    pub(crate) fn array<'py>(self, py: Python<'py>, ids: &mut Vec<u32>) -> PyResult<Bound<'py, PyAny>> {
        let NumPy { from_buffer, u16, u32, i32, i64 } = NumPy::get(py)?;
        let dtype = match self {
            Self::U16 => u16,
            Self::U32 => u32,
            Self::I32 => i32,
            Self::I64 => i64,
        };
        from_buffer.bind(py).call1((Buffer::new(py, self.items(py, ids)?)?, dtype))
    }

    /// The ids as the memory of an array.
    pub(crate) fn view<'py>(self, py: Python<'py>, ids: &mut Vec<u32>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(Buffer::new(py, self.items(py, ids)?)?.as_any())
    }

    /// Many ids are handed over as they lie where they have the width; the others are copied, and what they lie in is left for
    /// the next call.
    fn items(self, py: Python<'_>, ids: &mut Vec<u32>) -> PyResult<Items> {
        match self {
            Self::U16 => detached(py, ids, |&id| AtomicU16::new(u16::try_from(id).unwrap_or(u16::MAX))).map(Items::Two),
            Self::U32 | Self::I32 if ids.len() > LONG_LIST && ids.capacity() / 2 <= ids.len() => {
                let ids = std::mem::take(ids);
                // In place: an atomic is its value.
                Ok(Items::Four(py.detach(|| ids.into_iter().map(AtomicU32::new).collect())))
            }
            Self::U32 | Self::I32 => detached(py, ids, |&id| AtomicU32::new(id)).map(Items::Four),
            Self::I64 => detached(py, ids, |&id| AtomicU64::new(u64::from(id))).map(Items::Eight),
        }
    }
}

/// What makes an array of a buffer, and the dtypes: to look for them takes as long as to encode a sentence.
struct NumPy {
    from_buffer: Py<PyAny>,
    u16: Py<PyAny>,
    u32: Py<PyAny>,
    i32: Py<PyAny>,
    i64: Py<PyAny>,
}

impl NumPy {
    /// Found when the first array is asked for, which is when NumPy is imported. Outside the cell: a process forked while another
    /// thread looks inside would wait for ever.
    fn get(py: Python<'_>) -> PyResult<&'static Self> {
        static FOUND: OnceLock<NumPy> = OnceLock::new();
        match FOUND.get() {
            Some(numpy) => Ok(numpy),
            None => {
                let numpy = Self::find(py)?;
                Ok(FOUND.get_or_init(|| numpy))
            }
        }
    }

    fn find(py: Python<'_>) -> PyResult<Self> {
        let numpy = py.import("numpy")?;
        let dtype = |name| numpy.call_method1("dtype", (name,)).map(Bound::unbind);
        Ok(Self {
            from_buffer: numpy.getattr("frombuffer")?.unbind(),
            u16: dtype("uint16")?,
            u32: dtype("uint32")?,
            i32: dtype("int32")?,
            i64: dtype("int64")?,
        })
    }
}

/// Items made into others, without the GIL if they are many.
pub(crate) fn detached<S: Sync, T: Send>(
    py: Python<'_>,
    items: &[S],
    make: impl Fn(&S) -> T + Send,
) -> PyResult<Vec<T>> {
    let work = || {
        let mut made = Vec::new();
        made.try_reserve_exact(items.len()).ok()?;
        made.extend(items.iter().map(make));
        Some(made)
    };
    let made = if items.len() > LONG_LIST { py.detach(work) } else { work() };
    made.ok_or_else(|| no_memory("the array of ids"))
}
