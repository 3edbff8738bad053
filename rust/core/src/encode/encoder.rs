//! Pretokens to ids: whole-token look-up, cache, then merging by length.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use super::cache::{Cache, Key};
use super::trie::Trie;
use super::{long, short};
use crate::pretokenize::Pretokenizer;
use crate::vocab::canonical::Normalised;
use crate::vocab::{MergeTable, Vocabulary};

/// Encodes text without special tokens. Immutable; work memory is a [`Scratch`] passed in.
#[derive(Debug)]
pub struct Encoder {
    merges: Normalised,
    /// Whether a pretoken that is a token is emitted even if no merges lead to it.
    whole_pretokens: bool,
    /// Built when the first long pretoken comes.
    trie: OnceLock<Trie>,
    /// Tells encoders apart, so that a scratch never answers from another's cache.
    serial: u64,
}

/// Work memory for one thread: a cache of pretokens and buffers, at most about 3 MiB between calls.
///
/// It is an argument, not a part of the tokenizer, so that a tokenizer can be shared between threads without a lock.
/// Any scratch works with any tokenizer; one that changes hands forgets what it knew.
#[derive(Debug, Default)]
pub struct Scratch {
    cache: Cache,
    long: long::Workspace,
    serial: u64,
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
    /// More than this many idle scratches are not kept: about 24 MiB.
    const MAX_IDLE: usize = 8;

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

impl Encoder {
    /// An encoder for normalised merges.
    pub(crate) fn new(merges: Normalised, whole_pretokens: bool) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Self { merges, whole_pretokens, trie: OnceLock::new(), serial }
    }

    /// The canonical merges.
    pub fn table(&self) -> &MergeTable {
        &self.merges.table
    }

    /// Whether merges lead to this token.
    pub fn is_reachable(&self, id: u32) -> bool {
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        self.merges.symbols.get(index).is_some_and(|symbol| !symbol.is_none())
    }

    /// Whether whole-pretoken look-up can change a result: only where some token is unreachable by merges.
    pub fn whole_pretokens(&self) -> bool {
        self.whole_pretokens
    }

    /// Appends the ids of `text` to `out`; special tokens in it are plain text.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary and pattern, whatever the text.
    pub fn encode(
        &self,
        vocabulary: &Vocabulary,
        pretokenizer: &Pretokenizer,
        scratch: &mut Scratch,
        text: &[u8],
        out: &mut Vec<u32>,
    ) {
        let done = pretokenizer.split(text, |pretoken| {
            self.encode_pretoken(vocabulary, scratch, pretoken, out);
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(done.is_continue());
    }

    /// Appends the ids of one pretoken, of any bytes, to `out`.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary.
    #[inline]
    pub fn encode_pretoken(&self, vocabulary: &Vocabulary, scratch: &mut Scratch, pretoken: &[u8], out: &mut Vec<u32>) {
        if scratch.serial != self.serial {
            *scratch = Scratch { serial: self.serial, ..Scratch::default() };
        }
        let key = Key::new(pretoken);
        if let Some(ids) = key.and_then(|key| scratch.cache.get(key)) {
            out.extend_from_slice(ids);
            return;
        }
        let start = out.len();
        self.merge(vocabulary, scratch, pretoken, out);
        if let Some(key) = key {
            scratch.cache.insert(key, &out[start..]);
        }
    }

    fn merge(&self, vocabulary: &Vocabulary, scratch: &mut Scratch, pretoken: &[u8], out: &mut Vec<u32>) {
        if pretoken.is_empty() {
            return;
        }
        // A token that merges lead to is its own encoding, so this look-up is a shortcut for all but the others.
        if let Some(id) = vocabulary.ordinary_id(pretoken)
            && (self.whole_pretokens || self.is_reachable(id.get()))
        {
            out.push(id.get());
        } else if pretoken.len() <= short::MAX_LENGTH {
            short::encode(self.table(), pretoken, out);
        } else {
            let trie = self.trie.get_or_init(|| Trie::new(self.table()));
            long::encode(self.table(), trie, &mut scratch.long, pretoken, out);
        }
    }
}
