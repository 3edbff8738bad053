//! Safe cuts: places in a pretoken that no token can cross, found by what stands beside them.
//!
//! If no token can hold the end of one character and the start of the next, no merge ever joins what lies on either side:
//! the encoding of the whole is the encoding of the parts, one after the other. In text without spaces most characters are
//! cut from their neighbours in this way, and a line that never comes again becomes a few characters that often do.

use std::sync::OnceLock;

use crate::counters::count;
use crate::error::Result;
use crate::ids::widen;
use crate::vocab::{MergeTable, Vocabulary};

/// Which neighbours some token may join.
#[derive(Debug)]
pub(super) struct Cuts {
    /// One bit for each pair of bytes that stand side by side in some token, by `left << 8 | right`.
    bytes: Vec<u64>,
    /// Built when the first text comes that has characters of three bytes or more, and is to be cut.
    characters: OnceLock<Characters>,
}

/// Which pairs of characters of three bytes some token may join: at least those that one does, and few others.
#[derive(Debug)]
pub(super) struct Characters {
    /// By code point.
    groups: Box<[Groups; GROUPS]>,
    /// One bit for each hash of two whole characters that some token holds side by side.
    pairs: Vec<u64>,
}

/// The groups of joints that a character may be on the left of, and those that it may be on the right of. Only where it shares
/// one with its neighbour may a token join the two.
pub(super) type Groups = [u8; 2];

/// For each character of three bytes, and one more, so that two can be read wherever there is one.
pub(super) const GROUPS: usize = (1 << 16) + 1;

/// Cuts are looked for after so many bytes at a time.
pub(super) const N_CUTS: usize = 60;

/// Around the places of cuts, from two bytes before the first one on, so that characters on both sides can be loaded.
pub(super) const N_LOADED: usize = 72;

pub(super) type Block = [u8; N_LOADED];

/// The bits of [`Cuts`] for pairs of bytes as a file holds them: the lowest first.
pub(crate) type Joints = [u8; 1 << 13];

impl Cuts {
    /// Looks at the tokens that merging can make; and, where whole pretokens are looked up, at those that it cannot.
    pub(super) fn new(vocabulary: &Vocabulary, table: &MergeTable, whole_pretokens: bool) -> Self {
        let mut bytes = vec![0; 1 << 10];
        for_each_joint(vocabulary, table, whole_pretokens, |token, middle| {
            if let Some(&[left, right]) = token.get(middle - 1..=middle) {
                bytes[word(left, right)] |= 1 << (right & 63);
            }
        });
        Self { bytes, characters: OnceLock::new() }
    }

    /// Of tokens that were looked at before.
    pub(super) fn of(joints: &Joints) -> Self {
        let bytes = joints.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        Self { bytes, characters: OnceLock::new() }
    }

    /// Makes ready for [`first_segment`](Self::first_segment) of a text.
    ///
    /// As with the sorted tokens, the tables are built outside their cell.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
    #[inline]
    pub(super) fn prepare(
        &self,
        text: &[u8],
        vocabulary: &Vocabulary,
        table: &MergeTable,
        whole_pretokens: bool,
    ) -> Result<()> {
        if self.characters.get().is_none() && text.iter().any(|&byte| byte >= WIDE) {
            self.characters(vocabulary, table, whole_pretokens)?;
        }
        Ok(())
    }

    /// What is known of characters of three bytes, made where this is the first to ask.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    #[inline]
    pub(super) fn characters(
        &self,
        vocabulary: &Vocabulary,
        table: &MergeTable,
        whole_pretokens: bool,
    ) -> Result<&Characters> {
        match self.characters.get() {
            Some(characters) => Ok(characters),
            None => {
                vocabulary.check_room()?;
                let characters = Characters::new(vocabulary, table, whole_pretokens);
                Ok(self.characters.get_or_init(|| characters))
            }
        }
    }

