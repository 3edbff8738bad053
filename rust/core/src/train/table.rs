//! The table under [`Counts`](super::Counts): how often each distinct pretoken occurs, in little memory.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::entries::{Entries, overflow};
use super::short_counts::ShortCounts;
use crate::error::{Error, Result};
use crate::ids::widen_u64;
use crate::keys::{BATCH, EMPTY, Key, MAX_SHORT, Pretoken, ROOM, is_too_long, make_keys};
use crate::pretokenize::Tier;

/// So many entries are sorted at a time: some milliseconds of work, in the cache of a processor.
const LIST_ENTRIES: usize = 1 << 16;

/// So much text may come between two looks at the memory that a table takes.
pub(super) const SLACK: usize = 1 << 15;

/// Distinct pretokens and their counts.
///
/// `total_bytes`, the sum of length times count, always fits 64 bits. So does every sum of counts that training
/// forms, because each pretoken has fewer pairs than bytes: this is the one place where counts are checked.
#[derive(Clone, Default, Debug)]
pub(super) struct PretokenTable {
    short: ShortCounts,
    long: HashTable<Long>,
    /// The bytes of the long pretokens, end to end.
    bytes: Vec<u8>,
    /// Seeded for each table, so that no corpus can be made to collide.
    hasher: RandomState,
    total_bytes: u64,
    total_pretokens: u64,
}

#[derive(Clone, Debug)]
struct Long {
    /// Kept because growing the table would otherwise visit all bytes again.
    hash: u64,
    start: usize,
    len: usize,
    count: u64,
}

/// Work memory of [`PretokenTable::add_all`]: making it would take longer than to add a few pretokens.
pub(super) struct Work {
    tier: Tier,
    keys: [Key<2>; ROOM],
    places: [u32; ROOM],
}

