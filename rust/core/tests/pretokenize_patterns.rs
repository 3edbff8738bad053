//! Which patterns are taken, which are refused and where, and which mean the same to Hugging Face's engine.

// Tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

use bytepair_core::ErrorKind;
use bytepair_core::pretokenize::Pretokenizer;

/// The position and the message of the error that a pattern gives.
fn refusal(result: bytepair_core::Result<Pretokenizer>) -> (usize, String) {
    let error = result.unwrap_err();
    match error.kind() {
        ErrorKind::Pattern { position } => (*position, error.to_string()),
        kind => panic!("{kind:?}"),
    }
}

fn from_hugging_face(stage: &str) -> bytepair_core::Result<Pretokenizer> {
    Pretokenizer::from_hugging_face(&[stage.to_owned()])
}

#[test]
fn what_cannot_run_in_linear_time_is_refused_where_it_stands() {
    let cases = [
        (r"a|b(?=c)", 3, "look-around"),
        (r"a|(?<=b)c", 2, "look-around"),
        (r"a|\s(?!\S)", 4, "look-around"),
        (r"(?:\s+(?!\S))+", 6, "look-around"),
        (r"a\s+(?!\S)|\s+(?!\S)", 4, "look-around"),
        (r"[(?!\S)]|\s+(?!\S)x", 12, "look-around"),
        (r"(a)\1", 3, "back-references"),
        (r"\p{L}++a", 6, "possessive"),
        (r"a++(?:a|b)", 2, "possessive"),
        (r"(?:ab++)+b", 6, "possessive"),
        (r"a*+b?a", 2, "possessive"),
        (r"(?:ab)++b", 7, "possessive"),
        (r"a{2}{3}", 4, "possessive"),
        (r"a+*", 2, "possessive"),
        (r"\bword", 0, "word boundaries"),
        (r"(?x) a", 2, "flags"),
        (r"(?i)a|\s+(?!\S)", 0, "flags"),
        (r"(?i)a++b", 0, "flags"),
        (r"(a", 0, "malformed"),
        (r"a|[z-a]", 3, "malformed"),
        (r"a\p{Klingon}", 1, "property"),
        (r"\w{500}", 0, "16 MiB"),
        ("", 0, "empty"),
    ];
    for (pattern, position, message) in cases {
        let (at, text) = refusal(Pretokenizer::new(pattern));
        assert!(text.contains(message), "{pattern}: {text}");
        assert_eq!(at, position, "{pattern}: {text}");
    }
}

#[test]
fn what_is_too_long_is_refused_at_once() {
    let look_aheads = r"\s+(?!\S)|".repeat(3000) + "a";
    let possessive = "a++b".repeat(3000);
    let cases = [
        ("[ab]".repeat(1 << 14) + "c", 1 << 16, "65537 bytes; the most is 65536"),
        (look_aheads, 64 * 10 + 3, "more than 64 look-aheads"),
        (possessive, 0, "more than 64 possessive marks"),
        ("a".repeat(1000), 0, "is not a preset"),
    ];
    for (pattern, position, message) in cases {
        let (at, text) = refusal(Pretokenizer::new(&pattern));
        assert!(text.contains(message) && text.len() < 400, "{text}");
        assert!(at == position || message.contains("possessive"), "{at}: {text}");
    }
    assert!(refusal(Pretokenizer::from_stages(&vec!["a+"; 100_000])).1.contains("more than 64 stages"));
    assert!(refusal(Pretokenizer::from_hugging_face(&vec!["a+".to_owned(); 65])).1.contains("more than 64 stages"));
}

/// A thread's stack is 2 MiB.
#[test]
fn the_longest_chain_has_room_on_the_stack() {
    let chain = Pretokenizer::from_stages(&vec!["a+"; 64]).unwrap();
    let count = || {
        let mut n = 0;
        let _ = chain.split(&b"aab".repeat(100), |_| {
            n += 1;
            std::ops::ControlFlow::<()>::Continue(())
        });
        n
    };
    let counted = std::thread::scope(|scope| scope.spawn(count).join().unwrap());
    assert_eq!(counted, 200);
}

