//! The scanner: one pass over text, a pretoken at a time, by any [`Rules`]. What the presets mean is decided here.

use std::ops::ControlFlow;

use super::rules::{Contractions, Digits, Rules, Tail, Whitespace, Words};
use crate::counters::count;
use crate::ids::widen;
use crate::unicode::{Class, class_of};

/// A set of character classes. The empty set is also what the end of the text belongs to.
type Set = u16;

const NEWLINE: Set = set(Class::Newline);
const SPACE: Set = set(Class::Space);
const WHITESPACE: Set = NEWLINE | SPACE | set(Class::Whitespace);
const UPPER: Set = set(Class::Upper);
const NUMBER: Set = set(Class::Number);
const LETTER: Set = UPPER | set(Class::Lower) | set(Class::OtherLetter);
/// What can stand in the capital part of a cased word as well as in its small part.
const CASELESS: Set = set(Class::OtherLetter) | set(Class::Mark);
const SMALL: Set = set(Class::Lower) | CASELESS;
/// `[^\s\p{L}\p{N}]`: marks count as punctuation, even where they count as letters too.
const PUNCTUATION: Set = set(Class::Other) | set(Class::Mark);

/// The lead or continuation byte of a character whose class takes decoding.
const UNDECODED: Set = 1 << 15;

const fn set(class: Class) -> Set {
    match class {
        Class::Newline => 1,
        Class::Space => 1 << 1,
        Class::Whitespace => 1 << 2,
        Class::Upper => 1 << 3,
        Class::Lower => 1 << 4,
        Class::OtherLetter => 1 << 5,
        Class::Mark => 1 << 6,
        Class::Number => 1 << 7,
        Class::Other => 1 << 8,
    }
}

/// The class of each byte that is a character by itself, and [`UNDECODED`] for the others.
static BYTES: [Set; 256] = {
    let mut table = [UNDECODED; 256];
    let mut byte = 0;
    while byte < 128 {
        let class = match byte {
            0x0A | 0x0D => Class::Newline,
            0x20 => Class::Space,
            0x09 | 0x0B | 0x0C => Class::Whitespace,
            0x41..=0x5A => Class::Upper,
            0x61..=0x7A => Class::Lower,
            0x30..=0x39 => Class::Number,
            _ => Class::Other,
        };
        table[byte] = set(class);
        byte += 1;
    }
    table
};

