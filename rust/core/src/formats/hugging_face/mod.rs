//! Hugging Face's `tokenizer.json`, for byte-level BPE.
//!
//! The file describes a pipeline, of which this crate is one case. Each field is either modelled exactly or refused by
//! its JSON path: a tokenizer that loads gives the ids that `tokenizers` gives.

mod added;
mod normalizer;
mod post_processor;
mod pre_tokenizer;
mod read;
mod write;
mod write_pipeline;

use super::node::Fields;
use crate::error::Result;

pub use read::read;
pub use write::write;

/// GPT-2's split, which a `ByteLevel` pre-tokenizer does unless told not to.
const GPT2_REGEX: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The version of the format.
const VERSION: &str = "1.0";

/// The keys of a file.
pub(super) const KEYS: [&str; 9] = [
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
];

/// The options of a `ByteLevel` step that matter: `add_prefix_space` and `trim_offsets`.
fn read_byte_level(fields: &Fields<'_, '_>) -> Result<[bool; 2]> {
    fields.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?;
    // `use_regex` alone has a default.
    fields.get_some("use_regex").map_or(Ok(true), |value| value.boolean())?;
    Ok([fields.require("add_prefix_space")?.boolean()?, fields.require("trim_offsets")?.boolean()?])
}

/// The `pattern` of a step as a regex, and its place.
fn read_pattern(step: &Fields<'_, '_>) -> Result<(String, String)> {
    let pattern = step.require("pattern")?;
    let fields = pattern.fields()?;
    fields.only(&["Regex", "String"])?;
    match (fields.get("Regex"), fields.get("String")) {
        (Some(regex), None) => Ok((regex.string()?.to_owned(), regex.location())),
        (None, Some(literal)) => Ok((regex_syntax::escape(literal.string()?), literal.location())),
        _ => Err(pattern.refuse("must have exactly one of Regex and String")),
    }
}
