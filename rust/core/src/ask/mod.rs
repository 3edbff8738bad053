//! Ways of asking beyond ids for a text: where tokens lie, texts in parts, texts that grow, texts that must fit.
//!
//! Each gives what a plain definition gives in terms of [`Tokenizer::encode`] and [`Tokenizer::decode`], without the work
//! of running it. They rest on cutting a text into parts that are encoded by themselves, so they refuse a tokenizer
//! that does not [keep the text](Tokenizer::keeps_text).

pub mod chars;
mod cuts;
mod fit;
mod offsets;
mod segments;
mod special;
mod split;
mod stream;

pub use stream::EncodeStream;

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// Refuses a tokenizer for which `what` would not be exact.
    fn demand_kept_text(&self, what: &str) -> Result<()> {
        if self.keeps_text() {
            return Ok(());
        }
        let reason = "its normaliser, split or added tokens change the text";
        Err(Error::argument(format!("{what} cannot be exact with this tokenizer: {reason}")))
    }
}
