//! Pretokens to ids: a batch at a time from the cache, what is not there by whole-token look-up and merging.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use super::cache::{Cache, Key, MAX_MEDIUM, Pretoken};
use super::cuts::Cuts;
use super::sink::{BATCH, Collect, Count, Ids, Sink, Waiting};
use super::trie::Trie;
use super::{long, short};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pretokenize::Pretokenizer;
use crate::vocab::canonical::Normalised;
use crate::vocab::{MergeTable, Vocabulary};

/// Whether to stop is asked each time this many bytes have been encoded: a few milliseconds, even of the slowest text.
const CHECK_BYTES: usize = 1 << 18;

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

/// Work memory for one thread: a cache of pretokens and buffers, at most about 13 MiB between calls.
///
/// It is an argument, not a part of the tokenizer, so that a tokenizer can be shared between threads without a lock.
/// Any scratch works with any tokenizer; one that changes hands forgets what it knew.
#[derive(Debug, Default)]
pub struct Scratch {
    cache: Cache,
    long: long::Workspace,
    batch: Option<Box<Batch>>,
    waiting: Option<Box<Waiting>>,
    /// The ids of one pretoken that was not in the cache.
    fresh: Vec<u32>,
    /// The ids of one segment that was not in the cache.
    merged: Vec<u32>,
    ids: Vec<u32>,
    serial: u64,
}

impl Scratch {
    /// A buffer of more ids than this, 4 MiB, is not kept.
    const MAX_IDS: usize = 1 << 20;

    /// An empty buffer for ids whose memory was used before: new pages cost as much as the ids to fill them.
    pub fn take_ids(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ids)
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
    /// More than this many idle scratches are not kept: about 32 MiB of caches if all are full.
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

impl Encoder {
    /// An encoder for normalised merges.
    pub(crate) fn new(vocabulary: &Vocabulary, merges: Normalised, whole_pretokens: bool) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let cuts = Cuts::new(vocabulary, &merges.table, whole_pretokens);
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
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the ids do not fit;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where `interrupt` says so.
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
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        self.claim(scratch);
        let sink = Ids::new(out, scratch.waiting.take());
        let mut run = Run { encoder: self, vocabulary, scratch, text, interrupt, sink };
        run.encode_text(pretokenizer, |_| true)?;
        scratch.waiting = Some(run.sink.into_waiting());
        Ok(())
    }

    /// How many ids `text` has; where there are more than `limit`, some number that is more.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode); stops soon after the limit is passed.
    pub fn count(
        &self,
        vocabulary: &Vocabulary,
        pretokenizer: &Pretokenizer,
        scratch: &mut Scratch,
        text: &[u8],
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<usize> {
        self.claim(scratch);
        let mut run = Run { encoder: self, vocabulary, scratch, text, interrupt, sink: Count::new() };
        run.encode_text(pretokenizer, |sink| sink.n_ids <= limit)?;
        Ok(run.sink.n_ids)
    }

    /// Appends the ids of one pretoken, of any bytes, to `out`.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary.
    pub fn encode_pretoken(
        &self,
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
        pretoken: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        if pretoken.is_empty() {
            return Ok(());
        }
        self.claim(scratch);
        let sink = Ids::new(out, scratch.waiting.take());
        let mut run = Run { encoder: self, vocabulary, scratch, text: pretoken, interrupt, sink };
        run.encode_ends(0, &[pretoken.len()])?;
        scratch.waiting = Some(run.sink.into_waiting());
        Ok(())
    }

    /// Makes a scratch forget what it knows of another encoder.
    fn claim(&self, scratch: &mut Scratch) {
        if scratch.serial != self.serial {
            *scratch = Scratch { serial: self.serial, ..Scratch::default() };
        }
    }

    /// Appends the ids that merging makes of non-empty bytes.
    fn merge(
        &self,
        vocabulary: &Vocabulary,
        work: &mut long::Workspace,
        bytes: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        // A token that merges lead to is its own encoding.
        if let Some(id) = vocabulary.ordinary_id(bytes).filter(|id| self.is_reachable(id.get())) {
            out.push(id.get());
        } else if bytes.len() <= short::MAX_LENGTH {
            short::encode(self.table(), bytes, out);
        } else {
            long::encode(self.table(), self.trie()?, work, bytes, interrupt, out)?;
        }
        Ok(())
    }

    fn prepare_cuts(&self, vocabulary: &Vocabulary) {
        self.cuts.prepare(vocabulary, self.table(), self.whole_pretokens);
    }

    /// The trie, built where this is the first to ask.
    ///
    /// Its many small parts are asked for at once.
    ///
    /// It is built outside the cell: a process forked while another thread builds it inside would wait for ever.
    fn trie(&self) -> Result<&Trie> {
        /// What building takes for each token, most of it for its bytes and the order of them.
        const BYTES_A_TOKEN: usize = 192;
        match self.trie.get() {
            Some(trie) => Ok(trie),
            None => {
                let mut room: Vec<u8> = Vec::new();
                let n_bytes = self.table().n_symbols() * BYTES_A_TOKEN;
                room.try_reserve_exact(n_bytes).map_err(|_| Error::memory("the index of tokens"))?;
                drop(room);
                let trie = Trie::new(self.table());
                Ok(self.trie.get_or_init(|| trie))
            }
        }
    }
}

/// The encoding of one text.
struct Run<'a, S> {
    encoder: &'a Encoder,
    vocabulary: &'a Vocabulary,
    scratch: &'a mut Scratch,
    text: &'a [u8],
    interrupt: &'a Interrupt<'a>,
    sink: S,
}

