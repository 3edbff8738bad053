//! The sum of files of counts, in memory for one block of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::counts::sparsely;
use super::counts_file::{self, CountsReader, Header, create, finish, open};
use super::entries::{Entries, Totals};
use super::kway;
use super::shards::Shard;
use super::spill::{Named, Run, Scaled};
use super::store::MAX_RUNS;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

pub(super) fn merge<P: AsRef<Path>>(paths: &[P], out: &Path, interrupt: &Interrupt<'_>) -> Result<()> {
    let files = paths.iter().map(|path| Counted::new(path.as_ref())).collect::<Result<Vec<_>>>()?;
    // To write over a file that is read would leave neither.
    if let Ok(place) = out.canonicalize()
        && files.iter().any(|file| file.path.canonicalize().is_ok_and(|path| path == place))
    {
        let out = out.display();
        return Err(Error::training(format!("{out} is one of the files to merge; write the sum to another file")));
    }
    let header = merged_header(&files)?;
    let lists = |files: &[Counted<'_>]| -> Result<Vec<Box<dyn Entries>>> {
        files.iter().map(|file| file.entries(header.fraction_bits)).collect()
    };
    let mut look_up = sparsely(interrupt);
    // So many files are open at a time. Of more, the first are brought together on disk.
    let (mut left, mut runs) = (files.as_slice(), Vec::new());
    while left.len() > MAX_RUNS - runs.len() {
        let (some, others) = left.split_at(MAX_RUNS - runs.len());
        let mut first = lists(some)?;
        first.extend(runs.iter().map(Run::entries));
        runs = vec![Run::write(first, &mut look_up)?];
        left = others;
    }
    let mut all = lists(left)?;
    all.extend(runs.iter().map(Run::entries));
    let written = counts_file::write(BufWriter::new(create(out)?), out, &header, |push| {
        kway::sum(all, |pretoken, count| {
            look_up()?;
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
    let mut header = first.header.clone();
    header.fraction_bits = files.iter().map(|file| file.header.fraction_bits).max().unwrap_or(0);
    let mut owners: BTreeMap<Shard, &Path> = header.shards.iter().map(|shard| (shard.clone(), first.path)).collect();
    for file in rest {
        let theirs = &file.header;
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
        let unit = 1 << (header.fraction_bits - file.header.fraction_bits);
        sum.checked_add(file.totals.n_bytes.checked_mul(unit)?)
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

/// A file, and what it says of itself.
struct Counted<'p> {
    path: &'p Path,
    header: Header,
    totals: Totals,
}

impl<'p> Counted<'p> {
    fn new(path: &'p Path) -> Result<Self> {
        let CountsReader { header, totals, .. } = Self::open(path)?;
        Ok(Self { path, header, totals })
    }

    fn open(path: &Path) -> Result<CountsReader<BufReader<File>>> {
        CountsReader::new(open(path)?, path).map_err(|error| error.within(path))
    }

    /// Its entries, in units of so many bits.
    fn entries(&self, fraction_bits: u32) -> Result<Box<dyn Entries>> {
        let reader = Self::open(self.path)?;
        if reader.totals != self.totals || reader.header.shards != self.header.shards {
            return Err(Error::format("byte 0", "the file has changed while it was read").within(self.path));
        }
        let entries = Named { path: self.path.to_owned(), entries: reader };
        Ok(Box::new(Scaled { entries, factor: 1 << (fraction_bits - self.header.fraction_bits) }))
    }
}
