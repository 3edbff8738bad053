//! What is remembered of recent pretokens: their ids, by their bytes.
//!
//! Up to 15 bytes make a key of two words, up to 31 one of four; the length lies in the last byte, so equal keys are equal
//! pretokens and a hit is exact. Each size of key has a [`Table`] of its own; longer pretokens are few, and lie in a map.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;

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
        let mut byte = 0;
        while byte < length {
            parts[length][byte / 8] |= 0xFF << (byte % 8 * 8);
            byte += 1;
        }
        parts[length][3] = widen_u64(length) << 56;
        length += 1;
    }
    parts
};

/// The key of `text[start..end]`, which is not empty; the empty key where it is longer than [`MAX_SHORT`].
///
/// Where the text goes on, 16 bytes are loaded and masked, without a branch on the length.
#[inline(always)]
pub(super) fn short_key(text: &[u8], start: usize, end: usize) -> Key<2> {
    let Some(window) = text.get(start..).and_then(<[u8]>::first_chunk::<16>) else {
        return key(text.get(start..end).unwrap_or_default(), false);
    };
    let [kept_low, kept_high, _, length] = SHORT_PARTS[(end - start).min(MAX_SHORT + 1)];
    let [low, high] = window.as_chunks::<8>().0 else { return [EMPTY; 2] };
    let [low, high] = [u64::from_le_bytes(*low), u64::from_le_bytes(*high)];
    [low & kept_low, high & kept_high | length]
}

/// The key of a pretoken, or of a segment: the same bytes as a part of a longer pretoken. Where no key of this size holds
/// it, the empty key.
#[inline]
fn key<const W: usize>(pretoken: &[u8], is_segment: bool) -> Key<W> {
    let mut key = [EMPTY; W];
    if pretoken.is_empty() || pretoken.len() >= 8 * W {
        return key;
    }
    let (whole, rest) = pretoken.as_chunks::<8>();
    for (word, bytes) in key.iter_mut().zip(whole) {
        *word = u64::from_le_bytes(*bytes);
    }
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
    key[whole.len()] = u64::from_le_bytes(last);
    key[W - 1] |= widen_u64(pretoken.len()) << 56 | u64::from(is_segment) << 63;
    key
}

