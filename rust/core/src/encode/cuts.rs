//! Safe cuts: places in a pretoken that no token can cross, found by the two bytes beside them.
//!
//! If no token holds the bytes `x` and `y` side by side, no merge ever joins what lies on either side of `x|y`: the
//! encoding of the whole is the encoding of the parts, one after the other. In text without spaces most characters are
//! cut from their neighbours in this way, and a line that never comes again becomes a few characters that often do.

use crate::vocab::{MergeTable, Vocabulary};

/// Which pairs of bytes stand side by side in some token that merges lead to.
#[derive(Debug)]
pub(super) struct Cuts {
    /// One bit for each pair of bytes, by `left << 8 | right`.
    joined: Vec<u64>,
}

impl Cuts {
    /// Looks at where the two parts of each token meet: its other pairs of bytes lie inside the parts.
    pub(super) fn new(vocabulary: &Vocabulary, table: &MergeTable) -> Self {
        let mut joined = vec![0; 1 << 10];
        for (left, right, _) in table.merges() {
            let [left, right] = [left, right].map(|part| vocabulary.token(table.id(part).get()).unwrap_or_default());
            if let (Some(&left), Some(&right)) = (left.last(), right.first()) {
                joined[usize::from(left) << 2 | usize::from(right) >> 6] |= 1 << (right & 63);
            }
        }
        Self { joined }
    }

    /// Splits a non-empty pretoken before the first safe cut, if it has one.
    #[inline]
    pub(super) fn first_segment<'p>(&self, pretoken: &'p [u8]) -> (&'p [u8], &'p [u8]) {
        let is_cut = |pair: &[u8]| {
            let [left, right] = [pair[0], pair[1]];
            // Cutting inside characters too would be right, but make the segments too short to be worth a look-up.
            let is_boundary = right & 0xC0 != 0x80;
            is_boundary && self.joined[usize::from(left) << 2 | usize::from(right) >> 6] >> (right & 63) & 1 == 0
        };
        let end = pretoken.windows(2).position(is_cut).map_or(pretoken.len(), |index| index + 1);
        pretoken.split_at(end)
    }
}
