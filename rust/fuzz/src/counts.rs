//! Counting and training, against the plain definition; files of counts, read or refused.

use std::io::Cursor;
use std::num::NonZero;
use std::path::Path;

use arbitrary::{Result, Unstructured};
use bytepair_core::Interrupt;
use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::train::{self, Counts, Tie, TrainOptions};

use super::word;

/// Documents counted in two ways, and merges learnt in two ways.
pub(super) fn counts(data: &[u8]) -> Result<()> {
    let mut source = Unstructured::new(data);
    let pattern = *source.choose(&["gpt2", "cl100k", "a+b|c"])?;
    let special: &[&str] = source.choose(&[&[][..], &["ca"], &["ab", "abc"]])?;
    let options = TrainOptions {
        max_merges: source.int_in_range(0..=60)?,
        tie: *source.choose(&[Tie::HuggingFace, Tie::Id, Tie::Bytes])?,
        min_frequency: source.int_in_range(0..=3)?,
        max_token_length: source.arbitrary::<bool>()?.then_some(source.int_in_range(1..=9)?),
    };
    let new = || Counts::new(Pretokenizer::new(pattern).unwrap(), special.iter().copied()).unwrap();
    let mut documents = Vec::new();
    while !source.is_empty() {
        documents.push(if source.ratio(1, 8)? {
            source.arbitrary::<&[u8]>()?.to_vec()
        } else {
            word(&mut source, 200)?
        });
    }
    let (mut one_by_one, mut apart) = (new(), new());
    for document in &documents {
        one_by_one.add_document(document).unwrap();
        let mut one = new();
        one.add_document(document).unwrap();
        apart.merge(&one, &Interrupt::never()).unwrap();
    }
    let mut at_once = new();
    let slices: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
    at_once.add_documents(&slices, NonZero::new(2), &mut |_| Ok(())).unwrap();
    let all = usize::MAX;
    assert_eq!(
        one_by_one.most_common(all, &Interrupt::never()).unwrap(),
        at_once.most_common(all, &Interrupt::never()).unwrap()
    );
    assert_eq!(
        one_by_one.most_common(all, &Interrupt::never()).unwrap(),
        apart.most_common(all, &Interrupt::never()).unwrap()
    );
    let mut on_disk = new().with_memory_limit(1);
    on_disk.add_documents(&slices, NonZero::new(2), &mut |_| Ok(())).unwrap();
    assert_eq!(bytes(&one_by_one), bytes(&on_disk));
    let saved = bytes(&one_by_one);
    assert_eq!(saved, bytes(&at_once));
    assert!(same(&read(&saved).unwrap(), &one_by_one));
    match (train::train(&one_by_one, &options, &mut |_| Ok(())), train::naive::train(&one_by_one, &options)) {
        (Ok(fast), Ok(plain)) => {
            assert_eq!(
                (fast.merges(), fast.counts(), fast.n_tokens()),
                (plain.merges(), plain.counts(), plain.n_tokens())
            );
            assert_eq!(fast.stop(), plain.stop());
        }
        (fast, plain) => {
            assert_eq!(fast.err().map(|error| error.to_string()), plain.err().map(|error| error.to_string()))
        }
    }
    Ok(())
}

/// Any bytes as a file of counts, and as the end of a sound one. What is read is written as the same bytes, or as other
/// bytes of the same counts where blocks end elsewhere.
pub(super) fn counts_file(data: &[u8]) {
    let mut sound = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<s>"]).unwrap();
    sound.add_document(b"low lower").unwrap();
    let sound = bytes(&sound);
    let (at, rest) =
        data.split_first_chunk().map_or((0, data), |(at, rest)| (usize::from(u16::from_le_bytes(*at)), rest));
    let kept = sound.get(..at).unwrap_or(&sound);
    for file in [data.to_vec(), [kept, rest].concat()] {
        if let Ok(counts) = read(&file) {
            assert!(same(&read(&bytes(&counts)).unwrap(), &counts));
        }
    }
}

fn bytes(counts: &Counts) -> Vec<u8> {
    counts.write(Cursor::new(Vec::new()), Path::new("memory"), &Interrupt::never()).unwrap().into_inner()
}

fn read(data: &[u8]) -> bytepair_core::Result<Counts> {
    Counts::read(data, Path::new("memory"), Some(1 << 20), &Interrupt::never())
}

fn same(a: &Counts, b: &Counts) -> bool {
    a.is_same(b, &Interrupt::never()).unwrap()
}