/// Pretokens, or segments of them, that are looked for together: consecutive, so each starts where the one before ends.
///
/// First all keys are made, so that the loads of one do not wait for those of another, then all are looked up.
#[derive(Debug)]
struct Batch {
    start: usize,
    ends: [usize; BATCH],
    keys: [Key<2>; BATCH],
    hashes: [u64; BATCH],
    /// One bit for each that is a segment which must not be taken for a whole pretoken.
    segments: u64,
    n: usize,
}

impl<S: Sink> Run<'_, S> {
    /// Encodes the text, as long as `go_on` says so.
    fn encode_text(&mut self, pretokenizer: &Pretokenizer, go_on: impl Fn(&S) -> bool) -> Result<()> {
        let mut next_check = CHECK_BYTES;
        let flow = pretokenizer.ends(self.text, |start, ends| {
            let result = self.encode_ends(start, ends).and_then(|()| {
                if start < next_check {
                    return Ok(());
                }
                next_check = start + CHECK_BYTES;
                self.interrupt.check()
            });
            match result {
                Ok(()) if go_on(&self.sink) => ControlFlow::Continue(()),
                result => ControlFlow::Break(result),
            }
        });
        flow.break_value().unwrap_or(Ok(()))
    }

    /// Encodes consecutive pretokens, the first from `start`.
    #[inline(never)]
    fn encode_ends(&mut self, mut start: usize, ends: &[usize]) -> Result<()> {
        // It is lent, not made, as that would take longer than to encode a few words.
        let mut batch = self.scratch.batch.take().unwrap_or_default();
        let mut encoded = Ok(());
        for ends in ends.chunks(BATCH) {
            encoded = match batch.fill(&self.scratch.cache, self.text, start, ends) {
                true => self.encode_cut(&mut batch, start, ends),
                false => self.encode_batch(&mut batch),
            };
            start = ends.last().copied().unwrap_or(start);
            if encoded.is_err() {
                break;
            }
        }
        self.scratch.batch = Some(batch);
        encoded
    }

    /// Encodes consecutive pretokens, some of which may have safe cuts.
    fn encode_cut(&mut self, batch: &mut Batch, mut start: usize, ends: &[usize]) -> Result<()> {
        let encoder = self.encoder;
        encoder.prepare_cuts(self.vocabulary);
        (batch.start, batch.n, batch.segments) = (start, 0, 0);
        for &end in ends {
            let pretoken = self.text.get(start..end).unwrap_or_default();
            if may_have_cuts(pretoken) {
                for segment in encoder.cuts.segments(pretoken) {
                    let is_segment = encoder.whole_pretokens && segment.len() < pretoken.len();
                    self.push(batch, Pretoken { text: self.text, start, end: start + segment.len(), is_segment })?;
                    start += segment.len();
                }
            } else {
                self.push(batch, Pretoken { text: self.text, start, end, is_segment: false })?;
            }
            start = end;
        }
        self.encode_batch(batch)
    }

    /// Adds to a batch, and encodes it where it is full.
    #[inline(always)]
    fn push(&mut self, batch: &mut Batch, pretoken: Pretoken<'_>) -> Result<()> {
        let index = batch.n % BATCH;
        batch.set(&self.scratch.cache, index, pretoken);
        batch.segments |= u64::from(pretoken.is_segment) << index;
        batch.n += 1;
        if batch.n == BATCH { self.encode_batch(batch) } else { Ok(()) }
    }

    /// Encodes a batch, and begins the next where it ends.
    #[inline]
    fn encode_batch(&mut self, batch: &mut Batch) -> Result<()> {
        let n = batch.n.min(BATCH);
        let mut start = batch.start;
        for (index, ((&end, key), &hash)) in batch.ends[..n].iter().zip(&batch.keys).zip(&batch.hashes).enumerate() {
            if !self.scratch.cache.take_at_home(hash, key, &mut self.sink)? {
                let is_segment = batch.segments >> index & 1 == 1;
                self.encode_other(Pretoken { text: self.text, start, end, is_segment })?;
            }
            start = end;
        }
        (batch.start, batch.n, batch.segments) = (start, 0, 0);
        self.sink.finish()
    }

    /// Encodes what is not at home in the cache of short pretokens, or has many ids.
    #[inline(never)]
    fn encode_other(&mut self, pretoken: Pretoken<'_>) -> Result<()> {
        if self.scratch.cache.take(pretoken, &mut self.sink)? {
            return Ok(());
        }
        let encoder = self.encoder;
        let whole_id = (encoder.whole_pretokens && !pretoken.is_segment)
            .then(|| self.vocabulary.ordinary_id(pretoken.bytes()))
            .flatten();
        if let Some(id) = whole_id {
            self.scratch.cache.insert(pretoken, &[id.get()]);
            return self.sink.take(&[id.get()]);
        }
        if pretoken.end - pretoken.start > MAX_MEDIUM {
            return self.encode_segments(pretoken).map(drop);
        }
        let Self { encoder, vocabulary, text, interrupt, .. } = *self;
        let sink = Collect::new(std::mem::take(&mut self.scratch.fresh));
        let mut run = Run { encoder, vocabulary, scratch: &mut *self.scratch, text, interrupt, sink };
        let n_segments = run.encode_segments(pretoken)?;
        let ids = run.sink.ids;
        if n_segments > 1 {
            self.scratch.cache.insert(pretoken, &ids);
        }
        self.sink.take(&ids)?;
        self.scratch.fresh = ids;
        Ok(())
    }

    /// Encodes a pretoken that is not in the cache, segment by segment, and remembers those. Returns their number.
    fn encode_segments(&mut self, pretoken: Pretoken<'_>) -> Result<usize> {
        let encoder = self.encoder;
        encoder.prepare_cuts(self.vocabulary);
        let (mut start, mut n_segments) = (pretoken.start, 0);
        for bytes in encoder.cuts.segments(pretoken.bytes()) {
            let end = start + bytes.len();
            let is_whole = bytes.len() == pretoken.end - pretoken.start;
            let segment = Pretoken {
                start,
                end,
                is_segment: encoder.whole_pretokens && (pretoken.is_segment || !is_whole),
                ..pretoken
            };
            if is_whole || !self.scratch.cache.take(segment, &mut self.sink)? {
                self.merge(segment)?;
            }
            start = end;
            n_segments += 1;
        }
        Ok(n_segments)
    }

    /// Encodes by merging, and remembers it.
    fn merge(&mut self, pretoken: Pretoken<'_>) -> Result<()> {
        let mut ids = std::mem::take(&mut self.scratch.merged);
        ids.clear();
        let work = &mut self.scratch.long;
        self.encoder.merge(self.vocabulary, work, pretoken.bytes(), self.interrupt, &mut ids)?;
        self.scratch.cache.insert(pretoken, &ids);
        self.sink.take(&ids)?;
        if ids.capacity() <= 1 << 16 {
            self.scratch.merged = ids;
        }
        Ok(())
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { start: 0, ends: [0; BATCH], keys: [[0; 2]; BATCH], hashes: [0; BATCH], segments: 0, n: 0 }
    }
}

