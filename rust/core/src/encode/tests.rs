//! Every strategy against the definition, on vocabularies that no trainer would make.

use proptest::prelude::*;

use super::naive::NaiveEncoder;
use super::prefixes::{Prefixes, Tokens};
use super::{long, short, windows};
use crate::definition::{Definition, MergeRule};
use crate::encode::Scratch;
use crate::ids::TokenId;
use crate::interrupt::Interrupt;
use crate::pipeline::Pipeline;
use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Tokenizer;
use crate::vocab::canonical::{Normalised, normalise};
use crate::vocab::{Allowed, Vocabulary};

const ALPHABET: &[u8] = b"abcd";

fn id(index: usize) -> TokenId {
    TokenId::from_index(index).unwrap()
}

/// A vocabulary of the 256 bytes and `strings` over the alphabet, in that order of rank.
fn definition(strings: &[Vec<u8>], merges: MergeRule, whole_pretokens: bool) -> Definition {
    let mut tokens: Vec<(TokenId, Vec<u8>)> = (0..=255).map(|byte| (id(byte.into()), vec![byte])).collect();
    for string in strings {
        if !tokens.iter().any(|(_, known)| known == string) {
            tokens.push((id(tokens.len()), string.clone()));
        }
    }
    let pretokenizer = Pretokenizer::from_stages::<&str>(&[]).unwrap();
    Definition {
        name: None,
        pretokenizer,
        tokens,
        merges,
        whole_pretokens,
        added_tokens: Vec::new(),
        pipeline: Pipeline::default(),
    }
}

fn normalised(definition: &Definition) -> Normalised {
    let vocabulary = Vocabulary::new(&definition.tokens, &[]).unwrap();
    normalise(&vocabulary, &definition.merges).unwrap()
}

fn check(definition: &Definition, texts: &[Vec<u8>]) {
    let naive = NaiveEncoder::new(definition);
    let vocabulary = Vocabulary::new(&definition.tokens, &[]).unwrap();
    let table = normalise(&vocabulary, &definition.merges).unwrap().table;
    let tokens = Tokens { vocabulary: &vocabulary, table: &table };
    let prefixes = Prefixes::new(tokens).unwrap();
    let mut work = long::Workspace::default();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let expected = naive.encode_pretoken(text);
        let mut ids = Vec::new();
        long::encode(tokens, &prefixes, &mut work, text, &Interrupt::never(), &mut ids).unwrap();
        assert_eq!(ids, expected, "long, {:?}", text.escape_ascii().to_string());
        ids.clear();
        let found = windows::encode(tokens, &mut work, text, &Interrupt::never(), &mut ids).unwrap();
        assert_eq!(ids, if found { &expected[..] } else { &[] }, "windows, {:?}", text.escape_ascii().to_string());
        if text.len() <= short::MAX_LENGTH {
            ids.clear();
            short::encode(&table, text, &mut ids);
            assert_eq!(ids, expected, "short, {:?}", text.escape_ascii().to_string());
        }
    }
}

/// The ids of a text as those of its pretokens, each encoded alone.
fn ids_of_pretokens(tokenizer: &Tokenizer, text: &[u8], mut encode: impl FnMut(&[u8]) -> Vec<u32>) -> Vec<u32> {
    let mut ids = Vec::new();
    let _ = tokenizer.pretokenizer().split(text, |pretoken| {
        ids.append(&mut encode(pretoken));
        std::ops::ControlFlow::<()>::Continue(())
    });
    ids
}

fn text(max_length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(ALPHABET), 1..max_length)
}

fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(prop::sample::select(ALPHABET), 2..7), 1..40)
}

/// Bytes made of whole characters of one to four bytes and of parts of them.
fn pieces(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let character = prop::sample::select(vec!["中", "丮", "文", "仍", "の", "é", "😀", "a", " "]);
    let piece = prop_oneof![
        6 => character.clone().prop_map(|c| c.as_bytes().to_vec()),
        1 => character.clone().prop_map(|c| c.as_bytes()[1..].to_vec()),
        1 => character.prop_map(|c| c.as_bytes()[..c.len().min(2)].to_vec()),
    ];
    prop::collection::vec(piece, n).prop_map(|pieces| pieces.concat())
}

