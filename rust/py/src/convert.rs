//! Arguments from Python: texts, ids, sets of special tokens, patterns.

use std::borrow::Cow;

use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::vocab::Specials;
use bytepair_core::{Allowed, Error, ErrorKind, Text, TokenId, Tokenizer};
use pyo3::buffer::{Element, PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyBufferError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyList, PyString, PyTuple};

use crate::characters;
use crate::errors::{collect, give_way, no_memory, to_python};
use crate::ints;

/// What to do with a lone surrogate, which no UTF-8 can hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surrogates {
    /// Raise `UnicodeEncodeError`.
    Strict,
    /// Join pairs, and put U+FFFD for the rest.
    Replace,
}

impl Surrogates {
    pub(crate) fn parse(errors: &str) -> PyResult<Self> {
        match errors {
            "strict" => Ok(Self::Strict),
            "replace" => Ok(Self::Replace),
            other => Err(PyValueError::new_err(format!("errors must be 'strict' or 'replace', not {}", shown(other)))),
        }
    }
}

/// The bytes of a `str` or bytes-like object, without a copy where Python can lend them. A `str` is not asked for its UTF-8, as it
/// would keep that, and take as much memory again.
pub(crate) fn text<'a>(object: &'a Bound<'_, PyAny>, surrogates: Surrogates) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = object.cast::<PyString>() {
        let characters = characters::of(text)?;
        if let Text::Bytes(ascii) = characters {
            return Ok(Cow::Borrowed(ascii));
        }
        let mut utf8 = Vec::new();
        return match characters.append_to(&mut utf8) {
            Ok(()) => {
                utf8.shrink_to_fit();
                Ok(Cow::Owned(utf8))
            }
            Err(error) if surrogates == Surrogates::Replace && matches!(error.kind(), ErrorKind::Surrogate { .. }) => {
                let utf16 = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
                let joined = utf16.call_method1("decode", ("utf-16-le", "replace"))?;
                Ok(Cow::Owned(joined.extract::<String>()?.into_bytes()))
            }
            Err(error) => Err(text_error(object, &error)),
        };
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    // Other buffers may change while we read without the GIL, so they are copied.
    match PyBuffer::<u8>::get(object) {
        Ok(buffer) => Ok(Cow::Owned(copied(object.py(), &buffer, Vec::new(), "a copy of the text")?)),
        Err(error) if is_no_buffer(object.py(), &error) => {
            Err(PyTypeError::new_err(format!("text must be str or bytes, not {}", type_name(object))))
        }
        Err(error) => Err(error),
    }
}

/// The exception for what went wrong with a text. Of half a pair of surrogates, Python says it best.
pub(crate) fn text_error(text: &Bound<'_, PyAny>, error: &Error) -> PyErr {
    let said = match (error.kind(), text.cast::<PyString>()) {
        (ErrorKind::Surrogate { .. }, Ok(text)) => text.encode_utf8().err(),
        _ => None,
    };
    said.unwrap_or_else(|| to_python(error))
}

/// The items of a buffer, after those that `items` has.
fn copied<T: Element + Default>(
    py: Python<'_>,
    buffer: &PyBuffer<T>,
    mut items: Vec<T>,
    what: &str,
) -> PyResult<Vec<T>> {
    let (start, n_items) = (items.len(), buffer.item_count());
    items.try_reserve_exact(n_items).map_err(|_| no_memory(what))?;
    items.resize(start + n_items, T::default());
    buffer.copy_to_slice(py, items.get_mut(start..).unwrap_or_default())?;
    Ok(items)
}

/// The characters of a `str`, replaced as [`text`] does it, that stand for two of its own: joined pairs of surrogates.
pub(crate) fn joined_pairs(object: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
    let Ok(text) = object.cast::<PyString>() else { return Ok(Vec::new()) };
    if characters::of(text)?.append_to(&mut Vec::new()).is_ok() {
        return Ok(Vec::new());
    }
    let utf32 = text.call_method1("encode", ("utf-32-le", "surrogatepass"))?.cast_into::<PyBytes>()?;
    let mut codes = utf32.as_bytes().as_chunks::<4>().0.iter().map(|code| u32::from_le_bytes(*code)).peekable();
    let (mut pairs, mut index) = (Vec::new(), 0);
    while let Some(code) = codes.next() {
        if (0xD800..0xDC00).contains(&code) && codes.next_if(|code| (0xDC00..0xE000).contains(code)).is_some() {
            pairs.push(index);
        }
        index += 1;
    }
    Ok(pairs)
}

