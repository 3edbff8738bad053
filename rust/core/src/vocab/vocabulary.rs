//! The bijection between ids and byte strings.

use std::ops::Range;
use std::sync::OnceLock;

use super::merges::{Ids, Parts, unpacked};
use super::slots::{Ends, Seeds, Slots};
use super::{MissingBytes, shown};
use crate::counters::count;
use crate::definition::{AddedToken, MAX_TOKEN_BYTES};
use crate::error::{Error, Result, check_room};
use crate::ids::{Symbol, TokenId, narrow, widen};

/// As many bytes as are copied at once; most tokens have fewer.
const WINDOW: usize = 16;

/// Every token's bytes by id, and every ordinary token's id by bytes.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    n_ids: usize,
    n_tokens: usize,
    /// How many bytes the longest ordinary token has.
    longest: usize,
    missing: MissingBytes,
    /// The ids of added tokens that are no ordinary ones, in order.
    only_added: Vec<TokenId>,
    /// What the tokens are made of, where they are made when first asked for: merging needs none of their bytes.
    recipe: Option<Recipe>,
    tokens: OnceLock<TokenBytes>,
    by_bytes: OnceLock<ByBytes>,
}

/// Merges that are known to be sound, and to make every token that is neither a single byte nor an added one.
///
/// The ids of the bytes are the first 256. Those of the merges ascend; each merge stands after those that make its parts, and
/// no two make one token. Added tokens are in order of their ids, which are no others'.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) ids: Ids,
    pub(crate) merges: &'static [Parts],
    pub(crate) added: Vec<AddedToken>,
    /// How many bytes the tokens have in all that are not added, and how many the longest of them has.
    pub(crate) n_bytes: usize,
    pub(crate) longest: usize,
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
        let all = TokenBytes::of(n_ids, tokens, added)?;
        check_room(Slots::n_bytes(tokens.len()), "the index of tokens")?;
        let mut by_bytes = ByBytes::with_room(tokens.len());
        for (id, bytes) in tokens {
            if let Some(other) = by_bytes.find(&all, bytes) {
                let shown = shown::bytes(bytes);
                return Err(Error::vocabulary(format!("ids {other} and {id} are both the token {shown}")));
            }
            by_bytes.insert(*id, bytes);
        }
        let mut only_added = Vec::new();
        for token in added {
            if is_only_added(&all, &by_bytes, token)? {
                only_added.push(token.id);
            }
        }
        only_added.sort_unstable();
        only_added.dedup();
        Ok(Self {
            n_ids,
            n_tokens: tokens.len() + only_added.len(),
            longest: tokens.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0),
            missing: MissingBytes::of(tokens.iter().map(|(_, bytes)| bytes.as_slice())),
            only_added,
            recipe: None,
            tokens: OnceLock::from(all),
            by_bytes: OnceLock::from(by_bytes),
        })
    }

    /// A vocabulary whose tokens are made when first asked for.
    pub(crate) fn of(recipe: Recipe) -> Self {
        let n_ordinary = Symbol::BYTES + recipe.merges.len();
        let last = recipe.added.last().map_or(0, |token| token.id.index());
        Self {
            n_ids: recipe.ids.of(Symbol::from_index(n_ordinary - 1)).index().max(last) + 1,
            n_tokens: n_ordinary + recipe.added.len(),
            longest: recipe.longest,
            missing: MissingBytes::NONE,
            only_added: recipe.added.iter().map(|token| token.id).collect(),
            recipe: Some(recipe),
            tokens: OnceLock::new(),
            by_bytes: OnceLock::new(),
        }
    }

    /// The bytes of all tokens, made where this is the first to ask: some milliseconds for a large vocabulary.
    ///
    /// Outside the cell, as all that is made so: a process forked while another thread made them inside would wait for ever.
    #[inline]
    pub(crate) fn tokens(&self) -> &TokenBytes {
        match self.tokens.get() {
            Some(tokens) => tokens,
            None => self.make_tokens(),
        }
    }

    #[cold]
    fn make_tokens(&self) -> &TokenBytes {
        let tokens = self.recipe.as_ref().map(|recipe| TokenBytes::made(recipe, self.n_ids)).unwrap_or_default();
        self.tokens.get_or_init(|| tokens)
    }

    /// Whether tokens can be looked up by their bytes yet.
    #[inline]
    pub(crate) fn is_indexed(&self) -> bool {
        self.by_bytes.get().is_some()
    }

    #[cold]
    fn make_index(&self) -> &ByBytes {
        let mut by_bytes = ByBytes::with_room(self.n_tokens);
        for (id, bytes) in self.ordinary() {
            by_bytes.insert(id, bytes);
        }
        self.by_bytes.get_or_init(|| by_bytes)
    }

    /// Makes sure that there is room for what [`token`](Self::token) and [`ordinary_id`](Self::ordinary_id) may have to make.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    #[inline]
    pub(crate) fn check_room(&self) -> Result<()> {
        if self.is_indexed() { Ok(()) } else { check_room(self.n_bytes_to_make(), "the tokens") }
    }

    fn n_bytes_to_make(&self) -> usize {
        let n_bytes = self.recipe.as_ref().map_or(0, |recipe| recipe.n_bytes);
        n_bytes + self.n_ids * size_of::<u32>() + Slots::n_bytes(self.n_tokens)
    }

    /// How many bytes the longest ordinary token has.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// One more than the largest id.
    pub fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// How many ids stand for a token.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// How many of them are ordinary tokens.
    pub(crate) fn n_ordinary(&self) -> usize {
        self.n_tokens - self.only_added.len()
    }

    /// The bytes of a token, added tokens included.
    #[inline]
    pub fn token(&self, id: u32) -> Option<&[u8]> {
        self.tokens().get(widen(id))
    }

    /// The id of an ordinary token.
    #[inline]
    pub fn ordinary_id(&self, bytes: &[u8]) -> Option<TokenId> {
        if bytes.len() > self.longest {
            return None;
        }
        count(bytes.len());
        let by_bytes = self.by_bytes.get().unwrap_or_else(|| self.make_index());
        by_bytes.find(self.tokens(), bytes).and_then(TokenId::from_index)
    }

    /// The single bytes that are no ordinary tokens: text that holds one cannot be encoded.
    #[inline]
    pub fn missing_bytes(&self) -> &MissingBytes {
        &self.missing
    }

    /// The ids that stand for a token and their bytes, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        (0..self.n_ids).filter_map(|index| {
            let id = TokenId::from_index(index)?;
            Some((id, self.token(id.get())?))
        })
    }

    /// The ordinary tokens and their bytes, in order of id.
    pub fn ordinary(&self) -> impl Iterator<Item = (TokenId, &[u8])> {
        let mut only_added = self.only_added.iter().peekable();
        self.iter().filter(move |(id, _)| {
            while only_added.next_if(|added| *added < id).is_some() {}
            only_added.peek() != Some(&id)
        })
    }
}

