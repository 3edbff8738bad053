//! Operations counted in tests, so that linear time is shown without a clock. Outside of tests nothing is counted.

/// Counts `n` operations of the same small cost: look-ups, steps, bytes hashed.
#[inline(always)]
pub(crate) fn count(n: usize) {
    #[cfg(test)]
    OPERATIONS.with(|operations| operations.set(operations.get() + n));
    #[cfg(not(test))]
    let _ = n;
}

#[cfg(test)]
thread_local! {
    static OPERATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many operations `work` takes in this thread.
#[cfg(test)]
pub(crate) fn operations(work: impl FnOnce()) -> usize {
    let before = OPERATIONS.get();
    work();
    OPERATIONS.get() - before
}
