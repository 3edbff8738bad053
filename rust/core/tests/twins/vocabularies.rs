//! Vocabularies: published ones, one that is trained on the spot, and such as no trainer would make.

use std::collections::HashMap;

use bytepair_core::encode::naive::NaiveEncoder;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::train::{Counts, TrainOptions, train};
use bytepair_core::{Definition, MergeRule, Pipeline, TokenId, Tokenizer, builtin};

use crate::random::Random;
use crate::texts::Texts;

pub(crate) struct Vocabulary {
    pub(crate) definition: Definition,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) naive: NaiveEncoder,
    /// The bytes of its tokens.
    pub(crate) tokens: Vec<Vec<u8>>,
}

impl Vocabulary {
    fn new(definition: Definition) -> Self {
        let naive = NaiveEncoder::new(&definition);
        let tokens = definition.tokens.iter().map(|(_, token)| token.clone()).collect();
        Self { tokenizer: Tokenizer::new(definition.clone()).unwrap(), naive, tokens, definition }
    }

    /// Its name, or all of it.
    pub(crate) fn shown(&self) -> String {
        let Definition { name, pretokenizer, tokens, merges, whole_pretokens, .. } = &self.definition;
        if let Some(name) = name {
            return name.clone();
        }
        let tokens = tokens.iter().skip(256).map(|(id, token)| format!("{}: {}", id.get(), token.escape_ascii()));
        let merges = match merges {
            MergeRule::ByRank => "any pair, by rank".to_owned(),
            MergeRule::List(list) => format!("{:?}", list.iter().map(|(l, r)| (l.get(), r.get())).collect::<Vec<_>>()),
        };
        let tokens = tokens.collect::<Vec<_>>().join(", ");
        format!(
            "split {:?}, whole pretokens {whole_pretokens}, tokens {tokens}, merges {merges}",
            pretokenizer.stages()
        )
    }
}

pub(crate) fn published() -> Vec<Vocabulary> {
    let names = ["gpt2", "cl100k_base", "o200k_base"];
    names.map(|name| Vocabulary::new(builtin::definition(name).unwrap().unwrap())).into()
}

/// What training makes of some texts.
pub(crate) fn trained(random: &mut Random, texts: &Texts) -> Vocabulary {
    let mut counts = Counts::new(Pretokenizer::new("o200k").unwrap(), std::iter::empty::<&str>()).unwrap();
    let mut text = Vec::new();
    for _ in 0..200 {
        texts.any(random, 200, &mut text);
        counts.add_document(&text).unwrap();
    }
    let trained = train(&counts, &TrainOptions::new(random.between(50, 600)), &mut |_| Ok(())).unwrap();
    Vocabulary::new(trained.definition(counts.pretokenizer(), &[]).unwrap())
}

/// What the tokens of a strange vocabulary are made of: letters, whole characters, parts of them.
const ALPHABETS: [&[&[u8]]; 5] = [
    &[b"a", b"b"],
    &[b"a", b"b", b"c", b"d"],
    &[b"a", b"b", b" ", b"'", b"s", b"1"],
    &["中".as_bytes(), "丮".as_bytes(), "文".as_bytes(), "の".as_bytes(), b"\xB8\xAD", b"\xE4\xB8", b"a", b" "],
    &["é".as_bytes(), "ж".as_bytes(), "😀".as_bytes(), b"\x9F\x98", b"\xF0\x9F", "\u{301}".as_bytes(), b"a"],
];

/// Tokens made from later ones, tokens that nothing makes, several merges for one token, in any order.
pub(crate) fn strange(random: &mut Random) -> Vocabulary {
    let alphabet = *random.choose(&ALPHABETS);
    let mut ids: HashMap<Vec<u8>, TokenId> = HashMap::new();
    let mut tokens = Vec::new();
    let mut add = |token: Vec<u8>| {
        let id = TokenId::from_index(tokens.len()).unwrap();
        if ids.insert(token.clone(), id).is_none() {
            tokens.push((id, token));
        }
    };
    (0..=u8::MAX).for_each(|byte| add(vec![byte]));
    let mut strings: Vec<Vec<u8>> = Vec::new();
    for _ in 0..random.between(1, 60) {
        let longest = if random.one_in(8) { 24 } else { 5 };
        let mut string: Vec<u8> =
            (0..random.between(1, longest)).flat_map(|_| *random.choose(alphabet)).copied().collect();
        // Long tokens that others lead to are sums of tokens.
        if !strings.is_empty() && random.one_in(2) {
            string = [random.choose(&strings), random.choose(&strings)].map(Vec::as_slice).concat();
            string.truncate(40);
        }
        strings.push(string);
    }
    if random.one_in(2) {
        strings.sort_by_key(Vec::len);
    }
    // A token that is there is not added again.
    let mut known = std::collections::HashSet::new();
    strings.retain(|string| string.len() > 1 && known.insert(string.clone()));
    strings.into_iter().for_each(add);
    let merges = if random.one_in(2) { MergeRule::ByRank } else { MergeRule::List(pairs(random, &tokens, &ids)) };
    let presets: Vec<&str> = Pretokenizer::presets().collect();
    let pretokenizer = match random.below(3) {
        0 => Pretokenizer::new(random.choose(&presets)).unwrap(),
        _ => Pretokenizer::from_stages::<&str>(&[]).unwrap(),
    };
    Vocabulary::new(Definition {
        name: None,
        pretokenizer,
        tokens,
        merges,
        whole_pretokens: random.one_in(2),
        added_tokens: Vec::new(),
        pipeline: Pipeline::default(),
    })
}

/// The ways to split a token into two tokens: all or some of them, in order or not.
fn pairs(
    random: &mut Random,
    tokens: &[(TokenId, Vec<u8>)],
    ids: &HashMap<Vec<u8>, TokenId>,
) -> Vec<(TokenId, TokenId)> {
    let mut pairs = Vec::new();
    for (_, token) in tokens {
        for middle in 1..token.len() {
            pairs.extend(ids.get(&token[..middle]).copied().zip(ids.get(&token[middle..]).copied()));
        }
    }
    if random.one_in(2) {
        random.shuffle(&mut pairs);
    }
    if random.one_in(2) {
        pairs.retain(|_| !random.one_in(5));
    }
    pairs
}
