//! Learns merges from pretoken counts.
//!
//! Documents are counted into [`Counts`]; [`train`] learns from nothing else. It follows the definition of byte pair
//! encoding exactly: again and again, the adjacent pair of tokens that occurs most often, of several the one that the
//! [`Tie`] rule prefers, becomes one token in every pretoken, from left to right. In `aaa`, the pair of `a` and `a`
//! occurs twice, though only the first occurrence can be merged.
//!
//! [`naive`] is that definition as code; `merge_loop` gives the same merges fast.

mod candidates;
mod counter;
mod counting;
mod counts;
mod counts_file;
mod entries;
mod kway;
mod merge_files;
mod merge_loop;
pub mod naive;
mod neighbours;
mod pairs;
mod progress;
mod queue;
mod report;
mod shards;
mod short_counts;
mod spill;
mod split;
mod start;
mod store;
mod table;
mod text_file;
mod tie;
mod words;

pub use counting::Counting;
pub use counts::{Counts, Weight};
pub use progress::{Checkpoint, Progress, Stage};
pub use report::{StopReason, Trained};
pub use shards::Shard;
pub use tie::Tie;

use std::borrow::Borrow;

use crate::definition::MAX_TOKEN_BYTES;
use crate::error::{Error, Result};
use crate::ids::{Symbol, TokenId, widen};
use merge_loop::MergeLoop;
use start::Start;

/// How to train.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrainOptions {
    /// The number of merges to learn: the size of the vocabulary less the 256 bytes and the special tokens.
    pub max_merges: usize,
    /// Which of several equally frequent pairs merges first.
    pub tie: Tie,
    /// Pairs that occur less often are never merged; 0 and 1 are the same, as a pair occurs once at least, unless the counts
    /// were [scaled](Counts::scale) by a fraction.
    pub min_frequency: u64,
    /// The length in bytes of the longest token allowed, [`MAX_TOKEN_BYTES`] by default and at most; pairs that would be
    /// longer are never merged.
    pub max_token_length: Option<usize>,
}

impl TrainOptions {
    /// To learn `max_merges` merges, without any other limit.
    pub fn new(max_merges: usize) -> Self {
        Self { max_merges, tie: Tie::default(), min_frequency: 1, max_token_length: None }
    }
}

/// Learns merges from `counts`: a pure function of the counts and the options.
///
/// # Errors
///
/// [`ErrorKind::Training`](crate::ErrorKind::Training) where there is nothing to learn from, where more merges are
/// asked for than a vocabulary can have, or where the distinct pretokens, with one byte more for each, exceed 4 GiB;
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory); and whatever `checkpoint` returns.
///
/// # Complexity
///
/// With S bytes of distinct pretokens and P pairs ever formed, of which none occurs more than C times, O(S + R + P log PC)
/// expected, where R, the occurrences visited, is at most the occurrences of all these pairs: O(S log S), and in practice a
/// few times S. Time does not depend on how long a pretoken is. Memory is up to some 25 S bytes for text.
///
/// # Examples
///
/// ```
/// use bytepair_core::pretokenize::Pretokenizer;
/// use bytepair_core::train::{Counts, TrainOptions, train};
///
/// let mut counts = Counts::new(Pretokenizer::new("gpt2")?, ["<|endoftext|>"])?;
/// for (pretoken, count) in [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)] {
///     counts.add_pretoken(pretoken.as_bytes(), count)?;
/// }
/// let trained = train(&counts, &TrainOptions::new(4), &mut |_| Ok(()))?;
/// let tokens = trained.token_bytes();
/// assert_eq!(tokens[256..], [&b"es"[..], b"est", b"lo", b"low"]);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
pub fn train(counts: &Counts, options: &TrainOptions, checkpoint: Checkpoint<'_>) -> Result<Trained> {
    train_from(counts, &[], options, checkpoint)
}

/// Learns merges from `counts` after those of `start`, which are made first: those that training was [in the midst
/// of](Progress::merges), or those of another tokenizer.
///
/// Going on from the first merges that [`train`] learns, however many, gives what `train` gives. The merges of `start` are
/// among [`TrainOptions::max_merges`] and in what is returned; the other options do not concern them.
///
/// Counts that are given away, and not lent, are let go once the pretokens are laid out to be merged: less memory is taken.
///
/// # Errors
///
/// As [`train`], and [`ErrorKind::Training`](crate::ErrorKind::Training) where a merge of `start` has a part that none
/// before it makes, is there twice, or makes a token that is too long, or where there are more than
/// [`TrainOptions::max_merges`].
///
/// # Complexity
///
/// With S bytes of distinct pretokens, O(S log S) for the merges of `start`, at about the cost of encoding the distinct
/// pretokens once; then as [`train`] for the others.
///
/// # Examples
///
/// ```
/// use bytepair_core::pretokenize::Pretokenizer;
/// use bytepair_core::train::{Counts, TrainOptions, train, train_from};
///
/// let mut counts = Counts::new(Pretokenizer::new("gpt2")?, ["<|endoftext|>"])?;
/// counts.add_document(b"low lower newest newest newest widest")?;
/// let some = train(&counts, &TrainOptions::new(2), &mut |_| Ok(()))?;
/// let all = train_from(&counts, some.merges(), &TrainOptions::new(5), &mut |_| Ok(()))?;
/// assert_eq!(all, train(&counts, &TrainOptions::new(5), &mut |_| Ok(()))?);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
pub fn train_from(
    counts: impl Borrow<Counts>,
    start: &[(Symbol, Symbol)],
    options: &TrainOptions,
    checkpoint: Checkpoint<'_>,
) -> Result<Trained> {
    let start = &check(counts.borrow(), start, options)?;
    // A longer token could be learnt, but never be saved.
    let longest = options.max_token_length.map_or(MAX_TOKEN_BYTES, |length| length.min(MAX_TOKEN_BYTES));
    let min_frequency = in_units(options.min_frequency, counts.borrow());
    let options = &TrainOptions { max_token_length: Some(longest), min_frequency, ..options.clone() };
    match options.tie {
        Tie::HuggingFace => MergeLoop::new(counts, start, options, tie::HuggingFace::new(), checkpoint)?.run(),
        Tie::Id => MergeLoop::new(counts, start, options, tie::Id, checkpoint)?.run(),
        Tie::Bytes => MergeLoop::new(counts, start, options, tie::Bytes::new(), checkpoint)?.run(),
    }
}

/// A number of occurrences in the units of the counts.
fn in_units(n: u64, counts: &Counts) -> u64 {
    n.saturating_mul(1 << counts.fraction_bits())
}

fn check<'m>(counts: &Counts, start: &'m [(Symbol, Symbol)], options: &TrainOptions) -> Result<Start<'m>> {
    let most = widen(TokenId::LIMIT) - Symbol::BYTES;
    if options.max_merges > most {
        return Err(Error::training(format!(
            "{} merges are more than a vocabulary can have; the most is {most}",
            options.max_merges
        )));
    }
    if options.max_token_length == Some(0) {
        return Err(Error::training("max_token_length is 0, but a token has a byte at least"));
    }
    if counts.is_empty() {
        return Err(Error::training(
            "the corpus is empty: it has no bytes beside special tokens; pass documents or files with some text",
        ));
    }
    if start.len() > options.max_merges {
        return Err(Error::training(format!(
            "{} merges to start from are more than the {} asked for",
            start.len(),
            options.max_merges
        )));
    }
    Start::new(start)
}
