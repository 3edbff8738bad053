//! UTF-8 with AVX-512: sixteen characters at a time are made four bytes each, of which those that count are pushed together.
//!
//! # Safety
//!
//! What is compiled for AVX-512 is called where the tier in use is [`Tier::Avx512`](crate::pretokenize::Tier), which the processor then
//! has. Through pointers go loads of 64 bytes from arrays of as many, and stores of as many to memory that has them.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512i, __mmask16, _mm512_and_si512, _mm512_cmpeq_epi32_mask, _mm512_cmpge_epu32_mask, _mm512_cmpneq_epi8_mask,
    _mm512_loadu_si512, _mm512_mask_mov_epi32, _mm512_maskz_compress_epi8, _mm512_or_si512, _mm512_set1_epi32,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_si512,
};

use super::{AHEAD, SLACK, Unit};
use crate::ids::widen;
use crate::prefetch::prefetch;

/// So many characters at a time.
const LANES: usize = 16;

/// Appends the UTF-8 of characters, as far as there is room for them and [`SLACK`] more; says whether all numbers were such.
pub(super) fn append<T: Unit>(units: &[T], out: &mut Vec<u8>) -> bool {
    // SAFETY: the processor has AVX-512.
    unsafe { append_units(units, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi1,bmi2,popcnt")]
fn append_units<T: Unit>(units: &[T], out: &mut Vec<u8>) -> bool {
    let (runs, rest) = units.as_chunks::<LANES>();
    let mut last = [0; LANES];
    last.iter_mut().zip(rest).for_each(|(lane, &unit)| *lane = unit.into());
    let whole = runs.iter().map(|units| {
        prefetch(units.as_ptr().wrapping_add(AHEAD));
        (units.map(Into::into), LANES)
    });
    let mut free = out.spare_capacity_mut();
    let (mut n_bytes, mut strange) = (0, 0);
    for (characters, n_characters) in whole.chain((!rest.is_empty()).then_some((last, rest.len()))) {
        let Some(place) = free.first_chunk_mut::<SLACK>() else { break };
        // SAFETY: it reads 64 bytes from an array of as many.
        let characters = unsafe { _mm512_loadu_si512(characters.as_ptr().cast()) };
        strange |= not_characters(characters);
        let (bytes, those) = utf8(characters);
        let those = those & u64::MAX >> (64 - 4 * n_characters);
        // SAFETY: it writes 64 bytes to an array of as many.
        unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(those, bytes)) };
        let n = widen(those.count_ones());
        free = free.get_mut(n..).unwrap_or_default();
        n_bytes += n;
    }
    // SAFETY: so many bytes were written where the free part began, one after the other.
    unsafe { out.set_len(out.len() + n_bytes) };
    strange == 0
}

/// Which of sixteen numbers are surrogates or beyond all characters.
#[inline]
#[target_feature(enable = "avx512f")]
fn not_characters(numbers: __m512i) -> __mmask16 {
    let lanes = |value: u32| _mm512_set1_epi32(value.cast_signed());
    let surrogates = _mm512_cmpeq_epi32_mask(_mm512_and_si512(numbers, lanes(!0x7FF)), lanes(0xD800));
    surrogates | _mm512_cmpge_epu32_mask(numbers, lanes(0x11_0000))
}

/// The UTF-8 of sixteen characters, four bytes each, and which of the bytes count.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn utf8(characters: __m512i) -> (__m512i, u64) {
    /// What no UTF-8 has: a byte that does not count.
    const NONE: u32 = 0xFF;
    let lanes = |value: u32| _mm512_set1_epi32(value.cast_signed());
    let at_least = |value: u32| _mm512_cmpge_epu32_mask(characters, lanes(value));
    let bits = |moved: __m512i, mask: u32| _mm512_and_si512(moved, lanes(mask));
    let or = |one, other| _mm512_or_si512(one, other);
    let choose = |where_: __mmask16, one, other| _mm512_mask_mov_epi32(other, where_, one);

    let (long, longer, longest) = (at_least(0x80), at_least(0x800), at_least(0x1_0000));
    let one = or(characters, lanes(NONE << 8 | NONE << 16 | NONE << 24));
    let two = or(_mm512_srli_epi32::<6>(characters), bits(_mm512_slli_epi32::<8>(characters), 0x3F00));
    // Letters of two bytes are so many and so seldom that no branch could tell.
    let mut bytes = choose(long, or(two, lanes(0x80C0 | NONE << 16 | NONE << 24)), one);
    if longer != 0 {
        let middle = bits(_mm512_slli_epi32::<2>(characters), 0x3F00);
        let last = bits(_mm512_slli_epi32::<16>(characters), 0x3F_0000);
        let all = or(_mm512_srli_epi32::<12>(characters), or(middle, last));
        bytes = choose(longer, or(all, lanes(0x80_80E0 | NONE << 24)), bytes);
    }
    if longest != 0 {
        let second = bits(_mm512_srli_epi32::<4>(characters), 0x3F00);
        let third = bits(_mm512_slli_epi32::<10>(characters), 0x3F_0000);
        let last = bits(_mm512_slli_epi32::<24>(characters), 0x3F00_0000);
        let all = or(or(_mm512_srli_epi32::<18>(characters), second), or(third, last));
        bytes = choose(longest, or(all, lanes(0x8080_80F0)), bytes);
    }
    (bytes, _mm512_cmpneq_epi8_mask(bytes, lanes(u32::MAX)))
}
