//! The ids of a text that grows, and of one whose end is taken back.

use super::chars;
use super::cuts::Cuts;
use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::Specials;

/// A tail that held more than this gives its memory back.
const MAX_TAIL_KEPT: usize = 1 << 16;

/// The ids of all text appended so far, exact after every step.
///
/// Of the text only the tail is held: what comes after the last [safe cut](crate::pretokenize::Pretokenizer::is_safe_cut),
/// since no further text can change the ids before it. The text before is held as its ids, which decode to it.
///
/// A stream belongs to the tokenizer that it was made for, and all calls must pass that one.
#[derive(Debug)]
pub struct EncodeStream {
    specials: Specials<'static>,
    /// The length of the longest added token that is found.
    longest: usize,
    ids: Vec<u32>,
    /// How many ids no further text can change. The others are those of the tail.
    n_stable: usize,
    tail: Vec<u8>,
    /// Memory for the next tail: the one before.
    spare: Vec<u8>,
}

impl EncodeStream {
    /// An empty text, in which special tokens are as `specials` says. None can be refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) where the tokenizer does not
    /// [keep the text](Tokenizer::keeps_text).
    pub fn new(tokenizer: &Tokenizer, specials: Specials<'_>) -> Result<Self> {
        tokenizer.demand_kept_text("encoding a text that grows")?;
        let longest = Cuts::longest(specials.found());
        let (ids, tail, spare) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { specials: specials.into_owned(), longest, ids, n_stable: 0, tail, spare })
    }

    /// The ids of the text so far.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many of the ids no further text can change.
    pub fn n_stable(&self) -> usize {
        self.n_stable
    }

    /// Adds to the end of the text. On an error the text is as before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte), with the offset in the text after the last stable id;
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) and [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    ///
    /// # Complexity
    ///
    /// O(n + t) for n bytes and a tail of t. In text with spaces, and for a preset, a tail is a word or two, and as long as
    /// the longest special token; where nothing proves a cut, the tail is the whole text.
    pub fn append(
        &mut self,
        tokenizer: &Tokenizer,
        scratch: &mut Scratch,
        text: &[u8],
        interrupt: &Interrupt<'_>,
    ) -> Result<()> {
        let mut tail = std::mem::take(&mut self.spare);
        tail.clear();
        tail.try_reserve(self.tail.len() + text.len()).map_err(|_| Error::memory("the text"))?;
        tail.extend_from_slice(&self.tail);
        tail.extend_from_slice(text);
        self.set_tail(tokenizer, scratch, tail, self.n_stable, interrupt)
    }

    /// Takes the last `n` characters of the text back; of bytes that are not UTF-8, characters as [`chars`] has them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) where the text has fewer; it stays as it is.
    ///
    /// # Complexity
    ///
    /// O(n + t) for characters of n bytes in all and the tail that is left.
    pub fn rollback(
        &mut self,
        tokenizer: &Tokenizer,
        scratch: &mut Scratch,
        n: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<()> {
        if n == 0 {
            return Ok(());
        }
        let cuts = Cuts::new(tokenizer, self.specials.found(), self.longest);
        let context = cuts.context();
        // The end of the text, from the first byte of the token `first` on; longer until it shows all that is asked.
        let (mut first, mut width) = (self.n_stable, 64 + 4 * context);
        let mut end = Vec::new();
        let (new_tail, n_stable) = loop {
            first = self.extend(tokenizer, first, width, &mut end)?;
            width *= 2;
            let whole = if first == 0 { Some(0) } else { end.iter().position(|&byte| !chars::is_continuation(byte)) };
            let kept = whole.and_then(|whole| Some(whole + chars::last(end.get(whole..)?, n)?));
            match kept {
                Some(kept) if first == 0 => break (0..kept, 0),
                Some(kept) => {
                    let kept_end = end.get(..kept).unwrap_or_default();
                    // Far enough from the beginning to be judged, and from the end to be safe whatever is appended.
                    let last = kept.saturating_sub(self.longest.max(1) - 1);
                    if let Some(cut) = cuts.last(kept_end, context..last.max(context))
                        && let Some(n_ids) = self.n_ids_of(tokenizer, first, cut)
                    {
                        break (cut..kept, first + n_ids);
                    }
                }
                None if first == 0 => {
                    let n_chars = chars::count(&end);
                    return Err(Error::argument(format!(
                        "cannot take back {n} characters: the text so far has {n_chars}"
                    )));
                }
                None => {}
            }
        };
        end.truncate(new_tail.end);
        end.drain(..new_tail.start);
        self.set_tail(tokenizer, scratch, end, n_stable, interrupt)
    }

    /// Writes to `end` the text of the ids from some id on and of the tail, `width` bytes or more if there are so many.
    /// Gives the number of the first id.
    fn extend(&self, tokenizer: &Tokenizer, mut first: usize, width: usize, end: &mut Vec<u8>) -> Result<usize> {
        let stable = self.ids.get(..self.n_stable).unwrap_or_default();
        let length = |index: usize| stable.get(index).map_or(0, |&id| token_length(tokenizer, id));
        let mut n_bytes = self.tail.len() + (first..stable.len()).map(length).sum::<usize>();
        while first > 0 && n_bytes < width {
            first -= 1;
            n_bytes += length(first);
        }
        end.clear();
        end.try_reserve(n_bytes).map_err(|_| Error::memory("the text"))?;
        for &id in stable.get(first..).unwrap_or_default() {
            end.extend_from_slice(tokenizer.vocabulary().token(id).unwrap_or_default());
        }
        end.extend_from_slice(&self.tail);
        Ok(first)
    }

    /// How many ids from the id `first` on have `n_bytes` bytes, if any number has.
    fn n_ids_of(&self, tokenizer: &Tokenizer, first: usize, n_bytes: usize) -> Option<usize> {
        let mut left = n_bytes;
        let mut n_ids = 0;
        while left > 0 {
            let &id = self.ids.get(first + n_ids)?;
            left = left.checked_sub(token_length(tokenizer, id))?;
            n_ids += 1;
        }
        Some(n_ids)
    }

    /// Lets `tail` come after the first `n_stable` ids, and shortens it to what is not yet certain. On an error, or where
    /// encoding it panics, all is as before.
    fn set_tail(
        &mut self,
        tokenizer: &Tokenizer,
        scratch: &mut Scratch,
        tail: Vec<u8>,
        n_stable: usize,
        interrupt: &Interrupt<'_>,
    ) -> Result<()> {
        let mut ids = scratch.take_ids();
        let encoded = tokenizer.encode_with(scratch, &tail, &self.specials, interrupt, &mut ids).and_then(|()| {
            let n_more = (n_stable + ids.len()).saturating_sub(self.ids.len());
            self.ids.try_reserve(n_more).map_err(|_| Error::memory("the ids"))
        });
        if encoded.is_ok() {
            self.ids.truncate(n_stable);
            self.ids.extend_from_slice(&ids);
            self.n_stable = n_stable;
            self.spare = std::mem::replace(&mut self.tail, tail);
            if self.spare.capacity() > MAX_TAIL_KEPT {
                self.spare = Vec::new();
            }
            self.settle(tokenizer);
        }
        scratch.give_ids(ids);
        encoded
    }

    /// Shortens the tail to what comes after its last safe cut.
    fn settle(&mut self, tokenizer: &Tokenizer) {
        let cuts = Cuts::new(tokenizer, self.specials.found(), self.longest);
        let last = self.tail.len().saturating_sub(self.longest.max(1) - 1);
        let Some(cut) = cuts.last(&self.tail, 1..last.max(1)) else { return };
        let Some(n_ids) = self.n_ids_of(tokenizer, self.n_stable, cut) else { return };
        self.n_stable += n_ids;
        self.tail.drain(..cut);
        if self.tail.capacity() > MAX_TAIL_KEPT {
            self.tail.shrink_to(2 * self.tail.len());
        }
    }
}

fn token_length(tokenizer: &Tokenizer, id: u32) -> usize {
    tokenizer.vocabulary().token(id).map_or(0, <[u8]>::len)
}
