//! What the drop-in for Hugging Face's `tokenizers` needs of a tokenizer.

use bytepair_core::formats::byte_alphabet;
use bytepair_core::pipeline::Encoding;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::run_interruptible;
use crate::tokenizer::PyTokenizer;

/// An encoding as Python sees it: ids, type ids, tokens, offsets, words, and whether each was added.
type Columns = (Vec<u32>, Vec<u32>, Vec<String>, Vec<(usize, usize)>, Vec<Option<u32>>, Vec<bool>);

fn columns(encoding: Encoding) -> Columns {
    let Encoding { ids, type_ids, tokens, offsets, words, is_special } = encoding;
    (ids, type_ids, tokens, offsets, words, is_special)
}

#[pymethods]
impl PyTokenizer {
    /// What Hugging Face's `encode` gives of a text, as columns.
    fn _encode_in_full(&self, text: &Bound<'_, PyString>, add_special_tokens: bool) -> PyResult<Columns> {
        let py = text.py();
        let text = text.to_str()?;
        let encoding = run_interruptible(py, text.len(), |interrupt| {
            self.tokenizer.encode_in_full(&mut self.pool.lend(), text, add_special_tokens, interrupt)
        })?;
        Ok(columns(encoding))
    }

    /// What Hugging Face's `encode_batch_fast` gives of a text whose ids are known: the ids, and nothing about the text.
    fn _finish_ids(&self, ids: Vec<u32>, add_special_tokens: bool) -> Columns {
        let mut encoding = Encoding::default();
        for id in ids {
            encoding.push(id, String::new(), (0, 0), None);
        }
        columns(encoding.finished(self.tokenizer.pipeline(), add_special_tokens))
    }

    /// How many tokens the post-processors add to a text, or to a pair.
    fn _n_added(&self, is_pair: bool) -> usize {
        self.tokenizer.pipeline().post_processors.iter().map(|step| step.n_added(is_pair)).sum()
    }

    /// Whether ids are those of consecutive parts of the text.
    #[getter]
    fn _keeps_text(&self) -> bool {
        self.tokenizer.keeps_text()
    }
}

/// Bytes in the byte alphabet of a `tokenizer.json`.
#[pyfunction]
pub(crate) fn spell(token: &[u8]) -> String {
    byte_alphabet::encode(token)
}

/// The bytes that a text in the byte alphabet stands for; None where a character is not in it.
#[pyfunction]
pub(crate) fn unspell(text: &str) -> Option<Vec<u8>> {
    byte_alphabet::decode(text).ok()
}
