//! Texts to ids and back, against the definition.

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use bytepair_core::encode::naive::NaiveEncoder;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{Allowed, Definition, ErrorKind, Interrupt, MergeRule, Scratch, TokenId, Tokenizer, builtin};

use super::split::pretokens;
use super::{vocabulary, word};

/// The encoder against the definition, with a vocabulary that no trainer would make or with a published one, its scratch
/// and cache kept between texts.
pub(super) fn encode(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    if source.ratio(1, 4)? {
        return encode_published(&mut source);
    }
    let strings = (0..source.int_in_range(1..=24)?).map(|_| word(&mut source, 9)).collect::<Result<Vec<_>>>()?;
    let strings: Vec<_> = strings.into_iter().filter(|string| string.len() > 1).collect();
    let mut definition = vocabulary(&strings, source.arbitrary()?);
    if source.arbitrary()? {
        definition.merges = MergeRule::List(some_merges(&mut source, &definition)?);
    }
    if source.arbitrary()? {
        definition.pretokenizer = Pretokenizer::new("gpt2").unwrap();
    }
    let naive = NaiveEncoder::new(&definition);
    let tokenizer = Tokenizer::new(definition).unwrap();
    let mut scratch = Scratch::default();
    while !source.is_empty() {
        let text = word(&mut source, 120)?;
        agree(&tokenizer, &naive, &mut scratch, &text);
    }
    Ok(())
}

/// Ways to split a token into two tokens, in any order.
fn some_merges(source: &mut Unstructured<'_>, definition: &Definition) -> Result<Vec<(TokenId, TokenId)>> {
    let known = |bytes: &[u8]| definition.tokens.iter().find(|(_, token)| token == bytes).map(|&(id, _)| id);
    let mut merges = Vec::new();
    for (_, token) in definition.tokens.iter().filter(|(_, token)| token.len() > 1) {
        for middle in 1..token.len() {
            if let Some(pair) = known(&token[..middle]).zip(known(&token[middle..])) {
                let at = source.int_in_range(0..=merges.len())?;
                merges.insert(at, pair);
            }
        }
    }
    Ok(merges)
}

fn agree(tokenizer: &Tokenizer, naive: &NaiveEncoder, scratch: &mut Scratch, text: &[u8]) {
    let mut ids = Vec::new();
    tokenizer.encode(scratch, text, Allowed::None, &mut ids).unwrap();
    let split = pretokens(tokenizer.pretokenizer(), text);
    let expected: Vec<u32> = split.into_iter().flat_map(|pretoken| naive.encode_pretoken(pretoken)).collect();
    assert_eq!(ids, expected, "{:?}", text.escape_ascii().to_string());
    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
    let count = tokenizer.count(scratch, text, &specials, usize::MAX, &Interrupt::never());
    assert_eq!(count.unwrap(), Some(ids.len()));
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
}

fn encode_published(source: &mut Unstructured<'_>) -> Result<()> {
    static PUBLISHED: OnceLock<Vec<(Tokenizer, NaiveEncoder)>> = OnceLock::new();
    let published = PUBLISHED.get_or_init(|| {
        let definitions = ["gpt2", "cl100k_base"].map(|name| builtin::definition(name).unwrap().unwrap());
        definitions
            .map(|definition| (Tokenizer::new(definition.clone()).unwrap(), NaiveEncoder::new(&definition)))
            .into()
    });
    let (tokenizer, naive) = source.choose(published)?;
    let mut scratch = Scratch::default();
    while !source.is_empty() {
        let n = source.int_in_range(1..=200)?.min(source.len());
        agree(tokenizer, naive, &mut scratch, source.bytes(n)?);
    }
    Ok(())
}

/// Any ids: their bytes, or the first that stands for no token.
pub(super) fn decode(data: &[u8]) -> Result<()> {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    let tokenizer =
        TOKENIZER.get_or_init(|| Tokenizer::new(builtin::definition("cl100k_base").unwrap().unwrap()).unwrap());
    let mut source = Unstructured::new(data);
    let mut ids = Vec::new();
    while !source.is_empty() {
        let any = source.ratio(1, 16)?;
        ids.push(if any { source.arbitrary()? } else { source.int_in_range(0..=100_300)? });
    }
    let tokens: Vec<Option<&[u8]>> = ids.iter().map(|&id| tokenizer.vocabulary().token(id)).collect();
    match tokenizer.decode(&ids) {
        Ok(bytes) => assert_eq!(bytes, tokens.into_iter().map(Option::unwrap).collect::<Vec<_>>().concat()),
        Err(error) => {
            let ErrorKind::TokenId { index, .. } = *error.kind() else { panic!("{error}") };
            assert_eq!(tokens.iter().position(Option::is_none), Some(index));
        }
    }
    Ok(())
}
