//! Files that do more to a text than split and merge it: all of it comes back, from a file and from the canonical form.

use bytepair_core::formats::{compact, hugging_face};
use bytepair_core::{Allowed, Definition, Scratch, Tokenizer};
use proptest::prelude::*;

use super::mutations::{edits, mutated};
use super::{assert_same, tokenizer_json, with};

/// The small file with one of each step.
fn everything() -> String {
    let normalizers = r#"{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"StripAccents"},
        {"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"Strip","strip_left":true,"strip_right":false}]},
        {"type":"Prepend","prepend":"he"},{"type":"Replace","pattern":{"Regex":"l{3}"},"content":"hell"}]}"#;
    let steps = r#"{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
        {"type":"Punctuation","behavior":"MergedWithNext"},{"type":"Whitespace"},{"type":"WhitespaceSplit"},
        {"type":"Split","pattern":{"String":"!"},"behavior":"Removed","invert":false},
        {"type":"Split","pattern":{"Regex":"e|l"},"behavior":"Contiguous","invert":true},
        {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]}"#;
    let processors = r#"{"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true},
        {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"X","type_id":7}},{"Sequence":{"id":"A","type_id":1}}],
        "pair":[{"Sequence":{"id":"B","type_id":0}}],"special_tokens":{"X":{"id":"X","ids":[259],"tokens":["<|end|>"]}}}]}"#;
    let file = with(&tokenizer_json(), r#""normalizer":null"#, &format!(r#""normalizer":{normalizers}"#));
    let level = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let file = with(&file, level, steps);
    let processor = r#"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true}"#;
    let file = with(&file, processor, processors);
    let file = with(&file, r#""rstrip":false,"normalized":false"#, r#""rstrip":true,"normalized":true"#);
    with(
        &file,
        r#""single_word":false,"lstrip":false,"rstrip":false"#,
        r#""single_word":true,"lstrip":true,"rstrip":false"#,
    )
}

fn read(text: &str) -> Definition {
    hugging_face::read(text.as_bytes()).unwrap()
}

#[test]
fn a_file_with_every_step_comes_back_the_same() {
    let definition = read(&everything());
    assert_eq!((definition.pipeline.normalizers.len(), definition.pipeline.steps.len()), (7, 7));
    let again = read(&hugging_face::write(&definition).unwrap());
    assert_same(&again, &definition);
    assert_eq!(again.pipeline, definition.pipeline);
    let tokenizer = Tokenizer::new(definition).unwrap();
    let form = Tokenizer::new(compact::read(tokenizer.canonical_form().unwrap()).unwrap()).unwrap();
    assert_eq!(form.canonical_form().unwrap(), tokenizer.canonical_form().unwrap());
    assert_eq!(form.definition().pipeline, tokenizer.definition().pipeline);
    assert_eq!(form.definition().added_tokens, tokenizer.definition().added_tokens);
    assert!(!tokenizer.keeps_text());
}

#[test]
fn a_plain_file_has_the_form_it_always_had() {
    let tokenizer = Tokenizer::new(read(&tokenizer_json())).unwrap();
    assert!(tokenizer.keeps_text());
    let form = tokenizer.canonical_form().unwrap();
    // No flag but those of old, and nothing after the added tokens.
    assert_eq!(form.get(9), Some(&0));
    assert!(form.ends_with(b"\x01\x07<|end|>\x84\x02\x00\x07<think>"), "{:?}", form.escape_ascii().to_string());
}

#[test]
fn bytes_that_are_not_text_are_kept_where_text_is_normalised() {
    let file = with(&tokenizer_json(), r#""normalizer":null"#, r#""normalizer":{"type":"NFD"}"#);
    let tokenizer = Tokenizer::new(read(&file)).unwrap();
    let mut ids = Vec::new();
    let text = "\u{e9}".as_bytes().iter().chain(b"\xFF\xC3h\xE4\xB8<|end|>");
    let text: Vec<u8> = text.copied().collect();
    tokenizer.encode(&mut Scratch::default(), &text, Allowed::All, &mut ids).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), b"e\xCC\x81\xFF\xC3h\xE4\xB8<|end|>");
    assert_eq!(ids.last(), Some(&259));
}

#[test]
fn a_text_cannot_be_made_to_grow_without_end() {
    let double = r#"{"type":"Replace","pattern":{"String":"a"},"content":"aa"}"#;
    let many = vec![double; 13].join(",");
    let normalizer = format!(r#""normalizer":{{"type":"Sequence","normalizers":[{many}]}}"#);
    let file = with(&tokenizer_json(), r#""normalizer":null"#, &normalizer);
    let error = hugging_face::read(file.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "$.normalizer: could make a text 8192 times as long; the limit is 4096");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutations_are_read_or_refused(edits in edits()) {
        if let Ok(definition) = hugging_face::read(&mutated(everything(), &edits)) {
            let text = hugging_face::write(&definition).unwrap();
            prop_assert_eq!(&read(&text).pipeline, &definition.pipeline);
        }
        let form = Tokenizer::new(read(&everything())).unwrap().canonical_form().unwrap().to_vec();
        if let Ok(tokenizer) = compact::read(&mutated(&form, &edits)).and_then(Tokenizer::new) {
            let again = compact::read(tokenizer.canonical_form().unwrap()).and_then(Tokenizer::new).unwrap();
            prop_assert_eq!(again.canonical_form().unwrap(), tokenizer.canonical_form().unwrap());
            let mut ids = Vec::new();
            let encoded = tokenizer.encode(&mut Scratch::default(), b" he\xCC\x81ll \xFF<|end|> 12!", Allowed::All, &mut ids);
            prop_assert!(encoded.is_err() || tokenizer.decode(&ids).is_ok());
        }
    }
}
