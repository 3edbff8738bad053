//! What is remembered of recent pretokens: their ids, by their bytes.
//!
//! Up to 15 bytes make a key of two words, up to 31 one of four; the length lies in the last byte, so equal keys are equal
//! pretokens and a hit is exact. Each size of key has a [`Table`] of its own; longer pretokens are few, and lie in a map.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;

use super::sink::{ROOM, Sink};
use crate::counters::count;
use crate::error::Result;
use crate::ids::{fold_multiply, halves, narrow, widen, widen_u64};

/// The bytes of a pretoken and their number, which is the last byte.
pub(super) type Key<const W: usize> = [u64; W];

/// The longest pretoken that a key of two words holds.
pub(super) const MAX_SHORT: usize = 15;

/// The longest pretoken that a key of four words holds.
pub(super) const MAX_MEDIUM: usize = 31;

/// The key of no pretoken: what an empty slot holds.
const EMPTY: u64 = 0;

/// By length: what to keep of 16 bytes, and the length as the last of them. Of more than 15 bytes nothing is kept.
static SHORT_PARTS: [[u64; 4]; 17] = {
    let mut parts = [[0; 4]; 17];
    let mut length = 1;
    while length <= MAX_SHORT {
        parts[length] = [low_bytes(length), low_bytes(length.saturating_sub(8)), 0, widen_u64(length) << 56];
        length += 1;
    }
    parts
};

/// A mask of the lowest `n` bytes of a word.
const fn low_bytes(n: usize) -> u64 {
    if n < 8 { (1 << (8 * n)) - 1 } else { !0 }
}

/// What is looked for: a pretoken of a text, or a segment, which is a part of one between safe cuts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pretoken<'t> {
    pub(super) text: &'t [u8],
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether the same bytes may have other ids as a whole pretoken.
    pub(super) is_segment: bool,
}

impl<'t> Pretoken<'t> {
    pub(super) fn bytes(self) -> &'t [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Its key of two words, or the empty key where it is longer than [`MAX_SHORT`].
    ///
    /// Where the text goes on, 16 bytes are loaded and masked, without a branch on the length.
    #[inline(always)]
    pub(super) fn short_key(self) -> Key<2> {
        let Some(window) = self.text.get(self.start..).and_then(<[u8]>::first_chunk::<16>) else { return self.key() };
        let [kept_low, kept_high, _, length] = SHORT_PARTS[(self.end - self.start).min(MAX_SHORT + 1)];
        let [low, high] = window.as_chunks::<8>().0 else { return [EMPTY; 2] };
        let [low, high] = [u64::from_le_bytes(*low), u64::from_le_bytes(*high)];
        [low & kept_low, high & kept_high | length | u64::from(self.is_segment && length != 0) << 63]
    }

    /// Its key of any number of words, or the empty key where it is too long.
    #[inline]
    fn key<const W: usize>(self) -> Key<W> {
        let mut key = [EMPTY; W];
        let length = self.end - self.start;
        if length == 0 || length >= 8 * W {
            return key;
        }
        let mut padded = [[0; 8]; W];
        let rest = self.text.get(self.start..).unwrap_or_default();
        let words = match rest.as_chunks::<8>().0.first_chunk::<W>() {
            Some(words) => words,
            None => {
                padded.as_flattened_mut().iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
                &padded
            }
        };
        for (index, (word, bytes)) in key.iter_mut().zip(words).enumerate() {
            *word = u64::from_le_bytes(*bytes) & low_bytes(length.saturating_sub(8 * index));
        }
        key[W - 1] |= widen_u64(length) << 56 | u64::from(self.is_segment) << 63;
        key
    }
}

/// The ids of a pretoken as a slot keeps them: up to `N`, which have 24 bits; the high byte of the last says how many. Or,
/// where that is [`MANY`], where in the ring they start, in two halves, and how many there are.
pub(super) type Packed<const N: usize> = [u32; N];

/// Stands for a number of ids that do not fit a slot.
const MANY: u32 = 0xFF;

/// What of the last place is an id.
pub(super) const ID_BITS: u32 = 0x00FF_FFFF;

/// How many ids are packed, or more than `N` where they lie in the ring.
#[inline(always)]
pub(super) fn n_packed<const N: usize>(packed: &Packed<N>) -> usize {
    widen(packed[N - 1] >> 24)
}

/// Two slots that are looked at together; those of short keys fill a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line<const W: usize, const N: usize> {
    keys: [Key<W>; 2],
    packed: [Packed<N>; 2],
}

