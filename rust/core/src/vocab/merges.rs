//! The merges that can happen, by pair; and the test whether two tokens can stand side by side.

use std::borrow::Cow;
use std::ops::Range;

use super::pairs::Pairs;
use crate::counters::count;
use crate::error::{Result, check_room};
use crate::ids::{Symbol, TokenId, widen};

/// The canonical merges of a vocabulary: what [`canonical::normalise`](super::canonical::normalise) makes.
#[derive(Clone, Debug)]
pub struct MergeTable {
    /// What each pair of single bytes makes, indexed by `left << 8 | right`.
    byte_pairs: Vec<Symbol>,
    /// The merges of all other pairs, by pair.
    by_pair: Pairs,
    /// The two symbols of each merge, in rank order.
    parts: Cow<'static, [Parts]>,
    ids: Ids,
    /// One bit for each symbol that is dirty; where none is, there need be no bits.
    dirty: Vec<u64>,
}

/// The two symbols of a merge as a file holds them: 24 bits of the left one, 24 of the right one, the lowest first.
pub(crate) type Parts = [u8; 6];

/// The left and the right symbol.
#[inline(always)]
pub(crate) fn unpacked([a, b, c, d, e, f]: Parts) -> (Symbol, Symbol) {
    (Symbol::new(u32::from_le_bytes([a, b, c, 0])), Symbol::new(u32::from_le_bytes([d, e, f, 0])))
}

#[inline(always)]
fn packed(left: Symbol, right: Symbol) -> Parts {
    let ([a, b, c, _], [d, e, f, _]) = (left.get().to_le_bytes(), right.get().to_le_bytes());
    [a, b, c, d, e, f]
}

impl MergeTable {
    /// A table of single bytes, with room for `n_merges` merges; `byte_ids` by byte value.
    ///
    /// A byte without a token has a symbol all the same, which no text that is encoded holds.
    pub(super) fn new(byte_ids: &[Option<TokenId>; 256], n_merges: usize) -> Result<Self> {
        let n_bytes = n_merges * (size_of::<Parts>() + size_of::<TokenId>());
        check_room(n_bytes, "the merges")?;
        let mut ids = Vec::with_capacity(Symbol::BYTES + n_merges);
        ids.extend(byte_ids.map(|id| id.unwrap_or(TokenId::NONE)));
        Self::empty(Ids::new(ids, 0), Cow::Owned(Vec::with_capacity(n_merges)), n_merges)
    }

