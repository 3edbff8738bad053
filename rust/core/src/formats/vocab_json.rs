//! The `vocab` object and the merges, which GPT-2's files and `tokenizer.json` share.

use std::fmt::Write;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::json::{quoted, shown};
use super::node::Node;
use super::{byte_alphabet, limits};
use crate::definition::AddedToken;
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// An object from token strings to ids, and the merges over it.
pub(super) struct VocabJson<'p, 'j> {
    node: Node<'p, 'j>,
    entries: Vec<Entry<'j>>,
    /// Indices in `entries`.
    by_text: HashMap<&'j str, usize, RandomState>,
    merges: Vec<(TokenId, TokenId)>,
    merged: HashSet<(TokenId, TokenId), RandomState>,
}

struct Entry<'j> {
    text: &'j str,
    id: TokenId,
    /// `None` where the text is not in the byte alphabet, as only a literal may be.
    bytes: Option<Vec<u8>>,
    /// Whether merges make it or are made from it.
    in_merges: bool,
}

impl<'p, 'j> VocabJson<'p, 'j> {
    /// Reads the object at `node`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the entry with an empty or overlong token, an id that is
    /// absurd or another entry's; [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the entries do not fit.
    pub(super) fn read(node: Node<'p, 'j>) -> Result<Self> {
        let fields = node.fields()?;
        let n_entries = fields.len();
        if n_entries > limits::TOKENS {
            return Err(node.refuse(format!("{n_entries} tokens are more than the limit of {}", limits::TOKENS)));
        }
        let failed = |_| Error::memory("the vocabulary");
        let mut entries = Vec::new();
        entries.try_reserve_exact(n_entries).map_err(|_| Error::memory("the vocabulary"))?;
        let mut by_text = HashMap::default();
        by_text.try_reserve(n_entries).map_err(failed)?;
        let mut by_id: HashMap<TokenId, &str, RandomState> = HashMap::default();
        by_id.try_reserve(n_entries).map_err(failed)?;
        for (index, (text, value)) in fields.iter().enumerate() {
            let id = value.token_id()?;
            // The same bound as in `Vocabulary`, here with its path.
            if id.index() > 4 * n_entries + 1024 {
                return Err(value.refuse(format!("token id {id} is absurd for {n_entries} tokens")));
            }
            if let Some(other) = by_id.insert(id, text) {
                return Err(value.refuse(format!("token id {id} is also that of {}", shown(other))));
            }
            let bytes = byte_alphabet::decode(text).ok();
            if let Some(fault) = limits::token_fault(bytes.as_ref().map_or(text.len(), Vec::len)) {
                return Err(value.refuse(fault));
            }
            by_text.insert(text, index);
            entries.push(Entry { text, id, bytes, in_merges: false });
        }
        Ok(Self { node, entries, by_text, merges: Vec::new(), merged: HashSet::default() })
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The id of the entry with exactly this text.
    pub(super) fn id(&self, text: &str) -> Option<TokenId> {
        self.by_text.get(text).and_then(|&index| self.entries.get(index)).map(|entry| entry.id)
    }

    /// Whether the entry with this text is an ordinary token, even where it is an added token too.
    pub(super) fn is_ordinary(&self, text: &str) -> bool {
        let entry = self.by_text.get(text).and_then(|&index| self.entries.get(index));
        entry.is_some_and(|entry| entry.in_merges || entry.bytes.as_ref().is_some_and(|bytes| bytes.len() == 1))
    }

    /// The entries' ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = TokenId> {
        self.entries.iter().map(|entry| entry.id)
    }

    /// The id of the token whose bytes are `text`, which as an entry is spelt in the byte alphabet.
    pub(super) fn id_of_literal(&self, text: &str) -> Option<TokenId> {
        self.id(&byte_alphabet::encode(text.as_bytes()))
    }

    /// Makes room for `n_merges` merges.
    pub(super) fn reserve_merges(&mut self, n_merges: usize) -> Result<()> {
        if n_merges > limits::TOKENS {
            let message = format!("{n_merges} merges are more than the limit of {}", limits::TOKENS);
            return Err(Error::format("merges", message));
        }
        let reserved = self.merged.try_reserve(n_merges).is_ok() && self.merges.try_reserve_exact(n_merges).is_ok();
        if reserved { Ok(()) } else { Err(Error::memory("the merges")) }
    }

    /// Adds the next merge; the error is what is wrong with it, and the caller knows where it stands.
    pub(super) fn merge(&mut self, left: &str, right: &str) -> std::result::Result<(), String> {
        let left_id = self.part(left)?;
        let right_id = self.part(right)?;
        let joined = [left, right].concat();
        self.part(&joined).map_err(|fault| format!("the result of the merge is not usable: {fault}"))?;
        if !self.merged.insert((left_id, right_id)) {
            return Err(format!("the merge of {} and {} is there twice", shown(left), shown(right)));
        }
        self.merges.push((left_id, right_id));
        Ok(())
    }

