//! GPT-2's byte alphabet: each byte as one printable character, so that tokens can be JSON strings.
//!
//! The 188 bytes that are printable in Latin-1, from `!` to `ÿ`, stand for themselves. The other 68, in order, are the
//! characters from U+0100 on: a space is `Ġ` (U+0120).

/// The first of the characters that stand for a byte without a printable character of its own.
const SHIFTED: u32 = 0x100;

/// The character that stands for `byte`.
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::byte_alphabet::char_of;
///
/// assert_eq!(char_of(b'a'), 'a');
/// assert_eq!(char_of(b' '), 'Ġ');
/// ```
pub fn char_of(byte: u8) -> char {
    // The unprintable bytes are three runs; each arm adds how many there are before its own.
    let shift = match byte {
        0..=32 => byte,
        127..=160 => byte - 127 + 33,
        173 => 33 + 34,
        _ => return char::from(byte),
    };
    // Never replaced: all of U+0100..=U+0143 are characters.
    char::from_u32(SHIFTED + u32::from(shift)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that `character` stands for, if it is in the alphabet.
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::byte_alphabet::byte_of;
///
/// assert_eq!(byte_of('Ġ'), Some(b' '));
/// assert_eq!(byte_of(' '), None);
/// ```
pub fn byte_of(character: char) -> Option<u8> {
    let byte = match u32::from(character) {
        code @ (33..=126 | 161..=172 | 174..=255) => code,
        code @ 0x100..=0x120 => code - SHIFTED,
        code @ 0x121..=0x142 => code - SHIFTED - 33 + 127,
        0x143 => 173,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// A token's bytes as a string of the alphabet.
///
/// # Complexity
///
/// O(`bytes.len()`).
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::byte_alphabet::encode;
///
/// assert_eq!(encode("né".as_bytes()), "nÃ©");
/// ```
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char_of(byte)).collect()
}

/// The bytes that a string of the alphabet stands for.
///
/// # Errors
///
/// The first character that is not in the alphabet.
///
/// # Complexity
///
/// O(`text.len()`).
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::byte_alphabet::decode;
///
/// assert_eq!(decode("Ġhi"), Ok(b" hi".to_vec()));
/// assert_eq!(decode("<｜fim｜>"), Err('｜'));
/// ```
pub fn decode(text: &str) -> Result<Vec<u8>, char> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(byte_of(character).ok_or(character)?);
    }
    Ok(bytes)
}

/// Whether a literal text would be read as a token of other bytes: it is in the alphabet, but not plain ASCII.
///
/// Files hold literals and tokens in one table, so a reader cannot tell the literal `é` from the byte 0xE9.
pub(super) fn is_ambiguous(literal: &str) -> bool {
    !literal.is_ascii() && literal.chars().all(|character| byte_of(character).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_bijection_onto_printable_characters() {
        let mut characters: Vec<char> = (0..=u8::MAX).map(char_of).collect();
        for (byte, &character) in (0..=u8::MAX).zip(&characters) {
            assert_eq!(byte_of(character), Some(byte));
            assert!(!character.is_whitespace() && !character.is_control(), "{byte}");
        }
        characters.sort_unstable();
        characters.dedup();
        assert_eq!(characters.len(), 256);
        assert_eq!((0..=0x10FFFF).filter_map(char::from_u32).filter_map(byte_of).count(), 256);
    }

    #[test]
    fn the_shifted_bytes_are_numbered_in_order() {
        let shifted: String = (0..=u8::MAX).map(char_of).filter(|&character| u32::from(character) >= SHIFTED).collect();
        let expected: String = (0x100..0x144).filter_map(char::from_u32).collect();
        assert_eq!(shifted, expected);
        assert_eq!([0, b'\n', 0x7F, 0xAD].map(char_of), ['Ā', 'Ċ', 'ġ', 'Ń']);
    }

    #[test]
    fn only_literals_of_the_alphabet_beyond_ascii_are_ambiguous() {
        assert!(is_ambiguous("é") && is_ambiguous("Ġx"));
        assert!(!is_ambiguous("<|endoftext|>") && !is_ambiguous("é ") && !is_ambiguous("▁"));
    }
}