    /// How long the first segment of some bytes is, up to their first safe cut or their end.
    pub(super) fn first_segment(&self, bytes: &[u8]) -> usize {
        let characters = self.characters.get();
        let mut at = 0;
        // What the rest starts with, if that has three bytes.
        let mut first = wide_character(bytes);
        while at < bytes.len() {
            let left = first;
            at += match left {
                Some(_) => 3,
                // Cutting inside characters too would be right, but make the segments too short to be worth a look-up.
                None => 1 + bytes.iter().skip(at + 1).take_while(|&&byte| byte & 0xC0 == 0x80).count(),
            };
            first = wide_character(bytes.get(at..).unwrap_or_default());
            let is_joined = match (left, first) {
                (Some(left), Some(right)) => characters.is_none_or(|all| all.are_joined(left, right)),
                _ => bytes.get(at - 1..=at).is_some_and(|pair| self.are_joined(pair)),
            };
            if !is_joined {
                break;
            }
        }
        count(at);
        at
    }

    /// Whether some token may hold two bytes side by side.
    fn are_joined(&self, pair: &[u8]) -> bool {
        matches!(*pair, [left, right] if self.bytes[word(left, right)] >> (right & 63) & 1 == 1)
    }
}

impl Characters {
    fn new(vocabulary: &Vocabulary, table: &MergeTable, whole_pretokens: bool) -> Self {
        let mut all = Self { groups: Box::new([[0; 2]; GROUPS]), pairs: vec![0; PAIR_WORDS] };
        for_each_joint(vocabulary, table, whole_pretokens, |token, middle| {
            // Of most joints this is all there is to see: no such character ends before them, or begins after them.
            if !matches!(token.get(middle - 1..=middle), Some([0x80..=0xBF, WIDE..=0xEF])) {
                return;
            }
            let (left, right) = token.split_at(middle);
            let (Some(left), Some((right, prefix))) = (characters_at_end(left), characters_at_start(right)) else {
                return;
            };
            let group = if let (1, 1) = (left.n, right.n) {
                let (word, bit) = pair_bit(left.first, right.first);
                all.pairs[word] |= bit;
                PAIRED
            } else {
                // Where one of them is cut off, all characters that it may be a part of are joined, by way of a group.
                1 << (prefix % 7)
            };
            left.each(|left| all.groups[usize::from(left)][0] |= group);
            right.each(|right| all.groups[usize::from(right)][1] |= group);
        });
        all
    }

    /// By code point: the groups of each.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn groups(&self) -> &[Groups; GROUPS] {
        &self.groups
    }

    fn are_joined(&self, left: u16, right: u16) -> bool {
        let ([lefts, _], [_, rights]) = (self.groups[usize::from(left)], self.groups[usize::from(right)]);
        let shared = lefts & rights;
        shared & !PAIRED != 0 || shared != 0 && self.are_paired(left, right)
    }

    #[inline(always)]
    fn are_paired(&self, left: u16, right: u16) -> bool {
        let (word, bit) = pair_bit(left, right);
        self.pairs[word % PAIR_WORDS] & bit != 0
    }

    /// The safe cuts between characters of three bytes, which begin at the places of `wide`: bit `i` speaks of the place after
    /// byte `2 + i` of the block.
    #[inline(always)]
    pub(super) fn cuts(&self, block: &Block, wide: u64) -> u64 {
        let (mut apart, mut paired) = (0, 0);
        let pairs = wide & wide >> 3;
        let (mut lefts, mut rest) = (0, pairs | pairs << 3);
        while rest != 0 {
            let place = rest.trailing_zeros();
            rest &= rest - 1;
            let [next_lefts, rights] = self.groups[usize::from(code_point(wide_bytes(block, place)))];
            // Of two that are not side by side nothing is asked; to look all the same takes no branch.
            let shared = lefts & rights;
            apart |= u64::from(shared == 0) << place;
            paired |= u64::from(shared == PAIRED) << place;
            lefts = next_lefts;
        }
        pairs & apart >> 3 | self.not_paired(block, pairs & paired >> 3)
    }

    /// Those of `places` where two whole characters meet that no token holds side by side.
    #[inline(always)]
    pub(super) fn not_paired(&self, block: &Block, mut places: u64) -> u64 {
        let mut cuts = 0;
        while places != 0 {
            let place = places.trailing_zeros();
            places &= places - 1;
            let [left, right] = [place, place + 3].map(|place| code_point(wide_bytes(block, place)));
            cuts |= u64::from(!self.are_paired(left, right)) << place;
        }
        cuts
    }
}

