//! The oracle: byte pair encoding as its definition says, on the rule as the file states it.
//!
//! It shares nothing with the fast encoders: no canonical merges, no symbols, no cache.

use std::collections::HashMap;

use crate::definition::{Definition, MergeRule};
use crate::ids::TokenId;

/// Encodes pretokens by the definition, slowly.
#[derive(Debug)]
pub struct NaiveEncoder {
    ids: HashMap<Vec<u8>, TokenId>,
    /// The rank of each listed pair; `None` where the id of the joined bytes is the rank.
    ranks: Option<HashMap<(TokenId, TokenId), usize>>,
    whole_pretokens: bool,
}

impl NaiveEncoder {
    /// Indexes `definition`, which must have passed [`Tokenizer::new`](crate::Tokenizer::new).
    pub fn new(definition: &Definition) -> Self {
        let ranks = match &definition.merges {
            MergeRule::ByRank => None,
            MergeRule::List(list) => Some(list.iter().enumerate().map(|(rank, &pair)| (pair, rank)).collect()),
        };
        let ids = definition.tokens.iter().map(|(id, bytes)| (bytes.clone(), *id)).collect();
        Self { ids, ranks, whole_pretokens: definition.whole_pretokens }
    }

    /// The ids of one pretoken: merge the pair of lowest rank, leftmost among equals, until none is left.
    ///
    /// # Complexity
    ///
    /// O(n²) look-ups for n bytes.
    pub fn encode_pretoken(&self, pretoken: &[u8]) -> Vec<u32> {
        if self.whole_pretokens
            && let Some(id) = self.ids.get(pretoken)
        {
            return vec![id.get()];
        }
        let mut parts: Vec<&[u8]> = pretoken.chunks(1).collect();
        let mut starts: Vec<usize> = (0..pretoken.len()).collect();
        while let Some((_, index)) =
            (1..parts.len()).filter_map(|index| Some((self.rank(parts[index - 1], parts[index])?, index))).min()
        {
            let start = starts[index - 1];
            parts[index - 1] = &pretoken[start..starts[index] + parts[index].len()];
            parts.remove(index);
            starts.remove(index);
        }
        parts.iter().filter_map(|part| self.ids.get(*part)).map(|id| id.get()).collect()
    }

    fn rank(&self, left: &[u8], right: &[u8]) -> Option<usize> {
        let merged = self.ids.get(&[left, right].concat())?;
        match &self.ranks {
            None => Some(merged.index()),
            Some(ranks) => ranks.get(&(*self.ids.get(left)?, *self.ids.get(right)?)).copied(),
        }
    }
}
