//! What the bytes of a block are, as one bit mask for each question: the only part of the scanner that differs by processor.
//!
//! Each *tier* answers the same questions with the same bits. [`portable`] is the truth and runs everywhere; a test holds the
//! others to it, and the best one that the processor has is chosen once a text.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::write_ends as write_ends_avx512;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::write_ends as write_ends_avx2;

use super::blocks::{self, Block};
use super::rules::Rules;

/// What the bytes of a block are that are ASCII: one bit for each byte, the first byte lowest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bytes {
    pub(super) letters: u64,
    pub(super) capitals: u64,
    pub(super) digits: u64,
    /// Spaces, line ends, and the tabs between them.
    pub(super) whitespace: u64,
    pub(super) newlines: u64,
    pub(super) spaces: u64,
    pub(super) apostrophes: u64,
    pub(super) slashes: u64,
    /// The bytes that are no ASCII.
    pub(super) high: u64,
}

/// What the bytes of a block are that are not ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HighBytes {
    /// The bytes that begin no character.
    pub(super) continuations: u64,
    /// The first bytes of characters of two bytes that are surely letters, see [`letter_length`](super::scan::letter_length).
    pub(super) narrow_letters: u64,
    /// The same of characters of three bytes, and of kana and other ideographs, which their next bytes tell.
    pub(super) wide_letters: u64,
    /// The first bytes of the commonest characters of three bytes that are neither letters nor numbers nor whitespace.
    pub(super) wide_signs: u64,
    /// The first bytes of most Arabic letters, which their second bytes tell.
    pub(super) arabic_letters: u64,
}

impl Bytes {
    /// The masks by what a tier finds: which bytes lie in `first..=last`, and which are one byte.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline(always)]
    fn by(is_in: impl Fn(u8, u8) -> u64, is: impl Fn(u8) -> u64) -> Self {
        let (capitals, spaces) = (is_in(b'A', b'Z'), is(b' '));
        Self {
            letters: capitals | is_in(b'a', b'z'),
            capitals,
            digits: is_in(b'0', b'9'),
            whitespace: spaces | is_in(0x09, 0x0D),
            newlines: is(b'\n') | is(b'\r'),
            spaces,
            apostrophes: is(b'\''),
            slashes: is(b'/'),
            high: is_in(0x80, 0xFF),
        }
    }
}

impl HighBytes {
    /// As [`Bytes::by`].
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline(always)]
    fn by(is_in: impl Fn(u8, u8) -> u64, is: impl Fn(u8) -> u64) -> Self {
        let arabic_letters = if is_in(0xD8, 0xDA) == 0 {
            0
        } else {
            Self::arabic_letters([0xD8, 0xD9, 0xDA].map(&is), [is_in(0xA0, 0xBF), is_in(0x80, 0x8A)])
        };
        let [letters, wide_signs] = if is_in(0xE2, 0xE4) | is(0xEF) == 0 { [0; 2] } else { Self::by_next(&is_in, &is) };
        Self {
            continuations: is_in(0x80, 0xBF),
            narrow_letters: is_in(0xC4, 0xCA) | is_in(0xD0, 0xD1),
            wide_letters: letters | is_in(0xE5, 0xE9) | is_in(0xEB, 0xEC),
            wide_signs,
            arabic_letters,
        }
    }

    /// The first bytes of letters and of signs of three bytes that [`wide_kind`] tells by their next two, where those are in
    /// the block.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[inline(always)]
    fn by_next(is_in: impl Fn(u8, u8) -> u64, is: impl Fn(u8) -> u64) -> [u64; 2] {
        let next = |first: u8, last: u8| is_in(first, last) >> 1;
        let last = |first: u8, last: u8| is_in(first, last) >> 2;
        let [e2, e3, e4, ef] = [0xE2, 0xE3, 0xE4, 0xEF].map(is);
        let next_80 = next(0x80, 0x80);
        let kana = next(0x81, 0x81) & last(0x81, 0xBF)
            | next(0x82, 0x82) & (last(0x80, 0x96) | last(0x9D, 0x9F) | last(0xA1, 0xBF))
            | next(0x83, 0x83) & (last(0x80, 0xBA) | last(0xBC, 0xBF));
        let letters = e3 & kana | e4 & (next(0x80, 0xB6) | next(0xB8, 0xBF)) & !0 >> 2;
        let signs = e2 & next_80 & last(0x90, 0xA7)
            | e3 & next_80 & (last(0x81, 0x83) | last(0x88, 0xA0))
            | ef & next(0xBC, 0xBC) & (last(0x81, 0x8F) | last(0x9A, 0xA0));
        [letters, signs]
    }

    /// The first bytes of U+0620 to U+063F, U+0640 to U+064A and U+0680 to U+06BF, all of which are letters without case: by the
    /// first bytes D8, D9 and DA, and the second bytes from A0 on, and up to 8A.
    #[inline(always)]
    fn arabic_letters([d8, d9, da]: [u64; 3], [from_a0, up_to_8a]: [u64; 2]) -> u64 {
        d8 & from_a0 >> 1 | d9 & up_to_8a >> 1 | da
    }
}

