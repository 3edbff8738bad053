//! The ids of texts: of one or many, in any form, over threads; and how many they are.

use std::num::NonZero;
use std::ops::{ControlFlow, Range};

use super::Tokenizer;
use crate::encode::parallel::{self, Pieces};
use crate::encode::{PooledScratch, Scratch, ScratchPool, take_ids};
use crate::error::{Error, Result};
use crate::huge_pages;
use crate::interrupt::Interrupt;
use crate::pretokenize::is_short;
use crate::text::{self, Text};
use crate::threads::n_threads;
use crate::vocab::special::Segment;
use crate::vocab::{Allowed, Matcher, Specials};

/// Makes room in a list for the ids of `n_bytes`: text has three bytes a token or more, and what this is short of, growing makes
/// up for.
fn reserve(ids: &mut Vec<u32>, n_bytes: usize) -> Result<()> {
    if ids.capacity() - ids.len() < n_bytes / 3 {
        ids.try_reserve(n_bytes / 3).map_err(|_| Error::memory("the ids"))?;
        huge_pages::ask_for(ids);
    }
    Ok(())
}

/// Makes room in a list for the ids of `n_left` bytes more, where it may soon be full: for as many to a byte as the `n_done`
/// before have, whose ids come after the first `n_before`, but at least a third, and an eighth more.
///
/// A list that doubles its length instead is moved time and again, and is half empty in the end. It does so where there is no
/// room for so many at once, and where they are more.
fn reserve_for_rest(ids: &mut Vec<u32>, n_before: usize, n_done: usize, n_left: usize) {
    const KIB: usize = 1 << 10;
    let per_kib = ((ids.len() - n_before) / n_done.div_ceil(KIB).max(1)).max(KIB / 3);
    let soon = n_left.min(2 * parallel::BLOCK_BYTES);
    if ids.capacity() - ids.len() < per_kib * soon / KIB {
        let n_more = per_kib * n_left.div_ceil(KIB);
        let _ = ids.try_reserve_exact(n_more + n_more / 8);
        huge_pages::ask_for(ids);
    }
}

/// The ids of many documents, one after another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// The ids of all documents.
    pub ids: Vec<u32>,
    /// Where each document ends in `ids`.
    pub ends: Vec<usize>,
}

impl Tokenizer {
    /// Appends the ids of `text` to `out`.
    ///
    /// Special tokens in the text become ids only where `allowed`; otherwise they are plain text. Of special tokens that
    /// start at one place the longest wins. `text` need not be UTF-8: bytes that are not form pretokens of their own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where `allowed` names no special token;
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where `text` holds a byte that is no token.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed vocabulary and pattern, whatever the text.
    pub fn encode(&self, scratch: &mut Scratch, text: &[u8], allowed: Allowed<'_>, out: &mut Vec<u32>) -> Result<()> {
        let specials = self.added.specials(allowed, Allowed::None)?;
        self.encode_with(scratch, text, &specials, &Interrupt::never(), out)
    }

    /// [`encode`](Self::encode) for special tokens prepared once for many texts, some of which may be refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where `text` contains one that is refused;
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where it holds a byte that is no token;
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is no room for the ids;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where `interrupt` says so.
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_with(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        specials.check(text)?;
        if !self.keeps_text {
            return self.encode_changed(scratch, text, specials, interrupt, out);
        }
        let missing = self.vocabulary.missing_bytes();
        let Some(matcher) = specials.found() else {
            missing.check(text, 0)?;
            return self.encode_text(scratch, text, interrupt, out);
        };
        reserve(out, text.len())?;
        let mut start = 0;
        for segment in matcher.literals().segments(text) {
            match segment {
                Segment::Text(text) => {
                    missing.check(text, start)?;
                    self.encode_text(scratch, text, interrupt, out)?;
                    start += text.len();
                }
                Segment::Literal(index) => {
                    out.extend(matcher.ids().get(index));
                    start += matcher.literals().literals().get(index).map_or(0, String::len);
                }
            }
        }
        Ok(())
    }

