//! The same tokenizer with more merges, learned after its own, or with fewer.

use std::collections::HashMap;

use super::Tokenizer;
use crate::definition::{AddedToken, Definition, MergeRule};
use crate::error::{Error, Result};
use crate::ids::{Symbol, TokenId, narrow};
use crate::vocab::shown;

impl Tokenizer {
    /// The merges as training numbers them, to go on from: [`train_from`](crate::train::train_from), then
    /// [`extended`](Self::extended).
    ///
    /// What training learns after these merges is exactly what encoding does with them only where all encoding does is to
    /// split a text, and to make these merges one after the other.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where it does something else, which is named: a text is
    /// changed before the split, a byte is no token, a token is made by no merges, or from one that is merged later.
    ///
    /// # Complexity
    ///
    /// O(bytes of the tokens).
    pub fn start(&self) -> Result<Vec<(Symbol, Symbol)>> {
        let table = self.encoder.table();
        let cannot = |why: String| Error::vocabulary(format!("this tokenizer cannot be extended exactly: {why}"));
        if !self.keeps_text {
            return Err(cannot(
                "it changes a text before it is split, or finds added tokens not by their text alone".into(),
            ));
        }
        if let Some(byte) = self.vocabulary.missing_bytes().iter().next() {
            return Err(cannot(format!("the byte 0x{byte:02X} is no token")));
        }
        let mut ordinary = self.vocabulary.ordinary();
        if let Some((id, bytes)) = ordinary.find(|(id, _)| !self.encoder.is_reachable(id.get())) {
            return Err(cannot(format!("no merges lead to the token {} (id {id})", shown::bytes(bytes))));
        }
        if let Some((.., made)) = table.merges().find(|&(left, right, made)| left > made || right > made) {
            let bytes = self.vocabulary.token(table.id(made).get()).unwrap_or_default();
            let (token, id) = (shown::bytes(bytes), table.id(made));
            return Err(cannot(format!(
                "the token {token} (id {id}) is made from one that is merged later than itself"
            )));
        }
        Ok(table.merges().map(|(left, right, _)| (left, right)).collect())
    }

    /// This tokenizer with the merges that training has learned after [its own](Self::start), which `merges` begins with.
    ///
    /// All ids stay what they are. The new tokens follow the largest, in the order in which they were learned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where the ids run out, or `merges` are not of this kind.
    ///
    /// # Complexity
    ///
    /// O(bytes of the tokens).
    pub fn extended(&self, merges: &[(Symbol, Symbol)]) -> Result<Definition> {
        let (table, vocabulary) = (self.encoder.table(), &self.vocabulary);
        let Definition { mut tokens, merges: MergeRule::List(mut list), .. } = self.definition() else {
            return Err(Error::internal("a canonical definition without a list of merges"));
        };
        let new = merges.get(list.len()..).ok_or_else(|| Error::vocabulary("there are fewer merges than before"))?;
        let (n_old, first_id) = (table.n_symbols(), vocabulary.n_ids());
        let id = |symbol: Symbol| match symbol.index().checked_sub(n_old) {
            None => Ok(table.id(symbol)),
            Some(k) => {
                TokenId::from_index(first_id + k).ok_or_else(|| Error::vocabulary("there are too many token ids"))
            }
        };
        let n_tokens = tokens.len();
        for (k, &(left, right)) in new.iter().enumerate() {
            let mut bytes = Vec::new();
            for part in [left, right] {
                let known = match part.index().checked_sub(n_old) {
                    None => vocabulary.token(table.id(part).get()),
                    Some(k) => tokens.get(n_tokens + k).map(|(_, bytes)| bytes.as_slice()),
                };
                bytes.extend(known.ok_or_else(|| Error::vocabulary("a merge has a part that none before it makes"))?);
            }
            tokens.push((id(Symbol::from_index(n_old + k))?, bytes));
            list.push((id(left)?, id(right)?));
        }
        Ok(Definition { name: None, tokens, merges: MergeRule::List(list), ..self.definition() })
    }

    /// This tokenizer with `vocab_size` tokens: without the merges that were learned last. Of a tokenizer that was trained
    /// it is the one that training with this size gives.
    ///
    /// Added tokens that come last take the ids that are then next; all others keep their ids.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where there are fewer tokens, where bytes or added tokens
    /// would have to go, or where the ids are not in the order of the merges.
    ///
    /// # Complexity
    ///
    /// O(bytes of the tokens).
    pub fn with_vocab_size(&self, vocab_size: usize) -> Result<Definition> {
        let (table, vocabulary) = (self.encoder.table(), &self.vocabulary);
        let n_tokens = vocabulary.n_tokens();
        let cannot = |why: String| Error::vocabulary(format!("cannot reduce {n_tokens} tokens to {vocab_size}: {why}"));
        let n_dropped = n_tokens
            .checked_sub(vocab_size)
            .ok_or_else(|| cannot("there are fewer; `extend` learns more from a corpus".into()))?;
        let mut definition = self.definition();
        let added: HashMap<usize, &str> =
            definition.added_tokens.iter().map(|token| (token.id.index(), token.text.as_str())).collect();
        let is_last = |id: &usize| added.get(id).is_some_and(|text| vocabulary.ordinary_id(text.as_bytes()).is_none());
        let n_last = (0..vocabulary.n_ids()).rev().take_while(is_last).count();
        let first_last = vocabulary.n_ids() - n_last;
        for k in 1..=n_dropped {
            let made = table.n_symbols().checked_sub(k).filter(|&made| made >= Symbol::BYTES).map(Symbol::from_index);
            let Some(id) = first_last.checked_sub(k).filter(|_| made.is_some()) else {
                return Err(cannot(format!("{} of them are no merges", n_tokens + 1 - k)));
            };
            let is_next = made.is_some_and(|made| table.id(made).index() == id);
            if is_next && !added.contains_key(&id) {
                continue;
            }
            let token = narrow(id).and_then(|id| vocabulary.token(id));
            return Err(cannot(match (added.get(&id), token) {
                (Some(text), _) => format!("the special token {} (id {id}) is not last", shown::text(text)),
                (None, Some(bytes)) => {
                    format!("{} has the id {id}, but is not the merge whose turn it is", shown::bytes(bytes))
                }
                (None, None) => format!("no token has the id {id}, so the ids do not say which tokens are last"),
            }));
        }
        let n_symbols = table.n_symbols() - n_dropped;
        if let Some((.., made)) =
            table.merges().find(|(left, right, made)| made.index() < n_symbols && left.max(right).index() >= n_symbols)
        {
            return Err(cannot(format!("the token with id {} is made from one that would go", table.id(made))));
        }
        let kept = first_last - n_dropped;
        definition.tokens.retain(|(id, _)| id.index() < kept);
        if let MergeRule::List(list) = &mut definition.merges {
            list.truncate(n_symbols - Symbol::BYTES);
        }
        let moved = |token: AddedToken| match token.id.index().checked_sub(first_last) {
            Some(k) => TokenId::from_index(kept + k).map(|id| AddedToken { id, ..token }),
            None => Some(token),
        };
        let added_tokens = definition.added_tokens.into_iter().filter_map(moved).collect();
        let name = definition.name.filter(|_| n_dropped == 0);
        Ok(Definition { name, added_tokens, ..definition })
    }
}
