//! The safe cuts of a block: with AVX-512 the groups of all its characters are gathered at once, with AVX2 its characters are found.
//!
//! # Safety
//!
//! What is compiled for AVX-512 is called for [`Tier::Avx512`](crate::pretokenize::Tier) alone, and what is for AVX2 for
//! `Tier::Avx2`; the processor then has it. Through pointers go loads of as many bytes as arrays have, and a gather: of four
//! bytes each from the groups of characters, by numbers below 2¹⁶. A character has two of them, and the array has room for one
//! more than there are characters.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm512_and_si512, _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cmpeq_epi8_mask,
    _mm512_cmpeq_epi16_mask, _mm512_cvtepi32_epi16, _mm512_cvtepu8_epi16, _mm512_cvtepu16_epi32,
    _mm512_extracti64x4_epi64, _mm512_i32gather_epi32, _mm512_inserti64x4, _mm512_loadu_si512,
    _mm512_maskz_compress_epi8, _mm512_or_si512, _mm512_permutexvar_epi16, _mm512_set1_epi8, _mm512_set1_epi16,
    _mm512_slli_epi16, _mm512_srli_epi16, _mm512_testn_epi16_mask, _pdep_u64,
};

use super::cuts::{Block, Characters, GROUPS, Groups, PAIRED};

/// More than there are characters of three bytes that begin in 64 bytes.
const N: usize = 32;

/// For each lane, the next one.
static NEXT: [u16; N] = {
    let mut next = [1; N];
    let mut lane = 1;
    while lane < N {
        next[lane] = next[lane - 1] + 1;
        lane += 1;
    }
    next
};

/// [`wide_characters`](super::cuts::wide_characters), where the processor has AVX2.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn wide_characters_avx2(block: &Block) -> u64 {
    let half = |start: usize| {
        let fixed = |at: usize, bits: u8, value: u8| {
            let bytes = block.get(start + at..).and_then(<[u8]>::first_chunk::<32>).unwrap_or(&[0; 32]);
            // SAFETY: it reads 32 bytes from an array of as many.
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            let all = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
            _mm256_cmpeq_epi8(_mm256_and_si256(bytes, all(bits)), all(value))
        };
        let rest = _mm256_and_si256(fixed(1, 0xC0, 0x80), fixed(2, 0xC0, 0x80));
        _mm256_movemask_epi8(_mm256_and_si256(fixed(0, 0xF0, 0xE0), rest)).cast_unsigned()
    };
    u64::from(half(0)) | u64::from(half(32)) << 32
}

/// [`Characters::cuts`], where the processor has AVX-512.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn cuts_avx512(characters: &Characters, block: &Block) -> u64 {
    let fixed = |at, bits, value| _mm512_cmpeq_epi8_mask(_mm512_and_si512(bytes(block, at), splat(bits)), splat(value));
    let wide = fixed(0, 0xF0, 0xE0) & fixed(1, 0xC0, 0x80) & fixed(2, 0xC0, 0x80);
    let pairs = wide & wide >> 3;
    if pairs == 0 {
        return 0;
    }
    // One character a lane.
    let part = |at| {
        let chosen = _mm512_maskz_compress_epi8(wide, bytes(block, at));
        _mm512_cvtepu8_epi16(_mm512_castsi512_si256(chosen))
    };
    let low = |bytes| _mm512_and_si512(bytes, _mm512_set1_epi16(0x3F));
    let (first, second, third) = (part(0), part(1), part(2));
    let rest = _mm512_or_si512(_mm512_slli_epi16::<6>(low(second)), low(third));
    let code_points = _mm512_or_si512(_mm512_slli_epi16::<12>(first), rest);
    let groups = characters.groups();
    let rest = _mm512_extracti64x4_epi64::<1>(code_points);
    let rest = if wide.count_ones() > 16 { gather(groups, rest) } else { _mm256_setzero_si256() };
    let first = gather(groups, _mm512_castsi512_si256(code_points));
    let lefts = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), rest);
    // SAFETY: it reads 64 bytes from an array of as many.
    let next = unsafe { _mm512_loadu_si512(NEXT.as_ptr().cast()) };
    let rights = _mm512_srli_epi16::<8>(_mm512_permutexvar_epi16(next, lefts));
    let shared = _mm512_and_si512(lefts, rights);
    let apart = _mm512_testn_epi16_mask(shared, shared);
    let paired = _mm512_cmpeq_epi16_mask(shared, _mm512_set1_epi16(i16::from(PAIRED)));
    let places = |lanes: u32| _pdep_u64(lanes.into(), wide) & pairs;
    places(apart) | characters.not_paired(block, places(paired))
}

/// The groups of sixteen characters.
#[inline]
#[target_feature(enable = "avx512f")]
fn gather(groups: &[Groups; GROUPS], characters: __m256i) -> __m256i {
    let numbers = _mm512_cvtepu16_epi32(characters);
    // SAFETY: each number is below 2^16, and four bytes from there on lie in the array, which has one more.
    let both = unsafe { _mm512_i32gather_epi32::<2>(numbers, groups.as_ptr().cast()) };
    _mm512_cvtepi32_epi16(both)
}

/// 64 bytes of a block from one of its first eight on.
#[inline]
#[target_feature(enable = "avx512f")]
fn bytes(block: &Block, at: usize) -> __m512i {
    let bytes = block.get(at..).and_then(<[u8]>::first_chunk::<64>).unwrap_or(&[0; 64]);
    // SAFETY: it reads 64 bytes from an array of as many.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cuts::tests::TOKENIZERS;
    use super::super::cuts::{N_LOADED, wide_characters};
    use super::*;
    use crate::pretokenize::Tier;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn cuts_are_those_of_the_plain_ones(
            text in "[\\u{800}-\\u{FFFF}]{8}[一-三ぁ-ん가-깋。、]{24}",
            noise in prop::collection::vec((0..N_LOADED, any::<u8>()), 0..8),
            shift in 0..3_usize,
        ) {
            let mut block = [0; N_LOADED];
            block.iter_mut().zip(text.as_bytes().iter().skip(shift)).for_each(|(slot, &byte)| *slot = byte);
            for (place, byte) in noise {
                block[place] = byte;
            }
            let has = |wanted| Tier::available().any(|tier| tier == wanted);
            let wide = wide_characters(&block);
            if has(Tier::Avx2) {
                // SAFETY: the tier is available.
                prop_assert_eq!(unsafe { wide_characters_avx2(&block) }, wide, "{:?}", block);
            }
            for tokenizer in TOKENIZERS.iter() {
                let characters = tokenizer.encoder().characters(tokenizer.vocabulary()).unwrap();
                if has(Tier::Avx512) {
                    // SAFETY: the tier is available.
                    let cuts = unsafe { cuts_avx512(characters, &block) };
                    prop_assert_eq!(cuts, characters.cuts(&block, wide), "{:?}", block);
                }
            }
        }
    }
}
