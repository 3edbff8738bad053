//! `tekken.json`: a small sound file, what is wrong with many unsound ones, and random faults.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytepair_core::formats::{Format, sniff, tekken};
use bytepair_core::{MergeRule, Tokenizer};
use proptest::prelude::*;

use super::mutations::{edits, mutated};
use super::refused::{Case, location};
use super::{id, with};

const PATTERN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// 256 bytes, "he" and "hel"; "lo" is cut off. Special tokens: two that are listed and a filler.
fn sound() -> String {
    let mut tokens: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    tokens.extend([b"he".to_vec(), b"hel".to_vec(), b"lo".to_vec()]);
    let entries: Vec<String> = tokens
        .iter()
        .enumerate()
        .map(|(rank, bytes)| {
            let text = std::str::from_utf8(bytes).map_or("null".to_owned(), |text| format!("{text:?}"));
            let text = if rank < 256 { "null" } else { &text };
            format!(r#"{{"rank": {rank}, "token_bytes": "{}", "token_str": {text}}}"#, STANDARD.encode(bytes))
        })
        .collect();
    let pattern = PATTERN.replace('\\', "\\\\");
    format!(
        r#"{{"config": {{"pattern": "{pattern}", "num_vocab_tokens": 259, "default_vocab_size": 261, "default_num_special_tokens": 3, "version": "v13"}},
"vocab": [{}],
"special_tokens": [{{"rank": 0, "token_str": "<unk>", "is_control": true}}, {{"rank": 1, "token_str": "<s>", "is_control": false}}],
"image": {{"image_patch_size": 16}}, "type": "Tekken", "version": 1}}"#,
        entries.join(", ")
    )
}

#[test]
fn ids_begin_with_the_special_tokens_and_the_vocabulary_is_cut() {
    let text = sound();
    assert_eq!(sniff(text.as_bytes()), Some(Format::Tekken));
    let definition = tekken::read(text.as_bytes()).unwrap();
    assert_eq!(definition.merges, MergeRule::ByRank);
    assert_eq!(definition.tokens.len(), 258);
    assert_eq!(definition.tokens.last().unwrap(), &(id(260), b"hel".to_vec()));
    let specials: Vec<(&str, u32)> =
        definition.added_tokens.iter().map(|token| (token.text.as_str(), token.id.get())).collect();
    assert_eq!(specials, [("<unk>", 0), ("<s>", 1), ("<SPECIAL_2>", 2)]);
    assert!(definition.added_tokens.iter().all(|token| token.special));
    Tokenizer::new(definition).unwrap();
}

#[test]
fn a_file_that_lists_no_special_tokens_has_the_old_ones() {
    let text = sound();
    let start = text.find("\"special_tokens\": [").unwrap();
    let list = &text[start..text.find("\"image\"").unwrap()];
    let without = with(&text, list, "");
    let error = tekken::read(without.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("$: \"special_tokens\" is missing"), "{error}");
    let old = with(&without, "v13", "v7");
    let error = tekken::read(old.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("default_num_special_tokens: a file that lists no special tokens has at least 20"),
        "{error}"
    );
    let old = with(&with(&old, "default_num_special_tokens\": 3", "default_num_special_tokens\": 22"), "261", "278");
    let definition = tekken::read(old.as_bytes()).unwrap();
    let texts: Vec<&str> = definition.added_tokens.iter().map(|token| token.text.as_str()).collect();
    assert_eq!((texts.len(), texts[1], texts[19], texts[21]), (22, "<s>", "[TOOL_CONTENT]", "<SPECIAL_21>"));
    assert_eq!(definition.tokens.len(), 256);
}

