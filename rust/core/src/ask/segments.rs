//! A text in parts, of which only some are trusted to hold special tokens.

use std::borrow::Cow;

use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::special::Segment;
use crate::vocab::{Allowed, Matcher, Specials};

impl Tokenizer {
    /// Appends the ids of the text that `segments`, each with whether it is trusted, are when joined.
    ///
    /// Special tokens are found as `trusted` says, within one trusted segment, and nowhere else: none lies across a seam.
    /// What is between them is text as if there were no seams. `untrusted` only refuses; it finds none.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with), with the index of the segment; [`ErrorKind::Argument`](crate::ErrorKind)
    /// where the tokenizer does not [keep the text](Self::keeps_text).
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes; the text between special tokens is copied where it has seams.
    pub fn encode_segments(
        &self,
        scratch: &mut Scratch,
        segments: &[(&[u8], bool)],
        trusted: &Specials<'_>,
        untrusted: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> std::result::Result<(), (usize, Error)> {
        self.demand_kept_text("encoding segments").map_err(|error| (0, error))?;
        let mut pending = Vec::new();
        for (index, &(text, is_trusted)) in segments.iter().enumerate() {
            let specials = if is_trusted { trusted } else { untrusted };
            specials.check(text).map_err(|error| (index, error))?;
            let Some(found) = trusted.found().filter(|_| is_trusted) else {
                pending.push(text);
                continue;
            };
            for segment in found.literals().segments(text) {
                match segment {
                    Segment::Text(text) => pending.push(text),
                    Segment::Literal(literal) => match self.special_or_text(found, literal) {
                        Ok(id) => {
                            self.encode_joined(scratch, &mut pending, interrupt, out)
                                .map_err(|error| (index, error))?;
                            out.push(id);
                        }
                        Err(text) => pending.push(text),
                    },
                }
            }
        }
        let last = segments.len().saturating_sub(1);
        self.encode_joined(scratch, &mut pending, interrupt, out).map_err(|error| (last, error))
    }

    /// The id of a special token, or the text of another added token, which is found again in the joined text.
    fn special_or_text<'m>(&self, found: &'m Matcher, literal: usize) -> std::result::Result<u32, &'m [u8]> {
        let text = found.literals().literals().get(literal).map_or("", String::as_str).as_bytes();
        self.added_tokens().get(text).filter(|token| token.special).map(|token| token.id.get()).ok_or(text)
    }

    /// Encodes texts as if they were one, and empties the list.
    fn encode_joined(
        &self,
        scratch: &mut Scratch,
        texts: &mut Vec<&[u8]>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let joined = match texts.as_slice() {
            [] => return Ok(()),
            [text] => Cow::Borrowed(*text),
            texts => {
                let mut joined = Vec::new();
                let n_bytes = texts.iter().map(|text| text.len()).sum();
                joined.try_reserve_exact(n_bytes).map_err(|_| Error::memory("the joined segments"))?;
                texts.iter().for_each(|text| joined.extend_from_slice(text));
                Cow::Owned(joined)
            }
        };
        texts.clear();
        let specials = self.added_tokens().specials(Allowed::None, Allowed::None)?;
        self.encode_with(scratch, &joined, &specials, interrupt, out)
    }
}