/// Every way to split a token into two tokens, in the order that `order` sorts them.
fn all_pairs(definition: &Definition, order: &[u64]) -> Vec<(TokenId, TokenId)> {
    let known = |bytes: &[u8]| definition.tokens.iter().find(|(_, token)| token == bytes).map(|&(id, _)| id);
    let mut pairs = Vec::new();
    for (_, token) in &definition.tokens {
        for middle in 1..token.len() {
            pairs.extend(known(&token[..middle]).zip(known(&token[middle..])));
        }
    }
    let mut keyed: Vec<_> = pairs.into_iter().enumerate().map(|(i, pair)| (order[i % order.len()], pair)).collect();
    keyed.sort();
    keyed.into_iter().map(|(_, pair)| pair).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Random rank files: most have tokens made from later ones, and tokens that nothing makes.
    #[test]
    fn by_rank(strings in strings(), texts in prop::collection::vec(text(70), 1..8)) {
        check(&definition(&strings, MergeRule::ByRank, false), &texts);
    }

    /// Random merge lists: several merges for one token, in any order.
    #[test]
    fn by_list(
        strings in strings(),
        order in prop::collection::vec(any::<u64>(), 1..60),
        texts in prop::collection::vec(text(70), 1..8),
    ) {
        let mut definition = definition(&strings, MergeRule::ByRank, false);
        definition.merges = MergeRule::List(all_pairs(&definition, &order));
        check(&definition, &texts);
    }

    /// All of it together: whole pretokens, safe cuts, and a cache that has seen the same bytes whole and as a segment.
    #[test]
    fn through_the_encoder(
        strings in strings(),
        whole_pretokens in any::<bool>(),
        texts in prop::collection::vec(text(40), 1..12),
    ) {
        let definition = definition(&strings, MergeRule::ByRank, whole_pretokens);
        let naive = NaiveEncoder::new(&definition);
        let tokenizer = Tokenizer::new(definition).unwrap();
        let mut scratch = Scratch::default();
        for text in texts.iter().chain(&texts) {
            let mut ids = Vec::new();
            tokenizer.encode(&mut scratch, text, Allowed::None, &mut ids).unwrap();
            prop_assert_eq!(&ids, &naive.encode_pretoken(text));
        }
    }

    /// The same with characters of several bytes, which tokens hold whole, in part or across: what safe cuts look at.
    #[test]
    fn through_the_encoder_in_any_script(
        strings in prop::collection::vec(pieces(2..5), 1..60),
        whole_pretokens in any::<bool>(),
        texts in prop::collection::vec(pieces(1..14), 1..12),
    ) {
        let strings: Vec<Vec<u8>> = strings.into_iter().filter(|string| string.len() > 1).collect();
        let definition = definition(&strings, MergeRule::ByRank, whole_pretokens);
        let naive = NaiveEncoder::new(&definition);
        let tokenizer = Tokenizer::new(definition).unwrap();
        let mut scratch = Scratch::default();
        for text in texts.iter().chain(&texts) {
            let expected = ids_of_pretokens(&tokenizer, text, |pretoken| naive.encode_pretoken(pretoken));
            let mut ids = Vec::new();
            tokenizer.encode(&mut scratch, text, Allowed::None, &mut ids).unwrap();
            prop_assert_eq!(&ids, &expected);
            let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
            let count = tokenizer.count(&mut scratch, text, &specials, usize::MAX, &Interrupt::never()).unwrap();
            prop_assert_eq!(count, Some(expected.len()));
        }
    }

    /// What normalisation keeps is a definition of the same tokenizer, and normalising it again changes nothing.
    #[test]
    fn normalising_is_idempotent(strings in strings()) {
        let definition = definition(&strings, MergeRule::ByRank, false);
        let first = normalised(&definition);
        let merges: Vec<_> = first.table.merges().map(|(l, r, _)| (first.table.id(l), first.table.id(r))).collect();
        let again = normalised(&Definition { merges: MergeRule::List(merges.clone()), ..definition });
        let merges_again: Vec<_> = again.table.merges().map(|(l, r, _)| (again.table.id(l), again.table.id(r))).collect();
        prop_assert_eq!(merges, merges_again);
        prop_assert_eq!(first.symbols, again.symbols);
    }
}

/// The two ways to normalise a list agree: the short one for proper lists and the long one by derivations.
#[test]
fn a_token_listed_before_its_parts_is_dirty() {
    let strings = [b"abc".to_vec(), b"ab".to_vec(), b"abcd".to_vec()];
    let by_rank = definition(&strings, MergeRule::ByRank, false);
    let Normalised { table, any_dirty, symbols } = normalised(&by_rank);
    assert!(any_dirty);
    let dirty: Vec<bool> = (256..259).map(|id| table.is_dirty(symbols[id])).collect();
    assert_eq!(dirty, [true, false, true]);
    check(&by_rank, &[b"abcdabcabdabcd".to_vec()]);
}

#[test]
fn an_unreachable_token_is_found_only_as_a_whole_pretoken() {
    let strings = [b"ab".to_vec(), b"bc".to_vec(), b"abc".to_vec()];
    let list = MergeRule::List(vec![(id(97), id(98)), (id(98), id(99)), (id(97), id(257))]);
    let definition = definition(&strings, list, false);
    assert!(normalised(&definition).symbols[258].is_none());
    assert_eq!(NaiveEncoder::new(&definition).encode_pretoken(b"abc"), [256, 99]);
    let whole = Definition { whole_pretokens: true, ..definition };
    assert_eq!(NaiveEncoder::new(&whole).encode_pretoken(b"abc"), [258]);
    check(&Definition { whole_pretokens: false, ..whole }, &[b"abcabc".to_vec()]);
}

