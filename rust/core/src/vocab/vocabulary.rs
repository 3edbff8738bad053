//! The bijection between ids and byte strings.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{MissingBytes, shown};
use crate::counters::count;
use crate::definition::{AddedToken, MAX_TOKEN_BYTES};
use crate::error::{Error, Result};
use crate::ids::{TokenId, narrow, widen};

/// Where a token's bytes lie in the vocabulary's one buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    const UNASSIGNED: Self = Self { start: 0, length: u32::MAX };

    fn range(self) -> Option<std::ops::Range<usize>> {
        (self.length != u32::MAX).then(|| widen(self.start)..widen(self.start) + widen(self.length))
    }
}

/// As many bytes as are copied at once; most tokens have fewer.
pub(crate) const WINDOW: usize = 16;

/// Every token's bytes by id, and every ordinary token's id by bytes.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    spans: Vec<Span>,
    bytes: Vec<u8>,
    by_bytes: HashTable<TokenId>,
    hasher: RandomState,
    /// How many bytes the longest ordinary token has.
    longest: usize,
    missing: MissingBytes,
}

impl Vocabulary {
    /// Checks `tokens` and `added` and indexes them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) where an id or a byte string is there twice, a token
    /// is empty, or the ids leave absurdly large gaps;
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where the tokens do not fit.
    ///
    /// # Complexity
    ///
    /// O(total bytes of the tokens).
    pub fn new(tokens: &[(TokenId, Vec<u8>)], added: &[AddedToken]) -> Result<Self> {
        let n_tokens = tokens.len() + added.len();
        let n_ids = tokens.iter().map(|(id, _)| *id).chain(added.iter().map(|token| token.id)).max();
        let n_ids = n_ids.map_or(0, |id| id.index() + 1);
        // A file with one huge id would otherwise make us allocate for all the ids below it.
        if n_ids > 4 * n_tokens + 1024 {
            return Err(Error::vocabulary(format!("token id {} is absurd for {n_tokens} tokens", n_ids - 1)));
        }
        let n_bytes: usize = tokens.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            + added.iter().map(|token| token.text.len()).sum::<usize>();
        let mut vocabulary = Self {
            spans: Vec::new(),
            bytes: Vec::new(),
            by_bytes: HashTable::new(),
            hasher: RandomState::default(),
            longest: tokens.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0),
            missing: MissingBytes::of(tokens.iter().map(|(_, bytes)| bytes.as_slice())),
        };
        let failed = |_| Error::memory("the vocabulary");
        vocabulary.spans.try_reserve_exact(n_ids).map_err(failed)?;
        vocabulary.spans.resize(n_ids, Span::UNASSIGNED);
        vocabulary.bytes.try_reserve_exact(n_bytes + WINDOW).map_err(failed)?;
        for (id, bytes) in tokens {
            vocabulary.add_ordinary(*id, bytes)?;
        }
        for token in added {
            vocabulary.add_added(token)?;
        }
        vocabulary.bytes.extend([0; WINDOW]);
        Ok(vocabulary)
    }

    fn add_ordinary(&mut self, id: TokenId, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Err(Error::vocabulary(format!("token id {id} is empty")));
        }
        if bytes.len() > MAX_TOKEN_BYTES {
            let message = format!("token id {id} has {} bytes; the most is {MAX_TOKEN_BYTES}", bytes.len());
            return Err(Error::vocabulary(message));
        }
        if let Some(other) = self.ordinary_id(bytes) {
            let shown = shown::bytes(bytes);
            return Err(Error::vocabulary(format!("ids {other} and {id} are both the token {shown}")));
        }
        self.assign(id, bytes)?;
        let hash = self.hasher.hash_one(bytes);
        let (hasher, spans, blob) = (&self.hasher, &self.spans, &self.bytes);
        self.by_bytes.insert_unique(hash, id, |&id| hasher.hash_one(slice(spans, blob, id)));
        Ok(())
    }

    /// An added token may repeat an ordinary token of the same id and text, as Hugging Face's files do.
    fn add_added(&mut self, token: &AddedToken) -> Result<()> {
        let bytes = token.text.as_bytes();
        let shared = self.token(token.id.get()) == Some(bytes);
        match self.ordinary_id(bytes) {
            Some(id) if id != token.id => {
                let (text, shown) = (&token.text, shown::text(&token.text));
                let message = format!("special token {shown} has id {}, but is also the ordinary token {id}", token.id);
                Err(Error::special_token(text, None, message))
            }
            _ if shared => Ok(()),
            _ => self.assign(token.id, bytes),
        }
    }

    fn assign(&mut self, id: TokenId, bytes: &[u8]) -> Result<()> {
        let taken = self.token(id.get()).map(shown::bytes);
        if let Some(other) = taken {
            let shown = shown::bytes(bytes);
            return Err(Error::vocabulary(format!("id {id} is both {other} and {shown}")));
        }
        let too_large = || Error::memory("a vocabulary of more than 4 GiB");
        let start = narrow(self.bytes.len()).ok_or_else(too_large)?;
        let length = narrow(bytes.len()).filter(|&length| length != u32::MAX).ok_or_else(too_large)?;
        self.bytes.extend_from_slice(bytes);
        if let Some(span) = self.spans.get_mut(id.index()) {
            *span = Span { start, length };
        }
        Ok(())
    }

    /// How many bytes the longest ordinary token has.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// One more than the largest id.
    pub fn n_ids(&self) -> usize {
        self.spans.len()
    }

    /// How many ids stand for a token.
    pub fn n_tokens(&self) -> usize {
        self.spans.iter().filter(|span| span.range().is_some()).count()
    }

    /// The bytes of a token, added tokens included.
    #[inline]
    pub fn token(&self, id: u32) -> Option<&[u8]> {
        let range = self.spans.get(widen(id))?.range()?;
        self.bytes.get(range)
    }

    /// The bytes of a token and the first of them with what follows, to be copied at once whatever the length.
    #[inline(always)]
    pub(crate) fn token_with_window(&self, id: u32) -> Option<(&[u8], &[u8; WINDOW])> {
        let range = self.spans.get(widen(id))?.range()?;
        let window = self.bytes.get(range.start..)?.first_chunk()?;
        Some((self.bytes.get(range)?, window))
    }

    /// The id of an ordinary token.
    #[inline]
    pub fn ordinary_id(&self, bytes: &[u8]) -> Option<TokenId> {
        if bytes.len() > self.longest {
            return None;
        }
        count(bytes.len());
        let hash = self.hasher.hash_one(bytes);
        self.by_bytes.find(hash, |&id| slice(&self.spans, &self.bytes, id) == bytes).copied()
    }

    /// The single bytes that are no ordinary tokens: text that holds one cannot be encoded.
    #[inline]
    pub fn missing_bytes(&self) -> &MissingBytes {
        &self.missing
    }

    /// The ids that stand for a token and their bytes, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..self.spans.len()).filter_map(|index| {
            let id = TokenId::from_index(index)?;
            Some((id, self.token(id.get())?))
        })
    }

    /// The ordinary tokens and their bytes, in order of id.
    pub fn ordinary(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        self.iter().filter(|&(id, bytes)| self.ordinary_id(bytes) == Some(id))
    }
}

