//! What a `tokenizer.json` may do to a text besides splitting it: by default nothing.
//!
//! Before the split, normalisers change the text and steps drop some of it or put a space before it; what they leave is
//! split and merged as any text is. After it, a post-processor puts special tokens around the ids and trims offsets.
//! What is here follows Hugging Face's `tokenizers`, quirks included.

mod encoding;
mod normalizer;
mod piece;
mod post_processor;
mod step;

use std::ops::ControlFlow;

pub use encoding::Encoding;
pub use normalizer::Normalizer;
pub use piece::{Piece, Span};
pub use post_processor::{PostProcessor, TemplatePart, TemplateToken};
pub use step::{Behavior, Splitter, Step};

use crate::error::{Error, Result};

/// What is done to a text before the split and after it; by default nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pipeline {
    /// They change the text between added tokens, each what the one before it made.
    pub normalizers: Vec<Normalizer>,
    /// They cut what the normalisers made, each the pieces of the one before it.
    ///
    /// Only splits that a [`Pretokenizer`](crate::pretokenize::Pretokenizer) cannot express are here: those that it can
    /// come after all of these.
    pub steps: Vec<Step>,
    /// What is done to the ids and offsets, in order.
    pub post_processors: Vec<PostProcessor>,
}

impl Pipeline {
    /// The most normalisers, and the most steps: pieces go through all steps, one on the stack of the other.
    pub const MAX_STEPS: usize = 64;

    /// How many times as long as a text all normalisers together may make it.
    pub const MAX_GROWTH: usize = 1 << 12;

    /// Fails where there are too many steps, or normalisers could make a text too long.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Vocabulary`](crate::ErrorKind::Vocabulary).
    pub fn check(&self) -> Result<()> {
        let most = self.normalizers.len().max(self.steps.len()).max(self.post_processors.len());
        if most > Self::MAX_STEPS {
            let message = format!("a pipeline of {most} steps is more than the limit of {}", Self::MAX_STEPS);
            return Err(Error::vocabulary(message));
        }
        let growth = self.normalizers.iter().map(Normalizer::growth).fold(1, usize::saturating_mul);
        if growth > Self::MAX_GROWTH {
            let message =
                format!("the normalizers could make a text {growth} times as long; the limit is {}", Self::MAX_GROWTH);
            return Err(Error::vocabulary(message));
        }
        Ok(())
    }

    /// Whether the pretokens of a text without added tokens, joined, are the text.
    pub fn keeps_text(&self) -> bool {
        self.normalizers.is_empty() && self.steps.is_empty()
    }

    /// Changes a piece as all normalisers do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where what they make does not fit.
    ///
    /// # Complexity
    ///
    /// O(n log m) for n bytes, runs of combining marks being of at most m; the factor depends on the normalisers.
    pub fn normalize(&self, piece: &mut Piece<'_>) -> Result<()> {
        self.normalizers.iter().try_for_each(|normalizer| normalizer.apply(piece))
    }

    /// The normalised form of a text.
    ///
    /// # Errors
    ///
    /// As [`normalize`](Self::normalize).
    pub fn normalized(&self, text: &str) -> Result<String> {
        let mut piece = Piece::new(text);
        self.normalize(&mut piece)?;
        Ok(piece.text().to_owned())
    }

    /// Calls `visit` with what the steps make of a normalised piece, in order. None is empty. Stops when `visit` says so,
    /// and returns what it said.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where a piece with a space before it does not fit; what `visit` fails
    /// with.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes; the factor depends on the steps.
    pub fn pieces<B>(
        &self,
        piece: &Piece<'_>,
        visit: &mut dyn FnMut(&Piece<'_>) -> Result<ControlFlow<B>>,
    ) -> Result<ControlFlow<B>> {
        if piece.text().is_empty() { Ok(ControlFlow::Continue(())) } else { step::run(&self.steps, piece, visit) }
    }
}
