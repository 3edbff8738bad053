//! Where the ids of an encoding go: into a list of them, or into their number.

use crate::encode::cache::{ID_BITS, Packed, n_packed};
use crate::error::{Error, Result};

/// Takes ids in order.
pub(super) trait Sink {
    /// Takes up to four ids from a slot of the cache. At most [`BATCH`] times before [`finish`](Self::finish).
    fn take_packed(&mut self, packed: &Packed<4>);

    /// Takes any number of ids.
    fn take(&mut self, ids: &[u32]) -> Result<()>;

    /// Ends a batch.
    fn finish(&mut self) -> Result<()>;
}

/// A batch has this many pretokens.
pub(super) const BATCH: usize = 64;

/// Appends ids to a list.
pub(super) struct Ids<'o> {
    out: &'o mut Vec<u32>,
    /// What is not yet in the list: four places are written at once, some of them in vain.
    waiting: [u32; 4 * BATCH + 4],
    n: usize,
}

impl<'o> Ids<'o> {
    pub(super) fn new(out: &'o mut Vec<u32>) -> Self {
        Self { out, waiting: [0; 4 * BATCH + 4], n: 0 }
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
#[derive(Default)]
pub(super) struct Count(pub(super) usize);

impl Sink for Count {
    #[inline(always)]
    fn take_packed(&mut self, packed: &Packed<4>) {
        self.0 += n_packed(packed);
    }

    fn take(&mut self, ids: &[u32]) -> Result<()> {
        self.0 += ids.len();
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
