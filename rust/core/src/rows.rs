//! JSON lines: the texts of one field, read strictly.
//!
//! A line is an object, or blank. What is no such thing is an error with its place, and never ends the reading of what
//! follows: whoever reads decides what becomes of the other rows. Lines are parsed one by one, so that work and memory
//! depend on the longest, and nesting costs no stack.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, Result};
use crate::ids::widen_u64;

/// So many errors of one block are told; the others are only counted.
const MAX_TOLD: usize = 10;

/// Of the other fields of a row, so many bytes are shown where it lacks the one that is wanted.
const MAX_SHOWN: usize = 200;

/// What ends the first line of a file without belonging to it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The texts of whole lines of a file.
///
/// # Examples
///
/// ```
/// use bytepair_core::rows::Rows;
///
/// let rows = Rows::parse(b"{\"id\": 1, \"text\": \"low\\n\"}\n\n{\"text\": 5}\n", "text", false)?;
/// assert_eq!(rows.texts().collect::<Vec<_>>(), [b"low\n"]);
/// assert_eq!(rows.errors()[0].to_string(), "line 3, column 10: invalid type: integer `5`, expected a string in the field \"text\"");
/// # Ok::<(), bytepair_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Rows {
    /// The texts one after the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    n_lines: u64,
    errors: Vec<RowError>,
    n_errors: u64,
}

/// What is wrong with a row.
#[derive(Clone, Debug)]
pub struct RowError {
    /// The line, of which the first is 1.
    pub line: u64,
    /// The byte in the line, of which the first is 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl Rows {
    /// Reads the string in the field `field` of each line of `block`; of the first that has none, nothing more if
    /// `stop_at_error`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is none for the texts. What is wrong with a row is
    /// in [`Rows::errors`].
    ///
    /// # Complexity
    ///
    /// O(`block.len()`) time; memory for the texts.
    pub fn parse(block: &[u8], field: &str, stop_at_error: bool) -> Result<Self> {
        let mut rows = Self::default();
        // No text is longer than it is written, but for what cannot be read.
        rows.bytes.try_reserve(block.len()).map_err(|_| no_memory())?;
        let mut names = String::new();
        for line in lines(block) {
            rows.n_lines += 1;
            let is_blank = line.iter().all(u8::is_ascii_whitespace);
            if is_blank {
                continue;
            }
            let end = rows.bytes.len();
            names.clear();
            match parse_line(line, Row { field, text: &mut rows.bytes, names: &mut names }) {
                Ok(()) => {
                    rows.ends.try_reserve(1).map_err(|_| no_memory())?;
                    rows.ends.push(rows.bytes.len());
                }
                Err((column, reason)) => {
                    rows.bytes.truncate(end);
                    rows.n_errors += 1;
                    if rows.errors.len() < MAX_TOLD {
                        rows.errors.push(RowError { line: rows.n_lines, column, reason });
                    }
                    if stop_at_error {
                        break;
                    }
                }
            }
        }
        Ok(rows)
    }

    /// The text of each row that has one.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all texts.
    pub fn n_bytes(&self) -> u64 {
        widen_u64(self.bytes.len())
    }

    /// The lines that were read, blank ones among them.
    pub fn n_lines(&self) -> u64 {
        self.n_lines
    }

    /// What is wrong, of ten rows at most.
    pub fn errors(&self) -> &[RowError] {
        &self.errors
    }

    /// How many rows are wrong.
    pub fn n_errors(&self) -> u64 {
        self.n_errors
    }
}

/// Drops the mark that some programs begin a UTF-8 file with.
pub fn without_byte_order_mark(block: &[u8]) -> &[u8] {
    block.strip_prefix(BYTE_ORDER_MARK).unwrap_or(block)
}

fn no_memory() -> Error {
    Error::memory("the texts of a block of rows")
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = block.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        start += length + 1;
        rest.get(..length)
    })
}

fn parse_line(line: &[u8], row: Row<'_>) -> std::result::Result<(), (usize, String)> {
    let text = simdutf8::compat::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to();
        let byte = line.get(at).copied().unwrap_or_default();
        (at + 1, format!("the byte 0x{byte:02X} is not UTF-8"))
    })?;
    let start = text.len() - text.trim_ascii_start().len();
    if line.get(start) != Some(&b'{') {
        return Err((start + 1, "the row is no object".into()));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    row.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let said = error.to_string();
        let reason = said.strip_suffix(&place).unwrap_or(&said);
        // Data that is wrong is still JSON.
        let reason = if error.is_data() { reason.to_owned() } else { format!("not JSON: {reason}") };
        (error.column().max(1), reason)
    })
}

/// Puts the text of a row behind those before.
struct Row<'a> {
    field: &'a str,
    text: &'a mut Vec<u8>,
    /// Room for the names of other fields.
    names: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let Row { field, text, names } = self;
        let mut found = false;
        while let Some(is_wanted) = map.next_key_seed(Name { wanted: field, names })? {
            if !is_wanted {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(A::Error::custom(format!("the field {field:?} is there twice")));
            } else {
                map.next_value_seed(Text { field, text })?;
                found = true;
            }
        }
        if found {
            return Ok(());
        }
        let others = if names.is_empty() { "no others" } else { names.as_str() };
        Err(A::Error::custom(format!("the row has no field {field:?}, but {others}")))
    }
}

