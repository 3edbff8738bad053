//! The table under [`Counts`](super::Counts): how often each distinct pretoken occurs, in little memory.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

use super::entries::{Entries, overflow};
use crate::error::{Error, Result};
use crate::ids::{widen, widen_u64};

/// So many entries are sorted at a time: some milliseconds of work, in the cache of a processor.
const LIST_ENTRIES: usize = 1 << 16;

/// So much text may come between two looks at the memory that a table takes.
pub(super) const SLACK: usize = 1 << 15;

/// Pretokens of up to this many bytes lie in their entry; nearly all occurrences do, and cost one cache line.
const INLINE: usize = 15;

/// Distinct pretokens and their counts.
///
/// `total_bytes`, the sum of length times count, always fits 64 bits. So does every sum of counts that training
/// forms, because each pretoken has fewer pairs than bytes: this is the one place where counts are checked.
#[derive(Clone, Default, Debug)]
pub(super) struct PretokenTable {
    short: HashTable<Short>,
    long: HashTable<Long>,
    /// The bytes of the long pretokens, end to end.
    bytes: Vec<u8>,
    /// Seeded for each table, so that no corpus can be made to collide.
    hasher: RandomState,
    total_bytes: u64,
    total_pretokens: u64,
}

#[derive(Clone, Debug)]
struct Short {
    key: Key,
    count: u64,
}

/// The bytes of a short pretoken, zeros, and its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key([u8; INLINE + 1]);

#[derive(Clone, Debug)]
struct Long {
    /// Kept because growing the table would otherwise visit all bytes again.
    hash: u64,
    start: usize,
    len: usize,
    count: u64,
}

impl PretokenTable {
    /// The number of distinct pretokens.
    pub(super) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// The sum of all counts.
    pub(super) fn total_pretokens(&self) -> u64 {
        self.total_pretokens
    }

