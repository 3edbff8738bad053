//! Safe cuts: places in a pretoken that no token can cross, found by the two bytes beside them.
//!
//! If no token holds the bytes `x` and `y` side by side, no merge ever joins what lies on either side of `x|y`: the
//! encoding of the whole is the encoding of the parts, one after the other. In text without spaces most characters are
//! cut from their neighbours in this way, and a line that never comes again becomes a few characters that often do.

use crate::vocab::{MergeTable, Vocabulary};

/// Which pairs of bytes stand side by side in some token.
#[derive(Debug)]
pub(super) struct Cuts {
    /// One bit for each pair of bytes, by `left << 8 | right`.
    joined: Vec<u64>,
}

impl Cuts {
    /// Looks at the tokens that can come of merging; and, where whole pretokens are looked up, at those that cannot.
    pub(super) fn new(vocabulary: &Vocabulary, table: &MergeTable, whole_pretokens: bool) -> Self {
        let mut joined = vec![0; 1 << 10];
        let mut join = |left: u8, right: u8| joined[word(left, right)] |= 1 << (right & 63);
        if whole_pretokens {
            for (_, token) in vocabulary.ordinary() {
                token.windows(2).for_each(|pair| join(pair[0], pair[1]));
            }
        }
        // Where its two parts meet is all there is to a token that is merged: its other pairs of bytes lie in the parts.
        for (left, right, _) in table.merges() {
            let [left, right] = [left, right].map(|part| vocabulary.token(table.id(part).get()).unwrap_or_default());
            if let (Some(&left), Some(&right)) = (left.last(), right.first()) {
                join(left, right);
            }
        }
        Self { joined }
    }

    /// Splits a pretoken before the first safe cut, if it has one.
    #[inline]
    pub(super) fn first_segment<'p>(&self, pretoken: &'p [u8]) -> (&'p [u8], &'p [u8]) {
        let end = pretoken
            .windows(2)
            .position(|pair| self.is_cut(pair[0], pair[1]))
            .map_or(pretoken.len(), |index| index + 1);
        pretoken.split_at(end)
    }

    /// The segments of a pretoken, between its safe cuts.
    #[inline]
    pub(super) fn segments<'p>(&self, pretoken: &'p [u8]) -> impl Iterator<Item = &'p [u8]> {
        let mut rest = pretoken;
        std::iter::from_fn(move || {
            let (segment, after) = self.first_segment(rest);
            rest = after;
            (!segment.is_empty()).then_some(segment)
        })
    }

    /// Whether a pretoken may be cut between two of its bytes.
    #[inline(always)]
    fn is_cut(&self, left: u8, right: u8) -> bool {
        // Cutting inside characters too would be right, but make the segments too short to be worth a look-up.
        let is_boundary = right & 0xC0 != 0x80;
        is_boundary && self.joined[word(left, right)] >> (right & 63) & 1 == 0
    }
}

/// Which word has the bit of a pair.
#[inline(always)]
fn word(left: u8, right: u8) -> usize {
    usize::from(left) << 2 | usize::from(right) >> 6
}