impl<const W: usize, const N: usize> Line<W, N> {
    const EMPTY: Self = Self { keys: [[EMPTY; W]; 2], packed: [[0; N]; 2] };
}

/// Pretokens by keys of `W` words, each in the line that its hash says or in that line's neighbour.
#[derive(Debug)]
pub(super) struct Table<const W: usize, const N: usize> {
    /// A power of two of them, or none.
    lines: Vec<Line<W, N>>,
    /// So that nobody can make a text whose pretokens all have one line.
    seeds: [u64; 2],
    /// How many slots were written since there are this many.
    n_written: usize,
    min_lines: usize,
    max_lines: usize,
}

impl<const W: usize, const N: usize> Table<W, N> {
    fn new(min_lines: usize, max_lines: usize) -> Self {
        let random = RandomState::new();
        let seeds = [random.hash_one(0), random.hash_one(1)];
        Self { lines: Vec::new(), seeds, n_written: 0, min_lines, max_lines }
    }

    /// What chooses the line of a key.
    #[inline(always)]
    pub(super) fn hash(&self, key: &Key<W>) -> u64 {
        let mut hash = 0;
        for [low, high] in key.as_chunks().0 {
            hash = fold_multiply(hash ^ low ^ self.seeds[0], high ^ self.seeds[1]);
        }
        hash
    }

    #[inline(always)]
    fn index(&self, hash: u64) -> usize {
        usize::try_from(hash).unwrap_or(0) & self.lines.len().wrapping_sub(1)
    }

    /// Starts to load the line of a key.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(line) = self.lines.get(self.index(hash)) {
            super::prefetch::prefetch(line);
        }
    }

    /// What is known of a pretoken, if its own line has it.
    #[inline(always)]
    fn at_home(&self, hash: u64, key: &Key<W>) -> Option<&Packed<N>> {
        let line = self.lines.get(self.index(hash))?;
        let [first, second] = [line.keys[0] == *key, line.keys[1] == *key];
        (first | second).then(|| &line.packed[usize::from(second)])
    }

    /// What is known of a pretoken, if the neighbour of its own line has it; then it moves home.
    #[inline]
    fn next_door(&mut self, hash: u64, key: &Key<W>) -> Option<Packed<N>> {
        let index = self.index(hash);
        let way = self.lines.get(index ^ 1)?.keys.iter().position(|known| known == key)?;
        let [home, neighbour] = self.lines.get_disjoint_mut([index, index ^ 1]).ok()?;
        // Which of the two at home gives way is as good as chance.
        let other = usize::from(hash >> 63 == 1);
        std::mem::swap(&mut home.keys[other], &mut neighbour.keys[way]);
        std::mem::swap(&mut home.packed[other], &mut neighbour.packed[way]);
        Some(home.packed[other])
    }

    /// Gives the ids of a pretoken to `sink`, if it is known.
    fn take(&mut self, key: &Key<W>, ring: &Ring, sink: &mut impl Sink) -> Result<bool> {
        let hash = self.hash(key);
        let Some(packed) = self.at_home(hash, key).copied().or_else(|| self.next_door(hash, key)) else {
            return Ok(false);
        };
        match n_packed(&packed) {
            0 => Ok(false),
            n if n <= N => {
                let mut ids = packed;
                ids[N - 1] &= ID_BITS;
                if let Some(places) = sink.room().first_chunk_mut() {
                    *places = ids;
                }
                sink.took(n).map(|()| true)
            }
            _ => ring.take(&packed, sink),
        }
    }

    /// Remembers the ids of a pretoken.
    fn insert_ids(&mut self, key: Key<W>, ids: &[u32], ring: &mut Ring) {
        let Some(n_ids) = narrow(ids.len()).filter(|_| key != [EMPTY; W]) else { return };
        let mut packed = [0; N];
        if ids.len() <= N {
            packed[..ids.len()].copy_from_slice(ids);
            packed[N - 1] |= n_ids << 24;
        } else {
            let [low, high] = halves(ring.push(ids));
            (packed[0], packed[1], packed[2], packed[N - 1]) = (low, high, n_ids, MANY << 24);
        }
        let hash = self.hash(&key);
        if self.n_written >= self.lines.len() && self.lines.len() < self.max_lines {
            self.grow();
        }
        self.insert(hash, key, packed);
    }

    /// Puts a key where its hash says: over itself, into a free slot, or over one that has been there.
    fn insert(&mut self, hash: u64, key: Key<W>, packed: Packed<N>) {
        let index = self.index(hash);
        let free = [index, index ^ 1].into_iter().find_map(|index| {
            let keys = &self.lines.get(index)?.keys;
            let way = keys
                .iter()
                .position(|known| *known == key)
                .or_else(|| keys.iter().position(|known| *known == [EMPTY; W]))?;
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
                    self.insert(self.hash(&key), key, packed);
                }
            }
        }
    }
}

