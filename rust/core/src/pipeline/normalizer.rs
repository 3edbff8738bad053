//! Normalisers: what changes a text before it is split.

use unicode_normalization_alignments::char::is_combining_mark;
use unicode_normalization_alignments::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

use super::piece::{Edit, Piece};
use crate::error::Result;
use crate::pretokenize::Finder;

/// One change of a text, as `tokenizers` does it.
///
/// Normalisation forms and combining marks are those of Unicode 9, lower case that of Unicode 16: each the version that
/// `tokenizers` has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Normalizer {
    /// Canonical composition.
    Nfc,
    /// Canonical decomposition.
    Nfd,
    /// Compatibility composition.
    Nfkc,
    /// Compatibility decomposition.
    Nfkd,
    /// Each character by itself in lower case.
    Lowercase,
    /// Without combining marks, of any kind.
    StripAccents,
    /// Without controls, and with a space for other white space and some marks without width.
    Nmt,
    /// Without the white space at its ends.
    Strip {
        /// At the beginning.
        left: bool,
        /// At the end.
        right: bool,
    },
    /// With a text before it, unless it is empty.
    Prepend(String),
    /// With `content` in place of each match of `pattern`.
    Replace {
        /// What is replaced.
        pattern: Finder,
        /// What is put there.
        content: String,
    },
}

impl Normalizer {
    /// How many times as long as a text this may make it, at most.
    pub fn growth(&self) -> usize {
        match self {
            // The longest: U+0390, two bytes, becomes six; U+FDFA, three bytes, 33.
            Self::Nfc | Self::Nfd => 3,
            Self::Nfkc | Self::Nfkd => 11,
            // U+0130, two bytes, becomes three.
            Self::Lowercase => 2,
            Self::StripAccents | Self::Nmt | Self::Strip { .. } => 1,
            Self::Prepend(content) => 1 + content.len(),
            Self::Replace { content, .. } => content.len().max(1),
        }
    }

    /// Changes a piece.
    pub(super) fn apply(&self, piece: &mut Piece<'_>) -> Result<()> {
        if self.may_change(piece.text()) {
            *piece = self.applied(piece)?;
        }
        Ok(())
    }

    /// Whether this may change a text; where it is quick to see that it does not, the text is not copied.
    fn may_change(&self, text: &str) -> bool {
        let is = |answer| answer == IsNormalized::Yes;
        match self {
            Self::Nfc => !text.is_ascii() && !is(is_nfc_quick(text.chars())),
            Self::Nfd => !text.is_ascii() && !is(is_nfd_quick(text.chars())),
            Self::Nfkc => !text.is_ascii() && !is(is_nfkc_quick(text.chars())),
            Self::Nfkd => !text.is_ascii() && !is(is_nfkd_quick(text.chars())),
            Self::Lowercase => text.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()),
            Self::StripAccents => !text.is_ascii(),
            Self::Nmt | Self::Strip { .. } | Self::Prepend(_) | Self::Replace { .. } => true,
        }
    }

    fn applied(&self, piece: &Piece<'_>) -> Result<Piece<'static>> {
        let text = piece.text();
        match self {
            Self::Nfc => piece.edited(0, text.chars().nfc()),
            Self::Nfd => piece.edited(0, text.chars().nfd()),
            Self::Nfkc => piece.edited(0, text.chars().nfkc()),
            Self::Nfkd => piece.edited(0, text.chars().nfkd()),
            Self::Lowercase => piece.edited(0, text.chars().flat_map(lowercase)),
            Self::StripAccents => kept(piece, |character| !is_combining_mark(character)),
            Self::Nmt => {
                let piece = kept(piece, |character| !is_nmt_control(character))?;
                piece.edited(0, piece.text().chars().map(|character| (nmt_space(character), 0)))
            }
            Self::Strip { left, right } => {
                let from = if *left { text.trim_start() } else { text };
                let stripped = if *right { from.trim_end() } else { from };
                let skipped = text.chars().count() - from.chars().count();
                piece.edited(skipped, stripped.chars().map(|character| (character, 0)))
            }
            Self::Prepend(content) => piece.prefixed(content),
            Self::Replace { pattern, content } => piece.replaced(pattern, content),
        }
    }
}

fn lowercase(character: char) -> impl Iterator<Item = Edit> {
    character.to_lowercase().enumerate().map(|(index, lower)| (lower, isize::from(index > 0)))
}

/// A piece without the characters that are not to be kept.
fn kept(piece: &Piece<'_>, keep: impl Fn(char) -> bool) -> Result<Piece<'static>> {
    let skipped = piece.text().chars().take_while(|&character| !keep(character)).count();
    let mut rest = piece.text().chars().skip(skipped).peekable();
    let edits = std::iter::from_fn(|| {
        let character = rest.next()?;
        let mut change = 0;
        while rest.next_if(|&next| !keep(next)).is_some() {
            change -= 1;
        }
        Some((character, change))
    });
    piece.edited(skipped, edits)
}

fn is_nmt_control(character: char) -> bool {
    matches!(character, '\u{1}'..='\u{8}' | '\u{B}' | '\u{E}'..='\u{1F}' | '\u{7F}' | '\u{8F}' | '\u{9F}')
}

fn nmt_space(character: char) -> char {
    match character {
        '\t' | '\n' | '\u{C}' | '\r' | '\u{1680}' | '\u{200B}'..='\u{200F}' => ' ',
        '\u{2028}' | '\u{2029}' | '\u{2581}' | '\u{FEFF}' | '\u{FFFD}' => ' ',
        other => other,
    }
}
