//! The index of pairs: how often each occurs, and where it may occur.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::ids::Pair;

/// The pairs that may still merge.
///
/// A pair never occurs more often than after the merge that made the younger of its symbols: that merge finds all its
/// occurrences, in order. From then on they only go, and the list is not told: whoever reads it checks.
pub(super) struct PairIndex {
    slots: HashMap<Pair, Slot, RandomState>,
    positions: Vec<u32>,
}

struct Slot {
    count: u64,
    start: usize,
    len: usize,
}

impl PairIndex {
    pub(super) fn new() -> Self {
        Self { slots: HashMap::default(), positions: Vec::new() }
    }

    /// Forgets all pairs.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.positions.clear();
    }

    /// How often `pair` occurs.
    #[inline]
    pub(super) fn count(&self, pair: Pair) -> Option<u64> {
        self.slots.get(&pair).map(|slot| slot.count)
    }

    /// Adds a pair that occurs `count` times, at `len` positions; the first of `len` places to put them.
    pub(super) fn insert(&mut self, pair: Pair, count: u64, len: usize) -> Result<usize> {
        let start = self.positions.len();
        let missing = |_| Error::memory("the index of pairs");
        self.positions.try_reserve(len).map_err(missing)?;
        self.slots.try_reserve(1).map_err(|_| Error::memory("the index of pairs"))?;
        self.positions.resize(start + len, 0);
        self.slots.insert(pair, Slot { count, start, len });
        Ok(start)
    }

    /// Puts a position in the place that `insert` gave.
    #[inline(always)]
    pub(super) fn place(&mut self, place: usize, position: u32) {
        self.positions[place] = position;
    }

    /// Takes `count` occurrences away, where the pair is indexed.
    #[inline]
    pub(super) fn subtract(&mut self, pair: Pair, count: u64) {
        if let Some(slot) = self.slots.get_mut(&pair) {
            slot.count -= count;
        }
    }

    /// Forgets a pair; the places of its positions can still be read.
    pub(super) fn remove(&mut self, pair: Pair) -> Range<usize> {
        self.slots.remove(&pair).map_or(0..0, |slot| slot.start..slot.start + slot.len)
    }

    /// The positions in these places, ascending.
    pub(super) fn positions(&self, places: Range<usize>) -> &[u32] {
        &self.positions[places]
    }
}
