//! Random faults: a file is read or refused, never a panic, and what is read can be written.

use bytepair_core::formats::{byte_alphabet, gpt2, hugging_face, sniff, tiktoken};
use proptest::prelude::*;

use super::{assert_same, definition, only_special, tokenizer_json};

/// A sound file with some bytes overwritten, removed or repeated.
fn mutated(sound: &str, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = sound.as_bytes().to_vec();
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

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    let printable = prop::sample::select(br#"{}[]":,.0159-\eunltrAQ= hG"#.to_vec());
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), prop_oneof![printable, any::<u8>()]), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_files_are_read_or_refused(edits in edits()) {
        let definition = only_special(definition());
        if let Ok(read) = hugging_face::read(&mutated(&tokenizer_json(), &edits)) {
            let text = hugging_face::write(&read).unwrap();
            assert_same(&hugging_face::read(text.as_bytes()).unwrap(), &read);
        }
        let ranks = mutated(&tiktoken::write_ranks(&definition.tokens), &edits);
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
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        sniff(&bytes);
        prop_assert!(hugging_face::read(&bytes).is_err());
        prop_assert!(tiktoken::parse(&bytes).is_err());
    }

    #[test]
    fn the_byte_alphabet_keeps_every_token(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(byte_alphabet::decode(&byte_alphabet::encode(&bytes)).unwrap(), bytes);
    }
}
