//! Where a text is cut before it is looked for: where its pretokens end, and at the safe cuts between characters of three
//! bytes.
//!
//! # Safety
//!
//! The one unsafe act here is to call functions that are compiled for AVX2 or AVX-512, which is sound where the processor has
//! them: [`Tier::current`], where tiers come from, asks. Nothing is read or written through pointers.

#![allow(unsafe_code)]

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use super::apart;
use super::cuts::{Block, Characters, N_CUTS, N_LOADED, wide_characters};
use crate::ids::widen;
use crate::pretokenize::{N_ENDS, Tier, write_ends};
#[cfg(target_arch = "x86_64")]
use crate::pretokenize::{write_ends_avx2, write_ends_avx512};

/// A text is cut so many bytes at a time.
pub(super) const PART: usize = 64 * N_CUTS;

/// Where the segments of a part of a text end.
#[derive(Debug)]
pub(super) struct Segments {
    ends: [usize; PART + N_ENDS],
    n: usize,
}

impl Default for Segments {
    fn default() -> Self {
        Self { ends: [0; PART + N_ENDS], n: 0 }
    }
}

impl Segments {
    pub(super) fn ends(&self) -> &[usize] {
        self.ends.get(..self.n).unwrap_or_default()
    }

    /// Finds the segments that end in a part of a text, of at most [`PART`] bytes: at `pretoken_ends`, and at the safe cuts
    /// between characters of three bytes.
    ///
    /// # Complexity
    ///
    /// O(n) for a part of n bytes.
    pub(super) fn find(
        &mut self,
        tier: Tier,
        characters: &Characters,
        text: &[u8],
        part: Range<usize>,
        pretoken_ends: &[usize],
    ) {
        match tier {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier is available.
            Tier::Avx512 => unsafe { self.find_avx512(characters, text, part, pretoken_ends) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier is available.
            Tier::Avx2 => unsafe { self.find_avx2(characters, text, part, pretoken_ends) },
            _ => {
                let cuts = |block: &Block| characters.cuts(block, wide_characters(block));
                self.find_by(cuts, write_ends, text, part, pretoken_ends);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn find_avx512(&mut self, characters: &Characters, text: &[u8], part: Range<usize>, pretoken_ends: &[usize]) {
        let write = |cuts, at, ends: &mut [usize; N_ENDS]| write_ends_avx512(cuts, at, ends);
        self.find_by(|block| apart::cuts_avx512(characters, block), write, text, part, pretoken_ends);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn find_avx2(&mut self, characters: &Characters, text: &[u8], part: Range<usize>, pretoken_ends: &[usize]) {
        let cuts = |block: &Block| characters.cuts(block, apart::wide_characters_avx2(block));
        let write = |cuts, at, ends: &mut [usize; N_ENDS]| write_ends_avx2(cuts, at, ends);
        self.find_by(cuts, write, text, part, pretoken_ends);
    }

    #[inline(always)]
    fn find_by(
        &mut self,
        cuts: impl Fn(&Block) -> u64,
        write_ends: impl Fn(u64, usize, &mut [usize; N_ENDS]),
        text: &[u8],
        part: Range<usize>,
        pretoken_ends: &[usize],
    ) {
        let mut pretoken_ends = pretoken_ends.iter().copied().peekable();
        let (mut n, mut at) = (0, part.start);
        while at < part.end {
            let n_bytes = (part.end - at).min(N_CUTS);
            // Only at the start and the end of a text there is less than a block around.
            let mut padded = [0; N_LOADED];
            let block = at.checked_sub(2).and_then(|start| text.get(start..)?.first_chunk()).unwrap_or_else(|| {
                let around = text.iter().skip(at.saturating_sub(2));
                padded.iter_mut().skip(2_usize.saturating_sub(at)).zip(around).for_each(|(slot, &byte)| *slot = byte);
                &padded
            });
            // Bit `i` speaks of the place after byte `at + i`.
            let mut lasts = cuts(block) & ((1 << n_bytes) - 1);
            while let Some(end) = pretoken_ends.next_if(|&end| end <= at + n_bytes) {
                lasts |= 1 << (end - at - 1);
            }
            if let Some(slots) = self.ends.get_mut(n..).and_then(<[usize]>::first_chunk_mut) {
                write_ends(lasts, at, slots);
            }
            n += widen(lasts.count_ones());
            at += n_bytes;
        }
        self.n = n;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cuts::tests::TOKENIZERS;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// Each place is looked at alone, in a block that begins there.
        #[test]
        fn segments_end_where_pretokens_do_and_at_cuts(
            pieces in prop::collection::vec("[一-三ぁ-ん가-깋。、a é😀]{0,9}", 1..400),
            noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            skipped in 0..70_usize,
        ) {
            let mut text = pieces.concat().into_bytes();
            for (place, byte) in noise {
                if !text.is_empty() {
                    let place = place.index(text.len());
                    text[place] = byte;
                }
            }
            let mut pretoken_ends: Vec<usize> = pieces
                .iter()
                .scan(0, |end, piece| {
                    *end += piece.len();
                    Some(*end)
                })
                .collect();
            pretoken_ends.dedup();
            let part = skipped.min(text.len())..text.len().min(skipped + PART);
            pretoken_ends.retain(|&end| end > part.start);
            for tokenizer in TOKENIZERS.iter() {
                let characters = tokenizer.encoder().characters(tokenizer.vocabulary()).unwrap();
                let is_cut = |end: usize| {
                    let mut block = [0; N_LOADED];
                    let around = [0; 2].iter().chain(&text).skip(end - 1);
                    block.iter_mut().zip(around).for_each(|(slot, &byte)| *slot = byte);
                    characters.cuts(&block, wide_characters(&block)) & 1 == 1
                };
                let is_end = |&end: &usize| pretoken_ends.binary_search(&end).is_ok() || is_cut(end);
                let expected: Vec<usize> = (part.start + 1..=part.end).filter(is_end).collect();
                for tier in Tier::available() {
                    let mut segments = Segments::default();
                    segments.find(tier, characters, &text, part.clone(), &pretoken_ends);
                    prop_assert_eq!(segments.ends(), &expected[..], "{:?}", tier);
                }
            }
        }
    }
}
