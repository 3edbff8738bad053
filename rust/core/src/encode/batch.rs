//! Pretokens that are looked for together, so that the loads of one do not wait for those of another: first the keys of
//! all are made and their lines of the cache asked for, then all are looked up.

use super::cache::{Cache, Sought};
use super::cuts::Cuts;
use super::table::Table;
use crate::ids::widen;
use crate::keys::{BATCH, EMPTY, Key, MAX_SHORT, Pretoken, ROOM, SEGMENT, make_keys, short_key};
use crate::pretokenize::Tier;

/// Consecutive pretokens, or segments of them.
#[derive(Debug)]
pub(super) struct Batch {
    start: usize,
    ends: [usize; BATCH],
    /// What is looked for.
    pub(super) keys: [Key<2>; ROOM],
    /// What chooses the line of each key; or a lone character.
    pub(super) places: [u32; ROOM],
    n: usize,
    /// One bit for each that is not its whole pretoken.
    parts: u64,
    /// One bit for each that is a lone character.
    pub(super) lone: u64,
}

impl Default for Batch {
    fn default() -> Self {
        Self { start: 0, ends: [0; BATCH], keys: [[EMPTY; 2]; ROOM], places: [0; ROOM], n: 0, parts: 0, lone: 0 }
    }
}

impl Batch {
    /// Empties the batch, for what follows `start`.
    #[inline]
    pub(super) fn begin(&mut self, start: usize) {
        (self.start, self.n, self.parts, self.lone) = (start, 0, 0, 0);
    }

    #[inline]
    pub(super) fn n(&self) -> usize {
        self.n
    }

    pub(super) fn is_full(&self) -> bool {
        self.n == BATCH
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

    /// Which lone character the one number `index` is, if it is one.
    pub(super) fn lone(&self, index: usize) -> Option<u16> {
        let place = *self.places.get(index)?;
        (self.lone >> index & 1 == 1).then(|| u16::try_from(place).ok()).flatten()
    }

    /// Makes the keys of up to [`BATCH`] consecutive pretokens from `start` on, and starts to load their lines.
    #[inline(never)]
    pub(super) fn fill(&mut self, tier: Tier, table: &Table<2, 16>, text: &[u8], start: usize, ends: &[usize]) {
        self.begin(start);
        for (slot, &end) in self.ends.iter_mut().zip(ends) {
            *slot = end;
        }
        self.n = ends.len().min(BATCH);
        make_keys(tier, table.places(), table.fetch(), text, start, ends, (&mut self.keys, &mut self.places));
    }

    /// Adds a pretoken or a segment of `text`, and starts to load its line.
    #[inline(never)]
    pub(super) fn push(&mut self, table: &Table<2, 16>, text: &[u8], start: usize, end: usize, is_part: bool) {
        let index = self.n % BATCH;
        let mut key = match text.get(start..).and_then(<[u8]>::first_chunk) {
            Some(window) => short_key(window, end - start),
            None => Pretoken { text, start, end, is_segment: false }.key(),
        };
        key[1] |= if is_part { SEGMENT } else { 0 };
        let (place, (mask, fetch)) = (table.places().of(&key), table.fetch());
        fetch(widen(place) & mask);
        (self.keys[index], self.places[index]) = (key, place);
        self.ends[index] = end;
        self.parts |= u64::from(is_part) << index;
        self.n = index + 1;
    }

    /// Adds the lone characters at the start of what is left of a pretoken, as long as there is room; `is_start` says whether
    /// nothing of it is missing. Returns how many bytes they have.
    #[inline(never)]
    pub(super) fn push_lone(&mut self, cuts: &Cuts, end: usize, rest: &[u8], is_start: bool) -> usize {
        let (before, mut n, mut n_left) = (self.n.min(BATCH), self.n.min(BATCH), rest.len());
        let mut slots = self.ends[before..].iter_mut().zip(&mut self.places[before..]);
        cuts.lone_characters(rest, |character, rest| {
            let Some((slot, place)) = slots.next() else { return false };
            *slot = end - rest.len();
            *place = character.into();
            n_left = rest.len();
            n += 1;
            true
        });
        let added = low(n) & !low(before);
        self.lone |= added;
        if !(is_start && n_left == 0 && n == before + 1) {
            self.parts |= added;
        }
        self.n = n;
        rest.len() - n_left
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

/// The lowest `n` bits.
fn low(n: usize) -> u64 {
    if n < BATCH { (1 << n) - 1 } else { !0 }
}
