//! Safe cuts, held to what they promise: both sides split as they do in the whole, with every preset.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use bytepair_core::pretokenize::Pretokenizer;
use proptest::prelude::*;

fn pretokens(pretokenizer: &Pretokenizer, text: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let _ = pretokenizer.split(text, |pretoken| {
        found.push(pretoken.to_vec());
        ControlFlow::<()>::Continue(())
    });
    found
}

static PRESETS: LazyLock<Vec<Pretokenizer>> =
    LazyLock::new(|| Pretokenizer::presets().filter_map(|name| Pretokenizer::new(name).ok()).collect());

/// Runs of the characters that the rules tell apart, and any others.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::sample::select(vec![
            "a", "s", "S", "ll", "RE", "'", "'s", "’", "ſ", "AB", "Ab", "aB", "é", "ǅ", "ʰ", "中", "文字", "カ", "・", "゛", "ー", "。",
            "1", "123", "٣", "½", " ", "  ", "\t", "\n", "\r", "\r\n", "\n\n", "\u{a0}", "\u{3000}", "\u{85}", "\u{2028}",
            "\u{301}", "\u{94d}", "\u{3099}", ".", "!", "/", "/\n", "(", "_", "$", "+", "€", "🦀", "\u{1}", "\u{200d}", "\u{e000}",
            "\u{378}",
        ]).prop_map(|part| part.as_bytes().to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        1 => prop::sample::select(vec![vec![0x80], vec![0xE4, 0xB8], vec![0xFF], vec![0xF0, 0x9F, 0xA6]]),
    ];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn both_sides_of_a_safe_cut_are_split_as_in_the_whole(text in text()) {
        for pretokenizer in PRESETS.iter() {
            let whole = pretokens(pretokenizer, &text);
            for at in 0..=text.len() {
                if pretokenizer.is_safe_cut(&text, at) {
                    let (left, right) = text.split_at(at);
                    let parts = [pretokens(pretokenizer, left), pretokens(pretokenizer, right)].concat();
                    prop_assert_eq!(&parts, &whole, "{:?} cut at {} by {:?}", text.escape_ascii().to_string(), at, pretokenizer);
                    // Wherever the text ends after it.
                    for end in (at..text.len()).filter(|&end| text[end] & 0xC0 != 0x80) {
                        let shorter = pretokens(pretokenizer, &text[..end]);
                        let parts = [pretokens(pretokenizer, left), pretokens(pretokenizer, &text[at..end])].concat();
                        prop_assert_eq!(parts, shorter, "{:?} up to {}", text.escape_ascii().to_string(), end);
                    }
                }
            }
        }
    }
}

#[test]
fn ordinary_text_can_be_cut_at_every_word() {
    assert_eq!(PRESETS.len(), Pretokenizer::presets().count());
    for pretokenizer in PRESETS.iter() {
        assert!(pretokenizer.has_safe_cuts());
        for text in ["one two, three\nfour 5 six", "नमस्ते दुनिया में", "中文。中文，中文", "x = ['a',\n    'b']\n"]
        {
            let cuts = (0..text.len()).filter(|&at| pretokenizer.is_safe_cut(text.as_bytes(), at)).count();
            assert!(cuts >= 2, "{text:?} {pretokenizer:?}: {cuts}");
        }
    }
    assert!(!Pretokenizer::new(r"\w+|\s+").unwrap().has_safe_cuts());
    assert!(!Pretokenizer::new(r"\w+|\s+").unwrap().is_safe_cut(b"a b", 1));
}
