//! The memory of caches, for the whole process.

use pyo3::prelude::*;

/// Bound the memory that tokenizers keep between calls: caches of words lately encoded, buffers, and the memory of the last
/// long array of ids that was let go, for the next.
///
/// The bound is for all tokenizers of the process together, and 64 MiB to begin with. The array's memory, and then what was longest
/// unused, is let go until the rest fits, now and after each call. A cache in use is not counted: each thread that encodes has one, of 30 MiB
/// at most. Nor is what a tokenizer makes once of its vocabulary, whatever is encoded.
///
/// Parameters
/// ----------
/// n_bytes : int
///     With 0 nothing is kept: each call begins with an empty cache, and many short calls take several times as long. For
///     several threads at full speed on large corpora, 30 MiB for each thread are enough.
///
/// Examples
/// --------
/// >>> bytepair.set_cache_limit(8 * 2**20)
/// >>> bytepair.set_cache_limit(64 * 2**20)
#[pyfunction]
pub(crate) fn set_cache_limit(py: Python<'_>, n_bytes: usize) {
    py.detach(|| bytepair_core::set_cache_limit(n_bytes));
}

/// Let go of the memory that tokenizers keep between calls, which comes back as they encode.
///
/// Caches in use by other threads stay. How much of the memory goes back to the system at once, and how much waits inside the
/// process to be used again, is up to its allocator.
///
/// Returns
/// -------
/// int
///     How many bytes those were.
///
/// Examples
/// --------
/// >>> ids = bytepair.Tokenizer.from_pretrained("gpt2").encode("hello world")
/// >>> bytepair.clear_caches() > 0
/// True
/// >>> bytepair.clear_caches()
/// 0
#[pyfunction]
pub(crate) fn clear_caches(py: Python<'_>) -> usize {
    py.detach(bytepair_core::clear_caches)
}
