//! How many threads a piece of work is worth.

use std::num::NonZero;
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::error::check_room;

/// Below this many bytes per thread, starting a thread costs more than it saves.
const MIN_BYTES_PER_THREAD: usize = 1 << 16;

/// More threads than this are never started: each has tables of its own, and no machine runs so many at once.
const MAX_THREADS: usize = 256;

/// How many threads to use for `n_bytes`: `wanted`, or one for each processor, but no more than the work is worth.
pub(crate) fn n_threads(wanted: Option<NonZero<usize>>, n_bytes: usize) -> usize {
    let wanted = wanted.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    wanted.clamp(1, (n_bytes / MIN_BYTES_PER_THREAD).clamp(1, MAX_THREADS))
}

/// What must be left for a thread: its stack and first tables, and as much again, so that small things still find room. What
/// it asks for at length it asks for politely.
const BYTES_PER_THREAD: usize = 8 << 20;

/// Starts a thread, or gives None where no more can be had: the work is then for those that run.
pub(crate) fn start<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> Option<ScopedJoinHandle<'s, T>> {
    check_room(BYTES_PER_THREAD, "a thread").ok()?;
    thread::Builder::new().spawn_scoped(scope, work).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_than_wanted_worth_or_sane() {
        let n = |wanted, n_bytes| n_threads(NonZero::new(wanted), n_bytes);
        assert_eq!((n(4, 0), n(4, 1 << 20), n(4, 3 << 16)), (1, 4, 3));
        assert_eq!(n(usize::MAX, usize::MAX), 256);
        assert!((1..=256).contains(&n(0, usize::MAX)));
    }
}
