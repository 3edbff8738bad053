//! Long pretokens, in time linear in their length for any bytes and any vocabulary.
//!
//! A sequence of tokens is the encoding of its bytes exactly when every two adjacent tokens, alone, encode to
//! themselves ([`MergeTable::stay_apart`]). Encodings are unique, so the prefix of a text up to a given position has at
//! most one such sequence. The encoder therefore walks forward with the longest token that fits beside the one before,
//! and where none fits it steps back and tries the next shorter token there. A position it has stepped back from can
//! never be right, since the one sequence that reaches it has been seen to lead nowhere: it is marked and not entered
//! again. So every position is entered once.

use super::trie::Trie;
use crate::ids::{Pair, Symbol};
use crate::vocab::MergeTable;

/// Work memory of [`encode`], reused between calls for one vocabulary.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    tokens: Vec<Symbol>,
    /// One bit for each position: no encoding passes through it.
    dead: Vec<u64>,
    fits: FitMemo,
}

/// Which pairs of tokens stay apart, as far as lately asked: a run of one character asks for the same few millions of
/// times.
#[derive(Debug, Default)]
struct FitMemo {
    /// A pair and its answer in one number, see [`FitMemo::stay_apart`]; 0 where nothing is known.
    slots: Vec<u64>,
    bytes: Vec<u8>,
}

impl FitMemo {
    const SLOTS: usize = 1 << 12;

    /// [`MergeTable::stay_apart`] for any two tokens: those it cannot judge are merged for real.
    #[inline]
    fn stay_apart(&mut self, table: &MergeTable, left: Symbol, right: Symbol) -> bool {
        // Symbols have 24 bits, so the highest bits of a pair are free: one says that the slot is used, one the answer.
        const USED: u64 = 1 << 63;
        const APART: u64 = 1 << 62;
        let key = Pair::new(left, right).get() | USED;
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::SLOTS.trailing_zeros());
        if self.slots.is_empty() {
            self.slots.resize(Self::SLOTS, 0);
        }
        let index = usize::try_from(hash).unwrap_or(0);
        let known = self.slots[index];
        if known & !APART == key {
            return known & APART != 0;
        }
        let apart = if table.is_dirty(left) || table.is_dirty(right) {
            self.bytes.clear();
            table.append_bytes(left, &mut self.bytes);
            table.append_bytes(right, &mut self.bytes);
            merge_all(table, &self.bytes) == [left, right]
        } else {
            table.stay_apart(left, right)
        };
        self.slots[index] = key | if apart { APART } else { 0 };
        apart
    }
}

/// Appends the ids of `pretoken` to `out`.
///
/// # Complexity
///
/// O(n) time for n bytes and a fixed vocabulary: each position tries the tokens that are prefixes of one another there,
/// each by a walk over two derivations or from memory. O(n) space: 4 bytes per token and a bit per byte.
pub(super) fn encode(table: &MergeTable, trie: &Trie, work: &mut Workspace, pretoken: &[u8], out: &mut Vec<u32>) {
    let n = pretoken.len();
    let Workspace { tokens, dead, fits } = work;
    tokens.clear();
    dead.clear();
    dead.resize(n / 64 + 1, 0);
    let mut position = 0;
    let mut candidate = trie.longest(pretoken);
    while position < n {
        if candidate.is_none() {
            // Nothing fits after the token before: give that one up.
            dead[position / 64] |= 1 << (position % 64);
            let Some(last) = tokens.pop() else {
                // Every byte string has an encoding, so this is a defect; the plain rule still gives the right answer.
                debug_assert!(false, "no sequence of tokens stays apart");
                *tokens = merge_all(table, pretoken);
                break;
            };
            position -= table.length(last);
            candidate = trie.shorter(last);
            continue;
        }
        let end = position + table.length(candidate);
        let is_dead = dead[end / 64] >> (end % 64) & 1 == 1;
        if !is_dead && tokens.last().is_none_or(|&last| fits.stay_apart(table, last, candidate)) {
            tokens.push(candidate);
            position = end;
            candidate = trie.longest(&pretoken[position..]);
        } else {
            candidate = trie.shorter(candidate);
        }
    }
    out.extend(tokens.iter().map(|&symbol| table.id(symbol).get()));
    // One giant pretoken must not keep its memory for ever.
    if tokens.capacity() > 1 << 16 {
        (*tokens, *dead) = (Vec::new(), Vec::new());
    }
}

/// Merges `bytes` to the end by the plain rule. Quadratic, on the bytes of two tokens.
fn merge_all(table: &MergeTable, bytes: &[u8]) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = bytes.iter().map(|&byte| Symbol::from_byte(byte)).collect();
    loop {
        let pairs = symbols.windows(2).map(|pair| table.merged(pair[0], pair[1])).enumerate();
        match pairs.min_by_key(|&(_, merged)| merged) {
            Some((index, merged)) if !merged.is_none() => {
                symbols[index] = merged;
                symbols.remove(index + 1);
            }
            _ => return symbols,
        }
    }
}
