//! A lazy queue of pairs by how often they occur.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::tie::TieRule;
use crate::error::{Error, Result};
use crate::ids::Pair;

/// Pairs with how often they occur at most: counts only fall, so a pair is counted again when it comes up.
///
/// Most pairs wait long, and many for ever. So only those that occur `least` times or more are kept in order; the others are
/// looked through when none of these is left.
pub(super) struct Queue<R: TieRule> {
    near: BinaryHeap<Candidate<R::Key>>,
    far: Vec<(Pair, u64)>,
    least: u64,
}

/// A pair in order: by count and then by the tie rule.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<K> {
    count: u64,
    key: K,
    pair: Pair,
}

impl<R: TieRule> Queue<R> {
    pub(super) fn new() -> Self {
        Self { near: BinaryHeap::new(), far: Vec::new(), least: u64::MAX }
    }

    /// Lets a pair in, or back in.
    pub(super) fn push(&mut self, pair: Pair, count: u64, rule: &R) -> Result<()> {
        if count >= self.least {
            self.near.try_reserve(1).map_err(out_of_memory)?;
            self.near.push(Candidate { count, key: rule.key(pair), pair });
        } else {
            self.far.try_reserve(1).map_err(out_of_memory)?;
            self.far.push((pair, count));
        }
        Ok(())
    }

    /// Takes out the pair that occurs most often, with its count.
    ///
    /// `recount` tells how often a pair occurs now, or that it is no candidate any more; its errors end the search.
    pub(super) fn pop(
        &mut self,
        rule: &R,
        mut recount: impl FnMut(Pair) -> Result<Option<u64>>,
    ) -> Result<Option<(Pair, u64)>> {
        loop {
            let Some(mut top) = self.near.peek_mut() else {
                if self.far.is_empty() {
                    return Ok(None);
                }
                self.draw_near(rule, &mut recount)?;
                continue;
            };
            match recount(top.pair)? {
                Some(count) if count == top.count => return Ok(Some((PeekMut::pop(top).pair, count))),
                Some(count) if count >= self.least => top.count = count,
                Some(count) => {
                    let pair = PeekMut::pop(top).pair;
                    self.push(pair, count, rule)?;
                }
                None => _ = PeekMut::pop(top),
            }
        }
    }

    /// Lowers `least` to three quarters of the highest count that is far, and puts in order who reaches it. So the pairs
    /// that are far are looked through O(log c) times for a highest count of c.
    fn draw_near(&mut self, rule: &R, recount: &mut impl FnMut(Pair) -> Result<Option<u64>>) -> Result<()> {
        let most = self.far.iter().map(|&(_, count)| count).max().unwrap_or_default();
        self.least = most - most / 4;
        let mut i = 0;
        while let Some(&(pair, count)) = self.far.get(i) {
            if count < self.least {
                i += 1;
                continue;
            }
            self.far.swap_remove(i);
            if let Some(count) = recount(pair)? {
                self.push(pair, count, rule)?;
            }
        }
        if self.far.len() < self.far.capacity() / 4 {
            self.far.shrink_to(2 * self.far.len());
        }
        Ok(())
    }
}

fn out_of_memory(_: std::collections::TryReserveError) -> Error {
    Error::memory("the queue of pairs")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tie::Id;
    use super::*;
    use crate::ids::Symbol;

    /// Numbers that look random.
    fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
        let mut state = seed;
        move |n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        }
    }

    fn pair(left: u64, right: u64) -> Pair {
        let symbol = |number: u64| Symbol::from_index(usize::try_from(number).unwrap());
        Pair::new(symbol(left), symbol(right))
    }

    #[test]
    fn the_next_is_the_most_frequent_of_all() {
        for seed in 0..200 {
            let mut number = numbers(seed);
            let (mut queue, mut counts, mut left) = (Queue::new(), BTreeMap::new(), 0);
            let (highest, min_frequency) = (u64::MAX >> number(64), 1 + number(3));
            for _ in 0..300 {
                for right in 0..number(4) {
                    let count = highest >> number(64) & !number(4);
                    if count >= min_frequency {
                        counts.insert(pair(left, right), count);
                        queue.push(pair(left, right), count, &Id).unwrap();
                    }
                }
                left += 1;
                for count in counts.values_mut() {
                    *count -= if number(3) == 0 { *count >> number(6) } else { 0 };
                }
                if number(2) == 0 {
                    let recount = |pair: Pair| Ok(counts.get(&pair).copied().filter(|&count| count >= min_frequency));
                    let found = queue.pop(&Id, recount).unwrap();
                    counts.retain(|_, count| *count >= min_frequency);
                    let best = counts.iter().max_by_key(|&(&pair, &count)| (count, Id.key(pair)));
                    assert_eq!(found, best.map(|(&pair, &count)| (pair, count)), "seed {seed}");
                    found.map(|(pair, _)| counts.remove(&pair));
                }
            }
        }
    }

    #[test]
    fn a_search_can_be_stopped_and_is_short() {
        let mut queue = Queue::new();
        for index in 0..10_000 {
            queue.push(pair(index, index), u64::MAX >> (index % 64), &Id).unwrap();
        }
        assert!(queue.pop(&Id, |_| Err(Error::interrupted())).is_err());
        let mut n_counted = 0;
        let mut recount = |pair: Pair| {
            n_counted += 1;
            Ok(Some(u64::MAX >> (pair.left().get() % 64)))
        };
        while queue.pop(&Id, &mut recount).unwrap().is_some() {}
        assert_eq!(queue.far.capacity(), 0);
        assert!(n_counted <= 20_000 + 2, "{n_counted}");
    }
}
