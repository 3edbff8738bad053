//! The layers of encoding by themselves: split and encode by each tier, count, decode.
//!
//! Unsafe code shows here: the masks in `split/Avx2` beside `split/Portable`, the look-up in `encode/Avx2` beside
//! `encode/Portable`, and its prefetch in `words/encode`, where lines leave the near caches. That of arrays, and large pages,
//! do in `compare.py`, regime `encode`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use bytepair_core::pretokenize::Tier;
use bytepair_core::{Allowed, Interrupt, Scratch, Tokenizer, builtin};
use criterion::{Criterion, Throughput};

/// Texts of about 200 kB: prose, code, two more scripts, one endless pretoken; and one of 2 MB of ever other words.
fn texts() -> [(&'static str, String); 6] {
    let prose = "It's 1984, and the quick brown fox jumps over 13 lazy dogs; nobody's watching.\n";
    let code = "    for (int i = 0; i < n_items; ++i) { total += items[i].weight * 0x1f; }\n";
    let repeat = |text: &str| text.repeat(200_000 / text.len());
    [
        ("prose", repeat(prose)),
        ("code", repeat(code)),
        ("cyrillic", repeat("Съешь же ещё этих мягких французских булок, да выпей чаю. ")),
        ("chinese", repeat("天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。")),
        ("run", repeat("-")),
        ("words", words(2_000_000)),
    ]
}

/// Words of three syllables, of which there are 64³, in no order.
fn words(n_bytes: usize) -> String {
    let syllables: Vec<String> = "bcdfghjklmnprstv"
        .chars()
        .flat_map(|first| "aeio".chars().map(move |then| [first, then].iter().collect()))
        .collect();
    let mut text = String::new();
    let mut state = 1_u64;
    while text.len() < n_bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(' ');
        for shift in [40, 46, 52] {
            text.push_str(&syllables[usize::try_from((state >> shift) % 64).unwrap()]);
        }
    }
    text
}

fn main() {
    let mut criterion =
        Criterion::default().configure_from_args().measurement_time(Duration::from_secs(2)).sample_size(20);
    for name in ["gpt2", "o200k_base"] {
        let tokenizer = Tokenizer::new(builtin::definition(name).unwrap().unwrap()).unwrap();
        for (kind, text) in texts() {
            layers(&mut criterion, &tokenizer, &format!("{name}/{kind}"), text.as_bytes());
        }
    }
    criterion.final_summary();
}

fn layers(criterion: &mut Criterion, tokenizer: &Tokenizer, name: &str, text: &[u8]) {
    let mut ids = Vec::new();
    tokenizer.encode(&mut Scratch::default(), text, Allowed::None, &mut ids).unwrap();
    assert!(tokenizer.decode(&ids).unwrap() == text, "a benchmark of wrong results says nothing");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(text.len().try_into().unwrap()));
    for tier in Tier::available() {
        Tier::force(Some(tier));
        group.bench_function(format!("split/{tier:?}"), |bencher| {
            bencher.iter(|| {
                let mut n_pretokens = 0;
                let _ = tokenizer.pretokenizer().split(black_box(text), |_| {
                    n_pretokens += 1;
                    ControlFlow::<()>::Continue(())
                });
                n_pretokens
            });
        });
        group.bench_function(format!("encode/{tier:?}"), |bencher| {
            let mut scratch = Scratch::default();
            bencher.iter(|| {
                ids.clear();
                tokenizer.encode(&mut scratch, black_box(text), Allowed::None, &mut ids).unwrap();
            });
            assert!(tokenizer.decode(&ids).unwrap() == text);
        });
    }
    Tier::force(None);
    group.bench_function("count", |bencher| {
        let mut scratch = Scratch::default();
        let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
        bencher.iter(|| tokenizer.count(&mut scratch, black_box(text), &specials, usize::MAX, &Interrupt::never()));
    });
    group.bench_function("decode", |bencher| bencher.iter(|| tokenizer.decode(black_box(&ids)).unwrap()));
    group.finish();
}
