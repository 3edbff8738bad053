//! The Python binding of `bytepair-core`: arguments in, results and exceptions out.

mod convert;
mod engine;
mod errors;
mod tokenizer;
mod train;

/// The compiled part of bytepair.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::engine::{Engine, sniff};
    #[pymodule_export]
    use crate::tokenizer::PyTokenizer;
    #[pymodule_export]
    use crate::train::Counts;
}
