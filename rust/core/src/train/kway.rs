//! The sum of several sorted lists of counts, in memory for one entry of each.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::entries::{Entries, overflow};
use crate::error::Result;

/// Calls `visit` with each pretoken that is in any of the lists, in order, and the sum of its counts.
///
/// # Errors
///
/// What the lists and `visit` return; and where a sum is 2⁶⁴ or more.
///
/// # Complexity
///
/// O(n log k) for n entries in k lists.
pub(super) fn sum(lists: Vec<Box<dyn Entries + '_>>, mut visit: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let (mut sum, mut pretoken) = (Sum::new(lists)?, Vec::new());
    while let Some(count) = sum.next(&mut pretoken)? {
        visit(&pretoken, count)?;
    }
    Ok(())
}

/// The sum of lists as a list.
pub(super) struct Sum<'a> {
    heads: BinaryHeap<Head<'a>>,
}

impl<'a> Sum<'a> {
    pub(super) fn new(lists: Vec<Box<dyn Entries + 'a>>) -> Result<Self> {
        let mut heads = BinaryHeap::with_capacity(lists.len());
        for mut list in lists {
            let mut pretoken = Vec::new();
            if let Some(count) = list.next(&mut pretoken)? {
                heads.push(Head { pretoken, count, list });
            }
        }
        Ok(Self { heads })
    }
}

impl Entries for Sum<'_> {
    fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
        let mut total = None;
        while let Some(mut head) = self.heads.peek_mut() {
            total = match total {
                None => {
                    pretoken.clear();
                    pretoken.extend_from_slice(&head.pretoken);
                    Some(head.count)
                }
                Some(_) if head.pretoken != *pretoken => break,
                Some(total) => Some(head.count.checked_add(total).ok_or_else(|| overflow(pretoken))?),
            };
            let Head { pretoken, count, list } = &mut *head;
            match list.next(pretoken)? {
                Some(next) => *count = next,
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(total)
    }
}

/// The next entry of a list, and the list.
struct Head<'a> {
    pretoken: Vec<u8>,
    count: u64,
    list: Box<dyn Entries + 'a>,
}

impl Ord for Head<'_> {
    /// The first pretoken is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.pretoken.cmp(&self.pretoken)
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct List(std::vec::IntoIter<(Vec<u8>, u64)>);

    impl Entries for List {
        fn next(&mut self, pretoken: &mut Vec<u8>) -> Result<Option<u64>> {
            Ok(self.0.next().map(|(bytes, count)| {
                *pretoken = bytes;
                count
            }))
        }
    }

    #[test]
    fn lists_are_summed_in_order() {
        let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        let mut lists: Vec<Box<dyn Entries>> = Vec::new();
        for k in 1..8_u64 {
            let list: BTreeMap<Vec<u8>, u64> = (0..50).map(|i| (vec![b'a'; ((i * k) % 31) as usize + 1], k)).collect();
            for (bytes, count) in &list {
                *expected.entry(bytes.clone()).or_default() += count;
            }
            lists.push(Box::new(List(list.into_iter().collect::<Vec<_>>().into_iter())));
        }
        let mut seen = Vec::new();
        sum(lists, |pretoken, count| {
            seen.push((pretoken.to_vec(), count));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_sum_that_does_not_fit_is_an_error() {
        let list = |count| -> Box<dyn Entries> { Box::new(List(vec![(b"word".to_vec(), count)].into_iter())) };
        assert!(sum(vec![list(u64::MAX), list(0)], |_, _| Ok(())).is_ok());
        let error = sum(vec![list(u64::MAX), list(1)], |_, _| Ok(())).unwrap_err();
        assert!(error.is_training() && error.to_string().contains("word"), "{error}");
    }
}
