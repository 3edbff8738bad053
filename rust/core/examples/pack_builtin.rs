//! Packs a published rank file: `pack_builtin FILE.tiktoken NAME` writes `NAME.merges` and `NAME.joints`.
//!
//! See `make pack-builtin` for those that ship, and `builtin.rs` for what is in them.

#![allow(clippy::print_stderr)]

use std::error::Error;

use bytepair_core::formats::tiktoken;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{Definition, MergeRule, Pipeline, TokenId, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, name] = arguments.as_slice() else { return Err("usage: pack_builtin FILE.tiktoken NAME".into()) };
    let tokenizer = Tokenizer::new(Definition {
        name: None,
        pretokenizer: Pretokenizer::new("gpt2")?,
        tokens: tiktoken::parse(&std::fs::read(file)?)?,
        merges: MergeRule::ByRank,
        whole_pretokens: true,
        added_tokens: Vec::new(),
        pipeline: Pipeline::default(),
    })?;
    if tokenizer.encoder().whole_pretokens() {
        return Err("there are tokens that no merges lead to".into());
    }
    // Symbols: the bytes, then what each merge makes.
    let vocabulary = tokenizer.vocabulary();
    let mut symbols = vec![0; vocabulary.n_ids()];
    for byte in 0..=u8::MAX {
        symbols[vocabulary.ordinary_id(&[byte]).ok_or("a byte is no token")?.index()] = u32::from(byte);
    }
    for ((_, _, merged), symbol) in tokenizer.merges().zip(256..) {
        symbols[merged.index()] = symbol;
    }
    let token = |id: TokenId| vocabulary.token(id.get()).unwrap_or_default();
    let (mut joints, mut parts, mut longest) = ([0; 1 << 13], Vec::new(), 1);
    for (left, right, merged) in tokenizer.merges() {
        let (Some(&before), Some(&after)) = (token(left).last(), token(right).first()) else { continue };
        joints[usize::from(before) << 5 | usize::from(after >> 3)] |= 1 << (after & 7);
        parts.extend([left, right].iter().flat_map(|part| symbols[part.index()].to_le_bytes().into_iter().take(3)));
        longest = longest.max(token(merged).len());
    }
    let n_bytes: usize = vocabulary.ordinary().map(|(_, bytes)| bytes.len()).sum();
    eprintln!("{file}: {} merges, tokens of {n_bytes} bytes, the longest of {longest}", parts.len() / 6);
    std::fs::write(format!("{name}.merges"), parts)?;
    std::fs::write(format!("{name}.joints"), joints)?;
    Ok(())
}
