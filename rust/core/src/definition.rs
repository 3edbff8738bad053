//! What a tokenizer is, as plain data: the common ground of files, training and encoding.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;

/// The longest token that a vocabulary may have, in bytes.
pub const MAX_TOKEN_BYTES: usize = 1 << 16;

/// Everything that decides a tokenizer's ids, as a file states it and before it is checked.
///
/// [`Tokenizer::new`](crate::Tokenizer::new) checks it and builds the tables to run it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// A name to show, such as `cl100k_base`; it takes no part in equality.
    pub name: Option<String>,
    /// How text is split before merging.
    pub pretokenizer: Pretokenizer,
    /// The ordinary tokens: single bytes, and what merges make of them. Text can hold only the bytes that are here.
    pub tokens: Vec<(TokenId, Vec<u8>)>,
    /// Which pairs merge, and in which order.
    pub merges: MergeRule,
    /// Whether a pretoken that is itself a token is emitted at once, even if no merges lead to it
    /// (tiktoken; `ignore_merges` in Hugging Face's files).
    pub whole_pretokens: bool,
    /// Tokens that are found in the text before it is split, never made by merges.
    pub added_tokens: Vec<AddedToken>,
    /// What else is done to a text, before the split and after it; by default nothing.
    pub pipeline: Pipeline,
}

/// Which adjacent pairs merge, and which of them first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MergeRule {
    /// Any pair whose joined bytes are a token merges; the lowest id first (rank files).
    ByRank,
    /// The pairs listed, the first in the list first; each makes the token of its joined bytes.
    List(Vec<(TokenId, TokenId)>),
}

/// A token that is found as literal text before the split.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddedToken {
    /// The literal text.
    pub text: String,
    /// The id it stands for.
    pub id: TokenId,
    /// Matched only where the caller allows it; an added token that is not special always matches.
    pub special: bool,
    /// How it is found; by default exactly where its text stands.
    pub matching: Matching,
}

/// How an added token is found in a text.
///
/// Tokens that are not [`normalized`](Self::normalized) are found first, in the text as it is; the others then in what is
/// left, normalised.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Matching {
    /// Not where a letter or digit stands beside it (`\w`).
    pub single_word: bool,
    /// With the white space before it.
    pub lstrip: bool,
    /// With the white space after it.
    pub rstrip: bool,
    /// By its normalised text, in the normalised text.
    pub normalized: bool,
}

impl Definition {
    /// Whether nothing is done to a text but to split it and merge, and added tokens are found by their text alone.
    pub fn is_plain(&self) -> bool {
        let is_literal = |token: &AddedToken| token.matching == Matching::default();
        self.pipeline == Pipeline::default() && self.added_tokens.iter().all(is_literal)
    }
}

impl MergeRule {
    /// The list of merges that are given as the bytes of both sides.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where a side is not a token.
    pub fn from_token_bytes(tokens: &[(TokenId, Vec<u8>)], merges: &[(Vec<u8>, Vec<u8>)]) -> Result<Self> {
        let ids: HashMap<&[u8], TokenId> = tokens.iter().map(|(id, bytes)| (bytes.as_slice(), *id)).collect();
        let part = |index: usize, bytes: &[u8]| {
            let unknown = || Error::vocabulary(format!("merge {index}: \"{}\" is not a token", bytes.escape_ascii()));
            ids.get(bytes).copied().ok_or_else(unknown)
        };
        let pair = |(index, (left, right)): (usize, &(Vec<u8>, Vec<u8>))| Ok((part(index, left)?, part(index, right)?));
        Ok(Self::List(merges.iter().enumerate().map(pair).collect::<Result<_>>()?))
    }
}

impl AddedToken {
    /// Special tokens with the ids they are given; those without are numbered on after the largest id in use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where the ids run out.
    pub fn number(special_tokens: &[(String, Option<TokenId>)], tokens: &[(TokenId, Vec<u8>)]) -> Result<Vec<Self>> {
        let used = tokens.iter().map(|(id, _)| *id).chain(special_tokens.iter().filter_map(|(_, id)| *id));
        let mut next = used.max().map_or(0, |id| id.index() + 1);
        let numbered = special_tokens.iter().map(|(text, id)| {
            let id = match id {
                Some(id) => *id,
                None => {
                    next += 1;
                    TokenId::from_index(next - 1).ok_or_else(|| Error::vocabulary("there are too many token ids"))?
                }
            };
            Ok(Self { text: text.clone(), id, special: true, matching: Matching::default() })
        });
        numbered.collect()
    }
}
