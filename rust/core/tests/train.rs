//! Training against its definition: the fast trainer and the slow one, known answers, threads, chunks and limits.

#![allow(clippy::as_conversions, clippy::unwrap_used)]

use std::num::NonZero;
use std::time::{Duration, Instant};

use bytepair_core::pretokenize::Pretokenizer;
use bytepair_core::train::{Counts, Progress, Stage, StopReason, Tie, TrainOptions, Trained, naive, train, train_from};
use bytepair_core::{Error, ErrorKind, Interrupt, Symbol};
use proptest::prelude::*;

const TIES: [Tie; 3] = [Tie::HuggingFace, Tie::Id, Tie::Bytes];

fn counts_of<P: AsRef<[u8]>>(pretokens: impl IntoIterator<Item = (P, u64)>) -> Counts {
    let mut counts = Counts::new(Pretokenizer::from_stages::<&str>(&[]).unwrap(), ["<|end|>"]).unwrap();
    for (pretoken, count) in pretokens {
        counts.add_pretoken(pretoken.as_ref(), count).unwrap();
    }
    counts
}

fn fast(counts: &Counts, options: &TrainOptions) -> Trained {
    train(counts, options, &mut |_| Ok(())).unwrap()
}

fn strings(trained: &Trained) -> Vec<String> {
    trained.token_bytes()[256..].iter().map(|token| String::from_utf8_lossy(token).into_owned()).collect()
}

/// The number of tokens after each merge, by applying the merges one after the other to every pretoken.
fn n_tokens(counts: &Counts, merges: &[(Symbol, Symbol)]) -> Vec<u64> {
    let symbols = |pretoken: &[u8]| -> Vec<Symbol> { pretoken.iter().copied().map(Symbol::from_byte).collect() };
    let all = counts.most_common(usize::MAX, &Interrupt::never()).unwrap();
    let mut words: Vec<_> = all.iter().map(|(pretoken, count)| (symbols(pretoken), *count)).collect();
    let total = |words: &[(Vec<Symbol>, u64)]| words.iter().map(|(word, count)| word.len() as u64 * count).sum();
    let mut totals = vec![total(&words)];
    for (k, &(left, right)) in merges.iter().enumerate() {
        for (word, _) in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if (word[at], word[at + 1]) == (left, right) {
                    word.splice(at..at + 2, [Symbol::from_index(256 + k)]);
                }
                at += 1;
            }
        }
        totals.push(total(&words));
    }
    totals
}

fn small_corpus() -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    corpus_of(12)
}

/// Pretokens of fewer than so many runs, of 4 bytes at most.
fn corpus_of(n_runs: usize) -> impl Strategy<Value = Vec<(Vec<u8>, u64)>> {
    // Bytes whose order differs between the tie rules: space and newline are late in Hugging Face's alphabet.
    let symbol = |n: usize| (0..n).prop_map(|i| b"a b\n\xE9"[i]);
    // Runs, because pairs overlap there.
    let word = move |n| {
        prop::collection::vec((symbol(n), 1..5_usize), 1..n_runs)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, n)| vec![byte; n]).collect::<Vec<u8>>())
    };
    (2..=5_usize).prop_flat_map(move |n| prop::collection::vec((word(n), 1..4_u64), 1..8))
}

