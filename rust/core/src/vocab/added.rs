//! The added tokens of a tokenizer, and which of them a text may contain.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::{ControlFlow, Range};

use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};

use super::passes::{self, Pass};
use super::shown;
use super::special::LiteralMatcher;
use crate::definition::{AddedToken, Matching};
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// A choice of special tokens: those that a text may contain, all others being plain text; or those that are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed<'a> {
    /// No special token: text can never make a control id.
    None,
    /// Every special token of the tokenizer.
    All,
    /// These.
    Only(&'a [&'a str]),
}

/// The added tokens of a tokenizer, special or not.
#[derive(Clone, Debug)]
pub struct AddedTokens {
    /// By id.
    tokens: Vec<AddedToken>,
    /// What those that are found in normalised text are found by.
    normalized: HashMap<TokenId, String>,
    /// The index of each token by its text.
    by_text: HashTable<usize>,
    hasher: RandomState,
    n_special: usize,
    /// Those that always match.
    plain: Option<Matcher>,
    /// The special ones, where there are others.
    special: Option<Matcher>,
    all: Option<Matcher>,
}

/// Finds added tokens and knows their ids.
#[derive(Clone, Debug)]
pub struct Matcher {
    literals: LiteralMatcher,
    ids: Vec<u32>,
    /// The two passes in which they are found, where it is not by their text alone.
    passes: Option<[Option<Pass>; 2]>,
}

/// What special tokens do in a text: which become ids and which are refused. For the tokenizer it was made for only.
///
/// Making one can take as long as reading all the special tokens, so it is made once for many texts.
#[derive(Clone, Debug)]
pub struct Specials<'a> {
    found: Option<Cow<'a, Matcher>>,
    refused: Option<Cow<'a, Matcher>>,
}

impl Matcher {
    /// `normalized` are the texts that tokens are found by in normalised text, where there are such tokens.
    fn new<'t>(
        tokens: impl Iterator<Item = &'t AddedToken>,
        normalized: &HashMap<TokenId, String>,
    ) -> Result<Option<Self>> {
        let tokens: Vec<&AddedToken> = tokens.collect();
        if tokens.is_empty() {
            return Ok(None);
        }
        let literals = LiteralMatcher::new(tokens.iter().map(|token| token.text.as_str()))?;
        let passes = if tokens.iter().all(|token| token.matching == Matching::default()) {
            None
        } else {
            let (second, first): (Vec<_>, Vec<_>) = tokens.iter().partition(|token| token.matching.normalized);
            Some([Pass::new(&first, normalized)?, Pass::new(&second, normalized)?])
        };
        Ok(Some(Self { literals, ids: tokens.iter().map(|token| token.id.get()).collect(), passes }))
    }

    /// Calls `visit` with the parts of a text that are found in the first pass (0, the text as it is) or the second (1,
    /// normalised text), and those between. None is empty.
    ///
    /// # Errors
    ///
    /// What `visit` fails with.
    ///
    /// # Complexity
    ///
    /// As [`LiteralMatcher::segments`].
    pub fn parts<B>(
        &self,
        pass: usize,
        text: &str,
        visit: &mut dyn FnMut(Option<u32>, Range<usize>) -> Result<ControlFlow<B>>,
    ) -> Result<ControlFlow<B>> {
        match &self.passes {
            None if pass == 0 => passes::parts(&self.literals, &self.ids, None, text, visit),
            None => passes::whole(text, visit),
            Some(passes) => match passes.get(pass) {
                Some(Some(pass)) => pass.parts(text, visit),
                _ => passes::whole(text, visit),
            },
        }
    }

    /// The texts it finds.
    pub fn literals(&self) -> &LiteralMatcher {
        &self.literals
    }

    /// The ids, in the order of the literals.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

impl AddedTokens {
    /// Prepares to find `tokens`, of which some are found by their `normalized` text in normalised text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where one is empty, too long or there twice.
    pub fn new(mut tokens: Vec<AddedToken>, normalized: HashMap<TokenId, String>) -> Result<Self> {
        tokens.sort_by_key(|token| token.id);
        let all = Matcher::new(tokens.iter(), &normalized)?;
        let n_special = tokens.iter().filter(|token| token.special).count();
        let (mut plain, mut special) = (None, None);
        if n_special < tokens.len() {
            plain = Matcher::new(tokens.iter().filter(|token| !token.special), &normalized)?;
            special = Matcher::new(tokens.iter().filter(|token| token.special), &normalized)?;
        }
        let hasher = RandomState::default();
        let mut by_text = HashTable::with_capacity(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            let hash = hasher.hash_one(token.text.as_bytes());
            by_text.insert_unique(hash, index, |&index: &usize| hasher.hash_one(tokens[index].text.as_bytes()));
        }
        Ok(Self { tokens, normalized, by_text, hasher, n_special, plain, special, all })
    }

