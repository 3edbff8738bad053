//! Scratches, and the memory of a long list of ids, that wait for the next call, those of all tokenizers of the process within one limit.
//!
//! There is one list of them and not one for each tokenizer, so that the limit holds for all, the one longest unused gives
//! way whosever it is, and all can be let go at once.

use std::hint;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, TryLockError};
use std::thread;

use super::scratch::Scratch;

/// What the scratches in [`IDLE`] may take together.
static LIMIT: AtomicUsize = AtomicUsize::new(DEFAULT_CACHE_LIMIT);

/// Lists of fewer ids are no matter.
const LONG: usize = 1 << 17;

static IDLE: Mutex<Idle> = Mutex::new(Idle { kept: Vec::new(), ids: Vec::new(), n_bytes: 0 });

/// How many bytes the caches that wait for the next call may take together, unless [`set_cache_limit`] says otherwise.
pub const DEFAULT_CACHE_LIMIT: usize = 64 << 20;

/// Bounds the memory of the caches that are kept between calls, of all tokenizers of the process together.
///
/// The memory of ids, and then those caches that were longest unused, are let go at once, until the others fit. With 0 none is kept, and each call begins with an
/// empty one. The caches of calls that run are not counted: there is one for each thread that encodes, and none takes more
/// than some 30 MiB.
pub fn set_cache_limit(n_bytes: usize) {
    LIMIT.store(n_bytes, Ordering::Relaxed);
    let gone = lock().map(|mut idle| idle.shrink_to(n_bytes));
    // Outside the lock, for which nobody shall wait that long.
    drop(gone);
}

/// Lets go of the caches that are kept between calls, of all tokenizers of the process; returns how many bytes they had.
pub fn clear_caches() -> usize {
    let (kept, ids) = lock().map(|mut idle| idle.shrink_to(0)).unwrap_or_default();
    kept.iter().map(|kept| kept.n_bytes).sum::<usize>() + n_bytes_of(&ids)
}

/// The list of ids that was kept, emptied, if there is one that the ids of so many bytes or characters may fill to a good part.
pub(crate) fn take_ids(length: usize) -> Vec<u32> {
    if length < LONG {
        return Vec::new();
    }
    let taken = lock().filter(|idle| idle.ids.capacity() <= length).map(|mut idle| {
        let ids = std::mem::take(&mut idle.ids);
        idle.n_bytes -= n_bytes_of(&ids);
        ids
    });
    taken.unwrap_or_default()
}

/// Keeps a long list of ids for the next text that needs one: to have as much new memory from the system takes a quarter of the
/// time that encoding does, or more. The last one is kept, where it fits the limit beside all else; short ones are let go.
pub fn keep_ids(mut ids: Vec<u32>) {
    if ids.capacity() < LONG {
        return;
    }
    ids.clear();
    let gone = lock().map(|mut idle| {
        let n_bytes = idle.n_bytes - n_bytes_of(&idle.ids) + n_bytes_of(&ids);
        if n_bytes <= LIMIT.load(Ordering::Relaxed) {
            idle.n_bytes = n_bytes;
            std::mem::swap(&mut idle.ids, &mut ids);
        }
        ids
    });
    drop(gone);
}

fn n_bytes_of(ids: &Vec<u32>) -> usize {
    size_of::<u32>() * ids.capacity()
}

/// The list of idle scratches, or none where it cannot be had soon.
///
/// A lock that another thread held when this process was forked is never released in the child, so whoever cannot have it does
/// without: a call makes a new scratch, or lets go of the one it had.
fn lock() -> Option<MutexGuard<'static, Idle>> {
    for attempt in 0..32 {
        match IDLE.try_lock() {
            Ok(idle) => return Some(idle),
            Err(TryLockError::Poisoned(idle)) => return Some(idle.into_inner()),
            Err(TryLockError::WouldBlock) if attempt < 16 => hint::spin_loop(),
            Err(TryLockError::WouldBlock) => thread::yield_now(),
        }
    }
    None
}

/// Idle scratches, the one longest unused first, and a list of ids.
struct Idle {
    kept: Vec<Kept>,
    ids: Vec<u32>,
    n_bytes: usize,
}

struct Kept {
    pool: u64,
    /// The number of the thread that had it.
    thread: usize,
    n_bytes: usize,
    scratch: Box<Scratch>,
}

