//! The pairs that may merge, and which is next.

use std::ops::Range;

use super::TrainOptions;
use super::pairs::PairIndex;
use super::queue::Queue;
use super::tie::TieRule;
use crate::error::Result;
use crate::ids::{Pair, Symbol, narrow, widen_u64};

/// The index of pairs with a queue over it, and the rules for who is let in.
///
/// Most pairs are so rare that they never merge, and most of the cost of keeping an index is theirs. So pairs below a
/// threshold, a guess that [`expect`](Self::expect) makes, are hidden: only the greatest count among them is known. When
/// no pair beats that count, the guess was too high, and the index has to be built anew, once and with all pairs. What
/// merges is exact in any case.
pub(super) struct Candidates<R: TieRule> {
    pairs: PairIndex,
    queue: Queue<R>,
    rule: R,
    /// The length of every symbol in bytes.
    lengths: Vec<u32>,
    min_frequency: u64,
    max_length: u32,
    /// Pairs that occur less often are hidden.
    threshold: u64,
    /// No hidden pair occurs more often.
    hidden: u64,
    may_hide: bool,
}

impl<R: TieRule> Candidates<R> {
    pub(super) fn new(options: &TrainOptions, rule: R) -> Self {
        Self {
            pairs: PairIndex::new(),
            queue: Queue::new(),
            rule,
            lengths: vec![1; Symbol::BYTES],
            min_frequency: options.min_frequency.max(1),
            max_length: options.max_token_length.and_then(narrow).unwrap_or(u32::MAX),
            threshold: 0,
            hidden: 0,
            may_hide: true,
        }
    }

    pub(super) fn min_frequency(&self) -> u64 {
        self.min_frequency
    }

    /// The length of every symbol in bytes.
    pub(super) fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// The length of a symbol in bytes.
    #[inline]
    pub(super) fn length(&self, symbol: Symbol) -> u32 {
        self.lengths[symbol.index()]
    }

    /// Whether `pair` would make a token of a length that is allowed.
    #[inline]
    pub(super) fn fits(&self, pair: Pair) -> bool {
        // No sum of lengths exceeds that of a pretoken, which fits 32 bits.
        self.length(pair.left()) + self.length(pair.right()) <= self.max_length
    }

    /// Lets in a new pair that occurs `count` times at `n` positions, and gives the first place for these; `None`
    /// where the pair is hidden or can never merge.
    #[inline]
    pub(super) fn add(&mut self, pair: Pair, count: u64, n: usize) -> Result<Option<usize>> {
        if count < self.min_frequency || !self.fits(pair) {
            return Ok(None);
        }
        if count < self.threshold {
            self.hidden = self.hidden.max(count);
            return Ok(None);
        }
        self.queue.push(pair, count, &self.rule)?;
        self.pairs.insert(pair, count, n).map(Some)
    }

    /// Puts a position in a place that `add` gave, or a later one.
    #[inline(always)]
    pub(super) fn place(&mut self, place: usize, position: u32) {
        self.pairs.place(place, position);
    }

    /// Takes `count` occurrences of `pair` away.
    #[inline]
    pub(super) fn subtract(&mut self, pair: Pair, count: u64) {
        self.pairs.subtract(pair, count);
    }

    /// The pair to merge next and its count. `look_up` is called for each that is counted to find it.
    pub(super) fn next(&mut self, mut look_up: impl FnMut() -> Result<()>) -> Result<Option<(Pair, u64)>> {
        self.queue.pop(&self.rule, |pair| {
            look_up()?;
            let count = self.pairs.count(pair).filter(|&count| count >= self.min_frequency);
            if count.is_none() {
                self.pairs.remove(pair);
            }
            Ok(count)
        })
    }

    /// Guesses, when the `done`-th of `all` merges has a pair that occurs `count` times, below which count none will merge.
    ///
    /// In text of many languages, the count of the k-th merge falls as 1/k at first and faster in the end, but hardly
    /// ever under the guess: half of what falling as k^-1.5 would leave.
    pub(super) fn expect(&mut self, count: u64, done: usize, all: usize) {
        if self.may_hide {
            let [done, all] = [done, all].map(|n| u128::from(widen_u64(n)));
            let guess = (u128::from(count) * done * (done * all).isqrt() / 2).checked_div(all * all);
            self.threshold = guess.and_then(|guess| u64::try_from(guess).ok()).unwrap_or(0);
        }
    }

    /// Whether a hidden pair may have to merge before one that occurs `count` times.
    pub(super) fn may_hide_better_than(&self, count: u64) -> bool {
        self.hidden > 0 && self.hidden >= count
    }

    /// Forgets all pairs, and hides none from now on.
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.queue = Queue::new();
        (self.threshold, self.hidden, self.may_hide) = (0, 0, false);
    }

    /// Makes `pair` a symbol: that symbol, and the places of the pair's positions.
    pub(super) fn take(&mut self, pair: Pair) -> (Symbol, Range<usize>) {
        let made = Symbol::from_index(self.lengths.len());
        self.lengths.push(self.length(pair.left()) + self.length(pair.right()));
        self.rule.learn(pair);
        (made, self.pairs.remove(pair))
    }

    /// The positions in these places, ascending. The pair has left some of them.
    pub(super) fn positions(&self, places: Range<usize>) -> &[u32] {
        self.pairs.positions(places)
    }
}
