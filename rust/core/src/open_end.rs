//! Encoding as tiktoken does where it differs from the rest of the crate: text that the pattern skips is left out, and a
//! text may be one that goes on.
//!
//! The last pretoken of a text is *unstable*: more text may change its ids. Its *completions* are the id sequences that
//! it may become, as far as its own bytes reach.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use crate::definition::Definition;
use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::special::Segment;
use crate::vocab::{Specials, Vocabulary};

/// What [`Tokenizer::encode_matched`] tells of a text besides its ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenEnd {
    /// How many of the ids are of the last pretoken; none where the text ends in a special token.
    pub n_unstable: usize,
    /// The byte range of the first stretch that the pattern does not match, which has no ids.
    pub skipped: Option<Range<usize>>,
}

/// What completions are found with: the ordinary tokens of a tokenizer in the order of their bytes.
#[derive(Debug)]
pub struct SortedTokens {
    ids: Vec<TokenId>,
    /// The tokenizer without look-up of whole pretokens, where that makes a difference.
    merging: Option<Box<Tokenizer>>,
}

impl SortedTokens {
    /// Sorts the tokens of `tokenizer`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where it has tokens that no merges lead to, and does not fit twice.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n tokens.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self> {
        let mut tokens: Vec<(&[u8], TokenId)> =
            tokenizer.vocabulary().ordinary().map(|(id, bytes)| (bytes, id)).collect();
        tokens.sort_unstable();
        let ids = tokens.into_iter().map(|(_, id)| id).collect();
        let mut merging = None;
        if tokenizer.encoder().whole_pretokens() {
            let definition = tokenizer.definition();
            let definition = Definition { whole_pretokens: false, added_tokens: Vec::new(), ..definition };
            merging = Some(Box::new(Tokenizer::new(definition)?));
        }
        Ok(Self { ids, merging })
    }

    /// The ids, in the order of the tokens' bytes.
    pub fn ids(&self) -> &[TokenId] {
        &self.ids
    }

    /// The tokens that start with `prefix`, it included: their ids and bytes.
    fn starting_with<'v>(
        &self,
        vocabulary: &'v Vocabulary,
        prefix: &[u8],
    ) -> impl Iterator<Item = (TokenId, &'v [u8])> {
        let bytes = |id: TokenId| vocabulary.token(id.get()).unwrap_or_default();
        let start = self.ids.partition_point(|&id| bytes(id) < prefix);
        let tokens = self.ids.get(start..).unwrap_or_default().iter().map(move |&id| (id, bytes(id)));
        tokens.take_while(move |(_, token)| token.starts_with(prefix))
    }
}

