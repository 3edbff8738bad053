//! A cursor over a JSON tree: typed access, with errors that name the path.

use std::borrow::Cow;
use std::fmt;

use super::json::{Json, Path};
use crate::error::{Error, Result};
use crate::ids::TokenId;

/// A value and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'p, 'j> {
    path: Path<'p>,
    value: &'j Json<'j>,
}

impl<'p, 'j> Node<'p, 'j> {
    /// The whole of a file; its name stands before paths unless it is empty.
    pub(super) fn root(file: &'p str, value: &'j Json<'j>) -> Self {
        Self { path: Path::root(file), value }
    }

    /// An error at this place.
    pub(super) fn refuse(&self, message: impl fmt::Display) -> Error {
        self.path.refuse(message)
    }

    /// An error at this place: the value is of another type.
    fn not(&self, wanted: &str) -> Error {
        let found = match self.value {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Integer(value) => value.to_string(),
            Json::Number(value) => value.to_string(),
            Json::String(_) => "a string".to_owned(),
            Json::Array(_) => "an array".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        };
        self.refuse(format!("must be {wanted}, not {found}"))
    }

    /// The place, to name it in an error after the tree is gone.
    pub(super) fn location(&self) -> String {
        self.path.to_string()
    }

    pub(super) fn is_null(&self) -> bool {
        *self.value == Json::Null
    }

    pub(super) fn as_string(&self) -> Option<&'j str> {
        if let Json::String(text) = self.value { Some(text) } else { None }
    }

    pub(super) fn string(&self) -> Result<&'j str> {
        self.as_string().ok_or_else(|| self.not("a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        if let Json::Bool(value) = self.value { Ok(*value) } else { Err(self.not("true or false")) }
    }

    /// Whether this is the number zero.
    pub(super) fn is_zero(&self) -> bool {
        matches!(self.value, Json::Integer(0)) || matches!(self.value, Json::Number(value) if *value == 0.0)
    }

    pub(super) fn token_id(&self) -> Result<TokenId> {
        let Json::Integer(number) = self.value else { return Err(self.not("a token id, an integer of at least 0")) };
        let id = u32::try_from(*number).ok().and_then(TokenId::new);
        id.ok_or_else(|| self.refuse(format!("token id {number} is absurd; ids lie below {}", TokenId::LIMIT)))
    }

    /// A number of things.
    pub(super) fn count(&self) -> Result<usize> {
        let Json::Integer(number) = self.value else { return Err(self.not("an integer of at least 0")) };
        usize::try_from(*number).map_err(|_| self.refuse(format!("{number} is too large")))
    }

    /// The items of an array.
    pub(super) fn items<'q>(&'q self) -> Result<impl ExactSizeIterator<Item = Node<'q, 'j>>> {
        let Json::Array(items) = self.value else { return Err(self.not("an array")) };
        let item = |(index, value)| Node { path: self.path.index(index), value };
        Ok(items.iter().enumerate().map(item))
    }

    /// The value of a key of an object.
    pub(super) fn field<'q>(&'q self, key: &str) -> Result<Node<'q, 'j>> {
        let Json::Object(entries) = self.value else { return Err(self.not("an object")) };
        let entry = entries.iter().find(|(name, _)| name == key);
        let (key, value) = entry.ok_or_else(|| self.refuse(format!("{key:?} is missing")))?;
        Ok(Node { path: self.path.key(key), value })
    }

    /// The entries of an object.
    pub(super) fn fields(&self) -> Result<Fields<'p, 'j>> {
        let Json::Object(entries) = self.value else { return Err(self.not("an object")) };
        Ok(Fields { path: self.path, entries })
    }
}

/// The entries of an object and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'p, 'j> {
    path: Path<'p>,
    entries: &'j [(Cow<'j, str>, Json<'j>)],
}

impl<'j> Fields<'_, 'j> {
    /// An error at the object.
    pub(super) fn refuse(&self, message: impl fmt::Display) -> Error {
        self.path.refuse(message)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keys and values in order.
    pub(super) fn iter<'q>(&'q self) -> impl Iterator<Item = (&'j str, Node<'q, 'j>)> {
        self.entries.iter().map(|(key, value)| (key.as_ref(), Node { path: self.path.key(key), value }))
    }

    /// The value of a key that may be missing.
    pub(super) fn get<'q>(&'q self, key: &str) -> Option<Node<'q, 'j>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The value of a key, or `None` where it is missing or null.
    pub(super) fn get_some<'q>(&'q self, key: &str) -> Option<Node<'q, 'j>> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(super) fn require<'q>(&'q self, key: &str) -> Result<Node<'q, 'j>> {
        self.get(key).ok_or_else(|| self.refuse(format!("{key:?} is missing")))
    }

    /// Refuses every key but these: what is not modelled must not be passed over.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        match self.iter().find(|(key, _)| !known.contains(key)) {
            Some((_, value)) => Err(value.refuse("the key is not modelled, and ignoring it could change ids")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    #[test]
    fn errors_name_the_path_and_both_types() {
        let json = parse("", br#"{"a": {"b c": ["x", 5, -1, 16777216, null]}}"#).unwrap();
        let root = Node::root("", &json);
        let fields = root.fields().unwrap();
        let a = fields.require("a").unwrap().fields().unwrap();
        let list = a.require("b c").unwrap();
        let items: Vec<Node<'_, '_>> = list.items().unwrap().collect();
        assert_eq!(items[0].string().unwrap(), "x");
        assert_eq!(items[1].token_id().unwrap().get(), 5);
        assert_eq!(items[1].string().unwrap_err().to_string(), r#"$.a["b c"][1]: must be a string, not 5"#);
        assert!(items[2].token_id().unwrap_err().to_string().ends_with("an integer of at least 0, not -1"));
        assert!(items[3].token_id().unwrap_err().to_string().contains("ids lie below 16777216"));
        assert!(items[4].boolean().unwrap_err().to_string().ends_with("must be true or false, not null"));
        assert_eq!(fields.require("z").unwrap_err().to_string(), r#"$: "z" is missing"#);
        assert!(fields.only(&["b"]).unwrap_err().to_string().starts_with("$.a: the key is not modelled"));
    }
}
