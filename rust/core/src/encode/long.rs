//! Long pretokens, in time linear in their length for any bytes and any vocabulary.
//!
//! A sequence of tokens is the encoding of its bytes exactly when every two adjacent tokens, alone, encode to
//! themselves ([`MergeTable::stay_apart`]). Encodings are unique, so the prefix of a text up to a given position has at
//! most one such sequence. The encoder therefore walks forward with the longest token that fits beside the one before,
//! and where none fits it steps back and tries the next shorter token there. A position it has stepped back from can
//! never be right, since the one sequence that reaches it has been seen to lead nowhere: it is marked and not entered
//! again. So every position is entered once.

use super::trie::Trie;
use crate::ids::Symbol;
use crate::vocab::MergeTable;

/// Work memory of [`encode`], reused between calls.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    tokens: Vec<Symbol>,
    /// One bit for each position: no encoding passes through it.
    dead: Vec<u64>,
    bytes: Vec<u8>,
}

/// Appends the ids of `pretoken` to `out`.
///
/// # Complexity
///
/// O(n) time for n bytes and a fixed vocabulary: each position tries the tokens that are prefixes of one another there,
/// each by a walk over two derivations. O(n) space: 4 bytes per token and a bit per byte.
pub(super) fn encode(table: &MergeTable, trie: &Trie, work: &mut Workspace, pretoken: &[u8], out: &mut Vec<u32>) {
    let n = pretoken.len();
    let Workspace { tokens, dead, bytes } = work;
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
        let fits = !is_dead && tokens.last().is_none_or(|&last| stay_apart(table, bytes, last, candidate));
        if fits {
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
        *work = Workspace::default();
    }
}

/// [`MergeTable::stay_apart`] for any two tokens: those it cannot judge are merged for real.
fn stay_apart(table: &MergeTable, bytes: &mut Vec<u8>, left: Symbol, right: Symbol) -> bool {
    if !table.is_dirty(left) && !table.is_dirty(right) {
        return table.stay_apart(left, right);
    }
    bytes.clear();
    table.append_bytes(left, bytes);
    table.append_bytes(right, bytes);
    merge_all(table, bytes) == [left, right]
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

