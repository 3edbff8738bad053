//! What `bytepair.tiktoken` runs on. Arguments are taken by type, so that PyO3 refuses them in the words that tiktoken's
//! users know.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::vocab::Specials;
use bytepair_core::vocab::special::LiteralMatcher;
use bytepair_core::{
    AddedToken, Allowed, Definition, Interrupt, Matching, MergeRule, OpenEnd, Pipeline, Scratch, SortedTokens, Text,
    TokenId, Tokenizer, builtin, keep_ids,
};
use pyo3::exceptions::{PyKeyError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::arrays::Dtype;
use crate::convert::{self, Surrogates};
use crate::engine::{Engine, LONG};
use crate::errors::{collect, guarded, run, run_interruptible, to_python};
use crate::tokenizer::{PyTokenizer, threads};

/// A tokenizer with tiktoken's methods: text that the pattern skips is left out, with a warning.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct TiktokenCore {
    inner: PyTokenizer,
    /// Whether the pattern is known to match every text.
    matches_all: bool,
    sorted: OnceLock<SortedTokens>,
}

type Ids<'py> = Bound<'py, PyList>;
type Completions<'py> = (Ids<'py>, Vec<Ids<'py>>);

fn token_id(id: u32) -> PyResult<TokenId> {
    TokenId::new(id).ok_or_else(|| PyValueError::new_err(format!("token id {id} is not in 0..2**24")))
}

/// The special tokens of a dict, in its order.
fn special_tokens(tokens: &Bound<'_, PyDict>) -> PyResult<Vec<AddedToken>> {
    let special = |(text, id): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let (text, id) = (text.extract::<String>()?, token_id(id.extract::<u32>()?)?);
        Ok(AddedToken { text, id, special: true, matching: Matching::default() })
    };
    tokens.iter().map(special).collect()
}

/// Special tokens of which several may have one id, or that of an ordinary token, which `is_other` tells: those with an id of
/// their own, and the others.
fn aliases_apart(
    special_tokens: Vec<AddedToken>,
    is_other: impl Fn(&AddedToken) -> bool,
) -> (Vec<AddedToken>, Vec<AddedToken>) {
    let mut seen = HashSet::new();
    special_tokens.into_iter().partition(|token| !is_other(token) && seen.insert(token.id))
}

fn with_aliases(tokenizer: Tokenizer, aliases: Vec<AddedToken>) -> bytepair_core::Result<Tokenizer> {
    if aliases.is_empty() { Ok(tokenizer) } else { tokenizer.with_aliases(aliases) }
}

impl TiktokenCore {
    fn from_tokenizer(tokenizer: Tokenizer) -> Self {
        let matches_all = tokenizer.pretokenizer().preset().is_some();
        Self { inner: PyTokenizer::new(&Engine(Arc::new(tokenizer))), matches_all, sorted: OnceLock::new() }
    }

    fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.inner.tokenizer
    }

    /// The tokens by bytes. Sorted outside the cell: a process forked meanwhile would wait in it for ever.
    fn sorted(&self) -> bytepair_core::Result<&SortedTokens> {
        match self.sorted.get() {
            Some(sorted) => Ok(sorted),
            None => {
                let sorted = SortedTokens::new(self.tokenizer())?;
                Ok(self.sorted.get_or_init(|| sorted))
            }
        }
    }

    /// What special tokens do in a text: those `allowed` become ids; names of other texts mean nothing.
    fn specials(&self, allowed: &HashSet<String>, text: Option<&[u8]>) -> bytepair_core::Result<Specials<'_>> {
        let added = self.tokenizer().added_tokens();
        let names: Vec<&str> =
            allowed.iter().map(String::as_str).filter(|name| added.get(name.as_bytes()).is_some()).collect();
        let all = added.specials(Allowed::All, Allowed::None)?;
        // To find all is prepared already; to find some of them is not worth preparing where there are none.
        let is_plain = |text| all.found().is_none_or(|matcher| matcher.literals().find(text).is_none());
        if names.is_empty() || text.is_some_and(is_plain) {
            return added.specials(Allowed::None, Allowed::None);
        }
        added.specials(Allowed::Only(&names), Allowed::None)
    }

    /// Encodes a text and hands the ids, which lie in a buffer of the pool, to `finish`.
    fn encoded<T>(
        &self,
        py: Python<'_>,
        text: &[u8],
        allowed: &HashSet<String>,
        finish: impl FnOnce(&mut Vec<u32>) -> PyResult<T>,
    ) -> PyResult<T> {
        let mut scratch = self.inner.pool.lend();
        let mut ids = scratch.take_ids();
        let end = run_interruptible(py, text.len(), |interrupt| {
            let specials = self.specials(allowed, Some(text))?;
            self.encode_into(&mut scratch, text, &specials, interrupt, &mut ids)
        })?;
        self.warn(py, text, &end)?;
        let finished = guarded(|| finish(&mut ids));
        scratch.give_ids(ids);
        finished
    }

    fn encode_into(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        specials: &Specials<'_>,
        interrupt: &Interrupt<'_>,
        ids: &mut Vec<u32>,
    ) -> bytepair_core::Result<OpenEnd> {
        if self.matches_all {
            self.tokenizer().encode_with(scratch, text, specials, interrupt, ids)?;
            return Ok(OpenEnd::default());
        }
        self.tokenizer().encode_bytes_matched(scratch, text, specials, interrupt, ids)
    }

    /// Warns where the pattern skipped some of a text.
    fn warn(&self, py: Python<'_>, text: &[u8], end: &OpenEnd) -> PyResult<()> {
        let Some(skipped) = end.skipped.clone() else { return Ok(()) };
        let (start, stretch) = (skipped.start, text.get(skipped).unwrap_or_default());
        let shown = String::from_utf8_lossy(stretch.get(..40).unwrap_or(stretch)).into_owned();
        let message = format!(
            "pat_str matches nothing of {shown:?} at byte offset {start}: as in tiktoken it has no tokens, so the text \
             cannot be decoded again; end pat_str in '|(?s:.)' to keep such text"
        );
        let message = std::ffi::CString::new(message)?;
        PyErr::warn(py, py.get_type::<PyUserWarning>().as_any(), &message, 2)
    }

    fn decoded(&self, py: Python<'_>, tokens: &[u32]) -> PyResult<Vec<u8>> {
        let vocabulary = self.tokenizer().vocabulary();
        if let Some(unknown) = tokens.iter().find(|&&id| vocabulary.token(id).is_none()) {
            return Err(PyKeyError::new_err(format!("Invalid token for decoding: {unknown}")));
        }
        run(py, tokens.len() * 4, || self.tokenizer().decode(tokens))
    }
}

