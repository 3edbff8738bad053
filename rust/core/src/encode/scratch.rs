//! Work memory of encoding, and a pool of it.

use std::sync::Mutex;

use super::batch::Batch;
use super::cache::Cache;
use super::joined::Joined;
use super::long;
use super::sink::Waiting;

/// Work memory for one thread: a cache of pretokens and buffers, at most about 22 MiB between calls.
///
/// It is an argument, not a part of the tokenizer, so that a tokenizer can be shared between threads without a lock.
/// Any scratch works with any tokenizer; one that changes hands forgets what it knew.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) cache: Cache,
    pub(super) long: long::Workspace,
    pub(super) batch: Option<Box<Batch>>,
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
    pub(super) fn claim(&mut self, serial: u64) {
        if self.serial != serial {
            *self = Self { serial, ..Self::default() };
        }
    }

    /// An empty buffer for ids whose memory was used before: new pages cost as much as the ids to fill them.
    pub fn take_ids(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ids)
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

    /// Takes back the buffer from [`Scratch::take_ids`], unless it has grown out of proportion.
    pub fn give_ids(&mut self, mut ids: Vec<u32>) {
        if ids.capacity() <= Self::MAX_IDS {
            ids.clear();
            self.ids = ids;
        }
    }
}

/// Scratches that wait for the next call, so that a call finds a warm cache and allocates nothing.
#[derive(Debug, Default)]
pub struct ScratchPool {
    idle: Mutex<Vec<Scratch>>,
}

/// A scratch on loan from a [`ScratchPool`]; it goes back when dropped.
#[derive(Debug)]
pub struct PooledScratch<'p> {
    pool: &'p ScratchPool,
    scratch: Scratch,
}

impl ScratchPool {
    /// More than this many idle scratches are not kept: about 66 MiB if all are full.
    const MAX_IDLE: usize = 3;

    /// Lends a scratch.
    ///
    /// Never waits: a lock that another thread held when this process was forked is never released in the child, so a
    /// pool that cannot be had at once is passed over and a new scratch made.
    pub fn lend(&self) -> PooledScratch<'_> {
        let idle = self.idle.try_lock().ok().and_then(|mut idle| idle.pop());
        PooledScratch { pool: self, scratch: idle.unwrap_or_default() }
    }
}

impl std::ops::Deref for PooledScratch<'_> {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.scratch
    }
}

impl std::ops::DerefMut for PooledScratch<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        &mut self.scratch
    }
}

impl Drop for PooledScratch<'_> {
    fn drop(&mut self) {
        if let Ok(mut idle) = self.pool.idle.try_lock()
            && idle.len() < ScratchPool::MAX_IDLE
        {
            idle.push(std::mem::take(&mut self.scratch));
        }
    }
}
