//! JSON text to a tree that keeps the order of keys, refuses double keys, and says where it stands.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::limits;
use crate::error::{Error, Result};

/// A JSON value. Strings without escapes borrow from the text.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// An integer of at least zero.
    Integer(u64),
    /// Any other number.
    Number(f64),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// In the order of the text, no key twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A place in a JSON text, as a chain back to its root. It is written as in `$.model.merges[3]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    /// The name of the file, or nothing where there is only one.
    Root(&'p str),
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The whole of a file; its name stands before the path unless it is empty.
    pub(super) fn root(file: &'p str) -> Self {
        Self { parent: None, step: Step::Root(file) }
    }

    /// The value of a key.
    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// An item of an array.
    pub(super) fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// An error at this place.
    pub(super) fn refuse(&self, message: impl fmt::Display) -> Error {
        Error::format(self.to_string(), message)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = vec![self.step];
        let mut path = self;
        while let Some(parent) = path.parent {
            steps.push(parent.step);
            path = parent;
        }
        for step in steps.into_iter().rev() {
            match step {
                Step::Root("") => f.write_str("$")?,
                Step::Root(file) => write!(f, "{file} $")?,
                Step::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[{}]", shown(key))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    let starts = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && key.len() <= 64 && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A string as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A string quoted for a message: a long one is cut.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(64).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{}…", quoted(start)),
        None => quoted(text),
    }
}

/// Reads a JSON text. `file` is named in errors unless it is empty.
///
/// # Errors
///
/// [`ErrorKind::Format`](crate::ErrorKind::Format) where the text is too large or too deep, not UTF-8, not JSON, or has
/// a key twice in one object; [`ErrorKind::Memory`](crate::ErrorKind::Memory) where its values do not fit.
///
/// # Complexity
///
/// O(`bytes.len()`).
pub(super) fn parse<'a>(file: &'a str, bytes: &'a [u8]) -> Result<Json<'a>> {
    let root = Path::root(file);
    let place = |place: String| if file.is_empty() { place } else { format!("{file} {place}") };
    limits::check_file(&root.to_string(), bytes)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(Error::format(place("line 1".to_owned()), "the file starts with a byte order mark; remove it"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::format(place(format!("byte {}", error.valid_up_to())), "not valid UTF-8"))?;
    let context = Context { failure: RefCell::new(None), values_left: Cell::new(limits::JSON_VALUES) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { path: root, depth: 0, context: &context };
    let parsed = seed.deserialize(&mut deserializer).and_then(|json| deserializer.end().map(|()| json));
    parsed.map_err(|error| {
        context.failure.take().unwrap_or_else(|| {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            Error::format(place(format!("line {line} column {column}")), format!("not valid JSON: {message}"))
        })
    })
}

/// What the visitors of one text share.
struct Context {
    /// Our own error, which serde's type cannot carry.
    failure: RefCell<Option<Error>>,
    values_left: Cell<usize>,
}

impl Context {
    fn fail<E: serde::de::Error>(&self, failure: Error) -> E {
        let error = E::custom(&failure);
        self.failure.replace(Some(failure));
        error
    }
}

/// Reads one value at a place.
#[derive(Clone, Copy)]
struct Seed<'s> {
    path: Path<'s>,
    depth: usize,
    context: &'s Context,
}

impl<'s> Seed<'s> {
    fn child<E: serde::de::Error>(&self, path: Path<'s>) -> std::result::Result<Self, E> {
        let Some(values_left) = self.context.values_left.get().checked_sub(1) else {
            let message = format!("the file has more than the limit of {} values", limits::JSON_VALUES);
            return Err(self.context.fail(path.refuse(message)));
        };
        self.context.values_left.set(values_left);
        if self.depth == limits::JSON_DEPTH {
            let message = format!("nested more than {} deep", limits::JSON_DEPTH);
            return Err(self.context.fail(path.refuse(message)));
        }
        Ok(Self { path, depth: self.depth + 1, context: self.context })
    }

    fn check_unique<E: serde::de::Error>(&self, entries: &[(Cow<'_, str>, Json<'_>)]) -> std::result::Result<(), E> {
        let mut keys: HashSet<&str, RandomState> = HashSet::default();
        if keys.try_reserve(entries.len()).is_err() {
            return Err(self.context.fail(Error::memory("the keys of a JSON file")));
        }
        match entries.iter().find(|(key, _)| !keys.insert(key)) {
            Some((twice, _)) => Err(self.context.fail(self.path.key(twice).refuse("the key is there twice"))),
            None => Ok(()),
        }
    }

    fn reserve<T, E: serde::de::Error>(&self, items: &mut Vec<T>) -> std::result::Result<(), E> {
        items.try_reserve(1).map_err(|_| self.context.fail(Error::memory("the values of a JSON file")))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<Json<'de>, E> {
        // serde_json gives only negative numbers as `i64`; their value matters for nothing but the message.
        match u64::try_from(value) {
            Ok(value) => Ok(Json::Integer(value)),
            Err(_) => value.to_string().parse().map(Json::Number).map_err(E::custom),
        }
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Json<'de>, E> {
        Ok(Json::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> std::result::Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> std::result::Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = self.path.index(items.len());
            // A closing bracket needs no budget, so the check is made on the way into an item.
            let Some(item) = sequence.next_element_seed(Checked { parent: &self, path })? else {
                return Ok(Json::Array(items));
            };
            self.reserve(&mut items)?;
            items.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Json<'de>, A::Error> {
        let mut entries: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(Checked { parent: &self, path: self.path.key(&key) })?;
            self.reserve(&mut entries)?;
            entries.push((key, value));
        }
        self.check_unique(&entries)?;
        Ok(Json::Object(entries))
    }
}

/// A value inside another one, counted and measured for depth when it begins.
struct Checked<'s> {
    parent: &'s Seed<'s>,
    path: Path<'s>,
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = Json<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Json<'de>, D::Error> {
        self.parent.child::<D::Error>(self.path)?.deserialize(deserializer)
    }
}

