//! What a process waits for before its first ids: the built-in vocabularies, each time in a fresh process, since memory that was
//! used before costs far less.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;
use std::time::{Duration, Instant};

use bytepair_core::{Allowed, Scratch, builtin};
use criterion::Criterion;

/// Tells a process that it is to be measured: what to do and with which vocabulary.
const WORK: &str = "BYTEPAIR_BENCH_WORK";

/// What a process does: `load`, or that and the first text of a kind.
const KINDS: [&str; 5] = ["load", "word", "prose", "chinese", "long pretokens"];

fn text(kind: &str) -> Vec<u8> {
    // Words that differ, as those of a text do, and no file to read them from.
    let numbers = (1_u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40);
    let joined = |words: &mut dyn Iterator<Item = String>| words.take(20_000).collect::<String>().into_bytes();
    let letters = |n: u64| {
        (0..2 + n % 4)
            .map(|k| ["er", "on", "ti", "a", "the", "s", "u", "re"][usize::try_from(n >> (3 * k) & 7).unwrap()])
            .collect::<String>()
    };
    match kind {
        "word" => b"hello".to_vec(),
        "prose" => joined(&mut numbers.map(|n| format!(" {}", letters(n)))),
        "chinese" => {
            joined(&mut numbers.map(|n| char::from_u32(0x4E00 + u32::try_from(n % 3000).unwrap()).unwrap().into()))
        }
        "long pretokens" => joined(&mut numbers.map(|n| format!("{:064}\n", n).replace('0', "ab"))),
        _ => Vec::new(),
    }
}

fn work(kind: &str, name: &str) -> Duration {
    let text = text(kind);
    let start = Instant::now();
    let tokenizer = builtin::tokenizer(name).unwrap().unwrap();
    let mut ids = Vec::new();
    if kind != "load" {
        tokenizer.encode(&mut Scratch::default(), &text, Allowed::None, &mut ids).unwrap();
    }
    let elapsed = start.elapsed();
    assert_eq!(tokenizer.decode(&ids).unwrap(), text, "a benchmark of wrong results says nothing");
    elapsed
}

fn main() {
    if let Ok(wanted) = std::env::var(WORK) {
        let (kind, name) = wanted.split_once('/').unwrap();
        println!("{}", work(kind, name).as_nanos());
        return;
    }
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(2)).sample_size(20).configure_from_args();
    for kind in KINDS {
        for name in builtin::names() {
            criterion.bench_function(&format!("{kind}/{name}"), |bencher| {
                bencher.iter_custom(|n| (0..n).map(|_| in_a_fresh_process(kind, name)).sum());
            });
        }
    }
    criterion.final_summary();
}

fn in_a_fresh_process(kind: &str, name: &str) -> Duration {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env(WORK, format!("{kind}/{name}")).output().unwrap();
    Duration::from_nanos(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}
