//! Streams: ids to text as they come, and the ids of a text that grows.

use std::sync::{Mutex, MutexGuard};

use bytepair_core::{ask, decode};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyList, PyString};

use crate::convert::{self, Names, Surrogates};
use crate::errors::{run, run_interruptible, to_python};
use crate::tokenizer::{PyTokenizer, decode_text};

/// Turns token ids into text as they come; made by `Tokenizer.decode_stream`.
///
/// Holds back the bytes of a character that is not yet whole, three at most.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct DecodeStream {
    tokenizer: Py<PyTokenizer>,
    errors: String,
    stream: Mutex<decode::DecodeStream>,
}

impl DecodeStream {
    pub(crate) fn new(tokenizer: Py<PyTokenizer>, errors: &str) -> Self {
        Self { tokenizer, errors: errors.to_owned(), stream: Mutex::default() }
    }
}

#[pymethods]
impl DecodeStream {
    /// Add ids and return the text that is now certain.
    ///
    /// Parameters
    /// ----------
    /// ids : int, sequence of int, or one-dimensional integer array
    ///
    /// Returns
    /// -------
    /// str
    ///     Empty while a character is not whole.
    ///
    /// Raises
    /// ------
    /// TokenIdError, UnicodeDecodeError
    ///     As for `Tokenizer.decode`; the stream is as before.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").decode_stream()
    /// >>> stream.push(31373), stream.push([995])
    /// ('hello', ' world')
    fn push<'py>(&self, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let py = ids.py();
        let tokenizer = &self.tokenizer.get().tokenizer;
        // NumPy's integers are none of Python's; its arrays have an index method too, but also a length.
        let is_integer = ids.is_instance_of::<PyInt>() || ids.hasattr("__index__")? && !ids.hasattr("__len__")?;
        let n_ids = tokenizer.vocabulary().n_ids();
        let ids = if is_integer && !ids.is_instance_of::<PyBool>() {
            convert::ids(PyList::new(py, [ids])?.as_any(), n_ids, Vec::new())?
        } else {
            convert::ids(ids, n_ids, Vec::new())?
        };
        let mut stream = lock(&self.stream)?;
        let mut after = *stream;
        let mut bytes = Vec::new();
        run(py, ids.len() * 4, || after.push(tokenizer.vocabulary(), &ids, &mut bytes))?;
        let text = decode_text(py, &bytes, &self.errors)?;
        *stream = after;
        Ok(text)
    }

    /// End the text: return what is held back, which no further byte can make a character. The stream is then empty.
    ///
    /// Returns
    /// -------
    /// str
    ///
    /// Raises
    /// ------
    /// UnicodeDecodeError
    ///     Bytes are held back and `errors` is "strict"; the stream is empty all the same.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").decode_stream()
    /// >>> stream.push(12520), stream.flush()
    /// (' ', '�')
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut bytes = Vec::new();
        lock(&self.stream)?.flush(&mut bytes);
        decode_text(py, &bytes, &self.errors)
    }
}

/// The token ids of a text that grows, exact after every step; made by `Tokenizer.encode_stream`.
///
/// The text so far is held as its ids; only its end, which further text may change, is encoded again with each step. With a
/// preset that is mostly a word or two, and as much as the longest special token that is allowed. Where nothing
/// proves that ids are final, as in a single run of letters or with a pattern that is no preset, it is the whole text.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct EncodeStream {
    tokenizer: Py<PyTokenizer>,
    surrogates: Surrogates,
    stream: Mutex<ask::EncodeStream>,
}

impl EncodeStream {
    pub(crate) fn new(tokenizer: Py<PyTokenizer>, allowed: &Names, surrogates: Surrogates) -> PyResult<Self> {
        let core = &tokenizer.get().tokenizer;
        let stream = convert::specials(core, allowed, &Names::NONE)
            .and_then(|specials| ask::EncodeStream::new(core, specials))
            .map_err(|error| to_python(&error))?;
        Ok(Self { tokenizer, surrogates, stream: Mutex::new(stream) })
    }
}

#[pymethods]
impl EncodeStream {
    /// Add to the end of the text.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    ///     A character may come in parts, as bytes.
    ///
    /// Raises
    /// ------
    /// UnicodeEncodeError
    ///     The text holds a lone surrogate and `errors` is "strict"; the stream is as before.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").encode_stream()
    /// >>> stream.append("hello")
    /// >>> stream.append(b" world")
    /// >>> stream.ids()
    /// [31373, 995]
    fn append(&self, text: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = convert::text(text, self.surrogates)?;
        let PyTokenizer { tokenizer, pool, .. } = self.tokenizer.get();
        let stream = &mut *lock(&self.stream)?;
        run_interruptible(text.py(), bytes.len(), |interrupt| {
            stream.append(tokenizer, &mut pool.lend(), &bytes, interrupt)
        })
    }

    /// Take back the end of the text.
    ///
    /// Parameters
    /// ----------
    /// n : int
    ///     How many characters: ``len(text)`` for a `str` that was appended last. Where bytes were appended that are not
    ///     UTF-8, those of the whole text decoded with ``errors="replace"``.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     The text has fewer characters; the stream is as before.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").encode_stream()
    /// >>> stream.append("hello world")
    /// >>> stream.rollback(len(" world"))
    /// >>> stream.ids()
    /// [31373]
    fn rollback(&self, py: Python<'_>, n: usize) -> PyResult<()> {
        let PyTokenizer { tokenizer, pool, .. } = self.tokenizer.get();
        let stream = &mut *lock(&self.stream)?;
        run_interruptible(py, n, |interrupt| stream.rollback(tokenizer, &mut pool.lend(), n, interrupt))
    }

    /// Return the token ids of the text so far.
    ///
    /// Parameters
    /// ----------
    /// start : int, default 0
    ///     Leave out this many from the beginning: those that are known, and were stable.
    ///
    /// Returns
    /// -------
    /// list of int
    ///     As `encode` gives them for the whole text.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").encode_stream()
    /// >>> stream.append("hello world")
    /// >>> stream.ids(), stream.ids(1)
    /// ([31373, 995], [995])
    #[pyo3(signature = (start=0))]
    fn ids<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyList>> {
        let stream = lock(&self.stream)?;
        self.tokenizer.get().list(py, stream.ids().get(start..).unwrap_or_default())
    }

    /// How many of the ids no further text can change; `rollback` can.
    #[getter]
    fn n_stable(&self) -> PyResult<usize> {
        Ok(lock(&self.stream)?.n_stable())
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(lock(&self.stream)?.ids().len())
    }
}

fn lock<T>(stream: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    stream.try_lock().map_err(|_| PyRuntimeError::new_err("this stream is in use by another thread"))
}