    /// [`encode_with`](Self::encode_with) for a text that need not be UTF-8 yet: it is made of it part by part.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with) and [`Text::append_to`].
    ///
    /// # Complexity
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_characters(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        if let Text::Bytes(text) = text {
            return self.encode_with(scratch, text, specials, interrupt, out);
        }
        let n_before = out.len();
        self.each_part(scratch, text, specials, |scratch, utf8, part| {
            if part.len() == text.len() {
                self.encode_with(scratch, utf8, specials, interrupt, out)?;
            } else {
                let Self { encoder, vocabulary, pretokenizer, .. } = self;
                encoder.encode(vocabulary, pretokenizer, scratch, utf8, interrupt, out)?;
                interrupt.check()?;
                reserve_for_rest(out, n_before, part.end, text.len() - part.end);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Makes UTF-8 of a text, part by part where it may be cut, and hands each part to `visit` with where it lies in the text, until
    /// that says to stop.
    fn each_part(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        specials: &Specials<'_>,
        mut visit: impl FnMut(&mut Scratch, &[u8], Range<usize>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        /// Parts of about so many characters: their UTF-8 stays near until it is encoded.
        const PART: usize = 1 << 15;
        let is_whole = text.len() < 2 * PART || specials.refuse() || !self.may_join(specials);
        let is_whole = is_whole || !self.pretokenizer.has_safe_cuts();
        let mut utf8 = scratch.take_bytes();
        let mut start = 0;
        while start < text.len() {
            let is_cut = |at| self.is_safe_cut(text, at);
            let end = if is_whole { text.len() } else { parallel::next_cut(start, text.len(), PART, is_cut) };
            utf8.clear();
            text.part(start..end).append_to(&mut utf8).map_err(|error| text.placed(error))?;
            if visit(scratch, &utf8, start..end)?.is_break() {
                break;
            }
            start = end;
        }
        scratch.give_bytes(utf8);
        Ok(())
    }

    /// Whether texts can be cut and joined: a special token or a byte that is missing may lie across a cut, or be named by its
    /// place.
    fn may_join(&self, specials: &Specials<'_>) -> bool {
        self.keeps_text && specials.found().is_none() && self.vocabulary.missing_bytes().is_empty()
    }

    /// [`Pretokenizer::is_safe_cut`](crate::pretokenize::Pretokenizer::is_safe_cut) of a text in any form.
    fn is_safe_cut(&self, text: Text<'_>, at: usize) -> bool {
        match text {
            Text::Bytes(text) => self.pretokenizer.is_safe_cut(text, at),
            _ => text.near(at, |near, at| self.pretokenizer.is_safe_cut(near, at)),
        }
    }

    /// The ids of many documents, over `num_threads` threads, or one for each processor.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes in all, whatever the texts; the ids are the same for any number of threads.
    pub fn encode_batch(
        &self,
        pool: &ScratchPool,
        texts: &[&[u8]],
        allowed: Allowed<'_>,
        num_threads: Option<NonZero<usize>>,
    ) -> Result<Batch> {
        let specials = self.added.specials(allowed, Allowed::None)?;
        let texts: Vec<Text<'_>> = texts.iter().map(|text| Text::Bytes(text)).collect();
        let batch = self.encode_batch_with(pool, &texts, &specials, &Interrupt::never(), num_threads);
        batch.map_err(|(_, error)| error)
    }

    /// [`encode_batch`](Self::encode_batch) for special tokens that may be refused, and texts that need not be UTF-8 yet: it is
    /// made of them, part by part, by the threads.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode_with`] and [`Text::append_to`], with the index of the first text at fault.
    ///
    /// # Complexity
    ///
    /// As [`encode_batch`](Self::encode_batch).
    pub fn encode_batch_with(
        &self,
        pool: &ScratchPool,
        texts: &[Text<'_>],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        num_threads: Option<NonZero<usize>>,
    ) -> std::result::Result<Batch, (usize, Error)> {
        let n_bytes_of = |texts: &[Text<'_>]| texts.iter().map(|text| text.len()).sum::<usize>();
        let n_bytes = n_bytes_of(texts);
        let n_threads = n_threads(num_threads, n_bytes);
        let may_join = self.may_join(specials);
        // Refused tokens are looked for in whole texts, before any is cut: not in such as are not UTF-8 yet.
        let is_utf8 = |text: &Text<'_>| matches!(text, Text::Bytes(_));
        let may_look = !specials.refuse() || texts.iter().all(is_utf8);
        let may_cut = may_join && may_look && n_threads > 1 && self.pretokenizer.has_safe_cuts();
        let is_cut = |text, at| self.is_safe_cut(text, at);
        let pieces = if may_cut { Pieces::cut(texts, is_cut) } else { Pieces::whole(texts) };
        if pieces.pieces.len() > texts.len() {
            for (index, text) in texts.iter().enumerate() {
                if let Text::Bytes(text) = text {
                    specials.check(text).map_err(|error| (index, error))?;
                }
            }
        }
        let encode = |scratch: &mut PooledScratch<'_>, first: usize, block: &[Text<'_>], batch: &mut Batch| {
            let of_document = |index, error| {
                let document = pieces.document(index);
                (document, texts.get(document).copied().unwrap_or(Text::Bytes(&[])).placed(error))
            };
            interrupt.check().map_err(|error| of_document(first, error))?;
            let mut index = first;
            for texts in block.chunk_by(|one, next| may_join && is_short(one.len()) && is_short(next.len())) {
                if let [text] = texts {
                    let encoded = self.encode_characters(scratch, *text, specials, interrupt, &mut batch.ids);
                    encoded.map_err(|error| of_document(index, error))?;
                    if pieces.is_last(index) {
                        batch.ends.push(batch.ids.len());
                    }
                } else {
                    self.encode_short(scratch, texts, specials, interrupt, batch)
                        .map_err(|(inside, error)| of_document(index + inside, error))?;
                }
                index += texts.len();
            }
            Ok(())
        };
        let mut batch = Batch { ids: take_ids(n_bytes), ends: Vec::new() };
        let no_room = |_| (0, Error::memory("the ids"));
        batch.ends.try_reserve_exact(texts.len()).map_err(no_room)?;
        let mut n_done = 0;
        if n_threads == 1 {
            let mut scratch = pool.lend();
            for (first, block) in parallel::blocks(texts) {
                encode(&mut scratch, first, block, &mut batch)?;
                n_done += n_bytes_of(block);
                reserve_for_rest(&mut batch.ids, 0, n_done, n_bytes - n_done);
            }
            return Ok(batch);
        }
        let mut blocks = parallel::blocks(&pieces.pieces).into_iter();
        let append = |part: &mut Batch| {
            let start = batch.ids.len();
            batch.ids.try_reserve(part.ids.len()).map_err(no_room)?;
            batch.ids.append(&mut part.ids);
            batch.ends.extend(part.ends.drain(..).map(|end| start + end));
            n_done += blocks.next().map_or(0, |(_, block)| n_bytes_of(block));
            reserve_for_rest(&mut batch.ids, 0, n_done, n_bytes - n_done);
            Ok(())
        };
        parallel::for_blocks(&pieces.pieces, n_threads, |thread| pool.lend_to(thread), encode, append)?;
        Ok(batch)
    }

    /// Encodes text without special tokens, a long one in pieces: how many ids the first has tells how much room all want.
    fn encode_text(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let Self { encoder, vocabulary, pretokenizer, .. } = self;
        let is_long = text.len() >= 2 * parallel::BLOCK_BYTES && pretokenizer.has_safe_cuts();
        let is_cut = |at| pretokenizer.is_safe_cut(text, at);
        let cuts = if is_long { parallel::cuts(text.len(), is_cut) } else { Vec::new() };
        if cuts.is_empty() {
            reserve(out, text.len())?;
            return encoder.encode(vocabulary, pretokenizer, scratch, text, interrupt, out);
        }
        let (n_before, mut start) = (out.len(), 0);
        for end in cuts.into_iter().chain([text.len()]) {
            let piece = text.get(start..end).unwrap_or_default();
            encoder.encode(vocabulary, pretokenizer, scratch, piece, interrupt, out)?;
            // The time to ask begins anew with each piece.
            interrupt.check()?;
            start = end;
            reserve_for_rest(out, n_before, end, text.len() - end);
        }
        Ok(())
    }

    /// Encodes short texts together; they are kept, hold no special token that is found, and miss no byte.
    fn encode_short(
        &self,
        scratch: &mut Scratch,
        texts: &[Text<'_>],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        batch: &mut Batch,
    ) -> std::result::Result<(), (usize, Error)> {
        let mut buffer = scratch.take_bytes();
        let texts = match text::in_utf8(texts, &mut buffer) {
            Ok(texts) => texts,
            Err((index, error)) => {
                // What is refused in one before it comes first.
                let before = text::in_utf8(texts.get(..index).unwrap_or_default(), &mut buffer)?;
                let refused =
                    before.iter().enumerate().find_map(|(index, text)| Some((index, specials.check(text).err()?)));
                return Err(refused.unwrap_or((index, error)));
            }
        };
        for (index, text) in texts.iter().enumerate() {
            specials.check(text).map_err(|error| (index, error))?;
        }
        let Self { encoder, vocabulary, pretokenizer, .. } = self;
        let ends = encoder.encode_texts(vocabulary, pretokenizer, scratch, &texts, interrupt, &mut batch.ids);
        batch.ends.append(&mut ends.map_err(|error| (0, error))?);
        scratch.give_bytes(buffer);
        Ok(())
    }

    /// How many ids `text` has, with special tokens as `specials` says and none refused; `None` where there are more than
    /// `limit`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where `text` holds a byte that is no token; after the
    /// limit is passed, one further on may go unseen. [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where
    /// `interrupt` says so; [`ErrorKind::Memory`](crate::ErrorKind::Memory) where what a normaliser makes of the text
    /// does not fit.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes, and at most those of as many tokens as the limit, each as long as the longest; stops soon
    /// after the limit is passed. The ids are never held all at once.
    pub fn count(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<Option<usize>> {
        if !self.keeps_text {
            return self.count_changed(scratch, text, specials, limit, interrupt);
        }
        let literals = specials.found().map(Matcher::literals);
        let longest_literal = literals.and_then(|all| all.literals().iter().map(String::len).max());
        // Even of the longest tokens, a giant pretoken may take more than the limit: that it does, need not be found out.
        let longest = self.vocabulary.longest().max(longest_literal.unwrap_or(0));
        if text.len() > limit.saturating_mul(longest) && self.vocabulary.missing_bytes().is_empty() {
            return Ok(None);
        }
        let mut n_ids = 0;
        let mut start = 0;
        let segments = literals.map(|literals| literals.segments(text));
        for segment in segments.into_iter().flatten().chain(literals.is_none().then_some(Segment::Text(text))) {
            match segment {
                Segment::Text(text) => {
                    self.vocabulary.missing_bytes().check(text, start)?;
                    let limit = limit.saturating_sub(n_ids);
                    let Self { vocabulary, pretokenizer, encoder, .. } = self;
                    n_ids += encoder.count(vocabulary, pretokenizer, scratch, text, limit, interrupt)?;
                    start += text.len();
                }
                Segment::Literal(index) => {
                    n_ids += 1;
                    start += literals.and_then(|all| all.literals().get(index)).map_or(0, String::len);
                }
            }
            if n_ids > limit {
                return Ok(None);
            }
        }
        Ok(Some(n_ids))
    }

    /// [`count`](Self::count) for a text that need not be UTF-8 yet: it is made of it part by part.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count) and [`Text::append_to`]; after the limit is passed, what is no character may go unseen.
    ///
    /// # Complexity
    ///
    /// As [`count`](Self::count).
    pub fn count_characters(
        &self,
        scratch: &mut Scratch,
        text: Text<'_>,
        specials: &Specials<'_>,
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<Option<usize>> {
        if let Text::Bytes(text) = text {
            return self.count(scratch, text, specials, limit, interrupt);
        }
        let mut n_ids = Some(0);
        self.each_part(scratch, text, specials, |scratch, utf8, _| {
            let before = n_ids.unwrap_or(limit);
            n_ids = self.count(scratch, utf8, specials, limit - before, interrupt)?.map(|n| before + n);
            interrupt.check()?;
            Ok(if n_ids.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(n_ids)
    }
}
