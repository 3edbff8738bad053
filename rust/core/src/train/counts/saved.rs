//! Counts in files, and the sums of files.

use std::io::{BufWriter, Read, Seek, Write};
use std::path::Path;

use super::super::counts_file::{self, CountsReader, Header, create, finish, open};
use super::super::entries::Entries;
use super::super::kway;
use super::super::merge_files;
use super::super::store::MAX_RUNS;
use super::super::table::SLACK;
use super::{Counts, sparsely};
use crate::error::Result;
use crate::interrupt::Interrupt;

impl Counts {
    /// Writes the counts. The same counts of the same shards are the same bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path, and what `interrupt` says.
    ///
    /// # Complexity
    ///
    /// O(d log d) for d distinct pretokens.
    pub fn save(&self, path: &Path, interrupt: &Interrupt<'_>) -> Result<()> {
        let file = BufWriter::new(create(path)?);
        finish(self.write(file, path, interrupt)?, path)
    }

    /// What [`save`](Self::save) writes.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); `path` is what messages name.
    pub fn write<W: Write + Seek>(&self, out: W, path: &Path, interrupt: &Interrupt<'_>) -> Result<W> {
        let header = Header {
            split: self.split.clone(),
            shards: self.shards.clone(),
            n_documents: self.n_documents,
            fraction_bits: self.fraction_bits,
        };
        counts_file::write(out, path, &header, |push| {
            let mut look_up = sparsely(interrupt);
            kway::sum(self.store.lists(&mut look_up)?, |pretoken, count| {
                look_up()?;
                push(pretoken, count)
            })
        })
    }

    /// Reads counts that were saved, to be held [in so much memory](Self::with_memory_limit).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) with path and byte offset where the file is damaged, or was counted
    /// under another version of the rules or of Unicode; [`ErrorKind::Io`](crate::ErrorKind::Io); and what `interrupt`
    /// says.
    pub fn load(path: &Path, memory_limit: Option<usize>, interrupt: &Interrupt<'_>) -> Result<Self> {
        Self::read(open(path)?, path, memory_limit, interrupt).map_err(|error| error.within(path))
    }

    /// What [`load`](Self::load) reads.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); `path` is what messages about reading name.
    pub fn read(
        reader: impl Read,
        path: &Path,
        memory_limit: Option<usize>,
        interrupt: &Interrupt<'_>,
    ) -> Result<Self> {
        let mut reader = CountsReader::new(reader, path)?;
        let mut counts = Self::of_nothing(reader.header.split.clone());
        counts.memory_limit = memory_limit.unwrap_or(counts.memory_limit);
        let mut look_up = sparsely(interrupt);
        let mut pretoken = Vec::new();
        let mut since = 0;
        while let Some(count) = reader.next(&mut pretoken)? {
            look_up()?;
            counts.store.add(&pretoken, count)?;
            since += pretoken.len();
            if since >= SLACK {
                since = 0;
                counts.store.spill_beyond(counts.memory_limit, MAX_RUNS, &mut look_up)?;
            }
        }
        let Header { shards, n_documents, fraction_bits, .. } = reader.header;
        Ok(Self { shards, n_documents, fraction_bits, ..counts })
    }

    /// Adds up files of counts into another, in memory for one block of each, whatever their size.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load) and [`merge`](Self::merge), naming the two files that cannot be merged; and
    /// [`ErrorKind::Training`](crate::ErrorKind::Training) where `out` is one of the files.
    ///
    /// # Complexity
    ///
    /// O(n log k) for n entries in k files.
    pub fn merge_files<P: AsRef<Path>>(paths: &[P], out: &Path, interrupt: &Interrupt<'_>) -> Result<()> {
        merge_files::merge(paths, out, interrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::Pretokenizer;

    #[test]
    fn the_sum_of_files_is_not_written_over_one_of_them() {
        let folder = std::env::temp_dir().join(format!("bytepair-test-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let paths = ["one", "other"].map(|name| folder.join(name));
        for path in &paths {
            let mut counts =
                Counts::new(Pretokenizer::from_stages::<&str>(&[]).unwrap(), Vec::<String>::new()).unwrap();
            counts.add_document(b"ab").unwrap();
            counts.save(path, &Interrupt::never()).unwrap();
        }
        let out = folder.join(".").join("other");
        let error = Counts::merge_files(&paths, &out, &Interrupt::never()).unwrap_err();
        assert!(error.is_training() && error.to_string().contains("one of the files to merge"), "{error}");
        let [_, other] = &paths;
        assert_eq!(Counts::load(other, None, &Interrupt::never()).unwrap().total_bytes(), 2);
        Counts::merge_files(&paths, &folder.join("sum"), &Interrupt::never()).unwrap();
        assert_eq!(Counts::load(&folder.join("sum"), None, &Interrupt::never()).unwrap().total_bytes(), 4);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
