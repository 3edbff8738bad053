//! The tokenizer: split, vocabulary, merges and special tokens together.

/// A tokenizer.
pub struct Tokenizer;
