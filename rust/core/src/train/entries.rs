//! Sorted pretokens with their counts as bytes: front-coded, in blocks that each have a length and a checksum.
//!
//! ```text
//! block     n_payload (4 bytes) · payload · CRC-32 of both (4 bytes)
//! payload   entries, as many whole ones as it takes to reach 64 KiB
//! entry     n_shared · n_rest · rest · count
//! ```
//!
//! An entry says how many bytes it shares with the one before in its block, at most, and what follows them; entries are in the
//! order of their bytes, none is there twice, and no count is 0. The numbers of an entry are LEB128, in as few bytes as
//! they take, the others little-endian. So the same entries are the same bytes.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ids::{narrow, widen, widen_u64};

/// A block ends with the entry that reaches this many bytes.
const BLOCK_BYTES: usize = 1 << 16;

/// So much is read at a time: a length that lies costs no more memory than the file has bytes.
const READ_BYTES: usize = 1 << 16;

/// Where entries come from, in the order of their bytes.
pub(super) trait Entries {
    /// Turns `pretoken`, the one before, which is empty at first, into the next, and returns its count.
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>>;
}

/// What a set of entries comes to. Its sums fit 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Totals {
    /// Distinct pretokens, and their bytes.
    pub(super) n_distinct: u64,
    pub(super) distinct_bytes: u64,
    /// The same, each as often as it occurs.
    pub(super) n_pretokens: u64,
    pub(super) n_bytes: u64,
}

impl Totals {
    /// With one entry more, where that fits.
    pub(super) fn with(&self, pretoken: &[u8], count: u64) -> Option<Self> {
        let len = widen_u64(pretoken.len());
        Some(Self {
            n_distinct: self.n_distinct + 1,
            distinct_bytes: self.distinct_bytes.checked_add(len)?,
            n_pretokens: self.n_pretokens.checked_add(count)?,
            n_bytes: self.n_bytes.checked_add(len.checked_mul(count)?)?,
        })
    }
}

/// Writes entries, which must come in order.
pub(super) struct EntryWriter<'p, W> {
    out: W,
    path: &'p Path,
    payload: Vec<u8>,
    last: Vec<u8>,
    totals: Totals,
}

impl<'p, W: Write> EntryWriter<'p, W> {
    /// What goes wrong is said of `path`.
    pub(super) fn new(out: W, path: &'p Path) -> Self {
        Self { out, path, payload: Vec::new(), last: Vec::new(), totals: Totals::default() }
    }

    pub(super) fn push(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        self.totals = self.totals.with(pretoken, count).ok_or_else(|| overflow(pretoken))?;
        let n_shared = if self.payload.is_empty() { 0 } else { n_shared(&self.last, pretoken) };
        let rest = pretoken.get(n_shared..).unwrap_or_default();
        self.payload.try_reserve(rest.len() + 3 * MAX_NUMBER).map_err(|_| out_of_memory())?;
        push_number(&mut self.payload, widen_u64(n_shared));
        push_number(&mut self.payload, widen_u64(rest.len()));
        self.payload.extend_from_slice(rest);
        push_number(&mut self.payload, count);
        if self.payload.len() >= BLOCK_BYTES {
            return self.end_block();
        }
        self.last.truncate(n_shared);
        self.last.try_reserve(rest.len()).map_err(|_| out_of_memory())?;
        self.last.extend_from_slice(rest);
        Ok(())
    }

    /// Ends the last block; what was written comes to this.
    pub(super) fn finish(mut self) -> Result<(W, Totals)> {
        if !self.payload.is_empty() {
            self.end_block()?;
        }
        Ok((self.out, self.totals))
    }

    fn end_block(&mut self) -> Result<()> {
        write_block(&mut self.out, &self.payload, self.path)?;
        self.payload.clear();
        Ok(())
    }
}

/// Writes a block of any content.
pub(super) fn write_block(out: &mut impl Write, payload: &[u8], path: &Path) -> Result<()> {
    let len = narrow(payload.len()).ok_or_else(|| Error::training("a pretoken of 4 GiB or more cannot be saved"))?;
    let parts = [&len.to_le_bytes()[..], payload, &checksum(payload).to_le_bytes()];
    parts.into_iter().try_for_each(|part| out.write_all(part)).map_err(|error| Error::io(path, error))
}

/// Reads blocks, and keeps the last.
pub(super) struct BlockReader<R> {
    reader: R,
    path: PathBuf,
    payload: Vec<u8>,
    /// Where the payload begins, and how many bytes are read.
    start: u64,
    offset: u64,
}

impl<R: Read> BlockReader<R> {
    /// Goes on reading at `offset`.
    pub(super) fn new(reader: R, path: &Path, offset: u64) -> Self {
        Self { reader, path: path.to_owned(), payload: Vec::new(), start: offset, offset }
    }