/// Whether a character of three bytes is a letter without case, or surely none; neither is said of most.
#[inline]
fn wide_kind(bytes: [u8; 3]) -> Option<bool> {
    match bytes {
        // Hiragana and katakana; ideographs up to U+4FFF.
        [0xE3, 0x81, 0x81..=0xBF]
        | [0xE3, 0x82, 0x80..=0x96 | 0x9D..=0x9F | 0xA1..=0xBF]
        | [0xE3, 0x83, 0x80..=0xBA | 0xBC..=0xBF]
        | [0xE4, 0x80..=0xB6 | 0xB8..=0xBF, _] => Some(true),
        // Dashes, quotation marks and dots; ideographic and fullwidth punctuation.
        [0xE2, 0x80, 0x90..=0xA7]
        | [0xE3, 0x80, 0x81..=0x83 | 0x88..=0xA0]
        | [0xEF, 0xBC, 0x81..=0x8F | 0x9A..=0xA0] => Some(false),
        _ => None,
    }
}

/// An instruction set that the scanner and the look-up of its pretokens are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// What every processor can do.
    Portable,
    /// AVX2 with the bit instructions that came with it: x86-64 since 2013.
    Avx2,
    /// AVX-512 with its instructions for bytes and words: x86-64 servers since 2017, desktops with Zen 4.
    Avx512,
    /// What every 64-bit ARM processor has.
    Neon,
}

/// The place in [`TIERS`] of the tier in use, or [`UNKNOWN`] where nobody has asked yet.
static CURRENT: AtomicUsize = AtomicUsize::new(UNKNOWN);

const UNKNOWN: usize = usize::MAX;

/// All tiers, the best last.
static TIERS: [Tier; 4] = [Tier::Portable, Tier::Neon, Tier::Avx2, Tier::Avx512];

impl Tier {
    /// The tiers that this processor can run, the best last.
    pub fn available() -> impl Iterator<Item = Self> {
        TIERS.into_iter().filter(|tier| tier.is_available())
    }

