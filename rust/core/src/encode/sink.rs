//! Where the ids of an encoding go: into a list of them, or into their number.

use crate::error::{Error, Result};
use crate::keys::BATCH;

/// No pretoken that the cache keeps in a table has as many ids.
pub(super) const ROOM: usize = 32;

/// No slot of a short pretoken has as many ids.
pub(super) const FEW: usize = 8;

/// The ids of a pretoken and how many they are: the first so many of those given.
pub(super) type Few = ([u32; FEW], usize);

/// The most ids that a batch of packed ones has.
const MOST: usize = FEW * BATCH;

/// A batch writes to this many places: a power of two, so that no index is out of bounds, and twice [`MOST`], as there may be
/// as many ids already.
const PLACES: usize = 2 * MOST;

/// And there are some more, as more is written than there are ids: their number would be a guess of the processor's.
const WINDOW: usize = PLACES + ROOM;

/// Takes ids in order.
pub(super) trait Sink {
    /// Takes the ids of all that is sought, or of what comes before the first that `find` does not find, and returns of how
    /// many: of [`BATCH`] in all before [`finish`](Self::finish).
    fn take_while<T>(&mut self, sought: impl Iterator<Item = T>, find: impl Fn(T) -> Option<Few>) -> usize;

    /// Where the next ids may be written, to be [`took`](Self::took) then.
    fn room(&mut self) -> &mut [u32; ROOM];

    /// Takes the first `n` ids of the room.
    fn took(&mut self, n: usize) -> Result<()>;

    /// Takes any number of ids.
    fn take(&mut self, ids: &[u32]) -> Result<()>;

    /// How many ids there are by now.
    fn n_ids(&self) -> usize;

    /// Ends a batch.
    fn finish(&mut self) -> Result<()>;
}

/// Appends ids to a list: the first ones wait for the end of their batch, and are copied; once there are many, the list is made
/// longer than it is to be, and they are written where they belong.
pub(super) struct Ids<'o> {
    out: &'o mut Vec<u32>,
    /// How long the list was.
    start: usize,
    /// How long it is to be, by now. What may follow are places to write to, until this is dropped.
    end: usize,
    waiting: &'o mut Waiting,
    /// How many ids of a batch there are after those.
    n: usize,
}

/// Where the ids of a batch wait.
#[derive(Debug)]
pub(super) struct Waiting {
    ids: [u32; WINDOW],
    /// What stands in where there should be room, but is not.
    nowhere: [u32; ROOM],
}

impl Default for Waiting {
    fn default() -> Self {
        Self { ids: [0; WINDOW], nowhere: [0; ROOM] }
    }
}

impl<'o> Ids<'o> {
    pub(super) fn new(out: &'o mut Vec<u32>, waiting: &'o mut Waiting) -> Self {
        let start = out.len();
        Self { out, start, end: start, waiting, n: 0 }
    }

    /// Where the ids of a batch go, and what stands in for room.
    #[inline(always)]
    fn window(&mut self) -> (&mut [u32; WINDOW], &mut [u32; ROOM]) {
        let Waiting { ids, nowhere } = &mut *self.waiting;
        let window = self.out.get_mut(self.end..).and_then(<[u32]>::first_chunk_mut);
        (window.unwrap_or(ids), nowhere)
    }

    /// Ends what was begun, so that a window can be chosen anew.
    fn flush(&mut self) -> Result<()> {
        let n = std::mem::take(&mut self.n);
        if self.out.len() - self.end >= WINDOW {
            self.end += n;
            return Ok(());
        }
        append_at(self.out, &mut self.end, self.waiting.ids.get(..n).unwrap_or_default())
    }
}

impl Drop for Ids<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.end);
    }
}

impl Sink for Ids<'_> {
    #[inline(always)]
    fn take_while<T>(&mut self, sought: impl Iterator<Item = T>, find: impl Fn(T) -> Option<Few>) -> usize {
        let (mut n, mut n_found) = (self.n, 0);
        let (window, _) = self.window();
        for sought in sought {
            let Some((few, n_ids)) = find(sought) else { break };
            if let Some(places) = window[n % PLACES..].first_chunk_mut() {
                *places = few;
            }
            n += n_ids;
            n_found += 1;
        }
        self.n = n;
        n_found
    }

    #[inline]
    fn room(&mut self) -> &mut [u32; ROOM] {
        let n = self.n;
        let (window, nowhere) = self.window();
        window.get_mut(n..).and_then(<[u32]>::first_chunk_mut).unwrap_or(nowhere)
    }

    #[inline]
    fn took(&mut self, n: usize) -> Result<()> {
        self.n += n;
        if self.n > MOST { self.finish() } else { Ok(()) }
    }

    fn take(&mut self, ids: &[u32]) -> Result<()> {
        if let Some(room) = self.room().get_mut(..ids.len()) {
            room.copy_from_slice(ids);
            return self.took(ids.len());
        }
        self.flush()?;
        append_at(self.out, &mut self.end, ids)
    }

    fn n_ids(&self) -> usize {
        self.end + self.n
    }

    #[inline]
    fn finish(&mut self) -> Result<()> {
        self.flush()?;
        // New places are cleared first, a window more than there are ids at the most, and few at a time so that they stay near.
        let (n_ids, wanted) = (self.end - self.start, self.end + WINDOW);
        if n_ids >= WINDOW && self.out.len() < wanted && wanted <= self.out.capacity() {
            self.out.resize((wanted + n_ids.min(2 * WINDOW)).min(self.out.capacity()), 0);
        }
        Ok(())
    }
}

