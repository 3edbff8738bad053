//! Ids to bytes as they come, each character whole.

use super::decode;
use crate::error::Result;
use crate::vocab::Vocabulary;

/// Decodes ids a few at a time, and holds back the bytes of a character that is not yet whole: three at most.
///
/// The bytes given out, joined, are those of all ids, and decoding each part by itself gives the text of the whole, whatever
/// is done with ill-formed sequences. No part ends inside one: neither where it may become a character, nor in the
/// first two bytes of a surrogate, which some decoders take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DecodeStream {
    held: [u8; 3],
    n_held: usize,
}

impl DecodeStream {
    /// Appends to `out` what `ids` make whole. On an error neither changes.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    ///
    /// # Complexity
    ///
    /// O(ids + bytes).
    pub fn push(&mut self, vocabulary: &Vocabulary, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(self.held());
        if let Err(error) = decode(vocabulary, ids, out) {
            out.truncate(start);
            return Err(error);
        }
        let n_held = unfinished(out.get(start..).unwrap_or_default());
        let held = out.split_off(out.len() - n_held);
        self.n_held = n_held;
        for (slot, byte) in self.held.iter_mut().zip(held) {
            *slot = byte;
        }
        Ok(())
    }

    /// Appends to `out` what is held back, and starts anew.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.held());
        *self = Self::default();
    }

    fn held(&self) -> &[u8] {
        self.held.get(..self.n_held).unwrap_or_default()
    }
}

/// How many bytes at the end of `bytes` may be the beginning of a character or a surrogate.
fn unfinished(bytes: &[u8]) -> usize {
    let is_unfinished = |n: &usize| {
        let end = bytes.len().checked_sub(*n).and_then(|start| bytes.get(start..)).unwrap_or_default();
        let is_character =
            std::str::from_utf8(end).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
        is_character || matches!(end, [0xED, 0xA0..=0xBF])
    };
    (1..=3).rev().find(is_unfinished).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_still_become_a_character_is_held_back() {
        let cases: [(&[u8], usize); 13] = [
            (b"", 0),
            (b"a", 0),
            ("é中🦀".as_bytes(), 0),
            (b"\xC3", 1),
            (b"a\xE4\xB8", 2),
            (b"\xF0\x9F\xA6", 3),
            (b"\xF0\x9F", 2),
            (b"\x80", 0),
            (b"\xE4\x80\x80\x80", 0),
            (b"\xE0\x80", 0),
            (b"\xF4\x90", 0),
            (b"\xED\xA0", 2),
            (b"\xED\xA0\x80", 0),
        ];
        for (bytes, n) in cases {
            assert_eq!(unfinished(bytes), n, "{bytes:?}");
        }
    }
}
