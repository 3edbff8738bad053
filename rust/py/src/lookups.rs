//! What a tokenizer says of itself: its tokens, merges and names, and the texts of its files.

use std::sync::Arc;

use bytepair_core::formats::{gpt2, hugging_face, tiktoken};
use bytepair_core::{Definition, Tokenizer};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::convert::{self, Surrogates};
use crate::engine::Engine;
use crate::errors::{check_room, run, to_python};
use crate::tokenizer::PyTokenizer;

impl PyTokenizer {
    /// What a writer makes of the definition. Its strings grow without asking, so it is asked for them here.
    fn written<T: Send>(
        &self,
        py: Python<'_>,
        write: impl FnOnce(&Definition) -> bytepair_core::Result<T> + Send,
    ) -> PyResult<T> {
        const BYTES_A_TOKEN: usize = 512;
        check_room(self.tokenizer.vocabulary().n_ids() * BYTES_A_TOKEN, "the file")?;
        run(py, usize::MAX, || write(&self.tokenizer.definition()))
    }
}

#[pymethods]
impl PyTokenizer {
    /// Return the id of a token, or None where there is no such token.
    ///
    /// Parameters
    /// ----------
    /// token : str or bytes-like
    ///
    /// Returns
    /// -------
    /// int or None
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.token_to_id(" world"), gpt2.token_to_id("<|endoftext|>"), gpt2.token_to_id("no token")
    /// (995, 50256, None)
    fn token_to_id(&self, token: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
        let bytes = convert::text(token, Surrogates::Strict)?;
        let added = self.tokenizer.added_tokens().get(&bytes).map(|token| token.id);
        Ok(added.or_else(|| self.tokenizer.vocabulary().ordinary_id(&bytes)).map(|id| id.get()))
    }

    /// Return the bytes of one token.
    ///
    /// Parameters
    /// ----------
    /// token_id : int
    ///
    /// Returns
    /// -------
    /// bytes
    ///
    /// Raises
    /// ------
    /// TokenIdError
    ///     The id stands for no token.
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").id_to_bytes(995)
    /// b' world'
    fn id_to_bytes<'py>(&self, py: Python<'py>, token_id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let ids = convert::ids(PyList::new(py, [token_id])?.as_any(), self.tokenizer.vocabulary().n_ids(), Vec::new())?;
        Ok(PyBytes::new(py, &self.tokenizer.decode(&ids).map_err(|error| to_python(&error))?))
    }

    /// Return the bytes of every token by id; None where an id is not assigned.
    ///
    /// Returns
    /// -------
    /// list of bytes or None
    ///
    /// Examples
    /// --------
    /// >>> bytepair.Tokenizer.from_pretrained("gpt2").token_bytes()[:3]
    /// [b'!', b'"', b'#']
    fn token_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let vocabulary = self.tokenizer.vocabulary();
        let tokens = PyList::empty(py);
        let mut next = 0;
        for (id, bytes) in vocabulary.iter() {
            for _ in next..id.index() {
                tokens.append(py.None())?;
            }
            tokens.append(PyBytes::new(py, bytes))?;
            next = id.index() + 1;
        }
        Ok(tokens)
    }

    /// Every token's bytes by id, special tokens included: a new dict of int to bytes.
    #[getter]
    fn vocab<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let vocab = PyDict::new(py);
        for (id, bytes) in self.tokenizer.vocabulary().iter() {
            vocab.set_item(id.get(), PyBytes::new(py, bytes))?;
        }
        Ok(vocab)
    }

    /// The merges in order: a new list of pairs of bytes. Only those that can happen; see DESIGN.md.
    #[getter]
    fn merges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let vocabulary = self.tokenizer.vocabulary();
        let merges = PyList::empty(py);
        for (left, right, _) in self.tokenizer.merges() {
            let bytes = [left, right].map(|id| PyBytes::new(py, vocabulary.token(id.get()).unwrap_or_default()));
            merges.append((&bytes[0], &bytes[1]))?;
        }
        Ok(merges)
    }

    /// Ids of tokens that no merges lead to: they are emitted only for a whole pretoken, or never.
    #[getter]
    fn unreachable_tokens(&self) -> Vec<u32> {
        let ids = self.tokenizer.vocabulary().ordinary().map(|(id, _)| id.get());
        ids.filter(|&id| !self.tokenizer.encoder().is_reachable(id)).collect()
    }

    /// The special tokens and their ids: a new dict of str to int.
    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tokens = PyDict::new(py);
        for token in self.tokenizer.added_tokens().special() {
            tokens.set_item(&token.text, token.id.get())?;
        }
        Ok(tokens)
    }

    /// How many tokens there are, special tokens included.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.tokenizer.vocabulary().n_tokens()
    }

    /// One more than the largest id: the rows that an embedding table needs.
    #[getter]
    fn n_vocab(&self) -> usize {
        self.tokenizer.vocabulary().n_ids()
    }

    /// The name of the vocabulary, where it has one.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.tokenizer.name()
    }

    /// How text is split: a preset's name, a regex, or a tuple of regexes that split one after the other.
    #[getter]
    fn pattern<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::shown_pattern(py, self.tokenizer.pretokenizer())
    }

    /// The SHA-256 of the canonical definition, in hexadecimal: equal for tokenizers that are equal.
    #[getter]
    fn fingerprint(&self, py: Python<'_>) -> PyResult<String> {
        run(py, usize::MAX, || self.tokenizer.fingerprint())
    }

    /// How many merges training can go on from, where it can; and the texts that cut a corpus.
    fn _start(&self, py: Python<'_>) -> PyResult<(usize, Vec<String>)> {
        let start = run(py, usize::MAX, || self.tokenizer.start())?;
        Ok((start.len(), self.tokenizer.added_tokens().tokens().iter().map(|token| token.text.clone()).collect()))
    }

    /// The tokenizer with fewer tokens.
    fn _with_vocab_size(&self, py: Python<'_>, vocab_size: usize) -> PyResult<Engine> {
        run(py, usize::MAX, || Ok(Engine(Arc::new(Tokenizer::new(self.tokenizer.with_vocab_size(vocab_size)?)?))))
    }

    /// The canonical form, from which `Engine.from_form` builds an equal tokenizer.
    fn _form<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let form = run(py, usize::MAX, || self.tokenizer.canonical_form())?;
        Ok(PyBytes::new(py, form))
    }

    /// The text of a `tokenizer.json`.
    fn _to_huggingface(&self, py: Python<'_>) -> PyResult<String> {
        self.written(py, hugging_face::write)
    }

    /// The text of a rank file.
    fn _to_tiktoken(&self, py: Python<'_>) -> PyResult<String> {
        self.written(py, tiktoken::write)
    }

    /// The texts of `vocab.json`, `merges.txt` and, where there are special tokens, `special_tokens_map.json`.
    fn _to_gpt2(&self, py: Python<'_>) -> PyResult<(String, String, Option<String>)> {
        let files = self.written(py, gpt2::write)?;
        Ok((files.vocab, files.merges, files.special_tokens_map))
    }
}