    /// Reads the next block.
    pub(super) fn read(&mut self) -> Result<()> {
        let mut number = [0; 4];
        self.fill(&mut number)?;
        let mut left = widen(u32::from_le_bytes(number));
        self.start = self.offset;
        self.payload.clear();
        while left > 0 {
            let (from, n) = (self.payload.len(), left.min(READ_BYTES));
            self.payload.try_reserve(n).map_err(|_| out_of_memory())?;
            self.payload.resize(from + n, 0);
            let mut payload = std::mem::take(&mut self.payload);
            let filled = self.fill(payload.get_mut(from..).unwrap_or_default());
            self.payload = payload;
            filled?;
            left -= n;
        }
        self.fill(&mut number)?;
        if u32::from_le_bytes(number) != checksum(&self.payload) {
            return Err(self.damaged(0, "the checksum of this block is wrong: the file is damaged"));
        }
        Ok(())
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Fills a buffer with what comes next.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        match self.reader.read_exact(buffer) {
            Ok(()) => {
                self.offset += widen_u64(buffer.len());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let place = format!("byte {}", self.offset);
                Err(Error::format(place, "the file ends in what should follow here: it is cut off"))
            }
            Err(error) => Err(Error::io(&self.path, error)),
        }
    }

    /// Refuses to go on unless nothing follows.
    pub(super) fn expect_end(&mut self) -> Result<()> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Error::format(format!("byte {}", self.offset), "something follows the last block")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.expect_end(),
            Err(error) => Err(Error::io(&self.path, error)),
        }
    }

    /// An error at a place in the payload.
    pub(super) fn damaged(&self, at: usize, what: &str) -> Error {
        Error::format(format!("byte {}", self.start + widen_u64(at)), what)
    }
}

/// Reads what [`EntryWriter`] wrote.
pub(super) struct EntryReader<R> {
    blocks: BlockReader<R>,
    at: usize,
    /// What all entries shall come to, and those so far do.
    expected: Totals,
    totals: Totals,
}

impl<R: Read> EntryReader<R> {
    pub(super) fn new(blocks: BlockReader<R>, expected: Totals) -> Self {
        let at = blocks.payload().len();
        Self { blocks, at, expected, totals: Totals::default() }
    }

    fn number(&mut self, what: &str) -> Result<u64> {
        let mut fields = Fields { blocks: &self.blocks, at: self.at };
        let number = fields.number(what)?;
        self.at = fields.at;
        Ok(number)
    }

    fn length(&mut self, what: &str) -> Result<usize> {
        let at = self.at;
        let number = self.number(what)?;
        usize::try_from(number).map_err(|_| self.blocks.damaged(at, &format!("{what} is too large")))
    }
}

impl<R: Read> Entries for EntryReader<R> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        if self.totals.n_distinct == self.expected.n_distinct {
            if self.totals != self.expected || self.at < self.blocks.payload().len() {
                return Err(self.blocks.damaged(self.at, "the entries do not come to what the file says"));
            }
            self.blocks.expect_end()?;
            return Ok(None);
        }
        let at_start = self.at == self.blocks.payload().len();
        if at_start {
            self.blocks.read()?;
            self.at = 0;
        }
        let start = self.at;
        let n_shared = self.length("the number of shared bytes")?;
        let n_rest = self.length("the length of a pretoken")?;
        let rest = self.at.checked_add(n_rest).and_then(|end| self.blocks.payload().get(self.at..end));
        let Some(rest) = rest else {
            return Err(self.blocks.damaged(self.at, "a pretoken is longer than its block"));
        };
        let follows = match (at_start, pretoken.get(n_shared), rest.first()) {
            (true, ..) => n_shared == 0 && *pretoken.as_slice() < *rest,
            (false, Some(last), Some(first)) => last < first,
            (false, None, Some(_)) => n_shared == pretoken.len(),
            (false, _, None) => false,
        };
        if !follows {
            return Err(self.blocks.damaged(start, "the pretokens are not in order"));
        }
        pretoken.truncate(n_shared);
        pretoken.try_reserve(n_rest).map_err(|_| out_of_memory())?;
        pretoken.extend_from_slice(rest);
        self.at += n_rest;
        let count = self.number("the count of a pretoken")?;
        let totals = self.totals.with(pretoken, count).filter(|_| count > 0);
        self.totals = totals.ok_or_else(|| self.blocks.damaged(start, "this count is 0 or too large"))?;
        Ok(Some(count))
    }
}

/// Reads numbers and texts of a payload.
pub(super) struct Fields<'b, R> {
    pub(super) blocks: &'b BlockReader<R>,
    pub(super) at: usize,
}

