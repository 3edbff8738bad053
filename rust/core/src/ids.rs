//! The number types of the crate, and the only place where integers change width.

#![allow(clippy::as_conversions)]

// Every target we build for has pointers of 32 bits or more, so `u32 -> usize` is lossless.
const _: () = assert!(usize::BITS >= u32::BITS);

/// Widens a `u32` to an index. Lossless on every supported target.
#[inline(always)]
pub(crate) const fn widen(value: u32) -> usize {
    value as usize
}

/// Widens a `usize` to a `u64`. Lossless on every supported target.
#[inline(always)]
pub(crate) const fn widen_u64(value: usize) -> u64 {
    value as u64
}

/// Narrows an index to a `u32`, or `None` where it does not fit.
#[inline(always)]
pub(crate) fn narrow(value: usize) -> Option<u32> {
    u32::try_from(value).ok()
}

/// The two halves of a number, the lower first.
#[inline(always)]
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// A hash of two numbers: the two halves of their product, folded into one.
#[inline(always)]
pub(crate) fn fold_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The id a vocabulary gives a token: what [`encode`](crate::Tokenizer::encode) returns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TokenId(u32);

impl TokenId {
    /// Ids lie below 2²⁴; a file that asks for more is refused before anything is allocated.
    pub const LIMIT: u32 = 1 << 24;

    /// Stands for the id of a byte that is no token; larger than any real id.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Wraps an id, or `None` at [`TokenId::LIMIT`] and above.
    #[inline]
    pub const fn new(id: u32) -> Option<Self> {
        if id < Self::LIMIT { Some(Self(id)) } else { None }
    }

    /// The id of the `index`-th token, or `None` at [`TokenId::LIMIT`] and above.
    #[inline]
    pub fn from_index(index: usize) -> Option<Self> {
        narrow(index).and_then(Self::new)
    }

    /// The id that is `shift` more than the number of a symbol.
    #[inline(always)]
    pub(crate) const fn shifted(symbol: Symbol, shift: u32) -> Self {
        Self(symbol.0.wrapping_add(shift))
    }

    /// The id as a number.
    #[inline(always)]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id as an index.
    #[inline(always)]
    pub const fn index(self) -> usize {
        widen(self.0)
    }
}

impl std::fmt::Display for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A token numbered by when it is made: the 256 bytes first, then the result of each merge in rank order.
///
/// A lower symbol merges first, so one number is both the priority of a merge and its result.
/// Symbols are private to one tokenizer; users see [`TokenId`]s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Symbol(u32);

impl Symbol {
    /// Stands for "no symbol" where an `Option` would double the width; larger than any real symbol.
    pub const NONE: Self = Self(u32::MAX);

    /// The number of single bytes, hence the first symbol that a merge makes.
    pub const BYTES: usize = 256;

    /// The symbol of a single byte.
    #[inline(always)]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte as u32)
    }

    /// The symbol with this number.
    #[inline(always)]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The `index`-th symbol. There are fewer than [`TokenId::LIMIT`], so the number fits.
    #[inline(always)]
    pub const fn from_index(index: usize) -> Self {
        debug_assert!(index < widen(TokenId::LIMIT));
        Self(index as u32)
    }

    /// The symbol as a number.
    #[inline(always)]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The symbol as an index.
    #[inline(always)]
    pub const fn index(self) -> usize {
        widen(self.0)
    }

    /// Whether this is [`Symbol::NONE`].
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }

    /// Whether this is a single byte.
    #[inline(always)]
    pub const fn is_byte(self) -> bool {
        self.0 < Self::BYTES as u32
    }
}

/// Two adjacent symbols in one word: the key of every pair table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pair(u64);

impl Pair {
    /// Packs `left` and `right`; pairs order by `left`, then `right`.
    #[inline(always)]
    pub const fn new(left: Symbol, right: Symbol) -> Self {
        Self((left.0 as u64) << 32 | right.0 as u64)
    }

    /// The symbol on the left.
    #[inline(always)]
    pub const fn left(self) -> Symbol {
        Symbol((self.0 >> 32) as u32)
    }

    /// The symbol on the right.
    #[inline(always)]
    pub const fn right(self) -> Symbol {
        Symbol(self.0 as u32)
    }

    /// Both symbols in one number.
    #[inline(always)]
    pub const fn get(self) -> u64 {
        self.0
    }
}
