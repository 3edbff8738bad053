//! The `pre_tokenizer` of a `tokenizer.json`: a chain of splits that ends in `ByteLevel`.

use super::super::node::Node;
use super::{GPT2_REGEX, read_pattern};
use crate::error::{Error, Result};
use crate::pipeline::{Behavior, Splitter, Step};
use crate::pretokenize::{Finder, Pretokenizer};

/// The most splits in a chain; published files have at most four.
const LINKS: usize = 64;

/// What `Digits` takes for a digit: the numbers of Unicode 17, which are those of 16 and a few more.
const DIGIT: &str = "[\\p{N}\u{11DE0}-\u{11DE9}\u{16FF4}-\u{16FF6}]";

/// One link of the chain, and where the file states it.
struct Link {
    location: String,
    kind: Kind,
}

enum Kind {
    /// Matches and what lies between are pieces: what a [`Pretokenizer`] does.
    Regex(String),
    /// Anything else.
    Step(Step),
}

/// Reads a `pre_tokenizer`: the steps that come first, and the splits after them.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) naming the step that is not modelled, or whose regex is not.
pub(super) fn read(node: &Node<'_, '_>) -> Result<(Vec<Step>, Pretokenizer)> {
    let mut chain = Chain { links: Vec::new(), is_bytes: false };
    if !node.is_null() {
        chain.push(node)?;
    }
    if !chain.is_bytes {
        let message = "without a ByteLevel pre-tokenizer the model sees characters, not bytes; that is not modelled";
        return Err(node.refuse(message));
    }
    build(chain.links)
}

struct Chain {
    links: Vec<Link>,
    /// Whether `ByteLevel` has been: what comes after it would see the byte alphabet.
    is_bytes: bool,
}

impl Chain {
    fn push(&mut self, node: &Node<'_, '_>) -> Result<()> {
        let fields = node.fields()?;
        let kind = fields.require("type")?.string()?;
        if kind == "Sequence" {
            fields.only(&["type", "pretokenizers"])?;
            return fields.require("pretokenizers")?.items()?.try_for_each(|item| self.push(&item));
        }
        if self.is_bytes {
            return Err(node.refuse("ByteLevel must be the last step; what comes after it would see other characters"));
        }
        if self.links.len() >= LINKS {
            return Err(node.refuse(format!("more than {LINKS} steps")));
        }
        let location = node.location();
        let mut add = |kind| self.links.push(Link { location: location.clone(), kind });
        let split = |splitter, behavior, invert| Kind::Step(Step::Split { splitter, behavior, invert });
        match kind {
            "ByteLevel" => {
                let [add_prefix_space, _] = super::read_byte_level(&fields)?;
                let use_regex = fields.get("use_regex").map_or(Ok(true), |value| value.boolean())?;
                if add_prefix_space {
                    add(Kind::Step(Step::PrefixSpace));
                }
                if use_regex {
                    add(Kind::Regex(GPT2_REGEX.to_owned()));
                }
                self.is_bytes = true;
            }
            "Split" => self.push_split(node)?,
            "Digits" => {
                fields.only(&["type", "individual_digits"])?;
                let each = fields.require("individual_digits")?.boolean()?;
                add(Kind::Regex(if each { DIGIT.to_owned() } else { format!("{DIGIT}+") }));
            }
            "Punctuation" => {
                fields.only(&["type", "behavior"])?;
                let behavior = fields.get("behavior").map_or(Ok(Behavior::Isolated), |node| read_behavior(&node))?;
                add(split(Splitter::Punctuation, behavior, false));
            }
            "Whitespace" => {
                fields.only(&["type"])?;
                add(split(Splitter::Words, Behavior::Removed, true));
            }
            "WhitespaceSplit" => {
                fields.only(&["type"])?;
                add(split(Splitter::Whitespace, Behavior::Removed, false));
            }
            "BertPreTokenizer" => {
                fields.only(&["type"])?;
                add(split(Splitter::Whitespace, Behavior::Removed, false));
                add(split(Splitter::Punctuation, Behavior::Isolated, false));
            }
            "Metaspace" => {
                let message = "Metaspace before ByteLevel is not modelled: its marks would be three bytes each";
                return Err(node.refuse(message));
            }
            other => return Err(node.refuse(format!("the pre-tokenizer {other:?} is not modelled"))),
        }
        Ok(())
    }

    fn push_split(&mut self, node: &Node<'_, '_>) -> Result<()> {
        let fields = node.fields()?;
        fields.only(&["type", "pattern", "behavior", "invert"])?;
        let (regex, location) = read_pattern(&fields)?;
        let behavior = read_behavior(&fields.require("behavior")?)?;
        let invert = fields.require("invert")?.boolean()?;
        // Isolated keeps matches and what lies between them as pieces, so exchanging the two changes nothing; and the
        // regexes of presets match every text from end to end, so that there is nothing between.
        let is_plain = match behavior {
            Behavior::Isolated => true,
            Behavior::Removed => {
                invert
                    && Pretokenizer::from_hugging_face(std::slice::from_ref(&regex))
                        .is_ok_and(|split| split.preset().is_some())
            }
            _ => false,
        };
        let kind = if is_plain {
            Kind::Regex(regex)
        } else {
            Kind::Step(Step::Split { splitter: Splitter::Regex(finder(&regex, &location)?), behavior, invert })
        };
        self.links.push(Link { location, kind });
        Ok(())
    }
}

fn finder(regex: &str, location: &str) -> Result<Finder> {
    Finder::from_hugging_face(regex).map_err(|error| Error::format(location, error))
}

fn read_behavior(node: &Node<'_, '_>) -> Result<Behavior> {
    let name = node.string()?;
    let known = Behavior::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, behavior)| *behavior).ok_or_else(|| node.refuse(format!("the behavior {name:?} is not known")))
}

fn build(mut links: Vec<Link>) -> Result<(Vec<Step>, Pretokenizer)> {
    let n_steps = links.iter().rposition(|link| matches!(link.kind, Kind::Step(_))).map_or(0, |last| last + 1);
    let splits = links.split_off(n_steps);
    let isolated = |regex: String, location: &str| {
        let splitter = Splitter::Regex(finder(&regex, location)?);
        Ok(Step::Split { splitter, behavior: Behavior::Isolated, invert: false })
    };
    let step = |Link { location, kind }| match kind {
        Kind::Regex(regex) => isolated(regex, &location),
        Kind::Step(step) => Ok(step),
    };
    let steps = links.into_iter().map(step).collect::<Result<_>>()?;
    let regexes: Vec<String> = splits.iter().map(|link| regex_of(&link.kind)).collect();
    let pretokenizer = Pretokenizer::from_hugging_face(&regexes).map_err(|error| {
        // The error does not say which stage it is in; a chain may be known as a whole, so they were not tried alone.
        let alone = |link: &Link| Pretokenizer::from_hugging_face(&[regex_of(&link.kind)]).err();
        let faulty = splits.iter().find_map(|link| alone(link).map(|error| (link.location.as_str(), error)));
        let (location, error) = faulty.unwrap_or(("$.pre_tokenizer", error));
        Error::format(location, error)
    })?;
    Ok((steps, pretokenizer))
}

fn regex_of(kind: &Kind) -> String {
    if let Kind::Regex(regex) = kind { regex.clone() } else { String::new() }
}
