//! Text to ids.
//!
//! [`naive`] is the definition; [`Encoder`] gives the same ids fast: a whole token by look-up, a pretoken seen lately
//! from a cache, a short one by an array scan, a long one by such scans of windows or a walk, linear for any input.

#[cfg(target_arch = "x86_64")]
mod apart;
mod batch;
mod cache;
mod cuts;
mod encoder;
mod hits;
mod long;
pub mod naive;
mod odds;
mod packed;
pub(crate) mod parallel;
mod pool;
mod prefixes;
mod ring;
mod run;
mod scratch;
mod segments;
mod short;
mod sink;
mod table;
#[cfg(test)]
mod tests;
mod windows;

pub(crate) use cuts::Joints;
pub use encoder::Encoder;
pub(crate) use pool::take_ids;
pub use pool::{DEFAULT_CACHE_LIMIT, PooledScratch, ScratchPool, clear_caches, keep_ids, set_cache_limit};
pub use scratch::Scratch;