/// The bytes of all tokens, added ones included.
#[derive(Clone, Default, Debug)]
pub(crate) struct TokenBytes {
    /// By id: where in `bytes` the token starts, and the one before it ends. No token is empty; an id that stands for none is.
    starts: Vec<u32>,
    /// Those of all tokens in order of id, and a window more.
    bytes: Vec<u8>,
}

impl TokenBytes {
    /// Checks all but that each token is there once.
    fn of(n_ids: usize, tokens: &[(TokenId, Vec<u8>)], added: &[AddedToken]) -> Result<Self> {
        let failed = "the vocabulary";
        check_room((n_ids + 1) * size_of::<u32>(), failed)?;
        // First the length of each, at the place where it is to end.
        let mut starts = vec![0; n_ids + 1];
        let mut n_bytes = 0;
        for (id, bytes) in tokens {
            if bytes.is_empty() {
                return Err(Error::vocabulary(format!("token id {id} is empty")));
            }
            if bytes.len() > MAX_TOKEN_BYTES {
                let message = format!("token id {id} has {} bytes; the most is {MAX_TOKEN_BYTES}", bytes.len());
                return Err(Error::vocabulary(message));
            }
            if !assign(&mut starts, *id, bytes.len(), &mut n_bytes)? {
                let other = tokens.iter().find(|(other, _)| other == id).map_or(&[][..], |(_, bytes)| bytes);
                return Err(taken(*id, other, bytes));
            }
        }
        let mut own_place = Vec::new();
        for token in added {
            if assign(&mut starts, token.id, token.text.len(), &mut n_bytes)? {
                own_place.push((token.id, token.text.as_bytes()));
            }
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        check_room(n_bytes + WINDOW, failed)?;
        let mut all = Self { starts, bytes: vec![0; n_bytes + WINDOW] };
        for (id, bytes) in tokens.iter().map(|(id, bytes)| (*id, bytes.as_slice())).chain(own_place) {
            let place = all.range(id.index()).and_then(|range| all.bytes.get_mut(range));
            place.unwrap_or_default().copy_from_slice(bytes);
        }
        Ok(all)
    }

    /// Follows a recipe.
    fn made(recipe: &Recipe, n_ids: usize) -> Self {
        let n_bytes = recipe.n_bytes + recipe.added.iter().map(|token| token.text.len()).sum::<usize>();
        let mut all = Self { starts: Vec::with_capacity(n_ids + 1), bytes: vec![0; n_bytes + WINDOW] };
        let mut bytes = [0; Symbol::BYTES];
        for byte in 0..=u8::MAX {
            if let Some(place) = bytes.get_mut(recipe.ids.of(Symbol::from_byte(byte)).index()) {
                *place = byte;
            }
        }
        all.starts.push(0);
        let mut end = 0;
        bytes.iter().for_each(|byte| all.append(&[*byte], &mut end));
        let mut added = recipe.added.iter().peekable();
        let mut others_before = |all: &mut Self, id: usize, end: &mut usize| {
            while all.starts.len() <= id {
                let token = added.next_if(|token| token.id.index() == all.starts.len() - 1);
                all.append(token.map_or(&[], |token| token.text.as_bytes()), end);
            }
        };
        for (&parts, symbol) in recipe.merges.iter().zip((Symbol::BYTES..).map(Symbol::from_index)) {
            others_before(&mut all, recipe.ids.of(symbol).index(), &mut end);
            let (left, right) = unpacked(parts);
            for part in [left, right] {
                all.copy(recipe.ids.of(part).index(), &mut end);
            }
            all.starts.push(narrow(end).unwrap_or(u32::MAX));
        }
        others_before(&mut all, n_ids, &mut end);
        all
    }

    /// Writes a token, the next by id, to the end.
    fn append(&mut self, token: &[u8], end: &mut usize) {
        if let Some(place) = self.bytes.get_mut(*end..*end + token.len()) {
            place.copy_from_slice(token);
        }
        *end += token.len();
        self.starts.push(narrow(*end).unwrap_or(u32::MAX));
    }

    /// Copies a token to the end.
    #[inline(always)]
    fn copy(&mut self, id: usize, end: &mut usize) {
        let Some(range) = self.range(id) else { return };
        let length = range.len();
        // A window at once where that is enough: what is behind the token is not written yet.
        if length <= WINDOW
            && let Some(&window) = self.bytes.get(range.start..).and_then(|from| from.first_chunk::<WINDOW>())
            && let Some(place) = self.bytes.get_mut(*end..).and_then(|to| to.first_chunk_mut())
        {
            *place = window;
        } else if *end + length <= self.bytes.len() {
            self.bytes.copy_within(range, *end);
        }
        *end += length;
    }

    /// The bytes of a token.
    #[inline(always)]
    pub(crate) fn get(&self, id: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(id)?)
    }

