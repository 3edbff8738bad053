//! Short pretokens: find the lowest pair in an array, merge it, repeat.

use crate::counters::count;
use crate::ids::Symbol;
use crate::vocab::MergeTable;

/// Pretokens up to this length are merged here; longer ones in [`long`](super::long).
///
/// Quadratic work on at most this many bytes is constant work, and a scan over a small array has no branch to miss.
pub(super) const MAX_LENGTH: usize = 48;

/// Merges `pretoken`, of 1 to [`MAX_LENGTH`] bytes, and appends its ids to `out`.
///
/// # Complexity
///
/// O(n²) with n ≤ [`MAX_LENGTH`], so O(1) per byte; no allocation but in `out`.
pub(super) fn encode(table: &MergeTable, pretoken: &[u8], out: &mut Vec<u32>) {
    let mut symbols = [Symbol::NONE; MAX_LENGTH];
    // `merged[i]` is what symbols i and i + 1 merge to: the lower, the sooner; NONE is higher than all.
    let mut merged = [Symbol::NONE; MAX_LENGTH];
    let mut n = pretoken.len().min(MAX_LENGTH);
    for (symbol, &byte) in symbols.iter_mut().zip(pretoken) {
        *symbol = Symbol::from_byte(byte);
    }
    for index in 1..n {
        merged[index - 1] = table.merged(symbols[index - 1], symbols[index]);
    }
    while n > 1 {
        count(n);
        let (mut best, mut lowest) = (0, merged[0]);
        for (index, &candidate) in merged[..n - 1].iter().enumerate() {
            if candidate < lowest {
                (best, lowest) = (index, candidate);
            }
        }
        if lowest.is_none() {
            break;
        }
        symbols[best] = lowest;
        symbols.copy_within(best + 2..n, best + 1);
        merged.copy_within((best + 1).min(n - 1)..n - 1, best);
        n -= 1;
        if best > 0 {
            merged[best - 1] = table.merged(symbols[best - 1], lowest);
        }
        if best + 1 < n {
            merged[best] = table.merged(lowest, symbols[best + 1]);
        }
    }
    out.extend(symbols[..n].iter().map(|&symbol| table.id(symbol).get()));
}
