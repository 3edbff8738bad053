//! Counts in memory up to a limit, beyond it on disk.

use std::cmp::Reverse;

use super::entries::{Entries, Totals, overflow};
use super::kway;
use super::spill::Run;
use super::table::{PretokenTable, Work};
use crate::error::{Error, Result};
use crate::ids::widen_u64;

/// So many runs are merged at a time: each needs a file descriptor, and about 100 KiB.
pub(super) const MAX_RUNS: usize = 64;

/// A table, and the runs it was written to whenever it came to its limit.
#[derive(Clone, Default, Debug)]
pub(super) struct Store {
    table: PretokenTable,
    runs: Vec<Run>,
    n_spills: u64,
}

impl Store {
    pub(super) fn table(&mut self) -> &mut PretokenTable {
        &mut self.table
    }

    /// The bytes of memory it takes.
    pub(super) fn n_bytes(&self) -> usize {
        self.table.n_bytes()
    }

    /// How often a table was written to disk.
    pub(super) fn n_spills(&self) -> u64 {
        self.n_spills
    }

    pub(super) fn in_memory(&self) -> bool {
        self.runs.is_empty()
    }

    /// The sums of lengths times counts, and of counts. They fit 64 bits: what adds up sees to that.
    pub(super) fn totals(&self) -> (u64, u64) {
        let table = (self.table.total_bytes(), self.table.total_pretokens());
        self.runs
            .iter()
            .map(Run::totals)
            .fold(table, |(n_bytes, n_pretokens), totals| (n_bytes + totals.n_bytes, n_pretokens + totals.n_pretokens))
    }

    /// Adds `count` occurrences of `pretoken`, or nothing at all where the totals would not fit.
    pub(super) fn add(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        if !self.in_memory() {
            let total = Totals { n_bytes: self.totals().0, ..Totals::default() };
            total.with(pretoken, count).ok_or_else(|| overflow(pretoken))?;
        }
        self.table.add(pretoken, count)
    }

    /// Adds `count` occurrences of each of consecutive pretokens of `text`, the first from `start` on.
    pub(super) fn add_all(
        &mut self,
        work: &mut Work,
        text: &[u8],
        mut start: usize,
        ends: &[usize],
        count: u64,
    ) -> Result<()> {
        if self.in_memory() {
            return self.table.add_all(work, text, start, ends, count);
        }
        for &end in ends {
            self.add(text.get(start..end).unwrap_or_default(), count)?;
            start = end;
        }
        Ok(())
    }

    /// Writes the table to disk where it needs, or soon may need, more than `limit` bytes.
    pub(super) fn spill_beyond(
        &mut self,
        limit: usize,
        max_runs: usize,
        look_up: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        if self.table.may_need() > limit { self.spill(limit, max_runs, look_up) } else { Ok(()) }
    }

    /// Writes the table to disk. It may keep its memory, of `limit` bytes.
    pub(super) fn spill(
        &mut self,
        limit: usize,
        max_runs: usize,
        mut look_up: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        if self.table.len() == 0 {
            return Ok(());
        }
        let run = Run::write(self.table.lists(&mut look_up)?, &mut look_up)?;
        self.runs.push(run);
        self.n_spills += 1;
        self.table.clear(limit);
        join_runs(&mut self.runs, max_runs, look_up)
    }

    /// Brings all that is on disk into one run.
    pub(super) fn settle(&mut self, mut look_up: impl FnMut() -> Result<()>) -> Result<()> {
        if self.in_memory() || (self.runs.len() == 1 && self.table.len() == 0) {
            return Ok(());
        }
        let run = Run::write(self.lists(&mut look_up)?, look_up)?;
        self.runs = vec![run];
        self.table = PretokenTable::default();
        Ok(())
    }

    /// The sum of some: in one table, if that takes no more than `limit` bytes meanwhile.
    pub(super) fn join(stores: Vec<Self>, limit: usize, mut look_up: impl FnMut() -> Result<()>) -> Result<Self> {
        let mut joined = Self::default();
        let (mut n_bytes, mut n_distinct, mut n_needed) = (0_u64, 0, 0);
        for store in &stores {
            n_bytes = n_bytes.checked_add(store.totals().0).ok_or_else(|| store.too_many())?;
            n_distinct += store.table.len();
            n_needed += store.n_bytes();
        }
        let mut stores = stores;
        stores.sort_by_key(|store| store.table.len());
        let fits = stores.iter().all(Self::in_memory)
            && n_needed.saturating_add(stores.last().map_or(0, |store| store.table.growth_to(n_distinct))) <= limit;
        for mut store in stores.into_iter().rev() {
            if !fits {
                store.spill(0, usize::MAX, &mut look_up)?;
            }
            joined.runs.append(&mut store.runs);
            joined.n_spills += store.n_spills;
            if joined.table.len() == 0 {
                joined.table = store.table;
                continue;
            }
            for (pretoken, count) in store.table.iter() {
                look_up()?;
                joined.table.add(pretoken, count)?;
            }
        }
        join_runs(&mut joined.runs, MAX_RUNS, look_up)?;
        Ok(joined)
    }

