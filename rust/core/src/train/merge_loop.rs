//! The fast trainer: every merge visits the places where its pair stands, and nothing else.

use std::borrow::Borrow;

use super::candidates::Candidates;
use super::neighbours::{Met, Neighbours};
use super::progress::{Checkpoint, Stage, Ticker};
use super::report::{StopReason, Trained};
use super::start::Start;
use super::tie::TieRule;
use super::words::Words;
use super::{Counts, TrainOptions};
use crate::error::{Error, Result};
use crate::ids::{Pair, Symbol, narrow, widen, widen_u64};

/// Positions are checked in groups, before any is visited: the loads of a group do not wait for each other, and have begun
/// while the two groups before were visited.
const GROUP: usize = 64;

/// After this many visits, a merge looks whether a checkpoint is due.
const LOOK_UP_VISITS: usize = 1 << 16;

type PairMap<V> = hashbrown::HashMap<Pair, V, foldhash::fast::RandomState>;

/// The state between two merges.
pub(super) struct MergeLoop<'a, R: TieRule> {
    words: Words,
    candidates: Candidates<R>,
    left: Neighbours,
    right: Neighbours,
    max_merges: usize,
    trained: Trained,
    ticker: Ticker<'a>,
}

impl<'a, R: TieRule> MergeLoop<'a, R> {
    pub(super) fn new(
        counts: impl Borrow<Counts>,
        start: &Start<'_>,
        options: &TrainOptions,
        rule: R,
        checkpoint: Checkpoint<'a>,
    ) -> Result<Self> {
        let mut ticker = Ticker::new(checkpoint, Stage::Merging, Some(widen_u64(options.max_merges)));
        let mut words = Words::new(counts.borrow(), start.merges(), &mut ticker)?;
        let mut trained = Trained::new(counts.borrow().total_bytes());
        drop(counts);
        let mut candidates = Candidates::new(options, rule);
        start.make(&mut words, &mut candidates, &mut trained, &mut ticker)?;
        let mut merging = Self {
            words,
            candidates,
            left: Neighbours::default(),
            right: Neighbours::default(),
            max_merges: options.max_merges,
            trained,
            ticker,
        };
        if start.len() == 0 {
            index_bytes(&merging.words, &mut merging.candidates, &mut merging.ticker)?;
        } else {
            let last = merging.trained.counts().last().copied().unwrap_or_default();
            merging.candidates.expect(last, start.len(), options.max_merges);
            merging.index()?;
        }
        Ok(merging)
    }

    /// Merges until there is a reason to stop.
    pub(super) fn run(mut self) -> Result<Trained> {
        while self.trained.merges().len() < self.max_merges {
            let mut step = 0;
            let next = self.candidates.next(|| {
                step += 1;
                self.ticker.step(step, self.trained.merges())
            })?;
            if self.candidates.may_hide_better_than(next.map_or(0, |(_, count)| count)) {
                self.index_again()?;
                continue;
            }
            let Some((pair, count)) = next else {
                let stop = self.why_none()?;
                return Ok(self.stopped(stop));
            };
            self.candidates.expect(count, self.trained.merges().len(), self.max_merges);
            self.merge(pair, count)?;
        }
        self.ticker.report(self.trained.merges())?;
        Ok(self.stopped(StopReason::VocabSize))
    }

    fn stopped(self, stop: StopReason) -> Trained {
        self.trained.stopped(stop, self.words.tokens())
    }

    /// Makes `pair` one symbol wherever it stands.
    fn merge(&mut self, pair: Pair, count: u64) -> Result<()> {
        let (a, b) = (pair.left(), pair.right());
        let [a_length, b_length] = [a, b].map(|part| self.candidates.length(part));
        let (made, places) = self.candidates.take(pair);
        self.left.grow(made)?;
        self.right.grow(made)?;

        let mut replaced = 0;
        for visits in self.candidates.positions(places).chunks(LOOK_UP_VISITS) {
            self.ticker.tick(self.trained.merges())?;
            let mut ahead = visits.chunks(GROUP);
            let mut next = visits.chunks(GROUP).skip(1);
            ahead.by_ref().take(2).flatten().for_each(|&position| self.words.prefetch(position));
            for group in visits.chunks(GROUP) {
                self.left.reserve(GROUP)?;
                self.right.reserve(GROUP)?;
                ahead.next().into_iter().flatten().for_each(|&position| self.words.prefetch(position));
                next.next().into_iter().flatten().for_each(|&position| self.words.prefetch_weight(position));
                let mut standing = [0; GROUP];
                let mut n = 0;
                for &position in group {
                    let start = widen(position);
                    standing[n] = position;
                    // Half the positions are stale: adding the truth costs less than a branch guessed wrong.
                    n += usize::from(
                        (self.words.symbol(start) == a) & (self.words.symbol(start + widen(a_length)) == b),
                    );
                }
                let standing = &standing[..n];
                let mut weights = [0; GROUP];
                for (weight, &position) in weights.iter_mut().zip(standing) {
                    *weight = self.words.weight(widen(position));
                }
                for (&position, weight) in standing.iter().zip(weights) {
                    // In a run such as `aaa`, the occurrence before may have taken this one's left symbol.
                    if self.words.symbol(widen(position)) != a {
                        continue;
                    }
                    let around = self.words.join(position, a_length, b_length, made);
                    replaced += weight;
                    let (symbol, at) = around.left;
                    if symbol == made {
                        // Two occurrences in a row: what the first formed with this one's left symbol is gone again.
                        self.right.pop_position();
                    }
                    if !symbol.is_none() {
                        self.left.push(symbol, at, weight);
                    }
                    if !around.right.is_none() {
                        self.right.push(around.right, position, weight);
                    }
                }
            }
        }
        self.settle(pair, made)?;
        self.trained.push(pair, count, replaced);
        Ok(())
    }

