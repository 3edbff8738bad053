//! The slow trainer that every fast one is tested against: count all pairs, merge the best, start again.

use std::collections::HashMap;

use super::report::{StopReason, Trained};
use super::tie::{self, Tie, TieRule};
use super::{Counts, TrainOptions, check};
use crate::error::Result;
use crate::ids::{Pair, Symbol};

/// Learns the merges that [`train`](super::train) learns, by definition.
///
/// # Errors
///
/// As [`train`](super::train).
///
/// # Complexity
///
/// O(merges × bytes of the distinct pretokens).
pub fn train(counts: &Counts, options: &TrainOptions) -> Result<Trained> {
    check(counts, options)?;
    Ok(match options.tie {
        Tie::HuggingFace => run(counts, options, tie::HuggingFace::new()),
        Tie::Id => run(counts, options, tie::Id),
        Tie::Bytes => run(counts, options, tie::Bytes::new()),
    })
}

fn run<R: TieRule>(counts: &Counts, options: &TrainOptions, mut rule: R) -> Trained {
    let symbols = |pretoken: &[u8]| pretoken.iter().copied().map(Symbol::from_byte).collect();
    let mut words: Vec<(Vec<Symbol>, u64)> =
        counts.iter().map(|(pretoken, count)| (symbols(pretoken), count)).collect();
    let mut lengths = vec![1; Symbol::BYTES];
    let mut trained = Trained::new(counts.total_bytes());
    while trained.merges().len() < options.max_merges {
        let length =
            |pair: Pair| -> usize { [pair.left(), pair.right()].iter().map(|part| lengths[part.index()]).sum() };
        let fits = |pair: Pair| options.max_token_length.is_none_or(|max| length(pair) <= max);
        let mut pairs: HashMap<Pair, u64> = HashMap::new();
        for (word, count) in &words {
            for pair in word.windows(2).map(|pair| Pair::new(pair[0], pair[1])).filter(|&pair| fits(pair)) {
                *pairs.entry(pair).or_default() += count;
            }
        }
        let best = pairs.into_iter().max_by_key(|&(pair, count)| (count, rule.key(pair)));
        let Some((pair, count)) = best else {
            return trained.stopped(StopReason::NoPairs);
        };
        if count < options.min_frequency {
            return trained.stopped(StopReason::MinFrequency { count, min_frequency: options.min_frequency });
        }
        let made = Symbol::from_index(lengths.len());
        let replaced = words.iter_mut().map(|(word, count)| replace(word, pair, made) * *count).sum();
        lengths.push(length(pair));
        rule.learn(pair);
        trained.push(pair, count, replaced);
    }
    trained
}

/// Merges `pair` from left to right; an occurrence that overlaps the one before is left alone. How many were merged.
fn replace(word: &mut Vec<Symbol>, pair: Pair, made: Symbol) -> u64 {
    let mut merged = Vec::with_capacity(word.len());
    let (mut at, mut n) = (0, 0);
    while at < word.len() {
        if word[at] == pair.left() && word.get(at + 1) == Some(&pair.right()) {
            merged.push(made);
            (at, n) = (at + 2, n + 1);
        } else {
            merged.push(word[at]);
            at += 1;
        }
    }
    *word = merged;
    n
}
