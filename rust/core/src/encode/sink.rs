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

/// Appends ids to a list: those of a batch are written to the end of it where it has room for a window, and wait elsewhere
/// where it has not, for a short text seldom does.
pub(super) struct Ids<'o> {
    out: &'o mut Vec<u32>,
    /// How many ids there are. The list is longer, by places to write to, until this is dropped.
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
        let end = out.len();
        Self { out, end, waiting, n: 0 }
    }

    /// Where the ids of a batch go, and what stands in for room.
    #[inline(always)]
    fn window(&mut self) -> (&mut [u32; WINDOW], &mut [u32; ROOM]) {
        let Waiting { ids, nowhere } = &mut *self.waiting;
        let window = self.out.get_mut(self.end..).and_then(<[u32]>::first_chunk_mut);
        (window.unwrap_or(ids), nowhere)
    }

    /// Appends ids, after all that were taken.
    fn append(&mut self, ids: &[u32]) -> Result<()> {
        self.out.truncate(self.end);
        append(self.out, ids)?;
        self.end = self.out.len();
        Ok(())
    }
}

impl Drop for Ids<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.end);
    }
}

impl Sink for Ids<'_> {
    #[inline(always)]
    fn take_hits(&mut self, hits: impl Iterator<Item = Few>) {
        let mut n = self.n;
        let (window, _) = self.window();
        for (few, n_ids) in hits {
            if let Some(places) = window[n % PLACES..].first_chunk_mut() {
                *places = few;
            }
            n += n_ids;
        }
        self.n = n;
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
        self.finish()?;
        self.append(ids)
    }

    fn n_ids(&self) -> usize {
        self.end + self.n
    }

    #[inline]
    fn finish(&mut self) -> Result<()> {
        let n = std::mem::take(&mut self.n);
        if self.out.len() - self.end >= WINDOW {
            self.end += n;
        } else {
            self.out.truncate(self.end);
            append(self.out, self.waiting.ids.get(..n).unwrap_or_default())?;
            self.end = self.out.len();
        }
        let wanted = self.end + WINDOW;
        if self.out.len() < wanted && wanted <= self.out.capacity() {
            // Few at a time, so that they stay near until they are written; and few where there are few ids.
            let longer = (wanted + self.end.min(2 * WINDOW)).min(self.out.capacity());
            self.out.resize(longer, 0);
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
