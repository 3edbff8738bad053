//! Splits text into pretokens: by a preset, or by any split regex that can be matched in linear time.
//!
//! A preset is run by a hand-written scanner, anything else by an automaton. Which of the two makes no difference to the
//! pretokens, only to the time they take.

mod blocks;
mod finder;
mod joined;
mod pattern;
mod portable;
mod rules;
mod safe;
mod scan;
mod search;
mod simd;
mod suggest;
mod syntax;
mod walk;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::unicode::{Chunk, utf8_chunks};
pub(crate) use blocks::{N_BYTES as N_ENDS, write_ends};
pub use finder::Finder;
pub(crate) use joined::{Joined, is_short};
use pattern::Pattern;
use rules::{DEEPSEEK_V3, DEEPSEEK_V3_STAGES, Dialect, Preset};
pub use simd::Tier;
#[cfg(target_arch = "x86_64")]
pub(crate) use simd::{write_ends_avx2, write_ends_avx512};

/// Splits text into pretokens: the spans that merges never cross.
///
/// Cheap to clone; immutable and shared between threads. Two are equal if their regexes are.
///
/// A match of the pattern is a pretoken; so is a maximal stretch that no match covers, since text is never dropped. A match
/// of nothing counts as none.
///
/// # Bytes that are not UTF-8
///
/// Each maximal stretch of valid UTF-8 is split as if it were a text of its own, and each maximal run of invalid bytes is
/// one pretoken.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
/// use bytepair_core::pretokenize::Pretokenizer;
///
/// let mut pretokens = Vec::new();
/// let _ = Pretokenizer::new("gpt2")?.split(b"Hello  world", |pretoken| {
///     pretokens.push(pretoken);
///     ControlFlow::<()>::Continue(())
/// });
/// assert_eq!(pretokens, [&b"Hello"[..], b" ", b" world"]);
/// # Ok::<(), bytepair_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Pretokenizer(Arc<Inner>);

struct Inner {
    preset: Option<&'static str>,
    regexes: Vec<String>,
    stages: Vec<Stage>,
}

/// The most stages of a chain: each piece of text goes through all of them, one on the stack of the other.
const MAX_STAGES: usize = 64;

/// The longest pattern, in bytes. It is parsed and checked more than once before its automaton can be too large.
const MAX_PATTERN_BYTES: usize = 1 << 16;

/// How one stage is run.
enum Stage {
    Rules(&'static Preset),
    Pattern(Box<Pattern>),
}

impl Pretokenizer {
    /// From a preset's name, or a split regex; a regex known to be a preset's becomes that preset.
    ///
    /// Regexes are read as tiktoken reads them: `$` is the end of the text, `++` is possessive.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Pattern`](crate::ErrorKind::Pattern) if the regex is malformed, cannot be matched in linear time, has
    /// more than 64 KiB, or needs an automaton of more than 16 MiB. So is a lone word that names no preset: it is far more likely misspelled
    /// than meant to match itself, for which there is `(?:word)`.
    pub fn new(pattern: &str) -> Result<Self> {
        Self::from_stages(&[pattern])
    }

    /// From a chain of splits: each cuts the pieces of the one before, and sees each piece as a text of its own. An empty
    /// chain does not split.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), for any of the stages; and where there are more than 64.
    pub fn from_stages<S: AsRef<str>>(stages: &[S]) -> Result<Self> {
        Self::read(stages, Dialect::Tiktoken)
    }

    /// From the split regexes of a Hugging Face `tokenizer.json`, as its engine reads them. None of them is a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Pattern`](crate::ErrorKind::Pattern) at the first construct that is not known to mean the same to that
    /// engine as it does here, unless the regex is a preset's.
    pub fn from_hugging_face(stages: &[String]) -> Result<Self> {
        Self::read(stages, Dialect::HuggingFace)
    }

