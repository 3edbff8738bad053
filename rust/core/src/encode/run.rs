//! Pretokens to ids: a batch at a time from the cache, what is not there by whole-token look-up and merging.

use std::ops::{ControlFlow, Range};

use super::batch::{Batch, Spans};
use super::cache::Sought;
use super::cuts::WIDE;
use super::encoder::Encoder;
use super::hits;
use super::scratch::Scratch;
use super::segments::{PART, Segments};
use super::sink::{Collect, Sink};
use crate::counters::count;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::keys::{BATCH, MAX_MEDIUM, MAX_SHORT, Pretoken};
use crate::pretokenize::{Pretokenizer, Tier};
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
    tier: Tier,
    /// Where the texts end that `text` is made of and that are still to be encoded, if it is made of several.
    text_ends: &'a [usize],
    /// How many ids there were at the end of each that is encoded.
    id_ends: Vec<usize>,
    n_steps: usize,
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
        Self {
            encoder,
            vocabulary,
            scratch,
            text,
            interrupt,
            sink,
            tier: Tier::current(),
            text_ends: &[],
            id_ends: Vec::new(),
            n_steps: 0,
        }
    }

    pub(super) fn into_sink(self) -> S {
        self.sink
    }

    /// Encodes the text as several, which end at `text_ends`, and appends to `ends` where the ids of each end.
    pub(super) fn encode_texts(
        &mut self,
        pretokenizer: &Pretokenizer,
        text_ends: &'a [usize],
        ends: &mut Vec<usize>,
    ) -> Result<()> {
        self.text_ends = text_ends;
        let flow =
            pretokenizer.ends_of_texts(self.text, text_ends, |start, ends| match self.encode_ends(start, ends) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            });
        // What follows the last pretoken are empty texts.
        let n_ids = self.sink.n_ids();
        ends.append(&mut self.id_ends);
        ends.extend(self.text_ends.iter().map(|_| n_ids));
        flow.break_value().map_or(Ok(()), Err)
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
    pub(super) fn encode_ends(&mut self, start: usize, ends: &[usize]) -> Result<()> {
        // It is lent, not made, as that would take longer than to encode a few words.
        let mut batch = self.scratch.batch.take().unwrap_or_default();
        let spans = Spans { start, ends };
        let text = self.text.get(start..spans.end()).unwrap_or_default();
        let encoded = if !text.is_ascii() && WIDE_PER * n_wide(text) >= ends.len() {
            let mut segments = self.scratch.segments.take().unwrap_or_default();
            let encoded = self.encode_cut(&mut batch, &mut segments, spans);
            self.scratch.segments = Some(segments);
            encoded
        } else {
            self.encode_parts(&mut batch, spans, None)
        };
        self.scratch.batch = Some(batch);
        encoded
    }

    /// Encodes consecutive pretokens, some of which may have safe cuts.
    fn encode_cut(&mut self, batch: &mut Batch, segments: &mut Segments, pretokens: Spans<'_>) -> Result<()> {
        let characters = self.encoder.characters(self.vocabulary)?;
        let Spans { mut start, mut ends } = pretokens;
        let (mut part, end) = (start, pretokens.end());
        while part < end {
            let part_end = end.min(part + PART);
            segments.find(self.tier, characters, self.text, part..part_end, ends);
            // A part of a long pretoken may have no end, and is work all the same.
            self.step(PART / BATCH)?;
            let spans = Spans { start, ends: segments.ends() };
            self.encode_parts(batch, spans, Some(pretokens))?;
            start = spans.end();
            ends = ends.get(ends.partition_point(|&end| end <= part_end)..).unwrap_or_default();
            part = part_end;
        }
        Ok(())
    }

    /// Encodes consecutive pretokens; or segments of `pretokens`, if there are such, which start and end as they say.
    #[inline]
    fn encode_parts(&mut self, batch: &mut Batch, spans: Spans<'_>, pretokens: Option<Spans<'_>>) -> Result<()> {
        let mut start = spans.start;
        for ends in spans.ends.chunks(BATCH) {
            let spans = Spans { start, ends };
            let table = &self.scratch.cache.short;
            batch.fill(self.tier, table, self.text, spans);
            if let Some(pretokens) = pretokens.filter(|_| self.encoder.whole_pretokens) {
                batch.mark_parts(table, spans, pretokens);
            }
            self.encode_batch(batch, spans)?;
            start = spans.end();
        }
        Ok(())
    }

    /// Encodes a batch.
    #[inline]
    fn encode_batch(&mut self, batch: &Batch, spans: Spans<'_>) -> Result<()> {
        let mut next = 0;
        while let [text_end, rest @ ..] = self.text_ends
            && *text_end <= spans.end()
        {
            let stop = spans.n_up_to(*text_end);
            self.encode_some(batch, spans, next..stop)?;
            self.id_ends.push(self.sink.n_ids());
            (self.text_ends, next) = (rest, stop);
        }
        let n = spans.ends.len();
        self.encode_some(batch, spans, next..n)?;
        self.sink.finish()?;
        self.step(n)
    }

    /// Encodes some of a batch.
    #[inline]
    fn encode_some(&mut self, batch: &Batch, spans: Spans<'_>, range: Range<usize>) -> Result<()> {
        let mut next = range.start;
        while next < range.end {
            let n_taken = hits::take(self.tier, batch, &self.scratch.cache, next..range.end, &mut self.sink);
            count(n_taken);
            let index = next + n_taken;
            next = index + 1;
            if index >= range.end {
                break;
            }
            let Some(pretoken) = batch.get(self.text, spans, index) else { break };
            let sought = batch.sought(&self.scratch.cache, index, pretoken);
            if !self.scratch.cache.take(sought, &mut self.sink)? {
                self.encode_new(pretoken, sought)?;
            }
        }
        Ok(())
    }

    /// Encodes what is not in the cache, and remembers it.
    #[inline(never)]
    fn encode_new(&mut self, pretoken: Pretoken<'_>, sought: Sought<'_>) -> Result<()> {
        let Self { encoder, vocabulary, text, interrupt, .. } = *self;
        if encoder.whole_pretokens
            && !pretoken.is_segment
            && let Some(id) = vocabulary.ordinary_id(pretoken.bytes())
        {
            self.scratch.cache.insert(sought, &[id.get()]);
            return self.sink.take(&[id.get()]);
        }
        // A word of few letters is merged sooner than it is looked at for cuts, of which it seldom has one.
        if pretoken.end - pretoken.start <= MAX_SHORT && pretoken.bytes().iter().all(|&byte| byte < WIDE) {
            return self.merge(pretoken, sought);
        }
        if pretoken.end - pretoken.start > MAX_MEDIUM {
            return self.encode_segments(pretoken).map(drop);
        }
        let sink = Collect::new(std::mem::take(&mut self.scratch.fresh));
        let mut run = Run::new(encoder, vocabulary, &mut *self.scratch, text, interrupt, sink);
        let n_segments = run.encode_segments(pretoken)?;
        let ids = run.sink.ids;
        if n_segments > 1 {
            self.scratch.cache.insert(sought, &ids);
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
        while start < pretoken.end {
            let end = self.segment_end(start, pretoken.end)?;
            let is_whole = end - start == pretoken.end - pretoken.start;
            let segment = Pretoken {
                start,
                end,
                is_segment: encoder.whole_pretokens && (pretoken.is_segment || !is_whole),
                ..pretoken
            };
            let sought = self.scratch.cache.sought(segment);
            if is_whole || !self.scratch.cache.take(sought, &mut self.sink)? {
                self.merge(segment, sought)?;
            }
            self.step(1)?;
            start = end;
            n_segments += 1;
        }
        Ok(n_segments)
    }

    /// Where the segment from `start` on ends, in a pretoken that ends at `end`. A long one is looked through part by part.
    fn segment_end(&mut self, start: usize, end: usize) -> Result<usize> {
        let (mut from, mut known) = (start, start);
        loop {
            let most = (from + CHECK_BYTES).min(end);
            // Not inside a character, as far as there are such.
            let part_end = if most < end { self.character_start(most).max(from + 1) } else { end };
            let part = self.text.get(from..part_end).unwrap_or_default();
            let found = from + self.encoder.cuts.first_segment(part);
            // It ends inside the part, or there is a cut where the one before ended.
            if found < part_end || found == end || found == known {
                return Ok(found);
            }
            self.interrupt.check()?;
            (from, known) = (self.character_start(found - 1), found);
        }
    }

    /// Where the character starts that the byte at a place belongs to.
    fn character_start(&self, at: usize) -> usize {
        let is_start = |&at: &usize| self.text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
        (at.saturating_sub(3)..=at).rev().find(is_start).unwrap_or(at)
    }

    /// Encodes by merging, and remembers it.
    fn merge(&mut self, pretoken: Pretoken<'_>, sought: Sought<'_>) -> Result<()> {
        let mut ids = std::mem::take(&mut self.scratch.merged);
        ids.clear();
        let work = &mut self.scratch.long;
        self.encoder.merge(self.vocabulary, work, pretoken.bytes(), self.interrupt, &mut ids)?;
        self.scratch.cache.insert(sought, &ids);
        self.sink.take(&ids)?;
        if ids.capacity() <= 1 << 16 {
            self.scratch.merged = ids;
        }
        Ok(())
    }
}

/// Safe cuts are looked for where there is a character of three bytes in so many pretokens.
const WIDE_PER: usize = 2;

/// How many characters of three bytes a text has.
fn n_wide(text: &[u8]) -> usize {
    // As long as a sum is a byte, there are many at a time.
    text.chunks(255).map(|text| usize::from(text.iter().map(|&byte| u8::from(byte & 0xF0 == WIDE)).sum::<u8>())).sum()
}