impl Tokenizer {
    /// Appends the ids of what the pattern matches in `text` to `out`; what it skips has none.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode_with`].
    ///
    /// # Complexity
    ///
    /// As [`Tokenizer::encode_with`].
    pub fn encode_matched(
        &self,
        scratch: &mut Scratch,
        text: &str,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<OpenEnd> {
        specials.check(text.as_bytes())?;
        out.try_reserve(text.len() / 3).map_err(|_| Error::memory("the ids"))?;
        let mut end = OpenEnd::default();
        let Some(matcher) = specials.found() else {
            self.encode_stretch(scratch, text, 0, interrupt, out, &mut end)?;
            return Ok(end);
        };
        let mut offset = 0;
        for segment in matcher.literals().segments(text.as_bytes()) {
            match segment {
                Segment::Text(bytes) => {
                    let stretch = text.get(offset..offset + bytes.len());
                    let stretch = stretch.ok_or_else(|| Error::internal("a special token ends within a character"))?;
                    self.encode_stretch(scratch, stretch, offset, interrupt, out, &mut end)?;
                    offset += bytes.len();
                }
                Segment::Literal(index) => {
                    out.extend(matcher.ids().get(index));
                    offset += matcher.literals().literals().get(index).map_or(0, String::len);
                    end.n_unstable = 0;
                }
            }
        }
        Ok(end)
    }

    /// As [`encode_matched`](Self::encode_matched), for text without special tokens that starts at `offset`.
    fn encode_stretch(
        &self,
        scratch: &mut Scratch,
        text: &str,
        offset: usize,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
        end: &mut OpenEnd,
    ) -> Result<()> {
        let mut at = offset;
        end.n_unstable = 0;
        let done = self.pretokenizer().split_marked(text, |pretoken, matched| {
            let from = out.len();
            if matched {
                if let Err(error) = self.encode_at(scratch, pretoken.as_bytes(), at, interrupt, out) {
                    return ControlFlow::Break(error);
                }
                end.n_unstable = out.len() - from;
            } else if end.skipped.is_none() {
                end.skipped = Some(at..at + pretoken.len());
            }
            at += pretoken.len();
            ControlFlow::Continue(())
        });
        match done {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// Appends the ids of a pretoken that starts at `offset`.
    fn encode_at(
        &self,
        scratch: &mut Scratch,
        pretoken: &[u8],
        offset: usize,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        self.vocabulary().missing_bytes().check(pretoken, offset)?;
        self.encoder().encode_pretoken(self.vocabulary(), scratch, pretoken, interrupt, out)
    }

    /// Takes the unstable ids off the end of `ids`, the last `n_unstable` and, where these are blank, all blank ones
    /// before them, since runs of white space split anew when they grow. Returns their bytes.
    fn take_unstable(&self, ids: &mut Vec<u32>, n_unstable: usize) -> Result<Vec<u8>> {
        let blank =
            |id: &u32| self.vocabulary().token(*id).is_some_and(|bytes| bytes.iter().all(|b| b" \n\t".contains(b)));
        let mut start = ids.len() - n_unstable;
        if n_unstable > 0 && ids.get(start).is_some_and(blank) {
            start -= ids.iter().take(start).rev().take_while(|id| blank(id)).count();
        }
        self.decode(&ids.split_off(start))
    }

    /// The ids of `text` that no more text can change, and the completions of the rest, sorted.
    ///
    /// A completion ends with the token that covers the last byte of `text`.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode_matched`].
    ///
    /// # Complexity
    ///
    /// O(n + c m) for n bytes of text, c tokens that start with the last bytes of it, and m bytes in its last pretoken.
    pub fn encode_with_unstable(
        &self,
        scratch: &mut Scratch,
        sorted: &SortedTokens,
        text: &str,
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
    ) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
        let mut ids = Vec::new();
        let end = self.encode_matched(scratch, text, specials, interrupt, &mut ids)?;
        let unstable = self.take_unstable(&mut ids, end.n_unstable)?;
        let mut completions = BTreeSet::new();
        if unstable.is_empty() {
            return Ok((ids, Vec::new()));
        }
        // One token may cover it all, or a token may begin in it and go on, or it may be over where white space ends it.
        completions.extend(sorted.starting_with(self.vocabulary(), &unstable).map(|(id, _)| vec![id.get()]));
        let merging = sorted.merging.as_deref().unwrap_or(self);
        for start in 1..unstable.len() {
            interrupt.check()?;
            let (before, after) = unstable.split_at(start);
            for (_, token) in sorted.starting_with(self.vocabulary(), after) {
                let bytes = [before, token].concat();
                let mut longer = Vec::new();
                match std::str::from_utf8(&bytes) {
                    Ok(text) => {
                        self.encode_stretch(scratch, text, 0, interrupt, &mut longer, &mut OpenEnd::default())?
                    }
                    Err(_) => merging.encode_piece(scratch, &bytes, interrupt, &mut longer)?,
                }
                completions.insert(self.covering(longer, unstable.len()));
            }
        }
        if let Some(last) = last_blank(&unstable)
            && last > 0
        {
            let (before, after) = unstable.split_at(last);
            let mut apart = Vec::new();
            merging.encode_piece(scratch, before, interrupt, &mut apart)?;
            merging.encode_piece(scratch, after, interrupt, &mut apart)?;
            completions.insert(apart);
        }
        Ok((ids, completions.into_iter().collect()))
    }

    /// The first of `ids`, as many as it takes to cover `length` bytes.
    fn covering(&self, mut ids: Vec<u32>, length: usize) -> Vec<u32> {
        let mut covered = 0;
        let last = ids.iter().position(|&id| {
            covered += self.vocabulary().token(id).map_or(0, <[u8]>::len);
            covered >= length
        });
        ids.truncate(last.map_or(ids.len(), |last| last + 1));
        ids
    }

    /// Appends the ids of any bytes, not split, to `out`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) where a byte is no token.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes and a fixed vocabulary.
    pub fn encode_piece(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        self.encode_at(scratch, bytes, 0, interrupt, out)
    }

    /// The ids of bytes that may end, or go on, in what is not UTF-8: from the first such byte on, together with the
    /// unstable end before it, they are one pretoken.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode_matched`].
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes.
    pub fn encode_bytes_matched(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<OpenEnd> {
        let chunk = bytes.utf8_chunks().next();
        let text = chunk.map_or("", |chunk| chunk.valid());
        let end = self.encode_matched(scratch, text, specials, interrupt, out)?;
        if text.len() < bytes.len() {
            let mut piece = self.take_unstable(out, end.n_unstable)?;
            piece.extend(bytes.get(text.len()..).unwrap_or_default());
            self.encode_piece(scratch, &piece, interrupt, out)?;
        }
        Ok(end)
    }
}

/// Where the last character starts, if it is white space.
fn last_blank(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().rposition(|byte| byte & 0xC0 != 0x80)?;
    let last = std::str::from_utf8(bytes.get(start..)?).ok()?.chars().next()?;
    last.is_whitespace().then_some(start)
}
