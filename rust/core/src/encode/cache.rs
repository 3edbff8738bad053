//! A small, bounded memory of recent pretokens and their ids.

use crate::ids::{narrow, widen, widen_u64};

/// Pretokens longer than this are not remembered: their length shares a 16-byte key with them.
const MAX_BYTES: usize = 15;

/// A cache starts with this many slots, 128 KiB: a short text touches little memory.
const MIN_SLOTS: usize = 1 << 12;

/// And ends with this many, 8 MiB: English has some hundred thousand words.
const MAX_SLOTS: usize = 1 << 18;

/// When the encodings of many ids fill this many places, 2 MiB, the cache begins anew.
const MAX_IDS: usize = 1 << 19;

/// By length less one: what to keep of 16 bytes.
const MASKS: [[u64; 2]; MAX_BYTES] = {
    let mut masks = [[0; 2]; MAX_BYTES];
    let mut kept = [0; 2];
    let mut byte = 0;
    while byte < MAX_BYTES {
        kept[byte / 8] |= 0xFF << (byte % 8 * 8);
        masks[byte] = kept;
        byte += 1;
    }
    masks
};

/// The bytes of a short pretoken and its length: equal keys are equal pretokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Key(u64, u64);

/// A pretoken and its encoding. Half a cache line, so that no slot lies in two.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
struct Slot {
    key: Key,
    /// Up to four ids, which have 24 bits; the high byte of the last says how many. Or, where that says [`MANY`], where
    /// the ids start in `Cache::ids` and how many there are.
    ids: [u32; INLINE],
}

/// Encodings of this many ids lie in the slot itself.
const INLINE: usize = 4;

/// Stands for the number of ids that do not.
const MANY: u32 = 0xFF;

/// What of the last id is the id.
const ID_BITS: u32 = 0x00FF_FFFF;

/// Recently encoded pretokens: one slot for each hash, the latest wins.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// None, or a power of two of them.
    slots: Vec<Slot>,
    /// The encodings of many ids, one after another.
    ids: Vec<u32>,
    /// How often a slot was written since there are this many.
    n_written: usize,
}

impl Key {
    /// The key of what is never remembered: no pretoken has this length.
    pub(super) const NONE: Self = Self(0, u64::MAX);

    /// The key of `pretoken`, or [`Key::NONE`] where it is too long or empty.
    #[inline]
    pub(super) fn new(pretoken: &[u8]) -> Self {
        if pretoken.is_empty() || pretoken.len() > MAX_BYTES {
            return Self::NONE;
        }
        let mut window = [0; 16];
        window[..pretoken.len()].copy_from_slice(pretoken);
        Self::from_window(window, pretoken.len())
    }

    /// [`Key::new`] of `pretoken`, a part of `text`, without a branch on its length: where the text goes on, 16 bytes are
    /// loaded and masked. Bytes copied and loaded again would have to wait for each other.
    #[inline]
    pub(super) fn in_text(text: &[u8], pretoken: &[u8]) -> Self {
        debug_assert!(text.as_ptr_range().contains(&pretoken.as_ptr()) || pretoken.is_empty());
        let start = pretoken.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        match text.get(start..).and_then(<[u8]>::first_chunk) {
            Some(window) => Self::from_window(*window, pretoken.len()),
            None => Self::new(pretoken),
        }
    }

    #[inline]
    fn from_window(window: [u8; 16], length: usize) -> Self {
        let Some(&[low, high]) = MASKS.get(length.wrapping_sub(1)) else { return Self::NONE };
        let [first, second] = *window.as_chunks::<8>().0 else { return Self::NONE };
        let length = widen_u64(length) << 56;
        Self(u64::from_le_bytes(first) & low, u64::from_le_bytes(second) & high | length)
    }

    /// The key of the same bytes as a part of a longer pretoken.
    pub(super) fn of_segment(self) -> Self {
        Self(self.0, self.1 | 1 << 63)
    }

    #[inline]
    fn hash(self) -> usize {
        // Two odd constants spread both halves; the high bits of a product depend on all bits below.
        let mixed = (self.0 ^ self.1.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.1;
        let high = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 40;
        usize::try_from(high).unwrap_or(0)
    }
}

impl Cache {
    /// Whether the pretoken with this key was seen lately.
    #[inline]
    pub(super) fn holds(&self, key: Key) -> bool {
        self.slot(key).is_some_and(|slot| slot.key == key)
    }

