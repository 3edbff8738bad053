//! Which format a file has, by its content.

use std::cell::Cell;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};

use super::{hugging_face, tekken};

/// The format of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// A `tokenizer.json`: [`hugging_face`](super::hugging_face).
    HuggingFace,
    /// A rank file: [`tiktoken`](super::tiktoken).
    Tiktoken,
    /// A `tekken.json`: [`tekken`](super::tekken).
    Tekken,
    /// The `vocab.json` of [`gpt2`](super::gpt2), which needs its `merges.txt`.
    VocabJson,
}

/// The format of a file, by its beginning, or `None` where it has none of them.
///
/// It does not say that the file is sound: reading it does.
///
/// # Complexity
///
/// O(length of the first line or entry).
///
/// # Examples
///
/// ```
/// use bytepair_core::formats::{Format, sniff};
///
/// assert_eq!(sniff(b"IQ== 0\nIg== 1\n"), Some(Format::Tiktoken));
/// assert_eq!(sniff(br#"{"version": "1.0", "model": {}}"#), Some(Format::HuggingFace));
/// assert_eq!(sniff(br#"{"config": {}, "vocab": []}"#), Some(Format::Tekken));
/// assert_eq!(sniff(br#"{"!": 0, "model": 1}"#), Some(Format::VocabJson));
/// assert_eq!(sniff(b"#version: 0.2\n"), None);
/// ```
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.trim_ascii_start().starts_with(b"{") {
        let found = Cell::new(None);
        // It fails on purpose after the first entry, so only what was found counts.
        let _ = serde_json::Deserializer::from_slice(bytes).deserialize_map(FirstEntry(&found));
        return found.get();
    }
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let mut fields = line.trim_ascii_end().split(|&byte| byte == b' ');
    let (token, rank) = (fields.next()?, fields.next()?);
    let is_rank = !rank.is_empty() && rank.iter().all(u8::is_ascii_digit);
    (!token.is_empty() && is_rank && fields.next().is_none()).then_some(Format::Tiktoken)
}

/// Looks at the first entry of the outermost object.
struct FirstEntry<'f>(&'f Cell<Option<Format>>);

impl<'de> Visitor<'de> for FirstEntry<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(key) = map.next_key::<String>()? else { return Ok(()) };
        // A vocabulary may well have a token named "model", but its value is a number.
        self.0.set(match map.next_value::<serde_json::Number>() {
            Ok(_) => Some(Format::VocabJson),
            Err(_) if hugging_face::KEYS.contains(&key.as_str()) => Some(Format::HuggingFace),
            Err(_) if tekken::FIRST_KEYS.contains(&key.as_str()) => Some(Format::Tekken),
            Err(_) => None,
        });
        Err(A::Error::custom("the rest of the file need not be read"))
    }
}
