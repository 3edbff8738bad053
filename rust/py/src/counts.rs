//! Pretoken counts: made of documents and files, added up, saved.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use bytepair_core::train::{self, Counting, Shard, Stage, Weight};
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString, PyTuple};

use crate::arrow::Texts;
use crate::convert::{self, Surrogates};
use crate::engine::LONG;
use crate::errors::{collect, give_way, run_interruptible, this_thread, to_python};
use crate::tokenizer::threads;
use crate::train::{Heard, Watch};

/// Documents are counted in batches of about this many bytes: large enough to share between threads, small enough that Ctrl-C
/// and progress come between two of them, and that they take little memory besides the counts.
const BATCH_BYTES: usize = 3 << 19;

/// What a document takes of memory in a batch, besides its bytes.
const DOCUMENT_BYTES: usize = 64;

/// What `bytepair.Counts` is made of.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Counts {
    counts: Mutex<train::Counts>,
    /// The thread that locked them last.
    user: AtomicUsize,
}

#[pymethods]
impl Counts {
    #[new]
    fn new(pattern: &Bound<'_, PyAny>, special_tokens: Vec<String>, memory_limit: Option<usize>) -> PyResult<Self> {
        let pretokenizer = convert::pattern(pattern)?;
        let counts = train::Counts::new(pretokenizer, special_tokens).map_err(|error| to_python(&error))?;
        Ok(match memory_limit {
            Some(n_bytes) => counts.with_memory_limit(n_bytes).into(),
            None => counts.into(),
        })
    }

