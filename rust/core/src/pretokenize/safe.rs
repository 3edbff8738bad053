//! Safe cuts: places where a text can be cut with the same pretokens on either side, whatever else stands there.

use super::Pretokenizer;
use super::Stage;
use super::rules::DEEPSEEK_V3;
use crate::unicode::{Class, class_of};

/// The block of Japanese syllables and their signs, all of which DeepSeek V3 keeps together.
const KANA: std::ops::RangeInclusive<char> = '\u{3040}'..='\u{30FF}';

impl Pretokenizer {
    /// Whether [`is_safe_cut`](Self::is_safe_cut) can say yes: it can for the presets.
    pub fn has_safe_cuts(&self) -> bool {
        matches!(self.0.stages.as_slice(), [Stage::Rules(_)]) || self.preset() == Some(DEEPSEEK_V3)
    }

    /// Whether `text` cut at `at` is proven to have the pretokens of both parts, one after the other.
    ///
    /// The characters beside the cut prove it, so it holds for any text that has them there, and for any beginning of one
    /// that ends with a whole character.
    ///
    /// No preset looks behind, so the part after a cut is split as before wherever a pretoken ends. It is left to show
    /// that one ends there, and that nothing before it is split otherwise when the text ends too. Each run that a rule
    /// follows through the character before the cut ends at the character after it as it would at the end of the text:
    ///
    /// - A letter or number before white space or punctuation. No rule goes on from one to the other, but for marks, which
    ///   are excluded, and for the apostrophe of a contraction: one must stand before something other than a letter.
    /// - Punctuation or a mark before white space that is no line end. Only line ends are the tail of punctuation.
    /// - A line feed after what is no white space, before an ASCII letter or digit. The line feed ends a pretoken: no rule
    ///   lets it begin a word or a number, and neither letter nor digit continues white space or the line ends after
    ///   punctuation. Nor does the pretoken that it ends change when the text stops there: either it is the line feed
    ///   alone, as the run of white space is, or punctuation and line ends, and those rules do not look ahead.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn is_safe_cut(&self, text: &[u8], at: usize) -> bool {
        self.has_safe_cuts() && is_safe_cut(text, at)
    }
}

/// [`Pretokenizer::is_safe_cut`] of any preset.
fn is_safe_cut(text: &[u8], at: usize) -> bool {
    // Most are of this kind.
    if let Some([last, b' ']) = at.checked_sub(1).and_then(|last| text.get(last..=at))
        && last.is_ascii_alphanumeric()
    {
        return true;
    }
    let Some((before, after)) = text.split_at_checked(at) else { return false };
    let (Some(left), Some(right)) = (last_char(before), first_char(after)) else { return false };
    // What follows must be known not to make a contraction of it.
    let is_quote = || {
        let next = after.get(1..).and_then(first_char);
        next.is_some_and(|next| !matches!(class_of(next.into()), Class::Upper | Class::Lower | Class::OtherLetter))
    };
    match (class_of(left.into()), class_of(right.into())) {
        (Class::Upper | Class::Lower | Class::OtherLetter | Class::Number, Class::Other) => {
            if right == '\'' {
                is_quote()
            } else {
                !KANA.contains(&right)
            }
        }
        (Class::Upper | Class::Lower | Class::OtherLetter | Class::Number, class) => class.is_whitespace(),
        (Class::Other | Class::Mark, class) => matches!(class, Class::Space | Class::Whitespace),
        (Class::Newline, _) => {
            let is_line = |c: char| !class_of(c.into()).is_whitespace();
            left == '\n'
                && right.is_ascii_alphanumeric()
                && before.split_last().and_then(|(_, line)| last_char(line)).is_some_and(is_line)
        }
        _ => false,
    }
}

/// The last safe cut up to `at` of a text that a preset splits, if it is not far from there.
pub(super) fn last_safe_cut(text: &str, at: usize) -> Option<usize> {
    (at.saturating_sub(64)..=at).rev().find(|&at| text.is_char_boundary(at) && is_safe_cut(text.as_bytes(), at))
}

/// The character that `bytes` end with, where it is valid.
fn last_char(bytes: &[u8]) -> Option<char> {
    // Four bytes hold it, and what else they hold is of characters before it.
    let end = bytes.get(bytes.len().saturating_sub(4)..)?;
    end.utf8_chunks().last().filter(|chunk| chunk.invalid().is_empty())?.valid().chars().next_back()
}

/// The character that `bytes` begin with, where it is valid and whole.
fn first_char(bytes: &[u8]) -> Option<char> {
    bytes.get(..4).unwrap_or(bytes).utf8_chunks().next()?.valid().chars().next()
}
