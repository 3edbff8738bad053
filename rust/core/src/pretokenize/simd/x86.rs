//! The masks of a block with AVX2.
//!
//! # Safety
//!
//! What is compiled for AVX2 and its companions is called where the processor has them: [`is_available`] asks just before. Through
//! pointers are read and written the places in arrays that stand beside each.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm_loadu_si32, _mm256_add_epi8, _mm256_add_epi64, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
    _mm256_cvtepu8_epi64, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi64x,
    _mm256_storeu_si256,
};
use std::ops::ControlFlow;

use super::{Bytes, HighBytes, masked};
use crate::ids::{widen, widen_u64};
use crate::pretokenize::blocks::{self, Block, N_BYTES};
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
        write_ends: |lasts, start, ends: &mut [usize; N_BYTES]| write_ends(lasts, start, ends),
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

/// By the bits of a byte: the places after them.
static PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut n) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][n] = bit + 1;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// As [`blocks::write_ends`]: what eight bits tell is looked up, and written whether there are as many or not.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(crate) fn write_ends(lasts: u64, start: usize, ends: &mut [usize; N_BYTES]) {
    let mut start = _mm256_set1_epi64x(widen_u64(start).cast_signed());
    let (mut rest, mut n) = (lasts, 0);
    for index in 0..8 {
        debug_assert!(n <= 8 * index);
        let [byte, ..] = rest.to_le_bytes();
        let places = &PLACES[usize::from(byte)];
        let n_here = widen((rest & 0xFF).count_ones());
        // SAFETY: they read four bytes each of an array of eight, and write up to eight words from the n-th of 64 on, where n is
        // the number of ones in the bytes before, of which there are at most seven.
        unsafe {
            let after = |places: *const u8| _mm256_add_epi64(start, _mm256_cvtepu8_epi64(_mm_loadu_si32(places)));
            let ends = ends.as_mut_ptr().add(n);
            _mm256_storeu_si256(ends.cast(), after(places.as_ptr()));
            // Seldom are there more.
            if n_here > 4 {
                _mm256_storeu_si256(ends.add(4).cast(), after(places.as_ptr().add(4)));
            }
        }
        (rest, n) = (rest >> 8, n + n_here);
        start = _mm256_add_epi64(start, _mm256_set1_epi64x(8));
    }
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
    use crate::pretokenize::simd::tests::{check, check_ends};

    #[test]
    fn masks_are_those_of_the_portable_tier() {
        if is_available() {
            // SAFETY: as in `split`.
            check(|block| unsafe { (classify(block), classify_high(block)) });
        }
    }

    #[test]
    fn ends_are_those_written_bit_by_bit() {
        if is_available() {
            // SAFETY: as in `split`.
            check_ends(|lasts, start, ends| unsafe { write_ends(lasts, start, ends) });
        }
    }
}
