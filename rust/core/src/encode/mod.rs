//! Text to ids.
//!
//! [`naive`] is the definition; [`Encoder`] gives the same ids fast: a whole token by look-up, a pretoken seen lately
//! from a cache, a short one by an array scan, a long one by a walk that is linear for any input.

mod cache;
mod cuts;
mod encoder;
mod long;
pub mod naive;
pub(crate) mod parallel;
mod prefetch;
mod prefixes;
mod run;
mod scratch;
mod short;
mod sink;
#[cfg(test)]
mod tests;

pub(crate) use cuts::Joints;
pub use encoder::Encoder;
pub use scratch::{PooledScratch, Scratch, ScratchPool};
