//! Load-time normalisation: from whatever rule a file states to the merges that can ever happen.
//!
//! Take a token and merge its own bytes, alone. If that ends in the token, its last merge is the token's **canonical
//! derivation**; if it ends in several tokens, no merges lead to the token and it is **unreachable**. Inside a longer
//! text the bytes of a token evolve exactly as they do alone until something merges across their ends, so no other pair
//! ever makes that token, in any context. Dropping all other merges changes nothing and leaves one kind of vocabulary:
//! one merge per token, numbered by rank.
//!
//! In a **proper** vocabulary every token is merged later than its parts. Some published ones are not (Llama 3 has 81
//! such tokens); a token that is improper, or built on one that is, is marked **dirty**.

use super::rule::{Derivation, Rule, joined, length};
use super::{MergeTable, Vocabulary};
use crate::definition::MergeRule;
use crate::error::{Error, Result};
use crate::ids::{Symbol, TokenId};

/// What [`normalise`] finds in a vocabulary.
#[derive(Clone, Debug)]
pub struct Normalised {
    /// The canonical merges.
    pub table: MergeTable,
    /// The symbol of each id; [`Symbol::NONE`] where no merges lead to it.
    pub symbols: Vec<Symbol>,
    /// Whether any token is dirty.
    #[cfg(test)]
    pub any_dirty: bool,
}

/// Reduces `rule` to the canonical merges of `vocabulary`.
///
/// # Errors
///
/// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where a listed merge names an unknown token, makes none, or
/// is listed twice.
///
/// # Complexity
///
/// O(B log l) for tokens of B bytes in all, the longest of l bytes.
pub fn normalise(vocabulary: &Vocabulary, rule: &MergeRule) -> Result<Normalised> {
    let byte_ids = byte_ids(vocabulary);
    if let MergeRule::List(list) = rule
        && let Some(normalised) = Builder::new(vocabulary, &byte_ids, list.len())?.proper_list(list)
    {
        return Ok(normalised);
    }
    let rule = Rule::new(vocabulary, rule)?;
    let mut derived = Vec::new();
    for (id, bytes) in vocabulary.ordinary().filter(|(_, bytes)| bytes.len() > 1) {
        if let Some(derivation) = rule.derive(&byte_ids, bytes) {
            derived.push((derivation, id));
        }
    }
    derived.sort_unstable_by_key(|(derivation, _)| derivation.rank);
    Builder::new(vocabulary, &byte_ids, derived.len())?.derived(&derived)
}

fn byte_ids(vocabulary: &Vocabulary) -> [Option<TokenId>; 256] {
    let mut ids = [None; 256];
    for byte in 0..=u8::MAX {
        ids[usize::from(byte)] = vocabulary.ordinary_id(&[byte]);
    }
    ids
}

struct Builder<'v> {
    vocabulary: &'v Vocabulary,
    table: MergeTable,
    symbols: Vec<Symbol>,
}

impl<'v> Builder<'v> {
    fn new(vocabulary: &'v Vocabulary, byte_ids: &[Option<TokenId>; 256], n_merges: usize) -> Result<Self> {
        let table = MergeTable::new(byte_ids, n_merges)?;
        let mut symbols = vec![Symbol::NONE; vocabulary.n_ids()];
        for (byte, id) in (0..=u8::MAX).zip(byte_ids) {
            if let Some(id) = id {
                symbols[id.index()] = Symbol::from_byte(byte);
            }
        }
        Ok(Self { vocabulary, table, symbols })
    }

    fn symbol(&self, id: TokenId) -> Symbol {
        self.symbols.get(id.index()).copied().unwrap_or(Symbol::NONE)
    }

    /// The short way, for a list in which every merge stands after those that make its parts: a merge is canonical if
    /// nothing before it merges across its middle. `None` where the list is not of that kind or has a fault, so that
    /// the long way looks at it.
    fn proper_list(mut self, list: &[(TokenId, TokenId)]) -> Option<Normalised> {
        for &(left_id, right_id) in list {
            let merged_id = joined(self.vocabulary, left_id, right_id).ok()?;
            let (left, right) = (self.symbol(left_id), self.symbol(right_id));
            let listed_twice = !left.is_none() && !right.is_none() && !self.table.merged(left, right).is_none();
            if left.is_none() || right.is_none() || listed_twice {
                return None;
            }
            if self.symbol(merged_id).is_none() && self.table.stay_apart(left, right) {
                self.push(left, right, merged_id, false);
            }
        }
        Some(Normalised {
            table: self.table,
            symbols: self.symbols,
            #[cfg(test)]
            any_dirty: false,
        })
    }

    fn push(&mut self, left: Symbol, right: Symbol, id: TokenId, dirty: bool) {
        let symbol = self.table.push(left, right, id, dirty);
        self.symbols[id.index()] = symbol;
    }

    /// The long way, from each token's derivation in rank order.
    fn derived(mut self, derived: &[(Derivation, TokenId)]) -> Result<Normalised> {
        for (index, &(_, id)) in derived.iter().enumerate() {
            self.symbols[id.index()] = Symbol::from_index(Symbol::BYTES + index);
        }
        // A token is dirty if a part is; parts are shorter, so shorter tokens are decided first.
        let mut by_length: Vec<usize> = (0..derived.len()).collect();
        by_length.sort_by_key(|&index| length(self.vocabulary, derived[index].1));
        let mut dirty = vec![false; Symbol::BYTES + derived.len()];
        for index in by_length {
            let (derivation, id) = derived[index];
            let symbol = self.symbol(id);
            dirty[symbol.index()] = [derivation.left, derivation.right].into_iter().any(|part| {
                let part = self.symbol(part);
                part.is_none() || part > symbol || dirty[part.index()]
            });
        }
        for &(Derivation { left, right, .. }, id) in derived {
            let (left, right) = (self.symbol(left), self.symbol(right));
            if left.is_none() || right.is_none() {
                return Err(Error::internal("a derivation passes through an unreachable token"));
            }
            let is_dirty = dirty[self.symbol(id).index()];
            self.push(left, right, id, is_dirty);
        }
        Ok(Normalised {
            table: self.table,
            symbols: self.symbols,
            #[cfg(test)]
            any_dirty: dirty.contains(&true),
        })
    }
}
