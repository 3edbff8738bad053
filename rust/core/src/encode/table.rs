//! Ids by key, in lines of two slots: each key lies in the line that its hash says or in that line's neighbour.

use super::packed::{Packed, Packing, pack_place, unpack_place};
use super::ring::Ring;
use super::sink::{ROOM, Sink};
use crate::counters::count;
use crate::error::Result;
use crate::huge_pages;
use crate::ids::{narrow, widen};
use crate::keys::{EMPTY, Key, Places};
use crate::prefetch::prefetch;

/// The bit of the last word of a key that tells a slot that says where the ids lie from one that has them.
const MANY: u64 = 1 << 62;

/// Two slots that are looked at together; those of short keys fill a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line<const W: usize, const B: usize> {
    keys: [Key<W>; 2],
    packed: [Packed<B>; 2],
}

impl<const W: usize, const B: usize> Line<W, B> {
    const EMPTY: Self = Self { keys: [[EMPTY; W]; 2], packed: [[0; B]; 2] };

    /// The slots, keys and what is known of them.
    #[inline(always)]
    pub(super) fn slots(&self) -> (&[Key<W>; 2], &[Packed<B>; 2]) {
        (&self.keys, &self.packed)
    }

    /// Which slot a pretoken has, whether its ids fit there or not.
    #[inline(always)]
    fn way(&self, key: &Key<W>) -> Option<usize> {
        self.keys.iter().position(|known| without_many(*known) == *key)
    }
}

/// The key of a pretoken, whether or not its ids fit the slot that has it.
#[inline(always)]
fn without_many<const W: usize>(mut known: Key<W>) -> Key<W> {
    known[W - 1] &= !MANY;
    known
}

/// Pretokens by keys of `W` words, each in the line that its hash says or in that line's neighbour.
#[derive(Debug)]
pub(super) struct Table<const W: usize, const B: usize> {
    /// A power of two of them, or none.
    lines: Vec<Line<W, B>>,
    places: Places<W>,
    packing: Packing,
    /// How many slots were written since there are this many.
    n_written: usize,
    min_lines: usize,
    max_lines: usize,
}

impl<const W: usize, const B: usize> Table<W, B> {
    pub(super) fn new(packing: Packing, min_lines: usize, max_lines: usize) -> Self {
        let places = Places::new(max_lines.ilog2());
        Self { lines: Vec::new(), places, packing, n_written: 0, min_lines, max_lines }
    }

    #[inline(always)]
    fn index(&self, place: u32) -> usize {
        widen(place) & self.lines.len().wrapping_sub(1)
    }

    /// How keys choose places.
    #[inline(always)]
    pub(super) fn places(&self) -> &Places<W> {
        &self.places
    }

    /// The bits of a place that choose one of the lines; and what starts to load a line by its number.
    #[inline(always)]
    pub(super) fn fetch(&self) -> (u32, impl Fn(usize) + use<W, B>) {
        let lines = self.lines.as_ptr();
        (narrow(self.lines.len().wrapping_sub(1)).unwrap_or(u32::MAX), move |number| {
            prefetch(lines.wrapping_add(number))
        })
    }

    /// All lines, of which the lower part of a place is the number of a line.
    #[inline(always)]
    pub(super) fn lines(&self) -> &[Line<W, B>] {
        &self.lines
    }

    /// Gives the ids of a pretoken to `sink`, if its own line has it.
    #[inline]
    fn take_at_home(&self, place: u32, key: &Key<W>, ring: &Ring, sink: &mut impl Sink) -> Result<bool> {
        let Some(line) = self.lines.get(self.index(place)) else { return Ok(false) };
        let Some(way) = line.way(key) else { return Ok(false) };
        let packed = &line.packed[way];
        if line.keys[way][W - 1] & MANY != 0 {
            let (at, n_ids) = unpack_place(packed);
            return ring.take(at, n_ids, sink);
        }
        let (ids, n) = self.packing.unpack::<B, { ROOM / 2 }>(packed);
        if n == 0 {
            return Ok(false);
        }
        if let Some(places) = sink.room().first_chunk_mut() {
            *places = ids;
        }
        sink.took(n).map(|()| true)
    }

    /// Moves what is known of a pretoken home, if the neighbour of its own line has it.
    #[inline]
    fn bring_home(&mut self, place: u32, key: &Key<W>) -> Option<()> {
        let index = self.index(place);
        // What finds room at home is not put elsewhere; and the neighbour is far, as nobody has asked for it.
        if self.lines.get(index)?.way(&[EMPTY; W]).is_some() {
            return None;
        }
        let way = self.lines.get(index ^ 1)?.way(key)?;
        let [home, neighbour] = self.lines.get_disjoint_mut([index, index ^ 1]).ok()?;
        // Which of the two at home gives way is as good as chance.
        let other = self.n_written & 1;
        std::mem::swap(&mut home.keys[other], &mut neighbour.keys[way]);
        std::mem::swap(&mut home.packed[other], &mut neighbour.packed[way]);
        Some(())
    }

    /// Gives the ids of a pretoken to `sink`, if it is known.
    pub(super) fn take(&mut self, place: u32, key: &Key<W>, ring: &Ring, sink: &mut impl Sink) -> Result<bool> {
        if self.take_at_home(place, key, ring, sink)? {
            return Ok(true);
        }
        match self.bring_home(place, key) {
            Some(()) => self.take_at_home(place, key, ring, sink),
            None => Ok(false),
        }
    }

    /// Remembers the ids of a pretoken.
    pub(super) fn insert_ids(&mut self, place: u32, mut key: Key<W>, ids: &[u32], ring: &mut Ring) {
        if key == [EMPTY; W] || ids.is_empty() {
            return;
        }
        let packed = self.packing.pack(ids).or_else(|| {
            key[W - 1] |= MANY;
            pack_place(ring.push(ids), ids.len())
        });
        let Some(packed) = packed else { return };
        if self.n_written >= self.lines.len() && self.lines.len() < self.max_lines {
            self.grow();
        }
        self.insert(place, key, packed);
    }

    /// Puts a key where its place says: over itself, into a free slot, or over one that has been there.
    fn insert(&mut self, place: u32, key: Key<W>, packed: Packed<B>) {
        let index = self.index(place);
        let free = [index, index ^ 1].into_iter().find_map(|index| {
            let line = self.lines.get(index)?;
            let way = line.way(&without_many(key)).or_else(|| line.way(&[EMPTY; W]))?;
            Some((index, way))
        });
        self.n_written += 1;
        let (index, way) = free.unwrap_or((index, self.n_written & 1));
        if let Some(line) = self.lines.get_mut(index) {
            (line.keys[way], line.packed[way]) = (key, packed);
        }
    }

    /// Makes up to eight times as many lines and moves what is known, which would cost far more to find out again.
    #[cold]
    fn grow(&mut self) {
        let n_lines = (8 * self.lines.len()).clamp(self.min_lines, self.max_lines);
        let mut more = Vec::with_capacity(n_lines);
        huge_pages::ask_for(&mut more);
        more.resize(n_lines, Line::EMPTY);
        let lines = std::mem::replace(&mut self.lines, more);
        self.n_written = 0;
        count(n_lines);
        for line in lines {
            for (key, packed) in line.keys.into_iter().zip(line.packed) {
                if key != [EMPTY; W] {
                    self.insert(self.places.of(&without_many(key)), key, packed);
                }
            }
        }
    }
}
