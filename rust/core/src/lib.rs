//! Byte-level BPE: train, encode and decode, exactly.
//!
//! # Map
//!
//! - [`Text`] is a text as its owner holds it.
//! - [`Tokenizer`] puts the parts together; [`Definition`] is what it is built from.
//! - [`pretokenize`] splits text into pretokens; it knows no vocabulary.
//! - [`pipeline`] is what some files do to a text besides: normalisers, splits that drop text, templates.
//! - [`vocab`] holds tokens, the normalised merges and the added tokens.
//! - [`encode`] turns pretokens into ids, [`decode`](mod@decode) turns ids into bytes.
//! - [`ask`] is what else one may want of a text: where tokens lie, parts of it, a text that grows or must fit.
//! - [`train`] learns merges from pretoken counts.
//! - [`formats`] reads and writes files as [`Definition`]s; [`builtin`] holds published vocabularies.

#![cfg_attr(test, allow(clippy::as_conversions))]

pub mod ask;
pub mod builtin;
mod counters;
pub mod decode;
mod definition;
pub mod encode;
mod error;
pub mod formats;
mod huge_pages;
mod ids;
mod interrupt;
mod keys;
#[cfg(test)]
mod linear_time;
mod open_end;
pub mod pipeline;
mod prefetch;
pub mod pretokenize;
pub mod rows;
mod text;
mod threads;
mod tokenizer;
pub mod train;
pub mod unicode;
pub mod vocab;

pub use definition::{AddedToken, Definition, MAX_TOKEN_BYTES, Matching, MergeRule};
pub use encode::{DEFAULT_CACHE_LIMIT, Scratch, ScratchPool, clear_caches, keep_ids, set_cache_limit};
pub use error::{Error, ErrorKind, Result};
pub use ids::{Pair, Symbol, TokenId};
pub use interrupt::Interrupt;
pub use open_end::{OpenEnd, SortedTokens};
pub use pipeline::Pipeline;
pub use text::{Text, characters};
pub use tokenizer::{Batch, Tokenizer};
pub use vocab::Allowed;
