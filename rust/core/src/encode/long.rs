//! Long pretokens, in time linear in their length for any bytes and any vocabulary.
//!
//! A sequence of tokens is the encoding of its bytes exactly when every two adjacent tokens, alone, encode to
//! themselves ([`MergeTable::stay_apart`]). Encodings are unique, so the prefix of a text up to a given position has at
//! most one such sequence. The encoder therefore walks forward with the longest token that fits beside the one before,
//! and where none fits it steps back and tries the next shorter token there. A position it has stepped back from can
//! never be right, since the one sequence that reaches it has been seen to lead nowhere: it is marked and not entered
//! again. So every position is entered once.
//!
//! In which order tokens are tried makes no difference to what is found. In a run of one character the longest leads
//! nowhere again and again, far ahead; so first, after a token that was followed by another just before, comes that other.

use super::odds::Odds;
use super::prefixes::{Prefixes, Tokens};
use crate::counters::count;
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol};
use crate::interrupt::Interrupt;
use crate::vocab::{MergeTable, queue};

/// A bit that no place has: the token was a guess, and all that the text has there were not tried.
const GUESSED: u32 = 1 << 31;

/// Whether to stop is asked after this many steps: some milliseconds.
const CHECK_STEPS: usize = 1 << 16;

/// Work memory of merging, reused between calls for one vocabulary.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// How much was merged that could have been looked up, see [`Encoder::merge`](super::Encoder).
    pub(super) n_not_looked_up: usize,
    /// Whether what is short is often a token.
    pub(super) odds: Odds,
    /// How many bytes were merged by the plain rule.
    pub(super) n_plain: usize,
    /// The tokens so far, as [`Prefixes`] has them.
    places: Vec<u32>,
    /// One bit for each position: no encoding passes through it.
    dead: Vec<u64>,
    /// The tokens so far, of [`windows`](super::windows).
    pub(super) found: Vec<Symbol>,
    pub(super) fits: FitMemo,
}

impl Workspace {
    /// What it takes of memory.
    pub(super) fn n_bytes(&self) -> usize {
        let fits = 8 * self.fits.slots.capacity() + self.fits.bytes.capacity();
        4 * (self.places.capacity() + self.found.capacity()) + 8 * self.dead.capacity() + fits
    }
}

/// Which pairs of tokens stay apart, as far as lately asked: a run of one character asks for the same few millions of
/// times.
#[derive(Debug, Default)]
pub(super) struct FitMemo {
    /// A pair and its answer in one number, see [`FitMemo::stay_apart`]; 0 where nothing is known.
    slots: Vec<u64>,
    bytes: Vec<u8>,
}

impl FitMemo {
    const SLOTS: usize = 1 << 12;