    /// The sum of all lengths times counts.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Every distinct pretoken and its count, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let short = self.short.iter().map(|entry| (entry.key.bytes(), entry.count));
        short.chain(self.long.iter().map(|entry| (entry.bytes(&self.bytes), entry.count)))
    }

    /// The count of one pretoken.
    #[cfg(test)]
    pub(super) fn get(&self, pretoken: &[u8]) -> u64 {
        let found = match Key::new(pretoken) {
            Some(key) => self.short.find(key.hash(&self.hasher), |entry| entry.key == key).map(|entry| entry.count),
            None => {
                let hash = self.hasher.hash_one(pretoken);
                let found = self.long.find(hash, |entry| entry.hash == hash && entry.bytes(&self.bytes) == pretoken);
                found.map(|entry| entry.count)
            }
        };
        found.unwrap_or(0)
    }

    /// Adds `count` occurrences of `pretoken`, or nothing at all where the totals would not fit.
    #[inline]
    pub(super) fn add(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        if pretoken.is_empty() || count == 0 {
            return Ok(());
        }
        let total = widen_u64(pretoken.len()).checked_mul(count).and_then(|sum| sum.checked_add(self.total_bytes));
        let Some(total_bytes) = total else {
            return Err(overflow(pretoken));
        };
        match Key::new(pretoken) {
            Some(key) => self.add_short(key, count)?,
            None => self.add_long(pretoken, count)?,
        }
        self.total_bytes = total_bytes;
        // No larger than `total_bytes`, as no pretoken is empty.
        self.total_pretokens += count;
        Ok(())
    }

    /// Adds every count of `other` times `factor`, or nothing at all where the totals would not fit.
    pub(super) fn merge(&mut self, other: &Self, factor: u64) -> Result<()> {
        let more = other.total_bytes.checked_mul(factor);
        if more.is_none_or(|more| more.checked_add(self.total_bytes).is_none()) {
            return Err(other.overflow());
        }
        other.iter().try_for_each(|(pretoken, count)| self.add(pretoken, count * factor))
    }

    /// Every distinct pretoken and its count, sorted, in lists to be summed. `look_up` is called for each list.
    pub(super) fn lists(&self, mut look_up: impl FnMut() -> Result<()>) -> Result<Vec<Box<dyn Entries + '_>>> {
        let mut entries = self.iter();
        let mut lists: Vec<Box<dyn Entries + '_>> = Vec::new();
        let mut left = self.len();
        while left > 0 {
            look_up()?;
            let n = left.min(LIST_ENTRIES);
            let mut list = Vec::new();
            list.try_reserve_exact(n).map_err(|_| out_of_memory())?;
            list.extend(entries.by_ref().take(n));
            list.sort_unstable();
            lists.push(Box::new(List(list.into_iter())));
            left -= n;
        }
        Ok(lists)
    }

    /// The bytes of memory it takes.
    pub(super) fn n_bytes(&self) -> usize {
        self.short.allocation_size() + self.long.allocation_size() + self.bytes.capacity()
    }

    /// The bytes of memory it may take at most, with [`SLACK`] bytes of text more, and while it is sorted.
    pub(super) fn may_need(&self) -> usize {
        let short = growth(self.short.len(), self.short.capacity(), SLACK, self.short.allocation_size());
        let long = growth(self.long.len(), self.long.capacity(), SLACK / INLINE, self.long.allocation_size());
        let bytes = growth(self.bytes.len(), self.bytes.capacity(), SLACK, self.bytes.capacity()) / 2;
        // What the smaller tables before this one took may not have gone back to the system; sorting makes use of it.
        self.n_bytes() + self.n_bytes().max(self.len() * size_of::<(&[u8], u64)>()) + short + long + bytes
    }

    /// The bytes of memory it takes more, for a while, to hold `n_distinct` pretokens like those it has.
    pub(super) fn growth_to(&self, n_distinct: usize) -> usize {
        let times = n_distinct.div_ceil(self.len().max(1));
        if times < 2 { 0 } else { self.n_bytes().saturating_mul(times.next_power_of_two()) }
    }

    /// Forgets all counts. It keeps its memory where that leaves some of `limit` bytes to fill it.
    pub(super) fn clear(&mut self, limit: usize) {
        self.short.clear();
        self.long.clear();
        self.bytes.clear();
        (self.total_bytes, self.total_pretokens) = (0, 0);
        if self.may_need() > limit / 4 * 3 {
            *self = Self::default();
        }
    }

    /// What to say where the totals do not fit: it names the pretoken with the most bytes in all.
    pub(super) fn overflow(&self) -> Error {
        let weight = |&(pretoken, count): &(&[u8], u64)| u128::from(count) * u128::from(widen_u64(pretoken.len()));
        let heaviest = self.iter().max_by_key(|entry| (weight(entry), entry.0));
        overflow(heaviest.map_or(&[], |(pretoken, _)| pretoken))
    }

    /// Multiplies every count by `weight`, or does nothing at all where the totals would not fit.
    pub(super) fn scale(&mut self, weight: u64) -> Result<()> {
        if weight == 0 {
            *self = Self::default();
            return Ok(());
        }
        let Some(total_bytes) = self.total_bytes.checked_mul(weight) else {
            return Err(self.overflow());
        };
        self.total_bytes = total_bytes;
        self.total_pretokens *= weight;
        self.short.iter_mut().for_each(|entry| entry.count *= weight);
        self.long.iter_mut().for_each(|entry| entry.count *= weight);
        Ok(())
    }

    #[inline]
    fn add_short(&mut self, key: Key, count: u64) -> Result<()> {
        let hash = key.hash(&self.hasher);
        if let Some(entry) = self.short.find_mut(hash, |entry| entry.key == key) {
            entry.count += count;
            return Ok(());
        }
        let rehash = |entry: &Short| entry.key.hash(&self.hasher);
        self.short.try_reserve(1, rehash).map_err(|_| out_of_memory())?;
        self.short.insert_unique(hash, Short { key, count }, rehash);
        Ok(())
    }

    fn add_long(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        let hash = self.hasher.hash_one(pretoken);
        let same = |entry: &Long| entry.hash == hash && entry.bytes(&self.bytes) == pretoken;
        if let Some(entry) = self.long.find_mut(hash, same) {
            entry.count += count;
            return Ok(());
        }
        self.long.try_reserve(1, |entry| entry.hash).map_err(|_| out_of_memory())?;
        self.bytes.try_reserve(pretoken.len()).map_err(|_| out_of_memory())?;
        let entry = Long { hash, start: self.bytes.len(), len: pretoken.len(), count };
        self.bytes.extend_from_slice(pretoken);
        self.long.insert_unique(hash, entry, |entry| entry.hash);
        Ok(())
    }
}

