//! What training gives: the merges, and what each was worth.

use std::fmt;

use crate::definition::{AddedToken, Definition, MergeRule};
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol, TokenId};
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

/// Why training ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// All the merges asked for were made.
    VocabSize,
    /// No pair is left: every pretoken is one token, or cannot grow within the longest token allowed.
    NoPairs,
    /// The most frequent pair left is too rare.
    MinFrequency {
        /// How often that pair occurs.
        count: u64,
        /// How often it would have to.
        min_frequency: u64,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VocabSize => f.write_str("the vocabulary has the size asked for"),
            Self::NoPairs => f.write_str("no pair is left to merge in the corpus"),
            Self::MinFrequency { count, min_frequency } => {
                write!(f, "the most frequent pair left occurs {count} times, less than the {min_frequency} asked for")
            }
        }
    }
}

/// Learnt merges.
///
/// The symbols `0..256` are the bytes of the same value, and merge `k` makes symbol `256 + k`: whatever the tie rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trained {
    merges: Vec<(Symbol, Symbol)>,
    counts: Vec<u64>,
    n_tokens: Vec<u64>,
    frequencies: Vec<u64>,
    stop: StopReason,
}

impl Trained {
    pub(super) fn new(total_bytes: u64) -> Self {
        Self {
            merges: Vec::new(),
            counts: Vec::new(),
            n_tokens: vec![total_bytes],
            frequencies: Vec::new(),
            stop: StopReason::VocabSize,
        }
    }

    /// Notes a merge of a pair that occurred `count` times and was replaced `replaced` times.
    pub(super) fn push(&mut self, pair: Pair, count: u64, replaced: u64) {
        let before = self.n_tokens.last().copied().unwrap_or_default();
        self.merges.push((pair.left(), pair.right()));
        self.counts.push(count);
        self.n_tokens.push(before.saturating_sub(replaced));
    }

    /// Ends for a reason, with every token of the corpus and how often each occurs.
    pub(super) fn stopped(self, stop: StopReason, tokens: impl Iterator<Item = (Symbol, u64)>) -> Self {
        let mut frequencies = vec![0; Symbol::BYTES + self.merges.len()];
        for (symbol, count) in tokens {
            if let Some(frequency) = frequencies.get_mut(symbol.index()) {
                *frequency += count;
            }
        }
        Self { stop, frequencies, ..self }
    }

    /// The merges, in the order in which they were learnt.
    pub fn merges(&self) -> &[(Symbol, Symbol)] {
        &self.merges
    }

    /// How often the pair of each merge occurred when it was chosen.
    ///
    /// In `aaa` the pair of `a` and `a` occurs twice, though only one can be merged.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How often each symbol occurs in the whole corpus after the last merge, by number.
    pub fn frequencies(&self) -> &[u64] {
        &self.frequencies
    }

    /// Why there are no more merges.
    pub fn stop(&self) -> StopReason {
        self.stop
    }

    /// The number of tokens of the whole corpus after the first `k` merges, for every `k` from 0 on.
    ///
    /// With the corpus's size in bytes, which comes first, this is the compression at every vocabulary size.
    pub fn n_tokens(&self) -> &[u64] {
        &self.n_tokens
    }

    /// The number of tokens of the whole corpus after the first `k` merges, or `None` where there are fewer.
    pub fn tokens_after(&self, k: usize) -> Option<u64> {
        self.n_tokens.get(k).copied()
    }

    /// The tokenizer learnt: the ids are the 256 bytes, the merges in order, then the special tokens.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where the ids run out.
    ///
    /// # Complexity
    ///
    /// Linear in the bytes of all tokens.
    pub fn definition(&self, pretokenizer: &Pretokenizer, special_tokens: &[String]) -> Result<Definition> {
        let id = |index| TokenId::from_index(index).ok_or_else(|| Error::vocabulary("there are too many token ids"));
        let tokens = self.token_bytes().into_iter().enumerate();
        let tokens: Vec<_> = tokens.map(|(index, bytes)| Ok((id(index)?, bytes))).collect::<Result<_>>()?;
        let merges = self.merges.iter().map(|(left, right)| Ok((id(left.index())?, id(right.index())?)));
        let special_tokens: Vec<_> = special_tokens.iter().map(|text| (text.clone(), None)).collect();
        Ok(Definition {
            name: None,
            pretokenizer: pretokenizer.clone(),
            merges: MergeRule::List(merges.collect::<Result<_>>()?),
            added_tokens: AddedToken::number(&special_tokens, &tokens)?,
            tokens,
            whole_pretokens: false,
            pipeline: Pipeline::default(),
        })
    }

    /// The bytes of every symbol, by number.
    ///
    /// # Complexity
    ///
    /// Linear in the bytes returned.
    pub fn token_bytes(&self) -> Vec<Vec<u8>> {
        let mut tokens: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
        tokens.reserve(self.merges.len());
        for (left, right) in &self.merges {
            let parts = [left, right].map(|part| tokens.get(part.index()).map(Vec::as_slice).unwrap_or_default());
            tokens.push(parts.concat());
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_reasons_are_sentences() {
        let reason = StopReason::MinFrequency { count: 1, min_frequency: 2 };
        assert_eq!(reason.to_string(), "the most frequent pair left occurs 1 times, less than the 2 asked for");
    }

    #[test]
    fn tokens_are_the_bytes_of_their_parts() {
        let mut trained = Trained::new(10);
        let symbol = Symbol::new;
        trained.push(Pair::new(symbol(97), symbol(98)), 3, 3);
        trained.push(Pair::new(symbol(256), symbol(256)), 2, 1);
        assert_eq!(trained.token_bytes()[256..], [b"ab".to_vec(), b"abab".to_vec()]);
        assert_eq!(trained.n_tokens(), [10, 7, 6]);
        assert_eq!((trained.tokens_after(2), trained.tokens_after(3)), (Some(6), None));
    }
}
