//! Keys of eight pretokens at once, with AVX-512.
//!
//! # Safety
//!
//! What is compiled for AVX-512 is called for [`Tier::Avx512`](crate::pretokenize::Tier) alone, which [`Tier::current`], where
//! tiers come from, gives only where the processor has it. Of a text 16 bytes are read from where each of eight pretokens
//! starts, after all eight have been seen to lie that far before its end; what else is read and written are arrays of just
//! that size.
//!
//! [`Tier::current`]: crate::pretokenize::Tier::current

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, _mm_cvtsi32_si128, _mm256_and_si256, _mm256_set1_epi32, _mm256_srl_epi32, _mm256_storeu_si256,
    _mm512_add_epi8, _mm512_add_epi32, _mm512_alignr_epi64, _mm512_and_si512, _mm512_cmple_epu64_mask,
    _mm512_cvtepi64_epi32, _mm512_i64gather_epi64, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_mask_mov_epi64,
    _mm512_maskz_mov_epi64, _mm512_mullo_epi32, _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_permutex2var_epi64,
    _mm512_set1_epi64, _mm512_set4_epi32, _mm512_setr_epi64, _mm512_shuffle_epi8, _mm512_slli_epi64, _mm512_sllv_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_subs_epu8,
};

use super::key::{Key, MAX_SHORT, TOO_LONG};
use super::{Places, ROOM, in_lanes};
use crate::ids::{widen, widen_u64};

/// So many pretokens are taken at once.
const N: usize = 8;

const _: () = assert!(ROOM.is_multiple_of(N));
// Ends are loaded as lanes of 64 bits.
const _: () = assert!(usize::BITS == 64);

/// [`make_keys`](super::make_keys), eight at a time, as long as 16 bytes follow the start of each. Returns of how many; the processor must have AVX-512.
pub(super) fn make_keys(
    chooser: &Places<2>,
    (mask, fetch): (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    (keys, places): (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) -> usize {
    // SAFETY: the caller has it.
    unsafe { make_keys_avx512(chooser, (mask, fetch), text, start, ends, (keys, places)) }
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn make_keys_avx512(
    chooser: &Places<2>,
    (mask, fetch): (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    (keys, places): (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) -> usize {
    let Some(last_start) = text.len().checked_sub(16) else { return 0 };
    let (eights, last) = in_lanes::<N>(start, ends);

    let [seeds, multipliers] = [chooser.seeds, chooser.multipliers].map(|words| words.map(|word| splat(word)));
    let mask = _mm256_set1_epi32(mask.cast_signed());
    let place_shift = _mm_cvtsi32_si128(chooser.shift.cast_signed());
    let mut before = splat(widen_u64(start));
    let slots = keys.as_chunks_mut::<N>().0.iter_mut().zip(places.as_chunks_mut::<N>().0);
    let mut n = 0;
    let mut first = start;
    for (ends, (keys, places)) in eights.iter().chain(&last).zip(slots) {
        let ends_last = ends[N - 1];
        // SAFETY: it reads eight words from an array of as many.
        let ends = unsafe { _mm512_loadu_si512(ends.as_ptr().cast()) };
        let starts = _mm512_alignr_epi64::<7>(ends, before);
        let offsets = _mm512_sub_epi64(starts, splat(widen_u64(first)));
        let (low, high) = if let Some(window) = text.get(first..).and_then(<[u8]>::first_chunk)
            && _mm512_cmple_epu64_mask(offsets, splat(widen_u64(WINDOW - 16))) == 0xFF
        {
            words_of(window, offsets)
        } else {
            if _mm512_cmple_epu64_mask(starts, splat(widen_u64(last_start))) != 0xFF {
                break;
            }
            // SAFETY: 16 bytes follow each start in the text.
            unsafe {
                (
                    _mm512_i64gather_epi64::<1>(starts, text.as_ptr().cast()),
                    _mm512_i64gather_epi64::<1>(starts, text.as_ptr().add(8).cast()),
                )
            }
        };
        first = ends_last;
        let lengths = _mm512_sub_epi64(ends, starts);
        let is_short = _mm512_cmple_epu64_mask(lengths, splat(widen_u64(MAX_SHORT)));
        let low = _mm512_maskz_mov_epi64(is_short, _mm512_and_si512(low, low_bytes(lengths)));
        let high = _mm512_and_si512(high, low_bytes(_mm512_subs_epu8(lengths, splat(8))));
        let high = _mm512_or_si512(high, _mm512_slli_epi64::<56>(lengths));
        let high = _mm512_mask_mov_epi64(splat(TOO_LONG), is_short, high);
        let products = |words, index: usize| {
            let sums = _mm512_madd_epi16(words, seeds[index]);
            _mm512_mullo_epi32(sums, multipliers[index])
        };
        let sums = _mm512_add_epi32(products(low, 0), products(high, 1));
        let hash = _mm512_cvtepi64_epi32(_mm512_add_epi32(sums, _mm512_srli_epi64::<32>(sums)));
        let place = _mm256_and_si256(_mm256_srl_epi32(hash, place_shift), mask);
        // SAFETY: they write eight numbers into an array of as many, and eight keys into another.
        unsafe {
            _mm256_storeu_si256(places.as_mut_ptr().cast(), place);
            let keys = keys.as_mut_ptr();
            _mm512_storeu_si512(
                keys.cast(),
                _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), high),
            );
            _mm512_storeu_si512(
                keys.add(4).cast(),
                _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), high),
            );
        }
        for place in places.iter() {
            fetch(widen(*place));
        }
        before = ends;
        n += N;
    }
    n
}

/// Eight pretokens mostly lie in so many bytes from the start of the first on, with the 16 bytes of each.
const WINDOW: usize = 136;

/// The first eight bytes from each offset on, and the next eight. No offset may be more than 120.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn words_of(window: &[u8; WINDOW], offsets: __m512i) -> (__m512i, __m512i) {
    // SAFETY: they read 64 bytes each, of which the last ends where the array does.
    let [first, second, third, last] = unsafe {
        let start = window.as_ptr();
        [0, 64, 8, 72].map(|at| _mm512_loadu_si512(start.add(at).cast()))
    };
    // Each offset in all eight bytes of its word, and from there on one to eight.
    let offsets = _mm512_shuffle_epi8(offsets, _mm512_set4_epi32(0x0808_0808, 0x0808_0808, 0, 0));
    let places = _mm512_add_epi8(offsets, splat(0x0706_0504_0302_0100));
    (_mm512_permutex2var_epi8(first, places, second), _mm512_permutex2var_epi8(third, places, last))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

/// Masks of the lowest bytes of words: so many of each, which may be more than there are.
#[inline]
#[target_feature(enable = "avx512f")]
fn low_bytes(numbers: __m512i) -> __m512i {
    // What is shifted out altogether leaves 0, and 0 less 1 is all ones.
    _mm512_sub_epi64(_mm512_sllv_epi64(splat(1), _mm512_slli_epi64::<3>(numbers)), splat(1))
}