    /// Multiplies every count by `ours`, at least 1, and adds every count of `other` times `theirs`; or, after an error, does
    /// nothing at all.
    pub(super) fn merge(
        &mut self,
        ours: u64,
        other: &Self,
        theirs: u64,
        limit: usize,
        mut look_up: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let scaled = self.totals().0.checked_mul(ours).zip(other.totals().0.checked_mul(theirs));
        if scaled.is_none_or(|(ours, theirs)| ours.checked_add(theirs).is_none()) {
            return Err(other.too_many());
        }
        let ours_scaled = self.runs.iter().map(|run| run.scaled(ours));
        let runs = ours_scaled.chain(other.runs.iter().map(|run| run.scaled(theirs)));
        let mut runs: Vec<Run> = runs.collect::<Option<_>>().ok_or_else(|| other.too_many())?;
        let fits = self.n_bytes().saturating_add(self.table.growth_with(&other.table)) <= limit;
        if !fits {
            let run = Run::write(other.table.lists(&mut look_up)?, &mut look_up)?;
            runs.extend(run.scaled(theirs));
        }
        join_runs(&mut runs, MAX_RUNS, look_up)?;
        if fits {
            self.table.reserve(&other.table)?;
        }
        // From here on nothing fails.
        self.table.scale(ours)?;
        self.runs = runs;
        self.n_spills += other.n_spills + u64::from(!fits);
        if fits { self.table.merge(&other.table, theirs) } else { Ok(()) }
    }

    /// Multiplies every count, or does nothing at all where the totals would not fit.
    pub(super) fn scale(&mut self, factor: u64) -> Result<()> {
        if factor == 0 {
            *self = Self { n_spills: self.n_spills, ..Self::default() };
            return Ok(());
        }
        if !self.in_memory() && self.totals().0.checked_mul(factor).is_none() {
            return Err(self.too_many());
        }
        let runs = self.runs.iter().map(|run| run.scaled(factor)).collect::<Option<Vec<_>>>();
        self.table.scale(factor)?;
        self.runs = runs.ok_or_else(|| self.too_many())?;
        Ok(())
    }

    /// What to say where the totals do not fit.
    fn too_many(&self) -> Error {
        self.table.overflow()
    }

    /// The number of distinct pretokens.
    pub(super) fn n_distinct(&self, look_up: impl FnMut() -> Result<()>) -> Result<u64> {
        match self.runs.as_slice() {
            [] => Ok(widen_u64(self.table.len())),
            [run] if self.table.len() == 0 => Ok(run.totals().n_distinct),
            _ => {
                let mut n = 0;
                self.visit(look_up, |_, _| {
                    n += 1;
                    Ok(())
                })?;
                Ok(n)
            }
        }
    }

    /// Every distinct pretoken and its count: on disk in order, in memory in no particular one.
    pub(super) fn visit(
        &self,
        mut look_up: impl FnMut() -> Result<()>,
        mut visit: impl FnMut(&[u8], u64) -> Result<()>,
    ) -> Result<()> {
        if self.in_memory() {
            return self.table.iter().try_for_each(|(pretoken, count)| {
                look_up()?;
                visit(pretoken, count)
            });
        }
        kway::sum(self.lists(&mut look_up)?, |pretoken, count| {
            look_up()?;
            visit(pretoken, count)
        })
    }

    /// Every distinct pretoken and its count, in order, in lists to be summed.
    pub(super) fn lists(&self, look_up: impl FnMut() -> Result<()>) -> Result<Vec<Box<dyn Entries + '_>>> {
        let mut lists = self.table.lists(look_up)?;
        lists.extend(self.runs.iter().map(Run::entries));
        Ok(lists)
    }
}

