//! The sum of files of counts, in memory for one block of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::counts_file::{self, CountsReader, Header, create, finish, open};
use super::entries::{Entries, overflow};
use super::kway;
use super::shards::Shard;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

pub(super) fn merge<P: AsRef<Path>>(paths: &[P], out: &Path, interrupt: &Interrupt<'_>) -> Result<()> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let reader = CountsReader::new(open(path)?, path).map_err(|error| error.within(path))?;
        files.push(Counted { path, reader });
    }
    let header = merged_header(&files)?;
    let lists = files.into_iter().map(|file| -> Box<dyn Entries + '_> {
        let shift = header.fraction_bits - file.reader.header.fraction_bits;
        Box::new(Shifted { shift, file })
    });
    let lists = lists.collect();
    let written = counts_file::write(BufWriter::new(create(out)?), out, &header, |push| {
        kway::sum(lists, |pretoken, count| {
            interrupt.check()?;
            push(pretoken, count)
        })
    });
    finish(written?, out)
}

/// What the files have in common and come to. Nothing of their entries is read before this is known to be sound.
fn merged_header(files: &[Counted<'_>]) -> Result<Header> {
    let Some((first, rest)) = files.split_first() else {
        return Err(Error::training("there are no files of counts to merge"));
    };
    let mut header = first.reader.header.clone();
    header.fraction_bits = files.iter().map(|file| file.reader.header.fraction_bits).max().unwrap_or(0);
    let mut owners: BTreeMap<Shard, &Path> = header.shards.iter().map(|shard| (shard.clone(), first.path)).collect();
    for file in rest {
        let theirs = &file.reader.header;
        if let Some(difference) = header.split.difference(&theirs.split) {
            let (first, path) = (first.path.display(), file.path.display());
            return Err(Error::training(format!("cannot merge {first} and {path}, which differ in {difference}")));
        }
        for shard in &theirs.shards {
            if let Some(other) = owners.insert(shard.clone(), file.path) {
                return Err(twice(shard, &other.display().to_string(), &file.path.display().to_string()));
            }
            header.shards.insert(shard.clone());
        }
        header.n_documents = header.n_documents.saturating_add(theirs.n_documents);
    }
    let n_bytes = files.iter().try_fold(0_u64, |sum, file| {
        let unit = 1 << (header.fraction_bits - file.reader.header.fraction_bits);
        sum.checked_add(file.reader.totals.n_bytes.checked_mul(unit)?)
    });
    let too_many = "the files together count more than 2^64 - 1 bytes; scale the counts down before they are merged";
    n_bytes.map(|_| header).ok_or_else(|| Error::training(too_many))
}

/// What to say of a shard that is in both.
pub(super) fn twice(shard: &Shard, ours: &str, theirs: &str) -> Error {
    Error::training(format!(
        "{shard} is counted in {ours} and in {theirs}: it would count twice; leave one of them out, or, if both belong in the \
         corpus, count one again under a name of its own"
    ))
}

/// A file that is read.
struct Counted<'p> {
    path: &'p Path,
    reader: CountsReader<BufReader<File>>,
}

/// Its entries, in smaller units.
struct Shifted<'p> {
    file: Counted<'p>,
    shift: u32,
}

impl Entries for Shifted<'_> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        let next = self.file.reader.next(pretoken).map_err(|error| error.within(self.file.path))?;
        let shift = |count: u64| count.checked_mul(1 << self.shift).ok_or_else(|| overflow(pretoken));
        next.map(shift).transpose()
    }
}
