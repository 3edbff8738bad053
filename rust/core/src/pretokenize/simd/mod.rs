//! What the bytes of a block are, as one bit mask for each question: the only part of the scanner that differs by processor.
//!
//! Each *tier* answers the same questions with the same bits. [`portable`] is the truth and runs everywhere; a test holds the
//! others to it, and the best one that the processor has is chosen once a text.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};

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
    /// The same of characters of three bytes.
    pub(super) wide_letters: u64,
}

/// An instruction set that the scanner is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Tier {
    /// What every processor can do.
    Portable = 1,
    /// AVX2 with the bit instructions that came with it: x86-64 since 2013.
    Avx2 = 2,
}

/// The tier that a test has forced, or 0.
static FORCED: AtomicU8 = AtomicU8::new(0);

impl Tier {
    /// The tiers that this processor can run, the best last.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Portable, Self::Avx2].into_iter().filter(|tier| tier.is_available())
    }

    /// Makes every scan of this process use `tier`, where it is available, or the best one again. For tests: whichever it is,
    /// the pretokens are the same.
    pub fn force(tier: Option<Self>) {
        let forced = match tier {
            None => 0,
            Some(Self::Portable) => 1,
            Some(Self::Avx2) => 2,
        };
        FORCED.store(forced, Ordering::Relaxed);
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }

    /// The tier to use now.
    #[inline]
    pub(crate) fn current() -> Self {
        let wanted = if FORCED.load(Ordering::Relaxed) == 1 { Self::Portable } else { Self::Avx2 };
        if wanted.is_available() { wanted } else { Self::Portable }
    }
}

/// [`blocks::split`], compiled for the best tier.
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
        _ => blocks::split(portable::classify, portable::classify_high, rules, text, text_ends, visit),
    }
}

/// The bytes of a block that the masks speak of; what follows is there to be loaded with them.
#[inline(always)]
fn masked(block: &Block) -> &[u8; blocks::N_BYTES] {
    block.first_chunk().unwrap_or(&[0; blocks::N_BYTES])
}
