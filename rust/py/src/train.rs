//! Counting and training, with progress and Ctrl-C.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytepair_core::train::{self, Progress, Stage, Tie, TrainOptions};
use bytepair_core::{Error, Tokenizer};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::convert::{self, Surrogates};
use crate::engine::Engine;
use crate::errors::{run, to_python};
use crate::tokenizer::threads;

/// How often a program that watches hears of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// The pretokens of a corpus and how often each occurs.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Counts {
    counts: Mutex<train::Counts>,
}

/// Answers Ctrl-C and reports progress while the core works without the GIL.
struct Watch<'a> {
    callback: Option<&'a Py<PyAny>>,
    /// What was done before this piece of work, and what all pieces come to; `None` where this is all of it.
    piece: Option<(u64, Option<u64>)>,
    reported: Option<Instant>,
    /// What the caller is to see instead of the core's "interrupted".
    raised: Option<PyErr>,
}

impl<'a> Watch<'a> {
    fn new(callback: Option<&'a Py<PyAny>>, piece: Option<(u64, Option<u64>)>) -> Self {
        Self { callback, piece, reported: None, raised: None }
    }

    fn poll(&mut self, progress: Progress) -> bytepair_core::Result<()> {
        let asked = Python::attach(|py| {
            py.check_signals()?;
            let Some(callback) = self.callback else { return Ok(()) };
            if self.reported.is_some_and(|reported| reported.elapsed() < REPORT_EVERY) {
                return Ok(());
            }
            self.reported = Some(Instant::now());
            let stage = match progress.stage {
                Stage::Counting => "counting",
                Stage::Merging => "merging",
            };
            let (before, total) = self.piece.unwrap_or((0, progress.total));
            callback.call1(py, (stage, before + progress.done, total)).map(drop)
        });
        asked.map_err(|error| {
            self.raised = Some(error);
            Error::interrupted()
        })
    }

    /// Runs work that polls this watch.
    fn run<T: Send>(
        mut self,
        py: Python<'_>,
        work: impl FnOnce(train::Checkpoint<'_>) -> bytepair_core::Result<T> + Send,
    ) -> PyResult<T> {
        let done = run(py, usize::MAX, || work(&mut |progress| self.poll(progress)));
        match self.raised {
            Some(error) => Err(error),
            None => done,
        }
    }
}

#[pymethods]
impl Counts {
    #[new]
    fn new(pattern: &Bound<'_, PyAny>, special_tokens: Vec<String>) -> PyResult<Self> {
        let pretokenizer = convert::pattern(pattern)?;
        let counts = train::Counts::new(pretokenizer, special_tokens).map_err(|error| to_python(&error))?;
        Ok(Self { counts: Mutex::new(counts) })
    }

    /// Count documents; `first` is the index of the first in the corpus, for what goes wrong, and `before` the bytes
    /// counted before, for progress.
    fn add_documents(
        &self,
        documents: &Bound<'_, PyAny>,
        first: usize,
        num_threads: Option<usize>,
        progress: Option<Py<PyAny>>,
        before: u64,
    ) -> PyResult<()> {
        let num_threads = threads(num_threads)?;
        let items = convert::items(documents)?;
        let texts = convert::texts(&items, Surrogates::Strict, first)?;
        let slices: Vec<&[u8]> = texts.iter().map(AsRef::as_ref).collect();
        let counts = &mut *self.lock()?;
        Watch::new(progress.as_ref(), Some((before, None)))
            .run(documents.py(), |checkpoint| counts.add_documents(&slices, num_threads, checkpoint))
    }

    /// Count a file, read in blocks; for progress, `before` are the bytes of the files before and `total` those of all.
    fn add_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        num_threads: Option<usize>,
        progress: Option<Py<PyAny>>,
        before: u64,
        total: Option<u64>,
    ) -> PyResult<()> {
        let num_threads = threads(num_threads)?;
        let counts = &mut *self.lock()?;
        Watch::new(progress.as_ref(), Some((before, total)))
            .run(py, |checkpoint| counts.add_file(&path, num_threads, checkpoint))
    }

    /// Learn merges: the tokenizer and the fields of its `TrainingReport`.
    fn train<'py>(
        &self,
        py: Python<'py>,
        max_merges: usize,
        tie: &str,
        min_frequency: u64,
        max_token_length: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Engine, Bound<'py, PyDict>)> {
        let tie = match tie {
            "hf" => Tie::HuggingFace,
            "id" => Tie::Id,
            "bytes" => Tie::Bytes,
            other => return Err(PyValueError::new_err(format!("tie must be 'hf', 'id' or 'bytes', not {other:?}"))),
        };
        let options = TrainOptions { max_merges, tie, min_frequency, max_token_length };
        let counts = &*self.lock()?;
        let (trained, engine) = Watch::new(progress.as_ref(), None).run(py, |checkpoint| {
            let trained = train::train(counts, &options, checkpoint)?;
            let definition = trained.definition(counts.pretokenizer(), counts.special_tokens())?;
            Ok((trained, Engine(Arc::new(Tokenizer::new(definition)?))))
        })?;
        let report = PyDict::new(py);
        report.set_item("stop_reason", trained.stop().to_string())?;
        report.set_item("n_documents", counts.n_documents())?;
        report.set_item("n_bytes", counts.total_bytes())?;
        report.set_item("n_pretokens", counts.total_pretokens())?;
        report.set_item("n_distinct_pretokens", counts.len())?;
        report.set_item("n_tokens", PyTuple::new(py, trained.n_tokens())?)?;
        Ok((engine, report))
    }
}

impl Counts {
    fn lock(&self) -> PyResult<MutexGuard<'_, train::Counts>> {
        self.counts.try_lock().map_err(|_| PyRuntimeError::new_err("these counts are in use by another thread"))
    }
}
