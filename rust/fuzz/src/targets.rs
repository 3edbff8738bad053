//! What a fuzzer runs: each target takes any bytes and panics where a promise is broken.
//!
//! `rust/fuzz/run.py` runs them under libFuzzer and AddressSanitizer; `rust/core/tests/fuzz.rs` runs them on the inputs
//! that are kept.

// A broken promise is a panic, and that is what a fuzzer looks for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod ask;
mod counts;
mod files;
mod split;
mod texts;

use std::collections::HashSet;

use arbitrary::{Result, Unstructured};
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{Definition, MergeRule, Pipeline, TokenId};

/// A target: any bytes in, a panic where a promise is broken.
pub(crate) type Target = fn(&[u8]);

/// Every target by name, which is that of its folder of inputs.
pub(crate) const TARGETS: [(&str, Target); 14] = [
    ("json", files::json),
    ("json_tree", |data| done(files::json_tree(data))),
    ("ranks", files::ranks),
    ("gpt2", files::gpt2),
    ("form", files::form),
    ("encode", |data| done(texts::encode(data))),
    ("decode", |data| done(texts::decode(data))),
    ("split", |data| done(split::preset(data))),
    ("pattern", |data| done(split::pattern(data))),
    ("counts", |data| done(counts::counts(data))),
    ("counts_file", counts::counts_file),
    ("encode_stream", |data| done(ask::encode_stream(data))),
    ("decode_stream", |data| done(ask::decode_stream(data))),
    ("ask", |data| done(ask::ask(data))),
];

/// Runs a target by its name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("the name of a target");
    target(data);
}

/// Bytes that ran out leave a shorter input, which is as good as any.
fn done(_: Result<()>) {}

fn id(index: usize) -> TokenId {
    TokenId::from_index(index).unwrap()
}

/// The 256 bytes, and then strings, any two tokens merging whose bytes are a token.
fn vocabulary(strings: &[Vec<u8>], whole_pretokens: bool) -> Definition {
    let mut known: HashSet<Vec<u8>> = HashSet::new();
    let bytes = (0..=u8::MAX).map(|byte| vec![byte]);
    let tokens = bytes.chain(strings.iter().cloned()).filter(|token| known.insert(token.clone()));
    Definition {
        name: None,
        pretokenizer: Pretokenizer::from_stages::<&str>(&[]).unwrap(),
        tokens: tokens.enumerate().map(|(index, token)| (id(index), token)).collect(),
        merges: MergeRule::ByRank,
        whole_pretokens,
        added_tokens: Vec::new(),
        pipeline: Pipeline::default(),
    }
}

/// Bytes of a small alphabet, in which much repeats.
fn word(source: &mut Unstructured<'_>, longest: usize) -> Result<Vec<u8>> {
    (0..source.int_in_range(1..=longest)?).map(|_| source.choose(b"abc ").copied()).collect()
}