    /// [`MergeTable::stay_apart`] for any two tokens: those it cannot judge are merged for real.
    #[inline]
    pub(super) fn stay_apart(&mut self, table: &MergeTable, left: Symbol, right: Symbol) -> bool {
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
    tokens: Tokens<'_>,
    prefixes: &Prefixes,
    work: &mut Workspace,
    pretoken: &[u8],
    interrupt: &Interrupt<'_>,
    out: &mut Vec<u32>,
) -> Result<()> {
    let (n, table) = (pretoken.len(), tokens.table);
    let Workspace { places, dead, fits, .. } = work;
    places.clear();
    dead.clear();
    dead.try_reserve(n / 64 + 1).map_err(|_| Error::memory("an encoding"))?;
    dead.resize(n / 64 + 1, 0);
    let (mut position, mut last) = (0, None);
    // The last token that was put after another, and that other.
    let mut guess;
    let mut candidate = prefixes.longest(tokens, pretoken);
    // What to try after a token that leads nowhere. After a guess, all: where it leads is known to be dead then.
    let next = |place: u32, rest: &[u8]| {
        if place & GUESSED == 0 { prefixes.shorter(place) } else { prefixes.longest(tokens, rest) }
    };
    let mut n_steps = 0;
    while position < n {
        n_steps += 1;
        count(1);
        if n_steps % CHECK_STEPS == 0 {
            interrupt.check()?;
        }
        let Some((symbol, length)) = prefixes.token(candidate & !GUESSED) else {
            // Nothing fits after the token before: give that one up.
            dead[position / 64] |= 1 << (position % 64);
            let popped = places.pop();
            let Some((place, (_, length))) = popped.and_then(|place| Some((place, prefixes.token(place & !GUESSED)?)))
            else {
                // Every byte string has an encoding, so this is a defect; the plain rule still gives the right answer.
                debug_assert!(false, "no sequence of tokens stays apart");
                encode_plainly(table, pretoken, out);
                return Ok(());
            };
            position -= length;
            candidate = next(place, &pretoken[position..]);
            last = places.last().and_then(|&place| prefixes.token(place & !GUESSED)).map(|(symbol, _)| symbol);
            continue;
        };
        let end = position + length;
        let is_dead = dead[end / 64] >> (end % 64) & 1 == 1;
        if !is_dead && last.is_none_or(|last| fits.stay_apart(table, last, symbol)) {
            if places.len() == places.capacity() {
                places.try_reserve(1).map_err(|_| Error::memory("an encoding"))?;
            }
            places.push(candidate);
            guess = (last, candidate & !GUESSED);
            (position, last) = (end, Some(symbol));
            let rest = &pretoken[position..];
            candidate = if guess.0 == last && prefixes.starts(tokens, guess.1, rest) {
                guess.1 | GUESSED
            } else {
                prefixes.longest(tokens, rest)
            };
        } else {
            candidate = next(candidate, &pretoken[position..]);
        }
    }
    out.try_reserve(places.len()).map_err(|_| Error::memory("the ids"))?;
    let symbols = places.iter().filter_map(|&place| prefixes.token(place & !GUESSED));
    out.extend(symbols.map(|(symbol, _)| table.id(symbol).get()));
    // One giant pretoken must not keep its memory for ever.
    if places.capacity() > 1 << 16 {
        (*places, *dead) = (Vec::new(), Vec::new());
    }
    Ok(())
}

/// Appends the ids of a pretoken to `out` by the plain rule, which needs nothing prepared.
///
/// # Complexity
///
/// O(n log n) for n bytes.
pub(super) fn encode_plainly(table: &MergeTable, pretoken: &[u8], out: &mut Vec<u32>) {
    out.extend(merge_all(table, pretoken).into_iter().map(|symbol| table.id(symbol).get()));
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
    fn halves_later(log: usize) -> (Definition, Vocabulary, MergeTable) {
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
        (definition, vocabulary, table)
    }

    fn encoded(tokens: Tokens<'_>, prefixes: &Prefixes, text: &[u8]) -> Vec<u32> {
        let mut ids = Vec::new();
        encode(tokens, prefixes, &mut Workspace::default(), text, &Interrupt::never(), &mut ids).unwrap();
        ids
    }

    #[test]
    fn runs_ranked_before_their_halves_encode_as_the_rule_says() {
        let (definition, vocabulary, table) = halves_later(6);
        let tokens = Tokens { vocabulary: &vocabulary, table: &table };
        let (naive, prefixes) = (NaiveEncoder::new(&definition), Prefixes::new(tokens).unwrap());
        for n in (1..140).chain([255, 256, 257, 400]) {
            let text = [&vec![b'a'; n][..], b"b", &vec![b'a'; n / 3]].concat();
            assert_eq!(encoded(tokens, &prefixes, &text), naive.encode_pretoken(&text), "{n}");
        }
    }

    /// Quadratic merging of the two longest tokens, 64 KiB each, would take minutes.
    #[test]
    fn the_longest_tokens_ranked_before_their_halves_take_no_quadratic_time() {
        let (_, vocabulary, table) = halves_later(16);
        let tokens = Tokens { vocabulary: &vocabulary, table: &table };
        let prefixes = Prefixes::new(tokens).unwrap();
        let start = Instant::now();
        let ids = encoded(tokens, &prefixes, &vec![b'a'; 5 * (1 << 16) + 12_345]);
        // 12,345 has six bits that are set.
        assert_eq!(ids.len(), 5 + 6);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
