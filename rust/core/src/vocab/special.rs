//! Special tokens in a text: leftmost first, the longest of those that start there.

use aho_corasick::{AhoCorasick, MatchKind};

use super::shown;
use crate::definition::MAX_TOKEN_BYTES;
use crate::error::{Error, Result};

/// Finds any of a set of literal texts, leftmost-longest, in one pass.
#[derive(Clone, Debug)]
pub struct LiteralMatcher {
    automaton: AhoCorasick,
    literals: Vec<String>,
}

/// A stretch of text, or the literal that ends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment<'t> {
    /// Text without any of the literals; never empty.
    Text(&'t [u8]),
    /// The literal with this index in the list the matcher was built from.
    Literal(usize),
}

impl LiteralMatcher {
    /// Prepares to find `literals`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpecialToken`](crate::ErrorKind::SpecialToken) where one is empty, longer than
    /// [`MAX_TOKEN_BYTES`] or there twice.
    pub fn new<S: Into<String>>(literals: impl IntoIterator<Item = S>) -> Result<Self> {
        let literals: Vec<String> = literals.into_iter().map(Into::into).collect();
        let mut sorted: Vec<&str> = literals.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if sorted.first().is_some_and(|first| first.is_empty()) {
            return Err(Error::special_token("", None, "a special token is empty; it would match everywhere"));
        }
        if let Some(&[twice, _]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::special_token(
                twice,
                None,
                format!("special token {} is given twice", shown::text(twice)),
            ));
        }
        if let Some(long) = literals.iter().find(|literal| literal.len() > MAX_TOKEN_BYTES) {
            let (shown, n_bytes) = (shown::text(long), long.len());
            let message = format!("special token {shown} has {n_bytes} bytes; the most is {MAX_TOKEN_BYTES}");
            return Err(Error::special_token(long, None, message));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&literals)
            .map_err(|error| Error::special_token("", None, format!("the special tokens are too large: {error}")))?;
        Ok(Self { automaton, literals })
    }

    /// The literals, in the order given.
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// The first literal in `text`: its index and its byte offset.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes.
    pub fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        self.automaton.find(text).map(|found| (found.pattern().as_usize(), found.start()))
    }

    /// The literals in `text`, leftmost first and the longest of those that start there: index, start and end.
    pub(crate) fn matches<'m>(&'m self, text: &'m str) -> impl Iterator<Item = (usize, usize, usize)> + 'm {
        self.automaton.find_iter(text).map(|found| (found.pattern().as_usize(), found.start(), found.end()))
    }

    /// Cuts `text` at the literals. The segments joined, literals included, are `text`.
    ///
    /// # Complexity
    ///
    /// O(n · l) for n bytes and a longest literal of l bytes, for the whole iteration: what a match gives back to the text
    /// after it is read again. O(n) unless a literal is found inside the beginning of a longer one that is not there.
    pub fn segments<'m, 't>(&'m self, text: &'t [u8]) -> Segments<'m, 't> {
        Segments { matches: self.automaton.find_iter(text), text, position: 0, pending: None }
    }
}

/// The segments of one text, from [`LiteralMatcher::segments`].
pub struct Segments<'m, 't> {
    matches: aho_corasick::FindIter<'m, 't>,
    text: &'t [u8],
    position: usize,
    pending: Option<usize>,
}

impl<'t> Iterator for Segments<'_, 't> {
    type Item = Segment<'t>;

    fn next(&mut self) -> Option<Segment<'t>> {
        if let Some(literal) = self.pending.take() {
            return Some(Segment::Literal(literal));
        }
        let (start, end, literal) = match self.matches.next() {
            Some(found) => (found.start(), found.end(), Some(found.pattern().as_usize())),
            None => (self.text.len(), self.text.len(), None),
        };
        let before = self.text.get(self.position..start).unwrap_or_default();
        self.position = end;
        if before.is_empty() {
            return literal.map(Segment::Literal);
        }
        self.pending = literal;
        Some(Segment::Text(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments<'t>(literals: &[&str], text: &'t str) -> Vec<Segment<'t>> {
        LiteralMatcher::new(literals.iter().copied()).unwrap().segments(text.as_bytes()).collect()
    }

    #[test]
    fn the_longest_literal_wins_whatever_the_order() {
        let expected = [Segment::Text(b"x"), Segment::Literal(1), Segment::Literal(0), Segment::Text(b"y")];
        assert_eq!(segments(&["<a>", "<a><b>"], "x<a><b><a>y"), expected);
    }

    #[test]
    fn texts_without_literals_are_one_segment_and_empty_ones_none() {
        assert_eq!(segments(&["<a>"], "plain"), [Segment::Text(b"plain")]);
        assert_eq!(segments(&["<a>"], ""), []);
        assert_eq!(segments(&[], "plain"), [Segment::Text(b"plain")]);
    }

    #[test]
    fn empty_long_and_double_literals_are_refused() {
        assert!(LiteralMatcher::new([""]).unwrap_err().to_string().contains("empty"));
        let long = "é".repeat(MAX_TOKEN_BYTES / 2);
        assert!(LiteralMatcher::new([long.clone()]).is_ok());
        let error = LiteralMatcher::new([long + "x"]).unwrap_err().to_string();
        assert!(error.contains("has 65537 bytes; the most is 65536") && error.len() < 300, "{error}");
        assert!(LiteralMatcher::new(["a", "b", "a"]).unwrap_err().to_string().contains("twice"));
    }
}
