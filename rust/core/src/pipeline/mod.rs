//! What a `tokenizer.json` may do to a text besides splitting it: by default nothing.

/// What is done to a text before the split and after it; by default nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pipeline {}

impl Pipeline {
    /// Whether the pretokens of a text, joined, are the text.
    pub fn keeps_text(&self) -> bool {
        true
    }
}
