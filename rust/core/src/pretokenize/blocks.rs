//! The scanner, 64 bytes at a time: the pretokens of [`scan`](super::scan), found in bit masks.
//!
//! Bit `i` of a mask speaks of byte `i` of a block, and a character of several bytes is *painted*: each of its bytes has
//! the bit of its class. What comes before a character is then a shift by one, and what begins a pretoken a handful of
//! logic for all 64 bytes at once.
//!
//! A block begins where a pretoken begins. No rule looks back behind that, so nothing is carried from one block to the
//! next: the masks of a block tell which of its bytes begin pretokens, up to a horizon where what follows the block might
//! matter, and the last beginning before the horizon is where the next block starts. Where a block tells of none, since
//! its first pretoken is too long or has a character that the masks do not model, the scalar scanner finds one end.

use super::rules::{Contractions, Digits, Rules, Tail, Whitespace, Words};
use super::scan::{contraction_length, decode};
use super::simd::{Bytes, HighBytes};
use crate::ids::widen;
use crate::unicode::{Class, class_of};

/// As many bytes as a mask has bits.
pub(crate) const N_BYTES: usize = 64;

/// A block is loaded with a few bytes that follow, so that a character at its end can be loaded at once.
pub(super) const N_LOADED: usize = N_BYTES + 8;

pub(super) type Block = [u8; N_LOADED];

/// What of the scanner differs by processor.
pub(super) struct Masks<C, H, W> {
    /// The masks of a block,
    pub(super) classify: C,
    /// and those of one that is not all ASCII.
    pub(super) classify_high: H,
    /// Writes where pretokens end whose last bytes are given: as many ends as there are bits, and after them anything.
    pub(super) write_ends: W,
}

/// [`Masks::write_ends`] bit by bit.
#[inline(always)]
pub(crate) fn write_ends(mut lasts: u64, start: usize, ends: &mut [usize; N_BYTES]) {
    // Eight at a time, some of them in vain: how many there are would be a guess of the processor's.
    for eight in ends.as_chunks_mut::<8>().0.iter_mut().take(widen(lasts.count_ones()).div_ceil(8)) {
        for slot in eight {
            *slot = start + widen(lasts.trailing_zeros()) + 1;
            lasts &= lasts.wrapping_sub(1);
        }
    }
}

/// What is known of the text that starts with a block.
#[derive(Clone, Copy)]
struct Known {
    /// So many bytes of the block are whole characters that the masks model.
    n: usize,
    /// Whether the text ends after them.
    at_end: bool,
}

/// The characters of a block by class, painted.
struct Chars {
    letters: u64,
    capitals: u64,
    numbers: u64,
    whitespace: u64,
    /// The first bytes of characters.
    leads: u64,
}

