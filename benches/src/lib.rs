//! Benchmarks of the layers; see `benches/README.md`.
