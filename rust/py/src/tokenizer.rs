//! The methods of a tokenizer that work on text and ids.

use std::num::NonZero;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bytepair_core::{Batch, ErrorKind, Scratch, ScratchPool, Text, Tokenizer, keep_ids};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PyMemoryView, PyString};

use crate::arrays::{Dtype, LONG_LIST, detached};
use crate::arrow::Texts;
use crate::buffer::{Buffer, Items};
use crate::characters;
use crate::convert::{self, Names, Surrogates};
use crate::engine::Engine;
use crate::errors::{check_room, collect, give_way, guarded, run, run_interruptible, to_python};

/// The part of `bytepair.Tokenizer` that is written in Rust. Immutable; safe to share between threads.
#[pyclass(frozen, subclass, name = "Tokenizer", module = "bytepair._core")]
pub(crate) struct PyTokenizer {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) pool: ScratchPool,
    /// The Python `int` of each id, up to the highest that was ever needed, and made when first needed: a list of ids then takes
    /// a count each, not an object.
    ints: Mutex<Vec<Option<Py<PyInt>>>>,
}

/// Bytes that cannot be more than this are decoded before they are copied; more of them are written where they belong, in two passes.
const MOST_HELD_TWICE: usize = 1 << 24;

/// Lists of up to this many items are made of their full length.
const LISTED_AT_ONCE: usize = 1 << 22;

/// A copy of bytes, which may not find room.
pub(crate) fn python_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, bytes.len(), |copy| {
        copy.copy_from_slice(bytes);
        Ok(())
    })
}

pub(crate) fn decode_text<'py>(py: Python<'py>, bytes: &[u8], errors: &str) -> PyResult<Bound<'py, PyString>> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => characters::string(py, text),
        Err(_) => {
            let bytes = python_bytes(py, bytes)?;
            Ok(bytes.call_method1("decode", ("utf-8", errors))?.cast_into::<PyString>()?)
        }
    }
}

