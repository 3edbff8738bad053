//! Splits, against a backtracking engine that runs the pattern as published.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Mutex;

use arbitrary::{Result, Unstructured};
use bytepair_core::pretokenize::Pretokenizer;
use fancy_regex::Regex;

/// The pretokens of a text.
pub(super) fn pretokens<'t>(pretokenizer: &Pretokenizer, text: &'t [u8]) -> Vec<&'t [u8]> {
    let mut pretokens = Vec::new();
    let _ = pretokenizer.split(text, |pretoken| {
        pretokens.push(pretoken);
        ControlFlow::<()>::Continue(())
    });
    pretokens
}

/// Matches and what is between them, each stage on the pieces of the one before; `None` where the engine gives up.
fn oracle<'t>(stages: &[Regex], text: &'t str) -> Option<Vec<&'t [u8]>> {
    let mut pieces = vec![text];
    for regex in stages {
        let mut next = Vec::new();
        for piece in pieces {
            let mut end = 0;
            for found in regex.find_iter(piece) {
                let found = found.ok()?;
                if !found.as_str().is_empty() {
                    next.extend([&piece[end..found.start()], found.as_str()]);
                    end = found.end();
                }
            }
            next.push(&piece[end..]);
        }
        next.retain(|piece| !piece.is_empty());
        pieces = next;
    }
    Some(pieces.into_iter().map(str::as_bytes).collect())
}

/// The characters that between them take every branch of every rule.
const CHARACTERS: [char; 32] = [
    '\n', '\r', ' ', ' ', '\t', '\u{85}', '\u{A0}', '\u{3000}', 'A', 'L', 'ǅ', 'Σ', 'a', 's', 'l', 'v', 'e', 'ſ', 'ʰ',
    '中', '\u{301}', '1', '2', '²', '\'', '’', '/', '!', '😀', '\0', '\u{200D}', '\u{E000}',
];

fn any_text(source: &mut Unstructured<'_>, longest: usize) -> Result<String> {
    let character = |source: &mut Unstructured<'_>| {
        if source.ratio(1, 8)? { source.arbitrary() } else { source.choose(&CHARACTERS).copied() }
    };
    (0..source.int_in_range(1..=longest)?).map(|_| character(source)).collect()
}

/// Presets by name: as they are split here, and the stages for the oracle.
type Compiled = HashMap<&'static str, (Pretokenizer, Vec<Regex>)>;

/// A preset by its scanner and by its regex.
pub(super) fn preset(data: &[u8]) -> Result<()> {
    static COMPILED: Mutex<Option<Compiled>> = Mutex::new(None);
    let mut source = Unstructured::new(data);
    let presets: Vec<&str> = Pretokenizer::presets().collect();
    let name = *source.choose(&presets)?;
    let mut compiled = COMPILED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (pretokenizer, regexes) = compiled.get_or_insert_default().entry(name).or_insert_with(|| {
        let pretokenizer = Pretokenizer::new(name).unwrap();
        let regexes = pretokenizer.stages().iter().map(|stage| Regex::new(stage).unwrap()).collect();
        (pretokenizer, regexes)
    });
    while !source.is_empty() {
        let text = any_text(&mut source, 100)?;
        if let Some(expected) = oracle(regexes, &text) {
            assert_eq!(pretokens(pretokenizer, text.as_bytes()), expected, "{name}: {text:?}");
        }
    }
    Ok(())
}

/// What a user's pattern is made of.
const ATOMS: [&str; 28] = [
    "a",
    "b",
    "s",
    " ",
    "'",
    "[ab]",
    "[^a]",
    r"\p{L}",
    r"\p{N}",
    r"\s",
    r"\S",
    r"\w",
    r"\d",
    ".",
    "(?i:s)",
    "(?s:.)",
    "|",
    "|",
    "|",
    "(?:",
    ")",
    "(",
    ")",
    r"\s+(?!\S)",
    "$",
    "[^\r\n]",
    r"\p{Lu}",
    "中",
];
const REPEATS: [&str; 12] = ["", "", "", "", "?", "*", "+", "+?", "*?", "{2}", "{1,3}", "++"];

/// A user's pattern: refused, or split as the engine does; any bytes give their bytes back.
pub(super) fn pattern(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let mut regex = String::new();
    for _ in 0..source.int_in_range(1..=8)? {
        regex += source.choose(&ATOMS)?;
        regex += source.choose(&REPEATS)?;
    }
    if source.ratio(1, 16)? {
        regex += source.arbitrary::<&str>()?;
    }
    let Ok(pretokenizer) = Pretokenizer::new(&regex) else { return Ok(()) };
    let any = source.arbitrary::<&[u8]>()?;
    assert_eq!(pretokens(&pretokenizer, any).concat(), any);
    // `$` is the end of the text to us, as to tiktoken; the engine may see one before a last line feed.
    let Ok(compiled) = Regex::new(&regex.replace('$', r"\z")) else { return Ok(()) };
    while !source.is_empty() && pretokenizer.preset().is_none() {
        let text = any_text(&mut source, 40)?;
        if let Some(expected) = oracle(std::slice::from_ref(&compiled), &text) {
            assert_eq!(pretokens(&pretokenizer, text.as_bytes()), expected, "{regex:?}: {text:?}");
        }
    }
    Ok(())
}
