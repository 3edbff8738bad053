//! Added tokens that are not found by their text alone: with the white space beside them, only as a word of their own, or in
//! normalised text.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use regex_syntax::is_word_character;

use super::special::LiteralMatcher;
use crate::definition::{AddedToken, Matching};
use crate::error::Result;
use crate::ids::TokenId;

/// The tokens that are found in one pass over a text.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    literals: LiteralMatcher,
    ids: Vec<u32>,
    matchings: Vec<Matching>,
}

impl Pass {
    pub(super) fn new(tokens: &[&AddedToken], normalized: &HashMap<TokenId, String>) -> Result<Option<Self>> {
        if tokens.is_empty() {
            return Ok(None);
        }
        let text = |token: &&AddedToken| {
            let normalized = normalized.get(&token.id).filter(|_| token.matching.normalized);
            normalized.unwrap_or(&token.text).clone()
        };
        Ok(Some(Self {
            literals: LiteralMatcher::new(tokens.iter().map(text))?,
            ids: tokens.iter().map(|token| token.id.get()).collect(),
            matchings: tokens.iter().map(|token| token.matching).collect(),
        }))
    }

    pub(super) fn parts<B>(
        &self,
        text: &str,
        visit: &mut dyn FnMut(Option<u32>, Range<usize>) -> Result<ControlFlow<B>>,
    ) -> Result<ControlFlow<B>> {
        parts(&self.literals, &self.ids, Some(&self.matchings), text, visit)
    }
}

/// Visits a text in which no token is found.
pub(super) fn whole<B>(
    text: &str,
    visit: &mut dyn FnMut(Option<u32>, Range<usize>) -> Result<ControlFlow<B>>,
) -> Result<ControlFlow<B>> {
    if text.is_empty() { Ok(ControlFlow::Continue(())) } else { visit(None, 0..text.len()) }
}

/// Visits the parts of a text that are tokens, and those between. Tokens match by their text alone without `matchings`.
///
/// A match that is no word of its own is passed over whole: what begins inside it is not found either.
pub(super) fn parts<B>(
    literals: &LiteralMatcher,
    ids: &[u32],
    matchings: Option<&[Matching]>,
    text: &str,
    visit: &mut dyn FnMut(Option<u32>, Range<usize>) -> Result<ControlFlow<B>>,
) -> Result<ControlFlow<B>> {
    let mut position = 0;
    for (index, mut start, mut end) in literals.matches(text) {
        let matching = matchings.and_then(|matchings| matchings.get(index)).copied().unwrap_or_default();
        let (before, after) = (text.get(position..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
        if matching.single_word {
            // The character before may be part of the token before it.
            let before = text.get(..start).unwrap_or_default();
            let is_word = |character: Option<char>| character.is_some_and(is_word_character);
            if is_word(before.chars().next_back()) || is_word(after.chars().next()) {
                continue;
            }
        }
        if matching.lstrip {
            start = position + before.trim_end().len();
        }
        if matching.rstrip {
            end += after.len() - after.trim_start().len();
        }
        if position < start
            && let ControlFlow::Break(value) = visit(None, position..start)?
        {
            return Ok(ControlFlow::Break(value));
        }
        position = end;
        if let ControlFlow::Break(value) = visit(ids.get(index).copied(), start..end)? {
            return Ok(ControlFlow::Break(value));
        }
    }
    if position < text.len() { visit(None, position..text.len()) } else { Ok(ControlFlow::Continue(())) }
}
