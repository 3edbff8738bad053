//! Short texts that are split together: a batch of pretokens is filled from one after the other, and no text pays alone for the
//! start and the end of each loop.

/// A longer text fills batches of its own.
const SHORT: usize = 1 << 10;

/// So many bytes are joined, or a few more, and so many texts: enough for the loops, and little enough to stay close.
const BYTES: usize = 1 << 13;
const TEXTS: usize = 1 << 10;

/// Whether it is better to split a text together with others.
pub(crate) fn is_short(length: usize) -> bool {
    length <= SHORT
}

/// Texts one after the other.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) text: Vec<u8>,
    /// Where each of them ends.
    pub(crate) text_ends: Vec<usize>,
}

impl Joined {
    /// Joins some of the texts, at least one of them, instead of those before, and returns the rest.
    pub(crate) fn fill<'a, 't>(&mut self, texts: &'a [&'t [u8]]) -> &'a [&'t [u8]] {
        self.text.clear();
        self.text_ends.clear();
        for text in texts {
            self.text.extend_from_slice(text);
            self.text_ends.push(self.text.len());
            if self.text.len() >= BYTES || self.text_ends.len() == TEXTS {
                break;
            }
        }
        texts.get(self.text_ends.len()..).unwrap_or_default()
    }
}
