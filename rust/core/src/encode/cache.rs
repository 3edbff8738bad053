//! A small, bounded memory of recent pretokens and their ids.

use crate::ids::widen_u64;

/// Pretokens longer than this are not remembered: their length shares a 16-byte key with them.
const MAX_BYTES: usize = 15;

/// Encodings longer than this are not remembered.
const MAX_IDS: usize = 3;

const SLOTS: usize = 1 << 16;

/// The bytes of a short pretoken and its length: equal keys are equal pretokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Key(u64, u64);

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: Key,
    ids: [u32; MAX_IDS],
    n_ids: u32,
}

/// Recently encoded pretokens: one slot for each hash, the latest wins. 2 MiB when in use.
#[derive(Debug, Default)]
pub(super) struct Cache {
    slots: Vec<Slot>,
}

impl Key {
    /// The key of what is never remembered: no pretoken has this length.
    pub(super) const NONE: Self = Self(0, u64::MAX);

    /// The key of `pretoken`, or [`Key::NONE`] where it is too long or empty.
    ///
    /// Short slices are put together from two loads that overlap; copying a few bytes would be a call.
    #[inline]
    pub(super) fn new(pretoken: &[u8]) -> Self {
        let length = pretoken.len();
        let (low, high) = match (pretoken.first_chunk(), pretoken.last_chunk(), pretoken) {
            (Some(first), Some(last), _) if length <= MAX_BYTES => {
                let after = u64::from_le_bytes(*last).checked_shr(8 * (16 - small(length))).unwrap_or(0);
                (u64::from_le_bytes(*first), after)
            }
            (Some(_), _, _) => return Self::NONE,
            (None, _, [a, b, c, d, ..]) => {
                let first = u32::from_le_bytes([*a, *b, *c, *d]);
                let last = pretoken.last_chunk().map_or(0, |last| u32::from_le_bytes(*last));
                (u64::from(first) | u64::from(last) << (8 * (small(length) - 4)), 0)
            }
            (None, _, [first, .., last]) => {
                let middle = u64::from(pretoken[length / 2]) << (8 * (small(length) / 2));
                (u64::from(*first) | middle | u64::from(*last) << (8 * (small(length) - 1)), 0)
            }
            (None, _, [only]) => (u64::from(*only), 0),
            (None, _, []) => return Self::NONE,
        };
        Self(low, high | widen_u64(length) << 56)
    }

    /// The key of the same bytes as a part of a longer pretoken.
    pub(super) fn of_segment(self) -> Self {
        Self(self.0, self.1 | 1 << 63)
    }

    #[inline]
    fn slot(self) -> usize {
        // Two odd constants spread both halves; the top bits of a product depend on all bits below.
        let mixed = (self.0 ^ self.1.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.1;
        let top = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - SLOTS.trailing_zeros());
        usize::try_from(top).unwrap_or(0)
    }
}

/// A length below 16 as the number of bits to shift by.
#[inline]
fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(0)
}

impl Cache {
    /// Whether the pretoken with this key was seen lately.
    #[inline]
    pub(super) fn holds(&self, key: Key) -> bool {
        self.slots.get(key.slot()).is_some_and(|slot| slot.key == key)
    }

    /// Appends the ids of the pretoken with this key to `out`, if it was seen lately.
    #[inline]
    pub(super) fn append(&self, key: Key, out: &mut Vec<u32>) -> bool {
        let Some(slot) = self.slots.get(key.slot()).filter(|slot| slot.key == key) else { return false };
        // Nine in ten are one token; pushing that is no call.
        let [first, second, third] = slot.ids;
        out.push(first);
        if slot.n_ids > 1 {
            out.push(second);
            if slot.n_ids > 2 {
                out.push(third);
            }
        }
        true
    }

    /// Remembers `ids` if they are few.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, ids: &[u32]) {
        let (Ok(n_ids), 1..=MAX_IDS) = (u32::try_from(ids.len()), ids.len()) else { return };
        if key == Key::NONE {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(key.slot()) {
            slot.key = key;
            slot.n_ids = n_ids;
            slot.ids[..ids.len()].copy_from_slice(ids);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_trailing_zeros_apart() {
        assert_ne!(Key::new(b"a"), Key::new(b"a\0"));
        assert_ne!(Key::new(b"\0"), Key::new(b"\0\0"));
        assert_ne!(Key::new(&[0; 15]), Key::new(&[0; 14]));
        assert_eq!([Key::new(&[0; 16]), Key::new(b"")], [Key::NONE; 2]);
    }

    #[test]
    fn keys_hold_the_bytes_and_their_number() {
        let bytes: Vec<u8> = (1..=15).collect();
        for length in 1..=15 {
            let mut padded = [0; 16];
            padded[..length].copy_from_slice(&bytes[..length]);
            padded[15] = u8::try_from(length).unwrap();
            let halves = [&padded[..8], &padded[8..]].map(|half| u64::from_le_bytes(half.try_into().unwrap()));
            assert_eq!(Key::new(&bytes[..length]), Key(halves[0], halves[1]));
        }
    }

    #[test]
    fn remembers_the_latest_and_nothing_long() {
        let mut cache = Cache::default();
        let (a, b) = (Key::new(b"a"), Key::new(b"b"));
        let mut ids = Vec::new();
        assert!(!cache.append(a, &mut ids));
        cache.insert(a, &[1, 2]);
        cache.insert(b, &[1, 2, 3, 4]);
        cache.insert(Key::NONE, &[1]);
        assert_eq!([a, b, Key::NONE].map(|key| cache.holds(key)), [true, false, false]);
        assert!(cache.append(a, &mut ids) && !cache.append(b, &mut ids));
        assert_eq!(ids, [1, 2]);
    }
}