    /// How many bytes tokens have together; or the index of the first id that stands for none.
    pub(crate) fn total_length(&self, ids: &[u32]) -> std::result::Result<usize, usize> {
        let mut n_bytes = 0;
        for (index, &id) in ids.iter().enumerate() {
            n_bytes += self.range(widen(id)).ok_or(index)?.len();
        }
        Ok(n_bytes)
    }

    /// Writes tokens one after the other to `out`, up to one that is none or has no room left. Returns of how many ids, and how many
    /// bytes.
    pub(crate) fn write(&self, ids: &[u32], out: &mut [u8]) -> (usize, usize) {
        let mut at = 0;
        for (index, &id) in ids.iter().enumerate() {
            let Some(Range { start, end }) = self.range(widen(id)) else { return (index, at) };
            let length = end - start;
            let window: Option<&[u8; WINDOW]> = self.bytes.get(start..start + WINDOW).and_then(<[u8]>::first_chunk);
            match (window, out.get_mut(at..).and_then(<[u8]>::first_chunk_mut)) {
                // All of the window, some of it in vain: how many bytes count would be a guess of the processor's.
                (Some(window), Some(places)) if length <= WINDOW => *places = *window,
                _ => match (self.bytes.get(start..end), out.get_mut(at..at + length)) {
                    (Some(token), Some(place)) => place.copy_from_slice(token),
                    _ => return (index, at),
                },
            }
            at += length;
        }
        (ids.len(), at)
    }

