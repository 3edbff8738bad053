//! The merges that can happen, by pair; and the test whether two tokens can stand side by side.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::counters::count;
use crate::ids::{Pair, Symbol, TokenId, widen};

/// The canonical merges of a vocabulary: what [`canonical::normalise`](super::canonical::normalise) makes.
#[derive(Clone, Debug)]
pub struct MergeTable {
    /// What each pair of single bytes makes, indexed by `left << 8 | right`.
    byte_pairs: Vec<Symbol>,
    pairs: HashMap<Pair, Symbol, RandomState>,
    /// One bit for each hash: a pair whose bit is not set is not in `pairs`. Most pairs that are asked for are not.
    filter: Vec<u64>,
    /// By symbol.
    tokens: Vec<Node>,
}

/// What is known of one symbol.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// The two symbols it is merged from; `NONE` twice for a single byte.
    left: Symbol,
    right: Symbol,
    id: TokenId,
    length: u32,
    /// Whether it, or a part of it, is made from a token that is merged later than itself.
    dirty: bool,
}

impl MergeTable {
    /// A table of single bytes without merges; `byte_ids` by byte value.
    ///
    /// A byte without a token has a symbol all the same, which no text that is encoded holds.
    pub(super) fn new(byte_ids: &[Option<TokenId>; 256]) -> Self {
        let node = |id: &Option<TokenId>| {
            let id = id.unwrap_or(TokenId::NONE);
            Node { left: Symbol::NONE, right: Symbol::NONE, id, length: 1, dirty: false }
        };
        Self {
            byte_pairs: vec![Symbol::NONE; 1 << 16],
            pairs: HashMap::default(),
            filter: vec![0; 1 << 10],
            tokens: byte_ids.iter().map(node).collect(),
        }
    }

    /// Makes room for `n_merges` merges.
    pub(super) fn reserve(&mut self, n_merges: usize) -> Result<(), hashbrown::TryReserveError> {
        // Eight bits for each merge or more: one wrong answer in eight at the most.
        let n_words = (n_merges / 8).next_power_of_two().max(1 << 10);
        self.filter = vec![0; n_words];
        self.pairs.try_reserve(n_merges)
    }

    /// Adds the next merge and gives its symbol. `left` and `right` may be merged later than it (then it is dirty).
    pub(super) fn push(&mut self, left: Symbol, right: Symbol, id: TokenId, length: u32, dirty: bool) -> Symbol {
        let merged = Symbol::from_index(self.tokens.len());
        self.tokens.push(Node { left, right, id, length, dirty });
        if let Some(slot) = byte_pair(left, right).and_then(|index| self.byte_pairs.get_mut(index)) {
            *slot = merged;
        } else {
            let pair = Pair::new(left, right);
            let (word, bit) = self.filter_bit(pair);
            self.filter[word] |= bit;
            self.pairs.insert(pair, merged);
        }
        merged
    }

    /// How many symbols there are: the 256 bytes, and a token for each merge.
    pub fn n_symbols(&self) -> usize {
        self.tokens.len()
    }

    /// What `left` and `right` merge to, or [`Symbol::NONE`].
    #[inline]
    pub fn merged(&self, left: Symbol, right: Symbol) -> Symbol {
        count(1);
        match byte_pair(left, right).and_then(|index| self.byte_pairs.get(index)) {
            Some(&merged) => merged,
            None => {
                let pair = Pair::new(left, right);
                let (word, bit) = self.filter_bit(pair);
                if self.filter[word] & bit == 0 {
                    return Symbol::NONE;
                }
                self.pairs.get(&pair).copied().unwrap_or(Symbol::NONE)
            }
        }
    }

    /// Where a pair's bit is: a word of the filter, whose length is a power of two, and a bit in it.
    #[inline]
    fn filter_bit(&self, pair: Pair) -> (usize, u64) {
        let hash = pair.get().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let word = widen(u32::try_from(hash >> 32).unwrap_or(0)) & (self.filter.len() - 1);
        (word, 1 << (hash >> 26 & 63))
    }

    /// The token id of a symbol.
    #[inline]
    pub fn id(&self, symbol: Symbol) -> TokenId {
        self.tokens[symbol.index()].id
    }

    /// How many bytes a symbol stands for.
    #[inline]
    pub fn length(&self, symbol: Symbol) -> usize {
        widen(self.tokens[symbol.index()].length)
    }

    /// The two symbols that `symbol` is merged from; `None` for a single byte.
    #[inline]
    pub fn parts(&self, symbol: Symbol) -> Option<(Symbol, Symbol)> {
        let node = &self.tokens[symbol.index()];
        (!node.left.is_none()).then_some((node.left, node.right))
    }

    /// Whether `symbol`, or a part of it, is made from a token that is merged later than itself.
    #[inline]
    pub fn is_dirty(&self, symbol: Symbol) -> bool {
        self.tokens[symbol.index()].dirty
    }

    /// All merges in rank order: left, right and merged symbol.
    pub fn merges(&self) -> impl Iterator<Item = (Symbol, Symbol, Symbol)> {
        let merged = (Symbol::BYTES..self.tokens.len()).map(Symbol::from_index);
        merged.filter_map(|symbol| self.parts(symbol).map(|(left, right)| (left, right, symbol)))
    }

    /// Appends the bytes of `symbol` to `out`.
    pub fn append_bytes(&self, symbol: Symbol, out: &mut Vec<u8>) {
        let mut pending = vec![symbol];
        while let Some(symbol) = pending.pop() {
            match self.parts(symbol) {
                Some((left, right)) => pending.extend([right, left]),
                None => out.extend(u8::try_from(symbol.get())),
            }
        }
    }

    /// Whether the bytes of `left` followed by those of `right` merge to just these two tokens.
    ///
    /// A sequence of tokens is the encoding of its bytes if and only if this holds for each adjacent pair: until the
    /// first merge across a boundary, the two tokens beside it evolve exactly as they would alone.
    ///
    /// Both tokens must be clean. The symbols that touch the boundary are then, at any moment, a node on the right
    /// edge of `left`'s derivation and one on the left edge of `right`'s, and each lasts until the merge that makes its
    /// parent. So it is enough to walk both edges upwards in time and to ask, of each pair that ever meets, whether it
    /// would merge before either of its two parents is made.
    ///
    /// # Complexity
    ///
    /// O(depth of the two derivations): one look-up per step.
    pub fn stay_apart(&self, left: Symbol, right: Symbol) -> bool {
        debug_assert!(!self.is_dirty(left) && !self.is_dirty(right));
        // Walked downwards from the whole tokens, latest merge first; `until` are the merges that end each node's life.
        let (mut left, mut right) = (left, right);
        let (mut left_until, mut right_until) = (Symbol::NONE, Symbol::NONE);
        loop {
            let across = self.merged(left, right);
            // A tie means that the same pair stands twice in a row, and the leftmost merges first.
            if !across.is_none() && across < left_until && across <= right_until {
                return false;
            }
            // Undo whichever was made later; of two alike the right one. When that is a byte, both are: bytes come first.
            if left > right {
                let Some((_, inner)) = self.parts(left) else { return true };
                (left_until, left) = (left, inner);
            } else {
                let Some((inner, _)) = self.parts(right) else { return true };
                (right_until, right) = (right, inner);
            }
        }
    }
}

#[inline]
fn byte_pair(left: Symbol, right: Symbol) -> Option<usize> {
    (left.is_byte() && right.is_byte()).then(|| left.index() << 8 | right.index())
}
