//! Texts of what the rules and the merges tell apart: a few kinds of pieces each, now and then altered.

use std::fs;
use std::path::Path;

use crate::random::Random;

/// Letters, digits and the rest, by where their code points lie.
const RANGES: [(char, char); 14] = [
    ('а', 'я'),
    ('А', 'я'),
    ('α', 'ω'),
    ('ء', 'ي'),
    ('一', '龥'),
    ('一', '三'),
    ('ぁ', 'ヺ'),
    ('가', '힣'),
    ('ก', '๛'),
    ('अ', 'ॿ'),
    ('\u{300}', '\u{36F}'),
    ('😀', '🙏'),
    ('٠', '٩'),
    ('À', 'ʯ'),
];
const WHITESPACE: [&str; 12] = [" ", " ", " ", "  ", "\n", "\r\n", "\r", "\t", "\u{A0}", "\u{3000}", "\u{85}", "\u{B}"];
const CONTRACTIONS: [&str; 16] =
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re", "'ſ", "’s", "'", "''", "'l", "'x"];
const SPECIAL: [&str; 16] = [
    "ǅ",
    "ʰ",
    "Σ",
    "ſ",
    "ß",
    "²",
    "½",
    "１",
    "\u{301}",
    "\u{200D}",
    "👩\u{200D}👧",
    "\0",
    "\u{E000}",
    "\u{10FFFF}",
    "<|endoftext|>",
    "。",
];
const PUNCTUATION: &[u8] = b"!\"#$%&()*+,-./:;<=>?@[]^_`{|}~/";
const REPEATED: [&str; 12] = ["a", "A", " ", "\n", "-", "=", "/", "0", "中", "é", "\u{301}", "😀"];

/// How many kinds of pieces there are.
const N_KINDS: usize = 13;

pub(crate) struct Texts {
    /// What fuzzing kept.
    kept: Vec<Vec<u8>>,
}

impl Texts {
    pub(crate) fn new() -> Self {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let files = ["split", "encode"].iter().flat_map(|name| fs::read_dir(corpus.join(name)).unwrap());
        let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        // In any order, the same seed would be other texts elsewhere.
        paths.sort();
        Self { kept: paths.into_iter().map(|path| fs::read(path).unwrap()).collect() }
    }

    /// Makes `text` any text of about `length` bytes.
    pub(crate) fn any(&self, random: &mut Random, length: usize, text: &mut Vec<u8>) {
        text.clear();
        let kinds = [(); 4].map(|()| random.below(N_KINDS));
        let n_kinds = random.between(1, kinds.len());
        while text.len() < length {
            let kind = if random.one_in(8) { random.below(N_KINDS) } else { kinds[random.below(n_kinds)] };
            self.piece(random, kind, text);
        }
        text.truncate(length + 8);
        if random.one_in(4) {
            alter(random, text);
        }
    }

    fn piece(&self, random: &mut Random, kind: usize, text: &mut Vec<u8>) {
        match kind {
            0..=3 => word(random, text),
            4 => text.extend_from_slice(random.choose(&CONTRACTIONS).as_bytes()),
            5 => (0..random.between(1, 7)).for_each(|_| text.push(*random.choose(b"0123456789"))),
            6 => (0..random.between(1, 5)).for_each(|_| text.extend_from_slice(random.choose(&WHITESPACE).as_bytes())),
            7 => (0..random.between(1, 4)).for_each(|_| text.push(*random.choose(PUNCTUATION))),
            8 => {
                let &(first, last) = random.choose(&RANGES);
                if random.one_in(3) {
                    text.push(b' ');
                }
                (0..random.between(1, 8)).for_each(|_| push(random.between(index(first), index(last)), text));
            }
            9 => text.extend_from_slice(random.choose(&SPECIAL).as_bytes()),
            10 => {
                let most = if random.one_in(4) { 90 } else { 6 };
                let repeated = random.choose(&REPEATED).as_bytes();
                (0..random.between(1, most)).for_each(|_| text.extend_from_slice(repeated));
            }
            11 => {
                let limit = *random.choose(&[0x800, 0x3000, 0x1_0000, 0x11_0000]);
                push(random.below(limit), text);
            }
            _ if random.one_in(2) => (0..random.between(1, 4)).for_each(|_| text.push(random.byte())),
            _ => {
                let kept = random.choose(&self.kept);
                let start = random.below(kept.len());
                text.extend_from_slice(&kept[start..kept.len().min(start + random.between(1, 40))]);
            }
        }
    }
}

fn index(c: char) -> usize {
    usize::try_from(u32::from(c)).unwrap()
}

/// A character by its code point; surrogates, which are none, become bytes that are not UTF-8.
fn push(code_point: usize, text: &mut Vec<u8>) {
    match char::from_u32(u32::try_from(code_point).unwrap()) {
        Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => text.extend_from_slice(&[0xED, 0xA0, 0x80]),
    }
}

fn word(random: &mut Random, text: &mut Vec<u8>) {
    const LETTERS: &[u8] = b"etaoinshrdlucmfwypvbgkjqxzesvlrt";
    if random.below(3) > 0 {
        text.push(b' ');
    }
    let start = text.len();
    let most = if random.one_in(100) { 80 } else { 9 };
    (0..random.between(1, most)).for_each(|_| text.push(*random.choose(LETTERS)));
    match random.below(8) {
        0 => text[start].make_ascii_uppercase(),
        1 => text[start..].make_ascii_uppercase(),
        2 => {
            let at = random.between(start, text.len() - 1);
            text[at].make_ascii_uppercase();
        }
        _ => {}
    }
}

/// Changes, removes or repeats a few bytes, wherever they are.
pub(crate) fn alter(random: &mut Random, text: &mut Vec<u8>) {
    for _ in 0..random.between(1, 3) {
        if text.is_empty() {
            return;
        }
        let at = random.below(text.len());
        let end = text.len().min(at + random.between(1, 12));
        match random.below(4) {
            0 => text[at] = random.byte(),
            1 => text[at] ^= 1 << random.below(8),
            2 => drop(text.drain(at..end)),
            _ => text.extend_from_within(at..end),
        }
    }
}

/// Makes `text` of tokens end to end, some cut short: where merges across their ends nearly happen.
pub(crate) fn of_tokens(random: &mut Random, tokens: &[Vec<u8>], length: usize, text: &mut Vec<u8>) {
    text.clear();
    while text.len() < length {
        let token = random.choose(tokens);
        let cut = if random.one_in(3) { random.below(token.len().min(3)) } else { 0 };
        let kept = if random.one_in(2) { &token[cut..] } else { &token[..token.len() - cut] };
        text.extend_from_slice(kept);
    }
    text.truncate(length);
}