/// Brings runs down to `max` where there are more: the smallest into one, and larger ones with them as long as each is no larger
/// than those before it together. So an entry is written again only into a run about twice as large.
fn join_runs(runs: &mut Vec<Run>, max: usize, mut look_up: impl FnMut() -> Result<()>) -> Result<()> {
    while runs.len() > max {
        let least = (runs.len() - max + 1).max(max / 2).max(2);
        runs.sort_by_key(|run| Reverse(run.totals().n_distinct));
        let (mut n_joined, mut n_entries) = (0, 0);
        for run in runs.iter().rev().take(MAX_RUNS) {
            let n = run.totals().n_distinct;
            if n_joined >= least && n > n_entries {
                break;
            }
            n_joined += 1;
            n_entries += n;
        }
        let kept = runs.len() - n_joined;
        let joined = Run::write(runs.iter().skip(kept).map(Run::entries).collect(), &mut look_up)?;
        runs.truncate(kept);
        runs.push(joined);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn store(entries: &[(&str, u64)], limit: usize) -> Store {
        let mut store = Store::default();
        for (pretoken, count) in entries {
            store.add(pretoken.as_bytes(), *count).unwrap();
            store.spill_beyond(limit, 2, || Ok(())).unwrap();
        }
        store
    }

    fn entries(store: &Store) -> BTreeMap<Vec<u8>, u64> {
        let mut entries = BTreeMap::new();
        let visit = |pretoken: &[u8], count| {
            assert!(entries.insert(pretoken.to_vec(), count).is_none(), "a pretoken comes once");
            Ok(())
        };
        store.visit(|| Ok(()), visit).unwrap();
        entries
    }

    const SOME: [(&str, u64); 6] =
        [("a", 1), ("ab", 2), ("a", 3), ("a pretoken that is long", 4), ("b", 5), ("a pretoken that is long", 6)];

    #[test]
    fn on_disk_is_as_in_memory() {
        let (memory, mut disk) = (store(&SOME, usize::MAX), store(&SOME, 0));
        assert_eq!((memory.n_spills(), disk.n_spills()), (0, 6));
        for settle in [false, true] {
            assert_eq!(entries(&disk), entries(&memory));
            assert_eq!((disk.totals(), disk.n_distinct(|| Ok(())).unwrap()), (memory.totals(), 4));
            if settle {
                disk.settle(|| Ok(())).unwrap();
            }
        }
    }

    #[test]
    fn sums_are_the_same_wherever_the_parts_lie() {
        let expected: BTreeMap<Vec<u8>, u64> =
            entries(&store(&SOME, usize::MAX)).into_iter().map(|(pretoken, count)| (pretoken, 5 * count)).collect();
        for ours in [0, usize::MAX] {
            for theirs in [0, usize::MAX] {
                for limit in [0, usize::MAX] {
                    let (mut sum, other) = (store(&SOME, ours), store(&SOME, theirs));
                    sum.merge(2, &other, 3, limit, || Ok(())).unwrap();
                    assert_eq!(entries(&sum), expected);
                    let joined = Store::join(vec![store(&SOME, ours), Store::default(), other], limit, || Ok(()));
                    let mut joined = joined.unwrap();
                    assert_eq!(joined.totals(), (2 * 243, 2 * 21));
                    joined.scale(7).unwrap();
                    assert_eq!(joined.totals(), (14 * 243, 14 * 21));
                }
            }
        }
    }

    #[test]
    fn the_limit_holds_for_what_is_merged_into_nothing() {
        let mut other = Store::default();
        for i in 0..20_000_u32 {
            other.add(format!("{i} and a few bytes more").as_bytes(), 1).unwrap();
            other.add(&i.to_le_bytes(), 1).unwrap();
        }
        for (limit, n_spills) in [(other.n_bytes(), 0), (other.n_bytes() / 2, 1)] {
            let mut sum = Store::default();
            sum.merge(1, &other, 1, limit, || Ok(())).unwrap();
            assert!(sum.n_bytes() <= limit, "{} of {limit} bytes", sum.n_bytes());
            assert_eq!((sum.n_spills(), sum.n_distinct(|| Ok(())).unwrap()), (n_spills, 40_000));
        }
    }

    /// With all but one joined each time, or always half, it would be 41 or 6 times here, and grow with the number of runs.
    #[test]
    fn what_is_on_disk_is_seldom_written_again() {
        const N_RUNS: u32 = 10_000;
        let (mut store, mut n_written) = (Store::default(), 0);
        for number in 0..N_RUNS {
            store.add(&number.to_le_bytes(), 1).unwrap();
            let count = || {
                n_written += 1;
                Ok(())
            };
            store.spill(0, MAX_RUNS, count).unwrap();
        }
        assert_eq!(store.n_distinct(|| Ok(())).unwrap(), u64::from(N_RUNS));
        assert!(n_written <= 4 * N_RUNS, "{n_written} entries were written");
    }

    #[test]
    fn sums_that_do_not_fit_are_errors_wherever_the_parts_lie() {
        for ours in [0, usize::MAX] {
            for theirs in [0, usize::MAX] {
                let (mut sum, other) = (store(&[("a", u64::MAX - 1)], ours), store(&[("b", 2)], theirs));
                assert!(sum.add(b"b", 2).unwrap_err().is_training());
                assert!(sum.scale(2).unwrap_err().is_training());
                assert!(sum.merge(1, &other, 1, usize::MAX, || Ok(())).unwrap_err().is_training());
                assert_eq!(sum.totals().0, u64::MAX - 1);
                sum.add(b"b", 1).unwrap();
                assert_eq!(sum.totals().0, u64::MAX);
            }
        }
    }

    #[test]
    fn who_looks_up_can_stop_the_work() {
        let mut disk = store(&SOME, 0);
        assert!(disk.settle(|| Err(Error::interrupted())).is_err());
        assert_eq!(entries(&disk), entries(&store(&SOME, usize::MAX)));
        for n in 0..20 {
            let (mut disk, mut left) = (store(&SOME, 0), n);
            disk.add(b"c", 7).unwrap();
            let expected = entries(&disk);
            let stopped = disk.spill(0, 1, || {
                left -= 1;
                if left < 0 { Err(Error::interrupted()) } else { Ok(()) }
            });
            assert_eq!(entries(&disk), expected, "after {n} steps");
            assert!(stopped.is_err() == (left < 0) && (n > 0 || left < 0) && (n < 19 || left > 0));
        }
    }
}
