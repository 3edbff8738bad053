//! Files: bytes in, a [`Definition`](crate::Definition) out, and back. Reading and writing the disk is the caller's.

#![deny(clippy::indexing_slicing)]

pub mod compact;
pub mod limits;
