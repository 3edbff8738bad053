//! UTF-8 with AVX2: eight characters at a time are made four bytes each, of which those that count are pushed together by a table.
//!
//! # Safety
//!
//! What is compiled for AVX2 is called where the tier in use is [`Tier::Avx2`](crate::pretokenize::Tier), which the processor then has.
//! Through pointers go loads of as many bytes as arrays have, and stores of as many to memory that has them.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_shuffle_epi8, _mm_storeu_si128, _mm256_and_si256, _mm256_blendv_epi8,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32, _mm256_extracti128_si256,
    _mm256_loadu_si256, _mm256_movemask_ps, _mm256_or_si256, _mm256_packus_epi16, _mm256_packus_epi32,
    _mm256_permutevar8x32_epi32, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_testz_si256,
};
use std::mem::MaybeUninit;

use super::{AHEAD, SLACK, Unit, append_plainly};
use crate::ids::widen;
use crate::prefetch::prefetch;

/// So many characters at a time.
const LANES: usize = 16;

/// Which of the 16 bytes of four characters count: by a bit for each that has more than one byte, and one for each that has
/// three. What follows them is zero.
static COUNTED: [[u8; 16]; 256] = {
    const NONE: u8 = 0x80;
    const BYTES: [[u8; 3]; 4] = [[0, 1, 2], [4, 5, 6], [8, 9, 10], [12, 13, 14]];
    let mut all = [[NONE; 16]; 256];
    let mut lengths = 0;
    while lengths < 256 {
        let (mut character, mut n) = (0, 0);
        while character < 4 {
            let length = 1 + (lengths >> character & 1) + (lengths >> (4 + character) & 1);
            let mut byte = 0;
            while byte < length {
                all[lengths][n] = BYTES[character][byte];
                n += 1;
                byte += 1;
            }
            character += 1;
        }
        lengths += 1;
    }
    all
};

/// Appends the UTF-8 of characters, as far as there is room for them and [`SLACK`] more; says whether all numbers were such.
pub(super) fn append<T: Unit>(units: &[T], out: &mut Vec<u8>) -> bool {
    // SAFETY: the processor has AVX2.
    unsafe { append_units(units, out) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn append_units<T: Unit>(units: &[T], out: &mut Vec<u8>) -> bool {
    let (runs, rest) = units.as_chunks::<LANES>();
    let runs_are_characters = runs.iter().all(|units| {
        prefetch(units.as_ptr().wrapping_add(AHEAD));
        let characters: [u32; LANES] = units.map(Into::into);
        // Characters of four bytes are few in most texts.
        if T::MAX_BYTES > 3 && characters.iter().any(|&character| character > 0xFFFF) {
            return append_plainly(units, out);
        }
        let Some(place) = out.spare_capacity_mut().first_chunk_mut() else { return false };
        let Some(n_bytes) = write(&characters, place) else { return false };
        // SAFETY: so many bytes were written where the free part begins.
        unsafe { out.set_len(out.len() + n_bytes) };
        true
    });
    runs_are_characters && append_plainly(rest, out)
}

/// Writes the UTF-8 of characters of up to three bytes; says how many bytes it has, if none of them is a surrogate.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn write(characters: &[u32; LANES], place: &mut [MaybeUninit<u8>; SLACK]) -> Option<usize> {
    let start = characters.as_ptr();
    // SAFETY: they read the halves of an array.
    let [low, high] = unsafe { [start, start.add(LANES / 2)].map(|half| _mm256_loadu_si256(half.cast())) };
    if _mm256_testz_si256(_mm256_or_si256(low, high), lanes(!0x7F)) != 0 {
        // Of each half the lower and the higher four.
        let mixed = _mm256_packus_epi16(_mm256_packus_epi32(low, high), _mm256_packus_epi32(low, high));
        let bytes = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
        // SAFETY: there are more than 16 bytes.
        unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), _mm256_castsi256_si128(bytes)) };
        return Some(LANES);
    }
    let mut n_bytes = 0;
    for half in [low, high] {
        let surrogates = _mm256_cmpeq_epi32(_mm256_and_si256(half, lanes(!0x7FF)), lanes(0xD800));
        if _mm256_testz_si256(surrogates, surrogates) == 0 {
            return None;
        }
        let (bytes, [first, second]) = utf8(half);
        for (bytes, lengths) in [(_mm256_castsi256_si128(bytes), first), (_mm256_extracti128_si256::<1>(bytes), second)]
        {
            let (bytes, n) = pushed_together(bytes, lengths);
            let place = place.get_mut(n_bytes..)?.first_chunk_mut::<16>()?;
            // SAFETY: it writes 16 bytes to an array of as many.
            unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), bytes) };
            n_bytes += n;
        }
    }
    Some(n_bytes)
}

/// The UTF-8 of eight characters of up to three bytes, in four bytes each, and the lengths of four each as in [`COUNTED`].
#[inline]
#[target_feature(enable = "avx2")]
fn utf8(characters: __m256i) -> (__m256i, [u8; 2]) {
    let at_least = |value: u32| _mm256_cmpgt_epi32(characters, lanes(value - 1));
    let bits = |moved: __m256i, mask: u32| _mm256_and_si256(moved, lanes(mask));
    let or = |one, other| _mm256_or_si256(one, other);
    let (long, longer) = (at_least(0x80), at_least(0x800));

    let two = or(_mm256_srli_epi32::<6>(characters), bits(_mm256_slli_epi32::<8>(characters), 0x3F00));
    let middle = bits(_mm256_slli_epi32::<2>(characters), 0x3F00);
    let last = bits(_mm256_slli_epi32::<16>(characters), 0x3F_0000);
    let three = or(_mm256_srli_epi32::<12>(characters), or(middle, last));
    let up_to_two = _mm256_blendv_epi8(characters, or(two, lanes(0x80C0)), long);
    let bytes = _mm256_blendv_epi8(up_to_two, or(three, lanes(0x80_80E0)), longer);

    let [long, longer] = [long, longer].map(|mask| _mm256_movemask_ps(_mm256_castsi256_ps(mask)).to_le_bytes()[0]);
    (bytes, [long & 0xF | longer << 4, long >> 4 | longer & 0xF0])
}

/// The bytes that count of four characters, and how many they are.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn pushed_together(bytes: __m128i, lengths: u8) -> (__m128i, usize) {
    let counted = &COUNTED[usize::from(lengths)];
    // SAFETY: it reads 16 bytes from an array of as many.
    let counted = unsafe { _mm_loadu_si128(counted.as_ptr().cast()) };
    (_mm_shuffle_epi8(bytes, counted), 4 + widen(lengths.count_ones()))
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(value: u32) -> __m256i {
    _mm256_set1_epi32(value.cast_signed())
}
