//! Keys of four pretokens at once, with AVX2.
//!
//! # Safety
//!
//! What is compiled for AVX2 is called for [`Tier::Avx2`](crate::pretokenize::Tier) alone, which the processor then has. Of a text 16
//! bytes are read from where each of four pretokens starts, after all four have been seen to lie that far before its end; what
//! else is read and written are arrays of just that size.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_cvtsi32_si128, _mm_loadu_si128, _mm_set1_epi32, _mm_srl_epi32,
    _mm_storeu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_blend_epi32, _mm256_blendv_epi8,
    _mm256_castsi128_si256, _mm256_castsi256_pd, _mm256_castsi256_si128, _mm256_cmpgt_epi8, _mm256_cmpgt_epi64,
    _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_movemask_pd, _mm256_mullo_epi32,
    _mm256_or_si256, _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi32, _mm256_setr_epi64x, _mm256_shuffle_epi8,
    _mm256_srli_epi64, _mm256_storeu_si256, _mm256_sub_epi64, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
};
use std::ptr;

use super::key::{Key, MAX_SHORT, TOO_LONG};
use super::{Places, ROOM, in_lanes};
use crate::ids::{widen, widen_u64};

/// So many pretokens are taken at once.
const N: usize = 4;

const _: () = assert!(ROOM.is_multiple_of(N));
// Ends are loaded as lanes of 64 bits.
const _: () = assert!(usize::BITS == 64);

/// [`make_keys`](super::make_keys), four at a time, as long as 16 bytes follow the start of each. Returns of how many; the
/// processor must have AVX2.
pub(super) fn make_keys(
    chooser: &Places<2>,
    (mask, fetch): (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    (keys, places): (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) -> usize {
    // SAFETY: the caller has it.
    unsafe { make_keys_avx2(chooser, (mask, fetch), text, start, ends, (keys, places)) }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn make_keys_avx2(
    chooser: &Places<2>,
    (mask, fetch): (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    (keys, places): (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) -> usize {
    let Some(last_start) = text.len().checked_sub(16) else { return 0 };
    let last_starts = splat(widen_u64(last_start));
    let [seeds, multipliers] = [chooser.seeds, chooser.multipliers].map(|words| words.map(|word| splat(word)));
    let mask = _mm_set1_epi32(mask.cast_signed());
    let place_shift = _mm_cvtsi32_si128(chooser.shift.cast_signed());
    let (mut first, mut before) = (start, splat(widen_u64(start)));
    let mut make_four = |ends: &[usize; N], keys: &mut [Key<2>; N], places: &mut [u32; N]| {
        // Each is read once more: to take them from a vector would take longer.
        // SAFETY: they read what references refer to.
        let [second, third, fourth, next] = ends.each_ref().map(|end| unsafe { ptr::read_volatile(end) });
        // SAFETY: it reads four words from an array of as many.
        let ends = unsafe { _mm256_loadu_si256(ends.as_ptr().cast()) };
        let rotated = _mm256_permute4x64_epi64::<0b10_01_00_11>(ends);
        let starts = _mm256_blend_epi32::<0b11>(rotated, before);
        // The highest bit of each tells whether it lies too far on, or is none that a text has.
        let too_far = _mm256_or_si256(_mm256_cmpgt_epi64(starts, last_starts), starts);
        if _mm256_movemask_pd(_mm256_castsi256_pd(too_far)) != 0 {
            return false;
        }
        let window = |start: usize| {
            // SAFETY: 16 bytes follow each start in the text.
            unsafe { _mm_loadu_si128(text.as_ptr().add(start).cast()) }
        };
        let windows = |low, high| _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(window(low)), window(high));
        let lengths = _mm256_sub_epi64(ends, starts);
        let is_long = _mm256_cmpgt_epi64(lengths, splat(widen_u64(MAX_SHORT)));
        let lengths = _mm256_blendv_epi8(lengths, splat(TOO_LONG >> 56), is_long);
        let odd = keys_of(windows(first, third), _mm256_shuffle_epi8(lengths, bytes(0)));
        let even = keys_of(windows(second, fourth), _mm256_shuffle_epi8(lengths, bytes(8)));

        let (lows, highs) = (_mm256_unpacklo_epi64(odd, even), _mm256_unpackhi_epi64(odd, even));
        let products = |words, index: usize| {
            let sums = _mm256_madd_epi16(words, seeds[index]);
            _mm256_mullo_epi32(sums, multipliers[index])
        };
        let sums = _mm256_add_epi32(products(lows, 0), products(highs, 1));
        let hash = lower_halves(_mm256_add_epi32(sums, _mm256_srli_epi64::<32>(sums)));
        let place = _mm_and_si128(_mm_srl_epi32(hash, place_shift), mask);
        // SAFETY: they write four keys into an array of as many, and four numbers into another.
        unsafe {
            let keys: *mut __m256i = keys.as_mut_ptr().cast();
            _mm256_storeu_si256(keys, _mm256_permute2x128_si256::<0x20>(odd, even));
            _mm256_storeu_si256(keys.add(1), _mm256_permute2x128_si256::<0x31>(odd, even));
            _mm_storeu_si128(places.as_mut_ptr().cast(), place);
        }
        for place in places.iter() {
            fetch(widen(*place));
        }
        (first, before) = (next, rotated);
        true
    };

    let (fours, last) = in_lanes::<N>(start, ends);
    let (keys, places) = (keys.as_chunks_mut::<N>().0, places.as_chunks_mut::<N>().0);
    let mut n = 0;
    for ((ends, keys), places) in fours.iter().zip(keys.iter_mut()).zip(places.iter_mut()) {
        if !make_four(ends, keys, places) {
            return n;
        }
        n += N;
    }
    if let (Some(ends), Some(keys), Some(places)) = (last, keys.get_mut(fours.len()), places.get_mut(fours.len()))
        && make_four(&ends, keys, places)
    {
        n += N;
    }
    n
}

/// The keys of two pretokens, by 16 bytes from the start of each and its length in as many bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn keys_of(windows: __m256i, lengths: __m256i) -> __m256i {
    let half = |first: u64, second: u64| [first, second].map(u64::cast_signed);
    let ([low, high], [_, last]) = (half(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908), half(0, 0xFF << 56));
    // What stands for too long a length is negative here, so nothing is kept then.
    let kept = _mm256_cmpgt_epi8(lengths, _mm256_setr_epi64x(low, high, low, high));
    _mm256_or_si256(_mm256_and_si256(windows, kept), _mm256_and_si256(lengths, _mm256_setr_epi64x(0, last, 0, last)))
}

/// The lower halves of four words.
#[inline]
#[target_feature(enable = "avx2")]
fn lower_halves(words: __m256i) -> __m128i {
    let even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(words, even))
}

/// One byte everywhere.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(byte: i8) -> __m256i {
    _mm256_set1_epi8(byte)
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u64) -> __m256i {
    _mm256_set1_epi64x(word.cast_signed())
}
