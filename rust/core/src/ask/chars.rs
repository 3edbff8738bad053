//! Characters in bytes that need not be UTF-8.
//!
//! A character is a valid one, or else a maximal ill-formed sequence, for which decoding puts one U+FFFD: the characters of
//! some bytes are those of their text as [`String::from_utf8_lossy`] and Python's `errors="replace"` give it.

use std::ops::Range;

/// How many characters `bytes` have.
///
/// # Complexity
///
/// O(n) for n bytes.
pub fn count(bytes: &[u8]) -> usize {
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return n_leads(bytes);
    }
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty())).sum()
}

/// The character that holds the byte at `at`, or the empty end of `bytes`.
///
/// # Complexity
///
/// O(1).
pub fn around(bytes: &[u8], at: usize) -> Range<usize> {
    let Some(before) = bytes.get(..=at) else { return bytes.len()..bytes.len() };
    // Only a byte that continues none begins a character for sure; of a character of four bytes the last lies three after.
    let lead = before.iter().rev().take(4).position(|&byte| !is_continuation(byte)).map(|back| at - back);
    let first = lead.map(|lead| lead..lead + first_length(bytes.get(lead..).unwrap_or_default()));
    // Else it continues nothing: it is ill-formed by itself.
    first.filter(|first| first.contains(&at)).unwrap_or(at..at + 1)
}

/// Where the last `n` characters of `bytes` begin, if there are so many. `bytes` begin with a whole character.
///
/// # Complexity
///
/// O(n) for n bytes.
pub fn last(bytes: &[u8], n: usize) -> Option<usize> {
    let skipped = count(bytes).checked_sub(n)?;
    let mut at = 0;
    for _ in 0..skipped {
        at += first_length(bytes.get(at..)?);
    }
    Some(at)
}

/// Turns byte offsets, in ascending order, into the numbers of the characters that hold them.
///
/// # Complexity
///
/// O(n + m) for n bytes and m offsets.
pub fn number(bytes: &[u8], offsets: &mut [usize]) {
    // Of valid text nothing but the first bytes of characters need be looked at, and most text is valid.
    let count = if simdutf8::basic::from_utf8(bytes).is_ok() { n_leads } else { count };
    let (mut position, mut n_chars) = (0, 0);
    for offset in offsets {
        let is_start = bytes.get(*offset).is_none_or(u8::is_ascii);
        let start = if is_start { (*offset).min(bytes.len()) } else { around(bytes, *offset).start };
        n_chars += count(bytes.get(position..start).unwrap_or_default());
        position = start;
        *offset = n_chars;
    }
}

/// How many bytes begin a character of valid text.
fn n_leads(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| !is_continuation(byte)).count()
}

/// Whether a byte continues a character, or would if one stood before it.
pub(super) fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The length of the character that non-empty `bytes` begin with.
fn first_length(bytes: &[u8]) -> usize {
    let chunk = bytes.get(..4).unwrap_or(bytes).utf8_chunks().next();
    chunk.map_or(0, |chunk| chunk.valid().chars().next().map_or(chunk.invalid().len(), char::len_utf8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The characters, by the standard library's account of what is ill-formed.
    fn plain(bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            let lengths = chunk.valid().chars().map(char::len_utf8);
            let invalid = Some(chunk.invalid().len()).filter(|&length| length > 0);
            for length in lengths.chain(invalid) {
                found.push(at..at + length);
                at += length;
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn characters_are_those_of_the_replaced_text(
            parts in prop::collection::vec(
                prop_oneof![
                    any::<char>().prop_map(|c| c.to_string().into_bytes()),
                    prop::sample::select(vec![
                        vec![0x80], vec![0xC0], vec![0xE4, 0xB8], vec![0xED, 0xA0, 0x80], vec![0xF0, 0x9F], vec![0xF4, 0x90],
                        vec![0xFF], vec![0xE0, 0x80], b"a".to_vec(),
                    ]),
                ],
                0..12,
            )
        ) {
            let bytes = parts.concat();
            let chars = plain(&bytes);
            prop_assert_eq!(count(&bytes), chars.len());
            prop_assert_eq!(String::from_utf8_lossy(&bytes).chars().count(), chars.len());
            for range in &chars {
                for at in range.clone() {
                    prop_assert_eq!(&around(&bytes, at), range);
                }
            }
            prop_assert_eq!(around(&bytes, bytes.len()), bytes.len()..bytes.len());
            for n in 0..=chars.len() {
                let start = chars.get(chars.len() - n).map_or(bytes.len(), |range| range.start);
                prop_assert_eq!(last(&bytes, n), Some(start));
            }
            prop_assert_eq!(last(&bytes, chars.len() + 1), None);
            let mut offsets: Vec<usize> = (0..=bytes.len()).collect();
            number(&bytes, &mut offsets);
            let expected = (0..=bytes.len()).map(|at| chars.iter().filter(|range| range.end <= at).count());
            prop_assert_eq!(offsets, expected.collect::<Vec<usize>>());
        }
    }
}