/// The key of the same bytes as a segment.
#[inline]
pub(super) fn of_segment([low, high]: Key<2>) -> Key<2> {
    // The empty key remains empty: it has no length.
    [low, if high == EMPTY { EMPTY } else { high | 1 << 63 }]
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

    /// The ids of a pretoken, if its own line has it and they lie there: then there is one at least.
    #[inline(always)]
    pub(super) fn few(&self, hash: u64, key: &Key<W>) -> Option<&Packed<N>> {
        // The empty key is that of empty slots, which have no ids.
        self.at_home(hash, key).filter(|packed| n_packed(packed).wrapping_sub(1) < N)
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

    /// Appends the ids of a pretoken to `out`, if it is known.
    fn append(&mut self, key: &Key<W>, ring: &Ring, out: &mut Vec<u32>) -> bool {
        let hash = self.hash(key);
        let Some(packed) = self.at_home(hash, key).copied().or_else(|| self.next_door(hash, key)) else { return false };
        let n_ids = n_packed(&packed);
        if n_ids <= N {
            let mut ids = packed;
            ids[N - 1] &= ID_BITS;
            out.extend_from_slice(&ids[..n_ids]);
            return true;
        }
        let at = u64::from(packed[0]) | u64::from(packed[1]) << 32;
        match ring.get(at, widen(packed[2])) {
            Some(ids) => {
                out.extend_from_slice(ids);
                true
            }
            None => false,
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
            self.ids = vec![0; Self::LENGTH];
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

    /// The ids written there, unless they were overwritten since.
    fn get(&self, at: u64, n: usize) -> Option<&[u32]> {
        if self.end - at > widen_u64(Self::LENGTH) {
            return None;
        }
        let start = self.index(at);
        self.ids.get(start..start + n)
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

    /// Appends the ids of a pretoken to `out`, if it was seen lately. It may be a segment: a part of a longer pretoken.
    pub(super) fn append(&mut self, pretoken: &[u8], is_segment: bool, out: &mut Vec<u32>) -> bool {
        match pretoken.len() {
            0..=MAX_SHORT => self.short.append(&key(pretoken, is_segment), &self.ring, out),
            16..=MAX_MEDIUM => self.medium.append(&key(pretoken, is_segment), &self.ring, out),
            _ => match self.long.get(pretoken).filter(|_| !is_segment) {
                Some(ids) => {
                    out.extend_from_slice(ids);
                    true
                }
                None => false,
            },
        }
    }

    /// Remembers the ids of a pretoken.
    pub(super) fn insert(&mut self, pretoken: &[u8], is_segment: bool, ids: &[u32]) {
        match pretoken.len() {
            0..=MAX_SHORT => self.short.insert_ids(key(pretoken, is_segment), ids, &mut self.ring),
            16..=MAX_MEDIUM => self.medium.insert_ids(key(pretoken, is_segment), ids, &mut self.ring),
            // One that is so long is not seen again soon.
            n_bytes if is_segment || n_bytes > Self::MAX_LONG_BYTES / 64 => {}
            n_bytes => {
                // An entry takes about as much again as its bytes, and its ids no more than four times as many.
                let cost = 64 + n_bytes + 4 * ids.len();
                if self.long_bytes + cost > Self::MAX_LONG_BYTES {
                    self.long.clear();
                    self.long_bytes = 0;
                }
                self.long_bytes += cost;
                self.long.insert(pretoken.into(), ids.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &mut Cache, pretoken: &[u8], is_segment: bool) -> Option<Vec<u32>> {
        let mut ids = Vec::new();
        cache.append(pretoken, is_segment, &mut ids).then_some(ids)
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
            let short = if length <= MAX_SHORT { [expected[0], expected[1]] } else { [0; 2] };
            for text in [&text[..], &text[..3 + length]] {
                assert_eq!(short_key(text, 3, 3 + length), short);
                assert_eq!(key::<2>(&text[3..3 + length], false), short);
            }
            if length > MAX_SHORT {
                assert_eq!(key::<4>(&text[3..3 + length], false)[..], expected[..]);
            }
        }
    }

    #[test]
    fn tells_apart_what_differs_in_zeros_or_in_being_a_segment() {
        let mut cache = Cache::default();
        let pretokens = [&b"a"[..], b"a\0", b"\0", b"\0\0", &[0; 15], &[0; 16], &[0; 31], &[0; 32], &[1; 32]];
        for (id, pretoken) in (0..).zip(pretokens) {
            assert_eq!(known(&mut cache, pretoken, false), None);
            cache.insert(pretoken, false, &[id]);
            assert_eq!(known(&mut cache, pretoken, true), None);
            cache.insert(pretoken, true, &[id + 100]);
        }
        for (id, pretoken) in (0..).zip(pretokens) {
            assert_eq!(known(&mut cache, pretoken, false), Some(vec![id]));
            assert_eq!(known(&mut cache, pretoken, true), (pretoken.len() <= MAX_MEDIUM).then(|| vec![id + 100]));
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
            cache.insert(&pretoken(number), false, &ids(number));
            assert_eq!(known(&mut cache, &pretoken(number), false), Some(ids(number)));
            let earlier = number - number.min(3 * (number / 9));
            if let Some(known) = known(&mut cache, &pretoken(earlier), false) {
                assert_eq!(known, ids(earlier));
                found[widen(earlier % 3)] += 1;
            }
        }
        assert!(found.iter().all(|&found| found > 1_000), "{found:?}");
        assert_eq!([cache.short.lines.len(), cache.medium.lines.len()], [1 << 17, 1 << 15]);
        assert!(cache.long_bytes <= Cache::MAX_LONG_BYTES && cache.ring.ids.len() == Ring::LENGTH);
    }
}