impl Batch {
    /// Makes a batch of consecutive pretokens. Says whether one of them may have safe cuts.
    #[inline(always)]
    fn fill(&mut self, cache: &Cache, text: &[u8], start: usize, ends: &[usize]) -> bool {
        (self.start, self.segments, self.n) = (start, 0, ends.len());
        let mut any_cuts = false;
        let mut start = start;
        for (index, &end) in ends.iter().enumerate().take(BATCH) {
            self.set(cache, index, Pretoken { text, start, end, is_segment: false });
            any_cuts |= text.get(start..end).is_some_and(may_have_cuts);
            start = end;
        }
        any_cuts
    }

    #[inline(always)]
    fn set(&mut self, cache: &Cache, index: usize, pretoken: Pretoken<'_>) {
        let key = pretoken.short_key();
        let hash = cache.short.hash(&key);
        cache.short.prefetch(hash);
        self.keys[index] = key;
        self.hashes[index] = hash;
        self.ends[index] = pretoken.end;
    }
}

/// Whether a pretoken is likely to have safe cuts: it begins with a character of three bytes, or a space and such a one,
/// and goes on. Of others, those that are not in the cache are looked at more closely.
#[inline(always)]
fn may_have_cuts(pretoken: &[u8]) -> bool {
    matches!(pretoken, [first, second, _, _, ..] if *first >= 0xE0 || *second >= 0xE0)
}
