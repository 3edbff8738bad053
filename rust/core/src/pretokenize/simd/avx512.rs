//! The masks of a block with AVX-512: a comparison of 64 bytes gives one at once.
//!
//! # Safety
//!
//! As in [`x86`](super::x86): what is compiled for AVX-512 is called where the processor has been seen to have it. Two loads and a
//! store go through pointers to arrays of just their size.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, _mm_loadl_epi64, _mm512_add_epi64, _mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_cvtepu8_epi64,
    _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_set1_epi8, _mm512_set1_epi64, _mm512_storeu_si512,
    _mm512_sub_epi8,
};
use std::ops::ControlFlow;

use super::{Bytes, HighBytes, masked, x86};
use crate::ids::{widen, widen_u64};
use crate::pretokenize::blocks::{self, Block, N_BYTES};
use crate::pretokenize::rules::Rules;
use crate::pretokenize::walk;

// Ends are stored as lanes of 64 bits.
const _: () = assert!(usize::BITS == 64);

/// Whether the processor has AVX-512 with its instructions for bytes and words, and for choosing among bytes.
pub(super) fn is_available() -> bool {
    x86::is_available()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// [`walk::split`] with AVX-512, or without it where the processor has none.
pub(super) fn split<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if !is_available() {
        return x86::split(rules, text, text_ends, visit);
    }
    // SAFETY: the processor has been seen to have all the features that the function is compiled for.
    unsafe { split_avx512(rules, text, text_ends, visit) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn split_avx512<B>(
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
#[target_feature(enable = "avx512bw")]
fn classify(block: &Block) -> Bytes {
    let bytes = load(masked(block));
    Bytes::by(|first, last| within(bytes, first, last), |byte| equal(bytes, byte))
}

/// The masks of a block that is not all ASCII.
#[inline]
#[target_feature(enable = "avx512bw")]
fn classify_high(block: &Block) -> HighBytes {
    let bytes = load(masked(block));
    HighBytes::by(|first, last| within(bytes, first, last), |byte| equal(bytes, byte))
}

/// The places after those of the bytes of a block.
static PLACES: [u8; N_BYTES] = {
    let mut places = [1; N_BYTES];
    let mut index = 1;
    while index < N_BYTES {
        places[index] = places[index - 1] + 1;
        index += 1;
    }
    places
};

/// As [`blocks::write_ends`]: the places of the bits are chosen from all places at once, and widened eight at a time.
#[inline]
#[target_feature(enable = "avx512bw,avx512vbmi2")]
pub(crate) fn write_ends(lasts: u64, start: usize, ends: &mut [usize; N_BYTES]) {
    let mut places = [0_u8; N_BYTES];
    // SAFETY: it writes 64 bytes into an array of as many.
    unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(lasts, load(&PLACES))) };
    let start = _mm512_set1_epi64(widen_u64(start).cast_signed());
    // Three at least, which are most often enough: how many there are would be a guess of the processor's.
    let n_eights = widen(lasts.count_ones()).div_ceil(8).max(3);
    for (ends, places) in ends.as_chunks_mut::<8>().0.iter_mut().zip(places.as_chunks::<8>().0).take(n_eights) {
        // SAFETY: they read eight bytes from an array of as many, and write eight words into one of as many.
        unsafe {
            let places = _mm512_cvtepu8_epi64(_mm_loadl_epi64(places.as_ptr().cast()));
            _mm512_storeu_si512(ends.as_mut_ptr().cast(), _mm512_add_epi64(start, places));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; N_BYTES]) -> __m512i {
    // SAFETY: it reads 64 bytes from an array of as many.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn equal(bytes: __m512i, byte: u8) -> u64 {
    _mm512_cmpeq_epi8_mask(bytes, splat(byte))
}

/// Which bytes lie in `first..=last`.
#[inline]
#[target_feature(enable = "avx512bw")]
fn within(bytes: __m512i, first: u8, last: u8) -> u64 {
    _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, splat(first)), splat(last - first))
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
