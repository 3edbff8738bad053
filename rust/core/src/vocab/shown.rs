//! Texts and bytes in messages: quoted, and cut where they are long.

/// The most characters or bytes of one text in a message.
const MOST: usize = 80;

/// A text in quotes.
pub(crate) fn text(text: &str) -> String {
    match text.char_indices().nth(MOST).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start:?}…"),
        None => format!("{text:?}"),
    }
}

/// Bytes in quotes.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    match bytes.get(..MOST).filter(|start| start.len() < bytes.len()) {
        Some(start) => format!("\"{}\"…", start.escape_ascii()),
        None => format!("\"{}\"", bytes.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(super::text("a\"b"), r#""a\"b""#);
        assert_eq!(super::text(&"é".repeat(81)), format!("\"{}\"…", "é".repeat(80)));
        assert_eq!(super::bytes(b"a\n"), r#""a\n""#);
        assert_eq!(super::bytes(&[b'a'; 1000]), format!("\"{}\"…", "a".repeat(80)));
    }
}
