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

/// Where ids wait there are this many places: a power of two, so that no index is out of bounds, and more than twice [`MOST`].
const PLACES: usize = 4 * MOST;

/// Takes ids in order.
pub(super) trait Sink {
    /// Takes the ids of some slots of the cache: of [`BATCH`] of them in all before [`finish`](Self::finish).
    fn take_hits(&mut self, hits: impl Iterator<Item = Few>);

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

/// Appends ids to a list, a batch at a time.
pub(super) struct Ids<'o> {
    out: &'o mut Vec<u32>,
    waiting: Box<Waiting>,
    n: usize,
}

/// Ids that are not yet in their list. There is room for a batch of packed ids after as many others, and more is written than
/// there are ids, since their number would be a guess of the processor's.
#[derive(Debug)]
pub(super) struct Waiting {
    ids: [u32; PLACES + ROOM],
    /// What stands in where there should be room, but is not.
    nowhere: [u32; ROOM],
}

impl Default for Waiting {
    fn default() -> Self {
        Self { ids: [0; PLACES + ROOM], nowhere: [0; ROOM] }
    }
}

impl<'o> Ids<'o> {
    pub(super) fn new(out: &'o mut Vec<u32>, waiting: Option<Box<Waiting>>) -> Self {
        Self { out, waiting: waiting.unwrap_or_default(), n: 0 }
    }

    /// The buffer, to be used again: to make one takes longer than to encode a few words.
    pub(super) fn into_waiting(self) -> Box<Waiting> {
        self.waiting
    }
}

impl Sink for Ids<'_> {
    #[inline(always)]
    fn take_hits(&mut self, hits: impl Iterator<Item = Few>) {
        let ids = &mut self.waiting.ids;
        let mut n = self.n;
        for (few, n_ids) in hits {
            if let Some(places) = ids[n % PLACES..].first_chunk_mut() {
                *places = few;
            }
            n += n_ids;
        }
        self.n = n;
    }

    #[inline]
    fn room(&mut self) -> &mut [u32; ROOM] {
        let Waiting { ids, nowhere } = &mut *self.waiting;
        ids.get_mut(self.n..).and_then(<[u32]>::first_chunk_mut).unwrap_or(nowhere)
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
        self.finish()?;
        append(self.out, ids)
    }

    fn n_ids(&self) -> usize {
        self.out.len() + self.n
    }

    #[inline]
    fn finish(&mut self) -> Result<()> {
        let n = std::mem::take(&mut self.n);
        append(self.out, self.waiting.ids.get(..n).unwrap_or_default())
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
    fn take_hits(&mut self, hits: impl Iterator<Item = Few>) {
        for (ids, n) in hits {
            self.ids.extend_from_slice(ids.get(..n).unwrap_or_default());
        }
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
    fn take_hits(&mut self, hits: impl Iterator<Item = Few>) {
        self.n_ids += hits.map(|(_, n)| n).sum::<usize>();
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
