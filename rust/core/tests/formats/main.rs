//! Files in every format: what is read is written back the same.
//!
//! `refused` holds the bad files, as data; `mutations` makes worse ones at random.

// Helpers outside `#[test]` functions may fail a test as well.
#![allow(clippy::unwrap_used, clippy::panic)]

mod mutations;
mod pipelines;
mod refused;
mod tekken_files;

use bytepair_core::formats::{Format, gpt2, hugging_face, sniff, tiktoken};
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{AddedToken, Definition, Matching, MergeRule, Pipeline, TokenId};

fn id(number: u32) -> TokenId {
    TokenId::new(number).unwrap()
}

/// The 256 bytes and `he`, `ll`, `hell`: a vocabulary that every format can hold.
fn definition() -> Definition {
    let mut tokens: Vec<(TokenId, Vec<u8>)> = (0..=u8::MAX).map(|byte| (id(byte.into()), vec![byte])).collect();
    tokens.extend([(id(256), b"he".to_vec()), (id(257), b"ll".to_vec()), (id(258), b"hell".to_vec())]);
    let merges = [(104, 101), (108, 108), (256, 257)].map(|(left, right)| (id(left), id(right)));
    let stages = [r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+".to_owned()];
    Definition {
        name: None,
        pretokenizer: Pretokenizer::from_hugging_face(&stages).unwrap(),
        tokens,
        merges: MergeRule::List(merges.to_vec()),
        whole_pretokens: false,
        added_tokens: vec![added("<|end|>", 259, true), added("<think>", 260, false)],
        pipeline: Pipeline::default(),
    }
}

fn added(text: &str, number: u32, special: bool) -> AddedToken {
    AddedToken { text: text.to_owned(), id: id(number), special, matching: Matching::default() }
}

fn only_special(mut definition: Definition) -> Definition {
    definition.added_tokens.retain(|token| token.special);
    definition
}

fn assert_same(a: &Definition, b: &Definition) {
    assert_eq!(a.tokens, b.tokens);
    assert_eq!(a.merges, b.merges);
    assert_eq!(a.whole_pretokens, b.whole_pretokens);
    assert_eq!(a.added_tokens, b.added_tokens);
    assert_eq!(a.pretokenizer.stages(), b.pretokenizer.stages());
}

/// A small sound `tokenizer.json`, as the writer writes it.
fn tokenizer_json() -> String {
    hugging_face::write(&definition()).unwrap()
}

/// `text` with one part replaced, which must be there.
fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "the sound file lacks {old}");
    text.replacen(old, new, 1)
}

#[test]
fn a_tokenizer_json_comes_back_the_same() {
    let text = tokenizer_json();
    assert_eq!(sniff(text.as_bytes()), Some(Format::HuggingFace));
    let back = hugging_face::read(text.as_bytes()).unwrap();
    assert_same(&back, &definition());
    assert_eq!(hugging_face::write(&back).unwrap(), text);
}

#[test]
fn added_tokens_keep_ids_anywhere() {
    let ids: [&[u32]; 4] = [&[259, 260], &[259, 276], &[300], &[259, 260, 262]];
    for ids in ids {
        let added_tokens: Vec<AddedToken> = ids.iter().map(|&n| added(&format!("<{n}>"), n, n % 2 == 0)).collect();
        let definition = Definition { added_tokens, whole_pretokens: true, ..definition() };
        let text = hugging_face::write(&definition).unwrap();
        let contiguous = ids == [259, 260];
        assert_eq!(text.contains("\"<259>\":259"), ids.contains(&259) && !contiguous);
        assert_same(&hugging_face::read(text.as_bytes()).unwrap(), &definition);
    }
    // An id inside the ordinary ones, as in p50k_base.
    let mut inside = definition();
    inside.tokens[258].0 = id(300);
    inside.added_tokens = vec![added("<|end|>", 258, true)];
    inside.merges = MergeRule::List(vec![]);
    assert_same(&hugging_face::read(hugging_face::write(&inside).unwrap().as_bytes()).unwrap(), &inside);
}

