//! Merges by pair: a slot of eight bytes has all there is to see, so finding one waits for memory once.

use hashbrown::HashMap;

use super::slots::Seeds;
use crate::ids::{Pair, Symbol, halves, widen, widen_u64};

/// What pairs of symbols merge to.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    lines: Vec<Line>,
    /// One bit for each hash: a pair whose bit is not set is not there. Most pairs that are asked for are not.
    filter: Vec<u64>,
    /// The pairs with a symbol that no slot has bits for: vocabularies that have any are rare.
    of_large: HashMap<Pair, Symbol, foldhash::fast::RandomState>,
    seeds: Seeds,
}

/// Slots that are looked at all at once, the free ones last; they fill a cache line. Each has both symbols of a pair and the
/// one that they merge to; a free one is 0.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([u64; 8]);

/// The lower bits of a slot have the symbol that a pair merges to: as many as symbols have.
const MERGED_BITS: u32 = 24;

/// So many bits each are left for the two.
const PART_BITS: u32 = 20;

impl Pairs {
    /// To how many pairs there is a line. One in twenty is full then.
    const PER_LINE: usize = 4;

    fn n_lines(n: usize) -> usize {
        n / Self::PER_LINE + 1
    }

    /// Eight bits of the filter for each pair or more: one wrong answer in eight at the most.
    fn n_words(n: usize) -> usize {
        (n / 8).next_power_of_two().max(1 << 10)
    }

    /// How much memory a table for `n` pairs takes.
    pub(super) fn n_bytes(n: usize) -> usize {
        // Of a map, two slots for each entry, as it doubles.
        let n_large = (Symbol::BYTES + n).saturating_sub(1 << PART_BITS);
        let n_slots = 2 * n_large * size_of::<(Pair, Symbol)>();
        Self::n_lines(n) * size_of::<Line>() + Self::n_words(n) * size_of::<u64>() + n_slots
    }

    /// A table for `n` pairs.
    pub(super) fn new(n: usize) -> Self {
        Self {
            lines: vec![Line([0; 8]); Self::n_lines(n)],
            filter: vec![0; Self::n_words(n)],
            of_large: HashMap::default(),
            seeds: Seeds::new(),
        }
    }

    /// The first line to look at for a hash: as far into the lines as the hash is into all hashes.
    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        let [_, high] = halves(hash);
        let [_, line] = halves(u64::from(high) * widen_u64(self.lines.len()));
        widen(line)
    }

    /// The line after a full one.
    #[inline(always)]
    fn next(&self, line: usize) -> usize {
        if line + 1 < self.lines.len() { line + 1 } else { 0 }
    }

    /// Where a hash has its bit: a word of the filter, whose length is a power of two, and a bit in it.
    #[inline(always)]
    fn filter_bit(&self, hash: u64) -> (usize, u64) {
        (usize::try_from(hash >> 6).unwrap_or(0) & (self.filter.len() - 1), 1 << (hash & 63))
    }

    /// Adds a merge. There must be no more of them than there is room for.
    pub(super) fn insert(&mut self, left: Symbol, right: Symbol, merged: Symbol) {
        if is_large(left, right) {
            self.of_large.insert(Pair::new(left, right), merged);
            return;
        }
        let hash = self.seeds.pair(Pair::new(left, right));
        let (word, bit) = self.filter_bit(hash);
        self.filter[word] |= bit;
        let mut at = self.first(hash);
        while let Some(Line(slots)) = self.lines.get_mut(at) {
            // Counted, not searched for: how many are in use would be a guess of the processor's.
            let n_used: usize = slots.iter().map(|&slot| usize::from(slot != 0)).sum();
            if let Some(slot) = slots.get_mut(n_used) {
                *slot = packed(left, right) | u64::from(merged.get());
                return;
            }
            at = self.next(at);
        }
    }

    /// What a pair merges to, or [`Symbol::NONE`].
    #[inline(always)]
    pub(super) fn find(&self, left: Symbol, right: Symbol) -> Symbol {
        if is_large(left, right) {
            return self.find_large(left, right);
        }
        let hash = self.seeds.pair(Pair::new(left, right));
        let (word, bit) = self.filter_bit(hash);
        if self.filter[word] & bit == 0 { Symbol::NONE } else { self.find_slot(hash, packed(left, right)) }
    }

    /// [`find`](Self::find) for a pair that has passed the filter.
    #[inline(never)]
    fn find_slot(&self, hash: u64, pair: u64) -> Symbol {
        let mut at = self.first(hash);
        while let Some(Line(slots)) = self.lines.get(at) {
            // All of them, as in which one it lies would be a guess of the processor's.
            let found = slots.iter().fold(0, |found, slot| found | merged(slot ^ pair));
            if found != 0 {
                return Symbol::new(halves(found)[0]);
            }
            if slots[slots.len() - 1] == 0 {
                break;
            }
            at = self.next(at);
        }
        Symbol::NONE
    }

    #[cold]
    fn find_large(&self, left: Symbol, right: Symbol) -> Symbol {
        self.of_large.get(&Pair::new(left, right)).copied().unwrap_or(Symbol::NONE)
    }
}

/// Whether no slot has bits for one of the symbols.
#[inline(always)]
fn is_large(left: Symbol, right: Symbol) -> bool {
    (left.get() | right.get()) >> PART_BITS != 0
}

/// What is left of a slot that has a certain pair: the symbol that it merges to, and 0 of all others.
#[inline(always)]
fn merged(rest: u64) -> u64 {
    if rest < 1 << MERGED_BITS { rest } else { 0 }
}

/// What a slot has of a pair.
#[inline(always)]
fn packed(left: Symbol, right: Symbol) -> u64 {
    u64::from(left.get()) << (PART_BITS + MERGED_BITS) | u64::from(right.get()) << MERGED_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Pairs of small and large symbols, some in a line that is full.
        #[test]
        fn what_is_added_is_found(
            pairs in prop::collection::hash_set((0..3_u32, 0..90_usize, 0..3_u32, 0..90_usize), 0..400),
        ) {
            let symbol = |high: u32, low: usize| Symbol::from_index(widen(high << (PART_BITS - 1)) + low);
            let pairs: Vec<_> = pairs.into_iter().map(|(a, b, c, d)| (symbol(a, b), symbol(c, d))).collect();
            let merged = |number: usize| Symbol::from_index((1 << MERGED_BITS) - pairs.len() + number);
            let mut table = Pairs::new(pairs.len());
            for (number, &(left, right)) in pairs.iter().enumerate() {
                prop_assert_eq!(table.find(left, right), Symbol::NONE);
                table.insert(left, right, merged(number));
            }
            for (number, &(left, right)) in pairs.iter().enumerate() {
                prop_assert_eq!(table.find(left, right), merged(number));
            }
        }
    }
}
