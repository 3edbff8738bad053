//! Splits by any regex that can be matched in linear time.

use std::ops::ControlFlow;

use super::search::{Matcher, Search};
use super::syntax::Parsed;
use crate::error::Result;

/// A split regex, compiled.
pub(super) struct Pattern(Matcher);

impl Pattern {
    /// Compiles a regex.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Pattern`](crate::ErrorKind::Pattern) if it is malformed, if its automaton is too large, or if it needs
    /// look-around, back-references or possessive repetition other than what [`Parsed`] rewrites.
    pub(super) fn new(regex: &str) -> Result<Self> {
        Ok(Self(Matcher::new(&Parsed::new(regex)?.parts()?)?))
    }

    /// Calls `visit` with each match and with each maximal stretch that no match covers, in order, and with whether it is a
    /// match.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes; the factor depends on the pattern, not on the text.
    pub(super) fn split<'t, B>(
        &self,
        text: &'t str,
        visit: &mut (impl FnMut(&'t str, bool) -> ControlFlow<B> + ?Sized),
    ) -> ControlFlow<B> {
        let mut search = Search::new(&self.0, text);
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