    fn read<S: AsRef<str>>(stages: &[S], dialect: Dialect) -> Result<Self> {
        let mut inner = Inner { preset: None, regexes: Vec::new(), stages: Vec::new() };
        if rules::is_deepseek_v3(stages) {
            inner.push(DEEPSEEK_V3, Dialect::Tiktoken)?;
        } else {
            stages.iter().try_for_each(|stage| inner.push(stage.as_ref(), dialect))?;
        }
        if let [Stage::Rules(preset)] = inner.stages.as_slice() {
            inner.preset = Some(preset.name);
        } else if rules::is_deepseek_v3(&inner.regexes) {
            inner.preset = Some(DEEPSEEK_V3);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// The names of all presets.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        rules::PRESETS.iter().map(|preset| preset.name).chain([DEEPSEEK_V3])
    }

    /// The preset's name, where this is one. Of presets that are the same by different names, a regex has the first.
    pub fn preset(&self) -> Option<&'static str> {
        self.0.preset
    }

    /// The split regex of each stage, in order; a preset has the regex it stands for, as published.
    pub fn stages(&self) -> &[String] {
        &self.0.regexes
    }

    /// The split regex of each stage for a Hugging Face `tokenizer.json`, or `None` if one of them is not known to mean the
    /// same to the engine that will read it.
    pub fn hugging_face_stages(&self) -> Option<Vec<String>> {
        let stages = self.0.stages.iter().zip(&self.0.regexes);
        stages
            .map(|(stage, regex)| match stage {
                Stage::Rules(preset) => preset.hugging_face_regex(),
                Stage::Pattern(_) => portable::check(regex).is_ok().then(|| regex.clone()),
            })
            .collect()
    }

