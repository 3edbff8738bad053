//! Pretoken counts: all that training needs to know of a corpus.

mod saved;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZero;
use std::path::Path;

use super::counter;
use super::counting::Counting;
use super::counts_file::MAX_FRACTION_BITS;
use super::entries::Entries;
use super::kway;
use super::merge_files::twice;
use super::progress::{Checkpoint, Stage, Ticker};
use super::shards::{self, Shard, Shards};
use super::split::Split;
use super::store::{MAX_RUNS, Store};
use super::table::Work;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pretokenize::Pretokenizer;

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
/// use bytepair_core::{Interrupt, pretokenize::Pretokenizer, train::Counts};
///
/// let mut counts = Counts::new(Pretokenizer::new("gpt2")?, ["<|endoftext|>"])?;
/// counts.add_document(b"low<|endoftext|>low")?;
/// assert_eq!(counts.most_common(1, &Interrupt::never())?, [(b"low".to_vec(), 2)]);
/// assert_eq!(counts.total_bytes(), 6);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Counts {
    split: Split,
    store: Store,
    memory_limit: usize,
    n_documents: u64,
    fraction_bits: u32,
    shards: Shards,
}

/// What to multiply counts by: `units` times 2 to the power of minus `fraction_bits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    units: u64,
    fraction_bits: u32,
}

impl Weight {
    /// A weight in lowest terms.
    pub fn new(units: u64, fraction_bits: u32) -> Self {
        let n = units.trailing_zeros().min(fraction_bits);
        Self { units: units.checked_shr(n).unwrap_or(0), fraction_bits: fraction_bits - n }
    }
}

impl From<u64> for Weight {
    fn from(units: u64) -> Self {
        Self::new(units, 0)
    }
}

/// What counts may take of memory if nothing is said.
const DEFAULT_MEMORY_LIMIT: usize = 2 << 30;

