//! Work memory of encoding.

use super::batch::Batch;
use super::cache::Cache;
use super::long;
use super::packed::Packing;
use super::pool;
use super::segments::Segments;
use super::sink::Waiting;
use crate::pretokenize::Joined;

/// Work memory for one thread: a cache of pretokens and buffers, at most about 30 MiB between calls.
///
/// It is an argument, not a part of the tokenizer, so that a tokenizer can be shared between threads without a lock.
/// Any scratch works with any tokenizer; one that changes hands forgets what it knew.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) cache: Cache,
    pub(super) long: long::Workspace,
    pub(super) batch: Option<Box<Batch>>,
    pub(super) segments: Option<Box<Segments>>,
    pub(super) waiting: Option<Box<Waiting>>,
    pub(super) joined: Joined,
    /// The ids of one pretoken that was not in the cache.
    pub(super) fresh: Vec<u32>,
    /// The ids of one segment that was not in the cache.
    pub(super) merged: Vec<u32>,
    ids: Vec<u32>,
    bytes: Vec<u8>,
    serial: u64,
}

impl Scratch {
    /// A buffer of more ids than this, 4 MiB, is not kept.
    const MAX_IDS: usize = 1 << 20;

    /// Forgets what is known of another encoder.
    pub(super) fn claim(&mut self, serial: u64, packing: Packing) {
        if self.serial != serial {
            *self = Self { serial, cache: Cache::new(packing), ..Self::default() };
        }
    }

    /// An empty buffer for ids whose memory was used before: new pages cost as much as the ids to fill them.
    pub fn take_ids(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ids)
    }

    /// [`Scratch::take_ids`] for a text of so many bytes or characters: for a long one, what was kept of an array that is no more.
    pub fn take_ids_for(&mut self, length: usize) -> Vec<u32> {
        if length <= Self::MAX_IDS { self.take_ids() } else { pool::take_ids(length) }
    }

    /// [`Scratch::take_ids`] for decoded bytes, with any bytes in it: to make it empty and long again costs as much as a copy.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Takes back the buffer from [`Scratch::take_bytes`], unless it has grown out of proportion.
    pub fn give_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() <= 4 * Self::MAX_IDS {
            self.bytes = bytes;
        }
    }

    /// Takes back the buffer from [`Scratch::take_ids`], or leaves it to [`keep_ids`](pool::keep_ids) where it has grown out of
    /// proportion.
    pub fn give_ids(&mut self, mut ids: Vec<u32>) {
        if ids.capacity() <= Self::MAX_IDS {
            ids.clear();
            self.ids = ids;
        } else {
            pool::keep_ids(ids);
        }
    }

    /// What it takes of memory, but for small change.
    pub(super) fn n_bytes(&self) -> usize {
        let Self { cache, long, batch, segments, waiting, fresh, merged, ids, bytes, .. } = self;
        let lent = batch.as_deref().map_or(0, size_of_val)
            + segments.as_deref().map_or(0, size_of_val)
            + waiting.as_deref().map_or(0, size_of_val);
        let ids = size_of::<u32>() * (fresh.capacity() + merged.capacity() + ids.capacity());
        size_of_val(self) + cache.n_bytes() + long.n_bytes() + lent + ids + bytes.capacity()
    }
}