/// The bits that all characters of three bytes have alike, and what they are.
const FIXED: u32 = 0xF0_C0_C0;
const FIXED_BITS: u32 = 0xE0_80_80;

/// The code point of a character of three bytes, which are the lower three.
#[inline(always)]
fn code_point(bytes: u32) -> u16 {
    let [third, second, first, _] = bytes.to_le_bytes().map(u16::from);
    first << 12 | (second & 0x3F) << 6 | third & 0x3F
}

/// The three bytes of a block from one of its first 64 on.
#[inline(always)]
fn wide_bytes(block: &Block, place: u32) -> u32 {
    let bytes = block.get(widen(place)..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    u32::from_be_bytes(bytes) >> 8
}

/// At which of the first 64 bytes of a block characters of three bytes begin.
#[inline]
pub(super) fn wide_characters(block: &Block) -> u64 {
    let leads = highest_bits(block, 0, |word| word & word << 1 & word << 2 & !(word << 3));
    let [seconds, thirds] = [1, 2].map(|at| highest_bits(block, at, |word| word & !(word << 1)));
    leads & seconds & thirds
}

/// The highest bit of what `of` makes of each of 64 bytes from one of the block on.
#[inline(always)]
fn highest_bits(block: &Block, at: usize, of: impl Fn(u64) -> u64) -> u64 {
    let words = block.get(at..).unwrap_or_default().as_chunks::<8>().0.iter().take(8);
    words.enumerate().fold(0, |mask, (index, word)| {
        // The product moves the highest bit of byte `i` to bit 56 + `i`, and no two of its terms meet.
        let bits = of(u64::from_le_bytes(*word)) & 0x8080_8080_8080_8080;
        mask | (bits.wrapping_mul(0x0002_0408_1020_4081) >> 56) << (8 * index)
    })
}

/// The group of characters that stand whole beside another in some token: which, `pairs` says.
pub(super) const PAIRED: u8 = 1 << 7;

/// The bits of pairs are in so many words.
const PAIR_WORDS: usize = 1 << 14;

/// Characters of three bytes begin with this byte or one of the next fifteen, and characters of four with higher ones.
pub(super) const WIDE: u8 = 0xE0;

/// Calls `visit` with each place inside a token where a character may begin: the token and the place.
fn for_each_joint(
    vocabulary: &Vocabulary,
    table: &MergeTable,
    whole_pretokens: bool,
    mut visit: impl FnMut(&[u8], usize),
) {
    let tokens = vocabulary.tokens();
    let token = |symbol| tokens.get(table.id(symbol).index()).unwrap_or_default();
    // Where its two parts meet is all there is to a token that is merged: its other joints lie in the parts.
    for (left, _, merged) in table.merges() {
        visit(token(merged), token(left).len());
    }
    if whole_pretokens {
        for (_, token) in vocabulary.ordinary() {
            (1..token.len()).for_each(|middle| visit(token, middle));
        }
    }
}

/// Characters of three bytes, each so many code points after the one before.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u16,
    step: u16,
    n: u16,
}

impl Range {
    fn one(character: u16) -> Self {
        Self { first: character, step: 1, n: 1 }
    }

    fn each(self, visit: impl FnMut(u16)) {
        (0..self.n).map(|index| self.first + index * self.step).for_each(visit);
    }
}