/// Entries between two looks at whether to stop.
const STEPS: usize = 1 << 12;

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
        Ok(Self::of_nothing(Split::new(pretokenizer, special_tokens)?))
    }

    fn of_nothing(split: Split) -> Self {
        let (store, shards) = (Store::default(), Shards::new());
        Self { split, store, memory_limit: DEFAULT_MEMORY_LIMIT, n_documents: 0, fraction_bits: 0, shards }
    }

    /// These counts, to be held in `n_bytes` of memory, 2 GiB by default. What takes more is written to files without a
    /// name in the folder for temporary files, which `TMPDIR` names.
    ///
    /// The limit holds for what distinct pretokens take, not for the blocks of text that are read meanwhile.
    #[must_use]
    pub fn with_memory_limit(self, n_bytes: usize) -> Self {
        Self { memory_limit: n_bytes, ..self }
    }

    /// The bytes of memory that these counts may take.
    pub fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    /// How often counts were written to disk because they came to the memory limit.
    pub fn n_spills(&self) -> u64 {
        self.store.n_spills()
    }

    /// All that was counted; what is left are counts of nothing, under the same split.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let left = Self { memory_limit: self.memory_limit, ..Self::of_nothing(self.split.clone()) };
        std::mem::replace(self, left)
    }

    /// The split of the documents.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        self.split.pretokenizer()
    }

    /// The special tokens that cut the documents, in the order given.
    pub fn special_tokens(&self) -> &[String] {
        self.split.special_tokens()
    }

    /// A digest of all that shapes pretokens: pattern, special tokens, Unicode version. Only counts in which it is the same
    /// can be merged.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.split.fingerprint()
    }

    /// The parts of the corpus that are known by content or name, in order.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }

    /// Begins to count a corpus with `num_threads` threads, or one for each processor. Nothing is in these counts before
    /// [`commit`](Self::commit).
    ///
    /// With `notes_files` files are noted by their content, and refused if they were counted before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the counts that are there have to be written to disk, and cannot; and
    /// what `interrupt` says.
    pub fn counting(
        &mut self,
        num_threads: Option<NonZero<usize>>,
        notes_files: bool,
        interrupt: &Interrupt<'_>,
    ) -> Result<Counting> {
        // What is there and what is being counted share the memory with blocks of text, and with what sorts and writes.
        let mut left = self.memory_limit - self.memory_limit / 4;
        if self.store.n_bytes() > self.memory_limit / 4 {
            self.store.spill(0, MAX_RUNS, sparsely(interrupt))?;
        }
        left = left.saturating_sub(self.store.n_bytes());
        Ok(Counting::new(&self.split, num_threads, notes_files, &self.shards, left))
    }

    /// Adds what was counted.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_document`]; [`ErrorKind::Training`](crate::ErrorKind::Training) where a shard of it was counted since
    /// the counting began; and whatever `checkpoint` returns. Then nothing has been added.
    ///
    /// # Complexity
    ///
    /// O(distinct pretokens) for each thread.
    pub fn commit(&mut self, counting: Counting, checkpoint: Checkpoint<'_>) -> Result<()> {
        let mut ticker = Ticker::new(checkpoint, Stage::Counting, None);
        let counted = counting.finish(&mut ticker)?;
        // What was counted meanwhile was not known when this counting began.
        if let Some(shard) = shards::shared(&self.shards, &counted.shards) {
            return Err(shards::counted_before(shard));
        }
        if self.is_empty() && self.fraction_bits == 0 {
            self.store = counted.store;
        } else {
            let mut step = 0;
            self.store.merge(1, &counted.store, 1 << self.fraction_bits, self.memory_limit, || {
                step += 1;
                ticker.step(step, 0)
            })?;
        }
        self.n_documents = self.n_documents.saturating_add(counted.n_documents);
        self.shards.extend(counted.shards);
        Ok(())
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
        let one = 1 << self.fraction_bits;
        let (mut work, store) = (Work::default(), &mut self.store);
        let added = self
            .split
            .runs(document, |text, start, ends| counter::flow(store.add_all(&mut work, text, start, ends, one)));
        added.break_value().map_or(Ok(()), Err)?;
        self.n_documents = self.n_documents.saturating_add(1);
        self.store.spill_beyond(self.memory_limit, MAX_RUNS, || Ok(()))
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
        let mut counting = self.counting(num_threads, false, &Interrupt::never())?;
        counting.add_documents(documents, checkpoint)?;
        self.commit(counting, checkpoint)
    }

    /// Counts a file as one document, which is not noted as a shard; see [`Counting::add_file`].
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
        let mut counting = self.counting(num_threads, false, &Interrupt::never())?;
        counting.add_file(path, checkpoint)?;
        self.commit(counting, checkpoint)
    }

    /// Adds `count` occurrences of one pretoken, as if the split had yielded them: for counts made elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Counts::add_document`]; then nothing has been added.
    pub fn add_pretoken(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        let units = count.checked_mul(1 << self.fraction_bits).ok_or_else(|| super::entries::overflow(pretoken))?;
        self.store.add(pretoken, units)?;
        self.store.spill_beyond(self.memory_limit, MAX_RUNS, || Ok(()))
    }

    /// Adds the counts of `other`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where `other` was split in another way, where the two have a
    /// shard in common, or where together they pass 2⁶⁴ − 1 bytes; [`ErrorKind::Io`](crate::ErrorKind::Io) where they pass
    /// the memory limit, and the disk is full. Then nothing has been added.
    ///
    /// # Complexity
    ///
    /// O(distinct pretokens of `other`).
    pub fn merge(&mut self, other: &Self, interrupt: &Interrupt<'_>) -> Result<()> {
        if let Some(difference) = self.split.difference(&other.split) {
            return Err(Error::training(format!("cannot merge counts that differ in {difference}")));
        }
        if let Some(shard) = shards::shared(&self.shards, &other.shards) {
            return Err(twice(shard, "these counts", "those"));
        }
        let fraction_bits = self.fraction_bits.max(other.fraction_bits);
        let [ours, theirs] = [self, other].map(|counts| 1 << (fraction_bits - counts.fraction_bits));
        self.store.merge(ours, &other.store, theirs, self.memory_limit, sparsely(interrupt))?;
        self.fraction_bits = fraction_bits;
        self.n_documents = self.n_documents.saturating_add(other.n_documents);
        self.shards.extend(other.shards.iter().cloned());
        Ok(())
    }

    /// Multiplies every count by `weight`: merged with others, this corpus then weighs so much more, or less.
    ///
    /// Nothing is rounded. With a weight that is no whole number, all counts are from then on in smaller
    /// [units](Self::fraction_bits).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where the corpus would pass 2⁶⁴ − 1 bytes, in units; then nothing
    /// has changed.
    pub fn scale(&mut self, weight: impl Into<Weight>) -> Result<()> {
        let Weight { units, fraction_bits } = weight.into();
        let cancelled = units.trailing_zeros().min(self.fraction_bits);
        let fraction_bits = (self.fraction_bits - cancelled).saturating_add(fraction_bits);
        if fraction_bits > MAX_FRACTION_BITS {
            return Err(Error::training(format!(
                "the weights together have more than {MAX_FRACTION_BITS} bits after the point; use rounder ones"
            )));
        }
        self.store.scale(units >> cancelled)?;
        self.fraction_bits = fraction_bits;
        Ok(())
    }

    /// Counts and totals are in units of 2 to the power of minus this: 0, unless they were scaled by a fraction.
    pub fn fraction_bits(&self) -> u32 {
        self.fraction_bits
    }

    /// The number of distinct pretokens.
    ///
    /// # Errors
    ///
    /// As [`visit`](Self::visit), and what `interrupt` says.
    ///
    /// # Complexity
    ///
    /// O(1), and of counts on disk that are not [settled](Self::settle) that of [`visit`](Self::visit).
    pub fn n_distinct(&self, interrupt: &Interrupt<'_>) -> Result<u64> {
        self.store.n_distinct(sparsely(interrupt))
    }

    /// Whether there are no pretokens.
    pub fn is_empty(&self) -> bool {
        self.total_pretokens() == 0
    }

    /// Calls `visit` with every distinct pretoken and its count, in no particular order.
    ///
    /// # Errors
    ///
    /// What `visit` returns, and [`ErrorKind::Io`](crate::ErrorKind::Io) where counts lie on disk and cannot be read.
    pub fn visit(&self, visit: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        self.store.visit(|| Ok(()), visit)
    }

    /// Brings what lies on disk into one file, if it does not yet: then each [`visit`](Self::visit) is but a read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io), and what `interrupt` says; then nothing has changed.
    pub fn settle(&mut self, interrupt: &Interrupt<'_>) -> Result<()> {
        self.store.settle(sparsely(interrupt))
    }

    /// The `n` most frequent pretokens with their counts, from the most frequent on; of the same count, in the order
    /// of their bytes.
    ///
    /// # Errors
    ///
    /// As [`visit`](Self::visit), and what `interrupt` says.
    ///
    /// # Complexity
    ///
    /// O(distinct pretokens × log `n`).
    pub fn most_common(&self, n: usize, interrupt: &Interrupt<'_>) -> Result<Vec<(Vec<u8>, u64)>> {
        // The rarest of them on top.
        let mut most: BinaryHeap<(Reverse<u64>, Vec<u8>)> = BinaryHeap::new();
        self.store.visit(sparsely(interrupt), |pretoken, count| {
            if most.len() == n {
                let Some(mut rarest) =
                    most.peek_mut().filter(|rarest| (Reverse(count), pretoken) < (rarest.0, &rarest.1))
                else {
                    return Ok(());
                };
                *rarest = (Reverse(count), pretoken.to_vec());
            } else {
                most.push((Reverse(count), pretoken.to_vec()));
            }
            Ok(())
        })?;
        Ok(most.into_sorted_vec().into_iter().map(|(Reverse(count), pretoken)| (pretoken, count)).collect())
    }

    /// The bytes of all pretokens, each as often as it occurs; special tokens are not among them.
    pub fn total_bytes(&self) -> u64 {
        self.store.totals().0
    }

    /// The sum of all counts.
    pub fn total_pretokens(&self) -> u64 {
        self.store.totals().1
    }

    /// The number of documents and files counted; scaling does not change it.
    pub fn n_documents(&self) -> u64 {
        self.n_documents
    }

    /// Whether these are the same counts of the same shards: whether [`save`](Self::save) would write the same bytes.
    ///
    /// # Errors
    ///
    /// As [`visit`](Self::visit), and what `interrupt` says.
    ///
    /// # Complexity
    ///
    /// O(d log d) for d distinct pretokens.
    pub fn is_same(&self, other: &Self, interrupt: &Interrupt<'_>) -> Result<bool> {
        let about = |counts: &Self| (counts.n_documents, counts.fraction_bits, counts.store.totals());
        if about(self) != about(other)
            || self.split.difference(&other.split).is_some()
            || self.shards != other.shards
            || self.n_distinct(interrupt)? != other.n_distinct(interrupt)?
        {
            return Ok(false);
        }
        let mut look_up = sparsely(interrupt);
        let [mut ours, mut theirs] =
            [kway::Sum::new(self.store.lists(&mut look_up)?)?, kway::Sum::new(other.store.lists(&mut look_up)?)?];
        let (mut our_pretoken, mut their_pretoken) = (Vec::new(), Vec::new());
        loop {
            look_up()?;
            let (our_count, their_count) = (ours.next(&mut our_pretoken)?, theirs.next(&mut their_pretoken)?);
            if our_count != their_count || our_pretoken != their_pretoken {
                return Ok(false);
            }
            if our_count.is_none() {
                return Ok(true);
            }
        }
    }
}

