//! Counting a file of text in blocks, without ever holding it whole where it can be cut.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::num::NonZero;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::counter::Counter;
use super::progress::{Checkpoint, Stage, Ticker};
use crate::error::{Error, Result};
use crate::threads::n_threads;

/// How much of a file is read at a time, for each thread.
const BLOCK_BYTES: usize = 8 << 20;

/// One call of `read` asks for no more than this, so that checkpoints come often.
const READ_BYTES: usize = 1 << 20;

/// Counts the pretokens of the file at `path`. What is read goes through `digest`, too.
pub(super) fn count(
    counter: &mut Counter,
    path: &Path,
    num_threads: Option<NonZero<usize>>,
    digest: Option<&mut Sha256>,
    checkpoint: Checkpoint<'_>,
) -> Result<()> {
    let failed = |error| Error::io(path, error);
    let file = File::open(path).map_err(failed)?;
    // A pipe has no length to go by.
    let total = file.metadata().ok().filter(|data| data.is_file()).map(|data| data.len());
    let n_bytes = total.and_then(|total| usize::try_from(total).ok()).unwrap_or(usize::MAX);
    let n_threads = n_threads(num_threads, n_bytes);
    let mut ticker = Ticker::new(checkpoint, Stage::Counting, total);
    let blocks = Blocks::new(file, path, digest);
    let block_bytes = counter.block_bytes(n_threads.saturating_mul(BLOCK_BYTES));
    count_blocks(counter, blocks, n_threads, block_bytes, &mut ticker)
}

fn count_blocks<R: Read>(
    counter: &mut Counter,
    mut blocks: Blocks<'_, R>,
    n_threads: usize,
    block_bytes: usize,
    ticker: &mut Ticker<'_>,
) -> Result<()> {
    counter.reset_done();
    let mut size = block_bytes;
    loop {
        let done = counter.done();
        let at_end = blocks.fill(size, || ticker.tick(done))?;
        let cut = if at_end { Some(blocks.text().len()) } else { counter.split().safe_prefix(blocks.text()) };
        let Some(cut) = cut else {
            // Doubling keeps the searches linear where safe cuts are rare.
            size = size.saturating_mul(2);
            continue;
        };
        let (text, _) = blocks.text().split_at_checked(cut).unwrap_or_default();
        counter.count(&[text], n_threads, ticker)?;
        if at_end {
            return ticker.report(counter.done());
        }
        blocks.consume(cut);
        size = block_bytes.max(blocks.text().len().saturating_mul(2));
    }
}

/// A reader with the text that is read and not yet counted.
struct Blocks<'p, R> {
    reader: R,
    path: &'p Path,
    digest: Option<&'p mut Sha256>,
    buffer: Vec<u8>,
    filled: usize,
}

impl<'p, R: Read> Blocks<'p, R> {
    fn new(reader: R, path: &'p Path, digest: Option<&'p mut Sha256>) -> Self {
        Self { reader, path, digest, buffer: Vec::new(), filled: 0 }
    }

    fn text(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Reads until the text has `size` bytes or the reader ends, and tells whether it has ended.
    fn fill(&mut self, size: usize, mut look_up: impl FnMut() -> Result<()>) -> Result<bool> {
        while self.filled < size {
            look_up()?;
            let end = size.min(self.filled + READ_BYTES);
            if self.buffer.len() < end {
                let missing = end - self.buffer.len();
                self.buffer.try_reserve(missing).map_err(|_| Error::memory("a block of the file"))?;
                self.buffer.resize(end, 0);
            }
            let space = self.buffer.get_mut(self.filled..end).unwrap_or_default();
            match self.reader.read(space) {
                Ok(0) => return Ok(true),
                Ok(n) => {
                    let n = n.min(space.len());
                    if let Some(digest) = &mut self.digest {
                        digest.update(space.get(..n).unwrap_or_default());
                    }
                    self.filled += n;
                }
                // A signal came: `look_up` is where the caller hears of it.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(self.path, error)),
            }
        }
        Ok(false)
    }

    /// Drops `n` bytes from the front of the text.
    fn consume(&mut self, n: usize) {
        self.buffer.copy_within(n..self.filled, 0);
        self.filled -= n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use crate::pretokenize::Pretokenizer;
    use crate::train::split::Split;
    use crate::train::table::PretokenTable;
    use crate::train::{Counts, Progress};

    /// Gives at most `step` bytes at a time, as a pipe may.
    struct Trickle<'a> {
        rest: &'a [u8],
        step: usize,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let n = self.step.min(buffer.len());
            self.rest.read(&mut buffer[..n])
        }
    }

    /// The most frequent first.
    fn sorted(table: &PretokenTable) -> Vec<(Vec<u8>, u64)> {
        let mut entries: Vec<_> = table.iter().map(|(pretoken, count)| (pretoken.to_vec(), count)).collect();
        entries.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        entries
    }

    #[test]
    fn any_block_size_gives_the_same_counts() {
        let text =
            "It's  2,024 <|end|>\n\n caf\u{e9}s <|end|><|end|>!\u{3000}<|e <|end|> nd|>\r\n   x 12345<|end|>".repeat(7);
        for special in [&["<|end|>"][..], &["<|end|>", "<|end|><|end|>!", " "], &[]] {
            for pattern in ["gpt2", "cl100k"] {
                let split = Split::new(Pretokenizer::new(pattern).unwrap(), special.iter().copied()).unwrap();
                let mut whole = Counts::new(Pretokenizer::new(pattern).unwrap(), special.iter().copied()).unwrap();
                whole.add_document(text.as_bytes()).unwrap();
                for size in (1..80_usize).chain([200, 512, 1 << 20]) {
                    let reader = Trickle { rest: text.as_bytes(), step: size.div_ceil(3) };
                    let mut digest = Sha256::new();
                    let blocks = Blocks::new(reader, Path::new("trickle"), Some(&mut digest));
                    let mut nothing = |_: Progress<'_>| Ok(());
                    let mut ticker = Ticker::new(&mut nothing, Stage::Counting, None);
                    let mut counter = Counter::new(&split, usize::MAX);
                    count_blocks(&mut counter, blocks, 1 + size % 3, size, &mut ticker).unwrap();
                    let table = counter.finish(|| Ok(())).unwrap().table().clone();
                    assert_eq!(
                        sorted(&table),
                        whole.most_common(usize::MAX, &Interrupt::never()).unwrap(),
                        "{special:?} in blocks of {size}"
                    );
                    assert_eq!(digest.finalize(), Sha256::digest(&text));
                }
            }
        }
    }

    #[test]
    fn a_missing_file_is_an_error_with_its_path() {
        let mut counts = Counts::new(Pretokenizer::new("gpt2").unwrap(), ["<e>"]).unwrap();
        let error = counts.add_file(Path::new("no/such/file"), None, &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("no/such/file"));
        assert!(matches!(error.kind(), crate::ErrorKind::Io { .. }));
    }
}
