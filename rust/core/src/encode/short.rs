//! Short pretokens: find the lowest pair in an array, merge it, repeat.

use crate::counters::count;
use crate::ids::Symbol;
use crate::vocab::MergeTable;

/// Pretokens up to this length are merged here; longer ones a [window](super::windows) at a time, or in [`long`](super::long).
///
/// Quadratic work on at most this many bytes is constant work, and a scan over a small array has no branch to miss.
pub(super) const MAX_LENGTH: usize = 48;

/// So many parts are moved at once.
const MOVED: usize = 16;

/// Merges `pretoken`, of 1 to [`MAX_LENGTH`] bytes, and appends its ids to `out`.
///
/// # Complexity
///
/// O(n²) with n ≤ [`MAX_LENGTH`], so O(1) per byte; no allocation but in `out`.
pub(super) fn encode(table: &MergeTable, pretoken: &[u8], out: &mut Vec<u32>) {
    out.extend(Parts::merged(table, pretoken).symbols().map(|symbol| table.id(symbol).get()));
}

/// The parts of a pretoken.
pub(super) struct Parts {
    parts: [Part; MAX_LENGTH],
    n: usize,
}

/// A part of a pretoken.
#[derive(Clone, Copy)]
struct Part {
    symbol: Symbol,
    /// What it and the next part merge to: the lower, the sooner; NONE is higher than all.
    merged: Symbol,
}

impl Default for Parts {
    fn default() -> Self {
        Self { parts: [Part { symbol: Symbol::NONE, merged: Symbol::NONE }; MAX_LENGTH], n: 0 }
    }
}

impl Parts {
    /// What is left of 1 to [`MAX_LENGTH`] bytes when no two parts merge.
    #[inline(always)]
    pub(super) fn merged(table: &MergeTable, pretoken: &[u8]) -> Self {
        let Self { mut parts, .. } = Self::default();
        let mut n = pretoken.len().min(MAX_LENGTH);
        for (part, &byte) in parts.iter_mut().zip(pretoken) {
            part.symbol = Symbol::from_byte(byte);
        }
        for index in 1..n {
            parts[index - 1].merged = table.merged(parts[index - 1].symbol, parts[index].symbol);
        }
        while n > 1 {
            count(n);
            let (mut best, mut lowest) = (0, parts[0].merged);
            for (index, part) in parts[..n - 1].iter().enumerate() {
                if part.merged < lowest {
                    (best, lowest) = (index, part.merged);
                }
            }
            if lowest.is_none() {
                break;
            }
            match parts[best + 2..].first_chunk::<MOVED>() {
                // As many as there can be, for how many there are would be a guess of the processor's.
                Some(&moved) if n <= MOVED + 2 => {
                    if let Some(places) = parts[best + 1..].first_chunk_mut() {
                        *places = moved;
                    }
                }
                _ => parts.copy_within(best + 2..n, best + 1),
            }
            n -= 1;
            if best > 0 {
                parts[best - 1].merged = table.merged(parts[best - 1].symbol, lowest);
            }
            let merged = if best + 1 < n { table.merged(lowest, parts[best + 1].symbol) } else { Symbol::NONE };
            parts[best] = Part { symbol: lowest, merged };
        }
        Self { parts, n }
    }

    pub(super) fn symbols(&self) -> impl ExactSizeIterator<Item = Symbol> + Clone {
        self.parts.get(..self.n).unwrap_or_default().iter().map(|part| part.symbol)
    }
}
