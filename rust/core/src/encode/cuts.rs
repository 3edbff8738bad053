//! Safe cuts: places in a pretoken that no token can cross, found by what stands beside them.
//!
//! If no token can hold the end of one character and the start of the next, no merge ever joins what lies on either side:
//! the encoding of the whole is the encoding of the parts, one after the other. In text without spaces most characters are
//! cut from their neighbours in this way, and a line that never comes again becomes a few characters that often do.

use std::sync::OnceLock;

use super::lone::{split_wide, wide_character};
use crate::counters::count;
use crate::error::Result;
use crate::ids::widen;
use crate::vocab::{MergeTable, Vocabulary};

/// Which neighbours some token may join.
#[derive(Debug)]
pub(super) struct Cuts {
    /// One bit for each pair of bytes that stand side by side in some token, by `left << 8 | right`.
    bytes: Vec<u64>,
    /// Built when the first text comes that has two characters of three bytes in a row.
    characters: OnceLock<Characters>,
}

/// Which pairs of characters of three bytes some token may join: at least those that one does, and few others.
#[derive(Debug)]
struct Characters {
    /// By code point: the groups of joints that the character may be on the left of, and those that it may be on the right
    /// of. Only where it shares one with its neighbour may a token join the two.
    groups: Box<[[u8; 2]; 1 << 16]>,
    /// One bit for each hash of two whole characters that some token holds side by side.
    pairs: Vec<u64>,
}

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

    /// Makes ready for [`segments`](Self::segments) of a text.
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
            vocabulary.check_room()?;
            let characters = Characters::new(vocabulary, table, whole_pretokens);
            self.characters.get_or_init(|| characters);
        }
        Ok(())
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

    /// Calls `visit` with the characters of three bytes at the start of some bytes that stand alone, between two safe cuts or
    /// at the end, and with what follows each, until one does not or `visit` says so.
    #[inline(always)]
    pub(super) fn lone_characters(&self, bytes: &[u8], mut visit: impl FnMut(u16, &[u8]) -> bool) {
        let Some(characters) = self.characters.get() else { return };
        let mut next = split_wide(bytes);
        while let Some((left, rest)) = next {
            next = split_wide(rest);
            let is_joined = match (next, rest) {
                (Some((right, _)), _) => characters.are_joined(left, right),
                (None, &[first, ..]) => self.are_joined(&[last_byte(left), first]),
                (None, []) => false,
            };
            if is_joined || !visit(left, rest) {
                break;
            }
        }
    }

    /// Whether some token may hold two bytes side by side.
    fn are_joined(&self, pair: &[u8]) -> bool {
        matches!(*pair, [left, right] if self.bytes[word(left, right)] >> (right & 63) & 1 == 1)
    }
}

impl Characters {
    fn new(vocabulary: &Vocabulary, table: &MergeTable, whole_pretokens: bool) -> Self {
        let mut all = Self { groups: Box::new([[0; 2]; 1 << 16]), pairs: vec![0; 1 << 14] };
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

    #[inline(always)]
    fn are_joined(&self, left: u16, right: u16) -> bool {
        let ([lefts, _], [_, rights]) = (self.groups[usize::from(left)], self.groups[usize::from(right)]);
        match lefts & rights {
            0 => false,
            PAIRED => {
                let (word, bit) = pair_bit(left, right);
                self.pairs[word] & bit != 0
            }
            _ => true,
        }
    }
}

/// The group of characters that stand whole beside another in some token: which, `pairs` says.
const PAIRED: u8 = 1 << 7;

/// The first byte of characters of three bytes, and of four.
const WIDE: u8 = 0xE0;

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

/// The last byte of a character of three.
#[inline(always)]
fn last_byte(character: u16) -> u8 {
    let [low, _] = character.to_le_bytes();
    0x80 | low & 0x3F
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
mod tests {
    use super::*;
    use crate::builtin;
    use crate::vocab::canonical::normalise;

    /// Where the segments of a pretoken end, lone characters looked for or not.
    fn ends(cuts: &Cuts, pretoken: &[u8]) -> Vec<usize> {
        let (mut ends, mut end) = (Vec::new(), 0);
        while end < pretoken.len() {
            end += cuts.first_segment(&pretoken[end..]);
            ends.push(end);
        }
        let (mut others, mut end) = (Vec::new(), 0);
        while end < pretoken.len() {
            cuts.lone_characters(&pretoken[end..], |character, rest| {
                assert_eq!(wide_character(&pretoken[end..]), Some(character));
                end = pretoken.len() - rest.len();
                others.push(end);
                true
            });
            if end < pretoken.len() {
                end += cuts.first_segment(&pretoken[end..]);
                others.push(end);
            }
        }
        assert_eq!(ends, others, "{pretoken:?}");
        ends
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
