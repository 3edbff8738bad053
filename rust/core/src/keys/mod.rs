//! Pretokens as keys of a few words, and the places that keys choose in a table: what the cache of encoding and the counts of
//! training look pretokens up by.

#[cfg(target_arch = "x86_64")]
mod eights;
#[cfg(target_arch = "x86_64")]
mod fours;
mod key;

use std::hash::{BuildHasher, RandomState};

pub(crate) use key::{EMPTY, Key, MAX_MEDIUM, MAX_SHORT, Pretoken, SEGMENT, is_too_long, short_key};

use crate::ids::{halves, widen};
use crate::pretokenize::Tier;

/// So many keys are made at a time: their places can be fetched from memory meanwhile.
pub(crate) const BATCH: usize = 128;

/// Keys of a batch have room for more than that, so that eight can be made at once from any.
pub(crate) const ROOM: usize = BATCH + 8;

/// How keys choose places among a power of two of them.
///
/// Random, so that nobody can make a text whose pretokens all have one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<const W: usize> {
    /// An odd number of 16 bits for each 16 bits of a key.
    seeds: [u64; W],
    /// An odd number of 32 bits for each 32 bits of a key.
    multipliers: [u64; W],
    /// What is left of a hash after a shift by so many bits chooses a place, however many there are.
    shift: u32,
}

impl<const W: usize> Places<W> {
    /// Of at most 2^`max_log` places, of which there are at least two.
    pub(crate) fn new(max_log: u32) -> Self {
        let random = RandomState::new();
        Self {
            seeds: std::array::from_fn(|word| random.hash_one(word) | 0x0001_0001_0001_0001),
            multipliers: std::array::from_fn(|word| random.hash_one(W + word) | 0x0000_0001_0000_0001),
            shift: Self::shift(max_log),
        }
    }

    /// The same for another number of places.
    pub(crate) fn with_max_log(self, max_log: u32) -> Self {
        Self { shift: Self::shift(max_log), ..self }
    }

    fn shift(max_log: u32) -> u32 {
        32_u32.saturating_sub(max_log)
    }

    /// The place of a key, of which the lower bits choose one of fewer places.
    ///
    /// Parts of 16 bits with a sign, times numbers that nobody can guess, are added up in pairs, and the sums, again times such
    /// numbers, all together: products that vectors have many of at once. Two keys that differ agree in some sum of a pair, of
    /// the 2¹⁵ numbers that one part may be multiplied with, for one at most; where they do not, the last sums differ by an
    /// odd number times that difference, and agree in their n highest bits with a chance of 2 in 2ⁿ at most (multiply-shift
    /// hashing: Dietzfelbinger and others, 1997).
    #[inline(always)]
    pub(crate) fn of(&self, key: &Key<W>) -> u32 {
        let mut hash = 0_u32;
        for ((word, seed), multiplier) in key.iter().zip(&self.seeds).zip(&self.multipliers) {
            let ([low, high], [low_seed, high_seed]) = (halves(*word), halves(*seed));
            let [by_low, by_high] = halves(*multiplier);
            hash = hash.wrapping_add(sum_of_products(low, low_seed).wrapping_mul(by_low));
            hash = hash.wrapping_add(sum_of_products(high, high_seed).wrapping_mul(by_high));
        }
        hash >> self.shift
    }
}

/// The sum of the products of two numbers of 16 bits with two others.
#[inline(always)]
fn sum_of_products(numbers: u32, others: u32) -> u32 {
    let parts = |number: u32| {
        let [a, b, c, d] = number.to_le_bytes();
        [[a, b], [c, d]].map(|part| i32::from(i16::from_le_bytes(part)))
    };
    let ([low, high], [other_low, other_high]) = (parts(numbers), parts(others));
    (low * other_low).wrapping_add(high * other_high).cast_unsigned()
}

