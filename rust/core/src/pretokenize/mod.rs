//! Splits text into pretokens.

use std::ops::ControlFlow;

use crate::error::Result;

/// Splits text into pretokens: the spans that merges never cross.
///
/// Cheap to clone; immutable and shared between threads.
#[derive(Clone, Debug)]
pub struct Pretokenizer {
    stages: std::sync::Arc<[String]>,
}

impl Pretokenizer {
    /// From a preset's name, or a split regex; a regex known to be a preset's becomes that preset.
    pub fn new(pattern: &str) -> Result<Self> {
        Ok(Self { stages: [pattern.to_owned()].into() })
    }

    /// From a chain of splits: each cuts the pieces of the one before. An empty chain does not split.
    pub fn from_stages<S: AsRef<str>>(stages: &[S]) -> Result<Self> {
        Ok(Self { stages: stages.iter().map(|stage| stage.as_ref().to_owned()).collect() })
    }

    /// The preset's name, where this is one.
    pub fn preset(&self) -> Option<&'static str> {
        None
    }

    /// The split regex of each stage, in order; a preset has the regex it stands for.
    pub fn stages(&self) -> &[String] {
        &self.stages
    }

    /// Calls `visit` with each pretoken of `text`, in order. Joined, they are `text`.
    pub fn split<'t, B>(&self, text: &'t [u8], mut visit: impl FnMut(&'t [u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        if text.is_empty() { ControlFlow::Continue(()) } else { visit(text) }
    }

    /// The last position in `text` where it can be cut with the same pretokens on either side, if one is proven.
    pub fn last_safe_cut(&self, _text: &[u8]) -> Option<usize> {
        None
    }
}
