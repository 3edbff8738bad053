//! Where tokens lie in the text.

use crate::encode::Scratch;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use crate::vocab::Specials;

impl Tokenizer {
    /// Appends the ids of `text` to `out`, and gives the byte offset in `text` at which each of them starts.
    ///
    /// # Errors
    ///
    /// As [`encode_with`](Self::encode_with); [`ErrorKind::Argument`](crate::ErrorKind::Argument) where the tokenizer does
    /// not [keep the text](Self::keeps_text).
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes.
    pub fn encode_with_offsets(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        out: &mut Vec<u32>,
    ) -> Result<Vec<usize>> {
        self.demand_kept_text("finding where tokens lie")?;
        let first = out.len();
        self.encode_with(scratch, text, specials, interrupt, out)?;
        self.byte_starts(out.get(first..).unwrap_or_default())
    }

    /// Where the bytes of each of `ids` start in those that [`decode`](Self::decode) gives for all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TokenId`](crate::ErrorKind::TokenId) for the first id that stands for no token;
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    ///
    /// # Complexity
    ///
    /// O(ids).
    pub fn byte_starts(&self, ids: &[u32]) -> Result<Vec<usize>> {
        let vocabulary = self.vocabulary();
        let mut starts = Vec::new();
        starts.try_reserve_exact(ids.len()).map_err(|_| Error::memory("the offsets"))?;
        let mut start = 0;
        for (index, &id) in ids.iter().enumerate() {
            let token = vocabulary.token(id);
            starts.push(start);
            start += token.ok_or_else(|| Error::unknown_token_id(id.into(), index, vocabulary.n_ids()))?.len();
        }
        Ok(starts)
    }
}
