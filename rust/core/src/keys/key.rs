//! The bytes of a pretoken in a few words.
//!
//! Up to 15 bytes make a key of two words, up to 31 one of four; the length lies in the last byte, so equal keys are equal
//! pretokens and a hit is exact.

use crate::ids::widen_u64;

/// The bytes of a pretoken and their number, which is the last byte.
pub(crate) type Key<const W: usize> = [u64; W];

/// The longest pretoken that a key of two words holds.
pub(crate) const MAX_SHORT: usize = 15;

/// The longest pretoken that a key of four words holds.
pub(crate) const MAX_MEDIUM: usize = 31;

/// The bit of the last word of a key that tells a segment from a whole pretoken, if it is not too long for one.
pub(crate) const SEGMENT: u64 = 1 << 63;

/// A word of the key of an empty slot: that of the empty pretoken, which has no ids either.
pub(crate) const EMPTY: u64 = 0;

/// The last word of the key that stands for all pretokens that are too long. No slot has it. Its last byte is no length, neither
/// signed nor unsigned.
pub(super) const TOO_LONG: u64 = 0xBF << 56;

// It has a bit that no length of a key has, nor what else the last byte tells.
const _: () = assert!(TOO_LONG >> 56 & !0xC0 > widen_u64(MAX_MEDIUM));

/// Whether a key is that of all pretokens that are too long.
#[inline(always)]
pub(crate) fn is_too_long(key: &Key<2>) -> bool {
    key[1] == TOO_LONG
}

/// By length: what to keep of 16 bytes, and the length as the last of them. Of more than 15 bytes nothing is kept.
static SHORT_PARTS: [[u64; 4]; 17] = {
    let mut parts = [[0; 4]; 17];
    parts[MAX_SHORT + 1][3] = TOO_LONG;
    let mut length = 1;
    while length <= MAX_SHORT {
        parts[length] = [low_bytes(length), low_bytes(length.saturating_sub(8)), 0, widen_u64(length) << 56];
        length += 1;
    }
    parts
};

/// A mask of the lowest `n` bytes of a word.
const fn low_bytes(n: usize) -> u64 {
    if n < 8 { (1 << (8 * n)) - 1 } else { !0 }
}

/// What is looked for: a pretoken of a text, or a segment, which is a part of one between safe cuts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pretoken<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether the same bytes may have other ids as a whole pretoken.
    pub(crate) is_segment: bool,
}

impl<'t> Pretoken<'t> {
    /// A text that is one pretoken.
    pub(crate) fn whole(text: &'t [u8]) -> Self {
        Self { text, start: 0, end: text.len(), is_segment: false }
    }

    pub(crate) fn bytes(self) -> &'t [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Its key of any number of words.
    #[inline]
    pub(crate) fn key<const W: usize>(self) -> Key<W> {
        let mut key = [EMPTY; W];
        let length = self.end - self.start;
        if length >= 8 * W {
            key[W - 1] = TOO_LONG;
            return key;
        }
        let mut padded = [[0; 8]; W];
        let rest = self.text.get(self.start..).unwrap_or_default();
        let words = match rest.as_chunks::<8>().0.first_chunk::<W>() {
            Some(words) => words,
            None => {
                padded.as_flattened_mut().iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
                &padded
            }
        };
        for (index, (word, bytes)) in key.iter_mut().zip(words).enumerate() {
            *word = u64::from_le_bytes(*bytes) & low_bytes(length.saturating_sub(8 * index));
        }
        key[W - 1] |= widen_u64(length) << 56 | u64::from(self.is_segment) << 63;
        key
    }
}

/// The key of the first `length` bytes of some.
#[inline(always)]
pub(crate) fn short_key(window: &[u8; 16], length: usize) -> Key<2> {
    let [kept_low, kept_high, _, length] = SHORT_PARTS[length.min(MAX_SHORT + 1)];
    let [low, high] = window.as_chunks::<8>().0 else { return [EMPTY; 2] };
    [u64::from_le_bytes(*low) & kept_low, u64::from_le_bytes(*high) & kept_high | length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_bytes_and_their_number() {
        let text: Vec<u8> = (1..=60).collect();
        for length in 1..=40 {
            let mut padded = [0; 32];
            let size = if length <= MAX_SHORT { 16 } else { 32 };
            if length <= MAX_MEDIUM {
                padded[..length].copy_from_slice(&text[3..3 + length]);
                padded[size - 1] = u8::try_from(length).unwrap();
            }
            let expected: Vec<u64> =
                padded[..size].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
            for text in [&text[..], &text[..3 + length]] {
                let pretoken = Pretoken { text, start: 3, end: 3 + length, is_segment: false };
                let short = if length <= MAX_SHORT { [expected[0], expected[1]] } else { [0, TOO_LONG] };
                assert_eq!(pretoken.key(), short);
                if let Some(window) = text[3..].first_chunk() {
                    assert_eq!(short_key(window, length), short);
                }
                let segment = Pretoken { is_segment: true, ..pretoken };
                if length > MAX_SHORT {
                    let medium = if length <= MAX_MEDIUM { &expected[..] } else { &[0, 0, 0, TOO_LONG] };
                    assert_eq!(pretoken.key::<4>()[..], *medium);
                    assert_eq!(segment.key() == pretoken.key::<4>(), length > MAX_MEDIUM);
                } else {
                    assert_eq!(segment.key(), [short[0], short[1] | SEGMENT]);
                }
            }
        }
    }
}