#[pymethods]
impl TiktokenCore {
    /// From ranks by token, ids of special tokens, and a regex, which is never a preset's name.
    #[new]
    fn new(ranks: HashMap<Vec<u8>, u32>, special_tokens: &Bound<'_, PyDict>, pattern: &str) -> PyResult<Self> {
        let py = special_tokens.py();
        let special_tokens = self::special_tokens(special_tokens)?;
        let is_word = pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let regex = if is_word && !pattern.is_empty() { format!("(?:{pattern})") } else { pattern.to_owned() };
        let pretokenizer = Pretokenizer::new(&regex).map_err(|error| to_python(&error))?;
        let tokens = ranks.into_iter().map(|(bytes, id)| Ok((token_id(id)?, bytes)));
        let mut tokens = tokens.collect::<PyResult<Vec<(TokenId, Vec<u8>)>>>()?;
        tokens.sort_unstable();
        let definition = Definition {
            name: None,
            pretokenizer,
            tokens,
            merges: MergeRule::ByRank,
            whole_pretokens: true,
            added_tokens: Vec::new(),
            pipeline: Pipeline::default(),
        };
        run(py, LONG, || {
            let ordinary: HashMap<TokenId, &[u8]> =
                definition.tokens.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect();
            let is_other = |token: &AddedToken| ordinary.get(&token.id).is_some_and(|it| *it != token.text.as_bytes());
            let (added_tokens, aliases) = aliases_apart(special_tokens, is_other);
            let tokenizer = Tokenizer::new(Definition { added_tokens, ..definition })?;
            with_aliases(tokenizer, aliases).map(Self::from_tokenizer)
        })
    }

    /// A vocabulary that comes with the package, with these special tokens only; None where there is none of this name.
    #[staticmethod]
    fn builtin(name: &str, special_tokens: &Bound<'_, PyDict>) -> PyResult<Option<Self>> {
        let py = special_tokens.py();
        let special_tokens = self::special_tokens(special_tokens)?;
        run(py, LONG, || {
            // None of those of a published vocabulary has the id of an ordinary token.
            let (special_tokens, aliases) = aliases_apart(special_tokens, |_| false);
            let Some(tokenizer) = builtin::with_special_tokens(name, special_tokens)? else { return Ok(None) };
            with_aliases(tokenizer, aliases).map(|tokenizer| Some(Self::from_tokenizer(tokenizer)))
        })
    }

    /// The largest id.
    #[getter]
    fn max_token_value(&self) -> usize {
        self.tokenizer().vocabulary().n_ids().saturating_sub(1)
    }

    /// The first of `names`, of all special tokens where it is None, that occurs in a text.
    fn first_special(&self, text: &Bound<'_, PyString>, names: Option<HashSet<String>>) -> PyResult<Option<String>> {
        // An empty regex, or one for an empty name, matches anywhere.
        if names.as_ref().is_some_and(|names| names.is_empty() || names.contains("")) {
            return Ok(Some(String::new()));
        }
        let text = convert::text(text, Surrogates::Replace)?;
        let find = |matcher: &LiteralMatcher| matcher.literals().get(matcher.find(&text)?.0).cloned();
        let found = match names {
            None => {
                let all = self.tokenizer().added_tokens().specials(Allowed::All, Allowed::None);
                all.map(|all| all.found().and_then(|matcher| find(matcher.literals())))
            }
            Some(names) => LiteralMatcher::new(names).map(|matcher| find(&matcher)),
        };
        found.map_err(|error| to_python(&error))
    }

