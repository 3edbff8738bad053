//! Hugging Face's `tokenizer.json`, for byte-level BPE.
//!
//! The file describes a pipeline, of which this crate is one case. Each field is either modelled exactly or refused by
//! its JSON path: a tokenizer that loads gives the ids that `tokenizers` gives.

mod added;
mod pre_tokenizer;
mod read;
mod write;

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
