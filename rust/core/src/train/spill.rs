//! Counts that do not fit in memory: sorted, in temporary files without a name.
//!
//! Such a file loses its name as soon as it is open, so that the system takes it back when this process ends, however it
//! ends. Where a system does not allow that, it is removed with its last reader.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::entries::{BlockReader, Entries, EntryReader, EntryWriter, Totals, overflow};
use super::kway;
use crate::error::{Error, Result};
use crate::ids::widen_u64;

const BUFFER_BYTES: usize = 1 << 16;

/// Entries in a file that is read only, by as many as like to. Every count is that in the file times `factor`.
#[derive(Clone, Debug)]
pub(super) struct Run {
    file: Arc<Temporary>,
    totals: Totals,
    factor: u64,
}

impl Run {
    /// Writes the sum of some lists. `look_up` is called for each of its entries.
    pub(super) fn write(lists: Vec<Box<dyn Entries + '_>>, mut look_up: impl FnMut() -> Result<()>) -> Result<Self> {
        let temporary = Temporary::new(std::env::temp_dir())?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, &temporary);
        let mut writer = EntryWriter::new(out, &temporary.folder);
        kway::sum(lists, |pretoken, count| {
            look_up()?;
            writer.push(pretoken, count)
        })?;
        let (mut out, totals) = writer.finish()?;
        out.flush().map_err(|error| Error::io(&temporary.folder, error))?;
        drop(out);
        Ok(Self { file: Arc::new(temporary), totals, factor: 1 })
    }

    pub(super) fn entries(&self) -> Box<dyn Entries + '_> {
        let place = Place { file: &self.file, offset: 0 };
        let blocks = BlockReader::new(BufReader::with_capacity(BUFFER_BYTES, place), &self.file.folder, 0);
        // The file has no name: where it lies is what there is to say.
        let entries = Named { path: self.file.folder.clone(), entries: EntryReader::new(blocks, self.totals) };
        Box::new(Scaled { entries, factor: self.factor })
    }

    /// What all entries come to. Their sums fit 64 bits, as [`scaled`](Self::scaled) says.
    pub(super) fn totals(&self) -> Totals {
        let Totals { n_pretokens, n_bytes, .. } = self.totals;
        Totals { n_pretokens: n_pretokens * self.factor, n_bytes: n_bytes * self.factor, ..self.totals }
    }

    /// The same with every count so many times as high, where they fit.
    pub(super) fn scaled(&self, factor: u64) -> Option<Self> {
        let factor = self.factor.checked_mul(factor)?;
        self.totals.n_bytes.checked_mul(factor)?;
        Some(Self { factor, ..self.clone() })
    }
}

/// Entries with every count so many times as high.
pub(super) struct Scaled<E> {
    pub(super) entries: E,
    pub(super) factor: u64,
}

impl<E: Entries> Entries for Scaled<E> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        let next = self.entries.next(pretoken)?;
        next.map(|count| count.checked_mul(self.factor).ok_or_else(|| overflow(pretoken))).transpose()
    }
}

/// The entries of a file, which is named where they are damaged.
pub(super) struct Named<E> {
    pub(super) path: PathBuf,
    pub(super) entries: E,
}

impl<E: Entries> Entries for Named<E> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        self.entries.next(pretoken).map_err(|error| error.within(&self.path))
    }
}

/// A file that is gone when it is dropped.
#[derive(Debug)]
struct Temporary {
    file: Option<File>,
    folder: PathBuf,
    /// Its name, where it could not be taken from an open file.
    name: Option<PathBuf>,
}

impl Temporary {
    fn new(folder: PathBuf) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        loop {
            // Every state of the hasher is another random one.
            let number = RandomState::new().hash_one(std::process::id());
            let name = folder.join(format!("bytepair-{number:016x}"));
            match options.open(&name) {
                Ok(file) => {
                    let name = fs::remove_file(&name).err().map(|_| name);
                    return Ok(Self { file: Some(file), folder, name });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(&folder, error)),
            }
        }
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.file = None;
        if let Some(name) = &self.name {
            // There is no one to tell.
            let _ = fs::remove_file(name);
        }
    }
}

impl Write for &Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

/// A place in a file: its readers do not move each other.
struct Place<'f> {
    file: &'f Temporary,
    offset: u64,
}

impl Read for Place<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let n = std::os::unix::fs::FileExt::read_at(self.file.file()?, buffer, self.offset)?;
        #[cfg(windows)]
        let n = std::os::windows::fs::FileExt::seek_read(self.file.file()?, buffer, self.offset)?;
        self.offset += widen_u64(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::PretokenTable;
    use super::*;

    #[test]
    fn damage_is_told_with_its_place() {
        let mut table = PretokenTable::default();
        table.add(b"low", 5).unwrap();
        let run = Run::write(table.lists(|| Ok(())).unwrap(), || Ok(())).unwrap();
        io::Seek::rewind(&mut run.file.file().unwrap()).unwrap();
        (&*run.file).write_all(&[0xFF; 8]).unwrap();
        let error = run.entries().next(&mut Vec::new()).unwrap_err();
        let folder = std::env::temp_dir().display().to_string();
        assert!(error.is_format() && error.to_string().contains(&folder), "{error}");
    }
}
