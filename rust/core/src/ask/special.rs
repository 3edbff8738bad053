//! The same tokenizer with more special tokens.

use crate::definition::{AddedToken, Matching};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// This tokenizer with `tokens` as special tokens too. Those without an id are numbered on after the largest.
    ///
    /// One that is already special, with the id given or none given, stays as it is. The name does not go along: it
    /// stands for a vocabulary without them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) for a text that is another token already, and
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) for an id that is; both are named.
    ///
    /// # Complexity
    ///
    /// As [`Tokenizer::new`].
    pub fn with_special_tokens(&self, tokens: &[(String, Option<TokenId>)]) -> Result<Self> {
        let mut definition = self.definition();
        definition.name = None;
        let used = tokens.iter().filter_map(|(_, id)| id.map(|id| id.index() + 1));
        let mut next = used.chain([self.vocabulary().n_ids()]).max().unwrap_or(0);
        for (text, id) in tokens {
            if let Some(known) = self.added_tokens().get(text.as_bytes()) {
                if known.special && id.is_none_or(|id| id == known.id) {
                    continue;
                }
                let kind = if known.special { "special" } else { "added" };
                let message = format!("{text:?} is already the {kind} token {}", known.id);
                return Err(Error::special_token(text, None, message));
            }
            if let Some(known) = self.vocabulary().ordinary_id(text.as_bytes()) {
                let message = format!("special token {text:?} is also the ordinary token {known}, which text can make");
                return Err(Error::special_token(text, None, message));
            }
            let id = match id {
                Some(id) => *id,
                None => {
                    next += 1;
                    TokenId::from_index(next - 1).ok_or_else(|| Error::vocabulary("there are too many token ids"))?
                }
            };
            definition.added_tokens.push(AddedToken {
                text: text.clone(),
                id,
                special: true,
                matching: Matching::default(),
            });
        }
        Self::new(definition)
    }
}
