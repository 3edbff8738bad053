//! A defect on purpose, for the tests that a panic becomes an exception: only in what `make defects` builds.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

/// How often work may still ask whether to stop before it panics; 0 where it never does.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Makes long work panic when it asks for the n-th time whether to stop, in whatever thread asks.
#[pyfunction]
pub(crate) fn panic_at(n: usize) {
    LEFT.store(n, Ordering::Relaxed);
}

/// Panics where it was asked for.
pub(crate) fn strike() {
    let taken = LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    assert!(taken != Ok(1), "a defect on purpose");
}
