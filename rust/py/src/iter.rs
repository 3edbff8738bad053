//! The ids of texts that come one by one, encoded a batch at a time.

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::Mutex;

use bytepair_core::{Batch, Text, keep_ids};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};

use crate::arrow::{self, Column};
use crate::convert::{self, Names, Surrogates};
use crate::errors::{run_interruptible, to_python};
use crate::tokenizer::PyTokenizer;

/// A first batch has about this many bytes, so that the first ids come soon.
const MIN_BATCH: usize = 1 << 17;

/// And each twice as many as the one before, up to this.
const MAX_BATCH: usize = 1 << 22;

/// What a text counts besides its bytes: many empty ones are a batch too.
const TEXT: usize = 64;

/// Gives the ids of texts in order; made by `Tokenizer.encode_iter`.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct EncodeIterator {
    tokenizer: Py<PyTokenizer>,
    num_threads: Option<NonZero<usize>>,
    allowed: Names,
    disallowed: Names,
    surrogates: Surrogates,
    state: Mutex<State>,
}

/// What is still to be given.
struct State {
    source: Source,
    /// The index of the next text that is taken from the source.
    n_taken: usize,
    batch_bytes: usize,
    ready: Batch,
    /// How many texts of `ready` were given, and ids.
    n_given: usize,
    n_ids_given: usize,
    /// What to raise when all of `ready` is given.
    error: Option<PyErr>,
}

/// Where texts come from.
enum Source {
    Items(Py<PyIterator>),
    /// The chunks of an Arrow array that are left, the next one last, and how many texts of that were taken.
    Chunks(Vec<Py<PyAny>>, usize),
    End,
}

impl EncodeIterator {
    pub(crate) fn new(
        tokenizer: Py<PyTokenizer>,
        texts: &Bound<'_, PyAny>,
        num_threads: Option<NonZero<usize>>,
        allowed: Names,
        disallowed: Names,
        surrogates: Surrogates,
    ) -> PyResult<Self> {
        let source = match arrow::chunks(texts)? {
            Some(chunks) => Source::Chunks(chunks.into_iter().rev().map(Bound::unbind).collect(), 0),
            None => {
                convert::refuse_text(texts)?;
                Source::Items(texts.try_iter()?.unbind())
            }
        };
        let state = State {
            source,
            n_taken: 0,
            batch_bytes: MIN_BATCH,
            ready: Batch::default(),
            n_given: 0,
            n_ids_given: 0,
            error: None,
        };
        Ok(Self { tokenizer, num_threads, allowed, disallowed, surrogates, state: Mutex::new(state) })
    }

    /// Takes the next texts from the source and encodes them.
    fn refill(&self, py: Python<'_>, state: &mut State) -> PyResult<()> {
        let first = state.n_taken;
        let (items, column);
        let mut texts: Vec<Cow<'_, [u8]>> = match &state.source {
            Source::End => return Ok(()),
            Source::Items(_) => {
                items = state.take_items(py);
                let mut texts = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    match convert::text(item, self.surrogates) {
                        Ok(text) => texts.push(text),
                        Err(error) => {
                            state.fail(convert::noted(py, error, first + index));
                            break;
                        }
                    }
                }
                texts
            }
            Source::Chunks(..) => {
                column = state.take_column(py)?;
                column.iter().flat_map(Column::texts).map(Cow::Borrowed).collect()
            }
        };
        state.batch_bytes = (2 * state.batch_bytes).min(MAX_BATCH);
        keep_ids(std::mem::take(&mut state.ready).ids);
        (state.n_given, state.n_ids_given) = (0, 0);
        let encode = |texts: &[Cow<'_, [u8]>]| {
            let slices: Vec<Text<'_>> = texts.iter().map(|text| Text::Bytes(text)).collect();
            let PyTokenizer { tokenizer, pool, .. } = self.tokenizer.get();
            run_interruptible(py, slices.iter().map(|text| text.len()).sum(), |interrupt| {
                let specials = convert::specials(tokenizer, &self.allowed, &self.disallowed)?;
                Ok(tokenizer.encode_batch_with(pool, &slices, &specials, interrupt, self.num_threads))
            })
        };
        state.ready = match encode(&texts)? {
            Ok(batch) => batch,
            Err((index, error)) => {
                state.fail(convert::noted(py, to_python(&error), first + index));
                texts.truncate(index);
                encode(&texts)?.map_err(|(_, error)| to_python(&error))?
            }
        };
        Ok(())
    }
}

impl State {
    /// Ends the source with an error, to be raised when what came before is given. An earlier text's error comes first.
    fn fail(&mut self, error: PyErr) {
        self.error = Some(error);
        self.source = Source::End;
    }

    fn take_items<'py>(&mut self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        let (mut items, mut n_bytes) = (Vec::new(), 0);
        let Source::Items(source) = &self.source else { return items };
        let mut source = source.bind(py).clone();
        while n_bytes < self.batch_bytes {
            match source.next() {
                Some(Ok(item)) => {
                    n_bytes += TEXT + item.len().unwrap_or(0);
                    items.push(item);
                }
                Some(Err(error)) => {
                    self.fail(error);
                    break;
                }
                None => {
                    self.source = Source::End;
                    break;
                }
            }
        }
        self.n_taken += items.len();
        items
    }

    /// Takes texts from the next chunk that has any.
    fn take_column<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Column<'py>>> {
        let Source::Chunks(chunks, n_taken) = &mut self.source else { return Ok(None) };
        while let Some(chunk) = chunks.last() {
            let chunk = chunk.bind(py);
            let n_texts = chunk.len()?;
            if *n_taken == n_texts {
                chunks.pop();
                *n_taken = 0;
                continue;
            }
            let each = TEXT + chunk.getattr("nbytes")?.extract::<usize>()? / n_texts;
            let length = (self.batch_bytes / each).clamp(1, n_texts - *n_taken);
            let mut part = chunk.call_method1("slice", (*n_taken, length))?;
            *n_taken += length;
            let first = self.n_taken;
            self.n_taken += length;
            // A null ends the texts; those before it are still given.
            if let Some(index) = arrow::first_null(&part)? {
                self.fail(arrow::null(py, first + index));
                part = part.call_method1("slice", (0, index))?;
            }
            let column = Column::new(&part, first)?;
            return Ok(Some(column));
        }
        self.source = Source::End;
        Ok(None)
    }
}

#[pymethods]
impl EncodeIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let busy = |_| PyRuntimeError::new_err("this iterator is in use by another thread, or by its own texts");
        let state = &mut *self.state.try_lock().map_err(busy)?;
        loop {
            if let Some(&end) = state.ready.ends.get(state.n_given) {
                let ids = state.ready.ids.get(state.n_ids_given..end).unwrap_or_default();
                let list = self.tokenizer.get().list(py, ids)?;
                (state.n_given, state.n_ids_given) = (state.n_given + 1, end);
                return Ok(Some(list));
            }
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if matches!(state.source, Source::End) {
                return Ok(None);
            }
            if let Err(error) = self.refill(py, state) {
                state.source = Source::End;
                return Err(error);
            }
        }
    }
}