    /// Counts that were saved.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, memory_limit: Option<usize>) -> PyResult<Self> {
        run_interruptible(py, LONG, |interrupt| train::Counts::load(&path, memory_limit, interrupt)).map(Self::from)
    }

    /// From what `to_bytes` gave.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8], memory_limit: Option<usize>) -> PyResult<Self> {
        let path = Path::new("counts");
        run_interruptible(py, LONG, |interrupt| train::Counts::read(data, path, memory_limit, interrupt))
            .map(Self::from)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let counts = &*self.lock()?;
        let bytes = run_interruptible(py, LONG, |interrupt| {
            counts.write(Cursor::new(Vec::new()), Path::new("counts"), interrupt).map(Cursor::into_inner)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Write over the file at `path`.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let counts = &*self.lock()?;
        run_interruptible(py, LONG, |interrupt| counts.save(&path, interrupt))
    }

    /// Add up files of counts, over the file at `out`.
    #[staticmethod]
    fn merge_files(py: Python<'_>, paths: Vec<PathBuf>, out: PathBuf) -> PyResult<()> {
        run_interruptible(py, LONG, |interrupt| train::Counts::merge_files(&paths, &out, interrupt))
    }

    /// Begin to count a corpus, when no other thread uses the counts; with `notes_files` files are known again by their content.
    fn counter(
        slf: Py<Self>,
        py: Python<'_>,
        num_threads: Option<usize>,
        progress: Option<Py<PyAny>>,
        notes_files: bool,
    ) -> PyResult<Counter> {
        let num_threads = threads(num_threads)?;
        let counting = {
            // Large counts make room for what is to come: they are written to disk.
            let counts = &mut *slf.get().wait(py)?;
            run_interruptible(py, LONG, |interrupt| counts.counting(num_threads, notes_files, interrupt))?
        };
        let counting = Mutex::new(Some(Counted { counting, heard: Heard::default(), total: None }));
        Ok(Counter { counts: slf, progress, counting })
    }

    /// Add the counts of `other`.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<()> {
        let other = if slf.is(other) { &other.get().copy()? } else { other.get() };
        let (counts, other) = (&mut *slf.get().lock()?, &*other.lock()?);
        run_interruptible(slf.py(), LONG, |interrupt| counts.merge(other, interrupt))
    }

    /// Multiply every count by `units / 2**fraction_bits`.
    fn scale(&self, py: Python<'_>, units: u64, fraction_bits: u32) -> PyResult<()> {
        let counts = &mut *self.lock()?;
        run_interruptible(py, LONG, |_| counts.scale(Weight::new(units, fraction_bits)))
    }

    fn copy(&self) -> PyResult<Self> {
        Ok(self.lock()?.clone().into())
    }

    /// Whether these are the same counts of the same shards.
    fn is_same(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<bool> {
        if slf.is(other) {
            return Ok(true);
        }
        let (counts, other) = (&*slf.get().lock()?, &*other.get().lock()?);
        run_interruptible(slf.py(), LONG, |interrupt| counts.is_same(other, interrupt))
    }

    /// The `n` most frequent pretokens.
    fn most_common<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Vec<(Bound<'py, PyBytes>, u64)>> {
        let counts = &*self.lock()?;
        let most = run_interruptible(py, LONG, |interrupt| counts.most_common(n, interrupt))?;
        Ok(most.into_iter().map(|(pretoken, count)| (PyBytes::new(py, &pretoken), count)).collect())
    }

    /// The shards: a name, or the digest of a file.
    fn shards<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let counts = self.lock()?;
        let shards = counts.shards().map(|shard| match shard {
            Shard::Content(digest) => Ok(PyBytes::new(py, digest).into_any()),
            Shard::Name(name) => Ok(name.into_pyobject(py)?.into_any()),
        });
        PyTuple::new(py, shards.collect::<PyResult<Vec<_>>>()?)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let counts = &*self.lock()?;
        Ok(run_interruptible(py, LONG, |interrupt| counts.n_distinct(interrupt))?.try_into()?)
    }

    #[getter]
    fn memory_limit(&self) -> PyResult<usize> {
        Ok(self.lock()?.memory_limit())
    }

    #[getter]
    fn n_spills(&self) -> PyResult<u64> {
        Ok(self.lock()?.n_spills())
    }

    #[getter]
    fn pattern<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::shown_pattern(py, self.lock()?.pretokenizer())
    }

    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.lock()?.special_tokens())
    }

    #[getter]
    fn fingerprint(&self) -> PyResult<String> {
        Ok(self.lock()?.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    #[getter]
    fn total_bytes(&self) -> PyResult<u64> {
        Ok(self.lock()?.total_bytes())
    }

    #[getter]
    fn total_pretokens(&self) -> PyResult<u64> {
        Ok(self.lock()?.total_pretokens())
    }

    #[getter]
    fn total_documents(&self) -> PyResult<u64> {
        Ok(self.lock()?.n_documents())
    }

    #[getter]
    fn fraction_bits(&self) -> PyResult<u32> {
        Ok(self.lock()?.fraction_bits())
    }
}

impl Counts {
    /// The counts, for as long as nothing else uses them. To wait would be to wait for what may need the GIL.
    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, train::Counts>> {
        let counts = self.counts.try_lock();
        let counts = counts.map_err(|_| PyRuntimeError::new_err("these counts are in use by another thread"))?;
        self.user.store(this_thread(), Ordering::Relaxed);
        Ok(counts)
    }

    /// The counts, when nothing else uses them any more. It lets go of the GIL meanwhile, and Ctrl-C ends it.
    fn wait(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, train::Counts>> {
        loop {
            match self.lock() {
                // What this thread uses, and was called from, would be waited for for ever.
                Err(_) if self.user.load(Ordering::Relaxed) != this_thread() => give_way(py)?,
                counts => return counts,
            }
        }
    }
}

impl From<train::Counts> for Counts {
    fn from(counts: train::Counts) -> Self {
        Self { counts: Mutex::new(counts), user: AtomicUsize::default() }
    }
}

/// A corpus that is being counted: nothing of it is in the counts before `commit`.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Counter {
    counts: Py<Counts>,
    progress: Option<Py<PyAny>>,
    counting: Mutex<Option<Counted>>,
}

struct Counted {
    counting: Counting,
    heard: Heard,
    /// The bytes of the whole corpus, where they are known.
    total: Option<u64>,
}

#[pymethods]
impl Counter {
    /// Count documents; `first` is the index of the first in the corpus, for what goes wrong, and `total` the bytes of
    /// the whole corpus, for progress.
    fn add_documents(&self, documents: &Bound<'_, PyAny>, first: usize, total: Option<u64>) -> PyResult<()> {
        self.add_texts(documents, first, total, Counting::add_documents)
    }

    /// Count documents that are str or bytes, up to a batch of them; `first` is the index of the next in the corpus. Returns
    /// how many were counted, and the first one that is neither, in a tuple; none and `None` where there are no more.
    fn add_next<'py>(
        &self,
        documents: &Bound<'py, PyIterator>,
        first: usize,
    ) -> PyResult<(usize, Option<(Bound<'py, PyAny>,)>)> {
        let (mut batch, mut n_batch, mut other) = (Vec::new(), 0, None);
        for document in documents.clone() {
            let document = document?;
            if !document.is_instance_of::<PyString>() && !document.is_instance_of::<PyBytes>() {
                other = Some((document,));
                break;
            }
            // What is lent is asked for again, when the batch is whole.
            let (n_bytes, made) = match convert::text(&document, Surrogates::Strict) {
                Ok(Cow::Borrowed(bytes)) => (bytes.len(), None),
                Ok(Cow::Owned(bytes)) => (bytes.len(), Some(bytes)),
                Err(error) => return Err(convert::noted(documents.py(), error, first + batch.len())),
            };
            n_batch += n_bytes + DOCUMENT_BYTES;
            batch.try_reserve(1).map_err(|_| PyMemoryError::new_err("no room for a batch of documents"))?;
            batch.push((document, made));
            if n_batch >= BATCH_BYTES {
                break;
            }
        }
        let texts = batch.iter().map(|(document, made)| match made {
            Some(made) => Ok(Cow::Borrowed(made.as_slice())),
            None => convert::text(document, Surrogates::Strict),
        });
        let texts = collect(texts, "the documents")?;
        let slices = collect(texts.iter().map(|text| Ok(text.as_ref())), "the documents")?;
        self.add(documents.py(), None, |counting, checkpoint| counting.add_documents(&slices, checkpoint))?;
        Ok((batch.len(), other))
    }

    /// Count the contents of files, each as one document.
    fn add_files(&self, contents: &Bound<'_, PyAny>, total: Option<u64>) -> PyResult<()> {
        self.add_texts(contents, 0, total, Counting::add_files)
    }

    /// Count a file as one document, read in blocks.
    fn add_file(&self, py: Python<'_>, path: PathBuf, total: Option<u64>) -> PyResult<()> {
        self.add(py, total, |counting, checkpoint| counting.add_file(&path, checkpoint))
    }

    /// Note a part of the corpus by its name, or by the SHA-256 of what is in it.
    fn add_shard(&self, shard: &Bound<'_, PyAny>) -> PyResult<()> {
        let shard = match shard.cast::<PyBytes>() {
            Ok(digest) => Shard::Content(
                digest.as_bytes().try_into().map_err(|_| PyValueError::new_err("a SHA-256 has 32 bytes"))?,
            ),
            Err(_) => Shard::Name(shard.extract()?),
        };
        self.with(|counted| counted.counting.add_shard(shard).map_err(|error| to_python(&error)))
    }

    /// Add all of it to the counts, when no other thread uses them; this ends the counting.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        // First the counts: what was counted is not to be lost because they are in use.
        let counts = &mut *self.counts.get().wait(py)?;
        let counted = self.try_lock()?.take();
        let Counted { counting, mut heard, total } = counted.ok_or_else(ended)?;
        let progress = self.progress.as_ref();
        Watch::new(progress, total, &mut heard).run(py, |checkpoint| counts.commit(counting, checkpoint))?;
        Watch::new(progress, total, &mut heard).end(py, Stage::Counting)
    }
}