#[test]
fn other_spellings_of_a_sound_file_are_read_the_same() {
    let sound = tokenizer_json();
    let regex = r"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    let byte_level = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let bare = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}"#;
    let split = |how: &str| {
        let split = format!(r#"{{"type":"Split","pattern":{{"Regex":"{regex}"}},{how}}}"#);
        format!(r#"{{"type":"Sequence","pretokenizers":[{split},{bare}]}}"#)
    };
    let cases = [
        with(&sound, r#"["h","e"],["l","l"],["he","ll"]"#, r#""h e","l l","he ll""#),
        with(&sound, r#""type":"BPE","#, ""),
        with(&sound, r#""dropout":null"#, r#""dropout":0.0"#),
        with(&sound, r#""unk_token":null"#, r#""unk_token":"<|end|>""#),
        with(&sound, r#""byte_fallback":false"#, r#""byte_fallback":true"#),
        with(&sound, r#""fuse_unk":false"#, r#""fuse_unk":true"#),
        with(&sound, r#""ignore_merges":false,"#, ""),
        with(&sound, r#""end_of_word_suffix":null"#, r#""end_of_word_suffix":"""#),
        with(&sound, r#""normalizer":null"#, r#""normalizer":{"type":"Sequence","normalizers":[]}"#),
        with(&sound, r#""normalizer":null,"#, ""),
        with(&sound, r#""normalized":false,"special":false"#, r#""normalized":true,"special":false"#),
        with(&sound, byte_level, &byte_level.replace(r#","use_regex":true"#, "")),
        with(&sound, byte_level, &format!(r#"{{"type":"Sequence","pretokenizers":[{byte_level}]}}"#)),
        with(&sound, byte_level, &split(r#""behavior":"Isolated","invert":false"#)),
        with(&sound, byte_level, &split(r#""behavior":"Isolated","invert":true"#)),
        with(&sound, byte_level, &split(r#""behavior":"Removed","invert":true"#)),
    ];
    for case in cases {
        assert_same(&hugging_face::read(case.as_bytes()).unwrap(), &definition());
    }
    let no_split = with(&sound, byte_level, bare);
    assert!(hugging_face::read(no_split.as_bytes()).unwrap().pretokenizer.stages().is_empty());
    let literal = with(
        &split(r#""behavior":"Isolated","invert":false"#),
        &format!(r#"{{"Regex":"{regex}"}}"#),
        r#"{"String":"a.b"}"#,
    );
    let literal = hugging_face::read(with(&sound, byte_level, &literal).as_bytes()).unwrap();
    assert_eq!(literal.pretokenizer.stages(), [r"a\.b"]);
}

#[test]
fn an_added_token_that_merges_make_is_an_ordinary_token_too() {
    let text = with(&tokenizer_json(), r#""id":259,"content":"<|end|>""#, r#""id":258,"content":"hell""#);
    let text = text.replace(r#""id":260"#, r#""id":259"#);
    let read = hugging_face::read(text.as_bytes()).unwrap();
    assert_eq!(read.added_tokens, [added("hell", 258, true), added("<think>", 259, false)]);
    assert_eq!(read.tokens.len(), 259);
    assert_same(&hugging_face::read(hugging_face::write(&read).unwrap().as_bytes()).unwrap(), &read);
}

#[test]
fn a_rank_file_comes_back_byte_for_byte() {
    let definition = only_special(definition());
    let text = tiktoken::write(&definition).unwrap();
    assert_eq!(text, tiktoken::write_ranks(&definition.tokens));
    assert_eq!(sniff(text.as_bytes()), Some(Format::Tiktoken));
    assert_eq!(tiktoken::parse(text.as_bytes()).unwrap(), definition.tokens);
    assert_eq!(tiktoken::parse(text.trim_end().as_bytes()).unwrap(), definition.tokens);
}

#[test]
fn a_rank_file_is_not_written_where_ranks_do_not_tell_all() {
    assert_eq!(refused::location(&tiktoken::write(&definition()).unwrap_err()), "added_tokens");
    let mut lacking = only_special(definition());
    lacking.tokens.remove(0);
    assert!(tiktoken::write(&lacking).unwrap_err().to_string().contains("lacks 0x00"));
    let mut stripping = only_special(definition());
    stripping.added_tokens[0].matching.lstrip = true;
    for error in [tiktoken::write(&stripping).unwrap_err(), gpt2::write(&stripping).unwrap_err()] {
        assert!(error.to_string().contains("how a text is normalised or added tokens are found"), "{error}");
    }
    let mut swapped = only_special(definition());
    swapped.merges = MergeRule::List([(108, 108), (104, 101), (256, 257)].map(|(l, r)| (id(l), id(r))).to_vec());
    assert_eq!(refused::location(&tiktoken::write(&swapped).unwrap_err()), "merges");
    let mut unreachable = only_special(definition());
    unreachable.tokens.push((id(259), b"xyz".to_vec()));
    assert_eq!(refused::location(&tiktoken::write(&unreachable).unwrap_err()), "tokens");
    unreachable.whole_pretokens = true;
    assert!(tiktoken::write(&unreachable).is_ok());
}

fn read_gpt2(files: &gpt2::Files) -> bytepair_core::Result<Definition> {
    let map = files.special_tokens_map.as_ref().map(String::as_bytes);
    gpt2::read(files.vocab.as_bytes(), files.merges.as_bytes(), map, &[], definition().pretokenizer)
}

#[test]
fn gpt2_files_come_back_the_same() {
    let definition = only_special(definition());
    let files = gpt2::write(&definition).unwrap();
    assert_eq!(files.merges, "#version: 0.2\nh e\nl l\nhe ll\n");
    assert_eq!(files.special_tokens_map.as_deref(), Some(r#"{"additional_special_tokens":["<|end|>"]}"#));
    assert_eq!(sniff(files.vocab.as_bytes()), Some(Format::VocabJson));
    assert_same(&read_gpt2(&files).unwrap(), &definition);
    assert_eq!(gpt2::write(&read_gpt2(&files).unwrap()).unwrap(), files);

    let bare = gpt2::Files { merges: "h e\nl l\nhe ll".to_owned(), ..files.clone() };
    assert_same(&read_gpt2(&bare).unwrap(), &definition);
    let object = r#"{"content":"<|end|>","lstrip":false,"normalized":true,"__type":"AddedToken"}"#;
    let map = Some(format!(r#"{{"eos_token":{object},"unk_token":"<|end|>","pad_token":null}}"#));
    assert_same(&read_gpt2(&gpt2::Files { special_tokens_map: map, ..files.clone() }).unwrap(), &definition);
    let named = ["<|end|>".to_owned()];
    let pretokenizer = definition.pretokenizer.clone();
    let named = gpt2::read(files.vocab.as_bytes(), files.merges.as_bytes(), None, &named, pretokenizer).unwrap();
    assert_same(&named, &definition);
}

#[test]
fn what_gpt2_files_cannot_express_is_refused() {
    let plain_added = gpt2::write(&definition()).unwrap_err();
    assert!(plain_added.to_string().contains("not special"), "{plain_added}");
    let whole = Definition { whole_pretokens: true, ..only_special(definition()) };
    assert!(gpt2::write(&whole).unwrap_err().to_string().contains("whole pretokens"));
    let mut version = only_special(definition());
    version.tokens.extend([(id(260), b"#version".to_vec()), (id(261), b"#versionh".to_vec())]);
    version.merges = MergeRule::List(vec![(id(260), id(104))]);
    assert!(gpt2::write(&version).unwrap_err().to_string().contains("version line"));
    let read = hugging_face::read(hugging_face::write(&version).unwrap().as_bytes()).unwrap();
    assert_same(&read, &version);
}

#[test]
fn literals_that_share_a_table_with_other_bytes_are_not_written() {
    for (text, number, message) in
        [("é", 259, "other bytes"), (" ", 259, "also the ordinary token 32"), ("", 259, "empty")]
    {
        let definition = Definition { added_tokens: vec![added(text, number, true)], ..definition() };
        for error in [hugging_face::write(&definition).unwrap_err(), gpt2::write(&definition).unwrap_err()] {
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}

#[test]
fn formats_are_told_apart_by_their_beginning() {
    assert_eq!(sniff(br#" {"added_tokens": ["#), Some(Format::HuggingFace));
    assert_eq!(sniff(br#"{"model": 0, "#), Some(Format::VocabJson));
    for neither in [&b""[..], b"{", b"{}", b"[1]", b"#version: 0.2\nh e\n", b"h e\n", b"IQ==\n", b"{\"type\": {}}"] {
        assert_eq!(sniff(neither), None, "{}", neither.escape_ascii());
    }
}