    /// Whether each is found exactly where its text stands.
    pub fn match_literally(&self) -> bool {
        self.tokens.iter().all(|token| token.matching == Matching::default())
    }

    /// The tokens by id.
    pub fn tokens(&self) -> &[AddedToken] {
        &self.tokens
    }

    /// The special tokens by id.
    pub fn special(&self) -> impl Iterator<Item = &AddedToken> {
        self.tokens.iter().filter(|token| token.special)
    }

    /// The added token with this text.
    pub fn get(&self, text: &[u8]) -> Option<&AddedToken> {
        self.tokens.get(self.index(text)?)
    }

    fn index(&self, text: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(text);
        self.by_text.find(hash, |&index| self.tokens[index].text.as_bytes() == text).copied()
    }

    /// What finds the tokens that always match.
    pub fn plain(&self) -> Option<&Matcher> {
        self.plain.as_ref()
    }

    /// Prepares to encode texts in which `allowed` special tokens become ids, and `disallowed` ones that are not allowed
    /// are refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where either names no special token.
    ///
    /// # Complexity
    ///
    /// O(1) where both are none or all; else O(bytes of the special tokens and of the names).
    pub fn specials(&self, allowed: Allowed<'_>, disallowed: Allowed<'_>) -> Result<Specials<'_>> {
        let refused = self.refused(allowed, disallowed)?;
        let found = match allowed {
            Allowed::None | Allowed::Only([]) => self.plain.as_ref().map(Cow::Borrowed),
            Allowed::All => self.all.as_ref().map(Cow::Borrowed),
            Allowed::Only(names) => {
                let mut found = self.indices(names.iter().copied())?;
                if found.len() == self.n_special {
                    self.all.as_ref().map(Cow::Borrowed)
                } else {
                    if self.plain.is_some() {
                        found.extend((0..self.tokens.len()).filter(|&index| !self.tokens[index].special));
                        found.sort_unstable();
                    }
                    self.matcher(&found)?.map(Cow::Owned)
                }
            }
        };
        Ok(Specials { found, refused })
    }

    fn refused(&self, allowed: Allowed<'_>, disallowed: Allowed<'_>) -> Result<Option<Cow<'_, Matcher>>> {
        if let Allowed::None = disallowed {
            return Ok(None);
        }
        let allowed: HashSet<&str, RandomState> = match allowed {
            Allowed::None => HashSet::default(),
            Allowed::All => return Ok(None),
            Allowed::Only(names) => names.iter().copied().collect(),
        };
        let refused = match disallowed {
            Allowed::None => Vec::new(),
            Allowed::All if allowed.is_empty() => return Ok(self.all_special().map(Cow::Borrowed)),
            Allowed::All => {
                self.indices(self.special().map(|token| token.text.as_str()).filter(|name| !allowed.contains(name)))?
            }
            Allowed::Only(names) => self.indices(names.iter().copied().filter(|name| !allowed.contains(name)))?,
        };
        if refused.len() == self.n_special {
            return Ok(self.all_special().map(Cow::Borrowed));
        }
        Ok(self.matcher(&refused)?.map(Cow::Owned))
    }

    fn all_special(&self) -> Option<&Matcher> {
        if self.plain.is_some() { self.special.as_ref() } else { self.all.as_ref() }
    }

    fn matcher(&self, indices: &[usize]) -> Result<Option<Matcher>> {
        Matcher::new(indices.iter().map(|&index| &self.tokens[index]), &self.normalized)
    }

    /// The special tokens with these names, each once, in order.
    fn indices<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<Vec<usize>> {
        let index = |name: &str| {
            let index = self.index(name.as_bytes()).filter(|&index| self.tokens[index].special);
            index.ok_or_else(|| self.unknown(name))
        };
        let mut indices = names.map(index).collect::<Result<Vec<usize>>>()?;
        indices.sort_unstable();
        indices.dedup();
        Ok(indices)
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<String> = self.special().take(8).map(|token| shown::text(&token.text)).collect();
        let (shown, known) = (shown::text(name), known.join(", "));
        Error::special_token(name, None, format!("{shown} is not a special token of this tokenizer; it has [{known}]"))
    }
}