/// Collects the ids of one pretoken.
pub(super) struct Collect {
    pub(super) ids: Vec<u32>,
    room: [u32; ROOM],
}

impl Collect {
    /// Collects into `ids`, which are cleared.
    pub(super) fn new(mut ids: Vec<u32>) -> Self {
        ids.clear();
        Self { ids, room: [0; ROOM] }
    }
}

impl Sink for Collect {
    fn take_while<T>(&mut self, sought: impl Iterator<Item = T>, find: impl Fn(T) -> Option<Few>) -> usize {
        let found = sought.map_while(find);
        found.map(|(few, n)| self.ids.extend_from_slice(few.get(..n).unwrap_or_default())).count()
    }

    fn room(&mut self) -> &mut [u32; ROOM] {
        &mut self.room
    }

    fn took(&mut self, n: usize) -> Result<()> {
        append(&mut self.ids, self.room.get(..n).unwrap_or_default())
    }

    fn take(&mut self, ids: &[u32]) -> Result<()> {
        append(&mut self.ids, ids)
    }

    fn n_ids(&self) -> usize {
        self.ids.len()
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Puts ids at the end of a list that may be longer.
fn append_at(out: &mut Vec<u32>, end: &mut usize, ids: &[u32]) -> Result<()> {
    out.truncate(*end);
    append(out, ids)?;
    *end = out.len();
    Ok(())
}

#[inline]
fn append(out: &mut Vec<u32>, ids: &[u32]) -> Result<()> {
    out.try_reserve(ids.len()).map_err(|_| Error::memory("the ids"))?;
    out.extend_from_slice(ids);
    Ok(())
}

/// Counts ids.
pub(super) struct Count {
    pub(super) n_ids: usize,
    nowhere: [u32; ROOM],
}

impl Count {
    pub(super) fn new() -> Self {
        Self { n_ids: 0, nowhere: [0; ROOM] }
    }
}

impl Sink for Count {
    #[inline(always)]
    fn take_while<T>(&mut self, sought: impl Iterator<Item = T>, find: impl Fn(T) -> Option<Few>) -> usize {
        let (mut n, mut n_found) = (self.n_ids, 0);
        for sought in sought {
            let Some((_, n_ids)) = find(sought) else { break };
            n += n_ids;
            n_found += 1;
        }
        self.n_ids = n;
        n_found
    }

    fn room(&mut self) -> &mut [u32; ROOM] {
        &mut self.nowhere
    }

    fn took(&mut self, n: usize) -> Result<()> {
        self.n_ids += n;
        Ok(())
    }

    fn take(&mut self, ids: &[u32]) -> Result<()> {
        self.n_ids += ids.len();
        Ok(())
    }

    fn n_ids(&self) -> usize {
        self.n_ids
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is taken: hits of so many ids each, or ids that lie elsewhere.
    #[derive(Clone, Debug)]
    enum Taken {
        Hits(Vec<usize>),
        Ids(usize),
        End,
    }

    fn taken() -> impl Strategy<Value = Taken> {
        prop_oneof![
            6 => prop::collection::vec(1..FEW, 0..BATCH).prop_map(Taken::Hits),
            6 => prop_oneof![4 => 1..=ROOM, 1 => ROOM..70, 1 => MOST - 12..MOST + 18, 1 => Just(3_000)].prop_map(Taken::Ids),
            1 => Just(Taken::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

        /// Whatever room the list has, it holds what a plain one would; and nothing of a batch that was not ended.
        #[test]
        fn ids_end_up_in_their_order(
            before in 0..30_usize,
            room in prop_oneof![Just(0), WINDOW - 40..WINDOW + 40, 3 * WINDOW..9 * WINDOW],
            all in prop::collection::vec(taken(), 0..60),
        ) {
            let mut out = Vec::with_capacity(before + room);
            out.resize(before, 7);
            let (mut expected, mut ended) = (out.clone(), out.len());
            let mut waiting = Waiting::default();
            let mut ids = Ids::new(&mut out, &mut waiting);
            let mut next = 1..;
            let mut hits_left = BATCH;
            for taken in all {
                match taken {
                    Taken::Hits(lengths) => {
                        let lengths = lengths.get(..lengths.len().min(hits_left)).unwrap_or_default();
                        hits_left -= lengths.len();
                        let hits: Vec<Few> = lengths.iter().map(|&n| {
                            let mut few = [u32::MAX; FEW];
                            few.iter_mut().zip(next.by_ref().take(n)).for_each(|(slot, id)| *slot = id);
                            expected.extend(few.iter().take(n));
                            (few, n)
                        }).collect();
                        prop_assert_eq!(ids.take_while(hits.iter().map(Some).chain([None]), |hit| hit.copied()), hits.len());
                    }
                    Taken::Ids(n) => {
                        let some: Vec<u32> = next.by_ref().take(n).collect();
                        ids.take(&some).unwrap();
                        expected.extend(some);
                    }
                    Taken::End => {
                        ids.finish().unwrap();
                        (hits_left, ended) = (BATCH, expected.len());
                    }
                }
                prop_assert_eq!(ids.n_ids(), expected.len());
            }
            drop(ids);
            prop_assert!(out.len() >= ended && expected.starts_with(&out), "{} of {}", out.len(), expected.len());
        }
    }
}
