//! Batches of texts: Python objects, a column of Arrow's, or rows of JSON.

use std::borrow::Cow;
use std::ops::Range;

use bytepair_core::Error;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::convert;
use crate::errors::{collect, to_python};
use crate::rows::JsonLines;

/// The texts of a batch, as they came.
pub(crate) enum Texts<'py> {
    Items(Vec<Bound<'py, PyAny>>),
    Columns(Vec<Column<'py>>),
    Rows(Bound<'py, JsonLines>),
}

/// Consecutive texts of an Arrow array.
///
/// Its buffers are copied, as one and not by text: nothing keeps another thread from writing to the memory that they lie in.
pub(crate) struct Column<'py> {
    bytes: Bound<'py, PyBytes>,
    texts: Vec<Range<usize>>,
}

impl<'py> Texts<'py> {
    pub(crate) fn new(batch: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(rows) = batch.cast::<JsonLines>() {
            return Ok(Self::Rows(rows.clone()));
        }
        let Some(chunks) = chunks(batch)? else { return Ok(Self::Items(convert::items(batch)?)) };
        let mut columns = Vec::new();
        let mut first = 0;
        for chunk in chunks {
            let column = Column::new(&chunk, first)?;
            first += column.texts.len();
            columns.push(column);
        }
        Ok(Self::Columns(columns))
    }

    /// What `convert` makes of each text; `first` is the index of the first, for what goes wrong.
    pub(crate) fn each<'a, T: From<Cow<'a, [u8]>>>(
        &'a self,
        first: usize,
        convert: impl Fn(&'a Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<Vec<T>> {
        const WHAT: &str = "the texts of a batch";
        let borrowed = |text: &'a [u8]| Ok(Cow::Borrowed(text).into());
        match self {
            Self::Items(items) => convert::each(items, first, convert),
            Self::Columns(columns) => collect(columns.iter().flat_map(Column::texts).map(borrowed), WHAT),
            Self::Rows(rows) => collect(rows.get().texts().map(borrowed), WHAT),
        }
    }

    /// The exception for what went wrong with the text number `index`.
    pub(crate) fn error(&self, py: Python<'py>, index: usize, error: &Error) -> PyErr {
        let item = if let Self::Items(items) = self { items.get(index) } else { None };
        convert::noted(py, item.map_or_else(|| to_python(error), |item| convert::text_error(item, error)), index)
    }
}

/// The chunks of an Arrow array of texts, or `None` where `batch` is no Arrow array.
pub(crate) fn chunks<'py>(batch: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    if batch.is_instance_of::<PyList>() || batch.is_instance_of::<PyTuple>() {
        return Ok(None);
    }
    // Where nobody has imported pyarrow, nothing is an array of it.
    let modules = batch.py().import("sys")?.getattr("modules")?;
    let Ok(pyarrow) = modules.get_item("pyarrow") else { return Ok(None) };
    let is_chunked = batch.is_instance(&pyarrow.getattr("ChunkedArray")?)?;
    if !is_chunked && !batch.is_instance(&pyarrow.getattr("Array")?)? {
        return Ok(None);
    }
    let kind = batch.getattr("type")?.str()?.to_string();
    let batch = match kind.as_str() {
        "string" | "large_string" | "binary" | "large_binary" => batch.clone(),
        "string_view" => batch.call_method1("cast", ("large_string",))?,
        "binary_view" => batch.call_method1("cast", ("large_binary",))?,
        _ => {
            let message = format!("texts must be an Arrow array of strings or binary, not of {kind}");
            return Err(PyTypeError::new_err(message));
        }
    };
    let chunks = if is_chunked { batch.getattr("chunks")?.try_iter()?.collect::<PyResult<_>>()? } else { vec![batch] };
    Ok(Some(chunks))
}

impl<'py> Column<'py> {
    /// The texts of an array that is not chunked; `first` is the index of its first text in the batch.
    pub(crate) fn new(array: &Bound<'py, PyAny>, first: usize) -> PyResult<Self> {
        let py = array.py();
        let n_texts = array.len()?;
        if let Some(index) = first_null(array)? {
            return Err(null(py, first + index));
        }
        if n_texts == 0 {
            return Ok(Self { bytes: PyBytes::new(py, b""), texts: Vec::new() });
        }
        let buffers: Vec<Option<Bound<'py, PyAny>>> = array.call_method0("buffers")?.extract()?;
        let [_, Some(offsets), data] = buffers.as_slice() else { return Err(damaged()) };
        let is_large = array.getattr("type")?.str()?.to_string().starts_with("large_");
        let width = if is_large { 8 } else { 4 };
        let skipped: usize = array.getattr("offset")?.extract()?;
        let offsets = part(offsets, skipped * width, (n_texts + 1) * width)?;
        let offsets: Vec<i64> = if is_large {
            offsets.as_bytes().as_chunks::<8>().0.iter().map(|offset| i64::from_ne_bytes(*offset)).collect()
        } else {
            offsets.as_bytes().as_chunks::<4>().0.iter().map(|offset| i32::from_ne_bytes(*offset).into()).collect()
        };
        let start = offsets.first().copied().unwrap_or_default();
        let offset =
            |offset: i64| offset.checked_sub(start).and_then(|at| usize::try_from(at).ok()).ok_or_else(damaged);
        let ends = offsets.iter().map(|&at| offset(at)).collect::<PyResult<Vec<usize>>>()?;
        let n_bytes = ends.last().copied().unwrap_or_default();
        let bytes = match data {
            Some(data) => part(data, usize::try_from(start).map_err(|_| damaged())?, n_bytes)?,
            None => PyBytes::new(py, b""),
        };
        let is_in_order = ends.is_sorted() && ends.len() == n_texts + 1 && bytes.as_bytes().len() == n_bytes;
        if !is_in_order {
            return Err(damaged());
        }
        let texts = ends.windows(2).filter_map(|pair| Some(*pair.first()?..*pair.last()?)).collect();
        Ok(Self { bytes, texts })
    }

    /// The bytes of each text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(|text| self.bytes.as_bytes().get(text.clone()).unwrap_or_default())
    }
}

/// The index of the first null of an array.
pub(crate) fn first_null(array: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    if array.getattr("null_count")?.extract::<usize>()? == 0 {
        return Ok(None);
    }
    let index = array.call_method0("is_null")?.call_method1("index", (true,))?;
    index.call_method0("as_py")?.extract().map(Some)
}

/// The error for a null at an index of a batch.
pub(crate) fn null(py: Python<'_>, index: usize) -> PyErr {
    convert::noted(py, PyTypeError::new_err("text must be str or bytes, not a null of Arrow"), index)
}

/// A copy of a part of a buffer.
fn part<'py>(buffer: &Bound<'py, PyAny>, start: usize, length: usize) -> PyResult<Bound<'py, PyBytes>> {
    let part = buffer.call_method1("slice", (start, length))?;
    Ok(part.call_method0("to_pybytes")?.cast_into::<PyBytes>()?)
}

fn damaged() -> PyErr {
    PyValueError::new_err("the Arrow array is damaged: its offsets are not in order, or its buffers too short")
}
