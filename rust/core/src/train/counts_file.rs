//! Counts as a file, the same for the same counts.
//!
//! ```text
//! "bpcounts" 1        magic and version
//! block               the header: documents, pretokens, bytes, distinct pretokens and their bytes, shards, fraction bits
//!                     (8 bytes each); then what shapes the pretokens (`split.rs`)
//! block*              the shards, in order: 0 and a SHA-256, or 1 and a name
//! block*              the pretokens with their counts (`entries.rs`)
//! ```
//!
//! All of it is read in little memory, and nothing is believed: what is read is counted, and compared with the header.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::entries::{BlockReader, Entries, EntryReader, EntryWriter, Fields, Totals, push_text, write_block};
use super::shards::{Shard, Shards};
use super::split::Split;
use crate::error::{Error, Result};
use crate::ids::widen_u64;

const MAGIC: &[u8; 9] = b"bpcounts\x01";

/// A weight has 16 bits after the point in the binding; three such weights one after the other are still told apart.
pub(super) const MAX_FRACTION_BITS: u32 = 48;

/// A block of shards ends with the one that reaches this many bytes.
const BLOCK_BYTES: usize = 1 << 16;

/// What a file says before its entries.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) split: Split,
    pub(super) shards: Shards,
    pub(super) n_documents: u64,
    /// Counts are in units of 2 to the power of minus this.
    pub(super) fraction_bits: u32,
}

impl Header {
    fn to_bytes(&self, totals: Totals) -> Vec<u8> {
        let Totals { n_distinct, distinct_bytes, n_pretokens, n_bytes } = totals;
        let n_shards = widen_u64(self.shards.len());
        let numbers =
            [self.n_documents, n_pretokens, n_bytes, n_distinct, distinct_bytes, n_shards, self.fraction_bits.into()];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.split.description());
        bytes
    }
}

/// Writes a file. `entries` calls what it is given with each entry, in order.
pub(super) fn write<W: Write + Seek>(
    mut out: W,
    path: &Path,
    header: &Header,
    entries: impl FnOnce(&mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<()>,
) -> Result<W> {
    let failed = |error| Error::io(path, error);
    let begin = |out: &mut W, totals| {
        out.write_all(MAGIC).map_err(failed)?;
        write_block(out, &header.to_bytes(totals), path)
    };
    // The totals are known at the end, when the header is written once more.
    begin(&mut out, Totals::default())?;
    let mut payload = Vec::new();
    for (i, shard) in header.shards.iter().enumerate() {
        match shard {
            Shard::Content(digest) => {
                payload.push(0);
                payload.extend(digest);
            }
            Shard::Name(name) => {
                payload.push(1);
                push_text(&mut payload, name);
            }
        }
        if payload.len() >= BLOCK_BYTES || i + 1 == header.shards.len() {
            write_block(&mut out, &payload, path)?;
            payload.clear();
        }
    }
    let mut writer = EntryWriter::new(out, path);
    entries(&mut |pretoken, count| writer.push(pretoken, count))?;
    let (mut out, totals) = writer.finish()?;
    out.seek(SeekFrom::Start(0)).map_err(failed)?;
    begin(&mut out, totals)?;
    out.flush().map_err(failed)?;
    Ok(out)
}

/// A file to write to.
pub(super) fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|error| Error::io(path, error))
}

/// Brings what was written to the disk.
pub(super) fn finish(out: BufWriter<File>, path: &Path) -> Result<()> {
    let file = out.into_inner().map_err(|error| error.into_error());
    file.and_then(|file| file.sync_all()).map_err(|error| Error::io(path, error))
}

/// A file to read.
pub(super) fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 16, File::open(path).map_err(|error| Error::io(path, error))?))
}

/// A file that is read.
pub(super) struct CountsReader<R> {
    pub(super) header: Header,
    /// What the entries shall come to; that they do is known at their end.
    pub(super) totals: Totals,
    entries: EntryReader<R>,
}

impl<R: Read> CountsReader<R> {
    /// Reads all but the entries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) with a byte offset, and what reading returns.
    pub(super) fn new(reader: R, path: &Path) -> Result<Self> {
        let mut blocks = BlockReader::new(reader, path, 0);
        let mut magic = [0; MAGIC.len()];
        blocks.fill(&mut magic)?;
        if magic != *MAGIC {
            let message = match magic {
                [b'b', b'p', b'c', b'o', b'u', b'n', b't', b's', version] => {
                    format!("this is a counts file of version {version}; this bytepair reads version 1")
                }
                _ => "this is no counts file".to_owned(),
            };
            return Err(Error::format("byte 0", message));
        }
        blocks.read()?;
        let mut fields = Fields { blocks: &blocks, at: 0 };
        let mut numbers = [0; 7];
        for number in &mut numbers {
            *number = fields.bytes(8, "a total")?.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        let [n_documents, n_pretokens, n_bytes, n_distinct, distinct_bytes, n_shards, fraction_bits] = numbers;
        let fraction_bits = u32::try_from(fraction_bits).ok().filter(|&bits| bits <= MAX_FRACTION_BITS);
        let fraction_bits = fraction_bits.ok_or_else(|| blocks.damaged(48, "there are too many bits of a fraction"))?;
        let split = Split::read(&mut fields)?;
        if fields.at != blocks.payload().len() {
            return Err(blocks.damaged(fields.at, "something follows the header"));
        }
        let shards = read_shards(&mut blocks, n_shards)?;
        let totals = Totals { n_distinct, distinct_bytes, n_pretokens, n_bytes };
        let entries = EntryReader::new(blocks, totals);
        Ok(Self { header: Header { split, shards, n_documents, fraction_bits }, totals, entries })
    }
}

impl<R: Read> Entries for CountsReader<R> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        self.entries.next(pretoken)
    }
}

fn read_shards<R: Read>(blocks: &mut BlockReader<R>, n_shards: u64) -> Result<Shards> {
    let mut shards = Shards::new();
    while widen_u64(shards.len()) < n_shards {
        blocks.read()?;
        let mut fields = Fields { blocks, at: 0 };
        while fields.at < blocks.payload().len() {
            let start = fields.at;
            let shard = match fields.number("the kind of a shard")? {
                0 => fields.bytes(32, "a digest")?.first_chunk().map(|digest| Shard::Content(*digest)),
                1 => Some(Shard::Name(fields.text("the name of a shard")?)),
                _ => None,
            };
            let shard = shard.filter(|shard| shards.last().is_none_or(|last| last < shard));
            shards.insert(shard.ok_or_else(|| blocks.damaged(start, "the shards are not in order"))?);
        }
        if blocks.payload().is_empty() || widen_u64(shards.len()) > n_shards {
            return Err(blocks.damaged(0, "there are not as many shards as the file says"));
        }
    }
    Ok(shards)
}
