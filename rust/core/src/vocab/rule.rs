//! A merge rule as a file states it, and what it makes of one token's bytes when followed to the letter.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::queue::{Made, merge_all};
use super::{Vocabulary, shown};
use crate::definition::MergeRule;
use crate::error::{Error, Result};
use crate::ids::{TokenId, narrow};

/// A [`MergeRule`] with its look-ups.
pub(super) enum Rule<'v> {
    ByRank(&'v Vocabulary),
    List(HashMap<(TokenId, TokenId), (u32, TokenId), RandomState>),
}

/// The last merge of a token's own bytes: how a text comes to hold that token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Derivation {
    pub(super) rank: u32,
    pub(super) left: TokenId,
    pub(super) right: TokenId,
}

impl<'v> Rule<'v> {
    /// Checks that each listed pair makes a token, and is listed once.
    pub(super) fn new(vocabulary: &'v Vocabulary, rule: &MergeRule) -> Result<Self> {
        let MergeRule::List(list) = rule else { return Ok(Self::ByRank(vocabulary)) };
        let mut pairs = HashMap::default();
        pairs.try_reserve(list.len()).map_err(|_| Error::memory("the merges"))?;
        for (index, &(left, right)) in list.iter().enumerate() {
            let merged = joined(vocabulary, left, right)
                .map_err(|reason| Error::vocabulary(format!("merge {index} ({left}, {right}): {reason}")))?;
            let rank = narrow(index).ok_or_else(|| Error::vocabulary("there are more than 2^32 merges"))?;
            if let Some((first, _)) = pairs.insert((left, right), (rank, merged)) {
                return Err(Error::vocabulary(format!("merges {first} and {index} are both ({left}, {right})")));
            }
        }
        Ok(Self::List(pairs))
    }

    /// What two adjacent tokens merge to and with which rank; `bytes` are those of both.
    fn merge(&self, left: TokenId, right: TokenId, bytes: &[u8]) -> Option<(u32, TokenId)> {
        match self {
            Self::ByRank(vocabulary) => vocabulary.ordinary_id(bytes).map(|id| (id.get(), id)),
            Self::List(pairs) => pairs.get(&(left, right)).copied(),
        }
    }

    /// Merges a token's own bytes, lowest rank first and leftmost among equals: its last merge, if it ends as one token.
    /// A token that holds a byte without a token has nothing to merge from.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n bytes.
    pub(super) fn derive(&self, byte_ids: &[Option<TokenId>; 256], bytes: &[u8]) -> Option<Derivation> {
        let ids = bytes.iter().map(|&byte| byte_ids[usize::from(byte)]).collect::<Option<_>>()?;
        let merged = merge_all(ids, |left, right, span| self.merge(left, right, &bytes[span]));
        let Made { rank, left, right, .. } = merged.last.filter(|last| last.span.len() == bytes.len())?;
        Some(Derivation { rank, left, right })
    }
}

/// The token of the joined bytes of two tokens.
pub(super) fn joined(vocabulary: &Vocabulary, left: TokenId, right: TokenId) -> std::result::Result<TokenId, String> {
    let part = |id: TokenId| vocabulary.token(id.get()).ok_or_else(|| format!("there is no token {id}"));
    let bytes = [part(left)?, part(right)?].concat();
    vocabulary.ordinary_id(&bytes).ok_or_else(|| format!("{} is not a token", shown::bytes(&bytes)))
}

/// The length of a token as the merge table keeps it.
pub(super) fn length(vocabulary: &Vocabulary, id: TokenId) -> u32 {
    vocabulary.token(id.get()).and_then(|bytes| narrow(bytes.len())).unwrap_or(u32::MAX)
}
