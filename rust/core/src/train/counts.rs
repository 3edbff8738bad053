//! Pretoken counts: all that training needs to know of a corpus.

use std::num::NonZero;
use std::path::Path;

use super::counting::Counter;
use super::counts_file;
use super::progress::{Checkpoint, Stage, Ticker};
use super::split::Split;
use super::table::PretokenTable;
use crate::error::{Error, Result};
use crate::ids::widen_u64;
use crate::pretokenize::Pretokenizer;
use crate::threads::n_threads;

/// How often each pretoken occurs in a corpus, under one split.
///
/// Training is a pure function of these counts, and they do not depend on the order of documents, on the number of
/// threads or on how files are read. Corpora can be counted apart and [merged](Counts::merge).
///
/// Special tokens cut documents and are not counted: text never learns to form them.
///
/// # Examples
///
/// ```
/// use bytepair_core::{pretokenize::Pretokenizer, train::Counts};
///
/// let mut counts = Counts::new(Pretokenizer::new("gpt2")?, ["<|endoftext|>"])?;
/// counts.add_document(b"low<|endoftext|>low")?;
/// assert_eq!(counts.most_common(1), [(&b"low"[..], 2)]);
/// assert_eq!(counts.total_bytes(), 6);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Counts {
    split: Split,
    table: PretokenTable,
    n_documents: u64,
}

impl Counts {
    /// Counts of nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where a special token is empty or given twice.
    pub fn new<S: Into<String>>(
        pretokenizer: Pretokenizer,
        special_tokens: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        Ok(Self { split: Split::new(pretokenizer, special_tokens)?, table: PretokenTable::default(), n_documents: 0 })
    }

