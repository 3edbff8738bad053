//! Fast code against its plain twin, on made-up texts, for as long as one likes: the scanner in bit masks, on each tier,
//! against the scalar one; the encoder, whatever its cache knows, one text or many at a time, against the definition.
//!
//! `make twins` makes a hundred million comparisons; as one of the tests it makes ten thousand. Settings, by environment:
//! `EXECUTIONS`, half of them the scanner's, and `SEED`. Work comes in jobs, each with a seed of its own, the same for every
//! tier; so the settings that are printed with a difference find it again at once.

// Tests fail by panicking, and tell how much they compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod random;
mod texts;
mod vocabularies;

use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use bytepair_core::pretokenize::{Pretokenizer, Tier};
use bytepair_core::{Allowed, Interrupt, Scratch, ScratchPool};

use random::Random;
use texts::{Texts, of_tokens};
use vocabularies::{Vocabulary, published, strange, trained};

/// Executions of one job, half of them the scanner's: enough for a cache to grow to its end.
const JOB: u64 = 2_000_000;

/// As many texts meet one vocabulary before another is chosen.
const EPISODE: usize = 500;

/// As many are encoded in one batch.
const BATCH: usize = 50;

/// So many texts come again, long after.
const KEPT: usize = 2_000;

/// What all jobs share.
struct Run {
    texts: Texts,
    presets: Vec<(&'static str, Pretokenizer)>,
    published: Vec<Vocabulary>,
    n_scanned: AtomicU64,
    n_encoded: AtomicU64,
    n_texts: AtomicU64,
    is_over: AtomicBool,
    difference: Mutex<Option<String>>,
}

fn main() -> ExitCode {
    let setting = |name: &str, default: u64| {
        env::var(name).map_or(default, |value| value.replace('_', "").parse().expect("a number"))
    };
    let (executions, seed) = (setting("EXECUTIONS", 10_000), setting("SEED", 1));
    // Split by one regex only: what is split by several has no tiers.
    let presets = Pretokenizer::presets().map(|name| (name, Pretokenizer::new(name).unwrap()));
    let run = Run {
        texts: Texts::new(),
        presets: presets.filter(|(_, pretokenizer)| pretokenizer.stages().len() == 1).collect(),
        published: published(),
        n_scanned: AtomicU64::new(0),
        n_encoded: AtomicU64::new(0),
        n_texts: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        difference: Mutex::new(None),
    };
    println!("seed {seed}, {} executions, tiers {:?}", grouped(executions), Tier::available().collect::<Vec<_>>());
    let start = Instant::now();
    // What a job finds is printed once, with its text.
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        scope.spawn(|| run.show_progress(executions, start));
        let tiers: Vec<Tier> = Tier::available().collect();
        let per_tier = executions.div_ceil(u64::try_from(tiers.len()).unwrap());
        for &tier in &tiers {
            // The tier is one for all threads.
            Tier::force(Some(tier));
            run.jobs(tier, seed, per_tier);
        }
        run.is_over.store(true, Ordering::Relaxed);
    });
    let (scanned, encoded) = (run.n_scanned.into_inner(), run.n_encoded.into_inner());
    let seconds = start.elapsed().as_secs_f64();
    if let Some(difference) = run.difference.into_inner().unwrap() {
        println!("{difference}");
        return ExitCode::FAILURE;
    }
    println!(
        "{} executions of the scanner and {} of the encoder on {} texts in {seconds:.0} s, {} a second: no difference",
        grouped(scanned),
        grouped(encoded),
        grouped(run.n_texts.into_inner()),
        grouped(rate(scanned + encoded, seconds)),
    );
    ExitCode::SUCCESS
}

