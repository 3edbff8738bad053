//! Pretokens that are looked for together, so that the loads of one do not wait for those of another: first the keys of
//! all are made and their lines of the cache asked for, then all are looked up.

use super::cache::{Cache, Sought};
use super::table::Table;
use crate::ids::widen;
use crate::keys::{EMPTY, Key, MAX_SHORT, Pretoken, ROOM, SEGMENT, make_keys};
use crate::pretokenize::Tier;

/// Consecutive pretokens, or segments of them: where the first starts, and where each ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans<'a> {
    pub(super) start: usize,
    pub(super) ends: &'a [usize],
}

impl Spans<'_> {
    /// Where the last one ends.
    pub(super) fn end(self) -> usize {
        self.ends.last().copied().unwrap_or(self.start)
    }

    /// How many of them end at `end` or before.
    pub(super) fn n_up_to(self, end: usize) -> usize {
        self.ends.partition_point(|&other| other <= end)
    }

    /// Where the one number `index` starts and ends, if there are so many.
    fn get(self, index: usize) -> Option<(usize, usize)> {
        let start = if index == 0 { self.start } else { *self.ends.get(index - 1)? };
        Some((start, *self.ends.get(index)?))
    }
}

/// What up to [`BATCH`] of them are looked for by: where a cache line starts, as keys are written two at a time.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Batch {
    /// What is looked for.
    pub(super) keys: [Key<2>; ROOM],
    /// The number of the line of each key, as long as there are no more lines than there were.
    pub(super) places: [u32; ROOM],
    /// One bit for each that is not its whole pretoken.
    parts: u128,
}

impl Default for Batch {
    fn default() -> Self {
        Self { keys: [[EMPTY; 2]; ROOM], places: [0; ROOM], parts: 0 }
    }
}

impl Batch {
    /// The one number `index` of `spans`, which the batch was filled from, if there are so many.
    pub(super) fn get<'t>(&self, text: &'t [u8], spans: Spans<'_>, index: usize) -> Option<Pretoken<'t>> {
        let (start, end) = spans.get(index)?;
        Some(Pretoken { text, start, end, is_segment: self.parts >> index & 1 == 1 })
    }

    /// Makes the keys of up to [`BATCH`] pretokens, and starts to load their lines.
    #[inline]
    pub(super) fn fill(&mut self, tier: Tier, table: &Table<2, 16>, text: &[u8], spans: Spans<'_>) {
        self.parts = 0;
        let Self { keys, places, .. } = self;
        make_keys(tier, table.places(), table.fetch(), text, spans.start, spans.ends, (keys, places));
    }

    /// Tells the segments from whole pretokens, which are `pretokens`: where their ids may differ, their keys do.
    pub(super) fn mark_parts(&mut self, table: &Table<2, 16>, spans: Spans<'_>, pretokens: Spans<'_>) {
        let (mask, fetch) = table.fetch();
        let rest = pretokens.ends.get(pretokens.ends.partition_point(|&end| end < spans.start)..).unwrap_or_default();
        let mut borders = rest.iter().copied().peekable();
        // Each pretoken ends where a segment does.
        let mut is_start = spans.start == pretokens.start || borders.next_if_eq(&spans.start).is_some();
        let all = spans.ends.iter().zip(&mut self.keys).zip(&mut self.places);
        for (index, ((end, key), place)) in all.enumerate() {
            let is_end = borders.next_if_eq(end).is_some();
            if !(is_start && is_end) {
                self.parts |= 1 << index;
                key[1] |= SEGMENT;
                *place = table.places().of(key) & mask;
                fetch(widen(*place));
            }
            is_start = is_end;
        }
    }

    /// What the one number `index`, which is this pretoken or segment, is looked for by.
    #[inline]
    pub(super) fn sought<'t>(&self, cache: &Cache, index: usize, pretoken: Pretoken<'t>) -> Sought<'t> {
        match self.keys.get(index) {
            Some(&key) if pretoken.end - pretoken.start <= MAX_SHORT => {
                Sought::Short(cache.short.places().of(&key), key)
            }
            _ => cache.sought(pretoken),
        }
    }
}
