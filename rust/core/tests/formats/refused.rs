//! Bad files, as data: each is a small sound file with one fault, and must be refused at its place.

use bytepair_core::formats::{gpt2, hugging_face, tiktoken};
use bytepair_core::{Error, ErrorKind};

use super::{definition, only_special, read_gpt2, tokenizer_json, with};

/// Where a file is refused.
pub(super) fn location(error: &Error) -> &str {
    match error.kind() {
        ErrorKind::Format { location, .. } => location,
        _ => panic!("not a format error: {error}"),
    }
}

/// Name, old text, new text, location, part of the message.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const HUGGING_FACE: &[Case] = &[
    ("version", r#""1.0""#, r#""99.0""#, "$.version", "\"99.0\" is not modelled"),
    ("no version", r#""version":"1.0","#, "", "$", "\"version\" is missing"),
    ("version type", r#""1.0""#, "1.0", "$.version", "must be a string, not 1"),
    ("extra key", r#""truncation":null"#, r#""extra":1"#, "$.extra", "not modelled"),
    ("truncation", r#""truncation":null"#, r#""truncation":{"max_length":8}"#, "$.truncation", "not modelled"),
    ("padding", r#""padding":null"#, r#""padding":{}"#, "$.padding", "not modelled"),
    ("double key", r#""padding":null"#, r#""version":"1.0""#, "$.version", "there twice"),
    ("no prefix space", r#""add_prefix_space":false,"#, "", "$.pre_tokenizer", "\"add_prefix_space\" is missing"),
    (
        "pre-tokenizer key",
        r#""trim_offsets":true,"#,
        r#""trim_offsets":true,"x":1,"#,
        "$.pre_tokenizer.x",
        "not modelled",
    ),
    ("no pre-tokenizer", r#""pre_tokenizer":{"type""#, r#""pre_tokenizer":null,"y":{"type""#, "$.y", "not modelled"),
    (
        "whitespace",
        r#"{"type":"ByteLevel","add_prefix_space":false"#,
        r#"{"type":"Whitespace","a":false"#,
        "$.pre_tokenizer.a",
        "not modelled",
    ),
    (
        "post-processor",
        r#""post_processor":{"type":"ByteLevel""#,
        r#""post_processor":{"type":"Other""#,
        "$.post_processor",
        "\"Other\" is not modelled",
    ),
    (
        "decoder",
        r#""decoder":{"type":"ByteLevel""#,
        r#""decoder":{"type":"Fuse""#,
        "$.decoder",
        "\"Fuse\" is not modelled",
    ),
    ("model type", r#""type":"BPE""#, r#""type":"Unigram""#, "$.model.type", "\"Unigram\" is not modelled"),
    ("model key", r#""fuse_unk":false"#, r#""fuse":false"#, "$.model.fuse", "not modelled"),
    ("dropout", r#""dropout":null"#, r#""dropout":0.1"#, "$.model.dropout", "random"),
    (
        "prefix",
        r#""continuing_subword_prefix":null"#,
        r###""continuing_subword_prefix":"##""###,
        "$.model.continuing_subword_prefix",
        "not modelled",
    ),
    (
        "suffix",
        r#""end_of_word_suffix":null"#,
        r#""end_of_word_suffix":"</w>""#,
        "$.model.end_of_word_suffix",
        "not modelled",
    ),
    (
        "ignore_merges",
        r#""ignore_merges":false"#,
        r#""ignore_merges":1"#,
        "$.model.ignore_merges",
        "must be true or false, not 1",
    ),
    ("no vocab", r#""vocab":{"#, r#""fuse_unk2":{"#, "$.model.fuse_unk2", "not modelled"),
    ("double id", r#""hell":258"#, r#""hell":257"#, "$.model.vocab.hell", "also that of \"ll\""),
    ("double token", r#""hell":258"#, r#""he":258"#, "$.model.vocab.he", "there twice"),
    ("negative id", r#""hell":258"#, r#""hell":-1"#, "$.model.vocab.hell", "not -1"),
    ("fractional id", r#""hell":258"#, r#""hell":258.0"#, "$.model.vocab.hell", "must be a token id"),
    ("huge id", r#""hell":258"#, r#""hell":4294967295"#, "$.model.vocab.hell", "ids lie below"),
    ("absurd id", r#""hell":258"#, r#""hell":9999999"#, "$.model.vocab.hell", "absurd for 259 tokens"),
    ("empty token", r#""hell":258"#, r#""":258"#, r#"$.model.vocab[""]"#, "empty"),
    (
        "foreign token",
        r#""hell":258},"merges":[["h","e"],["l","l"],["he","ll"]]"#,
        r#""世":258},"merges":[]"#,
        r#"$.model.vocab["世"]"#,
        "neither spelt in the byte alphabet",
    ),
    ("unknown side", r#"["he","ll"]"#, r#"["he","zz"]"#, "$.model.merges[2]", "\"zz\" is not in the vocabulary"),
    ("unknown result", r#"["he","ll"]"#, r#"["ll","he"]"#, "$.model.merges[2]", "\"llhe\" is not in the vocabulary"),
    ("double merge", r#"["l","l"]"#, r#"["h","e"]"#, "$.model.merges[1]", "there twice"),
    ("three sides", r#"["l","l"]"#, r#"["l","l","l"]"#, "$.model.merges[1]", "a list of two"),
    ("side type", r#"["l","l"]"#, r#"["l",1]"#, "$.model.merges[1][1]", "must be a string"),
    ("two spaces", r#"["l","l"]"#, r#""l l l""#, "$.model.merges[1]", "one space between"),
    ("version line", r#"["l","l"]"#, r##""#version l""##, "$.model.merges[1]", "#version"),
    ("merge type", r#"["l","l"]"#, "7", "$.model.merges[1]", "must be an array, not 7"),
    ("no special", r#","special":true"#, "", "$.added_tokens[0]", "\"special\" is missing"),
    ("added key", r#","special":true"#, r#","special":true,"x":0"#, "$.added_tokens[0].x", "not modelled"),
    ("empty added", "<|end|>", "", "$.added_tokens[0].content", "empty"),
    ("ambiguous added", "<|end|>", "é", "$.added_tokens[0].content", "decoded as the bytes that it spells"),
    ("double added", "<think>", "<|end|>", "$.added_tokens[1].content", "added twice"),
    ("one id for two", r#""id":260"#, r#""id":259"#, "$.added_tokens[1].id", "also that of \"<|end|>\""),
    ("id of an ordinary token", r#""id":259"#, r#""id":258"#, "$.added_tokens[0].id", "a token of the vocabulary"),
    ("renumbered", r#""id":260"#, r#""id":300"#, "$.added_tokens[1].id", "tokenizers would give it 260"),
    (
        "other id in the vocabulary",
        "<|end|>",
        "hell",
        "$.added_tokens[0].id",
        "has id 259 here but 258 in the vocabulary",
    ),
    ("two ids for one text", "<|end|>", " ", "$.added_tokens[0].id", "also the ordinary token 32"),
    ("mark", "{", "\u{FEFF}{", "line 1", "byte order mark"),
    ("trailing", r#"]}}"#, r#"]}}x"#, "", "trailing characters"),
    ("surrogate", "<|end|>", r"\ud800", "", "not valid JSON"),
    (
        "deep",
        "null",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "",
        "nested more than 64 deep",
    ),
];

#[test]
fn bad_tokenizer_json_files_are_refused_by_path() {
    let sound = tokenizer_json();
    for (name, old, new, place, message) in HUGGING_FACE {
        let error = hugging_face::read(with(&sound, old, new).as_bytes()).expect_err(name);
        assert!(place.is_empty() || location(&error) == *place, "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
    }
}

/// What replaces the pre-tokenizer, location, part of the message.
const PRE_TOKENIZERS: &[(&str, &str, &str)] = &[
    ("null", "$.pre_tokenizer", "sees characters, not bytes"),
    (r#"{"type":"Sequence","pretokenizers":[]}"#, "$.pre_tokenizer", "sees characters"),
    (r#"{"type":"Sequence","pretokenizers":[SPLIT]}"#, "$.pre_tokenizer", "sees characters"),
    (
        r#"{"type":"Sequence","pretokenizers":[LEVEL,SPLIT]}"#,
        "$.pre_tokenizer.pretokenizers[1]",
        "must be the last step",
    ),
    (
        r#"{"type":"Sequence","pretokenizers":[{"type":"Digits"},LEVEL]}"#,
        "$.pre_tokenizer.pretokenizers[0]",
        "\"individual_digits\" is missing",
    ),
    (
        r#"{"type":"Sequence","pretokenizers":[{"type":"UnicodeScripts"},LEVEL]}"#,
        "$.pre_tokenizer.pretokenizers[0]",
        "\"UnicodeScripts\" is not modelled",
    ),
    (
        r#"{"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Kept"},LEVEL]}"#,
        "$.pre_tokenizer.pretokenizers[0].behavior",
        "\"Kept\" is not known",
    ),
    (r#"{"type":"Sequence","x":0,"pretokenizers":[LEVEL]}"#, "$.pre_tokenizer.x", "not modelled"),
    (r#"{"type":"Sequence","pretokenizers":[SPLIT,BAD,LEVEL]}"#, "$.pre_tokenizer.pretokenizers[1].pattern.Regex", ""),
    (
        r#"{"type":"Sequence","pretokenizers":[BOTH,LEVEL]}"#,
        "$.pre_tokenizer.pretokenizers[0].pattern",
        "exactly one of",
    ),
];

#[test]
fn bad_pre_tokenizers_are_refused_by_path() {
    let sound = tokenizer_json();
    let level = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
    let split = |pattern: &str, behavior: &str, invert: bool| {
        format!(r#"{{"type":"Split","pattern":{{{pattern}}},"behavior":"{behavior}","invert":{invert}}}"#)
    };
    for (steps, place, message) in PRE_TOKENIZERS {
        let steps = steps
            .replace("LEVEL", level)
            .replace("SPLIT", &split(r#""Regex":"a+""#, "Isolated", false))
            .replace("BAD", &split(r#""Regex":"(a""#, "Isolated", false))
            .replace("BOTH", &split(r#""Regex":"a","String":"a""#, "Isolated", false));
        let error = hugging_face::read(with(&sound, level, &steps).as_bytes()).expect_err(&steps);
        assert_eq!(location(&error), *place, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Name, old text, new text, location, part of the message. `AA== 0` is the first line, `aGVsbA== 258` the last.
const TIKTOKEN: &[Case] = &[
    ("empty line", "AQ== 1\n", "\nAQ== 1\n", "line 2", "empty"),
    ("carriage return", "AQ== 1\n", "AQ== 1\r\n", "line 2", "carriage return"),
    ("no space", "AQ== 1\n", "AQ==1\n", "line 2", "no space"),
    ("two spaces", "AQ== 1\n", "AQ==  1\n", "line 2", "not a rank"),
    ("trailing space", "AQ== 1\n", "AQ== 1 \n", "line 2", "not a rank"),
    ("no rank", "AQ== 1\n", "AQ== \n", "line 2", "not a rank"),
    ("sign", "AQ== 1\n", "AQ== +1\n", "line 2", "not a rank"),
    ("minus", "AQ== 1\n", "AQ== -1\n", "line 2", "not a rank"),
    ("leading zero", "AQ== 1\n", "AQ== 01\n", "line 2", "not a rank"),
    ("empty token", "AQ== 1\n", " 1\n", "line 2", "empty"),
    ("not base64", "AQ== 1\n", "!!!! 1\n", "line 2", "\"!!!!\" is not canonical base64"),
    ("no padding", "AQ== 1\n", "AQ 1\n", "line 2", "canonical"),
    ("stray bits", "AQ== 1\n", "AR== 1\n", "line 2", "canonical"),
    ("url alphabet", "/w== 255\n", "_w== 255\n", "line 256", "canonical"),
    ("double token", "aGVsbA== 258\n", "bGw= 258\n", "line 259", "on line 258 already"),
    ("double rank", "aGVsbA== 258\n", "aGVsbA== 257\n", "line 259", "on line 258 already"),
    ("absurd rank", "aGVsbA== 258\n", "aGVsbA== 9999\n", "line 259", "absurd for 259 tokens"),
    ("huge rank", "aGVsbA== 258\n", "aGVsbA== 16777216\n", "line 259", "ranks lie below 16777216"),
    ("overlong rank", "aGVsbA== 258\n", "aGVsbA== 99999999999999999999\n", "line 259", "ranks lie below"),
    ("missing byte", "IA== 32\n", "", "file", "0x20 is not a token"),
    ("cut in a line", "aGVsbA== 258\n", "aGVsb", "line 259", "no space"),
];

#[test]
fn bad_rank_files_are_refused_by_line() {
    let sound = tiktoken::write_ranks(&definition().tokens);
    for (name, old, new, place, message) in TIKTOKEN {
        let error = tiktoken::parse(with(&sound, old, new).as_bytes()).expect_err(name);
        assert_eq!(location(&error), *place, "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
    }
    assert_eq!(location(&tiktoken::parse(b"").unwrap_err()), "file");
    assert_eq!(location(&tiktoken::parse(b"\xFF\xFF 0\n").unwrap_err()), "line 1");
    let long = format!("{} 0\n", "AAAA".repeat(30_000));
    assert!(tiktoken::parse(long.as_bytes()).unwrap_err().to_string().contains("more than the limit"));
}

/// Which file (0: vocab.json, 1: merges.txt, 2: special_tokens_map.json), and a [`Case`].
const GPT2: &[(usize, Case)] = &[
    (0, ("double key", r#""hell":258"#, r#""ll":258"#, "vocab.json $.ll", "there twice")),
    (0, ("double id", r#""hell":258"#, r#""hell":257"#, "vocab.json $.hell", "also that of")),
    (0, ("absurd id", r#""hell":258"#, r#""hell":999999"#, "vocab.json $.hell", "absurd")),
    (0, ("foreign token", r#""hell":258"#, r#""hell":258,"世":260"#, "vocab.json $[\"世\"]", "neither spelt")),
    (0, ("an array", "{", "[", "vocab.json line 1 column 6", "not valid JSON")),
    (1, ("three fields", "l l\n", "l l l\n", "merges.txt line 3", "not two tokens")),
    (1, ("one field", "l l\n", "ll\n", "merges.txt line 3", "not two tokens")),
    (1, ("empty line", "l l\n", "\n", "merges.txt line 3", "not two tokens")),
    (1, ("carriage return", "l l\n", "l l\r\n", "merges.txt line 3", "carriage return")),
    (1, ("late version", "l l\n", "#version: 0.2\n", "merges.txt line 3", "first line only")),
    (1, ("unknown token", "l l\n", "l zz\n", "merges.txt line 3", "\"zz\" is not in the vocabulary")),
    (1, ("special token", "l l\n", "l <|end|>\n", "merges.txt line 3", "\"l<|end|>\" is not in the vocabulary")),
    (1, ("double merge", "l l\n", "h e\n", "merges.txt line 3", "there twice")),
    (
        2,
        (
            "unknown special",
            "<|end|>",
            "<|x|>",
            "special_tokens_map.json $.additional_special_tokens[0]",
            "not in vocab.json",
        ),
    ),
    (2, ("ambiguous special", "<|end|>", "é", "special_tokens_map.json $.additional_special_tokens[0]", "other bytes")),
    (
        2,
        (
            "unknown role",
            "additional_special_tokens",
            "extra_ids",
            "special_tokens_map.json $.extra_ids",
            "not modelled",
        ),
    ),
    (
        2,
        (
            "lstrip",
            r#""<|end|>""#,
            r#"{"content":"<|end|>","lstrip":true}"#,
            "special_tokens_map.json $.additional_special_tokens[0].lstrip",
            "not modelled yet",
        ),
    ),
];

#[test]
fn bad_gpt2_files_are_refused_by_file_and_place() {
    let sound = gpt2::write(&only_special(definition())).unwrap();
    for (file, (name, old, new, place, message)) in GPT2 {
        let mut files = sound.clone();
        match file {
            0 => files.vocab = with(&files.vocab, old, new),
            1 => files.merges = with(&files.merges, old, new),
            _ => files.special_tokens_map = files.special_tokens_map.map(|map| with(&map, old, new)),
        }
        let error = read_gpt2(&files).expect_err(name);
        assert_eq!(location(&error), *place, "{name}: {error}");
        assert!(error.to_string().contains(message), "{name}: {error}");
    }
}
