//! What is found by a hash: a table of four bytes for each, and the hashes.
//!
//! A slot holds a number, by which the caller knows what it stands for, and eight bits of its hash. So a table takes little
//! memory, which is much of what filling it costs, and few numbers are looked at in vain.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::ids::{Pair, fold_multiply, halves, narrow, widen, widen_u64};

/// Numbers below 2²⁴, each by the hash of what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    lines: Vec<Line>,
    /// How many slots of each line are in use: the first ones.
    n_used: Vec<u8>,
}

/// Slots that are looked at all at once; they fill a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    /// A part of the hash of each number, or 0 where the slot is free.
    tags: [u8; Slots::PER_LINE],
    numbers: [[u8; 3]; Slots::PER_LINE],
}

impl Line {
    const FREE: Self = Self { tags: [0; Slots::PER_LINE], numbers: [[0; 3]; Slots::PER_LINE] };

    /// The lowest bit of each byte, and the highest.
    const LOW: u128 = u128::MAX / 0xFF;
    const HIGH: u128 = Self::LOW << 7;

    /// The highest bit of each byte that is this tag.
    #[inline(always)]
    fn matching(&self, tag: u8) -> u128 {
        let differ = u128::from_le_bytes(self.tags) ^ (Self::LOW * u128::from(tag));
        // The highest bit of each byte of which another is set: the sum stays in the byte.
        let others = (differ & !Self::HIGH) + !Self::HIGH;
        !(others | differ) & Self::HIGH
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.tags[Slots::PER_LINE - 1] != 0
    }
}

impl Slots {
    const PER_LINE: usize = 16;

    /// To how many numbers there is a line. One in twenty is full then.
    const NUMBERS_PER_LINE: usize = 10;

    /// How much memory a table for `n` numbers takes.
    pub(super) const fn n_bytes(n: usize) -> usize {
        (n / Self::NUMBERS_PER_LINE + 1) * (size_of::<Line>() + 1)
    }

    /// A table for `n` numbers.
    pub(super) fn new(n: usize) -> Self {
        let n_lines = n / Self::NUMBERS_PER_LINE + 1;
        Self { lines: vec![Line::FREE; n_lines], n_used: vec![0; n_lines] }
    }

    /// The first line to look at for a hash, and the tag.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u8) {
        let [low, high] = halves(hash);
        // As far into the lines as the hash is into all hashes.
        let [_, line] = halves(u64::from(high) * widen_u64(self.lines.len()));
        (widen(line), low.to_le_bytes()[0].max(1))
    }

    /// The line after a full one.
    #[inline(always)]
    fn next(&self, line: usize) -> usize {
        if line + 1 < self.lines.len() { line + 1 } else { 0 }
    }

    /// The number with this hash for which `is_it` holds.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        let (mut at, tag) = self.place(hash);
        loop {
            let line = self.lines.get(at)?;
            let mut matching = line.matching(tag);
            while matching != 0 {
                let [a, b, c] = line.numbers[widen(matching.trailing_zeros() / 8) % Self::PER_LINE];
                let number = widen(u32::from_le_bytes([a, b, c, 0]));
                if is_it(number) {
                    return Some(number);
                }
                matching &= matching - 1;
            }
            if !line.is_full() {
                return None;
            }
            at = self.next(at);
        }
    }

    /// Adds a number. There must be no more of them than there is room for.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64, number: usize) {
        let (mut at, tag) = self.place(hash);
        let [a, b, c, _] = narrow(number).unwrap_or(u32::MAX).to_le_bytes();
        while let (Some(n_used), Some(line)) = (self.n_used.get_mut(at), self.lines.get_mut(at)) {
            let slot = usize::from(*n_used);
            if slot < Self::PER_LINE {
                (line.tags[slot], line.numbers[slot]) = (tag, [a, b, c]);
                *n_used += 1;
                return;
            }
            at = self.next(at);
        }
    }
}

/// What hashes depend on, chosen at random: nobody can make a file or a text of which all has one slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds([u64; 2]);

impl Seeds {
    pub(super) fn new() -> Self {
        let random = RandomState::default();
        Self([random.hash_one(0), random.hash_one(1)])
    }

    #[inline(always)]
    pub(super) fn pair(self, pair: Pair) -> u64 {
        fold_multiply(pair.get() ^ self.0[0], self.0[1])
    }

    #[inline(always)]
    pub(super) fn short(self, ends: Ends, length: usize) -> u64 {
        // The length has a part in it: the ends of runs of one character are all alike.
        fold_multiply(ends.0 ^ self.0[0].wrapping_add(widen_u64(length)), ends.1 ^ self.0[1])
    }

    /// # Complexity
    ///
    /// O(`bytes.len()`).
    #[inline(never)]
    pub(super) fn long(self, bytes: &[u8]) -> u64 {
        let mut hash = widen_u64(bytes.len());
        let last = bytes.len().checked_sub(Ends::MAX).and_then(|start| bytes.get(start..));
        for window in bytes.as_chunks::<{ Ends::MAX }>().0.iter().map(<[u8; _]>::as_slice).chain(last) {
            let Ends(first, last) = Ends::of(window);
            hash = fold_multiply(hash ^ first ^ self.0[0], last ^ self.0[1]);
        }
        hash
    }
}

/// The first and the last of up to 16 bytes as two words that overlap: with the length, all there is to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends(u64, u64);

impl Ends {
    /// How many bytes there may be.
    pub(super) const MAX: usize = 16;

    #[inline(always)]
    pub(super) fn of(bytes: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            Self(u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            Self(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            Self(u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
        } else {
            Self(bytes.first().copied().unwrap_or(0).into(), 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the hashes, and where many are the same, what was added is found and nothing else.
        #[test]
        fn what_is_added_is_found(hashes in prop::collection::vec(prop_oneof![any::<u64>(), 0..4_u64, u64::MAX - 3..], 0..200)) {
            let mut slots = Slots::new(hashes.len());
            // Not 0, which is what free slots hold: it is not to be found.
            for (number, &hash) in (1..).zip(&hashes) {
                prop_assert_eq!(slots.find(hash, |known| known == number || known == 0), None);
                slots.insert(hash, number);
                prop_assert_eq!(slots.find(hash, |known| known == number || known == 0), Some(number));
            }
            for (number, &hash) in (1..).zip(&hashes) {
                prop_assert_eq!(slots.find(hash, |known| known == number), Some(number));
                prop_assert_eq!(slots.find(hash, |known| known == 0), None);
            }
        }

        /// Bytes of one length with the same ends are the same bytes.
        #[test]
        fn ends_are_all_there_is(bytes in prop::collection::vec(any::<u8>(), 1..=Ends::MAX), at in any::<prop::sample::Index>()) {
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1;
            prop_assert_eq!(Ends::of(&bytes), Ends::of(&bytes.clone()));
            prop_assert_ne!(Ends::of(&bytes), Ends::of(&other));
        }
    }

    /// The bytes of a longer key are all looked at, the length too.
    #[test]
    fn long_keys_differ_by_each_byte() {
        let seeds = Seeds::new();
        for n in [17, 31, 32, 33, 100] {
            let bytes = vec![7; n];
            assert_ne!(seeds.long(&bytes), seeds.long(&vec![7; n + 1]));
            for at in 0..n {
                let mut other = bytes.clone();
                other[at] = 8;
                assert_ne!(seeds.long(&bytes), seeds.long(&other), "{n} {at}");
            }
        }
    }
}
