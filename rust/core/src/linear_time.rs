//! Encoding takes time linear in the text: operations counted, twice the text takes at most about 2.05 times as many.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::builtin;
use crate::counters::operations;
use crate::encode::Scratch;
use crate::tokenizer::Tokenizer;
use crate::train::{Counts, TrainOptions, train};
use crate::vocab::Allowed;

/// Texts are of this many bytes and of twice, four and eight times as many.
const START: usize = 1 << 16;
const DOUBLINGS: usize = 3;

/// How many times as many operations, in hundredths, four times a text may take: 2.05². Not twice a text: in the one
/// doubling the cache grows, in the next it does not.
const MOST_TIMES: usize = 420;

/// How many operations a byte may take.
const MOST_A_BYTE: usize = 20;

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64*, good enough for texts.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % limit
    }

    fn text(&mut self, characters: &[char], n_bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < n_bytes {
            text.push(characters[self.below(characters.len())]);
        }
        text
    }
}

/// `part` again and again, to so many bytes or a few more.
fn repeated(part: &str, n_bytes: usize) -> String {
    part.repeat(n_bytes.div_ceil(part.len()))
}

/// The texts that slow tokenizers down, those of the benchmarks: what the words of a family mean, `benches/hostile.py` says.
fn families() -> Map<String, Value> {
    serde_json::from_str(include_str!("../../../benches/hostile.json")).unwrap()
}

/// A text of a family, of so many bytes or a few more.
fn text_of(family: &Value, n_bytes: usize) -> String {
    let string = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(ranges) = family.get("random") {
        let ends = ranges.as_array().unwrap().iter().map(|ends| string(ends).chars().collect::<Vec<char>>());
        let characters: Vec<char> = ends.flat_map(|ends| ends[0]..=ends[1]).collect();
        return Random(7).text(&characters, n_bytes);
    }
    let units = match &family["again"] {
        Value::Array(units) => units.iter().map(string).collect(),
        unit => vec![string(unit)],
    };
    let once = |key: &str| family.get(key).map(string).unwrap_or_default();
    let (first, last) = (once("first"), once("last"));
    let n_each = (n_bytes - first.len() - last.len()) / units.len();
    first + &units.iter().map(|unit| repeated(unit, n_each)).collect::<String>() + &last
}

/// Texts made of a vocabulary's own tokens: the longest of them end to end, each cut short of its last byte, and those
/// whose beginnings are most often tokens too.
fn worst_texts(tokenizer: &Tokenizer) -> Vec<(&'static str, Vec<u8>)> {
    let mut by_length: Vec<&[u8]> = tokenizer.vocabulary().ordinary().map(|(_, bytes)| bytes).collect();
    by_length.sort_by_key(|bytes| std::cmp::Reverse((bytes.len(), *bytes)));
    let mut by_depth = by_length.clone();
    let is_token = |bytes: &[u8]| tokenizer.vocabulary().ordinary_id(bytes).is_some();
    by_depth.truncate(20_000);
    by_depth.sort_by_cached_key(|bytes| std::cmp::Reverse((1..bytes.len()).filter(|&n| is_token(&bytes[..n])).count()));
    let joined = |tokens: &[&[u8]], short_of: usize| {
        let pieces = tokens[..500].iter().map(|bytes| &bytes[..bytes.len() - short_of]);
        pieces.flatten().copied().collect::<Vec<u8>>()
    };
    vec![
        ("longest tokens", joined(&by_length, 0)),
        ("longest tokens, cut short", joined(&by_length, 1)),
        ("deepest tokens", joined(&by_depth, 0)),
        ("deepest tokens, cut short", joined(&by_depth, 1)),
    ]
}

fn cost(tokenizer: &Tokenizer, text: &[u8]) -> usize {
    operations(|| {
        let mut ids = Vec::new();
        // Nothing is known of the text: the cost of a miss is what may grow.
        tokenizer.encode(&mut Scratch::default(), text, Allowed::None, &mut ids).unwrap();
        crate::counters::count(ids.len());
    })
}

fn check(name: &str, tokenizer: &Tokenizer) {
    let mut report = String::new();
    let mut failed = false;
    let families = families().into_iter().map(|(what, family)| {
        let texts: Vec<Vec<u8>> = (0..=DOUBLINGS).map(|k| text_of(&family, START << k).into_bytes()).collect();
        (what, texts)
    });
    let own = worst_texts(tokenizer).into_iter().map(|(what, part)| {
        let texts = (0..=DOUBLINGS).map(|k| part.repeat((START << k).div_ceil(part.len()))).collect();
        (what.to_owned(), texts)
    });
    for (what, texts) in families.chain(own) {
        let costs: Vec<usize> = texts.iter().map(|text| cost(tokenizer, text)).collect();
        for (costs, texts) in costs.windows(3).zip(texts.windows(3)) {
            // In hundredths, for as much text as there really is.
            let ratio = costs[2] * 400 * texts[0].len() / (costs[0] * texts[2].len());
            if ratio > MOST_TIMES {
                failed = true;
                let (times, n_bytes) = (format!("{}.{:02}", ratio / 100, ratio % 100), texts[0].len());
                writeln!(report, "{name}: {what}: four times {n_bytes} bytes take {times} times as many").unwrap();
            }
        }
        let per_byte = costs[DOUBLINGS] / texts[DOUBLINGS].len();
        if per_byte > MOST_A_BYTE {
            failed = true;
            writeln!(report, "{name}: {what}: {per_byte} operations a byte").unwrap();
        }
    }
    assert!(!failed, "{report}");
}

fn check_published(name: &str) {
    check(name, &Tokenizer::new(builtin::definition(name).unwrap().unwrap()).unwrap());
}

#[test]
fn gpt2() {
    check_published("gpt2");
}

#[test]
fn cl100k() {
    check_published("cl100k_base");
}

#[test]
fn o200k() {
    check_published("o200k_base");
}

/// One giant pretoken, and a vocabulary made for it.
#[test]
fn what_is_trained_on_runs_without_a_split() {
    let split = crate::pretokenize::Pretokenizer::from_stages::<&str>(&[]).unwrap();
    let mut counts = Counts::new(split, [] as [&str; 0]).unwrap();
    counts.add_document(repeated("ab", 1000).as_bytes()).unwrap();
    counts.add_document(Random(3).text(&['a', 'b', 'c', 'd'], 20_000).as_bytes()).unwrap();
    let trained = train(&counts, &TrainOptions::new(1000), &mut |_| Ok(())).unwrap();
    let definition = trained.definition(counts.pretokenizer(), &[]).unwrap();
    check("trained on runs", &Tokenizer::new(definition).unwrap());
}

/// The gate can fail: work that is not linear is seen.
#[test]
fn quadratic_work_is_seen() {
    let work = |n: usize| operations(|| (0..n).for_each(crate::counters::count));
    assert!(work(2000) > 3 * work(1000));
}
