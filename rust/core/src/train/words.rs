//! The distinct pretokens as tokens, laid end to end so that every neighbour is one step away.

use super::Counts;
use super::progress::Ticker;
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol, widen};

/// Positions are 32 bits wide: half the memory of the index.
const MAX_CELLS: usize = widen(u32::MAX);

/// One byte of a pretoken, or the border between two.
///
/// All that a merge asks about a place lies in this one record, and the records of neighbours lie next to it.
#[derive(Clone, Copy)]
struct Cell {
    /// The token that starts here; none at a border and inside a token.
    symbol: Symbol,
    /// The length of the token that ends here; 1 at a border. Inside a token it has no meaning.
    back: u32,
    /// How often the pretoken occurs.
    weight: u64,
}

/// The distinct pretokens, each segmented into tokens, with a border before, between and after them.
///
/// A position is that of a token's first byte. Merging moves nothing, whatever the length of a pretoken.
pub(super) struct Words {
    cells: Vec<Cell>,
    /// How often each byte is a pretoken of its own, which no merge can change.
    lone: [u64; Symbol::BYTES],
}

/// What stood around a pair that was merged.
pub(super) struct Around {
    /// The token to the left and its position; no symbol where the pretoken begins.
    pub(super) left: (Symbol, u32),
    /// The token to the right; no symbol where the pretoken ends.
    pub(super) right: Symbol,
    /// How often the pretoken occurs.
    pub(super) weight: u64,
}

impl Words {
    /// Lays out all pretokens that have pairs, each byte a token.
    pub(super) fn new(counts: &Counts, ticker: &mut Ticker<'_>) -> Result<Self> {
        // Two passes: the counts may lie on disk, and to hold them here besides the cells is what that saves.
        let (mut n_bytes, mut n_cells, mut step) = (0, 1, 0);
        counts.visit(|pretoken, _| {
            if pretoken.len() > 1 {
                n_bytes += pretoken.len();
                n_cells += pretoken.len() + 1;
            }
            step += 1;
            ticker.step(step, 0)
        })?;
        if n_cells > MAX_CELLS {
            return Err(Error::training(format!(
                "the distinct pretokens hold {} bytes, more than the 4 GiB that training can index; \
                 use a pattern that splits the text into shorter pretokens, or count less text",
                n_bytes
            )));
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(n_cells).map_err(|_| Error::memory("the distinct pretokens"))?;
        let border = Cell { symbol: Symbol::NONE, back: 1, weight: 0 };
        cells.push(border);
        let mut lone = [0; Symbol::BYTES];
        counts.visit(|pretoken, weight| {
            if let &[byte] = pretoken {
                lone[usize::from(byte)] = weight;
                return Ok(());
            }
            for piece in pretoken.chunks(1 << 20) {
                ticker.tick(0)?;
                cells.extend(piece.iter().map(|&byte| Cell { symbol: Symbol::from_byte(byte), back: 1, weight }));
            }
            cells.push(border);
            Ok(())
        })?;
        Ok(Self { cells, lone })
    }

    /// Where the pretoken that begins at `start` ends, which is a border; `None` behind the last pretoken.
    pub(super) fn end(&self, start: u32) -> Option<usize> {
        let rest = self.cells.get(widen(start)..).filter(|rest| !rest.is_empty())?;
        // Nothing is merged yet: only a border has no token.
        rest.iter().position(|cell| cell.symbol.is_none()).map(|len| widen(start) + len)
    }

    /// The token at a position.
    #[inline(always)]
    pub(super) fn symbol(&self, position: usize) -> Symbol {
        self.cells[position].symbol
    }

    /// How often the pretoken at a position occurs.
    #[inline(always)]
    pub(super) fn weight(&self, position: usize) -> u64 {
        self.cells[position].weight
    }

    /// Joins the tokens at `position`, of lengths `left` and `right`, to `made`.
    #[inline(always)]
    pub(super) fn join(&mut self, position: u32, left: u32, right: u32, made: Symbol) -> Around {
        let start = widen(position);
        let middle = start + widen(left);
        let end = middle + widen(right);
        let back = self.cells[start - 1].back;
        let around = Around {
            left: (self.symbol(start - widen(back)), position - back),
            right: self.symbol(end),
            weight: self.weight(start),
        };
        self.cells[start].symbol = made;
        self.cells[middle].symbol = Symbol::NONE;
        self.cells[end - 1].back = left + right;
        around
    }

    /// Every token with how often its pretoken occurs.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (Symbol, u64)> {
        let tokens = self.cells.iter().filter(|cell| !cell.symbol.is_none()).map(|cell| (cell.symbol, cell.weight));
        tokens.chain((0..=u8::MAX).map(Symbol::from_byte).zip(self.lone))
    }

    /// Every adjacent pair of tokens, from the first pretoken to the last: its position, the pair, its weight.
    pub(super) fn pairs(&self, lengths: &[u32]) -> impl Iterator<Item = (u32, Pair, u64)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            loop {
                let position = next;
                let cell = self.cells.get(widen(position))?;
                // A border is as long as a byte.
                next += lengths.get(cell.symbol.index()).unwrap_or(&1);
                let right = self.cells.get(widen(next))?.symbol;
                if !cell.symbol.is_none() && !right.is_none() {
                    return Some((position, Pair::new(cell.symbol, right), cell.weight));
                }
            }
        })
    }
}
