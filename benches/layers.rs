//! The layers of encoding by themselves: split, encode with and without a warm cache, count, decode.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use bytepair_core::{Allowed, Interrupt, Scratch, Tokenizer, builtin};
use criterion::{Criterion, Throughput};

/// Texts of about 200 kB: prose, code, two scripts without spaces, and one endless pretoken.
fn texts() -> [(&'static str, String); 5] {
    let prose = "It's 1984, and the quick brown fox jumps over 13 lazy dogs; nobody's watching.\n";
    let code = "    for (int i = 0; i < n_items; ++i) { total += items[i].weight * 0x1f; }\n";
    let repeat = |text: &str| text.repeat(200_000 / text.len());
    [
        ("prose", repeat(prose)),
        ("code", repeat(code)),
        ("cyrillic", repeat("Съешь же ещё этих мягких французских булок, да выпей чаю. ")),
        ("chinese", repeat("天地玄黃,宇宙洪荒。日月盈昃,辰宿列張。")),
        ("run", repeat("-")),
    ]
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
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(text.len().try_into().unwrap()));
    group.bench_function("split", |bencher| {
        bencher.iter(|| {
            let mut n_pretokens = 0;
            let _ = tokenizer.pretokenizer().split(black_box(text), |_| {
                n_pretokens += 1;
                ControlFlow::<()>::Continue(())
            });
            n_pretokens
        });
    });
    let mut ids = Vec::new();
    group.bench_function("encode", |bencher| {
        let mut scratch = Scratch::default();
        bencher.iter(|| {
            ids.clear();
            tokenizer.encode(&mut scratch, black_box(text), Allowed::None, &mut ids).unwrap();
        });
    });
    group.bench_function("count", |bencher| {
        let mut scratch = Scratch::default();
        let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
        bencher.iter(|| tokenizer.count(&mut scratch, black_box(text), &specials, usize::MAX, &Interrupt::never()));
    });
    group.bench_function("decode", |bencher| bencher.iter(|| tokenizer.decode(black_box(&ids)).unwrap()));
    group.finish();
    assert_eq!(tokenizer.decode(&ids).unwrap(), text, "a benchmark of wrong results says nothing");
}