/// The same bytes are one token as a whole pretoken, and three between safe cuts: the cache must not mix them up.
#[test]
fn a_segment_is_not_a_whole_pretoken() {
    let strings = ["ab", "cd", "bc", "de", "abcde"].map(|string| string.as_bytes().to_vec());
    let tokenizer = Tokenizer::new(definition(&strings, MergeRule::ByRank, true)).unwrap();
    let mut scratch = Scratch::default();
    let mut encode = |text: &[u8]| {
        let mut ids = Vec::new();
        tokenizer.encode(&mut scratch, text, Allowed::None, &mut ids).unwrap();
        ids
    };
    for _ in 0..2 {
        assert_eq!(encode(b"abcde"), [260]);
        assert_eq!(encode(b"xabcdex"), [120, 256, 257, 101, 120]);
    }
}

/// A text that is cut in several parts has the ids of its pretokens, wherever a part ends: in one of them, or where one ends.
#[test]
fn a_text_cut_in_parts_has_the_ids_of_its_pretokens() {
    for name in ["gpt2", "o200k_base"] {
        // Of a user's pattern, 512 pretokens are encoded at a time, however long they are.
        let pretokenizer = Pretokenizer::new(r"\p{Han}+|\P{Han}+").unwrap();
        let definition = crate::builtin::definition(name).unwrap().unwrap();
        let tokenizer = Tokenizer::new(Definition { name: None, pretokenizer, ..definition }).unwrap();
        let mut scratch = Scratch::default();
        for n_before in 0..70 {
            let text = [&"x".repeat(n_before), &"天地玄黃，宇宙洪荒。 Hello, hello 世界!".repeat(300)[..]].concat();
            let expected = ids_of_pretokens(&tokenizer, text.as_bytes(), |pretoken| {
                let mut ids = Vec::new();
                long::encode_plainly(tokenizer.encoder().table(), pretoken, &mut ids);
                ids
            });
            let mut ids = Vec::new();
            tokenizer.encode(&mut scratch, text.as_bytes(), Allowed::None, &mut ids).unwrap();
            assert!(ids == expected, "{name} {n_before}");
        }
    }
}

/// A long text is asked about in each of its pieces, of which none has many pretokens here.
#[test]
fn a_long_text_of_long_words_can_be_stopped() {
    let gpt2 = crate::builtin::tokenizer("gpt2").unwrap().unwrap();
    let specials = gpt2.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
    let text = "international ".repeat(200_000);
    let n_asked = std::sync::atomic::AtomicUsize::new(0);
    let counts = || n_asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3;
    let interrupt = Interrupt::new(&counts);
    let mut ids = Vec::new();
    assert!(gpt2.encode_with(&mut Scratch::default(), text.as_bytes(), &specials, &interrupt, &mut ids).is_err());
    assert!(ids.len() < 200_000, "{}", ids.len());
}

/// Of long texts too: the same characters are one token as a whole pretoken and others as a segment, wherever a batch or a part
/// begins.
#[test]
fn a_segment_of_a_long_text_is_not_a_whole_pretoken() {
    let pretokenizer = Pretokenizer::new(r"\p{Han}+|\P{Han}+").unwrap();
    // No merge leads to either of them, so they are tokens as whole pretokens alone.
    let strings = ["天", "地"].map(|string| string.as_bytes().to_vec());
    let definition = Definition { pretokenizer, ..definition(&strings, MergeRule::List(Vec::new()), true) };
    let naive = NaiveEncoder::new(&definition);
    let tokenizer = Tokenizer::new(definition).unwrap();
    assert!(tokenizer.encoder().whole_pretokens());
    let mut scratch = Scratch::default();
    for n_before in 0..70 {
        let text = [&"x".repeat(n_before), &"天，天地天玄。 Hello, hello 地!".repeat(300)[..]].concat();
        let expected = ids_of_pretokens(&tokenizer, text.as_bytes(), |pretoken| naive.encode_pretoken(pretoken));
        let mut ids = Vec::new();
        tokenizer.encode(&mut scratch, text.as_bytes(), Allowed::None, &mut ids).unwrap();
        assert!(ids == expected, "{n_before}");
    }
}

/// What is looked through part by part has the segments of the whole, wherever a part ends in it.
#[test]
fn a_long_segment_is_encoded_as_by_the_definition() {
    let gpt2 = crate::builtin::tokenizer("gpt2").unwrap().unwrap();
    let mut scratch = Scratch::default();
    for middle in ["aa", "é", "中文", "。「", "ß̈x", "\u{10348}"]
        .map(str::as_bytes)
        .into_iter()
        .chain([&b"\x80\x80\x80\x80\x80"[..]])
    {
        for n_before in (1 << 18) - 7..=1 << 18 {
            let bytes = [&vec![b'a'; n_before], middle, b"abc".repeat(9).as_slice()].concat();
            let mut expected = Vec::new();
            long::encode_plainly(gpt2.encoder().table(), &bytes, &mut expected);
            let mut ids = Vec::new();
            let encoder = gpt2.encoder();
            encoder.encode_pretoken(gpt2.vocabulary(), &mut scratch, &bytes, &Interrupt::never(), &mut ids).unwrap();
            assert!(ids == expected, "{n_before} {middle:?}");
        }
    }
}
