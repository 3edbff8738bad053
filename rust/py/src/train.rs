//! Training, with progress and Ctrl-C.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytepair_core::train::{self, Progress, Stage, Tie, TrainOptions};
use bytepair_core::{Error, Symbol, Tokenizer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::counts::Counts;
use crate::engine::{Engine, LONG};
use crate::errors::{collect, run, run_interruptible};
use crate::tokenizer::PyTokenizer;

/// How often a program that watches hears of progress.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// One training run: its options, checked before anything is read.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Trainer {
    counts: Py<Counts>,
    options: TrainOptions,
    progress: Option<Py<PyAny>>,
}

/// What is done of a stage, and what of it a program that watches has heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) done: u64,
    last: Option<(u64, Instant)>,
}

/// Answers Ctrl-C and reports progress while the core works without the GIL.
pub(crate) struct Watch<'a> {
    callback: Option<&'a Py<PyAny>>,
    total: Option<u64>,
    /// What was done of the stage before this piece of work.
    before: u64,
    heard: &'a mut Heard,
    saver: Option<Saver>,
    /// What the caller is to see instead of the core's "interrupted".
    raised: Option<PyErr>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(callback: Option<&'a Py<PyAny>>, total: Option<u64>, heard: &'a mut Heard) -> Self {
        Self { callback, total, before: heard.done, heard, saver: None, raised: None }
    }

    fn poll(&mut self, progress: Progress<'_>) -> bytepair_core::Result<()> {
        #[cfg(feature = "defects")]
        crate::defects::strike();
        self.heard.done = self.before + progress.done;
        let asked = Python::attach(|py| {
            py.check_signals()?;
            // The end of a stage is told at once: there is no later report to tell it.
            let at_end = self.total == Some(self.heard.done);
            let recent =
                |(done, at): (u64, Instant)| at.elapsed() < REPORT_EVERY && (!at_end || done == self.heard.done);
            if !self.heard.last.is_some_and(recent) {
                self.tell(py, progress.stage)?;
            }
            self.saver.as_mut().map_or(Ok(()), |saver| saver.save_if_due(py, progress.merges))
        });
        asked.map_err(|error| {
            let saver = self.saver.as_mut();
            Python::attach(|py| saver.map_or(Ok(()), |saver| saver.save_at_last(py, progress.merges, &error)))
                .unwrap_or_else(|failed| self.raised = Some(failed));
            self.raised.get_or_insert(error);
            Error::interrupted()
        })
    }

    /// Reports where the work stands.
    fn tell(&mut self, py: Python<'_>, stage: Stage) -> PyResult<()> {
        let Some(callback) = self.callback else { return Ok(()) };
        self.heard.last = Some((self.heard.done, Instant::now()));
        let stage = match stage {
            Stage::Counting => "counting",
            Stage::Merging => "merging",
        };
        callback.call1(py, (stage, self.heard.done, self.total)).map(drop)
    }

    /// Ends a stage: reports where it ended, unless that was the last report.
    pub(crate) fn end(mut self, py: Python<'_>, stage: Stage) -> PyResult<()> {
        let told = self.heard.last.is_some_and(|(done, _)| done == self.heard.done);
        if told { Ok(()) } else { self.tell(py, stage) }
    }

    /// Runs work that polls this watch.
    pub(crate) fn run<T: Send>(
        &mut self,
        py: Python<'_>,
        work: impl FnOnce(train::Checkpoint<'_>) -> bytepair_core::Result<T> + Send,
    ) -> PyResult<T> {
        let done = run(py, usize::MAX, || work(&mut |progress| self.poll(progress)));
        match self.raised.take() {
            Some(error) => Err(error),
            None => done,
        }
    }
}

/// Hands the merges made so far to a program that keeps them.
struct Saver {
    save: Py<PyAny>,
    every: Duration,
    last: Instant,
    has_failed: bool,
    /// So many are kept already: fewer would not replace them.
    n_kept: usize,
}

impl Saver {
    fn new((save, seconds): (Py<PyAny>, f64), n_kept: usize) -> PyResult<Self> {
        let every = Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { save, every, last: Instant::now(), has_failed: false, n_kept })
    }

    fn save(&mut self, py: Python<'_>, merges: &[Merge]) -> PyResult<()> {
        if merges.len() < self.n_kept {
            return Ok(());
        }
        self.has_failed = true;
        self.save.call1(py, (PyBytes::new(py, &packed(merges)?),))?;
        (self.has_failed, self.last, self.n_kept) = (false, Instant::now(), merges.len());
        Ok(())
    }

    fn save_if_due(&mut self, py: Python<'_>, merges: &[Merge]) -> PyResult<()> {
        if self.last.elapsed() < self.every { Ok(()) } else { self.save(py, merges) }
    }

    /// Saves before an error ends the work; that this fails too is a note to the error.
    fn save_at_last(&mut self, py: Python<'_>, merges: &[Merge], error: &PyErr) -> PyResult<()> {
        if self.has_failed {
            return Ok(());
        }
        self.save(py, merges).or_else(|failed| {
            let note = format!("the last merges could not be saved: {failed}");
            error.value(py).call_method1("add_note", (note,)).map(drop)
        })
    }
}

type Merge = (Symbol, Symbol);

