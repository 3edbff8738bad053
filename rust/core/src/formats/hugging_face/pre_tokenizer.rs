//! The `pre_tokenizer` of a `tokenizer.json`: a chain of splits that ends in `ByteLevel`.

use super::super::node::{Fields, Node};
use super::GPT2_REGEX;
use crate::error::{Error, Result};
use crate::pretokenize::Pretokenizer;

/// The most splits in a chain; published files have at most four.
const STAGES: usize = 64;

/// One split, and where the file states it.
struct Stage {
    regex: String,
    location: String,
    /// Whether the file drops what the regex does not match. Then the regex must match everything.
    drops_gaps: bool,
}

/// Reads a `pre_tokenizer`.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the step that is not modelled, or whose regex is not.
pub(super) fn read(node: &Node<'_, '_>) -> Result<Pretokenizer> {
    if node.is_null() {
        let message = "without a ByteLevel pre-tokenizer the model sees characters, not bytes; that is not modelled";
        return Err(node.refuse(message));
    }
    let mut stages = Vec::new();
    let fields = node.fields()?;
    if fields.require("type")?.string()? != "Sequence" {
        read_byte_level(node, &mut stages)?;
        return build(stages);
    }
    fields.only(&["type", "pretokenizers"])?;
    let list = fields.require("pretokenizers")?;
    let mut steps = list.items()?;
    if steps.len() > STAGES {
        return Err(list.refuse(format!("{} steps are more than the limit of {STAGES}", steps.len())));
    }
    let last = steps.len().saturating_sub(1);
    for step in steps.by_ref().take(last) {
        read_split(&step, &mut stages)?;
    }
    match steps.next() {
        Some(step) => read_byte_level(&step, &mut stages)?,
        None => return Err(list.refuse("without a ByteLevel pre-tokenizer the model sees characters, not bytes")),
    }
    build(stages)
}

fn read_byte_level(step: &Node<'_, '_>, stages: &mut Vec<Stage>) -> Result<()> {
    let fields = step.fields()?;
    let kind = fields.require("type")?.string()?;
    if kind != "ByteLevel" {
        let message =
            format!("the last step must be ByteLevel, not {kind:?}: else the model sees characters, not bytes");
        return Err(step.refuse(message));
    }
    fields.only(&["type", "add_prefix_space", "trim_offsets", "use_regex"])?;
    let prefix = fields.require("add_prefix_space")?;
    if prefix.boolean()? {
        return Err(prefix.refuse("not modelled: it would put a space before the text; must be false"));
    }
    fields.require("trim_offsets")?.boolean()?;
    let use_regex = match fields.get("use_regex") {
        Some(value) => value.boolean()?,
        None => true,
    };
    if use_regex {
        stages.push(Stage { regex: GPT2_REGEX.to_owned(), location: step.location(), drops_gaps: false });
    }
    Ok(())
}

fn read_split(step: &Node<'_, '_>, stages: &mut Vec<Stage>) -> Result<()> {
    let fields = step.fields()?;
    match fields.require("type")?.string()? {
        "Split" => {}
        "ByteLevel" => {
            return Err(step.refuse("ByteLevel must be the last step; splits after it would see other characters"));
        }
        kind => {
            return Err(
                step.refuse(format!("the pre-tokenizer {kind:?} is not modelled yet, only Split and ByteLevel"))
            );
        }
    }
    fields.only(&["type", "pattern", "behavior", "invert"])?;
    let (regex, location) = read_pattern(&fields)?;
    let behavior = fields.require("behavior")?;
    let invert = fields.require("invert")?.boolean()?;
    // Isolated keeps matches and what lies between them as pieces, so exchanging the two changes nothing.
    let drops_gaps = match behavior.string()? {
        "Isolated" => false,
        "Removed" if invert => true,
        "Removed" => {
            return Err(behavior.refuse("the text that the pattern matches would be dropped; that is not modelled"));
        }
        other => return Err(behavior.refuse(format!("the behavior {other:?} is not modelled yet, only \"Isolated\""))),
    };
    stages.push(Stage { regex, location, drops_gaps });
    Ok(())
}

fn read_pattern(split: &Fields<'_, '_>) -> Result<(String, String)> {
    let pattern = split.require("pattern")?;
    let fields = pattern.fields()?;
    fields.only(&["Regex", "String"])?;
    match (fields.get("Regex"), fields.get("String")) {
        (Some(regex), None) => Ok((regex.string()?.to_owned(), regex.location())),
        (None, Some(literal)) => Ok((regex_syntax::escape(literal.string()?), literal.location())),
        _ => Err(pattern.refuse("must have exactly one of Regex and String")),
    }
}

fn build(stages: Vec<Stage>) -> Result<Pretokenizer> {
    let alone = |stage: &Stage| Pretokenizer::from_hugging_face(std::slice::from_ref(&stage.regex));
    for stage in stages.iter().filter(|stage| stage.drops_gaps) {
        // The regexes of presets match every text from end to end.
        if alone(stage).map_err(|error| Error::format(&stage.location, error))?.preset().is_none() {
            let message = "text that the pattern does not match would be dropped; \
                           that is modelled only for patterns that are known to match everything";
            return Err(Error::format(&stage.location, message));
        }
    }
    let regexes: Vec<String> = stages.iter().map(|stage| stage.regex.clone()).collect();
    Pretokenizer::from_hugging_face(&regexes).map_err(|error| {
        // The error does not say which stage it is in; a chain may be known as a whole, so they were not tried alone.
        let faulty = stages.iter().find_map(|stage| alone(stage).err().map(|error| (stage.location.as_str(), error)));
        let (location, error) = faulty.unwrap_or(("$.pre_tokenizer", error));
        Error::format(location, error)
    })
}
