//! Encoding where the ids are not those of the text as it is: it is normalised, or some of it is dropped, on the way; or
//! where the caller wants to know which part of the text each id stands for.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use super::Tokenizer;
use crate::definition::AddedToken;
use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::formats::byte_alphabet;
use crate::ids::{TokenId, narrow};
use crate::interrupt::Interrupt;
use crate::pipeline::{Encoding, Piece, Span};
use crate::unicode::{Chunk, utf8_chunks};
use crate::vocab::{Allowed, Matcher, Specials};

/// A part of a text on its way to ids.
enum Part<'p> {
    /// An added token, as it stands in the text.
    Added(u32, &'p Piece<'p>),
    /// Text to split and merge.
    Text(&'p Piece<'p>),
}

/// What to do with a part; `Break` ends the walk.
type Visit<'v> = dyn FnMut(Part<'_>) -> Result<ControlFlow<()>> + 'v;

const ON: Result<ControlFlow<()>> = Ok(ControlFlow::Continue(()));

/// Added tokens with the texts that their ids decode to: those that they are found by.
pub(super) fn decoded(added: &[AddedToken], normalized: &HashMap<TokenId, String>) -> Vec<AddedToken> {
    let decoded = |token: &AddedToken| match normalized.get(&token.id) {
        Some(text) => AddedToken { text: text.clone(), ..token.clone() },
        None => token.clone(),
    };
    added.iter().map(decoded).collect()
}

impl Tokenizer {
    /// Takes a text through the pipeline up to the split.
    fn walk(&self, matcher: Option<&Matcher>, text: &Piece<'_>, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        each(matcher, 0, text, &mut |part| match part {
            Part::Added(..) => visit(part),
            Part::Text(piece) => {
                let mut piece = piece.clone();
                self.pipeline.normalize(&mut piece)?;
                each(matcher, 1, &piece, &mut |part| match part {
                    Part::Added(..) => visit(part),
                    Part::Text(piece) => self.pipeline.pieces(piece, &mut |piece| visit(Part::Text(piece))),
                })
            }
        })
    }

    /// [`encode_with`](Self::encode_with) where a text does not keep.
    pub(super) fn encode_changed(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let mut start = 0;
        for chunk in utf8_chunks(text) {
            let (piece, length) = match chunk {
                Chunk::Text(text) => (self.piece(text, start)?, text.len()),
                Chunk::Invalid(bytes) => {
                    self.vocabulary.missing_bytes().check(bytes, start)?;
                    self.encoder.encode(&self.vocabulary, &self.pretokenizer, scratch, bytes, interrupt, out)?;
                    start += bytes.len();
                    continue;
                }
            };
            let _ = self.walk(specials.found(), &piece, &mut |part| {
                match part {
                    Part::Added(id, _) => out.push(id),
                    Part::Text(piece) => {
                        self.check_missing(piece)?;
                        let text = piece.text().as_bytes();
                        self.encoder.encode(&self.vocabulary, &self.pretokenizer, scratch, text, interrupt, out)?;
                    }
                }
                ON
            })?;
            start += length;
        }
        Ok(())
    }

    /// A text as a piece; where a byte may be missing, one that knows its place.
    fn piece<'t>(&self, text: &'t str, start: usize) -> Result<Piece<'t>> {
        if self.vocabulary.missing_bytes().is_empty() { Ok(Piece::new(text)) } else { Piece::tracked(text, start) }
    }

    fn check_missing(&self, piece: &Piece<'_>) -> Result<()> {
        let (text, missing) = (piece.text().as_bytes(), self.vocabulary.missing_bytes());
        let Some(index) = missing.find(text) else { return Ok(()) };
        let offset = piece.span(index..index + 1).map_or(index, |span| span.0);
        missing.check(text.get(index..).unwrap_or_default(), offset)
    }

    /// [`count`](Self::count) where a text does not keep.
    pub(super) fn count_changed(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        limit: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<Option<usize>> {
        let Self { vocabulary, pretokenizer, encoder, .. } = self;
        let mut n_ids = 0;
        let mut start = 0;
        let mut count = |text: &[u8], n_ids: &mut usize| {
            let limit = limit.saturating_sub(*n_ids);
            *n_ids += encoder.count(vocabulary, pretokenizer, scratch, text, limit, interrupt)?;
            Ok(())
        };
        for chunk in utf8_chunks(text) {
            match chunk {
                Chunk::Invalid(bytes) => {
                    vocabulary.missing_bytes().check(bytes, start)?;
                    count(bytes, &mut n_ids)?;
                    start += bytes.len();
                }
                Chunk::Text(text) => {
                    let _ = self.walk(specials.found(), &self.piece(text, start)?, &mut |part| {
                        match part {
                            Part::Added(..) => n_ids += 1,
                            Part::Text(piece) => {
                                self.check_missing(piece)?;
                                count(piece.text().as_bytes(), &mut n_ids)?;
                            }
                        }
                        Ok(if n_ids > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    })?;
                    start += text.len();
                }
            }
            if n_ids > limit {
                return Ok(None);
            }
        }
        Ok(Some(n_ids))
    }

    /// What Hugging Face's `encode` gives of a text: ids, and for each its spelling, its part of the text in characters and
    /// the number of its pretoken. All added tokens are found, as they are there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where the text holds a byte that is no token;
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where it does not fit;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) where `interrupt` says so.
    ///
    /// # Complexity
    ///
    /// O(n) time for n bytes and a fixed tokenizer.
    pub fn encode_in_full(
        &self,
        scratch: &mut Scratch,
        text: &str,
        add_special_tokens: bool,
        interrupt: &Interrupt<'_>,
    ) -> Result<Encoding> {
        let specials = self.added.specials(Allowed::All, Allowed::None)?;
        let characters = Characters::new(text)?;
        let mut encoding = Encoding::default();
        let mut n_words = 0;
        let mut ids = Vec::new();
        let _ = self.walk(specials.found(), &Piece::tracked(text, 0)?, &mut |part| {
            match part {
                Part::Added(id, piece) => {
                    let span = characters.span(piece, 0..piece.text().len());
                    encoding.push(id, piece.text().to_owned(), span, narrow(n_words));
                    n_words += 1;
                }
                Part::Text(piece) => {
                    self.check_missing(piece)?;
                    let mut start = 0;
                    let flow = self.pretokenizer.split(piece.text().as_bytes(), |pretoken| {
                        ids.clear();
                        let encoded =
                            self.encoder.encode_pretoken(&self.vocabulary, scratch, pretoken, interrupt, &mut ids);
                        if let Err(error) = encoded {
                            return ControlFlow::Break(error);
                        }
                        for &id in &ids {
                            let token = self.vocabulary.token(id).unwrap_or_default();
                            let end = start + token.len();
                            let span = characters.span(piece, start..end);
                            encoding.push(id, byte_alphabet::encode(token), span, narrow(n_words));
                            start = end;
                        }
                        n_words += 1;
                        ControlFlow::Continue(())
                    });
                    if let ControlFlow::Break(error) = flow {
                        return Err(error);
                    }
                }
            }
            ON
        })?;
        Ok(encoding.finished(&self.pipeline, add_special_tokens))
    }
}

