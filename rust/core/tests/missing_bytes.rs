//! Vocabularies that lack single bytes: exact on every text of the bytes they have, an error on every other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytepair_core::encode::naive::NaiveEncoder;
use bytepair_core::formats::compact;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::{
    AddedToken, Allowed, Definition, ErrorKind, Interrupt, Matching, MergeRule, Pipeline, Scratch, TokenId, Tokenizer,
};

const SEED: u64 = 20_261_125;

/// The bytes that the random vocabularies have, and two that they lack.
const HAVE: &[u8] = b"ab ";
const LACK: &[u8] = b"xy";

/// xorshift64*: good enough to pick tokens, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % n
    }

    fn text(&mut self, alphabet: &[u8], max_length: usize) -> Vec<u8> {
        let length = self.below(max_length) + 1;
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

fn id(index: usize) -> TokenId {
    TokenId::from_index(index).unwrap()
}

/// A vocabulary of a few bytes, with tokens of them, some of which hold a byte that is missing.
fn definition(random: &mut Random) -> Definition {
    let mut bytes: Vec<Vec<u8>> = HAVE.iter().map(|&byte| vec![byte]).collect();
    for _ in 0..random.below(20) {
        let token = random.text(b"aabbab x", 5);
        if !bytes.contains(&token) && token != b"x" {
            bytes.push(token);
        }
    }
    let n_ids = bytes.len();
    let tokens: Vec<(TokenId, Vec<u8>)> =
        bytes.into_iter().enumerate().map(|(index, token)| (id(index), token)).collect();
    let merges = if random.below(2) == 0 {
        MergeRule::ByRank
    } else {
        let mut list = Vec::new();
        for (left, a) in &tokens {
            for (right, b) in &tokens {
                let joined = [a.as_slice(), b].concat();
                if random.below(3) > 0 && tokens.iter().any(|(_, token)| *token == joined) {
                    list.insert(random.below(list.len() + 1), (*left, *right));
                }
            }
        }
        MergeRule::List(list)
    };
    let added = [("<x>", n_ids), ("<a>", n_ids + 1)];
    Definition {
        name: None,
        pretokenizer: Pretokenizer::new("gpt2").unwrap(),
        tokens,
        merges,
        whole_pretokens: random.below(2) == 0,
        added_tokens: added
            .map(|(text, index)| AddedToken {
                text: text.into(),
                id: id(index),
                special: true,
                matching: Matching::default(),
            })
            .to_vec(),
        pipeline: Pipeline::default(),
    }
}

#[test]
fn texts_of_the_bytes_there_are_encode_as_by_the_definition() {
    let mut random = Random(SEED);
    for case in 0..2_000 {
        let definition = definition(&mut random);
        let naive = NaiveEncoder::new(&definition);
        let tokenizer = Tokenizer::new(definition).unwrap();
        let mut scratch = Scratch::default();
        for _ in 0..5 {
            let n = if random.below(8) == 0 { 120 } else { 12 };
            let text = random.text(HAVE, n);
            let mut expected = Vec::new();
            let _ = tokenizer.pretokenizer().split(&text, |pretoken| {
                expected.extend(naive.encode_pretoken(pretoken));
                std::ops::ControlFlow::<()>::Continue(())
            });
            let mut ids = Vec::new();
            tokenizer.encode(&mut scratch, &text, Allowed::All, &mut ids).unwrap();
            assert_eq!(ids, expected, "case {case} of seed {SEED}: {:?}", text.escape_ascii().to_string());
            assert_eq!(tokenizer.decode(&ids).unwrap(), text);
            let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
            assert_eq!(
                tokenizer.count(&mut scratch, &text, &specials, usize::MAX, &Interrupt::never()).unwrap(),
                Some(ids.len())
            );
        }
    }
}

#[test]
fn a_missing_byte_is_named_with_its_place_unless_a_special_token_holds_it() {
    let mut random = Random(SEED + 1);
    for _ in 0..500 {
        let tokenizer = Tokenizer::new(definition(&mut random)).unwrap();
        let mut scratch = Scratch::default();
        let text = [&random.text(b"a b<x>", 10)[..], b"y", &random.text(b"a x", 5)].concat();
        for allowed in [Allowed::None, Allowed::All] {
            let mut plain = text.clone();
            if allowed == Allowed::All {
                // The same length, and none of its bytes missing.
                while let Some(at) = plain.windows(3).position(|window| window == b"<x>" || window == b"<a>") {
                    plain[at..at + 3].copy_from_slice(b"   ");
                }
            }
            let missing = |byte: &u8| !HAVE.contains(byte);
            let offset = plain.iter().position(missing).unwrap();
            let error = tokenizer.encode(&mut scratch, &text, allowed, &mut Vec::new()).unwrap_err();
            match error.kind() {
                ErrorKind::MissingByte { byte, offset: at } => assert_eq!((*byte, *at), (plain[offset], offset)),
                kind => panic!("{kind:?}"),
            }
        }
        assert!(LACK.iter().all(|&byte| tokenizer.vocabulary().missing_bytes().contains(byte)));
        let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
        assert!(tokenizer.count(&mut scratch, &text, &specials, usize::MAX, &Interrupt::never()).is_err());
        let mut ids = Vec::new();
        tokenizer.encode(&mut scratch, b"<x>", Allowed::All, &mut ids).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), b"<x>");
    }
}

#[test]
fn the_canonical_form_keeps_what_is_missing() {
    let mut random = Random(SEED + 2);
    for _ in 0..500 {
        let tokenizer = Tokenizer::new(definition(&mut random)).unwrap();
        let form = tokenizer.canonical_form().unwrap();
        let again = Tokenizer::new(compact::read(form).unwrap()).unwrap();
        assert_eq!(again.canonical_form().unwrap(), form);
        assert_eq!(again.vocabulary().missing_bytes(), tokenizer.vocabulary().missing_bytes());
    }
}
