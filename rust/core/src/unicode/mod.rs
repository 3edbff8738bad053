//! The classes of characters that split rules speak of, and the valid stretches of text that may not be UTF-8.

mod class_table;

pub use class_table::UNICODE_VERSION;

/// What a split rule needs to know about a character. Every code point has exactly one class.
///
/// The classes are the coarsest partition from which the sets in the presets' regexes can be put together: `\s` is
/// [`Newline`](Self::Newline), [`Space`](Self::Space) and [`Whitespace`](Self::Whitespace); `\p{L}` is
/// [`Upper`](Self::Upper), [`Lower`](Self::Lower) and [`OtherLetter`](Self::OtherLetter).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Carriage return or line feed.
    Newline,
    /// U+0020.
    Space,
    /// Any other character with the `White_Space` property.
    Whitespace,
    /// An uppercase or titlecase letter: `Lu`, `Lt`.
    Upper,
    /// A lowercase letter: `Ll`.
    Lower,
    /// A letter without case: `Lm`, `Lo`.
    OtherLetter,
    /// A combining mark: `Mn`, `Mc`, `Me`.
    Mark,
    /// A number: `Nd`, `Nl`, `No`.
    Number,
    /// Everything else: punctuation, symbols, controls, unassigned code points.
    Other,
}

impl Class {
    /// How many classes there are.
    pub const COUNT: usize = 9;

    /// The class as a number below [`Class::COUNT`].
    #[inline(always)]
    pub const fn index(self) -> usize {
        match self {
            Self::Newline => 0,
            Self::Space => 1,
            Self::Whitespace => 2,
            Self::Upper => 3,
            Self::Lower => 4,
            Self::OtherLetter => 5,
            Self::Mark => 6,
            Self::Number => 7,
            Self::Other => 8,
        }
    }

    /// Whether characters of this class have the `White_Space` property: whether `\s` matches them.
    #[inline]
    pub const fn is_whitespace(self) -> bool {
        matches!(self, Self::Newline | Self::Space | Self::Whitespace)
    }
}

/// The class of a code point in Unicode [`UNICODE_VERSION`].
///
/// # Complexity
///
/// Two loads from about 50 kB of tables.
#[inline]
pub fn class_of(code_point: u32) -> Class {
    let [_, plane, page, low] = code_point.to_be_bytes();
    let page = usize::from(plane) << 8 | usize::from(page);
    let page = class_table::INDEX.get(page).and_then(|&page| class_table::PAGES.get(usize::from(page)));
    page.map_or(Class::Other, |page| page[usize::from(low)])
}

/// A stretch of bytes that is either all text or all rubbish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunk<'t> {
    /// A maximal stretch of valid UTF-8.
    Text(&'t str),
    /// A maximal run of consecutive invalid bytes.
    Invalid(&'t [u8]),
}

/// Cuts bytes into maximal stretches that are valid UTF-8 and maximal runs of bytes that are not. No chunk is empty, and
/// joined they are `bytes`.
///
/// # Complexity
///
/// O(n) for n bytes.
pub fn utf8_chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let mut chunks = rest.utf8_chunks();
        let first = chunks.next()?;
        if !first.valid().is_empty() {
            rest = rest.get(first.valid().len()..)?;
            return Some(Chunk::Text(first.valid()));
        }
        // The standard library reports an ill-formed sequence at a time; neighbours make one run.
        let more = chunks.take_while(|chunk| chunk.valid().is_empty()).map(|chunk| chunk.invalid().len());
        let (invalid, after) = rest.split_at_checked(first.invalid().len() + more.sum::<usize>())?;
        rest = after;
        Some(Chunk::Invalid(invalid))
    })
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class as HirClass, HirKind};

    use super::*;

    /// The code points of a class as regex-syntax has them: tables of its own, made by other people.
    fn members(class: &str) -> Vec<bool> {
        let mut members = vec![false; 0x11_0000];
        let mut add = |c: char| members[crate::ids::widen(u32::from(c))] = true;
        match regex_syntax::parse(class).unwrap().kind() {
            HirKind::Class(HirClass::Unicode(set)) => {
                set.iter().flat_map(|range| range.start()..=range.end()).for_each(&mut add);
            }
            // What a set of one character is simplified to.
            HirKind::Literal(literal) => std::str::from_utf8(&literal.0).unwrap().chars().for_each(&mut add),
            _ => panic!("{class} is not a class"),
        }
        members
    }

    #[test]
    fn every_code_point_has_the_class_regex_syntax_gives_it() {
        let sets = [
            (Class::Newline, r"[\r\n]"),
            (Class::Space, " "),
            (Class::Whitespace, r"[\s--[\r\n ]]"),
            (Class::Upper, r"[\p{Lu}\p{Lt}]"),
            (Class::Lower, r"\p{Ll}"),
            (Class::OtherLetter, r"[\p{Lm}\p{Lo}]"),
            (Class::Mark, r"\p{M}"),
            (Class::Number, r"\p{N}"),
            (Class::Other, r"[^\s\p{L}\p{M}\p{N}]"),
        ]
        .map(|(class, set)| (class, members(set)));
        let mut compared = 0;
        for code_point in 0..0x11_0000_u32 {
            // A surrogate is no character, so no text can hold one.
            let Some(c) = char::from_u32(code_point) else { continue };
            for (class, members) in &sets {
                assert_eq!(
                    class_of(c.into()) == *class,
                    members[crate::ids::widen(code_point)],
                    "{c:?} U+{code_point:04X} {class:?}"
                );
            }
            compared += 1;
        }
        assert_eq!(compared, 0x11_0000 - 0x800);
        assert_eq!(UNICODE_VERSION, "16.0.0");
    }

    #[test]
    fn chunks_are_maximal_and_join_to_the_input() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b"abc", &[b"abc"]),
            (b"\xFF", &[b"\xFF"]),
            (b"\xFF\xFE\x80a", &[b"\xFF\xFE\x80", b"a"]),
            (b"a\xE4\xB8\xFFb", &[b"a", b"\xE4\xB8\xFF", b"b"]),
            (b"a\xE4\xB8", &[b"a", b"\xE4\xB8"]),
            (b"\xED\xA0\x80\xED\xB0\x80", &[b"\xED\xA0\x80\xED\xB0\x80"]),
        ];
        for (bytes, expected) in cases {
            let chunks: Vec<&[u8]> = utf8_chunks(bytes)
                .map(|chunk| match chunk {
                    Chunk::Text(text) => text.as_bytes(),
                    Chunk::Invalid(bytes) => bytes,
                })
                .collect();
            assert_eq!(&chunks, expected);
        }
    }
}
