//! Characters with AVX2: at each of sixteen bytes, what a character would be that starts there; those that do are pushed together
//! by a table.
//!
//! # Safety
//!
//! What is compiled for AVX2 is called where the tier in use is [`Tier::Avx2`](crate::pretokenize::Tier) or above, so that the processor
//! has it. Through pointers go loads from arrays of [`NEAR`] bytes, and stores of as much as arrays have.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cmpgt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8, _mm_shuffle_epi8,
    _mm_storeu_si128, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castsi256_si128, _mm256_cmpgt_epi16,
    _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_or_si256, _mm256_set1_epi16, _mm256_slli_epi16,
};

use super::{LANES, Units};
use crate::ids::widen;

/// What there is to see of sixteen bytes: two more, which may continue the last character.
const NEAR: usize = LANES + 2;

/// Which of the 16 bytes of eight units count: those of the units that have a bit. What follows them is zero.
static COUNTED: [[u8; 16]; 256] = {
    let mut all = [[0x80; 16]; 256];
    let mut counted = 0;
    while counted < 256 {
        let (mut unit, mut n) = (0, 0);
        while unit < 8 {
            if counted >> unit & 1 == 1 {
                [all[counted][n], all[counted][n + 1]] = UNITS[unit];
                n += 2;
            }
            unit += 1;
        }
        counted += 1;
    }
    all
};

/// The bytes of eight units.
const UNITS: [[u8; 2]; 8] = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11], [12, 13], [14, 15]];

/// Writes the characters of the first `n` bytes of UTF-8, which have none of four bytes; returns how many there are.
pub(super) fn write(text: &[u8], n: usize, units: &mut Units) -> usize {
    // SAFETY: the processor has AVX2.
    unsafe { write_avx2(text, n, units) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn write_avx2(text: &[u8], n: usize, units: &mut Units) -> usize {
    let mut n_units = 0;
    for at in (0..n).step_by(LANES) {
        let rest = text.get(at..).unwrap_or_default();
        let mut last = [0; NEAR];
        let near = rest.first_chunk().unwrap_or_else(|| {
            last.iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
            &last
        });
        // SAFETY: they read 16 bytes each of 18.
        let bytes = unsafe { [0, 1, 2].map(|ahead| _mm_loadu_si128(near.as_ptr().add(ahead).cast())) };
        let [is_long, is_start] = [_mm_movemask_epi8(bytes[0]), starts(bytes[0])].map(i32::cast_unsigned);
        let left = LANES.min(n - at);
        let counted = u32::MAX >> (32 - left);
        let Some(places) = units.get_mut(n_units..).and_then(<[u16]>::first_chunk_mut::<LANES>) else { break };
        let [low, high] = halves(_mm256_cvtepu8_epi16(bytes[0]));
        if is_long & counted == 0 {
            store(places, 0, low);
            store(places, LANES / 2, high);
            n_units += left;
            continue;
        }
        let [first, second, ..] = (is_start & counted).to_le_bytes();
        let [low, high] = halves(characters(bytes));
        store(places, 0, pushed_together(low, first));
        store(places, widen(first.count_ones()), pushed_together(high, second));
        n_units += widen((is_start & counted).count_ones());
    }
    n_units
}

/// Which of sixteen bytes start a character: those that continue none.
#[inline]
#[target_feature(enable = "sse2")]
fn starts(bytes: __m128i) -> i32 {
    _mm_movemask_epi8(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(0xBF_u8.cast_signed())))
}

/// The characters of up to three bytes that start at each of sixteen bytes, by those and the ones that follow each.
#[inline]
#[target_feature(enable = "avx2")]
fn characters(bytes: [__m128i; 3]) -> __m256i {
    let [first, second, third] = bytes.map(|bytes| _mm256_cvtepu8_epi16(bytes));
    let bits = |lanes, mask| _mm256_and_si256(lanes, _mm256_set1_epi16(mask));
    let or = |one, other| _mm256_or_si256(one, other);
    let at_least = |value: i16| _mm256_cmpgt_epi16(first, _mm256_set1_epi16(value - 1));
    let (second, third) = (bits(second, 0x3F), bits(third, 0x3F));

    let two = or(bits(_mm256_slli_epi16::<6>(first), 0x7C0), second);
    let three = or(_mm256_slli_epi16::<12>(first), or(_mm256_slli_epi16::<6>(second), third));
    _mm256_blendv_epi8(_mm256_blendv_epi8(first, two, at_least(0x80)), three, at_least(0xE0))
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(lanes: __m256i) -> [__m128i; 2] {
    [_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes)]
}

/// Those of eight units that have a bit.
#[inline]
#[target_feature(enable = "avx2")]
fn pushed_together(units: __m128i, those: u8) -> __m128i {
    let counted = &COUNTED[usize::from(those)];
    // SAFETY: it reads 16 bytes from an array of as many.
    let counted = unsafe { _mm_loadu_si128(counted.as_ptr().cast()) };
    _mm_shuffle_epi8(units, counted)
}

/// Writes eight units from number `at` on, if there is room.
#[inline]
#[target_feature(enable = "avx2")]
fn store(places: &mut [u16; LANES], at: usize, units: __m128i) {
    let Some(places) = places.get_mut(at..).and_then(<[u16]>::first_chunk_mut::<{ LANES / 2 }>) else { return };
    // SAFETY: it writes 16 bytes to an array of as many.
    unsafe { _mm_storeu_si128(places.as_mut_ptr().cast(), units) };
}
