//! Writes what a `tokenizer.json` does to a text besides merging.

use super::super::json::quoted;
use super::{GPT2_REGEX, normalizer as names};
use crate::error::{Error, Result};
use crate::ids::TokenId;
use crate::pipeline::{Behavior, Normalizer, PostProcessor, Splitter, Step, TemplatePart, TemplateToken};

/// One value as it is, none as null, several as the sequence that `key` holds.
fn one_or_sequence(values: &[String], key: &str) -> String {
    match values {
        [] => "null".to_owned(),
        [one] => one.clone(),
        several => format!(r#"{{"type":"Sequence","{key}":[{}]}}"#, several.join(",")),
    }
}

pub(super) fn normalizer(normalizers: &[Normalizer]) -> String {
    let write = |normalizer: &Normalizer| match normalizer {
        Normalizer::Strip { left, right } => format!(r#"{{"type":"Strip","strip_left":{left},"strip_right":{right}}}"#),
        Normalizer::Prepend(content) => format!(r#"{{"type":"Prepend","prepend":{}}}"#, quoted(content)),
        Normalizer::Replace { pattern, content } => {
            let (regex, content) = (quoted(pattern.regex()), quoted(content));
            format!(r#"{{"type":"Replace","pattern":{{"Regex":{regex}}},"content":{content}}}"#)
        }
        plain => {
            let name = names::PLAIN.iter().find(|(_, known)| known == plain).map_or("", |(name, _)| name);
            format!(r#"{{"type":"{name}"}}"#)
        }
    };
    one_or_sequence(&normalizers.iter().map(write).collect::<Vec<_>>(), "normalizers")
}

/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where a space is put before pieces that are then split in other ways than
/// a `ByteLevel` step can.
pub(super) fn pre_tokenizer(steps: &[Step], stages: &[String]) -> Result<String> {
    let (steps, prefix) = match steps.split_last() {
        Some((Step::PrefixSpace, before)) => (before, true),
        _ => (steps, false),
    };
    let use_regex = matches!(stages, [only] if only == GPT2_REGEX);
    let stages = if use_regex { &[] } else { stages };
    if steps.contains(&Step::PrefixSpace) || prefix && !stages.is_empty() {
        let message = "a space before pieces can only be written where GPT-2's split or none comes after it";
        return Err(Error::format("$.pre_tokenizer", message));
    }
    let byte_level = byte_level(prefix, true, use_regex);
    let stages = stages.iter().map(|stage| split(stage, Behavior::Isolated, false));
    let links: Vec<String> = steps.iter().map(step).chain(stages).chain([byte_level]).collect();
    Ok(one_or_sequence(&links, "pretokenizers"))
}

fn byte_level(add_prefix_space: bool, trim_offsets: bool, use_regex: bool) -> String {
    format!(r#"{{"type":"ByteLevel","add_prefix_space":{add_prefix_space},"trim_offsets":{trim_offsets},"#)
        + &format!(r#""use_regex":{use_regex}}}"#)
}

fn step(step: &Step) -> String {
    match step {
        Step::PrefixSpace => String::new(),
        Step::Split { splitter, behavior, invert } => match splitter {
            Splitter::Regex(finder) => split(finder.regex(), *behavior, *invert),
            Splitter::Punctuation => format!(r#"{{"type":"Punctuation","behavior":"{}"}}"#, name(*behavior)),
            Splitter::Words => r#"{"type":"Whitespace"}"#.to_owned(),
            Splitter::Whitespace => r#"{"type":"WhitespaceSplit"}"#.to_owned(),
        },
    }
}

fn split(regex: &str, behavior: Behavior, invert: bool) -> String {
    let (regex, behavior) = (quoted(regex), name(behavior));
    format!(r#"{{"type":"Split","pattern":{{"Regex":{regex}}},"behavior":"{behavior}","invert":{invert}}}"#)
}

fn name(behavior: Behavior) -> &'static str {
    Behavior::NAMES.iter().find(|(_, known)| *known == behavior).map_or("", |(name, _)| name)
}

pub(super) fn post_processor(steps: &[PostProcessor]) -> String {
    if steps.is_empty() {
        return byte_level(true, false, true);
    }
    let write = |step: &PostProcessor| match step {
        PostProcessor::TrimOffsets { add_prefix_space } => byte_level(*add_prefix_space, true, true),
        PostProcessor::Template { single, pair, tokens } => {
            let tokens: Vec<String> = tokens.iter().map(template_token).collect();
            let (single, pair) = (template(single), template(pair));
            format!(r#"{{"type":"TemplateProcessing","single":[{single}],"pair":[{pair}],"#)
                + &format!(r#""special_tokens":{{{}}}}}"#, tokens.join(","))
        }
        PostProcessor::Bert { sep, cls } => {
            format!(r#"{{"type":"BertProcessing","sep":{},"cls":{}}}"#, token(sep), token(cls))
        }
        PostProcessor::Roberta { sep, cls, trim_offsets, add_prefix_space } => {
            format!(r#"{{"type":"RobertaProcessing","sep":{},"cls":{},"#, token(sep), token(cls))
                + &format!(r#""trim_offsets":{trim_offsets},"add_prefix_space":{add_prefix_space}}}"#)
        }
    };
    one_or_sequence(&steps.iter().map(write).collect::<Vec<_>>(), "processors")
}

fn token((text, id): &(String, TokenId)) -> String {
    format!("[{},{id}]", quoted(text))
}

fn template(parts: &[TemplatePart]) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Sequence { second, type_id } => {
            format!(r#"{{"Sequence":{{"id":"{}","type_id":{type_id}}}}}"#, if *second { "B" } else { "A" })
        }
        TemplatePart::Special { name, type_id } => {
            format!(r#"{{"SpecialToken":{{"id":{},"type_id":{type_id}}}}}"#, quoted(name))
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

fn template_token(TemplateToken { name, tokens }: &TemplateToken) -> String {
    let ids: Vec<String> = tokens.iter().map(|(id, _)| id.to_string()).collect();
    let texts: Vec<String> = tokens.iter().map(|(_, text)| quoted(text)).collect();
    let (name, ids, texts) = (quoted(name), ids.join(","), texts.join(","));
    format!(r#"{name}:{{"id":{name},"ids":[{ids}],"tokens":[{texts}]}}"#)
}
