//! The ids of pretokens that have more than a slot of the cache holds.

use super::sink::{ROOM, Sink};
use crate::error::Result;
use crate::ids::widen_u64;

/// The ids of pretokens that have many, the oldest overwritten first.
#[derive(Debug, Default)]
pub(super) struct Ring {
    ids: Vec<u32>,
    /// How many ids were ever written.
    end: u64,
}

impl Ring {
    /// 4 MiB.
    pub(super) const LENGTH: usize = 1 << 20;

    pub(super) fn push(&mut self, ids: &[u32]) -> u64 {
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

    /// Gives the ids that lie at a place to `sink`, unless they were overwritten since.
    #[inline]
    pub(super) fn take(&self, at: u64, n_ids: usize, sink: &mut impl Sink) -> Result<bool> {
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

    /// What it takes of memory.
    pub(super) fn n_bytes(&self) -> usize {
        size_of_val(self.ids.as_slice())
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at).unwrap_or(0) & (Self::LENGTH - 1)
    }
}
