//! The masks of a block in plain Rust, eight bytes at a time: what the other tiers must agree with.

use std::ops::ControlFlow;

use super::{Bytes, HighBytes, masked, wide_kind};
use crate::pretokenize::blocks::{self, Block};
use crate::pretokenize::rules::Rules;
use crate::pretokenize::scan::letter_length;
use crate::pretokenize::walk;

/// The answers for one byte, a bit each, in the order of the first fields of [`Bytes`].
static ANSWERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte = 0_u8;
    while index < table.len() {
        let answers = [
            byte.is_ascii_alphabetic(),
            byte.is_ascii_uppercase(),
            byte.is_ascii_digit(),
            matches!(byte, b' ' | 0x09..=0x0D),
            matches!(byte, b'\n' | b'\r'),
            byte == b' ',
            byte == b'\'',
            byte == b'/',
        ];
        let mut bit = 0;
        while bit < answers.len() {
            if answers[bit] {
                table[index] |= 1 << bit;
            }
            bit += 1;
        }
        index += 1;
        byte = byte.wrapping_add(1);
    }
    table
};

/// The same of [`HighBytes`], and what tells Arabic letters.
static HIGH_ANSWERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte = 0_u8;
    while index < table.len() {
        table[index] = match (byte, letter_length(&byte)) {
            (0x80..=0x8A, _) => 1 | 1 << 7,
            (0xA0..=0xBF, _) => 1 | 1 << 6,
            (0x80..=0xBF, _) => 1,
            (0xD8..=0xDA, _) => 1 << (3 + (byte - 0xD8)),
            (_, Some(2)) => 1 << 1,
            (_, Some(3)) => 1 << 2,
            _ => 0,
        };
        index += 1;
        byte = byte.wrapping_add(1);
    }
    table
};

/// [`walk::split`] with plain Rust.
pub(super) fn split<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let masks = blocks::Masks { classify, classify_high, write_ends: blocks::write_ends };
    walk::split(masks, rules, text, text_ends, visit)
}

/// The masks of a block.
#[inline]
pub(super) fn classify(block: &Block) -> Bytes {
    let [letters, capitals, digits, whitespace, newlines, spaces, apostrophes, slashes] = answers(&ANSWERS, block);
    let highest = masked(block).as_chunks::<8>().0.iter().map(|eight| highest_bits(u64::from_le_bytes(*eight)));
    let mut high = [0; 8];
    high.iter_mut().zip(highest).for_each(|(slot, bits)| *slot = bits);
    let high = u64::from_le_bytes(high);
    Bytes { letters, capitals, digits, whitespace, newlines, spaces, apostrophes, slashes, high }
}

/// The masks of a block that is not all ASCII.
#[inline]
pub(super) fn classify_high(block: &Block) -> HighBytes {
    let [continuations, narrow_letters, mut wide_letters, d8, d9, da, from_a0, up_to_8a] =
        answers(&HIGH_ANSWERS, block);
    let arabic_letters = HighBytes::arabic_letters([d8, d9, da], [from_a0, up_to_8a]);
    let (bytes, mut wide_signs) = (masked(block), 0);
    if bytes.iter().any(|byte| matches!(byte, 0xE2..=0xE4 | 0xEF)) {
        for (index, window) in bytes.windows(3).enumerate() {
            match window.first_chunk().copied().and_then(wide_kind) {
                Some(true) => wide_letters |= 1 << index,
                Some(false) => wide_signs |= 1 << index,
                None => {}
            }
        }
    }
    HighBytes { continuations, narrow_letters, wide_letters, wide_signs, arabic_letters }
}

/// A mask for each bit of the answers in `table`.
#[inline(always)]
fn answers(table: &[u8; 256], block: &Block) -> [u64; 8] {
    let mut masks = [[0_u8; 8]; 8];
    for (index, eight) in masked(block).as_chunks::<8>().0.iter().enumerate() {
        let answers = transposed(u64::from_le_bytes(eight.map(|byte| table[usize::from(byte)]))).to_le_bytes();
        for (mask, answers) in masks.iter_mut().zip(answers) {
            mask[index] = answers;
        }
    }
    masks.map(u64::from_le_bytes)
}

/// Of eight bytes: bit `i` of byte `j` becomes bit `j` of byte `i`. Blocks of one, two and four bits change places.
fn transposed(bytes: u64) -> u64 {
    let swapped = |bytes: u64, distance: u32, which: u64| {
        let moved = (bytes ^ bytes >> distance) & which;
        bytes ^ moved ^ moved << distance
    };
    let bytes = swapped(bytes, 7, 0x00AA_00AA_00AA_00AA);
    let bytes = swapped(bytes, 14, 0x0000_CCCC_0000_CCCC);
    swapped(bytes, 28, 0x0000_0000_F0F0_F0F0)
}

/// The highest bit of each of eight bytes.
fn highest_bits(bytes: u64) -> u8 {
    // The product moves the bit of byte `i` to bit 56 + `i`; no two of its terms meet.
    let [.., bits] = (bytes & 0x8080_8080_8080_8080).wrapping_mul(0x0002_0408_1020_4081).to_le_bytes();
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::blocks::N_LOADED;

    #[test]
    fn masks_answer_for_each_byte() {
        for first in 0..=255_u8 {
            let mut block: Block = [0; N_LOADED];
            for (byte, index) in block.iter_mut().zip(0_u8..) {
                *byte = first.wrapping_mul(index | 1).wrapping_add(index);
            }
            let (masks, high_masks) = (classify(&block), classify_high(&block));
            for (index, pair) in block[..64].windows(2).enumerate() {
                let is_letter = matches!(pair, [0xD8, 0xA0..=0xBF] | [0xD9, 0x80..=0x8A] | [0xDA, _]);
                assert_eq!(high_masks.arabic_letters >> index & 1 == 1, is_letter, "{pair:?}");
            }
            let next_tells = (0..64).filter(|&index| block[index] == 0xE3 || block[index] == 0xE4);
            let next_tells = next_tells.fold(0, |mask, index| mask | 1 << index);
            for (index, &byte) in block[..64].iter().enumerate() {
                let expected = [
                    (masks.letters, byte.is_ascii_alphabetic()),
                    (masks.capitals, byte.is_ascii_uppercase()),
                    (masks.digits, byte.is_ascii_digit()),
                    (masks.whitespace, byte == 0x0B || byte.is_ascii_whitespace()),
                    (masks.newlines, b"\r\n".contains(&byte)),
                    (masks.spaces, byte == b' '),
                    (masks.apostrophes, byte == b'\''),
                    (masks.slashes, byte == b'/'),
                    (masks.high, !byte.is_ascii()),
                    (high_masks.continuations, byte >> 6 == 0b10),
                    (high_masks.narrow_letters, letter_length(&byte) == Some(2)),
                    (high_masks.wide_letters & !next_tells, letter_length(&byte) == Some(3)),
                ];
                assert!(expected.iter().all(|&(mask, answer)| (mask >> index & 1 == 1) == answer), "{byte:#04x}");
            }
        }
    }
}
