//! The added tokens of a tokenizer, and which of them a text may contain.

use std::borrow::Cow;

use super::special::LiteralMatcher;
use crate::definition::AddedToken;
use crate::error::{Error, Result};

/// Which special tokens a text may contain; all others are plain text.
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
    /// Those that always match.
    plain: Option<Matcher>,
    all: Option<Matcher>,
}

/// Finds added tokens and knows their ids.
#[derive(Clone, Debug)]
pub struct Matcher {
    literals: LiteralMatcher,
    ids: Vec<u32>,
}

impl Matcher {
    fn new<'t>(tokens: impl Iterator<Item = &'t AddedToken>) -> Result<Option<Self>> {
        let tokens: Vec<&AddedToken> = tokens.collect();
        if tokens.is_empty() {
            return Ok(None);
        }
        let literals = LiteralMatcher::new(tokens.iter().map(|token| token.text.as_str()))?;
        Ok(Some(Self { literals, ids: tokens.iter().map(|token| token.id.get()).collect() }))
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
    /// Prepares to find `tokens`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where one is empty or there twice.
    pub fn new(mut tokens: Vec<AddedToken>) -> Result<Self> {
        tokens.sort_by_key(|token| token.id);
        let plain = Matcher::new(tokens.iter().filter(|token| !token.special))?;
        let all = Matcher::new(tokens.iter())?;
        Ok(Self { tokens, plain, all })
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
        self.tokens.iter().find(|token| token.text.as_bytes() == text)
    }

    /// What to look for in a text in which `allowed` special tokens may stand.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where `allowed` names no special token.
    pub fn matcher(&self, allowed: Allowed<'_>) -> Result<Option<Cow<'_, Matcher>>> {
        match allowed {
            Allowed::None | Allowed::Only([]) => Ok(self.plain.as_ref().map(Cow::Borrowed)),
            Allowed::All => Ok(self.all.as_ref().map(Cow::Borrowed)),
            Allowed::Only(names) => {
                self.check_names(names)?;
                let found = self.tokens.iter().filter(|token| !token.special || names.contains(&token.text.as_str()));
                Ok(Matcher::new(found)?.map(Cow::Owned))
            }
        }
    }

    /// Fails where `text` contains one of the `disallowed` special tokens.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) with the token and its byte offset, or where
    /// `disallowed` names no special token.
    ///
    /// # Complexity
    ///
    /// O(`text.len()`).
    pub fn check_absent(&self, text: &[u8], disallowed: &[&str]) -> Result<()> {
        self.check_names(disallowed)?;
        let wanted = self.special().filter(|token| disallowed.contains(&token.text.as_str()));
        let Some(matcher) = Matcher::new(wanted)? else { return Ok(()) };
        let Some((index, offset)) = matcher.literals.find(text) else { return Ok(()) };
        let token = matcher.literals.literals().get(index).map_or("", String::as_str);
        let id = matcher.ids.get(index).copied().unwrap_or_default();
        let message = format!(
            "the text contains the special token {token:?} at byte offset {offset}, which is disallowed here; \
             pass allowed_special={{{token:?}}} to encode it as the id {id}, \
             or leave it out of disallowed_special to encode it as plain text"
        );
        Err(Error::special_token(token, Some(offset), message))
    }

    fn check_names(&self, names: &[&str]) -> Result<()> {
        for name in names {
            if !self.special().any(|token| token.text == *name) {
                let known: Vec<&str> = self.special().map(|token| token.text.as_str()).take(8).collect();
                let message = format!("{name:?} is not a special token of this tokenizer; it has {known:?}");
                return Err(Error::special_token(name, None, message));
            }
        }
        Ok(())
    }
}