/// The characters of three bytes that bytes may end with: one, or all that the last bytes may be the end of.
fn characters_at_end(bytes: &[u8]) -> Option<Range> {
    let n_continuations = bytes.iter().rev().take_while(|&byte| byte & 0xC0 == 0x80).count();
    match (bytes, n_continuations) {
        ([third], 1) => Some(Range { first: u16::from(third & 0x3F), step: 1 << 6, n: 1 << 10 }),
        ([second, third], 2) => {
            let first = u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
            Some(Range { first, step: 1 << 12, n: 1 << 4 })
        }
        ([.., lead, second, third], 2) => wide_character(&[*lead, *second, *third]).map(Range::one),
        _ => None,
    }
}

/// The characters of three bytes that bytes may start with: one, or all that they may be the start of. And what tells
/// their starts apart.
fn characters_at_start(bytes: &[u8]) -> Option<(Range, u32)> {
    match *bytes {
        [lead @ 0xE0..=0xEF] => {
            let first = u16::from(lead & 0xF) << 12;
            Some((Range { first, step: 1, n: 1 << 12 }, lead.into()))
        }
        [lead @ 0xE0..=0xEF, second @ 0x80..=0xBF] => {
            let first = u16::from(lead & 0xF) << 12 | u16::from(second & 0x3F) << 6;
            Some((Range { first, step: 1, n: 1 << 6 }, u32::from(lead) << 8 | u32::from(second)))
        }
        _ => wide_character(bytes).map(|character| (Range::one(character), u32::from(character) << 8)),
    }
}

/// The character that bytes start with, where it has three bytes.
#[inline(always)]
fn wide_character(bytes: &[u8]) -> Option<u16> {
    let &[first, second, third, ..] = bytes else { return None };
    let bytes = u32::from_be_bytes([0, first, second, third]);
    // One comparison for all of them.
    (bytes & FIXED == FIXED_BITS).then(|| code_point(bytes))
}

/// Which word has the bit of a pair of bytes.
#[inline(always)]
fn word(left: u8, right: u8) -> usize {
    usize::from(left) << 2 | usize::from(right) >> 6
}

