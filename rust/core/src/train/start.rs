//! Merges that were made before: checked, and made again in each pretoken at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::candidates::Candidates;
use super::progress::Ticker;
use super::report::Trained;
use super::tie::TieRule;
use super::words::Words;
use crate::definition::MAX_TOKEN_BYTES;
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol, narrow, widen};

/// Merges from which training goes on.
///
/// Each stands after those that make its parts. Then making them one after the other everywhere is the same as making,
/// in one pretoken after the other, always the one that stands first of those that can be made, leftmost first: what a
/// merge makes is part of no merge before it.
pub(super) struct Start<'m> {
    merges: &'m [(Symbol, Symbol)],
    /// The length of every symbol in bytes.
    lengths: Vec<u32>,
    /// What each pair makes.
    made: HashMap<Pair, Symbol, foldhash::fast::RandomState>,
}

impl<'m> Start<'m> {
    pub(super) fn new(merges: &'m [(Symbol, Symbol)]) -> Result<Self> {
        let n_symbols = Symbol::BYTES + merges.len();
        let (mut lengths, mut made) = (Vec::new(), HashMap::default());
        lengths.try_reserve_exact(n_symbols).map_err(|_| Error::memory("the merges to start from"))?;
        made.try_reserve(merges.len()).map_err(|_| Error::memory("the merges to start from"))?;
        lengths.resize(Symbol::BYTES, 1);
        for (k, &(left, right)) in merges.iter().enumerate() {
            let wrong = |reason: &str| {
                let (left, right) = (left.get(), right.get());
                Error::training(format!("cannot start from these merges: number {k} ({left}, {right}) {reason}"))
            };
            let part = |symbol: Symbol| lengths.get(symbol.index()).copied();
            let (Some(left_length), Some(right_length)) = (part(left), part(right)) else {
                return Err(wrong("has a part that no merge before it makes"));
            };
            if widen(left_length) + widen(right_length) > MAX_TOKEN_BYTES {
                return Err(wrong("makes a token that is too long"));
            }
            lengths.push(left_length + right_length);
            if made.insert(Pair::new(left, right), Symbol::from_index(Symbol::BYTES + k)).is_some() {
                return Err(wrong("is there twice"));
            }
        }
        Ok(Self { merges, lengths, made })
    }

    /// The merges, as pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.merges.iter().map(|&(left, right)| Pair::new(left, right))
    }

    pub(super) fn len(&self) -> usize {
        self.merges.len()
    }

    /// Makes the merges in `words`, and lets `candidates` and `trained` know of them.
    ///
    /// # Complexity
    ///
    /// O(s log l) for s bytes of distinct pretokens, the longest of l bytes, and O(merges).
    pub(super) fn make<R: TieRule>(
        &self,
        words: &mut Words,
        candidates: &mut Candidates<R>,
        trained: &mut Trained,
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        if self.merges.is_empty() {
            return Ok(());
        }
        let mut worth = Vec::new();
        worth.try_reserve_exact(self.merges.len()).map_err(|_| Error::memory("the merges to start from"))?;
        worth.resize(self.merges.len(), Worth::default());
        let mut queue = BinaryHeap::new();
        let mut word = 1;
        for step in 0.. {
            ticker.step(step, self.merges)?;
            let Some(end) = words.end(word) else { break };
            let bytes = word..narrow(end).unwrap_or(u32::MAX);
            queue.extend(bytes.clone().zip(bytes.skip(1)).filter_map(|(at, next)| {
                let made = self.made(words.symbol(widen(at)), words.symbol(widen(next)))?;
                Some(Reverse((made, at)))
            }));
            self.make_in_word(words, &mut queue, &mut worth, ticker)?;
            word = narrow(end + 1).unwrap_or(u32::MAX);
        }
        for (pair, worth) in self.pairs().zip(worth) {
            candidates.take(pair);
            trained.push(pair, worth.count, worth.replaced);
        }
        Ok(())
    }

    /// Makes merges in one pretoken, whose pairs are in `queue`.
    fn make_in_word(
        &self,
        words: &mut Words,
        queue: &mut BinaryHeap<Reverse<(Symbol, u32)>>,
        worth: &mut [Worth],
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        for step in 1.. {
            ticker.step(step, self.merges)?;
            let Some(Reverse((made, position))) = queue.pop() else { break };
            let merge = made.index() - Symbol::BYTES;
            let (left, right) = self.merges[merge];
            let [left_length, right_length] = [left, right].map(|part| self.lengths[part.index()]);
            // A pair that is gone since it was queued.
            if words.symbol(widen(position)) != left || words.symbol(widen(position + left_length)) != right {
                continue;
            }
            let around = words.join(position, left_length, right_length, made);
            // In `aaa`, the second occurrence was there too, and goes with the first.
            let overlaps = left == right && around.right == left;
            worth[merge].count += around.weight * if overlaps { 2 } else { 1 };
            worth[merge].replaced += around.weight;
            let (before, at) = around.left;
            queue.extend(self.made(before, made).map(|made| Reverse((made, at))));
            queue.extend(self.made(made, around.right).map(|made| Reverse((made, position))));
        }
        Ok(())
    }

    fn made(&self, left: Symbol, right: Symbol) -> Option<Symbol> {
        self.made.get(&Pair::new(left, right)).copied()
    }
}

/// How often a merge's pair occurred when its turn came, and how often it was merged.
#[derive(Clone, Copy, Default)]
struct Worth {
    count: u64,
    replaced: u64,
}
