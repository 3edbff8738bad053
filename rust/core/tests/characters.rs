//! Texts in the forms that Python holds them in: the ids of their UTF-8, however long they are and over any threads.

#![allow(clippy::unwrap_used)]

use std::num::NonZero;

use bytepair_core::pretokenize::Tier;
use bytepair_core::vocab::Specials;
use bytepair_core::{Allowed, ErrorKind, Interrupt, Scratch, ScratchPool, Text, Tokenizer, builtin};
use proptest::prelude::*;

/// Longer than what is encoded at once, and than what one thread is given.
const LONG: usize = 600_000;

/// A text in every form that holds it.
struct Forms {
    utf8: String,
    latin1: Vec<u8>,
    ucs2: Vec<u16>,
    ucs4: Vec<u32>,
}

impl Forms {
    fn new(utf8: String) -> Self {
        fn all<T: TryFrom<u32>>(text: &str) -> Vec<T> {
            text.chars().map(|character| u32::from(character).try_into()).collect::<Result<_, _>>().unwrap_or_default()
        }
        Self { latin1: all(&utf8), ucs2: all(&utf8), ucs4: all(&utf8), utf8 }
    }

    fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let forms = [Text::Latin1(&self.latin1), Text::Ucs2(&self.ucs2), Text::Ucs4(&self.ucs4)];
        forms.into_iter().filter(|form| !form.is_empty())
    }
}

/// Encodes the forms in every way, each of which must give `expected`.
fn check(tokenizer: &Tokenizer, pool: &ScratchPool, forms: &Forms, specials: &Specials<'_>, expected: &[u32]) {
    let never = Interrupt::never();
    for text in forms.texts() {
        let mut ids = vec![7];
        tokenizer.encode_characters(&mut pool.lend(), text, specials, &never, &mut ids).unwrap();
        assert!(ids[1..] == *expected, "{:?}", &forms.utf8[..forms.utf8.len().min(200)]);
        for (limit, is_more) in
            [(usize::MAX, false), (expected.len(), false), (expected.len() / 2, !expected.is_empty())]
        {
            let n = tokenizer.count_characters(&mut pool.lend(), text, specials, limit, &never).unwrap();
            assert_eq!(n, (!is_more).then_some(expected.len()));
        }
        // Among short ones, which are joined, and bytes.
        let texts = [text, Text::Ucs2(&[0x4F60]), Text::Bytes(b"hello"), Text::Latin1(&[0xE9]), text];
        for n_threads in 1..=3 {
            let batch = tokenizer.encode_batch_with(pool, &texts, specials, &never, NonZero::new(n_threads)).unwrap();
            assert!(batch.ids[..batch.ends[0]] == *expected && batch.ids[batch.ends[3]..] == *expected);
            assert_eq!(batch.ends.len(), texts.len());
            assert_eq!(tokenizer.decode(&batch.ids[batch.ends[0]..batch.ends[3]]).unwrap(), "你helloé".as_bytes());
        }
    }
}

#[test]
fn ids_are_those_of_the_utf8() {
    let tokenizers = ["gpt2", "cl100k_base", "o200k_base"].map(|name| builtin::tokenizer(name).unwrap().unwrap());
    let pool = ScratchPool::default();
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    let characters = prop_oneof![
        "[a-zA-Z ,.'\n0-9]{1,60}",
        "[a-zà-ÿ ]{1,40}",
        "[а-яА-Я ,.]{1,60}",
        "[一-龥。、\u{3000}]{1,40}",
        Just("<|endoftext|>".to_owned()),
        "\\PC{0,30}",
    ];
    proptest!(config, |(parts in prop::collection::vec(characters, 1..30), is_long in any::<bool>())| {
        let mut text = parts.concat();
        if is_long && !text.is_empty() {
            text = text.repeat(LONG / text.len() + 1);
        }
        let forms = Forms::new(text);
        for tokenizer in &tokenizers {
            for allowed in [Allowed::None, Allowed::All] {
                let mut expected = Vec::new();
                tokenizer.encode(&mut Scratch::default(), forms.utf8.as_bytes(), allowed, &mut expected).unwrap();
                let specials = tokenizer.added_tokens().specials(allowed, Allowed::None).unwrap();
                for tier in Tier::available() {
                    Tier::force(Some(tier));
                    check(tokenizer, &pool, &forms, &specials, &expected);
                }
            }
        }
    });
    Tier::force(None);
}

