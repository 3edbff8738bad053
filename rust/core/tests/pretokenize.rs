//! Every way to split agrees with fancy-regex running the pattern as published, look-ahead and all.

// Tests fail by panicking, and tell how much they compared.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::cell::Cell;
use std::ops::ControlFlow;

use bytepair_core::pretokenize::Pretokenizer;
use fancy_regex::Regex;
use proptest::prelude::*;

/// Characters that between them take every branch of every rule, in every role.
const REPRESENTATIVES: [char; 30] = [
    '\n', '\r', ' ', '\t', '\u{85}', '\u{A0}', '\u{3000}', // whitespace: only the first two end lines
    'A', 'L', 'ǅ', 'Σ', // capitals; titlecase
    'a', 's', 'l', 'v', 'e', 'ſ', 'ß', // small letters; ſ folds to s
    'ʰ', '中',      // letters without case: Lm, Lo
    '\u{301}', // a mark
    '1', '²', // numbers: Nd, No
    '\'', '’', '/', '!', // punctuation; only the first begins a contraction
    '😀', '\0', '\u{200D}', // a symbol, controls
];

/// The published patterns, each from the source that defines it.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const GPT2_TIKTOKEN: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s";
const CL100K: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s";
const CL100K_OLDER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const NANOCHAT: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The third stage, with line ends as its file has them.
const DEEPSEEK: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
];

fn pretokens<'t>(pretokenizer: &Pretokenizer, text: &'t [u8]) -> Vec<&'t [u8]> {
    let mut pretokens = Vec::new();
    let _ = pretokenizer.split(text, |pretoken| {
        pretokens.push(pretoken);
        ControlFlow::<()>::Continue(())
    });
    pretokens
}

/// Matches and what is between them, each stage on the pieces of the one before.
fn oracle<'t>(stages: &[Regex], text: &'t str) -> Vec<&'t [u8]> {
    let mut pieces = vec![text];
    for regex in stages {
        let mut next = Vec::new();
        for piece in pieces {
            let mut end = 0;
            for found in regex.find_iter(piece).map(Result::unwrap).filter(|found| !found.as_str().is_empty()) {
                next.extend([&piece[end..found.start()], found.as_str()]);
                end = found.end();
            }
            next.push(&piece[end..]);
        }
        next.retain(|piece| !piece.is_empty());
        pieces = next;
    }
    pieces.into_iter().map(str::as_bytes).collect()
}

fn regexes(stages: &[&str]) -> Vec<Regex> {
    stages.iter().map(|stage| Regex::new(stage).unwrap()).collect()
}

/// Calls `visit` with every string of at most `longest` of the characters.
fn every_string(characters: &[char], longest: usize, visit: &mut impl FnMut(&str)) {
    fn extend(text: &mut String, characters: &[char], longest: usize, visit: &mut impl FnMut(&str)) {
        visit(text);
        if longest == 0 {
            return;
        }
        for &c in characters {
            text.push(c);
            extend(text, characters, longest - 1, visit);
            text.pop();
        }
    }
    extend(&mut String::new(), characters, longest, visit);
}

/// Compares on every string of representatives, and on the contractions, which are longer than those.
fn agree(name: &str, pretokenizer: &Pretokenizer, published: &[&str], longest: usize) {
    let oracle_stages = regexes(published);
    let mut compared = 0_u64;
    let mut compare = |text: &str| {
        assert_eq!(pretokens(pretokenizer, text.as_bytes()), oracle(&oracle_stages, text), "{name}: {text:?}");
        compared += 1;
    };
    every_string(&REPRESENTATIVES, longest, &mut compare);
    for apostrophe in ["'", "’", " '", "''"] {
        every_string(
            &['s', 'S', 't', 'D', 'm', 'l', 'L', 'v', 'V', 'r', 'e', 'E', 'ſ', '\u{212A}'],
            2,
            &mut |ending| {
                for around in [("", ""), ("a", ""), ("A", "b"), ("中", "B"), ("1", " ")] {
                    compare(&format!("{}{apostrophe}{ending}{}", around.0, around.1));
                }
            },
        );
    }
    println!("{name}: {compared} strings");
}

/// One test a preset, so that they run side by side.
macro_rules! presets {
    ($($name:ident: $published:expr;)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            let preset = Pretokenizer::new(name).unwrap();
            let published: String = $published;
            assert_eq!(preset.preset(), Some(name));
            agree(name, &preset, &[&published], 4);
            // The regex gives the same preset, if not by the same name, and what it prints reads back.
            assert_eq!(Pretokenizer::new(&published).unwrap(), preset);
            assert_eq!(Pretokenizer::from_stages(preset.stages()).unwrap(), preset);
            let portable = preset.hugging_face_stages().unwrap();
            assert_eq!(Pretokenizer::from_hugging_face(&portable).unwrap(), preset);
            assert_eq!(Pretokenizer::new(&portable[0]).unwrap(), preset);
        }
    )*

        const SCANNED: &[&str] = &[$(stringify!($name)),*];
    };
}

