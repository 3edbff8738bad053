//! Tokens, merges and special tokens.

pub mod special;