    /// Calls `visit` with each pretoken of `text`, in order. Joined, they are `text`; none is empty. Stops when `visit` says
    /// so, and returns what it said.
    ///
    /// # Complexity
    ///
    /// O(n) for the n bytes of `text`, whatever they are; for a user's pattern the factor depends on the pattern.
    #[inline]
    pub fn split<'t, B>(&self, text: &'t [u8], mut visit: impl FnMut(&'t [u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        self.ends(text, |mut start, ends| {
            for &end in ends {
                visit(text.get(start..end).unwrap_or_default())?;
                start = end;
            }
            ControlFlow::Continue(())
        })
    }

    /// [`split`](Self::split), many pretokens at a time: calls `visit` with where the first of some consecutive pretokens
    /// starts and where each of them ends.
    ///
    /// # Complexity
    ///
    /// As [`split`](Self::split).
    pub fn ends<B>(&self, text: &[u8], mut visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>) -> ControlFlow<B> {
        if let Ok(text) = simdutf8::basic::from_utf8(text) {
            return self.ends_of_text(text, visit);
        }
        let mut at = 0;
        let mut moved = Vec::new();
        for chunk in utf8_chunks(text) {
            match chunk {
                Chunk::Text(text) => {
                    self.ends_of_text(text, |start, ends| {
                        moved.clear();
                        moved.extend(ends.iter().map(|end| at + end));
                        visit(at + start, &moved)
                    })?;
                    at += text.len();
                }
                Chunk::Invalid(bytes) => {
                    visit(at, &[at + bytes.len()])?;
                    at += bytes.len();
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// [`ends`](Self::ends) of a text that is made of several, which end at `text_ends`: each is split as if alone.
    pub(crate) fn ends_of_texts<B>(
        &self,
        joined: &[u8],
        text_ends: &[usize],
        mut visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let [Stage::Rules(preset)] = self.0.stages.as_slice()
            && let Ok(joined) = simdutf8::basic::from_utf8(joined)
            && text_ends.iter().all(|&end| joined.is_char_boundary(end))
        {
            return simd::split(preset.rules, joined, text_ends, visit);
        }
        let mut at = 0;
        let mut moved = Vec::new();
        for &text_end in text_ends {
            self.ends(joined.get(at..text_end).unwrap_or_default(), |start, ends| {
                moved.clear();
                moved.extend(ends.iter().map(|end| at + end));
                visit(at + start, &moved)
            })?;
            at = text_end;
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn ends_of_text<B>(&self, text: &str, mut visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>) -> ControlFlow<B> {
        if let [Stage::Rules(preset)] = self.0.stages.as_slice() {
            return simd::split(preset.rules, text, &[text.len()], visit);
        }
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        let (mut start, mut end, mut ends) = (0, 0, Vec::with_capacity(walk::BATCH));
        split_stages(&self.0.stages, text, &mut |pretoken: &str| {
            end += pretoken.len();
            ends.push(end);
            if ends.len() < walk::BATCH {
                return ControlFlow::Continue(());
            }
            let visited = visit(start, &ends);
            ends.clear();
            start = end;
            visited
        })?;
        if ends.is_empty() { ControlFlow::Continue(()) } else { visit(start, &ends) }
    }

    /// [`split`](Self::split), telling of each pretoken whether the pattern matched it, or it is a stretch that no
    /// match covers. Presets match every text; of a chain, every pretoken counts as matched.
    ///
    /// # Complexity
    ///
    /// As [`split`](Self::split).
    pub fn split_marked<'t, B>(
        &self,
        text: &'t str,
        mut visit: impl FnMut(&'t str, bool) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self.0.stages.as_slice() {
            _ if text.is_empty() => ControlFlow::Continue(()),
            [Stage::Pattern(pattern)] => pattern.split(text, &mut visit),
            [stage] => stage.split(text, &mut |pretoken| visit(pretoken, true)),
            stages => split_stages(stages, text, &mut |pretoken| visit(pretoken, true)),
        }
    }
}

impl Inner {
    /// Adds the stage that `pattern` means, or the stages.
    fn push(&mut self, pattern: &str, dialect: Dialect) -> Result<()> {
        if self.stages.len() == MAX_STAGES {
            return Err(Error::pattern(0, format!("a split of more than {MAX_STAGES} stages; join some by |")));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            let message = format!("a pattern of {} bytes; the most is {MAX_PATTERN_BYTES}", pattern.len());
            return Err(Error::pattern(MAX_PATTERN_BYTES, message));
        }
        let named = if dialect == Dialect::Tiktoken { rules::by_name(pattern) } else { None };
        if let Some(preset) = named.or_else(|| rules::by_regex(pattern, dialect)) {
            self.regexes.push(preset.regex());
            self.stages.push(Stage::Rules(preset));
            return Ok(());
        }
        let mut regex = pattern.to_owned();
        match dialect {
            Dialect::Tiktoken if pattern == DEEPSEEK_V3 => {
                return DEEPSEEK_V3_STAGES.iter().try_for_each(|stage| self.push(stage, dialect));
            }
            Dialect::Tiktoken if pattern.is_empty() => {
                return Err(Error::pattern(0, "an empty pattern splits nothing; give no stages to leave text whole"));
            }
            Dialect::Tiktoken if suggest::looks_like_a_name(pattern) => {
                return Err(Error::pattern(0, suggest::unknown_preset(pattern)));
            }
            Dialect::Tiktoken => {}
            Dialect::HuggingFace => {
                portable::check(pattern)?;
                // What is printed must read back as a regex.
                if suggest::looks_like_a_name(pattern) {
                    regex = format!("(?:{pattern})");
                }
            }
        }
        self.stages.push(Stage::Pattern(Box::new(Pattern::new(&regex)?)));
        self.regexes.push(regex);
        Ok(())
    }
}

impl Stage {
    fn split<'t, B>(
        &self,
        text: &'t str,
        visit: &mut (impl FnMut(&'t str) -> ControlFlow<B> + ?Sized),
    ) -> ControlFlow<B> {
        match self {
            Self::Rules(preset) => scan::split(preset.rules, text, visit),
            Self::Pattern(pattern) => pattern.split(text, &mut |pretoken, _| visit(pretoken)),
        }
    }
}

/// Splits by a chain of stages. Behind `dyn`, as each stage's closure holds the next.
fn split_stages<'t, B>(
    stages: &[Stage],
    text: &'t str,
    visit: &mut dyn FnMut(&'t str) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match stages {
        [] => visit(text),
        [last] => last.split(text, visit),
        [first, rest @ ..] => first.split(text, &mut |piece: &'t str| split_stages(rest, piece, visit)),
    }
}

impl fmt::Debug for Pretokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pretokenizer").field("preset", &self.0.preset).field("stages", &self.0.regexes).finish()
    }
}

impl PartialEq for Pretokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.0.regexes == other.0.regexes
    }
}

impl Eq for Pretokenizer {}

impl Hash for Pretokenizer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.regexes.hash(state);
    }
}