/// Looks at some of the entries of a long list whether to stop.
pub(super) fn sparsely(interrupt: &Interrupt<'_>) -> impl FnMut() -> Result<()> {
    let mut step = 0_usize;
    move || {
        step += 1;
        if step.is_multiple_of(STEPS) { interrupt.check() } else { Ok(()) }
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
        assert_eq!(counts.most_common(9, &Interrupt::never()).unwrap(), [(b"ab".to_vec(), 2), (b"c".to_vec(), 1)]);
        assert_eq!((counts.total_bytes(), counts.total_pretokens(), counts.n_documents()), (5, 3, 1));
    }

    #[test]
    fn most_common_has_one_order() {
        let mut counts = unsplit(&[]);
        for (pretoken, count) in [("b", 2), ("a", 2), ("c", 3), ("d", 1)] {
            counts.add_pretoken(pretoken.as_bytes(), count).unwrap();
        }
        assert_eq!(
            counts.most_common(3, &Interrupt::never()).unwrap(),
            [(b"c".to_vec(), 3), (b"a".to_vec(), 2), (b"b".to_vec(), 2)]
        );
        assert_eq!(counts.most_common(0, &Interrupt::never()).unwrap(), []);
        assert_eq!(counts.most_common(usize::MAX, &Interrupt::never()).unwrap().len(), 4);
    }

    #[test]
    fn counts_of_another_split_are_refused_by_name() {
        let mut counts = unsplit(&["<e>"]);
        counts.add_document(b"ab").unwrap();
        let error = counts.merge(&unsplit(&["<x>"]), &Interrupt::never()).unwrap_err();
        assert!(error.is_training() && error.to_string().contains("special tokens"), "{error}");
        let other = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<e>"]).unwrap();
        assert!(counts.merge(&other, &Interrupt::never()).unwrap_err().to_string().contains("split pattern"));
        assert_eq!((counts.n_distinct(&Interrupt::never()).unwrap(), counts.n_documents()), (1, 1));
    }

    #[test]
    fn of_two_countings_at_once_one_has_the_shard() {
        let mut counts = unsplit(&[]);
        let countings = [(); 2].map(|()| {
            let mut counting = counts.counting(None, false, &Interrupt::never()).unwrap();
            counting.add_shard(Shard::Name("part".into())).unwrap();
            counting.add_documents(&[b"ab"], &mut |_| Ok(())).unwrap();
            counting
        });
        let [first, second] = countings.map(|counting| counts.commit(counting, &mut |_| Ok(())));
        first.unwrap();
        let error = second.unwrap_err();
        assert!(error.is_training() && error.to_string().contains("\"part\" was counted before"), "{error}");
        assert_eq!((counts.total_bytes(), counts.n_documents(), counts.shards().count()), (2, 1, 1));
    }

    #[test]
    fn a_weight_of_too_many_bits_is_refused() {
        let mut counts = unsplit(&[]);
        counts.add_document(b"ab").unwrap();
        for fraction_bits in [1, MAX_FRACTION_BITS, u32::MAX] {
            let scaled = counts.scale(Weight::new(1, fraction_bits));
            assert_eq!(scaled.is_err(), fraction_bits > 1, "{fraction_bits}");
            assert_eq!((counts.fraction_bits(), counts.total_bytes()), (1, 2));
        }
    }

    #[test]
    fn an_interrupt_ends_what_makes_room_for_a_counting() {
        let mut counts = unsplit(&[]);
        for i in 0..20_000_u32 {
            counts.add_pretoken(&i.to_le_bytes(), 1).unwrap();
        }
        let mut counts = counts.with_memory_limit(1 << 20);
        assert!(counts.counting(None, false, &Interrupt::new(&|| true)).is_err());
        assert_eq!((counts.n_spills(), counts.n_distinct(&Interrupt::never()).unwrap()), (0, 20_000));
        counts.counting(None, false, &Interrupt::never()).unwrap();
        assert_eq!((counts.n_spills(), counts.n_distinct(&Interrupt::never()).unwrap()), (1, 20_000));
    }

    #[test]
    fn an_interrupt_ends_what_reads_counts_from_disk() {
        let mut counts = unsplit(&[]).with_memory_limit(1 << 18);
        let texts: Vec<String> = (0..40_000).map(|number| number.to_string()).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        counts.add_documents(&texts, None, &mut |_| Ok(())).unwrap();
        assert!(counts.n_spills() > 1);
        assert!(counts.n_distinct(&Interrupt::new(&|| true)).is_err());
        assert!(counts.most_common(1, &Interrupt::new(&|| true)).is_err());
        assert_eq!(counts.n_distinct(&Interrupt::never()).unwrap(), 40_000);
    }

    #[test]
    fn an_interrupt_leaves_the_counts_as_they_were() {
        let mut counts = unsplit(&["<e>"]);
        counts.add_document(b"ab").unwrap();
        let text = b"word<e>".repeat(2_000_000);
        for n in [1, 2] {
            let error = counts.add_documents(&[&text], NonZero::new(n), &mut |_| Err(Error::interrupted()));
            assert!(matches!(error.unwrap_err().kind(), crate::ErrorKind::Interrupted));
            assert_eq!(
                (counts.n_distinct(&Interrupt::never()).unwrap(), counts.total_bytes(), counts.n_documents()),
                (1, 2, 1)
            );
        }
    }
}
