//! The look-up of a batch: what its lines of the cache say at once.
//!
//! # Safety
//!
//! The one unsafe act here is to call a function that is compiled for AVX2, which is sound where the processor has it:
//! [`Tier::current`], where tiers come from, asks. Nothing is read or written through pointers.

#![allow(unsafe_code)]

use std::ops::Range;

use super::batch::Batch;
use super::cache::Cache;
use super::packed::{Packed, Packing};
use super::sink::{Few, Sink};
use super::table::Line;
use crate::ids::widen;
use crate::keys::Key;
use crate::pretokenize::Tier;

/// Gives the ids of some of a batch to `sink` one after the other, until one is not at home in its line, or has too many ids
/// for it. Returns how many it gave.
#[inline]
pub(super) fn take(tier: Tier, batch: &Batch, cache: &Cache, range: Range<usize>, sink: &mut impl Sink) -> usize {
    let (keys, places) = (batch.keys.get(range.clone()), batch.places.get(range));
    let wanted = Wanted { keys: keys.unwrap_or_default(), places: places.unwrap_or_default() };
    let lines = cache.short.lines();
    match tier {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the tier is available, and what has AVX-512 has AVX2.
        Tier::Avx2 | Tier::Avx512 => unsafe { take_avx2(wanted, lines, cache.packing, sink) },
        _ => take_portable(wanted, lines, cache.packing, sink),
    }
}

#[inline(never)]
fn take_portable(wanted: Wanted<'_>, lines: &[Line<2, 16>], packing: Packing, sink: &mut impl Sink) -> usize {
    wanted.take(lines, packing, way, sink)
}

#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn take_avx2(wanted: Wanted<'_>, lines: &[Line<2, 16>], packing: Packing, sink: &mut impl Sink) -> usize {
    wanted.take(lines, packing, |keys, key| way_avx2(keys, key), sink)
}

/// Keys, and the line of each.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    keys: &'a [Key<2>],
    places: &'a [u32],
}

impl Wanted<'_> {
    /// What [`take`] does. Each packing has a loop of its own.
    #[inline(always)]
    fn take(
        self,
        lines: &[Line<2, 16>],
        packing: Packing,
        way: impl Fn(&[Key<2>; 2], &Key<2>) -> usize,
        sink: &mut impl Sink,
    ) -> usize {
        match packing {
            Packing::Narrow => self.take_by(lines, |packed| Packing::Narrow.unpack(packed), way, sink),
            Packing::Wide => self.take_by(lines, |packed| Packing::Wide.unpack(packed), way, sink),
        }
    }

    #[inline(always)]
    fn take_by(
        self,
        lines: &[Line<2, 16>],
        unpack: impl Fn(&Packed<16>) -> Few,
        way: impl Fn(&[Key<2>; 2], &Key<2>) -> usize,
        sink: &mut impl Sink,
    ) -> usize {
        let wanted = self.keys.iter().zip(self.places);
        sink.take_while(wanted, |(key, &place)| short(lines, key, place, &way).map(&unpack))
    }
}

/// The ids of a short pretoken, if its line has them.
#[inline(always)]
fn short<'a>(
    lines: &'a [Line<2, 16>],
    key: &Key<2>,
    place: u32,
    way: impl Fn(&[Key<2>; 2], &Key<2>) -> usize,
) -> Option<&'a Packed<16>> {
    let (keys, packed) = lines.get(widen(place))?.slots();
    packed.get(way(keys, key))
}

/// Which of two keys is the one that is looked for; 2 if none.
#[inline(always)]
fn way(keys: &[Key<2>; 2], key: &Key<2>) -> usize {
    let differences = |known: &Key<2>| (known[0] ^ key[0]) | (known[1] ^ key[1]);
    // No branch: which of the two it is would be a guess of the processor's.
    let [first, second] = [differences(&keys[0]) == 0, differences(&keys[1]) == 0];
    if first { 0 } else { 2 - usize::from(second) }
}

/// By which of the four words of two keys are those that are looked for: which key is.
#[cfg(target_arch = "x86_64")]
static WAYS: [u8; 16] = {
    let mut ways = [2; 16];
    let mut equal = 0;
    while equal < 16 {
        if equal & 0b11 == 0b11 {
            ways[equal] = 0;
        } else if equal >> 2 == 0b11 {
            ways[equal] = 1;
        }
        equal += 1;
    }
    ways
};

/// [`way`], with one comparison of all four words.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn way_avx2(keys: &[Key<2>; 2], key: &Key<2>) -> usize {
    use std::arch::x86_64::{_mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_movemask_pd, _mm256_setr_epi64x};
    let [[first, second], [third, last]] = keys.map(|key| key.map(u64::cast_signed));
    let known = _mm256_setr_epi64x(first, second, third, last);
    let [low, high] = key.map(u64::cast_signed);
    let wanted = _mm256_setr_epi64x(low, high, low, high);
    let equal = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(known, wanted)));
    usize::from(WAYS[usize::try_from(equal).unwrap_or(0) & 15])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_being_equal_is_told_alike() {
        let key = [0x0102_0304_0506_0708, 0x0F00_0000_0000_0001];
        let others = [key, [key[0], 1], [2, key[1]], [3, 4], [key[1], key[0]]];
        for first in others {
            for second in others {
                let keys = [first, second];
                let expected = keys.iter().position(|known| *known == key).unwrap_or(2);
                assert_eq!(way(&keys, &key), expected);
                #[cfg(target_arch = "x86_64")]
                if Tier::available().any(|tier| tier == Tier::Avx2) {
                    // SAFETY: the tier is available.
                    assert_eq!(unsafe { way_avx2(&keys, &key) }, expected);
                }
            }
        }
    }
}
