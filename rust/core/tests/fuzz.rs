//! Every input that is kept of fuzzing keeps every promise; `make fuzz` looks for more.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target on its folder of inputs, on the beginnings of each, and on nothing.
fn replay(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut n = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let data = fs::read(entry.unwrap().path()).unwrap();
        for length in [data.len(), data.len() / 2, data.len() / 3, 0] {
            targets::run(name, &data[..length]);
        }
        n += 1;
    }
    assert!(n > 0, "no inputs in {}", folder.display());
}

/// One test a target, so that they run side by side.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed() {
            let known: Vec<&str> = targets::TARGETS.iter().map(|&(name, _)| name).collect();
            assert_eq!(known, [$(stringify!($name)),*]);
        }
    };
}

targets!(json json_tree ranks gpt2 form encode decode split pattern counts counts_file encode_stream decode_stream ask);
