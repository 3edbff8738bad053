//! A part of a text on its way through the pipeline, and which part of the original each of its bytes is from.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use crate::error::{Error, Result};
use crate::pretokenize::Finder;

/// A part of the original text, in bytes: start and end.
pub type Span = (usize, usize);

/// A part of a text, maybe changed, and maybe with the span of the original that each of its bytes stands for.
#[derive(Clone, Debug)]
pub struct Piece<'t> {
    text: Cow<'t, str>,
    spans: Option<Cow<'t, [Span]>>,
}

/// One character of a changed text, and how it comes to be there: `1` for one more, `0` for the next character or what
/// replaces it, `-n` for the same and n more that go with it.
pub(super) type Edit = (char, isize);

impl<'t> Piece<'t> {
    /// A text as it is, without spans.
    pub fn new(text: &'t str) -> Self {
        Self { text: Cow::Borrowed(text), spans: None }
    }

    /// A text as it is, with spans: each byte stands for its character. `start` is where the text begins in the original.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the spans do not fit.
    pub fn tracked(text: &'t str, start: usize) -> Result<Self> {
        let mut spans = Vec::new();
        spans.try_reserve_exact(text.len()).map_err(|_| Error::memory("the offsets"))?;
        for (at, character) in text.char_indices() {
            let span = (start + at, start + at + character.len_utf8());
            spans.resize(spans.len() + character.len_utf8(), span);
        }
        Ok(Self { text: Cow::Borrowed(text), spans: Some(Cow::Owned(spans)) })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A part of the piece.
    pub fn slice(&self, range: Range<usize>) -> Piece<'_> {
        Piece {
            text: Cow::Borrowed(self.text.get(range.clone()).unwrap_or_default()),
            spans: self.spans.as_ref().map(|spans| Cow::Borrowed(spans.get(range).unwrap_or_default())),
        }
    }

    /// The span of the original that a part of the piece, of at least a byte, stands for, if spans are kept.
    pub fn span(&self, range: Range<usize>) -> Option<Span> {
        let spans = self.spans.as_ref()?.get(range)?;
        Some((spans.first()?.0, spans.last()?.1))
    }

    /// The piece with edits in place of all of its text but its first `skipped` characters, which go.
    pub(super) fn edited(&self, skipped: usize, edits: impl Iterator<Item = Edit>) -> Result<Piece<'static>> {
        let mut writer = Writer::new(self)?;
        writer.drop_characters(skipped);
        for (character, change) in edits {
            writer.put(character, change)?;
        }
        Ok(writer.finish())
    }

    /// The piece with `content` before it, which stands for its first character.
    pub(super) fn prefixed(&self, content: &str) -> Result<Piece<'static>> {
        let mut writer = Writer::new(self)?;
        let mut rest = self.text.chars();
        let (Some(first), Some(prefix)) = (rest.next(), content.chars().next()) else {
            return Ok(Piece { text: Cow::Owned(self.text.to_string()), spans: self.spans.clone().map(owned) });
        };
        // The prefix replaces the first character, and what follows is one more.
        writer.put(prefix, 0)?;
        for character in content.chars().skip(1).chain([first]) {
            writer.put(character, 1)?;
        }
        for character in rest {
            writer.put(character, 0)?;
        }
        Ok(writer.finish())
    }

    /// The piece with `content` in place of each match of `pattern`.
    pub(super) fn replaced(&self, pattern: &Finder, content: &str) -> Result<Piece<'static>> {
        let mut writer = Writer::new(self)?;
        let failed = pattern.parts(&self.text, |part, is_match| {
            let (content, change) = if is_match { (content, 1) } else { (part, 0) };
            if is_match {
                writer.drop_characters(part.chars().count());
            }
            match content.chars().try_for_each(|character| writer.put(character, change)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        });
        failed.break_value().map_or_else(|| Ok(writer.finish()), Err)
    }
}

fn owned(spans: Cow<'_, [Span]>) -> Cow<'static, [Span]> {
    Cow::Owned(spans.into_owned())
}

/// Writes a changed text, and reads the spans of the old one along with it.
struct Writer<'p> {
    old: &'p str,
    old_spans: Option<&'p [Span]>,
    /// How much of the old text is used up.
    at: usize,
    text: String,
    spans: Vec<Span>,
}

impl<'p> Writer<'p> {
    fn new(piece: &'p Piece<'_>) -> Result<Self> {
        let mut text = String::new();
        text.try_reserve(piece.text.len()).map_err(|_| Error::memory("the text"))?;
        Ok(Self { old: &piece.text, old_spans: piece.spans.as_deref(), at: 0, text, spans: Vec::new() })
    }

    fn drop_characters(&mut self, number: usize) {
        let rest = self.old.get(self.at..).unwrap_or_default();
        self.at = rest.char_indices().nth(number).map_or(self.old.len(), |(length, _)| self.at + length);
    }

    fn put(&mut self, character: char, change: isize) -> Result<()> {
        self.text.try_reserve(4).map_err(|_| Error::memory("the text"))?;
        self.text.push(character);
        if let Some(spans) = self.old_spans {
            // What is put before everything stands for nothing.
            let at = if change > 0 { self.at.checked_sub(1) } else { Some(self.at) };
            let nothing = spans.first().map_or(0, |span| span.0);
            let span = at.and_then(|at| spans.get(at)).copied().unwrap_or((nothing, nothing));
            self.spans.try_reserve(4).map_err(|_| Error::memory("the offsets"))?;
            self.spans.resize(self.spans.len() + character.len_utf8(), span);
        }
        if change <= 0 {
            self.drop_characters(1 + change.unsigned_abs());
        }
        Ok(())
    }

    fn finish(self) -> Piece<'static> {
        Piece { text: Cow::Owned(self.text), spans: self.old_spans.map(|_| Cow::Owned(self.spans)) }
    }
}