/// Calls `visit` with each pretoken of `text`, in order.
///
/// # Complexity
///
/// O(n) for n bytes.
pub(super) fn split<'t, B>(
    rules: Rules,
    text: &'t str,
    visit: &mut (impl FnMut(&'t str) -> ControlFlow<B> + ?Sized),
) -> ControlFlow<B> {
    let scanner = Scanner::new(rules, text);
    let mut start = 0;
    while start < text.len() {
        let end = scanner.end(start);
        visit(&text[start..end])?;
        start = end;
    }
    ControlFlow::Continue(())
}

/// A text and the rules to split it by.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) rules: Rules,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(rules: Rules, text: &'t str) -> Self {
        Self { text, rules }
    }

    /// The end of the pretoken that starts at `start`, a char boundary before the end of the text.
    ///
    /// The order of the tests is the order of the alternatives in the presets' regexes; the first that matches decides.
    ///
    /// # Complexity
    ///
    /// The ends of a whole text take O(n) for its n bytes. A call may read past the end that it returns, but only over
    /// characters that the next call then takes at once: a run of capitals, or the last character of a run of whitespace.
    #[inline]
    pub(super) fn end(&self, start: usize) -> usize {
        let (first, second) = self.class(start);
        if first & LETTER != 0 {
            return self.word(start);
        }
        if first & NUMBER != 0 {
            return self.digits(start);
        }
        if first & NEWLINE != 0 {
            return self.whitespace(start);
        }
        // A space, other whitespace, a mark or punctuation: each may belong to what follows.
        if self.rules.contractions != Contractions::Suffix
            && let Some(end) = self.contraction(start)
        {
            return end;
        }
        let (next, _) = self.class(second);
        match self.rules.words {
            Words::AfterSpace if first & SPACE == 0 => {}
            Words::AfterSpace | Words::AfterAny => {
                if next & LETTER != 0 {
                    return self.run(second, LETTER);
                }
            }
            Words::Cased => {
                if let Some(end) = self.cased_word(start, first, second, next) {
                    return end;
                }
            }
        }
        if first & SPACE != 0 && next & NUMBER != 0 && self.rules.digits == Digits::AfterSpace {
            return self.run(second, NUMBER);
        }
        if first & PUNCTUATION != 0 {
            return self.punctuation(second);
        }
        if first & SPACE != 0 && next & PUNCTUATION != 0 {
            return self.punctuation(second);
        }
        self.whitespace(start)
    }

    /// The class of the character at `at`, as a set of one, and where the next character starts.
    #[inline(always)]
    fn class(&self, at: usize) -> (Set, usize) {
        count(1);
        let Some(&byte) = self.text.as_bytes().get(at) else { return (0, at) };
        match BYTES[usize::from(byte)] {
            UNDECODED => self.decode(at),
            class => (class, at + 1),
        }
    }

    /// [`class`](Self::class) of a character of more than one byte.
    #[inline]
    fn decode(&self, at: usize) -> (Set, usize) {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let window = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut window = [0; 4];
            window.iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
            window
        });
        let (code_point, length) = decode(window);
        (set(class_of(code_point)), at + length)
    }

    /// The end of the run of characters in `wanted` that starts at `at`.
    #[inline(always)]
    fn run(&self, mut at: usize, wanted: Set) -> usize {
        loop {
            if wanted == LETTER {
                at = self.plain_letters(self.ascii_letters(at));
            }
            let (class, next) = self.class(at);
            if class & wanted == 0 {
                return at;
            }
            at = next;
        }
    }

    /// The end of the run of ASCII letters that starts at `at`, or a place inside it near the end of the text.
    ///
    /// Eight bytes at a time: most words end in the first eight, and where in them takes no branch to find.
    #[inline(always)]
    fn ascii_letters(&self, mut at: usize) -> usize {
        const EACH: u64 = 0x0101_0101_0101_0101;
        while let Some(chunk) = self.text.as_bytes().get(at..).and_then(<[u8]>::first_chunk) {
            count(1);
            let bytes = u64::from_le_bytes(*chunk);
            // The small letters are 0x61 to 0x7A; seven bits and what is added to them stay within each byte.
            let small = (bytes | (0x20 * EACH)) & (0x7F * EACH);
            let from_a = small + (0x80 - 0x61) * EACH;
            let after_z = small + (0x80 - 0x7B) * EACH;
            let letters = from_a & !after_z & !bytes & (0x80 * EACH);
            let others = letters ^ (0x80 * EACH);
            if others != 0 {
                return at + widen(others.trailing_zeros() / 8);
            }
            at += 8;
        }
        at
    }

    /// The end of the run of letters at `at` that are known by their lead bytes: much of Latin, Cyrillic and Chinese.
    ///
    /// N.B. A table of lengths would be shorter, but then each step has to wait for the one before.
    #[inline(always)]
    fn plain_letters(&self, mut at: usize) -> usize {
        loop {
            count(1);
            match self.text.as_bytes().get(at).and_then(letter_length) {
                Some(3) => at += 3,
                Some(_) => at += 2,
                None => return at,
            }
        }
    }

    /// The end of the word that starts with the letter at `start`.
    #[inline(always)]
    fn word(&self, start: usize) -> usize {
        match self.rules.words {
            Words::AfterSpace | Words::AfterAny => self.run(start, LETTER),
            Words::Cased => {
                let ends = self.cased_ends(start);
                self.suffix(ends.with_small.unwrap_or(ends.any))
            }
        }
    }

    /// The end of the cased word that starts at `start` with a character that is no letter, if there is one.
    ///
    /// The regex has a form that must end in small letters and a form that must begin with capitals, either after an
    /// optional prefix. It tries the first form with the prefix and without, then the second so.
    fn cased_word(&self, start: usize, first: Set, second: usize, next: Set) -> Option<usize> {
        if next & (LETTER | CASELESS) != 0 {
            let prefixed = self.cased_ends(second);
            if let Some(end) = prefixed.with_small {
                return Some(self.suffix(end));
            }
            if first & CASELESS == 0 {
                return Some(self.suffix(prefixed.any));
            }
        }
        // A mark is a prefix to others, but also a word by itself, and then a small letter.
        (first & CASELESS != 0).then(|| self.word(start))
    }

    /// How far the two forms of a cased word reach from `start`, a letter or mark.
    fn cased_ends(&self, start: usize) -> CasedEnds {
        let mut capitals = start;
        let mut last_caseless = None;
        loop {
            capitals = self.run(capitals, UPPER);
            let end = self.run(capitals, CASELESS);
            if end == capitals {
                break;
            }
            capitals = end;
            last_caseless = Some(end);
        }
        let any = self.run(capitals, SMALL);
        // Without small letters after them, the capitals give back all that is not small until a caseless one serves.
        CasedEnds { with_small: if any > capitals { Some(any) } else { last_caseless }, any }
    }

    /// The end of the contraction at `at` if there is one, else `at`, where contractions belong to the word.
    #[inline]
    fn suffix(&self, at: usize) -> usize {
        self.contraction(at).unwrap_or(at)
    }

    /// The end of the contraction at `at`, if there is one.
    #[inline(always)]
    fn contraction(&self, at: usize) -> Option<usize> {
        match self.text.as_bytes().get(at..)? {
            [b'\'', rest @ ..] => contraction_length(self.rules, rest).map(|length| at + 1 + length),
            _ => None,
        }
    }

    /// The end of the group of digits that starts at `start`.
    #[inline]
    fn digits(&self, start: usize) -> usize {
        let Digits::UpTo(most) = self.rules.digits else { return self.run(start, NUMBER) };
        let mut at = start;
        for _ in 0..most {
            let (class, next) = self.class(at);
            if class & NUMBER == 0 {
                break;
            }
            at = next;
        }
        at
    }

    /// The end of a run of punctuation with its tail, from `at` inside it.
    #[inline(always)]
    fn punctuation(&self, at: usize) -> usize {
        let end = self.run(at, PUNCTUATION);
        let tail = self.text.as_bytes().get(end..).unwrap_or_default();
        // Most runs have none, and to look for one costs more than to see that.
        if self.rules.tail == Tail::None || !matches!(tail.first(), Some(b'\r' | b'\n')) {
            return end;
        }
        let slashes = self.rules.tail == Tail::NewlinesAndSlashes;
        let is_tail = |byte: &&u8| matches!(byte, b'\r' | b'\n') || slashes && **byte == b'/';
        let n_tail = tail.iter().take_while(is_tail).count();
        count(n_tail);
        end + n_tail
    }

    /// The end of the whitespace that starts at `start`.
    #[inline]
    fn whitespace(&self, start: usize) -> usize {
        let end = self.run(start, WHITESPACE);
        let at_end = end == self.text.len();
        if at_end && self.rules.whitespace == Whitespace::EndFirst {
            return end;
        }
        let run = self.text.as_bytes().get(start..end).unwrap_or_default();
        count(run.len());
        if self.rules.whitespace != Whitespace::Plain
            && let Some(last) = run.iter().rposition(|byte| matches!(byte, b'\r' | b'\n'))
        {
            return start + last + 1;
        }
        if at_end {
            return end;
        }
        // Give back the last character, unless it is the only one.
        match run.iter().rposition(|&byte| byte & 0xC0 != 0x80) {
            Some(last) if last > 0 => start + last,
            _ => end,
        }
    }
}

