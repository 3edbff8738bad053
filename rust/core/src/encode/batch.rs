//! Pretokens that are looked for together, so that the loads of one do not wait for those of another: first the keys of
//! all are made and their lines of the cache asked for, then all are looked up.

use super::cache::{Cache, Sought};
use super::table::Table;
use crate::ids::widen;
use crate::keys::{BATCH, EMPTY, Key, MAX_SHORT, Pretoken, ROOM, SEGMENT, make_keys};
use crate::pretokenize::Tier;

/// Consecutive pretokens, or segments of them.
#[derive(Debug)]
pub(super) struct Batch {
    start: usize,
    ends: [usize; BATCH],
    /// What is looked for.
    pub(super) keys: [Key<2>; ROOM],
    /// What chooses the line of each key.
    pub(super) places: [u32; ROOM],
    n: usize,
    /// One bit for each that is not its whole pretoken.
    parts: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self { start: 0, ends: [0; BATCH], keys: [[EMPTY; 2]; ROOM], places: [0; ROOM], n: 0, parts: 0 }
    }
}

impl Batch {
    #[inline]
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// Where the last one ends.
    pub(super) fn end(&self) -> usize {
        self.ends.get(self.n.wrapping_sub(1)).copied().unwrap_or(self.start)
    }

    /// How many of them end at `end` or before.
    pub(super) fn n_up_to(&self, end: usize) -> usize {
        self.ends.get(..self.n).unwrap_or_default().partition_point(|&other| other <= end)
    }

    /// The pretoken or segment number `index`, if there are so many.
    pub(super) fn get<'t>(&self, text: &'t [u8], index: usize) -> Option<Pretoken<'t>> {
        let end = *self.ends.get(..self.n)?.get(index)?;
        let start = if index == 0 { self.start } else { self.ends[index - 1] };
        Some(Pretoken { text, start, end, is_segment: self.parts >> index & 1 == 1 })
    }

    /// Takes up to [`BATCH`] consecutive pretokens from `start` on: makes their keys, and starts to load their lines.
    #[inline(never)]
    pub(super) fn fill(&mut self, tier: Tier, table: &Table<2, 16>, text: &[u8], start: usize, ends: &[usize]) {
        (self.start, self.n, self.parts) = (start, ends.len().min(BATCH), 0);
        for (slot, &end) in self.ends.iter_mut().zip(ends) {
            *slot = end;
        }
        make_keys(tier, table.places(), table.fetch(), text, start, ends, (&mut self.keys, &mut self.places));
    }

    /// Tells the segments from whole pretokens, of which the first starts at `start` and each ends at one of `ends`: where their
    /// ids may differ, their keys do.
    pub(super) fn mark_parts(&mut self, table: &Table<2, 16>, start: usize, ends: &[usize]) {
        let (mask, fetch) = table.fetch();
        let rest = ends.get(ends.partition_point(|&end| end < self.start)..).unwrap_or_default();
        let mut borders = rest.iter().copied().peekable();
        // Each pretoken ends where a segment does.
        let mut is_start = self.start == start || borders.next_if_eq(&self.start).is_some();
        let all = self.ends.iter().zip(&mut self.keys).zip(&mut self.places).take(self.n);
        for (index, ((end, key), place)) in all.enumerate() {
            let is_end = borders.next_if_eq(end).is_some();
            if !(is_start && is_end) {
                self.parts |= 1 << index;
                key[1] |= SEGMENT;
                *place = table.places().of(key);
                fetch(widen(*place) & mask);
            }
            is_start = is_end;
        }
    }

    /// What the one number `index`, which is this pretoken or segment, is looked for by.
    #[inline]
    pub(super) fn sought<'t>(&self, cache: &Cache, index: usize, pretoken: Pretoken<'t>) -> Sought<'t> {
        match (self.places.get(index), self.keys.get(index)) {
            (Some(&place), Some(&key)) if pretoken.end - pretoken.start <= MAX_SHORT => Sought::Short(place, key),
            _ => cache.sought(pretoken),
        }
    }
}
