//! The whole encoder against the definition, with published vocabularies: every tier, with a cache that knows and one that
//! does not, in one piece and on any number of threads.

// Tests fail by panicking, and tell how much they compared.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::cell::{Cell, RefCell};
use std::num::NonZero;
use std::ops::ControlFlow;

use bytepair_core::encode::naive::NaiveEncoder;
use bytepair_core::pretokenize::Tier;
use bytepair_core::{Allowed, Interrupt, Scratch, ScratchPool, Tokenizer, builtin};
use proptest::prelude::*;

/// Texts of words of many scripts, of runs, and of bytes that are no text.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => " ?[a-zA-Z]{1,12}",
        2 => "[a-z]{1,6}'(s|t|ll|RE|ve)",
        2 => "[ \\t]{0,4}[0-9]{1,7}",
        3 => " ?[а-яА-ЯёЁ]{1,14}",
        2 => " ?[α-ω]{1,9}",
        2 => " ?[ء-ي]{1,9}",
        4 => "[一-龥]{1,12}",
        3 => "[ぁ-ヺ]{1,12}",
        3 => " ?[가-힣]{1,8}",
        2 => "[ก-๛]{1,10}",
        2 => "[，。！？「」…—]{1,3}",
        3 => "[!-/:-@]{1,4}",
        2 => "[ \\n\\r\\t]{1,8}",
        1 => "[😀-🙏]{1,4}",
        1 => "\\PC{1,6}",
    ]
    .prop_map(String::into_bytes);
    let run = (prop::sample::select(vec!["a", " ", "-", "=", "中", "é", "\n", "0"]), 1..90_usize);
    let piece = prop_oneof![
        20 => word,
        2 => run.prop_map(|(unit, n)| unit.repeat(n).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 1..5),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn encoding_is_what_the_definition_says() {
    let pool = ScratchPool::default();
    let tokenizers = ["gpt2", "cl100k_base", "o200k_base"].map(|name| {
        let definition = builtin::definition(name).unwrap().unwrap();
        (NaiveEncoder::new(&definition), Tokenizer::new(definition).unwrap())
    });
    let scratches = [(); 3].map(|()| RefCell::new(Scratch::default()));
    let n_ids = Cell::new(0);
    let config = ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in texts())| {
        for ((naive, tokenizer), scratch) in tokenizers.iter().zip(&scratches) {
            let mut expected = Vec::new();
            Tier::force(Some(Tier::Portable));
            let _ = tokenizer.pretokenizer().split(&text, |pretoken| {
                expected.extend(naive.encode_pretoken(pretoken));
                ControlFlow::<()>::Continue(())
            });
            n_ids.set(n_ids.get() + expected.len());
            for tier in Tier::available() {
                Tier::force(Some(tier));
                let fresh = RefCell::default();
                for scratch in [&fresh, scratch, scratch] {
                    let scratch = &mut *scratch.borrow_mut();
                    let mut ids = Vec::new();
                    tokenizer.encode(scratch, &text, Allowed::None, &mut ids).unwrap();
                    prop_assert_eq!(&ids, &expected, "{:?} {:?}", tier, String::from_utf8_lossy(&text));
                    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
                    let count = tokenizer.count(scratch, &text, &specials, usize::MAX, &Interrupt::never()).unwrap();
                    prop_assert_eq!(count, Some(expected.len()));
                }
            }
            let many = vec![&text[..]; 9];
            let batch = tokenizer.encode_batch(&pool, &many, Allowed::None, NonZero::new(3)).unwrap();
            prop_assert_eq!(batch.ids, expected.repeat(9));
        }
    });
    Tier::force(None);
    println!("{} ids compared", n_ids.get());
}

/// Short texts are encoded together; each is still a text of its own, wherever the ones beside it could go on.
#[test]
fn a_batch_of_short_texts_has_the_ids_of_each() {
    let pool = ScratchPool::default();
    let tokenizers = ["gpt2", "cl100k_base", "o200k_base"].map(|name| builtin::tokenizer(name).unwrap().unwrap());
    let scratches = [(); 3].map(|()| RefCell::new(Scratch::default()));
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in texts(), lengths in prop::collection::vec(0..70_usize, 1..40), n_times in 1..20_usize)| {
        let mut pieces = Vec::new();
        let mut rest = &text[..];
        for length in lengths.into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let pieces = pieces.repeat(n_times);
        for (tokenizer, scratch) in tokenizers.iter().zip(&scratches) {
            let (mut ids, mut ends) = (Vec::new(), Vec::new());
            for piece in &pieces {
                tokenizer.encode(&mut scratch.borrow_mut(), piece, Allowed::None, &mut ids).unwrap();
                ends.push(ids.len());
            }
            for tier in Tier::available() {
                Tier::force(Some(tier));
                for pool in [&pool, &ScratchPool::default()] {
                    let batch = tokenizer.encode_batch(pool, &pieces, Allowed::None, NonZero::new(1 + n_times % 3)).unwrap();
                    prop_assert_eq!(&batch.ids, &ids, "{:?}", tier);
                    prop_assert_eq!(&batch.ends, &ends);
                }
            }
        }
    });
}
