//! Which of several equally frequent pairs merges first: the one choice that differs between BPE trainers.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::ids::{Pair, Symbol};

/// The rule among pairs of the same, highest count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Tie {
    /// The smallest pair of ids, where bytes have the ids of Hugging Face's byte-level alphabet.
    ///
    /// The merges are those of `tokenizers.trainers.BpeTrainer`.
    #[default]
    HuggingFace,
    /// The smallest pair of ids, where a byte is its own id. The merges are those of rustbpe and bpeasy.
    Id,
    /// The lexicographically greatest pair of byte strings, left before right. This is the rule of Stanford's CS336.
    Bytes,
}

/// A [`Tie`] at work: it ranks pairs of symbols and learns what each merge makes.
pub(super) trait TieRule {
    /// Among pairs of one count, the greatest key merges first. Two pairs never have the same key.
    type Key: Ord;

    /// The key of a pair of known symbols.
    fn key(&self, pair: Pair) -> Self::Key;

    /// Hears of a merge; its result is the next symbol.
    fn learn(&mut self, _pair: Pair) {}
}

/// [`Tie::HuggingFace`].
pub(super) struct HuggingFace {
    ids: [Symbol; Symbol::BYTES],
}

/// [`Tie::Id`].
pub(super) struct Id;

/// [`Tie::Bytes`].
pub(super) struct Bytes {
    tokens: Vec<Rc<[u8]>>,
}

impl HuggingFace {
    /// GPT-2 shows bytes as characters: printable Latin-1 as itself, the others, in order, from U+0100 on.
    /// Hugging Face numbers the bytes by these characters, so the printable ones come first.
    pub(super) fn new() -> Self {
        let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let (first, then): (Vec<u8>, Vec<u8>) = (0..=u8::MAX).partition(printable);
        let mut ids = [Symbol::NONE; Symbol::BYTES];
        for (id, byte) in first.into_iter().chain(then).enumerate() {
            if let Some(slot) = ids.get_mut(Symbol::from_byte(byte).index()) {
                *slot = Symbol::from_index(id);
            }
        }
        Self { ids }
    }

    fn id(&self, symbol: Symbol) -> Symbol {
        self.ids.get(symbol.index()).copied().unwrap_or(symbol)
    }
}

impl TieRule for HuggingFace {
    type Key = Reverse<Pair>;

    #[inline]
    fn key(&self, pair: Pair) -> Reverse<Pair> {
        Reverse(Pair::new(self.id(pair.left()), self.id(pair.right())))
    }
}

impl TieRule for Id {
    type Key = Reverse<Pair>;

    #[inline]
    fn key(&self, pair: Pair) -> Reverse<Pair> {
        Reverse(pair)
    }
}

impl Bytes {
    pub(super) fn new() -> Self {
        Self { tokens: (0..=u8::MAX).map(|byte| Rc::from([byte])).collect() }
    }

    fn bytes(&self, symbol: Symbol) -> Rc<[u8]> {
        self.tokens.get(symbol.index()).cloned().unwrap_or_default()
    }
}

impl TieRule for Bytes {
    // Shared, not copied: a queue holds many keys of few tokens.
    type Key = (Rc<[u8]>, Rc<[u8]>);

    fn key(&self, pair: Pair) -> Self::Key {
        (self.bytes(pair.left()), self.bytes(pair.right()))
    }

    fn learn(&mut self, pair: Pair) {
        let (left, right) = self.key(pair);
        self.tokens.push([left, right].concat().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(left: u8, right: u8) -> Pair {
        Pair::new(Symbol::from_byte(left), Symbol::from_byte(right))
    }

    #[test]
    fn hugging_face_puts_printable_bytes_first() {
        let rule = HuggingFace::new();
        assert_eq!(rule.id(Symbol::from_byte(b'!')).get(), 0);
        assert_eq!(rule.id(Symbol::from_byte(0xFF)).get(), 187);
        assert_eq!(rule.id(Symbol::from_byte(0)).get(), 188);
        assert_eq!(rule.id(Symbol::from_byte(b' ')).get(), 220);
        assert_eq!(rule.id(Symbol::from_byte(0xAD)).get(), 255);
        assert_eq!(rule.id(Symbol::new(256)).get(), 256);
        assert!(rule.key(pair(b'z', b'z')) > rule.key(pair(b' ', b'a')));
    }

    #[test]
    fn ids_prefer_the_smallest_and_bytes_the_greatest() {
        assert!(Id.key(pair(b'a', b'z')) > Id.key(pair(b'b', b'a')));
        let mut rule = Bytes::new();
        assert!(rule.key(pair(b'b', b'a')) > rule.key(pair(b'a', b'z')));
        rule.learn(pair(b'b', b'a'));
        let made = Symbol::new(256);
        // A longer string is greater than its prefix.
        assert!(rule.key(Pair::new(made, made)) > rule.key(pair(b'b', 0xFF)));
    }
}