impl Default for Work {
    fn default() -> Self {
        Self { tier: Tier::current(), keys: [[EMPTY; 2]; ROOM], places: [0; ROOM] }
    }
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
        self.short.iter().chain(self.long.iter().map(|entry| (entry.bytes(&self.bytes), entry.count)))
    }

    /// The count of one pretoken.
    #[cfg(test)]
    pub(super) fn get(&self, pretoken: &[u8]) -> u64 {
        let key = Pretoken::whole(pretoken).key();
        if !is_too_long(&key) {
            return self.short.get(&key);
        }
        let hash = self.hasher.hash_one(pretoken);
        let found = self.long.find(hash, |entry| entry.hash == hash && entry.bytes(&self.bytes) == pretoken);
        found.map_or(0, |entry| entry.count)
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
        let key = Pretoken::whole(pretoken).key();
        if is_too_long(&key) {
            self.add_long(pretoken, count)?;
        } else {
            self.short.add(&key, count)?;
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
        self.reserve(other)?;
        other.iter().try_for_each(|(pretoken, count)| self.add(pretoken, count * factor))
    }

    /// Makes room for all that is in `other`.
    ///
    /// Into a table that grows meanwhile, the entries of one with the same seeds, as a clone has, would come in the order of
    /// their places: all of them into its first part, each behind all the others.
    pub(super) fn reserve(&mut self, other: &Self) -> Result<()> {
        self.short.reserve(other.short.len())?;
        self.long.try_reserve(other.long.len(), |entry| entry.hash).map_err(|_| out_of_memory())?;
        self.bytes.try_reserve(other.bytes.len()).map_err(|_| out_of_memory())
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
        self.short.n_bytes() + self.long.allocation_size() + self.bytes.capacity()
    }

    /// The bytes of memory it may take at most, with [`SLACK`] bytes of text more, and while it is sorted.
    pub(super) fn may_need(&self) -> usize {
        let short = growth(self.short.len(), self.short.capacity(), SLACK, self.short.n_bytes());
        let long = growth(self.long.len(), self.long.capacity(), SLACK / MAX_SHORT, self.long.allocation_size());
        let bytes = growth(self.bytes.len(), self.bytes.capacity(), SLACK, self.bytes.capacity()) / 2;
        // What the smaller tables before this one took may not have gone back to the system; sorting makes use of it.
        self.n_bytes() + self.n_bytes().max(self.len() * size_of::<(&[u8], u64)>()) + short + long + bytes
    }

    /// The bytes of memory it takes more, for a while, to hold `n_distinct` pretokens like those it has.
    pub(super) fn growth_to(&self, n_distinct: usize) -> usize {
        let times = n_distinct.div_ceil(self.len().max(1));
        if times < 2 { 0 } else { self.n_bytes().saturating_mul(times.next_power_of_two()) }
    }

    /// The bytes of memory it takes more, for a while, to hold `other` besides, as if they had nothing in common.
    pub(super) fn growth_with(&self, other: &Self) -> usize {
        let n_distinct = self.len() + other.len();
        if self.len() >= other.len() {
            return self.growth_to(n_distinct);
        }
        // What this table has is too little to tell by, or nothing.
        other.n_bytes().saturating_mul(n_distinct.div_ceil(other.len()))
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
        self.short.scale(weight);
        self.long.iter_mut().for_each(|entry| entry.count *= weight);
        Ok(())
    }

    /// Adds `count` occurrences of each of consecutive pretokens of `text`, the first from `start` on; as
    /// [`add`](Self::add).
    #[inline]
    pub(super) fn add_all(
        &mut self,
        work: &mut Work,
        text: &[u8],
        mut start: usize,
        ends: &[usize],
        count: u64,
    ) -> Result<()> {
        let Work { tier, keys, places } = work;
        for ends in ends.chunks(BATCH) {
            let n_bytes = ends.last().map_or(0, |end| end - start);
            let total = widen_u64(n_bytes).checked_mul(count).and_then(|sum| sum.checked_add(self.total_bytes));
            let Some(total_bytes) = total else {
                // One of them is too much.
                for &end in ends {
                    self.add(text.get(start..end).unwrap_or_default(), count)?;
                    start = end;
                }
                continue;
            };
            self.short.reserve(BATCH)?;
            make_keys(*tier, self.short.places(), self.short.fetch(), text, start, ends, (keys, places));
            for (&end, (key, &place)) in ends.iter().zip(keys.iter().zip(&*places)) {
                if is_too_long(key) {
                    self.add_long(text.get(start..end).unwrap_or_default(), count)?;
                } else {
                    self.short.add_at(place, key, count);
                }
                start = end;
            }
            self.total_bytes = total_bytes;
            self.total_pretokens += widen_u64(ends.len()) * count;
        }
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

pub(super) fn out_of_memory() -> Error {
    Error::memory("the counts of the pretokens")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn many_at_a_time_are_as_one_at_a_time() {
        let text: Vec<u8> =
            (0..60_000_u32).map(|i| (i.wrapping_mul(i).wrapping_mul(2_654_435_769) >> 30) as u8).collect();
        let ends: Vec<usize> =
            (1..text.len()).filter(|i| (i * i) % 11 < 3 || i % 13 == 0).chain([text.len()]).collect();
        let (mut many, mut one) = (PretokenTable::default(), PretokenTable::default());
        let (mut work, mut start) = (Work::default(), 0);
        for ends in ends.chunks(150) {
            many.add_all(&mut work, &text, start, ends, 3).unwrap();
            for &end in ends {
                one.add(&text[start..end], 3).unwrap();
                start = end;
            }
        }
        let sorted = |table: &PretokenTable| {
            let mut entries: Vec<_> = table.iter().map(|(bytes, count)| (bytes.to_vec(), count)).collect();
            entries.sort();
            entries
        };
        assert!(many.len() > 2_000 && many.long.len() == one.long.len());
        assert_eq!((sorted(&many), many.total_bytes()), (sorted(&one), one.total_bytes()));
        assert_eq!((many.len(), many.total_pretokens()), (one.len(), one.total_pretokens()));

        // What does not fit is refused by name, and what is before it counts.
        let mut table = PretokenTable::default();
        table.add(b"x", u64::MAX - 2).unwrap();
        let error = table.add_all(&mut work, b"abcde", 0, &[2, 5], 1).unwrap_err();
        assert!(error.to_string().contains("cde"), "{error}");
        assert_eq!((table.get(b"ab"), table.get(b"cde")), (1, 0));
    }

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
    fn a_table_with_the_same_seeds_is_merged_as_fast_as_it_was_filled() {
        let mut ours = PretokenTable::default();
        ours.add(b"x", 1).unwrap();
        let mut other = ours.clone();
        let start = Instant::now();
        for i in 0..90_000_u32 {
            other.add(&i.to_le_bytes(), 1).unwrap();
        }
        let filled = start.elapsed();
        let start = Instant::now();
        ours.merge(&other, 1).unwrap();
        let merged = start.elapsed();
        assert_eq!((ours.len(), ours.get(b"x")), (90_001, 2));
        // Each behind all the others takes hundreds of times as long.
        assert!(merged < 20 * filled, "{merged:?} to merge, {filled:?} to fill");
    }

    #[test]
    fn after_room_was_made_merging_takes_no_more_memory() {
        let (mut ours, mut other) = (PretokenTable::default(), PretokenTable::default());
        for i in 0..5_000_u32 {
            ours.add(&(i / 2).to_be_bytes(), 1).unwrap();
            other.add(&i.to_le_bytes(), 1).unwrap();
            other.add(format!("{i} and a few bytes more").as_bytes(), 1).unwrap();
        }
        ours.reserve(&other).unwrap();
        let n_bytes = ours.n_bytes();
        ours.merge(&other, 1).unwrap();
        assert_eq!((ours.n_bytes(), ours.total_bytes()), (n_bytes, 20_000 + other.total_bytes()));
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
