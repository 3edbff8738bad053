//! Benchmarks of the layers of the core; see `benches/README.md`.
