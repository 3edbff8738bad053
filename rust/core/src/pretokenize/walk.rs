//! Walks a text block by block, and hands on where its pretokens end; a long text it walks in two places in turn.

use std::ops::ControlFlow;

use super::blocks::{Block, Masks, N_BYTES, N_LOADED, last_bytes};
use super::rules::{GPT2_RULES, Rules};
use super::safe::last_safe_cut;
use super::scan::Scanner;
use super::simd::{Bytes, HighBytes};
use crate::counters::count;
use crate::ids::widen;

/// Ends of pretokens are handed on when there are this many.
pub(super) const BATCH: usize = 512;

/// How far apart the two places are in which a long text is split, at most: few texts have more pretokens between than are
/// handed on at once. And at least: looking for a place to cut must pay.
const APART: usize = 2 << 10;
const LEAST_APART: usize = 1 << 9;

/// After a pretoken that took the scalar scanner, this many bytes take it too: its reason is seldom alone.
const SCALAR_BYTES: usize = 32;

/// Calls `visit` with runs of consecutive pretokens of `text`, in order: where the first starts, and where each ends. It is
/// made of one text or several, which end at `text_ends`; none sees another.
///
/// # Complexity
///
/// O(n) for n bytes.
#[inline(always)]
pub(super) fn split<B>(
    masks: Masks<impl Fn(&Block) -> Bytes, impl Fn(&Block) -> HighBytes, impl Fn(u64, usize, &mut [usize; N_BYTES])>,
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    // Rules that are known when this is compiled take a tenth less time; these are the most used.
    match rules {
        GPT2_RULES => split_by(masks, GPT2_RULES, text, text_ends, visit),
        _ => split_by(masks, rules, text, text_ends, visit),
    }
}

/// [`split`] by rules that may be known when it is compiled.
#[inline(always)]
fn split_by<B>(
    masks: Masks<impl Fn(&Block) -> Bytes, impl Fn(&Block) -> HighBytes, impl Fn(u64, usize, &mut [usize; N_BYTES])>,
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    mut visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut here = Cursor::at(0);
    for &text_end in text_ends {
        let text = text.get(..text_end).unwrap_or_default();
        if text.len() - here.start >= 2 * LEAST_APART {
            split_in_two_places(&masks, rules, text, &mut here, &mut visit)?;
        }
        let scanner = Scanner::new(rules, text);
        while here.start < text.len() {
            here.advance(&masks, &scanner);
            if here.is_full() {
                here.hand_on(&mut visit)?;
            }
        }
    }
    here.hand_on(&mut visit)
}

/// Splits a long text up to its last part.
///
/// Where a block starts is known only when the one before it is split. A processor that waits for that has time for another
/// block, elsewhere.
#[inline(always)]
fn split_in_two_places<B>(
    masks: &Masks<impl Fn(&Block) -> Bytes, impl Fn(&Block) -> HighBytes, impl Fn(u64, usize, &mut [usize; N_BYTES])>,
    rules: Rules,
    text: &str,
    here: &mut Cursor,
    visit: &mut impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let scanner = Scanner::new(rules, text);
    let mut ahead = Cursor::at(0);
    while text.len() - here.start >= 2 * LEAST_APART {
        let next = here.start + APART.min((text.len() - here.start) / 2);
        let cut = last_safe_cut(text, next);
        // What is split here ends where what is split ahead starts; or nothing is.
        let (part, limit) = cut.map_or((text, next), |cut| (text.get(..cut).unwrap_or_default(), cut));
        let part = Scanner::new(rules, part);
        (ahead.first, ahead.start, ahead.n) = (limit, limit, 0);
        while here.start < limit {
            here.advance(masks, &part);
            if here.is_full() {
                here.hand_on(visit)?;
            }
            if cut.is_some() && !ahead.is_full() && ahead.start < text.len() {
                ahead.advance(masks, &scanner);
            }
        }
        if cut.is_some() {
            here.hand_on(visit)?;
            ahead.hand_on(visit)?;
            (here.first, here.start) = (ahead.start, ahead.start);
        }
    }
    ControlFlow::Continue(())
}

/// Where in a text pretokens are found, and where those end that are not yet handed on.
struct Cursor {
    /// Where the first of them starts.
    first: usize,
    start: usize,
    n: usize,
    ends: [usize; BATCH + N_BYTES],
}

impl Cursor {
    fn at(start: usize) -> Self {
        Self { first: start, start, n: 0, ends: [0; BATCH + N_BYTES] }
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.n >= BATCH
    }

    /// Finds the pretokens of a block, or a few more. The text must go on, and the cursor not be full.
    #[inline(always)]
    fn advance(
        &mut self,
        masks: &Masks<
            impl Fn(&Block) -> Bytes,
            impl Fn(&Block) -> HighBytes,
            impl Fn(u64, usize, &mut [usize; N_BYTES]),
        >,
        scanner: &Scanner<'_>,
    ) {
        count(N_BYTES);
        let Scanner { text, rules } = *scanner;
        let rest = text.as_bytes().get(self.start..).unwrap_or_default();
        let mut padded = [0; N_LOADED];
        let block = rest.first_chunk().unwrap_or_else(|| {
            padded.iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
            &padded
        });
        let lasts = last_bytes(rules, block, &(masks.classify)(block), &masks.classify_high, rest.len());
        if lasts == 0 {
            let until = text.len().min(self.start + SCALAR_BYTES);
            while self.start < until {
                self.start = scanner.end(self.start);
                self.ends[self.n] = self.start;
                self.n += 1;
            }
        } else {
            if let Some(slots) = self.ends[self.n..].first_chunk_mut() {
                (masks.write_ends)(lasts, self.start, slots);
            }
            self.n += widen(lasts.count_ones());
            // Not read from the ends, since the next block waits for it.
            self.start += N_BYTES - widen(lasts.leading_zeros());
        }
    }