/// Tells whether a field is the wanted one, and writes down the names of those that are not.
struct Name<'a> {
    wanted: &'a str,
    names: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<bool, E> {
        if name == self.wanted {
            return Ok(true);
        }
        if self.names.len() + name.len() < MAX_SHOWN {
            self.names.push_str(if self.names.is_empty() { "" } else { ", " });
            self.names.push_str(name);
        }
        Ok(false)
    }
}

/// Puts a string behind the texts before.
struct Text<'a> {
    field: &'a str,
    text: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string in the field {:?}", self.field)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<(), E> {
        self.text.try_reserve(text.len()).map_err(|_| E::custom("not enough memory for the text"))?;
        self.text.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &[u8]) -> String {
        let rows = Rows::parse(line, "text", true).unwrap();
        assert_eq!((rows.len(), rows.n_errors(), rows.n_bytes()), (0, 1, 0), "{line:?}");
        rows.errors()[0].to_string()
    }

    #[test]
    fn rows_are_the_strings_of_one_field() {
        let block = "{\"text\": \"a\"}\r\n \n{\"x\": {\"text\": 1}, \"text\": \"\\ud83e\\udd80\\u0000\", \"y\": []}\n\
                     {\"t\\u0065xt\":\"\"}\n{\"text\": \"б\"}";
        let rows = Rows::parse(block.as_bytes(), "text", true).unwrap();
        let expected = ["a", "\u{1f980}\0", "", "б"];
        assert_eq!(rows.texts().collect::<Vec<_>>(), expected.map(str::as_bytes));
        assert_eq!((rows.len(), rows.n_lines(), rows.n_errors(), rows.n_bytes()), (4, 5, 0, 8));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (line, said) in [
            (&b"{\"text\": 5}"[..], "column 10: invalid type: integer `5`, expected a string in the field \"text\""),
            (b"{\"text\": null}", "invalid type: null"),
            (b"{\"text\": [\"a\"]}", "invalid type: sequence"),
            (b"{\"text\": {\"a\": 1}}", "invalid type: map"),
            (b"{\"text\": \"a\", \"text\": \"b\"}", "the field \"text\" is there twice"),
            (b"{\"body\": \"a\", \"id\": 1}", "the row has no field \"text\", but body, id"),
            (b"{}", "the row has no field \"text\", but no others"),
            (b"5", "the row is no object"),
            (b"[{\"text\": \"a\"}]", "the row is no object"),
            (b"\"text\"", "the row is no object"),
            (b"{\"text\": \"a", "not JSON: EOF while parsing a string"),
            (b"{\"text\": \"a\"} x", "column 15: not JSON: trailing characters"),
            (b"{\"text\": \"a\"}{\"text\": \"b\"}", "not JSON: trailing characters"),
            (b"{\"text\": \"\\ud800\"}", "not JSON: "),
            (b"{\"text\": \"\\udc00 \"}", "not JSON: "),
            (b"{\"text\": \"\t\"}", "not JSON: control character"),
            (b"{'text': 'a'}", "not JSON: key must be a string"),
            (b"{\"x\": NaN, \"text\": \"a\"}", "not JSON: expected value"),
            (b"{\"text\": \"a\xFF\"}", "column 12: the byte 0xFF is not UTF-8"),
            (b"{\"x\": \"\xC3\", \"text\": \"a\"}", "column 8: the byte 0xC3 is not UTF-8"),
            (b"\xEF\xBB\xBF{\"text\": \"a\"}", "the row is no object"),
        ] {
            let error = error_of(line);
            assert!(error.starts_with("line 1, column ") && error.contains(said), "{error} for {said}");
        }
    }

    #[test]
    fn a_bad_row_takes_no_other_with_it() {
        let block = b"{\"text\": \"a\"}\n{\"text\": \"b\n{\"text\": \"c\"}\n".repeat(20);
        let rows = Rows::parse(&block, "text", false).unwrap();
        assert_eq!((rows.len(), rows.n_errors(), rows.errors().len(), rows.n_lines()), (40, 20, MAX_TOLD, 60));
        assert_eq!(rows.errors()[1].line, 5);
        let stopped = Rows::parse(&block, "text", true).unwrap();
        assert_eq!((stopped.len(), stopped.n_errors(), stopped.n_lines()), (1, 1, 2));
    }

    #[test]
    fn nesting_costs_no_stack_and_messages_stay_short() {
        let deep = [&b"{\"x\": "[..], &b"[".repeat(200_000), b"]", &b"{\"a\":".repeat(200_000)].concat();
        assert!(error_of(&deep).contains("not JSON"));
        let balanced = [&b"{\"x\": "[..], &b"[".repeat(200_000), &b"]".repeat(200_000), b", \"text\": \"a\"}"].concat();
        assert_eq!(Rows::parse(&balanced, "text", true).unwrap().len(), 1);
        assert!(error_of(&[b"\"".to_vec(), b"x".repeat(1 << 20)].concat()).len() < 400);
        let long_name = [b"{\"".to_vec(), b"x".repeat(1 << 20), b"\": 1}".to_vec()].concat();
        assert!(error_of(&long_name).len() < 400);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_once() {
        assert_eq!(without_byte_order_mark(b"\xEF\xBB\xBF\xEF\xBB\xBF{}"), b"\xEF\xBB\xBF{}");
        assert_eq!(without_byte_order_mark(b"\xEF\xBB"), b"\xEF\xBB");
    }
}