fn options() -> impl Strategy<Value = TrainOptions> {
    (0..40_usize, 0..3_usize, 0..4_u64, prop::option::of(1..=6_usize)).prop_map(
        |(max_merges, tie, min_frequency, max_token_length)| TrainOptions {
            max_merges,
            tie: TIES[tie],
            min_frequency,
            max_token_length,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8_000) })]

    #[test]
    fn the_fast_trainer_agrees_with_the_definition(corpus in small_corpus(), options in options()) {
        let counts = counts_of(corpus);
        let trained = fast(&counts, &options);
        prop_assert_eq!(&trained, &naive::train(&counts, &options).unwrap());
        prop_assert_eq!(trained.n_tokens(), n_tokens(&counts, trained.merges()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn going_on_after_any_merge_gives_what_was_not_interrupted(
        corpus in corpus_of(30),
        options in options(),
        points in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let counts = counts_of(corpus);
        let whole = fast(&counts, &options);
        for point in points {
            let start = &whole.merges()[..point.index(whole.merges().len() + 1)];
            prop_assert_eq!(&train_from(&counts, start, &options, &mut |_| Ok(())).unwrap(), &whole);
        }
        prop_assert_eq!(&train_from(counts, &[], &options, &mut |_| Ok(())).unwrap(), &whole);
    }

    #[test]
    fn going_on_from_the_merges_of_another_corpus_agrees_with_the_definition(
        (other, corpus) in (small_corpus(), corpus_of(30)),
        (tie, max_merges) in (0..3_usize, 0..8_usize),
        options in options(),
    ) {
        let other = fast(&counts_of(other), &TrainOptions { tie: TIES[tie], ..TrainOptions::new(max_merges) });
        let options = TrainOptions { max_merges: options.max_merges + max_merges, ..options };
        let counts = counts_of(corpus);
        let trained = train_from(&counts, other.merges(), &options, &mut |_| Ok(())).unwrap();
        prop_assert!(trained.merges().starts_with(other.merges()));
        prop_assert_eq!(&trained, &naive::train_from(&counts, other.merges(), &options).unwrap());
        prop_assert_eq!(trained.n_tokens(), n_tokens(&counts, trained.merges()));
        prop_assert_eq!(trained.frequencies().iter().sum::<u64>(), *trained.n_tokens().last().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn threads_order_and_merging_of_counts_do_not_matter(
        documents in prop::collection::vec("[ab ]{0,6}(<\\|end\\|>)?[ab' \n1]{0,12}", 1..12),
        seed in any::<prop::sample::Index>(),
    ) {
        let new = || Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<|end|>"]).unwrap();
        let mut whole = new();
        for document in &documents {
            whole.add_document(document.as_bytes()).unwrap();
        }
        let mut shuffled: Vec<&[u8]> = documents.iter().rev().map(String::as_bytes).collect();
        shuffled.rotate_left(seed.index(documents.len()));
        let (some, others) = shuffled.split_at(seed.index(documents.len()));
        let mut parts = new();
        parts.add_documents(some, NonZero::new(2), &mut |_| Ok(())).unwrap();
        let mut rest = new();
        rest.add_documents(others, None, &mut |_| Ok(())).unwrap();
        parts.merge(&rest, &Interrupt::never()).unwrap();
        prop_assert_eq!(parts.most_common(usize::MAX, &Interrupt::never()).unwrap(), whole.most_common(usize::MAX, &Interrupt::never()).unwrap());
        prop_assert_eq!(parts.n_documents(), whole.n_documents());
        prop_assert_eq!(parts.total_bytes(), whole.total_bytes());
    }
}

#[test]
fn the_paper_s_example() {
    // Sennrich, Haddow and Birch 2016, without the end-of-word mark.
    let counts = counts_of([("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)]);
    for (tie, expected) in [
        (Tie::HuggingFace, &["es", "est", "lo", "low"][..]),
        (Tie::Id, &["es", "est", "lo", "low"]),
        (Tie::Bytes, &["st", "est", "ow", "low", "west", "ne"]),
    ] {
        let trained = fast(&counts, &TrainOptions { tie, ..TrainOptions::new(expected.len()) });
        assert_eq!(strings(&trained), expected, "{tie:?}");
        assert_eq!(trained.counts()[..4], [9, 9, 7, 7]);
    }
}

#[test]
fn overlapping_pairs_count_twice_and_merge_once() {
    // `aaa` holds (a, a) twice, so it beats (b, c), which occurs as often as `aaa` itself and once more.
    let counts = counts_of([("aaa", 2), ("bc", 3)]);
    let trained = fast(&counts, &TrainOptions::new(10));
    assert_eq!(strings(&trained), ["aa", "bc", "aaa"]);
    assert_eq!(trained.counts(), [4, 3, 2]);
    assert_eq!(trained.n_tokens(), [12, 10, 7, 5]);
    assert_eq!(trained.stop(), StopReason::NoPairs);
}

#[test]
fn nothing_is_merged_that_does_not_occur() {
    let trained = fast(&counts_of([("ab", 2), ("abc", 1)]), &TrainOptions::new(100));
    assert_eq!(strings(&trained), ["ab", "abc"]);
}

#[test]
fn rare_pairs_and_long_tokens_are_left_alone() {
    let counts = counts_of([("abcd", 5), ("xy", 2)]);
    let options = |min_frequency, max_token_length| TrainOptions {
        min_frequency,
        max_token_length,
        tie: Tie::Id,
        ..TrainOptions::new(50)
    };
    let trained = fast(&counts, &options(3, None));
    assert_eq!(strings(&trained), ["ab", "cd", "abcd"]);
    assert_eq!(trained.stop(), StopReason::MinFrequency { count: 2, min_frequency: 3 });
    let trained = fast(&counts, &options(0, Some(2)));
    assert_eq!(strings(&trained), ["ab", "cd", "xy"]);
    assert_eq!(trained.stop(), StopReason::NoPairs);
    assert_eq!(fast(&counts, &options(1, Some(1))).merges(), []);
    let trained = fast(&counts, &TrainOptions::new(0));
    assert_eq!((trained.merges().len(), trained.stop()), (0, StopReason::VocabSize));
}

#[test]
fn the_tie_rules_differ_where_they_should() {
    // Space sorts before letters as a byte, after them in Hugging Face's alphabet.
    let counts = counts_of([(" a", 1), ("ba", 1)]);
    for (tie, first) in [(Tie::HuggingFace, "ba"), (Tie::Id, " a"), (Tie::Bytes, "ba")] {
        assert_eq!(strings(&fast(&counts, &TrainOptions { tie, ..TrainOptions::new(1) })), [first], "{tie:?}");
    }
}

#[test]
fn pairs_are_found_again_where_counts_fall_off_a_cliff() {
    // Late frequent merges, then nothing but pairs far rarer than any guess from the counts before.
    let frequent = ["ab", "cd", "ef", "gh", "ij", "kl"].map(|pretoken| (pretoken, 1 << 40));
    let rare = ["abcd", "cdef", "efgh", "ghij", "klab"].map(|pretoken| (pretoken, 3));
    let counts = counts_of(frequent.into_iter().chain(rare));
    for tie in TIES {
        for min_frequency in [1, 3, 4] {
            let options = TrainOptions { tie, min_frequency, ..TrainOptions::new(11) };
            assert_eq!(fast(&counts, &options), naive::train(&counts, &options).unwrap());
        }
    }
}

#[test]
fn merges_that_are_no_start_are_refused_by_number() {
    let counts = counts_of([("abc", 2)]);
    let [a, b, ab] = [97, 98, 256].map(Symbol::new);
    // Each makes a token twice as long as the one before.
    let doubling = (0..20).map(|k| if k == 0 { (a, a) } else { (Symbol::new(255 + k), Symbol::new(255 + k)) });
    for (start, reason) in [
        (vec![(a, b), (ab, Symbol::new(257))], "number 1 (256, 257) has a part that no merge before it makes"),
        (vec![(a, b), (b, a), (a, b)], "number 2 (97, 98) is there twice"),
        (doubling.collect(), "number 16 (271, 271) makes a token that is too long"),
        (vec![(a, b); 31], "31 merges to start from are more than the 30 asked for"),
    ] {
        for trained in [
            train_from(&counts, &start, &TrainOptions::new(30), &mut |_| Ok(())),
            naive::train_from(&counts, &start, &TrainOptions::new(30)),
        ] {
            let error = trained.unwrap_err();
            assert!(error.is_training() && error.to_string().contains(reason), "{error}");
        }
    }
}

#[test]
fn an_empty_corpus_is_refused_with_what_to_do() {
    let mut counts = counts_of::<&str>([]);
    counts.add_document(b"<|end|>").unwrap();
    for trained in
        [train(&counts, &TrainOptions::new(1), &mut |_| Ok(())), naive::train(&counts, &TrainOptions::new(1))]
    {
        let error = trained.unwrap_err();
        assert!(error.is_training() && error.to_string().contains("pass documents"), "{error}");
    }
    counts.add_document(b"a").unwrap();
    assert_eq!(fast(&counts, &TrainOptions::new(1)).stop(), StopReason::NoPairs);
    let error = train(&counts, &TrainOptions::new(1 << 24), &mut |_| Ok(())).unwrap_err();
    assert!(error.is_training(), "{error}");
}

#[test]
fn counts_near_the_limit_are_exact_and_beyond_it_an_error() {
    let half = u64::MAX / 4;
    let counts = counts_of([("ab", half), ("ac", half)]);
    let trained = fast(&counts, &TrainOptions::new(9));
    assert_eq!(trained.counts(), [half, half]);
    assert_eq!(trained.tokens_after(2), Some(2 * half));

    let mut more = counts_of([("zz", 2)]);
    let error = more.merge(&counts, &Interrupt::never()).unwrap_err();
    assert!(error.is_training() && error.to_string().contains("\"ac\""), "{error}");
    assert_eq!(more.total_pretokens(), 2);
}

#[test]
fn one_endless_pretoken_trains_fast() {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + u8::try_from((state >> 16) % 26).unwrap()
    };
    let random: Vec<u8> = (0..1 << 20).map(|_| letter()).collect();
    // Sixteen doublings make the longest token that a vocabulary may have.
    for (pretoken, n_merges) in [(vec![b'a'; 1 << 20], 16), (random, 1_000)] {
        let counts = counts_of([(&pretoken, 1)]);
        let start = Instant::now();
        let trained = fast(&counts, &TrainOptions::new(1_000));
        let elapsed = start.elapsed();
        assert_eq!(trained.merges().len(), n_merges);
        // Far above what it takes, far below what visiting the whole pretoken for each merge would.
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    }
}

#[test]
fn threads_share_large_documents_and_give_the_same_merges() {
    let mut text = String::new();
    for i in 0..60_000_u64 {
        text += &format!(
            "{} the {}<|end|> quick\n\n{} ",
            i * i % 7_919,
            i % 97,
            "brown fox ".repeat(usize::from(i % 5 == 0))
        );
    }
    let documents: Vec<&[u8]> = vec![text.as_bytes(), b"short", &text.as_bytes()[..1_000], b""];
    let path = std::env::temp_dir().join(format!("bytepair-train-{}.txt", std::process::id()));
    std::fs::write(&path, &text).unwrap();
    for special in [&["<|end|>"][..], &[]] {
        let new = || Counts::new(Pretokenizer::new("gpt2").unwrap(), special.iter().copied()).unwrap();
        let mut plain = new();
        documents.iter().try_for_each(|document| plain.add_document(document)).unwrap();
        let mut twice = new();
        for document in [&documents[..], &documents[..1]].concat() {
            twice.add_document(document).unwrap();
        }
        let merges =
            |counts: &Counts| fast(counts, &TrainOptions { max_token_length: Some(12), ..TrainOptions::new(300) });
        for n_threads in [1, 2, 8] {
            let mut counts = new();
            counts.add_documents(&documents, NonZero::new(n_threads), &mut |_| Ok(())).unwrap();
            assert_eq!(
                counts.most_common(usize::MAX, &Interrupt::never()).unwrap(),
                plain.most_common(usize::MAX, &Interrupt::never()).unwrap(),
                "{n_threads} threads"
            );
            assert_eq!(merges(&counts), merges(&plain), "{n_threads} threads");
            counts.add_file(&path, NonZero::new(n_threads), &mut |_| Ok(())).unwrap();
            assert_eq!(
                counts.most_common(usize::MAX, &Interrupt::never()).unwrap(),
                twice.most_common(usize::MAX, &Interrupt::never()).unwrap(),
                "{n_threads} threads, file"
            );
            assert_eq!(counts.n_documents(), 5);
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_checkpoint_hears_of_progress_and_can_stop_the_work() {
    let document = b"some text<|end|>".repeat(100_000);
    let mut counts = counts_of::<&str>([]);
    let mut last = None;
    let mut note = |progress: Progress<'_>| {
        last = Some((progress.stage, progress.done, progress.total));
        Ok(())
    };
    counts.add_documents(&[&document], NonZero::new(2), &mut note).unwrap();
    let total = document.len() as u64;
    assert_eq!(last, Some((Stage::Counting, total, Some(total))));

    let mut stages = Vec::new();
    let trained = train(&counts, &TrainOptions::new(3), &mut |progress| {
        stages.push((progress.stage, progress.done, progress.total, progress.merges.to_vec()));
        Ok(())
    });
    assert_eq!(stages, [(Stage::Merging, 3, Some(3), trained.unwrap().merges().to_vec())]);
    let error = train(&counts, &TrainOptions::new(3), &mut |_| Err(Error::interrupted())).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted));
}
