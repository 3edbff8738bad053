//! Post-processors: special tokens around the ids of a text, and offsets without the white space at their ends.

use super::encoding::Encoding;
use crate::ids::TokenId;

/// One change of an encoding, as `tokenizers` does it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PostProcessor {
    /// Takes white space off the offsets.
    TrimOffsets {
        /// Whether a space at the beginning of a text is one that was put there, and stays.
        add_prefix_space: bool,
    },
    /// Puts tokens where a template says.
    Template {
        /// For one text.
        single: Vec<TemplatePart>,
        /// For two; kept, but never used here.
        pair: Vec<TemplatePart>,
        /// The tokens that the templates name.
        tokens: Vec<TemplateToken>,
    },
    /// Puts a token before a text and one after it.
    Bert {
        /// After.
        sep: (String, TokenId),
        /// Before.
        cls: (String, TokenId),
    },
    /// As [`TrimOffsets`](Self::TrimOffsets) where it is to, then as [`Bert`](Self::Bert).
    Roberta {
        /// After.
        sep: (String, TokenId),
        /// Before.
        cls: (String, TokenId),
        /// Whether to take white space off the offsets.
        trim_offsets: bool,
        /// As for [`TrimOffsets`](Self::TrimOffsets).
        add_prefix_space: bool,
    },
}

/// One place of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplatePart {
    /// The text, or of two texts the first or second.
    Sequence {
        /// Whether this is the second.
        second: bool,
        /// The type id of its tokens.
        type_id: u32,
    },
    /// Tokens, by the name of a [`TemplateToken`].
    Special {
        /// The name.
        name: String,
        /// The type id of its tokens.
        type_id: u32,
    },
}

/// What a name in a template stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateToken {
    /// The name.
    pub name: String,
    /// The ids, and the text of each.
    pub tokens: Vec<(TokenId, String)>,
}

impl PostProcessor {
    /// How many tokens it adds to one text, or to two.
    pub fn n_added(&self, is_pair: bool) -> usize {
        match self {
            Self::TrimOffsets { .. } => 0,
            Self::Template { single, pair, tokens } => {
                let parts = if is_pair { pair } else { single };
                parts.iter().filter_map(|part| special(part, tokens)).map(|(token, _)| token.tokens.len()).sum()
            }
            Self::Bert { .. } => 2 + usize::from(is_pair),
            Self::Roberta { .. } => 2 + 2 * usize::from(is_pair),
        }
    }

    /// Whether it adds tokens.
    pub fn adds_tokens(&self) -> bool {
        !matches!(self, Self::TrimOffsets { .. })
    }

    /// Changes the encodings of one text: at first one, then one for each place of a template.
    pub(super) fn apply(&self, mut encodings: Vec<Encoding>, add_special_tokens: bool) -> Vec<Encoding> {
        match self {
            Self::TrimOffsets { add_prefix_space } => {
                encodings.iter_mut().for_each(|encoding| encoding.trim_offsets(*add_prefix_space));
                encodings
            }
            Self::Template { single, tokens, .. } => {
                let text = encodings.into_iter().next().unwrap_or_default();
                let place = |part: &TemplatePart| match part {
                    TemplatePart::Sequence { type_id, .. } => Some(text.clone().of_type(*type_id)),
                    TemplatePart::Special { .. } if !add_special_tokens => None,
                    TemplatePart::Special { .. } => {
                        special(part, tokens).map(|(token, type_id)| Encoding::special(&token.tokens, type_id))
                    }
                };
                single.iter().filter_map(place).collect()
            }
            Self::Bert { sep, cls } if add_special_tokens => surrounded(encodings, cls, sep),
            Self::Bert { .. } => encodings,
            Self::Roberta { sep, cls, trim_offsets, add_prefix_space } => {
                for encoding in &mut encodings {
                    if *trim_offsets {
                        encoding.trim_offsets(*add_prefix_space);
                    }
                    *encoding = std::mem::take(encoding).of_type(0);
                }
                if add_special_tokens { surrounded(encodings, cls, sep) } else { encodings }
            }
        }
    }
}

/// The token that a part of a template names, and its type id.
fn special<'t>(part: &TemplatePart, tokens: &'t [TemplateToken]) -> Option<(&'t TemplateToken, u32)> {
    let TemplatePart::Special { name, type_id } = part else { return None };
    tokens.iter().find(|token| token.name == *name).map(|token| (token, *type_id))
}

fn surrounded(encodings: Vec<Encoding>, cls: &(String, TokenId), sep: &(String, TokenId)) -> Vec<Encoding> {
    let [before, after] = [cls, sep].map(|(text, id)| Encoding::special(&[(*id, text.clone())], 0));
    vec![Encoding::joined([before].into_iter().chain(encodings).chain([after]))]
}
