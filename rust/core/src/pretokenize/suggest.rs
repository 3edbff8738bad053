//! What to say when a pattern is a word that names no preset.

use super::Pretokenizer;

/// How many names to suggest at most.
const SUGGESTIONS: usize = 3;

/// How much of a long word a message repeats, in bytes.
const MAX_SHOWN: usize = 80;

/// Whether a pattern is a lone word, like the names of presets.
pub(super) fn looks_like_a_name(pattern: &str) -> bool {
    pattern.starts_with(|c: char| c.is_ascii_alphabetic())
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// An error message with the presets whose names are nearest to `name`.
pub(super) fn unknown_preset(name: &str) -> String {
    // The first bytes of a very long word tell as much, and the distance takes quadratic time.
    let start: Vec<u8> = name.bytes().take(64).collect();
    let mut names: Vec<_> =
        Pretokenizer::presets().map(|preset| (distance(&start, preset.as_bytes()), preset)).collect();
    names.sort();
    let nearest: Vec<_> = names.into_iter().take(SUGGESTIONS).map(|(_, preset)| preset).collect();
    // A name is ASCII.
    let shown = name.get(..MAX_SHOWN).map_or_else(|| name.to_owned(), |start| format!("{start}…"));
    format!(
        "{shown:?} is not a preset; the nearest are {}. To split by the word itself, write (?:{shown})",
        nearest.join(", ")
    )
}

/// The Levenshtein distance of two words.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().zip(std::iter::once(None).chain(b.iter().map(Some))) {
            let above = *cell;
            left = match y {
                None => i + 1,
                Some(y) => (diagonal + usize::from(x != y)).min(above + 1).min(left + 1),
            };
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