/// The code point and length of the character that four bytes of valid UTF-8 begin with.
#[inline(always)]
pub(super) fn decode([lead, second, third, fourth]: [u8; 4]) -> (u32, usize) {
    // What follows a lead byte of valid UTF-8 is known, so this needs none of the checks of `str::chars`.
    let low = |byte: u8| u32::from(byte & 0x3F);
    match lead {
        0x00..=0x7F => (lead.into(), 1),
        0x80..=0xDF => (u32::from(lead & 0x1F) << 6 | low(second), 2),
        0xE0..=0xEF => (u32::from(lead & 0x0F) << 12 | low(second) << 6 | low(third), 3),
        0xF0..=0xFF => (u32::from(lead & 0x07) << 18 | low(second) << 12 | low(third) << 6 | low(fourth), 4),
    }
}

/// The length of the contraction that `rest` begins with, without its apostrophe.
#[inline]
pub(super) fn contraction_length(rules: Rules, rest: &[u8]) -> Option<usize> {
    let any_case = rules.contractions != Contractions::ApartLowercase;
    let fold = |byte: &u8| if any_case { byte.to_ascii_lowercase() } else { *byte };
    match (rest.first().map(fold)?, rest.get(1).map(fold)) {
        (b's' | b't' | b'm' | b'd', _) => Some(1),
        (b'l', Some(b'l')) | (b'r' | b'v', Some(b'e')) => Some(2),
        // U+017F, the one character outside ASCII that folds to a letter of a contraction.
        (0xC5, Some(0xBF)) if any_case => Some(2),
        _ => None,
    }
}

/// The length of the characters that a byte leads, where all of them are letters; those of three bytes have no case.
#[inline(always)]
pub(super) const fn letter_length(lead: &u8) -> Option<usize> {
    match lead {
        0xE5..=0xE9 | 0xEB | 0xEC => Some(3),
        0xC4..=0xCA | 0xD0 | 0xD1 => Some(2),
        _ => None,
    }
}

/// Where the two forms of a cased word end.
struct CasedEnds {
    /// Of the form that ends in a small or caseless letter.
    with_small: Option<usize>,
    /// Of either form, whatever it ends in.
    any: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_of_letters_lead_only_letters() {
        for c in char::MIN..=char::MAX {
            let mut bytes = [0; 4];
            let length = c.encode_utf8(&mut bytes).len();
            let known = letter_length(&bytes[0]);
            let class = set(class_of(c.into()));
            assert!(known.is_none_or(|known| known == length && class & LETTER != 0), "{c:?}");
            assert!(known != Some(3) || class == set(Class::OtherLetter), "{c:?}");
        }
    }

    #[test]
    fn ascii_has_the_classes_of_the_tables() {
        for byte in 0..=u8::MAX {
            let expected = if byte.is_ascii() { set(class_of(byte.into())) } else { UNDECODED };
            assert_eq!(BYTES[usize::from(byte)], expected, "{byte:#04x}");
        }
    }
}