/// The ids of pretokens that have many, the oldest overwritten first.
#[derive(Debug, Default)]
struct Ring {
    ids: Vec<u32>,
    /// How many ids were ever written.
    end: u64,
}

impl Ring {
    /// 1 MiB.
    const LENGTH: usize = 1 << 18;

    fn push(&mut self, ids: &[u32]) -> u64 {
        if self.ids.is_empty() {
            self.ids = vec![0; Self::LENGTH + ROOM];
        }
        let mut start = self.index(self.end);
        if start + ids.len() > Self::LENGTH {
            self.end += widen_u64(Self::LENGTH - start);
            start = 0;
        }
        let at = self.end;
        if let Some(slots) = self.ids.get_mut(start..start + ids.len()) {
            slots.copy_from_slice(ids);
            self.end += widen_u64(ids.len());
        }
        at
    }

    /// Gives the ids that are packed as lying here to `sink`, unless they were overwritten since.
    #[inline]
    fn take<const N: usize>(&self, packed: &Packed<N>, sink: &mut impl Sink) -> Result<bool> {
        let at = u64::from(packed[0]) | u64::from(packed[1]) << 32;
        let n_ids = widen(packed[2]);
        if self.end - at > widen_u64(Self::LENGTH) {
            return Ok(false);
        }
        let room = sink.room();
        let Some(ids) = self.ids.get(self.index(at)..).and_then(<[u32]>::first_chunk::<ROOM>) else { return Ok(false) };
        // Sixteen, some of them in vain; seldom there are more.
        room[..16].copy_from_slice(&ids[..16]);
        if n_ids > 16 {
            room[16..].copy_from_slice(&ids[16..]);
        }
        sink.took(n_ids).map(|()| true)
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at).unwrap_or(0) & (Self::LENGTH - 1)
    }
}

/// Recently encoded pretokens.
#[derive(Debug)]
pub(super) struct Cache {
    /// From 128 KiB to 8 MiB: English has some hundred thousand words.
    pub(super) short: Table<2, 4>,
    /// From 64 KiB to 4 MiB.
    medium: Table<4, 8>,
    ring: Ring,
    long: HashMap<Box<[u8]>, Box<[u32]>, foldhash::fast::RandomState>,
    long_bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            short: Table::new(1 << 11, 1 << 17),
            medium: Table::new(1 << 9, 1 << 15),
            ring: Ring::default(),
            long: HashMap::default(),
            long_bytes: 0,
        }
    }
}

impl Cache {
    /// What the long pretokens and their ids may take; then they are all forgotten.
    const MAX_LONG_BYTES: usize = 1 << 20;

    /// Gives the ids of a short pretoken to `sink`, if its own line has it.
    #[inline(always)]
    pub(super) fn take_at_home(&self, hash: u64, key: &Key<2>, sink: &mut impl Sink) -> Result<bool> {
        count(1);
        let Some(packed) = self.short.at_home(hash, key) else { return Ok(false) };
        // The empty key is that of empty slots, which have no ids.
        match n_packed(packed) {
            1..=4 => {
                sink.take_packed(packed);
                Ok(true)
            }
            0 => Ok(false),
            _ => self.ring.take(packed, sink),
        }
    }

    /// Gives the ids of a pretoken to `sink`, if it was seen lately.
    #[inline]
    pub(super) fn take(&mut self, pretoken: Pretoken<'_>, sink: &mut impl Sink) -> Result<bool> {
        let n_bytes = pretoken.end - pretoken.start;
        count(n_bytes);
        match n_bytes {
            0..=MAX_SHORT => self.short.take(&pretoken.key(), &self.ring, sink),
            16..=MAX_MEDIUM => self.medium.take(&pretoken.key(), &self.ring, sink),
            _ => {
                let known = if pretoken.is_segment { None } else { self.long.get(pretoken.bytes()) };
                known.map_or(Ok(false), |ids| sink.take(ids).map(|()| true))
            }
        }
    }

