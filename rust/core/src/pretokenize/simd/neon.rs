//! The masks of a block with NEON.
//!
//! # Safety
//!
//! The one unsafe act here is to call a function that is compiled for NEON, which is sound as every 64-bit ARM processor has
//! it. Nothing is read or written through pointers.

#![allow(unsafe_code)]

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcleq_u8, vcombine_u8, vcreate_u8, vdupq_n_u8, vgetq_lane_u64, vpaddq_u8,
    vreinterpretq_u64_u8, vsubq_u8,
};

use std::ops::ControlFlow;

use super::{Bytes, HighBytes, masked};
use crate::pretokenize::blocks::{self, Block};
use crate::pretokenize::rules::Rules;
use crate::pretokenize::walk;

/// The bytes of a block, or as many bytes that are all ones or all zeros.
type Vectors = [uint8x16_t; 4];

/// [`walk::split`] with NEON.
pub(super) fn split<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    // SAFETY: every processor that this file is compiled for has NEON.
    unsafe { split_neon(rules, text, text_ends, visit) }
}

#[target_feature(enable = "neon")]
fn split_neon<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let masks = blocks::Masks {
        classify: |block: &Block| classify(block),
        classify_high: |block: &Block| classify_high(block),
        write_ends: blocks::write_ends,
    };
    walk::split(masks, rules, text, text_ends, visit)
}

/// The masks of a block.
#[inline]
#[target_feature(enable = "neon")]
fn classify(block: &Block) -> Bytes {
    let bytes = load(block);
    Bytes::by(
        |first, last| mask(bytes.map(|bytes| within(bytes, first, last))),
        |byte| mask(bytes.map(|bytes| equal(bytes, byte))),
    )
}

/// The masks of a block that is not all ASCII.
#[inline]
#[target_feature(enable = "neon")]
fn classify_high(block: &Block) -> HighBytes {
    let bytes = load(block);
    HighBytes::by(
        |first, last| mask(bytes.map(|bytes| within(bytes, first, last))),
        |byte| mask(bytes.map(|bytes| equal(bytes, byte))),
    )
}

#[inline]
#[target_feature(enable = "neon")]
fn load(block: &Block) -> Vectors {
    let words = masked(block).as_chunks::<8>().0;
    let word = |index: usize| vcreate_u8(words.get(index).map_or(0, |word| u64::from_le_bytes(*word)));
    [0, 2, 4, 6].map(|index| vcombine_u8(word(index), word(index + 1)))
}

#[inline]
#[target_feature(enable = "neon")]
fn equal(bytes: uint8x16_t, byte: u8) -> uint8x16_t {
    vceqq_u8(bytes, vdupq_n_u8(byte))
}

/// Which bytes lie in `first..=last`: moved so that the range begins at 0, one comparison tells.
#[inline]
#[target_feature(enable = "neon")]
fn within(bytes: uint8x16_t, first: u8, last: u8) -> uint8x16_t {
    vcleq_u8(vsubq_u8(bytes, vdupq_n_u8(first)), vdupq_n_u8(last - first))
}

/// One bit of each byte: each keeps that of its place among eight, and sums of neighbours bring eight together.
#[inline]
#[target_feature(enable = "neon")]
fn mask(vectors: Vectors) -> u64 {
    let places = vcreate_u8(0x80_40_20_10_08_04_02_01);
    let places = vcombine_u8(places, places);
    let [first, second, third, last] = vectors.map(|bytes| vandq_u8(bytes, places));
    let quarters = vpaddq_u8(vpaddq_u8(first, second), vpaddq_u8(third, last));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(quarters, quarters)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::simd::tests::check;

    #[test]
    fn masks_are_those_of_the_portable_tier() {
        // SAFETY: as in `split`.
        check(|block| unsafe { (classify(block), classify_high(block)) });
    }
}