/// Visits the added tokens that are found in one pass over a piece, and what is between.
fn each(matcher: Option<&Matcher>, pass: usize, piece: &Piece<'_>, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
    let Some(matcher) = matcher else {
        return if piece.text().is_empty() { ON } else { visit(Part::Text(piece)) };
    };
    matcher.parts(pass, piece.text(), &mut |id, range| {
        let part = piece.slice(range);
        visit(id.map_or(Part::Text(&part), |id| Part::Added(id, &part)))
    })
}

/// The number of the character that each byte of a text is in.
struct Characters {
    of_byte: Vec<u32>,
}

impl Characters {
    fn new(text: &str) -> Result<Self> {
        let mut of_byte = Vec::new();
        of_byte.try_reserve_exact(text.len()).map_err(|_| Error::memory("the offsets"))?;
        for (index, character) in text.chars().enumerate() {
            let index = narrow(index).ok_or_else(|| Error::memory("the offsets of more than 2^32 characters"))?;
            of_byte.resize(of_byte.len() + character.len_utf8(), index);
        }
        Ok(Self { of_byte })
    }

    /// The characters of the text that a part of a piece stands for.
    fn span(&self, piece: &Piece<'_>, range: Range<usize>) -> Span {
        let Some((start, end)) = piece.span(range) else { return (0, 0) };
        let index = |byte: usize| self.of_byte.get(byte).map(|&index| crate::ids::widen(index));
        match (index(start), index(end)) {
            (Some(start), Some(end)) => (start, end),
            (Some(start), None) => (start, end.checked_sub(1).and_then(index).unwrap_or(start) + 1),
            // Nothing at the end of the text has its place in bytes: so do `tokenizers`.
            (None, _) => (start, end),
        }
    }
}
