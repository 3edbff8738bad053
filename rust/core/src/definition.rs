//! What a tokenizer is, as plain data: the common ground of files, training and encoding.

use crate::ids::TokenId;
use crate::pretokenize::Pretokenizer;

/// Everything that decides a tokenizer's ids, as a file states it and before it is checked.
///
/// [`Tokenizer::new`](crate::Tokenizer::new) checks it and builds the tables to run it.
#[derive(Clone, Debug)]
pub struct Definition {
    /// A name to show, such as `cl100k_base`; it takes no part in equality.
    pub name: Option<String>,
    /// How text is split before merging.
    pub pretokenizer: Pretokenizer,
    /// The ordinary tokens: every single byte, and what merges make of them.
    pub tokens: Vec<(TokenId, Vec<u8>)>,
    /// Which pairs merge, and in which order.
    pub merges: MergeRule,
    /// Whether a pretoken that is itself a token is emitted at once, even if no merges lead to it
    /// (tiktoken; `ignore_merges` in Hugging Face's files).
    pub whole_pretokens: bool,
    /// Tokens that are found in the text before it is split, never made by merges.
    pub added_tokens: Vec<AddedToken>,
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
}
