//! A text in spans that each fit into so many tokens.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use super::chars;
use super::fit::{Fit, ceil};
use crate::encode::ScratchPool;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::Specials;

/// What is done of a split.
struct Splitter<'a> {
    fit: Fit<'a>,
    text: &'a [u8],
    max_tokens: usize,
    overlap: usize,
    /// Where the next span starts.
    start: usize,
    /// Where tokens of the whole text end after that, as far as they are known.
    ends: VecDeque<usize>,
    spans: Vec<Range<usize>>,
}

impl Tokenizer {
    /// Byte ranges of whole characters that cover `text`, each of at most `max_tokens` ids when encoded by itself.
    ///
    /// From where a span starts, it is the longest that fits and does not go past the character in which ends, of the
    /// tokens of the whole text, the `max_tokens`-th to end after the start. The next span starts where it ends; or
    /// before, at the longest end of it that has at most `overlap` tokens by itself and does not begin before the
    /// character in which the last `overlap` tokens of the whole text up to there do, unless the next span could then not go
    /// further than this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) where one character has more ids than `max_tokens`, where
    /// `overlap` is not less than that, or the tokenizer does not [keep the text](Self::keeps_text);
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte), [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted)
    /// and [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    ///
    /// # Complexity
    ///
    /// O(n + s) for n bytes and spans of s bytes in all, as [`truncate_right`](Self::truncate_right) has it.
    pub fn split(
        &self,
        pool: &ScratchPool,
        text: &[u8],
        max_tokens: usize,
        overlap: usize,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
    ) -> Result<Vec<Range<usize>>> {
        self.demand_kept_text("splitting")?;
        if overlap > 0 && overlap >= max_tokens {
            let message = format!("overlap={overlap} must be less than max_tokens={max_tokens}");
            return Err(Error::argument(message));
        }
        // One measures spans while the other walks the text.
        let (mut walking, mut measuring) = (pool.lend(), pool.lend());
        let mut splitter = Splitter {
            fit: Fit::new(self, specials, &mut measuring, interrupt),
            text,
            max_tokens,
            overlap,
            start: 0,
            ends: VecDeque::new(),
            spans: Vec::new(),
        };
        splitter.fit.check(text)?;
        let walked = Fit::new(self, specials, &mut walking, interrupt).for_ends(text, |end| match splitter.walk(end) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        });
        if let ControlFlow::Break(error) = walked? {
            return Err(error);
        }
        while splitter.start < text.len() {
            splitter.cut()?;
        }
        Ok(splitter.spans)
    }
}

impl Splitter<'_> {
    /// Goes on to where a token of the whole text ends.
    fn walk(&mut self, end: usize) -> Result<()> {
        // Where one span went on past the tokens it was meant to have, some of these lie behind.
        if end > self.start {
            self.ends.try_reserve(1).map_err(|_| Error::memory("the offsets"))?;
            self.ends.push_back(end);
        }
        while self.ends.len() > self.max_tokens {
            self.cut()?;
        }
        Ok(())
    }

    /// Adds the next span.
    fn cut(&mut self) -> Result<()> {
        let (text, start) = (self.text, self.start);
        let reach = match self.max_tokens.checked_sub(1) {
            Some(last) => self.ends.get(last).copied().unwrap_or(text.len()),
            None => start,
        };
        let rest = text.get(start..).unwrap_or_default();
        let end = start + self.fit.longest_start(rest, ceil(text, reach) - start, self.max_tokens)?;
        let covered = self.spans.last().map_or(0, |span| span.end);
        if end > covered {
            self.spans.try_reserve(1).map_err(|_| Error::memory("the spans"))?;
            self.spans.push(start..end);
            self.start = if end < text.len() { self.next_start(end)? } else { end };
        } else if start < covered {
            // The overlap leaves no room for another character.
            self.start = covered;
        } else {
            let index = chars::count(text.get(..start).unwrap_or_default());
            let max = self.max_tokens;
            return Err(Error::argument(format!("the character at index {index} alone has more than {max} tokens")));
        }
        while self.ends.front().is_some_and(|&end| end <= self.start) {
            self.ends.pop_front();
        }
        Ok(())
    }

    /// Where the span after one that ends at `end` starts.
    fn next_start(&mut self, end: usize) -> Result<usize> {
        if self.overlap == 0 {
            return Ok(end);
        }
        let second = chars::around(self.text, self.start).end;
        let containing = self.ends.partition_point(|&token_end| token_end < end);
        let token_start = containing.checked_sub(self.overlap).and_then(|index| self.ends.get(index)).copied();
        let earliest = token_start.map_or(second, |start| chars::around(self.text, start).start.max(second));
        self.fit.longest_end(self.text.get(..end).unwrap_or_default(), earliest, self.overlap)
    }
}