/// Turns numbers of characters of a replaced text into indices of its `str`; see [`joined_pairs`].
pub(crate) fn index_of_str(pairs: &[usize], index: usize) -> usize {
    index + pairs.partition_point(|&pair| pair < index)
}

/// Whether an object lends no buffer of the kind asked for. What else went wrong, the caller is to see.
fn is_no_buffer(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyTypeError>(py) || error.is_instance_of::<PyBufferError>(py)
}

/// A text to encode.
pub(crate) enum Encodable<'a> {
    Bytes(Cow<'a, [u8]>),
    /// In the form that Python holds it in, which is not UTF-8.
    Characters(Text<'a>),
}

impl<'a> From<Cow<'a, [u8]>> for Encodable<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Encodable<'_> {
    pub(crate) fn text(&self) -> Text<'_> {
        match self {
            Self::Bytes(bytes) => Text::Bytes(bytes),
            Self::Characters(characters) => *characters,
        }
    }
}

/// As [`text`], but of a `str` the characters, of which UTF-8 is made when they are encoded.
pub(crate) fn encodable<'a>(object: &'a Bound<'_, PyAny>, surrogates: Surrogates) -> PyResult<Encodable<'a>> {
    if surrogates == Surrogates::Strict
        && let Ok(text) = object.cast::<PyString>()
    {
        return Ok(match characters::of(text)? {
            Text::Bytes(ascii) => Encodable::Bytes(Cow::Borrowed(ascii)),
            characters => Encodable::Characters(characters),
        });
    }
    text(object, surrogates).map(Encodable::Bytes)
}

/// What `convert` makes of each item, naming the one that is at fault; `first` is the index of the first.
pub(crate) fn each<'a, 'py, T>(
    items: &'a [Bound<'py, PyAny>],
    first: usize,
    convert: impl Fn(&'a Bound<'py, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    let noted = |(index, item): (usize, &'a Bound<'py, PyAny>)| {
        convert(item).map_err(|error| noted(item.py(), error, first + index))
    };
    collect(items.iter().enumerate().map(noted), "the texts of a batch")
}

/// Adds to an exception which item of a batch it is about.
///
/// A note and not a new message, since `UnicodeEncodeError` and others are made of more than a message.
pub(crate) fn noted(py: Python<'_>, error: PyErr, index: usize) -> PyErr {
    let note = format!("at index {index}");
    error.value(py).call_method1("add_note", (note,)).err().unwrap_or(error)
}

/// The items of a batch: any sequence or iterable of texts but a single text.
pub(crate) fn items<'py>(batch: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    const WHAT: &str = "the texts of a batch";
    refuse_text(batch)?;
    match batch.cast_exact::<PyList>() {
        // How many they are is known, and no call asks for each.
        Ok(list) => collect(list.iter().map(Ok), WHAT),
        Err(_) => collect(batch.try_iter()?, WHAT),
    }
}

/// Refuses a single text as a batch: its items would be characters.
pub(crate) fn refuse_text(batch: &Bound<'_, PyAny>) -> PyResult<()> {
    if batch.is_instance_of::<PyString>() || batch.is_instance_of::<PyBytes>() || batch.is_instance_of::<PyByteArray>()
    {
        let message = format!("texts must be a sequence of str or bytes, not {}; pass [text]", type_name(batch));
        return Err(PyTypeError::new_err(message));
    }
    Ok(())
}

/// After so many ids of a list, other threads and Ctrl-C get their turn: some milliseconds.
const IDS_A_TURN: usize = 1 << 17;

/// The ids of a list, tuple, other iterable or integer buffer, in a buffer that was used before.
pub(crate) fn ids(object: &Bound<'_, PyAny>, vocab_size: usize, mut ids: Vec<u32>) -> PyResult<Vec<u32>> {
    ids.clear();
    if let Ok(list) = object.cast_exact::<PyList>() {
        return list_ids(list, vocab_size, ids);
    }
    let is_text = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>();
    if is_text {
        return Err(PyTypeError::new_err(format!("ids must be integers, not {}", type_name(object))));
    }
    match PyUntypedBuffer::get(object) {
        Ok(buffer) => return buffer_ids(object, &buffer, vocab_size, ids),
        Err(error) if is_no_buffer(object.py(), &error) => {}
        Err(error) => return Err(error),
    }
    collect_ids(object.try_iter()?, vocab_size, ids)
}