impl PyTokenizer {
    /// Encodes a text and hands the ids, which lie in a buffer of the pool, to `finish`.
    fn encode_ids<T>(
        &self,
        text: &Bound<'_, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
        finish: impl FnOnce(&mut Vec<u32>) -> PyResult<T>,
    ) -> PyResult<T> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let disallowed = Names::parse(disallowed_special, "disallowed_special")?;
        let encodable = convert::encodable(text, Surrogates::parse(errors)?)?;
        let characters = encodable.text();
        let mut scratch = self.pool.lend();
        let mut ids = scratch.take_ids_for(characters.len());
        let encoded = run_interruptible(text.py(), characters.len(), |interrupt| {
            let specials = convert::specials(&self.tokenizer, &allowed, &disallowed)?;
            Ok(self.tokenizer.encode_characters(&mut scratch, characters, &specials, interrupt, &mut ids))
        })?;
        encoded.map_err(|error| convert::text_error(text, &error))?;
        let finished = guarded(|| finish(&mut ids));
        scratch.give_ids(ids);
        finished
    }

    fn batch_ids(
        &self,
        texts: &Bound<'_, PyAny>,
        num_threads: Option<usize>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<Batch> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let disallowed = Names::parse(disallowed_special, "disallowed_special")?;
        let surrogates = Surrogates::parse(errors)?;
        let num_threads = threads(num_threads)?;
        let batch = Texts::new(texts)?;
        let encodable = batch.each(0, |text| convert::encodable(text, surrogates))?;
        let slices = collect(encodable.iter().map(|text| Ok(text.text())), "the texts of a batch")?;
        let n_bytes = slices.iter().map(|text| text.len()).sum();
        let encoded = run_interruptible(texts.py(), n_bytes, |interrupt| {
            let specials = convert::specials(&self.tokenizer, &allowed, &disallowed)?;
            Ok(self.tokenizer.encode_batch_with(&self.pool, &slices, &specials, interrupt, num_threads))
        })?;
        encoded.map_err(|(index, error)| batch.error(texts.py(), index, &error))
    }

    pub(crate) fn list<'py>(&self, py: Python<'py>, ids: &[u32]) -> PyResult<Bound<'py, PyList>> {
        if ids.len() <= LONG_LIST {
            return self.short_list(py, ids);
        }
        check_room(ids.len() * size_of::<usize>(), "the list of ids")?;
        // While it grows, a list of up to 32 MiB may be held twice, so it begins with that length; a longer one is moved
        // without a copy. It is whole at any moment, should another thread come upon it.
        let at_once = ids.len().min(LISTED_AT_ONCE);
        let list = PyList::new(py, [py.None()])?.as_sequence().repeat(at_once)?.cast_into::<PyList>()?;
        for (part, start) in ids.chunks(LONG_LIST).zip((0..).step_by(LONG_LIST)) {
            list.set_slice(start, start + part.len(), self.short_list(py, part)?.as_any())?;
            give_way(py)?;
        }
        Ok(list)
    }

    fn short_list<'py>(&self, py: Python<'py>, ids: &[u32]) -> PyResult<Bound<'py, PyList>> {
        // Very short ones need no asking: what is left then is too little for Python itself.
        if ids.len() > 1 << 12 {
            check_room(ids.len() * size_of::<usize>(), "the list of ids")?;
        }
        // Never waits: another thread has the lock only in a free-threaded build, or had it when this process was forked.
        let Ok(mut ints) = self.ints.try_lock() else { return PyList::new(py, ids) };
        let highest = ids.iter().max().and_then(|&id| usize::try_from(id).ok()).unwrap_or(0);
        if highest >= ints.len() {
            let n_ids = self.tokenizer.vocabulary().n_ids();
            ints.resize_with((highest + 1).next_power_of_two().min(n_ids), || None);
        }
        PyList::new(
            py,
            ids.iter().map(|&id| match usize::try_from(id).ok().and_then(|index| ints.get_mut(index)) {
                Some(int) => int.get_or_insert_with(|| PyInt::new(py, id).unbind()).bind(py).clone(),
                None => PyInt::new(py, id),
            }),
        )
    }

    /// Hands ids, which lie in a buffer of the pool, to `finish`.
    fn with_ids<T>(
        &self,
        ids: &Bound<'_, PyAny>,
        finish: impl FnOnce(&mut Scratch, &[u32]) -> PyResult<T>,
    ) -> PyResult<T> {
        let mut scratch = self.pool.lend();
        let buffer = scratch.take_ids_for(ids.len().unwrap_or_default());
        let ids = convert::ids(ids, self.tokenizer.vocabulary().n_ids(), buffer)?;
        let finished = guarded(|| finish(&mut scratch, &ids));
        scratch.give_ids(ids);
        finished
    }

    /// Hands the bytes of ids, which lie in a buffer of the scratch, to `finish`.
    fn decoded<T>(
        &self,
        py: Python<'_>,
        scratch: &mut Scratch,
        ids: &[u32],
        finish: impl FnOnce(&[u8]) -> PyResult<T>,
    ) -> PyResult<T> {
        let mut bytes = scratch.take_bytes();
        let n_bytes = run(py, ids.len() * 4, || self.tokenizer.decode_over(ids, &mut bytes))?;
        let finished = finish(bytes.get(..n_bytes).unwrap_or_default());
        scratch.give_bytes(bytes);
        finished
    }
}

/// A number of threads; zero is refused, None means one for each processor.
pub(crate) fn threads(num_threads: Option<usize>) -> PyResult<Option<NonZero<usize>>> {
    let zero = || PyValueError::new_err("num_threads must be at least 1, or None for one per processor");
    num_threads.map(|threads| NonZero::new(threads).ok_or_else(zero)).transpose()
}

