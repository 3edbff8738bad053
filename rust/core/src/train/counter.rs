//! Counting over threads: documents, and blocks of large ones, go to whichever thread is free.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::progress::{PERIOD, Ticker};
use super::split::Split;
use super::store::{MAX_RUNS, Store};
use super::table::{SLACK, Work};
use crate::error::{Error, Result};
use crate::ids::widen_u64;
use crate::pretokenize::{Joined, is_short};
use crate::threads;

/// Work is handed out in blocks of about this many bytes, so that threads end at about the same time.
const BLOCK_BYTES: usize = 1 << 18;

/// Threads look up from their work this often, in bytes: a few milliseconds even for a slow pattern.
const LOOK_UP_BYTES: usize = SLACK;

/// Counts documents into one private store for each thread, for as long as there are more.
#[derive(Debug)]
pub(super) struct Counter {
    split: Split,
    stores: Vec<Store>,
    /// The bytes of memory that all of them may take.
    limit: usize,
    done: AtomicU64,
}

impl Counter {
    pub(super) fn new(split: &Split, limit: usize) -> Self {
        Self { split: split.clone(), stores: Vec::new(), limit, done: AtomicU64::new(0) }
    }

    pub(super) fn split(&self) -> &Split {
        &self.split
    }

    /// How much of a file to hold at a time: `wanted`, or less where little memory may be used.
    pub(super) fn block_bytes(&self, wanted: usize) -> usize {
        wanted.min(self.limit / 8).max(BLOCK_BYTES)
    }

    /// Counts `documents`. After an error the counts are of no use.
    pub(super) fn count(&mut self, documents: &[&[u8]], n_threads: usize, ticker: &mut Ticker<'_>) -> Result<()> {
        if self.stores.len() < n_threads {
            self.stores.resize_with(n_threads, Store::default);
        }
        let (limit, max_runs) = (self.limit / self.stores.len().max(1), (MAX_RUNS / n_threads.max(1)).max(4));
        let stores = self.stores.get_mut(..n_threads).unwrap_or_default();
        let Some((own, others)) = stores.split_first_mut() else {
            return Err(Error::internal("a counter without threads"));
        };
        let feed = Mutex::new(Feed { split: &self.split, documents, document: 0, position: 0 });
        let stop = AtomicBool::new(false);
        let shared = Shared { split: &self.split, feed, limit, max_runs, stop, done: &self.done };
        thread::scope(|scope| {
            // Nothing is ever sent: the channel closes when the last thread has dropped its end.
            let (running, all_done) = mpsc::channel::<Infallible>();
            let start = |store| {
                let (running, shared) = (running.clone(), &shared);
                threads::start(scope, move || {
                    let result = shared.work(store, || Ok(()));
                    drop(running);
                    result
                })
            };
            let workers: Vec<_> = others.iter_mut().map_while(start).collect();
            drop(running);
            let mut result = shared.work(own, || ticker.tick(self.done.load(Ordering::Relaxed)));
            while result.is_ok() && all_done.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                result = ticker.tick(self.done.load(Ordering::Relaxed));
            }
            if result.is_err() {
                shared.stop.store(true, Ordering::Relaxed);
            }
            for worker in workers {
                match worker.join() {
                    Ok(theirs) => result = result.and(theirs),
                    // The panic goes on in the caller, where the binding turns it into an exception.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            result
        })
    }

    /// The bytes counted since this was last reset.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn reset_done(&mut self) {
        *self.done.get_mut() = 0;
    }

    /// The sum of the threads' counts.
    pub(super) fn finish(self, look_up: impl FnMut() -> Result<()>) -> Result<Store> {
        Store::join(self.stores, self.limit, look_up)
    }
}

/// What the threads of one call share.
struct Shared<'a> {
    split: &'a Split,
    feed: Mutex<Feed<'a>>,
    /// The bytes of memory of one store, and how many files it may have open.
    limit: usize,
    max_runs: usize,
    stop: AtomicBool,
    done: &'a AtomicU64,
}

