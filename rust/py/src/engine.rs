//! Building a tokenizer: from parts, from files, from the vocabularies that come with the package.

use std::sync::Arc;

use bytepair_core::formats::{self, Format, compact, gguf, gpt2, hugging_face, tekken, tiktoken};
use bytepair_core::vocab::missing;
use bytepair_core::{AddedToken, Definition, MergeRule, Pipeline, Result, TokenId, Tokenizer, builtin};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert;
use crate::errors::run;

/// A tokenizer that is checked and ready, but has no Python class yet: what `Tokenizer.__new__` takes.
#[pyclass(frozen, module = "bytepair._core")]
pub(crate) struct Engine(pub(crate) Arc<Tokenizer>);

/// Any amount above the threshold: building a vocabulary always takes longer than releasing the GIL.
pub(crate) const LONG: usize = usize::MAX;

fn build(py: Python<'_>, define: impl FnOnce() -> Result<Definition> + Send) -> PyResult<Engine> {
    run(py, LONG, || Ok(Engine(Arc::new(Tokenizer::new(define()?)?))))
}

#[pymethods]
impl Engine {
    /// The names of the vocabularies that come with the package.
    #[staticmethod]
    fn builtin_names() -> Vec<&'static str> {
        builtin::names().collect()
    }

    /// A vocabulary that comes with the package, or None.
    #[staticmethod]
    fn builtin(py: Python<'_>, name: &str) -> PyResult<Option<Self>> {
        run(py, LONG, || Ok(builtin::tokenizer(name)?.map(|tokenizer| Self(Arc::new(tokenizer)))))
    }

    /// From the canonical form.
    #[staticmethod]
    fn from_form(py: Python<'_>, form: &[u8]) -> PyResult<Self> {
        build(py, || compact::read(form))
    }

    /// From `(id, bytes)` tokens and `(left, right)` merges of token bytes.
    #[staticmethod]
    fn from_vocab(
        py: Python<'_>,
        tokens: Vec<(Bound<'_, PyAny>, Vec<u8>)>,
        merges: Vec<(Vec<u8>, Vec<u8>)>,
        pattern: &Bound<'_, PyAny>,
        special_tokens: Vec<convert::Special<'_>>,
    ) -> PyResult<Self> {
        let pretokenizer = convert::pattern(pattern)?;
        let special_tokens = convert::special_tokens(special_tokens)?;
        let checked = |(given, bytes): (Bound<'_, PyAny>, Vec<u8>)| match convert::token_id(&given)? {
            Some(id) => Ok((id, bytes)),
            None => Err(PyValueError::new_err(format!("token id {given} is not in 0..2**24"))),
        };
        let tokens: Vec<(TokenId, Vec<u8>)> = tokens.into_iter().map(checked).collect::<PyResult<_>>()?;
        build(py, || {
            missing::require_every_byte(&tokens)?;
            let merges = MergeRule::from_token_bytes(&tokens, &merges)?;
            let added_tokens = AddedToken::number(&special_tokens, &tokens)?;
            Ok(Definition {
                name: None,
                pretokenizer,
                tokens,
                merges,
                whole_pretokens: false,
                added_tokens,
                pipeline: Pipeline::default(),
            })
        })
    }

    /// From a rank file.
    #[staticmethod]
    fn from_tiktoken(
        py: Python<'_>,
        data: &[u8],
        pattern: &Bound<'_, PyAny>,
        special_tokens: Vec<convert::Special<'_>>,
    ) -> PyResult<Self> {
        let pretokenizer = convert::pattern(pattern)?;
        let special_tokens = convert::special_tokens(special_tokens)?;
        build(py, || {
            let tokens = tiktoken::parse(data)?;
            let added_tokens = AddedToken::number(&special_tokens, &tokens)?;
            let merges = MergeRule::ByRank;
            Ok(Definition {
                name: None,
                pretokenizer,
                tokens,
                merges,
                whole_pretokens: true,
                added_tokens,
                pipeline: Pipeline::default(),
            })
        })
    }

    /// From the texts of `vocab.json` and `merges.txt`, with `special_tokens_map.json` where there is one.
    #[staticmethod]
    fn from_gpt2(
        py: Python<'_>,
        vocab: &[u8],
        merges: &[u8],
        special_tokens_map: Option<&[u8]>,
        special_tokens: Vec<String>,
        pattern: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let pretokenizer = convert::pattern(pattern)?;
        build(py, || gpt2::read(vocab, merges, special_tokens_map, &special_tokens, pretokenizer))
    }

    /// From the text of a `tokenizer.json`.
    #[staticmethod]
    fn from_huggingface(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        build(py, || hugging_face::read(data))
    }

    /// From the fields of a GGUF file's header.
    #[staticmethod]
    fn from_gguf(
        py: Python<'_>,
        model: &str,
        pre: Option<&str>,
        tokens: Vec<String>,
        types: Vec<i64>,
        merges: Vec<String>,
    ) -> PyResult<Self> {
        let header = gguf::Header { model, pre, tokens: &tokens, types: &types, merges: &merges };
        build(py, || gguf::read(&header))
    }

    /// From the text of a `tekken.json`.
    #[staticmethod]
    fn from_tekken(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        build(py, || tekken::read(data))
    }
}

/// Which kind of tokenizer file this is, by its content.
#[pyfunction]
pub(crate) fn sniff(data: &[u8]) -> Option<&'static str> {
    formats::sniff(data).map(|format| match format {
        Format::HuggingFace => "tokenizer.json",
        Format::Tekken => "tekken.json",
        Format::Tiktoken => "tiktoken",
        Format::VocabJson => "vocab.json",
    })
}
