//! Safe cuts of a text that may hold added tokens.

use std::ops::Range;

use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Tokenizer;
use crate::vocab::Matcher;

/// Finds places where a text can be cut with the same ids on either side.
#[derive(Clone, Copy)]
pub(super) struct Cuts<'a> {
    pretokenizer: &'a Pretokenizer,
    found: Option<&'a Matcher>,
    /// How far an added token reaches past a byte of it.
    reach: usize,
}

impl<'a> Cuts<'a> {
    /// For texts in which `found` finds added tokens, the longest of `longest` bytes.
    pub(super) fn new(tokenizer: &'a Tokenizer, found: Option<&'a Matcher>, longest: usize) -> Self {
        Self { pretokenizer: tokenizer.pretokenizer(), found, reach: longest.saturating_sub(1) }
    }

    /// The length of the longest text that `found` finds.
    pub(super) fn longest(found: Option<&Matcher>) -> usize {
        found.and_then(|found| found.literals().literals().iter().map(String::len).max()).unwrap_or(0)
    }

    /// How many bytes must be known before and after a cut to judge it.
    pub(super) fn context(&self) -> usize {
        // A line feed and the character before it.
        self.reach.max(5)
    }

    /// Whether cutting `text` at `at` changes no id: neither a pretoken nor an added token can cross it.
    ///
    /// As for [`Pretokenizer::is_safe_cut`], `text` may end at the cut or go on otherwise. An added token that is not
    /// whole in `text` can cross a cut nearer to the end than it is long; the caller keeps that distance.
    fn is_safe(&self, text: &[u8], at: usize) -> bool {
        let is_free = |found: &Matcher| {
            let end = text.len().min(at + self.reach);
            let beside = text.get(at.saturating_sub(self.reach)..end).unwrap_or_default();
            found.literals().find(beside).is_none()
        };
        self.pretokenizer.is_safe_cut(text, at) && self.found.is_none_or(is_free)
    }

    /// The last safe cut of `text` in a range.
    ///
    /// # Complexity
    ///
    /// O(d l) where it is d bytes before the end of the range, for added tokens of l bytes.
    pub(super) fn last(&self, text: &[u8], mut range: Range<usize>) -> Option<usize> {
        if !self.pretokenizer.has_safe_cuts() {
            return None;
        }
        range.rfind(|&at| self.is_safe(text, at))
    }

    /// The first safe cut of `text` from `start` on.
    ///
    /// # Complexity
    ///
    /// O(d l) where it is d bytes after `start`, for added tokens of l bytes.
    pub(super) fn first(&self, text: &[u8], start: usize) -> Option<usize> {
        if !self.pretokenizer.has_safe_cuts() {
            return None;
        }
        (start..text.len()).find(|&at| self.is_safe(text, at))
    }
}
