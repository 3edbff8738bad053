//! The pipeline in the canonical form: what the form of a tokenizer without one does not have.
//!
//! ```text
//! n (kind parameters)*   normalisers
//! n (kind parameters)*   steps before the split
//! n (kind parameters)*   post-processors
//! ```

use super::compact::{Reader, Writer};
use crate::error::Result;
use crate::ids::{TokenId, narrow, widen};
use crate::pipeline::{Behavior, Normalizer, Pipeline, PostProcessor, Splitter, Step, TemplatePart, TemplateToken};
use crate::pretokenize::Finder;

pub(super) fn write(pipeline: &Pipeline, writer: &mut Writer) {
    writer.number(pipeline.normalizers.len());
    pipeline.normalizers.iter().for_each(|normalizer| write_normalizer(normalizer, writer));
    writer.number(pipeline.steps.len());
    pipeline.steps.iter().for_each(|step| write_step(step, writer));
    writer.number(pipeline.post_processors.len());
    pipeline.post_processors.iter().for_each(|step| write_post_processor(step, writer));
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Pipeline> {
    Ok(Pipeline {
        normalizers: (0..reader.count()?).map(|_| read_normalizer(reader)).collect::<Result<_>>()?,
        steps: (0..reader.count()?).map(|_| read_step(reader)).collect::<Result<_>>()?,
        post_processors: (0..reader.count()?).map(|_| read_post_processor(reader)).collect::<Result<_>>()?,
    })
}

/// Those without parameters; the number of each is its place.
const PLAIN: [Normalizer; 7] = [
    Normalizer::Nfc,
    Normalizer::Nfd,
    Normalizer::Nfkc,
    Normalizer::Nfkd,
    Normalizer::Lowercase,
    Normalizer::StripAccents,
    Normalizer::Nmt,
];
const STRIP: usize = 7;
const PREPEND: usize = 8;
const REPLACE: usize = 9;

fn write_normalizer(normalizer: &Normalizer, writer: &mut Writer) {
    match normalizer {
        Normalizer::Strip { left, right } => {
            writer.number(STRIP);
            writer.flags([*left, *right]);
        }
        Normalizer::Prepend(content) => {
            writer.number(PREPEND);
            writer.bytes(content.as_bytes());
        }
        Normalizer::Replace { pattern, content } => {
            writer.number(REPLACE);
            writer.bytes(pattern.regex().as_bytes());
            writer.bytes(content.as_bytes());
        }
        plain => writer.number(PLAIN.iter().position(|known| known == plain).unwrap_or_default()),
    }
}

fn read_normalizer(reader: &mut Reader<'_>) -> Result<Normalizer> {
    Ok(match reader.number()? {
        STRIP => {
            let [left, right] = reader.flags()?;
            Normalizer::Strip { left, right }
        }
        PREPEND => Normalizer::Prepend(reader.text()?),
        REPLACE => Normalizer::Replace { pattern: Finder::new(&reader.text()?)?, content: reader.text()? },
        kind => PLAIN.get(kind).cloned().ok_or_else(|| reader.error("an unknown normalizer"))?,
    })
}

const PREFIX_SPACE: usize = 0;
const SPLIT: usize = 1;
/// The splitters other than regexes; the number of each is its place, and one more is a regex.
const SPLITTERS: [Splitter; 3] = [Splitter::Punctuation, Splitter::Words, Splitter::Whitespace];

fn write_step(step: &Step, writer: &mut Writer) {
    let Step::Split { splitter, behavior, invert } = step else { return writer.number(PREFIX_SPACE) };
    writer.number(SPLIT);
    writer.number(SPLITTERS.iter().position(|known| known == splitter).unwrap_or(SPLITTERS.len()));
    if let Splitter::Regex(finder) = splitter {
        writer.bytes(finder.regex().as_bytes());
    }
    let behavior = Behavior::NAMES.iter().position(|(_, known)| known == behavior);
    writer.number(behavior.unwrap_or_default());
    writer.flags([*invert]);
}

fn read_step(reader: &mut Reader<'_>) -> Result<Step> {
    match reader.number()? {
        PREFIX_SPACE => return Ok(Step::PrefixSpace),
        SPLIT => {}
        _ => return Err(reader.error("an unknown step")),
    }
    let splitter = match reader.number()? {
        kind if kind == SPLITTERS.len() => Splitter::Regex(Finder::new(&reader.text()?)?),
        kind => SPLITTERS.get(kind).cloned().ok_or_else(|| reader.error("an unknown splitter"))?,
    };
    let behavior = Behavior::NAMES.get(reader.number()?).map(|(_, behavior)| *behavior);
    let behavior = behavior.ok_or_else(|| reader.error("an unknown behavior"))?;
    let [invert] = reader.flags()?;
    Ok(Step::Split { splitter, behavior, invert })
}

const TRIM_OFFSETS: usize = 0;
const TEMPLATE: usize = 1;
const BERT: usize = 2;
const ROBERTA: usize = 3;

fn write_post_processor(step: &PostProcessor, writer: &mut Writer) {
    match step {
        PostProcessor::TrimOffsets { add_prefix_space } => {
            writer.number(TRIM_OFFSETS);
            writer.flags([*add_prefix_space]);
        }
        PostProcessor::Template { single, pair, tokens } => {
            writer.number(TEMPLATE);
            write_template(single, writer);
            write_template(pair, writer);
            writer.number(tokens.len());
            for TemplateToken { name, tokens } in tokens {
                writer.bytes(name.as_bytes());
                writer.number(tokens.len());
                tokens.iter().for_each(|(id, text)| write_token((text, *id), writer));
            }
        }
        PostProcessor::Bert { sep, cls } => {
            writer.number(BERT);
            [sep, cls].into_iter().for_each(|(text, id)| write_token((text, *id), writer));
        }
        PostProcessor::Roberta { sep, cls, trim_offsets, add_prefix_space } => {
            writer.number(ROBERTA);
            [sep, cls].into_iter().for_each(|(text, id)| write_token((text, *id), writer));
            writer.flags([*trim_offsets, *add_prefix_space]);
        }
    }
}

fn write_token((text, id): (&str, TokenId), writer: &mut Writer) {
    writer.number(id.index());
    writer.bytes(text.as_bytes());
}

fn write_template(template: &[TemplatePart], writer: &mut Writer) {
    writer.number(template.len());
    for part in template {
        let (kind, type_id) = match part {
            TemplatePart::Sequence { second, type_id } => (usize::from(*second), *type_id),
            TemplatePart::Special { type_id, .. } => (2, *type_id),
        };
        writer.number(kind);
        if let TemplatePart::Special { name, .. } = part {
            writer.bytes(name.as_bytes());
        }
        writer.number(widen(type_id));
    }
}

fn read_post_processor(reader: &mut Reader<'_>) -> Result<PostProcessor> {
    match reader.number()? {
        TRIM_OFFSETS => {
            let [add_prefix_space] = reader.flags()?;
            Ok(PostProcessor::TrimOffsets { add_prefix_space })
        }
        TEMPLATE => {
            let (single, pair) = (read_template(reader)?, read_template(reader)?);
            let token = |reader: &mut Reader<'_>| {
                let name = reader.text()?;
                let tokens = (0..reader.count()?).map(|_| Ok((reader.id()?, reader.text()?))).collect::<Result<_>>()?;
                Ok(TemplateToken { name, tokens })
            };
            let tokens = (0..reader.count()?).map(|_| token(reader)).collect::<Result<_>>()?;
            Ok(PostProcessor::Template { single, pair, tokens })
        }
        kind @ (BERT | ROBERTA) => {
            let mut token = || {
                let id = reader.id()?;
                Ok((reader.text()?, id))
            };
            let (sep, cls) = (token()?, token()?);
            if kind == BERT {
                return Ok(PostProcessor::Bert { sep, cls });
            }
            let [trim_offsets, add_prefix_space] = reader.flags()?;
            Ok(PostProcessor::Roberta { sep, cls, trim_offsets, add_prefix_space })
        }
        _ => Err(reader.error("an unknown post-processor")),
    }
}

fn read_template(reader: &mut Reader<'_>) -> Result<Vec<TemplatePart>> {
    let part = |reader: &mut Reader<'_>| {
        let kind = reader.number()?;
        let name = if kind == 2 { Some(reader.text()?) } else { None };
        let type_id = narrow(reader.number()?).ok_or_else(|| reader.error("a type id is too large"))?;
        match (kind, name) {
            (_, Some(name)) => Ok(TemplatePart::Special { name, type_id }),
            (0 | 1, None) => Ok(TemplatePart::Sequence { second: kind == 1, type_id }),
            _ => Err(reader.error("an unknown part of a template")),
        }
    };
    (0..reader.count()?).map(|_| part(reader)).collect()
}