    /// Appends the ids of the pretoken with this key to `out`, if it was seen lately.
    #[inline]
    pub(super) fn append(&self, key: Key, out: &mut Vec<u32>) -> bool {
        let Some(slot) = self.slot(key).filter(|slot| slot.key == key) else { return false };
        let [first, second, third, last] = slot.ids;
        match last >> 24 {
            MANY => {
                let start = widen(first);
                out.extend_from_slice(self.ids.get(start..start + widen(second)).unwrap_or_default());
            }
            // All four, some of them in vain: a store, where the right number would be a guess of the processor's.
            n_ids => {
                let length = out.len() + widen(n_ids);
                out.extend_from_slice(&[first, second, third, last & ID_BITS]);
                out.truncate(length);
            }
        }
        true
    }

    /// Remembers the ids of the pretoken with this key.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, ids: &[u32]) {
        if key == Key::NONE {
            return;
        }
        if self.ids.len() + ids.len() > MAX_IDS {
            self.slots.fill(Slot::default());
            self.ids.clear();
        }
        if self.n_written >= self.slots.len() / 2 && self.slots.len() < MAX_SLOTS {
            self.grow();
        }
        let (Some(start), Some(n_ids)) = (narrow(self.ids.len()), narrow(ids.len())) else { return };
        let mut packed = [0; INLINE];
        if ids.len() <= INLINE {
            packed[..ids.len()].copy_from_slice(ids);
            packed[INLINE - 1] |= n_ids << 24;
        } else {
            self.ids.extend_from_slice(ids);
            packed = [start, n_ids, 0, MANY << 24];
        }
        self.n_written += 1;
        let index = key.hash() & (self.slots.len() - 1);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot { key, ids: packed };
        }
    }

    /// Doubles the slots and moves what is known, which would cost far more to find out again.
    #[cold]
    fn grow(&mut self) {
        let n_slots = (2 * self.slots.len()).clamp(MIN_SLOTS, MAX_SLOTS);
        let mut slots = vec![Slot::default(); n_slots];
        self.n_written = 0;
        for slot in self.slots.iter().filter(|slot| slot.key != Key::default()) {
            if let Some(moved) = slots.get_mut(slot.key.hash() & (n_slots - 1)) {
                *moved = *slot;
                self.n_written += 1;
            }
        }
        self.slots = slots;
    }

    #[inline]
    fn slot(&self, key: Key) -> Option<&Slot> {
        self.slots.get(key.hash() & self.slots.len().wrapping_sub(1))
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
            let text = [&[0xFF; 3], &bytes[..], &[0xFF; 9]].concat();
            assert_eq!(Key::in_text(&text, &text[3..3 + length]), Key(halves[0], halves[1]));
            assert_eq!(Key::in_text(&text[..3 + length], &text[3..3 + length]), Key(halves[0], halves[1]));
        }
    }

    #[test]
    fn remembers_any_number_of_ids() {
        let mut cache = Cache::default();
        let (a, b) = (Key::new(b"a"), Key::new(b"b"));
        let mut ids = Vec::new();
        assert!(!cache.append(a, &mut ids));
        cache.insert(a, &[1, 2]);
        cache.insert(b, &[3]);
        cache.insert(Key::NONE, &[1]);
        assert_eq!([a, b, Key::NONE].map(|key| cache.holds(key)), [true, true, false]);
        assert!(cache.append(a, &mut ids) && cache.append(b, &mut ids) && !cache.append(Key::NONE, &mut ids));
        assert_eq!(ids, [1, 2, 3]);
    }

    #[test]
    fn grows_and_stays_bounded() {
        let mut cache = Cache::default();
        for number in 0..1_000_000_u32 {
            let key = Key::new(&number.to_le_bytes());
            let n_ids = 1 + widen(number % 7);
            cache.insert(key, &vec![number; n_ids]);
            let mut ids = Vec::new();
            assert!(cache.append(key, &mut ids));
            assert_eq!(ids, vec![number; n_ids]);
        }
        assert_eq!(cache.slots.len(), MAX_SLOTS);
        assert!(cache.ids.len() <= MAX_IDS);
    }
}