    /// Makes this process use `tier` from now on, where it is available, or the best one again. For tests: whichever it is,
    /// pretokens and ids are the same.
    pub fn force(tier: Option<Self>) {
        let wanted = TIERS.iter().rposition(|&other| other.is_available() && tier.is_none_or(|tier| tier == other));
        CURRENT.store(wanted.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The tier to use now.
    #[inline]
    pub(crate) fn current() -> Self {
        if let Some(tier) = TIERS.get(CURRENT.load(Ordering::Relaxed)) {
            return *tier;
        }
        Self::best()
    }

    #[cold]
    fn best() -> Self {
        Self::force(None);
        Self::available().last().unwrap_or(Self::Portable)
    }
}

/// [`walk::split`], compiled for the best tier.
#[inline]
pub(super) fn split<B>(
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    split_with(Tier::current(), rules, text, text_ends, visit)
}

/// [`split`] with a tier that is available.
#[inline]
pub(super) fn split_with<B>(
    tier: Tier,
    rules: Rules,
    text: &str,
    text_ends: &[usize],
    visit: impl FnMut(usize, &[usize]) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match tier {
        #[cfg(target_arch = "x86_64")]
        Tier::Avx2 => x86::split(rules, text, text_ends, visit),
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512 => avx512::split(rules, text, text_ends, visit),
        #[cfg(target_arch = "aarch64")]
        Tier::Neon => neon::split(rules, text, text_ends, visit),
        _ => portable::split(rules, text, text_ends, visit),
    }
}

/// The bytes of a block that the masks speak of; what follows is there to be loaded with them.
#[inline(always)]
fn masked(block: &Block) -> &[u8; blocks::N_BYTES] {
    block.first_chunk().unwrap_or(&[0; blocks::N_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unicode::{Class, class_of};

    /// Holds the masks of a tier to those of the portable one.
    pub(super) fn check(masks: impl Fn(&Block) -> (Bytes, HighBytes)) {
        let mut state = 1_u64;
        for case in 0..20_000 {
            let mut block: Block = [0; blocks::N_LOADED];
            for (index, byte) in block.iter_mut().enumerate() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Every byte value in every place, then random ones.
                *byte = if case < 256 { (case + index) as u8 } else { (state >> 56) as u8 };
            }
            assert_eq!(masks(&block), (portable::classify(&block), portable::classify_high(&block)), "{block:?}");
        }
        // Characters of three bytes, of which the last ones go on after the block.
        for c in ('\u{2000}'..'\u{5000}').chain('\u{FF00}'..='\u{FFFF}') {
            for place in [0, 7, 61, 62, 63] {
                let block = block_with(c, place);
                assert_eq!(masks(&block).1, portable::classify_high(&block), "{c:?} at {place}");
            }
        }
    }

    /// Holds what a tier writes of ends to what is written bit by bit.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn check_ends(write_ends: impl Fn(u64, usize, &mut [usize; blocks::N_BYTES])) {
        let mut state = 1_u64;
        for case in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let sparse = state & state.rotate_left(20);
            let lasts = [state, sparse, !sparse, 0, !0, 1 << (case % 64)][case % 6];
            let n = crate::ids::widen(lasts.count_ones());
            let [mut ends, mut expected] = [[usize::MAX; blocks::N_BYTES]; 2];
            write_ends(lasts, case, &mut ends);
            blocks::write_ends(lasts, case, &mut expected);
            assert_eq!(ends[..n], expected[..n], "{lasts:#b}");
        }
    }

    fn block_with(c: char, place: usize) -> Block {
        let mut block: Block = [b' '; blocks::N_LOADED];
        c.encode_utf8(&mut block[place..]);
        block
    }

    #[test]
    fn wide_letters_and_signs_are_what_they_are_said_to_be() {
        let mut n = [0; 2];
        for c in '\u{800}'..='\u{FFFF}' {
            let high = portable::classify_high(&block_with(c, 61));
            let [is_letter, is_sign] = [high.wide_letters, high.wide_signs].map(|mask| mask >> 61 & 1 == 1);
            assert!(!is_letter || class_of(c.into()) == Class::OtherLetter, "{c:?}");
            assert!(!is_sign || class_of(c.into()) == Class::Other, "{c:?}");
            n = [n[0] + usize::from(is_letter), n[1] + usize::from(is_sign)];
        }
        // Seven first bytes lead 4,096 letters each; of U+4000 to U+4FFF 64 are none, of what is told of kana nine.
        assert_eq!(n, [7 * 4096 + 4096 - 64 + 3 * 64 - 9, 24 + 3 + 25 + 15 + 7]);
    }

    #[test]
    fn arabic_letters_are_letters_without_case() {
        let mut n = 0;
        for c in ('\u{80}'..='\u{7FF}').chain(['一', '\u{10000}']) {
            let block = block_with(c, 0);
            let is_letter = portable::classify_high(&block).arabic_letters == 1;
            n += usize::from(is_letter);
            assert!(!is_letter || class_of(c.into()) == Class::OtherLetter, "{c:?}");
        }
        assert_eq!(n, 32 + 11 + 64);
    }
}
