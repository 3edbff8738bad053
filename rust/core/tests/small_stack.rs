//! A thread with a stack of 128 KiB reads any file and encodes any text: how deep we go does not depend on the input.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::thread;

use bytepair_core::ask::EncodeStream;
use bytepair_core::formats::{compact, gpt2, hugging_face, sniff, tekken, tiktoken};
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{Allowed, Interrupt, Scratch, ScratchPool, Text, Tokenizer, builtin};

/// What a thread may have where its maker is mean: musl's default.
const STACK_BYTES: usize = 128 << 10;

fn in_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Brackets and objects in each other, alone and where a file may have any value, open and closed.
fn nested() -> Vec<String> {
    let n = 200_000;
    let mut values = Vec::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        values.push(open.repeat(n));
        values.push(open.repeat(n) + "1" + &close.repeat(n));
    }
    let fields = ["model", "normalizer", "pre_tokenizer", "post_processor", "config", "added_tokens", "x"];
    let in_fields = fields.iter().flat_map(|field| values.iter().map(move |value| format!("{{\"{field}\": {value}}}")));
    let sequences = ["pretokenizers", "normalizers", "processors"].map(|list| {
        let open = format!("{{\"type\":\"Sequence\",\"{list}\":[");
        let value = open.repeat(n) + &"]}".repeat(n);
        format!("{{\"normalizer\":{value},\"pre_tokenizer\":{value},\"post_processor\":{value}}}")
    });
    in_fields.chain(values.iter().cloned()).chain(sequences).collect()
}

#[test]
fn readers_refuse_what_is_nested_too_deep() {
    in_a_small_stack(|| {
        let split = || Pretokenizer::new("gpt2").unwrap();
        for file in nested() {
            let bytes = file.as_bytes();
            assert!(hugging_face::read(bytes).is_err());
            assert!(tekken::read(bytes).is_err());
            assert!(gpt2::read(bytes, b"", None, &[], split()).is_err());
            assert!(gpt2::read(b"{}", b"", Some(bytes), &[], split()).is_err());
            assert!(tiktoken::parse(bytes).is_err());
            assert!(compact::read(bytes).is_err());
            let _ = sniff(bytes);
        }
    });
}

#[test]
fn readers_read_what_is_published() {
    in_a_small_stack(|| {
        let definition = builtin::definition("cl100k_base").unwrap().unwrap();
        let tokenizer = Tokenizer::new(definition).unwrap();
        let form = tokenizer.canonical_form().unwrap();
        let file = hugging_face::write(&tokenizer.definition()).unwrap();
        for again in [compact::read(form).unwrap(), hugging_face::read(file.as_bytes()).unwrap()] {
            assert_eq!(Tokenizer::new(again).unwrap().fingerprint().unwrap(), tokenizer.fingerprint().unwrap());
        }
    });
}

#[test]
fn patterns_are_refused_or_compiled() {
    in_a_small_stack(|| {
        // Odd: of two backslashes one is a character.
        let n = 10_001;
        for part in ["(", "(?:", "[", "[a-z&&", "(?=", "a|(", "(?i", "\\", "a{", "(?<!"] {
            assert!(Pretokenizer::new(&part.repeat(n)).is_err(), "{part}");
        }
        for (open, close) in [("(?:", ")"), ("(?:a|", ")"), ("[[", "]]"), ("(?:", ")?"), ("(?:", ")+")] {
            for depth in [10, 100, n] {
                let _ = Pretokenizer::new(&(open.repeat(depth) + "a" + &close.repeat(depth)));
            }
        }
    });
}

#[test]
fn texts_of_any_kind_are_encoded() {
    in_a_small_stack(|| {
        for name in ["gpt2", "o200k_base"] {
            let tokenizer = Tokenizer::new(builtin::definition(name).unwrap().unwrap()).unwrap();
            let specials = tokenizer.added_tokens().specials(Allowed::All, Allowed::None).unwrap();
            let (mut scratch, pool, never) = (Scratch::default(), ScratchPool::default(), Interrupt::never());
            for part in ["a", "A", " ", "\n", "中", "😀\u{200D}", "<|endoftext|>", "<|endoftext", "it's 12 "] {
                let text = part.repeat(100_000 / part.len());
                let text = text.as_bytes();
                let mut ids = Vec::new();
                tokenizer.encode(&mut scratch, text, Allowed::All, &mut ids).unwrap();
                assert_eq!(tokenizer.decode(&ids).unwrap(), text);
                let batch =
                    tokenizer.encode_batch_with(&pool, &[Text::Bytes(text); 4], &specials, &never, None).unwrap();
                assert_eq!(batch.ids, ids.repeat(4));
                let mut stream = EncodeStream::new(&tokenizer, specials.clone()).unwrap();
                stream.append(&tokenizer, &mut scratch, text, &never).unwrap();
                assert_eq!(stream.ids(), ids);
                assert!(tokenizer.truncate_left(&mut scratch, text, 10, &specials, &never).unwrap() > 0);
                assert!(!tokenizer.split(&pool, text, 1000, 10, &specials, &never).unwrap().is_empty());
            }
        }
    });
}