/// Which bytes of a block are the last of a pretoken, as far as that is certain. The block starts with a pretoken, and is
/// the beginning of the `n_rest` bytes to the end of the text.
#[inline(always)]
pub(super) fn last_bytes(
    rules: Rules,
    block: &Block,
    bytes: &Bytes,
    classify_high: &impl Fn(&Block) -> HighBytes,
    n_rest: usize,
) -> u64 {
    let mut known = Known { n: n_rest.min(N_BYTES), at_end: n_rest <= N_BYTES };
    let chars = if bytes.high & low(known.n) == 0 {
        let (letters, numbers, whitespace) = (bytes.letters, bytes.digits, bytes.whitespace);
        Chars { letters, capitals: bytes.capitals, numbers, whitespace, leads: !0 }
    } else {
        paint(rules, block, bytes, &classify_high(block), &mut known)
    };
    let inside = low(known.n);
    let letters = chars.letters & inside;
    let numbers = chars.numbers & inside;
    let newlines = bytes.newlines & inside;
    let mut whitespace = chars.whitespace & inside;
    let mut punctuation = inside & !(letters | numbers | whitespace);

    // Line ends after punctuation belong to it, and slashes after those.
    if rules.tail != Tail::None {
        let first = newlines & after(punctuation);
        if first != 0 {
            let slashes = if rules.tail == Tail::NewlinesAndSlashes { bytes.slashes & inside } else { 0 };
            let tail = runs_from(first, newlines | slashes);
            whitespace &= !tail;
            punctuation &= !tail;
        }
    }

    // Elsewhere pretokens begin where the class changes, but for what belongs to the character before.
    let after_space = after(bytes.spaces);
    let punctuation_starts = punctuation & !after(punctuation) & !after_space;
    let mut letter_starts = letters & !after(letters);
    letter_starts &= match rules.words {
        Words::AfterSpace => !after_space,
        Words::AfterAny | Words::Cased => {
            !(after(whitespace & !newlines) | after_single(punctuation_starts, punctuation, letters, chars.leads))
        }
    };
    if rules.words == Words::Cased {
        letter_starts |= chars.capitals & letters & after(letters & !chars.capitals);
    }
    let mut number_starts = numbers & !after(numbers);
    match rules.digits {
        Digits::AfterSpace => number_starts &= !after_space,
        Digits::UpTo(most) => number_starts = grouped(most, number_starts, numbers, chars.leads),
    }
    let mut starts = letter_starts | number_starts | punctuation_starts;
    let apostrophes = bytes.apostrophes & inside;
    if apostrophes != 0 {
        starts = contracted(rules, block, apostrophes, letters, starts);
    }
    starts |= whitespace_starts(rules, whitespace, newlines, chars.leads, known.n);

    // What is before a start and its own character make it certain. Only that of the last whitespace before something else
    // takes what follows, and if that is unknown there is no start after it. But how whitespace at the end is cut may
    // depend on how far it goes, or on the text ending there.
    let mut horizon = known.n;
    let depends = match rules.whitespace {
        Whitespace::Plain => false,
        Whitespace::NewlinesFirst => !known.at_end,
        Whitespace::EndFirst => true,
    };
    if depends {
        let last_other = inside & !whitespace;
        horizon = horizon.min(N_BYTES + 1 - widen(last_other.leading_zeros()));
    }
    let last_bytes = (starts & low(horizon)) >> 1;
    if known.at_end { last_bytes | 1 << (known.n - 1) } else { last_bytes }
}

/// Paints the characters of a block that is not all ASCII; what cannot be known of it is taken from `known`.
#[inline(always)]
fn paint(rules: Rules, block: &Block, bytes: &Bytes, high: &HighBytes, known: &mut Known) -> Chars {
    let leads = !high.continuations;
    let high_leads = bytes.high & leads;
    if !known.at_end {
        // The last character may go on after the block.
        let last = widen((high_leads | 1).ilog2());
        if last + decode(window(block, last)).1 > N_BYTES {
            known.n = last;
        }
    }
    let mut painted = [0; Class::COUNT];
    let mut rest = high_leads & low(known.n);
    // What the first byte tells, or the first two do, takes no loop; what case a letter has, the first does not tell.
    let wide = high.wide_letters & rest;
    let narrow_letters = if rules.words == Words::Cased { 0 } else { high.narrow_letters };
    let narrow = (narrow_letters | high.arabic_letters) & rest;
    rest &= !(wide | narrow | high.wide_signs);
    painted[Class::OtherLetter.index()] = wide | wide << 1 | wide << 2 | narrow | narrow << 1;
    while rest != 0 {
        let at = widen(rest.trailing_zeros());
        rest &= rest - 1;
        let (code_point, length) = decode(window(block, at));
        painted[class_of(code_point).index()] |= low(length) << at;
    }
    let of = |class: Class| painted[class.index()];
    let capitals = bytes.capitals | of(Class::Upper);
    let cased = bytes.letters | capitals | of(Class::Lower);
    let caseless = of(Class::OtherLetter);
    if rules.words == Words::Cased {
        // Beside letters with case, one without counts as either; and a mark is a letter as well as punctuation.
        let unclear = of(Class::Mark) | caseless & after(cased) | cased & after(caseless);
        let first = widen(unclear.trailing_zeros());
        if first < known.n {
            *known = Known { n: first, at_end: false };
        }
    }
    Chars {
        letters: cased | caseless,
        capitals,
        numbers: bytes.digits | of(Class::Number),
        whitespace: bytes.whitespace | of(Class::Whitespace),
        leads,
    }
}

/// The first characters of groups of at most `most` numbers, counted from where their runs start.
#[inline(always)]
fn grouped(most: u8, starts: u64, numbers: u64, leads: u64) -> u64 {
    let long = (0..most).fold(numbers, |run, _| run & after(run));
    if long == 0 { starts } else { grouped_long(most, starts, numbers & leads) }
}