#[pymethods]
impl PyTokenizer {
    #[new]
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { tokenizer: Arc::clone(&engine.0), pool: ScratchPool::default(), ints: Mutex::default() }
    }

    /// Return the token ids of a text.
    ///
    /// Special tokens in the text are plain text unless allowed, so no text can forge a control id. Of special
    /// tokens that start at the same place, the longest wins.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    ///     Bytes need not be UTF-8: what is not is kept, and decodes to the same bytes.
    /// allowed_special : "all" or iterable of str, default ()
    ///     Special tokens that are encoded as their ids.
    /// disallowed_special : "all" or iterable of str, default ()
    ///     Special tokens that raise where they occur and are not allowed.
    /// errors : {"strict", "replace"}, default "strict"
    ///     What to do with lone surrogates: raise, or put U+FFFD.
    ///
    /// Returns
    /// -------
    /// list of int
    ///
    /// Raises
    /// ------
    /// SpecialTokenError
    ///     A disallowed special token occurs, or a name given is no special token.
    /// MissingByteError
    ///     The text holds a byte that the vocabulary lacks, as some that were read from files do.
    /// UnicodeEncodeError
    ///     The text holds a lone surrogate.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes and a fixed vocabulary and pattern, whatever the text.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.encode("hello world")
    /// [31373, 995]
    /// >>> gpt2.encode("<|endoftext|>", allowed_special="all")
    /// [50256]
    /// >>> len(gpt2.encode("<|endoftext|>"))
    /// 7
    #[pyo3(signature = (text, *, allowed_special=None, disallowed_special=None, errors="strict"))]
    fn encode<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        self.encode_ids(text, allowed_special, disallowed_special, errors, |ids| self.list(text.py(), ids))
    }

    /// The ids of a text as an array of NumPy.
    fn _encode_to_array<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        dtype: &str,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let dtype = Dtype::parse(dtype, self.tokenizer.vocabulary().n_ids())?;
        self.encode_ids(text, allowed_special, disallowed_special, errors, |ids| dtype.array(text.py(), ids))
    }

    /// Return the token ids of each of many texts.
    ///
    /// Parameters
    /// ----------
    /// texts : iterable of str or bytes-like
    /// num_threads : int, optional
    ///     Threads to use; by default one for each processor, fewer for little text. The ids do not depend on it.
    /// allowed_special, disallowed_special, errors
    ///     As for `encode`.
    ///
    /// Returns
    /// -------
    /// list of list of int
    ///
    /// Raises
    /// ------
    /// SpecialTokenError, UnicodeEncodeError
    ///     As for `encode`, with a note that gives the index of the text.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes in all, whatever the texts.
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").encode_batch(["hello", " world", ""])
    /// [[31373], [995], []]
    #[pyo3(signature = (texts, *, num_threads=None, allowed_special=None, disallowed_special=None, errors="strict"))]
    fn encode_batch<'py>(
        &self,
        texts: &Bound<'py, PyAny>,
        num_threads: Option<usize>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let batch = self.batch_ids(texts, num_threads, allowed_special, disallowed_special, errors)?;
        let lists = PyList::empty(texts.py());
        // Asked for at once: each list alone may be too small to ask for.
        const BYTES_A_LIST: usize = 64;
        check_room(batch.ids.len() * size_of::<usize>() + batch.ends.len() * BYTES_A_LIST, "the lists of ids")?;
        let made = guarded(|| {
            let mut start = 0;
            for &end in &batch.ends {
                lists.append(self.list(texts.py(), batch.ids.get(start..end).unwrap_or_default())?)?;
                start = end;
            }
            Ok(lists)
        });
        keep_ids(batch.ids);
        made
    }

    /// The ids of many texts as the bytes of an array, and where each text ends as the bytes of another.
    #[pyo3(signature = (texts, dtype, *, num_threads=None, allowed_special=None, disallowed_special=None, errors="strict"))]
    fn _encode_batch_to_buffers<'py>(
        &self,
        texts: &Bound<'py, PyAny>,
        dtype: &str,
        num_threads: Option<usize>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<(Bound<'py, PyMemoryView>, Bound<'py, PyMemoryView>)> {
        let py = texts.py();
        let dtype = Dtype::parse(dtype, self.tokenizer.vocabulary().n_ids())?;
        let mut batch = self.batch_ids(texts, num_threads, allowed_special, disallowed_special, errors)?;
        let offsets = std::iter::once(0).chain(batch.ends.iter().copied());
        let offsets = collect(offsets.map(Ok), "the offsets of a batch")?;
        let offsets = detached(py, &offsets, |&offset| AtomicU64::new(u64::try_from(offset).unwrap_or(u64::MAX)))?;
        let made = guarded(|| {
            Ok((dtype.view(py, &mut batch.ids)?, PyMemoryView::from(Buffer::new(py, Items::Eight(offsets))?.as_any())?))
        });
        keep_ids(batch.ids);
        made
    }

    /// Return how many tokens a text has, without building their ids.
    ///
    /// Special tokens are plain text unless allowed, and never raise.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    /// limit : int, optional
    ///     Stop soon after this many tokens.
    /// allowed_special : "all" or iterable of str, default ()
    ///     Special tokens that count as one token.
    ///
    /// Returns
    /// -------
    /// int or None
    ///     None where the text has more than `limit` tokens.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes, whatever the text.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.count("hello world")
    /// 2
    /// >>> gpt2.count("hello world", limit=1) is None
    /// True
    #[pyo3(signature = (text, *, limit=None, allowed_special=None))]
    fn count(
        &self,
        text: &Bound<'_, PyAny>,
        limit: Option<usize>,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<usize>> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let limit = limit.unwrap_or(usize::MAX);
        let count = |text: Text<'_>, py| {
            run_interruptible(py, text.len(), |interrupt| {
                let specials = convert::specials(&self.tokenizer, &allowed, &Names::NONE)?;
                Ok(self.tokenizer.count_characters(&mut self.pool.lend(), text, &specials, limit, interrupt))
            })
        };
        let py = text.py();
        let counted = count(convert::encodable(text, Surrogates::Strict)?.text(), py)?;
        match counted {
            // A lone surrogate counts as the U+FFFD that `errors="replace"` makes of it: counting never raises on a str.
            Err(error) if matches!(error.kind(), ErrorKind::Surrogate { .. }) => {
                count(Text::Bytes(&convert::text(text, Surrogates::Replace)?), py)?.map_err(|error| to_python(&error))
            }
            counted => counted.map_err(|error| to_python(&error)),
        }
    }

    /// Return the text of token ids.
    ///
    /// Parameters
    /// ----------
    /// ids : sequence of int, or one-dimensional integer array
    /// errors : {"replace", "strict", "ignore", ...}, default "replace"
    ///     What to do where the bytes are not UTF-8, as in `bytes.decode`: ids cut from the middle of a text may
    ///     begin or end inside a character.
    ///
    /// Returns
    /// -------
    /// str
    ///
    /// Raises
    /// ------
    /// TokenIdError
    ///     An id stands for no token.
    /// UnicodeDecodeError
    ///     The bytes are not UTF-8 and `errors` is "strict".
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").decode([31373, 995])
    /// 'hello world'
    #[pyo3(signature = (ids, errors="replace"))]
    fn decode<'py>(&self, ids: &Bound<'py, PyAny>, errors: &str) -> PyResult<Bound<'py, PyString>> {
        let py = ids.py();
        self.with_ids(ids, |scratch, ids| self.decoded(py, scratch, ids, |bytes| decode_text(py, bytes, errors)))
    }

    /// Return the bytes of token ids.
    ///
    /// Parameters
    /// ----------
    /// ids : sequence of int, or one-dimensional integer array
    ///
    /// Returns
    /// -------
    /// bytes
    ///
    /// Raises
    /// ------
    /// TokenIdError
    ///     An id stands for no token.
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").decode_bytes([31373, 995])
    /// b'hello world'
    fn decode_bytes<'py>(&self, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let py = ids.py();
        self.with_ids(ids, |scratch, ids| {
            if ids.len().saturating_mul(self.tokenizer.vocabulary().longest()) <= MOST_HELD_TWICE {
                return self.decoded(py, scratch, ids, |bytes| python_bytes(py, bytes));
            }
            let n_bytes = run(py, ids.len() * 4, || self.tokenizer.decoded_length(ids))?;
            PyBytes::new_with(py, n_bytes, |out| {
                run(py, ids.len() * 4, || {
                    self.tokenizer.decode_to(ids, out);
                    Ok(())
                })
            })
        })
    }

    /// Return the texts of many lists of token ids.
    ///
    /// Parameters
    /// ----------
    /// batch : iterable of sequences of int or integer arrays
    /// errors : str, default "replace"
    ///     As for `decode`.
    ///
    /// Returns
    /// -------
    /// list of str
    ///
    /// Raises
    /// ------
    /// TokenIdError, UnicodeDecodeError
    ///     As for `decode`, with a note that gives the index of the list.
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").decode_batch([[31373], [995], []])
    /// ['hello', ' world', '']
    #[pyo3(signature = (batch, errors="replace"))]
    fn decode_batch<'py>(&self, batch: &Bound<'py, PyAny>, errors: &str) -> PyResult<Bound<'py, PyList>> {
        let texts = PyList::empty(batch.py());
        for (index, ids) in batch.try_iter()?.enumerate() {
            let ids = ids?;
            if ids.is_instance_of::<PyInt>() {
                let message = format!("the item at index {index} is an int, not a list of ids; pass [ids]");
                return Err(PyTypeError::new_err(message));
            }
            let text = self.decode(&ids, errors).map_err(|error| convert::noted(batch.py(), error, index))?;
            texts.append(text)?;
        }
        Ok(texts)
    }
}