#[test]
fn possessive_marks_that_change_nothing_are_taken() {
    for pattern in [r"a++", r"a*+b", r"(?:ab)++", r"[a-c]{1,3}+d|e++", r"a++$", r"a?+[^a]", r"a++b?c", r"\s++$|(a++b*)"]
    {
        Pretokenizer::new(pattern).unwrap();
    }
}

#[test]
fn a_misspelled_preset_is_not_taken_for_a_regex() {
    for (name, meant) in [("gtp2", "gpt2"), ("cl100k_base", "cl100k"), ("o200k_base", "o200k"), ("llama-3", "llama3")] {
        let (position, message) = refusal(Pretokenizer::new(name));
        assert_eq!(position, 0);
        assert!(message.contains(&format!(" {meant}")) && message.contains(&format!("(?:{name})")), "{message}");
    }
    assert_eq!(Pretokenizer::new("(?:gtp2)").unwrap().stages(), ["(?:gtp2)"]);
}

#[test]
fn hugging_face_reads_some_patterns_otherwise() {
    // The digits of tiktoken's pattern would be one number of any length there.
    let cl100k = Pretokenizer::new("cl100k").unwrap();
    let published = cl100k.stages()[0].clone();
    assert!(from_hugging_face(&published).is_err());
    let portable = cl100k.hugging_face_stages().unwrap();
    assert!(portable[0].contains(r"\p{N}{1,3}|") && portable[0].contains(r"\s+\z|"));
    assert_eq!(from_hugging_face(&portable[0]).unwrap(), cl100k);

    let cases = [
        (r"a|b$", 3),
        (r"^a", 0),
        (r"a\z", 1),
        (r"\w+", 0),
        (r"[\s\w]", 3),
        (r"a.", 1),
        (r"(?i:a)", 0),
        (r"(?<n>a)", 0),
        (r"a++", 2),
        (r"a{1,3}+", 6),
        (r"a{2,3}?", 1),
        (r"(?:a*)*b", 0),
        (r"a|b*", 2),
        (r"a|", 2),
        (r"[a&&b]", 1),
        (r"[a[bc]]", 2),
        (r"[[:alpha:]]", 1),
        (r"[a-c-e]", 4),
        (r"[]a]", 1),
        (r"a]", 1),
        (r"\x41", 0),
        (r"\v", 0),
        (r"\p{Script=Han}", 0),
        (r"\pL", 0),
        (r"\p{Letter}", 0),
    ];
    for (pattern, position) in cases {
        let (at, text) = refusal(from_hugging_face(pattern));
        assert_eq!(at, position, "{pattern}: {text}");
        // What is refused from there is not written there either.
        if let Ok(pretokenizer) = Pretokenizer::new(pattern) {
            assert_eq!(pretokenizer.hugging_face_stages(), None, "{pattern}");
        }
    }
}

#[test]
fn patterns_that_mean_the_same_pass_to_and_fro() {
    let patterns = [
        r"\p{N}{1,4}|[^\s\p{P}-]+\r?\n|\s+(?!\S)|\s+",
        r"[\p{Han}\p{Hiragana}]+|(?:a|bc)+?d|(e)f{2}|\P{L}",
        r"[-+*/\\\]]|[\d\t]\D*\.",
        r"(?:\s+(?!\S)|\s)",
    ];
    for pattern in patterns {
        let stages = [pattern.to_owned(), r"\p{N}".to_owned()];
        let pretokenizer = Pretokenizer::from_hugging_face(&stages).unwrap();
        assert_eq!(pretokenizer.stages(), stages);
        assert_eq!(pretokenizer.hugging_face_stages().as_deref(), Some(&stages[..]));
        assert_eq!(Pretokenizer::from_stages(&stages).unwrap(), pretokenizer);
    }
    // There is no such thing as a preset's name in those files; what is kept must not be mistaken for one.
    let literal = from_hugging_face("gpt2").unwrap();
    assert_eq!((literal.preset(), literal.stages()), (None, &["(?:gpt2)".to_owned()][..]));
    assert_eq!(Pretokenizer::from_stages(literal.stages()).unwrap(), literal);
}
