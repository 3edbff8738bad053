//! The Python binding of `bytepair-core`.
