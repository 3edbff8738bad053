//! JSON lines: what a block of a file holds, as texts that never become objects of Python.

use bytepair_core::rows::{Rows, without_byte_order_mark};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::errors::{check_room, run};

/// The texts of one field of whole lines, which are a batch of texts wherever one is taken.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct JsonLines(Rows);

impl JsonLines {
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.texts()
    }
}

#[pymethods]
impl JsonLines {
    /// Read whole lines; of a file the first ones if `first`. At an error, `strict` reads no further.
    #[new]
    #[pyo3(signature = (block, field, *, first, strict))]
    fn new(py: Python<'_>, block: PyBackedBytes, field: &str, first: bool, strict: bool) -> PyResult<Self> {
        let block: &[u8] = if first { without_byte_order_mark(&block) } else { &block };
        Ok(Self(run(py, block.len(), || Rows::parse(block, field, strict))?))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Copies of the texts.
    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        check_room(usize::try_from(self.0.n_bytes()).unwrap_or(usize::MAX), "a copy of the texts")?;
        PyList::new(py, self.0.texts().map(|text| PyBytes::new(py, text)).collect::<Vec<_>>())
    }

    #[getter]
    fn n_bytes(&self) -> u64 {
        self.0.n_bytes()
    }

    #[getter]
    fn n_lines(&self) -> u64 {
        self.0.n_lines()
    }

    #[getter]
    fn n_errors(&self) -> u64 {
        self.0.n_errors()
    }

    /// Line, column and reason of what is wrong, of a few rows.
    #[getter]
    fn errors(&self) -> Vec<(u64, usize, String)> {
        self.0.errors().iter().map(|error| (error.line, error.column, error.reason.clone())).collect()
    }
}
