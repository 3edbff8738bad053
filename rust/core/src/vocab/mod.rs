//! Tokens, merges and special tokens: checked once, then only read.
//!
//! A file states a merge rule; [`canonical`] reduces it to the merges that can ever happen, so that
//! everything after it sees one kind of vocabulary whatever the file's format was.

mod added;
pub mod canonical;
mod merges;
pub mod missing;
mod pairs;
mod passes;
pub(crate) mod queue;
mod rule;
pub(crate) mod shown;
mod slots;
pub mod special;
mod vocabulary;

pub use added::{AddedTokens, Allowed, Matcher, Specials};
pub use merges::MergeTable;
pub(crate) use merges::{Ids, Parts};
pub use missing::MissingBytes;
pub(crate) use vocabulary::Recipe;
pub use vocabulary::Vocabulary;
