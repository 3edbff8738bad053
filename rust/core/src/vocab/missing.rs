//! The single bytes that are no tokens, and where a text holds one.
//!
//! Published vocabularies were often trained without all 256 bytes at hand. Merging starts from single bytes, so a text
//! that holds a byte without a token has no encoding; whoever drops the byte in silence loses what the text said.

use crate::error::{Error, Result};
use crate::ids::TokenId;

/// A set of bytes, most often empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingBytes {
    /// One bit for each byte.
    words: [u64; 4],
}

impl MissingBytes {
    const ALL: Self = Self { words: [u64::MAX; 4] };

    /// No byte is missing.
    pub(super) const NONE: Self = Self { words: [0; 4] };

    /// Those bytes that are none of `tokens` alone.
    pub fn of<'t>(tokens: impl IntoIterator<Item = &'t [u8]>) -> Self {
        let mut missing = Self::ALL;
        for token in tokens {
            if let &[byte] = token {
                missing.words[usize::from(byte >> 6)] &= !(1 << (byte & 63));
            }
        }
        missing
    }

    /// Whether every byte is a token.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.words == [0; 4]
    }

    /// Whether `byte` is no token.
    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        self.words[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// The bytes in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|&byte| self.contains(byte))
    }

    /// Where `text` first holds a byte that is no token.
    ///
    /// # Complexity
    ///
    /// O(1) where every byte is a token, else O(n) for n bytes.
    #[inline]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        if self.is_empty() { None } else { text.iter().position(|&byte| self.contains(byte)) }
    }

    /// Refuses a text that holds a byte without a token; `start` is the byte offset of `text` in the whole.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingByte`](crate::ErrorKind::MissingByte) with the first such byte and its byte offset.
    ///
    /// # Complexity
    ///
    /// As [`find`](Self::find).
    #[inline]
    pub fn check(&self, text: &[u8], start: usize) -> Result<()> {
        match self.find(text).and_then(|index| text.get(index).map(|&byte| (byte, start + index))) {
            Some((byte, offset)) => Err(Error::missing_byte(byte, offset, self.iter().count())),
            None => Ok(()),
        }
    }
}

/// Refuses tokens that lack a single byte: for those who make a vocabulary, and did not mean to.
///
/// # Errors
///
/// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary) naming the first byte that is missing.
pub fn require_every_byte(tokens: &[(TokenId, Vec<u8>)]) -> Result<()> {
    match MissingBytes::of(tokens.iter().map(|(_, bytes)| bytes.as_slice())).iter().next() {
        Some(byte) => Err(Error::vocabulary(message(byte))),
        None => Ok(()),
    }
}

/// What to say of a byte that must be a token.
pub(crate) fn message(byte: u8) -> String {
    format!("the single byte 0x{byte:02X} is not a token; every byte must be one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_missing_byte_is_found_and_named() {
        let some = MissingBytes::of([&b"a"[..], b"b", b"cd", b""]);
        assert!(!some.is_empty() && some.contains(b'c') && !some.contains(b'a'));
        assert_eq!(
            (some.iter().count(), some.find(b"abca"), some.find(b"ab"), some.find(b"")),
            (254, Some(2), None, None)
        );
        let error = some.check(b"ab\xFF", 10).unwrap_err().to_string();
        assert!(error.starts_with("the byte 0xFF at byte offset 12 is no token"), "{error}");
        let bytes: Vec<[u8; 1]> = (0..=u8::MAX).map(|byte| [byte]).collect();
        let none = MissingBytes::of(bytes.iter().map(|byte| &byte[..]));
        assert!(none.is_empty() && none.find(&[0, 127, 255]).is_none());
    }
}
