//! Many documents over threads: blocks of documents, taken in turn, put back in order. A long document is work for several.
//!
//! Each thread has blocks of its own, the same ones whenever the same documents come, so that what it knows is of them. One that
//! gets ahead takes those of the slowest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::text::Text;
use crate::threads;

/// Documents are handed out in blocks of about this many bytes, or characters where they are not UTF-8 yet, so that threads end at
/// about the same time.
pub(crate) const BLOCK_BYTES: usize = 1 << 18;

/// Runs `work` on consecutive blocks of `documents`, with the index of the first, over `n_threads` threads, and gives what it
/// made of each to `commit`, in order, to be emptied. The first block that either fails on ends it.
///
/// Each thread makes its own state with `start`, from its number. One thread runs in the caller's; no pool outlives the call.
pub(crate) fn for_blocks<S, R: Default + Send, E: Send>(
    documents: &[Text<'_>],
    n_threads: usize,
    start: impl Fn(usize) -> S + Sync,
    work: impl Fn(&mut S, usize, &[Text<'_>], &mut R) -> Result<(), E> + Sync,
    commit: impl FnMut(&mut R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let blocks = blocks(documents);
    let n_threads = n_threads.min(blocks.len()).max(1);
    let turns = Mutex::new(Turns { next: (0..n_threads).collect(), n_blocks: blocks.len() });
    let in_order = Mutex::new(InOrder { next: 0, waiting: BTreeMap::new(), commit, failed: None });
    let run = |thread: usize| {
        let (mut state, mut made) = (start(thread), R::default());
        loop {
            let turn = turns.lock().unwrap_or_else(PoisonError::into_inner).take(thread);
            let Some((index, &(first, block))) = turn.and_then(|index| Some((index, blocks.get(index)?))) else {
                break;
            };
            let done = work(&mut state, first, block, &mut made).map(|()| &mut made);
            // A thread that panicked inside ends the call: what the others still do here is not seen.
            if !in_order.lock().unwrap_or_else(PoisonError::into_inner).take(index, done) {
                break;
            }
        }
    };
    thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (1..n_threads).map_while(|thread| threads::start(scope, move || run(thread))).collect();
        run(0);
        for worker in workers {
            if let Err(panic) = worker.join() {
                // The panic goes on in the caller, where the binding turns it into an exception.
                std::panic::resume_unwind(panic);
            }
        }
    });
    in_order.into_inner().unwrap_or_else(PoisonError::into_inner).failed.map_or(Ok(()), Err)
}

/// Which block comes next for each thread: of n threads, each has every n-th.
struct Turns {
    next: Vec<usize>,
    n_blocks: usize,
}

impl Turns {
    /// A thread that is so many turns ahead of another takes one of its blocks.
    const AHEAD: usize = 3;

    fn take(&mut self, thread: usize) -> Option<usize> {
        let n_threads = self.next.len();
        let own = *self.next.get(thread)?;
        let slowest = *self.next.iter().min()?;
        let index = if own >= self.n_blocks.min(slowest + Self::AHEAD * n_threads) { slowest } else { own };
        if index >= self.n_blocks {
            return None;
        }
        *self.next.get_mut(index % n_threads)? += n_threads;
        Some(index)
    }
}

/// Puts results back in order.
struct InOrder<R, E, C> {
    /// The index of the result that is to be committed next.
    next: usize,
    /// Those that came before their turn.
    waiting: BTreeMap<usize, Result<R, E>>,
    commit: C,
    failed: Option<E>,
}

impl<R: Default, E, C: FnMut(&mut R) -> Result<(), E>> InOrder<R, E, C> {
    /// Commits a result, if it is its turn, and those that waited for it. Says whether to go on.
    fn take(&mut self, index: usize, done: Result<&mut R, E>) -> bool {
        if index != self.next {
            self.waiting.insert(index, done.map(std::mem::take));
            return self.failed.is_none();
        }
        let mut committed = done.and_then(&mut self.commit);
        while committed.is_ok() && self.failed.is_none() {
            self.next += 1;
            let Some(done) = self.waiting.remove(&self.next) else { return true };
            committed = done.and_then(|mut made| (self.commit)(&mut made));
        }
        self.failed = self.failed.take().or(committed.err());
        false
    }
}

/// Documents, of which long ones are cut into pieces of about [`BLOCK_BYTES`].
pub(crate) struct Pieces<'a, 'd> {
    pub(crate) pieces: Cow<'a, [Text<'d>]>,
    /// The indices of those that do not end their document, in order.
    inner: Vec<usize>,
}

impl<'a, 'd> Pieces<'a, 'd> {
    /// The documents as they are.
    pub(crate) fn whole(documents: &'a [Text<'d>]) -> Self {
        Self { pieces: Cow::Borrowed(documents), inner: Vec::new() }
    }

    /// Cuts long documents where `is_cut` says that the parts encode to the same ids as the whole.
    pub(crate) fn cut(documents: &'a [Text<'d>], is_cut: impl Fn(Text<'d>, usize) -> bool) -> Self {
        let is_long = |document: &&Text<'_>| document.len() > BLOCK_BYTES + BLOCK_BYTES / 2;
        let (mut pieces, mut inner) = (Vec::new(), Vec::new());
        let n_cut = documents.iter().filter(is_long).map(|document| document.len()).sum::<usize>();
        if n_cut == 0 || pieces.try_reserve(documents.len() + n_cut / BLOCK_BYTES).is_err() {
            return Self::whole(documents);
        }
        for &document in documents {
            let mut start = 0;
            for end in cuts(document.len(), |at| is_cut(document, at)) {
                inner.push(pieces.len());
                pieces.push(document.part(start..end));
                start = end;
            }
            pieces.push(document.part(start..document.len()));
        }
        Self { pieces: Cow::Owned(pieces), inner }
    }

    /// Whether the piece number `index` ends its document.
    pub(crate) fn is_last(&self, index: usize) -> bool {
        self.inner.binary_search(&index).is_err()
    }

    /// Which document the piece number `index` is of.
    pub(crate) fn document(&self, index: usize) -> usize {
        index - self.inner.partition_point(|&inner| inner < index)
    }
}