    /// Brings the index up to date with what the merge of `pair` into `made` has met on both sides.
    fn settle(&mut self, pair: Pair, made: Symbol) -> Result<()> {
        // Where two occurrences stand in a row, the first one met the second one's left symbol, so the pair between them
        // is taken away with those on the right. The second one met `made`: nothing is left to take away for it, as
        // pairs with `made` on the left only come into the index after those with `made` on the right.
        let in_a_row = self.left.weight(made);
        self.left.settle(&mut self.candidates, |candidates, Met { symbol, weight, n }| {
            candidates.subtract(Pair::new(symbol, pair.left()), weight);
            candidates.add(Pair::new(symbol, made), weight, n)
        })?;
        self.right.settle(&mut self.candidates, |candidates, Met { symbol, weight, n }| {
            candidates.subtract(Pair::new(pair.right(), symbol), weight);
            let weight = if symbol == pair.left() { weight - in_a_row } else { weight };
            candidates.add(Pair::new(made, symbol), weight, n)
        })
    }

    /// Indexes all pairs anew, and hides none from now on.
    fn index_again(&mut self) -> Result<()> {
        self.candidates.clear();
        self.index()
    }

    /// Indexes the pairs as they stand now.
    fn index(&mut self) -> Result<()> {
        let tallies = self.tally()?;
        let mut places = PairMap::default();
        places.try_reserve(tallies.len()).map_err(out_of_memory)?;
        for (pair, (count, n)) in tallies {
            if let Some(place) = self.candidates.add(pair, count, n)? {
                places.insert(pair, place);
            }
        }
        let lengths = self.candidates.lengths().to_vec();
        for (i, (position, pair, _)) in self.words.pairs(&lengths).enumerate() {
            self.ticker.step(i, self.trained.merges())?;
            if let Some(place) = places.get_mut(&pair) {
                self.candidates.place(*place, position);
                *place += 1;
            }
        }
        Ok(())
    }

    /// Why there is no candidate. Pairs that are too rare were never indexed, so this counts what is left.
    fn why_none(&mut self) -> Result<StopReason> {
        let most = self.tally()?.into_values().map(|(count, _)| count).max();
        Ok(most.map_or(StopReason::NoPairs, |count| StopReason::MinFrequency {
            count,
            min_frequency: self.candidates.min_frequency(),
        }))
    }

    /// How often each pair occurs that makes no token too long, and at how many positions.
    fn tally(&mut self) -> Result<PairMap<(u64, usize)>> {
        let mut tallies = PairMap::<(u64, usize)>::default();
        for (i, (_, pair, weight)) in self.words.pairs(self.candidates.lengths()).enumerate() {
            self.ticker.step(i, self.trained.merges())?;
            if self.candidates.fits(pair) {
                tallies.try_reserve(1).map_err(out_of_memory)?;
                let (count, n) = tallies.entry(pair).or_default();
                *count += weight;
                *n += 1;
            }
        }
        Ok(tallies)
    }
}

fn out_of_memory(_: hashbrown::TryReserveError) -> Error {
    Error::memory("the pairs that are left")
}

/// Indexes the pairs of bytes: two passes with a counter for each of the 65,536.
fn index_bytes<R: TieRule>(words: &Words, candidates: &mut Candidates<R>, ticker: &mut Ticker<'_>) -> Result<()> {
    const LENGTHS: [u32; Symbol::BYTES] = [1; Symbol::BYTES];
    /// A little longer than need be: of rows of 256, the same few columns, which a script uses, would share few cache lines.
    const ROW: usize = Symbol::BYTES + 4;
    const NOWHERE: u32 = u32::MAX;
    let bytes = || (0..=u8::MAX).map(Symbol::from_byte);
    let slot = |pair: Pair| pair.left().index() * ROW + pair.right().index();

    let mut tallies = vec![(0_u64, 0_usize); Symbol::BYTES * ROW];
    for (i, (_, pair, weight)) in words.pairs(&LENGTHS).enumerate() {
        ticker.step(i, 0)?;
        let (count, n) = &mut tallies[slot(pair)];
        *count += weight;
        *n += 1;
    }
    // There are fewer places than cells, which 32 bits can number.
    let mut places = vec![NOWHERE; Symbol::BYTES * ROW];
    for pair in bytes().flat_map(|left| bytes().map(move |right| Pair::new(left, right))) {
        let (count, n) = tallies[slot(pair)];
        places[slot(pair)] = candidates.add(pair, count, n)?.and_then(narrow).unwrap_or(NOWHERE);
    }
    for (i, (position, pair, _)) in words.pairs(&LENGTHS).enumerate() {
        ticker.step(i, 0)?;
        let place = &mut places[slot(pair)];
        if *place != NOWHERE {
            candidates.place(widen(*place), position);
            *place += 1;
        }
    }
    Ok(())
}
