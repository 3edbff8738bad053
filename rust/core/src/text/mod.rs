//! Texts as those who have them hold them, and their UTF-8.
//!
//! Python holds a text in as many bytes a character as its widest character needs. To have UTF-8 of it, Python makes another copy,
//! which it keeps as long as the text; here it is made in memory that was used before, and by whichever thread encodes it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod characters;

use std::collections::TryReserveError;
use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::pretokenize::Tier;

/// A text, in one of the ways to hold it.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// UTF-8, or any other bytes.
    Bytes(&'a [u8]),
    /// Characters below U+0100.
    Latin1(&'a [u8]),
    /// Characters below U+10000.
    Ucs2(&'a [u16]),
    /// Any characters.
    Ucs4(&'a [u32]),
}

impl<'a> Text<'a> {
    /// The number of its bytes or characters.
    pub fn len(self) -> usize {
        match self {
            Self::Bytes(units) | Self::Latin1(units) => units.len(),
            Self::Ucs2(units) => units.len(),
            Self::Ucs4(units) => units.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A part of it, or nothing where it has no such part.
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::Bytes(units) => Self::Bytes(units.get(range).unwrap_or_default()),
            Self::Latin1(units) => Self::Latin1(units.get(range).unwrap_or_default()),
            Self::Ucs2(units) => Self::Ucs2(units.get(range).unwrap_or_default()),
            Self::Ucs4(units) => Self::Ucs4(units.get(range).unwrap_or_default()),
        }
    }

    /// The character at a place; none in bytes.
    fn character(self, at: usize) -> Option<char> {
        let number = match self {
            Self::Bytes(_) => None,
            Self::Latin1(units) => units.get(at).map(|&unit| unit.into()),
            Self::Ucs2(units) => units.get(at).map(|&unit| unit.into()),
            Self::Ucs4(units) => units.get(at).copied(),
        };
        number.and_then(char::from_u32)
    }

    /// What `see` says of the UTF-8 of the two characters on either side of a place, and where that is between them. Where there
    /// are fewer, or no characters, of none.
    pub(crate) fn near<T>(self, at: usize, see: impl FnOnce(&[u8], usize) -> T) -> T {
        let mut near = [0; 16];
        let (mut end, mut middle) = (0, 0);
        for place in at.saturating_sub(2)..at + 2 {
            if place == at {
                middle = end;
            }
            let free = near.get_mut(end..).unwrap_or_default();
            let Some(character) = self.character(place) else { return see(&[], 0) };
            end += if free.len() < 4 { 0 } else { character.encode_utf8(free).len() };
        }
        see(near.get(..end).unwrap_or_default(), middle)
    }

    /// What went wrong with a part of it: where the number lies that is no character, in all of it.
    pub(crate) fn placed(self, error: Error) -> Error {
        match (self, error.kind()) {
            (Self::Bytes(_), _) => error,
            (_, ErrorKind::Surrogate { .. }) => {
                (0..self.len()).find(|&at| self.character(at).is_none()).map_or(error, Error::surrogate)
            }
            _ => error,
        }
    }

    /// Appends its UTF-8 to `out`, or the bytes that it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Surrogate`](crate::ErrorKind::Surrogate) for the first number that is no character; `out` is as it was.
    /// [`ErrorKind::Memory`](crate::ErrorKind::Memory) where there is no room.
    ///
    /// # Complexity
    ///
    /// O(n) time for n characters.
    ///
    /// # Examples
    ///
    /// ```
    /// # use bytepair_core::Text;
    /// let mut utf8 = Vec::new();
    /// Text::Ucs2(&[0x68, 0x4F60]).append_to(&mut utf8)?;
    /// assert_eq!(utf8, "h你".as_bytes());
    /// # Ok::<_, bytepair_core::Error>(())
    /// ```
    pub fn append_to(self, out: &mut Vec<u8>) -> Result<()> {
        self.append_on(Tier::current(), out)
    }

    fn append_on(self, tier: Tier, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Bytes(bytes) => {
                out.try_reserve(bytes.len()).map_err(no_room)?;
                out.extend_from_slice(bytes);
                Ok(())
            }
            Self::Latin1(units) => append(tier, units, out),
            Self::Ucs2(units) => append(tier, units, out),
            Self::Ucs4(units) => append(tier, units, out),
        }
    }
}

/// A number that may be a character.
pub trait Unit: Copy + Into<u32> {
    /// The most bytes that the UTF-8 of one can have.
    const MAX_BYTES: usize;

    /// That of a character, of which as many bits are kept as there are.
    fn of(character: u32) -> Self;
}

impl Unit for u8 {
    const MAX_BYTES: usize = 2;

    fn of(character: u32) -> Self {
        let [lowest, ..] = character.to_le_bytes();
        lowest
    }
}

impl Unit for u16 {
    const MAX_BYTES: usize = 3;

    fn of(character: u32) -> Self {
        let [lowest, low, ..] = character.to_le_bytes();
        Self::from_le_bytes([lowest, low])
    }
}

impl Unit for u32 {
    const MAX_BYTES: usize = 4;

    fn of(character: u32) -> Self {
        character
    }
}

/// Room is made for so many characters at a time, as if all were of the longest.
const PART: usize = 1 << 12;

/// What makes many bytes at a time fetches characters so far ahead: the processor itself does not look beyond the page, nor
/// begin soon enough.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 1 << 10;

/// What writes many bytes at a time may write so many more than there are.
const SLACK: usize = 64;

/// Appends the UTF-8 of characters.
fn append<T: Unit>(tier: Tier, units: &[T], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    for (part, index) in units.chunks(PART).zip((0..).step_by(PART)) {
        out.try_reserve(part.len() * T::MAX_BYTES + SLACK).map_err(no_room)?;
        let all_are_characters = match tier {
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512 => avx512::append(part, out),
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => avx2::append(part, out),
            _ => append_plainly(part, out),
        };
        if !all_are_characters {
            out.truncate(start);
            let strange = part.iter().position(|&unit| char::from_u32(unit.into()).is_none());
            return Err(Error::surrogate(index + strange.unwrap_or_default()));
        }
    }
    Ok(())
}

/// Appends the UTF-8 of characters, or of some where not all numbers are such.
fn append_plainly<T: Unit>(units: &[T], out: &mut Vec<u8>) -> bool {
    const RUN: usize = 16;
    units.chunks(RUN).all(|units| {
        if units.iter().fold(0, |all, &unit| all | unit.into()) < 0x80 {
            out.extend(units.iter().map(|&unit| unit.into().to_le_bytes()[0]));
            return true;
        }
        units.iter().all(|&unit| {
            let Some(character) = char::from_u32(unit.into()) else { return false };
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            true
        })
    })
}

fn no_room(_: TryReserveError) -> Error {
    Error::memory("the UTF-8 of a text")
}

/// The bytes of texts, of which those that are not UTF-8 are made so in a buffer.
///
/// # Errors
///
/// As [`Text::append_to`], with the index of the text at fault.
pub(crate) fn in_utf8<'a>(
    texts: &[Text<'a>],
    buffer: &'a mut Vec<u8>,
) -> std::result::Result<Vec<&'a [u8]>, (usize, Error)> {
    let no_room = |_| (0, Error::memory("the texts of a batch"));
    if !texts.iter().all(|text| matches!(text, Text::Bytes(_))) {
        buffer.clear();
    }
    let mut all = Vec::new();
    all.try_reserve_exact(texts.len()).map_err(no_room)?;
    let mut ends = Vec::new();
    for (index, &text) in texts.iter().enumerate() {
        if !matches!(text, Text::Bytes(_)) {
            text.append_to(buffer).map_err(|error| (index, error))?;
            ends.try_reserve(1).map_err(no_room)?;
            ends.push(buffer.len());
        }
    }
    let (mut start, mut ends) = (0, ends.into_iter());
    all.extend(texts.iter().map(|text| {
        if let Text::Bytes(bytes) = text {
            return *bytes;
        }
        let made = start..ends.next().unwrap_or(start);
        start = made.end;
        buffer.get(made).unwrap_or_default()
    }));
    Ok(all)
}

#[cfg(test)]
mod tests;