/// Merges as bytes: the number of the left symbol, then of the right one, 32 bits each, the lowest first.
fn packed(merges: &[Merge]) -> PyResult<Vec<u8>> {
    let bytes = merges.iter().flat_map(|&(left, right)| [left, right].map(|symbol| symbol.get().to_le_bytes()));
    collect(bytes.flatten().map(Ok), "the merges")
}

fn unpacked(bytes: &[u8]) -> PyResult<Vec<Merge>> {
    let (merges, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(PyValueError::new_err("merges take eight bytes each"));
    }
    let symbol = |bytes: [u8; 4]| Symbol::new(u32::from_le_bytes(bytes));
    let merge = |&[a, b, c, d, e, f, g, h]: &[u8; 8]| Ok((symbol([a, b, c, d]), symbol([e, f, g, h])));
    collect(merges.iter().map(merge), "the merges")
}

/// How often each token occurs, by id; `frequencies` are by symbol.
fn by_id(tokenizer: &Tokenizer, frequencies: &[u64]) -> Vec<u64> {
    let table = tokenizer.encoder().table();
    let mut counts = vec![0; tokenizer.vocabulary().n_ids()];
    for (index, &frequency) in frequencies.iter().enumerate() {
        let id = u32::try_from(index).ok().map(|number| table.id(Symbol::new(number)));
        if let Some(count) = id.and_then(|id| counts.get_mut(id.index())) {
            *count = frequency;
        }
    }
    counts
}

#[pymethods]
impl Trainer {
    #[new]
    #[pyo3(signature = (counts, *, max_merges, tie, min_frequency, max_token_length, progress))]
    fn new(
        counts: Py<Counts>,
        max_merges: usize,
        tie: &str,
        min_frequency: u64,
        max_token_length: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let tie = match tie {
            "hf" => Tie::HuggingFace,
            "id" => Tie::Id,
            "bytes" => Tie::Bytes,
            other => return Err(PyValueError::new_err(format!("tie must be 'hf', 'id' or 'bytes', not {other:?}"))),
        };
        Ok(Self { counts, options: TrainOptions { max_merges, tie, min_frequency, max_token_length }, progress })
    }

    /// Learn merges, after those of `base` where there is one, and from `start` on: the tokenizer and the fields of its
    /// `TrainingReport`.
    ///
    /// `save` is called with the merges made so far, as `start` takes them: when so many seconds have passed, before an
    /// exception ends the work, and at the end; but never with fewer merges than those of `start`.
    ///
    /// With `take`, the counts are taken, and let go as soon as that can be: of no use any more, they would be a large part of
    /// what training needs of memory.
    #[pyo3(signature = (*, take, base=None, start=None, save=None))]
    fn train<'py>(
        &self,
        py: Python<'py>,
        take: bool,
        base: Option<PyRef<'py, PyTokenizer>>,
        start: Option<&[u8]>,
        save: Option<(Py<PyAny>, f64)>,
    ) -> PyResult<(Engine, Bound<'py, PyDict>)> {
        let base = base.map(|base| Arc::clone(&base.tokenizer));
        let mut start = start.map(unpacked).transpose()?;
        let n_kept = start.as_ref().map_or(0, Vec::len);
        let saver = save.map(|save| Saver::new(save, n_kept)).transpose()?;
        let counts = &mut *self.counts.get().lock()?;
        let n_distinct = run_interruptible(py, LONG, |interrupt| {
            counts.settle(interrupt)?;
            counts.n_distinct(interrupt)
        })?;
        let report = PyDict::new(py);
        report.set_item("n_documents", counts.n_documents())?;
        report.set_item("n_bytes", counts.total_bytes())?;
        report.set_item("n_pretokens", counts.total_pretokens())?;
        report.set_item("fraction_bits", counts.fraction_bits())?;
        report.set_item("n_distinct_pretokens", n_distinct)?;
        let total = u64::try_from(self.options.max_merges).ok();
        let heard = &mut Heard::default();
        let mut watch = Watch::new(self.progress.as_ref(), total, heard);
        watch.saver = saver;
        let (trained, engine) = watch.run(py, |checkpoint| {
            let mut start = match (start.take(), &base) {
                (Some(start), _) => start,
                (None, Some(base)) => base.start()?,
                (None, None) => Vec::new(),
            };
            // What was saved may be of a larger vocabulary.
            start.truncate(self.options.max_merges);
            let trained = match take {
                true => train::train_from(counts.take(), &start, &self.options, checkpoint)?,
                false => train::train_from(&*counts, &start, &self.options, checkpoint)?,
            };
            let definition = match &base {
                Some(base) => base.extended(trained.merges())?,
                None => trained.definition(counts.pretokenizer(), counts.special_tokens())?,
            };
            Ok((trained, Engine(Arc::new(Tokenizer::new(definition)?))))
        })?;
        if let Some(saver) = &mut watch.saver {
            saver.save(py, trained.merges())?;
        }
        heard.done = trained.merges().len().try_into().unwrap_or(u64::MAX);
        Watch::new(self.progress.as_ref(), total, heard).end(py, Stage::Merging)?;
        report.set_item("stop_reason", trained.stop().to_string())?;
        report.set_item("n_tokens", PyTuple::new(py, trained.n_tokens())?)?;
        report.set_item("token_counts", PyTuple::new(py, by_id(&engine.0, trained.frequencies()))?)?;
        Ok((engine, report))
    }
}
