//! Files: bytes in, a [`Definition`](crate::Definition) out, and back. Reading and writing the disk is the caller's.
//!
//! - [`hugging_face`]: `tokenizer.json`, the only one that holds the split pattern and all added tokens.
//! - [`tiktoken`]: rank files.
//! - [`tekken`]: Mistral's `tekken.json`, read only.
//! - [`gguf`]: the tokenizer inside a GGUF file, read only.
//! - [`gpt2`]: `vocab.json` and `merges.txt`.
//! - [`compact`]: our own canonical form.
//!
//! A reader models what it reads exactly or refuses it, and says where it stands: a file that loads gives the ids it
//! gives to whoever it was written for. A writer refuses what its format cannot express.

#![deny(clippy::indexing_slicing)]

pub mod byte_alphabet;
pub mod compact;
mod compact_pipeline;
pub mod gguf;
pub mod gpt2;
pub mod hugging_face;
mod json;
pub mod limits;
mod node;
mod sniff;
pub mod tekken;
pub mod tiktoken;
mod vocab_json;

pub use sniff::{Format, sniff};