presets! {
    gpt2: GPT2.to_owned();
    gpt2_digits1: GPT2.replace(r" ?\p{N}+", r"\p{N}");
    gpt2_digits2: GPT2_TIKTOKEN.replace(r" ?\p{N}++", r"\p{N}{1,2}");
    gpt2_digits3: GPT2.replace(r" ?\p{N}+", r"\p{N}{1,3}");
    cl100k: CL100K.to_owned();
    cl100k_digits1: CL100K.replace(r"\p{N}{1,3}+", r"\p{N}");
    cl100k_digits2: CL100K.replace(r"\p{N}{1,3}+", r"\p{N}{1,2}");
    cl100k_newlines_first: CL100K_OLDER.to_owned();
    llama3: CL100K_OLDER.to_owned();
    qwen2: QWEN2.to_owned();
    nanochat: NANOCHAT.to_owned();
    o200k: O200K.to_owned();
    o200k_digits1: O200K.replace(r"\p{N}{1,3}", r"\p{N}");
    o200k_digits2: O200K.replace(r"\p{N}{1,3}", r"\p{N}{1,2}");
}

#[test]
fn every_preset_of_the_scanner_is_tested() {
    let chain = ["deepseek_v3"];
    assert_eq!(Pretokenizer::presets().collect::<Vec<_>>(), [SCANNED, &chain].concat());
}

#[test]
fn spellings_of_one_pattern_are_one_preset() {
    assert_eq!(Pretokenizer::new(GPT2_TIKTOKEN).unwrap().preset(), Some("gpt2"));
    assert_eq!(Pretokenizer::new(CL100K).unwrap().stages(), [CL100K]);
    assert_eq!(Pretokenizer::new(CL100K_OLDER).unwrap().preset(), Some("cl100k_newlines_first"));
    assert_eq!(Pretokenizer::from_stages(&DEEPSEEK).unwrap().preset(), Some("deepseek_v3"));
    assert_eq!(Pretokenizer::from_stages(&DEEPSEEK).unwrap(), Pretokenizer::new("deepseek_v3").unwrap());
}

#[test]
fn deepseek() {
    let preset = Pretokenizer::new("deepseek_v3").unwrap();
    agree("deepseek_v3", &preset, &DEEPSEEK, 3);
    assert_eq!(Pretokenizer::from_hugging_face(&preset.hugging_face_stages().unwrap()).unwrap(), preset);
}

/// Patterns for the automaton. A group around one keeps the scanner from recognising it.
#[test]
fn automaton() {
    let digits_then_words = [r"[0-9]", GPT2];
    let chains: &[&[&str]] = &[
        &[GPT2],
        &[GPT2_TIKTOKEN],
        &[CL100K],
        &[CL100K_OLDER],
        &[NANOCHAT],
        &[O200K],
        &[r"\w+|\W+"],
        &[r"[0-9]"],
        &[r"\p{L}+|\s+(?!\S)"],
        &[r"\s+(?!\S)|\s+$|."],
        &[r"a|(?:\s+(?!\S)|l)|\s+"],
        &[r"a*|l"],
        &[r"^\s+|\s+$|a"],
        &[r"(?m)^a|l$"],
        &[r"(?i)s+|a*e"],
        &[r"(?:(?i)s|l)|a|e"],
        &[r"((?i)s|l)|e\s+|\s+(?!\S)"],
        &[r"\s++$|\s"],
        &[r"'?+l|a{1,2}+!|[al]++"],
        &[r"(?:as|al|a)??l|a"],
        &digits_then_words,
    ];
    for chain in chains {
        let grouped: Vec<_> = chain.iter().map(|regex| format!("(?:{regex})")).collect();
        let pretokenizer = Pretokenizer::from_stages(&grouped).unwrap();
        assert_eq!(pretokenizer.preset(), None);
        agree(&format!("{chain:?}"), &pretokenizer, chain, 3);
    }
}

#[test]
fn empty_chain_leaves_text_whole() {
    let whole = Pretokenizer::from_stages::<&str>(&[]).unwrap();
    assert_eq!(pretokens(&whole, b"a b\n1"), [b"a b\n1"]);
    assert!(pretokens(&whole, b"").is_empty());
    assert!(!whole.has_safe_cuts() && (0..4).all(|at| !whole.is_safe_cut(b"a\nb", at)));
}

#[test]
fn invalid_bytes_stand_apart() {
    let gpt2 = Pretokenizer::new("gpt2").unwrap();
    // Before the invalid bytes the text ends, so that the two spaces stay together.
    assert_eq!(pretokens(&gpt2, b"a  \xFF\xFEb\xE4\xB8"), [&b"a"[..], b"  ", b"\xFF\xFE", b"b", b"\xE4\xB8"]);
}