#[test]
fn what_is_refused_is_found_wherever_it_is() {
    let tokenizer = builtin::tokenizer("gpt2").unwrap().unwrap();
    let (pool, never) = (ScratchPool::default(), Interrupt::never());
    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::All).unwrap();
    for n_before in [0, 10, LONG] {
        let mut text = "é is a letter. ".repeat(n_before / 15 + 1);
        let place = text.len();
        text += "<|endoftext|>";
        let forms = Forms::new(text);
        for text in forms.texts() {
            let mut ids = Vec::new();
            let one = tokenizer.encode_characters(&mut pool.lend(), text, &specials, &never, &mut ids).unwrap_err();
            let texts = [Text::Bytes(b"a"), text];
            let (index, among) = tokenizer.encode_batch_with(&pool, &texts, &specials, &never, None).unwrap_err();
            assert_eq!(index, 1);
            for error in [one, among] {
                assert!(matches!(error.kind(), ErrorKind::SpecialToken { offset, .. } if *offset == Some(place)));
            }
        }
    }
}

#[test]
fn the_first_text_at_fault_is_named() {
    let tokenizer = builtin::tokenizer("gpt2").unwrap().unwrap();
    let (pool, never) = (ScratchPool::default(), Interrupt::never());
    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::All).unwrap();
    let long = "a ".repeat(LONG) + "<|endoftext|>";
    let wide: Vec<u16> = "é<|endoftext|>".encode_utf16().collect();
    let surrogate = [0xD800];
    let faults =
        [Text::Bytes(long.as_bytes()), Text::Bytes(b"<|endoftext|>"), Text::Ucs2(&wide), Text::Ucs2(&surrogate)];
    for (one, two) in (0..faults.len()).flat_map(|one| (0..faults.len()).map(move |two| (one, two))) {
        let texts = [Text::Bytes(b"good"), faults[one], Text::Ucs2(&[0x4F60]), faults[two]];
        for n_threads in 1..=3 {
            let encoded = tokenizer.encode_batch_with(&pool, &texts, &specials, &never, NonZero::new(n_threads));
            let (index, error) = encoded.unwrap_err();
            assert_eq!(index, 1, "{one} {two} {n_threads} {error}");
            assert_eq!(matches!(error.kind(), ErrorKind::Surrogate { .. }), one == 3);
        }
    }
}

#[test]
fn what_is_no_character_is_named_by_its_place() {
    let tokenizer = builtin::tokenizer("gpt2").unwrap().unwrap();
    let (pool, never) = (ScratchPool::default(), Interrupt::never());
    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
    for place in [0, 1, 99_999, LONG - 1] {
        let mut text: Vec<u16> = "é word ".encode_utf16().cycle().take(LONG).collect();
        text[place] = 0xDC00;
        let mut ids = Vec::new();
        let text = Text::Ucs2(&text);
        let error = tokenizer.encode_characters(&mut pool.lend(), text, &specials, &never, &mut ids).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Surrogate { index } if *index == place), "{error}");
        for n_threads in 1..=2 {
            let texts = [Text::Bytes(b"a"), text, text];
            let (index, error) =
                tokenizer.encode_batch_with(&pool, &texts, &specials, &never, NonZero::new(n_threads)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Surrogate { index } if *index == place), "{error}");
            assert_eq!(index, 1);
        }
    }
}