/// The ids of a list: plain ints where they lie, and from what is none on, item by item.
fn list_ids(list: &Bound<'_, PyList>, vocab_size: usize, mut ids: Vec<u32>) -> PyResult<Vec<u32>> {
    loop {
        let (start, n_items) = (ids.len(), list.len());
        let n_part = n_items.saturating_sub(start).min(IDS_A_TURN);
        ids.try_reserve(n_part).map_err(|_| no_memory("the ids"))?;
        ints::append(list, start..start + n_part, &mut ids);
        if ids.len() < start + n_part {
            // Whoever makes the list shorter while it is read ends it there, as for an iterator.
            let rest = (ids.len()..n_items).map_while(|index| list.get_item(index).ok());
            return collect_ids(rest.map(Ok), vocab_size, ids);
        }
        if ids.len() >= n_items {
            return Ok(ids);
        }
        give_way(list.py())?;
    }
}

/// The ids among items that come after those that `ids` has.
fn collect_ids<'py>(
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    vocab_size: usize,
    mut ids: Vec<u32>,
) -> PyResult<Vec<u32>> {
    for (index, item) in (ids.len()..).zip(items) {
        let item = item?;
        if index % IDS_A_TURN == IDS_A_TURN - 1 {
            give_way(item.py())?;
        }
        if item.is_instance_of::<PyBool>() {
            return Err(PyTypeError::new_err(format!("the id at index {index} is a bool, not an int")));
        }
        let id = item.extract::<u32>().map_err(|error| bad_id(&item, error, index, vocab_size))?;
        ids.try_reserve(1).map_err(|_| no_memory("the ids"))?;
        ids.push(id);
    }
    Ok(ids)
}

fn bad_id(item: &Bound<'_, PyAny>, error: PyErr, index: usize, vocab_size: usize) -> PyErr {
    let py = item.py();
    if error.is_instance_of::<PyTypeError>(py) {
        return PyTypeError::new_err(format!("the id at index {index} is a {}, not an int", type_name(item)));
    }
    if !error.is_instance_of::<PyOverflowError>(py) {
        return error;
    }
    let number = match item.call_method0("__index__") {
        Ok(number) => number,
        Err(error) => return error,
    };
    // An int too large even for this is out of range all the same.
    let id = number.extract::<i128>().unwrap_or(i128::MAX);
    to_python(&Error::unknown_token_id(id, index, vocab_size))
}

fn buffer_ids(
    object: &Bound<'_, PyAny>,
    buffer: &PyUntypedBuffer,
    vocab_size: usize,
    ids: Vec<u32>,
) -> PyResult<Vec<u32>> {
    let py = object.py();
    if buffer.dimensions() != 1 {
        let message = format!("ids must be one-dimensional, not of {} dimensions", buffer.dimensions());
        return Err(PyTypeError::new_err(message));
    }
    let format = buffer.format().to_string_lossy();
    let refused = || {
        let message = format!("ids must be native integers of at most 64 bits, not of buffer format {format:?}");
        Err(PyTypeError::new_err(message))
    };
    // N.B. PyO3 0.30 takes big-endian formats for native ones on little-endian machines: the ids would be wrong.
    let foreign = if cfg!(target_endian = "little") { ['>', '!'] } else { ['<', '<'] };
    if format.starts_with(foreign) {
        return refused();
    }
    // The memory of an empty `array.array` is nowhere, and not aligned.
    let native = format.trim_start_matches(['@', '=', '<', '>']);
    if buffer.item_count() == 0 && native.len() == 1 && native.contains(INTEGERS) {
        return Ok(ids);
    }
    if let Ok(typed) = buffer.as_typed::<u32>() {
        return copied(py, typed, ids, "the ids");
    }
    macro_rules! narrowed {
        ($($integer:ty),*) => {
            $(if let Ok(typed) = buffer.as_typed::<$integer>() {
                return narrowed(&copied(py, typed, Vec::new(), "the ids")?, vocab_size, ids);
            })*
        };
    }
    narrowed!(u8, i8, u16, i16, i32, i64, u64);
    refused()
}

/// The formats of integers, as the module `struct` has them.
const INTEGERS: [char; 10] = ['b', 'B', 'h', 'H', 'i', 'I', 'l', 'L', 'q', 'Q'];

/// Integers as ids.
fn narrowed<T: TryInto<u32> + Into<i128> + Copy>(
    items: &[T],
    vocab_size: usize,
    mut ids: Vec<u32>,
) -> PyResult<Vec<u32>> {
    /// No id; it stands for what is out of range, so that many are narrowed at once and without a branch.
    const NONE: u32 = u32::MAX;
    ids.try_reserve_exact(items.len()).map_err(|_| no_memory("the ids"))?;
    ids.extend(items.iter().map(|&id| id.try_into().unwrap_or(NONE)));
    if ids.iter().fold(0, |highest, &id| highest.max(id)) == NONE {
        let too_large = |&(_, &id): &(usize, &T)| TryInto::<u32>::try_into(id).is_err();
        if let Some((index, &id)) = items.iter().enumerate().find(too_large) {
            return Err(to_python(&Error::unknown_token_id(id.into(), index, vocab_size)));
        }
    }
    Ok(ids)
}

