//! Counts of pretokens of up to 15 bytes, which nearly all occurrences are: each lies with its count in 24 bytes, found by a
//! batch at a time, so that the loads of one do not wait for those of another.

use super::table::out_of_memory;
use crate::error::Result;
use crate::ids::widen;
use crate::keys::{Key, Places};
use crate::prefetch::prefetch;

/// Distinct short pretokens and their counts: each lies at the place that its key chooses, or at the first free one after it.
#[derive(Clone, Debug)]
pub(super) struct ShortCounts {
    /// A power of two of them, or none; a quarter at least is free.
    slots: Vec<Slot>,
    n: usize,
    places: Places<2>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The key as bytes: those of the pretoken, zeros, and their number.
    bytes: [[u8; 8]; 2],
    count: u64,
}

impl Slot {
    const FREE: Self = Self { bytes: [[0; 8]; 2], count: 0 };

    #[inline(always)]
    fn key(&self) -> Key<2> {
        self.bytes.map(u64::from_le_bytes)
    }

    fn pretoken(&self) -> &[u8] {
        let bytes = self.bytes.as_flattened();
        let n_bytes = bytes.last().map_or(0, |&n_bytes| n_bytes.into());
        bytes.get(..n_bytes).unwrap_or_default()
    }
}

impl Default for ShortCounts {
    fn default() -> Self {
        Self { slots: Vec::new(), n: 0, places: Places::new(1) }
    }
}

impl ShortCounts {
    const MIN_SLOTS: usize = 1 << 10;

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// How many there can be before it grows.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len() / 4 * 3
    }

    /// The bytes of memory it takes.
    pub(super) fn n_bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }

    /// Forgets all counts, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::FREE);
        self.n = 0;
    }

    /// Every pretoken and its count, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.slots.iter().filter(|slot| slot.count > 0).map(|slot| (slot.pretoken(), slot.count))
    }

    /// Multiplies every count by a number that is not zero.
    pub(super) fn scale(&mut self, weight: u64) {
        self.slots.iter_mut().for_each(|slot| slot.count *= weight);
    }

    /// The count of a key.
    #[cfg(test)]
    pub(super) fn get(&self, key: &Key<2>) -> u64 {
        self.slots.get(self.find(self.places.of(key), key)).map_or(0, |slot| slot.count)
    }

    /// Adds to the count of a key; the sum must fit.
    pub(super) fn add(&mut self, key: &Key<2>, count: u64) -> Result<()> {
        self.reserve(1)?;
        self.add_at(self.places.of(key), key, count);
        Ok(())
    }

    /// How keys choose places, until it grows.
    pub(super) fn places(&self) -> &Places<2> {
        &self.places
    }

    /// All bits of a place; and what starts to load a place.
    pub(super) fn fetch(&self) -> (u32, impl Fn(usize) + use<>) {
        let slots = self.slots.as_ptr();
        (u32::MAX, move |place| prefetch(slots.wrapping_add(place)))
    }

    /// Adds to the count of a key whose place is known, where there is room for another.
    #[inline(always)]
    pub(super) fn add_at(&mut self, place: u32, key: &Key<2>, count: u64) {
        let at = self.find(place, key);
        if let Some(slot) = self.slots.get_mut(at) {
            self.n += usize::from(slot.count == 0);
            *slot = Slot { bytes: key.map(u64::to_le_bytes), count: slot.count + count };
        }
    }

    /// Where a key is, or is to be.
    #[inline(always)]
    fn find(&self, place: u32, key: &Key<2>) -> usize {
        let mut at = widen(place);
        loop {
            match self.slots.get(at) {
                Some(slot) if slot.count > 0 && slot.key() != *key => {}
                _ => return at,
            }
            at = (at + 1) & self.slots.len().wrapping_sub(1);
        }
    }

    /// Makes room for so many more.
    #[inline]
    pub(super) fn reserve(&mut self, n_more: usize) -> Result<()> {
        if self.n + n_more > self.capacity() { self.grow(self.n + n_more) } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self, n: usize) -> Result<()> {
        let n_slots = (n + n / 3 + 1).next_power_of_two().max(Self::MIN_SLOTS).max(2 * self.slots.len());
        let mut slots = Vec::new();
        slots.try_reserve_exact(n_slots).map_err(|_| out_of_memory())?;
        slots.resize(n_slots, Slot::FREE);
        self.places = self.places.with_max_log(n_slots.ilog2());
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.count > 0 {
                let at = self.find(self.places.of(&slot.key()), &slot.key());
                self.slots[at] = slot;
            }
        }
        Ok(())
    }
}
