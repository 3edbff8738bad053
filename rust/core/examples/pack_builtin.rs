//! Packs a published rank file into `rust/core/data`: `pack_builtin NAME FILE.tiktoken PRESET [SPECIAL ID]... > NAME.bpe`
//!
//! See `make pack-builtin` for the four that ship.

#![allow(clippy::print_stderr)]

use std::error::Error;
use std::io::Write;

use bytepair_core::formats::{compact, tiktoken};
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{AddedToken, Definition, Matching, MergeRule, Pipeline, TokenId, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, file, preset, specials @ ..] = arguments.as_slice() else {
        return Err("usage: pack_builtin NAME FILE.tiktoken PRESET [SPECIAL ID]...".into());
    };
    let mut added_tokens = Vec::new();
    for special in specials.chunks_exact(2) {
        let id = TokenId::new(special[1].parse()?).ok_or("an id is out of range")?;
        added_tokens.push(AddedToken { text: special[0].clone(), id, special: true, matching: Matching::default() });
    }
    let tokenizer = Tokenizer::new(Definition {
        name: Some(name.clone()),
        pretokenizer: Pretokenizer::new(preset)?,
        tokens: tiktoken::parse(&std::fs::read(file)?)?,
        merges: MergeRule::ByRank,
        whole_pretokens: true,
        added_tokens,
        pipeline: Pipeline::default(),
    })?;
    let form = compact::write(&tokenizer.definition())?;
    let reread = Tokenizer::new(compact::read(&form)?)?;
    if reread.fingerprint()? != tokenizer.fingerprint()? {
        return Err("the packed form reads back as another tokenizer".into());
    }
    eprintln!("{name}: {} tokens in {} bytes", tokenizer.vocabulary().n_tokens(), form.len());
    std::io::stdout().write_all(&form)?;
    Ok(())
}