    /// Remembers the ids of a pretoken.
    pub(super) fn insert(&mut self, pretoken: Pretoken<'_>, ids: &[u32]) {
        match pretoken.end - pretoken.start {
            0..=MAX_SHORT => self.short.insert_ids(pretoken.key(), ids, &mut self.ring),
            16..=MAX_MEDIUM => self.medium.insert_ids(pretoken.key(), ids, &mut self.ring),
            // One that is so long is not seen again soon.
            n_bytes if pretoken.is_segment || n_bytes > Self::MAX_LONG_BYTES / 64 => {}
            n_bytes => {
                // An entry takes some memory besides its bytes and ids.
                let cost = 64 + n_bytes + 4 * ids.len();
                if self.long_bytes + cost > Self::MAX_LONG_BYTES {
                    self.long.clear();
                    self.long_bytes = 0;
                }
                self.long_bytes += cost;
                self.long.insert(pretoken.bytes().into(), ids.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::Collect;
    use super::*;

    fn whole(text: &[u8]) -> Pretoken<'_> {
        Pretoken { text, start: 0, end: text.len(), is_segment: false }
    }

    fn known(cache: &mut Cache, pretoken: Pretoken<'_>) -> Option<Vec<u32>> {
        let mut sink = Collect::new(Vec::new());
        let is_known = cache.take(pretoken, &mut sink).unwrap();
        is_known.then_some(sink.ids)
    }

    #[test]
    fn keys_are_the_bytes_and_their_number() {
        let text: Vec<u8> = (1..=60).collect();
        for length in 1..=40 {
            let mut padded = [0; 32];
            let size = if length <= MAX_SHORT { 16 } else { 32 };
            if length <= MAX_MEDIUM {
                padded[..length].copy_from_slice(&text[3..3 + length]);
                padded[size - 1] = u8::try_from(length).unwrap();
            }
            let expected: Vec<u64> =
                padded[..size].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
            for text in [&text[..], &text[..3 + length]] {
                let pretoken = Pretoken { text, start: 3, end: 3 + length, is_segment: false };
                let short = if length <= MAX_SHORT { [expected[0], expected[1]] } else { [0; 2] };
                assert_eq!([pretoken.short_key(), pretoken.key()], [short; 2]);
                if length > MAX_SHORT {
                    assert_eq!(pretoken.key::<4>()[..], expected[..]);
                }
                let segment = Pretoken { is_segment: true, ..pretoken };
                assert_eq!(segment.short_key(), segment.key());
                assert_eq!(segment.short_key() == short, length > MAX_SHORT);
            }
        }
    }

    #[test]
    fn tells_apart_what_differs_in_zeros_or_in_being_a_segment() {
        let mut cache = Cache::default();
        let pretokens = [&b"a"[..], b"a\0", b"\0", b"\0\0", &[0; 15], &[0; 16], &[0; 31], &[0; 32], &[1; 32]];
        for (id, pretoken) in (0..).zip(pretokens) {
            let (pretoken, segment) = (whole(pretoken), Pretoken { is_segment: true, ..whole(pretoken) });
            assert_eq!(known(&mut cache, pretoken), None);
            cache.insert(pretoken, &[id]);
            assert_eq!(known(&mut cache, segment), None);
            cache.insert(segment, &[id + 100]);
        }
        for (id, pretoken) in (0..).zip(pretokens) {
            let segment = Pretoken { is_segment: true, ..whole(pretoken) };
            assert_eq!(known(&mut cache, whole(pretoken)), Some(vec![id]));
            assert_eq!(known(&mut cache, segment), (pretoken.len() <= MAX_MEDIUM).then(|| vec![id + 100]));
        }
    }

    /// What is remembered may be forgotten, but what is found is right; and nothing grows without end.
    #[test]
    fn is_right_and_bounded_whatever_it_is_shown() {
        let mut cache = Cache::default();
        let mut found = [0; 3];
        for number in 0..600_000_u32 {
            let length = [4, 20, 40][widen(number % 3)];
            let pretoken = |number: u32| number.to_le_bytes().repeat(length / 4);
            let ids = |number: u32| vec![number; 1 + widen(number / 3 % 13)];
            cache.insert(whole(&pretoken(number)), &ids(number));
            assert_eq!(known(&mut cache, whole(&pretoken(number))), Some(ids(number)));
            let earlier = number - number.min(3 * (number / 9));
            if let Some(known) = known(&mut cache, whole(&pretoken(earlier))) {
                assert_eq!(known, ids(earlier));
                found[widen(earlier % 3)] += 1;
            }
        }
        assert!(found.iter().all(|&found| found > 1_000), "{found:?}");
        assert_eq!([cache.short.lines.len(), cache.medium.lines.len()], [1 << 17, 1 << 15]);
        assert!(cache.long_bytes <= Cache::MAX_LONG_BYTES && cache.ring.ids.len() == Ring::LENGTH + ROOM);
    }
}
