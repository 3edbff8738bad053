//! Where the ids of an encoding go: into a list of them, or into their number.

use super::cache::{ID_BITS, Packed, n_packed};
use crate::error::{Error, Result};

/// A batch has this many pretokens.
pub(super) const BATCH: usize = 64;

/// No pretoken that the cache keeps in a table has as many ids.
pub(super) const ROOM: usize = 32;

/// The most ids that a batch of packed ones has.
const MOST: usize = 4 * BATCH;

/// Takes ids in order.
pub(super) trait Sink {
    /// Takes up to four ids from a slot of the cache. At most [`BATCH`] times before [`finish`](Self::finish).
    fn take_packed(&mut self, packed: &Packed<4>);

    /// Where the next ids may be written, to be [`took`](Self::took) then.
    fn room(&mut self) -> &mut [u32; ROOM];

    /// Takes the first `n` ids of the room.
    fn took(&mut self, n: usize) -> Result<()>;

    /// Takes any number of ids.
    fn take(&mut self, ids: &[u32]) -> Result<()>;

    /// Ends a batch.
    fn finish(&mut self) -> Result<()>;
}

/// Appends ids to a list.
pub(super) struct Ids<'o> {
    out: &'o mut Vec<u32>,
    /// What is not yet in the list. There is room for a batch of packed ids after as many others, and more is written than
    /// there are ids, since their number would be a guess of the processor's.
    waiting: [u32; 2 * MOST + ROOM],
    n: usize,
    /// What stands in where there should be room, but is not.
    nowhere: [u32; ROOM],
}

impl<'o> Ids<'o> {
    pub(super) fn new(out: &'o mut Vec<u32>) -> Self {
        Self { out, waiting: [0; 2 * MOST + ROOM], n: 0, nowhere: [0; ROOM] }
    }
}

impl Sink for Ids<'_> {
    #[inline(always)]
    fn take_packed(&mut self, packed: &Packed<4>) {
        if let Some(places) = self.waiting.get_mut(self.n..).and_then(<[u32]>::first_chunk_mut) {
            let [first, second, third, last] = *packed;
            *places = [first, second, third, last & ID_BITS];
            self.n += n_packed(packed);
        }
    }

    #[inline]
    fn room(&mut self) -> &mut [u32; ROOM] {
        self.waiting.get_mut(self.n..).and_then(<[u32]>::first_chunk_mut).unwrap_or(&mut self.nowhere)
    }

    #[inline]
    fn took(&mut self, n: usize) -> Result<()> {
        self.n += n;
        if self.n > MOST { self.finish() } else { Ok(()) }
    }

    fn take(&mut self, ids: &[u32]) -> Result<()> {
        self.finish()?;
        self.out.try_reserve(ids.len()).map_err(|_| Error::memory("the ids"))?;
        self.out.extend_from_slice(ids);
        Ok(())
    }

    #[inline]
    fn finish(&mut self) -> Result<()> {
        let ids = self.waiting.get(..self.n).unwrap_or_default();
        self.out.try_reserve(ids.len()).map_err(|_| Error::memory("the ids"))?;
        self.out.extend_from_slice(ids);
        self.n = 0;
        Ok(())
    }
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
    fn take_packed(&mut self, packed: &Packed<4>) {
        self.n_ids += n_packed(packed);
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

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
