//! The fixed split of a corpus: special tokens cut it into stretches, and the pretokenizer cuts those.

use std::io::Read;
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::entries::{Fields, push_number, push_text};
use crate::error::{Error, Result};
use crate::ids::widen_u64;
use crate::pretokenize::{Joined, Pretokenizer};
use crate::unicode::UNICODE_VERSION;
use crate::vocab::special::{LiteralMatcher, Segment};

/// Raised with every change by which the same pattern would split some text in another way: rules for bytes that are not
/// UTF-8, for text that no match covers, for special tokens.
const RULES_VERSION: u64 = 1;

/// How documents become pretokens.
#[derive(Clone, Debug)]
pub(super) struct Split {
    pretokenizer: Pretokenizer,
    special: LiteralMatcher,
    longest_special: usize,
}

impl Split {
    pub(super) fn new<S: Into<String>>(
        pretokenizer: Pretokenizer,
        special_tokens: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let special = LiteralMatcher::new(special_tokens)?;
        let longest_special = special.literals().iter().map(String::len).max().unwrap_or(0);
        Ok(Self { pretokenizer, special, longest_special })
    }

    pub(super) fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    pub(super) fn special_tokens(&self) -> &[String] {
        self.special.literals()
    }

    /// Calls `visit` with runs of consecutive pretokens of `text`, special tokens left out: the text they lie in, where the
    /// first starts, and where each ends.
    #[inline]
    pub(super) fn runs<B>(
        &self,
        text: &[u8],
        mut visit: impl FnMut(&[u8], usize, &[usize]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.longest_special == 0 {
            return self.pretokenizer.ends(text, |start, ends| visit(text, start, ends));
        }
        for segment in self.special.segments(text) {
            if let Segment::Text(text) = segment {
                self.pretokenizer.ends(text, |start, ends| visit(text, start, ends))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// [`runs`](Self::runs) for several texts at once, which are short.
    pub(super) fn runs_of_texts<B>(
        &self,
        joined: &Joined,
        mut visit: impl FnMut(&[u8], usize, &[usize]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Joined { text, text_ends } = joined;
        let may_have_special = self.longest_special > 0
            && !matches!(self.special.segments(text).next(), Some(Segment::Text(first)) if first.len() == text.len());
        if !may_have_special {
            return self.pretokenizer.ends_of_texts(text, text_ends, |start, ends| visit(text, start, ends));
        }
        let mut start = 0;
        for &end in text_ends {
            self.runs(text.get(start..end).unwrap_or_default(), &mut visit)?;
            start = end;
        }
        ControlFlow::Continue(())
    }

    /// A prefix of `text`, not empty, whose pretokens are known whatever follows `text`; the longest that is proven.
    ///
    /// # Complexity
    ///
    /// One search of `text` for special tokens and one for a safe cut.
    pub(super) fn safe_prefix(&self, text: &[u8]) -> Option<usize> {
        // A special token that starts before this may be part of a longer one only inside `text`. So up to here the
        // special tokens are decided, and none reaches from here beyond the end unseen.
        let decided = match self.longest_special {
            0 => text.len(),
            longest => (text.len() + 1).checked_sub(longest)?,
        };
        let mut start = 0;
        let mut position = 0;
        if self.longest_special > 0 {
            for segment in self.special.segments(text) {
                match segment {
                    Segment::Text(text) => position += text.len(),
                    Segment::Literal(index) if position < decided => {
                        position += self.special.literals().get(index).map_or(0, String::len);
                        start = position;
                    }
                    Segment::Literal(_) => break,
                }
            }
        }
        let stretch = text.get(start..decided).unwrap_or_default();
        let last = (1..stretch.len()).rev().find(|&at| self.pretokenizer.is_safe_cut(stretch, at));
        let cut = start + last.unwrap_or(0);
        (cut > 0).then_some(cut)
    }

    /// All that shapes pretokens, as bytes: the version of the rules, that of Unicode, the regexes, the special tokens.
    ///
    /// The order of special tokens is part of it: their ids follow it.
    pub(super) fn description(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_number(&mut bytes, RULES_VERSION);
        push_text(&mut bytes, UNICODE_VERSION);
        for list in [self.pretokenizer.stages(), self.special_tokens()] {
            push_number(&mut bytes, widen_u64(list.len()));
            list.iter().for_each(|item| push_text(&mut bytes, item));
        }
        bytes
    }

    /// The SHA-256 of the description.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.description()).into()
    }

    /// From a description.
    pub(super) fn read<R: Read>(fields: &mut Fields<'_, R>) -> Result<Self> {
        let at = fields.at;
        let rules = fields.number("the version of the rules")?;
        let unicode = fields.text("the version of Unicode")?;
        if (rules, unicode.as_str()) != (RULES_VERSION, UNICODE_VERSION) {
            let theirs = format!("rules of version {rules} and Unicode {unicode:.20}");
            let message = format!("counted by {theirs}; here they are version {RULES_VERSION} and {UNICODE_VERSION}");
            return Err(fields.blocks.damaged(at, &message));
        }
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            for _ in 0..fields.number("the number of regexes or special tokens")? {
                list.push(fields.text("a regex or special token")?);
            }
        }
        let [stages, special_tokens] = lists;
        let damaged = |error: Error| fields.blocks.damaged(at, &error.to_string());
        let pretokenizer = Pretokenizer::from_stages(&stages).map_err(damaged)?;
        Self::new(pretokenizer, special_tokens).map_err(damaged)
    }

    /// What sets `other` apart, as the end of the sentence "the counts differ in ...".
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let (ours, theirs) = (self.pretokenizer.stages(), other.pretokenizer.stages());
        if ours != theirs {
            return Some(format!("their split pattern: {ours:?} and {theirs:?}"));
        }
        let (ours, theirs) = (self.special_tokens(), other.special_tokens());
        (ours != theirs).then(|| format!("their special tokens: {ours:?} and {theirs:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsplit(special: &[&str]) -> Split {
        Split::new(Pretokenizer::from_stages::<&str>(&[]).unwrap(), special.iter().copied()).unwrap()
    }

    #[test]
    fn a_prefix_ends_after_a_decided_special_token() {
        let split = unsplit(&["<|a|>"]);
        assert_eq!(split.safe_prefix(b"one<|a|>two"), Some(8));
        assert_eq!(split.safe_prefix(b"one<|a|>"), Some(8));
        assert_eq!(split.safe_prefix(b"one<|a|"), None);
        assert_eq!(split.safe_prefix(b"<|"), None);
    }

    #[test]
    fn a_special_token_that_may_go_on_is_not_decided() {
        let split = unsplit(&["<a>", "<a><b>"]);
        assert_eq!(split.safe_prefix(b"x<a>"), None);
        assert_eq!(split.safe_prefix(b"x<a><b"), None);
        assert_eq!(split.safe_prefix(b"x<a><b>"), Some(7));
        assert_eq!(split.safe_prefix(b"x<a>yyy"), Some(4));
    }
}
