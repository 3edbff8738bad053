//! The distinct pretokens as tokens, laid end to end so that every neighbour is one step away.

use std::ops::Range;

use super::Counts;
use super::progress::Ticker;
use crate::error::{Error, Result};
use crate::huge_pages;
use crate::ids::{Pair, Symbol, narrow, widen};
use crate::prefetch::prefetch;

/// Positions are 32 bits wide: half the memory of the index.
const MAX_CELLS: usize = widen(u32::MAX);

/// So many cells are written between two looks at the clock.
const AT_ONCE: usize = 1 << 20;

/// One byte of a pretoken, or the border between two.
///
/// The first byte of a token holds its symbol. All other cells have the highest bit set: the last byte of a token holds its
/// length besides, and a border the length 1, as if it were a token without a symbol. So where a token ends, the cell tells
/// how far back it begins; a token of one byte needs no telling.
#[derive(Clone, Copy)]
struct Cell(u32);

impl Cell {
    const BACK: u32 = 1 << 31;
    const BORDER: Self = Self(Self::BACK | 1);

    #[inline(always)]
    fn is_border(self) -> bool {
        self.0 == Self::BORDER.0
    }

    #[inline(always)]
    fn symbol(self) -> Symbol {
        if self.0 & Self::BACK == 0 { Symbol::new(self.0) } else { Symbol::NONE }
    }

    /// The length of the token that ends here.
    #[inline(always)]
    fn back(self) -> u32 {
        if self.0 & Self::BACK == 0 { 1 } else { self.0 & !Self::BACK }
    }
}

/// Where the borders are among 64 cells, and how many there are before.
#[derive(Clone, Copy)]
struct Borders {
    before: u32,
    bits: u64,
}

/// The distinct pretokens, each segmented into tokens, with a border before, between and after them.
///
/// A position is that of a token's first byte. Merging moves nothing, whatever the length of a pretoken.
///
/// Pretokens that count once, as nearly all verses do, come after the others: how often they do need not be looked up.
pub(super) struct Words {
    cells: Vec<Cell>,
    /// Where those begin that count once.
    once: usize,
    /// The borders before `once`.
    borders: Vec<Borders>,
    /// How often each pretoken before `once` occurs.
    weights: Vec<u64>,
    /// How often each byte is a pretoken of its own, which no merge can change.
    lone: [u64; Symbol::BYTES],
}

/// What stood around a pair that was merged.
pub(super) struct Around {
    /// The token to the left and its position; no symbol where the pretoken begins.
    pub(super) left: (Symbol, u32),
    /// The token to the right; no symbol where the pretoken ends.
    pub(super) right: Symbol,
}