impl<'b, R: Read> Fields<'b, R> {
    /// A number in LEB128, in as few bytes as it takes.
    pub(super) fn number(&mut self, what: &str) -> Result<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        let rest = self.blocks.payload().get(self.at..).unwrap_or_default();
        for (i, &byte) in rest.iter().take(MAX_NUMBER).enumerate() {
            let bits = u64::from(byte & 0x7F);
            if (shift == 63 && bits > 1) || (byte == 0 && i > 0) {
                break;
            }
            number |= bits << shift;
            shift += 7;
            if byte < 0x80 {
                self.at += i + 1;
                return Ok(number);
            }
        }
        Err(self.blocks.damaged(self.at, &format!("{what} is no number")))
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, n: u64, what: &str) -> Result<&'b [u8]> {
        let end = usize::try_from(n).ok().and_then(|n| self.at.checked_add(n));
        let bytes = end.and_then(|end| self.blocks.payload().get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.blocks.damaged(self.at, &format!("{what} is longer than its block")))?;
        self.at += bytes.len();
        Ok(bytes)
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self, what: &str) -> Result<String> {
        let at = self.at;
        let n = self.number(what)?;
        let bytes = self.bytes(n, what)?;
        let text = std::str::from_utf8(bytes);
        text.map(str::to_owned).map_err(|_| self.blocks.damaged(at, &format!("{what} is not UTF-8")))
    }
}

/// The most bytes of a number in LEB128.
const MAX_NUMBER: usize = 10;

pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [byte, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// A text with its length before it.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, widen_u64(text.len()));
    out.extend_from_slice(text.as_bytes());
}

fn checksum(payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&widen_u64(payload.len()).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn n_shared(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

pub(super) fn overflow(pretoken: &[u8]) -> Error {
    let shown: String = String::from_utf8_lossy(pretoken).chars().take(40).collect();
    Error::training(format!(
        "counting pretoken {shown:?} takes the corpus over 2^64 - 1 bytes; scale the counts down before they are added"
    ))
}

fn out_of_memory() -> Error {
    Error::memory("a pretoken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(entries: &[(&[u8], u64)]) -> (Vec<u8>, Totals) {
        let mut writer = EntryWriter::new(Vec::new(), Path::new("memory"));
        entries.iter().for_each(|(pretoken, count)| writer.push(pretoken, *count).unwrap());
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8], expected: Totals) -> Result<Vec<(Vec<u8>, u64)>> {
        let mut reader = EntryReader::new(BlockReader::new(bytes, Path::new("memory"), 0), expected);
        let (mut entries, mut pretoken) = (Vec::new(), Vec::new());
        while let Some(count) = reader.next(&mut pretoken)? {
            entries.push((pretoken.clone(), count));
        }
        Ok(entries)
    }

    #[test]
    fn what_is_written_is_read() {
        let long = vec![b'x'; 3 * BLOCK_BYTES];
        let longer = vec![b'x'; 3 * BLOCK_BYTES + 1];
        let entries: [(&[u8], u64); 8] = [
            (b"\0", 1),
            (b"\0\0", 127),
            (b"a", 128),
            (b"ab", 16_384),
            (b"abc", u64::MAX / 8),
            (b"b", 1 << 35),
            (&long, 1),
            (&longer, 2),
        ];
        let (bytes, totals) = write(&entries);
        let read = read(&bytes, totals).unwrap();
        assert!(read.iter().map(|(pretoken, count)| (&pretoken[..], *count)).eq(entries));
    }

    #[test]
    fn many_blocks_are_read() {
        let entries: Vec<_> = (0..40_000_u32).map(|i| (i.to_be_bytes(), u64::from(i) + 1)).collect();
        let slices: Vec<_> = entries.iter().map(|(bytes, count)| (&bytes[..], *count)).collect();
        let (bytes, totals) = write(&slices);
        assert!(bytes.len() > 3 * BLOCK_BYTES);
        assert!(read(&bytes, totals).unwrap().iter().map(|(bytes, count)| (&bytes[..], *count)).eq(slices));
    }

    #[test]
    fn what_is_not_in_order_is_refused() {
        // Two payloads as `push` would never make them: "b" before "a", and "a" twice.
        for payload in [&[0, 1, b'b', 1, 0, 1, b'a', 1][..], &[0, 1, b'a', 1, 0, 1, b'a', 1], &[0, 1, b'a', 1, 1, 0, 1]]
        {
            let mut bytes = Vec::new();
            write_block(&mut bytes, payload, Path::new("memory")).unwrap();
            let expected = Totals { n_distinct: 2, distinct_bytes: 2, n_pretokens: 2, n_bytes: 2 };
            assert!(read(&bytes, expected).unwrap_err().to_string().starts_with("byte 8: "));
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_refused() {
        let mut writer = EntryWriter::new(Vec::new(), Path::new("memory"));
        writer.push(b"aaa", u64::MAX / 3).unwrap();
        assert!(writer.push(b"b", 1).unwrap_err().to_string().contains("\"b\""));
    }
}
