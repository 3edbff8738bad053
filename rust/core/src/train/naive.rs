//! The slow trainer that every fast one is tested against: count all pairs, merge the best, start again.

use std::collections::HashMap;

use super::report::{StopReason, Trained};
use super::start::Start;
use super::tie::{self, Tie, TieRule};
use super::{Counts, TrainOptions, check, in_units};
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
    train_from(counts, &[], options)
}

/// Learns the merges that [`train_from`](super::train_from) learns, by definition: those of `start` come first, whatever
/// occurs more often.
///
/// # Errors
///
/// As [`train_from`](super::train_from).
///
/// # Complexity
///
/// As [`train`].
pub fn train_from(counts: &Counts, start: &[(Symbol, Symbol)], options: &TrainOptions) -> Result<Trained> {
    let start = &check(counts, start, options)?;
    let options = &TrainOptions { min_frequency: in_units(options.min_frequency, counts), ..options.clone() };
    match options.tie {
        Tie::HuggingFace => run(counts, start, options, tie::HuggingFace::new()),
        Tie::Id => run(counts, start, options, tie::Id),
        Tie::Bytes => run(counts, start, options, tie::Bytes::new()),
    }
}

fn run<R: TieRule>(counts: &Counts, start: &Start<'_>, options: &TrainOptions, mut rule: R) -> Result<Trained> {
    let symbols = |pretoken: &[u8]| pretoken.iter().copied().map(Symbol::from_byte).collect();
    let mut words: Vec<(Vec<Symbol>, u64)> = Vec::new();
    counts.visit(|pretoken, count| {
        words.push((symbols(pretoken), count));
        Ok(())
    })?;
    let mut lengths = vec![1; Symbol::BYTES];
    let mut trained = Trained::new(counts.total_bytes());
    let mut given = start.pairs();
    while trained.merges().len() < options.max_merges {
        let length =
            |pair: Pair| -> usize { [pair.left(), pair.right()].iter().map(|part| lengths[part.index()]).sum() };
        let fits = |pair: Pair| options.max_token_length.is_none_or(|max| length(pair) <= max);
        let mut pairs: HashMap<Pair, u64> = HashMap::new();
        for (word, count) in &words {
            for pair in word.windows(2).map(|pair| Pair::new(pair[0], pair[1])) {
                *pairs.entry(pair).or_default() += count;
            }
        }
        let given = given.next().map(|pair| (pair, pairs.get(&pair).copied().unwrap_or_default()));
        let is_given = given.is_some();
        let best =
            || pairs.into_iter().filter(|&(pair, _)| fits(pair)).max_by_key(|&(pair, count)| (count, rule.key(pair)));
        let Some((pair, count)) = given.or_else(best) else {
            return Ok(stopped(trained, StopReason::NoPairs, &words));
        };
        if !is_given && count < options.min_frequency {
            let stop = StopReason::MinFrequency { count, min_frequency: options.min_frequency };
            return Ok(stopped(trained, stop, &words));
        }
        let made = Symbol::from_index(lengths.len());
        let replaced = words.iter_mut().map(|(word, count)| replace(word, pair, made) * *count).sum();
        lengths.push(length(pair));
        rule.learn(pair);
        trained.push(pair, count, replaced);
    }
    Ok(stopped(trained, StopReason::VocabSize, &words))
}

fn stopped(trained: Trained, stop: StopReason, words: &[(Vec<Symbol>, u64)]) -> Trained {
    trained.stopped(stop, words.iter().flat_map(|(word, count)| word.iter().map(|&symbol| (symbol, *count))))
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