impl Idle {
    /// The one that this thread of a call had last, or else another of the pool.
    fn take(&mut self, pool: u64, thread: usize) -> Option<Box<Scratch>> {
        let is_last = |kept: &Kept| kept.pool == pool && kept.thread == thread;
        let index = self.kept.iter().rposition(is_last);
        let index = index.or_else(|| self.kept.iter().rposition(|kept| kept.pool == pool))?;
        let kept = self.kept.remove(index);
        self.n_bytes -= kept.n_bytes;
        Some(kept.scratch)
    }

    fn give(&mut self, kept: Kept) {
        self.n_bytes += kept.n_bytes;
        self.kept.push(kept);
    }

    /// Takes out the list of ids and then the scratches longest unused, until the others have no more than `limit` bytes.
    #[must_use]
    fn shrink_to(&mut self, limit: usize) -> (Vec<Kept>, Vec<u32>) {
        let ids = if self.n_bytes > limit { std::mem::take(&mut self.ids) } else { Vec::new() };
        self.n_bytes -= n_bytes_of(&ids);
        let mut n_gone = 0;
        for kept in &self.kept {
            if self.n_bytes <= limit {
                break;
            }
            self.n_bytes -= kept.n_bytes;
            n_gone += 1;
        }
        (self.kept.drain(..n_gone).collect(), ids)
    }
}

/// Lends scratches that were used with one tokenizer before, so that a call finds a warm cache and allocates nothing.
///
/// Between calls they lie in one list with those of all other pools, see [`set_cache_limit`].
#[derive(Debug)]
pub struct ScratchPool {
    serial: u64,
}

impl Default for ScratchPool {
    fn default() -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Self { serial: SERIAL.fetch_add(1, Ordering::Relaxed) }
    }
}

impl ScratchPool {
    /// Lends a scratch. Never waits long.
    pub fn lend(&self) -> PooledScratch<'_> {
        self.lend_to(0)
    }

    /// Lends a scratch to one of the threads of a call, by its number.
    pub(crate) fn lend_to(&self, thread: usize) -> PooledScratch<'_> {
        let idle = lock().and_then(|mut idle| idle.take(self.serial, thread));
        PooledScratch { pool: self, thread, scratch: Some(idle.unwrap_or_default()) }
    }
}

impl Drop for ScratchPool {
    fn drop(&mut self) {
        // Nobody asks for what stays behind where the lock cannot be had, and it is the first to give way.
        while let Some(scratch) = lock().and_then(|mut idle| idle.take(self.serial, 0)) {
            drop(scratch);
        }
    }
}

/// A scratch on loan from a [`ScratchPool`]; it goes back when dropped.
#[derive(Debug)]
pub struct PooledScratch<'p> {
    pool: &'p ScratchPool,
    thread: usize,
    /// There is one until it goes back.
    scratch: Option<Box<Scratch>>,
}

impl Deref for PooledScratch<'_> {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        static NONE: LazyLock<Scratch> = LazyLock::new(Scratch::default);
        self.scratch.as_deref().unwrap_or_else(|| &NONE)
    }
}

impl DerefMut for PooledScratch<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        self.scratch.get_or_insert_default()
    }
}

impl Drop for PooledScratch<'_> {
    fn drop(&mut self) {
        let Some(scratch) = self.scratch.take() else { return };
        let (n_bytes, limit) = (scratch.n_bytes(), LIMIT.load(Ordering::Relaxed));
        if n_bytes > limit {
            return;
        }
        let gone = lock().map(|mut idle| {
            idle.give(Kept { pool: self.pool.serial, thread: self.thread, n_bytes, scratch });
            if idle.n_bytes > limit { idle.shrink_to(limit) } else { Default::default() }
        });
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_the_scratch_it_had_or_another_of_its_pool() {
        let mut idle = Idle { kept: Vec::new(), ids: Vec::new(), n_bytes: 0 };
        // Told apart by what they hold; whichever came back last.
        for (pool, thread, n_bytes) in [(1, 0, 10), (1, 1, 11), (2, 0, 20), (1, 2, 12)] {
            let mut scratch = Box::<Scratch>::default();
            scratch.give_ids(Vec::with_capacity(n_bytes));
            idle.give(Kept { pool, thread, n_bytes, scratch });
        }
        let mut take = |pool, thread| idle.take(pool, thread).map(|mut scratch| scratch.take_ids().capacity());
        assert_eq!([take(1, 1), take(1, 0), take(1, 0), take(1, 0)], [Some(11), Some(10), Some(12), None]);
        assert_eq!([take(2, 5), take(2, 0)], [Some(20), None]);
        assert_eq!(idle.n_bytes, 0);
    }
}