/// Where a document of so many bytes or characters is cut into pieces of about [`BLOCK_BYTES`], if `is_cut` allows it.
pub(crate) fn cuts(length: usize, is_cut: impl Fn(usize) -> bool) -> Vec<usize> {
    let next = |&cut: &usize| Some(next_cut(cut, length, BLOCK_BYTES, &is_cut)).filter(|&next| next < length);
    std::iter::successors(next(&0), next).collect()
}

/// Where the piece of about `n_wanted` ends that begins at `start`. It is longer where there is no cut near, and is not followed
/// by one of less than half as many.
pub(crate) fn next_cut(start: usize, length: usize, n_wanted: usize, is_cut: impl Fn(usize) -> bool) -> usize {
    /// So many places are tried for each cut.
    const NEAR: usize = 1 << 12;
    let mut wanted = start + n_wanted;
    while wanted + n_wanted / 2 < length {
        if let Some(found) = (wanted..length.min(wanted + NEAR)).find(|&at| is_cut(at)) {
            return found;
        }
        wanted += n_wanted;
    }
    length
}

/// Runs of documents, each with the index of its first.
pub(crate) fn blocks<'a, 'd>(documents: &'a [Text<'d>]) -> Vec<(usize, &'a [Text<'d>])> {
    let mut blocks = Vec::new();
    let (mut start, mut n_bytes) = (0, 0);
    for (index, document) in documents.iter().enumerate() {
        n_bytes += document.len() + 1;
        if n_bytes >= BLOCK_BYTES {
            blocks.extend(documents.get(start..=index).map(|block| (start, block)));
            (start, n_bytes) = (index + 1, 0);
        }
    }
    blocks.extend(documents.get(start..).filter(|rest| !rest.is_empty()).map(|rest| (start, rest)));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_documents() {
        let long = vec![b'x'; 3 * BLOCK_BYTES];
        let wide = vec![0xE9; 3 * BLOCK_BYTES];
        let documents: [&[u8]; 5] = [b"", &long, b"a", &long[..BLOCK_BYTES], &long[..2 * BLOCK_BYTES]];
        let documents: Vec<Text<'_>> = documents.into_iter().map(Text::Bytes).chain([Text::Ucs2(&wide)]).collect();
        let pieces = Pieces::cut(&documents, |_, at| at % 1_000 == 7);
        let mut joined = vec![Vec::new(); documents.len()];
        for (index, &piece) in pieces.pieces.iter().enumerate() {
            piece.append_to(&mut joined[pieces.document(index)]).unwrap();
            let is_next_of_another = pieces.document(index + 1) != pieces.document(index);
            assert_eq!(pieces.is_last(index), is_next_of_another);
        }
        for (joined, document) in joined.iter().zip(&documents) {
            let mut whole = Vec::new();
            document.append_to(&mut whole).unwrap();
            assert_eq!(*joined, whole);
        }
        assert_eq!(pieces.pieces.len(), documents.len() + 5);
        // Where there is no place to cut, nothing is.
        assert_eq!(Pieces::cut(&documents, |_, _| false).pieces.len(), documents.len());
        assert_eq!(Pieces::cut(&documents, |_, at| at > 2 * BLOCK_BYTES).pieces.len(), documents.len() + 2);
    }

    #[test]
    fn blocks_cover_all_documents_in_order() {
        let long = vec![b'x'; BLOCK_BYTES];
        let documents: [&[u8]; 7] = [b"", b"a", &long, b"", &long, &long, b"b"];
        let documents = documents.map(Text::Bytes);
        for n_threads in [1, 2, 8] {
            let mut lengths = Vec::new();
            let work = |(): &mut (), first: usize, block: &[Text<'_>], made: &mut Vec<usize>| {
                assert!(std::ptr::eq(block, &documents[first..first + block.len()]));
                made.extend(block.iter().map(|document| document.len()));
                Ok::<_, ()>(())
            };
            for_blocks(
                &documents,
                n_threads,
                |_| (),
                work,
                |made| {
                    lengths.append(made);
                    Ok(())
                },
            )
            .unwrap();
            let expected: Vec<usize> = documents.iter().map(|document| document.len()).collect();
            assert_eq!(lengths, expected);
        }
    }

    #[test]
    fn each_block_has_its_turn_and_threads_keep_theirs() {
        for n_threads in 1..=5 {
            for n_blocks in 0..40 {
                let turns = || Turns { next: (0..n_threads).collect(), n_blocks };
                // Threads that are as fast have the blocks they always have.
                let mut even = turns();
                for index in 0..n_blocks {
                    assert_eq!(even.take(index % n_threads), Some(index));
                }
                // Others take what is left, and the first blocks are not put off.
                for fast in 0..n_threads {
                    let mut uneven = turns();
                    let mut taken: Vec<usize> = std::iter::from_fn(|| uneven.take(fast)).collect();
                    let late = taken.iter().enumerate().map(|(turn, index)| index.saturating_sub(turn)).max();
                    assert!(late <= Some(Turns::AHEAD * n_threads), "{taken:?}");
                    taken.sort_unstable();
                    assert_eq!(taken, (0..n_blocks).collect::<Vec<_>>());
                    assert!((0..n_threads).all(|thread| uneven.take(thread).is_none()));
                }
            }
        }
    }

    #[test]
    fn the_first_block_that_fails_ends_it() {
        let long = vec![b'x'; BLOCK_BYTES];
        let documents = [Text::Bytes(&long); 40];
        for n_threads in [1, 2, 8] {
            for failing in [0, 7, 39] {
                let mut committed = Vec::new();
                let work = |(): &mut (), first: usize, _: &[Text<'_>], made: &mut usize| {
                    *made = first;
                    // Later ones fail too, and may sooner.
                    if first >= failing { Err(first) } else { Ok(()) }
                };
                let failed = for_blocks(
                    &documents,
                    n_threads,
                    |_| (),
                    work,
                    |made| {
                        committed.push(*made);
                        Ok(())
                    },
                );
                assert_eq!((failed, committed), (Err(failing), (0..failing).collect()));
            }
        }
    }
}
