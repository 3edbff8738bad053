//! Training on real text against its definition, and going on from the midst of it. Minutes of work, so ignored unless
//! asked for: `make test-parity`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::train::{Counts, Tie, TrainOptions, naive, train, train_from};

const CORPORA: [&str; 6] = ["en", "code", "de", "uk", "ar", "bibles"];
const TIES: [Tie; 3] = [Tie::HuggingFace, Tie::Id, Tie::Bytes];
const N_BYTES: u64 = 3_000_000;
const N_MERGES: usize = 8_000;

/// Trains on the beginning of a corpus in both ways, by every rule, and prints a row for each.
fn compare(path: &PathBuf) {
    let mut text = Vec::new();
    File::open(path).unwrap().take(N_BYTES).read_to_end(&mut text).unwrap();
    let mut counts = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<|endoftext|>"]).unwrap();
    counts.add_document(&text).unwrap();
    for tie in TIES {
        let options = TrainOptions { tie, ..TrainOptions::new(N_MERGES) };
        let start = Instant::now();
        let slow = naive::train(&counts, &options).unwrap();
        let seconds = start.elapsed().as_secs();
        let fast = train(&counts, &options, &mut |_| Ok(())).unwrap();
        assert_eq!(slow.merges().len(), N_MERGES);
        assert_eq!(fast, slow, "{} {tie:?}", path.display());
        for n in [1, 300, N_MERGES / 2, N_MERGES] {
            let resumed = train_from(&counts, &fast.merges()[..n], &options, &mut |_| Ok(())).unwrap();
            assert_eq!(resumed, fast, "{} {tie:?} from {n} merges on", path.display());
        }
        let (name, n_bytes, n_merges) = (path.file_stem().unwrap().display(), text.len(), slow.merges().len());
        println!("{name:8} {tie:<12?} {n_bytes} bytes, {n_merges} merges identical in order; naive took {seconds} s");
    }
}

#[test]
#[ignore = "takes minutes; make test-parity runs it"]
fn merges_are_those_of_the_definition_on_corpora() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let paths: Vec<PathBuf> = CORPORA.map(|name| folder.join(name).with_extension("txt")).into();
    if !folder.exists() {
        println!("skipped: there are no texts at {}", folder.display());
        return;
    }
    let (first, second) = paths.split_at(paths.len() / 2);
    thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(|| half.iter().for_each(compare));
        }
    });
}
