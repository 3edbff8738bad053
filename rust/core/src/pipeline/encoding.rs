//! What Hugging Face's `encode` gives: ids with tokens, offsets and masks.

use super::Pipeline;
use super::piece::Span;
use crate::ids::TokenId;

/// The ids of a text and what belongs to each.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Encoding {
    /// The ids.
    pub ids: Vec<u32>,
    /// The type id of each.
    pub type_ids: Vec<u32>,
    /// How a file spells each: ordinary tokens in the byte alphabet, added tokens as they stand in the text.
    pub tokens: Vec<String>,
    /// The part of the text that each stands for, in characters.
    pub offsets: Vec<Span>,
    /// The number of the pretoken that each is in; none for those that a post-processor adds.
    pub words: Vec<Option<u32>>,
    /// Whether a post-processor added it.
    pub is_special: Vec<bool>,
}

/// The spelling of a space in the byte alphabet.
const SPACE: char = 'Ġ';

impl Encoding {
    /// Adds a token of the text.
    pub fn push(&mut self, id: u32, token: String, offsets: Span, word: Option<u32>) {
        self.ids.push(id);
        self.type_ids.push(0);
        self.tokens.push(token);
        self.offsets.push(offsets);
        self.words.push(word);
        self.is_special.push(false);
    }

    /// The encoding after all post-processors of a pipeline.
    pub fn finished(self, pipeline: &Pipeline, add_special_tokens: bool) -> Self {
        let post_processors = pipeline.post_processors.iter();
        Self::joined(post_processors.fold(vec![self], |parts, step| step.apply(parts, add_special_tokens)))
    }

    pub(super) fn joined(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut joined = parts.next().unwrap_or_default();
        parts.for_each(|part| joined.append(part));
        joined
    }

    pub(super) fn special(tokens: &[(TokenId, String)], type_id: u32) -> Self {
        let mut encoding = Self::default();
        for (id, token) in tokens {
            encoding.push(id.get(), token.clone(), (0, 0), None);
        }
        encoding.is_special.fill(true);
        encoding.of_type(type_id)
    }

    pub(super) fn of_type(mut self, type_id: u32) -> Self {
        self.type_ids.fill(type_id);
        self
    }

    fn append(&mut self, mut other: Self) {
        self.ids.append(&mut other.ids);
        self.type_ids.append(&mut other.type_ids);
        self.tokens.append(&mut other.tokens);
        self.offsets.append(&mut other.offsets);
        self.words.append(&mut other.words);
        self.is_special.append(&mut other.is_special);
    }

    /// Takes the white space that tokens begin or end with off their offsets.
    ///
    /// A token's white space is counted in its spelling, also where it stands for less of the text: so do `tokenizers`.
    pub(super) fn trim_offsets(&mut self, add_prefix_space: bool) {
        for (index, (token, offsets)) in self.tokens.iter().zip(&mut self.offsets).enumerate() {
            let is_space = |character: &char| *character == SPACE || character.is_whitespace();
            let mut leading = token.chars().take_while(is_space).count();
            let trailing = token.chars().rev().take_while(is_space).count();
            if leading > 0 {
                let is_first = index == 0 || offsets.0 == 0;
                if is_first && add_prefix_space && leading == 1 {
                    leading = 0;
                }
                offsets.0 = (offsets.0 + leading).min(offsets.1);
            }
            if trailing > 0 && offsets.1 >= trailing {
                offsets.1 = (offsets.1 - trailing).max(offsets.0);
            }
        }
    }
}