    /// The table of merges that are known to be canonical, in rank order, and none of them dirty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    pub(crate) fn of_canonical(ids: Ids, parts: &'static [Parts]) -> Result<Self> {
        let mut table = Self::empty(ids, Cow::Borrowed(parts), parts.len())?;
        for (merge, &parts) in parts.iter().enumerate() {
            let (left, right) = unpacked(parts);
            table.index(left, right, Symbol::from_index(Symbol::BYTES + merge));
        }
        Ok(table)
    }

    /// One that knows no merge by its pair yet, with room for `n_merges`.
    fn empty(ids: Ids, parts: Cow<'static, [Parts]>, n_merges: usize) -> Result<Self> {
        check_room(Pairs::n_bytes(n_merges), "the merges")?;
        Ok(Self {
            byte_pairs: vec![Symbol::NONE; 1 << 16],
            by_pair: Pairs::new(n_merges),
            parts,
            ids,
            dirty: Vec::new(),
        })
    }

    /// Adds the next merge and gives its symbol. `left` and `right` may be merged later than it (then it is dirty).
    pub(super) fn push(&mut self, left: Symbol, right: Symbol, id: TokenId, dirty: bool) -> Symbol {
        let merged = Symbol::from_index(self.n_symbols());
        self.parts.to_mut().push(packed(left, right));
        self.ids.first.push(id);
        if dirty {
            let word = merged.index() / 64;
            if self.dirty.len() <= word {
                self.dirty.resize(word + 1, 0);
            }
            self.dirty[word] |= 1 << (merged.index() % 64);
        }
        self.index(left, right, merged);
        merged
    }

    /// Makes a merge known by its pair.
    #[inline(always)]
    fn index(&mut self, left: Symbol, right: Symbol, merged: Symbol) {
        if let Some(slot) = byte_pair(left, right).and_then(|index| self.byte_pairs.get_mut(index)) {
            *slot = merged;
        } else {
            self.by_pair.insert(left, right, merged);
        }
    }

    /// The ids of the symbols; [`TokenId::NONE`] for a byte that is no token.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// How many symbols there are: the 256 bytes, and a token for each merge.
    pub fn n_symbols(&self) -> usize {
        Symbol::BYTES + self.parts.len()
    }

    /// What `left` and `right` merge to, or [`Symbol::NONE`].
    #[inline(always)]
    pub fn merged(&self, left: Symbol, right: Symbol) -> Symbol {
        count(1);
        if let Some(&merged) = byte_pair(left, right).and_then(|index| self.byte_pairs.get(index)) {
            return merged;
        }
        self.by_pair.find(left, right)
    }

    /// The token id of a symbol.
    #[inline]
    pub fn id(&self, symbol: Symbol) -> TokenId {
        self.ids.of(symbol)
    }

    /// How many bytes a symbol stands for.
    ///
    /// # Complexity
    ///
    /// O(that number).
    pub fn length(&self, symbol: Symbol) -> usize {
        let mut bytes = Vec::new();
        self.append_bytes(symbol, &mut bytes);
        bytes.len()
    }

    /// The two symbols that `symbol` is merged from; `None` for a single byte.
    #[inline]
    pub fn parts(&self, symbol: Symbol) -> Option<(Symbol, Symbol)> {
        let merge = symbol.index().checked_sub(Symbol::BYTES)?;
        self.parts.get(merge).copied().map(unpacked)
    }

    /// Whether `symbol`, or a part of it, is made from a token that is merged later than itself.
    #[inline]
    pub fn is_dirty(&self, symbol: Symbol) -> bool {
        let word = self.dirty.get(symbol.index() / 64).copied().unwrap_or(0);
        word >> (symbol.index() % 64) & 1 == 1
    }

    /// All merges in rank order: left, right and merged symbol.
    pub fn merges(&self) -> impl Iterator<Item = (Symbol, Symbol, Symbol)> {
        let parts = self.parts.iter().copied().map(unpacked);
        parts.zip(Symbol::BYTES..).map(|((left, right), merged)| (left, right, Symbol::from_index(merged)))
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

/// The ids of symbols: most often those of a rank file, which are numbers in a row but for the first.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    /// Those of the first symbols, which are at least the single bytes; [`TokenId::NONE`] for one that is no token.
    first: Vec<TokenId>,
    /// How much higher than the symbol the id is of all others.
    shift: u32,
}

impl Ids {
    /// `first` are those of the single bytes and maybe of merges after them; the id of any other is `shift` more than the
    /// symbol.
    pub(crate) fn new(first: Vec<TokenId>, shift: u32) -> Self {
        Self { first, shift }
    }

    /// Those of the first symbols, in order.
    pub(crate) fn first(&self) -> &[TokenId] {
        &self.first
    }

    /// Those of all others, where there are `n_symbols`.
    pub(crate) fn others(&self, n_symbols: usize) -> Range<usize> {
        self.first.len() + widen(self.shift)..n_symbols + widen(self.shift)
    }

    #[inline(always)]
    pub(crate) fn of(&self, symbol: Symbol) -> TokenId {
        let index = symbol.index();
        let first = self.first[index.min(self.first.len() - 1)];
        // No branch: in a text it would be taken for some symbols and not for others.
        std::hint::select_unpredictable(index < self.first.len(), first, TokenId::shifted(symbol, self.shift))
    }
}

#[inline]
fn byte_pair(left: Symbol, right: Symbol) -> Option<usize> {
    (left.is_byte() && right.is_byte()).then(|| left.index() << 8 | right.index())
}