impl Key {
    /// Packs a short pretoken with loads of fixed width: a copy of variable length costs a call and a stall.
    #[inline(always)]
    fn new(pretoken: &[u8]) -> Option<Self> {
        let len = pretoken.len();
        if len > INLINE {
            return None;
        }
        let (low, high) = if let (Some(first), Some(last)) = (pretoken.first_chunk(), pretoken.last_chunk()) {
            // The two overlap by 16 - len bytes, between 1 and 8.
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last) >> (8 * (INLINE - len)) >> 8)
        } else if let (Some(first), Some(last)) = (pretoken.first_chunk(), pretoken.last_chunk()) {
            let last = u64::from(u32::from_le_bytes(*last)) >> (8 * (8 - len));
            (u64::from(u32::from_le_bytes(*first)) | last << 32, 0)
        } else {
            (pretoken.iter().rev().fold(0, |low, &byte| low << 8 | u64::from(byte)), 0)
        };
        let high = high | widen_u64(len) << 56;
        let key = u128::from(low) | u128::from(high) << 64;
        Some(Self(key.to_le_bytes()))
    }

    #[inline(always)]
    fn hash(&self, state: &RandomState) -> u64 {
        let mut hasher = state.build_hasher();
        hasher.write_u128(u128::from_le_bytes(self.0));
        hasher.finish()
    }

    fn bytes(&self) -> &[u8] {
        let [bytes @ .., len] = &self.0;
        bytes.get(..widen(u32::from(*len))).unwrap_or_default()
    }
}

impl Long {
    fn bytes<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

/// The bytes that a list or table takes more while it grows to hold `more` items: the old and one of twice its size are there
/// together.
fn growth(len: usize, capacity: usize, more: usize, n_bytes: usize) -> usize {
    if len + more > capacity { 2 * n_bytes } else { 0 }
}

/// Entries of a table, sorted.
struct List<'t>(std::vec::IntoIter<(&'t [u8], u64)>);

impl Entries for List<'_> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        let Some((next, count)) = self.0.next() else { return Ok(None) };
        pretoken.clear();
        pretoken.try_reserve(next.len()).map_err(|_| out_of_memory())?;
        pretoken.extend_from_slice(next);
        Ok(Some(count))
    }
}

fn out_of_memory() -> Error {
    Error::memory("the counts of the pretokens")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_keeps_its_bytes() {
        let text: Vec<u8> = (1..=40).collect();
        let mut table = PretokenTable::default();
        for len in 1..=text.len() {
            table.add(&text[..len], widen_u64(len)).unwrap();
            table.add(&text[..len], 1).unwrap();
        }
        assert_eq!(table.len(), 40);
        for len in 1..=text.len() {
            assert_eq!(table.get(&text[..len]), widen_u64(len) + 1, "{len} bytes");
        }
        let mut seen: Vec<(Vec<u8>, u64)> = table.iter().map(|(bytes, count)| (bytes.to_vec(), count)).collect();
        seen.sort();
        let expected: Vec<_> = (1..=40).map(|len| (text[..len].to_vec(), widen_u64(len) + 1)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn zero_bytes_and_lengths_are_told_apart() {
        let mut table = PretokenTable::default();
        for len in 1..=15 {
            table.add(&vec![0; len], 1).unwrap();
        }
        assert_eq!(table.len(), 15);
        assert_eq!(table.get(&[0; 9]), 1);
        assert_eq!(table.get(&[0; 16]), 0);
    }

    #[test]
    fn sums_that_do_not_fit_are_refused_by_name_and_change_nothing() {
        let mut table = PretokenTable::default();
        table.add(b"abc", u64::MAX / 3).unwrap();
        let error = table.add(b"xyz", 1).unwrap_err();
        assert!(error.is_training() && error.to_string().contains("xyz"), "{error}");
        assert_eq!((table.len(), table.total_bytes()), (1, u64::MAX));

        let mut other = PretokenTable::default();
        other.add(b"q", 1).unwrap();
        assert!(other.merge(&table, 1).unwrap_err().to_string().contains("abc"));
        assert_eq!(other.total_bytes(), 1);
        assert!(table.scale(2).unwrap_err().to_string().contains("abc"));
        assert_eq!(table.get(b"abc"), u64::MAX / 3);
    }

    #[test]
    fn scaling_multiplies_counts_and_totals() {
        let mut table = PretokenTable::default();
        table.add(b"ab", 3).unwrap();
        table.add(b"a pretoken that is long", 2).unwrap();
        table.scale(5).unwrap();
        assert_eq!((table.get(b"ab"), table.get(b"a pretoken that is long")), (15, 10));
        assert_eq!((table.total_pretokens(), table.total_bytes()), (25, 30 + 230));
        table.scale(0).unwrap();
        assert_eq!((table.len(), table.total_bytes()), (0, 0));
    }
}
