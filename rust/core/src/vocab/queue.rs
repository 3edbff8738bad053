//! Merging to the end by the plain rule: the lowest rank first, the leftmost among equals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// A merge that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made<T> {
    pub(crate) rank: u32,
    pub(crate) left: T,
    pub(crate) right: T,
    /// The span of both, in positions of the tokens at the start.
    pub(crate) span: Range<usize>,
}

/// What is left when no two neighbours merge, and the last merge made.
#[derive(Clone, Debug)]
pub(crate) struct Merged<T> {
    pub(crate) tokens: Vec<T>,
    pub(crate) last: Option<Made<T>>,
}

/// Merges `tokens` to the end. `merge` says what two neighbours merge to and with which rank; the range is their span, in
/// positions of the tokens at the start.
///
/// # Complexity
///
/// O(n log n) for n tokens.
pub(crate) fn merge_all<T: Copy>(
    mut tokens: Vec<T>,
    merge: impl Fn(T, T, Range<usize>) -> Option<(u32, T)>,
) -> Merged<T> {
    let n = tokens.len();
    // Token `tokens[i]` starts at i and ends at `ends[i]`; `starts[e]` is the start of the token that ends at e.
    let mut ends: Vec<usize> = (1..=n).collect();
    let mut starts: Vec<usize> = (0..=n).map(|end| end.saturating_sub(1)).collect();
    let mut alive: Vec<bool> = vec![true; n];
    let candidate = |tokens: &[T], ends: &[usize], start: usize| {
        let middle = *ends.get(start)?;
        let end = *ends.get(middle)?;
        let (rank, _) = merge(tokens[start], tokens[middle], start..end)?;
        Some(Reverse((rank, start, middle, end)))
    };
    let mut queue: BinaryHeap<_> = (0..n).filter_map(|start| candidate(&tokens, &ends, start)).collect();
    let mut last = None;
    while let Some(Reverse((rank, start, middle, end))) = queue.pop() {
        // An entry is stale once either of its tokens has grown or gone.
        if !alive[start] || ends[start] != middle || !alive[middle] || ends[middle] != end {
            continue;
        }
        let (left, right) = (tokens[start], tokens[middle]);
        let Some((_, merged)) = merge(left, right, start..end) else { continue };
        last = Some(Made { rank, left, right, span: start..end });
        tokens[start] = merged;
        ends[start] = end;
        starts[end] = start;
        alive[middle] = false;
        queue.extend(candidate(&tokens, &ends, start));
        if start > 0 {
            queue.extend(candidate(&tokens, &ends, starts[start]));
        }
    }
    let mut alive = alive.into_iter();
    tokens.retain(|_| alive.next() == Some(true));
    Merged { tokens, last }
}