/// Reads a key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse("", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn values_keep_their_order_and_plain_strings_borrow() {
        let json = parse("", br#"{"b": [1, -2, 0.5], "a": {"x": "y", "\u0041": null}, "c": true}"#).unwrap();
        let Json::Object(entries) = &json else { panic!("{json:?}") };
        assert_eq!(entries.iter().map(|(key, _)| key.as_ref()).collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(entries[0].1, Json::Array(vec![Json::Integer(1), Json::Number(-2.0), Json::Number(0.5)]));
        let Json::Object(inner) = &entries[1].1 else { panic!("{json:?}") };
        assert!(matches!(&inner[0].1, Json::String(Cow::Borrowed("y"))));
        assert_eq!(inner[1].0, "A");
    }

    #[test]
    fn a_double_key_is_named_by_its_path_however_it_is_spelt() {
        assert_eq!(refused(r#"{"a": [0, {"b": 1, "\u0062": 2}]}"#), "$.a[1].b: the key is there twice");
        assert_eq!(refused(r#"{"Ġa": 1, "Ġa": 2}"#), r#"$["Ġa"]: the key is there twice"#);
    }

    #[test]
    fn depth_is_limited_before_the_stack_is() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse("", nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(refused(&nested(limits::JSON_DEPTH + 2)).contains("nested more than 64 deep"));
        assert!(refused(&"[".repeat(200_000)).contains("nested more than 64 deep"));
    }

    #[test]
    fn broken_texts_are_refused_with_their_place() {
        assert_eq!(refused("{"), "line 1 column 1: not valid JSON: EOF while parsing an object");
        assert_eq!(refused("[]\n]"), "line 2 column 1: not valid JSON: trailing characters");
        assert_eq!(refused("\u{FEFF}{}"), "line 1: the file starts with a byte order mark; remove it");
        assert_eq!(parse("vocab.json", b"[\"\xFF").unwrap_err().to_string(), "vocab.json byte 2: not valid UTF-8");
        assert!(refused(r#""\ud800""#).starts_with("line 1 column"));
        assert!(refused("").contains("EOF"));
    }

    #[test]
    fn long_keys_are_cut_in_messages() {
        let key = "k".repeat(1000);
        assert!(refused(&format!("{{\"{key}\":0,\"{key}\":0}}")).len() < 120);
    }
}
