//! Counting a corpus in several calls: it is counted as a whole, or not at all.

use std::num::NonZero;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::counter::Counter;
use super::progress::{Checkpoint, Stage, Ticker};
use super::shards::{Shard, Shards, counted_before};
use super::split::Split;
use super::store::Store;
use crate::error::Result;
use crate::ids::widen_u64;
use crate::threads::n_threads;

/// A corpus that is being counted: documents and files are added, and then all of it to
/// [`Counts`](super::Counts::commit). After an error it is of no use.
#[derive(Debug)]
pub struct Counting {
    counter: Counter,
    num_threads: Option<NonZero<usize>>,
    n_documents: u64,
    /// Whether files are noted by their content.
    notes_files: bool,
    /// What was counted before, and what is now.
    before: Shards,
    shards: Shards,
}

/// What was counted.
pub(super) struct Counted {
    pub(super) store: Store,
    pub(super) n_documents: u64,
    pub(super) shards: Shards,
}

impl Counting {
    pub(super) fn new(
        split: &Split,
        num_threads: Option<NonZero<usize>>,
        notes_files: bool,
        before: &Shards,
        limit: usize,
    ) -> Self {
        let (before, shards) = (before.clone(), Shards::new());
        Self { counter: Counter::new(split, limit), num_threads, n_documents: 0, notes_files, before, shards }
    }

    /// Notes a part of the corpus, so that it cannot count twice.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where it was counted before.
    pub fn add_shard(&mut self, shard: Shard) -> Result<()> {
        if self.before.contains(&shard) {
            return Err(counted_before(&shard));
        }
        self.shards.insert(shard);
        Ok(())
    }

    /// Counts documents.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_document`](super::Counts::add_document), and whatever `checkpoint` returns.
    pub fn add_documents(&mut self, documents: &[&[u8]], checkpoint: Checkpoint<'_>) -> Result<()> {
        let n_bytes = documents.iter().map(|document| document.len()).sum();
        let mut ticker = Ticker::new(checkpoint, Stage::Counting, Some(widen_u64(n_bytes)));
        self.counter.reset_done();
        self.counter.count(documents, n_threads(self.num_threads, n_bytes), &mut ticker)?;
        self.n_documents = self.n_documents.saturating_add(widen_u64(documents.len()));
        ticker.report(self.counter.done())
    }

    /// Counts the contents of files, each as one document.
    ///
    /// # Errors
    ///
    /// As [`add_documents`](Self::add_documents); and [`ErrorKind::Training`](crate::ErrorKind::Training) where one was
    /// counted before.
    pub fn add_files(&mut self, contents: &[&[u8]], checkpoint: Checkpoint<'_>) -> Result<()> {
        if self.notes_files {
            for content in contents {
                self.note_file(widen_u64(content.len()), Sha256::new_with_prefix(content))?;
            }
        }
        self.add_documents(contents, checkpoint)
    }

    /// Counts a file as one document.
    ///
    /// The file is read in blocks, so it may be a pipe, or larger than memory. Only where the split has no safe cut,
    /// and no special token stands in the file, is it held whole.
    ///
    /// # Errors
    ///
    /// As [`add_files`](Self::add_files), and [`ErrorKind::Io`](crate::ErrorKind::Io) with the path where the file cannot
    /// be read.
    pub fn add_file(&mut self, path: &Path, checkpoint: Checkpoint<'_>) -> Result<()> {
        let mut digest = self.notes_files.then(Sha256::new);
        super::text_file::count(&mut self.counter, path, self.num_threads, digest.as_mut(), checkpoint)?;
        self.n_documents = self.n_documents.saturating_add(1);
        match digest {
            Some(digest) => self.note_file(self.counter.done(), digest).map_err(|error| error.within(path)),
            None => Ok(()),
        }
    }

    /// The same file may stand in a list twice, or in a corpus: only what was counted before is refused.
    fn note_file(&mut self, n_bytes: u64, digest: Sha256) -> Result<()> {
        // There are many empty files, and none of them counts.
        if n_bytes == 0 { Ok(()) } else { self.add_shard(Shard::Content(digest.finalize().into())) }
    }

    pub(super) fn finish(self, ticker: &mut Ticker<'_>) -> Result<Counted> {
        let mut step = 0;
        let store = self.counter.finish(|| {
            step += 1;
            ticker.step(step, 0)
        })?;
        Ok(Counted { store, n_documents: self.n_documents, shards: self.shards })
    }
}
