//! Splits that drop or join parts of a text, and spaces put before pieces.

use std::ops::{ControlFlow, Range};
use std::sync::LazyLock;

use super::piece::Piece;
use crate::error::Result;
use crate::pretokenize::Finder;

/// One step that cuts or changes pieces before the split.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Puts a space before each piece that does not begin with one.
    PrefixSpace,
    /// Cuts pieces.
    Split {
        /// Where.
        splitter: Splitter,
        /// What becomes of the parts that it matches.
        behavior: Behavior,
        /// Whether what it matches and what is between are exchanged.
        invert: bool,
    },
}

/// What a [`Step::Split`] matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Splitter {
    /// The matches of a regex.
    Regex(Finder),
    /// Each punctuation character: ASCII's, symbols included, and those of Unicode 8.
    Punctuation,
    /// Each run of word characters, and each of other characters that are not white space.
    Words,
    /// Each white space character.
    Whitespace,
}

/// What becomes of the parts of a text that a split matches; what is between matches is always a piece.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Behavior {
    /// Each is a piece.
    Isolated,
    /// They go.
    Removed,
    /// Each ends the piece before it, unless another match does.
    MergedWithPrevious,
    /// Each begins the piece after it, unless another match does.
    MergedWithNext,
    /// Neighbours are one piece.
    Contiguous,
}

impl Behavior {
    /// All of them, by the name that files give them.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("Isolated", Self::Isolated),
        ("Removed", Self::Removed),
        ("MergedWithPrevious", Self::MergedWithPrevious),
        ("MergedWithNext", Self::MergedWithNext),
        ("Contiguous", Self::Contiguous),
    ];
}

/// A regex of ours, compiled when first needed; none fails to compile.
static PUNCTUATION: LazyLock<Option<Finder>> = LazyLock::new(|| Finder::new(PUNCTUATION_REGEX).ok());
static WORDS: LazyLock<Option<Finder>> = LazyLock::new(|| Finder::new(r"\w+|[^\w\s]+").ok());
static WHITESPACE: LazyLock<Option<Finder>> = LazyLock::new(|| Finder::new(r"\s").ok());

/// The two by name are no punctuation any more.
const PUNCTUATION_REGEX: &str = r"[[:punct:][\p{P}&&\p{Age:8.0}]\x{166D}\x{111C9}]";

impl Splitter {
    fn finder(&self) -> Option<&Finder> {
        match self {
            Self::Regex(finder) => Some(finder),
            Self::Punctuation => PUNCTUATION.as_ref(),
            Self::Words => WORDS.as_ref(),
            Self::Whitespace => WHITESPACE.as_ref(),
        }
    }
}

/// Runs steps one after the other. Behind `dyn`, as each holds the next.
pub(super) fn run<B>(
    steps: &[Step],
    piece: &Piece<'_>,
    visit: &mut dyn FnMut(&Piece<'_>) -> Result<ControlFlow<B>>,
) -> Result<ControlFlow<B>> {
    let Some((step, rest)) = steps.split_first() else { return visit(piece) };
    match step {
        Step::PrefixSpace if !piece.text().starts_with(' ') => run(rest, &piece.prefixed(" ")?, visit),
        Step::PrefixSpace => run(rest, piece, visit),
        Step::Split { splitter, behavior, invert } => {
            let Some(finder) = splitter.finder() else { return Ok(ControlFlow::Continue(())) };
            let mut join = Join { behavior: *behavior, pending: None };
            let mut emit = |range: Range<usize>| match run(rest, &piece.slice(range), visit) {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                other => ControlFlow::Break(other),
            };
            let mut at = 0;
            let mut flow = finder.parts(piece.text(), |part, is_match| {
                let range = at..at + part.len();
                at = range.end;
                join.next(range, is_match != *invert).map_or(ControlFlow::Continue(()), &mut emit)
            });
            if flow.is_continue() {
                flow = join.pending.map_or(ControlFlow::Continue(()), |(range, _)| emit(range));
            }
            flow.break_value().unwrap_or(Ok(ControlFlow::Continue(())))
        }
    }
}

/// Joins parts to pieces, and gives each when it is known to be whole.
struct Join {
    behavior: Behavior,
    /// The piece so far, and whether the last part of it is a match.
    pending: Option<(Range<usize>, bool)>,
}

impl Join {
    /// Takes the next part, and gives the piece that it ends, if there is one.
    fn next(&mut self, part: Range<usize>, is_match: bool) -> Option<Range<usize>> {
        let joins = |after_match: bool| match self.behavior {
            Behavior::Isolated | Behavior::Removed => false,
            Behavior::MergedWithPrevious => is_match && !after_match,
            Behavior::MergedWithNext => !is_match && after_match,
            Behavior::Contiguous => is_match == after_match,
        };
        match &mut self.pending {
            Some((piece, after_match)) if joins(*after_match) => {
                piece.end = part.end;
                *after_match = is_match;
                None
            }
            _ if self.behavior == Behavior::Removed && is_match => self.pending.take().map(|(piece, _)| piece),
            _ => self.pending.replace((part, is_match)).map(|(piece, _)| piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(behavior: Behavior, invert: bool, text: &str) -> Vec<String> {
        let splitter = Splitter::Regex(Finder::new("-").unwrap());
        let steps = [Step::Split { splitter, behavior, invert }];
        let mut pieces = Vec::new();
        let flow = run(&steps, &Piece::new(text), &mut |piece| {
            pieces.push(piece.text().to_owned());
            Ok(ControlFlow::<()>::Continue(()))
        });
        assert!(flow.unwrap().is_continue());
        pieces
    }

    #[test]
    fn every_behavior() {
        let text = "-the-final--countdown-";
        let cases: [(Behavior, bool, &[&str]); 7] = [
            (Behavior::Isolated, false, &["-", "the", "-", "final", "-", "-", "countdown", "-"]),
            (Behavior::Removed, false, &["the", "final", "countdown"]),
            (Behavior::Removed, true, &["-", "-", "-", "-", "-"]),
            (Behavior::MergedWithPrevious, false, &["-", "the-", "final-", "-", "countdown-"]),
            (Behavior::MergedWithNext, false, &["-the", "-final", "-", "-countdown", "-"]),
            (Behavior::Contiguous, false, &["-", "the", "-", "final", "--", "countdown", "-"]),
            (Behavior::MergedWithNext, true, &["-", "the-", "final-", "-", "countdown-"]),
        ];
        for (behavior, invert, expected) in cases {
            assert_eq!(pieces(behavior, invert, text), expected, "{behavior:?} {invert}");
        }
    }
}
