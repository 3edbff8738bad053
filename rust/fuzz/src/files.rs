//! Files: read or refused, and what is read is a tokenizer that writes what reads as the same.

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use bytepair_core::formats::{compact, gpt2, hugging_face, sniff, tiktoken};
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{AddedToken, Allowed, Definition, ErrorKind, Matching, Scratch, Tokenizer};
use serde_json::{Value, json};

use super::{id, vocabulary};

/// What was read is a tokenizer or no vocabulary; it writes what reads as the same, and gives texts back.
fn check(definition: Definition) {
    let Ok(tokenizer) = Tokenizer::new(definition) else { return };
    let again = compact::read(tokenizer.canonical_form().unwrap()).and_then(Tokenizer::new).unwrap();
    assert_eq!(again.fingerprint().unwrap(), tokenizer.fingerprint().unwrap(), "by its form");
    if let Ok(text) = hugging_face::write(&tokenizer.definition()) {
        let again = hugging_face::read(text.as_bytes()).and_then(Tokenizer::new).unwrap();
        assert_eq!(again.fingerprint().unwrap(), tokenizer.fingerprint().unwrap(), "by {text}");
    }
    for allowed in [Allowed::None, Allowed::All] {
        for text in ["hello  world's <s>\u{85}中 12345\r\n ".as_bytes(), b"\xff\xfea\0", b""] {
            let mut ids = Vec::new();
            match tokenizer.encode(&mut Scratch::default(), text, allowed, &mut ids) {
                Ok(()) if tokenizer.keeps_text() => assert_eq!(tokenizer.decode(&ids).unwrap(), text),
                Ok(()) => drop(tokenizer.decode(&ids).unwrap()),
                Err(error) => assert!(!matches!(error.kind(), ErrorKind::Internal), "{error}"),
            }
        }
    }
}

/// Any bytes as a tokenizer.json.
pub(super) fn json(data: &[u8]) {
    sniff(data);
    if let Ok(definition) = hugging_face::read(data) {
        check(definition);
    }
}

/// A sound tokenizer.json with some fields set to what may stand in one.
pub(super) fn json_tree(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let mut tree = small_json();
    for _ in 0..source.int_in_range(1..=6)? {
        edit(&mut source, &mut tree)?;
    }
    json(tree.to_string().as_bytes());
    Ok(())
}

/// A tokenizer of the 256 bytes and four merges.
fn small_json() -> Value {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let strings = ["ab", "abc", " t", "he"].map(|string| string.as_bytes().to_vec());
        let mut definition = vocabulary(&strings, false);
        definition.pretokenizer = Pretokenizer::new("gpt2").unwrap();
        definition.added_tokens.push(AddedToken {
            text: "<s>".into(),
            id: id(definition.tokens.len()),
            special: true,
            matching: Matching::default(),
        });
        hugging_face::write(&Tokenizer::new(definition).unwrap().definition()).unwrap()
    });
    serde_json::from_str(text).unwrap()
}

/// Sets a field of a tree, one that is there or a new one, to anything.
fn edit(source: &mut Unstructured<'_>, mut place: &mut Value) -> Result<()> {
    while !source.ratio(1, 4)? {
        place = match place {
            Value::Object(fields) => {
                let known = if source.ratio(1, 8)? {
                    None
                } else {
                    source.choose_iter(fields.keys().cloned().collect::<Vec<_>>()).ok()
                };
                let name = match known {
                    Some(name) => name,
                    None => (*source.choose(&WORDS)?).to_owned(),
                };
                fields.entry(name).or_insert(Value::Null)
            }
            Value::Array(items) => {
                let index = source.int_in_range(0..=items.len())?;
                if index == items.len() {
                    items.push(Value::Null);
                }
                &mut items[index]
            }
            _ => break,
        };
    }
    *place = any_json(source, 3)?;
    Ok(())
}

