//! A small, bounded memory of recent pretokens and their ids.

use crate::ids::{widen, widen_u64};

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
    /// The key of `pretoken`, or `None` where it is too long or empty.
    #[inline]
    pub(super) fn new(pretoken: &[u8]) -> Option<Self> {
        if pretoken.is_empty() || pretoken.len() > MAX_BYTES {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..pretoken.len()].copy_from_slice(pretoken);
        let key = u128::from_le_bytes(bytes);
        let halves = [key, key >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
        Some(Self(halves[0], halves[1] | widen_u64(pretoken.len()) << 56))
    }

    #[inline]
    fn slot(self) -> usize {
        // Two odd constants spread both halves; the top bits of a product depend on all bits below.
        let mixed = (self.0 ^ self.1.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.1;
        let top = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - SLOTS.trailing_zeros());
        usize::try_from(top).unwrap_or(0)
    }
}

impl Cache {
    /// The ids of the pretoken with this key, if it was seen lately.
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&[u32]> {
        let slot = self.slots.get(key.slot())?;
        if slot.key == key { slot.ids.get(..widen(slot.n_ids)) } else { None }
    }

    /// Remembers `ids` if they are few.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, ids: &[u32]) {
        let (Ok(n_ids), true) = (u32::try_from(ids.len()), ids.len() <= MAX_IDS) else { return };
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
        assert!(Key::new(&[0; 16]).is_none() && Key::new(b"").is_none());
    }

    #[test]
    fn remembers_the_latest_and_nothing_long() {
        let mut cache = Cache::default();
        let (a, b) = (Key::new(b"a").unwrap(), Key::new(b"b").unwrap());
        assert_eq!(cache.get(a), None);
        cache.insert(a, &[1, 2]);
        cache.insert(b, &[1, 2, 3, 4]);
        assert_eq!((cache.get(a), cache.get(b)), (Some(&[1, 2][..]), None));
    }
}
