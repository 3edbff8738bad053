//! Many documents over threads: blocks of documents, taken in turn, put back in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::threads;

/// Documents are handed out in blocks of about this many bytes, so that threads end at about the same time.
const BLOCK_BYTES: usize = 1 << 18;

/// Runs `work` on consecutive blocks of `documents`, with the index of the first, over `n_threads` threads; the results in
/// order.
///
/// Each thread makes its own state with `start`. One thread runs in the caller's; no pool outlives the call.
pub(crate) fn for_blocks<S, R: Send>(
    documents: &[&[u8]],
    n_threads: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize, &[&[u8]]) -> R + Sync,
) -> Vec<R> {
    let blocks = blocks(documents);
    if n_threads <= 1 || blocks.len() <= 1 {
        let mut state = start();
        return blocks.into_iter().map(|(first, block)| work(&mut state, first, block)).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = start();
        let mut done = Vec::new();
        while let Some((index, (first, block))) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            blocks.get(index).map(|&block| (index, block))
        } {
            done.push((index, work(&mut state, first, block)));
        }
        done
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (1..n_threads.min(blocks.len())).map_while(|_| threads::start(scope, run)).collect();
        let mut results = run();
        for worker in workers {
            match worker.join() {
                Ok(done) => results.extend(done),
                // The panic goes on in the caller, where the binding turns it into an exception.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs of documents, each with the index of its first.
pub(crate) fn blocks<'a, 'd>(documents: &'a [&'d [u8]]) -> Vec<(usize, &'a [&'d [u8]])> {
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
    fn blocks_cover_all_documents_in_order() {
        let long = vec![b'x'; BLOCK_BYTES];
        let documents: Vec<&[u8]> = vec![b"", b"a", &long, b"", &long, &long, b"b"];
        for n_threads in [1, 2, 8] {
            let lengths = for_blocks(
                &documents,
                n_threads,
                || (),
                |(), first, block| {
                    assert!(std::ptr::eq(block, &documents[first..first + block.len()]));
                    block.iter().map(|document| document.len()).collect::<Vec<_>>()
                },
            );
            let expected: Vec<usize> = documents.iter().map(|document| document.len()).collect();
            assert_eq!(lengths.concat(), expected);
        }
        assert!(for_blocks(&[], 4, || (), |(), _, block| block.len()).is_empty());
    }
}
