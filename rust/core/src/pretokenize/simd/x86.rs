//! The masks of a block with AVX2.
//!
//! # Safety
//!
//! The one unsafe act here is to call a function that is compiled for AVX2 and its companions, which is sound where the
//! processor has them: [`is_available`] asks just before. Nothing is read or written through pointers.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm256_setr_epi64x,
};
use std::ops::ControlFlow;

use super::{Bytes, HighBytes, masked};
use crate::pretokenize::blocks::{self, Block};
use crate::pretokenize::rules::Rules;
use crate::pretokenize::walk;

/// Whether the processor has AVX2 and its companions.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// [`walk::split`] with AVX2, or without it where the processor has none.
pub(super) fn split<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if !is_available() {
        return super::portable::split(rules, text, text_ends, visit);
    }
    // SAFETY: the processor has been seen to have all the features that the function is compiled for.
    unsafe { split_avx2(rules, text, text_ends, visit) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn split_avx2<B>(
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
#[target_feature(enable = "avx2")]
fn classify(block: &Block) -> Bytes {
    let (low, high) = load(block);
    Bytes::by(
        |first, last| mask(within(low, first, last), within(high, first, last)),
        |byte| mask(equal(low, byte), equal(high, byte)),
    )
}

/// The masks of a block that is not all ASCII.
#[inline]
#[target_feature(enable = "avx2")]
fn classify_high(block: &Block) -> HighBytes {
    let (low, high) = load(block);
    HighBytes::by(
        |first, last| mask(within(low, first, last), within(high, first, last)),
        |byte| mask(equal(low, byte), equal(high, byte)),
    )
}

/// The bytes of a block. The compiler makes one load of four words.
#[inline]
#[target_feature(enable = "avx2")]
fn load(block: &Block) -> (__m256i, __m256i) {
    let words = masked(block).as_chunks::<8>().0;
    let word = |index: usize| words.get(index).map_or(0, |word| i64::from_ne_bytes(*word));
    let low = _mm256_setr_epi64x(word(0), word(1), word(2), word(3));
    (low, _mm256_setr_epi64x(word(4), word(5), word(6), word(7)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(byte: u8) -> __m256i {
    _mm256_set1_epi8(byte.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(bytes: __m256i, byte: u8) -> __m256i {
    _mm256_cmpeq_epi8(bytes, splat(byte))
}

/// Which bytes lie in `first..=last`: moved so that the range begins at the lowest signed number, one comparison tells.
#[inline]
#[target_feature(enable = "avx2")]
fn within(bytes: __m256i, first: u8, last: u8) -> __m256i {
    let moved = _mm256_add_epi8(bytes, splat(0x80_u8.wrapping_sub(first)));
    _mm256_cmpgt_epi8(splat((0x80 + (last - first)).wrapping_add(1)), moved)
}

/// The highest bit of each byte.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(low: __m256i, high: __m256i) -> u64 {
    let bits = |bytes| u64::from(_mm256_movemask_epi8(bytes).cast_unsigned());
    bits(low) | bits(high) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::simd::tests::check;

    #[test]
    fn masks_are_those_of_the_portable_tier() {
        if is_available() {
            // SAFETY: as in `split`.
            check(|block| unsafe { (classify(block), classify_high(block)) });
        }
    }
}