fn slice<'b>(spans: &[Span], blob: &'b [u8], id: TokenId) -> &'b [u8] {
    spans.get(id.index()).and_then(|span| blob.get(span.range()?)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Matching;

    fn id(number: u32) -> TokenId {
        TokenId::new(number).unwrap()
    }

    fn bytes() -> Vec<(TokenId, Vec<u8>)> {
        (0..=255u8).map(|byte| (id(u32::from(byte)), vec![byte])).collect()
    }

    fn message(tokens: &[(TokenId, Vec<u8>)], added: &[AddedToken]) -> String {
        Vocabulary::new(tokens, added).unwrap_err().to_string()
    }

    fn added(text: &str, number: u32) -> AddedToken {
        AddedToken { text: text.into(), id: id(number), special: true, matching: Matching::default() }
    }

    #[test]
    fn finds_tokens_both_ways() {
        let mut tokens = bytes();
        tokens.push((id(300), b"ab".to_vec()));
        let vocabulary = Vocabulary::new(&tokens, &[added("<s>", 299)]).unwrap();
        assert_eq!(vocabulary.token(300), Some(&b"ab"[..]));
        assert_eq!(vocabulary.ordinary_id(b"ab"), Some(id(300)));
        assert_eq!(vocabulary.ordinary_id(b"<s>"), None);
        assert_eq!(vocabulary.token(299), Some(&b"<s>"[..]));
        assert_eq!(vocabulary.token(298), None);
        assert_eq!((vocabulary.n_ids(), vocabulary.n_tokens()), (301, 258));
        assert_eq!(vocabulary.ordinary().count(), 257);
    }

    #[test]
    fn refuses_what_is_no_bijection() {
        let with = |token: &[u8], number| [bytes(), vec![(id(number), token.to_vec())]].concat();
        assert!(message(&with(b"a", 256), &[]).contains("both the token \"a\""));
        assert!(message(&with(b"ab", 97), &[]).contains("id 97 is both \"a\" and \"ab\""));
        assert!(message(&with(b"", 256), &[]).contains("empty"));
        assert!(message(&with(b"ab", 5_000), &[]).contains("absurd"));
        assert!(message(&bytes(), &[added("a", 256)]).contains("also the ordinary token 97"));
        assert!(message(&bytes(), &[added("<s>", 97)]).contains("id 97 is both"));
    }

    #[test]
    fn an_added_token_may_repeat_an_ordinary_one() {
        assert_eq!(Vocabulary::new(&bytes(), &[added("a", 97)]).unwrap().n_tokens(), 256);
    }
}
