//! Long pretokens, in time linear in their length for any bytes and any vocabulary.
//!
//! A sequence of tokens is the encoding of its bytes exactly when every two adjacent tokens, alone, encode to
//! themselves ([`MergeTable::stay_apart`]). Encodings are unique, so the prefix of a text up to a given position has at
//! most one such sequence. The encoder therefore walks forward with the longest token that fits beside the one before,
//! and where none fits it steps back and tries the next shorter token there. A position it has stepped back from can
//! never be right, since the one sequence that reaches it has been seen to lead nowhere: it is marked and not entered
//! again. So every position is entered once.

use super::trie::Trie;
use crate::counters::count;
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol};
use crate::interrupt::Interrupt;
use crate::vocab::{MergeTable, queue};

/// Whether to stop is asked after this many steps: some milliseconds.
const CHECK_STEPS: usize = 1 << 16;

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
///
/// # Errors
///
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory) and [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted).
pub(super) fn encode(
    table: &MergeTable,
    trie: &Trie,
    work: &mut Workspace,
    pretoken: &[u8],
    interrupt: &Interrupt<'_>,
    out: &mut Vec<u32>,
) -> Result<()> {
    let n = pretoken.len();
    let Workspace { tokens, dead, fits } = work;
    tokens.clear();
    dead.clear();
    dead.try_reserve(n / 64 + 1).map_err(|_| Error::memory("an encoding"))?;
    dead.resize(n / 64 + 1, 0);
    let mut position = 0;
    let mut candidate = trie.longest(pretoken);
    let mut n_steps = 0;
    while position < n {
        n_steps += 1;
        count(1);
        if n_steps % CHECK_STEPS == 0 {
            interrupt.check()?;
        }
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
            if tokens.len() == tokens.capacity() {
                tokens.try_reserve(1).map_err(|_| Error::memory("an encoding"))?;
            }
            tokens.push(candidate);
            position = end;
            candidate = trie.longest(&pretoken[position..]);
        } else {
            candidate = trie.shorter(candidate);
        }
    }
    out.try_reserve(tokens.len()).map_err(|_| Error::memory("the ids"))?;
    out.extend(tokens.iter().map(|&symbol| table.id(symbol).get()));
    // One giant pretoken must not keep its memory for ever.
    if tokens.capacity() > 1 << 16 {
        (*tokens, *dead) = (Vec::new(), Vec::new());
    }
    Ok(())
}

/// Merges `bytes` to the end by the plain rule.
///
/// # Complexity
///
/// O(n log n) for n bytes.
fn merge_all(table: &MergeTable, bytes: &[u8]) -> Vec<Symbol> {
    let symbols = bytes.iter().map(|&byte| Symbol::from_byte(byte)).collect();
    let merge = |left, right, _| {
        let merged = table.merged(left, right);
        (!merged.is_none()).then(|| (merged.get(), merged))
    };
    queue::merge_all(symbols, merge).tokens
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::definition::{Definition, MergeRule};
    use crate::encode::naive::NaiveEncoder;
    use crate::ids::TokenId;
    use crate::pretokenize::Pretokenizer;
    use crate::vocab::Vocabulary;
    use crate::vocab::canonical::normalise;

    /// The bytes, and runs of `a` of 2^k bytes for each k up to `log`, each run ranked before its halves.
    fn halves_later(log: usize) -> (Definition, MergeTable) {
        let runs = (1..=log).rev().map(|k| vec![b'a'; 1 << k]);
        let tokens = (0..=u8::MAX).map(|byte| vec![byte]).chain(runs).enumerate();
        let definition = Definition {
            name: None,
            pretokenizer: Pretokenizer::from_stages::<&str>(&[]).unwrap(),
            tokens: tokens.map(|(index, bytes)| (TokenId::from_index(index).unwrap(), bytes)).collect(),
            merges: MergeRule::ByRank,
            whole_pretokens: false,
            added_tokens: Vec::new(),
            pipeline: crate::pipeline::Pipeline::default(),
        };
        let vocabulary = Vocabulary::new(&definition.tokens, &[]).unwrap();
        let table = normalise(&vocabulary, &definition.merges).unwrap().table;
        (definition, table)
    }

    fn encoded(table: &MergeTable, trie: &Trie, text: &[u8]) -> Vec<u32> {
        let mut ids = Vec::new();
        encode(table, trie, &mut Workspace::default(), text, &Interrupt::never(), &mut ids).unwrap();
        ids
    }

    #[test]
    fn runs_ranked_before_their_halves_encode_as_the_rule_says() {
        let (definition, table) = halves_later(6);
        let (naive, trie) = (NaiveEncoder::new(&definition), Trie::new(&table));
        for n in (1..140).chain([255, 256, 257, 400]) {
            let text = [&vec![b'a'; n][..], b"b", &vec![b'a'; n / 3]].concat();
            assert_eq!(encoded(&table, &trie, &text), naive.encode_pretoken(&text), "{n}");
        }
    }

    /// Quadratic merging of the two longest tokens, 64 KiB each, would take minutes.
    #[test]
    fn the_longest_tokens_ranked_before_their_halves_take_no_quadratic_time() {
        let (_, table) = halves_later(16);
        let trie = Trie::new(&table);
        let start = Instant::now();
        let ids = encoded(&table, &trie, &vec![b'a'; 5 * (1 << 16) + 12_345]);
        // 12,345 has six bits that are set.
        assert_eq!(ids.len(), 5 + 6);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
