//! Reads a `tokenizer.json`.

use super::super::json::{parse, shown};
use super::super::node::{Fields, Node};
use super::super::vocab_json::VocabJson;
use super::{KEYS, VERSION, added, normalizer, post_processor, pre_tokenizer};
use crate::definition::{Definition, MergeRule};
use crate::error::Result;
use crate::pipeline::Pipeline;

/// Reads the text of a `tokenizer.json`.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the JSON path of what is malformed, there twice or not
/// modelled exactly.
///
/// # Complexity
///
/// O(`bytes.len()`), besides preparing the split pattern.
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::hugging_face;
///
/// let error = hugging_face::read(br#"{"version": "2.0", "model": {}}"#).unwrap_err();
/// assert_eq!(error.to_string(), r#"$.version: version "2.0" is not modelled, only "1.0""#);
/// ```
pub fn read(bytes: &[u8]) -> Result<Definition> {
    let json = parse("", bytes)?;
    let root = Node::root("", &json);
    let file = root.fields()?;
    file.only(&KEYS)?;
    let version = file.require("version")?;
    if version.string()? != VERSION {
        let found = shown(version.string()?);
        return Err(version.refuse(format!("version {found} is not modelled, only {VERSION:?}")));
    }
    for key in ["truncation", "padding"] {
        if let Some(set) = file.get_some(key) {
            return Err(set.refuse("not modelled: every text is encoded whole and alone; must be null"));
        }
    }
    check_decoder(&file)?;
    let normalizers = file.get("normalizer").map_or(Ok(Vec::new()), |node| normalizer::read(&node))?;
    let post_processors = file.get("post_processor").map_or(Ok(Vec::new()), |node| post_processor::read(&node))?;
    let (steps, pretokenizer) = pre_tokenizer::read(&file.require("pre_tokenizer")?)?;
    let pipeline = Pipeline { normalizers, steps, post_processors };

    let model = file.require("model")?.fields()?;
    let whole_pretokens = check_model(&model)?;
    let vocab = model.require("vocab")?;
    let mut vocab = VocabJson::read(vocab)?;
    read_merges(&model.require("merges")?, &mut vocab)?;
    let added_tokens = match file.get("added_tokens") {
        Some(list) => added::read(&list, &vocab, &pipeline)?,
        None => Vec::new(),
    };
    let parts = vocab.finish(&added_tokens)?;
    let (tokens, merges) = (parts.tokens, MergeRule::List(parts.merges));
    Ok(Definition { name: None, pretokenizer, tokens, merges, whole_pretokens, added_tokens, pipeline })
}

/// A decoder: `ByteLevel`, which has options but uses none, or nothing, or a sequence of the first.
fn check_decoder(file: &Fields<'_, '_>) -> Result<()> {
    let Some(decoder) = file.get_some("decoder") else { return Ok(()) };
    let fields = decoder.fields()?;
    if fields.require("type")?.string()? != "Sequence" {
        return check_byte_level(&decoder);
    }
    fields.only(&["type", "decoders"])?;
    let list = fields.require("decoders")?;
    let mut items = list.items()?;
    match items.next() {
        Some(first) => check_byte_level(&first)?,
        None => return Err(list.refuse("an empty sequence is not modelled as a decoder")),
    }
    // What ByteLevel gives is one text, which Fuse leaves as it is.
    items.try_for_each(|item| {
        let fields = item.fields()?;
        match fields.require("type")?.string()? {
            "Fuse" => fields.only(&["type"]),
            kind => Err(item.refuse(format!("the decoder {kind:?} after ByteLevel is not modelled, only \"Fuse\""))),
        }
    })
}

fn check_byte_level(step: &Node<'_, '_>) -> Result<()> {
    let fields = step.fields()?;
    let kind = fields.require("type")?.string()?;
    if kind != "ByteLevel" {
        return Err(step.refuse(format!("the decoder {kind:?} is not modelled; it would decode to other bytes")));
    }
    super::read_byte_level(&fields).map(|_| ())
}

/// Checks every option of the model, and gives `ignore_merges`.
fn check_model(model: &Fields<'_, '_>) -> Result<bool> {
    // Old files do not name the type. That it is BPE then follows from the keys: no other model has merges.
    if let Some(kind) = model.get("type")
        && kind.string()? != "BPE"
    {
        return Err(kind.refuse(format!("the model {:?} is not modelled, only \"BPE\"", kind.string()?)));
    }
    model.only(&[
        "type",
        "dropout",
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "fuse_unk",
        "byte_fallback",
        "ignore_merges",
        "vocab",
        "merges",
    ])?;
    if let Some(dropout) = model.get_some("dropout")
        && !dropout.is_zero()
    {
        return Err(dropout.refuse("dropout makes ids random and is not modelled; must be null or 0"));
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if let Some(affix) = model.get_some(key)
            && !affix.string()?.is_empty()
        {
            return Err(affix.refuse("not modelled: it would change how tokens are spelt; must be null or empty"));
        }
    }
    // These say what to do with a character that is not a token. After `ByteLevel` the only characters are the 256 of
    // the byte alphabet, each of which must be a token here, so whatever they say never comes to pass.
    if let Some(unknown) = model.get_some("unk_token") {
        unknown.string()?;
    }
    for key in ["fuse_unk", "byte_fallback"] {
        if let Some(option) = model.get_some(key) {
            option.boolean()?;
        }
    }
    model.get_some("ignore_merges").map_or(Ok(false), |value| value.boolean())
}

fn read_merges(merges: &Node<'_, '_>, vocab: &mut VocabJson<'_, '_>) -> Result<()> {
    let items = merges.items()?;
    vocab.reserve_merges(items.len())?;
    for item in items {
        let (left, right) = match item.as_string() {
            // `tokenizers` takes such a string for the first line of a merges.txt and skips it, which shifts the ranks.
            Some(text) if text.starts_with("#version") => {
                return Err(item.refuse("a merge that starts with \"#version\" must be written as a list of two"));
            }
            Some(text) => {
                let sides = text.split_once(' ').filter(|(_, right)| !right.contains(' '));
                sides.ok_or_else(|| item.refuse("must be two tokens with one space between"))?
            }
            None => match item.items()?.map(|side| side.string()).collect::<Result<Vec<_>>>()?[..] {
                [left, right] => (left, right),
                _ => return Err(item.refuse("must be a list of two tokens")),
            },
        };
        vocab.merge(left, right).map_err(|fault| item.refuse(fault))?;
    }
    Ok(())
}
