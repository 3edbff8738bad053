//! Finds the matches of a regex, for those who need to know which parts of a text they are.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::rules::{self, Dialect};
use super::search::{Matcher, Search};
use super::syntax::Parsed;
use super::{MAX_PATTERN_BYTES, portable};
use crate::error::{Error, Result};

/// A regex that is matched in linear time. Cheap to clone; two are equal if their regexes are.
#[derive(Clone)]
pub struct Finder(Arc<Inner>);

struct Inner {
    regex: String,
    matcher: Matcher,
}

impl Finder {
    /// Compiles a regex as tiktoken reads it. It is never a preset's name.
    ///
    /// # Errors
    ///
    /// As [`Pretokenizer::new`](super::Pretokenizer::new).
    pub fn new(regex: &str) -> Result<Self> {
        if regex.len() > MAX_PATTERN_BYTES {
            let message = format!("a pattern of {} bytes; the most is {MAX_PATTERN_BYTES}", regex.len());
            return Err(Error::pattern(MAX_PATTERN_BYTES, message));
        }
        let matcher = Matcher::new(&Parsed::new(regex)?.parts()?)?;
        Ok(Self(Arc::new(Inner { regex: regex.to_owned(), matcher })))
    }

    /// Compiles a regex of a Hugging Face `tokenizer.json`, as its engine reads it.
    ///
    /// # Errors
    ///
    /// As [`Pretokenizer::from_hugging_face`](super::Pretokenizer::from_hugging_face).
    pub fn from_hugging_face(regex: &str) -> Result<Self> {
        if rules::by_regex(regex, Dialect::HuggingFace).is_none() && regex.len() <= MAX_PATTERN_BYTES {
            portable::check(regex)?;
        }
        Self::new(regex)
    }

    /// The regex.
    pub fn regex(&self) -> &str {
        &self.0.regex
    }

    /// Calls `visit` with each match and each maximal stretch between matches, in order, and whether it is a match.
    /// Joined, they are `text`; none is empty. Stops when `visit` says so, and returns what it said.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes; the factor depends on the regex.
    pub fn parts<B>(&self, text: &str, mut visit: impl FnMut(&str, bool) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut search = Search::new(&self.0.matcher, text);
        let mut end = 0;
        while let Some(found) = search.next(end) {
            if end < found.start {
                visit(&text[end..found.start], false)?;
            }
            end = found.end;
            visit(&text[found], true)?;
        }
        if end < text.len() { visit(&text[end..], false) } else { ControlFlow::Continue(()) }
    }
}

impl PartialEq for Finder {
    fn eq(&self, other: &Self) -> bool {
        self.0.regex == other.0.regex
    }
}

impl Eq for Finder {}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Finder").field(&self.0.regex).finish()
    }
}
