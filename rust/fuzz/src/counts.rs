//! Counting and training, against the plain definition.

use std::num::NonZero;

use arbitrary::{Result, Unstructured};
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
        apart.merge(&one).unwrap();
    }
    let mut at_once = new();
    let slices: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
    at_once.add_documents(&slices, NonZero::new(2), &mut |_| Ok(())).unwrap();
    let all = usize::MAX;
    assert_eq!(one_by_one.most_common(all), at_once.most_common(all));
    assert_eq!(one_by_one.most_common(all), apart.most_common(all));
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
