//! As much of a text as fits into so many tokens.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::chars;
use super::cuts::Cuts;
use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::special::Segment;
use crate::vocab::{Matcher, Specials};

/// The first block of text that is encoded as one has about this many bytes: a few tokens may be all that is asked for.
const MIN_BLOCK: usize = 1 << 8;

/// Each has twice as many as the one before, up to this.
const MAX_BLOCK: usize = 1 << 14;

/// Measures parts of texts, each encoded by itself.
pub(super) struct Fit<'a> {
    tokenizer: &'a Tokenizer,
    specials: &'a Specials<'a>,
    scratch: &'a mut Scratch,
    interrupt: &'a Interrupt<'a>,
    longest: usize,
}

impl Tokenizer {
    /// The length in bytes of the longest beginning of `text` that is made of whole characters, has at most `max_tokens`
    /// ids when encoded by itself, and does not go past the character in which the first `max_tokens` ids of `text` end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) where the tokenizer does not [keep the text](Self::keeps_text);
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where `text` holds a byte that is no token;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) and [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    ///
    /// # Complexity
    ///
    /// O(b) for the b bytes of `max_tokens` ids and the pretoken they end in. Where a pattern is no preset, O(b c) if
    /// only the last but c characters fit, which takes a pattern that splits a beginning all otherwise.
    pub fn truncate_right(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        max_tokens: usize,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
    ) -> Result<usize> {
        self.demand_kept_text("truncating")?;
        let mut fit = Fit::new(self, specials, scratch, interrupt);
        fit.check(text)?;
        let (mut n_tokens, mut reach) = (0, 0);
        let all = fit.for_ends(text, |end| {
            n_tokens += 1;
            if n_tokens > max_tokens {
                return ControlFlow::Break(());
            }
            reach = end;
            ControlFlow::Continue(())
        })?;
        if all.is_continue() {
            return Ok(text.len());
        }
        fit.longest_start(text, ceil(text, reach), max_tokens)
    }

    /// Where the longest end of `text` begins that is made of whole characters, has at most `max_tokens` ids when encoded
    /// by itself, and does not begin before the character in which the last `max_tokens` ids of `text` do.
    ///
    /// # Errors
    ///
    /// As [`truncate_right`](Self::truncate_right).
    ///
    /// # Complexity
    ///
    /// As [`truncate_right`](Self::truncate_right), from the end; O(n) for all n bytes where a pattern is no preset.
    pub fn truncate_left(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        max_tokens: usize,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
    ) -> Result<usize> {
        self.demand_kept_text("truncating")?;
        let mut fit = Fit::new(self, specials, scratch, interrupt);
        fit.check(text)?;
        let mut width = max_tokens.saturating_mul(8).saturating_add(64);
        loop {
            let latest = text.len().saturating_sub(width);
            let start = fit.cuts().last(text, 1..latest.max(1)).unwrap_or(0);
            // The starts of the last tokens, one more than asked for: the end of the text is the start of none.
            let mut starts = VecDeque::from([start]);
            let mut short_of_memory = false;
            let _ = fit.for_ends(text.get(start..).unwrap_or_default(), |end| {
                if starts.len() > max_tokens {
                    starts.pop_front();
                }
                short_of_memory = starts.try_reserve(1).is_err();
                if short_of_memory {
                    return ControlFlow::Break(());
                }
                starts.push_back(start + end);
                ControlFlow::Continue(())
            })?;
            if short_of_memory {
                return Err(Error::memory("the offsets"));
            }
            if start == 0 || starts.len() > max_tokens {
                let earliest = starts.front().map_or(0, |&start| chars::around(text, start).start);
                return fit.longest_end(text, earliest, max_tokens);
            }
            width = width.saturating_mul(4);
        }
    }
}

impl<'a> Fit<'a> {
    pub(super) fn new(
        tokenizer: &'a Tokenizer,
        specials: &'a Specials<'a>,
        scratch: &'a mut Scratch,
        interrupt: &'a Interrupt<'a>,
    ) -> Self {
        Self { tokenizer, specials, scratch, interrupt, longest: Cuts::longest(specials.found()) }
    }