impl Shared<'_> {
    /// Counts blocks until there are none, or another thread has failed. Calls `look_up` every few milliseconds.
    fn work(&self, store: &mut Store, mut look_up: impl FnMut() -> Result<()>) -> Result<()> {
        let (mut joined, mut work) = (Joined::default(), Work::default());
        loop {
            let block = self.feed.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(block) = block else {
                return Ok(());
            };
            for texts in block.texts().chunk_by(|one, next| is_short(one.len()) && is_short(next.len())) {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let adding = Adding { store, shared: self, look_up: &mut look_up, work: &mut work, since: 0 };
                let added = match texts {
                    [text] => adding.text(text),
                    texts => adding.short_texts(texts, &mut joined),
                };
                // Where another thread has failed before, that is what went wrong.
                if added.is_err() {
                    return if self.stop.swap(true, Ordering::Relaxed) { Ok(()) } else { added };
                }
            }
            look_up()?;
        }
    }
}

/// The pretokens of some texts on their way into a store.
struct Adding<'a, 's, F> {
    store: &'a mut Store,
    shared: &'a Shared<'s>,
    look_up: F,
    work: &'a mut Work,
    /// The bytes counted that nobody was told of.
    since: usize,
}

impl<F: FnMut() -> Result<()>> Adding<'_, '_, F> {
    fn text(mut self, text: &[u8]) -> Result<()> {
        let mut counted = 0;
        let flow = self.shared.split.runs(text, |text, start, ends| {
            counted += ends.last().map_or(0, |end| end - start);
            flow(self.run(text, start, ends))
        });
        flow.break_value().map_or(Ok(()), Err)?;
        // Special tokens are work done, too.
        self.since += text.len() - counted;
        self.look_up()
    }

    fn short_texts(mut self, mut texts: &[&[u8]], joined: &mut Joined) -> Result<()> {
        while !texts.is_empty() {
            texts = joined.fill(texts);
            let flow = self.shared.split.runs_of_texts(joined, |text, start, ends| flow(self.run(text, start, ends)));
            flow.break_value().map_or(Ok(()), Err)?;
        }
        self.look_up()
    }

    /// Adds a run of pretokens.
    fn run(&mut self, text: &[u8], start: usize, ends: &[usize]) -> Result<()> {
        self.since += ends.last().map_or(0, |end| end - start);
        if self.since >= LOOK_UP_BYTES {
            self.look_up()?;
        }
        self.store.table().add_all(self.work, text, start, ends, 1)
    }

    /// Looks up from the work: tells how much is done, and sees whether to stop and how much memory is taken.
    fn look_up(&mut self) -> Result<()> {
        let Shared { done, stop, limit, max_runs, .. } = self.shared;
        done.fetch_add(widen_u64(std::mem::take(&mut self.since)), Ordering::Relaxed);
        let mut look_up = || {
            (self.look_up)()?;
            if stop.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
        };
        look_up()?;
        self.store.spill_beyond(*limit, *max_runs, look_up)
    }
}

/// Goes on, unless there is an error.
pub(super) fn flow(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

/// Documents as blocks of work.
struct Feed<'a> {
    split: &'a Split,
    documents: &'a [&'a [u8]],
    /// The first document not handed out, and how much of it is.
    document: usize,
    position: usize,
}

/// A run of whole documents, or a part of one.
enum Block<'a> {
    Documents(&'a [&'a [u8]]),
    Part(&'a [u8]),
}

impl<'a> Block<'a> {
    fn texts(&self) -> &[&'a [u8]] {
        match self {
            Self::Documents(documents) => documents,
            Self::Part(part) => std::slice::from_ref(part),
        }
    }
}

impl<'a> Feed<'a> {
    fn next(&mut self) -> Option<Block<'a>> {
        let documents = self.documents.get(self.document..)?;
        let document = documents.first()?;
        if document.len() <= BLOCK_BYTES {
            let mut n_bytes = 0;
            let small = |document: &&&[u8]| {
                let fits = n_bytes < BLOCK_BYTES && document.len() <= BLOCK_BYTES;
                n_bytes += document.len() + 1;
                fits
            };
            let n = documents.iter().take_while(small).count();
            self.document += n;
            return documents.get(..n).map(Block::Documents);
        }
        let rest = document.get(self.position..)?;
        let mut size = BLOCK_BYTES;
        let cut = loop {
            match rest.get(..size).map(|window| self.split.safe_prefix(window)) {
                Some(Some(cut)) => break cut,
                // Doubling keeps the searches linear where safe cuts are rare.
                Some(None) => size *= 2,
                None => break rest.len(),
            }
        };
        self.position += cut;
        if cut == rest.len() {
            (self.document, self.position) = (self.document + 1, 0);
        }
        rest.get(..cut).map(Block::Part)
    }
}