#[cold]
fn grouped_long(most: u8, starts: u64, characters: u64) -> u64 {
    let (mut groups, mut n) = (0, 0);
    let mut rest = characters;
    while rest != 0 {
        let character = lowest(rest);
        rest ^= character;
        if starts & character != 0 || n == most {
            n = 0;
        }
        if n == 0 {
            groups |= character;
        }
        n += 1;
    }
    groups
}

/// Letters right after a run of punctuation that is one character and starts a pretoken, which they then belong to.
#[inline(always)]
fn after_single(starts: u64, punctuation: u64, letters: u64, leads: u64) -> u64 {
    let last = punctuation & letters >> 1;
    let mut single = (last & starts) << 1;
    // The first byte of a character of several is found by going back over those that are no first bytes.
    let mut behind = last & !leads;
    let mut length = 2;
    while behind != 0 {
        behind >>= 1;
        single |= (behind & starts) << length;
        behind &= !leads;
        length += 1;
    }
    single
}

/// Takes contractions into account: each ends a pretoken, and begins one where it does not belong to the word before.
#[inline(always)]
fn contracted(rules: Rules, block: &Block, apostrophes: u64, letters: u64, mut starts: u64) -> u64 {
    let is_suffix = rules.contractions == Contractions::Suffix;
    let mut rest = apostrophes & if is_suffix { after(letters) } else { starts };
    let mut ended = 0;
    while rest != 0 {
        let apostrophe = lowest(rest);
        rest ^= apostrophe;
        let at = widen(apostrophe.trailing_zeros());
        let [_, ending @ .., _] = window(block, at);
        // After a contraction there is no word for another to end.
        if is_suffix && ended & apostrophe != 0 {
            continue;
        }
        if let Some(length) = contraction_length(rules, &ending) {
            let end = at + 1 + length;
            let inner = low(end) & !low(if is_suffix { at } else { at + 1 });
            ended |= low(end + 1) & !low(end);
            starts = starts & !inner | ended;
        }
    }
    starts
}

/// Where pretokens begin in whitespace, tails left out: with each run, with the last character of a run, which belongs to
/// what follows, and after the last line end of a run, if line ends matter.
#[inline(always)]
fn whitespace_starts(rules: Rules, whitespace: u64, newlines: u64, leads: u64, n: usize) -> u64 {
    let mut starts = whitespace & !after(whitespace);
    let mut last = whitespace & !(whitespace >> 1) & low(n.saturating_sub(1));
    if rules.whitespace != Whitespace::Plain {
        last &= !newlines;
        let others = whitespace & !newlines;
        let mut rest = others & after(whitespace & newlines);
        while rest != 0 {
            let start = lowest(rest);
            rest ^= start;
            // A carry runs through the whitespace to what ends it: if that is a line end, the run goes on to there.
            let end = others.wrapping_add(start) & !others;
            if end & newlines == 0 {
                starts |= start;
            }
        }
    }
    starts |= last & leads;
    let mut behind = last & !leads;
    while behind != 0 {
        behind >>= 1;
        starts |= behind & leads;
        behind &= !leads;
    }
    starts
}

/// The characters right after those of `mask`.
#[inline(always)]
fn after(mask: u64) -> u64 {
    mask << 1
}

/// The runs of ones in `mask` from each of the bits `first` on, which are in it.
#[inline(always)]
fn runs_from(mut first: u64, mask: u64) -> u64 {
    let mut runs = 0;
    while first != 0 {
        // A carry enters the run at its bit and runs to its end; what it changes is what it ran through.
        runs |= mask & (mask ^ mask.wrapping_add(lowest(first)));
        first &= !runs;
    }
    runs
}

/// The lowest bit that is set.
#[inline(always)]
fn lowest(mask: u64) -> u64 {
    mask & mask.wrapping_neg()
}

/// The lowest `n` bits.
#[inline(always)]
fn low(n: usize) -> u64 {
    if n < N_BYTES { (1 << n) - 1 } else { !0 }
}

/// A byte of a block and the three that follow.
#[inline(always)]
fn window(block: &Block, at: usize) -> [u8; 4] {
    block.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}
