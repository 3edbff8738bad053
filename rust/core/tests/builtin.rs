//! What is shipped of the published vocabularies is loaded without checks: here it is checked, against the long way.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]

use bytepair_core::formats::compact;
use bytepair_core::{AddedToken, Allowed, Definition, Matching, MergeRule, Scratch, TokenId, Tokenizer, builtin};

fn fast(name: &str) -> Tokenizer {
    builtin::tokenizer(name).unwrap().unwrap()
}

fn tokens(tokenizer: &Tokenizer) -> Vec<(TokenId, &[u8])> {
    tokenizer.vocabulary().iter().collect()
}

/// All of a definition but the name, to compare.
fn parts(definition: Definition) -> impl PartialEq + std::fmt::Debug {
    let Definition { pretokenizer, tokens, merges, whole_pretokens, added_tokens, pipeline, .. } = definition;
    (pretokenizer.stages().to_vec(), tokens, merges, whole_pretokens, added_tokens, pipeline)
}

#[test]
fn the_fast_way_to_load_and_the_one_with_all_checks_agree() {
    for name in builtin::names() {
        let loaded = fast(name);
        let listed = Tokenizer::new(loaded.definition()).unwrap();
        // A rank file has only tokens, so here the merges are found anew.
        let definition = Definition { merges: MergeRule::ByRank, whole_pretokens: true, ..loaded.definition() };
        let ranked = Tokenizer::new(definition).unwrap();
        for checked in [&listed, &ranked] {
            assert!(parts(loaded.definition()) == parts(checked.definition()), "{name}");
            assert!(loaded.merges().eq(checked.merges()), "{name}");
            assert!(tokens(&loaded) == tokens(checked), "{name}");
            assert!(loaded.vocabulary().ordinary().eq(checked.vocabulary().ordinary()), "{name}");
            assert_eq!(loaded.canonical_form().unwrap(), checked.canonical_form().unwrap(), "{name}");
            assert_eq!(loaded.canonical_form().unwrap(), compact::write(&checked.definition()).unwrap(), "{name}");
            let sizes =
                |of: &Tokenizer| (of.vocabulary().n_ids(), of.vocabulary().n_tokens(), of.encoder().whole_pretokens());
            assert_eq!(sizes(&loaded), sizes(checked), "{name}");
            assert_eq!(loaded.vocabulary().missing_bytes(), checked.vocabulary().missing_bytes(), "{name}");
            for id in 0..u32::try_from(loaded.vocabulary().n_ids() + 100).unwrap() {
                assert_eq!(loaded.encoder().is_reachable(id), checked.encoder().is_reachable(id), "{name} {id}");
            }
        }
    }
}

/// Whatever is made on the way, and whichever is asked for first: ids, the bytes of a token, the id of some bytes.
#[test]
fn what_is_made_when_first_asked_for_is_as_if_it_had_been_there() {
    let text = "It's 1984, and the quick brown fox jumps over 13 lazy dogs; 天地玄黃，宇宙洪荒。 ".repeat(3)
        + &"internationalization-counter_revolutionaries".repeat(5)
        + &" ".repeat(200);
    for name in builtin::names() {
        let checked = Tokenizer::new(fast(name).definition()).unwrap();
        let encode = |tokenizer: &Tokenizer| {
            let mut ids = Vec::new();
            tokenizer.encode(&mut Scratch::default(), text.as_bytes(), Allowed::None, &mut ids).unwrap();
            ids
        };
        let ids = encode(&checked);
        let known = checked.vocabulary().ordinary_id(b" the");
        assert_eq!(encode(&fast(name)), ids, "{name}");
        assert_eq!(fast(name).decode(&ids).unwrap(), text.as_bytes(), "{name}");
        assert_eq!(fast(name).vocabulary().ordinary_id(b" the"), known, "{name}");
        assert_eq!(fast(name).vocabulary().token(256), checked.vocabulary().token(256), "{name}");
        let loaded = fast(name);
        assert_eq!(loaded.vocabulary().ordinary_id(b" the"), known, "{name}");
        assert_eq!(encode(&loaded), ids, "{name}");
        assert_eq!(encode(&loaded), ids, "{name}");
    }
}

/// As many different words as it takes until tokens are looked up and not merged, and then some.
#[test]
fn looking_tokens_up_gives_what_merging_them_did() {
    for name in ["gpt2", "o200k_base"] {
        let (loaded, checked) = (fast(name), Tokenizer::new(fast(name).definition()).unwrap());
        let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
        let tokens: Vec<&[u8]> = checked.vocabulary().ordinary().map(|(_, bytes)| bytes).collect();
        for token in tokens.iter().step_by(3) {
            let (mut ids, mut expected) = (Vec::new(), Vec::new());
            loaded.encode(&mut scratch, token, Allowed::None, &mut ids).unwrap();
            checked.encode(&mut other, token, Allowed::None, &mut expected).unwrap();
            assert_eq!(ids, expected, "{name} {}", token.escape_ascii());
        }
    }
}

/// Sound ones and such as are refused; the latter in the same words.
#[test]
fn other_special_tokens_are_checked_as_always() {
    let sets: [&[(&str, u32)]; 11] = [
        &[],
        &[("<|endoftext|>", 50_256)],
        &[("<|fim_suffix|>", 50_283), ("<|endoftext|>", 50_256), ("<|fim_prefix|>", 50_281)],
        &[("<a>", 199_998), ("<b>", 201_000), ("<c>", 200_018)],
        &[("<a>", 300_000)],
        &[("<a>", 9_000_000)],
        &[(" world", 300_000)],
        &[("<a>", 995)],
        &[(" world", 995)],
        &[("<a>", 300_000), ("<b>", 300_000)],
        &[("<a>", 300_000), ("<a>", 300_001), ("", 300_002)],
    ];
    for name in builtin::names() {
        for set in sets {
            let token = |&(text, id): &(&str, u32)| AddedToken {
                text: text.to_owned(),
                id: TokenId::new(id).unwrap(),
                special: true,
                matching: Matching::default(),
            };
            let added_tokens: Vec<AddedToken> = set.iter().map(token).collect();
            let loaded = builtin::with_special_tokens(name, added_tokens.clone());
            match Tokenizer::new(Definition { added_tokens, ..fast(name).definition() }) {
                Ok(checked) => {
                    let loaded = loaded.unwrap().unwrap();
                    assert!(parts(loaded.definition()) == parts(checked.definition()), "{name} {set:?}");
                    assert!(tokens(&loaded) == tokens(&checked), "{name} {set:?}");
                    assert_eq!(loaded.canonical_form().unwrap(), checked.canonical_form().unwrap(), "{name} {set:?}");
                }
                Err(refused) => assert_eq!(loaded.unwrap_err().to_string(), refused.to_string(), "{name} {set:?}"),
            }
        }
    }
}

#[test]
fn an_unknown_name_is_none() {
    assert!(builtin::tokenizer("gpt3").unwrap().is_none());
    assert!(builtin::definition("gpt3").unwrap().is_none());
}
