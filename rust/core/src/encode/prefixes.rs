//! Longest token at a position, and the next shorter one: what the encoder of long pretokens asks.

use std::cmp::Ordering;

use crate::counters::count;
use crate::error::{Result, check_room};
use crate::ids::{Symbol, narrow, widen};
use crate::vocab::{MergeTable, Vocabulary};

/// Every token that merges lead to, in the order of their bytes.
///
/// A token that a text starts with sorts before the text, and nothing that sorts between the two starts otherwise. So of the
/// last token that is not after the text, and its own prefixes, the longest that the text starts with is the longest of all.
#[derive(Debug)]
pub(super) struct Prefixes {
    tokens: Vec<Token>,
    /// By place: that of the longest token which is a proper prefix, or [`Prefixes::NONE`].
    shorter: Vec<u32>,
    /// By the first byte and the second, or 0: the first place of a token that starts so, or later.
    starts: Vec<u32>,
}

/// A token by its place, which stands for it between calls.
#[derive(Clone, Copy, Debug)]
struct Token {
    /// The first bytes, the first the highest; 0 where there are no more. They order most tokens.
    head: u64,
    symbol: Symbol,
    length: u32,
}

/// How many bytes a head has.
const HEAD: usize = size_of::<u64>();

/// The first bytes of a token or text, see [`Token::head`].
#[inline(always)]
fn head(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; HEAD];
            first.iter_mut().zip(bytes).for_each(|(slot, &byte)| *slot = byte);
            u64::from_be_bytes(first)
        }
    }
}

/// Which of [`Prefixes::starts`] a head has.
#[inline(always)]
fn start(head: u64) -> usize {
    usize::try_from(head >> 48).unwrap_or(0)
}

/// Where the bytes of symbols are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'v> {
    pub(super) vocabulary: &'v Vocabulary,
    pub(super) table: &'v MergeTable,
}

impl<'v> Tokens<'v> {
    #[inline]
    pub(super) fn bytes(self, symbol: Symbol) -> &'v [u8] {
        self.vocabulary.token(self.table.id(symbol).get()).unwrap_or_default()
    }
}

impl Token {
    /// Whether a text with this head and length starts with the token; the text itself is seldom needed.
    #[inline(always)]
    fn is_prefix<'t>(self, tokens: Tokens<'_>, head: u64, n_bytes: usize, text: impl FnOnce() -> &'t [u8]) -> bool {
        let (length, differ) = (widen(self.length), self.head ^ head);
        if length <= HEAD {
            length <= n_bytes && differ >> (8 * (HEAD - length)) == 0
        } else {
            differ == 0 && text().starts_with(tokens.bytes(self.symbol))
        }
    }
}

impl Prefixes {
    /// The place of no token.
    pub(super) const NONE: u32 = u32::MAX;

    /// Sorts the tokens.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    ///
    /// # Complexity
    ///
    /// O(B log n) time for n tokens of B bytes in all, O(n) space.
    pub(super) fn new(tokens: Tokens<'_>) -> Result<Self> {
        check_room(tokens.table.n_symbols() * (size_of::<Token>() + size_of::<u32>()), "the index of tokens")?;
        let mut sorted: Vec<Token> = Vec::with_capacity(tokens.table.n_symbols());
        for symbol in (0..tokens.table.n_symbols()).map(Symbol::from_index) {
            let bytes = tokens.bytes(symbol);
            let length = narrow(bytes.len()).unwrap_or(u32::MAX);
            // A byte that is no token stands in no text.
            if length > 0 {
                sorted.push(Token { head: head(bytes), symbol, length });
            }
        }
        // By their heads alone, which is fast; then those that share one.
        sorted.sort_unstable_by_key(|token| token.head);
        for equal in sorted.chunk_by_mut(|a, b| a.head == b.head).filter(|equal| equal.len() > 1) {
            equal.sort_unstable_by(|a, b| tokens.bytes(a.symbol).cmp(tokens.bytes(b.symbol)));
        }
        let mut starts = vec![0; (1 << 16) + 1];
        for (place, token) in (1..).zip(&sorted) {
            starts[start(token.head) + 1] = place;
        }
        for index in 1..starts.len() {
            starts[index] = starts[index].max(starts[index - 1]);
        }
        let mut prefixes = Self { shorter: Vec::with_capacity(sorted.len()), tokens: sorted, starts };
        // The last token and its prefixes, the longest first: of these are the prefixes of the next.
        let mut last = Self::NONE;
        for place in 0..prefixes.tokens.len() {
            let Token { head, symbol, length } = prefixes.tokens[place];
            while let Some(known) = prefixes.get(last)
                && !known.is_prefix(tokens, head, widen(length), || tokens.bytes(symbol))
            {
                last = prefixes.shorter(last);
            }
            prefixes.shorter.push(last);
            last = narrow(place).unwrap_or(Self::NONE);
        }
        Ok(prefixes)
    }

    #[inline(always)]
    fn get(&self, place: u32) -> Option<&Token> {
        self.tokens.get(widen(place))
    }

    /// The place of the longest token that `text` starts with; [`Prefixes::NONE`] only where `text` is empty.
    ///
    /// # Complexity
    ///
    /// O(log n + length of the longest token with that beginning) for n tokens.
    #[inline]
    pub(super) fn longest(&self, tokens: Tokens<'_>, text: &[u8]) -> u32 {
        if text.is_empty() {
            return Self::NONE;
        }
        let head = head(text);
        let (from, to) = match self.starts.get(start(head)..) {
            Some([from, to, ..]) => (widen(*from), widen(*to)),
            _ => (0, 0),
        };
        let start = self.tokens.get(from..to).unwrap_or_default();
        let is_not_after = |token: &Token| {
            count(1);
            match token.head.cmp(&head) {
                Ordering::Less => true,
                Ordering::Equal => tokens.bytes(token.symbol) <= text,
                Ordering::Greater => false,
            }
        };
        let n_before = from + start.partition_point(is_not_after);
        let mut place = n_before.checked_sub(1).and_then(narrow).unwrap_or(Self::NONE);
        while let Some(token) = self.get(place)
            && !token.is_prefix(tokens, head, text.len(), || text)
        {
            count(1);
            place = self.shorter(place);
        }
        place
    }

    /// Whether `text` starts with the token at a place.
    #[inline]
    pub(super) fn starts(&self, tokens: Tokens<'_>, place: u32, text: &[u8]) -> bool {
        count(1);
        self.get(place).is_some_and(|token| token.is_prefix(tokens, head(text), text.len(), || text))
    }

    /// The place of the longest token that is a proper prefix of the one at `place`, or [`Prefixes::NONE`].
    #[inline]
    pub(super) fn shorter(&self, place: u32) -> u32 {
        self.shorter.get(widen(place)).copied().unwrap_or(Self::NONE)
    }

    /// The token at a place and its number of bytes.
    #[inline]
    pub(super) fn token(&self, place: u32) -> Option<(Symbol, usize)> {
        self.get(place).map(|token| (token.symbol, widen(token.length)))
    }
}