/// Names of special tokens: `"all"` or an iterable of them.
pub(crate) enum Names {
    All,
    Only(Vec<String>),
}

impl Names {
    pub(crate) const NONE: Self = Self::Only(Vec::new());

    pub(crate) fn parse(object: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<Self> {
        let Some(object) = object else { return Ok(Self::Only(Vec::new())) };
        if let Ok(name) = object.cast::<PyString>() {
            return match name.to_str()? {
                "all" => Ok(Self::All),
                other => {
                    let shown = shown(other);
                    Err(PyTypeError::new_err(format!("{argument} must be \"all\" or a set; pass {{{shown}}}")))
                }
            };
        }
        let names = object.try_iter()?.map(|name| name?.extract::<String>());
        Ok(Self::Only(names.collect::<PyResult<_>>()?))
    }

    pub(crate) fn as_strs(&self) -> Vec<&str> {
        match self {
            Self::All => Vec::new(),
            Self::Only(names) => names.iter().map(String::as_str).collect(),
        }
    }

    pub(crate) fn allowed<'a>(&self, names: &'a [&'a str]) -> Allowed<'a> {
        match (self, names) {
            (Self::All, _) => Allowed::All,
            (Self::Only(_), []) => Allowed::None,
            (Self::Only(_), names) => Allowed::Only(names),
        }
    }
}

/// What special tokens do in the texts of one call.
pub(crate) fn specials<'t>(
    tokenizer: &'t Tokenizer,
    allowed: &Names,
    disallowed: &Names,
) -> bytepair_core::Result<Specials<'t>> {
    let (allowed_names, disallowed_names) = (allowed.as_strs(), disallowed.as_strs());
    tokenizer.added_tokens().specials(allowed.allowed(&allowed_names), disallowed.allowed(&disallowed_names))
}

/// A split pattern: a preset's name, a regex, or a sequence of regexes that split one after the other.
pub(crate) fn pattern(object: &Bound<'_, PyAny>) -> PyResult<Pretokenizer> {
    let built = if let Ok(pattern) = object.cast::<PyString>() {
        Pretokenizer::new(pattern.to_str()?)
    } else {
        let stages: Vec<String> = object.extract().map_err(|_| {
            let kind = type_name(object);
            PyTypeError::new_err(format!("pattern must be a str or a sequence of str, not {kind}"))
        })?;
        Pretokenizer::from_stages(&stages)
    };
    built.map_err(|error| to_python(&error))
}

/// A pattern as Python shows it: a preset's name, a regex, or a tuple of regexes.
pub(crate) fn shown_pattern<'py>(py: Python<'py>, pretokenizer: &Pretokenizer) -> PyResult<Bound<'py, PyAny>> {
    match (pretokenizer.preset(), pretokenizer.stages()) {
        (Some(preset), _) => Ok(PyString::new(py, preset).into_any()),
        (None, [stage]) => Ok(PyString::new(py, stage).into_any()),
        (None, stages) => Ok(PyTuple::new(py, stages)?.into_any()),
    }
}

/// A special token with the id it is given, which can be any number.
pub(crate) type Special<'py> = (String, Option<Bound<'py, PyAny>>);

/// Special tokens with the ids they are given.
pub(crate) fn special_tokens(pairs: Vec<Special<'_>>) -> PyResult<Vec<(String, Option<TokenId>)>> {
    let convert = |(text, id): Special<'_>| {
        let Some(id) = id else { return Ok((text, None)) };
        match token_id(&id)? {
            Some(id) => Ok((text, Some(id))),
            None => {
                let message = format!("special token {} has id {id}, which is not in 0..2**24", shown(&text));
                Err(PyValueError::new_err(message))
            }
        }
    };
    pairs.into_iter().map(convert).collect()
}

/// A token id, where a number of any size can be one.
pub(crate) fn token_id(id: &Bound<'_, PyAny>) -> PyResult<Option<TokenId>> {
    match id.extract::<i64>() {
        Ok(id) => Ok(u32::try_from(id).ok().and_then(TokenId::new)),
        Err(error) if error.is_instance_of::<PyOverflowError>(id.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A text as messages show it: quoted, and cut where it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start:?}…"),
        None => format!("{text:?}"),
    }
}

pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "another type".into(), |name| name.to_string())
}