/// Makes the keys of up to [`BATCH`] consecutive pretokens of `text` from `start` on, and the places they choose, less the bits
/// that `mask` has not; `fetch` is called with each place. Of those too long for a key there is one key.
#[inline]
pub(crate) fn make_keys(
    tier: Tier,
    chooser: &Places<2>,
    (mask, fetch): (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    (keys, places): (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) {
    let ends = ends.get(..BATCH).unwrap_or(ends);
    let n_made = make_keys_at_once(tier, chooser, (mask, &fetch), text, start, ends, (keys, places));
    let mut start = n_made.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(start);
    let (Some(ends), Some(keys), Some(places)) = (ends.get(n_made..), keys.get_mut(n_made..), places.get_mut(n_made..))
    else {
        return;
    };
    for (&end, (key, place)) in ends.iter().zip(keys.iter_mut().zip(places.iter_mut())) {
        // Only the last ones of a text are not followed by enough of it.
        *key = match text.get(start..).and_then(<[u8]>::first_chunk) {
            Some(window) => short_key(window, end - start),
            None => Pretoken { text, start, end, is_segment: false }.key(),
        };
        *place = chooser.of(key) & mask;
        fetch(widen(*place));
        start = end;
    }
}

/// Where pretokens end, so many at a time; the last of them, if some are left, are filled up with empty ones.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn in_lanes<const N: usize>(start: usize, ends: &[usize]) -> (&[[usize; N]], Option<[usize; N]>) {
    let (whole, left) = ends.as_chunks();
    let mut last = [ends.last().copied().unwrap_or(start); N];
    last.iter_mut().zip(left).for_each(|(slot, &end)| *slot = end);
    (whole, (!left.is_empty()).then_some(last))
}

/// The first ones of [`make_keys`], several at a time where the tier can do that. Returns of how many, or a few more.
#[inline]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn make_keys_at_once(
    tier: Tier,
    chooser: &Places<2>,
    fetch: (u32, impl Fn(usize)),
    text: &[u8],
    start: usize,
    ends: &[usize],
    out: (&mut [Key<2>; ROOM], &mut [u32; ROOM]),
) -> usize {
    match tier {
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512 => eights::make_keys(chooser, fetch, text, start, ends, out),
        #[cfg(target_arch = "x86_64")]
        Tier::Avx2 => fours::make_keys(chooser, fetch, text, start, ends, out),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one tier made would otherwise never be found by another.
    #[test]
    fn keys_and_places_are_those_of_one_at_a_time() {
        let chooser = Places::new(9);
        let text: Vec<u8> =
            (0..15_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_769).to_be_bytes()).collect();
        // With long ones in between, and so that eight just lie in a window, or just do not.
        let far = |index: usize| if index % 7 == 6 { 40 * index + 250 } else { 1 + index * 5 % 17 };
        let near = |index: usize| 1 + index * 5 % 17;
        let within = |last: usize| move |index: usize| if index % 8 == 6 { last - 6 * 15 } else { 15 };
        let lengths: [&dyn Fn(usize) -> usize; 4] = [&far, &near, &within(120), &within(121)];
        for n in 0..=BATCH {
            for (start, length) in [0, 3].into_iter().flat_map(|start| lengths.map(|length| (start, length))) {
                let mut end = start;
                let ends: Vec<usize> = (0..n)
                    .map(|index| {
                        end += length(index);
                        end
                    })
                    .collect();
                let texts = [&text[..], &text[..end], &text[..end.min(40)]];
                for (tier, text) in Tier::available().flat_map(|tier| texts.map(|text| (tier, text))) {
                    let (mut keys, mut places) = ([[0; 2]; ROOM], [0; ROOM]);
                    let fetched = std::cell::RefCell::new(Vec::new());
                    let fetch = |place| fetched.borrow_mut().push(place);
                    make_keys(tier, &chooser, (0xFF, fetch), text, start, &ends, (&mut keys, &mut places));
                    let mut start = start;
                    for (index, &end) in ends.iter().enumerate() {
                        let key = Pretoken { text, start, end, is_segment: false }.key();
                        let place = chooser.of(&key) & 0xFF;
                        assert_eq!((keys[index], places[index]), (key, place), "{tier:?} {index} of {n}");
                        assert_eq!(fetched.borrow()[index], widen(place));
                        start = end;
                    }
                }
            }
        }
    }

    /// Keys that differ in little share places as seldom as by chance: not with any random numbers, but with most.
    #[test]
    fn like_keys_have_unlike_places() {
        const LOG: u32 = 16;
        let key = |text: String| Pretoken::whole(text.as_bytes()).key::<2>();
        let numbers: Vec<_> = (0..60_000).map(|n| key(n.to_string())).collect();
        let endings: Vec<_> = (0..60_000).map(|n| key(format!(" abcdefg{n:05}"))).collect();
        let bits: Vec<_> = (0..1 << 15).map(|n| key(format!("{n:015b}"))).collect();
        // What differs are the lower bytes of parts of 16 bits, or the higher ones.
        let spaced = |n: usize| format!("{n:05}").chars().flat_map(|digit| [digit, 'x']).collect::<String>();
        let low: Vec<_> = (0..60_000).map(|n| key(spaced(n))).collect();
        let high: Vec<_> = (0..60_000).map(|n| key(format!("x{}", spaced(n)))).collect();
        for keys in [numbers, endings, bits, low, high] {
            let by_chance = (keys.len() * (keys.len() - 1)) >> LOG;
            let mut all: Vec<usize> = (0..9)
                .map(|_| {
                    let chooser = Places::new(LOG);
                    let mut counts = vec![0_usize; 1 << LOG];
                    keys.iter().for_each(|key| counts[widen(chooser.of(key))] += 1);
                    counts.iter().map(|n| n * n.saturating_sub(1)).sum()
                })
                .collect();
            all.sort_unstable();
            assert!(all[4] < by_chance * 3 / 2, "{all:?} pairs share a place, by chance {by_chance}");
        }
    }

    /// Several at a time as long as the text goes on, and whatever is said of where they end.
    #[test]
    fn keys_are_made_at_once_where_16_bytes_follow() {
        let (chooser, text) = (Places::new(9), [b'a'; 1_000]);
        let n_made = |tier, text: &[u8], start, ends: &[usize]| {
            let mut out = ([[0; 2]; ROOM], [0; ROOM]);
            make_keys_at_once(tier, &chooser, (0xFF, |_| {}), text, start, ends, (&mut out.0, &mut out.1))
        };
        for (tier, lanes) in [(Tier::Avx2, 4), (Tier::Avx512, 8)] {
            if Tier::available().all(|other| other != tier) {
                continue;
            }
            let ends: Vec<usize> = (1..=BATCH).map(|index| 5 * index).collect();
            for n in 0..=BATCH {
                assert_eq!(n_made(tier, &text, 0, &ends[..n]), n.next_multiple_of(lanes));
            }
            // The last start from which 16 bytes follow is 84.
            assert_eq!(n_made(tier, &text[..100], 0, &ends), 16);
            assert_eq!(n_made(tier, &text[..15], 0, &ends), 0);
            for far in [990, 1_000, 1_001, usize::MAX / 2 + 1, usize::MAX - 15, usize::MAX] {
                for place in 0..3 {
                    let mut ends = [10, 9, 500, 3, 20, 30, 40, 50];
                    ends[place] = far;
                    assert_eq!(n_made(tier, &text, 0, &ends), 0, "{far} {place}");
                }
                assert_eq!(n_made(tier, &text, far, &[1, 2, 3, 4, 5, 6, 7, 8]), 0, "{far}");
            }
        }
    }
}