impl Specials<'_> {
    /// The same, borrowed from no tokenizer.
    pub fn into_owned(self) -> Specials<'static> {
        let owned = |matcher: Option<Cow<'_, Matcher>>| matcher.map(|matcher| Cow::Owned(matcher.into_owned()));
        Specials { found: owned(self.found), refused: owned(self.refused) }
    }

    /// What finds the tokens that become ids.
    pub fn found(&self) -> Option<&Matcher> {
        self.found.as_deref()
    }

    /// Whether any token is refused.
    pub(crate) fn refuse(&self) -> bool {
        self.refused.is_some()
    }

    /// Fails where `text` contains a special token that is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) with the first and its byte offset.
    ///
    /// # Complexity
    ///
    /// As [`LiteralMatcher::find`].
    pub fn check(&self, text: &[u8]) -> Result<()> {
        let Some(matcher) = &self.refused else { return Ok(()) };
        let Some((index, offset)) = matcher.literals.find(text) else { return Ok(()) };
        let token = matcher.literals.literals().get(index).map_or("", String::as_str);
        let id = matcher.ids.get(index).copied().unwrap_or_default();
        let shown = shown::text(token);
        let message = format!(
            "the text contains the special token {shown} at byte offset {offset}, which is disallowed here; \
             pass allowed_special={{{shown}}} to encode it as the id {id}, \
             or leave it out of disallowed_special to encode it as plain text"
        );
        Err(Error::special_token(token, Some(offset), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(texts: impl IntoIterator<Item = (String, bool)>) -> AddedTokens {
        let token = |(index, (text, special))| AddedToken {
            text,
            id: TokenId::from_index(index).unwrap(),
            special,
            matching: Matching::default(),
        };
        AddedTokens::new(texts.into_iter().enumerate().map(token).collect(), HashMap::default()).unwrap()
    }

    fn ids(matcher: Option<&Matcher>) -> &[u32] {
        matcher.map_or(&[], Matcher::ids)
    }

    #[test]
    fn what_is_found_and_what_is_refused() {
        let added = added([("<a>", true), ("<b>", false), ("<c>", true)].map(|(text, special)| (text.into(), special)));
        let cases: [(Allowed<'_>, Allowed<'_>, &[u32], &[u32]); 8] = [
            (Allowed::None, Allowed::None, &[1], &[]),
            (Allowed::None, Allowed::All, &[1], &[0, 2]),
            (Allowed::All, Allowed::All, &[0, 1, 2], &[]),
            (Allowed::Only(&["<a>"]), Allowed::All, &[0, 1], &[2]),
            (Allowed::Only(&["<c>", "<c>"]), Allowed::Only(&["<c>"]), &[1, 2], &[]),
            (Allowed::Only(&["<c>", "<a>"]), Allowed::None, &[0, 1, 2], &[]),
            (Allowed::None, Allowed::Only(&["<c>"]), &[1], &[2]),
            (Allowed::Only(&[]), Allowed::Only(&["<c>", "<a>"]), &[1], &[0, 2]),
        ];
        for (allowed, disallowed, found, refused) in cases {
            let specials = added.specials(allowed, disallowed).unwrap();
            assert_eq!(ids(specials.found()), found, "{allowed:?} {disallowed:?}");
            assert_eq!(ids(specials.refused.as_deref()), refused, "{allowed:?} {disallowed:?}");
        }
        for names in [&["<b>"][..], &["<a>", "<d>"]] {
            assert!(added.specials(Allowed::Only(names), Allowed::None).is_err());
            assert!(added.specials(Allowed::None, Allowed::Only(names)).is_err());
        }
    }

    #[test]
    fn a_hundred_thousand_are_no_more_work_for_each() {
        let start = std::time::Instant::now();
        let texts: Vec<String> = (0..100_000).map(|n| format!("<|special_{n}|>")).collect();
        let added = added(texts.iter().map(|text| (text.clone(), true)));
        let names: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(names.iter().all(|name| added.get(name.as_bytes()).is_some()));
        let specials = added.specials(Allowed::Only(&names[1..]), Allowed::Only(&names)).unwrap();
        assert_eq!((ids(specials.found()).len(), ids(specials.refused.as_deref())), (99_999, &[0][..]));
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
    }
}
