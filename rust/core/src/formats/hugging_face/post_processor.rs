//! The `post_processor` of a `tokenizer.json`: special tokens around a text, and trimmed offsets.

use super::super::node::{Fields, Node};
use crate::error::Result;
use crate::ids::TokenId;
use crate::pipeline::{Pipeline, PostProcessor, TemplatePart, TemplateToken};

/// Reads a `post_processor`: one, or a sequence of them. Those that do nothing are left out.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming what is not modelled.
pub(super) fn read(node: &Node<'_, '_>) -> Result<Vec<PostProcessor>> {
    let mut steps = Vec::new();
    if !node.is_null() {
        push(node, &mut steps)?;
    }
    Ok(steps)
}

fn push(node: &Node<'_, '_>, steps: &mut Vec<PostProcessor>) -> Result<()> {
    if steps.len() == Pipeline::MAX_STEPS {
        return Err(node.refuse(format!("more than {} post-processors", Pipeline::MAX_STEPS)));
    }
    let fields = node.fields()?;
    let step = match fields.require("type")?.string()? {
        "Sequence" => {
            fields.only(&["type", "processors"])?;
            for item in fields.require("processors")?.items()? {
                push(&item, steps)?;
            }
            return Ok(());
        }
        "ByteLevel" => {
            let [add_prefix_space, trim_offsets] = super::read_byte_level(&fields)?;
            if !trim_offsets {
                return Ok(());
            }
            PostProcessor::TrimOffsets { add_prefix_space }
        }
        "TemplateProcessing" => read_template(&fields)?,
        "BertProcessing" => {
            fields.only(&["type", "sep", "cls"])?;
            PostProcessor::Bert { sep: token(&fields, "sep")?, cls: token(&fields, "cls")? }
        }
        "RobertaProcessing" => {
            fields.only(&["type", "sep", "cls", "trim_offsets", "add_prefix_space"])?;
            PostProcessor::Roberta {
                sep: token(&fields, "sep")?,
                cls: token(&fields, "cls")?,
                trim_offsets: fields.require("trim_offsets")?.boolean()?,
                add_prefix_space: fields.require("add_prefix_space")?.boolean()?,
            }
        }
        other => return Err(node.refuse(format!("the post_processor {other:?} is not modelled"))),
    };
    if step.adds_tokens() && steps.iter().any(PostProcessor::adds_tokens) {
        return Err(node.refuse("a second post_processor that adds tokens is not modelled"));
    }
    steps.push(step);
    Ok(())
}

/// A text and its id, as a list of two.
fn token(fields: &Fields<'_, '_>, key: &str) -> Result<(String, TokenId)> {
    let list = fields.require(key)?;
    let items: Vec<Node<'_, '_>> = list.items()?.collect();
    let [text, id] = items.as_slice() else { return Err(list.refuse("must be a list of a token and its id")) };
    Ok((text.string()?.to_owned(), id.token_id()?))
}

fn read_template(fields: &Fields<'_, '_>) -> Result<PostProcessor> {
    fields.only(&["type", "single", "pair", "special_tokens"])?;
    let mut tokens = Vec::new();
    for (name, node) in fields.require("special_tokens")?.fields()?.iter() {
        let token = node.fields()?;
        token.only(&["id", "ids", "tokens"])?;
        let id = token.require("id")?;
        if id.string()? != name {
            return Err(id.refuse(format!("must be {name:?}, as its key is")));
        }
        let (ids, texts) = (token.require("ids")?, token.require("tokens")?);
        if ids.items()?.len() != texts.items()?.len() {
            return Err(node.refuse("must have as many ids as tokens"));
        }
        let both = ids.items()?.zip(texts.items()?);
        let both = both.map(|(id, text)| Ok((id.token_id()?, text.string()?.to_owned()))).collect::<Result<_>>()?;
        tokens.push(TemplateToken { name: name.to_owned(), tokens: both });
    }
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    let single_node = fields.require("single")?;
    let single = read_parts(&single_node, &tokens, false)?;
    if single.iter().filter(|part| matches!(part, TemplatePart::Sequence { .. })).count() != 1 {
        return Err(single_node.refuse("must hold the text once: else its ids are not those of the text"));
    }
    let pair = read_parts(&fields.require("pair")?, &tokens, true)?;
    Ok(PostProcessor::Template { single, pair, tokens })
}

fn read_parts(list: &Node<'_, '_>, tokens: &[TemplateToken], is_pair: bool) -> Result<Vec<TemplatePart>> {
    let items = list.items()?;
    if items.len() > Pipeline::MAX_STEPS {
        return Err(list.refuse(format!("more than {} parts", Pipeline::MAX_STEPS)));
    }
    let part = |item: Node<'_, '_>| {
        let fields = item.fields()?;
        fields.only(&["Sequence", "SpecialToken"])?;
        match (fields.get("Sequence"), fields.get("SpecialToken")) {
            (Some(sequence), None) => {
                let (id, type_id) = read_part(&sequence)?;
                match id.string()? {
                    "A" => Ok(TemplatePart::Sequence { second: false, type_id }),
                    "B" if is_pair => Ok(TemplatePart::Sequence { second: true, type_id }),
                    "B" => Err(id.refuse("there is no second text where one is encoded")),
                    _ => Err(id.refuse("must be \"A\" or \"B\"")),
                }
            }
            (None, Some(special)) => {
                let (id, type_id) = read_part(&special)?;
                let name = id.string()?.to_owned();
                if !tokens.iter().any(|token| token.name == name) {
                    return Err(id.refuse("is not among special_tokens"));
                }
                Ok(TemplatePart::Special { name, type_id })
            }
            _ => Err(item.refuse("must have exactly one of Sequence and SpecialToken")),
        }
    };
    items.map(part).collect()
}

fn read_part<'q, 'j>(node: &'q Node<'_, 'j>) -> Result<(Node<'q, 'j>, u32)> {
    let fields = node.fields()?;
    fields.only(&["id", "type_id"])?;
    let type_id = fields.require("type_id")?.token_id()?.get();
    Ok((node.field("id")?, type_id))
}