    #[inline(always)]
    fn range(&self, id: usize) -> Option<Range<usize>> {
        let &[start, end] = self.starts.get(id..id + 2)?.first_chunk()?;
        (start != end).then(|| widen(start)..widen(end))
    }
}

/// Puts down the length of a token, and adds it to that of all; `false` where its id is another's.
fn assign(lengths: &mut [u32], id: TokenId, length: usize, n_bytes: &mut usize) -> Result<bool> {
    let Some(place) = lengths.get_mut(id.index() + 1).filter(|place| **place == 0) else { return Ok(false) };
    let too_large = || Error::memory("a vocabulary of more than 4 GiB");
    *n_bytes += length;
    narrow(*n_bytes + WINDOW).ok_or_else(too_large)?;
    *place = narrow(length).ok_or_else(too_large)?;
    Ok(true)
}

fn taken(id: TokenId, other: &[u8], bytes: &[u8]) -> Error {
    Error::vocabulary(format!("id {id} is both {} and {}", shown::bytes(other), shown::bytes(bytes)))
}

/// Whether an added token is no ordinary one. It may repeat an ordinary token of the same id and text, as Hugging Face's files
/// do.
fn is_only_added(tokens: &TokenBytes, by_bytes: &ByBytes, token: &AddedToken) -> Result<bool> {
    let bytes = token.text.as_bytes();
    match (by_bytes.find(tokens, bytes), tokens.get(token.id.index())) {
        (Some(id), _) if id == token.id.index() => Ok(false),
        (Some(id), _) => {
            let (text, shown) = (&token.text, shown::text(&token.text));
            let message = format!("special token {shown} has id {}, but is also the ordinary token {id}", token.id);
            Err(Error::special_token(text, None, message))
        }
        (None, Some(other)) if other != bytes => Err(taken(token.id, other, bytes)),
        (None, _) => Ok(true),
    }
}

/// The ids of ordinary tokens by their bytes.
#[derive(Clone, Debug)]
struct ByBytes {
    slots: Slots,
    seeds: Seeds,
}

impl ByBytes {
    fn with_room(n_tokens: usize) -> Self {
        Self { slots: Slots::new(n_tokens), seeds: Seeds::new() }
    }

    #[inline(always)]
    fn hash(&self, bytes: &[u8]) -> u64 {
        if bytes.len() <= Ends::MAX { self.seeds.short(Ends::of(bytes), bytes.len()) } else { self.seeds.long(bytes) }
    }

    /// Adds a token with its bytes.
    #[inline(always)]
    fn insert(&mut self, id: TokenId, bytes: &[u8]) {
        self.slots.insert(self.hash(bytes), id.index());
    }

    #[inline(always)]
    fn find(&self, tokens: &TokenBytes, bytes: &[u8]) -> Option<usize> {
        if bytes.len() <= Ends::MAX {
            let ends = Ends::of(bytes);
            let is_it = |id| tokens.get(id).is_some_and(|token| is_short(token, ends, bytes.len()));
            self.slots.find(self.seeds.short(ends, bytes.len()), is_it)
        } else {
            self.slots.find(self.seeds.long(bytes), |id| tokens.get(id) == Some(bytes))
        }
    }
}

/// Whether a token has these ends and this length.
#[inline(always)]
fn is_short(token: &[u8], ends: Ends, length: usize) -> bool {
    token.len() == length && Ends::of(token) == ends
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
