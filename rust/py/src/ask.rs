//! The methods of a tokenizer that ask for more than ids: offsets, segments, parts that fit, streams.

use bytepair_core::ask::chars;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice, PyString};

use crate::convert::{self, Names, Surrogates};
use crate::engine::Engine;
use crate::errors::{collect, run, run_interruptible, to_python};
use crate::iter::EncodeIterator;
use crate::stream::{DecodeStream, EncodeStream};
use crate::tokenizer::{PyTokenizer, decode_text, python_bytes, threads};

/// Ids, and where each starts.
type WithStarts<'py> = (Bound<'py, PyList>, Vec<usize>);

#[pymethods]
impl PyTokenizer {
    /// Return the token ids of a text, and where each token starts in it.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    /// unit : {"char", "byte"}, default "char"
    ///     Count characters, as indices of a `str` do, or bytes of UTF-8. The characters of bytes are those of their text
    ///     decoded with ``errors="replace"``.
    /// allowed_special, disallowed_special, errors
    ///     As for `encode`.
    ///
    /// Returns
    /// -------
    /// ids : list of int
    /// starts : list of int
    ///     Each token ends where the next starts, the last at the end of the text. In characters, a token that begins
    ///     inside a character has that character's start, so parts of one share it.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     The tokenizer changes the text before it encodes it, so that places in one are none in the other.
    /// SpecialTokenError, UnicodeEncodeError
    ///     As for `encode`.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.encode_with_offsets("hello 🦀 world")
    /// ([31373, 12520, 99, 222, 995], [0, 5, 6, 6, 7])
    /// >>> gpt2.encode_with_offsets("hello 🦀 world", unit="byte")[1]
    /// [0, 5, 8, 9, 10]
    #[pyo3(signature = (text, *, unit="char", allowed_special=None, disallowed_special=None, errors="strict"))]
    fn encode_with_offsets<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        unit: &str,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<WithStarts<'py>> {
        let in_chars = match unit {
            "char" => true,
            "byte" => false,
            other => return Err(PyValueError::new_err(format!("unit must be 'char' or 'byte', not {other:?}"))),
        };
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let disallowed = Names::parse(disallowed_special, "disallowed_special")?;
        let bytes = convert::text(text, Surrogates::parse(errors)?)?;
        let (ids, mut starts) = run_interruptible(text.py(), bytes.len(), |interrupt| {
            let specials = convert::specials(&self.tokenizer, &allowed, &disallowed)?;
            let mut ids = Vec::new();
            let scratch = &mut self.pool.lend();
            let mut starts = self.tokenizer.encode_with_offsets(scratch, &bytes, &specials, interrupt, &mut ids)?;
            if in_chars {
                chars::number(&bytes, &mut starts);
            }
            Ok((ids, starts))
        })?;
        let pairs = if in_chars { convert::joined_pairs(text)? } else { Vec::new() };
        if !pairs.is_empty() {
            starts.iter_mut().for_each(|start| *start = convert::index_of_str(&pairs, *start));
        }
        Ok((self.list(text.py(), &ids)?, starts))
    }

    /// Return the token ids of a text in segments, of which only trusted ones can hold special tokens.
    ///
    /// A chat template is trusted, what a user wrote is not. A special token is found only inside one trusted segment: none
    /// is made of two. All other text is encoded as if joined, so seams change no ids.
    ///
    /// Parameters
    /// ----------
    /// segments : iterable of (str or bytes-like, bool)
    ///     Texts, each with whether it is trusted.
    /// disallowed_special : "all" or iterable of str, default ()
    ///     Special tokens that raise where they occur in an untrusted segment. By default they are plain text there.
    /// errors : {"strict", "replace"}, default "strict"
    ///     As for `encode`.
    ///
    /// Returns
    /// -------
    /// list of int
    ///
    /// Raises
    /// ------
    /// SpecialTokenError, UnicodeEncodeError, TypeError
    ///     As for `encode`, with a note that gives the index of the segment.
    /// ValueError
    ///     The tokenizer changes the text before it encodes it.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.encode_segments([("<|endoftext|>", True), ("hel", False), ("lo <|endoftext|>", False)])
    /// [50256, 31373, 1279, 91, 437, 1659, 5239, 91, 29]
    #[pyo3(signature = (segments, *, disallowed_special=None, errors="strict"))]
    fn encode_segments<'py>(
        &self,
        segments: &Bound<'py, PyAny>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = segments.py();
        let disallowed = Names::parse(disallowed_special, "disallowed_special")?;
        let surrogates = Surrogates::parse(errors)?;
        let pair = |(index, segment): (usize, PyResult<Bound<'py, PyAny>>)| -> PyResult<(Bound<'py, PyAny>, bool)> {
            let segment = segment?;
            let pair = if segment.is_instance_of::<PyString>() { None } else { segment.extract().ok() };
            pair.ok_or_else(|| {
                let kind = convert::type_name(&segment);
                let message = format!("a segment must be a pair of a text and a bool, not {kind}");
                convert::noted(py, PyTypeError::new_err(message), index)
            })
        };
        let parts = collect(segments.try_iter()?.enumerate().map(pair), "the segments")?;
        let texts = parts.iter().enumerate().map(|(index, (text, _))| {
            convert::text(text, surrogates).map_err(|error| convert::noted(py, error, index))
        });
        let texts = collect(texts, "the segments")?;
        let slices = texts.iter().zip(&parts).map(|(text, (_, is_trusted))| Ok((text.as_ref(), *is_trusted)));
        let slices = collect(slices, "the segments")?;
        let n_bytes = slices.iter().map(|(text, _)| text.len()).sum();
        let encoded = run_interruptible(py, n_bytes, |interrupt| {
            let trusted = convert::specials(&self.tokenizer, &Names::All, &Names::NONE)?;
            let untrusted = convert::specials(&self.tokenizer, &Names::NONE, &disallowed)?;
            let mut ids = Vec::new();
            let scratch = &mut self.pool.lend();
            Ok(self
                .tokenizer
                .encode_segments(scratch, &slices, &trusted, &untrusted, interrupt, &mut ids)
                .map(|()| ids))
        })?;
        match encoded {
            Ok(ids) => self.list(py, &ids),
            Err((index, error)) => Err(convert::noted(py, to_python(&error), index)),
        }
    }

    /// Return the token ids of each of many texts, one after the other as they are asked for.
    ///
    /// Texts are taken from `texts` and encoded a batch at a time, some hundred kilobytes at first and some megabytes
    /// later; no more are held.
    ///
    /// Parameters
    /// ----------
    /// texts : iterable of str or bytes-like, or Arrow array of strings
    /// num_threads, allowed_special, disallowed_special, errors
    ///     As for `encode_batch`.
    ///
    /// Returns
    /// -------
    /// iterator of list of int
    ///     In the order of the texts. What goes wrong, in a text or in `texts` itself, is raised after the ids of all texts
    ///     before it; then the iterator is at its end.
    ///
    /// Raises
    /// ------
    /// TypeError
    ///     `texts` is a single text, or nothing to iterate over.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> for ids in gpt2.encode_iter(line for line in ["hello", " world"]):
    /// ...     print(ids)
    /// [31373]
    /// [995]
    #[pyo3(signature = (texts, *, num_threads=None, allowed_special=None, disallowed_special=None, errors="strict"))]
    fn encode_iter(
        slf: &Bound<'_, Self>,
        texts: &Bound<'_, PyAny>,
        num_threads: Option<usize>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        disallowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<EncodeIterator> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let disallowed = Names::parse(disallowed_special, "disallowed_special")?;
        convert::specials(&slf.get().tokenizer, &allowed, &disallowed).map_err(|error| to_python(&error))?;
        let (num_threads, surrogates) = (threads(num_threads)?, Surrogates::parse(errors)?);
        EncodeIterator::new(slf.clone().unbind(), texts, num_threads, allowed, disallowed, surrogates)
    }

    /// Return the text of token ids, and where the text of each starts.
    ///
    /// Parameters
    /// ----------
    /// ids : sequence of int, or one-dimensional integer array
    /// errors : {"replace", "strict"}, default "replace"
    ///     Where the bytes are not UTF-8, put U+FFFD or raise.
    ///
    /// Returns
    /// -------
    /// text : str
    ///     As `decode` gives it.
    /// starts : list of int
    ///     The index of the character of `text` that holds the first byte of each token.
    ///
    /// Raises
    /// ------
    /// TokenIdError
    ///     An id stands for no token.
    /// UnicodeDecodeError
    ///     The bytes are not UTF-8 and `errors` is "strict".
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.decode_with_offsets([31373, 12520, 99, 222, 995])
    /// ('hello 🦀 world', [0, 5, 6, 6, 7])
    #[pyo3(signature = (ids, errors="replace"))]
    fn decode_with_offsets<'py>(
        &self,
        ids: &Bound<'py, PyAny>,
        errors: &str,
    ) -> PyResult<(Bound<'py, PyString>, Vec<usize>)> {
        // Any other way puts more or fewer characters than one.
        Surrogates::parse(errors)?;
        let py = ids.py();
        let ids = convert::ids(ids, self.tokenizer.vocabulary().n_ids(), Vec::new())?;
        let (bytes, starts) = run(py, ids.len() * 4, || {
            let bytes = self.tokenizer.decode(&ids)?;
            let mut starts = self.tokenizer.byte_starts(&ids)?;
            chars::number(&bytes, &mut starts);
            Ok((bytes, starts))
        })?;
        Ok((decode_text(py, &bytes, errors)?, starts))
    }

    /// Return as much of a text as has at most so many tokens.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    /// max_tokens : int
    /// side : {"right", "left"}, default "right"
    ///     Where to cut: "right" keeps the beginning, "left" the end.
    /// allowed_special : "all" or iterable of str, default ()
    ///     Special tokens that count as one token; others are plain text and never raise.
    ///
    /// Returns
    /// -------
    /// str or bytes
    ///     `text` itself if it fits. Else its longest beginning that is made of whole characters, has at most `max_tokens`
    ///     tokens when encoded by itself, and does not go past the character in which the first `max_tokens` tokens of
    ///     `text` end; or its longest end likewise. Mostly its ids are those tokens.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     `side` is neither, or the tokenizer changes the text before it encodes it.
    ///
    /// Notes
    /// -----
    /// O(m) time for m bytes of text that is kept, and the pretoken in which that ends; for `side="left"` and a pattern
    /// that is no preset, all of the text is read.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> gpt2.truncate("one two three four", 2)
    /// 'one two'
    /// >>> gpt2.truncate("one two three four", 2, side="left")
    /// ' three four'
    #[pyo3(signature = (text, max_tokens, *, side="right", allowed_special=None))]
    fn truncate<'py>(
        &self,
        text: &Bound<'py, PyAny>,
        max_tokens: usize,
        side: &str,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let from_right = match side {
            "right" => true,
            "left" => false,
            other => return Err(PyValueError::new_err(format!("side must be 'right' or 'left', not {other:?}"))),
        };
        let py = text.py();
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let bytes = convert::text(text, Surrogates::Replace)?;
        let kept = run_interruptible(py, bytes.len(), |interrupt| {
            let specials = convert::specials(&self.tokenizer, &allowed, &Names::NONE)?;
            let scratch = &mut self.pool.lend();
            Ok(match from_right {
                true => 0..self.tokenizer.truncate_right(scratch, &bytes, max_tokens, &specials, interrupt)?,
                false => self.tokenizer.truncate_left(scratch, &bytes, max_tokens, &specials, interrupt)?..bytes.len(),
            })
        })?;
        if text.is_instance_of::<PyString>() {
            if kept.len() == bytes.len() {
                return Ok(text.clone());
            }
            let pairs = convert::joined_pairs(text)?;
            let [start, end] = [kept.start, kept.end].map(|at| {
                let n_chars = chars::count(bytes.get(..at).unwrap_or_default());
                convert::index_of_str(&pairs, n_chars)
            });
            let [start, end] = [isize::try_from(start)?, isize::try_from(end)?];
            return text.get_item(PySlice::new(py, start, end, 1));
        }
        Ok(python_bytes(py, bytes.get(kept).unwrap_or_default())?.into_any())
    }

    /// Return spans of a text that cover it, each of at most so many tokens.
    ///
    /// Parameters
    /// ----------
    /// text : str or bytes-like
    /// max_tokens : int
    /// overlap : int, default 0
    ///     Each span but the first begins with the end of the one before: the longest that `truncate` would leave of that for
    ///     this many tokens, or nothing where the span would then not go further. It must be less than `max_tokens`.
    /// allowed_special : "all" or iterable of str, default ()
    ///     Special tokens that count as one token; others are plain text and never raise.
    ///
    /// Returns
    /// -------
    /// list of (int, int)
    ///     Where each span starts and ends, in characters as `encode_with_offsets` counts them. Encoded by itself, each has
    ///     at most `max_tokens` tokens. From where it starts, a span is the longest that does not go past the character in
    ///     which ends, of the tokens of the whole text, the `max_tokens`-th to end after the start.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     One character alone has more than `max_tokens` tokens, `overlap` is not less than `max_tokens`, or the
    ///     tokenizer changes the text before it encodes it.
    ///
    /// Notes
    /// -----
    /// O(n) time for n bytes of all spans together.
    ///
    /// Examples
    /// --------
    /// >>> gpt2 = bytepair.Tokenizer.from_pretrained("gpt2")
    /// >>> text = "one two three four five"
    /// >>> [text[start:end] for start, end in gpt2.split(text, 2)]
    /// ['one two', ' three four', ' five']
    /// >>> [text[start:end] for start, end in gpt2.split(text, 3, overlap=1)]
    /// ['one two three', ' three four five']
    #[pyo3(signature = (text, max_tokens, *, overlap=0, allowed_special=None))]
    fn split(
        &self,
        text: &Bound<'_, PyAny>,
        max_tokens: usize,
        overlap: usize,
        allowed_special: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<(usize, usize)>> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        let bytes = convert::text(text, Surrogates::Replace)?;
        let (mut starts, mut ends) = run_interruptible(text.py(), bytes.len(), |interrupt| {
            let specials = convert::specials(&self.tokenizer, &allowed, &Names::NONE)?;
            let spans = self.tokenizer.split(&self.pool, &bytes, max_tokens, overlap, &specials, interrupt)?;
            let (mut starts, mut ends): (Vec<usize>, Vec<usize>) =
                spans.into_iter().map(|span| (span.start, span.end)).unzip();
            chars::number(&bytes, &mut starts);
            chars::number(&bytes, &mut ends);
            Ok((starts, ends))
        })?;
        let pairs = convert::joined_pairs(text)?;
        for at in starts.iter_mut().chain(&mut ends) {
            *at = convert::index_of_str(&pairs, *at);
        }
        Ok(starts.into_iter().zip(ends).collect())
    }

    /// Return a stream that turns token ids into text as they come.
    ///
    /// Parameters
    /// ----------
    /// errors : {"replace", "strict", "ignore", ...}, default "replace"
    ///     As for `decode`.
    ///
    /// Returns
    /// -------
    /// DecodeStream
    ///     With `push`, for one id or many, and `flush`. What they give, joined, is what `decode` gives for all ids.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").decode_stream()
    /// >>> [stream.push(token_id) for token_id in [31373, 12520, 99, 222, 995]] + [stream.flush()]
    /// ['hello', ' ', '', '🦀', ' world', '']
    #[pyo3(signature = (errors="replace"))]
    fn decode_stream(slf: &Bound<'_, Self>, errors: &str) -> DecodeStream {
        DecodeStream::new(slf.clone().unbind(), errors)
    }

    /// Return a stream that gives the token ids of a text that grows.
    ///
    /// Parameters
    /// ----------
    /// allowed_special : "all" or iterable of str, default ()
    ///     Special tokens that are encoded as their ids, also where one comes in parts. Others are plain text.
    /// errors : {"strict", "replace"}, default "strict"
    ///     As for `encode`; it looks at each part by itself.
    ///
    /// Returns
    /// -------
    /// EncodeStream
    ///     With `append`, `rollback`, `ids` and `n_stable`.
    ///
    /// Raises
    /// ------
    /// SpecialTokenError
    ///     A name given is no special token.
    /// ValueError
    ///     The tokenizer changes the text before it encodes it.
    ///
    /// Examples
    /// --------
    /// >>> stream = bytepair.Tokenizer.from_pretrained("gpt2").encode_stream()
    /// >>> stream.append("hello wor")
    /// >>> stream.ids()
    /// [31373, 476]
    /// >>> stream.append("ld")
    /// >>> stream.ids()
    /// [31373, 995]
    #[pyo3(signature = (*, allowed_special=None, errors="strict"))]
    fn encode_stream(
        slf: &Bound<'_, Self>,
        allowed_special: Option<&Bound<'_, PyAny>>,
        errors: &str,
    ) -> PyResult<EncodeStream> {
        let allowed = Names::parse(allowed_special, "allowed_special")?;
        EncodeStream::new(slf.clone().unbind(), &allowed, Surrogates::parse(errors)?)
    }

    /// This tokenizer with more special tokens.
    fn _with_special_tokens(&self, py: Python<'_>, tokens: Vec<convert::Special<'_>>) -> PyResult<Engine> {
        let tokens = convert::special_tokens(tokens)?;
        run(py, usize::MAX, || Ok(Engine(self.tokenizer.with_special_tokens(&tokens)?.into())))
    }
}