    fn encode<'py>(&self, text: &Bound<'py, PyString>, allowed_special: HashSet<String>) -> PyResult<Ids<'py>> {
        let (py, text) = (text.py(), convert::text(text, Surrogates::Replace)?);
        self.encoded(py, &text, &allowed_special, |ids| self.inner.list(py, ids))
    }

    fn encode_to_array<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        allowed_special: HashSet<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.encoded(py, text.as_bytes(), &allowed_special, |ids| Dtype::U32.array(py, ids))
    }

    /// The ids of many texts over some threads.
    fn encode_batch<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<Bound<'py, PyString>>,
        allowed_special: HashSet<String>,
        num_threads: Option<usize>,
    ) -> PyResult<Vec<Ids<'py>>> {
        if !self.matches_all {
            return collect(texts.iter().map(|text| self.encode(text, allowed_special.clone())), "the ids of a batch");
        }
        let texts = collect(texts.iter().map(|text| convert::text(text, Surrogates::Replace)), "the texts of a batch")?;
        let slices = collect(texts.iter().map(|text| Ok(Text::Bytes(text))), "the texts of a batch")?;
        let num_threads = threads(num_threads)?;
        let batch = run_interruptible(py, slices.iter().map(|text| text.len()).sum(), |interrupt| {
            let specials = self.specials(&allowed_special, None)?;
            let batch =
                self.tokenizer().encode_batch_with(&self.inner.pool, &slices, &specials, interrupt, num_threads);
            batch.map_err(|(_, error)| error)
        })?;
        let starts = std::iter::once(0).chain(batch.ends.iter().copied());
        let spans = starts.zip(&batch.ends);
        let list = |(start, &end)| self.inner.list(py, batch.ids.get(start..end).unwrap_or_default());
        let made = guarded(|| collect(spans.map(list), "the ids of a batch"));
        keep_ids(batch.ids);
        made
    }

    fn encode_with_unstable<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        allowed_special: HashSet<String>,
    ) -> PyResult<Completions<'py>> {
        let (ids, completions) = run_interruptible(py, LONG, |interrupt| {
            let specials = self.specials(&allowed_special, Some(text.as_bytes()))?;
            self.tokenizer().encode_with_unstable(
                &mut self.inner.pool.lend(),
                self.sorted()?,
                text,
                &specials,
                interrupt,
            )
        })?;
        let completions = completions.iter().map(|ids| self.inner.list(py, ids)).collect::<PyResult<_>>()?;
        Ok((self.inner.list(py, &ids)?, completions))
    }

    /// The ids of bytes of which no part is split off but what is UTF-8 and certain.
    fn encode_bytes<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Ids<'py>> {
        let mut ids = Vec::new();
        let end = run_interruptible(py, bytes.len(), |interrupt| {
            let specials = self.specials(&HashSet::new(), None)?;
            self.tokenizer().encode_bytes_matched(&mut self.inner.pool.lend(), bytes, &specials, interrupt, &mut ids)
        })?;
        self.warn(py, bytes, &end)?;
        self.inner.list(py, &ids)
    }

    /// The ids of bytes that are not split.
    fn encode_single_piece<'py>(&self, py: Python<'py>, piece: &[u8]) -> PyResult<Ids<'py>> {
        let mut ids = Vec::new();
        run_interruptible(py, piece.len(), |interrupt| {
            self.tokenizer().encode_piece(&mut self.inner.pool.lend(), piece, interrupt, &mut ids)
        })?;
        self.inner.list(py, &ids)
    }

    /// The id of an ordinary or special token.
    fn encode_single_token(&self, py: Python<'_>, piece: &[u8]) -> PyResult<u32> {
        let added = || self.tokenizer().added_tokens().get(piece).map(|token| token.id);
        let id = self.tokenizer().vocabulary().ordinary_id(piece).or_else(added);
        id.map(TokenId::get).ok_or_else(|| PyKeyError::new_err(PyBytes::new(py, piece).unbind()))
    }

    fn decode_bytes<'py>(&self, py: Python<'py>, tokens: Vec<u32>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.decoded(py, &tokens)?))
    }

    fn decode_single_token_bytes<'py>(&self, py: Python<'py>, token: u32) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.tokenizer().vocabulary().token(token);
        bytes.map(|bytes| PyBytes::new(py, bytes)).ok_or_else(|| PyKeyError::new_err(token.to_string()))
    }

    /// The bytes of the ordinary tokens, sorted.
    fn token_byte_values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let vocabulary = self.tokenizer().vocabulary();
        let sorted = run(py, LONG, || self.sorted())?;
        let tokens = sorted.ids().iter().map(|id| vocabulary.token(id.get()).unwrap_or_default());
        PyList::new(py, tokens.map(|bytes| PyBytes::new(py, bytes)).collect::<Vec<_>>())
    }

    /// The ordinary tokens and their ids, by id: a new dict.
    fn ranks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ranks = PyDict::new(py);
        for (id, bytes) in self.tokenizer().vocabulary().ordinary() {
            ranks.set_item(PyBytes::new(py, bytes), id.get())?;
        }
        Ok(ranks)
    }
}
