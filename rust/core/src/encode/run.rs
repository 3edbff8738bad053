//! Pretokens to ids: a batch at a time from the cache, what is not there by whole-token look-up and merging.

use std::ops::ControlFlow;

use super::cache::{Cache, Key, MAX_MEDIUM, Pretoken};
use super::encoder::Encoder;
use super::scratch::Scratch;
use super::sink::{BATCH, Collect, Sink};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::pretokenize::Pretokenizer;
use crate::vocab::Vocabulary;

/// Whether to stop is asked each time this many bytes have been encoded: a few milliseconds, even of the slowest text.
const CHECK_BYTES: usize = 1 << 18;

/// And each time this many pretokens or segments have: one pretoken can have millions.
const CHECK_STEPS: usize = 1 << 16;

/// The encoding of one text.
pub(super) struct Run<'a, S> {
    encoder: &'a Encoder,
    vocabulary: &'a Vocabulary,
    scratch: &'a mut Scratch,
    text: &'a [u8],
    interrupt: &'a Interrupt<'a>,
    sink: S,
    n_steps: usize,
}

/// Pretokens, or segments of them, that are looked for together: consecutive, so each starts where the one before ends.
///
/// First all keys are made, so that the loads of one do not wait for those of another, then all are looked up.
#[derive(Debug)]
pub(super) struct Batch {
    start: usize,
    ends: [usize; BATCH],
    keys: [Key<2>; BATCH],
    hashes: [u64; BATCH],
    /// One bit for each that is a segment which must not be taken for a whole pretoken.
    segments: u64,
    n: usize,
}

impl<'a, S: Sink> Run<'a, S> {
    pub(super) fn new(
        encoder: &'a Encoder,
        vocabulary: &'a Vocabulary,
        scratch: &'a mut Scratch,
        text: &'a [u8],
        interrupt: &'a Interrupt<'a>,
        sink: S,
    ) -> Self {
        Self { encoder, vocabulary, scratch, text, interrupt, sink, n_steps: 0 }
    }

    pub(super) fn into_sink(self) -> S {
        self.sink
    }

    /// Asks now and then whether to stop.
    #[inline]
    fn step(&mut self, n: usize) -> Result<()> {
        self.n_steps += n;
        if self.n_steps < CHECK_STEPS {
            return Ok(());
        }
        self.n_steps = 0;
        self.interrupt.check()
    }

    /// Encodes the text, as long as `go_on` says so.
    pub(super) fn encode_text(&mut self, pretokenizer: &Pretokenizer, go_on: impl Fn(&S) -> bool) -> Result<()> {
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
    pub(super) fn encode_ends(&mut self, mut start: usize, ends: &[usize]) -> Result<()> {
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
        encoder.prepare_cuts(self.vocabulary, self.text.get(start..).unwrap_or_default())?;
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
        self.sink.finish()?;
        self.step(n)
    }

    /// Encodes what is not at home in the cache of short pretokens, or has many ids.
    #[inline(never)]
    fn encode_other(&mut self, pretoken: Pretoken<'_>) -> Result<()> {
        if self.scratch.cache.take(pretoken, &mut self.sink)? {
            return Ok(());
        }
        let Self { encoder, vocabulary, text, interrupt, .. } = *self;
        if encoder.whole_pretokens
            && !pretoken.is_segment
            && let Some(id) = vocabulary.ordinary_id(pretoken.bytes())
        {
            self.scratch.cache.insert(pretoken, &[id.get()]);
            return self.sink.take(&[id.get()]);
        }
        if pretoken.end - pretoken.start > MAX_MEDIUM {
            return self.encode_segments(pretoken).map(drop);
        }
        let sink = Collect::new(std::mem::take(&mut self.scratch.fresh));
        let mut run = Run::new(encoder, vocabulary, &mut *self.scratch, text, interrupt, sink);
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
        encoder.prepare_cuts(self.vocabulary, pretoken.bytes())?;
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
            self.step(1)?;
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
