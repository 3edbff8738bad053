//! The Python binding of `bytepair-core`: arguments in, results and exceptions out.

mod arrays;
mod arrow;
mod ask;
mod buffer;
mod caches;
mod characters;
mod convert;
mod counts;
#[cfg(feature = "defects")]
mod defects;
mod encoding;
mod engine;
mod errors;
mod ints;
mod iter;
mod lookups;
mod rows;
mod stream;
mod tiktoken;
mod tokenizer;
mod train;

/// The compiled part of bytepair.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    /// The version of the package, which is that of the crate.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The Unicode version of the character classes that text is split by.
    #[pymodule_export]
    const UNICODE_VERSION: &str = bytepair_core::unicode::UNICODE_VERSION;

    #[pymodule_init]
    fn init() {
        crate::errors::silence_panics();
    }

    #[pymodule_export]
    use crate::caches::{clear_caches, set_cache_limit};
    #[pymodule_export]
    use crate::counts::{Counter, Counts};
    #[cfg(feature = "defects")]
    #[pymodule_export]
    use crate::defects::panic_at;
    #[pymodule_export]
    use crate::encoding::{spell, unspell};
    #[pymodule_export]
    use crate::engine::{Engine, sniff};
    #[pymodule_export]
    use crate::iter::EncodeIterator;
    #[pymodule_export]
    use crate::rows::JsonLines;
    #[pymodule_export]
    use crate::stream::{DecodeStream, EncodeStream};
    #[pymodule_export]
    use crate::tiktoken::TiktokenCore;
    #[pymodule_export]
    use crate::tokenizer::PyTokenizer;
    #[pymodule_export]
    use crate::train::Trainer;
}