#[test]
fn split_stops_when_told() {
    for name in Pretokenizer::presets() {
        let mut seen = 0;
        let stopped = Pretokenizer::new(name).unwrap().split(b"a b c\xFFd", |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
        });
        assert_eq!((stopped, seen), (ControlFlow::Break("enough"), 2), "{name}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let script = prop_oneof![
        4 => proptest::sample::select(&REPRESENTATIVES[..]),
        2 => proptest::char::range(' ', '~'),
        1 => proptest::sample::select(&['\n', ' ', '\'', 's', 'A', '1', '\r'][..]),
        1 => proptest::char::range('\u{A0}', '\u{5FF}'),
        1 => proptest::char::range('\u{900}', '\u{97F}'),
        1 => proptest::char::range('\u{4E00}', '\u{4EFF}'),
        1 => proptest::char::any(),
    ];
    proptest::collection::vec(script, 0..200).prop_map(String::from_iter)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        proptest::sample::select(&REPRESENTATIVES[..]).prop_map(|c| c.to_string().into_bytes()),
        Just(b"a\nb".to_vec()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A failing text is in the message; there is no file to keep it in.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn all_presets() -> Vec<(Pretokenizer, Vec<Regex>)> {
    let with_oracle = |name| {
        let preset = Pretokenizer::new(name).unwrap();
        let regexes = preset.stages().iter().map(|stage| Regex::new(stage).unwrap()).collect();
        (preset, regexes)
    };
    Pretokenizer::presets().map(with_oracle).collect()
}

#[test]
fn long_texts_agree() {
    let presets = all_presets();
    proptest!(config(1000), |(text in text())| {
        for (preset, stages) in &presets {
            prop_assert_eq!(pretokens(preset, text.as_bytes()), oracle(stages, &text), "{:?}", preset);
        }
    });
}

#[test]
fn no_byte_is_lost_and_a_safe_cut_changes_nothing() {
    let mut presets = all_presets();
    presets.push((Pretokenizer::new(r"[0-9]+|a*b").unwrap(), vec![]));
    let cuts = Cell::new(0);
    proptest!(config(3000), |(bytes in bytes())| {
        for (preset, _) in &presets {
            let whole = pretokens(preset, &bytes);
            prop_assert_eq!(whole.concat(), &bytes[..]);
            prop_assert!(whole.iter().all(|pretoken| !pretoken.is_empty()));
            for cut in (0..=bytes.len()).filter(|&at| preset.is_safe_cut(&bytes, at)) {
                let (left, right) = bytes.split_at(cut);
                prop_assert_eq!(&[pretokens(preset, left), pretokens(preset, right)].concat(), &whole);
                cuts.set(cuts.get() + 1);
            }
        }
    });
    println!("{} cuts", cuts.get());
    assert!(cuts.get() > 10_000);
}

/// Around the characters that matter to a cut, every string rather than some.
#[test]
fn every_short_safe_cut_changes_nothing() {
    let mut cuts = 0;
    for name in SCANNED {
        let preset = Pretokenizer::new(name).unwrap();
        every_string(&['\n', '\r', ' ', '\u{3000}', '/', '!', '\'', '\u{301}', 's', 'A', '中', '1'], 5, &mut |text| {
            for cut in (0..=text.len()).filter(|&at| preset.is_safe_cut(text.as_bytes(), at)) {
                let (left, right) = text.split_at(cut);
                let halves = [pretokens(&preset, left.as_bytes()), pretokens(&preset, right.as_bytes())].concat();
                assert_eq!(halves, pretokens(&preset, text.as_bytes()), "{name}: {text:?}");
                cuts += 1;
            }
        });
    }
    println!("{cuts} cuts");
}

#[test]
fn marked_pretokens_are_the_matches() {
    let texts = ["", "ab, cd  1", "  ", "a b", "世ab世", "x1'll \n\n"];
    for pattern in ["[a-z]+", r" ?[ab]+|\s+(?!\S)|1", "(?s:.)", "世+", r"\s+(?!\S)|\s+", "gpt2"] {
        let pretokenizer = Pretokenizer::new(pattern).unwrap();
        let regex = Regex::new(&pretokenizer.stages()[0]).unwrap();
        for text in texts {
            let (mut all, mut matched) = (Vec::new(), Vec::new());
            let _ = pretokenizer.split_marked(text, |pretoken, is_match| {
                all.push(pretoken);
                matched.extend(is_match.then_some(pretoken));
                ControlFlow::<()>::Continue(())
            });
            let expected: Vec<&str> = regex.find_iter(text).map(|found| found.unwrap().as_str()).collect();
            assert_eq!(matched, expected, "{pattern} in {text:?}");
            assert_eq!(all.concat(), text, "{pattern}");
        }
    }
    // No text has no pretoken, though nothing splits it.
    let whole = Pretokenizer::from_stages::<&str>(&[]).unwrap();
    assert!(whole.split_marked("", |_, _| ControlFlow::Break(())).is_continue());
}
