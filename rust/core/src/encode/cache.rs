//! What is remembered of recent pretokens: their ids, by their bytes.
//!
//! Each size of [key](super::key) has a table of its own; longer pretokens are few, and lie in a map.

use hashbrown::HashMap;

use super::packed::Packing;
use super::ring::Ring;
use super::sink::Sink;
use super::table::Table;
use crate::counters::count;
use crate::error::Result;
use crate::keys::{Key, MAX_MEDIUM, MAX_SHORT, Pretoken};

/// Recently encoded pretokens.
#[derive(Debug)]
pub(super) struct Cache {
    /// From 128 KiB to 16 MiB: English has some hundred thousand words, which seldom meet in a line of so many.
    pub(super) short: Table<2, 16>,
    /// From 64 KiB to 4 MiB.
    medium: Table<4, 32>,
    pub(super) packing: Packing,
    ring: Ring,
    long: HashMap<Box<[u8]>, Box<[u32]>, foldhash::fast::RandomState>,
    long_bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(Packing::default())
    }
}

impl Cache {
    /// One that knows nothing.
    pub(super) fn new(packing: Packing) -> Self {
        Self {
            short: Table::new(packing, 1 << 11, 1 << 18),
            medium: Table::new(packing, 1 << 9, 1 << 15),
            packing,
            ring: Ring::default(),
            long: HashMap::default(),
            long_bytes: 0,
        }
    }
}

impl Cache {
    /// What the long pretokens and their ids may take; then they are all forgotten.
    const MAX_LONG_BYTES: usize = 1 << 20;

    /// What it takes of memory.
    pub(super) fn n_bytes(&self) -> usize {
        let tables = size_of_val(self.short.lines()) + size_of_val(self.medium.lines());
        tables + self.ring.n_bytes() + self.long_bytes
    }

    /// What a pretoken is looked for by.
    #[inline]
    pub(super) fn sought<'t>(&self, pretoken: Pretoken<'t>) -> Sought<'t> {
        let n_bytes = pretoken.end - pretoken.start;
        count(n_bytes);
        match n_bytes {
            0..=MAX_SHORT => {
                let key = pretoken.key();
                Sought::Short(self.short.places().of(&key), key)
            }
            16..=MAX_MEDIUM => {
                let key = pretoken.key();
                Sought::Medium(self.medium.places().of(&key), key)
            }
            // Segments that are so long are not kept.
            _ if pretoken.is_segment => Sought::Nothing,
            _ => Sought::Long(pretoken.bytes()),
        }
    }

    /// Gives the ids of a pretoken to `sink`, if it was seen lately.
    #[inline]
    pub(super) fn take(&mut self, sought: Sought<'_>, sink: &mut impl Sink) -> Result<bool> {
        match sought {
            Sought::Short(place, key) => self.short.take(place, &key, &self.ring, sink),
            Sought::Medium(place, key) => self.medium.take(place, &key, &self.ring, sink),
            Sought::Long(bytes) => self.long.get(bytes).map_or(Ok(false), |ids| sink.take(ids).map(|()| true)),
            Sought::Nothing => Ok(false),
        }
    }

    /// Remembers the ids of a pretoken.
    pub(super) fn insert(&mut self, sought: Sought<'_>, ids: &[u32]) {
        match sought {
            Sought::Short(place, key) => self.short.insert_ids(place, key, ids, &mut self.ring),
            Sought::Medium(place, key) => self.medium.insert_ids(place, key, ids, &mut self.ring),
            // One that is so long is not seen again soon.
            Sought::Long(bytes) if bytes.len() > Self::MAX_LONG_BYTES / 64 => {}
            Sought::Long(bytes) => {
                // An entry takes some memory besides its bytes and ids.
                let cost = 64 + bytes.len() + 4 * ids.len();
                if self.long_bytes + cost > Self::MAX_LONG_BYTES {
                    self.long.clear();
                    self.long_bytes = 0;
                }
                self.long_bytes += cost;
                self.long.insert(bytes.into(), ids.into());
            }
            Sought::Nothing => {}
        }
    }
}

/// What a pretoken is looked for by, in the table of its size: the place that its key chooses, and its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sought<'t> {
    Short(u32, Key<2>),
    Medium(u32, Key<4>),
    Long(&'t [u8]),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::super::sink::{Collect, ROOM};
    use super::*;
    use crate::ids::widen;

    fn whole(text: &[u8]) -> Pretoken<'_> {
        Pretoken { text, start: 0, end: text.len(), is_segment: false }
    }

    fn known(cache: &mut Cache, pretoken: Pretoken<'_>) -> Option<Vec<u32>> {
        let mut sink = Collect::new(Vec::new());
        let is_known = cache.take(cache.sought(pretoken), &mut sink).unwrap();
        is_known.then_some(sink.ids)
    }

    #[test]
    fn tells_apart_what_differs_in_zeros_or_in_being_a_segment() {
        let mut cache = Cache::default();
        let pretokens = [&b"a"[..], b"a\0", b"\0", b"\0\0", &[0; 15], &[0; 16], &[0; 31], &[0; 32], &[1; 32]];
        for (id, pretoken) in (0..).zip(pretokens) {
            let (pretoken, segment) = (whole(pretoken), Pretoken { is_segment: true, ..whole(pretoken) });
            assert_eq!(known(&mut cache, pretoken), None);
            cache.insert(cache.sought(pretoken), &[id]);
            assert_eq!(known(&mut cache, segment), None);
            cache.insert(cache.sought(segment), &[id + 100]);
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
        for number in 0..900_000_u32 {
            let length = [4, 20, 40][widen(number % 3)];
            let pretoken = |number: u32| number.to_le_bytes().repeat(length / 4);
            let ids = |number: u32| vec![number; 1 + widen(number / 3 % 13)];
            cache.insert(cache.sought(whole(&pretoken(number))), &ids(number));
            assert_eq!(known(&mut cache, whole(&pretoken(number))), Some(ids(number)));
            let earlier = number - number.min(3 * (number / 9));
            if let Some(known) = known(&mut cache, whole(&pretoken(earlier))) {
                assert_eq!(known, ids(earlier));
                found[widen(earlier % 3)] += 1;
            }
        }
        assert!(found.iter().all(|&found| found > 1_000), "{found:?}");
        assert_eq!([cache.short.lines().len(), cache.medium.lines().len()], [1 << 18, 1 << 15]);
        assert!(cache.long_bytes <= Cache::MAX_LONG_BYTES && cache.ring.n_bytes() == 4 * (Ring::LENGTH + ROOM));
    }
}