/// Which word and bit a pair of characters has.
#[inline(always)]
fn pair_bit(left: u16, right: u16) -> (usize, u64) {
    let hash = (u32::from(left) << 16 | u32::from(right)).wrapping_mul(0x9E37_79B1) >> 12;
    (widen(hash >> 6), 1 << (hash & 63))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::builtin;
    use crate::tokenizer::Tokenizer;
    use crate::vocab::canonical::normalise;

    /// A vocabulary with few joints between characters, and one with many.
    pub(in super::super) static TOKENIZERS: LazyLock<[Tokenizer; 2]> =
        LazyLock::new(|| ["gpt2", "o200k_base"].map(|name| builtin::tokenizer(name).unwrap().unwrap()));

    /// Where the segments of a pretoken end.
    fn ends(cuts: &Cuts, pretoken: &[u8]) -> Vec<usize> {
        let (mut ends, mut end) = (Vec::new(), 0);
        while end < pretoken.len() {
            end += cuts.first_segment(&pretoken[end..]);
            ends.push(end);
        }
        check_blocks(cuts, pretoken, &ends);
        ends
    }

    /// What is found in blocks are the ends between two characters of three bytes.
    fn check_blocks(cuts: &Cuts, pretoken: &[u8], ends: &[usize]) {
        let is_wide = |at: Option<usize>| at.and_then(|at| wide_character(pretoken.get(at..)?)).is_some();
        let expected: Vec<usize> =
            ends.iter().copied().filter(|&end| is_wide(end.checked_sub(3)) && is_wide(Some(end))).collect();
        let mut found = Vec::new();
        for (first, bytes) in pretoken.chunks(N_CUTS).enumerate() {
            let mut block = [0; N_LOADED];
            let around = [0; 2].iter().chain(pretoken).skip(N_CUTS * first);
            block.iter_mut().zip(around).for_each(|(slot, &byte)| *slot = byte);
            let places = cuts.characters.get().unwrap().cuts(&block, wide_characters(&block));
            found.extend(
                (0..bytes.len()).filter(|place| places >> place & 1 == 1).map(|place| N_CUTS * first + place + 1),
            );
        }
        assert_eq!(found, expected, "{pretoken:?}");
    }

    /// A cut is safe if no token holds the end of what is before it and the start of what is after it. Here tokens are
    /// searched for every such end and start, for characters that tokens join and for others.
    #[test]
    fn no_token_crosses_a_cut() {
        for name in ["gpt2", "cl100k_base", "o200k_base"] {
            let definition = builtin::definition(name).unwrap().unwrap();
            let vocabulary = Vocabulary::new(&definition.tokens, &[]).unwrap();
            let table = normalise(&vocabulary, &definition.merges).unwrap().table;
            let cuts = Cuts::new(&vocabulary, &table, false);
            cuts.prepare("中".as_bytes(), &vocabulary, &table, false).unwrap();
            let mut joints = std::collections::HashSet::new();
            let mut characters =
                vec!['a', 'é', '\u{800}', '中', '文', '。', 'の', 'ー', '한', '국', 'ก', 'ा', '\u{FFFD}', '😀'];
            for (_, token) in &definition.tokens {
                for middle in 1..token.len() {
                    // Whole characters, or what the token holds of one.
                    let is_start = |at: usize| at == 0 || at == token.len() || token[at] & 0xC0 != 0x80;
                    for start in (middle.saturating_sub(4)..middle).filter(|&start| is_start(start)) {
                        for end in (middle + 1..=token.len().min(middle + 4)).filter(|&end| is_start(end)) {
                            joints.insert((&token[start..middle], &token[middle..end]));
                        }
                    }
                }
                let text = String::from_utf8_lossy(token);
                characters.extend(text.chars().filter(|c| c.len_utf8() == 3).take(2));
            }
            characters.sort_unstable();
            characters.dedup();
            let (mut n_cut, mut n_joined) = (0, 0);
            for (index, left) in characters.iter().enumerate() {
                for right in characters.iter().skip(index % 7).step_by(7) {
                    let (mut left_bytes, mut right_bytes) = ([0; 4], [0; 4]);
                    let left = left.encode_utf8(&mut left_bytes).as_bytes();
                    let right = right.encode_utf8(&mut right_bytes).as_bytes();
                    let text = [left, right].concat();
                    if ends(&cuts, &text).len() == 1 {
                        n_joined += 1;
                        continue;
                    }
                    n_cut += 1;
                    for start in 0..left.len() {
                        for end in 1..=right.len() {
                            assert!(!joints.contains(&(&left[start..], &right[..end])), "{name} {text:?}");
                        }
                    }
                }
            }
            // Not so few that a mistake would go unseen, nor so many joined that cutting would be of no use.
            assert!(n_cut > 5_000 && n_joined > 50 && n_joined < n_cut / 2, "{name} {n_cut} {n_joined}");
        }
    }

    /// What is shipped is what the tokens say.
    #[test]
    fn the_joints_of_the_published_vocabularies_are_theirs() {
        for name in builtin::names() {
            let tokenizer = builtin::tokenizer(name).unwrap().unwrap();
            let encoder = tokenizer.encoder();
            let cuts = Cuts::new(tokenizer.vocabulary(), encoder.table(), false);
            assert_eq!(encoder.cuts.bytes, cuts.bytes, "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_by_pairs_of_bytes() {
        let definition = builtin::definition("gpt2").unwrap().unwrap();
        let vocabulary = Vocabulary::new(&definition.tokens, &[]).unwrap();
        let table = normalise(&vocabulary, &definition.merges).unwrap().table;
        let cuts = Cuts::new(&vocabulary, &table, false);
        cuts.prepare("中".as_bytes(), &vocabulary, &table, false).unwrap();
        for bytes in
            [&b"\xE4"[..], b"\xE4\xB8", b"\xE4\xE4\xB8\xAD", b"\x80\x80\xFF\xE4A", b"\xED\xA0\x80\xED\xB0\x80", b""]
        {
            let ends = ends(&cuts, bytes);
            assert!(ends.is_sorted_by(|one, other| one < other), "{bytes:?} {ends:?}");
            assert_eq!(ends.last().copied().unwrap_or(0), bytes.len());
        }
    }
}
