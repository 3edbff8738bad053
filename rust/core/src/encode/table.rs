//! Ids by key, in lines of two slots: each key lies in the line that its hash says or in that line's neighbour.

use std::hash::{BuildHasher, RandomState};

use super::key::{EMPTY, Key, MANY};
use super::packed::{Packed, Packing, pack_place, unpack_place};
use super::ring::Ring;
use super::sink::{ROOM, Sink};
use crate::counters::count;
use crate::error::Result;
use crate::ids::{halves, widen};

/// A sum of products with odd numbers that nobody can guess: any two keys agree in the highest n bits of it with a chance of
/// 2 in 2ⁿ at most (multiply-shift hashing: Dietzfelbinger and others, 1997).
#[inline(always)]
fn hash<const W: usize>(seeds: &[u64; W], key: &Key<W>) -> u64 {
    seeds.iter().zip(key).fold(0, |sum, (seed, word)| sum.wrapping_add(word.wrapping_mul(*seed)))
}

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
    /// What is left of a hash after a shift by so many bits chooses a line, however many there are.
    shift: u32,
    /// So that nobody can make a text whose pretokens all have one line.
    seeds: [u64; W],
    packing: Packing,
    /// How many slots were written since there are this many.
    n_written: usize,
    min_lines: usize,
    max_lines: usize,
}

impl<const W: usize, const B: usize> Table<W, B> {
    pub(super) fn new(packing: Packing, min_lines: usize, max_lines: usize) -> Self {
        let random = RandomState::new();
        let seeds = std::array::from_fn(|word| random.hash_one(word) | 1);
        Self { lines: Vec::new(), shift: 64 - max_lines.ilog2(), seeds, packing, n_written: 0, min_lines, max_lines }
    }

    /// What chooses the line of a key.
    #[inline(always)]
    fn hash(&self, key: &Key<W>) -> u64 {
        hash(&self.seeds, key)
    }

    /// What of a hash chooses a line.
    #[inline(always)]
    fn place(&self, hash: u64) -> u32 {
        halves(hash >> self.shift)[0]
    }

    #[inline(always)]
    fn index(&self, place: u32) -> usize {
        widen(place) & self.lines.len().wrapping_sub(1)
    }

    /// What asks for the lines of keys.
    #[inline(always)]
    pub(super) fn asker(&self) -> Asker<W, B> {
        Asker {
            lines: self.lines.as_ptr(),
            index: self.lines.len().wrapping_sub(1),
            shift: self.shift,
            seeds: self.seeds,
        }
    }

    /// All lines, for what [`Asker::ask`] returned: the lower part of it is the number of a line.
    #[inline(always)]
    pub(super) fn lines(&self) -> &[Line<W, B>] {
        &self.lines
    }

    /// Gives the ids of a pretoken to `sink`, if its own line has it.
    #[inline]
    pub(super) fn take_at_home(&self, place: u32, key: &Key<W>, ring: &Ring, sink: &mut impl Sink) -> Result<bool> {
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
    fn bring_home(&mut self, hash: u64, key: &Key<W>) -> Option<()> {
        let index = self.index(self.place(hash));
        let way = self.lines.get(index ^ 1)?.way(key)?;
        let [home, neighbour] = self.lines.get_disjoint_mut([index, index ^ 1]).ok()?;
        // Which of the two at home gives way is as good as chance.
        let other = usize::from(hash & 1 << 31 != 0);
        std::mem::swap(&mut home.keys[other], &mut neighbour.keys[way]);
        std::mem::swap(&mut home.packed[other], &mut neighbour.packed[way]);
        Some(())
    }

    /// Gives the ids of a pretoken to `sink`, if it is known.
    pub(super) fn take(&mut self, key: &Key<W>, ring: &Ring, sink: &mut impl Sink) -> Result<bool> {
        let hash = self.hash(key);
        if self.take_at_home(self.place(hash), key, ring, sink)? {
            return Ok(true);
        }
        match self.bring_home(hash, key) {
            Some(()) => self.take_at_home(self.place(hash), key, ring, sink),
            None => Ok(false),
        }
    }

    /// Remembers the ids of a pretoken.
    pub(super) fn insert_ids(&mut self, mut key: Key<W>, ids: &[u32], ring: &mut Ring) {
        if key == [EMPTY; W] || ids.is_empty() {
            return;
        }
        let packed = self.packing.pack(ids).or_else(|| {
            key[W - 1] |= MANY;
            pack_place(ring.push(ids), ids.len())
        });
        let Some(packed) = packed else { return };
        let hash = self.hash(&without_many(key));
        if self.n_written >= self.lines.len() && self.lines.len() < self.max_lines {
            self.grow();
        }
        self.insert(hash, key, packed);
    }

    /// Puts a key where its hash says: over itself, into a free slot, or over one that has been there.
    fn insert(&mut self, hash: u64, key: Key<W>, packed: Packed<B>) {
        let index = self.index(self.place(hash));
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

    /// Makes four times as many lines and moves what is known, which would cost far more to find out again.
    #[cold]
    fn grow(&mut self) {
        let n_lines = (4 * self.lines.len()).clamp(self.min_lines, self.max_lines);
        let lines = std::mem::replace(&mut self.lines, vec![Line::EMPTY; n_lines]);
        self.n_written = 0;
        count(n_lines);
        for line in lines {
            for (key, packed) in line.keys.into_iter().zip(line.packed) {
                if key != [EMPTY; W] {
                    self.insert(self.hash(&without_many(key)), key, packed);
                }
            }
        }
    }
}

/// What asks for the lines of keys: copies of what it takes, which a loop can keep at hand.
#[derive(Clone, Copy)]
pub(super) struct Asker<const W: usize, const B: usize> {
    pub(super) lines: *const Line<W, B>,
    /// The bits of a place that choose one of the lines.
    pub(super) index: usize,
    pub(super) shift: u32,
    pub(super) seeds: [u64; W],
}

impl<const W: usize, const B: usize> Asker<W, B> {
    /// Starts to load the line of a key, and returns what chooses it.
    #[inline(always)]
    pub(super) fn ask(&self, key: &Key<W>) -> u32 {
        let place = halves(hash(&self.seeds, key) >> self.shift)[0];
        crate::prefetch::prefetch(self.lines.wrapping_add(widen(place) & self.index));
        place
    }
}
