//! Random faults: a file is read or refused, never a panic, and what is read can be written.

use bytepair_core::Tokenizer;
use bytepair_core::formats::{byte_alphabet, compact, gpt2, hugging_face, sniff, tiktoken};
use proptest::prelude::*;

use super::{assert_same, definition, only_special, tokenizer_json};

/// A sound file with some bytes overwritten, removed or repeated.
pub(super) fn mutated(sound: impl AsRef<[u8]>, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = sound.as_ref().to_vec();
    for (place, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = place.index(bytes.len());
        match kind % 4 {
            0 => bytes[at] = *byte,
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..(at + usize::from(*byte % 16)).min(bytes.len()))),
            _ => {
                let end = (at + usize::from(*byte)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

pub(super) fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    let printable = prop::sample::select(br#"{}[]":,.0159-\eunltrAQ= hG"#.to_vec());
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), prop_oneof![printable, any::<u8>()]), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_files_are_read_or_refused(edits in edits()) {
        let definition = only_special(definition());
        if let Ok(read) = hugging_face::read(&mutated(tokenizer_json(), &edits)) {
            let text = hugging_face::write(&read).unwrap();
            assert_same(&hugging_face::read(text.as_bytes()).unwrap(), &read);
        }
        let ranks = mutated(tiktoken::write_ranks(&definition.tokens), &edits);
        sniff(&ranks);
        if let Ok(tokens) = tiktoken::parse(&ranks) {
            prop_assert_eq!(tiktoken::parse(tiktoken::write_ranks(&tokens).as_bytes()).unwrap().len(), tokens.len());
        }
        let files = gpt2::write(&definition).unwrap();
        let map = files.special_tokens_map.as_deref().unwrap();
        let (vocab, merges) = (files.vocab.as_str(), files.merges.as_str());
        for (vocab, merges, map) in [
            (mutated(vocab, &edits), merges.into(), map.into()),
            (vocab.into(), mutated(merges, &edits), map.into()),
            (vocab.into(), merges.into(), mutated(map, &edits)),
        ] {
            sniff(&vocab);
            let _ = gpt2::read(&vocab, &merges, Some(&map), &[], definition.pretokenizer.clone());
        }
    }

    #[test]
    fn mutated_forms_are_read_or_refused(edits in edits()) {
        let form = Tokenizer::new(definition()).unwrap().canonical_form().unwrap().to_vec();
        prop_assert!(compact::read(&form).is_ok());
        if let Ok(tokenizer) = compact::read(&mutated(&form, &edits)).and_then(Tokenizer::new) {
            let again = compact::read(tokenizer.canonical_form().unwrap()).and_then(Tokenizer::new).unwrap();
            prop_assert_eq!(again.canonical_form().unwrap(), tokenizer.canonical_form().unwrap());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        sniff(&bytes);
        prop_assert!(hugging_face::read(&bytes).is_err());
        prop_assert!(compact::read(&bytes).is_err());
        prop_assert!(compact::read(&[b"bytepair\x01", &bytes[..]].concat()).is_err());
        prop_assert!(tiktoken::parse(&bytes).is_err());
    }

    #[test]
    fn the_byte_alphabet_keeps_every_token(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(byte_alphabet::decode(&byte_alphabet::encode(&bytes)).unwrap(), bytes);
    }
}

/// A form of a few kilobytes whose every merge doubles a token, up to the longest, time and again.
#[test]
fn short_forms_stand_for_no_more_than_a_bounded_vocabulary() {
    fn number(form: &mut Vec<u8>, mut value: u32) {
        while value >= 0x80 {
            form.push(u8::try_from(value & 0x7F).unwrap() | 0x80);
            value >>= 7;
        }
        form.push(u8::try_from(value).unwrap());
    }
    // The byte 0 is doubled 15 times, and the result is joined with ever other tokens.
    let form = |n_long: u32| {
        let mut form = b"bytepair\x01\x00\x00".to_vec();
        (0..256).for_each(|id| number(&mut form, id));
        number(&mut form, 1);
        number(&mut form, 256);
        number(&mut form, 15 + n_long);
        for id in (0..15).map(|k| if k == 0 { 0 } else { 255 + k }) {
            number(&mut form, id);
            number(&mut form, id);
        }
        for long in 0..n_long {
            number(&mut form, 270);
            number(&mut form, long % 256);
        }
        number(&mut form, 0);
        number(&mut form, 0);
        form
    };
    assert!(compact::read(&form(200)).is_ok());
    let error = compact::read(&form(3000)).unwrap_err();
    assert!(error.is_format() && error.to_string().contains("too long"), "{error}");
}