    /// The split of the documents.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        self.split.pretokenizer()
    }

    /// The special tokens that cut the documents, in the order given.
    pub fn special_tokens(&self) -> &[String] {
        self.split.special_tokens()
    }

    /// Counts one document.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where the corpus passes 2⁶⁴ − 1 bytes,
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is none. Part of the document may then be counted.
    ///
    /// # Complexity
    ///
    /// O(`document.len()`), where the split is.
    pub fn add_document(&mut self, document: &[u8]) -> Result<()> {
        super::counting::count(&self.split, document, |pretoken| self.table.add(pretoken, 1))?;
        self.n_documents += 1;
        Ok(())
    }

    /// Counts documents over `num_threads` threads, or one for each processor. The result does not depend on it.
    ///
    /// One thread is the caller's. A large document is shared between threads where the split has safe cuts.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_document`], and whatever `checkpoint` returns. Then nothing has been counted.
    ///
    /// # Complexity
    ///
    /// O(bytes of the documents), and O(distinct pretokens) for each thread to join the threads' counts.
    pub fn add_documents(
        &mut self,
        documents: &[&[u8]],
        num_threads: Option<NonZero<usize>>,
        checkpoint: Checkpoint<'_>,
    ) -> Result<()> {
        let n_bytes = documents.iter().map(|document| document.len()).sum();
        let mut ticker = Ticker::new(checkpoint, Stage::Counting, Some(widen_u64(n_bytes)));
        let mut counter = Counter::new(&self.split, n_threads(num_threads, n_bytes));
        counter.count(documents, &mut ticker)?;
        let table = counter.finish(&mut ticker)?;
        self.join(table, widen_u64(documents.len()))
    }

    /// Counts a file as one document, over `num_threads` threads, or one for each processor.
    ///
    /// The file is read in blocks, so it may be a pipe, or larger than memory. Only where the split has no safe cut,
    /// and no special token stands in the file, is it held whole.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_documents`], and [`ErrorKind::Io`](crate::ErrorKind::Io) with the path where the file cannot
    /// be read. Then nothing has been counted.
    ///
    /// # Complexity
    ///
    /// As [`Counts::add_documents`]. Besides the counts it needs a few MiB for each thread.
    pub fn add_file(
        &mut self,
        path: &Path,
        num_threads: Option<NonZero<usize>>,
        checkpoint: Checkpoint<'_>,
    ) -> Result<()> {
        let table = counts_file::count(&self.split, path, num_threads, checkpoint)?;
        self.join(table, 1)
    }

    /// Adds `count` occurrences of one pretoken, as if the split had yielded them: for counts made elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_document`]; then nothing has been added.
    pub fn add_pretoken(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        self.table.add(pretoken, count)
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where `other` was split in another way, or where the two
    /// together pass 2⁶⁴ − 1 bytes. Then nothing has been added.
    ///
    /// # Complexity
    ///
    /// O(distinct pretokens of `other`).
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if let Some(difference) = self.split.difference(&other.split) {
            return Err(Error::training(format!("cannot merge counts that differ in {difference}")));
        }
        self.table.merge(&other.table)?;
        self.n_documents = self.n_documents.saturating_add(other.n_documents);
        Ok(())
    }

    /// Multiplies every count by `weight`: merged with others, this corpus then weighs so much more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where the corpus would pass 2⁶⁴ − 1 bytes; then nothing
    /// has changed.
    pub fn scale(&mut self, weight: u64) -> Result<()> {
        self.table.scale(weight)
    }

    /// The number of distinct pretokens.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no pretokens.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// How often `pretoken` occurs.
    pub fn get(&self, pretoken: &[u8]) -> u64 {
        self.table.get(pretoken)
    }

    /// Every distinct pretoken with its count, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.table.iter()
    }

    /// The `n` most frequent pretokens with their counts, from the most frequent on; of the same count, in the order
    /// of their bytes.
    ///
    /// # Complexity
    ///
    /// O(distinct pretokens + `n` log `n`).
    pub fn most_common(&self, n: usize) -> Vec<(&[u8], u64)> {
        let order = |a: &(&[u8], u64), b: &(&[u8], u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0));
        let mut entries: Vec<_> = self.iter().collect();
        if n < entries.len() {
            entries.select_nth_unstable_by(n, order);
            entries.truncate(n);
        }
        entries.sort_unstable_by(order);
        entries
    }

    /// The bytes of all pretokens, each as often as it occurs; special tokens are not among them.
    pub fn total_bytes(&self) -> u64 {
        self.table.total_bytes()
    }

    /// The sum of all counts.
    pub fn total_pretokens(&self) -> u64 {
        self.table.total_pretokens()
    }

    /// The number of documents and files counted; scaling does not change it.
    pub fn n_documents(&self) -> u64 {
        self.n_documents
    }

    fn join(&mut self, table: PretokenTable, n_documents: u64) -> Result<()> {
        if self.is_empty() {
            self.table = table;
        } else {
            self.table.merge(&table)?;
        }
        self.n_documents = self.n_documents.saturating_add(n_documents);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsplit(special: &[&str]) -> Counts {
        Counts::new(Pretokenizer::from_stages::<&str>(&[]).unwrap(), special.iter().copied()).unwrap()
    }

    #[test]
    fn special_tokens_cut_and_are_not_counted() {
        let mut counts = unsplit(&["<e>"]);
        counts.add_document(b"ab<e>ab<e><e>c").unwrap();
        assert_eq!(counts.most_common(9), [(&b"ab"[..], 2), (b"c", 1)]);
        assert_eq!((counts.total_bytes(), counts.total_pretokens(), counts.n_documents()), (5, 3, 1));
    }

    #[test]
    fn most_common_has_one_order() {
        let mut counts = unsplit(&[]);
        for (pretoken, count) in [("b", 2), ("a", 2), ("c", 3), ("d", 1)] {
            counts.add_pretoken(pretoken.as_bytes(), count).unwrap();
        }
        assert_eq!(counts.most_common(3), [(&b"c"[..], 3), (b"a", 2), (b"b", 2)]);
        assert_eq!(counts.most_common(0), []);
        assert_eq!(counts.most_common(usize::MAX).len(), 4);
    }

    #[test]
    fn counts_of_another_split_are_refused_by_name() {
        let mut counts = unsplit(&["<e>"]);
        counts.add_document(b"ab").unwrap();
        let error = counts.merge(&unsplit(&["<x>"])).unwrap_err();
        assert!(error.is_training() && error.to_string().contains("special tokens"), "{error}");
        let other = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<e>"]).unwrap();
        assert!(counts.merge(&other).unwrap_err().to_string().contains("split pattern"));
        assert_eq!((counts.len(), counts.n_documents()), (1, 1));
    }

    #[test]
    fn an_interrupt_leaves_the_counts_as_they_were() {
        let mut counts = unsplit(&["<e>"]);
        counts.add_document(b"ab").unwrap();
        let text = b"word<e>".repeat(2_000_000);
        for n in [1, 2] {
            let error = counts.add_documents(&[&text], NonZero::new(n), &mut |_| Err(Error::interrupted()));
            assert!(matches!(error.unwrap_err().kind(), crate::ErrorKind::Interrupted));
            assert_eq!((counts.len(), counts.total_bytes(), counts.n_documents()), (1, 2, 1));
        }
    }
}
