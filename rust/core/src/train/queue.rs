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
    /// `recount` tells how often a pair occurs now, or that it is no candidate any more.
    pub(super) fn pop(
        &mut self,
        rule: &R,
        mut recount: impl FnMut(Pair) -> Option<u64>,
    ) -> Result<Option<(Pair, u64)>> {
        loop {
            let Some(mut top) = self.near.peek_mut() else {
                if self.far.is_empty() {
                    return Ok(None);
                }
                self.draw_near(rule, &mut recount)?;
                continue;
            };
            match recount(top.pair) {
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

    /// Lowers `least` by a quarter of the highest count that is far, and puts in order who reaches it. So from any count,
    /// it takes few such steps to 1.
    fn draw_near(&mut self, rule: &R, recount: &mut impl FnMut(Pair) -> Option<u64>) -> Result<()> {
        let most = self.far.iter().map(|&(_, count)| count).max().unwrap_or_default();
        self.least = most - most / 4;
        let mut i = 0;
        while let Some((pair, count)) = self.far.get_mut(i) {
            if *count < self.least {
                i += 1;
                continue;
            }
            let pair = *pair;
            match recount(pair) {
                Some(now) if now < self.least => {
                    *count = now;
                    i += 1;
                }
                now => {
                    self.far.swap_remove(i);
                    if let Some(count) = now {
                        self.push(pair, count, rule)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn out_of_memory(_: std::collections::TryReserveError) -> Error {
    Error::memory("the queue of pairs")
}