impl Words {
    /// Lays out all pretokens that have pairs, each byte a token. `start` is what is to be merged next, and to be told of
    /// meanwhile: who keeps the merges made so far has those already.
    pub(super) fn new(counts: &Counts, start: &[(Symbol, Symbol)], ticker: &mut Ticker<'_>) -> Result<Self> {
        // Two passes: the counts may lie on disk, and to hold them here besides the cells is what that saves.
        let (mut n_words, mut n_often, mut n_cells, mut once, mut step) = (0, 0, 1, 1, 0);
        counts.visit(|pretoken, weight| {
            if pretoken.len() > 1 {
                let often = usize::from(weight != 1);
                n_words += 1;
                n_often += often;
                n_cells += pretoken.len() + 1;
                once += often * (pretoken.len() + 1);
            }
            step += 1;
            ticker.step(step, start)
        })?;
        if n_cells > MAX_CELLS {
            let n_bytes = n_cells - 1 - n_words;
            return Err(Error::training(format!(
                "{n_words} distinct pretokens of {n_bytes} bytes take {n_cells} places, more than the {MAX_CELLS} that \
                 training can index; use a pattern that splits the text into shorter pretokens, or count less text"
            )));
        }
        let missing = |_| Error::memory("the distinct pretokens");
        let (mut cells, mut borders, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        cells.try_reserve_exact(n_cells).map_err(missing)?;
        borders.try_reserve_exact(once.div_ceil(64)).map_err(missing)?;
        weights.try_reserve_exact(n_often).map_err(missing)?;
        huge_pages::ask_for(&mut cells);
        while cells.len() < n_cells {
            ticker.tick(start)?;
            cells.resize((cells.len() + AT_ONCE).min(n_cells), Cell::BORDER);
        }
        let mut lone = [0; Symbol::BYTES];
        let [mut next_often, mut next_once] = [1, once];
        counts.visit(|pretoken, weight| {
            if let &[byte] = pretoken {
                lone[usize::from(byte)] = weight;
                return Ok(());
            }
            let next = if weight == 1 { &mut next_once } else { &mut next_often };
            for piece in pretoken.chunks(AT_ONCE) {
                ticker.tick(start)?;
                for (cell, &byte) in cells[*next..].iter_mut().zip(piece) {
                    *cell = Cell(byte.into());
                }
                *next += piece.len();
            }
            *next += 1;
            if weight != 1 {
                weights.push(weight);
            }
            Ok(())
        })?;
        let mut before = 0;
        for (i, cells) in cells[..once].chunks(64).enumerate() {
            ticker.step(i, start)?;
            let bits = cells.iter().rev().fold(0, |bits, cell| bits << 1 | u64::from(cell.is_border()));
            borders.push(Borders { before, bits });
            before += bits.count_ones();
        }
        Ok(Self { cells, once, borders, weights, lone })
    }

    /// The first pretoken from a position on, where nothing is merged yet.
    pub(super) fn pretoken(&self, from: u32) -> Option<Range<u32>> {
        let is_byte = |cell: &Cell| !cell.symbol().is_none();
        let rest = self.cells.get(widen(from)..)?;
        let start = rest.iter().position(is_byte)?;
        let n_bytes = rest[start..].iter().position(|cell| !is_byte(cell))?;
        let start = widen(from) + start;
        Some(narrow(start)?..narrow(start + n_bytes)?)
    }

    /// The token at a position.
    #[inline(always)]
    pub(super) fn symbol(&self, position: usize) -> Symbol {
        self.cells[position].symbol()
    }

    /// How often the pretoken at a position occurs.
    #[inline(always)]
    pub(super) fn weight(&self, position: usize) -> u64 {
        if position >= self.once { 1 } else { self.weights[self.word(position)] }
    }

    /// Which pretoken stands at a position before `once`.
    #[inline(always)]
    fn word(&self, position: usize) -> usize {
        let Borders { before, bits } = self.borders[position / 64];
        // There is one border more than pretokens, and one before each.
        widen(before + (bits << (63 - position % 64)).count_ones() - 1)
    }

    /// Starts to load the weight at a position, what tells where it lies being loaded.
    #[inline(always)]
    pub(super) fn prefetch_weight(&self, position: u32) {
        if widen(position) < self.once {
            prefetch(self.weights.as_ptr().wrapping_add(self.word(widen(position))));
        }
    }

    /// Starts to load the cells around a position, and what tells where its weight lies.
    #[inline(always)]
    pub(super) fn prefetch(&self, position: u32) {
        let position = widen(position);
        prefetch(self.cells.as_ptr().wrapping_add(position).wrapping_sub(5));
        prefetch(self.cells.as_ptr().wrapping_add(position + 8));
        if position < self.once {
            prefetch(self.borders.as_ptr().wrapping_add(position / 64));
        }
    }

    /// Joins the tokens at `position`, of lengths `left` and `right`, to `made`.
    #[inline(always)]
    pub(super) fn join(&mut self, position: u32, left: u32, right: u32, made: Symbol) -> Around {
        let start = widen(position);
        let middle = start + widen(left);
        let end = middle + widen(right);
        let back = self.cells[start - 1].back();
        let around = Around { left: (self.symbol(start - widen(back)), position - back), right: self.symbol(end) };
        self.cells[start] = Cell(made.get());
        self.cells[middle] = Cell(Cell::BACK);
        self.cells[end - 1] = Cell(Cell::BACK | (left + right));
        around
    }

    /// Every token with how often its pretoken occurs.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (Symbol, u64)> {
        let mut weights = self.weights.iter().copied();
        let mut weight = 0;
        let tokens = self.cells.iter().filter_map(move |cell| {
            if cell.is_border() {
                weight = weights.next().unwrap_or(1);
            }
            Some(cell.symbol()).filter(|symbol| !symbol.is_none()).map(|symbol| (symbol, weight))
        });
        tokens.chain((0..=u8::MAX).map(Symbol::from_byte).zip(self.lone))
    }

