//! Merges that were made before: checked, and made again in each pretoken at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use hashbrown::HashMap;

use super::candidates::Candidates;
use super::progress::Ticker;
use super::report::Trained;
use super::tie::TieRule;
use super::words::{Around, Words};
use crate::definition::MAX_TOKEN_BYTES;
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol, widen};

/// Merges from which training goes on.
///
/// Each stands after those that make its parts. Then making them one after the other everywhere is the same as making,
/// in one pretoken after the other, always the one that stands first of those that can be made, leftmost first: what a
/// merge makes is part of no merge before it.
pub(super) struct Start<'m> {
    merges: &'m [(Symbol, Symbol)],
    /// The length of every symbol in bytes.
    lengths: Vec<u32>,
    /// What each pair of bytes makes, by left and right byte: half of what is asked for.
    of_bytes: Vec<Symbol>,
    /// What each other pair makes.
    of_others: HashMap<Pair, Symbol, foldhash::fast::RandomState>,
}

/// In a pretoken of so many bytes or fewer, to look through all pairs for the next to merge is faster than a queue.
const SHORT: usize = 24;

impl<'m> Start<'m> {
    pub(super) fn new(merges: &'m [(Symbol, Symbol)]) -> Result<Self> {
        let n_symbols = Symbol::BYTES + merges.len();
        let (mut lengths, mut of_others) = (Vec::new(), HashMap::default());
        let mut of_bytes = vec![Symbol::NONE; Symbol::BYTES * Symbol::BYTES];
        lengths.try_reserve_exact(n_symbols).map_err(|_| Error::memory("the merges to start from"))?;
        of_others.try_reserve(merges.len()).map_err(|_| Error::memory("the merges to start from"))?;
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
            let made = Symbol::from_index(Symbol::BYTES + k);
            let before = match byte_pair(left, right).and_then(|index| of_bytes.get_mut(index)) {
                Some(slot) => std::mem::replace(slot, made),
                None => of_others.insert(Pair::new(left, right), made).unwrap_or(Symbol::NONE),
            };
            if !before.is_none() {
                return Err(wrong("is there twice"));
            }
        }
        Ok(Self { merges, lengths, of_bytes, of_others })
    }

    pub(super) fn merges(&self) -> &'m [(Symbol, Symbol)] {
        self.merges
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
        let mut from = 0;
        for step in 0.. {
            ticker.step(step, self.merges)?;
            let Some(bytes) = words.pretoken(from) else { break };
            from = bytes.end;
            if bytes.len() <= SHORT {
                self.make_in_short_word(words, bytes, &mut worth);
            } else {
                queue.extend(bytes.clone().zip(bytes.skip(1)).filter_map(|(at, next)| {
                    let made = self.made(words.symbol(widen(at)), words.symbol(widen(next)));
                    (!made.is_none()).then_some(Reverse((made, at)))
                }));
                self.make_in_long_word(words, &mut queue, &mut worth, ticker)?;
            }
        }
        for (pair, worth) in self.pairs().zip(worth) {
            candidates.take(pair);
            trained.push(pair, worth.count, worth.replaced);
        }
        Ok(())
    }

    /// Makes merges in the pretoken of these bytes.
    fn make_in_short_word(&self, words: &mut Words, bytes: Range<u32>, worth: &mut [Worth]) {
        let mut n = bytes.len();
        let mut positions = [0; SHORT];
        // What each token and the one after it make.
        let mut makes = [Symbol::NONE; SHORT];
        for (i, position) in bytes.enumerate() {
            positions[i] = position;
            makes[i] = self.made(words.symbol(widen(position)), words.symbol(widen(position) + 1));
        }
        // First which, then where: each is a loop that the compiler makes vectors of.
        while let Some(&made) = makes[..n].iter().min()
            && !made.is_none()
            && let Some(i) = makes[..n].iter().position(|&other| other == made)
        {
            let around = self.join(words, positions[i], made, worth);
            positions.copy_within(i + 2..n, i + 1);
            makes.copy_within(i + 2..n, i + 1);
            n -= 1;
            makes[i] = self.made(made, around.right);
            if i > 0 {
                makes[i - 1] = self.made(around.left.0, made);
            }
        }
    }

    /// Makes merges in one pretoken, whose pairs are in `queue`.
    fn make_in_long_word(
        &self,
        words: &mut Words,
        queue: &mut BinaryHeap<Reverse<(Symbol, u32)>>,
        worth: &mut [Worth],
        ticker: &mut Ticker<'_>,
    ) -> Result<()> {
        for step in 1.. {
            ticker.step(step, self.merges)?;
            let Some(Reverse((made, position))) = queue.pop() else { break };
            let (left, right) = self.parts(made);
            let middle = position + self.lengths[left.index()];
            // A pair that is gone since it was queued.
            if words.symbol(widen(position)) != left || words.symbol(widen(middle)) != right {
                continue;
            }
            let around = self.join(words, position, made, worth);
            let (before, at) = around.left;
            for (next, at) in [(self.made(before, made), at), (self.made(made, around.right), position)] {
                if !next.is_none() {
                    queue.push(Reverse((next, at)));
                }
            }
        }
        Ok(())
    }

    /// Joins the two tokens at a position to `made`, and notes what that is worth.
    fn join(&self, words: &mut Words, position: u32, made: Symbol, worth: &mut [Worth]) -> Around {
        let (left, right) = self.parts(made);
        let around = words.join(position, self.lengths[left.index()], self.lengths[right.index()], made);
        // In `aaa`, the second occurrence was there too, and goes with the first.
        let overlaps = left == right && around.right == left;
        let worth = &mut worth[made.index() - Symbol::BYTES];
        let weight = words.weight(widen(position));
        worth.count += weight * if overlaps { 2 } else { 1 };
        worth.replaced += weight;
        around
    }

    fn parts(&self, made: Symbol) -> (Symbol, Symbol) {
        self.merges[made.index() - Symbol::BYTES]
    }

    /// What two tokens make; no symbol where they make nothing, as a token and a border do.
    fn made(&self, left: Symbol, right: Symbol) -> Symbol {
        match byte_pair(left, right) {
            Some(index) => self.of_bytes[index],
            None => self.of_others.get(&Pair::new(left, right)).copied().unwrap_or(Symbol::NONE),
        }
    }
}

fn byte_pair(left: Symbol, right: Symbol) -> Option<usize> {
    (left.is_byte() && right.is_byte()).then(|| left.index() * Symbol::BYTES + right.index())
}

/// How often a merge's pair occurred when its turn came, and how often it was merged.
#[derive(Clone, Copy, Default)]
struct Worth {
    count: u64,
    replaced: u64,
}