    fn part(&mut self, text: &str) -> std::result::Result<TokenId, String> {
        let entry = self.by_text.get(text).and_then(|&index| self.entries.get_mut(index));
        let entry = entry.ok_or_else(|| format!("{} is not in the vocabulary", shown(text)))?;
        if entry.bytes.is_none() {
            return Err(format!("{} is not spelt in the byte alphabet, so no merge can make or use it", shown(text)));
        }
        entry.in_merges = true;
        Ok(entry.id)
    }

    /// The ordinary tokens by id, and the merges.
    ///
    /// An added token's entry is only there to fix its id, and is no ordinary token, unless merges use it: else a
    /// pretoken that spells a special token could become it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) naming an entry that is neither spelt in the byte alphabet nor an
    /// added token.
    pub(super) fn finish(self, added: &[AddedToken]) -> Result<Parts> {
        let added: HashSet<&str, RandomState> = added.iter().map(|token| token.text.as_str()).collect();
        let fields = self.node.fields()?;
        let mut tokens = Vec::with_capacity(self.entries.len());
        for (entry, (_, value)) in self.entries.into_iter().zip(fields.iter()) {
            let is_added = added.contains(entry.text);
            match entry.bytes {
                Some(bytes) if !is_added || entry.in_merges || bytes.len() == 1 => tokens.push((entry.id, bytes)),
                None if !is_added => {
                    let message = "the token is neither spelt in the byte alphabet nor an added or special token";
                    return Err(value.refuse(message));
                }
                _ => {}
            }
        }
        tokens.sort_unstable_by_key(|(id, _)| *id);
        Ok(Parts { tokens, merges: self.merges })
    }
}

/// What a vocabulary and its merges come to.
pub(super) struct Parts {
    pub(super) tokens: Vec<(TokenId, Vec<u8>)>,
    pub(super) merges: Vec<(TokenId, TokenId)>,
}

/// The tokens of a definition on their way to a file: each with its spelling, and merges by spelling.
pub(super) struct Spelt<'d> {
    by_id: Vec<(TokenId, String)>,
    merges: &'d [(TokenId, TokenId)],
}

impl<'d> Spelt<'d> {
    /// Spells `tokens` in the byte alphabet and `literals` as they are, and checks that both can share one table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) where a literal would be read as other bytes, or as an ordinary
    /// token with another id.
    pub(super) fn new(
        tokens: &[(TokenId, Vec<u8>)],
        merges: &'d [(TokenId, TokenId)],
        literals: &[AddedToken],
    ) -> Result<Self> {
        let mut by_id: Vec<(TokenId, String)> =
            tokens.iter().map(|(id, bytes)| (*id, byte_alphabet::encode(bytes))).collect();
        by_id.sort_unstable();
        check_literals(&by_id, literals)?;
        Ok(Self { by_id, merges })
    }

    /// How many ordinary tokens there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// One more than the largest id of an ordinary token.
    pub(super) fn n_ids(&self) -> usize {
        self.by_id.last().map_or(0, |(id, _)| id.index() + 1)
    }

    /// The object from spellings to ids, by id; `literals` are entries as well.
    pub(super) fn object(&self, literals: &[AddedToken]) -> String {
        let ordinary = self.by_id.iter().map(|(id, text)| (*id, text.as_str()));
        let mut entries: Vec<(TokenId, &str)> =
            ordinary.chain(literals.iter().map(|token| (token.id, token.text.as_str()))).collect();
        entries.sort_unstable();
        // A literal that merges make is there twice.
        entries.dedup();
        let mut object = String::from("{");
        for (id, text) in entries {
            // Writing to a `String` does not fail.
            let _ = write!(object, "{}{}:{id}", if object.len() == 1 { "" } else { "," }, quoted(text));
        }
        object.push('}');
        object
    }

    /// The two sides of each merge, in rank order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) at the first merge of an unknown token.
    pub(super) fn merges(&self) -> impl Iterator<Item = Result<(&str, &str)>> {
        let side = |id: TokenId| {
            let found =
                self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok().and_then(|index| self.by_id.get(index));
            let found = found.map(|(_, text)| text.as_str());
            found.ok_or_else(|| Error::vocabulary(format!("a merge names id {id}, which is not an ordinary token")))
        };
        self.merges.iter().map(move |&(left, right)| Ok((side(left)?, side(right)?)))
    }
}

fn check_literals(by_id: &[(TokenId, String)], literals: &[AddedToken]) -> Result<()> {
    let ordinary: HashMap<&str, TokenId, RandomState> = by_id.iter().map(|(id, text)| (text.as_str(), *id)).collect();
    for AddedToken { text, id, .. } in literals {
        let refuse = |message: String| Err(Error::format("added_tokens", message));
        if byte_alphabet::is_ambiguous(text) {
            return refuse(format!("{} would be read as the token of other bytes", shown(text)));
        }
        if let Some(fault) = limits::token_fault(text.len()) {
            return refuse(format!("{}: {fault}", shown(text)));
        }
        match ordinary.get(byte_alphabet::encode(text.as_bytes()).as_str()) {
            Some(other) if other != id => {
                return refuse(format!("{} has id {id}, but is also the ordinary token {other}", shown(text)));
            }
            _ => {}
        }
    }
    Ok(())
}