    /// Every adjacent pair of tokens, from the first pretoken to the last: its position, the pair, its weight.
    pub(super) fn pairs(&self, lengths: &[u32]) -> impl Iterator<Item = (u32, Pair, u64)> {
        let mut weights = self.weights.iter().copied();
        let (mut next, mut weight) = (0, 0);
        std::iter::from_fn(move || {
            loop {
                let (position, cell) = (next, self.cells.get(widen(next))?);
                // A border is as long as a byte.
                next += lengths.get(cell.symbol().index()).unwrap_or(&1);
                if cell.is_border() {
                    weight = weights.next().unwrap_or(1);
                }
                let right = self.cells.get(widen(next))?.symbol();
                if !cell.symbol().is_none() && !right.is_none() {
                    return Some((position, Pair::new(cell.symbol(), right), weight));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::progress::{PERIOD, Stage};
    use super::*;
    use crate::pretokenize::Pretokenizer;

    #[test]
    fn what_training_goes_on_from_is_told_from_the_first_report_on() {
        let mut counts = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<e>"]).unwrap();
        counts.add_document(b"low lower lowest").unwrap();
        let start = [(Symbol::from_byte(b'l'), Symbol::from_byte(b'o'))];
        let mut told = Vec::new();
        let mut checkpoint = |progress: crate::train::Progress<'_>| {
            told.push((progress.done, progress.merges.to_vec()));
            Ok(())
        };
        let mut ticker = Ticker::new(&mut checkpoint, Stage::Merging, None);
        thread::sleep(PERIOD);
        Words::new(&counts, &start, &mut ticker).unwrap();
        assert!(!told.is_empty());
        assert!(told.iter().all(|report| *report == (1, start.to_vec())), "{told:?}");
    }

    #[test]
    fn every_pretoken_counts_for_what_it_should_wherever_it_lies() {
        let pretoken = |number: u32, length: usize| number.to_le_bytes().repeat(length.div_ceil(4))[..length].to_vec();
        let counts_of = |often: u32, once: u32, length: usize| {
            let mut counts = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<e>"]).unwrap();
            for number in 0..often + once {
                let count = if number < often { u64::from(number) + 2 } else { 1 };
                counts.add_pretoken(&pretoken(number, length), count).unwrap();
            }
            counts
        };
        // With 7 bytes and a border each, those that count once may begin at a multiple of 64, or beside one.
        for (often, once) in (0..20).flat_map(|often| [0, 1, 9].map(|once| (often, once))) {
            for length in [5, 6, 7, 8] {
                let counts = counts_of(often, once, length);
                let mut checkpoint = |_: crate::train::Progress<'_>| Ok(());
                let words = Words::new(&counts, &[], &mut Ticker::new(&mut checkpoint, Stage::Merging, None)).unwrap();
                let (mut from, mut n) = (0, 0);
                while let Some(bytes) = words.pretoken(from) {
                    let symbols = bytes.clone().map(|at| u8::try_from(words.symbol(widen(at)).get()).unwrap());
                    let found = symbols.collect::<Vec<_>>();
                    let number = (0..often + once).find(|&number| pretoken(number, length) == found).unwrap();
                    let expected = if number < often { u64::from(number) + 2 } else { 1 };
                    assert!(bytes.clone().all(|at| words.weight(widen(at)) == expected), "{number}");
                    (from, n) = (bytes.end, n + 1);
                }
                assert_eq!(n, often + once);
                let mut pairs = words.pairs(&[1; Symbol::BYTES]);
                assert!(pairs.all(|(at, _, weight)| weight == words.weight(widen(at))));
            }
        }
    }
}
