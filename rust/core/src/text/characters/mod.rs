//! The characters of UTF-8, one number each: what Python holds a text in.
//!
//! Python's own decoder takes them one after the other, and begins anew where one is wider than all before it.

#[cfg(target_arch = "x86_64")]
mod avx2;

use std::mem::MaybeUninit;

pub use super::Unit;
use crate::pretokenize::Tier;

/// How wide the widest character of a text is, and so what its characters can be held in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// All are ASCII.
    Ascii,
    /// All are below U+0100.
    Latin1,
    /// All are below U+10000.
    Ucs2,
    /// Some are not.
    Ucs4,
}

impl Width {
    /// That of a text.
    ///
    /// # Complexity
    ///
    /// O(n) for n bytes.
    pub fn of(text: &str) -> Self {
        match text.bytes().max() {
            None | Some(..0x80) => Self::Ascii,
            // What starts characters of two bytes begins at 0xC2, what continues them lies below.
            Some(..0xC4) => Self::Latin1,
            Some(..LONGEST) => Self::Ucs2,
            Some(_) => Self::Ucs4,
        }
    }
}

/// The bytes from here on start characters of four bytes.
const LONGEST: u8 = 0xF0;

/// So many bytes are taken at a time, or a few less, so that where one has a character of four bytes few are.
const PART: usize = 1 << 10;

/// The characters of a part, and what may be written behind them.
type Units = [u16; PART + LANES];

/// What takes many bytes at a time takes as many.
const LANES: usize = 16;

/// Writes the numbers of the characters of `text` to `out`, as many as there are or as there is room for. They must be of the text's
/// [`Width`]. Returns how many were written.
///
/// # Complexity
///
/// O(n) for n bytes.
///
/// # Examples
///
/// ```
/// # use std::mem::MaybeUninit;
/// # use bytepair_core::characters;
/// let mut out = [MaybeUninit::new(0_u16); 9];
/// assert_eq!(characters::write("h你", &mut out), 2);
/// ```
pub fn write<T: Unit>(text: &str, out: &mut [MaybeUninit<T>]) -> usize {
    write_on(Tier::current(), text, out)
}

fn write_on<T: Unit>(tier: Tier, text: &str, out: &mut [MaybeUninit<T>]) -> usize {
    let mut units = [0; PART + LANES];
    let (mut rest, mut n_written) = (text, 0);
    while let Some((part, after)) = rest.split_at_checked(part_end(rest)).filter(|(part, _)| !part.is_empty()) {
        let places = out.get_mut(n_written..).unwrap_or_default();
        let is_long = T::MAX_BYTES > 3 && part.bytes().max() >= Some(LONGEST);
        n_written += match n_units(tier, is_long, rest.as_bytes(), part.len(), &mut units) {
            Some(n) => fill(places, units.iter().take(n).map(|&unit| T::of(unit.into()))),
            None => fill(places, part.chars().map(|character| T::of(character.into()))),
        };
        rest = after;
    }
    n_written
}

/// Where the first part of a text ends: not inside a character.
fn part_end(text: &str) -> usize {
    let ends = (0..=PART.min(text.len())).rev();
    ends.into_iter().find(|&end| text.is_char_boundary(end)).unwrap_or_default()
}

fn fill<T>(places: &mut [MaybeUninit<T>], units: impl Iterator<Item = T>) -> usize {
    let mut n = 0;
    for (place, unit) in places.iter_mut().zip(units) {
        place.write(unit);
        n += 1;
    }
    n
}

/// Finds the characters of the first `n` bytes of a text many at a time, if there is a way to.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn n_units(tier: Tier, is_long: bool, text: &[u8], n: usize, units: &mut Units) -> Option<usize> {
    match tier {
        #[cfg(target_arch = "x86_64")]
        Tier::Avx2 | Tier::Avx512 if !is_long => Some(avx2::write(text, n, units)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::mixed;
    use super::*;

    /// All of a text in units of one kind, on every tier.
    fn check_as<T: Unit + PartialEq + std::fmt::Debug>(text: &str) {
        let expected: Vec<u32> = text.chars().map(u32::from).collect();
        for tier in Tier::available() {
            let mut out = vec![MaybeUninit::new(T::of(7)); expected.len() + 3];
            assert_eq!(write_on(tier, text, &mut out), expected.len(), "{tier:?} {text:?}");
            // SAFETY: all of them were written to begin with.
            let written: Vec<u32> = out.iter().map(|unit| unsafe { unit.assume_init() }.into()).collect();
            assert_eq!(written, [&expected[..], &[7; 3]].concat(), "{tier:?} {text:?}");
            // No more than there is room for.
            let half = expected.len() / 2;
            assert_eq!(write_on(tier, text, &mut out[..half]), half);
        }
    }

    fn check(text: &str) {
        let highest = text.chars().max().map_or(0, u32::from);
        let width = [Width::Ascii, Width::Latin1, Width::Ucs2, Width::Ucs4];
        let most = [0x7F, 0xFF, 0xFFFF, u32::MAX];
        let at = most.iter().position(|&most| highest <= most).unwrap();
        assert_eq!(Width::of(text), width[at], "{text:?}");
        check_as::<u32>(text);
        if at < 3 {
            check_as::<u16>(text);
        }
        if at < 2 {
            check_as::<u8>(text);
        }
    }

    #[test]
    fn every_character() {
        let all: Vec<char> = ('\0'..=char::MAX).collect();
        for characters in all.chunks(1000) {
            check(&characters.iter().collect::<String>());
        }
        check(&all.iter().collect::<String>());
        check("");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

        #[test]
        fn characters_of_all_lengths_among_each_other(
            characters in mixed(0..700),
            most in prop_oneof![Just('\u{80}'), Just('\u{100}'), Just('\u{800}'), Just('\u{10000}'), Just(char::MAX)],
        ) {
            check(&characters.into_iter().filter(|&character| character < most).collect::<String>());
        }
    }
}
