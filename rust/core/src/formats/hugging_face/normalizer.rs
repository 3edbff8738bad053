//! The `normalizer` of a `tokenizer.json`.

use super::super::node::Node;
use super::read_pattern;
use crate::error::{Error, Result};
use crate::pipeline::{Normalizer, Pipeline};
use crate::pretokenize::Finder;

/// Those without parameters.
pub(super) const PLAIN: [(&str, Normalizer); 7] = [
    ("NFC", Normalizer::Nfc),
    ("NFD", Normalizer::Nfd),
    ("NFKC", Normalizer::Nfkc),
    ("NFKD", Normalizer::Nfkd),
    ("Lowercase", Normalizer::Lowercase),
    ("StripAccents", Normalizer::StripAccents),
    ("Nmt", Normalizer::Nmt),
];

/// Reads a `normalizer`: one, or a sequence of them.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the one that is not modelled, or whose regex is not.
pub(super) fn read(node: &Node<'_, '_>) -> Result<Vec<Normalizer>> {
    let mut normalizers = Vec::new();
    if !node.is_null() {
        push(node, &mut normalizers)?;
    }
    let growth = normalizers.iter().map(Normalizer::growth).fold(1, usize::saturating_mul);
    if growth > Pipeline::MAX_GROWTH {
        let message = format!("could make a text {growth} times as long; the limit is {}", Pipeline::MAX_GROWTH);
        return Err(node.refuse(message));
    }
    Ok(normalizers)
}

fn push(node: &Node<'_, '_>, normalizers: &mut Vec<Normalizer>) -> Result<()> {
    if normalizers.len() == Pipeline::MAX_STEPS {
        return Err(node.refuse(format!("more than {} normalizers", Pipeline::MAX_STEPS)));
    }
    let fields = node.fields()?;
    let kind = fields.require("type")?.string()?;
    if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == kind) {
        fields.only(&["type"])?;
        normalizers.push(plain.clone());
        return Ok(());
    }
    normalizers.push(match kind {
        "Sequence" => {
            fields.only(&["type", "normalizers"])?;
            for item in fields.require("normalizers")?.items()? {
                push(&item, normalizers)?;
            }
            return Ok(());
        }
        "Strip" => {
            fields.only(&["type", "strip_left", "strip_right"])?;
            let [left, right] = [fields.require("strip_left")?, fields.require("strip_right")?];
            Normalizer::Strip { left: left.boolean()?, right: right.boolean()? }
        }
        "Prepend" => {
            fields.only(&["type", "prepend"])?;
            let content = fields.require("prepend")?;
            if content.string()?.is_empty() {
                return Err(content.refuse("prepends nothing; leave the normalizer out"));
            }
            Normalizer::Prepend(content.string()?.to_owned())
        }
        "Replace" => {
            fields.only(&["type", "pattern", "content"])?;
            let (regex, location) = read_pattern(&fields)?;
            let pattern = Finder::from_hugging_face(&regex).map_err(|error| Error::format(location, error))?;
            Normalizer::Replace { pattern, content: fields.require("content")?.string()?.to_owned() }
        }
        "Precompiled" => {
            return Err(node.refuse("a precompiled map of SentencePiece is not modelled; no byte-level BPE needs one"));
        }
        "ByteLevel" => {
            let message = "ByteLevel before the split would have it see other characters; that is not modelled, only \
                           ByteLevel as the last pre-tokenizer";
            return Err(node.refuse(message));
        }
        other => return Err(node.refuse(format!("the normalizer {other:?} is not modelled"))),
    });
    Ok(())
}