/// Name, old text, new text, location, part of the message.
const REFUSED: &[Case] = &[
    ("unknown key", r#""type""#, r#""normalizer""#, "$.normalizer", "not modelled"),
    ("unknown config", r#""version": "v13""#, r#""version": "v13", "x": 1"#, "$.config.x", "not modelled"),
    ("no pattern", r#""pattern""#, r#""version2""#, "$.config.version2", "not modelled"),
    ("bad pattern", r#"{"pattern": "["#, r#"{"pattern": "[["#, "$.config.pattern", ""),
    ("pattern with gaps", r#"|\\s+""#, r#"""#, "$.config.pattern", "would be dropped"),
    (
        "lying count",
        "_tokens\": 259",
        "_tokens\": 260",
        "$.config.num_vocab_tokens",
        "says 260 tokens, but \"vocab\" has 259",
    ),
    ("huge count", "_tokens\": 259", "_tokens\": 99999999999", "$.config.num_vocab_tokens", "has 259"),
    ("size too large", ": 261", ": 263", "$.config.default_vocab_size", "must lie between"),
    ("size too small", ": 261", ": 2", "$.config.default_vocab_size", "must lie between"),
    ("no room for bytes", ": 261", ": 258", "$.vocab", "255 tokens are used"),
    ("negative size", ": 261", ": -1", "$.config.default_vocab_size", "not -1"),
    (
        "huge specials",
        "special_tokens\": 3",
        "special_tokens\": 16777217",
        "$.config.default_num_special_tokens",
        "limit",
    ),
    (
        "too few specials",
        "261, \"default_num_special_tokens\": 3",
        "259, \"default_num_special_tokens\": 1",
        "$.special_tokens",
        "2 special tokens are more",
    ),
    ("version", "\"v13\"", "\"13\"", "$.config.version", "\"v\" and a number"),
    ("special twice", "<unk>", "<s>", "$.special_tokens[1].token_str", "there twice"),
    ("special empty", "<unk>", "", "$.special_tokens[0].token_str", "empty"),
    ("special is a filler", "<unk>", "<SPECIAL_2>", "$.special_tokens", "also the name of the special token 2"),
    (
        "special rank",
        "\"rank\": 1, \"token_str\"",
        "\"rank\": 7, \"token_str\"",
        "$.special_tokens[1].rank",
        "7 stands where 1",
    ),
    ("special flag", "\"is_control\": false", "\"is_control\": 0", "$.special_tokens[1].is_control", "true or false"),
    (
        "special key",
        "\"is_control\": false",
        "\"is_control\": false, \"lstrip\": true",
        "$.special_tokens[1].lstrip",
        "not modelled",
    ),
    ("rank twice", "\"rank\": 257", "\"rank\": 256", "$.vocab[257].rank", "256 stands where 257 must"),
    ("rank no number", "\"rank\": 257", "\"rank\": \"257\"", "$.vocab[257].rank", "must be an integer"),
    ("not base64", "aGU=", "aG!=", "$.vocab[256].token_bytes", "not canonical base64"),
    ("no padding", "aGU=", "aGU", "$.vocab[256].token_bytes", "canonical"),
    ("empty token", "aGU=", "", "$.vocab[256].token_bytes", "empty"),
    ("token twice", "aGVs", "aGU=", "$.vocab[257].token_bytes", "of rank 256 already"),
    ("byte elsewhere", "\"AQ==\"", "\"AQE=\"", "$.vocab[1].token_bytes", "must be the byte 0x01"),
    ("fault beyond the cut", "bG8=", "bG8", "$.vocab[258].token_bytes", "canonical"),
    ("token_str", "\"token_str\": \"he\"", "\"token_str\": 5", "$.vocab[256].token_str", "must be a string"),
    ("cut", "\"Tekken\", \"version\": 1}", "", "line 4 column 43", "not valid JSON"),
];

#[test]
fn bad_files_are_refused_by_path() {
    let sound = sound();
    for (name, old, new, place, message) in REFUSED {
        let error = tekken::read(with(&sound, old, new).as_bytes()).expect_err(name);
        assert_eq!(location(&error), *place, "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn mutated_files_are_read_or_refused(edits in edits()) {
        if let Ok(definition) = tekken::read(&mutated(sound(), &edits)) {
            let _ = Tokenizer::new(definition);
        }
    }
}
