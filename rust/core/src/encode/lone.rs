//! The ids of characters of three bytes that stand alone, by code point.
//!
//! Between safe cuts most segments of Chinese or Japanese are one character. It needs no key, no hash and no comparison.

use super::packed::{Packed, Packing};

/// What is known of each character of three bytes.
#[derive(Debug, Default)]
pub(super) struct Lone {
    /// By code point, or none before the first is known: 1 MiB.
    packed: Vec<Packed<16>>,
    packing: Packing,
}

impl Lone {
    pub(super) fn new(packing: Packing) -> Self {
        Self { packed: Vec::new(), packing }
    }

    /// The ids of a character, none where they are not known.
    #[inline(always)]
    pub(super) fn get(&self, character: u16) -> Option<&Packed<16>> {
        self.packed.get(usize::from(character))
    }

    /// What it takes of memory.
    pub(super) fn n_bytes(&self) -> usize {
        size_of_val(self.packed.as_slice())
    }

    /// Remembers the ids of a character, of which there is at least one.
    pub(super) fn insert(&mut self, character: u16, ids: &[u32]) {
        if self.packed.is_empty() {
            self.packed = vec![[0; 16]; 1 << 16];
        }
        // No character of three bytes has more than three.
        if let (Some(slot), Some(packed)) = (self.packed.get_mut(usize::from(character)), self.packing.pack(ids)) {
            *slot = packed;
        }
    }
}

/// The character that bytes start with, where it has three bytes.
#[inline(always)]
pub(super) fn wide_character(bytes: &[u8]) -> Option<u16> {
    split_wide(bytes).map(|(character, _)| character)
}

/// The character that bytes start with, where it has three bytes; and what follows it.
#[inline(always)]
pub(super) fn split_wide(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let &[lead, second, third, ref rest @ ..] = bytes else { return None };
    // One comparison for the fixed bits of all three.
    if u32::from_be_bytes([0, lead & 0xF0, second & 0xC0, third & 0xC0]) != 0xE0_80_80 {
        return None;
    }
    let [lead, second, third] = [lead, second, third].map(u16::from);
    Some((lead << 12 | (second & 0x3F) << 6 | third & 0x3F, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_character_is_told_by_its_bits() {
        for bits in 0..1_u32 << 24 {
            let [lead, second, third, _] = bits.to_le_bytes();
            let is_wide = lead >> 4 == 0b1110 && second >> 6 == 0b10 && third >> 6 == 0b10;
            let character = u16::from(lead & 0xF) << 12 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
            assert_eq!(split_wide(&[lead, second, third, b'x']), is_wide.then_some((character, &b"x"[..])));
        }
        assert_eq!(split_wide(&[0xE4, 0xB8]), None);
        assert_eq!(wide_character("中".as_bytes()), Some(0x4E2D));
    }
}