    fn cuts(&self) -> Cuts<'a> {
        Cuts::new(self.tokenizer, self.specials.found(), self.longest)
    }

    fn count(&mut self, text: &[u8], limit: usize) -> Result<Option<usize>> {
        self.interrupt.check()?;
        match self.tokenizer.count(self.scratch, text, self.specials, limit, self.interrupt) {
            // In the text of a special token that was cut: that does not fit.
            Err(error) if error.is_missing_byte() => Ok(None),
            counted => counted,
        }
    }

    fn fits(&mut self, text: &[u8], limit: usize) -> Result<bool> {
        Ok(self.count(text, limit)?.is_some())
    }

    /// Refuses a text that holds a byte that is no token.
    pub(super) fn check(&self, text: &[u8]) -> Result<()> {
        let missing = self.tokenizer.vocabulary().missing_bytes();
        let Some(found) = self.specials.found().filter(|_| !missing.is_empty()) else {
            return missing.check(text, 0);
        };
        let mut start = 0;
        for segment in found.literals().segments(text) {
            match segment {
                Segment::Text(text) => {
                    missing.check(text, start)?;
                    start += text.len();
                }
                Segment::Literal(literal) => start += literal_length(found, literal),
            }
        }
        Ok(())
    }

    /// Calls `visit` with where each token of `text` ends, in order, until it says to stop.
    pub(super) fn for_ends<B>(
        &mut self,
        text: &[u8],
        mut visit: impl FnMut(usize) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let mut position = 0;
        let Some(found) = self.specials.found() else { return self.for_ends_in_text(text, &mut position, &mut visit) };
        for segment in found.literals().segments(text) {
            let went_on = match segment {
                Segment::Text(text) => self.for_ends_in_text(text, &mut position, &mut visit)?,
                Segment::Literal(literal) => {
                    position += literal_length(found, literal);
                    visit(position)
                }
            };
            if went_on.is_break() {
                return Ok(went_on);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// [`for_ends`](Self::for_ends) in text without added tokens, which starts at `position`.
    ///
    /// Blocks that end at a safe cut are encoded as one, which is faster; where there is no cut, each pretoken by itself.
    fn for_ends_in_text<B>(
        &mut self,
        mut text: &[u8],
        position: &mut usize,
        visit: &mut impl FnMut(usize) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let (tokenizer, scratch, interrupt) = (self.tokenizer, &mut *self.scratch, self.interrupt);
        let (vocabulary, encoder, pretokenizer) =
            (tokenizer.vocabulary(), tokenizer.encoder(), tokenizer.pretokenizer());
        let mut walk = |ids: &[u32]| {
            ids.iter().try_for_each(|&id| {
                *position += vocabulary.token(id).map_or(0, <[u8]>::len);
                visit(*position)
            })
        };
        let mut ids = Vec::new();
        let mut block = MIN_BLOCK;
        while text.len() > block && pretokenizer.has_safe_cuts() {
            let Some(cut) = (block / 2..block).rfind(|&at| pretokenizer.is_safe_cut(text, at)) else { break };
            // The encoder asks only after far more text than this.
            interrupt.check()?;
            let (first, rest) = text.split_at(cut);
            ids.clear();
            encoder.encode(vocabulary, pretokenizer, scratch, first, interrupt, &mut ids)?;
            if let ControlFlow::Break(answer) = walk(&ids) {
                return Ok(ControlFlow::Break(answer));
            }
            (text, block) = (rest, (2 * block).min(MAX_BLOCK));
        }
        let stopped = pretokenizer.split(text, |pretoken| {
            ids.clear();
            if let Err(error) = encoder.encode_pretoken(vocabulary, scratch, pretoken, interrupt, &mut ids) {
                return ControlFlow::Break(Err(error));
            }
            walk(&ids).map_break(Ok)
        });
        match stopped {
            ControlFlow::Continue(()) => Ok(ControlFlow::Continue(())),
            ControlFlow::Break(answer) => answer.map(ControlFlow::Break),
        }
    }

    /// The longest beginning of `text` of whole characters, up to `end`, that has at most `max` ids by itself.
    ///
    /// Where it is cut, the ids before a safe cut stay as they are; so only what comes after one is encoded for each end
    /// that is tried. Almost always the first fits.
    pub(super) fn longest_start(&mut self, text: &[u8], mut end: usize, max: usize) -> Result<usize> {
        let text = text.get(..end).unwrap_or(text);
        let before = |end: usize| chars::around(text, end.saturating_sub(1)).start;
        let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
        while end > 0 && !self.fits(part(0, end), max)? {
            let Some(cut) = self.cuts().last(text, 1..end) else {
                end = before(end);
                continue;
            };
            let Some(n_tokens) = self.count(part(0, cut), max)? else {
                // Nothing that goes on from here can have fewer.
                end = before(cut);
                continue;
            };
            loop {
                end = before(end);
                if end <= cut || self.fits(part(cut, end), max - n_tokens)? {
                    return Ok(end.max(cut));
                }
            }
        }
        Ok(end)
    }

    /// Where the longest end of `text` of whole characters begins, from `start` on, that has at most `max` ids by itself.
    pub(super) fn longest_end(&mut self, text: &[u8], mut start: usize, max: usize) -> Result<usize> {
        let after = |start: usize| chars::around(text, start).end;
        let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
        while start < text.len() && !self.fits(part(start, text.len()), max)? {
            let rest = part(start, text.len());
            let Some(cut) = self.cuts().first(rest, 1).map(|cut| start + cut) else {
                start = after(start);
                continue;
            };
            let Some(n_tokens) = self.count(part(cut, text.len()), max)? else {
                start = after(cut);
                continue;
            };
            loop {
                start = after(start);
                if start >= cut || self.fits(part(start, cut), max - n_tokens)? {
                    return Ok(start.min(cut));
                }
            }
        }
        Ok(start)
    }
}

/// The end of the character that goes on to `at`, or `at` where none does.
pub(super) fn ceil(text: &[u8], at: usize) -> usize {
    let character = chars::around(text, at);
    if character.start == at { at } else { character.end }
}

fn literal_length(found: &Matcher, literal: usize) -> usize {
    found.literals().literals().get(literal).map_or(0, String::len)
}
