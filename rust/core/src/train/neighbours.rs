//! What one merge meets on one side of its pair, gathered so that hashing is left for each distinct neighbour.

use std::collections::TryReserveError;

use super::candidates::Candidates;
use super::tie::TieRule;
use crate::error::{Error, Result};
use crate::ids::Symbol;

/// The symbols that one merge meets on one side: how often each, and where.
///
/// The table is dense in symbols and outlives the merge, so an occurrence costs an addition.
#[derive(Default)]
pub(super) struct Neighbours {
    tallies: Vec<Tally>,
    met: Vec<Symbol>,
    events: Vec<(Symbol, u32)>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    weight: u64,
    /// First the number of positions, then the place of the next.
    n: usize,
}

/// A neighbour: how often it was met, and at how many positions.
pub(super) struct Met {
    pub(super) symbol: Symbol,
    pub(super) weight: u64,
    pub(super) n: usize,
}

fn out_of_memory(_: TryReserveError) -> Error {
    Error::memory("the neighbours of a pair")
}

/// Positions of a pair that is not indexed are dropped.
const DROPPED: usize = usize::MAX;

impl Neighbours {
    /// Makes room for symbols up to `last`.
    pub(super) fn grow(&mut self, last: Symbol) -> Result<()> {
        let n_symbols = last.index() + 1;
        self.tallies.try_reserve(n_symbols.saturating_sub(self.tallies.len())).map_err(out_of_memory)?;
        self.tallies.resize(n_symbols, Tally::default());
        Ok(())
    }

    /// Makes room for so many pushes, which then need not ask.
    #[inline]
    pub(super) fn reserve(&mut self, n_pushes: usize) -> Result<()> {
        self.met.try_reserve(n_pushes).map_err(out_of_memory)?;
        self.events.try_reserve(n_pushes).map_err(out_of_memory)
    }

    /// Notes that `symbol` was met, and the position of the pair it now forms.
    #[inline(always)]
    pub(super) fn push(&mut self, symbol: Symbol, position: u32, weight: u64) {
        let tally = &mut self.tallies[symbol.index()];
        if tally.weight == 0 {
            self.met.push(symbol);
        }
        tally.weight += weight;
        tally.n += 1;
        self.events.push((symbol, position));
    }

    /// Takes the position of the last push back, but not its weight.
    #[inline]
    pub(super) fn pop_position(&mut self) {
        if let Some((symbol, _)) = self.events.pop() {
            self.tallies[symbol.index()].n -= 1;
        }
    }

    /// How often `symbol` was met.
    pub(super) fn weight(&self, symbol: Symbol) -> u64 {
        self.tallies[symbol.index()].weight
    }

    /// Calls `index` with every neighbour met; it says where to place the positions, if anywhere. Then starts anew.
    pub(super) fn settle<R: TieRule>(
        &mut self,
        candidates: &mut Candidates<R>,
        mut index: impl FnMut(&mut Candidates<R>, Met) -> Result<Option<usize>>,
    ) -> Result<()> {
        for &symbol in &self.met {
            let tally = &mut self.tallies[symbol.index()];
            let met = Met { symbol, weight: tally.weight, n: tally.n };
            tally.n = index(candidates, met)?.unwrap_or(DROPPED);
        }
        for (symbol, position) in self.events.drain(..) {
            let next = &mut self.tallies[symbol.index()].n;
            if *next != DROPPED {
                candidates.place(*next, position);
                *next += 1;
            }
        }
        for symbol in self.met.drain(..) {
            self.tallies[symbol.index()] = Tally::default();
        }
        Ok(())
    }
}