    /// Hands on what is found.
    #[inline(always)]
    fn hand_on<B>(&mut self, visit: &mut impl FnMut(usize, &[usize]) -> ControlFlow<B>) -> ControlFlow<B> {
        let (first, n) = (self.first, self.n);
        (self.first, self.n) = (self.start, 0);
        if n > 0 { visit(first, self.ends.get(..n).unwrap_or_default()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rules::PRESETS;
    use super::super::scan;
    use super::super::simd::{self, Tier};
    use super::*;

    /// Characters that between them take every branch, several times as likely the more they are to meet.
    const CHARACTERS: &[char] = &[
        ' ',
        ' ',
        '\n',
        '\n',
        '\r',
        '\t',
        'a',
        'a',
        'b',
        's',
        't',
        'l',
        'L',
        'v',
        'e',
        'A',
        'B',
        '1',
        '1',
        '2',
        '\'',
        '\'',
        '!',
        '/',
        '/',
        '\u{85}',
        '\u{A0}',
        '\u{3000}',
        'ǅ',
        'Σ',
        'ſ',
        'ß',
        'ж',
        'Ж',
        'ʰ',
        'ب',
        'ل',
        'ڀ',
        'ی',
        '\u{64B}',
        '٣',
        '中',
        '文',
        'あ',
        '한',
        '\u{301}',
        '²',
        '１',
        '’',
        '。',
        '😀',
        '\0',
        '\u{200D}',
        '\u{10FFFF}',
    ];

    fn ends_of(tier: Tier, rules: Rules, text: &str, text_ends: &[usize]) -> Vec<usize> {
        let mut all = Vec::new();
        let _ = simd::split_with(tier, rules, text, text_ends, |start, ends| {
            assert_eq!(start, all.last().copied().unwrap_or(0));
            all.extend_from_slice(ends);
            ControlFlow::<()>::Continue(())
        });
        all
    }

    fn check(text: &str) {
        check_joined(&[text]);
    }

    /// Texts that are split together have the pretokens of each.
    fn check_joined(texts: &[&str]) {
        let joined = texts.concat();
        for preset in PRESETS {
            let (mut expected, mut text_ends, mut start) = (Vec::new(), Vec::new(), 0);
            for text in texts {
                let _ = scan::split(preset.rules, text, &mut |pretoken: &str| {
                    start += pretoken.len();
                    expected.push(start);
                    ControlFlow::<()>::Continue(())
                });
                text_ends.push(start);
            }
            for tier in Tier::available() {
                let ends = ends_of(tier, preset.rules, &joined, &text_ends);
                assert_eq!(ends, expected, "{} {tier:?} {texts:?}", preset.name);
            }
        }
    }

    fn text(most: usize) -> impl Strategy<Value = String> {
        let repeated = (prop::sample::select(CHARACTERS), 1..80_usize).prop_map(|(c, n)| String::from_iter(vec![c; n]));
        let single = || prop::sample::select(CHARACTERS).prop_map(String::from);
        let word = "[a-zA-Z]{1,9}|[a-z]+'(s|ll|VE|re)| [a-z]{2,8}|[0-9]{1,8}|[а-яА-Я]{1,9}|[ء-ٟ]{1,9}|[一-三]{1,20}";
        let piece =
            prop_oneof![20 => single(), 10 => word, 1 => repeated, 1 => prop::char::any().prop_map(String::from)];
        prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_tier_ends_pretokens_where_the_scalar_scanner_does(text in text(120)) {
            check(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Texts long enough to be split in two places, with few places to cut them or many.
        #[test]
        fn a_long_text_is_split_in_two_places_as_in_one(
            start in text(2_000),
            (filler, n) in (prop::sample::select(CHARACTERS), 0..3 * APART),
            end in text(2_000),
        ) {
            let filler = String::from_iter(vec![filler; n]);
            check(&format!("{start}{filler}{end}"));
            check_joined(&[&start, "", &filler, &end, "'s"]);
        }
    }

    /// What ends a block, and all the ways to go on after it.
    #[test]
    fn blocks_are_cut_anywhere() {
        let endings = [
            "", "a", "'", "'l", "'ll", "'llx", "'ſ", " ", "  ", " \n", "\n ", "\n\t x", "!", "!\n", "!\n/", "12", "中",
            "é", "😀", "\u{301}",
        ];
        for filler in ["a", "ab ", " ", "\n", "1", "!", "中", "ж", "a1", "\n  x"] {
            for n in 0..=70 {
                let start: String = filler.chars().cycle().take(n).collect();
                for first in endings {
                    for second in endings {
                        check(&format!("{start}{first}{second}"));
                    }
                }
            }
        }
    }
}