impl Run {
    /// Does jobs of so many executions in all, on every processor.
    fn jobs(&self, tier: Tier, seed: u64, executions: u64) {
        let n_jobs = executions.div_ceil(JOB);
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    loop {
                        let job = next.fetch_add(1, Ordering::Relaxed);
                        if job >= n_jobs || self.is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let n = JOB.min(executions - job * JOB);
                        if let Err(found) = self.job(seed + job, n) {
                            let again = format!("SEED={} EXECUTIONS={}", seed + job, 2 * JOB);
                            *self.difference.lock().unwrap() = Some(format!("{tier:?}, {again}: {found}"));
                            self.is_over.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    }

    /// So many executions; an error says where the twins differ.
    fn job(&self, seed: u64, n: u64) -> Result<(), String> {
        let mut random = Random::new(seed);
        let mut used: Vec<Scratch> = self.published.iter().map(|_| Scratch::default()).collect();
        let trained = trained(&mut random, &self.texts);
        // One vocabulary is met so often that its cache grows to its end, while some of its texts come again.
        let main = random.below(self.published.len());
        let mut kept: Vec<Vec<u8>> = Vec::new();
        // It meets one vocabulary after the other.
        let mut wandering = Scratch::default();
        let pool = ScratchPool::default();
        let (mut n_scanned, mut n_encoded) = (0, 0);
        let mut text = Vec::new();
        while n_scanned + n_encoded < n && !self.is_over.load(Ordering::Relaxed) {
            let index = if random.one_in(2) { main } else { random.below(2 * self.published.len() + 1) };
            let made;
            let mut new = Scratch::default();
            let (vocabulary, scratch) = match self.published.get(index) {
                Some(vocabulary) => (vocabulary, &mut used[index]),
                None if index == self.published.len() => (&trained, &mut new),
                None => {
                    made = strange(&mut random);
                    (&made, &mut new)
                }
            };
            let before = (n_scanned, n_encoded);
            let mut batch = Vec::new();
            for _ in 0..EPISODE {
                if n_encoded < n / 2 {
                    self.text_for(vocabulary, &mut random, &mut text);
                    if index == main && kept.len() < KEPT {
                        kept.push(text.clone());
                    } else if index == main && random.one_in(4) {
                        text.clone_from(random.choose(&kept));
                    }
                    let expected = expected(vocabulary, &text);
                    let mut check = |scratch: &mut Scratch| {
                        n_encoded += 1;
                        check(|| encode(vocabulary, scratch, &text, &expected))
                            .map_err(|what| shrunk_encoding(vocabulary, &text, &what))
                    };
                    // Before it is known, and after.
                    check(scratch)?;
                    check(scratch)?;
                    if random.one_in(32) {
                        check(&mut Scratch::default())?;
                    }
                    if random.one_in(64) {
                        check(&mut wandering)?;
                    }
                    batch.push((text.clone(), expected));
                    if batch.len() == BATCH {
                        check_batch(vocabulary, &pool, &batch)?;
                        n_encoded += u64::try_from(BATCH).unwrap();
                        batch.clear();
                    }
                }
                // As many as are encoded, on average.
                for _ in 0..3 {
                    if n_scanned < n - n / 2 {
                        let length = length_of(&mut random, 200, 4000);
                        self.texts.any(&mut random, length, &mut text);
                        let (name, pretokenizer) = random.choose(&self.presets);
                        check(|| scan(pretokenizer, &text))
                            .map_err(|what| shrunk(&text, &what, name, |text| scan(pretokenizer, text)))?;
                        n_scanned += 1;
                        self.n_texts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            self.n_scanned.fetch_add(n_scanned - before.0, Ordering::Relaxed);
            self.n_encoded.fetch_add(n_encoded - before.1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A text that takes the definition, quadratic in a pretoken, not too long.
    fn text_for(&self, vocabulary: &Vocabulary, random: &mut Random, text: &mut Vec<u8>) {
        self.n_texts.fetch_add(1, Ordering::Relaxed);
        let is_split = !vocabulary.definition.pretokenizer.stages().is_empty();
        let length = if is_split { length_of(random, 120, 1500) } else { length_of(random, 70, 150) };
        if random.below(8) < if is_split { 3 } else { 7 } {
            of_tokens(random, &vocabulary.tokens, length.min(100), text);
        } else {
            self.texts.any(random, length, text);
        }
    }

    fn show_progress(&self, executions: u64, start: Instant) {
        let (every, end) = if std::io::stdout().is_terminal() { (1, '\r') } else { (60, '\n') };
        let mut shown = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20));
            if shown.elapsed() < Duration::from_secs(every) {
                continue;
            }
            shown = Instant::now();
            let done = self.n_scanned.load(Ordering::Relaxed) + self.n_encoded.load(Ordering::Relaxed);
            let rate = rate(done, start.elapsed().as_secs_f64()).max(1);
            let left = executions.saturating_sub(done) / rate;
            let (done, rate) = (grouped(done), grouped(rate));
            print!(
                "{done} of {}, {rate} a second, {} min {:02} s left   {end}",
                grouped(executions),
                left / 60,
                left % 60
            );
            std::io::stdout().flush().unwrap();
        }
    }
}

/// Most texts are short, one of 64 is not, and one of 2,048 is several times as long: most of those have several pairs of places to be split in.
fn length_of(random: &mut Random, most: usize, longest: usize) -> usize {
    match random.below(2_048) {
        0 => random.between(longest, 5 * longest),
        1..32 => random.between(most, longest),
        32..512 => random.between(1, most),
        _ => random.between(1, most / 3),
    }
}

/// Where the pretokens of a text end, by the scalar scanner.
fn scalar_ends(pretokenizer: &Pretokenizer, text: &[u8]) -> Vec<usize> {
    let (mut ends, mut end, mut after_invalid) = (Vec::new(), 0, false);
    for chunk in text.utf8_chunks() {
        let _ = pretokenizer.split_marked(chunk.valid(), |pretoken, _| {
            end += pretoken.len();
            ends.push(end);
            ControlFlow::<()>::Continue(())
        });
        // Ill-formed sequences that touch are one pretoken.
        if after_invalid && chunk.valid().is_empty() {
            ends.pop();
        }
        after_invalid = !chunk.invalid().is_empty();
        if after_invalid {
            end += chunk.invalid().len();
            ends.push(end);
        }
    }
    ends
}

/// The scanner and its twin.
fn scan(pretokenizer: &Pretokenizer, text: &[u8]) -> Result<(), String> {
    let mut ends = Vec::new();
    let _ = pretokenizer.ends(text, |start, more| {
        assert_eq!(start, ends.last().copied().unwrap_or(0), "where a run of pretokens starts");
        ends.extend_from_slice(more);
        ControlFlow::<()>::Continue(())
    });
    equal("ends of pretokens", &ends, &scalar_ends(pretokenizer, text))
}

/// What the definition makes of a text.
fn expected(vocabulary: &Vocabulary, text: &[u8]) -> Vec<u32> {
    let mut start = 0;
    let pretokens = scalar_ends(vocabulary.tokenizer.pretokenizer(), text);
    let ids = pretokens.into_iter().flat_map(|end| {
        let pretoken = &text[start..end];
        start = end;
        vocabulary.naive.encode_pretoken(pretoken)
    });
    ids.collect()
}

/// The encoder and its twin; counting and decoding too.
fn encode(vocabulary: &Vocabulary, scratch: &mut Scratch, text: &[u8], expected: &[u32]) -> Result<(), String> {
    let tokenizer = &vocabulary.tokenizer;
    let mut ids = scratch.take_ids();
    ids.clear();
    tokenizer.encode(scratch, text, Allowed::None, &mut ids).unwrap();
    equal("ids", &ids, expected)?;
    let specials = tokenizer.added_tokens().specials(Allowed::None, Allowed::None).unwrap();
    let count = tokenizer.count(scratch, text, &specials, usize::MAX, &Interrupt::never()).unwrap();
    equal("count", &[count], &[Some(ids.len())])?;
    equal("decoded text", &tokenizer.decode(&ids).unwrap(), text)?;
    scratch.give_ids(ids);
    Ok(())
}

/// Texts that are encoded at once, each with what is expected of it.
fn check_batch(vocabulary: &Vocabulary, pool: &ScratchPool, batch: &[(Vec<u8>, Vec<u32>)]) -> Result<(), String> {
    let compare = || {
        let texts: Vec<&[u8]> = batch.iter().map(|(text, _)| text.as_slice()).collect();
        let found = vocabulary.tokenizer.encode_batch(pool, &texts, Allowed::None, NonZero::new(1)).unwrap();
        let mut start = 0;
        for ((_, expected), end) in batch.iter().zip(found.ends) {
            equal("ids", &found.ids[start..end], expected)?;
            start = end;
        }
        Ok(())
    };
    let shown = || batch.iter().map(|(text, _)| format!("b\"{}\"", text.escape_ascii())).collect::<Vec<_>>().join(", ");
    check(compare).map_err(|what| format!("{}: a batch of {}: {what}", vocabulary.shown(), shown()))
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, but its twin {expected:?}")) }
}

/// A panic is a difference too.
fn check(compare: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(compare)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        Err(message.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    })
}

/// A shorter text on which nothing that was remembered is needed for the difference, if there is one.
fn shrunk_encoding(vocabulary: &Vocabulary, text: &[u8], what: &str) -> String {
    shrunk(text, what, &vocabulary.shown(), |text| {
        let (expected, mut scratch) = (expected(vocabulary, text), Scratch::default());
        (0..2).try_for_each(|_| encode(vocabulary, &mut scratch, text, &expected))
    })
}

/// The difference, and the shortest text found that has one: whatever can be left out of it is.
fn shrunk(text: &[u8], what: &str, by: &str, compare: impl Fn(&[u8]) -> Result<(), String>) -> String {
    let (mut text, mut what) = (text.to_vec(), what.to_owned());
    let mut n = text.len();
    while n > 0 {
        let mut at = 0;
        while at < text.len() {
            let shorter = [&text[..at], &text[text.len().min(at + n)..]].concat();
            match check(|| compare(&shorter)) {
                Err(found) => (text, what) = (shorter, found),
                Ok(()) => at += n,
            }
        }
        n /= 2;
    }
    format!("{by}: b\"{}\": {what}", text.escape_ascii())
}

fn rate(n: u64, seconds: f64) -> u64 {
    Duration::from_secs(n).div_f64(seconds.max(1e-3)).as_secs()
}

/// A number with its thousands apart.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