impl Counter {
    fn add_texts(
        &self,
        documents: &Bound<'_, PyAny>,
        first: usize,
        total: Option<u64>,
        add: fn(&mut Counting, &[&[u8]], train::Checkpoint<'_>) -> bytepair_core::Result<()>,
    ) -> PyResult<()> {
        let batch = Texts::new(documents)?;
        let texts = batch.each(first, |text| convert::text(text, Surrogates::Strict))?;
        let slices = collect(texts.iter().map(|text| Ok(text.as_ref())), "the documents")?;
        self.add(documents.py(), total, |counting, checkpoint| add(counting, &slices, checkpoint))
    }

    fn add(
        &self,
        py: Python<'_>,
        total: Option<u64>,
        add: impl FnOnce(&mut Counting, train::Checkpoint<'_>) -> bytepair_core::Result<()> + Send,
    ) -> PyResult<()> {
        self.with(|counted| {
            counted.total = total;
            let counting = &mut counted.counting;
            Watch::new(self.progress.as_ref(), total, &mut counted.heard)
                .run(py, |checkpoint| add(counting, checkpoint))
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Counted) -> PyResult<T>) -> PyResult<T> {
        work(self.try_lock()?.as_mut().ok_or_else(ended)?)
    }

    fn try_lock(&self) -> PyResult<MutexGuard<'_, Option<Counted>>> {
        self.counting.try_lock().map_err(|_| PyRuntimeError::new_err("this counter is in use by another thread"))
    }
}

fn ended() -> PyErr {
    PyRuntimeError::new_err("this counting has ended")
}
