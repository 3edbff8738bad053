//! Progress reports, through which a caller can also stop the work.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::ids::{Symbol, widen_u64};

/// How often a checkpoint is due. A terminal redraws no faster, and an interrupt is felt as immediate.
pub(super) const PERIOD: Duration = Duration::from_millis(25);

/// A loop of short steps looks at the clock once in this many, about a millisecond apart.
const STEPS: usize = 1 << 14;

/// What long work calls from the caller's thread every 25 ms or so.
///
/// An `Err`, such as [`Error::interrupted`](crate::Error::interrupted), ends the work at once and is what it returns.
pub type Checkpoint<'a> = &'a mut dyn FnMut(Progress<'_>) -> Result<()>;

/// How far long work has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress<'m> {
    /// The kind of work.
    pub stage: Stage,
    /// What is done of it: bytes when counting, merges when merging.
    pub done: u64,
    /// All there is to do in the same unit, where it is known; training may still end earlier.
    pub total: Option<u64>,
    /// The merges made so far: training can go on [from them](super::train_from).
    pub merges: &'m [(Symbol, Symbol)],
}

/// What is done: bytes counted, or merges made.
#[derive(Clone, Copy)]
pub(super) enum Done<'m> {
    Bytes(u64),
    Merges(&'m [(Symbol, Symbol)]),
}

impl From<u64> for Done<'_> {
    fn from(n_bytes: u64) -> Self {
        Self::Bytes(n_bytes)
    }
}

impl<'m> From<&'m [(Symbol, Symbol)]> for Done<'m> {
    fn from(merges: &'m [(Symbol, Symbol)]) -> Self {
        Self::Merges(merges)
    }
}

/// The two halves of training.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Splitting documents and counting their pretokens.
    Counting,
    /// Learning merges from the counts.
    Merging,
}

/// Calls a checkpoint when it is due, however often it is asked.
pub(super) struct Ticker<'a> {
    checkpoint: Checkpoint<'a>,
    stage: Stage,
    total: Option<u64>,
    last: Instant,
}

impl<'a> Ticker<'a> {
    pub(super) fn new(checkpoint: Checkpoint<'a>, stage: Stage, total: Option<u64>) -> Self {
        Self { checkpoint, stage, total, last: Instant::now() }
    }

    /// Calls the checkpoint if the last call is long ago.
    #[inline]
    pub(super) fn tick<'m>(&mut self, done: impl Into<Done<'m>>) -> Result<()> {
        if self.last.elapsed() < PERIOD { Ok(()) } else { self.report(done) }
    }

    /// Ticks at some of the steps of a loop whose steps are shorter than a look at the clock.
    #[inline]
    pub(super) fn step<'m>(&mut self, step: usize, done: impl Into<Done<'m>>) -> Result<()> {
        if step.is_multiple_of(STEPS) { self.tick(done) } else { Ok(()) }
    }

    /// Calls the checkpoint now.
    pub(super) fn report<'m>(&mut self, done: impl Into<Done<'m>>) -> Result<()> {
        self.last = Instant::now();
        let (done, merges) = match done.into() {
            Done::Bytes(n_bytes) => (n_bytes, [].as_slice()),
            Done::Merges(merges) => (widen_u64(merges.len()), merges),
        };
        (self.checkpoint)(Progress { stage: self.stage, done, total: self.total, merges })
    }
}
