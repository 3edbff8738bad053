//! Pretokens to ids: whole-token look-up, cache, then merging by length.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use super::cache::{Cache, Key};
use super::cuts::Cuts;
use super::trie::Trie;
use super::{long, short};
use crate::pretokenize::Pretokenizer;
use crate::vocab::canonical::Normalised;
use crate::vocab::{MergeTable, Vocabulary};

/// Pretokens are looked for in the cache this many at a time.
const BATCH: usize = 32;

/// Encodes text without special tokens. Immutable; work memory is a [`Scratch`] passed in.
#[derive(Debug)]
pub struct Encoder {
    merges: Normalised,
    /// Whether a pretoken that is a token is emitted even if no merges lead to it.
    whole_pretokens: bool,
    cuts: Cuts,
    /// Built when the first long pretoken comes.
    trie: OnceLock<Trie>,
    /// Tells encoders apart, so that a scratch never answers from another's cache.
    serial: u64,
}

/// Work memory for one thread: a cache of pretokens and buffers, at most about 9 MiB between calls.
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
    /// More than this many idle scratches are not kept: about 36 MiB if all are full.
    const MAX_IDLE: usize = 4;

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
    pub(crate) fn new(vocabulary: &Vocabulary, merges: Normalised, whole_pretokens: bool) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let cuts = Cuts::new(vocabulary, &merges.table);
        Self { merges, whole_pretokens, cuts, trie: OnceLock::new(), serial }
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
        let mut batch: [&[u8]; BATCH] = [&[]; BATCH];
        let mut n = 0;
        let done = pretokenizer.split(text, |pretoken| {
            batch[n] = pretoken;
            n += 1;
            if n == BATCH {
                self.encode_batch(vocabulary, scratch, text, &batch, out);
                n = 0;
            }
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(done.is_continue());
        self.encode_batch(vocabulary, scratch, text, &batch[..n], out);
    }

    /// Appends the ids of pretokens, which are parts of `text`, to `out`.
    ///
    /// First all are looked for in the cache, so that the loads do not wait for each other; most often all are there.
    fn encode_batch(
        &self,
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        text: &[u8],
        batch: &[&[u8]],
        out: &mut Vec<u32>,
    ) {
        self.claim(scratch);
        let mut keys = [Key::NONE; BATCH];
        for (key, pretoken) in keys.iter_mut().zip(batch) {
            *key = Key::in_text(text, pretoken);
        }
        let n_known = keys[..batch.len()].iter().filter(|&&key| scratch.cache.holds(key)).count();
        if n_known == batch.len() {
            for &key in &keys[..n_known] {
                scratch.cache.append(key, out);
            }
            return;
        }
        for (&key, pretoken) in keys.iter().zip(batch) {
            // What was found a moment ago may have been pushed out since.
            if !scratch.cache.append(key, out) {
                self.encode_new(vocabulary, scratch, text, key, pretoken, out);
            }
        }
    }

    /// Appends the ids of one pretoken, of any bytes, to `out`.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary.
    #[inline]
    pub fn encode_pretoken(&self, vocabulary: &Vocabulary, scratch: &mut Scratch, pretoken: &[u8], out: &mut Vec<u32>) {
        self.claim(scratch);
        let key = Key::new(pretoken);
        if !scratch.cache.append(key, out) {
            self.encode_new(vocabulary, scratch, pretoken, key, pretoken, out);
        }
    }

    /// Makes a scratch forget what it knows of another encoder.
    fn claim(&self, scratch: &mut Scratch) {
        if scratch.serial != self.serial {
            *scratch = Scratch { serial: self.serial, ..Scratch::default() };
        }
    }

    /// Appends the ids of a pretoken, a part of `text`, that is not in the cache.
    fn encode_new(
        &self,
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        text: &[u8],
        key: Key,
        pretoken: &[u8],
        out: &mut Vec<u32>,
    ) {
        let start = out.len();
        let whole = if self.whole_pretokens { vocabulary.ordinary_id(pretoken) } else { None };
        if let Some(id) = whole {
            out.push(id.get());
            scratch.cache.insert(key, &out[start..]);
            return;
        }
        let (segment, rest) = self.cuts.first_segment(pretoken);
        if rest.is_empty() {
            self.merge(vocabulary, scratch, segment, out);
            scratch.cache.insert(key, &out[start..]);
        } else {
            // Its segments will be seen again; the pretoken itself may never be.
            self.encode_segments(vocabulary, scratch, text, pretoken, out);
        }
    }

    /// Appends the ids of a pretoken that has safe cuts.
    fn encode_segments(
        &self,
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        text: &[u8],
        pretoken: &[u8],
        out: &mut Vec<u32>,
    ) {
        let mut rest = pretoken;
        while !rest.is_empty() {
            let (segment, after) = self.cuts.first_segment(rest);
            let mut key = Key::in_text(text, segment);
            rest = after;
            if self.whole_pretokens {
                // The same bytes may have other ids as a whole pretoken.
                key = key.of_segment();
            }
            if !scratch.cache.append(key, out) {
                let start = out.len();
                self.merge(vocabulary, scratch, segment, out);
                scratch.cache.insert(key, &out[start..]);
            }
        }
    }

    /// Appends the ids that merging makes of non-empty bytes.
    fn merge(&self, vocabulary: &Vocabulary, scratch: &mut Scratch, bytes: &[u8], out: &mut Vec<u32>) {
        // A token that merges lead to is its own encoding.
        if let Some(id) = vocabulary.ordinary_id(bytes).filter(|id| self.is_reachable(id.get())) {
            out.push(id.get());
        } else if bytes.len() <= short::MAX_LENGTH {
            short::encode(self.table(), bytes, out);
        } else {
            long::encode(self.table(), self.trie(), &mut scratch.long, bytes, out);
        }
    }

    /// The trie, built where this is the first to ask.
    ///
    /// It is built outside the cell: a process forked while another thread builds it inside would wait for ever.
    fn trie(&self) -> &Trie {
        match self.trie.get() {
            Some(trie) => trie,
            None => {
                let trie = Trie::new(self.table());
                self.trie.get_or_init(|| trie)
            }
        }
    }
}