/// The names and values that a tokenizer.json can hold, and some that it cannot.
const WORDS: [&str; 62] = [
    "type",
    "BPE",
    "ByteLevel",
    "Split",
    "Sequence",
    "Digits",
    "Whitespace",
    "Punctuation",
    "Metaspace",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Replace",
    "Prepend",
    "Strip",
    "TemplateProcessing",
    "ByteFallback",
    "Fuse",
    "BertPreTokenizer",
    "pattern",
    "Regex",
    "String",
    "behavior",
    "Isolated",
    "Removed",
    "MergedWithPrevious",
    "invert",
    "add_prefix_space",
    "trim_offsets",
    "use_regex",
    "individual_digits",
    "pretokenizers",
    "normalizers",
    "decoders",
    "processors",
    "content",
    "special",
    "single_word",
    "lstrip",
    "rstrip",
    "normalized",
    "id",
    "vocab",
    "merges",
    "ignore_merges",
    "byte_fallback",
    "fuse_unk",
    "unk_token",
    "dropout",
    "a",
    "ab",
    "Ġt",
    "<s>",
    "<0x41>",
    r"\p{N}{1,3}",
    r"\s+(?!\S)|\s+",
    r"[一-龥]+",
    " ",
    "",
    "\u{ffff}",
];

fn any_json(source: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match source.int_in_range(0..=if depth == 0 { 6 } else { 9 })? {
        0 => Value::Null,
        1 => json!(source.arbitrary::<bool>()?),
        2 => json!(source.int_in_range(0..=300)?),
        3 => json!(source.arbitrary::<i64>()?),
        4 => json!(source.arbitrary::<f32>()?),
        5 => json!(*source.choose(&WORDS)?),
        6 => json!(source.arbitrary::<&str>()?),
        7 => {
            Value::Array((0..source.int_in_range(0..=3)?).map(|_| any_json(source, depth - 1)).collect::<Result<_>>()?)
        }
        _ => {
            let field = |source: &mut Unstructured<'_>| {
                Ok(((*source.choose(&WORDS)?).to_owned(), any_json(source, depth - 1)?))
            };
            Value::Object((0..source.int_in_range(0..=4)?).map(|_| field(source)).collect::<Result<_>>()?)
        }
    })
}

/// Any bytes as a rank file, and as the end of a sound one.
pub(super) fn ranks(data: &[u8]) {
    let sound = tiktoken::write_ranks(&vocabulary(&[b"ab".to_vec()], false).tokens);
    for file in [data.to_vec(), [sound.as_bytes(), data].concat()] {
        sniff(&file);
        let Ok(tokens) = tiktoken::parse(&file) else { continue };
        assert_eq!(tiktoken::parse(tiktoken::write_ranks(&tokens).as_bytes()).unwrap().len(), tokens.len());
        check(Definition { tokens, whole_pretokens: true, ..vocabulary(&[], true) });
    }
}

/// `vocab.json` and `merges.txt`, parted by a NUL; where there is none, the bytes are the end of sound merges.
pub(super) fn gpt2(data: &[u8]) {
    let split = Pretokenizer::new("gpt2").unwrap();
    let sound = gpt2::write(
        &Tokenizer::new(Definition { pretokenizer: split.clone(), ..vocabulary(&[b"ab".to_vec()], false) })
            .unwrap()
            .definition(),
    )
    .unwrap();
    let appended = [sound.merges.as_bytes(), data].concat();
    let (vocab, merges) = match data.iter().position(|&byte| byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (sound.vocab.as_bytes(), appended.as_slice()),
    };
    if let Ok(definition) = gpt2::read(vocab, merges, None, &[], split) {
        check(definition);
    }
}

/// Any bytes as a canonical form.
pub(super) fn form(data: &[u8]) {
    for form in [data.to_vec(), [b"bytepair\x01", data].concat()] {
        if let Ok(definition) = compact::read(&form) {
            check(definition);
        }
    }
}
